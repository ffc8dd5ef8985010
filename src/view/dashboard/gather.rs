//! Reads the store into a [`Snapshot`].
//!
//! Read-only, takes no lock. [`Gatherer::changed`] costs a few `stat` calls, so a project without changes is not
//! read.

use super::feed::Feed;
use super::hosts::Team;
use super::journal::Journal;
use super::leases;
use super::snapshot::{
    AgentRow, GroupRow, LeaseRow, MailState, MessageRow, NOTICES, Need, Snapshot, TaskRow, ThreadRow,
    WaitingRow,
};
use super::{agents, tasks};
use crate::core::agent::{Agent, Status};
use crate::core::badge::Counts;
use crate::core::config::Settings;
use crate::core::delivery::{Delivery, Stage};
use crate::core::escape;
use crate::core::lease::{Lease, LeaseTable, Waiter, words};
use crate::core::message::{parse_file_name, sent_at};
use crate::core::name::Name;
use crate::core::order;
use crate::core::plural::plural;
use crate::store::config::Files;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use anyhow::Result;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::SystemTime;

/// The most messages of a mailbox that are searched for waiting ones.
const WAITING: usize = 300;

/// Reads the project repeatedly.
pub(super) struct Gatherer {
    pub(super) store: Store,
    /// The project's name for people.
    label: String,
    feed: Feed,
    journal: Journal,
    marks: Vec<Option<SystemTime>>,
    tasks: Rc<Vec<TaskRow>>,
    /// When the coordination document was changed.
    tasks_of: Option<SystemTime>,
    /// The state of the other hosts at the last look.
    team: Team,
}

impl Gatherer {
    pub(super) fn new(store: Store, label: String) -> Self {
        let journal = Journal::new(&store);
        let (feed, marks, tasks) = (Feed::default(), Vec::new(), Rc::default());
        Self { store, label, feed, journal, marks, tasks, tasks_of: None, team: Team::default() }
    }

    /// Whether anything may have changed since the last call.
    #[inline(never)]
    pub(super) fn changed(&mut self) -> Result<bool> {
        let dir = self.store.dir();
        let parts = [
            "agents",
            "leases",
            "waiters",
            "mail",
            "quarantine",
            "journal.jsonl",
            "groups.json",
            "team/out",
            "team/sent",
        ];
        let mut paths: Vec<PathBuf> = parts.iter().map(|name| dir.join(name)).collect();
        paths.push(self.store.coordination_path());
        for owner in self.store.mailboxes()? {
            let mail = dir.join("mail").join(owner.as_str());
            paths.extend(["new", "given", "cur", "state", "unacked"].map(|part| mail.join(part)));
        }
        let stamp = |path: &PathBuf| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let marks: Vec<_> = paths.iter().map(stamp).collect();
        let moved = std::mem::replace(&mut self.marks, marks) != self.marks;
        // The link writes with each sign of life, mostly the same contents.
        let team = Team::read(&self.store)?.gist(now_ms());
        let heard = std::mem::replace(&mut self.team, team) != self.team;
        Ok(self.journal.update()? || moved || heard || self.feed.more)
    }

    pub(super) fn gather(&mut self) -> Result<Snapshot> {
        let agents = self.store.agents()?;
        self.feed.update(&self.store, &agents)?;
        self.read_tasks();
        let store = &self.store;
        let leases = store.peek_leases()?;
        let waiting = self.waiting(&agents)?;
        let (unread, askers) = (self.unread(), store.askers()?);
        let mut counts = Counts { unread: unread.values().sum(), ..Counts::default() };
        counts.held = waiting.iter().filter(|w| w.what == MailState::At(Stage::Held)).count();
        counts.overdue = waiting.iter().filter(|w| w.what == MailState::Overdue).count();
        let mut rows: Vec<AgentRow> = Vec::new();
        for agent in agents.iter().filter(|a| a.is_live()) {
            let held = leases.table.leases().filter(|l| l.holder.name == agent.name).count();
            rows.push(self.agent(agent, held, &waiting, (&unread, &askers)));
        }
        let team = Team::read(store)?;
        rows.extend(team.agents(&unread, self.feed.rows(), now_ms()));
        order::sort_by(&mut rows, |a, b| place(a).cmp(&place(b)));
        let mut held = lease_rows(&leases.table);
        held.extend(team.leases());
        Ok(Snapshot {
            root: store.root().to_owned(),
            project: self.label.clone(),
            courier: self.courier()?,
            counts: counts.agents(&agents, &askers),
            quarantined: store.quarantined()?,
            latency: self.journal.figures(),
            agents: rows,
            threads: threads(self.feed.rows()),
            leases: held,
            cut: team.cut(now_ms()),
            tasks: Rc::clone(&self.tasks),
            history: self.journal.history(),
            more: self.feed.more,
            waiting,
            groups: self.groups(&agents)?,
            limited: self.limited(),
        })
    }

    /// The number of unread messages of each sender to the person, by the last listing.
    fn unread(&self) -> HashMap<String, usize> {
        let mut unread = HashMap::new();
        for file in self.feed.unread_files(&Name::human()) {
            let sender = parse_file_name(file).map_or("", |(sender, _)| sender);
            *unread.entry(sender.to_owned()).or_default() += 1;
        }
        unread
    }

    /// The groups, with the present names of their members.
    fn groups(&self, agents: &[Agent]) -> Result<Vec<GroupRow>> {
        let now = |name: &Name| {
            let bearer = agents.iter().find(|a| a.is_live() && a.answers_to(name));
            bearer.map_or_else(|| name.to_string(), |a| a.name.to_string())
        };
        let row = |(name, members): (&Name, &BTreeSet<Name>)| GroupRow {
            name: format!("@{name}"),
            members: members.iter().map(now).collect(),
        };
        Ok(self.store.groups()?.iter().map(row).collect())
    }

    /// The person's rate limit if it is reached: how many messages, and when the next one may be sent.
    fn limited(&self) -> Option<(usize, u64)> {
        let limit = Settings::from(&Files::of(Some(self.store.root())).load()).own_rate;
        Some((limit.count, self.store.limited_until(&Name::human(), limit, now_ms())?))
    }

    /// Wakes the courier, which then looks at the agents. `false`: none runs.
    pub(super) fn courier(&self) -> Result<bool> {
        self.store.ring()
    }

    /// Reads the coordination document again if it has changed. An unreadable one has no rows.
    fn read_tasks(&mut self) {
        let path = self.store.coordination_path();
        let changed = std::fs::metadata(path).and_then(|m| m.modified()).ok();
        if changed != self.tasks_of {
            let text = self.store.coordination().ok().flatten().unwrap_or_default();
            (self.tasks, self.tasks_of) = (Rc::new(tasks::read(&text)), changed);
        }
    }

    /// The waiting mail, the most pressing first; for shown recipients with its text.
    #[inline(never)]
    fn waiting(&self, agents: &[Agent]) -> Result<Vec<WaitingRow>> {
        let store = &self.store;
        let mut found = Vec::new();
        for owner in store.mailboxes()?.into_iter().filter(|owner| !owner.is_human()) {
            for folder in [Folder::New, Folder::Unacked] {
                for file in store.mail_files(&owner, folder)?.into_iter().take(WAITING) {
                    let (Some((from, id)), Some(sent)) = (parse_file_name(&file), sent_at(&file)) else {
                        continue;
                    };
                    // Untried mail has no record.
                    let delivery = store.delivery(&owner, &id)?;
                    let delivery = delivery.unwrap_or_else(|| Delivery::queued(id.clone(), sent));
                    let Some((what, why)) = waits(folder, &delivery) else { continue };
                    let row = WaitingRow {
                        id: id.to_string(),
                        what,
                        from: escape::short(from, 32),
                        to: owner.to_string(),
                        since: delivery.way.since,
                        why: escape::short(&why, 200),
                        first: String::new(),
                    };
                    found.push((row, file, (owner.clone(), folder)));
                }
            }
        }
        order::sort_by_key(&mut found, |(row, ..)| (row.what.rank(), row.since));
        let mut shown: HashMap<String, usize> = HashMap::new();
        let mut rows = Vec::with_capacity(found.len());
        for (mut row, file, copy) in found {
            let count = shown.entry(row.to.clone()).or_default();
            *count += 1;
            if *count <= agents::WAITING {
                row.first = self.feed.first(store, agents, &file, copy)?;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn agent(
        &self,
        agent: &Agent,
        leases: usize,
        waiting: &[WaitingRow],
        (unread, askers): (&HashMap<String, usize>, &[Name]),
    ) -> AgentRow {
        let name = agent.name.as_str();
        let of = |what| waiting.iter().find(|w| w.what == what && w.to == name);
        let held = of(MailState::At(Stage::Held));
        let asks: Vec<Rc<MessageRow>> = (self.feed.rows().iter())
            .filter(|m| m.unread && !m.fyi && is_of(agent, &m.from))
            .cloned()
            .collect();
        // A message older than those that were read so far may also ask.
        let does_ask = !asks.is_empty() || askers.iter().any(|name| agent.answers_to(name));
        let need = match agent.status {
            Status::Dialog => Need::Dialog,
            _ if does_ask => Need::Asks,
            _ if of(MailState::Overdue).is_some() => Need::Overdue,
            _ if held.is_some() => Need::Held,
            Status::Draft | Status::Overlay | Status::Limit | Status::Unknown => Need::Other,
            Status::Busy => Need::Busy,
            Status::Idle => Need::Idle,
        };
        let on_the_way = |w: &&WaitingRow| w.to == name && matches!(w.what, MailState::At(_));
        AgentRow {
            name: name.to_owned(),
            kind: escape::short(&agent.kind, 20),
            socket: agent.place.socket.clone(),
            pane: agent.place.pane.clone(),
            status: agent.status,
            since: agent.since,
            formerly: agent.formerly.iter().map(ToString::to_string).collect(),
            unread: unread.iter().filter(|(from, _)| is_of(agent, from)).map(|(_, count)| count).sum(),
            waits: waiting.iter().filter(on_the_way).count(),
            leases,
            need,
            why: held.map(|w| w.why.clone()).unwrap_or_default(),
            asks,
            away: false,
        }
    }
}

/// Agents that need a person first, on any host; then this host before the others.
fn place(agent: &AgentRow) -> (bool, Need, &str) {
    let later = agent.away && agent.need > Need::Asks;
    (later, if later { Need::Idle } else { agent.need }, &agent.name)
}

/// Whether an agent has, or had, this name.
fn is_of(agent: &Agent, name: &str) -> bool {
    agent.name.as_str() == name || agent.formerly.iter().any(|former| former.as_str() == name)
}

/// What a message in a folder waits for, and why; `None` if it does not wait.
fn waits(folder: Folder, delivery: &Delivery) -> Option<(MailState, String)> {
    let rings = delivery.ack.as_ref().map_or(0, |a| a.rings);
    let detail = || delivery.way.detail.clone();
    Some(match (folder, delivery.way.stage) {
        (Folder::Unacked, Stage::Typed | Stage::Submitted | Stage::Read) if rings > 0 => {
            (MailState::Overdue, format!("not acknowledged, reminded {}", plural(rings as usize, "time")))
        }
        (Folder::Unacked, Stage::Typed | Stage::Submitted | Stage::Read) => {
            (MailState::Ack, "to be acknowledged".to_owned())
        }
        (Folder::New, Stage::Failed) => (MailState::At(Stage::Failed), detail()),
        (Folder::New, Stage::Held) => (MailState::At(Stage::Held), detail()),
        (Folder::New, Stage::Queued) => (MailState::At(Stage::Queued), "it waits for its turn".to_owned()),
        (Folder::New, stage @ (Stage::Typing | Stage::Entering | Stage::Offered | Stage::Typed)) => {
            (MailState::At(stage), detail())
        }
        _ => return None,
    })
}

/// The conversations of these messages, which are newest first. Those with news for the person come first, then those
/// with waiting mail, then the latest. All notices of swarm are one conversation.
pub(super) fn threads(messages: &[Rc<MessageRow>]) -> Vec<ThreadRow> {
    let mut at: HashMap<&str, usize> = HashMap::new();
    let mut threads: Vec<ThreadRow> = Vec::new();
    for message in messages {
        let id = if message.notice { NOTICES } else { message.thread.as_str() };
        let place = *at.entry(id).or_insert_with(|| {
            threads.push(ThreadRow { id: id.to_owned(), messages: Vec::new(), unread: 0 });
            threads.len() - 1
        });
        let thread = &mut threads[place];
        thread.unread += usize::from(message.unread);
        thread.messages.push(Rc::clone(message));
    }
    for thread in &mut threads {
        thread.messages.reverse();
    }
    // Stable, so the order by the newest messages stays within each group.
    order::sort_by_key(&mut threads, pressure);
    threads
}

fn pressure(thread: &ThreadRow) -> u8 {
    let has = |state| thread.messages.iter().any(|m| m.state == state);
    match thread.id == NOTICES {
        true if thread.unread > 0 => 1,
        false if thread.unread > 0 => 0,
        false if has(MailState::Overdue) => 2,
        false if has(MailState::At(Stage::Held)) => 3,
        _ => 4,
    }
}

/// The leases in the order of their numbers, each followed by the waiters for its paths.
fn lease_rows(table: &LeaseTable) -> Vec<LeaseRow> {
    let now = table.now();
    let held = |l: &Lease| LeaseRow {
        id: l.fence.to_string(),
        number: l.fence,
        waits: false,
        holder: l.holder.name.to_string(),
        mode: l.mode.word(),
        since: l.since,
        state: words::state(l, now),
        paths: leases::paths(&l.paths),
        reason: leases::reason(l),
        mine: l.holder.name.is_human(),
        away: false,
    };
    let waits = |w: &Waiter| LeaseRow {
        id: format!("t{}", w.ticket),
        number: w.ticket,
        waits: true,
        holder: w.holder.name.to_string(),
        mode: w.mode.word(),
        since: w.since,
        state: words::waiting(w, now),
        paths: leases::paths(&w.paths),
        reason: String::new(),
        mine: w.holder.name.is_human(),
        away: false,
    };
    let mut rows = Vec::new();
    let mut waiters: Vec<&Waiter> = table.waiters().collect();
    for lease in table.leases() {
        rows.push(held(lease));
        let wants = |w: &&Waiter| w.paths.iter().any(|p| lease.paths.iter().any(|held| held.overlaps(p)));
        let (behind, others): (Vec<_>, Vec<_>) = waiters.into_iter().partition(wants);
        rows.extend(behind.into_iter().map(waits));
        waiters = others;
    }
    rows.extend(waiters.into_iter().map(waits));
    rows
}

#[cfg(test)]
mod tests {
    use super::super::feed::tests::{post_others, post_to};
    use super::*;
    use crate::core::body::Body;
    use crate::core::message::{Identity, Intent, MessageType};
    use crate::core::rate::Limit;
    use crate::store::post::NewMessage;

    #[test]
    fn who_wrote_what_wants_no_answer_asks_nothing_and_a_question_asks_however_old_it_is() {
        let (_dir, store) = crate::store::tests::store();
        for name in ["claude-1", "codex-1", "gemini-1"] {
            store.transact(|tx| tx.put_agent(&crate::store::tests::agent(name))).unwrap();
        }
        let post = |from: &str, kind, intent| {
            let from = Name::new(from).unwrap();
            let draft = NewMessage {
                intent,
                ..NewMessage::new(
                    from,
                    Identity::Process,
                    vec![Name::human()],
                    kind,
                    Body::new("done").unwrap(),
                )
            };
            store.post(draft, Limit::none()).unwrap();
        };
        post("gemini-1", MessageType::Question, None);
        for _ in 0..100 {
            post("claude-1", MessageType::Info, Some(Intent::Fyi));
            post("codex-1", MessageType::Ack, None);
        }
        let shown = Gatherer::new(store, "x".to_owned()).gather().unwrap();
        let row = |name: &str| shown.agents.iter().find(|a| a.name == name).unwrap();
        assert_eq!((row("claude-1").unread, row("codex-1").unread, row("gemini-1").unread), (100, 100, 1));
        let asks = |name| row(name).need == Need::Asks;
        assert_eq!((asks("claude-1"), asks("codex-1"), asks("gemini-1")), (false, false, true));
        assert_eq!((shown.counts.needs, shown.counts.unread), (1, 201));
    }

    #[test]
    fn mail_that_nobody_has_looked_at_waits_and_says_its_text_however_old_it_is() {
        let (_dir, store) = crate::store::tests::store();
        let agent = Name::new("codex-1").unwrap();
        let id = post_to(&store, &agent, "the oldest", false);
        post_others(&store, WAITING);
        let mut gatherer = Gatherer::new(store, "x".to_owned());
        let waiting = gatherer.gather().unwrap().waiting;
        let row = waiting.iter().find(|row| row.id == id.to_string()).expect("it waits");
        assert_eq!((row.what, row.first.as_str()), (MailState::At(Stage::Queued), "the oldest"));
    }
}
