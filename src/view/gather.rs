//! From the store to a [`Snapshot`].
//!
//! Reads only, takes no lock. [`Gatherer::changed`] costs a few `stat` calls, so a quiet project is checked, not
//! read.

use super::feed::{Feed, FeedItem};
use super::latency::Latencies;
use super::snapshot::{AgentRow, LeaseRow, MailState, MessageRow, Snapshot, WaitingRow};
use crate::core::agent::{Agent, Status};
use crate::core::badge::Counts;
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::frame;
use crate::core::lease::{LeaseTable, Waiter, words};
use crate::core::message::{MessageType, parse_file_name};
use crate::core::name::Name;
use crate::store::Store;
use crate::store::mail::Folder;
use anyhow::Result;
use std::path::PathBuf;
use std::time::SystemTime;

/// Reads the project again and again.
pub(super) struct Gatherer<'a> {
    store: &'a Store,
    feed: Feed,
    latencies: Latencies,
    marks: Vec<Option<SystemTime>>,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, feed: Feed::default(), latencies: Latencies::new(store), marks: Vec::new() }
    }

    /// Whether anything may have changed since the last call.
    pub(super) fn changed(&mut self) -> Result<bool> {
        let dir = self.store.dir();
        let mut paths: Vec<PathBuf> = ["agents", "leases", "waiters", "mail", "quarantine", "journal.jsonl"]
            .iter()
            .map(|name| dir.join(name))
            .collect();
        for owner in self.store.mailboxes()? {
            let mail = dir.join("mail").join(owner.as_str());
            paths.extend(["new", "given", "cur", "state", "unacked"].map(|part| mail.join(part)));
        }
        let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let marks: Vec<_> = paths.iter().map(stamp).collect();
        Ok(std::mem::replace(&mut self.marks, marks) != self.marks)
    }

    /// Reads everything that is shown.
    pub(super) fn gather(&mut self) -> Result<Snapshot> {
        let store = self.store;
        let agents = store.agents()?;
        self.feed.update(store, &agents)?;
        self.latencies.update()?;
        let leases = store.peek_leases()?;
        let waiting = self.waiting()?;
        let mut counts = Counts { unread: store.count_unread(&Name::human())?, ..Counts::default() };
        counts.held = waiting.iter().filter(|w| w.what == MailState::At(Stage::Held)).count();
        counts.overdue = waiting.iter().filter(|w| w.what == MailState::Overdue).count();
        let mut rows: Vec<AgentRow> = Vec::new();
        for agent in agents.iter().filter(|a| a.is_live()) {
            let held = leases.table.leases().filter(|l| l.holder.name == agent.name).count();
            rows.push(row(store, agent, held, &waiting)?);
        }
        rows.sort_by_key(|r| (urgency(r), r.name.clone()));
        Ok(Snapshot {
            project: escape::line(&store.root().display().to_string()),
            courier: self.courier()?,
            counts: counts.agents(&agents, &store.askers()?),
            quarantined: store.quarantined()?,
            latency: self.latencies.figures(),
            agents: rows,
            messages: self.feed.entries().map(|entry| message(store, &entry)).collect::<Result<_>>()?,
            leases: lease_rows(&leases.table),
            waiting,
        })
    }

    /// Wakes the courier, which then looks at the agents. `false`: none runs.
    pub(super) fn courier(&self) -> Result<bool> {
        self.store.ring()
    }

    /// Mail that waits, the most pressing first.
    fn waiting(&self) -> Result<Vec<WaitingRow>> {
        let store = self.store;
        let mut rows = Vec::new();
        for owner in store.mailboxes()?.into_iter().filter(|owner| !owner.is_human()) {
            for folder in [Folder::New, Folder::Unacked] {
                for file in store.mail_files(&owner, folder)?.into_iter().take(super::feed::LIMIT) {
                    let Some((from, id)) = parse_file_name(&file) else { continue };
                    let Some(delivery) = store.delivery(&owner, &id)? else { continue };
                    let rings = delivery.ack.as_ref().map_or(0, |a| a.rings);
                    let (what, why) = match (folder, delivery.way.stage) {
                        (Folder::Unacked, Stage::Typed | Stage::Submitted | Stage::Read) if rings > 0 => {
                            (MailState::Overdue, format!("not acknowledged, reminded {rings} times"))
                        }
                        (Folder::Unacked, Stage::Typed | Stage::Submitted | Stage::Read) => {
                            (MailState::Ack, "to be acknowledged".to_owned())
                        }
                        (Folder::New, Stage::Failed) => (MailState::Dead, delivery.way.detail),
                        (Folder::New, Stage::Held) => (MailState::At(Stage::Held), delivery.way.detail),
                        (Folder::New, Stage::Queued) => {
                            (MailState::At(Stage::Queued), "it waits for its turn".to_owned())
                        }
                        (
                            Folder::New,
                            stage @ (Stage::Typing | Stage::Entering | Stage::Offered | Stage::Typed),
                        ) => (MailState::At(stage), delivery.way.detail),
                        _ => continue,
                    };
                    let text = self.feed.entries().find(|e| e.message.id == id);
                    rows.push(WaitingRow {
                        id: id.to_string(),
                        what,
                        from: escape::short(from, 32),
                        to: owner.to_string(),
                        since: delivery.way.since,
                        why: escape::short(&why, 200),
                        preview: text.map(|e| frame::preview(e.message.body.as_str())).unwrap_or_default(),
                    });
                }
            }
        }
        rows.sort_by_key(|r| (r.what.rank(), r.since));
        Ok(rows)
    }
}

/// What needs a person comes first.
fn urgency(row: &AgentRow) -> u8 {
    match row.status {
        Status::Dialog => 0,
        _ if !row.why.is_empty() => 1,
        Status::Draft | Status::Overlay | Status::Unknown => 2,
        Status::Busy => 3,
        Status::Idle => 4,
    }
}

fn row(store: &Store, agent: &Agent, leases: usize, waiting: &[WaitingRow]) -> Result<AgentRow> {
    let why = waiting.iter().find(|w| w.what == MailState::At(Stage::Held) && w.to == agent.name.as_str());
    Ok(AgentRow {
        name: agent.name.to_string(),
        kind: escape::short(&agent.kind, 20),
        socket: agent.place.socket.clone(),
        pane: agent.place.pane.clone(),
        status: agent.status,
        since: agent.since,
        unread: store.count_unread(&agent.name)?,
        leases,
        why: why.map(|w| w.why.clone()).unwrap_or_default(),
    })
}

fn message(store: &Store, entry: &FeedItem<'_>) -> Result<MessageRow> {
    let FeedItem { message: m, copies } = entry;
    let mut least = None;
    for (owner, folder) in *copies {
        let known = store.delivery(owner, &m.id)?.map(|d| d.way.stage).unwrap_or_default();
        let stage = match folder {
            Folder::Cur | Folder::Gone => known.max(Stage::Read),
            Folder::Given => known.max(Stage::Submitted),
            Folder::New | Folder::Unacked => known,
        };
        // A failure is the news, whatever became of the other copies.
        let weight = if stage == Stage::Failed { None } else { Some(stage) };
        if least.is_none_or(|(w, _)| weight < w) {
            least = Some((weight, stage));
        }
    }
    let stage = least.map_or(Stage::Queued, |(_, stage)| stage);
    let mine = copies.iter().find(|(owner, _)| owner.is_human());
    let to: Vec<&str> = m.to.iter().map(Name::as_str).collect();
    let stage = match (mine, stage) {
        (Some(_), Stage::Queued) => MailState::Unread,
        (None, Stage::Read) if m.ack_required => MailState::ReadNoAck,
        _ => MailState::At(stage),
    };
    Ok(MessageRow {
        id: m.id.to_string(),
        at: m.created,
        from: m.from.to_string(),
        to: to.join(","),
        kind: MessageType::word(m.kind),
        preview: frame::preview(m.body.as_str()),
        body: m.body.as_str().to_owned(),
        stage,
        unread: mine.is_some_and(|(_, folder)| *folder != Folder::Cur),
        mine: mine.is_some(),
        urgent: m.urgent,
    })
}

fn lease_rows(table: &LeaseTable) -> Vec<LeaseRow> {
    let now = table.now();
    let held = table.leases().map(|l| LeaseRow {
        number: l.fence,
        waits: false,
        holder: l.holder.name.to_string(),
        mode: l.mode.word(),
        since: l.since,
        state: words::state(l, now),
        paths: words::list(&l.paths),
        reason: l.reason.as_ref().map(|r| escape::short(r.as_str(), 200)).unwrap_or_default(),
        mine: l.holder.name.is_human(),
    });
    let waits = table.waiters().map(|w: &Waiter| LeaseRow {
        number: w.ticket,
        waits: true,
        holder: w.holder.name.to_string(),
        mode: w.mode.word(),
        since: w.since,
        state: words::waiting(w, now),
        paths: words::list(&w.paths),
        reason: String::new(),
        mine: w.holder.name.is_human(),
    });
    held.chain(waits).collect()
}
