//! A captured screen: `tmux capture-pane -p -e` as rows of styled characters.
//!
//! Only the data for the state rules is kept: each character, its display column, and its style. Untrusted input:
//! unknown escapes are skipped, nothing is executed, and tmux itself bounds the size.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use unicode_width::UnicodeWidthChar;

/// One character on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    pub ch: char,
    /// Its first display column, from 0.
    pub column: u16,
    /// SGR 2: a placeholder, a ghost suggestion, chrome.
    pub dim: bool,
    /// SGR 7: a drawn cursor or a selected choice.
    pub reverse: bool,
    /// SGR 1.
    pub bold: bool,
    /// SGR 4: some agents draw their cursor like this.
    pub underline: bool,
    /// The colour of the character itself.
    pub colour: Colour,
}

/// A colour on a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colour {
    /// The terminal's default.
    #[default]
    Usual,
    /// One of 256.
    Numbered(u8),
    Rgb(u8, u8, u8),
}

impl Colour {
    /// Reads a colour in tmux's form: `colour244` or `#6c7086`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix("colour") {
            return number.parse().ok().map(Colour::Numbered);
        }
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Colour::Rgb(part(0)?, part(2)?, part(4)?))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its characters, from left to right.
    pub cells: Vec<Cell>,
    /// Its text, without trailing blanks.
    pub text: String,
    /// Whether it has a background of its own from its beginning to its end.
    pub filled: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Default)]
struct Style {
    dim: bool,
    reverse: bool,
    bold: bool,
    filled: bool,
    underline: bool,
    colour: Colour,
}

impl Screen {
    /// Parses captured text. Styles continue on the next line, as tmux writes them.
    pub fn parse(ansi: &str) -> Self {
        let mut style = Style::default();
        let body = ansi.strip_suffix('\n').unwrap_or(ansi);
        Self { rows: body.split('\n').map(|line| parse_row(line, &mut style)).collect() }
    }

    /// The rows, from top to bottom.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Its rows with text, from top to bottom, except those whose first sign is animated: they change by themselves.
    pub fn still_rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        let turns = |row: &Row| row.text.trim_start().starts_with(|c| matches!(c, '\u{2800}'..='\u{28ff}'));
        self.rows.iter().filter(move |row| !row.text.is_empty() && !turns(row))
    }

    /// A number that is the same for two screens only if their still rows have the same text and style. A bullet at
    /// the left margin does not count, unless a choice follows it: agents show and hide bullets.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for row in self.still_rows() {
            let cells = match &row.cells[..] {
                [first, rest @ ..] if is_bullet(first.ch) && !is_choice(&row.text) => rest,
                all => all,
            };
            (cells, 0u8).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// How often `needle` stands on the screen, ignoring white space and frame characters, so that wrapped or framed
    /// text is found.
    pub fn count_ignoring_space(&self, needle: &str) -> usize {
        let all: String = self.rows.iter().flat_map(|r| r.text.chars()).filter(|c| is_ink(*c)).collect();
        let wanted: String = needle.chars().filter(|c| is_ink(*c)).collect();
        all.matches(&wanted).count()
    }
}

impl Row {
    /// Whether every visible character from `column` on is dim.
    pub fn is_dim_from(&self, column: u16) -> bool {
        self.cells.iter().filter(|c| c.column >= column && !c.ch.is_whitespace()).all(|c| c.dim)
    }

    /// The column of a cursor that is drawn as one reversed cell, if nothing else is reversed.
    pub fn drawn_cursor(&self) -> Option<u16> {
        let mut reversed = self.cells.iter().filter(|c| c.reverse && c.ch.width() != Some(0));
        let cursor = reversed.next()?;
        reversed.next().is_none().then_some(cursor.column)
    }

    /// The column of a drawn cursor: one reversed cell, or this character.
    pub fn cursor_drawn_as(&self, glyph: Option<char>) -> Option<u16> {
        let glyph = || self.cells.iter().find(|c| Some(c.ch) == glyph).map(|c| c.column);
        self.drawn_cursor().or_else(glyph)
    }

    /// The text from a display column on, without trailing blanks.
    pub fn from_column(&self, column: u16) -> String {
        let text: String = self.cells.iter().filter(|c| c.column >= column).map(|c| c.ch).collect();
        text.trim_end().to_owned()
    }
}

/// Whether agents put this before a part of an answer, or the blank in its place while it is hidden.
fn is_bullet(c: char) -> bool {
    matches!(c, ' ' | '●' | '○' | '⏺' | '•' | '✦' | '■' | '✶' | '✻' | '✽' | '✢' | '·' | '✳' | '∗' | '*')
}

/// Whether a row is a numbered choice, after any mark of the selected one.
fn is_choice(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    text.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['.', ')'])
        && text.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a character is neither blank nor part of a frame.
fn is_ink(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '┃' | '│' | '\u{2500}'..='\u{257f}' | '▀' | '▄' | '█')
}

fn parse_row(line: &str, style: &mut Style) -> Row {
    let mut cells = Vec::new();
    let mut filled = true;
    let mut column = 0u16;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            match chars.next() {
                Some('[') => {
                    let mut parameters = String::new();
                    for c in chars.by_ref() {
                        if ('\u{40}'..='\u{7e}').contains(&c) {
                            if c == 'm' {
                                apply(&parameters, style);
                            }
                            break;
                        }
                        parameters.push(c);
                    }
                }
                // OSC: up to BEL or ST.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                // Character set selection has one more character.
                Some('(' | ')') => drop(chars.next()),
                _ => {}
            }
            continue;
        }
        let Some(width) = c.width() else { continue };
        filled &= style.filled;
        let Style { dim, reverse, bold, underline, colour, .. } = *style;
        cells.push(Cell { ch: c, column, dim, reverse, bold, underline, colour });
        column = column.saturating_add(u16::try_from(width).unwrap_or(1));
    }
    let text: String = cells.iter().map(|c| c.ch).collect();
    Row { cells, text: text.trim_end().to_owned(), filled: filled && style.filled }
}

fn apply(parameters: &str, style: &mut Style) {
    let mut codes = parameters.split(';');
    while let Some(code) = codes.next() {
        match code {
            "" | "0" => *style = Style::default(),
            "1" => style.bold = true,
            "2" => style.dim = true,
            "4" => style.underline = true,
            "7" => style.reverse = true,
            "22" => (style.bold, style.dim) = (false, false),
            "24" => style.underline = false,
            "27" => style.reverse = false,
            "39" => style.colour = Colour::Usual,
            "49" => style.filled = false,
            // Extended colours have numbers of their own, which are not codes.
            "38" | "48" | "58" => {
                style.filled |= code == "48";
                let mut number = || codes.next().and_then(|n| n.parse().ok()).unwrap_or_default();
                let colour = match number() {
                    5 => Colour::Numbered(number()),
                    2 => Colour::Rgb(number(), number(), number()),
                    _ => Colour::Usual,
                };
                if code == "38" {
                    style.colour = colour;
                }
            }
            _ => {
                style.filled |= is_background(code);
                style.colour = sixteen(code).unwrap_or(style.colour);
            }
        }
    }
}

/// A code's colour, if it is one of the sixteen with a code each.
fn sixteen(code: &str) -> Option<Colour> {
    match code.parse().ok()? {
        code @ 30..=37 => Some(Colour::Numbered(code - 30)),
        code @ 90..=97 => Some(Colour::Numbered(code - 82)),
        _ => None,
    }
}

/// Whether a code sets one of the sixteen backgrounds, or another one with its numbers after colons.
fn is_background(code: &str) -> bool {
    let plain = code.len() == 2 && code.starts_with('4') && matches!(code.as_bytes()[1], b'0'..=b'7');
    let bright = code.len() == 3 && code.starts_with("10") && matches!(code.as_bytes()[2], b'0'..=b'7');
    plain || bright || code.starts_with("48:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_read_and_colours_are_not_mistaken_for_them() {
        let screen =
            Screen::parse("\x1b[38;5;2mgreen\x1b[39m \x1b[2mdim\x1b[0m \x1b[48;2;7;2;1mx\x1b[38:2::1:2:3my");
        let dim: String = screen.rows()[0].cells.iter().filter(|c| c.dim).map(|c| c.ch).collect();
        assert_eq!(dim, "dim");
        assert!(screen.rows()[0].cells.iter().all(|c| !c.reverse));
    }

    #[test]
    fn wrapped_and_framed_text_is_found() {
        let screen = Screen::parse("┃ [swarm k3f9\n┃ a2xy INFO");
        assert_eq!(screen.count_ignoring_space("[swarm k3f9a2xy "), 1);
        assert_eq!(Screen::parse("[swarm k3\nab [swarm k3").count_ignoring_space("[swarm k3"), 2);
    }

    #[test]
    fn screens_are_the_same_only_in_words_and_looks_but_for_what_turns() {
        let of = |text: &str| Screen::parse(text).fingerprint();
        let asked = of("⠏ Thinking\n\nrm x?\n \x1b[7mYes\x1b[0m No");
        assert_eq!(asked, of("⠋ Thinking…\n\nrm x?\n\n \x1b[7mYes\x1b[0m No"));
        for other in [
            "rm y?\n \x1b[7mYes\x1b[0m No",
            "rm x?\n Yes \x1b[7mNo",
            "rm x? \x1b[7mYes\x1b[0m No",
            "rm x?\n  \x1b[7mYes\x1b[0m No",
        ] {
            assert_ne!(asked, of(other), "{other:?}");
        }
        // A bullet that appears or disappears is no change; the mark of the selected choice is one.
        assert_eq!(of("\x1b[90m●\x1b[0m Running it\n❯ 1. Yes"), of("  Running it\n❯ 1. Yes"));
        assert_ne!(of("● 1. Yes\n  2. No"), of("  1. Yes\n● 2. No"));
        assert_ne!(of("● Running it"), of("● Running it x"));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let columns: Vec<u16> = Screen::parse("日a").rows()[0].cells.iter().map(|c| c.column).collect();
        assert_eq!(columns, [0, 2]);
    }

    #[test]
    fn broken_escapes_do_no_harm() {
        for text in ["\x1b", "\x1b[", "\x1b[38;5", "\x1b]0;title", "\x1b(", "\x1b[999999999999m"] {
            let _ = Screen::parse(text);
        }
    }

    /// The characters that are dim, reversed and bold.
    fn styled(text: &str) -> [String; 3] {
        let screen = Screen::parse(text);
        let of = |is: fn(&Cell) -> bool| {
            screen.rows().iter().flat_map(|r| &r.cells).filter(|c| is(c)).map(|c| c.ch).collect()
        };
        [of(|c| c.dim), of(|c| c.reverse), of(|c| c.bold)]
    }

    #[test]
    fn each_style_begins_and_ends_with_its_codes() {
        for (text, dim, reverse, bold) in [
            ("\x1b[1;2;7ma\x1b[0mb", "a", "a", "a"),
            ("\x1b[1;2;7ma\x1b[mb", "a", "a", "a"),
            ("\x1b[1;2;7ma\x1b[22mb\x1b[27mc", "a", "ab", "a"),
            ("\x1b[2ma\nb\x1b[0m\nc", "ab", "", ""),
            // The numbers of colours are not codes, but the text after them is checked for codes.
            ("\x1b[38;5;7;1ma", "", "", "a"),
            ("\x1b[48;2;2;7;1;7ma", "", "a", ""),
            ("\x1b[58;2;2;2;2ma\x1b[31;42mb", "", "", ""),
            ("\x1b[38;9;2ma", "a", "", ""),
            // Other sequences set no style.
            ("\x1b[2Ka\x1b[1;7Hb", "", "", ""),
        ] {
            assert_eq!(styled(text), [dim, reverse, bold], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_text_takes_no_column() {
        for (text, shown) in [
            ("\x1b[38;5;2ma\x1b[Kb", "ab"),
            ("\x1b]0;title\x07a", "a"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\.", "link."),
            // An escape that does not end it belongs to it.
            ("\x1b]0;a\x1b[b\x07c", "c"),
            ("\x1b]0;a\\b\x07c", "c"),
            ("\x1b(Ba\x1b)0b", "ab"),
            ("a\x1b=b", "ab"),
            ("a\x08b", "ab"),
            ("ab  ", "ab"),
        ] {
            let screen = Screen::parse(text);
            assert_eq!(screen.rows()[0].text, shown, "{text:?}");
            let columns = screen.rows()[0].cells.iter().map(|c| c.column);
            assert!(columns.eq(0..u16::try_from(screen.rows()[0].cells.len()).unwrap()), "{text:?}");
        }
        let rows: Vec<String> = Screen::parse("a\n\nb\n").rows().iter().map(|r| r.text.clone()).collect();
        assert_eq!(rows, ["a", "", "b"]);
    }

    #[test]
    fn a_row_is_looked_at_from_a_column_on() {
        let screen = Screen::parse("> ab\x1b[2m ghost\x1b[0m \x1b[7m \x1b[0m  ");
        let row = &screen.rows()[0];
        for (column, text, dim) in [
            (0, "> ab ghost", false),
            (3, "b ghost", false),
            (4, " ghost", true),
            (5, "ghost", true),
            (40, "", true),
        ] {
            assert_eq!((&*row.from_column(column), row.is_dim_from(column)), (text, dim), "{column}");
        }
    }

    #[test]
    fn a_cursor_is_drawn_as_one_reversed_cell() {
        for (row, column) in [
            ("> \x1b[7m \x1b[0m text", Some(2)),
            ("> a\x1b[7mb\x1b[0mc", Some(3)),
            // A character without width is ignored.
            ("> a\x1b[7m \u{200b}\x1b[0m", Some(3)),
            ("> \x1b[7mab\x1b[0m", None),
            ("\x1b[7ma\x1b[0m \x1b[7mb\x1b[0m", None),
            ("> a", None),
        ] {
            assert_eq!(Screen::parse(row).rows()[0].drawn_cursor(), column, "{row:?}");
        }
    }

    #[test]
    fn the_colour_of_a_character_is_read_and_a_background_is_none() {
        for (text, colour) in [
            ("a", Colour::Usual),
            ("\x1b[38;2;108;112;134ma", Colour::Rgb(108, 112, 134)),
            ("\x1b[38;5;244ma", Colour::Numbered(244)),
            ("\x1b[33ma", Colour::Numbered(3)),
            ("\x1b[90ma", Colour::Numbered(8)),
            ("\x1b[90;48;5;3;44;103ma", Colour::Numbered(8)),
            ("\x1b[90m\x1b[39ma", Colour::Usual),
            ("\x1b[90m\x1b[0ma", Colour::Usual),
        ] {
            assert_eq!(Screen::parse(text).rows()[0].cells[0].colour, colour, "{text:?}");
        }
        assert_eq!(Colour::parse("#6c7086"), Some(Colour::Rgb(108, 112, 134)));
        assert_eq!(Colour::parse("colour244"), Some(Colour::Numbered(244)));
        for text in ["", "grey", "#6c708", "#6c708g", "colour256", "colour", "#ééé"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
        let cells = Screen::parse("\x1b[4ma\x1b[24mb").rows()[0].cells.clone();
        assert!(cells[0].underline && !cells[1].underline);
    }

    #[test]
    fn a_row_is_filled_if_all_of_it_has_a_background() {
        for (text, filled) in [
            ("a", [false, false]),
            ("\x1b[48;5;240m\nb", [true, true]),
            ("\x1b[44ma\x1b[49m\nb", [false, false]),
            ("\x1b[48;2;1;2;49ma\n\x1b[0mb", [true, false]),
            ("a\x1b[48;2;1;2;49mb\n\x1b[0mb", [false, false]),
            ("\x1b[107ma\n\x1b[49mb", [true, false]),
            ("\x1b[48:5:3ma\n\x1b[mb", [true, false]),
            ("\x1b[38;5;44ma\n\x1b[4mb", [false, false]),
            // The default background, by a code that only looks like a number of a background.
            ("\x1b[7;49ma\n\x1b[47;49mb", [false, false]),
        ] {
            let rows: Vec<bool> =
                Screen::parse(&format!("{text}\n")).rows().iter().map(|r| r.filled).collect();
            assert_eq!(&rows[..], &filled[..rows.len()], "{text:?}");
        }
    }

    #[test]
    fn only_blanks_and_frames_do_not_count_when_text_is_looked_for() {
        let screen = Screen::parse("╭────╮\n│ ab │\n█ cd ▀");
        for (needle, found) in
            [("abcd", true), ("a b\tc│d", true), ("ad", false), ("abcde", false), ("", true)]
        {
            assert_eq!(screen.count_ignoring_space(needle) > 0, found, "{needle}");
        }
    }
}
