//! Making and checking profiles without the source: every command ends with its documented code and names the rule.

use crate::support::{World, eventually, world_with_claude};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn fixtures(dir: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dir).display().to_string()
}

fn installed(world: &World, file: &str, text: &str) -> PathBuf {
    let dir = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(file), text).unwrap();
    dir.join(file)
}

/// The exit code and what was printed.
fn run(world: &World, args: &[&str]) -> (i32, String) {
    let out = world.swarm(args);
    (out.status.code().unwrap(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
}

const TEMPLATE: &str = include_str!("../docs/profile.toml");

#[test]
fn lint_names_what_cannot_work_and_ends_with_1_or_with_2_if_the_file_cannot_be_used() {
    let world = World::new();
    let file = |name: &str, text: &str| {
        let path = world.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = file("good.toml", TEMPLATE);
    let (code, said) = run(&world, &["profile", "lint", &good]);
    assert_eq!((code, said.contains("good.toml: nothing suspicious")), (0, true), "{said}");
    // A rule that cannot work.
    let loose =
        file("loose.toml", &TEMPLATE.replace("prompt = '^> '", "prompt = '> '\ncollapsed = ['^\\[x']"));
    let (code, said) = run(&world, &["profile", "lint", &loose]);
    assert_eq!((code, said.lines().count()), (1, 2), "{said}");
    assert!(said.contains("screen.prompt: '> ' does not begin with ^"), "{said}");
    assert!(said.contains("screen.collapsed without collapses_above"), "{said}");
    // Every error of a file that cannot be used, with its line.
    let text = "kind = 'x'\ntitel = 'X'\n[screen]\npromt = '^> '\ncontinuation = '('\nbelow = 'one'\n[[screen.open]]\nname = 'y'\n";
    let (code, said) = run(&world, &["profile", "lint", &file("bad.toml", text)]);
    assert_eq!(code, 2, "{said}");
    for expected in [
        "line 2: there is no key 'titel' here; did you mean 'title'?",
        "line 4: there is no key 'promt' here; did you mean 'prompt'?",
        "line 3: 'prompt' is missing",
        "line 6: 'below' must be a whole number",
        "line 7: 'is' is missing",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // Two of one kind: of the files, or beside one that is installed.
    let (code, said) = run(&world, &["profile", "lint", &good, &good]);
    assert!(code == 1 && said.contains("is of the same kind, my-agent"), "{said}");
    let own = installed(&world, "mine.toml", TEMPLATE);
    assert!(run(&world, &["profile", "lint", &good]).1.contains("profiles/mine.toml is of the same kind"));
    assert_eq!(run(&world, &["profile", "lint", own.to_str().unwrap()]).0, 0);
    // One that is being repaired takes the place of the one of its name, and of the built-in one: that is no fault.
    let copy = file("mine.toml", TEMPLATE);
    let (code, said) = run(&world, &["profile", "lint", &copy]);
    assert_eq!((code, said.contains("nothing suspicious")), (0, true), "{said}");
    let claude = include_str!("../src/agents/profiles/claude.toml");
    installed(&world, "claude.toml", claude);
    let (code, said) = run(&world, &["profile", "lint", &file("claude.toml", claude)]);
    assert_eq!((code, said.contains("nothing suspicious")), (0, true), "{said}");
    assert!(said.contains("in use, it replaces the built-in profile of Claude Code"), "{said}");
    let (code, said) = run(&world, &["profile", "lint", "nowhere.toml"]);
    assert!(code == 2 && said.contains("nowhere.toml: there is no such file"), "{said}");
}

#[test]
fn check_reads_every_recorded_screen_and_fails_at_one_that_is_falsely_idle() {
    let world = World::new();
    let screens = fixtures("screens/claude");
    let (code, said) = run(&world, &["profile", "check", "claude", &screens]);
    assert!(code == 0 && said.contains(", 0 false idle, 0 missed"), "{said}");
    assert!(said.contains("the composer is empty and there is no sign of a turn"), "{said}");
    assert!(said.contains("\nbusy "), "{said}");
    // Without the rule for a turn the same screens are falsely idle.
    let file = world.path().join("claude.toml");
    let rules = include_str!("../src/agents/profiles/claude.toml");
    let blind: Vec<&str> = rules.lines().filter(|line| !line.starts_with("busy")).collect();
    fs::write(&file, blind.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    let (code, said) = run(&world, &["profile", "check", file, &screens]);
    assert!(code == 1 && said.contains("FALSE IDLE") && said.contains("swarm would type where"), "{said}");
    let (code, said) = run(&world, &["profile", "check", "--json", file, &screens]);
    let told: Value = serde_json::from_str(&said).unwrap();
    let wrong = told["screens"].as_array().unwrap().iter().filter(|s| s["false_idle"] == true).count();
    assert_eq!((code, told["false_idle"].as_u64()), (1, Some(wrong as u64)));
    assert!(wrong > 0 && told["matrix"]["busy"]["idle"].as_u64() == Some(wrong as u64), "{said}");
    // What is missing is named.
    for (args, expected) in [
        (["claude", "/nowhere"], "/nowhere: it cannot be read"),
        (["claude", world.path().to_str().unwrap()], "there are no recorded screens"),
        (["nobody", &screens], "there is no file nobody, and no profile of that kind"),
    ] {
        let (code, said) = run(&world, &[&["profile", "check"][..], &args].concat());
        assert!(code == 2 && said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn list_shows_where_each_profile_is_from_and_a_version_that_nobody_has_tested() {
    let (world, _) = world_with_claude();
    installed(&world, "mine.toml", TEMPLATE);
    installed(&world, "broken.toml", "kind = 'gemini'\n[");
    // An agent whose package says its version.
    let package = world.path().join("lib/versions/9.9.9");
    fs::create_dir_all(&package).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_fake-agent"), package.join("codex")).unwrap();
    let link = world.path().join("bin/codex");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(package.join("codex"), link).unwrap();
    world.agent("codex", &[]);
    let text = eventually("the version is seen", || {
        let text = world.ok(&["profile", "list"]);
        (!cfg!(target_os = "linux") || text.contains("9.9.9")).then_some(text)
    });
    let row = |kind: &str| {
        text.lines().find(|l| l.starts_with(&format!("{kind} "))).unwrap_or_else(|| panic!("{text}"))
    };
    assert!(row("codex").contains("0.169.0") && row("codex").ends_with("built in"), "{text}");
    assert!(
        row("my-agent").contains("profiles/mine.toml") && row("gemini").contains("broken.toml"),
        "{text}"
    );
    assert!(text.contains("broken.toml is not valid: line 2"), "{text}");
    if cfg!(target_os = "linux") {
        assert!(text.contains("nobody has tested these rules with 9.9.9"), "{text}");
    }
    let told: Value = serde_json::from_str(&world.ok(&["profile", "list", "--json"])).unwrap();
    let aider = told["profiles"].as_array().unwrap().iter().find(|p| p["kind"] == "aider").unwrap().clone();
    assert_eq!((&aider["tested"][0], &aider["file"]), (&"0.86.2".into(), &Value::Null));
}

#[test]
fn explain_reads_a_screen_by_a_file_that_is_not_in_use() {
    let (world, pane) = world_with_claude();
    let rules = include_str!("../src/agents/profiles/claude.toml");
    let file = world.path().join("claude.toml");
    fs::write(&file, rules.replace("busy = [", "busy = ['.', ")).unwrap();
    let file = file.to_str().unwrap();
    eventually("it is idle", || world.ok(&["explain", &pane]).contains("state: idle").then_some(()));
    assert!(world.ok(&["explain", "--profile", file, &pane]).contains("state: busy"));
    // By another kind's rules, and where no profile knows the process.
    let other = world.ok(&["explain", "--profile", "codex", "claude-1"]);
    assert!(
        other.contains("agent of kind claude") && other.contains("by the rules for codex, all the same"),
        "{other}"
    );
    let shell = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "sleep 1000"]);
    let told = world.ok(&["explain", "--profile", file, &shell]);
    assert!(told.contains("no agent") && told.contains("state: "), "{told}");
    let (code, said) = run(&world, &["explain", "--profile", "/nowhere.toml", &pane]);
    assert!(code == 2 && said.contains("there is no file /nowhere.toml"), "{said}");
}

#[test]
fn no_profile_makes_a_shell_an_agent() {
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    let shell = "kind = 'shell'\n[process]\nnames = ['shell', 'sh']\n[screen]\nprompt = '^[$#>] '\ncontinuation = '^> '\nbelow = 0\n";
    let path = installed(&world, "shell.toml", shell);
    let file = path.to_str().unwrap();
    let pane = world.tmux(&["display-message", "-p", "#{pane_id}"]);
    let (code, said) = run(&world, &["profile", "lint", file]);
    assert!(code == 2 && said.contains("process.names: sh is a shell, and no shell is an agent"), "{said}");
    for args in [&["explain", "--profile", file, &pane][..], &["profile", "check", file, "screens"]] {
        assert_eq!(run(&world, args).0, 2, "{args:?}");
    }
    assert!(world.ok(&["explain", &pane]).contains("no agent"));
    assert!(!world.ok(&["discover"]).contains("shell-1"));
    let (code, said) = run(&world, &["profile", "new", "bash", "screens"]);
    assert!(code == 2 && said.contains("bash is a shell"), "{said}");
    // Its command line tells a script that a shell runs from other shells.
    fs::write(&path, shell.replace("[screen]", "path = [' my-agent$']\n[screen]")).unwrap();
    assert!(world.ok(&["explain", &pane]).contains("no agent"));
    assert!(run(&world, &["profile", "lint", file]).1.contains("screen.busy"), "it is used");
}

#[test]
fn a_file_that_is_no_profile_is_named_once_with_what_is_wrong_by_every_command() {
    let (world, _) = world_with_claude();
    let dir = installed(&world, "x.toml", "").parent().unwrap().to_owned();
    let file = dir.join("x.toml");
    let large = format!("{TEMPLATE}{}", "#".repeat(300 << 10));
    let makes: [(&dyn Fn(), &str); 4] = [
        (&|| fs::create_dir(&file).unwrap(), "it is not a regular file"),
        (&|| fs::write(&file, [0xff, 0xfe]).unwrap(), "it is not UTF-8"),
        (&|| fs::write(&file, &large).unwrap(), "it is larger than 256 KiB"),
        (&|| nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap(), "it is not a regular file"),
    ];
    for (make, why) in makes {
        let _ = fs::remove_dir(&file).or_else(|_| fs::remove_file(&file));
        make();
        let path = file.to_str().unwrap();
        for (args, code) in [
            (&["agents"][..], 0),
            (&["profile", "lint", path], 2),
            (&["profile", "check", path, "screens"], 2),
            (&["explain", "--profile", path, "claude-1"], 2),
        ] {
            let (ended, said) = run(&world, args);
            assert!(
                ended == code && said.contains("cannot be read: ") && said.contains(why),
                "{args:?}: {said}"
            );
            assert!(!said.contains("was not changed"), "{args:?}: {said}");
        }
    }
}

#[test]
fn recorded_screens_become_a_profile_that_passes_lint_and_check_and_nothing_is_overwritten() {
    let (world, pane) = world_with_claude();
    let dir = world.path().join("screens");
    let record = |state: &str| {
        run(&world, &["profile", "record", "claude-1", dir.to_str().unwrap(), "--state", state])
    };
    let shows = |what: &str, state: &str| {
        eventually(what, || world.ok(&["explain", &pane]).contains(&format!("state: {state}")).then_some(()));
    };
    shows("it is idle", "idle");
    let (code, said) = record("idle");
    assert!(code == 0 && said.contains("screens/idle as idle (the rules in use read it as idle)"), "{said}");
    for (order, state) in [
        ("busy 60000", "busy"),
        ("interrupt", ""),
        ("draft half a thought", "draft"),
        ("clear", ""),
        ("dialog", "dialog"),
    ] {
        world.control(&pane, order);
        if state.is_empty() {
            shows(order, "idle");
        } else {
            shows(order, state);
            assert_eq!(record(state).0, 0, "{state}");
        }
    }
    // Nothing is replaced, and nothing is written elsewhere; no half of a recording is left.
    fs::write(dir.join("menu.json"), "{}").unwrap();
    assert_eq!((record("menu").0, dir.join("menu.ansi").exists()), (2, false));
    fs::remove_file(dir.join("menu.json")).unwrap();
    let before = fs::read(dir.join("idle.ansi")).unwrap();
    let (code, said) = record("idle");
    assert!(code == 2 && said.contains("idle.ansi is there already; choose another name"), "{said}");
    assert_eq!(fs::read(dir.join("idle.ansi")).unwrap(), before);
    for bad in ["nothing", "idle/../../x", "", "idle\n"] {
        let (code, said) = record(bad);
        assert!(code == 2 && said.contains("names no state"), "{bad}: {said}");
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 8);
    let (code, said) = run(&world, &["profile", "record", &pane, dir.to_str().unwrap()]);
    assert!(code == 2 && said.contains("--state NAME"), "{said}");
    let facts: Value = serde_json::from_str(&fs::read_to_string(dir.join("busy.json")).unwrap()).unwrap();
    assert_eq!((&facts["state"], &facts["program"]), (&"busy".into(), &"claude".into()));
    // The draft of a profile.
    let out = world.swarm(&["profile", "new", "my-claude", dir.to_str().unwrap()]);
    let (text, told) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(
        out.status.success() && text.contains("kind = \"my-claude\"") && text.contains("enters = 1"),
        "{text}{told}"
    );
    assert!(told.contains("nothing is typed in a pane smaller than"), "{told}");
    let file = world.path().join("my-claude.toml");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (code, said) = run(&world, &["profile", "lint", file]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&world, &["profile", "check", file, dir.to_str().unwrap()]);
    assert!(code == 0 && said.contains("4 screens, 0 false idle, 0 missed"), "{said}");
    // Without a recording of a turn there is none.
    fs::remove_file(dir.join("busy.ansi")).unwrap();
    let (code, said) = run(&world, &["profile", "new", "my-claude", dir.to_str().unwrap()]);
    assert!(code == 2 && said.contains("there is no recording of a turn (`--state busy`)"), "{said}");
}

#[test]
fn a_person_is_led_through_the_states_and_may_name_skip_and_end() {
    let (world, pane) = world_with_claude();
    let guide = world.tmux(&[
        "new-window",
        "-d",
        "-P",
        "-F",
        "#{pane_id}",
        &format!("swarm profile record {pane} shots; exec cat"),
    ]);
    let asks = |what: &str| eventually(what, || world.screen(&guide).contains(what).then_some(()));
    let press = |keys: &str| world.tmux(&["send-keys", "-t", &guide, keys, "Enter"]);
    asks("Enter saves it as idle;");
    press("");
    asks("Enter saves it as draft;");
    press("-");
    asks("Enter saves it as draft-multiline;");
    press("idle-2");
    asks("shots/idle-2 as idle");
    press("idle");
    asks("is there already");
    // The state that was asked for is still missing.
    press("draft-multiline");
    asks("Enter saves it as busy;");
    press("q");
    asks("not saved: draft, busy, busy-after-10s");
    asks("next: swarm profile new KIND shots");
    let saved = fs::read_dir(world.project().join("shots")).unwrap().flatten().map(|e| e.path());
    let mut names: Vec<_> = saved
        .filter(|file| file.extension().is_some_and(|end| end == "ansi"))
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["draft-multiline", "idle", "idle-2"]);
}

/// A pane of the project in which `command` runs.
fn pane_with(world: &World, command: &str) -> String {
    world.tmux(&[
        "new-window",
        "-d",
        "-P",
        "-F",
        "#{pane_id}",
        "-c",
        world.project().to_str().unwrap(),
        command,
    ])
}

/// Waits until a message waits for this reason.
fn waits(world: &World, id: &str, why: &str) {
    eventually(why, || world.ok(&["status", id]).contains(why).then_some(()));
}

#[test]
fn a_registered_agent_of_an_unknown_kind_is_named_may_send_and_lease_and_is_never_typed_into() {
    let (world, claude) = world_with_claude();
    // A program that shows Claude's screen, and that no profile knows by its name.
    let hidden = world.path().join("bin/hidden");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-agent"), &hidden).unwrap();
    let pane = pane_with(&world, &format!("exec {} --style claude", hidden.display()));
    eventually("it has started", || world.screen(&pane).contains('❯').then_some(()));
    assert!(world.ok(&["explain", &pane]).contains(&format!("swarm register {pane}")));
    let said = world.ok(&["register", "--kind", "helper", "--name", "left", &pane]);
    assert!(said.contains("left is registered: kind helper, hidden (process "), "{said}");
    // Once more changes nothing that is not said.
    assert_eq!(world.ok(&["register", &pane]), said);
    assert!(said.contains("nothing is typed into it (there is no profile of its kind)"), "{said}");
    assert!(said.contains("proof: commands below process "), "{said}");
    // Mail to it waits, with the reason, and is there to be read.
    let sent: Value =
        serde_json::from_str(&world.ok(&["send", "--json", "--no-wait", "left", "for you"])).unwrap();
    let id = sent["id"].as_str().unwrap().to_owned();
    waits(&world, &id, "there is no profile of its kind");
    for _ in 0..2 {
        let agents = world.ok(&["discover"]);
        assert!(agents.contains("left") && agents.contains("claude-1"), "{agents}");
    }
    let told = world.ok(&["explain", "left"]);
    for expected in [
        "agent of kind helper",
        "a person's word",
        "swarm profile record",
        "swarm profile new helper",
        "swarm profile check helper",
        "proof: ",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(world.typed(&pane), Vec::<String>::new());
    // Known already, a shell, no such pane, no kind.
    for (args, expected) in [
        (vec!["register", claude.as_str()], "has an agent of kind claude already"),
        (vec!["register", "%99"], "there is no living pane %99"),
        (vec!["register", "--kind", "no kind", &pane], "a-z"),
        (vec!["register", "--name", "claude 1", &pane], "a-z"),
    ] {
        let (code, said) = run(&world, &args);
        assert!(code == 2 && said.contains(expected), "{args:?}: {said}");
    }
    let shell = pane_with(&world, "exec sh");
    let (code, said) = run(&world, &["register", &shell]);
    assert!(code == 2 && said.contains("only a shell runs in"), "{said}");
    // It is registered until it ends.
    world.tmux(&["kill-pane", "-t", &pane]);
    eventually("it is gone", || (!world.ok(&["agents"]).contains("left")).then_some(()));
}

#[test]
fn an_agent_that_hides_says_by_its_environment_what_it_is_and_a_shell_with_that_is_none() {
    let (world, _) = world_with_claude();
    let hidden = world.path().join("bin/hidden");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-agent"), &hidden).unwrap();
    let pane = pane_with(&world, &format!("SWARM_AGENT=claude exec {} --style claude", hidden.display()));
    let shell = pane_with(&world, "SWARM_AGENT=claude exec sh");
    for kind in ["no kind", "human", "swarm"] {
        pane_with(&world, &format!("SWARM_AGENT='{kind}' exec sleep 1000"));
    }
    let agents = eventually("it is found", || {
        let agents = world.ok(&["discover"]);
        agents.contains("claude-2").then_some(agents)
    });
    assert!(!["claude-3", "human-1", "swarm-1"].iter().any(|name| agents.contains(name)), "{agents}");
    assert!(world.ok(&["explain", &pane]).contains("SWARM_AGENT in its environment"));
    assert!(world.ok(&["explain", &shell]).contains("no agent"));
    world.ok(&["send", "--no-wait", "claude-2", "by its profile"]);
    eventually("it is typed", || (world.typed(&pane).len() == 1).then_some(()));
    // Its commands are its own.
    assert!(world.below("claude-2", "swarm-msg whoami").contains("claude-2"));
}

#[test]
fn an_agent_without_rules_is_found_by_its_program_and_the_commands_that_make_them_are_told() {
    let (world, _) = world_with_claude();
    let link = world.path().join("bin/cursor-agent");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-agent"), &link).unwrap();
    let pane = pane_with(&world, &format!("exec {}", link.display()));
    eventually("it is found", || world.ok(&["discover"]).contains("cursor-1").then_some(()));
    waits(&world, &world.send(&["cursor-1", "for you"]), "there are no rules for its screen");
    let told = world.ok(&["explain", &pane]);
    assert!(
        told.contains("there are no rules for its screen")
            && told.contains(&format!("swarm profile record {pane}")),
        "{told}"
    );
    let list = world.ok(&["profile", "list"]);
    assert!(
        list.lines().any(|l| l.starts_with("cursor ")) && list.contains("never typed into: agy, amp"),
        "{list}"
    );
    assert_eq!(world.typed(&pane), Vec::<String>::new());
}

#[test]
fn what_proof_an_agent_in_a_container_has_is_said_also_behind_a_wrapper() {
    let (world, _) = world_with_claude();
    let bin = world.path().join("bin");
    // The client of a container, in front of the pane: what it runs is below another process.
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-agent"), bin.join("podman")).unwrap();
    crate::support::executable(bin.join("box"), "#!/bin/sh\npodman --style claude\necho ended\n");
    for command in ["podman --style claude", "box"] {
        let pane = pane_with(&world, &format!("SWARM_AGENT=claude {command}"));
        eventually(command, || {
            world.ok(&["discover", "--quiet"]);
            let said = world.ok(&["explain", &pane]);
            (said.contains("SWARM_AGENT in its environment") && said.contains("state: idle")).then_some(())
        });
        let said = world.ok(&["explain", &pane]);
        assert!(said.contains("proof: what podman runs cannot be seen from here"), "{command}: {said}");
    }
    // What its tools find there cannot be seen either: that they lack the program is said only of one that runs here.
    std::fs::write(world.path().join("home/.profile"), "PATH=/usr/bin:/bin\n").unwrap();
    world.agent("codex", &[]);
    pane_with(&world, "SWARM_AGENT=codex podman --style codex");
    let told = eventually("both are found", || {
        let told = world.ok(&["discover"]);
        (told.contains("codex-1 ") && told.contains("codex-2 ")).then_some(told)
    });
    let lacking: Vec<&str> = told.lines().filter(|line| line.contains("not on PATH")).collect();
    assert!(matches!(lacking[..], [one] if one.matches("codex-").count() == 1), "{told}");
    assert!(world.ok(&["explain", "claude-1"]).contains("are its own"));
}

#[test]
fn agents_of_tools_that_make_sessions_and_worktrees_are_found_as_they_are() {
    let (world, _) = world_with_claude();
    let tree = world.path().join("trees/feature");
    let git = |args: &[&str]| {
        let name = ["-c", "user.name=x", "-c", "user.email=x@localhost"];
        let out = world.command("git").current_dir(world.project()).args(name).args(args).output().unwrap();
        assert!(out.status.success(), "{out:?}");
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
    git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    let (project, tree) = (world.project().display().to_string(), tree.display().to_string());
    // As claude-squad: a session whose program is the agent, in a worktree.
    world.tmux(&["new-session", "-d", "-s", "claudesquad_x", "-c", &tree, "claude"]);
    // As tmuxinator and agent-deck: a session with a shell, and the command is typed into it.
    world.tmux(&["new-session", "-d", "-s", "agentdeck_x", "-c", &project, "exec sh"]);
    // As workmux: a window in a worktree, and the command is typed into its shell.
    world.tmux(&["new-window", "-d", "-n", "wm-feature", "-t", "agentdeck_x:", "-c", &tree, "exec sh"]);
    for window in ["agentdeck_x:0", "agentdeck_x:wm-feature"] {
        world.tmux(&["send-keys", "-t", window, "claude", "C-m"]);
    }
    let ids = ["claudesquad_x:0", "agentdeck_x:0", "agentdeck_x:wm-feature"];
    let panes = ids.map(|window| world.tmux(&["display-message", "-p", "-t", window, "#{pane_id}"]));
    let names = panes.map(|pane| {
        eventually(&pane, || {
            world.ok(&["discover", "--quiet"]);
            let agents: Value = serde_json::from_str(&world.ok(&["agents", "--json"])).unwrap();
            let found =
                agents["agents"].as_array().unwrap().iter().find(|a| a["pane"] == pane.as_str())?.clone();
            (found["state"] == "idle").then(|| found["name"].as_str().unwrap().to_owned())
        })
    });
    for name in names {
        let id = world.send(&[&name, "found as it is"]);
        world.reaches(&id, "submitted", "");
    }
}

#[test]
fn an_agent_in_a_wrapper_is_found_as_what_it_is_and_its_commands_are_its_own() {
    let (world, _) = world_with_claude();
    let bin = world.path().join("bin");
    crate::support::executable(bin.join("launcher"), "#!/bin/sh\nclaude \"$@\"\necho ended\n");
    let wrapped = [
        ("a shell function", "f() { claude; echo; }; f"),
        ("a script", "launcher"),
        ("another environment", "env X=1 claude"),
        ("a lower priority", "nice claude"),
        ("another user", "setpriv --inh-caps=-all claude"),
        ("a terminal of its own, as sudo makes one", "script -qec claude /dev/null"),
        ("another process namespace", "unshare -pf claude"),
        ("a user namespace", "unshare -Urpf --mount-proc claude"),
    ];
    let mut panes = Vec::new();
    for (what, command) in wrapped {
        let program = command.split(' ').next().unwrap();
        let known = program == "f()" || program == "launcher";
        let works = || world.command("sh").args(["-c", &command.replace("claude", "true")]).status().unwrap();
        if !known && !works().success() {
            eprintln!("skipped: {what}: {program} does not work here");
            continue;
        }
        panes.push((what, pane_with(&world, &format!("sh -c '{command}'"))));
    }
    assert!(panes.len() >= 4);
    for (what, pane) in &panes {
        eventually(what, || {
            world.ok(&["discover", "--quiet"]);
            world.ok(&["explain", pane]).contains("agent of kind claude").then_some(())
        });
        eventually(what, || world.ok(&["explain", pane]).contains("state: idle").then_some(()));
        let agents: Value = serde_json::from_str(&world.ok(&["agents", "--json"])).unwrap();
        let found = agents["agents"].as_array().unwrap().iter().find(|a| a["pane"] == pane.as_str()).unwrap();
        let name = found["name"].as_str().unwrap().to_owned();
        // A process namespace hides who is above a command: there the courier confirms it.
        assert!(world.below(&name, "swarm-msg whoami").contains(&name), "{what}");
    }
}
