//! One message into one pane, exactly once.
//!
//! Two marks make a crash harmless: `typing` is recorded before the text is pasted, `entering` before Enter is
//! pressed. After a crash they show what may have happened. With a look at the composer and the screen, the message
//! is neither repeated nor lost. Each act on the pane is guarded by the facts of the look that it was decided on, and
//! stands in the journal together with its mark. The pane lock is held throughout. The store's mutex is held only for
//! each mark, never during a tmux call.
//!
//! Enter is pressed only on the text of the delivery under way. Text that was submitted, or may have been, belongs to
//! the person from then on, also when history or an interrupted turn brings it back. A second Enter needs evidence
//! that the program has read the first one. Otherwise it would wait in the terminal, and say yes to the next
//! question.

use super::gate::{Hold, Scene};
use super::keys::Keys;
use super::observe;
use super::servers::ANSWER;
use crate::agents::{Content, Profile, Reading};
use crate::core::agent::{Agent, Status};
use crate::core::config::Settings;
use crate::core::delivery::{Delivery, Progress, Stage};
use crate::core::frame;
use crate::core::id::MessageId;
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::hooks::report;
use crate::os::{process, terminal};
use crate::store::mail::Folder;
use crate::store::{Store, Transaction, fault, lock, now_ms};
use crate::tmux::Server;
use crate::tmux::pane::{Acted, Look};
use anyhow::Result;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How long to wait for pasted text to appear.
const APPEAR: Duration = Duration::from_secs(5);

/// Pause between two looks: doubles from the first to the second value.
const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(8), Duration::from_millis(100));

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the agent's hands, by this evidence.
    Submitted(&'static str),
    /// It has left the composer, without a sign that it was given.
    Typed(&'static str),
    /// It was given to the agent's own channel; whether it is known to wait in the agent's queue.
    Offered(bool),
    /// Not now.
    Held(Hold),
    /// The recipient's process is gone.
    Gone,
    /// The message was read or settled by somebody else meanwhile.
    Settled,
}

/// One delivery under way.
pub struct Attempt<'a> {
    /// The project.
    pub store: &'a Store,
    /// The recipient.
    pub agent: &'a Agent,
    /// What is known of its kind.
    pub profile: &'a Profile,
    /// The message.
    pub message: &'a Verified,
    /// Its acknowledgement is to be reminded of, for this time; `None`: the message itself.
    pub reminder: Option<u32>,
    /// The messages that it brings, if it is a bundle.
    pub members: &'a [Verified],
    /// Whether their lines are typed with it.
    pub whole: bool,
    /// The waits in use.
    pub settings: &'a Settings,
    /// What is known of people's keys in its pane.
    pub keys: &'a RefCell<Keys>,
    /// What is known of this attempt.
    pub notes: Notes,
}

/// What an attempt keeps in mind.
#[derive(Debug, Default)]
pub struct Notes {
    /// A sign that it was given, seen in one look: a turn may be over at the next.
    sign: Cell<Option<&'static str>>,
    /// What tmux said to the acts since the last transaction: entries for the journal.
    said: RefCell<Vec<(&'static str, Value)>>,
}

/// What is pressed in a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Paste,
    Enter,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Act::Paste => "paste",
            Act::Enter => "enter",
        }
    }
}

/// A look with its interpretation.
struct Seen {
    look: Look,
    reading: Reading,
    process: process::Process,
    moved: bool,
    human: bool,
    reported: Option<Status>,
}

impl Seen {
    fn scene(&self) -> Scene<'_> {
        Scene {
            reading: &self.reading,
            process: &self.process,
            moved: self.moved,
            in_mode: self.look.in_mode,
            input_off: self.look.input_off,
            human: self.human,
            reported: self.reported,
        }
    }

    /// Whether the composer is shown, and nothing over it that may hide a text that stands there.
    fn is_shown(&self) -> bool {
        self.reading.composer.is_some()
            && matches!(self.reading.state, Status::Idle | Status::Busy | Status::Draft)
    }

    /// Whether the text is in the composer, but not just as it was typed.
    fn is_beside(&self, line: &str) -> bool {
        let composer = self.reading.composer.as_ref();
        composer.is_some_and(|c| c.contains(frame::head(line)) && !c.holds(line))
    }

    /// Whether the composer shows a sign in place of a long paste.
    fn is_collapsed(&self) -> bool {
        self.reading.composer.as_ref().is_some_and(|c| c.content == Content::Collapsed)
    }

    /// Whether a person pressed a key in the pane since then (ms since the epoch).
    fn touched_since(&self, since: u64) -> bool {
        self.look.keys.iter().any(|key| *key >= since / 1000)
    }

    fn composer_holds(&self, line: &str) -> bool {
        self.reading.composer.as_ref().is_some_and(|c| c.holds(line))
    }
}

impl Attempt<'_> {
    /// Tries to bring the message to `submitted`, and records how far it came.
    pub fn run(&self) -> Result<Outcome> {
        let place = &self.agent.place;
        let Some(_pane) = lock::pane(&place.socket, &place.pane)? else {
            return Ok(Outcome::Held(Hold::PaneBusy));
        };
        self.conclude(self.steps()?)
    }

    /// Checks whether an untyped text could be pasted now, and returns the size of the pane. If not, the reason is
    /// recorded.
    pub fn begin(&self) -> Result<ControlFlow<Outcome, (u16, u16)>> {
        let place = &self.agent.place;
        let outcome = {
            let Some(_pane) = lock::pane(&place.socket, &place.pane)? else {
                return Ok(ControlFlow::Break(Outcome::Held(Hold::PaneBusy)));
            };
            match self.look()? {
                None => Outcome::Gone,
                Some(seen) => match seen.scene().may_paste() {
                    Ok(()) => {
                        return Ok(ControlFlow::Continue((seen.look.facts.width, seen.look.facts.height)));
                    }
                    Err(Hold::Draft) => self.behind_draft(&seen)?,
                    Err(hold) => Outcome::Held(hold),
                },
            }
        };
        self.conclude(outcome).map(ControlFlow::Break)
    }

    /// Records what came of an attempt.
    fn conclude(&self, outcome: Outcome) -> Result<Outcome> {
        let outcome = match outcome {
            // What stands in its composer stands there still: only the look failed.
            Outcome::Gone if process::look(&self.agent.process).is_some() => Outcome::Held(Hold::Unseen),
            outcome => outcome,
        };
        match &outcome {
            Outcome::Submitted(evidence) => {
                fault::point("before-submitted-mark");
                self.mark(|way| {
                    way.advance(Stage::Submitted, evidence, now_ms());
                })?;
                fault::point("after-submitted-mark");
            }
            Outcome::Typed(why) => {
                self.mark(|way| {
                    way.advance(Stage::Typed, why, now_ms());
                })?;
            }
            // What may stand in the composer keeps its stage; only the reason changes.
            Outcome::Held(hold) => drop(self.mark(|d| {
                if hold.is_stuck() && d.typed_at > 0 && d.stuck_since == 0 {
                    d.stuck_since = now_ms();
                }
                let stage = if d.stage.is_under_way() { d.stage } else { Stage::Held };
                d.advance(stage, &hold.to_string(), now_ms());
            })?),
            Outcome::Gone => drop(self.mark(|d| {
                d.advance(Stage::Held, "its process has ended", now_ms());
            })?),
            Outcome::Offered(_) | Outcome::Settled => {}
        }
        self.flush();
        Ok(outcome)
    }

    /// Looks once more for a sign that the agent got a text which has left the composer, and records it. Returns whether
    /// there is one.
    pub fn confirm(&self) -> Result<bool> {
        let delivery = self.current()?;
        let name = delivery.typed_as.as_ref().unwrap_or(&self.agent.name);
        let line = self.line(name, &delivery);
        let is_here = delivery.typed_into.as_ref() == Some(&self.agent.process);
        let Some(seen) = self.look()?.filter(|seen| is_here && !seen.moved) else { return Ok(false) };
        // A turn that began since is of this text only if nothing else was entered since.
        let last = self.keys.borrow().entered.as_ref() == Some(&self.message.id);
        let touched = seen.touched_since(delivery.since);
        let evidence = if seen.is_shown() && stands_outside(&line, &seen, &delivery) {
            "it stands in the transcript"
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
                tx.journal("delivery", self.stage_entry(&delivery.way))?;
            }
            Ok(())
        })?;
        Ok(true)
    }

    fn steps(&self) -> Result<Outcome> {
        let mut delivery = self.current()?;
        if delivery.typed_into.as_ref().is_some_and(|p| *p != self.agent.process) {
            // Typed into a process that is gone: the text went with it.
            let Some(fresh) = self.mark(|d| *d = Progress::queued(now_ms()))? else {
                return Ok(Outcome::Settled);
            };
            delivery = fresh;
        }
        // What stands in the composer has the name of then, whatever the agent is called now.
        let name = delivery.typed_as.as_ref().unwrap_or(&self.agent.name);
        let line = self.line(name, &delivery);
        if !matches!(delivery.stage, Stage::Typing | Stage::Entering) {
            if let ControlFlow::Break(outcome) = self.paste(&line)? {
                return Ok(outcome);
            }
        } else if let ControlFlow::Break(outcome) = self.resume(&line, &delivery)? {
            return Ok(outcome);
        }
        self.submit(&line)
    }

    /// Looks twice, decides, and pastes under guard.
    fn paste(&self, line: &str) -> Result<ControlFlow<Outcome>> {
        let Some(first) = self.look()? else { return Ok(ControlFlow::Break(Outcome::Gone)) };
        if let Err(hold) = first.scene().may_paste() {
            return Ok(ControlFlow::Break(match hold {
                Hold::Draft => self.behind_draft(&first)?,
                hold => Outcome::Held(hold),
            }));
        }
        std::thread::sleep(LOOK_PAUSE.0);
        let Some(second) = self.look()? else { return Ok(ControlFlow::Break(Outcome::Gone)) };
        if let Err(hold) = second.scene().may_paste() {
            return Ok(ControlFlow::Break(Outcome::Held(hold)));
        }
        let cursor = |s: &Seen| (s.look.facts.cursor_x, s.look.facts.cursor_y);
        if cursor(&first) != cursor(&second) || first.reading.composer != second.reading.composer {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        let facts = &second.look.facts;
        if !self.is_short_enough(line, (facts.width, facts.height))? {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        let (into, name) = (self.agent.process.clone(), self.agent.name.clone());
        let stood = ends(line).map(|end| second.look.screen.count_ignoring_space(end));
        let marked = self.mark_act(Act::Paste, |d| {
            d.advance(Stage::Typing, "", now_ms());
            d.typed_into = Some(into);
            d.typed_as = Some(name);
            d.typed_at = now_ms();
            d.stood = stood;
            d.enters = 0;
        })?;
        if marked.is_none() {
            return Ok(ControlFlow::Break(Outcome::Settled));
        }
        fault::point("before-paste");
        let acted = self.server().paste(&self.agent.place.pane, &second.look, line)?;
        fault::point("after-paste");
        self.note_answer(Act::Paste, &acted);
        if acted == Acted::Stale {
            // Nothing was typed, so the mark may be taken back.
            self.mark(take_back)?;
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The composer is not empty: a line of ours that nobody waits for is cleared away; a person's draft holds the message.
    fn behind_draft(&self, first: &Seen) -> Result<Outcome> {
        // Not on the word of one look: an Enter beside a person's draft would submit it.
        if self.left_over(first)?.is_some()
            && let Some(seen) = self.watch(2 * self.settle(), self.settle(), |_| true)?
            && let Some(left) = self.left_over(&seen)?
        {
            self.clear_away(&left, &seen)?;
            return Ok(Outcome::Held(Hold::Changed));
        }
        let is_ours = first.reading.composer.as_ref().is_some_and(|c| frame::begun(&c.text).is_some());
        Ok(Outcome::Held(if is_ours { Hold::Recalled } else { Hold::Draft }))
    }

    /// Whether the composer shows the whole line in a pane of this size. A line that it does not show cannot be compared,
    /// so it would never be submitted. Such a message is announced by a plain line from then on.
    fn is_short_enough(&self, line: &str, (columns, rows): (u16, u16)) -> Result<bool> {
        let alone = self.reminder.is_none() && self.members.is_empty();
        if !alone || self.profile.shows_whole(line, columns, rows) || self.current()?.plain {
            return Ok(true);
        }
        self.mark(|way| way.plain = true)?;
        Ok(false)
    }

    /// A message that was being typed when the courier ended, or that is still in the composer.
    fn resume(&self, line: &str, delivery: &Progress) -> Result<ControlFlow<Outcome>> {
        let Some(seen) = self.watch(self.settle(), Duration::ZERO, |_| true)? else {
            return Ok(ControlFlow::Break(Outcome::Gone));
        };
        if seen.moved {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Moved)));
        }
        if seen.composer_holds(line) {
            return Ok(if stands_outside(line, &seen, delivery) {
                // A person submitted it, and history brought it back: it is that person's now.
                ControlFlow::Break(Outcome::Submitted("somebody submitted it"))
            } else if seen.is_collapsed() && seen.touched_since(delivery.typed_at) {
                // What the sign stands for cannot be seen: a person may have pasted something else.
                ControlFlow::Break(Outcome::Held(Hold::EnterIgnored))
            } else if delivery.enters == 0 {
                ControlFlow::Continue(())
            } else if let Err(hold) = self.may_press_again(delivery, &seen)? {
                ControlFlow::Break(Outcome::Held(hold))
            } else {
                ControlFlow::Continue(())
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
            // A person took away what could not be submitted.
            Ok(()) if delivery.stuck_since > 0 && self.reminder.is_none() => {
                self.mark(|d| d.announce(now_ms()))?;
                Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)))
            }
            // It waits in the terminal, and would stand there twice.
            Ok(()) if delivery.enters == 0 && self.has_unread()? => {
                Ok(ControlFlow::Break(Outcome::Held(Hold::Unread)))
            }
            // It never arrived: the paste was not made. Or a person took it away.
            Ok(()) if delivery.enters == 0 => self.paste(line),
            Ok(()) => Ok(ControlFlow::Break(Outcome::Typed(UNSEEN))),
            Err(Hold::Draft) if delivery.enters > 0 => Ok(ControlFlow::Break(Outcome::Typed(UNSEEN))),
            Err(hold) => Ok(ControlFlow::Break(Outcome::Held(hold))),
        }
    }

    /// Between a paste and Enter at the least.
    fn settle(&self) -> Duration {
        Duration::from_millis(self.profile.timing.settle_ms)
    }

    /// Between Enter and its effect at the most.
    fn patience(&self) -> Duration {
        Duration::from_millis(self.profile.timing.evidence_ms)
    }

    /// The same for as long as a text needs to settle: while an agent draws its screen, it may show what was never there.
    fn stays_beside(&self, line: &str, seen: &Seen) -> Result<bool> {
        let same = |now: &Seen| now.reading.composer == seen.reading.composer;
        Ok(seen.is_beside(line)
            && self.watch(self.settle(), Duration::ZERO, |now| !same(now))?.is_some_and(|s| same(&s)))
    }

    /// The evidence that the agent got the text: it stands in the transcript, or a turn began after Enter. An empty
    /// composer is no evidence, because a key may have emptied it.
    fn evidence(&self, line: &str, seen: &Seen, delivery: &Progress) -> Option<&'static str> {
        let composer = seen.reading.composer.as_ref();
        if composer.is_some_and(|c| ends(line).iter().any(|end| c.contains(end)) || c.holds(line)) {
            return None;
        }
        if delivery.enters > 0 && seen.reading.state == Status::Busy {
            self.notes.sign.set(Some("a turn began after Enter"));
        }
        // Where no composer is to be seen, as behind a dialog, the text may stand as before.
        if composer.is_some() && stands_outside(line, seen, delivery) {
            return Some("it stands in the transcript");
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
    fn reported_since(&self, since: u64) -> bool {
        let report = report::read(self.store, &self.agent.name).ok().flatten();
        report.is_some_and(|r| r.at >= since && matches!(r.status, Status::Busy | Status::Dialog))
    }

    /// Whether Enter may be pressed again on a text. Only if the program has read the first Enter and waits for more, and
    /// nothing since shows a turn or a person: a text that was submitted, or may have been, is not ours any more.
    fn may_press_again(&self, delivery: &Progress, seen: &Seen) -> Result<Result<(), Hold>> {
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
            // It may be drawing just now.
            if begun.elapsed() >= self.settle() {
                return Ok(Err(Hold::Unread));
            }
            std::thread::sleep(LOOK_PAUSE.0);
        }
    }

    /// Whether something that was typed into the pane is known to be unread.
    fn has_unread(&self) -> Result<bool> {
        let tty = self.server().tty(&self.agent.place.pane)?;
        Ok(tty.is_some_and(|tty| terminal::unread(&tty).is_some_and(|bytes| bytes > 0)))
    }

    /// See the text, press Enter under guard, see it taken.
    fn submit(&self, line: &str) -> Result<Outcome> {
        let appeared = self.watch(APPEAR, self.settle(), |seen| seen.composer_holds(line))?;
        let mut seen = match appeared {
            Some(seen) if seen.composer_holds(line) => seen,
            Some(seen) => {
                return Ok(match self.evidence(line, &seen, &self.current()?) {
                    Some(_) => Outcome::Submitted("somebody submitted it"),
                    None => Outcome::Held(seen.scene().may_enter(line).err().unwrap_or(Hold::Changed)),
                });
            }
            None => return Ok(Outcome::Gone),
        };
        loop {
            if let Err(hold) = seen.scene().may_enter(line) {
                return Ok(Outcome::Held(hold));
            }
            if stands_outside(line, &seen, &self.current()?) {
                return Ok(Outcome::Submitted("somebody submitted it"));
            }
            let Some(delivery) = self.mark_act(Act::Enter, |d| {
                d.advance(Stage::Entering, "", now_ms());
                d.enters = d.enters.saturating_add(1);
            })?
            else {
                // Renamed since it was pasted: it goes on under the new name, with the next round.
                if self.is_renamed()? {
                    return Ok(Outcome::Held(Hold::Changed));
                }
                // Read or acknowledged since: what we left there must not stay in everybody's way.
                if let Some(left) = self.left_over(&seen)? {
                    self.clear_away(&left, &seen)?;
                }
                return Ok(Outcome::Settled);
            };
            self.keys.borrow_mut().entered = Some(self.message.id.clone());
            fault::point("before-enter");
            let acted = self.server().enter(&self.agent.place.pane, &seen.look)?;
            fault::point("after-enter");
            self.note_answer(Act::Enter, &acted);
            if acted == Acted::Stale {
                // An Enter that was not pressed has cleared nothing.
                self.mark(|d| {
                    d.enters = d.enters.saturating_sub(1);
                    drop_to_typing(d);
                })?;
                let Some(next) = self.watch(self.settle(), Duration::ZERO, |s| !s.composer_holds(line))?
                else {
                    return Ok(Outcome::Gone);
                };
                if !next.composer_holds(line) {
                    return self.left(line, &next, &self.current()?);
                }
                seen = next;
                continue;
            }
            let done = |seen: &Seen| {
                self.evidence(line, seen, &delivery).is_some()
                    || (seen.reading.composer.is_some() && !seen.composer_holds(line))
            };
            let Some(next) = self.watch(self.patience(), Duration::ZERO, done)? else {
                return Ok(Outcome::Gone);
            };
            if !next.composer_holds(line) {
                return self.left(line, &next, &delivery);
            }
            // Enter has had no effect so far. A busy machine may take it later still.
            self.mark(drop_to_typing)?;
            fault::point("enter-unseen");
            if let Err(hold) = self.may_press_again(&delivery, &next)? {
                return Ok(Outcome::Held(hold));
            }
            // On the word of two looks that it is as it was.
            match self.watch(self.settle(), Duration::ZERO, |s| !s.composer_holds(line))? {
                None => return Ok(Outcome::Gone),
                Some(next) if !next.composer_holds(line) => return self.left(line, &next, &delivery),
                Some(next) => seen = next,
            }
        }
    }

    /// What became of a text that has left the composer, or is not alone there any more.
    fn left(&self, line: &str, seen: &Seen, delivery: &Progress) -> Result<Outcome> {
        let (told, last);
        if delivery.enters > 0 && seen.is_shown() && !seen.is_beside(line) {
            // The turn may take a moment to begin, and the transcript to be drawn.
            let done = |seen: &Seen| self.evidence(line, seen, delivery).is_some();
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

    /// Submits a line of ours that nobody waits for any more: one Enter, recorded before it is pressed.
    fn clear_away(&self, left: &Left, seen: &Seen) -> Result<()> {
        if seen.scene().may_enter(&left.line).is_err() || !self.claim(left)? {
            return Ok(());
        }
        let acted = self.server().enter(&self.agent.place.pane, &seen.look)?;
        self.note_answer(Act::Enter, &acted);
        let gone = |seen: &Seen| !seen.composer_holds(&left.line);
        self.watch(self.patience(), Duration::ZERO, gone).map(drop)
    }

    /// Marks that Enter is pressed on such a line, unless somebody did so before.
    fn claim(&self, left: &Left) -> Result<bool> {
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
            tx.journal("keys", self.act_entry(Act::Enter, &left.id))?;
            Ok(true)
        })
    }

    /// The line in the composer, if our record says that it was pasted into this very process and never entered, and its message was
    /// read or acknowledged by another way since: the agent ran `swarm-msg read` in the moment between the paste and Enter, or
    /// while no courier ran. Left there it would hold all later mail until a person comes by, for a text that nobody wrote but us.
    ///
    /// It is submitted all the same only where nothing at all speaks for a person: no key in that pane since the paste, no sign of the
    /// line outside the composer, no prompt hook that saw it (which counts as an Enter). A line that was ever submitted, or may have
    /// been, is never taken for this: its record says that Enter was pressed, or that its way went on to `submitted`.
    fn left_over(&self, seen: &Seen) -> Result<Option<Left>> {
        let Some(composer) = &seen.reading.composer else { return Ok(None) };
        let id = if composer.content == Content::Collapsed {
            self.last_pasted()?
        } else {
            frame::begun(&composer.text)
        };
        id.map_or(Ok(None), |id| self.left_of(seen, id))
    }

    /// The message whose text, or whose reminder, we pasted last into this very process. If the composer shows a sign in
    /// place of a text, only this text can be behind it.
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

    /// The line of that message, if it is such a line.
    fn left_of(&self, seen: &Seen, id: MessageId) -> Result<Option<Left>> {
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
                    return Ok(Some(Left { id, reminder: ring.is_some(), line }));
                }
            }
            return Ok(None);
        }
        Ok(None)
    }

    /// Looks until `done` (but at least `settle` long) or `patience` is over; gives the last look. It is done when two looks in a
    /// row say so and read the same composer: tmux may have got one half of a screen that is being drawn.
    fn watch(
        &self,
        patience: Duration,
        settle: Duration,
        done: impl Fn(&Seen) -> bool,
    ) -> Result<Option<Seen>> {
        let begun = Instant::now();
        let mut pause = LOOK_PAUSE.0;
        let mut before = None;
        loop {
            let Some(seen) = self.look()? else { return Ok(None) };
            let elapsed = begun.elapsed();
            let now = done(&seen).then(|| seen.reading.composer.clone());
            let steady = now.is_some() && now == before;
            if (steady && elapsed >= settle) || elapsed >= patience {
                return Ok(Some(seen));
            }
            if now.is_some() && !steady {
                pause = LOOK_PAUSE.0;
            }
            before = now;
            // Not past the end of the settling time: that moment is the first that can count.
            let rest = settle.saturating_sub(elapsed);
            std::thread::sleep(if rest.is_zero() { pause } else { pause.min(rest) });
            pause = (pause * 2).min(LOOK_PAUSE.1);
        }
    }

    /// One look, with the process checked after it: what was seen was seen of a living agent.
    fn look(&self) -> Result<Option<Seen>> {
        let Some(look) = self.server().look(&self.agent.place.pane)? else { return Ok(None) };
        let Some(process) = process::look(&self.agent.process) else { return Ok(None) };
        let reading = observe::reading(self.profile, self.agent.process.pid, &look);
        let place = &self.agent.place;
        let moved = look.dead || look.server != place.server || look.pane_pid != place.pane_pid;
        let mut keys = self.keys.borrow_mut();
        let human = keys.are_fresh(&look.keys, self.settings.quiet_s, now_ms() / 1000, Instant::now());
        let reported = report::fresh(self.store, &self.agent.name);
        Ok(Some(Seen { look, reading, process, moved, human, reported }))
    }

    /// Whether the agent was renamed since this round began.
    fn is_renamed(&self) -> Result<bool> {
        let bears = |a: &Agent| a.process == self.agent.process && a.name != self.agent.name;
        Ok(self.store.agents()?.iter().any(bears))
    }

    fn server(&self) -> Server {
        Server::new(&self.agent.place.socket).patient(ANSWER)
    }

    fn record(&self) -> Result<Delivery> {
        let known = self.store.delivery(&self.agent.name, &self.message.id)?;
        Ok(known.unwrap_or_else(|| Delivery::queued(self.message.id.clone(), now_ms())))
    }

    /// An entry of the journal: how far it is.
    fn stage_entry(&self, way: &Progress) -> Value {
        json!({"id": self.message.id, "to": self.agent.name, "stage": way.stage, "detail": way.detail, "reminder": self.reminder})
    }

    /// An entry of the journal: what is pressed where, and for what.
    fn act_entry(&self, act: Act, id: &MessageId) -> Value {
        json!({"id": id, "to": self.agent.name, "pane": self.agent.place.pane, "what": act.word(), "reminder": self.reminder})
    }

    /// Keeps tmux's answer to an act for the journal. If tmux did not say whether it did the act, it counts as done until a
    /// look shows otherwise.
    fn note_answer(&self, act: Act, acted: &Acted) {
        let (event, said) = match acted {
            Acted::Done => ("keys-answer", "done"),
            Acted::Stale => ("keys-answer", "not done: the pane had changed"),
            Acted::Unclear(said) => ("unclear", said.as_str()),
        };
        let mut entry = self.act_entry(act, &self.message.id);
        entry["tmux"] = json!(said);
        self.notes.said.borrow_mut().push((event, entry));
    }

    /// Journals tmux's answers that were not journalled with a mark. On a full disk only the delivery matters.
    fn flush(&self) {
        let said = self.notes.said.take();
        if !said.is_empty() {
            let _ = self.store.transact(|tx| said.into_iter().try_for_each(|(e, v)| tx.journal(e, v)));
        }
    }

    /// What is given to a channel of the agent's own: each line in a row of its own.
    pub(super) fn text(&self, name: &Name) -> String {
        if self.members.is_empty() {
            line_of(self.message, name, &Progress::default(), self.reminder)
        } else {
            frame::render_bundle(self.message, self.members, name, "\n")
        }
    }

    /// What is typed.
    fn line(&self, name: &Name, way: &Progress) -> String {
        if self.members.is_empty() {
            line_of(self.message, name, way, self.reminder)
        } else {
            line_of_bundle(self.message, name, way, (self.members, self.whole))
        }
    }

    /// Moves a submitted message out of the way. A bundle needs no more; its members may still be unread.
    fn given(&self, tx: &mut Transaction<'_>, delivery: &Delivery) -> Result<()> {
        let (name, file) = (&self.agent.name, self.message.file_name());
        if delivery.is_bundle() {
            tx.settle_members(name, delivery)?;
            tx.mark_read(name, &file)?;
        } else {
            tx.mark_given(name, &file)?;
        }
        Ok(())
    }

    /// The way of what is typed here: the message's, or its reminder's.
    fn way<'d>(&self, delivery: &'d mut Delivery) -> Option<&'d mut Progress> {
        match self.reminder {
            None => Some(&mut delivery.way),
            Some(ring) => delivery.ack.as_mut().filter(|a| a.rings == ring)?.reminder.as_mut(),
        }
    }

    pub(super) fn current(&self) -> Result<Progress> {
        let mut delivery = self.record()?;
        Ok(self.way(&mut delivery).cloned().unwrap_or_else(|| Progress::queued(now_ms())))
    }

    /// Whether it still waits to be given.
    pub(super) fn is_due(&self) -> bool {
        let folder = if self.reminder.is_some() { Folder::Unacked } else { Folder::New };
        self.store.mail_file(&self.agent.name, folder, &self.message.file_name()).exists()
    }

    /// Changes the way on record under the mutex, unless the message was read or settled meanwhile (`None`).
    pub(super) fn mark(&self, change: impl FnOnce(&mut Progress)) -> Result<Option<Progress>> {
        self.change(None, change)
    }

    /// The same before an act, which is journalled with it.
    fn mark_act(&self, act: Act, change: impl FnOnce(&mut Progress)) -> Result<Option<Progress>> {
        self.change(Some(act), change)
    }

    fn change(&self, act: Option<Act>, change: impl FnOnce(&mut Progress)) -> Result<Option<Progress>> {
        self.store.transact(|tx| {
            for (event, entry) in self.notes.said.take() {
                tx.journal(event, entry)?;
            }
            let mut delivery = self.record()?;
            let due = self.is_due();
            if due && delivery.is_bundle() && !self.store.brings_anything(&self.agent.name, &delivery)? {
                // All that it brings was read meanwhile.
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
                tx.journal("keys", self.act_entry(act, &self.message.id))?;
            }
            if after.stage == Stage::Submitted && self.reminder.is_none() {
                self.given(tx, &delivery)?;
            } else if after.stage == Stage::Typed && delivery.is_bundle() {
                tx.settle_members(&self.agent.name, &delivery)?;
            }
            if after.stage != before.stage {
                tx.journal("delivery", self.stage_entry(&after))?;
            }
            Ok(Some(after))
        })
    }
}

/// The reason that is recorded when a text is gone and Enter was pressed, or may have been.
const UNSEEN: &str = "it is gone from its composer, and no sign of a turn was seen";

/// What is typed for a message, or for a reminder of it.
fn line_of(message: &Verified, name: &Name, way: &Progress, reminder: Option<u32>) -> String {
    match reminder {
        Some(ring) => frame::render_reminder(message, name, ring),
        None if way.plain => frame::render_plain(message, name),
        None => frame::render(message, name),
    }
}

/// What is typed for a bundle, which brings these, and whose lines are typed with it if so.
fn line_of_bundle(
    bundle: &Verified,
    name: &Name,
    way: &Progress,
    (members, whole): (&[Verified], bool),
) -> String {
    if whole && !way.plain {
        frame::render_bundle(bundle, members, name, " ")
    } else {
        frame::render(bundle, name)
    }
}

/// By what a line is found on a screen.
fn ends(line: &str) -> [&str; 2] {
    [frame::head(line), frame::tail(line)]
}

/// Whether the line, or the part of it that has not scrolled away, is on the screen outside the composer and was not there
/// when it was typed.
fn stands_outside(line: &str, seen: &Seen, way: &Progress) -> bool {
    let inside = |end| seen.reading.composer.as_ref().map_or(0, |c| c.count(end));
    let outside = |end| seen.look.screen.count_ignoring_space(end).saturating_sub(inside(end));
    // The end is that of other lines of the same message, too, so it counts only where it is known what stood there before.
    let known = if way.typed_at > 0 { 2 } else { 1 };
    ends(line).into_iter().zip(way.stood).take(known).any(|(end, stood)| outside(end) > stood)
}

/// A line of a message that nobody waits for, in the composer.
struct Left {
    id: MessageId,
    reminder: bool,
    line: String,
}

/// Nothing was typed after all.
fn take_back(way: &mut Progress) {
    *way = Progress { stage: Stage::Held, typed_into: None, typed_as: None, typed_at: 0, ..way.clone() };
}

/// The text is still in the composer, with what came after Enter: the program did not take Enter, and never will.
fn never_entered(way: &mut Progress) {
    drop_to_typing(way);
    way.enters = 0;
}

/// The text is still in the composer: Enter has not been taken.
fn drop_to_typing(way: &mut Progress) {
    way.advance(Stage::Typing, "", now_ms());
}
