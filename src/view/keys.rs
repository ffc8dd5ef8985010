//! The keys of the dashboard's lists, once: what a key does, the page of keys, the footer and docs/reference.md come
//! from this table.

use super::app::Tab;
use ratatui::crossterm::event::KeyCode;

/// What a key of the lists does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Keys,
    Quit,
    /// Clear the filter, or quit.
    Escape,
    OtherList,
    Show(Tab),
    PreviousTab,
    NextTab,
    /// Move the selection by so many rows.
    Select(isize),
    Filter,
    Open,
    Go,
    Look,
    Write,
    WriteToAll,
    Rename,
    Explain,
    Reply,
    Acknowledge,
    Status,
    Resend,
    Release,
}

/// The list that has the keys: its footer shows those that matter there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Agents,
    Below(Tab),
}

const MESSAGES: Focus = Focus::Below(Tab::Messages);
const LEASES: Focus = Focus::Below(Tab::Leases);
const WAITING: Focus = Focus::Below(Tab::Waiting);
const EVERYWHERE: [Focus; 4] = [Focus::Agents, MESSAGES, LEASES, WAITING];

/// Some keys that belong together: a line of the page of keys.
struct Row {
    /// The keys as people read them; the footer shows the first.
    shown: &'static str,
    keys: &'static [(KeyCode, Command)],
    effect: &'static str,
    /// The lists whose footer shows it, and the word there.
    footer: &'static [Focus],
    word: &'static str,
}

/// A part of the page of keys.
struct Group {
    title: &'static str,
    rows: &'static [Row],
}

const fn char(letter: char) -> KeyCode {
    KeyCode::Char(letter)
}

/// A row that no footer shows.
const fn row(shown: &'static str, keys: &'static [(KeyCode, Command)], effect: &'static str) -> Row {
    Row { shown, keys, effect, footer: &[], word: "" }
}

impl Row {
    const fn footer(mut self, footer: &'static [Focus], word: &'static str) -> Self {
        (self.footer, self.word) = (footer, word);
        self
    }
}

const TABLE: [Group; 4] = [
    Group {
        title: "Anywhere",
        rows: &[
            row("?", &[(char('?'), Command::Keys)], "show these keys").footer(&EVERYWHERE, "keys"),
            row("q", &[(char('q'), Command::Quit)], "quit").footer(&EVERYWHERE, "quit"),
            row(
                "Up Down, j k, PgUp PgDn",
                &[
                    (KeyCode::Up, Command::Select(-1)),
                    (KeyCode::Down, Command::Select(1)),
                    (char('k'), Command::Select(-1)),
                    (char('j'), Command::Select(1)),
                    (KeyCode::PageUp, Command::Select(-10)),
                    (KeyCode::PageDown, Command::Select(10)),
                    (KeyCode::Home, Command::Select(isize::MIN)),
                    (KeyCode::End, Command::Select(isize::MAX)),
                ],
                "select",
            ),
            row(
                "Tab",
                &[(KeyCode::Tab, Command::OtherList), (KeyCode::BackTab, Command::OtherList)],
                "move between the agents and the list below",
            )
            .footer(&[Focus::Agents], "list"),
            row(
                "1 2 3, Left Right",
                &[
                    (char('1'), Command::Show(Tab::Messages)),
                    (char('2'), Command::Show(Tab::Leases)),
                    (char('3'), Command::Show(Tab::Waiting)),
                    (KeyCode::Left, Command::PreviousTab),
                    (char('h'), Command::PreviousTab),
                    (KeyCode::Right, Command::NextTab),
                    (char('l'), Command::NextTab),
                ],
                "show messages, leases or waiting mail",
            ),
            row("/", &[(char('/'), Command::Filter)], "filter: words, type:TYPE, agent:NAME, since:10m")
                .footer(&EVERYWHERE, "filter"),
            row("Esc", &[(KeyCode::Esc, Command::Escape)], "close, clear the filter, or quit"),
        ],
    },
    Group {
        title: "An agent (the selected one, or the one of the selected row)",
        rows: &[
            row("Enter", &[(KeyCode::Enter, Command::Open)], "go to its pane").footer(&[Focus::Agents], "go"),
            row("g", &[(char('g'), Command::Go)], "go to its pane, from any list")
                .footer(&[LEASES, WAITING], "go"),
            row("p", &[(char('p'), Command::Look)], "look at its pane from here")
                .footer(&[Focus::Agents], "look"),
            row("m", &[(char('m'), Command::Write)], "write to it").footer(&[Focus::Agents, LEASES], "write"),
            row("M", &[(char('M'), Command::WriteToAll)], "write to all agents"),
            row("R", &[(char('R'), Command::Rename)], "rename it").footer(&[Focus::Agents], "rename"),
            row("e", &[(char('e'), Command::Explain)], "show how its screen is read, and why")
                .footer(&[Focus::Agents], "why"),
        ],
    },
    Group {
        title: "A message",
        rows: &[
            row("Enter", &[(KeyCode::Enter, Command::Open)], "read it").footer(&[MESSAGES, WAITING], "read"),
            row("r", &[(char('r'), Command::Reply)], "answer it").footer(&[MESSAGES], "answer"),
            row("a", &[(char('a'), Command::Acknowledge)], "acknowledge it").footer(&[MESSAGES], "ack"),
            row("w", &[(char('w'), Command::Status)], "show how far it came, and why it waits")
                .footer(&[MESSAGES, WAITING], "why"),
            row("s", &[(char('s'), Command::Resend)], "send it again, to the same or somebody else")
                .footer(&[MESSAGES, WAITING], "resend"),
        ],
    },
    Group {
        title: "A lease",
        rows: &[
            row("Enter", &[(KeyCode::Enter, Command::Open)], "show details").footer(&[LEASES], "details"),
            row("u", &[(char('u'), Command::Release)], "give it back, or take it away (asks first)")
                .footer(&[LEASES], "release"),
        ],
    },
];

/// What the page of keys says beside the table.
const MORE: &str = "
While you write
  Enter sends, Alt-Enter or Ctrl-J begins a new line, Esc closes without sending,
  Ctrl-G opens the text in $VISUAL or $EDITOR, Ctrl-T changes the type,
  Ctrl-A asks for an acknowledgement

Marks
  dialog: it waits for you. held: mail that cannot be typed now, with the reason.
  overdue: a reminder was sent for its acknowledgement. dead: its recipient ended.
";

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().flat_map(|group| group.rows)
}

/// What a key does, if it does anything.
pub(super) fn command(key: KeyCode) -> Option<Command> {
    rows().flat_map(|row| row.keys).find(|(code, _)| *code == key).map(|(_, command)| *command)
}

/// The page of keys.
pub(super) fn page() -> String {
    let mut text = String::new();
    for group in &TABLE {
        text.push_str(&format!("{}\n", group.title));
        for row in group.rows {
            text.push_str(&format!("  {:<25}  {}\n", row.shown, row.effect));
        }
        text.push('\n');
    }
    text.pop();
    text + MORE
}

/// The line below the lists.
pub(super) fn footer(focus: Focus) -> String {
    let first = |row: &Row| row.shown.split([',', ' ']).next().unwrap_or_default().to_owned();
    let shown = rows().filter(|row| row.footer.contains(&focus));
    shown.map(|row| format!(" {} {} ", first(row), row.word)).collect()
}

/// Whether no key stands in the table with two meanings.
#[cfg(test)]
pub(super) fn is_unambiguous() -> bool {
    rows().flat_map(|row| row.keys).all(|(code, meant)| command(*code) == Some(*meant))
}

/// The table of docs/reference.md.
#[cfg(test)]
pub(super) fn markdown() -> String {
    let mut text = String::from("| | Key | Effect |\n|---|---|---|\n");
    for group in &TABLE {
        let mut title = group.title.split(" (").next().unwrap_or_default();
        for row in group.rows {
            let keys = row.shown.replace(", ", " ");
            let keys: Vec<String> = keys.split(' ').map(|key| format!("`{key}`")).collect();
            text.push_str(&format!("| {title} | {} | {} |\n", keys.join(" "), row.effect));
            title = "";
        }
    }
    text
}
