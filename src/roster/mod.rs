//! Who is there and what they are doing: agents are found in panes, looked at, recognised when they come back, and vouched for.
//!
//! Nothing here types into a pane. The courier and the commands use it alike and at once, so every change of a record is decided
//! in a transaction that reads the record again.

pub mod discovery;
pub mod heirs;
pub mod limit;
pub mod observe;
pub mod projects;
pub mod rules;
pub mod witness;
