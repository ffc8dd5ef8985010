//! The work tree that agents share: a command of one that would take another's uncommitted work with it is refused, in real
//! repositories with real git.

use crate::support::{World, executable};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A repository with three committed files, and two agents in it.
fn team() -> World {
    let world = World::new();
    let root = world.project();
    git(&root, &["init", "-q", "-b", "main"]);
    for name in ["mine.rs", "theirs.rs", "free.rs"] {
        fs::write(root.join(name), "committed\n").unwrap();
    }
    fs::write(root.join(".gitignore"), ".swarm/\n").unwrap();
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "-qm", "first"]);
    git(&root, &["branch", "other"]);
    world.start();
    world.agent("claude", &[]);
    world.agent("codex", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world
}

fn git(dir: &Path, args: &[&str]) -> String {
    let out = std::process::Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .env("HOME", dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// What the hooks of an agent's tool say: `event` with `input`, called in `dir`.
fn hook(world: &World, name: &str, dir: &Path, event: &str, input: &Value) -> String {
    let file = world.path().join("input");
    fs::write(&file, input.to_string()).unwrap();
    let kind = name.split('-').next().unwrap();
    let script =
        format!("cd '{}'; swarm hook {kind} {event} <{}; echo \"rc $?\"", dir.display(), file.display());
    let told = world.below(name, &script);
    told.strip_suffix("rc 0\n").unwrap_or_else(|| panic!("{told}")).to_owned()
}

/// An agent writes a file, and its hook tells of it.
fn edits(world: &World, name: &str, path: &Path) {
    fs::write(path, format!("by {name}\n")).unwrap();
    let tool = if name.starts_with("codex") {
        json!({"tool_name": "apply_patch", "tool_input": {"command": format!("*** Begin Patch\n*** Update File: {}\n", path.display())}})
    } else {
        json!({"tool_name": "Write", "tool_input": {"file_path": path}})
    };
    for event in ["PreToolUse", "PostToolUse"] {
        assert_eq!(hook(world, name, &world.project(), event, &tool), "", "{event}");
    }
}

/// Why each of an agent's commands is refused in `dir`, if it is.
fn judged(world: &World, name: &str, dir: &Path, commands: &[&str]) -> Vec<Option<String>> {
    let kind = name.split('-').next().unwrap();
    let mut script = format!("cd '{}'", dir.display());
    for (n, command) in commands.iter().enumerate() {
        let file = world.path().join(format!("input-{n}"));
        let input = json!({"tool_name": "Bash", "tool_input": {"command": command}});
        fs::write(&file, input.to_string()).unwrap();
        script += &format!("; swarm hook {kind} PreToolUse <{}; echo \"rc $?\"", file.display());
    }
    let told = world.below(name, &script);
    let said: Vec<&str> = told.split("rc 0\n").collect();
    assert_eq!(said.len(), commands.len() + 1, "{told}");
    let reason = |text: &&str| {
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        assert!(text.is_empty() || answer["hookSpecificOutput"]["permissionDecision"] == "deny", "{text}");
        answer["hookSpecificOutput"]["permissionDecisionReason"].as_str().map(str::to_owned)
    };
    said[..commands.len()].iter().map(reason).collect()
}

fn refused_in(world: &World, name: &str, dir: &Path, command: &str) -> Option<String> {
    judged(world, name, dir, &[command]).remove(0)
}

fn refused(world: &World, name: &str, command: &str) -> Option<String> {
    refused_in(world, name, &world.project(), command)
}

fn all_pass(world: &World, name: &str, commands: &[&str]) {
    let told = judged(world, name, &world.project(), commands);
    for (command, why) in commands.iter().zip(told) {
        assert_eq!(why, None, "{command}");
    }
}

fn all_refused(world: &World, name: &str, commands: &[&str]) -> Vec<String> {
    let told = judged(world, name, &world.project(), commands);
    commands.iter().zip(told).map(|(command, why)| why.unwrap_or_else(|| panic!("{command}"))).collect()
}

#[test]
fn a_command_that_would_take_anothers_work_is_refused_and_one_for_own_paths_is_not() {
    let world = team();
    let root = world.project();
    let all = [
        "git stash",
        "git reset --hard",
        "git add -A && git commit -m x",
        "git checkout other",
        "git commit -am x",
    ];
    all_pass(&world, "claude-1", &all);
    edits(&world, "codex-1", &root.join("theirs.rs"));
    edits(&world, "codex-1", &root.join("new.rs"));
    edits(&world, "claude-1", &root.join("mine.rs"));
    // The leases that came with the edits are over; what was edited is still known.
    world.below("codex-1", "swarm-msg unlock theirs.rs new.rs");
    for why in all_refused(&world, "claude-1", &all) {
        for part in
            ["theirs.rs was edited by codex-1", "not committed", "git worktree add", "swarm-msg send codex-1"]
        {
            assert!(why.contains(part), "{why}");
        }
        assert!(!why.contains("mine.rs") && !why.contains("free.rs"), "{why}");
    }
    let told = all_refused(
        &world,
        "claude-1",
        &[
            "git clean -fd",
            "git checkout -- theirs.rs",
            "git restore .",
            "sh -c 'cd . && git restore theirs.rs'",
            "git rebase other",
            "git -c alias.z='reset --hard' z",
        ],
    );
    assert!(told[0].contains("new.rs") && !told[0].contains("theirs.rs"), "{}", told[0]);
    all_pass(
        &world,
        "claude-1",
        &[
            "git stash push -- mine.rs",
            "git checkout -- mine.rs free.rs",
            "git add mine.rs && git commit -m x",
            "git commit -m x -- mine.rs",
            "git clean -nfd",
            "git status && git stash list",
            "git checkout -b new",
            "cd / && git stash",
        ],
    );
    // It is codex-1's own.
    let own = ["git stash -- theirs.rs", "git clean -fd", "git add new.rs theirs.rs; git commit -m x"];
    all_pass(&world, "codex-1", &own);
    let why = refused(&world, "codex-1", "git reset --hard").unwrap();
    assert!(why.contains("mine.rs is held by claude-1") && !why.contains("theirs.rs"), "{why}");
}

#[test]
fn what_was_committed_or_is_of_the_dead_stands_in_nobodys_way() {
    let world = team();
    let root = world.project();
    edits(&world, "codex-1", &root.join("theirs.rs"));
    world.below("codex-1", "swarm-msg unlock theirs.rs");
    assert!(refused(&world, "claude-1", "git reset --hard").is_some());
    // No hook of git tells swarm of it. Git counts commits in seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    git(&root, &["commit", "-qam", "theirs"]);
    fs::write(root.join("theirs.rs"), "by claude-1, with a shell\n").unwrap();
    assert_eq!(refused(&world, "claude-1", "git reset --hard"), None);
    edits(&world, "codex-1", &root.join("free.rs"));
    world.below("codex-1", "swarm-msg unlock free.rs");
    assert!(refused(&world, "claude-1", "git reset --hard").is_some());
    let codex = world.ok(&["agents", "--json"]);
    let codex: Value = serde_json::from_str(&codex).unwrap();
    let pane =
        codex["agents"].as_array().unwrap().iter().find(|a| a["name"] == "codex-1").unwrap()["pane"].clone();
    world.tmux(&["kill-pane", "-t", pane.as_str().unwrap()]);
    world.ok(&["discover", "--quiet"]);
    assert_eq!(refused(&world, "claude-1", "git reset --hard"), None);
}

#[test]
fn what_another_holds_is_refused_and_a_setting_makes_it_a_warning_or_nothing() {
    let world = team();
    let root = world.project();
    world.below("codex-1", "swarm-msg lock theirs.rs --reason rename");
    assert_eq!(refused(&world, "claude-1", "git stash"), None, "it is held and clean");
    fs::write(root.join("theirs.rs"), "by hand\n").unwrap();
    let why = refused(&world, "claude-1", "git stash").unwrap();
    assert!(why.contains("theirs.rs is held by codex-1") && why.contains("share one stash"), "{why}");
    fs::write(root.join(".swarm.toml"), "[hooks]\ntree = \"warn\"\n").unwrap();
    assert!(refused(&world, "claude-1", "git stash").is_some(), "a project's file may not loosen it");
    fs::remove_file(root.join(".swarm.toml")).unwrap();
    world.ok(&["config", "set", "--user", "hooks.tree", "warn"]);
    assert_eq!(refused(&world, "claude-1", "git stash"), None);
    let after = hook(&world, "claude-1", &root, "PostToolUse", &json!({"tool_name": "Bash"}));
    assert!(after.contains("theirs.rs is held by codex-1"), "it is told when the command has run: {after}");
    world.ok(&["config", "set", "--user", "hooks.tree", "off"]);
    assert_eq!(refused(&world, "claude-1", "git stash"), None);
    let after = hook(&world, "claude-1", &root, "PostToolUse", &json!({"tool_name": "Bash"}));
    assert!(!after.contains("git stash"), "{after}");
}

#[test]
fn each_work_tree_and_submodule_is_judged_by_itself() {
    let world = team();
    let root = world.project();
    let linked = world.path().join("linked");
    git(&root, &["worktree", "add", "-q", linked.to_str().unwrap(), "other"]);
    let source = world.path().join("source");
    fs::create_dir(&source).unwrap();
    git(&source, &["init", "-q"]);
    fs::write(source.join("part.rs"), "committed\n").unwrap();
    git(&source, &["add", "-A"]);
    git(&source, &["commit", "-qm", "part"]);
    git(&root, &["submodule", "--quiet", "add", source.to_str().unwrap(), "part"]);
    git(&root, &["commit", "-qm", "with a part"]);
    edits(&world, "codex-1", &linked.join("theirs.rs"));
    assert_eq!(refused(&world, "claude-1", "git reset --hard"), None, "that is another tree");
    let command = format!("git -C {} reset --hard", linked.display());
    let why = refused(&world, "claude-1", &command).unwrap();
    assert!(why.contains("linked:theirs.rs"), "{why}");
    assert!(refused_in(&world, "claude-1", &linked, "git stash").is_some());
    let command = format!("git worktree remove --force {}", linked.display());
    assert!(refused(&world, "claude-1", &command).is_some());
    edits(&world, "codex-1", &root.join("part/part.rs"));
    assert_eq!(refused(&world, "claude-1", "git commit -am x"), None, "the submodule keeps its own work");
    assert!(refused(&world, "claude-1", "cd part && git commit -am x").unwrap().contains("part/part.rs"));
    assert_eq!(refused_in(&world, "claude-1", &root.join("part"), "git -C .. stash"), None);
}

/// What an agent's git says, with a name for its commits.
fn runs(world: &World, name: &str, command: &str) -> String {
    let identity =
        "export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x@x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x@x";
    world.below(name, &format!("{identity}; {command}; echo rc $?"))
}

/// A hook of git that calls the guard.
fn guarded_by(world: &World, hook: &str, arguments: &str) {
    let path = world.project().join(".git/hooks").join(hook);
    executable(&path, format!("#!/bin/sh\nswarm guard {arguments} || exit 1\n"));
}

#[test]
fn git_itself_asks_the_guard_where_an_agent_has_no_hooks() {
    let world = team();
    let root = world.project();
    git(&root, &["worktree", "add", "-q", "../linked"]);
    guarded_by(&world, "pre-commit", "");
    guarded_by(&world, "post-commit", "--committed");
    guarded_by(&world, "post-checkout", "--hook post-checkout \"$@\"");
    edits(&world, "codex-1", &root.join("theirs.rs"));
    world.below("codex-1", "swarm-msg unlock theirs.rs");
    let told = runs(&world, "claude-1", "git commit -qam x");
    assert!(told.contains("theirs.rs was edited by codex-1") && told.contains("rc 1"), "{told}");
    // It cannot be refused by then: it is told, to both.
    git(&root, &["commit", "-q", "--allow-empty", "--no-verify", "-m", "second"]);
    let told = runs(&world, "claude-1", "git checkout -q other");
    assert!(told.contains("warning: you checked out another commit") && told.contains("rc 0"), "{told}");
    let mail = world.below("codex-1", "swarm-msg inbox");
    assert!(mail.contains("claude-1 checked out another commit"), "{mail}");
    // A stash is refused before git takes anything away; one of other files is not, and to take one out is none.
    world.ok(&["hooks", "install", "git"]);
    fs::write(root.join("mine.rs"), "by claude-1, with a shell\n").unwrap();
    let sub = root.join("sub");
    fs::create_dir_all(&sub).unwrap();
    for command in [
        "git stash",
        "git stash -u -q",
        "cd sub && git stash push -- ../theirs.rs",
        "cd ../linked && git stash",
    ] {
        if command.contains("linked") {
            edits(&world, "codex-1", &root.join("../linked/theirs.rs"));
            world.below("codex-1", "cd ../linked; swarm-msg unlock theirs.rs");
        }
        let told = runs(&world, "claude-1", command);
        assert!(
            told.contains("git stash is refused") && told.contains("edited by codex-1"),
            "{command}: {told}"
        );
        assert!(told.contains("share one stash") && !told.contains("rc 0"), "{command}: {told}");
    }
    assert_eq!(fs::read_to_string(root.join("theirs.rs")).unwrap(), "by codex-1\n");
    for command in [
        "git stash push -q -- mine.rs",
        "git stash pop -q",
        "git stash push -q -- mine.rs",
        "git stash drop -q",
    ] {
        let told = runs(&world, "claude-1", command);
        assert!(told.contains("rc 0") && !told.contains("swarm"), "{command}: {told}");
    }
    // A person is warned and may; then nobody's work is open there any more.
    let commit = "git -c user.name=x -c user.email=x@x commit -qam x";
    let out = world.command("sh").args(["-c", commit]).output().unwrap();
    let why = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && why.contains("warning: theirs.rs was edited by codex-1"), "{why}");
    fs::write(root.join("theirs.rs"), "by claude-1, with a shell\n").unwrap();
    let told = runs(&world, "claude-1", "git commit -qam x");
    assert!(told.contains("rc 0"), "{told}");
    // A guard that cannot tell lets go and says so.
    fs::write(world.state().join("FORMAT"), "99\n").unwrap();
    let out = world.command("swarm").arg("guard").output().unwrap();
    let why = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && why.contains("so git continues"), "{why}");
}
