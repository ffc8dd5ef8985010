//! A team over several hosts: each host is a world of its own, the engine a private `PostgreSQL`.
//!
//! Where `PostgreSQL` is not installed they are skipped and say so; with `SWARM_NEED_TEAM=1` that is a failure.

use crate::support::switch::Switch;
use crate::support::{PATIENCE, World, eventually};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a host counts as there without a sign of life, in these tests (ms).
const TTL: u64 = 2_000;

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
            host.ok(&["init"]);
            if number == 0 {
                let said = host.ok(&["team", "init", "--host", "h0", "--ttl-ms", &TTL.to_string()]);
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

#[test]
fn an_edit_of_a_declared_path_needs_the_team_and_fails_safe() {
    let Some(team) = Team::new(2) else { return };
    let [first, second] = [&team.hosts[0], &team.hosts[1]];
    for host in [first, second] {
        fs::write(host.project().join(".swarm.toml"), "[team]\npaths = [\"migrations/**\"]\n").unwrap();
        host.start();
        host.agent("claude", &[]);
        host.ok(&["discover"]);
    }
    let edit = |host: &World, file: &str| {
        let input = format!(
            r#"{{"hook_event_name":"PreToolUse","tool_name":"Write","tool_input":{{"file_path":"{}"}}}}"#,
            host.project().join(file).display()
        );
        host.below("claude-1", &format!("echo '{input}' | swarm hook claude PreToolUse"))
    };
    assert!(!edit(first, "migrations/1.sql").contains("deny"));
    assert!(first.ok(&["locks"]).contains("team:migrations/1.sql"));
    let refused = edit(second, "migrations/1.sql");
    assert!(refused.contains("deny") && refused.contains("h0/claude-1"), "{refused}");
    assert!(!edit(second, "src/a.rs").contains("deny"));
    team.switches[0].cut(true, true);
    eventually("its belief is over", || {
        second.ok(&["locks", "--json"]).contains("\"believed\":false").then_some(())
    });
    let refused = edit(second, "migrations/2.sql");
    assert!(refused.contains("deny") && refused.contains("cut off from the team"), "{refused}");
    assert!(!edit(second, "src/b.rs").contains("deny"), "what is not the team's goes on");
    second.ok(&["config", "set", "--user", "team.offline", "warn"]);
    let warned = edit(second, "migrations/2.sql");
    assert!(!warned.contains("\"deny\""), "{warned}");
}

#[test]
fn a_host_that_is_removed_is_fenced_at_once_and_an_invitation_is_good_once() {
    let Some(team) = Team::new(2) else { return };
    let [admin, member] = [&team.hosts[0], &team.hosts[1]];
    member.ok(&["lock", "--name", "deploy"]);
    assert_eq!(admin.refused(&["lock", "--name", "deploy"]).0, 3);
    let (code, why) = member.refused(&["team", "invite"]);
    assert!(code == 1 && why.contains("only h0 can invite"), "{why}");
    let (_, why) = member.refused(&["team", "remove", "h0"]);
    assert!(why.contains("only h0 can do that"), "{why}");
    let said = admin.ok(&["team", "invite"]);
    let code = said.split("--code ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let mut guest = World::new();
    guest.set("SWARM_TEAM_DIR", team.dir.to_str().unwrap().to_owned().leak());
    guest.ok(&["init"]);
    // A wrong code, one that names another team's key, a name that is taken: none uses the invitation up.
    for (code, host) in [("aaaa-bbbb-cccc-dddd-0000000000000000", "h2"), (code.as_str(), "h1")] {
        guest.refused(&["team", "join", &team.id, "--code", code, "--host", host]);
    }
    guest.ok(&["team", "join", &team.id, "--code", &code, "--host", "h2"]);
    let third = World::new();
    third.ok(&["init"]);
    let out = third
        .command("swarm")
        .env("SWARM_TEAM_DIR", &team.dir)
        .args(["team", "join", &team.id, "--code", &code, "--host", "h3"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&out.stderr).contains("not valid"), "{out:?}");
    admin.ok(&["team", "remove", "h1"]);
    admin.ok(&["lock", "--name", "deploy"]);
    eventually("the removed host knows", || {
        let why = member.ok(&["team"]);
        (why.contains("not in the team") && !team.believes_own(1, "name:deploy")).then_some(())
    });
    guest.ok(&["team", "leave"]);
    assert_eq!(guest.refused(&["team"]).0, 2);
}

#[test]
fn a_hostile_host_gets_at_nothing_but_the_functions_and_its_own() {
    let Some(team) = Team::new(2) else { return };
    let [victim, hostile] = [&team.hosts[0], &team.hosts[1]];
    victim.ok(&["lock", "--name", "deploy"]);
    let socket = team.dir.join(&team.id).join("socket");
    let psql = |user: &str, statement: &str| {
        let out = Command::new(bin().join("psql"))
            .args(["-h", socket.to_str().unwrap(), "-U", user, "-d", "swarm", "-At", "-c", statement])
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr),
        )
    };
    let out = Command::new("find")
        .args([hostile.path().to_str().unwrap(), "-name", "team.json", "-path", "*state*"])
        .output()
        .unwrap();
    let file = String::from_utf8(out.stdout).unwrap();
    let me: Value = serde_json::from_str(&fs::read_to_string(file.trim()).unwrap()).unwrap();
    let token = me["token"].as_str().unwrap();
    let call = |function: &str, more: &str| {
        psql("swarm_host", &format!("select swarm.{function}('{{\"token\": \"{token}\"{more}}}')"))
    };
    assert!(call("hello", "").0);
    // Tables, the owner, other roles' sessions, another host's token.
    for (user, statement) in [
        ("swarm_host", "select * from swarm.mail"),
        ("swarm_host", "select token from swarm.host"),
        ("swarm_host", "update swarm.session set beats = 0"),
        ("swarm_host", "create table swarm.x (a int)"),
        ("swarm_host", "create temp table x (a int)"),
        ("swarm_host", "select swarm.expel('h0')"),
        ("swarm_host", "select swarm.who('{}')"),
        ("swarm_host", "select pg_terminate_backend(pid) from pg_stat_activity"),
        ("swarm_host", "select pg_read_file('pg_hba.conf')"),
        ("swarm_host", "copy (select 1) to program 'id'"),
        ("swarm_host", "set role swarm_owner"),
        ("swarm_owner", "select 1"),
        ("swarm_host", "select swarm.hello('{\"token\": \"00\"}')"),
    ] {
        let (ok, said) = psql(user, statement);
        assert!(!ok, "{user}: {statement}: {said}");
    }
    let (_, said) = call("beat", ", \"session\": \"x\", \"rosters\": 0");
    let seen: Value = serde_json::from_str(said.trim()).unwrap();
    let seat = |host: &str| {
        let seats = seen["seats"].as_array().unwrap();
        seats.iter().find(|s| s["host"] == host).unwrap().clone()
    };
    let (own, other) = (seat("h1"), seat("h0"));
    let table: Value = serde_json::from_str(call("snapshot", "").1.trim()).unwrap();
    let (version, number) = (&table["version"], &table["records"][0]["number"]);
    let commit = |more: &str| {
        let fixed =
            format!(", \"session\": {}, \"version\": {version}, \"last\": {}", own["id"], table["last"]);
        let all = format!("{fixed}, \"puts\": [], \"drops\": [], \"dead\": []{more}");
        call("commit", &all)
    };
    // A held lease is not taken: not dropped, not written over, and its host is not declared dead.
    let drop = format!(", \"drops\": [{{\"kind\": \"lease\", \"number\": {number}}}]");
    assert!(!commit(&drop).0);
    let put = format!(", \"puts\": [{{\"kind\": \"lease\", \"number\": {number}, \"doc\": {{}}}}]");
    assert!(!commit(&put).0);
    let dead = format!(", \"dead\": [{{\"id\": {}, \"beats\": {}}}]", other["id"], other["beats"]);
    assert!(commit(&dead).1.contains("alive") || commit(&dead).1.contains("stale"));
    // Nor does anybody speak for another host: what is not signed by its key is refused where it arrives.
    let forged = r#", "mail": [{"to": "h0", "kind": "mail", "id": "k3f9a2xy", "doc": "{}", "sig": "00"}]"#;
    assert!(call("post", forged).0);
    eventually("it is refused", || {
        victim.ok(&["log", "--event", "letter-refused"]).contains("k3f9a2xy").then_some(())
    });
    assert!(inbox(victim).is_empty());
    assert!(team.believes_own(0, "name:deploy"));
    assert!(call("fetch", ", \"skip\": 0").1.contains("\"mail\": []"));
}
