use super::compose::{self, Reporting};
use super::launch::{self, Plan, SpotArgs, usage};
use super::session::{self, Session};
use super::{group, name, print};
use crate::agents::Profiles;
use crate::core::agent::{Agent, MOST_STARTED};
use crate::core::escape;
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::refusal;
use crate::os::git;
use crate::store::Store;
use anyhow::Result;
use std::path::PathBuf;

/// Start agents in tmux windows of their own, with a name and a first message if you like
///
/// The windows open in the background. The prompt is a message from you: it reaches each agent once, when it is idle.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm start claude\n  swarm start codex --count 3 --name \"api-#\" --group api --prompt \"read docs/api.md, then wait\"\n  swarm start claude --pane -- --permission-mode plan"
)]
pub(super) struct Args {
    /// The kind: claude, codex, gemini, …
    kind: String,
    /// How many, at most 16
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_STARTED)))]
    count: u8,
    /// The name; for several, with # for the number
    #[arg(long)]
    name: Option<String>,
    /// Add them to this group, which is made if it does not exist
    #[arg(long)]
    group: Option<String>,
    /// Their first message; - reads it from standard input
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// The directory in which they start [default: the top of the work tree that you are in]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    spot: SpotArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Arguments for the kind's program; or another program, and its arguments
    #[arg(last = true, value_name = "PROGRAM|ARGUMENT")]
    program: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let prompt = args.prompt.as_deref().map(compose::body).transpose()?;
    let mut session = launch::by_person("start")?;
    let _alone = launch::alone(&mut session)?;
    let plans = plans(&session, args)?;
    let group = args.group.as_deref().map(|asked| group::name(&session, asked)).transpose()?;
    let all = launch::launch(&mut session, &plans, &args.spot)?;
    let names = launch::names(&all);
    let mut wrong = Vec::new();
    if let Some(group) = group.filter(|_| !names.is_empty())
        && let Err(why) = session.store.transact(|tx| tx.change_groups("add", |all| all.add(&group, &names)))
    {
        wrong.push(format!("they are not in @{group}: {why:#}"));
    }
    let report = Reporting::aside(args.json);
    let sent = prompt.filter(|_| !names.is_empty()).map(|body| {
        let draft = compose::draft(&session, names, MessageType::Info, body);
        compose::post(&session, draft)
    });
    let sent = sent.transpose().unwrap_or_else(|why| {
        wrong.push(format!("the prompt is not sent: {why:#}"));
        None
    });
    if args.json {
        let mut object = launch::as_json(&all);
        if let Some(message) = &sent {
            object["prompt"] = compose::watched(&session, message, report)?;
        }
        print::object(object)?;
    } else {
        print::out(&launch::told(&all))?;
        sent.iter().try_for_each(|message| compose::watch(&session, message, report))?;
    }
    launch::outcome(&all, wrong)
}

fn plans(session: &Session, args: &Args) -> Result<Vec<Plan>> {
    let (program, hides) = program(&session::profiles()?, args)?;
    let names = named(session, args)?;
    let dir = match &args.dir {
        Some(dir) => launch::directory(&session.store, dir)?,
        None => top(&session.store)?,
    };
    let plan =
        |name| Plan { kind: args.kind.clone(), name, program: program.clone(), dir: dir.clone(), hides };
    Ok(names.into_iter().map(plan).collect())
}

/// The command line, and whether it hides the agent from its profile.
fn program(profiles: &Profiles, args: &Args) -> Result<(Vec<String>, bool)> {
    let known: Vec<&str> = profiles.startable().map(|(kind, _)| kind).collect();
    let Some(rules) = profiles.process_rules(&args.kind) else {
        let (asked, meant) = (escape::short(&args.kind, 40), refusal::meant(&args.kind, &known));
        return Err(usage(format!(
            "no kind of agent is called '{asked}'{meant}; swarm starts {}, and others by a profile (docs/agents.md)",
            known.join(", ")
        )));
    };
    let (first, rest) = match args.program.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (first, rest),
        _ => match &rules.start {
            Some(program) => (program, &args.program[..]),
            None => {
                return Err(usage(format!(
                    "it is not known by which program {0} is started: say so: swarm start {0} -- PROGRAM",
                    args.kind
                )));
            }
        },
    };
    let base = first.rsplit('/').next().unwrap_or(first).to_owned();
    let hides = ![&rules.names[..], &rules.scripts[..]].concat().contains(&base);
    Ok(([launch::find(first)?].into_iter().chain(rest.iter().cloned()).collect(), hides))
}

/// The names of the agents to start.
fn named(session: &Session, args: &Args) -> Result<Vec<Option<Name>>> {
    let Some(asked) = &args.name else { return Ok(vec![None; args.count.into()]) };
    if args.count > 1 || asked.contains('#') {
        let names = name::free(session, asked, args.count.into(), |_| false)?;
        return Ok(names.iter().map(|name| Name::for_agent(name).ok()).collect());
    }
    let name = Name::for_agent(asked).map_err(|bad| usage(bad.to_string()))?;
    if session.store.groups()?.members(name.as_str()).is_some() {
        return Err(usage(format!("a group is called @{name}: choose another name")));
    }
    // The name of an ended agent of the same kind means that this agent starts again.
    let is_free = |a: &Agent| !a.is_live() && a.name == name && a.kind == args.kind;
    match session.everyone().find(|a| a.answers_to(&name) && !is_free(a)) {
        None => Ok(vec![Some(name)]),
        Some(bearer) if bearer.is_live() => Err(name::taken(&name, &args.kind, bearer, false).into()),
        Some(bearer) => Err(usage(format!(
            "{name} was the name of another agent ({}, now {}), which has ended: choose another name",
            escape::short(&bearer.kind, 40),
            bearer.name
        ))),
    }
}

/// The top of the work tree around the working directory, if it belongs to the project; or else the project's root.
fn top(store: &Store) -> Result<PathBuf> {
    let top = git::top(&session::here()?).ok().flatten();
    let own = top.filter(|top| Store::root_around(top).as_deref() == Some(store.root()));
    Ok(own.unwrap_or_else(|| store.root().to_owned()))
}
