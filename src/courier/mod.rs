//! The courier: one process per project that types into panes and does everything with a time to it.
//!
//! Single by a flock held for its life; woken by a byte in a FIFO; ends with the last tmux server that it knows. A server that
//! does not answer delays nobody but its own agents.
//! Everything it knows is in the store, so killing it at any instant loses and repeats nothing. What fails (a full disk) is tried
//! again with the next round. A store that is removed, or made anew in the same place, is not its store any more: it ends. Idle it
//! sleeps in one `poll` and looks at its agents' pids and at the files of its settings and profiles now and then.

pub mod board;
pub mod coordination;
pub mod delivery;
pub mod discovery;
pub mod gate;
pub mod keys;
pub mod letters;
pub mod memo;
pub mod observe;
pub mod round;
pub mod rules;
pub mod servers;
pub mod start;
pub mod witness;

use crate::store::wake::Listener;
use crate::store::{Store, fault, lock, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use round::Round;
use std::time::{Duration, Instant};

/// How often the panes are looked at for agents that no hook told of.
const SURVEY_EVERY: Duration = Duration::from_secs(15);

/// How often liveness of the known agents is looked at.
const PULSE: Duration = Duration::from_secs(5);

/// The same while there are leases: those of a dead agent are free within this, and deadlines are kept to it.
const LEASE_PULSE: Duration = Duration::from_secs(2);

/// How often the agents are looked at while one of them is at something that will end. Otherwise with each survey.
const WATCH: Duration = Duration::from_secs(5);

/// The shortest time between two such looks, however often somebody rings.
const GLANCE: Duration = Duration::from_secs(1);

/// The pause before held mail is tried again: it grows to the second value while nothing changes.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Runs the courier until its tmux servers, or its store, are gone. Returns at once if another one runs.
pub fn run(store: &Store, first: &Server) -> Result<()> {
    let place = store.dir().join("courier.lock");
    let Some(single) = lock::try_exclusive(&place)? else { return Ok(()) };
    // The FIFO is open before the first look at the mail, so no ring is missed in between.
    let mut bell = Listener::open(&store.dir().join("wake"))?;
    fault::point("courier-started");
    let mut round = Round::new(store, first);
    let mut surveyed: Option<Instant> = None;
    let mut pause = RETRY.0;
    let mut rang = true;
    let mut observed: Option<Instant> = None;
    let mut active = false;
    let mut owed = true;
    while single.is_at(&place) {
        let mut failed = Failed::default();
        failed.take(round.configure());
        let due = round.hear() || surveyed.is_none_or(|at| at.elapsed() >= SURVEY_EVERY);
        if due || failed.take(round.lost_somebody()).unwrap_or_default() {
            surveyed = Some(Instant::now());
            if failed.take(round.survey()) == Some(false) {
                return Ok(());
            }
            failed.take(round.tidy());
            observed = None;
        }
        failed.take(round.witness());
        let due = failed.take(round.letters()).flatten();
        let leased = failed.take(round.leases()).unwrap_or(true);
        let (pass, trouble) = failed.take(round.deliver()).unwrap_or_default();
        failed.0.extend(trouble);
        pause = if rang || pass.progress || !(pass.waiting || failed.any()) {
            RETRY.0
        } else {
            (pause * 2).min(RETRY.1)
        };
        // Somebody rang, or got something to do: what is shown is out of date, perhaps.
        owed |= rang || pass.progress;
        let look_every = if owed {
            GLANCE
        } else if active {
            WATCH
        } else {
            SURVEY_EVERY
        };
        if observed.is_none_or(|at| at.elapsed() >= look_every) {
            active = failed.take(round.observe()).unwrap_or(active);
            observed = Some(Instant::now());
            owed = false;
        }
        failed.take(round.show());
        // What was just delivered may have started a clock.
        let rest = if pass.waiting || pass.progress || failed.any() {
            pause
        } else if leased {
            LEASE_PULSE
        } else {
            PULSE
        };
        failed.tell(&mut round);
        let rest = if owed { rest.min(GLANCE) } else { rest };
        let until_due = due.map_or(PULSE, |at| Duration::from_millis(at.saturating_sub(now_ms()).max(1)));
        rang = bell.wait(rest.min(until_due))?;
    }
    Ok(())
}

/// What went wrong in one round. Nothing of it ends the courier.
#[derive(Default)]
struct Failed(Vec<anyhow::Error>);

impl Failed {
    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn tell(self, round: &mut Round<'_>) {
        if self.0.is_empty() {
            round.went_well();
        }
        for error in &self.0 {
            round.note(error);
        }
    }
}
