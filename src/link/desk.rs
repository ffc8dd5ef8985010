//! The desk of the link: signs of life, the mirror of the team's leases, and questions about them.
//!
//! It has its own thread and connection. It removes a lease from the board before it gives the lease back, and adds a
//! lease only after the engine has granted it. So a link that is killed at any point leaves a board that says too
//! little, never too much. Its session outlives it: a restarted link continues the session, if the engine still knows
//! it.

mod grants;
mod table;

use super::Flags;
use super::engine::{self, Engine};
use super::incoming::ToMail;
use super::keys::{self, HostKey};
use crate::core::lease::Lease;
use crate::core::team::{Observed, Records, Seat, believed_for};
use crate::os::clock;
use crate::store::team::{Answer, Ask, Hosts, LinkState, Member, Membership};
use crate::store::{Store, now_ms};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// The pause between two tries to connect: it grows to the second value.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// A task for the desk.
#[derive(Debug)]
pub(super) enum Job {
    /// A question, and the name for its answer.
    Ask(String, Ask),
    /// Something of this host may have changed.
    Settle,
}

/// This host's session, which survives restarts of the link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    id: String,
    /// The boot in which it began: no holder outlives the boot.
    boot: String,
    /// Whether the engine has accepted it. It is then never begun a second time.
    joined: bool,
    /// The highest version and number that the engine has shown.
    pub(super) version: u64,
    pub(super) last: u64,
}

/// The state of the desk.
pub(super) struct Desk {
    store: Store,
    me: Membership,
    key: HostKey,
    socket: PathBuf,
    flags: Arc<Flags>,
    jobs: mpsc::Receiver<Job>,
    mail: mpsc::Sender<ToMail>,
    session: Session,
    ttl_ms: u64,
    observed: Observed,
    /// How many signs of life of this session the engine had counted at the last one of this connection, and how many
    /// times in a row these were more than this link gave.
    counted: Option<u64>,
    strange: u8,
    seats: Vec<Seat>,
    records: Records,
    fresh_records: bool,
    believe_until: u64,
    hosts: Hosts,
    rosters: u64,
    published: Option<Vec<Member>>,
    next_beat: Instant,
    /// Until when leases of the own store wait for the team (by the clock that counts sleep), by their numbers.
    waits: BTreeMap<u64, u64>,
    /// The leases that were held when the session was lost.
    lost: Vec<Lease>,
}

/// The next act of the desk.
enum Next {
    Job(Option<Job>),
    Note(Option<String>),
    Beat,
}

fn new_session(boot: &str, before: Option<&Session>) -> Result<Session> {
    Ok(Session {
        id: keys::hex(&keys::random::<8>()?),
        boot: boot.to_owned(),
        joined: false,
        version: before.map_or(0, |s| s.version),
        last: before.map_or(0, |s| s.last),
    })
}

impl Desk {
    pub(super) fn new(
        store: Store,
        me: Membership,
        socket: PathBuf,
        flags: Arc<Flags>,
        jobs: mpsc::Receiver<Job>,
        mail: mpsc::Sender<ToMail>,
    ) -> Result<Self> {
        let boot = clock::ticks()?.boot;
        let known = store.link_session::<Session>()?;
        let session = match known {
            Some(known) if known.boot == boot => known,
            known => new_session(&boot, known.as_ref())?,
        };
        let mut hosts = store.hosts()?;
        hosts.link.cut.get_or_insert((now_ms(), "the link has just started".to_owned()));
        let known = store.board()?.filter(|b| b.session == session.id && b.boot == boot);
        // From before a kill: the engine's records count, but a holder that has lost its lease gets a notice.
        let records = Records {
            leases: known.as_ref().map(|b| b.leases.clone()).unwrap_or_default(),
            ..Records::default()
        };
        Ok(Self {
            key: HostKey::new(&me.seed)?,
            store,
            me,
            socket,
            flags,
            jobs,
            mail,
            session,
            ttl_ms: 15_000,
            observed: Observed::default(),
            counted: None,
            strange: 0,
            seats: Vec::new(),
            records,
            fresh_records: false,
            // The record of a killed link is still valid.
            believe_until: known.map_or(0, |b| b.believe_until),
            hosts,
            rosters: 0,
            published: None,
            next_beat: Instant::now(),
            waits: BTreeMap::new(),
            lost: Vec::new(),
        })
    }

    /// Serves for ever; ends only with an error that no further try changes.
    pub(super) async fn run(mut self) -> Result<()> {
        let mut pause = RETRY.0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.serve().await;
            if engine::refusal(&error).is_some_and(|r| r.code == "SW001") {
                self.cut(&format!("{error:#}"))?;
                self.forget_board()?;
                return Err(
                    error.context("this host is not in the team any more (swarm team leave cleans up)")
                );
            }
            self.cut(&format!("{error:#}"))?;
            self.flags.cut.store(true, Ordering::Relaxed);
            pause =
                if begun.elapsed() > Duration::from_secs(10) { RETRY.0 } else { (pause * 2).min(RETRY.1) };
            let until = Instant::now() + pause;
            self.unless_asked(sleep_until(until)).await?;
        }
    }

    /// Waits for `waited` while there is no connection. Callers that ask meanwhile are told so at once.
    async fn unless_asked<T>(&mut self, waited: impl Future<Output = T>) -> Result<T> {
        tokio::pin!(waited);
        loop {
            tokio::select! {
                done = &mut waited => return Ok(done),
                job = self.jobs.recv() => match job {
                    Some(Job::Ask(name, _)) => {
                        let (since, why) = self.hosts.link.cut.clone().unwrap_or((now_ms(), String::new()));
                        self.store.answer_of_team(&name, Answer::Cut(since, why))?;
                    }
                    Some(Job::Settle) => {}
                    None => bail!("the link ends"),
                },
            }
        }
    }

    fn cut(&mut self, why: &str) -> Result<()> {
        let why = crate::core::escape::short(why, 200);
        match &mut self.hosts.link.cut {
            Some((_, known)) if *known == why => return Ok(()),
            Some((_, known)) => *known = why,
            none => *none = Some((now_ms(), why)),
        }
        self.store.put_hosts(&self.hosts)
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible> {
        let (socket, token) = (self.socket.clone(), self.me.token.clone());
        let connecting = async move {
            let (engine, notes) = Engine::connect(&socket, &token).await?;
            let hello = engine.call("hello", json!({})).await?;
            engine.listen("swarm").await?;
            anyhow::Ok((engine, notes, hello))
        };
        let (engine, mut notes, hello) = self.unless_asked(connecting).await??;
        self.check(&hello)?;
        self.fresh_records = false;
        self.rosters = 0;
        (self.counted, self.strange) = (None, 0);
        self.published = None;
        self.beat(&engine).await?;
        loop {
            let next = tokio::select! {
                job = self.jobs.recv() => Next::Job(job),
                note = notes.recv() => Next::Note(note),
                () = sleep_until(self.next_beat) => Next::Beat,
            };
            match next {
                Next::Job(None) => bail!("the link ends"),
                Next::Job(Some(Job::Ask(name, ask))) => self.asked(&engine, &name, &ask).await?,
                Next::Job(Some(Job::Settle)) => self.catch_up(&engine).await?,
                Next::Note(None) => bail!("the connection to the engine was lost"),
                Next::Note(Some(note)) => {
                    let mut news = vec![note];
                    while let Ok(note) = notes.try_recv() {
                        news.push(note);
                    }
                    news.retain(|note| !self.is_known(note));
                    if news.iter().any(|n| n.starts_with('r')) {
                        self.beat(&engine).await?;
                    } else if !news.is_empty() {
                        self.refresh(&engine).await?;
                        self.catch_up(&engine).await?;
                    }
                }
                Next::Beat => self.beat(&engine).await?,
            }
        }
    }

    fn check(&mut self, hello: &Value) -> Result<()> {
        if hello["schema"].as_u64() != Some(engine::SCHEMA_VERSION) {
            bail!(
                "the engine's tables are of version {}, this program knows {}",
                hello["schema"],
                engine::SCHEMA_VERSION
            );
        }
        if hello["durable"] != true {
            bail!(
                "the engine does not write durably (fsync, synchronous_commit and full_page_writes must be on): it is not used"
            );
        }
        if hello["id"].as_str() != Some(&self.me.id) || hello["host"].as_str() != Some(self.me.host.as_str())
        {
            bail!("this is the engine of another team");
        }
        self.ttl_ms = hello["ttl_ms"].as_u64().unwrap_or(15_000);
        self.hosts.link.engine = hello["postgres"].as_str().unwrap_or_default().chars().take(40).collect();
        Ok(())
    }

    /// Gives a sign of life, and takes the engine's changes.
    async fn beat(&mut self, engine: &Engine) -> Result<()> {
        self.next_beat = Instant::now() + Duration::from_millis(self.ttl_ms / 5);
        for _ in 0..2 {
            let roster = self.store.roster()?;
            let sent = clock::ticks()?.ms;
            let answer = engine.call("beat", self.sign_of_life(&roster, sent)?).await?;
            let now = clock::ticks()?.ms;
            let version = answer["version"].as_u64().context("a sign of life without an answer")?;
            if version < self.session.version {
                bail!(
                    "the engine went back in time (version {version}, {} was seen): it was restored, or lost records. Nobody gets a team lease until the host that made the team runs: swarm team reset --yes",
                    self.session.version
                );
            }
            self.published = Some(roster);
            self.seats =
                serde_json::from_value(answer["seats"].clone()).context("seats that cannot be read")?;
            self.observed.see(&self.seats, now);
            self.take_hosts(engine, &answer).await?;
            if let Some(count) = answer["mail"].as_u64().filter(|count| *count > 0) {
                let _ = self.mail.try_send(ToMail::Fetch(count));
            }
            if answer["ok"] == true {
                if self.is_shared() {
                    self.begin_again()?;
                    bail!(
                        "another machine gives signs of life as this host: a copy of it runs, or of its store. On one of them: swarm team leave --force, and join with another name"
                    );
                }
                return self.heard(engine, version, (sent, now)).await;
            }
            if !self.session.joined {
                let own = self.seats.iter().find(|s| s.host == self.me.host);
                bail!(
                    "another session of {} is in the team{}",
                    self.me.host,
                    if own.is_some() {
                        ": this host's before a restart, or another machine with this name; it ends when it is silent"
                    } else {
                        ""
                    }
                );
            }
            // Another host has declared this host dead.
            self.begin_again()?;
        }
        bail!("the engine takes no sign of life of this host")
    }

    /// Whether another link gives signs of life for this host's session: both would believe that they hold its
    /// leases. One sign too many may be of a link that was killed, and have arrived late.
    fn is_shared(&mut self) -> bool {
        let counted = self.seats.iter().find(|s| s.session == self.session.id).map(|s| s.beats);
        let known = std::mem::replace(&mut self.counted, counted);
        let is_more = known.zip(counted).is_some_and(|(known, counted)| counted > known + 1);
        self.strange = if is_more { self.strange + 1 } else { 0 };
        self.strange >= 2
    }

    /// Begins a new session: leases of the former one may belong to others.
    fn begin_again(&mut self) -> Result<()> {
        self.lost.extend(self.own_leases());
        self.session = new_session(&self.session.boot, Some(&self.session))?;
        self.believe_until = 0;
        self.forget_board()?;
        self.keep_session()
    }

    /// The contents of a sign of life at that time (ms of the boot clock).
    fn sign_of_life(&self, roster: &[Member], now_ms: u64) -> Result<Value> {
        let mut args =
            json!({"session": self.session.id, "fresh": !self.session.joined, "rosters": self.rosters});
        if self.published.as_deref() != Some(roster) {
            args["roster"] = serde_json::to_value(roster)?;
        }
        // The host's own former session, silent for the whole time: from before a reboot.
        let own = self.seats.iter().find(|s| s.host == self.me.host && s.session != self.session.id);
        let dead = self.observed.dead(now_ms, self.ttl_ms);
        if let Some(old) = own.and_then(|own| dead.into_iter().find(|d| d.session == own.session)) {
            args["replaces"] = serde_json::to_value(&old)?;
        }
        Ok(args)
    }

    /// Records that the engine has accepted the sign of life that was sent, and answered, at these times (ms of the
    /// boot clock).
    async fn heard(&mut self, engine: &Engine, version: u64, (sent, now): (u64, u64)) -> Result<()> {
        self.session.joined = true;
        self.session.version = version;
        self.believe_until = sent + believed_for(self.ttl_ms);
        self.hosts.link =
            LinkState { heard: now_ms(), rtt_ms: now - sent, cut: None, ..self.hosts.link.clone() };
        self.flags.cut.store(false, Ordering::Relaxed);
        self.store.put_hosts(&self.hosts)?;
        if !self.fresh_records || self.records.version != version {
            self.refresh(engine).await?;
        } else {
            self.publish()?;
        }
        self.keep_session()?;
        self.take_back(engine).await?;
        self.catch_up(engine).await
    }

    fn keep_session(&self) -> Result<()> {
        self.store.put_link_session(&self.session)
    }
}

/// A pause that blocks no thread.
pub(super) async fn pause(time: Duration) {
    sleep(time).await;
}
