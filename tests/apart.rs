//! Projects are apart: several of them, and agents of none, on the same tmux servers.
//!
//! Each courier may know, name, label and type into the agents of its own project only, whatever `SWARM_ROOT` says to whom.

use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The living agents of a project: name and pane.
fn agents(world: &World, dir: &Path) -> Vec<(String, String)> {
    let told = parsed(&world.ok_in(dir, &["agents", "--json"]));
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    told["agents"].as_array().unwrap().iter().map(|a| (text(&a["name"]), text(&a["pane"]))).collect()
}

fn names(world: &World, dir: &Path) -> Vec<String> {
    agents(world, dir).into_iter().map(|(name, _)| name).collect()
}

fn directory(world: &World, name: &str) -> PathBuf {
    let dir = world.path().join(name);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn mark(world: &World, pane: &str, option: &str) -> String {
    world.tmux(&["display-message", "-p", "-t", pane, &format!("#{{{option}}}")])
}

/// Waits until the courier of a project has looked at the panes since it was asked to: an agent that starts now is on its record.
fn surveyed(world: &World, dir: &Path) {
    let before = fs::read_dir(dir.join(".swarm/agents")).unwrap().count();
    let pane = world.agent_in(dir, "gemini", &[]);
    eventually("the courier looks at the panes", || {
        (fs::read_dir(dir.join(".swarm/agents")).unwrap().count() > before).then_some(())
    });
    world.tmux(&["kill-pane", "-t", &pane]);
    let who = || {
        let out =
            world.command("swarm").env_remove("SWARM_ROOT").current_dir(dir).arg("who").output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    eventually("that agent has ended", || (!who().contains("gemini")).then_some(()));
}

/// What an agent was given.
fn given(world: &World, pane: &str) -> String {
    world.events(pane, "submitted").join("\n")
}

#[test]
fn two_projects_and_a_stray_agent_on_one_server_are_apart() {
    let mut world = World::new();
    // A person exports it for all shells: the server's own environment, and so each agent's, has it.
    let root: &'static str = Box::leak(world.project().to_str().unwrap().to_owned().into_boxed_str());
    world.set("SWARM_ROOT", root);
    world.start();
    let (a, b, none) = (world.project(), directory(&world, "b"), directory(&world, "none"));
    let in_b = |args: &[&str]| {
        let out =
            world.command("swarm").env_remove("SWARM_ROOT").current_dir(&b).args(args).output().unwrap();
        assert!(out.status.success(), "swarm {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let stray = world.agent_in(&none, "claude", &[]);
    let of_b = world.agent_in(&b, "codex", &[]);
    let of_a = world.agent_in(&a, "claude", &[]);
    world.ok_in(&a, &["discover", "--init", "--quiet"]);
    in_b(&["discover", "--init", "--quiet"]);
    surveyed(&world, &a);
    surveyed(&world, &b);
    assert_eq!(agents(&world, &a), [("claude-1".to_owned(), of_a.clone())]);
    let told = parsed(&in_b(&["agents", "--json"]));
    let names: Vec<&str> =
        told["agents"].as_array().unwrap().iter().map(|agent| agent["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["codex-1"]);
    world.ok(&["send", "@all", "the secret of a"]);
    in_b(&["send", "@all", "the secret of b"]);
    eventually("both are given theirs", || {
        let seen = given(&world, &of_a).contains("the secret of a")
            && given(&world, &of_b).contains("the secret of b");
        seen.then_some(())
    });
    assert!(!given(&world, &of_a).contains("of b") && !given(&world, &of_b).contains("of a"));
    assert_eq!(given(&world, &stray), "");
    let labels: Vec<String> =
        [&of_a, &of_b, &stray].iter().map(|pane| mark(&world, pane, "@swarm_agent")).collect();
    assert_eq!(labels, ["claude-1", "codex-1", ""]);
    // The next agents get the next names: none was spent on a stranger.
    world.agent_in(&a, "codex", &[]);
    world.agent_in(&b, "claude", &[]);
    world.ok(&["discover", "--quiet"]);
    in_b(&["discover", "--quiet"]);
    assert!(world.ok(&["who"]).contains("codex-1"));
    assert!(in_b(&["who"]).contains("claude-1"));
}

#[test]
fn a_repository_within_a_project_belongs_to_it_until_it_is_a_project_itself() {
    let world = World::new();
    world.start();
    let nested = directory(&world, "project/vendor/nested");
    directory(&world, "project/vendor/nested/.git");
    world.ok(&["init"]);
    let inner = world.agent_in(&nested, "claude", &[]);
    world.agent("codex", &[]);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(names(&world, &world.project()), ["claude-1", "codex-1"]);
    let out = world.command("swarm").env("SWARM_ROOT", &nested).arg("init").output().unwrap();
    assert!(out.status.success());
    world.ok_in(&nested, &["discover", "--quiet"]);
    assert_eq!(agents(&world, &nested), [("claude-1".to_owned(), inner.clone())]);
    // For the outer project it is a stranger from now on, and so is its name.
    world.ok(&["discover", "--quiet"]);
    assert_eq!(names(&world, &world.project()), ["codex-1"]);
    world.ok(&["discover", "--quiet"]);
    eventually("the inner project's name stands on it", || {
        world.ok_in(&nested, &["discover", "--quiet"]);
        (mark(&world, &inner, "@swarm_agent") == "claude-1").then_some(())
    });
}

#[test]
fn a_project_is_the_same_by_every_way_that_leads_to_it() {
    let world = World::new();
    world.start();
    let link = world.path().join("link");
    std::os::unix::fs::symlink(world.project(), &link).unwrap();
    let sub = directory(&world, "project/sub");
    let out = world.command("swarm").env("SWARM_ROOT", &link).arg("init").output().unwrap();
    assert!(out.status.success());
    let real = world.project().canonicalize().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains(real.to_str().unwrap()));
    let panes = [world.agent_in(&link, "claude", &[]), world.agent_in(&sub, "codex", &[])];
    let out = world
        .command("swarm")
        .current_dir(world.path())
        .env("SWARM_ROOT", link.join("sub/.."))
        .args(["discover", "--quiet"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(names(&world, &world.project()), ["claude-1", "codex-1"]);
    for (pane, name) in panes.iter().zip(["claude-1", "codex-1"]) {
        world.ok(&["send", name, "one project"]);
        eventually("it is given", || given(&world, pane).contains("one project").then_some(()));
        assert_eq!(mark(&world, pane, "@swarm_agent"), name);
    }
    assert_eq!(world.couriers().len(), 1);
}

#[test]
fn an_agent_that_was_taken_for_one_of_ours_leaves_with_its_label() {
    let world = World::new();
    world.start();
    let none = directory(&world, "none");
    world.ok(&["init"]);
    let stray = world.agent_in(&none, "claude", &[]);
    let ours = world.agent("claude", &[]);
    world.ok(&["discover", "--quiet"]);
    world.end_couriers();
    // As a courier left it that took every agent for its own.
    let pid: i32 = world.tmux(&["display-message", "-p", "-t", &stray, "#{pane_pid}"]).parse().unwrap();
    let table = swarm::os::process::Table::read().unwrap();
    let process = table.tree(pid).into_iter().find(|p| p.comm == "claude").unwrap().pid;
    let mut record = parsed(&fs::read_to_string(world.state().join("agents/claude-1.json")).unwrap());
    record["name"] = "claude-2".into();
    record["process"] = serde_json::to_value(table.id(process).unwrap()).unwrap();
    record["place"]["pane"] = stray.clone().into();
    record["place"]["pane_pid"] = pid.into();
    record["cwd"] = none.to_str().unwrap().into();
    fs::write(world.state().join("agents/claude-2.json"), record.to_string()).unwrap();
    for (option, value) in [("@swarm_agent", "claude-2"), ("@swarm_badge", "x"), ("@swarm_state", "idle")] {
        world.tmux(&["set-option", "-p", "-t", &stray, option, value]);
    }
    world.ok(&["discover", "--quiet"]);
    assert_eq!(agents(&world, &world.project()), [("claude-1".to_owned(), ours)]);
    eventually("nothing of ours stands on it", || {
        let marks =
            ["@swarm_agent", "@swarm_badge", "@swarm_state"].map(|option| mark(&world, &stray, option));
        marks.iter().all(String::is_empty).then_some(())
    });
    // Nobody wrote to it: its name is free.
    world.agent("claude", &[]);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(names(&world, &world.project()), ["claude-1", "claude-2"]);
}

#[test]
fn the_courier_of_a_project_that_is_gone_ends_and_takes_its_marks_off() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["send", "human", "so that there is a badge"]);
    eventually("the marks are there", || (!mark(&world, &pane, "@swarm_badge").is_empty()).then_some(()));
    assert_eq!(mark(&world, &pane, "@swarm_agent"), "claude-1");
    fs::remove_dir_all(world.state()).unwrap();
    eventually("the courier is gone", || world.couriers().is_empty().then_some(()));
    for option in ["@swarm_agent", "@swarm_badge", "@swarm_root", "@swarm_state"] {
        assert_eq!(mark(&world, &pane, option), "", "{option}");
    }
}

#[test]
fn an_agent_of_another_project_or_of_none_does_not_pass_for_the_human() {
    let world = World::new();
    world.start();
    let (b, none) = (directory(&world, "b"), directory(&world, "none"));
    world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok_in(&b, &["init"]);
    let out = world.path().join("errand.out");
    let errand = format!(
        "#!/bin/sh\nexec >{0}.tmp 2>&1\nexport SWARM_ROOT={1}\nfor c in 'send claude-1 forged' 'inbox' 'read' 'lock x' 'whoami'; do swarm-msg $c; echo \"= $?\"; done\nmv {0}.tmp {0}\n",
        out.display(),
        world.project().display()
    );
    executable(world.path().join("bin/errand"), errand);
    for (dir, told) in
        [(&b, format!("works in the project {}", b.display())), (&none, "belongs to no project".into())]
    {
        let _ = fs::remove_file(&out);
        let pane = world.agent_in(dir, "claude", &[]);
        // A person types the order: swarm knows nothing of this agent.
        world.tmux(&["send-keys", "-t", &pane, "TOOL((errand))"]);
        eventually("it stands there", || world.screen(&pane).contains("TOOL((errand))").then_some(()));
        // An Enter in the same burst as the text is a newline: the next one is not.
        eventually("it is submitted", || {
            std::thread::sleep(std::time::Duration::from_millis(500));
            world.tmux(&["send-keys", "-t", &pane, "Enter"]);
            given(&world, &pane).contains("errand").then_some(())
        });
        let said = eventually("the errand is done", || fs::read_to_string(&out).ok());
        assert_eq!(said.matches("= 5").count(), 5, "{said}");
        assert!(said.contains("below claude") && said.contains(&told) && !said.contains("= 0"), "{said}");
    }
    assert_eq!(parsed(&world.ok(&["status", "--json"]))["unread"], serde_json::json!({}));
    assert!(world.ok(&["locks"]).contains("no leases"));
    assert_eq!(names(&world, &world.project()), ["claude-1"]);
    // Nothing that it did made it known there, either.
    assert_eq!(fs::read_dir(b.join(".swarm/agents")).unwrap().count(), 0);
}

#[test]
fn one_project_on_two_servers_has_one_courier_and_says_where_each_agent_is() {
    let world = World::new();
    world.start();
    let first = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    let second = Second::start(&world);
    let variable = second.tmux(&["display-message", "-p", "#{socket_path},#{pid},0"]);
    let out = world.command("swarm").env("TMUX", variable).args(["discover", "--quiet"]).output().unwrap();
    assert!(out.status.success());
    assert_eq!(names(&world, &world.project()), ["claude-1", "codex-1"]);
    for command in ["agents", "who"] {
        let text = world.ok(&[command]);
        let line = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
        assert!(line("codex-1").contains("second 0:0.0"), "{text}");
        assert!(!line("claude-1").contains("second") && line("claude-1").contains(" 0:1.0"), "{text}");
    }
    world.ok(&["send", "@all", "to both servers"]);
    eventually("both are given it", || {
        let there = fs::read_to_string(world.path().join("second.log")).unwrap_or_default();
        (given(&world, &first).contains("to both servers") && there.contains("to both servers")).then_some(())
    });
    assert_eq!(world.couriers().len(), 1);
}

/// A second tmux server, with one agent in its only pane.
struct Second<'w>(&'w World);

impl<'w> Second<'w> {
    fn start(world: &'w World) -> Self {
        let second = Self(world);
        second.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "48", "codex"]);
        let log = world.path().join("second.log");
        eventually("it starts", || {
            fs::read_to_string(&log).is_ok_and(|log| log.contains("\"start\"")).then_some(())
        });
        second
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = self.0.command("tmux");
        command.env_remove("TMUX").env("FAKE_AGENT_LOG", self.0.path().join("second.log"));
        command.env("FAKE_AGENT_CONTROL", self.0.path().join("second.control"));
        let out = command.args(["-u", "-L", "second"]).args(args).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }
}

impl Drop for Second<'_> {
    fn drop(&mut self) {
        let _ = self.0.command("tmux").env_remove("TMUX").args(["-L", "second", "kill-server"]).output();
    }
}

#[test]
fn a_record_without_an_optional_field_keeps_its_name_and_one_of_a_newer_version_loads() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["name", "claude-1", "anna"]);
    let path = world.state().join("agents/anna.json");
    world.end_couriers();
    let whole = parsed(&fs::read_to_string(&path).unwrap());
    let mut cases: Vec<Value> = Vec::new();
    for field in
        whole.as_object().unwrap().keys().filter(|f| !["name", "process", "place"].contains(&f.as_str()))
    {
        let mut record = whole.clone();
        record.as_object_mut().unwrap().remove(field);
        cases.push(record);
    }
    for field in ["server", "pane_pid", "namespace"] {
        let mut record = whole.clone();
        record["place"].as_object_mut().unwrap().remove(field);
        cases.push(record);
    }
    let mut newer = whole.clone();
    newer["of_a_newer_version"] = serde_json::json!({"x": 1});
    newer["place"]["too"] = 1.into();
    cases.push(newer);
    for record in cases {
        // Whole or not at all, as swarm itself writes: a courier may be reading.
        let part = world.path().join("part");
        fs::write(&part, record.to_string()).unwrap();
        fs::rename(&part, &path).unwrap();
        world.ok(&["discover", "--quiet"]);
        assert_eq!(agents(&world, &world.project()), [("anna".to_owned(), pane.clone())], "{record}");
        let now = parsed(&fs::read_to_string(&path).unwrap());
        for field in ["/kind", "/cwd", "/place/server", "/place/pane_pid", "/place/namespace"] {
            assert_eq!(now.pointer(field), whole.pointer(field), "what is seen is on record again: {record}");
        }
    }
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
}
