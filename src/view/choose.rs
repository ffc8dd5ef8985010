//! A list from which a person chooses one entry.

use super::rows;
use super::terminal::{Popup, Screen, is_control, show};
use anyhow::Result;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use std::ops::ControlFlow;

/// A row of the list.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The key that chooses it. Without one, its number does.
    pub key: Option<char>,
    pub name: String,
    /// The most important detail.
    pub detail: String,
}

struct Choices<'a> {
    title: &'a str,
    rows: &'a [Choice],
    at: usize,
}

/// Lets a person choose one of `rows`, whose texts are safe for a terminal. Returns its index, or `None` if the
/// person leaves.
pub fn choose(title: &str, rows: &[Choice]) -> Result<Option<usize>> {
    show(Choices { title, rows, at: 0 }).map(Option::flatten)
}

impl Popup for Choices<'_> {
    /// The index of the chosen row; `None`: the person left.
    type Outcome = Option<usize>;

    fn draw(&mut self, frame: &mut Frame<'_>) {
        draw(frame, self.title, self.rows, self.at);
    }

    fn press(&mut self, key: KeyEvent, _: &mut Screen) -> Result<ControlFlow<Option<usize>>> {
        Ok(press(key, self.rows, &mut self.at))
    }
}

fn press(key: KeyEvent, rows: &[Choice], at: &mut usize) -> ControlFlow<Option<usize>> {
    let last = rows.len().saturating_sub(1);
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return if is_control(&key, 'c') { ControlFlow::Break(None) } else { ControlFlow::Continue(()) };
    }
    if let KeyCode::Char(c) = key.code
        && let Some(number) = (0..rows.len()).find(|number| letter(rows, *number) == Some(c))
    {
        return ControlFlow::Break(Some(number));
    }
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return ControlFlow::Break(None),
        KeyCode::Enter if !rows.is_empty() => return ControlFlow::Break(Some(*at)),
        KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => *at = (*at + 1).min(last),
        KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => *at = at.saturating_sub(1),
        KeyCode::PageDown => *at = (*at + 10).min(last),
        KeyCode::PageUp => *at = at.saturating_sub(10),
        KeyCode::Home => *at = 0,
        KeyCode::End => *at = last,
        _ => {}
    }
    ControlFlow::Continue(())
}

/// The key of a row.
fn letter(rows: &[Choice], number: usize) -> Option<char> {
    let digit = || char::from_digit(u32::try_from(number + 1).ok()?, 10);
    rows.get(number)?.key.or_else(digit)
}

fn draw(frame: &mut Frame<'_>, title: &str, rows: &[Choice], at: usize) {
    let [head, body, foot] = rows::around(frame.area(), 2, 1);
    let strong = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Line::styled(title, strong), head);
    let names = rows.iter().map(|row| Line::raw(row.name.as_str()).width()).max().unwrap_or_default();
    let first = (at + 1).saturating_sub(usize::from(body.height));
    let spaced = rows.iter().any(|row| row.key == Some(' '));
    let line = |(number, row): (usize, &Choice)| {
        let key = match letter(rows, number) {
            Some(' ') => "Space ".to_owned(),
            Some(key) if spaced => format!("{key:<5} "),
            key => format!("{} ", key.unwrap_or(' ')),
        };
        let room =
            names.min(usize::from(body.width) / 2).saturating_sub(Line::raw(row.name.as_str()).width());
        Line::raw(format!("{key}{}{}  {}", row.name, " ".repeat(room), row.detail))
            .style(rows::style(number == at, Style::new()))
    };
    rows::draw(frame, body, rows.iter().enumerate().skip(first).map(line));
    frame.render_widget(Line::styled(foot_text(rows.len() > usize::from(body.height)), strong), foot);
}

/// The keys, the most important first: a small screen cuts the rest.
fn foot_text(more: bool) -> &'static str {
    if more {
        "Esc leaves  its key or Enter chooses  arrows: more"
    } else {
        "Esc leaves  its key or Enter chooses"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn a_row_is_chosen_by_its_number_or_by_enter_and_escape_leaves() {
        let row = |key| Choice { key, name: "x".into(), detail: String::new() };
        let rows = [row(None), row(Some('q')), row(None)];
        let mut at = 0;
        let mut press = |code| press(KeyEvent::new(code, KeyModifiers::NONE), &rows, &mut at);
        assert_eq!(press(KeyCode::Char('9')), ControlFlow::Continue(()), "there is no such row");
        assert_eq!(press(KeyCode::Down), ControlFlow::Continue(()));
        assert_eq!(press(KeyCode::Enter), ControlFlow::Break(Some(1)));
        assert_eq!(press(KeyCode::Esc), ControlFlow::Break(None));
        assert_eq!(press(KeyCode::Char('q')), ControlFlow::Break(Some(1)), "a row's own key comes first");
        assert_eq!(press(KeyCode::Char('3')), ControlFlow::Break(Some(2)));
    }

    #[test]
    fn the_selected_row_is_on_a_small_screen() {
        let rows: Vec<Choice> = (0..20)
            .map(|n| Choice { key: None, name: format!("project-{n}"), detail: "2 agents".into() })
            .collect();
        let mut terminal = Terminal::new(TestBackend::new(30, 8)).unwrap();
        terminal.draw(|frame| draw(frame, "Which project?", &rows, 17)).unwrap();
        let screen = terminal.backend().to_string();
        assert!(screen.contains("project-17  2 agents") && screen.contains("Which project?"), "{screen}");
    }
}
