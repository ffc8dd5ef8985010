//! What the dashboard shows at one moment: rows, ready to be drawn.
//!
//! Plain data. Every text in it was made safe for a terminal when it was put in.

use crate::core::agent::Status;
use crate::core::badge::Counts;
use crate::core::delivery::Stage;
use std::path::PathBuf;
use std::rc::Rc;

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// The directory of the project: what tells it from others.
    pub(super) root: PathBuf,
    /// What the project is called.
    pub(super) project: String,
    /// Whether a courier listens.
    pub(super) courier: bool,
    /// The counts, as the status line shows them.
    pub(super) counts: Counts,
    /// Since when this host is cut off from its team (ms since the epoch).
    pub(super) cut: Option<u64>,
    /// Damaged or forged records.
    pub(super) quarantined: usize,
    /// Sent to submitted, of the latest deliveries.
    pub(super) latency: Option<Latency>,
    /// The living agents, those that need a person first.
    pub(super) agents: Vec<AgentRow>,
    /// The conversations, those with something for the person first.
    pub(super) threads: Vec<ThreadRow>,
    /// Leases, each with those who wait for it.
    pub(super) leases: Vec<LeaseRow>,
    /// What stands in the coordination document.
    pub(super) tasks: Rc<Vec<TaskRow>>,
    /// Mail that waits for something: held, to be acknowledged, dead.
    pub(super) waiting: Vec<WaitingRow>,
    /// What happened to leases, oldest first.
    pub(super) history: Rc<Vec<LeaseNote>>,
    /// Whether older messages are still to be read.
    pub(super) more: bool,
    /// The groups of agents.
    pub(super) groups: Vec<GroupRow>,
    /// How many messages the person may send in a row, and when the next one may be sent if that many were (ms since the epoch).
    pub(super) limited: Option<(usize, u64)>,
}

/// A group of agents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupRow {
    /// As it is addressed: `@api`.
    pub(super) name: String,
    /// Its members, by their present names.
    pub(super) members: Vec<String>,
}

/// A project on the tmux server, in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ProjectRow {
    /// The directory of the project: what tells it from others.
    pub(super) root: PathBuf,
    pub(super) label: String,
    pub(super) agents: usize,
    /// How many agents need the person there.
    pub(super) needs: usize,
    pub(super) unread: usize,
}

/// How soon agents that were free got their mail, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Latency {
    pub(super) p50: u64,
    pub(super) p95: u64,
    /// Of how many messages.
    pub(super) of: usize,
    /// How many of these had to wait first, and are not in the figures.
    pub(super) waited: usize,
}

/// How much an agent needs a person: the order of the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// A dialog is open.
    Dialog,
    /// The person has unread mail from it.
    Asks,
    /// It has not acknowledged what it was reminded of.
    Overdue,
    /// Mail for it is held.
    Held,
    /// Its screen is in a state in which nothing is typed.
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
    /// What it was called before.
    pub(super) formerly: Vec<String>,
    /// How many of its messages the person has not read.
    pub(super) unread: usize,
    /// How many messages wait to be given to it.
    pub(super) waits: usize,
    pub(super) leases: usize,
    pub(super) need: Need,
    /// Why its mail is held; empty if none is.
    pub(super) why: String,
    /// Its messages that the person has not read and that want an answer, newest first.
    pub(super) asks: Vec<Rc<MessageRow>>,
    /// On another host of the team: it has no pane here.
    pub(super) away: bool,
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
    /// It was not acknowledged, and its reader was reminded of that.
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
    pub(super) thread: String,
    pub(super) at: u64,
    pub(super) from: String,
    pub(super) to: Vec<String>,
    /// The groups that it went to: `@api, @ui`.
    pub(super) groups: String,
    pub(super) kind: &'static str,
    pub(super) body: String,
    /// Its beginning, on one line.
    pub(super) first: String,
    /// What a search looks at, in lower case.
    pub(super) folded: String,
    /// How far it is with the recipient where it is least far.
    pub(super) state: MailState,
    /// Why it is no further with them; empty if there is no reason.
    pub(super) why: String,
    /// Not read by the person at the keyboard, to whom it was sent.
    pub(super) unread: bool,
    /// Sent to the person at the keyboard.
    pub(super) mine: bool,
    /// Of swarm itself.
    pub(super) notice: bool,
    pub(super) urgent: bool,
    /// Whether it wants no answer.
    pub(super) fyi: bool,
    /// Held because agents may give each other only so many answers in a row.
    pub(super) paused: bool,
    /// What it wants, in a few words.
    pub(super) marks: String,
    /// Whether an acknowledgement was asked for.
    pub(super) ack: bool,
    /// The message that it answers.
    pub(super) answers: String,
}

/// A conversation: its messages, oldest first. There is at least one.
#[derive(Clone, Debug)]
pub(super) struct ThreadRow {
    pub(super) id: String,
    pub(super) messages: Vec<Rc<MessageRow>>,
    /// How many of them the person has not read.
    pub(super) unread: usize,
}

/// The thread of swarm's own notices.
pub(super) const NOTICES: &str = "notices";

/// A lease, or somebody who waits for one.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    /// What tells it from all others in its list.
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
    /// Of somebody on another host of the team.
    pub(super) away: bool,
}

/// What happened to a lease.
#[derive(Clone, Debug)]
pub(super) struct LeaseNote {
    pub(super) at: u64,
    pub(super) name: String,
    /// What it was, in words.
    pub(super) what: String,
    pub(super) paths: Vec<String>,
}

/// A line of the coordination document.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskRow {
    /// What tells it from all others in its list.
    pub(super) id: String,
    /// Its line, from 1.
    pub(super) line: usize,
    pub(super) section: String,
    /// What it says.
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
