//! Receives the letters of other hosts.
//!
//! A letter is in a mailbox before the engine hears that it was accepted. If the link is killed at any point, the
//! letter is carried again, and the store skips the letters that it has. A letter that cannot be accepted now stays at
//! the engine.

use super::engine::{Engine, Notes};
use super::keys;
use super::receipts::{Letter, Receipts, Taken};
use crate::core::address::HostName;
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::message::Message;
use crate::store::Store;
use crate::store::team::{Membership, Receipt};
use anyhow::{Result, bail};
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How often letters that could not be accepted are tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How many letters of one host are accepted at once, and how many per second after that.
const BURST: (f64, f64) = (1000.0, 5.0);

/// The commands to the mail thread.
#[derive(Debug)]
pub(super) enum ToMail {
    /// This number of letters must be fetched.
    Fetch(u64),
    /// The hosts whose keys the team's maker has signed.
    Keys(BTreeMap<HostName, String>),
}

/// Verifies letters and puts them into mailboxes.
pub(super) struct Incoming {
    store: Store,
    me: Membership,
    orders: mpsc::Receiver<ToMail>,
    keys: BTreeMap<HostName, String>,
    /// How many more letters of each host are accepted, and since when.
    room: BTreeMap<HostName, (f64, Instant)>,
    fetch: bool,
    /// How many letters stayed at the engine because they could not be accepted, and when they were last tried.
    left: (u64, Instant),
}

impl Incoming {
    pub(super) fn new(store: Store, me: Membership, orders: mpsc::Receiver<ToMail>) -> Self {
        Self {
            store,
            me,
            orders,
            keys: BTreeMap::new(),
            room: BTreeMap::new(),
            fetch: true,
            left: (0, Instant::now()),
        }
    }

    /// Whether the thread that gives the orders has ended.
    pub(super) fn is_over(&self) -> bool {
        self.orders.is_closed()
    }

    /// Follows orders until then, while there is no connection. `false`: no more can come.
    pub(super) async fn pause(&mut self, until: Instant) -> bool {
        loop {
            match tokio::time::timeout_at(until, self.orders.recv()).await {
                Ok(Some(order)) => self.hear(order),
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }

    fn hear(&mut self, order: ToMail) {
        match order {
            // Letters that are known and cannot be accepted yet are not carried again and again.
            ToMail::Fetch(count) => self.fetch |= count != self.left.0 || self.left.1.elapsed() > AGAIN,
            ToMail::Keys(keys) => {
                // A letter that could not be verified before may now be valid.
                self.fetch |= keys != self.keys;
                self.keys = keys;
            }
        }
    }

    /// Takes the arriving letters and notifications. A letter that came with its notification goes to a mailbox at
    /// once; the engine hears of it by `taken`.
    pub(super) async fn take_in(
        &mut self,
        engine: &Engine,
        mut notes: Notes,
        receipts: &Receipts,
        taken: mpsc::Sender<Taken>,
    ) -> Result<Infallible> {
        // Letters that came before the connection have no notification.
        self.fetch = true;
        loop {
            if std::mem::take(&mut self.fetch) {
                self.fetch_all(engine, receipts).await?;
            }
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.hear(order),
                    None => bail!("the link ends"),
                },
                note = notes.recv() => match note {
                    Some(note) => self.take_news(&note, &taken).await?,
                    None => bail!("the connection to the engine was lost"),
                },
            }
        }
    }

    /// Takes the letter that came with its notification. A notification without a letter means that it must be fetched.
    async fn take_news(&mut self, note: &str, taken: &mpsc::Sender<Taken>) -> Result<()> {
        let mut failed = Vec::new();
        match serde_json::from_slice::<Letter>(note.as_bytes()) {
            Ok(letter) if self.take(&letter, &mut failed)? => taken.send(Taken { letter, failed }).await?,
            _ => self.fetch = true,
        }
        Ok(())
    }

    /// Takes all letters that the engine has for this host.
    async fn fetch_all(&mut self, engine: &Engine, receipts: &Receipts) -> Result<()> {
        let mut skip: u64 = 0;
        loop {
            let page = engine.call("fetch", json!({"skip": skip})).await?;
            let mut done = Vec::new();
            for row in page["mail"].as_array().into_iter().flatten() {
                let mut failed = Vec::new();
                match serde_json::from_value::<Letter>(row.clone()) {
                    Ok(letter) if self.take(&letter, &mut failed)? => done.push(Taken { letter, failed }),
                    // It stays there, and blocks no other.
                    _ => skip += 1,
                }
            }
            receipts.acknowledge(engine, &done).await?;
            if page["more"] != true {
                self.left = (skip, Instant::now());
                return Ok(());
            }
        }
    }

    /// Takes one letter. `false`: it cannot be accepted now.
    fn take(&mut self, letter: &Letter, failed: &mut Vec<(HostName, Receipt)>) -> Result<bool> {
        if letter.kind == "back" {
            return self.came_back(letter).map(|()| true);
        }
        let Some(key) = self.keys.get(&letter.from) else { return Ok(false) };
        let fields =
            keys::letter(&self.me.id, letter.from.as_str(), self.me.host.as_str(), &letter.kind, &letter.doc);
        if !keys::is_signed(key, &fields, &letter.sig) {
            return self.refuse(letter, "its signature does not fit").map(|()| true);
        }
        if letter.kind == "receipt" {
            match serde_json::from_slice::<Receipt>(letter.doc.as_bytes()) {
                Ok(receipt) => self.store.take_receipt(&letter.from, &receipt)?,
                Err(_) => self.refuse(letter, "it cannot be read")?,
            }
            return Ok(true);
        }
        let Ok(mut message) = serde_json::from_slice::<Message>(letter.doc.as_bytes()) else {
            return self.refuse(letter, "it cannot be read").map(|()| true);
        };
        if message.from.host.as_ref() != Some(&letter.from)
            || message.id.as_str() != letter.id
            || message.to.is_empty()
        {
            return self.refuse(letter, "its content does not fit its name").map(|()| true);
        }
        if !self.has_room(&letter.from) {
            return Ok(false);
        }
        // Only the person here decides whether a letter of another host goes first.
        message.urgent = false;
        let id = message.id.clone();
        match self.store.admit(message) {
            Ok(nobody) => {
                failed.extend(nobody.into_iter().map(|name| {
                    let detail = format!("there is no agent {name} on {}", self.me.host);
                    (letter.from.clone(), Receipt { id: id.clone(), name, stage: Stage::Failed, detail })
                }));
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// Whether another letter of that host is accepted now, so that no host can flood this one.
    fn has_room(&mut self, host: &HostName) -> bool {
        let now = Instant::now();
        let room = self.room.entry(host.clone()).or_insert((BURST.0, now));
        room.0 = (room.0 + now.duration_since(room.1).as_secs_f64() * BURST.1).min(BURST.0);
        room.1 = now;
        if room.0 < 1.0 {
            return false;
        }
        room.0 -= 1.0;
        true
    }

    /// Handles a letter of this host that the engine returns.
    fn came_back(&self, letter: &Letter) -> Result<()> {
        let Some(id) = MessageId::parse(&letter.id) else { return Ok(()) };
        let Some(sent) = self.store.sent(&id)? else { return Ok(()) };
        for name in sent.to.keys() {
            let detail = escape::short(&letter.doc, 100);
            let receipt = Receipt { id: id.clone(), name: name.clone(), stage: Stage::Failed, detail };
            self.store.take_receipt(&letter.from, &receipt)?;
        }
        Ok(())
    }

    fn refuse(&self, letter: &Letter, why: &str) -> Result<()> {
        let id = escape::short(&letter.id, 64);
        self.store.transact(|tx| tx.journal(&Event::LetterRefused { host: &letter.from, id: &id, why }))
    }
}
