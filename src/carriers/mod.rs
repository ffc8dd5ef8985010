//! Agents' own channels: ways to give a text to a running agent without a key being typed.
//!
//! One file a channel. Each says what it needs and why it cannot be used, gives a text to the agent, and tells from what the agent itself
//! writes down whether the text arrived. None of them acknowledges anything, so nothing here is proof but that: who writes a text has
//! proved nothing. This layer knows processes and files of agents; it knows neither the store, nor tmux, nor what a message is. It keeps no state: what was given is on record
//! before it is given, and of several that try at once the courier's lock lets one.

pub mod claude;
mod claude_inbox;
pub mod opencode_plugin;
mod own;
pub mod transcript;

use crate::core::agent::{Agent, Status};
use crate::core::carrier::{Carrier, Offer};
use crate::core::heir::Conversation;
use crate::core::process_id::ProcessId;
use crate::os::process;
use std::path::PathBuf;
use transcript::Follower;

/// What an agent says itself of what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it does.
    pub status: Status,
    /// Since when (ms since the epoch).
    pub since: u64,
    /// Where it says so, for people.
    pub source: String,
}

impl Said {
    /// By the word for what it does: one that is not known says nothing.
    fn of(word: &str, since: u64, source: &str) -> Option<Self> {
        let status = match word {
            "idle" => Status::Idle,
            "busy" => Status::Busy,
            "waiting" => Status::Dialog,
            _ => return None,
        };
        Some(Self { status, since, source: source.to_owned() })
    }
}

/// Why a channel is not used now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It does not reach this agent, for this reason: another carrier has to.
    No(String),
    /// The agent asks its person something, and what it is given meanwhile waits: it is given afterwards.
    Asks,
    /// The agent is suspended.
    Suspended,
}

/// What an agent's own records show of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trace {
    /// Nothing.
    None,
    /// It waits in the agent's queue.
    Queued,
    /// The model was given it.
    Given,
    /// The model was given it within a turn that was on.
    Within,
}

/// A channel to one agent, found usable a moment ago. It is kept until the text is known to have arrived: one that is
/// closed at once may not be heard.
pub trait Channel: Send + Sync {
    /// Which kind.
    fn carrier(&self) -> Carrier;

    /// The file in which a text stands that the agent was given, and how long it is now.
    fn proof(&self) -> (PathBuf, u64);

    /// Reaches the other end and makes sure that it is the agent. Nothing was given after an error.
    fn open(&mut self) -> anyhow::Result<()>;

    /// Gives the agent a text, once it is open. After an error it may have been given or not.
    fn give(&mut self, text: &str) -> anyhow::Result<()>;
}

/// The channel of that kind to an agent, if all that it needs is there.
pub fn reach(carrier: Carrier, agent: &Agent) -> Result<Box<dyn Channel>, Unfit> {
    match carrier {
        Carrier::ClaudeInbox => {
            check_running(agent)?;
            Ok(Box::new(claude_inbox::Inbox::of(agent)?))
        }
        Carrier::OpencodePlugin => {
            check_running(agent)?;
            Ok(Box::new(opencode_plugin::Plugin::of(agent)?))
        }
        Carrier::Hook | Carrier::Pane => Err(Unfit::No("it is no channel of the agent's own".to_owned())),
    }
}

/// Whether the agent runs and could read.
fn check_running(agent: &Agent) -> Result<(), Unfit> {
    match process::look(&agent.process) {
        None => Err(Unfit::No("its process has ended".to_owned())),
        Some(running) if running.stopped => Err(Unfit::Suspended),
        Some(_) => Ok(()),
    }
}

/// The ways to an agent that are allowed, in their order, and why one of them, or one of the agent's own, is not used now.
pub fn ways(agent: &Agent, own: &[Carrier], allowed: &[Carrier]) -> Vec<(Carrier, Result<(), String>)> {
    let forbidden = own.iter().filter(|carrier| !allowed.contains(carrier));
    let reachable = allowed.iter().filter(|carrier| own.contains(carrier) || **carrier == Carrier::Pane);
    let judge = |carrier: &Carrier| match carrier {
        Carrier::Pane => Ok(()),
        native => reach(*native, agent).map(drop).or_else(|unfit| match unfit {
            Unfit::No(why) => Err(why),
            // It is waited for.
            Unfit::Asks | Unfit::Suspended => Ok(()),
        }),
    };
    let left_out = || Err("the setting delivery.carriers leaves it out".to_owned());
    reachable.map(|c| (*c, judge(c))).chain(forbidden.map(|c| (*c, left_out()))).collect()
}

/// What has come to light of a text since the last look, `follower` having read the agent's records so far.
pub fn trace(offer: &Offer, agent: &Agent, text: &str, follower: &mut Follower) -> Trace {
    match Carrier::named(&offer.carrier) {
        Some(Carrier::ClaudeInbox) => claude_inbox::trace(agent, text, follower),
        Some(Carrier::OpencodePlugin) => opencode_plugin::trace(text, follower),
        _ => Trace::None,
    }
}

/// Whether a line may speak of a text: most are long, and of something else.
fn speaks_of(line: &str, text: &str) -> bool {
    let marker = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    line.contains(&marker)
}

/// Which conversation the agent with that process is in, as its own files say. `resumes`: by its arguments it goes on with an earlier
/// one, whose id they name, perhaps.
pub fn conversation(
    carriers: &[Carrier],
    process: &ProcessId,
    known_in: Option<u64>,
    resumes: Option<Option<&str>>,
) -> Conversation {
    let said = if carriers.contains(&Carrier::ClaudeInbox) {
        claude::conversation(process, known_in, resumes)
    } else {
        Conversation::Unknown
    };
    match (said, resumes.flatten()) {
        (Conversation::Unknown, Some(id)) => Conversation::Is { id: id.to_owned(), resumed: true },
        (said, _) => said,
    }
}

/// What an agent says of itself, whatever channel is used.
pub fn said(agent: &Agent, carriers: &[Carrier]) -> Option<Said> {
    carriers.iter().find_map(|carrier| match carrier {
        Carrier::ClaudeInbox => claude::Session::of(agent).ok()?.said(),
        Carrier::OpencodePlugin => opencode_plugin::said(agent),
        Carrier::Hook | Carrier::Pane => None,
    })
}
