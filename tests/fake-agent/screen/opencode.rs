//! The screen of `OpenCode`: the alternate screen on a dark ground; the composer is a block behind a bar, in the
//! middle of a fresh screen and at the foot later. The title says nothing of the state.

use super::{Frame, Pane};
use crate::agent::Entry;
use crate::draft::Cell;
use crate::text::{Line, Row, wrap};

const GROUND: &str = "38;2;255;255;255;48;2;10;10;10";
const BAR: &str = "38;2;92;156;245;48;2;10;10;10";
const PANEL: &str = "38;2;238;238;238;48;2;20;20;20";
const FIELD: &str = "38;2;238;238;238;48;2;30;30;30";
const TEXT: &str = "38;2;238;238;238;48;2;10;10;10";
const GRAY: &str = "38;2;128;128;128;48;2;10;10;10";
const GRAY_FIELD: &str = "38;2;128;128;128;48;2;30;30;30";
const LABEL: &str = "1;38;2;10;10;10;48;2;245;167;66";
const ORANGE_BAR: &str = "38;2;245;167;66;48;2;20;20;20";
/// Its composer shows at most this many rows.
const MOST_ROWS: usize = 6;
/// The widest composer of a fresh screen.
const FRESH_WIDTH: usize = 75;

pub(super) fn title(pane: &Pane<'_>) -> String {
    let replied = pane.entries().any(|e| matches!(e, Entry::Reply { .. }));
    if replied { "OC | MOCK-REPLY ok".to_owned() } else { "OpenCode".to_owned() }
}

pub(super) fn frame(pane: &Pane<'_>) -> Frame {
    let fresh = pane.agent.entries.is_empty() && pane.agent.turn.is_none() && pane.agent.dialog.is_none();
    let mut frame = if fresh { fresh_frame(pane) } else { session_frame(pane) };
    for row in &mut frame.rows {
        // The whole screen is painted.
        let painted = Row::new(pane.width - row.width.min(pane.width)).fill(GROUND, pane.width).end();
        row.ansi.push_str(&painted.ansi);
        row.width += painted.width;
    }
    frame
}

fn session_frame(pane: &Pane<'_>) -> Frame {
    let mut top = vec![Pane::blank()];
    for entry in pane.entries() {
        self::entry(pane, entry, &mut top);
    }
    if let Some(command) = &pane.agent.dialog {
        let mut bottom = dialog(pane, command);
        bottom.push(Pane::blank());
        let last = bottom.len() - 2;
        return pane.stack(top, bottom, (pane.width.saturating_sub(2), last), false, title(pane));
    }
    if let Some(turn) = &pane.agent.turn {
        if let Some(command) = turn.running_command() {
            top.extend([
                pane.line(TEXT, &format!("     $ {}", command.lines().next().unwrap_or(""))),
                Pane::blank(),
            ]);
        }
        let build = pane.row().put(BAR, "     ▣  ").put(TEXT, "Build").put(GRAY, " · mock");
        top.extend([build.end(), Pane::blank()]);
    }
    let (mut bottom, cursor) = composer(pane, 2, pane.width.saturating_sub(4));
    let right = pane.width.saturating_sub(20);
    let left = if pane.busy().is_some() {
        let dots = ["■⬝⬝⬝⬝⬝⬝⬝", "⬝⬝■⬝⬝⬝⬝⬝", "⬝⬝⬝⬝■⬝⬝⬝", "⬝⬝⬝⬝⬝⬝■⬝", "⬝⬝⬝⬝⬝⬝⬝⬝"];
        pane.row().put(BAR, &format!("   {}", pane.spin(&dots))).put(TEXT, "  esc ").put(GRAY, "interrupt")
    } else {
        pane.row().put(GRAY, &format!("   {}", pane.directory))
    };
    let footer = left.fill(GROUND, right).put(GRAY, "2  ").put(TEXT, "ctrl+p ").put(GRAY, "commands");
    bottom.extend([footer.end(), Pane::blank()]);
    pane.stack(top, bottom, cursor, true, title(pane))
}

fn fresh_frame(pane: &Pane<'_>) -> Frame {
    let width = FRESH_WIDTH.min(pane.width.saturating_sub(4));
    let left = pane.width.saturating_sub(width).div_ceil(2);
    let (block, (x, y)) = composer(pane, left, width);
    let top = (pane.height / 2).saturating_sub(1).min(pane.height.saturating_sub(block.len()));
    let mut rows = vec![Pane::blank(); pane.height];
    let mut set = |y: usize, line: Line| {
        if let Some(row) = rows.get_mut(y) {
            *row = line;
        }
    };
    let foot =
        pane.row().put(GRAY, &format!("  {}", pane.directory)).fill(GROUND, pane.width.saturating_sub(9));
    set(pane.height.saturating_sub(2), foot.put(GRAY, "1.18.33").end());
    let hints =
        pane.row().fill(GROUND, (left + width).saturating_sub(27)).put(TEXT, "tab ").put(GRAY, "agents");
    set(top + block.len(), hints.put(TEXT, "  ctrl+p ").put(GRAY, "commands").end());
    let logo = [
        "█▀▀█ █▀▀█ █▀▀█ █▀▀▄ █▀▀▀ █▀▀█ █▀▀█ █▀▀█",
        "█  █ █  █ █▀▀▀ █  █ █    █  █ █  █ █▀▀▀",
        "▀▀▀▀ █▀▀▀ ▀▀▀▀ ▀▀▀▀ ▀▀▀▀ ▀▀▀▀ ▀▀▀▀ ▀▀▀▀",
    ];
    if top >= 6 {
        for (n, part) in logo.iter().enumerate() {
            set(
                top - 5 + n,
                pane.row().fill(GROUND, pane.width.saturating_sub(39).div_ceil(2)).put(GRAY, part).end(),
            );
        }
    }
    for (n, line) in block.into_iter().enumerate() {
        set(top + n, line);
    }
    Frame { rows, cursor: (x, top + y), cursor_shown: true, title: title(pane) }
}

/// A row behind the bar, filled with the block's colour.
fn barred(pane: &Pane<'_>, left: usize, width: usize, field: &str, cells: impl FnOnce(Row) -> Row) -> Line {
    let row = pane.row().fill(GROUND, left).put(BAR, "┃");
    cells(row.put(field, "  ")).fill(field, left + width).end()
}

/// The block, and where the cursor is, counted from its first row.
fn composer(pane: &Pane<'_>, left: usize, width: usize) -> (Vec<Line>, (usize, usize)) {
    // The bar, and two columns on either side of the text.
    let room = width.saturating_sub(5);
    let (mut draft, mut x) = pane.draft(room, MOST_ROWS.min(pane.height.saturating_sub(6)));
    // A draft that begins with an exclamation mark is for its shell: the mark is not shown, and the last row says so.
    let shell = pane.agent.draft.text().starts_with('!');
    if shell && let Some(first) = draft.first_mut().filter(|row| !row.is_empty()) {
        first.remove(0);
        x = x.saturating_sub(usize::from(draft.len() == 1));
    }
    let placeholder =
        if pane.agent.draft.is_empty() && pane.agent.entries.is_empty() && pane.agent.turn.is_none() {
            "Ask anything… \"Fix broken tests\""
        } else {
            ""
        };
    let mut rows = vec![barred(pane, left, width, FIELD, |row| row)];
    for part in &draft {
        let cells: &[Cell] = part;
        rows.push(barred(pane, left, width, FIELD, |row| {
            row.cells(FIELD, LABEL, cells).put(GRAY_FIELD, placeholder)
        }));
    }
    let y = rows.len() - 1;
    rows.push(barred(pane, left, width, FIELD, |row| row));
    rows.push(barred(pane, left, width, FIELD, |row| {
        let row = row.put("38;2;92;156;245;48;2;30;30;30", if shell { "Shell" } else { "Build" });
        if shell {
            return row;
        }
        row.put(GRAY_FIELD, " · ").put(FIELD, "mock").put(GRAY_FIELD, " mock")
    }));
    let edge = pane.row().fill(GROUND, left).put(BAR, "╹");
    rows.push(edge.put("38;2;30;30;30;48;2;10;10;10", &"▀".repeat(width.saturating_sub(1))).end());
    (rows, (left + 3 + x, y))
}

fn entry(pane: &Pane<'_>, entry: &Entry, rows: &mut Vec<Line>) {
    let width = pane.width.saturating_sub(4);
    match entry {
        Entry::User(text) => {
            rows.push(barred(pane, 2, width, PANEL, |row| row));
            for part in wrap(text, width.saturating_sub(5)) {
                rows.push(barred(pane, 2, width, PANEL, |row| row.put(PANEL, &part)));
            }
            rows.push(barred(pane, 2, width, PANEL, |row| row));
        }
        Entry::Tool { command, output, .. } => {
            rows.push(pane.line(TEXT, &format!("     $ {}", command.lines().next().unwrap_or(""))));
            rows.extend(
                Pane::output(output, width.saturating_sub(6))
                    .iter()
                    .map(|o| pane.line(GRAY, &format!("     {o}"))),
            );
        }
        Entry::Interrupted { command } => {
            rows.push(pane.line("38;2;245;167;66;48;2;10;10;10", &format!("     $ {command}")));
            rows.push(Pane::blank());
            rows.push(pane.row().put(BAR, "     ▣  ").put(TEXT, "Build").put(GRAY, " · mock").end());
        }
        Entry::Reply { seconds } => {
            rows.push(pane.line(TEXT, "     MOCK-REPLY ok"));
            rows.push(Pane::blank());
            let time = format!(" · mock · {seconds}.1s");
            rows.push(pane.row().put(BAR, "     ▣  ").put(TEXT, "Build").put(GRAY, &time).end());
        }
    }
    rows.push(Pane::blank());
}

fn dialog(pane: &Pane<'_>, command: &str) -> Vec<Line> {
    let width = pane.width.saturating_sub(4);
    let field = "38;2;255;255;255;48;2;30;30;30";
    let row = |ground: &str, cells: &dyn Fn(Row) -> Row| {
        let row = pane.row().fill(GROUND, 2).put(ORANGE_BAR, "┃").put(ground, "  ");
        cells(row).fill(ground, 2 + width).end()
    };
    let button = "38;2;10;10;10;48;2;245;167;66";
    vec![
        row(PANEL, &|r| r),
        row(PANEL, &|r| r.put(ORANGE_BAR, "△").put(PANEL, " Permission required")),
        row(PANEL, &|r| r.put(PANEL, "  # Shell command")),
        row(PANEL, &|r| r),
        row(PANEL, &|r| r.put(PANEL, &format!("$ {command}"))),
        row(PANEL, &|r| r),
        row(field, &|r| r),
        row(field, &|r| {
            let r = r.put(button, " Allow once ").put(GRAY_FIELD, "  Allow always   Reject");
            let hints = "ctrl+f fullscreen  ⇆ select  enter confirm";
            r.fill(field, (2 + width).saturating_sub(45)).put(GRAY_FIELD, hints)
        }),
        row(field, &|r| r),
    ]
}
