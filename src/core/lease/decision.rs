//! The requests to the table of leases, and its answers.
//!
//! Plain values. Every outcome is a variant, so no caller can overlook one.

use super::event::LeaseEvent;
use super::pattern::PathPattern;
use super::record::{Counter, Holder, Lease, Mode, Reason, Waiter};
use crate::core::moment::Deadline;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;

#[derive(Clone, Debug)]
pub struct Request {
    pub holder: Holder,
    /// The paths; they are granted all together, or none.
    pub paths: Vec<PathPattern>,
    pub mode: Mode,
    pub ttl_ms: u64,
    pub reason: Option<Reason>,
    /// Whether a hook asks for it.
    pub auto: bool,
}

#[derive(Clone, Debug)]
pub struct Wait {
    /// The latest time until which the request may wait.
    pub until: Deadline,
    /// The holder whose end ends the waiting: an agent itself, or the command of a person that waits.
    pub holder: Holder,
    /// The processes above the waiting command, without itself; none if the waiter gets a message.
    pub chain: Vec<ProcessId>,
}

/// How long an automatic lease lasts after the last edit, in milliseconds.
pub const EDIT_TTL_MS: u64 = 5 * 60 * 1000;

impl Request {
    /// The request of a hook before its agent edits `path`.
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
        /// Its ticket.
        ticket: u64,
        ahead: usize,
        blockers: Vec<Blocker>,
    },
    /// The holder has none of them.
    Denied(Vec<Blocker>),
    /// The holder has none of them, and would wait for ever: each of these waits for the next, and the last for the
    /// first.
    Cycle(Vec<Name>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The leases for the request, oldest first: those that already covered some of it were renewed.
    pub leases: Vec<Lease>,
    /// The number of the lease that was made for the paths not held before.
    pub new: Option<u64>,
}

/// A holder or waiter that blocks a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    pub holder: Holder,
    /// The path in the request.
    pub wanted: PathPattern,
    /// The blocker's path that overlaps it.
    pub path: PathPattern,
    pub why: Why,
}

/// How somebody blocks a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has the lease.
    Holds(Box<Lease>),
    /// It came first, and may have an offer already.
    Waits(Box<Waiter>),
}

/// The selected leases of a holder.
#[derive(Clone, Copy, Debug)]
pub enum LeaseSelector<'a> {
    All,
    /// The leases on these paths.
    Paths(&'a [PathPattern]),
    /// The lease with this number.
    Fence(u64),
}

/// The effect of giving leases back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// The leases, or parts of leases, that were given back.
    pub leases: Vec<Lease>,
    /// The tickets that were taken back.
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
    pub events: Vec<LeaseEvent>,
    /// The counter, if a number was used, and whether that must be durable. It is written before anything else.
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
