//! Computes how much of a text a composer shows. A text that is not shown as a whole cannot be compared, so it is
//! never submitted.

use super::profile::{Profile, ScreenRules};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr as _};

/// The number of rows of text that every composer shows, however small the pane.
const FEWEST: usize = 3;

impl Profile {
    /// Whether a pane of this size shows `line` as a whole, or the sign for a long paste in its place. If not, a
    /// shorter text should be typed: a doorbell.
    pub fn shows_whole(&self, line: &str, columns: u16, rows: u16) -> bool {
        let rules = &self.screen;
        let collapses = !rules.collapsed.is_empty() && line.chars().count() > rules.collapses_above;
        collapses || rows_of(line, text_width(rules, columns)) <= text_rows(rules, rows)
    }
}

fn text_width(rules: &ScreenRules, columns: u16) -> usize {
    usize::from(columns.saturating_sub(rules.margin).max(1))
}

/// The greatest number of rows of text that a composer shows.
fn text_rows(rules: &ScreenRules, rows: u16) -> usize {
    let free = usize::from(rows.saturating_sub(rules.around) / rules.share.max(1));
    free.max(FEWEST).min(rules.rows_max.unwrap_or(usize::MAX))
}

/// The number of rows that `text` takes, with one for a cursor behind a full row. An agent breaks its rows between
/// words or anywhere; this is the larger number.
fn rows_of(text: &str, width: usize) -> usize {
    text.split('\n').map(|line| 1 + between_words(line, width).max(anywhere(line, width))).sum()
}

/// Full rows before the last one, if words that fit into a row are not broken.
fn between_words(line: &str, width: usize) -> usize {
    let (mut rows, mut used) = (0, 0);
    for word in line.split_inclusive(' ') {
        let long = word.trim_end().width();
        if used > 0 && used + long > width {
            (rows, used) = (rows + 1, 0);
        }
        used += word.width();
        rows += used.saturating_sub(1) / width;
        used -= (used.saturating_sub(1) / width) * width;
    }
    rows + used / width
}

/// Full rows before the last one, if rows are broken wherever they are full. A wide character that does not fit
/// leaves a column free.
fn anywhere(line: &str, width: usize) -> usize {
    let (mut rows, mut used) = (0, 0);
    for c in line.chars().filter_map(UnicodeWidthChar::width) {
        if used + c > width {
            (rows, used) = (rows + 1, 0);
        }
        used += c;
    }
    rows + used / width
}

#[cfg(test)]
mod tests {
    use super::super::Profiles;
    use super::*;

    #[test]
    fn a_text_takes_the_rows_of_the_way_of_breaking_it_that_takes_more() {
        for (text, width, rows) in [
            ("", 10, 1),
            ("abc", 10, 1),
            ("aaaa bbbb", 10, 1),
            ("aaaa bbbbb", 10, 2),
            ("aaaa bbbbbb", 10, 2),
            ("aaaaaa bbbbbb cccccc", 10, 3),
            (&"a".repeat(25), 10, 3),
            ("日本語日本語", 5, 3),
            ("a\nb", 10, 2),
        ] {
            assert_eq!(rows_of(text, width), rows, "{text}");
        }
    }

    #[test]
    fn a_line_that_was_seen_whole_in_a_narrow_pane_is_judged_so_and_a_longer_one_is_not() {
        let profiles = Profiles::builtin().unwrap();
        let shows = |kind: &str, length: usize, columns, rows| {
            let line: String = "[swarm k3f9a2xy INFO from claude-2 to codex-1] please look "
                .chars()
                .cycle()
                .take(length)
                .collect();
            profiles.get(kind).unwrap().shows_whole(&line, columns, rows)
        };
        for (kind, length, columns, rows, expected) in [
            // Measured: 170 characters were shown as a whole at 39x24, and 120 at 24x20 were not.
            ("claude", 170, 39, 24, true),
            ("claude", 120, 24, 20, false),
            ("claude", 170, 39, 10, false),
            ("codex", 170, 39, 24, true),
            ("codex", 130, 39, 10, true),
            ("gemini", 170, 39, 24, true),
            ("opencode", 130, 39, 24, true),
            // A long paste is shown as a sign.
            ("opencode", 400, 39, 24, true),
            ("aider", 170, 39, 24, true),
            ("claude", 500, 120, 40, true),
        ] {
            assert_eq!(shows(kind, length, columns, rows), expected, "{kind} {length} {columns}x{rows}");
        }
    }

    #[test]
    fn a_composer_of_few_rows_shows_no_more_than_these() {
        let text = "kind = 'x'\ntitle = 'X'\n[screen]\nprompt = '^> '\ncontinuation = '^  '\nbelow = 0\nrows_max = 5\n";
        let profile = Profile::parse(text, "x").unwrap();
        assert!(profile.shows_whole(&"a".repeat(300), 80, 40));
        assert!(!profile.shows_whole(&"a".repeat(450), 80, 40));
    }
}
