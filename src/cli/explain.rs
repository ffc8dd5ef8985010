use super::{print, profile, session};
use crate::agents::{Profile, Profiles, Reading};
use crate::carriers;
use crate::core::agent::{Agent, Status, is_pane_id};
use crate::core::config::Settings;
use crate::core::escape;
use crate::core::heir::Conversation;
use crate::core::refusal::Refusal;
use crate::core::registry::Sighting;
use crate::hooks::report;
use crate::os::forest::Forest;
use crate::os::process;
use crate::roster::discovery::{self, Survey};
use crate::roster::observe;
use crate::store::config::Files;
use crate::store::profiles::Shelf;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use crate::tmux::panes::Pane;
use anyhow::Result;
use std::path::Path;

/// Show how swarm sees a pane: which rule found the agent, how its screen is read and why, and how its mail reaches
/// it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm explain %5\n  swarm explain claude-1\n  swarm explain --profile my-agent.toml %5"
)]
pub(super) struct Args {
    /// A pane such as %5, or an agent's name
    pane: String,
    /// Read its screen with this profile, a file or a kind, instead of the one in use
    #[arg(long, value_name = "FILE")]
    profile: Option<String>,
}

/// The seen agent's record.
fn on_record(sighting: &Sighting) -> Option<(Store, Agent)> {
    let store = Store::open_around(Path::new(&sighting.cwd)).ok()?;
    let agent = store.agents().ok()?.into_iter().find(|a| a.is_live() && a.process == sighting.process)?;
    Some((store, agent))
}

/// The name of an agent, and its origin.
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

/// An agent's state by sources other than the screen, since when, and whether they differ.
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

/// The carriers of its mail, and why the others are not used.
fn ways((store, agent): &(Store, Agent), profile: &Profile) -> String {
    let settings = Settings::from(&Files::of(Some(store.root())).load());
    let ways =
        carriers::ways(agent, &profile.carriers, settings.carriers(agent), settings.carriers_key(agent));
    let open: Vec<&str> = ways.iter().filter(|(_, judged)| judged.is_ok()).map(|(c, _)| c.word()).collect();
    let mut text = match &open[..] {
        [] => format!(
            "mail cannot reach it: the setting {} allows nothing that works here\n",
            settings.carriers_key(agent)
        ),
        open => format!("mail goes by {}\n", open.join(", else by ")),
    };
    for (carrier, judged) in &ways {
        if let Err(why) = judged {
            text.push_str(&format!("  not by {}: {}\n", carrier.word(), escape::line(why)));
        }
    }
    text
}

/// Programs whose processes run where they cannot be seen from here.
const AWAY: [&str; 9] =
    ["ssh", "mosh-client", "docker", "podman", "nerdctl", "kubectl", "devcontainer", "limactl", "machinectl"];

/// The program by which an agent runs where its processes cannot be seen from here.
pub(super) fn away(pid: i32) -> Option<String> {
    // A wrapper runs such a program in the foreground of its terminal; an agent's tool is never there.
    let in_front = |p: &process::Process| p.group == p.foreground && AWAY.contains(&p.comm.as_str());
    Some(Forest::look().ok()?.tree(pid).find(in_front)?.comm)
}

/// The evidence by which an agent's commands are recognised.
pub(super) fn proof(agent: &Sighting) -> String {
    let pid = agent.process.pid;
    let away = away(pid);
    match &agent.shared_server {
        _ if away.is_some() => format!(
            "what {} runs cannot be seen from here: its commands cannot prove whose they are, and count as its own only by what they say (env)",
            away.unwrap_or_default()
        ),
        Some(_) => {
            "its tools run in a server that several agents share: SWARM_NAME says which one it is (env)"
                .to_owned()
        }
        None => format!("commands below process {pid} are its own"),
    }
}

/// The advice for an agent without rules.
fn remedy(pane: &str, kind: &str) -> String {
    let file =
        Shelf::of(None).dir().map_or_else(|| "KIND.toml".into(), |dir| dir.join(format!("{kind}.toml")));
    format!(
        "  to have mail typed into it, make rules for its screen (docs/agents.md):\n    swarm profile record {pane} screens/\n    swarm profile new {kind} screens/ > {kind}.toml\n    swarm profile check {kind}.toml screens/\n  and when that finds no false idle: copy {kind}.toml to {}\n",
        escape::line(&file.display().to_string())
    )
}

/// The pane with this id, or of the agent with this name; its server, and the agent on record there.
pub(super) fn target(asked_for: &str) -> Result<(Server, String, Option<Agent>)> {
    let here = session::here()?;
    let known =
        Store::root_for_caller(&here).map(|_| session::project().and_then(|s| s.agents())).transpose();
    let by_name = match known {
        Ok(agents) => agents.unwrap_or_default(),
        // A pane is looked at in any state of the project; without a project, a name means nothing.
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

/// The processes in a pane.
fn processes(pane: &Pane, survey: &Survey) -> String {
    let mut text = format!("pane {} ({}), first process {}\n", pane.id, pane.place, pane.pid);
    for process in survey.forest.tree(pane.pid) {
        let argv = process.argv().join(" ");
        text.push_str(&format!(
            "  process {} {}: {}\n",
            process.pid,
            escape::short(&process.comm, 20),
            escape::short(&argv, 90)
        ));
    }
    text
}

/// The agent that a person has registered, in the form of a discovered one.
fn registered(agent: Agent) -> (Sighting, String) {
    let Agent { kind, process, place, cwd, shared_server, .. } = agent;
    let (conversation, asks) = (Conversation::Unknown, None);
    let seen = Sighting { kind, process, place, cwd, shared_server, conversation, asks };
    (seen, "a person's word (swarm register)".to_owned())
}

/// The agent in a pane, and the rule that found it.
fn finding(pane: &str, found: Option<&(Sighting, String)>) -> String {
    match found {
        Some((sighting, rule)) => format!(
            "agent of kind {} (process {}), by {}\n",
            sighting.kind,
            sighting.process.pid,
            escape::line(rule)
        ),
        None => format!(
            "no agent: no profile recognises any of these processes\n  if it is one: swarm register {pane}, or start it with SWARM_AGENT=KIND in its environment\n"
        ),
    }
}

/// Why nothing is typed into an agent without rules, and how to make rules; empty if it has rules.
fn without_rules(pane: &str, kind: &str, profiles: &Profiles) -> String {
    if profiles.get(kind).is_some() {
        return String::new();
    }
    let mut text = format!("state: not known, so nothing is typed there: {}\n", profiles.why_not(kind));
    if profiles.file(kind).is_none() {
        text.push_str(&remedy(pane, kind));
    }
    text
}

/// The reading of a screen, with its evidence.
fn state(reading: &Reading) -> String {
    let mut text = format!("state: {}\n", reading.state.word());
    if let Some(open) = &reading.open {
        text.push_str(&format!("  {}\n", escape::line(&open.to_string())));
    }
    for evidence in &reading.evidence {
        text.push_str(&format!("  because {}\n", escape::line(evidence)));
    }
    text
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
    let by_word = recorded.filter(|a| process::is_alive(&a.process)).map(registered);
    let found = survey.found.iter().find(|(s, _)| s.place.pane == pane).or(by_word.as_ref());
    let mut text = processes(listed, &survey);
    text.push_str(&finding(&pane, found));
    let found = found.map(|(sighting, _)| sighting);
    let recorded = found.and_then(on_record);
    if let Some((_, agent)) = &recorded {
        text.push_str(&name(agent));
    }
    let kind = found.map(|sighting| sighting.kind.as_str());
    if let Some(profile) = given.as_ref().filter(|profile| kind != Some(profile.kind.as_str())) {
        text.push_str(&format!("its screen by the rules for {}, all the same:\n", profile.kind));
    }
    let given = given.filter(|p| p.has_screen);
    if let Some(sighting) = found {
        if given.is_none() {
            text.push_str(&without_rules(&pane, &sighting.kind, &profiles));
        }
        text.push_str(&format!("proof: {}\n", proof(sighting)));
    }
    let profile = given.as_ref().or_else(|| profiles.get(kind?));
    if let (Some(profile), Some(look)) = (profile, server.look(&pane)?) {
        let pid = found.map_or(listed.pid, |sighting| sighting.process.pid);
        let reading = observe::reading(profile, pid, &look);
        text.push_str(&state(&reading));
        if let Some(agent) = &recorded {
            text.push_str(&sources(agent, profile, reading.state));
            text.push_str(&ways(agent, profile));
        }
    }
    print::out(&text)
}
