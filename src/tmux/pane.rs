//! One pane: a look at it, and the two ways to act on it.
//!
//! A look is one step of a tmux call, so the facts and the screen are of the same moment. Several looks, with pauses
//! between them, may be one call: the server waits, and no other client is held up. An act is one step of a call as
//! well. It carries a guard: a format that compares the facts of the look with the present facts, evaluated by the
//! server in the same step as the act. If anything changed, nothing is typed and the answer is [`Acted::Stale`]. An
//! answer can be lost, like all output of a process. Then the result is [`Acted::Unclear`], and only another look can
//! show whether something was typed. The guard also contains a time: a server that was stopped, and continues after its
//! client was given up, ignores the acts that it then finds in its socket. So nothing is typed later without a look. A
//! person's own key for a dialog ([`Server::press`]) is guarded by the rows of the screen as well.

use super::{Server, format, hangs};
use crate::agents::PaneFacts;
use crate::core::agent::PaneRef;
use crate::core::escape;
use crate::core::screen::Screen;
use crate::os::clock;
use anyhow::Result;
use std::fmt;
use std::time::Duration;
use tmux_interface::{
    CapturePane, DeleteBuffer, DisplayMessage, IfShell, ListClients, LoadBuffer, RunShell, TmuxCommand,
};

/// A look at a pane.
#[derive(Debug)]
pub struct Look {
    /// The server's pid.
    pub server: i32,
    /// The pid of the pane's first process.
    pub pane_pid: i32,
    /// The pane's first process has ended.
    pub dead: bool,
    /// Copy mode, a chooser or another mode takes the keys.
    pub in_mode: bool,
    /// Input is switched off (`select-pane -d`).
    pub input_off: bool,
    /// The name of the foreground process.
    pub command: String,
    /// Last activity of the pane's session, in seconds since the epoch: moves with a person's keys.
    session_activity: String,
    /// When each client whose keys go to this pane was typed at last, in seconds since the epoch.
    pub keys: Vec<u64>,
    /// The facts for the rules of the state.
    pub facts: PaneFacts,
    pub screen: Screen,
    /// The screen as tmux captured it.
    pub text: String,
}

/// The result of a guarded act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acted {
    Done,
    /// Something changed since the look; nothing was done.
    Stale,
    /// The answer was lost, for this reason: the client was killed, or its output was lost. The act may have been
    /// done.
    Unclear(String),
}

impl Acted {
    /// What tmux said of a guarded act.
    fn said(text: &str, error: &str) -> Self {
        match text.trim() {
            "DONE" => Self::Done,
            "STALE" => Self::Stale,
            other => Self::unclear(&format!("{other} {error}")),
        }
    }

    fn unclear(why: &str) -> Self {
        Self::Unclear(escape::short(why, 200))
    }
}

/// A key of a person for a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonsKey {
    /// An ASCII letter or digit.
    Letter(char),
    /// A key by its tmux name.
    Named(&'static str),
}

impl PersonsKey {
    /// `None` if it is not a letter or digit.
    pub fn letter(c: char) -> Option<Self> {
        c.is_ascii_alphanumeric().then_some(Self::Letter(c))
    }

    /// Whether the key only moves within a dialog.
    pub fn moves(self) -> bool {
        matches!(self, Self::Named(name) if name != "Enter")
    }
}

impl fmt::Display for PersonsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter(letter) => write!(f, "{letter}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// How many rows at the end of a screen tmux compares in the step in which it presses a person's key.
const COMPARED: usize = 24;

/// How many characters of each row it compares.
const COMPARED_COLUMNS: usize = 160;

// A process may have any name: a line feed or a tab in it must not end a line or a field.
const FACTS: &str = "#{pid}\t#{pane_pid}\t#{pane_dead}\t#{pane_in_mode}\t#{pane_input_off}\t#{cursor_x}\t#{cursor_y}\t#{pane_width}\t#{pane_height}\t#{alternate_on}\t#{pane_synchronized}\t#{window_id}\t#{session_activity}\t#{s/[\n\t]/?/:pane_current_command}\t#{s/[\n\t]/?/:pane_title}";
const CLIENT: &str = "#{client_activity}\t#{window_id}\t#{pane_id}";
const END: &str = "end-of-clients";

/// How much longer than the validity of an act its client is waited for: the guard's time has whole seconds.
const SLACK: Duration = Duration::from_secs(1);

impl Server {
    /// Looks at a pane. `None`: there is no such pane, or tmux's answer was lost.
    pub fn look(&self, pane: &str) -> Result<Option<Look>> {
        let out = self.run(look_commands(pane), None)?;
        Ok(if out.ok { Look::parse(&mut out.stdout.split_inclusive('\n'), pane) } else { None })
    }

    /// Looks at several panes, in one call if all of them are there.
    pub fn looks(&self, panes: &[&str]) -> Result<Vec<Option<Look>>> {
        let out = self.run(panes.iter().flat_map(|pane| look_commands(pane)).collect(), None)?;
        if !out.ok {
            // A pane that is gone ends the call, so each is looked at by itself.
            return panes.iter().map(|pane| self.look(pane)).collect();
        }
        let mut lines = out.stdout.split_inclusive('\n');
        Ok(panes.iter().map(|pane| Look::parse(&mut lines, pane)).collect())
    }

    /// Looks at a pane once after each of these pauses, in one call. Returns fewer looks if the pane closes
    /// meanwhile.
    pub fn looks_after(&self, pane: &str, pauses: &[Duration]) -> Result<Vec<Look>> {
        let patience = self.patience + pauses.iter().sum();
        let out = self.run_within(patience, paused_looks(pane, pauses), None)?;
        Ok(all_looks(&out.stdout, pane))
    }

    /// The terminal of a pane's programs; `None` if there is no such pane.
    pub fn tty(&self, pane: &str) -> Result<Option<String>> {
        let ask = DisplayMessage::new().print().target_pane(pane).message("#{pane_tty}").build();
        let out = self.run(vec![ask], None)?;
        let tty = out.stdout.trim();
        Ok((out.ok && tty.starts_with("/dev/")).then(|| tty.to_owned()))
    }

    /// Pastes `text` into the pane if nothing changed since `look`, in brackets if the application asked for them.
    /// Then looks as [`Server::looks_after`] does.
    pub fn paste(
        &self,
        pane: &str,
        look: &Look,
        text: &str,
        then: &[Duration],
    ) -> Result<(Acted, Vec<Look>)> {
        // -r: a line feed stays one; -p: brackets; -d: the buffer is gone afterwards.
        self.guarded(pane, look, (text.as_bytes(), "-p -r -d"), then)
    }

    /// Presses Enter, if nothing changed since `look`. A pasted line feed arrives as a carriage return; unlike a key
    /// it is neither eaten by a mode, nor copied to synchronized panes, nor re-encoded by extended keys. Then looks as
    /// [`Server::looks_after`] does.
    pub fn enter(&self, pane: &str, look: &Look, then: &[Duration]) -> Result<(Acted, Vec<Look>)> {
        self.guarded(pane, look, (b"\n", "-d"), then)
    }

    /// Deletes the character before the cursor, if nothing changed since `look`. It is pasted, so synchronized panes
    /// do not get it.
    pub fn erase(&self, pane: &str, look: &Look) -> Result<Acted> {
        Ok(self.guarded(pane, look, (b"\x7f", "-r -d"), &[])?.0)
    }

    /// Presses a key of a person, if nothing changed since `look`, including its still rows.
    pub fn press(&self, pane: &str, look: &Look, key: PersonsKey) -> Result<Acted> {
        let until_s = clock::shared_ms() / 1000 + self.patience.as_secs();
        let literal = if matches!(key, PersonsKey::Letter(_)) { "-l " } else { "" };
        let act = format!("send-keys {literal}-t {pane} {key} ; display-message -p DONE");
        // Side by side, because older servers expand nested formats only to some depth.
        let guard = format!("#{{&&:#{{&&:{},{}}},{}}}", before(until_s), look.shows(), look.guard());
        let mut guard = IfShell::new().not_execute().target_pane(pane).shell_command(guard).build();
        guard.push_param(act).push_param("display-message -p STALE");
        match self.run_within(self.patience + SLACK, vec![guard], None) {
            Err(error) if hangs(&error) => Ok(Acted::unclear(&format!("{error:#}"))),
            out => out.map(|out| Acted::said(&out.stdout, &out.stderr)),
        }
    }

    /// Presses Ctrl-D, if nothing changed since `look`. It is pasted as well.
    pub fn end_input(&self, pane: &str, look: &Look) -> Result<Acted> {
        Ok(self.guarded(pane, look, (b"\x04", "-r -d"), &[])?.0)
    }

    /// Runs a guarded act that becomes void at a time of the wall clock. Its client is waited for beyond that time,
    /// so nothing can happen after the client was given up.
    fn guarded(
        &self,
        pane: &str,
        look: &Look,
        (bytes, flags): (&[u8], &str),
        then: &[Duration],
    ) -> Result<(Acted, Vec<Look>)> {
        let until_s = clock::shared_ms() / 1000 + self.patience.as_secs();
        let buffer = format!("swarm-{}-{}", std::process::id(), pane.trim_start_matches('%'));
        let act = format!("paste-buffer {flags} -b {buffer} -t {pane} ; display-message -p DONE");
        let not = format!("delete-buffer -b {buffer} ; display-message -p STALE");
        let guard = format!("#{{&&:{},{}}}", before(until_s), look.guard());
        let mut guard = IfShell::new().not_execute().target_pane(pane).shell_command(guard).build();
        guard.push_param(act).push_param(not);
        let load = LoadBuffer::new().buffer_name(buffer.as_str()).path("-").build();
        let patience = self.patience + SLACK + then.iter().sum();
        let commands = [load, guard].into_iter().chain(paused_looks(pane, then)).collect();
        let out = match self.run_within(patience, commands, Some(bytes)) {
            Err(error) if hangs(&error) => {
                return Ok((Acted::unclear(&format!("{error:#}")), Vec::new()));
            }
            out => out?,
        };
        let (said, seen) = out.stdout.split_once('\n').unwrap_or((&out.stdout, ""));
        let acted = match Acted::said(said, &out.stderr) {
            Acted::Done => return Ok((Acted::Done, all_looks(seen, pane))),
            Acted::Stale => return Ok((Acted::Stale, Vec::new())),
            unclear @ Acted::Unclear(_) => unclear,
        };
        // The text may be left in the server. The next act of this process on this pane overwrites it.
        let delete: TmuxCommand<'_> = DeleteBuffer::new().buffer_name(buffer.as_str()).build();
        let _ = self.run(vec![delete], None);
        Ok((acted, Vec::new()))
    }
}

/// A format that is true before that second of the epoch. Both sides have ten digits, so they compare as texts like
/// numbers.
fn before(until_s: u64) -> String {
    format!("#{{<:#{{T;l:%s}},{until_s:010}}}")
}

impl Look {
    /// Takes the lines of one look: the facts, the clients, and as many lines of screen as the pane is high, so no
    /// text on a screen can look like the beginning of the next look.
    pub fn parse<'a>(lines: &mut impl Iterator<Item = &'a str>, pane: &str) -> Option<Self> {
        let head = lines.next()?.trim_end_matches('\n');
        let fields: Vec<&str> = head.splitn(15, '\t').collect();
        let [
            server,
            pane_pid,
            dead,
            mode,
            off,
            x,
            y,
            width,
            height,
            alternate,
            sync,
            window,
            activity,
            command,
            title,
        ] = fields[..]
        else {
            return None;
        };
        let mut keys = Vec::new();
        for line in lines.by_ref() {
            if line.trim_end() == END {
                break;
            }
            let client: Vec<&str> = line.trim_end().split('\t').collect();
            if let [when, at_window, at_pane] = client[..]
                && (at_pane == pane || (sync == "1" && at_window == window))
            {
                keys.extend(when.parse::<u64>());
            }
        }
        let rows: usize = height.parse().ok()?;
        let screen: String = lines.take(rows).collect();
        Some(Self {
            server: server.parse().ok()?,
            // An empty pane_pid means that there is no such pane; tmux exits with 0.
            pane_pid: pane_pid.parse().ok()?,
            dead: dead == "1",
            in_mode: mode != "0",
            input_off: off == "1",
            command: command.to_owned(),
            session_activity: activity.chars().filter(char::is_ascii_digit).collect(),
            keys,
            facts: PaneFacts {
                title: title.to_owned(),
                cursor_x: x.parse().ok()?,
                cursor_y: y.parse().ok()?,
                width: width.parse().ok()?,
                height: height.parse().ok()?,
                in_mode: mode != "0",
                alternate: alternate == "1",
            },
            screen: Screen::parse(&screen),
            text: screen,
        })
    }

    /// Whether the pane of an agent's record still has its first process, which lives.
    pub fn is_in(&self, place: &PaneRef) -> bool {
        !self.dead && (self.server, self.pane_pid) == (place.server, place.pane_pid)
    }

    /// A format that is true while the pane shows its last still rows, and no other pane gets its keys.
    fn shows(&self) -> String {
        let (mut asked, mut wanted) = ("#{?pane_synchronized,1,0}".to_owned(), "0".to_owned());
        for row in self.screen.still_rows().rev().take(COMPARED) {
            asked.push_str(&format!("#{{?#{{C:{}}},1,0}}", pattern(&row.text)));
            wanted.push('1');
        }
        format!("#{{==:{asked},{wanted}}}")
    }

    /// A format that is true while the pane has the facts of this look.
    fn guard(&self) -> String {
        let facts = &self.facts;
        let mut all = vec![
            format!("#{{==:#{{pid}}.#{{pane_pid}},{}.{}}}", self.server, self.pane_pid),
            "#{==:#{pane_dead}#{pane_in_mode}#{pane_input_off},000}".to_owned(),
            format!("#{{==:#{{cursor_x}}.#{{cursor_y}},{}.{}}}", facts.cursor_x, facts.cursor_y),
            format!("#{{==:#{{pane_width}}.#{{pane_height}},{}.{}}}", facts.width, facts.height),
            format!("#{{==:#{{session_activity}},{}}}", self.session_activity),
        ];
        if !self.command.is_empty() && format::is_literal(&self.command) {
            all.push(format!("#{{==:#{{pane_current_command}},{}}}", self.command));
        }
        all.into_iter().reduce(|a, b| format!("#{{&&:{a},{b}}}")).unwrap_or_default()
    }
}

/// A pattern that matches a row of this text, and no row that differs in a letter or a digit. A character that is
/// special in a format or a pattern matches any character.
fn pattern(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.trim().chars().take(COMPARED_COLUMNS) {
        match c {
            ' ' => pattern.push(' '),
            c if c.is_ascii_alphanumeric() => pattern.push(c),
            c if c.is_ascii() => pattern.push('?'),
            _ if pattern.ends_with('*') => {}
            _ => pattern.push('*'),
        }
    }
    pattern
}

/// Looks with a pause before each. Without a command `run-shell` only waits, in the server, and starts no process.
fn paused_looks<'p>(pane: &'p str, pauses: &[Duration]) -> Vec<TmuxCommand<'p>> {
    let mut commands = Vec::new();
    for pause in pauses {
        if !pause.is_zero() {
            commands.push(RunShell::new().delay(format!("{:.3}", pause.as_secs_f64())).build());
        }
        commands.extend(look_commands(pane));
    }
    commands
}

fn all_looks(text: &str, pane: &str) -> Vec<Look> {
    let mut lines = text.split_inclusive('\n').peekable();
    let mut looks = Vec::new();
    while lines.peek().is_some() {
        let Some(look) = Look::parse(&mut lines, pane) else { break };
        looks.push(look);
    }
    looks
}

fn look_commands(pane: &str) -> Vec<TmuxCommand<'_>> {
    vec![
        DisplayMessage::new().print().target_pane(pane).message(FACTS).build(),
        ListClients::new().format(CLIENT).build(),
        DisplayMessage::new().print().message(END).build(),
        CapturePane::new().stdout().escape_sequences().target_pane(pane).build(),
    ]
}
