//! The contents of the dashboard at one moment: rows, ready to be drawn.
//!
//! Plain data. Every text in it is safe for a terminal.

use crate::core::agent::Status;
use crate::core::badge::Counts;
use crate::core::delivery::Stage;
use std::path::PathBuf;
use std::rc::Rc;

#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// The directory of the project, which distinguishes it from others.
    pub(super) root: PathBuf,
    /// The project's name.
    pub(super) project: String,
    /// Whether a courier listens.
    pub(super) courier: bool,
    /// The counts of the status line.
    pub(super) counts: Counts,
    /// Since when this host is cut off from its team (ms since the epoch).
    pub(super) cut: Option<u64>,
    /// Damaged or forged records.
    pub(super) quarantined: usize,
    /// The times from sent to submitted of the latest deliveries.
    pub(super) latency: Option<Latency>,
    /// The living agents; those that need a person come first.
    pub(super) agents: Vec<AgentRow>,
    /// The conversations; those with news for the person come first.
    pub(super) threads: Vec<ThreadRow>,
    /// The leases, each followed by its waiters.
    pub(super) leases: Vec<LeaseRow>,
    /// The tasks of the coordination document.
    pub(super) tasks: Rc<Vec<TaskRow>>,
    /// Waiting mail: held, to be acknowledged, or dead.
    pub(super) waiting: Vec<WaitingRow>,
    /// The events of leases, oldest first.
    pub(super) history: Rc<Vec<LeaseNote>>,
    /// Whether there are older messages that were not read yet.
    pub(super) more: bool,
    /// The groups of agents.
    pub(super) groups: Vec<GroupRow>,
    /// How many messages the person may send in a row, and when the next one may be sent if the limit is reached (ms
    /// since the epoch).
    pub(super) limited: Option<(usize, u64)>,
}

/// A group of agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupRow {
    /// Its address: `@api`.
    pub(super) name: String,
    /// Its members, by their present names.
    pub(super) members: Vec<String>,
}

/// A project on the tmux server, in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProjectRow {
    /// The directory of the project, which distinguishes it from others.
    pub(super) root: PathBuf,
    pub(super) label: String,
    pub(super) agents: usize,
    /// How many of its agents need the person.
    pub(super) needs: usize,
    pub(super) unread: usize,
}

/// How soon free agents got their mail, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p95: u64,
    /// The number of messages in the figures.
    pub(super) of: usize,
    /// The number of messages that had to wait first, and are not in the figures.
    pub(super) waited: usize,
}

/// How much an agent needs a person; the agents are sorted by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// A dialog is open.
    Dialog,
    /// The person has unread mail from it.
    Asks,
    /// It has not acknowledged a message in spite of a reminder.
    Overdue,
    /// Mail for it is held.
    Held,
    /// Its screen is in another state in which nothing is typed.
    Other,
    Busy,
    Idle,
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
    /// Its earlier names.
    pub(super) formerly: Vec<String>,
    /// The number of its unread messages to the person.
    pub(super) unread: usize,
    /// The number of messages that wait for it.
    pub(super) waits: usize,
    pub(super) leases: usize,
    pub(super) need: Need,
    /// Why its mail is held; empty if none is.
    pub(super) why: String,
    /// Its unread messages to the person that want an answer, newest first.
    pub(super) asks: Vec<Rc<MessageRow>>,
    /// On another host of the team: it has no pane here.
    pub(super) away: bool,
}

/// The state of a message for the person at the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailState {
    /// It has this stage.
    At(Stage),
    /// The person at the keyboard has not read it.
    Unread,
    /// It was read, and its acknowledgement is awaited.
    ReadNoAck,
    /// The person must acknowledge it.
    Ack,
    /// It was not acknowledged in spite of a reminder.
    Overdue,
}

impl MailState {
    /// The word for people.
    pub(super) fn word(self) -> &'static str {
        match self {
            MailState::At(stage) => stage.word(),
            MailState::Unread => "unread",
            MailState::ReadNoAck => "read, no ack",
            MailState::Ack => "ack",
            MailState::Overdue => "overdue",
        }
    }

    /// Its rank among waiting mail: first mail under way in a channel, then the most pressing.
    pub(super) fn rank(self) -> u8 {
        match self {
            MailState::Overdue => 1,
            MailState::At(Stage::Held) => 2,
            MailState::At(Stage::Failed) => 3,
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
    pub(super) thread: String,
    pub(super) at: u64,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    /// The groups in its address: `@api, @ui`.
    pub(super) groups: String,
    pub(super) kind: &'static str,
    pub(super) body: String,
    /// The beginning of its text, on one line.
    pub(super) first: String,
    /// The searchable text, in lower case.
    pub(super) folded: String,
    /// The state for the recipient with the least progress.
    pub(super) state: MailState,
    /// The reason for that state; empty without one.
    pub(super) why: String,
    /// The person at the keyboard is a recipient, and has not read it.
    pub(super) unread: bool,
    /// The person at the keyboard is a recipient.
    pub(super) mine: bool,
    /// A notice of swarm itself.
    pub(super) notice: bool,
    pub(super) urgent: bool,
    /// Whether it wants no answer.
    pub(super) fyi: bool,
    /// Held because of the limit on answers in a row between agents.
    pub(super) paused: bool,
    /// Its marks: what it wants, in a few words.
    pub(super) marks: String,
    /// Whether an acknowledgement was asked for.
    pub(super) ack: bool,
    /// The message that it answers.
    pub(super) answers: String,
}

/// A conversation: its messages, oldest first. It has at least one.
#[derive(Clone, Debug)]
pub(super) struct ThreadRow {
    pub(super) id: String,
    pub(super) messages: Vec<Rc<MessageRow>>,
    /// The number of its unread messages to the person.
    pub(super) unread: usize,
}

/// The thread of swarm's own notices.
pub(super) const NOTICES: &str = "notices";

/// A lease, or a waiter for one.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    /// Its identity in the list.
    pub(super) id: String,
    /// The lease's fence, or the ticket.
    pub(super) number: u64,
    pub(super) waits: bool,
    pub(super) holder: String,
    pub(super) mode: &'static str,
    pub(super) since: u64,
    pub(super) state: String,
    pub(super) paths: Vec<String>,
    pub(super) reason: String,
    /// Held by the person at the keyboard.
    pub(super) mine: bool,
    /// The holder is on another host of the team.
    pub(super) away: bool,
}

/// An event of a lease.
#[derive(Clone, Debug)]
pub(super) struct LeaseNote {
    pub(super) at: u64,
    pub(super) name: String,
    /// The event, in words.
    pub(super) what: String,
    pub(super) paths: Vec<String>,
}

/// A line of the coordination document.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskRow {
    /// Its identity in the list.
    pub(super) id: String,
    /// Its line, from 1.
    pub(super) line: usize,
    pub(super) section: String,
    pub(super) text: String,
    /// Whether it is done, if it has a box.
    pub(super) done: Option<bool>,
    /// The cells of its row, with their heads; empty for an item of a list.
    pub(super) cells: Vec<(String, String)>,
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
    pub(super) first: String,
}
