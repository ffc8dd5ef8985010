//! One round of the courier: who is there, whose mail waits, deliver what can be delivered.
//!
//! Agents are served side by side, each agent's mail one message at a time: what is half typed first, then urgent
//! mail, then in the order it was sent. A hold on one agent delays no other.

use super::delivery::{Attempt, Outcome};
use super::{discovery, witness};
use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::delivery::{Delivery, Stage};
use crate::core::id::MessageId;
use crate::core::message::Verified;
use crate::os::process;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use std::collections::BTreeSet;
use std::sync::Mutex;

/// What the courier keeps between two looks. All of it can be rebuilt from the store.
pub struct Round<'a> {
    store: &'a Store,
    profiles: &'a Profiles,
    servers: BTreeSet<String>,
    agents: Vec<Agent>,
    /// Files of unread messages that need nothing more from the courier.
    settled: Mutex<BTreeSet<String>>,
}

impl<'a> Round<'a> {
    /// A courier that knows of one server so far.
    pub fn new(store: &'a Store, first: &Server, profiles: &'a Profiles) -> Self {
        let servers = BTreeSet::from([first.socket().to_owned()]);
        Self { store, profiles, servers, agents: Vec::new(), settled: Mutex::default() }
    }

    /// Looks at all panes of all known servers and registers what it finds. `false`: no server is left.
    pub fn survey(&mut self) -> Result<bool> {
        self.servers.extend(self.store.agents()?.into_iter().filter(Agent::is_live).map(|a| a.place.socket));
        let mut reached = BTreeSet::new();
        for socket in &self.servers {
            let server = Server::new(socket);
            match discovery::discover(self.store, &server, self.profiles) {
                Ok(_) => {
                    reached.insert(socket.clone());
                }
                // A server that is there but fails for a moment (or is too old) is told from one that is gone.
                Err(_) if std::os::unix::net::UnixStream::connect(socket).is_ok() => {
                    {
                        reached.insert(socket.clone());
                    };
                }
                Err(_) => {}
            }
        }
        self.servers = reached;
        Ok(!self.servers.is_empty())
    }

    /// Whether a known agent has died since the last look.
    pub fn lost_somebody(&mut self) -> Result<bool> {
        self.agents = self.store.agents()?.into_iter().filter(Agent::is_live).collect();
        Ok(self.agents.iter().any(|a| !process::is_alive(&a.process)))
    }

    /// Answers sandboxed senders.
    pub fn witness(&mut self) -> Result<()> {
        witness::answer(self.store, &self.agents)
    }

    /// Applies to leases what time and death have done, and posts what those concerned have to be told. Returns whether there
    /// is anything to watch. Takes the mutex only if something changes.
    pub fn leases(&self) -> Result<bool> {
        let watch = || -> Result<bool> {
            let leases = self.store.leases()?;
            // Left by a process that was killed before it could.
            self.store.post_notices()?;
            Ok(leases.table.leases().next().is_some() || leases.table.waiters().next().is_some())
        };
        watch().or_else(|error| self.note(&error).map(|()| true))
    }

    /// Journals an error that must not stop the rest.
    fn note(&self, error: &anyhow::Error) -> Result<()> {
        let text = crate::core::escape::short(&format!("{error:#}"), 300);
        self.store.transact(|tx| tx.journal("courier-error", serde_json::json!({"error": text})))
    }

    /// Delivers what can be delivered. Returns whether mail is waiting.
    pub fn deliver(&mut self) -> Result<bool> {
        self.agents = self.store.agents()?.into_iter().filter(Agent::is_live).collect();
        let this = &*self;
        let waiting = std::thread::scope(|scope| {
            let served: Vec<_> =
                this.agents.iter().map(|agent| scope.spawn(move || this.serve(agent))).collect();
            served.into_iter().map(|s| s.join().unwrap_or(Ok(true))).collect::<Vec<_>>()
        });
        let mut any = false;
        for result in waiting {
            match result {
                Ok(waits) => any |= waits,
                Err(error) => {
                    // One agent's trouble must not stop the others'; it is tried again with the next round.
                    any = true;
                    self.note(&error)?;
                }
            }
        }
        Ok(any)
    }

    /// Delivers an agent's mail until it is done or held. Returns whether mail is waiting.
    fn serve(&self, agent: &Agent) -> Result<bool> {
        let Some(profile) = self.profiles.get(&agent.kind) else { return Ok(false) };
        loop {
            let Some(message) = self.next(agent)? else { return Ok(false) };
            let attempt = Attempt { store: self.store, agent, profile, message: &message };
            match attempt.run()? {
                Outcome::Submitted(_) | Outcome::Settled => {}
                Outcome::Held(_) | Outcome::Gone => return Ok(true),
            }
        }
    }

    /// The message to deliver next.
    fn next(&self, agent: &Agent) -> Result<Option<Verified>> {
        let mut open = Vec::new();
        for file in self.store.mail_files(&agent.name, Folder::New)? {
            let key = format!("{}/{file}", agent.name);
            if self.settled.lock().is_ok_and(|s| s.contains(&key)) {
                continue;
            }
            let Some(Ok(message)) = self.store.message(&agent.name, &agent.formerly, Folder::New, &file)?
            else {
                continue;
            };
            let delivery = self.delivery(agent, &message.id)?;
            if delivery.stage.is_open() {
                open.push((delivery.stage, message));
            } else if let Ok(mut settled) = self.settled.lock() {
                settled.insert(key);
            }
        }
        // What may stand in the composer goes first; the order of files is the order of sending.
        open.sort_by_key(|(stage, m)| {
            (!matches!(stage, Stage::Typing | Stage::Entering), !m.urgent, m.created, m.sequence)
        });
        Ok(open.into_iter().next().map(|(_, message)| message))
    }

    fn delivery(&self, agent: &Agent, id: &MessageId) -> Result<Delivery> {
        Ok(self.store.delivery(&agent.name, id)?.unwrap_or_else(|| Delivery::queued(id.clone(), now_ms())))
    }
}
