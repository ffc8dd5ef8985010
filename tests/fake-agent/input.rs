//! Bytes from the terminal to keys. It keeps unfinished sequences between reads, so a chunk may end anywhere.
//! It knows nothing of time, except that a lone ESC is decided by `settle`, which the caller runs after a pause.

const PASTE_END: &[u8] = b"\x1b[201~";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    /// A finished bracketed paste; line ends are `\n`.
    Paste(String),
    Enter,
    Newline,
    Backspace,
    ClearLine,
    Interrupt,
    Escape,
    /// Anything an agent would take for something else: arrows, function keys, other controls.
    Other(String),
}

#[derive(Default)]
pub(crate) struct Parser {
    pending: Vec<u8>,
    in_paste: bool,
}

impl Parser {
    /// Takes a chunk as read and returns the keys it completes.
    pub(crate) fn feed(&mut self, chunk: &[u8]) -> Vec<Key> {
        self.pending.extend_from_slice(chunk);
        let mut keys = Vec::new();
        while let Some(used) = self.step(&mut keys) {
            self.pending.drain(..used);
        }
        keys
    }

    /// Whether a lone ESC waits for the rest of a sequence.
    pub(crate) fn undecided(&self) -> bool {
        !self.in_paste && self.pending.first() == Some(&0x1b)
    }

    /// Nothing followed the ESC: it was the Escape key.
    pub(crate) fn settle(&mut self) -> Vec<Key> {
        if !self.undecided() {
            return Vec::new();
        }
        self.pending.remove(0);
        let mut keys = vec![Key::Escape];
        keys.extend(self.feed(&[]));
        keys
    }

    /// One key, and how many bytes it took; `None` when more bytes are needed.
    fn step(&mut self, keys: &mut Vec<Key>) -> Option<usize> {
        if self.in_paste {
            let end = self.pending.windows(PASTE_END.len()).position(|w| w == PASTE_END)?;
            keys.push(Key::Paste(paste_text(&self.pending[..end])));
            self.in_paste = false;
            return Some(end + PASTE_END.len());
        }
        let first = *self.pending.first()?;
        match first {
            0x1b => self.escape(keys),
            b'\r' => Some(push(keys, Key::Enter)),
            b'\n' => Some(push(keys, Key::Newline)),
            0x7f | 0x08 => Some(push(keys, Key::Backspace)),
            0x15 => Some(push(keys, Key::ClearLine)),
            0x03 => Some(push(keys, Key::Interrupt)),
            0x00..0x20 => Some(push(keys, Key::Other(format!("C-{}", char::from(first | 0x40))))),
            _ => self.utf8(first, keys),
        }
    }

    fn utf8(&self, first: u8, keys: &mut Vec<Key>) -> Option<usize> {
        let need = match first {
            0x20..0x7f => 1,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return Some(1),
        };
        let bytes = self.pending.get(..need)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => keys.extend(text.chars().filter(|c| !c.is_control()).map(Key::Char)),
            Err(_) => return Some(1),
        }
        Some(need)
    }

    fn escape(&mut self, keys: &mut Vec<Key>) -> Option<usize> {
        match *self.pending.get(1)? {
            b'[' => {
                let tail = self.pending.get(2..)?;
                let end = tail.iter().position(|b| (0x40..=0x7e).contains(b))?;
                let body = String::from_utf8_lossy(&tail[..=end]).into_owned();
                if body == "200~" {
                    self.in_paste = true;
                } else {
                    keys.push(Key::Other(format!("CSI {body}")));
                }
                Some(end + 3)
            }
            b'O' => {
                let body = char::from(*self.pending.get(2)?);
                keys.push(Key::Other(format!("SS3 {body}")));
                Some(3)
            }
            // Two Escapes in a row: the first is a key of its own.
            0x1b => Some(push(keys, Key::Escape)),
            // Alt-Enter is every agent's way to type a newline.
            b'\r' => Some(push(keys, Key::Newline) + 1),
            other => {
                keys.push(Key::Other(format!("M-{}", char::from(other))));
                Some(2)
            }
        }
    }
}

fn push(keys: &mut Vec<Key>, key: Key) -> usize {
    keys.push(key);
    1
}

/// A paste as agents keep it: CR and CRLF are newlines, other controls but TAB are dropped.
fn paste_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paste_split_over_reads_is_one_key() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"a\x1b[20"), [Key::Char('a')]);
        assert_eq!(parser.feed(b"0~x\r\ny\rz\n\x1b[2"), []);
        assert_eq!(parser.feed(b"01~\r"), [Key::Paste("x\ny\nz\n".into()), Key::Enter]);
    }

    #[test]
    fn a_body_with_the_end_mark_breaks_out() {
        let keys = Parser::default().feed(b"\x1b[200~a\x1b[201~\rb\x1b[201~");
        assert_eq!(keys, [Key::Paste("a".into()), Key::Enter, Key::Char('b'), Key::Other("CSI 201~".into())]);
    }

    #[test]
    fn utf8_may_end_anywhere_and_bad_bytes_are_skipped() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(&[0xe2, 0x86]), []);
        assert_eq!(parser.feed(&[0x92, 0xff, b'x']), [Key::Char('→'), Key::Char('x')]);
    }

    #[test]
    fn a_lone_escape_settles() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"\x1b"), []);
        assert!(parser.undecided());
        assert_eq!(parser.settle(), [Key::Escape]);
        assert_eq!(
            parser.feed(b"\x1b[A\x15\x03\x7f\x0a"),
            [Key::Other("CSI A".into()), Key::ClearLine, Key::Interrupt, Key::Backspace, Key::Newline]
        );
    }
}
