//! The latest messages of all mailboxes, with little reading.
//!
//! A directory is listed again only when it has changed, and a message, which never changes, is read and verified once. Takes
//! no lock. What is kept is bounded: [`LIMIT`] messages.

use crate::core::agent::Agent;
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::store::Store;
use crate::store::mail::Folder;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

/// How many messages are shown.
pub(super) const LIMIT: usize = 300;

/// One message and where its copies lie.
pub(super) struct FeedItem<'a> {
    pub(super) message: &'a Verified,
    pub(super) copies: &'a [(Name, Folder)],
}

/// What was read so far.
#[derive(Default)]
pub(super) struct Feed {
    listed: HashMap<(Name, &'static str), Listing>,
    messages: HashMap<String, Verified>,
    order: Vec<(String, Vec<(Name, Folder)>)>,
}

struct Listing {
    /// When the directory had changed, if the listing can be relied on.
    changed: Option<SystemTime>,
    files: Vec<String>,
}

impl Feed {
    /// Takes note of what has come and moved.
    pub(super) fn update(&mut self, store: &Store, agents: &[Agent]) -> Result<()> {
        let mut found: BTreeMap<String, Vec<(Name, Folder)>> = BTreeMap::new();
        for owner in store.mailboxes()? {
            for (folder, word) in [(Folder::New, "new"), (Folder::Given, "given"), (Folder::Cur, "cur")] {
                let changed = store.mail_changed(&owner, folder);
                let listing = self
                    .listed
                    .entry((owner.clone(), word))
                    .or_insert(Listing { changed: None, files: Vec::new() });
                if changed.is_none() || listing.changed != changed {
                    let mut files = store.mail_files(&owner, folder)?;
                    files.drain(..files.len().saturating_sub(LIMIT));
                    *listing = Listing { changed, files };
                }
                for file in &listing.files {
                    found.entry(file.clone()).or_default().push((owner.clone(), folder));
                }
            }
        }
        self.order.clear();
        for (file, copies) in found.into_iter().rev() {
            if self.order.len() == LIMIT {
                break;
            }
            if !self.messages.contains_key(&file) {
                let Some(message) = read(store, agents, &file, &copies)? else { continue };
                self.messages.insert(file.clone(), message);
            }
            self.order.push((file, copies));
        }
        let order = &self.order;
        if self.messages.len() > 2 * LIMIT {
            self.messages.retain(|file, _| order.iter().any(|(f, _)| f == file));
        }
        Ok(())
    }

    /// The messages, newest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = FeedItem<'_>> {
        self.order
            .iter()
            .filter_map(|(file, copies)| self.messages.get(file).map(|message| FeedItem { message, copies }))
    }
}

/// Reads one of the copies. `None`: all have moved on, or none is genuine.
fn read(store: &Store, agents: &[Agent], file: &str, copies: &[(Name, Folder)]) -> Result<Option<Verified>> {
    for (owner, folder) in copies {
        let formerly = agents.iter().find(|a| a.name == *owner).map_or(&[][..], |a| &a.formerly);
        if let Some(message) = store.genuine(owner, formerly, *folder, file)? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}
