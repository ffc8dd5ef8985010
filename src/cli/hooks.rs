use super::print;
use super::session;
use crate::core::escape;
use crate::core::hook::Host;
use crate::core::hook::settings::Presence;
use crate::core::refusal::Refusal;
use crate::hooks::install::git::{self, Guard, Installed, Standing};
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
    here: PathBuf,
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
        root: Store::root_of(&here).unwrap_or_else(|| here.clone()),
        here,
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
            Chosen::Git if all && (which.user || Guard::all(&places.root, &places.here).is_err()) => {}
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
    /// The guards of a project's repositories; where it is on record that they were put in, and for which project.
    Git(Vec<Guard>, PathBuf, PathBuf),
}

impl Removal {
    /// What it is, for a person.
    pub(super) fn tell(&self) -> String {
        match self {
            Removal::Agent(target, _) => {
                format!("take swarm's hooks out of {} ({})", target.path.display(), target.host.word())
            }
            Removal::Git(guards, _, root) => {
                let dirs: Vec<String> = guards.iter().map(|g| g.dir().display().to_string()).collect();
                let dirs = if dirs.is_empty() { root.display().to_string() } else { dirs.join(", ") };
                format!("take the guard of commits out of {dirs}")
            }
        }
    }

    /// Takes it out. Idempotent.
    pub(super) fn take(&self) -> Result<()> {
        match self {
            Removal::Agent(target, state) => target.uninstall(state)?.uninstall(state),
            Removal::Git(guards, state, root) => {
                let _held = git::changing(state)?;
                Installed::forget(state, root);
                guards.iter().try_for_each(|guard| guard.uninstall().map(|_| ()))
            }
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
    if let Some(root) = root {
        // Where there is no repository there is no guard; a repository whose hooks are not its own has none of ours.
        let mut guards = Guard::all(root, root).unwrap_or_default();
        guards.retain(|g| g.refused().is_none() && g.is_installed());
        if !guards.is_empty() || Installed::load(&state, root).is_some() {
            found.push(Removal::Git(guards, state, root.to_owned()));
        }
    }
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

/// The guard of commits, in every repository of the project. Those that were refused are named, and the others done.
fn git(action: &Action, places: &Places) -> Result<()> {
    let guards = Guard::all(&places.root, &places.here)?;
    let _held = match action {
        Action::Install(_) | Action::Uninstall(_) => Some(git::changing(&places.state)?),
        Action::Diff(_) | Action::Status(_) => None,
    };
    let mut refused = None;
    let (mut changed, mut put) = (false, 0);
    for guard in &guards {
        let dir = escape::line(&guard.dir().display().to_string());
        let whose = trees(guard);
        let standing = guard.standing(&places.program);
        let text = match (action, guard.refused()) {
            (Action::Status(_), Some(_)) if standing == Standing::Whole => {
                format!("git       enforced by your own hooks in {dir}{whose}\n")
            }
            (Action::Status(_), Some(why)) => format!("git       not installed{whose}: {why}\n"),
            (Action::Status(_), None) => {
                format!("git       {}: {dir}{whose}\n", told(standing, guard, places))
            }
            (Action::Diff(_), None) => {
                format!("git: would put pre-commit and post-commit into {dir}{whose}, beside what is there\n")
            }
            (Action::Install(_), Some(_)) if standing == Standing::Whole => {
                format!("git: enforced by your own hooks in {dir}{whose}\n")
            }
            (Action::Install(_) | Action::Diff(_), Some(why)) => {
                refused = refused.or(Some(Refusal::Usage(why.to_owned())));
                format!("git: left alone{whose}: {why}\n")
            }
            (Action::Install(_), None) => {
                guard.install(&places.program)?;
                put += 1;
                format!("git: enforced: pre-commit and post-commit in {dir}{whose}\n")
            }
            (Action::Uninstall(_), _) => {
                let taken = guard.refused().is_none() && guard.uninstall()?;
                changed |= taken;
                if taken { format!("git: taken out of {dir}{whose}\n") } else { String::new() }
            }
        };
        print::out(&text)?;
        for left in if matches!(action, Action::Diff(_)) { Vec::new() } else { guard.orphans() } {
            let left = escape::line(&left.display().to_string());
            print::tell(&format!(
                "{left} was your hook before another tool wrote its own in its place: nothing runs it now; move it where you want it"
            ));
        }
    }
    match action {
        Action::Install(_) if put > 0 => {
            Installed::save(&places.state, &places.root, &places.program, &guards)?;
        }
        Action::Uninstall(_) => {
            Installed::forget(&places.state, &places.root);
            if !changed {
                let dir =
                    guards.first().map(|g| escape::line(&g.dir().display().to_string())).unwrap_or_default();
                print::out(&format!("git: nothing of swarm is in {dir}\n"))?;
            }
        }
        _ => {}
    }
    refused.map_or(Ok(()), |why| Err(why.into()))
}

fn told(standing: Standing, guard: &Guard, places: &Places) -> &'static str {
    let missed =
        || Installed::load(&places.state, &places.root).is_some_and(|i| i.displaced().contains(&guard.dir()));
    match standing {
        Standing::Whole => "enforced",
        _ if missed() => "displaced: another tool wrote its hooks over it (swarm hooks install git)",
        Standing::Partial => "partial, or of another place of the program (swarm hooks install git)",
        Standing::Absent => "not installed (swarm hooks install git)",
    }
}

/// For which working trees it holds, where that is not plain.
fn trees(guard: &Guard) -> String {
    let all: Vec<String> = guard.trees().iter().map(|t| escape::line(&t.display().to_string())).collect();
    if all.is_empty() { String::new() } else { format!(", for {}", all.join(", ")) }
}
