//! Finds the project and the directory in which a background server of several agents started a command.
//!
//! Such a server works for agents of several projects. A command that it runs for one agent may change to another
//! project's directory, or inherit the `SWARM_ROOT` of the server. So a command belongs to the project of the
//! directory in which the server started it. If its shell has changed the directory since, `OLDPWD` names the earlier
//! one. A server may also start a command in a directory that the agent chose. Then the conversation of the command
//! shows the agent's own project.

use crate::carriers::begun;
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::os::program::Environment;
use crate::os::served::Served;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// The directory in which a server started this command, if it is known to be outside the project at `root`.
pub(super) fn elsewhere(served: &Served, root: &Path) -> Option<PathBuf> {
    let (task, server) = (Environment::of(served.task), Environment::of(served.server));
    // The variables of the server's own start do not count. If they cannot be seen, none count.
    let is_seen = server.get("PATH").is_some();
    let said = |own: Option<String>, name: &str| {
        own.filter(|value| is_seen && server.get(name).as_ref() != Some(value)).map(PathBuf::from)
    };
    let is_outside = |dir: &PathBuf| Store::root_around(dir).as_deref() != Some(root);
    let first = said(task.get("PWD"), "PWD");
    // A shell may have changed its directory and then replaced itself by this command.
    let is_task = i32::try_from(std::process::id()).is_ok_and(|own| own == served.task);
    if let Some(first) = first.filter(|_| !is_task) {
        return Some(first).filter(is_outside);
    }
    let before = said(std::env::var("OLDPWD").ok(), "OLDPWD").filter(is_outside);
    before.or_else(|| std::env::current_dir().ok().filter(is_outside))
}

/// The directory in which the conversation of a command below a server was begun, if it is outside the project at
/// `root` and the conversation is not one of `agent`. An agent may run a tool in any directory.
pub(super) fn in_other_conversation(served: &Served, agent: &Agent, root: &Path) -> Option<PathBuf> {
    let server = Environment::of(served.server);
    server.get("PATH")?;
    let said = std::env::var(begun::CONVERSATION).ok();
    let id = said.filter(|id| server.get(begun::CONVERSATION).as_ref() != Some(id))?;
    let is_outside = |dir: &PathBuf| Store::root_around(dir).as_deref() != Some(root);
    begun::begun_in(&id, &server).filter(is_outside).filter(|_| !agent.past.knows(&id))
}

/// Why the command is refused in the project at `root`, and what to do.
pub(super) fn refusal(name: &Name, served: &Served, began: &Path, root: &Path) -> Refusal {
    let shown = |path: &Path| escape::short(&path.display().to_string(), 200);
    Refusal::Stranger(format!(
        "this command runs in a background server of several agents (process {}) and comes from {}, so it does not count as {name} of this project ({}): in your own project run it there, without SWARM_ROOT; if you are {name}, put SWARM_NAME={name} before it",
        served.server,
        shown(began),
        shown(root)
    ))
}
