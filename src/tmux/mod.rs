//! The only code that talks to tmux.
//!
//! Every call goes through [`Server::run`]: one client process, a known socket, UTF-8 forced (without it tmux
//! replaces every non-ASCII character of its output), no inherited stdin. Commands are built with `tmux_interface`,
//! never by joining text. Each call starts a process, which costs some milliseconds, so several commands go
//! in one.
//!
//! No call waits for ever: a server may be stopped, or nobody may answer at its socket. A client without an answer
//! within the server's patience is killed, and the error says so ([`hangs`] recognises it). A server that continues
//! later may still carry out what it had received, so an act on a pane carries a time after which it does nothing.

pub mod clients;
mod format;
pub mod health;
pub mod opening;
pub mod pane;
pub mod panes;
pub mod version;

use crate::core::refusal::Refusal;
use crate::os::child;
use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::borrow::Cow;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tmux_interface::{DisplayMessage, Tmux, TmuxCommand, TmuxCommands};

/// How long a server may take for its answer by default: it needs a few milliseconds, on a busy machine a few hundred.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// One tmux server, by its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    socket: String,
    patience: Duration,
}

/// The output of a successful or failed call.
#[derive(Debug)]
pub struct Output {
    /// Whether tmux exited with 0. That alone never proves that something was typed.
    pub ok: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Server {
    /// The server listening on `socket`.
    pub fn new(socket: &str) -> Self {
        Self { socket: socket.to_owned(), patience: PATIENCE }
    }

    /// Sets the time limit for an answer.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The server this process runs in, by `$TMUX`; outside tmux, the user's default one.
    pub fn current() -> Self {
        let inside = std::env::var("TMUX").ok().and_then(|t| t.split(',').next().map(str::to_owned));
        if let Some(socket) = inside.filter(|socket| !socket.is_empty()) {
            Self { socket, patience: PATIENCE }
        } else {
            let dir =
                std::env::var("TMUX_TMPDIR").ok().filter(|d| !d.is_empty()).unwrap_or_else(|| "/tmp".into());
            Self::new(&format!("{dir}/tmux-{}/default", nix::unistd::getuid()))
        }
    }

    /// The path of its socket.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Whether a process listens at its socket. Does not ask or wait: a stopped server also listens, and so does one
    /// with a full queue of callers.
    pub fn listens(&self) -> bool {
        let Ok(address) = UnixAddr::new(self.socket.as_str()) else { return false };
        let made = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None);
        let Ok(caller) = made else { return false };
        let closes = fcntl(&caller, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
        if closes.and(fcntl(&caller, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))).is_err() {
            return false;
        }
        matches!(connect(caller.as_raw_fd(), &address), Ok(()) | Err(Errno::EAGAIN | Errno::EINPROGRESS))
    }

    /// Waits for any answer.
    pub fn answers(&self) -> Result<()> {
        self.run(vec![DisplayMessage::new().print().message("").build()], None).map(drop)
    }

    /// Runs `commands` in one client call, with `stdin` for a command that reads it.
    pub fn run(&self, commands: Vec<TmuxCommand<'_>>, stdin: Option<&[u8]>) -> Result<Output> {
        self.run_within(self.patience, commands, stdin)
    }

    fn run_within(
        &self,
        patience: Duration,
        commands: Vec<TmuxCommand<'_>>,
        stdin: Option<&[u8]>,
    ) -> Result<Output> {
        if let Some(why) = distrust(Path::new(&self.socket)) {
            return Err(Refusal::Tmux(format!("swarm does not use tmux at {}: {why}", self.socket)).into());
        }
        let asked = commands.first().and_then(|c| c.name.as_deref()).unwrap_or_default().to_owned();
        let mut list = TmuxCommands::new();
        for command in commands {
            list.push(command);
        }
        let mut tmux = Tmux::new().force_utf8().socket_path(self.socket.as_str());
        tmux.command = Some(list);
        let out = client(&mut Command::from(tmux), stdin, patience)?.ok_or_else(|| {
            Refusal::Hung(format!(
                "the tmux server at {} does not answer: {asked} was given up after {} s. If the server is stopped, \
                 `kill -CONT PID` lets it go on (its pid is the second part of $TMUX in its panes); if it hangs, end it; nothing \
                 of swarm is lost",
                self.socket,
                patience.as_secs_f32()
            ))
        })?;
        Ok(Output {
            ok: out.status.success(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).trim().to_owned(),
        })
    }

    /// [`Server::run`] that returns an error if tmux fails.
    pub fn must(&self, commands: Vec<TmuxCommand<'_>>, stdin: Option<&[u8]>) -> Result<String> {
        let out = self.run(commands, stdin)?;
        if out.ok {
            return Ok(out.stdout);
        }
        let why = crate::core::escape::short(&out.stderr, 200);
        Err(Refusal::Tmux(format!("tmux at {} cannot be reached or refused: {why}", self.socket)).into())
    }
}

/// Runs a tmux client. `None`: it did not end within `patience`, and was killed.
fn client(
    command: &mut Command,
    stdin: Option<&[u8]>,
    patience: Duration,
) -> Result<Option<std::process::Output>> {
    match child::output(command, stdin, patience) {
        Ok(out) => Ok(out),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied) => {
            Err(Refusal::Tmux(format!("cannot run tmux: {e}; is it installed and on PATH?")).into())
        }
        Err(e) => Err(e).context("cannot talk to tmux"),
    }
}

/// Whether an error means that a tmux server exists and does not answer.
pub fn hangs(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Refusal>(), Some(Refusal::Hung(_)))
}

/// Why a socket may belong to another user, now or later; `None` if it cannot. A tmux client does what its server says,
/// which may be to run a command, and with `-S` it trusts any server. So whoever can listen there, or put a socket
/// there, could run commands as this user. A record of a cloned `.swarm/` may also name such a socket.
fn distrust(socket: &Path) -> Option<String> {
    let own = nix::unistd::geteuid().as_raw();
    let real = socket.canonicalize().unwrap_or_else(|_| socket.to_owned());
    for dir in [socket.parent()?, real.parent()?] {
        // Nobody listens in a directory that does not exist; tmux will report it.
        let (Ok(link), Ok(meta)) = (dir.symlink_metadata(), dir.metadata()) else { continue };
        if [&link, &meta].iter().any(|m| m.uid() != own && m.uid() != 0) {
            return Some(format!("{} belongs to another user", dir.display()));
        }
        // In a directory with the sticky bit, such as /tmp, nobody can move another user's file.
        if meta.mode() & 0o1002 == 0o0002 {
            return Some(format!("anybody may create a socket in {}", dir.display()));
        }
    }
    let foreign = real.metadata().is_ok_and(|meta| meta.uid() != own);
    foreign.then(|| "it belongs to another user".to_owned())
}

/// An argument that tmux takes literally: a `;` at its end would end the command, and be lost.
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
}
