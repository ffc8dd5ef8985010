//! From panes to named agents: one tmux call, one look at the processes below the panes, one transaction.
//!
//! A look is one tmux call for any number of panes, and costs nothing for processes elsewhere. Agents are registered
//! under the store's mutex, so racing discoveries make one record per process and use no name twice. An agent belongs
//! to the project of its working directory, even if an environment sets `$SWARM_ROOT`. An agent of another project on
//! the same server is left to that project, and nobody registers one in no project. A pane has the marks of its
//! agent's project.
//!
//! A new process may be a returning agent. It then takes over that agent's record in the same transaction. A Claude
//! names its conversation only a second or two after its start. If the conversation matters, the Claude is registered
//! only then.

use super::heirs;
use crate::agents::is_shell;
use crate::agents::{ProcessFacts, Profiles};
use crate::carriers::{self, Started};
use crate::core::agent::{Agent, PaneRef};
use crate::core::config::Settings;
use crate::core::delivery::Stage;
use crate::core::event::Event;
use crate::core::message::parse_file_name;
use crate::core::name::Name;
use crate::core::order;
use crate::core::process_id::ProcessId;
use crate::core::registry::{self, RosterChanges, Scan, Sighting};
use crate::os::forest::Forest;
use crate::os::process::{self, Here, Process};
use crate::os::program::{self, Environment};
use crate::store::config::Files;
use crate::store::mail::Folder;
use crate::store::{Store, Transaction, now_ms};
use crate::tmux::Server;
use crate::tmux::panes::Pane;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The result of one look at a server.
#[derive(Debug)]
pub struct Survey {
    pub panes: Vec<Pane>,
    pub forest: Forest,
    /// The agents found, each with the rule that recognised it.
    pub found: Vec<(Sighting, String)>,
    /// The project of each directory that was seen, if it is in one.
    owners: BTreeMap<String, Option<PathBuf>>,
}

/// Looks for agents in all panes of `server`.
pub fn survey(server: &Server, profiles: &Profiles) -> Result<Survey> {
    let panes = server.panes()?;
    let forest = Forest::look()?;
    let namespace = process::namespace();
    let mut found = Vec::new();
    for pane in panes.iter().filter(|p| !p.dead) {
        if let Some(Recognised { process, kind, rule, argv, environment }) =
            recognise(&forest, pane.pid, profiles)
        {
            let carriers = profiles.get(&kind).map_or(&[][..], |profile| &profile.carriers);
            let resumes = profiles.resumes(&kind, &argv);
            let started =
                Started { process: &process, known_in: namespace, environment: &environment, resumes };
            let conversation = carriers::conversation_at_start(&kind, carriers, &started);
            // A person's setting for the pane has priority over the environment of the pane's shell.
            let wanted = Some(pane.wanted.clone()).filter(|name| !name.is_empty());
            let wanted = wanted.or_else(|| environment.get("SWARM_NAME"));
            let asks = wanted.and_then(|name| Name::for_agent(&name).ok());
            let cwd = match process::cwd(process.pid) {
                Some(cwd) => cwd.to_string_lossy().into_owned(),
                // The process is ending: its directory is gone, and the pane's directory is not where it worked.
                None if process::arguments(process.pid).is_empty() => continue,
                None => pane.path.clone(),
            };
            let shared_server = profiles.process_rules(&kind).and_then(|rules| rules.shared_server.clone());
            let place = PaneRef {
                socket: server.socket().to_owned(),
                server: pane.server,
                pane: pane.id.clone(),
                pane_pid: pane.pid,
                namespace,
            };
            let sighting = Sighting { kind, process, place, cwd, shared_server, conversation, asks };
            found.push((sighting, rule));
        }
    }
    let dirs: BTreeSet<&str> =
        order::collect(panes.iter().map(|p| &*p.path).chain(found.iter().map(|(s, _)| &*s.cwd)));
    let owners =
        order::collect(dirs.into_iter().map(|dir| (dir.to_owned(), Store::root_around(Path::new(dir)))));
    Ok(Survey { panes, forest, found, owners })
}

/// An agent in a pane, with facts about its process.
pub(crate) struct Recognised {
    pub(crate) process: ProcessId,
    pub(crate) kind: String,
    /// The rule that recognised it.
    pub(crate) rule: String,
    argv: Vec<String>,
    environment: Environment,
}

/// The agent in a pane's process tree: the one nearest to the pane, because an agent may run others as its tools. A
/// process that no profile recognises may name its kind by a variable. The variables of a shell are for the programs
/// that it starts.
pub(crate) fn recognise(forest: &Forest, pane_pid: i32, profiles: &Profiles) -> Option<Recognised> {
    forest.tree(pane_pid).filter(|process| !process.ended).find_map(|process| {
        let (argv, environment) = (process.argv(), Environment::of(process.pid));
        let exe = program::file(process.pid);
        let facts = ProcessFacts { comm: &process.comm, argv: &argv, exe: exe.as_deref() };
        let (kind, rule) = match profiles.recognise(&facts) {
            Some(found) => (found.profile.kind.clone(), found.rule),
            None => (named(&process, &environment)?, format!("{} in its environment", program::SWARM_AGENT)),
        };
        Some(Recognised { process: forest.id(&process), kind, rule, argv, environment })
    })
}

/// The kind that a process names by its environment.
fn named(process: &Process, environment: &Environment) -> Option<String> {
    let kind = (!is_shell(&process.comm)).then(|| environment.get(program::SWARM_AGENT))??;
    Name::is_kind(&kind).then_some(kind)
}

impl Survey {
    /// Adds an agent that a person has named.
    pub fn add(&mut self, sighting: Sighting, rule: &str) {
        self.owners.insert(sighting.cwd.clone(), Store::root_around(Path::new(&sighting.cwd)));
        self.found.push((sighting, rule.to_owned()));
    }

    /// The agents of the project at `root`, and all others.
    pub fn split(&self, root: &Path) -> (Vec<Sighting>, Vec<Sighting>) {
        let sightings = self.found.iter().map(|(sighting, _)| sighting.clone());
        sightings.partition(|s| self.owner(&s.cwd) == Some(root))
    }

    /// The initialised projects that agents were found in.
    pub fn roots(&self) -> Vec<PathBuf> {
        let found = self.found.iter().filter_map(|(s, _)| self.owner(&s.cwd));
        order::collect::<_, BTreeSet<_>>(found).into_iter().map(Path::to_owned).collect()
    }

    /// The project of a pane: its agent's, or else the project of its directory.
    pub fn owner_of_pane(&self, pane: &Pane) -> Option<&Path> {
        let agent = self.found.iter().find(|(s, _)| s.place.pane == pane.id);
        self.owner(agent.map_or(&*pane.path, |(s, _)| &*s.cwd))
    }

    fn owner(&self, dir: &str) -> Option<&Path> {
        self.owners.get(dir)?.as_deref()
    }
}

/// Commits the result of a survey for the store's project, and returns all agents on record. A new agent that will
/// soon name its conversation is left for the next survey, if the conversation matters and the caller is `patient`.
pub fn register(
    store: &Store,
    survey: &Survey,
    server: &Server,
    patient: bool,
) -> Result<(Vec<Agent>, RosterChanges)> {
    let (seen, strangers) = survey.split(store.root());
    let Settings { restart: window, grace, .. } = Settings::from(&Files::of(Some(store.root())).load());
    let is_foreign = process::is_foreign;
    let look =
        Scan { seen: &seen, strangers: &strangers, now_ms: now_ms(), window, grace, patient, is_foreign };
    let here = Here::look();
    let (agents, changes) = store.transact(|tx| {
        let known = tx.agents()?;
        let changes = registry::reconcile(
            &known,
            &look,
            |a| here.check(a.place.namespace, &a.process),
            // If this cannot be determined, something may be left.
            |a| heirs::leaves_anything(store, a).unwrap_or(true),
        );
        commit(tx, store, &known, &changes)?;
        Ok((if changes == RosterChanges::default() { known } else { tx.agents()? }, changes))
    })?;
    store.post_notices()?;
    give_back(store, &agents, &changes)?;
    for agent in agents.iter().filter(|a| changes.new.contains(&a.name)) {
        store.ensure_mailbox(&agent.name)?;
    }
    server.label(&stale_labels(&agents, &changes, store.root(), survey, server))?;
    Ok((agents, changes))
}

/// Returns their leases to returning agents, also to those of an earlier survey that was killed before it did so.
fn give_back(store: &Store, agents: &[Agent], changes: &RosterChanges) -> Result<()> {
    let left = store.left_leases()?;
    let is_back = |agent: &&Agent| {
        // The agent may have been renamed since, by the same survey.
        let heir = changes.heirs.iter().any(|(name, _)| agent.answers_to(name));
        agent.is_live() && agent.past.inherited.is_some() && (heir || left.contains(&agent.name))
    };
    agents.iter().filter(is_back).try_for_each(|agent| store.return_leases(agent))
}

/// Commits the decisions. After a crash, the next survey completes them.
#[inline(never)]
fn commit(tx: &mut Transaction<'_>, store: &Store, known: &[Agent], changes: &RosterChanges) -> Result<()> {
    tx.put_away_ended(known)?;
    for name in &changes.freed {
        tx.bury_mail(name)?;
        tx.forget_agent(name)?;
    }
    for name in &changes.forget {
        if owes_word(store, name)? {
            continue;
        }
        tx.bury_mail(name)?;
        tx.forget_agent(name)?;
    }
    for agent in changes.put.iter().filter(|a| changes.new.contains(&a.name) && !a.past.given) {
        tx.leave_groups(&agent.name)?;
    }
    for agent in &changes.put {
        // An agent without mail leaves nothing behind, and its name is free again.
        if changes.left.contains(&agent.name) && agent.formerly.is_empty() && store.is_unused(&agent.name)? {
            tx.forget_agent(&agent.name)?;
            continue;
        }
        if let Some((_, by)) = changes.heirs.iter().find(|(name, _)| *name == agent.name) {
            heirs::revive(tx, store, agent, *by)?;
        }
        tx.put_agent(agent)?;
    }
    let new = changes.new.iter().map(|name| Event::AgentNew { name });
    let died = changes.died.iter().map(|name| Event::AgentDied { name });
    let left = changes.left.iter().map(|name| Event::AgentLeft { name });
    for event in new.chain(died).chain(left) {
        tx.journal(&event)?;
    }
    for agent in known.iter().filter(|a| !a.formerly.is_empty() && !changes.freed.contains(&a.name)) {
        tx.collect_mail(agent)?;
    }
    for name in &changes.renamed {
        tx.forget_agent(name)?;
    }
    for (name, to) in &changes.asked {
        if let Some(agent) = changes.put.iter().find(|a| a.name == *name) {
            tx.rename_agent(agent, to)?;
            tx.journal(&Event::Renamed { from: name, to, by: Some("asked") })?;
        }
    }
    Ok(())
}

/// Whether mail of a dead agent still needs a notice to its senders. The courier sends the notice only while the
/// agent's record exists.
fn owes_word(store: &Store, name: &Name) -> Result<bool> {
    if !store.mail_files(name, Folder::Unacked)?.is_empty() {
        return Ok(true);
    }
    for file in store.mail_files(name, Folder::New)? {
        let Some((_, id)) = parse_file_name(&file) else { continue };
        if store.delivery(name, &id)?.is_none_or(|d| d.way.stage.is_open() || d.way.stage == Stage::Typed) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The panes with a wrong label. A label in another project's pane belongs to that project, unless it names an agent
/// that was on record here until now. A label in a pane of no project belongs to nobody.
fn stale_labels(
    agents: &[Agent],
    changes: &RosterChanges,
    root: &Path,
    survey: &Survey,
    server: &Server,
) -> Vec<(String, Option<String>)> {
    let stale = |pane: &Pane| {
        let here = |a: &&Agent| a.is_live() && a.place.pane == pane.id && a.place.socket == server.socket();
        if let Some(agent) = agents.iter().find(here) {
            return (agent.name.as_str() != pane.label).then(|| Some(agent.name.to_string()));
        }
        let ours = match survey.owner_of_pane(pane) {
            Some(owner) => owner == root || changes.left.iter().any(|name| name.as_str() == pane.label),
            None => true,
        };
        (ours && !pane.label.is_empty()).then_some(None)
    };
    survey.panes.iter().filter_map(|pane| Some((pane.id.clone(), stale(pane)?))).collect()
}

/// How long after its start an agent may take to name its conversation.
pub const SAYS_SOON: Duration = Duration::from_secs(5);

/// A survey of `server`, registered. Waits up to this time for agents that have just started.
pub fn discover(
    store: &Store,
    server: &Server,
    profiles: &Profiles,
    patience: Duration,
) -> Result<(Survey, Vec<Agent>, RosterChanges)> {
    let begun = Instant::now();
    loop {
        let survey = survey(server, profiles)?;
        let patient = begun.elapsed() < patience;
        let (agents, changes) = register(store, &survey, server, patient)?;
        if !changes.pending {
            return Ok((survey, agents, changes));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
