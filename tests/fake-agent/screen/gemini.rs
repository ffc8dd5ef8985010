//! The screen of Gemini CLI: a text on the main screen; the composer is a gray block between half-block rails,
//! its placeholder gray and not dim, and a footer of two rows follows it.

use super::{Frame, Pane};
use crate::agent::Entry;
use crate::text::{Line, rule, wrap};

const GRAY: &str = "38;2;175;175;175";
const WHITE: &str = "38;2;255;255;255";
const RAIL: &str = "38;2;95;95;95";
const BLOCK: &str = "48;2;95;95;95";
const PURPLE: &str = "38;2;215;175;255;48;2;95;95;95";
const WHITE_ON_BLOCK: &str = "38;2;255;255;255;48;2;95;95;95";
const GRAY_ON_BLOCK: &str = "38;2;175;175;175;48;2;95;95;95";
const BORDER: &str = "38;2;135;135;135";
/// Gemini pads its title to this many characters.
const TITLE_WIDTH: usize = 80;
/// Its composer shows at most this many rows.
const MOST_ROWS: usize = 10;

pub(super) fn title(pane: &Pane<'_>) -> String {
    let state = match (&pane.agent.dialog, pane.busy()) {
        (Some(_), _) => "✋  Action Required",
        (None, Some(_)) => "✦  Working…",
        (None, None) => "◇  Ready",
    };
    format!("{:<TITLE_WIDTH$}", format!("{state} ({})", pane.project))
}

pub(super) fn frame(pane: &Pane<'_>) -> Frame {
    let mut rows = header(pane);
    for entry in pane.entries() {
        self::entry(pane, entry, &mut rows);
    }
    if let Some(command) = &pane.agent.dialog {
        dialog(pane, command, &mut rows);
        // The cursor is left on the row below the text.
        let y = rows.len();
        return pane.flow(rows, (0, y), false, title(pane));
    }
    let (x, y) = composer(pane, &mut rows);
    pane.flow(rows, (x, y), false, title(pane))
}

fn header(pane: &Pane<'_>) -> Vec<Line> {
    let logo = "38;2;132;122;206";
    let name = pane.row().put(logo, " ▝▜▄").put("", "     ").put("1;38;2;255;255;255", "Gemini CLI");
    vec![
        Pane::blank(),
        name.put(GRAY, " v0.61.0").end(),
        pane.line(logo, "   ▝▜▄"),
        pane.row()
            .put(logo, "  ▗▟▀")
            .put("", "    ")
            .put(WHITE, "Authenticated with gemini-api-key")
            .put(GRAY, " /auth")
            .end(),
        pane.line(logo, " ▝▀"),
        Pane::blank(),
        Pane::blank(),
        pane.line(WHITE, "Tips for getting started:"),
        pane.line(WHITE, "1. Create GEMINI.md files to customize your interactions"),
        pane.line(WHITE, "2. /help for more information"),
        pane.line(WHITE, "3. Ask coding questions, edit code or run commands"),
        pane.line(WHITE, "4. Be specific for the best results"),
    ]
}

fn entry(pane: &Pane<'_>, entry: &Entry, rows: &mut Vec<Line>) {
    match entry {
        Entry::User(text) => {
            rows.push(rule(pane.width, RAIL, "▄"));
            for (n, part) in wrap(text, pane.width.saturating_sub(5)).iter().enumerate() {
                let mark = if n == 0 { " > " } else { "   " };
                rows.push(
                    pane.row().put(PURPLE, mark).put(WHITE_ON_BLOCK, part).fill(BLOCK, pane.width).end(),
                );
            }
            rows.push(rule(pane.width, RAIL, "▀"));
        }
        Entry::Tool { command, output, code } => {
            tool(
                pane,
                if *code == 0 { "✓" } else { "x" },
                command,
                &Pane::output(output, pane.width.saturating_sub(6)),
                rows,
            );
        }
        Entry::Interrupted { command } => {
            tool(pane, "-", command, &[], rows);
            rows.extend([Pane::blank(), Pane::blank(), pane.line(GRAY, "ℹ Request cancelled.")]);
        }
        Entry::Reply { .. } => {
            rows.push(pane.row().put("38;2;215;175;255", "✦ ").put(WHITE, "MOCK-REPLY ok").end());
        }
    }
}

/// A box as wide as the pane less `margin` columns; each row is given as its text and style.
fn boxed(pane: &Pane<'_>, margin: usize, inside: &[(&str, String)], rows: &mut Vec<Line>) {
    let width = pane.width.saturating_sub(margin);
    let line = "─".repeat(width.saturating_sub(2));
    rows.push(pane.line(BORDER, &format!("╭{line}╮")));
    for (sgr, text) in inside {
        let cut: String = text.chars().take(width.saturating_sub(4)).collect();
        let row = pane.row().put(BORDER, "│").put("", " ").put(sgr, &cut).fill("", width.saturating_sub(1));
        rows.push(row.put(BORDER, "│").end());
    }
    rows.push(pane.line(BORDER, &format!("╰{line}╯")));
}

fn tool(pane: &Pane<'_>, mark: &str, command: &str, output: &[String], rows: &mut Vec<Line>) {
    let mut inside =
        vec![("", format!("{mark}  Shell {}", command.lines().next().unwrap_or(""))), ("", String::new())];
    inside.extend(output.iter().map(|text| ("", text.clone())));
    rows.push(Pane::blank());
    boxed(pane, 4, &inside, rows);
}

fn dialog(pane: &Pane<'_>, command: &str, rows: &mut Vec<Line>) {
    let inner = "─".repeat(pane.width.saturating_sub(6));
    let padded = format!("{command:<width$}", width = pane.width.saturating_sub(8));
    rows.push(Pane::blank());
    let inside = [
        ("1;38;2;255;255;175", format!("? Shell  {command}")),
        (BORDER, format!("╭{inner}╮")),
        (BORDER, format!("│ {padded} │")),
        (BORDER, format!("╰{inner}╯")),
        ("", "Allow execution of [Shell]?".to_owned()),
        ("", String::new()),
        ("38;2;215;255;215;48;2;0;95;0", format!("{:<30}", "● 1. Allow once")),
        (WHITE, "  2. Allow for this session".to_owned()),
        (WHITE, "  3. No, suggest changes (esc)".to_owned()),
    ];
    boxed(pane, 0, &inside, rows);
    rows.push(Pane::blank());
}

/// Where the cursor is.
fn composer(pane: &Pane<'_>, rows: &mut Vec<Line>) -> (usize, usize) {
    let draft = &pane.agent.draft;
    let empty = draft.is_empty();
    let shortcuts = if empty { "? for shortcuts" } else { "" };
    let right = pane.width.saturating_sub(16);
    rows.push(Pane::blank());
    if draft.has_collapsed() && pane.busy().is_none() {
        rows.extend([pane.line(GRAY, " Press Ctrl+O to expand pasted text"), Pane::blank()]);
    } else {
        rows.push(Pane::blank());
        let state = match pane.busy() {
            Some(seconds) => {
                let dots = pane.spin(&["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]);
                let row = pane.row().put("38;2;235;255;195", &format!(" {dots}")).put("", " ");
                let row = row.put("3;38;2;255;255;255", "Thinking...").put("", " ");
                row.put(GRAY, &format!("(esc to cancel, {seconds}s)"))
            }
            None => pane.row(),
        };
        rows.push(if empty { state.fill("", right).put(GRAY, shortcuts).end() } else { state.end() });
    }
    rows.push(rule(pane.width, "2;38;2;135;135;135", "─"));
    rows.push(pane.line(GRAY, " Shift+Tab to accept edits"));
    rows.push(rule(pane.width, RAIL, "▄"));
    let (parts, x) = pane.draft(pane.width.saturating_sub(5), MOST_ROWS.min(pane.height.saturating_sub(5)));
    let last = parts.len() - 1;
    for (n, part) in parts.iter().enumerate() {
        let mark = if n == 0 { " > " } else { "   " };
        let mut row = pane.row().put(PURPLE, mark).cells(WHITE_ON_BLOCK, PURPLE, part);
        if n == last {
            row = row.put("7;48;2;95;95;95", " ");
        }
        if empty {
            row = row.put(GRAY_ON_BLOCK, " Type your message or @path/to/file");
        }
        rows.push(row.fill(BLOCK, pane.width).end());
    }
    let y = rows.len() - 1;
    rows.push(rule(pane.width, RAIL, "▀"));
    let middle = pane.width * 58 / 120;
    let head =
        pane.row().put(GRAY, " workspace (/directory)").put("", " ").fill("", middle).put(GRAY, "sandbox");
    rows.push(head.put("", " ").fill("", pane.width.saturating_sub(7)).put(GRAY, "/model").end());
    let values = pane.row().put(WHITE, &format!(" {} ", pane.directory)).fill("", middle);
    let values =
        values.put("38;2;255;135;175", "no sandbox").put("", " ").fill("", pane.width.saturating_sub(17));
    rows.push(values.put(WHITE, "gemini-2.5-flash").end());
    (3 + x, y)
}
