//! The marks on the project's panes for the status line and the borders: `@swarm_badge` on every pane in the project,
//! `@swarm_state` on the agents' own. Server options of the project's own show it in all other panes, by its name.
//!
//! Each write repaints every attached client, so only differences are written, all in one call. Each survey shows the
//! marks that the panes have, so the next one corrects a write that failed, or another courier's. A pane belongs to one
//! project (see `roster/discovery.rs`). Marks in a pane of no project belong to nobody, and whoever sees them removes
//! them.

use crate::core::agent::Agent;
use crate::core::badge;
use crate::core::few::Few;
use crate::roster::discovery::Survey;
use crate::roster::projects;
use crate::store::fault;
use crate::tmux::Server;
use crate::tmux::panes::{Pane, PaneMark};
use anyhow::Result;
use std::path::Path;

#[derive(Debug, Default)]
pub struct StatusLine {
    panes: Vec<MarkedPane>,
    /// What each server, by its socket and its pid, shows of the project in other projects' panes.
    named: Few<(String, i32), [String; 2]>,
}

#[derive(Debug)]
struct MarkedPane {
    socket: String,
    pane: Pane,
    /// Whether it belongs to the project.
    inside: bool,
    /// The agent in it.
    label: Option<String>,
}

impl StatusLine {
    /// Notes the panes of `socket`: those of the project at `root` are marked from now on.
    #[inline(never)]
    pub fn note(&mut self, socket: &str, survey: &Survey, agents: &[Agent], root: &Path) {
        self.panes.retain(|place| place.socket != socket);
        if survey.panes.iter().any(|pane| !pane.names_projects) {
            // Somebody has removed swarm's options from the server.
            self.named.retain(|(known, _), shown| known != socket || shown.iter().all(String::is_empty));
        }
        let place = |pane: &Pane| {
            let owner = survey.owner_of_pane(pane);
            let inside = owner == Some(root);
            let left_over =
                owner.is_none() && [&pane.badge, &pane.badge_root, &pane.state].iter().any(|m| !m.is_empty());
            let agent = agents.iter().find(|a| is_at(a, socket, &pane.id));
            let ours = inside || left_over || Path::new(&pane.badge_root) == root || agent.is_some();
            let label = agent.filter(|a| a.is_live()).map(|a| a.name.to_string());
            ours.then(|| MarkedPane { socket: socket.to_owned(), pane: pane.clone(), inside, label })
        };
        self.panes.extend(survey.panes.iter().filter_map(place));
    }

    /// The project's marks on the panes of `socket`, as `survey` shows them, after the project is gone from `root`. A
    /// pane that now belongs to another project, perhaps this one in another place, is left to that project.
    pub fn left_on(&self, socket: &str, survey: &Survey, root: &Path) -> Vec<PaneMark> {
        let mut marks = Vec::new();
        for pane in survey.panes.iter().filter(|pane| survey.owner_of_pane(pane).is_none()) {
            let known = self.panes.iter().find(|p| p.socket == socket && p.pane.id == pane.id);
            let named = known.is_some_and(|p| p.label.as_ref() == Some(&pane.label));
            let badged = Path::new(&pane.badge_root) == root;
            let borne = [
                ("@swarm_agent", named && !pane.label.is_empty()),
                ("@swarm_state", named && !pane.state.is_empty()),
                ("@swarm_badge", badged),
                ("@swarm_root", badged),
            ];
            let ours = borne.into_iter().filter(|(_, ours)| *ours);
            marks.extend(ours.map(|(option, _)| PaneMark {
                pane: pane.id.clone(),
                option,
                value: String::new(),
            }));
        }
        marks
    }

    /// Writes the project's name and counts on a server, if they are not there yet.
    #[inline(never)]
    fn name(&mut self, server: &Server, shown: [&str; 2], root: &Path) -> Result<()> {
        let Some(place) = self.panes.iter().find(|p| p.socket == server.socket()) else { return Ok(()) };
        let key = (place.socket.clone(), place.pane.server);
        if self.named.get(&key).is_some_and(|before| before.each_ref().map(String::as_str) == shown) {
            return Ok(());
        }
        let (id, text) = (id(root), root.to_string_lossy());
        let values = [if shown[0].is_empty() { "" } else { &*text }, shown[0], shown[1]];
        server.name_project(&id, values, &badge::elsewhere(&id, &badge::title(&projects::last(root))))?;
        self.named.insert(key, shown.map(str::to_owned));
        Ok(())
    }

    /// Removes the project's name from a server, after the project is gone from `root`.
    pub fn unname(server: &Server, root: &Path) -> Result<()> {
        server.name_project(&id(root), [""; 3], &[])
    }

    /// Forgets the panes of servers that are gone.
    pub fn keep(&mut self, sockets: impl Fn(&str) -> bool) {
        self.panes.retain(|place| sockets(&place.socket));
        self.named.retain(|(socket, _), _| sockets(socket));
    }

    /// Shows `badge` and the agents' states on the project's panes of `server`, and `badge` or `calls` on those of
    /// other projects.
    pub fn show(
        &mut self,
        server: &Server,
        agents: &[Agent],
        [badge, calls]: [&str; 2],
        root: &Path,
    ) -> Result<()> {
        self.name(server, [badge, calls], root)?;
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
                        marks.push(PaneMark { pane: pane.id.clone(), option, value: value.to_owned() });
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

/// The suffix of the project's options on a server: the same for every version of the program (FNV-1a).
fn id(root: &Path) -> String {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", root.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

fn is_at(agent: &Agent, socket: &str, pane: &str) -> bool {
    agent.place.socket == socket && agent.place.pane == pane
}
