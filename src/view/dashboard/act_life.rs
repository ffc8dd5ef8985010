//! Opens the forms and questions for starting and ending agents.
//!
//! Pure. The commands do the rest, and refuse what must not be done.

use super::model::{App, Mode};
use super::snapshot::AgentRow;
use crate::core::agent::Status;
use crate::view::action::Action;
use crate::view::form::{Form, Purpose};
use crate::view::starting::Starting;

impl App {
    /// Opens the form for starting agents. Its first kind is the selected agent's.
    pub(super) fn start(&mut self, kinds: Vec<String>) {
        if kinds.is_empty() {
            return self.tell("no program of an agent that swarm can start is on PATH");
        }
        let kind = self.agent().map(|a| a.kind.clone()).unwrap_or_default();
        self.write(Form::new(Purpose::Start(Starting::new(kinds, &kind)), ""));
    }

    /// Asks whether these agents should end. Busy agents end only if the question says so.
    pub(super) fn end(&mut self) {
        let agents = self.concerned_here();
        if agents.is_empty() {
            return;
        }
        let names: Vec<&str> = agents.iter().map(String::as_str).collect();
        let all = names.join(", ");
        let busy = |a: &&AgentRow| names.contains(&a.name.as_str()) && a.status != Status::Idle;
        let busy: Vec<String> = (self.shown.agents.iter().filter(busy))
            .map(|a| format!("{} is not idle ({})", a.name, a.status.word()))
            .collect();
        let question = match &busy[..] {
            [] => format!("End {all}?"),
            busy => format!("End {all}? {}: the turn and the draft are lost.", busy.join(", ")),
        };
        let force: &[&str] = if busy.is_empty() { &[] } else { &["--force"] };
        let actions = vec![Action::line(&format!("end {all}"), &[&["end"], force, &["--"], &names].concat())];
        self.mode = Mode::Confirm { question, actions };
    }
}
