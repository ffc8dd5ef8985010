use super::{print, session};
use crate::courier::{keeper, succession};
use crate::store::Store;
use crate::tmux::Server;
use anyhow::Result;
use std::path::PathBuf;

/// Run the courier of this project (started by itself when needed)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm courier\n  swarm courier --socket /tmp/tmux-1000/default --root /home/me/project"
)]
pub(super) struct Args {
    /// The project's root
    #[arg(long)]
    root: Option<PathBuf>,
    /// The tmux server to begin with
    #[arg(long)]
    socket: Option<String>,
    /// Report when it serves, so that the courier that started it can end
    #[arg(long, hide = true)]
    succeed: bool,
    /// Wait for the end of the courier at the other end of standard input, and start another if it was killed
    #[arg(long, hide = true)]
    keep: bool,
    /// How many couriers in a row died soon after their start
    #[arg(long, hide = true, default_value_t = 0)]
    fallen: u32,
}

pub(super) fn run(args: &Args) -> Result<()> {
    // A session of its own, because it must outlive the terminal and the process group of its start. It may lead one
    // already.
    let _ = nix::unistd::setsid();
    let store = match &args.root {
        Some(root) => Store::open_root(root)?,
        None => Store::open(&session::here()?)?,
    };
    let server = args.socket.as_deref().map_or_else(Server::current, Server::new);
    if args.keep {
        return keeper::watch(&store, &server, args.fallen);
    }
    crate::courier::run(&store, &server, args.fallen, || {
        if args.succeed {
            // If its predecessor was killed, nobody reads it.
            let _ = print::out(&format!("{}\n", succession::SERVES));
        }
    })
}
