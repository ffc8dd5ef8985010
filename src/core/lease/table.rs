//! Applies the rules of leases to all records at one moment.
//!
//! In a transaction, a table is made from the records, decides, and returns the writes in the order in which they
//! must be made. After any number of these writes, no two leases conflict. Pure; the caller holds the mutex from the
//! loading to the last write.
//!
//! - Two leases never overlap unless both are shared or have the same holder.
//! - Waiters are served in the order of their tickets. A newcomer does not pass an earlier waiter whose paths
//!   overlap, so shared holders cannot starve an exclusive waiter. A holder that wants more of what it already holds
//!   (an upgrade) goes first: the others wait for this holder anyway.
//! - A lease of a dead holder ends at once. A lease of a living holder ends when it is given back or forced, or when it
//!   has expired, was challenged and was not renewed. An automatic lease ends with its time. If nobody can see whether the holder lives, the lease ends with its
//!   time. A command keeps its lease as long as it runs, because nobody answers for it if its guard was killed.

use super::decision::{
    Blocker, Changes, GivenBack, Grant, LeaseOutcome, LeaseSelector, Request, Wait, Why, Write,
};
use super::event::{End, GaveUp, LeaseEvent};
use super::pattern::PathPattern;
use super::record::{CHALLENGE_MS, Challenge, Counter, Holder, Lease, Liveness, Mode, OFFER_MS, Waiter};
use crate::core::address::HostName;
use crate::core::moment::Moment;
use crate::core::name::Name;
use crate::core::order;
use crate::core::process_id::ProcessId;
use std::collections::BTreeMap;

/// All leases and waiters at one moment.
#[derive(Debug)]
pub struct LeaseTable {
    now: Moment,
    leases: BTreeMap<u64, Lease>,
    waiters: BTreeMap<u64, Waiter>,
    counter: Counter,
    changes: Changes,
}

impl LeaseTable {
    /// A table of these records.
    pub fn new(
        leases: impl IntoIterator<Item = Lease>,
        waiters: impl IntoIterator<Item = Waiter>,
        counter: Counter,
        now: Moment,
    ) -> Self {
        Self {
            now,
            leases: order::collect(leases.into_iter().map(|l| (l.fence, l))),
            waiters: order::collect(waiters.into_iter().map(|w| (w.ticket, w))),
            counter,
            changes: Changes::default(),
        }
    }

    /// The leases, oldest first.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// Who waits, in the order of tickets.
    pub fn waiters(&self) -> impl Iterator<Item = &Waiter> {
        self.waiters.values()
    }

    /// The moment of its decisions.
    pub fn now(&self) -> &Moment {
        &self.now
    }

    /// All decisions so far.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Ends the leases that have expired or whose holders have died. Every other decision is made after this.
    /// `census` returns whether a holder lives, and its present name.
    pub fn settle(&mut self, mut census: impl FnMut(&Holder) -> (Liveness, Option<Name>)) {
        let mut changed: Vec<(Lease, Option<End>)> = Vec::new();
        for lease in self.leases.values() {
            let (liveness, name) = census(&lease.holder);
            let expired = lease.expires.has_passed(&self.now);
            let lapsed = lease.challenge.as_ref().is_some_and(|c| c.until.has_passed(&self.now));
            let end = match liveness {
                Liveness::Dead => Some(End::Died),
                Liveness::Alive if lease.holder.command => None,
                Liveness::Alive if expired && lapsed => Some(End::Lapsed),
                Liveness::Alive if expired && lease.auto => Some(End::Expired),
                Liveness::Unknown if expired => Some(End::Expired),
                Liveness::Alive | Liveness::Unknown => None,
            };
            if end.is_some() {
                changed.push((lease.clone(), end));
            } else if let Some(name) = name.filter(|n| *n != lease.holder.name) {
                let holder = Holder { name, ..lease.holder.clone() };
                changed.push((Lease { holder, ..lease.clone() }, None));
            }
        }
        for (lease, end) in changed {
            match end {
                Some(end) => self.end_lease(&lease, end),
                None => self.put_lease(lease),
            }
        }
        let mut changed: Vec<(Waiter, Option<GaveUp>)> = Vec::new();
        for waiter in self.waiters.values() {
            let (liveness, name) = census(&waiter.holder);
            let gave_up = match (liveness, &waiter.offered) {
                (Liveness::Dead, _) => Some(GaveUp::Died),
                (_, Some(offer)) => offer.has_passed(&self.now).then_some(GaveUp::OfferLapsed),
                (_, None) => waiter.until.has_passed(&self.now).then_some(GaveUp::TimeOver),
            };
            if gave_up.is_some() {
                changed.push((waiter.clone(), gave_up));
            } else if let Some(name) = name.filter(|n| *n != waiter.holder.name) {
                let holder = Holder { name, ..waiter.holder.clone() };
                changed.push((Waiter { holder, ..waiter.clone() }, None));
            }
        }
        for (waiter, gave_up) in changed {
            match gave_up {
                Some(why) => self.drop_waiter(&waiter, Some(why)),
                None => self.put_waiter(waiter),
            }
        }
        self.advance();
    }

    /// Decides a request. With `wait`, a request that cannot be granted waits.
    pub fn acquire(&mut self, request: &Request, wait: Option<&Wait>) -> LeaseOutcome {
        let mut missing = request.clone();
        missing.paths.retain(|path| {
            !self.leases.values().any(|l| is_own(l, &request.holder) && has(l, request.mode, path))
        });
        let ticket = self.own_ticket(request);
        let blockers = self.blockers(&missing, ticket);
        if blockers.is_empty() {
            let grant = self.grant(request, missing.paths);
            self.advance();
            return LeaseOutcome::Granted(grant);
        }
        let Some(Wait { until, holder, chain }) = wait else {
            self.challenge(&held_by(&blockers), &request.holder.name);
            self.deny(request, &blockers);
            return LeaseOutcome::Denied(blockers);
        };
        let mut waiter = match ticket.and_then(|t| self.waiters.get(&t)) {
            Some(waiter) => waiter.clone(),
            None => Waiter {
                ticket: u64::MAX,
                holder: holder.clone(),
                paths: request.paths.clone(),
                mode: request.mode,
                since: self.now.wall_ms,
                until: until.clone(),
                offered: None,
                within: self.within(chain),
            },
        };
        if let Some(cycle) = self.cycle(&waiter, &blockers) {
            self.deny(request, &blockers);
            return LeaseOutcome::Cycle(cycle);
        }
        if ticket.is_none() {
            waiter.ticket = self.next_number();
            self.changes.events.push(LeaseEvent::Queued(waiter.clone()));
            self.put_waiter(waiter.clone());
        } else if until.remaining_ms(&self.now) > waiter.until.remaining_ms(&self.now) {
            waiter.until = until.clone();
            self.put_waiter(waiter.clone());
        }
        self.challenge(&held_by(&blockers), &request.holder.name);
        let ahead = self.waiters.range(..waiter.ticket).filter(|(_, w)| in_the_way(w, &waiter)).count();
        LeaseOutcome::Queued { ticket: waiter.ticket, ahead, blockers }
    }

    /// The processes above a waiter, if it waits inside a command that holds a lease.
    fn within(&self, chain: &[ProcessId]) -> Vec<ProcessId> {
        let holds =
            |l: &Lease| l.holder.command && l.holder.process.as_ref().is_some_and(|p| chain.contains(p));
        // All of them: the outer lease may be bound to another of these processes a moment later.
        if self.leases.values().any(holds) { chain.to_vec() } else { Vec::new() }
    }

    /// Binds a command's lease to the process of the command itself. From then on the lease ends with that process.
    pub fn bind(&mut self, fence: u64, guard: &Holder, process: &ProcessId) -> bool {
        let Some(lease) = self.leases.get(&fence).filter(|l| l.holder.command && is_own(l, guard)) else {
            return false;
        };
        let holder = Holder { process: Some(process.clone()), ..lease.holder.clone() };
        self.put_lease(Lease { holder, ..lease.clone() });
        true
    }

    /// Gives a holder's leases more time, never less. This also answers a challenge. Returns the renewed leases.
    pub fn renew(&mut self, holder: &Holder, which: LeaseSelector<'_>, ttl_ms: u64) -> Vec<Lease> {
        let mut mine = self.own_leases(holder);
        mine.retain(|l| is_meant(l.fence, &l.paths, which));
        mine.into_iter().filter_map(|l| self.renew_one(l.fence, ttl_ms, None)).collect()
    }

    /// Gives back a holder's leases, as a whole or in part, and takes back its tickets for the same paths.
    pub fn give_back(&mut self, holder: &Holder, which: LeaseSelector<'_>) -> GivenBack {
        let mut given_back = GivenBack::default();
        for lease in self.own_leases(holder) {
            let is_gone = |p: &PathPattern| is_meant(lease.fence, std::slice::from_ref(p), which);
            given_back.leases.extend(self.take_away(&lease, is_gone, End::GivenBack));
        }
        for waiter in self.own_waiters(holder) {
            if is_meant(waiter.ticket, &waiter.paths, which) {
                given_back.tickets.push(waiter.ticket);
                self.drop_waiter(&waiter, Some(GaveUp::Withdrawn));
            }
        }
        self.advance();
        given_back
    }

    /// Ends the leases with these numbers, whoever holds them. For a person only.
    pub fn force(&mut self, fences: &[u64]) -> Vec<Lease> {
        let found: Vec<Lease> = fences.iter().filter_map(|f| self.leases.get(f).cloned()).collect();
        for lease in &found {
            self.end_lease(lease, End::Forced);
        }
        self.advance();
        found
    }

    /// Gives the leases with these numbers, if `from` holds them, to another holder, for the rest of their time. Each
    /// keeps its number, because that is one write: after a crash between two writes there would be two holders, or
    /// none. Idempotent.
    pub fn hand_over(&mut self, fences: &[u64], from: &Name, to: &Holder) {
        let held = fences.iter().filter_map(|fence| self.leases.get(fence));
        let mine = held.filter(|lease| lease.holder.is_agent_itself(from)).cloned();
        for old in mine.collect::<Vec<_>>() {
            let new = Lease { holder: to.clone(), challenge: None, ..old.clone() };
            self.changes.events.push(LeaseEvent::Ended(old, End::HandedOver));
            self.changes.events.push(LeaseEvent::Granted(new.clone()));
            self.put_lease(new);
        }
    }

    /// Challenges the holder of an expired lease for `by`, who waits for it elsewhere.
    pub fn challenge_for(&mut self, fence: u64, by: &Name) {
        self.challenge(&[fence], by);
    }

    /// The leases that overlap `path`.
    pub fn holding(&self, path: &PathPattern) -> Vec<Lease> {
        self.leases.values().filter(|l| l.paths.iter().any(|p| p.overlaps(path))).cloned().collect()
    }

    /// The blockers of a request that has `ticket`, or none yet.
    fn blockers(&self, request: &Request, ticket: Option<u64>) -> Vec<Blocker> {
        let Request { holder, paths, mode, .. } = request;
        self.obstacles(Wanted { holder, paths, mode: *mode, ticket }).map(Obstacle::blocker).collect()
    }

    fn obstacles_of<'t>(&'t self, waiter: &'t Waiter) -> impl Iterator<Item = Obstacle<'t>> {
        let Waiter { holder, paths, mode, ticket, .. } = waiter;
        self.obstacles(Wanted { holder, paths, mode: *mode, ticket: Some(*ticket) })
    }

    /// The obstacles of a wish, found one by one as they are asked for: every waiter before it is one.
    fn obstacles<'t>(&'t self, wish: Wanted<'t>) -> impl Iterator<Item = Obstacle<'t>> {
        let Wanted { holder, paths, mode, ticket } = wish;
        // Nobody passes a waiter with an offer.
        let is_offered = ticket.and_then(|t| self.waiters.get(&t)).is_some_and(|w| w.offered.is_some());
        paths.iter().flat_map(move |wanted| {
            let found = move |paths: &'t [PathPattern], what: What<'t>| {
                let path = paths.iter().find(|p| p.overlaps(wanted))?;
                Some(Obstacle { wanted, path, what })
            };
            let others = self.leases.values();
            let others = others.filter(move |l| !l.holder.is_same(holder) && l.mode.conflicts(mode));
            let held = others.filter_map(move |l| found(&l.paths, What::Lease(l)));
            // An upgrade: a waiter for this path waits for this very holder, unless it was offered to share the path.
            let has = |l: &Lease| is_own(l, holder) && l.paths.iter().any(|p| p.covers(wanted));
            let first = is_offered || self.leases.values().any(has);
            let before = self.waiters.values().filter(move |w| {
                !w.holder.is_same(holder)
                    && w.mode.conflicts(mode)
                    && (w.offered.is_some() || (!first && ticket.is_none_or(|t| w.ticket < t)))
            });
            held.chain(before.filter_map(move |w| found(&w.paths, What::Waiter(w))))
        })
    }

    /// The holder's earliest ticket for all paths of the request.
    fn own_ticket(&self, request: &Request) -> Option<u64> {
        let fits = |w: &&Waiter| {
            w.holder.shares_with(&request.holder)
                && w.mode >= request.mode
                && request.paths.iter().all(|p| w.paths.iter().any(|q| q.covers(p)))
        };
        self.waiters.values().find(fits).map(|w| w.ticket)
    }

    fn grant(&mut self, request: &Request, missing: Vec<PathPattern>) -> Grant {
        let mut grant = Grant { leases: Vec::new(), new: None };
        for lease in self.own_leases(&request.holder) {
            if request.paths.iter().any(|p| has(&lease, request.mode, p)) {
                grant.leases.extend(self.renew_one(lease.fence, request.ttl_ms, Some(request)));
            }
        }
        if !missing.is_empty() {
            let lease = self.grant_new(request, missing);
            grant.new = Some(lease.fence);
            grant.leases.push(lease);
        }
        for waiter in self.own_waiters(&request.holder) {
            let own = self.own_leases(&waiter.holder);
            if waiter.paths.iter().all(|p| own.iter().any(|l| has(l, waiter.mode, p))) {
                self.drop_waiter(&waiter, None);
            }
        }
        grant
    }

    fn grant_new(&mut self, request: &Request, paths: Vec<PathPattern>) -> Lease {
        let new = Lease {
            fence: self.next_number(),
            holder: request.holder.clone(),
            paths,
            mode: request.mode,
            auto: request.auto,
            reason: request.reason.clone(),
            since: self.now.wall_ms,
            expires: self.now.after(request.ttl_ms),
            challenge: None,
        };
        self.changes.events.push(LeaseEvent::Granted(new.clone()));
        self.put_lease(new.clone());
        // A lease that was shared and is now exclusive is held once. It ends only after the new lease exists, so the
        // path was always held.
        for old in self.own_leases(&request.holder).into_iter().filter(|old| old.mode < new.mode) {
            self.take_away(&old, |p| new.paths.iter().any(|q| q.covers(p)), End::Upgraded);
        }
        new
    }

    fn renew_one(&mut self, fence: u64, ttl_ms: u64, request: Option<&Request>) -> Option<Lease> {
        let mut lease = self.leases.get(&fence)?.clone();
        lease.expires = lease.expires.or_later(self.now.after(ttl_ms), &self.now);
        lease.challenge = None;
        if let Some(request) = request.filter(|r| !r.auto) {
            lease.auto = false;
            if request.reason.is_some() {
                lease.reason.clone_from(&request.reason);
            }
        }
        self.changes.events.push(LeaseEvent::Renewed(lease.clone()));
        self.put_lease(lease.clone());
        Some(lease)
    }

    /// Removes the paths for which `is_gone` holds from a lease. Returns that part, if there is one.
    fn take_away(
        &mut self,
        lease: &Lease,
        is_gone: impl Fn(&PathPattern) -> bool,
        end: End,
    ) -> Option<Lease> {
        let (gone, kept): (Vec<_>, Vec<_>) = lease.paths.iter().cloned().partition(is_gone);
        if gone.is_empty() {
            return None;
        }
        let part = Lease { paths: gone, ..lease.clone() };
        if kept.is_empty() {
            self.end_lease(&part, end);
        } else {
            self.changes.events.push(LeaseEvent::Ended(part.clone(), end));
            self.put_lease(Lease { paths: kept, ..lease.clone() });
        }
        Some(part)
    }

    fn own_leases(&self, holder: &Holder) -> Vec<Lease> {
        self.leases.values().filter(|l| is_own(l, holder)).cloned().collect()
    }

    fn own_waiters(&self, holder: &Holder) -> Vec<Waiter> {
        self.waiters.values().filter(|w| w.holder.shares_with(holder)).cloned().collect()
    }

    /// Challenges expired leases that somebody waits for, and offers free paths to waiters.
    fn advance(&mut self) {
        for ticket in self.waiters.keys().copied().collect::<Vec<_>>() {
            let Some(waiter) = self.waiters.get(&ticket).filter(|w| w.offered.is_none()) else { continue };
            let mut obstacles = self.obstacles_of(waiter).peekable();
            if obstacles.peek().is_none() {
                drop(obstacles);
                let offered = Waiter { offered: Some(self.now.after(OFFER_MS)), ..waiter.clone() };
                self.changes.events.push(LeaseEvent::Offered(offered.clone()));
                self.put_waiter(offered);
            } else {
                let late: Vec<u64> = obstacles
                    .filter_map(|o| o.lease())
                    .filter(|l| self.is_late(l))
                    .map(|l| l.fence)
                    .collect();
                let by = waiter.holder.name.clone();
                self.challenge(&late, &by);
            }
        }
    }

    /// Challenges the holders of those among these leases that have expired. The holders live: settling has removed
    /// all other leases.
    fn challenge(&mut self, fences: &[u64], by: &Name) {
        for fence in fences {
            let Some(lease) = self.leases.get(fence).filter(|l| self.is_late(l)) else { continue };
            let challenge = Some(Challenge { by: by.clone(), until: self.now.after(CHALLENGE_MS) });
            let lease = Lease { challenge, ..lease.clone() };
            self.changes.events.push(LeaseEvent::Challenged(lease.clone()));
            self.put_lease(lease);
        }
    }

    /// Whether a lease has expired, and its holder was not challenged yet.
    fn is_late(&self, lease: &Lease) -> bool {
        !lease.holder.command && lease.challenge.is_none() && lease.expires.has_passed(&self.now)
    }

    fn deny(&mut self, request: &Request, blockers: &[Blocker]) {
        let mut by: Vec<Name> = blockers.iter().map(|b| b.holder.name.clone()).collect();
        order::sort(&mut by);
        by.dedup();
        let (name, paths) = (request.holder.name.clone(), request.paths.clone());
        self.changes.events.push(LeaseEvent::Denied { name, paths, mode: request.mode, by });
    }

    /// The names on the way from `first` back to itself, if it would wait for ever.
    #[inline(never)]
    fn cycle(&self, first: &Waiter, blockers: &[Blocker]) -> Option<Vec<Name>> {
        let start = waiting_node(&first.holder);
        let mut edges: BTreeMap<Node<'_>, Vec<Node<'_>>> = BTreeMap::new();
        // A command does not end while a command that it started waits.
        let waiting = || self.waiters.values().filter(|w| w.ticket != first.ticket);
        for waiter in std::iter::once(first).chain(waiting()) {
            for process in &waiter.within {
                edges
                    .entry(node(&waiter.holder, Some(process)))
                    .or_default()
                    .push(waiting_node(&waiter.holder));
            }
        }
        let of_first = blockers.iter().map(|b| match &b.why {
            Why::Holds(lease) => holding_node(&lease.holder),
            Why::Waits(waiter) => waiting_node(&waiter.holder),
        });
        edges.entry(start).or_default().extend(of_first);
        for waiter in waiting() {
            let to = self.obstacles_of(waiter).map(|o| match o.what {
                What::Lease(lease) => holding_node(&lease.holder),
                What::Waiter(waiter) => waiting_node(&waiter.holder),
            });
            edges.entry(waiting_node(&waiter.holder)).or_default().extend(to);
        }
        if !edges.values().flatten().any(|node| *node == start) {
            return None;
        }
        // Breadth first, so the shortest ring is reported.
        let mut ways: Vec<Vec<Node<'_>>> = vec![vec![start]];
        let mut next = 0;
        while next < ways.len() {
            let way = ways[next].clone();
            next += 1;
            for node in way.last().and_then(|last| edges.get(last)).into_iter().flatten() {
                if *node == start {
                    // A command and the waiters inside it are two parties with one name.
                    let mut names: Vec<Name> = way.into_iter().map(|(_, name, _)| name.clone()).collect();
                    names.dedup();
                    if names.len() > 1 && names.first() == names.last() {
                        names.pop();
                    }
                    return Some(names);
                }
                if !ways.iter().any(|w| w.last() == Some(node)) {
                    ways.push(way.iter().copied().chain([*node]).collect());
                }
            }
        }
        None
    }

    fn next_number(&mut self) -> u64 {
        let (number, must_sync) = self.counter.next(&self.now.boot);
        let sync = must_sync || matches!(self.changes.counter, Some((_, true)));
        self.changes.counter = Some((self.counter.clone(), sync));
        number
    }

    fn put_lease(&mut self, lease: Lease) {
        self.changes.writes.push(Write::Lease(lease.clone()));
        self.leases.insert(lease.fence, lease);
    }

    fn end_lease(&mut self, lease: &Lease, end: End) {
        self.leases.remove(&lease.fence);
        self.changes.writes.push(Write::DropLease(lease.fence));
        self.changes.events.push(LeaseEvent::Ended(lease.clone(), end));
    }

    fn put_waiter(&mut self, waiter: Waiter) {
        self.changes.writes.push(Write::Waiter(waiter.clone()));
        self.waiters.insert(waiter.ticket, waiter);
    }

    fn drop_waiter(&mut self, waiter: &Waiter, gave_up: Option<GaveUp>) {
        self.waiters.remove(&waiter.ticket);
        self.changes.writes.push(Write::DropWaiter(waiter.ticket));
        self.changes.events.extend(gave_up.map(|why| LeaseEvent::Dequeued(waiter.clone(), why)));
    }
}

/// The paths that somebody wants, and the mode.
#[derive(Clone, Copy)]
struct Wanted<'t> {
    holder: &'t Holder,
    paths: &'t [PathPattern],
    mode: Mode,
    ticket: Option<u64>,
}

/// An obstacle of a wish, by reference into the table.
struct Obstacle<'t> {
    wanted: &'t PathPattern,
    path: &'t PathPattern,
    what: What<'t>,
}

#[derive(Clone, Copy)]
enum What<'t> {
    Lease(&'t Lease),
    Waiter(&'t Waiter),
}

impl<'t> Obstacle<'t> {
    fn lease(&self) -> Option<&'t Lease> {
        match self.what {
            What::Lease(lease) => Some(lease),
            What::Waiter(_) => None,
        }
    }

    /// The obstacle in the form for the caller.
    fn blocker(self) -> Blocker {
        let (holder, why) = match self.what {
            What::Lease(lease) => (&lease.holder, Why::Holds(Box::new(lease.clone()))),
            What::Waiter(waiter) => (&waiter.holder, Why::Waits(Box::new(waiter.clone()))),
        };
        Blocker { holder: holder.clone(), wanted: self.wanted.clone(), path: self.path.clone(), why }
    }
}

/// The leases among the blockers.
fn held_by(blockers: &[Blocker]) -> Vec<u64> {
    let held = |b: &Blocker| match &b.why {
        Why::Holds(lease) => Some(lease.fence),
        Why::Waits(_) => None,
    };
    blockers.iter().filter_map(held).collect()
}

/// A party that waits, or for which others wait.
type Node<'t> = (Option<&'t HostName>, &'t Name, Option<&'t ProcessId>);

fn node<'t>(holder: &'t Holder, process: Option<&'t ProcessId>) -> Node<'t> {
    (holder.host.as_ref(), &holder.name, process)
}

/// The party that must act for a lease to become free: a command ends by itself, whatever its agent waits for.
fn holding_node(holder: &Holder) -> Node<'_> {
    node(holder, holder.process.as_ref().filter(|_| holder.command))
}

/// The party that stops while it waits: an agent with a waiting command, or a person in one terminal only.
fn waiting_node(holder: &Holder) -> Node<'_> {
    node(holder, holder.process.as_ref().filter(|_| holder.command && holder.name.is_human()))
}

/// Whether a lease belongs to the holder, who may use, renew and give it back.
fn is_own(lease: &Lease, holder: &Holder) -> bool {
    lease.holder.shares_with(holder)
}

/// Whether a lease already covers `path` in that mode.
fn has(lease: &Lease, mode: Mode, path: &PathPattern) -> bool {
    lease.mode >= mode && lease.paths.iter().any(|p| p.covers(path))
}

fn in_the_way(earlier: &Waiter, later: &Waiter) -> bool {
    !earlier.holder.is_same(&later.holder)
        && earlier.mode.conflicts(later.mode)
        && earlier.paths.iter().any(|p| later.paths.iter().any(|q| p.overlaps(q)))
}

fn is_meant(number: u64, paths: &[PathPattern], which: LeaseSelector<'_>) -> bool {
    match which {
        LeaseSelector::All => true,
        LeaseSelector::Paths(meant) => paths.iter().any(|p| meant.iter().any(|q| p.is_same_path(q))),
        LeaseSelector::Fence(fence) => number == fence,
    }
}

#[cfg(test)]
mod tests;
