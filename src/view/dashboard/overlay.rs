//! Draws the views over the panels: a form, a page, the commands, a question, the search.

use super::dialog;
use super::keymap::Keymap;
use super::model::{App, Mode};
use super::snapshot::ProjectRow;
use super::theme::{self, Mark, STRONG, Theme};
use crate::core::escape;
use crate::core::plural::plural;
use crate::view::input::Input;
use crate::view::text::{self, pad};
use crate::view::{form_view, wrap};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

/// Draws the open view.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, theme: Theme) {
    let foot = app.places.foot;
    match &mut app.mode {
        Mode::Panels => {}
        Mode::Search => typed(frame, foot, " /", &app.search),
        Mode::Form(form) => {
            // Above the last row, which shows the outcome; beside the panels if there is room.
            let whole = app.places.right.filter(|_| app.places.divider.is_some()).unwrap_or(frame.area());
            let area = Rect { height: foot.y.saturating_sub(whole.y), ..whole };
            form_view::draw(frame, form, if area.height < 5 { frame.area() } else { area });
        }
        Mode::Confirm { question, .. } => confirm(frame, question, theme),
        Mode::Page(pager) => {
            frame.render_widget(Clear, frame.area());
            pager.draw(frame, None);
        }
        Mode::Dialog(dialog) => dialog::draw(frame, dialog, &app.seen, app.told.as_ref(), theme),
        Mode::Projects { rows, at } => projects(frame, rows, *at, theme),
        Mode::Commands { input, at } => commands(frame, input, *at, &app.keymap),
    }
}

/// A question in the last rows, as many as it needs.
fn confirm(frame: &mut Frame<'_>, question: &str, theme: Theme) {
    let area = frame.area();
    let text = format!(" {}  y: yes  n: no", escape::line(question));
    let rows = wrap::rows(&text, area.width);
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX).min(area.height);
    let place = Rect { y: area.bottom() - height, height, ..area };
    frame.render_widget(Clear, place);
    let lines: Vec<Line<'_>> = rows.into_iter().map(|row| Line::styled(row, theme.bad())).collect();
    frame.render_widget(Paragraph::new(lines), place);
}

/// A line that is being typed, with its cursor.
fn typed(frame: &mut Frame<'_>, area: Rect, sign: &str, input: &Input) {
    let (before, after) = input.parts();
    let line =
        Line::from(vec![Span::styled(sign.to_owned(), STRONG), Span::raw(before.clone()), Span::raw(after)]);
    frame.render_widget(Clear, area);
    frame.render_widget(line, area);
    let column = Line::raw(format!("{sign}{before}")).width();
    let column = u16::try_from(column).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    frame.set_cursor_position((area.x + column, area.y));
}

/// The projects on the tmux server.
fn projects(frame: &mut Frame<'_>, projects: &[ProjectRow], at: usize, theme: Theme) {
    let rows = u16::try_from(projects.len()).unwrap_or(u16::MAX).saturating_add(2);
    let list = framed(frame, " Projects ", " Enter shows it  Esc closes ", rows);
    let first = (at + 1).saturating_sub(usize::from(list.height));
    let names = projects.iter().map(|p| text::width(&p.label)).max().unwrap_or_default().min(30);
    let line = |(number, project): (usize, &ProjectRow)| {
        let mut spans = vec![Span::raw(format!("{} {}  ", number + 1, pad(&project.label, names)))];
        spans.push(Span::raw(format!("{}  ", plural(project.agents, "agent"))));
        for (mark, count) in [(Mark::Needs, project.needs), (Mark::Mail, project.unread)] {
            if count > 0 {
                spans.push(Span::styled(format!("{}{count}  ", theme.sign(mark)), theme.style(mark)));
            }
        }
        spans.push(Span::styled(escape::short(&project.root.display().to_string(), 200), theme::DIM));
        theme::row(spans, usize::from(list.width), number == at)
    };
    let lines: Vec<Line<'_>> = projects.iter().enumerate().skip(first).map(line).collect();
    frame.render_widget(Paragraph::new(lines), list);
}

/// A frame in the middle, as high as its rows need; returns its inner area.
fn framed(frame: &mut Frame<'_>, title: &'static str, hint: &'static str, rows: u16) -> Rect {
    let whole = frame.area();
    let (width, height) = (whole.width.min(84), whole.height.min(rows));
    let x = whole.x + (whole.width - width) / 2;
    let y = whole.y + (whole.height - height) / 3;
    let area = Rect { x, y, width, height };
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(title).title_bottom(hint);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

/// The list of commands, in the middle.
fn commands(frame: &mut Frame<'_>, input: &Input, at: usize, keymap: &Keymap) {
    let inner = framed(frame, " Commands ", " Enter does it  Esc closes  arrows: more ", 24);
    if inner.height < 2 {
        return;
    }
    let list = Rect { y: inner.y + 1, height: inner.height - 1, ..inner };
    let found = App::found(input);
    let first = (at + 1).saturating_sub(usize::from(list.height));
    let mut lines = Vec::new();
    for (number, row) in found.iter().enumerate().skip(first).take(usize::from(list.height)) {
        let spans = vec![
            Span::styled(pad(&keymap.names(row.command).join(" "), 9), STRONG),
            Span::styled(format!("{} ", pad(row.name, 14)), STRONG),
            Span::raw(row.effect),
        ];
        lines.push(theme::row(spans, usize::from(list.width), number == at));
    }
    if lines.is_empty() {
        lines.push(Line::styled("no command fits", theme::DIM));
    }
    frame.render_widget(Paragraph::new(lines), list);
    typed(frame, Rect { height: 1, ..inner }, ":", input);
}
