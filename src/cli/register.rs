use super::session::{self, Session};
use super::{explain, print};
use crate::agents::{Profiles, is_shell};
use crate::core::agent::PaneRef;
use crate::core::escape;
use crate::core::heir::Conversation;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::core::registry::Sighting;
use crate::os::process;
use crate::roster::discovery::{self, Survey};
use crate::store::Store;
use crate::tmux::Server;
use anyhow::Result;
use std::path::Path;

/// Register an agent that swarm does not find by itself: in a wrapper, a container, a sandbox, or over ssh
///
/// It can send, lease and get mail until its process in the pane ends. Nothing is typed into an agent of a kind
/// without a profile. An agent with `SWARM_AGENT=KIND` in its environment needs no registration.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm register %5\n  swarm register --kind codex --name remote %5\n  swarm register --kind my-agent"
)]
pub(super) struct Args {
    /// The pane; without it, this one
    pane: Option<String>,
    /// Its kind; by default its registered kind, or `agent`
    #[arg(long)]
    kind: Option<String>,
    /// Its name; without it, KIND-1, KIND-2, …
    #[arg(long)]
    name: Option<String>,
}

fn usage(text: impl Into<String>) -> anyhow::Error {
    Refusal::Usage(text.into()).into()
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    session.require_human(
        "register an agent (one with SWARM_AGENT=KIND in its environment is found by itself)",
    )?;
    check_names(args)?;
    let own = std::env::var("TMUX_PANE").ok();
    let pane = args.pane.clone().or(own).ok_or_else(|| usage("say which pane, such as %5"))?;
    let (server, profiles) = (Server::current(), session::profiles()?);
    let mut survey = discovery::survey(&server, &profiles)?;
    let (sighting, comm) = sight(args, &session, &survey, &pane, (&server, &profiles))?;
    let (kind, process) = (sighting.kind.clone(), sighting.process.clone());
    let proof = explain::proof(&sighting);
    survey.add(sighting, "a person's word");
    discovery::register(&session.store, &survey, &server, false)?;
    let agents = session.store.agents()?;
    let registered = agents.iter().find(|a| a.process == process && a.is_live());
    let agent = registered.ok_or_else(|| usage(format!("the agent in {pane} has ended meanwhile")))?;
    if let Some(asked) = args.name.as_ref().filter(|asked| agent.name.as_str() != asked.as_str()) {
        print::tell(&format!("another agent has the name {asked}"));
    }
    let typed = match profiles.get(&kind) {
        Some(_) => "mail is typed into it where its screen is read as idle".to_owned(),
        None => {
            format!("nothing is typed into it ({}): `swarm explain {pane}`", profiles.why_not(&kind))
        }
    };
    print::out(&format!(
        "{} is registered: kind {kind}, {} (process {}) in {pane}\n  {typed}\n  proof: {proof}\n",
        agent.name,
        escape::short(&comm, 20),
        process.pid
    ))
}

/// Checks that the given kind and name are valid names.
fn check_names(args: &Args) -> Result<()> {
    let first = args.kind.as_ref().map(|kind| format!("{kind}-1"));
    for name in [args.kind.as_ref(), first.as_ref(), args.name.as_ref()].into_iter().flatten() {
        Name::for_agent(name).map_err(|bad| usage(bad.to_string()))?;
    }
    Ok(())
}

/// The program in the foreground of that pane as an agent, and its name.
fn sight(
    args: &Args,
    session: &Session,
    survey: &Survey,
    pane: &str,
    (server, profiles): (&Server, &Profiles),
) -> Result<(Sighting, String)> {
    let Some(listed) = survey.panes.iter().find(|p| p.id == pane && !p.dead) else {
        let shown = escape::short(pane, 40);
        return Err(usage(format!("there is no living pane {shown} on {}", server.socket())));
    };
    if let Some((known, rule)) = survey.found.iter().find(|(s, _)| s.place.pane == pane) {
        return Err(usage(format!(
            "{pane} has an agent of kind {} already ({rule}); `swarm name {pane} NEW` renames it",
            known.kind
        )));
    }
    let in_front = |p: &process::Process| p.group == p.foreground && !is_shell(&p.comm);
    let Some(found) = survey.forest.tree(listed.pid).find(in_front) else {
        return Err(usage(format!("only a shell runs in {pane}: start the agent there first")));
    };
    let cwd =
        process::cwd(found.pid).map_or_else(|| listed.path.clone(), |p| p.to_string_lossy().into_owned());
    if Store::root_around(Path::new(&cwd)).as_deref() != Some(session.store.root()) {
        return Err(usage(format!(
            "it works in {}, which is not in this project: register it there",
            escape::short(&cwd, 200)
        )));
    }
    let process = survey.forest.id(&found);
    let before = session.agents.iter().find(|a| a.is_live() && a.process == process);
    let kind =
        args.kind.clone().or_else(|| before.map(|a| a.kind.clone())).unwrap_or_else(|| "agent".to_owned());
    let place = PaneRef {
        socket: server.socket().to_owned(),
        server: listed.server,
        pane: pane.to_owned(),
        pane_pid: listed.pid,
        namespace: process::namespace(),
    };
    let sighting = Sighting {
        shared_server: profiles.process_rules(&kind).and_then(|rules| rules.shared_server.clone()),
        kind,
        process,
        place,
        cwd,
        conversation: Conversation::Unknown,
        asks: args.name.as_ref().and_then(|name| Name::for_agent(name).ok()),
    };
    Ok((sighting, found.comm))
}
