//! The signs by which a text counts as given, and the later result for a text that has left its composer.
//!
//! A sign is the line outside the composer, a turn that began after Enter, or a report of the agent's hook. An empty
//! composer is no sign, because a key may have emptied it. The result of a later look is recorded in a transaction
//! that reads the record again.

use super::enter::never_entered;
use super::look::Sight;
use super::{Attempt, Outcome};
use crate::core::agent::Status;
use crate::core::delivery::{Progress, Stage};
use crate::core::frame;
use crate::courier::gate::Hold;
use crate::hooks::report;
use crate::store::mail::Folder;
use crate::store::now_ms;
use anyhow::Result;
use std::time::Duration;

/// The reason that is recorded when a text is gone and Enter was pressed, or may have been.
pub(super) const UNSEEN: &str = "it is gone from its composer, and no sign of a turn was seen";

/// The evidence if the line itself is seen.
pub(super) const IN_TRANSCRIPT: &str = "it stands in the transcript";

impl Attempt<'_> {
    /// Looks once more for a sign that the agent got a text which has left the composer, and records it. Returns
    /// whether there is one.
    pub fn confirm(&self) -> Result<bool> {
        let delivery = self.current()?;
        let name = delivery.typed_as.as_ref().unwrap_or(&self.agent.name);
        let line = self.line(name, &delivery);
        let is_here = delivery.typed_into.as_ref() == Some(&self.agent.process);
        let Some(seen) = self.look()?.filter(|seen| is_here && !seen.moved) else { return Ok(false) };
        // A turn that began since then proves this text only if nothing else was entered since.
        let last = self.keys.borrow().entered.as_ref() == Some(&self.message.id);
        let touched = seen.touched_since(delivery.since);
        let evidence = if seen.is_shown() && stands_outside(&line, &seen, &delivery) {
            IN_TRANSCRIPT
        } else if last && !touched && seen.reading.state == Status::Busy {
            "a turn began after Enter"
        } else {
            return Ok(false);
        };
        self.store.transact(|tx| {
            let mut delivery = self.record()?;
            let file = self.message.file_name();
            if delivery.way.stage == Stage::Typed
                && self.store.mail_file(&self.agent.name, Folder::New, &file).exists()
            {
                delivery.way.advance(Stage::Submitted, evidence, now_ms());
                tx.put_delivery(&self.agent.name, &delivery)?;
                self.given(tx, &delivery)?;
                tx.journal(&self.reached(&delivery.way))?;
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// The evidence that the agent got the text: it stands in the transcript, or a turn began after Enter. An empty
    /// composer is no evidence, because a key may have emptied it.
    pub(super) fn evidence(&self, line: &str, seen: &Sight, delivery: &Progress) -> Option<&'static str> {
        let composer = seen.reading.composer.as_ref();
        if composer.is_some_and(|c| ends(line).iter().any(|end| c.contains(end)) || c.holds(line)) {
            return None;
        }
        if delivery.enters > 0 && seen.reading.state == Status::Busy {
            self.notes.sign.set(Some("a turn began after Enter"));
        }
        // Behind a dialog no composer is visible, and the text may still stand in it.
        if composer.is_some() && stands_outside(line, seen, delivery) {
            return Some(IN_TRANSCRIPT);
        }
        if delivery.enters == 0 {
            return None;
        }
        if let Some(sign) = self.notes.sign.get() {
            return Some(sign);
        }
        self.reported_since(delivery.since).then_some("its hook reported a turn after Enter")
    }

    /// Whether the agent's hook has reported a turn or a dialog since then.
    pub(super) fn reported_since(&self, since: u64) -> bool {
        let report = report::read(self.store, &self.agent.name).ok().flatten();
        report.is_some_and(|r| r.at >= since && matches!(r.status, Status::Busy | Status::Dialog))
    }

    /// Whether the text is in the composer, but changed, for as long as a text needs to settle: while an agent draws
    /// its screen, a look may show a text that was never there.
    pub(super) fn stays_beside(&self, line: &str, seen: &Sight) -> Result<bool> {
        let same = |now: &Sight| now.reading.composer == seen.reading.composer;
        Ok(seen.is_beside(line)
            && self.watch(self.settle_time(), Duration::ZERO, |now| !same(now))?.is_some_and(|s| same(&s)))
    }

    /// The result for a text that has left the composer, or has other text beside it.
    pub(super) fn left(&self, line: &str, seen: &Sight, delivery: &Progress) -> Result<Outcome> {
        let (told, last);
        if delivery.enters > 0 && seen.is_shown() && !seen.is_beside(line) {
            // The turn may take a moment to begin, and the transcript to be drawn.
            let done = |seen: &Sight| self.evidence(line, seen, delivery).is_some();
            let Some(later) = self.watch(self.patience(), Duration::ZERO, done)? else {
                return Ok(Outcome::Gone);
            };
            told = self.evidence(line, &later, delivery);
            last = Some(later);
        } else {
            told = self.evidence(line, seen, delivery);
            last = None;
        }
        let seen = last.as_ref().unwrap_or(seen);
        if let Some(evidence) = told {
            return Ok(Outcome::Submitted(evidence));
        }
        if self.stays_beside(line, seen)? {
            self.mark(never_entered)?;
        } else if delivery.enters > 0 && seen.is_shown() && !seen.composer_holds(line) {
            return Ok(Outcome::Typed("its composer was emptied by Enter, and no sign of a turn was seen"));
        }
        Ok(Outcome::Held(seen.scene().may_enter(line).err().unwrap_or(Hold::Changed)))
    }
}

/// The two parts by which a line is found on a screen.
pub(super) fn ends(line: &str) -> [&str; 2] {
    [frame::head(line), frame::tail(line)]
}

/// Whether the line, or the part of it that has not scrolled away, is on the screen outside the composer and was not
/// there when it was typed.
pub(super) fn stands_outside(line: &str, seen: &Sight, way: &Progress) -> bool {
    // Other lines of the same message have the same end. So the end counts only if nothing can have brought one of
    // those lines back into view.
    let same_size = way.stood_in == Some(seen.size());
    begins_outside(line, seen, way) || (same_size && is_outside(frame::tail(line), seen, way.stood[1]))
}

/// Whether the beginning of the line, which no other line has, is on the screen outside the composer and was not
/// there when the line was typed. If the composer still holds the line, only this proves an earlier submission.
pub(super) fn begins_outside(line: &str, seen: &Sight, way: &Progress) -> bool {
    is_outside(frame::head(line), seen, way.stood[0])
}

/// Whether `end` is on the screen outside the composer more often than it `stood` there.
fn is_outside(end: &str, seen: &Sight, stood: usize) -> bool {
    let inside = seen.reading.composer.as_ref().map_or(0, |c| c.count(end));
    seen.look.screen.count_ignoring_space(end).saturating_sub(inside) > stood
}
