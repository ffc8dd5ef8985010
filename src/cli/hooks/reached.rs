//! Checks whether hooks reach a living agent, and names the one command that repairs it.

use crate::cli::session;
use crate::core::agent::Agent;
use crate::core::hook::HookKind;
use crate::core::hook::package::VERSION;
use crate::core::hook::settings::Presence;
use crate::hooks::install::Target;
use crate::hooks::install::reach::{Reach, Surroundings};
use crate::hooks::report;
use crate::os::program;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// Calls `with` with the environment of an agent's start. Values that its process does not show are taken from this
/// environment.
pub(in crate::cli) fn around_agent<T>(
    agent: &Agent,
    home: &Path,
    with: impl Fn(&Surroundings<'_>) -> T,
) -> T {
    around_process(agent.process.pid, home, with)
}

/// [`around_agent`] for a process.
pub(in crate::cli) fn around_process<T>(pid: i32, home: &Path, with: impl Fn(&Surroundings<'_>) -> T) -> T {
    let environment = program::Environment::of(pid);
    let variable = |name: &str| environment.get(name);
    let home =
        variable("HOME").map(PathBuf::from).filter(|h| h.is_absolute()).unwrap_or_else(|| home.to_owned());
    with(&Surroundings { home, variable: &variable })
}

/// Whether a hook of this agent has ever called.
pub(super) fn has_called(store: &Store, agent: &Agent) -> bool {
    report::read(store, &agent.name).ok().flatten().is_some_and(|r| r.at >= agent.first_seen)
}

/// Why hooks do not reach the agent of that name, and the command that repairs it; `None` if they do, or if its kind
/// has none.
pub(in crate::cli) fn unreached(store: &Store, name: &str) -> Option<String> {
    let agent = store.agents().ok()?.into_iter().find(|a| a.is_live() && a.name.as_str() == name)?;
    let kind = agent.kind.parse().ok()?;
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute())?;
    let program = session::program().ok()?;
    let Reached { text, repair, absent } =
        reached(kind, &agent, &home, program.to_str()?, has_called(store, &agent));
    let text = if absent && !anywhere(store, kind, &agent, &home, program.to_str()?) {
        "not installed: leases do not stop its edits".to_owned()
    } else {
        text
    };
    repair.map(|repair| format!("{text} → {repair}"))
}

/// Whether hooks for this kind of agent are in any file of the project or the person's.
fn anywhere(store: &Store, kind: HookKind, agent: &Agent, home: &Path, program: &str) -> bool {
    let has = |target: &Target| target.presence(program).is_ok_and(|presence| presence != Presence::None);
    let root = store.root();
    has(&Target::project(kind, root))
        || around_agent(agent, home, |around| {
            has(&Target::user(kind, around)) || around.package(kind, root).is_some()
        })
}

/// How well hooks reach a living agent.
pub(in crate::cli) struct Reached {
    /// The result in words.
    pub(in crate::cli) text: String,
    /// The one command that repairs it.
    pub(in crate::cli) repair: Option<String>,
    /// No file that the agent reads contains them.
    pub(in crate::cli) absent: bool,
}

/// How well hooks reach a living agent, and the one command that repairs it.
pub(in crate::cli) fn reached(
    kind: HookKind,
    agent: &Agent,
    home: &Path,
    program: &str,
    called: bool,
) -> Reached {
    let cwd = Path::new(&agent.cwd);
    let word = kind.word();
    let reach = around_agent(agent, home, |around| around.reach(kind, cwd, program));
    let quoted = format!("'{}'", agent.cwd.replace('\'', "'\\''"));
    let absent = matches!(reach, Reach::Absent);
    let (text, repair) = match reach {
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
        Reach::OtherVersion(file, version) => (
            format!(
                "its package is of version {version}, and this program is {VERSION}: it does nothing ({})",
                file.display()
            ),
            Some(match kind {
                HookKind::Codex => "codex plugin add swarm@swarm, and restart codex".to_owned(),
                _ => format!("cd {quoted} && swarm hooks install {word} --package, and restart {word}"),
            }),
        ),
        Reach::Twice(file) => (
            format!(
                "installed twice: the package does nothing, because {} has the hooks as well",
                file.display()
            ),
            Some(format!("cd {quoted} && swarm hooks install {word} --package, and restart {word}")),
        ),
        Reach::Off(file, key) => (
            format!("installed, but switched off in {} ({key})", file.display()),
            Some(format!("remove {key} from that file")),
        ),
    };
    Reached { text, repair, absent }
}
