//! How a form looks: at the bottom of its area, as high as its text needs.

use super::form::Form;
use super::text::{cut, graphemes, width};
use super::wrap;
use crate::core::escape;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// A form by itself, with what is to be said above it.
pub(super) fn writing(frame: &mut Frame<'_>, form: &Form, said: &str, failed: bool) {
    let area = frame.area();
    let rows = wrap::rows(said, area.width).into_iter().map(Line::raw).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(rows).style(if failed { STRONG } else { DIM }), area);
    draw(frame, form, area);
}

/// The form at the bottom of `whole`.
pub(super) fn draw(frame: &mut Frame<'_>, form: &Form, whole: Rect) {
    if whole.is_empty() {
        return;
    }
    let inner = usize::from(whole.width.saturating_sub(4).max(1));
    let (lines, cursor) = laid_out(form, inner);
    let rows = lines.len().max(if form.is_message() { 3 } else { 1 });
    let rows = rows.min(usize::from((whole.height / 2).max(1)));
    let height = u16::try_from(rows + 3).unwrap_or(u16::MAX).min(whole.height);
    let area = Rect { y: whole.bottom() - height, height, ..whole };
    // What is not written into is two borders.
    let rows = usize::from(height.saturating_sub(2)).max(1);
    let first = (cursor.1 + 1).saturating_sub(rows);
    let mut hint = " Enter sends  Esc leaves ".to_owned();
    if form.is_message() {
        hint.push_str(" Alt-Enter: new line  ^E: editor ");
    }
    if form.has_choices() {
        let ack = if form.ack { "wanted" } else { "no" };
        hint.push_str(&format!(" {} (^T)  ack: {ack} (^A) ", form.kind.word()));
    }
    let title = format!(" {} ", cut(&escape::line(&form.title()), inner));
    let block = Block::bordered().title(Span::styled(title, STRONG)).title_bottom(Line::styled(hint, DIM));
    let visible: Vec<Line<'_>> = lines.iter().skip(first).map(|l| Line::raw(format!(" {l}"))).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(visible).block(block), area);
    let x = area.x + 2 + u16::try_from(cursor.0).unwrap_or(u16::MAX);
    let y = area.y + 1 + u16::try_from(cursor.1 - first).unwrap_or(u16::MAX);
    frame.set_cursor_position((x.min(area.right() - 1), y.min(area.bottom() - 1)));
}

/// The text in rows of so many columns, and the column and row of the cursor. Wrapped here, grapheme by grapheme, so that the cursor is
/// where the text says.
fn laid_out(form: &Form, columns: usize) -> (Vec<String>, (usize, usize)) {
    let (before, after) = form.input.parts();
    let mut lines = vec![String::new()];
    let mut cursor = (0, 0);
    for (number, part) in [before.as_str(), after.as_str()].into_iter().enumerate() {
        if number == 1 {
            cursor = (lines.last().map_or(0, |l| width(l)), lines.len() - 1);
        }
        for part in graphemes(part) {
            // What joins emoji is drawn in different ways.
            let shown: String = part.chars().filter(|c| !super::text::is_unsure(*c)).collect();
            let shown = if part == "\t" { " ".to_owned() } else { shown };
            let used = lines.last().map_or(0, |l| width(l));
            if part == "\n" || used + width(&shown) > columns {
                lines.push(String::new());
            }
            if let (Some(last), false) = (lines.last_mut(), part == "\n") {
                last.push_str(&shown);
            }
        }
    }
    (lines, cursor)
}
