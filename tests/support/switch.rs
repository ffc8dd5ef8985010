//! A network between a host and its team's engine, as a test wants it: with delay, cut, or cut in one direction.
//!
//! It listens on a Unix socket and carries each connection to another one. What is cut is not closed: it hangs, as in a real network.

use std::collections::VecDeque;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Default)]
struct State {
    /// Milliseconds one way.
    delay: AtomicU64,
    /// What the host says does not arrive.
    up_cut: AtomicBool,
    /// What the engine says does not arrive.
    down_cut: AtomicBool,
    end: AtomicBool,
}

/// One host's network.
pub(crate) struct Switch {
    state: Arc<State>,
    pub(crate) dir: PathBuf,
}

impl Switch {
    /// A network from a socket in a new directory `dir` to the engine's in `engine`.
    pub(crate) fn new(dir: PathBuf, engine: &Path) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let listener = UnixListener::bind(dir.join(".s.PGSQL.5432")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State::default());
        let (shared, engine) = (Arc::clone(&state), engine.join(".s.PGSQL.5432"));
        std::thread::spawn(move || {
            while !shared.end.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((host, _)) => {
                        let (shared, engine) = (Arc::clone(&shared), engine.clone());
                        std::thread::spawn(move || carry(&host, &engine, &shared));
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { state, dir }
    }

    /// Sets the time that everything takes, one way.
    pub(crate) fn delay(&self, ms: u64) {
        self.state.delay.store(ms, Ordering::Relaxed);
    }

    /// Cuts or heals what the host says, and what the engine says.
    pub(crate) fn cut(&self, up: bool, down: bool) {
        self.state.up_cut.store(up, Ordering::Relaxed);
        self.state.down_cut.store(down, Ordering::Relaxed);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.state.end.store(true, Ordering::Relaxed);
    }
}

fn carry(host: &UnixStream, engine: &Path, state: &State) {
    let Ok(engine) = UnixStream::connect(engine) else { return };
    for side in [host, &engine] {
        side.set_nonblocking(true).unwrap();
    }
    let mut under_way: [VecDeque<(Instant, Vec<u8>)>; 2] = [VecDeque::new(), VecDeque::new()];
    while !state.end.load(Ordering::Relaxed) {
        let delay = Duration::from_millis(state.delay.load(Ordering::Relaxed));
        let mut moved = false;
        for (side, (from, to)) in [(host, &engine), (&engine, host)].into_iter().enumerate() {
            let cut = if side == 0 { &state.up_cut } else { &state.down_cut };
            let mut page = [0; 16_384];
            match (&*from).read(&mut page) {
                Ok(0) => return,
                Ok(n) => {
                    under_way[side].push_back((Instant::now() + delay, page[..n].to_vec()));
                    moved = true;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            while !cut.load(Ordering::Relaxed)
                && under_way[side].front().is_some_and(|(due, _)| *due <= Instant::now())
            {
                let (_, bytes) = under_way[side].pop_front().unwrap();
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    match (&*to).write(rest) {
                        Ok(n) => rest = &rest[n..],
                        Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                        Err(_) => return,
                    }
                }
                moved = true;
            }
        }
        if !moved {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}
