//! Notices that the terminal changed its size. On Linux the blocked SIGWINCH is read from a descriptor in the poll
//! loop; elsewhere, where that cannot be had without unsafe code, the size is simply looked at once a second.

use std::io;
use std::os::fd::BorrowedFd;

#[cfg(target_os = "linux")]
pub(crate) struct Resize(nix::sys::signalfd::SignalFd);

#[cfg(target_os = "linux")]
impl Resize {
    pub(crate) const POLL: Option<u64> = None;

    pub(crate) fn watch() -> io::Result<Self> {
        use nix::sys::signal::{SigSet, Signal};
        use nix::sys::signalfd::{SfdFlags, SignalFd};
        let mut set = SigSet::empty();
        set.add(Signal::SIGWINCH);
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        Some(self.0.as_fd())
    }

    pub(crate) fn due(&mut self) -> io::Result<bool> {
        let mut due = false;
        while self.0.read_signal()?.is_some() {
            due = true;
        }
        Ok(due)
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) struct Resize(std::time::Instant);

#[cfg(not(target_os = "linux"))]
impl Resize {
    pub(crate) const POLL: Option<u64> = Some(1000);

    pub(crate) fn watch() -> io::Result<Self> {
        Ok(Self(std::time::Instant::now()))
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    pub(crate) fn due(&mut self) -> io::Result<bool> {
        let due = self.0.elapsed().as_millis() >= 1000;
        if due {
            self.0 = std::time::Instant::now();
        }
        Ok(due)
    }
}
