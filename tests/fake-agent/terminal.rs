//! The terminal: raw mode, size and its changes, and drawing with as few bytes as the change needs.
//! `restore` undoes every mode that `open` set. The size comes from `stty`, which needs no unsafe call.

use std::io::{self, Stdout, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::resize::Resize;
use crate::screen::Frame;
use crate::text::Line;

pub(crate) struct Terminal {
    out: Stdout,
    before: Termios,
    alternate: bool,
    size: (usize, usize),
    resize: Resize,
    drawn: Vec<Line>,
    title: String,
}

impl Terminal {
    pub(crate) fn open(alternate: bool, bracket: bool) -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        // Before the first look at the size, so that no change between is missed.
        let resize = Resize::watch()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&stdin, SetArg::TCSANOW, &raw)?;
        let mut out = io::stdout();
        let enter = if alternate { "\x1b[?1049h" } else { "" };
        let bracket = if bracket { "\x1b[?2004h" } else { "" };
        write!(out, "{enter}{bracket}\x1b[0m\x1b[H\x1b[2J")?;
        out.flush()?;
        Ok(Self { out, before, alternate, size: size(), resize, drawn: Vec::new(), title: String::new() })
    }

    pub(crate) fn size(&self) -> (usize, usize) {
        self.size
    }

    pub(crate) fn resize_fd(&self) -> Option<BorrowedFd<'_>> {
        self.resize.fd()
    }

    /// Looks at the size again if it may have changed, and forgets what is drawn if so.
    pub(crate) fn check_size(&mut self) -> io::Result<()> {
        if self.resize.due()? {
            self.size = size();
            self.drawn.clear();
        }
        Ok(())
    }

    /// One write: changed rows, cursor, title. With a `pause`, a write for each row: whoever looks meanwhile sees a part of this
    /// frame and a part of the one before, with the cursor in between, as when a terminal has read half of what an agent wrote.
    pub(crate) fn draw(&mut self, frame: &Frame, pause: Duration) -> io::Result<()> {
        let mut bytes = Vec::new();
        let fresh = self.drawn.is_empty();
        if fresh {
            bytes.extend_from_slice(b"\x1b[0m\x1b[2J");
        }
        for (y, line) in frame.rows.iter().enumerate() {
            if !fresh && self.drawn.get(y) == Some(line) {
                continue;
            }
            write!(bytes, "\x1b[{};1H{}", y + 1, line.ansi)?;
            if line.width < self.size.0 {
                bytes.extend_from_slice(b"\x1b[K");
            }
            if !pause.is_zero() {
                self.out.write_all(&bytes)?;
                self.out.flush()?;
                bytes.clear();
                std::thread::sleep(pause);
            }
        }
        if frame.title != self.title {
            write!(bytes, "\x1b]0;{}\x07", frame.title)?;
            self.title.clone_from(&frame.title);
        }
        let (x, y) = frame.cursor;
        if x == self.size.0 {
            // Only writing the last column brings the cursor behind it.
            write!(bytes, "\x1b[{};{}H ", y + 1, x)?;
        } else {
            write!(bytes, "\x1b[{};{}H", y + 1, x + 1)?;
        }
        let shown = if frame.cursor_shown { 'h' } else { 'l' };
        write!(bytes, "\x1b[?25{shown}")?;
        self.drawn.clone_from(&frame.rows);
        self.out.write_all(&bytes)?;
        self.out.flush()
    }

    pub(crate) fn restore(&mut self, last_row: usize) -> io::Result<()> {
        let leave =
            if self.alternate { "\x1b[?1049l".to_owned() } else { format!("\x1b[{};1H\r\n", last_row + 1) };
        write!(self.out, "\x1b[0m\x1b[?2004l\x1b[?25h{leave}")?;
        self.out.flush()?;
        tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.before)?;
        Ok(())
    }
}

/// Columns and rows of the controlling terminal, 80×24 if it will not say.
fn size() -> (usize, usize) {
    let output = Command::new("stty").arg("size").stdin(Stdio::inherit()).stderr(Stdio::null()).output();
    let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let mut numbers = text.split_whitespace().map_while(|n| n.parse::<usize>().ok()).filter(|n| *n > 0);
    match (numbers.next(), numbers.next()) {
        (Some(rows), Some(columns)) => (columns, rows),
        _ => (80, 24),
    }
}
