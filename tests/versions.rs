//! Programs of released versions and today's on one project: commands, courier and hooks.
//!
//! `scripts/released.sh` builds the programs of each released version, once.

use crate::support::{World, eventually};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

/// The `swarm` of each released version, as far as they were built.
fn released() -> Vec<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_swarm")).ancestors().nth(2).unwrap();
    let all: Vec<PathBuf> = fs::read_dir(target.join("released"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().join("swarm"))
        .filter(|program| program.is_file())
        .collect();
    if all.is_empty() {
        println!("SKIPPED: no program of a released version is here: scripts/released.sh builds them");
    }
    all
}

fn run(world: &World, program: &Path, args: &[&str]) -> Output {
    world.command(program.to_str().unwrap()).args(args).output().unwrap()
}

fn ok(world: &World, program: &Path, args: &[&str]) -> String {
    let out = run(world, program, args);
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Every file of a store with what is in it; FIFOs and locks hold nothing.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(contents(&entry.path()));
        } else if kind.is_file() {
            // What is gone by now is not there.
            all.extend(fs::read(entry.path()).ok().map(|bytes| (entry.path(), bytes)));
        }
    }
    all
}

/// What a store holds once nobody writes any more: a thread of a process that was killed ends the system call that it is in.
fn at_rest(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    eventually("the store is at rest", || {
        let one = contents(&world.state());
        std::thread::sleep(Duration::from_millis(300));
        (contents(&world.state()) == one).then_some(one)
    })
}

#[test]
fn an_update_takes_over_courier_mail_and_leases_of_a_released_version() {
    for old in released() {
        let world = World::new();
        world.start();
        let pane = world.agent("claude", &[]);
        ok(&world, &old, &["discover", "--init", "--quiet"]);
        let former = eventually("the old courier serves", || match &world.couriers()[..] {
            [one] => Some(one.clone()),
            _ => None,
        });
        ok(&world, &old, &["lock", "src/held.rs"]);
        ok(&world, &old, &["send", "human", "for the person"]);
        world.control(&pane, "busy 3000");
        ok(&world, &old, &["send", "--no-wait", "claude-1", "before the update"]);
        // The first command of today's program.
        world.ok(&["send", "--no-wait", "claude-1", "after the update"]);
        eventually("today's courier serves, alone", || match &world.couriers()[..] {
            [one] if *one != former => Some(()),
            _ => None,
        });
        // In a line each, or in one.
        let given = eventually("both are given", || {
            let given = world.events(&pane, "submitted").join("\n");
            (given.contains("before the update") && given.contains("after the update")).then_some(given)
        });
        for text in ["before the update", "after the update"] {
            assert_eq!(given.matches(text).count(), 1, "{given}");
        }
        assert!(world.ok(&["locks"]).contains("src/held.rs"));
        assert!(world.ok(&["read"]).contains("for the person"));
        world.ok(&["unlock", "src/held.rs"]);
        assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
    }
}

#[test]
fn a_downgrade_is_refused_says_so_and_changes_nothing() {
    for old in released() {
        let world = World::new();
        world.start();
        let pane = world.agent("claude", &[]);
        world.ok(&["discover", "--init", "--quiet"]);
        world.ok(&["send", "claude-1", "by today's"]);
        world.ok(&["send", "human", "for the person"]);
        world.ok(&["lock", "src/held.rs"]);
        let serving = world.couriers();
        // The old program as an agent's hook: it says nothing, and its agent goes on.
        let hook = format!("echo '{{}}' | '{}' hook claude UserPromptSubmit; echo code $?", old.display());
        let said = world.below("claude-1", &hook);
        assert!(said.contains("code 0") && !said.contains("for the person"), "{said}");
        // The courier is stopped, so that whatever changes was changed by the old program.
        world.end_couriers();
        let before = at_rest(&world);
        for args in [
            &["send", "claude-1", "by the old one"][..],
            &["inbox"],
            &["read"],
            &["lock", "src/other.rs"],
            &["unlock", "src/held.rs"],
            &["locks"],
            &["agents"],
            &["discover"],
            &["init"],
        ] {
            let out = run(&world, &old, args);
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(!out.status.success(), "{args:?}");
            assert!(
                said.contains("says format") && said.contains("Use the version of swarm"),
                "{args:?}: {said}"
            );
        }
        let after = contents(&world.state());
        let changed: Vec<_> =
            before.keys().chain(after.keys()).filter(|file| before.get(*file) != after.get(*file)).collect();
        assert!(changed.is_empty(), "{changed:?}");
        assert!(world.couriers().is_empty(), "the old program starts no courier here: {serving:?}");
        world.ok(&["send", "claude-1", "and on"]);
        let given = world.events(&pane, "submitted").join("\n");
        assert!(given.contains("and on") && !given.contains("by the old one"), "{given}");
        assert!(world.ok(&["read"]).contains("for the person"));
    }
}
