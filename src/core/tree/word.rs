//! A word of a shell command, as the program gets it: without its quotes, and with a known or an unknown value.

/// One word of a command, as the program gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text; what is not known is left out.
    pub text: String,
    /// Whether all of it is known.
    pub exact: bool,
}

impl Word {
    /// A word that is known.
    pub fn known(text: &str) -> Self {
        Self { text: text.to_owned(), exact: true }
    }

    /// A word of which nothing is known.
    pub fn unknown() -> Self {
        Self { text: String::new(), exact: false }
    }

    /// The text, if all of it is known.
    pub fn get(&self) -> Option<&str> {
        self.exact.then_some(self.text.as_str())
    }
}

/// A word whose quotes are being taken off.
pub(super) struct Text {
    pub(super) word: Word,
    pub(super) double: bool,
}

impl Default for Text {
    fn default() -> Self {
        Self { word: Word::known(""), double: false }
    }
}

impl Text {
    /// Adds a piece of the script, as far as quotes and `~` go.
    pub(super) fn literal(&mut self, raw: &str, home: impl Fn() -> Option<String>) {
        let mut rest = raw;
        if self.word.text.is_empty() && !self.double && (raw == "~" || raw.starts_with("~/")) {
            match home() {
                Some(home) => self.word.text.push_str(&home),
                None => self.word.exact = false,
            }
            rest = &raw[1..];
        }
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => self.double = !self.double,
                '\'' if !self.double => self.word.text.extend(chars.by_ref().take_while(|c| *c != '\'')),
                '\\' => match chars.next() {
                    Some('\n') | None => {}
                    Some(next) if self.double && !matches!(next, '$' | '`' | '"' | '\\') => {
                        self.word.text.extend(['\\', next]);
                    }
                    Some(next) => self.word.text.push(next),
                },
                _ => self.word.text.push(c),
            }
        }
    }
}

/// The texts of words, known or not.
pub(super) fn texts(words: &[Word]) -> Vec<&str> {
    words.iter().map(|word| word.text.as_str()).collect()
}
