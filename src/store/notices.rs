//! What swarm itself has to tell somebody: `notices/`, and from there into mailboxes.
//!
//! A notice is written in the transaction of the change it tells of, before the change, so none is lost; it is signed and
//! fsynced outside the mutex, and moved into the mailbox in a second transaction, under which it is posted once however
//! many processes try. A crash in between leaves it to the next lease command or to the courier.

use super::record::{self, Durability, Loaded};
use super::{Store, Transaction, entropy, now_ms};
use crate::core::body::Body;
use crate::core::id::MessageId;
use crate::core::lease::Notice;
use crate::core::message::{Identity, MESSAGE_VERSION, Message};
use crate::core::name::Name;
use crate::core::rate::Limit;
use anyhow::{Context as _, Result};

impl Store {
    /// Posts all notices that wait. Returns how many were posted.
    pub fn post_notices(&self) -> Result<usize> {
        let dir = self.dir.join("notices");
        let mut posted = 0;
        for file in record::list(&dir)? {
            let path = dir.join(&file);
            let notice =
                match self.sealed::<Notice>(&format!("notices/{}", file.trim_end_matches(".json")))? {
                    Loaded::Ok(notice) => notice,
                    Loaded::Missing => continue,
                    Loaded::Bad(why) => {
                        self.quarantine(&path, &why)?;
                        continue;
                    }
                };
            let Some(to) = self.reader(&notice.to)? else {
                let _ = std::fs::remove_file(&path);
                continue;
            };
            let message = self.compose(&notice, to.clone())?;
            self.ensure_mailbox(&to)?;
            let staged = self.stage(&self.key.sign(message.clone()))?;
            posted += self.transact(|tx| {
                if !path.exists() {
                    return Ok(0);
                }
                tx.post(&staged, &to, &message.file_name())?;
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                tx.journal("noticed", serde_json::json!({"id": message.id, "to": to}))?;
                Ok(1)
            })?;
            self.sync_mailbox(&to)?;
        }
        if posted > 0 {
            self.ring()?;
        }
        Ok(posted)
    }

    /// Under which name the one to be told reads now; the dead read nothing.
    fn reader(&self, name: &Name) -> Result<Option<Name>> {
        if name.is_human() {
            return Ok(Some(name.clone()));
        }
        let agents = self.agents()?;
        Ok(agents.into_iter().find(|a| a.is_live() && a.answers_to(name)).map(|a| a.name))
    }

    fn compose(&self, notice: &Notice, to: Name) -> Result<Message> {
        let (now, from) = (now_ms(), Name::new("swarm")?);
        let sequence = self.transact(|tx| {
            let mut sender = tx.sender(&from)?;
            let unlimited = Limit { count: 0, ..Limit::default() };
            let sequence = sender.admit(unlimited, now).unwrap_or(now);
            tx.put_sender(&from, &sender)?;
            Ok(sequence)
        })?;
        let id = MessageId::from_entropy(entropy()?);
        Ok(Message {
            version: MESSAGE_VERSION,
            id: id.clone(),
            sequence,
            from,
            identity: Identity::System,
            to: vec![to],
            kind: notice.kind,
            thread: id,
            reply_to: None,
            ack_required: false,
            urgent: false,
            created: now,
            body: Body::new(&notice.text)?,
        })
    }
}

impl Transaction<'_> {
    /// Keeps a notice until it is posted.
    pub(super) fn put_notice(&mut self, notice: &Notice) -> Result<()> {
        let name = format!("notices/{:013}-{:08x}", now_ms(), entropy()? & 0xffff_ffff);
        self.store.put_sealed(&name, notice, Durability::Volatile)
    }
}
