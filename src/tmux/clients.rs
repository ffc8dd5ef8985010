//! The people at the terminals: a line on their status lines, and the pane they look at.

use super::{Server, argument, format};
use crate::core::refusal::Refusal;
use crate::os::terminal;
use anyhow::Result;
use std::time::Duration;
use tmux_interface::{ListClients, LoadBuffer, SetOption, ShowOptions, SwitchClient, TmuxCommand};

/// The server option that holds the pane from which the last jump came.
const BACK: &str = "@swarm_back";

/// How long a message stays on a status line, unless a key is pressed there. A person who looks elsewhere misses
/// tmux's own 0.75 s.
const SHOWN: Duration = Duration::from_secs(10);

/// How long swarm waits for the end of a popup; after that it is closed.
const OPEN: Duration = Duration::from_secs(12 * 3600);

impl Server {
    /// Shows `text` on the status line of every attached client, for ten seconds or until the person there presses a
    /// key. If `ring` is set, their terminals ring. Returns whether anybody is attached. Two calls, or one if nobody
    /// is. tmux 3.2 cannot choose a client (its `-c` takes no argument), and shows the text to the one used last.
    pub fn alert(&self, text: &str, ring: bool) -> Result<bool> {
        let out = self.run(vec![ListClients::new().format("#{client_name}\t#{client_tty}").build()], None)?;
        let listed: Vec<(&str, &str)> = out.stdout.lines().filter_map(|line| line.split_once('\t')).collect();
        let clients: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
        if clients.is_empty() {
            return Ok(false);
        }
        let shown = format::message(&format!("swarm: {text}"));
        let delay = SHOWN.as_millis().to_string();
        let message = || {
            let mut message = TmuxCommand::new();
            message.name("display-message").push_option("-d", delay.as_str());
            message
        };
        let show = |client| {
            let mut message = message();
            message.push_option("-c", client).push_param(shown.as_str());
            message
        };
        if !self.run(clients.into_iter().map(show).collect(), None)?.ok {
            let mut message = message();
            message.push_param(shown.as_str());
            self.run(vec![message], None)?;
        }
        for (_, tty) in listed.iter().filter(|_| ring) {
            // If a terminal takes no byte now, it does not ring.
            let _ = terminal::ring(tty);
        }
        Ok(true)
    }

    /// Puts `text` into tmux's newest buffer, and into the clipboard of the person's terminal if tmux may set that.
    pub fn copy(&self, text: &str) -> Result<()> {
        let load = LoadBuffer::new().send_to_clipboard().path("-").build();
        self.must(vec![load], Some(text.as_bytes())).map(drop)
    }

    /// Shows `text` on one client's status line, or, without a name, on that of the client used last.
    pub fn tell(&self, client: Option<&str>, text: &str) -> Result<()> {
        let shown = format::message(&format!("swarm: {text}"));
        let message = |client: Option<&str>| {
            let mut message = TmuxCommand::new();
            message.name("display-message").push_option("-d", "3000");
            if let Some(client) = client {
                message.push_option("-c", client.to_owned());
            }
            message.push_param(shown.clone());
            message
        };
        // tmux 3.2 cannot choose a client.
        if !self.run(vec![message(client)], None)?.ok {
            self.run(vec![message(None)], None)?;
        }
        Ok(())
    }

    /// Opens a popup that runs the shell command `command` (one line) on every terminal where no key was pressed for
    /// `quiet`, and does not wait until it is closed. tmux opens none over another popup or a menu. Returns whether
    /// there was such a terminal.
    pub fn popup(&self, quiet: Duration, now_s: u64, command: &str) -> Result<bool> {
        let out =
            self.run(vec![ListClients::new().format("#{client_activity}\t#{client_name}").build()], None)?;
        let clients: Vec<&str> = out
            .stdout
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter(|(used, _)| used.parse::<u64>().is_ok_and(|at| at + quiet.as_secs() <= now_s))
            .map(|(_, name)| name)
            .collect();
        for client in &clients {
            let (server, client, command) = (self.clone(), (*client).to_owned(), command.to_owned());
            // tmux keeps the caller waiting until a person closes the popup. The server has answered a moment ago.
            std::thread::spawn(move || {
                let mut popup = TmuxCommand::new();
                popup.name("display-popup").push_flag("-E").push_option("-c", client);
                popup.push_option("-w", "80%").push_option("-h", "80%").push_param(argument(&command));
                server.run_within(OPEN, vec![popup], None)
            });
        }
        Ok(!clients.is_empty())
    }

    /// Makes a client show `pane`, and remembers the pane before. Without a name: the client used last.
    pub fn go(&self, client: Option<&str>, pane: &str) -> Result<()> {
        let (client, from) = self.looking(client)?.ok_or_else(nobody)?;
        let mut remember = SetOption::new().server().build();
        remember.push_param(BACK).push_param(from);
        let go: TmuxCommand<'_> = SwitchClient::new().target_client(client).target_session(pane).build();
        self.must(vec![remember, go], None)?;
        Ok(())
    }

    /// Makes a client show the pane from before the last [`Server::go`].
    pub fn go_back(&self, client: Option<&str>) -> Result<()> {
        let mut show = ShowOptions::new().server().quiet().value().build();
        show.push_param(BACK);
        let pane = self.must(vec![show], None)?.trim().to_owned();
        if pane.is_empty() {
            return Err(Refusal::Usage("there was no jump to go back from".into()).into());
        }
        self.go(client, &pane)
    }

    /// The pane that a client looks at; `None` if nobody is attached.
    pub fn seen_by(&self, client: Option<&str>) -> Result<Option<String>> {
        Ok(self.looking(client)?.map(|(_, pane)| pane))
    }

    /// The client of that name, or the one used last, and the pane it looks at.
    fn looking(&self, client: Option<&str>) -> Result<Option<(String, String)>> {
        let format = "#{client_activity}\t#{client_name}\t#{pane_id}";
        let out = self.must(vec![ListClients::new().format(format).build()], None)?;
        let seen = out.lines().filter_map(|line| {
            let mut parts = line.split('\t');
            let (used, name, pane) = (parts.next()?, parts.next()?, parts.next()?);
            (client.is_none_or(|c| c == name))
                .then(|| (used.parse::<u64>().ok(), name.to_owned(), pane.to_owned()))
        });
        Ok(seen.max().map(|(_, name, pane)| (name, pane)))
    }
}

fn nobody() -> anyhow::Error {
    Refusal::Usage("no terminal is attached to that tmux server, so none can go there".into()).into()
}
