use super::here::{self, Place};
use super::{dialog, hooks, launch, print, session};
use crate::carriers;
use crate::core::agent::Agent;
use crate::core::config::Settings;
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::roster::{observe, projects};
use crate::store::Store;
use crate::store::config::Files;
use crate::tmux::Server;
use crate::view::dashboard::{self, AgentFacts, Neighbour, Options, Outside};
use anyhow::Result;
use std::time::Duration;

/// How long tmux may take for additional facts.
const PATIENCE: Duration = Duration::from_secs(1);

/// Show the project on one screen: agents, threads, leases, tasks, and what needs you; ? lists the keys
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm dashboard\n  swarm dashboard --popup")]
pub(super) struct Args {
    /// Close when you go to a pane: for a popup
    #[arg(long)]
    popup: bool,
    /// The tmux client that goes to the pane [default: the one used last]
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if !print::is_interactive() {
        return Err(Refusal::Usage(
            "the dashboard needs a terminal; scripts read `swarm status --json` and `swarm agents --json`"
                .into(),
        )
        .into());
    }
    let Some(store) = store()? else { return Ok(()) };
    // Without a courier nothing is delivered, and the dashboard says so.
    let _ = start::ensure(&store, &Server::current());
    let settings = Settings::from(&Files::of(Some(store.root())).load());
    let options = Options {
        popup: args.popup,
        client: args.client.clone(),
        colour: std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        ascii: settings.ascii,
        label: projects::name(store.root()),
        keys: settings.keys,
    };
    let copy = |text: &str| Server::current().patient(PATIENCE).copy(text);
    let outside = Outside {
        revive: |store| start::revive(store),
        facts,
        projects: neighbours,
        answer: dialog::answer,
        kinds: launch::kinds,
        copy,
    };
    dashboard::run(&store, &options, outside)
}

/// The projects on the tmux server, unless the environment names one.
fn neighbours() -> Vec<Neighbour> {
    if Store::is_root_forced() {
        return Vec::new();
    }
    let all = projects::on(&Server::current().patient(PATIENCE)).unwrap_or_default();
    let row = |p: projects::Project| Neighbour {
        agents: p.agents.len(),
        needs: p.needs,
        unread: p.unread,
        label: p.label,
        store: p.store,
    };
    all.into_iter().map(row).collect()
}

/// Facts about an agent beside its records and its screen.
fn facts(store: &Store, name: &str) -> AgentFacts {
    let hooks = hooks::unreached(store, name);
    let hooks = hooks.map(|why| format!("hooks: {}", escape::line(&why))).unwrap_or_default();
    let agent = store.living().ok().and_then(|all| all.into_iter().find(|a| a.name.as_str() == name));
    let Some(agent) = agent else { return AgentFacts { hooks, ..AgentFacts::default() } };
    let panes = Server::new(&agent.place.socket).patient(PATIENCE).panes();
    let pane = panes.unwrap_or_default().into_iter().find(|pane| pane.id == agent.place.pane);
    let place = pane.map(|pane| escape::short(&pane.place, 40)).unwrap_or_default();
    let (evidence, channel) = read(store, &agent).unwrap_or_default();
    AgentFacts { place, evidence, channel, hooks }
}

/// The evidence for an agent's state, and the carriers of its mail.
fn read(store: &Store, agent: &Agent) -> Option<(String, String)> {
    let profiles = session::profiles().ok()?;
    let profile = profiles.get(&agent.kind)?;
    let settings = Settings::from(&Files::of(Some(store.root())).load());
    let ways =
        carriers::ways(agent, &profile.carriers, settings.carriers(agent), settings.carriers_key(agent));
    let open: Vec<&str> = ways.iter().filter(|(_, judged)| judged.is_ok()).map(|(c, _)| c.word()).collect();
    let channel = match &open[..] {
        [] => "no way leads its mail to it: e explains why".to_owned(),
        open => format!("mail goes by {}", open.join(", else by ")),
    };
    let look = Server::new(&agent.place.socket).patient(PATIENCE).look(&agent.place.pane).ok().flatten();
    let evidence = look.map(|look| {
        let reading = observe::reading(profile, agent.process.pid, &look);
        let because: Vec<String> = reading.evidence.iter().map(|why| escape::short(why, 120)).collect();
        format!("{} because {}", reading.state.word(), because.join("; "))
    });
    Some((evidence.unwrap_or_default(), channel))
}

/// The project of this directory, or else the one on this tmux server that the person chooses. `None`: the person
/// left.
fn store() -> Result<Option<Store>> {
    let here = session::here()?;
    if Store::root_for_caller(&here).is_some() {
        return Ok(Some(session::open()?));
    }
    match here::pick(&Server::current(), "The dashboard of which project?", None)? {
        Place::Root(root) => Store::open_root(&root).map(Some),
        Place::Left => Ok(None),
        Place::Nowhere | Place::New => session::open().map(Some),
    }
}
