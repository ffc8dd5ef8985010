//! The state of the dashboard: what is selected, what is open over it, and what a key does.
//!
//! Pure: keys and snapshots come in, actions go out. A selection is a row's id, not its number, so it stays where it
//! is while rows come and go.

use super::action::{Action, ActionOutcome};
use super::filter::{Filter, Subject};
use super::form::{Form, Purpose};
use super::input::Input;
use super::keys::{self, Command};
use super::snapshot::{AgentRow, LeaseRow, MessageRow, Snapshot, WaitingRow};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Which list is below the agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tab {
    #[default]
    Messages,
    Leases,
    Waiting,
}

impl Tab {
    pub(super) const ALL: [Self; 3] = [Self::Messages, Self::Leases, Self::Waiting];

    pub(super) fn title(self) -> &'static str {
        match self {
            Tab::Messages => "Messages",
            Tab::Leases => "Leases",
            Tab::Waiting => "Waiting",
        }
    }
}

/// What has the keys.
#[derive(Clone, Debug, Default)]
pub(super) enum Mode {
    /// The two lists.
    #[default]
    Lists,
    /// The filter is being typed.
    Filter,
    /// A text is being written.
    Form(Form),
    /// A yes is needed.
    Confirm { question: String, action: Action },
    /// A page is being read.
    Page { title: String, text: String, scroll: u16 },
    /// An agent's pane is being watched.
    Preview { agent: String, hooks: String, lines: Vec<String> },
}

/// What a key asks of the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    Run(Action),
    /// Go to an agent's pane.
    Jump(String),
}

/// The dashboard.
#[derive(Debug, Default)]
pub(super) struct App {
    pub(super) shown: Snapshot,
    pub(super) tab: Tab,
    /// Whether the keys move in the agents rather than in the list below.
    pub(super) on_agents: bool,
    /// The selected agent's name.
    pub(super) agent: String,
    /// The selected row's id, for each tab.
    pub(super) rows: [String; 3],
    pub(super) filter: Input,
    pub(super) mode: Mode,
    /// What runs now.
    pub(super) running: Vec<String>,
    /// The last outcome, and whether it was a failure.
    pub(super) told: Option<(String, bool)>,
}

impl App {
    pub(super) fn new() -> Self {
        Self { on_agents: true, ..Self::default() }
    }

    /// Shows another moment.
    pub(super) fn update(&mut self, shown: Snapshot, now_ms: u64) {
        self.shown = shown;
        if !self.shown.agents.iter().any(|a| a.name == self.agent) {
            self.agent = self.shown.agents.first().map(|a| a.name.clone()).unwrap_or_default();
        }
        self.keep_rows(now_ms);
    }

    /// A selection whose row is gone goes to the first row.
    fn keep_rows(&mut self, now_ms: u64) {
        let ids = self.ids(now_ms);
        let row = &mut self.rows[self.tab as usize];
        if !ids.contains(row) {
            *row = ids.into_iter().next().unwrap_or_default();
        }
    }

    /// The messages that the filter takes.
    pub(super) fn messages(&self, now_ms: u64) -> Vec<&MessageRow> {
        let filter = Filter::parse(&self.filter.text());
        let takes = |m: &&MessageRow| {
            let names = format!("{} {}", m.from, m.to);
            let text = format!("{} {names} {} {} {}", m.id, m.kind, m.stage.word(), m.body);
            filter.takes(&Subject { kind: m.kind, names: &names, text: &text, at: m.at }, now_ms)
        };
        self.shown.messages.iter().filter(takes).collect()
    }

    /// The leases and tickets that the filter takes.
    pub(super) fn leases(&self, now_ms: u64) -> Vec<&LeaseRow> {
        let filter = Filter::parse(&self.filter.text());
        let takes = |l: &&LeaseRow| {
            let text = format!("{} {} {} {}", l.holder, l.paths, l.reason, l.mode);
            filter.takes(&Subject { kind: l.mode, names: &l.holder, text: &text, at: l.since }, now_ms)
        };
        self.shown.leases.iter().filter(takes).collect()
    }

    /// The waiting mail that the filter takes.
    pub(super) fn waiting(&self, now_ms: u64) -> Vec<&WaitingRow> {
        let filter = Filter::parse(&self.filter.text());
        let takes = |w: &&WaitingRow| {
            let names = format!("{} {}", w.from, w.to);
            let text = format!("{} {names} {} {} {}", w.id, w.what.word(), w.why, w.preview);
            filter.takes(&Subject { kind: w.what.word(), names: &names, text: &text, at: w.since }, now_ms)
        };
        self.shown.waiting.iter().filter(takes).collect()
    }

    /// The ids of the rows below, in order.
    pub(super) fn ids(&self, now_ms: u64) -> Vec<String> {
        match self.tab {
            Tab::Messages => self.messages(now_ms).iter().map(|m| m.id.clone()).collect(),
            Tab::Leases => self.leases(now_ms).iter().map(|l| l.number.to_string()).collect(),
            Tab::Waiting => {
                self.waiting(now_ms).iter().map(|w| format!("{} {} {}", w.id, w.to, w.what.word())).collect()
            }
        }
    }

    fn message(&self, now_ms: u64) -> Option<&MessageRow> {
        let id = &self.rows[Tab::Messages as usize];
        self.messages(now_ms).into_iter().find(|m| m.id == *id)
    }

    fn lease(&self, now_ms: u64) -> Option<&LeaseRow> {
        let id = &self.rows[Tab::Leases as usize];
        self.leases(now_ms).into_iter().find(|l| l.number.to_string() == *id)
    }

    fn waits(&self, now_ms: u64) -> Option<&WaitingRow> {
        let id = &self.rows[Tab::Waiting as usize];
        self.waiting(now_ms).into_iter().find(|w| format!("{} {} {}", w.id, w.to, w.what.word()) == *id)
    }

    /// The agent that a key is about: the selected one, or the one that the selected row is of.
    fn concerned(&self, now_ms: u64) -> Option<&AgentRow> {
        let of_row = || match self.tab {
            Tab::Messages => self.message(now_ms).map(|m| {
                let from_agent = self.shown.agents.iter().any(|a| a.name == m.from);
                if from_agent { m.from.clone() } else { m.to.clone() }
            }),
            Tab::Leases => self.lease(now_ms).map(|l| l.holder.clone()),
            Tab::Waiting => self.waits(now_ms).map(|w| w.to.clone()),
        };
        let name = if self.on_agents { Some(self.agent.clone()) } else { of_row() };
        name.and_then(|name| self.shown.agents.iter().find(|a| a.name == name))
    }

    /// The id of the message that a key is about.
    fn concerned_message(&self, now_ms: u64) -> Option<String> {
        match self.tab {
            _ if self.on_agents => None,
            Tab::Messages => self.message(now_ms).map(|m| m.id.clone()),
            Tab::Waiting => self.waits(now_ms).map(|w| w.id.clone()),
            Tab::Leases => None,
        }
    }

    /// The agent whose pane is to be captured.
    pub(super) fn watched(&self) -> Option<&AgentRow> {
        let Mode::Preview { agent, .. } = &self.mode else { return None };
        self.shown.agents.iter().find(|a| a.name == *agent)
    }

    /// Takes what an action came to.
    pub(super) fn finish(&mut self, outcome: ActionOutcome) {
        if let Some(at) = self.running.iter().position(|what| *what == outcome.action.what) {
            self.running.remove(at);
        }
        let first = outcome.text.lines().next().unwrap_or("done").to_owned();
        if outcome.action.page && outcome.ok && matches!(self.mode, Mode::Lists) {
            self.mode = Mode::Page { title: outcome.action.what, text: outcome.text, scroll: 0 };
        } else if !outcome.ok && !outcome.action.stdin.is_empty() && matches!(self.mode, Mode::Lists) {
            // What was written is not lost: it is offered again, with the reason.
            self.told = Some((first, true));
            self.mode = Mode::Form(Form::again(outcome.action));
        } else {
            self.told = Some((first, !outcome.ok));
        }
    }

    /// Whether a text is being written.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.mode, Mode::Form(_))
    }

    /// Whether a key is the one that opens the text in the person's editor.
    pub(super) fn is_edited(&self, key: &KeyEvent) -> bool {
        matches!(&self.mode, Mode::Form(form) if form.is_edited(key))
    }

    /// Takes text that was pasted.
    pub(super) fn paste(&mut self, text: &str, now_ms: u64) {
        match &mut self.mode {
            Mode::Form(form) => form.paste(text),
            Mode::Filter => {
                self.filter.insert(&text.split_whitespace().collect::<Vec<_>>().join(" "));
                self.keep_rows(now_ms);
            }
            _ => {}
        }
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: KeyEvent, now_ms: u64) -> Wish {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return match self.mode {
                Mode::Lists => Wish::Quit,
                _ => self.close(),
            };
        }
        match std::mem::take(&mut self.mode) {
            Mode::Lists => self.press_lists(key, now_ms),
            Mode::Filter => {
                self.press_filter(key, now_ms);
                Wish::Nothing
            }
            Mode::Form(form) => self.press_form(form, key),
            Mode::Confirm { question, action } => match key.code {
                KeyCode::Char('y' | 'Y') => self.run(action),
                KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => {
                    self.told = Some(("nothing was changed".to_owned(), false));
                    Wish::Nothing
                }
                _ => {
                    self.mode = Mode::Confirm { question, action };
                    Wish::Nothing
                }
            },
            Mode::Page { title, text, scroll } => {
                let last = u16::try_from(text.lines().count()).unwrap_or(u16::MAX).saturating_sub(1);
                let scroll = match key.code {
                    KeyCode::Char('q') | KeyCode::Esc | KeyCode::Enter => return Wish::Nothing,
                    KeyCode::Down | KeyCode::Char('j') => scroll + 1,
                    KeyCode::Up | KeyCode::Char('k') => scroll.saturating_sub(1),
                    KeyCode::PageDown | KeyCode::Char(' ') => scroll + 10,
                    KeyCode::PageUp => scroll.saturating_sub(10),
                    KeyCode::Home => 0,
                    KeyCode::End => last,
                    _ => scroll,
                };
                self.mode = Mode::Page { title, text, scroll: scroll.min(last) };
                Wish::Nothing
            }
            Mode::Preview { agent, hooks, lines } => match key.code {
                KeyCode::Char('q' | 'p') | KeyCode::Esc => Wish::Nothing,
                KeyCode::Char('g') | KeyCode::Enter => Wish::Jump(agent),
                _ => {
                    self.mode = Mode::Preview { agent, hooks, lines };
                    Wish::Nothing
                }
            },
        }
    }

    fn close(&mut self) -> Wish {
        self.mode = Mode::Lists;
        Wish::Nothing
    }

    fn run(&mut self, action: Action) -> Wish {
        self.told = None;
        self.running.push(action.what.clone());
        Wish::Run(action)
    }

    fn press_filter(&mut self, key: KeyEvent, now_ms: u64) {
        self.mode = Mode::Filter;
        match key.code {
            KeyCode::Esc => {
                self.filter = Input::default();
                self.mode = Mode::Lists;
            }
            KeyCode::Enter => self.mode = Mode::Lists,
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => self.filter.kill_line(),
            KeyCode::Char(c) => self.filter.insert(&c.to_string()),
            KeyCode::Backspace => self.filter.backspace(),
            KeyCode::Left => self.filter.step(-1),
            KeyCode::Right => self.filter.step(1),
            _ => {}
        }
        self.keep_rows(now_ms);
    }

    fn press_form(&mut self, mut form: Form, key: KeyEvent) -> Wish {
        if key.code == KeyCode::Esc {
            return Wish::Nothing;
        }
        if let Some(action) = form.press(key) {
            return self.run(action);
        }
        self.mode = Mode::Form(form);
        Wish::Nothing
    }

    fn press_lists(&mut self, key: KeyEvent, now_ms: u64) -> Wish {
        self.told = None;
        match keys::command(key.code) {
            Some(Command::Quit) => return Wish::Quit,
            Some(Command::Escape) if self.filter.is_blank() => return Wish::Quit,
            Some(Command::Escape) => self.filter = Input::default(),
            Some(Command::OtherList) => self.on_agents = !self.on_agents,
            Some(Command::Show(tab)) => (self.tab, self.on_agents) = (tab, false),
            Some(Command::PreviousTab) => self.turn(2),
            Some(Command::NextTab) => self.turn(1),
            Some(Command::Select(rows)) => self.go(rows, now_ms),
            Some(Command::Filter) => (self.mode, self.on_agents) = (Mode::Filter, false),
            Some(Command::Keys) => {
                self.mode = Mode::Page { title: "Keys".to_owned(), text: keys::page(), scroll: 0 };
            }
            Some(Command::Open) => return self.open(now_ms),
            Some(command) => return self.act(command, now_ms),
            None => {
                if matches!(key.code, KeyCode::Char(_)) {
                    self.tell("? lists the keys");
                    return Wish::Nothing;
                }
            }
        }
        self.keep_rows(now_ms);
        Wish::Nothing
    }

    /// Does something with the selected agent, message or lease.
    fn act(&mut self, command: Command, now_ms: u64) -> Wish {
        let agent = self.concerned(now_ms).cloned();
        let message = self.concerned_message(now_ms);
        match (command, agent, message) {
            (Command::WriteToAll, ..) => self.write_to("@all".to_owned()),
            (Command::Go, Some(agent), _) => return Wish::Jump(agent.name),
            (Command::Look, Some(agent), _) => {
                self.mode = Mode::Preview { agent: agent.name, hooks: String::new(), lines: Vec::new() };
            }
            (Command::Write, Some(agent), _) => self.write_to(agent.name),
            (Command::Rename, Some(agent), _) => {
                let name = agent.name.clone();
                self.mode = Mode::Form(Form::new(Purpose::Rename { agent: agent.name }, &name));
            }
            (Command::Explain, Some(agent), _) => {
                return self.run(Action::page(&format!("explain {}", agent.name), &["explain", &agent.name]));
            }
            (Command::Reply, _, Some(id)) => {
                let mine = self.shown.messages.iter().any(|m| m.id == id && m.mine);
                if mine {
                    self.mode = Mode::Form(Form::new(Purpose::Reply { id }, ""));
                } else {
                    self.tell("you can answer only messages to you; m writes to the sender");
                }
            }
            (Command::Acknowledge, _, Some(id)) => {
                return self.run(Action::line(&format!("ack {id}"), &["ack", &id]));
            }
            (Command::Resend, _, Some(id)) => self.mode = Mode::Form(Form::new(Purpose::Resend { id }, "")),
            (Command::Status, _, Some(id)) => {
                return self.run(Action::page(&format!("status of {id}"), &["status", &id]));
            }
            (Command::Release, ..) if self.tab == Tab::Leases && !self.on_agents => self.release(now_ms),
            (Command::Release, ..) => self.tell("no lease is selected (2 shows the leases)"),
            (Command::Reply | Command::Acknowledge | Command::Resend | Command::Status, _, None) => {
                self.tell("no message is selected (Tab goes to the list)");
            }
            (Command::Go | Command::Look | Command::Write | Command::Rename | Command::Explain, None, _) => {
                self.tell("no living agent is selected");
            }
            // These need nothing that is selected: `press_lists` does them.
            (
                Command::Keys
                | Command::Quit
                | Command::Escape
                | Command::OtherList
                | Command::Show(_)
                | Command::PreviousTab
                | Command::NextTab
                | Command::Select(_)
                | Command::Filter
                | Command::Open,
                ..,
            ) => {}
        }
        Wish::Nothing
    }

    fn write_to(&mut self, to: String) {
        self.mode = Mode::Form(Form::new(Purpose::Send { to }, ""));
    }

    fn tell(&mut self, text: &str) {
        self.told = Some((text.to_owned(), true));
    }

    fn release(&mut self, now_ms: u64) {
        let Some(lease) = self.lease(now_ms).cloned() else { return self.tell("no lease is selected") };
        let number = lease.number.to_string();
        let (question, args) = if lease.mine {
            (format!("Give back {}?", lease.paths), vec!["unlock", "--fence", &number])
        } else if lease.waits {
            return self.tell("only a lease can be taken away, not a ticket");
        } else {
            (
                format!("Take {} away from {}? The holder gets a message.", lease.paths, lease.holder),
                vec!["unlock", "--force", "--yes", "--fence", &number],
            )
        };
        let action = Action::line(&format!("release lease {number}"), &args);
        self.mode = Mode::Confirm { question, action };
    }

    /// Opens what is selected.
    fn open(&mut self, now_ms: u64) -> Wish {
        if self.on_agents {
            let Some(agent) = self.concerned(now_ms) else { return Wish::Nothing };
            return Wish::Jump(agent.name.clone());
        }
        match self.tab {
            Tab::Messages => {
                let Some(message) = self.message(now_ms) else { return Wish::Nothing };
                let (id, unread) = (message.id.clone(), message.unread);
                // Reading is what marks it read; looking at others' mail marks nothing.
                self.run(Action::page(&format!("message {id}"), &[if unread { "read" } else { "show" }, &id]))
            }
            Tab::Waiting => {
                let Some(id) = self.concerned_message(now_ms) else { return Wish::Nothing };
                self.run(Action::page(&format!("message {id}"), &["show", &id]))
            }
            Tab::Leases => {
                let Some(l) = self.lease(now_ms) else { return Wish::Nothing };
                let kind = if l.waits { "ticket" } else { "lease" };
                let text = format!(
                    "{kind} {}\nholder: {}\nmode:   {}\nstate:  {}\nreason: {}\npaths:\n  {}",
                    l.number,
                    l.holder,
                    l.mode,
                    l.state,
                    if l.reason.is_empty() { "(none given)" } else { &l.reason },
                    l.paths.replace(", ", "\n  ")
                );
                self.mode = Mode::Page { title: format!("{kind} {}", l.number), text, scroll: 0 };
                Wish::Nothing
            }
        }
    }

    fn turn(&mut self, by: usize) {
        self.tab = Tab::ALL[(self.tab as usize + by) % Tab::ALL.len()];
        self.on_agents = false;
    }

    /// Moves the selection.
    fn go(&mut self, by: isize, now_ms: u64) {
        let ids: Vec<String> = if self.on_agents {
            self.shown.agents.iter().map(|a| a.name.clone()).collect()
        } else {
            self.ids(now_ms)
        };
        let selected = if self.on_agents { &mut self.agent } else { &mut self.rows[self.tab as usize] };
        let at = ids.iter().position(|id| id == selected).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(ids.len().saturating_sub(1));
        if let Some(id) = ids.into_iter().nth(to) {
            *selected = id;
        }
    }
}
