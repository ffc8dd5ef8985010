//! What a message wants of its reader, and agents that answer each other without end: real tmux, scripted agents.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use serde_json::Value;

/// Runs `swarm-msg` as an agent, and gives the id of what it sent.
fn say(world: &World, name: &str, words: &str) -> String {
    let told = world.below(name, &format!("swarm-msg {words} --json --no-wait"));
    parsed(&told)["id"].as_str().unwrap_or_else(|| panic!("{name}: {words}: {told}")).to_owned()
}

/// The bodies in somebody's mail, read and unread, that speak of `id`.
fn about(world: &World, name: &str, id: &str) -> Vec<String> {
    let mail = world.state().join("mail").join(name);
    let mut found = Vec::new();
    for folder in ["new", "given", "cur"] {
        for entry in std::fs::read_dir(mail.join(folder)).into_iter().flatten().flatten() {
            let message = parsed(&std::fs::read_to_string(entry.path()).unwrap_or_else(|_| "null".into()));
            let body = message["message"]["body"].as_str().unwrap_or_default();
            if message["message"]["from"] == "swarm" && body.contains(id) {
                found.push(body.to_owned());
            }
        }
    }
    found
}

/// Two agents that gave each other two answers, as many as they may, and a third one, which is held.
fn in_a_loop() -> (World, Vec<String>, String) {
    let mut world = World::new();
    world.set("SWARM_ANSWERS", "2");
    world.start();
    let panes = ["claude", "codex"].map(|kind| world.agent(kind, &[])).to_vec();
    world.ok(&["discover", "--init", "--quiet"]);
    let mut id = say(&world, "claude-1", "send codex-1 hello");
    for name in ["codex-1", "claude-1"] {
        world.reaches(&id, "submitted", "");
        id = say(&world, name, &format!("reply {id} thanks"));
    }
    world.reaches(&id, "submitted", "");
    let held = say(&world, "codex-1", &format!("reply {id} you-are-welcome"));
    world.reaches(&held, "held", "2 answers without a person");
    (world, panes, held)
}

#[test]
fn an_answer_too_many_between_two_agents_is_held_and_both_and_the_person_get_to_know_once() {
    let (world, panes, held) = in_a_loop();
    for name in ["claude-1", "codex-1", "human"] {
        let told = eventually(name, || Some(about(&world, name, &held)).filter(|told| !told.is_empty()));
        assert_eq!(told.len(), 1, "{told:?}");
        let go_on = if name == "human" { format!("swarm release {held}") } else { "new thread".into() };
        assert!(told[0].contains(&go_on), "{told:?}");
    }
    // Nor does a hook hand it over, or a second courier speak of it again.
    world.end_couriers();
    for hook in ["UserPromptSubmit", "Stop"] {
        let given = world.below("claude-1", &format!("echo '{{}}' | swarm hook claude {hook}"));
        assert!(!given.contains("you-are-welcome"), "{given}");
    }
    world.ok(&["discover", "--quiet"]);
    // What has nothing to do with it is delivered, and does not wait behind it.
    let other = world.send(&["claude-1", "something else"]);
    world.reaches(&other, "submitted", "");
    assert_eq!((world.given(&panes[0], &held), about(&world, "human", &held).len()), (0, 1));
    world.ok(&["wait", "--idle", "claude-1", "--timeout", "60"]);
    let second = say(&world, "codex-1", &format!("reply {} again", world.answered(&held)));
    world.reaches(&second, "held", "");
    assert!(about(&world, "human", &second).is_empty(), "one notice a thread");
}

impl World {
    /// The id of the message that this one answers.
    fn answered(&self, id: &str) -> String {
        parsed(&self.ok(&["show", "--json", id]))["message"]["reply_to"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_person_releases_an_answer_that_is_held_and_the_count_begins_again() {
    let (world, panes, held) = in_a_loop();
    let told = world.below("codex-1", &format!("swarm release {held}; echo ended with $?"));
    assert!(told.contains("only the human can release") && told.contains("ended with 2"), "{told}");
    assert_eq!(world.given(&panes[0], &held), 0);
    world.ok(&["release", &held]);
    world.reaches(&held, "submitted", "");
    assert_eq!(world.given(&panes[0], &held), 1);
    let (code, told) = world.refused(&["release", &held]);
    assert!(code == 2 && told.contains("is held"), "{code} {told}");
    let next = say(&world, "claude-1", &format!("reply {held} done"));
    world.reaches(&next, "submitted", "");
    let log = world.ok(&["log", "-n", "0", "--event", "answers-held", "--event", "released"]);
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[test]
fn a_release_reports_what_was_released_by_whatever_message_of_the_thread_it_is_asked_for() {
    let (world, panes, held) = in_a_loop();
    let asked = world.answered(&held);
    let told = world.ok(&["release", &asked]);
    assert!(told.starts_with(&format!("{held} claude-1: ")) && !told.contains(&asked), "{told}");
    world.reaches(&held, "submitted", "");
    assert_eq!(world.given(&panes[0], &held), 1);
}

#[test]
fn to_send_the_same_again_or_to_hand_it_over_begins_no_new_count() {
    let (world, panes, held) = in_a_loop();
    let other = world.agent("claude", &[]);
    world.ok(&["discover", "--quiet"]);
    let again = say(&world, "codex-1", &format!("resend {held}"));
    world.reaches(&again, "held", "without a person");
    // Its own last message of the thread, which has a smaller number than an answer would.
    let mine = world.answered(&world.answered(&held));
    let again = say(&world, "codex-1", &format!("resend {mine}"));
    world.reaches(&again, "held", "without a person");
    // Who would get it hands it over without having got it.
    let told = parsed(&world.below("claude-1", &format!("swarm-msg handover {held} claude-2 --json")));
    let copy = told["as"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    world.reaches(&copy, "held", "without a person");
    assert_eq!(world.given(&other, &copy) + world.given(&panes[0], &held), 0);
    // A person's word begins a new count.
    let sent = parsed(&world.ok(&["resend", &held, "--to", "claude-2", "--json", "--no-wait"]));
    world.reaches(sent["id"].as_str().unwrap(), "submitted", "");
}

#[test]
fn a_person_drops_an_answer_that_is_held_and_it_is_a_dead_letter() {
    let (world, panes, held) = in_a_loop();
    world.ok(&["release", &held, "--drop"]);
    assert_eq!(world.stage(&held), ("failed".into(), "a person dropped it".into()));
    assert!(world.ok(&["dead"]).contains(&held));
    assert_eq!(world.given(&panes[0], &held), 0);
}

#[test]
fn the_reader_gets_to_know_whether_an_answer_is_wanted_and_lists_say_so() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    for (option, intent, line, mark) in [
        ("--fyi", "fyi", "no answer is wanted)", "fyi"),
        ("--reply", "reply", "(an answer is wanted: swarm-msg reply", "wants answer"),
        ("--action", "action", "(to be done; answer when it is: swarm-msg reply", "to do"),
    ] {
        let id = world.send(&["claude-1", option, "the text"]);
        world.reaches(&id, "submitted", "");
        let typed = world.events(&panes[0], "submitted").pop().unwrap();
        assert!(typed.contains(&id) && typed.contains(line), "{typed}");
        assert_eq!(parsed(&world.ok(&["show", "--json", &id]))["message"]["intent"], intent);
        let verified = world.below("claude-1", &format!("swarm-msg verify '{typed}'"));
        assert!(verified.starts_with("genuine"), "{verified}");
        let sent = world.ok(&["events", "--event", "sent", "--since", "1h"]);
        let sent: Vec<Value> = sent.lines().map(parsed).filter(|e| e["id"] == id.as_str()).collect();
        assert_eq!((sent.len(), &sent[0]["intent"]), (1, &Value::from(intent)));
        world.below("claude-1", &format!("swarm-msg send human {option} 'to you'"));
        assert!(world.ok(&["inbox"]).contains(&format!("to you  {mark}")));
    }
    for wrong in [["--fyi", "--reply"], ["--fyi", "--ack"]] {
        let (code, told) = world.refused(&["send", "claude-1", wrong[0], wrong[1], "x"]);
        assert_eq!(code, 2, "{told}");
    }
}

#[test]
fn an_acknowledgement_that_nobody_wants_is_not_sent() {
    let (world, _) = World::with_agents(&["claude", "codex"], &[]);
    let id = say(&world, "codex-1", "send claude-1 --fyi 'the tests pass'");
    world.reaches(&id, "submitted", "");
    let sent = || {
        world.ok(&["events", "--event", "sent", "--since", "1h", "--agent", "codex-1"]).matches("ACK").count()
    };
    let told = world.below("claude-1", &format!("swarm-msg ack {id} 'fine'; echo ended with $?"));
    assert!(told.contains("ended with 2") && told.contains(&format!("swarm-msg reply {id}")), "{told}");
    assert_eq!(world.stage(&id).0, "submitted");
    let told = world.below("claude-1", &format!("swarm-msg ack {id}"));
    assert!(told.contains("nothing was sent"), "{told}");
    assert_eq!((world.stage(&id).0.as_str(), sent()), ("acked", 0));
    // Nor is one for an acknowledgement; one that is wanted is.
    let asked = say(&world, "codex-1", "send claude-1 --ack 'do you agree'");
    world.reaches(&asked, "submitted", "");
    let ack = say(&world, "claude-1", &format!("ack {asked}"));
    world.reaches(&ack, "submitted", "");
    assert_eq!(sent(), 1);
    let told = world.below("codex-1", &format!("swarm-msg ack {ack}"));
    assert!(told.contains("nothing was sent"), "{told}");
    assert_eq!(sent(), 1);
}
