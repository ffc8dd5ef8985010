//! Sends mail of this host to other hosts.
//!
//! A letter is durable in the store before it is sent, and is removed when the engine has it. If the link is killed
//! in between, the letter is carried again, and the receiving store skips it.

use super::engine::Engine;
use super::keys::{self, HostKey};
use crate::core::address::{Address, HostName};
use crate::core::message::Message;
use crate::store::Store;
use crate::store::fault;
use crate::store::team::{Membership, Receipt};
use anyhow::Result;
use serde_json::{Value, json};
use std::convert::Infallible;
use tokio::sync::Notify;

/// Letters in one call.
pub(super) const PAGE: usize = 50;

/// The most text in one call (bytes), so that a slow line carries it in time.
const WEIGHT: usize = 256 * 1024;

/// Signs letters and hands them over.
pub(super) struct Outgoing {
    store: Store,
    me: Membership,
    key: HostKey,
    look: Notify,
}

impl Outgoing {
    pub(super) fn new(store: Store, me: Membership) -> Result<Self> {
        let key = HostKey::new(&me.seed)?;
        Ok(Self { store, me, key, look: Notify::new() })
    }

    /// Notes that there may be letters to hand over. Any thread may call this.
    pub(super) fn look(&self) {
        self.look.notify_one();
    }

    /// Hands over the waiting letters, each time that there may be some.
    pub(super) async fn carry(&self, engine: &Engine) -> Result<Infallible> {
        loop {
            self.look.notified().await;
            self.send(engine).await?;
        }
    }

    /// Hands over the waiting letters.
    async fn send(&self, engine: &Engine) -> Result<()> {
        loop {
            let mut waiting = self.store.awaiting_engine(PAGE)?;
            if waiting.is_empty() {
                return Ok(());
            }
            let (mut weight, all) = (0, waiting.len());
            waiting.retain(|(_, message)| {
                let goes = weight < WEIGHT;
                weight += message.body.as_str().len();
                goes
            });
            let mut letters = Vec::new();
            for (host, message) in &waiting {
                let mut abroad: Message = (**message).clone();
                abroad.from = Address::on(self.me.host.clone(), message.from.name.clone());
                letters.push(self.letter(
                    host,
                    "mail",
                    message.id.as_str(),
                    &serde_json::to_string(&abroad)?,
                ));
            }
            let answer = engine.call("post", json!({"mail": letters})).await?;
            fault::point("link-posted");
            let refused: Vec<(String, String)> = named(&answer["no"], "why");
            let taken: Vec<(String, String)> = named(&answer["ok"], "to");
            let mut left = 0;
            for (host, message) in &waiting {
                let why =
                    refused.iter().find(|(id, _)| *id == message.id.as_str()).map(|(_, why)| why.as_str());
                match why {
                    // The engine has no room for it now.
                    Some("full") => left += 1,
                    Some(why) => self.store.left_for_engine(host, message, Some(why))?,
                    None if taken.iter().any(|(id, _)| *id == message.id.as_str()) => {
                        self.store.left_for_engine(host, message, None)?;
                    }
                    None => left += 1,
                }
            }
            if left > 0 || (waiting.len() == all && all < PAGE) {
                return Ok(());
            }
        }
    }

    fn letter(&self, to: &HostName, kind: &str, id: &str, doc: &str) -> Value {
        let fields = keys::letter(&self.me.id, self.me.host.as_str(), to.as_str(), kind, doc);
        json!({"to": to, "kind": kind, "id": id, "doc": doc, "sig": self.key.sign(&fields)})
    }

    pub(super) fn receipt(&self, host: &HostName, receipt: &Receipt) -> Result<Value> {
        let id = format!("{}.{}.{}", receipt.id, receipt.stage.word(), receipt.name);
        Ok(self.letter(host, "receipt", &id, &serde_json::to_string(receipt)?))
    }
}

/// The ids in a list from the engine, each with another field.
pub(super) fn named(list: &Value, field: &str) -> Vec<(String, String)> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    list.as_array().into_iter().flatten().map(|row| (text(row, "id"), text(row, field))).collect()
}
