use super::print;
use super::session;
use crate::core::escape;
use crate::core::hook::Host;
use crate::core::hook::settings::Presence;
use crate::core::refusal::Refusal;
use crate::hooks::install::git::Guard;
use crate::hooks::install::{Scope, Target};
use crate::store::{Store, key};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// Install swarm's hooks into the agents' own settings, and the guard into git
///
/// With hooks an agent gets its mail whole, forged lines are flagged, and a file is leased before the agent writes it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm hooks diff claude\n  swarm hooks install\n  swarm hooks status --user"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Install them; keeps everything else in the files, and what the files were before
    #[command(after_help = "Example:\n  swarm hooks install claude git")]
    Install(Which),
    /// Take them out again: byte for byte what was there before, unless somebody changed it since
    #[command(after_help = "Example:\n  swarm hooks uninstall")]
    Uninstall(Which),
    /// Show what installing would change
    #[command(after_help = "Example:\n  swarm hooks diff codex --user")]
    Diff(Which),
    /// Tell what is installed, and what to do next
    #[command(after_help = "Example:\n  swarm hooks status")]
    Status(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// claude, codex, gemini, opencode, git or all
    #[arg(value_name = "AGENT", default_value = "all")]
    agents: Vec<String>,
    /// In your own settings, for all projects, instead of this project's
    #[arg(long)]
    user: bool,
    /// In this project's settings (the default)
    #[arg(long, conflicts_with = "user")]
    project: bool,
}

/// Where things are.
struct Places {
    root: PathBuf,
    home: PathBuf,
    state: PathBuf,
    program: String,
    scope: Scope,
}

enum Chosen {
    Agent(Host),
    Git,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let (Action::Install(which) | Action::Uninstall(which) | Action::Diff(which) | Action::Status(which)) =
        &args.action;
    let here = session::here()?;
    let program = std::env::current_exe().context("cannot find this program")?.with_file_name("swarm");
    let places = Places {
        root: Store::root_of(&here).unwrap_or(here),
        home: std::env::var_os("HOME")
            .map(PathBuf::from)
            .filter(|h| h.is_absolute())
            .context("HOME is not set")?,
        state: key::state_home()?.join("hooks"),
        program: program.to_str().context("the path of this program is not UTF-8")?.to_owned(),
        scope: if which.user { Scope::User } else { Scope::Project },
    };
    let all = which.agents.iter().any(|a| a == "all");
    for one in chosen(&which.agents)? {
        match one {
            Chosen::Agent(host) => agent(&args.action, host, &places)?,
            Chosen::Git if all && (which.user || !places.root.join(".git").exists()) => {}
            Chosen::Git => git(&args.action, &places)?,
        }
    }
    Ok(())
}

fn chosen(agents: &[String]) -> Result<Vec<Chosen>> {
    let mut chosen = Vec::new();
    for name in agents {
        match name.as_str() {
            "all" => {
                chosen.extend(Host::ALL.map(Chosen::Agent));
                chosen.push(Chosen::Git);
            }
            "git" => chosen.push(Chosen::Git),
            name => chosen.push(Chosen::Agent(
                name.parse().map_err(|why| Refusal::Usage(format!("{why}, git and all")))?,
            )),
        }
    }
    Ok(chosen)
}

fn agent(action: &Action, host: Host, places: &Places) -> Result<()> {
    let target = Target::new(host, places.scope, &places.root, &places.home);
    let word = host.word();
    let shown = |path: &Path| escape::line(&path.display().to_string());
    match action {
        Action::Status(_) => {
            let state = match target.presence(&places.program)? {
                Presence::None => "not installed (swarm hooks install)".to_owned(),
                Presence::Partial => {
                    "partial, or of another place of the program (swarm hooks install)".to_owned()
                }
                Presence::Full => next_step(host).to_owned(),
            };
            print::out(&format!("{word:<9} {state}: {}\n", shown(&target.path)))
        }
        Action::Diff(_) => print::out(&target.install(&places.program)?.diff()),
        Action::Install(_) => {
            let plan = target.install(&places.program)?;
            if plan.is_empty() {
                return print::out(&format!("{word}: is installed already in {}\n", shown(&plan.path)));
            }
            print::out(&plan.diff())?;
            plan.install(&places.state)?;
            print::out(&format!("{word}: {} in {}\n", next_step(host), shown(&plan.path)))
        }
        Action::Uninstall(_) => {
            let plan = target.uninstall(&places.state)?;
            if plan.is_empty() {
                return print::out(&format!("{word}: nothing of swarm is in {}\n", shown(&plan.path)));
            }
            plan.uninstall(&places.state)?;
            print::out(&format!("{word}: taken out of {}\n", shown(&plan.path)))
        }
    }
}

/// Something of swarm's in settings or in git, to be taken out.
pub(super) enum Removal {
    /// Hooks in an agent's settings; and where what those were before is kept.
    Agent(Target, PathBuf),
    /// The guard of a repository.
    Git(Guard),
}

impl Removal {
    /// What it is, for a person.
    pub(super) fn tell(&self) -> String {
        match self {
            Removal::Agent(target, _) => {
                format!("take swarm's hooks out of {} ({})", target.path.display(), target.host.word())
            }
            Removal::Git(guard) => format!("take the guard of commits out of {}", guard.dir().display()),
        }
    }

    /// Takes it out. Idempotent.
    pub(super) fn take(&self) -> Result<()> {
        match self {
            Removal::Agent(target, state) => target.uninstall(state)?.uninstall(state),
            Removal::Git(guard) => guard.uninstall().map(|_| ()),
        }
    }
}

/// Everything of swarm's in the person's own settings, and in the project at `root`.
pub(super) fn removals(root: Option<&Path>) -> Result<Vec<Removal>> {
    let state = key::state_home()?.join("hooks");
    let home =
        std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute()).context("HOME is not set")?;
    let mut found = Vec::new();
    let scopes = [(Scope::User, Some(Path::new(""))), (Scope::Project, root)];
    for (scope, root) in scopes.into_iter().filter_map(|(scope, root)| Some((scope, root?))) {
        for host in Host::ALL {
            let target = Target::new(host, scope, root, &home);
            if !target.uninstall(&state)?.is_empty() {
                found.push(Removal::Agent(target, state.clone()));
            }
        }
    }
    // A repository whose hooks are not its own has none of ours.
    let guard = root.filter(|root| root.join(".git").exists()).and_then(|root| Guard::new(root).ok());
    found.extend(guard.filter(Guard::is_installed).map(Removal::Git));
    Ok(found)
}

/// What is true once the hooks of an agent are installed, and what is left to do.
fn next_step(host: Host) -> &'static str {
    match host {
        Host::Claude | Host::Gemini => "enforced; agents that run now take it up when they are started anew",
        Host::Codex => "needs trust: start codex and accept the hooks (/hooks); until then it skips them",
        Host::OpenCode => "enforced; an opencode that runs now takes it up when it is started anew",
    }
}

fn git(action: &Action, places: &Places) -> Result<()> {
    let guard = Guard::new(&places.root)?;
    let dir = escape::line(&guard.dir().display().to_string());
    let text = match action {
        Action::Status(_) if guard.is_complete(&places.program) => format!("git       enforced: {dir}\n"),
        Action::Status(_) => format!("git       not installed (swarm hooks install git): {dir}\n"),
        Action::Diff(_) => {
            format!("git: would put pre-commit and post-commit into {dir}, before what is there\n")
        }
        Action::Install(_) => {
            guard.install(&places.program)?;
            format!("git: enforced: pre-commit and post-commit in {dir}\n")
        }
        Action::Uninstall(_) if guard.uninstall()? => format!("git: taken out of {dir}\n"),
        Action::Uninstall(_) => format!("git: nothing of swarm is in {dir}\n"),
    };
    print::out(&text)
}
