//! The courier: one process per project, which types into panes and does everything that is due at a time.
//!
//! A flock for its life keeps it single. A byte in a FIFO wakes it. It ends with the last tmux server that it knows.
//! A server that does not answer delays only its own agents.
//!
//! Everything it knows is in the store, so killing it at any instant loses and repeats nothing. A task that fails (a
//! full disk) is tried again in the next round. When its program is replaced, it hands over to the new one
//! ([`succession`]). If its store is removed, moved, or made again in the same place, it takes its marks off the
//! panes and ends. When idle it sleeps in one `poll`, and from time to time looks at its agents' pids and at the
//! files of its program, settings and profiles.

pub mod board;
pub mod coordination;
pub mod delivery;
pub mod gate;
pub mod keys;
pub mod letters;
pub mod memo;
mod quiet;
pub mod round;
pub mod servers;
pub mod start;
pub mod succession;
mod summons;

use crate::core::escape;
use crate::os::process;
use crate::store::service::Service;
use crate::store::{Store, fault, lock, now_ms, wake};
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use round::Round;
use signal_hook::consts::SIGTERM;
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use succession::Program;

/// How often the panes are searched for agents that no hook reported. tmux is asked only if the processes show a
/// change.
const SURVEY_EVERY: Duration = Duration::from_secs(15);

/// How often liveness of the known agents is looked at.
const PULSE: Duration = Duration::from_secs(5);

/// The same while there are leases: a dead agent's leases are free within this time, and deadlines are as exact as this.
const LEASE_PULSE: Duration = Duration::from_secs(2);

/// How often the agents are looked at while one of them is busy with something that will end. Otherwise with each survey.
const WATCH: Duration = Duration::from_secs(5);

/// The shortest time between two such looks, however often somebody rings.
const GLANCE: Duration = Duration::from_secs(1);

/// The pause before held mail is tried again: it grows to the second value while nothing changes.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How long the removal of a store may take.
const REMOVAL: Duration = Duration::from_secs(5);

/// Runs the courier until its tmux servers, or its store, are gone. Returns at once if another one runs.
/// `serves` is called once it does its work.
pub fn run(store: &Store, first: &Server, serves: impl FnOnce()) -> Result<()> {
    let place = store.dir().join("courier.lock");
    let given = lock::inherited(&place)?;
    let Some(single) = given.map_or_else(|| lock::try_exclusive(&place), |held| Ok(Some(held)))? else {
        return Ok(());
    };
    // The first request is heard between two rounds, the second at once.
    let asked_to_end = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGTERM, Arc::clone(&asked_to_end))
        .context("cannot handle signals")?;
    flag::register(SIGTERM, Arc::clone(&asked_to_end)).context("cannot handle signals")?;
    let mut program = Program::running()?;
    // Before anybody is heard: who finds no such record takes this courier for an old one.
    let introduced = introduce(store, &program, None);
    // The FIFO is open before the first look at the mail, so no ring is missed in between.
    let mut bell = store.listen()?;
    fault::point("courier-started");
    let mut round = Round::new(store, first);
    if let Err(error) = introduced {
        round.note(&error);
    }
    let mut surveyed: Option<Instant> = None;
    let mut pause = RETRY.0;
    let mut rang = true;
    let mut observed: Option<Instant> = None;
    let mut active = false;
    let mut owed = true;
    let mut serves = Some(serves);
    while single.is_at(&place) && store.is_in_place() && !asked_to_end.load(Ordering::Relaxed) {
        let mut failed = Failed::default();
        if program.is_replaced() {
            match program.hand_over(store, &round.socket(), &single) {
                Ok(()) => return Ok(()),
                Err(why) => {
                    let path = program.path().display();
                    let why = format!("the program that is now at {path} cannot take over: {why:#}");
                    failed.take(introduce(store, &program, Some(&why)));
                    round.note(&anyhow::anyhow!(why));
                }
            }
        }
        listen_again(store, &mut bell, &mut failed);
        failed.take(round.configure());
        match survey(&mut round, surveyed, &mut failed) {
            Surveyed::NobodyLeft => return Ok(()),
            Surveyed::No => {}
            Surveyed::Again => (surveyed, observed) = (Some(Instant::now()), None),
            Surveyed::AsBefore => surveyed = Some(Instant::now()),
        }
        if surveyed.is_some_and(|at| at.elapsed() < PULSE) {
            start::ensure_link(store);
        }
        failed.take(round.witness());
        let due = failed.take(round.letters()).flatten();
        let leased = failed.take(round.leases()).unwrap_or(true);
        // Again, because the steps before take some time, and nothing may be typed by rules that changed meanwhile.
        failed.take(round.configure());
        let (pass, trouble) = failed.take(round.deliver()).unwrap_or_default();
        failed.0.extend(trouble);
        pause = if rang || pass.progress || !(pass.waiting || failed.any()) {
            RETRY.0
        } else {
            (pause * 2).min(RETRY.1)
        };
        // Somebody rang, or got something to do: what is shown is out of date, perhaps.
        owed |= rang || pass.progress;
        let look_every = if owed {
            GLANCE
        } else if active {
            WATCH
        } else {
            SURVEY_EVERY
        };
        if observed.is_none_or(|at| at.elapsed() >= look_every) {
            if owed || observed.is_none() || !round.is_still() {
                active = failed.take(round.observe()).unwrap_or(active);
            }
            observed = Some(Instant::now());
            owed = false;
        }
        failed.take(round.show());
        // What was just delivered may have started a clock.
        let again = pass.waiting || pass.progress || round.is_waiting_for_somebody() || failed.any();
        let idle = if leased { LEASE_PULSE } else { PULSE };
        let rest = if again { pause } else { idle };
        failed.tell(&mut round);
        if let Some(serves) = serves.take() {
            serves();
        }
        let rest = program.next_look().map_or(rest, |soon| rest.min(soon));
        let rest = if owed { rest.min(GLANCE) } else { rest };
        let until_due = due.map_or(PULSE, |at| Duration::from_millis(at.saturating_sub(now_ms()).max(1)));
        rang = bell.wait(rest.min(until_due))?;
    }
    if !(single.is_at(&place) && store.is_in_place()) {
        // The store may be half removed at this moment. A new store in this place has its own courier, which cares for the
        // marks.
        let begun = Instant::now();
        while store.is_half_gone() && begun.elapsed() < REMOVAL {
            std::thread::sleep(RETRY.0 / 10);
        }
        round.take_marks_off();
    }
    Ok(())
}

/// What a survey came to, or why there was none.
enum Surveyed {
    /// No server is left.
    NobodyLeft,
    /// It is not time for one.
    No,
    /// Everything was looked at.
    Again,
    /// It would have shown what the last one did.
    AsBefore,
}

/// Looks at all panes, if it is time for that and something has changed since `last`, and tidies up. Somebody who has just ended is
/// looked for more often, and once more before the mail fails.
fn survey(round: &mut Round<'_>, last: Option<Instant>, failed: &mut Failed) -> Surveyed {
    let ago = last.map_or(Duration::MAX, |at| at.elapsed());
    let expects = failed.take(round.expects_somebody(ago, LEASE_PULSE)) == Some(true);
    let late = ago >= SURVEY_EVERY || expects;
    let due = round.hear()
        || round.is_waiting_for_somebody()
        || late && failed.take(round.is_as_before()) != Some(true);
    let (left, surveyed) = if due || failed.take(round.lost_somebody()).unwrap_or_default() {
        (failed.take(round.survey()), Surveyed::Again)
    } else if late {
        (failed.take(round.check_up()), Surveyed::AsBefore)
    } else {
        return Surveyed::No;
    };
    if left == Some(false) {
        return Surveyed::NobodyLeft;
    }
    failed.take(round.tidy());
    surveyed
}

/// Listens to a new FIFO if the old one was replaced, for example by a backup that was copied over the store. If the FIFO
/// is missing, the store may be about to be removed; the next command makes it again.
fn listen_again(store: &Store, bell: &mut wake::Listener, failed: &mut Failed) {
    if bell.is_replaced(&store.dir().join("wake"))
        && let Some(other) = failed.take(store.listen())
    {
        *bell = other;
    }
}

/// Says what this courier is, and what keeps a newer one from taking over.
fn introduce(store: &Store, program: &Program, trouble: Option<&str>) -> Result<()> {
    store.put_service(&Service {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: program.path().display().to_string(),
        process: process::this()?,
        namespace: process::namespace(),
        trouble: trouble.map(|why| escape::short(why, 300)),
    })
}

/// What went wrong in one round. Nothing of it ends the courier.
#[derive(Default)]
struct Failed(Vec<anyhow::Error>);

impl Failed {
    fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn tell(self, round: &mut Round<'_>) {
        if self.0.is_empty() {
            round.went_well();
        }
        for error in &self.0 {
            round.note(error);
        }
    }
}
