//! Each command and hook, killed at every passage of every point that it passes, and the making of a project.

use super::operations::{OPERATIONS, Operation, Ran};
use super::{
    COMMANDS, MOST, SETTINGS, Team, all_readable, files, mail_is_whole, nobody_is_in_anothers_way, run,
};
use crate::support::World;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::thread;

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
        assert!(!["read", "acked"].contains(&team.world.stage(id).0.as_str()), "{}", operation.name);
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

#[test]
fn no_crash_of_a_command_at_any_point_loses_or_repeats_anything() {
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
    for point in COMMANDS.iter().chain(&SETTINGS) {
        let count = died.get(*point).copied().unwrap_or_default();
        println!("{point:<24} {count:>4} crashes in commands");
        assert!(count > 0, "no command dies at {point}");
    }
    println!(
        "crash matrix: {} points, {} operations, {} crashes of commands and hooks; nothing lost, repeated or unreadable",
        COMMANDS.len() + SETTINGS.len(),
        OPERATIONS.len() + 1,
        died.values().sum::<usize>(),
    );
}
