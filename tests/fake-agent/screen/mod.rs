//! What the agent looks like: one module per style, and what they share. Pure: the same state and size give the same
//! frame. Every frame has exactly as many rows as the pane and a cursor inside it, whatever the size.

mod claude;
mod codex;
mod gemini;
mod opencode;

use crate::agent::{Agent, Entry};
use crate::draft::Cell;
use crate::options::Style;
use crate::text::{Line, Row, columns, sanitize, wrap, wrap_cells};

/// A whole screen.
pub(crate) struct Frame {
    pub(crate) rows: Vec<Line>,
    /// Column and row, from 0.
    pub(crate) cursor: (usize, usize),
    pub(crate) cursor_shown: bool,
    pub(crate) title: String,
}

impl Frame {
    pub(crate) fn last_used_row(&self) -> usize {
        self.rows.iter().rposition(|r| r.width > 0).unwrap_or(0)
    }
}

pub(crate) fn render(agent: &Agent, size: (usize, usize), now: u64) -> Frame {
    let pane = Pane::new(agent, size, now);
    let mut frame = if agent.in_splash() {
        splash(&pane)
    } else if agent.overlay {
        overlay(&pane)
    } else {
        match agent.style() {
            Style::Claude => claude::frame(&pane),
            Style::Codex => codex::frame(&pane),
            Style::Gemini => gemini::frame(&pane),
            Style::Opencode => opencode::frame(&pane),
        }
    };
    frame.rows.resize(pane.height, Line::default());
    frame.cursor = (frame.cursor.0.min(pane.width), frame.cursor.1.min(pane.height - 1));
    frame
}

/// The agent as seen by one drawing, with the pane's size and the clock.
struct Pane<'a> {
    agent: &'a Agent,
    width: usize,
    height: usize,
    now: u64,
    /// The working directory, and its last part.
    directory: String,
    project: String,
}

impl<'a> Pane<'a> {
    fn new(agent: &'a Agent, (width, height): (usize, usize), now: u64) -> Self {
        let directory = std::env::current_dir().unwrap_or_default();
        let project =
            directory.file_name().map_or_else(|| "/".to_owned(), |n| n.to_string_lossy().into_owned());
        let directory = directory.to_string_lossy().into_owned();
        Self { agent, width: width.max(1), height: height.max(1), now, directory, project }
    }

    fn row(&self) -> Row {
        Row::new(self.width)
    }

    /// A row of one plain piece.
    fn line(&self, sgr: &str, text: &str) -> Line {
        self.row().put(sgr, text).end()
    }

    fn blank() -> Line {
        Line::default()
    }

    /// Seconds of the turn under way; `None` when idle.
    fn busy(&self) -> Option<u64> {
        self.agent.turn.as_ref().map(|t| self.now.saturating_sub(t.started) / 1000)
    }

    /// A spinner's frame: it moves ten times a second.
    fn spin<'f>(&self, frames: &[&'f str]) -> &'f str {
        let at = usize::try_from(self.now / 100).unwrap_or(0) % frames.len().max(1);
        frames.get(at).copied().unwrap_or("")
    }

    /// The draft's rows, only the last `most` of them, as a composer scrolls; and the cursor's column in the last.
    fn draft(&self, width: usize, most: usize) -> (Vec<Vec<Cell>>, usize) {
        let mut cells = self.agent.draft.cells(self.agent.style());
        cells.retain(|cell| !self.agent.options.drops.contains(cell.0));
        let mut rows = wrap_cells(&cells, width, self.agent.options.wrap_words);
        let hidden = rows.len().saturating_sub(most.max(1));
        rows.drain(..hidden);
        let x = rows.last().map_or(0, |r| columns(r));
        (rows, x)
    }

    /// A command's output, wrapped, at most 12 rows.
    fn output(text: &str, width: usize) -> Vec<String> {
        let clean = sanitize(text);
        let clean = clean.trim_end();
        let mut rows = wrap(if clean.is_empty() { "(no output)" } else { clean }, width);
        if rows.len() > 12 {
            rows.truncate(11);
            rows.push("…".to_owned());
        }
        rows
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.agent.entries.iter()
    }

    /// Agents on the main screen: one text from the top, its end in view once it is longer than the pane.
    /// A blank row stays below it.
    fn flow(&self, mut rows: Vec<Line>, (x, y): (usize, usize), cursor_shown: bool, title: String) -> Frame {
        let cut = rows.len().saturating_sub(self.height.saturating_sub(1).max(1));
        rows.drain(..cut);
        Frame { rows, cursor: (x, y.saturating_sub(cut)), cursor_shown, title }
    }

    /// Agents on the alternate screen: `bottom` at the pane's foot, the end of `top` above it. The cursor's row
    /// counts from the first of `bottom`.
    fn stack(
        &self,
        mut top: Vec<Line>,
        mut bottom: Vec<Line>,
        (x, y): (usize, usize),
        cursor_shown: bool,
        title: String,
    ) -> Frame {
        let cut = bottom.len().saturating_sub(self.height);
        bottom.drain(..cut);
        let room = self.height - bottom.len();
        top.drain(..top.len().saturating_sub(room));
        top.resize(room, Self::blank());
        top.extend(bottom);
        Frame { rows: top, cursor: (x, room + y.saturating_sub(cut)), cursor_shown, title }
    }
}

/// Starting up: a name and no composer. The title is not the agent's yet.
fn splash(pane: &Pane<'_>) -> Frame {
    let rows = vec![Pane::blank(), pane.line("2", &format!("  Starting {}…", pane.agent.style().name()))];
    Frame { rows, cursor: (0, 2), cursor_shown: false, title: String::new() }
}

/// A list over the whole screen, with the style's own glyph before the chosen line, and no composer.
fn overlay(pane: &Pane<'_>) -> Frame {
    let glyph = match pane.agent.style() {
        Style::Claude => "❯",
        Style::Codex => "›",
        Style::Gemini => "●",
        Style::Opencode => " ",
    };
    let mut rows = vec![pane.line("1", " Resume a session"), Pane::blank()];
    let most = pane.height.saturating_sub(4).max(1);
    for n in 1..=most {
        let mark = if n == 1 { glyph } else { " " };
        rows.push(pane.line("", &format!(" {mark} {n}. Session {n} · {n} hours ago")));
    }
    rows.push(Pane::blank());
    rows.push(pane.line("2", " ↑/↓ to select · enter to resume · esc to close"));
    let title = match pane.agent.style() {
        Style::Claude => claude::title(pane),
        Style::Codex => codex::title(pane),
        Style::Gemini => gemini::title(pane),
        Style::Opencode => opencode::title(pane),
    };
    Frame { rows, cursor: (1, 2), cursor_shown: false, title }
}

#[cfg(test)]
mod tests;
