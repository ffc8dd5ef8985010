//! Leases in the team. Each is backed by a lease of the own store, is decided here on the engine's last records, and
//! counts when the engine has accepted the decision. A link that is killed in between leaves nothing, or a lease that
//! nobody here believes: its next look gives that back.

use super::Desk;
use crate::core::lease::{
    Lease, LeaseOutcome, LeaseSelector, LeaseTable, PathPattern, Request, Scope, Wait, Waiter, Why, words,
};
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::team::{Commit, Dead, decide, decision};
use crate::link::engine::Engine;
use crate::os::clock;
use crate::store::fault;
use crate::store::leases::Part;
use crate::store::now_ms;
use crate::store::team::{Answer, Ask};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// How often a decision is made again after changes by others.
const TRIES: usize = 50;

/// Longer than any lease (ms).
const FOR_EVER: u64 = u64::MAX / 4;

/// A lease of the own store for the team.
struct Local {
    lease: Lease,
    paths: Vec<PathPattern>,
}

impl Desk {
    /// The leases of the own store that apply to other hosts as well.
    fn local(&self) -> Result<BTreeMap<u64, Local>> {
        let leases = self.store.leases()?;
        let wide = |p: &&PathPattern| !matches!(p.scope(), Scope::Tree(_));
        let local = leases.table.leases().filter_map(|lease| {
            let paths: Vec<PathPattern> = lease.paths.iter().filter(wide).cloned().collect();
            (!paths.is_empty()).then(|| (lease.fence, Local { lease: lease.clone(), paths }))
        });
        Ok(local.collect())
    }

    pub(super) async fn asked(&mut self, engine: &Engine, name: &str, ask: &Ask) -> Result<()> {
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

    /// Holds a lease of the own store in the whole team.
    pub(super) async fn take(&mut self, engine: &Engine, fence: u64, wait: Option<u64>) -> Result<Answer> {
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
                // The answer about others must be as new as possible.
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
            // It ends with the lease behind it, never by itself.
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

    pub(super) fn dead(&self) -> Result<Vec<Dead>> {
        let mut dead = self.observed.dead(clock::ticks()?.ms, self.ttl_ms);
        dead.retain(|d| d.session != self.session.id);
        Ok(dead)
    }

    /// Sends a decision to the engine. `false`: its basis has changed, and it must be made again.
    async fn commit(&mut self, engine: &Engine, commit: &Commit) -> Result<bool> {
        if commit.is_empty() {
            return Ok(true);
        }
        // A lease that is given back is removed from the board before anybody else can have it.
        if !commit.drop_leases.is_empty() {
            self.publish_without(&commit.drop_leases)?;
        }
        fault::point("link-before-commit");
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
        fault::point("link-after-commit");
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

    /// Updates the engine from the own store: leases that ended here end there, and waiters whose turn it is get
    /// their leases.
    pub(super) async fn catch_up(&mut self, engine: &Engine) -> Result<()> {
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

    /// The leases of the own store that wait for the team, with their requests.
    fn waiting(&self, local: &BTreeMap<u64, Local>) -> Vec<(u64, Request)> {
        let own = self.records.waiters.iter().filter(|w| decision::session_of(&w.holder) == self.session.id);
        own.filter_map(|w| {
            let fence = decision::backing(&w.holder);
            local.get(&fence).map(|own| (fence, self.request(own)))
        })
        .collect()
    }

    /// Ends the waiting of those whose time is over.
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
                table.give_back(&lease.holder, LeaseSelector::Fence(lease.fence))
            })
            .map(drop)
    }

    /// Challenges holders here whose expired leases somebody on another host wants.
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

    /// After the session was lost: requests again the leases that its holders still want. A holder that is too late
    /// gets a notice.
    pub(super) async fn take_back(&mut self, engine: &Engine) -> Result<()> {
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

/// The first waiter, in the form of the lease that it will have.
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
