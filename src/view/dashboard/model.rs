//! The state of the dashboard: the selection, the open views, and the effects of keys.
//!
//! Pure: keys and snapshots come in, actions go out. A selection is a row's id, not its number, so it stays on its
//! row while rows come and go.

use super::dialog::{Answer, Dialog};
use super::filter::{Filter, Subject};
use super::keymap::Keymap;
use super::keys::Command;
use super::mouse::Mouse;
use super::panel::{Panel, Places, Shape};
use super::snapshot::{
    AgentRow, LeaseRow, MessageRow, NOTICES, Need, ProjectRow, Snapshot, TaskRow, ThreadRow,
};
use super::threads;
use super::watch::{Seen, Whom};
use crate::core::order;
use crate::view::action::{Action, ActionOutcome};
use crate::view::form::Form;
use crate::view::input::Input;
use crate::view::pager::Pager;
use ratatui::crossterm::event::KeyEvent;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

/// The part that gets the keys.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// The panels, and the right side.
    #[default]
    Panels,
    /// The search is being typed.
    Search,
    /// A text is being written.
    Form(Box<Form>),
    /// A question waits for a yes.
    Confirm { question: String, actions: Vec<Action> },
    /// The dialog of an agent is being answered.
    Dialog(Dialog),
    /// A page is being read.
    Page(Pager),
    /// A project is being chosen, from those that were known when the list was opened: a number keeps its meaning
    /// while it is open.
    Projects { rows: Vec<ProjectRow>, at: usize },
    /// A command is being searched for.
    Commands { input: Input, at: usize },
}

/// The request of a key to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    Quit,
    /// Run these actions, one after the other.
    Run(Vec<Action>),
    /// Give this key to the dialog of an agent; with a description in words.
    Answer(String, Answer),
    /// Go to an agent's pane.
    Jump(String),
    /// Put this into the clipboard.
    Copy(String),
    /// Show the project in that directory.
    Project(PathBuf),
    /// Open the form for starting agents, with the available kinds.
    Start,
}

/// The identity of a draft: the project, because a name means another agent in another project, and the title of the
/// form.
pub(super) type DraftKey = (PathBuf, String);

/// The right side.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Whether it has the keys.
    pub(super) focus: bool,
    /// The first visible line; for an agent's pane, how far it is scrolled back.
    pub(super) from: usize,
    /// The selected message of a thread; empty: the most important one.
    pub(super) message: String,
    /// Whether to scroll the selected message into view.
    pub(super) settle: bool,
    /// The numbers of all lines and of the visible lines.
    pub(super) lines: usize,
    pub(super) height: usize,
    /// The lines of the selected message.
    pub(super) picked: (usize, usize),
    /// The first line of each message.
    pub(super) begins: Vec<(usize, String)>,
}

/// The dashboard.
#[derive(Default)]
pub(super) struct App {
    pub(super) shown: Snapshot,
    pub(super) panel: Panel,
    /// The selected row's id, for each panel.
    pub(super) selected: [String; 4],
    /// The matching rows of each panel, by their indices.
    pub(super) rows: [Vec<usize>; 4],
    /// The index of the selected row among those, for each panel.
    at: [usize; 4],
    /// The first visible row of each panel.
    pub(super) first: [usize; 4],
    /// The marked rows, by their ids.
    pub(super) marked: [BTreeSet<String>; 4],
    pub(super) side: Side,
    pub(super) search: Input,
    pub(super) filter: Filter,
    pub(super) mode: Mode,
    /// The texts that were written and not sent, each with its identity.
    pub(super) drafts: Vec<(DraftKey, Form)>,
    /// The texts that were refused while something else was open, and the reasons.
    pub(super) refused: Vec<(Action, String)>,
    /// The running commands.
    pub(super) running: Vec<String>,
    /// The last outcome, and whether it was a failure.
    pub(super) told: Option<(String, bool)>,
    pub(super) seen: Seen,
    pub(super) keymap: Keymap,
    /// The width of the list that the person has chosen.
    pub(super) divided: Option<u16>,
    /// The places of everything that was drawn.
    pub(super) places: Places,
    /// The known projects on the tmux server.
    pub(super) projects: Vec<ProjectRow>,
    pub(super) mouse: Mouse,
    /// Whether anything was shown yet.
    begun: bool,
}

impl App {
    /// A dashboard with the person's own keys.
    pub(super) fn new(keys: &str) -> Self {
        let (keymap, wrong) = Keymap::new(keys);
        Self { keymap, told: wrong.map(|why| (why, true)), ..Self::default() }
    }

    /// Shows another snapshot.
    pub(super) fn update(&mut self, shown: Snapshot, now_ms: u64) {
        self.shown = shown;
        self.follow_names();
        self.filter_rows(now_ms, false);
        if !std::mem::replace(&mut self.begun, true) {
            // A panel that needs the person gets the keys.
            let asks = self.shown.agents.first().is_some_and(|agent| agent.need <= Need::Asks);
            let mail = self.shown.threads.first().is_some_and(|t| t.unread > 0 && t.id != NOTICES);
            self.panel = if mail && !asks { Panel::Threads } else { Panel::Agents };
        }
    }

    /// Starts with another project. Drafts, keys and the width of the list stay.
    pub(super) fn leave_project(&mut self) {
        let Self { drafts, keymap, divided, places, projects, .. } = std::mem::take(self);
        *self = Self { drafts, keymap, divided, places, projects, ..Self::default() };
    }

    /// The state on which the places on the screen depend.
    pub(super) fn shape(&self) -> Shape {
        let counts = [0, 1, 2, 3].map(|panel: usize| self.rows[panel].len());
        Shape { panel: self.panel, counts, opened: self.side.focus, divided: self.divided }
    }

    /// Keeps renamed agents selected or marked.
    fn follow_names(&mut self) {
        let place = Panel::Agents as usize;
        self.selected[place] = self.name_now(&self.selected[place]);
        self.marked[place] = order::collect(self.marked[place].iter().map(|name| self.name_now(name)));
    }

    /// The present name of an agent that had this name.
    fn name_now(&self, name: &str) -> String {
        let agents = &self.shown.agents;
        let renamed = agents.iter().find(|a| a.formerly.iter().any(|former| former == name));
        let known = agents.iter().any(|a| a.name == name);
        renamed.filter(|_| !known).map_or_else(|| name.to_owned(), |a| a.name.clone())
    }

    /// The selected agent, if it has ended since. Another one is selected only when the person does so, because the
    /// next key was meant for this agent.
    pub(super) fn gone(&self) -> Option<&str> {
        let name = &self.selected[Panel::Agents as usize];
        (!name.is_empty() && !self.shown.agents.iter().any(|a| a.name == *name)).then_some(name)
    }

    /// Finds the matching rows. A selection that does not match moves to the row in its place.
    pub(super) fn sift(&mut self, now_ms: u64) {
        self.filter_rows(now_ms, true);
    }

    /// Finds the matching rows; `asked`: because the person has changed the search.
    fn filter_rows(&mut self, now_ms: u64, asked: bool) {
        self.filter = Filter::parse(&self.search.text());
        for panel in Panel::ALL {
            let place = panel as usize;
            let rows: Vec<usize> =
                (0..self.total(panel)).filter(|row| self.takes(panel, *row, now_ms)).collect();
            let ids: Vec<&str> = rows.iter().map(|row| self.id(panel, *row)).collect();
            let is_gone = !asked
                && !self.selected[place].is_empty()
                && !(0..self.total(panel)).any(|row| self.id(panel, row) == self.selected[place]);
            if is_gone {
                // `at` remembers its place.
                self.rows[place] = rows;
                self.forget_marks(panel);
                continue;
            }
            if !ids.contains(&self.selected[place].as_str()) {
                let at = self.at[place].min(ids.len().saturating_sub(1));
                let id = ids.get(at).map(|id| (*id).to_owned()).unwrap_or_default();
                self.selected[place] = id;
                if panel == self.panel {
                    self.look_from_start();
                }
            }
            self.rows[place] = rows;
            self.at[place] = self.position(panel).unwrap_or(0);
            self.forget_marks(panel);
        }
    }

    /// Removes the marks of rows that are gone. The person is told about agents, because the next key applies to
    /// fewer of them.
    fn forget_marks(&mut self, panel: Panel) {
        let lives = |id: &String| (0..self.total(panel)).any(|row| self.id(panel, row) == *id);
        let (alive, gone): (BTreeSet<String>, BTreeSet<String>) =
            self.marked[panel as usize].iter().cloned().partition(lives);
        if panel == Panel::Agents && !gone.is_empty() {
            let names: Vec<&str> = gone.iter().map(String::as_str).collect();
            let has = if names.len() == 1 { "has ended and is" } else { "have ended and are" };
            self.told = Some((format!("{} {has} not selected any more", names.join(", ")), true));
        }
        self.marked[panel as usize] = alive;
    }

    /// Resets the right side for another row.
    pub(super) fn look_from_start(&mut self) {
        (self.side.from, self.side.settle) = (0, true);
        self.side.message.clear();
    }

    pub(super) fn total(&self, panel: Panel) -> usize {
        match panel {
            Panel::Agents => self.shown.agents.len(),
            Panel::Threads => self.shown.threads.len(),
            Panel::Leases => self.shown.leases.len(),
            Panel::Tasks => self.shown.tasks.len(),
        }
    }

    /// The id of a row. Those of leases and tasks are made when they are read.
    pub(super) fn id(&self, panel: Panel, row: usize) -> &str {
        match panel {
            Panel::Agents => &self.shown.agents[row].name,
            Panel::Threads => &self.shown.threads[row].id,
            Panel::Leases => &self.shown.leases[row].id,
            Panel::Tasks => &self.shown.tasks[row].id,
        }
    }

    fn takes(&self, panel: Panel, row: usize, now_ms: u64) -> bool {
        let filter = &self.filter;
        if filter.is_empty() {
            return true;
        }
        let takes = |kind: &str, name: &str, text: &str, at: u64| {
            let (to, text) = (&[name.to_owned()], text.to_lowercase());
            filter.takes(&Subject { kind, from: name, to, groups: "", text: &text, at }, now_ms)
        };
        match panel {
            Panel::Agents => {
                let a = &self.shown.agents[row];
                takes(
                    &a.kind,
                    &a.name,
                    &format!("{} {} {} {} {}", a.name, a.kind, a.status.word(), a.why, self.groups_of(a)),
                    a.since,
                )
            }
            Panel::Threads => self.shown.threads[row].messages.iter().any(|m| self.finds(m, now_ms)),
            Panel::Leases => {
                let l = &self.shown.leases[row];
                let text = format!("{} {} {} {}", l.holder, l.paths.join(" "), l.reason, l.mode);
                takes(l.mode, &l.holder, &text, l.since)
            }
            Panel::Tasks => {
                let t = &self.shown.tasks[row];
                takes("", &t.text, &format!("{} {}", t.section, t.text), now_ms)
            }
        }
    }

    /// The groups that an agent is in.
    fn groups_of(&self, agent: &AgentRow) -> String {
        let all = self.shown.groups.iter().filter(|group| group.members.contains(&agent.name));
        all.map(|group| group.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a message matches the search.
    pub(super) fn finds(&self, m: &MessageRow, now_ms: u64) -> bool {
        let subject =
            Subject { kind: m.kind, from: &m.from, to: &m.to, groups: &m.groups, text: &m.folded, at: m.at };
        self.filter.takes(&subject, now_ms)
    }

    /// The index of the selected row among the visible ones.
    pub(super) fn position(&self, panel: Panel) -> Option<usize> {
        let id = self.selected[panel as usize].as_str();
        self.rows[panel as usize]
            .iter()
            .position(|row| *row < self.total(panel) && self.id(panel, *row) == id)
    }

    fn selected_row(&self, panel: Panel) -> Option<usize> {
        self.position(panel).map(|at| self.rows[panel as usize][at])
    }

    pub(super) fn agent(&self) -> Option<&AgentRow> {
        self.selected_row(Panel::Agents).map(|row| &self.shown.agents[row])
    }

    pub(super) fn thread(&self) -> Option<&ThreadRow> {
        self.selected_row(Panel::Threads).map(|row| &self.shown.threads[row])
    }

    pub(super) fn lease(&self) -> Option<&LeaseRow> {
        self.selected_row(Panel::Leases).map(|row| &self.shown.leases[row])
    }

    pub(super) fn task(&self) -> Option<&TaskRow> {
        self.selected_row(Panel::Tasks).map(|row| &self.shown.tasks[row])
    }

    /// The message that is selected in the selected thread.
    pub(super) fn message(&self) -> Option<&Rc<MessageRow>> {
        let thread = self.thread()?;
        let chosen = thread.messages.iter().find(|m| m.id == self.side.message);
        Some(chosen.unwrap_or_else(|| threads::chief(thread)))
    }

    /// The agent whose pane is to be captured.
    pub(super) fn watched(&self) -> Option<&AgentRow> {
        if let Mode::Dialog(dialog) = &self.mode {
            return self.shown.agents.iter().find(|agent| dialog.is_of(&self.shown.root, agent));
        }
        let is_seen = self.panel == Panel::Agents && self.places.right.is_some();
        self.agent().filter(|agent| is_seen && !agent.away)
    }

    /// The last look at this agent; `None` if it was at another one.
    pub(super) fn seen_of(&self, agent: &AgentRow) -> Option<&Seen> {
        Some(&self.seen).filter(|seen| seen.whom == Whom::of(&self.shown.root, agent))
    }

    /// The name of the project, as in the list of projects: there it has a longer name if another project has the
    /// same.
    pub(super) fn project(&self) -> &str {
        let listed = self.projects.iter().find(|p| p.root == self.shown.root);
        listed.map_or(&self.shown.project, |p| &p.label)
    }

    /// Whether a text is being written.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.mode, Mode::Form(_))
    }

    /// Whether a key is the one that opens the text in the person's editor.
    pub(super) fn is_edited(&self, key: &KeyEvent) -> bool {
        matches!(&self.mode, Mode::Form(form) if form.is_edited(key))
    }

    /// Handles the outcome of an action.
    pub(super) fn finish(&mut self, outcome: ActionOutcome) {
        if let Some(at) = self.running.iter().position(|what| *what == outcome.action.what) {
            self.running.remove(at);
        }
        if let Mode::Dialog(dialog) = &mut self.mode {
            dialog.waits = false;
        }
        let first = outcome.text.lines().next().unwrap_or("done").to_owned();
        let idle = matches!(self.mode, Mode::Panels);
        if outcome.action.args.first().is_some_and(|word| word == "digest") && !outcome.action.page {
            self.look_back(&outcome);
        } else if outcome.action.page && outcome.ok && idle {
            self.mode = Mode::Page(Pager::new(&format!("{}\n\n{}", outcome.action.what, outcome.text)));
        } else if !outcome.ok && !outcome.action.stdin.is_empty() {
            // The text is not lost: it is offered again, with the reason.
            self.told = Some((first.clone(), true));
            self.refused.push((outcome.action, first));
            self.offer_again();
        } else if outcome.ok && outcome.action.args.first().is_some_and(|word| word == "read") {
            // The message is already on the screen.
        } else {
            self.told = Some((first, !outcome.ok));
        }
    }

    /// Shows what happened while the person was away, unless something else is shown already.
    fn look_back(&mut self, outcome: &ActionOutcome) {
        if outcome.ok && !outcome.text.is_empty() && self.told.is_none() && matches!(self.mode, Mode::Panels)
        {
            let key = self.keymap.names(Command::Digest).first().cloned().unwrap_or_default();
            self.told = Some((format!("{} ({key} shows it)", outcome.text), false));
        }
    }

    /// Opens a refused text again, once nothing else is open.
    pub(super) fn offer_again(&mut self) {
        if matches!(self.mode, Mode::Panels)
            && let Some((action, why)) = self.refused.pop()
        {
            self.told = Some((why, true));
            self.open_form(Form::again(&action));
        }
    }

    pub(super) fn run(&mut self, actions: Vec<Action>) -> Wish {
        self.told = None;
        self.running.extend(actions.iter().map(|action| action.what.clone()));
        Wish::Run(actions)
    }

    pub(super) fn tell(&mut self, text: &str) {
        self.told = Some((text.to_owned(), true));
    }

    /// Gives the keys to a panel.
    pub(super) fn turn(&mut self, panel: Panel) {
        self.side.focus = false;
        if self.panel != panel {
            self.panel = panel;
            self.look_from_start();
        }
    }

    /// Moves the selection of a panel.
    pub(super) fn go(&mut self, panel: Panel, by: isize) {
        let rows = &self.rows[panel as usize];
        let at = self.position(panel);
        // The row in the place of the selected one is the next one.
        let by = if at.is_none() && by > 0 { by - 1 } else { by };
        let at = at.unwrap_or(self.at[panel as usize]);
        let to = at.saturating_add_signed(by).min(rows.len().saturating_sub(1));
        let Some(id) = rows.get(to).map(|row| self.id(panel, *row).to_owned()) else { return };
        self.at[panel as usize] = to;
        if self.selected[panel as usize] != id {
            self.selected[panel as usize] = id;
            if panel == self.panel {
                self.look_from_start();
            }
        }
    }
}
