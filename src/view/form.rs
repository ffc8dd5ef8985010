//! A text being written for a purpose: a message, an answer, a name.
//!
//! Pure. Enter sends; with Alt, Shift or Ctrl it begins a new line, as does Ctrl-J; Ctrl-T changes the type; Ctrl-A asks for an
//! acknowledgement.

use super::action::Action;
use super::input::Input;
use crate::core::message::MessageType;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the text is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Send {
        to: String,
    },
    Reply {
        id: String,
    },
    /// The text is a name: to whom; empty: to the same.
    Resend {
        id: String,
    },
    /// The text is a name.
    Rename {
        agent: String,
    },
    /// The text is for a command that refused it.
    Again {
        action: Action,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) purpose: Purpose,
    pub(super) input: Input,
    pub(super) kind: MessageType,
    pub(super) ack: bool,
}

impl Form {
    pub(super) fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, input: Input::of(text), kind: MessageType::Info, ack: false }
    }

    /// A form with the text of a command that failed.
    pub(super) fn again(action: Action) -> Self {
        let text = action.stdin.clone();
        Self::new(Purpose::Again { action }, &text)
    }

    /// Whether the text is a message's.
    pub(super) fn is_message(&self) -> bool {
        !matches!(self.purpose, Purpose::Resend { .. } | Purpose::Rename { .. })
    }

    /// Whether a key is the one that opens the text in the person's editor.
    pub(super) fn is_edited(&self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        self.is_message() && control && matches!(key.code, KeyCode::Char('e' | 'g'))
    }

    /// Whether type and acknowledgement can be chosen.
    pub(super) fn has_choices(&self) -> bool {
        matches!(self.purpose, Purpose::Send { .. } | Purpose::Reply { .. })
    }

    pub(super) fn title(&self) -> String {
        match &self.purpose {
            Purpose::Send { to } => format!("Message to {to}"),
            Purpose::Reply { id } => format!("Answer to {id}"),
            Purpose::Resend { id } => format!("Send {id} again to (empty: to the same)"),
            Purpose::Rename { agent } => format!("New name for {agent}"),
            Purpose::Again { action } => format!("{} again", action.what),
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if self.is_message() {
            self.input.insert(text);
        } else {
            self.input.insert(text.split_whitespace().next().unwrap_or_default());
        }
    }

    /// Takes a key; an action if that finished the form.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Action> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter if !key.modifiers.is_empty() && self.is_message() => self.input.insert("\n"),
            KeyCode::Char('j') if control && self.is_message() => self.input.insert("\n"),
            KeyCode::Enter => return self.finished(),
            KeyCode::Char('t') if control && self.has_choices() => {
                let at = MessageType::ALL.iter().position(|t| *t == self.kind).unwrap_or(0);
                // ACK has a command of its own.
                self.kind = MessageType::ALL[(at + 1) % (MessageType::ALL.len() - 1)];
            }
            KeyCode::Char('a') if control && self.has_choices() => self.ack = !self.ack,
            KeyCode::Char('u') if control => self.input.kill_line(),
            KeyCode::Char(c) if !control => self.input.insert(&c.to_string()),
            KeyCode::Backspace => self.input.backspace(),
            KeyCode::Delete => self.input.delete(),
            KeyCode::Left => self.input.step(-1),
            KeyCode::Right => self.input.step(1),
            KeyCode::Home => self.input.home(),
            KeyCode::End => self.input.end(),
            _ => {}
        }
        None
    }

    fn finished(&self) -> Option<Action> {
        if self.input.is_blank() && !matches!(self.purpose, Purpose::Resend { .. }) {
            return None;
        }
        let text = self.input.text();
        let with_text = |what: String, args: &[&str]| {
            let mut action = Action { stdin: text.clone(), ..Action::line(&what, args) };
            action.args.extend(["--type".to_owned(), self.kind.word().to_owned()]);
            if self.ack {
                action.args.push("--ack".to_owned());
            }
            action
        };
        Some(match &self.purpose {
            Purpose::Send { to } => with_text(format!("send to {to}"), &["send", to, "-"]),
            Purpose::Reply { id } => with_text(format!("answer {id}"), &["reply", id, "-"]),
            Purpose::Again { action } => Action { stdin: text, ..action.clone() },
            Purpose::Rename { agent } => {
                // After --, so that nothing typed here is an option.
                Action::line(&format!("rename {agent}"), &["name", "--", agent, text.trim()])
            }
            Purpose::Resend { id } if self.input.is_blank() => {
                Action::line(&format!("resend {id}"), &["resend", id])
            }
            Purpose::Resend { id } => {
                Action::line(&format!("resend {id}"), &["resend", id, &format!("--to={}", text.trim())])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn a_message_is_sent_by_its_text_on_stdin_whatever_it_holds() {
        let mut form = Form::new(Purpose::Send { to: "codex-1".into() }, "");
        assert_eq!(form.press(key(KeyCode::Enter, KeyModifiers::NONE)), None);
        form.paste("--help; $(rm) #{x}\n\"two\"");
        form.press(key(KeyCode::Char('t'), KeyModifiers::CONTROL));
        form.press(key(KeyCode::Char('a'), KeyModifiers::CONTROL));
        let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
        assert_eq!(
            action.args,
            ["send", "codex-1", "-", "--type", "ACK", "--ack"].map(|a| if a == "ACK" {
                "QUESTION"
            } else {
                a
            })
        );
        assert_eq!(action.stdin, "--help; $(rm) #{x}\n\"two\"");
    }

    #[test]
    fn a_name_that_looks_like_an_option_is_none() {
        let mut form = Form::new(Purpose::Rename { agent: "claude-1".into() }, "");
        form.paste("--json x");
        let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
        assert_eq!(action.args, ["name", "--", "claude-1", "--json"]);
    }
}
