//! What `swarm-link` does: the actions of `swarm team` that need the engine, and the link itself.
//!
//! Each action is one call of the engine, so the engine orders several that run at once.

use super::{Act, Args};
use crate::cli::{print, session};
use crate::core::address::HostName;
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::link::{self, setup};
use crate::store::Store;
use crate::store::team::{Ask, Engine};
use anyhow::Result;
use clap::{Parser, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Link this host's project to its team (started by itself when needed).
#[derive(Debug, Parser)]
#[command(name = "swarm-link", version = concat!(env!("CARGO_PKG_VERSION"), " (protocol 1)"))]
struct SwarmLink {
    #[command(subcommand)]
    command: LinkCommand,
}

#[derive(Debug, Subcommand)]
enum LinkCommand {
    /// A team over several hosts
    Team(Args),
    /// Run the link of a project
    Run {
        /// The project's root
        #[arg(long)]
        root: PathBuf,
    },
    /// Keep a team's engine running for one who came by ssh
    Serve {
        /// The team
        id: String,
    },
    /// Print where a team's socket is on this machine
    Where {
        /// The team
        id: String,
    },
}

/// Runs `swarm-link` with this process's arguments.
pub fn swarm_link() -> ExitCode {
    crate::cli::run::<SwarmLink>(|cli| match cli.command {
        LinkCommand::Team(args) => args.act.map_or(Ok(()), |act| run(&act)),
        LinkCommand::Run { root } => {
            // Its own session: it must outlive the terminal and the group it was started from.
            let _ = nix::unistd::setsid();
            link::run(&Store::open_root(&root)?)
        }
        LinkCommand::Serve { id } => {
            // Where the key of a host may do nothing but this, ssh says here what was asked for.
            let asked = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
            if asked.ends_with(&format!(" swarm-link where {id}")) {
                return print::path(&setup::place(&id)?);
            }
            link::serve(&id)
        }
        LinkCommand::Where { id } => print::path(&setup::place(&id)?),
    })
}

fn host(asked: Option<&String>) -> Result<HostName> {
    match asked {
        Some(name) => HostName::new(name).map_err(|why| Refusal::Usage(why).into()),
        None => Ok(setup::own_name()),
    }
}

/// Only a person makes and leaves teams: an agent could let strangers write to everybody here.
fn for_a_person() -> Result<Store> {
    let session = session::Session::open()?;
    if session.is_human() {
        return Ok(session.store);
    }
    Err(Refusal::Usage("only a person may make, join or leave a team: ask the human to run this".into())
        .into())
}

fn run(act: &Act) -> Result<()> {
    let store = for_a_person()?;
    match act {
        Act::Status { .. } | Act::Hosts { .. } => Ok(()),
        Act::Init { host: name, ttl_ms } => {
            let me = setup::init(&store, &host(name.as_ref())?, *ttl_ms)?;
            await_link(&store)?;
            let dir = match &me.engine {
                Engine::Own(dir) => dir.display().to_string(),
                _ => String::new(),
            };
            print::out(&format!(
                "team {} is made; this host is {}. Its PostgreSQL is in {} and listens on a socket there, on no port.\nInvite another host: swarm team invite\n",
                me.id,
                me.host,
                escape::line(&dir)
            ))
        }
        Act::Invite => {
            let (me, code) = setup::invite(&store)?;
            start::ensure_link(&store);
            print::out(&format!(
                "On the other host, in its clone, within {} minutes (good once):\n  swarm team join ssh://{}/{} --code {code}\nWrite your ssh name of this machine in place of {}. On this machine: swarm team join {} --code {code} --host NAME\n",
                setup::INVITATION,
                setup::own_name(),
                me.id,
                setup::own_name(),
                me.id
            ))
        }
        Act::Join { place, code, host: name } => {
            let me = setup::join(&store, place, code, &host(name.as_ref())?)?;
            await_link(&store)?;
            print::out(&format!(
                "this project is in team {} now, as {}. Agents and people of its other hosts can write to yours; their messages are typed into your agents' panes, like any message (docs/security.md).\n",
                me.id, me.host
            ))
        }
        Act::Leave { force } => {
            let ended = setup::leave(&store, *force)?;
            print::out(if ended {
                "the team has ended; its PostgreSQL is stopped, its files still exist\n"
            } else {
                "this project has left the team\n"
            })
        }
        Act::Remove { host: name } => {
            let name = host(Some(name))?;
            setup::call(&store, "remove", json!({"name": name}))?;
            print::out(&format!(
                "{name} is removed from the team: its leases are free, and it has no access\n"
            ))
        }
        Act::Reset { yes } => {
            if !yes {
                return Err(Refusal::Usage(
                    "this ends all team leases and starts again with higher numbers; use --yes once no agent edits a path that it holds in the team".into(),
                )
                .into());
            }
            let (version, last) = link::seen(&store)?;
            setup::call(&store, "reset", json!({"version": version, "last": last}))?;
            store.ring_link();
            print::out("the team starts again: its leases must be taken again\n")
        }
    }
}

/// Starts the link if necessary, and waits for its first report.
fn await_link(store: &Store) -> Result<()> {
    start::ensure_link(store);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if matches!(
            store.ask_team(&Ask::Look, Duration::from_millis(500))?,
            Some(crate::store::team::Answer::Seen(_))
        ) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    print::tell("the link has not reached the engine yet; swarm team shows its state");
    Ok(())
}
