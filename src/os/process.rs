//! One look at the processes of this machine.
//!
//! On Linux `/proc` is read: `stat` of every process once (the tree), the command line only of those asked for. On
//! other systems one `ps` gives all of it (macOS is supported by design and untested). A process that ends during
//! the look is simply not in it.

use crate::core::process_id::ProcessId;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;

/// What is known of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: i32,
    /// Its parent's pid.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// The foreground process group of its terminal; -1 without a terminal.
    pub foreground: i32,
    /// When it started.
    pub start: u64,
    /// Whether it is stopped (Ctrl-Z).
    pub stopped: bool,
    /// Whether it has ended and only waits for its parent.
    pub ended: bool,
    /// Its name as the system tells it.
    pub comm: String,
    /// Its arguments, where the system gave them with the rest.
    argv: Option<Vec<String>>,
}

/// All processes at one moment.
#[derive(Debug)]
pub struct Table {
    by_pid: BTreeMap<i32, Process>,
    boot: String,
}

impl Table {
    /// Looks at all processes.
    pub fn read() -> Result<Self> {
        Ok(Self { by_pid: read_all()?.into_iter().map(|p| (p.pid, p)).collect(), boot: boot_id()? })
    }

    /// One process.
    pub fn get(&self, pid: i32) -> Option<&Process> {
        self.by_pid.get(&pid)
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

    /// The arguments of a process.
    pub fn argv(&self, process: &Process) -> Vec<String> {
        process.argv.clone().unwrap_or_else(|| read_argv(process.pid))
    }
}

/// Looks at one process only; `None` if exactly that one no longer runs.
pub fn look(id: &ProcessId) -> Option<Process> {
    if boot_id().ok()? != id.boot {
        return None;
    }
    read_one(id.pid).filter(|p| p.start == id.start && !p.ended)
}

/// Whether exactly this process still runs; looks at nothing else.
pub fn is_alive(id: &ProcessId) -> bool {
    look(id).is_some()
}

/// Whether exactly this process still runs; `None` if the system does not tell. For those to whom "dead" means to take
/// something away.
pub fn check(id: &ProcessId) -> Option<bool> {
    if boot_id().ok()? != id.boot {
        return Some(false);
    }
    let found = try_read_one(id.pid).ok()?;
    Some(found.is_some_and(|p| p.start == id.start && !p.ended))
}

/// [`check`] of a process known in another pid namespace, perhaps: from inside a sandbox nobody outside can be judged.
pub fn check_in(known_in: Option<u64>, id: &ProcessId) -> Option<bool> {
    if known_in.is_some() && known_in != namespace() { None } else { check(id) }
}

/// This process itself.
pub fn this() -> Result<ProcessId> {
    let pid = i32::try_from(std::process::id()).context("this process's id is out of range")?;
    let own = read_one(pid).context("this process cannot be looked at")?;
    Ok(ProcessId { pid, start: own.start, boot: boot_id()? })
}

/// The first arguments of a process: enough to know a server by, however long its command line is.
pub fn first_arguments(pid: i32) -> Vec<String> {
    let mut argv = read_argv(pid);
    argv.truncate(4);
    argv
}

/// All arguments of a process, as far as they are kept: the first 4096 bytes.
pub fn arguments(pid: i32) -> Vec<String> {
    read_argv(pid)
}

/// The processes above this one, nearest first, as far as they can be seen.
pub fn ancestry() -> Result<Vec<ProcessId>> {
    let boot = boot_id()?;
    let mut chain = Vec::new();
    let mut pid = i32::try_from(std::process::id()).context("this process's id is out of range")?;
    let lookup = parents()?;
    while pid > 0 && chain.len() < 256 {
        let Some((parent, start)) = lookup(pid) else { break };
        chain.push(ProcessId { pid, start, boot: boot.clone() });
        if parent == pid {
            break;
        }
        pid = parent;
    }
    Ok(chain)
}

#[cfg(target_os = "linux")]
pub use linux::{boot_id, cwd, namespace, namespace_of};
#[cfg(target_os = "linux")]
use linux::{parents, read_all, read_argv, read_one, try_read_one};

#[cfg(target_os = "linux")]
mod linux {
    use super::Process;
    use anyhow::{Context as _, Result};
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::MetadataExt;

    /// Which boot of the machine this is.
    pub fn boot_id() -> Result<String> {
        let path = "/proc/sys/kernel/random/boot_id";
        Ok(fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?.trim().to_owned())
    }

    pub(super) fn read_all() -> Result<Vec<Process>> {
        let mut all = Vec::new();
        for entry in fs::read_dir("/proc").context("cannot read /proc")?.flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) {
                all.extend(read_one(pid));
            }
        }
        Ok(all)
    }

    pub(super) fn read_one(pid: i32) -> Option<Process> {
        try_read_one(pid).ok().flatten()
    }

    /// The kernel tells no size of these files, so a buffer that is large enough from the start saves most of the reads, which are
    /// most of what a look at all processes costs.
    fn read_whole(path: &str) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(1024);
        fs::File::open(path)?.take(1 << 16).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// `None`: there is no such process.
    pub(super) fn try_read_one(pid: i32) -> Result<Option<Process>> {
        let path = format!("/proc/{pid}/stat");
        match read_whole(&path) {
            Ok(bytes) => parse_stat(&String::from_utf8_lossy(&bytes))
                .map(Some)
                .with_context(|| format!("{path} is not understood")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {path}")),
        }
    }

    /// `pid (comm) state ppid pgrp session tty tpgid …`; the name may hold anything, the last `)` ends it.
    pub(super) fn parse_stat(text: &str) -> Option<Process> {
        let (pid, rest) = text.split_once(" (")?;
        let (comm, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Process {
            pid: pid.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            foreground: fields.get(5)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            stopped: matches!(*fields.first()?, "T" | "t"),
            ended: matches!(*fields.first()?, "Z" | "X" | "x"),
            comm: comm.to_owned(),
            argv: None,
        })
    }

    pub(super) fn read_argv(pid: i32) -> Vec<String> {
        // A command line may be a whole script; what identifies a process stands at its beginning.
        let mut bytes = Vec::new();
        if let Ok(file) = fs::File::open(format!("/proc/{pid}/cmdline")) {
            let _ = file.take(4096).read_to_end(&mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    }

    // Fallible elsewhere.
    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn parents() -> Result<impl Fn(i32) -> Option<(i32, u64)>> {
        Ok(|pid| read_one(pid).map(|p| (p.parent, p.start)))
    }

    /// The working directory of a process.
    pub fn cwd(pid: i32) -> Option<std::path::PathBuf> {
        fs::read_link(format!("/proc/{pid}/cwd")).ok()
    }

    /// The inode of this process's pid namespace.
    pub fn namespace() -> Option<u64> {
        fs::metadata("/proc/self/ns/pid").ok().map(|m| m.ino())
    }

    /// The inode of another process's pid namespace.
    pub fn namespace_of(pid: i32) -> Option<u64> {
        fs::metadata(format!("/proc/{pid}/ns/pid")).ok().map(|m| m.ino())
    }
}

#[cfg(not(target_os = "linux"))]
pub use other::{boot_id, cwd, namespace, namespace_of};
#[cfg(not(target_os = "linux"))]
use other::{parents, read_all, read_argv, read_one, try_read_one};

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Process;
    use anyhow::{Context as _, Result};
    use std::collections::BTreeMap;
    use std::process::{Command, Stdio};

    const FORMAT: &str = "pid=,ppid=,pgid=,tpgid=,stat=,lstart=,args=";

    fn output(program: &str, args: &[&str]) -> Result<String> {
        let out = Command::new(program)
            .args(args)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Which boot of the machine this is.
    pub fn boot_id() -> Result<String> {
        let id = output("sysctl", &["-n", "kern.bootsessionuuid"])?;
        Ok(if id.trim().is_empty() { output("sysctl", &["-n", "kern.boottime"])? } else { id }
            .trim()
            .to_owned())
    }

    pub(super) fn read_all() -> Result<Vec<Process>> {
        Ok(output("ps", &["-axww", "-o", FORMAT])?.lines().filter_map(parse_line).collect())
    }

    /// `lstart` is five words, such as `Tue Nov 24 02:09:39 2026`; what follows are the arguments.
    fn parse_line(line: &str) -> Option<Process> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let argv: Vec<String> = words.get(10..)?.iter().map(|w| (*w).to_owned()).collect();
        let clock: Vec<u64> = words[8].split(':').filter_map(|n| n.parse().ok()).collect();
        let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = months.find(words[6])? as u64 / 3 + 1;
        let (day, year): (u64, u64) = (words[7].parse().ok()?, words[9].parse().ok()?);
        let start = [month, day, *clock.first()?, *clock.get(1)?, *clock.get(2)?]
            .iter()
            .fold(year, |n, f| n * 100 + f);
        Some(Process {
            pid: words[0].parse().ok()?,
            parent: words[1].parse().ok()?,
            group: words[2].parse().ok()?,
            foreground: words[3].parse().ok()?,
            start,
            stopped: words[4].starts_with('T'),
            ended: words[4].starts_with('Z'),
            comm: argv.first().and_then(|a| a.rsplit('/').next()).unwrap_or_default().to_owned(),
            argv: Some(argv),
        })
    }

    pub(super) fn read_one(pid: i32) -> Option<Process> {
        try_read_one(pid).ok().flatten()
    }

    /// The kernel tells no size of these files, so a buffer that is large enough from the start saves most of the reads, which are
    /// most of what a look at all processes costs.
    fn read_whole(path: &str) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(1024);
        fs::File::open(path)?.take(1 << 16).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// `None`: there is no such process.
    pub(super) fn try_read_one(pid: i32) -> Result<Option<Process>> {
        let listed = output("ps", &["-ww", "-o", FORMAT, "-p", &pid.to_string()])?;
        Ok(listed.lines().find_map(parse_line))
    }

    pub(super) fn read_argv(pid: i32) -> Vec<String> {
        read_one(pid).and_then(|p| p.argv).unwrap_or_default()
    }

    pub(super) fn parents() -> Result<impl Fn(i32) -> Option<(i32, u64)>> {
        let table: BTreeMap<i32, (i32, u64)> =
            read_all()?.into_iter().map(|p| (p.pid, (p.parent, p.start))).collect();
        Ok(move |pid| table.get(&pid).copied())
    }

    /// Not known here: the pane's own directory is used.
    pub fn cwd(_pid: i32) -> Option<std::path::PathBuf> {
        None
    }

    /// There are no pid namespaces here.
    pub fn namespace() -> Option<u64> {
        None
    }

    /// There are no pid namespaces here.
    pub fn namespace_of(_pid: i32) -> Option<u64> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_is_read_right() {
        let text = "12 (a) (b) S 1 12 12 34816 99 4194304 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        let process = linux::parse_stat(text).unwrap();
        assert_eq!((process.pid, process.parent, process.foreground, process.start), (12, 1, 99, 777));
        assert_eq!(process.comm, "a) (b");
    }

    #[test]
    fn this_process_is_alive_and_in_its_own_ancestry() {
        let chain = ancestry().unwrap();
        assert_eq!(chain[0].pid, i32::try_from(std::process::id()).unwrap());
        assert!(is_alive(&chain[0]));
        let reborn = ProcessId { start: chain[0].start + 1, ..chain[0].clone() };
        assert!(!is_alive(&reborn));
    }
}
