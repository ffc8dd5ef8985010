//! Conditions of panes and people at them: who is typing, what has the keys, what became of the pane. Nothing may be typed
//! at the wrong moment or into the wrong process, and nothing may be lost.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use std::thread;
use std::time::Duration;

fn given_once(world: &World, pane: &str, id: &str) {
    eventually(&format!("{id} is submitted"), || (world.stage(id).0 == "submitted").then_some(()));
    assert_eq!(world.given(pane, id), 1, "{}", world.log(pane));
}

#[test]
fn a_person_who_types_is_never_disturbed_and_the_draft_stays_whole() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.tmux(&["select-window", "-t", &panes[0]]);
    let person = world.attach(120, 40);
    let mut typed = String::new();
    let mut id = String::new();
    for n in 0..30_u8 {
        let letter = char::from(b'a' + n % 26).to_string();
        person.press(&["-l", &letter]);
        typed.push_str(&letter);
        if n == 3 {
            id = world.send(&["claude-1", "excuse me"]);
        }
        thread::sleep(Duration::from_millis(100));
    }
    world.reaches(&id, "held", "");
    assert!(world.screen(&panes[0]).contains(&typed), "{}", world.screen(&panes[0]));
    // Long after the last key the draft still holds it.
    thread::sleep(Duration::from_secs(4));
    world.reaches(&id, "held", "draft");
    assert!(world.screen(&panes[0]).contains(&typed) && world.events(&panes[0], "submitted").is_empty());
    person.press(&["C-u"]);
    given_once(&world, &panes[0], &id);
    assert_eq!(world.events(&panes[0], "submitted").len(), 1);
}

#[test]
fn after_a_persons_key_nothing_is_typed_for_a_while() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.tmux(&["select-window", "-t", &panes[0]]);
    let person = world.attach(120, 40);
    person.press(&["x"]);
    person.press(&["C-u"]);
    let id = world.send(&["claude-1", "a moment later"]);
    world.reaches(&id, "held", "somebody is typing");
    given_once(&world, &panes[0], &id);
}

#[test]
#[cfg(target_os = "linux")]
fn a_key_that_is_drawn_late_is_seen_before_anything_is_typed() {
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_LATE_KEY", "3000")]);
    // By a script: of such a key tmux knows nothing.
    world.tmux(&["send-keys", "-t", &panes[0], "-l", "/"]);
    eventually("the key is read", || (!world.events(&panes[0], "key").is_empty()).then_some(()));
    assert!(!world.screen(&panes[0]).contains("❯ /"), "{}", world.screen(&panes[0]));
    let id = world.send(&["claude-1", "behind a menu"]);
    world.reaches(&id, "held", "draft");
    assert!(!world.screen(&panes[0]).contains(&id), "{}", world.screen(&panes[0]));
    world.tmux(&["send-keys", "-t", &panes[0], "C-u"]);
    given_once(&world, &panes[0], &id);
    assert_eq!(world.events(&panes[0], "submitted").len(), 1);
}

#[test]
fn a_person_looking_at_another_pane_holds_nothing() {
    let (world, panes) = World::with_agents(&["claude", "codex"], &[]);
    world.tmux(&["select-window", "-t", &panes[1]]);
    let person = world.attach(120, 40);
    person.press(&["x"]);
    let id = world.send(&["claude-1", "in the background"]);
    given_once(&world, &panes[0], &id);
    assert!(world.screen(&panes[1]).contains('x'));
}

#[test]
fn a_dialog_that_opens_at_any_moment_is_not_answered() {
    let (world, panes) = World::with_agents(&["claude", "codex", "gemini", "opencode"], &[]);
    let kinds = ["claude-1", "codex-1", "gemini-1", "opencode-1"];
    for after in [0, 5, 12, 20, 40, 90, 150, 250] {
        let ids = kinds.map(|name| world.send(&[name, "may I?"]));
        thread::sleep(Duration::from_millis(after));
        for pane in &panes {
            world.control(pane, "dialog rm -rf x");
        }
        thread::sleep(Duration::from_millis(400));
        for pane in &panes {
            world.control(pane, "dialog-close");
        }
        for (pane, id) in panes.iter().zip(&ids) {
            given_once(&world, pane, id);
        }
    }
    for pane in &panes {
        let log = world.log(pane);
        assert_eq!(world.events(pane, "submitted").len(), 8, "{log}");
        // tmux compares its screen and presses Enter in one step, but it knows of a dialog only when it has read what the agent has
        // drawn: one that opens within these milliseconds cannot be told from one that opens with the key on its way.
        assert!(reached(&log).iter().all(|ms| *ms < 50), "{log}");
    }
}

/// How long each key that reached a dialog came after that had opened, in milliseconds.
fn reached(log: &str) -> Vec<u64> {
    let (mut opened, mut found) = (0, Vec::new());
    for event in log.lines().map(parsed) {
        let at = event["t"].as_u64().unwrap();
        match event["event"].as_str().unwrap() {
            "dialog-opened" => opened = at,
            "dialog-answered" | "dialog-key" => found.push(at - opened),
            _ => {}
        }
    }
    found
}

#[test]
fn a_chooser_over_the_pane_holds() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.tmux(&["select-window", "-t", &panes[0]]);
    let person = world.attach(120, 40);
    world.tmux(&["choose-tree", "-t", &panes[0]]);
    let id = world.send(&["claude-1", "behind the chooser"]);
    world.reaches(&id, "held", "mode");
    person.press(&["q"]);
    given_once(&world, &panes[0], &id);
}

#[test]
fn a_zoomed_neighbour_and_clients_of_several_sizes_do_not_matter() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.tmux(&["select-window", "-t", &panes[0]]);
    let neighbour =
        world.tmux(&["split-window", "-d", "-h", "-t", &panes[0], "-P", "-F", "#{pane_id}", "exec cat"]);
    world.tmux(&["resize-pane", "-Z", "-t", &neighbour]);
    let zoomed = world.send(&["claude-1", "you are hidden"]);
    given_once(&world, &panes[0], &zoomed);
    world.tmux(&["resize-pane", "-Z", "-t", &neighbour]);
    let _wide = world.attach(190, 50);
    let _small = world.attach(100, 30);
    let id = world.send(&["claude-1", "two people look on"]);
    given_once(&world, &panes[0], &id);
    assert_eq!(world.screen(&neighbour).trim(), "");
}

#[test]
fn the_smallest_pane_that_can_be_read_is_served() {
    let world = World::new();
    world.start();
    // Nothing of a line stays in sight there, so what shows that it was given is its turn.
    let panes = ["claude", "codex", "gemini"].map(|kind| world.agent(kind, &[("FAKE_AGENT_BUSY", "400")]));
    world.ok(&["discover", "--init", "--quiet"]);
    for (name, pane) in ["claude-1", "codex-1", "gemini-1"].iter().zip(&panes) {
        world.tmux(&["resize-window", "-t", pane, "-x", "40", "-y", "10"]);
        let id = world.send(&[name, "small"]);
        eventually("it is served or held with a reason", || {
            let (stage, detail) = world.stage(&id);
            (stage == "submitted" || stage == "held" && !detail.is_empty()).then_some(())
        });
        world.tmux(&["resize-window", "-t", pane, "-x", "120", "-y", "40"]);
        given_once(&world, pane, &id);
    }
}

#[test]
fn a_pane_id_used_again_by_another_server_is_another_pane() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.control(&panes[0], "busy 60000");
    let old = world.send(&["claude-1", "for the old server"]);
    world.reaches(&old, "held", "");
    world.tmux(&["kill-server"]);
    eventually("the server is gone", || world.try_tmux(&["list-sessions"]).is_err().then_some(()));
    world.start();
    let again = world.agent("claude", &[]);
    assert_eq!(again, panes[0], "this test needs the id to be used again");
    world.ok(&["discover", "--quiet"]);
    let new = world.send(&["claude-2", "for the new server"]);
    given_once(&world, &again, &new);
    eventually("the old one's is a dead letter", || (world.stage(&old).0 == "failed").then_some(()));
    assert_eq!(world.given(&again, &old), 0);
}
