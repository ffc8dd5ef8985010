use super::session;
use crate::core::agent::{Agent, Status};
use crate::core::delivery::Stage;
use crate::core::message::parse_file_name;
use crate::core::name::Name;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::store::Store;
use crate::store::mail::Folder;
use crate::tmux::Server;
use anyhow::Result;

/// Go to an agent's pane, to the next one that needs you, or back
///
/// `next` goes through the agents with an open dialog and those that you have unread mail from, the longest wait first,
/// and then through those whose mail is held. `back` goes where the last jump came from.
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
    if args.to == "back" {
        return Server::current().go_back(args.client.as_deref());
    }
    let store = session::project()?;
    let agents: Vec<Agent> = store.agents()?.into_iter().filter(Agent::is_live).collect();
    let agent = if args.to == "next" {
        next(&store, &agents, args.client.as_deref())?
    } else {
        agents.iter().find(|a| a.name.as_str() == args.to).ok_or_else(|| Refusal::UnknownAgent {
            asked: crate::core::escape::short(&args.to, 40),
            known: agents.iter().map(|a| a.name.to_string()).collect(),
        })?
    };
    Server::new(&agent.place.socket).go(args.client.as_deref(), &agent.place.pane)
}

/// The agent that needs a person most, behind the one whose pane is being looked at.
fn next<'a>(store: &Store, agents: &'a [Agent], client: Option<&str>) -> Result<&'a Agent> {
    let mut needy: Vec<(bool, u64, &Agent)> = Vec::new();
    let askers = store.askers()?;
    for agent in agents {
        // What an agent asks comes before what others have for it.
        let asks = agent.status == Status::Dialog || askers.iter().any(|name| agent.answers_to(name));
        if asks || is_held(store, agent)? {
            needy.push((!asks, agent.since, agent));
        }
    }
    needy.sort_by_key(|(later, since, agent)| (*later, *since, agent.name.clone()));
    let seen = Server::current().seen_by(client)?;
    let at = needy.iter().position(|(_, _, a)| seen.as_ref().is_some_and(|pane| a.place.pane == *pane));
    let following = at.map_or(0, |at| at + 1);
    if let Some((_, _, agent)) = needy.get(following % needy.len().max(1)) {
        return Ok(agent);
    }
    let unread = store.count_unread(&Name::human())?;
    let mail = match unread {
        0 => String::new(),
        _ => format!("; {} in your inbox: swarm inbox", plural(unread, "message")),
    };
    Err(anyhow::anyhow!(
        "no agent needs you: no dialog is open, no mail is held, and no agent here has written to you{mail}"
    ))
}

fn is_held(store: &Store, agent: &Agent) -> Result<bool> {
    for file in store.mail_files(&agent.name, Folder::New)? {
        let Some((_, id)) = parse_file_name(&file) else { continue };
        if store.delivery(&agent.name, &id)?.is_some_and(|d| d.way.stage == Stage::Held) {
            return Ok(true);
        }
    }
    Ok(false)
}
