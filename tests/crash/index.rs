//! Commands, killed while they bring the index of leases up to date.

use super::{INDEX, Team, Who, files, leases, run};
use crate::support::World;
use crate::support::mail::parsed;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use swarm::core::lease::Lease;
use swarm::core::signing::Key;

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
        parsed(text)["leases"].as_array().unwrap().iter().map(|l| l["fence"].as_u64().unwrap()).collect()
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
