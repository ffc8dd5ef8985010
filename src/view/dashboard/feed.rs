//! Reads the messages of all mailboxes with little effort.
//!
//! A directory is listed again only when it has changed. A message never changes, so it is read and verified once,
//! and its state is read again only when its mailbox has changed. The newest come first; the older ones are read in
//! batches. Takes no lock. The number of kept messages and their bytes are bounded.

use super::away::LettersAway;
use super::snapshot::{MailState, MessageRow};
use crate::core::agent::Agent;
use crate::core::delivery::{Pause, Stage};
use crate::core::escape;
use crate::core::message::{Intent, MessageType, Verified, parse_file_name};
use crate::core::name::Name;
use crate::store::Store;
use crate::store::mail::{Changed, Folder};
use crate::view::text::{flat, tidy};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::SystemTime;

/// The most messages that are kept.
const LIMIT: usize = 20_000;

/// The most bytes of texts that are kept.
const BYTES: usize = 32 << 20;

/// The number of messages in one batch.
const BATCH: usize = 300;

/// The number in the first batch: as many as the first screen may show, so that nobody waits for it.
const FIRST: usize = 40;

/// The states of this number of the newest messages are read again even if no further progress is expected.
const FRESH: usize = 300;

type Copies = Vec<(Name, Folder)>;

/// The messages that were read so far.
#[derive(Default)]
pub(super) struct Feed {
    listed: HashMap<(Name, &'static str), Listing>,
    changed: HashMap<Name, Option<Changed>>,
    known: HashMap<String, Known>,
    rows: Vec<Rc<MessageRow>>,
    away: LettersAway,
    /// Whether anything was read yet.
    begun: bool,
    /// Whether there are older messages that were not read yet.
    pub(super) more: bool,
}

struct Listing {
    /// When the directory had changed, if the listing is reliable.
    changed: Option<SystemTime>,
    files: Vec<String>,
}

/// A message that was read; `None` if it is not shown.
struct Known {
    copies: Copies,
    row: Option<Rc<MessageRow>>,
    attention: Attention,
    /// Whether its mailbox has changed since it was read.
    stale: bool,
}

/// Whether the state of a message is read again when its mailbox has changed. It always is when a copy of it has
/// moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attention {
    /// It waits to be given or acknowledged, however long ago it was sent.
    Always,
    /// It was given, and only reading it is still open. It is followed while it is among the newest.
    Fresh,
    /// It has arrived.
    Never,
}

impl Feed {
    /// Notes new and moved messages, and reads one batch.
    #[inline(never)]
    pub(super) fn update(&mut self, store: &Store, agents: &[Agent]) -> Result<()> {
        let begun = std::mem::replace(&mut self.begun, true);
        let (limit, batch) = if begun { (LIMIT, BATCH) } else { (FIRST, FIRST) };
        let mut found: BTreeMap<String, Copies> = BTreeMap::new();
        let mut stirred = BTreeSet::new();
        for owner in store.mailboxes()? {
            let changed = store.mailbox_changed(&owner);
            if changed.is_none() || self.changed.get(&owner) != Some(&changed) {
                stirred.insert(owner.clone());
                self.changed.insert(owner.clone(), changed);
            }
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
                for file in &listing.files[listing.files.len().saturating_sub(limit)..] {
                    found.entry(file.clone()).or_default().push((owner.clone(), folder));
                }
            }
        }
        let (mut rows, mut read, mut bytes) = (Vec::with_capacity(self.rows.len()), 0, 0);
        let mut known = HashMap::with_capacity(self.known.len());
        self.more = !begun;
        for (number, (file, copies)) in found.into_iter().rev().take(limit).enumerate() {
            let mut before = self.known.remove(&file);
            if let Some(known) = &mut before {
                let attends = match known.attention {
                    Attention::Always => true,
                    Attention::Fresh => number < FRESH,
                    Attention::Never => false,
                };
                let stirs = || copies.iter().any(|(owner, _)| stirred.contains(owner));
                known.stale |= known.copies != copies || (attends && stirs());
            }
            let entry = match before {
                Some(before) if !before.stale => before,
                before if read < batch => {
                    read += 1;
                    know(store, agents, &file, copies, before)?
                }
                Some(before) => {
                    self.more = true;
                    before
                }
                None => {
                    self.more = true;
                    continue;
                }
            };
            if let Some(row) = &entry.row {
                bytes += 2 * row.body.len();
                rows.push(Rc::clone(row));
            }
            known.insert(file, entry);
            if bytes > BYTES {
                self.more = false;
                break;
            }
        }
        self.away.update(store)?;
        self.away.add_to(&mut rows);
        (self.known, self.rows) = (known, rows);
        Ok(())
    }

    /// The beginning of a message's text. It is read now, unless it is in memory.
    pub(super) fn first(
        &self,
        store: &Store,
        agents: &[Agent],
        file: &str,
        copy: (Name, Folder),
    ) -> Result<String> {
        let known = self.known.get(file).and_then(|known| known.row.as_ref());
        Ok(match known {
            Some(row) => row.first.clone(),
            None => read(store, agents, file, &[copy])?
                .map(|message| flat(message.body.as_str()))
                .unwrap_or_default(),
        })
    }

    /// The files of an owner's unread mail in the last listing.
    pub(super) fn unread_files(&self, owner: &Name) -> impl Iterator<Item = &String> {
        let listed = ["new", "given"].map(|word| self.listed.get(&(owner.clone(), word)));
        listed.into_iter().flatten().flat_map(|listing| &listing.files)
    }

    /// The messages, newest first.
    pub(super) fn rows(&self) -> &[Rc<MessageRow>] {
        &self.rows
    }
}

/// The row of a message with copies in these places.
fn know(store: &Store, agents: &[Agent], file: &str, copies: Copies, before: Option<Known>) -> Result<Known> {
    let place = place(store, file, &copies)?;
    // A bundle only carries other messages, and is not shown itself.
    if place.bundle {
        return Ok(Known { copies, row: None, attention: Attention::Never, stale: false });
    }
    let row = match before.and_then(|known| known.row) {
        Some(row) => Some((*row).clone()),
        None => read(store, agents, file, &copies)?.map(|message| row(&message)),
    };
    let mine = copies.iter().find(|(owner, _)| owner.is_human()).map(|(_, folder)| *folder);
    let to_be_given = copies.iter().any(|(owner, folder)| !owner.is_human() && *folder == Folder::New);
    let to_be_acked = place.stage != Stage::Acked && row.as_ref().is_some_and(|row| row.ack);
    let attention = match () {
        () if to_be_given || to_be_acked => Attention::Always,
        () if place.arrived => Attention::Never,
        () => Attention::Fresh,
    };
    let row = row.map(|row| {
        let state = match (mine, place.stage) {
            (Some(folder), _) if folder != Folder::Cur => MailState::Unread,
            (None, Stage::Submitted | Stage::Read) if place.overdue => MailState::Overdue,
            (None, Stage::Read) if row.ack => MailState::ReadNoAck,
            (_, stage) => MailState::At(stage),
        };
        let unread = state == MailState::Unread;
        let paused = place.paused;
        Rc::new(MessageRow { state, unread, mine: mine.is_some(), paused, why: place.why, ..row })
    });
    Ok(Known { copies, row, attention, stale: false })
}

/// The place and progress of a message, by its copy with the least progress.
struct MailPlace {
    stage: Stage,
    why: String,
    overdue: bool,
    bundle: bool,
    /// Whether it is held as an answer beyond the limit between agents.
    paused: bool,
    /// Whether all copies were read.
    arrived: bool,
}

fn place(store: &Store, file: &str, copies: &[(Name, Folder)]) -> Result<MailPlace> {
    let mut least: Option<(Option<Stage>, Stage, String)> = None;
    let (mut overdue, mut bundle, mut paused) = (false, false, false);
    for (owner, folder) in copies {
        let Some((_, id)) = parse_file_name(file) else { continue };
        let (known, why) = match store.delivery(owner, &id)? {
            Some(delivery) => {
                bundle |= delivery.is_bundle();
                paused |= delivery.pause == Some(Pause::Held) && delivery.way.stage.is_open();
                overdue |= delivery.ack.as_ref().is_some_and(|ack| ack.rings > 0);
                (delivery.way.stage, delivery.way.detail)
            }
            None => (Stage::Queued, String::new()),
        };
        let stage = match folder {
            Folder::Cur | Folder::Gone => known.max(Stage::Read),
            Folder::Given => known.max(Stage::Submitted),
            Folder::New | Folder::Unacked => known,
        };
        // A failure counts more than the progress of the other copies.
        let weight = if stage == Stage::Failed { None } else { Some(stage) };
        if least.as_ref().is_none_or(|(w, ..)| weight < *w) {
            let why = if stage < Stage::Typed || weight.is_none() { why } else { String::new() };
            least = Some((weight, stage, escape::short(&why, 200)));
        }
    }
    let arrived = copies.iter().all(|(_, folder)| *folder == Folder::Cur);
    let (_, stage, why) = least.unwrap_or_default();
    Ok(MailPlace { stage, why, overdue: overdue && stage < Stage::Acked, bundle, paused, arrived })
}

pub(super) fn row(message: &Verified) -> MessageRow {
    let to: Vec<String> = message.to.iter().map(ToString::to_string).collect();
    let groups = message.groups_addressed();
    let (from, body) = (message.from.to_string(), message.body.as_str());
    let kind = MessageType::word(message.kind);
    let folded = format!("{} {from} {} {groups} {kind} {body}", message.id, to.join(" ")).to_lowercase();
    MessageRow {
        id: message.id.to_string(),
        thread: message.thread.to_string(),
        at: message.created,
        notice: message.from.is_system(),
        from,
        to,
        groups,
        kind,
        first: flat(body),
        body: tidy(body),
        folded,
        state: MailState::At(Stage::Queued),
        why: String::new(),
        unread: false,
        mine: false,
        fyi: message.wish() == Some(Intent::Fyi),
        paused: false,
        marks: message.marks(),
        urgent: message.urgent,
        ack: message.ack_required,
        answers: message.reply_to.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// Reads one of the copies. `None`: all have moved, or none is genuine.
fn read(store: &Store, agents: &[Agent], file: &str, copies: &[(Name, Folder)]) -> Result<Option<Verified>> {
    for (owner, folder) in copies {
        let formerly = agents.iter().find(|a| a.name == *owner).map_or(&[][..], |a| &a.formerly);
        if let Some(message) = store.genuine(owner, formerly, *folder, file)? {
            return Ok(Some(message));
        }
    }
    Ok(None)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::core::ack::AckClock;
    use crate::core::body::Body;
    use crate::core::delivery::Delivery;
    use crate::core::id::MessageId;
    use crate::core::message::Identity;
    use crate::core::rate::Limit;
    use crate::store::now_ms;
    use crate::store::post::NewMessage;
    use std::time::Duration;

    /// Posts in a millisecond of its own: within one, file names have no order.
    fn post(store: &Store, text: &str) {
        let before = now_ms();
        while now_ms() == before {
            std::hint::spin_loop();
        }
        post_to(store, &Name::human(), text, false);
    }

    pub(in super::super) fn post_to(store: &Store, to: &Name, text: &str, ack: bool) -> MessageId {
        let draft = NewMessage {
            ack,
            ..NewMessage::new(
                Name::human(),
                Identity::Human,
                vec![to.clone()],
                MessageType::Info,
                Body::new(text).unwrap(),
            )
        };
        store.post(draft, Limit { count: 0, window: Duration::from_secs(1) }).unwrap().id
    }

    /// Posts many more messages, to two other recipients: a mailbox has limited room.
    pub(in super::super) fn post_others(store: &Store, count: usize) {
        for number in 0..count {
            let to = Name::new(&format!("other-{}", number % 2)).unwrap();
            post_to(store, &to, &format!("number {number}"), false);
        }
    }

    #[test]
    fn what_is_to_be_acknowledged_is_looked_at_however_much_came_since() {
        let (_dir, store) = crate::store::tests::store();
        let agent = Name::new("codex-1").unwrap();
        let id = post_to(&store, &agent, "stop", true);
        let put = |stage, rings| {
            let mut delivery = Delivery::queued(id.clone(), 1);
            delivery.way.advance(stage, "", 1);
            delivery.ack = Some(AckClock { rings, due: 1, reminder: None, escalated: false });
            store.transact(|tx| tx.put_delivery(&agent, &delivery)).unwrap();
        };
        put(Stage::Submitted, 1);
        post_others(&store, FRESH + 1);
        let mut feed = Feed::default();
        let state = |feed: &mut Feed| {
            feed.update(&store, &[]).unwrap();
            while feed.more {
                feed.update(&store, &[]).unwrap();
            }
            feed.rows().last().map(|row| row.state).unwrap()
        };
        assert_eq!(state(&mut feed), MailState::Overdue);
        put(Stage::Acked, 1);
        assert_eq!(state(&mut feed), MailState::At(Stage::Acked));
    }

    #[test]
    fn the_newest_come_first_then_all_and_nothing_is_read_twice() {
        let (_dir, store) = crate::store::tests::store();
        for number in 0..FIRST + 20 {
            post(&store, &format!("number {number}"));
        }
        let mut feed = Feed::default();
        feed.update(&store, &[]).unwrap();
        assert_eq!((feed.rows().len(), feed.more), (FIRST, true));
        assert_eq!(feed.rows()[0].body, format!("number {}", FIRST + 19));
        feed.update(&store, &[]).unwrap();
        assert_eq!((feed.rows().len(), feed.more), (FIRST + 20, false));
        assert!(feed.rows().iter().all(|row| row.unread && row.mine && row.state == MailState::Unread));
        // One is read, and another one comes.
        let file = store.mail_files(&Name::human(), Folder::New).unwrap().remove(0);
        store.transact(|tx| tx.mark_read(&Name::human(), &file)).unwrap();
        post(&store, "and one more");
        feed.update(&store, &[]).unwrap();
        let rows = feed.rows().to_vec();
        let states = (rows[0].state, rows[rows.len() - 1].state, rows.len());
        assert_eq!(states, (MailState::Unread, MailState::At(Stage::Read), FIRST + 21));
        // A read message does not change any more: its row stays the same object.
        post(&store, "and another");
        feed.update(&store, &[]).unwrap();
        assert!(Rc::ptr_eq(&rows[rows.len() - 1], &feed.rows()[rows.len()]));
    }
}
