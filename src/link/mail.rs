//! Receives mail from other hosts, on a connection of its own. Outgoing mail has the same connection, and does not
//! wait for this.
//!
//! An incoming letter is in a mailbox before the engine hears that it was accepted. If the link is killed at any
//! point, a letter is carried again, and the receiving store skips the letters that it has. A letter that cannot be
//! accepted now stays at the engine.

use super::engine::{self, Engine, Notes};
use super::keys;
use super::outgoing::{self, Outgoing, named};
use crate::core::address::HostName;
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::event::Event;
use crate::core::message::Message;
use crate::core::name::Name;
use crate::store::Store;
use crate::store::fault;
use crate::store::team::{Membership, Receipt, Reports};
use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// How often letters that could not be accepted are tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How often receipts are looked for while letters of other hosts are under way.
const LOOK: Duration = Duration::from_secs(2);

/// The pause between two tries to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How many letters of one host are accepted at once, and how many per second after that.
const BURST: (f64, f64) = (1000.0, 5.0);

/// The commands to the mail thread.
#[derive(Debug)]
pub(super) enum ToMail {
    /// There may be something to report.
    Look,
    /// This number of letters must be fetched.
    Fetch(u64),
    /// The hosts whose keys the team's maker has signed.
    Keys(BTreeMap<HostName, String>),
}

/// A letter from the engine.
#[derive(Clone, Debug, Deserialize)]
struct Letter {
    from: HostName,
    kind: String,
    id: String,
    doc: String,
    sig: String,
}

/// Carries the mail of this host.
pub(super) struct MailCarrier {
    store: Store,
    me: Membership,
    out: Arc<Outgoing>,
    socket: PathBuf,
    orders: mpsc::Receiver<ToMail>,
    keys: BTreeMap<HostName, String>,
    /// How many more letters of each host are accepted, and since when.
    room: BTreeMap<HostName, (f64, Instant)>,
    fetch: bool,
    /// How many letters stayed at the engine because they could not be accepted, and when they were last tried.
    left: (u64, Instant),
    /// The mailboxes on which the reports for other hosts depend.
    owners: BTreeSet<Name>,
    quiet: Option<Vec<Option<SystemTime>>>,
}

impl MailCarrier {
    pub(super) fn new(
        store: Store,
        me: Membership,
        socket: PathBuf,
        orders: mpsc::Receiver<ToMail>,
    ) -> Result<Self> {
        let out = Arc::new(Outgoing::new(store.clone(), me.clone())?);
        Ok(Self {
            store,
            me,
            out,
            socket,
            orders,
            keys: BTreeMap::new(),
            room: BTreeMap::new(),
            fetch: true,
            left: (0, Instant::now()),
            owners: BTreeSet::new(),
            quiet: None,
        })
    }

    /// The sender of this host's letters.
    pub(super) fn outgoing(&self) -> Arc<Outgoing> {
        Arc::clone(&self.out)
    }

    /// Serves until the link ends.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut pause = RETRY.0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.serve().await;
            if self.orders.is_closed() || engine::refusal(&error).is_some_and(|r| r.code == "SW001") {
                return Err(error);
            }
            pause =
                if begun.elapsed() > Duration::from_secs(10) { RETRY.0 } else { (pause * 2).min(RETRY.1) };
            let until = Instant::now() + pause;
            while Instant::now() < until {
                match tokio::time::timeout_at(until, self.orders.recv()).await {
                    Ok(Some(order)) => self.hear(order),
                    Ok(None) => return Ok(()),
                    Err(_) => break,
                }
            }
        }
    }

    fn hear(&mut self, order: ToMail) {
        match order {
            ToMail::Look => {}
            // Letters that are known and cannot be accepted yet are not carried again and again.
            ToMail::Fetch(count) => self.fetch |= count != self.left.0 || self.left.1.elapsed() > AGAIN,
            ToMail::Keys(keys) => {
                // A letter that could not be verified before may now be valid.
                self.fetch |= keys != self.keys;
                self.keys = keys;
            }
        }
    }

    async fn serve(&mut self) -> Result<Infallible> {
        let (engine, notes) = Engine::connect(&self.socket, &self.me.token).await?;
        let hello = engine.call("hello", json!({})).await?;
        engine.listen(hello["channel"].as_str().context("a host without a channel")?).await?;
        self.fetch = true;
        let out = Arc::clone(&self.out);
        tokio::try_join!(out.carry(&engine), self.take_in(&engine, notes)).map(|(never, _)| never)
    }

    /// Takes the arriving letters and notifications.
    async fn take_in(&mut self, engine: &Engine, mut notes: Notes) -> Result<Infallible> {
        let mut news: Vec<String> = Vec::new();
        loop {
            self.out.look();
            self.take_news(engine, &news).await?;
            if std::mem::take(&mut self.fetch) {
                self.fetch_all(engine).await?;
            }
            self.send_receipts(engine).await?;
            news.clear();
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.hear(order),
                    None => bail!("the link ends"),
                },
                note = notes.recv() => match note {
                    Some(note) => news.push(note),
                    None => bail!("the connection to the engine was lost"),
                },
                () = sleep(LOOK) => {}
            }
            while let Ok(order) = self.orders.try_recv() {
                self.hear(order);
            }
            while let Ok(note) = notes.try_recv() {
                news.push(note);
            }
        }
    }

    /// Takes the letters that came with their notifications. A notification without a letter means that it must be
    /// fetched.
    async fn take_news(&mut self, engine: &Engine, news: &[String]) -> Result<()> {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for note in news {
            match serde_json::from_slice::<Letter>(note.as_bytes()) {
                Ok(letter) if self.take(&letter, &mut failed)? => done.push(letter),
                _ => self.fetch = true,
            }
        }
        self.taken(engine, &done, &failed).await
    }

    /// Takes all letters that the engine has for this host.
    async fn fetch_all(&mut self, engine: &Engine) -> Result<()> {
        let mut skip: u64 = 0;
        loop {
            let page = engine.call("fetch", json!({"skip": skip})).await?;
            let (mut done, mut failed) = (Vec::new(), Vec::new());
            for row in page["mail"].as_array().into_iter().flatten() {
                match serde_json::from_value::<Letter>(row.clone()) {
                    Ok(letter) if self.take(&letter, &mut failed)? => done.push(letter),
                    // It stays there, and blocks no other.
                    _ => skip += 1,
                }
            }
            self.taken(engine, &done, &failed).await?;
            if page["more"] != true {
                self.left = (skip, Instant::now());
                return Ok(());
            }
        }
    }

    async fn taken(
        &mut self,
        engine: &Engine,
        done: &[Letter],
        failed: &[(HostName, Receipt)],
    ) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let letters: Vec<Value> =
            failed.iter().map(|(host, receipt)| self.out.receipt(host, receipt)).collect::<Result<_>>()?;
        if !letters.is_empty() {
            engine.call("post", json!({"mail": letters})).await?;
        }
        fault::point("link-before-taken");
        let ids: Vec<Value> =
            done.iter().map(|l| json!({"from": l.from, "kind": l.kind, "id": l.id})).collect();
        engine.call("taken", json!({"ids": ids})).await?;
        fault::point("link-after-taken");
        Ok(())
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
        let Some(id) = crate::core::id::MessageId::parse(&letter.id) else { return Ok(()) };
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

    /// Reports the progress of their letters to other hosts.
    async fn send_receipts(&mut self, engine: &Engine) -> Result<()> {
        // Before the records are read: a change meanwhile is seen the next time.
        let mark = self.store.reports_mark(&self.owners);
        if mark.is_some() && mark == self.quiet {
            return Ok(());
        }
        let Reports { due: receipts, owners } = self.store.receipts(outgoing::PAGE)?;
        self.quiet = mark.filter(|_| receipts.is_empty() && owners == self.owners);
        self.owners = owners;
        if receipts.is_empty() {
            return Ok(());
        }
        let letters: Vec<Value> =
            receipts.iter().map(|(host, receipt)| self.out.receipt(host, receipt)).collect::<Result<_>>()?;
        let answer = engine.call("post", json!({"mail": letters})).await?;
        let full = named(&answer["no"], "why").into_iter().any(|(_, why)| why == "full");
        for (_, receipt) in receipts.iter().filter(|_| !full) {
            self.store.told(receipt)?;
        }
        Ok(())
    }
}
