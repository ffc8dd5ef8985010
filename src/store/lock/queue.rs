//! The processes that wait for a lock, in their order: `LOCK.queue/` beside the lock.
//!
//! Each waiter has a ticket: a file of its own, which it keeps locked as long as it waits for or holds the lock. It
//! appends the ticket's name to `order` in one write, so all see one order. It then sleeps in the kernel until the
//! ticket before its own is free: that process is done, or dead. A finished process unlinks its ticket before it
//! frees it. So a free ticket that still exists is a killed process's, and then the ticket before it counts. No name
//! is used twice, so this queue cannot give a lock to two processes: it only tells them when to ask for it. The last
//! process empties `order`. Nobody can enter at that moment, because those who enter hold `order` shared, and the one
//! that empties it holds it alone.

use crate::os::clock;
use crate::store::entropy;
use anyhow::{Context as _, Result, bail};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The length of a ticket's name, and its line feed.
const LINE: u64 = 17;

/// How long the first in the queue may have waited before newcomers must queue. A lock that passes from one sleeper
/// to the next is free while each wakes up. As long as nobody waits for long, processes that are awake may use that
/// time.
const FAIR_MS: u64 = 500;

/// How often, and with which pause, a process tries to enter while the order is being emptied, which takes some
/// microseconds.
const TRIES: (usize, Duration) = (50, Duration::from_micros(100));

/// The queue of one lock.
#[derive(Debug)]
pub(super) struct Order {
    dir: PathBuf,
}

/// A place in a queue.
#[derive(Debug)]
pub(super) struct Place {
    turn: Arc<Ticket>,
    behind: Behind,
}

/// The tickets before a place.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    dir: PathBuf,
    order: Arc<File>,
    /// The start of the line of this place.
    at: u64,
}

#[derive(Debug)]
struct Ticket {
    file: File,
    path: PathBuf,
    order: Arc<File>,
    /// The end of its line.
    end: u64,
}

/// The right to go first. Dropping it lets the next process go.
#[derive(Debug)]
pub(super) struct Turn(Arc<Ticket>);

impl Order {
    pub(super) fn of(lock: &Path) -> Self {
        let mut dir = lock.as_os_str().to_owned();
        dir.push(".queue");
        Self { dir: dir.into() }
    }

    /// Whether a newcomer may try for the lock at once: nobody queues, or the first in the queue has not waited for
    /// long. Without a queue, this is one look at the file system.
    pub(super) fn admits(&self) -> bool {
        let path = self.dir.join("order");
        let len = fs::symlink_metadata(&path).map_or(0, |order| order.len());
        let Some(order) = (len > 0).then(|| open(OpenOptions::new().read(true), &path).ok()).flatten() else {
            return true;
        };
        let all = Behind { dir: self.dir.clone(), order: Arc::new(order), at: len - len % LINE };
        let first =
            all.before(&mut ((all.passed() + 1) * LINE)).and_then(|path| path.symlink_metadata().ok());
        let came = first.map(|ticket| u64::try_from(ticket.mtime() * 1000 + ticket.mtime_nsec() / 1_000_000));
        !came.is_some_and(|came| came.is_ok_and(|came| clock::wall_ms().saturating_sub(came) >= FAIR_MS))
    }

    /// Takes the last place.
    pub(super) fn enter(&self) -> Result<Place> {
        match DirBuilder::new().mode(0o700).create(&self.dir) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                return Err(e).with_context(|| format!("cannot make {}", self.dir.display()));
            }
            _ => {}
        }
        let mut order =
            open(OpenOptions::new().read(true).append(true).create(true), &self.dir.join("order"))?;
        let name = format!("{:016x}", entropy()?);
        let path = self.dir.join(&name);
        let file = open(OpenOptions::new().write(true).create_new(true), &path)?;
        fs2::FileExt::try_lock_exclusive(&file).context("cannot lock a new file")?;
        let entered = (0..TRIES.0).any(|_| {
            let entered = fs2::FileExt::try_lock_shared(&order).is_ok();
            if !entered {
                std::thread::sleep(TRIES.1);
            }
            entered
        });
        let written = entered && order.write_all(format!("{name}\n").as_bytes()).is_ok();
        let end = if written { order.stream_position().ok() } else { None };
        let _ = fs2::FileExt::unlock(&order);
        let Some(end) = end.filter(|end| *end >= LINE && end % LINE == 0) else {
            let _ = fs::remove_file(&path);
            bail!("cannot queue up in {}", self.dir.display());
        };
        let order = Arc::new(order);
        let behind = Behind { dir: self.dir.clone(), order: order.clone(), at: end - LINE };
        Ok(Place { turn: Arc::new(Ticket { file, path, order, end }), behind })
    }
}

fn open(options: &mut OpenOptions, path: &Path) -> Result<File> {
    let options = options.mode(0o600).custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits());
    options.open(path).with_context(|| format!("cannot open {}", path.display()))
}

impl Place {
    /// The tickets before it.
    pub(super) fn behind(&self) -> Behind {
        self.behind.clone()
    }

    /// The turn, to be kept until the lock is given back.
    pub(super) fn turn(&self) -> Turn {
        Turn(self.turn.clone())
    }

    /// Sleeps until the processes before it are done or dead.
    pub(super) fn await_turn(&self) {
        let mut dead = Vec::new();
        let mut at = self.behind.at;
        while let Some(path) = self.behind.before(&mut at) {
            let Ok(file) = open(OpenOptions::new().read(true), &path) else { break };
            if wait_shared(&file).is_err() || file.metadata().is_ok_and(|ticket| ticket.nlink() == 0) {
                break;
            }
            dead.push(path);
        }
        // Only after all are dead: if this process is killed here, its successor finds the same.
        for path in dead {
            let _ = fs::remove_file(path);
        }
    }
}

fn wait_shared(file: &File) -> std::io::Result<()> {
    loop {
        match fs2::FileExt::lock_shared(file) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl Behind {
    /// The ticket in the line before `at`, which moves there.
    fn before(&self, at: &mut u64) -> Option<PathBuf> {
        let from = at.checked_sub(LINE)?;
        let mut line = [0; 16];
        self.order.read_exact_at(&mut line, from).ok()?;
        let name = std::str::from_utf8(&line).ok().filter(|n| n.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *at = from;
        Some(self.dir.join(name))
    }

    /// How many of the processes before it are done, counted from the front.
    pub(super) fn passed(&self) -> u64 {
        let waits = |line: u64| {
            let path = self.before(&mut ((line + 1) * LINE));
            path.is_some_and(|path| path.symlink_metadata().is_ok())
        };
        let (mut done, mut left) = (0, self.at / LINE);
        while left > 0 {
            let half = left / 2;
            if waits(done + half) {
                left = half;
            } else {
                done += half + 1;
                left -= half + 1;
            }
        }
        done
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let ticket = &self.0;
        if ticket.order.metadata().is_ok_and(|order| order.len() == ticket.end)
            && fs2::FileExt::try_lock_exclusive(&*ticket.order).is_ok()
        {
            if ticket.order.metadata().is_ok_and(|order| order.len() == ticket.end) {
                let _ = ticket.order.set_len(0);
            }
            let _ = fs2::FileExt::unlock(&*ticket.order);
        }
        let _ = fs::remove_file(&ticket.path);
        let _ = fs2::FileExt::unlock(&ticket.file);
    }
}
