//! Orders the texts that wait for one agent, and makes bundles of them.
//!
//! A bundle that a killed courier left half done is completed or removed here, in transactions that read the record
//! again.

use super::letters;
use super::serve::Recipient;
use crate::agents::Profile;
use crate::core::answers;
use crate::core::bundle;
use crate::core::delivery::{Delivery, Progress, Stage};
use crate::core::id::MessageId;
use crate::core::message::{Envelope, Verified, order_sent, parse_file_name};
use crate::core::order;
use crate::store::mail::Folder;
use anyhow::Result;

/// One text to type. There may be a thousand for each agent, so a text is read only at its turn.
pub(super) struct Job {
    pub(super) file: String,
    pub(super) envelope: Envelope,
    pub(super) reminder: Option<u32>,
    pub(super) stage: Stage,
    /// The members of a bundle, and whether their lines are typed with it.
    pub(super) members: Vec<Verified>,
    pub(super) whole: bool,
    /// It is announced by a line of its own.
    pub(super) plain: bool,
    /// An agent's own channel took it, but it did not arrive.
    pub(super) tried: bool,
}

/// The unit of one delivery: a message, a reminder, or a bundle.
pub(super) struct Parcel {
    pub(super) message: Verified,
    pub(super) reminder: Option<u32>,
    pub(super) members: Vec<Verified>,
    pub(super) whole: bool,
}

impl Job {
    fn of(file: String, envelope: Envelope, way: &Progress) -> Self {
        let tried = way.offer.is_some() && way.stage != Stage::Offered;
        let (stage, plain, members) = (way.stage, way.plain, Vec::new());
        Self { file, envelope, reminder: None, stage, members, whole: false, plain, tried }
    }

    pub(super) fn parcel(&self, message: Verified) -> Parcel {
        Parcel { message, reminder: self.reminder, members: self.members.clone(), whole: self.whole }
    }

    /// Whether it may be in a bundle: a message of which nothing was typed.
    fn may_go_with_others(&self) -> bool {
        let fresh = matches!(self.stage, Stage::Queued | Stage::Held) && !self.plain && !self.tried;
        self.reminder.is_none() && self.members.is_empty() && fresh
    }

    pub(super) fn folder(&self) -> Folder {
        if self.reminder.is_some() { Folder::Unacked } else { Folder::New }
    }
}

impl Recipient<'_> {
    /// The texts to type for an agent, in order: first one that may already be in the composer, then urgent mail, then
    /// by the time of sending.
    pub(super) fn jobs(&self) -> Result<Vec<Job>> {
        let mut jobs = Vec::new();
        // The threads with a held answer.
        let mut paused: Vec<MessageId> = Vec::new();
        let under_way = self.store.under_way(&self.agent.name)?;
        for file in self.store.mail_files(&self.agent.name, Folder::New)? {
            if parse_file_name(&file).is_some_and(|(_, id)| under_way.contains(&id)) {
                continue;
            }
            let Some(message) =
                self.store.genuine(&self.agent.name, &self.agent.formerly, Folder::New, &file)?
            else {
                continue;
            };
            let delivery = self.store.delivery(&self.agent.name, &message.id)?;
            if let Some(bundle) = delivery.as_ref().filter(|d| d.is_bundle()) {
                jobs.extend(self.begun(file, &message, bundle)?);
                continue;
            }
            let open = delivery.as_ref().is_none_or(|d| matches!(d.way.stage, Stage::Queued | Stage::Held));
            if open && answers::pauses(&message, delivery.as_ref(), self.settings().answers) {
                let told = paused.contains(&message.thread);
                letters::pause(self.store, self.settings(), self.agent, &message, delivery.as_ref(), told)?;
                paused.push(message.thread.clone());
                continue;
            }
            let way = delivery.map(|d| d.way).unwrap_or_default();
            if way.stage.is_open() {
                jobs.push(Job::of(file, message.envelope(), &way));
            } else if !matches!(way.stage, Stage::Failed | Stage::Typed) {
                // It was submitted, and a crash came before the move.
                self.store.transact(|tx| tx.mark_given(&self.agent.name, &file))?;
            }
        }
        for file in self.store.mail_files(&self.agent.name, Folder::Unacked)? {
            let Some(message) =
                self.store.genuine(&self.agent.name, &self.agent.formerly, Folder::Unacked, &file)?
            else {
                continue;
            };
            let Some(delivery) = self.store.delivery(&self.agent.name, &message.id)? else { continue };
            if let (Some(reminder), Some(clock)) = (delivery.open_reminder(), &delivery.ack) {
                jobs.push(Job { reminder: Some(clock.rings), ..Job::of(file, message.envelope(), reminder) });
            }
        }
        let order = order_sent(jobs.iter().map(|j| &j.envelope));
        order::sort_by_cached_key(&mut jobs, |j| {
            (!j.stage.is_under_way(), !j.envelope.urgent, order.get(&j.envelope.id).copied())
        });
        Ok(jobs)
    }

    /// The job of a bundle whose text may be in the composer. Any other bundle is completed, or removed again if
    /// nothing of it was typed, because more mail may wait by now.
    fn begun(&self, file: String, message: &Verified, bundle: &Delivery) -> Result<Option<Job>> {
        let (name, id) = (&self.agent.name, &message.id);
        let brings = self.store.brings_anything(name, bundle)?;
        match bundle.way.stage {
            // Some of its text may stand in the composer, whatever was read since.
            stage
                if bundle.is_bundle_under_way()
                    && (brings || matches!(stage, Stage::Typing | Stage::Entering)) =>
            {
                let members = self.store.members(name, &self.agent.formerly, bundle)?;
                let job = Job::of(file, message.envelope(), &bundle.way);
                return Ok(Some(Job { members, whole: bundle.whole, ..job }));
            }
            // A sign that the agent got it may still come.
            Stage::Typed if brings => {}
            stage if stage.is_open() || matches!(stage, Stage::Typed | Stage::Failed) => {
                self.store.transact(|tx| {
                    let same =
                        self.store.delivery(name, id)?.is_some_and(|now| now.way.stage == bundle.way.stage);
                    if same { tx.drop_bundle(name, &file, id) } else { Ok(()) }
                })?;
            }
            // A crash came before its members were marked, or before the move.
            _ => self.store.transact(|tx| {
                tx.update_members(name, bundle)?;
                tx.mark_read(name, &file).map(drop)
            })?,
        }
        Ok(None)
    }

    /// A bundle of all waiting mail for the agent's own channel, or only the first message if nothing else waits.
    pub(super) fn with_others(&self, first: Parcel, jobs: &[Job]) -> Result<Parcel> {
        let Some(waiting) = together(jobs) else { return Ok(first) };
        let members = self.members(&waiting)?;
        if members.len() < 2 {
            return Ok(first);
        }
        Ok(self.bundle_of(members, true)?.unwrap_or(first))
    }

    /// A bundle of the waiting mail, for a pane of that size. `None`: the messages go one by one.
    pub(super) fn bundle(
        &self,
        profile: &Profile,
        waiting: &[&Job],
        (columns, rows): (u16, u16),
    ) -> Result<Option<Parcel>> {
        let mut members = self.members(waiting)?;
        let shown = |text: &str| profile.shows_whole(text, columns, rows);
        // A line editor's agent has no tools to read an announced message.
        while profile.process.alone
            && members.len() > 1
            && !bundle::is_typed_whole(&members, &self.agent.name)
        {
            members.pop();
        }
        if members.len() < 2 {
            return Ok(None);
        }
        let about = |whole| bundle::about(&members, &self.agent.name, whole);
        let whole = bundle::is_typed_whole(&members, &self.agent.name) && shown(&about(true));
        if !whole && (profile.process.alone || !shown(&about(false))) {
            return Ok(None);
        }
        self.bundle_of(members, whole)
    }

    /// A bundle of these. `None`: the mailbox is gone.
    fn bundle_of(&self, members: Vec<Verified>, whole: bool) -> Result<Option<Parcel>> {
        let ids = members.iter().map(|m| m.id.clone()).collect();
        let message = self.store.bundle(&self.agent.name, &bundle::text(&members), ids, whole)?;
        Ok(message.map(|message| Parcel { message, reminder: None, members, whole }))
    }

    /// The first of the waiting messages, as many as fit in one bundle.
    pub(super) fn members(&self, waiting: &[&Job]) -> Result<Vec<Verified>> {
        let mut members = Vec::new();
        for job in waiting.iter().take(bundle::LOOKED_AT) {
            let found = self.store.message(&self.agent.name, &self.agent.formerly, Folder::New, &job.file)?;
            // A message that was read a moment ago is left out.
            members.extend(found.and_then(Result::ok));
        }
        members.truncate(bundle::count(&members));
        Ok(members)
    }
}

/// The jobs for one bundle. `None` if there is only one, or the first job is not among them.
pub(super) fn together(jobs: &[Job]) -> Option<Vec<&Job>> {
    let waiting: Vec<&Job> = jobs.iter().filter(|j| j.may_go_with_others()).collect();
    (waiting.len() > 1 && jobs.first()?.may_go_with_others()).then_some(waiting)
}
