use super::{print, session};
use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::escape;
use crate::courier::observe::observe;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use serde_json::{Value, json};

/// List the agents: name, kind, pane, state, since when, directory, pid
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm agents\n  swarm agents --all --json")]
pub(super) struct Args {
    /// List dead ones that are still on record, too
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let store = session::project()?;
    let mut known = look(&store, &session::profiles()?)?;
    known.retain(|a| args.all || a.is_live());
    if args.json {
        return print::object(json!({"agents": as_json(&known)}));
    }
    print::out(&table(&known))
}

/// All agents on record, as they are now. Of those on a server that does not answer the last known states are given, and it is told.
pub(super) fn look(store: &Store, profiles: &Profiles) -> Result<Vec<Agent>> {
    let seen = observe(store, profiles, |socket| Some(Server::new(socket)))?;
    for (_, error) in &seen.hung {
        print::tell(&format!("the states of its agents are old: {error:#}"));
    }
    Ok(seen.agents)
}

/// The agents for scripts.
pub(super) fn as_json(known: &[Agent]) -> Value {
    let one = |a: &Agent| {
        json!({
            "name": a.name, "kind": a.kind, "pane": a.place.pane, "socket": a.place.socket,
            "state": if a.is_live() { a.status.word() } else { "dead" },
            "since": a.died.unwrap_or(a.since), "cwd": a.cwd, "pid": a.process.pid, "formerly": a.formerly,
        })
    };
    known.iter().map(one).collect()
}

/// The agents for people.
pub(super) fn table(known: &[Agent]) -> String {
    if known.is_empty() {
        return "no agents here; start one in a tmux pane of this project and run `swarm discover`\n"
            .to_owned();
    }
    let now = now_ms();
    let mut text = format!(
        "{:<16} {:<9} {:<5} {:<8} {:>5} {:>8}  {}\n",
        "NAME", "KIND", "PANE", "STATE", "SINCE", "PID", "DIRECTORY"
    );
    for a in known {
        let (state, since) = match a.died {
            Some(when) => ("dead", when),
            None => (a.status.word(), a.since),
        };
        text.push_str(&format!(
            "{:<16} {:<9} {:<5} {:<8} {:>5} {:>8}  {}\n",
            a.name,
            escape::short(&a.kind, 9),
            escape::short(&a.place.pane, 5),
            state,
            print::age(since, now),
            a.process.pid,
            escape::short(&a.cwd, 60)
        ));
    }
    text
}
