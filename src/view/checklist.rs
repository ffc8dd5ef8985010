//! A list in which a person marks steps. Below it, the selected step shows what it would change.

use super::rows;
use super::terminal::{Popup, Screen, is_control, show};
use super::wrap;
use anyhow::Result;
use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use std::ops::ControlFlow;

/// The fewest rows for the text of an item.
const LEAST_TEXT: u16 = 4;

/// The state of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Chosen,
    /// It could be.
    Open,
    /// It was done before.
    Done,
    /// It cannot be done here; the text says why.
    Closed,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    /// The whole change that it would make.
    pub text: String,
    pub state: StepState,
}

impl StepState {
    /// The state after its key was pressed.
    fn turned(self) -> Self {
        match self {
            Self::Chosen => Self::Open,
            Self::Open => Self::Chosen,
            settled => settled,
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            Self::Chosen => "[x]",
            Self::Open => "[ ]",
            Self::Done => " ✓ ",
            Self::Closed => " - ",
        }
    }
}

/// The result of a key.
#[derive(Debug, PartialEq, Eq)]
enum Pressed {
    Stays,
    Confirmed,
    Left,
}

/// The list while a person changes it.
#[derive(Debug)]
struct Checklist<'a> {
    title: &'a str,
    items: Vec<Item>,
    at: usize,
    /// The first visible row of the text, and the number of rows beyond the visible ones.
    from: usize,
    beyond: usize,
}

/// Lets a person mark `items`, whose texts are safe for a terminal. Returns the marks, or `None` if the person
/// leaves.
pub fn check(title: &str, items: Vec<Item>) -> Result<Option<Vec<bool>>> {
    show(Checklist::new(title, items)).map(Option::flatten)
}

impl Popup for Checklist<'_> {
    /// The marks; `None`: the person left.
    type Outcome = Option<Vec<bool>>;

    fn draw(&mut self, frame: &mut Frame<'_>) {
        Checklist::draw(self, frame);
    }

    fn press(&mut self, key: KeyEvent, _: &mut Screen) -> Result<ControlFlow<Option<Vec<bool>>>> {
        Ok(match Checklist::press(self, key) {
            Pressed::Stays => ControlFlow::Continue(()),
            Pressed::Left => ControlFlow::Break(None),
            Pressed::Confirmed => ControlFlow::Break(Some(
                self.items.iter().map(|item| item.state == StepState::Chosen).collect(),
            )),
        })
    }
}

impl<'a> Checklist<'a> {
    fn new(title: &'a str, items: Vec<Item>) -> Self {
        let at = items.iter().position(|item| item.state == StepState::Chosen).unwrap_or_default();
        Self { title, items, at, from: 0, beyond: 0 }
    }

    fn press(&mut self, key: KeyEvent) -> Pressed {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if is_control(&key, 'c') { Pressed::Left } else { Pressed::Stays };
        }
        let last = self.items.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Pressed::Left,
            KeyCode::Enter => return Pressed::Confirmed,
            KeyCode::Char(' ' | 'x') => {
                if let Some(item) = self.items.get_mut(self.at) {
                    item.state = item.state.turned();
                }
            }
            KeyCode::PageDown => self.from += self.beyond.min(5),
            KeyCode::PageUp => self.from = self.from.saturating_sub(5),
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => self.select((self.at + 1).min(last)),
            KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => self.select(self.at.saturating_sub(1)),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(last),
            _ => {}
        }
        Pressed::Stays
    }

    fn select(&mut self, at: usize) {
        (self.at, self.from) = (at, 0);
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let room = frame.area().height.saturating_sub(3 + LEAST_TEXT).max(1);
        let rows = u16::try_from(self.items.len()).unwrap_or(u16::MAX).min(room);
        let [_, all, foot] = rows::around(frame.area(), 0, 1);
        let [list, text, _] = rows::around(all, rows + 2, 0);
        let [head, body, rule] = rows::around(list, 1, 1);
        let strong = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Line::styled(self.title, strong), head);
        let first = (self.at + 1).saturating_sub(usize::from(body.height));
        let line = |(number, item): (usize, &Item)| {
            let style = rows::style(number == self.at, Style::new());
            Line::raw(format!("{} {}", item.state.sign(), item.name)).style(style)
        };
        rows::draw(frame, body, self.items.iter().enumerate().skip(first).map(line));
        let faint = Style::new().add_modifier(Modifier::DIM);
        frame.render_widget(Line::styled("─".repeat(usize::from(rule.width)), faint), rule);
        let of_item = self.items.get(self.at).map(|item| item.text.as_str()).unwrap_or_default();
        let rows = wrap::rows(of_item, text.width);
        self.from = self.from.min(rows.len().saturating_sub(usize::from(text.height)));
        self.beyond = rows.len().saturating_sub(self.from + usize::from(text.height));
        let shown: Vec<Line<'_>> = rows.iter().skip(self.from).map(|row| Line::raw(row.as_str())).collect();
        frame.render_widget(Paragraph::new(shown), text);
        frame.render_widget(Line::styled(self.keys(), strong), foot);
    }

    /// The keys, the most important first: a small screen cuts the rest.
    fn keys(&self) -> String {
        let marked = self.items.iter().filter(|item| item.state == StepState::Chosen).count();
        let does = match marked {
            0 => "Enter: none".to_owned(),
            _ => format!("Enter: do {marked}"),
        };
        let more = if self.beyond > 0 || self.from > 0 { "  PgDn: more of the text" } else { "" };
        format!("{does}  Esc: leave  Space: mark{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn list() -> Checklist<'static> {
        let item = |name: &str, text: &str, state| Item { name: name.into(), text: text.into(), state };
        let long: String = (1..30).map(|n| format!("line {n}\n")).collect();
        let items = vec![
            item("the project", "is there", StepState::Done),
            item("the hooks", &long, StepState::Chosen),
            item("the rules", "rules", StepState::Open),
        ];
        Checklist::new("set up", items)
    }

    fn shown(list: &mut Checklist<'_>, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| list.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn press(list: &mut Checklist<'_>, code: KeyCode) -> Pressed {
        list.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn what_is_marked_is_done_with_enter_and_what_is_done_already_cannot_be_marked() {
        let mut list = list();
        assert_eq!(list.at, 1, "it begins with what there is to do");
        press(&mut list, KeyCode::Char(' '));
        press(&mut list, KeyCode::Down);
        press(&mut list, KeyCode::Char(' '));
        press(&mut list, KeyCode::Home);
        press(&mut list, KeyCode::Char(' '));
        assert_eq!(press(&mut list, KeyCode::Enter), Pressed::Confirmed);
        let marks: Vec<StepState> = list.items.iter().map(|item| item.state).collect();
        assert_eq!(marks, [StepState::Done, StepState::Open, StepState::Chosen]);
        assert_eq!(press(&mut list, KeyCode::Esc), Pressed::Left);
    }

    #[test]
    fn the_text_of_the_selected_one_is_shown_whole_by_paging_and_a_small_screen_shows_the_keys() {
        let mut list = list();
        let first = shown(&mut list, 60, 15);
        assert!(first.contains("[x] the hooks") && first.contains(" ✓  the project"), "{first}");
        assert!(first.contains("line 1 ") && !first.contains("line 29"), "{first}");
        assert!(first.contains("Enter: do 1  Esc: leave") && first.contains("PgDn"), "{first}");
        for _ in 0..9 {
            press(&mut list, KeyCode::PageDown);
            shown(&mut list, 60, 15);
        }
        assert!(shown(&mut list, 60, 15).contains("line 29"));
        press(&mut list, KeyCode::Down);
        let small = shown(&mut list, 30, 6);
        assert!(small.contains("[ ] the rules") && small.contains("Enter: do 1  Esc: leave"), "{small}");
    }
}
