//! Advisory locks between processes: flock, through fs2, and nowhere else.
//!
//! The mutex guards a mutation and is held well under a millisecond, never across a tmux call or any
//! subprocess. The kernel frees a lock when its holder dies. Lock files are never unlinked: unlinking one
//! would let two processes hold "the same" lock. Order: pane lock, or the
//! coordination document's, before mutex, never the reverse.

use anyhow::{Context as _, Result, bail};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to try for the mutex before giving up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct Held(#[allow(dead_code)] File);

/// Takes the exclusive lock at `path`, waiting up to 5 s with a growing pause of 1 to 16 ms. Returns the time
/// waited for the journal's contention figures.
pub fn exclusive(path: &Path) -> Result<(Held, Duration)> {
    exclusive_within(path, PATIENCE)
}

/// [`exclusive`] for a lock that is held longer than the mutex.
pub fn exclusive_within(path: &Path, patience: Duration) -> Result<(Held, Duration)> {
    let begun = Instant::now();
    let file = open(path)?;
    let mut pause = Duration::from_millis(1);
    loop {
        if try_lock(&file, path)? {
            return Ok((Held(file), begun.elapsed()));
        }
        if begun.elapsed() > patience {
            bail!("{} is held by another process for more than {} s", path.display(), patience.as_secs());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(16));
    }
}

/// Takes the exclusive lock at `path` if it is free.
pub fn try_exclusive(path: &Path) -> Result<Option<Held>> {
    let file = open(path)?;
    Ok(try_lock(&file, path)?.then_some(Held(file)))
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(path)
        .with_context(|| format!("cannot open the lock {}", path.display()))
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    loop {
        match fs2::FileExt::try_lock_exclusive(file) {
            Ok(()) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.raw_os_error() == fs2::lock_contended_error().raw_os_error() => return Ok(false),
            Err(e) => return Err(e).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}
