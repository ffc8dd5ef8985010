//! `PROJECT`: the project of a store, the key that signs its records, and the place of the store.
//!
//! The first line is the project's id, the second the fingerprint of its key, the third the store's seat: its root,
//! and the inode and the time of birth of the directory. The seat is also recorded beside the key, so that one of
//! several copies is the project. A store of version 0.1.0 has only the first line. The file is written as a whole,
//! durably, under the mutex.
//!
//! The seat shows whether a store was moved, copied or restored. Device numbers change when a machine starts again,
//! so they are compared only between two directories that are looked at now.

use super::{entropy, record};
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The largest PROJECT that is read, in bytes: a path may be long, and each of its bytes takes at most three.
const MAX: u64 = 16 << 10;

/// The contents of `PROJECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectMark {
    /// The project's id, which names its key's directory.
    pub id: String,
    /// The fingerprint of its key; `None` in a store of version 0.1.0.
    pub key: Option<String>,
    /// The place of the store when it was last opened.
    pub seat: Option<Seat>,
}

/// The place of a store: its root and its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The project's root.
    pub root: PathBuf,
    inode: u64,
    /// When the directory was made (ns since the epoch), if the file system records it: a new directory may get the
    /// inode of a removed one.
    born: Option<u64>,
}

/// The result of comparing a store's seat with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatVerdict {
    /// It is where it was.
    Same,
    /// It is somewhere else, and nothing is left in the old place; or its seat was never recorded.
    Moved,
    /// It is a copy of the project that is still at this root.
    Copied(PathBuf),
    /// It was replaced by an earlier state of itself.
    Restored,
}

impl ProjectMark {
    /// Reads the file of a store.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("PROJECT");
        let text = record::text(&path, MAX)?;
        let mut lines = text.lines();
        let id = lines.next().unwrap_or_default().trim().to_owned();
        if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            bail!("{} does not hold a project id", path.display());
        }
        let mut mark = Self { id, key: None, seat: None };
        // A newer version may have more lines.
        for line in lines {
            match line.split_once(' ') {
                Some(("key", print)) => mark.key = Some(print.trim().to_owned()),
                Some(("seat", seat)) => mark.seat = Seat::parse(seat),
                _ => {}
            }
        }
        Ok(mark)
    }

    pub fn text(&self) -> String {
        let key = self.key.as_ref().map(|print| format!("key {print}\n"));
        let seat = self.seat.as_ref().map(|seat| format!("seat {}\n", seat.text()));
        format!("{}\n{}{}", self.id, key.unwrap_or_default(), seat.unwrap_or_default())
    }

    /// Replaces the file of a store.
    pub fn write(&self, dir: &Path) -> Result<()> {
        replace(&dir.join("tmp"), &dir.join("PROJECT"), &self.text())
    }

    /// Whether the store in `dir` is still this one: the same project with the same key in the same directory.
    pub fn is_still_at(&self, dir: &Path) -> bool {
        self.is_same_dir(dir)
            && ProjectMark::read(dir).is_ok_and(|now| now.id == self.id && now.key == self.key)
    }

    /// Whether `dir` is the same directory as then.
    pub fn is_same_dir(&self, dir: &Path) -> bool {
        let seat = || Seat::look(Path::new(""), &fs::symlink_metadata(dir).ok()?);
        self.seat.as_ref().is_none_or(|known| seat().is_some_and(|now| known.is_same_dir(&now)))
    }
}

impl Seat {
    /// The present seat of the store of the project at `root`.
    pub fn of(root: &Path) -> Result<Self> {
        Self::of_dir(root, &root.join(".swarm"))
    }

    /// The seat that a directory will have once it is the store of `root`: a rename changes neither inode nor birth.
    pub fn of_dir(root: &Path, dir: &Path) -> Result<Self> {
        let meta = fs::symlink_metadata(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        Self::look(root, &meta).with_context(|| format!("{} is not a directory", dir.display()))
    }

    fn look(root: &Path, meta: &Metadata) -> Option<Self> {
        let born = meta.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|at| u64::try_from(at.as_nanos()).ok());
        meta.is_dir().then(|| Self { root: root.to_owned(), inode: meta.ino(), born })
    }

    fn is_same_dir(&self, other: &Self) -> bool {
        let born = self.born.zip(other.born).is_none_or(|(a, b)| a == b);
        self.inode == other.inode && born
    }

    /// The last known seat of the project, by the record beside its key.
    pub fn noted(keys: &Path) -> Option<Self> {
        Self::parse(record::text(&keys.join("seat"), MAX).ok()?.trim_end())
    }

    /// Records the project's seat beside the key.
    pub fn note(&self, keys: &Path) -> Result<()> {
        replace(keys, &keys.join("seat"), &format!("{}\n", self.text()))
    }

    /// `inode birth root`, without white space and control characters in the root.
    fn text(&self) -> String {
        let born = self.born.map_or_else(|| "-".to_owned(), |at| at.to_string());
        let mut text = format!("{} {born} ", self.inode);
        for byte in self.root.as_os_str().as_bytes() {
            if byte.is_ascii_graphic() && *byte != b'%' {
                text.push(char::from(*byte));
            } else {
                text.push_str(&format!("%{byte:02x}"));
            }
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(3, ' ');
        let (inode, born, root) = (fields.next()?.parse().ok()?, fields.next()?, fields.next()?);
        let mut bytes = Vec::new();
        let mut rest = root.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            } else {
                bytes.push(byte);
            }
        }
        Some(Self { root: OsString::from_vec(bytes).into(), inode, born: born.parse().ok() })
    }
}

/// Judges the store at `here`. `noted` is the seat in the record beside the key.
pub fn judge(here: &Seat, mark: &ProjectMark, noted: Option<&Seat>) -> SeatVerdict {
    let recorded = mark.seat.as_ref();
    if recorded == Some(here) && noted == Some(here) {
        return SeatVerdict::Same;
    }
    for other in [noted, recorded].into_iter().flatten().filter(|other| *other != here) {
        match resident(other, here, &mark.id) {
            Resident::This => return SeatVerdict::Same,
            Resident::Project => return SeatVerdict::Copied(other.root.clone()),
            Resident::Nobody => {}
        }
    }
    match recorded {
        Some(seat) if !seat.is_same_dir(here) && seat.root == here.root => SeatVerdict::Restored,
        _ => SeatVerdict::Moved,
    }
}

/// The directory at a former place of the project.
enum Resident {
    /// The very directory that is judged: two paths lead to it, as with a bind mount.
    This,
    Project,
    /// Something else, or nothing.
    Nobody,
}

fn resident(seat: &Seat, here: &Seat, id: &str) -> Resident {
    let place = |seat: &Seat| fs::symlink_metadata(seat.root.join(".swarm")).ok();
    let Some((there, ours)) = place(seat).zip(place(here)) else { return Resident::Nobody };
    if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) {
        // If the place is the same, it is not another path, but another directory than the recorded one.
        return if seat.root == here.root { Resident::Nobody } else { Resident::This };
    }
    let stays = Seat::look(&seat.root, &there).is_some_and(|now| now.is_same_dir(seat));
    if stays && ProjectMark::read(&seat.root.join(".swarm")).is_ok_and(|mark| mark.id == id) {
        Resident::Project
    } else {
        Resident::Nobody
    }
}

/// Replaces a small file of a store durably.
pub(super) fn replace(tmp: &Path, path: &Path, text: &str) -> Result<()> {
    let temp = tmp.join(format!("mark.{:016x}", entropy()?));
    record::create_file(&temp, text.as_bytes())?;
    if let Err(e) = fs::rename(&temp, path) {
        let _ = fs::remove_file(&temp);
        return Err(e).with_context(|| format!("cannot write {}", path.display()));
    }
    path.parent().map_or(Ok(()), record::sync_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(root: &Path, inode: u64, born: Option<u64>) -> Seat {
        Seat { root: root.to_owned(), inode, born }
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_whatever_the_root_is_called() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        let odd = PathBuf::from(OsString::from_vec(b"/p 1/100%\n\xff/\xc3\xa9".to_vec()));
        for mark in [
            ProjectMark { id: "0123456789abcdef".into(), key: None, seat: None },
            ProjectMark {
                id: "0123456789abcdef".into(),
                key: Some("ab".into()),
                seat: Some(seat(&odd, 7, Some(9))),
            },
            ProjectMark {
                id: "0123456789abcdef".into(),
                key: Some("ab".into()),
                seat: Some(seat(&odd, 7, None)),
            },
        ] {
            mark.write(dir.path()).unwrap();
            assert_eq!(ProjectMark::read(dir.path()).unwrap(), mark);
        }
        for (bad, more) in [("short", ""), ("0123456789ABCDEF", ""), ("", "x")] {
            fs::write(dir.path().join("PROJECT"), format!("{bad}\n{more}")).unwrap();
            ProjectMark::read(dir.path()).unwrap_err();
        }
        fs::write(dir.path().join("PROJECT"), "0123456789abcdef\nseat nonsense\nlater 1\n").unwrap();
        assert_eq!(ProjectMark::read(dir.path()).unwrap().seat, None);
    }

    /// A minimal store at `root`.
    fn seat_at(root: &Path) -> Seat {
        fs::create_dir_all(root.join(".swarm/tmp")).unwrap();
        let here = Seat::of(root).unwrap();
        ProjectMark { id: "0123456789abcdef".into(), key: None, seat: Some(here.clone()) }
            .write(&root.join(".swarm"))
            .unwrap();
        here
    }

    fn judged(root: &Path, noted: Option<&Seat>) -> SeatVerdict {
        judge(&Seat::of(root).unwrap(), &ProjectMark::read(&root.join(".swarm")).unwrap(), noted)
    }

    #[test]
    fn a_move_a_copy_and_a_restored_backup_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        let run = |line: &str| {
            assert!(
                std::process::Command::new("sh")
                    .arg("-c")
                    .arg(line)
                    .current_dir(dir.path())
                    .status()
                    .unwrap()
                    .success()
            );
        };
        let a = seat_at(&place("a"));
        assert_eq!(judged(&place("a"), Some(&a)), SeatVerdict::Same);
        assert_eq!(judged(&place("a"), None), SeatVerdict::Moved, "it was never noted");
        run("cp -a a copy");
        assert_eq!(judged(&place("copy"), Some(&a)), SeatVerdict::Copied(place("a")));
        assert_eq!(judged(&place("copy"), None), SeatVerdict::Copied(place("a")), "without the note, too");
        assert_eq!(judged(&place("a"), Some(&a)), SeatVerdict::Same);
        run("mv a moved");
        assert_eq!(judged(&place("moved"), Some(&a)), SeatVerdict::Moved);
        // The original is gone from its place, and the copy is opened first: then the copy is the project.
        assert_eq!(judged(&place("copy"), Some(&a)), SeatVerdict::Moved);
        let copy = Seat::of(&place("copy")).unwrap();
        assert_eq!(judged(&place("moved"), Some(&copy)), SeatVerdict::Copied(place("copy")));
        run("rm -rf copy moved");
        let a = seat_at(&place("a"));
        run("cp -a a backup; rm -rf a; cp -a backup a; rm -rf backup");
        assert_eq!(judged(&place("a"), Some(&a)), SeatVerdict::Restored);
        run("cp -a a over; rm -rf a");
        assert_eq!(judged(&place("over"), Some(&a)), SeatVerdict::Moved, "over file systems");
    }
}
