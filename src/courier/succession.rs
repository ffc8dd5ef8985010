//! Lets an updated program take over between two deliveries of the running courier.
//!
//! The courier watches the file that it was started from. A new file that has not changed for a moment is started
//! with the courier's lock as its standard input. The two share that lock, so nobody else comes in between, and the
//! old courier waits until the new one says that it serves. If it does not (a half-built file, another system's, a
//! version that does not know this, one that ends at once), the old courier continues, records why in `courier.json`,
//! and tries again after growing pauses. If one of the two is killed, the other is left, or the next command starts
//! one.

use super::start;
use crate::os::program;
use crate::store::Store;
use crate::store::lock::Held;
use anyhow::{Context as _, Result, bail};
use std::fs::{self, Metadata};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The line that a new courier prints once it serves.
pub const SERVES: &str = "serves";

/// The argument that asks a new courier for this line.
pub(super) const SUCCEED: &str = "--succeed";

/// How long a file must not have changed before it is run: a linker writes for a while.
const SETTLED: Duration = Duration::from_secs(1);

/// How long a new courier may take until it serves.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pauses after a program that could not take over.
const PAUSES: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));

/// The facts that distinguish one file from another.
type Stamp = (u64, u64, u64, i64, i64);

/// The program of this courier, and the file in its place.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    running: Option<Stamp>,
    /// The file that was seen there last, and since when.
    seen: Option<(Stamp, Instant)>,
    /// The file that could not take over, when to try it again, and the next pause.
    refused: Option<(Stamp, Instant, Duration)>,
}

impl Program {
    pub fn running() -> Result<Self> {
        let (path, running) = program::this().context("cannot find this program")?;
        Ok(Self { path, running: running.as_ref().map(stamp), seen: None, refused: None })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether another file lies there that must take over now. Costs one system call.
    pub fn is_replaced(&mut self) -> bool {
        let Some(there) = fs::metadata(&self.path).ok().as_ref().map(stamp) else { return false };
        if Some(there) == self.running {
            (self.seen, self.refused) = (None, None);
            return false;
        }
        match self.seen {
            Some((seen, since)) if seen == there => {
                let waits =
                    self.refused.is_some_and(|(what, until, _)| what == there && Instant::now() < until);
                !waits && since.elapsed() >= SETTLED
            }
            _ => {
                self.seen = Some((there, Instant::now()));
                false
            }
        }
    }

    /// How long until the next check is useful.
    pub fn next_look(&self) -> Option<Duration> {
        let (_, since) = self.seen.as_ref()?;
        let until = self.refused.map_or(*since + SETTLED, |(_, until, _)| until);
        Some(until.saturating_duration_since(Instant::now()).max(Duration::from_millis(50)))
    }

    /// Lets the file there take over. After an error this process is still the courier.
    pub fn hand_over(&mut self, store: &Store, socket: &str, held: &Held) -> Result<()> {
        let result = succeed(&self.path, store, socket, held);
        if result.is_err()
            && let Some((seen, _)) = self.seen
        {
            let earlier = self.refused.filter(|(what, ..)| *what == seen).map(|(_, _, pause)| pause);
            let pause = earlier.unwrap_or(PAUSES.0);
            self.refused = Some((seen, Instant::now() + pause, (pause * 2).min(PAUSES.1)));
        }
        result
    }
}

fn stamp(meta: &Metadata) -> Stamp {
    (meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec())
}

fn succeed(program: &Path, store: &Store, socket: &str, held: &Held) -> Result<()> {
    let mut child = start::launch(program, store, socket, held, &[SUCCEED])?;
    let output = child.stdout.take().context("the new courier has no output")?;
    let (sender, said) = mpsc::sync_channel(1);
    // Ends with the pipe, which is closed when the new courier has written its line or ended.
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(output).read_line(&mut line);
        let _ = sender.send(line);
    });
    let answer = said.recv_timeout(PATIENCE);
    if answer.as_ref().is_ok_and(|line| line.trim() == SERVES) {
        return Ok(());
    }
    // A process that closes its output is probably about to end: its exit code is then of interest.
    let begun = Instant::now();
    while answer.is_ok() && begun.elapsed() < SETTLED && child.try_wait().is_ok_and(|ended| ended.is_none()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = child.try_wait().ok().flatten();
    // Both must not run: the new one has to be gone before this one continues.
    let _ = child.kill();
    child.wait().context("the new courier cannot be waited for")?;
    match ended.map(|status| (status.code(), status)) {
        Some((Some(code), _)) => bail!("it ended with {code} instead of taking over"),
        Some((None, status)) => bail!("it was ended by a signal instead of taking over: {status}"),
        None => bail!("it did not take over within {} s", PATIENCE.as_secs()),
    }
}
