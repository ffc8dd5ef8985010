//! Shared by the lease commands: the caller, the paths, the duration, and the JSON of a lease.

use super::session::Session;
use crate::core::escape;
use crate::core::lease::{Blocker, Holder, Lease, PathPattern, Reason, Waiter, Why};
use crate::core::message::Identity;
use crate::core::moment::Moment;
use crate::core::refusal::Refusal;
use crate::core::span;
pub(super) use crate::core::span::{duration, rest as time};
use crate::os::process;
use anyhow::Result;
use serde_json::{Value, json};
use std::ffi::OsString;

/// The most paths in one command.
const MAX_PATHS: usize = 256;

pub(super) fn reason(text: &str) -> Result<Reason, String> {
    Reason::new(text)
}

/// The duration of a lease: the given one, or the setting's (ms).
pub(super) fn ttl(session: &Session, asked: Option<u64>) -> Result<u64> {
    asked.map_or_else(|| session.settings().map(|s| span::ms(s.lease_ttl)), Ok)
}

/// The caller as a holder.
pub(super) fn holder(session: &Session) -> Holder {
    let caller = &session.caller;
    match session.agent(&caller.name) {
        Some(agent) => {
            // Below its own process, the caller sees the process that the agent's id means.
            let sees = matches!(caller.identity, Identity::Process | Identity::Pane);
            Holder::agent(agent, if sees { process::namespace() } else { None }).known_by(caller.identity)
        }
        None => Holder::human(),
    }
}

/// The patterns of `paths`, relative to the working directory.
pub(super) fn patterns(session: &Session, paths: &[OsString]) -> Result<Vec<PathPattern>> {
    if paths.len() > MAX_PATHS {
        return Err(
            Refusal::Usage(format!("at most {MAX_PATHS} paths are allowed; lease their directory")).into()
        );
    }
    let here = super::session::here()?;
    let mut patterns = Vec::new();
    for path in paths {
        let pattern = session.store.pattern(&here, path)?;
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

/// The patterns of `paths`, in the whole team if `team`, and of `names` of things that are not paths.
pub(super) fn wide_patterns(
    session: &Session,
    paths: &[OsString],
    team: bool,
    names: &[String],
) -> Result<Vec<PathPattern>> {
    if team || (!names.is_empty() && session.store.has_team()) {
        super::team::need(&session.store)?;
    }
    let mut patterns = patterns(session, paths)?;
    if team {
        patterns = patterns.iter().map(PathPattern::for_team).collect();
    }
    for name in names {
        let named = PathPattern::named(name)
            .map_err(|bad| Refusal::Usage(format!("'{}': {bad}", escape::short(name, 80))))?;
        if !patterns.contains(&named) {
            patterns.push(named);
        }
    }
    Ok(patterns)
}

/// A lease as JSON.
pub(super) fn lease_json(lease: &Lease, now: &Moment) -> Value {
    json!({
        "fence": lease.fence, "name": lease.holder.name, "paths": texts(&lease.paths), "mode": lease.mode,
        "auto": lease.auto, "command": lease.holder.command, "identity": lease.holder.identity, "reason": lease.reason, "since": lease.since,
        "expires_in_ms": lease.expires.remaining_ms(now), "challenged_by": lease.challenge.as_ref().map(|c| &c.by),
    })
}

/// A waiter as JSON.
pub(super) fn waiter_json(waiter: &Waiter, now: &Moment) -> Value {
    json!({
        "ticket": waiter.ticket, "name": waiter.holder.name, "paths": texts(&waiter.paths), "mode": waiter.mode,
        "since": waiter.since, "offered_for_ms": waiter.offered.as_ref().map(|o| o.remaining_ms(now)),
    })
}

/// The blockers as JSON.
pub(super) fn blockers_json(all: &[Blocker], now: &Moment) -> Value {
    let one = |b: &Blocker| {
        let how = match &b.why {
            Why::Holds(lease) => json!({"holds": lease_json(lease, now)}),
            Why::Waits(waiter) => json!({"waits": waiter_json(waiter, now)}),
        };
        json!({"wanted": b.wanted.to_string(), "name": b.holder.name, "how": how})
    };
    all.iter().map(one).collect()
}

/// Paths as text.
pub(super) fn texts(paths: &[PathPattern]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_bounded() {
        for (text, ms) in [("90", 90_000), ("1s", 1000), ("15m", 900_000), ("24h", 86_400_000)] {
            assert_eq!(duration(text), Ok(ms), "{text}");
        }
        for bad in ["", "0", "m", "-1s", "25h", "2d", "99999999999999999999h", "é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
