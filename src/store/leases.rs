//! Leases on disk: `leases/FENCE.json`, `waiters/TICKET.json`, `numbers.json`.
//!
//! Every decision runs in one transaction under the store's mutex: load, apply what time and death have done, decide,
//! commit. So of any number of racing processes one is granted and the others are told who was faster. The commit writes, in
//! this order: the number (before it is used), what others will be told, the journal, then the records in the table's order,
//! of which every prefix is harmless: a lease that goes is removed before one that comes is written.
//!
//! All of it is volatile but the reservation of numbers: after a power failure no holder lives. A lease that cannot be read
//! or whose seal does not fit stays where it is, and nothing new is granted until a person sets it aside (`swarm gc`): nobody
//! can tell what it holds. A damaged ticket costs its owner the place and goes to quarantine.

use super::record::{self, Durability, Loaded};
use super::{Store, Transaction, fault};
use crate::core::agent::Agent;
use crate::core::lease::{
    Changes, Counter, Event, Holder, Lease, LeaseTable, Liveness, Outcome, Request, Wait, Waiter, Write,
};
use crate::core::name::Name;
use crate::os::{clock, process};
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// A lease record that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its path in the store.
    pub record: String,
    /// What is wrong with it.
    pub why: String,
}

/// All leases at one moment, with what time and death have done applied.
#[derive(Debug)]
pub struct Leases {
    /// Leases and waiters.
    pub table: LeaseTable,
    /// Lease records that cannot be believed: while there is one, nothing is granted.
    pub damaged: Vec<Damaged>,
}

impl Store {
    /// The leases now. Takes the mutex only if time or death has changed something, which is then committed.
    pub fn leases(&self) -> Result<Leases> {
        let seen = self.load_leases()?;
        if *seen.table.changes() == Changes::default() {
            return Ok(seen);
        }
        self.change_leases(|_| ())?;
        self.load_leases()
    }

    /// What the next transaction would find, and what it would change; changes nothing.
    pub fn peek_leases(&self) -> Result<Leases> {
        self.load_leases()
    }

    /// Decides a request and commits the outcome. With `wait`, a holder that cannot be served waits until then.
    pub fn acquire(&self, request: &Request, wait: Option<&Wait>) -> Result<Outcome> {
        self.in_transaction(|leases| {
            refuse_damaged(&leases.damaged)?;
            Ok(leases.table.acquire(request, wait))
        })
    }

    /// The outcome that a request would have now; changes nothing.
    pub fn would_acquire(&self, request: &Request) -> Result<Outcome> {
        let mut leases = self.load_leases()?;
        refuse_damaged(&leases.damaged)?;
        Ok(leases.table.acquire(request, None))
    }

    /// Whether one that waits has to wait on: it was offered nothing yet, and its ticket is there. Takes no lock.
    pub fn is_queued(&self, ticket: u64) -> Result<bool> {
        let loaded = self.sealed::<Waiter>(&format!("waiters/{ticket}"))?;
        Ok(matches!(loaded, Loaded::Ok(waiter) if waiter.offered.is_none()))
    }

    /// Changes leases in one transaction, in a way that grants nothing.
    pub fn change_leases<T>(&self, decide: impl FnOnce(&mut LeaseTable) -> T) -> Result<T> {
        self.in_transaction(|leases| Ok(decide(&mut leases.table)))
    }

    /// Moves damaged lease records to quarantine, so that others can be granted again.
    pub fn set_damaged_leases_aside(&self) -> Result<Vec<Damaged>> {
        self.transact(|tx| {
            let damaged = tx.store.load_leases()?.damaged;
            for one in &damaged {
                tx.store.quarantine(&tx.store.dir.join(&one.record), &one.why)?;
            }
            Ok(damaged)
        })
    }

    fn in_transaction<T>(&self, decide: impl FnOnce(&mut Leases) -> Result<T>) -> Result<T> {
        let result = self.transact(|tx| {
            let mut leases = tx.store.load_leases()?;
            let result = decide(&mut leases)?;
            tx.commit_leases(leases.table.changes())?;
            Ok(result)
        })?;
        // Stored with the change: who cannot post it leaves it to the next, or to the courier.
        let _ = self.post_notices();
        Ok(result)
    }

    fn load_leases(&self) -> Result<Leases> {
        let (leases, damaged) = self.load_all::<Lease>("leases", |l| l.fence)?;
        let (waiters, lost) = self.load_all::<Waiter>("waiters", |w| w.ticket)?;
        for one in lost {
            self.quarantine(&self.dir.join(&one.record), &one.why)?;
        }
        let now = clock::now()?;
        let numbers = leases.iter().map(|l| l.fence).chain(waiters.iter().map(|w| w.ticket));
        let counter = self.counter(numbers.max().unwrap_or_default(), now.wall_ms)?;
        let idle = leases.is_empty() && waiters.is_empty();
        let boot = now.boot.clone();
        let mut table = LeaseTable::new(leases, waiters, counter, now);
        if !idle {
            let agents = self.agents()?;
            let namespace = process::namespace();
            // Who holds many leases is looked at once.
            let mut known = HashMap::new();
            table.settle(|holder| {
                let seen = known.entry((holder.process.clone(), holder.namespace));
                seen.or_insert_with(|| census(holder, &agents, namespace, &boot)).clone()
            });
        }
        Ok(Leases { table, damaged })
    }

    /// All records of one kind: the good ones, and what is wrong with the others.
    fn load_all<T: Serialize + DeserializeOwned>(
        &self,
        dir: &str,
        number: impl Fn(&T) -> u64,
    ) -> Result<(Vec<T>, Vec<Damaged>)> {
        let (mut good, mut damaged) = (Vec::new(), Vec::new());
        for file in record::list(&self.dir.join(dir))? {
            let name = format!("{dir}/{}", file.trim_end_matches(".json"));
            let mut bad = |why| damaged.push(Damaged { record: format!("{dir}/{file}"), why });
            match self.sealed::<T>(&name)? {
                Loaded::Ok(record) if file == format!("{}.json", number(&record)) => good.push(record),
                Loaded::Ok(_) => bad("its number is not that of its file".to_owned()),
                Loaded::Bad(why) => bad(why),
                Loaded::Missing => {}
            }
        }
        Ok((good, damaged))
    }

    /// The counter. One that is lost or damaged goes on far above every number that was ever used.
    fn counter(&self, known: u64, now_ms: u64) -> Result<Counter> {
        let path = self.dir.join("numbers.json");
        Ok(match self.sealed::<Counter>("numbers")? {
            Loaded::Ok(counter) => counter,
            Loaded::Missing => Counter::recovered(known.max(self.last_journalled()?), now_ms),
            Loaded::Bad(why) => match record::load::<Counter>(&path)? {
                Loaded::Ok(first) if first == Counter::default() && known == 0 => first,
                _ => {
                    self.quarantine(&path, &why)?;
                    Counter::recovered(known.max(self.last_journalled()?), now_ms)
                }
            },
        })
    }

    /// The largest number in the journal, which is written before a number is used.
    fn last_journalled(&self) -> Result<u64> {
        let mut last = 0;
        self.journal(|entry| {
            let numbers = ["fence", "ticket"].map(|key| entry[key].as_u64().unwrap_or_default());
            last = numbers.into_iter().fold(last, u64::max);
        })?;
        Ok(last)
    }
}

impl Transaction<'_> {
    fn commit_leases(&mut self, changes: &Changes) -> Result<()> {
        if let Some((counter, durable)) = &changes.counter {
            let durability = if *durable { Durability::Durable } else { Durability::Volatile };
            self.store.put_sealed("numbers", counter, durability)?;
        }
        for dir in ["leases", "waiters", "notices"] {
            // A store may be older than leases are.
            let path = self.store.dir.join(dir);
            if !path.exists() {
                record::ensure_dir(&path)?;
            }
        }
        let now = super::now_ms();
        for notice in changes.events.iter().filter_map(Event::notice) {
            self.put_notice(&notice)?;
        }
        for event in &changes.events {
            let (name, fields) = event.journal(now);
            self.journal(name, fields)?;
        }
        for write in &changes.writes {
            match write {
                Write::Lease(lease) => self.put_numbered("leases", lease.fence, lease)?,
                Write::Waiter(waiter) => self.put_numbered("waiters", waiter.ticket, waiter)?,
                Write::DropLease(fence) => self.drop_numbered("leases", *fence)?,
                Write::DropWaiter(ticket) => self.drop_numbered("waiters", *ticket)?,
            }
        }
        Ok(())
    }

    fn put_numbered(&mut self, dir: &str, number: u64, record: &impl Serialize) -> Result<()> {
        self.store.put_sealed(&format!("{dir}/{number}"), record, Durability::Volatile)
    }

    fn drop_numbered(&mut self, dir: &str, number: u64) -> Result<()> {
        let path = self.store.dir.join(dir).join(format!("{number}.json"));
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        fault::point("after-drop");
        Ok(())
    }
}

fn refuse_damaged(damaged: &[Damaged]) -> Result<()> {
    match damaged {
        [] => Ok(()),
        [one, ..] => bail!(
            "{} is damaged ({}): nobody can tell what it holds, so nothing is granted. Who holds a lease should take it again after a person has run `swarm gc --yes`, which sets the record aside",
            one.record,
            one.why
        ),
    }
}

/// Whether a holder lives, and its current name. What is seen from here counts only where its process can be seen at
/// all: in a sandbox with its own pid namespace all others seem dead. There the registry is believed.
fn census(holder: &Holder, agents: &[Agent], namespace: Option<u64>, boot: &str) -> (Liveness, Option<Name>) {
    let Some(process) = &holder.process else { return (Liveness::Unknown, None) };
    let agent = agents.iter().find(|a| a.process == *process);
    let name = agent.map(|a| a.name.clone());
    let liveness = if process.boot != boot || agent.is_some_and(|a| !a.is_live()) {
        Liveness::Dead
    } else if holder.namespace == namespace {
        match process::check(process) {
            Some(true) => Liveness::Alive,
            Some(false) => Liveness::Dead,
            None => Liveness::Unknown,
        }
    } else if agent.is_some() {
        Liveness::Alive
    } else {
        Liveness::Unknown
    };
    (liveness, name)
}

#[cfg(test)]
mod tests;
