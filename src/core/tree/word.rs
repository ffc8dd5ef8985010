//! A word of a shell command as its program gets it: without quotes, with a known or an unknown value.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text; unknown parts are left out.
    pub text: String,
    /// Whether all of it is known.
    pub exact: bool,
}

impl Word {
    pub fn known(text: &str) -> Self {
        Self { text: text.to_owned(), exact: true }
    }

    /// A completely unknown word.
    pub fn unknown() -> Self {
        Self { text: String::new(), exact: false }
    }

    /// The text, if all of it is known.
    pub fn get(&self) -> Option<&str> {
        self.exact.then_some(self.text.as_str())
    }
}

/// A word while its quotes are removed.
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
    /// Adds a piece of the script, and handles quotes and `~`.
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
