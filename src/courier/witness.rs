//! Proving a sandboxed sender's identity from outside.
//!
//! Where a sender's ancestry is cut by a pid namespace, it leaves a claim naming the namespace and rings; the courier,
//! outside, looks for a process of that namespace below the agent's own process. A claim lives as long as its sender
//! waits for the answer, well under a second. Each claim is a record of its own, written by one side at a time: nothing is locked,
//! and a sender that was killed leaves at worst a claim that is cleared away.

use crate::core::agent::Agent;
use crate::core::name::Name;
use crate::os::process::{self, Table};
use crate::store::record::{self, Durability, Loaded};
use crate::store::{Store, entropy};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long a sender waits for its witness.
const PATIENCE: Duration = Duration::from_millis(400);

#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    name: Name,
    namespace: u64,
    #[serde(default)]
    proved: Option<bool>,
}

/// The sender's side: asks the courier to confirm that this process belongs to `name`.
pub fn ask(store: &Store, name: &Name) -> Result<bool> {
    let Some(namespace) = process::namespace() else { return Ok(false) };
    let tmp = store.dir().join("tmp");
    let path = store.dir().join("claims").join(format!("{:016x}.json", entropy()?));
    let claim = Claim { name: name.clone(), namespace, proved: None };
    record::replace(&tmp, &path, &claim, Durability::Volatile)?;
    let begun = Instant::now();
    let mut proved = None;
    if store.ring()? {
        while proved.is_none() && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
            if let Loaded::Ok(answer) = record::load::<Claim>(&path)? {
                proved = answer.proved;
            }
        }
    }
    let _ = std::fs::remove_file(&path);
    Ok(proved == Some(true))
}

/// The courier's side: answers all open claims.
pub fn answer(store: &Store, agents: &[Agent]) -> Result<()> {
    let dir = store.dir().join("claims");
    let files = record::list(&dir)?;
    if files.is_empty() {
        return Ok(());
    }
    let table = Table::read()?;
    for file in files {
        let path = dir.join(&file);
        match record::load::<Claim>(&path)? {
            Loaded::Ok(claim) if claim.proved.is_none() => {
                let proved = agents
                    .iter()
                    .any(|a| a.is_live() && a.name == claim.name && owns(&table, a, claim.namespace));
                let answered = Claim { proved: Some(proved), ..claim };
                record::replace(&store.dir().join("tmp"), &path, &answered, Durability::Volatile)?;
            }
            // Answered: its sender removes it, or died.
            Loaded::Ok(_) if is_old(&path) => drop(std::fs::remove_file(&path)),
            Loaded::Ok(_) | Loaded::Missing => {}
            Loaded::Bad(why) => store.quarantine(&path, &why)?,
        }
    }
    Ok(())
}

/// Whether a process below the agent lives in that namespace, which is not the courier's own, and no background server
/// that several agents share stands between the two.
fn owns(table: &Table, agent: &Agent, namespace: u64) -> bool {
    let inside = |pid: i32| process::namespace_of(pid) == Some(namespace);
    let own_way = |pid: i32| {
        let above = std::iter::successors(table.get(pid), |p| table.get(p.parent));
        let between = above.take_while(|p| p.pid != agent.process.pid).take(256);
        let serves = |p: &process::Process| {
            let first = process::first_arguments(p.pid);
            agent.shared_server.as_ref().is_some_and(|mark| first.contains(mark))
        };
        !between.into_iter().any(serves)
    };
    table.is_alive(&agent.process)
        && process::namespace() != Some(namespace)
        && table.tree(agent.process.pid).iter().any(|p| inside(p.pid) && own_way(p.pid))
}

fn is_old(path: &std::path::Path) -> bool {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > PATIENCE * 10))
}
