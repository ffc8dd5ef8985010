//! Decides the effect of a key in each mode.
//!
//! Pure. In the panels a key is a command; everywhere else it belongs to the open view.

use super::agents;
use super::keymap::held;
use super::keys::{self, Command};
use super::model::{App, DraftKey, Mode, Wish};
use super::panel::Panel;
use super::snapshot::{AgentRow, GroupRow, ProjectRow};
use crate::view::form::{Form, Known};
use crate::view::fuzzy;
use crate::view::input::Input;
use crate::view::write;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The most drafts that are kept.
const DRAFTS: usize = 32;

impl App {
    /// Handles pasted text.
    pub(super) fn paste(&mut self, text: &str, now_ms: u64) {
        let flat = || text.split_whitespace().collect::<Vec<_>>().join(" ");
        match &mut self.mode {
            Mode::Form(form) => form.paste(text),
            Mode::Search => {
                self.search.insert(&flat());
                self.sift(now_ms);
            }
            Mode::Commands { input, at } => {
                input.insert(&flat());
                *at = 0;
            }
            _ => {}
        }
    }

    /// Handles a key.
    pub(super) fn press(&mut self, key: KeyEvent, now_ms: u64) -> Wish {
        let was_open = !matches!(self.mode, Mode::Panels);
        let wish = self.take(key, now_ms);
        if was_open && wish == Wish::Nothing {
            self.offer_again();
        }
        wish
    }

    fn take(&mut self, key: KeyEvent, now_ms: u64) -> Wish {
        let plain = held(&key).is_empty();
        if held(&key) == KeyModifiers::CONTROL && key.code == KeyCode::Char('c') {
            match std::mem::take(&mut self.mode) {
                Mode::Panels => return Wish::Quit,
                Mode::Form(form) => self.keep(*form),
                _ => {}
            }
            return Wish::Nothing;
        }
        match std::mem::take(&mut self.mode) {
            Mode::Panels => {
                self.told = None;
                match self.keymap.command(&key) {
                    Some(command) => return self.perform(command, now_ms),
                    None if matches!(key.code, KeyCode::Char(_)) => {
                        let key = self.keymap.names(Command::Keys).first().cloned().unwrap_or_default();
                        self.tell(&format!("{key} lists the keys"));
                    }
                    None => {}
                }
            }
            Mode::Search => self.press_search(key, now_ms),
            Mode::Form(form) => return self.press_form(form, key),
            Mode::Confirm { question, actions } => match key.code {
                _ if !plain => self.mode = Mode::Confirm { question, actions },
                KeyCode::Char('y' | 'Y') => return self.run(actions),
                KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => {
                    self.told = Some(("nothing was changed".to_owned(), false));
                }
                _ => self.mode = Mode::Confirm { question, actions },
            },
            Mode::Page(mut pager) => {
                if pager.press(key) {
                    self.mode = Mode::Page(pager);
                }
            }
            Mode::Dialog(dialog) => return self.press_dialog(dialog, key, now_ms),
            Mode::Projects { rows, at } => return self.press_projects(rows, at, key),
            Mode::Commands { input, at } => return self.press_commands(input, at, key, now_ms),
        }
        Wish::Nothing
    }

    fn press_search(&mut self, key: KeyEvent, now_ms: u64) {
        self.mode = Mode::Search;
        match key.code {
            KeyCode::Esc => {
                self.search = Input::default();
                self.mode = Mode::Panels;
            }
            KeyCode::Enter => self.mode = Mode::Panels,
            _ => {
                edit(&mut self.search, key);
            }
        }
        self.sift(now_ms);
        // The keys go to the panel with a match.
        if matches!(self.mode, Mode::Panels)
            && self.rows[self.panel as usize].is_empty()
            && let Some(panel) = Panel::ALL.into_iter().find(|panel| !self.rows[*panel as usize].is_empty())
        {
            self.turn(panel);
        }
    }

    fn press_form(&mut self, mut form: Box<Form>, key: KeyEvent) -> Wish {
        if key.code == KeyCode::Esc && !form.close_list() {
            self.keep(*form);
            return Wish::Nothing;
        }
        if let Some(action) = form.press(key) {
            return self.run(vec![action]);
        }
        self.mode = Mode::Form(form);
        Wish::Nothing
    }

    /// Keeps a text until the same form is opened again.
    fn keep(&mut self, form: Form) {
        let Some(key) = self.draft_of(&form) else { return };
        self.drafts.retain(|(known, _)| *known != key);
        if !form.is_blank() {
            self.told = Some(("the draft is kept".to_owned(), false));
            self.drafts.push((key, form));
            let over = self.drafts.len().saturating_sub(DRAFTS);
            self.drafts.drain(..over);
        }
    }

    fn draft_of(&self, form: &Form) -> Option<DraftKey> {
        Some((self.shown.root.clone(), form.key()?))
    }

    /// Opens a form, with its draft if there is one.
    pub(super) fn write(&mut self, form: Form) {
        let key = self.draft_of(&form);
        let draft = self
            .drafts
            .iter()
            .position(|(known, _)| Some(known) == key.as_ref())
            .map(|at| self.drafts.remove(at).1);
        self.open_form(draft.unwrap_or(form));
    }

    /// Opens a form with the present recipients, and the reasons why a message to them would wait.
    pub(super) fn open_form(&mut self, form: Form) {
        let agents = self.shown.agents.iter().map(|a| Known::agent(&a.name, agents::hindrance(a)));
        let known = agents.chain(self.shown.groups.iter().map(|group| self.known_group(group))).collect();
        self.mode = Mode::Form(Box::new(form.knowing(known)));
    }

    fn known_group(&self, group: &GroupRow) -> Known {
        let is_in = |a: &&AgentRow| group.members.contains(&a.name);
        let waits = self.shown.agents.iter().filter(is_in).filter(|a| !agents::hindrance(a).is_empty());
        let waits: Vec<&str> = waits.map(|a| a.name.as_str()).collect();
        let note =
            if waits.is_empty() { String::new() } else { format!("it would wait for {}", waits.join(", ")) };
        let members =
            if group.members.is_empty() { "no members".to_owned() } else { group.members.join(", ") };
        Known::group(&group.name, &members, note)
    }

    /// Shows in the open form the present warnings before sending.
    pub(super) fn brief(&mut self, now_ms: u64) {
        let soon = self.shown.limited.map(|(count, until)| write::too_soon(count, until, now_ms));
        let courier = if self.shown.courier { "" } else { "no courier runs: nothing is delivered for now" };
        let parts = [courier.to_owned(), soon.unwrap_or_default()];
        if let Mode::Form(form) = &mut self.mode {
            form.warn(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; "));
        }
    }

    /// The commands that match the typed text, the best first.
    pub(super) fn found(input: &Input) -> Vec<&'static keys::Row> {
        let rows: Vec<&keys::Row> = keys::rows().filter(|row| row.command != Command::Commands).collect();
        let texts = rows.iter().map(|row| (row.name, row.effect));
        fuzzy::find(&input.text(), texts).into_iter().map(|at| rows[at]).collect()
    }

    fn press_projects(&mut self, rows: Vec<ProjectRow>, at: usize, key: KeyEvent) -> Wish {
        let last = rows.len().saturating_sub(1);
        let number = |c: char| c.to_digit(10).and_then(|n| rows.get((n as usize).checked_sub(1)?));
        let shown =
            |row: Option<&ProjectRow>| row.map_or(Wish::Nothing, |row| Wish::Project(row.root.clone()));
        let at = match key.code {
            _ if !held(&key).is_empty() => at,
            KeyCode::Esc | KeyCode::Char('q') => return Wish::Nothing,
            KeyCode::Enter => return shown(rows.get(at)),
            KeyCode::Char(c) if number(c).is_some() => return shown(number(c)),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => (at + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => at.saturating_sub(1),
            KeyCode::Home => 0,
            KeyCode::End => last,
            _ => at,
        };
        self.mode = Mode::Projects { rows, at };
        Wish::Nothing
    }

    fn press_commands(&mut self, mut input: Input, mut at: usize, key: KeyEvent, now_ms: u64) -> Wish {
        let found = Self::found(&input);
        let last = found.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc => return Wish::Nothing,
            KeyCode::Enter => {
                return match found.get(at) {
                    Some(row) => self.perform(row.command, now_ms),
                    None => Wish::Nothing,
                };
            }
            KeyCode::Down | KeyCode::Tab => at = (at + 1).min(last),
            KeyCode::Up | KeyCode::BackTab => at = at.saturating_sub(1),
            KeyCode::PageDown => at = (at + 10).min(last),
            KeyCode::PageUp => at = at.saturating_sub(10),
            KeyCode::Backspace if input.text().is_empty() => return Wish::Nothing,
            _ if edit(&mut input, key) => at = 0,
            _ => {}
        }
        self.mode = Mode::Commands { input, at };
        Wish::Nothing
    }
}

/// Edits a line that is being typed. Returns whether its text has changed.
fn edit(input: &mut Input, key: KeyEvent) -> bool {
    let before = input.text();
    match (key.code, held(&key)) {
        (KeyCode::Char('u'), KeyModifiers::CONTROL) => input.kill_line(),
        (KeyCode::Char('a'), KeyModifiers::CONTROL) | (KeyCode::Home, _) => input.home(),
        (KeyCode::Char('e'), KeyModifiers::CONTROL) | (KeyCode::End, _) => input.end(),
        (KeyCode::Char(c), KeyModifiers::NONE) => input.insert(&c.to_string()),
        (KeyCode::Backspace, _) => input.backspace(),
        (KeyCode::Delete, _) => input.delete(),
        (KeyCode::Left, _) => input.step(-1),
        (KeyCode::Right, _) => input.step(1),
        _ => {}
    }
    input.text() != before
}
