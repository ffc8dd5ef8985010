//! What a settings file was before swarm changed it: one record per file, named by its path's hash.
//!
//! Written durably before the file is changed: a crash in between leaves a record that fits no file and is replaced the next
//! time.

use crate::store::record::{self, Durability, Loaded};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Backup {
    /// The file.
    pub path: PathBuf,
    /// What it was; `None`: it was not there.
    pub before: Option<String>,
    /// What it was made.
    pub after: String,
    /// What an earlier installation made it: what it still is if this one was killed before it changed the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,
    /// The directories that were made for it, the innermost first; version 0.1.0 did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Vec<PathBuf>>,
    /// The rules that were put in, in this installation and those before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Of a file of the person's that projects share: those that want what was put in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted_by: Vec<PathBuf>,
}

impl Backup {
    /// Whether `text` is what an installation made of the file.
    pub(super) fn is_ours(&self, text: &str) -> bool {
        text == self.after || self.formerly.as_deref() == Some(text)
    }

    fn place(state: &Path, path: &Path) -> PathBuf {
        state.join(format!("{}.json", name(path)))
    }

    pub(super) fn load(state: &Path, path: &Path) -> Result<Option<Self>> {
        match record::load::<Self>(&Self::place(state, path))? {
            Loaded::Ok(backup) if backup.path == path => Ok(Some(backup)),
            Loaded::Ok(_) | Loaded::Missing => Ok(None),
            Loaded::Bad(why) => bail!("{} cannot be read: {why}", Self::place(state, path).display()),
        }
    }

    /// The files of all records that can be read.
    pub(super) fn all(state: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(state).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| match record::load::<Self>(&entry.path()).ok()? {
                Loaded::Ok(backup) => Some(backup.path),
                Loaded::Missing | Loaded::Bad(_) => None,
            })
            .collect();
        found.sort();
        found
    }

    pub(super) fn save(&self, state: &Path) -> Result<()> {
        record::ensure_dir(state)?;
        record::replace(state, &Self::place(state, &self.path), self, Durability::Durable)
    }

    pub(super) fn forget(state: &Path, path: &Path) -> Result<()> {
        record::remove(&Self::place(state, path))
    }
}

/// The name of a path's record.
pub(super) fn name(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    Sha256::digest(path.as_os_str().as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect()
}
