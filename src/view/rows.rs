//! Draws the rows of a list. The selected row is one bar from edge to edge.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

/// Parts of an area below one another: `above` rows, then all that is left, at least one row, then `below` rows. (The
/// solver of ratatui's own layouts is a hundredth of the program.)
pub(super) fn around(area: Rect, above: u16, below: u16) -> [Rect; 3] {
    let body = area.height.saturating_sub(above + below).max(1).min(area.height);
    let above = above.min(area.height - body);
    let below = area.height - body - above;
    let part = |y, height| Rect { y: area.y + y, height, ..area };
    [part(0, above), part(above, body), part(above + body, below)]
}

/// The style of a row: reversed if it is selected, otherwise `otherwise`.
pub(super) fn style(selected: bool, otherwise: Style) -> Style {
    if selected { Style::new().add_modifier(Modifier::REVERSED) } else { otherwise }
}

/// Draws one line per row, as many as fit. A line's own style fills the whole row.
pub(super) fn draw<'a>(frame: &mut Frame<'_>, area: Rect, lines: impl Iterator<Item = Line<'a>>) {
    for (line, row) in lines.zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn what_is_in_the_middle_has_the_rest_and_at_least_one_row() {
        let heights = |height| around(Rect::new(3, 5, 10, height), 2, 1).map(|part| part.height);
        assert_eq!(heights(10), [2, 7, 1]);
        assert_eq!((heights(4), heights(3), heights(2)), ([2, 1, 1], [2, 1, 0], [1, 1, 0]));
        assert_eq!((heights(1), heights(0)), ([0, 1, 0], [0, 0, 0]));
        let places = around(Rect::new(3, 5, 10, 9), 2, 1).map(|part| (part.x, part.y, part.width));
        assert_eq!(places, [(3, 5, 10), (3, 7, 10), (3, 13, 10)]);
    }

    #[test]
    fn a_selected_row_is_one_bar() {
        let mut terminal = Terminal::new(TestBackend::new(12, 2)).unwrap();
        let line = |at| Line::from("one".to_owned()).style(style(at == 1, Style::new()));
        terminal.draw(|frame| draw(frame, frame.area(), (0..5).map(line))).unwrap();
        let cells = terminal.backend().buffer().content();
        let bar = |cell: &ratatui::buffer::Cell| cell.modifier.contains(Modifier::REVERSED);
        assert!(!cells[..12].iter().any(bar), "the row that is not selected");
        assert!(cells[12..].iter().all(bar), "the selected row, beyond its text");
    }
}
