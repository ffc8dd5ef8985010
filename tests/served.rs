//! Background servers that run the tools of several agents: what is below one proves nothing, whoever started it. Scripted agents, real
//! processes and sockets.

use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Whether the system tells what other processes have open, and what they were started with.
const SEES_OTHERS: bool = cfg!(all(target_os = "linux", not(feature = "portable-process")));

/// A server that an agent runs as its tool, in a session of its own.
struct Hub(PathBuf);

impl Hub {
    /// `program` is started with the place where it listens.
    fn below(world: &World, name: &str, program: &str, place: &str) -> Self {
        let place = world.path().join(place);
        let start = format!("#!/bin/sh\nsetsid {program} {}\n", place.display());
        executable(world.path().join("bin/start-hub"), start);
        world.ok(&["send", "--no-wait", name, "TOOL((start-hub))"]);
        eventually("the server listens", || UnixStream::connect(&place).ok().map(|_| ()));
        Self(place)
    }

    /// What `script` prints that it runs in `dir`, for whoever that is.
    fn run(&self, dir: &Path, script: &str) -> String {
        let mut stream = UnixStream::connect(&self.0).unwrap();
        write!(stream, "{}\nexec 2>&1; {script}", dir.display()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut told = String::new();
        stream.read_to_string(&mut told).unwrap();
        told
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = UnixStream::connect(&self.0).and_then(|mut stream| stream.write_all(b"end"));
    }
}

fn holders(world: &World) -> Vec<(String, String)> {
    let told = parsed(&world.ok(&["locks", "--json"]));
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    told["leases"].as_array().unwrap().iter().map(|l| (text(&l["paths"][0]), text(&l["name"]))).collect()
}

#[test]
fn a_server_that_no_profile_names_lends_no_agents_proof() {
    if !SEES_OTHERS {
        return;
    }
    let world = World::new();
    world.start();
    let panes = ["claude", "claude"].map(|kind| world.agent(kind, &[]));
    world.ok(&["discover", "--init", "--quiet"]);
    world.below("claude-1", "swarm-msg lock held.rs");
    let id = world.send(&["claude-1", "for it alone", "--ack"]);
    world.reaches(&id, "submitted", "");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-agent"), world.path().join("bin/whatever")).unwrap();
    let hub = Hub::below(&world, "claude-1", "whatever hub", "hub");
    let here = world.project();
    for (said, told) in [
        ("", "it may run commands of other agents too"),
        ("SWARM_NAME=claude-2 ", "if you are claude-1, put"),
    ] {
        for act in [
            "whoami".to_owned(),
            format!("ack {id}"),
            format!("read {id}"),
            format!("reply {id} x"),
            "unlock held.rs".into(),
            "unlock --all".into(),
            "renew".into(),
            "lock other.rs".into(),
            "send claude-2 x".into(),
        ] {
            let seen = hub.run(&here, &format!("{said}swarm-msg {act}; echo rc=$?"));
            assert!(seen.ends_with("rc=2\n"), "{said}{act}: {seen}");
            assert!(seen.to_lowercase().contains(told), "{said}{act}: {seen}");
        }
    }
    assert_eq!(world.recipient(&id)["stage"], "submitted");
    assert_eq!(holders(&world), [("held.rs".to_owned(), "claude-1".to_owned())]);
    // What anybody may see is shown.
    assert!(hub.run(&here, "swarm-msg who").contains("claude-2"));
    // The one that started it may say so; it counts as what it says, and not as proved.
    let seen = hub.run(&here, "SWARM_NAME=claude-1 swarm-msg whoami");
    assert_eq!(seen, "claude-1 (by env)\n");
    // Its own tools beside the server are proved as ever, and so is the other agent.
    assert!(world.below("claude-2", "swarm-msg whoami").contains("claude-2 (by process)"));
    // Where nobody else is, there is nobody to take it for.
    world.tmux(&["kill-pane", "-t", &panes[1]]);
    eventually("the other agent has ended", || (!world.ok(&["who"]).contains("claude-2")).then_some(()));
    assert_eq!(hub.run(&here, "swarm-msg whoami"), "claude-1 (by env)\n");
    let acked = hub.run(&here, &format!("swarm-msg ack {id}; echo rc=$?"));
    assert!(acked.ends_with("rc=0\n"), "{acked}");
    assert_eq!(world.recipient(&id)["by"], "env");
}

#[test]
fn what_a_shared_server_runs_counts_for_the_project_that_it_began_in() {
    let world = World::new();
    world.start();
    let (a, b, none) = (world.project(), world.path().join("b"), world.path().join("none"));
    for dir in [&b, &none, &a.join("sub")] {
        fs::create_dir_all(dir).unwrap();
    }
    for (dir, name) in [(&a, "mine"), (&b, "theirs")] {
        world.agent_in(dir, "codex", &[]);
        world.ok_in(dir, &["discover", "--init", "--quiet"]);
        world.ok_in(dir, &["name", "codex-1", name]);
    }
    let id = world.send(&["mine", "for it alone", "--ack"]);
    world.reaches(&id, "submitted", "");
    // One says to its tasks where they are, as a shell does; the other leaves that to them.
    for place in ["app.says", "app"] {
        let hub = Hub::below(&world, "mine", "codex app-server", place);
        for (dir, name) in [(&a, "mine"), (&b, "theirs"), (&a.join("sub"), "mine")] {
            assert_eq!(hub.run(dir, "swarm-msg whoami"), format!("{name} (by env)\n"), "{place}");
        }
        assert_eq!(hub.run(&a.join("sub"), "cd .. && swarm-msg whoami; true"), "mine (by env)\n");
        let to_a = format!("cd {}", a.display());
        let forced = format!("export SWARM_ROOT={}", a.display());
        let all = [(&b, &forced), (&none, &forced), (&b, &to_a), (&none, &to_a)];
        for (from, how) in if SEES_OTHERS { &all[..] } else { &all[..2] } {
            for act in [format!("ack {id}"), "read --all".into(), "lock x.rs".into(), "whoami".into()] {
                for script in
                    [format!("{how} && swarm-msg {act}"), format!("{how}; swarm-msg {act}; echo rc=$?")]
                {
                    let seen = hub.run(from, &script);
                    let told = format!("comes from {}", from.display());
                    assert!(seen.contains(&told) && !seen.contains("rc=0"), "{place}: {script}: {seen}");
                }
            }
        }
        // Who only was there for a moment is of its own project still, if its server says where it began.
        if place == "app.says" && SEES_OTHERS {
            let seen = hub.run(&b, &format!("{to_a}; cd - >/dev/null; swarm-msg whoami; true"));
            assert_eq!(seen, "theirs (by env)\n");
        }
        assert_eq!(world.recipient(&id)["stage"], "submitted");
        assert!(holders(&world).is_empty());
        // It may say who it is: that is its own word, and recorded so.
        let said = hub.run(&b, &format!("{to_a}; SWARM_NAME=mine swarm-msg whoami; true"));
        assert_eq!(said, "mine (by env)\n");
        drop(hub);
        eventually("it is idle", || world.ok(&["agents"]).contains("idle").then_some(()));
    }
}

#[test]
fn a_tool_that_a_codex_runs_in_another_project_is_not_that_projects_codex() {
    if !SEES_OTHERS {
        return;
    }
    let world = World::new();
    world.start();
    let (a, b, none) = (world.project(), world.path().join("b"), world.path().join("none"));
    fs::create_dir_all(&none).unwrap();
    for (dir, name) in [(&a, "mine"), (&b, "theirs")] {
        fs::create_dir_all(dir).unwrap();
        world.agent_in(dir, "codex", &[]);
        world.ok_in(dir, &["discover", "--init", "--quiet"]);
        world.ok_in(dir, &["name", "codex-1", name]);
    }
    let hub = Hub::below(&world, "mine", "codex app-server", "app.says");
    let records = PathBuf::from(hub.run(&a, "printf %s \"$HOME\"")).join(".codex/sessions/2026/11/27");
    fs::create_dir_all(&records).unwrap();
    let conversation = |number: u8, dir: &Path| {
        let id = format!("01a21c1a-c2c0-7140-b355-f287fa4cd2{number:02}");
        let told = serde_json::json!({"type": "session_meta", "payload": {"id": id, "cwd": dir}});
        let file = records.join(format!("rollout-2026-11-27T08-24-05-{id}.jsonl"));
        fs::write(file, format!("{told}\n")).unwrap();
        format!("export CODEX_THREAD_ID={id}; ")
    };
    let (of_a, of_b, of_none) = (conversation(1, &a), conversation(2, &b), conversation(3, &none));
    for (of, from) in [(&of_b, &b), (&of_none, &none)] {
        for act in ["whoami", "read --all", "lock x.rs"] {
            let seen = hub.run(&a, &format!("{of}swarm-msg {act}; echo rc=$?"));
            assert!(seen.contains(&format!("comes from {}", from.display())), "{seen}");
            assert!(seen.ends_with("rc=5\n"), "{seen}");
        }
    }
    assert!(holders(&world).is_empty());
    // One of its own, one that nobody knows, and one that says who it is.
    assert_eq!(hub.run(&a, &format!("{of_a}swarm-msg whoami; true")), "mine (by env)\n");
    assert_eq!(hub.run(&b, &format!("{of_b}swarm-msg whoami; true")), "theirs (by env)\n");
    let unknown = "export CODEX_THREAD_ID=01a21c1a-c2c0-7140-b355-f287fa4cd299; ";
    assert_eq!(hub.run(&a, &format!("{unknown}swarm-msg whoami; true")), "mine (by env)\n");
    let said = hub.run(&a, &format!("{of_b}SWARM_NAME=mine swarm-msg whoami; true"));
    assert_eq!(said, "mine (by env)\n");
}
