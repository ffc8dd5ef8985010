//! Leases: who may edit what, for how long, and who is next.
//!
//! Pure values and decisions. What makes them hold between processes is the store: it loads, decides and commits in
//! one transaction.

pub mod pattern;

pub use pattern::{Kind, PathPattern};
