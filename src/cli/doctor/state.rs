//! Checks an open store: its problems, and the courier.

use super::Checkup;
use super::finding::{Finding, Fix};
use crate::cli::dead;
use crate::core::agent::Agent;
use crate::core::event::EventWord;
use crate::core::plural::plural;
use crate::core::process_id::ProcessId;
use crate::courier::start;
use crate::os::{process, program};
use crate::store::service::Service;
use crate::store::{Store, lock, record};
use crate::tmux::Server;
use anyhow::Result;
use std::path::PathBuf;
use std::time::Duration;

/// Temporary files older than this belong to killed processes.
const LEFT: Duration = Duration::from_secs(24 * 3600);

/// A mutex that is held for longer than this has a holder that makes no progress.
const HELD: Duration = Duration::from_secs(2);

/// A post is complete within this time; an older one was interrupted.
const POST: Duration = Duration::from_secs(10);

pub(super) fn check(place: &Checkup, store: &Store, agents: &[Agent], found: &mut Vec<Finding>) {
    let checks: [(&'static str, Result<Finding>); 7] = [
        ("mutex", mutex(store)),
        ("quarantine", quarantine(store)),
        ("aside", aside(store)),
        ("outbox", outbox(store)),
        ("dead-letters", dead_letters(store, agents)),
        ("leases", leases(store)),
        ("leftovers", leftovers(store)),
    ];
    for (name, result) in checks {
        found.push(
            result.unwrap_or_else(|error| {
                Finding::bad(name, format!("{error:#}"), "see docs/troubleshooting.md")
            }),
        );
    }
    found.push(courier(place, store, agents));
}

/// Every process holds the mutex for less than a millisecond, unless it was stopped at that moment.
fn mutex(store: &Store) -> Result<Finding> {
    let path = store.dir().join("lock");
    match lock::exclusive_within(&path, HELD, None) {
        Ok(_) => Ok(Finding::ok("mutex", "is free")),
        Err(error) if error.is::<lock::Overdue>() => Ok(Finding::bad(
            "mutex",
            format!("{error:#}"),
            "until then nothing can be sent, leased or delivered here; nothing is lost",
        )),
        Err(error) => Err(error),
    }
}

fn quarantine(store: &Store) -> Result<Finding> {
    Ok(match store.quarantined()? {
        0 => Finding::ok("quarantine", "empty"),
        n => Finding::warn(
            "quarantine",
            format!(
                "{} in {}",
                plural(n, "damaged or forged record"),
                store.dir().join("quarantine").display()
            ),
            "swarm log --event quarantined says why; remove them when you have looked at them",
        ),
    })
}

/// The records that were set aside when the store was found to be a copy, or restored, or without its key.
fn aside(store: &Store) -> Result<Finding> {
    let dir = store.dir().join("aside");
    let count = match std::fs::read_dir(&dir) {
        Ok(entries) => entries.count(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
        Err(e) => return Err(e.into()),
    };
    let mut why = None;
    store.journal(|entry| match EventWord::of(&entry) {
        Some(EventWord::ProjectStartedAgain) => why = entry["why"].as_str().map(str::to_owned),
        Some(EventWord::ProjectRestored) => why = Some("it was restored from a backup".to_owned()),
        _ => {}
    })?;
    Ok(match (count, why) {
        (0, _) => Finding::ok("aside", "nothing was set aside"),
        (_, why) => Finding::warn(
            "aside",
            format!(
                "what was in this project before is now in {}: {}",
                dir.display(),
                why.unwrap_or_default()
            ),
            "look at it, then remove it",
        ),
    })
}

fn outbox(store: &Store) -> Result<Finding> {
    let dir = store.dir().join("outbox");
    let old = |file: &String| {
        let modified = dir.join(file).metadata().and_then(|m| m.modified());
        modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > POST))
    };
    Ok(match record::list(&dir)?.iter().filter(|f| old(f)).count() {
        0 => Finding::ok("outbox", "empty"),
        n => Finding::warn(
            "outbox",
            format!("the sending of {} was interrupted", plural(n, "message")),
            "the courier completes it, and so does the next message",
        )
        .fixable(Fix::FinishPosts),
    })
}

fn dead_letters(store: &Store, agents: &[Agent]) -> Result<Finding> {
    Ok(match dead::letters(store, agents)?.len() {
        0 => Finding::ok("dead-letters", "none"),
        n => Finding::warn(
            "dead-letters",
            format!("{} did not reach agents that have ended", plural(n, "message")),
            "swarm dead lists them; swarm resend ID --to NAME sends one again",
        ),
    })
}

fn leases(store: &Store) -> Result<Finding> {
    let peek = store.inspect_leases()?;
    Ok(match peek.damaged.first() {
        None => Finding::ok("leases", format!("{} held", peek.table.leases().count())),
        Some(first) => Finding::bad(
            "leases",
            format!("{} is damaged ({}): no lease is granted", first.record, first.why),
            "look at it, then: swarm gc --yes",
        ),
    })
}

fn leftovers(store: &Store) -> Result<Finding> {
    let mut old: Vec<PathBuf> = store.abandoned_files()?;
    old.retain(|path| {
        let meta = path.symlink_metadata();
        meta.is_ok_and(|m| {
            m.is_file() && m.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT))
        })
    });
    Ok(match old.len() {
        0 => Finding::ok("leftovers", "none"),
        n => {
            Finding::warn("leftovers", plural(n, "temporary file") + " of killed processes", "swarm gc --yes")
                .fixable(Fix::Remove(old))
        }
    })
}

/// Finds a courier that runs but cannot be seen here: this store is used from two machines or containers, each with
/// agents of its own.
fn elsewhere(store: &Store) -> Option<Finding> {
    let said = store.service().ok()??;
    let here = process::this().ok()?;
    let space = process::namespace();
    let other = said.process.boot != here.boot || (said.namespace.is_some() && said.namespace != space);
    let held = matches!(lock::try_exclusive(&store.dir().join("courier.lock")), Ok(None));
    // In a sandbox without a tmux server of its own, this is normal.
    (other && held && Server::current().listens()).then(|| {
        Finding::bad(
            "courier",
            format!("this project's courier runs elsewhere (process {} of another machine or container): it does not find the agents of this tmux server, and its pids mean other processes", said.process.pid),
            "give this container a clone of its own; swarm team join makes them one team (docs/team.md)",
        )
    })
}

fn courier(place: &Checkup, store: &Store, agents: &[Agent]) -> Finding {
    if let Some(elsewhere) = elsewhere(store) {
        return elsewhere;
    }
    let listens = store.ring().unwrap_or(false);
    let holder = start::courier(store.dir());
    let needed = agents.iter().any(Agent::is_live);
    if let Some(pid) = start::stopped(store) {
        return Finding::bad(
            "courier",
            format!("process {pid} is stopped: mail waits, nothing is typed"),
            format!("kill -CONT {pid}"),
        );
    }
    match (listens, holder) {
        (true, Some(id)) => running(place, store, id),
        (true, None) => Finding::ok("courier", "runs; which program it is cannot be seen from here"),
        (false, Some(id)) => Finding::warn(
            "courier",
            format!("process {} runs and does not listen yet", id.pid),
            "run this again in a moment; see swarm log --event courier-error",
        ),
        (false, None) if store.is_retired() => Finding::warn(
            "courier",
            "not running, and none starts, because swarm was uninstalled here",
            "if you want it back: swarm discover",
        ),
        (false, None) if needed => Finding::bad(
            "courier",
            "not running: mail waits, nothing is typed",
            "any swarm command inside tmux starts it; or: swarm courier &",
        )
        .fixable(Fix::Start),
        (false, None) => Finding::ok("courier", "not running, and no agent lives here"),
    }
}

/// Checks that a listening courier is the right program.
fn running(place: &Checkup, store: &Store, id: ProcessId) -> Finding {
    let said = store.service().ok().flatten().filter(|said| said.process == id);
    let runs = format!("runs as process {}", id.pid);
    match (program::runs_same(id.pid, &place.program), said) {
        (Some(true), _) => Finding::ok("courier", runs),
        (_, Some(Service { trouble: Some(why), .. })) => Finding::warn(
            "courier",
            format!("{runs}, of before the update: {why}"),
            "put a complete program there, for example by building again; the courier then starts it",
        )
        .fixable(Fix::Restart(id)),
        (_, Some(said)) if start::is_newer(&said) => {
            Finding::ok("courier", format!("{runs}, version {} of {}", said.version, said.program))
        }
        (Some(false), _) => Finding::warn(
            "courier",
            format!("process {} runs another program than {}", id.pid, place.program.display()),
            "after an update it is replaced within seconds; if two installations have the same version, the first one serves",
        )
        .fixable(Fix::Restart(id)),
        (None, _) => Finding::ok("courier", format!("{runs}; its program cannot be told here")),
    }
}
