//! Moments and deadlines that survive a suspended laptop.
//!
//! Important times are *awake* times: they stop while the machine is suspended, and do not jump when somebody sets
//! the clock. They can be compared within one boot only; a deadline of another boot uses the wall clock. Pure: a
//! moment is an argument.

use serde::{Deserialize, Serialize};

/// Now, by both clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Milliseconds this machine has been awake since its boot.
    pub awake_ms: u64,
    pub boot: String,
}

impl Moment {
    /// The deadline `ms` from now.
    pub fn after(&self, ms: u64) -> Deadline {
        Deadline {
            wall_ms: self.wall_ms.saturating_add(ms),
            awake_ms: self.awake_ms.saturating_add(ms),
            boot: self.boot.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The wall clock at that time, if the machine is not suspended before (ms since the epoch).
    pub wall_ms: u64,
    /// The awake time (ms).
    pub awake_ms: u64,
    pub boot: String,
}

impl Deadline {
    /// How long it is until then, in milliseconds; 0 once it has passed.
    pub fn remaining_ms(&self, now: &Moment) -> u64 {
        if self.boot == now.boot {
            self.awake_ms.saturating_sub(now.awake_ms)
        } else {
            self.wall_ms.saturating_sub(now.wall_ms)
        }
    }

    /// Whether it has come.
    pub fn has_passed(&self, now: &Moment) -> bool {
        self.remaining_ms(now) == 0
    }

    /// The later of the two.
    #[must_use]
    pub fn or_later(self, other: Self, now: &Moment) -> Self {
        if other.remaining_ms(now) > self.remaining_ms(now) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_asleep_uses_up_nothing_and_a_reboot_counts_by_the_wall() {
        let evening = Moment { wall_ms: 1_000, awake_ms: 50, boot: "b".into() };
        let deadline = evening.after(100);
        let morning = Moment { wall_ms: 30_000_000, awake_ms: 60, boot: "b".into() };
        assert_eq!((deadline.remaining_ms(&morning), deadline.has_passed(&morning)), (90, false));
        let rebooted = Moment { wall_ms: 1_050, awake_ms: 1, boot: "c".into() };
        assert_eq!(deadline.remaining_ms(&rebooted), 50);
        assert!(deadline.has_passed(&Moment { wall_ms: 1_100, ..rebooted }));
    }

    #[test]
    fn the_later_of_two_deadlines_is_taken_whichever_comes_first() {
        let now = Moment { wall_ms: 1_000, awake_ms: 50, boot: "b".into() };
        let (soon, late) = (now.after(10), now.after(20));
        assert_eq!(soon.clone().or_later(late.clone(), &now), late);
        assert_eq!(late.clone().or_later(soon, &now), late);
        // A deadline of an earlier boot uses the wall clock.
        let before = Deadline { wall_ms: 1_015, awake_ms: 9_999, boot: "a".into() };
        assert_eq!(before.or_later(late.clone(), &now), late);
    }
}
