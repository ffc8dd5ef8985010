//! The rate limit: a sliding window per sender, and the sender's sequence numbers.
//!
//! Pure: the store keeps one record per sender and runs [`Sender::admit`] under the mutex, so the limit is exact
//! across processes. A message to several recipients counts once.

use super::span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The greatest number of messages in a time window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Messages per window; 0: no limit.
    pub count: usize,
    #[serde(rename = "window_ms", with = "span::as_ms")]
    pub window: Duration,
}

impl Default for Limit {
    /// 10 per 60 s, as in the Python system that swarm replaces.
    fn default() -> Self {
        Self { count: 10, window: Duration::from_secs(60) }
    }
}

impl Limit {
    /// The limit of a person, who types each message, unless they set one.
    pub fn of_person() -> Self {
        Self { count: 60, ..Self::default() }
    }

    /// No limit.
    pub fn none() -> Self {
        Self { count: 0, ..Self::default() }
    }

    /// The limit that satisfies both: the fewer messages in the longer time. A limit that is off satisfies nothing.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        match (self.count, other.count) {
            (0, _) => other,
            (_, 0) => self,
            (a, b) => Self { count: a.min(b), window: self.window.max(other.window) },
        }
    }
}

/// The store's record of a sender.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The last sequence number that was used.
    #[serde(default)]
    pub sequence: u64,
    /// When the messages in the window were sent (ms since the epoch).
    #[serde(default)]
    pub sent: Vec<u64>,
}

/// The limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimited {
    pub limit: Limit,
    /// The time until the next message is accepted.
    pub retry_in: Duration,
}

impl Sender {
    /// Combines the records of a sender that was known by two names: all messages count, and numbers increase.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.sequence = self.sequence.max(other.sequence);
        self.sent.extend(other.sent);
        self
    }

    /// Accepts one message at `now_ms` and returns its sequence number, or refuses it. Times outside the window are
    /// dropped in both cases.
    ///
    /// The sequence number is at least the time, so numbers increase even if the record is lost. A clock that was set
    /// back does not open the window: times in the future count as now.
    pub fn admit(&mut self, limit: Limit, now_ms: u64) -> Result<u64, RateLimited> {
        self.sent.retain_mut(|t| {
            *t = (*t).min(now_ms);
            now_ms - *t < span::ms(limit.window)
        });
        if limit.count > 0 {
            if self.sent.len() >= limit.count {
                let oldest = self.sent.iter().min().copied().unwrap_or(now_ms);
                return Err(RateLimited {
                    limit,
                    retry_in: Duration::from_millis(oldest + span::ms(limit.window) - now_ms),
                });
            }
            self.sent.push(now_ms);
        }
        // Only a damaged or forged record is at the end of all numbers.
        self.sequence = self.sequence.checked_add(1).unwrap_or_default().max(now_ms);
        Ok(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_limit_passes_and_the_refusal_tells_when() {
        let (mut sender, limit) = (Sender::default(), Limit { count: 3, window: Duration::from_millis(100) });
        for t in [1000, 1010, 1020] {
            assert!(sender.admit(limit, t).is_ok());
        }
        assert_eq!(
            sender.admit(limit, 1050),
            Err(RateLimited { limit, retry_in: Duration::from_millis(50) })
        );
        assert!(sender.admit(limit, 1100).is_ok());
        assert!(sender.admit(limit, 1101).is_err());
    }

    #[test]
    fn sequences_go_up_even_when_the_clock_goes_back_or_the_record_is_lost() {
        let limit = Limit { count: 0, window: Duration::from_millis(1) };
        let mut sender = Sender::default();
        let first = sender.admit(limit, 1000).unwrap();
        let second = sender.admit(limit, 500).unwrap();
        assert!(second > first);
        assert!(Sender::default().admit(limit, 2000).unwrap() > second);
        let mut damaged = Sender { sequence: u64::MAX, sent: vec![u64::MAX; 3] };
        assert_eq!(damaged.admit(limit, 3000), Ok(3000));
    }

    #[test]
    fn the_stricter_of_two_limits_lets_through_what_both_do() {
        let limit = |count, ms| Limit { count, window: Duration::from_millis(ms) };
        assert_eq!(limit(10, 60).stricter(limit(3, 1)), limit(3, 60));
        assert_eq!(limit(3, 1).stricter(limit(10, 60)), limit(3, 60));
        for off in [limit(0, 1), limit(0, 1000)] {
            assert_eq!(
                (limit(10, 60).stricter(off), off.stricter(limit(10, 60))),
                (limit(10, 60), limit(10, 60))
            );
        }
    }

    #[test]
    fn what_was_sent_under_two_names_counts_together() {
        let limit = Limit { count: 3, window: Duration::from_millis(100) };
        let (mut a, mut b) = (Sender::default(), Sender::default());
        let last = [a.admit(limit, 1000), a.admit(limit, 1001), b.admit(limit, 1002)].map(Result::unwrap)[2];
        let mut both = a.with(b);
        assert_eq!(both.admit(limit, 1003), Err(RateLimited { limit, retry_in: Duration::from_millis(97) }));
        assert!(both.admit(limit, 1100).unwrap() > last);
    }

    #[test]
    fn a_clock_set_back_does_not_open_the_window() {
        let (mut sender, limit) = (Sender::default(), Limit { count: 1, window: Duration::from_millis(100) });
        assert!(sender.admit(limit, 5000).is_ok());
        assert_eq!(
            sender.admit(limit, 1000),
            Err(RateLimited { limit, retry_in: Duration::from_millis(100) })
        );
        assert!(sender.admit(limit, 1099).is_err());
        assert!(sender.admit(limit, 1100).is_ok());
    }
}
