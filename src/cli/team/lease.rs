//! Leases in the whole team, for commands: first a lease in the own store, then the team's, through the link.
//!
//! The store decides between two agents of one host, the engine between two hosts. A lease that the team does not
//! grant is given back here, so it does not block the path.

use super::PATIENCE;
use crate::cli::print;
use crate::core::escape;
use crate::core::lease::{Grant, Holder, Lease, LeaseSelector, Scope, words};
use crate::core::refusal::Refusal;
use crate::core::team::{Board, Ticks};
use crate::os::clock;
use crate::store::leases::Part;
use crate::store::team::{Answer, Ask};
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// The pause between two looks at the board: it grows to the second value.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// Whether a lease applies to other hosts as well.
fn is_wide(lease: &Lease) -> bool {
    lease.paths.iter().any(|p| !matches!(p.scope(), Scope::Tree(_)))
}

/// Asks the team for a lease that the own store has granted. If the team refuses, gives the lease back and returns
/// the reason. Returns the numbers in the team.
pub(in crate::cli) fn hold(
    store: &Store,
    holder: &Holder,
    grant: &Grant,
    wait_ms: Option<u64>,
    keeps_waiting: bool,
) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for lease in grant.leases.iter().filter(|l| is_wide(l)) {
        match hold_one(store, lease, wait_ms, keeps_waiting) {
            Ok(number) => numbers.push(number),
            Err(error) => {
                let queued = error.downcast_ref::<Queued>().is_some();
                if !queued {
                    let fences = grant.new.iter().copied().chain([lease.fence]);
                    for fence in fences {
                        store.change_leases(Part::Numbers(&[fence]), |t| {
                            t.give_back(holder, LeaseSelector::Fence(fence))
                        })?;
                    }
                    store.ring_link();
                }
                return Err(if queued { Refusal::Held(error.to_string()).into() } else { error });
            }
        }
    }
    Ok(numbers)
}

/// The lease waits in the team, and keeps its grant from the own store.
#[derive(Debug)]
struct Queued(String);

impl std::fmt::Display for Queued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Queued {}

fn hold_one(store: &Store, lease: &Lease, wait_ms: Option<u64>, keeps_waiting: bool) -> Result<u64> {
    if let Some(held) = believed(store)?.as_ref().and_then(|b| b.backed_by(lease.fence)) {
        return Ok(held.fence);
    }
    let answer = store.ask_team(&Ask::Take(lease.fence, wait_ms), PATIENCE)?;
    let what = words::list(&lease.paths);
    Err(match answer {
        // A process that was stopped meanwhile may read an outdated answer.
        Some(Answer::Granted(number)) if store.holds_in_team(lease.fence)? => return Ok(number),
        Some(Answer::Queued(ticket, ahead)) if !keeps_waiting => {
            let text = format!(
                "queued in the team: ticket {ticket}, {ahead} before you, for {what}. You get a message when it is yours; do not edit before that"
            );
            return Err(Queued(text).into());
        }
        Some(Answer::Queued(..)) => return wait_for(store, lease, wait_ms.unwrap_or_default(), &what),
        Some(Answer::Held(by)) => {
            let held: Vec<String> = by.iter().map(words::held_in_team).collect();
            Refusal::Held(format!("{}; queue for it with --wait 10m", held.join("; ")))
        }
        Some(Answer::Cycle) => {
            Refusal::Held(format!("waiting for {what} would never end: others wait for what you hold (swarm-msg locks)"))
        }
        Some(Answer::Cut(since, why)) => Refusal::Held(cut(since, &why, &what, ADVICE)),
        Some(Answer::Refused(why)) => Refusal::Held(escape::line(&why)),
        Some(Answer::Granted(_) | Answer::Seen(_)) | None => {
            let hosts = store.hosts()?;
            let (since, why) = hosts.link.cut.unwrap_or((hosts.link.heard, "the link did not answer".to_owned()));
            Refusal::Held(cut(since, &why, &what, ADVICE))
        }
    }
    .into())
}

/// Waits until the team has granted the lease.
fn wait_for(store: &Store, lease: &Lease, wait_ms: u64, what: &str) -> Result<u64> {
    print::tell(&format!("waiting for {what} in the team"));
    let until = clock::ticks()?.ms + wait_ms;
    let mut pause = PAUSE.0;
    while clock::ticks()?.ms < until {
        if let Some(held) = believed(store)?.as_ref().and_then(|b| b.backed_by(lease.fence)) {
            return Ok(held.fence);
        }
        if !store.peek_leases()?.table.leases().any(|l| l.fence == lease.fence) {
            break;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
    Err(Refusal::Held(format!("{what} did not become free in the team in that time")).into())
}

fn believed(store: &Store) -> Result<Option<Board>> {
    let now = clock::ticks()?;
    Ok(store.board()?.filter(|b| b.is_believed(&now)))
}

/// The advice while nobody here knows who holds a path.
const ADVICE: &str = "Do not edit it; you may edit other files";

/// The text that the team cannot be asked, since when, and what to do.
pub(in crate::cli) fn cut(since: u64, why: &str, what: &str, advice: &str) -> String {
    let ago = if since == 0 {
        "it was never reached".to_owned()
    } else {
        format!("for {}", print::age(since, now_ms()))
    };
    format!(
        "cut off from the team ({ago}: {}): nobody here can know who holds {what}. {advice}",
        escape::short(why, 120)
    )
}

/// The team's leases and waiters, one line each.
pub(in crate::cli) fn list(board: &Board, now: &Ticks) -> String {
    let mut text = String::new();
    let doubt = if board.is_believed(now) { "" } else { "  (cut off: may have changed)" };
    for lease in &board.leases {
        text.push_str(&format!(
            "{:>5}  {:<22} {:<9} {:>4}  team           {}{}{doubt}\n",
            lease.fence,
            lease.holder.address(),
            lease.mode.word(),
            print::age(lease.since, now_ms()),
            words::list(&lease.paths),
            words::reason(lease),
        ));
    }
    for waiter in &board.waiters {
        text.push_str(&format!(
            "{} waits in the team for {} (ticket {})\n",
            waiter.holder.address(),
            words::list(&waiter.paths),
            waiter.ticket
        ));
    }
    text
}

/// The team's leases and waiters, as JSON.
pub(in crate::cli) fn board_json(board: &Board, now: &Ticks) -> Value {
    let texts =
        |paths: &[crate::core::lease::PathPattern]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    let leases: Vec<Value> = board
        .leases
        .iter()
        .map(|l| {
            json!({"fence": l.fence, "holder": l.holder.address(), "paths": texts(&l.paths), "mode": l.mode, "since": l.since, "reason": l.reason})
        })
        .collect();
    let waiters: Vec<Value> = board
        .waiters
        .iter()
        .map(|w| json!({"ticket": w.ticket, "holder": w.holder.address(), "paths": texts(&w.paths), "since": w.since}))
        .collect();
    json!({"version": board.version, "believed": board.is_believed(now), "believe_until": board.believe_until, "leases": leases, "waiters": waiters})
}
