//! Mail between hosts: one connection, which three tasks share.
//!
//! One receives letters, one sends letters, one sends receipts. None waits for another's answer from the engine.

use super::engine::{self, Engine};
use super::incoming::{Incoming, ToMail};
use super::outgoing::Outgoing;
use super::receipts::{Receipts, UNTOLD};
use crate::store::Store;
use crate::store::team::Membership;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The pause between two tries to connect.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Carries the mail of this host.
pub(super) struct MailCarrier {
    socket: PathBuf,
    token: String,
    arrives: Incoming,
    leaves: Arc<Outgoing>,
    receipts: Arc<Receipts>,
}

impl MailCarrier {
    pub(super) fn new(
        store: Store,
        me: Membership,
        socket: PathBuf,
        orders: mpsc::Receiver<ToMail>,
    ) -> Result<Self> {
        let leaves = Arc::new(Outgoing::new(store.clone(), me.clone())?);
        let receipts = Arc::new(Receipts::new(store.clone(), Arc::clone(&leaves)));
        let token = me.token.clone();
        Ok(Self { socket, token, arrives: Incoming::new(store, me, orders), leaves, receipts })
    }

    /// Returns a function for any thread to call when there may be something to send.
    pub(super) fn bell(&self) -> impl Fn() + use<> {
        let (leaves, receipts) = (Arc::clone(&self.leaves), Arc::clone(&self.receipts));
        move || {
            leaves.look();
            receipts.look();
        }
    }

    /// Serves until the link ends.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut pause = RETRY.0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.serve().await;
            if self.arrives.is_over() || engine::refusal(&error).is_some_and(|r| r.code == "SW001") {
                return Err(error);
            }
            pause =
                if begun.elapsed() > Duration::from_secs(10) { RETRY.0 } else { (pause * 2).min(RETRY.1) };
            if !self.arrives.pause(Instant::now() + pause).await {
                return Ok(());
            }
        }
    }

    async fn serve(&mut self) -> Result<Infallible> {
        let (engine, notes) = Engine::connect(&self.socket, &self.token).await?;
        let hello = engine.call("hello", json!({})).await?;
        engine.listen(hello["channel"].as_str().context("a host without a channel")?).await?;
        let (taken, told) = mpsc::channel(UNTOLD);
        tokio::try_join!(
            self.leaves.carry(&engine),
            self.receipts.tell(&engine, told),
            self.arrives.take_in(&engine, notes, &self.receipts, taken),
        )
        .map(|(never, _, _)| never)
    }
}
