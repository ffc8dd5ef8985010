//! Leases on disk: `leases/FENCE.json`, `waiters/TICKET.json`, `numbers.json`.
//!
//! Every decision runs in one transaction under the store's mutex: load, end the leases of expired times and dead
//! holders, decide, commit. So one of many racing processes gets the lease, and the others see who was faster. The
//! commit writes in this order: the number (before it is used), the notices, the journal, then the records in the
//! table's order. An ended lease is removed before a new one is written, so a crash after any write is harmless.
//!
//! If there are many leases, a decision loads only those that matter to it. An index, derived from the records, finds
//! them (`leases/index.rs`).
//!
//! Everything is volatile except the reservation of numbers: after a power failure no holder lives. A lease that
//! cannot be read, or has a wrong seal, stays where it is. Its paths are unknown, so no lease is granted until a
//! person sets it aside (`swarm gc`). A damaged ticket goes to quarantine, and its owner loses the place.

use super::record::{self, Durability, Loaded};
use super::wake::{self, Listener};
use super::{Store, Transaction, fault};
use crate::core::agent::Agent;
use crate::core::lease::{
    Changes, Counter, End, Holder, Lease, LeaseEvent, LeaseOutcome, LeaseTable, Liveness, PathPattern,
    Request, Wait, Waiter, Write,
};
use crate::core::moment::Moment;
use crate::core::name::Name;
use crate::core::order;
use crate::core::process_id::ProcessId;
use crate::os::{clock, process};
use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

mod index;
mod left;

use index::Index;

/// How often, and with which pause, a reader without the mutex tries an index that is being updated.
const TRIES: (usize, Duration) = (5, Duration::from_micros(300));

/// How many FIFOs there are to wake waiting commands.
const BELLS: u64 = 64;

/// An invalid lease record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its path in the store.
    pub record: String,
    pub why: String,
}

/// All leases at one moment, after those of expired times and dead holders have ended.
#[derive(Debug)]
pub struct Leases {
    pub table: LeaseTable,
    /// Invalid lease records: while there is one, nothing is granted.
    pub damaged: Vec<Damaged>,
    /// How many leases there are in all, even if only a part of them was asked for.
    pub count: u64,
}

/// The leases that a decision looks at. Waiters, and the leases that they wait for, are always among them.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    All,
    /// The leases that overlap one of these paths.
    Paths(&'a [PathPattern]),
    /// The leases with these numbers.
    Numbers(&'a [u64]),
}

/// The records that were loaded for a decision.
struct Book {
    leases: Leases,
    /// The leases in their form on record, for the update of the index.
    known: BTreeMap<u64, Lease>,
    /// The index, if it is valid.
    index: Option<Index>,
    /// Whether all leases are loaded.
    whole: bool,
    /// Whether an updated index would make the next decision faster.
    slow: bool,
}

impl Store {
    /// The leases now. Takes the mutex only if time or a death has changed something, which is then committed.
    pub fn leases(&self) -> Result<Leases> {
        self.leases_about(Part::All)
    }

    /// Whether there are so many leases that they have an index: one look at the file system.
    pub fn has_many_leases(&self) -> bool {
        index::exists(self)
    }

    /// A part of the leases now; as [`Store::leases`].
    pub fn leases_about(&self, part: Part<'_>) -> Result<Leases> {
        let seen = self.load_leases(part, &[], false)?;
        if *seen.leases.table.changes() != Changes::default() {
            self.change_leases(part, |_| ())?;
            return Ok(self.load_leases(part, &[], false)?.leases);
        }
        if seen.slow {
            // A process that may not write continues with slow reads.
            let _ = self.change_leases(part, |_| ());
        }
        Ok(seen.leases)
    }

    /// The leases as the next transaction would find and settle them; changes nothing.
    pub fn peek_leases(&self) -> Result<Leases> {
        Ok(self.load_leases(Part::All, &[], false)?.leases)
    }

    /// [`Store::peek_leases`] that reads every record, whatever the index says.
    pub fn inspect_leases(&self) -> Result<Leases> {
        let found = self.load_records(clock::now()?, false)?.leases;
        if !found.damaged.is_empty() && index::exists(self) {
            // From now on the index does not hide it.
            let _ = self.transact(|tx| {
                index::remove(tx.store);
                Ok(())
            });
        }
        Ok(found)
    }

    /// Decides a request and commits the outcome. With `wait`, a request that cannot be granted waits.
    pub fn acquire(&self, request: &Request, wait: Option<&Wait>) -> Result<LeaseOutcome> {
        let chain = wait.map_or(&[][..], |wait| &wait.chain);
        self.in_transaction(Part::Paths(&request.paths), chain, |leases| {
            refuse_damaged(&leases.damaged)?;
            Ok(leases.table.acquire(request, wait))
        })
    }

    /// The outcome that a request would have now; changes nothing.
    pub fn would_acquire(&self, request: &Request) -> Result<LeaseOutcome> {
        let mut leases = self.load_leases(Part::Paths(&request.paths), &[], false)?.leases;
        refuse_damaged(&leases.damaged)?;
        Ok(leases.table.acquire(request, None))
    }

    /// Whether a waiter must continue to wait: it has a ticket, and no offer yet. Takes no lock.
    pub fn is_queued(&self, ticket: u64) -> Result<bool> {
        let loaded = self.sealed::<Waiter>(&format!("waiters/{ticket}"))?;
        Ok(matches!(loaded, Loaded::Ok(waiter) if waiter.offered.is_none()))
    }

    /// The FIFO that wakes a waiter when it is its turn, or its ticket is gone. Earlier events are missed, so look at
    /// the ticket after this call. If FIFOs are impossible, as on some file systems, the waiter has to look again and
    /// again.
    pub fn ticket_bell(&self, ticket: u64) -> Result<Listener> {
        let path = self.bell_of(ticket);
        record::ensure_dir(&self.dir.join("bells"))?;
        wake::make(&path)?;
        Listener::open(&path)
    }

    /// A few FIFOs stay for all waiters: a new file for each would be most of the cost of its turn. Two waiters with
    /// the same FIFO may hear each other's wake.
    fn bell_of(&self, ticket: u64) -> PathBuf {
        self.dir.join(format!("bells/{}", ticket % BELLS))
    }

    /// Changes leases in one transaction, in a way that grants nothing and looks only at the leases in `part`.
    pub fn change_leases<T>(&self, part: Part<'_>, decide: impl FnOnce(&mut LeaseTable) -> T) -> Result<T> {
        self.in_transaction(part, &[], |leases| Ok(decide(&mut leases.table)))
    }

    /// Binds a command's leases to the process that runs it, as [`LeaseTable::bind`] does. This cannot affect any
    /// other holder, so no other record is read.
    pub fn bind_leases(&self, numbers: &[u64], guard: &Holder, process: &ProcessId) -> Result<bool> {
        let bind = |table: &mut LeaseTable| numbers.iter().all(|n| table.bind(*n, guard, process));
        let bound = self.transact(|tx| {
            // An index contains the holders.
            if index::exists(self) {
                return Ok(None);
            }
            let mut leases = Vec::new();
            for number in numbers {
                if let Loaded::Ok(lease) = self.sealed::<Lease>(&format!("leases/{number}"))? {
                    leases.push(lease);
                }
            }
            let mut table = LeaseTable::new(leases, [], Counter::default(), clock::now()?);
            let bound = bind(&mut table);
            tx.commit_leases(table.changes())?;
            Ok(Some(bound))
        })?;
        bound.map_or_else(|| self.change_leases(Part::Numbers(numbers), bind), Ok)
    }

    /// Moves damaged lease records to quarantine, so that other leases can be granted again.
    pub fn set_damaged_leases_aside(&self) -> Result<Vec<Damaged>> {
        self.transact(|tx| {
            let damaged = tx.store.load_records(clock::now()?, true)?.leases.damaged;
            for one in &damaged {
                tx.store.quarantine(&tx.store.dir.join(&one.record), &one.why)?;
            }
            Ok(damaged)
        })
    }

    fn in_transaction<T>(
        &self,
        part: Part<'_>,
        chain: &[ProcessId],
        decide: impl FnOnce(&mut Leases) -> Result<T>,
    ) -> Result<T> {
        let (mut decide, mut result) = (Some(decide), None);
        self.decide_once(part, chain, &mut |leases| {
            result = decide.take().map(|decide| decide(leases)).transpose()?;
            Ok(())
        })?;
        result.context("nothing was decided")
    }

    fn decide_once(
        &self,
        part: Part<'_>,
        chain: &[ProcessId],
        decide: &mut dyn FnMut(&mut Leases) -> Result<()>,
    ) -> Result<()> {
        let rung = self.transact(|tx| {
            let mut book = tx.store.load_leases(part, chain, true)?;
            decide(&mut book.leases)?;
            let changes = book.leases.table.changes();
            tx.commit_leases(changes)?;
            let rung: Vec<u64> = changes.writes.iter().filter_map(rings).collect();
            tx.index_leases(book);
            Ok(rung)
        })?;
        // Only after the mutex is free, because the woken processes take it first.
        for ticket in rung {
            // Nobody waits there, or the waiter does not hear it. It then looks by itself, some time later.
            let _ = wake::ring(&self.bell_of(ticket));
        }
        // The notices are stored with the change: if posting fails, the next command or the courier posts them.
        let _ = self.post_notices();
        Ok(())
    }

    /// Loads the records for a decision: by the index if it is valid, otherwise all. A caller that is `alone`,
    /// because it holds the mutex, does not wait for an index that is being updated. `chain` are the processes above
    /// a possible waiter.
    fn load_leases(&self, part: Part<'_>, chain: &[ProcessId], alone: bool) -> Result<Book> {
        let now = clock::now()?;
        let tries = if alone || !index::exists(self) { 1 } else { TRIES.0 };
        for left in (0..tries).rev() {
            if let Some(book) = self.load_by_index(part, chain, &now, alone)? {
                return Ok(book);
            }
            if left > 0 {
                std::thread::sleep(TRIES.1);
            }
        }
        let book = self.load_records(now, alone)?;
        if alone && !book.leases.damaged.is_empty() {
            index::remove(self);
        }
        Ok(book)
    }

    /// Loads a part by the index; `None` if the index is not valid.
    #[inline(never)]
    fn load_by_index(
        &self,
        part: Part<'_>,
        chain: &[ProcessId],
        now: &Moment,
        alone: bool,
    ) -> Result<Option<Book>> {
        let Some(index) = Index::open(self, now) else { return Ok(None) };
        let waiters = self.waiters(alone)?;
        let census = Census::of(self, &now.boot)?;
        let due = index.tenants().iter().any(|tenant| {
            let (liveness, name) = census.look(&tenant.holder);
            tenant.is_due(liveness, name.as_ref(), now)
        });
        let is_above = |holder: &Holder| {
            holder.command && holder.process.as_ref().is_some_and(|process| chain.contains(process))
        };
        let within = index.tenants().iter().any(|tenant| is_above(&tenant.holder));
        let wanted = waiters.iter().flat_map(|w| &w.paths);
        let numbers = match part {
            _ if due || within => None,
            Part::All => None,
            Part::Paths(paths) => index.about(wanted.chain(paths)),
            Part::Numbers(numbers) => index.about(wanted).map(|mut found| {
                found.extend(numbers);
                found
            }),
        };
        let whole = numbers.is_none();
        let (mut leases, numbers) = match numbers {
            Some(numbers) => (Vec::new(), numbers.into_iter().collect()),
            None => match index.all() {
                Some(all) => all,
                None => return Ok(None),
            },
        };
        for number in numbers {
            match self.sealed::<Lease>(&format!("leases/{number}"))? {
                Loaded::Ok(lease) if lease.fence == number => leases.push(lease),
                // A lease that was asked for by its number, and has ended; or one that is being changed at this
                // moment.
                Loaded::Missing if matches!(part, Part::Numbers(asked) if asked.contains(&number)) => {}
                // A reader of all records is needed.
                _ => return Ok(None),
            }
        }
        let counter = if alone { self.counter(index.highest(), &waiters, now)? } else { Counter::default() };
        // Their state before the decision, for the caller that changes them.
        let known = order::collect(leases.iter().filter(|_| alone).map(|l| (l.fence, l.clone())));
        let mut table = LeaseTable::new(leases, waiters, counter, now.clone());
        table.settle(|holder| census.look(holder));
        let leases = Leases { table, damaged: Vec::new(), count: index.count() };
        Ok(Some(Book { leases, known, index: Some(index), whole, slow: due && !alone }))
    }

    fn load_records(&self, now: Moment, alone: bool) -> Result<Book> {
        let (leases, damaged) = self.load_all::<Lease>("leases", |l| l.fence)?;
        let waiters = self.waiters(alone)?;
        let highest = leases.iter().map(|l| l.fence).max().unwrap_or_default();
        let counter = if alone { self.counter(highest, &waiters, &now)? } else { Counter::default() };
        let idle = leases.is_empty() && waiters.is_empty();
        let count = leases.len() as u64;
        let slow = damaged.is_empty() && leases.len() > index::MANY;
        let boot = now.boot.clone();
        let mut table = LeaseTable::new(leases, waiters, counter, now);
        if !idle {
            let census = Census::of(self, &boot)?;
            table.settle(|holder| census.look(holder));
        }
        let known = BTreeMap::new();
        Ok(Book { leases: Leases { table, damaged, count }, known, index: None, whole: true, slow })
    }

    fn waiters(&self, alone: bool) -> Result<Vec<Waiter>> {
        let (waiters, lost) = self.load_all::<Waiter>("waiters", |w| w.ticket)?;
        for one in lost.iter().filter(|_| alone) {
            self.quarantine(&self.dir.join(&one.record), &one.why)?;
        }
        Ok(waiters)
    }

    /// All records of one kind: the valid ones, and the errors of the others.
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

    /// The counter. A lost or damaged one continues far above every number that was ever used.
    fn counter(&self, highest: u64, waiters: &[Waiter], now: &Moment) -> Result<Counter> {
        let (path, now_ms) = (self.dir.join("numbers.json"), now.wall_ms);
        let known = waiters.iter().map(|w| w.ticket).fold(highest, u64::max);
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
            // Only the holder of the mutex reads it.
            if *durable {
                self.store.put_sealed("numbers", counter, Durability::Durable)?;
            } else {
                self.store.overwrite_sealed("numbers", counter)?;
            }
        }
        for dir in ["leases", "waiters", "notices"] {
            // A store may be older than its lease directories.
            let path = self.store.dir.join(dir);
            if !path.exists() {
                record::ensure_dir(&path)?;
            }
        }
        let died = |event| match event {
            &LeaseEvent::Ended(ref lease, End::Died) => Some(lease),
            _ => None,
        };
        self.leave(&changes.events.iter().filter_map(died).collect::<Vec<_>>())?;
        let now = super::now_ms();
        for notice in changes.events.iter().filter_map(LeaseEvent::notice) {
            self.put_notice(&notice)?;
        }
        for event in &changes.events {
            self.journal(&event.entry(now))?;
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

    /// Updates the index after a commit. If that fails, the index is not valid, and is not used.
    fn index_leases(&mut self, book: Book) {
        let Book { leases: Leases { table, damaged, .. }, known, index, whole, .. } = book;
        let changes = table.changes();
        let changed = changes.writes.iter().any(|w| matches!(w, Write::Lease(_) | Write::DropLease(_)));
        let done = match index {
            Some(index) if changed || whole => {
                index.take_up(self.store, changes, &known, table.now(), whole.then_some(&table))
            }
            Some(_) => Ok(()),
            None if damaged.is_empty() && table.leases().nth(index::MANY).is_some() => {
                index::build(self.store, &table)
            }
            None => {
                index::remove(self.store);
                Ok(())
            }
        };
        if done.is_err() {
            index::remove(self.store);
        }
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

/// The ticket of a waiter that a write affects: it is its turn, or it will not get the lease.
fn rings(write: &Write) -> Option<u64> {
    match write {
        Write::Waiter(waiter) if waiter.offered.is_some() => Some(waiter.ticket),
        Write::DropWaiter(ticket) => Some(*ticket),
        _ => None,
    }
}

fn refuse_damaged(damaged: &[Damaged]) -> Result<()> {
    match damaged {
        [] => Ok(()),
        [one, ..] => bail!(
            "{} is damaged ({}): its paths are unknown, so no lease is granted. A person must run `swarm gc --yes`, which sets the record aside; then every holder should take its leases again",
            one.record,
            one.why
        ),
    }
}

/// Which holders live, and their present names. Each is looked at once, even if it has many leases.
struct Census<'s> {
    living: Vec<Agent>,
    /// The ended agents, if they were needed.
    ended: OnceCell<Vec<Agent>>,
    store: &'s Store,
    namespace: Option<u64>,
    boot: String,
    known: RefCell<HashMap<Seen, (Liveness, Option<Name>)>>,
}

/// The facts that decide whether a holder lives: the process, and the namespace of its id.
type Seen = (Option<ProcessId>, Option<u64>);

impl<'s> Census<'s> {
    fn of(store: &'s Store, boot: &str) -> Result<Self> {
        let (living, known) = (store.living()?, RefCell::default());
        let (ended, namespace) = (OnceCell::new(), process::namespace());
        Ok(Self { living, ended, store, namespace, boot: boot.to_owned(), known })
    }

    fn look(&self, holder: &Holder) -> (Liveness, Option<Name>) {
        let seen = (holder.process.clone(), holder.namespace);
        self.known.borrow_mut().entry(seen).or_insert_with(|| self.find_out(holder)).clone()
    }

    /// The ended agents, if such a holder may be one of them.
    fn ended(&self, holder: &Holder) -> Option<&[Agent]> {
        let all = || self.store.agents().unwrap_or_default().into_iter().filter(|a| !a.is_live()).collect();
        (!holder.command).then(|| self.ended.get_or_init(all).as_slice())
    }

    /// A look counts only where other processes are visible: in a sandbox with its own pid namespace, all others seem
    /// dead. There the records of agents decide.
    fn find_out(&self, holder: &Holder) -> (Liveness, Option<Name>) {
        let Some(process) = &holder.process else { return (Liveness::Unknown, None) };
        let living = self.living.iter().find(|a| a.process == *process);
        // A command's own process is on record only if it is a living agent.
        let agent = living.or_else(|| self.ended(holder)?.iter().find(|a| a.process == *process));
        let name = agent.map(|a| a.name.clone());
        let liveness = if process.boot != self.boot || agent.is_some_and(|a| !a.is_live()) {
            Liveness::Dead
        } else if holder.namespace == self.namespace {
            match process::check_within(&self.boot, process) {
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
}

#[cfg(test)]
mod tests;
