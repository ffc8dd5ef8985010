//! What belongs to a running process: its program, its environment, its open files.
//!
//! Known on Linux only, for one's own processes. Elsewhere every answer is `None`, which means "not known" and never
//! "no".

use super::process::{Table, first_arguments};
use super::system;
use crate::core::escape;
use crate::core::process_id::ProcessId;
use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

/// A process that has `file` open and `word` among its first arguments.
pub fn holder(file: &Path, word: &str) -> Option<ProcessId> {
    system::holder(file, word)
}

/// The file that this process was started from, and what it was then, also if another one lies there by now.
pub fn this() -> std::io::Result<(PathBuf, Option<Metadata>)> {
    let path = std::env::current_exe()?;
    #[cfg(target_os = "linux")]
    {
        let running = std::fs::metadata("/proc/self/exe").ok();
        let text = path.to_string_lossy();
        let there = text.strip_suffix(" (deleted)").map(PathBuf::from);
        Ok((there.unwrap_or(path), running))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let running = std::fs::metadata(&path).ok();
        Ok((path, running))
    }
}

/// One who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locker {
    /// Its pid.
    pub pid: i32,
    /// Its program and first arguments, made safe for one line.
    pub command: String,
    /// It was stopped (SIGSTOP, ^Z) and holds what it holds until it goes on.
    pub stopped: bool,
    /// It runs, or would if it got a processor or its disk: it is slow, and does not hang.
    pub runs: bool,
}

/// The process that holds the flock on `file`.
pub fn locker(file: &File) -> Option<Locker> {
    let pid = system::locker(file)?;
    let table = Table::read().ok()?;
    let command = first_arguments(pid).join(" ");
    let process = table.get(pid)?;
    Some(Locker {
        pid,
        command: escape::short(&command, 80),
        stopped: process.stopped,
        runs: system::runs(pid),
    })
}

/// Whether the program that a process runs has the same content as the file `program`, wherever either lies.
pub fn runs_same(pid: i32, program: &Path) -> Option<bool> {
    system::runs_same(pid, program)
}

/// A variable of the environment that a process was started with.
pub fn variable(pid: i32, name: &str) -> Option<String> {
    system::variable(pid, name)
}
