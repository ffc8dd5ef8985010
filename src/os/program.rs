//! What a running process is made of: its program, its environment, the files it has open.
//!
//! Known on Linux only, of one's own processes; elsewhere every answer is `None`, which means "not known" and never "no".

use super::system;
use crate::core::process_id::ProcessId;
use std::fs::Metadata;
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

/// Whether the program that a process runs has the same content as the file `program`, wherever either lies.
pub fn runs_same(pid: i32, program: &Path) -> Option<bool> {
    system::runs_same(pid, program)
}

/// A variable of the environment that a process was started with.
pub fn variable(pid: i32, name: &str) -> Option<String> {
    system::variable(pid, name)
}
