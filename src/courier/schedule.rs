//! Decides when the recurring tasks of the courier are due, and how long it sleeps between them.
//!
//! The time is a parameter. The schedule is kept in memory only: a killed courier loses nothing by it.

use super::serve::Pass;
use std::time::{Duration, Instant};

/// How often the panes are searched for agents that no hook reported. tmux is asked only if the processes show a
/// change.
const SURVEY_EVERY: Duration = Duration::from_secs(15);

/// How often the courier checks that the known agents live.
const PULSE: Duration = Duration::from_secs(5);

/// How often it checks while there are leases: a dead agent's leases are free within this time, and deadlines have
/// this precision. Also how often an agent that has just ended is looked for.
pub(super) const LEASE_PULSE: Duration = Duration::from_secs(2);

/// How often the agents are looked at while one of them is busy with something that will end. Otherwise it is done
/// with each survey.
const WATCH: Duration = Duration::from_secs(5);

/// The shortest time between two such looks, however often somebody rings.
const GLANCE: Duration = Duration::from_secs(1);

/// The pause before held mail is tried again: it grows to the second value while nothing changes.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How often old read mail is removed.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How often every lease record is read, whatever the index of leases says.
const INSPECT_EVERY: Duration = Duration::from_secs(60);

/// A task that recurs.
#[derive(Debug)]
pub(super) struct Every {
    every: Duration,
    last: Option<Instant>,
}

impl Every {
    /// A task that was never done, and so is due.
    const fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether it is due. If so, it counts as done from now on.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|at| now.duration_since(at) >= self.every);
        if due {
            self.last = Some(now);
        }
        due
    }
}

/// The result of one round, as far as the next depends on it.
#[derive(Debug, Default)]
pub(super) struct Came {
    /// The result for the mail.
    pub(super) pass: Pass,
    /// A task failed.
    pub(super) failed: bool,
    /// There are leases to watch.
    pub(super) leased: bool,
    /// The courier waits for a new agent.
    pub(super) expecting: bool,
    /// When the next clock of an acknowledgement is due, from now.
    pub(super) due: Option<Duration>,
}

/// The times of all recurring tasks.
#[derive(Debug)]
pub(super) struct Schedule {
    /// When the panes were searched last.
    surveyed: Option<Instant>,
    /// When the agents were looked at last.
    observed: Option<Instant>,
    /// One of them was busy then with something that will end.
    active: bool,
    /// The shown states may be out of date.
    stale: bool,
    /// Somebody rang since the last round.
    rang: bool,
    pause: Duration,
    /// When to remove old read mail.
    pub(super) tidy: Every,
    /// When to read every lease record.
    pub(super) inspect: Every,
}

impl Default for Schedule {
    /// Everything is due.
    fn default() -> Self {
        Self {
            surveyed: None,
            observed: None,
            active: false,
            stale: true,
            rang: true,
            pause: RETRY.0,
            tidy: Every::new(TIDY_EVERY),
            inspect: Every::new(INSPECT_EVERY),
        }
    }
}

impl Schedule {
    /// How long ago the panes were searched.
    pub(super) fn since_survey(&self, now: Instant) -> Duration {
        self.surveyed.map_or(Duration::MAX, |at| now.duration_since(at))
    }

    /// Whether a survey is due because of its time alone.
    pub(super) fn survey_is_late(&self, now: Instant) -> bool {
        self.since_survey(now) >= SURVEY_EVERY
    }

    /// The panes were searched, or none had changed (`again` is false). After a search the agents are looked at.
    pub(super) fn surveyed(&mut self, now: Instant, again: bool) {
        self.surveyed = Some(now);
        if again {
            self.observed = None;
        }
    }

    /// Whether the last survey is so recent that its other tasks must be done.
    pub(super) fn has_just_surveyed(&self, now: Instant) -> bool {
        self.since_survey(now) < PULSE
    }

    /// Notes the result of delivering the mail.
    pub(super) fn delivered(&mut self, pass: Pass, failed: bool) {
        self.pause = if self.rang || pass.progress || !(pass.waiting || failed) {
            RETRY.0
        } else {
            (self.pause * 2).min(RETRY.1)
        };
        // Somebody rang, or got mail: the shown states may be out of date.
        self.stale |= self.rang || pass.progress;
    }

    /// Whether it is time to look at the agents.
    pub(super) fn look_is_due(&self, now: Instant) -> bool {
        let every = if self.stale {
            GLANCE
        } else if self.active {
            WATCH
        } else {
            SURVEY_EVERY
        };
        self.observed.is_none_or(|at| now.duration_since(at) >= every)
    }

    /// Whether the agents must be looked at then, even without a sign that their screens have changed.
    pub(super) fn must_look(&self) -> bool {
        self.stale || self.observed.is_none()
    }

    /// The agents were looked at. `active`: one of them is busy; `None`: it was time, but nobody looked.
    pub(super) fn looked(&mut self, now: Instant, active: Option<bool>) {
        self.active = active.unwrap_or(self.active);
        (self.observed, self.stale) = (Some(now), false);
    }

    /// How long to sleep after this round.
    pub(super) fn rest(&self, came: &Came) -> Duration {
        // A message that was just delivered may have started a clock.
        let again = came.pass.waiting || came.pass.progress || came.expecting || came.failed;
        let idle = if came.leased { LEASE_PULSE } else { PULSE };
        let rest = if again { self.pause } else { idle };
        let rest = if self.stale { rest.min(GLANCE) } else { rest };
        rest.min(came.due.unwrap_or(PULSE))
    }

    /// The sleep is over; `rang` says whether by a ring.
    pub(super) fn woke(&mut self, rang: bool) {
        self.rang = rang;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn everything_is_due_at_first_and_then_after_its_time() {
        let (start, mut schedule) = (Instant::now(), Schedule::default());
        assert!(schedule.survey_is_late(start) && schedule.look_is_due(start) && schedule.must_look());
        assert!(schedule.inspect.is_due(start) && !schedule.inspect.is_due(start + 59 * S));
        assert!(schedule.inspect.is_due(start + 60 * S));
        schedule.surveyed(start, true);
        schedule.looked(start, Some(false));
        assert!(!schedule.survey_is_late(start + 14 * S) && schedule.survey_is_late(start + 15 * S));
        assert!(!schedule.look_is_due(start + 14 * S) && schedule.look_is_due(start + 15 * S));
        assert!(schedule.has_just_surveyed(start + 4 * S) && !schedule.has_just_surveyed(start + 5 * S));
    }

    #[test]
    fn the_agents_are_looked_at_sooner_after_a_ring_and_while_one_works() {
        let (start, mut schedule) = (Instant::now(), Schedule::default());
        schedule.looked(start, Some(true));
        assert!(!schedule.look_is_due(start + 4 * S) && schedule.look_is_due(start + 5 * S));
        schedule.woke(true);
        schedule.delivered(Pass::default(), false);
        assert!(!schedule.look_is_due(start) && schedule.look_is_due(start + S) && schedule.must_look());
        schedule.looked(start + S, None);
        assert!(!schedule.must_look() && schedule.look_is_due(start + 6 * S), "still one works");
        schedule.surveyed(start + 6 * S, true);
        assert!(schedule.must_look() && schedule.look_is_due(start + 6 * S), "a survey wants a look");
    }

    #[test]
    fn held_mail_is_tried_again_at_growing_intervals_until_something_changes() {
        let mut schedule = Schedule::default();
        let waiting = Came { pass: Pass { waiting: true, progress: false }, ..Came::default() };
        schedule.looked(Instant::now(), None);
        let mut rests = Vec::new();
        for rang in [true, false, false, false, false, true] {
            schedule.woke(rang);
            schedule.delivered(waiting.pass, false);
            schedule.looked(Instant::now(), None);
            rests.push(schedule.rest(&waiting).as_millis());
        }
        assert_eq!(rests, [250, 500, 1000, 2000, 2000, 250]);
    }

    #[test]
    fn without_mail_it_sleeps_as_long_as_leases_and_clocks_allow() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.rest(&Came::default()), GLANCE, "what is shown is out of date");
        schedule.looked(Instant::now(), None);
        assert_eq!(schedule.rest(&Came::default()), PULSE);
        assert_eq!(schedule.rest(&Came { leased: true, ..Came::default() }), LEASE_PULSE);
        let due = Some(Duration::from_millis(70));
        assert_eq!(schedule.rest(&Came { leased: true, due, ..Came::default() }).as_millis(), 70);
        assert_eq!(schedule.rest(&Came { expecting: true, ..Came::default() }), RETRY.0);
    }
}
