//! `outbox/`: messages that are being put into several places.
//!
//! A post of more than one link keeps the message here from before the first link until after the last, all under the
//! mutex. So a message that is found here was interrupted by a crash, and the next transaction that posts, or the
//! courier, makes the missing links. That is idempotent: a recipient that has the message, read or not, is skipped.

use super::mail::Folder;
use super::record::{self, Loaded, Staged};
use super::{Store, Transaction};
use crate::core::event::Event;
use crate::core::message::{Message, Signed, Verified};
use anyhow::{Context as _, Result};
use std::path::PathBuf;

impl Store {
    fn outbox(&self) -> PathBuf {
        self.dir.join("outbox")
    }

    /// Finishes interrupted posts. Takes the mutex only if there are any.
    pub fn finish_posts(&self) -> Result<()> {
        if record::list(&self.outbox())?.is_empty() {
            return Ok(());
        }
        self.transact(|tx| {
            tx.finish_posts().context("a message whose sending a crash interrupted cannot be completed")
        })
    }
}

impl Transaction<'_> {
    /// Keeps a message that goes to more than one place.
    pub(super) fn begin_post(&mut self, message: &Message, staged: &Staged) -> Result<()> {
        if message.to.len() == 1 && !message.ack_required {
            return Ok(());
        }
        let dir = self.store.outbox();
        // A store that is older than the outbox.
        if !dir.exists() {
            record::ensure_dir(&dir)?;
        }
        staged.link(&dir.join(message.file_name()))
    }

    /// Ends a post that is complete, or was taken back. If the removal fails, finishing the post again changes
    /// nothing.
    pub(super) fn end_post(&mut self, message: &Message) {
        let _ = std::fs::remove_file(self.store.outbox().join(message.file_name()));
    }

    /// Makes the missing links of interrupted posts.
    pub(super) fn finish_posts(&mut self) -> Result<()> {
        let dir = self.store.outbox();
        for file in record::list(&dir)? {
            let path = dir.join(&file);
            let why = match record::load::<Signed>(&path)? {
                Loaded::Missing => continue,
                Loaded::Bad(why) => why,
                Loaded::Ok(signed) => match self.store.key.verify(signed) {
                    Ok(message) if message.file_name() == file => {
                        self.finish_post(&message, &path)?;
                        continue;
                    }
                    _ => "forged: its signature or its name does not fit".to_owned(),
                },
            };
            self.store.quarantine(&path, &why)?;
        }
        Ok(())
    }

    fn finish_post(&mut self, message: &Verified, path: &std::path::Path) -> Result<()> {
        let file = message.file_name();
        let agents = self.store.living()?;
        for name in &message.to {
            // Its mail may have moved to another name since.
            let bearer = agents.iter().find(|a| a.answers_to(name)).map(|a| &a.name);
            let has = |owner| {
                [Folder::New, Folder::Given, Folder::Cur, Folder::Gone]
                    .iter()
                    .any(|folder| self.store.mail_file(owner, *folder, &file).exists())
            };
            let owner = bearer.unwrap_or(name);
            if has(name) || has(owner) || !self.store.has_mailbox(owner) {
                continue;
            }
            self.recount(owner)?;
            let awaited = message.ack_required.then_some(Folder::Unacked);
            for folder in awaited.into_iter().chain([Folder::New]) {
                let to = self.store.mail_file(owner, folder, &file);
                match std::fs::hard_link(path, &to) {
                    Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(e).with_context(|| format!("cannot write {}", to.display()));
                    }
                    _ => {}
                }
            }
        }
        self.journal(&Event::sent(message, Some(true)))?;
        std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
    }
}
