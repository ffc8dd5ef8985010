use super::session::{self, Session};
use super::{launch, print, resume};
use crate::agents::{Profile, Profiles};
use crate::core::agent::{Agent, Status};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use crate::core::refusal::Refusal;
use crate::core::registry::Sighting;
use crate::courier::gate::Scene;
use crate::os::forest::Forest;
use crate::os::process::{self, Process};
use crate::roster::{discovery, observe};
use crate::store::lock;
use crate::tmux::Server;
use crate::tmux::pane::Acted;
use anyhow::{Result, anyhow};
use serde_json::json;
use std::time::{Duration, Instant};

/// End agents that are idle; `swarm resume` starts them again
///
/// It sends SIGTERM to the agent's own process or, if that would leave the terminal in disorder (Codex), presses
/// Ctrl-D in its empty composer. A busy agent, or one with a text in its composer, is left alone.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm end codex-1\n  swarm end codex-1 codex-2 --json\n  swarm end claude-1 --force"
)]
pub(super) struct Args {
    /// The agents to end
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Also end a busy agent: its turn and its draft are lost
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How long an agent may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two looks: a text that a person has just submitted is visible a moment later.
const STEADY: Duration = Duration::from_millis(300);

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = launch::by_person("end")?;
    let profiles = session::profiles()?;
    let mut asked: Vec<Agent> = Vec::new();
    let mut refused: Option<anyhow::Error> = None;
    let mut why = Vec::new();
    for name in &args.names {
        match end(&session, &profiles, name, args.force) {
            Ok(agent) => asked.push(agent),
            Err(error) => {
                why.push(format!("{error:#}"));
                refused.get_or_insert(error);
            }
        }
    }
    let until = Instant::now() + PATIENCE;
    let runs = |agent: &Agent| process::is_alive(&agent.process);
    while asked.iter().any(runs) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    session.rediscover();
    let (left, gone): (Vec<Agent>, Vec<Agent>) = asked.into_iter().partition(runs);
    why.extend(left.iter().map(|agent| {
        let (name, pid) = (&agent.name, agent.process.pid);
        format!(
            "{name} was asked to end and still runs after {} s: `kill -KILL {pid}` ends it at once",
            PATIENCE.as_secs()
        )
    }));
    if args.json {
        let names: Vec<&Name> = gone.iter().map(|agent| &agent.name).collect();
        print::object(json!({"ended": names, "refused": why}))?;
    } else {
        let line = |agent: &Agent| {
            let (name, ended) = (&agent.name, session.ended(&agent.name).unwrap_or(agent));
            let again = match resume::plan(&session, &profiles, ended) {
                Ok(_) => format!("swarm resume {name}"),
                Err(_) => format!("swarm start {} --name {name}", agent.kind),
            };
            format!("{name} has ended; {again} starts it again\n")
        };
        print::out(&gone.iter().map(line).collect::<String>())?;
    }
    match (refused, &why[..]) {
        (_, []) => Ok(()),
        (Some(error), [_]) => Err(print::told(error)),
        (error, all) => {
            // The exit code of the first.
            let text = all.join("; ");
            Err(print::told(match error.as_ref().and_then(|e| e.downcast_ref()) {
                Some(Refusal::Held(_)) => Refusal::Held(text).into(),
                Some(Refusal::UnknownAgent { .. } | Refusal::Ended { .. }) => Refusal::Partly(text).into(),
                _ => anyhow!(text),
            }))
        }
    }
}

/// Asks the agent of that name to end, if it may be ended now.
fn end(session: &Session, profiles: &Profiles, asked: &str, forced: bool) -> Result<Agent> {
    if asked.starts_with('@') || asked == "human" {
        let asked = escape::short(asked, 40);
        return Err(launch::usage(format!("{asked} is no agent: name the agents that are to end")));
    }
    let agent = Name::for_agent(asked).ok().and_then(|name| session.agent(&name));
    let agent = agent.ok_or_else(|| session.unknown(asked))?;
    let (name, place, pid) = (&agent.name, &agent.place, agent.process.pid);
    let server = Server::new(&place.socket);
    // An agent is not ended while a message is being typed.
    let pane = lock::pane(&place.socket, &place.pane)?;
    if pane.is_none() && !forced {
        return Err(
            Refusal::Held(format!("{name} is just given a message: nothing was done; try again")).into()
        );
    }
    let survey = discovery::survey(&server, profiles)?;
    let is_its = |seen: &Sighting| seen.process == agent.process && seen.place.pane == place.pane;
    if !survey.found.iter().any(|(seen, _)| is_its(seen))
        || process::check_in(place.namespace, &agent.process) != Some(true)
    {
        return Err(Refusal::Held(format!(
            "it cannot be seen that process {pid} in {} is {name}: nothing was done; end it in its pane",
            place.pane
        ))
        .into());
    }
    if !forced {
        for pause in [Duration::ZERO, STEADY] {
            std::thread::sleep(pause);
            let state = observe::glance(&session.store, profiles, agent, &server).unwrap_or_default();
            if state != Status::Idle {
                return Err(busy(name, state).into());
            }
        }
    }
    let by_key = profiles.get(&agent.kind).filter(|profile| profile.process.ctrl_d && !forced);
    let by = if by_key.is_some() { "key" } else { "signal" };
    session.store.transact(|tx| tx.journal(&Event::AgentEnd { name, pid, by, forced }))?;
    if let Some(profile) = by_key {
        return press(profile, agent, &server).map(|()| agent.clone());
    }
    // The process that it has started in its place comes first: the original, which waits for it, may ignore signals.
    for process in stand_in(&survey.forest, agent).iter().chain([&agent.process]) {
        process::ask_to_end(process)?;
    }
    Ok(agent.clone())
}

/// Presses Ctrl-D in an empty composer, if nothing has changed since the look.
fn press(profile: &Profile, agent: &Agent, server: &Server) -> Result<()> {
    let (name, place) = (&agent.name, &agent.place);
    let changed =
        || Refusal::Held(format!("something changed in the pane of {name}: nothing was done; try again"));
    let look = server.look(&place.pane)?.ok_or_else(changed)?;
    let process = process::look(&agent.process).ok_or_else(changed)?;
    let reading = observe::reading(profile, agent.process.pid, &look);
    let scene = Scene::of(&look, !look.is_in(place), &reading, &process);
    if let Err(hold) = scene.pane_is_open() {
        return Err(Refusal::Held(format!("{name} was not ended: {hold}; nothing was done")).into());
    }
    if reading.state != Status::Idle {
        return Err(busy(name, reading.state).into());
    }
    // If tmux's answer was lost, the process shows the result.
    if server.end_input(&place.pane, &look)? == Acted::Stale { Err(changed().into()) } else { Ok(()) }
}

/// The process that an agent has started in its own place, as a script does for another memory limit: the same script
/// with the same arguments, in the same group.
fn stand_in(forest: &Forest, agent: &Agent) -> Option<ProcessId> {
    let script =
        |p: &Process| p.argv().into_iter().skip(1).skip_while(|word| word.starts_with('-')).collect();
    let own = forest.tree(agent.process.pid).next()?;
    let words: Vec<String> = script(&own);
    let is_it = |p: &Process| p.group == own.group && script(p) == words;
    let found = forest.below(&own).into_iter().find(is_it).filter(|_| !words.is_empty())?;
    Some(forest.id(&found))
}

/// Why an agent is not ended, and what to do.
fn busy(name: &Name, state: Status) -> Refusal {
    let does = match state {
        Status::Draft => "has a text in its composer".to_owned(),
        Status::Dialog => "asks you something".to_owned(),
        Status::Unknown => "shows no empty composer".to_owned(),
        other => format!("is not idle ({})", other.word()),
    };
    Refusal::Held(escape::line(&format!(
        "{name} {does}: nothing was done. `swarm wait --idle {name}` waits for it; --force ends it nevertheless, and its turn and its draft are lost"
    )))
}
