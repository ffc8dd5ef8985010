//! Proving a sandboxed sender's identity from outside.
//!
//! Where a sender's ancestry is cut by a pid namespace, it leaves a claim naming the namespace and rings; the courier,
//! outside, looks for a process of that namespace below the agent's own process. A claim lives as long as its sender
//! waits for the answer, some seconds at most. Each claim is a record of its own, written by one side at a time: nothing is locked,
//! and a sender that was killed leaves at worst a claim that is cleared away.

use crate::core::agent::Agent;
use crate::core::name::Name;
use crate::os::caller::Ancestor;
use crate::os::process::{self, Table};
use crate::store::record::{self, Durability, Loaded};
use crate::store::{Store, entropy};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long a sender waits for its witness: without one its message goes all the same.
pub const FOR_A_MESSAGE: Duration = Duration::from_millis(400);

/// How long one waits that can do nothing without.
pub const FOR_AN_ACT: Duration = Duration::from_secs(3);

/// What the courier can say of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is so.
    Own,
    /// It is one of the agents of that kind: it is below the server that runs the tools of all of them.
    Kind,
    /// Nothing.
    None,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    name: Name,
    namespace: u64,
    #[serde(default)]
    proved: Option<bool>,
    /// Whether it is proved to be one of the agents of that kind.
    #[serde(default)]
    kind: bool,
}

/// The sender's side: asks the courier to confirm that this process belongs to `name`.
pub fn ask(store: &Store, name: &Name, patience: Duration) -> Result<Proof> {
    let Some(namespace) = process::namespace() else { return Ok(Proof::None) };
    let tmp = store.dir().join("tmp");
    let path = store.dir().join("claims").join(format!("{:016x}.json", entropy()?));
    let claim = Claim { name: name.clone(), namespace, proved: None, kind: false };
    record::replace(&tmp, &path, &claim, Durability::Volatile)?;
    let begun = Instant::now();
    let mut answer = None;
    if store.ring()? {
        while answer.is_none() && begun.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
            if let Loaded::Ok(claim) = record::load::<Claim>(&path)? {
                answer = claim.proved.map(|proved| (proved, claim.kind));
            }
        }
    }
    let _ = std::fs::remove_file(&path);
    Ok(match answer {
        Some((true, _)) => Proof::Own,
        Some((false, true)) => Proof::Kind,
        _ => Proof::None,
    })
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
                let agent = agents.iter().find(|a| a.is_live() && a.name == claim.name);
                let proved = agent.is_some_and(|a| owns(&table, a, claim.namespace));
                let kind = agent.is_some_and(|a| serves(&table, a, agents, claim.namespace));
                let answered = Claim { proved: Some(proved), kind, ..claim };
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

/// Whether a process of that namespace is below a server that runs the tools of the agents of this one's kind, and of no other
/// agent on record.
fn serves(table: &Table, agent: &Agent, agents: &[Agent], namespace: u64) -> bool {
    let Some(mark) = &agent.shared_server else { return false };
    let is_other = |pid: i32| {
        agents
            .iter()
            .any(|a| a.is_live() && a.kind != agent.kind && table.id(pid).as_ref() == Some(&a.process))
    };
    let is_server = |p: &process::Process| {
        let ancestor =
            Ancestor { id: table.id(p.pid)?, comm: p.comm.clone(), argv: process::first_arguments(p.pid) };
        ancestor.serves(&agent.kind, mark).then_some(())
    };
    let inside = table.all().filter(|p| process::namespace_of(p.pid) == Some(namespace));
    process::namespace() != Some(namespace)
        && inside.into_iter().any(|p| {
            let above: Vec<_> =
                std::iter::successors(Some(p), |p| table.get(p.parent).filter(|up| up.pid != p.pid))
                    .take(256)
                    .collect();
            above.iter().any(|p| is_server(p).is_some()) && !above.iter().any(|p| is_other(p.pid))
        })
}

fn is_old(path: &std::path::Path) -> bool {
    let modified = std::fs::metadata(path).and_then(|m| m.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > FOR_AN_ACT * 2))
}
