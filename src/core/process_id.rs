//! A process that cannot be confused with another one.
//!
//! A pid alone is reused; pid + start time + boot id is not. Whether a process lives is always a question about this
//! triple, and never about silence.

use serde::{Deserialize, Serialize};

/// One process, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: i32,
    /// When it started, in the units of the operating system (clock ticks since boot on Linux).
    pub start: u64,
    /// The boot of the machine in which it started.
    pub boot: String,
}
