//! What a running process is made of: its program, its environment, the files it has open.
//!
//! Known on Linux only, of one's own processes; elsewhere every answer is `None`, which means "not known" and never "no".

use crate::core::process_id::ProcessId;
use std::path::Path;

/// A process that has `file` open and `word` among its first arguments.
pub fn holder(file: &Path, word: &str) -> Option<ProcessId> {
    platform::holder(file, word)
}

/// Whether the program that a process runs has the same content as the file `program`, wherever either lies.
pub fn runs_same(pid: i32, program: &Path) -> Option<bool> {
    platform::runs_same(pid, program)
}

/// A variable of the environment that a process was started with.
pub fn variable(pid: i32, name: &str) -> Option<String> {
    platform::variable(pid, name)
}

#[cfg(target_os = "linux")]
mod platform {
    use crate::core::process_id::ProcessId;
    use crate::os::process::{Table, first_arguments};
    use std::fs::{self, File};
    use std::io::{BufReader, Read};
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

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
        let found = pids
            .filter(|pid| *pid != own && first_arguments(*pid).iter().any(|a| a == word))
            .find(|pid| holds(pid))?;
        table.id(found)
    }

    pub(super) fn runs_same(pid: i32, program: &Path) -> Option<bool> {
        // Opens the program itself, also one that was deleted or replaced since.
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

    pub(super) fn variable(pid: i32, name: &str) -> Option<String> {
        let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let mut pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use crate::core::process_id::ProcessId;
    use std::path::Path;

    pub(super) fn holder(_file: &Path, _word: &str) -> Option<ProcessId> {
        None
    }

    pub(super) fn runs_same(_pid: i32, _program: &Path) -> Option<bool> {
        None
    }

    pub(super) fn variable(_pid: i32, _name: &str) -> Option<String> {
        None
    }
}
