//! Draws the dashboard: the first row, the panels, the right side, and the last row.
//!
//! A state and an area in, cells out. The state learns where things were drawn, so that it can interpret clicks. The
//! cost of a list depends on its visible part only.

use super::model::{App, Mode};
use super::overlay;
use super::panel::{Panel, Places, lines_of};
use super::theme::{self, DIM, Mark, STRONG, Theme, with_hits};
use super::{agents, leases, tasks, threads};
use crate::core::agent::Status;
use crate::core::span::age;
use crate::view::text::{cut, fit, width};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, theme: Theme, now_ms: u64) {
    app.brief(now_ms);
    app.note_dialog(now_ms);
    let places = Places::of(frame.area(), app.shape());
    app.places = places.clone();
    frame.render_widget(header(app, theme, usize::from(places.head.width), now_ms), places.head);
    for (panel, area) in &places.panels {
        draw_panel(frame, app, (*panel, *area), theme, now_ms);
    }
    if let Some(x) = places.divider {
        let line = "│\n".repeat(usize::from(places.foot.y.saturating_sub(1)));
        let area = Rect { x, y: 1, width: 1, height: places.foot.y.saturating_sub(1) };
        frame.render_widget(Paragraph::new(line).style(DIM), area.intersection(frame.area()));
    }
    if let Some(area) = places.right {
        draw_side(frame, app, area, theme, now_ms);
    }
    frame.render_widget(footer(app, theme, usize::from(places.foot.width)), places.foot);
    overlay::draw(frame, app, theme);
}

/// How many agents need the person, and how many are in which state; the most important first.
#[inline(never)]
fn header(app: &App, theme: Theme, columns: usize, now: u64) -> Line<'static> {
    let (shown, counts) = (&app.shown, app.shown.counts);
    let mut spans = vec![
        Span::styled(format!(" swarm ─ {} ", app.project()), STRONG.add_modifier(Modifier::REVERSED)),
        Span::raw(" "),
    ];
    if !shown.courier {
        spans.push(Span::styled("NO COURIER: nothing is delivered  ", theme.bad()));
    }
    if let Some(since) = shown.cut {
        spans.push(Span::styled(format!("CUT OFF from the team {}  ", age(since, now)), theme.bad()));
    }
    for (count, word, mark) in [
        (counts.needs, if counts.needs == 1 { "needs you" } else { "need you" }, Mark::Needs),
        (counts.busy, "busy", Mark::Busy),
        (counts.idle, "idle", Mark::Idle),
        (counts.other, "other", Mark::Other),
        (counts.unread, "unread", Mark::Mail),
        (counts.held, "held", Mark::Held),
        (counts.overdue, "overdue", Mark::Overdue),
        (shown.quarantined, "in quarantine", Mark::Dead),
    ] {
        if count > 0 {
            spans.push(Span::styled(format!("{}{count} {word}  ", theme.sign(mark)), theme.style(mark)));
        }
    }
    for other in app.projects.iter().filter(|p| p.root != shown.root && p.needs + p.unread > 0) {
        spans.push(Span::styled(format!("{} ", other.label), DIM));
        for (mark, count) in [(Mark::Needs, other.needs), (Mark::Mail, other.unread)] {
            if count > 0 {
                spans.push(Span::styled(format!("{}{count} ", theme.sign(mark)), theme.style(mark)));
            }
        }
        spans.push(Span::raw(" "));
    }
    if let Some(l) = shown.latency {
        let waited = if l.waited > 0 { format!(", {} of {} waited", l.waited, l.of) } else { String::new() };
        let text = format!("free agents get mail after {} (95 %: {}){waited}", time(l.p50), time(l.p95));
        let used: usize = spans.iter().map(Span::width).sum();
        if used + text.len() <= columns {
            spans.push(Span::styled(text, DIM));
        }
    }
    fit(spans, columns)
}

fn time(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { age(0, ms) }
}

/// The title row of a panel. If the panel is alone on the screen, the title names the others as well.
fn title(app: &App, panel: Panel, columns: usize, theme: Theme) -> Line<'static> {
    let named = |panel: Panel| {
        let (all, found) = (app.total(panel), app.rows[panel as usize].len());
        let count = if all == found { format!("{all}") } else { format!("{found} of {all}") };
        let more = if panel == Panel::Threads && app.shown.more { "+" } else { "" };
        format!(" {} {} {count}{more} ", panel as usize + 1, panel.title())
    };
    let focused = panel == app.panel && !app.side.focus;
    let mut spans = Vec::new();
    if app.places.panels.len() == 1 {
        for panel in Panel::ALL {
            spans.push(Span::styled(named(panel), if panel == app.panel { STRONG } else { DIM }));
        }
    } else {
        spans.push(Span::styled("─", DIM));
        spans.push(Span::styled(named(panel), if focused { STRONG } else { DIM }));
    }
    let marked = app.marked[panel as usize].len();
    if marked > 0 {
        spans.push(Span::styled(format!(" {marked} selected "), theme.style(Mark::Mail)));
    }
    let unread: usize = app.shown.threads.iter().map(|t| t.unread).sum();
    if panel == Panel::Threads && unread > 0 {
        spans.push(Span::styled(format!(" {}{unread} ", theme.sign(Mark::Mail)), theme.style(Mark::Mail)));
    }
    if !app.search.is_blank() {
        spans.push(Span::styled(format!(" /{} ", app.search.text()), theme.hit()));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let style = if focused { Style::new() } else { DIM };
    spans.push(Span::styled("─".repeat(columns.saturating_sub(used)), style));
    fit(spans, columns)
}

#[inline(never)]
fn draw_panel(frame: &mut Frame<'_>, app: &mut App, (panel, area): (Panel, Rect), theme: Theme, now_ms: u64) {
    if area.is_empty() {
        return;
    }
    let columns = usize::from(area.width);
    frame.render_widget(title(app, panel, columns, theme), Rect { height: 1, ..area });
    let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let each = lines_of(panel, area.width);
    let fits = usize::from((body.height / each).max(1));
    let count = app.rows[panel as usize].len();
    if count == 0 {
        let line = Line::styled(nothing(app, panel), DIM);
        return frame.render_widget(Paragraph::new(line).wrap(ratatui::widgets::Wrap { trim: true }), body);
    }
    let at = app.position(panel);
    let first = &mut app.first[panel as usize];
    if let Some(at) = at {
        *first = (*first).min(at).max((at + 1).saturating_sub(fits));
    }
    *first = (*first).min(count.saturating_sub(fits));
    let first = *first;
    let names = agents::names(&app.shown, columns);
    let marked = !app.marked[panel as usize].is_empty();
    let mut lines = Vec::new();
    for (number, row) in app.rows[panel as usize].iter().enumerate().skip(first).take(fits + 1) {
        let parts = match panel {
            Panel::Agents => vec![agents::row(&app.shown.agents[*row], names, theme, now_ms)],
            Panel::Threads => threads::row(&app.shown.threads[*row], each, theme, now_ms),
            Panel::Leases => vec![leases::row(&app.shown.leases[*row], theme, now_ms)],
            Panel::Tasks => vec![tasks::row(&app.shown.tasks[*row], &app.shown, theme)],
        };
        let selected = Some(number) == at && panel == app.panel;
        for (line, mut spans) in parts.into_iter().enumerate() {
            if marked {
                let is = line == 0 && app.marked[panel as usize].contains(app.id(panel, *row));
                spans.insert(0, Span::styled(if is { "+ " } else { "  " }, STRONG));
            }
            let line = theme::row(spans, columns, selected && !app.side.focus);
            let line = with_hits(line, &app.filter.words, theme);
            lines.push(if selected && app.side.focus { line.style(STRONG) } else { line });
        }
    }
    frame.render_widget(Paragraph::new(lines), body);
}

/// The text of an empty panel.
fn nothing(app: &App, panel: Panel) -> &'static str {
    match panel {
        _ if !app.search.is_blank() => "nothing was found (Esc ends the search)",
        Panel::Agents => "no agents yet: start one in a pane of this project, then `swarm discover`",
        Panel::Threads => "no messages yet: m writes to the selected agent",
        Panel::Leases => "no leases: nobody holds a file",
        Panel::Tasks => "no tasks: `swarm coord init` makes COORDINATION.md",
    }
}

/// The right side.
fn draw_side(frame: &mut Frame<'_>, app: &mut App, area: Rect, theme: Theme, now_ms: u64) {
    if area.is_empty() {
        return;
    }
    let mut body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if app.places.divider.is_some() {
        // A blank on each side, so that no text touches the line between the panels or the end of the screen.
        (body.x, body.width) = (area.x + 1, area.width.saturating_sub(2));
    }
    let (columns, height) = (body.width, usize::from(body.height));
    app.side.height = height;
    let mut lines = Vec::new();
    let mut name = String::new();
    match app.panel {
        Panel::Agents => {
            if let Some(gone) = app.gone() {
                (name, lines) = (gone.to_owned(), vec![Line::raw(app.nobody_here())]);
            } else if let Some(agent) = app.agent() {
                let seen = app.seen_of(agent);
                name = agents::title(agent, &app.shown.groups, seen, now_ms);
                let (mut told, pane) = agents::detail(agent, &app.shown, seen, theme, columns, now_ms);
                told.truncate(height / 2);
                if !told.is_empty() {
                    told.push(Line::styled("─".repeat(usize::from(columns)), DIM));
                }
                // The lower part of a pane is shown, where its composer is.
                let room = height.saturating_sub(told.len());
                let back = app.side.from.min(pane.len().saturating_sub(room));
                let end = pane.len() - back;
                app.side.lines = pane.len() + height - room;
                app.side.from = back;
                lines = told;
                lines.extend_from_slice(&pane[end.saturating_sub(room)..end]);
            }
        }
        Panel::Threads => {
            if let (Some(thread), Some(message)) = (app.thread(), app.message()) {
                name = threads::title(thread);
                let (id, focus) = (message.id.clone(), app.side.focus);
                let talk = threads::talk(thread, &id, focus, theme, columns, now_ms);
                let side = &mut app.side;
                side.lines = talk.lines.len();
                let (begin, end) = talk.selected;
                if std::mem::take(&mut side.settle) {
                    // A long message is shown from its beginning.
                    side.from = side.from.max(end.saturating_sub(height)).min(begin);
                }
                side.from = side.from.min(side.lines.saturating_sub(height));
                (side.picked, side.begins) = (talk.selected, talk.begins);
                lines = talk.lines.into_iter().skip(side.from).take(height).collect();
            }
        }
        Panel::Leases | Panel::Tasks => {
            let all = match app.panel {
                Panel::Leases => app.lease().map(|lease| {
                    let title = lease.paths.join(", ");
                    (title, leases::detail(lease, &app.shown, theme, columns, now_ms))
                }),
                _ => app
                    .task()
                    .map(|task| (task.text.clone(), tasks::detail(task, &app.shown, theme, columns, now_ms))),
            };
            if let Some((title, all)) = all {
                name = title;
                app.side.lines = all.len();
                app.side.from = app.side.from.min(all.len().saturating_sub(height));
                lines = all.into_iter().skip(app.side.from).take(height).collect();
            }
        }
    }
    let style = if app.side.focus { STRONG } else { DIM };
    let wide = usize::from(area.width);
    let name = cut(&name, wide.saturating_sub(4));
    let rule = "─".repeat(wide.saturating_sub(width(&name) + 3));
    let title =
        vec![Span::styled("─", DIM), Span::styled(format!(" {name} "), style), Span::styled(rule, DIM)];
    frame.render_widget(fit(title, wide), Rect { height: 1, ..area });
    let lines: Vec<Line<'_>> = match app.panel {
        // The text of an agent's pane is not searched.
        Panel::Agents => lines,
        _ => lines.into_iter().map(|line| with_hits(line, &app.filter.words, theme)).collect(),
    };
    frame.render_widget(Paragraph::new(lines), body);
}

/// The running commands, the last outcome, or the keys.
fn footer(app: &App, theme: Theme, columns: usize) -> Line<'static> {
    if let (Some((text, failed)), Mode::Panels | Mode::Form(_)) = (&app.told, &app.mode) {
        let style = if *failed { theme.bad() } else { STRONG };
        return Line::styled(cut(&format!(" {}", crate::core::escape::line(text)), columns), style);
    }
    if !app.running.is_empty() {
        return Line::styled(cut(&format!(" {} …", app.running.join(", ")), columns), DIM);
    }
    let asks = app.panel == Panel::Agents && app.agent().is_some_and(|row| row.status == Status::Dialog);
    Line::styled(app.keymap.footer(app.panel, app.side.focus, asks, columns), DIM)
}
