//! Delivery from outside: real tmux, real processes, scripted agents. What reaches an agent, when, and how often.
//!
//! Each test proves one promise in a world of its own; `matrix` prints what every hold did with every kind of agent.

use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use serde_json::Value;
use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

const KINDS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

fn agents(world: &World) -> Vec<Value> {
    parsed(&world.ok(&["agents", "--json"]))["agents"].as_array().unwrap().clone()
}

/// One field of the agent in a pane.
fn field(world: &World, pane: &str, name: &str) -> Option<Value> {
    agents(world).into_iter().find(|a| a["pane"] == pane).map(|a| a[name].clone())
}

fn unread(world: &World, name: &str) -> u64 {
    parsed(&world.ok(&["status", "--json"]))["unread"][name].as_u64().unwrap_or(0)
}

/// How often an agent was given a message or told that it is there to be read: by its own line, or by that of a bundle.
fn carried(world: &World, pane: &str, id: &str) -> usize {
    let lines = world.given(pane, id);
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    let bundles = journal.lines().map(parsed).filter(|entry| {
        entry["event"] == "bundle" && entry["members"].as_array().unwrap().iter().any(|member| member == id)
    });
    let told: usize = bundles.map(|entry| world.given(pane, entry["id"].as_str().unwrap())).sum();
    if lines > 0 && told <= 1 { lines } else { told }
}

/// Waits for a message, then a little longer for a second one that must not come.
fn given_once(world: &World, pane: &str, id: &str) {
    let begun = Instant::now();
    while world.given(pane, id) == 0 {
        let told = || format!("{:?}\n{}\n{}", world.stage(id), world.log(pane), world.screen(pane));
        assert!(begun.elapsed() < crate::support::PATIENCE, "{id} never arrived: {}", told());
        thread::sleep(Duration::from_millis(20));
    }
    eventually("it is on record", || (world.stage(id).0 == "submitted").then_some(()));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(world.given(pane, id), 1, "{}", world.log(pane));
}

/// Everything the agent noted is a start, a submission or the end of a turn.
fn undisturbed(world: &World, pane: &str) {
    for line in world.log(pane).lines() {
        let event = parsed(line)["event"].as_str().unwrap().to_owned();
        assert!(["start", "submitted", "turn-ended", "react"].contains(&event.as_str()), "{line}");
    }
}

fn socket(world: &World) -> String {
    world.tmux(&["display-message", "-p", "#{socket_path}"])
}

/// A courier of our own, as a child.
fn courier(world: &World) -> Child {
    world.command("swarm").args(["courier", "--socket", &socket(world)]).spawn().unwrap()
}

fn signal(name: &str, pid: &str) {
    // It may have ended by itself.
    let _ = Command::new("kill").args([&format!("-{name}"), pid]).output();
}

fn signal_agent(world: &World, pane: &str, name: &str) {
    signal(name, &field(world, pane, "pid").unwrap().to_string());
}

#[test]
fn an_idle_agent_gets_a_message_once_and_whole() {
    let (world, panes) = World::with_agents(&KINDS, &[]);
    for (kind, pane) in KINDS.iter().zip(&panes) {
        let body = "is the parser done? café, 100% \"quoted\", a;b";
        let id = world.send(&[&format!("{kind}-1"), body]);
        given_once(&world, pane, &id);
        let text = world.events(pane, "submitted").remove(0);
        assert!(text.starts_with(&format!("[swarm {id} INFO from human to {kind}-1 sig:")), "{text}");
        assert!(text.contains(body) || text.contains(&format!("swarm-msg read {id}")), "{text}");
        let plain = world.send(&[&format!("{kind}-1"), "a plain question of some length"]);
        given_once(&world, pane, &plain);
        let text = world.events(pane, "submitted").remove(1);
        assert!(text.contains("] a plain question of some length (answer: "), "{text}");
        assert!(text.ends_with(')'), "{text}");
        undisturbed(&world, pane);
    }
}

#[test]
fn a_body_of_many_lines_is_announced_by_a_doorbell() {
    let (world, panes) = World::with_agents(&KINDS, &[]);
    for (kind, pane) in KINDS.iter().zip(&panes) {
        let id = world.send(&[&format!("{kind}-1"), "first line\nsecond line\nthird line"]);
        given_once(&world, pane, &id);
        let text = world.events(pane, "submitted").remove(0);
        assert!(text.contains("3 lines, begins: first line"), "{text}");
        assert!(text.ends_with(&format!("(read it: swarm-msg read {id})")), "{text}");
        assert!(!text.contains('\n'), "{text}");
        undisturbed(&world, pane);
    }
}

/// Something that must hold a message back.
struct Condition {
    name: &'static str,
    impose: fn(&World, &str),
    /// The state `swarm agents` tells once it is imposed; empty: it holds at once.
    state: &'static str,
    reason: &'static str,
    lift: fn(&World, &str),
}

const CONDITIONS: [Condition; 8] = [
    Condition {
        name: "busy",
        impose: |w, p| w.control(p, "busy 2000"),
        state: "busy",
        reason: "in a turn",
        lift: |_, _| {},
    },
    Condition {
        name: "permission dialog",
        impose: |w, p| w.control(p, "dialog touch nothing"),
        state: "dialog",
        reason: "a dialog is open",
        lift: |w, p| w.control(p, "dialog-close"),
    },
    Condition {
        name: "human's draft",
        impose: |w, p| w.control(p, "draft half a thought"),
        state: "draft",
        reason: "draft",
        lift: |w, p| {
            assert!(w.screen(p).contains("half a thought"), "{}", w.screen(p));
            w.control(p, "clear");
        },
    },
    Condition {
        name: "overlay",
        impose: |w, p| w.control(p, "overlay"),
        // Each kind is free to call it an overlay or not understood; nothing is typed either way.
        state: "",
        reason: "",
        lift: |w, p| w.control(p, "overlay-close"),
    },
    Condition {
        name: "copy mode",
        impose: |w, p| drop(w.tmux(&["copy-mode", "-t", p])),
        state: "",
        reason: "copy mode",
        lift: |w, p| drop(w.tmux(&["send-keys", "-t", p, "-X", "cancel"])),
    },
    Condition {
        name: "input off",
        impose: |w, p| drop(w.tmux(&["select-pane", "-d", "-t", p])),
        state: "",
        reason: "input",
        lift: |w, p| drop(w.tmux(&["select-pane", "-e", "-t", p])),
    },
    Condition {
        name: "suspended",
        impose: |w, p| signal_agent(w, p, "STOP"),
        state: "",
        reason: "background",
        lift: |w, p| signal_agent(w, p, "CONT"),
    },
    Condition {
        name: "pane of 30x8",
        impose: |w, p| drop(w.tmux(&["resize-window", "-t", p, "-x", "30", "-y", "8"])),
        state: "",
        reason: "too small",
        lift: |w, p| drop(w.tmux(&["resize-window", "-t", p, "-x", "120", "-y", "40"])),
    },
];

/// Imposes a condition, sends, sees it held, lifts it, sees it delivered once. Gives the reason that was told.
fn hold(world: &World, pane: &str, name: &str, condition: &Condition) -> String {
    (condition.impose)(world, pane);
    if condition.state.is_empty() {
        // A control order needs a moment to reach the screen.
        thread::sleep(Duration::from_millis(300));
    } else {
        let what = format!("{name} is {}", condition.state);
        eventually(&what, || field(world, pane, "state").is_some_and(|s| s == condition.state).then_some(()));
    }
    let id = world.send(&[name, "are you there?"]);
    let detail = eventually(&format!("{} holds {name}", condition.name), || {
        let (stage, detail) = world.stage(&id);
        (stage == "held" && detail.contains(condition.reason)).then_some(detail)
    });
    if condition.name != "busy" {
        thread::sleep(Duration::from_millis(500));
        assert_eq!(world.given(pane, &id), 0, "{} did not hold", condition.name);
        assert_eq!(world.stage(&id).0, "held");
    }
    (condition.lift)(world, pane);
    given_once(world, pane, &id);
    detail
}

#[test]
fn matrix() {
    let (world, panes) = World::with_agents(&KINDS, &[]);
    let columns: Vec<Vec<Result<String, String>>> = thread::scope(|scope| {
        let columns: Vec<_> = KINDS
            .iter()
            .zip(&panes)
            .map(|(kind, pane)| {
                let world = &world;
                scope.spawn(move || {
                    let name = format!("{kind}-1");
                    CONDITIONS
                        .iter()
                        .map(|condition| {
                            let cell = || hold(world, pane, &name, condition);
                            std::panic::catch_unwind(std::panic::AssertUnwindSafe(cell)).map_err(|panic| {
                                panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panic".to_owned())
                            })
                        })
                        .collect()
                })
            })
            .collect();
        columns.into_iter().map(|c| c.join().unwrap()).collect()
    });
    println!("{:<20} {:<10} RESULT", "CONDITION", "AGENT");
    let mut failed = 0;
    for (row, condition) in CONDITIONS.iter().enumerate() {
        for (kind, column) in KINDS.iter().zip(&columns) {
            let told = match &column[row] {
                Ok(reason) => format!("held ({reason}), then delivered once"),
                Err(why) => {
                    failed += 1;
                    format!("FAILED: {why}")
                }
            };
            println!("{:<20} {kind:<10} {told}", condition.name);
        }
    }
    assert_eq!(failed, 0, "cells of the table failed");
    for pane in &panes {
        let log = world.log(pane);
        for harm in ["dialog-answered", "dialog-key", "overlay-key", "draft-cleared", "enter-swallowed"] {
            assert!(!log.contains(harm), "{log}");
        }
    }
}

#[test]
fn nothing_is_typed_into_the_shell_an_agent_leaves_behind() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.control(&panes[0], "busy 30000");
    eventually("busy", || field(&world, &panes[0], "state").is_some_and(|s| s == "busy").then_some(()));
    let id = world.send(&["claude-1", "too late"]);
    eventually("held", || (world.stage(&id).0 == "held").then_some(()));
    world.control(&panes[0], "exit");
    eventually("it exits", || world.log(&panes[0]).contains("\"exit\"").then_some(()));
    world.ok(&["discover", "--quiet"]);
    thread::sleep(Duration::from_secs(3));
    assert!(!world.screen(&panes[0]).contains("[swarm"), "{}", world.screen(&panes[0]));
    assert_eq!(world.given(&panes[0], &id), 0);
    assert_eq!(unread(&world, "claude-1"), 1);
}

#[test]
fn a_dead_pane_that_remains_gets_nothing_and_the_message_stays() {
    let world = World::new();
    world.start();
    let pane = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "exec claude"]);
    world.tmux(&["set-option", "-w", "-t", &pane, "remain-on-exit", "on"]);
    eventually("the agent starts", || world.log(&pane).contains("\"start\"").then_some(()));
    world.ok(&["discover", "--init", "--quiet"]);
    world.control(&pane, "busy 30000");
    eventually("busy", || field(&world, &pane, "state").is_some_and(|s| s == "busy").then_some(()));
    let id = world.send(&["claude-1", "too late"]);
    eventually("held", || (world.stage(&id).0 == "held").then_some(()));
    world.control(&pane, "die");
    let dead = || (world.tmux(&["display-message", "-p", "-t", &pane, "#{pane_dead}"]) == "1").then_some(());
    eventually("the pane is dead", dead);
    world.ok(&["discover", "--quiet"]);
    thread::sleep(Duration::from_secs(2));
    assert!(!world.screen(&pane).contains("[swarm"));
    assert_eq!(unread(&world, "claude-1"), 1);
}

#[test]
fn an_agent_that_swallows_enters_is_still_given_the_message_once() {
    let (world, panes) = World::with_agents(&["claude", "codex"], &[("FAKE_AGENT_SWALLOW_ENTERS", "2")]);
    for (name, pane) in ["claude-1", "codex-1"].iter().zip(&panes) {
        let id = world.send(&[name, "press it again"]);
        given_once(&world, pane, &id);
        assert_eq!(world.events(pane, "submitted").len(), 1);
    }
}

#[test]
fn a_slow_start_neither_loses_nor_doubles_the_message() {
    for swallow in ["0", "1"] {
        let variables = [("FAKE_AGENT_START_DELAY", "1500"), ("FAKE_AGENT_START_SWALLOW", swallow)];
        let (world, panes) = World::with_agents(&["claude", "gemini"], &variables);
        let ids = ["claude-1", "gemini-1"].map(|name| world.send(&[name, "good morning"]));
        for (pane, id) in panes.iter().zip(&ids) {
            given_once(&world, pane, id);
            undisturbed(&world, pane);
        }
    }
}

#[test]
fn synchronized_panes_give_the_sibling_nothing() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let sibling =
        world.tmux(&["split-window", "-d", "-h", "-t", &panes[0], "-P", "-F", "#{pane_id}", "exec cat"]);
    world.tmux(&["set-option", "-w", "-t", &panes[0], "synchronize-panes", "on"]);
    let id = world.send(&["claude-1", "for you alone"]);
    given_once(&world, &panes[0], &id);
    // Not even an empty line from the Enter.
    let look = world.tmux(&["display-message", "-p", "-t", &sibling, "#{cursor_x},#{cursor_y}"]);
    assert_eq!((world.screen(&sibling).trim(), look.as_str()), ("", "0,0"));
}

#[test]
fn many_senders_at_once_lose_nothing_and_keep_their_order() {
    let (world, panes) = World::with_agents(&["claude", "claude", "codex", "gemini", "opencode"], &[]);
    let script = world.path().join("bin/burst");
    executable(
        &script,
        "#!/bin/sh\nfor n in 1 2 3 4 5; do swarm-msg send --no-wait claude-1 \"$1 part $n\"; done\n",
    );
    let senders = ["claude-2", "codex-1", "gemini-1", "opencode-1"];
    for sender in senders {
        world.send(&[sender, &format!("TOOL((burst {sender}))")]);
    }
    let all = || {
        let out = world.ok(&["log", "--json", "-n", "0"]);
        let sent = out.lines().map(parsed).filter(|e| e["event"] == "sent" && e["to"][0] == "claude-1");
        sent.map(|e| e["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ids = eventually("20 messages are sent", || Some(all()).filter(|ids| ids.len() == 20));
    eventually("all of them arrive", || {
        ids.iter()
            .all(|id| carried(&world, &panes[0], id) > 0 && world.stage(id).0 == "submitted")
            .then_some(())
    });
    thread::sleep(Duration::from_millis(500));
    assert!(ids.iter().all(|id| carried(&world, &panes[0], id) == 1), "{}", world.log(&panes[0]));
    let turns = world.events(&panes[0], "submitted");
    assert!(turns.len() < 20, "what waits goes together: {turns:#?}");
    // What was announced is there, and each sender's mail in its order.
    let read = world.below("claude-1", "swarm-msg read --all");
    for sender in senders {
        let order: Vec<usize> = (1..=5)
            .map(|n| {
                let part = format!("{sender} part {n}");
                assert_eq!(read.matches(&part).count(), 1, "{part}: {read}");
                read.find(&part).unwrap()
            })
            .collect();
        assert!(order.is_sorted(), "{sender}: {order:?}");
        let typed = turns.join("\n");
        let order: Vec<usize> = (1..=5).filter_map(|n| typed.find(&format!("{sender} part {n}"))).collect();
        assert!(order.is_sorted(), "{sender}: {order:?}");
    }
    undisturbed(&world, &panes[0]);
}

#[test]
fn urgent_mail_goes_first_and_the_rest_keeps_its_order() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.control(&panes[0], "draft wait");
    eventually("draft", || field(&world, &panes[0], "state").is_some_and(|s| s == "draft").then_some(()));
    let mut ids: Vec<String> = ["one", "two"].iter().map(|body| world.send(&["claude-1", body])).collect();
    let urgent = world.ok(&["send", "--json", "--no-wait", "--urgent", "claude-1", "fire"]);
    ids.insert(0, parsed(&urgent)["id"].as_str().unwrap().to_owned());
    // Only what is to go next is tried. What `status` says of it goes by the message before it until then.
    let is_tried = || {
        let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
        journal.lines().map(parsed).any(|entry| entry["id"] == ids[0] && entry["stage"] == "held")
    };
    eventually("the urgent one is next", || is_tried().then_some(()));
    world.control(&panes[0], "clear");
    // All three in one turn, by lines of their own behind the one that brings them.
    for id in &ids {
        given_once(&world, &panes[0], id);
    }
    let turns = world.events(&panes[0], "submitted");
    assert_eq!(turns.len(), 1, "{turns:#?}");
    let bundle = "INFO from swarm to claude-1 sig:";
    let told = "3 messages for you: 3 from human, 1 of them URGENT";
    assert!(turns[0].contains(bundle) && turns[0].contains(told), "{turns:#?}");
    let places: Vec<usize> = ids.iter().map(|id| turns[0].find(&format!("[swarm {id} ")).unwrap()).collect();
    assert!(places.is_sorted(), "{turns:#?}");
    // Every line of it is one that swarm typed, and the whole has nothing beside them.
    let told = world.command("swarm").args(["verify", &turns[0]]).output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && said.matches("genuine: ").count() == 4, "{told:?}");
    assert!(told.stderr.is_empty(), "{told:?}");
    let forged = turns[0].replace("two (answer", "three (answer");
    assert_eq!(world.command("swarm").args(["verify", &forged]).output().unwrap().status.code(), Some(6));
    assert_eq!(unread(&world, "claude-1"), 3, "a bundle is no mail of its own");
}

#[test]
fn a_message_in_a_bundle_is_as_far_as_the_bundle_whatever_held_it_before() {
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_SLOW_ENTER", "1500")]);
    world.control(&panes[0], "draft wait");
    eventually("draft", || field(&world, &panes[0], "state").is_some_and(|s| s == "draft").then_some(()));
    let ids = ["one", "two"].map(|body| world.send(&["claude-1", body]));
    eventually("the first is held", || (world.stage(&ids[0]).0 == "held").then_some(()));
    world.control(&panes[0], "clear");
    let is_typed = |id: &String| {
        let (stage, why) = world.stage(id);
        stage == "typed" && why.starts_with("with 1 others, as ")
    };
    eventually("both are told as typed", || ids.iter().all(is_typed).then_some(()));
    for id in &ids {
        given_once(&world, &panes[0], id);
    }
}

#[test]
fn a_courier_killed_at_any_moment_of_a_burst_delivers_each_message_once() {
    let (world, panes) = World::with_agents(&["claude", "codex"], &[]);
    let mut ids = Vec::new();
    for (n, after) in [5, 15, 30, 50, 80, 120, 180, 250, 400, 600].into_iter().enumerate() {
        for (name, pane) in ["claude-1", "codex-1"].iter().zip(&panes) {
            ids.push((pane, world.send(&[name, &format!("burst {n}")])));
        }
        thread::sleep(Duration::from_millis(after));
        for pid in world.couriers() {
            signal("KILL", &pid);
        }
    }
    world.ok(&["discover", "--quiet"]);
    for (pane, id) in &ids {
        eventually(&format!("message {id} arrives"), || (carried(&world, pane, id) > 0).then_some(()));
    }
    thread::sleep(Duration::from_secs(1));
    for (pane, id) in &ids {
        assert_eq!(carried(&world, pane, id), 1, "{}", world.log(pane));
    }
    for pane in &panes {
        assert!(world.events(pane, "submitted").len() <= 10, "{}", world.log(pane));
    }
}

#[test]
fn of_many_couriers_one_lives_and_it_ends_with_its_server() {
    let world = World::new();
    world.start();
    world.agent("claude", &[]);
    world.ok(&["init"]);
    let mut all: Vec<Child> = (0..8).map(|_| courier(&world)).collect();
    eventually("seven give way", || {
        let mut ended = 0;
        for courier in &mut all {
            ended += usize::from(matches!(courier.try_wait(), Ok(Some(s)) if s.success()));
        }
        (ended == 7).then_some(())
    });
    thread::sleep(Duration::from_millis(300));
    assert_eq!(world.couriers().len(), 1);
    all.retain_mut(|c| matches!(c.try_wait(), Ok(None)));
    assert_eq!(all.len(), 1);
    world.tmux(&["kill-server"]);
    assert!(eventually("the last one ends", || all[0].try_wait().unwrap()).success());
}

#[test]
fn sending_starts_a_courier_and_wakes_one_that_sleeps() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    eventually("a courier runs", || (world.couriers().len() == 1).then_some(()));
    world.end_couriers();
    let id = world.send(&["claude-1", "start"]);
    given_once(&world, &panes[0], &id);
    assert_eq!(world.couriers().len(), 1);
    // Asleep now: it looks by itself every 5 s only, so three quick deliveries in a row are the bell's work.
    for n in 0..3 {
        thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        let id = world.send(&["claude-1", &format!("wake {n}")]);
        eventually("it arrives", || (world.given(&panes[0], &id) > 0).then_some(()));
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

#[test]
fn moved_and_swapped_panes_keep_their_agents() {
    let (world, panes) = World::with_agents(&["claude", "codex"], &[]);
    let both = |what: &str| {
        for (name, pane) in ["claude-1", "codex-1"].iter().zip(&panes) {
            let id = world.send(&[name, &format!("after {what}")]);
            given_once(&world, pane, &id);
        }
    };
    world.tmux(&["swap-pane", "-d", "-s", &panes[0], "-t", &panes[1]]);
    both("swap");
    world.tmux(&["join-pane", "-d", "-h", "-s", &panes[0], "-t", &panes[1]]);
    both("join");
    world.tmux(&["break-pane", "-d", "-s", &panes[1]]);
    both("break");
    for pane in &panes {
        assert_eq!(world.events(pane, "submitted").len(), 3);
        undisturbed(&world, pane);
    }
}

#[test]
fn a_respawned_pane_does_not_get_its_predecessors_mail() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let old = field(&world, &panes[0], "pid").unwrap();
    world.control(&panes[0], "busy 60000");
    eventually("busy", || field(&world, &panes[0], "state").is_some_and(|s| s == "busy").then_some(()));
    let id = world.send(&["claude-1", "for the old one"]);
    eventually("held", || (world.stage(&id).0 == "held").then_some(()));
    // One of another kind. One of the same kind in the same directory would be the same agent, started again.
    world.tmux(&["respawn-pane", "-k", "-t", &panes[0], "exec codex"]);
    let new = eventually("the new one is registered", || {
        world.ok(&["discover", "--quiet"]);
        agents(&world).into_iter().find(|a| a["pid"] != old && a["pane"] == panes[0].as_str())
    });
    assert_ne!(new["name"], "claude-1");
    let mine = world.send(&[new["name"].as_str().unwrap(), "for the new one"]);
    given_once(&world, &panes[0], &mine);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(world.given(&panes[0], &id), 0, "{}", world.log(&panes[0]));
    assert_eq!(unread(&world, "claude-1"), 1);
}

#[test]
fn discovering_among_many_panes_calls_tmux_twice_at_most() {
    let world = World::new();
    world.start();
    for _ in 0..40 {
        world.tmux(&["new-window", "-d", "exec sh"]);
    }
    world.agent("claude", &[]);
    world.ok(&["init"]);
    let real = Command::new("sh").args(["-c", "command -v tmux"]).output().unwrap();
    let real = String::from_utf8(real.stdout).unwrap();
    let (wrapper, log) = (world.path().join("wrap/tmux"), world.path().join("calls"));
    fs::create_dir(world.path().join("wrap")).unwrap();
    // The caller's pid tells discovery's calls from those of the courier that it starts.
    let script = format!("#!/bin/sh\necho \"$PPID $*\" >> {}\nexec {} \"$@\"\n", log.display(), real.trim());
    executable(&wrapper, script);
    let path = format!(
        "{}:{}:{}",
        world.path().join("wrap").display(),
        world.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let calls = |args: &[&str]| {
        let mut child = world.command("swarm").args(args).env("PATH", &path).spawn().unwrap();
        let own = format!("{} ", child.id());
        assert!(child.wait().unwrap().success());
        let all = fs::read_to_string(&log).unwrap();
        all.lines().filter_map(|l| l.strip_prefix(&own)).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = calls(&["discover", "--quiet"]);
    assert_eq!(first.iter().filter(|c| c.contains("list-panes")).count(), 1, "{first:#?}");
    assert!(first.len() <= 2, "{first:#?}");
    let second = calls(&["discover", "--quiet"]);
    assert_eq!(second.len(), 1, "{second:#?}");
    // Agents ask for it often.
    assert_eq!(calls(&["who"]), [""; 0]);
}

#[test]
fn an_agent_in_its_shell_mode_is_given_nothing_and_the_mode_is_named() {
    let (world, panes) = World::with_agents(&["opencode"], &[]);
    // A turn first: a fresh screen shows another placeholder in that mode.
    given_once(&world, &panes[0], &world.send(&["opencode-1", "hello"]));
    world.control(&panes[0], "draft !");
    eventually("shell mode", || world.screen(&panes[0]).contains("Shell").then_some(()));
    eventually("told", || field(&world, &panes[0], "state").is_some_and(|s| s == "overlay").then_some(()));
    let id = world.send(&["opencode-1", "true; touch harm #"]);
    eventually("held", || {
        let (stage, detail) = world.stage(&id);
        (stage == "held" && detail == "its composer is in shell mode").then_some(())
    });
    let told = world.ok(&["explain", &panes[0]]);
    assert!(told.contains("state: overlay") && told.contains("its composer is in shell mode"), "{told}");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(world.given(&panes[0], &id), 0);
    world.control(&panes[0], "clear");
    given_once(&world, &panes[0], &id);
}
