//! Files that are whole or absent.
//!
//! A write is: temporary file in the same file system, (fsync,) rename, (fsync of the directory). Readers need no
//! lock and never see half a record. Durable writes survive a power failure. Volatile ones survive only a crash of a
//! process, and are used for state that is worthless after a reboot (agents, delivery marks, windows).

use super::fault;
use crate::os::process;
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The largest record that is read: a message of 64 KiB in the worst JSON escaping, and some more.
const MAX_RECORD: u64 = 1 << 20;

/// Whether a write must survive a power failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// fsync of the file and of its directory.
    Durable,
    /// No fsync.
    Volatile,
}

/// Creates `path` exclusively with `bytes`, mode 0600, fsynced.
pub fn create_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_new(path, bytes, Durability::Durable)
}

fn write_new(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        if durability == Durability::Durable { file.sync_all() } else { Ok(()) }
    };
    write().map_err(|e| {
        // A full disk leaves a torn temporary file; it never gets its final name. An existing file stays.
        if e.kind() != ErrorKind::AlreadyExists {
            let _ = fs::remove_file(path);
        }
        anyhow::Error::new(e).context(format!("cannot write {}", path.display()))
    })
}

/// fsyncs a directory, so that the renames in it are durable.
pub fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).with_context(|| format!("cannot sync {}", dir.display()))
}

/// A complete file under a temporary name, not yet in its place.
#[derive(Debug)]
pub struct Staged {
    temp: PathBuf,
}

impl Staged {
    /// Writes `value` to a temporary file in `tmp`. Its name begins with `name`, contains the writer, and is unique:
    /// a killed process may have left one with the same `name` and, after a reboot, the same pid.
    pub fn write(tmp: &Path, name: &str, value: &impl Serialize, durability: Durability) -> Result<Self> {
        Self::write_bytes(tmp, name, pretty(value)?, durability)
    }

    fn write_bytes(tmp: &Path, name: &str, mut bytes: Vec<u8>, durability: Durability) -> Result<Self> {
        bytes.push(b'\n');
        let (pid, space) = (std::process::id(), process::namespace().unwrap_or_default());
        let temp = tmp.join(format!("{name}.{pid}-{space}-{:016x}", super::entropy()?));
        write_new(&temp, &bytes, durability)?;
        Ok(Self { temp })
    }

    /// Moves the file to its place, and replaces the file there.
    pub fn publish(&self, path: &Path) -> Result<()> {
        fs::rename(&self.temp, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Gives the file another name; fails if that name is taken.
    pub fn link(&self, path: &Path) -> Result<()> {
        fs::hard_link(&self.temp, path).with_context(|| format!("cannot write {}", path.display()))?;
        fault::point("after-link");
        Ok(())
    }
}

/// Whether the writer of a temporary file with that name has certainly ended. The name contains its pid, and the
/// pid's namespace.
pub fn is_abandoned(name: &str) -> bool {
    let writer = || -> Option<(i32, u64)> {
        let (_, mark) = name.rsplit_once('.')?;
        let mut parts = mark.split('-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    writer().is_some_and(|(pid, space)| {
        space == process::namespace().unwrap_or_default() && process::is_free(pid) == Some(true)
    })
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After `publish` there is nothing to remove.
        let _ = fs::remove_file(&self.temp);
    }
}

/// Replaces the record at `path` atomically.
pub fn replace(tmp: &Path, path: &Path, value: &impl Serialize, durability: Durability) -> Result<()> {
    replace_bytes(tmp, path, pretty(value)?, durability)
}

/// Serialising is all that differs from type to type.
fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(value)?)
}

fn replace_bytes(tmp: &Path, path: &Path, bytes: Vec<u8>, durability: Durability) -> Result<()> {
    let name = path.file_name().map_or_else(|| "record".into(), |n| n.to_string_lossy().into_owned());
    let staged = Staged::write_bytes(tmp, &name, bytes, durability)?;
    fault::point("before-record");
    staged.publish(path)?;
    fault::point("after-record");
    match (durability, path.parent()) {
        (Durability::Durable, Some(dir)) => sync_dir(dir),
        _ => Ok(()),
    }
}

/// The longest record that is overwritten in place, in bytes: within a block of any file system, a write does not run
/// out of room half-way.
const IN_PLACE: usize = 512;

/// Overwrites a small volatile record that is read under the mutex only. A new file each time would be most of the
/// cost of a transaction. It is one write, padded with blanks to the old length, so a killed process leaves the old
/// record or the new one.
pub fn overwrite(tmp: &Path, path: &Path, value: &impl Serialize) -> Result<()> {
    if is_overwritten(path, serde_json::to_vec(value)?)? {
        return Ok(());
    }
    replace(tmp, path, value, Durability::Volatile)
}

/// `false`: there is no such record yet, or it is too long for that.
fn is_overwritten(path: &Path, mut bytes: Vec<u8>) -> Result<bool> {
    match sized(OpenOptions::new().write(true), path).map(|(file, size)| (file, usize::try_from(size))) {
        Ok((mut file, Ok(room))) if room <= IN_PLACE && bytes.len() < IN_PLACE => {
            bytes.resize(room.max(bytes.len() + 1), b' ');
            if let Some(last) = bytes.last_mut() {
                *last = b'\n';
            }
            fault::point("before-record");
            file.write_all(&bytes).with_context(|| format!("cannot write {}", path.display()))?;
            fault::point("after-record");
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// How long a directory must be unchanged before its time identifies its content. File systems count in steps, of
/// some milliseconds to two seconds (FAT), and two changes within a step have the same time.
const STEP: Duration = Duration::from_secs(2);

/// When a name in `dir` was last made, replaced or removed; `None` if the next time may be the same as this one.
pub fn changed(dir: &Path) -> Option<SystemTime> {
    let at = fs::metadata(dir).and_then(|meta| meta.modified()).ok()?;
    at.elapsed().is_ok_and(|age| age > STEP).then_some(at)
}

/// The result of reading a record.
#[derive(Debug)]
pub enum Loaded<T> {
    /// The record.
    Ok(T),
    /// No such file.
    Missing,
    /// A file that is not such a record, and the reason.
    Bad(String),
}

/// Opens a file of the store with `options`. A link is not followed. Anything but a regular file (a FIFO, a device, a
/// directory) is refused: it could block this process, or supply data without end.
pub(super) fn regular(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    sized(options, path).map(|(file, _)| file)
}

/// [`regular`], with the length of the file.
fn sized(options: &mut OpenOptions, path: &Path) -> std::io::Result<(File, u64)> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = options.custom_flags(flags.bits()).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        Ok((file, meta.len()))
    } else {
        Err(std::io::Error::new(ErrorKind::InvalidInput, NOT_REGULAR))
    }
}

/// The error for a directory, a FIFO or a device.
const NOT_REGULAR: &str = "it is not a regular file";

/// Explains an error of opening that means that the path is not a regular file.
fn why_none(error: &std::io::Error) -> Option<&'static str> {
    use nix::errno::Errno;
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => Some("it is a symbolic link"),
        // A FIFO without a reader, a socket, a device without a driver; a directory that is opened for writing.
        Some(Errno::ENXIO | Errno::ENODEV | Errno::EISDIR) => Some(NOT_REGULAR),
        _ => (error.kind() == ErrorKind::InvalidInput).then_some(NOT_REGULAR),
    }
}

/// The text of a small file of the store that is not JSON.
pub(super) fn text(path: &Path, most: u64) -> Result<String> {
    let read = || -> std::io::Result<String> {
        let (file, size) = sized(OpenOptions::new().read(true), path)?;
        let mut text = String::with_capacity(room(size, most));
        file.take(most + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|e| match why_none(&e) {
        Some(why) => anyhow::anyhow!("{} is not used: {why}", path.display()),
        None => anyhow::Error::new(e).context(format!("cannot read {}", path.display())),
    })?;
    if text.len() as u64 > most {
        bail!("{} is not used: it is larger than {most} bytes", path.display());
    }
    Ok(text)
}

/// A capacity for a file of at most `most` bytes and a little more, so that one read takes it and the next one finds
/// its end. Otherwise the first reads take 32 bytes each, and a small record takes six.
fn room(size: u64, most: u64) -> usize {
    usize::try_from(size.min(most)).unwrap_or_default() + 64
}

/// Reads the record at `path`. Symbolic links are not followed, only regular files are read, and the size is bounded.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Loaded<T>> {
    load_as(path, |bytes| serde_json::from_slice(bytes))
}

/// [`load`] with another parser.
#[inline(never)]
pub(super) fn load_as<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> serde_json::Result<T>,
) -> Result<Loaded<T>> {
    Ok(match content(path)? {
        Loaded::Ok(bytes) => match parse(&bytes) {
            Ok(value) => Loaded::Ok(value),
            Err(error) => Loaded::Bad(why_bad(&error)),
        },
        Loaded::Missing => Loaded::Missing,
        Loaded::Bad(why) => Loaded::Bad(why),
    })
}

#[inline(never)]
fn why_bad(error: &serde_json::Error) -> String {
    crate::core::escape::short(&error.to_string(), 160)
}

/// The bytes of a record.
fn content(path: &Path) -> Result<Loaded<Vec<u8>>> {
    let (file, size) = match sized(OpenOptions::new().read(true), path) {
        Ok(opened) => opened,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Loaded::Missing),
        Err(e) if why_none(&e).is_some() => {
            return Ok(Loaded::Bad(why_none(&e).unwrap_or_default().to_owned()));
        }
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut bytes = Vec::with_capacity(room(size, MAX_RECORD));
    file.take(MAX_RECORD + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > MAX_RECORD {
        return Ok(Loaded::Bad(format!("it is larger than {MAX_RECORD} bytes")));
    }
    Ok(Loaded::Ok(bytes))
}

/// Removes a file. A missing file is no error.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The `.json` file names in `dir`, sorted; an absent directory is empty.
pub fn list(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    each(dir, |name| names.push(name.to_owned()))?;
    names.sort_unstable();
    Ok(names)
}

/// Calls `take` with the `.json` file names in `dir`, in no order; an absent directory is empty.
pub fn each(dir: &Path, mut take: impl FnMut(&str)) -> Result<()> {
    give_each(dir, &mut take)
}

fn give_each(dir: &Path, take: &mut dyn FnMut(&str)) -> Result<()> {
    let entries = match open_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", dir.display())),
    };
    for entry in entries {
        let name = entry.with_context(|| format!("cannot read {}", dir.display()))?.file_name();
        if let Some(name) = name.to_str().filter(|n| Path::new(n).extension().is_some_and(|e| e == "json")) {
            take(name);
        }
    }
    Ok(())
}

/// Whether there is any `.json` file in `dir`, without listing all of them.
pub fn is_any(dir: &Path) -> Result<bool> {
    let entries = match open_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", dir.display())),
    };
    for entry in entries {
        let name = entry.with_context(|| format!("cannot read {}", dir.display()))?.file_name();
        if Path::new(&name).extension().is_some_and(|e| e == "json") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens a directory to list it. Unlike other calls of the library, this one is not repeated by itself after a
/// signal.
fn open_dir(dir: &Path) -> std::io::Result<fs::ReadDir> {
    loop {
        match fs::read_dir(dir) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Makes a directory for records, mode 0700. An existing one is no error.
pub fn ensure_dir(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).recursive(true).create(dir) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            bail!(anyhow::Error::new(e).context(format!("cannot create {}", dir.display())))
        }
        _ => Ok(()),
    }
}
