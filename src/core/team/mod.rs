//! A team over several hosts: when a host's knowledge is valid, and how one host decides about a lease for all.
//!
//! Pure: clocks, the engine's records and the network are arguments. By three rules, two hosts never both believe
//! that they hold one team lease:
//!
//! - A host believes only what it reads from its [`Board`], and only for a while after it sent its last sign of life
//!   that the engine accepted, by its own clock ([`believed_for`]). A host that is cut off, stopped or dead stops
//!   believing by itself.
//! - A host that takes the leases of a silent one has seen, by its *own* clock, the same sign of life for all of that
//!   time ([`Observed`]). The engine accepts the decision only if that is still the last one.
//! - A decision is made on one version of the records ([`decide`]), and the engine accepts it on that version only.
//!
//! So no two clocks are ever compared: only their rates must agree, within one per cent.

pub mod board;
pub mod decision;
#[cfg(test)]
mod model;

pub use board::{Board, PathGuard};
pub use decision::{Commit, Dead, Records, Seat, decide};

use crate::core::lease::{PathKind, PathPattern};
use std::collections::BTreeMap;

/// The paths among `paths` that the project's `globs` declare as the team's, as paths of the team.
pub fn declared(globs: &[String], paths: &[PathPattern]) -> Vec<PathPattern> {
    let globs: Vec<PathPattern> =
        globs.iter().filter_map(|glob| PathPattern::team(PathKind::Glob, glob).ok()).collect();
    let wide = paths.iter().map(PathPattern::for_team);
    wide.filter(|path| globs.iter().any(|glob| glob.overlaps(path))).collect()
}

/// How long after a sign of life a host's leases are valid (ms), of the time `ttl_ms` that others wait for the next
/// sign.
pub fn believed_for(ttl_ms: u64) -> u64 {
    (ttl_ms - ttl_ms / 50).saturating_sub(50)
}

/// A time on a clock that also counts while the machine sleeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// Milliseconds since the boot.
    pub ms: u64,
    pub boot: String,
}

/// Since when each session has shown the same sign of life, by this host's own clock.
#[derive(Clone, Debug, Default)]
pub struct Observed(BTreeMap<String, (u64, u64)>);

impl Observed {
    /// Takes the engine's present records.
    pub fn see(&mut self, seats: &[Seat], now_ms: u64) {
        self.0.retain(|session, _| seats.iter().any(|s| s.session == *session));
        for seat in seats {
            let seen = self.0.entry(seat.session.clone()).or_insert((seat.beats, now_ms));
            if seen.0 != seat.beats {
                *seen = (seat.beats, now_ms);
            }
        }
    }

    /// The sessions that have shown no sign of life for `ttl_ms`, with the last one seen.
    pub fn dead(&self, now_ms: u64, ttl_ms: u64) -> Vec<Dead> {
        let silent = self.0.iter().filter(|(_, (_, since))| now_ms.saturating_sub(*since) >= ttl_ms);
        silent.map(|(session, (beats, _))| Dead { session: session.clone(), beats: *beats }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::address::HostName;

    #[test]
    fn a_session_is_dead_only_after_it_was_seen_silent_for_the_whole_time() {
        let seat = |beats| Seat { host: HostName::new("a").unwrap(), session: "s".into(), beats };
        let mut observed = Observed::default();
        observed.see(&[seat(1)], 1_000);
        observed.see(&[seat(1)], 9_000);
        assert_eq!(observed.dead(15_999, 15_000), []);
        assert_eq!(observed.dead(16_000, 15_000), [Dead { session: "s".into(), beats: 1 }]);
        observed.see(&[seat(2)], 16_000);
        assert_eq!(observed.dead(30_999, 15_000), []);
        observed.see(&[], 17_000);
        assert_eq!(observed.dead(99_000, 15_000), []);
    }

    #[test]
    fn belief_ends_before_others_may_take_over_whatever_the_rates() {
        for ttl in [1_000_u64, 2_000, 15_000, 60_000] {
            // A clock that is one per cent slow believes longest; a clock that is one per cent fast takes over first.
            assert!(believed_for(ttl) * 101 < ttl * 100, "{ttl}");
            assert!(believed_for(ttl) > ttl * 9 / 10, "{ttl}");
        }
    }
}
