//! The servers, panes and agents that the courier watches.

use super::quiet::Quiet;
use super::servers::{self, Servers};
use super::status_line::StatusLine;
use crate::agents::Profiles;
use crate::core::agent::{Agent, Status};
use crate::os::process::Here;
use crate::roster::{discovery, observe, rate};
use crate::store::Store;
use crate::tmux::Server;
use anyhow::Result;
use std::time::Instant;

/// The known servers, and the known state of agents.
pub(super) struct Lookout {
    pub(super) servers: Servers,
    pub(super) living: Vec<Agent>,
    /// The facts that are known without asking tmux.
    pub(super) quiet: Quiet,
    /// Since when the courier waits for a new agent to name its conversation.
    pending: Option<Instant>,
}

impl Lookout {
    /// A lookout that knows one server.
    pub(super) fn new(store: &Store, first: &Server) -> Self {
        let servers = Servers::new(store, first);
        Self { servers, living: Vec::new(), quiet: Quiet::default(), pending: None }
    }

    /// Reads from the records which agents are alive.
    pub(super) fn find_living(&mut self, store: &Store) -> Result<()> {
        self.living = store.living()?;
        Ok(())
    }

    /// Looks at all panes of all known servers and registers what it finds. `false`: no server is left.
    #[inline(never)]
    pub(super) fn survey(
        &mut self,
        store: &Store,
        profiles: &Profiles,
        status_line: &mut StatusLine,
    ) -> Result<bool> {
        self.servers.add(store.living()?.into_iter().map(|a| a.place.socket));
        let quiet = &mut self.quiet;
        quiet.note(profiles);
        let patient = self.pending.is_none_or(|since| since.elapsed() < discovery::SAYS_SOON);
        let mut pending = false;
        let failed = self.servers.each(|server| {
            let survey = discovery::survey(server, profiles)?;
            if let Some(pane) = survey.panes.first() {
                quiet.learn(server.socket(), pane.server);
            }
            let (agents, changes) = discovery::register(store, &survey, server, patient)?;
            pending |= changes.pending;
            status_line.note(server.socket(), &survey, &agents, store.root());
            Ok(())
        });
        if !failed.is_empty() {
            quiet.forget();
        }
        self.pending = pending.then(|| self.pending.unwrap_or_else(Instant::now));
        rate::publish(store, &store.living()?)?;
        // A server that fails for a moment (or is too old) is not gone.
        let left = self.servers.forget_gone();
        let servers = &self.servers;
        status_line.keep(|socket| servers.knows(socket));
        self.quiet.keep(|socket| servers.knows(socket));
        Ok(left)
    }

    /// Whether a new agent is not on record yet, and must be looked for again soon.
    pub(super) fn is_waiting_for_somebody(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether a survey would show the same as the last one.
    pub(super) fn is_as_before(&self, store: &Store, profiles: &Profiles) -> Result<bool> {
        Ok(self.quiet.is_as_before(&store.agents()?, profiles))
    }

    /// Does the other tasks of a survey without a survey. `false`: no server is left.
    pub(super) fn check_up(&mut self, store: &Store) -> Result<bool> {
        rate::publish(store, &store.living()?)?;
        Ok(self.servers.forget_gone())
    }

    /// Whether a known agent has died since the last look.
    pub(super) fn lost_somebody(&mut self, store: &Store) -> Result<bool> {
        self.find_living(store)?;
        let here = Here::look();
        Ok(self.living.iter().any(|a| here.check(a.place.namespace, &a.process) == Some(false)))
    }

    /// Looks at the agents' states, for people. Returns whether one of them is busy with something that will end.
    pub(super) fn observe(&mut self, store: &Store, profiles: &Profiles) -> Result<bool> {
        self.quiet.looks();
        let servers = &self.servers;
        let ask = |socket: &str| {
            servers.hung_since(socket).is_none().then(|| Server::new(socket).patient(servers::ANSWER))
        };
        let seen = observe::observe(store, profiles, ask)?;
        for (socket, _) in &seen.hung {
            self.servers.leave(socket);
        }
        Ok(seen.agents.iter().any(|a| a.is_live() && matches!(a.status, Status::Busy | Status::Dialog)))
    }

    /// Whether no agent's screen can have changed since the last look.
    pub(super) fn is_still(&self, store: &Store) -> bool {
        self.quiet.is_still(store, &self.living)
    }
}
