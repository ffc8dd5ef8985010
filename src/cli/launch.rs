//! Starts agents in panes of their own, for `start` and `resume`, and reports the result for each.

use super::print;
use super::session::{self, Session};
use crate::agents::Profiles;
use crate::core::agent::{Agent, Status};
use crate::core::escape;
use crate::core::name::Name;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::os::tools;
use crate::roster::{discovery, observe, rules};
use crate::store::Store;
use crate::store::lock::{self, Held};
use crate::tmux::Server;
use crate::tmux::opening::Spot;
use anyhow::{Context as _, Result, anyhow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long an agent may take until its screen shows its state. One that takes longer keeps running, and the person
/// is told so.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait for another command that starts agents here.
const TURN: Duration = Duration::from_secs(30);

/// The pause between two looks at the starting agents.
const PAUSE: Duration = Duration::from_millis(100);

/// The place of the agents' panes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SpotArgs {
    /// A window for each (the default)
    #[arg(long, conflicts_with_all = ["pane", "session"])]
    window: bool,
    /// Split the current window
    #[arg(long, conflicts_with = "session")]
    pane: bool,
    /// Use windows of this tmux session, which is made if it does not exist
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Go to the first one
    #[arg(long)]
    focus: bool,
}

impl SpotArgs {
    fn spot(&self) -> Result<Spot> {
        let Some(name) = self.session.as_ref().filter(|_| !self.window) else {
            return Ok(if self.pane { Spot::Split } else { Spot::Window });
        };
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.starts_with('-') || !name.chars().all(plain) {
            let name = escape::short(name, 40);
            return Err(usage(format!("'{name}' is no name of a session: letters, digits, - and _ only")));
        }
        Ok(Spot::Session(name.clone()))
    }
}

/// An agent that will be started.
pub(super) struct Plan {
    pub(super) kind: String,
    /// Its name; without one it gets a number.
    pub(super) name: Option<Name>,
    /// The program's file and its arguments.
    pub(super) program: Vec<String>,
    pub(super) dir: PathBuf,
    /// Whether its process would not be recognised by the profile of its kind.
    pub(super) hides: bool,
}

/// The result for one agent.
pub(super) enum Launched {
    /// It runs, and has this state.
    Up(Box<Agent>),
    /// Its program runs in this pane, but is not recognised as an agent of this project.
    Unseen(String),
    /// It has ended, or did not start, for this reason.
    Failed(String),
}

pub(super) fn usage(text: impl Into<String>) -> anyhow::Error {
    Refusal::Usage(text.into()).into()
}

/// The session of a person, with the present agents. Refuses agents.
pub(super) fn by_person(what: &str) -> Result<Session> {
    let mut session = Session::open()?;
    session.require_human(&format!("{what} agents"))?;
    session.rediscover();
    Ok(session)
}

/// Keeps others from starting agents here while it is held, and reads the running agents again, because free names
/// may be taken now.
pub(super) fn alone(session: &mut Session) -> Result<Held> {
    let held = lock::try_within(&session.store.dir().join("start.lock"), TURN, || false)?;
    let held = held.ok_or_else(|| {
        Refusal::Held(
            "another command is starting agents of this project: nothing was done; try again".into(),
        )
    })?;
    session.rediscover();
    Ok(held)
}

/// The file of a program with this name or path: on the PATH of this command, which tmux passes to the programs that
/// it starts.
pub(super) fn find(program: &str) -> Result<String> {
    let file = if program.contains('/') {
        Some(session::here()?.join(program)).filter(|file| tools::is_executable(file))
    } else {
        let path = std::env::var("PATH").unwrap_or_default();
        tools::on_path(&path, program).filter(|file| file.is_absolute())
    };
    let file = file.and_then(|file| file.to_str().map(str::to_owned));
    file.ok_or_else(|| {
        let shown = escape::short(program, 60);
        anyhow!("there is no program {shown} on PATH: install it, or say where it is: -- /full/path/{shown}")
    })
}

/// The kinds that can be started here: their programs exist.
pub(super) fn kinds() -> Vec<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let profiles = rules::load().unwrap_or_default();
    let is_there = |(kind, program): (&str, &str)| tools::on_path(&path, program).map(|_| kind.to_owned());
    profiles.startable().filter_map(is_there).collect()
}

/// The project directory in which agents start, for the path `asked`.
pub(super) fn directory(store: &Store, asked: &Path) -> Result<PathBuf> {
    let dir = asked.canonicalize().with_context(|| format!("cannot start in {}", asked.display()))?;
    if !dir.is_dir() || Store::root_around(&dir).as_deref() != Some(store.root()) {
        return Err(usage(format!(
            "{} is no directory of this project ({}): run the command in its own project",
            escape::line(&dir.display().to_string()),
            escape::line(&store.root().display().to_string())
        )));
    }
    Ok(dir)
}

/// Starts these agents, and waits until each runs, has failed, or its time is over.
pub(super) fn launch(session: &mut Session, plans: &[Plan], asked: &SpotArgs) -> Result<Vec<Launched>> {
    let (spot, server, profiles) = (asked.spot()?, Server::current(), session::profiles()?);
    if !server.listens() {
        return Err(Refusal::Tmux(format!(
            "no tmux server listens at {}: agents run in panes of tmux; start it, or run this in one of its panes",
            server.socket()
        ))
        .into());
    }
    let open = |plan: &Plan| {
        let named = plan.name.iter().map(|name| ("SWARM_NAME", name.to_string()));
        let kind = plan.hides.then(|| ("SWARM_AGENT", plan.kind.clone()));
        let variables: Vec<(&str, String)> = named.chain(kind).collect();
        server
            .open(&spot, &plan.dir, &variables, &plan.program)
            .map_or_else(|why| Launched::Failed(format!("{}: {why:#}", plan.kind)), Launched::Unseen)
    };
    let mut all: Vec<(Launched, &Plan)> = plans.iter().map(|plan| (open(plan), plan)).collect();
    let panes: Vec<String> = all
        .iter()
        .filter_map(|(one, _)| if let Launched::Unseen(pane) = one { Some(pane.clone()) } else { None })
        .collect();
    let until = Instant::now() + PATIENCE;
    while !settle(&session.store, &server, &profiles, &mut all)? && Instant::now() < until {
        std::thread::sleep(PAUSE);
    }
    let left: Vec<&str> = panes.iter().map(String::as_str).collect();
    server.let_close(&left)?;
    start::ensure(&session.store, &server)?;
    session.read_agents()?;
    if let Some(first) = panes.first().filter(|_| asked.focus) {
        // If nobody is attached, there is no client to move.
        let _ = server.go(None, first);
    }
    Ok(all.into_iter().map(|(one, _)| one).collect())
}

/// Looks once at the starting agents. Returns whether nothing more is awaited.
fn settle(
    store: &Store,
    server: &Server,
    profiles: &Profiles,
    all: &mut [(Launched, &Plan)],
) -> Result<bool> {
    let (_, agents, _) = discovery::discover(store, server, profiles, discovery::SAYS_SOON)?;
    let mut settled = true;
    for (one, plan) in all {
        let pane = match one {
            Launched::Failed(_) => continue,
            Launched::Unseen(pane) => pane.clone(),
            Launched::Up(agent) if agent.status != Status::Unknown => continue,
            Launched::Up(agent) => agent.place.pane.clone(),
        };
        if let Some(words) = server.last_words(&pane)? {
            let said =
                if words.is_empty() { "it said nothing".to_owned() } else { escape::short(&words, 300) };
            *one = Launched::Failed(format!("{} ended at once: {said}", plan.kind));
            continue;
        }
        let there = |a: &&Agent| a.is_live() && a.place.pane == pane && a.place.socket == server.socket();
        if let Some(agent) = agents.iter().find(there) {
            let status = observe::glance(store, profiles, agent, server).unwrap_or_default();
            let seen = profiles.get(&agent.kind).is_none() || status != Status::Unknown;
            *one = Launched::Up(Box::new(Agent { status, ..agent.clone() }));
            settled &= seen;
        } else {
            settled = false;
        }
    }
    Ok(settled)
}

/// The names of the running ones.
pub(super) fn names(all: &[Launched]) -> Vec<Name> {
    let name = |one: &Launched| if let Launched::Up(agent) = one { Some(agent.name.clone()) } else { None };
    all.iter().filter_map(name).collect()
}

/// The results, for people.
pub(super) fn told(all: &[Launched]) -> String {
    let line = |one: &Launched| match one {
        Launched::Up(agent) => {
            let (name, pane, status) = (&agent.name, &agent.place.pane, agent.status);
            let asks = match status {
                Status::Dialog => format!(": it asks you something (swarm jump {name})"),
                Status::Unknown => format!(": its screen shows no empty composer yet (swarm explain {name})"),
                _ => String::new(),
            };
            Some(format!("{name} runs in {pane}, {}{asks}\n", status.word()))
        }
        _ => None,
    };
    all.iter().filter_map(line).collect()
}

/// The results, as JSON.
pub(super) fn as_json(all: &[Launched]) -> Value {
    let up = |one: &Launched| match one {
        Launched::Up(a) => Some(json!({
            "name": a.name, "kind": a.kind, "pane": a.place.pane, "pid": a.process.pid, "state": a.status.word(),
        })),
        _ => None,
    };
    json!({"agents": all.iter().filter_map(up).collect::<Vec<_>>(), "failed": failed(all)})
}

fn failed(all: &[Launched]) -> Vec<String> {
    let why = |one: &Launched| match one {
        Launched::Up(_) => None,
        Launched::Unseen(pane) => Some(format!(
            "what runs in {pane} is not recognised as an agent of this project: swarm explain {pane}"
        )),
        Launched::Failed(why) => Some(why.clone()),
    };
    all.iter().filter_map(why).collect()
}

/// The end of a command that has reported the rest: an error if not all of them run.
pub(super) fn outcome(all: &[Launched], more: Vec<String>) -> Result<()> {
    let mut wrong = failed(all);
    if !wrong.is_empty() && wrong.len() < all.len() {
        wrong.push(format!("{} of {} runs", all.len() - wrong.len(), plural(all.len(), "agent")));
    }
    wrong.extend(more);
    if wrong.is_empty() { Ok(()) } else { Err(print::told(anyhow!("{}", wrong.join("; ")))) }
}
