//! The control FIFO: a test writes one command a line. Opened for reading and writing, so it never ends
//! and a writer never blocks on it. It only parses; what a command does is the agent's business.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Dialog(String),
    DialogClose,
    Busy(u64),
    Interrupt,
    Draft(String),
    Clear,
    Overlay,
    OverlayClose,
    Exit,
    Die,
}

impl Order {
    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "dialog" => Self::Dialog(if rest.is_empty() { "touch lab-tool-ran" } else { rest }.to_owned()),
            "dialog-close" => Self::DialogClose,
            "busy" => Self::Busy(rest.trim().parse().ok()?),
            "interrupt" => Self::Interrupt,
            "draft" => Self::Draft(rest.to_owned()),
            "clear" => Self::Clear,
            "overlay" => Self::Overlay,
            "overlay-close" => Self::OverlayClose,
            "exit" => Self::Exit,
            "die" => Self::Die,
            _ => return None,
        })
    }
}

pub(crate) struct Control {
    file: File,
    pending: Vec<u8>,
}

impl Control {
    pub(crate) fn open(path: &str) -> io::Result<Self> {
        match nix::unistd::mkfifo(Path::new(path), Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(()) | Err(nix::Error::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let flags = OFlag::O_NONBLOCK.bits();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        Ok(Self { file, pending: Vec::new() })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The commands that have arrived whole; a line that is none comes back as it is.
    pub(crate) fn read(&mut self) -> Vec<Result<Order, String>> {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = self.file.read(&mut buffer) {
            self.pending.extend_from_slice(&buffer[..n]);
        }
        let mut orders = Vec::new();
        while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            orders.push(Order::parse(&line).ok_or(line));
        }
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_take_the_rest_of_the_line() {
        assert_eq!(Order::parse("draft  a b "), Some(Order::Draft(" a b ".into())));
        assert_eq!(Order::parse("busy 20"), Some(Order::Busy(20)));
        assert_eq!(Order::parse("busy"), None);
        assert_eq!(Order::parse("bogus"), None);
    }
}
