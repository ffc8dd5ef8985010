//! Gives a returning agent the mail that its earlier process did not receive.
//!
//! The mail is written before the record, in the transaction that gives the agent its earlier record. After a crash
//! in between, the mail waits for an agent that has ended, and becomes dead letters again. Mail that the earlier
//! process may have received is announced without its text, so nothing is given twice.

use super::proof;
use crate::core::agent::Agent;
use crate::core::delivery::Stage;
use crate::core::event::Event;
use crate::core::few::Few;
use crate::core::heir::{Evidence, Inherited, Kin, is_session};
use crate::core::id::MessageId;
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::os::process::{self, Here};
use crate::store::mail::{Folder, MessageRef, UNREAD};
use crate::store::{Store, Transaction, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use std::time::Duration;

/// How long tmux may take to show the name on the pane.
const LABEL: Duration = Duration::from_secs(1);

/// The most ids that one notice names.
const NAMED: usize = 8;

/// Whether anything is left under the names of an ended agent: mail to or from it that somebody waits for, a lease,
/// or an uncommitted edit.
pub fn leaves_anything(store: &Store, agent: &Agent) -> Result<bool> {
    let names: Vec<Name> = agent.formerly.iter().chain([&agent.name]).cloned().collect();
    if store.is_owed(&names)?
        || !store.unproved(&agent.name, &UNREAD)?.is_empty()
        || store.has_edits(&agent.name)?
        || store.has_left_leases(&agent.name)?
    {
        return Ok(true);
    }
    let leases = store.peek_leases()?.table;
    let mut holders = leases.leases().map(|l| &l.holder).chain(leases.waiters().map(|w| &w.holder));
    Ok(holders.any(|h| h.host.is_none() && names.contains(&h.name)))
}

/// Revives the mail that an agent did not receive before it ended. Senders who have got a notice of its end get
/// another one.
pub fn revive(tx: &mut Transaction<'_>, store: &Store, agent: &Agent, by: Evidence) -> Result<()> {
    let inherited = agent.past.inherited.as_ref();
    let was = inherited.map(|i| i.from.pid);
    tx.journal(&Event::AgentBack { name: &agent.name, by, pid: agent.process.pid, was })?;
    tx.end_bundles(agent)?;
    proof::settle(tx, store, agent)?;
    let mut told: Few<Name, Vec<MessageId>> = Few::new();
    for found in store.deliveries(&agent.name, Folder::New)? {
        let (MessageRef { id, file, .. }, mut delivery) = found?;
        let failed = delivery.way.lost().is_some();
        if delivery.way.typed_into.as_ref() == Some(&agent.process) {
            continue;
        }
        // The process that ended may have received it.
        let perhaps = delivery.way.enters > 0 || delivery.way.stage == Stage::Typed;
        if !failed && !perhaps {
            continue;
        }
        if perhaps {
            delivery.way.announce(now_ms());
        } else {
            delivery.way.restart(now_ms());
        }
        let Some(message) = store.genuine(&agent.name, &agent.formerly, Folder::New, &file)? else {
            continue;
        };
        tx.put_delivery(&agent.name, &delivery)?;
        tx.journal(&Event::Delivery {
            id: &id,
            to: &agent.name,
            stage: delivery.way.stage,
            detail: BACK,
            reminder: None,
        })?;
        if failed {
            for sender in message.reports_to(&tx.agents()?) {
                told.at(sender).push(id.clone());
            }
        }
    }
    for (to, ids) in told {
        let named = ids.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let more = if ids.len() > NAMED { format!(" and {} more", ids.len() - NAMED) } else { String::new() };
        let text = format!(
            "{} is back ({}) and gets {named}{more} after all; do not send again",
            agent.name,
            by.told()
        );
        tx.put_notice(&Notice { to, kind: MessageType::Info, text })?;
    }
    Ok(())
}

/// Gives everything of an ended agent to a living agent on record. From now on the two are one agent, called `name`.
pub fn take_over(
    tx: &mut Transaction<'_>,
    store: &Store,
    agent: &Agent,
    dead: &Agent,
    name: &Name,
    by: Evidence,
) -> Result<Agent> {
    let how = Inherited { by, at: now_ms(), from: dead.process.clone() };
    let mut past = dead.past.clone();
    past.inherited = Some(how.clone());
    revive(tx, store, &Agent { process: agent.process.clone(), past, ..dead.clone() }, by)?;
    tx.inherit(agent, dead, name, how)
}

/// Records the conversation of a living agent. If an ended agent was in that conversation, the living one becomes its
/// heir, unless another conversation of the living one is known and somebody already has to do with it. Returns a new
/// record.
pub fn enter(store: &Store, agent: &Agent, session: &str) -> Result<Option<Agent>> {
    if agent.past.knows(session) || !is_session(session) {
        return Ok(None);
    }
    let entered = store.transact(|tx| {
        let known = tx.agents()?;
        let Some(current) = known.iter().find(|a| a.process == agent.process && a.is_live()) else {
            return Ok(None);
        };
        if current.past.knows(session) {
            // Another process was faster.
            return Ok(Some(current.clone()));
        }
        let here = Here::look();
        let ended = |a: &&Agent| here.check(a.place.namespace, &a.process) == Some(false);
        let (dead, living) = known.iter().filter(|a| a.process != agent.process).partition(ended);
        let kin = Kin { dead, living, now_ms: now_ms(), window: Duration::ZERO };
        let mut heir = current.clone();
        heir.past.enter(session);
        let is_new = current.past.sessions.is_empty()
            || (store.is_unused(&current.name)? && !leaves_anything(store, current)?);
        let mut dead = kin.found_by_session(&current.kind, session, &current.place);
        dead.retain(|_| is_new && !process::is_foreign(agent.process.pid));
        let &[dead] = &dead[..] else {
            if let [first, ..] = &dead[..] {
                // Only a person can decide which of these agents it is.
                let names: Vec<&str> = dead.iter().map(|a| a.name.as_str()).collect();
                let text = format!(
                    "{0} is in a conversation of {1}, which ended. It is unclear which of them it is, so it gets no old mail. To choose: swarm name {0} {2}",
                    current.name,
                    names.join(" and "),
                    first.name
                );
                tx.put_notice(&Notice { to: Name::human(), kind: MessageType::Info, text })?;
            }
            tx.put_agent(&heir)?;
            return Ok(Some(heir));
        };
        let name = if current.past.given { &current.name } else { &dead.name };
        let heir = take_over(tx, store, &heir, dead, name, Evidence::Session)?;
        if heir.name != current.name {
            let text = format!(
                "you are now called {}, and no longer {}: you are in the conversation of {}, which had ended. Its mail is yours",
                heir.name, current.name, dead.name
            );
            tx.put_notice(&Notice { to: heir.name.clone(), kind: MessageType::Info, text })?;
        }
        Ok(Some(heir))
    })?;
    if let Some(heir) = entered.as_ref().filter(|heir| heir.name != agent.name) {
        store.ensure_mailbox(&heir.name)?;
        store.post_notices()?;
        store.return_leases(heir)?;
        // The label is a convenience: the name counts even if tmux cannot be reached from here.
        let server = Server::new(&heir.place.socket).patient(LABEL);
        let _ = server.label(&[(heir.place.pane.clone(), Some(heir.name.to_string()))]);
    }
    Ok(entered)
}

/// The detail of a message whose agent ended and is back.
const BACK: &str = "its agent ended and is back";
