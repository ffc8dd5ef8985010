//! A question to another process and its answer: a record, and a FIFO beside it.
//!
//! It also works for a process in a sandbox, which has only files. The asker makes the FIFO and opens it before the
//! record exists, so it misses no answer; nobody polls. A process removes the record before it answers, so only one
//! of several answers. A killed asker leaves a record and a FIFO, which are removed when they are old.

use super::entropy;
use super::record::{self, Durability, Loaded};
use anyhow::{Context as _, Result, bail};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The longest answer: a FIFO takes this much at once.
const MAX_ANSWER: usize = 4000;

/// How old the files of a killed asker must be.
const OLD: Duration = Duration::from_secs(60);

/// An open question. Dropping it removes its files.
#[derive(Debug)]
pub struct Question {
    record: PathBuf,
    fifo: PathBuf,
    pipe: File,
}

impl Question {
    /// Asks in `dir`; `tmp` is a directory of the same file system.
    pub fn ask(tmp: &Path, dir: &Path, question: &impl Serialize) -> Result<Self> {
        record::ensure_dir(dir)?;
        let name = format!("{:016x}", entropy()?);
        let fifo = dir.join(format!("{name}.fifo"));
        nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR)
            .with_context(|| format!("cannot make {}", fifo.display()))?;
        // Open for writing as well: otherwise it would report its end before the answer comes.
        let pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
            .open(&fifo)
            .with_context(|| format!("cannot open {}", fifo.display()))?;
        let asked = Self { record: dir.join(format!("{name}.json")), fifo, pipe };
        record::replace(tmp, &asked.record, question, Durability::Volatile)?;
        Ok(asked)
    }

    /// Waits for the answer up to this time.
    pub fn answer<T: DeserializeOwned>(&mut self, patience: Duration) -> Result<Option<T>> {
        let until = Instant::now() + patience;
        let mut text = Vec::new();
        while !text.ends_with(b"\n") {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() || text.len() > MAX_ANSWER {
                return Ok(None);
            }
            // Rounded up, so that the last millisecond is not a busy loop.
            let rest = PollTimeout::try_from(rest + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, rest) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
                Ok(_) => {}
                Err(e) => return Err(e).context("cannot wait for an answer"),
            }
            let mut page = [0; 4096];
            match self.pipe.read(&mut page) {
                Ok(n) => text.extend(&page[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e).context("cannot read an answer"),
            }
        }
        Ok(Some(serde_json::from_slice(&text).context("an answer that cannot be read")?))
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.record);
        let _ = std::fs::remove_file(&self.fifo);
    }
}

/// The open questions in `dir`, each with the name for its answer. This call claims them. An unreadable one is
/// removed.
pub fn claim<T: DeserializeOwned>(dir: &Path) -> Result<Vec<(String, T)>> {
    let mut claimed = Vec::new();
    for file in record::list(dir)? {
        let path = dir.join(&file);
        let loaded = record::load::<T>(&path)?;
        let won = std::fs::remove_file(&path).is_ok();
        if let Loaded::Ok(question) = loaded
            && won
        {
            claimed.push((file.trim_end_matches(".json").to_owned(), question));
        }
    }
    Ok(claimed)
}

/// Answers the question of that name. If the asker does not wait any more, that is no error.
pub fn answer(dir: &Path, name: &str, answer: &impl Serialize) -> Result<()> {
    let fifo = dir.join(format!("{name}.fifo"));
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    let mut pipe = match OpenOptions::new().write(true).custom_flags(flags.bits()).open(&fifo) {
        Ok(pipe) => pipe,
        Err(e)
            if e.kind() == ErrorKind::NotFound
                || e.raw_os_error() == Some(nix::errno::Errno::ENXIO as i32) =>
        {
            return Ok(());
        }
        Err(e) => return Err(e).with_context(|| format!("cannot open {}", fifo.display())),
    };
    if !pipe.metadata()?.file_type().is_fifo() {
        bail!("{} is not a FIFO: nothing is written to it", fifo.display());
    }
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    if line.len() > MAX_ANSWER {
        bail!("an answer of {} bytes is too long", line.len());
    }
    match pipe.write_all(&line) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e).context("cannot answer"),
        _ => Ok(()),
    }
}

/// Removes the files of killed askers.
pub fn sweep(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let modified = entry.metadata().and_then(|m| m.modified());
        if modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > OLD)) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_once_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (tmp, asks) = (dir.path(), dir.path().join("asks"));
        let mut question = Question::ask(tmp, &asks, &"who?").unwrap();
        let claimed = claim::<String>(&asks).unwrap();
        assert_eq!((claimed.len(), &*claimed[0].1), (1, "who?"));
        assert!(claim::<String>(&asks).unwrap().is_empty());
        answer(&asks, &claimed[0].0, &"me").unwrap();
        assert_eq!(question.answer::<String>(Duration::from_secs(5)).unwrap().as_deref(), Some("me"));
        drop(question);
        assert_eq!(std::fs::read_dir(&asks).unwrap().count(), 0);
        // Nobody waits any more.
        answer(&asks, &claimed[0].0, &"me").unwrap();
    }

    #[test]
    fn nobody_who_answers_is_waited_for_longer_than_asked() {
        let dir = tempfile::tempdir().unwrap();
        let mut question = Question::ask(dir.path(), &dir.path().join("asks"), &1).unwrap();
        assert_eq!(question.answer::<u32>(Duration::from_millis(20)).unwrap(), None);
    }
}
