//! One read-modify-write of the store, under the mutex from beginning to end.
//!
//! Atomic: no other transaction sees or changes anything between this one's reads and writes. Not atomic: a crash
//! keeps the writes made so far; callers order them so that this is harmless. The lock is freed when the value is
//! dropped, or by the kernel when the process dies.

use super::{Store, journal, lock};
use crate::core::event::Event;
use anyhow::Result;
use serde_json::json;

/// A transaction in progress.
pub struct Transaction<'s> {
    pub(super) store: &'s Store,
    _held: lock::Held,
    waited_us: u64,
}

impl<'s> Transaction<'s> {
    /// The transaction that repairs a store before it is opened. `held` is the mutex.
    pub(super) fn settling(store: &'s Store, held: lock::Held) -> Self {
        Self { store, _held: held, waited_us: 0 }
    }

    pub(super) fn begin(store: &'s Store) -> Result<Self> {
        store.check_dir()?;
        let (held, waited) = lock::exclusive_within(&store.dir.join("lock"), lock::PATIENCE, store.until)?;
        store.check_mark()?;
        Ok(Self { store, _held: held, waited_us: u64::try_from(waited.as_micros()).unwrap_or(u64::MAX) })
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
