//! From panes to named agents: one tmux call, one look at the processes, one transaction.
//!
//! A look costs the same two reads for any number of panes. Registering runs under the store's mutex, so racing
//! discoveries give one record per process and no name twice. An agent belongs to the project its working directory
//! lies in; what runs elsewhere on the same server is left to its own project.

use crate::agents::{ProcessFacts, Profiles};
use crate::core::agent::{Agent, Place};
use crate::core::message::parse_file_name;
use crate::core::name::Name;
use crate::core::registry::{self, Changes, Sighting};
use crate::os::process::{self, Table};
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use crate::tmux::panes::Pane;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What one look at a server showed.
#[derive(Debug)]
pub struct Survey {
    /// All panes.
    pub panes: Vec<Pane>,
    /// The processes at that moment.
    pub table: Table,
    /// The agents found, each with the rule that recognised it.
    pub found: Vec<(Sighting, String)>,
}

/// Looks for agents in all panes of `server`.
pub fn survey(server: &Server, profiles: &Profiles) -> Result<Survey> {
    let panes = server.panes()?;
    let table = Table::read()?;
    let namespace = process::namespace();
    let mut found = Vec::new();
    for pane in panes.iter().filter(|p| !p.dead) {
        if let Some((pid, kind, rule)) = recognise(&table, pane.pid, profiles) {
            let Some(process) = table.id(pid) else { continue };
            let cwd =
                process::cwd(pid).map_or_else(|| pane.path.clone(), |p| p.to_string_lossy().into_owned());
            let shared_server = profiles.process_rules(&kind).and_then(|rules| rules.shared_server.clone());
            let place = Place {
                socket: server.socket().to_owned(),
                server: pane.server,
                pane: pane.id.clone(),
                pane_pid: pane.pid,
                namespace,
            };
            found.push((Sighting { kind, process, place, cwd, shared_server }, rule));
        }
    }
    Ok(Survey { panes, table, found })
}

/// The agent in a pane's process tree: the one nearest to the pane, since an agent may run others as its tools.
fn recognise(table: &Table, pane_pid: i32, profiles: &Profiles) -> Option<(i32, String, String)> {
    table.tree(pane_pid).into_iter().find_map(|process| {
        let argv = table.argv(process);
        let found = profiles.recognise(&ProcessFacts { comm: &process.comm, argv: &argv })?;
        Some((process.pid, found.profile.kind.clone(), found.rule))
    })
}

impl Survey {
    /// The agents of the project at `root`.
    pub fn of_project(&self, root: &Path) -> Vec<Sighting> {
        let mut roots: BTreeMap<&str, Option<PathBuf>> = BTreeMap::new();
        let belongs = |cwd| {
            roots
                .entry(cwd)
                .or_insert_with(|| Store::root_of(Path::new(cwd)))
                .as_deref()
                .is_some_and(|r| r == root)
        };
        let mut belongs = belongs;
        self.found.iter().filter(|(s, _)| belongs(&s.cwd)).map(|(s, _)| s.clone()).collect()
    }

    /// The initialised projects that agents were found in.
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots: Vec<PathBuf> =
            self.found.iter().filter_map(|(s, _)| Store::root_of(Path::new(&s.cwd))).collect();
        roots.sort();
        roots.dedup();
        roots
    }
}

/// Commits what a survey showed of the store's project, and returns all agents on record.
pub fn register(store: &Store, survey: &Survey, server: &Server) -> Result<(Vec<Agent>, Changes)> {
    let seen = survey.of_project(store.root());
    let (agents, changes) = store.transact(|tx| {
        let known = tx.agents()?;
        let changes = registry::reconcile(&known, &seen, now_ms(), |a| {
            process::check_in(a.place.namespace, &a.process)
        });
        for name in &changes.forget {
            if owes_word(store, name)? {
                continue;
            }
            tx.bury_mail(name)?;
            tx.forget_agent(name)?;
        }
        for agent in &changes.put {
            tx.put_agent(agent)?;
        }
        for name in &changes.new {
            tx.journal("agent-new", serde_json::json!({"name": name}))?;
        }
        for name in &changes.died {
            tx.journal("agent-died", serde_json::json!({"name": name}))?;
        }
        for agent in known.iter().filter(|a| !a.formerly.is_empty()) {
            tx.settle_mail(agent)?;
        }
        for name in &changes.renamed {
            tx.forget_agent(name)?;
        }
        Ok((if changes == Changes::default() { known } else { tx.agents()? }, changes))
    })?;
    for agent in agents.iter().filter(|a| changes.new.contains(&a.name)) {
        store.ensure_mailbox(&agent.name)?;
    }
    server.label(&stale_labels(&agents, &survey.panes, server))?;
    Ok((agents, changes))
}

/// Whether there is mail of a dead agent whose senders were not told what became of it: the courier will, if its record stays.
fn owes_word(store: &Store, name: &Name) -> Result<bool> {
    if !store.mail_files(name, Folder::Unacked)?.is_empty() {
        return Ok(true);
    }
    for file in store.mail_files(name, Folder::New)? {
        let Some((_, id)) = parse_file_name(&file) else { continue };
        if store.delivery(name, &id)?.is_none_or(|d| d.way.stage.is_open()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The panes whose label does not say what they hold.
fn stale_labels(agents: &[Agent], panes: &[Pane], server: &Server) -> Vec<(String, Option<String>)> {
    let ours: Vec<&str> = agents.iter().map(|a| a.name.as_str()).collect();
    panes
        .iter()
        .filter_map(|pane| {
            let here =
                |a: &&Agent| a.is_live() && a.place.pane == pane.id && a.place.socket == server.socket();
            let bearer = agents.iter().find(here).map(|a| a.name.to_string());
            match bearer {
                Some(name) => (name != pane.label).then(|| (pane.id.clone(), Some(name))),
                // A label of another project's agent is not ours to remove.
                None => ours.contains(&pane.label.as_str()).then(|| (pane.id.clone(), None)),
            }
        })
        .collect()
}

/// A survey of `server`, registered.
pub fn discover(store: &Store, server: &Server, profiles: &Profiles) -> Result<(Vec<Agent>, Changes)> {
    register(store, &survey(server, profiles)?, server)
}
