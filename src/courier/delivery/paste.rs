//! Pastes the text into the composer once, or continues with a text that an earlier courier pasted.
//!
//! The mark `typing` is recorded before the paste, so a crash leaves no text that nobody knows of.

use super::enter::never_entered;
use super::evidence::{IN_TRANSCRIPT, UNSEEN, begins_outside, ends};
use super::look::Sight;
use super::record::{Press, Turn};
use super::{Attempt, Outcome};
use crate::core::delivery::{Progress, Stage};
use crate::core::frame;
use crate::courier::gate::Hold;
use crate::os::terminal;
use crate::store::{fault, now_ms};
use crate::tmux::pane::Acted;
use anyhow::Result;
use std::ops::ControlFlow;
use std::time::Duration;

impl Attempt<'_> {
    /// Looks twice, decides, and pastes under guard. Returns the looks at the text while it settled. If the text is
    /// pasted `again`, an earlier paste of it may still appear.
    pub(super) fn paste(
        &self,
        line: &str,
        again: bool,
    ) -> Result<ControlFlow<Outcome, Vec<(Duration, Sight)>>> {
        let Some((first, second)) = self.look_twice()? else {
            return Ok(ControlFlow::Break(Outcome::Gone));
        };
        if let Err(hold) = first.scene().may_paste() {
            return Ok(ControlFlow::Break(match hold {
                Hold::Draft => self.behind_draft(&first)?,
                hold => Outcome::Held(hold),
            }));
        }
        if let Err(hold) = second.scene().may_paste() {
            return Ok(ControlFlow::Break(Outcome::Held(hold)));
        }
        let cursor = |s: &Sight| (s.look.facts.cursor_x, s.look.facts.cursor_y);
        if cursor(&first) != cursor(&second) || first.reading.composer != second.reading.composer {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        let size = second.size();
        if !self.is_short_enough(line, size)? {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        let (into, name) = (self.agent.process.clone(), self.agent.name.clone());
        let stood = ends(line).map(|end| second.look.screen.count_ignoring_space(end));
        let turn = self.take_turn(Some(Press::Paste), |d| {
            d.advance(Stage::Typing, "", now_ms());
            d.typed_into = Some(into);
            d.typed_as = Some(name);
            d.typed_at = now_ms();
            d.stood = stood;
            d.stood_in = Some(size);
            d.enters = 0;
            d.unseen = false;
        })?;
        match turn {
            Turn::Ours => {}
            Turn::Settled => return Ok(ControlFlow::Break(Outcome::Settled)),
            Turn::Hook => return Ok(ControlFlow::Break(Outcome::Held(Hold::HookBusy))),
        }
        fault::point("before-paste");
        let then = self.settling();
        let (acted, looks) = self.server().paste(&self.agent.place.pane, &second.look, line, &then)?;
        fault::point("after-paste");
        self.note_answer(Press::Paste, &acted);
        if acted == Acted::Stale {
            // Nothing was typed, so the mark may be taken back. The change may be the text of an earlier paste, which
            // appears now.
            if !again {
                self.mark(take_back)?;
            }
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        Ok(ControlFlow::Continue(self.read_after(&then, looks)))
    }

    /// Handles a composer that is not empty: a left-over line is cleared away, and a person's draft holds the
    /// message.
    pub(super) fn behind_draft(&self, first: &Sight) -> Result<Outcome> {
        // One look is not enough: an Enter beside a person's draft would submit the draft.
        if self.left_over(first)?.is_some()
            && let Some(seen) = self.watch(2 * self.settle_time(), self.settle_time(), |_| true)?
            && let Some(left) = self.left_over(&seen)?
        {
            self.clear_away(&left, &seen)?;
            return Ok(Outcome::Held(Hold::Changed));
        }
        let is_ours = first.reading.composer.as_ref().is_some_and(|c| frame::begun(&c.text).is_some());
        Ok(Outcome::Held(if is_ours { Hold::Recalled } else { Hold::Draft }))
    }

    /// Whether the composer shows the whole line in a pane of this size. Otherwise the line could not be compared,
    /// and would never be submitted. Such a message is announced by a plain line from then on.
    fn is_short_enough(&self, line: &str, (columns, rows): (u16, u16)) -> Result<bool> {
        let alone = self.reminder.is_none() && self.members.is_empty();
        if !alone || self.profile.shows_whole(line, columns, rows) || self.current()?.plain {
            return Ok(true);
        }
        self.mark(|way| way.plain = true)?;
        Ok(false)
    }

    /// Continues with a message that was being typed when the courier ended, or that is still in the composer.
    pub(super) fn resume(
        &self,
        line: &str,
        delivery: &Progress,
    ) -> Result<ControlFlow<Outcome, Vec<(Duration, Sight)>>> {
        let Some(seen) = self.watch(self.settle_time(), Duration::ZERO, |_| true)? else {
            return Ok(ControlFlow::Break(Outcome::Gone));
        };
        if seen.moved {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Moved)));
        }
        if seen.composer_holds(line) {
            return Ok(if begins_outside(line, &seen, delivery) {
                // A person submitted it, and history brought it back: it belongs to that person now.
                ControlFlow::Break(Outcome::Submitted(IN_TRANSCRIPT))
            } else if seen.is_collapsed() && seen.touched_since(delivery.typed_at) {
                // The text behind the sign cannot be seen: a person may have pasted something else.
                ControlFlow::Break(Outcome::Held(Hold::EnterIgnored))
            } else if delivery.enters == 0 {
                ControlFlow::Continue(Vec::new())
            } else if let Err(hold) = self.may_press_again(delivery, &seen)? {
                ControlFlow::Break(Outcome::Held(hold))
            } else {
                ControlFlow::Continue(Vec::new())
            });
        }
        if let Some(evidence) = self.evidence(line, &seen, delivery) {
            return Ok(ControlFlow::Break(Outcome::Submitted(evidence)));
        }
        if seen.is_beside(line) {
            if self.stays_beside(line, &seen)? {
                self.mark(never_entered)?;
            }
            let hold = seen.scene().may_enter(line).err().unwrap_or(Hold::Changed);
            return Ok(ControlFlow::Break(Outcome::Held(hold)));
        }
        match seen.scene().may_paste() {
            // A person removed a line that could not be submitted.
            Ok(()) if delivery.stuck_since > 0 && self.reminder.is_none() => {
                self.mark(|d| d.announce(now_ms()))?;
                Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)))
            }
            // The text waits unread in the terminal, and a second paste would stand there twice.
            Ok(()) if delivery.enters == 0 && self.has_unread()? => {
                Ok(ControlFlow::Break(Outcome::Held(Hold::Unread)))
            }
            // The program has read the text, and may not have drawn it yet.
            Ok(()) if delivery.enters == 0 && delivery.may_appear(now_ms()) => {
                Ok(ControlFlow::Break(Outcome::Held(Hold::NotSeen)))
            }
            // The text never arrived because the paste was not made, or a person removed it.
            Ok(()) if delivery.enters == 0 => self.paste(line, true),
            Ok(()) => Ok(ControlFlow::Break(Outcome::Typed(UNSEEN))),
            Err(Hold::Draft) if delivery.enters > 0 => Ok(ControlFlow::Break(Outcome::Typed(UNSEEN))),
            Err(hold) => Ok(ControlFlow::Break(Outcome::Held(hold))),
        }
    }

    fn has_unread(&self) -> Result<bool> {
        let tty = self.server().tty(&self.agent.place.pane)?;
        Ok(tty.is_some_and(|tty| terminal::unread(&tty).is_some_and(|bytes| bytes > 0)))
    }
}

/// Takes the mark back: nothing was typed after all.
fn take_back(way: &mut Progress) {
    *way = Progress { stage: Stage::Held, typed_into: None, typed_as: None, typed_at: 0, ..way.clone() };
}
