//! The panel of tasks: the lines of the coordination document, and the agents that work on them.

use super::snapshot::{AgentRow, LeaseRow, Snapshot, TaskRow};
use super::theme::{DIM, Mark, PLAIN, STRONG, Theme};
use crate::core::coord::Document;
use crate::core::order;
use crate::core::span::age;
use crate::view::text::{flat, pad};
use crate::view::wrap;
use ratatui::text::{Line, Span};

/// The most lines that are shown.
const MOST: usize = 1000;

/// The rows of tables and the items of lists in the document, in its order.
pub(super) fn read(text: &str) -> Vec<TaskRow> {
    let document = Document::parse(text);
    let mut rows = Vec::new();
    for section in &document.sections {
        let title = said(&section.title);
        let mut part = Vec::new();
        for table in &section.tables {
            let heads: Vec<String> = table.head.iter().map(|head| said(head)).collect();
            for row in &table.rows {
                let cells: Vec<(String, String)> =
                    (heads.iter().cloned()).zip(row.cells.iter().map(|cell| said(cell))).collect();
                let filled: Vec<&str> =
                    cells.iter().map(|c| c.1.as_str()).filter(|c| !c.is_empty()).collect();
                let text = filled.join(" · ");
                part.push(TaskRow {
                    id: row.line.to_string(),
                    line: row.line,
                    section: title.clone(),
                    text,
                    done: None,
                    cells,
                });
            }
        }
        for item in section.lists.iter().flat_map(|list| &list.items) {
            let done = item.task.as_ref().map(|(_, ticked)| *ticked);
            let (text, section) = (said(&item.text), title.clone());
            part.push(TaskRow {
                id: item.line.to_string(),
                line: item.line,
                section,
                text,
                done,
                cells: Vec::new(),
            });
        }
        order::sort_by_key(&mut part, |row| row.line);
        rows.extend(part);
        if rows.len() >= MOST {
            rows.truncate(MOST);
            break;
        }
    }
    rows
}

/// The text of a part of the document, on one line, without comments, which are invisible in the rendered document.
fn said(text: &str) -> String {
    let (mut said, mut rest) = (String::new(), text);
    while let Some((before, comment)) = rest.split_once("<!--") {
        said.push_str(before);
        // A comment without an end reaches to the end of the text.
        rest = comment.split_once("-->").map_or("", |(_, behind)| behind);
    }
    flat(&(said + rest)).trim().to_owned()
}

/// The agents that a task names.
pub(super) fn workers<'a>(task: &TaskRow, shown: &'a Snapshot) -> Vec<&'a AgentRow> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let names = |agent: &&AgentRow| task.text.split(|c| !is_part(c)).any(|word| word == agent.name);
    shown.agents.iter().filter(names).collect()
}

/// A row of the panel.
pub(super) fn row(task: &TaskRow, shown: &Snapshot, theme: Theme) -> Vec<Span<'static>> {
    let (sign, style) = match task.done {
        Some(true) => ("[x] ", DIM),
        Some(false) => ("[ ] ", PLAIN),
        None => ("", PLAIN),
    };
    let mut spans = Vec::new();
    if let Some(agent) = workers(task, shown).first() {
        spans.push(theme.mark(Mark::of(agent)));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::raw(sign));
    spans.push(Span::styled(task.text.clone(), style));
    spans.push(Span::styled(format!("  {}", task.section), DIM));
    spans
}

/// The right side.
#[inline(never)]
pub(super) fn detail(
    task: &TaskRow,
    shown: &Snapshot,
    theme: Theme,
    width: u16,
    now: u64,
) -> Vec<Line<'static>> {
    let mut lines = vec![
        Line::styled(format!("{} · COORDINATION.md line {}", task.section, task.line), DIM),
        Line::default(),
    ];
    let said = match task.done {
        Some(done) => format!("{} {}", if done { "[x]" } else { "[ ]" }, task.text),
        None => task.text.clone(),
    };
    if task.cells.is_empty() {
        lines.extend(wrap::rows(&said, width).into_iter().map(Line::raw));
    }
    let heads = task.cells.iter().map(|(head, _)| crate::view::text::width(head)).max().unwrap_or_default();
    for (head, cell) in &task.cells {
        let head = pad(head, heads.min(16));
        let room = width.saturating_sub(u16::try_from(heads.min(16)).unwrap_or(16) + 2);
        for (number, part) in wrap::rows(cell, room).into_iter().enumerate() {
            let head = if number == 0 { head.clone() } else { pad("", heads.min(16)) };
            lines.push(Line::from(vec![Span::styled(head, DIM), Span::raw("  "), Span::raw(part)]));
        }
    }
    lines.push(Line::default());
    let workers = workers(task, shown);
    if workers.is_empty() {
        lines.push(Line::styled("no living agent is named in it", DIM));
    }
    for agent in workers {
        lines.push(Line::from(vec![
            theme.mark(Mark::of(agent)),
            Span::styled(format!(" {}", agent.name), STRONG),
            Span::raw(format!(" {} {}", agent.status.word(), age(agent.since, now))),
        ]));
        let of_agent = |lease: &&LeaseRow| lease.holder == agent.name;
        for lease in shown.leases.iter().filter(of_agent) {
            let verb = if lease.waits { "waits for" } else { "holds" };
            let text = format!("{verb} {} ({})", lease.paths.join(", "), lease.state);
            lines.extend(
                wrap::rows(&text, width.saturating_sub(2)).into_iter().map(|l| Line::raw(format!("  {l}"))),
            );
        }
    }
    lines
}
