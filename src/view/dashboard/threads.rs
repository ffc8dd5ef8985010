//! The panel of threads: who talks with whom. Beside it: the conversation, one bubble per message.

use super::snapshot::{MailState, MessageRow, NOTICES, ThreadRow};
use super::theme::{self, DIM, Mark, PLAIN, STRONG, Theme, called};
use crate::core::delivery::Stage;
use crate::core::message::addressees;
use crate::core::order;
use crate::core::span::age;
use crate::view::text::cut;
use crate::view::wrap;
use ratatui::text::{Line, Span};
use std::collections::BTreeSet;
use std::rc::Rc;

/// How many messages before and after the selected one are laid out.
const AROUND: usize = 60;

/// The participants: who wrote first, and then the others; `⇄` if more than one wrote.
fn people(thread: &ThreadRow) -> String {
    if thread.id == NOTICES {
        return "swarm's own notices".to_owned();
    }
    let first = &thread.messages[0];
    let mut others: Vec<&str> = Vec::new();
    for message in &thread.messages {
        for name in std::iter::once(&message.from).chain(&message.to).map(String::as_str) {
            if name != first.from && !others.contains(&name) {
                others.push(name);
            }
        }
    }
    let both = thread.messages.iter().any(|message| message.from != first.from);
    let others = match &others[..] {
        [] => vec![called(&first.from)],
        [..] => others.iter().map(|name| called(name)).collect(),
    };
    format!("{} {} {}", called(&first.from), if both { "⇄" } else { "→" }, others.join(", "))
}

/// The most important message of a thread: the first unread one, or the last.
pub(super) fn chief(thread: &ThreadRow) -> &Rc<MessageRow> {
    let last = thread.messages.len() - 1;
    let unread = if thread.id == NOTICES { None } else { thread.messages.iter().position(|m| m.unread) };
    &thread.messages[unread.unwrap_or(last)]
}

/// The mark of a thread: that of its message with the least progress.
fn mark(thread: &ThreadRow) -> Mark {
    let has = |state| thread.messages.iter().any(|m| m.state == state);
    let states = [
        MailState::Unread,
        MailState::Overdue,
        MailState::At(Stage::Held),
        MailState::At(Stage::Failed),
        MailState::At(Stage::Queued),
        MailState::At(Stage::Offered),
    ];
    states.into_iter().find(|state| has(*state)).map_or(Mark::Done, Mark::mail)
}

/// A row of the panel, of one or two lines.
pub(super) fn row(thread: &ThreadRow, lines: u16, theme: Theme, now: u64) -> Vec<Vec<Span<'static>>> {
    let last = &thread.messages[thread.messages.len() - 1];
    let chief = chief(thread);
    let mark = mark(thread);
    let style = if thread.unread > 0 { STRONG } else { PLAIN };
    let mut head = vec![theme.mark(mark), Span::styled(format!(" {}", people(thread)), style)];
    if thread.messages.len() > 1 {
        head.push(Span::styled(format!(" {}", thread.messages.len()), DIM));
    }
    head.push(Span::styled(format!(" {}", age(last.at, now)), DIM));
    if chief.urgent {
        head.push(Span::styled(" urgent", theme.bad()));
    }
    let text = Span::styled(format!("  {}", chief.first), if thread.unread > 0 { PLAIN } else { DIM });
    if lines > 1 {
        return vec![head, vec![text]];
    }
    head.push(text);
    vec![head]
}

/// The title of the right side.
pub(super) fn title(thread: &ThreadRow) -> String {
    let count = thread.messages.len();
    if count == 1 { people(thread) } else { format!("{} · {count} messages", people(thread)) }
}

/// A conversation, laid out.
#[derive(Default)]
pub(super) struct Talk {
    pub(super) lines: Vec<Line<'static>>,
    /// The lines of the selected message.
    pub(super) selected: (usize, usize),
    /// The first line of each message that is laid out.
    pub(super) begins: Vec<(usize, String)>,
}

/// The messages around the selected one.
pub(super) fn talk(
    thread: &ThreadRow,
    selected: &str,
    keys: bool,
    theme: Theme,
    columns: u16,
    now: u64,
) -> Talk {
    let messages = &thread.messages;
    let at = messages.iter().position(|m| m.id == selected).unwrap_or(messages.len() - 1);
    let (first, end) = (at.saturating_sub(AROUND), (at + AROUND + 1).min(messages.len()));
    let answered: BTreeSet<&str> =
        order::collect(messages.iter().map(|m| m.answers.as_str()).filter(|id| !id.is_empty()));
    let mut talk = Talk::default();
    if first > 0 {
        talk.lines.push(Line::styled(format!("… {first} earlier messages"), DIM));
    }
    for (number, message) in messages[first..end].iter().enumerate() {
        let begin = talk.lines.len();
        talk.begins.push((begin, message.id.clone()));
        let quoted = messages.iter().find(|m| m.id == message.answers);
        let before = (number + first).checked_sub(1).map(|n| &messages[n].id);
        // The message directly above needs no quotation.
        let quoted = quoted.filter(|m| before != Some(&m.id));
        let is_answered = answered.contains(message.id.as_str());
        let chosen = (number + first == at).then_some(keys);
        bubble(&mut talk.lines, message, quoted, (is_answered, chosen), theme, columns, now);
        if number + first == at {
            talk.selected = (begin, talk.lines.len());
        }
        talk.lines.push(Line::default());
    }
    if end < messages.len() {
        talk.lines.push(Line::styled(format!("… {} later messages", messages.len() - end), DIM));
    }
    talk
}

/// One message: its author and state, then its text. The person's own messages are at the right.
#[inline(never)]
fn bubble(
    lines: &mut Vec<Line<'static>>,
    message: &MessageRow,
    quoted: Option<&Rc<MessageRow>>,
    (answered, chosen): (bool, Option<bool>),
    theme: Theme,
    columns: u16,
    now: u64,
) {
    let own = message.from == "human";
    let wide = usize::from(columns);
    let room = u16::try_from((wide.saturating_sub(4)).min((wide * 4 / 5).max(36))).unwrap_or(u16::MAX).max(4);
    let edge = match chosen {
        Some(true) => Span::styled("▌", STRONG),
        Some(false) => Span::styled("▌", theme.speaker(&message.from)),
        None => Span::styled("│", DIM),
    };
    let to: Vec<&str> = message.to.iter().map(|name| called(name)).collect();
    let to = addressees(&message.groups, &to);
    let mut facts = format!(" → {to} · {} · {}", message.kind, age(message.at, now));
    if !message.marks.is_empty() {
        facts.push_str(&format!(" · {}", message.marks));
    }
    let mut head = vec![
        Span::styled(called(&message.from).to_owned(), theme.speaker(&message.from)),
        Span::styled(facts, DIM),
        Span::styled(format!(" · {}", message.state.word()), theme.style(Mark::mail(message.state))),
    ];
    if answered {
        head.push(Span::styled(" · answered", theme.style(Mark::Idle)));
    }
    head.push(Span::styled(format!(" · {}", message.id), DIM));
    // The head of the selected message is one bar, like a selected row.
    let mut parts = vec![theme::row(head, usize::from(room), chosen == Some(true))];
    if !message.why.is_empty() {
        let failed = message.state == MailState::At(Stage::Failed);
        let why = format!("{}: {}", if failed { "not delivered" } else { "waits" }, message.why);
        parts
            .extend(wrap::rows(&why, room).into_iter().map(|row| Line::styled(row, theme.style(Mark::Held))));
    }
    if let Some(quoted) = quoted {
        let text = format!("↳ {}: {}", called(&quoted.from), quoted.first);
        parts.push(Line::styled(cut(&text, usize::from(room)), DIM));
    }
    parts.extend(wrap::rows(&message.body, room).into_iter().map(Line::raw));
    let widest = parts.iter().map(Line::width).max().unwrap_or_default();
    let indent = if own { wide.saturating_sub(widest + 2) } else { 0 };
    for part in parts {
        let mut spans = vec![Span::raw(" ".repeat(indent)), edge.clone(), Span::raw(" ")];
        let style = part.style;
        spans.extend(part.spans.into_iter().map(|span| Span::styled(span.content, style.patch(span.style))));
        lines.push(Line::from(spans));
    }
}
