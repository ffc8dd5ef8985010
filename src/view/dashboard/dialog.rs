//! Answers an agent's dialog without going to its pane: the person's keys go to the dialog on the screen.
//!
//! Pure. A key counts only for a screen that was drawn here, long enough to be read. The code that gives the key to
//! the agent checks that the same screen is still there. A letter, a digit or Enter ends this mode; the keys that
//! move within a dialog do not.

use super::keymap::held;
use super::model::{App, Mode, Wish};
use super::snapshot::AgentRow;
use super::theme::{STRONG, Theme};
use super::watch::{Seen, Whom};
use crate::core::agent::Status;
use crate::tmux::pane::PersonsKey;
use crate::view::rows;
use crate::view::text::{cut, graphemes, width};
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph};
use std::path::Path;

/// How long a screen must have stood here before a key counts for it.
const TO_READ_MS: u64 = 400;

/// A dialog that is being answered.
#[derive(Debug, Default)]
pub(super) struct Dialog {
    whom: Whom,
    /// The visible screen, and since when it is visible.
    shown: Option<(u64, u64)>,
    /// How many rows it is scrolled back from its end.
    back: usize,
    /// Whether a key is on its way.
    pub(super) waits: bool,
}

/// A key for the dialog on a screen that a person saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub agent: String,
    pub socket: String,
    pub pane: String,
    /// The fingerprint of that screen.
    pub screen: u64,
    pub key: PersonsKey,
}

/// The key for the agent, if it is an allowed one.
fn key_of(key: &KeyEvent) -> Option<PersonsKey> {
    Some(PersonsKey::Named(match key.code {
        _ if !held(key).is_empty() => return None,
        KeyCode::Char(' ') => "Space",
        KeyCode::Char(c) => return PersonsKey::letter(c),
        KeyCode::Enter => "Enter",
        KeyCode::Up => "Up",
        KeyCode::Down => "Down",
        KeyCode::Left => "Left",
        KeyCode::Right => "Right",
        KeyCode::Tab => "Tab",
        _ => return None,
    }))
}

impl Dialog {
    /// Whether the dialog is this agent's.
    pub(super) fn is_of(&self, root: &Path, agent: &AgentRow) -> bool {
        self.whom == Whom::of(root, agent)
    }
}

impl App {
    /// Opens the dialog of this agent for an answer.
    pub(super) fn open_dialog(&mut self, agent: &str) {
        match self.shown.agents.iter().find(|a| a.name == agent) {
            Some(row) if row.status == Status::Dialog => {
                let whom = Whom::of(&self.shown.root, row);
                self.mode = Mode::Dialog(Dialog { whom, ..Dialog::default() });
            }
            _ => self.tell(&format!("no dialog is open in {agent}")),
        }
    }

    /// Notes which screen of the dialog is visible from now on.
    pub(super) fn note_dialog(&mut self, now_ms: u64) {
        let Mode::Dialog(dialog) = &mut self.mode else { return };
        let seen = (self.seen.whom == dialog.whom).then_some(self.seen.screen).flatten();
        if dialog.shown.map(|(screen, _)| screen) != seen {
            (dialog.shown, dialog.back) = (seen.map(|screen| (screen, now_ms)), 0);
        }
    }

    pub(super) fn press_dialog(&mut self, mut dialog: Dialog, key: KeyEvent, now_ms: u64) -> Wish {
        self.told = None;
        let (mut wish, mut stays) = (Wish::Nothing, true);
        match (key.code, key_of(&key), dialog.shown) {
            (KeyCode::Esc, ..) => return Wish::Nothing,
            (KeyCode::PageUp, ..) => dialog.back += 5,
            (KeyCode::PageDown, ..) => dialog.back = dialog.back.saturating_sub(5),
            (_, None, _) => self.tell("letters, digits, Enter, Space, Tab and the arrows go to the agent"),
            (_, Some(key), Some((screen, since)))
                if !dialog.waits && now_ms.saturating_sub(since) >= TO_READ_MS =>
            {
                let (agent, socket, pane) = dialog.whom.place();
                let what = format!("press {key} in {agent}");
                self.running.push(what.clone());
                wish = Wish::Answer(what, Answer { agent, socket, pane, screen, key });
                (dialog.waits, stays) = (true, key.moves());
            }
            _ => self.tell("nothing was pressed: this has just changed; look again"),
        }
        if stays {
            self.mode = Mode::Dialog(dialog);
        }
        wish
    }
}

/// Draws the pane with the dialog, each row whole.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    dialog: &mut Dialog,
    seen: &Seen,
    told: Option<&(String, bool)>,
    theme: Theme,
) {
    frame.render_widget(Clear, frame.area());
    let [head, body, foot] = rows::around(frame.area(), 1, 1);
    let (columns, height) = (usize::from(body.width), usize::from(body.height));
    let mut rows: Vec<Line<'_>> = vec![Line::raw("…")];
    if seen.whom == dialog.whom {
        rows = seen.lines.iter().flat_map(|line| folded(line, columns)).collect();
    }
    let above = rows.len().saturating_sub(height);
    dialog.back = dialog.back.min(above);
    let first = above - dialog.back;
    let more = if first > 0 { " (PgUp: more)" } else { "" };
    let (agent, ..) = dialog.whom.place();
    let title = cut(&format!(" {agent}{more}: the next key goes to this dialog"), columns);
    frame.render_widget(Line::styled(title, theme.style(super::theme::Mark::Needs)), head);
    frame.render_widget(Paragraph::new(rows.into_iter().skip(first).take(height).collect::<Vec<_>>()), body);
    let (text, style) = match told {
        Some((text, failed)) => (text.as_str(), if *failed { theme.bad() } else { STRONG }),
        None => ("Esc leaves  a letter, a digit or Enter answers  arrows, Tab, Space move", STRONG),
    };
    frame.render_widget(Line::styled(cut(&format!(" {text}"), columns), style), foot);
}

/// A line in rows of so many columns.
fn folded(line: &Line<'static>, columns: usize) -> Vec<Line<'static>> {
    let (mut rows, mut row, mut used) = (Vec::new(), Vec::new(), 0);
    for span in &line.spans {
        let mut text = String::new();
        for part in graphemes(&span.content) {
            if used + width(part) > columns {
                row.push(Span::styled(std::mem::take(&mut text), span.style));
                rows.push(Line::from(std::mem::take(&mut row)));
                used = 0;
            }
            used += width(part);
            text.push_str(part);
        }
        row.push(Span::styled(text, span.style));
    }
    rows.push(Line::from(row));
    rows
}
