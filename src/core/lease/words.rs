//! Words leases for errors, tables, the dashboard and the answers of hooks. Pure.

use super::decision::{Blocker, Why};
use super::pattern::PathPattern;
use super::record::{Lease, Waiter};
use crate::core::escape;
use crate::core::moment::Moment;
use crate::core::span;

/// The most blockers that one text names.
const MAX_BLOCKERS: usize = 5;

/// Paths for people, a few of them.
pub fn list(paths: &[PathPattern]) -> String {
    let shown: Vec<String> = paths.iter().take(3).map(|p| escape::short(&p.to_string(), 80)).collect();
    match paths.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The state of a lease in a table.
pub fn state(lease: &Lease, now: &Moment) -> String {
    match (lease.expires.remaining_ms(now), &lease.challenge) {
        (0, Some(c)) => format!("lost in {}", span::rest(c.until.remaining_ms(now))),
        (0, None) => "expired".to_owned(),
        (ms, _) => format!("{} left", span::rest(ms)),
    }
}

/// The state of a lease within a sentence.
pub fn remaining(lease: &Lease, now: &Moment) -> String {
    match (lease.expires.remaining_ms(now), &lease.challenge) {
        (0, Some(c)) => format!("expired, lost in {} unless renewed", span::rest(c.until.remaining_ms(now))),
        (0, None) => "expired".to_owned(),
        (ms, _) => format!("expires in {}", span::rest(ms)),
    }
}

/// The state of a waiter in a table.
pub fn waiting(waiter: &Waiter, now: &Moment) -> String {
    waiter.offered.as_ref().map_or_else(
        || "waits".to_owned(),
        |offer| format!("offered {}", span::rest(offer.remaining_ms(now))),
    )
}

/// The holder of a lease, how it is held and why, in one line.
pub fn held_by(lease: &Lease, now: &Moment) -> String {
    let kind = if lease.auto { ", automatic" } else { "" };
    let why = lease.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    format!(
        "{} (lease {}, {}{kind}, for {}, {}{}){why}",
        lease.holder.name,
        lease.fence,
        lease.mode.word(),
        span::age(lease.since, now.wall_ms),
        remaining(lease, now),
        lease.holder.doubt()
    )
}

/// The holder of a lease of the team, in one line.
pub fn held_in_team(lease: &Lease) -> String {
    let why = lease.reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default();
    format!(
        "{} is held by {} (team lease {}, {}){why}",
        list(&lease.paths),
        lease.holder.address(),
        lease.fence,
        lease.mode.word()
    )
}

/// The reason of a lease as the last cell of a row.
pub fn reason(lease: &Lease) -> String {
    lease.reason.as_ref().map(|r| format!("  \"{}\"", escape::short(r.as_str(), 60))).unwrap_or_default()
}

/// One holder or waiter that blocks a request, in one line.
fn blocker(blocker: &Blocker, now: &Moment) -> String {
    match &blocker.why {
        Why::Holds(lease) => {
            let via = if blocker.path == blocker.wanted {
                String::new()
            } else {
                format!(" through {}", blocker.path)
            };
            format!("{} is held by {}{via}", blocker.wanted, held_by(lease, now))
        }
        Why::Waits(waiter) => {
            let how = if waiter.offered.is_some() { "is being offered" } else { "is already waited for" };
            format!("{} {how} by {} (ticket {})", blocker.wanted, waiter.holder.name, waiter.ticket)
        }
    }
}

/// All blockers, for an error.
pub fn blockers(all: &[Blocker], now: &Moment) -> String {
    let shown: Vec<String> = all.iter().take(MAX_BLOCKERS).map(|b| blocker(b, now)).collect();
    let more = all.len() - shown.len();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    escape::line(&format!("{}{more}", shown.join("; ")))
}

/// A blocker in the answer of a hook: without times, which an agent cannot use.
pub fn blocker_for_agent(blocker: &Blocker) -> String {
    let path = escape::short(&blocker.wanted.to_string(), 120);
    match &blocker.why {
        Why::Holds(lease) => {
            let why = lease.reason.as_ref().map(|r| format!(", for: {r}")).unwrap_or_default();
            let kind = if lease.auto { "automatic lease" } else { "lease" };
            format!("{path} is held by {} ({kind} {}{why}).", lease.holder.name, lease.fence)
        }
        Why::Waits(waiter) => {
            format!("{path} is promised to {} (ticket {}).", waiter.holder.name, waiter.ticket)
        }
    }
}
