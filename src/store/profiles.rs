//! The user's own profiles: `~/.config/swarm/profiles/*.toml`, as texts.
//!
//! Read-only, takes no lock: an editor replaces a file as a whole, or a moment later it is read again. A file that cannot be read is
//! reported with the rest and fails nothing.

use super::config::config_home;
use super::foreign;
use crate::core::escape;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest profile that is read, in bytes.
const MAX: usize = 256 << 10;

/// The most files that are looked at.
const MAX_FILES: usize = 200;

/// Where they are.
#[derive(Clone, Debug)]
pub struct Shelf(Option<PathBuf>);

/// What tells one state of the files from another.
pub type Stamp = Vec<(PathBuf, Option<(u64, u64, u64, i64, i64, i64)>)>;

/// A file and its text, or why it cannot be used.
pub type Text = (String, Result<String, String>);

/// The text of one file of rules, wherever it lies; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<String>, String> {
    let found = foreign::text(path)?;
    if found.as_ref().is_some_and(|text| text.len() > MAX) {
        return Err(format!("it is larger than {} KiB", MAX >> 10));
    }
    Ok(found)
}

impl Shelf {
    /// The person's own.
    pub fn of_user() -> Self {
        Self(config_home().map(|dir| dir.join("profiles")))
    }

    /// The present state, for one look at the directory and one call of `stat` per file.
    pub fn stamp(&self) -> Stamp {
        let state = |path: PathBuf| {
            let meta = fs::metadata(&path).ok();
            let state = meta.map(|m| (m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime_nsec()));
            (path, state)
        };
        self.files().into_iter().map(state).collect()
    }

    /// The texts, in the order of the files' names.
    pub fn read(&self) -> Vec<Text> {
        let text =
            |path: &PathBuf| read(path)?.ok_or_else(|| "it is a symbolic link that leads nowhere".to_owned());
        let one = |path: PathBuf| {
            let file = path.display().to_string();
            let text = text(&path)
                .map_err(|why| escape::short(&format!("the profile {file} cannot be read: {why}"), 300));
            (file, text)
        };
        self.files().into_iter().map(one).collect()
    }

    /// Where they are; `None` where the person has no directory for settings.
    pub fn dir(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    fn files(&self) -> Vec<PathBuf> {
        let listed = self.0.iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path());
        let mut paths: Vec<PathBuf> = listed.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
        paths.sort();
        paths.truncate(MAX_FILES);
        paths
    }
}
