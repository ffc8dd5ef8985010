//! What the dashboard shows at one moment: rows, ready to be drawn.
//!
//! Plain data. Every text in it was made safe for a terminal when it was put in.

use crate::core::agent::Status;
use crate::core::badge::Counts;
use crate::core::delivery::Stage;

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// The project's root.
    pub(super) project: String,
    /// Whether a courier listens.
    pub(super) courier: bool,
    /// The counts, as the status line shows them.
    pub(super) counts: Counts,
    /// Damaged or forged records.
    pub(super) quarantined: usize,
    /// Sent to submitted, of the latest deliveries.
    pub(super) latency: Option<Latency>,
    /// The living agents, those that need a person first.
    pub(super) agents: Vec<AgentRow>,
    /// The latest messages, newest first.
    pub(super) messages: Vec<MessageRow>,
    /// Leases, then those who wait for one.
    pub(super) leases: Vec<LeaseRow>,
    /// Mail that waits for something: held, to be acknowledged, dead.
    pub(super) waiting: Vec<WaitingRow>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p95: u64,
    pub(super) of: usize,
}

#[derive(Clone, Debug)]
pub(super) struct AgentRow {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) socket: String,
    pub(super) pane: String,
    pub(super) status: Status,
    /// Since when it is in that state (ms since the epoch).
    pub(super) since: u64,
    pub(super) unread: usize,
    pub(super) leases: usize,
    /// Why its mail is held; empty if none is.
    pub(super) why: String,
}

/// How a message stands, in the view of who looks at the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailState {
    /// It has got so far.
    At(Stage),
    /// The person at the keyboard has not read it.
    Unread,
    /// It was read, and its acknowledgement is awaited.
    ReadNoAck,
    /// It is to be acknowledged.
    Ack,
    /// Its acknowledgement was reminded of.
    Overdue,
    /// It will not be delivered.
    Dead,
}

impl MailState {
    /// The word that is shown.
    pub(super) fn word(self) -> &'static str {
        match self {
            MailState::At(stage) => stage.word(),
            MailState::Unread => "unread",
            MailState::ReadNoAck => "read, no ack",
            MailState::Ack => "ack",
            MailState::Overdue => "overdue",
            MailState::Dead => "dead",
        }
    }

    /// Its place among what waits: first what is under way in a channel, then the most pressing.
    pub(super) fn rank(self) -> u8 {
        match self {
            MailState::Overdue => 1,
            MailState::At(Stage::Held) => 2,
            MailState::Dead => 3,
            MailState::Ack => 4,
            MailState::At(Stage::Typing | Stage::Entering | Stage::Typed) => 5,
            MailState::At(Stage::Queued) => 6,
            _ => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct MessageRow {
    pub(super) id: String,
    pub(super) at: u64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) kind: &'static str,
    pub(super) preview: String,
    pub(super) body: String,
    /// How far it is with the recipient where it is least far.
    pub(super) stage: MailState,
    /// Not read by the person at the keyboard, to whom it was sent.
    pub(super) unread: bool,
    /// Sent to the person at the keyboard.
    pub(super) mine: bool,
    pub(super) urgent: bool,
}

/// A lease, or somebody who waits for one.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    /// The lease's fence, or the ticket.
    pub(super) number: u64,
    pub(super) waits: bool,
    pub(super) holder: String,
    pub(super) mode: &'static str,
    pub(super) since: u64,
    pub(super) state: String,
    pub(super) paths: String,
    pub(super) reason: String,
    /// Held by the person at the keyboard.
    pub(super) mine: bool,
}

/// A message that waits for something.
#[derive(Clone, Debug)]
pub(super) struct WaitingRow {
    pub(super) id: String,
    pub(super) what: MailState,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) since: u64,
    pub(super) why: String,
    pub(super) preview: String,
}
