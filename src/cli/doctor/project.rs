//! Checks the project before its store is opened: finds what would make opening it fail, or make it unsafe.
//!
//! Nothing here goes through the store, so a check never makes a new key in place of a lost one.

use super::finding::{self, Finding, Fix};
use crate::core::escape;
use crate::core::order;
use crate::core::signing::{KEY_LEN, Key};
use crate::os::volume;
use crate::store::mark::ProjectMark;
use crate::store::{key, root};
use nix::unistd::{AccessFlags, access, geteuid};
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The most entries of a store that are checked.
const MOST: usize = 50_000;

pub(super) fn check(root: &Path, found: &mut Vec<Finding>) {
    let dir = root.join(".swarm");
    found.push(match root::check_format(&dir) {
        Ok(()) => Finding::ok("project", root.display().to_string()),
        Err(error) => Finding::bad(
            "project",
            format!("{error:#}"),
            "use the swarm that wrote it; see docs/troubleshooting.md",
        ),
    });
    found.push(modes(&dir));
    found.push(writable(&dir));
    match volume::look(&dir) {
        Ok(seen) => found.extend([finding::space(&seen), finding::volume(&seen)]),
        Err(error) => found.push(Finding::warn("space", format!("{error:#}"), "check the disk")),
    }
    found.push(signing_key(&dir));
    found.push(ignored(root));
}

/// Whether only this user has access to everything in the store.
fn modes(dir: &Path) -> Finding {
    let (mut foreign, mut open, mut loose) = (Vec::new(), Vec::new(), Vec::new());
    let mut queue = vec![dir.to_owned()];
    let mut next = 0;
    while next < queue.len() && queue.len() < MOST {
        let path = queue[next].clone();
        next += 1;
        // It is gone meanwhile, because mail moves.
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_symlink() || !is_mine(&meta) {
            foreign.push(path);
            continue;
        }
        if meta.permissions().mode() & 0o022 != 0 {
            open.push(path.clone());
        } else if meta.permissions().mode() & 0o077 != 0 {
            loose.push(path.clone());
        }
        if meta.is_dir() {
            queue.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        }
    }
    if let Some(first) = foreign.first() {
        return Finding::bad(
            "modes",
            format!("{} is a symbolic link or another user's{}", first.display(), and_more(foreign.len())),
            "look at it and remove it; if the directory came with a repository, remove all of .swarm",
        );
    }
    let repair = format!("chmod -R go-rwx {}", escape::word(&dir.display().to_string()));
    match (open.first(), loose.first()) {
        (Some(first), _) => {
            let seen = format!("others may write in {}{}", first.display(), and_more(open.len()));
            open.extend(loose);
            // Directories come first: once one is closed, nobody else can change its contents.
            order::sort(&mut open);
            Finding::bad("modes", seen, repair).fixable(Fix::Close(open))
        }
        (None, Some(first)) => {
            let seen = format!("others may read {}{}", first.display(), and_more(loose.len()));
            Finding::warn("modes", seen, repair).fixable(Fix::Close(loose))
        }
        (None, None) => Finding::ok("modes", format!("{} is yours alone", dir.display())),
    }
}

fn and_more(count: usize) -> String {
    if count > 1 { format!(" and {} more", count - 1) } else { String::new() }
}

fn is_mine(meta: &Metadata) -> bool {
    meta.uid() == geteuid().as_raw()
}

fn writable(dir: &Path) -> Finding {
    let parts = [dir.to_owned(), dir.join("tmp"), dir.join("mail"), dir.join("lock")];
    let refused = parts.iter().find_map(|path| access(path, AccessFlags::W_OK).err().map(|e| (path, e)));
    match refused {
        None => Finding::ok("writable", "can be written"),
        Some((path, why)) => Finding::bad(
            "writable",
            format!("{} cannot be written: {why}", path.display()),
            "repair the mode, the mount or the sandbox's rules; until then nothing can be sent from here",
        ),
    }
}

#[inline(never)]
fn signing_key(dir: &Path) -> Finding {
    let place = || -> anyhow::Result<(PathBuf, ProjectMark)> {
        let mark = ProjectMark::read(dir)?;
        Ok((key::state_home()?.join(&mark.id), mark))
    };
    let (home, mark) = match place() {
        Ok(place) => place,
        Err(error) => {
            return Finding::bad("key", format!("{error:#}"), "the key cannot be found without it");
        }
    };
    let path = home.join("key");
    let shown = path.display();
    let Ok(meta) = path.symlink_metadata() else {
        return Finding::bad(
            "key",
            format!("{shown} does not exist: without it nothing is read or sent"),
            "use the HOME (or XDG_STATE_HOME) that the project was set up with, or restore it; if it is lost for good: swarm init --new-key",
        );
    };
    let home_meta = home.symlink_metadata().ok();
    if !meta.is_file() || !is_mine(&meta) || !home_meta.as_ref().is_some_and(is_mine) {
        return Finding::bad(
            "key",
            format!("{shown} is not a file of yours"),
            "swarm does not use it; look at it",
        );
    }
    if meta.len() != KEY_LEN as u64 {
        let seen = format!("{shown} has {} bytes instead of {KEY_LEN}", meta.len());
        return Finding::bad("key", seen, "restore it from a backup; swarm never replaces it");
    }
    let fits = |bytes: Vec<u8>| {
        let key = bytes.try_into().ok().map(Key::new);
        key.is_some_and(|key| mark.key.as_ref().is_none_or(|print| *print == key.fingerprint(&mark.id)))
    };
    if fs::read(&path).is_ok_and(|bytes| !fits(bytes)) {
        return Finding::bad(
            "key",
            format!("{shown} is another key than this project's records are signed with"),
            "use the HOME (or XDG_STATE_HOME) that the project was set up with, or restore the right one; if it is lost for good: swarm init --new-key",
        );
    }
    let loose = |m: &Metadata| m.permissions().mode() & 0o077 != 0;
    let open: Vec<PathBuf> = [(home.clone(), home_meta), (path.clone(), Some(meta))]
        .into_iter()
        .filter(|(_, meta)| meta.as_ref().is_some_and(loose))
        .map(|(path, _)| path)
        .collect();
    match open.first() {
        None => Finding::ok("key", shown.to_string()),
        Some(first) => Finding::bad(
            "key",
            format!("others may read {}: whoever reads the key can sign", first.display()),
            format!("chmod -R go-rwx {}", escape::word(&home.display().to_string())),
        )
        .fixable(Fix::Close(open)),
    }
}

/// Whether git ignores the store.
fn ignored(root: &Path) -> Finding {
    let git = |args: &[&str]| {
        let out = Command::new("git").arg("-C").arg(root).args(args).stdin(Stdio::null()).output().ok()?;
        out.status.success().then_some(!out.stdout.is_empty())
    };
    if git(&["rev-parse", "--git-dir"]).is_none() {
        return Finding::ok("git", "no repository here");
    }
    if git(&["ls-files", "--", ".swarm"]) == Some(true) {
        return Finding::warn(
            "git",
            "files in .swarm are tracked: mail and state would be committed",
            "git rm -r --cached .swarm",
        );
    }
    if git(&["check-ignore", "-q", ".swarm/PROJECT"]).is_some() {
        Finding::ok("git", ".swarm is ignored")
    } else {
        Finding::warn("git", ".swarm is not ignored", "echo '*' >.swarm/.gitignore")
    }
}
