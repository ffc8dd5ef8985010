//! The crash matrix: every point at which the source can be made to die (`store::fault::point`), at every passage of it, in
//! every kind of command and in the courier. Afterwards: nothing lost, nothing twice, no two holders, nothing unreadable.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use support::peer::Peer;
use support::{World, eventually};
use swarm::core::lease::Lease;

/// The points that commands pass.
const COMMANDS: [&str; 18] = [
    "before-store",
    "after-store",
    "before-key",
    "after-key",
    "before-stage",
    "before-post",
    "after-post",
    "after-link",
    "after-move",
    "after-settle",
    "before-record",
    "after-record",
    "before-sealed-write",
    "after-sealed-write",
    "coord-half-written",
    "coord-staged",
    "coord-renamed",
    "name-kept",
];

/// The points that only a delivery passes.
const DELIVERY: [&str; 7] = [
    "courier-started",
    "before-paste",
    "after-paste",
    "before-enter",
    "after-enter",
    "before-submitted-mark",
    "after-submitted-mark",
];

/// A point is passed so often by one process at the most; a safeguard.
const MOST: usize = 40;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn sources(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.push_str(&sources(&path));
        } else {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    all
}

#[test]
fn the_matrix_covers_every_point_of_the_source() {
    let code = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let points: BTreeSet<&str> =
        code.split("fault::point(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let covered: BTreeSet<&str> = COMMANDS.into_iter().chain(DELIVERY).collect();
    assert_eq!(points, covered);
    assert!(
        !code.contains("fault::point(&") && !code.contains("fault::point(name"),
        "a point has a fixed name"
    );
}

// Commands.

/// The two agents of a world without tmux.
struct Team {
    world: World,
    one: Peer,
    two: Peer,
}

impl Team {
    fn new() -> Self {
        let world = World::new();
        world.ok(&["init"]);
        let (one, two) = (Peer::new(&world, "peer-0"), Peer::new(&world, "peer-1"));
        Self { world, one, two }
    }

    fn mail(&self, words: &[&str]) -> String {
        let args = [&["send", "--json", "--no-wait"], words].concat();
        json(&self.world.ok(&args))["id"].as_str().unwrap().to_owned()
    }
}

/// Who runs a command.
#[derive(Clone, Copy)]
enum Who {
    Human,
    One,
    Two,
}

/// A command that is killed.
struct Operation {
    name: &'static str,
    who: Who,
    /// What has to be there before; gives what stands for ID in the command.
    prepare: fn(&mut Team) -> String,
    command: &'static str,
    /// What holds once it was run again.
    after: fn(&mut Team, &str),
}

const OPERATIONS: [Operation; 11] = [
    Operation {
        name: "a line for the coordination document",
        who: Who::Human,
        prepare: |team| {
            team.world.ok(&["coord", "init"]);
            String::new()
        },
        command: "swarm coord add goals 'ship it'",
        after: |team, _| {
            // The one that was killed, if it came to the renaming, and the one of the second time.
            let count = team.world.ok(&["coord", "get", "goals"]).matches("ship it").count();
            assert!(count == 1 || count == 2, "{count}");
        },
    },
    Operation {
        name: "the first command that needs a key",
        who: Who::Human,
        prepare: |team| {
            let keys = team.world.path().join("home/.local/state/swarm");
            fs::remove_dir_all(fs::read_dir(keys).unwrap().next().unwrap().unwrap().path()).unwrap();
            String::new()
        },
        command: "swarm locks",
        after: |team, _| {
            team.mail(&["peer-1", "signed with it"]);
            assert!(team.two.ok("swarm-msg read").contains("signed with it"));
        },
    },
    Operation {
        name: "send to two, with acknowledgement",
        who: Who::One,
        prepare: |_| String::new(),
        command: "swarm-msg send --no-wait --ack peer-1,human 'to both of you'",
        after: |team, _| {
            // The one that was killed, if it was stored, and the one of the second time.
            let count = texts(&mut team.two).iter().filter(|t| *t == "to both of you").count();
            assert!(count == 1 || count == 2, "{count}");
        },
    },
    Operation {
        name: "read",
        who: Who::Two,
        prepare: |team| team.mail(&["peer-1", "read me"]),
        command: "swarm-msg read ID",
        after: |team, id| assert_eq!(stage(&team.world, id), "read"),
    },
    Operation {
        name: "acknowledge",
        who: Who::Two,
        prepare: |team| team.mail(&["--ack", "peer-1", "answer me"]),
        command: "swarm-msg ack --no-wait ID",
        after: |team, id| {
            assert_eq!(stage(&team.world, id), "acked");
            assert_eq!(fs::read_dir(team.world.state().join("mail/peer-1/unacked")).unwrap().count(), 0);
        },
    },
    Operation {
        name: "rename",
        who: Who::Human,
        prepare: |team| {
            team.mail(&["peer-1", "before"]);
            let id = team.mail(&["peer-1", "and this"]);
            team.two.ok(&format!("swarm-msg read {id}"));
            team.world.start();
            id
        },
        command: "swarm name peer-1 reviewer",
        after: |team, id| {
            team.world.ok(&["discover", "--quiet"]);
            let records: Vec<String> = files(&team.world.state().join("agents"));
            assert!(records.len() == 2 && records.contains(&"reviewer.json".to_owned()), "{records:?}");
            assert_eq!(texts(&mut team.two), ["before"]);
            assert_eq!(stage(&team.world, id), "read");
            assert_eq!(team.world.ok(&["send", "--no-wait", "peer-1", "by the old name"]).lines().count(), 1);
            assert_eq!(texts(&mut team.two), ["before", "by the old name"]);
        },
    },
    Operation {
        name: "lock",
        who: Who::One,
        prepare: |_| String::new(),
        command: "swarm-msg lock a b",
        after: |team, _| assert_eq!(team.two.run("swarm-msg lock b").0, 3),
    },
    Operation {
        name: "queue",
        who: Who::Two,
        prepare: |team| team.one.ok("swarm-msg lock a"),
        command: "swarm-msg lock a --wait 10m",
        after: |team, _| {
            team.one.ok("swarm-msg unlock a");
            team.two.ok("swarm-msg lock a");
        },
    },
    Operation {
        name: "unlock what another waits for",
        who: Who::One,
        prepare: |team| {
            team.one.ok("swarm-msg lock a");
            team.two.run("swarm-msg lock a --wait 10m").1
        },
        command: "swarm-msg unlock a",
        after: |team, _| {
            assert!(texts(&mut team.two).iter().any(|t| t.contains("it is your turn for a")));
            team.two.ok("swarm-msg lock a");
        },
    },
    Operation {
        name: "clean up after the dead",
        who: Who::Human,
        prepare: |team| {
            team.one.ok("swarm-msg lock a");
            team.two.run("swarm-msg lock a --wait 10m");
            team.one.kill();
            String::new()
        },
        command: "swarm gc --yes",
        after: |team, _| drop(team.two.ok("swarm-msg lock a")),
    },
    Operation {
        name: "remove what was read long ago",
        who: Who::Human,
        prepare: |team| {
            let id = team.mail(&["peer-1", "read long ago"]);
            team.two.ok("swarm-msg read");
            eventually("it is old", || {
                let told =
                    team.world.command("swarm").args(["gc", "--json"]).env("SWARM_KEEP_READ", "1s").output();
                (json(&String::from_utf8(told.unwrap().stdout).unwrap())["old_messages"] == 1).then_some(())
            });
            id
        },
        command: "SWARM_KEEP_READ=1s swarm gc --yes",
        after: |team, id| {
            let mail = team.world.state().join("mail/peer-1");
            assert_eq!(files(&mail.join("cur")), [""; 0]);
            let kept = files(&mail.join("gone"));
            assert!(kept.len() == 1 && kept[0].contains(id), "{kept:?}");
        },
    },
];

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|d| d.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

fn stage(world: &World, id: &str) -> String {
    json(&world.ok(&["status", "--json", id]))["recipients"][0]["stage"].as_str().unwrap().to_owned()
}

fn texts(peer: &mut Peer) -> Vec<String> {
    let inbox = json(&peer.ok("swarm-msg inbox --json"));
    assert_eq!(inbox["refused"], 0);
    inbox["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["message"]["body"].as_str().unwrap().to_owned())
        .collect()
}

/// Every record of the store can be read, and none was set aside.
fn all_readable(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            // In gone/ are names, and nothing in them.
            if !matches!(name, "tmp" | "gone") {
                all_readable(&path);
            }
        } else if path.extension().is_some_and(|e| e == "json") {
            assert!(serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).is_ok(), "{}", path.display());
        } else if name.starts_with("journal") {
            assert!(
                fs::read_to_string(&path).unwrap().lines().all(|l| serde_json::from_str::<Value>(l).is_ok())
            );
        }
    }
    if dir.ends_with("quarantine") {
        assert_eq!(files(dir), [""; 0]);
    }
}

/// Each message is with all its recipients, with each in one place, and awaited only where it is.
fn mail_is_whole(world: &World) {
    let mut places: BTreeMap<String, (BTreeSet<String>, Vec<String>)> = BTreeMap::new();
    let mail = world.state().join("mail");
    for owner in files(&mail) {
        let mut own = BTreeSet::new();
        for folder in ["new", "given", "cur"] {
            for file in files(&mail.join(&owner).join(folder)) {
                let message = json(&fs::read_to_string(mail.join(&owner).join(folder).join(&file)).unwrap());
                assert!(own.insert(file.clone()), "{owner} has {file} twice");
                let to = message["message"]["to"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|n| n.as_str().unwrap().to_owned());
                places.entry(file).or_insert_with(|| (BTreeSet::new(), to.collect())).0.insert(owner.clone());
            }
        }
        for file in files(&mail.join(&owner).join("unacked")) {
            assert!(own.contains(&file), "{owner} is awaited to acknowledge {file}, which it has not got");
        }
    }
    for (file, (owners, to)) in places {
        assert_eq!(owners.len(), to.len(), "{file} to {to:?} is with {owners:?}");
    }
    assert_eq!(files(&world.state().join("outbox")), [""; 0]);
}

fn nobody_is_in_anothers_way(world: &World) {
    let dir = world.state().join("leases");
    let all: Vec<Lease> = files(&dir)
        .iter()
        .map(|f| serde_json::from_slice(&fs::read(dir.join(f)).unwrap()).unwrap())
        .collect();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let meet = a.paths.iter().any(|p| b.paths.iter().any(|q| p.overlaps(q)));
            assert!(!meet || a.holder.is_same(&b.holder), "{a:?} {b:?}");
        }
    }
}

/// Runs `command` once with a crash at the `passage`th passage of `point`. `false`: it was not passed that often.
fn killed(team: &mut Team, who: Who, command: &str, point: &str, passage: usize) -> bool {
    let count = team.world.path().join("count");
    fs::write(&count, vec![b'.'; passage]).unwrap();
    let command = format!("SWARM_CRASH_COUNT={} SWARM_CRASH_AT={point} {command}", count.display());
    let code = match who {
        Who::Human => {
            let out: Output =
                team.world.command("sh").args(["-c", &format!("{command}; exit $?")]).output().unwrap();
            out.status.code().unwrap()
        }
        Who::One => team.one.run(&command).0,
        Who::Two => team.two.run(&command).0,
    };
    code == 137
}

/// Kills an operation at each passage of a point. Returns how often it died.
fn each_passage(operation: &Operation, point: &str) -> usize {
    for passage in 0..MOST {
        let mut team = Team::new();
        let id = (operation.prepare)(&mut team);
        let command = operation.command.replace("ID", &id);
        if !killed(&mut team, operation.who, &command, point, passage) {
            return passage;
        }
        all_readable(&team.world.state());
        nobody_is_in_anothers_way(&team.world);
        // Again, as its caller would. What it was to do may be done already: then it may say so.
        match operation.who {
            Who::Human => drop(team.world.command("sh").args(["-c", &command]).output().unwrap()),
            Who::One => drop(team.one.run(&command)),
            Who::Two => drop(team.two.run(&command)),
        }
        (operation.after)(&mut team, &id);
        // The next post makes up for one that was interrupted.
        team.mail(&["human", "later"]);
        all_readable(&team.world.state());
        mail_is_whole(&team.world);
        nobody_is_in_anothers_way(&team.world);
    }
    panic!("{}: {point} is passed more than {MOST} times", operation.name);
}

/// Kills the making of a project.
fn init_dies(point: &str) -> usize {
    for passage in 0..MOST {
        let world = World::new();
        let count = world.path().join("count");
        fs::write(&count, vec![b'.'; passage]).unwrap();
        let out = world
            .command("swarm")
            .arg("init")
            .env("SWARM_CRASH_AT", point)
            .env("SWARM_CRASH_COUNT", &count)
            .output();
        if out.unwrap().status.signal() != Some(9) {
            return passage;
        }
        world.ok(&["init"]);
        world.ok(&["send", "human", "it works"]);
        all_readable(&world.state());
        mail_is_whole(&world);
        let keys = world.path().join("home/.local/state/swarm");
        let projects = files(&keys);
        assert_eq!(projects.len(), 1, "{projects:?}");
        assert_eq!(fs::read(keys.join(&projects[0]).join("key")).unwrap().len(), 32);
    }
    panic!("init passes {point} more than {MOST} times");
}

// The courier.

/// How often an agent was given a message.
fn given(world: &World, pane: &str, id: &str) -> usize {
    let marker = format!("[swarm {id} ");
    world.events(pane, "submitted").iter().map(|t| t.matches(&marker).count()).sum()
}

/// Waits for a message, then a little longer for a second one that must not come.
fn given_once(world: &World, pane: &str, id: &str) {
    eventually(&format!("{id} arrives"), || (given(world, pane, id) > 0).then_some(()));
    eventually("it is on record", || (stage(world, id) == "submitted").then_some(()));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(given(world, pane, id), 1, "{}", world.log(pane));
}

/// A courier that is to die at the `passage`th passage of a point.
fn courier(world: &World, point: &str, passage: usize) -> Child {
    let socket = world.tmux(&["display-message", "-p", "#{socket_path}"]);
    let count = world.path().join("courier-count");
    fs::write(&count, vec![b'.'; passage]).unwrap();
    let mut command = world.command("swarm");
    command
        .args(["courier", "--socket", &socket])
        .env("SWARM_CRASH_AT", point)
        .env("SWARM_CRASH_COUNT", &count);
    command.spawn().unwrap()
}

fn dies(courier: &mut Child, point: &str) {
    let status = eventually(&format!("it dies {point}"), || courier.try_wait().unwrap());
    assert_eq!(status.signal(), Some(9), "{point}");
}

fn mail(world: &World, words: &[&str]) -> String {
    let args = [&["send", "--json", "--no-wait"], words].concat();
    json(&world.ok(&args))["id"].as_str().unwrap().to_owned()
}

/// A courier dies at `point` with a message under way; another goes on.
fn courier_dies(kind: &str, point: &str, passage: usize) {
    let world = World::new();
    world.start();
    let pane = world.agent(kind, &[]);
    world.ok(&["init"]);
    let name = format!("{kind}-1");
    let mut doomed = courier(&world, point, passage);
    let record = world.state().join(format!("agents/{name}.json"));
    let mut dead = false;
    eventually("the agent is known, or the courier dead before that", || {
        dead = doomed.try_wait().unwrap().is_some();
        (dead || record.exists()).then_some(())
    });
    if dead {
        world.ok(&["discover", "--quiet"]);
    }
    let id = mail(&world, &[&name, "survive this"]);
    dies(&mut doomed, point);
    world.ok(&["discover", "--quiet"]);
    given_once(&world, &pane, &id);
    let next = mail(&world, &[&name, "and go on"]);
    given_once(&world, &pane, &next);
    assert_eq!(world.events(&pane, "submitted").len(), 2, "{point}");
    for line in world.log(&pane).lines() {
        let event = json(line)["event"].as_str().unwrap().to_owned();
        assert!(["start", "submitted", "turn-ended"].contains(&event.as_str()), "{line}");
    }
    all_readable(&world.state());
    mail_is_whole(&world);
}

#[test]
fn no_crash_at_any_point_loses_or_repeats_anything() {
    let crashes = AtomicUsize::new(0);
    let mut died: BTreeMap<&str, usize> = BTreeMap::new();
    thread::scope(|scope| {
        let commands: Vec<_> = COMMANDS
            .iter()
            .map(|point| {
                let row = || -> usize {
                    init_dies(point)
                        + OPERATIONS.iter().map(|operation| each_passage(operation, point)).sum::<usize>()
                };
                (*point, scope.spawn(row))
            })
            .collect();
        for (point, row) in commands {
            died.insert(point, row.join().unwrap());
        }
    });
    // Each starts a tmux server: a few at a time.
    let mut runs: Vec<(&str, &str, usize)> = Vec::new();
    for point in DELIVERY {
        runs.extend([("claude", point, 0), ("opencode", point, 0)]);
    }
    for passage in 0..4 {
        runs.extend([("claude", "before-record", passage), ("claude", "after-record", passage)]);
    }
    runs.push(("claude", "after-move", 0));
    for batch in runs.chunks(7) {
        thread::scope(|scope| {
            for (kind, point, passage) in batch {
                let crashes = &crashes;
                scope.spawn(move || {
                    courier_dies(kind, point, *passage);
                    crashes.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    }
    for (point, count) in &died {
        println!("{point:<24} {count:>4} crashes in commands");
        assert!(*count > 0, "no command dies at {point}");
    }
    println!(
        "crash matrix: {} points, {} crashes of commands, {} of couriers; nothing lost, repeated or unreadable",
        COMMANDS.len() + DELIVERY.len(),
        died.values().sum::<usize>(),
        crashes.into_inner()
    );
}

#[test]
fn a_line_left_in_a_composer_of_a_message_that_was_read_since_holds_nothing_back() {
    let world = World::new();
    world.start();
    let script = world.path().join("bin/reader");
    let (asked, done) = (world.path().join("asked"), world.path().join("done"));
    // Below the agent's pane, but not its turn: so the agent reads while its composer is full.
    let text = format!(
        "#!/bin/sh\nwhile ! [ -s {0} ]; do sleep 0.05; done\nswarm-msg read $(cat {0}) >{1} 2>&1\n",
        asked.display(),
        done.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let pane = world.agent("reader </dev/null >/dev/null 2>&1 & claude", &[]);
    world.ok(&["init"]);
    let mut doomed = courier(&world, "before-enter", 0);
    eventually("the agent is known", || world.state().join("agents/claude-1.json").exists().then_some(()));
    let id = mail(&world, &["claude-1", "seen elsewhere"]);
    dies(&mut doomed, "before-enter");
    fs::write(&asked, &id).unwrap();
    eventually("it is read", || (stage(&world, &id) == "read").then_some(()));
    assert!(world.screen(&pane).contains(&format!("[swarm {id} ")), "{}", world.screen(&pane));
    let next = mail(&world, &["claude-1", "and go on"]);
    world.ok(&["discover", "--quiet"]);
    given_once(&world, &pane, &next);
    assert_eq!(given(&world, &pane, &id), 1);
}

#[test]
fn a_line_typed_before_a_rename_is_submitted_after_it() {
    for point in ["before-enter", "after-paste"] {
        let world = World::new();
        world.start();
        let pane = world.agent("claude", &[]);
        world.ok(&["init"]);
        let mut doomed = courier(&world, point, 0);
        eventually("the agent is known", || {
            world.state().join("agents/claude-1.json").exists().then_some(())
        });
        let id = mail(&world, &["claude-1", "under the old name"]);
        dies(&mut doomed, point);
        eventually("it is typed", || world.screen(&pane).contains(&format!("[swarm {id} ")).then_some(()));
        world.ok(&["name", "claude-1", "anna"]);
        let next = mail(&world, &["anna", "under the new one"]);
        world.ok(&["discover", "--quiet"]);
        given_once(&world, &pane, &id);
        given_once(&world, &pane, &next);
    }
}
