//! The append-only record of every change of state.
//!
//! One JSON object per line in `journal.jsonl`, appended by one write under the mutex; at 10 MiB the file becomes
//! `journal.1.jsonl`. A line that a crash or a full disk left torn is ended first, so it damages no other line. It is
//! for people and statistics: nothing is ever restored from it, so it is not fsynced.

use super::{fault, now_ms, record};
use crate::core::event::Event;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fmt::{self, Display, Formatter};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The size at which the file is rotated, in bytes.
const ROTATE_AT: u64 = 10 * 1024 * 1024;

/// The longest line that is read, in bytes: no entry is nearly as long.
const MAX_LINE: u64 = 1 << 20;

/// The journal entry for an event that happens now.
pub(super) fn entry(event: &Event<'_>) -> Result<Value> {
    let mut entry = serde_json::to_value(event).context("cannot write an event")?;
    entry["t"] = now_ms().into();
    Ok(entry)
}

/// Appends an entry to the journal in `dir`. The caller holds the mutex.
pub(super) fn append(dir: &Path, entry: &Value) -> Result<()> {
    let path = dir.join("journal.jsonl");
    let options = &mut OpenOptions::new();
    let mut file = record::regular(options.read(true).append(true).create(true).mode(0o600), &path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    let torn = is_torn(&file).with_context(|| format!("cannot read {}", path.display()))?;
    let line = format!("{}{entry}\n", if torn { "\n" } else { "" });
    fault::point("before-entry");
    file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    fault::point("after-entry");
    if file.metadata().is_ok_and(|m| m.len() >= ROTATE_AT) {
        std::fs::rename(&path, dir.join("journal.1.jsonl")).context("cannot rotate the journal")?;
        fault::point("after-rotation");
    }
    Ok(())
}

/// Whether the last line has no end.
fn is_torn(file: &File) -> std::io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

/// The files, the older one first.
const FILES: [&str; 2] = ["journal.1.jsonl", "journal.jsonl"];

/// The place of an entry in the journal, from which a later reader continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The inode of the file, which stays when the file is rotated.
    file: u64,
    /// The start of the entry, in bytes.
    at: u64,
    /// The time of the entry (ms since the epoch): another file may get the same inode later.
    time: u64,
}

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.file, self.at, self.time)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<u64> =
            text.split('-').map_while(|part| u64::from_str_radix(part, 16).ok()).collect();
        match numbers[..] {
            [file, at, time] if text.split('-').count() == 3 => Ok(Self { file, at, time }),
            _ => Err("it must be the `cursor` of an event".to_owned()),
        }
    }
}

/// The receiver of the entries: see [`Tail::read_placed`].
type Taker<'t> = dyn FnMut(Option<(Value, Cursor)>) + 't;

/// A reader of the journal that continues where it stopped, across rotations. Takes no lock.
pub struct Tail {
    dir: PathBuf,
    /// The open file, and the place from which it is read.
    at: Option<(File, u64)>,
    older_first: bool,
}

impl Tail {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), at: None, older_first: true }
    }

    /// A reader that continues after an entry; `None` if that entry is not kept any more.
    pub(super) fn behind(dir: &Path, cursor: Cursor) -> Result<Option<Self>> {
        for name in FILES {
            let Some(file) = open(&dir.join(name))? else { continue };
            if file.metadata().context("cannot read the journal")?.ino() != cursor.file {
                continue;
            }
            let mut line = Vec::new();
            let mut reader = BufReader::new(&file);
            reader.seek(SeekFrom::Start(cursor.at)).context("cannot read the journal")?;
            reader.take(MAX_LINE).read_until(b'\n', &mut line).context("cannot read the journal")?;
            let entry: Value = serde_json::from_slice(&line).unwrap_or_default();
            if entry["t"].as_u64() == Some(cursor.time) {
                let behind = cursor.at + line.len() as u64;
                return Ok(Some(Self { dir: dir.to_owned(), at: Some((file, behind)), older_first: false }));
            }
        }
        Ok(None)
    }

    /// Gives every new entry since the last call to `each`, oldest first. A line that is not JSON is skipped; a
    /// half-written one is left for the next call. If the journal was rotated twice in between, the older part is
    /// missed.
    pub fn read(&mut self, mut each: impl FnMut(Value)) -> Result<()> {
        self.give_to(&mut |entry| {
            if let Some((entry, _)) = entry {
                each(entry);
            }
        })
    }

    /// [`Tail::read`] with the place of each entry. `None` marks a possible gap, because the journal was replaced.
    pub fn read_placed(&mut self, mut each: impl FnMut(Option<(Value, Cursor)>)) -> Result<()> {
        self.give_to(&mut each)
    }

    fn give_to(&mut self, each: &mut Taker<'_>) -> Result<()> {
        if std::mem::take(&mut self.older_first)
            && let Some(file) = open(&self.dir.join(FILES[0]))?
        {
            lines(&file, 0, each)?;
        }
        let path = self.dir.join(FILES[1]);
        if let Some((file, from)) = &mut self.at {
            *from = lines(file, *from, each)?;
            let inode = |path: &Path| match std::fs::metadata(path) {
                Ok(now) => Ok(Some((now.dev(), now.ino()))),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
            };
            let own = file.metadata()?;
            let own = Some((own.dev(), own.ino()));
            let now = inode(&path)?;
            // It was rotated a moment ago, or the store was moved away and may come back.
            if now == own || now.is_none() {
                return Ok(());
            }
            // The lines between the last one that was read and the rotation.
            lines(file, *from, each)?;
            if inode(&self.dir.join(FILES[0]))? != own {
                each(None);
            }
        }
        self.at = match open(&path)? {
            Some(file) => {
                let from = lines(&file, 0, each)?;
                Some((file, from))
            }
            None => None,
        };
        Ok(())
    }
}

/// `None` if there is no such file, or if it is much longer than any journal.
fn open(path: &Path) -> Result<Option<File>> {
    match record::regular(OpenOptions::new().read(true), path) {
        Ok(file) => Ok(file.metadata().is_ok_and(|meta| meta.len() <= 8 * ROTATE_AT).then_some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot open {}", path.display())),
    }
}

/// Gives the entries in the whole lines of `file` from `from` on to `each`, and returns where the next one begins.
fn lines(file: &File, from: u64, each: &mut Taker<'_>) -> Result<u64> {
    let inode = file.metadata().context("cannot read the journal")?.ino();
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
        let begin = at;
        at += read;
        // swarm writes no longer line, so this one is skipped in pieces.
        if ends
            && !torn
            && let Ok(entry) = serde_json::from_slice::<Value>(&line)
            && entry.is_object()
        {
            let time = entry["t"].as_u64().unwrap_or_default();
            each(Some((entry, Cursor { file: inode, at: begin, time })));
        }
        torn = !ends;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::fs;

    fn numbers(tail: &mut Tail) -> Vec<u64> {
        let mut seen = Vec::new();
        tail.read(|entry| seen.extend(entry["n"].as_u64())).unwrap();
        seen
    }

    #[test]
    fn a_torn_last_line_costs_itself_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        append(dir.path(), &json!({"n": 1})).unwrap();
        append(dir.path(), &json!({"n": 2})).unwrap();
        let whole = fs::read(&path).unwrap();
        // For every length of the torn entry. Its last byte is the end of the line; without that byte the entry
        // itself is whole.
        for cut in 1..=8 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let mut tail = Tail::new(dir.path());
            assert_eq!(numbers(&mut tail), [1]);
            append(dir.path(), &json!({"n": 3})).unwrap();
            append(dir.path(), &json!({"n": 4})).unwrap();
            let rescued: &[u64] = if cut == 1 { &[2, 3, 4] } else { &[3, 4] };
            assert_eq!(numbers(&mut tail), rescued, "one who reads along, {cut} bytes cut");
            assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), if cut == 8 { 3 } else { 4 });
        }
    }

    #[test]
    fn a_reader_waits_for_a_store_that_was_moved_away_and_says_if_another_one_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        fs::create_dir(&here).unwrap();
        let seen = |tail: &mut Tail| {
            let mut seen = Vec::new();
            tail.read_placed(|entry| seen.push(entry.and_then(|(entry, _)| entry["n"].as_u64()))).unwrap();
            seen
        };
        append(&here, &json!({"n": 1})).unwrap();
        let mut tail = Tail::new(&here);
        assert_eq!(seen(&mut tail), [Some(1)]);
        fs::rename(&here, &there).unwrap();
        assert_eq!(seen(&mut tail), []);
        append(&there, &json!({"n": 2})).unwrap();
        fs::rename(&there, &here).unwrap();
        append(&here, &json!({"n": 3})).unwrap();
        assert_eq!(seen(&mut tail), [Some(2), Some(3)], "nothing again");
        fs::rename(here.join(FILES[1]), here.join(FILES[0])).unwrap();
        append(&here, &json!({"n": 4})).unwrap();
        assert_eq!(seen(&mut tail), [Some(4)], "a rotation is no gap");
        fs::rename(&here, &there).unwrap();
        fs::create_dir(&here).unwrap();
        append(&here, &json!({"n": 5})).unwrap();
        assert_eq!(seen(&mut tail), [None, Some(5)]);
    }

    #[test]
    fn a_line_that_is_no_object_is_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILES[1]), "7\n[]\n\"x\"\nnull\n{\"n\": 1}\n").unwrap();
        assert_eq!(numbers(&mut Tail::new(dir.path())), [1]);
    }

    #[test]
    fn a_later_reader_goes_on_behind_an_entry_also_when_its_file_was_rotated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        for n in 1..=3 {
            append(dir.path(), &json!({"n": n, "t": 100 + n})).unwrap();
        }
        let mut places = Vec::new();
        Tail::new(dir.path())
            .read_placed(|entry| places.extend(entry.map(|(entry, cursor)| (entry["n"].clone(), cursor))))
            .unwrap();
        let cursor: Cursor = places[1].1.to_string().parse().unwrap();
        let behind = |cursor| Tail::behind(dir.path(), cursor).unwrap().map(|mut tail| numbers(&mut tail));
        assert_eq!(behind(cursor), Some(vec![3]));
        fs::rename(&path, dir.path().join("journal.1.jsonl")).unwrap();
        append(dir.path(), &json!({"n": 4, "t": 104})).unwrap();
        assert_eq!(behind(cursor), Some(vec![3, 4]));
        assert_eq!(behind(Cursor { time: 7, ..cursor }), None, "another entry is there");
        fs::remove_file(dir.path().join("journal.1.jsonl")).unwrap();
        assert_eq!(behind(cursor), None, "it is not kept any more");
        for bad in ["", "1-2", "1-2-3-4", "x-1-2", "1--2"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
