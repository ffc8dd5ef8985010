//! Presses Enter only on the text of the delivery under way, and again only if the program is known to have read the
//! first Enter.
//!
//! The mark `entering` is recorded before the key, so a crash leaves no unknown Enter.

use super::evidence::{IN_TRANSCRIPT, begins_outside};
use super::look::{AFTER_ENTER, LOOK_PAUSE, Sight};
use super::record::Press;
use super::{Attempt, Outcome};
use crate::core::agent::Agent;
use crate::core::delivery::{Progress, Stage};
use crate::courier::gate::Hold;
use crate::os::terminal;
use crate::store::{fault, now_ms};
use crate::tmux::pane::{Acted, Look};
use anyhow::Result;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long to wait for pasted text to appear.
const APPEAR: Duration = Duration::from_secs(5);

/// The result of one look at the text, and at most one Enter.
enum Pressed {
    /// The attempt has ended, with this result.
    Over(Outcome),
    /// The composer still holds the text, as this look shows.
    Waits(Box<Sight>),
}

impl Attempt<'_> {
    /// Sees the text, presses Enter under guard, and sees the text taken. `so_far` are the looks since the paste.
    pub(super) fn submit(&self, line: &str, so_far: Vec<(Duration, Sight)>) -> Result<Outcome> {
        let appeared = self.watch_on(so_far, APPEAR, self.settle_time(), |seen| seen.composer_holds(line))?;
        let seen = match appeared {
            Some(seen) if seen.composer_holds(line) => seen,
            Some(seen) => {
                return Ok(match self.evidence(line, &seen, &self.current()?) {
                    // It is unknown who pressed Enter: the agent may draw late a text that was pasted long before.
                    Some(sign) => Outcome::Submitted(sign),
                    None => Outcome::Held(seen.scene().may_enter(line).err().unwrap_or(Hold::Changed)),
                });
            }
            None => return Ok(Outcome::Gone),
        };
        // A key that was read and is not drawn yet would be submitted with the text.
        let mut pressed = if self.rest(Instant::now()) {
            self.look_again(line, || self.current())?
        } else {
            Pressed::Waits(Box::new(seen))
        };
        loop {
            pressed = match pressed {
                Pressed::Over(outcome) => return Ok(outcome),
                Pressed::Waits(seen) => self.press(line, &seen)?,
            }
        }
    }

    /// Presses Enter once, if `seen` still shows the delivery under way, and waits for the effect.
    fn press(&self, line: &str, seen: &Sight) -> Result<Pressed> {
        if let Err(hold) = seen.scene().may_enter(line) {
            return Ok(Pressed::Over(Outcome::Held(hold)));
        }
        if begins_outside(line, seen, &self.current()?) {
            return Ok(Pressed::Over(Outcome::Submitted(IN_TRANSCRIPT)));
        }
        let Some(delivery) = self.mark_act(Press::Enter, |d| {
            d.advance(Stage::Entering, "", now_ms());
            d.enters = d.enters.saturating_add(1);
        })?
        else {
            return Ok(Pressed::Over(self.not_to_be_entered(seen)?));
        };
        self.keys.borrow_mut().entered = Some(self.message.id.clone());
        fault::point("before-enter");
        let (acted, looks) = self.server().enter(&self.agent.place.pane, &seen.look, &AFTER_ENTER)?;
        fault::point("after-enter");
        self.note_answer(Press::Enter, &acted);
        if acted == Acted::Stale {
            // An Enter that was not pressed has cleared nothing.
            self.mark(|d| {
                d.enters = d.enters.saturating_sub(1);
                drop_to_typing(d);
            })?;
            return self.look_again(line, || self.current());
        }
        self.await_effect(line, &delivery, looks)
    }

    /// Handles a text whose record forbids Enter: its agent was renamed, or it was read or acknowledged.
    fn not_to_be_entered(&self, seen: &Sight) -> Result<Outcome> {
        // The agent was renamed since the paste. The next round continues under the new name.
        if self.is_renamed()? {
            return Ok(Outcome::Held(Hold::Changed));
        }
        // The message was read or acknowledged since. The line that swarm left in the composer must not block later
        // mail.
        if let Some(left) = self.left_over(seen)? {
            self.clear_away(&left, seen)?;
        }
        Ok(Outcome::Settled)
    }

    /// Waits for the effect of an Enter. `looks` are the first looks.
    fn await_effect(&self, line: &str, delivery: &Progress, looks: Vec<Look>) -> Result<Pressed> {
        // The number of looks in a row with evidence.
        let shown = Cell::new(0);
        let done = |seen: &Sight| {
            let told = self.evidence(line, seen, delivery).is_some();
            shown.set(if told { shown.get() + 1 } else { 0 });
            told || (seen.reading.composer.is_some() && !seen.composer_holds(line))
        };
        let so_far = self.read_after(&AFTER_ENTER, looks);
        let Some(next) = self.watch_on(so_far, self.patience(), Duration::ZERO, done)? else {
            return Ok(Pressed::Over(Outcome::Gone));
        };
        if !next.composer_holds(line) {
            return Ok(Pressed::Over(match self.evidence(line, &next, delivery) {
                Some(evidence) if shown.get() > 1 => Outcome::Submitted(evidence),
                _ => self.left(line, &next, delivery)?,
            }));
        }
        // Enter has had no effect so far. On a busy machine it may still have one.
        self.mark(drop_to_typing)?;
        fault::point("enter-unseen");
        if let Err(hold) = self.may_press_again(delivery, &next)? {
            return Ok(Pressed::Over(Outcome::Held(hold)));
        }
        self.look_again(line, || Ok(delivery.clone()))
    }

    /// Looks twice: both looks must show that the composer still holds the line before Enter is pressed again.
    fn look_again(&self, line: &str, delivery: impl FnOnce() -> Result<Progress>) -> Result<Pressed> {
        Ok(match self.watch(self.settle_time(), Duration::ZERO, |s| !s.composer_holds(line))? {
            None => Pressed::Over(Outcome::Gone),
            Some(next) if !next.composer_holds(line) => {
                Pressed::Over(self.left(line, &next, &delivery()?)?)
            }
            Some(next) => Pressed::Waits(Box::new(next)),
        })
    }

    /// Whether Enter may be pressed again on a text. Only if the program has read the first Enter and waits for more,
    /// and nothing since shows a turn or a person. A text that was submitted, or may have been, does not belong to
    /// swarm any more.
    pub(super) fn may_press_again(&self, delivery: &Progress, seen: &Sight) -> Result<Result<(), Hold>> {
        let touched = seen.touched_since(delivery.since);
        if delivery.enters >= self.profile.timing.enters || touched || self.reported_since(delivery.since) {
            return Ok(Err(Hold::EnterIgnored));
        }
        let Some(tty) = self.server().tty(&self.agent.place.pane)? else { return Ok(Err(Hold::Unread)) };
        let begun = Instant::now();
        loop {
            if terminal::has_read_all(self.agent.process.pid, &tty) {
                return Ok(Ok(()));
            }
            // The program may be drawing at this moment.
            if begun.elapsed() >= self.settle_time() {
                return Ok(Err(Hold::Unread));
            }
            std::thread::sleep(LOOK_PAUSE.0);
        }
    }

    /// Whether the agent was renamed since this round began.
    fn is_renamed(&self) -> Result<bool> {
        let bears = |a: &Agent| a.process == self.agent.process && a.name != self.agent.name;
        Ok(self.store.living()?.iter().any(bears))
    }
}

/// Marks that the text is still in the composer, with later text beside it: the program did not take Enter, and never
/// will.
pub(super) fn never_entered(way: &mut Progress) {
    drop_to_typing(way);
    way.enters = 0;
}

/// Marks that the text is still in the composer: Enter was not taken.
fn drop_to_typing(way: &mut Progress) {
    way.advance(Stage::Typing, "", now_ms());
}
