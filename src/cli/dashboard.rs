use super::here::{self, Place};
use super::{hooks, print, session};
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::store::Store;
use crate::tmux::Server;
use crate::view;
use anyhow::Result;

/// Show the project on one screen: agents, messages, leases, and what waits and why; ? lists the keys
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
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    view::run(
        &store,
        &view::Options { popup: args.popup, client: args.client.clone(), colour },
        || start::revive(&store),
        |name| hooks::unreached(&store, name),
    )
}

/// The project of this directory, or else the one on this tmux server that is meant. `None`: the person left.
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
