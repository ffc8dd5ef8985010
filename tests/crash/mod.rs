//! The crash matrix: every point at which the source can be made to die (`store::fault::point`), at every passage of it, in
//! every kind of command and in the courier. Afterwards: nothing lost, nothing twice, no two holders, nothing unreadable.
//!
//! [`operations`] is the table of commands, [`commands`] kills each of them everywhere, [`couriers`] does so with couriers, and
//! [`index`] with what brings the index of leases up to date. [`lines`] is about what a courier leaves in a composer.

mod commands;
mod couriers;
mod index;
mod lines;
mod operations;

use crate::support::World;
use crate::support::mail::parsed;
use crate::support::peer::Peer;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use swarm::core::lease::Lease;

/// The points that commands pass, those of agents' hooks among them.
const COMMANDS: [&str; 32] = [
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
    "agent-written",
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
    "handover-decided",
    "handover-posted",
    "handover-leases",
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
    // Those of the link between hosts are in a program of its own, which is killed at any moment, not at these, in `tests/team/`.
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
        self.world.send(words)
    }
}

/// Who runs a command.
#[derive(Clone, Copy)]
enum Who {
    Human,
    One,
    Two,
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|d| d.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
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
                let message =
                    parsed(&fs::read_to_string(mail.join(&owner).join(folder).join(&file)).unwrap());
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
    assert_eq!(files(&world.state().join("handover")), [""; 0]);
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
