//! The rate limit for agents: the person's settings, not the agent's own.
//!
//! An agent chooses the environment of its commands: variables, a home, the place of the settings. So the person's
//! settings are those in the environment of the tmux server. A process beside that server reads them there, and need
//! not trust anybody. A sandbox hides the server, so the courier publishes the limit, sealed, at every survey. If no
//! process can read a server's environment (on a system other than Linux), the person's commands publish the limit of
//! their own settings.

use crate::core::agent::Agent;
use crate::core::config::{Config, Settings};
use crate::core::rate::Limit;
use crate::os::{process, program};
use crate::store::Store;
use crate::store::config::Files;
use anyhow::Result;
use std::collections::BTreeSet;

/// The limit for every agent. If the person has set none, it is the built-in one, or a stricter one of the project.
pub fn for_agents(store: &Store, agents: &[Agent]) -> Limit {
    of_servers(store, agents).or_else(|| store.allowance()).unwrap_or_else(|| {
        let project = Files::seen_with(Some(store.root()), |_| None);
        limit(&project.load_with(|_| None))
    })
}

/// Publishes the limit in the environment of the agents' servers.
pub fn publish(store: &Store, agents: &[Agent]) -> Result<()> {
    of_servers(store, agents).map_or(Ok(()), |limit| store.publish_allowance(limit))
}

/// Publishes `own`, the limit of the person who calls, unless a better source is known.
pub fn publish_own(store: &Store, agents: &[Agent], own: &Config) -> Result<()> {
    if of_servers(store, agents).is_some() { Ok(()) } else { store.publish_allowance(limit(own)) }
}

/// The limit in the environment of the living agents' tmux servers; the strictest if there are several. `None`:
/// unknown.
fn of_servers(store: &Store, agents: &[Agent]) -> Option<Limit> {
    let mut servers = BTreeSet::new();
    for agent in agents.iter().filter(|a| a.is_live()) {
        // A living agent confirms the pid of its server. Without one, the pid could be another process's.
        if !servers.contains(&agent.place.server) && process::look(&agent.process).is_some() {
            servers.insert(agent.place.server);
        }
    }
    servers.into_iter().filter_map(|pid| of_server(store, pid)).reduce(Limit::stricter)
}

fn of_server(store: &Store, pid: i32) -> Option<Limit> {
    let environment = program::Environment::of(pid);
    let variable = |name: &str| environment.get(name);
    let files = Files::seen_with(Some(store.root()), |name| variable(name).map(Into::into));
    // Without a home, the environment does not show whose it is.
    files.user.as_ref()?;
    Some(limit(&files.load_with(variable)))
}

fn limit(config: &Config) -> Limit {
    Settings::from(config).rate
}
