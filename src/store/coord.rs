//! Reads `COORDINATION.md` in the project's root, and changes it by one process at a time.
//!
//! A change is: read, decide purely, write a temporary file beside it and fsync it. Then, under the mutex: check that
//! the file is still the one that was read, rename, journal. A lock of the document's own covers all of it, so nobody
//! waits for the mutex during an fsync. So each of many processes builds on the changes before it, and a crash leaves
//! the old file or the new one.
//!
//! A program that takes no lock, such as an editor, is noticed up to that check, and the change is decided again. If
//! it saves between the check and the rename, which follow each other at once, its text is lost; no file system
//! prevents that. The mode stays. A link is followed within the project only. Other hard links to the file keep the
//! old text.

use super::{Store, fault, lock, record};
use crate::core::coord::{Change, TEMPLATE};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The document's name.
pub const FILE: &str = "COORDINATION.md";

/// The largest document, in bytes.
pub const MAX_DOCUMENT: u64 = 1 << 20;

/// How often a change is decided again because another program wrote meanwhile.
const TRIES: usize = 10;

/// How long a process waits for others that are changing the document, each for an fsync or two.
const PATIENCE: Duration = Duration::from_secs(30);

/// The file to which a change is written before it is renamed into its place. Only the lock's holder has one, so one
/// name is enough. The file of a killed process is simply replaced.
const STAGED: &str = ".COORDINATION.md.swarm-new";

/// How much of a removed text the journal keeps, in characters.
const KEPT: usize = 4000;

/// The document as it was read.
struct FoundText {
    text: String,
    meta: Metadata,
}

impl FoundText {
    fn is(&self, other: &Self) -> bool {
        let stamp =
            |m: &Metadata| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        stamp(&self.meta) == stamp(&other.meta) && self.text == other.text
    }
}

impl Store {
    /// The path of the document, whether it exists or not.
    pub fn coordination_path(&self) -> PathBuf {
        self.root.join(FILE)
    }

    /// The document's text; `None` if there is no document. Takes no lock.
    pub fn coordination(&self) -> Result<Option<String>> {
        match self.coordination_file()? {
            Some(path) => Ok(read(&path)?.map(|seen| seen.text)),
            None => Ok(None),
        }
    }

    /// Makes the document if there is none; returns whether it did. An existing one is never overwritten.
    pub fn create_coordination(&self, by: &Name) -> Result<bool> {
        let path = self.coordination_path();
        let _turn = self.coordination_turn()?;
        let staged = StagedDocument::write(&path, TEMPLATE, None)?;
        let created = self.transact(|tx| {
            match fs::hard_link(&staged.0, &path) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::AlreadyExists => return Ok(false),
                Err(e) => return Err(e).with_context(|| format!("cannot create {}", path.display())),
            }
            tx.journal(&Event::Coord { by, verb: "init", section: None, line: None, was: None })?;
            Ok(true)
        })?;
        drop(staged);
        if created {
            record::sync_dir(&self.root)?;
        } else {
            // An existing file may be unusable. It is better to report that now than at the first change.
            self.coordination()?;
        }
        Ok(created)
    }

    /// Changes the document to the result of `decide`, and journals that as `verb` of `by`. If another program
    /// changes the file meanwhile, `decide` runs again. An error of `decide` changes nothing.
    pub fn change_coordination(
        &self,
        by: &Name,
        verb: &str,
        mut decide: impl FnMut(&str) -> Result<Change>,
    ) -> Result<Change> {
        self.change_by(by, verb, &mut decide)
    }

    fn change_by(
        &self,
        by: &Name,
        verb: &str,
        decide: &mut dyn FnMut(&str) -> Result<Change>,
    ) -> Result<Change> {
        let _turn = self.coordination_turn()?;
        let Some(path) = self.coordination_file()? else { return Err(self.no_coordination()) };
        for _ in 0..TRIES {
            let Some(seen) = read(&path)? else { return Err(self.no_coordination()) };
            let change = decide(&seen.text)?;
            let Some(text) = &change.text else { return Ok(change) };
            if text.len() as u64 > MAX_DOCUMENT {
                return Err(too_large(&path, "would be"));
            }
            let staged = StagedDocument::write(&path, text, Some(seen.meta.permissions().mode()))?;
            fault::point("coord-staged");
            let placed = self.transact(|tx| {
                if read(&path)?.is_none_or(|now| !now.is(&seen)) {
                    return Ok(false);
                }
                fs::rename(&staged.0, &path).with_context(|| format!("cannot write {}", path.display()))?;
                fault::point("coord-renamed");
                let was = change.was.as_ref().map(|was| escape::short(was, KEPT));
                tx.journal(&Event::Coord {
                    by,
                    verb,
                    section: Some(&change.section),
                    line: Some(&change.line),
                    was: Some(json!(was)),
                })?;
                Ok(true)
            })?;
            if placed {
                path.parent().map_or(Ok(()), record::sync_dir)?;
                return Ok(change);
            }
        }
        bail!("{} keeps being changed by another program; nothing was changed, try again", path.display())
    }

    /// The refusal if there is no document.
    pub fn no_coordination(&self) -> anyhow::Error {
        let root = self.root.display();
        Refusal::Usage(format!("there is no {FILE} in {root}; `swarm coord init` makes one")).into()
    }

    /// Waits until no other process is changing the document.
    fn coordination_turn(&self) -> Result<lock::Held> {
        Ok(lock::exclusive_within(&self.dir.join("coord.lock"), PATIENCE, self.until)?.0)
    }

    /// The file itself: the document, or the target of its link, which must be in the project. `None` if there is
    /// none.
    fn coordination_file(&self) -> Result<Option<PathBuf>> {
        let path = self.coordination_path();
        let refuse = |why: String| refuse(&path, &why);
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("cannot look at {}", path.display())),
            Ok(meta) if !meta.is_symlink() => return Ok(Some(path)),
            Ok(_) => {}
        }
        let target =
            path.canonicalize().map_err(|e| refuse(format!("it is a link that leads nowhere ({e})")))?;
        let root =
            self.root.canonicalize().with_context(|| format!("cannot look at {}", self.root.display()))?;
        if !target.starts_with(&root) {
            return Err(refuse(format!("it is a link out of the project, to {}", target.display())));
        }
        if target.starts_with(root.join(".swarm")) || target.starts_with(root.join(".git")) {
            return Err(refuse(format!("it is a link to {}, where no document may be", target.display())));
        }
        Ok(Some(target))
    }
}

fn refuse(path: &Path, why: &str) -> anyhow::Error {
    Refusal::Usage(format!("{} is not used: {why}", path.display())).into()
}

fn too_large(path: &Path, is: &str) -> anyhow::Error {
    let path = path.display();
    Refusal::Usage(format!("{path} {is} larger than {MAX_DOCUMENT} bytes; move old text out of it")).into()
}

/// Reads the document at `path`. No link is followed here: the caller has done that.
fn read(path: &Path) -> Result<Option<FoundText>> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let file = match open {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let context = || format!("cannot read {}", path.display());
    let meta = file.metadata().with_context(context)?;
    if !meta.is_file() {
        return Err(refuse(path, "it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes).with_context(context)?;
    if bytes.len() as u64 > MAX_DOCUMENT {
        return Err(too_large(path, "is"));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        refuse(path, &format!("it is not UTF-8 from byte {} on", e.utf8_error().valid_up_to()))
    })?;
    Ok(Some(FoundText { text, meta }))
}

/// A change beside the document, not yet in its place.
struct StagedDocument(PathBuf);

impl StagedDocument {
    /// Writes it, fsynced, with this mode, or else the default one.
    fn write(document: &Path, text: &str, mode: Option<u32>) -> Result<Self> {
        let staged = Self(document.with_file_name(STAGED));
        let path = &staged.0;
        let write = || -> std::io::Result<()> {
            match fs::remove_file(path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
                _ => {}
            }
            let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o666).open(path)?;
            if let Some(mode) = mode {
                // Not the set-user-id bits: the original file may be another user's, and this one is ours.
                file.set_permissions(Permissions::from_mode(mode & 0o777))?;
            }
            // In two halves, so that a test can be killed between them.
            let (first, second) = text.as_bytes().split_at(text.len() / 2);
            file.write_all(first)?;
            fault::point("coord-half-written");
            file.write_all(second)?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(staged)
    }
}

impl Drop for StagedDocument {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::coord::{CoordAction, Text, change};
    use std::os::unix::fs::symlink;

    /// A store with a document.
    fn store() -> (tempfile::TempDir, Store) {
        let (dir, store) = crate::store::tests::store();
        assert!(store.create_coordination(&Name::human()).unwrap());
        (dir, store)
    }

    /// Adds a goal, and calls `meanwhile` at each try between the reading and the writing. Returns the number of
    /// tries.
    fn add_while(store: &Store, mut meanwhile: impl FnMut(usize, &Path)) -> (usize, Result<Change>) {
        let mut tries = 0;
        let action = CoordAction::Add { text: Text::new("ours").unwrap(), by: Name::human(), now_ms: 0 };
        let made = store.change_coordination(&Name::human(), "add", |text| {
            tries += 1;
            meanwhile(tries, &store.coordination_path());
            Ok(change(text, "goals", &action).unwrap())
        });
        (tries, made)
    }

    #[test]
    fn what_an_editor_saves_meanwhile_is_kept() {
        let (_dir, store) = store();
        let in_place = |path: &Path| fs::write(path, "# Goals\n\n- theirs\n").unwrap();
        let (tries, made) = add_while(&store, |n, path| {
            if n == 1 {
                in_place(path);
            }
        });
        made.unwrap();
        assert_eq!(tries, 2);
        assert_eq!(
            store.coordination().unwrap().unwrap(),
            "# Goals\n\n- theirs\n- ours (human, 1970-01-01)\n"
        );
        // By rename, with the same text: it is another file nevertheless, perhaps with another mode.
        let by_rename = |path: &Path| {
            let part = path.with_extension("part");
            fs::copy(path, &part).unwrap();
            fs::rename(&part, path).unwrap();
        };
        let (tries, made) = add_while(&store, |n, path| {
            if n < 4 {
                by_rename(path);
            }
        });
        made.unwrap();
        assert_eq!(tries, 4);
        assert_eq!(store.coordination().unwrap().unwrap().matches("- ours").count(), 2);
    }

    #[test]
    fn one_who_writes_all_the_time_is_not_written_over() {
        let (_dir, store) = store();
        let (tries, made) =
            add_while(&store, |n, path| fs::write(path, format!("# Goals\n\n{n}\n")).unwrap());
        assert!(made.unwrap_err().to_string().contains("nothing was changed"));
        assert_eq!(tries, TRIES);
        assert_eq!(store.coordination().unwrap().unwrap(), format!("# Goals\n\n{TRIES}\n"));
        assert!(!store.root.join(STAGED).exists());
    }

    #[test]
    fn a_link_that_comes_meanwhile_is_not_followed() {
        let (dir, store) = store();
        let outside = dir.path().join("outside.md");
        fs::write(&outside, TEMPLATE).unwrap();
        let (_, made) = add_while(&store, |_, path| {
            fs::remove_file(path).unwrap();
            symlink(&outside, path).unwrap();
        });
        made.unwrap_err();
        assert_eq!(fs::read_to_string(&outside).unwrap(), TEMPLATE);
        assert!(!store.root.join(STAGED).exists());
    }
}
