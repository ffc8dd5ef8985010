//! Settings: three doors, one table of checks; what is wrong is told with its line and stops nothing.

use crate::support::{World, eventually, executable, world_with_claude};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::thread;

fn project() -> World {
    let world = World::new();
    world.ok(&["init"]);
    world
}

fn theirs(world: &World) -> PathBuf {
    world.project().join(".swarm.toml")
}

fn yours(world: &World) -> PathBuf {
    world.path().join("home/.config/swarm/config.toml")
}

fn write_yours(world: &World, text: &str) {
    fs::create_dir_all(yours(world).parent().unwrap()).unwrap();
    fs::write(yours(world), text).unwrap();
}

/// Standard error of a command that succeeds.
fn complaint(world: &World, args: &[&str]) -> String {
    let out = world.swarm(args);
    let text = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{text}");
    text
}

fn shown(world: &World, key: &str) -> (String, String) {
    let all: Value = serde_json::from_str(&world.ok(&["config", "show", "--json"])).unwrap();
    let one = all["settings"].as_array().unwrap().iter().find(|s| s["key"] == key).unwrap().clone();
    (one["value"].to_string(), one["source"].as_str().unwrap().to_owned())
}

#[test]
fn each_source_wins_over_those_before_it_and_says_where_it_is() {
    let mut world = project();
    assert_eq!(shown(&world, "lease.ttl"), ("900".into(), "default".into()));
    world.ok(&["config", "set", "--user", "lease.ttl", "1h"]);
    assert_eq!(shown(&world, "lease.ttl"), ("3600".into(), "user".into()));
    world.ok(&["config", "set", "lease.ttl", "2h"]);
    assert_eq!(shown(&world, "lease.ttl"), ("7200".into(), "project".into()));
    world.set("SWARM_LEASE_TTL", "90s");
    assert_eq!(shown(&world, "lease.ttl"), ("90".into(), "environment".into()));
    assert_eq!(world.ok(&["config", "get", "lease.ttl"]), "90s\n");
    let table = world.ok(&["config", "show"]);
    assert!(table.contains("lease.ttl") && table.contains("SWARM_LEASE_TTL"), "{table}");
    // The rate limit of the tests' environment is off: what is set is told not to serve.
    let told = complaint(&world, &["config", "set", "rate.count", "5"]);
    assert!(told.contains("the value in effect is 0 (SWARM_RATE_LIMIT)"), "{told}");
}

#[test]
fn a_lease_lasts_as_long_as_the_settings_say_unless_it_is_asked_otherwise() {
    let world = project();
    world.ok(&["config", "set", "lease.ttl", "2h"]);
    let rest = |args: &[&str]| world.ok(args);
    assert!(rest(&["lock", "a"]).contains("2h"));
    assert!(rest(&["lock", "b", "--ttl", "10m"]).contains("10m"));
    assert!(rest(&["renew", "b"]).contains("2h"));
}

#[test]
fn a_change_keeps_what_else_is_in_the_file() {
    let world = project();
    let text = "# ours\n\n[lease] # how long\nttl = \"1h\" # an hour\n";
    fs::write(theirs(&world), text).unwrap();
    fs::set_permissions(theirs(&world), fs::Permissions::from_mode(0o640)).unwrap();
    world.ok(&["config", "set", "lease.ttl", "30m"]);
    assert_eq!(fs::read_to_string(theirs(&world)).unwrap(), text.replace("1h", "30m"));
    world.ok(&["config", "set", "ack.waits", "1m,5m"]);
    world.ok(&["config", "unset", "ack.waits"]);
    world.ok(&["config", "set", "lease.ttl", "1h"]);
    assert_eq!(fs::read_to_string(theirs(&world)).unwrap().trim_end(), text.trim_end());
    assert_eq!(fs::metadata(theirs(&world)).unwrap().permissions().mode() & 0o777, 0o640);
    // Yours may be kept elsewhere and linked.
    let dotfiles = world.path().join("dotfiles.toml");
    fs::write(&dotfiles, "").unwrap();
    fs::create_dir_all(yours(&world).parent().unwrap()).unwrap();
    symlink(&dotfiles, yours(&world)).unwrap();
    world.ok(&["config", "set", "--user", "human.popup", "urgent"]);
    assert!(yours(&world).is_symlink());
    assert_eq!(fs::read_to_string(dotfiles).unwrap(), "[human]\npopup = \"urgent\"\n");
}

#[test]
fn bad_keys_and_values_are_refused_at_every_door_with_a_suggestion() {
    let mut world = project();
    for (args, told) in [
        (&["config", "set", "rate.cuont", "5"][..], "did you mean rate.count?"),
        (&["config", "get", "ttl"], "did you mean lease.ttl?"),
        (&["config", "set", "rate.count", "many"], "rate.count must be a number from 0 to 100000"),
        (&["config", "set", "lease.ttl", "2w"], "lease.ttl must be a time from 1s to 1d"),
        (&["config", "set", "hooks.enforce", "no"], "hooks.enforce must be deny, warn or off"),
        (&["config", "set", "human.popup", "urgent"], "add --user"),
        (
            &["config", "set", "--user", "dashboard.keys", "write=w answer=w"],
            "dashboard.keys: w cannot be both write and answer",
        ),
        (&["config", "unset", "rate.cuont"], "did you mean rate.count?"),
        (&["config", "validate", "nowhere.toml"], "there is no file nowhere.toml"),
    ] {
        let (code, why) = world.refused(args);
        assert!(code == 2 && why.contains(told), "{args:?}: {code} {why}");
    }
    assert!(!theirs(&world).exists());
    fs::write(theirs(&world), "[rate]\ncuont = 5\n\n[lease]\nttl = \"soon\"\n").unwrap();
    let (code, why) = world.refused(&["config", "validate"]);
    assert!(code == 2 && why.contains(".swarm.toml:2: there is no setting 'rate.cuont'"), "{why}");
    assert!(why.contains(".swarm.toml:5: lease.ttl must be"), "{why}");
    world.ok(&["config", "unset", "rate.cuont"]);
    world.ok(&["config", "unset", "lease.ttl"]);
    assert!(world.ok(&["config", "validate"]).contains("valid"));
    // Whoever set a variable is here to repair it.
    for (name, bad) in [("SWARM_RATE_LIMIT", "5"), ("SWARM_ACK_WAITS", "soon")] {
        let mut command = world.command("swarm");
        let out = command.args(["send", "human", "x"]).env(name, bad).output().unwrap();
        let why = String::from_utf8(out.stderr).unwrap();
        assert!(out.status.code() == Some(2) && why.contains(name), "{why}");
    }
    write_yours(&world, "[dashboard]\nkeys = \"write=w answer=w\"\n");
    let (code, why) = world.refused(&["config", "validate"]);
    assert!(code == 2 && why.contains(":2: dashboard.keys: w cannot be both write and answer"), "{why}");
    write_yours(&world, "");
    world.set("SWARM_ENFORCE", "maybe");
    let (code, why) = world.refused(&["config", "validate"]);
    assert!(code == 2 && why.contains("SWARM_ENFORCE: hooks.enforce must be"), "{why}");
}

#[test]
fn a_broken_file_stops_no_mail() {
    let mut world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.set("SWARM_ACK_WAITS", "soon");
    // A courier that starts with a bad variable goes by the default.
    world.ok(&["discover", "--init", "--quiet"]);
    world.set("SWARM_ACK_WAITS", "");
    for broken in ["[rate\n", "rate = = \u{1b}]0;x", "[rate]\ncount = -1\n"] {
        fs::write(theirs(&world), broken).unwrap();
        let told = complaint(&world, &["send", "--no-wait", "claude-1", "still here?"]);
        assert!(told.contains("ignored: ") && told.contains(".swarm.toml:"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }
    eventually("all three arrive", || (world.typed(&pane).len() == 3).then_some(()));
    let journal = || world.ok(&["log", "-n", "200", "--json"]);
    eventually("the courier tells", || journal().contains("bad-settings").then_some(()));
    let (code, told) = {
        let out = world.swarm(&["doctor", "--json"]);
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    assert!(code == Some(1) && told.contains("rate.count must be"), "{told}");
    // Neither a FIFO nor a file without end keeps anybody waiting.
    for (make, why) in
        [("mkfifo .swarm.toml", "not a regular file"), ("ln -s /dev/zero .swarm.toml", "not a regular file")]
    {
        fs::remove_file(theirs(&world)).unwrap();
        assert!(world.command("sh").args(["-c", make]).status().unwrap().success());
        assert!(complaint(&world, &["config", "show"]).contains(why), "{make}");
    }
}

#[test]
fn a_projects_file_can_only_be_more_careful_than_yours() {
    let mut world = project();
    world.set("SWARM_RATE_LIMIT", "");
    let text =
        "[rate]\ncount = 0\nwindow = \"2m\"\n[hooks]\nenforce = \"off\"\n[human]\npopup = \"urgent\"\n";
    fs::write(theirs(&world), text).unwrap();
    for (key, value, source) in [
        ("rate.count", "10", "default"),
        ("rate.window", "120", "project"),
        ("hooks.enforce", "\"deny\"", "default"),
        ("human.popup", "\"off\"", "default"),
    ] {
        assert_eq!(shown(&world, key), (value.into(), source.into()));
    }
    let told = complaint(&world, &["config", "show"]);
    assert!(told.contains(".swarm.toml:2: rate.count is ignored"), "{told}");
    write_yours(&world, "[hooks]\nenforce = \"off\"\n");
    assert_eq!(shown(&world, "hooks.enforce").0, "\"off\"");
    // A link in a clone is not followed for writing.
    fs::remove_file(theirs(&world)).unwrap();
    let victim = world.path().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, theirs(&world)).unwrap();
    let (code, why) = world.refused(&["config", "set", "lease.ttl", "1h"]);
    assert!(code == 2 && why.contains("symbolic link"), "{why}");
    assert_eq!(fs::read_to_string(victim).unwrap(), "");
}

#[test]
fn the_rate_limit_and_the_courier_follow_a_change_without_a_restart() {
    let mut world = World::new();
    world.set("SWARM_RATE_LIMIT", "");
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["config", "set", "rate.count", "2"]);
    for _ in 0..2 {
        world.ok(&["send", "human", "x"]);
    }
    assert_eq!(world.refused(&["send", "human", "x"]).0, 4);
    write_yours(&world, "[rate]\ncount = 0\n");
    world.ok(&["config", "unset", "rate.count"]);
    world.ok(&["send", "human", "x"]);
    // The courier has long read its settings.
    world.control(&pane, "draft half a thought");
    world.ok(&["send", "--no-wait", "claude-1", "later"]);
    let held = || world.ok(&["inbox"]).contains("is held");
    assert!(!held());
    world.ok(&["config", "set", "delivery.held_notice", "200ms"]);
    eventually("the sender is told of the hold", || held().then_some(()));
}

#[test]
fn the_whole_team_is_told_of_what_stays_unacknowledged_if_that_is_wished() {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.2");
    world.set("SWARM_ACK_ESCALATE", "all");
    world.start();
    let panes = ["claude", "codex"].map(|kind| world.agent(kind, &[]));
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["send", "--no-wait", "--ack", "claude-1", "answer me"]);
    eventually("another agent is told", || {
        world.events(&panes[1], "submitted").iter().any(|t| t.contains("UNACKNOWLEDGED")).then_some(())
    });
    assert!(!world.events(&panes[0], "submitted").iter().any(|t| t.contains("UNACKNOWLEDGED")));
}

#[test]
fn enforcement_is_a_setting_of_the_person() {
    let (world, _) = world_with_claude();
    world.ok(&["lock", "held.txt"]);
    let input = world.path().join("input");
    let file = world.project().join("held.txt");
    let event = format!(
        "{{\"hook_event_name\":\"PreToolUse\",\"tool_name\":\"Write\",\"tool_input\":{{\"file_path\":{:?}}}}}",
        file.to_str().unwrap()
    );
    fs::write(&input, event).unwrap();
    let answer = || world.below("claude-1", &format!("swarm hook claude PreToolUse <{}", input.display()));
    assert!(answer().contains("deny"), "{}", answer());
    world.ok(&["config", "set", "--user", "hooks.enforce", "off"]);
    assert!(!answer().contains("deny"), "{}", answer());
}

#[test]
fn agents_cannot_change_the_settings_by_command() {
    let world = World::new();
    world.start();
    world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    for line in ["set lease.ttl 1d", "set --user hooks.enforce off", "unset lease.ttl", "edit"] {
        let told = world.below("claude-1", &format!("swarm config {line}; echo ended with $?"));
        assert!(
            told.contains("only the human can change the settings") && told.contains("ended with 2"),
            "{line}: {told}"
        );
    }
    assert!(world.below("claude-1", "swarm config get lease.ttl").contains("15m"));
}

#[test]
fn an_edited_file_is_checked_before_it_takes_the_old_ones_place() {
    let world = project();
    let edit = |script: &str| {
        let editor = world.path().join("my editor");
        executable(&editor, format!("#!/bin/sh\n{script}\n"));
        let mut command = world.command("swarm");
        command.args(["config", "edit"]).env("EDITOR", format!("'{}'", editor.display()));
        let out = command.output().unwrap();
        (
            out.status.code().unwrap(),
            String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap(),
        )
    };
    let kept = |told: &str| {
        let path = told.rsplit("your text is in ").next().unwrap().trim();
        fs::read_to_string(path).unwrap()
    };
    assert!(edit("true").1.contains("is unchanged"));
    assert!(!theirs(&world).exists());
    assert_eq!(edit("printf '[lease]\\nttl = \"1h\"\\n' >\"$1\"").0, 0);
    let good = fs::read_to_string(theirs(&world)).unwrap();
    let (code, told) = edit("printf '[lease]\\nttl = 0\\n' >\"$1\"");
    assert!(code == 2 && told.contains(".swarm.toml:2: lease.ttl must be"), "{told}");
    assert_eq!(kept(&told), "[lease]\nttl = 0\n");
    let (code, told) = edit("echo '# more' >>\"$1\"; exit 3");
    assert!(code == 1 && kept(&told).ends_with("# more\n"), "{told}");
    let (code, told) = edit("echo '# mine' >>\"$1\"; swarm config set lease.ttl 2h");
    assert!(code == 1 && told.contains("somebody else") && kept(&told).ends_with("# mine\n"), "{told}");
    assert_eq!(fs::read_to_string(theirs(&world)).unwrap(), good.replace("1h", "2h"));
}

#[test]
fn of_many_who_change_one_file_at_once_none_is_lost() {
    let world = project();
    let keys = [
        ("rate.window", "2m"),
        ("ack.waits", "1m"),
        ("ack.escalate", "all"),
        ("delivery.quiet", "9s"),
        ("delivery.held_notice", "9s"),
        ("lease.ttl", "9s"),
        ("coord.auto", "true"),
        ("mail.keep_read", "90d"),
    ];
    thread::scope(|scope| {
        for (key, value) in keys {
            let world = &world;
            scope.spawn(move || world.ok(&["config", "set", key, value]));
        }
    });
    let text = fs::read_to_string(theirs(&world)).unwrap();
    assert_eq!(text.matches(" = ").count(), keys.len(), "{text}");
    assert!(world.ok(&["config", "validate"]).contains("valid"));
}

#[test]
fn read_mail_is_removed_after_its_time_and_a_copy_of_it_is_no_new_message() {
    let mut world = World::new();
    world.set("SWARM_KEEP_READ", "1s");
    world.start();
    world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["send", "--no-wait", "human", "read at once"]);
    let mail = world.project().join(".swarm/mail/human");
    let names = |folder: &str| {
        let entries = fs::read_dir(mail.join(folder)).into_iter().flatten();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let file = names("new").remove(0);
    let copy = fs::read(mail.join("new").join(&file)).unwrap();
    world.ok(&["read"]);
    world.ok(&["send", "--no-wait", "human", "never read"]);
    world.ok(&["send", "--no-wait", "--ack", "human", "read, not acknowledged"]);
    let awaited: Value = serde_json::from_str(&world.ok(&["inbox", "--json"])).unwrap();
    let awaited = awaited["messages"][1]["message"]["id"].as_str().unwrap().to_owned();
    world.ok(&["read", &awaited]);
    // A courier looks as it starts.
    let restart = || {
        let _ = world
            .command("pkill")
            .args(["-KILL", "-f", &format!("courier --socket {}/", world.path().display())])
            .output();
        world.ok(&["discover", "--quiet"]);
    };
    eventually("it is removed", || {
        restart();
        names("gone").contains(&file).then_some(())
    });
    eventually("the message itself, too", || (!names("cur").contains(&file)).then_some(()));
    restart();
    assert!(names("new").len() == 1 && names("cur").len() == 1, "{:?} {:?}", names("new"), names("cur"));
    assert!(fs::read(mail.join("gone").join(&file)).unwrap().is_empty());
    fs::write(mail.join("new").join(&file), copy).unwrap();
    let out = world.swarm(&["inbox"]);
    let told = String::from_utf8(out.stderr).unwrap();
    assert!(told.contains("replayed"), "{told}");
    assert!(!String::from_utf8(out.stdout).unwrap().contains("read at once"));
}

#[test]
fn urgent_mail_opens_a_popup_for_who_wants_one_once_no_key_is_pressed() {
    let mut world = World::new();
    world.set("SWARM_QUIET", "1");
    world.start();
    world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    // Long enough to be seen on a slow machine.
    world.tmux(&["set-option", "-g", "display-time", "5000"]);
    let person = world.attach(100, 30);
    world.ok(&["send", "--urgent", "human", "the disk is full"]);
    eventually("it is on the status line", || person.screen().contains("the disk is full").then_some(()));
    assert!(!person.screen().contains("Messages"), "{}", person.screen());
    write_yours(&world, "[human]\npopup = \"urgent\"\n");
    world.ok(&["send", "human", "no hurry"]);
    world.ok(&["send", "--urgent", "human", "and now the fan"]);
    eventually("the inbox opens over it", || {
        let screen = person.screen();
        (screen.contains("and now the fan") && screen.contains('┌')).then_some(())
    });
    eventually("it closes", || {
        person.press(&["q"]);
        (!person.screen().contains("no hurry")).then_some(())
    });
}

#[test]
fn the_status_line_does_without_icons_where_that_is_wished() {
    let mut world = World::new();
    world.set("SWARM_ICONS", "ascii");
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["send", "--no-wait", "human", "x"]);
    let badge = || world.tmux(&["display-message", "-p", "-t", &pane, "#{E:@swarm_badge}"]);
    eventually("the mail is counted", || badge().contains("m1").then_some(()));
    assert!(badge().is_ascii(), "{}", badge());
}

#[test]
fn the_documentation_lists_every_setting_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    let world = World::new();
    let keys: Value = serde_json::from_str(&world.ok(&["config", "keys", "--json"])).unwrap();
    let plain = world.ok(&["config", "keys"]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|l| l.starts_with("| `") && l.contains("SWARM_"))
        .map(|l| l.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(rows.len(), keys.len());
    for (row, key) in rows.iter().zip(keys) {
        let word = |name: &str| key[name].as_str().unwrap().to_owned();
        let default = plain.lines().find_map(|l| l.strip_prefix(&format!("{} = ", word("key")))).unwrap();
        let expected = [
            format!("`{}`", word("key")),
            if default.is_empty() { String::new() } else { format!("`{default}`") },
            word("values"),
            format!("`{}`", word("variable")),
            word("project"),
            word("effect"),
        ];
        assert_eq!(row[..], expected, "{}", word("key"));
    }
}
