//! The composer's text and the rules by which an Enter submits it or not.
//! Pure: time comes in as milliseconds. What is drawn (a collapsed paste) and what is submitted differ here only.

use std::collections::VecDeque;

use crate::options::{GuardMode, Options, Style};

/// This many characters within this many milliseconds are a paste without brackets.
const BURST_CHARS: usize = 3;
const BURST_SPAN: u64 = 8;

enum Item {
    Char(char),
    Paste { text: String, label: String },
}

/// A drawn character, and whether it belongs to the label of a collapsed paste.
pub(crate) type Cell = (char, bool);

#[derive(Default)]
pub(crate) struct Draft {
    items: Vec<Item>,
    collapsed: usize,
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn insert(&mut self, c: char) {
        self.items.push(Item::Char(c));
    }

    /// Adds a paste, collapsed to a label when the style would do so.
    pub(crate) fn paste(&mut self, style: Style, text: &str) {
        let lines = text.split('\n').count();
        let chars = text.chars().count();
        // Observed of Claude Code: tabs of a multi-line paste are lost.
        let text = if style == Style::Claude && lines > 1 { text.replace('\t', "") } else { text.to_owned() };
        let long = match style {
            Style::Opencode => chars > 150 || lines >= 3,
            Style::Gemini => chars > 500 || lines > 5,
            Style::Claude => chars > 800,
            Style::Codex => chars > 1000,
        };
        if !long {
            self.items.extend(text.chars().map(Item::Char));
            return;
        }
        self.collapsed += 1;
        let label = match style {
            Style::Claude if lines > 1 => format!("[Pasted text #{} +{} lines]", self.collapsed, lines - 1),
            Style::Claude => format!("[Pasted text #{}]", self.collapsed),
            Style::Codex => format!("[Pasted Content {chars} chars]"),
            Style::Gemini => format!("[Pasted Text: {chars} chars]"),
            Style::Opencode => format!("[Pasted ~{lines} lines]"),
        };
        self.items.push(Item::Paste { text, label });
    }

    pub(crate) fn backspace(&mut self) {
        self.items.pop();
    }

    pub(crate) fn has_collapsed(&self) -> bool {
        self.items.iter().any(|i| matches!(i, Item::Paste { .. }))
    }

    /// The text that a submit would send.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Char(c) => text.push(*c),
                Item::Paste { text: pasted, .. } => text.push_str(pasted),
            }
        }
        text
    }

    pub(crate) fn take(&mut self) -> String {
        let text = self.text();
        *self = Self::default();
        text
    }

    /// What is seen of it. `OpenCode` sets a space behind a label.
    pub(crate) fn cells(&self, style: Style) -> Vec<Cell> {
        let mut cells = Vec::new();
        for item in &self.items {
            match item {
                Item::Char(c) => cells.push((*c, false)),
                Item::Paste { label, .. } => {
                    cells.extend(label.chars().map(|c| (c, true)));
                    if style == Style::Opencode {
                        cells.push((' ', false));
                    }
                }
            }
        }
        cells
    }
}

/// What an Enter does to the draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enter {
    Submit,
    Newline(&'static str),
    Swallow(&'static str),
}

/// Remembers when text arrived, to tell a typed Enter from one that came with a paste.
#[derive(Default)]
pub(crate) struct EnterGate {
    typed: VecDeque<u64>,
    burst_until: Option<u64>,
    paste_end: Option<u64>,
    swallowed: u64,
}

impl EnterGate {
    pub(crate) fn typed(&mut self, now: u64, options: &Options) {
        self.typed.push_back(now);
        if self.typed.len() > BURST_CHARS {
            self.typed.pop_front();
        }
        let burst = self.typed.len() == BURST_CHARS
            && self.typed.front().is_some_and(|first| now.saturating_sub(*first) <= BURST_SPAN);
        if burst || self.in_burst(now) {
            self.burst_until = Some(now + options.burst);
        }
    }

    pub(crate) fn pasted(&mut self, now: u64) {
        self.typed.clear();
        self.paste_end = Some(now);
    }

    fn in_burst(&self, now: u64) -> bool {
        self.burst_until.is_some_and(|until| now < until)
    }

    pub(crate) fn enter(&mut self, now: u64, options: &Options) -> Enter {
        if self.swallowed < options.swallow_enters {
            self.swallowed += 1;
            return Enter::Swallow("count");
        }
        if self.in_burst(now) {
            self.burst_until = Some(now + options.burst);
            return Enter::Newline("burst");
        }
        if self.paste_end.is_some_and(|end| now.saturating_sub(end) < options.guard) {
            return match options.guard_mode {
                GuardMode::Newline => Enter::Newline("guard"),
                GuardMode::Swallow => Enter::Swallow("guard"),
            };
        }
        Enter::Submit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        let args: Vec<String> = [&["fake-agent"], args].concat().iter().map(|a| (*a).to_owned()).collect();
        Options::parse(&args, |_| None).unwrap()
    }

    #[test]
    fn enter_after_a_burst_is_a_newline_for_a_while() {
        let options = options(&[]);
        let mut gate = EnterGate::default();
        for _ in 0..3 {
            gate.typed(100, &options);
        }
        assert_eq!(gate.enter(219, &options), Enter::Newline("burst"));
        // That Enter prolonged the burst.
        assert_eq!(gate.enter(338, &options), Enter::Newline("burst"));
        assert_eq!(gate.enter(458, &options), Enter::Submit);
    }

    #[test]
    fn slow_typing_is_no_burst() {
        let options = options(&[]);
        let mut gate = EnterGate::default();
        for t in [0, 5, 10, 15] {
            gate.typed(t, &options);
        }
        assert_eq!(gate.enter(16, &options), Enter::Submit);
    }

    #[test]
    fn guard_after_a_paste_and_counted_enters() {
        let swallow = options(&["--enter-guard-mode", "swallow", "--swallow-enters", "1"]);
        let mut gate = EnterGate::default();
        gate.pasted(100);
        assert_eq!(gate.enter(500, &swallow), Enter::Swallow("count"));
        assert_eq!(gate.enter(139, &swallow), Enter::Swallow("guard"));
        assert_eq!(gate.enter(140, &swallow), Enter::Submit);
    }

    #[test]
    fn long_pastes_collapse_and_submit_whole() {
        let body = "x".repeat(1001);
        let seen = |style| {
            let mut draft = Draft::default();
            draft.paste(style, &body);
            assert_eq!(draft.text(), body);
            draft.cells(style).iter().map(|c| c.0).collect::<String>()
        };
        assert_eq!(seen(Style::Claude), "[Pasted text #1]");
        assert_eq!(seen(Style::Codex), "[Pasted Content 1001 chars]");
        assert_eq!(seen(Style::Gemini), "[Pasted Text: 1001 chars]");
        assert_eq!(seen(Style::Opencode), "[Pasted ~1 lines] ");
        let mut draft = Draft::default();
        draft.paste(Style::Opencode, "a\nb\nc");
        draft.backspace();
        assert!(draft.is_empty());
    }
}
