//! The text of a settings file before swarm changed it: one record a file, named by the hash of its path.
//!
//! The record is on disk before the file is changed. After a crash in between, it fits no file, and the next
//! installation replaces it.

use crate::core::order;
use crate::store::record::{self, Durability, Loaded};
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Backup {
    pub path: PathBuf,
    /// Its text before; `None` if there was no file.
    pub before: Option<String>,
    /// Its text after the installation.
    pub after: String,
    /// Its text after an earlier installation. The file still has that text if this installation was killed before it
    /// changed the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<String>,
    /// The directories that were made for the file, the innermost first. Version 0.1.0 did not record them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Vec<PathBuf>>,
    /// The rules that this installation and earlier ones added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// For a file that several projects share: the projects that need its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted_by: Vec<PathBuf>,
}

impl Backup {
    /// Whether `text` is the result of an installation.
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
        order::sort(&mut found);
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
