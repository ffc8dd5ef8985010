//! Draws a form: at the bottom of its area, as high as its text needs.

use super::form::{Form, Known, Purpose};
use super::text::{cut, graphemes, pad, steady, width};
use super::wrap;
use crate::core::escape;
use crate::core::message::Intent;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// A form by itself, with a text above it.
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
    let offered = form.offered();
    let (hint, second) = hints(form, offered.is_empty(), inner);
    let mut below = below(form, &offered, inner);
    below.extend(second);
    let rows = lines.len().max(if form.is_long() { 3 } else { 1 });
    let rows = rows.min(usize::from((whole.height / 2).max(1)));
    let height = u16::try_from(rows + 2 + below.len().max(1)).unwrap_or(u16::MAX).min(whole.height);
    let area = Rect { y: whole.bottom() - height, height, ..whole };
    // The rows without text are two borders, and those below the text.
    let rows = usize::from(height.saturating_sub(2)).saturating_sub(below.len()).max(1);
    let first = (cursor.1 + 1).saturating_sub(rows);
    let title = format!(" {} ", cut(&escape::line(&form.title()), inner));
    let block = Block::bordered().title(Span::styled(title, STRONG)).title_bottom(Line::styled(hint, DIM));
    let mut visible: Vec<Line<'_>> =
        lines.iter().skip(first).take(rows).map(|l| Line::raw(format!(" {l}"))).collect();
    visible.resize(rows.max(visible.len()), Line::default());
    visible.extend(below);
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(visible).block(block), area);
    let x = area.x + 2 + u16::try_from(cursor.0).unwrap_or(u16::MAX);
    let y = area.y + 1 + u16::try_from(cursor.1 - first).unwrap_or(u16::MAX);
    frame.set_cursor_position((x.min(area.right() - 1), y.min(area.bottom() - 1)));
}

/// The keys that fit in the frame, and a row above it with the others.
fn hints(form: &Form, plain: bool, columns: usize) -> (String, Option<Line<'static>>) {
    let room = columns + 2;
    let fitting = |parts: &[&str]| {
        let mut hint = " ".to_owned();
        for part in parts {
            if width(&hint) + width(part) < room {
                hint.push_str(&format!("{part} "));
            }
        }
        hint
    };
    let whole =
        |parts: &[&str]| width(&fitting(parts)) == 1 + parts.iter().map(|p| width(p) + 1).sum::<usize>();
    if !plain {
        return (fitting(&["Enter takes the name", " Esc: no name"]), None);
    }
    if let Purpose::Start(starting) = &form.purpose {
        let other = if starting.naming { " Tab: first message" } else { " Tab: name" };
        let choices = [format!(" {} ^T", starting.kind()), format!(" count {} ^N", starting.count())];
        let all = ["Enter starts", " Esc leaves", other, &choices[0], &choices[1]];
        let second = (!whole(&all)).then(|| Line::styled(fitting(&all[2..]), DIM));
        return (fitting(if second.is_some() { &all[..2] } else { &all }), second);
    }
    let keys = ["Enter sends", " Esc leaves"];
    if !form.is_message() {
        let does = if matches!(form.purpose, Purpose::Resend { .. }) { keys[0] } else { "Enter does it" };
        return (fitting(&[does, keys[1]]), None);
    }
    let more = [" editor ^E", " new line Alt-Enter"];
    let kind = form.kind.word();
    let ack = if form.ack { "yes" } else { "no" };
    let wants = form.intent.map_or("-", Intent::word);
    let choices = [format!(" {kind} ^T"), format!(" ack: {ack} ^A"), format!(" wants: {wants} ^N")];
    let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
    let all = [&keys[..], &choices, &more].concat();
    if whole(&all) {
        return (fitting(&all), None);
    }
    (fitting(&[&keys[..], &more].concat()), Some(Line::styled(fitting(&choices), DIM)))
}

/// The rows below the text: the matching names, or the warning before sending.
fn below(form: &Form, offered: &[Known], columns: usize) -> Vec<Line<'static>> {
    if offered.is_empty() {
        let said = form.says();
        let style = |hinders| if hinders { STRONG } else { DIM };
        return said
            .map(|(said, hinders)| {
                let width = u16::try_from(columns).unwrap_or(u16::MAX);
                let rows = wrap::rows(&escape::line(&said), width).into_iter().take(2);
                rows.map(|row| Line::styled(format!(" {row}"), style(hinders))).collect()
            })
            .unwrap_or_default();
    }
    let chosen = form.at.min(offered.len() - 1);
    let row = |(number, known): (usize, &Known)| {
        let text = pad(&format!(" {}  {}", known.name, known.shown()), columns);
        Line::styled(text, if number == chosen { Style::new().add_modifier(Modifier::REVERSED) } else { DIM })
    };
    offered.iter().enumerate().map(row).collect()
}

/// The text in rows of so many columns, and the column and row of the cursor. It is wrapped here, grapheme by
/// grapheme, so that the cursor is in the right place.
fn laid_out(form: &Form, columns: usize) -> (Vec<String>, (usize, usize)) {
    let (before, after) = form.input.parts();
    let mut lines = vec![String::new()];
    let mut cursor = (0, 0);
    for (number, part) in [before.as_str(), after.as_str()].into_iter().enumerate() {
        if number == 1 {
            cursor = (lines.last().map_or(0, |l| width(l)), lines.len() - 1);
        }
        for part in graphemes(part) {
            let shown = if part == "\t" { " ".to_owned() } else { steady(part) };
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
