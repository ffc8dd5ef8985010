use super::{agents, print, session};
use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::name::Name;
use crate::core::plural::plural;
use crate::courier::start;
use crate::roster::{discovery, rules};
use crate::store::Store;
use crate::tmux::Server;
use anyhow::Result;
use serde_json::json;

/// Find the agents in the panes of this tmux server and give new ones their names
///
/// It searches one tmux server: the one you are in, or your default one. It registers the agents whose working
/// directory is in this project.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm discover\n  swarm discover --init --quiet")]
pub(super) struct Args {
    /// Set the project up first if necessary
    #[arg(long)]
    init: bool,
    /// For hooks: every project with agents here, no output, always exit code 0
    #[arg(long, hide = true)]
    from_tmux: bool,
    /// Also list agents that have ended
    #[arg(long)]
    all: bool,
    /// Print nothing
    #[arg(long, short)]
    quiet: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if args.from_tmux {
        // If a hook failed, tmux would put the person's pane into view mode.
        let _ = everywhere();
        return Ok(());
    }
    let here = session::here()?;
    let store = if args.init { Store::init(&here)?.0 } else { session::open()? };
    session::tell_news(&store);
    let server = Server::current();
    let profiles = session::profiles()?;
    let (survey, agents, changes) = discovery::discover(&store, &server, &profiles, discovery::SAYS_SOON)?;
    session::publish_limit(&store, &agents);
    // A person who runs it wants swarm here (again).
    store.reinstate()?;
    start::ensure(&store, &server)?;
    if args.quiet {
        return Ok(());
    }
    let mut seen = agents::look(&store, &profiles)?;
    seen.agents.retain(|a| args.all || a.is_live());
    if args.json {
        let back: Vec<&Name> = changes.heirs.iter().map(|(name, _)| name).collect();
        return print::object(
            json!({"new": changes.new, "back": back, "died": changes.died, "agents": agents::as_json(&seen.agents)}),
        );
    }
    let mut text: String =
        changes.heirs.iter().map(|(name, by)| format!("{name} is back: {}\n", by.told())).collect();
    text.push_str(&agents::table(&seen));
    let elsewhere = survey.split(store.root()).1.len();
    if elsewhere > 0 {
        text.push_str(&format!(
            "{} outside {}\n",
            plural(elsewhere, "more agent"),
            crate::core::escape::line(&store.root().display().to_string())
        ));
    }
    text.push_str(&session::tell_speechless(&store.agents()?));
    print::out(&text)
}

/// Finds the first agents of a project, and starts its courier. `false`: there are none.
pub(super) fn first(store: &Store, profiles: &Profiles) -> Result<bool> {
    let server = Server::current();
    let (_, agents, _) = discovery::discover(store, &server, profiles, discovery::SAYS_SOON)?;
    let found = agents.iter().any(Agent::is_live);
    if found {
        start::ensure(store, &server)?;
    }
    Ok(found)
}

#[inline(never)]
fn everywhere() -> Result<()> {
    let server = Server::current();
    let survey = discovery::survey(&server, &rules::load()?)?;
    for root in survey.roots() {
        // A failure in one project must not affect another.
        let _ = Store::open_root(&root).and_then(|store| {
            discovery::register(&store, &survey, &server, true)?;
            start::ensure(&store, &server)
        });
    }
    Ok(())
}
