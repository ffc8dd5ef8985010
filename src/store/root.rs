//! Finds the root of a project, and makes `.swarm/`.
//!
//! It is made by one rename of a complete directory, so any number of racing `swarm init` agree on one store with one
//! project id. A `.swarm/` that is not swarm's (without a FORMAT file) is never written to.

use super::mark::{self, ProjectMark, Seat};
use super::{agents, fault, foreign, record, sealed};
use crate::core::escape;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The format that this version writes; a newer one is refused. Since 3, `PROJECT` contains more than version 0.1.0
/// can read. There is no 2: examples and tests use it as a future format.
pub const FORMAT: u32 = 3;

/// The format of version 0.1.0.
const FIRST: u32 = 1;

/// The largest FORMAT that is read, in bytes.
const MAX_MARK: u64 = 256;

/// The directory for records that do not count any more; it is made when something is set aside.
pub(super) const ASIDE: &str = "aside";

/// The directories that are made when they are needed.
const LATER: [&str; 5] = [ASIDE, "lock.queue", "leases.left", "handover", agents::ENDED];

/// The directories that a store has from the beginning.
pub(super) const DIRECTORIES: [&str; 13] = [
    "agents",
    "mail",
    "outbox",
    "dead",
    "rate",
    "leases",
    "waiters",
    "notices",
    "claims",
    "hooks",
    "edits",
    "quarantine",
    "tmp",
];

/// The root of the project for a command that is run in `from`: `$SWARM_ROOT` (given as `forced`), or else the
/// project of `from`.
pub fn find(from: &Path, forced: Option<&Path>) -> Option<PathBuf> {
    match forced {
        Some(root) => Some(real(root)).filter(|root| is_store(&root.join(".swarm"))),
        None => around(from),
    }
}

/// The root of a directory's project: the nearest parent with a `.swarm/` of swarm's. A root has no symbolic links in
/// its name, so one project has one name.
pub fn around(from: &Path) -> Option<PathBuf> {
    let from = &*real(from);
    let nearest = from.ancestors().find(|dir| is_store(&dir.join(".swarm")));
    // A linked worktree outside its main worktree has no parent with a store: it shares the main one's.
    nearest.map(Path::to_owned).or_else(|| work_tree(from).filter(|root| is_store(&root.join(".swarm"))))
}

/// A path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The directory in which `swarm init` makes a store: an existing one, else the (main) git work tree, else `from`
/// itself.
pub fn choose(from: &Path, forced: Option<&Path>) -> PathBuf {
    let root = forced
        .map(Path::to_owned)
        .or_else(|| around(from))
        .or_else(|| work_tree(from))
        .unwrap_or_else(|| from.to_owned());
    real(&root)
}

/// The git work tree around `from`; of a linked worktree, the main one.
pub(super) fn work_tree(from: &Path) -> Option<PathBuf> {
    let from = &*real(from);
    let top = from.ancestors().find(|dir| dir.join(".git").exists())?;
    let dot_git = top.join(".git");
    if dot_git.is_dir() {
        return Some(top.to_owned());
    }
    // A submodule, and the worktree of a bare repository, have no main worktree.
    Some(linked_worktree(top).map_or_else(|| top.to_owned(), |linked| linked.main))
}

/// A linked git worktree.
pub struct Linked {
    /// The top of the main worktree.
    pub main: PathBuf,
    /// The name that git gave it, unique in the repository.
    pub name: String,
}

/// The main worktree of the linked worktree with its top at `top`, if it is a linked one.
pub fn linked_worktree(top: &Path) -> Option<Linked> {
    // `.git` is a file in a linked worktree and in a submodule; only the former has a `commondir`.
    let text = foreign::read(&top.join(".git")).ok()??;
    let git_dir = top.join(text.strip_prefix("gitdir:")?.trim());
    let common = foreign::read(&git_dir.join("commondir")).ok()??;
    let common = git_dir.join(common.trim()).canonicalize().ok()?;
    let main = common.parent().filter(|_| common.file_name().is_some_and(|n| n == ".git"))?;
    Some(Linked { main: main.to_owned(), name: git_dir.file_name()?.to_str()?.to_owned() })
}

/// Whether a directory is a store of swarm's.
pub(super) fn is_store(dir: &Path) -> bool {
    dir.join("FORMAT").exists()
}

/// Makes the store of `root` if there is none; returns whether it did. The project's key, with this `fingerprint`,
/// exists already.
pub fn create(root: &Path, project_id: &str, fingerprint: &str) -> Result<bool> {
    let dir = root.join(".swarm");
    if is_store(&dir) {
        check_format(&dir)?;
        return Ok(false);
    }
    if dir.exists() && fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!(
            "{} exists but is not swarm's (it has no FORMAT file); move it away, or choose another root with SWARM_ROOT",
            dir.display()
        );
    }
    let temp = root.join(format!(".swarm.{project_id}.tmp"));
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&temp)
        .with_context(|| format!("cannot create {}", temp.display()))?;
    let place = || {
        fault::point("before-store");
        fs::rename(&temp, &dir)
    };
    let mark = || -> Result<ProjectMark> {
        let seat = Some(Seat::of_dir(root, &temp)?);
        Ok(ProjectMark { id: project_id.to_owned(), key: Some(fingerprint.to_owned()), seat })
    };
    let made = mark().and_then(|mark| fill(&temp, &mark)).and_then(|()| match place() {
        Ok(()) => {
            fault::point("after-store");
            record::sync_dir(root).map(|()| true)
        }
        // Another process was faster: its store counts.
        Err(e)
            if matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
                && is_store(&dir) =>
        {
            Ok(false)
        }
        Err(e) => Err(e).with_context(|| format!("cannot create {}", dir.display())),
    });
    if !matches!(made, Ok(true)) {
        let _ = fs::remove_dir_all(&temp);
    }
    made
}

fn fill(dir: &Path, mark: &ProjectMark) -> Result<()> {
    // The umask may have removed bits, or a default ACL may have added some.
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    furnish(dir)?;
    for (name, text) in [
        (".gitignore", "*\n".to_owned()),
        ("PROJECT", mark.text()),
        ("lock", String::new()),
        ("FORMAT", format!("{FORMAT}\n")),
    ] {
        record::create_file(&dir.join(name), text.as_bytes())?;
    }
    record::sync_dir(dir)
}

/// Makes the missing directories and the FIFO of a store: copies, archives and people who tidy up drop empty
/// directories and special files.
pub(super) fn complete(dir: &Path) -> Result<()> {
    for name in DIRECTORIES {
        record::ensure_dir(&dir.join(name))?;
    }
    let wake = dir.join("wake");
    match nix::unistd::mkfifo(&wake, nix::sys::stat::Mode::from_bits_truncate(0o600)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => Ok(()),
        Err(e) => Err(e).with_context(|| format!("cannot create the FIFO {}", wake.display())),
    }
}

/// Makes the initial contents of a store that do not exist.
pub(super) fn furnish(dir: &Path) -> Result<()> {
    complete(dir)?;
    for (name, text) in [("numbers.json", sealed::FIRST_NUMBERS), ("courier.lock", "")] {
        if dir.join(name).symlink_metadata().is_err() {
            record::create_file(&dir.join(name), text.as_bytes())?;
        }
    }
    Ok(())
}

/// Refuses a store that is not this user's alone: another user's, one that others may write in, or one with a
/// symbolic link in place of a directory, as a cloned repository may contain. Otherwise others could make this user's
/// commands write elsewhere. Returns whether everything exists that `complete` makes.
pub fn check_owner(dir: &Path) -> Result<bool> {
    let mut whole = dir.join("wake").symlink_metadata().is_ok();
    for name in [""].into_iter().chain(DIRECTORIES).chain(LATER) {
        let path = if name.is_empty() { dir.to_owned() } else { dir.join(name) };
        let meta = match fs::symlink_metadata(&path) {
            // A store that is older than this directory, or from which it was removed.
            Err(e) if e.kind() == ErrorKind::NotFound => {
                whole &= LATER.contains(&name);
                continue;
            }
            other => other.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let shown = path.display();
        if !meta.is_dir() {
            bail!("{shown} is not a directory of its own (a symbolic link?): it is not followed; remove it");
        }
        if meta.uid() != nix::unistd::geteuid().as_raw() {
            bail!(
                "{shown} belongs to another user: nothing is read or written there; use SWARM_ROOT for a project of yours"
            );
        }
        if meta.permissions().mode() & 0o022 != 0 {
            bail!(
                "others may write in {shown}; repair it with: chmod go-w {}",
                escape::word(&shown.to_string())
            );
        }
    }
    Ok(whole)
}

/// Makes programs of earlier formats refuse a store with a clear error, before it contains records that they cannot
/// read.
pub(super) fn raise_format(dir: &Path) -> Result<()> {
    let path = dir.join("FORMAT");
    if record::text(&path, MAX_MARK)?.trim() == FORMAT.to_string() {
        return Ok(());
    }
    mark::replace(&dir.join("tmp"), &path, &format!("{FORMAT}\n"))
}

/// Refuses a store that a newer version wrote.
pub fn check_format(dir: &Path) -> Result<()> {
    let path = dir.join("FORMAT");
    let text = record::text(&path, MAX_MARK)?;
    match text.trim().parse::<u32>() {
        Ok(FIRST | FORMAT) => Ok(()),
        Ok(other) => bail!(
            "{} says format {other}, this swarm knows format {FORMAT}; nothing was changed. Use the version of swarm that wrote it",
            path.display()
        ),
        Err(_) => bail!("{} does not hold a number; nothing was changed", path.display()),
    }
}
