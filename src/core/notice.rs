//! A message of swarm's own.
//!
//! Pure. Notices are kept in the store until they are posted, so that what caused one and the notice itself become durable together.

use super::message::MessageType;
use super::name::Name;
use serde::{Deserialize, Serialize};

/// A message that swarm itself sends: that a lease ended, that an agent got back its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub to: Name,
    /// As which type of message.
    pub kind: MessageType,
    /// The text: one line.
    pub text: String,
}
