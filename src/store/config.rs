//! The files of settings: yours, `~/.config/swarm/config.toml`, and the project's, `.swarm.toml` in its root.
//!
//! Reading takes no lock, because a file is replaced as a whole. A file that cannot be read is a problem, never a
//! failure: the defaults count, and mail continues. A change is made under a lock of its own (beside the signing
//! keys), so each of many processes builds on the changes before it. An editor takes no lock, and the last one wins.

use super::{foreign, key, lock, record};
use crate::core::config::{Config, Layer, Source};
use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of a project's file.
pub const FILE: &str = ".swarm.toml";

/// The largest settings file that is read, in bytes.
const MAX: usize = 64 << 10;

/// The paths of the files, whether they exist or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The user's file; `None` without a home.
    pub user: Option<PathBuf>,
    /// The project's file; `None` outside of a project.
    pub project: Option<PathBuf>,
}

/// The facts that distinguish one state of the files from another.
pub type Stamp = [Option<(u64, u64, u64, i64, i64, i64)>; 2];

impl Files {
    /// The files for the project at `root`.
    pub fn of(root: Option<&Path>) -> Self {
        Self::seen_with(root, |name| std::env::var_os(name))
    }

    /// The files for the project at `root`, for an environment with these variables.
    pub fn seen_with(root: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let user = config_home_with(variable).map(|dir| dir.join("config.toml"));
        Self { user, project: root.map(|r| r.join(FILE)) }
    }

    /// All settings: both files and the environment.
    pub fn load(&self) -> Config {
        self.load_with(|name| std::env::var(name).ok())
    }

    /// All settings: both files and these variables.
    pub fn load_with(&self, variable: impl Fn(&str) -> Option<String>) -> Config {
        let file = |source, path: &Option<PathBuf>| {
            path.as_ref().map_or_else(|| Layer::empty(source), |path| layer(source, path))
        };
        Config::resolve(vec![
            file(Source::User, &self.user),
            file(Source::Project, &self.project),
            Layer::environment(|name| variable(name).filter(|text| !text.is_empty())),
        ])
    }

    /// The present state, for two calls of `stat`.
    pub fn stamp(&self) -> Stamp {
        [&self.user, &self.project].map(|path| {
            let meta = fs::metadata(path.as_ref()?).ok()?;
            Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec(), meta.ctime_nsec()))
        })
    }
}

/// The directory of the person's own files: `$XDG_CONFIG_HOME/swarm`, or `~/.config/swarm`.
pub fn config_home() -> Option<PathBuf> {
    config_home_with(|name| std::env::var_os(name))
}

fn config_home_with(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(base.join("swarm"))
}

/// The settings in the file at `path`; empty if there is no file.
pub fn layer(source: Source, path: &Path) -> Layer {
    let place = path.display().to_string();
    match foreign::text(path) {
        Ok(None) => Layer::empty(source),
        Ok(Some(text)) if text.len() <= MAX => Layer::file(source, &place, &text),
        Ok(Some(_)) => Layer::unreadable(source, &place, &format!("it is larger than {MAX} bytes")),
        Err(why) => Layer::unreadable(source, &place, &why),
    }
}

/// Changes the text of the file at `path` to the result of `decide`; `None`: no change. Returns whether it changed.
/// Refuses an invalid text, and a project's file that is a symbolic link, because that came with a clone.
pub fn change(
    source: Source,
    path: &Path,
    decide: impl FnOnce(&str) -> Result<Option<String>>,
) -> Result<bool> {
    let state = key::state_home()?;
    record::ensure_dir(&state)?;
    let _turn = lock::exclusive(&state.join("config.lock"))?;
    if source == Source::Project && path.is_symlink() {
        return Err(foreign::refuse(path, "it is a symbolic link; change what it leads to by hand"));
    }
    let path = foreign::follow(path)?;
    let before = foreign::read(&path)?.unwrap_or_default();
    let Some(after) = decide(&before)?.filter(|after| *after != before) else { return Ok(false) };
    if after.len() > MAX {
        bail!("{} would be larger than {MAX} bytes", path.display());
    }
    foreign::replace(&path, &after).context("nothing was changed")?;
    Ok(true)
}
