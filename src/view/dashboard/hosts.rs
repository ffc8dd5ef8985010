//! The other hosts of the team: their agents, their leases, and since when a host is unreachable.
//!
//! They are listed after the agents of this host. They have no pane here, so they can only get a message.

use super::leases;
use super::snapshot::{AgentRow, LeaseRow, MessageRow, Need};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::team::Board;
use crate::store::Store;
use crate::store::team::{HostCard, Hosts, Member};
use anyhow::Result;
use std::collections::HashMap;
use std::rc::Rc;

/// The state of the other hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Team {
    hosts: Hosts,
    board: Option<Board>,
    /// Whether the board is valid.
    believed: bool,
}

impl Team {
    /// The records of this host's link; empty without a team.
    pub(super) fn read(store: &Store) -> Result<Self> {
        if !store.has_team() {
            return Ok(Self::default());
        }
        let board = store.board()?;
        let believed = board.as_ref().map(|b| store.is_believed(b)).transpose()?.unwrap_or_default();
        let mut hosts = store.hosts()?;
        if let Some(board) = &board {
            hosts.hosts.retain(|h| h.is_other(Some(&board.host)));
        }
        Ok(Self { hosts, board, believed })
    }

    /// The visible part, without the values that change with every sign of life.
    pub(super) fn gist(&self, now_ms: u64) -> Self {
        let mut gist = self.clone();
        gist.hosts.link.rtt_ms = 0;
        gist.hosts.link.heard = 0;
        for host in &mut gist.hosts.hosts {
            host.heard = if host.is_reached(now_ms) { 0 } else { host.heard };
        }
        if let Some(board) = &mut gist.board {
            (board.believe_until, board.heard) = (0, 0);
        }
        gist
    }

    /// Since when this host is cut off from its team (ms since the epoch).
    pub(super) fn cut(&self, now_ms: u64) -> Option<u64> {
        let link = &self.hosts.link;
        let silent = now_ms.saturating_sub(link.heard) >= HostCard::SILENT;
        let heard = (self.board.is_some() && silent).then_some(link.heard);
        link.cut.as_ref().map(|(since, _)| *since).or(heard)
    }

    /// The agents on the other hosts; for a host without any, the person there. `unread` and `rows` are the messages
    /// here.
    pub(super) fn agents(
        &self,
        unread: &HashMap<String, usize>,
        rows: &[Rc<MessageRow>],
        now_ms: u64,
    ) -> Vec<AgentRow> {
        let mut agents = Vec::new();
        for host in &self.hosts.hosts {
            for member in &host.members {
                agents.push(away(host, member, unread, rows, now_ms));
            }
            if host.members.is_empty() {
                let person = Member {
                    name: crate::core::name::Name::human(),
                    kind: "person".to_owned(),
                    state: "idle".to_owned(),
                };
                agents.push(away(host, &person, unread, rows, now_ms));
            }
        }
        agents
    }

    /// The leases of the other hosts, each followed by the waiters there.
    pub(super) fn leases(&self) -> Vec<LeaseRow> {
        let Some(board) = &self.board else { return Vec::new() };
        let state = if self.believed { "in the team" } else { "in the team, may have changed" };
        let row = |id: String, number, waits, holder: &crate::core::lease::Holder| LeaseRow {
            id,
            number,
            waits,
            holder: holder.address().to_string(),
            mode: "",
            since: 0,
            state: if waits { "waits" } else { state }.to_owned(),
            paths: Vec::new(),
            reason: String::new(),
            mine: false,
            away: true,
        };
        let mut rows = Vec::new();
        for lease in board.leases.iter().filter(|l| !board.is_own(l)) {
            rows.push(LeaseRow {
                mode: lease.mode.word(),
                since: lease.since,
                paths: leases::paths(&lease.paths),
                reason: leases::reason(lease),
                ..row(format!("team{}", lease.fence), lease.fence, false, &lease.holder)
            });
        }
        let host = Some(&board.host);
        for waiter in board.waiters.iter().filter(|w| w.holder.host.as_ref() != host) {
            rows.push(LeaseRow {
                mode: waiter.mode.word(),
                since: waiter.since,
                paths: leases::paths(&waiter.paths),
                ..row(format!("teamt{}", waiter.ticket), waiter.ticket, true, &waiter.holder)
            });
        }
        rows
    }
}

fn away(
    host: &HostCard,
    member: &Member,
    unread: &HashMap<String, usize>,
    rows: &[Rc<MessageRow>],
    now_ms: u64,
) -> AgentRow {
    let name = format!("{}/{}", host.name, member.name);
    let reached = host.is_reached(now_ms);
    let word = serde_json::Value::String(member.state.clone());
    let status = if reached { serde_json::from_value(word).unwrap_or_default() } else { Status::Unknown };
    let asks: Vec<Rc<MessageRow>> =
        rows.iter().filter(|m| m.unread && !m.fyi && m.from == name).cloned().collect();
    let need = match status {
        _ if !asks.is_empty() => Need::Asks,
        Status::Busy => Need::Busy,
        Status::Idle => Need::Idle,
        _ => Need::Other,
    };
    let why = match host.heard {
        _ if reached => String::new(),
        0 => format!("{} was never heard", host.name),
        _ => format!("{} is unreachable", host.name),
    };
    AgentRow {
        kind: escape::short(&member.kind, 20),
        socket: String::new(),
        pane: String::new(),
        status,
        since: host.heard,
        formerly: Vec::new(),
        // In the form of file names.
        unread: unread.get(&name.replace('/', "+")).copied().unwrap_or_default(),
        waits: 0,
        leases: 0,
        need,
        why,
        asks,
        away: true,
        name,
    }
}
