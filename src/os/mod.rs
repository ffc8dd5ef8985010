//! Processes: their programs, their parents and their start times.
//!
//! Read-only looks at the system. Linux has `/proc`; elsewhere one `ps` gives the same facts. A look is a snapshot:
//! if it matters, the identity of a process is checked again (by its start time).
//!
//! Only this module chooses between the two. The feature `portable-process` chooses the second one on Linux as well,
//! so the tests run with it.

pub mod caller;
pub mod child;
pub mod clock;
pub mod forest;
pub mod git;
pub mod links;
pub mod peer;
pub mod process;
pub mod program;
pub mod served;
pub mod signature;
pub mod terminal;
pub mod tools;
pub mod volume;

#[cfg(all(target_os = "linux", not(feature = "portable-process")))]
#[path = "linux.rs"]
mod system;
#[cfg(not(all(target_os = "linux", not(feature = "portable-process"))))]
#[path = "portable.rs"]
mod system;
