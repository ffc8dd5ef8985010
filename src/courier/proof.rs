//! Follows the transcripts of agents to which their own hooks handed mail over: it is read when their models answer.
//!
//! One of the agent's next hooks shows the same, but a turn without tools has none before its end. Whoever sees it first marks it, in a transaction that
//! reads the record again. In memory is only how far each transcript was read: if this courier is killed, the next one goes on from the record.

use super::serve::Recipient;
use crate::carriers::answered;
use crate::carriers::transcript::Follower;
use crate::core::few::Few;
use crate::roster::proof;
use crate::store::mail::{Changed, Folder};
use crate::store::now_ms;
use anyhow::Result;

/// How long after a hand-over the transcript is read often (ms). After that, it is read only in rounds that happen for another reason.
const SOON_MS: u64 = 60_000;

/// The courier's progress in the transcripts of messages that hooks handed over.
#[derive(Default)]
pub(super) struct Followed {
    /// How far the transcripts have been read, by message and by when it was handed over. `None`: no transcript is known.
    followers: Few<(String, u64), Option<Follower>>,
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
        let open = store.unproved(&agent.name, &[Folder::Given])?;
        followed.idle_since = changed.filter(|_| open.is_empty());
        let key = |id: &str, at: u64| (id.to_owned(), at);
        followed.followers.retain(|known, _| open.iter().any(|(f, o)| key(f.id.as_str(), o.at) == *known));
        let mut soon = false;
        for (found, offer) in open {
            if offer.to != agent.process {
                store.transact(|tx| proof::settle(tx, store, agent))?;
                continue;
            }
            let key = key(found.id.as_str(), offer.at);
            if !followed.followers.contains_key(&key) {
                followed.followers.insert(key.clone(), answered::follower(&offer));
            }
            let Some(Some(follower)) = followed.followers.get_mut(&key) else { continue };
            if answered::is_answered(&found.id, follower) {
                store.transact(|tx| tx.prove(&found))?;
            } else {
                soon |= now_ms().saturating_sub(offer.at) < SOON_MS;
            }
        }
        Ok(soon)
    }
}
