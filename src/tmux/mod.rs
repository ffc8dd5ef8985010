//! The only code that talks to tmux.
//!
//! Every call goes through [`Server::run`]: one client process, a known socket, UTF-8 forced (without it tmux
//! replaces every non-ASCII character of its output), no inherited stdin. Commands are built with
//! `tmux_interface`, never by joining text. A call costs 3 to 4 ms whatever it does, so several commands go in one.

pub mod clients;
pub mod health;
pub mod pane;
pub mod panes;
pub mod version;

use crate::core::refusal::Refusal;
use anyhow::{Context as _, Result};
use std::borrow::Cow;
use std::io::Write;
use std::process::{Command, Stdio};
use tmux_interface::{Tmux, TmuxCommand, TmuxCommands};

/// One tmux server, by its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    socket: String,
}

/// What a successful or failed call printed.
#[derive(Debug)]
pub struct Output {
    /// Whether tmux exited with 0. That alone never means that something was typed.
    pub ok: bool,
    /// What it printed.
    pub stdout: String,
    /// Its complaint.
    pub stderr: String,
}

impl Server {
    /// The server listening on `socket`.
    pub fn new(socket: &str) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// The server this process runs in, by `$TMUX`; outside tmux, the user's default one.
    pub fn current() -> Self {
        let inside = std::env::var("TMUX").ok().and_then(|t| t.split(',').next().map(str::to_owned));
        if let Some(socket) = inside.filter(|socket| !socket.is_empty()) {
            Self { socket }
        } else {
            let dir =
                std::env::var("TMUX_TMPDIR").ok().filter(|d| !d.is_empty()).unwrap_or_else(|| "/tmp".into());
            Self { socket: format!("{dir}/tmux-{}/default", nix::unistd::getuid()) }
        }
    }

    /// The path of its socket.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Runs `commands` in one client call, with `stdin` for a command that reads it.
    pub fn run(&self, commands: Vec<TmuxCommand<'_>>, stdin: Option<&[u8]>) -> Result<Output> {
        let mut list = TmuxCommands::new();
        for command in commands {
            list.push(command);
        }
        let mut tmux = Tmux::new().force_utf8().socket_path(self.socket.as_str());
        tmux.command = Some(list);
        let mut command = Command::from(tmux);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| {
            anyhow::Error::new(Refusal::Tmux(format!("cannot run tmux: {e}; is it installed and on PATH?")))
        })?;
        if let (Some(bytes), Some(mut pipe)) = (stdin, child.stdin.take()) {
            // tmux may end before it has read everything; its exit status then tells.
            let _ = pipe.write_all(bytes);
        }
        let out = child.wait_with_output().context("cannot wait for tmux")?;
        Ok(Output {
            ok: out.status.success(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        })
    }

    /// [`Server::run`], a failure of tmux being an error.
    pub fn must(&self, commands: Vec<TmuxCommand<'_>>, stdin: Option<&[u8]>) -> Result<String> {
        let out = self.run(commands, stdin)?;
        if out.ok {
            return Ok(out.stdout);
        }
        let why = crate::core::escape::short(&out.stderr, 200);
        Err(Refusal::Tmux(format!("tmux at {} cannot be reached or refused: {why}", self.socket)).into())
    }
}

/// A text that goes into a tmux format literally: `#` doubled, and no character that ends an argument of a format.
/// `None` if it holds one.
pub(crate) fn literal(text: &str) -> Option<Cow<'_, str>> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '%' | '/' | '@' | '+' | ' ');
    text.chars().all(plain).then_some(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_a_format_could_misread_is_not_literal() {
        assert!(literal("node").is_some());
        for bad in ["#{x}", "a,b", "a}", "#(id)", "a\"b"] {
            assert!(literal(bad).is_none(), "{bad}");
        }
    }
}
