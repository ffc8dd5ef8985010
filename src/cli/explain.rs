use super::{print, profile, session};
use crate::agents::Profile;
use crate::carriers;
use crate::core::agent::{Agent, Status, is_pane_id};
use crate::core::config::Settings;
use crate::core::escape;
use crate::core::heir::Conversation;
use crate::core::refusal::Refusal;
use crate::core::registry::Sighting;
use crate::hooks::report;
use crate::os::process;
use crate::roster::{discovery, observe};
use crate::store::config::Files;
use crate::store::profiles::Shelf;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use std::path::Path;

/// Show what swarm makes of a pane: which rule found the agent, how its screen is read and why, and how its mail
/// reaches it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm explain %5\n  swarm explain claude-1\n  swarm explain --profile my-agent.toml %5"
)]
pub(super) struct Args {
    /// A pane such as %5, or an agent's name
    pane: String,
    /// Read its screen by this profile, a file or a kind, in place of the one in use
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
}

/// The agent on record that was seen.
fn on_record(sighting: &Sighting) -> Option<(Store, Agent)> {
    let store = Store::open_around(Path::new(&sighting.cwd)).ok()?;
    let agent = store.agents().ok()?.into_iter().find(|a| a.is_live() && a.process == sighting.process)?;
    Some((store, agent))
}

/// What an agent is called, and why.
fn name(agent: &Agent) -> String {
    let past = &agent.past;
    let how = match &past.inherited {
        Some(inherited) => format!(
            "{}; process {} had that name until {} ago",
            inherited.by.told(),
            inherited.from.pid,
            print::age(inherited.at, now_ms()).trim()
        ),
        None if past.given => "a person chose the name".to_owned(),
        None => "a new name".to_owned(),
    };
    let session = past.sessions.last().map(|id| format!("; its conversation is {id}")).unwrap_or_default();
    format!("called {}: {how}{session}\n", agent.name)
}

/// What others than the screen say of an agent's state, since when, and whether they differ.
fn sources((store, agent): &(Store, Agent), profile: &Profile, shown: Status) -> String {
    let ago = |since: u64| print::age(since, now_ms()).trim().to_owned();
    let mut text = String::new();
    if let Some(said) = carriers::said(agent, &profile.carriers) {
        let differs = if said.status == shown { "" } else { "; the screen shows another state" };
        text.push_str(&format!(
            "  {} says {} since {}{differs}\n",
            said.source,
            said.status.word(),
            ago(said.since)
        ));
    }
    if let Some(report) = report::read(store, &agent.name).ok().flatten() {
        text.push_str(&format!("  its hooks said {} {} ago\n", report.status.word(), ago(report.at)));
    }
    text
}

/// By which ways its mail goes, and why not by others.
fn ways((store, agent): &(Store, Agent), profile: &Profile) -> String {
    let settings = Settings::from(&Files::of(Some(store.root())).load());
    let ways = carriers::ways(agent, &profile.carriers, &settings.carriers);
    let open: Vec<&str> = ways.iter().filter(|(_, judged)| judged.is_ok()).map(|(c, _)| c.word()).collect();
    let mut text = match &open[..] {
        [] => {
            "mail cannot reach it: the setting delivery.carriers allows nothing that works here\n".to_owned()
        }
        open => format!("mail goes by {}\n", open.join(", else by ")),
    };
    for (carrier, judged) in &ways {
        if let Err(why) = judged {
            text.push_str(&format!("  not by {}: {}\n", carrier.word(), escape::line(why)));
        }
    }
    text
}

/// Programs that run something where its processes cannot be seen from here.
const AWAY: [&str; 9] =
    ["ssh", "mosh-client", "docker", "podman", "nerdctl", "kubectl", "devcontainer", "limactl", "machinectl"];

/// By what an agent's commands are known to be its own.
pub(super) fn proof(agent: &Sighting) -> String {
    let pid = agent.process.pid;
    let comm = process::look(&agent.process).map(|p| p.comm).unwrap_or_default();
    match &agent.shared_server {
        _ if AWAY.contains(&comm.as_str()) => format!(
            "what {comm} runs cannot be seen from here: its commands cannot prove whose they are, and count as its own only by what they say (env)"
        ),
        Some(_) => {
            "its tools run in a server that several agents share: SWARM_NAME says which one it is (env)"
                .to_owned()
        }
        None => format!("commands below process {pid} are its own"),
    }
}

/// What makes rules for an agent that has none.
fn remedy(pane: &str, kind: &str) -> String {
    let file =
        Shelf::of(None).dir().map_or_else(|| "KIND.toml".into(), |dir| dir.join(format!("{kind}.toml")));
    format!(
        "  to have mail typed into it, make rules for its screen (docs/agents.md):\n    swarm profile record {pane} screens/\n    swarm profile new {kind} screens/ > {kind}.toml\n    swarm profile check {kind}.toml screens/\n  and when that finds no false idle: copy {kind}.toml to {}\n",
        escape::line(&file.display().to_string())
    )
}

/// The pane that is meant by its id or by an agent's name, its server, and the agent on record that is there.
pub(super) fn target(asked_for: &str) -> Result<(Server, String, Option<Agent>)> {
    let here = session::here()?;
    let known =
        Store::root_for_caller(&here).map(|_| session::project().and_then(|s| s.agents())).transpose();
    let by_name = match known {
        Ok(agents) => agents.unwrap_or_default(),
        // A pane is looked at whatever the project's state is; a name means nothing then.
        Err(error) if is_pane_id(asked_for) => {
            print::tell(&format!("the agents' names cannot be read: {error:#}"));
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let agent = by_name.iter().find(|a| a.name.as_str() == asked_for);
    let (server, pane) = match agent {
        Some(agent) => (Server::new(&agent.place.socket), agent.place.pane.clone()),
        None => (Server::current(), asked_for.to_owned()),
    };
    if !is_pane_id(&pane) {
        return Err(Refusal::UnknownAgent {
            asked: escape::short(asked_for, 40),
            known: by_name.iter().filter(|a| a.is_live()).map(|a| a.name.to_string()).collect(),
        }
        .into());
    }
    let is_there = |a: &Agent| a.is_live() && a.place.pane == pane && a.place.socket == server.socket();
    let agent = by_name.into_iter().find(is_there);
    Ok((server, pane, agent))
}

pub(super) fn run(args: &Args) -> Result<()> {
    let (server, pane, recorded) = target(&args.pane)?;
    let mut profiles = session::profiles()?;
    let given = args.profile.as_ref().map(|word| profile::find(word, &profiles)).transpose()?;
    if let Some(profile) = &given {
        profiles.add(profile.clone());
    }
    let survey = discovery::survey(&server, &profiles)?;
    let Some(listed) = survey.panes.iter().find(|p| p.id == pane) else {
        return Err(Refusal::Usage(format!("there is no pane {pane} on {}", server.socket())).into());
    };
    let mut text = format!("pane {pane} ({}), first process {}\n", listed.place, listed.pid);
    for process in survey.forest.tree(listed.pid) {
        let argv = process.argv().join(" ");
        text.push_str(&format!(
            "  process {} {}: {}\n",
            process.pid,
            escape::short(&process.comm, 20),
            escape::short(&argv, 90)
        ));
    }
    let registered = recorded.filter(|a| process::is_alive(&a.process)).map(|a| {
        let Agent { kind, process, place, cwd, shared_server, .. } = a;
        let (conversation, asks, foreign) = (Conversation::Unknown, None, false);
        let seen = Sighting { kind, process, place, cwd, shared_server, conversation, asks, foreign };
        (seen, "a person's word (swarm register)".to_owned())
    });
    let found = survey.found.iter().find(|(s, _)| s.place.pane == pane).or(registered.as_ref());
    match found {
        Some((sighting, rule)) => text.push_str(&format!(
            "agent of kind {} (process {}), by {}\n",
            sighting.kind,
            sighting.process.pid,
            escape::line(rule)
        )),
        None => text.push_str(&format!(
            "no agent: no profile recognises any of these processes\n  if it is one: swarm register {pane}, or start it with SWARM_AGENT=KIND in its environment\n"
        )),
    }
    let recorded = found.and_then(|(sighting, _)| on_record(sighting));
    if let Some((_, agent)) = &recorded {
        text.push_str(&name(agent));
    }
    let kind = found.map(|(sighting, _)| sighting.kind.as_str());
    if let (Some(profile), true) = (&given, given.as_ref().map(|p| p.kind.as_str()) != kind) {
        text.push_str(&format!("its screen by the rules for {}, all the same:\n", profile.kind));
    }
    let given = given.filter(|p| p.has_screen);
    if let (Some((sighting, _)), None) = (found, &given)
        && profiles.get(&sighting.kind).is_none()
    {
        let kind = &sighting.kind;
        let why = profiles.why_not(kind);
        text.push_str(&format!("state: not known, so nothing is typed there: {why}\n"));
        if profiles.file(kind).is_none() {
            text.push_str(&remedy(&pane, kind));
        }
    }
    if let Some((sighting, _)) = found {
        text.push_str(&format!("proof: {}\n", proof(sighting)));
    }
    let profile = given.as_ref().or_else(|| profiles.get(kind?));
    if let (Some(profile), Some(look)) = (profile, server.look(&pane)?) {
        let pid = found.map_or(listed.pid, |(sighting, _)| sighting.process.pid);
        let reading = observe::reading(profile, pid, &look);
        text.push_str(&format!("state: {}\n", reading.state.word()));
        if let Some(open) = &reading.open {
            text.push_str(&format!("  {}\n", escape::line(&open.to_string())));
        }
        for evidence in &reading.evidence {
            text.push_str(&format!("  because {}\n", escape::line(evidence)));
        }
        if let Some(agent) = &recorded {
            text.push_str(&sources(agent, profile, reading.state));
            text.push_str(&ways(agent, profile));
        }
    }
    print::out(&text)
}
