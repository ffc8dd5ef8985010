//! Leases: who may edit what, for how long, and who is next.
//!
//! Pure values and decisions. The store applies them for several processes: it loads, decides and commits in one
//! transaction.
//!
//! Other code uses four calls: `Store::literal_pattern(cwd, path)` gives the canonical pattern of a file,
//! `Request::edit(holder, paths)` the request of a hook before an edit, `Store::acquire` the outcome, and
//! `Store::leases()?.table.holding(&pattern)` the holders of a path.

pub mod decision;
pub mod event;
pub mod index;
pub mod pattern;
pub mod record;
pub mod stats;
pub mod table;
pub mod words;

pub use decision::{
    Blocker, Changes, GivenBack, Grant, LeaseOutcome, LeaseSelector, Request, Wait, Why, Write,
};
pub use event::{End, GaveUp, LeaseEvent};
pub use pattern::{PathKind, PathPattern, Scope};
pub use record::{Challenge, Counter, Holder, Lease, Liveness, Mode, Reason, Waiter};
pub use table::LeaseTable;
