//! A text that is being written: characters, a cursor, lines.
//!
//! Pure. It only accepts characters that a terminal can show safely; others are dropped as they are typed or pasted.

use crate::core::escape;

/// The longest text, in characters: more than a message may have, so that a text that was cut is refused, and never
/// sent in part.
pub(super) const MAX: usize = 70_000;

/// The character that joins several emoji into one. It is invisible itself.
pub(super) const JOINER: char = '\u{200d}';

/// A text and a cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    text: Vec<char>,
    at: usize,
}

impl Input {
    /// An input that contains `text`, with the cursor after it.
    pub(super) fn of(text: &str) -> Self {
        let mut input = Self::default();
        input.insert(text);
        input
    }

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Whether it contains only white space.
    pub(super) fn is_blank(&self) -> bool {
        self.text.iter().all(|c| c.is_whitespace())
    }

    /// Inserts at the cursor. Line ends of any kind become `\n`.
    pub(super) fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let stays = |c: &char| matches!(*c, '\n' | '\t' | '\u{fe0f}' | JOINER) || !escape::is_unsafe(*c);
        for c in text.chars().filter(stays) {
            if self.text.len() < MAX {
                self.text.insert(self.at, c);
                self.at += 1;
            }
        }
    }

    /// Deletes the character before the cursor.
    pub(super) fn backspace(&mut self) {
        if self.at > 0 {
            self.at -= 1;
            self.text.remove(self.at);
        }
    }

    /// Deletes the character under the cursor.
    pub(super) fn delete(&mut self) {
        if self.at < self.text.len() {
            self.text.remove(self.at);
        }
    }

    /// Deletes back to the beginning of the line.
    pub(super) fn kill_line(&mut self) {
        let start = self.line_start();
        self.text.drain(start..self.at);
        self.at = start;
    }

    /// Moves the cursor by characters.
    pub(super) fn step(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(self.text.len());
    }

    /// Moves the cursor to the beginning of its line.
    pub(super) fn home(&mut self) {
        self.at = self.line_start();
    }

    /// Moves the cursor to the end of its line.
    pub(super) fn end(&mut self) {
        while self.text.get(self.at).is_some_and(|c| *c != '\n') {
            self.at += 1;
        }
    }

    fn line_start(&self) -> usize {
        self.text[..self.at].iter().rposition(|c| *c == '\n').map_or(0, |newline| newline + 1)
    }

    /// The text before the cursor, and the rest.
    pub(super) fn parts(&self) -> (String, String) {
        (self.text[..self.at].iter().collect(), self.text[self.at..].iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_edited_at_the_cursor_and_stays_safe() {
        let mut input = Input::of("ab\r\ncd\u{1b}[2J\u{202e}");
        assert_eq!(input.text(), "ab\ncd[2J");
        input.home();
        input.insert("X");
        input.step(-2);
        input.backspace();
        assert_eq!(input.text(), "a\nXcd[2J");
        input.end();
        input.delete();
        assert_eq!(input.text(), "aXcd[2J");
        input.end();
        input.kill_line();
        assert!(input.is_blank());
        input.step(-5);
        input.backspace();
        assert_eq!(input.parts(), (String::new(), String::new()));
    }
}
