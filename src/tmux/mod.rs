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
use std::os::unix::fs::MetadataExt;
use std::path::Path;
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
        if let Some(why) = distrust(Path::new(&self.socket)) {
            return Err(Refusal::Tmux(format!("tmux at {} is not spoken to: {why}", self.socket)).into());
        }
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

/// Why a socket may be another user's, or become one's; `None` if not. A tmux client does what its server says, which may be to
/// run a command, and with `-S` it trusts any: so whoever can listen there, or put their own socket there, could run commands as
/// this user. A record of a cloned `.swarm/` may name one, too.
fn distrust(socket: &Path) -> Option<String> {
    let own = nix::unistd::geteuid().as_raw();
    let real = socket.canonicalize().unwrap_or_else(|_| socket.to_owned());
    for dir in [socket.parent()?, real.parent()?] {
        // Nobody listens in a directory that is not there: tmux will say so.
        let (Ok(link), Ok(meta)) = (dir.symlink_metadata(), dir.metadata()) else { continue };
        if [&link, &meta].iter().any(|m| m.uid() != own && m.uid() != 0) {
            return Some(format!("{} belongs to another user", dir.display()));
        }
        // In a directory such as /tmp, with the sticky bit, nobody can move away what is another's.
        if meta.mode() & 0o1002 == 0o0002 {
            return Some(format!("anybody may put a socket of their own into {}", dir.display()));
        }
    }
    let foreign = real.metadata().is_ok_and(|meta| meta.uid() != own);
    foreign.then(|| "it belongs to another user".to_owned())
}

/// A text that goes into a tmux format literally: `#` doubled, and no character that ends an argument of a format.
/// `None` if it holds one.
pub(crate) fn literal(text: &str) -> Option<Cow<'_, str>> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '%' | '/' | '@' | '+' | ' ');
    text.chars().all(plain).then_some(Cow::Borrowed(text))
}

/// An argument that tmux takes as it is: a `;` at its end would end the command, and be lost.
pub(crate) fn argument(text: &str) -> Cow<'_, str> {
    match text.strip_suffix(';') {
        Some(before) => Cow::Owned(format!("{before}\\;")),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_where_others_could_put_theirs_is_not_trusted() {
        use std::fs::{Permissions, create_dir, set_permissions};
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("tmux-0");
        create_dir(&place).unwrap();
        let socket = place.join("default");
        for (mode, trusted) in [(0o700, true), (0o775, true), (0o1777, true), (0o777, false), (0o702, false)]
        {
            set_permissions(&place, Permissions::from_mode(mode)).unwrap();
            assert_eq!(distrust(&socket).is_none(), trusted, "{mode:o}");
            let link = dir.path().join(format!("link-{mode:o}"));
            std::os::unix::fs::symlink(&socket, &link).unwrap();
        }
        set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(distrust(&socket).is_none());
        set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
        assert!(distrust(&dir.path().join("link-700")).is_some(), "wherever a link leads");
        assert!(distrust(&dir.path().join("nowhere/socket")).is_none());
    }

    #[test]
    fn text_that_a_format_could_misread_is_not_literal() {
        assert!(literal("node").is_some());
        for bad in ["#{x}", "a,b", "a}", "#(id)", "a\"b"] {
            assert!(literal(bad).is_none(), "{bad}");
        }
    }
}
