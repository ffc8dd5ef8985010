//! Traps on the disk: what a cloned or unpacked `.swarm/`, another user, or a directory that anybody may write in could hold.
//! Nothing may wait for ever, eat the memory, write elsewhere, be trusted, or leave something of ours to others.
//!
//! What needs root is skipped with a note where it cannot be had.

use crate::support::mail::stderr;
use crate::support::{PATIENCE, World, copy, eventually, executable};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// A command that must come to an end, and with little memory, whatever it was led to read.
fn ends(world: &World, args: &[&str]) -> Output {
    let mut command = world.command("sh");
    let script = "ulimit -v 4000000; exec swarm \"$@\"";
    command.args(["-c", script, "sh"]).args(args);
    let (sender, receiver) = mpsc::channel();
    let told = args.join(" ");
    thread::spawn(move || {
        let _ = sender.send(command.output().unwrap());
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("swarm {told} does not end"))
}

const COMMANDS: [&[&str]; 9] = [
    &["send", "human", "x"],
    &["inbox"],
    &["read"],
    &["lock", "a"],
    &["locks"],
    &["agents"],
    &["log"],
    &["doctor"],
    &["status"],
];

/// What can be put in place of a file.
#[derive(Clone, Copy, Debug)]
enum Trap {
    Fifo,
    Directory,
    Socket,
    /// A link to what never ends.
    Endless,
    Link,
    Huge,
    Deep,
    Binary,
}

const TRAPS: [Trap; 8] = [
    Trap::Fifo,
    Trap::Directory,
    Trap::Socket,
    Trap::Endless,
    Trap::Link,
    Trap::Huge,
    Trap::Deep,
    Trap::Binary,
];

impl Trap {
    fn lay(self, world: &World, path: &Path) {
        let _ = fs::remove_file(path);
        let _ = fs::remove_dir_all(path);
        match self {
            Trap::Fifo => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            Trap::Directory => fs::create_dir(path).unwrap(),
            Trap::Socket => drop(UnixListener::bind(path).unwrap()),
            Trap::Endless => symlink("/dev/zero", path).unwrap(),
            Trap::Link => {
                let victim = world.path().join("victim");
                fs::write(&victim, "precious").unwrap();
                symlink(victim, path).unwrap();
            }
            // Sparse: it takes no room, and no end of memory to whoever reads it whole.
            Trap::Huge => fs::File::create(path).unwrap().set_len(64 << 30).unwrap(),
            Trap::Deep => fs::write(path, "[".repeat(900_000)).unwrap(),
            Trap::Binary => fs::write(path, [0xff, 0, 0xfe, b'\n', 0x1b]).unwrap(),
        }
    }
}

/// The victim of [`Trap::Link`] is as it was.
fn unharmed(world: &World, told: &str) {
    let victim = world.path().join("victim");
    if victim.exists() {
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious", "{told}");
    }
}

#[test]
fn whatever_lies_in_place_of_a_record_is_set_aside_and_the_rest_works() {
    let world = World::with_store();
    let state = world.state();
    world.ok(&["send", "human", "genuine"]);
    for trap in TRAPS {
        let told = format!("{trap:?}");
        let message = state.join("mail/human/new/0000000000001-human-abcd2345.json");
        let records = [
            state.join("agents/evil.json"),
            message,
            state.join("mail/human/state/abcd2345.json"),
            state.join("notices/0000000000001-00000001.json"),
            state.join("outbox/0000000000001-human-abcd2345.json"),
            state.join("rate/human.json"),
        ];
        for path in &records {
            trap.lay(&world, path);
        }
        for args in COMMANDS {
            let out = ends(&world, args);
            assert!(matches!(out.status.code(), Some(0 | 1)), "{told}: {args:?}: {}", stderr(&out));
            assert!(!stderr(&out).contains("panicked"), "{told}: {args:?}: {}", stderr(&out));
        }
        let out = ends(&world, &["send", "human", &told]);
        assert!(out.status.success(), "{told}: {}", stderr(&out));
        assert!(world.ok(&["inbox", "--all"]).contains(&told));
        for path in
            records.iter().filter(|p| !p.ends_with("rate/human.json") && !p.ends_with("abcd2345.json"))
        {
            assert!(path.symlink_metadata().is_err(), "{told}: {} is in quarantine", path.display());
        }
        unharmed(&world, &told);
    }
    assert!(world.ok(&["inbox", "--all"]).contains("genuine"));
}

#[test]
fn whatever_lies_in_place_of_a_file_that_everything_needs_is_named_and_not_waited_for() {
    for name in ["FORMAT", "PROJECT", "journal.jsonl", "journal.1.jsonl", "numbers.json", "lock", "wake"] {
        for trap in TRAPS {
            if matches!((name, trap), ("wake", Trap::Fifo)) {
                continue;
            }
            let world = World::with_store();
            let place = world.state().join(name);
            trap.lay(&world, &place);
            let told = format!("{name} is {trap:?}");
            let before = place.symlink_metadata().unwrap();
            for args in COMMANDS {
                let out = ends(&world, args);
                assert!(matches!(out.status.code(), Some(0..=2)), "{told}: {args:?}: {}", stderr(&out));
                assert!(!stderr(&out).contains("panicked"), "{told}: {args:?}: {}", stderr(&out));
            }
            // A hook is silent and never in its agent's way.
            let hook = ends(&world, &["hook", "claude", "SessionStart"]);
            assert!(hook.status.success() && hook.stderr.is_empty(), "{told}: {}", stderr(&hook));
            if matches!(name, "FORMAT" | "PROJECT") && !matches!(trap, Trap::Directory) {
                let after = place.symlink_metadata().unwrap();
                assert_eq!((before.ino(), before.len()), (after.ino(), after.len()), "{told}: left alone");
            }
            unharmed(&world, &told);
        }
    }
}

#[test]
fn what_only_looks_like_the_courier_bell_is_not_written_over() {
    let world = World::with_store();
    let wake = world.state().join("wake");
    fs::remove_file(&wake).unwrap();
    fs::write(&wake, "precious").unwrap();
    let (code, said) = world.refused(&["status"]);
    assert!(code == 1 && said.contains("is not a FIFO"), "{said}");
    // What was sent is sent.
    world.ok(&["send", "human", "x"]);
    assert_eq!(fs::read_to_string(&wake).unwrap(), "precious");
    // The remedy is one that works.
    let remedy = said.split("repair it with: ").nth(1).unwrap();
    assert!(world.command("sh").args(["-c", remedy]).status().unwrap().success(), "{remedy}");
    assert!(wake.metadata().unwrap().file_type().is_fifo());
    world.ok(&["status"]);
}

#[test]
fn a_link_in_place_of_any_directory_is_not_written_through() {
    let parts = ["new", "given", "cur", "state", "unacked", "gone"].map(|part| format!("mail/human/{part}"));
    let others = ["hooks", "claims", "notices", "waiters", "dead", "rate"].map(str::to_owned);
    for name in parts.into_iter().chain(others) {
        let world = World::with_store();
        world.ok(&["send", "--ack", "human", "first"]);
        let victim = world.path().join("victim");
        let place = world.state().join(&name);
        if fs::rename(&place, &victim).is_err() {
            fs::create_dir(&victim).unwrap();
        }
        symlink(&victim, &place).unwrap();
        let listing = || {
            let mut names: Vec<_> = fs::read_dir(&victim).unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            names
        };
        let before = listing();
        for args in [
            &["send", "--ack", "human", "second"][..],
            &["lock", "a"],
            &["read", "--all"],
            &["hook", "claude", "PreToolUse"],
            &["gc", "--yes"],
        ] {
            let out = ends(&world, args);
            assert!(matches!(out.status.code(), Some(0 | 1)), "{name}: {args:?}: {}", stderr(&out));
        }
        assert_eq!(listing(), before, "through {name}");
    }
}

#[test]
fn a_record_of_an_agent_leads_to_no_other_file_and_no_command() {
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    let socket = world.tmux(&["display-message", "-p", "#{socket_path}"]);
    let courier = || world.command("swarm").args(["courier", "--socket", &socket]).spawn().unwrap();
    let mut running = courier();
    for (n, pane) in ["%0 ; run-shell 'touch pwned'", "%/../../../pwned", "../pwned", "{last}", "%0\n", ""]
        .iter()
        .enumerate()
    {
        let name = format!("evil-{n}");
        let record = json!({
            "name": name, "kind": "claude", "cwd": world.project(), "first_seen": 1,
            "process": swarm::os::process::this().unwrap(),
            "place": {"socket": socket, "server": 1, "pane": pane, "pane_pid": 1},
        });
        fs::write(world.state().join(format!("agents/{name}.json")), record.to_string()).unwrap();
        let out = world.swarm(&["send", "--no-wait", &name, "x"]);
        assert_eq!(out.status.code(), Some(5), "{pane:?}: {}", stderr(&out));
    }
    assert_eq!(fs::read_dir(world.state().join("agents")).unwrap().count(), 0);
    running.kill().unwrap();
    running.wait().unwrap();
    for dir in [world.path().to_owned(), world.project(), world.state(), world.path().join("home")] {
        assert!(!dir.join("pwned").exists() && !dir.join("pwned.lock").exists(), "{}", dir.display());
    }
}

#[test]
fn the_name_of_a_process_or_a_directory_passes_for_no_other_pane() {
    let world = World::new();
    world.start();
    let victim = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    // A directory, and a program in it, named like lines of tmux's answers about the victim's pane.
    let look = format!("x\tt\nend-of-clients\n{}z", "\n".repeat(60));
    let line = format!("d\n1\t3.3a\t{victim}\t1\t0\t0.0\tpwned\t\t\t\ts\t");
    let dir = world.project().join(line);
    fs::create_dir(&dir).unwrap();
    let program = dir.join(&look);
    copy("/bin/sleep", &program);
    let script = world.path().join("bin/begin");
    executable(&script, "#!/bin/sh\ncd project/d*/\nexec ./x* 1000\n");
    let root = world.path().display().to_string();
    let pane = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "-c", &root, "exec begin"]);
    eventually("it runs", || {
        world
            .tmux(&["display-message", "-p", "-t", &pane, "#{pane_current_command}"])
            .contains("./x")
            .then_some(())
    });
    let server = swarm::tmux::Server::new(&world.tmux(&["display-message", "-p", "#{socket_path}"]));
    let panes = server.panes().unwrap();
    assert_eq!(panes.iter().filter(|p| p.id == victim).count(), 1, "{panes:#?}");
    assert!(panes.iter().all(|p| p.label != "pwned" && p.pid > 1), "{panes:#?}");
    let looks = server.looks(&[&pane, &victim]).unwrap();
    let alone = server.look(&victim).unwrap().unwrap();
    assert_eq!(looks[1].as_ref().unwrap().pane_pid, alone.pane_pid);
    assert_eq!(looks[1].as_ref().unwrap().screen, alone.screen);
    assert!(looks[0].as_ref().unwrap().command.starts_with("./x?t?end-of-clients?"));
}

#[test]
fn a_tmux_server_of_somebody_else_is_not_spoken_to() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can give files away");
        return;
    }
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    let socket = PathBuf::from(world.tmux(&["display-message", "-p", "#{socket_path}"]));
    let dir = socket.parent().unwrap().to_owned();
    world.ok(&["discover", "--quiet"]);
    let refused = |why: &str| {
        let (code, said) = world.refused(&["discover"]);
        assert!(
            code == 7 && said.contains("swarm does not use tmux") && said.contains(why),
            "{code}: {said}"
        );
    };
    // Where no server ran, anybody could have made the directory that ours would be in, or listen there.
    for path in [&dir, &socket] {
        chown(path, Some(65_534), None).unwrap();
        refused("belongs to another user");
        chown(path, Some(0), None).unwrap();
    }
    mode(&dir, 0o777);
    refused("anybody may create a socket");
    mode(&dir, 0o700);
    world.ok(&["discover", "--quiet"]);
}

#[test]
fn keys_are_neither_read_nor_made_where_others_may_write() {
    let world = World::with_store();
    let keys = world.path().join("home/.local/state/swarm");
    mode(&keys, 0o777);
    let (code, said) = world.refused(&["inbox"]);
    assert!(code == 1 && said.contains("chmod go-w"), "{said}");
    mode(&keys, 0o700);
    world.ok(&["inbox"]);
    // What lies above is the user's own affair.
    for above in ["home/.local/state", "home/.local"] {
        mode(&world.path().join(above), 0o777);
    }
    world.ok(&["inbox"]);
    if nix::unistd::geteuid().is_root() {
        chown(&keys, Some(65_534), None).unwrap();
        let (code, said) = world.refused(&["inbox"]);
        assert!(code == 1 && said.contains("belongs to another user"), "{said}");
        // Before there was a key, too.
        fs::remove_dir_all(&keys).unwrap();
        fs::create_dir(&keys).unwrap();
        chown(&keys, Some(65_534), None).unwrap();
        world.refused(&["inbox"]);
        assert_eq!(fs::read_dir(&keys).unwrap().count(), 0);
    }
}

#[test]
fn a_document_in_a_directory_of_everybodys_makes_nothing_that_runs_as_its_editor() {
    let world = World::with_store();
    world.ok(&["coord", "init"]);
    let document = world.project().join("COORDINATION.md");
    let ours = world.project().join(".swarm.toml");
    world.ok(&["config", "set", "rate.count", "5"]);
    mode(&world.project(), 0o777);
    for path in [&document, &ours] {
        mode(path, 0o6775);
    }
    // Where the change is written first somebody has put a link.
    let victim = world.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, world.project().join(".COORDINATION.md.swarm-new")).unwrap();
    world.ok(&["coord", "add", "goals", "ship it"]);
    world.ok(&["config", "set", "rate.count", "6"]);
    assert!(fs::read_to_string(&document).unwrap().contains("ship it"));
    for path in [&document, &ours] {
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o775, "{}", path.display());
    }
    unharmed(&world, "the link");
    for trap in [Trap::Fifo, Trap::Directory, Trap::Endless, Trap::Huge, Trap::Binary, Trap::Socket] {
        trap.lay(&world, &document);
        for args in [&["coord", "show"][..], &["coord", "add", "goals", "x"], &["coord", "init"]] {
            let out = ends(&world, args);
            assert!(matches!(out.status.code(), Some(1 | 2)), "{trap:?}: {args:?}: {}", stderr(&out));
        }
    }
}

#[test]
fn settings_and_git_files_of_any_kind_keep_nobody_waiting() {
    for (name, trap) in [".swarm.toml", ".git", ".claude/settings.local.json"]
        .into_iter()
        .flat_map(|name| TRAPS.map(|trap| (name, trap)))
    {
        let world = World::with_store();
        let place = world.project().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        trap.lay(&world, &place);
        for args in [
            &["init"][..],
            &["send", "human", "x"],
            &["lock", "a"],
            &["hooks", "status"],
            &["config", "show"],
        ] {
            let out = ends(&world, args);
            assert!(
                matches!(out.status.code(), Some(0..=2)),
                "{name} is {trap:?}: {args:?}: {}",
                stderr(&out)
            );
            assert!(!stderr(&out).contains("panicked"), "{name} is {trap:?}: {args:?}: {}", stderr(&out));
        }
        unharmed(&world, name);
    }
}

#[test]
fn a_journal_with_a_line_that_has_no_end_is_read_all_the_same() {
    let world = World::with_store();
    let journal = world.state().join("journal.jsonl");
    let mut text = "x".repeat(3 << 20);
    text.push('\n');
    text.push_str(&json!({"t": 1, "event": "good", "to": ["human"]}).to_string());
    text.push_str("\n{\"t\": 2, \"event\": \"half");
    fs::write(&journal, text).unwrap();
    let log = world.ok(&["log", "--json"]);
    let entries: Vec<Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(entries.len(), 1, "{log}");
    assert_eq!(entries[0]["event"], "good");
}
