//! Agents' own channels: ways to give a text to a running agent without typing it.
//!
//! Each channel has a file. It checks whether the channel can be used, gives a text to the agent, and reads from the
//! agent's own records whether the text arrived. No channel confirms a text, so only those records are proof; a
//! successful write is not. This layer knows the processes and files of agents. It knows neither the store, nor tmux,
//! nor messages. It keeps no state: the courier records a text before it gives it, and the courier's lock lets one
//! courier at a time do so.

pub mod answered;
pub mod begun;
pub mod claude;
mod claude_inbox;
mod codex;
pub mod opencode_plugin;
mod own;
pub mod transcript;

use crate::core::agent::{Agent, Status};
use crate::core::carrier::{Carrier, Offer};
use crate::core::heir::Conversation;
use crate::core::process_id::ProcessId;
use crate::os::process;
use crate::os::program::Environment;
use std::path::PathBuf;
use transcript::Follower;

/// The state that an agent itself reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub status: Status,
    /// When the state began (ms since the epoch).
    pub since: u64,
    /// The source of the report, for people.
    pub source: String,
}

impl Said {
    /// Reads an agent's word for its state. An unknown word gives `None`.
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
    /// It cannot reach this agent, for this reason. Another carrier is used.
    No(String),
    /// The agent asks its person something. Mail waits until that is answered.
    Asks,
    /// The agent is suspended.
    Suspended,
}

/// How far a text has come, by the agent's own records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trace {
    /// The records do not show it.
    None,
    /// It waits in the agent's queue.
    Queued,
    /// The model was given it.
    Given,
    /// The model was given it during a running turn.
    Within,
}

/// A channel to one agent that was usable a moment ago. It stays open until the text has arrived: if it is closed at
/// once, the agent may miss the text.
pub trait Channel: Send + Sync {
    /// The kind of channel.
    fn carrier(&self) -> Carrier;

    /// The file in which the agent records a text that it was given, and its length now.
    fn proof(&self) -> (PathBuf, u64);

    /// Connects, and checks that the agent is at the other end. After an error nothing was given.
    fn open(&mut self) -> anyhow::Result<()>;

    /// Gives the agent a text over an open channel. After an error the text may or may not have been given.
    fn give(&mut self, text: &str) -> anyhow::Result<()>;
}

/// The channel of that kind to an agent, if everything it needs is there.
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

/// Checks that the agent runs and can read.
fn check_running(agent: &Agent) -> Result<(), Unfit> {
    match process::look(&agent.process) {
        None => Err(Unfit::No("its process has ended".to_owned())),
        Some(running) if running.stopped => Err(Unfit::Suspended),
        Some(_) => Ok(()),
    }
}

/// The carriers that the setting `key` allows for an agent, in their order, and why one of the agent's own channels
/// is not used now.
pub fn ways(
    agent: &Agent,
    own: &[Carrier],
    allowed: &[Carrier],
    key: &str,
) -> Vec<(Carrier, Result<(), String>)> {
    let forbidden = own.iter().filter(|carrier| !allowed.contains(carrier));
    let reachable = allowed.iter().filter(|carrier| own.contains(carrier) || **carrier == Carrier::Pane);
    let judge = |carrier: &Carrier| match carrier {
        Carrier::Pane => Ok(()),
        native => reach(*native, agent).map(drop).or_else(|unfit| match unfit {
            Unfit::No(why) => Err(why),
            // Mail waits for this channel.
            Unfit::Asks | Unfit::Suspended => Ok(()),
        }),
    };
    let left_out = || Err(format!("the setting {key} leaves it out"));
    reachable.map(|c| (*c, judge(c))).chain(forbidden.map(|c| (*c, left_out()))).collect()
}

/// How far a text has come since `follower` last read the agent's records.
pub fn trace(offer: &Offer, agent: &Agent, text: &str, follower: &mut Follower) -> Trace {
    match Carrier::named(&offer.carrier) {
        Some(Carrier::ClaudeInbox) => claude_inbox::trace(agent, text, follower),
        Some(Carrier::OpencodePlugin) => opencode_plugin::trace(text, follower),
        // A hook and a pane have no record of their own, and a carrier of a later version is unknown.
        Some(Carrier::Hook | Carrier::Pane) | None => Trace::None,
    }
}

/// A quick check whether a line can be about a text: most lines are long and about something else.
fn speaks_of(line: &str, text: &str) -> bool {
    let marker = text.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    line.contains(&marker)
}

/// An agent's process and its environment at the start.
#[derive(Clone, Copy, Debug)]
pub struct Started<'a> {
    pub process: &'a ProcessId,
    /// The pid namespace in which its id is known.
    pub known_in: Option<u64>,
    pub environment: &'a Environment,
    /// Whether its arguments continue an earlier conversation, and the id of that conversation if they contain it.
    pub resumes: Option<Option<&'a str>>,
}

impl<'a> Started<'a> {
    /// An agent on record. Its arguments count only at its start.
    pub fn of(agent: &'a Agent, environment: &'a Environment) -> Self {
        Self { process: &agent.process, known_in: agent.place.namespace, environment, resumes: None }
    }
}

/// The agent's conversation, by its own files.
pub fn conversation(carriers: &[Carrier], started: &Started<'_>) -> Conversation {
    let said = if carriers.contains(&Carrier::ClaudeInbox) {
        claude::conversation(started)
    } else {
        Conversation::Unknown
    };
    match (said, started.resumes.flatten()) {
        (Conversation::Unknown, Some(id)) => Conversation::Is { id: id.to_owned(), resumed: true },
        (said, _) => said,
    }
}

/// [`conversation`], or other evidence of the conversation soon after an agent's start. Hooks are the better source.
pub fn conversation_at_start(kind: &str, carriers: &[Carrier], started: &Started<'_>) -> Conversation {
    match conversation(carriers, started) {
        Conversation::Unknown if kind == codex::KIND => codex::conversation(started),
        told => told,
    }
}

/// The state that an agent reports, whatever channel is used.
pub fn said(agent: &Agent, carriers: &[Carrier]) -> Option<Said> {
    carriers.iter().find_map(|carrier| match carrier {
        Carrier::ClaudeInbox => claude::Session::of(agent).ok()?.said(),
        Carrier::OpencodePlugin => opencode_plugin::said(agent),
        Carrier::Hook | Carrier::Pane => None,
    })
}
