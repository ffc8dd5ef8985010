//! `swarm team`: makes a team over several hosts, and shows its state.
//!
//! Actions that need only files are done here. `swarm-link` does those that need the engine. It replaces this
//! process, so exit codes and signals are its own.

#[cfg(feature = "team")]
mod acts;
pub(super) mod lease;

use super::{print, session};
use crate::core::escape;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::core::team::Ticks;
use crate::courier::start;
use crate::os::clock;
use crate::store::team::{Ask, HostCard, Hosts, Membership};
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

#[cfg(feature = "team")]
pub use acts::swarm_link;

/// How long to wait for the link.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

#[allow(clippy::doc_markdown)] // help for people
/// Work in a team over several hosts: one roster, mail between hosts, and leases for the whole team
///
/// Each host keeps its own project, which also works without the team. Shared data goes through a small PostgreSQL on
/// one host; the others reach it by ssh. This needs `swarm-link` beside this program.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm team init\n  swarm team invite\n  swarm team join ssh://build/5f0c2a9e77b1d346 --code 7k2m-…\n  swarm team"
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) act: Option<Act>,
}

#[allow(clippy::doc_markdown)] // help for people
/// The action; by default the state.
#[derive(Debug, Serialize, Deserialize, clap::Subcommand)]
pub(super) enum Act {
    /// Show this host's link, the hosts and the team's leases
    #[command(after_help = "Example:\n  swarm team status --json")]
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a team with its own PostgreSQL on this machine; it needs no root, no port and no password
    #[command(after_help = "Examples:\n  swarm team init\n  swarm team init --host build")]
    Init {
        /// This host's name in the team [default: the machine's name]
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// How long a host without a sign of life counts as present (ms): for tests
        #[arg(long, hide = true)]
        ttl_ms: Option<u64>,
    },
    /// Print the command with which another host joins; it works once, for 15 minutes
    #[command(after_help = "Example:\n  swarm team invite")]
    Invite,
    /// Join a team; from then on its agents can write to yours
    #[command(after_help = "Example:\n  swarm team join ssh://build/5f0c2a9e77b1d346 --code 7k2m-…")]
    Join {
        /// The place that `invite` printed: `ssh://HOST/ID`; on the same machine the id alone; or the directory of a
        /// socket
        place: String,
        /// The code that `invite` printed
        #[arg(long)]
        code: String,
        /// This host's name in the team [default: the machine's name]
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
    },
    /// Leave the team; the host that made it leaves last, and ends it
    #[command(after_help = "Example:\n  swarm team leave")]
    Leave {
        /// Leave also if the engine cannot be reached
        #[arg(long)]
        force: bool,
    },
    /// List the hosts, when each was last heard, and its agents
    #[command(after_help = "Example:\n  swarm team hosts")]
    Hosts {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove a host from the team at once: its leases, its mail under way, its access
    #[command(after_help = "Example:\n  swarm team remove laptop")]
    Remove {
        /// The host to remove
        host: String,
    },
    /// Start again after the engine lost its latest records; all team leases must be taken again
    #[command(after_help = "Example:\n  swarm team reset --yes")]
    Reset {
        /// Do it, and do not only warn
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.act {
        None => status(false),
        Some(Act::Status { json }) => status(*json),
        Some(Act::Hosts { json }) => hosts(*json),
        Some(act) => hand_over(act),
    }
}

/// The acts that are for the human alone: an agent could let strangers write to everybody here.
const FOR_THE_HUMAN: &str = "make, join or leave a team";

/// Replaces this process by `swarm-link`, for a person.
fn hand_over(act: &Act) -> Result<()> {
    let session = session::Session::open()?;
    session.require_human(FOR_THE_HUMAN)?;
    let program = start::link_program()?;
    if !program.exists() {
        return Err(Refusal::Usage(format!(
            "{} is missing: build it with `cargo build --release --features team`, or `plugin/install.sh --team build` in the plugin's directory",
            program.display()
        ))
        .into());
    }
    let mut command = Command::new(&program);
    command.args(["act", "--root"]).arg(session.store.root()).arg(serde_json::to_string(act)?);
    let error = command.exec();
    Err(anyhow::Error::new(error).context(format!("cannot run {}", program.display())))
}

/// The project, and its membership.
fn member() -> Result<(Store, Membership)> {
    let store = session::project()?;
    let me = store.membership()?.ok_or_else(no_team)?;
    start::ensure_link(&store);
    Ok((store, me))
}

fn no_team() -> anyhow::Error {
    Refusal::Usage(
        "this project is in no team: `swarm team init` makes one, `swarm team join` enters one (docs/team.md)".into(),
    )
    .into()
}

/// Refuses a command that needs a team if there is no team, and starts the link.
pub(super) fn need(store: &Store) -> Result<()> {
    if store.has_team() {
        start::ensure_link(store);
        return Ok(());
    }
    Err(no_team())
}

fn status(as_json: bool) -> Result<()> {
    let (store, me) = member()?;
    // A link that has just been started needs a moment for its first answer.
    let seen = store.ask_team(&Ask::Look, PATIENCE)?;
    let (hosts, board, now) = (store.hosts()?, store.board()?, clock::ticks()?);
    let believed = board.as_ref().is_some_and(|b| b.is_believed(&now));
    if as_json {
        return print::object(json!({
            "team": me.id, "host": me.host, "admin": me.admin, "link": link_json(&hosts, seen.is_some()), "believed": believed,
            "hosts": hosts.hosts.iter().map(|h| host_json(h, &me)).collect::<Vec<_>>(),
            "leases": board.map(|b| lease::board_json(&b, &now)).unwrap_or_default(),
        }));
    }
    let mut text =
        format!("team {} · this host is {}\n{}\n", me.id, me.host, link_line(&hosts, seen.is_some()));
    for host in &hosts.hosts {
        text.push_str(&format!("{}\n", host_line(host, &me)));
    }
    if let Some(board) = &board {
        text.push_str(&lease::list(board, &now));
    }
    print::out(&text)
}

fn link_line(hosts: &Hosts, answers: bool) -> String {
    let link = &hosts.link;
    let trouble = link.trouble.as_ref().map(|why| format!(" · {why}")).unwrap_or_default();
    match &link.cut {
        _ if !answers && link.cut.is_none() => {
            format!("link: does not answer; last heard {}{trouble}", age(link.heard))
        }
        Some((since, why)) => format!("link: cut off for {}: {}{trouble}", age(*since), escape::line(why)),
        None => format!("link: up, {} ms · PostgreSQL {}", link.rtt_ms, escape::line(&link.engine)),
    }
}

fn link_json(hosts: &Hosts, answers: bool) -> Value {
    let link = &hosts.link;
    json!({
        "answers": answers, "heard": link.heard, "rtt_ms": link.rtt_ms, "engine": link.engine, "trouble": link.trouble,
        "cut_since": link.cut.as_ref().map(|(since, _)| since), "why": link.cut.as_ref().map(|(_, why)| why),
    })
}

fn age(then: u64) -> String {
    if then == 0 { "never".to_owned() } else { print::age(then, now_ms()) }
}

fn host_line(host: &HostCard, me: &Membership) -> String {
    let (sign, heard) = if host.name == me.host {
        ("●", "you".to_owned())
    } else if host.is_reached(now_ms()) {
        ("●", format!("heard {} ago", age(host.heard)))
    } else if host.heard == 0 {
        ("○", "never heard".to_owned())
    } else {
        ("○", format!("not reached, last heard {} ago", age(host.heard)))
    };
    let known = if host.known { "" } else { ", nobody has vouched for its key yet" };
    format!("{sign} {:<16} {heard}{known}, {}", host.name, plural(host.members.len(), "agent"))
}

fn host_json(host: &HostCard, me: &Membership) -> Value {
    json!({
        "name": host.name, "you": host.name == me.host, "heard": host.heard, "reached": host.is_reached(now_ms()), "known": host.known,
        "agents": host.members.iter().map(|m| json!({"name": m.name, "kind": m.kind, "state": m.state})).collect::<Vec<_>>(),
    })
}

fn hosts(as_json: bool) -> Result<()> {
    let (store, me) = member()?;
    let hosts = store.hosts()?;
    if as_json {
        let all: Vec<Value> = hosts.hosts.iter().map(|h| host_json(h, &me)).collect();
        return print::object(json!({ "hosts": all }));
    }
    let mut text = String::new();
    for host in &hosts.hosts {
        text.push_str(&format!("{}\n", host_line(host, &me)));
        for member in &host.members {
            text.push_str(&format!(
                "    {:<16} {:<10} {}\n",
                member.name,
                escape::line(&member.kind),
                escape::line(&member.state)
            ));
        }
    }
    print::out(&text)
}

/// The agents on other hosts, one line each, for `who`.
pub(super) fn roster(store: &Store) -> Result<Vec<(String, String)>> {
    let Some(me) = store.has_team().then(|| store.board()).transpose()?.flatten().map(|b| b.host) else {
        return Ok(Vec::new());
    };
    let mut lines = Vec::new();
    for host in store.hosts()?.hosts.iter().filter(|h| h.is_other(Some(&me))) {
        let reached = host.is_reached(now_ms());
        for member in &host.members {
            let state = if reached {
                format!("{}  {}", escape::line(&member.state), age(host.heard))
            } else {
                format!("unknown: {} was last heard {} ago", host.name, age(host.heard))
            };
            lines.push((
                format!("{}/{}", host.name, member.name),
                format!("{:<8} {state}", escape::short(&member.kind, 32)),
            ));
        }
        if host.members.is_empty() {
            let seen = if reached {
                String::new()
            } else {
                format!("; {} was last heard {} ago", host.name, age(host.heard))
            };
            lines.push((format!("{}/human", host.name), format!("the person there{seen}")));
        }
    }
    Ok(lines)
}

/// The clock for comparisons with a board.
pub(super) fn ticks() -> Result<Ticks> {
    clock::ticks()
}
