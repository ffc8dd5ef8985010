//! The courier keeps up: with changed profiles, with an update of the program, and with its own death.

use crate::support::mail::parsed;
use crate::support::{World, copy, eventually, executable, world_with_claude};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn submitted(world: &World, pane: &str) -> usize {
    world.typed(pane).len()
}

fn profile(world: &World, file: &str) -> PathBuf {
    let dir = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&dir).unwrap();
    dir.join(file)
}

/// Standard output and error of a command that succeeds.
fn both(world: &World, args: &[&str]) -> String {
    let out = world.swarm(args);
    let text = [out.stdout, out.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(out.status.success(), "swarm {args:?}: {text}");
    text
}

const CLAUDE: &str = include_str!("../src/agents/profiles/claude.toml");

#[test]
fn a_changed_profile_counts_at_once_for_the_courier_and_for_explain() {
    let (world, pane) = world_with_claude();
    world.send(&["claude-1", "by the built-in rules"]);
    eventually("it is typed", || (submitted(&world, &pane) == 1).then_some(()));
    // The user's own rules: whatever it shows, it is busy.
    let path = profile(&world, "mine.toml");
    fs::write(&path, CLAUDE.replace("busy = [", "busy = ['.', ")).unwrap();
    let id = world.send(&["claude-1", "by the user's rules"]);
    world.reaches(&id, "held", "it is in a turn");
    assert!(world.ok(&["explain", "claude-1"]).contains("state: busy"));
    fs::remove_file(path).unwrap();
    eventually("it is typed", || (submitted(&world, &pane) == 2).then_some(()));
    let explained = || world.ok(&["explain", "claude-1"]).contains("state: idle").then_some(());
    eventually("it is idle by the built-in rules", explained);
}

#[test]
fn a_broken_profile_is_named_everywhere_and_holds_its_own_kind_only() {
    let (world, claude) = world_with_claude();
    let codex = world.agent("codex", &[]);
    let path = profile(&world, "claude.toml");
    fs::write(&path, "kind = 'claude'\ntitle = 'x'\nprompt = '('\n").unwrap();
    let named = |text: &str| {
        assert!(text.contains("claude.toml is not valid: line 3"), "{text}");
        assert!(!text.contains("\\u{"), "{text}");
    };
    for args in [&["discover"][..], &["agents"], &["explain", "claude-1"], &["explain", "codex-1"]] {
        named(&both(&world, args));
    }
    let (first, second) = (world.send(&["claude-1", "for one"]), world.send(&["codex-1", "for the other"]));
    eventually("the other kind is served", || (submitted(&world, &codex) == 1).then_some(()));
    eventually("that is noted", || (world.stage(&second).0 == "submitted").then_some(()));
    world.reaches(&first, "held", "claude.toml is not valid: line 3");
    assert!(both(&world, &["explain", "claude-1"]).contains("nothing is typed there"));
    let doctor = world.swarm(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    named(&String::from_utf8(doctor.stdout).unwrap());
    named(&world.ok(&["log", "--event", "bad-profiles"]));
    assert_eq!(submitted(&world, &claude), 0);
    // A FIFO keeps nobody waiting; two files of one kind are named.
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert!(both(&world, &["agents"]).contains("not a regular file"));
    fs::remove_file(&path).unwrap();
    fs::write(profile(&world, "a.toml"), CLAUDE).unwrap();
    fs::write(profile(&world, "b.toml"), CLAUDE).unwrap();
    let told = both(&world, &["agents"]);
    assert!(told.contains("a.toml and ") && told.contains("b.toml are both of the kind claude"), "{told}");
    eventually("it is repaired", || (submitted(&world, &claude) == 1).then_some(()));
    eventually("that is noted", || (world.stage(&first).0 == "submitted").then_some(()));
}

/// A team whose agent has mail that waits for a draft to go; gives the pane and the message.
fn waiting() -> (World, String, String) {
    let (world, pane) = world_with_claude();
    world.control(&pane, "draft half a thought");
    eventually("it is drafted", || world.screen(&pane).contains("half a thought").then_some(()));
    let id = world.send(&["claude-1", "waits"]);
    world.reaches(&id, "held", "draft");
    world.end_couriers();
    world.tmux(&["send-keys", "-t", &pane, "C-u"]);
    (world, pane, id)
}

#[test]
fn a_courier_that_was_killed_comes_back_with_any_command_that_finds_mail() {
    for args in [&["who"][..], &["status"], &["agents"], &["inbox"], &["locks"], &["whoami"]] {
        let (world, pane, _) = waiting();
        // A courier was started a moment ago, so the first one may be too early.
        eventually(&format!("{args:?} starts one"), || {
            world.ok(args);
            (world.couriers().len() == 1).then_some(())
        });
        eventually("the mail is typed", || (submitted(&world, &pane) == 1).then_some(()));
    }
}

#[test]
fn nothing_starts_a_courier_where_none_is_needed() {
    let (world, _pane) = world_with_claude();
    world.end_couriers();
    std::thread::sleep(std::time::Duration::from_millis(1200));
    for args in [&["who"][..], &["status"], &["agents"]] {
        world.ok(args);
    }
    assert_eq!(world.couriers(), Vec::<String>::new());
    // A lease has deadlines.
    world.ok(&["lock", "a.rs"]);
    world.end_couriers();
    eventually("it is kept to", || {
        world.ok(&["who"]);
        (world.couriers().len() == 1).then_some(())
    });
}

/// A directory with a copy of both programs.
fn installation(world: &World, name: &str) -> PathBuf {
    let dir = world.path().join(name);
    fs::create_dir(&dir).unwrap();
    for program in ["swarm", "swarm-msg"] {
        copy(fs::canonicalize(world.path().join("bin").join(program)).unwrap(), dir.join(program));
    }
    dir
}

/// Puts a file in a program's place, as an installer does.
fn install(program: &Path, bytes: &[u8]) {
    let new = program.with_extension("new");
    executable(&new, bytes);
    fs::rename(new, program).unwrap();
}

fn run(world: &World, program: &Path, args: &[&str]) -> String {
    let out = world.command(program.to_str().unwrap()).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn of_many_commands_at_once_one_starts_a_courier() {
    let (world, pane, _) = waiting();
    let dir = installation(&world, "counted");
    let (real, starts) = (world.path().join("bin/swarm"), world.path().join("starts"));
    let script = format!("#!/bin/sh\necho x >>{}\nexec {} \"$@\"\n", starts.display(), real.display());
    install(&dir.join("swarm"), script.as_bytes());
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let run = || {
        let mut command = world.command(dir.join("swarm-msg").to_str().unwrap());
        command.arg("who").stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let all: Vec<_> = (0..64).map(|_| run()).collect();
    for mut one in all {
        assert!(one.wait().unwrap().success());
    }
    eventually("the mail is typed", || (submitted(&world, &pane) == 1).then_some(()));
    assert_eq!(fs::read_to_string(starts).unwrap().lines().count(), 1);
    assert_eq!(world.couriers().len(), 1);
}

#[test]
fn who_has_uninstalled_swarm_gets_no_courier_by_itself() {
    let (world, _pane) = world_with_claude();
    world.ok(&["uninstall", "--yes"]);
    assert_eq!(world.couriers(), Vec::<String>::new());
    let out = world.swarm(&["send", "--no-wait", "claude-1", "anybody?"]);
    let told = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success() && told.contains("swarm was uninstalled here"), "{told}");
    world.ok(&["status"]);
    world.ok(&["discover", "--quiet", "--from-tmux"]);
    assert_eq!(world.couriers(), Vec::<String>::new());
    assert!(world.ok(&["doctor"]).contains("swarm was uninstalled here"));
    world.ok(&["discover", "--quiet"]);
    eventually("it is back", || (world.couriers().len() == 1).then_some(()));
}

/// The one courier, once there is exactly one that is not one of `not`.
fn successor(world: &World, not: &[String]) -> String {
    eventually("another courier serves, alone", || match &world.couriers()[..] {
        [one] if !not.contains(one) => Some(one.clone()),
        _ => None,
    })
}

#[test]
fn an_update_in_place_replaces_the_running_courier_by_itself() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    let dir = installation(&world, "updated");
    let swarm = dir.join("swarm");
    run(&world, &swarm, &["discover", "--init", "--quiet"]);
    let first = successor(&world, &[]);
    // What waits meanwhile is given by whoever serves then, without any command.
    world.control(&pane, "busy 4000");
    let id = world.send(&["claude-1", "across the update"]);
    world.reaches(&id, "held", "it is in a turn");
    let whole = fs::read(&swarm).unwrap();
    install(&swarm, &[&whole[..], b"2"].concat());
    let second = successor(&world, std::slice::from_ref(&first));
    eventually("the mail is typed", || (submitted(&world, &pane) == 1).then_some(()));
    // What cannot run leaves the one that serves.
    let trouble = |part: &str| {
        eventually(part, || {
            let told = run(&world, &world.path().join("bin/swarm"), &["doctor"]);
            told.contains(part).then_some(())
        });
        assert_eq!(world.couriers(), std::slice::from_ref(&second));
    };
    // Less than what is loaded: a good part of a test build is for debuggers.
    install(&swarm, &whole[..whole.len() / 8]);
    trouble("cannot take over");
    install(&swarm, b"#!/bin/sh\nexit 3\n");
    trouble("it ended with 3 instead of taking over");
    assert!(world.ok(&["log", "--event", "courier-error"]).contains("cannot take over"));
    world.send(&["claude-1", "still here?"]);
    eventually("it serves", || (submitted(&world, &pane) == 2).then_some(()));
    // One that can does take over, be it an older one.
    install(&swarm, &whole);
    successor(&world, &[first, second]);
    world.send(&["claude-1", "and now?"]);
    eventually("it serves", || (submitted(&world, &pane) == 3).then_some(()));
}

#[test]
fn the_newest_version_serves_and_equal_ones_do_not_take_turns() {
    let (world, pane) = world_with_claude();
    let first = successor(&world, &[]);
    let says = |version: &str| {
        let path = world.state().join("courier.json");
        let mut said = parsed(&fs::read_to_string(&path).unwrap());
        said["version"] = version.into();
        fs::write(path, said.to_string()).unwrap();
    };
    eventually("it says what it is", || world.state().join("courier.json").exists().then_some(()));
    for version in ["99.0.0", env!("CARGO_PKG_VERSION")] {
        says(version);
        let other = installation(&world, version);
        run(&world, &other.join("swarm"), &["send", "--no-wait", "claude-1", "hello"]);
        assert_eq!(world.couriers(), std::slice::from_ref(&first), "{version}");
    }
    says("0.0.9");
    world.ok(&["send", "--no-wait", "claude-1", "hello"]);
    let second = successor(&world, &[first]);
    // A courier of before this was said at all. One that is starting would only now say it.
    let says_it = format!("\"pid\":{second}");
    let place = world.state().join("courier.json");
    eventually("the second says what it is", || {
        fs::read_to_string(&place).is_ok_and(|text| text.replace(' ', "").contains(&says_it)).then_some(())
    });
    fs::remove_file(&place).unwrap();
    world.ok(&["send", "--no-wait", "claude-1", "hello"]);
    successor(&world, &[second]);
    // What waited together went in one turn.
    let given =
        || world.events(&pane, "submitted").iter().map(|turn| turn.matches("] hello").count()).sum::<usize>();
    eventually("each once", || (given() == 4).then_some(()));
}

#[test]
fn a_child_that_an_older_courier_leaves_with_its_lock_does_not_keep_the_new_one_away() {
    let (world, pane) = world_with_claude();
    successor(&world, &[]);
    world.end_couriers();
    fs::remove_file(world.state().join("courier.json")).unwrap();
    // It has the lock and the bell, and when it ends, a child still has both for a while.
    let script = r#"exec 9<>"$1/courier.lock" 8<>"$1/wake"; flock 9
trap 'sleep 0.3 & exit 0' TERM
: >"$1/../ready"
while :; do read -r -t 60 -n 1 _ <&8; done"#;
    let mut older = Command::new("bash").args(["-c", script, "courier"]).arg(world.state()).spawn().unwrap();
    eventually("the older one serves", || world.state().join("../ready").exists().then_some(()));
    world.ok(&["send", "--no-wait", "claude-1", "hello"]);
    successor(&world, &[]);
    assert!(older.wait().unwrap().success());
    eventually("it is given", || (submitted(&world, &pane) == 1).then_some(()));
}

#[test]
fn a_lock_that_a_killed_couriers_child_still_has_for_a_moment_leaves_no_mail_without_a_courier() {
    let (world, pane) = world_with_claude();
    successor(&world, &[]);
    world.end_couriers();
    // As a child does that was killed before it became another program.
    let child = fs::File::open(world.state().join("courier.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&child).unwrap();
    let new = world.state().join("mail/claude-1/new");
    std::thread::scope(|scope| {
        scope.spawn(|| world.ok(&["send", "--no-wait", "claude-1", "hello"]));
        eventually("it is on disk", || fs::read_dir(&new).ok()?.next().map(drop));
        // The command has found the lock held by then, most likely.
        std::thread::sleep(std::time::Duration::from_millis(200));
        drop(child);
    });
    // No other command runs.
    eventually("it is given", || (submitted(&world, &pane) == 1).then_some(()));
}

#[test]
fn a_keeper_waits_until_all_files_of_a_killed_courier_are_closed() {
    let (world, pane) = world_with_claude();
    successor(&world, &[]);
    world.end_couriers();
    // A killed process that has not closed its files yet counts as alive, has the lock and hears the bell. An agent's process, and
    // this one, stand for it.
    let record = world.state().join("courier.json");
    let read = |path: &Path| parsed(&fs::read_to_string(path).unwrap());
    let mut service = read(&record);
    service["process"] = read(&world.state().join("agents/claude-1.json"))["process"].clone();
    fs::write(&record, service.to_string()).unwrap();
    let open = |name| fs::File::options().read(true).write(true).open(world.state().join(name)).unwrap();
    let (lock, bell) = (open("courier.lock"), open("wake"));
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    let socket = world.tmux(&["display-message", "-p", "#{socket_path}"]);
    let mut keeper = world.command("swarm");
    keeper.args(["courier", "--keep", "--socket", &socket, "--root"]).arg(world.project());
    let mut keeper = keeper.stdin(Stdio::piped()).spawn().unwrap();
    drop(keeper.stdin.take());
    // It has found the lock held by then, most likely.
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(lock);
    let other = open("courier.lock");
    eventually("the keeper has the lock", || match fs2::FileExt::try_lock_exclusive(&other) {
        Ok(()) => fs2::FileExt::unlock(&other).ok().and(None),
        Err(_) => Some(()),
    });
    // The killed one still hears this, and does nothing about it.
    world.ok(&["send", "--no-wait", "claude-1", "hello"]);
    drop(bell);
    // No other command runs.
    eventually("it is given", || (submitted(&world, &pane) == 1).then_some(()));
    assert!(keeper.wait().unwrap().success());
}

/// The keepers of this world's couriers.
fn keepers(world: &World) -> Vec<String> {
    let out = Command::new("ps").args(["-A", "-o", "pid=,args="]).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mark = world.path().display().to_string();
    let mine = text.lines().filter(|l| l.contains("courier --keep") && l.contains(&mark));
    mine.filter_map(|l| Some(l.split_whitespace().next()?.to_owned())).collect()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success(), "{signal} {pid}");
}

#[test]
fn a_courier_that_is_killed_while_mail_waits_is_started_again_by_its_keeper() {
    let mut world = World::new();
    world.set("SWARM_TEST_KEEPER", "1");
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    let first = successor(&world, &[]);
    let keeper = |not: &[String]| {
        eventually("one keeper", || match &keepers(&world)[..] {
            [one] if !not.contains(one) => Some(one.clone()),
            _ => None,
        })
    };
    // A keeper that has ended is replaced.
    let earlier = keeper(&[]);
    kill("-KILL", &earlier);
    let second = keeper(&[earlier]);
    world.control(&pane, "dialog");
    eventually("the dialog", || world.screen(&pane).contains("Do you want").then_some(()));
    let id = world.send(&["claude-1", "before the courier is killed"]);
    world.reaches(&id, "held", "a dialog is open");
    // From here on no command of swarm runs, which would start a courier.
    kill("-KILL", &first);
    let next = successor(&world, std::slice::from_ref(&first));
    keeper(&[second]);
    world.control(&pane, "dialog-close");
    eventually("it is given", || (submitted(&world, &pane) == 1).then_some(()));
    // One that is told to end ends.
    kill("-TERM", &next);
    eventually("both end", || (world.couriers().is_empty() && keepers(&world).is_empty()).then_some(()));
}
