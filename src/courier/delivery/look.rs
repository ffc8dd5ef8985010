//! One look at the pane of a delivery, and looking until something is so.

use super::Attempt;
use crate::agents::{Content, Reading};
use crate::core::agent::Status;
use crate::core::frame;
use crate::courier::gate::Scene;
use crate::courier::servers::ANSWER;
use crate::hooks::report;
use crate::os::process;
use crate::roster::observe;
use crate::store::now_ms;
use crate::tmux::Server;
use crate::tmux::pane::Look;
use anyhow::Result;
use std::time::{Duration, Instant};

/// Pause between two looks: doubles from the first to the second value.
pub(super) const LOOK_PAUSE: (Duration, Duration) = (Duration::from_millis(8), Duration::from_millis(100));

/// A look with its interpretation.
pub(super) struct Seen {
    pub(super) look: Look,
    pub(super) reading: Reading,
    process: process::Process,
    pub(super) moved: bool,
    human: bool,
    reported: Option<Status>,
}

impl Seen {
    pub(super) fn scene(&self) -> Scene<'_> {
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
    pub(super) fn is_shown(&self) -> bool {
        self.reading.composer.is_some()
            && matches!(self.reading.state, Status::Idle | Status::Busy | Status::Draft)
    }

    /// Whether the text is in the composer, but not just as it was typed.
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
    /// Looks until `done` (but at least `settle` long) or `patience` is over; gives the last look. It is done when two looks in a
    /// row say so and read the same composer: tmux may have got one half of a screen that is being drawn.
    pub(super) fn watch(
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
    pub(super) fn look(&self) -> Result<Option<Seen>> {
        let Some(look) = self.server().look(&self.agent.place.pane)? else { return Ok(None) };
        let Some(process) = process::look(&self.agent.process) else { return Ok(None) };
        let reading = observe::reading(self.profile, self.agent.process.pid, &look);
        let place = &self.agent.place;
        let moved = look.dead || look.server != place.server || look.pane_pid != place.pane_pid;
        let mut keys = self.keys.borrow_mut();
        let human = keys.are_fresh(&look.keys, self.settings.quiet, now_ms() / 1000, Instant::now());
        let reported = report::fresh(self.store, &self.agent.name);
        Ok(Some(Seen { look, reading, process, moved, human, reported }))
    }

    /// Between a paste and Enter at the least.
    pub(super) fn settle(&self) -> Duration {
        self.profile.timing.settle
    }

    /// Between Enter and its effect at the most.
    pub(super) fn patience(&self) -> Duration {
        self.profile.timing.evidence
    }

    pub(super) fn server(&self) -> Server {
        Server::new(&self.agent.place.socket).patient(ANSWER)
    }
}
