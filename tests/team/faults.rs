//! Faults between the hosts of a team: cuts in both directions and in one, stopped and killed links, a killed engine, a clock that is set.
//! Through all of them two hosts never believe one lease, and a letter is there once.

use super::{Team, inbox};
use crate::support::{PATIENCE, World, eventually};
use serde_json::Value;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_letter_is_there_once_however_often_links_are_killed() {
    let Some(team) = Team::new(2) else { return };
    let count: usize = std::env::var("SWARM_TEST_TRIALS").ok().and_then(|t| t.parse().ok()).unwrap_or(40);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0;
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(150 + 70 * (turn % 5)));
                team.signal(usize::try_from(turn % 2).unwrap(), "-KILL");
                team.switches[0].cut(turn % 7 == 3, turn % 5 == 4);
                turn += 1;
            }
            team.switches[0].cut(false, false);
        });
        for number in 0..count {
            team.hosts[0].ok(&["send", "--no-wait", "h1/human", &format!("letter {number}")]);
            std::thread::sleep(Duration::from_millis(20));
        }
        done.store(true, Ordering::Relaxed);
    });
    let begun = Instant::now();
    let mut got = Vec::new();
    while got.len() < count && begun.elapsed() < Duration::from_secs(60) {
        // Any command starts a link that is gone.
        for host in &team.hosts {
            host.ok(&["team", "hosts"]);
        }
        got = inbox(&team.hosts[1]);
        std::thread::sleep(Duration::from_millis(100));
    }
    got.sort();
    let mut expected: Vec<String> = (0..count).map(|n| format!("letter {n}")).collect();
    expected.sort();
    assert_eq!(got, expected);
    assert!(fs::read_dir(team.hosts[1].state().join("quarantine")).unwrap().next().is_none());
}

#[test]
fn of_all_racers_on_three_hosts_one_wins() {
    let Some(team) = Team::new(3) else { return };
    let rounds: usize = std::env::var("SWARM_TEST_TRIALS").ok().and_then(|t| t.parse().ok()).unwrap_or(6);
    team.switches[0].delay(5);
    for round in 0..rounds {
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
fn both_believed(team: &Team, path: &str) -> bool {
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
    let pid = fs::read_to_string(team.dir.join(&team.id).join("data/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    team.hosts[0].ok(&["send", "--no-wait", "h1/human", "sent while the engine was down"]);
    // The link of the host that made the team starts it again.
    eventually("the letter is there", || {
        team.hosts[0].ok(&["team", "hosts"]);
        inbox(holder).contains(&"sent while the engine was down".to_owned()).then_some(())
    });
    eventually("it is believed again", || team.believes_own(1, path).then_some(()));
    assert_eq!(team.hosts[0].refused(&["lock", "--name", "deploy"]).0, 3);
}
