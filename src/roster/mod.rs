//! Finds agents in panes, observes them, recognises returning agents, and confirms identities.
//!
//! Nothing here types into a pane. The courier and the commands use it at the same time, so every change of a record
//! is decided in a transaction that reads the record again.

pub mod discovery;
pub mod heirs;
pub mod observe;
pub mod projects;
pub mod proof;
pub mod rate;
pub mod rules;
pub mod witness;
