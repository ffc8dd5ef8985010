//! Counting the mail for the status line. A mailbox that has not changed is not read again.

use super::memo::Memo;
use crate::core::badge::Counts;
use crate::core::delivery::Stage;
use crate::core::name::Name;
use crate::store::Store;
use crate::store::mail::Folder;
use anyhow::Result;

/// The counts of each mailbox.
#[derive(Default)]
pub(super) struct MailCounter(Memo<Counts>);

impl MailCounter {
    pub(super) fn count(&mut self, store: &Store, owners: &[Name]) -> Result<Counts> {
        let mut counts = Counts::default();
        self.0.keep(owners);
        for owner in owners {
            let counted = self.0.recall(store, owner, || count(store, owner))?;
            counts.unread += counted.unread;
            counts.held += counted.held;
            counts.overdue += counted.overdue;
        }
        Ok(counts)
    }
}

/// The counts of one mailbox.
fn count(store: &Store, owner: &Name) -> Result<Counts> {
    let mut counts = Counts::default();
    if owner.is_human() {
        counts.unread = store.count_unread(owner)?;
    }
    for (folder, overdue) in [(Folder::New, false), (Folder::Unacked, true)] {
        for found in store.deliveries(owner, folder)? {
            let (_, delivery) = found?;
            if overdue {
                counts.overdue += usize::from(delivery.ack.is_some_and(|a| a.rings > 0));
            } else {
                counts.held += usize::from(delivery.way.stage == Stage::Held);
            }
        }
    }
    Ok(counts)
}
