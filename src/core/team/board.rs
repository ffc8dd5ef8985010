//! The link's last report of the team's leases, and whether it allows an edit.
//!
//! A plain value. Each reader compares its own clock with the deadline, so a link that is stopped, killed or hung
//! makes nobody believe it longer.

use super::{Ticks, decision};
use crate::core::address::HostName;
use crate::core::lease::{Lease, PathPattern, Waiter};
use crate::core::name::Name;
use serde::{Deserialize, Serialize};

/// The team's leases as this host knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// This host's name in the team.
    pub host: HostName,
    pub session: String,
    /// Until when this host's leases in the team are valid, by the clock that counts sleep (ms).
    pub believe_until: u64,
    pub boot: String,
    /// When the engine answered last (ms since the epoch), for people.
    pub heard: u64,
    /// The version of the engine's records.
    pub version: u64,
    /// The leases of all hosts.
    pub leases: Vec<Lease>,
    pub waiters: Vec<Waiter>,
}

/// Whether an agent may edit a path of the team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathGuard {
    /// The agent holds it.
    Mine,
    /// Another one holds it.
    Held(Box<Lease>),
    /// Nobody holds it.
    Free,
    /// The host has been cut off since then (ms since the epoch): nobody here knows.
    Unknown(u64),
}

impl Board {
    /// Whether it is valid now.
    pub fn is_believed(&self, now: &Ticks) -> bool {
        self.boot == now.boot && now.ms < self.believe_until
    }

    /// Whether a lease is one of this host's.
    pub fn is_own(&self, lease: &Lease) -> bool {
        decision::session_of(&lease.holder) == self.session
    }

    /// The team lease for the lease `fence` in this host's own store.
    pub fn backed_by(&self, fence: u64) -> Option<&Lease> {
        self.leases.iter().find(|l| self.is_own(l) && decision::backing(&l.holder) == fence)
    }

    /// Whether `name`, of this host, may edit `path` now.
    pub fn guard(&self, now: &Ticks, name: &Name, path: &PathPattern) -> PathGuard {
        if !self.is_believed(now) {
            return PathGuard::Unknown(self.heard);
        }
        let is_mine = |l: &Lease| self.is_own(l) && l.holder.name == *name;
        if self.leases.iter().any(|l| is_mine(l) && l.paths.iter().any(|p| p.covers(path))) {
            return PathGuard::Mine;
        }
        let other = self.leases.iter().find(|l| !is_mine(l) && l.paths.iter().any(|p| p.overlaps(path)));
        other.map_or(PathGuard::Free, |lease| PathGuard::Held(Box::new(lease.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lease::{Mode, PathKind};
    use crate::core::moment::Moment;

    #[test]
    fn a_guard_believes_its_board_only_until_the_deadline_of_the_same_boot() {
        let host = HostName::new("a").unwrap();
        let name = |text: &str| Name::new(text).unwrap();
        let path = |text: &str| PathPattern::team(PathKind::File, text).unwrap();
        let now = Moment { wall_ms: 1, awake_ms: 0, boot: "engine".into() };
        let lease = |fence, session: &str, who: &str, at: &str| Lease {
            fence,
            holder: decision::holder(&HostName::new(session).unwrap(), session, name(who), fence),
            paths: vec![path(at)],
            mode: Mode::Exclusive,
            auto: false,
            reason: None,
            since: 1,
            expires: now.after(1),
            challenge: None,
        };
        let board = Board {
            host,
            session: "a".into(),
            believe_until: 100,
            boot: "b1".into(),
            heard: 7,
            version: 1,
            leases: vec![lease(1, "a", "claude-1", "mine"), lease(2, "b", "claude-1", "theirs")],
            waiters: vec![],
        };
        let at = |ms: u64, boot: &str| Ticks { ms, boot: boot.into() };
        let ask = |now: &Ticks, who: &str, at: &str| board.guard(now, &name(who), &path(at));
        assert_eq!(ask(&at(99, "b1"), "claude-1", "Mine"), PathGuard::Mine);
        assert!(matches!(ask(&at(99, "b1"), "codex-1", "mine"), PathGuard::Held(l) if l.fence == 1));
        assert!(matches!(ask(&at(99, "b1"), "claude-1", "theirs"), PathGuard::Held(l) if l.fence == 2));
        assert_eq!(ask(&at(99, "b1"), "claude-1", "other"), PathGuard::Free);
        for late in [at(100, "b1"), at(5, "b2")] {
            assert_eq!(ask(&late, "claude-1", "mine"), PathGuard::Unknown(7));
        }
        assert_eq!(board.backed_by(1).map(|l| l.fence), Some(1));
        assert_eq!(board.backed_by(2), None);
    }
}
