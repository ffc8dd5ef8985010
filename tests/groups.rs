//! Groups of agents: agents without tmux, and scripted agents that are started again.

use crate::support::mail::parsed;
use crate::support::peer::{Peer, peers};
use crate::support::{World, eventually};
use serde_json::json;

#[test]
fn a_message_to_a_group_reaches_each_member_once_and_nobody_else() {
    let world = World::with_store();
    let [mut a, mut b, mut c, mut d] = peers(&world);
    assert!(world.ok(&["group"]).contains("there are no groups"));
    let told = world.ok(&["group", "add", "@api", "peer-0,peer-1", "peer-2"]);
    assert_eq!(told, "@api is made: peer-0, peer-1, peer-2\n");
    let sent = world.ok(&["send", "--no-wait", "@api,peer-1", "from a person"]);
    let id = sent.split_whitespace().next().unwrap();
    // Who reads it knows that it went to a group, and so do scripts.
    assert!(world.ok(&["show", id]).contains("from human to @api (peer-0, peer-1, peer-2), "));
    assert_eq!(parsed(&world.ok(&["show", "--json", id]))["message"]["groups"], json!(["api"]));
    assert!(b.ok("swarm-msg inbox").contains("from a person  to @api\n"));
    assert!(world.ok(&["log", "-n", "0", "--event", "sent"]).contains("groups=api"));
    let again = world.ok(&["resend", "--no-wait", id]);
    let again = again.split_whitespace().next().unwrap();
    assert!(world.ok(&["show", again]).contains(" to @api (peer-0"));
    let to_one = world.ok(&["resend", "--no-wait", id, "--to", "peer-3"]);
    assert!(world.ok(&["show", to_one.split_whitespace().next().unwrap()]).contains(" to peer-3, "));
    d.mail();
    // An agent of the group writes to the others of it, also by a reply to all that it knows by name.
    a.ok("swarm-msg send --no-wait @api 'from peer-0'");
    d.ok("swarm-msg send --no-wait peer-0 --also @api 'from peer-3'");
    let got = [&mut a, &mut b, &mut c, &mut d].map(Peer::mail);
    let person = "human: from a person".to_owned();
    assert_eq!(got[0], [person.clone(), person.clone(), "peer-3: from peer-3".into()]);
    for mail in &got[1..3] {
        assert_eq!(
            *mail,
            [person.clone(), person.clone(), "peer-0: from peer-0".into(), "peer-3: from peer-3".into()]
        );
    }
    assert_eq!(got[3], ["human: from a person"], "only what was sent to it again");
    // It is shown where agents are.
    for words in [&["agents"][..], &["who"], &["group", "list"]] {
        assert!(world.ok(words).contains("@api             peer-0, peer-1, peer-2\n"), "{words:?}");
    }
    assert!(d.ok("swarm-msg who").contains("@api"));
    let groups = json!([{"name": "api", "members": ["peer-0", "peer-1", "peer-2"]}]);
    for words in [&["agents", "--json"][..], &["who", "--json"], &["group", "list", "--json"]] {
        assert_eq!(parsed(&world.ok(words))["groups"], groups);
    }
    let log = world.ok(&["log", "-n", "0", "--event", "group"]);
    assert!(log.contains("group=api") && log.contains("verb=add"), "{log}");
}

#[test]
fn what_is_wrong_with_a_group_is_said_and_changes_nothing() {
    let world = World::with_store();
    let [mut a, _b] = peers(&world);
    world.ok(&["group", "add", "api", "peer-0", "peer-1"]);
    world.ok(&["group", "add", "web", "peer-0"]);
    world.ok(&["group", "remove", "web", "peer-0"]);
    for (words, code, part) in [
        (&["send", "@apo", "x"][..], 5, "no group or agent is called '@apo', did you mean @api?"),
        (&["send", "api", "x"], 5, "did you mean @api?"),
        (&["send", "@web", "x"], 2, "@web has no members: swarm group add web AGENT..."),
        (&["send", "peer-0,@web", "x"], 2, "@web has no members"),
        (&["group", "add", "api", "peer-7"], 5, "no agent is called 'peer-7'"),
        (&["group", "add", "api", "@web"], 2, "name the agents of the group one by one"),
        (&["group", "add", "api", "human"], 2, "only agents can"),
        (&["group", "add", "api", ","], 2, "name the agents"),
        (&["group", "add", "peer-1", "peer-0"], 2, "peer-1 is called peer-1"),
        (&["group", "add", "all", "peer-0"], 2, "reserved"),
        (&["group", "add", "team", "peer-0"], 2, "reserved"),
        (&["group", "add", "A", "peer-0"], 2, "is not a name"),
        (&["group", "remove", "apo"], 5, "no group is called '@apo', did you mean @api?"),
        (&["group", "remove", "api", "peer-7"], 2, "peer-7 is not in @api, which has peer-0, peer-1"),
        (&["group", "remove", "api", ","], 2, "name the agents"),
        (&["name", "peer-1", "api"], 2, "a group is called @api"),
    ] {
        let (ended, told) = world.refused(words);
        assert!(ended == code && told.contains(part), "{words:?}: {ended} {told}");
    }
    assert!(a.mail().is_empty(), "nothing was sent");
    for command in ["group add api peer-0", "group remove api", "group remove api peer-1"] {
        let (code, told) = a.run(&format!("swarm {command}"));
        assert!(code == 2 && told.contains("only the human can change groups"), "{command}: {told}");
    }
    let (code, told) = a.run("swarm-msg send @web x");
    assert!(code == 2 && told.contains("has no members"), "{told}");
    world.ok(&["group", "remove", "api", "peer-1"]);
    let (code, told) = a.run("swarm-msg send @api x");
    assert!(code == 2 && told.contains("@api has no member but you"), "{told}");
    assert!(a.ok("swarm group").contains("@api"), "anybody may look");
    assert_eq!(world.ok(&["group", "remove", "@api"]), "@api is removed (it had 1 member)\n");
    assert_eq!(world.ok(&["group"]), "@web             no members\n");
}

#[test]
fn groups_that_several_processes_change_at_once_lose_nobody() {
    let world = World::with_store();
    let all: [Peer; 6] = peers(&world);
    let names: Vec<String> = (0..all.len()).map(|number| format!("peer-{number}")).collect();
    let add = |name: &String| {
        let mut command = world.command("swarm");
        command.args(["group", "add", "api", name]);
        command
    };
    for out in crate::support::race(names.iter().map(add)) {
        assert!(out.status.success(), "{out:?}");
    }
    assert_eq!(parsed(&world.ok(&["group", "list", "--json"]))["groups"][0]["members"], json!(names));
}

#[test]
fn a_member_that_is_renamed_or_started_again_is_one_and_a_stranger_is_none() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "1s");
    world.start();
    let panes = ["claude", "codex"].map(|kind| world.agent(kind, &[]));
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["group", "add", "api", "claude-1", "codex-1"]);
    world.ok(&["name", "codex-1", "parser"]);
    assert!(world.ok(&["group"]).contains("claude-1, parser"));
    // It ends: as for a single recipient, its mail waits for it, and then it is refused while the others get theirs.
    world.control(&panes[0], "exit");
    eventually("claude-1 has ended", || {
        let all = world.ok(&["agents", "--all"]);
        all.lines().any(|l| l.starts_with("claude-1 ") && l.contains("dead")).then_some(())
    });
    eventually("it is not waited for any more", || {
        let out = world.swarm(&["send", "--no-wait", "@api", "x"]);
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        (out.status.code() == Some(5) && told.contains("not sent to claude-1")).then_some(())
    });
    assert!(world.ok(&["group"]).contains("claude-1, parser"), "it may come back");
}

#[test]
fn a_stranger_who_gets_the_number_of_a_member_is_in_no_group() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "1s");
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["group", "add", "api", "claude-1"]);
    world.control(&pane, "exit");
    eventually("claude-1 has ended", || world.ok(&["agents"]).contains("no agents here").then_some(()));
    assert!(world.ok(&["group"]).ends_with(" claude-1\n"));
    // In another pane nothing shows that it is the same.
    std::fs::create_dir(world.project().join("web")).unwrap();
    eventually("the number is free", || {
        let ended = parsed(&world.ok(&["agents", "--all", "--json"]))["agents"][0]["since"].as_u64();
        (swarm::store::now_ms() > ended.unwrap_or(u64::MAX) + 1_500).then_some(())
    });
    world.agent_in(&world.project().join("web"), "claude", &[]);
    eventually("somebody new has the number", || {
        world.ok(&["discover", "--quiet"]);
        world.ok(&["agents"]).lines().any(|l| l.starts_with("claude-1 ")).then_some(())
    });
    assert!(world.ok(&["group"]).ends_with(" no members\n"), "{}", world.ok(&["group"]));
}
