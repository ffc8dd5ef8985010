//! What a round looks at: the servers, their panes, and the agents in them.

use super::Round;
use crate::core::agent::{Agent, Status};
use crate::courier::board::Board;
use crate::courier::servers;
use crate::os::process;
use crate::roster::{discovery, limit, observe};
use crate::store::now_ms;
use crate::tmux::Server;
use anyhow::Result;
use std::time::{Duration, Instant};

impl Round<'_> {
    /// Takes note of servers that answer again. `true`: there are such, and they want a survey.
    pub fn hear(&mut self) -> bool {
        self.servers.hear()
    }

    /// Looks at all panes of all known servers and registers what it finds. `false`: no server is left.
    pub fn survey(&mut self) -> Result<bool> {
        self.servers.add(self.store.agents()?.into_iter().filter(Agent::is_live).map(|a| a.place.socket));
        let (store, profiles, board) = (self.store, self.rules.profiles(), &mut self.board);
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
            board.note(server.socket(), &survey, &agents, store.root());
            Ok(())
        });
        if !failed.is_empty() {
            quiet.forget();
        }
        self.pending = pending.then(|| self.pending.unwrap_or_else(Instant::now));
        limit::publish(store, &store.agents()?)?;
        // A server that fails for a moment (or is too old) is not the same as one that is gone.
        let left = self.servers.forget_gone();
        let servers = &self.servers;
        self.board.keep(|socket| servers.knows(socket));
        self.quiet.keep(|socket| servers.knows(socket));
        Ok(left)
    }

    /// Whether somebody who has just started is not on record yet, and is to be looked for again soon.
    pub fn is_waiting_for_somebody(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether a survey would show what the last one did.
    pub fn is_as_before(&self) -> Result<bool> {
        Ok(self.quiet.is_as_before(&self.store.agents()?, self.rules.profiles()))
    }

    /// What else goes with a survey, without one. `false`: no server is left.
    pub fn check_up(&mut self) -> Result<bool> {
        limit::publish(self.store, &self.store.agents()?)?;
        Ok(self.servers.forget_gone())
    }

    /// Whether a known agent has died since the last look.
    pub fn lost_somebody(&mut self) -> Result<bool> {
        self.agents = self.store.agents()?.into_iter().filter(Agent::is_live).collect();
        Ok(self.agents.iter().any(|a| process::check_in(a.place.namespace, &a.process) == Some(false)))
    }

    /// Whether to look for somebody who has ended and may be started again: `every` so often, and once more when the time is over for
    /// which the mail waits. The last look was so long `ago`.
    pub fn expects_somebody(&self, ago: Duration, every: Duration) -> Result<bool> {
        let (now, grace_ms) = (now_ms(), self.settings.grace_ms);
        let looked = now.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX));
        let expected = |a: &Agent| {
            let gone = a.gone_at(now, grace_ms);
            gone > looked && (gone <= now || ago >= every)
        };
        Ok(grace_ms > 0 && self.store.agents()?.iter().any(|a| !a.is_live() && expected(a)))
    }

    /// Looks at what the agents are doing, for people. Returns whether one of them is busy with something that will end.
    pub fn observe(&mut self) -> Result<bool> {
        self.quiet.looks();
        let servers = &self.servers;
        let ask = |socket: &str| {
            servers.hung_since(socket).is_none().then(|| Server::new(socket).patient(servers::ANSWER))
        };
        let seen = observe::observe(self.store, self.rules.profiles(), ask)?;
        for (socket, _) in &seen.hung {
            self.servers.leave(socket);
        }
        Ok(seen.agents.iter().any(|a| a.is_live() && matches!(a.status, Status::Busy | Status::Dialog)))
    }

    /// Whether no agent's screen can have changed since the last look.
    pub fn is_still(&self) -> bool {
        self.quiet.is_still(self.store, &self.agents)
    }

    /// Removes the project's marks from the panes after its store is gone, as far as possible; nobody is left to read an
    /// error.
    pub fn take_marks_off(&mut self) {
        let (profiles, board, root) = (self.rules.profiles(), &self.board, self.store.root());
        self.servers.each(|server| {
            let survey = discovery::survey(server, profiles)?;
            Board::unname(server, root)?;
            server.mark(&board.left_on(server.socket(), &survey, root))
        });
    }
}
