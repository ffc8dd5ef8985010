use super::{here, session};
use crate::core::agent::Agent;
use crate::core::delivery::Stage;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::roster::projects::{self, Project};
use crate::store::Store;
use crate::store::mail::Folder;
use crate::tmux::Server;
use anyhow::Result;

/// Go to an agent's pane, to the next one that needs you, or back
///
/// `next` goes through the agents with an open dialog and those with unread mail to you, the longest wait first, and
/// then through those whose mail is held: first in the project of this directory, then in the others on the tmux
/// server. `back` goes to where the last jump came from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm jump next\n  swarm jump back\n  swarm jump codex-1")]
pub(super) struct Args {
    /// An agent's name, `next`, or `back`
    #[arg(value_name = "NAME|next|back")]
    to: String,
    /// The tmux client that goes there [default: the one used last]
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let (client, server) = (args.client.as_deref(), Server::current());
    if args.to == "back" {
        return server.go_back(client);
    }
    let here = session::here()?;
    let own = Store::root_for_caller(&here);
    let mut all = Vec::new();
    if own.is_some() {
        all.push(projects::look(&session::project()?)?);
    }
    // If SWARM_ROOT names the project, no other one is meant.
    if !Store::is_root_forced() {
        all.extend(here::others(&server, own.as_deref()));
    }
    if all.is_empty() {
        return Err(here::nowhere(&here, &server));
    }
    let (project, agent) =
        if args.to == "next" { next(&server, &all, client)? } else { named(&all, &args.to, own.is_some())? };
    Server::new(&agent.place.socket).go(client, &agent.place.pane)?;
    if all.len() > 1 && Some(project.store.root()) != own.as_deref() {
        // The person is already there, even if the status line cannot show it.
        let _ =
            Server::new(&agent.place.socket).tell(client, &format!("{} in {}", agent.name, project.label));
    }
    Ok(())
}

/// The agent of that name: in the first project if it is the caller's own, or else in any that has one.
fn named<'a>(all: &'a [Project], asked: &str, own: bool) -> Result<(&'a Project, &'a Agent)> {
    let bears = |p: &'a Project| p.agents.iter().find(|a| a.name.as_str() == asked).map(|agent| (p, agent));
    let found: Vec<(&Project, &Agent)> = all.iter().filter_map(bears).collect();
    match &found[..] {
        [] => Err(Refusal::UnknownAgent {
            asked: crate::core::escape::short(asked, 40),
            known: all.iter().flat_map(|p| p.agents.iter().map(|a| a.name.to_string())).collect(),
        }
        .into()),
        [first, ..] if own && all.first().is_some_and(|p| p.store.root() == first.0.store.root()) => {
            Ok(*first)
        }
        [one] => Ok(*one),
        more => {
            let labels: Vec<&str> = more.iter().map(|(p, _)| p.label.as_str()).collect();
            Err(Refusal::Usage(format!(
                "there is a {asked} in {}: run the command in the project that you mean",
                labels.join(" and in ")
            ))
            .into())
        }
    }
}

/// The agent that needs a person most, after the one whose pane is visible: of the first project, then of the others.
fn next<'a>(server: &Server, all: &'a [Project], client: Option<&str>) -> Result<(&'a Project, &'a Agent)> {
    let mut needy: Vec<(&Project, &Agent)> = Vec::new();
    for project in all {
        let askers = project.store.askers()?;
        let mut here: Vec<(bool, &Agent)> = Vec::new();
        for agent in &project.agents {
            // An agent's question comes before mail for an agent.
            let asks = projects::asks(agent, &askers);
            if asks || is_held(&project.store, agent)? {
                here.push((!asks, agent));
            }
        }
        order::sort_by_key(&mut here, |(later, agent)| (*later, agent.since, agent.name.clone()));
        needy.extend(here.into_iter().map(|(_, agent)| (project, agent)));
    }
    let seen = server.seen_by(client)?;
    let at = needy.iter().position(|(_, a)| {
        a.place.socket == server.socket() && seen.as_ref().is_some_and(|pane| a.place.pane == *pane)
    });
    let following = at.map_or(0, |at| at + 1);
    if let Some(found) = needy.get(following % needy.len().max(1)) {
        return Ok(*found);
    }
    let mail: String = all
        .iter()
        .filter(|p| p.unread > 0)
        .map(|p| {
            let place = if all.len() > 1 { format!(" of {}", p.label) } else { String::new() };
            format!("; {} in your inbox{place}: swarm inbox", plural(p.unread, "message"))
        })
        .collect();
    Err(anyhow::anyhow!(
        "no agent needs you: no dialog is open, no mail is held, and no agent here has written to you{mail}"
    ))
}

fn is_held(store: &Store, agent: &Agent) -> Result<bool> {
    for found in store.deliveries(&agent.name, Folder::New)? {
        if found?.1.way.stage == Stage::Held {
            return Ok(true);
        }
    }
    Ok(false)
}
