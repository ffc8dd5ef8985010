//! What seldom happens to a team and must not cost it a lease or a letter: an engine of an older backup, a host that runs twice, a full
//! disk, a courier that is killed while mail of other hosts arrives.

use super::faults::both_believed;
use super::hostile::Taken;
use super::{Team, bin, inbox};
use crate::support::{World, eventually};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Kills the engine for good: the link that would start it again is stopped first. Gives its data.
fn engine_off(team: &Team) -> PathBuf {
    team.signal(0, "-STOP");
    team.kill_engine();
    let data = team.dir.join(&team.id).join("data");
    let pid = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    eventually("the engine is gone", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    data
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn is_up(host: &World) -> Option<()> {
    host.ok(&["team"]).contains("link: up").then_some(())
}

#[test]
fn an_engine_of_an_older_backup_grants_nothing_until_its_maker_says_so() {
    let Some(team) = Team::new(2) else { return };
    let [maker, other] = [&team.hosts[0], &team.hosts[1]];
    other.ok(&["lock", "--name", "deploy"]);
    let data = engine_off(&team);
    let backup = team.dir.join("backup");
    copy(&data, &backup);
    team.signal(0, "-CONT");
    eventually("the engine runs again", || is_up(other).and(is_up(maker)));
    // After the backup: another lease, and a letter.
    other.ok(&["unlock", "--name", "deploy"]);
    eventually("it is free", || maker.swarm(&["lock", "--name", "deploy"]).status.success().then_some(()));
    maker.ok(&["send", "--no-wait", "h1/human", "after the backup"]);
    eventually("it is there", || inbox(other).contains(&"after the backup".to_owned()).then_some(()));
    engine_off(&team);
    fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    team.signal(0, "-CONT");
    for host in [maker, other] {
        eventually("it is noticed", || host.ok(&["team"]).contains("went back in time").then_some(()));
        let (code, why) = host.refused(&["lock", "--name", "other"]);
        assert!(code == 3 && why.contains("went back in time"), "{code} {why}");
        host.ok(&["lock", "src/own.rs"]);
    }
    let (_, why) = other.refused(&["team", "reset", "--yes"]);
    assert!(why.contains("only h0 can do that"), "{why}");
    assert_eq!(maker.refused(&["team", "reset"]).0, 2);
    maker.ok(&["team", "reset", "--yes"]);
    eventually("both are back", || is_up(maker).and(is_up(other)));
    // What the maker held by its own store it has again; nobody else gets it.
    eventually("the maker has its lease", || team.believes_own(0, "name:deploy").then_some(()));
    assert_eq!(other.refused(&["lock", "--name", "deploy"]).0, 3);
    other.ok(&["lock", "--name", "new"]);
    maker.ok(&["send", "--no-wait", "h1/human", "after the reset"]);
    eventually("mail goes on", || inbox(other).contains(&"after the reset".to_owned()).then_some(()));
    assert_eq!(inbox(other).iter().filter(|text| *text == "after the backup").count(), 1);
}

#[test]
fn a_host_that_runs_twice_gives_its_leases_up_and_says_so() {
    let Some(team) = Team::new(2) else { return };
    let host = &team.hosts[1];
    host.ok(&["lock", "--name", "deploy"]);
    // Its copy gives signs of life, as its link would.
    let copy = Taken::new(&team, 1);
    let table = copy.call("snapshot", serde_json::json!({})).unwrap();
    let seats = table["seats"].as_array().unwrap();
    let session = seats.iter().find(|s| s["host"] == "h1").unwrap()["id"].clone();
    let mut said = String::new();
    eventually("it is noticed", || {
        let beat = serde_json::json!({"session": session, "fresh": false, "rosters": 0});
        copy.call("beat", beat.clone()).unwrap();
        said = host.ok(&["team"]);
        said.contains("another").then_some(())
    });
    assert!(said.contains("a copy of it runs") || said.contains("another session of h1"), "{said}");
    assert!(!team.believes_own(1, "name:deploy"));
    // The copy ends: the host comes back, with what nobody took meanwhile.
    eventually("it is back", || is_up(host));
    eventually("it has its lease again", || team.believes_own(1, "name:deploy").then_some(()));
    assert_eq!(team.hosts[0].refused(&["lock", "--name", "deploy"]).0, 3);
}

/// A small file system in a project; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(at: PathBuf) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(&at).stderr(std::process::Stdio::null());
        let done = mount.status().is_ok_and(|s| s.success());
        if !done {
            println!("skipped: nothing can be mounted here");
        }
        done.then_some(Self(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_keeps_letters_at_the_engine_and_grants_nothing() {
    let Some(mut team) = Team::new(1) else { return };
    let mut host = World::new();
    host.set("SWARM_TEAM_DIR", team.dir.to_str().unwrap().to_owned().leak());
    let Some(disk) = Disk::new(host.project()) else { return };
    host.ok(&["init"]);
    team.join(&host, 1, &team.id);
    team.hosts.push(host);
    let [sender, host] = [&team.hosts[0], &team.hosts[1]];
    eventually("it is known", || sender.ok(&["who"]).contains("h1/human").then_some(()));
    let filler = disk.0.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while std::io::Write::write_all(&mut file, &vec![b'x'; size]).is_ok() {}
    }
    for number in 0..3 {
        sender.ok(&["send", "--no-wait", "h1/human", &format!("letter {number}")]);
    }
    let (code, why) = host.refused(&["send", "--no-wait", "h0/human", "no room"]);
    assert!(code == 1 && why.to_lowercase().contains("no space"), "{code} {why}");
    assert!(!host.swarm(&["lock", "--name", "deploy"]).status.success());
    sender.ok(&["lock", "--name", "deploy"]);
    // Its room is free when nobody has it open any more.
    drop(file);
    fs::remove_file(&filler).unwrap();
    eventually("all letters are there", || {
        host.ok(&["team", "hosts"]);
        (inbox(host).len() >= 3).then_some(())
    });
    let mut got = inbox(host);
    got.sort();
    assert_eq!(got, ["letter 0", "letter 1", "letter 2"]);
    assert_eq!(host.refused(&["lock", "--name", "deploy"]).0, 3);
    assert!(fs::read_dir(host.state().join("quarantine")).unwrap().next().is_none());
}

#[test]
fn a_courier_that_is_killed_types_each_letter_of_another_host_once() {
    let Some(team) = Team::new(2) else { return };
    let [from, to] = [&team.hosts[0], &team.hosts[1]];
    to.start();
    let pane = to.agent("codex", &[]);
    to.ok(&["discover"]);
    eventually("it is known", || from.ok(&["who"]).contains("h1/codex-1").then_some(()));
    for number in 0..3 {
        let couriers = to.couriers();
        from.ok(&["send", "--no-wait", "h1/codex-1", &format!("letter {number}.")]);
        for pid in couriers {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    }
    let submitted = |number: usize| {
        let text = format!("letter {number}.");
        to.events(&pane, "submitted").iter().filter(|line| line.contains(&text)).count()
    };
    eventually("all are submitted", || (0..3).all(|number| submitted(number) > 0).then_some(()));
    from.ok(&["send", "--no-wait", "h1/codex-1", "letter 3."]);
    eventually("and the one behind them", || (submitted(3) > 0).then_some(()));
    assert_eq!((0..4).map(submitted).collect::<Vec<_>>(), [1, 1, 1, 1]);
}

/// The library by which a program is shown another clock.
fn faketime() -> Option<PathBuf> {
    let all =
        fs::read_dir("/usr/lib").unwrap().flatten().map(|e| e.path().join("faketime/libfaketimeMT.so.1"));
    let found = all.into_iter().find(|path| path.exists());
    if found.is_none() {
        println!("skipped: faketime is not installed here");
    }
    found
}

#[test]
fn an_engine_whose_clock_jumps_an_hour_in_either_direction_makes_nobody_believe_too_long() {
    let Some(library) = faketime() else { return };
    let Some(team) = Team::new(3) else { return };
    let data = engine_off(&team);
    let clock = team.dir.join("clock");
    // Replaced as a whole: the engine reads it at each look at the clock.
    let set = |offset: &str| {
        fs::write(team.dir.join("clock.new"), offset).unwrap();
        fs::rename(team.dir.join("clock.new"), &clock).unwrap();
    };
    set("+0");
    let root = nix::unistd::geteuid().is_root();
    let mut start = Command::new(if root { "setpriv" } else { "env" });
    if root {
        start.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    start.arg("env").arg(format!("LD_PRELOAD={}", library.display()));
    start.arg(format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()));
    start.args(["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]);
    start.arg(bin().join("pg_ctl")).args(["start", "-s", "-w", "-l"]).arg(data.with_file_name("log"));
    assert!(start.arg("-D").arg(&data).current_dir("/").status().unwrap().success());
    team.signal(0, "-CONT");
    let (holder, other, path) = (&team.hosts[1], &team.hosts[2], "name:deploy");
    let lock = ["lock", "--name", "deploy"];
    for offset in ["+3600", "-3600", "+0"] {
        eventually("h1 holds it", || holder.swarm(&lock).status.success().then_some(()));
        eventually("h1 believes it", || team.believes_own(1, path).then_some(()));
        set(offset);
        let begun = std::time::Instant::now();
        while begun.elapsed() < std::time::Duration::from_millis(3 * super::TTL) {
            assert_eq!(other.refused(&lock).0, 3, "{offset}: nobody else gets it");
        }
        eventually("h1 believes it still, or again", || team.believes_own(1, path).then_some(()));
        set(if offset == "+0" { "+3600" } else { "+0" });
        team.switches[0].cut(true, true);
        let waits = other.command("swarm").args([&lock[..], &["--wait", "1m"]].concat()).spawn();
        assert!(!both_believed(&team, path), "{offset}: both believed it");
        assert!(waits.unwrap().wait().unwrap().success());
        team.switches[0].cut(false, false);
        eventually("h1 is back", || is_up(holder));
        other.ok(&["unlock", "--name", "deploy"]);
        eventually("h1 knows", || (!team.believes_own(1, path)).then_some(()));
        holder.ok(&["unlock", "--all"]);
    }
}
