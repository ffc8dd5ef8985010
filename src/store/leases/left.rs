//! The leases that ended with their agents: `leases.left/NAME.json`.
//!
//! They are free for everybody. If the agent is back, by evidence, it gets those that nobody took meanwhile, with new
//! numbers and for the rest of their time. The record is sealed, written before the leases are removed, and removed
//! after they were given back, so a crash in between only repeats this. Everything is decided under the mutex.

use super::super::record::{self, Durability, Loaded};
use super::super::{Store, Transaction};
use super::Part;
use crate::core::agent::Agent;
use crate::core::lease::{Holder, Lease, LeaseOutcome, Request, words};
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::process_id::ProcessId;
use crate::os::clock;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The most leases that are remembered for an agent: the latest.
const MAX_LEFT: usize = 64;

/// The leases of one ended agent.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    /// The process that held them.
    process: ProcessId,
    leases: Vec<Lease>,
}

/// The shortest time for which a lease is given back, in milliseconds.
const LEAST_MS: u64 = 1000;

impl Store {
    fn left_name(name: &Name) -> String {
        format!("leases.left/{name}")
    }

    fn left_path(&self, name: &Name) -> PathBuf {
        self.dir.join(Self::left_name(name)).with_extension("json")
    }

    fn left(&self, name: &Name) -> Result<Option<Left>> {
        match self.sealed::<Left>(&Self::left_name(name))? {
            Loaded::Ok(left) => Ok(Some(left)),
            Loaded::Missing => Ok(None),
            Loaded::Bad(why) => self.quarantine(&self.left_path(name), &why).map(|()| None),
        }
    }

    /// Whether leases ended with an agent, and their time is not over.
    pub fn has_left_leases(&self, name: &Name) -> Result<bool> {
        let now = clock::now()?;
        Ok(self.left(name)?.is_some_and(|left| left.leases.iter().any(|l| !l.expires.has_passed(&now))))
    }

    /// Gives a returning agent the leases that ended with its earlier process and that nobody has taken. Only the
    /// agent itself gets a notice.
    pub fn return_leases(&self, agent: &Agent) -> Result<()> {
        let Some(inherited) = &agent.past.inherited else { return Ok(()) };
        // Their end may not be on record yet.
        self.change_leases(Part::Numbers(&[]), |_| ())?;
        let Some(left) = self.left(&agent.name)? else { return Ok(()) };
        if left.process != inherited.from {
            // It belongs to an earlier agent of this name.
            return self.transact(|tx| tx.forget_left(&agent.name));
        }
        let now = clock::now()?;
        let (mut back, mut lost) = (Vec::new(), Vec::new());
        for lease in &left.leases {
            let ttl_ms = lease.expires.remaining_ms(&now);
            if ttl_ms < LEAST_MS {
                continue;
            }
            let request = Request {
                holder: Holder::agent(agent, agent.place.namespace),
                paths: lease.paths.clone(),
                mode: lease.mode,
                ttl_ms,
                reason: lease.reason.clone(),
                auto: lease.auto,
            };
            // A refusal would challenge the holder, but this is only an offer.
            let free = matches!(self.would_acquire(&request)?, LeaseOutcome::Granted(_));
            match if free { Some(self.acquire(&request, None)?) } else { None } {
                Some(LeaseOutcome::Granted(_)) => back.push(words::list(&lease.paths)),
                _ => lost.push(words::list(&lease.paths)),
            }
        }
        self.transact(|tx| {
            let told = |what: &str, paths: &[String]| format!("{what} {}", paths.join(", "));
            let mut said = Vec::new();
            if !back.is_empty() {
                said.push(told("you hold again what you held before:", &back));
            }
            if !lost.is_empty() {
                said.push(told("others have taken meanwhile:", &lost));
            }
            if !said.is_empty() {
                let notice =
                    Notice { to: agent.name.clone(), kind: MessageType::Info, text: said.join("; ") };
                tx.put_notice(&notice)?;
            }
            tx.forget_left(&agent.name)
        })?;
        self.post_notices()?;
        Ok(())
    }

    /// The agents with leases that ended with them.
    pub fn left_leases(&self) -> Result<Vec<Name>> {
        let files = record::list(&self.dir.join("leases.left"))?;
        Ok(files.iter().filter_map(|file| Name::new(file.strip_suffix(".json")?).ok()).collect())
    }
}

impl Transaction<'_> {
    /// Records the leases that end with their agents.
    pub(super) fn leave(&mut self, ended: &[&Lease]) -> Result<()> {
        for lease in ended {
            let holder = &lease.holder;
            let Some(process) = holder.process.clone() else { continue };
            if holder.command || holder.host.is_some() || holder.name.is_human() {
                continue;
            }
            record::ensure_dir(&self.store.dir.join("leases.left"))?;
            let known = self.store.left(&holder.name)?.filter(|left| left.process == process);
            let mut left = known.unwrap_or(Left { process, leases: Vec::new() });
            left.leases.retain(|known| known.fence != lease.fence);
            left.leases.push((*lease).clone());
            let over = left.leases.len().saturating_sub(MAX_LEFT);
            left.leases.drain(..over);
            self.store.put_sealed(&Store::left_name(&holder.name), &left, Durability::Volatile)?;
        }
        Ok(())
    }

    /// Forgets the leases that ended with an agent.
    pub(crate) fn forget_left(&mut self, name: &Name) -> Result<()> {
        record::remove(&self.store.left_path(name))
    }

    /// Moves the record of the leases that ended with an agent to another name.
    pub(crate) fn move_left(&mut self, from: &Name, to: &Name) -> Result<()> {
        if let Some(left) = self.store.left(from)? {
            self.store.put_sealed(&Store::left_name(to), &left, Durability::Volatile)?;
        }
        self.forget_left(from)
    }
}
