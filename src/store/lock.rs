//! Advisory locks between processes: flock, through fs2, and nowhere else.
//!
//! The mutex guards a mutation and is held well under a millisecond, never across a tmux call or any
//! subprocess. The kernel frees a lock when its holder dies. Lock files are never unlinked: unlinking one
//! would let two processes hold "the same" lock. Order: pane lock, or the
//! coordination document's, before mutex, never the reverse.

use anyhow::{Context as _, Result, bail};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long to try for the mutex before giving up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long, and how often, one looks again before queueing up in the kernel: a mutation takes a fraction of a millisecond, which
/// is less than starting the thread that queues.
const GLANCES: (Duration, Duration) = (Duration::from_millis(3), Duration::from_micros(100));

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct Held(File);

impl Held {
    /// The lock as a child's standard input: the child holds it from its first moment on, and after this process has ended.
    pub fn stdio(&self) -> std::io::Result<Stdio> {
        self.0.try_clone().map(Stdio::from)
    }

    /// Gives the file the present time.
    pub fn touch(&self) {
        let now = std::time::UNIX_EPOCH + Duration::from_millis(crate::os::clock::wall_ms());
        // It is a hint to others: without it one of them tries again a moment too early.
        let _ = self.0.set_modified(now);
    }

    /// Whether the lock is still the one at `path`: not if the file was removed, or another one is in its place.
    pub fn is_at(&self, path: &Path) -> bool {
        match (self.0.metadata(), path.symlink_metadata()) {
            (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

/// Takes the exclusive lock at `path`, waiting up to 5 s. Returns the time waited for the journal's contention figures.
pub fn exclusive(path: &Path) -> Result<(Held, Duration)> {
    exclusive_within(path, PATIENCE)
}

/// [`exclusive`] for a lock that is held longer than the mutex.
pub fn exclusive_within(path: &Path, patience: Duration) -> Result<(Held, Duration)> {
    let begun = Instant::now();
    let file = open(path)?;
    while begun.elapsed() < GLANCES.0 {
        if try_lock(&file, path)? {
            return Ok((Held(file), begun.elapsed()));
        }
        thread::sleep(GLANCES.1);
    }
    // The kernel hands a lock on the moment it is free; it knows no deadline, so a thread waits for it there. If the deadline
    // comes first nobody takes what the thread gets, and it is freed as it is dropped.
    let (sender, receiver) = mpsc::sync_channel(1);
    let waiting = move || {
        let taken = wait(&file);
        let _ = sender.send(taken.map(|()| Held(file)));
    };
    thread::Builder::new().name("lock".into()).spawn(waiting).context("cannot wait for a lock")?;
    match receiver.recv_timeout(patience) {
        Ok(taken) => {
            let held = taken.with_context(|| format!("cannot lock {}", path.display()))?;
            Ok((held, begun.elapsed()))
        }
        Err(_) => {
            bail!("{} is held by another process for more than {} s", path.display(), patience.as_secs())
        }
    }
}

/// Takes the exclusive lock at `path` if it is free.
pub fn try_exclusive(path: &Path) -> Result<Option<Held>> {
    let file = open(path)?;
    Ok(try_lock(&file, path)?.then_some(Held(file)))
}

/// The lock at `path`, if a parent has given it along as standard input, which is nothing from then on.
pub fn inherited(path: &Path) -> Result<Option<Held>> {
    let Ok(given) = std::io::stdin().as_fd().try_clone_to_owned() else { return Ok(None) };
    let held = Held(File::from(given));
    // Its own, this is granted at once; of a file that was only opened there, it is taken now.
    if !held.is_at(path) || !try_lock(&held.0, path)? {
        return Ok(None);
    }
    let nothing = File::open("/dev/null").context("cannot open /dev/null")?;
    nix::unistd::dup2_stdin(&nothing).context("cannot give up standard input")?;
    Ok(Some(held))
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

fn wait(file: &File) -> std::io::Result<()> {
    loop {
        match fs2::FileExt::lock_exclusive(file) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
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
