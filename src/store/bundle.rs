//! Bundles: one message of swarm that brings others; see [`crate::core::bundle`].
//!
//! Its members are on record before it is in the mailbox, so a crash in between only leaves a record too many. The
//! members follow each state of the bundle in the same transaction, the bundle first. After a crash the bundle is
//! where it was, with its stage, and the next transaction updates the members. That is idempotent, and a member that
//! was read or acknowledged meanwhile keeps that stage. A bundle of which nothing was typed yet is removed again,
//! under the lock like every change.

use super::mail::Folder;
use super::post::NewMessage;
use super::{Store, Transaction, now_ms, record};
use crate::core::agent::Agent;
use crate::core::body::Body;
use crate::core::delivery::{Delivery, Progress, Stage};
use crate::core::event::Event;
use crate::core::id::MessageId;
use crate::core::message::{MessageType, Verified, parse_file_name};
use crate::core::name::Name;
use crate::core::order;
use crate::core::rate::Limit;
use anyhow::Result;
use std::collections::BTreeSet;

impl Store {
    /// Puts a bundle of these messages into their recipient's mailbox. `None`: the mailbox is gone, as after a
    /// renaming.
    pub fn bundle(
        &self,
        owner: &Name,
        text: &str,
        members: Vec<MessageId>,
        whole: bool,
    ) -> Result<Option<Verified>> {
        // It takes no more room than its members.
        let draft = NewMessage::of_system(owner.clone(), MessageType::Info, Body::new(text)?);
        let (message, staged) = self.write_down(draft, Limit::none(), |_| Ok(()))?;
        let now = now_ms();
        let place = self.mail_file(owner, Folder::New, &message.file_name());
        let is_there = self.transact(|tx| {
            if !place.parent().is_some_and(std::path::Path::is_dir) {
                return Ok(false);
            }
            let known = Delivery { members, whole, ..Delivery::queued(message.id.clone(), now) };
            // The reasons for which members were held before do not count any more.
            for id in &known.members {
                if let Some(mut member) = self.delivery(owner, id)?.filter(|d| d.way.stage == Stage::Held) {
                    member.way.advance(Stage::Queued, "", now);
                    tx.put_delivery(owner, &member)?;
                }
            }
            tx.put_delivery(owner, &known)?;
            tx.journal(&Event::Bundle { id: &message.id, to: owner, members: &known.members })?;
            staged.link(&place).map(|()| true)
        })?;
        if !is_there {
            return Ok(None);
        }
        let signed = self.key().verify(self.key().sign(message));
        signed.map(Some).map_err(|_| anyhow::anyhow!("a bundle was not signed"))
    }

    /// The members of a bundle, in any folder of the mailbox, in the order of its text.
    pub fn members(&self, owner: &Name, aliases: &[Name], bundle: &Delivery) -> Result<Vec<Verified>> {
        let wanted: BTreeSet<&MessageId> = order::collect(&bundle.members);
        let mut found = Vec::new();
        for folder in [Folder::New, Folder::Given, Folder::Cur] {
            if found.len() == wanted.len() {
                break;
            }
            for file in self.mail_files(owner, folder)? {
                if parse_file_name(&file).is_some_and(|(_, id)| wanted.contains(&id))
                    && let Some(message) = self.genuine(owner, aliases, folder, &file)?
                    && !found.iter().any(|m: &Verified| m.id == message.id)
                {
                    found.push(message);
                }
            }
        }
        let place = |message: &Verified| bundle.members.iter().position(|id| *id == message.id);
        order::sort_by_key(&mut found, place);
        Ok(found)
    }

    /// Whether a member of a bundle still waits.
    pub fn brings_anything(&self, owner: &Name, bundle: &Delivery) -> Result<bool> {
        let mut waits = false;
        self.each_mail(owner, Folder::New, |file| {
            waits |= parse_file_name(file).is_some_and(|(_, id)| bundle.members.contains(&id));
        })?;
        Ok(waits)
    }

    /// The messages whose bundle may be in the composer now: no other carrier may give them.
    pub fn under_way(&self, owner: &Name) -> Result<BTreeSet<MessageId>> {
        let bundles = self.bundles(owner)?.into_iter().filter(Delivery::is_bundle_under_way);
        Ok(order::collect(bundles.flat_map(|bundle| bundle.members)))
    }

    /// The bundle with a message, if there is one.
    pub fn bundle_with(&self, owner: &Name, id: &MessageId) -> Result<Option<Delivery>> {
        Ok(self.bundles(owner)?.into_iter().find(|bundle| bundle.members.contains(id)))
    }

    /// The bundles that wait in a mailbox.
    fn bundles(&self, owner: &Name) -> Result<Vec<Delivery>> {
        let mut found = Vec::new();
        for file in self.mail_files(owner, Folder::New)? {
            if let Some((sender, id)) = parse_file_name(&file)
                && sender == Name::system().as_str()
            {
                found.extend(self.delivery(owner, &id)?.filter(Delivery::is_bundle));
            }
        }
        Ok(found)
    }
}

impl Transaction<'_> {
    /// Updates the members of a bundle that still wait.
    pub fn update_members(&mut self, owner: &Name, bundle: &Delivery) -> Result<()> {
        for file in self.store.mail_files(owner, Folder::New)? {
            let Some((_, id)) = parse_file_name(&file) else { continue };
            if !bundle.members.contains(&id) {
                continue;
            }
            let known = self.store.delivery(owner, &id)?;
            let mut member = known.unwrap_or_else(|| Delivery::queued(id.clone(), now_ms()));
            if member.given_with(bundle, now_ms()) {
                self.put_delivery(owner, &member)?;
                self.journal(&Event::reached(&member.way, &id, owner, None))?;
            }
            if member.way.stage == Stage::Submitted {
                self.mark_given(owner, &file)?;
            }
        }
        Ok(())
    }

    /// Removes a bundle of which nothing was typed, or whose members are all settled.
    pub fn drop_bundle(&mut self, owner: &Name, file: &str, id: &MessageId) -> Result<()> {
        for path in [self.store.mail_file(owner, Folder::New, file), self.store.delivery_path(owner, id)] {
            record::remove(&path)?;
        }
        Ok(())
    }

    /// Ends the bundles of an agent that ended while they were under way. If Enter was pressed on one, its members
    /// may have arrived. Nobody gets a notice about the bundle itself.
    pub fn end_bundles(&mut self, agent: &Agent) -> Result<()> {
        for file in self.store.mail_files(&agent.name, Folder::New)? {
            let Some((sender, id)) = parse_file_name(&file) else { continue };
            if sender != Name::system().as_str() {
                continue;
            }
            let known = self.store.delivery(&agent.name, &id)?;
            let Some(bundle) = known.filter(Delivery::is_bundle) else { continue };
            let came = match bundle.way.stage {
                Stage::Failed => None,
                stage if stage >= Stage::Typed => Some(stage),
                _ => (bundle.way.enters > 0).then_some(Stage::Typed),
            };
            if let Some(stage) = came {
                let way = Progress { stage, ..bundle.way.clone() };
                self.update_members(&agent.name, &Delivery { way, ..bundle.clone() })?;
            }
            self.drop_bundle(&agent.name, &file, &id)?;
        }
        Ok(())
    }
}
