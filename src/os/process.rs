//! One look at the processes of this machine.
//!
//! The facts come from the module of the system: `/proc` on Linux, one `ps` elsewhere. The conclusions are here, and
//! the same everywhere. A process that ends during the look is not in it.

use super::system::{argv_of, lookup, read_all, read_argv, read_one, try_read_one};
use crate::core::order;
use crate::core::process_id::ProcessId;
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;

pub use super::system::{boot_id, cwd, is_foreign, listens, namespace, namespace_of};

/// The facts about one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// Its parent's pid.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// The foreground process group of its terminal; -1 without a terminal.
    pub foreground: i32,
    pub start: u64,
    /// Whether it is stopped (Ctrl-Z).
    pub stopped: bool,
    /// Whether it has ended and only waits for its parent.
    pub ended: bool,
    /// The name that the system shows.
    pub comm: String,
    /// Its arguments as one line, if the system gave them with the rest.
    pub(super) line: Option<String>,
}

impl Process {
    /// Whether it has no parent.
    pub fn is_topmost(&self) -> bool {
        self.parent == 0 || self.parent == self.pid
    }

    /// Its arguments.
    pub fn argv(&self) -> Vec<String> {
        argv_of(self)
    }
}

/// All processes at one moment.
#[derive(Debug)]
pub struct Table {
    by_pid: BTreeMap<i32, Process>,
    boot: String,
}

impl Table {
    /// Reads all processes.
    pub fn read() -> Result<Self> {
        Ok(Self { by_pid: order::collect(read_all()?.into_iter().map(|p| (p.pid, p))), boot: boot_id()? })
    }

    pub fn get(&self, pid: i32) -> Option<&Process> {
        self.by_pid.get(&pid)
    }

    pub fn all(&self) -> impl Iterator<Item = &Process> {
        self.by_pid.values()
    }

    /// The full identity of one process.
    pub fn id(&self, pid: i32) -> Option<ProcessId> {
        self.get(pid).map(|p| ProcessId { pid, start: p.start, boot: self.boot.clone() })
    }

    /// Whether exactly this process still runs.
    pub fn is_alive(&self, id: &ProcessId) -> bool {
        self.boot == id.boot && self.get(id.pid).is_some_and(|p| p.start == id.start && !p.ended)
    }

    /// `pid` and everything below it, nearest first.
    pub fn tree(&self, pid: i32) -> Vec<&Process> {
        let mut found: Vec<&Process> = self.get(pid).into_iter().collect();
        let mut next = 0;
        while next < found.len() {
            let parent = found[next].pid;
            found.extend(self.by_pid.values().filter(|p| p.parent == parent && p.pid != parent));
            next += 1;
        }
        found
    }
}

/// Reads one process only; `None` if exactly this process no longer runs.
pub fn look(id: &ProcessId) -> Option<Process> {
    if boot_id().ok()? != id.boot {
        return None;
    }
    read_one(id.pid).filter(|p| p.start == id.start && !p.ended)
}

/// The name of a program that a process has started and that still runs, if there is one.
pub fn child_of(pid: i32) -> Result<Option<String>> {
    let table = Table::read()?;
    Ok(table.tree(pid).into_iter().find(|p| p.pid != pid && !p.ended).map(|p| p.comm.clone()))
}

/// Whether exactly this process still runs. Reads nothing else.
pub fn is_alive(id: &ProcessId) -> bool {
    look(id).is_some()
}

/// Whether exactly this process still runs; `None` if the system does not show it. For callers that take something
/// away from a dead process.
pub fn check(id: &ProcessId) -> Option<bool> {
    check_within(&boot_id().ok()?, id)
}

/// [`check`] for callers that ask about many, and know the boot of the machine.
pub fn check_within(boot: &str, id: &ProcessId) -> Option<bool> {
    if boot != id.boot {
        return Some(false);
    }
    let found = try_read_one(id.pid).ok()?;
    Some(found.is_some_and(|p| p.start == id.start && !p.ended))
}

/// [`check`] of a process that may be known in another pid namespace: from inside a sandbox nobody outside can be
/// judged.
pub fn check_in(known_in: Option<u64>, id: &ProcessId) -> Option<bool> {
    Here::look().check(known_in, id)
}

/// The boot and the namespace of this process, read once for callers that ask about many.
#[derive(Debug)]
pub struct Here {
    boot: Option<String>,
    namespace: Option<u64>,
}

impl Here {
    pub fn look() -> Self {
        Self { boot: boot_id().ok(), namespace: namespace() }
    }

    /// See [`check_in`].
    pub fn check(&self, known_in: Option<u64>, id: &ProcessId) -> Option<bool> {
        if known_in.is_some() && known_in != self.namespace {
            return None;
        }
        check_within(self.boot.as_deref()?, id)
    }
}

/// The id of this process, as the system shows it. In a pid namespace with the outer /proc, it differs from the id
/// inside.
fn own_pid() -> Result<i32> {
    let shown = std::fs::read_link("/proc/self").ok().and_then(|link| link.to_str()?.parse().ok());
    shown.map_or_else(|| i32::try_from(std::process::id()).context("this process's id is out of range"), Ok)
}

/// This process itself.
pub fn this() -> Result<ProcessId> {
    with_pid(own_pid()?)
}

/// The child of this process with this pid. Unknown if the system shows other ids than those that apply here.
pub fn child(pid: u32) -> Result<ProcessId> {
    if u32::try_from(own_pid()?) != Ok(std::process::id()) {
        bail!("the system shows processes of another pid namespace");
    }
    with_pid(i32::try_from(pid).context("its id is out of range")?)
}

/// Whether no process has this pid now; `None` if the system does not show it.
pub fn is_free(pid: i32) -> Option<bool> {
    if u32::try_from(own_pid().ok()?) != Ok(std::process::id()) {
        return None;
    }
    try_read_one(pid).ok().map(|found| found.is_none_or(|p| p.ended))
}

fn with_pid(pid: i32) -> Result<ProcessId> {
    let found = read_one(pid).context("this process cannot be inspected")?;
    Ok(ProcessId { pid, start: found.start, boot: boot_id()? })
}

/// The first arguments of a process: enough to recognise a server, however long its command line is.
pub fn first_arguments(pid: i32) -> Vec<String> {
    let mut argv = read_argv(pid);
    argv.truncate(4);
    argv
}

/// Sends SIGTERM to exactly this process, also if it is suspended. `false`: it has ended already.
pub fn ask_to_end(id: &ProcessId) -> Result<bool> {
    if !is_alive(id) {
        return Ok(false);
    }
    kill(Pid::from_raw(id.pid), Signal::SIGTERM)
        .with_context(|| format!("process {} cannot be ended", id.pid))?;
    // A suspended process gets the signal only when it continues. It may have ended meanwhile.
    let _ = kill(Pid::from_raw(id.pid), Signal::SIGCONT);
    Ok(true)
}

/// All arguments of a process, within the first 4096 bytes.
pub fn arguments(pid: i32) -> Vec<String> {
    read_argv(pid)
}

/// This process and those above it, nearest first, as far as they can be seen.
pub fn ancestry() -> Result<Vec<ProcessId>> {
    Ok(ancestors()?.into_iter().map(|(id, _)| id).collect())
}

/// [`ancestry`] with the facts about each process.
pub fn ancestors() -> Result<Vec<(ProcessId, Process)>> {
    let boot = boot_id()?;
    let mut chain = Vec::new();
    let mut pid = own_pid()?;
    let lookup = lookup()?;
    while pid > 0 && chain.len() < 256 {
        let Some(process) = lookup(pid) else { break };
        let id = ProcessId { pid, start: process.start, boot: boot.clone() };
        let above = process.parent;
        chain.push((id, process));
        if above == pid {
            break;
        }
        pid = above;
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_in_its_own_ancestry() {
        let chain = ancestry().unwrap();
        assert_eq!(chain[0].pid, i32::try_from(std::process::id()).unwrap());
        assert_eq!(chain[0], this().unwrap());
        assert!(is_alive(&chain[0]) && chain.len() > 1, "{chain:?}");
        assert!(Table::read().unwrap().is_alive(&chain[0]));
        let reborn = ProcessId { start: chain[0].start + 1, ..chain[0].clone() };
        assert!(!is_alive(&reborn));
        assert_eq!(check(&reborn), Some(false));
    }

    #[test]
    fn this_process_has_the_arguments_it_was_started_with() {
        let table = Table::read().unwrap();
        let own = table.get(i32::try_from(std::process::id()).unwrap()).unwrap();
        let expected: Vec<String> = std::env::args().take(2).collect();
        assert!(own.argv().starts_with(&expected), "{:?}", own.argv());
    }
}
