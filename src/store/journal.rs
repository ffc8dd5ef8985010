//! The append-only audit of every change of state.
//!
//! One JSON object per line in `journal.jsonl`, appended by one write under the mutex; at 10 MiB the file becomes
//! `journal.1.jsonl`. It is for people and statistics: nothing is ever restored from it, so it is not fsynced.

use super::record;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The size at which the file is rotated, in bytes.
const ROTATE_AT: u64 = 10 * 1024 * 1024;

/// The longest line that is read, in bytes: no entry comes near it.
const MAX_LINE: u64 = 1 << 20;

/// Appends `event` to the journal in `dir`. The caller holds the mutex.
pub(super) fn append(dir: &Path, event: &Value) -> Result<()> {
    let path = dir.join("journal.jsonl");
    let mut file = record::regular(OpenOptions::new().append(true).create(true).mode(0o600), &path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let mut line = event.to_string();
    line.push('\n');
    file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    if file.metadata().is_ok_and(|m| m.len() >= ROTATE_AT) {
        std::fs::rename(&path, dir.join("journal.1.jsonl")).context("cannot rotate the journal")?;
    }
    Ok(())
}

/// The files, older first.
const FILES: [&str; 2] = ["journal.1.jsonl", "journal.jsonl"];

/// A reader of the journal that goes on where it stopped, across rotations. Takes no lock.
pub struct Tail {
    dir: PathBuf,
    /// What is being read, and from where on.
    at: Option<(File, u64)>,
    older_first: bool,
}

impl Tail {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), at: None, older_first: true }
    }

    /// Gives every entry that has come since the last call to `each`, oldest first. A line that is no JSON is passed over; one that
    /// is half written is left for the next call. Of a journal that was rotated twice in between, the older part is missed.
    pub fn read(&mut self, mut each: impl FnMut(Value)) -> Result<()> {
        if std::mem::take(&mut self.older_first)
            && let Some(file) = open(&self.dir.join(FILES[0]))?
        {
            lines(&file, 0, &mut each)?;
        }
        let path = self.dir.join(FILES[1]);
        if let Some((file, from)) = &mut self.at {
            *from = lines(file, *from, &mut each)?;
            let rotated = match std::fs::metadata(&path) {
                Ok(now) => now.ino() != file.metadata()?.ino(),
                Err(e) if e.kind() == ErrorKind::NotFound => true,
                Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
            };
            if !rotated {
                return Ok(());
            }
            // What was written between the last line read and the rotation.
            lines(file, *from, &mut each)?;
        }
        self.at = match open(&path)? {
            Some(file) => {
                let from = lines(&file, 0, &mut each)?;
                Some((file, from))
            }
            None => None,
        };
        Ok(())
    }
}

/// `None`: there is no such file, or it is much longer than a journal becomes, so it is none.
fn open(path: &Path) -> Result<Option<File>> {
    match record::regular(OpenOptions::new().read(true), path) {
        Ok(file) => Ok(file.metadata().is_ok_and(|meta| meta.len() <= 8 * ROTATE_AT).then_some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot open {}", path.display())),
    }
}

/// Gives the whole lines of `file` from `from` on to `each`, and returns where the next one begins.
fn lines(file: &File, from: u64, each: &mut impl FnMut(Value)) -> Result<u64> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(from)).context("cannot read the journal")?;
    let (mut at, mut line, mut torn) = (from, Vec::new(), false);
    loop {
        line.clear();
        let piece = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let read = piece.context("cannot read the journal")? as u64;
        let ends = line.last() == Some(&b'\n');
        if !ends && read < MAX_LINE {
            return Ok(at);
        }
        at += read;
        // A line that is longer is none of ours: it is passed over in pieces.
        if ends
            && !torn
            && let Ok(entry) = serde_json::from_slice(&line)
        {
            each(entry);
        }
        torn = !ends;
    }
}
