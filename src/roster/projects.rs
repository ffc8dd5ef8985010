//! The projects of one tmux server, and the project that a key press in a pane is about.
//!
//! A project is on a server if one of its panes is there, or if its courier has left its name there. Projects with
//! agents there, or with unread mail for the person, come first; without any such project, all count. Read-only;
//! takes no lock. A project that cannot be opened is left out, and its errors do not affect the others.

use crate::core::agent::{Agent, Status};
use crate::core::escape;
use crate::core::name::Name;
use crate::core::order;
use crate::os::process::Here;
use crate::store::Store;
use crate::tmux::Server;
use anyhow::Result;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A project on a server.
pub struct Project {
    pub store: Store,
    /// Its living agents, on this server and elsewhere.
    pub agents: Vec<Agent>,
    /// How many of them wait for the person: a dialog is open, or there is unread mail from them.
    pub needs: usize,
    /// How many messages the person has not read.
    pub unread: usize,
    /// Its name for people: the name of its directory, with the one above it if another project has the same name.
    pub label: String,
}

/// The projects on a server, those that need the person most first.
pub fn on(server: &Server) -> Result<Vec<Project>> {
    let mut all: Vec<Project> =
        roots(server)?.iter().filter_map(|root| look(&Store::open_root(root).ok()?).ok()).collect();
    let matters = |p: &Project| p.unread > 0 || p.agents.iter().any(|a| a.place.socket == server.socket());
    if all.iter().any(matters) {
        all.retain(matters);
    }
    order::sort_by_key(&mut all, |p| (p.needs == 0, p.unread == 0, p.store.root().to_owned()));
    let names: Vec<String> = all.iter().map(|p| name(p.store.root())).collect();
    for (at, project) in all.iter_mut().enumerate() {
        let shared = names.iter().filter(|n| **n == names[at]).count() > 1;
        project.label = if shared { long_name(project.store.root()) } else { names[at].clone() };
    }
    Ok(all)
}

pub fn look(store: &Store) -> Result<Project> {
    let mut agents = store.living()?;
    // If no courier has looked for a while, the record may outlive the process.
    let here = Here::look();
    agents.retain(|a| here.check(a.place.namespace, &a.process) != Some(false));
    let askers = store.askers()?;
    let needs = agents.iter().filter(|a| asks(a, &askers)).count();
    let unread = store.count_unread(&Name::human())?;
    Ok(Project { label: name(store.root()), store: store.clone(), agents, needs, unread })
}

/// Whether an agent waits for the person. `askers` are the agents that have unread mail to the person.
pub fn asks(agent: &Agent, askers: &[Name]) -> bool {
    agent.status == Status::Dialog || askers.iter().any(|name| agent.answers_to(name))
}

/// The name of the project at `root` for people, safe to show.
pub fn name(root: &Path) -> String {
    escape::short(&last(root), 30)
}

pub fn last(root: &Path) -> Cow<'_, str> {
    root.file_name().unwrap_or(root.as_os_str()).to_string_lossy()
}

fn long_name(root: &Path) -> String {
    match root.parent().and_then(Path::file_name) {
        Some(parent) => format!("{}/{}", escape::short(&parent.to_string_lossy(), 30), name(root)),
        None => name(root),
    }
}

/// The roots of all projects with a pane, or their name, on a server.
pub fn roots(server: &Server) -> Result<BTreeSet<PathBuf>> {
    let mut dirs: BTreeSet<PathBuf> = order::collect(server.named_roots()?);
    for pane in server.panes()? {
        dirs.extend(
            [pane.badge_root, pane.path].into_iter().filter(|dir| !dir.is_empty()).map(PathBuf::from),
        );
    }
    Ok(order::collect(dirs.iter().filter_map(|dir| Store::root_around(dir))))
}

/// The root of a pane's project: its agent's, or else the one around `dir`, its directory.
pub fn of_pane(server: &Server, pane: &str, dir: &Path) -> Option<PathBuf> {
    let panes = server.panes().unwrap_or_default();
    let marked = panes.into_iter().find(|p| p.id == pane && !p.label.is_empty()).map(|p| p.badge_root);
    let of_agent = marked.filter(|root| !root.is_empty()).map(PathBuf::from).filter(|root| {
        let lives = |a: &Agent| a.is_live() && a.place.pane == pane && a.place.socket == server.socket();
        let agents = Store::open_root(root).and_then(|store| store.living());
        agents.is_ok_and(|agents| agents.iter().any(lives))
    });
    of_agent.or_else(|| Store::root_around(dir))
}
