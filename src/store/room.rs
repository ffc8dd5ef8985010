//! An upper bound of the waiting mail, which needs no listing.
//!
//! Each mailbox has a small record of the number of messages that wait there, in all and from each sender. The store
//! has one with the sums. A post increments these counters before it makes its links, under the mutex. Reading never
//! decrements them, so they are never too low. Only when a counter reaches a cap is the mail counted again and the
//! record corrected. Any other write to `new/` deletes the records, so the mail is counted again. The records are
//! volatile: after a power failure they may lack the posts of the last seconds, and a cap may be exceeded by as many,
//! until the next count.

use super::mail::Folder;
use super::record::{self, Loaded};
use super::{Store, Transaction};
use crate::core::address::Address;
use crate::core::message::parse_file_name;
use crate::core::name::Name;
use anyhow::{Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most waiting messages in a mailbox. A full one refuses more, and drops nothing.
const MAX_WAITING: usize = 1000;

/// The most waiting messages of one sender in a mailbox, so that one sender cannot fill it for the others.
const MAX_WAITING_PER_SENDER: usize = 200;

/// The most waiting messages in all mailboxes together.
const MAX_WAITING_IN_ALL: usize = 10_000;

/// The upper bound of the waiting mail in one mailbox.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Waiting {
    all: usize,
    by: BTreeMap<String, usize>,
}

impl Waiting {
    fn of(&self, sender: &str) -> usize {
        self.by.get(sender).copied().unwrap_or_default()
    }

    fn add(&mut self, sender: &str) {
        self.all += 1;
        *self.by.entry(sender.to_owned()).or_default() += 1;
    }
}

/// The upper bound of the waiting mail in all mailboxes.
#[derive(Debug, Serialize, Deserialize)]
struct Total {
    all: usize,
}

/// The room that a message of one sender has in its recipients' mailboxes.
#[derive(Debug)]
pub(super) struct Room {
    /// The sender, in the form of file names.
    from: String,
    total: usize,
    boxes: Vec<(Name, Waiting)>,
}

impl Room {
    /// Refuses if there is no room: nothing is ever dropped to make some.
    pub(super) fn check(&self) -> Result<()> {
        for (name, waiting) in &self.boxes {
            if waiting.all >= MAX_WAITING {
                bail!("the mailbox of {name} is full: {} messages wait there; nothing was sent", waiting.all);
            }
            let own = waiting.of(&self.from);
            if own >= MAX_WAITING_PER_SENDER {
                bail!("{own} of your messages wait for {name}; nothing was sent");
            }
        }
        if self.total >= MAX_WAITING_IN_ALL {
            bail!("{} messages wait in this project, which is the limit; nothing was sent", self.total);
        }
        Ok(())
    }
}

impl Store {
    fn waiting_path(&self, owner: &Name) -> PathBuf {
        self.dir.join("mail").join(owner.as_str()).join("waiting.json")
    }

    fn total_path(&self) -> PathBuf {
        self.dir.join("waiting.json")
    }

    /// Counts the waiting mail of a mailbox. Mail that was given to an agent does not wait. Reads no file.
    fn count_waiting(&self, owner: &Name) -> Result<Waiting> {
        let mut waiting = Waiting::default();
        self.each_mail(owner, Folder::New, |file| {
            waiting.add(parse_file_name(file).map_or("", |(sender, _)| sender));
        })?;
        Ok(waiting)
    }

    fn count_all(&self) -> Result<usize> {
        self.mailboxes()?.iter().map(|owner| self.count_mail(owner, Folder::New)).sum()
    }
}

impl Transaction<'_> {
    /// The room for a message from `from`. A bound that is at a cap, or unknown, is counted.
    pub(super) fn room(&mut self, from: &Address, to: &[Name]) -> Result<Room> {
        let from = from.file_word();
        let mut boxes = Vec::with_capacity(to.len());
        for name in to {
            let known = self.bound::<Waiting>(&self.store.waiting_path(name))?;
            let waiting = match known {
                Some(w) if w.all < MAX_WAITING && w.of(&from) < MAX_WAITING_PER_SENDER => w,
                _ => self.store.count_waiting(name)?,
            };
            boxes.push((name.clone(), waiting));
        }
        let total = match self.bound::<Total>(&self.store.total_path())? {
            Some(total) if total.all < MAX_WAITING_IN_ALL => total.all,
            _ => self.store.count_all()?,
        };
        Ok(Room { from, total, boxes })
    }

    /// Increments the bounds for the message with this room.
    pub(super) fn take(&mut self, mut room: Room) -> Result<()> {
        let tmp = self.store.tmp();
        for (name, waiting) in &mut room.boxes {
            waiting.add(&room.from);
            record::overwrite(&tmp, &self.store.waiting_path(name), waiting)?;
        }
        record::overwrite(&tmp, &self.store.total_path(), &Total { all: room.total + room.boxes.len() })
    }

    /// Notes that `owner` gets, or is about to get, mail other than by a post: the waiting mail is counted next time.
    pub(super) fn recount(&mut self, owner: &Name) -> Result<()> {
        for path in [self.store.waiting_path(owner), self.store.total_path()] {
            record::remove(&path)?;
        }
        Ok(())
    }

    fn bound<T: DeserializeOwned>(&mut self, path: &Path) -> Result<Option<T>> {
        Ok(match record::load(path)? {
            Loaded::Ok(bound) => Some(bound),
            Loaded::Missing => None,
            Loaded::Bad(why) => self.store.quarantine(path, &why).map(|()| None)?,
        })
    }
}
