//! One round of the courier: everything that it does, in order.
//!
//! A task that fails (on a full disk) does not stop the others, and is tried again in the next round. There is one
//! courier, but commands may change its records at any time, so every mark is made in a transaction that reads the
//! record again.

use super::announcer::Announcer;
use super::coordination::Rows;
use super::counts::MailCounter;
use super::letters::{Due, Letters};
use super::lookout::Lookout;
use super::memo::Memo;
use super::policy::Policy;
use super::schedule::{Came, LEASE_PULSE, Schedule};
use super::serve::{Deliveries, Pass};
use super::start;
use super::status_line::StatusLine;
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::event::Event;
use crate::core::name::Name;
use crate::core::span;
use crate::roster::{discovery, witness};
use crate::store::leases::Part;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How many different errors are remembered as reported.
const NOTED: usize = 16;

/// The state that the courier keeps between two rounds. All of it can be rebuilt from the store.
pub(super) struct Courier<'a> {
    store: &'a Store,
    policy: Policy,
    pub(super) schedule: Schedule,
    pub(super) failures: Failures,
    lookout: Lookout,
    deliveries: Deliveries,
    announcer: Announcer,
    /// The marks on the panes.
    status_line: StatusLine,
    /// The rows of leases in the coordination document.
    rows: Rows,
    counter: MailCounter,
    /// The agents that have asked the person something.
    askers: Memo<Vec<Name>>,
    /// The mailboxes of dead agents in which nothing is left to do.
    buried: Memo<()>,
    /// The mailboxes of the dead from which nothing is left to be taken back.
    taken_back: Memo<()>,
}

impl<'a> Courier<'a> {
    /// A courier that knows one server so far.
    pub(super) fn new(store: &'a Store, first: &Server) -> Self {
        Self {
            store,
            policy: Policy::of(store),
            schedule: Schedule::default(),
            failures: Failures::default(),
            lookout: Lookout::new(store, first),
            deliveries: Deliveries::default(),
            announcer: Announcer::default(),
            status_line: StatusLine::default(),
            rows: Rows::default(),
            counter: MailCounter::default(),
            askers: Memo::default(),
            buried: Memo::default(),
            taken_back: Memo::default(),
        }
    }

    pub(super) fn socket(&self) -> String {
        self.lookout.servers.any().unwrap_or_default().to_owned()
    }

    /// Does everything that is due. Returns how long to sleep; `None`: no server is left.
    pub(super) fn round(&mut self) -> Option<Duration> {
        self.try_to(Self::configure);
        if !self.survey() {
            return None;
        }
        if self.schedule.has_just_surveyed(Instant::now()) {
            start::ensure_link(self.store);
        }
        self.try_to(|courier| witness::answer(courier.store, &courier.lookout.living));
        self.try_to(|courier| courier.store.finish_handovers());
        let due = self.try_to(Self::letters).flatten();
        let leased = self.try_to(Self::leases).unwrap_or(true);
        // Again, because the steps before take some time, and nothing may be typed by outdated rules.
        self.try_to(Self::configure);
        let pass = self.try_to(Self::deliver).unwrap_or_default();
        self.schedule.delivered(pass, self.failures.any());
        if self.schedule.look_is_due(Instant::now()) {
            let must = self.schedule.must_look() || !self.lookout.is_still(self.store);
            let active = if must { self.try_to(Self::observe) } else { None };
            self.schedule.looked(Instant::now(), active);
        }
        self.try_to(Self::show);
        let due = due.map(|at| Duration::from_millis(at.saturating_sub(now_ms()).max(1)));
        let expecting = self.lookout.is_waiting_for_somebody();
        let came = Came { pass, failed: self.failures.any(), leased, expecting, due };
        self.failures.report(self.store);
        Some(self.schedule.rest(&came))
    }

    // Each task is a function of its own: one frame for all would be of kilobytes, and its code longer.
    #[inline(never)]
    fn try_to<T>(&mut self, task: impl FnOnce(&mut Self) -> Result<T>) -> Option<T> {
        let result = task(self);
        self.failures.take(result)
    }

    /// Reads the settings and the profiles again if their files have changed.
    fn configure(&mut self) -> Result<()> {
        let lookout = &mut self.lookout;
        self.policy.refresh(self.store, || lookout.quiet.forget())
    }

    /// Surveys all panes if it is time and something has changed since the last time, and tidies up. An agent that
    /// has just ended is looked for more often, and once more before its mail fails. `false`: no server is left.
    #[inline(never)]
    fn survey(&mut self) -> bool {
        let now = Instant::now();
        let ago = self.schedule.since_survey(now);
        let expects = self.try_to(|c| c.expects_somebody(ago));
        let late = self.schedule.survey_is_late(now) || expects == Some(true);
        let due = self.lookout.servers.hear()
            || self.lookout.is_waiting_for_somebody()
            || late && self.try_to(|c| c.lookout.is_as_before(c.store, c.policy.profiles())) != Some(true);
        let again = due || self.try_to(|c| c.lookout.lost_somebody(c.store)).unwrap_or_default();
        let left = if again {
            self.try_to(|c| c.lookout.survey(c.store, c.policy.profiles(), &mut c.status_line))
        } else if late {
            self.try_to(|c| c.lookout.check_up(c.store))
        } else {
            return true;
        };
        if left == Some(false) {
            return false;
        }
        self.try_to(Self::tidy);
        self.schedule.surveyed(Instant::now(), again);
        true
    }

    /// Whether to look for an agent that has ended and may be started again: now and then, and once more when its
    /// mail has waited long enough. The last look was so long `ago`.
    fn expects_somebody(&self, ago: Duration) -> Result<bool> {
        let (now, grace) = (now_ms(), self.policy.settings().grace);
        let looked = now.saturating_sub(span::ms(ago));
        let expected = |a: &Agent| {
            let gone = a.gone_at(now, grace);
            gone > looked && (gone <= now || ago >= LEASE_PULSE)
        };
        Ok(!grace.is_zero() && self.store.agents()?.iter().any(|a| !a.is_live() && expected(a)))
    }

    /// Removes the leftovers of killed processes, and now and then old read mail.
    fn tidy(&mut self) -> Result<()> {
        self.store.sweep()?;
        match self.policy.settings().keep_read {
            Some(keep) if self.schedule.tidy.is_due(Instant::now()) => {
                self.store.prune(now_ms().saturating_sub(span::ms(keep))).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Handles awaited acknowledgements and dead letters. Returns when to do so again (ms since the epoch), if that is
    /// before the next pulse.
    fn letters(&mut self) -> Result<Option<u64>> {
        self.store.finish_posts()?;
        let agents = self.store.agents()?;
        let letters = Letters { store: self.store, agents: &agents, settings: self.policy.settings() };
        let mut due: Due = letters.acknowledgements()?;
        letters.take_back(&mut self.taken_back)?;
        letters.dead_letters(&mut self.buried, &mut due)?;
        self.store.post_notices()?;
        for alert in &due.alerts {
            // A message on the status line is a courtesy: the notice is in the inbox.
            self.lookout.servers.each(|server| server.alert(alert, false).map(drop));
        }
        Ok(due.next)
    }

    /// Ends leases whose time or holder has ended, and posts the notices. Returns whether there is anything to watch.
    /// Takes the mutex only if something changes. Now and then it reads each record, whatever the index says, and so
    /// finds one that was overwritten in place.
    fn leases(&mut self) -> Result<bool> {
        if self.schedule.inspect.is_due(Instant::now()) {
            self.store.inspect_leases()?;
        }
        let shown = self.policy.settings().coord_auto;
        let leases = self.store.leases_about(if shown { Part::All } else { Part::Numbers(&[]) })?;
        // A process that was killed may have left some.
        self.store.post_notices()?;
        if shown {
            self.rows.follow(self.store, &leases.table)?;
        }
        Ok(leases.count > 0 || leases.table.waiters().next().is_some())
    }

    /// Delivers what can be delivered.
    fn deliver(&mut self) -> Result<Pass> {
        self.lookout.find_living(self.store)?;
        let (pass, trouble) = self.deliveries.run(self.store, &self.policy, &mut self.lookout);
        self.failures.now.extend(trouble);
        Ok(pass)
    }

    /// Looks at the agents' states, for people. Returns whether one of them is busy with something that will end.
    fn observe(&mut self) -> Result<bool> {
        self.lookout.observe(self.store, self.policy.profiles())
    }

    /// Brings the status lines up to date, and announces new mail to the person at the keyboard.
    fn show(&mut self) -> Result<()> {
        let (store, lookout) = (self.store, &mut self.lookout);
        let agents = store.agents()?;
        let owners = store.mailboxes()?;
        self.buried.keep(&owners);
        self.taken_back.keep(&owners);
        let counts = self.counter.count(store, &owners)?;
        let askers = self.askers.recall(store, &Name::human(), || store.askers())?;
        let counts = counts.agents(&agents, &askers);
        let ascii = self.policy.settings().ascii;
        let (badge, calls) = (counts.badge(ascii), counts.calls().badge(ascii));
        let status_line = &mut self.status_line;
        // The status line is a courtesy: everything it shows is in the store.
        if !lookout
            .servers
            .each(|server| status_line.show(server, &agents, [&badge, &calls], store.root()))
            .is_empty()
        {
            lookout.quiet.forget();
        }
        self.announcer.run(store, self.policy.settings(), &mut lookout.servers)
    }

    /// Removes the project's marks from the panes after its store is gone, as far as possible. Nobody is left to read
    /// an error.
    pub(super) fn take_marks_off(&mut self) {
        let (profiles, status_line, root) = (self.policy.profiles(), &self.status_line, self.store.root());
        self.lookout.servers.each(|server| {
            let survey = discovery::survey(server, profiles)?;
            StatusLine::unname(server, root)?;
            server.mark(&status_line.left_on(server.socket(), &survey, root))
        });
    }
}

/// The errors of a round. None of them ends the courier.
#[derive(Default)]
pub(super) struct Failures {
    /// In this round.
    now: Vec<anyhow::Error>,
    /// The errors that were journalled last: a lasting error is reported once.
    noted: BTreeSet<String>,
}

impl Failures {
    pub(super) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.now.push(error)).ok()
    }

    fn any(&self) -> bool {
        !self.now.is_empty()
    }

    /// Reports the errors of a round that is over. After a round without errors, an error is news again.
    fn report(&mut self, store: &Store) {
        if self.now.is_empty() {
            self.noted.clear();
        }
        for error in std::mem::take(&mut self.now) {
            self.note(store, &error);
        }
    }

    /// Journals an error that must not stop the other tasks, once for as long as it lasts. If that fails as well, as
    /// on a full disk, nothing more is done.
    pub(super) fn note(&mut self, store: &Store, error: &anyhow::Error) {
        let text = escape::short(&format!("{error:#}"), 300);
        if self.noted.contains(&text) {
            return;
        }
        if store.transact(|tx| tx.journal(&Event::CourierError { error: &text })).is_ok() {
            if self.noted.len() >= NOTED {
                self.noted.clear();
            }
            self.noted.insert(text);
        }
    }
}
