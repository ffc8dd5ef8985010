//! A message of swarm's own.
//!
//! Pure. Notices are kept in the store until they are posted, so a notice and its cause become durable together.

use super::message::MessageType;
use super::name::Name;
use serde::{Deserialize, Serialize};

/// A message from swarm itself, for example that a lease ended, or that an agent got back its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub to: Name,
    /// Its type of message.
    pub kind: MessageType,
    /// The text: one line.
    pub text: String,
}
