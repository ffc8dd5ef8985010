use super::log::since;
use super::print;
use super::session::Session;
use crate::core::agent::{Agent, Status};
use crate::core::digest::{AgentDigest, Digest, Presence, brief};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::few::Few;
use crate::core::name::Name;
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::{Value, json};

/// Show what happened while you were away: each agent's messages to you, whether it ended, and what it did not get or
/// finish
///
/// You are away when you have done nothing in the project for 15 minutes: no message written or read, no lease, no
/// task, no dashboard opened. Without --since it starts at the beginning of your last absence. It marks nothing as
/// read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm digest\n  swarm digest --since 24h --json")]
pub(super) struct Args {
    /// Show this last time, such as 90s, 15m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print one line if you are away until now, and record that you look now: the dashboard uses this
    #[arg(long, hide = true)]
    back: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::look()?;
    let (store, now) = (&session.store, now_ms());
    let mut presence = Presence::default();
    store.journal(|entry| presence.note(&entry))?;
    let begin = args.since.map(|ms| now.saturating_sub(ms)).or_else(|| presence.since(now));
    if args.back {
        let mut told = String::new();
        // For somebody who was here all the time nothing more is read.
        if let Some(since) = begin.filter(|_| presence.is_away(now)) {
            let all = brief(&of(store, since)?);
            if !all.is_empty() {
                told = format!("while you were away ({}): {all}\n", print::age(since, now));
            }
        }
        if session.is_human() {
            store.transact(|tx| tx.journal(&Event::Looked { by: &Name::human() }))?;
        }
        return print::out(&told);
    }
    let agents = of(store, begin.unwrap_or_default())?;
    let asking = |name: &str| session.agents.iter().find(|a| a.name.as_str() == name && is_asking(a));
    if args.json {
        let one = |(name, agent): (&String, &AgentDigest)| -> Result<Value> {
            let mut object = serde_json::to_value(agent)?;
            object["name"] = json!(name);
            object["dialog_since"] = json!(asking(name).map(|a| a.since));
            Ok(object)
        };
        let agents = agents.iter().map(one).collect::<Result<Vec<_>>>()?;
        return print::object(json!({"since": begin, "away": presence.is_away(now), "agents": agents}));
    }
    let from = match (begin, args.since) {
        (None, _) => "since the journal begins".to_owned(),
        (Some(at), None) => {
            let what = match (presence.is_away(now), presence.was_away()) {
                (true, _) => "you were last here",
                (_, true) => "your last absence began",
                _ => "your first act here",
            };
            format!("since {what}, {} ago", print::age(at, now))
        }
        (Some(at), Some(_)) => format!("in the last {}", print::age(at, now)),
    };
    if agents.is_empty() {
        return print::out(&format!("{from}: nothing happened\n"));
    }
    let line = |(name, agent): (&String, &AgentDigest)| {
        let dialog = asking(name).map(|a| format!("a dialog is open, {}", print::age(a.since, now)));
        let words = agent.words(|at| print::age(at, now));
        let words: Vec<String> = dialog.into_iter().chain(Some(words).filter(|w| !w.is_empty())).collect();
        format!("  {:<16} {}\n", escape::short(name, 40), escape::line(&words.join("; ")))
    };
    let lines: String = agents.iter().map(line).collect();
    print::out(&format!("{from}:\n{lines}{}", what_to_do(&agents)))
}

fn is_asking(agent: &Agent) -> bool {
    agent.is_live() && agent.status == Status::Dialog
}

/// The events of each agent since that time, including agents with an open dialog.
fn of(store: &Store, since: u64) -> Result<Few<String, AgentDigest>> {
    let mut digest = Digest::since(since);
    store.journal(|entry| digest.note(&entry))?;
    let mut agents = digest.agents();
    for agent in store.living()?.iter().filter(|a| is_asking(a)) {
        agents.at(agent.name.to_string());
    }
    Ok(agents)
}

/// The commands to continue with.
fn what_to_do(agents: &Few<String, AgentDigest>) -> String {
    let mut all = Vec::new();
    if agents.values().any(|a| a.unread > 0) {
        all.push("read and answer: swarm inbox --open");
    }
    if agents.values().any(|a| a.dead_letters > 0) {
        all.push("dead letters: swarm dead");
    }
    if all.is_empty() { String::new() } else { format!("{}\n", all.join("; ")) }
}
