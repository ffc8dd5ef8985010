//! Texts of screens as patterns, and patterns as texts of a profile.

use crate::core::screen::{Colour, Row};
use regex::escape;

/// Adds an item, unless it is there.
pub(super) fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

pub(super) fn letters(part: &str) -> usize {
    part.chars().filter(|c| c.is_alphabetic()).count()
}

/// The parts of rows that stand apart: a footer has several. Parts with numbers or paths are left out, because these
/// change.
pub(super) fn all_parts(rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        for part in row.text.split("  ").flat_map(|part| part.split(" · ")).map(str::trim) {
            if letters(part) > 2 && !part.contains(|c: char| c.is_ascii_digit() || c == '~') && !is_path(part)
            {
                add(&mut found, part.to_owned());
            }
        }
    }
    found
}

/// Whether the text contains a path. A command with a slash is not a path: `/ commands`, `/help`.
fn is_path(part: &str) -> bool {
    let steps = |word: &str| word.split('/').filter(|step| !step.is_empty()).count();
    part.split_whitespace().any(|word| word.contains('/') && steps(word) > 1 && !word.starts_with('@'))
}

/// A pattern for a row that begins with one of these texts. Each may be indented.
pub(super) fn one_of(begins: &[String]) -> String {
    let (mut all, mut inner) = (Vec::new(), Vec::new());
    for begin in begins {
        add(&mut all, escape(begin));
        add(&mut inner, escape(begin.trim_start_matches(' ')));
    }
    match (&all[..], &inner[..]) {
        ([one], _) => format!("^{one}"),
        (_, [one]) if !one.is_empty() => format!("^ *{one}"),
        _ => format!("^({})", all.join("|")),
    }
}

/// A text as TOML. If possible it has no escapes, so that a pattern stays legible.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(|c: char| c == '\'' || c.is_control()) {
        // JSON has the same escapes as TOML, but TOML escapes one more character.
        serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
    } else {
        format!("'{text}'")
    }
}

pub(super) fn named(colour: Colour) -> Option<String> {
    match colour {
        Colour::Usual => None,
        Colour::Numbered(number) => Some(format!("colour{number}")),
        Colour::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}
