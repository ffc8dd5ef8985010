//! The desk of the link: signs of life, the mirror of the team's leases, and questions about them.
//!
//! It has its own thread and connection. It writes what it may believe to the board before it gives up anything, and
//! after it got something. So a link that is killed at any point leaves a board that says too little, never too much.
//! Its session outlives it: a restarted link continues it, if the engine still knows it.

use super::engine::{self, Engine};
use super::keys::{self, HostKey};
use super::mail::ToMail;
use super::{Flags, Invitations};
use crate::core::address::HostName;
use crate::core::lease::{
    Lease, LeaseOutcome, LeaseSelector, LeaseTable, Notice, PathPattern, Request, Scope, Wait, Waiter, Why,
    words,
};
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use crate::core::team::{Board, Commit, Dead, Observed, Records, Seat, believed_for, decide, decision};
use crate::os::clock;
use crate::store::leases::Part;
use crate::store::team::{Answer, Ask, HostCard, Hosts, LinkState, Member, Membership};
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

/// How often a decision is made again on what others changed meanwhile.
const TRIES: usize = 50;

/// Longer than any lease (ms).
const FOR_EVER: u64 = u64::MAX / 4;

/// Between two tries to connect: grows to the second value.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// What the desk is asked for.
#[derive(Debug)]
pub(super) enum Job {
    /// A question, and the name to answer it by.
    Ask(String, Ask),
    /// Something of this host's may have changed.
    Settle,
}

/// This host's session, as it is kept over restarts of the link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    id: String,
    /// In which boot it was begun: no holder outlives it.
    boot: String,
    /// Whether the engine has taken it: then it is never begun a second time.
    joined: bool,
    /// The highest version and number that the engine has shown.
    pub(super) version: u64,
    pub(super) last: u64,
}

/// Everything that the desk knows.
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
    /// What was held when the session was lost.
    lost: Vec<Lease>,
}

/// A lease of the own store that the team is to know of.
struct Local {
    lease: Lease,
    paths: Vec<PathPattern>,
}

/// What the desk does next.
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
        // Of before a kill: what the engine says counts, but who held something is told if it is lost.
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
            seats: Vec::new(),
            records,
            fresh_records: false,
            // What a killed link wrote down still holds.
            believe_until: known.map_or(0, |b| b.believe_until),
            hosts,
            rosters: 0,
            published: None,
            next_beat: Instant::now(),
            waits: BTreeMap::new(),
            lost: Vec::new(),
        })
    }

    /// Serves for ever; ends with an error that no further try changes.
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

    /// Waits for something while there is no connection; who asks meanwhile is told so at once.
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
            let engine = Engine::connect(&socket, &token).await?;
            let hello = engine.call("hello", json!({})).await?;
            engine.listen("swarm").await?;
            anyhow::Ok((engine, hello))
        };
        let (mut engine, hello) = self.unless_asked(connecting).await??;
        self.check(&hello)?;
        self.fresh_records = false;
        self.rosters = 0;
        self.published = None;
        self.beat(&engine).await?;
        loop {
            let next = tokio::select! {
                job = self.jobs.recv() => Next::Job(job),
                note = engine.notes.recv() => Next::Note(note),
                () = sleep_until(self.next_beat) => Next::Beat,
            };
            match next {
                Next::Job(None) => bail!("the link ends"),
                Next::Job(Some(Job::Ask(name, ask))) => self.asked(&engine, &name, &ask).await?,
                Next::Job(Some(Job::Settle)) => self.catch_up(&engine).await?,
                Next::Note(None) => bail!("the connection to the engine was lost"),
                Next::Note(Some(note)) => {
                    let mut notes = vec![note];
                    while let Ok(note) = engine.notes.try_recv() {
                        notes.push(note);
                    }
                    if notes.iter().any(|n| n == "r") {
                        self.beat(&engine).await?;
                    } else {
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

    /// Gives a sign of life, and takes in what is new.
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
            if answer["mail"].as_u64() > Some(0) {
                let _ = self.mail.try_send(ToMail::Fetch);
            }
            if answer["ok"] == true {
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
            // Somebody has declared this host dead: it begins again, and what it held may be somebody else's.
            self.lost.extend(self.own_leases());
            self.session = new_session(&self.session.boot, Some(&self.session))?;
            self.believe_until = 0;
            self.forget_board()?;
            self.keep_session()?;
        }
        bail!("the engine takes no sign of life of this host")
    }

    /// What a sign of life says at that time (ms of the boot clock).
    fn sign_of_life(&self, roster: &[Member], now_ms: u64) -> Result<Value> {
        let mut args =
            json!({"session": self.session.id, "fresh": !self.session.joined, "rosters": self.rosters});
        if self.published.as_deref() != Some(roster) {
            args["roster"] = serde_json::to_value(roster)?;
        }
        // The host's own former session, silent for the whole time: of before a reboot.
        let own = self.seats.iter().find(|s| s.host == self.me.host && s.session != self.session.id);
        let dead = self.observed.dead(now_ms, self.ttl_ms);
        if let Some(old) = own.and_then(|own| dead.into_iter().find(|d| d.session == own.session)) {
            args["replaces"] = serde_json::to_value(&old)?;
        }
        Ok(args)
    }

    /// The engine has taken the sign of life that was sent, and answered, at these times (ms of the boot clock).
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

    fn forget_board(&mut self) -> Result<()> {
        self.believe_until = 0;
        self.records = Records::default();
        self.fresh_records = false;
        self.publish()
    }

    fn own_leases(&self) -> Vec<Lease> {
        self.records
            .leases
            .iter()
            .filter(|l| decision::session_of(&l.holder) == self.session.id)
            .cloned()
            .collect()
    }

    /// Writes down what may be believed.
    fn publish(&self) -> Result<()> {
        self.publish_without(&[])
    }

    fn publish_without(&self, fences: &[u64]) -> Result<()> {
        let leases = self.records.leases.iter().filter(|l| !fences.contains(&l.fence)).cloned().collect();
        self.store.put_board(&Board {
            host: self.me.host.clone(),
            session: self.session.id.clone(),
            believe_until: self.believe_until,
            boot: self.session.boot.clone(),
            heard: self.hosts.link.heard,
            version: self.records.version,
            leases,
            waiters: self.records.waiters.clone(),
        })
    }

    async fn refresh(&mut self, engine: &Engine) -> Result<()> {
        let table = engine.call("snapshot", json!({})).await?;
        self.take_table(&table)
    }

    fn take_table(&mut self, table: &Value) -> Result<()> {
        let number = |key: &str| table[key].as_u64().context("a table that cannot be read");
        let mut records =
            Records { version: number("version")?, last: number("last")?, ..Records::default() };
        if records.version < self.session.version {
            bail!("the engine went back in time");
        }
        for row in table["records"].as_array().into_iter().flatten() {
            let (Some(session), Some(host), Some(number)) = (
                row["session"].as_str(),
                row["host"].as_str().and_then(|h| HostName::new(h).ok()),
                row["number"].as_u64(),
            ) else {
                continue;
            };
            // Whose it is says the engine, not the record. What cannot be read holds nothing.
            let owned = |holder: &mut crate::core::lease::Holder| {
                let start = decision::backing(holder);
                holder.host = Some(host.clone());
                holder.process = Some(ProcessId { pid: 0, start, boot: session.to_owned() });
                holder.command = false;
            };
            if row["kind"] == "lease" {
                if let Ok(mut lease) = serde_json::from_value::<Lease>(row["doc"].clone()) {
                    owned(&mut lease.holder);
                    records.leases.push(Lease { fence: number, ..lease });
                }
            } else if let Ok(mut waiter) = serde_json::from_value::<Waiter>(row["doc"].clone()) {
                owned(&mut waiter.holder);
                records.waiters.push(Waiter { ticket: number, ..waiter });
            }
        }
        self.seats = serde_json::from_value(table["seats"].clone()).context("seats that cannot be read")?;
        self.observed.see(&self.seats, clock::ticks()?.ms);
        if self.session.joined && !self.seats.iter().any(|s| s.session == self.session.id) {
            // Somebody has declared this host dead; the next sign of life will say so.
            self.lost.extend(self.own_leases());
            self.believe_until = 0;
        }
        self.session.version = records.version;
        self.session.last = records.last;
        self.records = records;
        self.fresh_records = true;
        self.publish()
    }

    async fn take_hosts(&mut self, engine: &Engine, answer: &Value) -> Result<()> {
        let now = now_ms();
        let mut keys = BTreeMap::new();
        if let Some(rows) = answer["hosts"].as_array() {
            let mut cards = Vec::new();
            for row in rows {
                let text = |key: &str| row[key].as_str().unwrap_or_default();
                let Ok(name) = HostName::new(text("name")) else { continue };
                let mut known = keys::is_signed(
                    &self.me.admin_key,
                    &keys::card(&self.me.id, name.as_str(), text("pubkey")),
                    text("cert"),
                );
                if !known
                    && self.me.host == self.me.admin
                    && Invitations::admits(&self.store, &name, text("pubkey"), text("mac"))?
                {
                    let cert = self.key.sign(&keys::card(&self.me.id, name.as_str(), text("pubkey")));
                    engine.call("certify", json!({"name": name, "cert": cert})).await?;
                    known = true;
                }
                if known {
                    keys.insert(name.clone(), text("pubkey").to_owned());
                }
                let mut members: Vec<Member> =
                    serde_json::from_value(row["roster"].clone()).unwrap_or_default();
                members.truncate(256);
                for member in &mut members {
                    member.kind = crate::core::escape::short(&member.kind, 32);
                    member.state = crate::core::escape::short(&member.state, 16);
                }
                cards.push(HostCard { name, heard: 0, known, members });
            }
            cards.sort_by(|a, b| a.name.cmp(&b.name));
            self.hosts.hosts = cards;
            self.rosters = answer["rosters"].as_u64().unwrap_or_default();
            let _ = self.mail.try_send(ToMail::Keys(keys));
        }
        for card in &mut self.hosts.hosts {
            let age = answer["ages"][card.name.as_str()].as_i64();
            card.heard = age.map_or(0, |age| now.saturating_sub(u64::try_from(age).unwrap_or_default()));
        }
        Ok(())
    }

    /// The leases of the own store that are about more than this host.
    fn local(&self) -> Result<BTreeMap<u64, Local>> {
        let leases = self.store.leases()?;
        let wide = |p: &&PathPattern| !matches!(p.scope(), Scope::Tree(_));
        let local = leases.table.leases().filter_map(|lease| {
            let paths: Vec<PathPattern> = lease.paths.iter().filter(wide).cloned().collect();
            (!paths.is_empty()).then(|| (lease.fence, Local { lease: lease.clone(), paths }))
        });
        Ok(local.collect())
    }

    async fn asked(&mut self, engine: &Engine, name: &str, ask: &Ask) -> Result<()> {
        let answer = match ask {
            Ask::Look => self.beat(engine).await.map(|()| Answer::Seen(self.hosts.link.rtt_ms)),
            Ask::Take(fence, wait) => self.take(engine, *fence, *wait).await,
        };
        match answer {
            Ok(answer) => self.store.answer_of_team(name, answer),
            Err(error) => {
                let why = format!("{error:#}");
                self.store.answer_of_team(name, Answer::Cut(now_ms(), why))?;
                Err(error)
            }
        }
    }

    /// Has a lease of the own store held in the whole team.
    async fn take(&mut self, engine: &Engine, fence: u64, wait: Option<u64>) -> Result<Answer> {
        let mut fresh = false;
        for _ in 0..TRIES {
            let local = self.local()?;
            let Some(own) = local.get(&fence) else {
                return Ok(Answer::Refused(format!("there is no team lease {fence} here")));
            };
            let request = self.request(own);
            let waits = wait.is_some();
            let (mut outcome, mut commit) = self.decide(&local, &[], |table| acquire(table, &request, waits));
            let dead = self.dead()?;
            if !dead.is_empty() && !matches!(outcome, LeaseOutcome::Granted(_)) {
                let (second, with) = self.decide(&local, &dead, |table| acquire(table, &request, waits));
                if second != outcome {
                    (outcome, commit) = (second, with);
                }
            }
            if matches!(outcome, LeaseOutcome::Denied(_)) && !fresh {
                // What is said of others is as new as can be.
                self.refresh(engine).await?;
                fresh = true;
                continue;
            }
            if !self.commit(engine, &commit).await? {
                continue;
            }
            return Ok(match outcome {
                LeaseOutcome::Granted(grant) => {
                    self.waits.remove(&fence);
                    Answer::Granted(grant.new.or(grant.leases.first().map(|l| l.fence)).unwrap_or_default())
                }
                LeaseOutcome::Queued { ticket, ahead, .. } => {
                    self.waits.insert(fence, clock::ticks()?.ms + wait.unwrap_or_default());
                    Answer::Queued(ticket, ahead)
                }
                LeaseOutcome::Denied(blockers) => Answer::Held(
                    blockers
                        .into_iter()
                        .map(|b| match b.why {
                            Why::Holds(lease) => *lease,
                            Why::Waits(waiter) => stand_in(&waiter),
                        })
                        .collect(),
                ),
                LeaseOutcome::Cycle(_) => Answer::Cycle,
            });
        }
        Ok(Answer::Refused("other hosts were faster too often; try again".to_owned()))
    }

    fn request(&self, own: &Local) -> Request {
        Request {
            holder: decision::holder(
                &self.me.host,
                &self.session.id,
                own.lease.holder.name.clone(),
                own.lease.fence,
            ),
            paths: own.paths.clone(),
            mode: own.lease.mode,
            // It ends with what it stands for, never by itself.
            ttl_ms: FOR_EVER,
            reason: own.lease.reason.clone(),
            auto: own.lease.auto,
        }
    }

    fn decide<T>(
        &self,
        local: &BTreeMap<u64, Local>,
        dead: &[Dead],
        f: impl FnOnce(&mut LeaseTable) -> T,
    ) -> (T, Commit) {
        let backed = |h: &crate::core::lease::Holder| -> Option<Name> {
            local.get(&decision::backing(h)).map(|own| own.lease.holder.name.clone())
        };
        decide(&self.records, &self.session.id, dead, backed, now_ms(), f)
    }

    fn dead(&self) -> Result<Vec<Dead>> {
        let mut dead = self.observed.dead(clock::ticks()?.ms, self.ttl_ms);
        dead.retain(|d| d.session != self.session.id);
        Ok(dead)
    }

    /// Has the engine take a decision. `false`: it was made on something that has changed, and is to be made again.
    async fn commit(&mut self, engine: &Engine, commit: &Commit) -> Result<bool> {
        if commit.is_empty() {
            return Ok(true);
        }
        // What is given back is believed no longer before anybody else can have it.
        self.publish_without(&commit.drop_leases)?;
        crate::store::fault::point("link-before-commit");
        let put = |kind: &str, number: u64, doc: Value| json!({"kind": kind, "number": number, "doc": doc});
        let mut puts = Vec::new();
        for lease in &commit.leases {
            puts.push(put("lease", lease.fence, serde_json::to_value(lease)?));
        }
        for waiter in &commit.waiters {
            puts.push(put("waiter", waiter.ticket, serde_json::to_value(waiter)?));
        }
        let drop = |kind: &str, number: &u64| json!({"kind": kind, "number": number});
        let drops: Vec<Value> = (commit.drop_leases.iter().map(|n| drop("lease", n)))
            .chain(commit.drop_waiters.iter().map(|n| drop("waiter", n)))
            .collect();
        let args = json!({
            "session": self.session.id, "version": self.records.version, "last": commit.last,
            "puts": puts, "drops": drops, "dead": commit.dead,
        });
        let answer = engine.call("commit", args).await?;
        crate::store::fault::point("link-after-commit");
        match answer["status"].as_str() {
            Some("ok") => {
                let version = answer["version"].as_u64().context("a decision without a version")?;
                self.records.apply(commit, version);
                self.session.version = version;
                self.session.last = self.records.last;
                self.seats.retain(|s| !commit.dead.iter().any(|d| d.session == s.session));
                self.keep_session()?;
                self.publish()?;
                Ok(true)
            }
            Some("stale" | "alive") => {
                self.take_table(&answer["table"])?;
                Ok(false)
            }
            Some("fenced") => {
                self.next_beat = Instant::now();
                bail!("this host's session has ended at the engine")
            }
            _ => bail!("a decision without an answer"),
        }
    }

    /// Brings the engine up to date with the own store: what is gone here goes there, and who waited and whose turn it is gets it.
    async fn catch_up(&mut self, engine: &Engine) -> Result<()> {
        if !self.fresh_records {
            return Ok(());
        }
        for _ in 0..TRIES {
            let local = self.local()?;
            self.waits.retain(|fence, _| local.contains_key(fence));
            self.end_waits(&local)?;
            let waiting = self.waiting(&local);
            let serve = |table: &mut LeaseTable| -> Vec<u64> {
                let granted = |(_, request): &&(u64, Request)| {
                    matches!(acquire(table, request, true), LeaseOutcome::Granted(_))
                };
                waiting.iter().filter(granted).map(|(fence, _)| *fence).collect()
            };
            let (mut granted, mut commit) = self.decide(&local, &[], serve);
            let dead = self.dead()?;
            if granted.len() < waiting.len() && !dead.is_empty() {
                let (more, with) = self.decide(&local, &dead, serve);
                if more.len() > granted.len() {
                    (granted, commit) = (more, with);
                }
            }
            if !self.commit(engine, &commit).await? {
                continue;
            }
            for fence in granted {
                self.waits.remove(&fence);
                if let Some(own) = local.get(&fence).filter(|own| !own.lease.holder.command) {
                    let text = format!(
                        "your team lease {fence} on {} is granted: it is yours now",
                        words::list(&own.paths)
                    );
                    self.tell(&own.lease.holder.name, text)?;
                }
            }
            return self.challenge(&local);
        }
        Ok(())
    }

    /// The leases of the own store that wait for the team, with what they ask for.
    fn waiting(&self, local: &BTreeMap<u64, Local>) -> Vec<(u64, Request)> {
        let own = self.records.waiters.iter().filter(|w| decision::session_of(&w.holder) == self.session.id);
        own.filter_map(|w| {
            let fence = decision::backing(&w.holder);
            local.get(&fence).map(|own| (fence, self.request(own)))
        })
        .collect()
    }

    /// Whose time is over waits no more.
    fn end_waits(&mut self, local: &BTreeMap<u64, Local>) -> Result<()> {
        let now = clock::ticks()?.ms;
        let over: Vec<u64> =
            self.waits.iter().filter(|(_, until)| **until <= now).map(|(fence, _)| *fence).collect();
        for fence in over {
            self.waits.remove(&fence);
            if let Some(own) = local.get(&fence) {
                self.give_back(&own.lease)?;
                if !own.lease.holder.command {
                    let text =
                        format!("you waited for {} in the team and did not get it", words::list(&own.paths));
                    self.tell(&own.lease.holder.name, text)?;
                }
            }
        }
        Ok(())
    }

    fn give_back(&self, lease: &Lease) -> Result<()> {
        self.store
            .change_leases(Part::Numbers(&[lease.fence]), |table| {
                table.release(&lease.holder, LeaseSelector::Fence(lease.fence))
            })
            .map(drop)
    }

    /// Asks holders here to renew what has expired and what somebody on another host waits for.
    fn challenge(&self, local: &BTreeMap<u64, Local>) -> Result<()> {
        let others =
            self.records.waiters.iter().filter(|w| decision::session_of(&w.holder) != self.session.id);
        let now = clock::now()?;
        for waiter in others {
            let wanted = |own: &&Local| {
                own.lease.challenge.is_none()
                    && own.lease.expires.has_passed(&now)
                    && own.paths.iter().any(|p| waiter.paths.iter().any(|q| p.overlaps(q)))
            };
            for own in local.values().filter(wanted) {
                self.store.change_leases(Part::Numbers(&[own.lease.fence]), |table| {
                    table.challenge_for(own.lease.fence, &waiter.holder.name);
                })?;
            }
        }
        Ok(())
    }

    /// After the session was lost: what its holders still want is asked for again; who is too late is told.
    async fn take_back(&mut self, engine: &Engine) -> Result<()> {
        for lost in std::mem::take(&mut self.lost) {
            let fence = decision::backing(&lost.holder);
            let Some(own) = self.local()?.remove(&fence) else { continue };
            let answer = Box::pin(self.take(engine, fence, None)).await?;
            let Answer::Held(by) = answer else { continue };
            self.give_back(&own.lease)?;
            let who = by.first().map_or_else(String::new, |l| l.holder.address().to_string());
            let text = format!(
                "your team lease {} on {} went to {who} while this host was cut off: do not edit there",
                lost.fence,
                words::list(&lost.paths)
            );
            self.tell(&own.lease.holder.name, text)?;
        }
        Ok(())
    }

    fn tell(&self, to: &Name, text: String) -> Result<()> {
        self.store.transact(|tx| tx.put_notice(&Notice { to: to.clone(), kind: MessageType::Info, text }))?;
        self.store.post_notices().map(drop)
    }
}

fn acquire(table: &mut LeaseTable, request: &Request, waits: bool) -> LeaseOutcome {
    let until = table.now().after(FOR_EVER);
    let wait = Wait { until, holder: request.holder.clone(), chain: Vec::new() };
    table.acquire(request, waits.then_some(&wait))
}

/// One who waits first, shown as what it will have.
fn stand_in(waiter: &Waiter) -> Lease {
    Lease {
        fence: waiter.ticket,
        holder: waiter.holder.clone(),
        paths: waiter.paths.clone(),
        mode: waiter.mode,
        auto: false,
        reason: None,
        since: waiter.since,
        expires: waiter.until.clone(),
        challenge: None,
    }
}

/// A pause that nobody is kept waiting by.
pub(super) async fn pause(time: Duration) {
    sleep(time).await;
}
