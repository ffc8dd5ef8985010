use super::{print, session};
use crate::core::agent::is_pane_id;
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::courier::{discovery, observe};
use crate::store::Store;
use crate::tmux::Server;
use anyhow::Result;

/// Tell what swarm makes of a pane: which rule recognised the agent, what its screen shows, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm explain %5\n  swarm explain claude-1")]
pub(super) struct Args {
    /// A pane such as %5, or an agent's name
    pane: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let here = session::here()?;
    let known =
        Store::root_for_caller(&here).map(|_| session::project().and_then(|s| s.agents())).transpose();
    let by_name = match known {
        Ok(agents) => agents.unwrap_or_default(),
        // A pane is looked at whatever the project's state is; a name means nothing then.
        Err(error) if is_pane_id(&args.pane) => {
            print::tell(&format!("the agents' names are not known: {error:#}"));
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let agent = by_name.iter().find(|a| a.name.as_str() == args.pane);
    let (server, pane) = match agent {
        Some(agent) => (Server::new(&agent.place.socket), agent.place.pane.clone()),
        None => (Server::current(), args.pane.clone()),
    };
    let asked = escape::short(&args.pane, 40);
    if !is_pane_id(&pane) {
        return Err(Refusal::UnknownAgent {
            asked,
            known: by_name.iter().filter(|a| a.is_live()).map(|a| a.name.to_string()).collect(),
        }
        .into());
    }
    let profiles = session::profiles()?;
    let survey = discovery::survey(&server, &profiles)?;
    let Some(listed) = survey.panes.iter().find(|p| p.id == pane) else {
        return Err(Refusal::Usage(format!("there is no pane {asked} on {}", server.socket())).into());
    };
    let mut text = format!("pane {pane} ({}), first process {}\n", listed.place, listed.pid);
    for process in survey.forest.tree(listed.pid) {
        let argv = survey.forest.argv(&process).join(" ");
        text.push_str(&format!(
            "  process {} {}: {}\n",
            process.pid,
            escape::short(&process.comm, 20),
            escape::short(&argv, 90)
        ));
    }
    let Some((sighting, rule)) = survey.found.iter().find(|(s, _)| s.place.pane == pane) else {
        text.push_str("no agent: no profile recognises any of these processes\n");
        return print::out(&text);
    };
    text.push_str(&format!(
        "agent of kind {} (process {}), by {}\n",
        sighting.kind,
        sighting.process.pid,
        escape::line(rule)
    ));
    if let Some(why) = profiles.withheld(&sighting.kind) {
        text.push_str(&format!("state: not read, and nothing is typed there: {why}\n"));
    }
    if let (Some(profile), Some(look)) = (profiles.get(&sighting.kind), server.look(&pane)?) {
        let reading = observe::reading(profile, sighting.process.pid, &look);
        text.push_str(&format!("state: {}\n", reading.state.word()));
        if let Some(open) = &reading.open {
            text.push_str(&format!("  {}\n", escape::line(&open.to_string())));
        }
        for evidence in &reading.evidence {
            text.push_str(&format!("  because {}\n", escape::line(evidence)));
        }
    }
    print::out(&text)
}
