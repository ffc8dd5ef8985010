//! Text in the cells of a terminal: its visible form, its width, and how it is cut.
//!
//! Pure. Widths and cuts are by grapheme, so that a letter keeps its marks. Characters that join or colour emoji are
//! left out, because terminals disagree about the width of those emoji. One that is drawn wider than expected moves
//! the rest of its row.

use crate::core::escape;
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

/// The width of a text in columns.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The graphemes of a text.
pub(super) fn graphemes(text: &str) -> impl Iterator<Item = &str> {
    text.graphemes(true)
}

/// Whether terminals disagree about the width of a grapheme with this character.
fn is_unsure(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

/// The letter of a regional indicator; two of these are a flag. tmux 3.3 puts each into a cell of its own, and the
/// terminal around it draws both as one: drawing over them later leaves half a flag.
fn letter_of_flag(c: char) -> Option<char> {
    let number = u32::from(c).checked_sub(0x1f1e6).filter(|number| *number < 26)?;
    char::from_u32(u32::from('A') + number)
}

/// A text about whose width all terminals agree: a flag becomes the letters of its country in brackets, and
/// characters that join or colour emoji are left out.
pub(super) fn steady(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    let mut chars = text.chars().filter(|c| !is_unsure(*c)).peekable();
    while let Some(c) = chars.next() {
        match letter_of_flag(c) {
            None => shown.push(c),
            Some(first) => {
                shown.push('[');
                shown.push(first);
                let second = chars.peek().copied().and_then(letter_of_flag);
                shown.extend(second);
                if second.is_some() {
                    chars.next();
                }
                shown.push(']');
            }
        }
    }
    shown
}

/// The visible form of an untrusted text: line feeds stay, and tabs become blanks.
pub(super) fn tidy(text: &str) -> String {
    steady(&escape::text(text).replace('\t', "    "))
}

/// [`tidy`], on one line.
pub(super) fn flat(text: &str) -> String {
    // The rest of a long text would not be visible.
    let words = text.split_whitespace().take(200);
    let mut flat = String::new();
    for word in words {
        if !flat.is_empty() {
            flat.push(' ');
        }
        flat.extend(word.chars().take(400));
        if flat.len() > 1200 {
            break;
        }
    }
    tidy(&flat)
}

/// A text within so many columns; `…` replaces the rest.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for part in graphemes(text) {
        used += width(part);
        if used >= columns {
            break;
        }
        cut.push_str(part);
    }
    if columns > 0 {
        cut.push('…');
    }
    cut
}

/// A text with exactly so many columns.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let mut text = cut(text, columns);
    let room = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', room));
    text
}

/// Parts of a line within so many columns; `…` replaces the rest.
pub(super) fn fit(spans: Vec<Span<'static>>, columns: usize) -> Line<'static> {
    let whole: usize = spans.iter().map(Span::width).sum();
    if whole <= columns {
        return Line::from(spans);
    }
    let (mut kept, mut used) = (Vec::new(), 0);
    for span in spans {
        let wide = span.width();
        if used + wide < columns {
            used += wide;
            kept.push(span);
            continue;
        }
        kept.push(Span::styled(cut(&format!("{}……", span.content), columns - used), span.style));
        break;
    }
    Line::from(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_graphemes_and_says_so() {
        assert_eq!(cut("parser", 6), "parser");
        assert_eq!(cut("parsers", 6), "parse…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!((cut("ab", 1).as_str(), cut("ab", 0).as_str()), ("…", ""));
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!(width(&pad("x", 300)), 300);
    }

    #[test]
    fn what_makes_widths_unsure_is_left_out_and_what_steers_is_escaped() {
        assert_eq!(tidy("👩\u{200d}💻 👍🏽 ❤\u{fe0f}\tx\u{1b}[2J"), "👩💻 👍 ❤    x\\u{1b}[2J");
        assert_eq!(flat("a\n\n b\tc"), "a b c");
        assert_eq!(tidy("🇩🇪🇫🇷 🇩 x🇬🇧"), "[DE][FR] [D] x[GB]");
        assert_eq!(tidy("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} won"), "🏴 won");
    }

    #[test]
    fn a_line_of_parts_is_cut_once_whatever_part_is_too_long() {
        let spans = |parts: &[&str]| parts.iter().map(|p| Span::raw((*p).to_owned())).collect::<Vec<_>>();
        let text = |line: Line<'_>| line.spans.iter().map(|s| s.content.to_string()).collect::<String>();
        assert_eq!(text(fit(spans(&["ab", "cd"]), 4)), "abcd");
        assert_eq!(text(fit(spans(&["ab", "cde"]), 4)), "abc…");
        assert_eq!(text(fit(spans(&["abcd", "e"]), 4)), "abc…");
    }
}
