//! One message into one pane, exactly once.
//!
//! Two marks make a crash harmless: `typing` is on record before the text is pasted, `entering` before Enter is
//! pressed. So whoever goes on knows what may have happened, looks at the composer and the screen first, and neither
//! repeats nor loses the message. Each act on the pane is guarded by the facts of the look it was decided on. The pane
//! lock is held throughout; the store's mutex only for each mark, never across a tmux call.

use super::gate::{Hold, Scene};
use super::keys::Keys;
use super::servers::ANSWER;
use crate::agents::{self, Profile, Reading};
use crate::core::agent::{Agent, Status};
use crate::core::config::Settings;
use crate::core::delivery::{Delivery, Progress, Stage};
use crate::core::frame;
use crate::core::message::{Verified, parse_file_name};
use crate::hooks::report;
use crate::os::process;
use crate::store::mail::Folder;
use crate::store::{Store, fault, lock, now_ms};
use crate::tmux::Server;
use crate::tmux::pane::{Acted, Look};
use anyhow::Result;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How long to wait for pasted text to appear.
const APPEAR: Duration = Duration::from_secs(5);

/// Enters pressed for one message at the most.
const MAX_ENTERS: u32 = 4;

/// Pause between two looks: doubles from the first to the second value.
const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(8), Duration::from_millis(100));

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the agent's hands, by this evidence.
    Submitted(&'static str),
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
    /// The times to go by.
    pub settings: &'a Settings,
    /// What is known of people's keys in its pane.
    pub keys: &'a RefCell<Keys>,
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
        let outcome = match self.steps()? {
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
            // What may stand in the composer keeps its stage; only the reason changes.
            Outcome::Held(hold) => drop(self.mark(|d| {
                let stage =
                    if matches!(d.stage, Stage::Typing | Stage::Entering) { d.stage } else { Stage::Held };
                d.advance(stage, &hold.to_string(), now_ms());
            })?),
            Outcome::Gone => drop(self.mark(|d| {
                d.advance(Stage::Held, "its process has ended", now_ms());
            })?),
            Outcome::Settled => {}
        }
        Ok(outcome)
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
        let line = match self.reminder {
            None => frame::render(self.message, name),
            Some(ring) => frame::render_reminder(self.message, name, ring),
        };
        if !matches!(delivery.stage, Stage::Typing | Stage::Entering) {
            if let ControlFlow::Break(outcome) = self.paste(&line)? {
                return Ok(outcome);
            }
        } else if let ControlFlow::Break(outcome) = self.resume(&line, &delivery)? {
            return Ok(outcome);
        }
        self.submit(&line)
    }

    /// Steps 4 to 7: look twice, decide, paste under guard.
    fn paste(&self, line: &str) -> Result<ControlFlow<Outcome>> {
        let Some(first) = self.look()? else { return Ok(ControlFlow::Break(Outcome::Gone)) };
        if let Err(hold) = first.scene().may_paste() {
            // Not on the word of one look: an Enter beside a person's draft would submit it.
            if hold == Hold::Draft
                && self.left_over(&first)?.is_some()
                && let Some(seen) = self.watch(2 * self.settle(), self.settle(), |_| true)?
                && let Some(left) = self.left_over(&seen)?
            {
                self.clear_away(&left, seen)?;
                return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
            }
            return Ok(ControlFlow::Break(Outcome::Held(hold)));
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
        let (into, name) = (self.agent.process.clone(), self.agent.name.clone());
        let marked = self.mark(|d| {
            d.advance(Stage::Typing, "", now_ms());
            d.typed_into = Some(into);
            d.typed_as = Some(name);
            d.enters = 0;
        })?;
        if marked.is_none() {
            return Ok(ControlFlow::Break(Outcome::Settled));
        }
        fault::point("before-paste");
        let acted = self.server().paste(&self.agent.place.pane, &second.look, line)?;
        fault::point("after-paste");
        self.tell_unclear("paste", &acted);
        if acted == Acted::Stale {
            // Nothing was typed, so the mark may be taken back.
            self.mark(|d| {
                *d = Progress { stage: Stage::Held, typed_into: None, typed_as: None, ..d.clone() }
            })?;
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Changed)));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Step 11: a message that was being typed when the courier ended, or that is still in the composer.
    fn resume(&self, line: &str, delivery: &Progress) -> Result<ControlFlow<Outcome>> {
        let stage = delivery.stage;
        let Some(seen) = self.watch(self.settle(), Duration::ZERO, |_| true)? else {
            return Ok(ControlFlow::Break(Outcome::Gone));
        };
        if seen.moved {
            return Ok(ControlFlow::Break(Outcome::Held(Hold::Moved)));
        }
        if seen.composer_holds(line) {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(evidence) = self.taken(&seen, stage) {
            return Ok(ControlFlow::Break(Outcome::Submitted(evidence)));
        }
        if self.stays_mixed(&seen)? {
            self.mark(never_entered)?;
        }
        match seen.scene().may_paste() {
            // It never arrived: the paste was not made. Or a person took it away.
            Ok(()) if stage == Stage::Typing && !entered_late(delivery, &seen) => self.paste(line),
            Ok(()) => Ok(ControlFlow::Break(Outcome::Submitted("the composer is empty after Enter"))),
            Err(hold) => Ok(ControlFlow::Break(Outcome::Held(match hold {
                Hold::Draft => Hold::Mixed,
                other => other,
            }))),
        }
    }

    /// Between a paste and Enter at the least.
    fn settle(&self) -> Duration {
        Duration::from_millis(self.profile.timing.settle_ms)
    }

    /// Between Enter and its effect at the most.
    fn evidence(&self) -> Duration {
        Duration::from_millis(self.profile.timing.evidence_ms)
    }

    /// What the line begins with.
    fn marker(&self) -> String {
        match self.reminder {
            None => frame::marker(&self.message.id),
            Some(ring) => frame::reminder_marker(&self.message.id, ring),
        }
    }

    /// Whether the text is in the composer still, where it is not alone.
    fn is_mixed(&self, seen: &Seen) -> bool {
        seen.reading.composer.as_ref().is_some_and(|c| c.contains(&self.marker()))
    }

    /// The same for as long as a text needs to settle: what an agent shows while it draws its screen may never have been there.
    fn stays_mixed(&self, seen: &Seen) -> Result<bool> {
        let same = |now: &Seen| now.reading.composer == seen.reading.composer;
        Ok(self.is_mixed(seen)
            && self.watch(self.settle(), Duration::ZERO, |now| !same(now))?.is_some_and(|s| same(&s)))
    }

    /// Whether the text has left the composer for the transcript.
    fn taken(&self, seen: &Seen, stage: Stage) -> Option<&'static str> {
        let composer = seen.reading.composer.as_ref()?;
        let marker = self.marker();
        if composer.contains(&marker) {
            return None;
        }
        if seen.look.screen.contains_ignoring_space(&marker) {
            return Some("it stands in the transcript");
        }
        // Behind a dialog the text may stand as before, whatever is shown of the composer.
        let shown = matches!(seen.reading.state, Status::Idle | Status::Busy | Status::Draft);
        (shown && stage == Stage::Entering).then_some("the composer was cleared by Enter")
    }

    /// Steps 8 to 10: see the text, press Enter under guard, see it taken.
    fn submit(&self, line: &str) -> Result<Outcome> {
        let appeared = self.watch(APPEAR, self.settle(), |seen| seen.composer_holds(line))?;
        let mut seen = match appeared {
            Some(seen) if seen.composer_holds(line) => seen,
            Some(seen) => {
                let hold = if self.taken(&seen, Stage::Typing).is_some() {
                    return Ok(Outcome::Submitted("somebody submitted it"));
                } else {
                    match seen.scene().may_enter(line) {
                        Err(Hold::Mixed) if seen.reading.state == Status::Idle => Hold::NotSeen,
                        Err(hold) => hold,
                        Ok(()) => Hold::Changed,
                    }
                };
                return Ok(Outcome::Held(hold));
            }
            None => return Ok(Outcome::Gone),
        };
        loop {
            if let Err(hold) = seen.scene().may_enter(line) {
                return Ok(Outcome::Held(hold));
            }
            let Some(delivery) = self.mark(|d| {
                if d.enters < MAX_ENTERS {
                    d.advance(Stage::Entering, "", now_ms());
                }
                d.enters = d.enters.saturating_add(1);
            })?
            else {
                // Renamed since it was pasted: it goes on under the new name, with the next round.
                if self.is_renamed()? {
                    return Ok(Outcome::Held(Hold::Changed));
                }
                // Read or acknowledged since: what we left there must not stay in everybody's way.
                self.clear_away(line, seen)?;
                return Ok(Outcome::Settled);
            };
            if delivery.enters > MAX_ENTERS {
                return Ok(Outcome::Held(Hold::EnterIgnored));
            }
            fault::point("before-enter");
            let acted = self.server().enter(&self.agent.place.pane, &seen.look)?;
            fault::point("after-enter");
            self.tell_unclear("enter", &acted);
            if acted == Acted::Stale {
                self.mark(|d| {
                    d.enters = d.enters.saturating_sub(1);
                    drop_to_typing(d);
                })?;
            }
            let pressed = acted != Acted::Stale;
            let patience = if pressed { self.evidence() } else { self.settle() };
            let after = self.watch(patience, Duration::ZERO, |seen| {
                seen.reading.composer.is_some() && !seen.composer_holds(line)
            })?;
            match after {
                None => return Ok(Outcome::Gone),
                Some(next) if next.composer_holds(line) => {
                    // Enter has had no effect so far. A busy machine may take it later still: see `entered_late`.
                    self.mark(drop_to_typing)?;
                    fault::point("enter-unseen");
                    seen = next;
                }
                Some(next) => {
                    // An Enter that was not pressed has cleared nothing.
                    let stage = if pressed { Stage::Entering } else { Stage::Typing };
                    return Ok(match self.taken(&next, stage) {
                        Some(evidence) => Outcome::Submitted(evidence),
                        None if self.stays_mixed(&next)? => {
                            self.mark(never_entered)?;
                            Outcome::Held(Hold::Mixed)
                        }
                        None => Outcome::Held(next.scene().may_enter(line).err().unwrap_or(Hold::Changed)),
                    });
                }
            }
        }
    }

    /// Submits a line of ours that nobody waits for any more: Enter under the full gate, until the composer is free of it.
    fn clear_away(&self, line: &str, mut seen: Seen) -> Result<()> {
        for _ in 0..MAX_ENTERS {
            if seen.scene().may_enter(line).is_err() {
                return Ok(());
            }
            self.server().enter(&self.agent.place.pane, &seen.look)?;
            match self.watch(self.evidence(), Duration::ZERO, |seen| !seen.composer_holds(line))? {
                Some(next) => seen = next,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The line in the composer, if it is exactly what was typed for a message of this agent that was read or acknowledged
    /// before Enter was pressed.
    fn left_over(&self, seen: &Seen) -> Result<Option<String>> {
        let agent = self.agent;
        let Some(id) = seen.reading.composer.as_ref().and_then(|c| frame::begun(&c.text)) else {
            return Ok(None);
        };
        for folder in [Folder::Given, Folder::Cur] {
            for file in self.store.mail_files(&agent.name, folder)? {
                if parse_file_name(&file).is_none_or(|(_, found)| found != id) {
                    continue;
                }
                let found = self.store.message(&agent.name, &agent.formerly, folder, &file)?;
                let Some(Ok(message)) = found else { continue };
                let names = std::iter::once(&agent.name).chain(&agent.formerly);
                let mut lines = names.flat_map(|name| frame::renderings(&message, name));
                return Ok(lines.find(|line| seen.composer_holds(line)));
            }
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
        let reading = agents::read(self.profile, &look.screen, &look.facts);
        let place = &self.agent.place;
        let moved = look.dead || look.server != place.server || look.pane_pid != place.pane_pid;
        let mut keys = self.keys.borrow_mut();
        let human = keys.are_fresh(&look.keys, self.settings.quiet_s, now_ms() / 1000, Instant::now());
        let reported = report::fresh(self.store, &self.agent.name);
        Ok(Some(Seen { look, reading, process, moved, human, reported }))
    }

    /// Whether the agent bears another name now than when this round began.
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

    /// Journals that tmux did not say whether it did something. It counts as done until a look shows otherwise.
    fn tell_unclear(&self, act: &str, acted: &Acted) {
        let Acted::Unclear(said) = acted else { return };
        let fields =
            serde_json::json!({"id": self.message.id, "to": self.agent.name, "act": act, "tmux": said});
        // The delivery is what matters, on a full disk, too.
        let _ = self.store.transact(|tx| tx.journal("unclear", fields));
    }

    /// The way of what is typed here: the message's, or its reminder's.
    fn way<'d>(&self, delivery: &'d mut Delivery) -> Option<&'d mut Progress> {
        match self.reminder {
            None => Some(&mut delivery.way),
            Some(ring) => delivery.ack.as_mut().filter(|a| a.rings == ring)?.reminder.as_mut(),
        }
    }

    fn current(&self) -> Result<Progress> {
        let mut delivery = self.record()?;
        Ok(self.way(&mut delivery).cloned().unwrap_or_else(|| Progress::queued(now_ms())))
    }

    /// Changes the way on record under the mutex, unless the message was read or settled meanwhile (`None`).
    fn mark(&self, change: impl FnOnce(&mut Progress)) -> Result<Option<Progress>> {
        self.store.transact(|tx| {
            let mut delivery = self.record()?;
            let folder = if self.reminder.is_some() { Folder::Unacked } else { Folder::New };
            let due = self.store.mail_file(&self.agent.name, folder, &self.message.file_name()).exists();
            let Some(way) = self.way(&mut delivery).filter(|way| due && way.stage.is_open()) else {
                return Ok(None);
            };
            let before = way.clone();
            change(way);
            let after = way.clone();
            if after == before {
                return Ok(Some(after));
            }
            if let (Stage::Submitted, Some(_), Some(clock)) = (after.stage, self.reminder, &mut delivery.ack) {
                clock.reminded(now_ms(), &self.settings.reminders);
            }
            tx.put_delivery(&self.agent.name, &delivery)?;
            if after.stage == Stage::Submitted && self.reminder.is_none() {
                tx.mark_given(&self.agent.name, &self.message.file_name())?;
            }
            if after.stage != before.stage {
                tx.journal(
                    "delivery",
                    serde_json::json!({"id": delivery.id, "to": self.agent.name, "stage": after.stage, "detail": after.detail, "reminder": self.reminder}),
                )?;
            }
            Ok(Some(after))
        })
    }
}

/// How long after the last sight of a text in the composer its absence from the transcript tells nothing, in milliseconds: it
/// has scrolled away by then, perhaps.
const SCROLLED_MS: u64 = 5000;

/// Whether a text that was in the composer after Enter, and is neither there now nor in the transcript, was taken by that Enter
/// after all: it was pressed, that is long ago, and nobody has touched a key there since who could have taken the text away.
fn entered_late(delivery: &Progress, seen: &Seen) -> bool {
    delivery.enters > 0
        && now_ms().abs_diff(delivery.since) > SCROLLED_MS
        && !seen.look.keys.iter().any(|key| *key >= delivery.since / 1000)
}

/// The text is still in the composer, and what came after Enter is there, too: Enter was not taken, nor will it be.
fn never_entered(way: &mut Progress) {
    drop_to_typing(way);
    way.enters = 0;
}

/// The text is still in the composer: Enter has not been taken.
fn drop_to_typing(way: &mut Progress) {
    way.advance(Stage::Typing, "", now_ms());
}
