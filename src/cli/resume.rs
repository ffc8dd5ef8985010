use super::launch::{self, Launched, Plan, SpotArgs, usage};
use super::print;
use super::session::{self, Session};
use crate::agents::Profiles;
use crate::core::agent::{Agent, MOST_STARTED};
use crate::core::escape;
use crate::core::name::Name;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::os::process;
use crate::store::now_ms;
use anyhow::Result;
use serde_json::json;
use std::path::Path;

/// Start ended agents again, each in its own conversation; without a name, list the ended agents
///
/// They keep their names, their mail and their remaining leases. It works if swarm knows the agent's conversation,
/// and its kind can continue one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm resume\n  swarm resume codex-1 reviewer\n  swarm resume --all --session agents"
)]
pub(super) struct Args {
    /// The ended agents
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All of them that can be resumed
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Print the names of those that can be resumed, one per line
    #[arg(long = "names", hide = true)]
    listed: bool,
    #[command(flatten)]
    spot: SpotArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = launch::by_person("resume")?;
    let profiles = session::profiles()?;
    if args.listed {
        let all = ended(&session).into_iter().filter(|agent| plan(&session, &profiles, agent).is_ok());
        return print::out(&all.map(|agent| format!("{}\n", agent.name)).collect::<String>());
    }
    if args.names.is_empty() && !args.all {
        return list(&session, &profiles, args.json);
    }
    let _alone = launch::alone(&mut session)?;
    let mut plans = Vec::new();
    if args.all {
        plans.extend(ended(&session).into_iter().filter_map(|agent| plan(&session, &profiles, agent).ok()));
    }
    for asked in &args.names {
        plans.push(plan(&session, &profiles, meant(&session, asked)?)?);
    }
    // Two ended agents may have been in one conversation: the later one continues it.
    let mut talks: Vec<Vec<String>> = Vec::new();
    plans.retain(|plan| {
        let is_new = !talks.contains(&plan.program);
        talks.push(plan.program.clone());
        is_new
    });
    if plans.len() > usize::from(MOST_STARTED) {
        let many = plural(plans.len(), "agent");
        return Err(usage(format!("that are {many}, and at most {MOST_STARTED} are started: name them")));
    }
    if plans.is_empty() {
        return Err(usage("no agent of this project ended that can be resumed; `swarm resume` says why"));
    }
    let all = launch::launch(&mut session, &plans, &args.spot)?;
    if args.json {
        print::object(launch::as_json(&all))?;
    } else {
        print::out(&launch::told(&all))?;
    }
    let other = |(one, plan): (&Launched, &Plan)| match (one, &plan.name) {
        (Launched::Up(agent), Some(name)) if !agent.answers_to(name) => {
            Some(format!("{name} is called {} now: swarm explain {0} says why", agent.name))
        }
        _ => None,
    };
    launch::outcome(&all, all.iter().zip(&plans).filter_map(other).collect())
}

/// The ended agents on record, the last one first.
pub(super) fn ended(session: &Session) -> Vec<&Agent> {
    let mut all: Vec<&Agent> = session.everyone().filter(|a| !a.is_live()).collect();
    order::sort_by_key(&mut all, |a| std::cmp::Reverse(a.died));
    all
}

/// The ended agent with that name.
fn meant<'a>(session: &'a Session, asked: &str) -> Result<&'a Agent> {
    let name = Name::for_agent(asked).ok();
    if let Some(agent) = name.as_ref().and_then(|name| session.agent(name)) {
        let pane = &agent.place.pane;
        return Err(usage(format!("{} runs, in {pane}: there is nothing to resume", agent.name)));
    }
    let known = || ended(session).iter().map(|a| a.name.to_string()).collect();
    name.as_ref()
        .and_then(|name| session.ended(name))
        .ok_or_else(|| Refusal::UnknownAgent { asked: escape::short(asked, 40), known: known() }.into())
}

/// How an ended agent is started again.
pub(super) fn plan(session: &Session, profiles: &Profiles, agent: &Agent) -> Result<Plan> {
    let (name, kind) = (&agent.name, &agent.kind);
    let again = || format!("start it again in its directory: swarm start {kind} --name {name}");
    let rules = profiles.process_rules(kind);
    let Some((rules, program)) =
        rules.and_then(|r| Some((r, r.start.as_ref()?))).filter(|(r, _)| !r.resume.is_empty())
    else {
        let kind = escape::short(kind, 40);
        return Err(usage(format!(
            "swarm does not know how {kind} continues a conversation: start {name} again by hand"
        )));
    };
    let Some(id) = agent.past.sessions.last() else {
        return Err(usage(format!("it is not known in which conversation {name} was: {}", again())));
    };
    if process::check_in(agent.place.namespace, &agent.process) != Some(false) {
        return Err(usage(format!("whether {name} has ended cannot be seen from here")));
    }
    let is_there = |a: &&Agent| a.is_live() && a.kind == *kind && a.past.sessions.last() == Some(id);
    if let Some(other) = session.agents.iter().find(is_there) {
        return Err(usage(format!(
            "{} is in the conversation of {name} already, in {}",
            other.name, other.place.pane
        )));
    }
    let words = rules.resume.iter().map(|word| word.replace("ID", id));
    Ok(Plan {
        kind: kind.clone(),
        name: Some(name.clone()),
        program: [launch::find(program)?].into_iter().chain(words).collect(),
        dir: launch::directory(&session.store, Path::new(&agent.cwd))?,
        hides: false,
    })
}

fn list(session: &Session, profiles: &Profiles, as_object: bool) -> Result<()> {
    let all: Vec<(&Agent, Option<String>)> = ended(session)
        .into_iter()
        .map(|agent| (agent, plan(session, profiles, agent).err().map(|why| format!("{why:#}"))))
        .collect();
    if as_object {
        let one = |(a, why): &(&Agent, Option<String>)| {
            json!({
                "name": a.name, "kind": a.kind, "died": a.died, "session": a.past.sessions.last(), "cwd": a.cwd, "hindrance": why,
            })
        };
        return print::object(json!({"ended": all.iter().map(one).collect::<Vec<_>>()}));
    }
    if all.is_empty() {
        return print::out("no agent of this project has ended in the last week\n");
    }
    let line = |(a, why): &(&Agent, Option<String>)| {
        let ago = a.died.map(|died| print::age(died, now_ms())).unwrap_or_default();
        let note = match why {
            None => format!("swarm resume {}", a.name),
            Some(why) => escape::line(why),
        };
        format!("{:<16} {:<9} ended {ago} ago  {note}\n", a.name, escape::short(&a.kind, 9))
    };
    print::out(&all.iter().map(line).collect::<String>())
}
