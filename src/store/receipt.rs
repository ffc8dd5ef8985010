//! Receipts: that a message was read, or acknowledged.
//!
//! The move of the file and the mark are one transaction; the move comes first, so should the mark be lost, the message is
//! read all the same. Of racing readers one makes the change and the others find it made.

use super::mail::{Folder, Found};
use super::{Store, now_ms};
use crate::core::delivery::{Delivery, Stage};
use anyhow::Result;
use serde_json::json;

impl Store {
    /// Marks a message as read, and acknowledged if `acked`. Idempotent; tells whether that was news.
    pub fn receipt(&self, found: &Found, acked: bool) -> Result<bool> {
        let now = now_ms();
        let stage = if acked { Stage::Acked } else { Stage::Read };
        self.transact(|tx| {
            let mailbox = &self.mailbox_now(found)?;
            let known = self.delivery(mailbox, &found.id)?;
            let mut delivery = known.unwrap_or_else(|| Delivery::queued(found.id.clone(), now));
            let changed = delivery.way.advance(stage, "", now);
            if found.folder != Folder::Cur {
                tx.mark_read(mailbox, &found.file)?;
            }
            if changed {
                delivery.by = self.actor;
                tx.put_delivery(mailbox, &delivery)?;
                tx.journal(stage.word(), json!({"id": found.id, "to": mailbox}))?;
            }
            if delivery.way.stage == Stage::Acked {
                tx.settle_ack(mailbox, &found.file)?;
            }
            Ok(changed)
        })
    }
}
