//! The text of a message.
//!
//! Valid UTF-8, not empty, at most 64 KiB. No control character except newline and tab, no bidirectional character,
//! and no invisible one except where emoji and scripts need it. A bad body is refused with the position, and never
//! changed silently. A record may have invisible characters that the first version allowed: they are escaped when
//! shown.

use super::escape;
use super::plain;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Body(String);

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// Only white space.
    Empty,
    /// This many bytes; [`MAX_BODY`] at most.
    TooLong(usize),
    /// Not UTF-8 from this byte on.
    NotUtf8(usize),
    /// A character that could mislead a terminal or a reader.
    Character {
        /// Line, from 1.
        line: usize,
        /// Character in the line, from 1.
        column: usize,
        found: char,
    },
}

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadBody::Empty => write!(f, "the message is empty"),
            BadBody::TooLong(n) => write!(
                f,
                "the message is {n} bytes long, at most {MAX_BODY} are allowed; put it into a file and send the path"
            ),
            BadBody::NotUtf8(at) => write!(f, "the message is not UTF-8 from byte {at} on"),
            BadBody::Character { line, column, found } => write!(
                f,
                "the message has the character U+{:04X} at line {line}, column {column}: control, bidirectional and invisible characters are refused{}",
                u32::from(*found),
                if matches!(found, '\u{200c}' | '\u{200d}' | '\u{fe0f}') {
                    ", this one except as part of an emoji or a letter"
                } else {
                    ""
                }
            ),
        }
    }
}

impl std::error::Error for BadBody {}

impl Body {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, BadBody> {
        let bad = escape::misleading(text).find(|(_, c)| !matches!(c, '\n' | '\t'));
        Self::checked(text, bad)
    }

    fn checked(text: &str, bad: Option<(usize, char)>) -> Result<Self, BadBody> {
        if text.len() > MAX_BODY {
            return Err(BadBody::TooLong(text.len()));
        }
        if text.trim().is_empty() {
            return Err(BadBody::Empty);
        }
        if let Some((at, found)) = bad {
            let before = text.get(..at).unwrap_or_default();
            let row = before.rsplit('\n').next().unwrap_or_default();
            let (line, column) = (before.matches('\n').count() + 1, row.chars().count() + 1);
            return Err(BadBody::Character { line, column, found });
        }
        Ok(Self(text.to_owned()))
    }

    /// Checks `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadBody> {
        if bytes.len() > MAX_BODY {
            return Err(BadBody::TooLong(bytes.len()));
        }
        Self::new(std::str::from_utf8(bytes).map_err(|e| BadBody::NotUtf8(e.valid_up_to()))?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the body may be typed as a whole: one short line without characters on which an agent's composer acts
    /// (`@` mentions a file in most of them; a tab completes), and that a terminal gives back as it was written.
    pub fn is_inline(&self, max: usize) -> bool {
        self.is_line(max) && plain::is_plain(&self.0)
    }

    /// Whether it is one short line without characters on which a composer acts.
    pub(super) fn is_line(&self, max: usize) -> bool {
        self.0.len() <= max && !self.0.contains(['\n', '\t', '@']) && self.0.trim() == self.0
    }
}

impl TryFrom<String> for Body {
    type Error = BadBody;
    fn try_from(text: String) -> Result<Self, BadBody> {
        let steers = |c: char| escape::steers(c) && !matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}');
        Self::checked(&text, text.char_indices().find(|(_, c)| steers(*c)))
    }
}

impl From<Body> for String {
    fn from(body: Body) -> Self {
        body.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_taken_unchanged() {
        let text = "a\n\tb 'q' \"d\" $(x) `y` 日本語 👩‍💻 ;\\";
        assert_eq!(Body::new(text).unwrap().as_str(), text);
    }

    #[test]
    fn a_bad_character_is_refused_with_its_place() {
        assert_eq!(Body::new("ok\nab\x1bc"), Err(BadBody::Character { line: 2, column: 3, found: '\x1b' }));
        assert!(Body::new("a\u{202e}b").is_err());
        assert!(Body::new("a\r\nb").is_err());
    }

    #[test]
    fn empty_and_oversized_bodies_are_refused() {
        assert_eq!(Body::new(" \n "), Err(BadBody::Empty));
        assert!(Body::new(&"x".repeat(MAX_BODY)).is_ok());
        assert_eq!(Body::new(&"x".repeat(MAX_BODY + 1)), Err(BadBody::TooLong(MAX_BODY + 1)));
        assert_eq!(Body::from_bytes(b"ab\xff"), Err(BadBody::NotUtf8(2)));
    }

    #[test]
    fn a_body_may_have_64_kib_however_it_comes() {
        let longest = "x".repeat(65_536);
        assert_eq!(Body::from_bytes(longest.as_bytes()).as_ref().map(Body::as_str), Ok(longest.as_str()));
        assert_eq!(Body::from_bytes(format!("{longest}x").as_bytes()), Err(BadBody::TooLong(65_537)));
        assert!(serde_json::from_value::<Body>(format!("{longest}x").into()).is_err());
    }

    #[test]
    fn a_refusal_tells_what_is_wrong_and_where() {
        for (bad, told) in [
            (BadBody::Empty, "is empty"),
            (BadBody::TooLong(70_000), "70000 bytes long, at most 65536"),
            (BadBody::NotUtf8(7), "from byte 7 on"),
            (BadBody::Character { line: 2, column: 3, found: '\x1b' }, "U+001B at line 2, column 3"),
        ] {
            assert!(bad.to_string().contains(told), "{bad}");
        }
    }

    #[test]
    fn a_record_holds_the_very_text() {
        let body = Body::new("a\n\tb").unwrap();
        assert_eq!(serde_json::to_value(&body).unwrap(), "a\n\tb");
        assert!(serde_json::from_str::<Body>("\"a\\u001bb\"").is_err());
    }

    #[test]
    fn one_short_plain_line_is_typed_whole() {
        for (text, inline) in [
            ("abcd", true),
            ("abcde", false),
            ("a\nb", false),
            ("a\tb", false),
            ("a@b", false),
            (" ab", false),
            ("é", true),
            ("e\u{301}", false),
        ] {
            assert_eq!(Body::new(text).unwrap().is_inline(4), inline, "{text:?}");
        }
    }
}
