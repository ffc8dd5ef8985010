//! The crash matrix: every point at which the source can be made to die (`store::fault::point`), at every passage of it, in
//! every kind of command and in the courier. Afterwards: nothing lost, nothing twice, no two holders, nothing unreadable.

use crate::support::peer::Peer;
use crate::support::{World, eventually};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use swarm::core::frame;
use swarm::core::lease::Lease;
use swarm::core::name::Name;
use swarm::core::signing::Key;

/// The points that commands pass, those of agents' hooks among them.
const COMMANDS: [&str; 28] = [
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
    "after-drop",
    "agent-forgotten",
    "entry-moved",
    "before-entry",
    "after-entry",
    "after-rotation",
    "notice-posted",
    "coord-half-written",
    "coord-staged",
    "coord-renamed",
    "name-kept",
    "hook-decided",
    "hook-answered",
    "before-settings",
];

/// More of them: those that change files of a person's own.
const SETTINGS: [&str; 3] = ["after-settings", "hook-aside", "hook-placed"];

/// The points that only a store with many leases passes.
const INDEX: [&str; 4] = ["index-sorted", "index-appended", "before-mark", "after-mark"];

/// The points that only the courier passes.
const DELIVERY: [&str; 10] = [
    "courier-started",
    "before-paste",
    "after-paste",
    "before-enter",
    "after-enter",
    "enter-unseen",
    "before-submitted-mark",
    "after-submitted-mark",
    "before-marks",
    "after-marks",
];

/// The points that it passes where an agent has a channel of its own.
const CHANNEL: [&str; 2] = ["before-offer", "after-offer"];

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
    // Those of the link between hosts are in a program of its own, which is killed at any moment, not at these, in `tests/team.rs`.
    let points: BTreeSet<&str> = code
        .split("fault::point(\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|point| !point.starts_with("link-"))
        .collect();
    let all = [&COMMANDS[..], &SETTINGS, &INDEX, &DELIVERY, &CHANNEL].concat();
    let covered: BTreeSet<&str> = all.into_iter().collect();
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
    /// What is done afterwards, if not the same again.
    instead: Option<&'static str>,
    /// What holds then.
    after: fn(&mut Team, &Ran),
}

impl Operation {
    /// Without anything to be looked at: the base of the rows.
    const PLAIN: Self = Self {
        name: "",
        who: Who::Human,
        prepare: |_| String::new(),
        command: "",
        instead: None,
        after: |_, _| (),
    };
}

/// What came of an operation.
struct Ran {
    /// What `prepare` gave.
    id: String,
    /// What it printed before it died.
    died: String,
    /// What it printed when it was run again.
    again: String,
}

const OPERATIONS: [Operation; 34] = [
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
        ..Operation::PLAIN
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
        ..Operation::PLAIN
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
        ..Operation::PLAIN
    },
    Operation {
        name: "read",
        who: Who::Two,
        prepare: |team| team.mail(&["peer-1", "read me"]),
        command: "swarm-msg read ID",
        after: |team, ran| assert_eq!(stage(&team.world, &ran.id), "read"),
        ..Operation::PLAIN
    },
    Operation {
        name: "acknowledge",
        who: Who::Two,
        prepare: |team| team.mail(&["--ack", "peer-1", "answer me"]),
        command: "swarm-msg ack --no-wait ID",
        after: |team, ran| {
            assert_eq!(stage(&team.world, &ran.id), "acked");
            assert_eq!(fs::read_dir(team.world.state().join("mail/peer-1/unacked")).unwrap().count(), 0);
        },
        ..Operation::PLAIN
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
        after: |team, ran| {
            team.world.ok(&["discover", "--quiet"]);
            let records: Vec<String> = files(&team.world.state().join("agents"));
            assert!(records.len() == 2 && records.contains(&"reviewer.json".to_owned()), "{records:?}");
            // That it was renamed it is told besides: once, or after a crash between two writes twice.
            let mail = |team: &mut Team| {
                let all = texts(&mut team.two).into_iter();
                let (told, mail): (Vec<_>, Vec<_>) =
                    all.partition(|text| text.contains("is now called reviewer"));
                assert!(told.len() <= 2, "{told:?}");
                mail
            };
            assert_eq!(mail(team), ["before"]);
            assert_eq!(stage(&team.world, &ran.id), "read");
            assert_eq!(team.world.ok(&["send", "--no-wait", "peer-1", "by the old name"]).lines().count(), 1);
            assert_eq!(mail(team), ["before", "by the old name"]);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "lock",
        who: Who::One,
        prepare: |_| String::new(),
        command: "swarm-msg lock a b",
        after: |team, _| assert_eq!(team.two.run("swarm-msg lock b").0, 3),
        ..Operation::PLAIN
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
        ..Operation::PLAIN
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
        ..Operation::PLAIN
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
        ..Operation::PLAIN
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
        after: |team, ran| {
            let mail = team.world.state().join("mail/peer-1");
            assert_eq!(files(&mail.join("cur")), [""; 0]);
            let kept = files(&mail.join("gone"));
            assert!(kept.len() == 1 && kept[0].contains(&ran.id), "{kept:?}");
        },
        ..Operation::PLAIN
    },
    // What agents' own hooks do.
    Operation {
        name: "a session begins",
        who: Who::Two,
        prepare: |team| {
            input(team, &json!({"source": "startup"}));
            team.mail(&["peer-1", LONG])
        },
        command: "swarm hook claude SessionStart <input",
        after: |team, ran| {
            handed_over(team, ran);
            let told = format!("{}{}", ran.died, ran.again);
            assert!(told.contains("You are peer-1"), "{told}");
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "a prompt is taken",
        who: Who::Two,
        prepare: |team| {
            let (id, other) = (team.mail(&["peer-1", LONG]), team.mail(&["peer-1", "and a short one"]));
            let lines = [line(&team.world, "peer-1", &id), line(&team.world, "peer-1", &other)];
            input(team, &json!({"prompt": lines.join("\n")}));
            id
        },
        command: "swarm hook claude UserPromptSubmit <input",
        after: |team, ran| {
            handed_over(team, ran);
            let told = format!("{}{}", ran.died, ran.again);
            assert!(told.contains("is genuine") && !told.contains("WARNING"), "{told}");
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "an edit",
        who: Who::Two,
        prepare: |team| {
            input(team, &edit("a.rs"));
            String::new()
        },
        command: "swarm hook claude PreToolUse <input",
        after: |team, _| {
            let (code, said) = team.one.run("swarm-msg lock a.rs");
            assert!(code == 3 && said.contains("peer-1"), "{code} {said}");
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "an edit of what another holds",
        who: Who::Two,
        prepare: |team| {
            team.one.ok("swarm-msg lock a.rs");
            input(team, &edit("a.rs"));
            String::new()
        },
        command: "swarm hook claude PreToolUse <input",
        after: |team, ran| {
            assert!(ran.again.contains("deny") && ran.again.contains("held by peer-0"), "{}", ran.again);
            team.one.ok("swarm-msg lock a.rs");
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "an edit of what a dead one held",
        who: Who::Two,
        prepare: |team| {
            team.one.ok("swarm-msg lock a.rs");
            team.one.kill();
            input(team, &edit("a.rs"));
            String::new()
        },
        command: "swarm hook claude PreToolUse <input",
        after: |team, ran| {
            assert!(!ran.again.contains("deny"), "{}", ran.again);
            assert_eq!(team.world.swarm(&["lock", "a.rs"]).status.code(), Some(3));
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "urgent mail after a tool",
        who: Who::Two,
        prepare: |team| {
            input(team, &json!({"tool_name": "Read", "tool_input": {}}));
            team.mail(&["--urgent", "peer-1", LONG])
        },
        command: "swarm hook claude PostToolUse <input",
        after: handed_over,
        ..Operation::PLAIN
    },
    Operation {
        name: "a shell command that wrote what another holds",
        who: Who::Two,
        prepare: |team| {
            team.one.ok("swarm-msg lock a.rs");
            input(team, &json!({"tool_name": "Bash", "tool_input": {"command": "true"}}));
            // A lease that is as old as the command tells nothing.
            thread::sleep(Duration::from_millis(5));
            team.two.ok("swarm hook claude PreToolUse <input");
            // The file system's clock lags behind by some milliseconds.
            let (file, begun) = (team.world.project().join("a.rs"), SystemTime::now());
            eventually("it is written after that", || {
                fs::write(&file, "mine").unwrap();
                (file.metadata().unwrap().modified().unwrap() >= begun).then_some(())
            });
            String::new()
        },
        command: "swarm hook claude PostToolUse <input",
        after: |team, _| {
            let told = texts(&mut team.one);
            let count = told.iter().filter(|t| t.contains("was written while peer-1 ran")).count();
            // By the one that was killed, perhaps twice, and by the other.
            assert!((1..=3).contains(&count), "{told:?}");
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "a turn ends",
        who: Who::Two,
        prepare: |team| {
            input(team, &json!({"stop_hook_active": false}));
            team.mail(&["peer-1", LONG])
        },
        command: "swarm hook claude Stop <input",
        after: handed_over,
        ..Operation::PLAIN
    },
    Operation {
        name: "a session ends",
        who: Who::Two,
        prepare: |team| {
            for file in ["a.rs", "b.rs"] {
                input(team, &edit(file));
                team.two.ok("swarm hook claude PreToolUse <input");
            }
            team.one.run("swarm-msg lock b.rs --wait 10m");
            String::new()
        },
        command: "swarm hook claude SessionEnd <input",
        after: |team, _| {
            team.one.ok("swarm-msg lock a.rs b.rs");
            assert!(texts(&mut team.one).iter().any(|t| t.contains("it is your turn for b.rs")));
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "a commit of what another holds",
        who: Who::Two,
        prepare: |team| {
            repository(team);
            team.one.ok("swarm-msg lock a.rs");
            team.two.ok("git add a.rs");
            team.one.kill();
            Peer::new(&team.world, "peer-2").ok("swarm-msg lock a.rs");
            String::new()
        },
        command: "swarm guard",
        // Its holder has ended, too.
        after: |team, _| drop(team.two.ok("swarm guard && swarm-msg lock a.rs")),
        ..Operation::PLAIN
    },
    Operation {
        name: "a commit",
        who: Who::Two,
        prepare: |team| {
            repository(team);
            input(team, &edit("a.rs"));
            team.two.ok("swarm hook claude PreToolUse <input && git add a.rs && git commit -qm it");
            String::new()
        },
        command: "swarm guard --committed",
        after: |team, _| drop(team.one.ok("swarm-msg lock a.rs")),
        ..Operation::PLAIN
    },
    // And the rest of the commands that write.
    Operation {
        name: "run a command under a lease",
        who: Who::One,
        command: "swarm-msg lock a --wait 5s -- true",
        after: |team, _| drop(team.two.ok("swarm-msg lock a")),
        ..Operation::PLAIN
    },
    Operation {
        name: "take a lease away",
        prepare: |team| {
            team.one.ok("swarm-msg lock a");
            team.two.run("swarm-msg lock a --wait 10m");
            String::new()
        },
        command: "swarm unlock a --force --yes",
        after: |team, _| {
            team.two.ok("swarm-msg lock a");
            let told = texts(&mut team.one);
            let count = told.iter().filter(|t| t.contains("took your lease")).count();
            assert!(count == 1 || count == 2, "{told:?}");
            assert!(texts(&mut team.two).iter().any(|t| t.contains("it is your turn for a")));
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "more time for a lease",
        who: Who::One,
        prepare: |team| team.one.ok("swarm-msg lock a"),
        command: "swarm-msg renew a --ttl 1h",
        after: |team, _| assert_eq!(team.two.run("swarm-msg lock a").0, 3),
        ..Operation::PLAIN
    },
    Operation {
        name: "send a dead letter again",
        prepare: |team| {
            let id = team.mail(&["peer-1", "for whom it may concern"]);
            ended(team, "peer-1", &id);
            id
        },
        command: "swarm resend --no-wait ID --to peer-0",
        after: |team, ran| {
            let count = texts(&mut team.one).iter().filter(|t| *t == "for whom it may concern").count();
            assert!(count == 1 || count == 2, "{count}");
            assert_eq!(json(&team.world.ok(&["dead", "--json"]))["dead_letters"], json!([]));
            assert!(team.world.ok(&["show", &ran.id]).contains("for whom it may concern"));
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "a setting",
        prepare: |team| {
            fs::write(team.world.project().join(".swarm.toml"), "# ours\n[lease]\nttl = \"20m\"\n").unwrap();
            String::new()
        },
        command: "swarm config set ack.waits 1m,5m",
        after: |team, _| {
            let text = fs::read_to_string(team.world.project().join(".swarm.toml")).unwrap();
            assert!(text.starts_with("# ours\n[lease]\nttl = \"20m\"\n") && text.contains("waits"), "{text}");
            team.world.ok(&["config", "validate"]);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "install hooks",
        prepare: |team| {
            settings(team);
            String::new()
        },
        command: "swarm hooks install claude codex",
        after: |team, _| {
            assert!(team.world.ok(&["hooks", "status", "claude"]).contains("enforced"));
            team.world.ok(&["hooks", "uninstall"]);
            settings_are_as_before(&team.world);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "install hooks and think better of it",
        prepare: |team| {
            settings(team);
            String::new()
        },
        command: "swarm hooks install claude codex",
        instead: Some("swarm hooks uninstall claude codex"),
        after: |team, _| settings_are_as_before(&team.world),
        ..Operation::PLAIN
    },
    Operation {
        name: "take hooks out",
        prepare: |team| {
            settings(team);
            team.world.ok(&["hooks", "install", "--all"]);
            String::new()
        },
        command: "swarm hooks uninstall",
        after: |team, _| settings_are_as_before(&team.world),
        ..Operation::PLAIN
    },
    Operation {
        name: "install the guard",
        prepare: |team| {
            repository(team);
            git_hook(team);
            String::new()
        },
        command: "swarm hooks install git",
        after: |team, _| {
            assert!(team.world.ok(&["hooks", "status", "git"]).contains("enforced"));
            team.two.ok("git add a.rs && git commit -qm it && test -e ran");
            team.world.ok(&["hooks", "uninstall", "git"]);
            git_hook_is_as_before(&team.world);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "install the guard and think better of it",
        prepare: |team| {
            repository(team);
            git_hook(team);
            String::new()
        },
        command: "swarm hooks install git",
        instead: Some("swarm hooks uninstall git"),
        after: |team, _| git_hook_is_as_before(&team.world),
        ..Operation::PLAIN
    },
    Operation {
        name: "uninstall",
        prepare: |team| {
            settings(team);
            team.world.ok(&["hooks", "install", "--all"]);
            String::new()
        },
        command: "swarm uninstall --yes --state",
        after: |team, _| {
            settings_are_as_before(&team.world);
            assert!(
                !team.world.state().exists() && !team.world.path().join("home/.local/state/swarm").exists()
            );
            team.world.ok(&["init"]);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "the entry that fills the journal",
        prepare: |team| {
            let entry = format!("{}\n", json!({"t": 1, "event": "old", "pad": "x".repeat(200_000)}));
            let mut journal = fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(team.world.state().join("journal.jsonl"))
                .unwrap();
            // A few bytes below the size at which it is rotated.
            while journal.metadata().unwrap().len() + 2 * entry.len() as u64 <= 10 << 20 {
                journal.write_all(entry.as_bytes()).unwrap();
            }
            let left = (10 << 20) - journal.metadata().unwrap().len() - 100;
            let last = json!({"t": 1, "event": "old", "pad": ""}).to_string().len() as u64 + 1;
            let pad = "x".repeat(usize::try_from(left - last).unwrap());
            writeln!(journal, "{}", json!({"t": 1, "event": "old", "pad": pad})).unwrap();
            let written = fs::read_to_string(team.world.state().join("journal.jsonl")).unwrap();
            written.matches("\"old\"").count().to_string()
        },
        command: "swarm send --no-wait peer-1 'on the next page'",
        after: |team, ran| {
            assert!(team.world.state().join("journal.1.jsonl").exists());
            assert_eq!(journalled(&team.world, "old"), ran.id.parse::<usize>().unwrap());
            let count = texts(&mut team.two).iter().filter(|t| *t == "on the next page").count();
            let noted = journalled(&team.world, "sent");
            // A message that was there before it was journalled is the only one that may be missing.
            assert!(noted == count || noted + 1 == count, "{noted} of {count}");
        },
        ..Operation::PLAIN
    },
];

/// A text that a doorbell announces.
const LONG: &str = "first line\nsecond line";

/// What a hook gets on its stdin.
fn input(team: &Team, input: &Value) {
    fs::write(team.world.project().join("input"), input.to_string()).unwrap();
}

fn edit(file: &str) -> Value {
    json!({"tool_name": "Write", "tool_input": {"file_path": file}})
}

/// The line that is typed for a message.
fn line(world: &World, name: &str, id: &str) -> String {
    let keys = world.path().join("home/.local/state/swarm");
    let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path().join("key");
    let key = Key::new(fs::read(key).unwrap().try_into().unwrap());
    let dir = world.state().join(format!("mail/{name}/new"));
    let file = files(&dir).into_iter().find(|f| f.contains(id)).unwrap();
    let message = key.verify(serde_json::from_slice(&fs::read(dir.join(file)).unwrap()).unwrap()).unwrap();
    frame::render(&message, &Name::new(name).unwrap())
}

/// The body was handed over whole, in what was printed before it died or when it ran again; what was not handed over then was
/// not taken for read.
fn handed_over(team: &mut Team, ran: &Ran) {
    let times = |text: &str| text.matches("first line\\nsecond line").count();
    let (died, again) = (times(&ran.died), times(&ran.again));
    assert!(died <= 1 && again <= 1 && died + again >= 1, "{} / {}", ran.died, ran.again);
    assert_eq!(stage(&team.world, &ran.id), "read");
}

/// A repository with one file that is not committed.
fn repository(team: &mut Team) {
    let script =
        "git init -q . && git config user.name t && git config user.email t@example.com && echo 1 >a.rs";
    team.two.ok(script);
}

/// The hooks that come beside it.
const ADDED: [&str; 4] = ["post-commit", "pre-merge-commit", "post-checkout", "reference-transaction"];

const HOOK: &str = "#!/bin/sh\n# mine\n: >ran\n";

fn git_hook(team: &Team) {
    let path = team.world.project().join(".git/hooks/pre-commit");
    fs::write(&path, HOOK).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    // A file with a second name is moved aside as a whole, which takes more steps than a line that is put into it.
    fs::hard_link(&path, team.world.project().join(".git/second-name")).unwrap();
}

fn git_hook_is_as_before(world: &World) {
    let dir = world.project().join(".git/hooks");
    assert_eq!(fs::read_to_string(dir.join("pre-commit")).unwrap(), HOOK);
    let left: Vec<String> = files(&dir)
        .into_iter()
        .filter(|f| f.contains("before-swarm") || ADDED.contains(&f.as_str()))
        .collect();
    assert_eq!(left, [""; 0]);
}

const CLAUDE: &str = "{\n  // mine\n  \"model\": \"x\",\n}\n";

fn settings(team: &Team) {
    fs::create_dir(team.world.project().join(".claude")).unwrap();
    fs::write(team.world.project().join(".claude/settings.local.json"), CLAUDE).unwrap();
}

fn settings_are_as_before(world: &World) {
    assert_eq!(fs::read_to_string(world.project().join(".claude/settings.local.json")).unwrap(), CLAUDE);
    assert!(!world.project().join(".codex/hooks.json").exists());
}

/// An agent that has ended, with a message that it was not given.
fn ended(team: &mut Team, name: &str, id: &str) {
    team.two.kill();
    let record = team.world.state().join(format!("agents/{name}.json"));
    let mut agent = json(&fs::read_to_string(&record).unwrap());
    agent["died"] = json!(1);
    fs::write(&record, agent.to_string()).unwrap();
    let state = json!({"id": id, "way": {"stage": "failed", "since": 1, "detail": "its process has ended"}});
    fs::write(team.world.state().join(format!("mail/{name}/state/{id}.json")), state.to_string()).unwrap();
}

/// How many entries of that event both files of the journal have.
fn journalled(world: &World, event: &str) -> usize {
    let read = |name| fs::read_to_string(world.state().join(name)).unwrap_or_default();
    let text = read("journal.1.jsonl") + &read("journal.jsonl");
    text.lines().filter(|l| json(l)["event"] == event).count()
}

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

/// The leases on record.
fn leases(world: &World) -> Vec<Lease> {
    let dir = world.state().join("leases");
    files(&dir).iter().map(|f| serde_json::from_slice(&fs::read(dir.join(f)).unwrap()).unwrap()).collect()
}

fn nobody_is_in_anothers_way(world: &World) {
    let all = leases(world);
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let meet = a.paths.iter().any(|p| b.paths.iter().any(|q| p.overlaps(q)));
            assert!(!meet || a.holder.is_same(&b.holder), "{a:?} {b:?}");
        }
    }
}

/// Runs a command line as somebody, with these assignments before it; its exit code and output.
fn run(team: &mut Team, who: Who, command: &str, variables: &str) -> (i32, String) {
    let command = format!("{variables} {command}");
    match who {
        Who::Human => {
            let script = format!("{command}; exit $?");
            let out: Output = team.world.command("sh").args(["-c", &script]).output().unwrap();
            (out.status.code().unwrap(), String::from_utf8_lossy(&out.stdout).into_owned())
        }
        Who::One => team.one.run(&command),
        Who::Two => team.two.run(&command),
    }
}

/// The points that an operation passes, and how often.
fn passages(operation: &Operation) -> BTreeMap<String, usize> {
    let mut team = Team::new();
    let id = (operation.prepare)(&mut team);
    let trace = team.world.path().join("trace");
    let variables = format!("SWARM_CRASH_TRACE={}", trace.display());
    run(&mut team, operation.who, &operation.command.replace("ID", &id), &variables);
    let mut passages = BTreeMap::new();
    for point in fs::read_to_string(trace).unwrap_or_default().lines() {
        *passages.entry(point.to_owned()).or_default() += 1;
    }
    passages
}

/// Kills an operation at the `passage`th passage of a point, and sees what is left.
fn dies_at(operation: &Operation, point: &str, passage: usize) {
    let mut team = Team::new();
    let id = (operation.prepare)(&mut team);
    let command = operation.command.replace("ID", &id);
    let count = team.world.path().join("count");
    fs::write(&count, vec![b'.'; passage]).unwrap();
    let variables = format!("SWARM_CRASH_COUNT={} SWARM_CRASH_AT={point}", count.display());
    let (code, died) = run(&mut team, operation.who, &command, &variables);
    assert_eq!(code, 137, "{} does not die at {point} {passage}: {died}", operation.name);
    all_readable(&team.world.state());
    nobody_is_in_anothers_way(&team.world);
    what_was_not_printed_is_unread(&team, operation, &id, &died);
    // Again, as its caller would. What it was to do may be done already: then it may say so.
    let then = operation.instead.unwrap_or(&command);
    let (_, again) = run(&mut team, operation.who, then, "");
    (operation.after)(&mut team, &Ran { id, died, again });
    // The next post makes up for one that was interrupted.
    team.mail(&["human", "later"]);
    all_readable(&team.world.state());
    mail_is_whole(&team.world);
    nobody_is_in_anothers_way(&team.world);
}

/// A hook that died before it said anything has taken no message for read.
fn what_was_not_printed_is_unread(team: &Team, operation: &Operation, id: &str, died: &str) {
    if operation.command.starts_with("swarm hook ") && !id.is_empty() && died.trim().is_empty() {
        assert!(!["read", "acked"].contains(&stage(&team.world, id).as_str()), "{}", operation.name);
    }
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
        let mark = fs::read_to_string(world.state().join("PROJECT")).unwrap();
        let id = mark.lines().next().unwrap();
        assert_eq!(fs::read(keys.join(id).join("key")).unwrap().len(), 32);
        // The key is made before the store, so one of a project that did not come to be may be left.
        assert!(files(&keys).len() <= 2, "{:?}", files(&keys));
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
    // An Enter is not seen to be taken if the agent takes its time.
    let slow = [("FAKE_AGENT_SLOW_ENTER", "2500")];
    let pane = world.agent(kind, if point == "enter-unseen" { &slow } else { &[] });
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

/// Where a courier dies that gives a bundle.
const BUNDLE: [(&str, usize); 30] = [
    ("before-stage", 0),
    ("after-link", 0),
    ("before-paste", 0),
    ("after-paste", 0),
    ("before-enter", 0),
    ("after-enter", 0),
    ("before-submitted-mark", 0),
    ("after-submitted-mark", 0),
    ("before-record", 0),
    ("before-record", 1),
    ("before-record", 2),
    ("before-record", 3),
    ("before-record", 4),
    ("before-record", 5),
    ("before-record", 6),
    ("before-record", 7),
    ("before-record", 8),
    ("after-record", 3),
    ("after-record", 5),
    ("after-record", 7),
    ("after-move", 0),
    ("after-move", 1),
    ("after-move", 2),
    ("after-move", 3),
    ("before-entry", 0),
    ("before-entry", 2),
    ("before-entry", 4),
    ("after-entry", 5),
    ("after-entry", 7),
    ("after-entry", 9),
];

/// A courier dies at `point` with some messages for one agent under way, which are given by their lines or announced; another goes on.
/// Returns whether it came to that point.
fn bundle_courier_dies(kind: &str, count: usize, point: &str, passage: usize) -> bool {
    let world = World::new();
    world.start();
    let pane = world.agent(kind, &[]);
    world.ok(&["init"]);
    // As long as this is held no command starts a courier.
    let alone = swarm::store::lock::try_exclusive(&world.state().join("courier.lock")).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let name = format!("{kind}-1");
    let ids: Vec<String> = (0..count).map(|n| mail(&world, &[&name, &format!("part {n}")])).collect();
    drop(alone);
    let submitted = || ids.iter().all(|id| stage(&world, id) == "submitted");
    let died = eventually(&format!("it dies {point} {passage}, or is done"), || {
        let mut doomed = courier(&world, point, passage);
        let ended = eventually("it dies or is done", || {
            let status = doomed.try_wait().unwrap();
            status.map(|status| status.signal() == Some(9)).or_else(|| submitted().then_some(false))
        });
        if submitted() && doomed.try_wait().unwrap().is_none() {
            doomed.kill().unwrap();
            doomed.wait().unwrap();
        }
        // One that found the lock taken still ends at once.
        (ended || submitted()).then_some(ended)
    });
    world.ok(&["discover", "--quiet"]);
    eventually(&format!("all is given {point} {passage}"), || submitted().then_some(()));
    thread::sleep(Duration::from_millis(300));
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    let bundles = journal.lines().map(json).filter(|entry| entry["event"] == "bundle");
    let bundles: Vec<Value> =
        bundles.filter(|e| given(&world, &pane, e["id"].as_str().unwrap()) > 0).collect();
    for id in &ids {
        let told =
            bundles.iter().filter(|e| e["members"].as_array().unwrap().iter().any(|m| m == id)).count();
        let lines = given(&world, &pane, id);
        assert!(told == 1 && lines <= 1, "{point} {passage}: {id} {told} {lines} {}", world.log(&pane));
        assert_eq!(lines, usize::from(count < 5), "{point} {passage}: {}", world.log(&pane));
    }
    assert_eq!(world.events(&pane, "submitted").len(), 1, "{point} {passage}: {}", world.log(&pane));
    assert_eq!(files(&world.state().join(format!("mail/{name}/new"))), [""; 0], "{point} {passage}");
    assert_eq!(files(&world.state().join(format!("mail/{name}/given"))).len(), count, "{point} {passage}");
    for line in world.log(&pane).lines() {
        let event = json(line)["event"].as_str().unwrap().to_owned();
        assert!(["start", "submitted", "turn-ended"].contains(&event.as_str()), "{line}");
    }
    all_readable(&world.state());
    mail_is_whole(&world);
    died
}

#[test]
fn a_bundle_is_given_once_whatever_its_courier_dies_at() {
    let died = AtomicUsize::new(0);
    let runs: Vec<_> = BUNDLE
        .into_iter()
        .enumerate()
        .map(|(n, (point, passage))| (["claude", "gemini"][n % 2], [3, 9][n / 2 % 2], point, passage))
        .collect();
    for batch in runs.chunks(8) {
        thread::scope(|scope| {
            for (kind, count, point, passage) in batch {
                let died = &died;
                scope.spawn(move || {
                    let came = bundle_courier_dies(kind, *count, point, *passage);
                    died.fetch_add(usize::from(came), Ordering::Relaxed);
                });
            }
        });
    }
    // How often a courier writes a record differs with what it finds.
    let died = died.into_inner();
    assert!(died >= BUNDLE.len() / 2, "{died}");
}

/// Where a courier dies that gives a text to an agent's own channel.
const OFFER: [(&str, usize); 12] = [
    ("before-offer", 0),
    ("after-offer", 0),
    ("before-submitted-mark", 0),
    ("after-submitted-mark", 0),
    ("before-record", 0),
    ("before-record", 1),
    ("before-record", 2),
    ("after-record", 0),
    ("after-record", 1),
    ("after-record", 2),
    ("after-move", 0),
    ("after-entry", 1),
];

/// A courier dies at `point` with some messages on their way by a channel that does that with them; another goes on.
fn offering_courier_dies(kind: &str, inbox: &str, count: usize, point: &str, passage: usize) {
    let world = World::new();
    world.start();
    let profiles = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&profiles).unwrap();
    let profile = match kind {
        "claude" => include_str!("../src/agents/profiles/claude.toml"),
        _ => include_str!("../src/agents/profiles/opencode.toml"),
    };
    let name = format!("{kind}-1");
    fs::write(profiles.join(format!("{kind}.toml")), format!("{profile}\n[timing]\noffer_ms = 2500\n"))
        .unwrap();
    let pane = world.agent(kind, &[("FAKE_AGENT_INBOX", inbox)]);
    world.ok(&["init"]);
    let alone = swarm::store::lock::try_exclusive(&world.state().join("courier.lock")).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let ids: Vec<String> = (0..count).map(|n| mail(&world, &[&name, &format!("part {n}")])).collect();
    drop(alone);
    let submitted = || ids.iter().all(|id| stage(&world, id) == "submitted");
    eventually(&format!("it dies {point} {passage}, or is done"), || {
        let mut doomed = courier(&world, point, passage);
        let ended = eventually("it dies or is done", || {
            let status = doomed.try_wait().unwrap();
            status.map(|status| status.signal() == Some(9)).or_else(|| submitted().then_some(false))
        });
        if doomed.try_wait().unwrap().is_none() {
            doomed.kill().unwrap();
            doomed.wait().unwrap();
        }
        (ended || submitted()).then_some(())
    });
    world.ok(&["discover", "--quiet"]);
    eventually(&format!("all is given {point} {passage}"), || submitted().then_some(()));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(world.typed(&pane), ids, "{kind} {inbox} {point} {passage}: each once {}", world.log(&pane));
    for n in 0..count {
        let turns = world.events(&pane, "submitted");
        let texts: usize = turns.iter().map(|t| t.matches(&format!("] part {n} (")).count()).sum();
        // What was never written is only announced: nobody can know that it was not.
        let written = matches!(point, "after-offer" | "before-submitted-mark" | "after-submitted-mark");
        assert!(texts == 1 || (texts == 0 && !written), "{kind} {inbox} {point} {passage}: {turns:#?}");
    }
    assert_eq!(files(&world.state().join(format!("mail/{name}/new"))), [""; 0], "{point} {passage}");
    all_readable(&world.state());
    mail_is_whole(&world);
}

#[test]
fn what_an_agents_own_channel_takes_is_given_once_whatever_its_courier_dies_at() {
    // The courier does the same whoever's channel it is.
    let kinds = OFFER.iter().map(|of| ("claude", of)).chain(OFFER[..4].iter().map(|of| ("opencode", of)));
    let runs: Vec<_> = kinds
        .enumerate()
        .map(|(n, (kind, (point, passage)))| {
            (kind, ["take", "late:600"][n % 2], [1, 3][n / 2 % 2], *point, *passage)
        })
        .collect();
    for batch in runs.chunks(8) {
        thread::scope(|scope| {
            for (kind, inbox, count, point, passage) in batch {
                scope.spawn(move || offering_courier_dies(kind, inbox, *count, point, *passage));
            }
        });
    }
}

/// Where a courier dies that has a reminder to give, an acknowledgement to escalate and a dead letter to tell of.
const LETTERS: [(&str, usize); 10] = [
    ("before-sealed-write", 0),
    ("after-sealed-write", 0),
    ("before-sealed-write", 1),
    ("after-sealed-write", 1),
    ("after-settle", 0),
    ("notice-posted", 0),
    ("notice-posted", 1),
    ("before-entry", 3),
    ("before-stage", 0),
    ("before-stage", 1),
];

/// A courier dies at `point` while it looks after letters; another goes on.
fn letters_courier_dies(point: &str, passage: usize) {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.2");
    world.start();
    let (one, two) = (world.agent("claude", &[]), world.agent("codex", &[]));
    world.ok(&["init"]);
    // As long as this is held no command starts a courier.
    let alone = swarm::store::lock::try_exclusive(&world.state().join("courier.lock")).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let awaited = mail(&world, &["--ack", "claude-1", "please confirm"]);
    let lost = mail(&world, &["codex-1", "too late"]);
    world.control(&two, "exit");
    eventually("it has ended", || world.log(&two).contains("\"exit\"").then_some(()));
    drop(alone);
    // A process that was being started just then may still have held it: one finds it taken, and ends at once.
    let status = eventually("a courier gets it", || {
        let mut doomed = courier(&world, point, passage);
        let status = eventually(&format!("it dies {point} {passage}"), || doomed.try_wait().unwrap());
        (!status.success()).then_some(status)
    });
    assert_eq!(status.signal(), Some(9), "{point} {passage}");
    world.ok(&["discover", "--quiet"]);
    let state = |id: &str| json(&world.ok(&["status", "--json", id]))["recipients"][0].clone();
    eventually("it is escalated", || (state(&awaited)["escalated"] == true).then_some(()));
    eventually("the other is a dead letter", || (state(&lost)["stage"] == "failed").then_some(()));
    eventually("nothing is left to tell", || files(&world.state().join("notices")).is_empty().then_some(()));
    assert_eq!(given(&world, &one, &awaited), 2, "itself and its reminder: {}", world.log(&one));
    assert_eq!(world.events(&two, "submitted"), [""; 0]);
    let inbox = json(&world.ok(&["inbox", "--json"]))["messages"].clone();
    let told = |what: &str| {
        let texts = inbox.as_array().unwrap().iter().map(|m| m["message"]["body"].as_str().unwrap());
        texts.filter(|t| t.contains(what)).count()
    };
    for (what, id) in [("UNACKNOWLEDGED", &awaited), ("did not get", &lost)] {
        assert!((1..=2).contains(&told(what)), "{what} {id}: {inbox:#}");
    }
    assert_eq!(json(&world.ok(&["dead", "--json"]))["dead_letters"].as_array().unwrap().len(), 1);
    assert_eq!(files(&world.state().join("mail/claude-1/unacked")), [""; 0]);
    all_readable(&world.state());
    mail_is_whole(&world);
}

#[test]
fn no_crash_at_any_point_loses_or_repeats_anything() {
    let crashes = AtomicUsize::new(0);
    let mut died: BTreeMap<String, usize> = BTreeMap::new();
    thread::scope(|scope| {
        let rows: Vec<_> = OPERATIONS
            .iter()
            .map(|operation| {
                let row = || {
                    let passages = passages(operation);
                    for (point, count) in &passages {
                        assert!(*count <= MOST, "{}: {point} is passed {count} times", operation.name);
                        (0..*count).for_each(|passage| dies_at(operation, point, passage));
                    }
                    passages
                };
                scope.spawn(row)
            })
            .collect();
        let init = scope.spawn(|| COMMANDS.map(|point| (point.to_owned(), init_dies(point))));
        let (rows, init) = (rows.into_iter().map(|row| row.join().unwrap()), init.join().unwrap());
        for (point, count) in rows.flatten().chain(init) {
            *died.entry(point).or_default() += count;
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
    for passage in 0..3 {
        runs.extend([("claude", "before-entry", passage), ("claude", "after-entry", passage)]);
    }
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
    for batch in LETTERS.chunks(6) {
        thread::scope(|scope| {
            for (point, passage) in batch {
                let crashes = &crashes;
                scope.spawn(move || {
                    letters_courier_dies(point, *passage);
                    crashes.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    }
    for point in COMMANDS.iter().chain(&SETTINGS) {
        let count = died.get(*point).copied().unwrap_or_default();
        println!("{point:<24} {count:>4} crashes in commands");
        assert!(count > 0, "no command dies at {point}");
    }
    println!(
        "crash matrix: {} points, {} operations, {} crashes of commands and hooks, {} of couriers; nothing lost, repeated or unreadable",
        COMMANDS.len() + SETTINGS.len() + DELIVERY.len(),
        OPERATIONS.len() + 1,
        died.values().sum::<usize>(),
        crashes.into_inner()
    );
}

/// A lease of the human's on record, as swarm would have put it there.
fn plant(world: &World, number: u64) {
    let (keys, name) = (world.path().join("home/.local/state/swarm"), format!("leases/{number}"));
    let project = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
    let key = Key::new(fs::read(project.join("key")).unwrap().try_into().unwrap());
    let now = swarm::os::clock::now().unwrap();
    let lease: Lease = serde_json::from_value(json!({
        "fence": number, "holder": {"name": "human"}, "mode": "exclusive", "since": now.wall_ms,
        "paths": [{"path": format!("held/{number}"), "kind": "file"}],
        "expires": {"wall_ms": now.wall_ms + 3_600_000, "awake_ms": now.awake_ms + 3_600_000, "boot": now.boot},
    }))
    .unwrap();
    let mut record = serde_json::to_value(&lease).unwrap();
    record["seal"] = json!(key.seal(&name, &serde_json::to_vec(&lease).unwrap()));
    fs::write(world.state().join(format!("{name}.json")), record.to_string()).unwrap();
}

/// What the commands say is leased, and what the records say.
fn listed_is_on_record(world: &World, when: &str) {
    let numbers = |text: &str| -> BTreeSet<u64> {
        json(text)["leases"].as_array().unwrap().iter().map(|l| l["fence"].as_u64().unwrap()).collect()
    };
    let records: BTreeSet<u64> = files(&world.state().join("leases"))
        .iter()
        .map(|file| file.trim_end_matches(".json").parse().unwrap())
        .collect();
    assert_eq!(numbers(&world.ok(&["locks", "--json"])), records, "{when}");
}

#[test]
fn a_command_killed_while_it_brings_the_index_of_leases_up_to_date_leaves_none_that_is_wrong() {
    let mut team = Team::new();
    for number in 1..=40 {
        plant(&team.world, number);
    }
    let points = INDEX.into_iter().chain(["before-sealed-write", "after-sealed-write", "after-drop"]);
    let mut died = BTreeSet::new();
    for (round, point) in points.enumerate() {
        for command in ["swarm-msg lock a", "swarm-msg unlock a"] {
            let when = format!("{command} dies at {point}");
            if point == "index-sorted" {
                // As an older version would: the next command makes the index again.
                plant(&team.world, 100 + round as u64);
            }
            let crash = format!("SWARM_CRASH_AT={point}");
            if run(&mut team, Who::One, command, &crash).0 == 137 {
                died.insert(point);
            }
            listed_is_on_record(&team.world, &when);
            // What is on record is in the way, and nothing else is.
            let is_held = leases(&team.world).iter().any(|l| l.paths.iter().any(|p| p.path() == "a"));
            let (code, said) = team.two.run("swarm-msg lock a --dry-run");
            assert_eq!(code == 3, is_held, "{when}: {said}");
            assert_eq!(team.two.run("swarm-msg lock held/7").0, 3, "{when}");
            run(&mut team, Who::One, command, "");
            listed_is_on_record(&team.world, &when);
        }
    }
    assert_eq!(died.len(), INDEX.len() + 3, "{died:?}");
}

#[test]
fn a_line_left_in_a_composer_of_a_message_that_was_read_since_holds_nothing_back() {
    left_in_a_composer("claude", "seen elsewhere", |id| format!("[swarm {id} "));
    // An agent that shows a sign in place of a long text.
    left_in_a_composer("opencode", &"seen elsewhere ".repeat(12), |_| "[Pasted ~1 lines]".to_owned());
}

fn left_in_a_composer(kind: &str, text: &str, shown: impl Fn(&str) -> String) {
    let name = format!("{kind}-1");
    let world = World::new();
    world.start();
    let script = world.path().join("bin/reader");
    let (asked, done) = (world.path().join("asked"), world.path().join("done"));
    // Below the agent's pane, but not its turn: so the agent reads while its composer is full.
    let errand = format!(
        "#!/bin/sh\nwhile ! [ -s {0} ]; do sleep 0.05; done\nswarm-msg read $(cat {0}) >{1} 2>&1\n",
        asked.display(),
        done.display()
    );
    fs::write(&script, errand).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let pane = world.agent(&format!("reader </dev/null >/dev/null 2>&1 & {kind}"), &[]);
    world.ok(&["init"]);
    // It is on record that it was pasted, and that Enter never was pressed.
    let mut doomed = courier(&world, "after-paste", 0);
    let record = world.state().join(format!("agents/{name}.json"));
    eventually("the agent is known", || record.exists().then_some(()));
    let id = mail(&world, &[&name, text]);
    dies(&mut doomed, "after-paste");
    eventually("it stands there", || world.screen(&pane).contains(&shown(&id)).then_some(()));
    fs::write(&asked, &id).unwrap();
    eventually("it is read", || (stage(&world, &id) == "read").then_some(()));
    assert!(world.screen(&pane).contains(&shown(&id)), "{}", world.screen(&pane));
    let next = mail(&world, &[&name, "and go on"]);
    world.ok(&["discover", "--quiet"]);
    given_once(&world, &pane, &next);
    assert_eq!(given(&world, &pane, &id), 1);
}

#[test]
fn a_reading_that_was_cut_short_does_not_end_the_wait_for_an_acknowledgement() {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.3");
    world.start();
    let script = world.path().join("bin/reader");
    let (asked, done) = (world.path().join("asked"), world.path().join("done"));
    let text = format!(
        "#!/bin/sh\nwhile ! [ -s {0} ]; do sleep 0.05; done\nSWARM_CRASH_AT=after-move swarm-msg read $(cat {0}); echo $? >{1}\n",
        asked.display(),
        done.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let pane = world.agent("reader </dev/null >/dev/null 2>&1 & claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.control(&pane, "draft not now");
    eventually("it has a draft", || world.screen(&pane).contains("not now").then_some(()));
    let id = mail(&world, &["--ack", "claude-1", "please confirm"]);
    eventually("it is held", || (stage(&world, &id) == "held").then_some(()));
    fs::write(&asked, &id).unwrap();
    let code = eventually("the reader dies", || fs::read_to_string(&done).ok().filter(|t| t.ends_with('\n')));
    assert_eq!(code, "137\n");
    assert_eq!(stage(&world, &id), "read");
    world.control(&pane, "clear");
    let state = || json(&world.ok(&["status", "--json", &id]))["recipients"][0].clone();
    eventually("it is reminded, and then escalated", || (state()["escalated"] == true).then_some(()));
    assert_eq!(
        (state()["reminders"].as_u64(), given(&world, &pane, &id)),
        (Some(1), 1),
        "{}",
        world.log(&pane)
    );
    assert_eq!(files(&world.state().join("mail/claude-1/unacked")), [""; 0]);
}

#[test]
fn an_enter_that_is_taken_late_is_not_made_up_for_by_a_second_paste() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[("FAKE_AGENT_SLOW_ENTER", "2500")]);
    world.tmux(&["resize-window", "-t", &pane, "-x", "40", "-y", "15"]);
    world.ok(&["init"]);
    let mut doomed = courier(&world, "enter-unseen", 0);
    eventually("the agent is known", || world.state().join("agents/claude-1.json").exists().then_some(()));
    let id = mail(&world, &["claude-1", &"a long line ".repeat(12)]);
    dies(&mut doomed, "enter-unseen");
    eventually("its turn is over", || world.log(&pane).contains("turn-ended").then_some(()));
    // Another program makes it work on, until the line is out of sight.
    eventually("the line is out of sight", || {
        let before = world.events(&pane, "turn-ended").len();
        world.control(&pane, "draft go on");
        eventually("it is there", || world.screen(&pane).contains("go on").then_some(()));
        world.tmux(&["send-keys", "-t", &pane, "Enter"]);
        eventually("it does", || (world.events(&pane, "turn-ended").len() > before).then_some(()));
        (!world.screen(&pane).contains(&id)).then_some(())
    });
    // Not so soon that it should still be seen.
    thread::sleep(Duration::from_secs(5));
    world.ok(&["discover", "--quiet"]);
    // An empty composer proves nothing, and what may have been given is not given again.
    eventually("it is typed, and no more is known", || {
        let way = json(&world.ok(&["status", "--json", &id]))["recipients"][0].clone();
        (way["stage"] == "typed" && way["detail"].to_string().contains("no sign of a turn")).then_some(())
    });
    let next = mail(&world, &["claude-1", "and go on"]);
    given_once(&world, &pane, &next);
    assert_eq!(given(&world, &pane, &id), 1, "{}", world.log(&pane));
}

#[test]
fn a_dialog_over_a_line_that_waits_for_enter_does_not_pass_for_its_submission() {
    for kind in ["claude", "codex", "gemini", "opencode"] {
        let world = World::new();
        world.start();
        let pane = world.agent(kind, &[]);
        world.ok(&["init"]);
        let name = format!("{kind}-1");
        // It is on record that Enter is being pressed, and it never was.
        let mut doomed = courier(&world, "before-enter", 0);
        let record = world.state().join(format!("agents/{name}.json"));
        eventually("the agent is known", || record.exists().then_some(()));
        let id = mail(&world, &[&name, "still waiting"]);
        dies(&mut doomed, "before-enter");
        world.control(&pane, "dialog rm -rf x");
        eventually("it is there", || world.screen(&pane).contains("rm -rf x").then_some(()));
        world.ok(&["discover", "--quiet"]);
        let told = || json(&world.ok(&["status", "--json", &id]))["recipients"][0].to_string();
        eventually("it is held", || told().contains("dialog").then_some(()));
        assert_eq!(given(&world, &pane, &id), 0);
        world.control(&pane, "dialog-close");
        given_once(&world, &pane, &id);
        assert!(!world.log(&pane).contains("dialog-answered"), "{}", world.log(&pane));
    }
}

#[test]
fn a_line_that_a_person_wrote_to_and_then_took_away_is_given_again() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["init"]);
    // It is on record that Enter is being pressed, and it never was.
    let mut doomed = courier(&world, "before-enter", 0);
    eventually("the agent is known", || world.state().join("agents/claude-1.json").exists().then_some(()));
    let id = mail(&world, &["claude-1", "do not lose me"]);
    dies(&mut doomed, "before-enter");
    world.control(&pane, "draft and mine");
    eventually("both are there", || world.screen(&pane).contains("and mine").then_some(()));
    world.ok(&["discover", "--quiet"]);
    let detail = || json(&world.ok(&["status", "--json", &id]))["recipients"][0]["detail"].to_string();
    eventually("it is held", || detail().contains("somebody typed beside").then_some(()));
    world.control(&pane, "clear");
    given_once(&world, &pane, &id);
}

#[test]
fn an_agent_that_is_renamed_while_a_line_stands_in_its_composer_gets_it_once() {
    let world = World::new();
    world.start();
    // A paste takes a while to be seen, and Enter waits for that: the renaming comes in between, on a busy machine, too.
    let pane = world.agent("claude", &[("FAKE_AGENT_SLOW_PASTE", "700")]);
    world.tmux(&["resize-window", "-t", &pane, "-x", "40", "-y", "15"]);
    world.ok(&["discover", "--init", "--quiet"]);
    let mut name = "claude-1".to_owned();
    let mut hit = 0;
    for n in 0..12 {
        let id = mail(&world, &[&name, &"a long line ".repeat(12)]);
        let journal = world.state().join("journal.jsonl");
        // Without a pause between two looks: Enter follows the paste in a fraction of a second.
        let begun = Instant::now();
        while !fs::read_to_string(&journal)
            .unwrap()
            .lines()
            .any(|l| l.contains(&id) && l.contains("\"typing\""))
        {
            assert!(begun.elapsed() < crate::support::PATIENCE, "it is never typed");
            std::thread::yield_now();
        }
        let next = format!("name-{n}");
        world.ok(&["name", &name, &next]);
        name = next;
        let text = fs::read_to_string(&journal).unwrap();
        hit += usize::from(!text.lines().any(|l| l.contains(&id) && l.contains("\"entering\"")));
        given_once(&world, &pane, &id);
    }
    assert!(hit > 0, "no renaming came between the paste and Enter");
    // Beside the notices of swarm's own, that it was renamed.
    let mail = world.events(&pane, "submitted").into_iter().filter(|line| !line.contains(" from swarm to "));
    assert_eq!(mail.count(), 12, "{}", world.log(&pane));
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
