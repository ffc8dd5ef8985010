//! What an agent's hook hands over counts as read when the agent's model has answered, and waits again if the agent ends before that.

use crate::support::mail::parsed;
use crate::support::peer::Peer;
use crate::support::{World, eventually};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A text that goes whole only by a hook.
const BODY: &str = "first line\nsecond line";

/// How the text stands in what a hook answers.
const ANSWERED: &str = "first line\\nsecond line";

/// What is said of it then.
const HANDED: (&str, &str) = ("submitted", "its own hook handed it over");

/// What the agent is told if it may have seen the message.
const AGAIN: &str = "You may have seen this message before";

/// The command that calls a hook with this input.
fn hook(event: &str, input: &Value) -> String {
    format!("printf '%s' '{input}' | swarm hook claude {event}")
}

fn stage(world: &World, id: &str) -> (String, String) {
    world.stage(id)
}

fn is_handed(world: &World, id: &str) -> bool {
    let (stage, detail) = stage(world, id);
    (stage.as_str(), detail.as_str()) == HANDED
}

#[test]
fn only_a_hook_that_shows_an_answer_of_the_model_makes_it_read() {
    let world = World::with_store();
    let mut peer = Peer::new(&world, "peer-1");
    let (tool, nested) = (json!({"tool_name": "Read"}), json!({"tool_name": "Read", "agent_id": "a1"}));
    let none = json!({});
    // What hands it over, what shows nothing, and what shows that the model has answered.
    let rows = [
        ("UserPromptSubmit", &[("PostToolUse", &tool), ("PreToolUse", &nested)][..], ("PreToolUse", &tool)),
        ("UserPromptSubmit", &[("UserPromptSubmit", &none), ("SessionStart", &none)], ("Stop", &none)),
        ("PostToolUse", &[("PreToolUse", &tool), ("PostToolUse", &tool)], ("Stop", &none)),
        ("Stop", &[("PermissionRequest", &none), ("UserPromptSubmit", &none)], ("PreToolUse", &tool)),
    ];
    for (gives, nothing, shows) in rows {
        let id = world.send(&["--urgent", "peer-1", BODY]);
        let told = peer.ok(&hook(gives, &tool));
        assert_eq!(told.matches(ANSWERED).count(), 1, "{gives}: {told}");
        assert!(is_handed(&world, &id), "{gives}");
        for (event, input) in nothing {
            let told = peer.ok(&hook(event, input));
            assert!(!told.contains(ANSWERED), "given twice: {gives}, {event}: {told}");
            assert!(is_handed(&world, &id), "{gives}, {event}");
        }
        peer.ok(&hook(shows.0, shows.1));
        assert_eq!(stage(&world, &id).0, "read", "{gives}, {}", shows.0);
        assert!(peer.ok("swarm-msg inbox").contains("no unread"), "{gives}");
    }
}

#[test]
fn a_subagents_hook_is_given_no_mail() {
    let world = World::with_store();
    let mut peer = Peer::new(&world, "peer-1");
    let id = world.send(&["--urgent", "peer-1", BODY]);
    for event in ["PostToolUse", "Stop"] {
        let told = peer.ok(&hook(event, &json!({"tool_name": "Read", "agent_id": "a1"})));
        assert!(!told.contains(ANSWERED), "{event}: {told}");
        assert_eq!(stage(&world, &id).0, "queued", "{event}");
    }
    assert!(peer.ok(&hook("PostToolUse", &json!({"tool_name": "Read"}))).contains(ANSWERED));
}

#[test]
fn a_conversation_that_is_emptied_takes_no_message_along() {
    let world = World::with_store();
    let mut peer = Peer::new(&world, "peer-1");
    let id = world.send(&["peer-1", BODY]);
    assert!(peer.ok(&hook("UserPromptSubmit", &json!({}))).contains(ANSWERED));
    peer.ok(&hook("SessionStart", &json!({"source": "clear"})));
    let told = peer.ok(&hook("UserPromptSubmit", &json!({})));
    assert!(told.contains(ANSWERED) && told.contains(AGAIN), "{told}");
    peer.ok(&hook("Stop", &json!({})));
    assert_eq!(stage(&world, &id).0, "read");
}

#[test]
fn what_is_handed_over_by_racing_hooks_is_given_and_read_once() {
    let world = World::with_store();
    let mut peer = Peer::new(&world, "peer-1");
    let id = world.send(&["peer-1", BODY]);
    let (prompt, stop) = (hook("UserPromptSubmit", &json!({})), hook("Stop", &json!({})));
    let told = peer.ok(&format!("for n in 1 2 3 4; do {prompt} & {stop} & done; wait"));
    assert_eq!(told.matches(ANSWERED).count(), 1, "{told}");
    peer.ok(&format!("for n in 1 2 3 4; do {stop} & done; wait"));
    assert_eq!(stage(&world, &id).0, "read");
    let read = world.ok(&["log", "--json", "-n", "0", "--event", "read"]);
    assert_eq!(read.lines().filter(|line| line.contains(&id)).count(), 1, "{read}");
}

#[test]
fn the_agent_may_read_acknowledge_and_answer_before_anything_else_shows_it() {
    let world = World::with_store();
    let mut peer = Peer::new(&world, "peer-1");
    for (command, after) in [("read", "read"), ("ack", "acked")] {
        let id = world.send(&["--ack", "peer-1", BODY]);
        assert!(peer.ok(&hook("UserPromptSubmit", &json!({}))).contains(ANSWERED));
        peer.ok(&format!("swarm-msg {command} {id}"));
        assert_eq!(stage(&world, &id).0, after);
        peer.ok(&hook("Stop", &json!({})));
        assert_eq!(stage(&world, &id).0, after);
    }
}

/// A line in an agent's transcript.
fn write(transcript: &Path, line: &Value) {
    let mut file = OpenOptions::new().create(true).append(true).open(transcript).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// What Claude Code writes down of what a hook added.
fn added(id: &str) -> Value {
    json!({"type": "attachment", "attachment": {"type": "hook_additional_context", "content": [format!("Message {id} INFO")]}})
}

/// What it writes down of its model's answer.
fn answer() -> Value {
    json!({"type": "assistant", "message": {"id": "m1", "model": "m", "content": [{"type": "text", "text": "ok"}]}})
}

/// A Claude in a pane that a hook has handed a message to, the message, and the transcript that the hook named.
fn handed_over(world: &World, talk: &[(&str, &str)]) -> (String, String, PathBuf) {
    world.start();
    let pane = world.agent("claude", talk);
    world.ok(&["discover", "--init", "--quiet"]);
    let transcript = world.path().join("talk.jsonl");
    write(&transcript, &answer());
    let id = world.send(&["claude-1", BODY]);
    eventually("it is announced", || (world.given(&pane, &id) == 1).then_some(()));
    world.reaches(&id, "submitted", "");
    let told = world.below(
        "claude-1",
        &hook("UserPromptSubmit", &json!({"transcript_path": transcript, "session_id": "talk-0001"})),
    );
    assert_eq!(told.matches(ANSWERED).count(), 1, "{told}");
    world.reaches(&id, HANDED.0, HANDED.1);
    (pane, id, transcript)
}

/// Ends the agent in a pane without a chance to tidy up.
fn kill(world: &World) {
    let all = parsed(&world.ok(&["agents", "--json"]));
    let pid = all["agents"][0]["pid"].to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
}

#[test]
fn a_slow_transcript_shows_it_also_to_the_next_courier() {
    let world = World::new();
    let (_pane, id, transcript) = handed_over(&world, &[]);
    // The agent's side alone proves nothing: it is written before the model is asked.
    write(&transcript, &added(&id));
    world.end_couriers();
    assert!(is_handed(&world, &id));
    let next = world.send(&["claude-1", "that calls another courier"]);
    world.reaches(&next, "submitted", "");
    assert!(is_handed(&world, &id), "{:?}", stage(&world, &id));
    write(&transcript, &answer());
    world.reaches(&id, "read", "");
}

/// The record of the conversation in which the agent is, by which it is recognised.
const TALK: [(&str, &str); 2] = [("FAKE_AGENT_INBOX", "take"), ("FAKE_AGENT_SESSION", "talk-0001")];

#[test]
fn an_agent_that_ends_before_its_model_answers_is_given_it_again_when_it_is_resumed() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    let (pane, id, transcript) = handed_over(&world, &TALK);
    write(&transcript, &added(&id));
    kill(&world);
    world.reaches(&id, "held", "the agent has ended; the message waits another");
    world.tmux(&["kill-pane", "-t", &pane]);
    let second = world.agent("claude --resume talk-0001", &TALK);
    world.ok(&["discover", "--quiet"]);
    eventually("it is announced to the one that is resumed", || {
        (world.given(&second, &id) == 1).then_some(())
    });
    let line = world.events(&second, "submitted").into_iter().find(|text| text.contains(&id)).unwrap();
    let input = world.path().join("input");
    fs::write(&input, json!({"prompt": line}).to_string()).unwrap();
    let prompt = format!("swarm hook claude UserPromptSubmit <{}", input.display());
    let told = world.below("claude-1", &prompt);
    assert!(told.contains(ANSWERED) && told.contains(AGAIN) && !told.contains("WARNING"), "{told}");
    assert!(is_handed(&world, &id));
    let told = world.below("claude-1", &hook("UserPromptSubmit", &json!({})));
    assert!(!told.contains(ANSWERED), "never twice to one that lives: {told}");
    world.below("claude-1", &hook("PreToolUse", &json!({"tool_name": "Read"})));
    assert_eq!(stage(&world, &id).0, "read");
    assert_eq!(world.given(&second, &id), 1);
}

#[test]
fn an_agent_that_ends_after_its_model_answered_has_read_it() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    let (pane, id, transcript) = handed_over(&world, &TALK);
    world.end_couriers();
    // Nobody saw it while the agent lived.
    write(&transcript, &added(&id));
    write(&transcript, &answer());
    kill(&world);
    world.tmux(&["kill-pane", "-t", &pane]);
    let second = world.agent("claude --resume talk-0001", &TALK);
    world.ok(&["discover", "--quiet"]);
    world.reaches(&id, "read", "");
    let next = world.send(&["claude-1", "the next one"]);
    world.reaches(&next, "submitted", "");
    assert_eq!(world.given(&second, &id), 0);
}

#[test]
fn the_sender_is_told_that_it_was_perhaps_given_if_the_agent_does_not_come_back() {
    let world = World::new();
    let (_pane, id, transcript) = handed_over(&world, &[]);
    write(&transcript, &added(&id));
    kill(&world);
    world.reaches(&id, "failed", "perhaps it was given");
    eventually("its sender is told", || {
        world.ok(&["inbox"]).contains("claude-1 has ended and may have got").then_some(())
    });
}

#[test]
fn a_transcript_that_is_no_file_holds_nobody_up() {
    let world = World::new();
    let (_pane, id, transcript) = handed_over(&world, &[]);
    fs::remove_file(&transcript).unwrap();
    nix::unistd::mkfifo(&transcript, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let next = world.send(&["claude-1", "behind it"]);
    world.reaches(&next, "submitted", "");
    assert!(is_handed(&world, &id));
    // Nor does one that its hook names.
    let input = json!({"transcript_path": transcript});
    let other = world.send(&["--urgent", "claude-1", BODY]);
    world.reaches(&other, "submitted", "");
    let told = world.below("claude-1", &hook("UserPromptSubmit", &input));
    assert_eq!(told.matches(ANSWERED).count(), 1, "{told}");
    world.reaches(&other, HANDED.0, HANDED.1);
}
