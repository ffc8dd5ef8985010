//! Processes on Linux, from `/proc`.
//!
//! `stat` of every process is read once (the tree), the command line only of the processes that are asked for.

use super::process::{Process, Table, first_arguments};
use crate::core::order;
use crate::core::process_id::ProcessId;
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The id of the machine's boot.
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

/// The kernel does not show the size of these files. A buffer that is large enough from the start saves most of the
/// reads, which are most of the cost of a look at all processes.
fn read_whole(path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    fs::File::open(path)?.take(1 << 16).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads one process; `None` if it does not exist.
pub(super) fn try_read_one(pid: i32) -> Result<Option<Process>> {
    let path = format!("/proc/{pid}/stat");
    match read_whole(&path) {
        Ok(bytes) => parse_stat(&String::from_utf8_lossy(&bytes))
            .map(Some)
            .with_context(|| format!("{path} cannot be parsed")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {path}")),
    }
}

/// `pid (comm) state ppid pgrp session tty tpgid …`. The name may contain anything; the last `)` ends it.
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
        line: None,
    })
}

pub(super) fn argv_of(process: &Process) -> Vec<String> {
    read_argv(process.pid)
}

pub(super) fn read_argv(pid: i32) -> Vec<String> {
    // A command line may be a whole script, but the part that identifies a process is at its beginning.
    let mut bytes = Vec::with_capacity(1024);
    if let Ok(file) = fs::File::open(format!("/proc/{pid}/cmdline")) {
        let _ = file.take(4096).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
}

/// Whether the kernel lists the children of a process.
pub(super) fn tells_children() -> bool {
    Path::new("/proc/thread-self/children").exists()
}

/// The children of a process. Each of its threads has its own.
pub(super) fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for thread in threads {
        let Ok(text) = fs::read_to_string(thread.path().join("children")) else { continue };
        found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    // In the order of a look at all processes.
    order::sort(&mut found);
    found
}

// Fallible on other systems.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn lookup() -> Result<impl Fn(i32) -> Option<Process>> {
    Ok(read_one)
}

/// The working directory of a process.
pub fn cwd(pid: i32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// Whether a process runs as another user.
pub fn is_foreign(pid: i32) -> bool {
    let own = nix::unistd::geteuid();
    // If the directory is a user's own, so is the process. A program that hides its memory has a directory of root,
    // whoever runs it.
    if !own.is_root() && fs::metadata(format!("/proc/{pid}")).is_ok_and(|m| m.uid() == own.as_raw()) {
        return false;
    }
    let own = own.to_string();
    // The line is among the first ten, and the name before it is short.
    let mut start = [0; 1024];
    let read = fs::File::open(format!("/proc/{pid}/status")).and_then(|mut file| file.read(&mut start));
    let status = String::from_utf8_lossy(&start[..read.unwrap_or(0)]);
    let effective = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    effective.is_some_and(|uid| uid != own)
}

/// The inode of this process's pid namespace.
pub fn namespace() -> Option<u64> {
    fs::metadata("/proc/self/ns/pid").ok().map(|m| m.ino())
}

/// The inode of another process's pid namespace.
pub fn namespace_of(pid: i32) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/ns/pid")).ok().map(|m| m.ino())
}

/// Whether a process waits for connections: one of its sockets listens. Its standard input and output do not count.
pub fn listens(pid: i32) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let others =
        open.filter(|e| e.file_name().to_str().and_then(|n| n.parse().ok()).is_none_or(|n: i32| n > 2));
    let inode = |target: std::path::PathBuf| {
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
    };
    let sockets: Vec<String> =
        others.filter_map(|e| fs::read_link(e.path()).ok()).filter_map(inode).collect();
    // For each table of the process's own network: the column that shows whether a socket listens, its value, and the
    // column with the socket's inode.
    let listening = [("tcp", 3, "0A", 9), ("tcp6", 3, "0A", 9), ("unix", 3, "00010000", 6)];
    !sockets.is_empty()
        && listening.into_iter().any(|(table, state, word, inode)| {
            let text = fs::read(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
            String::from_utf8_lossy(&text).lines().skip(1).any(|line| {
                let fields: Vec<&str> = line.split_ascii_whitespace().take(10).collect();
                fields.get(state) == Some(&word)
                    && fields.get(inode).is_some_and(|i| sockets.iter().any(|s| s == i))
            })
        })
}

/// A process that has `file` open and `word` among its first arguments.
pub(super) fn holder(file: &Path, word: &str) -> Option<ProcessId> {
    let wanted = fs::metadata(file).ok()?;
    let own = i32::try_from(std::process::id()).ok()?;
    let table = Table::read().ok()?;
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let holds = |pid: &i32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut open = open.filter_map(|e| fs::metadata(e.path()).ok());
        open.any(|m| m.dev() == wanted.dev() && m.ino() == wanted.ino())
    };
    let is_it = |pid: &i32| {
        *pid != own && first_arguments(*pid).iter().any(|argument| argument == word) && holds(pid)
    };
    let found = pids.into_iter().find(is_it)?;
    // A child that it has just made has its arguments and files until its exec.
    let parent = table.get(found).map(|p| p.parent).filter(is_it);
    table.id(parent.unwrap_or(found))
}

/// Whether one of its threads runs, or waits only for a processor or a disk.
pub(super) fn runs(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let stat = fs::read(thread.path().join("stat")).unwrap_or_default();
        let text = String::from_utf8_lossy(&stat);
        text.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with(['R', 'D']))
    })
}

/// The process, other than this one, that holds the flock on `file`: the system shows it for each open file. The
/// process that took the lock may have passed the file to a child and ended.
pub(super) fn locker(file: &File) -> Option<i32> {
    let wanted = file.metadata().ok()?;
    let own = i32::try_from(std::process::id()).ok()?;
    let pids = fs::read_dir("/proc").ok()?.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let holds = |pid: &i32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let same = |m: fs::Metadata| m.dev() == wanted.dev() && m.ino() == wanted.ino();
        let mut here = open.filter(|e| fs::metadata(e.path()).is_ok_and(same));
        here.any(|e| {
            let info = format!("/proc/{pid}/fdinfo/{}", e.file_name().to_string_lossy());
            fs::read_to_string(info).is_ok_and(|info| info.contains("FLOCK"))
        })
    };
    pids.filter(|pid| *pid != own).find(holds)
}

/// Whether the program that a process runs has the same content as the file `program`.
pub(super) fn runs_same(pid: i32, program: &Path) -> Option<bool> {
    // Opens the program itself, even if it was deleted or replaced since.
    let running = File::open(format!("/proc/{pid}/exe")).ok()?;
    let ours = File::open(program).ok()?;
    let (a, b) = (running.metadata().ok()?, ours.metadata().ok()?);
    if (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        return Some(true);
    }
    if a.len() != b.len() {
        return Some(false);
    }
    let mut theirs = BufReader::new(running).bytes();
    let same = BufReader::new(ours).bytes().all(|byte| match (byte, theirs.next()) {
        (Ok(x), Some(Ok(y))) => x == y,
        _ => false,
    });
    Some(same)
}

/// The file of the program that a process runs.
pub(super) fn program(pid: i32) -> Option<std::path::PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// The environment that a process was started with.
pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    // Larger than most; see `read_whole`.
    let mut bytes = Vec::with_capacity(8192);
    File::open(format!("/proc/{pid}/environ")).ok()?.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_listens_if_one_of_its_sockets_does() {
        let dir = tempfile::tempdir().unwrap();
        // Other tests in this process may listen, so a child holds only one socket.
        let holds = |socket: std::os::fd::OwnedFd| {
            let mut child = Command::new("sh")
                .args(["-c", "exec 5<&0 0</dev/null; echo up; exec sleep 1000"])
                .stdin(Stdio::from(socket))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = [0; 3];
            child.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
            let seen = listens(i32::try_from(child.id()).unwrap());
            child.kill().unwrap();
            child.wait().unwrap();
            seen
        };
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
        assert!(!holds(client.into()) && holds(tcp.into()));
        let unix = UnixListener::bind(dir.path().join("s")).unwrap();
        let client = UnixStream::connect(dir.path().join("s")).unwrap();
        assert!(!holds(client.into()));
        assert!(holds(unix.into()));
        assert!(!holds(File::open("/dev/null").unwrap().into()));
    }

    #[test]
    fn a_process_name_with_parentheses_is_read_right() {
        let text = "12 (a) (b) S 1 12 12 34816 99 4194304 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        let process = parse_stat(text).unwrap();
        assert_eq!((process.pid, process.parent, process.foreground, process.start), (12, 1, 99, 777));
        assert_eq!(process.comm, "a) (b");
    }
}
