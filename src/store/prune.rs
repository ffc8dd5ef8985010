//! Removes messages that were read, or whose text was submitted to an agent, long ago.
//!
//! An agent without hooks reads a message in its composer, and nothing shows that it did: such a message stays in
//! `given/`. Messages that were only announced there, other unread ones, and those that wait for an acknowledgement
//! stay, whatever their age. A message's name also stays, as an empty file in `gone/`. Otherwise a copy of the
//! message could be put back, and would be new and genuine. The name is written first. A crash in between leaves
//! both, and the next run finishes it. Each batch is one transaction, so nobody waits long for the mutex.

use super::mail::Folder;
use super::{Store, Transaction, fault, record};
use crate::core::agent::Agent;
use crate::core::delivery::Stage;
use crate::core::event::Event;
use crate::core::message::{parse_file_name, sent_at};
use crate::core::name::Name;
use anyhow::{Context as _, Result};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How many messages one transaction removes.
const BATCH: usize = 50;

impl Store {
    /// How many messages [`Store::prune`] would remove.
    pub fn prunable(&self, before_ms: u64) -> Result<usize> {
        let agents = self.agents()?;
        self.mailboxes()?.iter().map(|owner| Ok(self.old(owner, &agents, before_ms)?.len())).sum()
    }

    /// Removes messages that were sent before this time (ms since the epoch), and read or submitted. Returns how
    /// many.
    pub fn prune(&self, before_ms: u64) -> Result<usize> {
        let (agents, mut count) = (self.agents()?, 0);
        for owner in self.mailboxes()? {
            let old = self.old(&owner, &agents, before_ms)?;
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

    /// The messages that were sent before this time, and read or submitted as a whole, and whose acknowledgement is
    /// not awaited.
    fn old(&self, owner: &Name, agents: &[Agent], before_ms: u64) -> Result<Vec<(Folder, String)>> {
        let aliases = agents.iter().find(|a| a.name == *owner).map_or(&[][..], |a| &a.formerly);
        let mut old = Vec::new();
        for folder in [Folder::Cur, Folder::Given] {
            for file in self.mail_files(owner, folder)? {
                if sent_at(&file).is_some_and(|at| at < before_ms)
                    && !self.mail_file(owner, Folder::Unacked, &file).exists()
                    && (folder == Folder::Cur || self.was_shown(owner, aliases, &file, before_ms)?)
                {
                    old.push((folder, file));
                }
            }
        }
        Ok(old)
    }

    /// Whether the text of this message was submitted before this time.
    fn was_shown(&self, owner: &Name, aliases: &[Name], file: &str, before_ms: u64) -> Result<bool> {
        let Some((_, id)) = parse_file_name(file) else { return Ok(false) };
        let Some(delivery) = self.delivery(owner, &id)? else { return Ok(false) };
        if delivery.way.stage != Stage::Submitted || delivery.way.since >= before_ms {
            return Ok(false);
        }
        let message = self.genuine(owner, aliases, Folder::Given, file)?;
        Ok(message.is_some_and(|message| delivery.way.showed(&message.body)))
    }
}

impl Transaction<'_> {
    fn prune(&mut self, owner: &Name, files: &[(Folder, String)]) -> Result<usize> {
        let mut ids = Vec::new();
        for (folder, file) in files {
            let Some((_, id)) = parse_file_name(file) else { continue };
            let path = self.store.mail_file(owner, *folder, file);
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
