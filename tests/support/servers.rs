//! tmux servers that do not answer: a real one that is stopped, and sockets at which nobody answers. And a courier that is stopped.

use super::{World, eventually};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::unistd::Pid;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

/// What listens at a socket, and is no tmux server.
pub(crate) struct Fake {
    path: PathBuf,
    /// Whoever was accepted stays connected as long as the value lives.
    _end: mpsc::Sender<()>,
    _listener: Option<OwnedFd>,
    _callers: Vec<UnixStream>,
}

impl Fake {
    /// It accepts whoever calls, and never says a word.
    pub(crate) fn mute(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let (end, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let mut callers = Vec::new();
            while let Ok((caller, _)) = listener.accept() {
                callers.push(caller);
                if ended.try_recv() == Err(mpsc::TryRecvError::Disconnected) {
                    break;
                }
            }
        });
        Self { path: path.to_owned(), _end: end, _listener: None, _callers: Vec::new() }
    }

    /// It accepts nobody, and its queue of callers is full: whoever calls now waits for a place in the queue.
    pub(crate) fn full(path: &Path) -> Self {
        let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None).unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(path).unwrap()).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        // The queue takes two of a backlog of one.
        let callers = (0..2).map(|_| UnixStream::connect(path).unwrap()).collect();
        let (end, _) = mpsc::channel();
        Self { path: path.to_owned(), _end: end, _listener: Some(listener), _callers: callers }
    }

    /// Its socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What `$TMUX` says in its panes.
    pub(crate) fn variable(&self) -> String {
        format!("{},1,0", self.path.display())
    }
}

/// A process that is stopped as long as the value lives.
pub(crate) struct Stopped(Pid);

impl Stopped {
    /// Stops the process of that pid.
    pub(crate) fn new(pid: i32) -> Self {
        let pid = Pid::from_raw(pid);
        kill(pid, Signal::SIGSTOP).unwrap();
        // The signal is taken when the process runs next.
        eventually("it is stopped", || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit(')').next().unwrap().trim_start().starts_with('T').then_some(())
        });
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

impl World {
    /// Stops the courier where it holds no lock, and gives its pid: what is asked of it waits, what others write does not.
    pub(crate) fn stop_courier(&self) -> (Stopped, String) {
        eventually("its only courier is stopped and holds no lock", || {
            let [courier] = &self.couriers()[..] else { return None };
            let stopped = Stopped::new(courier.parse().unwrap());
            let lock = std::fs::File::open(self.state().join("lock")).ok()?;
            fs2::FileExt::try_lock_exclusive(&lock).ok()?;
            Some((stopped, courier.clone()))
        })
    }

    /// The pid of its tmux server.
    pub(crate) fn server_pid(&self) -> i32 {
        self.tmux(&["display-message", "-p", "#{pid}"]).parse().unwrap()
    }

    /// The socket of its tmux server.
    pub(crate) fn server_socket(&self) -> String {
        self.tmux(&["display-message", "-p", "#{socket_path}"])
    }

    /// Stops its tmux server.
    pub(crate) fn stop_server(&self) -> Stopped {
        Stopped::new(self.server_pid())
    }
}
