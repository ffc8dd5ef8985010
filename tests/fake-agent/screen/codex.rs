//! The screen of Codex: the alternate screen, the composer four rows above its foot, the terminal's own cursor shown.

use super::{Frame, Pane};
use crate::agent::Entry;
use crate::text::{Line, Row, wrap};

const USER: &str = "38;2;238;238;238;48;2;68;68;68";

pub(super) fn title(pane: &Pane<'_>) -> String {
    let spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
    match (&pane.agent.dialog, pane.busy()) {
        (Some(_), _) => format!("[ ! ] Action Required | {}", pane.project),
        (None, Some(_)) => format!("{} {}", pane.spin(&spinner), pane.project),
        (None, None) => pane.project.clone(),
    }
}

pub(super) fn frame(pane: &Pane<'_>) -> Frame {
    let name = pane
        .row()
        .put("", "  ")
        .put("38;2;99;168;248", ">_ ")
        .put("1", "OpenAI Codex")
        .put("2", " (v0.169.0)");
    let mut top =
        vec![Pane::blank(), name.end(), pane.line("2", &format!("     {}", pane.directory)), Pane::blank()];
    for entry in pane.entries() {
        self::entry(pane, entry, &mut top);
    }
    if let Some(command) = &pane.agent.dialog {
        // The hidden cursor is left behind the last column.
        let bottom = dialog(pane, command);
        let last = bottom.len() - 1;
        return pane.stack(top, bottom, (pane.width, last), false, title(pane));
    }
    if let Some(command) = pane.agent.turn.as_ref().and_then(|t| t.running_command()) {
        running(pane, command, &mut top);
    }
    let mut bottom = Vec::new();
    if let Some(seconds) = pane.busy() {
        let row = pane.row().put("1;38;2;242;242;242", "•").put("", " ").put("2", "Working").put("", " ");
        bottom
            .push(row.put("2", &format!("({seconds}s • ")).put("1", "esc").put("2", " to interrupt)").end());
        bottom.push(Pane::blank());
    }
    let (x, y) = composer(pane, &mut bottom);
    pane.stack(top, bottom, (x, y), true, title(pane))
}

fn entry(pane: &Pane<'_>, entry: &Entry, rows: &mut Vec<Line>) {
    match entry {
        Entry::User(text) => {
            let filled = |row: Row| row.fill(USER, pane.width).end();
            rows.push(filled(pane.row()));
            for (n, part) in wrap(text, pane.width.saturating_sub(3)).iter().enumerate() {
                let mark = if n == 0 { "› " } else { "  " };
                rows.push(filled(pane.row().put(&format!("1;2;{USER}"), mark).put(USER, part)));
            }
            rows.push(filled(pane.row()));
            rows.push(Pane::blank());
        }
        Entry::Tool { command, output, code } => {
            let verb = if *code == 0 { "Ran" } else { "Exited" };
            let status = if *code == 0 { String::new() } else { format!(" (status {code})") };
            let head = command.lines().next().unwrap_or("");
            let row = pane.row().put("1", "•").put("", " ").put("1", &format!("{verb}{status}"));
            rows.push(row.put("38;2;205;214;244", &format!(" {head}")).end());
            for (n, part) in Pane::output(output, pane.width.saturating_sub(5)).iter().enumerate() {
                let lead = if n == 0 { "  └ " } else { "    " };
                rows.push(pane.line("2", &format!("{lead}{part}")));
            }
            rows.push(Pane::blank());
        }
        Entry::Interrupted { command } => {
            let row = pane.row().put("38;5;1", "✗ ").put("", "You ").put("1", "canceled");
            rows.push(row.put("", " the request to run ").put("2", command).end());
            rows.push(Pane::blank());
            let hint = "■ Conversation interrupted - use /feedback if something went wrong";
            rows.extend([pane.line("", hint), Pane::blank(), Pane::blank()]);
        }
        Entry::Reply { seconds } => {
            let worked = if *seconds == 0 { "<1s".to_owned() } else { format!("{seconds}s") };
            rows.push(pane.row().put("2", "• ").put("", "MOCK-REPLY ok").end());
            rows.push(Pane::blank());
            rows.push(pane.line("2", &format!("  Worked for {worked} • 12:00")));
            rows.push(Pane::blank());
        }
    }
}

fn running(pane: &Pane<'_>, command: &str, rows: &mut Vec<Line>) {
    let head = command.lines().next().unwrap_or("");
    let row = pane.row().put("1;38;2;138;138;138", "•").put("", " ").put("1", "Running");
    rows.extend([row.put("38;2;205;214;244", &format!(" {head}")).end(), Pane::blank()]);
}

fn dialog(pane: &Pane<'_>, command: &str) -> Vec<Line> {
    let mut rows = Vec::new();
    running(pane, command, &mut rows);
    let code = "38;2;205;214;244";
    rows.extend([
        Pane::blank(),
        pane.row().put("", "  ").put("1", "Would you like to run the following command?").end(),
        Pane::blank(),
        pane.row().put("", "  Environment: ").put("1", "local").end(),
        Pane::blank(),
        pane.row().put("", "  Reason: ").put("3", "lab").end(),
        Pane::blank(),
        pane.row().put("", "  $ ").put(code, command).end(),
        Pane::blank(),
        Pane::blank(),
        pane.line("1;7", "› 1. Yes, proceed (y)"),
        pane.line("", &format!("  2. Yes, and don't ask again for commands that start with `{command}` (p)")),
        pane.line("", "  3. No, and tell Codex what to do differently (esc)"),
        Pane::blank(),
        pane.row()
            .put("", "  ")
            .put("2", "Press ")
            .put("1", "enter")
            .put("2", " to confirm or ")
            .put("1", "esc")
            .put("2", " to cancel")
            .end(),
    ]);
    rows
}

/// Where the cursor is, counted from the first row.
fn composer(pane: &Pane<'_>, rows: &mut Vec<Line>) -> (usize, usize) {
    let empty = pane.agent.draft.is_empty();
    let (draft, x) = pane.draft(pane.width.saturating_sub(3), pane.height.saturating_sub(5 + rows.len()));
    // One blank row always parts the composer from what is above.
    rows.push(Pane::blank());
    for (n, part) in draft.iter().enumerate() {
        let row = if n == 0 { pane.row().put("1", "›").put("", " ") } else { pane.row().put("", "  ") };
        let row = row.cells("", "38;5;6", part);
        rows.push(if empty { row.put("2", "Ask Codex to do anything").end() } else { row.end() });
    }
    let y = rows.len() - 1;
    rows.push(Pane::blank());
    let model = pane.row().put("38;2;246;226;183", "  mock default").put("", " · ");
    rows.push(model.put("38;2;171;223;167", &pane.directory).end());
    let hints = if empty {
        pane.row()
            .put("", "  ")
            .put("1", "←")
            .put("", " for agents · ")
            .put("1", "?")
            .put("", " for shortcuts")
    } else {
        pane.row()
    };
    let warnings = "⚠ 2 warnings · f2 to view";
    let hints = hints.fill("", pane.width.saturating_sub(warnings.chars().count() + 1));
    rows.push(
        hints
            .put("", "⚠ ")
            .put("38;2;196;167;103", "2 warnings")
            .put("", " · ")
            .put("1", "f2")
            .put("", " to view")
            .end(),
    );
    (2 + x, y)
}
