use super::{print, session};
use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::order;
use crate::roster::observe::{Observed, observe};
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// List the agents (name, kind, pane, state, since when, pid, where, directory) and the groups
///
/// NAMED is new, given (a person chose the name), or, for an agent that ended and is back, the evidence that it is
/// the same one: session (the same conversation), pane (started in the same pane soon after), or name (a person gave
/// it the name).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm agents\n  swarm agents --all --json")]
pub(super) struct Args {
    /// Also list ended agents that are still on record
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let store = session::project()?;
    let profiles = session::profiles()?;
    let mut seen = look(&store, &profiles)?;
    // Before a project's first agent is found, nothing looks for agents. From a sandbox none can be seen.
    if !seen.agents.iter().any(Agent::is_live)
        && !store.is_retired()
        && super::discover::first(&store, &profiles).unwrap_or(false)
    {
        seen = look(&store, &profiles)?;
    }
    seen.agents.retain(|a| args.all || a.is_live());
    if args.json {
        let groups = super::group::as_json(&store.groups()?);
        return print::object(json!({"agents": as_json(&seen.agents), "groups": groups}));
    }
    print::out(&format!("{}{}", table(&seen), super::group::lines(&store.groups()?)))
}

/// All agents on record, with their present states. If a server does not answer, its agents have their last known
/// states, and the result names it.
pub(super) fn look(store: &Store, profiles: &Profiles) -> Result<Observed> {
    let seen = observe(store, profiles, |socket| Some(Server::new(socket)))?;
    for (_, error) in &seen.hung {
        print::tell(&format!("the states of its agents are out of date: {error:#}"));
    }
    Ok(seen)
}

/// The agents as JSON.
pub(super) fn as_json(known: &[Agent]) -> Value {
    let one = |a: &Agent| {
        json!({
            "name": a.name, "kind": a.kind, "pane": a.place.pane, "socket": a.place.socket,
            "state": if a.is_live() { a.status.word() } else { "dead" },
            "since": a.died.unwrap_or(a.since), "cwd": a.cwd, "pid": a.process.pid, "formerly": a.formerly,
            "named": named(a), "inherited": a.past.inherited, "session": a.past.sessions.last(),
        })
    };
    known.iter().map(one).collect()
}

/// The origin of an agent's name, in a word.
fn named(agent: &Agent) -> &'static str {
    match &agent.past.inherited {
        Some(inherited) => inherited.by.word(),
        None if agent.past.given => "given",
        None => "new",
    }
}

/// The places of agents, for people.
pub(super) struct PanePositions {
    /// By socket and pane.
    places: BTreeMap<(String, String), String>,
    /// The agents are on several servers, so the number of a pane alone is not enough.
    several: bool,
}

impl PanePositions {
    /// The places, but only for agents on several servers. Asking a server takes longer than all the rest of a list.
    pub(super) fn of_several(known: &[Agent]) -> Option<Self> {
        let first = known.first()?;
        known.iter().any(|a| a.place.socket != first.place.socket).then(|| Self::of(known, &[]))
    }

    /// The places. The servers at the sockets `hung`, which did not answer a moment ago, are not asked.
    pub(super) fn of(known: &[Agent], hung: &[&str]) -> Self {
        let sockets: BTreeSet<&str> = order::collect(known.iter().map(|a| &*a.place.socket));
        let several = sockets.len() > 1;
        let mut places = BTreeMap::new();
        for socket in sockets.into_iter().filter(|socket| !hung.contains(socket)) {
            // For a server that cannot be asked, its name is left.
            for pane in Server::new(socket).panes().unwrap_or_default() {
                places.insert((socket.to_owned(), pane.id), pane.place);
            }
        }
        Self { places, several }
    }

    /// `session:window.pane` if the agent lives and its server answered; after the server's name if there are several
    /// servers.
    pub(super) fn tell(&self, agent: &Agent) -> String {
        let socket = &agent.place.socket;
        let place = self.places.get(&(socket.clone(), agent.place.pane.clone())).filter(|_| agent.is_live());
        let place = place.map_or("", |place| place);
        if !self.several {
            return escape::short(place, 24);
        }
        let name = socket.rsplit('/').next().unwrap_or(socket);
        let alike = |other: &str| other != socket && other.rsplit('/').next() == Some(name);
        let name = if self.places.keys().any(|(other, _)| alike(other)) { socket } else { name };
        escape::line(&format!("{name} {place}"))
    }
}

/// The table of agents for people.
pub(super) fn table(seen: &Observed) -> String {
    let known = &seen.agents[..];
    if known.is_empty() {
        return "no agents here; start one in a tmux pane of this project and run `swarm discover`\n"
            .to_owned();
    }
    let now = now_ms();
    let hung: Vec<&str> = seen.hung.iter().map(|(socket, _)| &**socket).collect();
    let places = PanePositions::of(known, &hung);
    let width = if places.several { 24 } else { 12 };
    let mut text = format!(
        "{:<16} {:<7} {:<9} {:<5} {:<8} {:>5} {:>8}  {:<width$} {}\n",
        "NAME",
        "NAMED",
        "KIND",
        "PANE",
        "STATE",
        "SINCE",
        "PID",
        if places.several { "SERVER" } else { "WHERE" },
        "DIRECTORY"
    );
    for a in known {
        let (state, since) = match a.died {
            Some(when) => ("dead", when),
            None => (a.status.word(), a.since),
        };
        text.push_str(&format!(
            "{:<16} {:<7} {:<9} {:<5} {:<8} {:>5} {:>8}  {:<width$} {}\n",
            a.name,
            named(a),
            escape::short(&a.kind, 9),
            escape::short(&a.place.pane, 5),
            state,
            // A record without the time.
            if since == 0 { "-".to_owned() } else { print::age(since, now) },
            a.process.pid,
            places.tell(a),
            escape::short(&a.cwd, 60)
        ));
    }
    text
}
