//! Handles the mouse: a click selects, a second one opens, the wheel moves the list under it, and dragging moves the
//! divider.
//!
//! Pure. The places are those of the last frame.

use super::model::{App, Mode, Wish};
use super::panel::{Panel, lines_of};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// Two clicks within this time are a double click (ms).
const DOUBLE_MS: u64 = 400;

/// How many rows the wheel moves.
const WHEEL: isize = 3;

/// What is remembered between two events.
#[derive(Debug, Default)]
pub(super) struct Mouse {
    /// Whether the divider is being dragged.
    dragging: bool,
    /// The place and the time of the last click.
    clicked: Option<(u16, u16, u64)>,
}

impl App {
    /// Takes an event of the mouse.
    pub(super) fn point(&mut self, event: MouseEvent, now_ms: u64) -> Wish {
        let at = Position::new(event.column, event.row);
        let wheel = match event.kind {
            MouseEventKind::ScrollDown => WHEEL,
            MouseEventKind::ScrollUp => -WHEEL,
            _ => 0,
        };
        if wheel != 0 {
            self.roll(at, wheel, now_ms);
            return Wish::Nothing;
        }
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => return self.click(at, now_ms),
            MouseEventKind::Drag(MouseButton::Left) if self.mouse.dragging => self.divided = Some(at.x),
            MouseEventKind::Up(_) => self.mouse.dragging = false,
            _ => {}
        }
        Wish::Nothing
    }

    fn roll(&mut self, at: Position, by: isize, now_ms: u64) {
        match self.mode {
            Mode::Panels => match self.panel_at(at) {
                Some((panel, _)) => self.go(panel, by),
                None => self.scroll(by),
            },
            // The keys that move within an open view also work as wheel turns.
            Mode::Page(_) | Mode::Commands { .. } | Mode::Projects { .. } => {
                let code = if by > 0 { KeyCode::Down } else { KeyCode::Up };
                for _ in 0..by.unsigned_abs() {
                    self.press(KeyEvent::new(code, KeyModifiers::NONE), now_ms);
                }
            }
            _ => {}
        }
    }

    fn click(&mut self, at: Position, now_ms: u64) -> Wish {
        if !matches!(self.mode, Mode::Panels) {
            return Wish::Nothing;
        }
        let before = self.mouse.clicked.replace((at.x, at.y, now_ms));
        let doubled =
            before.is_some_and(|(x, y, ms)| (x, y) == (at.x, at.y) && now_ms.saturating_sub(ms) < DOUBLE_MS);
        self.told = None;
        if self.places.divider == Some(at.x) && at.y > 0 && at.y < self.places.foot.y {
            self.mouse.dragging = true;
        } else if let Some((panel, area)) = self.panel_at(at) {
            let row = usize::from((at.y - area.y).saturating_sub(1) / lines_of(panel, area.width));
            let hit = if at.y > area.y {
                self.rows[panel as usize].get(self.first[panel as usize] + row)
            } else {
                None
            };
            let id = hit.map(|row| self.id(panel, *row).to_owned());
            // Another row may have moved there between the two clicks.
            let doubled = doubled && id.as_ref() == Some(&self.selected[panel as usize]);
            self.turn(panel);
            if let Some(id) = id {
                let place =
                    self.rows[panel as usize].iter().position(|row| self.id(panel, *row) == id).unwrap_or(0);
                self.go(panel, isize::MIN);
                self.go(panel, isize::try_from(place).unwrap_or(0));
                if doubled {
                    // The target of a third click is not there any more.
                    self.mouse.clicked = None;
                    return self.open();
                }
            }
        } else if let Some(area) = self.places.right.filter(|area| area.contains(at)) {
            self.side.focus = true;
            self.pick(usize::from((at.y - area.y).saturating_sub(1)));
        }
        Wish::Nothing
    }

    /// Selects the message of a thread in this row of the right side.
    fn pick(&mut self, row: usize) {
        let line = self.side.from + row;
        let message = self.side.begins.iter().rev().find(|(begin, _)| *begin <= line);
        if let (Panel::Threads, Some((_, id))) = (self.panel, message) {
            self.side.message = id.clone();
        }
    }

    fn panel_at(&self, at: Position) -> Option<(Panel, Rect)> {
        self.places.panels.iter().find(|(_, area)| area.contains(at)).copied()
    }
}
