//! Finds agents in panes, looks at them, recognises them when they are back, and vouches for them.
//!
//! Nothing here types into a pane. The courier and the commands use it alike and at once, so every change of a record is decided
//! in a transaction that reads the record again.

pub mod discovery;
pub mod heirs;
pub mod observe;
pub mod projects;
pub mod rate;
pub mod rules;
pub mod witness;
