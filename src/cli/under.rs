//! Runs a command under a lease, as flock(1) does.
//!
//! The lease belongs to this process until the command has started, and to the command's own process after that. If
//! this process is killed, the path stays leased as long as the command runs. The lease is renewed while the command
//! runs, and given back when it ends. Signals are passed on, except those that the terminal sends to the command
//! itself.

use crate::core::lease::{Grant, Holder, LeaseSelector, Request};
use crate::os::process;
use crate::store::Store;
use crate::store::leases::Part;
use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use std::ffi::OsString;
use std::fmt;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Signals = SignalDelivery<UnixStream, SignalOnly>;

/// The command has ended with this exit code; it is not an error of swarm.
#[derive(Debug)]
pub(super) struct Ended(pub(super) u8);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command ended with {}", self.0)
    }
}

impl std::error::Error for Ended {}

/// Runs `command`, then gives the lease back.
pub(super) fn run(store: &Store, request: &Request, grant: &Grant, command: &[OsString]) -> Result<()> {
    let mut holder = request.holder.clone();
    let ended = supervise(store, &mut holder, request.ttl_ms, grant, command);
    for lease in &grant.leases {
        store.change_leases(Part::Numbers(&[lease.fence]), |t| {
            t.give_back(&holder, LeaseSelector::Fence(lease.fence))
        })?;
    }
    let _ = store.ring();
    if store.has_team() {
        store.ring_link();
    }
    match ended? {
        0 => Ok(()),
        code => Err(Ended(code).into()),
    }
}

#[inline(never)]
fn supervise(
    store: &Store,
    holder: &mut Holder,
    ttl_ms: u64,
    grant: &Grant,
    command: &[OsString],
) -> Result<u8> {
    // Handlers before the child: no signal is lost in between, and an exec resets them for the child.
    let mut signals = signals().context("cannot handle signals")?;
    let (program, args) = command.split_first().context("there is no command")?;
    let mut child = match Command::new(program).args(args).spawn() {
        Ok(child) => child,
        Err(error) => {
            let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
            let shown = crate::core::escape::short(&program.to_string_lossy(), 100);
            super::print::tell(&format!("cannot run {shown}: {error}"));
            return Ok(code);
        }
    };
    if let Ok(bound) = bind(store, holder, grant, &child) {
        *holder = bound;
    }
    let holder = &*holder;
    let pause = Duration::from_millis(ttl_ms / 3);
    if let Some(status) = attend(&mut child, &mut signals, Some(Instant::now() + pause))? {
        return Ok(exit_code(status));
    }
    // A thread is started only for a command that runs this long.
    let (done, renewing) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                for lease in &grant.leases {
                    // Tried again after a third of the remaining time.
                    let _ = store.change_leases(Part::Numbers(&[lease.fence]), |t| {
                        t.renew(holder, LeaseSelector::Fence(lease.fence), ttl_ms)
                    });
                }
                if renewing.recv_timeout(pause) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        let status = attend(&mut child, &mut signals, None);
        drop(done);
        Ok(exit_code(status?.context("the command's end was missed")?))
    })
}

fn signals() -> std::io::Result<Signals> {
    let (read, write) = UnixStream::pair()?;
    let passed_on = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
    Signals::with_pipe(read, write, SignalOnly, passed_on.into_iter().chain([SIGCHLD]))
}

/// Binds the leases to the command's own process. If that fails they stay with this process.
fn bind(store: &Store, guard: &Holder, grant: &Grant, child: &Child) -> Result<Holder> {
    // The child is not reaped yet, so its pid cannot be another process's.
    let process = process::child(child.id())?;
    let numbers: Vec<u64> = grant.leases.iter().map(|l| l.fence).collect();
    store.bind_leases(&numbers, guard, &process)?;
    Ok(Holder { process: Some(process), ..guard.clone() })
}

/// Passes signals on until the child ends. `None`: it has not ended by this time.
fn attend(child: &mut Child, signals: &mut Signals, until: Option<Instant>) -> Result<Option<ExitStatus>> {
    let pid = Pid::from_raw(i32::try_from(child.id()).context("the command's pid is out of range")?);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            return Ok(Some(status));
        }
        let rest = until.map(|until| until.saturating_duration_since(Instant::now()));
        if rest.is_some_and(|rest| rest.is_zero()) {
            return Ok(None);
        }
        // Rounded up, so that the last fraction of a millisecond is not a busy loop.
        let timeout = rest.map_or(PollTimeout::NONE, |rest| {
            PollTimeout::try_from(rest + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut [PollFd::new(signals.get_read().as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e).context("cannot wait for the command"),
        }
        for signal in signals.pending() {
            let signal = Signal::try_from(signal).context("an unknown signal")?;
            let from_terminal = matches!(signal, Signal::SIGINT | Signal::SIGQUIT) && in_foreground();
            // The child is not reaped yet, so its pid cannot be another process's.
            if signal != Signal::SIGCHLD && !from_terminal {
                let _ = kill(pid, signal);
            }
        }
    }
}

/// Whether Ctrl-C and Ctrl-\ reach this process and its child from the terminal.
fn in_foreground() -> bool {
    tcgetpgrp(std::io::stdin()).is_ok_and(|group| group == getpgrp())
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(1)
}
