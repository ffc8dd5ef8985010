//! Makes the one canonical pattern of a lease from a path in any form.
//!
//! The pattern is relative to the root, without `.` and `..`, with every symbolic link followed as far as the path
//! exists: `a`, `./a`, `/root/a`, `x/../a` and a link to it are one pattern. A path that does not exist yet counts by
//! its name. The pattern is lower case if the file system ignores case. Otherwise names are compared byte for byte:
//! two Unicode normal forms of one name are two names. Read-only, takes no lock; a link that is changed meanwhile
//! counts as it was read.

use super::{Store, root};
use crate::core::escape;
use crate::core::lease::{PathKind, PathPattern, Scope};
use crate::core::refusal::Refusal;
use anyhow::Result;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// How many symbolic links are followed on one path, like in the kernel.
const MAX_LINKS: usize = 40;

/// The present type of a resolved path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PathType {
    Nothing,
    Dir,
    Other,
}

impl Store {
    /// The pattern for `text` in the directory `from`. With a `*` it is a glob. A directory, and a path or glob with
    /// a slash at its end, stand for everything below it.
    pub fn pattern(&self, from: &Path, text: &OsStr) -> Result<PathPattern> {
        self.resolve(from, text, true)
    }

    /// The pattern for exactly the path that a tool is about to write. A `*` in it is an ordinary character.
    pub fn literal_pattern(&self, from: &Path, path: &OsStr) -> Result<PathPattern> {
        self.resolve(from, path, false)
    }

    fn resolve(&self, from: &Path, given: &OsStr, globs: bool) -> Result<PathPattern> {
        let shown = escape::short(&given.to_string_lossy(), 200);
        let refuse =
            |why: &str| anyhow::Error::from(Refusal::Usage(format!("'{shown}' cannot be leased: {why}")));
        let text = given.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(refuse("it contains a newline or another control character"));
        }
        let mut base: Vec<&str> = text.split('/').collect();
        let wild = base.iter().position(|part| globs && part.contains('*'));
        let mut rest: Vec<&str> = wild.map(|at| base.split_off(at)).unwrap_or_default();
        // As for a plain directory, a slash at the end means everything below.
        let below = matches!(rest.last(), Some(&("" | ".")));
        rest.retain(|part| !matches!(*part, "" | "."));
        if below && rest.last() != Some(&"**") {
            rest.push("**");
        }
        if rest.contains(&"..") {
            return Err(refuse("it has '..' after a '*'"));
        }
        let wants_dir = wild.is_some() || matches!(base.last(), Some(&("" | "." | "..")));
        let base = if wild == Some(0) {
            String::new()
        } else {
            format!("{}{}", base.join("/"), if wild.is_some() { "/" } else { "" })
        };
        let (path, found) = follow(&from.join(base)).map_err(|why| refuse(&why))?;
        if wants_dir && found == PathType::Other {
            return Err(refuse("a part of it is a file, not a directory"));
        }
        let (worktree, inside) = self.place(&path).ok_or_else(|| {
            refuse(&format!("it is outside the project {}", escape::line(&self.root.display().to_string())))
        })?;
        let inside = inside.to_str().ok_or_else(|| refuse("it leads to a path that is not UTF-8"))?;
        if worktree.is_none() && (inside == ".swarm" || inside.starts_with(".swarm/")) {
            return Err(refuse("it belongs to swarm"));
        }
        let mut parts: Vec<&str> = inside.split('/').filter(|part| !part.is_empty()).collect();
        parts.extend(&rest);
        let kind = match (wild, found) {
            (Some(_), _) => PathKind::Glob,
            (None, PathType::Dir) => PathKind::Dir,
            (None, _) if wants_dir => PathKind::Dir,
            (None, _) => PathKind::File,
        };
        let mut path = parts.join("/");
        if self.folds_case() {
            path = path.to_lowercase();
        }
        PathPattern::new(kind, worktree.as_deref(), &path).map_err(|bad| refuse(&bad.to_string()))
    }

    /// The linked worktree of a path (`None`: the main one), and the path in it.
    fn place(&self, path: &Path) -> Option<(Option<String>, PathBuf)> {
        let root = self.root.canonicalize().ok()?;
        let inside = path.starts_with(&root);
        for top in path.ancestors().take_while(|dir| !inside || *dir != root) {
            if let Some(linked) = root::linked_worktree(top).filter(|linked| linked.main == root) {
                return Some((Some(linked.name), path.strip_prefix(top).ok()?.to_owned()));
            }
        }
        path.strip_prefix(&root).ok().map(|inside| (None, inside.to_owned()))
    }

    /// The device and inode of the file that a pattern names now, if the file has other names as well (hard links).
    /// Not checked in linked worktrees, and below directories and globs.
    pub fn many_named(&self, pattern: &PathPattern) -> Option<(u64, u64)> {
        if pattern.kind() != PathKind::File || *pattern.scope() != Scope::Tree(None) {
            return None;
        }
        let meta = fs::symlink_metadata(self.root.join(pattern.path())).ok()?;
        (meta.is_file() && meta.nlink() > 1).then(|| (meta.dev(), meta.ino()))
    }

    /// Whether the file system treats `FORMAT` and `format` as one name.
    fn folds_case(&self) -> bool {
        let inode = |name: &str| fs::symlink_metadata(self.dir.join(name)).ok().map(|m| (m.dev(), m.ino()));
        inode("format").is_some_and(|folded| Some(folded) == inode("FORMAT"))
    }
}

/// Follows an absolute path through every link, and continues by name where it does not exist.
fn follow(path: &Path) -> Result<(PathBuf, PathType), String> {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components()
            .filter_map(|c| match c {
                Component::Normal(name) => Some(name.to_owned()),
                Component::ParentDir => Some("..".into()),
                _ => None,
            })
            .collect()
    };
    let mut open: VecDeque<OsString> = parts(path).into();
    let (mut at, mut found, mut links) = (PathBuf::from("/"), PathType::Dir, 0);
    while let Some(part) = open.pop_front() {
        if found == PathType::Other {
            return Err("a part of it is a file, not a directory".into());
        }
        if part == ".." {
            at.pop();
            found = look(&at)?.0;
            continue;
        }
        let next = at.join(&part);
        let (kind, is_link) =
            if found == PathType::Nothing { (PathType::Nothing, false) } else { look(&next)? };
        if is_link {
            links += 1;
            if links > MAX_LINKS {
                return Err("its symbolic links lead in a circle".into());
            }
            let target = fs::read_link(&next).map_err(|e| format!("a link in it cannot be read: {e}"))?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for part in parts(&target).into_iter().rev() {
                open.push_front(part);
            }
            continue;
        }
        (at, found) = (next, kind);
    }
    Ok((at, found))
}

/// The type of `path` itself, and whether it is a link.
fn look(path: &Path) -> Result<(PathType, bool), String> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Ok((PathType::Dir, false)),
        Ok(meta) => Ok((PathType::Other, meta.is_symlink())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok((PathType::Nothing, false)),
        Err(e) => Err(format!("it cannot be inspected: {e}")),
    }
}
