//! Mail between hosts: letters that wait for the engine, and letters from other hosts with their receipts.
//!
//! A letter is durable here before its sender sees that it was sent, and a letter from elsewhere before it is in a
//! mailbox. Each record appears by a rename, so a crash repeats a step and loses none.

use super::{Away, Receipt, Received, Sent};
use crate::core::address::HostName;
use crate::core::delivery::Stage;
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::message::{Message, Verified};
use crate::core::name::Name;
use crate::core::order;
use crate::core::rate::Limit;
use crate::store::mail::Folder;
use crate::store::post::NewMessage;
use crate::store::record::{self, Durability, Loaded, Staged};
use crate::store::room::Room;
use crate::store::{Store, now_ms, question};
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

/// The most letters that wait for the engine.
pub(super) const MAX_OUT: usize = 10_000;

/// How long the results of letters are kept (ms).
const KEEP_MS: u64 = 30 * 24 * 3600 * 1000;

/// The reports to other hosts about their letters.
#[derive(Debug)]
pub struct Reports {
    pub due: Vec<(HostName, Receipt)>,
    /// The mailboxes that were read for it.
    pub owners: BTreeSet<Name>,
}

impl Store {
    /// Sends a message to agents of another host: makes it durable here, for the link to carry. Refuses at the
    /// sender's rate limit.
    pub fn post_away(&self, draft: NewMessage, host: &HostName, limit: Limit) -> Result<Message> {
        let out = self.team_dir().join("out");
        if record::list(&out)?.len() >= MAX_OUT {
            bail!("{MAX_OUT} messages wait for the team's engine, which is the limit; nothing was sent");
        }
        let (message, _) = self.write_down(draft, limit, |_| Ok(()))?;
        let away = Away { host: host.clone(), message: self.key.sign(message.clone()) };
        let staged = Staged::write(&self.tmp(), &message.file_name(), &away, Durability::Durable)?;
        staged.link(&out.join(message.file_name()))?;
        record::sync_dir(&out)?;
        self.transact(|tx| {
            tx.journal(&Event::SentAway {
                id: &message.id,
                from: &message.from,
                host,
                to: &message.to,
                r#type: message.kind,
            })
        })?;
        self.ring_link();
        Ok(message)
    }

    /// The letters that wait for the engine, in the order of sending. Forged ones go to quarantine.
    pub fn awaiting_engine(&self, most: usize) -> Result<Vec<(HostName, Verified)>> {
        let out = self.team_dir().join("out");
        let mut found = Vec::new();
        for file in record::list(&out)?.into_iter().take(most) {
            let path = out.join(&file);
            match record::load::<Away>(&path)? {
                Loaded::Ok(away) => match self.key.verify(away.message) {
                    Ok(message) => found.push((away.host, message)),
                    Err(_) => self.quarantine(&path, "forged: its signature does not fit")?,
                },
                Loaded::Bad(why) => self.quarantine(&path, &why)?,
                Loaded::Missing => {}
            }
        }
        Ok(found)
    }

    /// Puts a letter of another host into its recipients' mailboxes; once, even if it comes several times. Returns
    /// the unknown names; if all are unknown, nothing was stored. An error means that there is no room now.
    pub fn admit(&self, mut message: Message) -> Result<Vec<Name>> {
        let Some(host) = message.from.host.clone() else { bail!("a letter without a host") };
        let known = self.received(&message.id)?;
        if known.as_ref().is_some_and(|known| known.host != host) {
            bail!("a letter with the id of another one");
        }
        let (mut readers, mut nobody) = (Vec::new(), Vec::new());
        for name in &message.to {
            match self.reader(name)? {
                Some(reader) if !readers.contains(&reader) => readers.push(reader),
                Some(_) => {}
                None => nobody.push(name.clone()),
            }
        }
        if readers.is_empty() {
            return Ok(nobody);
        }
        order::sort(&mut readers);
        // By this host's clock, because another host's may be days off.
        message.created = match &known {
            Some(known) => known.at,
            None => now_ms(),
        };
        message.to.clone_from(&readers);
        let file = message.file_name();
        let has = |owner: &Name| {
            [Folder::New, Folder::Given, Folder::Cur, Folder::Gone]
                .iter()
                .any(|folder| self.mail_file(owner, *folder, &file).exists())
        };
        if known.is_some() && (readers.iter().any(has) || !self.find(message.id.as_str())?.is_empty()) {
            return Ok(nobody);
        }
        for name in &message.to {
            self.ensure_mailbox(name)?;
        }
        let received = Received {
            id: message.id.clone(),
            host,
            file,
            at: message.created,
            told: order::collect(readers.into_iter().map(|name| (name, None))),
        };
        record::replace(&self.tmp(), &self.received_path(&message.id), &received, Durability::Durable)?;
        let staged = self.stage(&self.key.sign(message.clone()))?;
        self.transact(|tx| tx.publish(&message, &staged, Room::check))?;
        self.sync_mailboxes(&message)?;
        self.ring()?;
        Ok(nobody)
    }

    fn received_path(&self, id: &MessageId) -> PathBuf {
        self.team_dir().join("in").join(format!("{id}.json"))
    }

    fn received(&self, id: &MessageId) -> Result<Option<Received>> {
        Ok(match record::load(&self.received_path(id))? {
            Loaded::Ok(received) => Some(received),
            Loaded::Missing => None,
            Loaded::Bad(why) => {
                self.quarantine(&self.received_path(id), &why)?;
                None
            }
        })
    }

    /// The state on which the reports for other hosts depend: the times of the directories of their letters, and of
    /// these mailboxes. `None` if one of them is so recent that a further change could have the same time.
    pub fn reports_mark(&self, owners: &BTreeSet<Name>) -> Option<Vec<Option<SystemTime>>> {
        let parts = ["new", "given", "state", "unacked"];
        let mailboxes = owners.iter().flat_map(|owner| parts.map(|part| self.mail_dir(owner, part)));
        let all = std::iter::once(self.team_dir().join("in")).chain(mailboxes);
        all.map(|dir| if dir.exists() { record::changed(&dir).map(Some) } else { Some(None) }).collect()
    }

    /// The reports for other hosts about their letters, at most `most`. [`Store::told`] records that they were sent.
    pub fn receipts(&self, most: usize) -> Result<Reports> {
        let dir = self.team_dir().join("in");
        let (mut found, mut owners, now) = (Vec::new(), BTreeSet::new(), now_ms());
        for file in record::list(&dir)? {
            let Loaded::Ok(received) = record::load::<Received>(&dir.join(&file))? else { continue };
            let done =
                |stage: &Option<Stage>| matches!(stage, Some(Stage::Read | Stage::Acked | Stage::Failed));
            if received.told.values().all(done) {
                if now.saturating_sub(received.at) > KEEP_MS {
                    let _ = std::fs::remove_file(dir.join(&file));
                }
                // An acknowledgement may still come.
                if now.saturating_sub(received.at) > KEEP_MS / 30 {
                    continue;
                }
            }
            for (name, told) in &received.told {
                let owner = self.reader(name)?.unwrap_or_else(|| name.clone());
                let (stage, detail) = self.standing(&owner, &received)?;
                owners.insert(owner);
                if stage.is_some() && stage != *told && stage > *told && found.len() < most {
                    let stage = stage.unwrap_or_default();
                    let receipt = Receipt { id: received.id.clone(), name: name.clone(), stage, detail };
                    found.push((received.host.clone(), receipt));
                }
            }
        }
        Ok(Reports { due: found, owners })
    }

    /// How far a letter of another host is in the mailbox of `owner`; `None` if it is not there yet.
    fn standing(&self, owner: &Name, received: &Received) -> Result<(Option<Stage>, String)> {
        if let Some(delivery) = self.delivery(owner, &received.id)? {
            let open = matches!(delivery.way.stage, Stage::Typing | Stage::Entering);
            return Ok((Some(delivery.way.stage).filter(|_| !open), delivery.way.detail));
        }
        let at = |folder| self.mail_file(owner, folder, &received.file).exists();
        let stage = if at(Folder::Cur) || at(Folder::Gone) {
            Some(Stage::Read)
        } else {
            at(Folder::New).then_some(Stage::Queued)
        };
        Ok((stage, String::new()))
    }

    /// Records that the other host has this receipt.
    pub fn told(&self, receipt: &Receipt) -> Result<()> {
        let Some(mut received) = self.received(&receipt.id)? else { return Ok(()) };
        received.told.insert(receipt.name.clone(), Some(receipt.stage));
        record::replace(&self.tmp(), &self.received_path(&receipt.id), &received, Durability::Volatile)
    }

    /// Removes old results of letters, and the files of killed askers.
    pub fn sweep_team(&self) -> Result<()> {
        question::sweep(&self.team_dir().join("asks"));
        let (dir, now) = (self.team_dir().join("sent"), now_ms());
        for file in record::list(&dir)? {
            let path = dir.join(&file);
            let old = |sent: &Sent| now.saturating_sub(sent.created) > KEEP_MS;
            if matches!(record::load::<Sent>(&path)?, Loaded::Ok(sent) if old(&sent)) {
                let _ = std::fs::remove_file(&path);
            }
        }
        Ok(())
    }
}
