//! The requests to the table of leases, and its answers.
//!
//! Plain values. Every outcome is a variant, so no caller can overlook one.

use super::event::LeaseEvent;
use super::pattern::PathPattern;
use super::record::{Counter, Holder, Lease, Mode, Reason, Waiter};
use crate::core::moment::Deadline;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub holder: Holder,
    /// What, all or nothing.
    pub paths: Vec<PathPattern>,
    pub mode: Mode,
    /// For how long, in milliseconds.
    pub ttl_ms: u64,
    pub reason: Option<Reason>,
    /// Whether a hook asks.
    pub auto: bool,
}

#[derive(Clone, Debug)]
pub struct Wait {
    /// Until when at the longest.
    pub until: Deadline,
    /// Whose end ends the waiting: of an agent it is itself, of a person the command that waits.
    pub holder: Holder,
    /// The processes above the one that is kept waiting, without itself; none for one that gets a message.
    pub chain: Vec<ProcessId>,
}

/// How long an automatic lease lasts after the last edit, in milliseconds.
pub const EDIT_TTL_MS: u64 = 5 * 60 * 1000;

impl Request {
    /// What a hook asks for before its agent edits `path`.
    pub fn edit(holder: Holder, path: PathPattern) -> Self {
        Self {
            holder,
            paths: vec![path],
            mode: Mode::Exclusive,
            ttl_ms: EDIT_TTL_MS,
            reason: None,
            auto: true,
        }
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// The holder has all of the paths.
    Granted(Grant),
    /// The holder has none of them, and waits in the queue.
    Queued {
        /// Its place.
        ticket: u64,
        /// How many are before it.
        ahead: usize,
        /// Who is in the way.
        blockers: Vec<Blocker>,
    },
    /// The holder has none of them.
    Denied(Vec<Blocker>),
    /// The holder has none of them, and waiting would never end: each of these waits for the next, the last for the first.
    Cycle(Vec<Name>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The leases behind it, oldest first: those that already covered some of it were renewed.
    pub leases: Vec<Lease>,
    /// The number of the lease made for what was not held before.
    pub new: Option<u64>,
}

/// One who is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub holder: Holder,
    /// The path asked for.
    pub wanted: PathPattern,
    /// The blocker's path that overlaps it.
    pub path: PathPattern,
    /// How it is in the way.
    pub why: Why,
}

/// How somebody is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has the lease.
    Holds(Box<Lease>),
    /// It came first, and perhaps it is being offered already.
    Waits(Box<Waiter>),
}

/// Which of a holder's leases are meant.
#[derive(Clone, Copy, Debug)]
pub enum LeaseSelector<'a> {
    All,
    /// Those on these paths.
    Paths(&'a [PathPattern]),
    /// The one with this number.
    Fence(u64),
}

/// What a release did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// What was given back: leases, or the parts of leases.
    pub leases: Vec<Lease>,
    /// Tickets taken back.
    pub tickets: Vec<u64>,
}

/// One change to the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Write this lease.
    Lease(Lease),
    /// Remove the lease with this number.
    DropLease(u64),
    /// Write this waiter.
    Waiter(Waiter),
    /// Remove the waiter with this number.
    DropWaiter(u64),
}

/// All decisions of one transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What to write, in this order.
    pub writes: Vec<Write>,
    /// What happened.
    pub events: Vec<LeaseEvent>,
    /// The counter, if a number was used, and whether that must be durable. Written before anything else.
    pub counter: Option<(Counter, bool)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_asks_for_five_minutes_of_the_file_alone() {
        let path = PathPattern::new(super::super::pattern::PathKind::File, None, "a.rs").unwrap();
        let request = Request::edit(Holder::human(), path.clone());
        assert_eq!((request.paths, request.mode, request.ttl_ms), (vec![path], Mode::Exclusive, 300_000));
        assert!(request.auto);
    }
}
