//! The rate limit for agents: the person's settings, not the agent's own.
//!
//! An agent chooses the environment of its commands: variables, a home, the place of the settings. So the person's
//! settings are those in the environment that the tmux server was started with. A process beside that server reads
//! them there, and has to believe nobody. A sandbox hides them, so the courier publishes the limit, sealed, at every
//! survey. Where a server's environment cannot be read at all (a system other than Linux), the person's commands
//! publish the limit of their own settings.

use crate::core::agent::Agent;
use crate::core::config::{Config, Settings};
use crate::core::rate::Limit;
use crate::os::{process, program};
use crate::store::Store;
use crate::store::config::Files;
use anyhow::Result;
use std::collections::BTreeSet;

/// The limit for every agent. Without a setting of the person: the built-in one, or a stricter one of the project.
pub fn for_agents(store: &Store, agents: &[Agent]) -> Limit {
    of_servers(store, agents).or_else(|| store.allowance()).unwrap_or_else(|| {
        let project = Files::seen_with(Some(store.root()), |_| None);
        limit(&project.load_with(|_| None))
    })
}

/// Publishes what the environment of the agents' servers says.
pub fn publish(store: &Store, agents: &[Agent]) -> Result<()> {
    of_servers(store, agents).map_or(Ok(()), |limit| store.publish_allowance(limit))
}

/// Publishes `own`, the limit of the person who calls, if no better source is known.
pub fn publish_own(store: &Store, agents: &[Agent], own: &Config) -> Result<()> {
    if of_servers(store, agents).is_some() { Ok(()) } else { store.publish_allowance(limit(own)) }
}

/// The limit in the environment of the living agents' tmux servers; the strictest if there are several. `None`: it cannot
/// be seen.
fn of_servers(store: &Store, agents: &[Agent]) -> Option<Limit> {
    let mut servers = BTreeSet::new();
    for agent in agents.iter().filter(|a| a.is_live()) {
        // A living agent vouches for the pid of its server; without it the pid could be anybody's.
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
    // One without a home tells nothing of whose it is.
    files.user.as_ref()?;
    Some(limit(&files.load_with(variable)))
}

fn limit(config: &Config) -> Limit {
    Settings::from(config).rate
}
