//! Stores that released versions left behind: today's program opens each, reads all of it, goes on with it and loses nothing.
//!
//! `scripts/golden.sh` records one at each release. A recorded store never changes: what a version wrote, it wrote.

use crate::support::World;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The recorded stores, by version.
fn recorded() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stores");
    let mut all: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// A world whose project was left behind by that version.
fn inherit(from: &Path) -> World {
    let world = World::new();
    copy(&from.join("store"), &world.state());
    let project = fs::read_to_string(from.join("store/PROJECT")).unwrap();
    let keys = world.path().join("home/.local/state/swarm").join(project.lines().next().unwrap());
    fs::create_dir_all(&keys).unwrap();
    for dir in [keys.parent().unwrap(), &keys] {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::copy(from.join("key"), keys.join("key")).unwrap();
    fs::set_permissions(keys.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    world
}

/// Copies what version control keeps of a store, and makes the rest as the version did: modes, empty directories, the FIFO.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), &place).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    if to.join("FORMAT").exists() {
        for name in ["outbox", "dead", "notices", "panes", "claims", "quarantine", "tmp", "waiters", "leases"]
        {
            let dir = to.join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        }
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(to.join("wake")).status();
        assert!(made.unwrap().success());
    }
}

#[test]
fn every_message_of_a_released_version_is_read_and_verified() {
    for from in recorded() {
        let world = inherit(&from);
        world.start();
        let text = world.ok(&["inbox", "--json"]);
        assert!(text.contains("for the person"), "{}: {text}", from.display());
        // Each message is in its mailbox, with its proof.
        let mut messages = 0;
        for owner in fs::read_dir(from.join("store/mail")).unwrap().map(|e| e.unwrap().path()) {
            for folder in ["new", "given", "cur"] {
                for file in
                    fs::read_dir(owner.join(folder)).into_iter().flatten().map(|e| e.unwrap().file_name())
                {
                    let file = file.into_string().unwrap();
                    let id = file.trim_end_matches(".json").rsplit('-').next().unwrap().to_owned();
                    let shown = world.ok(&["show", &id]);
                    assert!(shown.contains(&id), "{file}: {shown}");
                    world.ok(&["status", &id]);
                    messages += 1;
                }
            }
        }
        assert!(messages > 10, "{messages}");
        assert!(world.ok(&["show", &id_of(&from, "claude-1/cur")]).contains("日本 👍"));
        // Mail to a former name is still mail of the renamed agent, and its sender's answer still has its thread.
        assert!(world.ok(&["log", "--event", "renamed"]).contains("reviewer"));
        assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0, "nothing was damaged");
        assert_eq!(
            fs::read_to_string(world.state().join("FORMAT")).unwrap(),
            "3\n",
            "no older program reads it now"
        );
    }
}

/// The id of the only message in that folder.
fn id_of(store: &Path, folder: &str) -> String {
    let dir = store.join("store/mail").join(folder);
    let file = fs::read_dir(dir).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    file.trim_end_matches(".json").rsplit('-').next().unwrap().to_owned()
}

#[test]
fn work_goes_on_in_a_store_of_a_released_version() {
    for from in recorded() {
        let world = inherit(&from);
        world.start();
        let claude = world.agent("claude", &[]);
        world.ok(&["discover"]);
        let agents: Value = serde_json::from_str(&world.ok(&["agents", "--json"])).unwrap();
        let agent = agents["agents"].as_array().unwrap().iter().find(|a| a["pane"] == claude.as_str());
        let name = agent.expect("the new agent is found")["name"].as_str().unwrap();
        // The holders of the old leases have ended: their files are free, and a fence never goes back.
        let locked = world.ok(&["lock", "--json", "src/parser.rs"]);
        let fence = serde_json::from_str::<Value>(&locked).unwrap()["leases"][0]["fence"].as_u64().unwrap();
        assert!(fence > 3, "{locked}");
        let sent = world.ok(&["send", name, "the next message"]);
        assert!(sent.contains("submitted"), "{sent}");
        // What waited for an agent that has ended is a dead letter: kept, and told.
        crate::support::eventually("the mail of those who ended is reported", || {
            world.ok(&["dead"]).contains("held behind a draft").then_some(())
        });
    }
}
