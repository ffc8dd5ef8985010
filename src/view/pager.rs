//! Shows a long text in a popup: its beginning first, with the keys to continue and to leave below it.

use super::rows;
use super::terminal::{Popup, Screen, show};
use super::wrap;
use anyhow::Result;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use std::ops::ControlFlow;

/// A text and its first visible row.
#[derive(Clone, Debug, Default)]
pub(super) struct Pager {
    text: String,
    from: usize,
    /// The numbers of rows of the screen, without the line of keys, and of the text.
    height: usize,
    rows: usize,
}

/// Shows `text`, which is safe for a terminal, until a person leaves it.
pub fn page(text: &str) -> Result<()> {
    show(Pager::new(text)).map(drop)
}

impl Popup for Pager {
    type Outcome = ();

    fn draw(&mut self, frame: &mut Frame<'_>) {
        Pager::draw(self, frame, None);
    }

    fn press(&mut self, key: KeyEvent, _: &mut Screen) -> Result<ControlFlow<()>> {
        // If the text fits, any key leaves.
        let stays = !self.fits() && Pager::press(self, key);
        Ok(if stays { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }
}

impl Pager {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    /// Draws it with the keys to continue and to leave, after `others`, the keys of its caller.
    pub(super) fn draw(&mut self, frame: &mut Frame<'_>, others: Option<&str>) {
        let [_, body, foot] = rows::around(frame.area(), 0, 1);
        let rows = wrap::rows(&self.text, body.width);
        (self.height, self.rows) = (usize::from(body.height), rows.len());
        self.from = self.from.min(self.last());
        let shown: Vec<Line<'_>> =
            rows.iter().skip(self.from).take(self.height).map(|row| Line::raw(row.as_str())).collect();
        frame.render_widget(Paragraph::new(shown), body);
        let keys = Line::styled(self.keys(others), Style::new().add_modifier(Modifier::BOLD));
        frame.render_widget(keys, foot);
    }

    fn fits(&self) -> bool {
        self.last() == 0
    }

    /// The first row of the last screen.
    fn last(&self) -> usize {
        self.rows.saturating_sub(self.height)
    }

    /// The keys, the most important first: a small screen cuts the rest.
    fn keys(&self, others: Option<&str>) -> String {
        let first = match others {
            None if self.fits() => return "(any key closes this)".to_owned(),
            Some(others) if self.fits() => return others.to_owned(),
            others => others.unwrap_or("q closes"),
        };
        let end = (self.from + self.height).min(self.rows);
        let on = if end < self.rows { "Space: on" } else { "(end)" };
        format!("{first}  {on}  rows {}-{end} of {}  arrows, PgUp, Home, End", self.from + 1, self.rows)
    }

    /// Handles a key. `false`: the person leaves.
    pub(super) fn press(&mut self, key: KeyEvent) -> bool {
        let page = self.height.saturating_sub(1).max(1);
        self.from = match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return false,
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Enter => self.from + 1,
            KeyCode::Up | KeyCode::Char('k') => self.from.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ' | 'f') => self.from + page,
            KeyCode::PageUp | KeyCode::Char('b') => self.from.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => self.last(),
            _ => self.from,
        }
        .min(self.last());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn shown(pager: &mut Pager, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| pager.draw(frame, None)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_beginning_is_shown_first_however_long_the_lines_are() {
        let long: String = (0..6).map(|n| format!("{n} {}\n", "word ".repeat(30))).collect();
        let mut pager = Pager::new(&long);
        let screen = shown(&mut pager, 50, 10);
        assert!(screen.contains("\"0 word"), "{screen}");
        assert!(screen.contains("q closes  Space: on  rows 1-9 of 24"), "{screen}");
        for _ in 0..9 {
            assert!(pager.press(KeyEvent::new(KeyCode::Char(' '), KeyModifiers::NONE)));
        }
        let screen = shown(&mut pager, 50, 10);
        assert!(screen.contains("(end)  rows 16-24 of 24"), "{screen}");
        assert!(!pager.press(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
    }

    #[test]
    fn any_key_closes_what_fits() {
        let mut pager = Pager::new("one\ntwo");
        assert!(shown(&mut pager, 39, 5).contains("(any key closes this)"));
        assert!(pager.fits());
    }
}
