//! The person's own files that swarm reads and, if asked to, changes: settings.
//!
//! They are not trusted: only regular files are read, up to a bound, and only UTF-8. A file is replaced by a rename,
//! at the target of a symbolic link (people keep their settings elsewhere and link them), and keeps its mode. No lock
//! is taken here: code that changes a file after reading it takes one.

use super::{entropy, fault, record};
use crate::core::refusal::Refusal;
use anyhow::{Context as _, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const MAX: u64 = 4 << 20;

/// The target of a symbolic link, or the path itself.
pub fn follow(path: &Path) -> Result<PathBuf> {
    match fs::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(e) if e.kind() == ErrorKind::NotFound && !path.is_symlink() => Ok(path.to_owned()),
        Err(e) => Err(e).with_context(|| format!("cannot follow {}", path.display())),
    }
}

/// A path without symbolic links, as far as it exists. A dangling link is refused, because its target is unknown.
pub fn real(path: &Path) -> Result<PathBuf> {
    let mut rest = Vec::new();
    let mut base = path;
    loop {
        match fs::canonicalize(base) {
            Ok(real) => return Ok(rest.iter().rev().fold(real, |dir, part| dir.join(part))),
            Err(_) if base.is_symlink() => {
                return Err(refuse(path, &format!("{} is a link that leads nowhere", base.display())));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => match (base.parent(), base.file_name()) {
                (Some(parent), Some(name)) => {
                    rest.push(name.to_owned());
                    base = parent;
                }
                _ => return Ok(path.to_owned()),
            },
            Err(e) => return Err(e).with_context(|| format!("cannot follow {}", path.display())),
        }
    }
}

/// [`real`] for a file that must be in the directory `dir`: this project may not change files elsewhere.
pub fn within(path: &Path, dir: &Path) -> Result<PathBuf> {
    let found = real(path)?;
    if found.starts_with(real(dir)?) {
        return Ok(found);
    }
    Err(refuse(path, &format!("a link leads from there to {}, outside {}", found.display(), dir.display())))
}

/// The text of a file that will be changed; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<String>> {
    let found = found(path).with_context(|| format!("cannot read {}", path.display()))?;
    found.map(|text| text.map_err(|why| refuse(path, &why))).transpose()
}

/// The text of a file that is only read; `None` if there is none. The error gives the reason, without the path.
pub fn text(path: &Path) -> Result<Option<String>, String> {
    found(path).map_err(|why| why.to_string())?.transpose()
}

/// The text of a file, or the reason why it has none.
fn found(path: &Path) -> std::io::Result<Option<Result<String, String>>> {
    // A FIFO must not block this process.
    let open = OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path);
    let file = match open {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(e),
    };
    Ok(Some(match bytes(&file)?.map(String::from_utf8) {
        None => Err(format!("it is not a regular file of at most {} MiB", MAX >> 20)),
        Some(Err(_)) => Err("it is not UTF-8".to_owned()),
        Some(Ok(text)) => Ok(text),
    }))
}

fn bytes(file: &File) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        file.take(MAX + 1).read_to_end(&mut bytes)?;
        return Ok((bytes.len() as u64 <= MAX).then_some(bytes));
    }
    Ok(None)
}

/// Replaces a file, or makes it and its directory.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    let mode = fs::metadata(path).map(|m| m.permissions());
    if mode.as_ref().is_ok_and(fs::Permissions::readonly) {
        return Err(refuse(path, "it is read-only; make it writable, or change it by hand"));
    }
    let dir = path.parent().context("it has no directory")?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let temp = dir.join(format!(".swarm-{:016x}.tmp", entropy()?));
    let put = || -> Result<()> {
        record::create_file(&temp, text.as_bytes())?;
        // Not the set-user-id bits: the original file may be another user's, and this one is ours.
        let mode = mode.map_or(0o644, |mode| mode.mode() & 0o777);
        fs::set_permissions(&temp, fs::Permissions::from_mode(mode))?;
        fault::point("before-settings");
        fs::rename(&temp, path)?;
        fault::point("after-settings");
        Ok(())
    };
    put()
        .inspect_err(|_| drop(fs::remove_file(&temp)))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The refusal to touch a file.
pub fn refuse(path: &Path, why: &str) -> anyhow::Error {
    Refusal::Usage(format!("{} was not changed: {why}", path.display())).into()
}
