//! The desk's knowledge of the team: its leases and hosts, and the part of it that hooks and commands read.
//!
//! Only the desk writes it, each record by a rename: a killed link leaves the former record or the new one.

use super::Desk;
use crate::core::address::HostName;
use crate::core::lease::{Holder, Lease, Waiter};
use crate::core::order;
use crate::core::process_id::ProcessId;
use crate::core::team::{Board, Records, decision};
use crate::link::engine::Engine;
use crate::link::incoming::ToMail;
use crate::link::{Invitations, keys};
use crate::os::clock;
use crate::store::now_ms;
use crate::store::team::{HostCard, Member};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Desk {
    /// Whether a notification is about an act of this desk, or one that it has seen.
    pub(super) fn is_known(&self, note: &str) -> bool {
        let at_least = |kind: char, known: u64| {
            note.strip_prefix(kind).and_then(|n| n.parse().ok()).is_some_and(|n: u64| n <= known)
        };
        self.fresh_records && (at_least('v', self.records.version) || at_least('r', self.rosters))
    }

    pub(super) fn forget_board(&mut self) -> Result<()> {
        self.believe_until = 0;
        self.records = Records::default();
        self.fresh_records = false;
        self.publish()
    }

    pub(super) fn own_leases(&self) -> Vec<Lease> {
        self.records
            .leases
            .iter()
            .filter(|l| decision::session_of(&l.holder) == self.session.id)
            .cloned()
            .collect()
    }

    /// Writes the board.
    pub(super) fn publish(&self) -> Result<()> {
        self.publish_without(&[])
    }

    pub(super) fn publish_without(&self, fences: &[u64]) -> Result<()> {
        let leases = self.records.leases.iter().filter(|l| !fences.contains(&l.fence)).cloned().collect();
        self.store.put_board(&Board {
            host: self.me.host.clone(),
            session: self.session.id.clone(),
            believe_until: self.believe_until,
            boot: self.session.boot.clone(),
            heard: self.hosts.link.heard,
            version: self.records.version,
            leases,
            waiters: self.records.waiters.clone(),
        })
    }

    pub(super) async fn refresh(&mut self, engine: &Engine) -> Result<()> {
        let table = engine.call("snapshot", json!({})).await?;
        self.take_table(&table)
    }

    pub(super) fn take_table(&mut self, table: &Value) -> Result<()> {
        let number = |key: &str| table[key].as_u64().context("a table that cannot be read");
        let mut records =
            Records { version: number("version")?, last: number("last")?, ..Records::default() };
        if records.version < self.session.version {
            bail!("the engine went back in time");
        }
        for row in table["records"].as_array().into_iter().flatten() {
            let (Some(session), Some(host), Some(number)) = (
                row["session"].as_str(),
                row["host"].as_str().and_then(|h| HostName::new(h).ok()),
                row["number"].as_u64(),
            ) else {
                continue;
            };
            // The engine, not the record, decides who owns it. A record that cannot be read holds nothing.
            let owned = |holder: &mut Holder| {
                let start = decision::backing(holder);
                holder.host = Some(host.clone());
                holder.process = Some(ProcessId { pid: 0, start, boot: session.to_owned() });
                holder.command = false;
            };
            if row["kind"] == "lease" {
                if let Ok(mut lease) = serde_json::from_value::<Lease>(row["doc"].clone()) {
                    owned(&mut lease.holder);
                    records.leases.push(Lease { fence: number, ..lease });
                }
            } else if let Ok(mut waiter) = serde_json::from_value::<Waiter>(row["doc"].clone()) {
                owned(&mut waiter.holder);
                records.waiters.push(Waiter { ticket: number, ..waiter });
            }
        }
        self.seats = serde_json::from_value(table["seats"].clone()).context("seats that cannot be read")?;
        self.observed.see(&self.seats, clock::ticks()?.ms);
        if self.session.joined && !self.seats.iter().any(|s| s.session == self.session.id) {
            // Another host has declared this host dead; the next sign of life will show it.
            self.lost.extend(self.own_leases());
            self.believe_until = 0;
        }
        self.session.version = records.version;
        self.session.last = records.last;
        self.records = records;
        self.fresh_records = true;
        self.publish()
    }

    pub(super) async fn take_hosts(&mut self, engine: &Engine, answer: &Value) -> Result<()> {
        let now = now_ms();
        let mut keys = BTreeMap::new();
        if let Some(rows) = answer["hosts"].as_array() {
            let mut cards = Vec::new();
            for row in rows {
                let text = |key: &str| row[key].as_str().unwrap_or_default();
                let Ok(name) = HostName::new(text("name")) else { continue };
                let mut known = keys::is_signed(
                    &self.me.admin_key,
                    &keys::card(&self.me.id, name.as_str(), text("pubkey")),
                    text("cert"),
                );
                if !known
                    && self.me.host == self.me.admin
                    && Invitations::admits(&self.store, &name, text("pubkey"), text("mac"))?
                {
                    let cert = self.key.sign(&keys::card(&self.me.id, name.as_str(), text("pubkey")));
                    engine.call("certify", json!({"name": name, "cert": cert})).await?;
                    known = true;
                }
                if known {
                    keys.insert(name.clone(), text("pubkey").to_owned());
                }
                let mut members: Vec<Member> =
                    serde_json::from_value(row["roster"].clone()).unwrap_or_default();
                members.truncate(256);
                for member in &mut members {
                    member.kind = crate::core::escape::short(&member.kind, 32);
                    member.state = crate::core::escape::short(&member.state, 16);
                }
                cards.push(HostCard { name, heard: 0, known, members });
            }
            order::sort_by(&mut cards, |a, b| a.name.cmp(&b.name));
            self.hosts.hosts = cards;
            self.rosters = answer["rosters"].as_u64().unwrap_or_default();
            let _ = self.mail.try_send(ToMail::Keys(keys));
        }
        for card in &mut self.hosts.hosts {
            let age = answer["ages"][card.name.as_str()].as_i64();
            card.heard = age.map_or(0, |age| now.saturating_sub(u64::try_from(age).unwrap_or_default()));
        }
        Ok(())
    }
}
