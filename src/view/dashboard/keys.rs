//! The one table of the dashboard's keys. Commands, the page of keys, the list of commands, the last row and
//! docs/reference.md come from it. A person may choose other keys with the setting `dashboard.keys`.

use super::panel::Panel;
use ratatui::crossterm::event::KeyCode;

/// The commands of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Keys,
    Commands,
    Quit,
    /// Close the open view, without another effect.
    Back,
    NextPanel,
    PreviousPanel,
    Show(Panel),
    /// Move by so many rows.
    Select(isize),
    Open,
    Look,
    List,
    /// Scroll the right side by so many rows.
    Scroll(isize),
    Divide(i16),
    Search,
    NextHit,
    PreviousHit,
    Mark,
    Write,
    WriteToAll,
    Mail(MailCommand),
    Go,
    Rename,
    /// Make a group of agents, or add to one.
    Group,
    /// Send agents the onboarding message.
    Onboard,
    /// Start agents, with a first message.
    Start,
    /// Start ended agents again.
    Resume,
    /// End agents.
    End,
    Explain,
    /// Answer the dialog of an agent.
    Dialog,
    /// Show what happened while the person was away.
    Digest,
    /// Give leases back, or take them away.
    Unlock,
    CopyId,
    CopyText,
    Projects,
}

/// The commands for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MailCommand {
    Reply,
    Acknowledge,
    /// Mark it, or its thread, as read.
    Read,
    Status,
    Resend,
    Deliver,
    Drop,
}

/// A command: a line of the page of keys.
pub(super) struct Row {
    pub(super) command: Command,
    /// Its name in the setting.
    pub(super) name: &'static str,
    pub(super) keys: &'static [KeyCode],
    pub(super) effect: &'static str,
    /// The panels whose last row shows it.
    pub(super) footer: &'static [Panel],
    pub(super) word: &'static str,
}

/// A part of the page of keys.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

const fn char(letter: char) -> KeyCode {
    KeyCode::Char(letter)
}

/// A row that no last row shows.
const fn row(command: Command, name: &'static str, keys: &'static [KeyCode], effect: &'static str) -> Row {
    Row { command, name, keys, effect, footer: &[], word: "" }
}

impl Row {
    const fn footer(mut self, footer: &'static [Panel], word: &'static str) -> Self {
        (self.footer, self.word) = (footer, word);
        self
    }
}

const AGENTS: Panel = Panel::Agents;
const THREADS: Panel = Panel::Threads;
const LEASES: Panel = Panel::Leases;
const TASKS: Panel = Panel::Tasks;

pub(super) const TABLE: [Group; 5] = [
    Group {
        title: "An agent (the selected one, or the one of the selected row)",
        rows: &[
            row(Command::Go, "go", &[char('g')], "go to its pane, from any panel")
                .footer(&[LEASES, TASKS], "go"),
            row(Command::Write, "write", &[char('m')], "write to it")
                .footer(&[AGENTS, LEASES, TASKS], "write"),
            row(Command::WriteToAll, "write-all", &[char('M')], "write to all agents"),
            row(Command::Rename, "rename", &[char('R')], "rename it; several by a pattern such as api-#")
                .footer(&[AGENTS], "rename"),
            row(
                Command::Group,
                "group",
                &[char('G')],
                "put it, or those selected, into a group such as @api",
            ),
            row(
                Command::Dialog,
                "dialog",
                &[char('A')],
                "answer its dialog from here: your next key goes to it",
            ),
            row(Command::Onboard, "onboard", &[char('o')], "tell it how to talk here (asks first)"),
            row(Command::Start, "start", &[char('S')], "start agents: kind, count, name, first message"),
            row(Command::Resume, "resume", &[char('C')], "start ended agents again, in their conversations"),
            row(Command::End, "end", &[char('E')], "end it, or those selected (asks first)"),
            row(Command::Explain, "explain", &[char('e')], "show how its screen is read, and why")
                .footer(&[AGENTS], "why"),
        ],
    },
    Group {
        title: "A message (the selected one, or what the selected agent asks)",
        rows: &[
            row(Command::Mail(MailCommand::Reply), "answer", &[char('r')], "answer it")
                .footer(&[THREADS, AGENTS], "answer"),
            row(Command::Mail(MailCommand::Acknowledge), "ack", &[char('a')], "acknowledge it")
                .footer(&[THREADS], "ack"),
            row(Command::Mail(MailCommand::Read), "read", &[char('x')], "mark the thread read")
                .footer(&[THREADS], "read"),
            row(
                Command::Mail(MailCommand::Status),
                "status",
                &[char('w')],
                "show its progress, and why it waits",
            )
            .footer(&[THREADS], "why"),
            row(
                Command::Mail(MailCommand::Resend),
                "resend",
                &[char('s')],
                "send it again, to the same or somebody else",
            )
            .footer(&[THREADS], "resend"),
            row(
                Command::Mail(MailCommand::Deliver),
                "deliver",
                &[char('v')],
                "deliver the held answers in its thread",
            ),
            row(
                Command::Mail(MailCommand::Drop),
                "drop",
                &[char('d')],
                "drop the held answers in its thread (asks first)",
            ),
        ],
    },
    Group {
        title: "A lease",
        rows: &[row(Command::Unlock, "unlock", &[char('u')], "give it back, or take it away (asks first)")
            .footer(&[LEASES], "unlock")],
    },
    Group {
        title: "Moving",
        rows: &[
            row(
                Command::Open,
                "open",
                &[KeyCode::Enter],
                "go to the agent, open the row, answer the open message",
            )
            .footer(&[AGENTS, THREADS, LEASES, TASKS], "open"),
            row(Command::Look, "look", &[KeyCode::Right, char('l'), char('p')], "move to the right side")
                .footer(&[AGENTS], "look"),
            row(Command::List, "list", &[KeyCode::Left, char('h')], "move back to the list"),
            row(Command::Select(1), "down", &[KeyCode::Down, char('j')], "the next row"),
            row(Command::Select(-1), "up", &[KeyCode::Up, char('k')], "the row before"),
            row(Command::Select(10), "page-down", &[KeyCode::PageDown], "ten rows on"),
            row(Command::Select(-10), "page-up", &[KeyCode::PageUp], "ten rows back"),
            row(Command::Select(isize::MIN), "first", &[KeyCode::Home], "the first row"),
            row(Command::Select(isize::MAX), "last", &[KeyCode::End], "the last row"),
            row(Command::Scroll(5), "scroll-down", &[char('J')], "scroll the right side"),
            row(Command::Scroll(-5), "scroll-up", &[char('K')], "scroll it back"),
            row(Command::NextPanel, "next-panel", &[KeyCode::Tab], "the next panel"),
            row(Command::PreviousPanel, "previous-panel", &[KeyCode::BackTab], "the panel before"),
            row(Command::Show(AGENTS), "agents", &[char('1')], "the agents"),
            row(Command::Show(THREADS), "threads", &[char('2')], "the threads: what was said"),
            row(Command::Show(LEASES), "leases", &[char('3')], "the leases"),
            row(Command::Show(TASKS), "tasks", &[char('4')], "the tasks of COORDINATION.md"),
            row(
                Command::Mark,
                "select",
                &[char(' ')],
                "select several: write, rename, group, onboard, end, read, unlock",
            )
            .footer(&[AGENTS], "select"),
            row(Command::Divide(-4), "narrower", &[char('<')], "make the list narrower"),
            row(Command::Divide(4), "wider", &[char('>')], "make the list wider"),
        ],
    },
    Group {
        title: "Anywhere",
        rows: &[
            row(Command::Search, "search", &[char('/')], "search; also type: from: to: agent: since:"),
            row(Command::NextHit, "next-hit", &[char('n')], "the next row that was found"),
            row(Command::PreviousHit, "previous-hit", &[char('N')], "the one before"),
            row(Command::CopyId, "copy-id", &[char('y')], "copy the id, the name or the path"),
            row(Command::CopyText, "copy-text", &[char('Y')], "copy the text, or what the pane shows"),
            row(Command::Digest, "digest", &[char('W')], "show what happened while you were away"),
            row(Command::Projects, "projects", &[char('P')], "go to another project on the tmux server"),
            row(Command::Commands, "commands", &[char(':')], "list all commands, and search them"),
            row(Command::Keys, "keys", &[char('?')], "show these keys"),
            row(Command::Back, "back", &[KeyCode::Esc], "close what is open; nothing more"),
            row(Command::Quit, "quit", &[char('q')], "leave the dashboard"),
        ],
    },
];

/// All commands, in the order of the page of keys.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().flat_map(|group| group.rows)
}

/// The table in the form for docs/reference.md.
#[cfg(test)]
pub(super) fn markdown() -> String {
    let mut text = String::from("| | Key | Action | Effect |\n|---|---|---|---|\n");
    let (keymap, _) = super::keymap::Keymap::new("");
    for group in &TABLE {
        let mut title = group.title.split(" (").next().unwrap_or_default();
        for row in group.rows {
            let keys: Vec<String> = keymap.names(row.command).iter().map(|key| format!("`{key}`")).collect();
            text.push_str(&format!("| {title} | {} | `{}` | {} |\n", keys.join(" "), row.name, row.effect));
            title = "";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_meaning_and_each_action_one_name() {
        let keys: Vec<KeyCode> = rows().flat_map(|row| row.keys).copied().collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key:?}");
        }
        let names: Vec<&str> = rows().map(|row| row.name).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
        }
    }
}
