//! Decides whether a text or a key may go into a pane now, and if not, why.
//!
//! Pure: it judges one look. Only a clearly idle agent with an empty composer passes, in the foreground of a living
//! pane that nobody is typing into. Everything else is a hold, with a reason that people can read.

use crate::agents::{Content, Open, Reading};
use crate::core::agent::Status;
use crate::core::frame;
use crate::os::process::Process;
use crate::tmux::pane::Look;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// In a turn.
    Busy,
    /// It runs this program, which gets the keys.
    Runs(String),
    /// A dialog is open, and Enter would answer it.
    Dialog,
    /// Something covers the composer.
    Overlay,
    /// A named overlay is open, or the composer is in a named mode.
    Open(Open),
    /// A person's draft is in the composer.
    Draft,
    /// A person's key reached the pane a moment ago.
    HumanTyping,
    /// Copy mode or another mode takes the keys.
    Mode,
    /// Input to the pane is switched off.
    InputOff,
    /// The pane is smaller than its agent's kind needs: the columns and rows.
    TooSmall(u16, u16),
    /// The agent is suspended or another program is in the foreground.
    Background,
    /// The screen could not be understood.
    Unknown,
    /// The pane or its process is not the one on record.
    Moved,
    /// Something changed between the look and the act.
    Changed,
    /// The composer holds a line of swarm that is not the delivery under way: it was given before, and brought back.
    Recalled,
    /// The composer holds the whole message, and more: somebody typed meanwhile.
    Mixed,
    /// The composer shows the message differently from how it was typed.
    Altered,
    /// The message stands in the composer, and Enter may not be pressed, or not again.
    EnterIgnored,
    /// An Enter was pressed, and the program is not known to have read it.
    Unread,
    /// Another process is delivering into this pane.
    PaneBusy,
    /// A hook of the agent is handing over mail.
    HookBusy,
    /// The text was pasted and has not appeared.
    NotSeen,
    /// It lives, but tmux shows no pane with it.
    Unseen,
    /// Its tmux server has not answered since this time (ms since the epoch).
    ServerHangs(u64),
    /// No carrier that the settings allow reaches it.
    NoCarrier,
    /// Its usage limit is reached, as its screen says.
    Limit(String),
}

impl Hold {
    /// Whether the message stands in the composer and everything was tried: only a person can do something about it.
    pub fn is_stuck(&self) -> bool {
        matches!(self, Hold::EnterIgnored | Hold::Altered)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Hold::ServerHangs(since) = self {
            let s = since / 1000 % 86_400;
            let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
            return write!(f, "its tmux server does not answer (since {h:02}:{m:02}:{s:02} UTC)");
        }
        f.write_str(match self {
            Hold::Open(open) => return write!(f, "{open}"),
            Hold::Limit(said) => return write!(f, "its usage limit is reached: {said}"),
            Hold::Runs(command) => return write!(f, "it runs a command ({command})"),
            Hold::TooSmall(columns, rows) => {
                return write!(f, "its pane is too small to be read ({columns}x{rows} at least)");
            }
            Hold::Busy => "it is in a turn",
            Hold::Dialog => "a dialog is open, and waits for you",
            Hold::Overlay => "something is open over its composer",
            Hold::Draft => "its composer holds a draft",
            Hold::HumanTyping => "somebody is typing there",
            Hold::Mode => "its pane is in copy mode",
            Hold::InputOff => "input to its pane is off",
            Hold::Background => "it is in the background of its pane",
            Hold::Unknown => "its screen is not understood",
            Hold::Moved => "its pane has changed hands",
            Hold::Changed => "its pane changed in the last moment",
            Hold::Recalled => "its composer holds a draft: a line of swarm that it was given before",
            Hold::Mixed => "somebody typed beside the message, which is not submitted",
            Hold::Altered => "its composer shows the message differently: clear it there, or press Enter",
            Hold::EnterIgnored => {
                "the message stands in its composer and was not submitted: press Enter there, or clear it"
            }
            Hold::Unread => "it has not read what was typed",
            Hold::PaneBusy => "another delivery to its pane is under way",
            Hold::HookBusy => "a hook of it is handing mail over",
            Hold::NotSeen => "the text does not appear in its composer",
            Hold::Unseen => "its pane cannot be looked at",
            Hold::ServerHangs(_) => "its tmux server does not answer",
            Hold::NoCarrier => "nothing that delivery.carriers or delivery.carriers_of allows reaches it",
        })
    }
}

/// The facts of a look for the decision, without the look itself.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub reading: &'a Reading,
    /// The agent's process.
    pub process: &'a Process,
    /// The pane's first process has ended, or is not the one on record.
    pub moved: bool,
    /// A mode takes the keys.
    pub in_mode: bool,
    pub input_off: bool,
    /// A person's key reached the pane a moment ago.
    pub human: bool,
    /// The recent report of the agent's own hook. It can veto, but it proves nothing.
    pub reported: Option<Status>,
}

impl<'a> Scene<'a> {
    /// The facts of one look. A person's keys and reports of hooks are not among them.
    pub fn of(look: &Look, moved: bool, reading: &'a Reading, process: &'a Process) -> Self {
        let (in_mode, input_off) = (look.in_mode, look.input_off);
        Scene { reading, process, moved, in_mode, input_off, human: false, reported: None }
    }

    /// Everything about the pane but the composer: may keys go there at all?
    pub fn pane_is_open(&self) -> Result<(), Hold> {
        match self {
            Scene { moved: true, .. } => Err(Hold::Moved),
            Scene { in_mode: true, .. } => Err(Hold::Mode),
            Scene { input_off: true, .. } => Err(Hold::InputOff),
            _ if self.process.stopped || self.process.group != self.process.foreground => {
                Err(Hold::Background)
            }
            _ => match self.reading.too_small {
                Some((columns, rows)) => Err(Hold::TooSmall(columns, rows)),
                None => Ok(()),
            },
        }
    }

    /// May a message be pasted? Only into an empty composer of an agent that is positively idle.
    pub fn may_paste(&self) -> Result<(), Hold> {
        self.pane_is_open()?;
        let empty = self.reading.composer.as_ref().is_some_and(|c| c.content == Content::Empty);
        match self.reading.state {
            Status::Idle if !empty => Err(Hold::Unknown),
            Status::Idle if self.human => Err(Hold::HumanTyping),
            Status::Idle => match self.reported {
                Some(veto @ (Status::Busy | Status::Dialog)) => Err(veto.into()),
                _ => Ok(()),
            },
            _ => Err(self.reading.into()),
        }
    }

    /// May Enter be pressed? Only if the composer holds exactly the message and nothing else can take the key.
    pub fn may_enter(&self, line: &str) -> Result<(), Hold> {
        self.pane_is_open()?;
        match &self.reading.composer {
            Some(composer) if composer.holds(line) && self.human => Err(Hold::HumanTyping),
            Some(composer) if composer.holds(line) => match self.reading.state {
                // swarm's own text makes it a draft.
                Status::Draft | Status::Idle => Ok(()),
                _ => Err(self.reading.into()),
            },
            Some(composer) if composer.holds_beside(line) => Err(Hold::Mixed),
            Some(composer) if composer.contains(frame::head(line)) => Err(Hold::Altered),
            // The message is not there (any more): the composer holds something else, or nothing.
            Some(_) if self.reading.state == Status::Idle => Err(Hold::NotSeen),
            Some(_) | None => Err(self.reading.into()),
        }
    }
}

impl From<&Reading> for Hold {
    fn from(reading: &Reading) -> Self {
        if let Some(command) = &reading.runs {
            return Hold::Runs(command.clone());
        }
        if let Some(said) = &reading.limit {
            return Hold::Limit(said.clone());
        }
        reading.open.clone().map_or_else(|| reading.state.into(), Hold::Open)
    }
}

impl From<Status> for Hold {
    fn from(status: Status) -> Self {
        match status {
            Status::Busy => Hold::Busy,
            Status::Dialog => Hold::Dialog,
            Status::Overlay => Hold::Overlay,
            Status::Draft => Hold::Draft,
            Status::Idle | Status::Limit | Status::Unknown => Hold::Unknown,
        }
    }
}
