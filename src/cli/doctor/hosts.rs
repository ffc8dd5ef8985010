//! Checks of a team over several hosts: the link, and whether the project's `team.paths` are guarded.

use super::Checkup;
use super::finding::Finding;
use crate::core::config::Settings;
use crate::core::plural::plural;
use crate::hooks::install::git::{Guard, Standing};
use crate::store::Store;
use crate::store::config::Files;
use crate::store::team::{Answer, Ask};
use anyhow::Result;
use std::path::Path;
use std::time::Duration;

/// How long the link may take.
const LINK: Duration = Duration::from_millis(1500);

/// Checks the team, if there is one, or should be one.
pub(super) fn check(place: &Checkup, store: &Store, root: &Path, found: &mut Vec<Finding>) {
    if store.has_team() {
        let link = link(store);
        found.push(
            link.unwrap_or_else(|error| Finding::bad("link", format!("{error:#}"), "see docs/team.md")),
        );
    }
    let declared = Settings::from(&Files::of(Some(root)).load()).team_paths;
    if !declared.is_empty() {
        found.push(paths(place, store, root, declared.len()));
    }
}

/// Whether the declared paths are guarded.
fn paths(place: &Checkup, store: &Store, root: &Path, count: usize) -> Finding {
    let declared = format!("team.paths has {}", plural(count, "pattern"));
    if !store.has_team() {
        return Finding::warn(
            "team-paths",
            format!("{declared}, and this clone is in no team: nobody guards them here"),
            "swarm team join, with an invitation of your team (docs/team.md)",
        );
    }
    let program = place.program.to_string_lossy();
    let is_open = |guard: &Guard| guard.standing(&program) != Standing::Whole;
    match Guard::all(root, root) {
        Ok(guards) if guards.iter().any(is_open) => Finding::warn(
            "team-paths",
            format!("{declared}; they are guarded at edits by agents' hooks, at pushes they are not"),
            "swarm hooks install git",
        ),
        Ok(_) => {
            Finding::ok("team-paths", format!("{declared}; guarded at pushes, and at edits by agents' hooks"))
        }
        Err(_) => Finding::ok("team-paths", format!("{declared}; no repository, so nothing is pushed")),
    }
}

/// The link to the team: whether it runs, reaches the engine, and knows the hosts' keys.
fn link(store: &Store) -> Result<Finding> {
    let seen = store.ask_team(&Ask::Look, LINK)?;
    let hosts = store.hosts()?;
    let own = hosts.link.clone();
    let trouble = own.trouble.unwrap_or_default();
    if let Some((_, why)) = &own.cut {
        let repair = "ssh to the engine's host must log in without a prompt; swarm team shows more";
        return Ok(Finding::bad("link", format!("cut off from the team: {why}; {trouble}"), repair));
    }
    let Some(Answer::Seen(rtt)) = seen else {
        let repair = "any swarm team command starts it; swarm-link must be beside swarm";
        return Ok(Finding::bad(
            "link",
            format!("does not answer: mail to other hosts waits; {trouble}"),
            repair,
        ));
    };
    let unknown: Vec<String> = hosts.hosts.iter().filter(|h| !h.known).map(|h| h.name.to_string()).collect();
    if !unknown.is_empty() {
        return Ok(Finding::warn(
            "link",
            format!("nobody has vouched for the keys of {}: their mail waits", unknown.join(", ")),
            "the host that made the team vouches for them once its link runs; otherwise remove and invite them again",
        ));
    }
    Ok(Finding::ok("link", format!("{}, the engine answers in {rtt} ms", plural(hosts.hosts.len(), "host"))))
}
