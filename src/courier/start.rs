//! Starts the courier from any command that finds none, and ends it.
//!
//! A command takes the courier's lock before it starts the process, and passes the lock on as its standard input. So
//! if many commands find no courier at once, exactly one starts one, and the lock is never free in between. If the
//! process is killed, the kernel frees it.
//!
//! The newest version serves. A command that finds a courier of an older version, or from before couriers recorded
//! their version, replaces it. One that finds a newer courier leaves it. Equal versions never replace each other, so
//! two installations do not take turns. The courier handles an update in place itself ([`super::succession`]).

use super::succession;
use crate::core::agent::Agent;
use crate::core::process_id::ProcessId;
use crate::os::{process, program};
use crate::store::lock::{self, Held};
use crate::store::mail::Folder;
use crate::store::service::Service;
use crate::store::team::link_lock;
use crate::store::{Store, record, wake};
use crate::tmux::Server;
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a courier may take to end by itself, and then to be gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the kernel may take, on an overloaded machine, to close the files of a killed courier.
const CLOSING: Duration = Duration::from_secs(30);

/// The pause between two checks of a bell that is about to fall silent.
const PAUSE: Duration = Duration::from_millis(2);

/// The least time between two automatic starts: a courier that ends at once must not be started by every command.
const AGAIN: Duration = Duration::from_secs(1);

/// Rings the courier; starts one if none listens and that is possible here. `false`: none runs.
pub fn ensure(store: &Store, server: &Server) -> Result<bool> {
    if store.ring()? {
        // The old courier still works; the next command tries again.
        let _ = replace_outdated(store, server);
        return Ok(true);
    }
    spawn(store, server, AGAIN)
}

/// Starts a courier if none listens and something needs one: mail, acknowledgements, leases, notices. Any command may
/// call this; usually it costs one system call. After a failure the next command tries again.
pub fn revive(store: &Store) {
    if store.is_served().unwrap_or(true) {
        return;
    }
    if !is_needed(store).unwrap_or(false) {
        return;
    }
    let place = place(store);
    let fresh =
        |meta: std::fs::Metadata| meta.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < AGAIN));
    if place.symlink_metadata().is_ok_and(fresh) {
        return;
    }
    let known = store.living().unwrap_or_default();
    let server = known.first().map_or_else(Server::current, |a| Server::new(&a.place.socket));
    let _ = spawn(store, &server, Duration::ZERO);
}

/// Whether something waits that only a courier does.
fn is_needed(store: &Store) -> Result<bool> {
    if store.has_many_leases() {
        return Ok(true);
    }
    for dir in ["leases", "waiters", "notices", "outbox", "claims"] {
        if record::is_any(&store.dir().join(dir))? {
            return Ok(true);
        }
    }
    let mut owners = Vec::new();
    for owner in store.mailboxes()? {
        let awaited = !store.mail_files(&owner, Folder::Unacked)?.is_empty();
        if awaited && owner.is_human() {
            return Ok(true);
        }
        if awaited || (!owner.is_human() && !store.mail_files(&owner, Folder::New)?.is_empty()) {
            owners.push(owner);
        }
    }
    // A courier has nothing to do for a recipient without a record. The records are read only if mail waits.
    Ok(!owners.is_empty() && store.agents()?.iter().any(|a| owners.contains(&a.name)))
}

/// Starts this host's link to its team, if it has a team and no link runs. After a failure the next look tries again.
pub fn ensure_link(store: &Store) {
    let start = || -> Result<()> {
        let bell = store.team_dir().join("bell");
        if !store.has_team() || wake::is_heard(&bell)? || store.is_retired() {
            return Ok(());
        }
        let program = link_program()?;
        if !program.exists() {
            return store.note_link(&format!("{} is not there", program.display()));
        }
        let lock = link_lock(store);
        let fresh = |meta: std::fs::Metadata| {
            meta.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < AGAIN))
        };
        let known = lock.symlink_metadata();
        if known.is_ok_and(fresh) {
            return Ok(());
        }
        let Some(held) = lock::try_exclusive(&lock)? else { return Ok(()) };
        held.touch();
        Command::new(&program)
            .arg("run")
            .arg("--root")
            .arg(store.root())
            .env_remove("SWARM_ROOT")
            .env("MALLOC_ARENA_MAX", "1")
            .current_dir("/")
            .stdin(held.stdio().context("cannot pass the lock on")?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(drop)
            .with_context(|| format!("cannot start {}", program.display()))
    };
    let _ = start();
}

fn place(store: &Store) -> PathBuf {
    store.dir().join("courier.lock")
}

/// Starts a courier unless one runs. It detaches itself: it must outlive the caller and its terminal.
fn spawn(store: &Store, server: &Server, patience: Duration) -> Result<bool> {
    if store.is_retired() || !can_serve(store, server)? {
        return Ok(false);
    }
    if let Some(held) = free_lock(store, patience)? {
        take_up(store, server, &held, &[])?;
    }
    Ok(true)
}

/// Starts a courier in place of `killed`, if something needs one.
///
/// The kernel closes the files of a killed process one after another, on a busy machine with pauses: the pipe to its
/// keeper may be closed while the lock is still held and the bell still has a reader. So these two mean that a
/// courier serves only if the record names another process.
pub(super) fn replace_killed(
    store: &Store,
    server: &Server,
    killed: Option<&ProcessId>,
    fallen: u32,
) -> Result<()> {
    let is_replaced = || {
        let now = store.service().ok().flatten().map(|service| service.process);
        now.as_ref() != killed && store.is_served().unwrap_or(true)
    };
    let Some(held) = lock::try_within(&place(store), CLOSING, is_replaced)? else { return Ok(()) };
    // Nobody heard a ring to the killed courier. The reason for that ring is looked for when the bell is silent.
    let begun = Instant::now();
    while store.is_served().unwrap_or(false) && begun.elapsed() < CLOSING {
        std::thread::sleep(PAUSE);
    }
    if !is_needed(store)? || store.is_retired() || !can_serve(store, server)? {
        return Ok(());
    }
    take_up(store, server, &held, &["--fallen", &fallen.to_string()])
}

/// The courier's lock, once it is free. `None`: a process that listens has it, or one held it for the whole time. A
/// process that has the lock and does not listen yet is just starting, and will look at the mail itself; or it is a
/// child that a killed courier had just made, which holds the lock until its exec.
fn free_lock(store: &Store, patience: Duration) -> Result<Option<Held>> {
    lock::try_within(&place(store), patience, || store.is_served().unwrap_or(true))
}

/// Starts a courier that holds this lock, the courier's.
fn take_up(store: &Store, server: &Server, held: &Held, more: &[&str]) -> Result<()> {
    held.touch();
    launch(&own()?, store, server.socket(), held, more).map(drop)
}

/// Whether a courier that is started here could do its work. In a sandbox, the server or the agents' processes may be
/// out of reach, and a process that is started there would end with the sandbox.
fn can_serve(store: &Store, server: &Server) -> Result<bool> {
    if !server.listens() {
        return Ok(false);
    }
    let here = process::namespace();
    let elsewhere = |a: &Agent| a.place.namespace.is_some() && a.place.namespace != here;
    Ok(!store.living()?.iter().any(elsewhere))
}

/// The program of this installation that links hosts.
pub fn link_program() -> Result<PathBuf> {
    Ok(own()?.with_file_name("swarm-link"))
}

/// The program of this installation's couriers.
pub(super) fn own() -> Result<PathBuf> {
    Ok(std::env::current_exe().context("cannot find this program")?.with_file_name("swarm"))
}

/// Starts `program` as a courier that holds the lock from its first moment on.
pub(super) fn launch(
    program: &Path,
    store: &Store,
    socket: &str,
    held: &Held,
    more: &[&str],
) -> Result<std::process::Child> {
    Command::new(program)
        .arg("courier")
        .args(["--socket", socket])
        .arg("--root")
        .arg(store.root())
        .args(more)
        // The caller may work on another project: its environment must not decide.
        .env_remove("SWARM_ROOT")
        // For glibc: the threads, one for each agent in every round, mostly wait, and each would keep memory of its
        // own.
        .env("MALLOC_ARENA_MAX", "1")
        .current_dir("/")
        .stdin(held.stdio().context("cannot pass the lock on")?)
        .stdout(if more == [succession::SUCCEED] { Stdio::piped() } else { Stdio::null() })
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

/// Ends a courier of an older version, and starts one of this version. One command at a time does so.
fn replace_outdated(store: &Store, server: &Server) -> Result<()> {
    if !is_outdated(store)? {
        return Ok(());
    }
    let Some(_turn) = lock::try_exclusive(&store.dir().join("courier.next"))? else { return Ok(()) };
    if store.is_retired() || !can_serve(store, server)? || !end(store)? {
        return Ok(());
    }
    // A child that the courier had just made holds its lock until its exec.
    match lock::try_within(&place(store), AGAIN, || !is_outdated(store).unwrap_or(false))? {
        Some(held) => take_up(store, server, &held, &[]),
        None => Ok(()),
    }
}

/// Whether the courier may be of an older version than this program.
fn is_outdated(store: &Store) -> Result<bool> {
    Ok(store.service()?.is_none_or(|service| {
        let gone = process::check_in(service.namespace, &service.process) == Some(false);
        gone || is_older(&service.version, env!("CARGO_PKG_VERSION"))
    }))
}

/// Whether a version is older than another one. An invalid version is older than any.
fn is_older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
    };
    numbers(version) < numbers(than)
}

/// Whether a courier is of a later version than this program.
pub fn is_newer(service: &Service) -> bool {
    is_older(env!("CARGO_PKG_VERSION"), &service.version)
}

/// The process of the courier, if it is known.
pub fn courier(store_dir: &Path) -> Option<ProcessId> {
    program::holder(&store_dir.join("courier.lock"), "courier")
}

/// The pid of the courier, if the courier is stopped: it has the bell, and hears nothing.
pub fn stopped(store: &Store) -> Option<i32> {
    let service = store.service().ok().flatten()?;
    let here = process::check_in(service.namespace, &service.process) == Some(true);
    let process = Some(&service.process).filter(|_| here).and_then(process::look)?;
    process.stopped.then_some(service.process.pid)
}

/// Ends the courier between two deliveries; after a while at once, which loses and repeats nothing either. `false`:
/// there is none, or its process is unknown here.
pub fn end(store: &Store) -> Result<bool> {
    let Some(id) = courier(store.dir()) else { return Ok(false) };
    stop(&id, || drop(store.ring()))?;
    Ok(true)
}

/// Ends the courier with this process id; `wake` ends its sleep.
pub fn stop(id: &ProcessId, wake: impl Fn()) -> Result<()> {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if process::is_alive(id) {
            kill(Pid::from_raw(id.pid), signal).context("the courier cannot be ended")?;
            wake();
        }
        let begun = Instant::now();
        while process::is_alive(id) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if process::is_alive(id) {
        bail!("the courier (process {}) does not end", id.pid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_serves() {
        for (version, than, older) in [
            ("0.1.0", "0.1.1", true),
            ("0.1.9", "0.1.10", true),
            ("0.9.0", "1.0.0", true),
            ("0.1.1", "0.1.1", false),
            ("0.2.0", "0.1.1", false),
            ("", "0.1.0", true),
        ] {
            assert_eq!(is_older(version, than), older, "{version} {than}");
        }
    }
}
