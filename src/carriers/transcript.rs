//! Follows a file to which an agent appends lines. Only what is added is read, however long the file is.
//!
//! Only whole lines are given. If a shorter file replaces it, that is read from its beginning. One follower belongs to
//! one text. No lock is needed, since the agent only appends.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The most bytes that are read at a time.
const MOST: u64 = 8 << 20;

/// The longest line that is kept. A longer one is skipped.
const LONGEST: usize = 4 << 20;

/// A file that is followed.
#[derive(Clone, Debug)]
pub struct Follower {
    path: PathBuf,
    at: u64,
    /// The beginning of an unfinished line; `None` if that line is too long.
    begun: Option<Vec<u8>>,
    /// What the file has shown so far.
    pub seen: super::Trace,
}

impl Follower {
    /// Follows the file at `path` from this byte.
    pub fn new(path: &Path, from: u64) -> Self {
        Self { path: path.to_owned(), at: from, begun: Some(Vec::new()), seen: super::Trace::None }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Continues in another file, from this byte.
    pub fn turn_to(&mut self, path: &Path, from: u64) {
        (self.path, self.at, self.begun) = (path.to_owned(), from, Some(Vec::new()));
    }

    /// Gives the lines that were added since the last call, of a long addition only the first. A file that is missing or unreadable has none.
    /// Returns whether there may be more.
    pub fn read(&mut self, each: &mut dyn FnMut(&str)) -> bool {
        // Something else may lie there meanwhile: a FIFO would be waited for.
        let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
        let open = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&self.path);
        let Ok(mut file) = open else { return false };
        let Ok(meta) = file.metadata() else { return false };
        if !meta.is_file() || meta.len() == self.at {
            return false;
        }
        if meta.len() < self.at {
            (self.at, self.begun) = (0, Some(Vec::new()));
        }
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(self.at)).is_err() || file.take(MOST).read_to_end(&mut bytes).is_err() {
            return false;
        }
        self.at += bytes.len() as u64;
        let mut rest = bytes.as_slice();
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            if let Some(mut line) = self.begun.replace(Vec::new())
                && line.len() + end <= LONGEST
            {
                line.extend_from_slice(&rest[..end]);
                each(&String::from_utf8_lossy(&line));
            }
            rest = &rest[end + 1..];
        }
        self.begun = self.begun.take().filter(|begun| begun.len() + rest.len() <= LONGEST);
        if let Some(begun) = &mut self.begun {
            begun.extend_from_slice(rest);
        }
        bytes.len() as u64 == MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    #[test]
    fn lines_are_read_once_whole_and_from_where_the_file_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let mut follower = Follower::new(&path, 6);
        let read = |follower: &mut Follower| {
            let mut lines = Vec::new();
            follower.read(&mut |line| lines.push(line.to_owned()));
            lines
        };
        assert_eq!(read(&mut follower), [""; 0], "it is not there yet");
        fs::write(&path, "before").unwrap();
        assert_eq!(read(&mut follower), [""; 0]);
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        for (text, lines) in
            [("one\nt", vec!["one"]), ("w", vec![]), ("o\nthree\n", vec!["two", "three"]), ("", vec![])]
        {
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(read(&mut follower), lines, "{text:?}");
        }
        fs::write(&path, "new\n").unwrap();
        assert_eq!(read(&mut follower), ["new"], "it was replaced by a shorter one");
        let long = vec![b'x'; LONGEST + 10];
        let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&long).unwrap();
        assert_eq!(read(&mut follower), [""; 0]);
        file.write_all(b"end\nnext\n").unwrap();
        assert_eq!(read(&mut follower), ["next"]);
    }
}
