use super::print;
use super::session::Session;
use crate::core::agent::Agent;
use crate::core::group::{Groups, list};
use crate::core::name::Name;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use anyhow::Result;
use serde_json::{Value, json};

/// Make, list, change and remove groups of agents: a message to @GROUP goes to each member
///
/// A member is recorded by its name, so an agent that is started again stays a member. Only a person changes groups.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm group add api codex-1 claude-2\n  swarm group\n  swarm group remove api claude-2"
)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
}

/// The action; by default the list.
#[derive(Debug, clap::Subcommand)]
enum Act {
    /// List the groups and their members
    #[command(after_help = "Example:\n  swarm group list --json")]
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Make a group of these agents, or add them to it
    #[command(after_help = "Example:\n  swarm group add api codex-1 claude-2")]
    Add {
        /// The group, with or without its @
        group: String,
        /// The agents
        #[arg(required = true, value_name = "AGENT")]
        names: Vec<String>,
    },
    /// Take these agents out of a group; without agents, remove the group
    #[command(after_help = "Examples:\n  swarm group remove api claude-2\n  swarm group remove api")]
    Remove {
        /// The group, with or without its @
        group: String,
        /// The agents
        #[arg(value_name = "AGENT")]
        names: Vec<String>,
    },
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.act {
        None => show(false),
        Some(Act::List { json }) => show(*json),
        Some(Act::Add { group, names }) => add(group, names),
        Some(Act::Remove { group, names }) => remove(group, names),
    }
}

fn show(as_object: bool) -> Result<()> {
    let groups = Session::look()?.store.groups()?;
    if as_object {
        return print::object(json!({"groups": as_json(&groups)}));
    }
    if groups.is_empty() {
        return print::out("there are no groups; swarm group add NAME AGENT... makes one\n");
    }
    print::out(&lines(&groups))
}

fn add(group: &str, asked: &[String]) -> Result<()> {
    let mut session = by_person()?;
    let group = name(&session, group)?;
    let names = each(asked).map(|asked| member(&mut session, asked)).collect::<Result<Vec<_>>>()?;
    if names.is_empty() {
        return Err(Refusal::Usage("name the agents that are to be in the group".into()).into());
    }
    let is_new = session.store.groups()?.members(group.as_str()).is_none();
    session.store.transact(|tx| tx.change_groups("add", |groups| groups.add(&group, &names)))?;
    let has = session.store.groups()?.members(group.as_str()).map(list).unwrap_or_default();
    let made = if is_new { "is made" } else { "is changed" };
    print::out(&format!("@{group} {made}: {has}\n"))
}

/// The name of a group that must have members.
pub(super) fn name(session: &Session, group: &str) -> Result<Name> {
    let group = Groups::name(group)?;
    if let Some(agent) = session.everyone().find(|a| a.answers_to(&group)) {
        let text =
            format!("{} is called {group}, now or formerly: choose another name for the group", agent.name);
        return Err(Refusal::Usage(text).into());
    }
    Ok(group)
}

fn remove(group: &str, asked: &[String]) -> Result<()> {
    let session = by_person()?;
    let group = Groups::name(group)?;
    let groups = session.store.groups()?;
    let members = groups.members(group.as_str()).ok_or_else(|| groups.unknown(&group))?;
    // A member may have been renamed, or have ended long ago.
    let known = |asked: &str| -> Result<Name> {
        let name = Name::new(asked).map_err(|bad| Refusal::Usage(bad.to_string()))?;
        let bearer = session.everyone().find(|a| a.answers_to(&name)).map(|a| a.name.clone());
        Ok(bearer.filter(|now| members.contains(now)).unwrap_or(name))
    };
    let names = each(asked).map(known).collect::<Result<Vec<_>>>()?;
    if names.is_empty() && !asked.is_empty() {
        return Err(Refusal::Usage("name the agents that are to leave the group".into()).into());
    }
    let changed =
        session.store.transact(|tx| tx.change_groups("remove", |groups| groups.remove(&group, &names)))?;
    if names.is_empty() {
        let had = plural(changed.names.len(), "member");
        return print::out(&format!("@{group} is removed (it had {had})\n"));
    }
    let has = session.store.groups()?.members(group.as_str()).map(list).unwrap_or_default();
    print::out(&format!("@{group} is changed: {has}\n"))
}

/// Names given one by one or separated by commas.
fn each(asked: &[String]) -> impl Iterator<Item = &str> {
    asked.iter().flat_map(|one| one.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// The present name of the agent: one that runs, or an ended one on record.
fn member(session: &mut Session, asked: &str) -> Result<Name> {
    let unknown = |session: &Session| -> anyhow::Error { session.unknown(asked).into() };
    if let Some(group) = asked.strip_prefix('@') {
        let text = format!("@{group} is no agent: name the agents of the group one by one");
        return Err(Refusal::Usage(text).into());
    }
    let Ok(name) = Name::for_agent(asked) else {
        let text = format!("{} cannot be in a group: only agents can", crate::core::escape::short(asked, 40));
        return Err(if Name::new(asked).is_ok() { Refusal::Usage(text).into() } else { unknown(session) });
    };
    if session.agent(&name).is_none() {
        session.rediscover();
    }
    let of = |agent: &Agent| agent.name.clone();
    session.agent(&name).or_else(|| session.ended(&name)).map(of).ok_or_else(|| unknown(session))
}

fn by_person() -> Result<Session> {
    let session = Session::open()?;
    session.require_human("change groups")?;
    Ok(session)
}

/// The groups for people, one per line.
pub(super) fn lines(groups: &Groups) -> String {
    groups.iter().map(|(name, members)| format!("{:<16} {}\n", format!("@{name}"), list(members))).collect()
}

/// The groups as JSON.
pub(super) fn as_json(groups: &Groups) -> Value {
    groups.iter().map(|(name, members)| json!({"name": name, "members": members})).collect()
}
