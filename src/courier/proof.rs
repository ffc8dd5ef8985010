//! Follows the transcripts of agents to which their own hooks handed mail over: it is read when their models answer.
//!
//! One of the agent's next hooks shows the same, but a turn without tools has none before its end. Whoever sees it first marks it, in a transaction that
//! reads the record again. In memory is only how far each transcript was read: if this courier is killed, the next one goes on from the record.

use super::serve::Recipient;
use crate::carriers::answered::Reading;
use crate::roster::proof;
use crate::store::mail::{Changed, Folder};
use crate::store::now_ms;
use anyhow::Result;

/// How long after a hand-over the transcript is read often (ms). After that, it is read only in rounds that happen for another reason.
const SOON_MS: u64 = 60_000;

/// The courier's progress in the transcripts of messages that hooks handed over.
#[derive(Default)]
pub(super) struct Followed {
    /// The readings of the transcripts, one of each hand-over.
    readings: Vec<Reading>,
    /// When the mailbox had changed at the last look, which found nothing.
    idle_since: Option<Changed>,
}

impl Recipient<'_> {
    /// Looks whether the agent's model has answered since its hooks handed mail over. Returns whether that may show soon.
    pub(super) fn prove(&self) -> Result<bool> {
        let (store, agent) = (self.store, self.agent);
        let mut followed = self.memory.followed.borrow_mut();
        let changed = store.mailbox_changed(&agent.name);
        if changed.is_some() && followed.idle_since == changed {
            return Ok(false);
        }
        let mut open = store.unproved(&agent.name, &[Folder::Given])?;
        followed.idle_since = changed.filter(|_| open.is_empty());
        if open.iter().any(|(_, offer)| offer.to != agent.process) {
            store.transact(|tx| proof::settle(tx, store, agent))?;
            open.retain(|(_, offer)| offer.to == agent.process);
        }
        let readings = &mut followed.readings;
        readings.retain(|reading| open.iter().any(|(_, offer)| reading.is_for(offer)));
        for (found, offer) in &open {
            Reading::of(readings, offer).add(&found.id);
        }
        for reading in readings.iter_mut() {
            reading.read();
        }
        let mut soon = false;
        for (found, offer) in open {
            let reading = Reading::of(readings, &offer);
            if reading.is_answered(&found.id) {
                store.transact(|tx| tx.prove(&found))?;
            } else {
                soon |= reading.has_transcript() && now_ms().saturating_sub(offer.at) < SOON_MS;
            }
        }
        Ok(soon)
    }
}
