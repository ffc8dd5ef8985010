//! Wraps text to the width of a screen, so that its rows can be counted.
//!
//! Pure. A row ends at a space if there is one in its second half, and otherwise where it is full.

use super::text::{graphemes, steady, width};

/// The rows that `text` takes at this width. An empty line takes one.
pub(super) fn rows(text: &str, columns: u16) -> Vec<String> {
    let columns = usize::from(columns.max(2));
    let mut rows = Vec::new();
    for line in steady(text).lines() {
        let mut row = String::new();
        let (mut used, mut space) = (0, None);
        for part in graphemes(line) {
            let part = if part == "\t" { " " } else { part };
            let wide = width(part);
            if used + wide > columns {
                let rest = match space {
                    Some(at) if part != " " => row.split_off(at),
                    _ => String::new(),
                };
                rows.push(std::mem::take(&mut row).trim_end().to_owned());
                (row, space) = (rest, None);
                used = width(&row);
                if part == " " && row.is_empty() {
                    continue;
                }
            }
            row.push_str(part);
            used += wide;
            if part == " " && used > columns / 2 {
                space = Some(row.len());
            }
        }
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::text::Line;

    #[test]
    fn no_row_is_wider_than_the_screen_and_nothing_is_lost() {
        let text = "one two three four\n\nfive-hundred-and-twenty-two 日本語の文 x\n";
        for columns in [2, 5, 7, 12, 40] {
            let rows = rows(text, columns);
            for row in &rows {
                assert!(Line::raw(row.as_str()).width() <= usize::from(columns), "{row:?} at {columns}");
            }
            let kept = |text: &str| text.replace([' ', '\n'], "");
            assert_eq!(kept(&rows.concat()), kept(text), "{columns}");
        }
        assert_eq!(rows("one two three", 9), ["one two", "three"]);
        assert_eq!(rows("a\n\nb", 9), ["a", "", "b"]);
    }
}
