//! Wrapping and styled rows. Pure; a row never grows wider than its pane and never carries a control character.

use unicode_width::UnicodeWidthChar;

use crate::draft::Cell;

/// One drawn row: its bytes with SGR codes, and the columns it fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) ansi: String,
    pub(crate) width: usize,
}

/// Builds a row from left to right, cutting what does not fit.
pub(crate) struct Row {
    line: Line,
    max: usize,
}

impl Row {
    pub(crate) fn new(max: usize) -> Self {
        Self { line: Line::default(), max }
    }

    /// Adds text under these SGR parameters (empty: plain).
    pub(crate) fn put(mut self, sgr: &str, text: &str) -> Self {
        self.line.ansi.push_str("\x1b[0m");
        if !sgr.is_empty() {
            self.line.ansi.push_str("\x1b[");
            self.line.ansi.push_str(sgr);
            self.line.ansi.push('m');
        }
        for c in text.chars() {
            let c = if c == '\t' { ' ' } else { c };
            let Some(width) = c.width() else { continue };
            if self.line.width + width > self.max {
                break;
            }
            self.line.ansi.push(c);
            self.line.width += width;
        }
        self
    }

    /// Spaces up to a column.
    pub(crate) fn fill(self, sgr: &str, column: usize) -> Self {
        let missing = column.min(self.max).saturating_sub(self.line.width);
        if missing == 0 { self } else { self.put(sgr, &" ".repeat(missing)) }
    }

    /// Draft cells; those of a paste's label have a style of their own.
    pub(crate) fn cells(mut self, plain: &str, label: &str, cells: &[Cell]) -> Self {
        for run in cells.chunk_by(|a, b| a.1 == b.1) {
            let text: String = run.iter().map(|c| c.0).collect();
            let is_label = run.first().is_some_and(|c| c.1);
            self = self.put(if is_label { label } else { plain }, &text);
        }
        self
    }

    pub(crate) fn end(mut self) -> Line {
        self.line.ansi.push_str("\x1b[0m");
        self.line
    }
}

/// A row of one character over the whole width.
pub(crate) fn rule(width: usize, sgr: &str, c: &str) -> Line {
    Row::new(width).put(sgr, &c.repeat(width)).end()
}

pub(crate) fn columns(cells: &[Cell]) -> usize {
    cells.iter().map(|c| c.0.width().unwrap_or(0)).sum()
}

/// Breaks cells into rows of at most `width` columns, at spaces when `words` is set and a row has one; the space
/// at such a break is not drawn. Always returns at least one row, and an empty last row after a final newline.
pub(crate) fn wrap_cells(cells: &[Cell], width: usize, words: bool) -> Vec<Vec<Cell>> {
    let width = width.max(2);
    let mut rows = Vec::new();
    for line in cells.split(|c| c.0 == '\n') {
        let mut row: Vec<Cell> = Vec::new();
        let mut used = 0;
        for &cell in line {
            let cell = if cell.0 == '\t' { (' ', cell.1) } else { cell };
            let Some(w) = cell.0.width() else { continue };
            if used + w > width {
                let cut = row.iter().rposition(|c| c.0 == ' ' && !c.1).filter(|_| words);
                if words && cell == (' ', false) {
                    rows.push(std::mem::take(&mut row));
                    used = 0;
                    continue;
                }
                let rest = cut.map_or_else(Vec::new, |at| row.split_off(at + 1));
                if cut.is_some() {
                    row.pop();
                }
                rows.push(std::mem::replace(&mut row, rest));
                used = columns(&row);
            }
            row.push(cell);
            used += w;
        }
        rows.push(row);
    }
    rows
}

/// The same for plain text.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let cells: Vec<Cell> = text.chars().map(|c| (c, false)).collect();
    wrap_cells(&cells, width, true).iter().map(|row| row.iter().map(|c| c.0).collect()).collect()
}

/// Text of a command without escape sequences and controls, fit for a transcript.
pub(crate) fn sanitize(text: &str) -> String {
    let mut clean = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            if chars.next_if_eq(&'[').is_some() {
                while chars.next_if(|c| !('\u{40}'..='\u{7e}').contains(c)).is_some() {}
                chars.next();
            }
        } else if c == '\n' || !c.is_control() {
            clean.push(c);
        } else if c == '\t' {
            clean.push(' ');
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_at_spaces_and_inside_long_words() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aaa bbb", 5), ["aaa", "bbb"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("a\n", 5), ["a", ""]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }

    #[test]
    fn rows_are_cut_to_the_pane() {
        let line = Row::new(4).put("1", "ab\x07cdef").fill("", 9).end();
        assert_eq!((line.ansi.as_str(), line.width), ("\x1b[0m\x1b[1mabcd\x1b[0m", 4));
    }

    #[test]
    fn command_output_is_sanitized() {
        assert_eq!(sanitize("a\x1b[31mb\x1b[0m\r\nc\x07\x1b]"), "ab\nc]");
    }
}
