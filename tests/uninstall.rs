//! `swarm uninstall`: everything goes, nothing else does, and nothing without being asked for.

use crate::support::{World, copy, eventually};
use std::fs;
use std::path::{Path, PathBuf};

/// A project with an agent, hooks everywhere, the plugin loaded from a checkout that has built its own program.
struct Installed {
    world: World,
    checkout: PathBuf,
    before: String,
}

fn server(world: &World) -> String {
    let asks: [&[&str]; 6] = [
        &["list-keys"],
        &["show-hooks", "-g"],
        &["show-options", "-g"],
        &["show-options", "-s"],
        &[
            "list-panes",
            "-a",
            "-F",
            "#{pane_id} #{@swarm_agent} #{@swarm_badge} #{@swarm_state} #{@swarm_root}",
        ],
        &["show-options", "-gw"],
    ];
    asks.map(|args| world.tmux(args)).join("\n==\n")
}

fn installed() -> Installed {
    let world = World::new();
    world.start();
    world.agent("claude", &[]);
    let before = server(&world);
    let (source, checkout) = (Path::new(env!("CARGO_MANIFEST_DIR")), world.path().join("checkout"));
    for dir in ["plugin", "bin"] {
        fs::create_dir_all(checkout.join(dir)).unwrap();
    }
    copy(source.join("swarm.tmux"), checkout.join("swarm.tmux"));
    for entry in fs::read_dir(source.join("plugin")).unwrap() {
        let entry = entry.unwrap();
        copy(entry.path(), checkout.join("plugin").join(entry.file_name()));
    }
    for name in ["swarm", "swarm-msg"] {
        copy(fs::canonicalize(world.path().join("bin").join(name)).unwrap(), checkout.join("bin").join(name));
    }
    fs::write(checkout.join("bin/.stamp"), "1").unwrap();
    world.tmux(&["set-option", "-g", "@swarm-install", "off"]);
    world.tmux(&["run-shell", checkout.join("swarm.tmux").to_str().unwrap()]);
    assert!(world.command("git").args(["init", "-q"]).status().unwrap().success());
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["hooks", "install", "--all"]);
    world.ok(&["hooks", "install", "claude", "--user"]);
    world.ok(&["send", "--no-wait", "human", "keep me"]);
    eventually("the status segment is there", || {
        server(&world).contains("@swarm-icon-unread}1").then_some(())
    });
    Installed { world, checkout, before }
}

#[test]
fn everything_goes_and_the_server_is_as_before() {
    let Installed { world, checkout, before } = installed();
    let listed = world.ok(&["uninstall", "--dry-run"]);
    for part in [
        "keys, hooks and options",
        "names and counts",
        "settings.local.json",
        "guard of commits",
        "courier",
        "bin",
    ] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    assert_eq!(world.ok(&["uninstall", "--dry-run"]), listed, "nothing was changed");
    let (code, why) = world.refused(&["uninstall"]);
    assert!(code == 2 && why.contains("--yes"), "{why}");
    let told = world.ok(&["uninstall", "--yes"]);
    assert!(told.ends_with("(--state removes them as well)\n"), "{told}");
    assert_eq!(server(&world), before);
    for gone in [
        checkout.join("bin"),
        world.project().join(".claude"),
        world.project().join(".gemini"),
        world.project().join(".git/hooks/pre-commit"),
        world.path().join("home/.claude/settings.json"),
    ] {
        assert!(!gone.exists(), "{}", gone.display());
    }
    assert!(checkout.join("swarm.tmux").exists());
    assert!(world.ok(&["inbox"]).contains("keep me"));
    let again = world.ok(&["uninstall", "--yes"]);
    assert!(again.contains("nothing of swarm is left here"), "{again}");
}

#[test]
fn mail_and_keys_go_only_when_that_is_asked_for() {
    let Installed { world, .. } = installed();
    let listed = world.ok(&["uninstall", "--dry-run", "--state"]);
    assert!(listed.contains(".swarm (this project's mail") && listed.contains("signing keys"), "{listed}");
    let project = world.project().join("src.txt");
    fs::write(&project, "mine").unwrap();
    world.ok(&["uninstall", "--yes", "--state"]);
    assert!(!world.project().join(".swarm").exists());
    assert!(!world.state().join("swarm").exists(), "{}", world.state().display());
    assert_eq!(fs::read_to_string(project).unwrap(), "mine");
}

#[test]
fn it_is_asked_at_a_terminal_and_a_no_changes_nothing() {
    let Installed { world, checkout, .. } = installed();
    let ask = |answer: &str| {
        let pane = world.tmux(&[
            "new-window",
            "-d",
            "-P",
            "-F",
            "#{pane_id}",
            "sh -c 'swarm uninstall; exec sleep 60'",
        ]);
        eventually("it asks", || world.screen(&pane).contains("[y/N]").then_some(()));
        world.tmux(&["send-keys", "-t", &pane, answer, "Enter"]);
        pane
    };
    let pane = ask("");
    eventually("it says so", || world.screen(&pane).contains("nothing was changed").then_some(()));
    assert!(checkout.join("bin/swarm").exists());
    let pane = ask("y");
    eventually("it is done", || world.screen(&pane).contains("done").then_some(()));
    assert!(!checkout.join("bin").exists());
}

#[test]
fn an_agent_cannot_uninstall_it() {
    let Installed { world, checkout, .. } = installed();
    let told = world.below("claude-1", "swarm uninstall --yes --state; echo ended with $?");
    assert!(told.contains("only the human") && told.contains("ended with 2"), "{told}");
    assert!(checkout.join("bin/swarm").exists());
}
