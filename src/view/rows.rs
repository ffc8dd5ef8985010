//! The rows of a list. The selected row is one bar from edge to edge.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

/// How a row looks: a selected one is reversed, and any other is as `otherwise`.
pub(super) fn style(selected: bool, otherwise: Style) -> Style {
    if selected { Style::new().add_modifier(Modifier::REVERSED) } else { otherwise }
}

/// Draws one line a row, as many as fit. A line's own style reaches over the whole row.
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
