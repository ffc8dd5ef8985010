//! Records that a message was handed over by a hook, read, or acknowledged.
//!
//! The move of the file and the mark are one transaction. The move comes first, so if the mark is lost, the message
//! still counts as read. Of racing readers, one makes the change, and the others find it made.

use super::mail::{Folder, MessageRef};
use super::{Store, Transaction, now_ms};
use crate::core::carrier::HookOffer;
use crate::core::delivery::{Delivery, Stage};
use crate::core::event::Event;
use crate::core::name::Name;
use anyhow::Result;

impl Store {
    /// Marks a message as read, and acknowledged if `acked`. Idempotent; returns whether it changed anything.
    pub fn receipt(&self, found: &MessageRef, acked: bool) -> Result<bool> {
        let stage = if acked { Stage::Acked } else { Stage::Read };
        self.transact(|tx| tx.receive(found, stage, false))
    }

    /// Notes that an agent's hook handed a message over. It counts as submitted until something shows that the model was asked with it; a
    /// bundle has nothing of its own to prove. If its line was typed before, the hook saw it as a prompt, whoever pressed Enter.
    pub fn give_by_hook(&self, found: &MessageRef, offer: &HookOffer) -> Result<()> {
        self.transact(|tx| tx.give_by_hook(found, offer))
    }

    /// The messages in these folders that a hook handed over and of which nothing shows that the model was asked with them. They are among
    /// those that were given; after a crash also among the new ones.
    pub fn unproved(&self, owner: &Name, folders: &[Folder]) -> Result<Vec<(MessageRef, HookOffer)>> {
        let mut open = Vec::new();
        for &folder in folders {
            for found in self.deliveries(owner, folder)? {
                let (found, delivery) = found?;
                open.extend(delivery.unproved().map(|offer| (found, offer.clone())));
            }
        }
        Ok(open)
    }
}

impl Transaction<'_> {
    fn give_by_hook(&mut self, found: &MessageRef, offer: &HookOffer) -> Result<()> {
        let now = now_ms();
        let mailbox = &self.store.mailbox_now(found)?;
        let known = self.store.delivery(mailbox, &found.id)?;
        let mut delivery = known.unwrap_or_else(|| Delivery::queued(found.id.clone(), now));
        let reminder = delivery.ack.as_mut().and_then(|ack| ack.reminder.as_mut());
        for way in std::iter::once(&mut delivery.way).chain(reminder).filter(|way| way.typed_at > 0) {
            way.enters = way.enters.max(1);
        }
        let proved = found.folder == Folder::Cur || delivery.is_bundle();
        let Some(news) = Some(offer).filter(|_| !proved).and_then(|offer| delivery.give_by_hook(offer, now))
        else {
            self.put_delivery(mailbox, &delivery)?;
            return self.receive(found, Stage::Read, true).map(drop);
        };
        self.put_delivery(mailbox, &delivery)?;
        self.mark_given(mailbox, &found.file)?;
        if news {
            self.journal(&Event::reached(&delivery.way, &found.id, mailbox, None))?;
        }
        Ok(())
    }

    /// Marks a message from a hook as read, because the model was asked with it. Does nothing if it was read or taken back meanwhile.
    pub fn prove(&mut self, found: &MessageRef) -> Result<bool> {
        let known = self.store.delivery(&self.store.mailbox_now(found)?, &found.id)?;
        if known.is_some_and(|delivery| delivery.unproved().is_some()) {
            self.receive(found, Stage::Read, false)
        } else {
            Ok(false)
        }
    }

    /// Makes a message wait again. A hook gave it to a process, and the process ended before it asked its model. The file moves first: after
    /// a crash in between, the record still says that nothing is proved, and the message is taken back again.
    pub fn take_back(&mut self, owner: &Name, found: &MessageRef) -> Result<()> {
        let Some(mut delivery) = self.store.delivery(owner, &found.id)?.filter(|d| d.unproved().is_some())
        else {
            return Ok(());
        };
        delivery.take_back(now_ms());
        self.unshelve(owner, &found.file)?;
        self.put_delivery(owner, &delivery)?;
        self.journal(&Event::reached(&delivery.way, &found.id, owner, None))
    }

    fn receive(&mut self, found: &MessageRef, stage: Stage, by_hook: bool) -> Result<bool> {
        let now = now_ms();
        let mailbox = &self.store.mailbox_now(found)?;
        let known = self.store.delivery(mailbox, &found.id)?;
        let mut delivery = known.unwrap_or_else(|| Delivery::queued(found.id.clone(), now));
        let before = delivery.way.stage;
        let changed = delivery.way.advance(stage, "", now);
        // Its members have arrived if the agent's own hook saw it, or Enter was pressed on it.
        if delivery.is_bundle() && (by_hook || (Stage::Entering..Stage::Read).contains(&before)) {
            self.update_members(mailbox, &delivery)?;
        }
        if found.folder != Folder::Cur {
            self.mark_read(mailbox, &found.file)?;
        }
        if changed {
            delivery.by = self.store.actor;
            self.put_delivery(mailbox, &delivery)?;
            let (id, to) = (&found.id, mailbox);
            let acked = stage == Stage::Acked;
            self.journal(&if acked { Event::Acked { id, to } } else { Event::Read { id, to } })?;
        }
        if delivery.way.stage == Stage::Acked {
            self.drop_ack(mailbox, &found.file)?;
        }
        Ok(changed)
    }
}
