//! `swarm doctor` under real conditions: each is made, found, and where that is safe repaired.

use crate::support::{World, copy, eventually, executable};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

fn report(out: &Output) -> Value {
    let text = String::from_utf8_lossy(&out.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|why| panic!("{why}: {text}{}", String::from_utf8_lossy(&out.stderr)))
}

/// Exit code and report.
fn doctor(world: &World, args: &[&str]) -> (i32, Value) {
    let out = world.swarm(&[&["doctor", "--json"], args].concat());
    (out.status.code().unwrap(), report(&out))
}

fn finding(report: &Value, name: &str) -> (String, String) {
    let all = report["findings"].as_array().unwrap();
    let one = all.iter().find(|f| f["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"));
    let text = |key: &str| one[key].as_str().unwrap().to_owned();
    (text("verdict"), text("seen"))
}

fn verdict(report: &Value, name: &str) -> String {
    finding(report, name).0
}

/// A project with one agent and a courier that listens.
fn team() -> (World, String) {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["send", "--no-wait", "claude-1", "hello"]);
    eventually("the courier runs", || verdict(&doctor(&world, &[]).1, "courier").eq("ok").then_some(()));
    (world, pane)
}

fn courier(world: &World) -> Option<i32> {
    let (_, seen) = finding(&doctor(world, &[]).1, "courier");
    seen.split(|c: char| !c.is_ascii_digit()).find_map(|n| n.parse().ok())
}

fn end(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("it has ended", || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_project_has_nothing_bad() {
    let (world, _pane) = team();
    let (code, told) = doctor(&world, &[]);
    assert_eq!((code, &told["version"], &told["healthy"]), (0, &1.into(), &true.into()), "{told:#}");
    for name in
        ["tmux", "server", "project", "modes", "writable", "key", "quarantine", "courier", "panes", "path"]
    {
        assert_eq!(verdict(&told, name), "ok", "{name}: {told:#}");
    }
    let text = world.ok(&["doctor"]);
    assert!(text.contains("ok    modes") && text.ends_with("0 bad\n"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn without_project_and_tmux_it_says_so_and_does_not_fail() {
    let world = World::new();
    let (code, told) = doctor(&world, &[]);
    assert_eq!(code, 0, "{told:#}");
    assert_eq!(verdict(&told, "server"), "warn");
    let (word, seen) = finding(&told, "project");
    assert!(word == "warn" && seen.contains("no swarm project"), "{seen}");
    assert!(!world.state().exists());
}

#[test]
fn a_server_that_is_gone_is_bad_inside_its_panes() {
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    world.tmux(&["kill-server"]);
    let (code, told) = doctor(&world, &[]);
    assert_eq!((code, verdict(&told, "server").as_str()), (1, "bad"), "{told:#}");
    assert_eq!(verdict(&told, "modes"), "ok", "the rest is looked at all the same");
}

#[test]
fn an_old_tmux_and_none_at_all_are_bad() {
    let world = World::new();
    let fake = world.path().join("bin/tmux");
    executable(&fake, "#!/bin/sh\ncase $1 in -V) echo tmux 3.1c ;; *) echo 3.1c ;; esac\n");
    let (code, told) = doctor(&world, &[]);
    assert_eq!(code, 1);
    assert!(finding(&told, "tmux").1.contains("3.1c") && verdict(&told, "tmux") == "bad", "{told:#}");
    assert!(finding(&told, "server").1.contains("3.1c") && verdict(&told, "server") == "bad", "{told:#}");

    let swarm = fs::canonicalize(world.path().join("bin/swarm")).unwrap();
    let out =
        world.command(swarm.to_str().unwrap()).args(["doctor", "--json"]).env("PATH", "/nowhere").output();
    let told = report(&out.unwrap());
    assert!(verdict(&told, "tmux") == "bad" && finding(&told, "tmux").1.contains("on PATH"), "{told:#}");
}

#[test]
fn wrong_modes_are_found_and_repaired() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["send", "human", "hello"]);
    let key_home =
        fs::read_dir(world.path().join("home/.local/state/swarm")).unwrap().next().unwrap().unwrap();
    let (mail, lock) = (world.state().join("mail"), world.state().join("lock"));
    chmod(&mail, 0o777);
    chmod(&lock, 0o644);
    chmod(&key_home.path().join("key"), 0o644);
    let (code, told) = doctor(&world, &[]);
    assert_eq!((code, verdict(&told, "modes").as_str(), verdict(&told, "key").as_str()), (1, "bad", "bad"));
    assert_eq!(verdict(&told, "store"), "warn", "nothing is read before that is repaired");
    assert_eq!(mode(&mail), 0o777, "nothing was changed");

    let (code, told) = doctor(&world, &["--fix"]);
    assert_eq!(
        (code, verdict(&told, "modes").as_str(), verdict(&told, "key").as_str()),
        (0, "ok", "ok"),
        "{told:#}"
    );
    assert_eq!((mode(&mail), mode(&lock), mode(&key_home.path().join("key"))), (0o700, 0o600, 0o600));
    assert_eq!(told["mended"].as_array().unwrap().len(), 2, "{told:#}");
    assert_eq!(world.ok(&["inbox"]).matches("hello").count(), 1);
}

#[test]
fn a_link_in_the_store_is_bad_and_left_alone() {
    let world = World::new();
    world.ok(&["init"]);
    let victim = world.path().join("victim");
    fs::create_dir(&victim).unwrap();
    chmod(&victim, 0o755);
    fs::remove_dir(world.state().join("notices")).unwrap();
    symlink(&victim, world.state().join("notices")).unwrap();
    let (code, told) = doctor(&world, &["--fix"]);
    assert_eq!((code, verdict(&told, "modes").as_str()), (1, "bad"), "{told:#}");
    assert_eq!(mode(&victim), 0o755);
    assert!(world.state().join("notices").is_symlink());
}

#[test]
fn a_lost_key_is_bad_and_looking_makes_no_new_one() {
    let world = World::new();
    world.ok(&["init"]);
    let home = fs::read_dir(world.path().join("home/.local/state/swarm")).unwrap().next().unwrap().unwrap();
    fs::remove_file(home.path().join("key")).unwrap();
    let (code, told) = doctor(&world, &["--fix"]);
    assert_eq!((code, verdict(&told, "key").as_str()), (1, "bad"), "{told:#}");
    assert!(!home.path().join("key").exists());
}

#[test]
fn a_quarantined_record_and_leftovers_are_told() {
    let (world, _pane) = team();
    fs::write(world.state().join("agents/forged.json"), "{").unwrap();
    world.ok(&["agents"]);
    let left = world.state().join("tmp/left");
    fs::write(&left, "x").unwrap();
    chmod(&left, 0o600);
    let old = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    fs::File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    let (code, told) = doctor(&world, &[]);
    assert_eq!(code, 0, "{told:#}");
    assert!(finding(&told, "quarantine").1.starts_with("1 damaged"), "{told:#}");
    assert_eq!(verdict(&told, "leftovers"), "warn");
    let (_, told) = doctor(&world, &["--fix"]);
    assert_eq!((verdict(&told, "leftovers").as_str(), verdict(&told, "quarantine").as_str()), ("ok", "warn"));
    assert!(!left.exists());
}

#[test]
fn dead_letters_are_told() {
    let (world, pane) = team();
    world.control(&pane, "busy 60000");
    world.ok(&["send", "--no-wait", "claude-1", "too late"]);
    assert_eq!(verdict(&doctor(&world, &[]).1, "dead-letters"), "ok");
    world.control(&pane, "exit");
    eventually("the letter is dead", || {
        let told = doctor(&world, &[]).1;
        (verdict(&told, "dead-letters") == "warn").then_some(())
    });
}

#[test]
fn what_holds_mail_back_in_an_agents_pane_is_told() {
    let (world, pane) = team();
    world.tmux(&["select-pane", "-d", "-t", &pane]);
    let told = doctor(&world, &[]).1;
    assert!(finding(&told, "panes").1.contains("claude-1: its input is off"), "{told:#}");
    world.tmux(&["select-pane", "-e", "-t", &pane]);
    world.tmux(&["set-option", "-w", "-t", &pane, "synchronize-panes", "on"]);
    let told = doctor(&world, &[]).1;
    assert!(finding(&told, "panes").1.contains("synchronize-panes"), "{told:#}");
}

#[test]
fn an_absent_courier_is_started() {
    let (world, _pane) = team();
    let first = courier(&world).unwrap();
    end(first);
    let (code, told) = doctor(&world, &[]);
    assert_eq!((code, verdict(&told, "courier").as_str()), (1, "bad"), "{told:#}");
    let (code, told) = doctor(&world, &["--fix"]);
    assert_eq!((code, verdict(&told, "courier").as_str()), (0, "ok"), "{told:#}");
    assert_ne!(courier(&world), Some(first));
}

#[test]
fn a_courier_of_another_program_is_replaced() {
    let (world, _pane) = team();
    let first = courier(&world).unwrap();
    // Another build, beside which everything else is the same.
    let dir = world.path().join("newer");
    fs::create_dir(&dir).unwrap();
    let swarm = dir.join("swarm");
    copy(fs::canonicalize(world.path().join("bin/swarm")).unwrap(), &swarm);
    let ask = |args: &[&str]| {
        let out =
            world.command(swarm.to_str().unwrap()).args([&["doctor", "--json"], args].concat()).output();
        report(&out.unwrap())
    };
    assert_eq!(verdict(&ask(&[]), "courier"), "ok", "the same content is the same program");
    executable(&swarm, [fs::read(&swarm).unwrap(), vec![0]].concat());
    let told = ask(&[]);
    assert!(
        verdict(&told, "courier") == "warn" && finding(&told, "courier").1.contains(&first.to_string()),
        "{told:#}"
    );
    let told = ask(&["--fix"]);
    let (word, seen) = finding(&told, "courier");
    assert!(word == "ok" && !seen.contains(&format!("process {first}")), "{told:#}");
}

#[test]
fn the_plugin_and_what_it_calls_are_looked_at() {
    let world = World::new();
    world.start();
    let told = doctor(&world, &[]).1;
    assert_eq!(verdict(&told, "plugin"), "warn", "{told:#}");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plugin = world.path().join("tpm/swarm");
    for dir in ["plugin", "bin", "src"] {
        fs::create_dir_all(plugin.join(dir)).unwrap();
    }
    for file in ["plugin/install.sh", "plugin/popup.sh", "Cargo.toml", "Cargo.lock"] {
        copy(source.join(file), plugin.join(file));
    }
    fs::write(plugin.join("src/main.rs"), "fn main() {}\n").unwrap();
    let set = |option: &str, value: &Path| world.tmux(&["set-option", "-s", option, value.to_str().unwrap()]);
    set("@swarm-plugin", &plugin.join("plugin"));
    assert_eq!(verdict(&doctor(&world, &[]).1, "program"), "bad");
    symlink(fs::canonicalize(world.path().join("bin/swarm")).unwrap(), plugin.join("bin/swarm")).unwrap();
    set("@swarm-cli", &plugin.join("bin/swarm"));
    assert_eq!(verdict(&doctor(&world, &[]).1, "program"), "ok", "without a stamp it was built by hand");
    // The stamp as the build script makes it.
    let line = fs::read_to_string(plugin.join("plugin/install.sh")).unwrap();
    let line = line.lines().find(|l| l.starts_with("stamp()")).unwrap().to_owned();
    let out =
        Command::new("sh").args(["-c", &format!("{line}; stamp")]).current_dir(&plugin).output().unwrap();
    fs::write(plugin.join("bin/.stamp"), &out.stdout).unwrap();
    let told = doctor(&world, &[]).1;
    assert_eq!(verdict(&told, "program"), "ok", "{told:#}");
    fs::write(plugin.join("src/main.rs"), "fn main() { }\n").unwrap();
    let told = doctor(&world, &[]).1;
    assert!(finding(&told, "program").1.contains("sources have changed"), "{told:#}");
    // The plugin was brought to another version than the program that it calls, wherever that is.
    let manifest = fs::read_to_string(plugin.join("Cargo.toml")).unwrap();
    let later =
        manifest.replacen(&format!("version = \"{}\"", env!("CARGO_PKG_VERSION")), "version = \"99.1.0\"", 1);
    fs::write(plugin.join("Cargo.toml"), later).unwrap();
    for program in [plugin.join("bin/swarm"), fs::canonicalize(world.path().join("bin/swarm")).unwrap()] {
        set("@swarm-cli", &program);
        let told = doctor(&world, &[]).1;
        let (word, seen) = finding(&told, "program");
        assert!(word == "warn" && seen.contains("the plugin beside it is version 99.1.0"), "{told:#}");
    }
}

#[test]
fn hooks_of_tmux_that_somebody_took_away_are_told_and_set_again() {
    let world = World::new();
    world.start();
    world.tmux(&["set-option", "-g", "@swarm-bin", world.path().join("bin/swarm").to_str().unwrap()]);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plugin = source.join("swarm.tmux");
    world.tmux(&["run-shell", &format!("'{}'", plugin.display())]);
    let (word, seen) = finding(&doctor(&world, &[]).1, "tmux-hooks");
    assert!(word == "ok" && seen.contains("all 9"), "{word} {seen}");
    // Without an index it takes all of an event.
    world.tmux(&["set-hook", "-g", "after-split-window", "display-message mine"]);
    world.tmux(&["set-hook", "-gu", "pane-died"]);
    let (word, seen) = finding(&doctor(&world, &[]).1, "tmux-hooks");
    assert!(
        word == "warn" && seen.contains("2 of 9") && seen.contains("after-split-window, pane-died"),
        "{seen}"
    );
    let (word, seen) = finding(&doctor(&world, &["--fix"]).1, "tmux-hooks");
    assert!(word == "ok", "{seen}");
    assert!(world.tmux(&["show-hooks", "-g", "after-split-window"]).contains("display-message mine"));
}

#[test]
fn a_store_that_git_would_commit_is_told() {
    let world = World::new();
    world.ok(&["init"]);
    assert!(finding(&doctor(&world, &[]).1, "git").1.contains("no repository"));
    let git = |args: &[&str]| assert!(world.command("git").args(args).output().unwrap().status.success());
    git(&["init", "-q"]);
    assert_eq!(verdict(&doctor(&world, &[]).1, "git"), "ok");
    git(&["add", "-f", ".swarm/FORMAT"]);
    let told = doctor(&world, &[]).1;
    assert!(verdict(&told, "git") == "warn" && finding(&told, "git").1.contains("tracked"), "{told:#}");
}

#[test]
fn settings_that_keep_a_courier_from_starting_are_bad() {
    let mut world = World::new();
    world.set("SWARM_QUIET", "soon");
    let (code, told) = doctor(&world, &[]);
    assert!(code == 1 && finding(&told, "settings").1.contains("SWARM_QUIET"), "{told:#}");
}
