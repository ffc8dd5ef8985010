//! Answers an agent's own hook: `swarm hook KIND EVENT`.
//!
//! The agent waits for the answer, so this is one short process: it reads JSON, looks at the store, prints JSON. It
//! may answer nothing, but it must never fail the agent: the command turns every error into silence and a line in the
//! journal.
//!
//! Mail is given under a flock per agent, which is held until the receipt is committed, and the receipt is written
//! after the output. The courier takes the same flock for the moment in which it marks a text as under way. So two racing hooks, or a
//! hook and the courier, give a message once, and a crash in between repeats it and does not lose it.
//! Leases are taken in one transaction of the store. The mutex is never held while output is written.

pub mod command;
mod edits;
pub mod install;
mod mail;
pub mod report;
mod team;
pub mod tree;

use crate::core::agent::{Agent, Status};
use crate::core::hook::{Enforce, HookAnswer, HookEvent, HookHost, Tool};
use crate::core::name::Name;
use crate::os::caller::Caller;
use crate::store::Store;
use crate::store::lock::{self, Held};
use crate::store::mail::MessageRef;
use anyhow::Result;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// The largest input that is read, in bytes: a prompt may carry a large paste.
pub const MAX_INPUT: usize = 8 << 20;

/// How long a hook waits for another one of the same agent, or for the courier's mark, before it gives no mail.
const OTHERS: Duration = Duration::from_millis(300);

/// One call of a hook.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The project.
    pub store: &'a Store,
    /// All agents on record.
    pub agents: &'a [Agent],
    /// The agent whose hook it is.
    pub agent: &'a Agent,
    /// How that is known.
    pub caller: &'a Caller,
    /// The agent's kind of hooks.
    pub host: HookHost,
    /// The hook's name.
    pub name: &'a str,
    /// The directory the hook runs in.
    pub here: &'a Path,
    /// How the agent's tools call `swarm-msg`; asked for where it is named first.
    pub command: &'a dyn Fn() -> String,
    /// Whether it hands unread mail over.
    pub gives: bool,
    /// What to do about edits of what others hold.
    pub enforce: Enforce,
    /// What to do about commands that take uncommitted work of others with them.
    pub tree: Enforce,
    /// The paths that nobody edits without holding them in the whole team: globs.
    pub team: &'a [String],
    /// What to do about edits of these while the team cannot be asked.
    pub offline: Enforce,
    /// How many answers in a row agents may give each other.
    pub answers: u32,
}

/// What to print, and what is true once it was printed.
#[derive(Debug, Default)]
pub struct Reply {
    /// For stdout, if anything.
    pub json: Option<Value>,
    receipts: Vec<MessageRef>,
    giving: Option<Held>,
}

impl Reply {
    /// Marks what was handed over as read. Call it after the output was written.
    pub fn commit(self, store: &Store) -> Result<()> {
        for found in &self.receipts {
            store.receipt_of_hook(found)?;
        }
        if let Some(held) = self.giving {
            drop(held);
        }
        Ok(())
    }
}

impl Call<'_> {
    /// Why a shell command would do harm to others' work in the tree.
    fn judge(&self, tool: &Tool, command: &str) -> Result<Option<String>> {
        let dir = tool.dir.as_ref().map_or_else(|| self.here.to_owned(), |dir| self.here.join(dir));
        let holder = edits::holder(self);
        tree::before(self.store, self.agents, &self.agent.name, &holder, &dir, command, self.command)
    }

    /// Decides what to say.
    pub fn answer(&self, input: &Value) -> Result<Reply> {
        let event = HookEvent::parse(self.host, self.name, input);
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
                        // No agent takes a word before a tool.
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
            HookEvent::SessionEnd => edits::release(self)?,
            HookEvent::Dialog => report::write(self.store, &self.agent.name, Status::Dialog, None)?,
            HookEvent::Prompt(_) => report::write(self.store, &self.agent.name, Status::Busy, None)?,
            HookEvent::SessionStart | HookEvent::Stop { .. } => {
                report::write(self.store, &self.agent.name, Status::Idle, None)?;
            }
            HookEvent::Other => {}
        }
        if HookAnswer::carries(self.host, &event) {
            reply.giving = at_rest(self.store, &self.agent.name, OTHERS)?;
            // Otherwise another hook of the same agent hands its mail over, and takes long.
            if reply.giving.is_some() {
                let given = mail::give(self, &event)?;
                answer.context = join(answer.context, given.text);
                reply.receipts = given.receipts;
            }
        }
        reply.json = answer.render(self.host, self.name, &event);
        Ok(reply)
    }
}

/// Waits until nobody hands mail over to that agent by its hooks, and keeps others from it. `None`: somebody does so for as long as that.
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
