//! Reports the letters that arrived here: to the engine that they were accepted, to their senders how far they came.
//!
//! This is a task of its own, so that no letter waits for the receipt of an earlier one. The engine hears of a letter
//! when it is in a mailbox, and its sender has heard which recipients are unknown here.

use super::engine::Engine;
use super::outgoing::{self, Outgoing, named};
use crate::core::address::HostName;
use crate::core::name::Name;
use crate::store::team::{Receipt, Reports};
use crate::store::{Store, fault};
use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;

/// How often the mailboxes are checked for something to report.
const LOOK: Duration = Duration::from_secs(2);

/// The most letters that the engine has not heard of. If the queue is full, the next letter waits.
pub(super) const UNTOLD: usize = 256;

/// A letter from the engine.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Letter {
    pub(super) from: HostName,
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) doc: String,
    pub(super) sig: String,
}

/// A letter that was accepted, and the receipts that its sender gets before the engine hears of it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) letter: Letter,
    pub(super) failed: Vec<(HostName, Receipt)>,
}

/// Sends the receipts.
pub(super) struct Receipts {
    store: Store,
    out: Arc<Outgoing>,
    look: Notify,
}

/// The owners of the mailboxes on which the receipts depend, and the state of these when there was nothing to report.
#[derive(Default)]
struct Quiet {
    owners: BTreeSet<Name>,
    mark: Option<Vec<Option<SystemTime>>>,
}

impl Receipts {
    pub(super) fn new(store: Store, out: Arc<Outgoing>) -> Self {
        Self { store, out, look: Notify::new() }
    }

    /// There may be something to report. Any thread may call this.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    /// Reports what is new, each time that there may be something.
    pub(super) async fn tell(&self, engine: &Engine, mut taken: mpsc::Receiver<Taken>) -> Result<Infallible> {
        let mut quiet = Quiet::default();
        let mut done = Vec::new();
        loop {
            self.out.look();
            self.acknowledge(engine, &done).await?;
            self.send(engine, &mut quiet).await?;
            done.clear();
            tokio::select! {
                count = taken.recv_many(&mut done, UNTOLD) => if count == 0 {
                    bail!("nobody takes letters in");
                },
                () = self.look.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Tells the engine that these letters need not be carried again.
    pub(super) async fn acknowledge(&self, engine: &Engine, done: &[Taken]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let failed = done.iter().flat_map(|taken| &taken.failed);
        let letters: Vec<Value> =
            failed.map(|(host, receipt)| self.out.receipt(host, receipt)).collect::<Result<_>>()?;
        if !letters.is_empty() {
            engine.call("post", json!({"mail": letters})).await?;
        }
        fault::point("link-before-taken");
        let id =
            |Taken { letter, .. }: &Taken| json!({"from": letter.from, "kind": letter.kind, "id": letter.id});
        let ids: Vec<Value> = done.iter().map(id).collect();
        engine.call("taken", json!({"ids": ids})).await?;
        fault::point("link-after-taken");
        Ok(())
    }

    /// Reports the progress of their letters to other hosts.
    async fn send(&self, engine: &Engine, quiet: &mut Quiet) -> Result<()> {
        // Before the records are read: a change meanwhile is seen the next time.
        let mark = self.store.reports_mark(&quiet.owners);
        if mark.is_some() && mark == quiet.mark {
            return Ok(());
        }
        let Reports { due: receipts, owners } = self.store.receipts(outgoing::PAGE)?;
        quiet.mark = mark.filter(|_| receipts.is_empty() && owners == quiet.owners);
        quiet.owners = owners;
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
