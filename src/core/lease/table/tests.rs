//! Tests the table as a state machine: random requests, deaths and hours, with every promise checked after every
//! single write.

use super::*;
use crate::core::lease::pattern::PathKind;
use crate::core::lease::record::Reason;

const MINUTE: u64 = 60_000;

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn holder(name: &str) -> Holder {
    let pid = i32::from(name.as_bytes()[0]);
    let process = (name != "human").then(|| ProcessId { pid, start: 1, boot: "boot".into() });
    Holder {
        name: Name::new(name).unwrap(),
        process,
        namespace: None,
        command: false,
        identity: None,
        host: None,
    }
}

fn path(text: &str) -> PathPattern {
    let kind = match text {
        t if t.contains('*') => PathKind::Glob,
        t if t.ends_with('/') => PathKind::Dir,
        _ => PathKind::File,
    };
    PathPattern::new(kind, None, text.trim_end_matches('/')).unwrap()
}

/// The records between two transactions, and the facts around them.
#[derive(Clone)]
struct World {
    leases: BTreeMap<u64, Lease>,
    waiters: BTreeMap<u64, Waiter>,
    counter: Counter,
    now: Moment,
    dead: Vec<Name>,
    highest: u64,
}

impl World {
    fn new() -> Self {
        Self {
            leases: BTreeMap::new(),
            waiters: BTreeMap::new(),
            counter: Counter::default(),
            now: Moment { wall_ms: 1_000_000, awake_ms: 1000, boot: "boot".into() },
            dead: Vec::new(),
            highest: 0,
        }
    }

    fn sleep(&mut self, ms: u64) {
        self.now.wall_ms += ms;
        self.now.awake_ms += ms;
    }

    fn table(&self) -> LeaseTable {
        let leases = self.leases.values().cloned();
        LeaseTable::new(leases, self.waiters.values().cloned(), self.counter.clone(), self.now.clone())
    }

    /// One transaction: settle, decide, write; all promises are checked after each write.
    fn transact<T>(&mut self, decide: impl FnOnce(&mut LeaseTable) -> T) -> (T, Vec<LeaseEvent>) {
        let mut table = self.table();
        let dead = self.dead.clone();
        table.settle(|h| {
            let liveness = match &h.process {
                _ if dead.contains(&h.name) => Liveness::Dead,
                None => Liveness::Unknown,
                Some(_) => Liveness::Alive,
            };
            (liveness, None)
        });
        let result = decide(&mut table);
        let (leases, waiters) = (table.leases.clone(), table.waiters.clone());
        let changes = std::mem::take(&mut table.changes);
        if let Some((counter, _)) = changes.counter {
            self.counter = counter;
        }
        for write in changes.writes {
            match write {
                Write::Lease(lease) => {
                    if !self.leases.contains_key(&lease.fence) {
                        assert!(lease.fence > self.highest, "fence {} after {}", lease.fence, self.highest);
                        self.highest = lease.fence;
                    }
                    self.leases.insert(lease.fence, lease);
                }
                Write::DropLease(fence) => assert!(self.leases.remove(&fence).is_some()),
                Write::Waiter(waiter) => {
                    if !self.waiters.contains_key(&waiter.ticket) {
                        assert!(waiter.ticket > self.highest);
                        self.highest = waiter.ticket;
                    }
                    self.waiters.insert(waiter.ticket, waiter);
                }
                Write::DropWaiter(ticket) => assert!(self.waiters.remove(&ticket).is_some()),
            }
            self.nobody_is_in_anothers_way();
        }
        assert_eq!((&self.leases, &self.waiters), (&leases, &waiters), "the writes say what was decided");
        self.nobody_waits_for_nothing();
        (result, changes.events)
    }

    fn nobody_is_in_anothers_way(&self) {
        for (fence, a) in &self.leases {
            for b in self.leases.range(fence + 1..).map(|(_, b)| b) {
                let meet = a.paths.iter().any(|p| b.paths.iter().any(|q| p.overlaps(q)));
                let fine = !meet || a.holder.is_same(&b.holder) || !a.mode.conflicts(b.mode);
                assert!(fine, "{a:?} and {b:?}");
            }
        }
    }

    fn nobody_waits_for_nothing(&self) {
        let table = self.table();
        for waiter in self.waiters.values() {
            let blockers: Vec<Blocker> = table.obstacles_of(waiter).map(Obstacle::blocker).collect();
            assert_eq!(waiter.offered.is_some(), blockers.is_empty(), "{waiter:?} {blockers:?}");
        }
    }

    fn ask(&mut self, name: &str, paths: &[&str], mode: Mode, wait: bool) -> LeaseOutcome {
        let request = Request {
            holder: holder(name),
            paths: paths.iter().map(|p| path(p)).collect(),
            mode,
            ttl_ms: 15 * MINUTE,
            reason: None,
            auto: false,
        };
        let wait =
            wait.then(|| Wait { until: self.now.after(600 * MINUTE), holder: holder(name), chain: vec![] });
        self.transact(|t| t.acquire(&request, wait.as_ref())).0
    }

    fn lock(&mut self, name: &str, paths: &[&str]) -> LeaseOutcome {
        self.ask(name, paths, Mode::Exclusive, false)
    }

    fn wait(&mut self, name: &str, paths: &[&str]) -> LeaseOutcome {
        self.ask(name, paths, Mode::Exclusive, true)
    }

    fn unlock(&mut self, name: &str, which: LeaseSelector<'_>) -> (GivenBack, Vec<LeaseEvent>) {
        self.transact(|t| t.give_back(&holder(name), which))
    }

    fn names(&self) -> Vec<&str> {
        self.leases.values().map(|l| l.holder.name.as_str()).collect()
    }
}

fn holding(table: &LeaseTable, text: &str) -> Vec<u64> {
    table.holding(&path(text)).iter().map(|l| l.fence).collect()
}

fn is_granted(outcome: &LeaseOutcome) -> bool {
    matches!(outcome, LeaseOutcome::Granted(_))
}

/// A newcomer may not pass a waiter, unless it upgrades its own lease.
fn assert_fair(before: &World, request: &Request) {
    let newcomer = before.table().own_ticket(request).is_none();
    for path in request.paths.iter().filter(|_| newcomer) {
        let holds = before
            .leases
            .values()
            .any(|l| l.holder.is_same(&request.holder) && l.paths.iter().any(|p| p.covers(path)));
        let passed = before.waiters.values().find(|w| {
            !w.holder.is_same(&request.holder)
                && !before.dead.contains(&w.holder.name)
                && w.mode.conflicts(request.mode)
                && w.paths.iter().any(|p| p.overlaps(path))
                && !w.until.has_passed(&before.now)
                && !w.offered.as_ref().is_some_and(|o| o.has_passed(&before.now))
        });
        assert!(holds || passed.is_none(), "{request:?} passed {passed:?}");
    }
}

fn random_walk(seed: u64) -> (usize, usize, usize) {
    let mut random = Random(seed);
    let mut world = World::new();
    let names = ["alice", "bob", "carol", "dave", "human"];
    let paths = ["a", "b", "src/a", "src/b", "src/", "src/*", "**/a", "c/"];
    let (mut granted, mut queued, mut cycles) = (0, 0, 0);
    for _ in 0..250 {
        let name = *random.of(&names);
        if world.dead.contains(&Name::new(name).unwrap()) {
            continue;
        }
        match random.below(20) {
            0..=10 => {
                let request = Request {
                    holder: Holder { command: random.below(8) == 0, ..holder(name) },
                    paths: (0..=random.below(3)).map(|_| path(random.of::<&str>(&paths))).collect(),
                    mode: *random.of(&[Mode::Shared, Mode::Exclusive]),
                    ttl_ms: *random.of(&[1000, MINUTE, 30 * MINUTE]),
                    reason: Reason::new("why").ok(),
                    auto: random.below(4) == 0,
                };
                let (until, by) = (world.now.after(20 * MINUTE), request.holder.clone());
                let wait = (random.below(3) > 0).then_some(Wait { until, holder: by, chain: vec![] });
                let before = world.clone();
                match world.transact(|t| t.acquire(&request, wait.as_ref())).0 {
                    LeaseOutcome::Granted(grant) => {
                        granted += 1;
                        assert_fair(&before, &request);
                        let given: Vec<&PathPattern> = grant.leases.iter().flat_map(|l| &l.paths).collect();
                        assert!(
                            request.paths.iter().all(|p| given.iter().any(|g| g.covers(p))),
                            "all or nothing"
                        );
                    }
                    LeaseOutcome::Queued { ticket, .. } => {
                        queued += 1;
                        assert!(world.waiters.contains_key(&ticket));
                    }
                    LeaseOutcome::Denied(blockers) => assert!(!blockers.is_empty()),
                    LeaseOutcome::Cycle(way) => {
                        cycles += 1;
                        assert!(way.len() >= 2);
                    }
                }
            }
            11..=13 => {
                let given_back = [path(random.of::<&str>(&paths))];
                let which =
                    if random.below(3) == 0 { LeaseSelector::All } else { LeaseSelector::Paths(&given_back) };
                world.unlock(name, which);
            }
            14 | 15 => {
                let renewed = world.transact(|t| t.renew(&holder(name), LeaseSelector::All, 10 * MINUTE)).0;
                assert!(renewed.iter().all(|l| !l.expires.has_passed(&world.now) && l.challenge.is_none()));
            }
            16 => {
                world.transact(|t| t.force(&holding(t, "src/a")));
                assert!(world.table().holding(&path("src/a")).is_empty());
            }
            17 if world.dead.len() < 2 && name != "human" => world.dead.push(Name::new(name).unwrap()),
            _ => {
                let ms = *random.of(&[500, 30_000, 2 * MINUTE, 40 * MINUTE]);
                world.sleep(ms);
            }
        }
    }
    nobody_is_forgotten(world);
    (granted, queued, cycles)
}

/// Every waiter is served once the holders give back their leases.
fn nobody_is_forgotten(mut world: World) {
    let mut rounds = 0;
    loop {
        world.transact(|_| ());
        let Some(waiter) = world.waiters.values().find(|w| w.offered.is_some()).cloned() else {
            assert!(rounds < 200);
            rounds += 1;
            let Some(lease) = world.leases.values().next().cloned() else { break };
            world.transact(|t| t.give_back(&lease.holder, LeaseSelector::Fence(lease.fence)));
            continue;
        };
        let (holder, paths, mode) = (waiter.holder.clone(), waiter.paths.clone(), waiter.mode);
        let request = Request { holder, paths, mode, ttl_ms: MINUTE, reason: None, auto: false };
        let outcome = world.transact(|t| t.acquire(&request, None)).0;
        assert!(is_granted(&outcome), "an offer is good: {outcome:?}");
        assert!(!world.waiters.contains_key(&waiter.ticket));
    }
    assert!(world.waiters.is_empty(), "{:?}", world.waiters);
}

#[test]
fn every_promise_holds_after_every_write_of_random_histories() {
    let mut seen = (0, 0, 0);
    for seed in 0..200 {
        let one = random_walk(seed);
        seen = (seen.0 + one.0, seen.1 + one.1, seen.2 + one.2);
    }
    assert!(seen.0 > 5_000 && seen.1 > 1_500 && seen.2 > 50, "the histories say little: {seen:?}");
}

#[test]
fn a_lease_is_renewed_by_its_holder_and_refused_to_others() {
    let mut world = World::new();
    assert!(is_granted(&world.lock("alice", &["src/a"])));
    assert!(matches!(world.lock("bob", &["src/"]), LeaseOutcome::Denied(_)));
    world.sleep(MINUTE);
    assert!(is_granted(&world.lock("alice", &["src/a"])));
    assert_eq!(world.leases.len(), 1);
    let lease = world.leases.values().next().unwrap();
    assert_eq!(lease.expires.remaining_ms(&world.now), 15 * MINUTE);
}

#[test]
fn several_paths_are_all_granted_or_none() {
    let mut world = World::new();
    world.lock("alice", &["b"]);
    let LeaseOutcome::Denied(blockers) = world.lock("bob", &["a", "b"]) else { panic!() };
    assert_eq!((blockers.len(), &blockers[0].wanted), (1, &path("b")));
    assert_eq!(world.names(), ["alice"]);
}

#[test]
fn a_living_quiet_holder_keeps_its_lease_until_it_was_asked() {
    let mut world = World::new();
    world.lock("alice", &["a"]);
    world.sleep(600 * MINUTE);
    world.transact(|_| ());
    assert_eq!(world.names(), ["alice"], "nobody wants it");
    assert!(matches!(world.wait("bob", &["a"]), LeaseOutcome::Queued { ahead: 0, .. }));
    world.sleep(CHALLENGE_MS - 1);
    assert!(matches!(world.wait("bob", &["a"]), LeaseOutcome::Queued { .. }));
    world.transact(|t| t.renew(&holder("alice"), LeaseSelector::All, 15 * MINUTE));
    world.sleep(2 * CHALLENGE_MS);
    assert!(
        matches!(world.wait("bob", &["a"]), LeaseOutcome::Queued { .. }),
        "the renewal answered the challenge"
    );
    world.sleep(15 * MINUTE);
    let ((), events) = world.transact(|_| ());
    assert!(matches!(&events[..], [LeaseEvent::Challenged(_)]), "{events:?}");
    world.sleep(CHALLENGE_MS);
    let ((), events) = world.transact(|_| ());
    assert!(matches!(&events[..], [LeaseEvent::Ended(_, End::Lapsed), LeaseEvent::Offered(_)]), "{events:?}");
    assert!(matches!(world.lock("alice", &["a"]), LeaseOutcome::Denied(_)), "it is kept for bob");
    assert!(is_granted(&world.lock("bob", &["a"])));
}

#[test]
fn one_whose_life_cannot_be_told_keeps_a_lease_for_its_time_only() {
    let mut world = World::new();
    world.lock("human", &["a"]);
    world.sleep(15 * MINUTE - 1);
    assert!(matches!(world.lock("bob", &["a"]), LeaseOutcome::Denied(_)));
    world.sleep(1);
    assert!(is_granted(&world.lock("bob", &["a"])));
}

#[test]
fn a_dead_holders_lease_and_ticket_are_gone_at_once() {
    let mut world = World::new();
    world.lock("alice", &["a"]);
    world.wait("bob", &["a"]);
    world.wait("carol", &["a"]);
    world.dead = vec![Name::new("alice").unwrap(), Name::new("bob").unwrap()];
    let ((), events) = world.transact(|_| ());
    assert!(
        matches!(events.last(), Some(LeaseEvent::Offered(w)) if w.holder.name.as_str() == "carol"),
        "{events:?}"
    );
}

#[test]
fn shared_holders_cannot_starve_one_that_waits() {
    let mut world = World::new();
    assert!(is_granted(&world.ask("alice", &["a"], Mode::Shared, false)));
    assert!(is_granted(&world.ask("bob", &["a"], Mode::Shared, false)));
    world.wait("carol", &["a"]);
    assert!(matches!(world.ask("dave", &["a"], Mode::Shared, true), LeaseOutcome::Queued { ahead: 1, .. }));
    world.unlock("alice", LeaseSelector::All);
    world.unlock("bob", LeaseSelector::All);
    assert!(matches!(world.ask("dave", &["a"], Mode::Shared, false), LeaseOutcome::Denied(_)));
    assert!(is_granted(&world.lock("carol", &["a"])));
}

#[test]
fn a_lone_shared_holder_upgrades_and_two_would_wait_for_each_other() {
    let mut world = World::new();
    world.ask("alice", &["a", "b"], Mode::Shared, false);
    world.wait("carol", &["a"]);
    assert!(is_granted(&world.lock("alice", &["a"])), "carol waits for alice anyway");
    let held: Vec<_> = world.leases.values().map(|l| (l.mode, l.paths.clone())).collect();
    assert_eq!(held, [(Mode::Shared, vec![path("b")]), (Mode::Exclusive, vec![path("a")])]);
    world.ask("bob", &["b"], Mode::Shared, false);
    assert!(matches!(world.wait("alice", &["b"]), LeaseOutcome::Queued { .. }));
    let LeaseOutcome::Cycle(way) = world.wait("bob", &["b"]) else { panic!() };
    assert_eq!(way.iter().map(Name::as_str).collect::<Vec<_>>(), ["bob", "alice"]);
}

#[test]
fn a_ring_of_three_is_refused_with_its_names() {
    let mut world = World::new();
    for (name, held) in [("alice", "a"), ("bob", "b"), ("carol", "c")] {
        world.lock(name, &[held]);
    }
    world.wait("alice", &["b"]);
    world.wait("bob", &["c"]);
    let LeaseOutcome::Cycle(way) = world.wait("carol", &["a"]) else { panic!() };
    assert_eq!(way.iter().map(Name::as_str).collect::<Vec<_>>(), ["carol", "alice", "bob"]);
    assert_eq!(world.waiters.len(), 2);
}

#[test]
fn an_offer_that_is_not_taken_goes_to_the_next() {
    let mut world = World::new();
    world.lock("alice", &["a"]);
    world.wait("bob", &["a"]);
    world.wait("carol", &["a"]);
    world.unlock("alice", LeaseSelector::All);
    assert!(matches!(world.lock("alice", &["a"]), LeaseOutcome::Denied(_)));
    world.sleep(OFFER_MS);
    let ((), events) = world.transact(|_| ());
    assert!(
        matches!(&events[..], [LeaseEvent::Dequeued(_, GaveUp::OfferLapsed), LeaseEvent::Offered(_)]),
        "{events:?}"
    );
    assert!(is_granted(&world.lock("carol", &["a"])));
}

#[test]
fn an_automatic_lease_ends_with_its_time_and_becomes_a_real_one_when_asked_for() {
    let mut world = World::new();
    let auto = Request {
        holder: holder("alice"),
        paths: vec![path("a")],
        mode: Mode::Exclusive,
        ttl_ms: 5 * MINUTE,
        reason: None,
        auto: true,
    };
    world.transact(|t| t.acquire(&auto, None));
    world.sleep(4 * MINUTE);
    world.transact(|t| t.acquire(&auto, None));
    world.sleep(4 * MINUTE);
    assert!(matches!(world.lock("bob", &["a"]), LeaseOutcome::Denied(_)), "it was renewed by use");
    world.sleep(MINUTE);
    assert!(is_granted(&world.lock("bob", &["a"])));
    world.unlock("bob", LeaseSelector::All);
    world.transact(|t| t.acquire(&auto, None));
    world.lock("alice", &["a"]);
    assert!(world.leases.values().all(|l| !l.auto));
}

#[test]
fn nobody_can_give_back_or_renew_what_is_anothers() {
    let mut world = World::new();
    world.lock("alice", &["a"]);
    let fence = *world.leases.keys().next().unwrap();
    let meant = [path("a")];
    for which in [LeaseSelector::All, LeaseSelector::Paths(&meant), LeaseSelector::Fence(fence)] {
        assert_eq!(world.unlock("bob", which).0, GivenBack::default());
        assert!(world.transact(|t| t.renew(&holder("bob"), which, MINUTE)).0.is_empty());
    }
    assert_eq!(world.unlock("alice", LeaseSelector::Fence(fence + 1)).0, GivenBack::default());
    assert_eq!(world.names(), ["alice"]);
}

#[test]
fn a_part_of_a_lease_can_be_given_back() {
    let mut world = World::new();
    world.lock("alice", &["a", "b"]);
    let meant = [path("a")];
    assert_eq!(world.unlock("alice", LeaseSelector::Paths(&meant)).0.leases[0].paths, meant);
    assert!(is_granted(&world.lock("bob", &["a"])));
    assert!(matches!(world.lock("bob", &["b"]), LeaseOutcome::Denied(_)));
}

#[test]
fn those_concerned_are_told_and_nobody_else() {
    let mut world = World::new();
    world.lock("alice", &["a"]);
    world.wait("bob", &["a"]);
    let (_, events) = world.transact(|t| t.force(&holding(t, "a")));
    let told: Vec<_> = events.iter().filter_map(LeaseEvent::notice).map(|n| n.to.to_string()).collect();
    assert_eq!(told, ["alice", "bob"]);
    let (outcome, events) = world.unlock("bob", LeaseSelector::All);
    assert_eq!(outcome.tickets.len(), 1);
    assert!(events.iter().all(|e| e.notice().is_none()));
}

#[test]
fn leases_and_places_in_the_queue_follow_their_holders_to_a_new_name() {
    let mut world = World::new();
    assert!(is_granted(&world.lock("ada", &["a"])));
    world.wait("bob", &["a"]);
    let renamed = |old: &str, new: &str| {
        let mut table = world.table();
        table.settle(|h| (Liveness::Alive, (h.name.as_str() == old).then(|| Name::new(new).unwrap())));
        let names = |holder: &Holder| holder.name.to_string();
        let all: Vec<String> = table
            .leases()
            .map(|l| names(&l.holder))
            .chain(table.waiters().map(|w| names(&w.holder)))
            .collect();
        (all, table.changes().writes.len())
    };
    assert_eq!(renamed("ada", "eve"), (vec!["eve".into(), "bob".into()], 1));
    assert_eq!(renamed("bob", "eve"), (vec!["ada".into(), "eve".into()], 1));
    assert_eq!(
        renamed("ada", "ada"),
        (vec!["ada".into(), "bob".into()], 0),
        "nothing is written for nothing"
    );
}

#[test]
fn asking_again_may_lengthen_a_wait_and_never_shortens_it() {
    let mut world = World::new();
    world.lock("ada", &["a"]);
    let mut ask = |minutes: u64| {
        let request = Request {
            holder: holder("bob"),
            paths: vec![path("a")],
            mode: Mode::Exclusive,
            ttl_ms: MINUTE,
            reason: None,
            auto: false,
        };
        let wait = Wait { until: world.now.after(minutes * MINUTE), holder: holder("bob"), chain: vec![] };
        world.transact(|t| t.acquire(&request, Some(&wait)));
        let waiters: Vec<&Waiter> = world.waiters.values().collect();
        assert_eq!(waiters.len(), 1);
        waiters[0].until.remaining_ms(&world.now) / MINUTE
    };
    assert_eq!((ask(10), ask(5), ask(10), ask(30)), (10, 10, 10, 30));
    let mut table = world.table();
    let wait = Wait { until: world.now.after(30 * MINUTE), holder: holder("bob"), chain: vec![] };
    table.acquire(&Request { auto: false, ..Request::edit(holder("bob"), path("a")) }, Some(&wait));
    assert_eq!(table.changes().writes, [], "nothing is written for nothing");
}

#[test]
fn a_denial_is_told_with_everybody_in_the_way_once() {
    let mut world = World::new();
    world.lock("ada", &["a", "b"]);
    world.lock("bob", &["c"]);
    let request = Request {
        holder: holder("cid"),
        paths: vec![path("a"), path("b"), path("c")],
        mode: Mode::Exclusive,
        ttl_ms: MINUTE,
        reason: None,
        auto: false,
    };
    let (_, events) = world.transact(|t| t.acquire(&request, None));
    let by: Vec<String> = events
        .iter()
        .filter_map(|e| match e {
            LeaseEvent::Denied { name, by, .. } if name.as_str() == "cid" => Some(by),
            _ => None,
        })
        .flatten()
        .map(ToString::to_string)
        .collect();
    assert_eq!(by, ["ada", "bob"]);
}

#[test]
fn an_agent_stands_still_while_a_command_of_it_waits_and_a_person_does_not() {
    for (name, stands_still) in [("ada", true), ("human", false)] {
        let mut world = World::new();
        world.lock(name, &["a"]);
        world.lock("bob", &["b"]);
        assert!(matches!(world.wait("bob", &["a"]), LeaseOutcome::Queued { .. }));
        let process = ProcessId { pid: 7, start: 1, boot: "boot".into() };
        let command = Holder::command(Name::new(name).unwrap(), process, None);
        let request = Request {
            holder: command.clone(),
            paths: vec![path("b")],
            mode: Mode::Exclusive,
            ttl_ms: MINUTE,
            reason: None,
            auto: false,
        };
        let wait = Wait { until: world.now.after(MINUTE), holder: command, chain: vec![] };
        let outcome = world.transact(|t| t.acquire(&request, Some(&wait))).0;
        assert_eq!(matches!(outcome, LeaseOutcome::Cycle(_)), stands_still, "{outcome:?}");
    }
}

#[test]
fn a_transaction_that_reserves_numbers_is_durable_whatever_it_does_after() {
    let mut world = World::new();
    for durable in [true, false] {
        let mut table = world.table();
        for (name, wanted) in [("ada", "a"), ("bob", "b")] {
            table.acquire(&Request::edit(holder(name), path(wanted)), None);
        }
        let (counter, sync) = table.changes().counter.clone().unwrap();
        assert_eq!(sync, durable);
        world.counter = counter;
    }
    assert_eq!(world.counter.last, 4);
}

#[test]
fn only_those_in_ones_way_are_counted_as_being_before_one() {
    let mut world = World::new();
    world.lock("ada", &["a", "b"]);
    for (name, paths, mode, before) in [
        ("bob", &["b"][..], Mode::Exclusive, 0),
        ("carol", &["a"], Mode::Shared, 0),
        ("dave", &["a"], Mode::Shared, 0),
        ("eve", &["a"], Mode::Exclusive, 2),
        // Its own earlier ticket does not count.
        ("eve", &["a", "b"], Mode::Exclusive, 3),
    ] {
        let LeaseOutcome::Queued { ahead, .. } = world.ask(name, paths, mode, true) else { panic!() };
        assert_eq!(ahead, before, "{name} {paths:?}");
    }
}
