//! The team's paths at the moment of an edit: nobody edits a declared path without holding it in the whole team.
//!
//! One file shows what is held, and by whom. Only for a path that seems free is the link asked. Between two agents of
//! this host the store decides, under its mutex, before the team is asked. A host that is cut off cannot know who
//! holds such a path. The edit is then refused, or the agent is only warned.

use super::Call;
use crate::core::escape;
use crate::core::hook::Enforce;
use crate::core::lease::{Holder, Lease, LeaseOutcome, LeaseSelector, PathPattern, Request, Scope, Why};
use crate::core::team::{self, PathGuard};
use crate::os::clock;
use crate::store::leases::Part;
use crate::store::now_ms;
use crate::store::team::{Answer, Ask};
use anyhow::Result;
use std::time::Duration;

/// How long the link may take for its answer.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Why these paths may not be edited now, if some of them are paths of the team. `declared` are the project's globs.
pub(super) fn refusal(
    call: &Call<'_>,
    holder: &Holder,
    paths: &[PathPattern],
) -> Result<Option<(Enforce, String)>> {
    if call.team.is_empty() || !call.store.has_team() {
        return Ok(None);
    }
    for path in team::declared(call.team, paths) {
        if let Some(refusal) = refusal_of(call, holder, &path)? {
            return Ok(Some(refusal));
        }
    }
    Ok(None)
}

fn refusal_of(call: &Call<'_>, holder: &Holder, path: &PathPattern) -> Result<Option<(Enforce, String)>> {
    let board = call.store.board()?;
    let guard = match &board {
        Some(board) => board.guard(&clock::ticks()?, &call.agent.name, path),
        None => PathGuard::Unknown(0),
    };
    match guard {
        PathGuard::Mine => {
            // The lease is extended as long as the agent works on the path.
            call.store.acquire(&Request::edit(holder.clone(), path.clone()), None).map(|_| None)
        }
        PathGuard::Held(lease) => Ok(Some((call.enforce, held(path, &lease)))),
        PathGuard::Free | PathGuard::Unknown(_) => take(call, holder, path),
    }
}

/// Leases the path: here first, then in the team.
#[inline(never)]
fn take(call: &Call<'_>, holder: &Holder, path: &PathPattern) -> Result<Option<(Enforce, String)>> {
    let grant = match call.store.acquire(&Request::edit(holder.clone(), path.clone()), None)? {
        LeaseOutcome::Granted(grant) => grant,
        LeaseOutcome::Denied(blockers) | LeaseOutcome::Queued { blockers, .. } => {
            let by = blockers.first().map_or_else(
                || "another agent".to_owned(),
                |b| match &b.why {
                    Why::Holds(lease) => lease.holder.address().to_string(),
                    Why::Waits(waiter) => waiter.holder.address().to_string(),
                },
            );
            return Ok(Some((call.enforce, format!("swarm: {} is held by {by}. {ADVICE}", shown(path)))));
        }
        LeaseOutcome::Cycle(_) => {
            return Ok(Some((call.enforce, format!("swarm: others wait for what you hold. {ADVICE}"))));
        }
    };
    let wide = |l: &&Lease| l.paths.iter().any(|p| *p.scope() == Scope::Team);
    let Some(lease) = grant.leases.iter().find(wide) else { return Ok(None) };
    let answer = call.store.ask_team(&Ask::Take(lease.fence, None), PATIENCE)?;
    let refused = match answer {
        // A hook that was stopped meanwhile may read an outdated answer.
        Some(Answer::Granted(_)) if call.store.holds_in_team(lease.fence)? => return Ok(None),
        Some(Answer::Held(by)) if !by.is_empty() => (call.enforce, held(path, &by[0])),
        Some(Answer::Refused(why)) => {
            (call.enforce, format!("swarm: {}: {}", shown(path), escape::line(&why)))
        }
        Some(Answer::Cut(since, _)) => (call.offline, cut(path, since)),
        _ => (call.offline, cut(path, call.store.hosts()?.link.heard)),
    };
    if let Some(fence) = grant.new {
        call.store.change_leases(Part::Numbers(&[fence]), |table| {
            table.give_back(holder, LeaseSelector::Fence(fence))
        })?;
        call.store.ring_link();
    }
    Ok(Some(refused))
}

const ADVICE: &str = "Do not write it now, in this or any other way.";

fn shown(path: &PathPattern) -> String {
    escape::short(path.path(), 120)
}

fn held(path: &PathPattern, lease: &Lease) -> String {
    let why = lease.reason.as_ref().map(|r| format!(", for: {r}")).unwrap_or_default();
    let who = lease.holder.address();
    format!(
        "swarm: {} is a path of the whole team and held by {who} (team lease {}{why}). {ADVICE} To queue: swarm-msg lock --team --wait 10m {}. To ask: swarm-msg send {who} \"...\"",
        shown(path),
        lease.fence,
        escape::word(path.path())
    )
}

fn cut(path: &PathPattern, since: u64) -> String {
    let ago =
        if since == 0 { String::new() } else { format!(" for {} s", now_ms().saturating_sub(since) / 1000) };
    format!(
        "swarm: {} is a path of the whole team, and this host is cut off from the team{ago}: nobody here can know who holds it. {ADVICE} You may edit other files. To see the state: swarm team",
        shown(path)
    )
}
