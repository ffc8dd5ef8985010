//! Agents that a person starts, resumes and ends: each gets its name and its first message once, nobody's focus changes, and no process
//! but the agent's own is ended.

use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use serde_json::Value;

/// A project on a server with a plain shell, and no agent.
fn world() -> World {
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    world
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The living agents: name, pane, state.
fn agents(world: &World) -> Vec<(String, String, String)> {
    let all = parsed(&world.ok(&["agents", "--json"]));
    let one = |a: &Value| (text(&a["name"]), text(&a["pane"]), text(&a["state"]));
    all["agents"].as_array().unwrap().iter().map(one).collect()
}

fn pid_of(world: &World, name: &str) -> String {
    let all = parsed(&world.ok(&["agents", "--json"]));
    all["agents"].as_array().unwrap().iter().find(|a| a["name"] == name).unwrap()["pid"].to_string()
}

/// Whether a process runs. One that has ended stays in the table until its parent has taken note of it: tmux 3.3a may do so only when
/// another of its processes ends.
fn lives(pid: &str) -> bool {
    let out = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    !matches!(String::from_utf8(out.stdout).unwrap().trim().chars().next(), None | Some('Z'))
}

fn panes(world: &World) -> Vec<String> {
    world.tmux(&["list-panes", "-a", "-F", "#{pane_id}"]).lines().map(str::to_owned).collect()
}

#[test]
fn several_start_behind_the_window_in_use_with_their_names_and_get_the_prompt_once() {
    let world = world();
    let seen = world.tmux(&["display-message", "-p", "#{window_id} #{pane_id}"]);
    let odd = "read \"docs\"; $(touch no) #{pane_id} and wait";
    let args = ["start", "claude", "--count=2", "--name=api-#", "--group=api", "--json", "--prompt", odd];
    let out = parsed(&world.ok(&args));
    let started = out["agents"].as_array().unwrap();
    let names: Vec<String> = started.iter().map(|a| text(&a["name"])).collect();
    assert_eq!(
        (names, out["failed"].as_array().unwrap().len()),
        (vec!["api-1".into(), "api-2".into()], 0),
        "{out}"
    );
    assert_eq!(world.tmux(&["display-message", "-p", "#{window_id} #{pane_id}"]), seen, "nobody is moved");
    let id = text(&out["prompt"]["id"]);
    for agent in started {
        let pane = text(&agent["pane"]);
        eventually("the prompt is submitted", || (world.given(&pane, &id) == 1).then_some(()));
        assert!(world.events(&pane, "submitted")[0].contains(odd), "{}", world.log(&pane));
    }
    assert!(!world.project().join("no").exists());
    let all = parsed(&world.ok(&["agents", "--json"]));
    assert_eq!(all["groups"][0]["members"], serde_json::json!(["api-1", "api-2"]), "{all}");
    assert_eq!(all["agents"][0]["named"], "given");
    // Its window closes when one ends, as tmux's windows do.
    let first = text(&started[0]["pane"]);
    world.control(&first, "exit");
    eventually("the window is closed", || (!panes(&world).contains(&first)).then_some(()));
    // The next ones get the next numbers, here as parts of the window.
    let told = world.ok(&["start", "codex", "--pane", "--name", "api-#"]);
    assert!(told.contains("api-3 runs in %") && told.contains("idle"), "{told}");
    assert_eq!(world.tmux(&["list-panes", "-F", "#{pane_id}"]).lines().count(), 2);
}

#[test]
fn agents_start_at_the_top_of_the_work_tree_that_the_person_is_in() {
    let world = world();
    let (project, tree) = (world.project(), world.path().join("tree"));
    let git = |args: &[&str]| {
        let own = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "init.defaultBranch=main"];
        let out = world.command("git").args(own).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
    git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    let sub = project.join("src");
    std::fs::create_dir(&sub).unwrap();
    for (name, dir, top) in [("one", &sub, &project), ("two", &tree, &tree)] {
        world.ok_in(dir, &["start", "claude", "--name", name]);
        let all = parsed(&world.ok(&["agents", "--json"]));
        let cwd =
            all["agents"].as_array().unwrap().iter().find(|a| a["name"] == name).unwrap()["cwd"].clone();
        assert_eq!(text(&cwd), top.canonicalize().unwrap().display().to_string());
    }
    // One that is named, also where a variable says which project is meant.
    let root = project.to_str().unwrap();
    let out = world
        .command("swarm")
        .current_dir("/tmp")
        .env("SWARM_ROOT", root)
        .args(["start", "claude", "--name", "three", "--dir", sub.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    let all = parsed(&world.ok(&["agents", "--json"]));
    assert!(
        all["agents"]
            .as_array()
            .unwrap()
            .iter()
            .any(|a| a["name"] == "three" && text(&a["cwd"]).ends_with("/src")),
        "{all}"
    );
}

#[test]
fn of_two_commands_that_start_at_once_the_second_sees_what_the_first_began() {
    let world = world();
    let start = || world.command("swarm").args(["start", "claude", "--name", "solo"]).output().unwrap();
    let codes = std::thread::scope(|scope| {
        let other = scope.spawn(start);
        let own = start();
        let mut codes = [own, other.join().unwrap()].map(|out| out.status.code());
        codes.sort_unstable();
        codes
    });
    assert_eq!(codes, [Some(0), Some(2)]);
    assert_eq!(agents(&world).len(), 1);
    // A directory whose name looks like a style of tmux is still that directory.
    let styled = world.project().join("a #[fg=red] ##{pane_id}");
    std::fs::create_dir(&styled).unwrap();
    world.ok(&["start", "claude", "--name", "styled", "--dir", styled.to_str().unwrap()]);
    let all = parsed(&world.ok(&["agents", "--json"]));
    let found = all["agents"].as_array().unwrap().iter().find(|a| a["name"] == "styled").unwrap();
    assert_eq!(text(&found["cwd"]), styled.canonicalize().unwrap().display().to_string());
    let out = world.command("swarm").args(["end", "@all"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "{out:?}");
}

#[test]
fn what_cannot_be_started_is_refused_before_anything_opens() {
    let world = world();
    let told = world.ok(&["start", "claude", "--name", "reviewer"]);
    assert!(told.contains("reviewer runs in"), "{told}");
    world.ok(&["group", "add", "web", "reviewer"]);
    let before = panes(&world);
    for (args, code, words) in [
        (&["claud"][..], 2, "no kind of agent is called 'claud', did you mean claude?"),
        (&["goose"], 2, "swarm start goose -- PROGRAM"),
        (&["claude", "--count", "17"], 2, "1..=16"),
        (&["claude", "--count", "0"], 2, "1..=16"),
        (&["claude", "--count", "2", "--name", "api"], 2, "put one #"),
        (&["claude", "--name", "reviewer"], 2, "another agent is called reviewer"),
        (&["claude", "--name", "web"], 2, "a group is called @web"),
        (&["claude", "--name", "Human"], 2, "is not a name"),
        (&["claude", "--group", "reviewer"], 2, "is called reviewer, now or formerly"),
        (&["claude", "--dir", "/tmp"], 2, "is no directory of this project"),
        (&["claude", "--session", "a:b"], 2, "is no name of a session"),
        (&["claude", "--prompt", ""], 2, "empty"),
        (&["claude", "--", "no-such-program"], 1, "there is no program no-such-program on PATH"),
        (&["claude", "--", "/no/such/program"], 1, "there is no program /no/such/program"),
    ] {
        let (exit, said) = world.refused(&[&["start"], args].concat());
        assert!(exit == code && said.contains(words), "{args:?}: {exit} {said}");
    }
    let bare = world
        .command(world.path().join("bin/swarm").to_str().unwrap())
        .env("PATH", "/usr/bin:/bin")
        .args(["start", "codex"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&bare.stderr).contains("there is no program codex on PATH"), "{bare:?}");
    assert_eq!(panes(&world), before);
    // Only a person starts and ends agents.
    let said = world.below("reviewer", "swarm start codex; swarm end reviewer; swarm resume");
    assert_eq!(said.matches("only the human can").count(), 3, "{said}");
    let nowhere = World::with_store();
    let (code, said) = nowhere.refused(&["start", "claude"]);
    assert!(code == 7 && said.contains("no tmux server listens"), "{said}");
}

#[test]
fn one_that_ends_at_once_leaves_its_last_words_and_no_pane_and_the_others_run() {
    let world = world();
    executable(
        world.path().join("bin/broken"),
        "#!/bin/sh\necho 'no key:'\necho 'log in first; #(x)' >&2\nexit 3\n",
    );
    let before = panes(&world);
    let (code, said) = world.refused(&["start", "claude", "--", "broken"]);
    assert!(code == 1 && said.contains("claude ended at once: no key: log in first; #(x)"), "{said}");
    assert_eq!(panes(&world), before);
    // Of two, one takes the only seat.
    let only = "#!/bin/sh\nmkdir \"$HOME/seat\" 2>/dev/null || { echo taken; exit 1; }\nexec claude \"$@\"\n";
    executable(world.path().join("bin/only"), only);
    let out =
        world.swarm(&["start", "claude", "--count", "2", "--json", "--prompt", "hello", "--", "only", "--x"]);
    let told = parsed(&String::from_utf8(out.stdout).unwrap());
    assert_eq!((out.status.code(), told["agents"].as_array().unwrap().len()), (Some(1), 1), "{told}");
    assert!(told["failed"][0].as_str().unwrap().contains("taken"), "{told}");
    assert!(String::from_utf8_lossy(&out.stderr).contains("1 of 2 agents runs"));
    let (id, pane) = (text(&told["prompt"]["id"]), text(&told["agents"][0]["pane"]));
    eventually("the prompt is submitted", || (world.given(&pane, &id) == 1).then_some(()));
    // A program that its profile does not know counts as the kind that was named.
    executable(world.path().join("bin/box"), "#!/usr/bin/env perl\nsleep 1000;\n");
    let told = world.ok(&["start", "goose", "--", "box"]);
    assert!(told.contains("goose-1 runs in"), "{told}");
}

#[test]
fn one_that_ended_is_resumed_in_its_conversation_with_its_name_and_its_mail() {
    let mut world = World::new();
    world.set("SWARM_GRACE", "60s");
    world.set("FAKE_AGENT_INBOX", "take");
    world.set("FAKE_AGENT_SESSION", "talk-0001");
    world.start();
    let sub = world.project().join("sub #{pid}");
    std::fs::create_dir(&sub).unwrap();
    // The directory is a format there.
    let first = world.agent_in(&world.project().join("sub ##{pid}"), "claude", &[]);
    world.agent("codex", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["name", "claude-1", "reviewer"]);
    let (code, said) = world.refused(&["resume", "reviewer"]);
    assert!(code == 2 && said.contains("reviewer runs, in"), "{said}");
    assert!(world.ok(&["resume"]).contains("no agent of this project has ended"));
    let said = world.ok(&["end", "reviewer", "codex-1"]);
    assert!(said.contains("reviewer has ended") && said.contains("codex-1 has ended"), "{said}");
    assert!(agents(&world).is_empty());
    let id = world.send(&["reviewer", "for whoever reviews"]);
    let listed = world.ok(&["resume"]);
    assert!(
        listed.contains("swarm resume reviewer")
            && listed.contains("not known in which conversation codex-1"),
        "{listed}"
    );
    assert_eq!(world.ok(&["resume", "--names"]), "reviewer\n");
    let (code, said) = world.refused(&["resume", "codex-1"]);
    assert!(code == 2 && said.contains("swarm start codex --name codex-1"), "{said}");
    let (code, said) = world.refused(&["resume", "review"]);
    assert!(code == 5 && said.contains("did you mean reviewer?"), "{said}");
    let told = world.ok(&["resume", "--all"]);
    assert!(told.contains("reviewer runs in"), "{told}");
    let now = agents(&world);
    let [(name, pane, _)] = &now[..] else { panic!("{now:?}") };
    assert!(name == "reviewer" && *pane != first, "{now:?}");
    let all = parsed(&world.ok(&["agents", "--json"]));
    let agent = &all["agents"][0];
    assert_eq!((&agent["named"], &agent["session"]), (&"session".into(), &"talk-0001".into()), "{agent}");
    assert_eq!(text(&agent["cwd"]), sub.canonicalize().unwrap().display().to_string());
    eventually("its mail is given", || (world.given(pane, &id) == 1).then_some(()));
    // The one without a known conversation is itself by its name.
    let told = world.ok(&["start", "codex", "--name", "codex-1"]);
    assert!(told.contains("codex-1 runs in"), "{told}");
    assert_eq!(parsed(&world.ok(&["agents", "--json"]))["agents"].as_array().unwrap().len(), 2);
}

#[test]
fn an_agent_that_does_something_is_left_alone_unless_that_is_meant() {
    let world = world();
    world.ok(&["start", "claude", "--count", "2"]);
    let pane = agents(&world).iter().find(|a| a.0 == "claude-1").unwrap().1.clone();
    let pid = pid_of(&world, "claude-1");
    world.below("claude-1", "swarm-msg lock src/lib.rs");
    let is = |name: &str, state: &str| {
        eventually(&format!("{name} is {state}"), || {
            agents(&world).iter().any(|a| a.0 == name && a.2 == state).then_some(())
        });
    };
    for (order, state, words) in [
        ("busy 600000", "busy", "is not idle (busy)"),
        ("draft half a thought", "draft", "has a text in its composer"),
        ("dialog", "dialog", "asks you something"),
    ] {
        is("claude-1", "idle");
        world.control(&pane, order);
        is("claude-1", state);
        let (code, said) = world.refused(&["end", "claude-1"]);
        assert!(
            code == 3 && said.contains(words) && said.contains("nothing was done"),
            "{order}: {code} {said}"
        );
        for undo in ["interrupt", "clear", "dialog-close"] {
            world.control(&pane, undo);
        }
    }
    assert!(lives(&pid) && world.ok(&["log", "--event", "agent-end"]).trim().is_empty());
    world.control(&pane, "busy 600000");
    // Of several, those that may end do, and the code says that one did not.
    is("claude-1", "busy");
    is("claude-2", "idle");
    let out = world.swarm(&["end", "claude-1", "claude-2", "nobody", "--json"]);
    let told = parsed(&String::from_utf8(out.stdout).unwrap());
    assert_eq!((out.status.code(), &told["ended"]), (Some(3), &serde_json::json!(["claude-2"])), "{told}");
    assert_eq!(told["refused"].as_array().unwrap().len(), 2, "{told}");
    assert!(lives(&pid));
    let said = world.ok(&["end", "--force", "claude-1"]);
    assert!(said.contains("claude-1 has ended"), "{said}");
    assert!(!lives(&pid));
    eventually("its leases are free", || world.ok(&["locks"]).contains("no leases").then_some(()));
    assert!(world.ok(&["log", "--event", "agent-end"]).contains("claude-1"));
    let (code, _) = world.refused(&["end", "claude-1"]);
    assert_eq!(code, 5);
}

#[test]
fn no_process_but_the_agents_own_is_asked_to_end_and_a_deaf_one_is_told_of() {
    let world = world();
    // One that a person has registered: what its process is cannot be seen.
    let pane = world.tmux(&[
        "new-window",
        "-d",
        "-P",
        "-F",
        "#{pane_id}",
        "-c",
        world.project().to_str().unwrap(),
        "exec cat",
    ]);
    eventually("it runs", || {
        (world.tmux(&["display-message", "-p", "-t", &pane, "#{pane_current_command}"]) == "cat")
            .then_some(())
    });
    world.ok(&["register", "--kind", "claude", "--name", "boxed", &pane]);
    let pid = pid_of(&world, "boxed");
    for force in [&["end", "boxed"][..], &["end", "boxed", "--force"]] {
        let (code, said) = world.refused(force);
        assert!(code == 3 && said.contains("it cannot be seen that process"), "{said}");
    }
    assert!(lives(&pid));
    // An agent that has become another program is that agent no more.
    executable(world.path().join("bin/deaf"), "#!/bin/sh\ntrap '' TERM\nexec claude \"$@\"\n");
    world.ok(&["start", "claude", "--", "deaf"]);
    let pid = pid_of(&world, "claude-1");
    let (code, said) = world.refused(&["end", "claude-1"]);
    assert!(code == 1 && said.contains(&format!("still runs after 10 s: `kill -KILL {pid}`")), "{said}");
    assert!(lives(&pid) && agents(&world).iter().any(|a| a.0 == "claude-1"));
}

#[test]
fn in_a_small_terminal_the_list_of_the_menu_starts_resumes_and_ends() {
    let world = world();
    let open = || {
        let pane = world.tmux(&[
            "new-window",
            "-P",
            "-F",
            "#{pane_id}",
            "-c",
            world.project().to_str().unwrap(),
            "env -u TMUX_PANE swarm crew; exec sh",
        ]);
        world.tmux(&["resize-window", "-t", &pane, "-x", "80", "-y", "20"]);
        pane
    };
    let shows = |pane: &str, text: &str| eventually(text, || world.screen(pane).contains(text).then_some(()));
    let press = |pane: &str, keys: &[&str]| drop(world.tmux(&[&["send-keys", "-t", pane], keys].concat()));
    let pane = open();
    shows(&pane, "Start agents");
    press(&pane, &["s"]);
    shows(&pane, "Enter starts");
    press(&pane, &["C-n"]);
    shows(&pane, "count 2 ^N");
    press(&pane, &["-l", "look around"]);
    press(&pane, &["Tab"]);
    press(&pane, &["-l", "web-#"]);
    shows(&pane, "called web-#: its name");
    press(&pane, &["Enter"]);
    shows(&pane, "web-2 runs in");
    let started = agents(&world);
    assert_eq!(started.len(), 2, "{started:?}");
    for (_, pane, _) in &started {
        eventually("the prompt is given", || {
            world.events(pane, "submitted").iter().any(|t| t.contains("look around")).then_some(())
        });
    }
    eventually("both are idle", || agents(&world).iter().all(|a| a.2 == "idle").then_some(()));
    let pane = open();
    shows(&pane, "End web-2");
    press(&pane, &["3"]);
    shows(&pane, "End web-2?");
    press(&pane, &["n"]);
    eventually("it is left", || (!world.screen(&pane).contains("End web-2?")).then_some(()));
    assert_eq!(agents(&world).len(), 2);
    let pane = open();
    shows(&pane, "End web-2");
    press(&pane, &["3"]);
    shows(&pane, "End web-2?");
    press(&pane, &["y"]);
    shows(&pane, "web-2 has ended");
    assert_eq!(agents(&world).len(), 1);
}
