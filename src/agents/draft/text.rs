//! Texts of screens as patterns, and patterns as texts of a profile.

use crate::core::screen::{Colour, Row};
use regex::escape;

/// Takes something in that is not there yet.
pub(super) fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

pub(super) fn letters(part: &str) -> usize {
    part.chars().filter(|c| c.is_alphabetic()).count()
}

/// The parts of rows that stand apart: a footer has several. Numbers and paths are others tomorrow.
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

/// Whether a path stands in it. A command with a slash is no path: `/ commands`, `/help`.
fn is_path(part: &str) -> bool {
    let steps = |word: &str| word.split('/').filter(|step| !step.is_empty()).count();
    part.split_whitespace().any(|word| word.contains('/') && steps(word) > 1 && !word.starts_with('@'))
}

/// A pattern for the beginning of a row, which is one of these. They may be indented differently.
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

/// A text as TOML writes it: as it is if that is possible, for a pattern is legible so.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(|c: char| c == '\'' || c.is_control()) {
        // JSON's escapes are TOML's, and TOML escapes one character more.
        serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
    } else {
        format!("'{text}'")
    }
}

/// A colour as a profile names it.
pub(super) fn named(colour: Colour) -> Option<String> {
    match colour {
        Colour::Usual => None,
        Colour::Numbered(number) => Some(format!("colour{number}")),
        Colour::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}
