//! Makes untrusted text safe for a terminal.
//!
//! Titles, file names, process arguments and foreign records pass through here before a person sees them. No control,
//! bidirectional or invisible character survives, so such a text cannot move a cursor, hide itself or start a second
//! line.

use super::glyph;

/// Whether a character by itself may mislead a terminal or a reader: C0, C1, bidirectional controls, invisible
/// characters.
pub fn is_unsafe(c: char) -> bool {
    // Most texts contain only these characters.
    !matches!(c, ' '..='~') && (steers(c) || glyph::is_invisible(c))
}

/// Whether a character was refused in records since the first version. Later refusals must not apply to records of
/// that version.
pub(super) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{2028}' | '\u{2029}')
}

/// The characters of `text` that may mislead, with their byte positions: unsafe characters, except those that belong
/// to an emoji or a script.
pub fn misleading(text: &str) -> impl Iterator<Item = (usize, char)> {
    text.char_indices().filter(|(at, c)| is_unsafe(*c) && !glyph::is_part(text, *at, *c))
}

/// One line of printable text: every unsafe character becomes its `\u{…}` notation. The mark that shows an emoji in
/// colours stays; joiners do not, because programs show them in different ways.
pub fn line(text: &str) -> String {
    if text.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_unsafe(c) && !(c == '\u{fe0f}' && glyph::is_part(text, at, c)) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Printable text of several lines: like [`line()`], but line feeds and tabs stay, and so do the joiners in emoji and
/// several scripts.
pub fn text(text: &str) -> String {
    if text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if is_unsafe(c) && !matches!(c, '\n' | '\t') && !glyph::is_part(text, at, c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// JSON on one line that does not steer a terminal: JSON itself allows DEL, C1 and bidirectional controls. The value
/// stays the same.
pub fn json(value: &serde_json::Value) -> String {
    let mut out = String::new();
    // Such characters occur only in strings, where JSON has an escape for them.
    for c in value.to_string().chars() {
        if is_unsafe(c) {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// [`line()`], cut to at most `max` characters with `…` in place of the rest.
pub fn short(text: &str, max: usize) -> String {
    let safe = line(text);
    if safe.chars().count() <= max {
        return safe;
    }
    safe.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

/// One word of a shell command, safe to show and to copy: quoted, on one line.
pub fn word(text: &str) -> String {
    format!("'{}'", line(text).replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_or_bidi_character_survives() {
        let out = line("a\x1b[2J\u{9b}31m\u{202e}b\nc\u{200b}");
        assert!(!out.chars().any(is_unsafe), "{out}");
        assert_eq!(short("abcdef", 4), "abc…");
    }

    #[test]
    fn lines_stay_lines_and_nothing_else_moves_the_cursor() {
        assert_eq!(
            text("a\tb\r\n\x1b[2J👩\u{200d}💻\u{202e}"),
            "a\tb\\u{d}\n\\u{1b}[2J👩\u{200d}💻\\u{202e}"
        );
    }

    #[test]
    fn json_is_one_safe_line_and_says_the_same() {
        let value =
            serde_json::json!({"a\u{7f}": ["\u{9b}31m\n\x1b", "\u{202e}\u{e0041}é漢\u{200d}", 7, null]});
        let line = json(&value);
        assert!(!line.chars().any(is_unsafe), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }

    #[test]
    fn what_was_taken_out_is_shown_and_the_rest_is_kept() {
        assert_eq!(line("a\x1bb\n\u{202e}c 日本"), "a\\u{1b}b\\u{a}\\u{202e}c 日本");
        for c in ['\u{ad}', '\u{200b}', '\u{202a}', '\u{2028}', '\u{feff}', '\u{e0001}', '\u{85}'] {
            assert!(is_unsafe(c), "{c:?}");
        }
        for (max, shown) in [(3, "ab…"), (4, "abcd"), (5, "abcd")] {
            assert_eq!(short("abcd", max), shown);
        }
    }

    #[test]
    fn a_word_of_a_command_can_be_copied_into_a_shell() {
        assert_eq!(word("it's $HOME\n"), r"'it'\''s $HOME\u{a}'");
    }
}
