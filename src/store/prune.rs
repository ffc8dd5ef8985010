//! Removes messages that were read long ago.
//!
//! Unread messages, and those that wait for an acknowledgement, stay whatever their age. A message's name also stays,
//! as an empty file in `gone/`: otherwise a copy of the message could be put back, and would be new and genuine. The
//! name is written first. A crash in between leaves both, and the next time finishes it. Each batch is one
//! transaction, so nobody waits long for the mutex.

use super::mail::Folder;
use super::{Store, Transaction, fault, record};
use crate::core::event::Event;
use crate::core::message::{parse_file_name, sent_at};
use crate::core::name::Name;
use anyhow::{Context as _, Result};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Messages that are removed in one transaction.
const BATCH: usize = 50;

impl Store {
    /// How many messages [`Store::prune`] would remove.
    pub fn prunable(&self, before_ms: u64) -> Result<usize> {
        self.mailboxes()?.iter().map(|owner| Ok(self.old(owner, before_ms)?.len())).sum()
    }

    /// Removes what was read and sent before this time (ms since the epoch). Returns how many messages.
    pub fn prune(&self, before_ms: u64) -> Result<usize> {
        let mut count = 0;
        for owner in self.mailboxes()? {
            let old = self.old(&owner, before_ms)?;
            if old.is_empty() {
                continue;
            }
            self.ensure_mailbox(&owner)?;
            for batch in old.chunks(BATCH) {
                count += self.transact(|tx| tx.prune(&owner, batch))?;
            }
        }
        Ok(count)
    }

    /// What was read, sent before this time, and is not awaited.
    fn old(&self, owner: &Name, before_ms: u64) -> Result<Vec<String>> {
        let mut old = self.mail_files(owner, Folder::Cur)?;
        old.retain(|file| {
            sent_at(file).is_some_and(|at| at < before_ms)
                && !self.mail_file(owner, Folder::Unacked, file).exists()
        });
        Ok(old)
    }
}

impl Transaction<'_> {
    fn prune(&mut self, owner: &Name, files: &[String]) -> Result<usize> {
        let mut ids = Vec::new();
        for file in files {
            let Some((_, id)) = parse_file_name(file) else { continue };
            let path = self.store.mail_file(owner, Folder::Cur, file);
            if self.store.mail_file(owner, Folder::Unacked, file).exists() || !path.exists() {
                continue;
            }
            self.store.checked_dir(owner, "gone")?;
            keep_name(&self.store.mail_file(owner, Folder::Gone, file))?;
            fault::point("name-kept");
            record::remove(&self.store.delivery_path(owner, &id))?;
            record::remove(&path)?;
            ids.push(id);
        }
        if !ids.is_empty() {
            self.journal(&Event::Pruned { of: owner, ids: &ids })?;
        }
        Ok(ids.len())
    }
}

fn keep_name(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            Err(e).with_context(|| format!("cannot create {}", path.display()))
        }
        _ => Ok(()),
    }
}
