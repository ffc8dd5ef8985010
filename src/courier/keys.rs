//! Decides who typed into a pane last, this courier or a person, also after the clock was set back.
//!
//! tmux stamps a client's last key with the wall clock. A stamp in the future was made before the clock was set back.
//! By itself it would hold mail until that time comes, an hour or a year. So such a stamp counts from when it was
//! first seen, by a clock that nobody sets; a later key has another stamp. Kept by the courier alone, pane by pane.

use crate::core::id::MessageId;
use crate::core::order;
use std::time::{Duration, Instant};

/// The known keys of one pane.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// Stamps of a future time, and since when they are known.
    ahead: Option<(Vec<u64>, Instant)>,
    /// The message on which this courier last pressed Enter.
    pub entered: Option<MessageId>,
}

impl Keys {
    /// Whether a key was pressed within the last `quiet` time, in whole seconds. `keys` are the clients' stamps and
    /// `now_s` is the wall
    /// clock, both in seconds since the epoch.
    pub fn are_fresh(&mut self, keys: &[u64], quiet: Duration, now_s: u64, now: Instant) -> bool {
        if keys.iter().any(|key| *key <= now_s && now_s - *key < quiet.as_secs()) {
            return true;
        }
        let mut ahead: Vec<u64> = keys.iter().copied().filter(|key| *key > now_s).collect();
        order::sort(&mut ahead);
        if ahead.is_empty() {
            self.ahead = None;
            return false;
        }
        let since = match &self.ahead {
            Some((known, since)) if *known == ahead => *since,
            _ => self.ahead.insert((ahead, now)).1,
        };
        now.saturating_duration_since(since) < quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_key_is_fresh_for_the_quiet_time() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        assert!(keys.are_fresh(&[100], 3 * S, 102, now));
        assert!(!keys.are_fresh(&[100], 3 * S, 103, now));
        assert!(keys.are_fresh(&[100, 103], 3 * S, 103, now), "of several clients the last counts");
        assert!(!keys.are_fresh(&[103], Duration::ZERO, 103, now), "no quiet time is wanted");
        assert!(!keys.are_fresh(&[], 3 * S, 103, now), "nobody is attached");
    }

    #[test]
    fn a_stamp_of_the_future_holds_for_the_quiet_time_and_no_longer() {
        let (mut keys, now) = (Keys::default(), Instant::now());
        let after = |s| now + Duration::from_secs(s);
        assert!(keys.are_fresh(&[3700], 3 * S, 100, now));
        assert!(keys.are_fresh(&[3700], 3 * S, 102, after(2)));
        assert!(!keys.are_fresh(&[3700], 3 * S, 103, after(3)));
        // Another key: by a client with a correct stamp, or by one with a future stamp.
        assert!(keys.are_fresh(&[3700, 104], 3 * S, 104, after(4)));
        assert!(keys.are_fresh(&[3701], 3 * S, 105, after(5)));
        assert!(!keys.are_fresh(&[3701], 3 * S, 108, after(8)));
        // The clock is correct again.
        assert!(!keys.are_fresh(&[3701], 3 * S, 3800, after(9)));
        assert!(keys.are_fresh(&[9000], 3 * S, 3801, after(10)));
    }
}
