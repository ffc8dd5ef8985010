//! The keeper: a process that sleeps, and starts a courier again if the courier was killed while something waits for
//! it.
//!
//! A command starts a courier that is missing. But a message that was already sent must not wait for the next
//! command, which may come hours later. So a courier starts this process first, and holds one end of a pipe to it. A
//! courier that ends in order writes a word into the pipe. If the pipe ends without the word, the courier was killed.
//!
//! The keeper follows the rules for commands: the courier's lock keeps couriers single, and no courier starts after
//! `swarm uninstall`, or without a tmux server. A courier that is killed again and again is restarted after growing
//! pauses. A courier replaces a keeper that has ended.

use super::start;
use crate::store::Store;
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A courier that lived this long did not die of its first tasks.
const SOUND: Duration = Duration::from_secs(2);

/// The pauses after couriers that died earlier.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The least time between two keepers of one courier.
const AGAIN: Duration = Duration::from_secs(10);

/// The word of a courier that ends in order.
const WORD: &[u8] = b".";

/// The courier's end of the pipe.
#[derive(Debug)]
pub(super) struct Keeper {
    child: Option<Child>,
    since: Instant,
    /// How many couriers in a row died soon after their start.
    fallen: u32,
}

impl Keeper {
    /// Starts a keeper. Without one everything else works, so an error is no reason to end.
    pub(super) fn post(store: &Store, server: &Server, fallen: u32) -> Self {
        let child = if is_wanted() { launch(store, server, fallen).ok() } else { None };
        Self { child, since: Instant::now(), fallen }
    }

    /// Starts another keeper if this one has ended.
    pub(super) fn renew(&mut self, store: &Store, socket: &str) {
        let ended = self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|end| end.is_some()));
        if ended && self.since.elapsed() >= AGAIN {
            *self = Self::post(store, &Server::new(socket), self.fallen);
        }
    }

    /// The courier ends in order: the keeper starts nothing.
    pub(super) fn relieve(mut self) {
        if let Some(mut line) = self.child.as_mut().and_then(|child| child.stdin.take()) {
            // If the keeper has ended, nobody reads the word.
            let _ = line.write_all(WORD);
        }
    }
}

/// Waits for the end of the courier whose pipe is standard input, and starts another if that one was killed.
pub fn watch(store: &Store, server: &Server, fallen: u32) -> Result<()> {
    let (begun, mut said) = (Instant::now(), Vec::new());
    // The courier has recorded itself before it started this process.
    let kept = store.service().ok().flatten().map(|service| service.process);
    std::io::stdin().take(1).read_to_end(&mut said).context("the courier's pipe cannot be read")?;
    if said == WORD {
        return Ok(());
    }
    let fallen = if begun.elapsed() < SOUND { fallen.saturating_add(1) } else { 0 };
    std::thread::sleep(pause(fallen));
    start::replace_killed(store, server, kept.as_ref(), fallen)
}

/// How long to wait before another courier is started.
fn pause(fallen: u32) -> Duration {
    match fallen {
        0 => Duration::ZERO,
        n => (PAUSES.0 * 2u32.saturating_pow((n - 1).min(16))).min(PAUSES.1),
    }
}

fn launch(store: &Store, server: &Server, fallen: u32) -> Result<Child> {
    Command::new(start::own()?)
        .args(["courier", "--keep", "--fallen", &fallen.to_string(), "--root"])
        .arg(store.root())
        .args(["--socket", server.socket()])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the courier's keeper")
}

/// Tests that kill a courier usually want no other one. Those of the keeper ask for it.
#[cfg(feature = "test-tools")]
fn is_wanted() -> bool {
    std::env::var_os("SWARM_TEST_KEEPER").is_some()
}

/// Always: only test builds read the variable.
#[cfg(not(feature = "test-tools"))]
fn is_wanted() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_courier_that_dies_again_and_again_is_started_after_growing_pauses() {
        let seconds = |fallen| pause(fallen).as_secs();
        assert_eq!([0, 1, 2, 3, 6, 7, 40, u32::MAX].map(seconds), [0, 1, 2, 4, 32, 60, 60, 60]);
    }
}
