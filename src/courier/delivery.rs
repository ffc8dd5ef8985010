//! One message into one pane, exactly once.
//!
//! Two marks make a crash harmless: `typing` is recorded before the text is pasted, `entering` before Enter is
//! pressed. After a crash they show what may have happened. With a look at the composer and the screen, the message
//! is neither repeated nor lost. Each act on the pane is guarded by the facts of the look that it was decided on, and
//! stands in the journal together with its mark. The pane lock is held throughout. The store's mutex is held only for
//! each mark, never during a tmux call.
//!
//! Enter is pressed only on the text of the delivery under way. Text that was submitted, or may have been, belongs to
//! the person from then on, also when history or an interrupted turn brings it back. A second Enter needs evidence
//! that the program has read the first one. Otherwise it would wait in the terminal, and say yes to the next
//! question.
//!
//! The modules: `look` at the pane, `paste`, `enter`, the `evidence` that the agent got the text, a line that is
//! `left_over`, the `record`, the `text`, and the `offer` to a channel of the agent's own.

mod enter;
mod evidence;
mod left_over;
mod look;
pub mod offer;
mod paste;
mod record;
mod text;

use super::gate::Hold;
use super::keys::Keys;
use crate::agents::Profile;
use crate::core::agent::Agent;
use crate::core::config::Settings;
use crate::core::delivery::{Progress, Stage};
use crate::core::message::Verified;
use crate::os::process;
use crate::store::{Store, fault, lock, now_ms};
use crate::tmux::pane::Acted;
use anyhow::Result;
use record::Press;
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The agent has it, by this evidence.
    Submitted(&'static str),
    /// It has left the composer without a sign that the agent got it.
    Typed(&'static str),
    /// It was given to the agent's own channel; whether it is known to wait in the agent's queue.
    Offered(bool),
    /// It waits, for this reason.
    Held(Hold),
    /// The recipient's process is gone.
    Gone,
    /// The message was read or settled by another process meanwhile.
    Settled,
}

pub struct Attempt<'a> {
    pub store: &'a Store,
    pub agent: &'a Agent,
    /// The rules for its kind.
    pub profile: &'a Profile,
    pub message: &'a Verified,
    /// The number of the reminder; `None`: the message itself.
    pub reminder: Option<u32>,
    /// The members of a bundle.
    pub members: &'a [Verified],
    /// Whether their lines are typed with it.
    pub whole: bool,
    /// The waits in use.
    pub settings: &'a Settings,
    /// People's keys in its pane.
    pub keys: &'a RefCell<Keys>,
    pub notes: Notes,
}

/// What an attempt remembers.
#[derive(Debug, Default)]
pub struct Notes {
    /// A sign that the agent got the text, seen in one look: a turn may be over at the next.
    sign: Cell<Option<&'static str>>,
    /// tmux's answers to the acts since the last transaction, for the journal.
    said: RefCell<Vec<(Press, Acted)>>,
}

impl Attempt<'_> {
    /// Tries to bring the message to `submitted`, and records how far it came.
    pub fn run(&self) -> Result<Outcome> {
        let place = &self.agent.place;
        let Some(_pane) = lock::pane(&place.socket, &place.pane)? else {
            return Ok(Outcome::Held(Hold::PaneBusy));
        };
        self.conclude(self.steps()?)
    }

    /// Checks whether an untyped text could be pasted now, and returns the size of the pane. If not, the reason is
    /// recorded.
    pub fn begin(&self) -> Result<ControlFlow<Outcome, (u16, u16)>> {
        let place = &self.agent.place;
        let outcome = {
            let Some(_pane) = lock::pane(&place.socket, &place.pane)? else {
                return Ok(ControlFlow::Break(Outcome::Held(Hold::PaneBusy)));
            };
            match self.look()? {
                None => Outcome::Gone,
                Some(seen) => match seen.scene().may_paste() {
                    Ok(()) => {
                        return Ok(ControlFlow::Continue((seen.look.facts.width, seen.look.facts.height)));
                    }
                    Err(Hold::Draft) => self.behind_draft(&seen)?,
                    Err(hold) => Outcome::Held(hold),
                },
            }
        };
        self.conclude(outcome).map(ControlFlow::Break)
    }

    /// Records the result of an attempt.
    fn conclude(&self, outcome: Outcome) -> Result<Outcome> {
        let outcome = match outcome {
            // The agent lives, so only the look failed, and its composer is as it was.
            Outcome::Gone if process::look(&self.agent.process).is_some() => Outcome::Held(Hold::Unseen),
            outcome => outcome,
        };
        match &outcome {
            Outcome::Submitted(evidence) => {
                fault::point("before-submitted-mark");
                self.mark(|way| {
                    way.advance(Stage::Submitted, evidence, now_ms());
                })?;
                fault::point("after-submitted-mark");
            }
            Outcome::Typed(why) => {
                self.mark(|way| {
                    way.advance(Stage::Typed, why, now_ms());
                })?;
            }
            // What may stand in the composer keeps its stage; only the reason changes.
            Outcome::Held(hold) => drop(self.mark(|d| {
                if hold.is_stuck() && d.typed_at > 0 && d.stuck_since == 0 {
                    d.stuck_since = now_ms();
                }
                d.unseen |= *hold == Hold::NotSeen && d.stage == Stage::Typing;
                let stage = if d.stage.is_under_way() { d.stage } else { Stage::Held };
                d.advance(stage, &hold.to_string(), now_ms());
            })?),
            Outcome::Gone => drop(self.mark(|d| {
                d.advance(Stage::Held, "its process has ended", now_ms());
            })?),
            Outcome::Offered(_) | Outcome::Settled => {}
        }
        self.flush();
        Ok(outcome)
    }

    fn steps(&self) -> Result<Outcome> {
        let mut delivery = self.current()?;
        if delivery.typed_into.as_ref().is_some_and(|p| *p != self.agent.process) {
            // The text was typed into a process that is gone, and is gone with it.
            let Some(fresh) = self.mark(|d| *d = Progress::queued(now_ms()))? else {
                return Ok(Outcome::Settled);
            };
            delivery = fresh;
        }
        // The line in the composer contains the agent's name of that time.
        let name = delivery.typed_as.as_ref().unwrap_or(&self.agent.name);
        let line = self.line(name, &delivery);
        let typed = if matches!(delivery.stage, Stage::Typing | Stage::Entering) {
            self.resume(&line, &delivery)?
        } else {
            self.paste(&line, false)?
        };
        match typed {
            ControlFlow::Break(outcome) => Ok(outcome),
            ControlFlow::Continue(so_far) => self.submit(&line, so_far),
        }
    }
}
