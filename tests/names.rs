//! Names and mail that outlive a process: an agent that is started again or resumed is the one that ended, by evidence, and a
//! stranger in its place is not.

use crate::support::mail::parsed;
use crate::support::peer::Peer;
use crate::support::{World, eventually};
use serde_json::Value;
use std::process::Child;
#[cfg(not(feature = "portable-process"))]
use {
    std::time::{Duration, UNIX_EPOCH},
    swarm::os::{clock, process::Table},
};

/// A project with these agents.
fn team(world: World, kinds: &[&str]) -> (World, Vec<String>) {
    world.start();
    let panes = kinds.iter().map(|kind| world.agent(kind, &[])).collect();
    world.ok(&["discover", "--init", "--quiet"]);
    (world, panes)
}

/// A message that waits for a busy agent.
fn waiting(world: &World, name: &str, pane: &str, body: &str) -> String {
    world.control(pane, "busy 600000");
    let id = world.send(&[name, body]);
    eventually("it is held", || (world.stage(&id).0 == "held").then_some(()));
    id
}

/// The living agents: name, pane, and how they came by the name.
fn agents(world: &World) -> Vec<(String, String, String)> {
    let all = parsed(&world.ok(&["agents", "--json"]));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let one = |a: &Value| (text(&a["name"]), text(&a["pane"]), text(&a["named"]));
    all["agents"].as_array().unwrap().iter().map(one).collect()
}

fn own(text: [&str; 3]) -> (String, String, String) {
    (text[0].to_owned(), text[1].to_owned(), text[2].to_owned())
}

/// How often an agent was given a message.
fn given(world: &World, pane: &str, id: &str) -> usize {
    world.typed(pane).iter().filter(|typed| *typed == id).count()
}

fn given_once(world: &World, pane: &str, id: &str) {
    eventually(&format!("{id} is submitted"), || (world.stage(id).0 == "submitted").then_some(()));
    assert_eq!(given(world, pane, id), 1, "{}", world.log(pane));
}

/// Ends the agent in a pane, and starts another command there.
fn again(world: &World, pane: &str, command: &str) {
    world.control(pane, "exit");
    begin(world, pane, command);
}

/// Starts a command in a pane whose agent ends.
fn begin(world: &World, pane: &str, command: &str) {
    let starts = world.log(pane).matches("\"start\"").count();
    eventually("it exits", || {
        (world.log(pane).matches("\"event\":\"exit\"").count() == starts).then_some(())
    });
    world.tmux(&["send-keys", "-t", pane, "-l", command]);
    world.tmux(&["send-keys", "-t", pane, "Enter"]);
    eventually("another one starts", || {
        (world.log(pane).matches("\"start\"").count() > starts).then_some(())
    });
}

/// Everything that the human was told.
fn told(world: &World) -> String {
    world.ok(&["inbox"])
}

#[test]
fn an_agent_that_is_started_again_in_its_pane_keeps_its_name_and_its_mail() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    let (world, panes) = team(world, &["claude"]);
    world.ok(&["name", "claude-1", "reviewer"]);
    let id = waiting(&world, "reviewer", &panes[0], "for whoever reviews");
    again(&world, &panes[0], "claude");
    let out = world.ok(&["discover"]);
    assert_eq!(agents(&world), [own(["reviewer", &panes[0], "pane"])], "{out}");
    given_once(&world, &panes[0], &id);
    // It was back before anybody was told that it had gone.
    assert!(!told(&world).contains("has ended"), "{}", told(&world));
    let log = world.ok(&["log", "--event", "agent-back"]);
    assert!(log.contains("reviewer"), "{log}");
    let why = world.ok(&["explain", "reviewer"]);
    assert!(why.contains("called reviewer: it started in the same pane and directory"), "{why}");
    // And mail to its first name arrives as before.
    let later = world.send(&["claude-1", "to the old name"]);
    given_once(&world, &panes[0], &later);
}

#[test]
fn one_that_has_ended_and_that_nobody_took_note_of_is_seen_no_more() {
    let world = World::new();
    world.start();
    // The program that takes the shell's place does not ask what became of it.
    let pane = world.agent_in(&world.project(), "(claude </dev/tty; exec sleep 1000) & exec sleep 1000", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    let pid = parsed(&world.ok(&["agents", "--json"]))["agents"][0]["pid"].to_string();
    let kept = world.agent_in(&world.project(), "claude </dev/tty & exec sleep 1000", &[]);
    world.ok(&["discover", "--quiet"]);
    let all = parsed(&world.ok(&["agents", "--json"]));
    let undead =
        all["agents"].as_array().unwrap().iter().find(|a| a["pane"] == kept.as_str()).unwrap().clone();
    for pid in [pid, undead["pid"].to_string()] {
        std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    }
    let is_dead = |name: &str| {
        world.ok(&["discover", "--quiet"]);
        let all = parsed(&world.ok(&["agents", "--all", "--json"]));
        all["agents"].as_array().unwrap().iter().any(|a| a["name"] == name && a["state"] == "dead")
    };
    eventually("the one that is reaped is dead", || is_dead("claude-1").then_some(()));
    eventually("the one that is not is dead, too", || is_dead("claude-2").then_some(()));
    let left = world.ok(&["log", "--event", "agent-left"]);
    assert!(left.trim().is_empty(), "{pane}: {left}");
}

#[test]
fn mail_for_an_agent_that_has_just_ended_waits_and_says_so() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    let (world, panes) = team(world, &["claude"]);
    let before = waiting(&world, "claude-1", &panes[0], "before it ended");
    world.ok(&["name", "claude-1", "api"]);
    world.control(&panes[0], "exit");
    eventually("it is dead", || agents(&world).is_empty().then_some(()));
    // By each of its names, and the reason is that of now.
    let sent = parsed(&world.ok(&["send", "--json", "api,claude-1", "while it is away"]));
    let to = sent["recipients"].as_array().unwrap();
    assert_eq!(to.len(), 1, "{sent}");
    assert_eq!((&to[0]["name"], &to[0]["stage"]), (&"api".into(), &"held".into()), "{sent}");
    let away = sent["id"].as_str().unwrap();
    for id in [&before, away] {
        let told = world.ok(&["status", id]);
        assert!(told.contains("api: held: the agent has ended; the message waits another"), "{told}");
    }
    begin(&world, &panes[0], "claude");
    world.ok(&["discover", "--quiet"]);
    assert_eq!(agents(&world), [own(["api", &panes[0], "pane"])]);
    given_once(&world, &panes[0], &before);
    given_once(&world, &panes[0], away);
    assert!(!told(&world).contains("has ended"), "{}", told(&world));
}

#[test]
fn mail_does_not_fail_before_the_courier_has_looked_whether_its_agent_is_back() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "5s");
    let (world, panes) = team(world, &["claude"]);
    let id = waiting(&world, "claude-1", &panes[0], "for whoever is back");
    world.control(&panes[0], "exit");
    eventually("it is dead", || agents(&world).is_empty().then_some(()));
    // The machine is busy: the courier does nothing until the time is over.
    let signal = |name: &str| {
        for pid in world.couriers() {
            std::process::Command::new("kill").args([name, &pid]).status().unwrap();
        }
    };
    signal("-STOP");
    begin(&world, &panes[0], "claude");
    eventually("its time is over", || {
        world.ok(&["status", &id]).contains("the agent has ended, and was not started again").then_some(())
    });
    signal("-CONT");
    given_once(&world, &panes[0], &id);
    assert!(!told(&world).contains("has ended"), "{}", told(&world));
}

#[test]
fn an_agent_that_is_gone_for_good_gets_nothing_and_the_refusal_says_since_when() {
    let (world, panes) = team(World::new(), &["claude"]);
    world.tmux(&["kill-pane", "-t", &panes[0]]);
    eventually("it is dead", || agents(&world).is_empty().then_some(()));
    let (code, told) = world.refused(&["send", "claude-1", "too late"]);
    assert!(
        code == 5 && told.contains("claude-1 ended") && told.contains("start it again in its pane"),
        "{told}"
    );
}

#[test]
fn a_number_is_nobody_elses_as_long_as_its_agent_may_be_started_again() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    let (world, panes) = team(world, &["codex"]);
    world.control(&panes[0], "exit");
    eventually("it is dead", || agents(&world).is_empty().then_some(()));
    let other = world.agent("codex", &[]);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(agents(&world), [own(["codex-2", &other, "new"])]);
    begin(&world, &panes[0], "codex");
    world.ok(&["discover", "--quiet"]);
    assert!(agents(&world).contains(&own(["codex-1", &panes[0], "pane"])), "{:?}", agents(&world));
}

#[test]
fn an_agent_that_is_resumed_elsewhere_gets_what_had_become_dead_letters() {
    let world = World::new();
    world.start();
    let talks = [("FAKE_AGENT_INBOX", "take"), ("FAKE_AGENT_SESSION", "talk-0001")];
    let first = world.agent("claude", &talks);
    world.ok(&["discover", "--init", "--quiet"]);
    let pid = parsed(&world.ok(&["agents", "--json"]))["agents"][0]["pid"].to_string();
    // One that is suspended takes nothing.
    std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    let id = world.send(&["claude-1", "for this conversation"]);
    eventually("it is held", || (world.stage(&id).0 == "held").then_some(()));
    std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    world.tmux(&["kill-pane", "-t", &first]);
    eventually("it is a dead letter", || (world.stage(&id).0 == "failed").then_some(()));
    let sub = world.project().join("sub");
    std::fs::create_dir(&sub).unwrap();
    let second = world.agent_in(&sub, "claude --resume talk-0001", &talks);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(agents(&world), [own(["claude-1", &second, "session"])]);
    given_once(&world, &second, &id);
    // Who was told that it did not arrive is told that it does.
    let told = told(&world);
    assert!(
        told.contains("claude-1 is back (it is in the same conversation)") && told.contains(&id),
        "{told}"
    );
    assert!(world.ok(&["dead"]).contains("no dead letters"));
}

/// What a Codex does just after its start, when it opens a conversation: the only trace of it outside its hooks. At a time that is over,
/// so that it is not taken for what the next one did.
#[cfg(not(feature = "portable-process"))]
fn codex_opens(world: &World, pane: &str, talk: &str) {
    let first: i32 =
        world.tmux(&["display-message", "-p", "-t", pane, "#{pane_pid}"]).trim().parse().unwrap();
    let table = Table::read().unwrap();
    let codex = table.tree(first).into_iter().find(|p| p.comm == "codex").unwrap().pid;
    let opened = clock::started_ms(&table.id(codex).unwrap()).unwrap() + 20;
    let marks = world.path().join("home/.codex/tui-thread-reference-capabilities");
    std::fs::create_dir_all(&marks).unwrap();
    let mark = std::fs::File::create(marks.join(talk)).unwrap();
    mark.set_modified(UNIX_EPOCH + Duration::from_millis(opened)).unwrap();
}

#[cfg(not(feature = "portable-process"))]
#[test]
fn a_codex_without_hooks_that_goes_on_with_its_last_conversation_elsewhere_keeps_its_name_and_mail() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    let (world, panes) = team(world, &["codex"]);
    codex_opens(&world, &panes[0], "talk-0000");
    let session = |name: &str| {
        let all = parsed(&world.ok(&["agents", "--json"]));
        let one = all["agents"].as_array().unwrap().iter().find(|a| a["name"] == name).cloned();
        one.unwrap_or_default()["session"].as_str().map(str::to_owned)
    };
    eventually("its conversation is known", || (session("codex-1")? == "talk-0000").then_some(()));
    // Started again in its pane, it begins another conversation.
    again(&world, &panes[0], "codex");
    codex_opens(&world, &panes[0], "talk-0001");
    eventually("its new conversation is known", || {
        world.ok(&["discover", "--quiet"]);
        (session("codex-1")? == "talk-0001").then_some(())
    });
    world.control(&panes[0], "exit");
    eventually("it has ended", || agents(&world).is_empty().then_some(()));
    let id = world.send(&["codex-1", "for this conversation"]);
    // Somebody else, in another conversation.
    let stranger = world.agent("codex", &[]);
    codex_opens(&world, &stranger, "talk-0002");
    eventually("the stranger has a name of its own", || {
        world.ok(&["discover", "--quiet"]);
        (agents(&world) == [own(["codex-2", &stranger, "new"])]).then_some(())
    });
    world.control(&stranger, "exit");
    eventually("it has ended", || agents(&world).is_empty().then_some(()));
    let second = world.agent("codex resume --last", &[]);
    codex_opens(&world, &second, "talk-0001");
    eventually("it is who it was", || {
        world.ok(&["discover", "--quiet"]);
        (agents(&world) == [own(["codex-1", &second, "session"])]).then_some(())
    });
    given_once(&world, &second, &id);
    assert_eq!(given(&world, &stranger, &id), 0);
}

#[test]
fn a_stranger_in_the_same_pane_inherits_nothing() {
    let world = World::new();
    world.start();
    let talks = [("FAKE_AGENT_INBOX", "take"), ("FAKE_AGENT_SESSION", "talk-0001")];
    let pane = world.agent("claude", &talks);
    world.ok(&["discover", "--init", "--quiet"]);
    let pid = parsed(&world.ok(&["agents", "--json"]))["agents"][0]["pid"].to_string();
    std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    let id = world.send(&["claude-1", "for the first one"]);
    eventually("it is held", || (world.stage(&id).0 == "held").then_some(()));
    std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    // A program that is killed leaves its terminal as it was.
    world.tmux(&["send-keys", "-t", &pane, "-l", "stty sane; echo ready-$((1 + 1))"]);
    world.tmux(&["send-keys", "-t", &pane, "C-j"]);
    eventually("the shell is left", || world.screen(&pane).contains("ready-2").then_some(()));
    // Another conversation, which was there before; another kind; another directory.
    let transcript: String =
        world.project().display().to_string().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let projects = world.path().join("home/.claude/projects").join(transcript);
    std::fs::write(projects.join("talk-0002.jsonl"), "{}\n").unwrap();
    let sub = world.project().join("sub");
    std::fs::create_dir(&sub).unwrap();
    for (command, name) in [
        ("FAKE_AGENT_SESSION=talk-0002 claude --resume talk-0002", "claude-2"),
        ("codex", "codex-1"),
        ("cd sub; FAKE_AGENT_SESSION=talk-0003 claude", "claude-2"),
    ] {
        let starts = world.log(&pane).matches("\"start\"").count();
        world.tmux(&["send-keys", "-t", &pane, "-l", command]);
        world.tmux(&["send-keys", "-t", &pane, "Enter"]);
        eventually("it starts", || (world.log(&pane).matches("\"start\"").count() > starts).then_some(()));
        world.ok(&["discover", "--quiet"]);
        assert_eq!(agents(&world), [own([name, &pane, "new"])], "{command}");
        let new = world.send(&[name, "for the newcomer"]);
        given_once(&world, &pane, &new);
        world.control(&pane, "exit");
        eventually("it ends", || agents(&world).is_empty().then_some(()));
    }
    assert_eq!(given(&world, &pane, &id), 0);
    assert_eq!(world.stage(&id).0, "failed");
}

#[test]
fn of_two_that_claim_one_conversation_exactly_one_gets_the_name_however_many_look() {
    let world = World::new();
    world.start();
    let talks = [("FAKE_AGENT_INBOX", "take"), ("FAKE_AGENT_SESSION", "talk-0001")];
    let first = world.agent("claude", &talks);
    world.ok(&["discover", "--init", "--quiet"]);
    let old = waiting_letter(&world, &first);
    world.end_couriers();
    world.tmux(&["kill-pane", "-t", &first]);
    let panes = [0, 1].map(|_| world.agent("claude --resume talk-0001", &talks));
    let look = || world.command("swarm").args(["discover", "--quiet"]).spawn().unwrap();
    let looks: Vec<Child> = (0..6).map(|_| look()).collect();
    for mut one in looks {
        assert!(one.wait().unwrap().success());
    }
    let mut seen = agents(&world);
    seen.sort();
    let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["claude-1", "claude-2"], "{seen:?}");
    let how: Vec<&str> = seen.iter().map(|(.., how)| how.as_str()).collect();
    assert_eq!(how, ["session", "new"], "{seen:?}");
    given_once(&world, &seen[0].1, &old);
    let other = panes.iter().find(|pane| **pane != seen[0].1).unwrap();
    assert_eq!(given(&world, other, &old), 0);
}

/// A message for `claude-1`, which is suspended.
fn waiting_letter(world: &World, pane: &str) -> String {
    let pid = parsed(&world.ok(&["agents", "--json"]))["agents"][0]["pid"].to_string();
    std::process::Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    let id = world.send(&["claude-1", "for this conversation"]);
    eventually("it is held", || (world.stage(&id).0 == "held").then_some(()));
    assert_eq!(given(world, pane, &id), 0);
    id
}

#[test]
fn a_person_may_give_an_agent_the_name_and_the_mail_of_one_that_ended() {
    let (world, panes) = team(World::new(), &["claude", "codex"]);
    world.ok(&["name", "claude-1", "backend"]);
    let id = waiting(&world, "backend", &panes[0], "for the back end");
    world.tmux(&["kill-pane", "-t", &panes[0]]);
    eventually("it is a dead letter", || (world.stage(&id).0 == "failed").then_some(()));
    // An agent may not take it.
    let told = world.below("codex-1", "swarm name codex-1 backend; echo rc=$?");
    assert!(told.contains("only the human can give its name") && told.contains("rc=2"), "{told}");
    let (code, told) = world.refused(&["name", "codex-1", "claude-1"]);
    assert!(code == 2 && told.contains("`swarm name codex-1 backend`"), "{told}");
    world.ok(&["name", "codex-1", "backend"]);
    assert_eq!(agents(&world), [own(["backend", &panes[1], "name"])]);
    given_once(&world, &panes[1], &id);
    for name in ["codex-1", "claude-1", "backend"] {
        let id = world.send(&[name, "to each of its names"]);
        given_once(&world, &panes[1], &id);
    }
}

#[test]
fn a_person_names_an_agent_by_its_environment_or_its_pane() {
    let (world, panes) = team(World::new(), &["claude"]);
    world.tmux(&["set-option", "-p", "-t", &panes[0], "@swarm-name", "api"]);
    let named = world.agent("claude", &[("SWARM_NAME", "backend")]);
    world.ok(&["discover", "--quiet"]);
    let mut seen = agents(&world);
    seen.sort();
    assert_eq!(seen, [own(["api", &panes[0], "given"]), own(["backend", &named, "given"])]);
    let id = waiting(&world, "backend", &named, "for the back end");
    world.tmux(&["kill-pane", "-t", &named]);
    let elsewhere = world.agent("claude", &[("SWARM_NAME", "backend")]);
    world.ok(&["discover", "--quiet"]);
    assert!(agents(&world).contains(&own(["backend", &elsewhere, "name"])), "{:?}", agents(&world));
    given_once(&world, &elsewhere, &id);
    // Nobody else is called so while it lives, and a name that is none is passed over.
    world.agent("codex", &[("SWARM_NAME", "backend")]);
    world.agent("gemini", &[("SWARM_NAME", "Not a name")]);
    world.ok(&["discover", "--quiet"]);
    let names: Vec<String> = agents(&world).into_iter().map(|(name, ..)| name).collect();
    assert!(names.contains(&"codex-1".to_owned()) && names.contains(&"gemini-1".to_owned()), "{names:?}");
}

#[test]
fn a_number_is_given_out_again_and_the_dead_are_listed_on_request_only() {
    let (world, panes) = team(World::new(), &["claude"]);
    let id = world.send(&["claude-1", "this one arrives"]);
    given_once(&world, &panes[0], &id);
    world.below("claude-1", "swarm-msg read --all; swarm-msg lock a.rs; swarm-msg unlock a.rs");
    world.ok(&["read", "--all"]);
    world.tmux(&["kill-pane", "-t", &panes[0]]);
    let listed = |args: &[&str]| world.ok(args).contains("claude-1");
    eventually("it is dead", || (!listed(&["discover"])).then_some(()));
    assert!(!listed(&["agents"]) && listed(&["agents", "--all"]) && listed(&["discover", "--all"]));
    let next = world.agent("claude", &[]);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(agents(&world), [own(["claude-1", &next, "new"])]);
    // The mail that the earlier one read is not the new one's.
    let inbox = world.below("claude-1", "swarm-msg inbox --all --json");
    assert!(!inbox.contains(&id), "{inbox}");
}

#[test]
fn a_hook_that_names_the_conversation_of_one_that_ended_makes_its_agent_that_one() {
    let (world, panes) = team(World::new(), &["codex"]);
    let hook = |name: &str| {
        let input = r#"{"session_id": "0199-thread"}"#;
        world.below(name, &format!("echo '{input}' | swarm hook codex SessionStart; swarm-msg whoami"))
    };
    hook("codex-1");
    let id = waiting(&world, "codex-1", &panes[0], "for that thread");
    world.tmux(&["kill-pane", "-t", &panes[0]]);
    eventually("it is a dead letter", || (world.stage(&id).0 == "failed").then_some(()));
    let next = world.agent("codex", &[]);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(agents(&world), [own(["codex-2", &next, "new"])]);
    let told = hook("codex-2");
    assert!(told.contains("You are codex-1") && told.contains("codex-1 (by"), "{told}");
    assert_eq!(agents(&world), [own(["codex-1", &next, "session"])]);
    assert_eq!(world.tmux(&["display-message", "-p", "-t", &next, "#{@swarm_agent}"]), "codex-1");
    eventually("it has its mail", || matches!(&*world.stage(&id).0, "read" | "submitted").then_some(()));
}

#[test]
fn an_agent_that_is_back_gets_the_leases_that_nobody_took_and_a_stranger_none() {
    let (world, panes) = team(World::new(), &["claude", "codex"]);
    world.below(
        "claude-1",
        "swarm-msg lock --ttl 1h a.rs; swarm-msg lock --ttl 1h --shared b.rs; swarm-msg lock --ttl 1h c.rs",
    );
    world.control(&panes[0], "exit");
    eventually("it is dead", || (agents(&world).len() == 1).then_some(()));
    let leases = || parsed(&world.ok(&["locks", "--json"]))["leases"].clone();
    eventually("they are free", || leases().as_array().unwrap().is_empty().then_some(()));
    world.ok(&["lock", "c.rs"]);
    begin(&world, &panes[0], "codex");
    world.ok(&["discover", "--quiet"]);
    assert_eq!(leases().as_array().unwrap().len(), 1, "a codex is not the claude that ended: {}", leases());
    again(&world, &panes[0], "claude");
    world.ok(&["discover", "--quiet"]);
    assert!(agents(&world).contains(&own(["claude-1", &panes[0], "pane"])), "{:?}", agents(&world));
    let held = leases();
    let of = |path: &str| {
        let holds = |l: &&Value| l["paths"] == serde_json::json!([path]);
        held.as_array().unwrap().iter().find(holds).cloned().unwrap_or_default()
    };
    let seen = ["a.rs", "b.rs", "c.rs"].map(|path| (of(path)["name"].clone(), of(path)["mode"].clone()));
    let expected = [("claude-1", "exclusive"), ("claude-1", "shared"), ("human", "exclusive")];
    assert_eq!(seen, expected.map(|(name, mode)| (Value::from(name), Value::from(mode))), "{held}");
    assert!(of("a.rs")["fence"].as_u64() > Some(3), "with a new number: {held}");
    assert!(of("a.rs")["expires_in_ms"].as_u64() <= Some(3_600_000), "and no longer than before: {held}");
    let told = world.below("claude-1", "swarm-msg inbox --all --json");
    assert!(
        told.contains("you hold again what you held before: a.rs, b.rs; others have taken meanwhile: c.rs"),
        "{told}"
    );
    // It is given back once.
    world.below("claude-1", "swarm-msg unlock a.rs");
    world.ok(&["discover", "--quiet"]);
    assert_eq!(leases().as_array().unwrap().len(), 2);
}

#[test]
fn a_tmux_server_that_is_restored_brings_the_team_back_with_names_mail_and_leases() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "300s");
    world.start();
    let talk = |id: &'static str| [("FAKE_AGENT_INBOX", "take"), ("FAKE_AGENT_SESSION", id)];
    for id in ["talk-0001", "talk-0002"] {
        world.agent("claude", &talk(id));
        world.ok(&["discover", "--init", "--quiet"]);
    }
    world.ok(&["name", "claude-1", "api"]);
    world.ok(&["wait", "--idle", "api", "--timeout", "60"]);
    world.below("api", "swarm-msg lock src/api.rs --ttl 1h");
    world.tmux(&["kill-server"]);
    eventually("both have ended", || agents(&world).is_empty().then_some(()));
    let ids = ["api", "claude-2"].map(|name| world.send(&[name, "while tmux is away"]));
    // What restores a session starts each agent again with its conversation, in whatever order and panes.
    world.start();
    let panes = ["talk-0002", "talk-0001"].map(|id| world.agent(&format!("claude --resume {id}"), &talk(id)));
    world.ok(&["discover", "--quiet"]);
    let mut all = agents(&world);
    all.sort();
    assert_eq!(all, [own(["api", &panes[1], "session"]), own(["claude-2", &panes[0], "session"])]);
    given_once(&world, &panes[1], &ids[0]);
    given_once(&world, &panes[0], &ids[1]);
    let held = eventually("the lease is back", || {
        Some(world.ok(&["locks"])).filter(|locks| locks.contains("src/api.rs"))
    });
    assert!(held.contains("api"), "{held}");
    assert!(!told(&world).contains("has ended"), "{}", told(&world));
}

#[test]
fn several_agents_get_names_by_a_pattern_and_nobodys_name_is_taken() {
    let world = World::with_store();
    let mut all: [Peer; 4] = crate::support::peer::peers(&world);
    world.ok(&["name", "peer-3", "api-2"]);
    let told = world.ok(&["name", "peer-0,peer-1,peer-2", "api-#"]);
    assert_eq!(told, "peer-0 is now api-1\npeer-1 is now api-3\npeer-2 is now api-4\n");
    // Again: each keeps its own.
    let told = world.ok(&["name", "api-4,api-1", "api-#"]);
    assert_eq!(told, "api-4 is now api-4\napi-1 is now api-1\n");
    for (agents, pattern, part) in [
        ("api-1,api-2", "x", "put one #"),
        ("api-1,api-2", "x-#-#", "put one #"),
        ("api-1,nobody", "x-#", "no agent is called 'nobody'"),
        ("api-1,api-2", "X-#", "is not a name"),
    ] {
        let (code, told) = world.refused(&["name", agents, pattern]);
        assert!(code > 1 && told.contains(part), "{agents} {pattern}: {told}");
    }
    assert_eq!(world.ok(&["agents"]).matches("api-").count(), 4);
    // A former name is somebody's, too.
    let (code, told) = world.refused(&["name", "api-2", "peer-0"]);
    assert!(code == 2 && told.contains("api-1 was called peer-0 before"), "{told}");
    let (code, _) = all[0].run("swarm name api-1,api-2 y-#");
    assert_eq!(code, 2, "an agent renames only itself");
}
