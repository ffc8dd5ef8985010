//! Installing and uninstalling the agents' hooks, and the guard of commits: what is the user's stays the user's.

use crate::support::World;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

const KINDS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

/// The settings file of an agent in a project.
fn settings(world: &World, kind: &str) -> PathBuf {
    world.project().join(match kind {
        "claude" => ".claude/settings.local.json",
        "codex" => ".codex/hooks.json",
        "gemini" => ".gemini/settings.json",
        _ => ".opencode/plugins/swarm.js",
    })
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn project() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world
}

/// Settings as people have them.
const FIXTURES: [&str; 20] = [
    "",
    "\n",
    "{}",
    "{ }\n",
    "{\"a\":1}",
    "{\n  \"a\": 1\n}\n",
    "{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\n}",
    "{\r\n  \"a\": 1,\r\n  \"b\": {}\r\n}\r\n",
    "// a comment\n{\n  // another\n  \"a\": 1, // one more\n}\n",
    "/* block */ {\"hooks\": {}} // end",
    "{\"hooks\":{\"Stop\":[]}}",
    "{\"hooks\":{\"Stop\":[{\"hooks\":[{\"type\":\"command\",\"command\":\"beep\"}]}]}}",
    "{\n  \"hooks\": {\n    \"PreToolUse\": [\n      {\n        \"matcher\": \"Bash\",\n        \"hooks\": [\n          { \"type\": \"command\", \"command\": \"my-guard\" }\n        ]\n      }\n    ]\n  }\n}\n",
    "{\n    \"hooks\": {\n        \"BeforeTool\": [{\"matcher\": \"*\", \"hooks\": []}], // mine\n    },\n    \"z\": null\n}\n\n\n",
    "{\"permissions\":{\"allow\":[\"Bash(swarm-msg:*)\"]},\"env\":{\"A\":\"swarm hook claude\"}}",
    "{\"ü\": \"é — 漢字 🙂\", \"esc\": \"\\u00e9\\n\\\"\"}\n",
    "   {\n\"a\"\n:\n1}\n   ",
    "{\"a\": {\"hooks\": {\"Stop\": [1]}}, \"hooks\": {\"Other\": [{\"hooks\": [{\"type\": \"prompt\", \"prompt\": \"x\"}]}]}}",
    "{\"a\":1e400,\"b\":-0,\"c\":123456789012345678901234567890}",
    "{\"a\":true,}\n// the end",
];

#[test]
fn uninstalling_restores_every_file_byte_for_byte() {
    let world = project();
    for kind in ["claude", "codex", "gemini"] {
        for fixture in FIXTURES {
            let path = settings(&world, kind);
            put(&path, fixture.as_bytes());
            world.ok(&["hooks", "install", kind]);
            let with = fs::read_to_string(&path).unwrap();
            assert!(with.contains(&format!(" hook {kind} ")), "{fixture:?}: {with}");
            let told = world.ok(&["hooks", "install", kind]);
            assert!(told.contains("already"), "{fixture:?}: {told}");
            assert_eq!(fs::read_to_string(&path).unwrap(), with, "{fixture:?}");
            world.ok(&["hooks", "uninstall", kind]);
            assert_eq!(fs::read_to_string(&path).unwrap(), fixture, "{kind}");
        }
    }
}

#[test]
fn a_file_that_was_not_there_is_gone_again() {
    let world = project();
    // Nobody is here who would use them.
    let (code, why) = world.refused(&["hooks", "install"]);
    assert!(code == 2 && why.contains("no agent is in use here"), "{why}");
    world.ok(&["hooks", "install", "--all"]);
    for kind in KINDS {
        assert!(settings(&world, kind).exists(), "{kind}");
    }
    let told = world.ok(&["hooks", "status"]);
    assert_eq!(told.matches("enforced").count(), 3, "{told}");
    assert!(told.contains("codex     needs trust"), "{told}");
    world.ok(&["hooks", "uninstall"]);
    for kind in KINDS {
        assert!(!settings(&world, kind).exists(), "{kind}");
        let first = settings(&world, kind);
        let first = first.strip_prefix(world.project()).unwrap().components().next().unwrap();
        assert!(!world.project().join(first).exists(), "{kind}");
    }
    let told = world.ok(&["hooks", "status"]);
    assert_eq!(told.matches("not installed").count(), 4, "{told}");
}

#[test]
fn what_the_user_changed_since_is_kept() {
    let world = project();
    let path = settings(&world, "claude");
    put(&path, b"{\n  \"a\": 1\n}\n");
    world.ok(&["hooks", "install", "claude"]);
    let changed = fs::read_to_string(&path).unwrap().replace("\"a\": 1", "\"a\": 2, \"mine\": true");
    fs::write(&path, changed).unwrap();
    world.ok(&["hooks", "uninstall", "claude"]);
    let left = fs::read_to_string(&path).unwrap();
    assert!(left.contains("\"a\": 2, \"mine\": true") && !left.contains("swarm"), "{left}");
}

#[test]
fn rules_that_let_swarm_msg_run_go_in_when_allowed_and_come_out_byte_for_byte() {
    let world = project();
    let (kind, rule) = ("claude", "Bash(swarm-msg send:*)");
    for fixture in FIXTURES {
        let path = settings(&world, kind);
        put(&path, fixture.as_bytes());
        let told = world.ok(&["hooks", "install", kind]);
        assert!(told.contains("--allow adds rules"), "{told}");
        assert!(!fs::read_to_string(&path).unwrap().contains(rule), "not asked for");
        let told = world.ok(&["hooks", "install", kind, "--allow"]);
        assert!(told.contains("runs swarm-msg without asking"), "{told}");
        let with = fs::read_to_string(&path).unwrap();
        assert!(
            with.contains(rule) && !with.contains("swarm-msg lock)") && !with.contains("swarm-msg lock:")
        );
        assert!(world.ok(&["hooks", "status", kind]).contains("swarm-msg runs without asking"));
        world.ok(&["hooks", "install", kind, "--allow"]);
        world.ok(&["hooks", "install", kind]);
        assert_eq!(fs::read_to_string(&path).unwrap(), with, "{fixture:?}");
        world.ok(&["hooks", "uninstall", kind]);
        assert_eq!(fs::read_to_string(&path).unwrap(), fixture, "{kind}");
    }
    let told = world.ok(&["hooks", "install", "opencode", "--allow"]);
    assert!(told.contains("has no rules"), "{told}");
}

#[test]
fn rules_in_a_file_of_their_own_go_with_the_last_project_that_wants_them() {
    let world = project();
    let other = world.path().join("other");
    fs::create_dir(&other).unwrap();
    let at = |dir: &Path, args: &[&str]| {
        let out = world.command("swarm").current_dir(dir).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    at(&other, &["init"]);
    let here = world.project();
    for (kind, file) in [("codex", ".codex/rules/swarm.rules"), ("gemini", ".gemini/policies/swarm.toml")] {
        let path = world.path().join("home").join(file);
        let told = at(&here, &["hooks", "install", kind]);
        assert!(told.contains("--allow adds rules") && !path.exists(), "{told}");
        assert!(at(&here, &["hooks", "diff", kind, "--allow"]).contains("swarm-msg"));
        let told = at(&here, &["hooks", "install", kind, "--allow"]);
        assert!(told.contains("runs swarm-msg without asking (all but lock), in all projects"), "{told}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("reply") && !text.contains("\"lock\"") && !text.contains(" lock\""), "{text}");
        assert!(at(&here, &["hooks", "status", kind]).contains("swarm-msg runs without asking"));
        at(&other, &["hooks", "install", kind, "--allow"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let told = at(&here, &["hooks", "uninstall", kind]);
        assert!(told.contains("other projects use them") && path.exists(), "{told}");
        at(&other, &["hooks", "uninstall", kind]);
        // Where another variable led then, it is found, too.
        let elsewhere = world.path().join("elsewhere");
        for args in [["hooks", "install", kind, "--allow"], ["hooks", "uninstall", kind, "--project"]] {
            let mut command = world.command("swarm");
            if args[1] == "install" {
                command.env("CODEX_HOME", &elsewhere).env("GEMINI_CLI_HOME", &elsewhere);
            }
            assert!(command.args(args).status().unwrap().success());
            assert_eq!(elsewhere.exists(), args[1] == "install", "{kind}");
        }
        assert!(!path.exists() && !path.parent().unwrap().exists(), "{kind}");
        // What the person has in that file stays; what is not understood is named.
        put(&path, b"# mine");
        at(&here, &["hooks", "install", kind, "--allow"]);
        fs::write(&path, fs::read_to_string(&path).unwrap() + "# more of mine\n").unwrap();
        at(&here, &["hooks", "uninstall", kind]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n# more of mine\n");
        put(&path, b"# >>> Added by swarm hooks install --allow; taken out by swarm hooks uninstall.\nx\n");
        let (code, why) = world.refused(&["hooks", "install", kind, "--allow"]);
        assert!(code == 2 && why.contains("without the other"), "{code} {why}");
        fs::remove_dir_all(path.ancestors().nth(2).unwrap()).unwrap();
        world.ok(&["hooks", "uninstall", kind]);
    }
    at(&here, &["hooks", "install", "codex", "gemini", "--allow"]);
    at(&here, &["uninstall", "--yes"]);
    for dir in [".codex", ".gemini"] {
        assert!(!world.path().join("home").join(dir).exists(), "{dir}");
    }
}

#[test]
fn rules_of_the_users_own_stay_and_swarms_go_however_the_file_was_changed_in_between() {
    let world = project();
    let path = settings(&world, "claude");
    let mine = "{\n  \"a\": 1,\n  \"permissions\": {\"allow\": [\"Bash(swarm-msg send:*)\"]}\n}\n";
    put(&path, mine.as_bytes());
    let change = |from: &str, to: &str| {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replace(from, to)).unwrap();
    };
    world.ok(&["hooks", "install", "claude"]);
    change("\"a\": 1", "\"a\": 2");
    world.ok(&["hooks", "install", "claude", "--allow"]);
    world.ok(&["hooks", "uninstall", "claude"]);
    let left = fs::read_to_string(&path).unwrap();
    assert!(left.contains("\"a\": 2") && !left.contains("hook claude"), "{left}");
    assert_eq!(left.matches("swarm-msg").count(), 1, "{left}");
    world.ok(&["hooks", "install", "claude", "--allow"]);
    change("\"a\": 2", "\"a\": 3");
    world.ok(&["hooks", "uninstall", "claude"]);
    let left = fs::read_to_string(&path).unwrap();
    assert!(left.contains("\"a\": 3") && left.matches("swarm").count() == 1, "{left}");
}

#[test]
fn at_a_terminal_it_is_asked_for_rules_and_for_agents_that_are_not_in_use() {
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    let pane = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "swarm hooks install; sleep 600"]);
    let answer = |question: &str, key: &str| {
        crate::support::eventually(question, || world.screen(&pane).contains(question).then_some(()));
        let keys: Vec<&str> = [key, "Enter"].into_iter().filter(|k| !k.is_empty()).collect();
        world.tmux(&[&["send-keys", "-t", &pane], &keys[..]].concat());
    };
    answer("claude is not in use here. Install its hooks too? [y/N]", "y");
    answer("codex is not in use here", "");
    answer("gemini is not in use here", "n");
    answer("opencode is not in use here", "");
    answer("Let claude run swarm-msg without asking you?", "y");
    crate::support::eventually("it is done", || {
        world.screen(&pane).contains("runs swarm-msg without").then_some(())
    });
    let text = fs::read_to_string(settings(&world, "claude")).unwrap();
    assert!(text.contains("hook claude Stop") && text.contains("Bash(swarm-msg inbox:*)"), "{text}");
    for kind in ["codex", "gemini", "opencode"] {
        assert!(!settings(&world, kind).exists(), "{kind}");
    }
}

#[test]
fn a_linked_file_is_changed_where_it_is_and_its_mode_kept() {
    let world = project();
    let (real, link) = (world.path().join("dotfiles.json"), world.path().join("home/.claude/settings.json"));
    put(&real, b"{}\n");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(&real, &link).unwrap();
    world.ok(&["hooks", "install", "claude", "--user"]);
    assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().contains("swarm"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    world.ok(&["hooks", "uninstall", "claude", "--user"]);
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "{}\n");
}

#[test]
fn what_cannot_be_understood_or_written_is_left_alone() {
    let world = project();
    let path = settings(&world, "gemini");
    for bad in [&b"{"[..], b"[]", b"\xff\xfe{}", b"{\"hooks\": 7}", b"{\"hooks\": {\"AfterAgent\": 1}}"] {
        put(&path, bad);
        let (code, why) = world.refused(&["hooks", "install", "gemini"]);
        assert!(code == 2 && why.contains("settings.json was not changed"), "{why}");
        assert_eq!(fs::read(&path).unwrap(), bad);
    }
    put(&path, b"{}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let (_, why) = world.refused(&["hooks", "install", "gemini"]);
    assert!(why.contains("read-only"), "{why}");
    assert_eq!(fs::read(&path).unwrap(), b"{}");
}

#[test]
fn diff_shows_the_change_and_makes_none() {
    let world = project();
    let path = settings(&world, "claude");
    put(&path, b"{\n  \"a\": 1\n}\n");
    let told = world.ok(&["hooks", "diff", "claude"]);
    assert!(told.contains('+') && told.contains("hook claude UserPromptSubmit"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  \"a\": 1\n}\n");
}

fn git(world: &World, args: &[&str]) -> Output {
    let identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
    world.command("git").args(identity).args(args).output().unwrap()
}

fn commit(world: &World, args: &[&str]) -> (bool, String) {
    let out = git(world, &[&["commit", "-m", "x"], args].concat());
    (out.status.success(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// A repository with two agents, the guard, and a hook of the user's own that notes that it ran.
fn guarded() -> World {
    let world = World::new();
    world.start();
    assert!(git(&world, &["init", "-q"]).status.success());
    let own = world.project().join(".git/hooks/pre-commit");
    put(&own, b"#!/bin/sh\necho ran >>own-hook\nexit 0\n");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o750)).unwrap();
    for kind in ["claude", "codex"] {
        world.agent(kind, &[]);
    }
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["hooks", "install", "git"]);
    world
}

#[test]
fn a_commit_of_what_another_holds_is_refused_to_agents_and_people_are_warned() {
    let world = guarded();
    let odd = "a \"b\" 'c'.rs";
    fs::write(world.project().join(odd), "x").unwrap();
    fs::write(world.project().join("free.rs"), "x").unwrap();
    git(&world, &["add", "free.rs", odd]);
    world.below("codex-1", "swarm-msg lock 'a \"b\" '\\''c'\\''.rs' --reason mine");
    let identity = "-c user.name=x -c user.email=x@example.org";
    let told = world.below("claude-1", &format!("git {identity} commit -qm x; echo rc $?"));
    assert!(told.contains("not committed") && told.contains("codex-1") && told.contains("rc 1"), "{told}");
    let told = world.below("claude-1", &format!("git {identity} commit -qm x free.rs; echo rc $?"));
    assert!(told.contains("rc 0"), "{told}");
    // Its holder, and the person, may.
    let (done, why) = commit(&world, &[]);
    assert!(done && why.contains("warning") && why.contains("codex-1"), "{why}");
    assert_eq!(
        fs::read_to_string(world.project().join("own-hook")).unwrap().lines().count(),
        2,
        "the user's hook ran"
    );
}

#[test]
fn both_names_of_a_renamed_file_are_looked_at() {
    let world = guarded();
    fs::write(world.project().join("old.rs"), "some text that is long enough to be a rename\n").unwrap();
    git(&world, &["add", "old.rs"]);
    assert!(commit(&world, &[]).0);
    world.below("codex-1", "swarm-msg lock old.rs");
    git(&world, &["mv", "old.rs", "new.rs"]);
    let told =
        world.below("claude-1", "git -c user.name=x -c user.email=x@example.org commit -qm x; echo rc $?");
    assert!(told.contains("old.rs is held by codex-1") && told.contains("rc 1"), "{told}");
    assert!(
        world
            .below("codex-1", "git -c user.name=x -c user.email=x@example.org commit -qm x; echo rc $?")
            .contains("rc 0")
    );
}

#[test]
fn a_hook_of_pushes_gets_what_git_says_whole_beside_the_guard() {
    let world = guarded();
    fs::write(world.project().join("a.rs"), "x").unwrap();
    git(&world, &["add", "a.rs"]);
    assert!(commit(&world, &[]).0);
    assert!(git(&world, &["init", "-q", "--bare", "../there.git"]).status.success());
    let own = world.project().join(".git/hooks/pre-push");
    let said = || fs::read_to_string(world.project().join("said")).unwrap();
    // As a script, which gets the guard's lines, and as another program, which stays beside them.
    for (first, branch) in [("#!/bin/sh", "one"), ("#!/usr/bin/env -S sh", "two")] {
        world.ok(&["hooks", "uninstall", "git"]);
        put(&own, format!("{first}\n{{ echo \"$@\"; cat; }} >said\n").as_bytes());
        fs::set_permissions(&own, fs::Permissions::from_mode(0o755)).unwrap();
        world.ok(&["hooks", "install", "git"]);
        let out = git(
            &world,
            &["push", "-q", "../there.git", &format!("HEAD:{branch}"), &format!("HEAD:{branch}2")],
        );
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let lines: Vec<String> = said().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[0].as_str()), (3, "../there.git ../there.git"), "{lines:?}");
        assert!(
            lines[1].contains(&format!("refs/heads/{branch} ")) && lines[1].starts_with("HEAD "),
            "{lines:?}"
        );
    }
}

#[test]
fn the_guard_goes_as_it_came() {
    let world = guarded();
    let own = world.project().join(".git/hooks/pre-commit");
    world.ok(&["hooks", "install", "git"]);
    assert!(world.ok(&["hooks", "status", "git"]).contains("enforced"));
    world.ok(&["hooks", "uninstall", "git"]);
    assert_eq!(fs::read_to_string(&own).unwrap(), "#!/bin/sh\necho ran >>own-hook\nexit 0\n");
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o750);
    assert!(!world.project().join(".git/hooks/post-commit").exists());
    assert!(!world.project().join(".git/hooks/pre-commit.before-swarm").exists());
}

#[test]
fn a_hooks_directory_of_the_whole_machine_is_refused_and_the_repositorys_own_respected() {
    let world = project();
    git(&world, &["init", "-q"]);
    let shared = world.path().join("shared");
    git(&world, &["config", "--global", "core.hooksPath", shared.to_str().unwrap()]);
    let (code, why) = world.refused(&["hooks", "install", "git"]);
    assert!(code == 2 && why.contains("core.hooksPath") && why.contains("global"), "{why}");
    assert!(!shared.exists());
    // One of the repository's own, which git does not show.
    git(&world, &["config", "core.hooksPath", "my-hooks"]);
    fs::write(world.project().join(".git/info/exclude"), "my-hooks\n").unwrap();
    world.ok(&["hooks", "install", "git"]);
    assert!(world.project().join("my-hooks/pre-commit").exists());
}

/// Commits below an agent; gives what was said, and the code.
fn commit_below(world: &World, name: &str, dir: &str) -> String {
    world.below(
        name,
        &format!("cd {dir} && git -c user.name=x -c user.email=x@example.org commit -qm x 2>&1; echo rc $?"),
    )
}

#[test]
fn hooks_that_the_team_shares_are_never_written_and_the_line_to_add_is_given() {
    let world = guarded();
    world.ok(&["hooks", "uninstall", "git"]);
    let shared = world.project().join(".githooks/pre-commit");
    let text = "#!/bin/sh\necho ran >>own-hook\n";
    put(&shared, text.as_bytes());
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o755)).unwrap();
    git(&world, &["add", ".githooks"]);
    assert!(commit(&world, &[]).0);
    // Named as a path, or by a link that leads there.
    for how in ["path", "link", "new"] {
        let hooks = world.project().join(".git/hooks");
        match how {
            "link" => {
                git(&world, &["config", "--unset", "core.hooksPath"]);
                fs::remove_dir_all(&hooks).unwrap();
                symlink("../.githooks", &hooks).unwrap();
            }
            "new" => {
                git(&world, &["config", "core.hooksPath", ".nothing-there-yet"]);
            }
            _ => drop(git(&world, &["config", "core.hooksPath", ".githooks"])),
        }
        let (code, why) = world.refused(&["hooks", "install", "git"]);
        assert!(code == 2 && why.contains("all clones share") && why.contains("swarm guard"), "{how}: {why}");
        assert_eq!(fs::read_to_string(&shared).unwrap(), text);
        let seen = git(&world, &["status", "--porcelain"]).stdout;
        let seen = String::from_utf8(seen).unwrap();
        assert!(!seen.contains("hooks") && !seen.contains(".nothing"), "{how}: {seen}");
        let status = world.ok(&["hooks", "status", "git"]);
        assert!(status.contains("not installed") && !status.contains("enforced"), "{how}: {status}");
    }
    // With that line in it, it is in force, and said to be.
    git(&world, &["config", "core.hooksPath", ".githooks"]);
    let (_, why) = world.refused(&["hooks", "install", "git"]);
    let line = why.split("yourself: ").nth(1).unwrap().trim();
    let after = line.replace("swarm guard", "swarm guard --committed");
    fs::write(&shared, format!("{text}{line}\n")).unwrap();
    put(&shared.with_file_name("post-commit"), format!("#!/bin/sh\n{after}\n").as_bytes());
    assert!(world.ok(&["hooks", "status", "git"]).contains("enforced by your own hooks"));
    world.below("codex-1", "swarm-msg lock held.txt");
    put(&world.project().join("held.txt"), b"x");
    git(&world, &["add", "held.txt"]);
    let told = commit_below(&world, "claude-1", ".");
    assert!(told.contains("not committed") && told.contains("rc 1"), "{told}");
}

#[test]
fn the_guard_holds_in_linked_worktrees_and_submodules_and_status_says_where() {
    let world = guarded();
    world.ok(&["hooks", "uninstall", "git"]);
    let other = world.path().join("other");
    fs::create_dir(&other).unwrap();
    let at = |dir: &Path, args: &[&str]| {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@e.org", "-c", "protocol.file.allow=always"];
        let out = world.command("git").current_dir(dir).args(identity).args(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    at(&other, &["init", "-q"]);
    at(&other, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let project = world.project();
    at(&project, &["commit", "-q", "--allow-empty", "-m", "x"]);
    at(&project, &["submodule", "--quiet", "add", other.to_str().unwrap(), "sub"]);
    at(&project, &["commit", "-qm", "sub"]);
    at(&project, &["worktree", "add", "-q", "../tree"]);
    // Hooks of each working tree's own, as husky has them.
    for dir in [&project, &world.path().join("tree")] {
        put(&dir.join(".own/.gitignore"), b"*\n");
    }
    at(&project, &["config", "core.hooksPath", ".own"]);
    let told = world.ok(&["hooks", "install", "git"]);
    for dir in ["project/.own", "tree/.own", "project/.git/modules/sub/hooks"] {
        let hook = world.path().join(dir).join("pre-commit");
        assert!(
            hook.exists() && told.contains(&world.path().join(dir).display().to_string()),
            "{dir}: {told}"
        );
    }
    world.below("codex-1", "swarm-msg lock sub/held.txt; cd ../tree && swarm-msg lock held.txt");
    for dir in ["sub", "../tree"] {
        let file = project.join(dir).join("held.txt");
        put(&file, b"x");
        at(&project.join(dir), &["add", "held.txt"]);
        let told = commit_below(&world, "claude-1", dir);
        assert!(told.contains("not committed") && told.contains("rc 1"), "{dir}: {told}");
    }
    fs::remove_file(world.path().join("tree/.own/pre-commit")).unwrap();
    let told = world.ok(&["hooks", "status", "git"]);
    let line = told.lines().find(|l| l.contains("tree/.own")).unwrap();
    assert!(!line.contains("enforced") && told.matches("enforced").count() == 2, "{told}");
    world.ok(&["hooks", "uninstall", "git"]);
    assert!(
        !project.join(".own/pre-commit").exists()
            && !project.join(".git/modules/sub/hooks/pre-commit").exists()
    );
}

#[test]
fn a_guard_that_cannot_tell_lets_the_commit_go_on_and_says_so() {
    let world = guarded();
    let breakages: [(&str, &str, &str); 3] = [
        ("an open store", "chmod g+w .swarm/mail", "chmod g-w .swarm/mail"),
        ("a newer format", "cp .swarm/FORMAT f; echo 99 >.swarm/FORMAT", "cp f .swarm/FORMAT"),
        ("no project", "cp .swarm/PROJECT p; echo x >.swarm/PROJECT", "cp p .swarm/PROJECT"),
    ];
    for (what, breaks, repairs) in breakages {
        let script = |text: &str| assert!(world.command("sh").args(["-c", text]).status().unwrap().success());
        fs::write(world.project().join("a.txt"), what).unwrap();
        git(&world, &["add", "a.txt"]);
        script(breaks);
        let (done, why) = commit(&world, &["-q", "a.txt"]);
        script(repairs);
        assert!(done && why.contains("swarm could not check this commit"), "{what}: {why}");
    }
    // A setting of git's that its own commit does without.
    git(&world, &["config", "diff.orderFile", "/none"]);
    assert!(world.ok(&["guard"]).is_empty());
}

#[test]
fn gits_own_environment_leads_to_no_other_repository() {
    let world = guarded();
    world.ok(&["hooks", "uninstall", "git"]);
    let other = world.path().join("other");
    let out = world.command("git").args(["init", "-q"]).arg(&other).output().unwrap();
    assert!(out.status.success());
    for action in ["install", "status", "uninstall"] {
        let mut command = world.command("swarm");
        command
            .env("GIT_DIR", other.join(".git"))
            .env("GIT_WORK_TREE", &other)
            .env("GIT_COMMON_DIR", other.join(".git"))
            .env("GIT_CONFIG_PARAMETERS", "'core.hooksPath'='/tmp/elsewhere'")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.hooksPath")
            .env("GIT_CONFIG_VALUE_0", "/tmp/elsewhere");
        let out = command.args(["hooks", action, "git"]).output().unwrap();
        let told = String::from_utf8(out.stdout).unwrap();
        assert!(out.status.success() && !told.contains("other") && !told.contains("elsewhere"), "{told}");
        assert!(!other.join(".git/hooks/pre-commit").exists() && !Path::new("/tmp/elsewhere").exists());
    }
}

#[test]
fn where_git_runs_no_hooks_that_is_said_and_nothing_is_moved() {
    let world = project();
    git(&world, &["init", "-q"]);
    for (path, word) in
        [("", "set to nothing in git's local"), ("/dev/null", "set to /dev/null in git's local")]
    {
        git(&world, &["config", "core.hooksPath", path]);
        let (code, why) = world.refused(&["hooks", "install", "git"]);
        assert!(code == 2 && why.contains(word) && why.contains("--local --unset core.hooksPath"), "{why}");
    }
    git(&world, &["config", "--unset", "core.hooksPath"]);
    let hook = world.project().join(".git/hooks/post-commit");
    fs::create_dir_all(&hook).unwrap();
    let (code, why) = world.refused(&["hooks", "install", "git"]);
    assert!(code == 2 && why.contains("post-commit is a directory") && hook.is_dir(), "{why}");
    assert!(!world.project().join(".git/hooks/pre-commit").exists());
}

#[test]
fn hooks_that_lead_out_of_the_repository_are_not_followed() {
    let world = guarded();
    world.ok(&["hooks", "uninstall", "git"]);
    let outside = world.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let hooks = world.project().join(".git/hooks");
    fs::remove_dir_all(&hooks).unwrap();
    symlink(&outside, &hooks).unwrap();
    let (code, why) = world.refused(&["hooks", "install", "git"]);
    assert!(code == 2 && why.contains("outside of the repository"), "{why}");
    git(&world, &["config", "core.hooksPath", outside.to_str().unwrap()]);
    assert_eq!(world.refused(&["hooks", "install", "git"]).0, 2);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_guard_of_version_0_1_0_is_taken_over_and_taken_out() {
    let world = guarded();
    let hooks = world.project().join(".git/hooks");
    world.ok(&["hooks", "uninstall", "git"]);
    let own = fs::read_to_string(hooks.join("pre-commit")).unwrap();
    let older = |hook: &str| {
        format!(
            "#!/bin/sh\n# Written by swarm hooks install git; removed by swarm hooks uninstall git.\n# It refuses\nif [ -x '/old/swarm' ]; then '/old/swarm' guard || exit 1; fi\nbefore=$(dirname -- \"$0\")/{hook}.before-swarm\nif [ -x \"$before\" ]; then exec \"$before\" \"$@\"; fi\n"
        )
    };
    for install in [true, false] {
        fs::rename(hooks.join("pre-commit"), hooks.join("pre-commit.before-swarm")).unwrap();
        put(&hooks.join("pre-commit"), older("pre-commit").as_bytes());
        put(&hooks.join("post-commit"), older("post-commit").as_bytes());
        if install {
            assert!(world.ok(&["hooks", "status", "git"]).contains("incomplete"));
            world.ok(&["hooks", "install", "git"]);
            assert!(world.ok(&["hooks", "status", "git"]).contains("enforced"));
            assert!(fs::read_to_string(hooks.join("pre-commit")).unwrap().contains("own-hook"));
        }
        world.ok(&["hooks", "uninstall", "git"]);
        assert_eq!(fs::read_to_string(hooks.join("pre-commit")).unwrap(), own);
        assert!(!hooks.join("post-commit").exists() && !hooks.join("pre-commit.before-swarm").exists());
    }
}

#[test]
fn a_link_that_leads_out_of_the_project_is_named_and_not_followed() {
    let world = project();
    let outside = world.path().join("outside");
    put(&outside.join("settings.json"), b"{}");
    for kind in KINDS {
        fs::create_dir_all(settings(&world, kind).parent().unwrap()).unwrap();
    }
    symlink(outside.join("settings.json"), settings(&world, "claude")).unwrap();
    symlink(outside.join("not-there.json"), settings(&world, "codex")).unwrap();
    fs::remove_dir_all(world.project().join(".opencode/plugins")).unwrap();
    symlink(&outside, world.project().join(".opencode/plugins")).unwrap();
    let (code, why) = world.refused(&["hooks", "install", "--all"]);
    assert!(code == 2 && why.matches("was not changed").count() == 3, "{why}");
    assert!(why.contains("outside /") && why.contains("leads nowhere"), "{why}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("settings.json")).unwrap(), b"{}");
    assert!(fs::read_to_string(settings(&world, "gemini")).unwrap().contains("swarm"), "the others are done");
}

#[test]
fn one_odd_file_stops_nothing_else() {
    let world = project();
    world.ok(&["hooks", "install", "--all"]);
    let odd = settings(&world, "claude");
    fs::write(&odd, "{").unwrap();
    let out = world.swarm(&["hooks", "status"]);
    let told = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(told.contains("gemini") && told.contains("opencode") && told.contains("codex"), "{told}");
    let out = world.swarm(&["uninstall", "--yes"]);
    assert!(!out.status.success() && String::from_utf8_lossy(&out.stderr).contains("settings.local.json"));
    assert_eq!(fs::read_to_string(&odd).unwrap(), "{");
    for kind in ["codex", "gemini", "opencode"] {
        assert!(!settings(&world, kind).exists(), "{kind}");
    }
}

#[test]
fn a_link_on_path_is_what_is_written_down() {
    let world = project();
    world.ok(&["hooks", "install", "claude"]);
    let text = fs::read_to_string(settings(&world, "claude")).unwrap();
    assert!(text.contains(&format!("{}/bin/swarm'", world.path().display())), "{text}");
    // Called by another way it is the same program.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_swarm"));
    command.env_clear().env("HOME", world.path().join("home")).env("PATH", "/usr/bin:/bin");
    let out = command.current_dir(world.project()).args(["hooks", "status", "claude"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("enforced"), "{out:?}");
}

#[test]
fn of_each_living_agent_it_is_said_whether_hooks_reach_it_and_what_repairs_it() {
    let world = World::new();
    world.start();
    let identity = ["-c", "user.name=x", "-c", "user.email=x@e.org"];
    for args in [
        &["init", "-q"][..],
        &["commit", "-q", "--allow-empty", "-m", "x"],
        &["worktree", "add", "-q", "../tree"],
    ] {
        assert!(world.command("git").args(identity).args(args).status().unwrap().success());
    }
    fs::create_dir(world.project().join("sub")).unwrap();
    let other = world.path().join("config");
    let start = |dir: &Path, variables: &[(&str, &str)]| {
        let fixed = ["new-window", "-d", "-P", "-F", "#{pane_id}", "-c", dir.to_str().unwrap()];
        let mut args: Vec<String> = fixed.map(str::to_owned).to_vec();
        for (name, value) in variables {
            args.extend(["-e".to_owned(), format!("{name}={value}")]);
        }
        args.push("sh -c 'claude; exec sh'".into());
        let pane = world.tmux(&args.iter().map(String::as_str).collect::<Vec<_>>());
        crate::support::eventually("the agent starts", || {
            world.log(&pane).contains("\"start\"").then_some(())
        });
    };
    world.ok(&["init"]);
    start(&world.project(), &[]);
    start(&world.project().join("sub"), &[]);
    start(&world.path().join("tree"), &[]);
    start(&world.path().join("tree"), &[("CLAUDE_CONFIG_DIR", other.to_str().unwrap())]);
    world.ok(&["discover", "--quiet"]);
    world.ok(&["hooks", "install", "claude"]);
    let line = |name: &str| {
        let told = world.ok(&["hooks", "status", "claude"]);
        told.lines().find(|l| l.trim_start().starts_with(name)).unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    assert!(line("claude-1").contains("not called yet"), "{}", line("claude-1"));
    for name in ["claude-2", "claude-3", "claude-4"] {
        assert!(
            line(name).contains("not reached") && line(name).contains("&& swarm hooks install claude"),
            "{}",
            line(name)
        );
    }
    let doctor = String::from_utf8(world.swarm(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("claude-2: not reached"), "{doctor}");
    // A call is the evidence.
    world.below("claude-1", "echo '{}' | swarm hook claude Stop");
    assert!(line("claude-1").contains("enforced"), "{}", line("claude-1"));
    // The command that is named does it.
    for dir in [world.project().join("sub"), world.path().join("tree")] {
        let out =
            world.command("swarm").current_dir(&dir).args(["hooks", "install", "claude"]).output().unwrap();
        assert!(out.status.success() && dir.join(".claude/settings.local.json").exists());
    }
    for name in ["claude-2", "claude-3", "claude-4"] {
        assert!(!line(name).contains("not reached"), "{}", line(name));
    }
    put(&other.join("settings.json"), b"{\"disableAllHooks\": true}");
    assert!(
        line("claude-4").contains("switched off in") && line("claude-3").contains("not called yet"),
        "{}",
        line("claude-4")
    );
    // For the person: where each of them looks.
    fs::remove_file(other.join("settings.json")).unwrap();
    world.ok(&["hooks", "install", "claude", "--user"]);
    assert!(other.join("settings.json").exists() && world.path().join("home/.claude/settings.json").exists());
    world.ok(&["hooks", "uninstall", "claude", "--user"]);
    assert!(!other.join("settings.json").exists() && !world.path().join("home/.claude").exists());
    world.ok(&["hooks", "uninstall", "claude"]);
    for dir in [world.project(), world.project().join("sub"), world.path().join("tree")] {
        assert!(!dir.join(".claude").exists(), "{}", dir.display());
    }
}
