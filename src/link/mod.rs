//! The link of this host to its team's engine: one process per project, of the program `swarm-link`.
//!
//! A flock for its life keeps it single. The courier starts it, and so do commands that need it. The desk (signs of
//! life, leases) and the mail have a thread and a connection each, so neither waits for the other. This thread
//! listens to the FIFO, passes questions on, and keeps the way to the engine open. Everything that must outlive the
//! link is in the store or at the engine, so it may be killed at any instant.

mod cluster;
mod desk;
mod engine;
mod incoming;
mod keys;
mod mail;
mod outgoing;
mod receipts;
pub mod setup;
mod tunnel;

use crate::core::address::HostName;
use crate::store::team::{Engine as Way, Membership, link_lock};
use crate::store::wake::Listener;
use crate::store::{Store, key, lock, now_ms};
use anyhow::{Context as _, Result, bail};
use cluster::Cluster;
use desk::{Desk, Job};
use mail::MailCarrier;
use serde::{Deserialize, Serialize};
use signal_hook::consts::SIGTERM;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tunnel::Tunnel;

/// How often the way to the engine is checked.
const LOOK: Duration = Duration::from_secs(1);

/// How long it runs without a courier and without questions.
const IDLE: Duration = Duration::from_secs(600);

/// The most tasks that wait for the desk.
const JOBS: usize = 1024;

/// The state that the threads share.
#[derive(Debug, Default)]
struct Flags {
    /// The engine could not be reached.
    cut: AtomicBool,
}

/// The invitations of this host that are still open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Invitations {
    open: Vec<(String, u64)>,
}

impl Invitations {
    fn load(store: &Store) -> Result<Self> {
        let mut all = store.invitations::<Self>()?.unwrap_or_default();
        all.open.retain(|(_, until)| *until > now_ms());
        Ok(all)
    }

    /// Whether a newcomer's key is sealed with one of them.
    fn admits(store: &Store, host: &HostName, public: &str, seal: &str) -> Result<bool> {
        let all = Self::load(store)?;
        Ok(!seal.is_empty() && all.open.iter().any(|(code, _)| keys::seal(code, host, public) == seal))
    }
}

/// The way to the engine, kept open.
enum Keeper {
    Own(Cluster),
    Given,
    Tunnel(Tunnel),
}

impl Keeper {
    fn of(store: &Store, me: &Membership) -> Result<(Self, PathBuf)> {
        Ok(match &me.engine {
            Way::Own(dir) => {
                let cluster = Cluster::of(dir)?;
                let socket = cluster.socket();
                (Self::Own(cluster), socket)
            }
            Way::Socket(dir) => (Self::Given, dir.clone()),
            Way::Ssh { to, socket } => {
                let tunnel = Tunnel::new(to, socket, &me.id, &key::state_home()?, store)?;
                let local = tunnel.socket();
                (Self::Tunnel(tunnel), local)
            }
        })
    }

    /// Does what is possible for a connection. A failure is tried again; the reason is for the log.
    fn look(&mut self, cut: bool) -> Option<String> {
        match self {
            Self::Own(cluster) if cut => cluster.start().err().map(|e| format!("{e:#}")),
            Self::Tunnel(tunnel) => tunnel.look().err().map(|e| format!("{e:#}")),
            Self::Own(_) | Self::Given => None,
        }
    }
}

/// Runs the link until its project leaves the team, or is gone. Returns at once if another one runs. `revive` starts
/// a courier if none runs and one is needed: mail of other hosts also arrives while nobody here runs a command.
pub fn run(store: &Store, revive: impl Fn(&Store)) -> Result<()> {
    let place = link_lock(store);
    let given = lock::inherited(&place)?;
    let Some(single) = given.map_or_else(|| lock::try_exclusive(&place), |held| Ok(Some(held)))? else {
        return Ok(());
    };
    let asked_to_end = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(SIGTERM, Arc::clone(&asked_to_end))
        .context("cannot handle signals")?;
    signal_hook::flag::register(SIGTERM, Arc::clone(&asked_to_end)).context("cannot handle signals")?;
    let me = store.membership()?.context("this project is in no team")?;
    let mut bell = Listener::open(&store.team_dir().join("bell"))?;
    let (mut keeper, socket) = Keeper::of(store, &me)?;
    let flags = Arc::new(Flags::default());
    flags.cut.store(true, Ordering::Relaxed);
    let (jobs, inbox) = mpsc::channel(JOBS);
    let (orders, order_box) = mpsc::channel(JOBS);
    let desk = Desk::new(store.clone(), me.clone(), socket.clone(), Arc::clone(&flags), inbox, orders)?;
    let carrier = MailCarrier::new(store.clone(), me, socket, order_box)?;
    let ring_mail = carrier.bell();
    let desk = thread("desk", desk.run())?;
    let carrier = thread("mail", carrier.run())?;
    let mut used = Instant::now();
    let mut swept = Instant::now();
    let mut rang = true;
    while single.is_at(&place)
        && store.is_in_place()
        && store.has_team()
        && !asked_to_end.load(Ordering::Relaxed)
        && !desk.is_finished()
    {
        for (name, ask) in store.asked_of_team()? {
            used = Instant::now();
            if jobs.try_send(Job::Ask(name, ask)).is_err() {
                // The desk has more tasks than it can handle: the question is not kept.
                break;
            }
        }
        if rang {
            let _ = jobs.try_send(Job::Settle);
            ring_mail();
        }
        if let Some(why) = keeper.look(flags.cut.load(Ordering::Relaxed)) {
            store.note_link(&why)?;
        }
        if store.is_served()? {
            used = Instant::now();
        } else if used.elapsed() > IDLE {
            break;
        } else {
            revive(store);
        }
        if swept.elapsed() > Duration::from_secs(600) {
            swept = Instant::now();
            store.sweep_team()?;
        }
        if carrier.is_finished() && !desk.is_finished() {
            bail!("the thread that carries the mail has ended");
        }
        rang = bell.wait(LOOK)?;
    }
    drop(jobs);
    if desk.is_finished()
        && let Ok(Err(error)) = desk.join()
    {
        store.note_link(&format!("{error:#}"))?;
    }
    Ok(())
}

/// A thread that runs one task and its subtasks.
fn thread<F>(name: &str, task: F) -> Result<std::thread::JoinHandle<Result<()>>>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task))
        .context("cannot start a thread")
}

/// Runs one task to its end, for a command.
fn block_on<T>(task: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task)
}

/// Keeps the engine of a team running for a host that came by ssh, for as long as the connection lasts.
pub fn serve(id: &str) -> Result<()> {
    let cluster = Cluster::of(&setup::dir_of(id)?)?;
    if !cluster.exists() {
        bail!("there is no team {} on this machine", crate::core::escape::short(id, 40));
    }
    cluster.start()?;
    tunnel::hear(std::io::stdin().lock(), tunnel::SILENCE)
}

/// The highest version and number of the engine's records that this host has seen.
pub fn seen(store: &Store) -> Result<(u64, u64)> {
    Ok(store.link_session::<desk::Session>()?.map_or((0, 0), |s| (s.version, s.last)))
}
