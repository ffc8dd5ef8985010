//! The panel of leases, each with its waiters. Beside it: the reason, the queue and what happened to the path.

use super::snapshot::{LeaseNote, LeaseRow, Snapshot};
use super::theme::{DIM, Mark, STRONG, Theme, called};
use crate::core::escape;
use crate::core::lease::{Lease, PathPattern};
use crate::core::span::age;
use crate::view::wrap;
use ratatui::text::{Line, Span};

/// The most events of a path that are shown.
const HISTORY: usize = 100;

/// Paths in the form for a row: untrusted text, bounded.
pub(super) fn paths(paths: &[PathPattern]) -> Vec<String> {
    paths.iter().map(|path| escape::short(&path.to_string(), 200)).collect()
}

/// The reason of a lease in the form for a row; empty without one.
pub(super) fn reason(lease: &Lease) -> String {
    lease.reason.as_ref().map(|reason| escape::short(reason.as_str(), 200)).unwrap_or_default()
}

/// A row of the panel.
pub(super) fn row(lease: &LeaseRow, theme: Theme, now: u64) -> Vec<Span<'static>> {
    let paths = lease.paths.join(", ");
    if lease.waits {
        return vec![
            Span::styled(" └ ", DIM),
            Span::styled(format!("{} {}", called(&lease.holder), lease.state), theme.style(Mark::Under)),
            Span::raw(format!(" {}  {paths}", age(lease.since, now))),
        ];
    }
    let expired = !lease.state.ends_with("left");
    let style = if expired && !lease.away { theme.style(Mark::Held) } else { DIM };
    let mut spans = vec![
        Span::raw(format!("{paths}  ")),
        Span::styled(called(&lease.holder).to_owned(), STRONG),
        Span::styled(format!("  {}", lease.state), style),
    ];
    if !lease.reason.is_empty() {
        spans.push(Span::styled(format!("  {}", lease.reason), DIM));
    }
    spans
}

/// The right side.
#[inline(never)]
pub(super) fn detail(
    lease: &LeaseRow,
    shown: &Snapshot,
    theme: Theme,
    columns: u16,
    now: u64,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let verb = if lease.waits { "waits for it" } else { "holds it" };
    let status = shown.agents.iter().find(|agent| agent.name == lease.holder);
    let doing = status.map_or_else(String::new, |a| format!(", {} {}", a.status.word(), age(a.since, now)));
    lines.push(Line::from(vec![
        Span::styled(called(&lease.holder).to_owned(), STRONG),
        Span::raw(format!(" {verb} for {}{doing}", age(lease.since, now))),
    ]));
    let kind = if lease.waits { "ticket" } else { "lease" };
    lines.push(Line::styled(format!("{kind} {}, {}, {}", lease.number, lease.mode, lease.state), DIM));
    let mut say = |text: String| lines.extend(wrap::rows(&text, columns).into_iter().map(Line::raw));
    if !lease.reason.is_empty() {
        say(format!("reason: {}", lease.reason));
    }
    for path in &lease.paths {
        say(format!("  {path}"));
    }
    let shares = |paths: &[String]| paths.iter().any(|path| lease.paths.contains(path));
    let others: Vec<&LeaseRow> =
        shown.leases.iter().filter(|l| l.id != lease.id && shares(&l.paths)).collect();
    if !others.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled(if lease.waits { "Held, and waited for" } else { "Waited for" }, STRONG));
    }
    for other in others {
        let verb = if other.waits { "waits" } else { "holds" };
        lines.push(Line::from(vec![
            theme.mark(if other.waits { Mark::Under } else { Mark::Idle }),
            Span::raw(format!(" {} {verb} {} ({})", other.holder, age(other.since, now), other.state)),
        ]));
    }
    let past: Vec<&LeaseNote> =
        shown.history.iter().rev().filter(|note| shares(&note.paths)).take(HISTORY).collect();
    if !past.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("What happened to it", STRONG));
    }
    for note in past {
        lines.push(Line::from(vec![
            Span::styled(format!("{:>4} ", age(note.at, now)), DIM),
            Span::raw(format!("{} {}", note.name, note.what)),
        ]));
    }
    lines
}
