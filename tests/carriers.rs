//! Agents' own channels: a text reaches a running agent without a key being typed, is proved by what the agent writes down, and is given once,
//! whatever the channel does with it.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How long a swallowed text is waited for in these tests (ms).
const GIVEN_UP: u64 = 4000;

/// The kinds that have a channel of their own.
const KINDS: [&str; 2] = ["claude", "opencode"];

/// A project with one Claude whose inbox does that, and with a profile that gives a swallowed text up soon.
fn team(inbox: &str, variables: &[(&str, &str)]) -> (World, String) {
    team_of("claude", inbox, variables)
}

/// The same with another kind.
fn team_of(kind: &str, inbox: &str, variables: &[(&str, &str)]) -> (World, String) {
    let world = World::new();
    world.start();
    let profiles = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&profiles).unwrap();
    let profile = match kind {
        "claude" => include_str!("../src/agents/profiles/claude.toml"),
        _ => include_str!("../src/agents/profiles/opencode.toml"),
    };
    let file = profiles.join(format!("{kind}.toml"));
    fs::write(file, format!("{profile}\n[timing]\noffer_ms = {GIVEN_UP}\n")).unwrap();
    let pane = world.agent(kind, &[&[("FAKE_AGENT_INBOX", inbox)], variables].concat());
    world.ok(&["discover", "--init", "--quiet"]);
    (world, pane)
}

/// How often a text stands in what the agent was given.
fn times(world: &World, pane: &str, text: &str) -> usize {
    world.events(pane, "submitted").iter().map(|turn| turn.matches(text).count()).sum()
}

/// The agent in a pane: the first of its kind.
fn name(world: &World, pane: &str) -> String {
    format!("{}-1", world.events(pane, "start")[0])
}

/// Does that with each kind, all at the same time.
fn with_each(does: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        let does = &does;
        KINDS.map(|kind| scope.spawn(move || does(kind))).into_iter().for_each(|t| t.join().unwrap());
    });
}

/// What was pressed in panes so far.
fn keys(world: &World) -> usize {
    world.ok(&["log", "--json", "-n", "0", "--event", "keys"]).lines().count()
}

/// A message arrives by the channel, once, and without a key.
fn by_channel(world: &World, pane: &str, body: &str) {
    let before = keys(world);
    let id = world.send(&[&name(world, pane), body]);
    world.reaches(&id, "submitted", "its own transcript");
    assert_eq!((times(world, pane, body), keys(world)), (1, before), "{}", world.log(pane));
}

/// A message arrives by the pane, once.
fn by_pane(world: &World, pane: &str, body: &str) {
    let before = keys(world);
    let id = world.send(&[&name(world, pane), body]);
    world.reaches(&id, "submitted", "");
    assert_eq!(times(world, pane, body), 1, "{}", world.log(pane));
    assert!(keys(world) > before, "nothing was typed");
}

/// Mail for an agent that asks its person something waits until the dialog is closed, and answers nothing.
fn waits_for_its_person(world: &World, pane: &str) {
    let id = world.send(&[&name(world, pane), "after the question"]);
    world.reaches(&id, "held", "a dialog is open");
    assert_eq!(times(world, pane, "after the question"), 0);
    world.control(pane, "dialog-close");
    world.reaches(&id, "submitted", "its own transcript");
    assert!(!world.log(pane).contains("dialog-answered"), "{}", world.log(pane));
}

#[test]
fn nothing_about_the_pane_delays_mail_that_goes_by_the_agents_own_channel() {
    with_each(no_delay);
}

fn no_delay(kind: &str) {
    let to = format!("{kind}-1");
    let (world, pane) = team_of(kind, "take", &[]);
    by_channel(&world, &pane, "to an idle one");
    world.control(&pane, "draft half a thought");
    eventually("draft", || world.screen(&pane).contains("half a thought").then_some(()));
    by_channel(&world, &pane, "beside a draft");
    world.tmux(&["copy-mode", "-t", &pane]);
    by_channel(&world, &pane, "in copy mode");
    world.tmux(&["send-keys", "-t", &pane, "-X", "cancel"]);
    world.control(&pane, "overlay");
    by_channel(&world, &pane, "under an overlay");
    world.control(&pane, "overlay-close");
    world.tmux(&["resize-window", "-t", &pane, "-x", "24", "-y", "6"]);
    by_channel(&world, &pane, "in a small pane");
    world.tmux(&["resize-window", "-t", &pane, "-x", "120", "-y", "40"]);
    eventually("the draft is untouched", || world.screen(&pane).contains("half a thought").then_some(()));
    // In a turn it waits in the agent's queue, and the one behind it goes there, too.
    world.control(&pane, "busy 1500");
    let (first, second) = (world.send(&[&to, "in a turn"]), world.send(&[&to, "and another"]));
    for id in [&first, &second] {
        world.reaches(id, "submitted", "its own transcript");
    }
    assert_eq!((times(&world, &pane, "in a turn"), times(&world, &pane, "and another")), (1, 1));
    assert!(!world.log(&pane).contains("draft-cleared"), "{}", world.log(&pane));
    let (carrier, source) = match kind {
        "claude" => ("claude-inbox", "its session file"),
        _ => ("opencode-plugin", "swarm's plugin in it"),
    };
    let told = eventually("the turn ends", || {
        Some(world.ok(&["explain", &pane])).filter(|told| told.contains(&format!("{source} says idle")))
    });
    assert!(told.contains(&format!("mail goes by {carrier}, else by pane")), "{told}");
    let told = world.swarm(&["doctor"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains(&format!("{to}: {carrier}")), "{told:?}");
}

#[test]
fn a_dialog_is_not_answered_and_a_suspended_agent_is_waited_for() {
    let (world, pane) = team("take", &[]);
    world.control(&pane, "dialog rm -rf x");
    eventually("it asks", || world.screen(&pane).contains("rm -rf x").then_some(()));
    let session = fs::read_dir(world.path().join("home/.claude/sessions")).unwrap().flatten();
    let session = session.map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "json")).unwrap();
    eventually("it says so", || fs::read_to_string(&session).unwrap().contains("waiting").then_some(()));
    waits_for_its_person(&world, &pane);
    let pid = session.file_stem().unwrap().to_str().unwrap().to_owned();
    let signal = |name: &str| {
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let id = world.send(&["claude-1", "after the pause"]);
    world.reaches(&id, "held", "background");
    signal("-CONT");
    world.reaches(&id, "submitted", "its own transcript");
    assert_eq!(times(&world, &pane, "after the pause"), 1);
}

#[test]
fn what_waits_goes_in_one_turn_by_the_channel_with_every_line_of_it() {
    let (world, pane) = team("take", &[]);
    world.control(&pane, "dialog x");
    eventually("it asks", || world.screen(&pane).contains("proceed").then_some(()));
    thread::sleep(Duration::from_millis(200));
    let ids: Vec<String> = (0..12).map(|n| world.send(&["claude-1", &format!("part {n};")])).collect();
    world.control(&pane, "dialog-close");
    for id in &ids {
        world.reaches(id, "submitted", "");
    }
    for n in 0..12 {
        assert_eq!(times(&world, &pane, &format!("] part {n}; (")), 1, "{}", world.log(&pane));
    }
    let turns = world.events(&pane, "submitted");
    // The first may have gone before the dialog was known.
    assert!(turns.len() <= 2, "{turns:#?}");
    let told = world.command("swarm").args(["verify", turns.last().unwrap()]).output().unwrap();
    assert!(told.status.success(), "{told:?}");
}

#[test]
fn a_text_that_the_channel_swallows_is_announced_and_the_channel_is_not_used_again() {
    with_each(swallowed);
}

fn swallowed(kind: &str) {
    let to = format!("{kind}-1");
    let (world, pane) = team_of(kind, "swallow", &[]);
    let id = world.send(&[&to, "swallowed"]);
    world.reaches(&id, "offered", "does not stand in its transcript yet");
    // Nobody else gives it meanwhile.
    assert_eq!(keys(&world), 0);
    world.reaches(&id, "submitted", "");
    assert_eq!(times(&world, &pane, "swallowed"), 0, "only announced");
    assert_eq!(times(&world, &pane, &format!("[swarm {id} ")), 1, "{}", world.log(&pane));
    assert!(times(&world, &pane, &format!("swarm-msg read {id}")) == 1);
    by_pane(&world, &pane, "the next one");
    assert!(world.below(&to, "swarm-msg read --all").contains("swallowed"));
}

#[test]
fn a_channel_that_answers_after_the_fallback_gives_the_text_once() {
    with_each(late);
}

fn late(kind: &str) {
    let to = format!("{kind}-1");
    let (world, pane) = team_of(kind, "late:9000", &[]);
    let id = world.send(&[&to, "better late"]);
    world.reaches(&id, "offered", "");
    eventually("it is announced", || {
        (times(&world, &pane, &format!("swarm-msg read {id}")) == 1).then_some(())
    });
    eventually("it comes late", || (times(&world, &pane, "better late") == 1).then_some(()));
    thread::sleep(Duration::from_millis(800));
    assert_eq!(times(&world, &pane, "better late"), 1, "{}", world.log(&pane));
    assert_eq!(world.stage(&id).0, "submitted");
}

#[test]
fn a_channel_that_is_slow_is_waited_for_and_one_that_gives_twice_is_believed_once() {
    let (world, pane) = team("late:700", &[]);
    by_channel(&world, &pane, "slow");
    let (world, pane) = team("twice", &[]);
    let id = world.send(&["claude-1", "twice"]);
    world.reaches(&id, "submitted", "its own transcript");
    eventually("the second comes", || (times(&world, &pane, "twice") == 2).then_some(()));
    let noted = world.ok(&["log", "--json", "-n", "0", "--event", "delivery"]);
    let noted = noted.lines().map(parsed).filter(|e| e["id"] == *id && e["stage"] == "submitted").count();
    assert_eq!((noted, keys(&world)), (1, 0));
}

#[test]
fn a_channel_that_asks_who_is_there_finds_somebody() {
    let (world, pane) = team("ask", &[]);
    by_channel(&world, &pane, "heard");
    by_channel(&world, &pane, "and heard again");
}

#[test]
fn an_agents_queue_is_not_filled() {
    let (world, pane) = team("take", &[]);
    world.control(&pane, "busy 60000");
    let ids: Vec<String> = (0..12)
        .map(|n| {
            let id = world.send(&["claude-1", &format!("part {n};")]);
            if n < 8 {
                world.reaches(&id, "offered", "own queue");
            }
            id
        })
        .collect();
    thread::sleep(Duration::from_millis(600));
    let (stage, why) = world.stage(&ids[8]);
    assert!(
        stage == "held" && why.contains("goes first, and it waits in the agent's own queue"),
        "{stage} {why}"
    );
    world.control(&pane, "busy 1");
    for id in &ids {
        world.reaches(id, "submitted", "");
    }
    for n in 0..12 {
        assert_eq!(times(&world, &pane, &format!("] part {n}; (")), 1, "{}", world.log(&pane));
    }
    assert!(world.events(&pane, "submitted").len() < 12, "what waited here goes in one");
}

#[test]
fn what_an_interrupted_turn_leaves_in_the_conversation_is_announced_and_its_text_given_once() {
    let (world, pane) = team_of("opencode", "take", &[]);
    world.control(&pane, "busy 60000");
    let id = world.send(&["opencode-1", "left behind"]);
    world.reaches(&id, "offered", "own queue");
    world.control(&pane, "interrupt");
    world.reaches(&id, "submitted", "");
    assert_eq!(times(&world, &pane, &format!("swarm-msg read {id}")), 1, "{}", world.log(&pane));
    assert_eq!(times(&world, &pane, "left behind"), 1, "{}", world.log(&pane));
    // It was heard, so the channel serves for the next one.
    by_channel(&world, &pane, "the next one");
    // And what the next text brings along is not announced.
    world.control(&pane, "busy 60000");
    let id = world.send(&["opencode-1", "brought along"]);
    world.reaches(&id, "offered", "own queue");
    world.control(&pane, "interrupt");
    by_channel(&world, &pane, "what brings it");
    world.reaches(&id, "submitted", "its own transcript");
    assert_eq!(times(&world, &pane, "brought along"), 1, "{}", world.log(&pane));
}

#[test]
fn an_agent_that_ends_with_a_text_in_its_queue_leaves_it_to_its_sender() {
    let (world, pane) = team("take", &[]);
    world.control(&pane, "busy 60000");
    let id = world.send(&["claude-1", "never read"]);
    world.reaches(&id, "offered", "own queue");
    world.control(&pane, "die");
    world.reaches(&id, "failed", "perhaps it was given");
}

#[test]
fn what_is_not_the_agents_own_is_sent_nothing() {
    let (world, pane) = team("take", &[]);
    let dir = world.path().join("home/.claude");
    let find = |end: &str| {
        let files = fs::read_dir(dir.join("sessions")).unwrap().flatten().map(|e| e.path());
        files.into_iter().find(|p| p.to_str().unwrap().ends_with(end)).unwrap()
    };
    let (session, key) = (find(".json"), find(".key"));
    let whole = parsed(&fs::read_to_string(&session).unwrap());
    let put = |changed: Value| {
        let mut record = whole.clone();
        for (name, value) in changed.as_object().unwrap() {
            record[name] = value.clone();
        }
        fs::write(&session, record.to_string()).unwrap();
    };
    let why = |told: &str| {
        let shown = world.ok(&["explain", "claude-1"]);
        assert!(shown.contains("mail goes by pane") && shown.contains(told), "{told}: {shown}");
    };
    for (changed, told) in [
        (json!({"procStart": "1"}), "of another process"),
        (json!({"pid": 1}), "of another process"),
        (json!({"peerProtocol": 2}), "speaks protocol 2"),
        (json!({"messagingSocketPath": null}), "has no inbox"),
        (json!({"kind": "sdk"}), "not used by a person"),
        (json!({"sessionId": "../../x"}), "names no session"),
    ] {
        put(changed);
        why(told);
    }
    by_pane(&world, &pane, "in the meantime");
    put(json!({}));
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&key, 0o644);
    why("not yours alone");
    mode(&key, 0o600);
    mode(&dir.join("socks"), 0o777);
    why("not yours alone");
    mode(&dir.join("socks"), 0o700);
    fs::write(dir.join("settings.json"), r#"{"crossSessionInbound":"hold"}"#).unwrap();
    why("crossSessionInbound");
    fs::remove_file(dir.join("settings.json")).unwrap();
    // A socket at which another process listens: nothing is written to it, and the pane is used.
    let place = dir.join("socks/other.sock");
    let other = UnixListener::bind(&place).unwrap();
    mode(&place, 0o600);
    put(json!({"messagingSocketPath": place}));
    by_pane(&world, &pane, "not for that one");
    other.set_nonblocking(true).unwrap();
    while let Ok((mut stream, _)) = other.accept() {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
        assert_eq!(bytes, b"");
    }
    put(json!({}));
    by_channel(&world, &pane, "and this by the channel again");
    // What opens the agent's ear is kept nowhere.
    let token = parsed(&fs::read_to_string(&key).unwrap())["peerToken"].as_str().unwrap().to_owned();
    let out = std::process::Command::new("grep").args(["-r", &token]).arg(world.state()).output().unwrap();
    assert_eq!(out.stdout, b"");
}

#[test]
fn a_person_says_which_ways_are_used() {
    let (world, pane) = team("take", &[]);
    let config = world.path().join("home/.config/swarm/config.toml");
    let set = |text: &str| fs::write(&config, format!("delivery.carriers = {text}\n")).unwrap();
    set("[\"pane\"]");
    by_pane(&world, &pane, "typed");
    let told = world.ok(&["explain", "claude-1"]);
    assert!(told.contains("not by claude-inbox: the setting delivery.carriers leaves it out"), "{told}");
    // The first that can is used.
    set("[\"pane\", \"claude-inbox\"]");
    by_pane(&world, &pane, "typed first");
    world.control(&pane, "draft mine");
    eventually("draft", || world.screen(&pane).contains("mine").then_some(()));
    by_channel(&world, &pane, "where it cannot be typed");
    set("[\"hook\"]");
    let id = world.send(&["claude-1", "by nobody"]);
    world.reaches(&id, "held", "nothing that delivery.carriers or delivery.carriers_of allows");
}

#[test]
fn one_agent_or_one_kind_has_ways_of_its_own() {
    let (world, pane) = team("take", &[]);
    let set = |text: &str| world.ok(&["config", "set", "--user", "delivery.carriers_of", text]);
    set("claude-1=pane");
    by_pane(&world, &pane, "typed to that one");
    let told = world.ok(&["explain", "claude-1"]);
    assert!(told.contains("not by claude-inbox: the setting delivery.carriers_of leaves it out"), "{told}");
    let told = world.swarm(&["doctor"]);
    let told = String::from_utf8_lossy(&told.stdout);
    assert!(told.contains("claude-1: pane (not claude-inbox: the setting delivery.carriers_of"), "{told}");
    // What a clone brings along gives an agent nothing that its person took away.
    fs::write(world.project().join(".swarm.toml"), "[delivery]\ncarriers_of = \"claude-1=claude-inbox\"\n")
        .unwrap();
    by_pane(&world, &pane, "typed all the same");
    fs::remove_file(world.project().join(".swarm.toml")).unwrap();
    // What holds for its kind counts where nothing is said of its name.
    set("codex-1=pane claude=claude-inbox");
    by_channel(&world, &pane, "by its kind's channel");
    set("claude-1=hook claude=claude-inbox");
    let id = world.send(&["claude-1", "by nobody"]);
    world.reaches(&id, "held", "nothing that delivery.carriers or delivery.carriers_of allows");
}

#[test]
fn nothing_is_given_while_a_hook_hands_mail_over() {
    for carriers in ["claude-inbox", "pane", "claude-inbox,pane"] {
        let (world, pane) = team("take", &[]);
        world.ok(&["config", "set", "delivery.carriers", carriers]);
        let dir = world.state().join("hooks");
        fs::create_dir_all(&dir).unwrap();
        let hook = fs::File::create(dir.join("claude-1.lock")).unwrap();
        fs2::FileExt::lock_exclusive(&hook).unwrap();
        let id = world.send(&["claude-1", "while a hook has not come to its end"]);
        world.reaches(&id, "held", "a hook of it is handing mail over");
        assert_eq!((times(&world, &pane, "has not come"), keys(&world)), (0, 0), "{carriers}");
        drop(hook);
        world.reaches(&id, "submitted", "");
        assert_eq!(times(&world, &pane, "has not come"), 1, "{carriers}");
    }
}

#[test]
fn what_hooks_and_the_courier_give_at_once_is_given_once() {
    // While its tool runs, an agent takes texts, and its hooks hand mail over.
    let (world, pane) = team("take", &[]);
    let script = "for n in $(seq 40); do echo '{}' | swarm hook claude Stop; echo; done";
    let told = thread::scope(|scope| {
        let hooks = scope.spawn(|| world.below("claude-1", script));
        for n in 0..24 {
            world.ok(&["send", "--no-wait", "claude-1", &format!("number {n:02} of many")]);
        }
        hooks.join().unwrap()
    });
    for n in 0..24 {
        let text = format!("number {n:02} of many");
        let given = || told.matches(&text).count() + times(&world, &pane, &text);
        eventually(&text, || (given() > 0).then_some(()));
    }
    eventually("nothing waits", || {
        let left = fs::read_dir(world.state().join("mail/claude-1/new")).unwrap().count();
        (left == 0).then_some(())
    });
    let given = |n: &usize| {
        let text = format!("number {n:02} of many");
        told.matches(&text).count() + times(&world, &pane, &text)
    };
    let twice: Vec<usize> = (0..24).filter(|n| given(n) != 1).collect();
    assert!(twice.is_empty(), "{twice:?}\n{told}\n{}", world.log(&pane));
}

/// The file of swarm's plugin in the one `OpenCode`.
fn of_plugin(world: &World, end: &str) -> PathBuf {
    let dir = world.path().join("home/.local/state/swarm/opencode");
    let files = fs::read_dir(dir).unwrap().flatten().map(|e| e.path());
    files.into_iter().find(|p| p.extension().is_some_and(|e| e == end)).unwrap()
}

#[test]
fn an_opencode_that_shows_no_conversation_or_asks_its_person_is_given_nothing_by_its_plugin() {
    let (world, pane) = team_of("opencode", "home", &[]);
    let log = of_plugin(&world, "json").with_extension("jsonl");
    let told = world.ok(&["explain", "opencode-1"]);
    assert!(told.contains("not by opencode-plugin: it shows no conversation"), "{told}");
    assert!(!log.exists(), "nothing was given");
    by_channel(&world, &pane, "once it shows one");
    world.control(&pane, "dialog rm -rf x");
    let record = of_plugin(&world, "json");
    eventually("it says so", || fs::read_to_string(&record).unwrap().contains("waiting").then_some(()));
    waits_for_its_person(&world, &pane);
}

#[test]
fn a_plugin_that_is_not_the_agents_own_or_of_another_version_is_sent_nothing() {
    let (world, pane) = team_of("opencode", "take", &[]);
    let record = of_plugin(&world, "json");
    let socket = record.with_extension("sock");
    let whole = parsed(&fs::read_to_string(&record).unwrap());
    let why = |told: &str| {
        let shown = world.ok(&["explain", "opencode-1"]);
        assert!(shown.contains("mail goes by pane") && shown.contains(told), "{told}: {shown}");
    };
    for (name, value, told) in [
        ("protocol", json!(2), "speaks protocol 2"),
        ("protocol", json!(null), "speaks protocol none"),
        ("start", json!("1"), "of another process"),
        ("pid", json!(1), "of another process"),
        ("start", json!(7), "of another process"),
    ] {
        let mut changed = whole.clone();
        changed[name] = value;
        fs::write(&record, changed.to_string()).unwrap();
        why(told);
    }
    by_pane(&world, &pane, "in the meantime");
    // It writes a record of its own when its turn ends.
    let says_idle = || fs::read_to_string(&record).unwrap().contains("\"status\":\"idle\"");
    eventually("its turn ends", || says_idle().then_some(()));
    let mode =
        |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (path, open, closed) in [(&record, 0o644, 0o600), (&socket, 0o666, 0o600)] {
        mode(path, open);
        why("not yours alone");
        mode(path, closed);
    }
    // A socket at which another process listens: nothing is written to it, and the pane is used.
    let own = socket.with_extension("own");
    fs::rename(&socket, &own).unwrap();
    let other = UnixListener::bind(&socket).unwrap();
    mode(&socket, 0o600);
    why("another process listens");
    by_pane(&world, &pane, "not for that one");
    other.set_nonblocking(true).unwrap();
    while let Ok((mut stream, _)) = other.accept() {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
        assert_eq!(bytes, b"");
    }
    fs::rename(&own, &socket).unwrap();
    by_channel(&world, &pane, "and this by the channel again");
    let gone = || {
        drop(fs::remove_file(&record));
        let shown = world.ok(&["explain", "opencode-1"]);
        shown.contains("mail goes by pane") && shown.contains("swarm's plugin does not run in it")
    };
    eventually("the plugin is gone", || gone().then_some(()));
}

/// Runs the plugin's text in an `OpenCode` that is none; where there is no node, nothing is known of it here.
#[test]
#[cfg(target_os = "linux")]
fn the_plugin_does_by_itself_what_this_program_expects_of_it() {
    let home = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let plugin = home.path().join("carrier.mjs");
    fs::copy(root.join("src/hooks/install/carrier.js"), &plugin).unwrap();
    let mut node = std::process::Command::new("node");
    node.arg(root.join("tests/fixtures/carrier.mjs"))
        .arg(plugin)
        .env("HOME", home.path())
        .env_remove("XDG_STATE_HOME");
    match node.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("no node here: the plugin was not run");
        }
        out => {
            let out = out.unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
    }
}
