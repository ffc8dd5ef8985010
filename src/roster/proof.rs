//! What agents' own hooks handed over, and whether their models were asked with it.
//!
//! What an agent writes down proves it, or one of its next hooks (`hooks::Call::prove`). If its process ends before
//! that, the message waits again, for the same agent when it is started again. Everything is decided in transactions
//! that read the records again: of the courier, a hook and a new process of the agent, one changes a record and the
//! others find it changed.

use crate::carriers::answered::Reading;
use crate::core::agent::Agent;
use crate::store::mail::UNREAD;
use crate::store::{Store, Transaction};
use anyhow::Result;

/// Settles what was handed to processes of the agent that have ended: read if their transcripts show an answer of the
/// model, or else waiting. `agent` has ended, or is a later process.
pub fn settle(tx: &mut Transaction<'_>, store: &Store, agent: &Agent) -> Result<()> {
    let mut open = store.unproved(&agent.name, &UNREAD)?;
    open.retain(|(_, offer)| offer.to != agent.process || !agent.is_live());
    let mut readings = Vec::new();
    for (found, offer) in &open {
        Reading::of(&mut readings, offer).add(&found.id);
    }
    for reading in &mut readings {
        while reading.read() {}
    }
    for (found, offer) in &open {
        if Reading::of(&mut readings, offer).is_answered(&found.id) {
            tx.prove(found)?;
        } else {
            tx.take_back(&agent.name, found)?;
        }
    }
    Ok(())
}
