//! Delivers the mail of each agent by the first carrier that can.
//!
//! Half-typed text goes first. Then all waiting mail for an agent goes in one bundle: urgent mail first, then in the
//! order it was sent. Reminders go one at a time. One thread serves one agent, so a hold on one delays no other, and
//! a server that does not answer delays only its own agents. The reason for a hold is recorded in a transaction that
//! checks again whether the message still waits.

use super::delivery::offer::Offered;
use super::delivery::{Attempt, Notes, Outcome};
use super::gate::Hold;
use super::jobs::{Job, Parcel, together};
use super::keys::Keys;
use super::letters;
use super::lookout::Lookout;
use super::policy::Policy;
use super::proof::Followed;
use crate::agents::Profile;
use crate::carriers::{self, Unfit};
use crate::core::agent::Agent;
use crate::core::carrier::Carrier;
use crate::core::config::Settings;
use crate::core::delivery::{Delivery, Stage};
use crate::core::event::Event;
use crate::core::few::Few;
use crate::roster::observe;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use crate::tmux::hangs;
use anyhow::Result;
use std::cell::RefCell;
use std::ops::ControlFlow;

/// How long swarm looks for a sign that a text arrived, after it left its composer without one (ms).
const CONFIRM_MS: u64 = 60_000;

/// The most texts that wait in an agent's own queue: Claude Code drops some when about thirty wait. The others wait
/// here, and go together.
const QUEUED: usize = 8;

/// The result of one pass over everybody's mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    /// Mail is still waiting.
    pub(super) waiting: bool,
    /// Something was delivered: more may go soon.
    pub(super) progress: bool,
}

impl std::ops::BitOr for Pass {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { waiting: self.waiting | other.waiting, progress: self.progress | other.progress }
    }
}

/// What the courier remembers about one agent.
#[derive(Default)]
pub(super) struct Memory {
    /// People's keys in its pane.
    keys: RefCell<Keys>,
    /// The texts that were given to its own channel.
    offered: RefCell<Offered>,
    /// What its hooks handed over.
    pub(super) followed: RefCell<Followed>,
}

/// The result for all texts that were given to an agent's own channel, the most urgent last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Nothing was given to it.
    None,
    /// At least one text waits in the agent's queue.
    Queued,
    /// The fate of at least one text is unknown.
    Open,
    /// At least one text was settled.
    News,
}

/// The served agents, and what is remembered about their panes and channels between two rounds.
#[derive(Default)]
pub(super) struct Deliveries {
    memory: Few<(String, String), Memory>,
}

impl Deliveries {
    /// Delivers all mail that can be delivered, and returns the errors: one agent's error must not stop the others'
    /// mail. The next round tries again.
    pub(super) fn run(
        &mut self,
        store: &Store,
        policy: &Policy,
        lookout: &mut Lookout,
    ) -> (Pass, Option<anyhow::Error>) {
        let (living, servers) = (&lookout.living, &mut lookout.servers);
        let mut known = std::mem::take(&mut self.memory);
        let serve = |agent: &Agent, memory: Memory| {
            let served = Recipient::new(store, policy, agent, &memory).serve();
            (served, memory)
        };
        let serve = &serve;
        let passes = std::thread::scope(|scope| {
            let mut served = Vec::new();
            for agent in living.iter().filter(|a| servers.hung_since(&a.place.socket).is_none()) {
                let pane = (agent.place.socket.clone(), agent.place.pane.clone());
                let memory = known.remove(&pane).unwrap_or_default();
                served.push((pane, scope.spawn(move || serve(agent, memory))));
            }
            served.into_iter().map(|(pane, thread)| (pane, thread.join())).collect::<Vec<_>>()
        });
        let (mut all, mut failed) = (Pass::default(), None);
        for (pane, served) in passes {
            let Ok((result, memory)) = served else {
                all.waiting = true;
                continue;
            };
            let socket = pane.0.clone();
            self.memory.insert(pane, memory);
            match result {
                Ok(pass) => all = all | pass,
                Err(error) if hangs(&error) => servers.leave(&socket),
                Err(error) => {
                    all.waiting = true;
                    failed = Some(error);
                }
            }
        }
        for agent in living {
            if let Some(since) = servers.hung_since(&agent.place.socket)
                && let Err(error) = Recipient::new(store, policy, agent, &Memory::default()).put_off(since)
            {
                failed = Some(error);
            }
        }
        (all, failed)
    }
}

/// One agent with its mail.
pub(super) struct Recipient<'a> {
    pub(super) store: &'a Store,
    policy: &'a Policy,
    pub(super) agent: &'a Agent,
    pub(super) memory: &'a Memory,
}

impl<'a> Recipient<'a> {
    fn new(store: &'a Store, policy: &'a Policy, agent: &'a Agent, memory: &'a Memory) -> Self {
        Self { store, policy, agent, memory }
    }

    pub(super) fn settings(&self) -> &'a Settings {
        self.policy.settings()
    }

    /// The rules for its kind and version.
    fn profile(&self) -> Option<&'a Profile> {
        let profile = self.policy.profiles().get(&self.agent.kind)?;
        Some(observe::for_version(profile, self.agent.process.pid))
    }

    /// Records why an agent's mail waits if its server has not answered since `since`. The mail is tried again when
    /// the server answers.
    fn put_off(&self, since: u64) -> Result<()> {
        let jobs = self.jobs()?;
        let Some(job) = jobs.first() else { return Ok(()) };
        let why = Hold::ServerHangs(since).to_string();
        self.note_hold(job, &why)?;
        self.tell_held(&jobs, &why)
    }

    /// Delivers an agent's mail until it is done or held.
    #[inline(never)]
    fn serve(&self) -> Result<Pass> {
        let mut pass = Pass::default();
        if let Some(profile) = self.profile() {
            pass.waiting = self.confirm(profile)?;
        }
        pass.waiting |= self.prove()?;
        loop {
            let (offered, jobs): (Vec<Job>, Vec<Job>) =
                self.jobs()?.into_iter().partition(|job| job.stage == Stage::Offered);
            match self.look_after(&offered)? {
                Fate::None => {}
                // While it waits in the agent's queue, other texts may follow, until the queue holds enough.
                Fate::Queued if offered.len() < QUEUED => pass.waiting = true,
                Fate::Queued | Fate::Open => return Ok(Pass { waiting: true, ..pass }),
                Fate::News => {
                    pass.progress = true;
                    continue;
                }
            }
            let Some(job) = jobs.first() else { return Ok(pass) };
            // A delivery takes seconds: the next one uses the settings that the person has written meanwhile.
            if pass.progress && !self.policy.is_current() {
                return Ok(Pass { waiting: true, ..pass });
            }
            let Some(profile) = self.profile() else {
                let why = self.policy.profiles().why_not(&self.agent.kind);
                self.hold(job, why)?;
                self.tell_held(&jobs, why)?;
                return Ok(Pass { waiting: true, ..pass });
            };
            if let Some(limit) = self.agent.limit.as_ref().filter(|limit| limit.holds(now_ms()))
                && !job.stage.is_under_way()
            {
                let why = Hold::Limit(limit.text.clone()).to_string();
                self.note_hold(job, &why)?;
                self.tell_held(&jobs, &why)?;
                return Ok(Pass { waiting: true, ..pass });
            }
            let found =
                self.store.message(&self.agent.name, &self.agent.formerly, job.folder(), &job.file)?;
            // It was read, or the agent renamed, a moment ago.
            let Some(Ok(message)) = found else { return Ok(Pass { waiting: true, ..pass }) };
            let (parcel, outcome) = self.carry(profile, job.parcel(message), &jobs)?;
            let message = &parcel.message;
            match outcome {
                Outcome::Submitted(_) | Outcome::Typed(_) | Outcome::Settled => {
                    pass.progress = true;
                    self.tried_limit()?;
                }
                Outcome::Offered(_) => (pass.progress, pass.waiting) = (true, true),
                Outcome::Held(hold) => {
                    pass.waiting = true;
                    self.tell_held(&jobs, &hold.to_string())?;
                    if hold.is_stuck() && job.reminder.is_none() {
                        letters::stuck(self.store, self.policy.settings(), self.agent, message)?;
                    }
                    return Ok(pass);
                }
                Outcome::Gone => {
                    pass.waiting = true;
                    return Ok(pass);
                }
            }
        }
    }

    /// Delivers the first parcel by the first carrier that can, together with the mail that waits behind it.
    #[inline(never)]
    fn carry(&self, profile: &Profile, parcel: Parcel, jobs: &[Job]) -> Result<(Parcel, Outcome)> {
        let Some(first) = jobs.first() else { return Ok((parcel, Outcome::Settled)) };
        let (begun, tried) = (first.stage.is_under_way(), first.tried);
        if tried && self.attempt(profile, &parcel).was_given_after_all()? {
            return Ok((parcel, Outcome::Settled));
        }
        let (mut parcel, mut held) = (parcel, None);
        let pane_only = begun.then_some(&[Carrier::Pane][..]);
        for carrier in pane_only.unwrap_or(self.policy.settings().carriers(self.agent)) {
            let outcome = match carrier {
                Carrier::Hook => continue,
                Carrier::Pane => {
                    let (carried, outcome) = self.type_it(profile, parcel, jobs)?;
                    parcel = carried;
                    outcome
                }
                _ if tried || !profile.carriers.contains(carrier) => continue,
                _ if self.memory.offered.borrow().suspects(&self.agent.process) => continue,
                Carrier::ClaudeInbox | Carrier::OpencodePlugin => match carriers::reach(*carrier, self.agent)
                {
                    Ok(mut channel) => {
                        // Nothing was given yet, so another carrier may be tried.
                        if channel.open().is_err() {
                            continue;
                        }
                        parcel = self.with_others(parcel, jobs)?;
                        let attempt = self.attempt(profile, &parcel);
                        attempt.offer(channel, &mut self.memory.offered.borrow_mut())?
                    }
                    Err(Unfit::No(_)) => continue,
                    Err(unfit) => {
                        let hold = if unfit == Unfit::Asks { Hold::Dialog } else { Hold::Background };
                        self.note_hold(first, &hold.to_string())?;
                        return Ok((parcel, Outcome::Held(hold)));
                    }
                },
            };
            match outcome {
                Outcome::Held(hold) if !begun && !hold.is_stuck() => held = Some(hold),
                other => return Ok((parcel, other)),
            }
        }
        if held.is_none() {
            self.note_hold(first, &Hold::NoCarrier.to_string())?;
        }
        Ok((parcel, Outcome::Held(held.unwrap_or(Hold::NoCarrier))))
    }

    /// Types the first parcel, together with the mail that waits behind it.
    fn type_it(&self, profile: &Profile, parcel: Parcel, jobs: &[Job]) -> Result<(Parcel, Outcome)> {
        let attempt = self.attempt(profile, &parcel);
        let Some(waiting) = together(jobs) else {
            let outcome = attempt.run()?;
            return Ok((parcel, outcome));
        };
        let size = match attempt.begin()? {
            ControlFlow::Break(outcome) => return Ok((parcel, outcome)),
            ControlFlow::Continue(size) => size,
        };
        let Some(bundle) = self.bundle(profile, &waiting, size)? else {
            let outcome = attempt.run()?;
            return Ok((parcel, outcome));
        };
        let outcome = self.attempt(profile, &bundle).run()?;
        Ok((bundle, outcome))
    }

    /// Checks the texts that were given to an agent's own channel.
    #[inline(never)]
    fn look_after(&self, offered: &[Job]) -> Result<Fate> {
        let Some(profile) = self.profile() else {
            return Ok(if offered.is_empty() { Fate::None } else { Fate::Open });
        };
        let keys: Vec<_> = offered.iter().map(|job| (job.envelope.id.to_string(), job.reminder)).collect();
        self.memory.offered.borrow_mut().keep(&keys);
        let mut proof = Fate::None;
        for job in offered {
            let found =
                self.store.message(&self.agent.name, &self.agent.formerly, job.folder(), &job.file)?;
            // It was read a moment ago.
            let Some(Ok(message)) = found else { return Ok(Fate::News) };
            let parcel = job.parcel(message);
            let attempt = self.attempt(profile, &parcel);
            proof = proof.max(match attempt.look_after(&mut self.memory.offered.borrow_mut())? {
                Outcome::Offered(true) => Fate::Queued,
                Outcome::Offered(false) | Outcome::Held(_) => Fate::Open,
                _ => Fate::News,
            });
        }
        Ok(proof)
    }

    /// Checks whether a text that was typed a while ago, without a sign of a turn, has arrived. Returns whether this
    /// is still open.
    fn confirm(&self, profile: &Profile) -> Result<bool> {
        let mut open = false;
        let (store, name, formerly) = (self.store, &self.agent.name, &self.agent.formerly);
        for found in store.deliveries(name, Folder::New)? {
            let (at, delivery) = found?;
            let way = &delivery.way;
            let recent = way.stage == Stage::Typed && now_ms().abs_diff(way.since) < CONFIRM_MS;
            // A text in a bundle has the result of the bundle.
            if !recent || delivery.via.is_some() {
                continue;
            }
            let Some(message) = store.genuine(name, formerly, at.folder, &at.file)? else { continue };
            let members = store.members(name, formerly, &delivery)?;
            let parcel = Parcel { message, reminder: None, members, whole: delivery.whole };
            open |= !self.attempt(profile, &parcel).confirm()?;
        }
        Ok(open)
    }

    fn attempt<'s>(&'s self, profile: &'s Profile, parcel: &'s Parcel) -> Attempt<'s> {
        Attempt {
            store: self.store,
            agent: self.agent,
            profile,
            message: &parcel.message,
            reminder: parcel.reminder,
            members: &parcel.members,
            whole: parcel.whole,
            settings: self.policy.settings(),
            keys: &self.memory.keys,
            notes: Notes::default(),
        }
    }

    /// Records that a text was given after the end of a usage limit: if the screen still shows the limit, it is
    /// believed again.
    fn tried_limit(&self) -> Result<()> {
        if self.agent.limit.is_none() {
            return Ok(());
        }
        self.store.transact(|tx| {
            let Some(mut agent) = tx.agents()?.into_iter().find(|a| a.name == self.agent.name) else {
                return Ok(());
            };
            let Some(limit) = agent.limit.as_mut().filter(|_| agent.process == self.agent.process) else {
                return Ok(());
            };
            limit.tried(now_ms());
            tx.put_agent(&agent)
        })
    }

    /// Sends notices to the senders of mail that has waited for long.
    fn tell_held(&self, jobs: &[Job], reason: &str) -> Result<()> {
        for job in jobs.iter().filter(|j| j.reminder.is_none()) {
            letters::held(self.store, self.policy.settings(), self.agent, &job.file, &job.envelope, reason)?;
        }
        Ok(())
    }

    /// Records why a message waits, unless that reason is on record.
    fn note_hold(&self, job: &Job, why: &str) -> Result<()> {
        let known = self.store.delivery(&self.agent.name, &job.envelope.id)?;
        if known.is_some_and(|d| d.way.detail == why) { Ok(()) } else { self.hold(job, why) }
    }

    /// Records why a message waits whose pane is not even looked at.
    fn hold(&self, job: &Job, why: &str) -> Result<()> {
        self.store.transact(|tx| {
            let id = &job.envelope.id;
            let waits = self.store.mail_file(&self.agent.name, Folder::New, &job.file).exists();
            let known = self.store.delivery(&self.agent.name, id)?;
            let mut delivery = known.unwrap_or_else(|| Delivery::queued(id.clone(), job.envelope.created));
            let way = &mut delivery.way;
            let stage = if way.stage.is_under_way() { way.stage } else { Stage::Held };
            if !waits || !way.stage.is_open() || !way.advance(stage, why, now_ms()) {
                return Ok(());
            }
            tx.put_delivery(&self.agent.name, &delivery)?;
            tx.journal(&Event::reached(&delivery.way, id, &self.agent.name, None))
        })
    }
}
