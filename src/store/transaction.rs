//! One read-modify-write of the store, under the mutex from beginning to end.
//!
//! Atomic: no other transaction sees or changes anything between this one's reads and writes. Not atomic: a crash
//! keeps the writes made so far; callers order them so that this is harmless. The lock is freed when the value is
//! dropped, or by the kernel when the process dies.

use super::record::{self, Durability};
use super::{Store, fault, journal, lock};
use crate::core::agent::Agent;
use crate::core::event::Event;
use crate::core::name::Name;
use anyhow::Result;
use serde_json::json;

/// A transaction in progress.
pub struct Transaction<'s> {
    pub(super) store: &'s Store,
    _held: lock::Held,
    waited_us: u64,
}

impl<'s> Transaction<'s> {
    /// The transaction that sees to a store before it is opened, under the mutex that `held` is.
    pub(super) fn settling(store: &'s Store, held: lock::Held) -> Self {
        Self { store, _held: held, waited_us: 0 }
    }

    pub(super) fn begin(store: &'s Store) -> Result<Self> {
        store.check_dir()?;
        let (held, waited) = lock::exclusive_within(&store.dir.join("lock"), lock::PATIENCE, store.until)?;
        store.check_mark()?;
        Ok(Self { store, _held: held, waited_us: u64::try_from(waited.as_micros()).unwrap_or(u64::MAX) })
    }

    /// All agents on record.
    pub fn agents(&self) -> Result<Vec<Agent>> {
        self.store.agents()
    }

    /// Writes an agent's record. Volatile: after a reboot no recorded process lives.
    pub fn put_agent(&mut self, agent: &Agent) -> Result<()> {
        let path = self.store.dir.join("agents").join(format!("{}.json", agent.name));
        record::replace(&self.store.tmp(), &path, agent, Durability::Volatile)
    }

    /// Removes an agent's record.
    pub fn forget_agent(&mut self, name: &Name) -> Result<()> {
        record::remove(&self.store.dir.join("agents").join(format!("{name}.json")))?;
        fault::point("agent-forgotten");
        self.forget_left(name)?;
        self.move_edits(name, None)
    }

    /// Appends to the journal, with the time and how long this transaction waited for the mutex.
    pub fn journal(&mut self, event: &Event<'_>) -> Result<()> {
        let mut entry = journal::entry(event)?;
        entry["waited_us"] = json!(self.waited_us);
        if let (Some(identity), None) = (self.store.actor, entry.get("identity")) {
            entry["identity"] = json!(identity);
        }
        journal::append(&self.store.dir, &entry)
    }
}
