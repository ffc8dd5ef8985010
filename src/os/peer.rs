//! The other end of a local socket: connects without waiting, and identifies the process there.
//!
//! Read-only except for the connection, which belongs to its caller: no lock is needed.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Connects to the socket at `path`. A socket that does not take connections now is an error, and so is a write that
/// takes longer than `patience`.
pub fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let fd = socket(AddressFamily::Unix, SockType::Stream, SockFlag::empty(), None)?;
    let stream = UnixStream::from(fd);
    nix::fcntl::fcntl(&stream, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    // Its queue of connections may be full as long as its process is stopped.
    stream.set_nonblocking(true)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// The process that listens at the other end, and its user; `None` if the system does not show it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn listener(stream: &UnixStream) -> Option<(i32, u32)> {
    let found = nix::sys::socket::getsockopt(stream, nix::sys::socket::sockopt::PeerCredentials).ok()?;
    Some((found.pid(), found.uid()))
}

/// Always `None`: this system does not show it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn listener(_stream: &UnixStream) -> Option<(i32, u32)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    #[cfg(target_os = "linux")]
    fn who_listens_is_told_and_one_that_is_not_there_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        assert!(connect(&path, Duration::from_secs(1)).is_err());
        let _listener = UnixListener::bind(&path).unwrap();
        let stream = connect(&path, Duration::from_secs(1)).unwrap();
        let own = (i32::try_from(std::process::id()).unwrap(), nix::unistd::geteuid().as_raw());
        assert_eq!(listener(&stream), Some(own));
    }
}
