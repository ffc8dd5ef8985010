//! The records of a team: the membership, the hosts, the letters on their way, and what commands ask the link.

use crate::core::address::HostName;
use crate::core::delivery::{Progress, Stage};
use crate::core::id::MessageId;
use crate::core::lease::Lease;
use crate::core::message::{MessageType, Signed};
use crate::core::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the team's engine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A cluster of swarm's own on this machine, in that directory.
    Own(PathBuf),
    /// A socket in that directory that somebody else looks after.
    Socket(PathBuf),
    /// A cluster on the machine that ssh knows by that name.
    Ssh {
        /// What ssh is given.
        to: String,
        /// The directory of the socket there.
        socket: PathBuf,
    },
}

/// This host's membership of a team. It lies beside the project's key, readable by its user only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Membership {
    /// The team.
    pub id: String,
    /// This host's name in it.
    pub host: HostName,
    /// The way to its engine.
    pub engine: Engine,
    /// What the engine knows this host by.
    pub token: String,
    /// The secret half of this host's key.
    pub seed: String,
    /// The host that made the team.
    pub admin: HostName,
    /// Its public key, by which the others' keys are known.
    pub admin_key: String,
}

/// One host of the team as this one knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCard {
    pub name: HostName,
    /// When it was heard (ms since the epoch, by this host's clock).
    pub heard: u64,
    /// Whether its key is vouched for.
    pub known: bool,
    /// Who is there.
    pub members: Vec<Member>,
}

impl HostCard {
    /// A host that was not heard for longer is not reached (ms).
    pub const SILENT: u64 = 15_000;

    /// Whether it is another host than `own`, whose key is vouched for.
    pub fn is_other(&self, own: Option<&HostName>) -> bool {
        self.known && Some(&self.name) != own
    }

    /// Whether it was heard lately. A host that was not heard may still be there.
    pub fn is_reached(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.heard) < Self::SILENT
    }
}

/// An agent on another host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name there.
    pub name: Name,
    pub kind: String,
    pub state: String,
}

/// The hosts of the team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// All of them, with this one.
    pub hosts: Vec<HostCard>,
    /// What the link has to say of itself.
    pub link: LinkState,
}

/// How the link of this host is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// When the engine answered last (ms since the epoch).
    pub heard: u64,
    /// How long that took (ms).
    pub rtt_ms: u64,
    /// The engine's version.
    pub engine: String,
    /// Since when there is no connection (ms since the epoch), and why.
    pub cut: Option<(u64, String)>,
    /// What keeps it from its work.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A letter for another host, as it waits for the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Away {
    pub host: HostName,
    /// The letter, signed with the project's key.
    pub message: Signed,
}

/// What is known of a letter that the engine has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    pub id: MessageId,
    /// Whose.
    pub from: Name,
    pub host: HostName,
    pub kind: MessageType,
    /// When it was sent.
    pub created: u64,
    /// How far it is with each recipient.
    pub to: BTreeMap<Name, Progress>,
    /// The letter as it was sent, signed with the project's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Signed>,
}

/// A letter of another host, and the report that this host got about it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Received {
    pub id: MessageId,
    pub host: HostName,
    /// The name of its file in the mailboxes.
    pub file: String,
    /// When it came (ms since the epoch).
    pub at: u64,
    /// The stage that was reported for each recipient.
    pub told: BTreeMap<Name, Option<Stage>>,
}

/// How far a letter of another host is with one recipient, for the report to that host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Of which letter.
    pub id: MessageId,
    pub name: Name,
    /// How far.
    pub stage: Stage,
    /// Why it waits or failed.
    pub detail: String,
}

/// What a command or a hook asks of the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// Hold the lease with this number of the own store in the whole team; with a time (ms), wait for it that long.
    Take(u64, Option<u64>),
    /// To look at the engine now.
    Look,
}

/// What the link answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is held, under this number.
    Granted(u64),
    /// It is waited for: the ticket, and how many come before.
    Queued(u64, usize),
    /// Somebody else is in the way. The leases that are.
    Held(Vec<Lease>),
    /// Waiting would never end.
    Cycle,
    /// The engine was looked at, which took that long (ms).
    Seen(u64),
    /// There is no connection to the engine, since then (ms since the epoch).
    Cut(u64, String),
    /// It cannot be done, for this reason.
    Refused(String),
}
