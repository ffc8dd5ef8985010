//! Finds the composer on recorded screens: where its cursor is, and which rows close it.

use super::text::{add, letters, one_of};
use crate::agents::recording::Recording;
use crate::core::agent::Status;
use crate::core::order;
use crate::core::screen::{Cell, Colour, Row};

/// Characters of which the rows that close a composer are made.
const LINES: &str = "─━═▄▀_╌┄";

/// Characters that some agents draw as their cursor in an empty composer.
const GLYPHS: [char; 6] = ['▋', '█', '▌', '▍', '▎', '▏'];

/// Characters at the right end of a composer's rows that are not text.
const BORDERS: [char; 2] = ['│', '┃'];

/// How a screen shows the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CursorForm {
    /// The cursor of tmux.
    #[default]
    Tmux,
    /// A reversed cell.
    Cell,
    /// A reversed cell, or this character.
    Glyph(char),
}

impl CursorForm {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Self::Tmux, Self::Cell].into_iter().chain(GLYPHS.map(Self::Glyph))
    }

    /// The row and the column of the cursor.
    pub(super) fn find(self, recording: &Recording) -> Option<(usize, u16)> {
        let glyph = match self {
            Self::Tmux => return Some((usize::from(recording.facts.cursor_y), recording.facts.cursor_x)),
            Self::Cell => None,
            Self::Glyph(glyph) => Some(glyph),
        };
        let mut rows = recording.screen.rows().iter().enumerate().rev();
        rows.find_map(|(at, row)| Some((at, row.cursor_drawn_as(glyph)?)))
    }
}

/// A recording of an empty composer, with its cursor.
#[derive(Clone, Copy)]
pub(super) struct EmptyComposer<'a> {
    pub(super) rows: &'a [Row],
    pub(super) row: usize,
    pub(super) column: u16,
    pub(super) size: (u16, u16),
}

impl<'a> EmptyComposer<'a> {
    pub(super) fn new(recording: &'a Recording, drawn: CursorForm) -> Option<Self> {
        let (row, column) = drawn.find(recording)?;
        let rows = recording.screen.rows();
        rows.get(row)?;
        Some(Self { rows, row, column, size: (recording.facts.width, recording.facts.height) })
    }

    /// The text before the cursor.
    pub(super) fn prompt(&self) -> String {
        let before = || self.rows[self.row].cells.iter().filter(|c| c.column < self.column);
        let mut text: String = before().map(|c| c.ch).collect();
        // A capture leaves out the blanks at the end.
        let end = before().next_back().map_or(0, |c| c.column + 1);
        text.extend((end..self.column).map(|_| ' '));
        text
    }

    /// The text from the cursor on, in the rows up to `end`. A narrow pane breaks it into several rows.
    pub(super) fn shown(&self, end: usize) -> Shown {
        let ink =
            |row: &'a Row| row.cells.iter().filter(|c| c.column >= self.column && !BORDERS.contains(&c.ch));
        let rows = &self.rows[self.row..end.clamp(self.row + 1, self.rows.len())];
        let lines = rows.iter().map(|row| ink(row).map(|c| c.ch).collect::<String>());
        let words = lines.collect::<Vec<_>>().join(" ");
        let cells: Vec<&Cell> = rows.iter().flat_map(ink).filter(|c| !c.ch.is_whitespace()).collect();
        // The cursor may be drawn on the first one.
        let rest = cells.get(1..).unwrap_or_default();
        let colour = rest.first().map(|c| c.colour).filter(|colour| rest.iter().all(|c| c.colour == *colour));
        Shown {
            text: words.split_whitespace().collect::<Vec<_>>().join(" "),
            dim: cells.iter().all(|c| c.dim),
            colour: colour.filter(|colour| *colour != Colour::Usual),
        }
    }
}

/// The text that an empty composer shows.
pub(super) struct Shown {
    pub(super) text: String,
    /// Whether all of it is dim.
    pub(super) dim: bool,
    /// The colour of the whole text, if it has one of its own.
    pub(super) colour: Option<Colour>,
}

/// The sets of composers to make rules from, in the order in which they are tried: all of them; without those whose
/// cursor stands behind words, because most composers show no words there; without those in the narrowest panes.
pub(super) fn views<'a>(all: &[EmptyComposer<'a>]) -> Vec<Vec<EmptyComposer<'a>>> {
    let worded = |place: &&EmptyComposer<'_>| letters(&place.prompt()) > 2;
    let mut plain: Vec<EmptyComposer<'a>> = all.iter().filter(|place| !worded(place)).copied().collect();
    if plain.len() * 2 <= all.len() {
        plain = all.to_vec();
    }
    let mut found = vec![all.to_vec()];
    if plain.len() < all.len() {
        found.push(plain.clone());
    }
    let mut widths: Vec<u16> = plain.iter().map(|place| place.size.0).collect();
    order::sort(&mut widths);
    widths.dedup();
    for width in widths.into_iter().skip(1) {
        found.push(plain.iter().filter(|place| place.size.0 >= width).copied().collect());
    }
    found
}

/// The rows that may close the composer: the lines that all composers show there, or else a blank row or none. Each
/// comes with the number of rows at that end of the composer that are not text.
pub(super) fn closers(idle: &[EmptyComposer<'_>], above: bool) -> Vec<(Option<String>, usize)> {
    let found: Option<Vec<(String, usize)>> = idle.iter().map(|place| closer(place, above)).collect();
    match found {
        Some(found) => {
            let (mut lines, mut footers) = (Vec::new(), Vec::new());
            for (line, rows) in found {
                add(&mut lines, line);
                add(&mut footers, rows);
            }
            let line = format!("^\\s*({})", lines.join("|"));
            // A placeholder that is broken into rows looks like a footer.
            footers.into_iter().map(|rows| (Some(line.clone()), rows)).collect()
        }
        None if above => vec![(None, 0), (Some("^\\s*$".to_owned()), 0)],
        None => vec![(None, 0)],
    }
}

/// The line nearest to the cursor, and how many rows beside it are not text.
fn closer(place: &EmptyComposer<'_>, above: bool) -> Option<(String, usize)> {
    let rows: Vec<&Row> = if above {
        place.rows[..place.row].iter().rev().take(3).collect()
    } else {
        place.rows[place.row + 1..].iter().take(5).collect()
    };
    let (at, found) = rows.iter().enumerate().find_map(|(at, row)| Some((at, line(row)?)))?;
    // The text in the last row, beside the border.
    let last = rows.get(at.checked_sub(1).unwrap_or(usize::MAX)).map_or("", |row| row.text.as_str());
    Some((found, usize::from(!above && last.chars().any(char::is_alphanumeric))))
}

/// A pattern for a row that begins with a line. If a pane became narrower, its line is broken in two, and the second
/// part may be short.
fn line(row: &Row) -> Option<String> {
    let body = row.text.trim();
    let corner: String = body.chars().take(1).filter(|c| "╭╰┌└╹╻".contains(*c)).collect();
    let body = &body[corner.len()..];
    let c = body.chars().next().filter(|c| LINES.contains(*c))?;
    let run = body.chars().take_while(|next| *next == c).count();
    let whole = run == body.chars().count();
    match run {
        10.. => Some(format!("{corner}{c}{{10,}}")),
        2.. if whole && corner.is_empty() && c != '_' => Some(format!("{c}{{2,}}$")),
        _ => None,
    }
}

/// The beginnings of further rows of a text: as drafts of several rows show them, or else blanks in place of the
/// prompt.
pub(super) fn continuation(all: &[Recording], prompts: &[String], drawn: CursorForm) -> String {
    let width = prompts.iter().map(|p| p.chars().count()).max().unwrap_or_default();
    let begin = |row: &Row| -> String {
        let mut text: String = row.cells.iter().take(width).map(|c| c.ch).collect();
        text.extend((text.chars().count()..width).map(|_| ' '));
        text
    };
    let mut found = Vec::new();
    for recording in all.iter().filter(|r| r.state == Status::Draft) {
        let rows = recording.screen.rows();
        let Some((at, _)) = drawn.find(recording).filter(|(at, _)| *at < rows.len()) else { continue };
        let first = (at.saturating_sub(40)..=at).rev().find(|i| prompts.contains(&begin(&rows[*i])));
        for row in &rows[first.unwrap_or(at) + 1..=at] {
            add(&mut found, begin(row));
        }
    }
    if found.is_empty() {
        let blank = |c: char| if "│┃|".contains(c) { c } else { ' ' };
        found = prompts.iter().map(|p| p.chars().map(blank).collect()).collect();
    }
    one_of(&found)
}

/// The colours in which drafts are written.
pub(super) fn written(all: &[Recording], drawn: CursorForm) -> Vec<Colour> {
    let mut found = Vec::new();
    for recording in all.iter().filter(|r| r.state == Status::Draft) {
        let row = drawn.find(recording).and_then(|(row, _)| recording.screen.rows().get(row));
        for cell in row.into_iter().flat_map(|row| &row.cells).filter(|c| c.ch.is_alphanumeric()) {
            add(&mut found, cell.colour);
        }
    }
    found
}
