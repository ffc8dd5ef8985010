//! A network between a host and its team's engine, as a test wants it: with delay, with loss, cut, or cut in one direction.
//!
//! It listens on a socket and carries each connection to another one. What is cut is not closed: it hangs, as in a real network. What is
//! lost comes late and holds up what is behind it, as TCP makes of lost packets: it is sent again after 200 ms, then after twice that.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Default)]
struct State {
    /// Milliseconds one way.
    delay: AtomicU64,
    /// How many of a hundred pieces are lost.
    loss: AtomicU64,
    /// What the next loss depends on.
    random: AtomicU64,
    /// What the host says does not arrive.
    up_cut: AtomicBool,
    /// What the engine says does not arrive.
    down_cut: AtomicBool,
    end: AtomicBool,
}

impl State {
    /// How long a piece takes now.
    fn takes(&self) -> Duration {
        let (mut time, mut again) = (self.delay.load(Ordering::Relaxed), 200);
        let loss = self.loss.load(Ordering::Relaxed);
        while loss > 0 && again < 3_000 && self.draw() % 100 < loss {
            time += again;
            again *= 2;
        }
        Duration::from_millis(time)
    }

    fn draw(&self) -> u64 {
        // An odd step through all numbers, mixed.
        let mut x = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

/// One host's network.
pub(crate) struct Switch {
    state: Arc<State>,
    /// Where its socket is.
    pub(crate) dir: PathBuf,
    /// Its port, if it is not a socket in a directory.
    pub(crate) port: u16,
}

impl Switch {
    /// A network from a socket in a new directory `dir` to the engine's in `engine`.
    pub(crate) fn new(dir: PathBuf, engine: &Path) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let listener = UnixListener::bind(dir.join(".s.PGSQL.5432")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let engine = engine.join(".s.PGSQL.5432");
        let state = serve(move || unix(listener.accept()?.0), move || unix(UnixStream::connect(&engine)?));
        Self { state, dir, port: 0 }
    }

    /// A network from a port of its own to another one of this machine.
    pub(crate) fn between_ports(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state =
            serve(move || tcp(listener.accept()?.0), move || tcp(TcpStream::connect(("127.0.0.1", to))?));
        Self { state, dir: PathBuf::new(), port }
    }

    /// Sets the time that everything takes, one way.
    pub(crate) fn delay(&self, ms: u64) {
        self.state.delay.store(ms, Ordering::Relaxed);
    }

    /// Sets how many of a hundred pieces are lost, in each direction.
    pub(crate) fn lose(&self, percent: u64) {
        self.state.loss.store(percent, Ordering::Relaxed);
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

/// Either kind of connection as a file, which never waits.
fn unix(stream: UnixStream) -> std::io::Result<File> {
    stream.set_nonblocking(true)?;
    Ok(OwnedFd::from(stream).into())
}

fn tcp(stream: TcpStream) -> std::io::Result<File> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(OwnedFd::from(stream).into())
}

/// Carries each connection that comes to a new one, until the state says that it is over.
fn serve(
    accept: impl Fn() -> std::io::Result<File> + Send + 'static,
    connect: impl Fn() -> std::io::Result<File> + Send + 'static,
) -> Arc<State> {
    let state = Arc::new(State::default());
    let shared = Arc::clone(&state);
    std::thread::spawn(move || {
        while !shared.end.load(Ordering::Relaxed) {
            match accept() {
                Ok(host) => {
                    let Ok(engine) = connect() else { continue };
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || carry(&host, &engine, &shared));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    });
    state
}

fn carry(host: &File, engine: &File, state: &State) {
    let mut under_way: [VecDeque<(Instant, Vec<u8>)>; 2] = [VecDeque::new(), VecDeque::new()];
    while !state.end.load(Ordering::Relaxed) {
        let mut moved = false;
        for (side, (mut from, mut to)) in [(host, engine), (engine, host)].into_iter().enumerate() {
            let cut = if side == 0 { &state.up_cut } else { &state.down_cut };
            let mut page = [0; 16_384];
            match from.read(&mut page) {
                Ok(0) => return,
                Ok(n) => {
                    under_way[side].push_back((Instant::now() + state.takes(), page[..n].to_vec()));
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
                    match to.write(rest) {
                        Ok(n) => rest = &rest[n..],
                        Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                        Err(_) => return,
                    }
                }
                moved = true;
            }
        }
        if !moved {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
