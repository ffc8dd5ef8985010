//! How the dashboard looks.
//!
//! Pure: a state and an area in, cells out. It uses the terminal's own colours, so it is readable on light and on
//! dark backgrounds. Without colours, bold and reversed text show the same. Columns that do not fit are left out, the
//! least needed first.

use super::app::{App, Mode, Tab};
use super::form::Form;
use super::input::JOINER;
use super::keys::{self, Focus};
use super::snapshot::{AgentRow, MailState, Snapshot};
use super::wrap;
use crate::core::agent::Status;
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::span::age;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, TableState, Wrap};

/// From this width on all columns are shown.
const WIDE: u16 = 78;

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) colour: bool,
}

impl Palette {
    fn fg(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    fn status(self, status: Status) -> Style {
        match status {
            Status::Dialog => self.fg(Color::Red).add_modifier(Modifier::BOLD),
            Status::Busy => self.fg(Color::Yellow),
            Status::Idle => self.fg(Color::Green),
            Status::Overlay | Status::Draft | Status::Unknown => Style::new().add_modifier(Modifier::DIM),
        }
    }

    fn mail(self, state: MailState) -> Style {
        match state {
            MailState::Unread => self.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            MailState::At(Stage::Held) | MailState::Overdue => self.fg(Color::Magenta),
            MailState::At(Stage::Failed) | MailState::Dead => self.fg(Color::Red),
            MailState::At(Stage::Queued | Stage::Typing | Stage::Entering | Stage::Typed)
            | MailState::Ack => self.fg(Color::Yellow),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
    }
}

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &App, palette: Palette, now_ms: u64) {
    let agents = u16::try_from(app.shown.agents.len().max(1)).unwrap_or(u16::MAX);
    let height = frame.area().height;
    // Half for the agents at most, and always some rows for the list.
    let top = agents.saturating_add(3).min((height.saturating_sub(2) / 2).max(4));
    let [head, upper, lower, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(top),
        Constraint::Min(3),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(&app.shown, palette, head.width), head);
    draw_agents(frame, app, palette, now_ms, upper);
    draw_list(frame, app, palette, now_ms, lower);
    frame.render_widget(footer(app, palette), foot);
    match &app.mode {
        Mode::Lists => {}
        Mode::Filter => draw_filter(frame, app, foot),
        Mode::Form(form) => draw_form(frame, form),
        Mode::Confirm { question, .. } => {
            let text = format!("{}\n\ny: yes    n: no", escape::line(question));
            page(frame, "Are you sure?", &text, 0, 60, 7);
        }
        Mode::Page { title, text, scroll } => {
            page(frame, &format!("{title} (q closes)"), text, *scroll, u16::MAX, u16::MAX);
        }
        Mode::Preview { agent, hooks, lines } => {
            let width = usize::from(frame.area().width.saturating_sub(2)).max(1);
            let told: Vec<char> = hooks.chars().collect();
            let mut text: Vec<String> = told.chunks(width).map(|row| row.iter().collect()).collect();
            // The lower part of a pane is where its composer is.
            let rows = usize::from(frame.area().height.saturating_sub(4)).saturating_sub(text.len());
            let from = lines.len().saturating_sub(rows);
            text.extend_from_slice(lines.get(from..).unwrap_or_default());
            let text = text.join("\n");
            draw_page(frame, &format!("{agent} (g goes there, q closes)"), &text, 0, frame.area(), false);
        }
    }
}

fn header(shown: &Snapshot, palette: Palette, width: u16) -> Line<'_> {
    let counts = shown.counts;
    let mut spans = vec![Span::styled(" swarm ", STRONG.add_modifier(Modifier::REVERSED)), Span::raw(" ")];
    for (count, word, style) in [
        (counts.needs, "need you", palette.status(Status::Dialog)),
        (counts.busy, "busy", palette.status(Status::Busy)),
        (counts.idle, "idle", palette.status(Status::Idle)),
        (counts.other, "other", DIM),
        (counts.unread, "unread", palette.mail(MailState::Unread)),
        (counts.held, "held", palette.mail(MailState::At(Stage::Held))),
        (counts.overdue, "overdue", palette.mail(MailState::Overdue)),
        (shown.quarantined, "in quarantine", palette.mail(MailState::At(Stage::Failed))),
    ] {
        if count > 0 {
            spans.push(Span::styled(format!("{count} {word}"), style));
            spans.push(Span::raw("  "));
        }
    }
    if !shown.courier {
        spans.push(Span::styled(
            "NO COURIER: nothing is delivered  ",
            palette.mail(MailState::At(Stage::Failed)),
        ));
    }
    if width >= WIDE {
        if let Some(l) = shown.latency {
            spans.push(Span::styled(format!("submitted p50 {} p95 {}  ", time(l.p50), time(l.p95)), DIM));
        }
        spans.push(Span::styled(shown.project.as_str(), DIM));
    }
    Line::from(spans)
}

fn time(ms: u64) -> String {
    if ms < 10_000 { format!("{ms} ms") } else { age(0, ms) }
}

fn draw_agents(frame: &mut Frame<'_>, app: &App, palette: Palette, now_ms: u64, area: Rect) {
    let wide = area.width >= WIDE;
    let row = |a: &AgentRow| {
        let mut cells = vec![Cell::from(a.name.clone())];
        if wide {
            cells.push(Cell::from(a.kind.clone()).style(DIM));
        }
        cells.extend([
            Cell::from(a.status.word()).style(palette.status(a.status)),
            Cell::from(age(a.since, now_ms)),
            Cell::from(number(a.unread)),
            Cell::from(number(a.leases)),
            Cell::from(a.why.clone()).style(palette.mail(MailState::At(Stage::Held))),
        ]);
        Row::new(cells)
    };
    let mut names = vec!["AGENT"];
    let mut widths = vec![Constraint::Length(if wide { 18 } else { 14 })];
    if wide {
        names.push("KIND");
        widths.push(Constraint::Length(8));
    }
    names.extend(["STATE", "FOR", "MAIL", "LEASES", "MAIL WAITS BECAUSE"]);
    widths.extend([
        Constraint::Length(7),
        Constraint::Length(4),
        Constraint::Length(4),
        Constraint::Length(6),
        Constraint::Fill(1),
    ]);
    let selected = app.shown.agents.iter().position(|a| a.name == app.agent);
    let rows: Vec<Row<'_>> = app.shown.agents.iter().map(row).collect();
    if rows.is_empty() {
        let text = "No agents yet: start one in a pane of this project, then `swarm discover`.";
        return frame.render_widget(
            Paragraph::new(text).wrap(Wrap { trim: true }).block(block("Agents", app.on_agents)),
            area,
        );
    }
    let title = format!("Agents ({})", rows.len());
    table(frame, area, rows, (&names, widths), block(&title, app.on_agents), (selected, app.on_agents));
}

fn draw_list(frame: &mut Frame<'_>, app: &App, palette: Palette, now_ms: u64, area: Rect) {
    let shown = &app.shown;
    let totals = [shown.messages.len(), shown.leases.len(), shown.waiting.len()];
    let mut title = Vec::new();
    for (index, tab) in Tab::ALL.into_iter().enumerate() {
        let text = format!(" {} {} ({}) ", index + 1, tab.title(), totals[index]);
        title.push(Span::styled(text, if tab == app.tab { STRONG } else { DIM }));
    }
    if !app.filter.is_blank() {
        title.push(Span::styled(format!(" /{} ", app.filter.text()), palette.mail(MailState::Unread)));
    }
    let focused = !app.on_agents;
    let edge = if focused { Style::new() } else { DIM };
    let block = Block::new().borders(Borders::TOP).border_style(edge).title(Line::from(title));
    let (names, widths, rows) = match app.tab {
        Tab::Messages => messages(app, palette, now_ms, area.width),
        Tab::Leases => leases(app, palette, now_ms, area.width),
        Tab::Waiting => waiting(app, palette, now_ms, area.width),
    };
    if rows.is_empty() {
        let text = match app.tab {
            _ if !app.filter.is_blank() => "Nothing fits the filter (Esc clears it).",
            Tab::Messages => "No messages yet: m writes to the selected agent.",
            Tab::Leases => "No leases: nobody holds a file.",
            Tab::Waiting => "Nothing waits.",
        };
        return frame.render_widget(Paragraph::new(text).style(DIM).block(block), area);
    }
    let selected = app.ids(now_ms).iter().position(|id| *id == app.rows[app.tab as usize]);
    table(frame, area, rows, (&names, widths), block, (selected, focused));
}

type Columns<'a> = (Vec<&'static str>, Vec<Constraint>, Vec<Row<'a>>);

fn messages(app: &App, palette: Palette, now_ms: u64, width: u16) -> Columns<'static> {
    let wide = width >= WIDE;
    let rows = app.messages(now_ms).into_iter().map(|m| {
        let mut cells = vec![
            Cell::from(age(m.at, now_ms)),
            Cell::from(format!("{} → {}", m.from, m.to)).style(if m.mine { STRONG } else { Style::new() }),
        ];
        if wide {
            cells.push(Cell::from(m.kind).style(if m.urgent { STRONG } else { DIM }));
        }
        cells.push(Cell::from(m.stage.word()).style(palette.mail(m.stage)));
        cells.push(Cell::from(m.preview.clone()));
        Row::new(cells)
    });
    let mut names = vec!["AGE", "FROM → TO"];
    let mut widths = vec![Constraint::Length(4), Constraint::Length(if wide { 22 } else { 18 })];
    if wide {
        names.push("TYPE");
        widths.push(Constraint::Length(10));
    }
    names.extend(["STATE", "TEXT"]);
    widths.extend([Constraint::Length(9), Constraint::Fill(1)]);
    (names, widths, rows.collect())
}

fn leases(app: &App, palette: Palette, now_ms: u64, width: u16) -> Columns<'static> {
    let wide = width >= WIDE;
    let rows = app.leases(now_ms).into_iter().map(|l| {
        let state = if l.waits { palette.mail(MailState::At(Stage::Queued)) } else { Style::new() };
        let mut cells = vec![Cell::from(l.holder.clone()), Cell::from(l.state.clone()).style(state)];
        if wide {
            cells.push(Cell::from(l.mode).style(DIM));
            cells.push(Cell::from(age(l.since, now_ms)));
        }
        cells.push(Cell::from(l.paths.clone()));
        if wide {
            cells.push(Cell::from(l.reason.clone()).style(DIM));
        }
        Row::new(cells)
    });
    let mut names = vec!["HOLDER", "STATE"];
    let mut widths = vec![Constraint::Length(14), Constraint::Length(12)];
    if wide {
        names.extend(["MODE", "AGE"]);
        widths.extend([Constraint::Length(9), Constraint::Length(4)]);
    }
    names.push("PATHS");
    widths.push(Constraint::Fill(2));
    if wide {
        names.push("REASON");
        widths.push(Constraint::Fill(1));
    }
    (names, widths, rows.collect())
}

fn waiting(app: &App, palette: Palette, now_ms: u64, width: u16) -> Columns<'static> {
    let rows = app.waiting(now_ms).into_iter().map(|w| {
        Row::new(vec![
            Cell::from(w.what.word()).style(palette.mail(w.what)),
            Cell::from(age(w.since, now_ms)),
            Cell::from(format!("{} → {}", w.from, w.to)),
            Cell::from(w.why.clone()),
            Cell::from(w.preview.clone()).style(DIM),
        ])
    });
    let names = vec!["WHAT", "FOR", "FROM → TO", "WHY", "TEXT"];
    let people = if width >= WIDE { 22 } else { 16 };
    let widths = vec![
        Constraint::Length(7),
        Constraint::Length(4),
        Constraint::Length(people),
        Constraint::Fill(2),
        Constraint::Fill(if width >= WIDE { 2 } else { 0 }),
    ];
    (names, widths, rows.collect())
}

fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    rows: Vec<Row<'_>>,
    (names, widths): (&[&'static str], Vec<Constraint>),
    block: Block<'_>,
    (selected, focused): (Option<usize>, bool),
) {
    let header = Row::new(names.iter().map(|n| Cell::from(*n))).style(DIM);
    let highlight = if focused { Modifier::REVERSED } else { Modifier::UNDERLINED };
    let table = Table::new(rows, widths)
        .header(header)
        .block(block)
        .row_highlight_style(Style::new().add_modifier(highlight));
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(selected));
}

fn block(title: &str, focused: bool) -> Block<'static> {
    let style = if focused { STRONG } else { DIM };
    let edge = if focused { Style::new() } else { DIM };
    let title = Span::styled(format!(" {title} "), style);
    Block::new().borders(Borders::TOP).border_style(edge).title(title)
}

fn number(n: usize) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

fn footer(app: &App, palette: Palette) -> Line<'static> {
    if !app.running.is_empty() {
        return Line::styled(format!(" {} …", escape::short(&app.running.join(", "), 100)), DIM);
    }
    if let Some((text, failed)) = &app.told {
        let style = if *failed { palette.fg(Color::Red) } else { STRONG };
        return Line::styled(format!(" {}", escape::short(text, 300)), style);
    }
    let focus = if app.on_agents { Focus::Agents } else { Focus::Below(app.tab) };
    Line::styled(keys::footer(focus), DIM)
}

fn draw_filter(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let (before, after) = app.filter.parts();
    let line = Line::from(vec![Span::styled(" /", STRONG), Span::raw(before.clone()), Span::raw(after)]);
    frame.render_widget(Clear, area);
    let column = 2 + u16::try_from(Line::raw(before).width()).unwrap_or(u16::MAX);
    frame.render_widget(line, area);
    frame.set_cursor_position((area.x + column.min(area.width.saturating_sub(1)), area.y));
}

/// The form, at the bottom, as high as its text needs.
fn draw_form(frame: &mut Frame<'_>, form: &Form) {
    let whole = frame.area();
    let inner = usize::from(whole.width.saturating_sub(4).max(1));
    let (before, after) = form.input.parts();
    // Wrapped here, character by character, so that the cursor is where the text says.
    let mut lines: Vec<String> = vec![String::new()];
    let mut cursor = (0, 0);
    for (index, c) in before.chars().chain(after.chars()).enumerate() {
        if index == before.chars().count() {
            cursor = place(&lines);
        }
        let shown = if c == '\t' { ' ' } else { c };
        let line = lines.last().map_or(0, |l| Line::raw(l.as_str()).width());
        if c == '\n' || line + Line::raw(shown.to_string()).width() > inner {
            lines.push(String::new());
        }
        if !matches!(c, '\n' | JOINER)
            && let Some(last) = lines.last_mut()
        {
            last.push(shown);
        }
    }
    if after.is_empty() {
        cursor = place(&lines);
    }
    let rows = lines.len().max(if form.is_message() { 3 } else { 1 });
    let rows = rows.min(usize::from((whole.height / 2).max(1)));
    let height = u16::try_from(rows + 3).unwrap_or(u16::MAX).min(whole.height);
    let area = Rect { y: whole.bottom() - height, height, ..whole };
    // What is not written into is two borders.
    let rows = usize::from(height.saturating_sub(2)).max(1);
    let first = (cursor.1 + 1).saturating_sub(rows);
    let mut hint = " Enter sends  Esc leaves ".to_owned();
    if form.is_message() {
        hint.push_str(" Alt-Enter: new line  ^G: editor ");
    }
    if form.has_choices() {
        let ack = if form.ack { "wanted" } else { "no" };
        hint.push_str(&format!(" {} (^T)  ack: {ack} (^A) ", form.kind.word()));
    }
    let title = Span::styled(format!(" {} ", escape::short(&form.title(), 60)), STRONG);
    let block = Block::bordered().title(title).title_bottom(Line::styled(hint, DIM));
    let visible: Vec<Line<'_>> = lines.iter().skip(first).map(|l| Line::raw(format!(" {l}"))).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(visible).block(block), area);
    let x = area.x + 2 + u16::try_from(cursor.0).unwrap_or(u16::MAX);
    let y = area.y + 1 + u16::try_from(cursor.1 - first).unwrap_or(u16::MAX);
    frame.set_cursor_position((x.min(area.right() - 1), y.min(area.bottom() - 1)));
}

/// A form by itself, with what is to be said above it.
pub(super) fn writing(frame: &mut Frame<'_>, form: &Form, said: &str, failed: bool) {
    let area = frame.area();
    let rows = wrap::rows(said, area.width).into_iter().map(Line::raw).collect::<Vec<_>>();
    frame.render_widget(Paragraph::new(rows).style(if failed { STRONG } else { DIM }), area);
    draw_form(frame, form);
}

/// Column and line behind the last character.
fn place(lines: &[String]) -> (usize, usize) {
    (lines.last().map_or(0, |l| Line::raw(l.as_str()).width()), lines.len() - 1)
}

fn page(frame: &mut Frame<'_>, title: &str, text: &str, scroll: u16, width: u16, height: u16) {
    let whole = frame.area();
    let (width, height) = (width.min(whole.width), height.min(whole.height));
    let x = whole.x + (whole.width - width) / 2;
    let y = whole.y + (whole.height - height) / 2;
    draw_page(frame, title, text, scroll, Rect { x, y, width, height }, true);
}

fn draw_page(frame: &mut Frame<'_>, title: &str, text: &str, scroll: u16, area: Rect, wrap: bool) {
    let title = Span::styled(format!(" {} ", escape::short(title, 80)), STRONG);
    let mut paragraph = Paragraph::new(text).scroll((scroll, 0)).block(Block::bordered().title(title));
    if wrap {
        paragraph = paragraph.wrap(Wrap { trim: false });
    }
    frame.render_widget(Clear, area);
    frame.render_widget(paragraph, area);
}
