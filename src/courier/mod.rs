//! The courier: one process per project, which types into panes and does everything that is due at a certain time.
//!
//! A flock for its life keeps it single. A byte in a FIFO wakes it. It ends with the last tmux server that it knows.
//! A server that does not answer delays only its own agents.
//!
//! Everything it knows is in the store, so killing it at any instant loses and repeats nothing. Its [`keeper`] then
//! starts another one. A task that fails (on a full disk) is tried again in the next round. When its program is
//! replaced, it hands over to the new one ([`succession`]). If its store is removed, moved, or made again in the same
//! place, it removes its marks from the panes and ends. When idle it sleeps in one `poll`, and from time to time
//! checks its agents' pids and the files of its program, settings and profiles.

mod announcer;
pub mod coordination;
mod counts;
pub mod delivery;
pub mod gate;
mod jobs;
pub mod keeper;
pub mod keys;
pub mod letters;
mod lookout;
pub mod memo;
mod policy;
mod proof;
mod quiet;
mod round;
mod schedule;
mod serve;
pub mod servers;
pub mod start;
pub mod status_line;
pub mod succession;
mod summons;

use crate::core::escape;
use crate::os::process;
use crate::store::service::Service;
use crate::store::{Store, fault, lock, wake};
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use keeper::Keeper;
use round::{Courier, Failures};
use schedule::RETRY;
use signal_hook::consts::SIGTERM;
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use succession::Program;

/// How long the removal of a store may take.
const REMOVAL: Duration = Duration::from_secs(5);

/// Runs the courier until its tmux servers, or its store, are gone. Returns at once if another one runs. `fallen`
/// is how many couriers in a row died soon after their start. Calls `serves` when it is ready.
pub fn run(store: &Store, first: &Server, fallen: u32, serves: impl FnOnce()) -> Result<()> {
    let place = store.dir().join("courier.lock");
    let given = lock::inherited(&place)?;
    let Some(single) = given.map_or_else(|| lock::try_exclusive(&place), |held| Ok(Some(held)))? else {
        return Ok(());
    };
    // The first request takes effect between two rounds, the second at once.
    let asked_to_end = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGTERM, Arc::clone(&asked_to_end))
        .context("cannot handle signals")?;
    flag::register(SIGTERM, Arc::clone(&asked_to_end)).context("cannot handle signals")?;
    let mut program = Program::running()?;
    // Before it listens: a command that finds no such record takes this courier for an old one.
    let introduced = introduce(store, &program, None);
    // The FIFO is open before the first look at the mail, so no ring is missed in between.
    let mut bell = store.listen()?;
    let mut keeper = Keeper::post(store, first, fallen);
    fault::point("courier-started");
    let mut courier = Courier::new(store, first);
    if let Err(error) = introduced {
        courier.failures.note(store, &error);
    }
    let mut serves = Some(serves);
    while single.is_at(&place) && store.is_in_place() && !asked_to_end.load(Ordering::Relaxed) {
        if program.is_replaced() {
            match program.hand_over(store, &courier.socket(), &single) {
                Ok(()) => break,
                Err(why) => {
                    let path = program.path().display();
                    let why = format!("the program that is now at {path} cannot take over: {why:#}");
                    courier.failures.take(introduce(store, &program, Some(&why)));
                    courier.failures.note(store, &anyhow::anyhow!(why));
                }
            }
        }
        listen_again(store, &mut bell, &mut courier.failures);
        keeper.renew(store, &courier.socket());
        let Some(rest) = courier.round() else { break };
        if let Some(serves) = serves.take() {
            serves();
        }
        let rest = program.next_look().map_or(rest, |soon| rest.min(soon));
        courier.schedule.woke(bell.wait(rest)?);
    }
    keeper.relieve();
    if !(single.is_at(&place) && store.is_in_place()) {
        // The store may be half removed at this moment. A new store in this place has its own courier, which handles
        // the marks.
        let begun = Instant::now();
        while store.is_half_gone() && begun.elapsed() < REMOVAL {
            std::thread::sleep(RETRY.0 / 10);
        }
        courier.take_marks_off();
    }
    Ok(())
}

/// Listens to a new FIFO if the old one was replaced, for example by a backup that was copied over the store. If the
/// FIFO is missing, the store may be about to be removed; the next command makes it again.
fn listen_again(store: &Store, bell: &mut wake::Listener, failures: &mut Failures) {
    if bell.is_replaced(&store.dir().join("wake"))
        && let Some(other) = failures.take(store.listen())
    {
        *bell = other;
    }
}

/// Records this courier, and what keeps a newer one from taking over.
fn introduce(store: &Store, program: &Program, trouble: Option<&str>) -> Result<()> {
    store.put_service(&Service {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: program.path().display().to_string(),
        process: process::this()?,
        namespace: process::namespace(),
        trouble: trouble.map(|why| escape::short(why, 300)),
    })
}
