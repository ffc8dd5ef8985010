//! `swarm events`: what happens as a stream for scripts, without a gap and without anything twice.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use serde_json::Value;
use std::fs::{self, File};

fn events(world: &World, args: &[&str]) -> Vec<Value> {
    world.ok(&[&["events"], args].concat()).lines().map(parsed).collect()
}

fn bodies(all: &[Value]) -> Vec<&str> {
    all.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

#[test]
fn a_script_goes_on_where_it_stopped_and_is_told_of_a_gap() {
    let world = World::new();
    world.ok(&["init"]);
    let send = |text: &str| world.send(&["human", text]);
    let sent = [send("one"), send("two"), send("three")];
    let all = events(&world, &["--event", "sent"]);
    assert_eq!(bodies(&all), [&*sent[0], &*sent[1], &*sent[2]]);
    for event in &all {
        assert!(event["version"] == 1 && event["t"].is_u64() && event.get("waited_us").is_none(), "{event}");
    }
    let cursor = all[0]["cursor"].as_str().unwrap();
    assert_eq!(bodies(&events(&world, &["--event", "sent", "--after", cursor])), [&*sent[1], &*sent[2]]);
    assert_eq!(
        events(&world, &["--event", "sent", "--since", "1h", "--agent", "nobody"]),
        Vec::<Value>::new()
    );

    let (journal, older) = (world.state().join("journal.jsonl"), world.state().join("journal.1.jsonl"));
    fs::rename(&journal, &older).unwrap();
    let fourth = send("four");
    let after = events(&world, &["--event", "sent", "--after", cursor]);
    assert_eq!(bodies(&after), [&*sent[1], &*sent[2], &*fourth], "also when the journal was rotated");
    fs::remove_file(&older).unwrap();
    let after = events(&world, &["--event", "sent", "--after", cursor]);
    assert_eq!((after[0]["event"].as_str(), bodies(&after[1..])), (Some("gap"), vec![&*fourth]));
}

#[test]
fn what_happens_from_now_on_is_followed() {
    let world = World::new();
    world.ok(&["init"]);
    world.send(&["human", "before"]);
    let file = world.path().join("stream");
    let mut command = world.command("swarm");
    command.args(["events", "--follow", "--event", "sent"]).stdout(File::create(&file).unwrap());
    let mut follows = command.spawn().unwrap();
    // Each is sent until one is seen: the command may not have begun to look yet.
    let first = eventually("an event is seen", || {
        world.send(&["human", "now"]);
        fs::read_to_string(&file).unwrap().lines().next().map(parsed)
    });
    follows.kill().unwrap();
    follows.wait().unwrap();
    let all = events(&world, &["--event", "sent"]);
    assert!(all.contains(&first) && first != all[0], "{first}");
}

#[test]
fn a_stream_that_nobody_reads_any_more_ends() {
    let world = World::new();
    world.ok(&["init"]);
    for args in ["events --follow", "log --follow -n 0"] {
        let script = format!("swarm {args} --event dead-letter | true");
        let mut command = world.command("sh");
        let mut shell = command.args(["-c", &script]).spawn().unwrap();
        eventually(args, || shell.try_wait().unwrap());
    }
}

#[test]
fn wrong_words_are_refused_and_the_table_can_be_read() {
    let world = World::new();
    world.ok(&["init"]);
    let (code, said) = world.refused(&["events", "--event", "dead-leter"]);
    assert!(code == 2 && said.contains("dead-letter"), "{code} {said}");
    let (code, said) = world.refused(&["events", "--after", "yesterday"]);
    assert!(code == 2 && said.contains("must be the `cursor` of an event"), "{code} {said}");
    let table = events(&world, &["--list"]);
    assert!(
        table.iter().any(|row| row["event"] == "acked" && row["fields"] == parsed(r#"["id","to"]"#)),
        "{table:?}"
    );
}

#[test]
fn who_comes_back_is_told_what_happened_in_their_absence_and_by_the_dashboard_once() {
    let world = World::new();
    world.ok(&["init"]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let ago = |minutes: u64| u64::try_from(now.as_millis()).unwrap() - minutes * 60_000;
    let entries = [
        serde_json::json!({"t": ago(181), "event": "read", "id": "a", "to": "human", "identity": "human"}),
        serde_json::json!({"t": ago(170), "event": "agent-new", "name": "claude-1"}),
        serde_json::json!({"t": ago(160), "event": "sent", "id": "b", "from": "claude-1", "to": ["human"], "type": "QUESTION"}),
        serde_json::json!({"t": ago(90), "event": "agent-died", "name": "codex-1"}),
        serde_json::json!({"t": ago(80), "event": "dead-letter", "id": "c", "to": "codex-1"}),
    ];
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    fs::write(world.state().join("journal.jsonl"), lines).unwrap();
    let told = world.ok(&["digest"]);
    assert_eq!(
        told,
        "since you were last here, 3h ago:\n  claude-1         started 2h ago; 1 message to you (1 unread, 1 question among them)\n  \
         codex-1          ended 1h ago; 1 dead letter\nread and answer: swarm inbox --open; dead letters: swarm dead\n"
    );
    let back = world.ok(&["digest", "--back"]);
    assert_eq!(
        back,
        "while you were away (3h): 1 agent ended, 1 agent started, 1 unread message to you, 1 dead letter\n"
    );
    // The person is here now, and can still ask.
    assert_eq!(world.ok(&["digest", "--back"]), "");
    assert_eq!(world.ok(&["digest"]), told.replace("you were last here", "your last absence began"));
    let json = parsed(&world.ok(&["digest", "--json"]));
    assert_eq!(
        (&json["since"], &json["away"], &json["agents"][0]["questions"]),
        (&ago(181).into(), &false.into(), &1.into())
    );
    assert_eq!(world.ok(&["digest", "--since", "1h"]), "in the last 1h: nothing happened\n");
}
