//! A hostile world: full, read-only and foreign file systems, loose modes, links laid out as traps, storms of signals, clocks
//! that jump, text that wants to be obeyed. Nothing may be lost, written elsewhere, or run.
//!
//! What needs root or a mount is skipped with a note where that cannot be had. The generator of hostile text is seeded: each
//! run tries the same.

use crate::support::mail::{parsed, stderr};
use crate::support::peer::Peer;
use crate::support::{World, eventually, executable};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use swarm::core::body::Body;
use swarm::core::id::MessageId;
use swarm::core::lease::{PathKind, PathPattern};
use swarm::core::message::{Identity, MESSAGE_VERSION, Message, MessageType, Verified};
use swarm::core::name::Name;
use swarm::core::signing::Key;
use swarm::core::{escape, frame, log};

fn bodies(world: &World) -> Vec<String> {
    let inbox = parsed(&world.ok(&["inbox", "--json"]));
    assert_eq!(inbox["refused"], 0);
    let text = |m: &Value| m["message"]["body"].as_str().unwrap().to_owned();
    inbox["messages"].as_array().unwrap().iter().map(text).collect()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A mount; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(args: &[&str], at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        let done = mount.args(args).arg(at).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
        if !done {
            println!("skipped: nothing can be mounted here");
        }
        done.then(|| Self(at.to_owned()))
    }

    fn again(&self, options: &str) {
        assert!(Command::new("mount").args(["-o", options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

// File systems.

/// Fills a small file system with mail and leases, and sees that what failed has left nothing and what did not is there.
fn starve(options: &str, more: &str) {
    let world = World::new();
    let Some(small) = Mount::new(&["-t", "tmpfs", "-o", options, "tmpfs"], &world.project()) else { return };
    world.ok(&["init"]);
    let (mut sent, mut held) = (Vec::new(), 0);
    let failed = (0..600).find_map(|n| {
        let body = format!("message {n} {}", "x".repeat(300));
        let out = world.swarm(&["send", "human", &body]);
        if !out.status.success() {
            return Some(out);
        }
        sent.push(body);
        let out = world.swarm(&["lock", &format!("file-{n}")]);
        held += usize::from(out.status.success());
        None
    });
    let failed = failed.unwrap_or_else(|| panic!("{options}: it never filled"));
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    assert!(stderr(&failed).to_lowercase().contains("no space"), "{}", stderr(&failed));
    // Full in every way.
    for n in 0..10 {
        held += usize::from(world.swarm(&["lock", &format!("late-{n}")]).status.success());
    }
    assert_eq!(bodies(&world), sent, "{options}");
    let told = parsed(&world.ok(&["locks", "--json"]));
    assert_eq!((told["leases"].as_array().unwrap().len(), &told["damaged"]), (held, &json!([])));
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(world.state().join("tmp")).unwrap().count(), 0);
    small.again(more);
    world.ok(&["send", "human", "room again"]);
    world.ok(&["lock", "room"]);
    assert_eq!(bodies(&world).len(), sent.len() + 1);
}

#[test]
fn a_full_disk_costs_nothing_that_was_promised() {
    starve("size=400k", "remount,size=4m");
}

#[test]
fn a_full_inode_table_costs_nothing_that_was_promised() {
    starve("size=4m,nr_inodes=90", "remount,nr_inodes=900");
}

#[test]
fn a_read_only_project_can_be_read_and_says_why_it_cannot_be_written() {
    let world = World::with_store();
    world.ok(&["send", "human", "before"]);
    let project = world.project();
    let Some(mount) = Mount::new(&["--bind", project.to_str().unwrap()], &project) else { return };
    mount.again("remount,ro,bind");
    assert_eq!(bodies(&world), ["before"]);
    world.ok(&["locks"]);
    world.ok(&["who", "a"]);
    for args in [&["send", "human", "x"][..], &["lock", "a"], &["read"]] {
        let (code, said) = world.refused(args);
        assert!(code == 1 && said.to_lowercase().contains("read-only"), "{args:?}: {said}");
    }
    let hook = world.swarm(&["hook", "claude", "SessionStart"]);
    assert!(
        hook.status.success() && hook.stderr.is_empty(),
        "a hook never fails its agent: {}",
        stderr(&hook)
    );
    mount.again("remount,rw,bind");
    assert_eq!(bodies(&world), ["before"]);
}

/// Everything below `dir` that others may read or write.
fn loose(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let meta = entry.path().symlink_metadata().unwrap();
        if meta.mode() & 0o077 != 0 {
            found.push(format!("{:o} {}", meta.mode(), entry.path().display()));
        }
        if meta.is_dir() {
            found.extend(loose(&entry.path()));
        }
    }
    found
}

#[test]
fn no_umask_makes_anything_readable_to_others() {
    let world = World::new();
    let script = "umask 000 && swarm init && swarm send --ack human 'for me' && swarm lock a && swarm unlock a && swarm read && swarm send human more";
    let out = world.command("sh").args(["-c", script]).output().unwrap();
    assert!(out.status.success(), "{}", stderr(&out));
    assert_eq!(loose(&world.state()), [""; 0]);
    assert_eq!(world.state().metadata().unwrap().mode() & 0o777, 0o700);
    let keys = world.path().join("home/.local/state/swarm");
    let dir = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
    assert_eq!(loose(&dir), [""; 0]);
}

#[test]
fn a_store_that_others_can_write_in_is_refused_with_the_remedy() {
    let world = World::with_store();
    for dir in [world.state(), world.state().join("leases")] {
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        let (code, said) = world.refused(&["inbox"]);
        assert!(code == 1 && said.contains("chmod go-w"), "{said}");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        world.ok(&["inbox"]);
    }
    // What lies above is the user's own affair, as with every file of theirs.
    fs::set_permissions(world.project(), fs::Permissions::from_mode(0o777)).unwrap();
    world.ok(&["send", "human", "x"]);
}

#[test]
fn what_belongs_to_another_user_is_not_trusted() {
    if !is_root() {
        println!("skipped: only root can give files away");
        return;
    }
    let world = World::with_store();
    let keys = world.path().join("home/.local/state/swarm");
    let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path().join("key");
    for path in [world.state(), world.state().join("mail"), key] {
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let (code, said) = world.refused(&["send", "human", "x"]);
        assert!(code == 1 && said.contains("belongs to another user"), "{}: {said}", path.display());
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        world.ok(&["inbox"]);
    }
}

#[test]
fn links_laid_out_as_traps_lead_nowhere() {
    let names = [
        "",
        "tmp",
        "mail",
        "agents",
        "leases",
        "outbox",
        "quarantine",
        "edits",
        "aside",
        "journal.jsonl",
        "lock",
        "mail/human",
        "mail/human/new",
        "wake",
        "numbers.json",
        "rate/human.json",
    ];
    for name in names {
        let world = World::with_store();
        world.ok(&["send", "human", "first"]);
        let (place, victim) = (world.state().join(name), world.path().join("victim"));
        if place.is_dir() {
            fs::rename(&place, world.path().join("aside")).unwrap();
            // A directory that looks like what was there.
            let _ = Command::new("cp").arg("-r").arg(world.path().join("aside")).arg(&victim).status();
        } else {
            let _ = fs::remove_file(&place);
            fs::write(&victim, "precious").unwrap();
        }
        symlink(&victim, if name.is_empty() { world.state() } else { place }).unwrap();
        let listing = || {
            let out = Command::new("find").arg(&victim).args(["-printf", "%p %s %T@\n"]).output().unwrap();
            String::from_utf8(out.stdout).unwrap()
        };
        let before = listing();
        for args in [
            &["send", "--ack", "human", "second"][..],
            &["lock", "a"],
            &["unlock", "a"],
            &["read"],
            &["gc", "--yes"],
        ] {
            let out = world.swarm(args);
            assert!(matches!(out.status.code(), Some(0 | 1)), "{name}: {args:?}: {}", stderr(&out));
        }
        assert_eq!(listing(), before, "through {name}");
    }
}

// Paths, ids and names.

#[test]
fn no_id_name_or_path_leads_out_of_its_place() {
    let world = World::with_store();
    let outside = || {
        let mut names: Vec<_> = fs::read_dir(world.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = outside();
    let deep = "../".repeat(12) + "tmp/escape";
    for evil in [
        "../../x",
        "..",
        "/etc/passwd",
        "a/../../../x",
        "%2e%2e%2fx",
        "x\0y",
        "new/../x",
        &deep,
        "~",
        "-x/../y",
        "a\nb",
    ] {
        if evil.contains('\0') {
            continue;
        }
        let attempts: [&[&str]; 13] = [
            &["show", "--", evil],
            &["read", "--", evil],
            &["ack", "--", evil],
            &["status", "--", evil],
            &["verify", "--", evil],
            &["reply", "--", evil, "text"],
            &["resend", "--to", evil, "--", "abcd"],
            &["send", "--", evil, "text"],
            &["send", "--from", evil, "human", "text"],
            &["name", "--", evil, evil],
            &["name", "--", "human", evil],
            &["explain", "--", evil],
            &["unlock", "--fence", evil],
        ];
        for args in attempts {
            let out = world.swarm(args);
            assert!(!out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stdout));
            assert!(
                !stderr(&out).trim_end().contains('\n') || out.status.code() == Some(2),
                "{args:?}: {}",
                stderr(&out)
            );
        }
        // Inside, or refused; a file name on disk is a number either way.
        world.swarm(&["lock", "--", evil]);
        let mut named = world.command("swarm");
        named.args(["send", "human", "x"]).env("SWARM_NAME", evil);
        let _ = named.output().unwrap();
    }
    assert_eq!(outside(), before);
    assert!(!Path::new("/tmp/escape").exists());
    for entry in fs::read_dir(world.state().join("leases")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.strip_suffix(".json").unwrap().bytes().all(|b| b.is_ascii_digit()), "{name}");
    }
}

// Signals.

fn kill(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_storm_of_signals_does_not_shake_a_wait_for_the_mutex() {
    let world = World::with_store();
    let (held, _) = swarm::store::lock::exclusive(&world.state().join("lock")).unwrap();
    let spawn = |args: &[&str]| {
        let mut command = world.command("swarm");
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let waiting =
        [spawn(&["lock", "a"]), spawn(&["send", "human", "x"]), spawn(&["lock", "b", "--", "true"])];
    let begun = Instant::now();
    let mut signals = 0;
    while begun.elapsed() < Duration::from_millis(1500) {
        for child in &waiting {
            for name in ["WINCH", "STOP", "CONT"] {
                kill(child, name);
                signals += 1;
            }
        }
    }
    drop(held);
    for child in waiting {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", stderr(&out));
    }
    println!("{signals} signals");
    assert_eq!(
        (bodies(&world).len(), parsed(&world.ok(&["locks", "--json"]))["leases"].as_array().unwrap().len()),
        (1, 1)
    );
}

#[test]
fn a_storm_of_signals_does_not_shake_the_courier() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["init"]);
    let socket = world.tmux(&["display-message", "-p", "#{socket_path}"]);
    let mut courier = world.command("swarm").args(["courier", "--socket", &socket]).spawn().unwrap();
    eventually("the agent is known", || world.state().join("agents/claude-1.json").exists().then_some(()));
    let send = |n| parsed(&world.ok(&["send", "--json", "--no-wait", "claude-1", &format!("message {n}")]));
    let ids: Vec<String> = (0..5).map(|n| send(n)["id"].as_str().unwrap().to_owned()).collect();
    eventually("five messages in the storm", || {
        for name in ["WINCH", "STOP", "CONT", "WINCH"] {
            kill(&courier, name);
        }
        (world.typed(&pane).len() >= 5).then_some(())
    });
    assert_eq!(world.typed(&pane), ids, "each once: {}", world.log(&pane));
    world.tmux(&["kill-server"]);
    assert!(courier.wait().unwrap().success(), "it ends with its server");
}

// Clocks.

#[test]
fn records_of_a_time_that_has_not_come_block_nobody() {
    let world = World::with_store();
    let year = 365 * 24 * 3600 * 1000_u64;
    let future = swarm::store::now_ms() + year;
    let mut peer = Peer::new(&world, "peer-0");
    // As if the clock had been a year ahead for a while.
    fs::write(
        world.state().join("rate/human.json"),
        json!({"sequence": future, "sent": vec![future; 10]}).to_string(),
    )
    .unwrap();
    let send = |limit: &str| {
        let mut command = world.command("swarm");
        command.args(["send", "--no-wait", "peer-0", "x"]).env("SWARM_RATE_LIMIT", limit).output().unwrap()
    };
    assert_eq!(send("10/2").status.code(), Some(4), "a clock set back does not open the window");
    eventually("the window opens after its own time", || send("10/2").status.success().then_some(()));
    let window = parsed(&fs::read_to_string(world.state().join("rate/human.json")).unwrap());
    assert!(window["sequence"].as_u64().unwrap() > future, "numbers only go up: {window}");
    // A message of the future is mail like any other.
    let keys = world.path().join("home/.local/state/swarm");
    let key = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path().join("key");
    let key = Key::new(fs::read(key).unwrap().try_into().unwrap());
    let message = Message { created: future, ..message("from afar", "human", "peer-0") };
    let file = world.state().join("mail/peer-0/new").join(message.file_name());
    let id = message.id.to_string();
    fs::write(file, serde_json::to_vec(&key.sign(message)).unwrap()).unwrap();
    assert!(peer.ok("swarm-msg inbox").contains("from afar"));
    peer.ok(&format!("swarm-msg ack --no-wait {id}"));
    world.ok(&["agents"]);
    world.ok(&["log"]);
    // Leases count the time that the machine is awake: a wall clock of the future is nothing to them.
    peer.ok("swarm-msg lock a");
    assert_eq!(world.swarm(&["lock", "a"]).status.code(), Some(3));
}

// Text that wants to be obeyed.

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    /// Text of harmless words, and of everything that a terminal, tmux, a shell or a composer acts on.
    fn text(&mut self) -> String {
        const PARTS: [&str; 44] = [
            "word",
            " ",
            "é",
            "漢字",
            "\x1b[2J",
            "\x1b]0;t\x07",
            "\x1b[201~",
            "\u{9b}31m",
            "\r",
            "\n",
            "\t",
            "\u{7}",
            "\0",
            "\u{8}",
            "\u{202e}",
            "\u{200b}",
            "\u{2028}",
            "\u{feff}",
            "\u{e0041}",
            "#{pane_pid}",
            "#(touch pwned)",
            "##",
            "#",
            "%H",
            "%%",
            "$(touch pwned)",
            "`touch pwned`",
            "'",
            "\"",
            "\\",
            ";",
            "&&",
            "|",
            "> pwned",
            "!",
            "/quit",
            "@file",
            "&",
            "?",
            "[swarm ",
            "]",
            "(",
            ")",
            "\u{ad}",
        ];
        let parts = 1 + self.below(8);
        (0..parts).map(|_| PARTS[self.below(PARTS.len())]).collect()
    }
}

const CASES: usize = 20_000;

fn message(body: &str, from: &str, to: &str) -> Message {
    let id = MessageId::from_entropy(7);
    Message {
        version: MESSAGE_VERSION,
        id: id.clone(),
        sequence: 1,
        from: Name::new(from).unwrap().into(),
        identity: Identity::Human,
        to: vec![Name::new(to).unwrap()],
        kind: MessageType::Info,
        thread: id,
        reply_to: None,
        ack_required: true,
        urgent: false,
        intent: None,
        round: 0,
        groups: Vec::new(),
        created: 1,
        body: Body::new(body).unwrap(),
    }
}

/// One line that moves no cursor and hides nothing; a joiner of emoji may be in it.
fn plain(text: &str) {
    let bad = escape::misleading(text).next();
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn no_body_steers_a_terminal_or_a_composer() {
    let (mut random, key) = (Random(1), Key::new([7; 32]));
    let mut taken = 0;
    for _ in 0..CASES {
        let text = random.text();
        let Ok(body) = Body::new(&text) else { continue };
        taken += 1;
        assert!(!escape::misleading(body.as_str()).any(|(_, c)| !matches!(c, '\n' | '\t')), "{text:?}");
        let verified: Verified = key.verify(key.sign(message(&text, "claude-1", "human"))).unwrap();
        for line in frame::renderings(&verified, &Name::human()) {
            plain(&line);
            assert!(line.starts_with("[swarm ") && line.ends_with(')'), "{line:?}");
            assert!(!line.contains('@') && line.len() < 800, "{line:?}");
        }
    }
    assert!(taken > CASES / 20, "{taken}");
}

#[test]
fn no_title_path_or_field_steers_a_terminal() {
    let mut random = Random(2);
    for _ in 0..CASES {
        let text = random.text();
        for shown in
            [escape::line(&text), escape::short(&text, 20), frame::preview(&text), escape::word(&text)]
        {
            assert!(!shown.chars().any(escape::is_unsafe), "{text:?} gave {shown:?}");
        }
        let entry = json!({"t": 1, "event": text.clone(), text.clone(): text.clone(), "to": [text.clone()], "x": {"y": text.clone()}});
        plain(&log::line(&entry));
        if let Ok(name) = Name::new(&text) {
            assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        } else {
            plain(&Name::new(&text).unwrap_err().to_string());
        }
        if let Err(bad) = Body::new(&text) {
            plain(&bad.to_string());
        }
        if let Ok(pattern) = PathPattern::new(PathKind::File, None, &text) {
            assert!(!pattern.path().contains(['\n', '\x1b', '\0']), "{text:?}");
        }
    }
}

#[test]
fn a_quoted_word_is_one_word_to_a_shell() {
    let mut random = Random(3);
    let words: Vec<String> = (0..400).map(|_| random.text()).collect();
    let script: String = words.iter().map(|w| format!("printf '%s\\n' {}\n", escape::word(w))).collect();
    let dir = tempfile::tempdir().unwrap();
    let out = Command::new("sh").args(["-c", &script]).current_dir(&dir).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", stderr(&out));
    let printed = String::from_utf8(out.stdout).unwrap();
    assert!(printed.lines().eq(words.iter().map(|w| escape::line(w))));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn a_path_in_a_hooks_refusal_can_be_copied_into_a_shell() {
    let world = World::with_store();
    let [mut one, mut two] = crate::support::peer::peers::<2>(&world);
    let evil = "it's $(touch pwned) `touch pwned` \"; touch pwned #.rs";
    fs::write(
        world.path().join("input"),
        json!({"tool_name": "Write", "tool_input": {"file_path": evil}}).to_string(),
    )
    .unwrap();
    let hook = format!("swarm hook claude PreToolUse <'{}'", world.path().join("input").display());
    assert_eq!(one.ok(&hook).trim(), "");
    let said = two.ok(&hook);
    let reason = parsed(&said)["hookSpecificOutput"]["permissionDecisionReason"].as_str().unwrap().to_owned();
    plain(&reason);
    let command = reason.split("To queue: ").nth(1).unwrap().split(". To ask").next().unwrap();
    let (code, told) = two.run(command);
    assert!(code == 3 && told.contains("queued"), "{command}: {code} {told}");
    assert!(!world.project().join("pwned").exists());
}

#[test]
fn hostile_text_from_end_to_end_runs_nothing_and_arrives_whole() {
    let world = World::new();
    world.start();
    let place = world.project().join("#(touch pwned) $(touch pwned) 'q' #{pane_pid}");
    fs::create_dir(&place).unwrap();
    // By a shell: tmux itself expands formats in a directory, a title or a name that it is given as an argument.
    let script = world.path().join("bin/begin");
    let title = "printf '\\033]2;#(touch pwned) #{pane_pid}\\007\\033k#(touch pwned)\\033\\\\'";
    let text = format!("#!/bin/sh\ncd {}\n{title}\nclaude\nexec sh\n", escape::word(place.to_str().unwrap()));
    executable(&script, text);
    let pane = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "begin"]);
    eventually("the agent starts", || world.log(&pane).contains("\"start\"").then_some(()));
    world.tmux(&["set-option", "-g", "status-right", "#{E:@swarm-status}#{E:@swarm-label}"]);
    world.tmux(&["source-file", concat!(env!("CARGO_MANIFEST_DIR"), "/plugin/defaults.conf")]);
    let _person = world.attach(160, 48);
    world.ok(&["discover", "--init", "--quiet"]);
    let mut random = Random(4);
    let mut sent = Vec::new();
    while sent.len() < 8 {
        let text = format!("{} #(touch pwned) $(touch pwned) {}", random.text(), random.text());
        if Body::new(&text).is_err() {
            continue;
        }
        let told = parsed(&world.ok(&["send", "--json", "--no-wait", "claude-1", &text]));
        world.ok(&["send", "--no-wait", "human", &text]);
        // Each by itself: of several that wait only the number is told.
        let marker = format!("[swarm {} ", told["id"].as_str().unwrap());
        let line = eventually(&format!("{text:?} arrives"), || {
            world.events(&pane, "submitted").into_iter().find(|t| t.contains(&marker))
        });
        assert!(line.starts_with(&marker) && line.ends_with(')') && !line.contains('\n'), "{line:?}");
        sent.push(text);
    }
    assert_eq!(world.events(&pane, "submitted").len(), sent.len());
    assert_eq!(bodies(&world), sent);
    for dir in [world.project(), place, world.path().to_owned(), world.path().join("home")] {
        assert!(!dir.join("pwned").exists(), "{}", dir.display());
    }
}
