use super::print;
use super::session;
use crate::carriers::opencode_plugin;
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::hook::Host;
use crate::core::hook::settings::{self, Presence};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::hooks::install::git::{self, Guard, Installed, Standing};
use crate::hooks::install::reach::{Reach, Surroundings, project_file};
use crate::hooks::install::{self, Part, RulesFile, Scope, Target};
use crate::hooks::report;
use crate::os::program;
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
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Install the hooks; everything else in the files stays, and the original files are kept
    #[command(after_help = "Examples:\n  swarm hooks install claude git\n  swarm hooks install --allow")]
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
}

impl Action {
    fn which(&self) -> &AgentChoice {
        match self {
            Action::Install(put) | Action::Diff(put) => &put.which,
            Action::Uninstall(which) | Action::Status(which) => which,
        }
    }
}

#[derive(Debug, clap::Args)]
struct AgentChoice {
    /// claude, codex, gemini, opencode, git or all [default: the agents in use here, and git]
    #[arg(value_name = "AGENT")]
    agents: Vec<String>,
    /// Every agent that has hooks, and git, also if it is not in use here
    #[arg(long)]
    all: bool,
    /// Use your own settings, for all projects, instead of this project's
    #[arg(long)]
    user: bool,
    /// Use this project's settings (the default)
    #[arg(long, conflicts_with = "user")]
    project: bool,
}

/// Where things are.
struct HookFiles {
    here: PathBuf,
    root: PathBuf,
    home: PathBuf,
    state: PathBuf,
    program: String,
    scope: Scope,
    live: Vec<Agent>,
    called: Vec<Name>,
    /// Why nothing is known of the project that is here, such as a key that is elsewhere.
    closed: Option<anyhow::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Agent(Host),
    Git,
}

/// An error with one agent is printed, and the others are done; the first error gives the exit code.
pub(super) fn run(args: &Args) -> Result<()> {
    let which = args.action.which();
    let mut places = HookFiles::find(if which.user { Scope::User } else { Scope::Project })?;
    let mut failed: Vec<anyhow::Error> = Vec::new();
    if let Some(why) = places.closed.take() {
        let why = why.context("the agents of this project are unknown, and its hooks cannot check anything");
        match args.action {
            Action::Install(_) | Action::Status(_) => failed.push(why),
            Action::Uninstall(_) | Action::Diff(_) => print::tell(&format!("{why:#}")),
        }
    }
    let chosen = match places.chosen(&args.action, which) {
        // That nobody is in use here cannot be known then.
        Err(_) if !failed.is_empty() => Vec::new(),
        chosen => chosen?,
    };
    for one in chosen {
        let done = match one {
            Chosen::Agent(host) => agent(&args.action, host, &places, &mut failed),
            Chosen::Git => git(&args.action, &places),
        };
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
        let has_called = |a: &&Agent| store.as_ref().is_some_and(|s| has_called(s, a));
        let called = live.iter().filter(has_called).map(|a| a.name.clone()).collect();
        let program = session::program()?;
        Ok(Self {
            root,
            here,
            home: std::env::var_os("HOME")
                .map(PathBuf::from)
                .filter(|h| h.is_absolute())
                .context("HOME is not set")?,
            state: key::state_home()?.join("hooks"),
            program: program.to_str().context("the path of this program is not UTF-8")?.to_owned(),
            scope,
            live,
            called,
            closed,
        })
    }

    fn chosen(&self, action: &Action, which: &AgentChoice) -> Result<Vec<Chosen>> {
        let all = || Host::ALL.map(Chosen::Agent).into_iter().chain([Chosen::Git]);
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
        if which.all || (which.agents.is_empty() && !matches!(action, Action::Install(_) | Action::Diff(_))) {
            chosen.extend(all().filter(|c| *c != Chosen::Git || is_repository));
        }
        if chosen.is_empty() {
            let in_use = |host: &Host| self.live.iter().any(|a| a.kind == host.word());
            let (mut used, mut rest): (Vec<Host>, Vec<Host>) = Host::ALL.into_iter().partition(in_use);
            if matches!(action, Action::Install(_)) && is_terminal() {
                for host in std::mem::take(&mut rest) {
                    let question =
                        format!("{} is not in use here. Install its hooks too? [y/N] ", host.word());
                    if confirmed(&question)? { used.push(host) } else { rest.push(host) }
                }
            }
            chosen.extend(used.into_iter().map(Chosen::Agent));
            chosen.extend(is_repository.then_some(Chosen::Git));
            let rest: Vec<&str> = rest.into_iter().map(Host::word).collect();
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

    /// The chosen settings files of `host`. For the project: the root's, and the one of the current directory if an agent
    /// there does not read the root's. For the person: those that this command and the living agents read.
    fn targets(&self, host: Host) -> Vec<Target> {
        let own = |name: &str| std::env::var(name).ok();
        let around = Surroundings { home: self.home.clone(), variable: &own };
        let mut found = match self.scope {
            Scope::Project => {
                let mut dirs = vec![self.root.clone()];
                if !around.files(host, &self.here).contains(&project_file(host, &self.root)) {
                    dirs.push(self.here.clone());
                }
                dirs.iter().map(|dir| Target::project(host, dir)).collect()
            }
            Scope::User => vec![Target::user(host, &around)],
        };
        for agent in self.live.iter().filter(|a| self.scope == Scope::User && a.kind == host.word()) {
            let target = around_agent(agent, &self.home, |around| Target::user(host, around));
            if !found.iter().any(|t| t.path == target.path) {
                found.push(target);
            }
        }
        found.into_iter().flat_map(Target::all).collect()
    }

    /// The files of the person's own with the rules for `swarm-msg` that this command and the living agents of `host` look at, of an
    /// agent that has them in such a file.
    fn rules_files(&self, host: Host) -> Vec<RulesFile> {
        let own = |name: &str| std::env::var(name).ok();
        let around = Surroundings { home: self.home.clone(), variable: &own };
        let of_agents = self.live.iter().filter(|a| a.kind == host.word());
        let mut found: Vec<RulesFile> = Vec::new();
        let all = of_agents.map(|a| around_agent(a, &self.home, |around| RulesFile::of(host, around)));
        let known = RulesFile::recorded(&self.state, Some(self.asking())).into_iter();
        let known = known.filter(|file| file.host == host).map(Some);
        for file in std::iter::once(RulesFile::of(host, &around)).chain(all).chain(known).flatten() {
            if !found.iter().any(|f| f.path == file.path) {
                found.push(file);
            }
        }
        found
    }

    /// For whom rules that all projects share are put in.
    fn asking(&self) -> &Path {
        match self.scope {
            Scope::Project => &self.root,
            Scope::User => &self.home,
        }
    }

    /// [`HookFiles::targets`], and whatever else was installed into and not taken out.
    fn installed(&self, host: Host) -> Vec<Target> {
        let mut found = self.targets(host);
        let more = match self.scope {
            Scope::Project => recorded(&self.state, host, &self.root),
            Scope::User => {
                let none = |_: &str| None;
                Target::user(host, &Surroundings { home: self.home.clone(), variable: &none }).all()
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

/// The settings files of the project at `root` that were installed into, in whatever directory of it.
fn recorded(state: &Path, host: Host, root: &Path) -> Vec<Target> {
    let of = |path: PathBuf| {
        let target = Target::of_file(host, &path)?;
        let ours = Store::root_around(target.within.as_deref()?).as_deref() == Some(root);
        ours.then(|| target.all())
    };
    install::installed(state).into_iter().filter_map(of).flatten().collect()
}

/// What an agent was started with. What its process does not tell is taken from here.
pub(super) fn around_agent<T>(agent: &Agent, home: &Path, with: impl Fn(&Surroundings<'_>) -> T) -> T {
    let variable = |name: &str| program::variable(agent.process.pid, name);
    let home =
        variable("HOME").map(PathBuf::from).filter(|h| h.is_absolute()).unwrap_or_else(|| home.to_owned());
    with(&Surroundings { home, variable: &variable })
}

fn agent(action: &Action, host: Host, places: &HookFiles, failed: &mut Vec<anyhow::Error>) -> Result<()> {
    let word = host.word();
    let shown = |path: &Path| escape::line(&path.display().to_string());
    let mut changed = 0;
    let mut targets = match action {
        Action::Install(_) | Action::Diff(_) => places.targets(host),
        Action::Uninstall(_) | Action::Status(_) => places.installed(host),
    };
    if matches!(action, Action::Uninstall(_)) {
        // What was put in last goes first: directories that were made for several files go with the last of them.
        targets.reverse();
    }
    let mut told = |target: &Target| -> Result<String> {
        Ok(match action {
            Action::Status(_) if target.part != Part::Hooks => {
                let state = match target.presence(&places.program)? {
                    Presence::None => "no channel of its own (swarm hooks install opencode)",
                    Presence::Partial => "a channel of another version (swarm hooks install opencode)",
                    Presence::Full => "takes mail by a channel of its own",
                };
                format!("{word:<9} {state}: {}\n", shown(&target.path))
            }
            Action::Status(_) => {
                let state = match target.presence(&places.program)? {
                    Presence::None => "not installed (swarm hooks install)".to_owned(),
                    Presence::Partial => {
                        "incomplete, or for another swarm program (swarm hooks install)".to_owned()
                    }
                    Presence::Full => next_step(host, target, places),
                };
                let rules = match target.allows(&places.program)? {
                    Some(true) => "; swarm-msg runs without asking",
                    Some(false) => "; no rules for swarm-msg (swarm hooks install --allow)",
                    None => "",
                };
                format!("{word:<9} {state}: {}{rules}\n", shown(&target.path))
            }
            Action::Diff(put) if put.allow => target.install_allowing(&places.program)?.diff(),
            Action::Diff(_) => target.install(&places.program)?.diff(),
            Action::Install(put) => put_in(target, put.allow, places)?,
            Action::Uninstall(_) => {
                let plan = target.uninstall(&places.state)?;
                if plan.is_empty() {
                    String::new()
                } else {
                    take_out(target, &plan, &places.state)?;
                    changed += 1;
                    format!("{word}: removed from {}\n", shown(&plan.path))
                }
            }
        })
    };
    for target in &targets {
        match told(target) {
            Ok(text) => print::out(&text)?,
            Err(error) => failed.push(error),
        }
    }
    for file in places.rules_files(host) {
        match rules(action, &file, places) {
            Ok(text) => {
                changed += usize::from(matches!(action, Action::Uninstall(_)) && !text.is_empty());
                print::out(&text)?;
            }
            Err(error) => failed.push(error),
        }
    }
    if let (Action::Uninstall(_), 0, Some(first)) = (action, changed, targets.first()) {
        print::out(&format!("{word}: nothing of swarm in {}\n", shown(&first.path)))?;
    }
    if matches!(action, Action::Status(_)) {
        for one in places.live.iter().filter(|a| a.kind == word) {
            let called = places.called.contains(&one.name);
            let (text, repair) = reached(host, one, &places.home, &places.program, called);
            let repair = repair.map(|m| format!(" → {m}")).unwrap_or_default();
            print::out(&format!(
                "  {:<12} {}{}\n",
                one.name.as_str(),
                escape::line(&text),
                escape::line(&repair)
            ))?;
        }
    }
    Ok(())
}

/// Takes swarm out of one file, and what its plugin left where that was killed.
fn take_out(target: &Target, plan: &install::Plan, state: &Path) -> Result<()> {
    plan.uninstall(state)?;
    if target.part == Part::Carrier
        && let Some(home) = state.parent()
    {
        opencode_plugin::sweep(home);
    }
    Ok(())
}

/// Installs into one file, and says what is there now.
fn put_in(target: &Target, allow: bool, places: &HookFiles) -> Result<String> {
    let word = target.host.word();
    let had_hooks = target.install(&places.program)?.is_empty();
    let plan = if allow || wants_rules(target, places)? {
        target.install_allowing(&places.program)?
    } else {
        target.install(&places.program)?
    };
    if !plan.is_empty() {
        plan.install(&places.state)?;
    }
    let path = escape::line(&plan.path.display().to_string());
    let hooks = if had_hooks {
        format!("{word}: already installed in {path}\n")
    } else if target.part != Part::Hooks {
        let what = if target.part == Part::Entry { "an entry" } else { "a plugin" };
        format!("{word}: gets mail without typed keys after a restart: {what} in {path}\n")
    } else {
        format!(
            "{word}: {}: {} in {path}\n",
            next_step(target.host, target, places),
            settings::summary(target.host)
        )
    };
    let rules = match target.allows(&places.program)? {
        Some(true) if plan.rules.is_empty() => String::new(),
        Some(true) => {
            format!("{word}: runs swarm-msg without asking (all but lock): rules in {path}\n")
        }
        Some(false) => {
            format!("{word}: asks before it runs swarm-msg; swarm hooks install {word} --allow adds rules\n")
        }
        None if allow && target.host == Host::OpenCode => {
            format!("{word}: swarm has no rules for it; allow swarm-msg when the agent asks\n")
        }
        None => String::new(),
    };
    Ok(hooks + &rules)
}

/// The rules of an agent that has them in a file of their own.
fn rules(action: &Action, file: &RulesFile, places: &HookFiles) -> Result<String> {
    let word = file.host.word();
    let path = escape::line(&file.path.display().to_string());
    Ok(match action {
        Action::Status(_) if file.allows(&places.program)? => {
            format!("{word:<9} swarm-msg runs without asking: {path}\n")
        }
        Action::Status(_) => {
            format!("{word:<9} no rules for swarm-msg (swarm hooks install {word} --allow): {path}\n")
        }
        Action::Diff(put) if put.allow => file.install(&places.program)?.diff(),
        Action::Diff(_) => String::new(),
        Action::Install(put) => {
            let had = file.allows(&places.program)?;
            let question = format!(
                "Let {word} run swarm-msg without asking you, in all projects? It adds rules to {path}. [y/N] "
            );
            let wanted = put.allow || !had && is_terminal() && confirmed(&question)?;
            if wanted {
                file.put(&places.program, places.asking(), &places.state)?;
            }
            match (had, wanted) {
                (true, _) => String::new(),
                (false, true) => format!(
                    "{word}: runs swarm-msg without asking (all but lock), in all projects, from its next start on: rules in {path}\n"
                ),
                (false, false) => format!(
                    "{word}: asks before it runs swarm-msg; swarm hooks install {word} --allow adds rules\n"
                ),
            }
        }
        Action::Uninstall(_) => {
            let there = !file.uninstall(&places.state)?.is_empty();
            if file.take(places.asking(), &places.state)? {
                format!("{word}: rules for swarm-msg removed from {path}\n")
            } else if there {
                format!("{word}: rules for swarm-msg stay in {path}: other projects use them\n")
            } else {
                String::new()
            }
        }
    })
}

/// Whether the person says at a terminal that the rules are wanted, where they are not there yet.
fn wants_rules(target: &Target, places: &HookFiles) -> Result<bool> {
    if target.allows(&places.program)? != Some(false) || !is_terminal() {
        return Ok(false);
    }
    let file = escape::line(&target.path.display().to_string());
    confirmed(&format!(
        "Let {} run swarm-msg without asking you? It adds rules to {file}. [y/N] ",
        target.host.word()
    ))
}

/// Whether there is somebody to ask.
fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether the person says yes.
fn confirmed(question: &str) -> Result<bool> {
    print::ask(question)?;
    print::confirmed()
}

/// Whether a hook of this agent has called.
fn has_called(store: &Store, agent: &Agent) -> bool {
    report::read(store, &agent.name).ok().flatten().is_some_and(|r| r.at >= agent.first_seen)
}

/// Why hooks do not reach the agent of that name, and what repairs it; nothing where they do, or where its kind has none.
pub(super) fn unreached(store: &Store, name: &str) -> Option<String> {
    let agent = store.agents().ok()?.into_iter().find(|a| a.is_live() && a.name.as_str() == name)?;
    let host = agent.kind.parse().ok()?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute())?;
    let program = session::program().ok()?;
    let (text, repair) = reached(host, &agent, &home, program.to_str()?, has_called(store, &agent));
    repair.map(|repair| format!("{text} → {repair}"))
}

/// How far hooks reach a living agent, and the one command that repairs it.
pub(super) fn reached(
    host: Host,
    agent: &Agent,
    home: &Path,
    program: &str,
    called: bool,
) -> (String, Option<String>) {
    let cwd = Path::new(&agent.cwd);
    let word = host.word();
    let reach = around_agent(agent, home, |around| around.reach(host, cwd, program));
    let quoted = format!("'{}'", agent.cwd.replace('\'', "'\\''"));
    match reach {
        Reach::Whole | Reach::Untrusted if called => ("enforced: its hooks have called".into(), None),
        Reach::Whole => (
            "installed, but not called yet".into(),
            Some(format!("give it a prompt; if it was started before the installation, restart {word}")),
        ),
        Reach::Untrusted => (
            "needs trust: Codex skips the hooks until then".into(),
            Some("type /hooks in it and trust them".into()),
        ),
        Reach::Absent => (
            format!(
                "not reached: it works in {}, and none of the files that it reads there has the hooks",
                agent.cwd
            ),
            Some(format!("cd {quoted} && swarm hooks install {word}")),
        ),
        Reach::Partial(file) => (
            format!("incomplete, or for another swarm program: {}", file.display()),
            Some(format!("cd {quoted} && swarm hooks install {word}")),
        ),
        Reach::Off(file, key) => (
            format!("installed, but switched off in {} ({key})", file.display()),
            Some(format!("remove {key} from that file")),
        ),
    }
}

/// Something of swarm in settings or in git that is to be removed.
pub(super) enum Removal {
    /// Hooks in an agent's settings; and where what those were before is kept.
    Agent(Target, PathBuf),
    /// Rules for `swarm-msg` in a file of their own; and the same.
    Rules(RulesFile, PathBuf),
    /// The guards of a project's repositories; where it is on record that they were put in, and for which project.
    Git(Vec<Guard>, PathBuf, PathBuf),
}

impl Removal {
    /// Its description for a person.
    pub(super) fn tell(&self) -> String {
        match self {
            Removal::Agent(target, _) => {
                format!("remove swarm's hooks from {} ({})", target.path.display(), target.host.word())
            }
            Removal::Rules(file, _) => {
                format!("remove the rules for swarm-msg from {} ({})", file.path.display(), file.host.word())
            }
            Removal::Git(guards, _, root) => {
                let dirs: Vec<String> = guards.iter().map(|g| g.dir().display().to_string()).collect();
                let dirs = if dirs.is_empty() { root.display().to_string() } else { dirs.join(", ") };
                format!("remove the guard of commits from {dirs}")
            }
        }
    }

    /// Removes it. Idempotent.
    pub(super) fn take(&self) -> Result<()> {
        match self {
            Removal::Agent(target, state) => take_out(target, &target.uninstall(state)?, state),
            Removal::Rules(file, state) => file.uninstall(state)?.uninstall(state),
            Removal::Git(guards, state, root) => {
                let _held = git::changing(state)?;
                Installed::forget(state, root);
                guards.iter().try_for_each(|guard| guard.uninstall().map(|_| ()))
            }
        }
    }
}

/// Everything of swarm in the person's own settings, and in the project at `root`.
pub(super) fn removals(root: Option<&Path>) -> Result<Vec<Removal>> {
    let state = key::state_home()?.join("hooks");
    let home =
        std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute()).context("HOME is not set")?;
    let (own, none) = (|name: &str| std::env::var(name).ok(), |_: &str| None);
    let around: [Surroundings<'_>; 2] =
        [Surroundings { home: home.clone(), variable: &own }, Surroundings { home, variable: &none }];
    let mut found = Vec::new();
    for host in Host::ALL {
        let mut targets: Vec<Target> =
            around.iter().flat_map(|around| Target::user(host, around).all()).collect();
        if let Some(root) = root {
            targets.extend(Target::project(host, root).all());
            targets.extend(recorded(&state, host, root));
        }
        // Directories that were made for several files go with the last of them.
        targets.reverse();
        let mut seen: Vec<PathBuf> = Vec::new();
        for target in targets {
            if seen.contains(&target.path) {
                continue;
            }
            seen.push(target.path.clone());
            // What cannot be looked at is a step that fails, and stops no other.
            if !target.uninstall(&state).is_ok_and(|plan| plan.is_empty()) {
                found.push(Removal::Agent(target, state.clone()));
            }
        }
    }
    let files = Host::ALL.iter().flat_map(|host| around.iter().filter_map(|a| RulesFile::of(*host, a)));
    let files = files.chain(RulesFile::recorded(&state, None));
    let mut seen: Vec<PathBuf> = Vec::new();
    for file in files {
        if !seen.contains(&file.path) && !file.uninstall(&state).is_ok_and(|plan| plan.is_empty()) {
            seen.push(file.path.clone());
            found.push(Removal::Rules(file, state.clone()));
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

/// The state of hooks that are in a file, for an agent that is started where that file is read.
fn next_step(host: Host, target: &Target, places: &HookFiles) -> String {
    let own = |name: &str| std::env::var(name).ok();
    let around = Surroundings { home: places.home.clone(), variable: &own };
    let dir = target.within.as_deref().unwrap_or(&places.root);
    match around.reach(host, dir, &places.program) {
        Reach::Off(file, key) => format!("installed, but switched off in {} ({key})", file.display()),
        Reach::Untrusted => {
            "needs trust: start codex and accept the hooks (/hooks); until then it skips them".into()
        }
        _ => "enforced for agents started from now on".into(),
    }
}

/// The guard of commits, in every repository of the project. Those that were refused are named, and the others done.
fn git(action: &Action, places: &HookFiles) -> Result<()> {
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
                format!("git: would add {} to {dir}{whose}, beside the hooks there\n", git::NAMES)
            }
            (Action::Install(_), Some(_)) if standing == Standing::Whole => {
                format!("git: enforced by your own hooks in {dir}{whose}\n")
            }
            (Action::Install(_) | Action::Diff(_), Some(why)) => {
                refused = refused.or(Some(Refusal::Usage(why.to_owned())));
                format!("git: not changed{whose}: {why}\n")
            }
            (Action::Install(_), None) => {
                guard.install(&places.program)?;
                put += 1;
                format!("git: enforced: {} in {dir}{whose}\n", git::NAMES)
            }
            (Action::Uninstall(_), _) => {
                let taken = guard.refused().is_none() && guard.uninstall()?;
                changed |= taken;
                if taken { format!("git: removed from {dir}{whose}\n") } else { String::new() }
            }
        };
        print::out(&text)?;
        for left in if matches!(action, Action::Diff(_)) { Vec::new() } else { guard.orphans() } {
            let left = escape::line(&left.display().to_string());
            print::tell(&format!(
                "{left} was your hook before another tool replaced it: nothing runs it now; move it where you want it"
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
                print::out(&format!("git: nothing of swarm in {dir}\n"))?;
            }
        }
        _ => {}
    }
    refused.map_or(Ok(()), |why| Err(why.into()))
}

fn told(standing: Standing, guard: &Guard, places: &HookFiles) -> &'static str {
    let missed =
        || Installed::load(&places.state, &places.root).is_some_and(|i| i.displaced().contains(&guard.dir()));
    match standing {
        Standing::Whole => "enforced",
        _ if missed() => "displaced: another tool overwrote it (swarm hooks install git)",
        Standing::Partial => "incomplete, or for another swarm program (swarm hooks install git)",
        Standing::Absent => "not installed (swarm hooks install git)",
    }
}

/// The working trees that it covers, where that is not obvious.
fn trees(guard: &Guard) -> String {
    let all: Vec<String> = guard.trees().iter().map(|t| escape::line(&t.display().to_string())).collect();
    if all.is_empty() { String::new() } else { format!(", for {}", all.join(", ")) }
}
