//! Hands a question or a task over to another agent, with its leases: `handover/`.
//!
//! One durable record is the decision: before it nothing has happened, and after it everything will. The rest follows
//! from the record in steps that can be repeated: the row of the coordination document, the message, the leases and
//! the edits, the notices. The command does them at once. After a crash, the courier or the next hand-over does the
//! missing steps. The notices go with the removal of the record, so they are sent once.

use super::leases::Part;
use super::mail::{Folder, MessageRef};
use super::post::NewMessage;
use super::record::{self, Durability, Loaded};
use super::room::Room;
use super::{Store, Transaction, entropy, fault, now_ms};
use crate::core::agent::Agent;
use crate::core::answers;
use crate::core::coord;
use crate::core::delivery::{Delivery, Stage};
use crate::core::escape;
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::lease::{Holder, Lease, PathPattern, words};
use crate::core::message::{MessageType, Signed, Verified};
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::rate::Limit;
use crate::core::refusal::Refusal;
use crate::os::process;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A hand-over: its subject and its new owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Handover {
    /// Who decided it: the owner, or the person.
    pub by: Name,
    /// The present owner.
    pub from: Name,
    /// The new owner.
    pub to: Name,
    /// The reason, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The text of the row in the coordination document, if it is a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The message, if a message is handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letter: Option<Letter>,
    /// The leases that go with it.
    pub fences: Vec<u64>,
}

/// A message that is handed over: the same body from the same sender to another recipient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The id of the present message.
    pub original: MessageId,
    /// Its mailbox.
    pub mailbox: Name,
    /// The name of its file there.
    pub file: String,
    pub sender: Name,
    /// The new message.
    copy: Signed,
}

impl Letter {
    /// The id of the new message.
    pub fn copy_id(&self) -> &MessageId {
        self.copy.claimed_id()
    }
}

impl Store {
    /// Writes the message that replaces `original` in the mailbox of `to`; it is in no mailbox yet. `sender` is the
    /// sender's present name. Unless a person hands it over, its number of answers in a row is the original's.
    pub fn readdress(
        &self,
        found: &MessageRef,
        original: &Verified,
        (sender, to): (&Name, &Name),
        by_person: bool,
    ) -> Result<Letter> {
        let known = self.delivery(&found.mailbox, &original.id)?;
        let draft = NewMessage {
            from: sender.clone(),
            identity: original.identity,
            to: vec![to.clone()],
            kind: original.kind,
            answers: Some((original.id.clone(), original.thread.clone())),
            ack: original.ack_required,
            urgent: original.urgent,
            intent: original.intent,
            round: answers::again((original, known.as_ref()), None, by_person),
            groups: Vec::new(),
            body: original.body.clone(),
        };
        // It takes no place in the sender's window, because the sender has already sent this body.
        let (message, staged) = self.prepare(draft, Limit::none(), Room::check)?;
        drop(staged);
        let copy = self.key().sign(message);
        let (mailbox, file) = (found.mailbox.clone(), found.file.clone());
        Ok(Letter { original: original.id.clone(), mailbox, file, sender: sender.clone(), copy })
    }

    /// Decides a hand-over durably, and does it. Refuses if the message was handed over meanwhile, or is being typed.
    /// Returns the leases that have moved.
    pub fn hand_over(&self, what: &Handover) -> Result<Vec<Lease>> {
        record::ensure_dir(&self.dir.join("handover"))?;
        let name = format!("handover/{:013}-{:08x}", now_ms(), entropy()? & 0xffff_ffff);
        self.transact(|tx| {
            if let Some(letter) = &what.letter {
                let known = self.delivery(&letter.mailbox, &letter.original)?;
                let is_typed = known.as_ref().is_some_and(|d| d.way.stage.is_under_way())
                    || self.under_way(&letter.mailbox)?.contains(&letter.original);
                if is_typed {
                    let text = format!("{} is just being given to {}; try again", letter.original, what.from);
                    return Err(Refusal::Usage(text).into());
                }
                let copy = known.and_then(|d| d.handed).or(self.pending_copy(&letter.original)?);
                if let Some(copy) = copy {
                    let text = format!("{} was handed over before, as {copy}", letter.original);
                    return Err(Refusal::Usage(text).into());
                }
            }
            tx.store.put_sealed(&name, what, Durability::Durable)?;
            fault::point("handover-decided");
            // From now on nobody gives it to the former owner.
            match &what.letter {
                Some(letter) => tx.settle_original(letter, &what.to),
                None => Ok(()),
            }
        })?;
        self.finish_handover(what, &self.dir.join(format!("{name}.json")))
    }

    /// The new id of a message whose hand-over is decided but not done yet.
    pub fn pending_copy(&self, original: &MessageId) -> Result<Option<MessageId>> {
        for file in record::list(&self.dir.join("handover"))? {
            let name = format!("handover/{}", file.trim_end_matches(".json"));
            if let Loaded::Ok(Handover { letter: Some(letter), .. }) = self.sealed::<Handover>(&name)?
                && letter.original == *original
            {
                return Ok(Some(letter.copy_id().clone()));
            }
        }
        Ok(None)
    }

    /// Does the missing steps of decided hand-overs. A failure does not stop the others; returns the first error.
    pub fn finish_handovers(&self) -> Result<()> {
        let mut result = Ok(());
        for file in record::list(&self.dir.join("handover"))? {
            let path = self.dir.join("handover").join(&file);
            let name = format!("handover/{}", file.trim_end_matches(".json"));
            let done = self.sealed::<Handover>(&name).and_then(|loaded| match loaded {
                Loaded::Ok(what) => self.finish_handover(&what, &path).map(drop),
                Loaded::Missing => Ok(()),
                Loaded::Bad(why) => self.quarantine(&path, &why),
            });
            result = result.and(done);
        }
        result
    }

    fn finish_handover(&self, what: &Handover, path: &std::path::Path) -> Result<Vec<Lease>> {
        let Handover { by, from, to, .. } = what;
        let to = &self.reader(to)?.unwrap_or_else(|| to.clone());
        if let Some(task) = &what.task {
            let done = self.change_coordination(by, "handover", |text| {
                Ok(coord::reassign(text, task, from, to).map_err(Refusal::from)?)
            });
            // If somebody has changed or removed the row since, the rest is handed over nevertheless.
            if let Err(error) = done
                && error.downcast_ref::<Refusal>().is_none()
            {
                return Err(error);
            }
        }
        if let Some(letter) = &what.letter {
            self.move_letter(letter, to)?;
        }
        let moved = self.move_leases(what, to)?;
        let paths: Vec<PathPattern> = moved.iter().flat_map(|lease| lease.paths.clone()).collect();
        let fences: Vec<u64> = moved.iter().map(|lease| lease.fence).collect();
        fault::point("handover-leases");
        self.transact(|tx| {
            tx.hand_edits_over(from, to, &paths)?;
            if !path.exists() {
                return Ok(());
            }
            for notice in what.notices(to, &paths) {
                tx.put_notice(&notice)?;
            }
            tx.journal(&Event::HandedOver {
                by,
                from,
                to,
                id: what.letter.as_ref().map(|l| &l.original),
                copy: what.letter.as_ref().map(Letter::copy_id),
                task: what.task.as_deref(),
                fences: &fences,
            })?;
            std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
        })?;
        self.post_notices()?;
        Ok(moved)
    }

    /// Gives the new owner those of the leases that the former owner still has. Returns all that the new owner has of
    /// them, also from a try that a crash interrupted. A new owner that has ended gets none: the leases stay where
    /// they are.
    fn move_leases(&self, what: &Handover, to: &Name) -> Result<Vec<Lease>> {
        let lives = |a: &Agent| process::check_in(a.place.namespace, &a.process) != Some(false);
        let heir = self.find_agent(to, |a| a.name == *to && a.is_live() && lives(a))?;
        let Some(heir) = heir.filter(|_| !what.fences.is_empty()) else { return Ok(Vec::new()) };
        let holder = Holder::agent(&heir, heir.place.namespace);
        self.change_leases(Part::Numbers(&what.fences), |table| {
            table.hand_over(&what.fences, &what.from, &holder);
            let has = |lease: &&Lease| what.fences.contains(&lease.fence) && lease.holder.name == *to;
            table.leases().filter(has).cloned().collect()
        })
    }

    /// Puts the new message into its mailbox and settles the one that it replaces. Idempotent.
    fn move_letter(&self, letter: &Letter, to: &Name) -> Result<()> {
        let Ok(message) = self.key().verify(letter.copy.clone()) else { return Ok(()) };
        self.ensure_mailbox(to)?;
        let staged = self.stage(&letter.copy)?;
        let file = message.file_name();
        self.transact(|tx| {
            let has = |folder: &Folder| {
                message.to.iter().chain([to]).any(|n| self.mail_file(n, *folder, &file).exists())
            };
            if ![Folder::New, Folder::Given, Folder::Cur, Folder::Gone].iter().any(has) {
                tx.publish(&message, &staged, |_| Ok(()))?;
            }
            fault::point("handover-posted");
            tx.settle_original(letter, to)
        })?;
        self.sync_mailboxes(&message)
    }
}

impl Transaction<'_> {
    /// Settles the original message: it counts as read, and no reminder follows.
    fn settle_original(&mut self, letter: &Letter, to: &Name) -> Result<()> {
        let found = MessageRef {
            mailbox: letter.mailbox.clone(),
            folder: Folder::New,
            file: letter.file.clone(),
            id: letter.original.clone(),
        };
        let mailbox = &self.store.mailbox_now(&found)?;
        let known = self.store.delivery(mailbox, &letter.original)?;
        let mut delivery = known.unwrap_or_else(|| Delivery::queued(letter.original.clone(), now_ms()));
        if delivery.handed.is_none() {
            let detail = format!("handed over to {to} as {}", letter.copy_id());
            delivery.way.advance(Stage::Read, &detail, now_ms());
            delivery.handed = Some(letter.copy_id().clone());
            self.put_delivery(mailbox, &delivery)?;
        }
        self.mark_read(mailbox, &letter.file)?;
        self.drop_ack(mailbox, &letter.file)
    }
}

impl Handover {
    /// The subject, for people.
    pub fn subject(&self) -> String {
        match (&self.letter, &self.task) {
            (Some(letter), _) => format!("message {} from {}", letter.original, letter.sender),
            (None, Some(task)) => format!("the task \"{}\"", escape::short(task, 80)),
            (None, None) => "leases".to_owned(),
        }
    }

    /// The notices to those concerned. The leases on these paths have moved.
    fn notices(&self, to: &Name, paths: &[PathPattern]) -> Vec<Notice> {
        let what = self.subject();
        let leases = escape::short(&words::list(paths), 120);
        let reason =
            self.reason.as_ref().map_or_else(String::new, |why| format!(" ({})", escape::short(why, 100)));
        let holds = |what: &str| if paths.is_empty() { String::new() } else { format!("; {what} {leases}") };
        let tell = |to: &Name, text: String| Notice { to: to.clone(), kind: MessageType::Info, text };
        let as_copy = self.letter.as_ref().map_or_else(String::new, |l| format!(", now {}", l.copy_id()));
        let mut all = vec![tell(
            to,
            format!("{} hands over to you {what}{as_copy}{reason}{}", self.by, holds("you hold now")),
        )];
        if self.by != self.from {
            let lost = holds("you do not hold any more, so do not edit:");
            all.push(tell(
                &self.from,
                format!("{} hands over to {to} what you had: {what}{reason}{lost}", self.by),
            ));
        }
        if let Some(letter) = self.letter.as_ref().filter(|l| l.sender != self.by && l.sender != *to) {
            let text =
                format!("your {} to {} is in the hands of {to}{as_copy}{reason}", letter.original, self.from);
            all.push(tell(&letter.sender, text));
        }
        all
    }
}
