//! The clock of an acknowledgement that somebody waits for.
//!
//! Pure: for a given time, it returns what is due. The clock starts when the message was typed or submitted. A
//! reminder is due after each wait of the schedule. If the last wait passes once more without an answer, the message
//! is escalated, once. A wait begins when the reminder before it was submitted, so the time in which a reminder is
//! held does not count. All of this is stored, so a restarted courier continues where the last one stopped.

use super::delivery::Progress;
use serde::{Deserialize, Serialize};

/// How long to wait before each reminder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReminderTimes {
    waits_ms: Vec<u64>,
}

impl Default for ReminderTimes {
    /// 30, 60 and 120 seconds, as in the Python system that swarm replaces.
    fn default() -> Self {
        Self { waits_ms: vec![30_000, 60_000, 120_000] }
    }
}

impl ReminderTimes {
    /// The most reminders a schedule may have.
    pub const MAX: usize = 10;

    /// A schedule of these waits in milliseconds; `None` without a wait, with more than [`ReminderTimes::MAX`], or
    /// with one of 0.
    pub fn new(waits_ms: Vec<u64>) -> Option<Self> {
        let good = (1..=Self::MAX).contains(&waits_ms.len()) && !waits_ms.contains(&0);
        good.then_some(Self { waits_ms })
    }

    pub fn reminders(&self) -> u32 {
        u32::try_from(self.waits_ms.len()).unwrap_or(u32::MAX)
    }

    /// The wait after `rings` reminders.
    fn wait(&self, rings: u32) -> u64 {
        let index = usize::try_from(rings).unwrap_or(usize::MAX).min(self.waits_ms.len() - 1);
        self.waits_ms[index]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is due before this time (ms since the epoch).
    Wait(u64),
    /// A reminder is on its way.
    Reminding,
    Remind,
    Escalate,
}

/// The clock of an awaited acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AckClock {
    /// Reminders begun so far.
    #[serde(default)]
    pub rings: u32,
    /// When the next step is due (ms since the epoch).
    #[serde(default)]
    pub due: u64,
    /// The progress of the latest reminder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminder: Option<Progress>,
    /// Whether it was escalated.
    #[serde(default)]
    pub escalated: bool,
}

impl AckClock {
    /// A clock that starts now.
    pub fn start(now_ms: u64, schedule: &ReminderTimes) -> Self {
        Self { rings: 0, due: now_ms + schedule.wait(0), reminder: None, escalated: false }
    }

    /// What is due at `now_ms`. If somebody set the clock back, [`AckClock::repair`] shortens waits that are longer
    /// than the schedule's.
    pub fn step(&self, now_ms: u64, schedule: &ReminderTimes) -> Step {
        match &self.reminder {
            Some(reminder) if reminder.stage.is_open() => Step::Reminding,
            _ if now_ms < self.due => Step::Wait(self.due),
            _ if self.rings >= schedule.reminders() => Step::Escalate,
            _ => Step::Remind,
        }
    }

    /// Begins a reminder.
    pub fn remind(&mut self, now_ms: u64) {
        self.rings += 1;
        self.reminder = Some(Progress::queued(now_ms));
    }

    /// A reminder was submitted: the next wait begins.
    pub fn reminded(&mut self, now_ms: u64, schedule: &ReminderTimes) {
        self.due = now_ms + schedule.wait(self.rings);
    }

    /// Shortens a wait that is longer than the schedule's. Returns whether there was one.
    pub fn repair(&mut self, now_ms: u64, schedule: &ReminderTimes) -> bool {
        let latest = now_ms + schedule.wait(self.rings);
        let late = self.due > latest;
        self.due = self.due.min(latest);
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::delivery::Stage;

    /// Plays the clock with every reminder submitted `held` ms after it was due; returns the steps and their times.
    fn play(held: u64) -> Vec<(Step, u64)> {
        let schedule = ReminderTimes::default();
        let mut clock = AckClock::start(0, &schedule);
        let (mut now, mut told) = (0, Vec::new());
        for _ in 0..20 {
            match clock.step(now, &schedule) {
                Step::Wait(until) => now = until,
                Step::Remind => {
                    told.push((Step::Remind, now));
                    clock.remind(now);
                }
                Step::Reminding => {
                    now += held;
                    let reminder = clock.reminder.as_mut().unwrap();
                    reminder.advance(Stage::Submitted, "", now);
                    clock.reminded(now, &schedule);
                }
                Step::Escalate => {
                    told.push((Step::Escalate, now));
                    return told;
                }
            }
        }
        panic!("it is never escalated: {told:?}")
    }

    #[test]
    fn reminders_come_after_30_60_and_120_seconds_and_then_the_escalation() {
        let expected = [
            (Step::Remind, 30_000),
            (Step::Remind, 90_000),
            (Step::Remind, 210_000),
            (Step::Escalate, 330_000),
        ];
        assert_eq!(play(0), expected);
    }

    #[test]
    fn time_a_reminder_is_held_does_not_count() {
        let times: Vec<u64> = play(1_000_000).into_iter().map(|(_, at)| at).collect();
        assert_eq!(times, [30_000, 1_090_000, 2_210_000, 3_330_000]);
    }

    #[test]
    fn a_clock_set_back_makes_no_wait_longer_than_the_schedules() {
        let schedule = ReminderTimes::default();
        let mut clock = AckClock::start(1_000_000, &schedule);
        assert!(!clock.repair(1_000_000, &schedule));
        assert!(clock.repair(10, &schedule));
        assert_eq!(clock.due, 30_010);
    }

    #[test]
    fn a_schedule_has_some_waits_and_not_too_many() {
        assert_eq!(ReminderTimes::new(vec![]), None);
        assert_eq!(ReminderTimes::new(vec![1, 0]), None);
        assert_eq!(ReminderTimes::new(vec![1; ReminderTimes::MAX + 1]), None);
        assert!(ReminderTimes::new(vec![1]).is_some());
    }
}
