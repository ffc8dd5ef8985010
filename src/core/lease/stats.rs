//! Figures from the journal: the number of leases, how long they were held and waited for, and the contended paths.
//!
//! Pure: it takes the journal entries one by one. An unknown entry counts only for the mutex.

use crate::core::event::EventWord;
use crate::core::order;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The distribution of one kind of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub count: usize,
    /// Half of them are at most this.
    pub p50: u64,
    /// 95 of 100 are at most this.
    pub p95: u64,
    /// All are at most this.
    pub max: u64,
}

impl Spread {
    fn of(values: &[u64]) -> Self {
        let mut sorted = values.to_vec();
        order::sort(&mut sorted);
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100);
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { count: sorted.len(), p50: at(50), p95: at(95), max: at(100) }
    }
}

/// The counts so far.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<EventWord, usize>,
    ended: BTreeMap<String, usize>,
    held_ms: Vec<u64>,
    waited_ms: Vec<u64>,
    mutex_us: Vec<u64>,
    contended: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Leases granted.
    pub grants: usize,
    /// Requests denied.
    pub denials: usize,
    /// Tickets given.
    pub waits: usize,
    /// Holders asked to renew.
    pub challenges: usize,
    /// The number of ended leases, by reason.
    pub ended: BTreeMap<String, usize>,
    /// How long leases were held (ms).
    pub held_ms: Spread,
    /// How long waiters waited for their turn (ms).
    pub waited_ms: Spread,
    /// How long transactions waited for the store's mutex (µs).
    pub mutex_us: Spread,
    /// The paths that were most often denied or waited for, and how often.
    pub contended: Vec<(String, usize)>,
}

/// How many contended paths are listed.
const MOST: usize = 10;

impl Tally {
    /// Counts one entry of the journal.
    pub fn count(&mut self, entry: &Value) {
        self.mutex_us.extend(entry["waited_us"].as_u64());
        let Some(event) = EventWord::of(entry) else { return };
        *self.counts.entry(event).or_default() += 1;
        match event {
            EventWord::LeaseEnded => {
                *self.ended.entry(entry["why"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
                self.held_ms.extend(entry["held_ms"].as_u64());
            }
            EventWord::LeaseOffered => self.waited_ms.extend(entry["waited_ms"].as_u64()),
            EventWord::LeaseDenied | EventWord::LeaseQueued => {
                for path in entry["paths"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    *self.contended.entry(path.to_owned()).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    pub fn stats(&self) -> Stats {
        let count = |event: EventWord| self.counts.get(&event).copied().unwrap_or_default();
        let mut contended: Vec<_> = self.contended.iter().map(|(p, n)| (p.clone(), *n)).collect();
        order::sort_by(&mut contended, |a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        contended.truncate(MOST);
        Stats {
            grants: count(EventWord::LeaseGranted),
            denials: count(EventWord::LeaseDenied),
            waits: count(EventWord::LeaseQueued),
            challenges: count(EventWord::LeaseChallenged),
            ended: self.ended.clone(),
            held_ms: Spread::of(&self.held_ms),
            waited_ms: Spread::of(&self.waited_ms),
            mutex_us: Spread::of(&self.mutex_us),
            contended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_figures_are_those_of_the_entries() {
        let mut tally = Tally::default();
        for held in 1..=100 {
            tally.count(&json!({"event": "lease-granted", "waited_us": 7}));
            tally.count(&json!({"event": "lease-ended", "why": "released", "held_ms": held}));
        }
        for path in ["a", "b", "b"] {
            tally.count(&json!({"event": "lease-denied", "paths": [path]}));
        }
        tally.count(&json!({"event": "sent", "waited_us": 9}));
        tally.count(&json!("no entry"));
        let stats = tally.stats();
        assert_eq!((stats.grants, stats.denials, stats.ended["released"]), (100, 3, 100));
        assert_eq!(stats.held_ms, Spread { count: 100, p50: 50, p95: 95, max: 100 });
        assert_eq!(stats.mutex_us, Spread { count: 101, p50: 7, p95: 7, max: 9 });
        assert_eq!(stats.contended, [("b".to_owned(), 2), ("a".to_owned(), 1)]);
        assert_eq!(Tally::default().stats(), Stats::default());
    }

    #[test]
    fn waits_are_counted_by_how_they_end_and_the_ten_most_wanted_paths_are_told() {
        let mut tally = Tally::default();
        for waited in [30, 10, 20] {
            tally.count(&json!({"event": "lease-offered", "waited_ms": waited}));
        }
        for n in 0..12_u8 {
            tally.count(&json!({"event": "lease-queued", "paths": [format!("f{n:02}"), "both"]}));
        }
        tally.count(&json!({"event": "lease-challenged", "paths": ["no"]}));
        let stats = tally.stats();
        assert_eq!(stats.waited_ms, Spread { count: 3, p50: 20, p95: 30, max: 30 });
        assert_eq!((stats.waits, stats.challenges, stats.contended.len()), (12, 1, 10));
        assert_eq!((&stats.contended[0], &stats.contended[9]), (&("both".into(), 12), &("f08".into(), 1)));
    }
}
