//! Checks, before a store is opened, that its key is here and that it is in its place.
//!
//! Without the matching key nothing is made, moved or read, because with another key all records would seem forged. A
//! *moved* store continues. A *copy* becomes a project of its own, with a new id and a new key: its records belong to
//! the original, which may be delivering them at this moment. A store that was *restored* from a backup may contain
//! messages that were delivered since; these become dead letters. Nothing is deleted; records that no longer count go
//! to `aside/`.
//!
//! Each change is made under the mutex, after another look, and ends with the writing of `PROJECT`. A second process
//! finds it done, and after a crash the next process does it. A process that already has the store open finds another
//! `PROJECT`, or another directory, in its next transaction, and stops.

use super::mark::{self, ProjectMark, Seat, SeatVerdict};
use super::record::{self, Loaded};
use super::{Store, Transaction, agents, journal, key, lock, new_id, now_ms, root};
use crate::core::delivery::{Delivery, Stage};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::few::Few;
use crate::core::id::MessageId;
use crate::core::lease::{Counter, Lease};
use crate::core::message::{MessageType, Signed};
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::refusal::Refusal;
use crate::store::mail::Folder;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files that a copy does not keep from its original. Of the directories it keeps only `tmp`.
const OWN_FILES: [&str; 8] = [
    "numbers.json",
    "groups.json",
    "waiting.json",
    "journal.jsonl",
    "journal.1.jsonl",
    "courier.lock",
    "courier.json",
    "retired",
];

/// The parts of a backup that are certainly out of date: leases, and messages that were about to be posted.
const OUTDATED: [&str; 9] =
    ["edits", "leases", "leases.left", "waiters", "numbers.json", "notices", "outbox", "handover", "claims"];

/// How many records are checked to find out whether a key signed a store without a fingerprint.
const SAMPLE: usize = 32;

const OTHER_KEY: &str = "is another key than this project's records are signed with";

/// How long a courier may take to leave a moved store.
const LEAVING: std::time::Duration = std::time::Duration::from_secs(3);

/// Opens the store of the project at `root`, whose key is below `home`.
pub(super) fn open(root: &Path, home: &Path) -> Result<Store> {
    let mut news = None;
    // After one repair another may be needed, and other processes may be repairing as well.
    for _ in 0..4 {
        if let Some(mut store) = look(root, home)? {
            let seat = Seat::of(root)?;
            let keys = home.join(&store.mark.id);
            if mark::judge(&seat, &store.mark, Seat::noted(&keys).as_ref()) == SeatVerdict::Same {
                store.mark.seat = Some(seat);
                store.news = news;
                return Ok(store);
            }
        }
        news = see_to(root, home)?.or(news);
    }
    bail!("{} keeps being changed by other processes; try again", root.join(".swarm").display())
}

/// The store with its key. Refuses a store without its key. `None`: `PROJECT` does not name the key, so only a look
/// under the mutex can find it, while nobody makes a key or moves signed records.
fn look(root: &Path, home: &Path) -> Result<Option<Store>> {
    let dir = root.join(".swarm");
    let mark = ProjectMark::read(&dir)?;
    let Some(print) = &mark.key else { return Ok(None) };
    let path = home.join(&mark.id).join("key");
    let Some(key) = key::load(home, &mark.id)? else { return Err(no_key(root, &path, "is not there")) };
    if *print != key.fingerprint(&mark.id) {
        return Err(no_key(root, &path, OTHER_KEY));
    }
    Ok(Some(Store { root: root.to_owned(), dir, mark, key, actor: None, until: None, news: None }))
}

/// The store with its key, found under the mutex, and whether `PROJECT` names that key. If it does not, the key that
/// matches the signed records is used, or a key is made if nothing was signed yet.
fn look_alone(root: &Path, home: &Path) -> Result<(Store, bool)> {
    if let Some(store) = look(root, home)? {
        return Ok((store, true));
    }
    let dir = root.join(".swarm");
    let mark = ProjectMark::read(&dir)?;
    let path = home.join(&mark.id).join("key");
    let key = match key::load(home, &mark.id)? {
        Some(key) => key,
        None if !has_signed(&dir)? => key::load_or_create(home, &mark.id)?,
        None => return Err(no_key(root, &path, "is not there")),
    };
    let store = Store { root: root.to_owned(), dir, mark, key, actor: None, until: None, news: None };
    if vouches(&store)? { Ok((store, false)) } else { Err(no_key(root, &path, OTHER_KEY)) }
}

fn no_key(root: &Path, path: &Path, what: &str) -> anyhow::Error {
    let shown = |path: &Path| escape::short(&path.display().to_string(), 300);
    Refusal::NoKey(format!(
        "the key of the project {} is not here: {} {what}. Nothing was read or changed. Run this with the HOME (or XDG_STATE_HOME) that the project was set up with, or copy the key to this place from there. If it is lost for good, the human can start again with a new key: swarm init --new-key (old records are set aside, nothing is deleted)",
        shown(root),
        shown(path)
    ))
    .into()
}

/// The signed and sealed records of a store, some of each kind.
fn signed(dir: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut found = Vec::new();
    let mut take = |kind: &'static str, dir: &Path| -> Result<()> {
        found.extend(record::list(dir)?.into_iter().take(SAMPLE).map(|file| (kind, dir.join(file))));
        Ok(())
    };
    for part in ["leases", "waiters", "notices"] {
        take(part, &dir.join(part))?;
    }
    take("mail", &dir.join("outbox"))?;
    let owners = fs::read_dir(dir.join("mail")).into_iter().flatten().flatten();
    let buried = fs::read_dir(dir.join("dead")).into_iter().flatten().flatten();
    for owner in owners.chain(buried) {
        for part in ["new", "given", "cur", "unacked"] {
            take("mail", &owner.path().join(part))?;
        }
    }
    Ok(found)
}

/// Whether a store has any signed record.
fn has_signed(dir: &Path) -> Result<bool> {
    let counted = matches!(record::load::<serde_json::Value>(&dir.join("numbers.json"))?, Loaded::Ok(v) if v["seal"].is_string());
    Ok(counted || !signed(dir)?.is_empty())
}

/// Whether a store's records were signed with this key, as far as can be seen. Damaged records do not count.
fn vouches(store: &Store) -> Result<bool> {
    let records = signed(&store.dir)?;
    let counter = store.sealed::<Counter>("numbers")?;
    if matches!(counter, Loaded::Ok(_)) {
        return Ok(true);
    }
    for (kind, path) in &records {
        let file = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let genuine = match *kind {
            "mail" => match record::load::<Signed>(path)? {
                Loaded::Ok(signed) => store.key.verify(signed).is_ok(),
                _ => false,
            },
            "leases" => matches!(store.sealed::<Lease>(&format!("leases/{file}"))?, Loaded::Ok(_)),
            _ => false,
        };
        if genuine {
            return Ok(true);
        }
    }
    Ok(!has_signed(&store.dir)?)
}

/// Repairs a store whose `PROJECT` is out of date. Returns a text about it for people.
#[inline(never)]
fn see_to(root: &Path, home: &Path) -> Result<Option<String>> {
    let dir = root.join(".swarm");
    let (held, _) = lock::exclusive(&dir.join("lock"))?;
    let (mut store, complete) = look_alone(root, home)?;
    let seat = Seat::of(root)?;
    let keys = home.join(&store.mark.id);
    let verdict = mark::judge(&seat, &store.mark, Seat::noted(&keys).as_ref());
    let before = store.mark.seat.clone();
    if let SeatVerdict::Copied(original) = &verdict {
        let why = format!("it is a copy of the project at {}", original.display());
        return begin_again(root, home, &store.mark, &why).map(Some);
    }
    store.mark.seat = Some(seat.clone());
    let done = ProjectMark { key: Some(store.key.fingerprint(&store.mark.id)), ..store.mark.clone() };
    let mut tx = Transaction::settling(&store, held);
    let mut news = None;
    match (verdict, before) {
        (SeatVerdict::Same, _) if complete => return Ok(None),
        (SeatVerdict::Restored, _) => news = Some(tx.set_outdated_aside()?),
        (_, Some(before)) if before.root != *root => {
            tx.journal(&Event::ProjectMoved { from: &before.root.display().to_string() })?;
            leave(&dir);
        }
        _ => {}
    }
    seat.note(&keys)?;
    root::raise_format(&dir)?;
    done.write(&dir)?;
    Ok(news)
}

/// Ends the courier that still serves the store's former place, so that one can start here.
fn leave(dir: &Path) {
    let begun = std::time::Instant::now();
    while matches!(lock::try_exclusive(&dir.join("courier.lock")), Ok(None)) && begun.elapsed() < LEAVING {
        let _ = super::wake::ring(&dir.join("wake"));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Starts again with a new key if the old one is lost.
pub(super) fn renew(root: &Path, home: &Path) -> Result<String> {
    let dir = root.join(".swarm");
    let (_held, _) = lock::exclusive(&dir.join("lock"))?;
    match look_alone(root, home) {
        Err(error) if matches!(error.downcast_ref::<Refusal>(), Some(Refusal::NoKey(_))) => {}
        Err(error) => return Err(error),
        Ok(_) => {
            let text = format!("the key of the project {} is here: no new key is needed", root.display());
            return Err(Refusal::Usage(text).into());
        }
    }
    begin_again(root, home, &ProjectMark::read(&dir)?, "its key was lost")
}

/// Makes a store a project of its own, with nothing in it. Under the mutex. Returns a text about it for people.
fn begin_again(root: &Path, home: &Path, was: &ProjectMark, why: &str) -> Result<String> {
    let dir = root.join(".swarm");
    let id = new_id()?;
    let key = key::load_or_create(home, &id)?;
    let directories = root::DIRECTORIES.into_iter().filter(|name| *name != "tmp");
    let aside = set_aside(&dir, directories.chain([agents::ENDED]).chain(OWN_FILES))?;
    // A courier with the old key ends as soon as it wakes. In a copy that consists of links, this FIFO is also the
    // original's.
    let _ = super::wake::ring(&dir.join("wake"));
    let _ = fs::remove_file(dir.join("wake"));
    root::furnish(&dir)?;
    let seat = Seat::of(root)?;
    seat.note(&home.join(&id))?;
    root::raise_format(&dir)?;
    ProjectMark { id: id.clone(), key: Some(key.fingerprint(&id)), seat: Some(seat) }.write(&dir)?;
    let shown = aside.strip_prefix(root).unwrap_or(&aside).display().to_string();
    let begun = Event::ProjectStartedAgain { why, was: &was.id, aside: &shown };
    journal::append(&dir, &journal::entry(&begun)?)?;
    Ok(format!(
        "{} begins as a project of its own: {why}. Its old records (mail, leases, names, log) are in {shown}",
        root.display()
    ))
}

/// Moves these entries of a store to a new directory in `aside/`.
fn set_aside(dir: &Path, names: impl IntoIterator<Item = &'static str>) -> Result<PathBuf> {
    let aside = dir.join(root::ASIDE).join(format!("{:013}-{:04x}", now_ms(), super::entropy()? & 0xffff));
    record::ensure_dir(&aside)?;
    for name in names {
        match fs::rename(dir.join(name), aside.join(name)) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot set {} aside", dir.join(name).display()));
            }
            _ => {}
        }
    }
    record::sync_dir(&aside)?;
    Ok(aside)
}

impl Transaction<'_> {
    /// Sets aside the parts of a restored store that may be out of date. Returns a text about it for people.
    #[inline(never)]
    fn set_outdated_aside(&mut self) -> Result<String> {
        let store = self.store;
        let aside = set_aside(&store.dir, OUTDATED)?;
        root::furnish(&store.dir)?;
        // The backup lacks the numbers that were used since. Without the record, numbers continue far above them.
        let _ = fs::remove_file(store.dir.join("numbers.json"));
        let why = "the project was restored from a backup, and the message may have arrived before";
        let agents = self.agents()?;
        let (mut all, mut senders): (usize, Few<Name, Vec<MessageId>>) = (0, Few::new());
        for owner in store.mailboxes()?.into_iter().filter(|owner| !owner.is_human()) {
            let aliases =
                agents.iter().find(|a| a.name == owner).map(|a| a.formerly.clone()).unwrap_or_default();
            for file in store.mail_files(&owner, Folder::New)? {
                let Some(message) = store.genuine(&owner, &aliases, Folder::New, &file)? else { continue };
                let known = store.delivery(&owner, &message.id)?;
                let mut delivery = known.unwrap_or_else(|| Delivery::queued(message.id.clone(), now_ms()));
                if !delivery.way.stage.is_open() {
                    continue;
                }
                delivery.way.advance(Stage::Failed, why, now_ms());
                self.put_delivery(&owner, &delivery)?;
                self.journal(&Event::DeadLetter { id: &message.id, to: owner.as_str(), why: Some(why) })?;
                all += 1;
                if let Some(from) = message.from.local().filter(|from| !from.is_system()) {
                    senders.at(from.clone()).push(message.id.clone());
                }
            }
            // No reminder is sent to a recipient that may have acknowledged already.
            for file in store.mail_files(&owner, Folder::Unacked)? {
                self.drop_ack(&owner, &file)?;
            }
        }
        let shown = aside.strip_prefix(&store.root).unwrap_or(&aside).display().to_string();
        let text = format!(
            "This project was restored from a backup. {all} waiting messages may have arrived before, so they are not delivered again (swarm dead lists them). Its leases are set aside in {shown}"
        );
        for (sender, ids) in senders.iter().filter(|(sender, _)| !sender.is_human()) {
            let named = ids.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let text = format!(
                "{named} and your other waiting messages were not delivered: {why}; to send one again: swarm-msg resend {} --to NAME",
                ids[0]
            );
            self.put_notice(&Notice { to: sender.clone(), kind: MessageType::Info, text })?;
        }
        self.put_notice(&Notice { to: Name::human(), kind: MessageType::Info, text: text.clone() })?;
        self.journal(&Event::ProjectRestored { not_given: all, aside: &shown })?;
        Ok(text)
    }
}
