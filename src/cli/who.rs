use super::session::Session;
use super::{agents, lease, print};
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::lease::words;
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::store::leases::Part;
use anyhow::Result;
use serde_json::json;
use std::ffi::OsString;

/// List everybody you can write to; with paths, show who holds them
///
/// With paths, the exit code is 3 if somebody else holds one of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg who\n  swarm-msg who src/parser.rs\n  swarm-msg who --names")]
pub(super) struct Args {
    /// Files, directories or globs
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// Print only the names that you can write to, one per line: agents, groups, @all, human; for scripts and
    /// completions
    #[arg(long, conflicts_with_all = ["paths", "json"])]
    names: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::look()?;
    if !args.paths.is_empty() {
        return holders(&session, args);
    }
    if args.names {
        return print::out(&names(&session)?);
    }
    if args.json {
        let live: Vec<_> = session.agents.iter().filter(|a| a.is_live()).cloned().collect();
        let groups = super::group::as_json(&session.store.groups()?);
        return print::object(json!({"agents": agents::as_json(&live), "groups": groups}));
    }
    let mut text = String::new();
    let live: Vec<Agent> = session.agents.iter().filter(|a| a.is_live()).cloned().collect();
    let places = agents::PanePositions::of_several(&live);
    for agent in &live {
        let you = if agent.name == session.caller.name { "  (you)" } else { "" };
        let place = places.as_ref().map(|places| format!("  {}", places.tell(agent)));
        let kind = escape::short(&agent.kind, 32);
        text.push_str(&format!("{:<16} {kind}{}{you}\n", agent.name, place.unwrap_or_default()));
    }
    text.push_str(&format!("{:<16} the person at the keyboard\n", "human"));
    text.push_str(&super::group::lines(&session.store.groups()?));
    for (address, line) in super::team::roster(&session.store)? {
        text.push_str(&format!("{address:<16} {line}\n"));
    }
    print::out(&text)
}

/// Everybody except the caller, in the form of addresses.
fn names(session: &Session) -> Result<String> {
    let own = &session.caller.name;
    let agents = session.agents.iter().filter(|a| a.is_live() && a.name != *own).map(|a| a.name.to_string());
    let mut all: Vec<String> = agents.chain(session.store.groups()?.addresses()).collect();
    all.push("@all".to_owned());
    all.extend((!own.is_human()).then(|| "human".to_owned()));
    Ok(all.into_iter().map(|name| name + "\n").collect())
}

fn holders(session: &Session, args: &Args) -> Result<()> {
    let (patterns, own) = (lease::patterns(session, &args.paths)?, lease::holder(session));
    let leases = session.store.leases_about(Part::Paths(&patterns))?;
    let now = leases.table.now();
    let mut others = Vec::new();
    let (mut text, mut all) = (String::new(), Vec::new());
    for path in &patterns {
        let held = leases.table.holding(path);
        if held.is_empty() {
            text.push_str(&format!("{path}: free\n"));
        }
        for lease in &held {
            text.push_str(&format!("{path}: {}\n", words::held_by(lease, now)));
            if !lease.holder.is_same(&own) {
                others.push(lease.holder.name.to_string());
            }
        }
        all.push(json!({
            "path": path.to_string(), "leases": held.iter().map(|l| lease::lease_json(l, now)).collect::<Vec<_>>(),
        }));
    }
    if args.json {
        print::object(json!({"paths": all}))?;
    } else {
        print::out(&text)?;
    }
    order::sort(&mut others);
    others.dedup();
    match &others[..] {
        [] => Ok(()),
        names => Err(print::told(Refusal::Held(format!("held by {}", names.join(", "))))),
    }
}
