//! The tmux servers that a courier knows, and those of them that do not answer.
//!
//! A server that did not answer is not asked again. So no round waits for it, and it delays only its own agents. One
//! thread per such server waits with one client until the server answers, and then wakes the courier. So nothing is
//! polled, a stopped server's queue of callers does not fill up, and its agents are served the moment it continues.
//! Only the courier has these threads. They share nothing with it: each has a socket and the bell. A killed courier
//! leaves at most its clients behind, which end with the answer.

use crate::core::event::Event;
use crate::core::few::Few;
use crate::store::{Store, now_ms};
use crate::tmux::{Server, hangs};
use anyhow::Result;
use std::collections::BTreeSet;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How long the courier waits for a server's answer.
pub(super) const ANSWER: Duration = Duration::from_secs(2);

/// How long the one client waits for the server. Then another client takes its place, because the client itself may
/// hang.
const WATCH: Duration = Duration::from_secs(60);

pub struct Servers {
    store: Store,
    known: BTreeSet<String>,
    hung: Few<String, Hung>,
}

/// A server that does not answer.
struct Hung {
    /// Since when (ms since the epoch).
    since: u64,
    watch: Option<JoinHandle<()>>,
}

impl Servers {
    /// Knows one server.
    pub fn new(store: &Store, first: &Server) -> Self {
        let known = BTreeSet::from([first.socket().to_owned()]);
        Self { store: store.clone(), known, hung: Few::new() }
    }

    /// Adds the servers at these sockets.
    pub fn add(&mut self, sockets: impl Iterator<Item = String>) {
        self.known.extend(sockets);
    }

    /// Forgets those at whose socket nobody listens. `false`: none is left.
    pub fn forget_gone(&mut self) -> bool {
        self.known.retain(|socket| Server::new(socket).listens());
        let known = &self.known;
        self.hung.retain(|socket, _| known.contains(socket));
        !self.known.is_empty()
    }

    /// A known server, one that answers if there is one.
    pub fn any(&self) -> Option<&str> {
        let answers = self.known.iter().find(|socket| !self.hung.contains_key(*socket));
        answers.or(self.known.first()).map(String::as_str)
    }

    pub fn knows(&self, socket: &str) -> bool {
        self.known.contains(socket)
    }

    /// Since when a server has not answered (ms since the epoch); `None` if it answers, as far as is known.
    pub fn hung_since(&self, socket: &str) -> Option<u64> {
        self.hung.get(socket).map(|hung| hung.since)
    }

    /// Notes the servers that answer again. Returns whether there are any.
    pub fn hear(&mut self) -> bool {
        let over = |hung: &Hung| hung.watch.as_ref().is_none_or(JoinHandle::is_finished);
        let back: Vec<String> = self.hung.iter().filter(|(_, h)| over(h)).map(|(s, _)| s.clone()).collect();
        for socket in &back {
            self.hung.remove(socket);
            self.tell(&Event::TmuxAnswers { server: socket });
        }
        !back.is_empty()
    }

    /// Calls `act` with every server that answers. One server's failure does not stop the others. Returns the errors
    /// other than a missing answer.
    pub fn each(&mut self, mut act: impl FnMut(&Server) -> Result<()>) -> Vec<(String, anyhow::Error)> {
        self.ask_each(&mut act)
    }

    fn ask_each(&mut self, act: &mut dyn FnMut(&Server) -> Result<()>) -> Vec<(String, anyhow::Error)> {
        let mut failed = Vec::new();
        for socket in self.known.clone() {
            if self.hung.contains_key(&socket) {
                continue;
            }
            match act(&Server::new(&socket).patient(ANSWER)) {
                Err(error) if hangs(&error) => self.leave(&socket),
                Err(error) => failed.push((socket, error)),
                Ok(()) => {}
            }
        }
        failed
    }

    /// Leaves a server alone that did not answer, until it answers.
    pub fn leave(&mut self, socket: &str) {
        if self.hung.contains_key(socket) {
            return;
        }
        let (bell, asked) = (self.store.clone(), socket.to_owned());
        // Without a thread, the server is simply asked again in the next round.
        let watch = Builder::new().name("watch".into()).spawn(move || await_answer(&asked, &bell)).ok();
        self.hung.insert(socket.to_owned(), Hung { since: now_ms(), watch });
        self.tell(&Event::TmuxHangs { server: socket });
    }

    fn tell(&self, event: &Event<'_>) {
        // This does not depend on the journal.
        let _ = self.store.transact(|tx| tx.journal(event));
    }
}

/// Waits until the server answers, or is gone.
fn await_answer(socket: &str, bell: &Store) {
    let server = Server::new(socket).patient(WATCH);
    while server.answers().is_err_and(|error| hangs(&error)) && server.listens() {}
    let _ = bell.ring();
}
