//! Faults between the hosts of a team: cuts in both directions and in one, lost packets, stopped and
//! killed links, a killed engine, a clock that is set.
//! Through all of them two hosts never believe one lease, and a letter is there once.

use super::{Team, inbox, trials};
use crate::support::{PATIENCE, World, eventually};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Reads everything that is unread on a host, as its person: the texts.
fn read_all(host: &World) -> Vec<String> {
    let said: Value = serde_json::from_str(&host.ok(&["read", "--all", "--json"])).unwrap();
    let all = said["messages"].as_array().unwrap();
    all.iter().filter_map(|m| m["body"].as_str().map(str::to_owned)).collect()
}

/// Tells other threads that their time is over when this one is through, also by a failure.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[ignore = "on a busy machine it takes minutes: cargo test --test suite -- --ignored team::faults"]
#[test]
fn a_letter_is_there_once_however_often_links_and_the_engine_are_killed() {
    let Some(team) = Team::new(2) else { return };
    let count = trials(40);
    let done = AtomicBool::new(false);
    let mut got = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut turn, mut kills) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(150 + 70 * (turn % 5)));
                team.signal(usize::try_from(turn % 2).unwrap(), "-KILL");
                team.switches[0].cut(turn % 7 == 3, turn % 5 == 4);
                if turn % 11 == 9 {
                    team.kill_engine();
                    kills += 1;
                }
                turn += 1;
            }
            team.switches[0].cut(false, false);
            eprintln!("links were killed {turn} times, the engine {kills} times");
        });
        let _ends = Ends(&done);
        for number in 0..count {
            team.hosts[0].ok(&["send", "--no-wait", "h1/human", &format!("letter {number}")]);
            if number % 50 == 49 {
                // A mailbox takes only so many unread ones of one sender.
                got.extend(read_all(&team.hosts[1]));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let begun = Instant::now();
    let patience = PATIENCE + Duration::from_millis(100) * u32::try_from(count).unwrap();
    while got.len() < count && begun.elapsed() < patience {
        // Any command starts a link that is gone.
        for host in &team.hosts {
            host.ok(&["team", "hosts"]);
        }
        got.extend(read_all(&team.hosts[1]));
        std::thread::sleep(Duration::from_millis(100));
    }
    got.sort();
    let mut expected: Vec<String> = (0..count).map(|n| format!("letter {n}")).collect();
    expected.sort();
    assert_eq!(got, expected);
    assert!(fs::read_dir(team.hosts[1].state().join("quarantine")).unwrap().next().is_none());
}

#[ignore = "on a busy machine it takes minutes: cargo test --test suite -- --ignored team::faults"]
#[test]
fn a_link_that_dies_at_any_of_its_steps_loses_and_repeats_nothing() {
    let Some(team) = Team::new(2) else { return };
    let [first, second] = [&team.hosts[0], &team.hosts[1]];
    let lock = ["lock", "--name", "deploy"];
    let trace = |point: &str| second.path().join(point);
    let died =
        |point: &str| trace(point).exists() && fs::read_to_string(trace(point)).unwrap().contains(point);
    // Starts a link of the second host that dies at that point, which it may do at once.
    let doomed = |point: &str| {
        let old = team.link(1);
        team.signal(1, "-KILL");
        eventually("another link runs", || {
            if died(point) || team.link(1).is_some_and(|pid| Some(pid) != old) {
                return Some(());
            }
            let mut command = second.command("swarm");
            command.env("SWARM_CRASH_AT", point).env("SWARM_CRASH_TRACE", trace(point));
            command.args(["team", "hosts"]).output().unwrap();
            None
        });
    };
    let dies = |point: &str| eventually(&format!("{point}: it dies there"), || died(point).then_some(()));
    for point in ["link-before-commit", "link-after-commit"] {
        doomed(point);
        // One who asks may give up before a slow link comes to it.
        eventually(&format!("{point}: it dies there"), || {
            if !died(point) {
                second.swarm(&lock);
            }
            died(point).then_some(())
        });
        eventually("it is granted", || second.swarm(&lock).status.success().then_some(()));
        eventually("it is believed", || team.believes_own(1, "name:deploy").then_some(()));
        assert_eq!(first.refused(&lock).0, 3, "{point}");
        second.ok(&["unlock", "--name", "deploy"]);
        eventually("it is free in the team", || first.swarm(&lock).status.success().then_some(()));
        first.ok(&["unlock", "--name", "deploy"]);
    }
    for point in ["link-posted", "link-before-taken", "link-after-taken"] {
        doomed(point);
        let (from, to, host) =
            if point == "link-posted" { (second, first, "h0") } else { (first, second, "h1") };
        let send = |text: &str| from.ok(&["send", "--no-wait", &format!("{host}/human"), text]);
        send(point);
        dies(point);
        send(&format!("behind {point}"));
        let mut got = Vec::new();
        eventually("both letters are there", || {
            second.ok(&["team", "hosts"]);
            got.extend(read_all(to));
            got.iter().any(|text| text.starts_with("behind")).then_some(())
        });
        got.sort();
        assert_eq!(got, [format!("behind {point}"), point.to_owned()]);
    }
}

#[test]
fn of_all_racers_on_three_hosts_one_wins() {
    let Some(team) = Team::new(3) else { return };
    team.switches[0].delay(5);
    for round in 0..trials(4) {
        let (name, go) = (format!("slot-{round}"), team.hosts[0].path().join(format!("go-{round}")));
        // Who has it keeps it until all the others have ended, however slow they are.
        let keeps = format!("while [ ! -e '{}' ]; do sleep 0.05; done", go.display());
        let mut racers: Vec<_> = (0..8)
            .map(|racer| {
                let mut command = team.hosts[racer % 3].command("swarm-msg");
                command
                    .args(["lock", "--name", &name, "--", "sh", "-c", &keeps])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        let begun = Instant::now();
        while racers.iter_mut().filter_map(|r| r.try_wait().unwrap()).count() < 7 {
            assert!(begun.elapsed() < PATIENCE, "two of them have it: round {round}");
            std::thread::sleep(Duration::from_millis(20));
        }
        fs::write(&go, "").unwrap();
        let won = racers.into_iter().map(|mut r| r.wait().unwrap().success()).filter(|won| *won).count();
        assert_eq!(won, 1, "round {round}");
    }
}

/// Waits until the second host believes the path, and tells whether the first may have done so, too, at the time of that decision: both
/// hosts are on this machine, so their clocks can be compared here.
pub(super) fn both_believed(team: &Team, path: &str) -> bool {
    let said = |number: usize| -> Value {
        let all: Value = serde_json::from_str(&team.hosts[number].ok(&["locks", "--json"])).unwrap();
        all["team"].clone()
    };
    let since = eventually("the lost host's lease is somebody else's", || {
        let board = said(2);
        let leases = board["leases"].as_array().unwrap().clone();
        let own = |l: &&Value| l["holder"] == "h2/human" && l["paths"][0] == path;
        (board["believed"] == true).then(|| leases.iter().find(own)?["since"].as_u64()).flatten()
    });
    let ticks = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).unwrap();
    let ticks = u64::try_from(Duration::from(ticks).as_millis()).unwrap();
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let wall = u64::try_from(wall.as_millis()).unwrap();
    let until = said(1)["believe_until"].as_u64().unwrap() + wall - ticks;
    // The two clocks are read one after the other.
    until > since + 3 || team.believes_own(1, path)
}

fn lost(host: &World) -> usize {
    inbox(host).iter().filter(|m| m.contains("while this host was cut off")).count()
}

#[test]
fn two_hosts_never_believe_one_lease_through_cuts_stops_kills_and_clock_steps() {
    let Some(team) = Team::new(3) else { return };
    let path = "team:schema.sql";
    let [holder, other] = [&team.hosts[1], &team.hosts[2]];
    for fault in ["cut", "cut up", "cut down", "stopped", "killed", "clock forward", "clock back"] {
        let case = |what: &str| format!("{fault}: {what}");
        eventually(&case("h1 holds it"), || {
            holder.swarm(&["lock", "--team", "schema.sql"]).status.success().then_some(())
        });
        eventually(&case("h1 believes it"), || team.believes_own(1, path).then_some(()));
        eventually(&case("h2 is told who holds it"), || {
            let (code, why) = other.refused(&["lock", "--team", "schema.sql"]);
            // On a busy machine its link may not answer in time.
            let unknown = why.contains("cut off");
            assert!(code == 3 && (unknown || why.contains("h1/human")), "{}", case(&why));
            (!unknown).then_some(())
        });
        let told = lost(holder);
        match fault {
            "cut" => team.switches[0].cut(true, true),
            "cut up" => team.switches[0].cut(true, false),
            "cut down" => team.switches[0].cut(false, true),
            "stopped" => team.signal(1, "-STOP"),
            "killed" => team.signal(1, "-KILL"),
            "clock forward" => {
                // As if the engine's clock had jumped: all signs of life look old. Those who watch know better.
                team.engine("update swarm.session set beaten = beaten - interval '1 hour'");
                assert_eq!(other.refused(&["lock", "--team", "schema.sql"]).0, 3, "{}", case("it is held"));
                team.switches[0].cut(true, true);
            }
            _ => {
                team.switches[0].cut(true, true);
                team.engine("update swarm.session set beaten = beaten + interval '1 hour' where host = 'h1'");
            }
        }
        let mut waiting =
            other.command("swarm").args(["lock", "--team", "schema.sql", "--wait", "1m"]).spawn().unwrap();
        assert!(!both_believed(&team, path), "{}", case("both believed it"));
        assert!(waiting.wait().unwrap().success());
        // A cut-off host works on, refuses what is the team's, and says since when.
        holder.ok(&["lock", "src/own.rs"]);
        if fault == "cut" {
            let (code, why) = holder.refused(&["lock", "--team", "other.sql"]);
            assert!(code == 3 && why.contains("cut off from the team"), "{why}");
        }
        team.switches[0].cut(false, false);
        team.signal(1, "-CONT");
        eventually(&case("h1 is back and told"), || {
            let up = holder.ok(&["team"]).contains("link: up");
            (up && lost(holder) > told && !team.believes_own(1, path)).then_some(())
        });
        assert!(team.believes_own(2, path), "{}", case("h2 lost it"));
        other.ok(&["unlock", "--team", "schema.sql"]);
        holder.ok(&["unlock", "--all"]);
    }
}

#[test]
fn a_lease_that_nobody_wanted_is_still_there_after_a_cut_and_a_kill_of_the_engine() {
    let Some(team) = Team::new(2) else { return };
    let path = "name:deploy";
    let holder = &team.hosts[1];
    holder.ok(&["lock", "--name", "deploy"]);
    team.switches[0].cut(true, true);
    eventually("belief is over", || (!team.believes_own(1, path)).then_some(()));
    team.switches[0].cut(false, false);
    eventually("it is believed again", || team.believes_own(1, path).then_some(()));
    team.kill_engine();
    team.hosts[0].ok(&["send", "--no-wait", "h1/human", "sent while the engine was down"]);
    // The link of the host that made the team starts it again.
    eventually("the letter is there", || {
        team.hosts[0].ok(&["team", "hosts"]);
        inbox(holder).contains(&"sent while the engine was down".to_owned()).then_some(())
    });
    eventually("it is believed again", || team.believes_own(1, path).then_some(()));
    assert_eq!(team.hosts[0].refused(&["lock", "--name", "deploy"]).0, 3);
}

/// Whether two hosts believe that they hold one path at the same moment: one of them before and after the other is looked at, by the same
/// lease.
fn overlap(team: &Team, [one, two]: [usize; 2], path: &str) -> bool {
    let own = |number: usize| -> Option<u64> {
        let said: Value = serde_json::from_str(&team.hosts[number].ok(&["locks", "--json"])).unwrap();
        let all = said["team"]["leases"].as_array()?.clone();
        let is_own = |l: &&Value| l["holder"] == format!("h{number}/human") && l["paths"][0] == path;
        all.iter().find(is_own).filter(|_| said["team"]["believed"] == true)?["fence"].as_u64()
    };
    let before = own(one);
    before.is_some() && own(two).is_some() && own(one) == before
}

#[test]
fn through_lost_packets_one_host_holds_and_each_letter_is_there_once() {
    let Some(team) = Team::new(3) else { return };
    for switch in &team.switches {
        switch.delay(10);
        switch.lose(30);
    }
    let (granted, sent, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for number in [1, 2] {
            let (team, granted, sent, over) = (&team, &granted, &sent, &over);
            scope.spawn(move || {
                let host = &team.hosts[number];
                while !over.load(Ordering::Relaxed) {
                    let out =
                        host.swarm(&["lock", "--team", "schema.sql", "--wait", "5s", "--", "sleep", "0.2"]);
                    granted.fetch_add(usize::from(out.status.success()), Ordering::Relaxed);
                    let letter = format!("letter {}", sent.fetch_add(1, Ordering::Relaxed));
                    host.ok(&["send", "--no-wait", &format!("h{}/human", 3 - number), &letter]);
                }
            });
        }
        let _ends = Ends(&over);
        let (mut looks, enough) = (0, trials(4));
        // Until it was granted so often; never longer than a test may take.
        let patience = PATIENCE + Duration::from_secs(1) * u32::try_from(enough).unwrap();
        while granted.load(Ordering::Relaxed) < enough && begun.elapsed() < patience || looks < 10 {
            assert!(!overlap(&team, [1, 2], "team:schema.sql"), "both believe it");
            assert!(!overlap(&team, [2, 1], "team:schema.sql"), "both believe it");
            looks += 1;
            // The looks are not to take the time of what they look at.
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(granted.load(Ordering::Relaxed) >= 2, "nothing was granted");
    for switch in &team.switches {
        switch.lose(0);
    }
    let count = sent.load(Ordering::Relaxed);
    let mut got = Vec::new();
    eventually("all letters are there", || {
        for number in [1, 2] {
            got.extend(read_all(&team.hosts[number]).into_iter().filter(|text| text.starts_with("letter")));
        }
        (got.len() >= count).then_some(())
    });
    got.sort();
    let mut expected: Vec<String> = (0..count).map(|n| format!("letter {n}")).collect();
    expected.sort();
    assert_eq!(got, expected);
}

#[test]
fn who_was_stopped_while_waiting_does_not_take_an_old_answer_for_a_lease() {
    let Some(team) = Team::new(3) else { return };
    let [one, two] = [&team.hosts[1], &team.hosts[2]];
    let lock = ["lock", "--name", "deploy"];
    two.ok(&lock);
    let mut waits = one.command("swarm");
    waits.args([&lock[..], &["--wait", "10m"]].concat()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let waits = waits.spawn().unwrap();
    let signal = |signal: &str| {
        assert!(Command::new("kill").args([signal, &waits.id().to_string()]).status().unwrap().success());
    };
    eventually("it waits", || two.ok(&["locks"]).contains("h1/human waits in the team").then_some(()));
    signal("-STOP");
    two.ok(&["unlock", "--name", "deploy"]);
    eventually("its host has it", || team.believes_own(1, "name:deploy").then_some(()));
    team.switches[0].cut(true, true);
    eventually("the other host has it", || two.swarm(&lock).status.success().then_some(()));
    team.switches[0].cut(false, false);
    signal("-CONT");
    let out = waits.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(3) && !told.contains("granted"), "{told}");
    assert!(team.believes_own(2, "name:deploy"));
}
