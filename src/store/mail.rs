//! Mailboxes: `new/`, `given/`, `cur/`, `gone/`, `state/` and `unacked/` in `mail/NAME/`.
//!
//! A message is one immutable signed file. It appears in `new/` by a link (complete or absent), moves to `given/`
//! when it was submitted in its recipient's composer, and to `cur/` when it was read. These are renames, so it is in
//! exactly one of them at any time. The progress of its delivery is in `state/`, a small volatile record. A message
//! that wants an acknowledgement has a second link in `unacked/` until it is acknowledged, escalated or failed, so
//! these can be listed and none is forgotten. Everything is verified when it is read: the signature, that the
//! mailbox's owner is a recipient, that the file has the message's own name, and that the message was not read
//! before.

use super::record::{self, Durability, Loaded, Staged};
use super::{Store, Transaction, fault};
use crate::core::agent::Agent;
use crate::core::delivery::Delivery;
use crate::core::heir::Inherited;
use crate::core::id::MessageId;
use crate::core::message::{Envelope, Intent, Message, Signed, Verified, order_sent, parse_file_name};
use crate::core::name::Name;
use crate::core::order;
use crate::core::rate::Limit;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folders of unread messages.
pub const UNREAD: [Folder; 2] = [Folder::New, Folder::Given];

/// A part of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// Neither typed nor read yet.
    New,
    /// Submitted in the recipient's composer, and not known to be read.
    Given,
    /// Read.
    Cur,
    /// Its acknowledgement is awaited; it is also in one of the other folders.
    Unacked,
    /// Removed for its age: an empty file keeps its name, so a copy of it does not count as new.
    Gone,
}

impl Folder {
    pub(super) fn dir(self) -> &'static str {
        match self {
            Folder::New => "new",
            Folder::Given => "given",
            Folder::Cur => "cur",
            Folder::Unacked => "unacked",
            Folder::Gone => "gone",
        }
    }
}

/// How many former names an agent keeps, in addition to those to which some of its mail is addressed.
const MAX_FORMER: usize = 16;

/// When each part of a mailbox last changed.
pub type Changed = [SystemTime; 4];

/// The directories of a mailbox.
const PARTS: [&str; 6] = ["new", "given", "cur", "state", "unacked", "gone"];

/// A record that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMail {
    pub file: String,
    pub why: String,
}

/// The result of reading a mailbox.
#[derive(Debug, Default)]
pub struct Mail {
    /// The genuine messages, oldest first.
    pub messages: Vec<Verified>,
    /// The records that were not genuine, and are now in quarantine.
    pub refused: Vec<RefusedMail>,
}

/// A message found by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRef {
    pub mailbox: Name,
    pub folder: Folder,
    pub file: String,
    /// The id in the file's name.
    pub id: MessageId,
}

impl Store {
    /// The directory of one part of a mailbox.
    pub(super) fn mail_dir(&self, owner: &Name, part: &str) -> PathBuf {
        self.dir.join("mail").join(owner.as_str()).join(part)
    }

    /// The path of a message in that folder of a mailbox.
    pub fn mail_file(&self, owner: &Name, folder: Folder, file: &str) -> PathBuf {
        self.mail_dir(owner, folder.dir()).join(file)
    }

    /// The file names of the messages in one folder of a mailbox, in the order of sending. Reads no file.
    pub fn mail_files(&self, owner: &Name, folder: Folder) -> Result<Vec<String>> {
        record::list(&self.checked_dir(owner, folder.dir())?)
    }

    /// Gives the file names of the messages in one folder of a mailbox to `each`, in no order. Cheaper than the list.
    pub(super) fn each_mail(&self, owner: &Name, folder: Folder, each: impl FnMut(&str)) -> Result<()> {
        record::each(&self.checked_dir(owner, folder.dir())?, each)
    }

    /// How many messages there are in one folder of a mailbox. Reads no file.
    pub fn count_mail(&self, owner: &Name, folder: Folder) -> Result<usize> {
        let mut count = 0;
        self.each_mail(owner, folder, |_| count += 1)?;
        Ok(count)
    }

    /// A directory of a mailbox, if no symbolic link leads elsewhere.
    pub(super) fn checked_dir(&self, owner: &Name, part: &str) -> Result<PathBuf> {
        let dir = self.mail_dir(owner, part);
        for place in dir.parent().into_iter().chain([dir.as_path()]) {
            if place.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
                bail!("{} is a symbolic link: it is not followed; remove it", place.display());
            }
        }
        Ok(dir)
    }

    /// When a name was last added to or removed from one folder of a mailbox; `None` if the next change may have the
    /// same time, so that only a look can show it.
    pub fn mail_changed(&self, owner: &Name, folder: Folder) -> Option<SystemTime> {
        record::changed(&self.mail_dir(owner, folder.dir()))
    }

    /// When a mailbox last changed: its unread messages, its delivery records, or its awaited acknowledgements.
    pub fn mailbox_changed(&self, owner: &Name) -> Option<Changed> {
        let [new, given, state, unacked] =
            ["new", "given", "state", "unacked"].map(|part| self.mail_dir(owner, part));
        Some([
            record::changed(&new)?,
            record::changed(&given)?,
            record::changed(&state)?,
            record::changed(&unacked)?,
        ])
    }

    /// Whether a mailbox never had any mail.
    pub fn is_unused(&self, owner: &Name) -> Result<bool> {
        for folder in [Folder::New, Folder::Given, Folder::Cur, Folder::Unacked, Folder::Gone] {
            if self.count_mail(owner, folder)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The agents of this project with unread mail to the human that wants, or may want, an answer. It stops reading
    /// an agent's mail at the first such message. Signatures are verified only when the mail is read.
    pub fn askers(&self) -> Result<Vec<Name>> {
        let mut from = std::collections::BTreeSet::new();
        for folder in UNREAD {
            for file in self.mail_files(&Name::human(), folder)?.iter().rev() {
                let sender = parse_file_name(file).and_then(|(sender, _)| Name::for_agent(sender).ok());
                let Some(sender) = sender.filter(|sender| !from.contains(sender)) else { continue };
                let path = self.mail_file(&Name::human(), folder, file);
                if let Loaded::Ok(signed) = record::load::<Signed>(&path)?
                    && signed.claimed_wish() != Some(Intent::Fyi)
                {
                    from.insert(sender);
                }
            }
        }
        Ok(from.into_iter().collect())
    }

    /// Whether any mail to or from one of these names waits, except mail from swarm itself: submitted mail has
    /// arrived. Reads no file.
    pub fn is_owed(&self, names: &[Name]) -> Result<bool> {
        let mut owed = false;
        for owner in self.mailboxes()? {
            let to = names.contains(&owner);
            for folder in [Folder::New, Folder::Unacked] {
                self.each_mail(&owner, folder, |file| {
                    let sender = parse_file_name(file).map_or("", |(sender, _)| sender);
                    let from = names.iter().any(|name| name.as_str() == sender);
                    owed |= from || (to && sender != Name::system().as_str());
                })?;
            }
        }
        Ok(owed)
    }

    pub fn mailboxes(&self) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.dir.join("mail")).context("cannot read the mailboxes")? {
            names.extend(entry?.file_name().to_str().and_then(|n| Name::new(n).ok()));
        }
        order::sort(&mut names);
        Ok(names)
    }

    /// All genuine messages in one folder of a mailbox. `aliases` are former names of the owner. Other records go to
    /// quarantine.
    pub fn mail(&self, owner: &Name, aliases: &[Name], folder: Folder) -> Result<Mail> {
        let mut mail = Mail::default();
        for file in self.mail_files(owner, folder)? {
            match self.message(owner, aliases, folder, &file)? {
                Some(Ok(message)) => mail.messages.push(message),
                Some(Err(refused)) => mail.refused.push(refused),
                None => {}
            }
        }
        Ok(mail)
    }

    /// All genuine unread messages, in the order of sending.
    pub fn unread(&self, owner: &Name, aliases: &[Name]) -> Result<Mail> {
        let mut all = self.mail(owner, aliases, Folder::New)?;
        let given = self.mail(owner, aliases, Folder::Given)?;
        all.messages.extend(given.messages);
        all.refused.extend(given.refused);
        // A bundle is not a message of its own.
        let mut mail = Vec::with_capacity(all.messages.len());
        for message in all.messages {
            let is_bundle =
                message.from.is_system() && self.delivery(owner, &message.id)?.is_some_and(|d| d.is_bundle());
            if !is_bundle {
                mail.push(message);
            }
        }
        all.messages = mail;
        let envelopes: Vec<Envelope> = all.messages.iter().map(|m| m.envelope()).collect();
        let order = order_sent(envelopes.iter());
        order::sort_by_cached_key(&mut all.messages, |m| order.get(&m.id).copied());
        Ok(all)
    }

    /// The number of unread messages. Reads no file.
    pub fn count_unread(&self, owner: &Name) -> Result<usize> {
        UNREAD.iter().map(|folder| self.count_mail(owner, *folder)).sum()
    }

    /// One message; `None` if it is gone.
    pub fn message(
        &self,
        owner: &Name,
        aliases: &[Name],
        folder: Folder,
        file: &str,
    ) -> Result<Option<Result<Verified, RefusedMail>>> {
        let path = self.mail_file(owner, folder, file);
        let why = match record::load::<Signed>(&path)? {
            Loaded::Missing => return Ok(None),
            Loaded::Bad(why) => format!("not a message: {why}"),
            Loaded::Ok(signed) => match self.key.verify(signed) {
                Err(_) => "forged: its signature does not fit".to_owned(),
                Ok(message) => match self.doubt(owner, aliases, folder, file, &message) {
                    None => return Ok(Some(Ok(message))),
                    // The owner may have been renamed since the caller read the records of agents.
                    Some(why) => {
                        match self.doubt(owner, &self.former_names(owner)?, folder, file, &message) {
                            None => return Ok(Some(Ok(message))),
                            Some(_) => why.to_owned(),
                        }
                    }
                },
            },
        };
        if !path.exists() {
            // It moved between the two looks, and so seems to be replayed.
            return Ok(None);
        }
        self.quarantine(&path, &why)?;
        Ok(Some(Err(RefusedMail { file: file.to_owned(), why })))
    }

    /// One genuine message; `None` if it is gone, or went to quarantine.
    pub fn genuine(
        &self,
        owner: &Name,
        aliases: &[Name],
        folder: Folder,
        file: &str,
    ) -> Result<Option<Verified>> {
        Ok(self.message(owner, aliases, folder, file)?.and_then(Result::ok))
    }

    /// The messages in one folder of a mailbox that have a delivery record, with the record, in the order of sending.
    pub fn deliveries<'a>(
        &'a self,
        owner: &'a Name,
        folder: Folder,
    ) -> Result<impl Iterator<Item = Result<(MessageRef, Delivery)>> + use<'a>> {
        let read = move |file: String| {
            let (_, id) = parse_file_name(&file)?;
            let read = self.delivery(owner, &id).transpose()?;
            Some(read.map(|delivery| (MessageRef { mailbox: owner.clone(), folder, file, id }, delivery)))
        };
        Ok(self.mail_files(owner, folder)?.into_iter().filter_map(read))
    }

    /// One genuine message by its id; `None` if it is not there.
    pub fn message_by_id(
        &self,
        owner: &Name,
        aliases: &[Name],
        folder: Folder,
        id: &MessageId,
    ) -> Result<Option<Verified>> {
        for file in self.mail_files(owner, folder)? {
            if parse_file_name(&file).is_some_and(|(_, found)| found == *id) {
                return self.genuine(owner, aliases, folder, &file);
            }
        }
        Ok(None)
    }

    /// The former names of a mailbox's owner, by the present records.
    fn former_names(&self, owner: &Name) -> Result<Vec<Name>> {
        let bearer = self.find_agent(owner, |a| a.name == *owner)?;
        Ok(bearer.map(|a| a.formerly).unwrap_or_default())
    }

    /// The mailbox of a message now. It may have been renamed since the message was found.
    pub(super) fn mailbox_now(&self, found: &MessageRef) -> Result<Name> {
        let is_there = |folder: Folder| self.mail_file(&found.mailbox, folder, &found.file).exists();
        if is_there(found.folder) || [Folder::New, Folder::Given, Folder::Cur].into_iter().any(is_there) {
            return Ok(found.mailbox.clone());
        }
        let bearer = self.find_agent(&found.mailbox, |a| a.formerly.contains(&found.mailbox))?;
        Ok(bearer.map_or_else(|| found.mailbox.clone(), |a| a.name))
    }

    /// The reason to refuse a message with a valid signature, because of its place.
    fn doubt(
        &self,
        owner: &Name,
        aliases: &[Name],
        folder: Folder,
        file: &str,
        message: &Message,
    ) -> Option<&'static str> {
        if message.file_name() != file {
            return Some("forged: its file has another message's name");
        }
        if !message.to.iter().any(|to| to == owner || aliases.contains(to)) {
            return Some("forged: it was written to somebody else");
        }
        let later: &[Folder] = match folder {
            Folder::New => &[Folder::Given, Folder::Cur, Folder::Gone],
            Folder::Given => &[Folder::Cur, Folder::Gone],
            _ => &[],
        };
        let replayed = later.iter().any(|f| self.mail_file(owner, *f, file).exists());
        replayed.then_some("replayed: it was read before")
    }

    /// The delivery record of a message. A missing or unreadable one means that nothing is known.
    pub fn delivery(&self, owner: &Name, id: &MessageId) -> Result<Option<Delivery>> {
        let path = self.delivery_path(owner, id);
        match record::load::<Delivery>(&path)? {
            Loaded::Ok(delivery) if delivery.id == *id => Ok(Some(delivery)),
            Loaded::Missing => Ok(None),
            Loaded::Ok(_) => self.quarantine(&path, "it belongs to another message").map(|()| None),
            Loaded::Bad(why) => self.quarantine(&path, &why).map(|()| None),
        }
    }

    /// The ids of all messages with a delivery record.
    pub fn delivery_ids(&self, owner: &Name) -> Result<Vec<MessageId>> {
        let files = record::list(&self.checked_dir(owner, "state")?)?;
        Ok(files.iter().filter_map(|file| MessageId::parse(file.strip_suffix(".json")?)).collect())
    }

    pub(super) fn delivery_path(&self, owner: &Name, id: &MessageId) -> PathBuf {
        self.mail_dir(owner, "state").join(format!("{id}.json"))
    }

    /// All messages whose id begins with `prefix`, in every mailbox.
    pub fn find(&self, prefix: &str) -> Result<Vec<MessageRef>> {
        let mut found = Vec::new();
        for mailbox in self.mailboxes()? {
            for folder in [Folder::New, Folder::Given, Folder::Cur] {
                for file in self.mail_files(&mailbox, folder)? {
                    let id = parse_file_name(&file).map(|(_, id)| id);
                    if let Some(id) = id.filter(|id| id.as_str().starts_with(prefix)) {
                        found.push(MessageRef { mailbox: mailbox.clone(), folder, file, id });
                    }
                }
            }
        }
        Ok(found)
    }

    /// Writes a signed message durably, without putting it into a mailbox. Outside the mutex, because this is slow.
    pub fn stage(&self, signed: &Signed) -> Result<Staged> {
        Staged::write(&self.tmp(), &signed.file_name(), signed, Durability::Durable)
    }

    pub(super) fn has_mailbox(&self, owner: &Name) -> bool {
        self.mail_dir(owner, Folder::New.dir()).is_dir()
    }

    /// Makes a mailbox, unless it exists. It refuses one with links or files in place of its directories.
    pub fn ensure_mailbox(&self, owner: &Name) -> Result<()> {
        let mailbox = self.dir.join("mail").join(owner.as_str());
        let parts = PARTS.map(|part| self.mail_dir(owner, part));
        for dir in std::iter::once(mailbox).chain(parts) {
            match dir.symlink_metadata() {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => bail!("{} is not a directory: swarm writes nothing there; remove it", dir.display()),
                Err(_) => record::ensure_dir(&dir)?,
            }
        }
        Ok(())
    }

    /// Makes a posted message's directory entry durable. Outside the mutex.
    pub fn sync_mailbox(&self, owner: &Name) -> Result<()> {
        let dir = self.mail_dir(owner, Folder::New.dir());
        match record::sync_dir(&dir) {
            // Its owner was renamed since: the mail has moved, and the empty mailbox is gone.
            Err(_) if !dir.exists() => Ok(()),
            synced => synced,
        }
    }
}

impl Transaction<'_> {
    /// Puts a staged message into a mailbox. Its awaited acknowledgement is recorded first, so the message is never
    /// there without it.
    pub(super) fn post(&mut self, staged: &Staged, owner: &Name, message: &Message) -> Result<()> {
        // A renaming may have removed the empty mailbox since. The next look at the agents moves a message that is
        // put there.
        if !self.store.has_mailbox(owner) {
            self.store.ensure_mailbox(owner)?;
        }
        let file = message.file_name();
        if message.ack_required {
            staged.link(&self.store.mail_file(owner, Folder::Unacked, &file))?;
        }
        staged.link(&self.store.mail_file(owner, Folder::New, &file))
    }

    /// Takes back a post that did not succeed for all recipients. A message that cannot be removed stays, and is
    /// genuine.
    pub(super) fn unpost(&mut self, owner: &Name, message: &Message) {
        for folder in [Folder::New, Folder::Unacked] {
            let _ = std::fs::remove_file(self.store.mail_file(owner, folder, &message.file_name()));
        }
    }

    /// Stops waiting for this acknowledgement. Idempotent.
    pub fn drop_ack(&mut self, owner: &Name, file: &str) -> Result<()> {
        record::remove(&self.store.mail_file(owner, Folder::Unacked, file))?;
        fault::point("after-settle");
        Ok(())
    }

    /// Writes the progress of a delivery.
    pub fn put_delivery(&mut self, owner: &Name, delivery: &Delivery) -> Result<()> {
        self.store.checked_dir(owner, "state")?;
        let path = self.store.delivery_path(owner, &delivery.id);
        record::replace(&self.store.tmp(), &path, delivery, Durability::Volatile)
    }

    /// Moves a message from unread to read. `false`: it was not unread any more.
    pub fn mark_read(&mut self, owner: &Name, file: &str) -> Result<bool> {
        for from in UNREAD {
            if self.shelve(owner, file, from, Folder::Cur)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Moves a submitted message to `given/`. Idempotent.
    pub fn mark_given(&mut self, owner: &Name, file: &str) -> Result<bool> {
        self.shelve(owner, file, Folder::New, Folder::Given)
    }

    /// Lets a message wait again that was submitted. Idempotent.
    pub(super) fn unshelve(&mut self, owner: &Name, file: &str) -> Result<()> {
        self.recount(owner)?;
        self.shelve(owner, file, Folder::Given, Folder::New).map(drop)
    }

    fn shelve(&mut self, owner: &Name, file: &str, from: Folder, to: Folder) -> Result<bool> {
        self.store.checked_dir(owner, to.dir())?;
        let path = self.store.mail_file(owner, from, file);
        match std::fs::rename(&path, self.store.mail_file(owner, to, file)) {
            Ok(()) => {
                fault::point("after-move");
                Ok(true)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e).with_context(|| format!("cannot move {}", path.display())),
        }
    }

    /// Renames an agent, and moves its mail. After a crash in between, [`Transaction::collect_mail`] moves the mail
    /// that is left under the old name.
    pub fn rename_agent(&mut self, agent: &Agent, to: &Name) -> Result<Agent> {
        let formerly = agent.formerly.iter().chain([&agent.name]).cloned();
        self.record_as(agent, to, formerly.collect(), &[agent])
    }

    /// Gives a living agent on record everything of an agent that ended: its mail, its former names and its past. The
    /// two become one record, called `name`, which is the name of one of them.
    pub fn inherit(&mut self, agent: &Agent, dead: &Agent, name: &Name, how: Inherited) -> Result<Agent> {
        let former = [dead, agent].into_iter().flat_map(|a| a.formerly.iter().chain([&a.name]));
        let mut past = dead.past.clone();
        for session in &agent.past.sessions {
            past.enter(session);
        }
        past.asked.clone_from(&agent.past.asked);
        past.given = if *name == dead.name { dead.past.given } else { agent.past.given };
        past.inherited = Some(how);
        let heir = Agent { past, first_seen: dead.first_seen, ..agent.clone() };
        self.record_as(&heir, name, former.cloned().collect(), &[dead, agent])
    }

    /// Writes `agent` as `to`, and moves the mail of its former names to it.
    fn record_as(&mut self, agent: &Agent, to: &Name, former: Vec<Name>, was: &[&Agent]) -> Result<Agent> {
        let mut formerly: Vec<Name> = Vec::new();
        for name in former.into_iter().filter(|name| name != to) {
            if !formerly.contains(&name) {
                formerly.push(name);
            }
        }
        self.forget_names(was, &mut formerly)?;
        let renamed = Agent { name: to.clone(), formerly, ..agent.clone() };
        // The messages sent under the old name count under the new one, before the new one can send.
        let mut window = self.sender(to, Limit::default())?;
        for other in was.iter().filter(|other| other.name != *to) {
            window = window.with(self.sender(&other.name, Limit::default())?);
        }
        self.put_sender(to, &window)?;
        self.put_agent(&renamed)?;
        for other in was.iter().filter(|other| other.name != *to) {
            self.move_edits(&other.name, Some(to))?;
            self.move_left(&other.name, to)?;
            self.rename_in_groups(&other.name, to)?;
            self.forget_agent(&other.name)?;
            self.forget_sender(&other.name)?;
        }
        self.collect_mail(&renamed)?;
        Ok(renamed)
    }

    /// Drops the oldest of many former names, except those to which some mail is addressed: that mail would seem to
    /// be another agent's.
    fn forget_names(&self, was: &[&Agent], formerly: &mut Vec<Name>) -> Result<()> {
        if formerly.len() <= MAX_FORMER {
            return Ok(());
        }
        let mut addressed = Vec::new();
        for agent in was {
            for folder in [Folder::New, Folder::Given, Folder::Cur, Folder::Unacked] {
                let mail = self.store.mail(&agent.name, &agent.formerly, folder)?;
                addressed.extend(mail.messages.into_iter().flat_map(|m| m.to.clone()));
            }
        }
        let mut surplus = formerly.len() - MAX_FORMER;
        formerly.retain(|name| {
            let stays = surplus == 0 || was.iter().any(|a| a.name == *name) || addressed.contains(name);
            surplus -= usize::from(!stays);
            stays
        });
        Ok(())
    }

    /// Moves mail that still lies under a former name of `agent` to its mailbox. Idempotent.
    pub fn collect_mail(&mut self, agent: &Agent) -> Result<()> {
        for old in &agent.formerly {
            for part in PARTS {
                let from = self.store.mail_dir(old, part);
                let files = record::list(&from)?;
                if !files.is_empty() {
                    self.store.ensure_mailbox(&agent.name)?;
                }
                for file in &files {
                    move_entry(&from.join(file), &self.store.mail_dir(&agent.name, part).join(file))?;
                }
                if !files.is_empty() {
                    self.recount(&agent.name)?;
                }
            }
            // An empty mailbox is removed, and one with mail stays. An error has no other consequence.
            let mailbox = self.store.dir.join("mail").join(old.as_str());
            if mailbox.is_dir() && PARTS.into_iter().all(|part| remove_empty(&mailbox.join(part))) {
                let _ = std::fs::remove_file(mailbox.join("waiting.json"));
                let _ = std::fs::remove_dir(&mailbox);
            }
        }
        Ok(())
    }

    /// Sets the mail of a forgotten agent aside, so that a later agent of that name does not get it.
    pub fn bury_mail(&mut self, owner: &Name) -> Result<()> {
        let to = self.store.dir.join("dead").join(format!("{:013}-{owner}", super::now_ms()));
        move_entry(&self.store.dir.join("mail").join(owner.as_str()), &to)
    }
}

/// Removes a directory if it is empty. Returns whether it does not exist any more.
fn remove_empty(dir: &Path) -> bool {
    std::fs::remove_dir(dir).map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |()| true)
}

fn move_entry(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
        }
        _ => {
            fault::point("entry-moved");
            Ok(())
        }
    }
}
