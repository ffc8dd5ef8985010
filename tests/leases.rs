//! Leases between real processes: one winner whatever happens, nothing lost, those concerned are told.
//!
//! Most tests need no tmux: a *peer* is a shell that the registry knows as an agent, so whatever runs below it is proved to
//! be that agent. The default run is short; `SWARM_TEST_TRIALS=200` makes the races long.

use crate::support::mail::parsed;
use crate::support::peer::{Peer, peers, race};
use crate::support::{World, eventually};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use swarm::core::lease::Lease;
use swarm::core::signing::Key;
use swarm::os::{clock, process};

/// How often a race is run.
fn trials() -> usize {
    std::env::var("SWARM_TEST_TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// The leases on disk, as they stand there.
fn leases(world: &World) -> Vec<Lease> {
    fs::read_dir(world.state().join("leases"))
        .unwrap()
        .map(|entry| serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap())
        .collect()
}

/// Puts a lease on record as swarm would have.
fn plant(world: &World, lease: &Lease) {
    let keys = world.path().join("home/.local/state/swarm");
    let project = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
    let key = Key::new(fs::read(project.join("key")).unwrap().try_into().unwrap());
    let mut record = serde_json::to_value(lease).unwrap();
    let seal = key.seal(&format!("leases/{}", lease.fence), &serde_json::to_vec(lease).unwrap());
    record["seal"] = json!(seal);
    fs::write(world.state().join(format!("leases/{}.json", lease.fence)), record.to_string()).unwrap();
}

/// The only lease, changed.
fn alter(world: &World, change: impl FnOnce(&mut Lease)) {
    let mut all = leases(world);
    assert_eq!(all.len(), 1);
    change(&mut all[0]);
    plant(world, &all[0]);
}

fn expire(lease: &mut Lease) {
    lease.expires.awake_ms = 0;
}

fn nobody_is_in_anothers_way(world: &World) {
    let all = leases(world);
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let meet = a.paths.iter().any(|p| b.paths.iter().any(|q| p.overlaps(q)));
            assert!(!meet || a.holder.is_same(&b.holder) || !a.mode.conflicts(b.mode), "{a:?} {b:?}");
        }
    }
}

// Races.

/// Runs the race for `a` on a path prepared by `prepare`; one must win, the others must be refused.
fn one_winner(prepare: impl Fn(&World)) {
    let world = World::with_store();
    let mut racers = peers::<8>(&world);
    for trial in 0..trials() {
        prepare(&world);
        let results = race(&mut racers, "swarm-msg lock a");
        let winners: Vec<usize> = (0..8).filter(|i| results[*i].0 == 0).collect();
        let losers = results.iter().filter(|(code, said)| *code == 3 && said.contains("a is held by peer-"));
        assert_eq!((winners.len(), losers.count()), (1, 7), "trial {trial}: {results:?}");
        assert_eq!(leases(&world).len(), 1);
        racers[winners[0]].ok("swarm-msg unlock a");
    }
}

#[test]
fn of_racers_for_a_free_path_one_wins() {
    one_winner(|_| ());
}

#[test]
fn of_racers_for_an_expired_lease_one_wins() {
    one_winner(|world| {
        world.ok(&["lock", "a"]);
        alter(world, expire);
    });
}

#[test]
fn of_racers_for_a_dead_holders_path_one_wins() {
    one_winner(|world| {
        world.ok(&["lock", "a"]);
        alter(world, |lease| {
            let mut process = process::this().unwrap();
            process.start += 1;
            (lease.holder.process, lease.holder.namespace) = (Some(process), process::namespace());
        });
    });
}

#[test]
fn a_glob_and_a_file_under_it_are_never_both_granted() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    for trial in 0..trials() {
        one.start("swarm-msg lock 'src/*.rs'");
        two.start("swarm-msg lock src/a.rs");
        let codes = [one.finish().0, two.finish().0];
        assert!(codes == [0, 3] || codes == [3, 0], "trial {trial}: {codes:?}");
        one.ok("swarm-msg unlock --all");
        two.ok("swarm-msg unlock --all");
    }
}

#[test]
fn a_clean_up_racing_a_renewal_never_removes_what_was_renewed() {
    let world = World::with_store();
    let (mut renewed, mut removed) = (0, 0);
    for trial in 0..trials() as u64 {
        world.ok(&["lock", "a", "--ttl", "60s"]);
        // It expires while the two are at work.
        let soon = clock::now().unwrap().after(2 + trial % 12);
        alter(&world, |lease| lease.expires = soon);
        let gc = world.command("swarm").args(["gc", "--yes"]).stdout(Stdio::null()).spawn().unwrap();
        let renewal = world.swarm(&["renew", "a", "--ttl", "10m"]);
        assert!(gc.wait_with_output().unwrap().status.success());
        if renewal.status.success() {
            renewed += 1;
            let left = leases(&world)[0].expires.remaining_ms(&clock::now().unwrap());
            assert!(left > 60_000, "{left}");
            world.ok(&["unlock", "a"]);
        } else {
            removed += 1;
            assert!(leases(&world).is_empty());
        }
    }
    println!("{renewed} renewed, {removed} removed");
}

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
}

/// One of many at work: whoever is granted a path makes a directory for it, which must not exist yet.
fn work(world: &World, seed: u64, rounds: usize) -> Vec<u64> {
    let mut peer = Peer::new(world, &format!("worker-{seed}"));
    let (mut random, mut fences) = (Random(seed), Vec::new());
    let held = world.path().join("held");
    for _ in 0..rounds {
        let path = ["a", "b", "src/a", "src/b"][random.below(4)];
        let mark = held.join(path.replace('/', "-"));
        match random.below(10) {
            0..=5 => {
                let (code, said) = peer.run(&format!("swarm-msg lock {path} --json"));
                assert!(code == 0 || code == 3, "{code} {said}");
                if code == 0 {
                    let grant = parsed(&said);
                    fences.extend(grant["new"].as_u64());
                    if !grant["new"].is_null() {
                        fs::create_dir(&mark)
                            .unwrap_or_else(|e| panic!("{} is another's, too: {e}", mark.display()));
                        fs::remove_dir(&mark).unwrap();
                    }
                    if random.below(4) > 0 {
                        peer.ok(&format!("swarm-msg unlock {path}"));
                    }
                }
            }
            // Killed at the worst moments: around each write of a record.
            6 | 7 => {
                let point = ["before-sealed-write", "after-sealed-write"][random.below(2)];
                let verb = ["lock src/", "lock 'src/*' b --shared", "unlock --all", "lock a --wait 1h"]
                    [random.below(4)];
                peer.run(&format!("SWARM_CRASH_AT={point} swarm-msg {verb}"));
            }
            8 => drop(
                peer.run("swarm-msg lock a b 'src/**' --shared & sleep 0.00$(( $$ % 9 )); kill -9 $!; wait"),
            ),
            _ => drop(peer.run("swarm-msg renew; swarm-msg unlock --all; swarm gc --yes")),
        }
    }
    fences
}

#[test]
fn many_at_once_with_kills_at_every_point_keep_every_promise() {
    let world = World::with_store();
    fs::create_dir(world.path().join("held")).unwrap();
    let (workers, rounds) = if trials() >= 200 { (50, 200) } else { (10, 20) };
    let mut fences: Vec<u64> = std::thread::scope(|scope| {
        let world = &world;
        let all: Vec<_> = (0..workers).map(|seed| scope.spawn(move || work(world, seed, rounds))).collect();
        all.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let granted = fences.len();
    assert!(granted > 10, "{granted}");
    fences.sort_unstable();
    fences.dedup();
    assert_eq!(fences.len(), granted, "a fence was given twice");
    nobody_is_in_anothers_way(&world);
    let listed = parsed(&world.ok(&["locks", "--json"]));
    assert_eq!(listed["leases"].as_array().unwrap().len(), 0, "the workers are dead: {listed}");
    assert_eq!(listed["damaged"].as_array().unwrap().len(), 0);
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
    world.ok(&["lock", "a", "b", "src/"]);
}

// Paths.

#[test]
fn one_path_is_one_lease_however_it_is_written() {
    let world = World::with_store();
    let project = world.project();
    fs::create_dir_all(project.join("src/deep dir")).unwrap();
    fs::write(project.join("src/a.rs"), "").unwrap();
    std::os::unix::fs::symlink("src/a.rs", project.join("link.rs")).unwrap();
    std::os::unix::fs::symlink("src", project.join("linked")).unwrap();
    std::os::unix::fs::symlink("src/new.rs", project.join("dangling")).unwrap();
    let elsewhere = world.path().join("elsewhere");
    std::os::unix::fs::symlink(&project, &elsewhere).unwrap();
    let [mut one, mut two] = peers::<2>(&world);
    let absolute = |path: &str| project.join(path).display().to_string();
    one.ok("swarm-msg lock src/a.rs src/new.rs 'src/deep dir/x y.rs'");
    for other in [
        "src/a.rs",
        "./src/a.rs",
        "src//a.rs",
        "src/../src/./a.rs",
        "nothing/../src/a.rs",
        "link.rs",
        "linked/a.rs",
        "linked",
        "src",
        "src/",
        ".",
        "*/a.rs",
        "**/*.rs",
        "linked/*.rs",
        "dangling",
        "src/deep dir",
        &absolute("src/a.rs"),
        &absolute("linked/new.rs"),
        &format!("{}/src/a.rs", elsewhere.display()),
    ] {
        let (code, said) = two.run(&format!("swarm-msg lock '{other}'"));
        assert_eq!(code, 3, "{other}: {said}");
        assert!(said.contains("held by peer-0"), "{said}");
        assert_eq!(two.run(&format!("swarm-msg who '{other}'")).0, 3, "{other}");
    }
    let (code, said) = two.run("cd src && swarm-msg lock a.rs ../src/new.rs");
    assert_eq!(code, 3, "{said}");
    for free in ["src/b.rs", "src2", "README.md", "*.md"] {
        two.ok(&format!("swarm-msg lock {free} && swarm-msg unlock {free}"));
    }
}

#[test]
fn where_the_file_system_folds_case_both_spellings_are_one_lease() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock Src/Main.rs");
    two.ok("swarm-msg lock src/main.rs && swarm-msg unlock src/main.rs");
    one.ok("swarm-msg unlock Src/Main.rs");
    // As on macOS: both names lead to one file. That is what is looked at.
    fs::hard_link(world.state().join("FORMAT"), world.state().join("format")).unwrap();
    one.ok("swarm-msg lock Src/Main.rs");
    for other in ["src/main.rs", "SRC/MAIN.RS", "SRC/", "src/*.RS"] {
        let (code, said) = two.run(&format!("swarm-msg lock '{other}'"));
        assert!(code == 3 && said.contains("held by peer-0"), "{other}: {said}");
    }
    two.ok("swarm-msg lock src2/main.rs");
}

#[test]
fn a_temporary_directory_that_is_a_link_holds_one_project() {
    // As on macOS, where /tmp leads to /private/tmp: a shell says the one, and the kernel the other.
    let world = World::new();
    let real = world.path().canonicalize().unwrap().join("private/tmp/project");
    fs::create_dir_all(real.join("src")).unwrap();
    std::os::unix::fs::symlink("private/tmp", world.path().join("linked")).unwrap();
    let link = world.path().join("linked/project");
    let run = |dir: &Path, args: &[&str]| {
        let out = world.command("swarm").current_dir(dir).env("PWD", dir).args(args).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    assert_eq!(run(&link, &["init"]).0, Some(0));
    let mark = fs::read_to_string(real.join(".swarm/PROJECT")).unwrap();
    assert!(mark.contains(real.to_str().unwrap()), "{mark}");
    for (dir, path) in [(&link, real.join("src/a.rs")), (&real, link.join("src/b.rs"))] {
        assert_eq!(run(dir, &["lock", path.to_str().unwrap()]).0, Some(0), "{}", path.display());
    }
    for dir in [&link, &real] {
        let held = run(dir, &["locks"]).1;
        assert!(
            held.contains(" src/a.rs") && held.contains(" src/b.rs") && !held.contains("private"),
            "{held}"
        );
        let path = dir.join("src/a.rs");
        assert!(run(&real, &["who", path.to_str().unwrap()]).1.contains("human"), "{}", path.display());
    }
    assert_eq!(fs::read_to_string(real.join(".swarm/PROJECT")).unwrap(), mark, "it was never moved");
}

#[test]
fn a_path_that_cannot_be_leased_is_refused_with_the_reason() {
    let world = World::with_store();
    fs::write(world.project().join("file"), "").unwrap();
    std::os::unix::fs::symlink("loop", world.project().join("loop")).unwrap();
    for (path, why) in [
        ("/etc/passwd", "outside"),
        ("../x", "outside"),
        ("a\nb", "newline"),
        ("", "empty"),
        ("file/", "file, not a directory"),
        ("file/x", "file, not a directory"),
        ("loop", "circle"),
        ("*.{a,b}", "only * and **, not '{'"),
        ("*/../x", "'..'"),
        (".swarm/lock", "belongs to swarm"),
    ] {
        let (code, said) = world.refused(&["lock", path]);
        assert_eq!(code, 2, "{path}: {said}");
        assert!(said.contains(why), "{path}: {said}");
    }
    let long = "x".repeat(513);
    for args in
        [&["lock", "a", "--reason", &long][..], &["lock", "a", "--ttl", "25h"], &["lock"], &["unlock"]]
    {
        assert_eq!(world.refused(args).0, 2, "{args:?}");
    }
    assert!(leases(&world).is_empty());
}

fn git(world: &World, args: &[&str]) {
    let out = world
        .command("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(args)
        .output();
    assert!(out.unwrap().status.success(), "git {args:?}");
}

#[test]
fn linked_worktrees_are_separate() {
    let world = World::new();
    git(&world, &["init", "-q"]);
    git(&world, &["commit", "-q", "--allow-empty", "-m", "first"]);
    let (outside, inside) = (world.path().join("outside"), world.project().join("trees/inside"));
    for tree in [&outside, &inside] {
        git(&world, &["worktree", "add", "-q", tree.to_str().unwrap()]);
    }
    world.ok(&["init"]);
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a .");
    for tree in [&outside, &inside] {
        two.ok(&format!("cd '{}' && swarm-msg lock a", tree.display()));
        let (code, said) = one.run(&format!("swarm-msg lock '{}'", tree.join("a").display()));
        assert_eq!(code, 3, "{said}");
    }
    assert!(world.ok(&["locks"]).contains("outside:a"));
}

// What the commands promise.

#[test]
fn several_paths_are_all_granted_or_none() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock b --reason 'the parser'");
    let (code, said) = two.run("swarm-msg lock a b c --json");
    assert_eq!(code, 3);
    let outcome = parsed(said.lines().next().unwrap());
    assert_eq!((&outcome["outcome"], outcome["blockers"].as_array().unwrap().len()), (&json!("denied"), 1));
    assert_eq!(outcome["blockers"][0]["how"]["holds"]["reason"], "the parser");
    assert_eq!(leases(&world).len(), 1);
    assert_eq!(two.run("swarm-msg lock a c --dry-run").0, 0);
    assert_eq!(two.run("swarm-msg lock a b --dry-run").0, 3);
    assert_eq!(leases(&world).len(), 1);
}

#[test]
fn giving_back_is_for_the_holder_and_never_fails_for_nothing() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a b");
    assert_eq!(two.run("swarm-msg unlock a").0, 3);
    assert_eq!(two.run("swarm-msg renew a").0, 3);
    two.ok("swarm-msg unlock nothing");
    two.ok("swarm-msg unlock --all");
    let fence = leases(&world)[0].fence;
    one.ok(&format!("swarm-msg unlock --fence {}", fence + 1));
    assert_eq!(leases(&world).len(), 1);
    one.ok("swarm-msg unlock a");
    two.ok("swarm-msg lock a");
    one.ok("swarm-msg renew --ttl 1h");
    assert_eq!(one.run("swarm-msg renew a").0, 3);
}

#[test]
fn shared_leases_go_together_and_an_exclusive_one_does_not() {
    let world = World::with_store();
    let [mut one, mut two, mut three] = peers::<3>(&world);
    one.ok("swarm-msg lock src/ --shared");
    two.ok("swarm-msg lock src/a --shared");
    assert_eq!(three.run("swarm-msg lock src/a").0, 3);
    assert_eq!(one.run("swarm-msg lock src/").0, 3, "an upgrade needs the others gone");
    two.ok("swarm-msg unlock --all");
    one.ok("swarm-msg lock src/");
    assert_eq!(two.run("swarm-msg lock src/a --shared").0, 3);
    assert_eq!(leases(&world).len(), 1);
}

#[test]
fn who_waits_is_told_when_it_is_its_turn_and_nobody_else_is() {
    let world = World::with_store();
    let [mut one, mut two, mut three] = peers::<3>(&world);
    one.ok("swarm-msg lock a");
    let (code, said) = two.run("swarm-msg lock a --wait 10m");
    assert!(code == 3 && said.contains("queued: ticket") && said.contains("0 before you"), "{said}");
    let (_, said) = three.run("swarm-msg lock a --wait 10m");
    assert!(said.contains("1 before you"), "{said}");
    assert!(two.mail().is_empty());
    one.ok("swarm-msg unlock a");
    let told = two.mail();
    assert!(told.len() == 1 && told[0].starts_with("swarm: it is your turn for a:"), "{told:?}");
    assert_eq!(one.run("swarm-msg lock a").0, 3, "it is kept for the first in line");
    two.ok("swarm-msg lock a");
    assert!(one.mail().is_empty() && three.mail().is_empty());
    two.ok("swarm-msg unlock --all");
    assert_eq!(three.mail().len(), 1);
}

#[test]
fn waiting_in_a_ring_is_refused_with_the_ring() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    two.ok("swarm-msg lock b");
    assert_eq!(one.run("swarm-msg lock b --wait 10m").0, 3);
    let (code, said) = two.run("swarm-msg lock a --wait 10m");
    assert!(code == 3 && said.contains("peer-1 waits for peer-0, peer-0 for peer-1"), "{said}");
}

#[test]
fn an_expired_lease_of_a_living_holder_is_asked_for_before_it_is_lost() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    alter(&world, expire);
    assert_eq!(two.run("swarm-msg lock a --wait 10m").0, 3);
    let told = one.mail();
    assert!(told.len() == 1 && told[0].contains("peer-1 wants it"), "{told:?}");
    alter(&world, |lease| lease.challenge.as_mut().unwrap().until.awake_ms = 0);
    two.ok("swarm-msg lock a");
    assert!(one.mail().iter().any(|m| m.contains("was not renewed")));
    assert_eq!(one.run("swarm-msg renew a").0, 3);
}

#[test]
fn a_renewal_answers_the_challenge() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    alter(&world, expire);
    assert_eq!(two.run("swarm-msg lock a").0, 3);
    assert!(leases(&world)[0].challenge.is_some());
    one.ok("swarm-msg renew");
    assert!(leases(&world)[0].challenge.is_none());
    assert_eq!(two.run("swarm-msg lock a").0, 3);
}

#[test]
fn only_a_person_takes_a_lease_away_and_its_holder_is_told() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock src/");
    let (code, said) = two.run("swarm-msg unlock src/a --force --yes");
    assert!(code == 2 && said.contains("only the human"), "{said}");
    let (code, said) = world.refused(&["unlock", "src/a", "--force"]);
    assert!(code == 2 && said.contains("--yes"), "{said}");
    assert_eq!(leases(&world).len(), 1);
    world.ok(&["unlock", "src/a", "--force", "--yes"]);
    assert!(leases(&world).is_empty());
    let told = one.mail();
    assert!(told.len() == 1 && told[0].contains("the human took your lease"), "{told:?}");
    assert!(two.mail().is_empty());
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    assert!(journal.contains("\"why\":\"forced\""));
}

#[test]
fn the_dead_hold_and_wait_for_nothing() {
    let world = World::with_store();
    let [mut one, mut two, mut three] = peers::<3>(&world);
    one.ok("swarm-msg lock a");
    assert_eq!(two.run("swarm-msg lock a --wait 10m").0, 3);
    one.kill();
    two.kill();
    let listed = world.ok(&["gc"]);
    assert!(
        listed.contains("died: lease 1 of peer-0 on a") && listed.contains("nothing was changed"),
        "{listed}"
    );
    assert_eq!(leases(&world).len(), 1);
    three.ok("swarm-msg lock a");
    assert_eq!(leases(&world).len(), 1);
    assert_eq!(world.ok(&["gc"]), "nothing to clean up\n");
}

#[test]
fn a_notice_whose_poster_was_killed_is_posted_by_the_next() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    two.run("swarm-msg lock a --wait 10m");
    // The first sealed write of an unlock is the notice; the second would be the waiter with its offer.
    one.run("SWARM_CRASH_AT=after-sealed-write swarm-msg unlock a");
    assert_eq!(fs::read_dir(world.state().join("notices")).unwrap().count(), 1);
    one.ok("swarm-msg unlock a");
    assert!(!two.mail().is_empty());
    assert_eq!(fs::read_dir(world.state().join("notices")).unwrap().count(), 0);
}

#[test]
fn a_damaged_record_stops_grants_until_a_person_sets_it_aside() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    fs::write(world.state().join("leases/1.json"), "{").unwrap();
    let (code, said) = two.run("swarm-msg lock b");
    assert!(
        code == 1 && said.contains("leases/1.json is damaged") && said.contains("swarm gc --yes"),
        "{said}"
    );
    assert_eq!(two.run("swarm gc --yes").0, 2);
    assert!(world.ok(&["gc"]).contains("to quarantine: leases/1.json"));
    world.ok(&["gc", "--yes"]);
    two.ok("swarm-msg lock a");
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 1);
}

#[test]
fn a_renamed_agent_keeps_its_leases_and_its_place() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    two.run("swarm-msg lock a --wait 10m");
    world.ok(&["name", "peer-0", "reviewer"]);
    world.ok(&["name", "peer-1", "helper"]);
    let listed = world.ok(&["locks"]);
    assert!(listed.contains("reviewer") && listed.contains("helper waits for a"), "{listed}");
    one.ok("swarm-msg renew a");
    one.ok("swarm-msg unlock a");
    // Beside the word that it was renamed.
    assert_eq!(two.mail().iter().filter(|text| text.contains("your turn for a")).count(), 1);
    two.ok("swarm-msg lock a");
}

#[test]
fn a_store_from_before_leases_takes_them() {
    let world = World::with_store();
    for dir in ["leases", "waiters", "notices"] {
        fs::remove_dir(world.state().join(dir)).unwrap();
    }
    fs::remove_file(world.state().join("numbers.json")).unwrap();
    assert_eq!(world.ok(&["locks"]), "no leases\n");
    world.ok(&["lock", "a"]);
    assert_eq!(leases(&world).len(), 1);
}

// A command under a lease.

#[test]
fn a_command_runs_under_its_lease_and_its_exit_code_is_passed_on() {
    let world = World::with_store();
    let out = world.swarm(&["lock", "a", "--", "sh", "-c", "swarm who a; exit 7"]);
    assert_eq!(out.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&out.stdout).contains("a: human (lease 1"), "{out:?}");
    assert!(leases(&world).is_empty());
    assert_eq!(world.swarm(&["lock", "a", "--", "true"]).status.code(), Some(0));
    assert_eq!(world.swarm(&["lock", "a", "--", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    assert_eq!(world.swarm(&["lock", "a", "--", "no-such-program"]).status.code(), Some(127));
    assert!(leases(&world).is_empty());
}

/// Starts `swarm lock a -- sh -c SCRIPT` and waits for the script's word `ready`.
fn under_lease(world: &World, script: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = world
        .command("swarm")
        .args(["lock", "a", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, out)
}

fn signal(child: &Child, name: &str) {
    let sent =
        std::process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn signals_are_passed_on_to_the_command() {
    let world = World::with_store();
    for (name, code) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("USR1", 10)] {
        let script = format!("trap 'exit {code}' {name}; echo ready; while :; do sleep 0.02; done");
        let (mut child, _out) = under_lease(&world, &script);
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{name}");
        assert!(leases(&world).is_empty(), "{name}");
    }
}

#[test]
fn the_lease_of_a_command_whose_guard_was_killed_lasts_as_long_as_the_command() {
    let world = World::with_store();
    let go = world.path().join("go");
    let script = format!("echo ready; while [ ! -e {} ]; do sleep 0.02; done", go.display());
    let (mut child, _out) = under_lease(&world, &script);
    let code = || world.swarm(&["lock", "a", "--", "true"]).status.code();
    assert_eq!(code(), Some(3), "two commands of one person exclude each other");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(code(), Some(3), "the command runs still");
    // Its time is over and somebody waits, and nobody is there to renew it: it runs all the same.
    alter(&world, expire);
    assert_eq!(world.swarm(&["lock", "a", "--wait", "1s", "--", "true"]).status.code(), Some(3));
    assert!(leases(&world)[0].challenge.is_none());
    fs::write(go, "").unwrap();
    eventually("the command ends, and its lease with it", || (code() == Some(0)).then_some(()));
}

#[test]
fn a_ring_of_commands_that_wait_inside_of_commands_is_refused() {
    let world = World::with_store();
    let mut all = Vec::new();
    for (own, wanted) in [("a", "b"), ("b", "c"), ("c", "a")] {
        // Each waits until all three have their first one.
        let script = format!(
            "touch {own}.held; while ! [ -e a.held ] || ! [ -e b.held ] || ! [ -e c.held ]; do sleep 0.02; done; \
             swarm lock {wanted} --wait 10m -- true"
        );
        let args = ["lock", own, "--wait", "10m", "--", "sh", "-c", &script];
        all.push(world.command("swarm").args(args).stderr(Stdio::piped()).spawn().unwrap());
    }
    let ended: Vec<_> = all.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let refused = ended.iter().filter(|out| out.status.code() == Some(3));
    let said: Vec<String> = refused.map(|out| String::from_utf8_lossy(&out.stderr).into_owned()).collect();
    assert_eq!(said.len(), 1, "one is refused, and the others go on: {ended:?}");
    assert!(said[0].contains("would never end"), "{said:?}");
    // No ring: a command that waits inside of a command is served when its turn comes.
    let (mut first, _out) = under_lease(&world, "echo ready; sleep 0.5");
    let out = world.swarm(&["lock", "z", "--", "sh", "-c", "swarm lock a --wait 10m -- echo served"]);
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("served"), "{out:?}");
    first.wait().unwrap();
    // A command that waits for its own outer lease.
    let inner = "swarm lock a --wait 10m -- true";
    let out = world.swarm(&["lock", "a", "--", "sh", "-c", inner]);
    assert!(out.status.code() == Some(3) && leases(&world).is_empty(), "{out:?}");
}

#[test]
fn a_glob_with_a_slash_at_its_end_covers_what_is_below() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    for (glob, shown, below) in [
        ("packages/*/", "packages/*/**", "packages/x/f.rs"),
        ("*/", "*/**", "src/a/b.rs"),
        ("a/**/", "a/**", "a/b/c"),
        ("lib/*//", "lib/*/**", "lib/x/y/z"),
        ("./q*/.", "q*/**", "qq/r"),
        ("dir//", "dir/", "dir/f"),
        ("./other/", "other/", "other/f"),
        // Without a star these are ordinary characters, as in the names of routes.
        ("[id]/", "[id]/", "[id]/page.tsx"),
        ("?x/", "?x/", "?x/f"),
    ] {
        let (code, said) = one.run(&format!("swarm-msg lock '{glob}'"));
        assert!(code == 0 && said.contains(&format!("granted {shown} ")), "{glob}: {said}");
        assert_eq!(two.run(&format!("swarm-msg lock '{below}'")).0, 3, "{glob}");
        one.ok(&format!("swarm-msg unlock '{glob}'"));
        assert!(leases(&world).is_empty(), "{glob}");
    }
}

#[test]
fn who_leases_a_second_name_of_a_leased_file_is_warned() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    fs::write(world.project().join("first.rs"), "x").unwrap();
    fs::hard_link(world.project().join("first.rs"), world.project().join("second.rs")).unwrap();
    one.ok("swarm-msg lock first.rs");
    let (code, said) = two.run("swarm-msg lock second.rs 2>&1");
    assert!(code == 0 && said.contains("second.rs and first.rs are one file (hard links)"), "{said}");
    assert!(said.contains("first.rs is held by peer-0"), "{said}");
    let (_, said) = one.run("swarm-msg lock first.rs other.rs 2>&1");
    assert!(said.contains("second.rs is held by peer-1"), "{said}");
    two.ok("swarm-msg unlock --all");
    assert!(!one.run("swarm-msg lock first.rs 2>&1").1.contains("one file"));
}

#[test]
fn commands_wait_for_each_other_and_none_is_lost() {
    let world = World::with_store();
    let log = world.path().join("log");
    let script = format!("echo begin >> {0}; sleep 0.02; echo end >> {0}", log.display());
    let all: Vec<Child> = (0..6)
        .map(|_| {
            let args = ["lock", "a", "--wait", "60s", "--", "sh", "-c", &script];
            world.command("swarm").args(args).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "begin\nend\n".repeat(6));
    assert!(leases(&world).is_empty());
    assert_eq!(fs::read_dir(world.state().join("waiters")).unwrap().count(), 0);
}

#[test]
fn a_command_keeps_its_lease_for_longer_than_its_time() {
    let world = World::with_store();
    let mut child = world
        .command("swarm")
        .args(["lock", "a", "--ttl", "1s", "--", "sh", "-c", "read x"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let since = eventually("the lease", || leases(&world).first().map(|l| l.expires.awake_ms));
    eventually("a renewal", || (leases(&world).first()?.expires.awake_ms > since + 1000).then_some(()));
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(leases(&world).is_empty());
}

#[test]
fn the_figures_come_from_the_journal() {
    let world = World::with_store();
    let [mut one, mut two] = peers::<2>(&world);
    one.ok("swarm-msg lock a");
    two.run("swarm-msg lock a");
    two.run("swarm-msg lock a --wait 10m");
    one.ok("swarm-msg unlock a");
    let figures = parsed(&world.ok(&["stats", "--json"]));
    let figures = &figures["leases"];
    assert_eq!(
        (&figures["grants"], &figures["denials"], &figures["waits"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&figures["ended"]["released"], &figures["waited_ms"]["count"]), (&json!(1), &json!(1)));
    assert_eq!(figures["contended"], json!([["a", 2]]));
    assert!(figures["mutex_us"]["count"].as_u64().unwrap() > 3);
    assert!(world.ok(&["stats"]).contains("granted"));
}

// With tmux: the courier.

/// Has an agent run a command as its tool.
fn tool(world: &World, name: &str, pane: &str, command: &str) -> String {
    world.ok(&["send", name, &format!("TOOL(({command}))"), "--no-wait"]);
    eventually(command, || {
        world
            .log(pane)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|e| e["event"] == "react" && e["command"] == command)
            .map(|e| e["text"].as_str().unwrap_or_default().to_owned())
    })
}

#[test]
fn the_courier_frees_a_dead_agents_lease_and_tells_the_next_in_line() {
    let world = World::new();
    world.start();
    let panes = [world.agent("claude", &[]), world.agent("codex", &[])];
    world.ok(&["discover", "--init", "--quiet"]);
    let said = tool(&world, "claude-1", &panes[0], "swarm-msg lock src/a.rs; echo code=$?");
    assert!(said.contains("code=0"), "{said}");
    let said = tool(&world, "codex-1", &panes[1], "swarm-msg lock src/ --wait 10m; echo code=$?");
    assert!(said.contains("code=3") && said.contains("queued"), "{said}");
    world.tmux(&["kill-pane", "-t", &panes[0]]);
    let killed = std::time::Instant::now();
    // No command is run: this is the courier's doing.
    eventually("the lease is freed", || leases(&world).is_empty().then_some(()));
    println!("freed after {:?}", killed.elapsed());
    eventually("the offer is typed", || {
        world.log(&panes[1]).contains("it is your turn for src/").then_some(())
    });
    let said = tool(&world, "codex-1", &panes[1], "swarm-msg lock src/; echo again=$?");
    assert!(said.contains("again=0"), "{said}");
}

#[test]
fn a_holder_lives_whatever_the_time_zone_of_who_asks() {
    let world = World::new();
    world.start();
    let panes = [world.agent("claude", &[("TZ", "America/Los_Angeles")]), world.agent("codex", &[])];
    world.ok(&["discover", "--init", "--quiet"]);
    let said = tool(&world, "claude-1", &panes[0], "TZ=Asia/Tokyo swarm-msg lock src/a.rs; echo code=$?");
    assert!(said.contains("code=0"), "{said}");
    for zone in ["UTC", "America/Los_Angeles", "Asia/Tokyo"] {
        let command = format!("TZ={zone} swarm-msg lock src/a.rs; echo code=$?");
        let said = tool(&world, "codex-1", &panes[1], &command);
        assert!(said.contains("claude-1") && said.contains("code=3"), "{zone}: {said}");
    }
}

#[test]
fn a_wait_for_a_path_or_for_mail_ends_when_one_of_them_comes() {
    let world = World::new();
    world.ok(&["init"]);
    let mut peer = Peer::new(&world, "peer-0");
    peer.ok("swarm-msg lock src/a.rs");
    for args in [&["--lease", "src/a.rs"][..], &["--any", "--mail", "--lease", "src/"]] {
        let out = world.swarm(&[&["wait", "--timeout", "0", "--json"], args].concat());
        let told = parsed(&String::from_utf8(out.stdout).unwrap());
        assert_eq!((out.status.code(), told["met"].as_array().unwrap().len()), (Some(1), 0), "{told}");
        let told = String::from_utf8(out.stderr).unwrap();
        assert!(told.contains("is held by peer-0"), "{told}");
    }
    peer.ok("swarm-msg send human hello");
    let told = world.ok(&["wait", "--any", "--mail", "--lease", "src/a.rs"]);
    assert!(told.contains("hello") && !told.contains("src/a.rs is free"), "{told}");
    let (code, told) = world.refused(&["wait", "--mail", "--lease", "src/a.rs", "--timeout", "0"]);
    assert!(code == 1 && !told.contains("no mail"), "both must hold, and one does: {told}");
    // What is one's own is in nobody's way.
    assert_eq!(peer.ok("swarm-msg wait --lease src/a.rs --timeout 0").trim(), "src/a.rs is free");
    peer.ok("swarm-msg unlock src/a.rs");
    assert!(world.ok(&["wait", "--mail", "--lease", "src/a.rs"]).starts_with("src/a.rs is free\n"));
}
