//! The characters of a screen, each with its style and its place.

use crate::sgr::Style;
use unicode_width::UnicodeWidthChar;

/// Characters of one style that stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The column of the first.
    pub(crate) column: usize,
    /// Columns that it takes.
    pub(crate) width: usize,
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// The rows of a screen, as runs. Escape sequences other than colours and attributes are dropped.
pub(crate) fn rows(screen: &str) -> Vec<Vec<Run>> {
    let mut style = Style::default();
    screen.lines().map(|line| row(line, &mut style)).collect()
}

fn row(line: &str, style: &mut Style) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut column = 0;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            if rest.next() == Some('[') {
                let mut parameters = String::new();
                for c in rest.by_ref() {
                    if c.is_ascii_alphabetic() {
                        if c == 'm' {
                            style.apply(&parameters);
                        }
                        break;
                    }
                    parameters.push(c);
                }
            }
            continue;
        }
        let width = c.width().unwrap_or(0);
        // A character whose width fonts do not agree on, or that is wide, begins a run, so that the rest stays in its columns.
        let plain = c.is_ascii() || ('\u{2500}'..='\u{259f}').contains(&c);
        match runs.last_mut() {
            Some(last) if last.style == *style && plain && last.text.is_ascii() == c.is_ascii() => {
                last.text.push(c);
                last.width += width;
            }
            _ => runs.push(Run { column, width, text: c.to_string(), style: *style }),
        }
        column += width;
    }
    runs
}
