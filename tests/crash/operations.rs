//! The commands and hooks that are killed: what each needs, and what holds after it ran again.

use super::{Team, Who, files};
use crate::support::mail::parsed;
use crate::support::peer::Peer;
use crate::support::{World, eventually, executable};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::thread;
use std::time::{Duration, SystemTime};
use swarm::core::frame;
use swarm::core::name::Name;
use swarm::core::signing::Key;

/// A command that is killed.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) who: Who,
    /// What has to be there before; gives what stands for ID in the command.
    pub(super) prepare: fn(&mut Team) -> String,
    pub(super) command: &'static str,
    /// What is done afterwards, if not the same again.
    pub(super) instead: Option<&'static str>,
    /// What holds then.
    pub(super) after: fn(&mut Team, &Ran),
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
pub(super) struct Ran {
    /// What `prepare` gave.
    pub(super) id: String,
    /// What it printed before it died.
    pub(super) died: String,
    /// What it printed when it was run again.
    pub(super) again: String,
}

pub(super) const OPERATIONS: [Operation; 36] = [
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
        after: |team, ran| assert_eq!(team.world.stage(&ran.id).0, "read"),
        ..Operation::PLAIN
    },
    Operation {
        name: "acknowledge",
        who: Who::Two,
        prepare: |team| team.mail(&["--ack", "peer-1", "answer me"]),
        command: "swarm-msg ack --no-wait ID",
        after: |team, ran| {
            assert_eq!(team.world.stage(&ran.id).0, "acked");
            assert_eq!(fs::read_dir(team.world.state().join("mail/peer-1/unacked")).unwrap().count(), 0);
        },
        ..Operation::PLAIN
    },
    Operation {
        name: "hand a question and leases over",
        who: Who::One,
        prepare: |team| {
            team.one.ok("swarm-msg lock src/a.rs src/b.rs");
            team.mail(&["--ack", "peer-0", "who is it for"])
        },
        command: "swarm-msg handover ID peer-1 --reason 'it is its part'",
        after: |team, ran| {
            // What the courier does in its next round; the second hand-over did so, or there was nothing left.
            team.one.run("swarm-msg handover nothing peer-1");
            let now = team.world.ok(&["locks", "--json"]);
            let held = parsed(&now)["leases"].clone();
            let holders: Vec<&str> =
                held.as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
            assert_eq!(holders, ["peer-1"], "{now}");
            let asked = texts(&mut team.two).into_iter().filter(|text| text == "who is it for").count();
            assert_eq!(asked, 1, "{}", ran.again);
            assert!(!texts(&mut team.one).contains(&"who is it for".to_owned()));
            assert!(team.world.stage(&ran.id).1.starts_with("handed over to peer-1 as "));
            assert_eq!(files(&team.world.state().join("mail/peer-0/unacked")), [""; 0]);
            assert_eq!(files(&team.world.state().join("mail/peer-1/unacked")).len(), 1);
            // It is told once, or after a crash between two writes twice.
            assert!((1..=2).contains(&journalled(&team.world, "handed-over")));
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
            assert_eq!(team.world.stage(&ran.id).0, "read");
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
                (parsed(&String::from_utf8(told.unwrap().stdout).unwrap())["old_messages"] == 1).then_some(())
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
            let told = format!("{}{}", ran.died, ran.again);
            assert!(told.contains("You are peer-1"), "{told}");
            // Mail waits for a way that begins a turn, or for the next prompt.
            assert!(!told.contains("first line"), "{told}");
            assert_ne!(team.world.stage(&ran.id).0, "read");
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
        name: "a tool shows that the model has answered",
        who: Who::Two,
        prepare: |team| {
            team.mail(&["peer-1", LONG]);
            let told = team.two.ok("echo '{}' | swarm hook claude UserPromptSubmit");
            assert!(told.contains("second line"), "it is handed over: {told}");
            input(team, &json!({"tool_name": "Read"}));
            // It was printed before, so it may be read although this prints nothing.
            String::new()
        },
        command: "swarm hook claude PreToolUse <input",
        after: |team, _| {
            let mail = team.world.state().join("mail/peer-1");
            assert_eq!(["new", "given", "cur"].map(|part| files(&mail.join(part)).len()), [0, 0, 1]);
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
            assert_eq!(parsed(&team.world.ok(&["dead", "--json"]))["dead_letters"], json!([]));
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
    // Nothing shows before the end of a turn that the model was asked with it.
    assert!(matches!(team.world.stage(&ran.id).0.as_str(), "submitted" | "read"));
    team.two.ok("echo '{}' | swarm hook claude Stop");
    assert_eq!(team.world.stage(&ran.id).0, "read");
}

/// A repository with one file that is not committed.
fn repository(team: &mut Team) {
    let script =
        "git init -q . && git config user.name t && git config user.email t@example.com && echo 1 >a.rs";
    team.two.ok(script);
}

/// The hooks that come beside it.
const ADDED: [&str; 5] =
    ["post-commit", "pre-merge-commit", "post-checkout", "reference-transaction", "pre-push"];

const HOOK: &str = "#!/bin/sh\n# mine\n: >ran\n";

fn git_hook(team: &Team) {
    let path = team.world.project().join(".git/hooks/pre-commit");
    executable(&path, HOOK);
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
    let mut agent = parsed(&fs::read_to_string(&record).unwrap());
    agent["died"] = json!(1);
    fs::write(&record, agent.to_string()).unwrap();
    let state = json!({"id": id, "way": {"stage": "failed", "since": 1, "detail": "its process has ended"}});
    fs::write(team.world.state().join(format!("mail/{name}/state/{id}.json")), state.to_string()).unwrap();
}

/// How many entries of that event both files of the journal have.
fn journalled(world: &World, event: &str) -> usize {
    let read = |name| fs::read_to_string(world.state().join(name)).unwrap_or_default();
    let text = read("journal.1.jsonl") + &read("journal.jsonl");
    text.lines().filter(|l| parsed(l)["event"] == event).count()
}

fn texts(peer: &mut Peer) -> Vec<String> {
    let inbox = parsed(&peer.ok("swarm-msg inbox --json"));
    assert_eq!(inbox["refused"], 0);
    inbox["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["message"]["body"].as_str().unwrap().to_owned())
        .collect()
}
