//! One look at the pane of a delivery, and looking again until a condition holds.

use super::Attempt;
use crate::agents::{Content, Reading};
use crate::core::agent::Status;
use crate::core::frame;
use crate::courier::gate::Scene;
use crate::courier::servers::ANSWER;
use crate::hooks::report;
use crate::os::{process, terminal};
use crate::roster::observe;
use crate::store::now_ms;
use crate::tmux::Server;
use crate::tmux::pane::Look;
use anyhow::Result;
use std::time::{Duration, Instant};

/// The pause between two looks doubles from the first to the second value.
pub(super) const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(8), Duration::from_millis(100));

/// The pauses after an Enter whose effect is looked for in the same call: most programs have taken it by then.
pub(super) const AFTER_ENTER: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(8)];

/// The longest settle time that is waited for within one call.
const LONGEST: Duration = Duration::from_secs(1);

/// The last part of a settle time: between the two looks that have to agree at its end.
const LAST: Duration = Duration::from_millis(40);

/// How long the courier waits for a program to come to rest. Some never do: they move something on the screen, or
/// work beside it.
const REST: Duration = Duration::from_secs(5);

/// How long a program may wait on purpose before it draws: for the next frame.
const FRAME: Duration = Duration::from_millis(50);

/// A look with its interpretation.
pub(super) struct Sight {
    pub(super) look: Look,
    pub(super) reading: Reading,
    process: process::Process,
    pub(super) moved: bool,
    human: bool,
    reported: Option<Status>,
}

impl Sight {
    pub(super) fn scene(&self) -> Scene<'_> {
        let (human, reported) = (self.human, self.reported);
        Scene { human, reported, ..Scene::of(&self.look, self.moved, &self.reading, &self.process) }
    }

    pub(super) fn size(&self) -> (u16, u16) {
        (self.look.facts.width, self.look.facts.height)
    }

    /// Whether the composer is visible, and nothing covers it that may hide its text.
    pub(super) fn is_shown(&self) -> bool {
        self.reading.composer.is_some()
            && matches!(self.reading.state, Status::Idle | Status::Busy | Status::Draft)
    }

    /// Whether the text is in the composer, but not exactly as it was typed.
    pub(super) fn is_beside(&self, line: &str) -> bool {
        let composer = self.reading.composer.as_ref();
        composer.is_some_and(|c| c.contains(frame::head(line)) && !c.holds(line))
    }

    /// Whether the composer shows a sign in place of a long paste.
    pub(super) fn is_collapsed(&self) -> bool {
        self.reading.composer.as_ref().is_some_and(|c| c.content == Content::Collapsed)
    }

    /// Whether a person pressed a key in the pane since then (ms since the epoch).
    pub(super) fn touched_since(&self, since: u64) -> bool {
        self.look.keys.iter().any(|key| *key >= since / 1000)
    }

    pub(super) fn composer_holds(&self, line: &str) -> bool {
        self.reading.composer.as_ref().is_some_and(|c| c.holds(line))
    }
}

impl Attempt<'_> {
    /// Looks until `done` (but at least `settle` long), or until `patience` is over; returns the last look. It is
    /// done when two looks in a row satisfy `done` and read the same composer: tmux may have captured one half of a
    /// screen that is being drawn.
    pub(super) fn watch(
        &self,
        patience: Duration,
        settle: Duration,
        done: impl Fn(&Sight) -> bool,
    ) -> Result<Option<Sight>> {
        self.watch_on(Vec::new(), patience, settle, done)
    }

    /// [`Attempt::watch`] that continues after looks of the call that began it. Each comes with the time since then.
    pub(super) fn watch_on(
        &self,
        so_far: Vec<(Duration, Sight)>,
        patience: Duration,
        settle: Duration,
        done: impl Fn(&Sight) -> bool,
    ) -> Result<Option<Sight>> {
        let passed = so_far.last().map(|(after, _)| *after).unwrap_or_default();
        let begun = Instant::now();
        let mut so_far = so_far.into_iter();
        let mut pause = LOOK_PAUSE.0;
        let mut before = None;
        loop {
            let (elapsed, seen) = match so_far.next() {
                Some(given) => given,
                None => match self.look()? {
                    Some(seen) => (passed + begun.elapsed(), seen),
                    None => return Ok(None),
                },
            };
            let now = done(&seen).then(|| seen.reading.composer.clone());
            let steady = now.is_some() && now == before;
            if (steady && elapsed >= settle) || elapsed >= patience {
                return Ok(Some(seen));
            }
            if now.is_some() && !steady {
                pause = LOOK_PAUSE.0;
            }
            before = now;
            if so_far.len() > 0 {
                continue;
            }
            // Not past the end of the settle time: that moment is the first that can count.
            let rest = settle.saturating_sub(elapsed);
            std::thread::sleep(if rest.is_zero() { pause } else { pause.min(rest) });
            pause = (pause * 2).min(LOOK_PAUSE.1);
        }
    }

    /// One look, with the process checked after it: the look then shows a living agent.
    pub(super) fn look(&self) -> Result<Option<Sight>> {
        Ok(self.server().look(&self.agent.place.pane)?.and_then(|look| self.read(look)))
    }

    /// Two looks, one after the other. If both show that something may be typed, the program was at rest before and
    /// after them. Otherwise a key that it has read and not drawn yet would be joined with swarm's text. A program
    /// that does not come to rest is taken as the last look shows it.
    pub(super) fn look_twice(&self) -> Result<Option<(Sight, Sight)>> {
        let pid = self.agent.process.pid;
        let begun = Instant::now();
        let mut pause = LOOK_PAUSE.0;
        loop {
            let rested = terminal::is_at_rest(pid) != Some(false);
            let looks = self.server().looks_after(&self.agent.place.pane, &[Duration::ZERO, pause])?;
            let mut seen = looks.into_iter().map_while(|look| self.read(look));
            let Some((first, second)) = seen.next().zip(seen.next()) else { return Ok(None) };
            let counts = first.scene().may_paste().is_ok() && second.scene().may_paste().is_ok();
            let rests = rested && terminal::is_at_rest(pid) != Some(false);
            if !counts || rests || begun.elapsed() >= REST {
                return Ok(Some((first, second)));
            }
            self.rest(begun);
            pause = FRAME;
        }
    }

    /// Waits until the program is at rest, or has had its time since `begun`. Returns whether it had to wait.
    pub(super) fn rest(&self, begun: Instant) -> bool {
        let mut pause = LOOK_PAUSE.0;
        let mut waited = false;
        while terminal::is_at_rest(self.agent.process.pid) == Some(false) && begun.elapsed() < REST {
            std::thread::sleep(pause);
            pause = (pause * 2).min(LOOK_PAUSE.1);
            waited = true;
        }
        waited
    }

    /// Looks that were taken after these pauses.
    pub(super) fn read_after(&self, pauses: &[Duration], looks: Vec<Look>) -> Vec<(Duration, Sight)> {
        let mut after = Duration::ZERO;
        let read = |(pause, look): (&Duration, Look)| {
            after += *pause;
            Some((after, self.read(look)?))
        };
        pauses.iter().zip(looks).map_while(read).collect()
    }

    fn read(&self, look: Look) -> Option<Sight> {
        let process = process::look(&self.agent.process)?;
        let mut reading = observe::reading(self.profile, self.agent.process.pid, &look);
        if observe::is_over(self.agent, reading.limit.as_deref()) {
            (reading.state, reading.limit) = (Status::Idle, None);
        }
        let moved = !look.is_in(&self.agent.place);
        let mut keys = self.keys.borrow_mut();
        let human = keys.are_fresh(&look.keys, self.settings.quiet, now_ms() / 1000, Instant::now());
        let reported = report::fresh(self.store, &self.agent.name);
        Some(Sight { look, reading, process, moved, human, reported })
    }

    /// The pauses of the two looks that end a settle time. A long time has looks in between, by calls of their own.
    pub(super) fn settling(&self) -> Vec<Duration> {
        let settle = self.settle_time();
        if settle > LONGEST {
            return Vec::new();
        }
        let last = LAST.min(settle / 2);
        vec![settle.saturating_sub(last), last]
    }

    /// The least time between a paste and Enter.
    pub(super) fn settle_time(&self) -> Duration {
        self.profile.timing.settle
    }

    /// The greatest time between Enter and its effect.
    pub(super) fn patience(&self) -> Duration {
        self.profile.timing.evidence
    }

    pub(super) fn server(&self) -> Server {
        Server::new(&self.agent.place.socket).patient(ANSWER)
    }
}
