//! A text for the document: one plain line.

use super::CoordRefusal;
use crate::core::escape;

/// The longest text, in characters.
pub const MAX_TEXT: usize = 2000;

/// One line of at most [`MAX_TEXT`] characters, not blank, without control, bidirectional or invisible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Checks `text`. White space around it is dropped.
    pub fn new(text: &str) -> Result<Self, CoordRefusal> {
        let text = text.trim();
        let length = text.chars().count();
        if text.is_empty() {
            return Err(CoordRefusal::Text("it is empty".into()));
        }
        if length > MAX_TEXT {
            return Err(CoordRefusal::Text(format!(
                "it has {length} characters, at most {MAX_TEXT} are allowed"
            )));
        }
        let bad = escape::misleading(text).next();
        match bad.map(|(at, c)| (text.get(..at).unwrap_or_default().chars().count(), c)) {
            Some((at, '\n' | '\r')) => Err(CoordRefusal::Text(format!(
                "it has a line break after {at} characters; only one line is allowed, so put longer text into a file and name the file"
            ))),
            Some((at, c)) => Err(CoordRefusal::Text(format!(
                "it has the character U+{:04X} at position {}: control, bidirectional and invisible characters are refused",
                u32::from(c),
                at + 1
            ))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as a cell of a table.
    pub(super) fn cell(&self) -> String {
        cell(&self.0)
    }
}

/// `text` as a cell: each `|` gets a backslash, and so do the backslashes before one, which would take that away from
/// it.
pub(super) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut backslashes = 0;
    for c in text.chars() {
        if c == '|' {
            out.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_plain_line_is_taken_and_nothing_else() {
        assert_eq!(Text::new(" wire up 日本語 👩‍💻 `a|b` \n").unwrap().as_str(), "wire up 日本語 👩‍💻 `a|b`");
        assert!(Text::new(&"é".repeat(MAX_TEXT)).is_ok());
        for bad in
            [" \n", "a\nb", "a\rb", "a\tb", "a\x1bb", "a\u{202e}b", "\u{feff}a", &"x".repeat(MAX_TEXT + 1)]
        {
            assert!(Text::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_cell_keeps_its_bars_to_itself() {
        assert_eq!(cell(r"a|b"), r"a\|b");
        assert_eq!(cell(r"a\|b"), r"a\\\|b");
        assert_eq!(cell(r"a\b\\"), r"a\b\\");
    }
}
