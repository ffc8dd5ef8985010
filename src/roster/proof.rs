//! What agents' own hooks handed over, and whether their models were asked with it.
//!
//! What an agent writes down proves it, or one of its next hooks (`hooks::Call::prove`). If its process ends before
//! that, the message waits again, for the same agent when it is started again. Everything is decided in transactions
//! that read the records again: of the courier, a hook and a new process of the agent, one changes a record and the
//! others find it changed.

use crate::carriers::answered;
use crate::core::agent::Agent;
use crate::core::carrier::HookOffer;
use crate::store::mail::{MessageRef, UNREAD};
use crate::store::{Store, Transaction};
use anyhow::Result;

/// Settles what was handed to processes of the agent that have ended: read if their transcripts show an answer of the
/// model, or else waiting. `agent` has ended, or is a later process.
pub fn settle(tx: &mut Transaction<'_>, store: &Store, agent: &Agent) -> Result<()> {
    for (found, offer) in store.unproved(&agent.name, &UNREAD)? {
        if offer.to == agent.process && agent.is_live() {
            continue;
        }
        if was_answered(&found, &offer) {
            tx.prove(&found)?;
        } else {
            tx.take_back(&agent.name, &found)?;
        }
    }
    Ok(())
}

/// Whether the transcript of a process that has ended shows that its model answered. It is read to its end.
fn was_answered(found: &MessageRef, offer: &HookOffer) -> bool {
    answered::follower(offer).is_some_and(|mut follower| answered::is_answered(&found.id, &mut follower))
}
