//! The acts of `swarm-link`: the actions of `swarm team` that need the engine, and the link itself.
//!
//! Each action is one call of the engine, so the engine orders several that run at once.

use super::Act;
use crate::cli::print;
use crate::core::address::HostName;
use crate::core::escape;
use crate::core::message::Identity;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::link::{self, setup};
use crate::os::caller::{self, Chain};
use crate::store::Store;
use crate::store::team::{Ask, Engine};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const HELP: &str = "Link this host's project to its team over several hosts. It is started when it is needed: the commands are those of `swarm team`.

Usage:
  swarm-link serve ID          keep a team's engine running for a host that comes by ssh
  swarm-link where ID          print where a team's socket is on this machine
  swarm-link run --root PATH   run the link of a project
  swarm-link --version
";

/// Runs `swarm-link` with this process's arguments. There are few, mostly from `swarm`, so no parser is linked in for
/// them.
pub fn swarm_link() -> ExitCode {
    crate::cli::own_what_is_made();
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    crate::cli::finish(match (args.len() == words.len(), &words[..]) {
        (true, ["--version" | "-V"]) => {
            print::out(concat!("swarm-link ", env!("CARGO_PKG_VERSION"), " (protocol 1)\n"))
        }
        (true, ["--help" | "-h" | "help"]) => print::out(HELP),
        (true, ["serve", id]) => serve(id),
        (true, ["where", id]) => place(id),
        (true, ["act", "--root", root, act]) => asked(Path::new(root), act),
        (_, ["run", "--root", ..]) if args.len() == 3 => {
            // A session of its own, because it must outlive the terminal and the process group of its start.
            let _ = nix::unistd::setsid();
            Store::open_root(Path::new(&args[2])).and_then(|store| link::run(&store, start::revive))
        }
        _ => {
            Err(Refusal::Usage("this is started by `swarm team`; `swarm-link --help` says how".into()).into())
        }
    })
}

fn place(id: &str) -> Result<()> {
    print::path(&setup::place(id)?)
}

fn serve(id: &str) -> Result<()> {
    // If the key of a host allows only this command, ssh passes the requested command here.
    let asked = std::env::var("SSH_ORIGINAL_COMMAND").unwrap_or_default();
    if asked.ends_with(&format!(" swarm-link where {id}")) {
        return place(id);
    }
    link::serve(id)
}

/// Performs an action of `swarm team`, which has checked that a person calls. A caller that bypasses `swarm team`
/// must at least not be an agent on record.
fn asked(root: &Path, act: &str) -> Result<()> {
    let store = Store::open_root(root)?;
    let caller = caller::identify(&store.living()?, None, &Chain::look()?)?;
    if caller.identity != Identity::Human || !caller.whole {
        return Err(Refusal::only_human(super::FOR_THE_HUMAN).into());
    }
    run(&store, &serde_json::from_slice(act.as_bytes()).context("cannot read what is to be done")?)
}

fn host(asked: Option<&String>) -> Result<HostName> {
    match asked {
        Some(name) => HostName::new(name).map_err(|why| Refusal::Usage(why).into()),
        None => Ok(setup::own_name()),
    }
}

fn run(store: &Store, act: &Act) -> Result<()> {
    match act {
        Act::Status { .. } | Act::Hosts { .. } => Ok(()),
        Act::Init { host: name, ttl_ms } => {
            let me = setup::init(store, &host(name.as_ref())?, *ttl_ms)?;
            await_link(store)?;
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
            let (me, code) = setup::invite(store)?;
            start::ensure_link(store);
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
            let me = setup::join(store, place, code, &host(name.as_ref())?)?;
            await_link(store)?;
            print::out(&format!(
                "this project is in team {} now, as {}. Agents and people of its other hosts can write to yours; their messages are typed into your agents' panes, like any message (docs/security.md).\n",
                me.id, me.host
            ))
        }
        Act::Leave { force } => {
            let ended = setup::leave(store, *force)?;
            print::out(if ended {
                "the team has ended; its PostgreSQL is stopped, its files still exist\n"
            } else {
                "this project has left the team\n"
            })
        }
        Act::Remove { host: name } => {
            let name = host(Some(name))?;
            setup::call(store, "remove", json!({"name": name}))?;
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
            let (version, last) = link::seen(store)?;
            setup::call(store, "reset", json!({"version": version, "last": last}))?;
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
