//! A process that cannot be mistaken for another one.
//!
//! A pid alone is reused; pid + start time + boot id is not. Liveness in swarm is always a question about this
//! triple, never about silence.

use serde::{Deserialize, Serialize};

/// One process, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: i32,
    /// When it started, in the units of the operating system (clock ticks since boot on Linux).
    pub start: u64,
    /// Which boot of the machine that was.
    pub boot: String,
}
