//! The courier keeps up: with changed profiles, with an update of the program, and with its own death.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use support::{World, eventually};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A project with one agent that was discovered.
fn team() -> (World, String) {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    (world, pane)
}

fn send(world: &World, to: &str, body: &str) -> String {
    json(&world.ok(&["send", "--json", "--no-wait", to, body]))["id"].as_str().unwrap().to_owned()
}

fn status(world: &World, id: &str) -> (String, String) {
    let told = json(&world.ok(&["status", "--json", id]));
    let first = &told["recipients"][0];
    (first["stage"].as_str().unwrap().to_owned(), first["detail"].as_str().unwrap().to_owned())
}

fn held(world: &World, id: &str, reason: &str) {
    eventually(&format!("{id} is held: {reason}"), || {
        let (stage, detail) = status(world, id);
        (stage == "held" && detail.contains(reason)).then_some(())
    });
}

fn submitted(world: &World, pane: &str) -> usize {
    world.events(pane, "submitted").len()
}

fn profile(world: &World, file: &str) -> PathBuf {
    let dir = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&dir).unwrap();
    dir.join(file)
}

/// Standard output and error of a command that succeeds.
fn both(world: &World, args: &[&str]) -> String {
    let out = world.swarm(args);
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(out.status.success(), "swarm {args:?}: {text}");
    text
}

const CLAUDE: &str = include_str!("../src/agents/profiles/claude.toml");

#[test]
fn a_changed_profile_counts_at_once_for_the_courier_and_for_explain() {
    let (world, pane) = team();
    send(&world, "claude-1", "by the built-in rules");
    eventually("it is typed", || (submitted(&world, &pane) == 1).then_some(()));
    // The user's own rules: whatever it shows, it is busy.
    let path = profile(&world, "mine.toml");
    fs::write(&path, CLAUDE.replace("busy = [", "busy = ['.', ")).unwrap();
    let id = send(&world, "claude-1", "by the user's rules");
    held(&world, &id, "it is in a turn");
    assert!(world.ok(&["explain", "claude-1"]).contains("state: busy"));
    fs::remove_file(path).unwrap();
    eventually("it is typed", || (submitted(&world, &pane) == 2).then_some(()));
    let explained = || world.ok(&["explain", "claude-1"]).contains("state: idle").then_some(());
    eventually("it is idle by the built-in rules", explained);
}

#[test]
fn a_broken_profile_is_named_everywhere_and_holds_its_own_kind_only() {
    let (world, claude) = team();
    let codex = world.agent("codex", &[]);
    let path = profile(&world, "claude.toml");
    fs::write(&path, "kind = 'claude'\ntitle = 'x'\nprompt = '('\n").unwrap();
    let named = |text: &str| {
        assert!(text.contains("claude.toml is not valid: line 3"), "{text}");
        assert!(!text.contains("\\u{"), "{text}");
    };
    for args in [&["discover"][..], &["agents"], &["explain", "claude-1"], &["explain", "codex-1"]] {
        named(&both(&world, args));
    }
    let (first, second) = (send(&world, "claude-1", "for one"), send(&world, "codex-1", "for the other"));
    eventually("the other kind is served", || (submitted(&world, &codex) == 1).then_some(()));
    eventually("that is noted", || (status(&world, &second).0 == "submitted").then_some(()));
    held(&world, &first, "claude.toml is not valid: line 3");
    assert!(both(&world, &["explain", "claude-1"]).contains("nothing is typed there"));
    let doctor = world.swarm(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    named(&String::from_utf8(doctor.stdout).unwrap());
    named(&world.ok(&["log", "--event", "bad-profiles"]));
    assert_eq!(submitted(&world, &claude), 0);
    // A FIFO keeps nobody waiting; two files of one kind are named.
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert!(both(&world, &["agents"]).contains("no regular file"));
    fs::remove_file(&path).unwrap();
    fs::write(profile(&world, "a.toml"), CLAUDE).unwrap();
    fs::write(profile(&world, "b.toml"), CLAUDE).unwrap();
    let told = both(&world, &["agents"]);
    assert!(told.contains("a.toml and ") && told.contains("b.toml are both of the kind claude"), "{told}");
    eventually("it is repaired", || (submitted(&world, &claude) == 1).then_some(()));
    eventually("that is noted", || (status(&world, &first).0 == "submitted").then_some(()));
}
