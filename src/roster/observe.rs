//! Shows people the states of the living agents, by their screens. A delivery looks for itself.
//!
//! One tmux call per server, whatever the number of agents, to all servers at once. A server that does not answer
//! costs only its own time. A record is written only if the state changed, in a transaction that checks that the same
//! process is still on record. So a late look never changes another agent's record.

use super::heirs;
use crate::agents::{self, Profile, Profiles, Reading};
use crate::carriers::{self, Started};
use crate::core::agent::{Agent, Status};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::few::Few;
use crate::core::heir::Conversation;
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::process_id::ProcessId;
use crate::core::usage_limit::UsageLimit;
use crate::hooks::report;
use crate::os::program::{self, Environment};
use crate::os::{clock, process};
use crate::store::{Store, Transaction, now_ms};
use crate::tmux::pane::Look;
use crate::tmux::{Server, hangs};
use anyhow::Result;

/// How long after its start an agent's new conversation is looked for.
const STARTING_MS: u64 = 120_000;

/// The result of a look at all agents.
pub struct Observed {
    /// All agents on record.
    pub agents: Vec<Agent>,
    /// The sockets of the servers that did not answer, each with its error.
    pub hung: Vec<(String, anyhow::Error)>,
}

/// Looks at every living agent on the servers that `ask` returns for their sockets, and records each changed state.
pub fn observe(store: &Store, profiles: &Profiles, ask: impl Fn(&str) -> Option<Server>) -> Result<Observed> {
    let mut agents = store.agents()?;
    let (looks, hung) = look_at_all(&agents, &ask);
    let (mut changed, mut reached) = (Vec::new(), Vec::new());
    for agent in agents.iter_mut().filter(|a| a.is_live()) {
        let now = now_ms();
        if process::check_in(agent.place.namespace, &agent.process) == Some(false) {
            agent.died = Some(now);
        } else {
            let look = looks.get(&(agent.place.socket.clone(), agent.place.pane.clone()));
            let Some((state, said)) = look.and_then(|look| state(store, profiles, agent, look)) else {
                continue;
            };
            let known = agent.limit.clone();
            if !update(agent, state, said.as_deref(), now) {
                continue;
            }
            let new = |limit: &UsageLimit| known.is_none_or(|known| known.text != limit.text);
            reached.extend(agent.limit.clone().filter(new).map(|limit| (agent.name.clone(), limit)));
        }
        changed.push(agent.clone());
    }
    record(store, &changed, &reached)?;
    if enter_conversations(store, profiles, &agents)? {
        agents = store.agents()?;
    }
    Ok(Observed { agents, hung })
}

/// The looks at panes, by socket and pane.
type Looks = Few<(String, String), Look>;

/// Looks at the panes of all living agents, on all servers at once. Also returns the servers that did not answer.
fn look_at_all(
    agents: &[Agent],
    ask: &dyn Fn(&str) -> Option<Server>,
) -> (Looks, Vec<(String, anyhow::Error)>) {
    let mut servers: Few<&str, Vec<&str>> = Few::new();
    for Agent { place, .. } in agents.iter().filter(|a| a.is_live()) {
        servers.at(&*place.socket).push(&place.pane);
    }
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked = servers.iter().filter_map(|(socket, panes)| Some((*socket, panes, ask(socket)?)));
        let threads: Vec<_> = asked
            .map(|(socket, panes, server)| (socket, panes, scope.spawn(move || server.looks(panes))))
            .collect();
        threads.into_iter().map(|(socket, panes, thread)| (socket, panes, thread.join())).collect()
    });
    let (mut looks, mut hung) = (Few::new(), Vec::new());
    for (socket, panes, answer) in answers {
        match answer {
            Ok(Ok(seen)) => {
                for (pane, look) in panes.iter().zip(seen) {
                    if let Some(look) = look {
                        looks.insert((socket.to_owned(), (*pane).to_owned()), look);
                    }
                }
            }
            Ok(Err(error)) if hangs(&error) => hung.push((socket.to_owned(), error)),
            // If a server cannot be reached from here, the last known states stay.
            _ => {}
        }
    }
    (looks, hung)
}

/// Updates an agent's record by its screen. Returns whether the record changed.
fn update(agent: &mut Agent, state: Status, said: Option<&str>, now_ms: u64) -> bool {
    let limit = limit_now(agent, state, said, now_ms);
    let is_over = limit.as_ref().is_some_and(|limit| !limit.holds(now_ms));
    let state = if state == Status::Limit && is_over { Status::Idle } else { state };
    if state == agent.status && limit == agent.limit {
        return false;
    }
    if state != agent.status {
        (agent.status, agent.since) = (state, now_ms);
    }
    agent.limit = limit;
    true
}

/// Records the changed states, and sends the person notices about new usage limits.
fn record(store: &Store, changed: &[Agent], reached: &[(Name, UsageLimit)]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    store.transact(|tx| {
        let current = tx.agents()?;
        for seen in changed {
            // Only if it is still the same process's record: another command may have changed it meanwhile.
            if let Some(agent) = current.iter().find(|a| a.name == seen.name && a.process == seen.process) {
                let (status, since, died) = (seen.status, seen.since, seen.died);
                if let Some((_, limit)) = reached.iter().find(|(name, _)| *name == agent.name) {
                    tell_limit(tx, agent, limit)?;
                }
                tx.put_agent(&Agent { status, since, died, limit: seen.limit.clone(), ..agent.clone() })?;
            }
        }
        Ok(())
    })
}

/// Records the conversations that living agents' own files name. Returns whether an agent turned out to be back.
fn enter_conversations(store: &Store, profiles: &Profiles, agents: &[Agent]) -> Result<bool> {
    let mut came_back = false;
    for agent in agents.iter().filter(|a| a.is_live()) {
        let carriers = profiles.get(&agent.kind).map_or(&[][..], |profile| &profile.carriers);
        let environment = Environment::of(agent.process.pid);
        let started = Started::of(agent, &environment);
        let told = if is_new(&agent.process) {
            carriers::conversation_at_start(&agent.kind, carriers, &started)
        } else {
            carriers::conversation(carriers, &started)
        };
        if let Conversation::Is { id, .. } = told {
            came_back |= heirs::enter(store, agent, &id)?.is_some();
        }
    }
    Ok(came_back)
}

/// Whether a process started so recently that its first acts may not be on record yet.
fn is_new(process: &ProcessId) -> bool {
    let started = clock::started_ms(process);
    started.is_some_and(|started| clock::shared_ms().saturating_sub(started) < STARTING_MS)
}

/// The usage limit of an agent, by its state and its screen. A limit stays on record until the agent is seen idle
/// without it, so that the person gets one notice about it.
fn limit_now(agent: &Agent, state: Status, said: Option<&str>, now_ms: u64) -> Option<UsageLimit> {
    match said {
        Some(said) => match &agent.limit {
            Some(known) if known.text == said => Some(known.clone()),
            _ => Some(UsageLimit::seen(said, now_ms, clock::utc_offset_s())),
        },
        None => agent.limit.clone().filter(|_| state != Status::Idle),
    }
}

/// Sends the person a notice about an agent's usage limit.
fn tell_limit(tx: &mut Transaction<'_>, agent: &Agent, limit: &UsageLimit) -> Result<()> {
    let (name, said) = (&agent.name, escape::short(&limit.text, 160));
    let text = format!(
        "{name} has reached its usage limit: {said}. Its mail waits until the limit ends. It may not have finished its last task: tell it to continue then"
    );
    tx.put_notice(&Notice { to: Name::human(), kind: MessageType::Blocked, text })?;
    tx.journal(&Event::UsageLimit { name, text: &limit.text, until: limit.until })
}

/// The state of one agent now; `None` if its tmux server cannot be asked from here.
pub fn glance(store: &Store, profiles: &Profiles, agent: &Agent, server: &Server) -> Option<Status> {
    let look = server.look(&agent.place.pane).ok()?;
    // A pane that is gone, or that now runs another process, shows nothing about the agent.
    let look = look.filter(|look| !look.dead && look.pane_pid == agent.place.pane_pid);
    let (state, said) = look.and_then(|look| state(store, profiles, agent, &look)).unwrap_or_default();
    Some(if is_over(agent, said.as_deref()) { Status::Idle } else { state })
}

/// The rules for the version of an agent; if the version is not known, the whole profile.
pub fn for_version(profile: &Profile, pid: i32) -> &Profile {
    version(profile, pid).and_then(|version| profile.at(&version)).unwrap_or(profile)
}

/// The version of an agent, if its rules depend on it and it is known.
fn version(profile: &Profile, pid: i32) -> Option<String> {
    profile.depends_on_version().then(|| program::version(pid, &process::arguments(pid))).flatten()
}

/// The reading of a look at an agent. If a program that the agent runs gets the keys of its pane, the screen alone
/// proves nothing.
pub fn reading(profile: &Profile, pid: i32, look: &Look) -> Reading {
    let version = version(profile, pid);
    let reading = agents::read_version(profile, version.as_deref(), &look.screen, &look.facts);
    if !profile.process.alone {
        return reading;
    }
    // If it is unknown whether a program runs, assume that one does.
    reading.while_running(process::child_of(pid).unwrap_or_else(|_| Some("not known".to_owned())))
}

/// Whether the usage limit on a screen is one that has ended.
pub fn is_over(agent: &Agent, said: Option<&str>) -> bool {
    let Some(known) = agent.limit.as_ref().filter(|known| Some(known.text.as_str()) == said) else {
        return false;
    };
    !known.holds(now_ms())
}

/// An agent's state and usage limit, by its screen. If the screen looks idle or is unknown, and a fresh report of the
/// agent's hooks or of the agent itself names a dialog or a turn, the report wins.
fn state(store: &Store, profiles: &Profiles, agent: &Agent, look: &Look) -> Option<(Status, Option<String>)> {
    let Some(profile) = profiles.get(&agent.kind) else {
        return profiles.withheld(&agent.kind).map(|_| (Status::Unknown, None));
    };
    let Reading { state: seen, limit, .. } = reading(profile, agent.process.pid, look);
    let active = |status: &Status| matches!(status, Status::Dialog | Status::Busy);
    let told = report::fresh(store, &agent.name).filter(active);
    let said = || carriers::said(agent, &profile.carriers).map(|said| said.status).filter(active);
    // No report makes an agent idle if its screen does not show it.
    let state = if matches!(seen, Status::Idle | Status::Unknown) {
        told.or_else(said).unwrap_or(seen)
    } else {
        seen
    };
    Some((state, limit))
}
