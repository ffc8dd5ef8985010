//! Proves a sandboxed sender's identity from outside the sandbox.
//!
//! If a pid namespace hides a sender's ancestors, the sender writes a claim with its namespace, and wakes the
//! courier. The courier, outside, looks for a process of that namespace below the agent's own process. A claim exists
//! while its sender waits for the answer, a few seconds at most. Each claim has its own FIFO for the answer, so
//! nobody polls and nothing is locked. A killed sender leaves at worst a claim that is cleared away.

use crate::core::agent::Agent;
use crate::core::name::Name;
use crate::os::caller::Ancestor;
use crate::os::process::{self, Table};
use crate::store::Store;
use crate::store::question::{self, Question};
use crate::store::record::{self, Durability};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a sender waits for the answer. Without an answer its message is sent nevertheless.
pub const FOR_A_MESSAGE: Duration = Duration::from_millis(400);

/// How long a command waits that needs the answer.
pub const FOR_AN_ACT: Duration = Duration::from_secs(3);

/// The courier's answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vouched {
    /// The claim is true.
    Own,
    /// The sender is one of the agents of that kind: it is below the server that runs the tools of all of them.
    Kind,
    /// Nothing is proved.
    None,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdentityClaim {
    name: Name,
    namespace: u64,
    /// The answer for a sender of an earlier version, which reads it in the claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proved: Option<bool>,
    #[serde(default)]
    kind: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Witnessed {
    proved: bool,
    /// Whether the sender is proved to be one of the agents of that kind.
    kind: bool,
}

/// The sender's side: asks the courier to confirm that this process belongs to `name`.
pub fn ask(store: &Store, name: &Name, patience: Duration) -> Result<Vouched> {
    let Some(namespace) = process::namespace() else { return Ok(Vouched::None) };
    let claim = IdentityClaim { name: name.clone(), namespace, proved: None, kind: false };
    let dir = store.dir().join("claims");
    let mut question = Question::ask(&store.dir().join("tmp"), &dir, &claim)?;
    let answer = if store.ring()? { question.answer::<Witnessed>(patience)? } else { None };
    Ok(match answer {
        Some(Witnessed { proved: true, .. }) => Vouched::Own,
        Some(Witnessed { kind: true, .. }) => Vouched::Kind,
        _ => Vouched::None,
    })
}

/// The courier's side: answers all open claims.
pub fn answer(store: &Store, agents: &[Agent]) -> Result<()> {
    let dir = store.dir().join("claims");
    let claims = question::claim::<IdentityClaim>(&dir)?;
    if claims.is_empty() {
        return Ok(());
    }
    let table = Table::read()?;
    for (name, claim) in claims.into_iter().filter(|(_, claim)| claim.proved.is_none()) {
        let agent = agents.iter().find(|a| a.is_live() && a.name == claim.name);
        let answer = Witnessed {
            proved: agent.is_some_and(|a| owns(&table, a, claim.namespace)),
            kind: agent.is_some_and(|a| serves(&table, a, agents, claim.namespace)),
        };
        if dir.join(format!("{name}.fifo")).exists() {
            question::answer(&dir, &name, &answer)?;
        } else {
            let claim = IdentityClaim { proved: Some(answer.proved), kind: answer.kind, ..claim };
            let path = dir.join(format!("{name}.json"));
            record::replace(&store.dir().join("tmp"), &path, &claim, Durability::Volatile)?;
        }
    }
    question::sweep(&dir);
    Ok(())
}

/// Whether a process below the agent lives in that namespace, which is not the courier's own, and no background server
/// that several agents share, or may share, stands between the two.
fn owns(table: &Table, agent: &Agent, namespace: u64) -> bool {
    let inside = |pid: i32| process::namespace_of(pid) == Some(namespace);
    let group = table.get(agent.process.pid).map(|a| a.group);
    let own_way = |pid: i32| {
        let above = std::iter::successors(table.get(pid), |p| table.get(p.parent));
        let between = above.take_while(|p| p.pid != agent.process.pid).take(256);
        let serves = |p: &process::Process| {
            let first = process::first_arguments(p.pid);
            agent.shared_server.as_ref().is_some_and(|mark| first.contains(mark))
                || (p.pid != pid && group != Some(p.group) && process::listens(p.pid))
        };
        !between.into_iter().any(serves)
    };
    table.is_alive(&agent.process)
        && process::namespace() != Some(namespace)
        && table.tree(agent.process.pid).iter().any(|p| inside(p.pid) && own_way(p.pid))
}

/// Whether a process of that namespace is below a server that runs the tools of this agent's kind, and of no other
/// agent on record.
fn serves(table: &Table, agent: &Agent, agents: &[Agent], namespace: u64) -> bool {
    let Some(mark) = &agent.shared_server else { return false };
    let is_other = |pid: i32| {
        agents
            .iter()
            .any(|a| a.is_live() && a.kind != agent.kind && table.id(pid).as_ref() == Some(&a.process))
    };
    let is_server = |p: &process::Process| {
        let argv = process::first_arguments(p.pid);
        let ancestor =
            Ancestor { id: table.id(p.pid)?, comm: p.comm.clone(), argv, listens: false, named: None };
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
