//! The rate windows: the record of each sender, and how a missing window is computed again.
//!
//! A window is a small volatile record. A missing or damaged one does not begin empty: the file names of the mail
//! show what its owner has sent, and the journal shows its renamings. That takes one look at every mailbox. All of it
//! is read and written in a transaction, under the mutex, so each of several processes counts the messages of those
//! before it.

use super::mail::Folder;
use super::record::{self, Loaded};
use super::{Store, Transaction, now_ms};
use crate::core::event::EventWord;
use crate::core::message::{parse_file_name, sent_at};
use crate::core::name::Name;
use crate::core::rate::{Limit, Sender};
use crate::core::refusal::Refusal;
use crate::core::span;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The folders with mail.
const FOLDERS: [Folder; 5] = [Folder::New, Folder::Given, Folder::Cur, Folder::Unacked, Folder::Gone];

impl Store {
    fn window_path(&self, name: &Name) -> PathBuf {
        self.dir.join("rate").join(format!("{name}.json"))
    }

    /// When a sender may send again (ms since the epoch), if the limit is reached at `now_ms`. Takes no lock: at the
    /// time of sending, [`Transaction::sender`] decides.
    pub fn limited_until(&self, name: &Name, limit: Limit, now_ms: u64) -> Option<u64> {
        let Ok(Loaded::Ok(mut sender)) = record::load::<Sender>(&self.window_path(name)) else { return None };
        let refused = sender.admit(limit, now_ms).err()?;
        Some(now_ms + span::ms(refused.retry_in))
    }
}

impl Transaction<'_> {
    /// The record of a sender. A damaged window is quarantined. If there is a limit, a missing or empty window is
    /// computed again from the sent mail: after a message, no window is empty.
    pub fn sender(&self, name: &Name, limit: Limit) -> Result<Sender> {
        let path = self.store.window_path(name);
        let known = match record::load(&path)? {
            Loaded::Ok(sender) => sender,
            Loaded::Missing => Sender::default(),
            Loaded::Bad(why) => {
                self.store.quarantine(&path, &why)?;
                Sender::default()
            }
        };
        if limit.count == 0 || !known.sent.is_empty() {
            return Ok(known);
        }
        Ok(known.with(self.rebuild_sender(name)?))
    }

    pub fn put_sender(&mut self, name: &Name, sender: &Sender) -> Result<()> {
        record::overwrite(&self.store.tmp(), &self.store.window_path(name), sender)
    }

    /// Counts an act that sends notices as a message of its sender, or refuses it.
    pub fn count_as_message(&mut self, name: &Name, limit: Limit) -> Result<()> {
        let mut window = self.sender(name, limit)?;
        window.admit(limit, now_ms()).map_err(Refusal::RateLimited)?;
        self.put_sender(name, &window)
    }

    /// Removes the record of a sender that was renamed.
    pub fn forget_sender(&mut self, name: &Name) -> Result<()> {
        record::remove(&self.store.window_path(name))
    }

    #[inline(never)]
    fn rebuild_sender(&self, name: &Name) -> Result<Sender> {
        let store = self.store;
        let bearer = self.store.find_agent(name, |a| a.name == *name)?;
        let former = bearer.map(|a| a.formerly).unwrap_or_default();
        let is_own = |other: &str| other == name.as_str() || former.iter().any(|f| f.as_str() == other);
        // By id: a message to several recipients is one message, and one whose acknowledgement is awaited has two
        // links.
        let mut sent = BTreeMap::new();
        let mut note = |file: &str| {
            if let (Some((sender, id)), Some(at)) = (parse_file_name(file), sent_at(file))
                && is_own(sender)
            {
                sent.insert(id.to_string(), at);
            }
        };
        for owner in store.mailboxes()? {
            for folder in FOLDERS {
                store.each_mail(&owner, folder, &mut note)?;
            }
        }
        for buried in
            std::fs::read_dir(store.dir.join("dead"))?.flatten().filter(|entry| entry.path().is_dir())
        {
            for folder in FOLDERS {
                record::each(&buried.path().join(folder.dir()), &mut note)?;
            }
        }
        // Messages on their way: they have a place in the window, and are in no mailbox yet.
        for file in std::fs::read_dir(store.tmp())?.flatten() {
            if let Some((file, _)) = file.file_name().to_str().and_then(|f| f.rsplit_once('.')) {
                note(file);
            }
        }
        let mut times: Vec<u64> = sent.into_values().collect();
        if !former.is_empty() {
            store.journal(|entry| {
                let own = entry["to"].as_str().is_some_and(is_own) && entry["identity"] != "human";
                times.extend(
                    entry["t"].as_u64().filter(|_| own && EventWord::of(&entry) == Some(EventWord::Renamed)),
                );
            })?;
        }
        Ok(Sender { sequence: times.iter().max().copied().unwrap_or_default(), sent: times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::body::Body;
    use crate::core::message::{Identity, MessageType};
    use crate::core::refusal::Refusal;
    use crate::store::post::NewMessage;
    use crate::store::tests::store;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn a_window_that_is_lost_or_damaged_is_made_again_from_what_was_sent() {
        let (_dir, store) = store();
        let (human, agent) = (Name::human(), Name::new("claude-1").unwrap());
        let limit = Limit { count: 3, window: Duration::from_millis(600_000) };
        let post = |from: &Name| {
            let to = vec![human.clone(), Name::new("gemini-1").unwrap()];
            let draft = NewMessage {
                ack: true,
                ..NewMessage::new(
                    from.clone(),
                    Identity::Process,
                    to,
                    MessageType::Info,
                    Body::new("x").unwrap(),
                )
            };
            store.post(draft, limit)
        };
        let window = store.dir().join("rate/claude-1.json");
        let messages: Vec<_> = (0..3)
            .map(|_| {
                let message = post(&agent).unwrap();
                fs::remove_file(&window).unwrap();
                message
            })
            .collect();
        assert!(messages.is_sorted_by_key(|m| m.sequence));
        // Also messages that were read and removed for their age.
        let file = |folder, file: &str| store.mail_file(&human, folder, file);
        for (message, folder) in messages.iter().zip([Folder::Cur, Folder::Given]) {
            let name = message.file_name();
            fs::rename(file(Folder::New, &name), file(folder, &name)).unwrap();
        }
        for text in [None, Some("{"), Some("[]"), Some(""), Some("{}"), Some(r#"{"sequence":1,"sent":[]}"#)] {
            let _ = fs::remove_file(&window);
            if let Some(text) = text {
                fs::write(&window, text).unwrap();
            }
            let refused = post(&agent).unwrap_err();
            let refused = refused.downcast_ref::<Refusal>();
            assert!(matches!(refused, Some(Refusal::RateLimited(_))), "{text:?}: {refused:?}");
        }
        post(&Name::new("claude-11").unwrap()).unwrap();
    }
}
