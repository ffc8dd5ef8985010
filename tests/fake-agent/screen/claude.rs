//! The screen of Claude Code: a text on the main screen that ends with the composer between two rules.
//! The terminal's cursor is hidden; the cursor seen is a reverse cell.

use super::{Frame, Pane};
use crate::agent::Entry;
use crate::text::{Line, rule, wrap};

const GRAY: &str = "38;5;246";
const PINK: &str = "38;5;174";
const BLUE: &str = "38;5;153";

pub(super) fn title(pane: &Pane<'_>) -> String {
    // A dialog does not show in the title.
    let mark =
        if pane.busy().is_some() && pane.agent.dialog.is_none() { pane.spin(&["⠂", "⠐"]) } else { "✳" };
    format!("{mark} Claude Code")
}

pub(super) fn frame(pane: &Pane<'_>) -> Frame {
    let mut rows = header(pane);
    for entry in pane.entries() {
        self::entry(pane, entry, &mut rows);
    }
    if let Some(command) = &pane.agent.dialog {
        let y = dialog(pane, command, &mut rows);
        return pane.flow(rows, (1, y), false, title(pane));
    }
    if let Some(turn) = &pane.agent.turn {
        if let Some(command) = turn.running_command() {
            tool(pane, command, "Running…", &mut rows);
        }
        let star = pane.spin(&["·", "✢", "✳", "✶", "✻", "✽", "✻", "✶"]);
        rows.push(pane.row().put(PINK, &format!("{star} Hashing…")).end());
        rows.push(
            pane.line(GRAY, "  ⎿ \u{a0}Tip: Ask Claude to create a todo list when working on complex tasks"),
        );
        rows.push(Pane::blank());
    }
    let (x, y) = composer(pane, &mut rows);
    pane.flow(rows, (x, y), false, title(pane))
}

fn header(pane: &Pane<'_>) -> Vec<Line> {
    let name = pane.row().put(PINK, " ▐▛███▜▌").put("", "   ").put("1", "Claude Code").put(GRAY, " v2.1.197");
    vec![
        name.end(),
        pane.row().put(PINK, "▝▜█████▛▘").put(GRAY, "  Opus 4.8 (1M context) · API Usage Billing").end(),
        pane.row().put(PINK, "  ▘▘ ▝▝").put(GRAY, &format!("    {}", pane.directory)).end(),
        Pane::blank(),
        Pane::blank(),
    ]
}

fn entry(pane: &Pane<'_>, entry: &Entry, rows: &mut Vec<Line>) {
    match entry {
        Entry::User(text) => {
            for (n, part) in wrap(text, pane.width.saturating_sub(4)).iter().enumerate() {
                let mark = if n == 0 { "❯ " } else { "  " };
                rows.push(
                    pane.row()
                        .put("38;5;239;48;5;237", mark)
                        .put("38;5;231;48;5;237", &format!("{part} "))
                        .end(),
                );
            }
        }
        Entry::Tool { command, output, code } => {
            let text = if *code == 0 { output.clone() } else { format!("Error: Exit code {code}\n{output}") };
            return tool(pane, command, &text, rows);
        }
        Entry::Interrupted { command } => {
            return tool(pane, command, "Interrupted · What should Claude do instead?", rows);
        }
        Entry::Reply { seconds } => {
            rows.push(pane.row().put("38;5;231", "●").put("", " MOCK-REPLY ok").end());
            rows.push(Pane::blank());
            rows.push(pane.line(GRAY, &format!("✻ Brewed for {seconds}s")));
        }
    }
    rows.push(Pane::blank());
}

fn tool(pane: &Pane<'_>, command: &str, output: &str, rows: &mut Vec<Line>) {
    let head = command.lines().next().unwrap_or("");
    rows.push(pane.row().put(GRAY, "● ").put("1", "Bash").put("", &format!("({head})")).end());
    for (n, part) in Pane::output(output, pane.width.saturating_sub(6)).iter().enumerate() {
        let lead = if n == 0 { "  ⎿ \u{a0}" } else { "     " };
        rows.push(pane.line(GRAY, &format!("{lead}{part}")));
    }
    rows.push(Pane::blank());
}

/// The row of the preselected answer.
fn dialog(pane: &Pane<'_>, command: &str, rows: &mut Vec<Line>) -> usize {
    tool(pane, command, "Waiting…", rows);
    rows.push(rule(pane.width, BLUE, "─"));
    rows.push(pane.line("1;38;5;153", " Bash command"));
    rows.push(Pane::blank());
    rows.push(pane.line("", &format!("   {command}")));
    rows.push(pane.line(GRAY, "   Create a file"));
    rows.push(Pane::blank());
    rows.push(pane.line("", " Do you want to proceed?"));
    let y = rows.len();
    rows.push(pane.row().put(BLUE, " ❯ ").put(GRAY, "1. ").put(BLUE, "Yes").end());
    let second = pane.row().put("", "   ").put(GRAY, "2. ").put("", "Yes, and always allow access to ");
    rows.push(second.put("1", &pane.project).put("", "/ from this project").end());
    rows.push(pane.row().put("", "   ").put(GRAY, "3. ").put("", "No").end());
    rows.push(Pane::blank());
    rows.push(pane.line(GRAY, " Esc to cancel · Tab to amend · ctrl+e to explain"));
    y
}

/// Where the cursor is.
fn composer(pane: &Pane<'_>, rows: &mut Vec<Line>) -> (usize, usize) {
    let busy = pane.busy().is_some();
    let (draft, x) = pane.draft(pane.width.saturating_sub(4), pane.height.saturating_sub(4));
    rows.push(rule(pane.width, "38;5;244", "─"));
    let last = draft.len() - 1;
    for (n, part) in draft.iter().enumerate() {
        let mark = if n == 0 { "❯\u{a0}" } else { "  " };
        let mut row = pane.row().put(if busy { GRAY } else { "" }, mark).cells("", "", part);
        if n == last {
            row = row.put("7", " ").put("", if busy { "" } else { " " });
        }
        rows.push(row.end());
    }
    let y = rows.len() - 1;
    rows.push(rule(pane.width, "38;5;244", "─"));
    let empty = pane.agent.draft.is_empty();
    let footer = if busy {
        pane.line(GRAY, "  esc to interrupt · ← for agents")
    } else if empty {
        pane.line(GRAY, "  ? for shortcuts · ← for agents")
    } else if pane.agent.draft.has_collapsed() {
        pane.line(GRAY, "  paste again to expand")
    } else if draft.len() > 1 {
        pane.row().fill("", pane.width.saturating_sub(23)).put(GRAY, "ctrl+g to edit in Vim").end()
    } else {
        Pane::blank()
    };
    rows.push(footer);
    (2 + x, y)
}
