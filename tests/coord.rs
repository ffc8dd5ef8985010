//! The coordination document between real processes: nobody's line is lost, nothing else is touched, no file is ever half.
//!
//! No test needs tmux but the one about rows that follow from leases.

use crate::support::{World, eventually};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;

fn file(world: &World) -> PathBuf {
    world.project().join("COORDINATION.md")
}

fn text(world: &World) -> String {
    fs::read_to_string(file(world)).unwrap()
}

fn put(world: &World, text: impl AsRef<[u8]>) {
    fs::write(file(world), text).unwrap();
}

/// What is in the project's root, so that nothing is left lying about there.
fn entries(world: &World) -> Vec<String> {
    let name = |e: fs::DirEntry| e.file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(world.project()).unwrap().flatten().map(name).collect();
    names.sort();
    names
}

fn journal(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.state().join("journal.jsonl")).unwrap_or_default();
    let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.filter(|e| e["event"] == "coord").collect()
}

#[test]
fn a_team_keeps_its_board() {
    let world = World::with_store();
    let (code, said) = world.refused(&["coord", "show"]);
    assert!(code == 2 && said.contains("swarm coord init"), "{said}");
    assert!(world.ok(&["coord", "init"]).contains("is ready"));
    world.ok(&["coord", "add", "goals", "ship the parser"]);
    world.ok(&["coord", "add", "goals", "write the docs"]);
    world.ok(&["coord", "set", "current-work", "a | b"]);
    world.ok(&["coord", "add", "decisions", "use SQLite"]);
    let done = world.ok(&["coord", "done", "goals", "PARSER"]);
    assert!(done.starts_with("Sprint Goals: done: - [x] ship the parser (human, 20"), "{done}");
    let goals = world.ok(&["coord", "get", "goals"]);
    let lines: Vec<&str> = goals.lines().collect();
    assert!(lines[0].starts_with("- [x] ship the parser (human, 20"), "{goals}");
    assert!(lines[1].starts_with("- [ ] write the docs (human, 20"), "{goals}");
    assert!(text(&world).contains("\n| human | a \\| b |  | 20"), "{}", text(&world));
    assert!(world.ok(&["coord", "show", "dec"]).starts_with("## Decisions\n\n- use SQLite (human, "));
    assert_eq!(world.ok(&["coord", "show"]), text(&world));
    assert!(world.ok(&["coord", "show", "coordination"]).contains("## Decisions"));
    // It is there already, and stays as it is.
    let before = text(&world);
    assert!(world.ok(&["coord", "init"]).contains("was not changed"));
    assert_eq!(text(&world), before);
    assert_eq!(entries(&world), [".swarm", "COORDINATION.md"]);
    let verbs: Vec<Value> = journal(&world).iter().map(|e| e["verb"].clone()).collect();
    assert_eq!(verbs, ["init", "add", "add", "set", "add", "done"]);
}

#[test]
fn agents_change_it_with_their_own_command_and_scripts_read_it() {
    let world = World::with_store();
    world.ok(&["coord", "init"]);
    let mut child = world
        .command("swarm-msg")
        .args(["coord", "add", "blocked", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("the schema, 日本語\n".as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&said["version"], &said["section"], &said["changed"]),
        (&1.into(), &"Blocked Items".into(), &true.into())
    );
    let got: Value = serde_json::from_str(&world.ok(&["coord", "get", "blocked", "--json"])).unwrap();
    assert_eq!(got["items"][0]["done"], false);
    assert!(got["items"][0]["text"].as_str().unwrap().starts_with("the schema, 日本語 (human, "), "{got}");
    let all: Value = serde_json::from_str(&world.ok(&["coord", "show", "--json"])).unwrap();
    assert_eq!(all["sections"].as_array().unwrap().len(), 6);
    world.ok(&["coord", "done", "blocked", "schema"]);
    let again: Value =
        serde_json::from_str(&world.ok(&["coord", "done", "blocked", "schema", "--json"])).unwrap();
    assert_eq!(again["changed"], false);
}

#[test]
fn refusals_say_what_there_is_and_change_nothing() {
    let world = World::with_store();
    let document = "# Team\n\n## Goals\n\n- [ ] fix the parser\n- [ ] fix the lexer\n\n## Notes\n\n```\n## Work\n```\n\n## Notes\n";
    put(&world, document);
    for (args, part) in [
        (&["add", "nonsense", "x"][..], "there are: Team, Goals, Notes, Notes"),
        (&["add", "work", "x"], "there is no section 'work'"),
        (&["add", "notes", "x"], "more than once, on lines 8 and 14"),
        (&["done", "goals", "fix"], "line 5: fix the parser, line 6: fix the lexer"),
        (&["done", "goals", "nothing"], "fix the parser, fix the lexer"),
        (&["add", "goals", "a\nb"], "line break"),
        (&["add", "goals", "a\u{202e}b"], "U+202E"),
        (&["add", "goals", " "], "empty"),
        (&["set", "goals", "```"], "would change more than Goals"),
    ] {
        let (code, said) = world.refused(&[&["coord"], args].concat());
        assert!(code == 2 && said.contains(part), "{args:?}: {code} {said}");
    }
    let (code, said) = world.refused(&["coord", "add", "goals", &"x".repeat(2001)]);
    assert!(code == 2 && said.contains("2001 characters"), "{said}");
    assert_eq!(text(&world), document);
    assert_eq!(journal(&world).len(), 0);
}

#[test]
fn sixteen_processes_lose_none_of_eight_hundred_lines() {
    let world = World::with_store();
    let before = "\u{feff}---\r\ntitle: x\r\n---\r\n# Team\r\n\r\n```\r\n## Goals\r\n```\r\n\r\n## Goals\r\n\r\n* one\r\n* two\r\n";
    let behind = "\r\n\r\n<!--\r\n## Goals\r\n-->\r\nLast\r\n----\r\n\r\n- not this list";
    put(&world, format!("{before}{behind}"));
    std::thread::scope(|scope| {
        for process in 0..16 {
            let world = &world;
            scope.spawn(move || {
                // Each in one shell, so that sixteen are at it at any time.
                let loops = format!(
                    "i=0; while [ $i -lt 50 ]; do swarm-msg coord add goals \"line $i of {process}\" >/dev/null || exit 1; i=$((i+1)); done"
                );
                let out = world.command("sh").args(["-c", &loops]).output().unwrap();
                assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            });
        }
    });
    let now = text(&world);
    let added = now.strip_prefix(before).unwrap().strip_suffix(behind).unwrap();
    let lines: Vec<&str> = added.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 800);
    for process in 0..16 {
        let own: Vec<&&str> = lines.iter().filter(|l| l.contains(&format!(" of {process} ("))).collect();
        assert_eq!(own.len(), 50);
        for (i, line) in own.iter().enumerate() {
            assert!(line.starts_with(&format!("* line {i} of {process} (human, ")), "{line}");
        }
    }
    assert_eq!(journal(&world).len(), 800);
    assert_eq!(entries(&world), [".swarm", "COORDINATION.md"]);
}

#[test]
fn a_crash_leaves_the_old_document_or_the_new_one() {
    let world = World::with_store();
    let old = format!("# Goals\n\n- [ ] one\n\n# Long\n\n{}\n", "text\n".repeat(5000));
    for (point, is_new) in [("coord-half-written", false), ("coord-staged", false), ("coord-renamed", true)] {
        put(&world, &old);
        let out = world
            .command("swarm")
            .args(["coord", "add", "goals", "two"])
            .env("SWARM_CRASH_AT", point)
            .output()
            .unwrap();
        assert_eq!(out.status.signal(), Some(9), "{point}");
        let now = text(&world);
        assert_eq!(now != old, is_new, "{point}");
        assert_eq!(now.lines().count(), old.lines().count() + usize::from(is_new), "{point}");
        // The next one is not hindered by what was left, and takes it away.
        world.ok(&["coord", "add", "goals", "three"]);
        assert_eq!(text(&world).lines().count(), now.lines().count() + 1, "{point}");
        assert_eq!(entries(&world), [".swarm", "COORDINATION.md"], "{point}");
    }
}

#[test]
fn a_link_is_followed_within_the_project_only() {
    let world = World::with_store();
    let outside = world.path().join("outside.md");
    fs::write(&outside, "# Goals\n").unwrap();
    symlink(&outside, file(&world)).unwrap();
    for args in [&["coord", "add", "goals", "x"][..], &["coord", "show"], &["coord", "init"]] {
        let (code, said) = world.refused(args);
        assert!(code == 2 && said.contains("a link out of the project"), "{args:?} {said}");
    }
    assert_eq!(fs::read_to_string(&outside).unwrap(), "# Goals\n");
    for (target, why) in [(".swarm/x", "where no document may be"), ("nowhere", "leads nowhere")] {
        fs::write(world.state().join("x"), "# Goals\n").unwrap();
        fs::remove_file(file(&world)).unwrap();
        symlink(target, file(&world)).unwrap();
        let (code, said) = world.refused(&["coord", "add", "goals", "x"]);
        assert!(code == 2 && said.contains(why), "{said}");
    }
    fs::remove_file(file(&world)).unwrap();
    fs::create_dir(world.project().join("docs")).unwrap();
    fs::write(world.project().join("docs/team.md"), "# Goals\n").unwrap();
    symlink("docs/team.md", file(&world)).unwrap();
    world.ok(&["coord", "add", "goals", "x"]);
    assert!(fs::symlink_metadata(file(&world)).unwrap().is_symlink());
    assert!(fs::read_to_string(world.project().join("docs/team.md")).unwrap().contains("- [ ] x (human"));
    assert_eq!(fs::read_dir(world.project().join("docs")).unwrap().count(), 1);
}

#[test]
fn what_is_no_document_is_refused_and_the_mode_is_kept() {
    let world = World::with_store();
    let refused = |why: &str| {
        let (code, said) = world.refused(&["coord", "add", "goals", "x"]);
        assert!(code == 2 && said.contains(why), "{said}");
    };
    put(&world, b"# Goals\n\xff\n");
    refused("not UTF-8 from byte 8 on");
    put(&world, format!("# Goals\n{}", "x".repeat(1 << 20)));
    refused("larger than 1048576 bytes");
    // It fits, but would not with another line.
    put(&world, format!("# Goals\n{}\n", "x\n".repeat((1 << 19) - 10)));
    refused("would be larger than");
    fs::remove_file(file(&world)).unwrap();
    fs::create_dir(file(&world)).unwrap();
    refused("not a file");
    fs::remove_dir(file(&world)).unwrap();
    put(&world, "# Goals\n");
    fs::set_permissions(file(&world), fs::Permissions::from_mode(0o640)).unwrap();
    world.ok(&["coord", "add", "goals", "x"]);
    assert_eq!(fs::metadata(file(&world)).unwrap().permissions().mode() & 0o7777, 0o640);
}

#[test]
fn rows_follow_from_leases_if_that_is_asked_for() {
    for asked in [true, false] {
        let mut world = World::new();
        world.set("SWARM_COORD_AUTO", if asked { "1" } else { "0" });
        world.ok(&["init"]);
        world.ok(&["coord", "init"]);
        world.ok(&["coord", "set", "work", "what I do"]);
        world.start();
        let pane = world.agent("claude", &[]);
        world.ok(&["discover", "--quiet"]);
        let tool = |command: &str| {
            world.ok(&["send", "claude-1", &format!("TOOL(({command}))"), "--no-wait"]);
            eventually(command, || {
                let events = world.log(&pane);
                let mut events = events.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
                events.find(|e| e["event"] == "react" && e["command"] == command)
            });
        };
        tool("swarm-msg lock 'src/a|b.rs' --reason 'new syntax'");
        if !asked {
            // What is sent after it is typed by a courier that has been round with the lease.
            tool("true");
            assert!(!text(&world).contains("claude-1"), "{}", text(&world));
            continue;
        }
        let row = "| claude-1 | new syntax <!-- swarm: from leases --> | src/a\\|b.rs | 20";
        eventually("its row is there", || text(&world).contains(row).then_some(()));
        tool("swarm-msg unlock --all");
        eventually("its row is gone", || (!text(&world).contains("claude-1")).then_some(()));
        assert!(text(&world).contains("\n| human | what I do |"), "{}", text(&world));
    }
}
