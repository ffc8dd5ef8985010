mod agents;
mod commits;
mod packages;
mod reached;
mod removal;

pub(super) use reached::{Reached, around_agent, around_process, reached, unreached};
pub(super) use removal::{Removal, removals};

use super::print;
use super::session;
use crate::core::agent::Agent;
use crate::core::hook::HookKind;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::hooks::install::git::Guard;
use crate::hooks::install::reach::{Surroundings, project_file};
use crate::hooks::install::{self, RulesFile, Scope, Target};
use crate::store::{Store, key};
use anyhow::{Context as _, Result};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// Install swarm's hooks into the agents' own settings, and the guard into git
///
/// With hooks an agent gets its mail whole, sees a warning about forged lines, and leases a file before it writes it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm hooks diff claude\n  swarm hooks install\n  swarm hooks status --user"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: HookAction,
}

#[derive(Debug, clap::Subcommand)]
enum HookAction {
    /// Install the hooks; everything else in the files stays, and the original files are kept
    #[command(
        after_help = "Examples:\n  swarm hooks install claude git\n  swarm hooks install --allow\n  swarm hooks install claude --package --user"
    )]
    Install(Put),
    /// Remove the hooks and restore the files byte for byte, unless somebody changed them since
    #[command(after_help = "Example:\n  swarm hooks uninstall")]
    Uninstall(AgentChoice),
    /// Show what installing would change
    #[command(after_help = "Example:\n  swarm hooks diff codex --user")]
    Diff(Put),
    /// Show what is installed, and what to do next
    #[command(after_help = "Example:\n  swarm hooks status")]
    Status(AgentChoice),
}

#[derive(Debug, clap::Args)]
struct Put {
    #[command(flatten)]
    which: AgentChoice,
    /// Also add the rules that let the agent run swarm-msg without asking you (claude, codex and gemini); at a
    /// terminal swarm asks you
    #[arg(long)]
    allow: bool,
    /// As a package of the agent's own kind, in place of hooks in its settings: a plugin (claude, codex) or an
    /// extension (gemini, with --user)
    #[arg(long)]
    package: bool,
}

impl HookAction {
    fn which(&self) -> &AgentChoice {
        match self {
            HookAction::Install(put) | HookAction::Diff(put) => &put.which,
            HookAction::Uninstall(which) | HookAction::Status(which) => which,
        }
    }
}

#[derive(Debug, clap::Args)]
struct AgentChoice {
    /// claude, codex, gemini, opencode, git or all [default: the agents in use here, and git]
    #[arg(value_name = "AGENT")]
    agents: Vec<String>,
    /// Every agent with hooks, and git, even if it is not in use here
    #[arg(long)]
    all: bool,
    /// Use your own settings, for all projects, instead of this project's
    #[arg(long)]
    user: bool,
    /// Use this project's settings (the default)
    #[arg(long, conflicts_with = "user")]
    project: bool,
}

/// The places of hooks.
struct HookFiles {
    here: PathBuf,
    root: PathBuf,
    home: PathBuf,
    state: PathBuf,
    program: String,
    scope: Scope,
    live: Vec<Agent>,
    called: Vec<Name>,
    /// Why the project here cannot be used, for example because its key is elsewhere.
    closed: Option<anyhow::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Agent(HookKind),
    Git,
}

/// An error with one agent is printed, and the others are done. The first error determines the exit code.
pub(super) fn run(args: &Args) -> Result<()> {
    let which = args.action.which();
    let mut places = HookFiles::find(if which.user { Scope::User } else { Scope::Project })?;
    let mut failed: Vec<anyhow::Error> = Vec::new();
    if let Some(why) = places.closed.take() {
        let why = why.context("the agents of this project are unknown, and its hooks cannot check anything");
        match args.action {
            HookAction::Install(_) | HookAction::Status(_) => failed.push(why),
            HookAction::Uninstall(_) | HookAction::Diff(_) => print::tell(&format!("{why:#}")),
        }
    }
    let chosen = match places.chosen(&args.action, which) {
        // It is then unknown whether any agent is in use here.
        Err(_) if !failed.is_empty() => Vec::new(),
        chosen => chosen?,
    };
    for one in chosen {
        let done = match one {
            Chosen::Agent(kind) => agents::run(&args.action, kind, &places, &mut failed),
            Chosen::Git => commits::run(&args.action, &places),
        };
        if done.as_ref().is_err_and(print::is_closed_pipe) {
            return done;
        }
        failed.extend(done.err());
    }
    let last = failed.pop();
    for error in failed {
        print::tell(&format!("{error:#}"));
    }
    last.map_or(Ok(()), Err)
}

impl HookFiles {
    fn find(scope: Scope) -> Result<Self> {
        let here = session::here()?;
        let project = Store::root_for_caller(&here);
        let (store, closed) = match project.as_deref().map(Store::open_root).transpose() {
            Ok(store) => (store, None),
            Err(error) => (None, Some(error)),
        };
        let root = project.unwrap_or_else(|| here.clone());
        let mut live = store.as_ref().and_then(|s| s.agents().ok()).unwrap_or_default();
        live.retain(Agent::is_live);
        let has_called = |a: &&Agent| store.as_ref().is_some_and(|s| reached::has_called(s, a));
        let called = live.iter().filter(has_called).map(|a| a.name.clone()).collect();
        let program = session::program()?;
        Ok(Self {
            root,
            here,
            home: session::home()?,
            state: key::state_home()?.join("hooks"),
            program: program.to_str().context("the path of this program is not UTF-8")?.to_owned(),
            scope,
            live,
            called,
            closed,
        })
    }

    fn chosen(&self, action: &HookAction, which: &AgentChoice) -> Result<Vec<Chosen>> {
        let all = || HookKind::ALL.map(Chosen::Agent).into_iter().chain([Chosen::Git]);
        let is_repository = !which.user && Guard::all(&self.root, &self.here).is_ok();
        let mut chosen: Vec<Chosen> = Vec::new();
        for name in &which.agents {
            match name.as_str() {
                "all" => chosen.extend(all().filter(|c| *c != Chosen::Git || is_repository)),
                "git" => chosen.push(Chosen::Git),
                name => chosen.push(Chosen::Agent(
                    name.parse().map_err(|why| Refusal::Usage(format!("{why}, git and all")))?,
                )),
            }
        }
        if which.all
            || (which.agents.is_empty() && !matches!(action, HookAction::Install(_) | HookAction::Diff(_)))
        {
            chosen.extend(all().filter(|c| *c != Chosen::Git || is_repository));
        }
        if chosen.is_empty() {
            let in_use = |kind: &HookKind| self.live.iter().any(|a| a.kind == kind.word());
            let (mut used, mut rest): (Vec<HookKind>, Vec<HookKind>) =
                HookKind::ALL.into_iter().partition(in_use);
            if matches!(action, HookAction::Install(_)) && is_terminal() {
                for kind in std::mem::take(&mut rest) {
                    let question =
                        format!("{} is not in use here. Install its hooks too? [y/N] ", kind.word());
                    if print::agrees(&question)? { used.push(kind) } else { rest.push(kind) }
                }
            }
            chosen.extend(used.into_iter().map(Chosen::Agent));
            chosen.extend(is_repository.then_some(Chosen::Git));
            let rest: Vec<&str> = rest.into_iter().map(HookKind::word).collect();
            if !rest.is_empty() {
                print::tell(&format!(
                    "not in use here, so skipped: {} (name them, or use --all)",
                    rest.join(", ")
                ));
            }
            if chosen.is_empty() {
                return Err(Refusal::Usage(
                    "no agent is in use here: name the agents you want, such as `swarm hooks install claude`, or use --all".into(),
                )
                .into());
            }
        }
        chosen.dedup();
        Ok(chosen)
    }

    /// The chosen settings files of `kind`. For the project: the root's, and the one of the current directory if an
    /// agent there does not read the root's. For the person: those that this command and the living agents read.
    fn targets(&self, kind: HookKind) -> Vec<Target> {
        let own = |name: &str| std::env::var(name).ok();
        let around = Surroundings { home: self.home.clone(), variable: &own };
        let mut found = match self.scope {
            Scope::Project => {
                let mut dirs = vec![self.root.clone()];
                if !around.files(kind, &self.here).contains(&project_file(kind, &self.root)) {
                    dirs.push(self.here.clone());
                }
                dirs.iter().map(|dir| Target::project(kind, dir)).collect()
            }
            Scope::User => vec![Target::user(kind, &around)],
        };
        for agent in self.live.iter().filter(|a| self.scope == Scope::User && a.kind == kind.word()) {
            let target = around_agent(agent, &self.home, |around| Target::user(kind, around));
            if !found.iter().any(|t| t.path == target.path) {
                found.push(target);
            }
        }
        found.into_iter().flat_map(Target::all).collect()
    }

    /// The person's files with rules for `swarm-msg` that this command and the living agents of `kind` read, for an
    /// agent with rules in such a file.
    fn rules_files(&self, kind: HookKind) -> Vec<RulesFile> {
        let own = |name: &str| std::env::var(name).ok();
        let around = Surroundings { home: self.home.clone(), variable: &own };
        let of_agents = self.live.iter().filter(|a| a.kind == kind.word());
        let mut found: Vec<RulesFile> = Vec::new();
        let all = of_agents.map(|a| around_agent(a, &self.home, |around| RulesFile::of(kind, around)));
        let known = RulesFile::recorded(&self.state, Some(self.asking())).into_iter();
        let known = known.filter(|file| file.kind == kind).map(Some);
        for file in std::iter::once(RulesFile::of(kind, &around)).chain(all).chain(known).flatten() {
            if !found.iter().any(|f| f.path == file.path) {
                found.push(file);
            }
        }
        found
    }

    /// The project for which shared rules are added.
    fn asking(&self) -> &Path {
        match self.scope {
            Scope::Project => &self.root,
            Scope::User => &self.home,
        }
    }

    /// [`HookFiles::targets`], and all other files with an installation.
    fn installed(&self, kind: HookKind) -> Vec<Target> {
        let mut found = self.targets(kind);
        let more = match self.scope {
            Scope::Project => recorded(&self.state, kind, &self.root),
            Scope::User => {
                let none = |_: &str| None;
                Target::user(kind, &Surroundings { home: self.home.clone(), variable: &none }).all()
            }
        };
        for target in more {
            if !found.iter().any(|t| t.path == target.path) {
                found.push(target);
            }
        }
        found
    }
}

/// The recorded settings files of the project at `root`, in any of its directories.
fn recorded(state: &Path, kind: HookKind, root: &Path) -> Vec<Target> {
    let of = |path: PathBuf| {
        let target = Target::of_file(kind, &path)?;
        let ours = Store::root_around(target.within.as_deref()?).as_deref() == Some(root);
        ours.then(|| target.all())
    };
    install::installed(state).into_iter().filter_map(of).flatten().collect()
}

/// Whether a person can be asked.
fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}
