//! Carries out commands on the selected rows.
//!
//! Pure. The dashboard has no rules of its own: nearly everything becomes a command line of this program, which
//! refuses here what it refuses elsewhere.

use super::keys::{Command, MailCommand};
use super::model::{App, Mode, Wish};
use super::panel::Panel;
use super::snapshot::MessageRow;
use super::tasks;
use crate::core::plural::plural;
use crate::view::action::Action;
use crate::view::form::{Form, Purpose};
use crate::view::input::Input;
use crate::view::pager::Pager;
use std::rc::Rc;

impl App {
    /// Performs the command of a key or of the list of commands.
    pub(super) fn perform(&mut self, command: Command, now_ms: u64) -> Wish {
        match command {
            Command::Quit => return Wish::Quit,
            Command::Back => self.back(now_ms),
            Command::Keys => self.mode = Mode::Page(Pager::new(&self.keymap.page())),
            Command::Commands => self.mode = Mode::Commands { input: Input::default(), at: 0 },
            Command::Search => self.mode = Mode::Search,
            Command::NextPanel => self.turn(self.panel.turned(1)),
            Command::PreviousPanel => self.turn(self.panel.turned(3)),
            Command::Show(panel) => self.turn(panel),
            Command::Select(by) if self.side.focus => self.step(by),
            Command::Select(by) => self.go(self.panel, by),
            Command::Scroll(by) => self.scroll(by),
            Command::Look => self.enter(),
            Command::List => self.side.focus = false,
            Command::Divide(by) => {
                let left = self.places.divider.map_or(40, |x| x.saturating_add_signed(by));
                self.divided = Some(left);
            }
            Command::NextHit => self.hit(true, now_ms),
            Command::PreviousHit => self.hit(false, now_ms),
            Command::Mark => {
                let id = self.selected[self.panel as usize].clone();
                let is_there = self.position(self.panel).is_some();
                let marked = &mut self.marked[self.panel as usize];
                if is_there && !marked.remove(&id) {
                    marked.insert(id);
                }
                self.go(self.panel, 1);
            }
            Command::Open => return self.open(),
            Command::Go => return self.jump(),
            Command::Write => self.write_to_concerned(),
            Command::WriteToAll => self.write(Form::to("@all")),
            Command::Rename => match &self.concerned_here()[..] {
                [] => {}
                [agent] => self.write(Form::new(Purpose::Rename { agent: agent.clone() }, agent)),
                several => self.write(Form::new(Purpose::RenameAll { agents: several.to_vec() }, "")),
            },
            Command::Group => match self.concerned_here() {
                none if none.is_empty() => {}
                agents => self.write(Form::new(Purpose::Group { agents }, "")),
            },
            Command::Onboard => self.onboard(),
            Command::Start => return Wish::Start,
            Command::Resume => {
                let gone = self.gone().unwrap_or_default().to_owned();
                self.write(Form::new(Purpose::Resume, &gone));
            }
            Command::End => self.end(),
            Command::Explain => {
                if let Some(agent) = self.concerned_here().into_iter().next() {
                    return self.run(vec![Action::page(&format!("explain {agent}"), &["explain", &agent])]);
                }
            }
            Command::Dialog => {
                if let Some(agent) = self.concerned_here().into_iter().next() {
                    self.open_dialog(&agent);
                }
            }
            Command::Digest => return self.run(vec![Action::page("while you were away", &["digest"])]),
            Command::Unlock => self.unlock(),
            Command::CopyId | Command::CopyText => return self.copy(command == Command::CopyText),
            Command::Projects => return self.list_projects(),
            Command::Mail(command) => return self.with_message(command),
        }
        Wish::Nothing
    }

    /// Closes one open thing: the right side if it has the keys, then the marks, then the search.
    fn back(&mut self, now_ms: u64) {
        let marked = &mut self.marked[self.panel as usize];
        if self.side.focus {
            self.side.focus = false;
        } else if !marked.is_empty() {
            marked.clear();
        } else if !self.search.is_blank() {
            self.search = Input::default();
            self.sift(now_ms);
        } else {
            let key =
                self.keymap.names(Command::Quit).first().cloned().unwrap_or_else(|| "Ctrl-C".to_owned());
            self.told = Some((format!("{key} leaves the dashboard"), false));
        }
    }

    /// Gives the keys to the right side.
    fn enter(&mut self) {
        if self.position(self.panel).is_none() {
            return;
        }
        self.side.focus = true;
        self.side.settle = true;
        if self.panel == Panel::Threads
            && let Some(id) = self.message().map(|message| message.id.clone())
        {
            // It stays selected after it was read.
            self.side.message = id;
        }
    }

    /// Opens the selected row: the pane of an agent, the conversation of a thread, which is then read, and in it an
    /// answer.
    pub(super) fn open(&mut self) -> Wish {
        match self.panel {
            Panel::Agents => return self.jump(),
            Panel::Threads if !self.side.focus => {
                self.enter();
                return self.read_thread();
            }
            Panel::Threads => return self.with_message(MailCommand::Reply),
            _ => self.enter(),
        }
        Wish::Nothing
    }

    fn jump(&mut self) -> Wish {
        self.concerned_here().into_iter().next().map_or(Wish::Nothing, Wish::Jump)
    }

    fn nobody(&mut self) {
        let why = self.nobody_here();
        self.tell(&why);
    }

    /// Why a key for an agent has no agent.
    pub(super) fn nobody_here(&self) -> String {
        match self.gone().filter(|_| self.panel == Panel::Agents) {
            Some(gone) => format!("{gone} has ended: no agent is selected (Up and Down select one)"),
            None => "no living agent is selected".to_owned(),
        }
    }

    /// Asks whether to send these agents the onboarding message, which costs each of them a turn.
    fn onboard(&mut self) {
        let agents = self.concerned_here();
        if agents.is_empty() {
            return;
        }
        let names: Vec<&str> = agents.iter().map(String::as_str).collect();
        let question = format!("Tell {} how to talk here? It costs each a turn.", names.join(", "));
        let what = format!("onboard {}", names.join(", "));
        let actions = vec![Action::line(&what, &[&["onboard", "--"], &names[..]].concat())];
        self.mode = Mode::Confirm { question, actions };
    }

    /// The agents for a key: the marked ones, the selected one, or the agent of the selected row.
    pub(super) fn concerned(&self) -> Vec<String> {
        let lives = |name: &String| self.shown.agents.iter().any(|a| a.name == *name);
        let names: Vec<String> = match self.panel {
            Panel::Agents if !self.marked[0].is_empty() => self.marked[0].iter().cloned().collect(),
            Panel::Agents => self.agent().map(|a| a.name.clone()).into_iter().collect(),
            Panel::Threads => match self.message() {
                Some(m) if lives(&m.from) => vec![m.from.clone()],
                Some(m) => m.to.clone(),
                None => Vec::new(),
            },
            Panel::Leases => self.lease().map(|l| l.holder.clone()).into_iter().collect(),
            Panel::Tasks => {
                let task = self.task();
                task.map(|task| tasks::workers(task, &self.shown).iter().map(|a| a.name.clone()).collect())
                    .unwrap_or_default()
            }
        };
        names.into_iter().filter(lives).collect()
    }

    /// The agents of [`App::concerned`] if all are on this host; otherwise none, and the person is told why.
    pub(super) fn concerned_here(&mut self) -> Vec<String> {
        let names = self.concerned();
        match names.iter().find(|name| self.shown.agents.iter().any(|a| a.away && a.name == **name)) {
            _ if names.is_empty() => self.nobody(),
            Some(away) => {
                let key = self.keymap.names(Command::Write).first().cloned().unwrap_or_default();
                let why = format!("{away} is on another host: only messages go there ({key} writes)");
                self.tell(&why);
                return Vec::new();
            }
            None => {}
        }
        names
    }

    fn write_to_concerned(&mut self) {
        let to = self.concerned();
        if to.is_empty() {
            return self.nobody();
        }
        self.write(Form::to(&to.join(",")));
    }

    /// The selected row for the clipboard: its name, or its whole text.
    fn copy(&mut self, text: bool) -> Wish {
        // None while the pane that was last seen is another agent's.
        let pane = |agent| {
            let line =
                |line: &ratatui::text::Line<'_>| line.spans.iter().map(|s| s.content.as_ref()).collect();
            let lines = self.seen_of(agent).map(|seen| seen.lines.iter().map(line).collect::<Vec<String>>());
            lines.unwrap_or_default().join("\n")
        };
        let copied = match self.panel {
            Panel::Agents if text => self.agent().map(pane),
            Panel::Agents => self.agent().map(|a| a.name.clone()),
            Panel::Threads => self.message().map(|m| if text { m.body.clone() } else { m.id.clone() }),
            Panel::Leases => self.lease().map(|l| l.paths.join(if text { "\n" } else { " " })),
            Panel::Tasks => self.task().map(|t| if text { t.text.clone() } else { t.line.to_string() }),
        };
        if let Some(copied) = copied.filter(|copied| !copied.is_empty()) {
            return Wish::Copy(copied);
        }
        self.tell("there is nothing to copy");
        Wish::Nothing
    }

    /// Lists the projects on the tmux server.
    fn list_projects(&mut self) -> Wish {
        if self.projects.len() < 2 {
            self.tell("no other project is on this tmux server");
        } else if !self.running.is_empty() {
            self.tell("something is being done here: wait for that");
        } else {
            let at = self.projects.iter().position(|p| p.root == self.shown.root).unwrap_or(0);
            self.mode = Mode::Projects { rows: self.projects.clone(), at };
        }
        Wish::Nothing
    }

    /// Asks whether to give back, or take away, the marked leases or the selected one.
    fn unlock(&mut self) {
        if self.panel != Panel::Leases {
            let key = self.keymap.names(Command::Show(Panel::Leases)).first().cloned().unwrap_or_default();
            return self.tell(&format!("no lease is selected ({key} shows the leases)"));
        }
        let marked = &self.marked[Panel::Leases as usize];
        let selected = &self.selected[Panel::Leases as usize];
        let meant = |id: &String| if marked.is_empty() { id == selected } else { marked.contains(id) };
        let leases: Vec<_> = self.shown.leases.iter().filter(|l| !l.waits && meant(&l.id)).collect();
        if let Some(away) = leases.iter().find(|l| l.away) {
            let why = format!("{} holds it on another host: only there it can be given back", away.holder);
            return self.tell(&why);
        }
        let question = match &leases[..] {
            [] => {
                let waits = self.lease().is_some_and(|l| l.waits);
                let why = if waits {
                    "only a lease can be taken away, not a ticket"
                } else {
                    "no lease is selected"
                };
                return self.tell(why);
            }
            [one] if one.mine => format!("Give back {}?", one.paths.join(", ")),
            [one] => {
                format!("Take {} away from {}? The holder gets a message.", one.paths.join(", "), one.holder)
            }
            several => {
                let paths: Vec<&str> = several.iter().flat_map(|l| &l.paths).map(String::as_str).collect();
                let (count, paths) = (several.len(), paths.join(", "));
                match several.iter().filter(|l| l.mine).count() {
                    0 => format!("Take {count} leases away ({paths})? Their holders get a message."),
                    own if own == count => format!("Give back {count} leases ({paths})?"),
                    own => format!(
                        "Take {} away, and give back {own} of your own ({paths})? Their holders get a message.",
                        plural(count - own, "lease")
                    ),
                }
            }
        };
        let action = |lease: &&super::snapshot::LeaseRow| {
            let number = lease.number.to_string();
            let force: &[&str] = if lease.mine { &["unlock"] } else { &["unlock", "--force", "--yes"] };
            Action::line(&format!("unlock lease {number}"), &[force, &["--fence", &number]].concat())
        };
        let actions = leases.iter().map(action).collect();
        self.mode = Mode::Confirm { question, actions };
    }

    /// Moves within the right side; in a thread to the next message once the selected one was seen to its end.
    fn step(&mut self, by: isize) {
        if self.panel != Panel::Threads {
            return self.scroll(by);
        }
        let (begin, end) = self.side.picked;
        let below = end > self.side.from + self.side.height;
        let above = begin < self.side.from;
        if by.unsigned_abs() <= 10 && ((by > 0 && below) || (by < 0 && above)) {
            return self.scroll(by);
        }
        let (Some(thread), Some(message)) = (self.thread(), self.message()) else { return };
        let at = thread.messages.iter().position(|m| m.id == message.id).unwrap_or(0);
        let to = at.saturating_add_signed(by).min(thread.messages.len() - 1);
        self.side.message = thread.messages[to].id.clone();
        self.side.settle = true;
    }

    /// Scrolls the right side.
    pub(super) fn scroll(&mut self, by: isize) {
        // A pane is shown from its end.
        let by = if self.panel == Panel::Agents { by.saturating_neg() } else { by };
        let last = self.side.lines.saturating_sub(self.side.height);
        self.side.from = self.side.from.saturating_add_signed(by).min(last);
    }

    /// Goes to the next match of the search: a message of the open thread, then a row, then a row of the next panel.
    fn hit(&mut self, on: bool, now_ms: u64) {
        if self.filter.is_empty() {
            return self.tell("nothing is searched for (/ searches)");
        }
        if self.panel == Panel::Threads
            && self.side.focus
            && let (Some(thread), Some(message)) = (self.thread(), self.message())
        {
            let at = thread.messages.iter().position(|m| m.id == message.id).unwrap_or(0);
            let found = |m: &&Rc<MessageRow>| self.finds(m, now_ms);
            let (before, behind) = (&thread.messages[..at], &thread.messages[at + 1..]);
            let next = if on { behind.iter().find(found) } else { before.iter().rev().find(found) };
            if let Some(id) = next.map(|m| m.id.clone()) {
                self.side.message = id;
                self.side.settle = true;
                return;
            }
        }
        let focus = self.side.focus;
        let (at, count) = (self.position(self.panel).unwrap_or(0), self.rows[self.panel as usize].len());
        if on && at + 1 < count {
            self.go(self.panel, 1);
        } else if !on && at > 0 && count > 0 {
            self.go(self.panel, -1);
        } else {
            let others = (1..=4).map(|by| self.panel.turned(if on { by } else { 8 - by }));
            let Some(panel) = others.into_iter().find(|p| !self.rows[*p as usize].is_empty()) else {
                return self.tell("nothing was found");
            };
            self.turn(panel);
            self.go(panel, if on { isize::MIN } else { isize::MAX });
        }
        self.side.focus = focus;
        self.pick_hit(now_ms);
    }

    /// In a thread, selects the first matching message.
    fn pick_hit(&mut self, now_ms: u64) {
        if self.panel == Panel::Threads
            && let Some(thread) = self.thread()
            && let Some(id) = thread.messages.iter().find(|m| self.finds(m, now_ms)).map(|m| m.id.clone())
        {
            self.side.message = id;
            self.side.settle = true;
        }
    }
}
