//! Checks that files and sockets of an agent belong to this user alone, before they are believed or a byte is sent.
//!
//! Read-only: no lock is needed. A file may be replaced at any moment, so the checks look at the open file and the open
//! connection.

use crate::core::process_id::ProcessId;
use crate::os::program::Environment;
use crate::os::{peer, process};
use anyhow::bail;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const MOST: u64 = 1 << 20;

/// Checks that process ids mean the same here as in the pid namespace where the agent is known: its files contain
/// such ids.
pub(super) fn check_namespace(known_in: Option<u64>) -> Result<(), String> {
    if known_in.is_some() && known_in != process::namespace() {
        return Err("it runs where its files cannot be told from here".to_owned());
    }
    Ok(())
}

/// The directory of an agent with that environment: the one that `variable` names, or `usual` below its home.
pub(super) fn own_directory(environment: &Environment, variable: &str, usual: &str) -> Option<PathBuf> {
    let said = |name: &str| environment.get(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = said(variable).or_else(|| Some(said("HOME")?.join(usual)))?;
    dir.is_absolute().then_some(dir)
}

/// Checks that this process is at the other end, and runs as this user.
pub(super) fn check_peer(stream: &UnixStream, process: &ProcessId) -> anyhow::Result<()> {
    let Some((pid, uid)) = peer::listener(stream) else {
        bail!("who listens at its socket cannot be told on this system");
    };
    if pid != process.pid || uid != nix::unistd::geteuid().as_raw() || !process::is_alive(process) {
        bail!("another process listens at its socket");
    }
    Ok(())
}

/// Checks that only this user can use a socket, and that others cannot replace it.
pub(super) fn check_socket(socket: &Path) -> Result<(), String> {
    let shown = socket.display();
    let meta = socket.symlink_metadata().map_err(|_| format!("its socket {shown} is not there"))?;
    let dir = socket.parent().and_then(|dir| dir.symlink_metadata().ok());
    let safe = socket.is_absolute()
        && meta.file_type().is_socket()
        && is_own(&meta, 0o022)
        && dir.is_some_and(|dir| dir.is_dir() && is_own(&dir, 0o022));
    if safe { Ok(()) } else { Err(format!("its socket {shown} is not yours alone")) }
}

/// Whether the file belongs to this user, and none of these mode bits is set.
fn is_own(meta: &Metadata, never: u32) -> bool {
    meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & never == 0
}

/// Reads a regular file that belongs to this user and has none of these mode bits.
pub(super) fn read_own(path: &Path, never: u32) -> Result<String, String> {
    let shown = path.display();
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let file: File = open.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => format!("{shown} is not there"),
        _ => format!("{shown} cannot be read"),
    })?;
    let meta = file.metadata().map_err(|_| format!("{shown} cannot be read"))?;
    if !meta.is_file() || !is_own(&meta, never) {
        return Err(format!("{shown} is not yours alone"));
    }
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).map_err(|_| format!("{shown} cannot be read"))?;
    Ok(text)
}
