//! The append-only audit of every change of state.
//!
//! One JSON object per line in `journal.jsonl`, appended by one write under the mutex; at 10 MiB the file becomes
//! `journal.1.jsonl`. It is for people and statistics: nothing is ever restored from it, so it is not fsynced.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::{BufRead, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The size at which the file is rotated, in bytes.
const ROTATE_AT: u64 = 10 * 1024 * 1024;

/// Appends `event` to the journal in `dir`. The caller holds the mutex.
pub(super) fn append(dir: &Path, event: &Value) -> Result<()> {
    let path = dir.join("journal.jsonl");
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let mut line = event.to_string();
    line.push('\n');
    file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    if file.metadata().is_ok_and(|m| m.len() >= ROTATE_AT) {
        std::fs::rename(&path, dir.join("journal.1.jsonl")).context("cannot rotate the journal")?;
    }
    Ok(())
}

/// Gives every entry of the journal in `dir` to `each`, oldest first. A line that is no JSON is passed over: the last one may
/// be half written.
pub(super) fn read(dir: &Path, mut each: impl FnMut(Value)) -> Result<()> {
    for name in ["journal.1.jsonl", "journal.jsonl"] {
        let path = dir.join(name);
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e).with_context(|| format!("cannot open {}", path.display())),
        };
        for line in std::io::BufReader::new(file).split(b'\n') {
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            if let Ok(entry) = serde_json::from_slice(&line) {
                each(entry);
            }
        }
    }
    Ok(())
}
