//! The progress of letters to other hosts: of those that wait for the engine, and of those that it has, in `sent/`
//! with their text.
//!
//! Each record appears by a rename. Only the link writes them. A reader sees the record before or after a change, and
//! a crash leaves one of the two.

use super::{Receipt, Sent};
use crate::core::address::HostName;
use crate::core::delivery::{Progress, Stage};
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::message::{Message, MessageType, Verified};
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::order;
use crate::store::record::{self, Durability, Loaded};
use crate::store::{Store, now_ms};
use anyhow::{Context as _, Result};
use std::path::PathBuf;
use std::time::SystemTime;

impl Store {
    fn away(&self, host: &HostName, message: &Message, detail: &str, now_ms: u64) -> Sent {
        let mut way = Progress::queued(now_ms);
        detail.clone_into(&mut way.detail);
        Sent {
            id: message.id.clone(),
            from: message.from.name.clone(),
            host: host.clone(),
            kind: message.kind,
            created: message.created,
            to: order::collect(message.to.iter().map(|name| (name.clone(), way.clone()))),
            message: Some(self.key.sign(message.clone())),
        }
    }

    fn waits(&self, host: &HostName, message: &Message) -> Sent {
        self.away(host, message, "waits for the link", message.created)
    }

    /// Records that the engine has the letter, or will never accept it, for the reason given.
    pub fn left_for_engine(&self, host: &HostName, message: &Message, refused: Option<&str>) -> Result<()> {
        let known = self.sent(&message.id)?;
        if known.is_none() {
            let detail = if refused.is_none() { "at the engine" } else { "" };
            self.put_sent(&self.away(host, message, detail, now_ms()))?;
        }
        if let Some(why) = refused {
            for name in &message.to {
                let receipt = Receipt {
                    id: message.id.clone(),
                    name: name.clone(),
                    stage: Stage::Failed,
                    detail: why.to_owned(),
                };
                self.take_receipt(host, &receipt)?;
            }
        }
        record::remove(&self.team_dir().join("out").join(message.file_name()))
            .context("cannot remove a letter that was handed to the engine")
    }

    fn sent_path(&self, id: &MessageId) -> PathBuf {
        self.team_dir().join("sent").join(format!("{id}.json"))
    }

    fn put_sent(&self, sent: &Sent) -> Result<()> {
        record::replace(&self.tmp(), &self.sent_path(&sent.id), sent, Durability::Durable)
    }

    /// The record of a letter that the engine has, or had.
    pub fn sent(&self, id: &MessageId) -> Result<Option<Sent>> {
        Ok(match record::load(&self.sent_path(id))? {
            Loaded::Ok(sent) => Some(sent),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// All letters to other hosts whose id begins with `prefix`.
    pub fn find_away(&self, prefix: &str) -> Result<Vec<Sent>> {
        self.away_if(|id| id.starts_with(prefix))
    }

    /// The letters to other hosts whose id is wanted: those that the engine has, and those that wait for it.
    fn away_if(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Sent>> {
        let dir = self.team_dir().join("sent");
        let mut found = Vec::new();
        for file in record::list(&dir)?.into_iter().filter(|file| is_wanted(file.trim_end_matches(".json"))) {
            if let Loaded::Ok(sent) = record::load::<Sent>(&dir.join(&file))? {
                found.push(sent);
            }
        }
        for (host, message) in self.awaiting_engine(super::mail::MAX_OUT)? {
            if is_wanted(message.id.as_str()) && !found.iter().any(|s| s.id == message.id) {
                found.push(self.waits(&host, &message));
            }
        }
        Ok(found)
    }

    /// Records the progress of a letter on the other host. Its sender gets a notice if it failed.
    pub fn take_receipt(&self, host: &HostName, receipt: &Receipt) -> Result<()> {
        let Some(mut sent) = self.sent(&receipt.id)?.filter(|s| s.host == *host) else { return Ok(()) };
        let Some(way) = sent.to.get_mut(&receipt.name) else { return Ok(()) };
        if way.stage == Stage::Failed || (way.stage >= receipt.stage && way.stage != Stage::Queued) {
            return Ok(());
        }
        way.stage = receipt.stage;
        way.detail = crate::core::escape::short(&receipt.detail, 200);
        way.since = now_ms();
        if receipt.stage == Stage::Failed {
            let text = format!(
                "{} to {host}/{} was not delivered: {}",
                receipt.id,
                receipt.name,
                crate::core::escape::short(&receipt.detail, 200)
            );
            let to = self.reader(&sent.from)?.unwrap_or_else(Name::human);
            self.transact(|tx| {
                tx.put_notice(&Notice { to, kind: MessageType::Info, text })?;
                tx.journal(&Event::DeadLetter {
                    id: &receipt.id,
                    to: &format!("{host}/{}", receipt.name),
                    why: None,
                })
            })?;
        }
        self.put_sent(&sent)?;
        self.post_notices().map(drop)
    }

    /// When letters to other hosts last came or moved: of those that wait, and of those that the engine has. `None`
    /// if that is so recent that a further change could have the same time.
    pub fn away_changed(&self) -> Option<[SystemTime; 2]> {
        let team = self.team_dir();
        Some([record::changed(&team.join("out"))?, record::changed(&team.join("sent"))?])
    }

    /// The letters to other hosts with their texts and progress, except those for whose id `is_known` holds. Forged
    /// ones are left out.
    pub fn letters_away(&self, is_known: impl Fn(&str) -> bool) -> Result<Vec<(Sent, Verified)>> {
        let genuine = |mut sent: Sent| {
            let message = sent.message.take().and_then(|signed| self.key.verify(signed).ok())?;
            (message.id == sent.id).then_some((sent, message))
        };
        Ok(self.away_if(|id| !is_known(id))?.into_iter().filter_map(genuine).collect())
    }
}
