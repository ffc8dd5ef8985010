//! `swarm setup`: every step is shown before it is done, what is done already is left alone, and what was done can be undone.

use crate::support::{World, eventually};
use std::fs;
use std::process::Output;

/// An agent in a directory that is a repository and no project yet, seen by a person who has `~/.local/bin` on the PATH and not the programs.
fn new_world() -> (World, String) {
    let world = World::new();
    world.start();
    assert!(world.command("git").args(["init", "-q"]).status().unwrap().success());
    let pane = world.agent("claude", &[]);
    fs::create_dir_all(world.path().join("home/.local/bin")).unwrap();
    (world, pane)
}

/// Runs the program as that person.
fn setup(world: &World, args: &[&str]) -> Output {
    let path = format!("{}:/usr/bin:/bin", world.path().join("home/.local/bin").display());
    let program = env!("CARGO_BIN_EXE_swarm");
    world.command(program).env("PATH", path).args(args).output().unwrap()
}

fn said(out: &Output) -> String {
    String::from_utf8_lossy(&[&out.stdout[..], &out.stderr[..]].concat()).into_owned()
}

/// Who sets a project up before the first agent starts need not start any agent again.
#[test]
fn before_the_first_agent_the_hooks_of_those_installed_are_offered_and_the_first_one_is_found_by_a_list() {
    let world = World::new();
    world.start();
    assert!(world.command("git").args(["init", "-q"]).status().unwrap().success());
    let settings = world.project().join(".claude/settings.local.json");
    let shown = said(&world.command("swarm").args(["setup", "--dry-run"]).output().unwrap());
    assert!(
        shown
            .lines()
            .any(|l| l.starts_with("[x] put the hooks into claude") && l.ends_with("if --allow is given)"))
            && shown.contains("no agents run here yet"),
        "{shown}"
    );
    let without = said(&setup(&world, &["setup", "--dry-run"]));
    assert!(!without.contains("into claude"), "none of that name is on this PATH: {without}");
    assert!(
        world.command("swarm").args(["setup", "--yes"]).status().unwrap().success() && !settings.exists()
    );
    assert!(world.command("swarm").args(["setup", "--yes", "--allow"]).status().unwrap().success());
    assert!(fs::read_to_string(&settings).unwrap().contains("SessionStart"));

    let listed = || said(&world.command("swarm").arg("agents").output().unwrap());
    assert!(listed().starts_with("no agents here"));
    world.agent("claude", &[]);
    let found = listed();
    assert!(found.contains("claude-1 ") && found.contains("WHERE"), "{found}");
}

#[test]
fn everything_is_set_up_at_once_and_once_and_is_found_again_by_who_removes_it() {
    let (world, pane) = new_world();
    let (settings, link) =
        (world.project().join(".claude/settings.local.json"), world.path().join("home/.local/bin/swarm-msg"));
    let shown = said(&setup(&world, &["setup", "--dry-run"]));
    for step in
        ["a project of swarm", "give 1 agent", "on your PATH", "into claude", "guard git", "how to talk"]
    {
        assert!(shown.lines().any(|l| l.starts_with("[x]") && l.contains(step)), "{step}: {shown}");
    }
    assert!(shown.contains("+  \"hooks\": {") && shown.contains("swarm hooks install claude"), "{shown}");
    assert!(!world.state().exists() && !settings.exists() && !link.exists(), "it was only shown");

    let done = setup(&world, &["setup", "--yes"]);
    assert!(done.status.success() && said(&done).contains("undo: swarm hooks uninstall claude"), "{done:?}");
    assert!(link.canonicalize().is_ok() && world.project().join(".git/hooks/pre-commit").exists());
    let written = fs::read_to_string(&settings).unwrap();
    assert!(
        written.contains("PreToolUse") && !written.contains("permissions"),
        "rules are asked for: {written}"
    );
    eventually("it is told how to talk", || {
        world.events(&pane, "submitted").iter().any(|t| t.contains("swarm of coding agents")).then_some(())
    });

    let allowed = said(&setup(&world, &["setup", "--yes", "--allow"]));
    assert!(allowed.contains("let claude run swarm-msg") && !allowed.contains("how to talk"), "{allowed}");
    let again = said(&setup(&world, &["setup", "--yes", "--allow"]));
    assert_eq!(again, "nothing was changed\n");

    // What a removal stopped is started again, and a second removal stops it, too.
    for _ in 0..2 {
        assert!(setup(&world, &["uninstall", "--yes"]).status.success());
        assert!(world.state().join("retired").exists() && !link.exists());
    }
    let again = said(&setup(&world, &["setup", "--yes"]));
    assert!(again.contains("✓ start swarm again") && !world.state().join("retired").exists(), "{again}");

    let removal = said(&setup(&world, &["uninstall", "--dry-run"]));
    assert!(removal.contains(&format!("remove {} (a link to this program)", link.display())), "{removal}");
}

#[test]
fn nothing_is_done_without_somebody_who_says_so() {
    let (world, _) = new_world();
    let out = setup(&world, &["setup"]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    assert!(said(&out).contains("--dry-run to see them, --yes to do them"), "{out:?}");
    assert!(!world.state().exists());
    world.ok(&["discover", "--init", "--quiet"]);
    let told = world.below("claude-1", "swarm setup --yes; echo ended with $?");
    assert!(told.contains("only the human") && told.contains("ended with 2"), "{told}");
}

#[test]
fn a_person_leaves_out_what_they_do_not_want() {
    let (world, _) = new_world();
    let shell = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "sh"]);
    world.tmux(&["resize-window", "-t", &shell, "-x", "80", "-y", "20"]);
    world.tmux(&["send-keys", "-t", &shell, "swarm setup", "Enter"]);
    eventually("the steps are shown", || world.screen(&shell).contains("Enter: do").then_some(()));
    // From where it begins, at the first step, to the hooks of claude and its rules.
    for step in ["into claude", "let claude"] {
        let screen = world.screen(&shell);
        let rows: Vec<&str> = screen.lines().skip(1).take_while(|l| !l.starts_with('─')).collect();
        let below =
            if step == "let claude" { 1 } else { rows.iter().position(|l| l.contains(step)).unwrap() };
        for key in std::iter::repeat_n("Down", below).chain(["Space"]) {
            world.tmux(&["send-keys", "-t", &shell, key]);
        }
        eventually("it is not marked", || {
            let screen = world.screen(&shell);
            screen.lines().any(|l| l.starts_with("[ ]") && l.contains(step)).then_some(())
        });
    }
    world.tmux(&["send-keys", "-t", &shell, "Enter"]);
    eventually("it is done", || world.screen(&shell).contains("next: swarm send").then_some(()));
    assert!(!world.project().join(".claude").exists());
    assert!(world.project().join(".git/hooks/pre-commit").exists());
    world.tmux(&["send-keys", "-t", &shell, "clear; swarm setup", "Enter"]);
    eventually("what is done is shown as done", || {
        let screen = world.screen(&shell);
        screen.lines().any(|l| l.starts_with(" ✓") && l.contains("a project of swarm")).then_some(())
    });
    world.tmux(&["send-keys", "-t", &shell, "Escape"]);
    eventually("it says so", || world.screen(&shell).contains("nothing was changed").then_some(()));
}

#[test]
fn in_a_linked_work_tree_the_hooks_go_there_and_into_the_main_one_and_the_step_says_so() {
    let (world, _) = new_world();
    let tree = world.path().join("linked");
    let git = |args: &[&str]| {
        let author = ["-c", "user.name=x", "-c", "user.email=x@y"];
        assert!(world.command("git").args(author).args(args).status().unwrap().success(), "{args:?}");
    };
    git(&["commit", "-q", "--allow-empty", "-m", "first"]);
    git(&["worktree", "add", "-q", tree.to_str().unwrap()]);
    let path = format!("{}:/usr/bin:/bin", world.path().join("home/.local/bin").display());
    let program = env!("CARGO_BIN_EXE_swarm");
    let mut setup = world.command(program);
    let out = setup.env("PATH", path).current_dir(&tree).args(["setup", "--yes"]).output().unwrap();
    assert!(out.status.success() && said(&out).contains("here and in the main work tree"), "{}", said(&out));
    for dir in [&world.project(), &tree] {
        assert!(dir.join(".claude/settings.local.json").exists(), "{}", dir.display());
    }
    assert!(world.state().exists() && !tree.join(".swarm").exists());
}

#[test]
fn a_reader_that_leaves_early_is_no_error_and_a_foreign_root_is_named() {
    let world = World::with_store();
    let other = world.path().join("bin");
    world.ok_in(&other, &["init"]);
    let script = "swarm hooks status --all | head -1; swarm hooks status --all | true";
    let out = world.command("sh").args(["-c", script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    let out = world.command("swarm").arg("status").env("SWARM_ROOT", &other).output().unwrap();
    let told = said(&out);
    assert!(
        told.contains("the project bin, by SWARM_ROOT; this directory is in the project project"),
        "{told}"
    );
    assert!(!world.ok(&["status"]).contains("SWARM_ROOT"));
}

#[test]
fn an_agent_in_a_directory_where_it_reads_other_settings_gets_a_step_of_its_own() {
    let (world, _) = new_world();
    let sub = world.project().join("web");
    std::fs::create_dir(&sub).unwrap();
    world.agent_in(&sub, "claude", &[]);
    let path = format!("{}:/usr/bin:/bin", world.path().join("home/.local/bin").display());
    let setup = |args: &[&str]| {
        let mut command = world.command(env!("CARGO_BIN_EXE_swarm"));
        let out = command.env("PATH", &path).current_dir(&sub).args(args).output().unwrap();
        assert!(out.status.success(), "{}", said(&out));
        said(&out)
    };
    let step = format!("put the hooks of claude also into {}", sub.display());
    assert!(setup(&["setup", "--dry-run"]).contains(&step));
    setup(&["setup", "--yes"]);
    for dir in [&world.project(), &sub] {
        assert!(dir.join(".claude/settings.local.json").exists(), "{}", dir.display());
    }
    assert!(!setup(&["setup", "--dry-run"]).contains(&step), "it is done");
}
