//! The fields of a form for starting agents beside the prompt: the kind, the count, and the name.
//!
//! Pure. One text is written at a time, the prompt or the name; Tab switches.

use super::action::Action;
use super::input::Input;
use crate::core::agent::MOST_STARTED;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Starting {
    kinds: Vec<String>,
    at: usize,
    count: usize,
    /// The text that is not being written now.
    other: Input,
    /// Whether the name is being written.
    pub(super) naming: bool,
}

impl Starting {
    /// Fields with these kinds, at least one; the chosen one is `kind`, if it is among them.
    pub(super) fn new(kinds: Vec<String>, kind: &str) -> Self {
        let at = kinds.iter().position(|known| known == kind).unwrap_or(0);
        Self { kinds, at, count: 1, other: Input::default(), naming: false }
    }

    /// The fields of a refused command; returns the prompt as well.
    pub(super) fn again(args: &[&str], prompt: &str) -> (Self, Input) {
        let value = |name: &str| args.iter().find_map(|arg| arg.strip_prefix(name));
        let kinds = args.get(1).map(|kind| vec![(*kind).to_owned()]).unwrap_or_default();
        let count = value("--count=").and_then(|n| n.parse().ok()).unwrap_or(1);
        let other = Input::of(value("--name=").unwrap_or_default());
        (Self { kinds, at: 0, count, other, naming: false }, Input::of(prompt))
    }

    pub(super) fn kind(&self) -> &str {
        self.kinds.get(self.at).map_or("", String::as_str)
    }

    pub(super) fn next_kind(&mut self) {
        self.at = (self.at + 1) % self.kinds.len().max(1);
    }

    /// Increments the count; after the greatest it is 1 again.
    pub(super) fn next_count(&mut self) {
        self.count = self.count % usize::from(MOST_STARTED) + 1;
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Switches between the prompt and the name; `written` is the text that is being written.
    pub(super) fn turn(&mut self, written: &mut Input) {
        std::mem::swap(&mut self.other, written);
        self.naming = !self.naming;
    }

    /// Whether nothing was written yet.
    pub(super) fn is_blank(&self, written: &Input) -> bool {
        self.other.is_blank() && written.is_blank()
    }

    /// The prompt and the name.
    fn texts(&self, written: &Input) -> (String, String) {
        let (prompt, name) = if self.naming { (&self.other, written) } else { (written, &self.other) };
        (prompt.text(), name.text().trim().to_owned())
    }

    pub(super) fn title(&self, written: &Input) -> String {
        let name = self.texts(written).1;
        let called = if name.is_empty() { String::new() } else { format!(", called {name}") };
        let writes = if self.naming { "its name" } else { "its first message" };
        format!("Start {} {}{called}: {writes}", self.count, self.kind())
    }

    /// The error, before the command runs.
    pub(super) fn wrong(&self, written: &Input) -> Option<String> {
        let name = self.texts(written).1;
        let numbers = name.matches('#').count();
        let fits = name.is_empty() || numbers == 1 || (numbers == 0 && self.count == 1);
        (!fits).then(|| "several need one # in their name, for the number: api-#".to_owned())
    }

    pub(super) fn action(&self, written: &Input) -> Action {
        let (prompt, name) = self.texts(written);
        let kind = self.kind();
        let mut action = Action::line(&format!("start {kind}"), &["start", kind]);
        action.args.push(format!("--count={}", self.count));
        if !name.is_empty() {
            action.args.push(format!("--name={name}"));
        }
        if !prompt.trim().is_empty() {
            action.args.push("--prompt=-".to_owned());
            action.stdin = prompt;
        }
        action
    }
}
