//! Every key that the courier presses: on what, how often, and that it is in the journal.
//!
//! An Enter goes to the text of the delivery under way and to nothing else, and a second one never to a program that may not be reading.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use serde_json::Value;
use std::thread;
use std::time::Duration;

const KINDS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

/// What was pressed for a message, by the journal: `paste` and `enter`.
fn pressed(world: &World, id: &str) -> Vec<String> {
    let log = world.ok(&["log", "--json", "-n", "0", "--event", "keys"]);
    let entries = log.lines().map(parsed).filter(|e| e["id"] == *id);
    entries.map(|e| e["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_line_that_was_given_and_is_brought_back_is_a_persons_draft() {
    let (world, panes) = World::with_agents(&KINDS, &[]);
    for (kind, pane) in KINDS.iter().zip(&panes) {
        let name = format!("{kind}-1");
        let first = world.send(&[&name, "do it once"]);
        world.reaches(&first, "submitted", "");
        let line = world.events(pane, "submitted").remove(0);
        for (n, brought_back) in
            [line.clone(), format!("{line} and mine"), format!("see {line}")].iter().enumerate()
        {
            world.control(pane, &format!("draft {brought_back}"));
            eventually("it is there", || world.screen(pane).contains(&first).then_some(()));
            let next = world.send(&[&name, &format!("another matter {n}")]);
            // OpenCode shows a sign, or the words.
            world.reaches(&next, "held", "its composer holds a draft");
            thread::sleep(Duration::from_millis(1500));
            assert_eq!(world.given(pane, &first), 1, "{}", world.log(pane));
            world.control(pane, "clear");
            world.reaches(&next, "submitted", "");
            assert_eq!(
                (world.given(pane, &next), pressed(&world, &next)),
                (1, ["paste", "enter"].map(str::to_owned).to_vec())
            );
        }
        assert_eq!(pressed(&world, &first), ["paste", "enter"]);
    }
}

#[test]
fn every_key_is_in_the_journal_with_what_tmux_said() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let id = world.send(&["claude-1", "once"]);
    world.reaches(&id, "submitted", "");
    let log = world.ok(&["log", "--json", "-n", "0"]);
    let entries: Vec<Value> = log.lines().map(parsed).filter(|e| e["id"] == *id).collect();
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

/// Moves the clock of every process of the world.
fn set_clock(world: &World, ms: u64) {
    std::fs::write(world.path().join("clock"), ms.to_string()).unwrap();
}

/// A world whose clock can be moved.
fn timed(kind: &str, variables: &[(&str, &str)]) -> (World, String) {
    let mut world = World::new();
    let clock = world.path().join("clock").display().to_string();
    std::fs::write(&clock, "0").unwrap();
    world.set("SWARM_CLOCK", clock.leak());
    world.start();
    let pane = world.agent(kind, variables);
    world.ok(&["discover", "--init", "--quiet"]);
    (world, pane)
}

#[test]
fn history_and_an_interrupted_turn_bring_back_what_belongs_to_the_person() {
    for (kind, key) in KINDS.iter().flat_map(|kind| [(kind, "Up"), (kind, "Escape")]) {
        let (world, panes) = World::with_agents(&[kind], &[("FAKE_AGENT_ESCAPE_RESTORES", "1")]);
        let (pane, name) = (&panes[0], format!("{kind}-1"));
        let first = world.send(&[&name, "a short one SLOW5"]);
        world.reaches(&first, "submitted", "");
        if key == "Up" {
            eventually("its turn is over", || world.log(pane).contains("turn-ended").then_some(()));
        }
        world.tmux(&["send-keys", "-t", pane, key]);
        if key == "Escape" {
            eventually("it is interrupted", || world.log(pane).contains("interrupted").then_some(()));
        }
        thread::sleep(Duration::from_millis(200));
        let next = world.send(&[&name, "another matter"]);
        world.reaches(&next, "held", "draft");
        thread::sleep(Duration::from_millis(1500));
        assert_eq!(world.given(pane, &first), 1, "{kind} {key}\n{}", world.log(pane));
        world.control(pane, "clear");
        world.reaches(&next, "submitted", "");
        assert_eq!((world.given(pane, &first), world.given(pane, &next)), (1, 1), "{}", world.log(pane));
    }
}

#[test]
fn a_line_that_a_person_submitted_and_brought_back_is_not_submitted_again() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let pane = &panes[0];
    // It is pasted, and a dialog comes before Enter.
    let id = world.send(&["claude-1", "once and no more"]);
    eventually("it is pasted", || (!pressed(&world, &id).is_empty()).then_some(()));
    world.tmux(&["copy-mode", "-t", pane]);
    thread::sleep(Duration::from_millis(400));
    world.tmux(&["send-keys", "-t", pane, "-X", "cancel"]);
    world.reaches(&id, "submitted", "");
    world.tmux(&["send-keys", "-t", pane, "Up"]);
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.given(pane, &id), 1, "{}", world.log(pane));
}

#[test]
fn a_second_enter_never_goes_to_a_program_that_does_not_read() {
    // It shows what was pasted, and is in a long call when Enter comes; then it asks whether to run a command.
    let (world, panes) = World::with_agents(&["claude", "codex"], &[("FAKE_AGENT_SLOW_PASTE", "5000")]);
    for (name, pane) in ["claude-1", "codex-1"].iter().zip(&panes) {
        let id = world.send(&[name, "DIALOG please"]);
        eventually("the question is there", || world.log(pane).contains("dialog-opened").then_some(()));
        thread::sleep(Duration::from_secs(3));
        let log = world.log(pane);
        assert!(!log.contains("dialog-answered") && !log.contains("dialog-key"), "{log}");
        assert_eq!(pressed(&world, &id), ["paste", "enter"]);
        world.control(pane, "dialog-close");
        world.reaches(&id, "submitted", "");
        assert_eq!(world.given(pane, &id), 1, "{log}");
    }
}

#[test]
fn a_program_that_is_stopped_after_enter_gets_no_second_one() {
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_SLOW_ENTER", "4000")]);
    let id = world.send(&["claude-1", "DIALOG please"]);
    eventually("the question is there", || world.log(&panes[0]).contains("dialog-opened").then_some(()));
    thread::sleep(Duration::from_secs(2));
    assert!(!world.log(&panes[0]).contains("dialog-answered"), "{}", world.log(&panes[0]));
    assert_eq!(pressed(&world, &id), ["paste", "enter"]);
}

#[test]
fn a_profile_that_allows_one_enter_gets_one() {
    let world = World::new();
    world.start();
    let profiles = world.path().join("home/.config/swarm/profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let rules = include_str!("../src/agents/profiles/claude.toml");
    assert!(!rules.contains("[timing]"));
    let rules = format!("{rules}\n[timing]\nenters = 1\n");
    std::fs::write(profiles.join("claude.toml"), rules).unwrap();
    let pane = world.agent("claude", &[("FAKE_AGENT_SWALLOW_ENTERS", "2")]);
    world.ok(&["discover", "--init", "--quiet"]);
    let id = world.send(&["claude-1", "one Enter"]);
    world.reaches(&id, "typed", "was not submitted");
    thread::sleep(Duration::from_secs(4));
    assert_eq!(pressed(&world, &id), ["paste", "enter"]);
    // What to do works: a person presses Enter.
    world.tmux(&["send-keys", "-t", &pane, "Enter"]);
    thread::sleep(Duration::from_millis(300));
    world.tmux(&["send-keys", "-t", &pane, "Enter"]);
    world.reaches(&id, "submitted", "");
    assert_eq!((world.given(&pane, &id), pressed(&world, &id).len()), (1, 2), "{}", world.log(&pane));
}

#[test]
fn a_text_that_its_composer_does_not_show_whole_is_announced_by_a_line_that_it_does() {
    let world = World::new();
    world.start();
    let profiles = world.path().join("home/.config/swarm/profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let rules = include_str!("../src/agents/profiles/claude.toml");
    let few = rules.replacen("[screen]\n", "[screen]\nrows_max = 4\n", 1);
    assert_ne!(rules, few);
    std::fs::write(profiles.join("claude.toml"), few).unwrap();
    let pane = world.agent("claude", &[]);
    world.tmux(&["resize-window", "-t", &pane, "-x", "80", "-y", "24"]);
    world.ok(&["discover", "--init", "--quiet"]);
    let long = world.send(&["claude-1", "words and more words ".repeat(18).trim()]);
    world.reaches(&long, "submitted", "");
    let short = world.send(&["claude-1", "a few words"]);
    for id in [&long, &short] {
        world.reaches(id, "submitted", "");
        assert_eq!(pressed(&world, id), ["paste", "enter"]);
    }
    let lines = world.events(&pane, "submitted");
    assert!(
        lines[0].contains("is not typed whole") && lines[0].contains(&format!("read {long}")),
        "{lines:?}"
    );
    assert!(lines[1].contains("a few words"), "{lines:?}");
}

#[test]
fn a_program_that_a_line_editor_runs_is_typed_nothing_whatever_it_shows() {
    let world = World::new();
    world.start();
    let profiles = world.path().join("home/.config/swarm/profiles");
    std::fs::create_dir_all(&profiles).unwrap();
    let rules = include_str!("../src/agents/profiles/claude.toml");
    let alone = rules.replacen("[process]\n", "[process]\nalone = true\n", 1);
    assert_ne!(rules, alone);
    std::fs::write(profiles.join("claude.toml"), alone).unwrap();
    assert!(include_str!("../src/agents/profiles/aider.toml").contains("\nalone = true\n"));
    // A child of the agent's own that waits until somebody opens the other end.
    let go = world.path().join("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pane = world.agent(&format!("sh -c \"(read line <{}) & exec claude\"", go.display()), &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    let id = world.send(&["claude-1", ";touch harm #"]);
    world.reaches(&id, "held", "it runs a command (");
    let told = world.ok(&["explain", "claude-1"]);
    assert!(told.contains("state: busy") && told.contains("which gets the keys"), "{told}");
    assert_eq!(pressed(&world, &id), [""; 0]);
    std::fs::write(&go, "on\n").unwrap();
    world.reaches(&id, "submitted", "");
    assert_eq!(world.given(&pane, &id), 1);
}

#[test]
fn an_emptied_composer_is_typed_and_no_more_until_a_sign_comes() {
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_LOSE_ENTERS", "1")]);
    let id = world.send(&["claude-1", "--ack", "lost on the way"]);
    world.reaches(&id, "typed", "no sign of a turn");
    // It holds nobody back, and is not typed again.
    let next = world.send(&["claude-1", "and the next"]);
    world.reaches(&next, "submitted", "");
    assert_eq!((world.stage(&id).0.as_str(), world.given(&panes[0], &id)), ("typed", 0));
    assert_eq!(pressed(&world, &id), ["paste", "enter"]);
    // Its recipient finds it all the same.
    let told = world.below("claude-1", &format!("swarm-msg ack {id}"));
    world.reaches(&id, "acked", "");
    assert_eq!(world.given(&panes[0], &id), 0, "{told}");
}

#[test]
fn a_turn_that_begins_late_makes_a_typed_message_submitted() {
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_LATE_TURN", "5000")]);
    let id = world.send(&["claude-1", "take your time"]);
    world.reaches(&id, "typed", "no sign of a turn");
    world.reaches(&id, "submitted", "transcript");
    assert_eq!(world.given(&panes[0], &id), 1);
}

#[test]
fn a_text_that_appears_late_is_submitted_and_not_pasted_twice() {
    // Longer than the courier waits for it: the next looks find an empty composer.
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_LATE_PASTE", "9000")]);
    let id = world.send(&["claude-1", "in your own time"]);
    world.reaches(&id, "typed", "the text does not appear in its composer");
    world.reaches(&id, "submitted", "");
    assert_eq!(world.given(&panes[0], &id), 1);
    assert_eq!(pressed(&world, &id), ["paste", "enter"]);
}

#[test]
fn what_was_typed_without_a_sign_is_told_of_when_the_agent_ends() {
    let (world, panes) = World::with_agents(&["claude"], &[("FAKE_AGENT_LOSE_ENTERS", "1")]);
    let id = world.send(&["claude-1", "perhaps"]);
    world.reaches(&id, "typed", "no sign of a turn");
    world.control(&panes[0], "exit");
    world.reaches(&id, "failed", "perhaps it was given");
    assert!(world.ok(&["dead"]).contains(&id));
    assert!(world.ok(&["inbox"]).contains("may have got"));
}

#[test]
fn every_script_and_emoji_is_submitted_or_announced_and_holds_nobody_back() {
    // As tmux and agents do: skin tones, joiners and marks are not drawn.
    let drops = "\u{1f3fd}\u{200d}\u{20e3}\u{94d}\u{301}\u{302}\u{e0067}\u{e007f}\u{1fae8}";
    let (world, panes) = World::with_agents(&["claude", "codex"], &[("FAKE_AGENT_DROPS", drops)]);
    for (name, pane) in ["claude-1", "codex-1"].iter().zip(&panes) {
        for body in [
            "skin 👍🏽 done",
            "family 👩‍👩‍👧‍👦 done",
            "flags 🇩🇪🇫🇷 done",
            "keycap 1️⃣ done",
            "warn ⚠️ ❤️ done",
            "party 🎉 ✅ 🚀 done",
            "नमस्ते done",
            "สวัสดี done",
            "שלום مرحبا done",
            "日本語 한국어 done",
            "many e\u{301}\u{302}\u{301}\u{302} done",
            "new 🫨 done",
        ] {
            let id = world.send(&[name, body]);
            world.reaches(&id, "submitted", "");
            assert_eq!(world.given(pane, &id), 1, "{body}\n{}", world.log(pane));
            let line = world.events(pane, "submitted").pop().unwrap();
            assert!(line.contains(body) || line.contains(&format!("swarm-msg read {id}")), "{line}");
        }
    }
}

#[test]
fn a_line_that_cannot_be_submitted_is_told_of_announced_once_and_then_given_up() {
    let (world, pane) = timed("claude", &[("FAKE_AGENT_SWALLOW_ENTERS", "1000")]);
    let id = world.send(&["claude-1", "never submitted"]);
    world.reaches(&id, "typed", "press Enter there, or clear it");
    let behind = world.send(&["claude-1", "behind it"]);
    world.reaches(&behind, "held", "goes first");
    let told = || world.ok(&["inbox", "--json"]).matches("cannot be submitted: press Enter in pane").count();
    assert_eq!(told(), 0, "not so soon");
    set_clock(&world, 31_000);
    eventually("people are told", || (told() > 0).then_some(()));
    // What to do works: it is announced by a plain line.
    world.control(&pane, "clear");
    eventually("it is announced", || world.screen(&pane).contains("is not typed whole").then_some(()));
    world.reaches(&id, "typed", "press Enter there, or clear it");
    set_clock(&world, 62_000 + 31_000);
    world.reaches(&id, "failed", "could not be submitted");
    assert_eq!(told(), 1);
    assert!(world.ok(&["dead"]).contains(&id), "{}", world.ok(&["dead"]));
    // And those behind it go on.
    world.control(&pane, "clear");
    eventually("the next is typed", || {
        world.screen(&pane).contains(&format!("[swarm {behind} ")).then_some(())
    });
}

#[test]
fn mail_waits_for_the_end_of_a_usage_limit_and_the_person_gets_to_know_once() {
    let (world, pane) = timed("claude", &[]);
    world.tmux(&["set-option", "-g", "display-time", "60000"]);
    let person = world.attach(120, 40);
    let said = "You've hit your session limit · resets in 2h";
    std::fs::write(world.path().join("said"), said).unwrap();
    let awaited = world.send(&["claude-1", "--ack", "do you agree"]);
    world.reaches(&awaited, "submitted", "");
    // The agent says nothing below it, as where its limit is reached.
    let script = format!("TOOL((cat {})) NO-REPLY", world.path().join("said").display());
    let last = world.send(&["claude-1", &script]);
    world.reaches(&last, "submitted", "");
    let state =
        || parsed(&world.ok(&["agents", "--json"]))["agents"][0]["state"].as_str().unwrap().to_owned();
    eventually("its limit is seen", || (state() == "limit").then_some(()));
    let mail = world.send(&["claude-1", "the next task"]);
    world.reaches(&mail, "held", "its usage limit is reached: You've hit your session limit");
    let told = || world.ok(&["inbox"]).matches("has reached its usage limit").count();
    eventually("the person gets to know", || (told() == 1).then_some(()));
    eventually("it is on the status line", || {
        person.screen().contains("claude-1 has reached its usage limit").then_some(())
    });
    // A courier that begins again says it no second time; nor does the clock of the acknowledgement end meanwhile.
    world.end_couriers();
    set_clock(&world, 3_600_000);
    world.ok(&["discover", "--quiet"]);
    world.reaches(&mail, "held", "its usage limit is reached");
    thread::sleep(Duration::from_millis(1500));
    assert_eq!((told(), world.given(&pane, &mail), world.ok(&["dead"]).contains("no dead")), (1, 0, true));
    assert_eq!(world.recipient(&awaited)["escalated"], false);
    // An hour and some minutes later it has passed, though the screen says so still.
    set_clock(&world, 7_500_000);
    world.reaches(&mail, "submitted", "");
    eventually("it is idle again", || (state() == "idle").then_some(()));
    assert_eq!((told(), world.given(&pane, &mail)), (1, 1));
}

#[test]
fn a_person_who_goes_on_after_a_usage_limit_ends_the_wait_of_the_mail() {
    let (world, pane) = timed("claude", &[]);
    let said = "Weekly usage limit reached ∙ resets soon";
    let other = world.send(&["claude-1", &format!("TOOL((echo '{said}')) NO-REPLY")]);
    world.reaches(&other, "submitted", "");
    let mail = world.send(&["claude-1", "the next task"]);
    world.reaches(&mail, "held", "its usage limit is reached: Weekly usage limit reached");
    world.tmux(&["send-keys", "-t", &pane, "go on"]);
    // An Enter right behind a key counts as part of a paste.
    eventually("the person goes on", || {
        world.tmux(&["send-keys", "-t", &pane, "Enter"]);
        thread::sleep(Duration::from_millis(300));
        world.events(&pane, "submitted").iter().any(|text| text.trim() == "go on").then_some(())
    });
    world.reaches(&mail, "submitted", "");
    assert_eq!(world.given(&pane, &mail), 1);
}
