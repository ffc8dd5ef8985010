//! One decision about the team's leases, by the rules of the lease table.
//!
//! The engine keeps the leases and waiters of all hosts. A host loads them, decides with [`LeaseTable`], and returns
//! changes to its own records and to those of dead sessions. It never changes the records of another living host,
//! which comes to the same decision by itself. Time stands still in this table. A team lease has no expiry of its
//! own: it stands for a lease in its holder's own store, and ends with that.

use crate::core::address::HostName;
use crate::core::lease::{Counter, Holder, Lease, LeaseTable, Liveness, Waiter, Write};
use crate::core::moment::Moment;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A host's session in the engine's records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub host: HostName,
    #[serde(rename = "id")]
    pub session: String,
    /// How many signs of life it has given.
    pub beats: u64,
}

/// A session to end, unless it has given another sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dead {
    #[serde(rename = "id")]
    pub session: String,
    /// The last sign of life that was seen.
    pub beats: u64,
}

/// The engine's records at one version.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub version: u64,
    /// The last number that was used.
    pub last: u64,
    pub leases: Vec<Lease>,
    pub waiters: Vec<Waiter>,
}

/// The changes to make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Leases to write.
    pub leases: Vec<Lease>,
    /// Waiters to write.
    pub waiters: Vec<Waiter>,
    /// Numbers of leases to remove.
    pub drop_leases: Vec<u64>,
    /// Numbers of waiters to remove.
    pub drop_waiters: Vec<u64>,
    /// Sessions to end.
    pub dead: Vec<Dead>,
    /// The last number that was used.
    pub last: u64,
}

impl Commit {
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
            && self.waiters.is_empty()
            && self.drop_leases.is_empty()
            && self.drop_waiters.is_empty()
            && self.dead.is_empty()
    }
}

impl Records {
    /// Applies `commit`, which the engine took as version `version`, to these records.
    pub fn apply(&mut self, commit: &Commit, version: u64) {
        self.leases.retain(|l| !commit.drop_leases.contains(&l.fence));
        self.leases.retain(|l| !commit.leases.iter().any(|new| new.fence == l.fence));
        self.leases.extend(commit.leases.iter().cloned());
        self.waiters.retain(|w| !commit.drop_waiters.contains(&w.ticket));
        self.waiters.retain(|w| !commit.waiters.iter().any(|new| new.ticket == w.ticket));
        self.waiters.extend(commit.waiters.iter().cloned());
        self.last = self.last.max(commit.last);
        self.version = version;
    }
}

/// The holder for lease `fence` of this host's own store. Its session replaces the boot: a holder whose session has
/// ended is dead.
pub fn holder(host: &HostName, session: &str, name: Name, fence: u64) -> Holder {
    Holder {
        name,
        process: Some(ProcessId { pid: 0, start: fence, boot: session.to_owned() }),
        namespace: None,
        command: false,
        identity: None,
        host: Some(host.clone()),
    }
}

/// The session a holder belongs to. In the team's table `Holder::process` stands for no process: `boot` holds the
/// session, and `start` the number of the lease on its own host ([`backing`]).
pub fn session_of(holder: &Holder) -> &str {
    holder.process.as_ref().map_or("", |p| &p.boot)
}

/// The number, in its own store, of the lease that a holder stands for.
pub fn backing(holder: &Holder) -> u64 {
    holder.process.as_ref().map_or(0, |p| p.start)
}

/// Decides with `f` on `records` for the session `own`. `backed` returns, for one of its holders, the present name if
/// the own lease still exists. `dead` are the sessions to end. `wall_ms` is shown to people and decides nothing.
pub fn decide<T>(
    records: &Records,
    own: &str,
    dead: &[Dead],
    backed: impl Fn(&Holder) -> Option<Name>,
    wall_ms: u64,
    f: impl FnOnce(&mut LeaseTable) -> T,
) -> (T, Commit) {
    let now = Moment { wall_ms, awake_ms: 0, boot: "engine".to_owned() };
    let counter = Counter { last: records.last, reserved: u64::MAX, boot: now.boot.clone() };
    let mut table = LeaseTable::new(records.leases.clone(), records.waiters.clone(), counter, now);
    table.settle(|holder| {
        let session = session_of(holder);
        if session == own {
            let name = backed(holder);
            (if name.is_some() { Liveness::Alive } else { Liveness::Dead }, name)
        } else if dead.iter().any(|d| d.session == session) {
            (Liveness::Dead, None)
        } else {
            (Liveness::Alive, None)
        }
    });
    let answer = f(&mut table);
    let changeable = |holder: &Holder| {
        let session = session_of(holder);
        session == own || dead.iter().any(|d| d.session == session)
    };
    let held: BTreeMap<u64, &Holder> = records.leases.iter().map(|l| (l.fence, &l.holder)).collect();
    let waits: BTreeMap<u64, &Holder> = records.waiters.iter().map(|w| (w.ticket, &w.holder)).collect();
    // The last write of a record counts. A record that was made and removed in this decision is no change.
    let (mut leases, mut waiters) = (BTreeMap::new(), BTreeMap::new());
    let changes = table.changes();
    for write in &changes.writes {
        match write {
            Write::Lease(lease) if changeable(&lease.holder) => {
                leases.insert(lease.fence, Some(lease.clone()));
            }
            Write::DropLease(fence) if held.get(fence).is_none_or(|h| changeable(h)) => {
                leases.insert(*fence, None);
            }
            Write::Waiter(waiter) if changeable(&waiter.holder) => {
                waiters.insert(waiter.ticket, Some(waiter.clone()));
            }
            Write::DropWaiter(ticket) if waits.get(ticket).is_none_or(|h| changeable(h)) => {
                waiters.insert(*ticket, None);
            }
            // Another host's record: that host decides the same by itself.
            _ => {}
        }
    }
    let mut commit =
        Commit { dead: dead.to_vec(), last: table_last(changes, records.last), ..Commit::default() };
    for (fence, lease) in leases {
        match lease {
            Some(lease) if !records.leases.contains(&lease) => commit.leases.push(lease),
            None if held.contains_key(&fence) => commit.drop_leases.push(fence),
            _ => {}
        }
    }
    for (ticket, waiter) in waiters {
        match waiter {
            Some(waiter) if !records.waiters.contains(&waiter) => commit.waiters.push(waiter),
            None if waits.contains_key(&ticket) => commit.drop_waiters.push(ticket),
            _ => {}
        }
    }
    (answer, commit)
}

fn table_last(changes: &crate::core::lease::Changes, before: u64) -> u64 {
    changes.counter.as_ref().map_or(before, |(counter, _)| counter.last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lease::{LeaseOutcome, Mode, PathKind, PathPattern, Request, Wait};

    fn host(name: &str) -> HostName {
        HostName::new(name).unwrap()
    }

    fn request(who: (&str, &str), name: &str, fence: u64, path: &str) -> Request {
        Request {
            holder: holder(&host(who.0), who.1, Name::new(name).unwrap(), fence),
            paths: vec![PathPattern::team(PathKind::File, path).unwrap()],
            mode: Mode::Exclusive,
            ttl_ms: 1_000,
            reason: None,
            auto: false,
        }
    }

    fn ask(
        records: &Records,
        own: &str,
        dead: &[Dead],
        request: &Request,
        waits: bool,
    ) -> (LeaseOutcome, Commit) {
        let backed = |h: &Holder| Some(h.name.clone());
        decide(records, own, dead, backed, 5, |table| {
            let until = table.now().after(1);
            let wait = Wait { until, holder: request.holder.clone(), chain: Vec::new() };
            table.acquire(request, waits.then_some(&wait))
        })
    }

    #[test]
    fn a_path_of_the_team_has_one_holder_however_it_is_written() {
        let mut records = Records::default();
        let (_, commit) = ask(&records, "s1", &[], &request(("a", "s1"), "claude-1", 1, "Cargo.lock"), false);
        records.apply(&commit, 1);
        let (outcome, commit) =
            ask(&records, "s2", &[], &request(("b", "s2"), "claude-1", 1, "cargo.LOCK"), false);
        let LeaseOutcome::Denied(blockers) = outcome else { panic!("{outcome:?}") };
        assert_eq!(blockers[0].holder.address().to_string(), "a/claude-1");
        assert!(commit.is_empty());
    }

    #[test]
    fn another_hosts_records_change_only_with_its_session() {
        let mut records = Records::default();
        let (_, commit) = ask(&records, "s1", &[], &request(("a", "s1"), "x", 1, "f"), false);
        records.apply(&commit, 1);
        let wants = request(("b", "s2"), "y", 1, "f");
        let (outcome, commit) = ask(&records, "s2", &[], &wants, true);
        assert!(matches!(outcome, LeaseOutcome::Queued { ticket: 2, .. }), "{outcome:?}");
        records.apply(&commit, 2);
        // A dead host loses its leases in the decision that gives them to the next.
        let dead = [Dead { session: "s1".into(), beats: 7 }];
        let (outcome, commit) = ask(&records, "s2", &dead, &wants, true);
        assert!(matches!(outcome, LeaseOutcome::Granted(_)), "{outcome:?}");
        assert_eq!(
            (&commit.drop_leases, &commit.drop_waiters, &commit.dead[..]),
            (&vec![1], &vec![2], &dead[..])
        );
        assert_eq!((commit.leases.len(), commit.last), (1, 3));
        records.apply(&commit, 3);
        assert_eq!((records.leases.len(), records.leases[0].fence, records.waiters.len()), (1, 3, 0));
    }

    #[test]
    fn a_lease_goes_with_what_it_stands_for_and_bears_its_holders_present_name() {
        let mut records = Records::default();
        let (_, commit) = ask(&records, "s1", &[], &request(("a", "s1"), "x", 1, "f"), false);
        records.apply(&commit, 1);
        let renamed = |_: &Holder| Some(Name::new("anna").unwrap());
        let ((), commit) = decide(&records, "s1", &[], renamed, 9, |_| ());
        assert_eq!(commit.leases[0].holder.name.as_str(), "anna");
        let ((), commit) = decide(&records, "s1", &[], |_| None, 9, |_| ());
        assert_eq!(commit.drop_leases, [1]);
        // Another host's lease stays as it is.
        let ((), commit) = decide(&records, "s2", &[], |_| None, 9, |_| ());
        assert!(commit.is_empty());
    }

    #[test]
    fn the_queue_is_served_in_the_order_of_tickets_across_hosts() {
        let mut records = Records::default();
        for (session, name, fence) in [("s1", "a", 1), ("s2", "b", 1), ("s3", "c", 1)] {
            let (_, commit) = ask(&records, session, &[], &request((name, session), "x", fence, "f"), true);
            let version = records.version + 1;
            records.apply(&commit, version);
        }
        let ((), commit) = decide(&records, "s1", &[], |_| None, 9, |_| ());
        assert_eq!(commit.drop_leases, [1]);
        records.apply(&commit, 4);
        let (outcome, _) = ask(&records, "s3", &[], &request(("c", "s3"), "x", 1, "f"), true);
        assert!(matches!(outcome, LeaseOutcome::Queued { .. }), "{outcome:?}");
        let (outcome, commit) = ask(&records, "s2", &[], &request(("b", "s2"), "x", 1, "f"), true);
        assert!(matches!(outcome, LeaseOutcome::Granted(_)), "{outcome:?}");
        assert_eq!(commit.drop_waiters, [2]);
    }
}
