//! The project's signing key, outside the project.
//!
//! `${XDG_STATE_HOME:-~/.local/state}/swarm/<project-id>/key`: 32 random bytes, mode 0600, in a directory of mode
//! 0700. Racing processes agree on one key: each writes its own candidate and links it to the final name, which
//! succeeds once. A key that is too short, readable by others or owned by another user is an error, and is never
//! replaced. A key is made only for a new project, before its store: if a store has no key here, its key is elsewhere
//! (see `settle.rs`).

use super::{fault, record};
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::core::signing::{KEY_LEN, Key};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory with the keys of all projects.
pub fn state_home() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    match (absolute("XDG_STATE_HOME"), absolute("HOME")) {
        (Some(state), _) => Ok(state.join("swarm")),
        (None, Some(home)) => Ok(home.join(".local/state/swarm")),
        (None, None) => {
            let text = "neither XDG_STATE_HOME nor HOME is set to an absolute path: the key cannot be found without one of them";
            Err(Refusal::NoKey(text.into()).into())
        }
    }
}

/// Loads the key of a project; `None` if it is not here.
pub fn load(home: &Path, project_id: &str) -> Result<Option<Key>> {
    check_home(home)?;
    let dir = home.join(project_id);
    read(&dir, &dir.join("key"))
}

/// Loads the key of a project; makes it if there is none. Only for a project that has signed nothing yet.
pub fn load_or_create(home: &Path, project_id: &str) -> Result<Key> {
    if let Some(key) = load(home, project_id)? {
        return Ok(key);
    }
    let dir = home.join(project_id);
    let path = dir.join("key");
    create(&dir, &path)?;
    read(&dir, &path)?.with_context(|| format!("the key {} has vanished", path.display()))
}

/// Removes the key of a project that was not made.
pub fn discard(home: &Path, project_id: &str) {
    let dir = home.join(project_id);
    // If it stays, it is the key of nothing.
    let _ = fs::remove_file(dir.join("key")).and_then(|()| fs::remove_dir(&dir));
}

/// Refuses a directory for keys in which another user could replace a key. The user is responsible for the
/// directories above, as for every file.
fn check_home(home: &Path) -> Result<()> {
    let Ok(meta) = fs::metadata(home) else { return Ok(()) };
    let shown = home.display();
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        bail!("{shown} belongs to another user: swarm neither reads nor makes a key there");
    }
    if meta.permissions().mode() & 0o022 != 0 {
        bail!("others may write in {shown}; repair it with: chmod go-w {}", escape::word(&shown.to_string()));
    }
    Ok(())
}

fn read(dir: &Path, path: &Path) -> Result<Option<Key>> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| format!("cannot read the key {}", path.display())),
    };
    if !meta.is_file() {
        bail!("the key {} is not a regular file", path.display());
    }
    let mine = nix::unistd::geteuid().as_raw();
    let dir_meta = fs::metadata(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for (what, meta, mode) in [(path, &meta, "600"), (dir, &dir_meta, "700")] {
        if meta.uid() != mine {
            bail!("{} belongs to another user: it cannot be trusted", what.display());
        }
        if meta.permissions().mode() & 0o077 != 0 {
            let word = escape::word(&what.display().to_string());
            bail!("others may read {}; repair it with: chmod {mode} {word}", what.display());
        }
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read the key {}", path.display()))?;
    let bytes: [u8; KEY_LEN] = bytes.try_into().map_err(|bytes: Vec<u8>| {
        anyhow::anyhow!(
            "the key {} has {} bytes instead of {KEY_LEN}; restore it from a backup",
            path.display(),
            bytes.len()
        )
    })?;
    Ok(Some(Key::new(bytes)))
}

fn create(dir: &Path, path: &Path) -> Result<()> {
    record::ensure_dir(dir)?;
    let mut bytes = [0u8; KEY_LEN + 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("the system gives no random bytes: {e}"))?;
    let (key, nonce) = bytes.split_at(KEY_LEN);
    let nonce = nonce.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let candidate = dir.join(format!("candidate.{nonce:016x}"));
    record::create_file(&candidate, key)?;
    fault::point("before-key");
    let linked = fs::hard_link(&candidate, path);
    fault::point("after-key");
    let _ = fs::remove_file(&candidate);
    match linked {
        Ok(()) => record::sync_dir(dir),
        // Another process was faster: its key counts.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e).with_context(|| format!("cannot create the key {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_stays() {
        let home = tempfile::tempdir().unwrap();
        load_or_create(home.path(), "p").unwrap();
        let first = fs::read(home.path().join("p/key")).unwrap();
        load_or_create(home.path(), "p").unwrap();
        assert_eq!(fs::read(home.path().join("p/key")).unwrap(), first);
        assert_eq!(fs::read_dir(home.path().join("p")).unwrap().count(), 1);
    }

    #[test]
    fn a_loose_or_short_key_is_refused_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        load_or_create(home.path(), "p").unwrap();
        let path = home.path().join("p/key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load_or_create(home.path(), "p").err().unwrap().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = load_or_create(home.path(), "p").err().unwrap().to_string();
        assert!(error.contains("chmod go-w"), "{error}");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(load_or_create(home.path(), "p").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
