//! Who may act for whom: real processes below scripted agents on a private tmux server, detached, sandboxed and nested.

use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use serde_json::Value;
use std::fs;

/// Runs `script` as a tool of claude-1 and gives what it wrote to `$OUT`, which it moves to its place at its end, perhaps
/// much later than the tool ends.
fn detached(world: &World, start: &str, script: &str) -> String {
    let out = world.path().join("detached");
    let _ = fs::remove_file(&out);
    program(world, "attempt", &format!("({script}) >{0}.tmp 2>&1; mv {0}.tmp {0}", out.display()));
    world.below("claude-1", &start.replace("ATTEMPT", "attempt"));
    eventually("the attempt is over", || fs::read_to_string(&out).ok())
}

/// Everything one agent has that another one may want to act on.
fn belongings(world: &World) -> String {
    let id = world.send(&["gemini-1", "for gemini only", "--ack"]);
    eventually("it is typed", || (world.recipient(&id)["stage"] == "submitted").then_some(()));
    world.below("gemini-1", "swarm-msg lock held.rs");
    id
}

/// Acts on another's mail, lease and name.
fn acts(id: &str) -> String {
    format!(
        "for act in 'ack {id}' 'read {id}' 'read --all' 'reply {id} x' 'unlock held.rs' 'unlock --all' 'renew' 'lock other.rs'; do \
         swarm-msg $act; echo \"rc=$?\"; done; swarm name gemini-1 stolen; echo \"rc=$?\"; \
         swarm unlock --force --yes held.rs; echo \"rc=$?\""
    )
}

/// What is another's is as it was; if nobody is who it says, nothing was done at all.
fn unharmed(world: &World, id: &str, told: &str, nobody: bool) {
    assert_eq!(told.matches("rc=").count(), 10, "{told}");
    assert!(!nobody || !told.contains("rc=0"), "{told}");
    let way = world.recipient(id);
    assert_eq!(
        (&way["name"], &way["stage"]),
        (&Value::from("gemini-1"), &Value::from("submitted")),
        "{told}"
    );
    let locks = parsed(&world.ok(&["locks", "--json"]));
    let held = locks["leases"].as_array().unwrap().iter().find(|l| l["paths"][0] == "held.rs");
    assert_eq!(held.map(|l| &l["name"]), Some(&Value::from("gemini-1")), "{told}");
    assert!(!nobody || locks["leases"].as_array().unwrap().len() == 1, "{told}");
}

/// Makes a program of a script.
fn program(world: &World, name: &str, script: &str) {
    let file = world.path().join("bin").join(name);
    executable(&file, format!("#!/bin/sh\n{script}\n"));
}

#[test]
fn a_detached_process_acts_for_nobody_whatever_its_environment_says() {
    let (world, panes) = World::with_agents(&["claude", "gemini"], &[]);
    let id = belongings(&world);
    let start = format!(
        "(TMUX_PANE={} setsid sh -c 'while [ $(ps -o ppid= -p $$) -ne 1 ]; do sleep .05; done; ATTEMPT' &)",
        panes[1]
    );
    let told = detached(&world, &start, &acts(&id));
    unharmed(&world, &id, &told, true);
    assert!(told.contains("swarm cannot know who you are"), "{told}");
    // Nor for the one that started it, nor as the human.
    let start = start.replace(&panes[1], &panes[0]);
    let told = detached(&world, &start, "swarm-msg whoami; swarm-msg send human x; swarm-msg who");
    assert!(
        !told.contains("(by human)") && told.matches("swarm cannot know who you are").count() == 2,
        "{told}"
    );
    assert!(told.contains("gemini-1"), "what anybody may see is shown: {told}");
    let start = start.replace(&format!("TMUX_PANE={}", panes[0]), "env -u TMUX_PANE -u TMUX CLAUDECODE=1");
    let told = detached(&world, &start, "swarm-msg whoami; swarm unlock --force --yes held.rs");
    assert!(told.matches("swarm cannot know who you are").count() == 2, "{told}");
}

#[test]
fn a_sandbox_acts_for_the_agent_that_it_is_below_and_for_no_other() {
    let (world, panes) = World::with_agents(&["claude", "gemini"], &[]);
    let id = belongings(&world);
    if world.below("claude-1", "unshare -pf --mount-proc true && echo can").trim() != "can" {
        return; // no namespaces here
    }
    for how in ["unshare -pf --mount-proc", "unshare -pf"] {
        program(&world, "acts", &acts(&id));
        let told = world.below("claude-1", &format!("TMUX_PANE={} {how} acts", panes[1]));
        // Where the outer /proc was kept, it is known by its process.
        unharmed(&world, &id, &told, how.ends_with("proc"));
        let own = world.send(&["claude-1", "for claude", "--ack"]);
        eventually("it is typed", || (world.recipient(&own)["stage"] == "submitted").then_some(()));
        let told = world.below(
            "claude-1",
            &format!("{how} sh -c 'swarm-msg read {own} && swarm-msg ack {own}; echo rc=$?'"),
        );
        assert!(told.contains("for claude") && told.contains("rc=0"), "{how}: {told}");
        let way = world.recipient(&own);
        let known = if how.ends_with("proc") { "namespace" } else { "process" };
        assert_eq!((&way["stage"], &way["by"]), (&Value::from("acked"), &Value::from(known)), "{how}");
    }
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    let acked = journal.lines().map(parsed).find(|e| e["event"] == "acked").unwrap();
    assert!(acked["identity"] == "process" || acked["identity"] == "namespace", "{acked}");
}

#[test]
fn an_agent_that_another_one_started_has_no_mail_and_no_name() {
    let (world, _panes) = World::with_agents(&["claude", "gemini"], &[]);
    let id = world.send(&["claude-1", "for the one in the pane", "--ack"]);
    eventually("it is typed", || (world.recipient(&id)["stage"] == "submitted").then_some(()));
    for nested in
        ["exec -a claude sh -c 'ACTS' -p", "exec -a codex sh -c 'ACTS' exec", "exec -a gemini sh -c 'ACTS'"]
    {
        let told = world.below(
            "claude-1",
            &format!("bash -c \"{}\"", nested.replace("ACTS", &format!("swarm-msg ack {id}; echo rc=\\$?; swarm-msg read {id}; swarm-msg whoami; swarm-msg who; true"))),
        );
        assert!(told.contains("rc=2") && told.matches("claude-1 started").count() == 3, "{nested}: {told}");
    }
    assert_eq!(world.recipient(&id)["stage"], "submitted");
    // A shell, a script and another directory are no such agent.
    let told = world
        .below("claude-1", "cd / && cd - >/dev/null; sh -c 'env bash -c \"swarm-msg whoami; true\"; true'");
    assert_eq!(told.lines().last(), Some("claude-1 (by process)"), "{told}");
}

#[test]
fn agents_rename_themselves_only_and_who_is_concerned_is_told() {
    let (world, panes) = World::with_agents(&["claude", "gemini"], &[]);
    let told = world.below("claude-1", "swarm name gemini-1 stolen; echo rc=$?");
    assert!(told.contains("only the human, or gemini-1 itself") && told.contains("rc=2"), "{told}");
    assert!(world.below("claude-1", "swarm name claude-1 anna; echo rc=$?").contains("rc=0"));
    let inbox = world.ok(&["inbox"]);
    assert!(inbox.contains("claude-1 is now called anna: anna renamed it"), "{inbox}");
    world.ok(&["name", "gemini-1", "otto"]);
    eventually("it is told", || {
        world
            .events(&panes[1], "submitted")
            .iter()
            .any(|t| t.contains("gemini-1 is now called otto"))
            .then_some(())
    });
    assert!(!world.ok(&["inbox"]).contains("otto"), "who did it knows");
}

#[test]
fn renaming_neither_opens_the_rate_limit_nor_makes_the_store_grow() {
    let mut world = World::new();
    world.set("SWARM_RATE_LIMIT", "10/600");
    world.start();
    world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    let script = "n=0; for i in 1 2 3; do for j in 1 2 3 4 5; do swarm-msg send --no-wait human x >/dev/null 2>&1 && n=$((n+1)); done; \
                  swarm name $(swarm-msg whoami | cut -d\" \" -f1) other-$i >/dev/null 2>&1 && n=$((n+1)); done; \
                  swarm name $(swarm-msg whoami | cut -d\" \" -f1) last 2>&1; echo $?; echo $n";
    let told = world.below("claude-1", script);
    let lines: Vec<&str> = told.lines().collect();
    assert!(told.contains("rate limit") && lines[lines.len() - 2..] == ["4", "10"], "{told}");
    // The human may, as often as it likes, and nothing is left of it but what mail is written to.
    let mut name = parsed(&world.ok(&["agents", "--json"]))["agents"][0]["name"].as_str().unwrap().to_owned();
    for n in 0..40 {
        let next = format!("name-{n}");
        world.ok(&["name", &name, &next]);
        name = next;
    }
    let record = parsed(&fs::read_to_string(world.state().join(format!("agents/{name}.json"))).unwrap());
    let former: Vec<&str> =
        record["formerly"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    let mail = fs::read_dir(world.state().join("mail")).unwrap().count();
    let rates = fs::read_dir(world.state().join("rate")).unwrap().count();
    assert!(mail < 8 && rates < 6, "{mail} mailboxes, {rates} windows");
    // Its notices were written to 40 names, and all of them are still its own.
    let quarantined = fs::read_dir(world.state().join("quarantine")).unwrap().count();
    assert_eq!(quarantined, 0, "{former:?}");
}
