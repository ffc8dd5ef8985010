//! What the project's panes bear for the status line and the borders: `@swarm_badge` on every pane in the project,
//! `@swarm_state` on the agents' own.
//!
//! Each write repaints every attached client, so only what differs is written, all in one call. What stands on the panes is
//! learnt from each survey, so a write that failed, or another courier's, is put right with the next one.

use crate::core::agent::Agent;
use crate::store::{Store, fault};
use crate::tmux::Server;
use crate::tmux::panes::{Mark, Pane};
use anyhow::Result;
use std::path::Path;

/// The marks of one project.
#[derive(Debug, Default)]
pub struct Board {
    panes: Vec<Place>,
}

/// A pane of interest.
#[derive(Debug)]
struct Place {
    socket: String,
    pane: Pane,
    /// Whether its directory is in the project.
    inside: bool,
}

impl Board {
    /// Takes note of the panes of `socket`: those of the project at `root` are marked from now on.
    pub fn note(&mut self, socket: &str, panes: &[Pane], agents: &[Agent], root: &Path) {
        self.panes.retain(|place| place.socket != socket);
        let place = |pane: &Pane| {
            // The nearest project, as everywhere: one may lie within another.
            let inside = Store::root_of(Path::new(&pane.path)).is_some_and(|r| r == root);
            let ours = inside
                || Path::new(&pane.badge_root) == root
                || agents.iter().any(|a| is_at(a, socket, &pane.id));
            ours.then(|| Place { socket: socket.to_owned(), pane: pane.clone(), inside })
        };
        self.panes.extend(panes.iter().filter_map(place));
    }

    /// Forgets the panes of servers that are gone.
    pub fn keep(&mut self, sockets: impl Fn(&str) -> bool) {
        self.panes.retain(|place| sockets(&place.socket));
    }

    /// Makes the panes of `server` show `badge` and their agents' states.
    pub fn show(&mut self, server: &Server, agents: &[Agent], badge: &str, root: &Path) -> Result<()> {
        let root_text = root.to_string_lossy();
        let socket = server.socket();
        {
            let mut marks = Vec::new();
            for place in self.panes.iter_mut().filter(|p| p.socket == socket) {
                let pane = &mut place.pane;
                let agent = agents.iter().find(|a| a.is_live() && is_at(a, socket, &pane.id));
                let inside = agent.is_some() || place.inside;
                let wanted = [
                    ("@swarm_badge", if inside { badge } else { "" }, &mut pane.badge),
                    (
                        "@swarm_root",
                        if inside && !badge.is_empty() { &*root_text } else { "" },
                        &mut pane.badge_root,
                    ),
                    ("@swarm_state", agent.map_or("", |a| a.status.word()), &mut pane.state),
                ];
                for (option, value, shown) in wanted {
                    if value != shown {
                        marks.push(Mark { pane: pane.id.clone(), option, value: value.to_owned() });
                        value.clone_into(shown);
                    }
                }
            }
            if !marks.is_empty() {
                fault::point("before-marks");
                server.mark(&marks)?;
                fault::point("after-marks");
            }
        }
        Ok(())
    }
}

fn is_at(agent: &Agent, socket: &str, pane: &str) -> bool {
    agent.place.socket == socket && agent.place.pane == pane
}
