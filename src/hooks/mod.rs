//! Answers an agent's own hook: `swarm hook KIND EVENT`.
//!
//! The agent waits for the answer, so this is one short process: it reads JSON, looks at the store, prints JSON. It
//! may answer nothing, but it must never fail the agent: the command turns every error into silence and a line in the
//! journal.
//!
//! Mail is given under a flock per agent, which is held until the hand-over is committed, and that is written after the
//! output. No agent confirms what it reads: the message counts as submitted until something shows that the model was
//! asked with it, for example the agent's next hook. The courier takes the same flock for the moment in which it marks
//! a text as under way. So two racing hooks, or a hook and the courier, give a message once, and a crash in between
//! repeats it and does not lose it. Leases are taken in one transaction of the store. The mutex is never held while
//! output is written.

pub mod command;
mod edits;
pub mod install;
mod mail;
pub mod report;
mod team;
pub mod tree;

use crate::core::agent::{Agent, Status};
use crate::core::carrier::{HookOffer, Moment};
use crate::core::hook::{Enforce, HookAnswer, HookEvent, HookKind, Tool};
use crate::core::name::Name;
use crate::os::caller::Caller;
use crate::store::lock::{self, Held};
use crate::store::mail::MessageRef;
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest input that is read, in bytes: a prompt may carry a large paste.
pub const MAX_INPUT: usize = 8 << 20;

/// How long a hook waits for another hook of the same agent, or for the courier's mark, before it gives no mail.
const OTHERS: Duration = Duration::from_millis(300);

#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub store: &'a Store,
    pub agents: &'a [Agent],
    /// The agent whose hook it is.
    pub agent: &'a Agent,
    /// The evidence for the caller's identity.
    pub caller: &'a Caller,
    /// The agent's kind of hooks.
    pub kind: HookKind,
    pub name: &'a str,
    /// The directory in which the hook runs.
    pub here: &'a Path,
    /// How the agent's tools call `swarm-msg`; found out when it is first needed.
    pub command: &'a dyn Fn() -> String,
    /// When this began (ms since the epoch).
    pub begun: u64,
    /// The agent's transcript, and its length.
    pub transcript: Option<&'a (PathBuf, u64)>,
    /// Whether it hands over unread mail.
    pub gives: bool,
    /// What to do about edits of files that others hold.
    pub enforce: Enforce,
    /// What to do about git commands that would take others' uncommitted work.
    pub tree: Enforce,
    /// The paths that nobody edits without a lease of the whole team: globs.
    pub team: &'a [String],
    /// What to do about edits of these paths while the team cannot be asked.
    pub offline: Enforce,
    /// How many answers in a row agents may give each other.
    pub answers: u32,
}

/// The output of a hook, and the acts that follow once it was printed.
#[derive(Debug, Default)]
pub struct Reply {
    /// For stdout, if there is any.
    pub json: Option<Value>,
    handed: Vec<MessageRef>,
    offer: Option<HookOffer>,
    giving: Option<Held>,
}

impl Reply {
    /// Records what was handed over. Call it after the output was written.
    pub fn commit(self, store: &Store) -> Result<()> {
        if let Some(offer) = self.offer.filter(|_| !self.handed.is_empty()) {
            for found in &self.handed {
                store.give_by_hook(found, &offer)?;
            }
            // The courier follows the transcript.
            store.ring()?;
        }
        if let Some(held) = self.giving {
            drop(held);
        }
        Ok(())
    }
}

impl Call<'_> {
    /// Why a shell command would harm others' work in the tree.
    fn judge(&self, tool: &Tool, command: &str) -> Result<Option<String>> {
        let dir = tool.dir.as_ref().map_or_else(|| self.here.to_owned(), |dir| self.here.join(dir));
        let holder = edits::holder(self);
        tree::before(self.store, self.agents, &self.agent.name, &holder, &dir, command, self.command)
    }

    /// Marks as read what was handed over before, if this shows that the model has answered since. In a conversation that the person has
    /// emptied (`/clear`), what no model has answered waits again. Call it after the output was written: it decides nothing.
    pub fn prove(&self, input: &Value) -> Result<()> {
        let event = HookEvent::parse(self.kind, self.name, input);
        if matches!(event, HookEvent::SessionStart) && input["source"] == "clear" {
            for (found, _) in mail::unproved(self)? {
                self.store.transact(|tx| tx.take_back(&self.agent.name, &found))?;
            }
        }
        for found in mail::proved(self, &event, input)? {
            self.store.transact(|tx| tx.prove(&found))?;
        }
        Ok(())
    }

    /// What is recorded of what this hook hands over.
    fn offer(&self, moment: Moment) -> HookOffer {
        let (proof, from) = self.transcript.cloned().unzip();
        HookOffer {
            to: self.agent.process.clone(),
            at: now_ms(),
            moment,
            proof,
            from: from.unwrap_or_default(),
        }
    }

    /// Decides what to answer.
    pub fn answer(&self, input: &Value) -> Result<Reply> {
        let event = HookEvent::parse(self.kind, self.name, input);
        let mut answer = HookAnswer::default();
        let mut reply = Reply::default();
        match &event {
            HookEvent::BeforeTool(tool) => {
                if !tool.writes.is_empty() {
                    answer = edits::before(self, &tool.writes)?;
                }
                let mut shell = tool.shell.then(report::Shell::default);
                let found = tool.command.as_ref().filter(|_| self.tree != Enforce::Off);
                if let Some(why) = found.map(|command| self.judge(tool, command)).transpose()?.flatten() {
                    match self.tree {
                        Enforce::Deny => answer.deny = Some(why),
                        // No agent shows a warning before a tool.
                        _ => shell = Some(report::Shell { warning: Some(why) }),
                    }
                }
                report::write(self.store, &self.agent.name, Status::Busy, shell)?;
            }
            HookEvent::AfterTool(tool) => {
                if tool.shell {
                    let said = report::read(self.store, &self.agent.name)?.and_then(|report| report.warning);
                    answer.context = join(said, edits::trip(self)?);
                }
                if !tool.writes.is_empty() {
                    edits::after(self, &tool.writes)?;
                }
                report::write(self.store, &self.agent.name, Status::Busy, None)?;
            }
            HookEvent::SessionEnd => edits::give_back(self)?,
            HookEvent::Dialog => report::write(self.store, &self.agent.name, Status::Dialog, None)?,
            HookEvent::Prompt(_) => report::write(self.store, &self.agent.name, Status::Busy, None)?,
            HookEvent::SessionStart | HookEvent::Stop { .. } => {
                report::write(self.store, &self.agent.name, Status::Idle, None)?;
            }
            HookEvent::Other => {}
        }
        if HookAnswer::carries(self.kind, &event) {
            reply.giving = at_rest(self.store, &self.agent.name, OTHERS)?;
            // Another hook of the same agent is handing over its mail, and takes long.
            if reply.giving.is_some() {
                let given = mail::give(self, &event, input)?;
                answer.context = join(answer.context, given.text);
                reply.handed = given.receipts;
                reply.offer = event.moment().map(|moment| self.offer(moment));
            }
        }
        reply.json = answer.render(self.kind, self.name, &event);
        Ok(reply)
    }
}

/// Waits until no hook hands over mail to that agent, and keeps later hooks waiting. `None`: a hook did so for the
/// whole time.
pub fn at_rest(store: &Store, agent: &Name, patience: Duration) -> Result<Option<Held>> {
    let path = store.dir().join("hooks").join(format!("{agent}.lock"));
    lock::try_within(&path, patience, || false)
}

fn join(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) => Some(format!("{a}\n\n{b}")),
        (a, b) => a.or(b),
    }
}
