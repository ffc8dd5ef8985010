//! A captured pane as styled lines.
//!
//! Pure. The text of a pane is untrusted: of its escapes only colours and styles are used, and its text is made safe
//! like any other.

use crate::view::text::tidy;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// The lines of a capture with escapes, without trailing empty ones. A style continues on the next line.
pub(super) fn lines(captured: &str, colour: bool) -> Vec<Line<'static>> {
    let mut style = Style::new();
    let body = captured.strip_suffix('\n').unwrap_or(captured);
    let mut lines: Vec<Line<'static>> = body.split('\n').map(|row| line(row, &mut style, colour)).collect();
    let last = lines.iter().rposition(|line| line.spans.iter().any(|span| !span.content.trim().is_empty()));
    lines.truncate(last.map_or(0, |last| last + 1));
    lines
}

fn line(row: &str, style: &mut Style, colour: bool) -> Line<'static> {
    let (mut spans, mut text) = (Vec::new(), String::new());
    let mut chars = row.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => {
                    let mut codes = String::new();
                    let end = chars.by_ref().find(|c| {
                        let ends = ('\u{40}'..='\u{7e}').contains(c);
                        if !ends {
                            codes.push(*c);
                        }
                        ends
                    });
                    if end == Some('m') {
                        if !text.is_empty() {
                            spans.push(Span::styled(tidy(&std::mem::take(&mut text)), *style));
                        }
                        apply(&codes, style, colour);
                    }
                }
                // The address of a link, up to its end.
                Some(']') => {
                    let mut before = ' ';
                    chars.by_ref().find(|c| {
                        let ends = *c == '\u{7}' || (before == '\u{1b}' && *c == '\\');
                        before = *c;
                        ends
                    });
                }
                Some('(' | ')') => {
                    chars.next();
                }
                _ => {}
            },
            // Shifts between character sets.
            '\u{e}' | '\u{f}' | '\r' => {}
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        spans.push(Span::styled(tidy(&text), *style));
    }
    Line::from(spans)
}

fn apply(codes: &str, style: &mut Style, colour: bool) {
    let mut codes = codes.split([';', ':']).map(|code| code.parse::<u8>().unwrap_or(0));
    while let Some(code) = codes.next() {
        let modifier = match code {
            1 | 22 => Modifier::BOLD,
            2 => Modifier::DIM,
            3 | 23 => Modifier::ITALIC,
            4 | 24 => Modifier::UNDERLINED,
            7 | 27 => Modifier::REVERSED,
            9 | 29 => Modifier::CROSSED_OUT,
            _ => Modifier::empty(),
        };
        *style = match code {
            0 => Style::new(),
            1..=9 => style.add_modifier(modifier),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23..=29 => style.remove_modifier(modifier),
            30..=37 if colour => style.fg(Color::Indexed(code - 30)),
            40..=47 if colour => style.bg(Color::Indexed(code - 40)),
            90..=97 if colour => style.fg(Color::Indexed(code - 90 + 8)),
            100..=107 if colour => style.bg(Color::Indexed(code - 100 + 8)),
            39 => Style { fg: None, ..*style },
            49 => Style { bg: None, ..*style },
            38 | 48 => {
                let found = match codes.next() {
                    Some(5) => codes.next().map(Color::Indexed),
                    Some(2) => match [codes.next(), codes.next(), codes.next()] {
                        [Some(r), Some(g), Some(b)] => Some(Color::Rgb(r, g, b)),
                        _ => None,
                    },
                    _ => None,
                };
                match found.filter(|_| colour) {
                    Some(found) if code == 38 => style.fg(found),
                    Some(found) => style.bg(found),
                    None => *style,
                }
            }
            _ => *style,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_and_nothing_else_gets_through() {
        let captured = "\u{1b}[1;31mred\u{1b}[0m \u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\ \u{1b}[38;5;208mo\u{1b}[48;2;1;2;3mb\n\u{202e}next\u{1b}[2J\u{1b}[H\u{9b}1m\u{1b}(0q\n   \n\n";
        let seen = lines(captured, true);
        let text = |line: &Line<'_>| line.spans.iter().map(|s| s.content.to_string()).collect::<String>();
        assert_eq!(seen.iter().map(text).collect::<Vec<_>>(), ["red link ob", "\\u{202e}next\\u{9b}1mq"]);
        assert_eq!(seen[0].spans[0].style, Style::new().fg(Color::Indexed(1)).add_modifier(Modifier::BOLD));
        // The style continues on the next line.
        assert_eq!(seen[1].spans[0].style, Style::new().fg(Color::Indexed(208)).bg(Color::Rgb(1, 2, 3)));
        assert!(
            lines(captured, false)
                .iter()
                .flat_map(|l| &l.spans)
                .all(|s| s.style.fg.is_none() && s.style.bg.is_none())
        );
    }
}
