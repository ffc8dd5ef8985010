//! The records of a team: the membership, the hosts, the letters on their way, and questions to the link.

use crate::core::address::HostName;
use crate::core::delivery::{Progress, Stage};
use crate::core::id::MessageId;
use crate::core::lease::Lease;
use crate::core::message::{MessageType, Signed};
use crate::core::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The place of the team's engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A cluster of swarm's own on this machine, in this directory.
    Own(PathBuf),
    /// A socket in this directory; somebody else maintains its cluster.
    Socket(PathBuf),
    /// A cluster on the machine that ssh knows by this name.
    Ssh {
        /// The argument for ssh.
        to: String,
        /// The directory of the socket on that machine.
        socket: PathBuf,
    },
}

/// This host's membership of a team. It lies beside the project's key, readable by its user only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Membership {
    /// The team's id.
    pub id: String,
    /// This host's name in it.
    pub host: HostName,
    pub engine: Engine,
    /// The token by which the engine recognises this host.
    pub token: String,
    /// The secret half of this host's key.
    pub seed: String,
    /// The host that made the team.
    pub admin: HostName,
    /// Its public key, which verifies the others' keys.
    pub admin_key: String,
}

/// A host of the team, as this host knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCard {
    pub name: HostName,
    /// When it was last heard (ms since the epoch, by this host's clock).
    pub heard: u64,
    /// Whether the team's maker has signed its key.
    pub known: bool,
    /// The agents there.
    pub members: Vec<Member>,
}

impl HostCard {
    /// A host that was silent for longer counts as unreachable (ms).
    pub const SILENT: u64 = 15_000;

    /// Whether it is a host other than `own`, and its key is signed.
    pub fn is_other(&self, own: Option<&HostName>) -> bool {
        self.known && Some(&self.name) != own
    }

    /// Whether it was heard lately. A silent host may still be there.
    pub fn is_reached(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.heard) < Self::SILENT
    }
}

/// An agent on another host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub name: Name,
    pub kind: String,
    pub state: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// All hosts, including this one.
    pub hosts: Vec<HostCard>,
    /// The state of this host's link.
    pub link: LinkState,
}

/// The state of this host's link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// When the engine last answered (ms since the epoch).
    pub heard: u64,
    /// How long that answer took (ms).
    pub rtt_ms: u64,
    /// The engine's version.
    pub engine: String,
    /// Since when there is no connection (ms since the epoch), and why.
    pub cut: Option<(u64, String)>,
    /// What prevents its work.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A letter for another host that waits for the engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Away {
    pub host: HostName,
    /// The letter, signed with the project's key.
    pub message: Signed,
}

/// The progress of a letter that the engine has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    pub id: MessageId,
    pub from: Name,
    pub host: HostName,
    pub kind: MessageType,
    /// When it was sent.
    pub created: u64,
    /// Its progress for each recipient.
    pub to: BTreeMap<Name, Progress>,
    /// The letter itself, signed with the project's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Signed>,
}

/// A letter of another host, and the reports to that host about it.
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

/// The progress of a letter of another host for one recipient, as a report to that host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The letter.
    pub id: MessageId,
    pub name: Name,
    pub stage: Stage,
    /// Why it waits or failed.
    pub detail: String,
}

/// A question of a command or a hook to the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// Hold the lease with this number of the own store in the whole team. With a time (ms), wait for it that long.
    Take(u64, Option<u64>),
    /// Ask the engine now.
    Look,
}

/// The link's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The lease is held, under this number.
    Granted(u64),
    /// The lease is waited for: the ticket, and how many waiters are before it.
    Queued(u64, usize),
    /// Others hold these leases.
    Held(Vec<Lease>),
    /// It would wait for ever.
    Cycle,
    /// The engine answered; this took so long (ms).
    Seen(u64),
    /// There is no connection to the engine since then (ms since the epoch), for this reason.
    Cut(u64, String),
    /// It cannot be done, for this reason.
    Refused(String),
}
