//! The record of a delivery and its entries in the journal.
//!
//! Each mark is one transaction, which reads the record again: a command may have settled the message meanwhile.
//! tmux's answer to an act is journalled with the next mark.

use super::Attempt;
use crate::core::delivery::{Delivery, Progress, Stage};
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::message::Verified;
use crate::hooks;
use crate::store::mail::Folder;
use crate::store::{Transaction, now_ms};
use crate::tmux::pane::Acted;
use anyhow::Result;
use std::time::Duration;

/// How long the courier waits for a hook that is handing over mail. Most are done in a few milliseconds. A hook that
/// takes longer holds only the mail of its own agent.
const HOOKS: Duration = Duration::from_millis(500);

/// A key or a text for a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    Paste,
    Enter,
}

impl Press {
    fn word(self) -> &'static str {
        match self {
            Press::Paste => "paste",
            Press::Enter => "enter",
        }
    }
}

/// Whether the text may be given now.
pub(super) enum Turn {
    /// It is marked, and nobody else gives it from now on.
    Ours,
    /// It, or a member of its bundle, was read or settled meanwhile.
    Settled,
    /// A hook of the agent is handing over mail.
    Hook,
}

impl Attempt<'_> {
    pub(super) fn record(&self) -> Result<Delivery> {
        let known = self.store.delivery(&self.agent.name, &self.message.id)?;
        Ok(known.unwrap_or_else(|| Delivery::queued(self.message.id.clone(), now_ms())))
    }

    pub(super) fn current(&self) -> Result<Progress> {
        let mut delivery = self.record()?;
        Ok(self.way(&mut delivery).cloned().unwrap_or_else(|| Progress::queued(now_ms())))
    }

    /// Whether it still waits, and nobody else was given it.
    pub(super) fn is_due(&self) -> bool {
        let folder = if self.reminder.is_some() { Folder::Unacked } else { Folder::New };
        self.store.mail_file(&self.agent.name, folder, &self.message.file_name()).exists()
            && matches!(self.store.pending_copy(&self.message.id), Ok(None))
    }

    /// The progress of the text that is typed here: the message's, or its reminder's.
    fn way<'d>(&self, delivery: &'d mut Delivery) -> Option<&'d mut Progress> {
        match self.reminder {
            None => Some(&mut delivery.way),
            Some(ring) => delivery.ack.as_mut().filter(|a| a.rings == ring)?.reminder.as_mut(),
        }
    }

    /// Changes the progress on record under the mutex, unless the message was read or settled meanwhile (`None`).
    pub(super) fn mark(&self, change: impl FnOnce(&mut Progress)) -> Result<Option<Progress>> {
        self.change(None, change)
    }

    /// Changes the record before an act, which is journalled with it.
    pub(super) fn mark_act(
        &self,
        act: Press,
        change: impl FnOnce(&mut Progress),
    ) -> Result<Option<Progress>> {
        self.change(Some(act), change)
    }

    /// Changes the record before the text is given for the first time, at a moment when no hook of the agent hands
    /// over mail. A hook chooses mail, prints it, and only then records the hand-over: if the courier gave mail
    /// in between, the agent would get it twice. A later hook sees the mark. A message that was read during this wait is
    /// not given again either.
    pub(super) fn take_turn(&self, act: Option<Press>, change: impl FnOnce(&mut Progress)) -> Result<Turn> {
        let Some(_giving) = hooks::at_rest(self.store, &self.agent.name, HOOKS)? else {
            return Ok(Turn::Hook);
        };
        if !self.current()?.stage.is_under_way() && !self.brings_all() {
            return Ok(Turn::Settled);
        }
        Ok(self.change(act, change)?.map_or(Turn::Settled, |_| Turn::Ours))
    }

    /// Whether no member of a whole bundle was read since the bundle was made.
    fn brings_all(&self) -> bool {
        let waits =
            |m: &Verified| self.store.mail_file(&self.agent.name, Folder::New, &m.file_name()).exists();
        !self.whole || self.members.iter().all(waits)
    }

    fn change(&self, act: Option<Press>, change: impl FnOnce(&mut Progress)) -> Result<Option<Progress>> {
        let mut change = Some(change);
        self.change_once(act, &mut |way| {
            if let Some(change) = change.take() {
                change(way);
            }
        })
    }

    fn change_once(
        &self,
        act: Option<Press>,
        change: &mut dyn FnMut(&mut Progress),
    ) -> Result<Option<Progress>> {
        self.store.transact(|tx| {
            self.journal_answers(tx)?;
            let mut delivery = self.record()?;
            let due = self.is_due();
            if due && delivery.is_bundle() && !self.store.brings_anything(&self.agent.name, &delivery)? {
                // All its members were read meanwhile.
                delivery.way.advance(Stage::Read, "", now_ms());
                tx.put_delivery(&self.agent.name, &delivery)?;
                tx.mark_read(&self.agent.name, &self.message.file_name())?;
                return Ok(None);
            }
            let Some(way) = self.way(&mut delivery).filter(|way| due && way.stage.is_open()) else {
                return Ok(None);
            };
            let before = way.clone();
            change(way);
            let after = way.clone();
            if after == before {
                return Ok(Some(after));
            }
            if let (false, Some(_), Some(clock)) = (after.stage.is_open(), self.reminder, &mut delivery.ack) {
                clock.reminded(now_ms(), &self.settings.reminders);
            }
            tx.put_delivery(&self.agent.name, &delivery)?;
            if let Some(act) = act {
                tx.journal(&self.presses(act, &self.message.id))?;
            }
            if after.stage == Stage::Submitted && self.reminder.is_none() {
                self.given(tx, &delivery)?;
            } else if after.stage == Stage::Typed && delivery.is_bundle() {
                tx.update_members(&self.agent.name, &delivery)?;
            }
            if after.stage != before.stage {
                tx.journal(&self.reached(&after))?;
            }
            Ok(Some(after))
        })
    }

    /// Moves a submitted message to `given/`. A submitted bundle is removed; its members may still be unread.
    pub(super) fn given(&self, tx: &mut Transaction<'_>, delivery: &Delivery) -> Result<()> {
        let (name, file) = (&self.agent.name, self.message.file_name());
        if delivery.is_bundle() {
            tx.update_members(name, delivery)?;
            tx.mark_read(name, &file)?;
        } else {
            tx.mark_given(name, &file)?;
        }
        Ok(())
    }

    /// The event with the message's progress.
    pub(super) fn reached<'s>(&'s self, way: &'s Progress) -> Event<'s> {
        Event::reached(way, &self.message.id, &self.agent.name, self.reminder)
    }

    /// The event with an act on a pane and its message.
    pub(super) fn presses<'s>(&'s self, act: Press, id: &'s MessageId) -> Event<'s> {
        let (to, pane, what) = (&self.agent.name, self.agent.place.pane.as_str(), act.word());
        Event::Keys { id, to, pane, what, reminder: self.reminder }
    }

    /// Keeps tmux's answer to an act for the journal. If tmux did not say whether it did the act, the act counts as
    /// done until a look shows otherwise.
    pub(super) fn note_answer(&self, act: Press, acted: &Acted) {
        self.notes.said.borrow_mut().push((act, acted.clone()));
    }

    /// Journals tmux's answers to the acts since the last transaction.
    fn journal_answers(&self, tx: &mut Transaction<'_>) -> Result<()> {
        let (id, to, pane) = (&self.message.id, &self.agent.name, self.agent.place.pane.as_str());
        for (act, acted) in self.notes.said.take() {
            let (what, reminder) = (act.word(), self.reminder);
            tx.journal(&match &acted {
                Acted::Done => Event::KeysAnswer { id, to, pane, what, reminder, tmux: "done" },
                Acted::Stale => {
                    Event::KeysAnswer { id, to, pane, what, reminder, tmux: "not done: the pane had changed" }
                }
                Acted::Unclear(tmux) => Event::Unclear { id, to, pane, what, reminder, tmux },
            })?;
        }
        Ok(())
    }

    /// Journals tmux's answers that were not journalled with a mark. On a full disk only the delivery matters.
    pub(super) fn flush(&self) {
        if !self.notes.said.borrow().is_empty() {
            let _ = self.store.transact(|tx| self.journal_answers(tx));
        }
    }
}
