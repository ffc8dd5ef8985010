//! Every key that the courier presses: on what, how often, and that it is in the journal.
//!
//! An Enter goes to the text of the delivery under way and to nothing else, and a second one never to a program that may not be reading.

#![allow(clippy::unwrap_used)] // a test fails by panicking

mod support;

use serde_json::Value;
use std::thread;
use std::time::Duration;
use support::{World, eventually};

const KINDS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

fn team(kinds: &[&str], variables: &[(&str, &str)]) -> (World, Vec<String>) {
    let world = World::new();
    world.start();
    let panes = kinds.iter().map(|kind| world.agent(kind, variables)).collect();
    world.ok(&["discover", "--init", "--quiet"]);
    (world, panes)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn send(world: &World, words: &[&str]) -> String {
    let args = [&["send", "--json", "--no-wait"], words].concat();
    json(&world.ok(&args))["id"].as_str().unwrap().to_owned()
}

fn status(world: &World, id: &str) -> (String, String) {
    let told = json(&world.ok(&["status", "--json", id]));
    let first = &told["recipients"][0];
    (first["stage"].as_str().unwrap().to_owned(), first["detail"].as_str().unwrap().to_owned())
}

fn reaches(world: &World, id: &str, stage: &str, detail: &str) {
    let mut last = None;
    let begun = std::time::Instant::now();
    while begun.elapsed() < support::PATIENCE {
        let now = status(world, id);
        if now.0 == stage && now.1.contains(detail) {
            return;
        }
        last = Some(now);
        thread::sleep(Duration::from_millis(20));
    }
    panic!("{id} never was {stage} ({detail}): {last:?}");
}

fn given(world: &World, pane: &str, id: &str) -> usize {
    let marker = format!("[swarm {id} ");
    world.events(pane, "submitted").iter().map(|t| t.matches(&marker).count()).sum()
}

/// What was pressed for a message, by the journal: `paste` and `enter`.
fn pressed(world: &World, id: &str) -> Vec<String> {
    let log = world.ok(&["log", "--json", "-n", "0", "--event", "keys"]);
    let entries = log.lines().map(json).filter(|e| e["id"] == *id);
    entries.map(|e| e["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_line_that_was_given_and_is_brought_back_is_a_persons_draft() {
    let (world, panes) = team(&KINDS, &[]);
    for (kind, pane) in KINDS.iter().zip(&panes) {
        let name = format!("{kind}-1");
        let first = send(&world, &[&name, "do it once"]);
        reaches(&world, &first, "submitted", "");
        let line = world.events(pane, "submitted").remove(0);
        for (n, brought_back) in
            [line.clone(), format!("{line} and mine"), format!("see {line}")].iter().enumerate()
        {
            world.control(pane, &format!("draft {brought_back}"));
            eventually("it is there", || world.screen(pane).contains(&first).then_some(()));
            let next = send(&world, &[&name, &format!("another matter {n}")]);
            // OpenCode shows a sign, or the words.
            reaches(&world, &next, "held", "its composer holds a draft");
            thread::sleep(Duration::from_millis(1500));
            assert_eq!(given(&world, pane, &first), 1, "{}", world.log(pane));
            world.control(pane, "clear");
            reaches(&world, &next, "submitted", "");
            assert_eq!(
                (given(&world, pane, &next), pressed(&world, &next)),
                (1, ["paste", "enter"].map(str::to_owned).to_vec())
            );
        }
        assert_eq!(pressed(&world, &first), ["paste", "enter"]);
    }
}

#[test]
fn every_key_is_in_the_journal_with_what_tmux_said() {
    let (world, panes) = team(&["claude"], &[]);
    let id = send(&world, &["claude-1", "once"]);
    reaches(&world, &id, "submitted", "");
    let log = world.ok(&["log", "--json", "-n", "0"]);
    let entries: Vec<Value> = log.lines().map(json).filter(|e| e["id"] == *id).collect();
    for event in ["keys", "keys-answer"] {
        let told: Vec<&Value> = entries.iter().filter(|e| e["event"] == event).collect();
        assert_eq!(told.len(), 2, "{entries:#?}");
        for (entry, what) in told.iter().zip(["paste", "enter"]) {
            assert_eq!(
                (&entry["what"], &entry["to"], &entry["pane"]),
                (&what.into(), &"claude-1".into(), &panes[0].as_str().into())
            );
        }
    }
    let answers = entries.iter().filter(|e| e["event"] == "keys-answer");
    assert!(answers.clone().all(|e| e["tmux"] == "done"), "{entries:#?}");
    let shown = world.ok(&["log", "--event", "keys"]);
    assert!(shown.contains("what=enter") && shown.contains("to=claude-1"), "{shown}");
}
