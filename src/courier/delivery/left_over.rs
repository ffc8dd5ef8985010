//! Clears a line of swarm from a composer if its message was already read in another way.
//!
//! Enter on it is marked in a transaction first, so that a racing command, or a crash, never lets it be pressed twice.

use super::Attempt;
use super::evidence::stands_outside;
use super::look::{AFTER_ENTER, Sight};
use super::record::Press;
use super::text::{line_of, line_of_bundle};
use crate::agents::Content;
use crate::core::delivery::{Progress, Stage};
use crate::core::frame;
use crate::core::id::MessageId;
use crate::store::mail::Folder;
use anyhow::Result;
use std::time::Duration;

/// A line in the composer whose message nobody waits for.
pub(super) struct LeftOver {
    id: MessageId,
    reminder: bool,
    line: String,
}

impl Attempt<'_> {
    /// The line in the composer, if the record says that it was pasted into this very process and never entered, and
    /// its message was read or acknowledged in another way since: the agent ran `swarm-msg read` between the paste
    /// and Enter, or while no courier ran. If swarm left the line there, it would hold all later mail until a person
    /// came.
    ///
    /// swarm submits it only if nothing shows a person: no key in that pane since the paste, no sign of the line
    /// outside the composer, and no prompt hook that saw it (which counts as an Enter). A line that was ever
    /// submitted, or may have been, never qualifies: its record says that Enter was pressed, or that it was
    /// `submitted`.
    pub(super) fn left_over(&self, seen: &Sight) -> Result<Option<LeftOver>> {
        let Some(composer) = &seen.reading.composer else { return Ok(None) };
        let id = if composer.content == Content::Collapsed {
            self.last_pasted()?
        } else {
            frame::begun(&composer.text)
        };
        id.map_or(Ok(None), |id| self.left_of(seen, id))
    }

    /// The message, or the reminder, that swarm pasted last into this very process. If the composer shows a sign in
    /// place of a text, only this text can be behind the sign.
    fn last_pasted(&self) -> Result<Option<MessageId>> {
        let mut last: Option<(u64, MessageId)> = None;
        for id in self.store.delivery_ids(&self.agent.name)? {
            let Some(delivery) = self.store.delivery(&self.agent.name, &id)? else { continue };
            let reminder = delivery.ack.as_ref().and_then(|clock| clock.reminder.as_ref());
            let here = |way: &&Progress| way.typed_into.as_ref() == Some(&self.agent.process);
            let typed = [Some(&delivery.way), reminder].into_iter().flatten().filter(here);
            last = last.max(typed.map(|way| (way.typed_at, id.clone())).max());
        }
        Ok(last.map(|(_, id)| id))
    }

    /// The line of that message, if it is a left-over line.
    fn left_of(&self, seen: &Sight, id: MessageId) -> Result<Option<LeftOver>> {
        let agent = self.agent;
        let Some(delivery) = self.store.delivery(&agent.name, &id)? else { return Ok(None) };
        let mut candidates = Vec::new();
        if matches!(delivery.way.stage, Stage::Read | Stage::Acked) {
            candidates.push((None, &delivery.way));
        }
        if let (Stage::Acked, Some(clock)) = (delivery.way.stage, &delivery.ack) {
            let reminder = clock.reminder.as_ref().filter(|r| r.stage == Stage::Typing);
            candidates.extend(reminder.map(|r| (Some(clock.rings), r)));
        }
        candidates
            .retain(|(_, way)| way.is_unentered_in(&agent.process) && !seen.touched_since(way.typed_at));
        if candidates.is_empty() {
            return Ok(None);
        }
        for folder in [Folder::Cur, Folder::Given] {
            let Some(message) = self.store.message_by_id(&agent.name, &agent.formerly, folder, &id)? else {
                continue;
            };
            let members = self.store.members(&agent.name, &agent.formerly, &delivery)?;
            for (ring, way) in candidates {
                let name = way.typed_as.as_ref().unwrap_or(&agent.name);
                let line = match ring {
                    None if delivery.is_bundle() => {
                        line_of_bundle(&message, name, way, (&members, delivery.whole))
                    }
                    ring => line_of(&message, name, way, ring),
                };
                if seen.composer_holds(&line) && !stands_outside(&line, seen, way) {
                    return Ok(Some(LeftOver { id, reminder: ring.is_some(), line }));
                }
            }
            return Ok(None);
        }
        Ok(None)
    }

    /// Submits a left-over line: one Enter, recorded before it is pressed.
    pub(super) fn clear_away(&self, left: &LeftOver, seen: &Sight) -> Result<()> {
        if seen.scene().may_enter(&left.line).is_err() || !self.claim(left)? {
            return Ok(());
        }
        let (acted, looks) = self.server().enter(&self.agent.place.pane, &seen.look, &AFTER_ENTER)?;
        self.note_answer(Press::Enter, &acted);
        let gone = |seen: &Sight| !seen.composer_holds(&left.line);
        let so_far = self.read_after(&AFTER_ENTER, looks);
        self.watch_on(so_far, self.patience(), Duration::ZERO, gone).map(drop)
    }

    /// Records that Enter is pressed on such a line, unless another process did so before.
    fn claim(&self, left: &LeftOver) -> Result<bool> {
        self.store.transact(|tx| {
            let Some(mut delivery) = self.store.delivery(&self.agent.name, &left.id)? else {
                return Ok(false);
            };
            let way = if left.reminder {
                delivery.ack.as_mut().and_then(|a| a.reminder.as_mut())
            } else {
                Some(&mut delivery.way)
            };
            let Some(way) = way.filter(|way| way.is_unentered_in(&self.agent.process)) else {
                return Ok(false);
            };
            way.enters = 1;
            tx.put_delivery(&self.agent.name, &delivery)?;
            tx.journal(&self.presses(Press::Enter, &left.id))?;
            Ok(true)
        })
    }
}
