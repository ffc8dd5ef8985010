//! Finds the command by which an agent's tools call `swarm-msg`: `hooks/NAME.tools.json`.
//!
//! Finding it may need a login shell, which runs its start-up files while the agent waits. So swarm asks when a
//! session begins, and keeps the answer for that process for a while. The record is replaced by a rename. The last of
//! several racing hooks wins, and any of their answers is good.

use crate::core::agent::Agent;
use crate::core::process_id::ProcessId;
use crate::os::tools;
use crate::store::record::{self, Durability, Loaded};
use crate::store::{Store, now_ms};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How long an answer is used, in milliseconds.
const FRESH_MS: u64 = 600_000;

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    process: ProcessId,
    dir: PathBuf,
    command: String,
    at: u64,
}

/// How the tools of `agent` call the `swarm-msg` in `dir`. With `again` the answer must be fresh. If an answer cannot
/// be stored, the next call asks again.
pub fn of(store: &Store, agent: &Agent, dir: &Path, again: bool) -> String {
    let ask = || tools::command(&agent.kind, agent.process.pid, dir);
    if !tools::asks_shell(&agent.kind) {
        return ask();
    }
    let place = store.dir().join("hooks").join(format!("{}.tools.json", agent.name));
    let now = now_ms();
    if !again
        && let Ok(Loaded::Ok(known)) = record::load::<Known>(&place)
        && known.process == agent.process
        && known.dir == dir
        && known.at <= now
        && now - known.at < FRESH_MS
    {
        return known.command;
    }
    let command = ask();
    let known =
        Known { process: agent.process.clone(), dir: dir.to_owned(), command: command.clone(), at: now };
    drop(record::replace(&store.dir().join("tmp"), &place, &known, Durability::Volatile));
    command
}
