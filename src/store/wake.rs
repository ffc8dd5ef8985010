//! Wakes a waiting process by one byte into a FIFO. The courier has a FIFO, and so has each command that waits for a
//! lease.
//! lease.
//! A sandboxed sender can do that without a socket. Writing never blocks: a full FIFO already contains a wake, and
//! without a reader nobody waits there. Several writers at once do no harm.

use crate::core::escape;
use anyhow::{Context as _, Result};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Wakes the listener. `false`: nobody listens.
pub fn ring(fifo: &Path) -> Result<bool> {
    match open(fifo) {
        Ok(pipe) if !is_fifo(&pipe) => Err(no_fifo(fifo)),
        Ok(mut pipe) => match pipe.write_all(b"!") {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(true),
            Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(false),
            Err(e) => Err(e).with_context(|| format!("cannot write {}", fifo.display())),
        },
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) => Ok(false),
        Err(e) => Err(e).with_context(|| format!("cannot open {}", fifo.display())),
    }
}

/// Whether a process listens. Does not ring.
pub fn is_heard(fifo: &Path) -> Result<bool> {
    match open(fifo) {
        Ok(pipe) if !is_fifo(&pipe) => Err(no_fifo(fifo)),
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) => Ok(false),
        Err(e) => Err(e).with_context(|| format!("cannot open {}", fifo.display())),
    }
}

fn open(fifo: &Path) -> std::io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    OpenOptions::new().write(true).custom_flags(flags.bits()).open(fifo)
}

/// Any other file would be overwritten, or would ring all the time.
fn is_fifo(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| meta.file_type().is_fifo())
}

fn no_fifo(path: &Path) -> anyhow::Error {
    let word = escape::word(&path.display().to_string());
    anyhow::anyhow!(
        "{} is not a FIFO: nothing is written to it; repair it with: rm {word} && mkfifo -m 600 {word}",
        path.display()
    )
}

/// Makes a FIFO, unless one is there.
pub fn make(fifo: &Path) -> Result<()> {
    match nix::unistd::mkfifo(fifo, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR) {
        Err(e) if e != nix::errno::Errno::EEXIST => {
            Err(e).with_context(|| format!("cannot make {}", fifo.display()))
        }
        _ => Ok(()),
    }
}

/// A waiting process's end of the FIFO.
#[derive(Debug)]
pub struct Listener(File);

impl Listener {
    /// Opens the FIFO for reading. It is open for writing as well, so that it never reports an end.
    pub fn open(fifo: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
            .open(fifo)
            .with_context(|| format!("cannot open {}", fifo.display()))?;
        if is_fifo(&file) { Ok(Self(file)) } else { Err(no_fifo(fifo)) }
    }

    /// Whether the file at that path is another one than this FIFO, so that nobody rings this one any more.
    pub fn is_replaced(&self, fifo: &Path) -> bool {
        let here = self.0.metadata().map(|meta| (meta.dev(), meta.ino()));
        let there = fifo.symlink_metadata().map(|meta| (meta.dev(), meta.ino()));
        matches!((here, there), (Ok(here), Ok(there)) if here != there)
    }

    /// Waits until somebody rings or `timeout` has passed; takes all rings at once. Returns whether it rang.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let millis = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, millis) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(false),
            Ok(_) => {}
            Err(e) => return Err(e).context("cannot wait on the FIFO"),
        }
        let mut buffer = [0u8; 512];
        while self.0.read(&mut buffer).is_ok_and(|n| n == buffer.len()) {}
        Ok(true)
    }
}
