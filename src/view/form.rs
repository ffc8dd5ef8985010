//! A text that is being written for a purpose: a message, an answer, a name.
//!
//! Pure. Enter sends; with Alt, Shift or Ctrl it begins a new line, as does Ctrl-J; Ctrl-T changes the type; Ctrl-A
//! asks for an acknowledgement; Ctrl-N changes the intent. `@` and a few letters offer names for more recipients. A
//! text that cannot be sent, or would wait, has a warning before it is sent.

use super::action::Action;
use super::fuzzy;
use super::input::Input;
use super::starting::Starting;
use crate::core::body::Body;
use crate::core::message::{Intent, MessageType};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The purpose of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A message to the recipients in the form.
    Send,
    Reply {
        id: String,
    },
    /// The text is the new recipient; empty: the same one.
    Resend {
        id: String,
    },
    /// The text is a name.
    Rename {
        agent: String,
    },
    /// The text is a name with a `#` for the number.
    RenameAll {
        agents: Vec<String>,
    },
    /// The text is the name of a group for these agents.
    Group {
        agents: Vec<String>,
    },
    /// The text is the first message, or the name, of agents that start.
    Start(Starting),
    /// The text is the names of ended agents; empty: they are listed.
    Resume,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) purpose: Purpose,
    pub(super) input: Input,
    pub(super) kind: MessageType,
    pub(super) ack: bool,
    /// Its intent.
    pub(super) intent: Option<Intent>,
    /// The recipients, if they are known.
    pub(super) to: Vec<String>,
    /// The names that can follow an `@`.
    pub(super) known: Vec<Known>,
    /// The index of the chosen name among the matching ones.
    pub(super) at: usize,
    /// The text after an `@` for which the person has closed the list of names.
    closed: Option<String>,
    /// The warning before sending.
    warning: String,
}

/// A possible recipient: an agent or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) name: String,
    /// Why a message would wait; empty if it would not.
    pub(super) note: String,
    /// A description, if the name alone is not enough.
    pub(super) who: String,
}

impl Known {
    pub(super) fn agent(name: &str, note: String) -> Self {
        Self { name: name.to_owned(), note, who: String::new() }
    }

    /// A group; `note` says why a message to one of its members would wait.
    pub(super) fn group(name: &str, members: &str, note: String) -> Self {
        Self { name: name.to_owned(), note, who: members.to_owned() }
    }

    /// Its text in the list of names.
    pub(super) fn shown(&self) -> String {
        let parts = [&self.who, &self.note].map(String::as_str);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

/// The most names that are offered.
const OFFERED: usize = 6;

/// All agents.
const ALL: &str = "@all";

impl Form {
    pub(super) fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            input: Input::of(text),
            kind: MessageType::Info,
            ack: false,
            intent: None,
            to: Vec::new(),
            known: Vec::new(),
            at: 0,
            closed: None,
            warning: String::new(),
        }
    }

    /// A message to these recipients, in the form of `send`.
    pub(super) fn to(names: &str) -> Self {
        let to = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { to, ..Self::new(Purpose::Send, "") }
    }

    /// An answer to somebody's message.
    pub(super) fn reply(id: &str, from: &str) -> Self {
        Self { to: vec![from.to_owned()], ..Self::new(Purpose::Reply { id: id.to_owned() }, "") }
    }

    /// Adds the possible recipients.
    pub(super) fn knowing(self, known: Vec<Known>) -> Self {
        Self { known, ..self }
    }

    /// Sets the warning before sending.
    pub(super) fn warn(&mut self, warning: String) {
        self.warning = warning;
    }

    /// The form of a refused command: of `send` or `reply`, which take a text.
    pub(super) fn again(action: &Action) -> Self {
        let args: Vec<&str> = action.args.iter().map(String::as_str).collect();
        if let ["start", ..] = args[..] {
            let (starting, input) = Starting::again(&args, &action.stdin);
            return Self { input, ..Self::new(Purpose::Start(starting), "") };
        }
        let mut form = match args[..] {
            ["reply", id, ..] => Self::reply(id, ""),
            [_, to, ..] => Self::to(to),
            _ => Self::to(""),
        };
        form.input = Input::of(&action.stdin);
        form.ack = args.contains(&"--ack");
        let is_wanted =
            |intent: &Intent| args.iter().any(|arg| arg.strip_prefix("--") == Some(intent.word()));
        form.intent = [Intent::Fyi, Intent::Reply, Intent::Action].into_iter().find(is_wanted);
        let kind = args.iter().position(|arg| *arg == "--type").and_then(|at| args.get(at + 1));
        form.kind = kind.and_then(|kind| kind.parse().ok()).unwrap_or_default();
        form
    }

    /// Whether the text is a message.
    pub(super) fn is_message(&self) -> bool {
        matches!(self.purpose, Purpose::Send | Purpose::Reply { .. })
    }

    /// Whether the text may be long: a message, or the first message of agents that start.
    pub(super) fn is_long(&self) -> bool {
        self.is_message() || matches!(&self.purpose, Purpose::Start(starting) if !starting.naming)
    }

    /// The identity of its draft; `None` if it has no draft.
    pub(super) fn key(&self) -> Option<String> {
        match &self.purpose {
            Purpose::Start(_) => Some("start".to_owned()),
            _ => self.is_message().then(|| self.title()),
        }
    }

    /// Whether there is nothing worth keeping.
    pub(super) fn is_blank(&self) -> bool {
        match &self.purpose {
            Purpose::Start(starting) => starting.is_blank(&self.input),
            _ => self.input.is_blank(),
        }
    }

    /// Whether a key is the one that opens the text in the person's editor.
    pub(super) fn is_edited(&self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        self.is_long() && control && matches!(key.code, KeyCode::Char('e' | 'g'))
    }

    pub(super) fn title(&self) -> String {
        match &self.purpose {
            Purpose::Send if self.to.is_empty() => "Message to nobody yet (@ and a name)".to_owned(),
            Purpose::Send => format!("Message to {}", self.to.join(", ")),
            Purpose::Reply { id } => format!("Answer to {id}"),
            Purpose::Resend { id } => format!("Send {id} again to (empty: to the same)"),
            Purpose::Rename { agent } => format!("New name for {agent}"),
            Purpose::RenameAll { agents } => {
                format!("New names for {} agents, # is the number: {}", agents.len(), agents.join(", "))
            }
            Purpose::Group { agents } => format!("Group, such as api, of {}", agents.join(", ")),
            Purpose::Start(starting) => starting.title(&self.input),
            Purpose::Resume => "Resume which agents that ended? (empty: list them)".to_owned(),
        }
    }

    pub(super) fn paste(&mut self, text: &str) {
        if self.is_long() {
            self.input.insert(text);
        } else {
            self.input.insert(text.split_whitespace().next().unwrap_or_default());
        }
    }

    /// The text between an `@` and the cursor, if a name is being typed there.
    fn name_begun(&self) -> Option<String> {
        let (before, _) = self.input.parts();
        let (rest, letters) = before.rsplit_once('@')?;
        let begins = rest.chars().next_back().is_none_or(char::is_whitespace);
        let is_name = !letters.contains(char::is_whitespace) && self.purpose == Purpose::Send;
        (begins && is_name && self.closed.as_deref() != Some(letters)).then(|| letters.to_owned())
    }

    /// The names that match the typed text, the best first.
    pub(super) fn offered(&self) -> Vec<Known> {
        let Some(letters) = self.name_begun() else { return Vec::new() };
        let all = Known::group(ALL, "all agents of the project", String::new());
        let free: Vec<&Known> =
            self.known.iter().chain([&all]).filter(|known| !self.to.contains(&known.name)).collect();
        let names = free.iter().map(|known| (known.name.trim_start_matches('@'), ""));
        let found = fuzzy::find(&letters, names).into_iter().filter(|_| !self.known.is_empty());
        found.map(|at| free[at].clone()).take(OFFERED).collect()
    }

    /// Makes the chosen name a recipient, in place of the typed text.
    fn accept(&mut self, name: &str) {
        let typed = self.name_begun().map_or(0, |letters| letters.chars().count() + 1);
        for _ in 0..typed {
            self.input.backspace();
        }
        if name == ALL || self.to.iter().any(|to| to == ALL) {
            self.to.clear();
        }
        self.to.push(name.to_owned());
        self.at = 0;
    }

    /// Closes the list of names. `false`: none is open.
    pub(super) fn close_list(&mut self) -> bool {
        let open = !self.offered().is_empty();
        if open {
            self.closed = self.name_begun();
        }
        open
    }

    /// The warning before sending, and whether it prevents sending.
    pub(super) fn says(&self) -> Option<(String, bool)> {
        if let Purpose::RenameAll { .. } = self.purpose
            && !self.input.is_blank()
            && self.input.text().matches('#').count() != 1
        {
            return Some(("put one # where the number goes, as in api-#".to_owned(), true));
        }
        if let Purpose::Start(starting) = &self.purpose
            && let Some(wrong) = starting.wrong(&self.input)
        {
            return Some((wrong, true));
        }
        if !self.is_long() {
            return None;
        }
        if self.to.is_empty() && self.purpose == Purpose::Send {
            return Some(("it goes to nobody: @ and a name adds somebody".to_owned(), true));
        }
        if !self.input.is_blank()
            && let Err(bad) = Body::new(&self.input.text())
        {
            return Some((bad.to_string(), true));
        }
        let note = |name: &String| {
            let known = self.known.iter().find(|known| known.name == *name)?;
            (!known.note.is_empty()).then(|| format!("{name}: {}", known.note))
        };
        let mut notes: Vec<String> = self.to.iter().filter_map(note).collect();
        if !self.warning.is_empty() {
            notes.insert(0, self.warning.clone());
        }
        (!notes.is_empty()).then(|| (notes.join("; "), false))
    }

    /// Handles a key. Returns an action if the key finished the form.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Action> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if let Purpose::Start(starting) = &mut self.purpose {
            match key.code {
                KeyCode::Char('t') if control => starting.next_kind(),
                KeyCode::Char('n') if control => starting.next_count(),
                KeyCode::Tab | KeyCode::BackTab => starting.turn(&mut self.input),
                _ => {}
            }
        }
        let offered = self.offered();
        if let Some(chosen) = offered.get(self.at.min(offered.len().saturating_sub(1))) {
            match key.code {
                KeyCode::Enter if key.modifiers.is_empty() => {
                    self.accept(&chosen.name);
                    return None;
                }
                KeyCode::Tab => {
                    self.accept(&chosen.name);
                    return None;
                }
                KeyCode::Down => {
                    self.at = (self.at + 1).min(offered.len() - 1);
                    return None;
                }
                KeyCode::Up => {
                    self.at = self.at.saturating_sub(1);
                    return None;
                }
                _ => self.at = 0,
            }
        }
        match key.code {
            // At the beginning, the last recipient is the only thing left to delete.
            KeyCode::Backspace if self.purpose == Purpose::Send && self.input.parts().0.is_empty() => {
                self.to.pop();
            }
            KeyCode::Char('n') if control && self.is_message() => {
                self.intent = match self.intent {
                    None => Some(Intent::Reply),
                    Some(Intent::Reply) => Some(Intent::Action),
                    Some(Intent::Action) => Some(Intent::Fyi),
                    Some(Intent::Fyi) => None,
                };
                // A message without an answer has no acknowledgement.
                self.ack &= self.intent != Some(Intent::Fyi);
            }
            KeyCode::Enter if !key.modifiers.is_empty() && self.is_long() => self.input.insert("\n"),
            KeyCode::Char('j') if control && self.is_long() => self.input.insert("\n"),
            KeyCode::Enter => return self.finished(),
            KeyCode::Char('t') if control && self.is_message() => {
                let at = MessageType::ALL.iter().position(|t| *t == self.kind).unwrap_or(0);
                // ACK has a command of its own.
                self.kind = MessageType::ALL[(at + 1) % (MessageType::ALL.len() - 1)];
            }
            KeyCode::Char('a') if control && self.is_message() => {
                self.ack = !self.ack;
                self.intent = self.intent.filter(|intent| !self.ack || *intent != Intent::Fyi);
            }
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
        let may_be_blank =
            matches!(self.purpose, Purpose::Resend { .. } | Purpose::Start(_) | Purpose::Resume);
        if self.input.is_blank() && !may_be_blank {
            return None;
        }
        if self.says().is_some_and(|(_, hinders)| hinders) {
            return None;
        }
        let text = self.input.text();
        let with_text = |what: String, args: &[&str]| {
            let mut action = Action { stdin: text.clone(), ..Action::line(&what, args) };
            action.args.extend(["--type".to_owned(), self.kind.word().to_owned()]);
            if self.ack {
                action.args.push("--ack".to_owned());
            }
            action.args.extend(self.intent.map(|intent| format!("--{}", intent.word())));
            action
        };
        Some(match &self.purpose {
            Purpose::Send => {
                let to = self.to.join(",");
                with_text(format!("send to {to}"), &["send", &to, "-"])
            }
            Purpose::Reply { id } => with_text(format!("answer {id}"), &["reply", id, "-"]),
            Purpose::Rename { agent } => {
                // After --, so that no typed text is an option.
                Action::line(&format!("rename {agent}"), &["name", "--", agent, text.trim()])
            }
            Purpose::RenameAll { agents } => {
                let what = format!("rename {} agents", agents.len());
                Action::line(&what, &["name", "--", &agents.join(","), text.trim()])
            }
            Purpose::Group { agents } => {
                let names = agents.iter().map(String::as_str);
                let args: Vec<&str> = ["group", "add", "--", text.trim()].into_iter().chain(names).collect();
                Action::line(&format!("group {}", text.trim()), &args)
            }
            Purpose::Start(starting) => starting.action(&self.input),
            Purpose::Resume if self.input.is_blank() => Action::page("agents that ended", &["resume"]),
            Purpose::Resume => {
                let names = text.split([',', ' ']).filter(|name| !name.is_empty());
                let args: Vec<&str> = ["resume", "--"].into_iter().chain(names).collect();
                Action::line(&format!("resume {}", text.trim()), &args)
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
        let mut form = Form::to("codex-1");
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

    #[test]
    fn a_name_behind_an_at_sign_becomes_a_recipient_and_an_address_in_a_text_stays() {
        let known = ["codex-1", "claude-1", "reviewer"].map(|name| Known::agent(name, String::new()));
        let mut form = Form::to("codex-1").knowing(known.to_vec());
        let press = |form: &mut Form, code| form.press(key(code, KeyModifiers::NONE));
        form.paste("see me@example.org");
        assert!(form.offered().is_empty());
        form.paste(" @r");
        assert_eq!(form.offered()[0].name, "reviewer");
        assert_eq!(press(&mut form, KeyCode::Tab), None);
        assert_eq!(
            (form.to.join(","), form.input.text()),
            ("codex-1,reviewer".into(), "see me@example.org ".into())
        );
        form.paste("@");
        let names: Vec<String> = form.offered().into_iter().map(|known| known.name).collect();
        assert_eq!(names, ["claude-1", "@all"], "those who get it already are not offered");
        // Esc closes the list only; then Enter sends the sign as it is.
        assert!(form.close_list() && !form.close_list());
        let action = press(&mut form, KeyCode::Enter).unwrap();
        assert_eq!(
            (action.args[1].as_str(), action.stdin.as_str()),
            ("codex-1,reviewer", "see me@example.org @")
        );
        form.paste("a");
        press(&mut form, KeyCode::Down);
        assert_eq!(press(&mut form, KeyCode::Enter), None);
        assert_eq!(form.to, ["codex-1", "reviewer", "claude-1"]);
        form.paste("@all");
        press(&mut form, KeyCode::Enter);
        assert_eq!(form.to, ["@all"], "that is everybody already");
    }

    #[test]
    fn a_group_is_offered_with_its_members_and_is_a_recipient_of_its_own() {
        let known = vec![
            Known::agent("codex-1", String::new()),
            Known::group("@api", "codex-1, claude-1", "claude-1 would wait".into()),
        ];
        let mut form = Form::to("reviewer").knowing(known);
        form.paste("@ap");
        assert_eq!(form.offered()[0].shown(), "codex-1, claude-1: claude-1 would wait");
        form.press(key(KeyCode::Enter, KeyModifiers::NONE));
        assert_eq!(form.says(), Some(("@api: claude-1 would wait".into(), false)));
        form.paste("who takes it?");
        let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
        assert_eq!(action.args[..3], ["send", "reviewer,@api", "-"]);
    }

    #[test]
    fn several_get_names_by_a_pattern_with_one_number_and_a_group_its_members() {
        let agents = vec!["claude-1".to_owned(), "codex-1".to_owned()];
        let mut form = Form::new(Purpose::RenameAll { agents: agents.clone() }, "");
        form.paste("api");
        assert!(form.says().unwrap().1);
        assert_eq!(form.press(key(KeyCode::Enter, KeyModifiers::NONE)), None);
        form.paste("-#");
        let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
        assert_eq!(action.args, ["name", "--", "claude-1,codex-1", "api-#"]);
        let mut form = Form::new(Purpose::Group { agents }, "");
        form.paste("--json x");
        let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
        assert_eq!(action.args, ["group", "add", "--", "--json", "claude-1", "codex-1"]);
    }

    #[test]
    fn agents_start_with_what_the_form_says_and_what_was_refused_is_the_same_form_again() {
        let kinds = vec!["claude".to_owned(), "codex".to_owned()];
        let mut form = Form::new(Purpose::Start(Starting::new(kinds, "codex")), "");
        let press = |form: &mut Form, code, held| form.press(key(code, held));
        let plain = press(&mut form.clone(), KeyCode::Enter, KeyModifiers::NONE).unwrap();
        assert_eq!(
            (plain.args, plain.stdin),
            (vec!["start".into(), "codex".into(), "--count=1".into()], String::new())
        );
        form.paste("read --help; $(rm)\n\"two\"");
        press(&mut form, KeyCode::Char('t'), KeyModifiers::CONTROL);
        press(&mut form, KeyCode::Char('n'), KeyModifiers::CONTROL);
        press(&mut form, KeyCode::Tab, KeyModifiers::NONE);
        form.paste("api and more");
        assert!(form.says().unwrap().1, "two cannot have one name");
        assert_eq!(press(&mut form, KeyCode::Enter, KeyModifiers::NONE), None);
        form.paste("-#");
        assert_eq!(form.title(), "Start 2 claude, called api-#: its name");
        let action = press(&mut form, KeyCode::Enter, KeyModifiers::NONE).unwrap();
        assert_eq!(action.args, ["start", "claude", "--count=2", "--name=api-#", "--prompt=-"]);
        assert_eq!(action.stdin, "read --help; $(rm)\n\"two\"");
        assert_eq!(Form::again(&action).finished().unwrap(), action);
    }

    #[test]
    fn names_of_agents_that_ended_are_resumed_and_without_one_they_are_listed() {
        let mut form = Form::new(Purpose::Resume, "");
        assert!(form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap().page);
        form.paste("--all,codex-1");
        let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
        assert_eq!(action.args, ["resume", "--", "--all", "codex-1"]);
    }

    #[test]
    fn what_cannot_be_sent_or_would_wait_says_why_before_it_is_sent() {
        let known = vec![Known::agent("codex-1", "it would wait: a dialog is open there".into())];
        let mut form = Form::to("codex-1").knowing(known);
        assert_eq!(form.says(), Some(("codex-1: it would wait: a dialog is open there".into(), false)));
        form.press(key(KeyCode::Backspace, KeyModifiers::NONE));
        form.paste("x");
        assert!(form.says().unwrap().0.contains("nobody"));
        assert_eq!(form.press(key(KeyCode::Enter, KeyModifiers::NONE)), None);
        form.to = vec!["codex-1".into()];
        form.paste(&"x".repeat(70_000));
        let (why, hinders) = form.says().unwrap();
        assert!(hinders && why.contains("bytes long"), "{why}");
        assert_eq!(form.press(key(KeyCode::Enter, KeyModifiers::NONE)), None);
    }

    #[test]
    fn what_was_refused_is_the_same_form_again() {
        for mut form in [Form::to("codex-1,reviewer"), Form::reply("aaaa1111", "codex-1")] {
            form.paste("two\nlines");
            (form.ack, form.intent, form.kind) = (true, Some(Intent::Action), MessageType::Blocked);
            let action = form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap();
            let again = Form::again(&action);
            assert_eq!(again.title(), form.title());
            assert_eq!(again.finished().unwrap(), action);
        }
    }

    #[test]
    fn a_message_says_what_it_wants_and_what_wants_no_answer_wants_no_acknowledgement() {
        let mut form = Form::to("codex-1");
        form.paste("x");
        let control = |form: &mut Form, c| form.press(key(KeyCode::Char(c), KeyModifiers::CONTROL));
        let flags =
            |form: &mut Form| form.press(key(KeyCode::Enter, KeyModifiers::NONE)).unwrap().args[5..].to_vec();
        control(&mut form, 'a');
        control(&mut form, 'n');
        assert_eq!(flags(&mut form), ["--ack", "--reply"]);
        control(&mut form, 'n');
        control(&mut form, 'n');
        assert_eq!(flags(&mut form), ["--fyi"]);
        control(&mut form, 'a');
        assert_eq!(flags(&mut form), ["--ack"]);
    }
}
