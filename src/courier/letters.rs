//! Handles messages that are not answered or cannot be delivered: reminders, escalation, dead letters, and notices of
//! long holds.
//!
//! Everything is decided from records and the time. Each notice is written in the transaction that records it, so a
//! restarted courier continues where the last one stopped. Every notice is sent exactly once, except that a crash
//! between the two writes of that transaction sends it twice.

use super::memo::Memo;
use crate::core::ack::{AckClock, Step};
use crate::core::agent::{Agent, Status};
use crate::core::answers;
use crate::core::config::{Escalate, Settings};
use crate::core::delivery::{Delivery, Lost, Pause, Stage, Stuck};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::few::Few;
use crate::core::frame;
use crate::core::id::MessageId;
use crate::core::message::{Envelope, MessageType, Verified};
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::span;
use crate::roster::proof;
use crate::store::mail::{Folder, UNREAD};
use crate::store::{Store, Transaction, now_ms};
use anyhow::Result;

/// The longest notice, in characters: one line that is typed inline.
const NOTICE_MAX: usize = 380;

/// Ids named in one notice.
const NAMED: usize = 8;

/// The result of a pass over the letters.
#[derive(Debug, Default)]
pub struct Due {
    /// When the next clock is due (ms since the epoch).
    pub next: Option<u64>,
    /// Lines for the status lines.
    pub alerts: Vec<String>,
}

/// The letters of one project.
pub struct Letters<'a> {
    pub store: &'a Store,
    /// All agents on record, dead ones too.
    pub agents: &'a [Agent],
    pub settings: &'a Settings,
}

impl Letters<'_> {
    /// Starts, advances and ends the clocks of awaited acknowledgements.
    pub fn acknowledgements(&self) -> Result<Due> {
        let mut due = Due::default();
        for owner in self.store.mailboxes()? {
            for file in self.store.mail_files(&owner, Folder::Unacked)? {
                if let Some(message) =
                    self.store.genuine(&owner, self.aliases(&owner), Folder::Unacked, &file)?
                {
                    self.awaited(&owner, &message, &mut due)?;
                }
            }
        }
        Ok(due)
    }

    #[inline(never)]
    fn awaited(&self, owner: &Name, message: &Verified, due: &mut Due) -> Result<()> {
        let now = now_ms();
        let schedule = &self.settings.reminders;
        let delivery = self.delivery(owner, &message.id, message.created)?;
        if matches!(delivery.way.stage, Stage::Acked | Stage::Failed) {
            return self.store.transact(|tx| tx.drop_ack(owner, &message.file_name()));
        }
        if !owner.is_human() && delivery.way.stage.is_open() {
            // It was read, and a crash came before the mark: its clock starts now.
            if self.store.mail_file(owner, Folder::Cur, &message.file_name()).exists() {
                self.change(owner, message, |d| {
                    d.way.advance(Stage::Read, "", now);
                })?;
                due.at(now);
            }
            return Ok(());
        }
        if let Some(agent) = self.agents.iter().find(|a| a.name == *owner && !a.is_live()) {
            let at = self.gone_at(agent);
            if at > now {
                due.at(at);
                return Ok(());
            }
            return self.escalate(owner, message, "has ended without acknowledging", due);
        }
        let Some(mut clock) = delivery.ack else {
            let since = if owner.is_human() { message.created } else { delivery.way.since };
            let clock = AckClock::start(since.min(now), schedule);
            due.at(clock.due);
            return self.change(owner, message, |d| d.ack = Some(clock));
        };
        if clock.repair(now, schedule) {
            let repaired = clock.clone();
            self.change(owner, message, |d| d.ack = Some(repaired))?;
        }
        match clock.step(now, schedule) {
            Step::Wait(until) => due.at(until),
            Step::Reminding => {}
            Step::Remind => {
                clock.remind(now);
                if owner.is_human() {
                    // A person is reminded by the count of overdue acknowledgements, not by typing.
                    clock.reminder = None;
                    clock.reminded(now, schedule);
                    due.at(clock.due);
                }
                self.change(owner, message, |d| d.ack = Some(clock))?;
            }
            // The agent cannot acknowledge anything, so it gets another wait.
            Step::Escalate if self.is_limited(owner) => {
                clock.reminded(now, schedule);
                due.at(clock.due);
                self.change(owner, message, |d| d.ack = Some(clock))?;
            }
            Step::Escalate => {
                let why = format!("has not acknowledged after {}", plural(clock.rings as usize, "reminder"));
                self.escalate(owner, message, &why, due)?;
            }
        }
        Ok(())
    }

    /// Sends one notice to the sender and the human (or to everybody, by the settings), and stops waiting.
    fn escalate(&self, owner: &Name, message: &Verified, why: &str, due: &mut Due) -> Result<()> {
        let text = format!(
            "UNACKNOWLEDGED: {owner} {why} {} ({}: {})",
            message.id,
            message.kind,
            frame::preview(message.body.as_str())
        );
        let mut to = self.sender(message);
        to.push(Name::human());
        if self.settings.escalate == Escalate::All {
            let others = self.agents.iter().filter(|a| a.is_live() && a.name != *owner);
            to.extend(others.map(|a| a.name.clone()));
        }
        order::sort(&mut to);
        to.dedup();
        let file = message.file_name();
        let awaited = self.store.mail_file(owner, Folder::Unacked, &file);
        let told = self.store.transact(|tx| {
            let back = |dead: &Agent| Ok::<_, anyhow::Error>(!is_dead(tx, dead)?);
            let ended = self.agents.iter().find(|a| a.name == *owner && !a.is_live());
            if !awaited.exists() || ended.map(back).transpose()?.unwrap_or_default() {
                return Ok(false);
            }
            notify(tx, &to, &text)?;
            let mut delivery = self.delivery(owner, &message.id, message.created)?;
            if let Some(clock) = &mut delivery.ack {
                clock.escalated = true;
            }
            tx.put_delivery(owner, &delivery)?;
            tx.drop_ack(owner, &file)?;
            tx.journal(&Event::Escalated { id: &message.id, to: owner, why })?;
            Ok(true)
        })?;
        if told {
            due.alerts.push(format!("{owner} {why} {}", message.id));
        }
        Ok(())
    }

    /// Fails the mail of agents that have ended and did not come back, and sends notices to its senders. A mailbox
    /// that has not changed since is not read again.
    pub fn dead_letters(&self, done: &mut Memo<()>, due: &mut Due) -> Result<()> {
        for agent in self.agents.iter().filter(|a| !a.is_live()) {
            let at = self.gone_at(agent);
            if at > now_ms() {
                due.at(at);
                continue;
            }
            done.recall(self.store, &agent.name, || {
                due.alerts.extend(self.fail(agent)?);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Makes messages wait again that hooks gave to agents which then ended before they asked their models. They wait for
    /// the agent's next start, or fail with the rest of its mail. A mailbox that has not changed is not read again.
    pub fn take_back(&self, done: &mut Memo<()>) -> Result<()> {
        for agent in self.agents.iter().filter(|a| !a.is_live()) {
            done.recall(self.store, &agent.name, || {
                if self.store.unproved(&agent.name, &UNREAD)?.is_empty() {
                    return Ok(());
                }
                let settle = |tx: &mut Transaction<'_>| {
                    if is_dead(tx, agent)? { proof::settle(tx, self.store, agent) } else { Ok(()) }
                };
                self.store.transact(settle)
            })?;
        }
        Ok(())
    }

    /// Whether an agent's usage limit is reached.
    fn is_limited(&self, owner: &Name) -> bool {
        self.agents.iter().any(|a| a.name == *owner && a.is_live() && a.status == Status::Limit)
    }

    fn gone_at(&self, agent: &Agent) -> u64 {
        agent.gone_at(now_ms(), self.settings.grace)
    }

    #[inline(never)]
    fn fail(&self, agent: &Agent) -> Result<Vec<String>> {
        // Grouped by whether the agent may have received it.
        let mut senders: Few<(Vec<Name>, bool), Vec<MessageId>> = Few::new();
        self.store.transact(|tx| if is_dead(tx, agent)? { tx.end_bundles(agent) } else { Ok(()) })?;
        for file in self.store.mail_files(&agent.name, Folder::New)? {
            let Some(message) = self.store.genuine(&agent.name, &agent.formerly, Folder::New, &file)? else {
                continue;
            };
            let way = self.delivery(&agent.name, &message.id, message.created)?.way;
            if is_lost(way.stage) {
                let perhaps = way.enters > 0;
                senders.at((self.sender(&message), perhaps)).push(message.id.clone());
            } else if way.stage != Stage::Failed {
                // It was submitted, and a crash came before the move.
                self.store.transact(|tx| tx.mark_given(&agent.name, &file))?;
            }
        }
        let mut alerts = Vec::new();
        for ((to, perhaps), ids) in senders {
            let named = ids.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let more =
                if ids.len() > NAMED { format!(" and {} more", ids.len() - NAMED) } else { String::new() };
            let (what, lost) = if perhaps {
                ("has ended and may have got", Lost::PerhapsGiven)
            } else {
                ("has ended and did not get", Lost::NotGiven)
            };
            let text = format!(
                "{} {what} {named}{more}; send again: swarm-msg resend {} --to NAME",
                agent.name, ids[0]
            );
            let done = self.store.transact(|tx| {
                if !is_dead(tx, agent)? {
                    return Ok(false);
                }
                notify(tx, &to, &text)?;
                for id in &ids {
                    let known = self.store.delivery(&agent.name, id)?;
                    let mut delivery = known.unwrap_or_else(|| Delivery::queued(id.clone(), now_ms()));
                    if is_lost(delivery.way.stage) {
                        delivery.way.advance(Stage::Failed, lost.detail(), now_ms());
                        tx.put_delivery(&agent.name, &delivery)?;
                        tx.journal(&Event::DeadLetter { id, to: agent.name.as_str(), why: None })?;
                    }
                }
                Ok(true)
            })?;
            if !done {
                return Ok(alerts);
            }
            alerts.push(format!("{} has ended; {} not delivered", agent.name, plural(ids.len(), "message")));
        }
        Ok(alerts)
    }

    /// The mailbox of a message's sender: under its present name, or the human's if the sender is gone.
    fn sender(&self, message: &Verified) -> Vec<Name> {
        message.reports_to(self.agents)
    }

    fn aliases(&self, owner: &Name) -> &[Name] {
        self.agents.iter().find(|a| a.name == *owner).map_or(&[], |a| &a.formerly)
    }

    fn delivery(&self, owner: &Name, id: &MessageId, created: u64) -> Result<Delivery> {
        let known = self.store.delivery(owner, id)?;
        Ok(known.unwrap_or_else(|| Delivery::queued(id.clone(), created)))
    }

    /// Changes a delivery record, unless the message was acknowledged or its mailbox renamed meanwhile.
    fn change(&self, owner: &Name, message: &Verified, change: impl FnOnce(&mut Delivery)) -> Result<()> {
        let awaited = self.store.mail_file(owner, Folder::Unacked, &message.file_name());
        self.store.transact(|tx: &mut Transaction<'_>| {
            if !awaited.exists() {
                return Ok(());
            }
            let mut delivery = self.delivery(owner, &message.id, message.created)?;
            if delivery.way.stage == Stage::Acked {
                return Ok(());
            }
            change(&mut delivery);
            tx.put_delivery(owner, &delivery)
        })
    }
}

impl Due {
    fn at(&mut self, when: u64) {
        self.next = Some(self.next.map_or(when, |n| n.min(when)));
    }
}

/// Sends one notice to the sender of a message that has been held for long, except for notices of swarm itself. Names
/// are looked up only then, because this runs for every waiting message at each try.
pub fn held(
    store: &Store,
    settings: &Settings,
    agent: &Agent,
    file: &str,
    envelope: &Envelope,
    reason: &str,
) -> Result<()> {
    let owner = &agent.name;
    let age = now_ms().saturating_sub(envelope.created);
    if age < span::ms(settings.held_notice)
        || envelope.from.is_system()
        || store.delivery(owner, &envelope.id)?.is_some_and(|d| d.told_held)
    {
        return Ok(());
    }
    let Some(message) = store.genuine(owner, &agent.formerly, Folder::New, file)? else { return Ok(()) };
    let agents = store.agents()?;
    let letters = Letters { store, agents: &agents, settings };
    let text = format!(
        "{} to {owner} is held, for {} s now: {reason} ({})",
        message.id,
        age / 1000,
        frame::preview(message.body.as_str())
    );
    store.transact(|tx| {
        let mut delivery = letters.delivery(owner, &envelope.id, envelope.created)?;
        if delivery.told_held {
            return Ok(());
        }
        notify(tx, &letters.sender(&message), &text)?;
        delivery.told_held = true;
        tx.put_delivery(owner, &delivery)
    })
}

/// Holds an answer beyond the limit on answers in a row between agents. Both agents and the human get one notice per
/// thread. Does nothing if the hold is on record.
pub fn pause(
    store: &Store,
    settings: &Settings,
    agent: &Agent,
    message: &Verified,
    known: Option<&Delivery>,
    told_thread: bool,
) -> Result<()> {
    if known.is_some_and(|d| d.pause == Some(Pause::Held)) {
        return Ok(());
    }
    let (owner, id) = (&agent.name, &message.id);
    let agents = store.agents()?;
    let letters = Letters { store, agents: &agents, settings };
    let to = [letters.sender(message), vec![owner.clone()], vec![Name::human()]];
    let texts = answers::notices(message, owner);
    store.transact(|tx| {
        let waits = store.mail_file(owner, Folder::New, &message.file_name()).exists();
        let mut delivery = letters.delivery(owner, id, message.created)?;
        if !waits || delivery.pause.is_some() || !delivery.way.stage.is_open() {
            return Ok(());
        }
        for (to, text) in to.iter().zip(&texts).filter(|_| !told_thread) {
            for to in to {
                // The human is called, because only the human can let the thread continue.
                let kind = if to.is_human() { MessageType::Blocked } else { MessageType::Info };
                let text = escape::short(text, NOTICE_MAX);
                tx.put_notice(&Notice { to: to.clone(), kind, text })?;
            }
        }
        delivery.pause = Some(Pause::Held);
        delivery.told_held = true;
        delivery.way.advance(Stage::Held, &answers::reason(message), now_ms());
        tx.put_delivery(owner, &delivery)?;
        tx.journal(&Event::AnswersHeld { id, from: &message.from, to: owner, round: message.round })
    })
}

/// Handles a message that stands in a composer and cannot be submitted: its sender and the human get one notice; if
/// the plain line is stuck as well, the message becomes a dead letter.
pub fn stuck(store: &Store, settings: &Settings, agent: &Agent, message: &Verified) -> Result<()> {
    let owner = &agent.name;
    let due = |d: &Delivery| if d.way.stage.is_open() { d.way.stuck(now_ms()) } else { Stuck::Wait };
    if store.delivery(owner, &message.id)?.is_none_or(|d| due(&d) == Stuck::Wait) {
        return Ok(());
    }
    let agents = store.agents()?;
    let letters = Letters { store, agents: &agents, settings };
    let mut to = letters.sender(message);
    to.push(Name::human());
    order::sort(&mut to);
    to.dedup();
    let (id, pane) = (&message.id, &agent.place.pane);
    store.transact(|tx| {
        let Some(mut delivery) = store.delivery(owner, id)? else { return Ok(()) };
        match due(&delivery) {
            Stuck::Wait => return Ok(()),
            Stuck::Tell => {
                let text = format!(
                    "{id} to {owner} stands in its composer and cannot be submitted: press Enter in pane {pane}, or clear the composer there, and it is announced once more; later mail waits"
                );
                notify(tx, &to, &text)?;
                delivery.way.told_stuck = true;
                tx.journal(&Event::Stuck { id, to: owner, pane })?;
            }
            Stuck::Fail => {
                let text = format!(
                    "{id} to {owner} could not be submitted and is a dead letter; clear its composer in pane {pane} to let later mail through; send again: swarm-msg resend {id}"
                );
                notify(tx, &to, &text)?;
                delivery.way.advance(Stage::Failed, "it could not be submitted in its composer", now_ms());
                tx.journal(&Event::DeadLetter { id, to: owner.as_str(), why: None })?;
            }
        }
        tx.put_delivery(owner, &delivery)
    })
}

/// Whether an agent that was found dead still is: another agent may be its heir by now.
fn is_dead(tx: &Transaction<'_>, agent: &Agent) -> Result<bool> {
    Ok(tx.agents()?.iter().any(|a| a.name == agent.name && a.process == agent.process && !a.is_live()))
}

/// Whether a message at that stage is lost with its recipient's process, or may be.
fn is_lost(stage: Stage) -> bool {
    stage.is_open() || stage == Stage::Typed
}

/// Writes a notice to each of these names. They are posted after the transaction.
fn notify(tx: &mut Transaction<'_>, to: &[Name], text: &str) -> Result<()> {
    let text = escape::short(text, NOTICE_MAX);
    to.iter().try_for_each(|to| {
        tx.put_notice(&Notice { to: to.clone(), kind: MessageType::Info, text: text.clone() })
    })
}
