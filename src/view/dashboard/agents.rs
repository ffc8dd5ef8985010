//! The panel of agents. Beside it: why the selected agent needs a person, the mail that waits for it, and its pane as
//! it is now.

use super::snapshot::{AgentRow, GroupRow, MailState, Need, Snapshot};
use super::theme::{DIM, Mark, PLAIN, Theme};
use super::watch::Seen;
use crate::core::agent::Status;
use crate::core::delivery::Stage;
use crate::core::plural::plural;
use crate::core::span::age;
use crate::view::text::{fit, pad, width};
use crate::view::wrap;
use ratatui::text::{Line, Span};

/// The most waiting messages that are listed.
pub(super) const WAITING: usize = 5;

/// The state of an agent in a word, and since when.
fn state(agent: &AgentRow) -> (&'static str, u64) {
    match agent.need {
        Need::Asks => ("asks you", agent.asks.first().map_or(agent.since, |m| m.at)),
        _ => (agent.status.word(), agent.since),
    }
}

/// The news about an agent in its row: its question, or why its mail waits.
fn news(agent: &AgentRow) -> String {
    match agent.need {
        Need::Asks => agent.asks.first().map(|m| m.first.clone()).unwrap_or_default(),
        Need::Overdue => "has not acknowledged what it was reminded of".to_owned(),
        _ => agent.why.clone(),
    }
}

/// A row of the panel; `names` is the width of the longest name.
pub(super) fn row(agent: &AgentRow, names: usize, theme: Theme, now: u64) -> Vec<Span<'static>> {
    let (word, since) = state(agent);
    let style = theme.style(Mark::of(agent));
    let mut spans = vec![
        theme.mark(Mark::of(agent)),
        Span::raw(format!(" {} ", pad(&agent.name, names))),
        Span::styled(format!("{word:<8} "), style),
        // For an agent of another host, only its silence has an age.
        Span::raw(format!(
            "{:>3} ",
            if agent.away && agent.why.is_empty() { String::new() } else { age(since, now) }
        )),
    ];
    let news = news(agent);
    // An envelope is mail for the person, as everywhere.
    let waits = if agent.why.is_empty() { Mark::Under } else { Mark::Held };
    for (mark, count) in [(Mark::Mail, agent.unread), (waits, agent.waits)] {
        if count > 0 {
            spans.push(Span::styled(format!(" {}{count}", theme.sign(mark)), theme.style(mark)));
        }
    }
    if agent.leases > 0 && news.is_empty() {
        spans.push(Span::styled(format!(" {}", plural(agent.leases, "lease")), DIM));
    }
    if !news.is_empty() {
        let style = if agent.need == Need::Asks { PLAIN } else { theme.style(Mark::Held) };
        spans.push(Span::styled(format!(" {news}"), style));
    }
    spans
}

/// The title of the right side.
pub(super) fn title(agent: &AgentRow, groups: &[GroupRow], seen: Option<&Seen>, now: u64) -> String {
    let mut parts = vec![agent.name.clone(), agent.kind.clone()];
    parts.extend(seen.map(|seen| seen.place.clone()).filter(|place| !place.is_empty()));
    parts.push(if agent.away {
        agent.status.word().to_owned()
    } else {
        format!("{} {}", agent.status.word(), age(agent.since, now))
    });
    if agent.leases > 0 {
        parts.push(plural(agent.leases, "lease"));
    }
    parts.extend(groups.iter().filter(|g| g.members.contains(&agent.name)).map(|g| g.name.clone()));
    parts.join(" · ")
}

/// The right side in so many columns: first the news, then the pane.
#[inline(never)]
pub(super) fn detail(
    agent: &AgentRow,
    shown: &Snapshot,
    seen: Option<&Seen>,
    theme: Theme,
    columns: u16,
    now: u64,
) -> (Vec<Line<'static>>, Vec<Line<'static>>) {
    let mut lines = Vec::new();
    let wide = usize::from(columns);
    let mut say = |mark: Mark, text: &str, most: usize| {
        let rows = wrap::rows(text, columns.saturating_sub(2));
        for (number, row) in rows.into_iter().take(most).enumerate() {
            let head = if number == 0 { theme.mark(mark) } else { Span::raw(" ") };
            lines.push(fit(vec![head, Span::raw(" "), Span::raw(row)], wide));
        }
    };
    if agent.away {
        let host = agent.name.split('/').next().unwrap_or_default();
        let heard = if agent.why.is_empty() {
            "on another host: its pane is there".to_owned()
        } else {
            format!(
                "unreachable, which is not gone: last heard {}",
                if agent.since == 0 { "never".to_owned() } else { format!("{} ago", age(agent.since, now)) }
            )
        };
        say(Mark::Other, &format!("{host} is {heard}"), 2);
    } else if agent.status == Status::Dialog {
        say(Mark::Needs, "a dialog is open: it waits for you (Enter goes there, A answers)", 2);
    }
    for asked in agent.asks.iter().take(3) {
        let text = format!("{} {}: {}", asked.kind, age(asked.at, now), asked.first);
        say(Mark::Mail, &text, 3);
    }
    if agent.asks.len() > 3 {
        say(Mark::Mail, &format!("and {} more (2 shows the threads)", agent.asks.len() - 3), 1);
    }
    let waiting: Vec<_> = shown.waiting.iter().filter(|w| w.to == agent.name).collect();
    for mail in waiting.iter().take(WAITING) {
        let why = if mail.what == MailState::At(Stage::Held) { "held" } else { mail.what.word() };
        let text = format!(
            "{} from {} {why} {}: {}  {}",
            mail.id,
            mail.from,
            age(mail.since, now),
            mail.why,
            mail.first
        );
        say(Mark::mail(mail.what), &text, 2);
    }
    if waiting.len() > WAITING {
        say(Mark::Under, &format!("and {} more wait", waiting.len() - WAITING), 1);
    }
    let held = shown.leases.iter().filter(|l| l.holder == agent.name);
    for lease in held {
        let verb = if lease.waits { "waits for" } else { "holds" };
        say(Mark::Other, &format!("{verb} {} ({})", lease.paths.join(", "), lease.state), 2);
    }
    if agent.away {
        return (lines, Vec::new());
    }
    let Some(seen) = seen else { return (lines, vec![Line::styled("…", DIM)]) };
    for told in [&seen.evidence, &seen.channel, &seen.hooks].into_iter().filter(|told| !told.is_empty()) {
        lines.extend(wrap::rows(told, columns).into_iter().take(3).map(|row| Line::styled(row, DIM)));
    }
    let pane = seen.lines.iter().map(|line| fit(line.spans.clone(), wide)).collect();
    (lines, pane)
}

/// Why a message to it would wait now; empty if it would not.
pub(super) fn hindrance(agent: &AgentRow) -> String {
    let why = match agent.status {
        _ if agent.away && !agent.why.is_empty() => &agent.why,
        Status::Dialog => "a dialog is open there",
        Status::Draft => "its composer holds a draft",
        Status::Overlay => "something covers its composer",
        Status::Limit => "it is at its usage limit",
        Status::Unknown => "its state is not known",
        Status::Busy | Status::Idle if agent.why.is_empty() => return String::new(),
        Status::Busy | Status::Idle => &agent.why,
    };
    format!("it would wait: {why}")
}

/// The width of the longest name, within reason.
pub(super) fn names(shown: &Snapshot, columns: usize) -> usize {
    let longest = shown.agents.iter().map(|agent| width(&agent.name)).max().unwrap_or_default();
    longest.min((columns / 3).max(8))
}
