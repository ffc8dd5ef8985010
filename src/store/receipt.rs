//! Records that a message was read, or acknowledged.
//!
//! The move of the file and the mark are one transaction. The move comes first, so if the mark is lost, the message
//! still counts as read. Of racing readers, one makes the change, and the others find it made.

use super::mail::{Folder, MessageRef};
use super::{Store, now_ms};
use crate::core::delivery::{Delivery, Stage};
use crate::core::event::Event;
use anyhow::Result;

impl Store {
    /// Marks a message as read, and acknowledged if `acked`. Idempotent; returns whether it changed anything.
    pub fn receipt(&self, found: &MessageRef, acked: bool) -> Result<bool> {
        self.receive(found, if acked { Stage::Acked } else { Stage::Read }, false, |_| false)
    }

    /// Marks a message as read that a hook gave. If its line was typed before, the hook saw it as a prompt: it was
    /// submitted, by swarm or a person.
    pub fn receipt_of_hook(&self, found: &MessageRef) -> Result<bool> {
        self.receive(found, Stage::Read, true, |delivery| {
            let reminder = delivery.ack.as_mut().and_then(|ack| ack.reminder.as_mut());
            let typed = std::iter::once(&mut delivery.way).chain(reminder);
            let typed: Vec<_> = typed.filter(|way| way.typed_at > 0 && way.enters == 0).collect();
            let news = !typed.is_empty();
            for way in typed {
                way.enters = 1;
            }
            news
        })
    }

    fn receive(
        &self,
        found: &MessageRef,
        stage: Stage,
        by_hook: bool,
        note: impl FnOnce(&mut Delivery) -> bool,
    ) -> Result<bool> {
        let now = now_ms();
        self.transact(|tx| {
            let mailbox = &self.mailbox_now(found)?;
            let known = self.delivery(mailbox, &found.id)?;
            let mut delivery = known.unwrap_or_else(|| Delivery::queued(found.id.clone(), now));
            let before = delivery.way.stage;
            let changed = delivery.way.advance(stage, "", now);
            // Its members have arrived if the agent's own hook saw it, or Enter was pressed on it.
            if delivery.is_bundle() && (by_hook || (Stage::Entering..Stage::Read).contains(&before)) {
                tx.update_members(mailbox, &delivery)?;
            }
            if found.folder != Folder::Cur {
                tx.mark_read(mailbox, &found.file)?;
            }
            if changed {
                delivery.by = self.actor;
            }
            if note(&mut delivery) || changed {
                tx.put_delivery(mailbox, &delivery)?;
            }
            if changed {
                let (id, to) = (&found.id, mailbox);
                let acked = stage == Stage::Acked;
                tx.journal(&if acked { Event::Acked { id, to } } else { Event::Read { id, to } })?;
            }
            if delivery.way.stage == Stage::Acked {
                tx.drop_ack(mailbox, &found.file)?;
            }
            Ok(changed)
        })
    }
}
