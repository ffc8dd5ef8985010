//! A team over several hosts: each host is a world of its own, the engine a private `PostgreSQL`.
//!
//! Where `PostgreSQL` is not installed they are skipped and say so; with `SWARM_NEED_TEAM=1` that is a failure.

mod disasters;
mod faults;
mod figures;
mod hostile;
mod paths;
mod ssh;

use crate::support::switch::Switch;
use crate::support::{World, eventually};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a host counts as there without a sign of life, in these tests (ms).
const TTL: u64 = 2_000;

/// How often something is tried: as `SWARM_TEST_TRIALS` says, or as often as there is time for in each run.
fn trials(otherwise: usize) -> usize {
    std::env::var("SWARM_TEST_TRIALS").ok().and_then(|t| t.parse().ok()).unwrap_or(otherwise)
}

/// A team of some hosts on one machine.
struct Team {
    dir: PathBuf,
    hosts: Vec<World>,
    switches: Vec<Switch>,
    id: String,
}

fn has_postgres() -> bool {
    let found = fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut all| all.next().is_some());
    assert!(found || std::env::var_os("SWARM_NEED_TEAM").is_none(), "PostgreSQL is not installed");
    if !found {
        eprintln!("skipped: PostgreSQL is not installed here");
    }
    found
}

impl Team {
    /// A team of hosts `h0`, `h1`, … each behind a network of its own but the first.
    fn new(count: usize) -> Option<Self> {
        Self::with(count, TTL, &[])
    }

    /// Such a team whose hosts count as there for that long, and have these variables.
    fn with(count: usize, ttl: u64, variables: &[(&'static str, &'static str)]) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !has_postgres() {
            return None;
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/swt{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o711)).unwrap();
        let mut team = Self { dir: dir.clone(), hosts: Vec::new(), switches: Vec::new(), id: String::new() };
        let place: &'static str = dir.to_str().unwrap().to_owned().leak();
        for number in 0..count {
            let mut host = World::new();
            host.set("SWARM_TEAM_DIR", place);
            for (name, value) in variables {
                host.set(name, value);
            }
            host.ok(&["init"]);
            if number == 0 {
                let said = host.ok(&["team", "init", "--host", "h0", "--ttl-ms", &ttl.to_string()]);
                said.split_whitespace().nth(1).unwrap().clone_into(&mut team.id);
            } else {
                let switch = Switch::new(host.path().join("net"), &dir.join(&team.id).join("socket"));
                team.join(&host, number, switch.dir.to_str().unwrap());
                team.switches.push(switch);
            }
            team.hosts.push(host);
        }
        for host in &team.hosts {
            eventually("all hosts are known to all", || {
                let hosts = host.ok(&["team", "hosts", "--json"]);
                let hosts: Value = serde_json::from_str(&hosts).unwrap();
                let known = hosts["hosts"].as_array().unwrap().iter().filter(|h| h["known"] == true).count();
                (known == count).then_some(())
            });
        }
        Some(team)
    }

    fn join(&self, host: &World, number: usize, place: &str) {
        let said = self.hosts[0].ok(&["team", "invite"]);
        let code = said.split("--code ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        host.ok(&["team", "join", place, "--code", &code, "--host", &format!("h{number}")]);
    }

    /// The process of a host's link.
    fn link(&self, number: usize) -> Option<i32> {
        let mark = self.hosts[number].project().display().to_string();
        let out = Command::new("ps").args(["-A", "-o", "pid=,args="]).output().unwrap();
        String::from_utf8_lossy(&out.stdout)
            .lines()
            .find(|l| l.contains("swarm-link run --root") && l.ends_with(&mark))
            .and_then(|l| l.split_whitespace().next()?.parse().ok())
    }

    fn signal(&self, number: usize, signal: &str) {
        if let Some(pid) = self.link(number) {
            let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
        }
    }

    /// Kills the engine with everything that it has not written.
    fn kill_engine(&self) {
        let pid = fs::read_to_string(self.dir.join(&self.id).join("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            let _ = Command::new("kill").args(["-KILL", pid]).status();
        }
    }

    /// What a host believes of the team's leases: its holders by path.
    fn believes(&self, number: usize) -> BTreeMap<String, String> {
        let said: Value = serde_json::from_str(&self.hosts[number].ok(&["locks", "--json"])).unwrap();
        let mut believed = BTreeMap::new();
        if said["team"]["believed"] == true {
            for lease in said["team"]["leases"].as_array().unwrap() {
                for path in lease["paths"].as_array().unwrap() {
                    believed.insert(
                        path.as_str().unwrap().to_owned(),
                        lease["holder"].as_str().unwrap().to_owned(),
                    );
                }
            }
        }
        believed
    }

    fn believes_own(&self, number: usize, path: &str) -> bool {
        self.believes(number).get(path) == Some(&format!("h{number}/human"))
    }

    /// Runs a statement in the engine as its owner, whom nobody can be in use.
    fn engine(&self, statement: &str) {
        let data = self.dir.join(&self.id).join("data");
        let hba = fs::read_to_string(data.join("pg_hba.conf")).unwrap();
        let bin = bin();
        let as_owner = |program: &Path, args: &[&str]| {
            let root = nix::unistd::geteuid().is_root();
            let mut command = Command::new(if root { "setpriv" } else { "env" });
            if root {
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
            }
            let out = command.arg(program).args(args).current_dir("/").output().unwrap();
            assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        };
        fs::write(data.join("pg_hba.conf"), format!("local all swarm_owner trust\n{hba}")).unwrap();
        as_owner(&bin.join("pg_ctl"), &["reload", "-s", "-D", data.to_str().unwrap()]);
        let socket = self.dir.join(&self.id).join("socket");
        eventually("the owner is let in", || {
            let out = Command::new(bin.join("psql"))
                .args(["-h", socket.to_str().unwrap(), "-U", "swarm_owner", "-d", "swarm", "-c", statement])
                .output()
                .unwrap();
            out.status.success().then_some(())
        });
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        as_owner(&bin.join("pg_ctl"), &["reload", "-s", "-D", data.to_str().unwrap()]);
    }
}

fn bin() -> PathBuf {
    let mut all: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").unwrap().flatten().map(|e| e.path().join("bin")).collect();
    all.sort();
    all.pop().unwrap()
}

impl Drop for Team {
    fn drop(&mut self) {
        for number in 0..self.hosts.len() {
            self.signal(number, "-CONT");
            self.signal(number, "-KILL");
        }
        let data = self.dir.join(&self.id).join("data");
        if let Some(pid) = fs::read_to_string(data.join("postmaster.pid"))
            .ok()
            .and_then(|t| t.lines().next().map(str::to_owned))
        {
            let _ = Command::new("kill").args(["-QUIT", &pid]).status();
            let gone = || !Path::new(&format!("/proc/{pid}")).exists();
            let begun = Instant::now();
            while !gone() && begun.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The bodies of the messages in a person's inbox on a host.
fn inbox(host: &World) -> Vec<String> {
    let said: Value = serde_json::from_str(&host.ok(&["inbox", "--json"])).unwrap();
    let all = said["messages"].as_array().unwrap();
    all.iter().filter_map(|m| m["message"]["body"].as_str().map(str::to_owned)).collect()
}

#[test]
fn two_hosts_see_each_other_write_to_each_other_and_share_a_lease() {
    let Some(team) = Team::new(2) else { return };
    let [here, there] = [&team.hosts[0], &team.hosts[1]];
    for (host, kind) in [(here, "claude"), (there, "codex")] {
        host.start();
        host.agent(kind, &[]);
        host.ok(&["discover"]);
    }
    eventually("both show both", || {
        let seen = [here.ok(&["who"]), there.ok(&["who"])];
        (seen[0].contains("h1/codex-1") && seen[1].contains("h0/claude-1")).then_some(())
    });
    let said = here.ok(&["send", "h1/codex-1", "is the build green?"]);
    let id = said.split_whitespace().next().unwrap().to_owned();
    let line = eventually("it is typed there", || {
        let panes = there.tmux(&["list-panes", "-a", "-F", "#{pane_id}"]);
        let typed = |pane: &str| {
            there.events(pane, "submitted").into_iter().find(|t| t.contains("is the build green?"))
        };
        panes.lines().find_map(typed)
    });
    assert!(line.contains("from h0/human to codex-1"), "{line}");
    eventually("and that is told here", || {
        let status = here.ok(&["status", &id]);
        (status.contains("h1/codex-1") && status.contains("submitted")).then_some(())
    });
    // The agent there answers by the address that it was shown.
    there.below("codex-1", &format!("swarm-msg reply {id} 'yes, all of it'"));
    eventually("the answer is here", || inbox(here).contains(&"yes, all of it".to_owned()).then_some(()));
    // A script gets one object, however far the recipients are.
    let said = here.ok(&["send", "--json", "--no-wait", "claude-1,h1/codex-1", "to both"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["recipients"][0]["name"], "claude-1", "{said}");
    assert_eq!(said["away"][0]["recipients"][0]["name"], "h1/codex-1", "{said}");
    let (code, why) = here.refused(&["send", "h1/nobody-1", "x"]);
    assert!(code == 5 && why.contains("h1/codex-1"), "{code} {why}");

    here.ok(&["lock", "--team", "Cargo.lock", "--reason", "release"]);
    let (code, why) = there.refused(&["lock", "--team", "cargo.lock"]);
    assert!(code == 3 && why.contains("h0/human") && why.contains("release"), "{code} {why}");
    assert!(there.ok(&["locks"]).contains("h0/human"));
    // What the team did not grant is not held here either.
    assert!(!there.ok(&["locks", "--json"]).contains("\"name\":\"human\""));
    // Waiting is served across hosts, without the one who waits coming again.
    let mut waiting = there
        .command("swarm-msg")
        .args(["lock", "--team", "Cargo.lock", "--wait", "1m", "--", "true"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it waits", || here.ok(&["locks"]).contains("h1/human waits in the team").then_some(()));
    here.ok(&["unlock", "--team", "Cargo.lock"]);
    assert!(waiting.wait().unwrap().success());
    here.ok(&["lock", "--name", "deploy", "--wait", "20s", "--", "true"]);
    let seen = there.swarm(&["doctor", "--json"]);
    let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.contains("2 hosts, the engine answers in"), "{seen}");
    // A project without a team knows names, too.
    let alone = World::new();
    alone.ok(&["init"]);
    alone.ok(&["lock", "--name", "deploy"]);
    assert!(alone.ok(&["locks"]).contains("name:deploy"));
    assert_eq!(alone.refused(&["lock", "--team", "x"]).0, 2);
}
