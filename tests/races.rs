//! What any number of processes at once can and cannot do, where no other test shows it: names, keys, acknowledgements, the
//! first courier. `docs/audit.md` says which test answers which race of the audit.

use crate::support::mail::parsed;
use crate::support::peer::{Peer, peers};
use crate::support::{World, eventually, executable, race, world_with_claude};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

fn swarm(world: &World, args: &[&str]) -> Command {
    let mut command = world.command("swarm");
    command.args(args);
    command
}

fn all_succeed(outs: &[Output]) {
    for out in outs {
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}

/// The names on record by the pid of their process.
fn registry(world: &World) -> Vec<(i64, String)> {
    let mut all: Vec<(i64, String)> = fs::read_dir(world.state().join("agents"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let agent = parsed(&fs::read_to_string(&path).unwrap());
            assert_eq!(
                path.file_stem().unwrap().to_str(),
                agent["name"].as_str(),
                "a record under another name"
            );
            (agent["process"]["pid"].as_i64().unwrap(), agent["name"].as_str().unwrap().to_owned())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn racing_renames_and_discoveries_lose_no_entry_and_give_no_name_twice() {
    let world = World::new();
    world.start();
    for kind in ["claude", "claude", "codex", "gemini"] {
        world.agent(kind, &[]);
    }
    world.ok(&["discover", "--init", "--quiet"]);
    let before = registry(&world);
    assert_eq!(before.len(), 4);
    for trial in 0..6 {
        let wanted = format!("reviewer-{trial}");
        let now = registry(&world);
        let renames = now.iter().map(|(_, name)| swarm(&world, &["name", name, &wanted]));
        let discoveries = (0..6).map(|_| swarm(&world, &["discover", "--quiet"]));
        let outs = race(renames.chain(discoveries));
        let (renamed, searched) = outs.split_at(4);
        all_succeed(searched);
        let winners = renamed.iter().filter(|o| o.status.success()).count();
        assert_eq!(winners, 1, "one bears the name: {renamed:?}");
        assert!(renamed.iter().filter(|o| !o.status.success()).all(|o| o.status.code() == Some(2)));
        let after = registry(&world);
        let pids = |all: &[(i64, String)]| all.iter().map(|(pid, _)| *pid).collect::<Vec<_>>();
        assert_eq!(pids(&after), pids(&before), "one record for each process");
        assert_eq!(after.iter().filter(|(_, name)| *name == wanted).count(), 1);
        assert_eq!(after.iter().map(|(_, name)| name).collect::<BTreeSet<_>>().len(), 4);
    }
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
}

#[test]
fn processes_that_all_find_a_store_that_never_had_a_key_make_one() {
    let world = World::new();
    let keys = world.path().join("home/.local/state/swarm");
    for trial in 0..5 {
        // As version 0.1.0 left one that was killed between making the store and the key.
        let _ = fs::remove_dir_all(world.state());
        let _ = fs::remove_dir_all(&keys);
        world.ok(&["init"]);
        let project = fs::read_to_string(world.state().join("PROJECT")).unwrap();
        let id = project.lines().next().unwrap();
        fs::write(world.state().join("PROJECT"), format!("{id}\n")).unwrap();
        let dir = keys.join(id);
        fs::remove_dir_all(&dir).unwrap();
        let body = format!("with the key of trial {trial}");
        all_succeed(&race((0..16).map(|_| swarm(&world, &["send", "human", &body]))));
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["key", "seat"]);
        // Signed with any other key, a message would not be among these.
        let read = parsed(&world.ok(&["read", "--all", "--json"]));
        assert_eq!(read["messages"].as_array().unwrap().len(), 16);
        assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
    }
}

#[test]
fn first_commands_at_once_start_one_courier() {
    let (world, _) = world_with_claude();
    for _ in 0..4 {
        world.end_couriers();
        all_succeed(&race((0..12).map(|n| {
            let words: &[&str] =
                if n % 2 == 0 { &["discover", "--quiet"] } else { &["send", "--no-wait", "human", "x"] };
            swarm(&world, words)
        })));
        let lock = world.state().join("courier.lock");
        eventually("one is left, and holds the lock", || {
            let held = swarm::store::lock::try_exclusive(&lock).unwrap().is_none();
            (held && world.couriers().len() == 1).then_some(())
        });
    }
}

/// Runs a shell command below an agent, whatever that is doing: for an agent started as `errands & KIND`.
fn errand(world: &World, pane: &str, command: &str) {
    let fifo = world.path().join(format!("{}.errands", pane.trim_start_matches('%')));
    eventually("the errand boy listens", || fifo.exists().then_some(()));
    writeln!(fs::OpenOptions::new().write(true).open(fifo).unwrap(), "{command}").unwrap();
}

#[test]
fn recipients_that_acknowledge_while_the_courier_rings_are_each_counted_once() {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.3,60");
    let boy = world.path().join("bin/errands");
    let text = format!(
        "#!/bin/sh\nfifo={}/${{TMUX_PANE#%}}.errands\nmkfifo $fifo\nwhile :; do while read -r line; do sh -c \"$line\"; done <$fifo; done\n",
        world.path().display()
    );
    executable(&boy, text);
    world.start();
    let panes = ["claude", "codex"]
        .map(|kind| world.agent(&format!("errands </dev/null >/dev/null 2>&1 & {kind}"), &[]));
    world.ok(&["discover", "--init", "--quiet"]);
    let mut ids = Vec::new();
    for trial in 0..6_u64 {
        let sent =
            parsed(&world.ok(&["send", "--json", "--no-wait", "--ack", "claude-1,codex-1", "answer me"]));
        let id = sent["id"].as_str().unwrap().to_owned();
        let stages = || parsed(&world.ok(&["status", "--json", &id]))["recipients"].clone();
        eventually("both have it", || {
            stages().as_array().unwrap().iter().all(|r| r["stage"] == "submitted").then_some(())
        });
        // From well before the reminder to well after it.
        thread::sleep(Duration::from_millis(100 * trial));
        for pane in &panes {
            let ack = format!(
                "for n in 1 2 3 4; do swarm-msg ack --no-wait {id} & done; wait; echo done >>{}/acked",
                world.path().display()
            );
            errand(&world, pane, &ack);
        }
        eventually("all are through", || {
            let through = fs::read_to_string(world.path().join("acked")).unwrap_or_default().lines().count();
            (through == 2 * ids.len() + 2).then_some(())
        });
        assert!(
            stages().as_array().unwrap().iter().all(|r| r["stage"] == "acked" && r["escalated"] == false),
            "{}",
            stages()
        );
        ids.push(id);
    }
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    let inbox = parsed(&world.ok(&["inbox", "--json"]));
    for id in &ids {
        for name in ["claude-1", "codex-1"] {
            let acked = journal
                .lines()
                .map(parsed)
                .filter(|e| e["event"] == "acked" && e["id"] == id.as_str() && e["to"] == name);
            assert_eq!(acked.count(), 1, "{id} {name}");
            assert!(!world.state().join(format!("mail/{name}/new")).join(id).exists());
        }
        let answers =
            inbox["messages"].as_array().unwrap().iter().filter(|m| m["message"]["reply_to"] == id.as_str());
        assert_eq!(answers.count(), 2, "each recipient answered {id} once: {inbox}");
        for pane in &panes {
            let marker = format!("[swarm {id} REMINDER 1 ");
            let rung = world.events(pane, "submitted").iter().filter(|t| t.contains(&marker)).count();
            assert!(rung <= 1, "{}", world.log(pane));
        }
    }
    for name in ["claude-1", "codex-1"] {
        assert_eq!(fs::read_dir(world.state().join(format!("mail/{name}/unacked"))).unwrap().count(), 0);
    }
    assert!(!journal.contains("\"escalated\""));
}

#[test]
fn senders_that_are_several_processes_share_one_limit() {
    let world = World::new();
    world.ok(&["init"]);
    let mut all: [Peer; 2] = peers(&world);
    let burst = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do SWARM_RATE_LIMIT=5/600 swarm-msg send --no-wait human x >/dev/null & done; wait";
    for peer in &mut all {
        peer.start(burst);
    }
    let said = all.each_mut().map(|peer| peer.finish().1);
    for (n, said) in said.iter().enumerate() {
        assert_eq!(said.matches("can be sent in").count(), 11, "{said}");
        let window = fs::read_to_string(world.state().join(format!("rate/peer-{n}.json"))).unwrap();
        assert_eq!(parsed(&window)["sent"].as_array().map_or(0, Vec::len), 5, "{window}");
    }
    let inbox = parsed(&world.ok(&["inbox", "--json"]));
    assert_eq!(
        inbox["messages"].as_array().unwrap().len(),
        10,
        "five of each, and no place of one taken by the other"
    );
}

#[test]
fn a_mailbox_takes_what_it_has_room_for_however_many_race_and_again_once_it_was_read() {
    let world = World::new();
    world.ok(&["init"]);
    let race = |each: usize| {
        let burst =
            format!("n=0; while [ $n -lt {each} ]; do swarm send --no-wait human x; n=$((n + 1)); done");
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let mut sender = world.command("sh");
                sender.args(["-c", &burst]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let told = senders.into_iter().map(|sender| sender.wait_with_output().unwrap());
        let (mut taken, mut refused) = (0, 0);
        for out in told {
            taken += String::from_utf8(out.stdout).unwrap().lines().count();
            let said = String::from_utf8(out.stderr).unwrap();
            refused += said.matches("200 of your messages wait for human; nothing was sent").count();
        }
        (taken, refused)
    };
    let waiting = || fs::read_dir(world.state().join("mail/human/new")).unwrap().count();
    assert_eq!(race(27), (200, 16));
    assert_eq!(waiting(), 200);
    world.ok(&["read", "--all"]);
    assert_eq!(race(1), (8, 0), "what was read waits no more");
    // What is known of the mailbox is only a help: without it, or with nonsense in its place, the mail is counted.
    fs::remove_file(world.state().join("mail/human/waiting.json")).unwrap();
    fs::write(world.state().join("waiting.json"), "{\"all\": ").unwrap();
    assert_eq!(race(25), (192, 8));
    assert_eq!(waiting(), 200);
}
