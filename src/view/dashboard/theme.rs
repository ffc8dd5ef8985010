//! The look of states: a sign and a style for each.
//!
//! The colours are the terminal's own sixteen, so they follow the terminal's theme, and a state is never shown by its
//! colour alone. The selected row is one bar, without colours within it.

use super::snapshot::{AgentRow, MailState, Need};
use crate::core::agent::Status;
use crate::core::delivery::Stage;
use crate::view::text::{fit, width};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

pub(super) const PLAIN: Style = Style::new();
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// The things that have a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Needs,
    Busy,
    Idle,
    Other,
    Mail,
    Held,
    Overdue,
    Dead,
    Under,
    Done,
}

impl Mark {
    /// The sign of an agent.
    pub(super) fn of(agent: &AgentRow) -> Self {
        match (agent.need, agent.status) {
            (Need::Dialog | Need::Asks, _) => Mark::Needs,
            (Need::Overdue, _) => Mark::Overdue,
            (_, Status::Busy) => Mark::Busy,
            (_, Status::Idle) => Mark::Idle,
            _ => Mark::Other,
        }
    }

    /// The sign of a message.
    pub(super) fn mail(state: MailState) -> Self {
        match state {
            MailState::Unread => Mark::Mail,
            MailState::At(Stage::Held) => Mark::Held,
            MailState::Overdue => Mark::Overdue,
            MailState::At(Stage::Failed) => Mark::Dead,
            MailState::At(Stage::Submitted | Stage::Read | Stage::Acked) | MailState::ReadNoAck => Mark::Done,
            MailState::At(_) | MailState::Ack => Mark::Under,
        }
    }

    /// The sign, and its ASCII form. Things that the status line counts have the same signs there.
    fn signs(self) -> (&'static str, &'static str) {
        match self {
            Mark::Needs => ("▲", "!"),
            Mark::Busy => ("▶", "*"),
            Mark::Idle => ("●", "."),
            Mark::Other => ("○", "?"),
            Mark::Mail => ("✉", "m"),
            Mark::Held => ("◷", "h"),
            Mark::Overdue => ("✗", "o"),
            Mark::Dead => ("⊘", "x"),
            Mark::Under => ("→", ">"),
            Mark::Done => (" ", " "),
        }
    }
}

/// Whether to use colours, and signs beyond ASCII.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Theme {
    pub(super) colour: bool,
    pub(super) ascii: bool,
}

impl Theme {
    fn fg(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    pub(super) fn style(self, mark: Mark) -> Style {
        match mark {
            Mark::Needs => self.fg(Color::Red).add_modifier(Modifier::BOLD),
            Mark::Busy | Mark::Under => self.fg(Color::Yellow),
            Mark::Idle => self.fg(Color::Green),
            Mark::Other | Mark::Done => DIM,
            Mark::Mail => self.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            Mark::Held | Mark::Overdue => self.fg(Color::Magenta),
            Mark::Dead => self.fg(Color::Red),
        }
    }

    pub(super) fn sign(self, mark: Mark) -> &'static str {
        let (sign, plain) = mark.signs();
        if self.ascii { plain } else { sign }
    }

    pub(super) fn mark(self, mark: Mark) -> Span<'static> {
        Span::styled(self.sign(mark), self.style(mark))
    }

    /// What went wrong.
    pub(super) fn bad(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// A match of the search within a line.
    pub(super) fn hit(self) -> Style {
        let style = Style::new().add_modifier(Modifier::UNDERLINED).add_modifier(Modifier::BOLD);
        if self.colour { style.fg(Color::Yellow) } else { style }
    }

    /// The colour of a speaker: always the same for a name.
    pub(super) fn speaker(self, name: &str) -> Style {
        const COLOURS: [Color; 5] = [Color::Blue, Color::Magenta, Color::Green, Color::Yellow, Color::Cyan];
        let sum: usize = name.bytes().map(usize::from).sum();
        self.fg(COLOURS[sum % COLOURS.len()]).add_modifier(Modifier::BOLD)
    }
}

/// The name of somebody on the screen: the person is "you".
pub(super) fn called(name: &str) -> &str {
    if name == "human" { "you" } else { name }
}

/// A row of a list, of exactly so many columns: a bar if it is selected and its list has the keys, otherwise plain
/// text with a mark.
pub(super) fn row(spans: Vec<Span<'static>>, columns: usize, selected: bool) -> Line<'static> {
    let line = fit(spans, columns);
    if !selected {
        return line;
    }
    let mut text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let room = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', room));
    Line::styled(text, Style::new().add_modifier(Modifier::REVERSED))
}

/// A line with the matches of the search highlighted.
pub(super) fn with_hits(line: Line<'static>, words: &[String], theme: Theme) -> Line<'static> {
    if words.is_empty() {
        return line;
    }
    let mut spans = Vec::new();
    for span in line.spans {
        let (mut rest, style) = (span.content.as_ref(), span.style);
        while let Some((from, to)) = first_hit(rest, words) {
            spans.push(Span::styled(rest[..from].to_owned(), style));
            spans.push(Span::styled(rest[from..to].to_owned(), style.patch(theme.hit())));
            rest = &rest[to..];
        }
        spans.push(Span::styled(rest.to_owned(), style));
    }
    Line::from(spans).style(line.style)
}

/// The place of the first of these lower-case words in a text of any case.
fn first_hit(text: &str, words: &[String]) -> Option<(usize, usize)> {
    let ends = |from: usize, word: &String| {
        let mut wanted = word.chars();
        let mut next = wanted.next();
        for (at, c) in text[from..].char_indices() {
            for small in c.to_lowercase() {
                if next != Some(small) {
                    return (next.is_none()).then_some(from + at);
                }
                next = wanted.next();
            }
        }
        next.is_none().then_some(text.len())
    };
    let places = text.char_indices().map(|(at, _)| at);
    places.into_iter().find_map(|from| words.iter().find_map(|word| ends(from, word)).map(|to| (from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_marked_whatever_its_case() {
        let words = ["port".to_owned(), "straße".to_owned()];
        assert_eq!(first_hit("which PORT?", &words), Some((6, 10)));
        assert_eq!(first_hit("ends in port", &words), Some((8, 12)));
        assert_eq!(first_hit("Die STRAßE.", &words), Some((4, 11)));
        assert_eq!(first_hit("por", &words), None);
        let line = with_hits(Line::raw("a port, a port"), &words, Theme::default());
        let texts: Vec<&str> = line.spans.iter().map(|s| s.content.as_ref()).collect();
        assert_eq!(texts, ["a ", "port", ", a ", "port", ""]);
    }

    #[test]
    fn the_selected_row_is_one_bar_of_the_whole_width() {
        let spans = vec![Span::styled("ab", STRONG), Span::raw("cd")];
        let line = row(spans, 8, true);
        assert_eq!((line.spans.len(), line.width()), (1, 8));
    }
}
