//! Processes: who runs, below whom, since when.
//!
//! Read-only looks at the system. Linux reads `/proc`; elsewhere one `ps` gives the same facts. A look is a
//! snapshot: what it says of a process is checked again (by start time) where it matters.

pub mod caller;
pub mod clock;
pub mod process;
pub mod program;
pub mod volume;
