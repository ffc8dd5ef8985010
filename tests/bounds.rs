//! Nothing waits for ever: tmux servers that do not answer, locks that are not given back, input that does not end, output that
//! nobody takes.
//!
//! Every bound is tried with what really hangs: a stopped server or process, a socket at which nobody answers, a pipe that nobody
//! empties. Times are compared with a generous limit only; what comes first is proved by events.

use crate::support::mail::parsed;
use crate::support::peer::Peer;
use crate::support::servers::{Fake, Stopped};
use crate::support::{PATIENCE, World, eventually};
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use swarm::tmux::Server;
use swarm::tmux::pane::Acted;

/// Runs a command that must end by itself; gives its exit code and all it said.
fn ends(command: &mut Command) -> (i32, String) {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = loop {
        if child.try_wait().unwrap().is_some() {
            break true;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            break false;
        }
        thread::sleep(Duration::from_millis(10));
    };
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(ended, "{command:?} never ended: {told}");
    (status.code().unwrap_or(-1), told)
}

/// A world with a store, and an agent on its server.
fn with_agent() -> (World, String) {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    (world, pane)
}

/// A second world with a server of its own and an agent on it that works in the project of the first.
fn beside(world: &World) -> (World, String) {
    let other = World::new();
    fs::remove_dir(other.project()).unwrap();
    std::os::unix::fs::symlink(world.project(), other.project()).unwrap();
    other.start();
    let pane = other.agent("codex", &[]);
    let variable = fs::read_to_string(other.path().join("TMUX")).unwrap();
    let told = ends(world.command("swarm").env("TMUX", variable).args(["discover", "--quiet"]));
    assert_eq!(told.0, 0, "{}", told.1);
    (other, pane)
}

// tmux.

/// What each command comes to while the server of its terminal does not answer. `None`: that is not its affair.
const COMMANDS: [(&[&str], Option<i32>); 13] = [
    (&["discover"], Some(7)),
    (&["explain", "%0"], Some(7)),
    (&["jump", "next"], Some(7)),
    (&["jump", "back"], Some(7)),
    (&["doctor"], Some(1)),
    (&["agents"], Some(0)),
    (&["onboard"], None),
    (&["uninstall", "--dry-run"], Some(0)),
    (&["send", "--no-wait", "human", "hello"], Some(0)),
    (&["inbox"], Some(0)),
    (&["whoami"], Some(0)),
    (&["status"], Some(0)),
    (&["discover", "--from-tmux"], Some(0)),
];

/// Runs these commands at once, with that `$TMUX` and in that pane.
fn all_end(world: &World, commands: &[(&[&str], Option<i32>)], variable: &str, pane: &str) {
    thread::scope(|scope| {
        for (args, code) in commands {
            scope.spawn(move || {
                let mut command = world.command("swarm");
                let (ended, told) = ends(command.env("TMUX", variable).env("TMUX_PANE", pane).args(*args));
                assert!(code.is_none_or(|code| code == ended), "{args:?}: {ended}: {told}");
                if ended == 7 {
                    let says = told.contains("does not answer") && told.contains("given up after");
                    assert!(says, "{args:?}: {told}");
                }
            });
        }
    });
}

#[test]
fn every_command_ends_when_the_socket_is_one_that_nobody_answers_at() {
    let world = World::new();
    world.ok(&["init"]);
    let mute = Fake::mute(&world.path().join("tmux/mute"));
    let full = Fake::full(&world.path().join("tmux/full"));
    for fake in [mute, full] {
        assert!(Server::new(fake.path().to_str().unwrap()).listens());
        all_end(&world, &COMMANDS, &fake.variable(), "%0");
    }
    assert!(!Server::new(world.path().join("tmux/none").to_str().unwrap()).listens());
}

#[test]
fn every_command_ends_when_its_server_is_stopped_and_says_what_was_waited_for() {
    let (world, _) = with_agent();
    world.end_couriers();
    let variable = fs::read_to_string(world.path().join("TMUX")).unwrap();
    let stopped = world.stop_server();
    all_end(&world, &COMMANDS, &variable, "");
    all_end(&world, &COMMANDS, &variable, "%77");
    all_end(&world, &[(&["name", "claude-1", "other"], Some(0))], &variable, "");
    all_end(&world, &[(&["jump", "other"], Some(7)), (&["explain", "other"], Some(7))], &variable, "");
    let (_, told) = ends(world.command("swarm").args(["doctor"]));
    assert!(told.contains("does not answer") && told.contains("kill -CONT"), "{told}");
    let (_, told) = ends(world.command("swarm").args(["uninstall", "--dry-run"]));
    assert!(told.contains("swarm stays in that tmux server"), "{told}");
    world.end_couriers();
    drop(stopped);
    // It has all that to do first.
    eventually("it answers", || world.ok(&["agents"]).contains("idle").then_some(()));
}

#[test]
fn an_act_whose_time_is_over_does_nothing_whenever_the_server_comes_to_it() {
    let (world, pane) = with_agent();
    world.end_couriers();
    let server = Server::new(&world.server_socket());
    let look = server.look(&pane).unwrap().unwrap();
    // A guard that is void from the second it was made.
    let late = server.clone().patient(Duration::ZERO);
    assert_eq!(late.paste(&pane, &look, "TOO LATE", &[]).unwrap().0, Acted::Stale);
    assert!(!world.screen(&pane).contains("TOO LATE"));
    assert_eq!(world.tmux(&["list-buffers"]), "", "nothing of it is left in the server");
    assert_eq!(server.paste(&pane, &look, "IN TIME", &[]).unwrap().0, Acted::Done);
    eventually("it stands there", || world.screen(&pane).contains("IN TIME").then_some(()));
}

#[test]
fn one_call_looks_again_after_a_pause_and_sees_what_was_pasted_before_it() {
    let (world, pane) = with_agent();
    world.end_couriers();
    let server = Server::new(&world.server_socket());
    let pauses = [Duration::ZERO, Duration::from_millis(200)];
    let begun = Instant::now();
    let looks = server.looks_after(&pane, &pauses).unwrap();
    assert!(looks.len() == 2 && begun.elapsed() >= pauses[1], "{looks:?}");
    assert_eq!(looks[0].text, looks[1].text, "nothing was typed");
    // The terminal of `cat` echoes it at once, whatever the machine does.
    let cat = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "printf ready; exec cat"]);
    let cat = cat.trim();
    let ready =
        || server.look(cat).unwrap().filter(|look| look.text.contains("ready") && look.command == "cat");
    let look = eventually("it reads", ready);
    let (acted, looks) = server.paste(cat, &look, "SEEN IN THE SAME CALL", &pauses[1..]).unwrap();
    assert_eq!(acted, Acted::Done);
    assert!(looks.len() == 1 && looks[0].text.contains("readySEEN IN THE SAME CALL"), "{looks:?}");
    // What has changed since is not typed into, and not looked at.
    let (acted, looks) = server.paste(cat, &look, "NEVER", &pauses).unwrap();
    assert_eq!((acted, looks.len()), (Acted::Stale, 0));
    // A pane that is gone shows nothing.
    world.tmux(&["kill-pane", "-t", cat]);
    assert!(server.looks_after(cat, &pauses).unwrap().is_empty());
}

#[test]
fn what_a_stopped_server_was_to_type_is_typed_once_or_never_and_not_after_a_look() {
    let (world, pane) = with_agent();
    world.end_couriers();
    let server = Server::new(&world.server_socket()).patient(Duration::from_secs(2));
    let pid = world.server_pid();
    let mut unclear = 0;
    // Stopped before the call, and at moments within it.
    for (round, after_us) in [0, 1000, 2000, 2500, 3000, 3500, 4000, 5000].into_iter().enumerate() {
        let text = format!("ROUND-{round}-");
        let look = server.look(&pane).unwrap().unwrap();
        let stopped = (after_us == 0).then(|| Stopped::new(pid));
        let (acting, at, line) = (server.clone(), pane.clone(), text.clone());
        let act = thread::spawn(move || acting.paste(&at, &look, &line, &[]).unwrap().0);
        thread::sleep(Duration::from_micros(after_us));
        let stopped = stopped.unwrap_or_else(|| Stopped::new(pid));
        let acted = act.join().unwrap();
        drop(stopped);
        let seen = || world.screen(&pane).matches(&text).count();
        match acted {
            Acted::Done => eventually("it stands there", || (seen() == 1).then_some(())),
            Acted::Stale => assert_eq!(seen(), 0),
            Acted::Unclear(why) => {
                unclear += 1;
                assert!(why.contains("does not answer"), "{why}");
                // The first look that is answered shows all that will ever come of it, but for the agent's time to draw it.
                thread::sleep(Duration::from_millis(300));
                let at_first = seen();
                thread::sleep(Duration::from_millis(300));
                assert!(at_first == seen() && seen() <= 1, "{}", world.screen(&pane));
            }
        }
    }
    assert!(unclear > 0);
}

#[test]
fn a_delivery_whose_server_stops_under_it_is_completed_once() {
    let (world, pane) = with_agent();
    let pid = world.server_pid();
    for round in 0..6 {
        let id = world.send(&["claude-1", &format!("round {round}")]);
        // Somewhere between the first look and the last.
        thread::sleep(Duration::from_millis(30 + 45 * round));
        let stopped = Stopped::new(pid);
        eventually("the courier knows", || {
            let (stage, why) = world.stage(&id);
            (stage == "submitted" || why.contains("its tmux server does not answer")).then_some(())
        });
        drop(stopped);
        eventually("it arrives", || (world.given(&pane, &id) > 0).then_some(()));
        eventually("that is on record", || (world.stage(&id).0 == "submitted").then_some(()));
        assert_eq!(world.given(&pane, &id), 1, "{}", world.log(&pane));
    }
    assert_eq!(world.events(&pane, "submitted").len(), 6, "{}", world.log(&pane));
}

#[test]
fn one_hung_server_delays_only_its_own_agents_and_their_mail_says_so() {
    let (world, claude) = with_agent();
    let (other, codex) = beside(&world);
    let first = world.send(&["codex-1", "before"]);
    eventually("both are served", || (other.given(&codex, &first) == 1).then_some(()));
    let stopped = other.stop_server();
    let waits: Vec<String> = (0..3).map(|n| world.send(&["codex-1", &format!("later {n}")])).collect();
    // The others' mail goes on, from the first message to the last, whatever else the courier does meanwhile.
    for n in 0..12 {
        let id = world.send(&["claude-1", &format!("now {n}")]);
        eventually("the other server's agent is served", || (world.given(&claude, &id) == 1).then_some(()));
        thread::sleep(Duration::from_millis(200));
    }
    let (stage, why) = eventually("their mail says why it waits", || {
        Some(world.stage(&waits[0])).filter(|(_, why)| why.contains("its tmux server does not answer"))
    });
    assert_eq!(stage, "held");
    assert!(why.contains("(since ") && why.ends_with(" UTC)"), "{why}");
    let (code, told) = ends(world.command("swarm").args(["doctor"]));
    assert!(code == 1 && told.contains("does not answer: codex-1 get no mail"), "{told}");
    let (_, told) = ends(world.command("swarm").args(["agents"]));
    assert!(told.contains("claude-1") && told.contains("states of its agents are out of date"), "{told}");
    // A new agent on the server that answers is found and shown all the same.
    let gemini = world.agent("gemini", &[]);
    let told = world.send(&["human", "hello"]);
    assert!(!told.is_empty());
    eventually("it is found", || world.ok(&["who"]).contains("gemini-1").then_some(()));
    let id = world.send(&["gemini-1", "welcome"]);
    eventually("it is served", || (world.given(&gemini, &id) == 1).then_some(()));
    let threads = |pid: &str| fs::read_dir(format!("/proc/{pid}/task")).unwrap().count();
    let courier = world.couriers().pop().unwrap();
    assert!(threads(&courier) < 16, "{}", threads(&courier));
    drop(stopped);
    for id in &waits {
        eventually("it arrives after all", || (other.given(&codex, id) > 0).then_some(()));
    }
    eventually("all is on record", || waits.iter().all(|id| world.stage(id).0 == "submitted").then_some(()));
    // The one before, and the others together.
    assert_eq!(other.events(&codex, "submitted").len(), 2, "{}", other.log(&codex));
    assert!(waits.iter().all(|id| other.given(&codex, id) == 1), "{}", other.log(&codex));
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    assert!(journal.contains("tmux-hangs") && journal.contains("tmux-answers"), "{journal}");
}

// Locks.

/// 64 agents, and the ids of eight messages that each of them is to acknowledge.
fn crowd(world: &World) -> (Vec<Peer>, Vec<String>) {
    world.ok(&["init"]);
    let peers: Vec<Peer> = (1..=64).map(|n| Peer::new(world, &format!("robot-{n}"))).collect();
    let ids = (0..8).map(|n| world.send(&["--ack", "@all", &format!("broadcast {n}")])).collect();
    (peers, ids)
}

/// Runs these commands in the background of every peer at once, and gives the time until all have ended, and what failed.
fn storm(peers: &mut [Peer], commands: &[String]) -> (Duration, Vec<String>) {
    let begun = Instant::now();
    let one = |command: &String| format!("(out=$({command} 2>&1) || echo \"FAILED: $out\") &");
    let script = commands.iter().map(one).collect::<Vec<_>>().join(" ");
    for peer in peers.iter_mut() {
        peer.start(&format!("{script} wait"));
    }
    let told: Vec<String> = peers.iter_mut().map(|peer| peer.finish().1).collect();
    let failed = told.iter().flat_map(|t| t.lines()).filter(|l| l.contains("FAILED")).map(str::to_owned);
    (begun.elapsed(), failed.collect())
}

#[test]
fn a_storm_of_acknowledgements_is_served_in_turn_and_none_fails() {
    let world = World::new();
    let (mut peers, ids) = crowd(&world);
    let acks: Vec<String> = ids.iter().map(|id| format!("swarm-msg ack {id}")).collect();
    let looks = vec!["swarm-msg inbox".to_owned(); ids.len()];
    // What else the machine does meanwhile counts for both, if it is looked before and after.
    let mut times = Vec::new();
    for commands in [&looks, &acks, &looks] {
        let (time, failed) = storm(&mut peers, commands);
        assert_eq!(failed, [""; 0]);
        times.push(time);
    }
    let (acks, looks) = (times[1], (times[0] + times[2]) / 2);
    println!("512 acknowledgements took {acks:?}, 512 looks {looks:?}");
    for id in &ids {
        let told = parsed(&world.ok(&["status", "--json", id]));
        let stages = told["recipients"].as_array().unwrap().iter().map(|r| r["stage"].as_str().unwrap());
        assert!(stages.clone().count() == 64 && stages.clone().all(|s| s == "acked"), "{told}");
    }
    assert_eq!(fs::metadata(world.state().join("lock.queue/order")).map_or(0, |m| m.len()), 0);
    // Measured: 2 to 3 times.
    assert!(acks < 8 * looks, "{acks:?} {looks:?}");
}

/// A process that holds a lock until it is ended; it may be stopped meanwhile.
struct Holder(Child);

impl Holder {
    /// It has the lock as this returns.
    fn of(world: &World, lock: &str) -> Self {
        let script = format!("exec 9>>{lock}; flock 9; echo held; exec sleep 1000 9>&9");
        let mut command = world.command("sh");
        let mut child =
            command.current_dir(world.state()).args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self(child)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_lock_that_is_not_given_back_names_its_holder_and_doctor_reports_it() {
    let world = World::new();
    world.ok(&["init"]);
    let holder = Holder::of(&world, "lock");
    let (code, told) = ends(world.command("swarm").args(["send", "--no-wait", "human", "hello"]));
    let who = format!("held by process {} (sleep 1000)", holder.pid());
    assert!(code == 1 && told.contains(&who) && told.contains("try again"), "{code} {told}");
    let stopped = Stopped::new(holder.pid());
    let (code, told) = ends(world.command("swarm").args(["send", "--no-wait", "human", "hello"]));
    let what = format!("continue it (kill -CONT {})", holder.pid());
    assert!(code == 1 && told.contains("which is stopped: waited ") && told.contains(&what), "{code} {told}");
    let (code, told) = ends(world.command("swarm").args(["doctor"]));
    assert!(code == 1 && told.contains("mutex") && told.contains("kill -CONT"), "{code} {told}");
    // Readers take no lock.
    for args in [&["inbox"][..], &["status"], &["agents"], &["locks"], &["whoami"]] {
        world.ok(args);
    }
    drop(stopped);
    drop(holder);
    world.ok(&["send", "--no-wait", "human", "hello"]);
    assert!(!world.ok(&["inbox"]).contains("no unread"));
}

#[test]
fn a_hook_lets_its_agent_go_on_when_the_mutex_is_not_given_back_and_says_so() {
    let world = World::new();
    world.ok(&["init"]);
    let mut peer = Peer::new(&world, "claude-1");
    let input = json!({"tool_name": "Edit", "tool_input": {"file_path": world.project().join("a.rs")}});
    fs::write(world.path().join("input"), input.to_string()).unwrap();
    let hook = format!("swarm hook claude PreToolUse <{}", world.path().join("input").display());
    assert_eq!(peer.ok(&hook).trim(), "", "it is granted");
    let holder = Holder::of(&world, "lock");
    let _stopped = Stopped::new(holder.pid());
    let other = hook.replace("input", "other");
    fs::write(world.path().join("other"), input.to_string().replace("a.rs", "b.rs")).unwrap();
    let begun = Instant::now();
    let told = parsed(&peer.ok(&other));
    let took = begun.elapsed();
    let told = told["systemMessage"].as_str().unwrap();
    assert!(told.contains("nothing was checked") && told.contains("which is stopped"), "{told}");
    // 1.5 s, and what a busy machine adds; the patience of a command would be 5 s a lock.
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[test]
fn waiters_are_served_in_the_order_they_came_whoever_of_them_is_killed_or_stopped() {
    let world = World::new();
    world.ok(&["init"]);
    let order = world.state().join("lock.queue/order");
    let queued = || fs::metadata(&order).map_or(0, |m| m.len() / 17);
    let holder = Holder::of(&world, "lock");
    let mut senders: Vec<Child> = Vec::new();
    for n in 0..8 {
        let mut command = world.command("swarm");
        command.args(["send", "--no-wait", "human", &format!("number {n}")]);
        senders.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        // Each is in the queue before the next one begins.
        eventually("it queues", || (queued() == n + 1).then_some(()));
    }
    // The first, two in a row, and one that is stopped.
    for n in [0, 3, 4] {
        senders[n].kill().unwrap();
        senders[n].wait().unwrap();
    }
    let stopped = Stopped::new(i32::try_from(senders[6].id()).unwrap());
    drop(holder);
    for n in [1, 2, 5, 7] {
        assert!(senders[n].wait().unwrap().success(), "number {n}");
    }
    // A new one goes ahead, too, though one that is stopped has never had its turn.
    world.ok(&["send", "--no-wait", "human", "number 8"]);
    drop(stopped);
    assert!(senders[6].wait().unwrap().success());
    // The sequence numbers are given under the mutex, in turn.
    let listed = parsed(&world.ok(&["inbox", "--json"]));
    let mut sent: Vec<(u64, String)> = listed["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| {
            let m = &m["message"];
            (m["sequence"].as_u64().unwrap(), m["body"].as_str().unwrap().to_owned())
        })
        .collect();
    sent.sort();
    let sent: Vec<&str> = sent.iter().map(|(_, body)| body.trim_start_matches("number ")).collect();
    assert_eq!(sent[..3], ["1", "2", "5"], "{sent:?}");
    let mut all = sent.clone();
    all.sort_unstable();
    assert_eq!(all, ["1", "2", "5", "6", "7", "8"]);
    assert_eq!(queued(), 0, "nobody is left in the queue");
    let left = fs::read_dir(world.state().join("lock.queue")).unwrap().count();
    assert_eq!(left, 1, "no ticket is left behind");
}

// Input and output.

/// Starts a hook below that agent, with this shell script for its input and its output.
fn hook(peer: &mut Peer, script: &str) -> (i32, String) {
    let begun = Instant::now();
    peer.start(script);
    let (code, told) = peer.finish();
    assert!(begun.elapsed() < PATIENCE, "{script}: {told}");
    (code, told)
}

#[test]
fn a_hook_whose_input_does_not_end_lets_its_agent_go_on_and_says_so() {
    let world = World::new();
    world.ok(&["init"]);
    let mut peer = Peer::new(&world, "claude-1");
    let late = [
        "sleep 100",
        "printf '{\"prompt\": '; sleep 100",
        "printf '{\"prompt\": \"'; while :; do echo x; sleep 0.1; done",
    ];
    for input in late {
        let script = format!(
            "({{ {input}; }} & echo $! >../feeder; wait) | {{ swarm hook claude UserPromptSubmit; echo rc $?; kill $(cat ../feeder); }}"
        );
        let (_, told) = hook(&mut peer, &script);
        assert!(
            told.contains("rc 0") && told.contains("its input did not end within 3 s"),
            "{input}: {told}"
        );
    }
    // Endless and fast: by its size, or by the time on a machine that is too busy for it to come together.
    let (_, told) = hook(&mut peer, "yes '{' | swarm hook claude UserPromptSubmit; echo rc $?");
    let in_time = !told.contains("swarm could not handle");
    assert!(told.contains("rc 0") && (in_time || told.contains("did not end within 3 s")), "{told}");
    // A whole object is enough, also if the other end stays open.
    let whole = "rm -f ../feeder; ({ printf '{\"prompt\": \"hi \"} \\n'; sleep 100; } & echo $! >../feeder; wait) | { swarm hook claude UserPromptSubmit; echo rc $?; until [ -s ../feeder ]; do sleep 0.05; done; kill $(cat ../feeder); }";
    let (_, told) = hook(&mut peer, whole);
    assert_eq!(told.trim(), "rc 0");
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    assert_eq!(journal.matches("hook-error").count(), 4, "{journal}");
}

#[test]
fn mail_that_was_not_printed_is_not_marked_read() {
    let world = World::new();
    world.ok(&["init"]);
    let mut peer = Peer::new(&world, "claude-1");
    let id = world.send(&["claude-1", &"a long text ".repeat(300)]);
    fs::write(world.path().join("input"), r#"{"prompt": "hi"}"#).unwrap();
    let read = "swarm-msg read";
    let hook = "swarm hook claude UserPromptSubmit <../input";
    // Closed (alone, with its neighbours, and reopened on the null device as a parent may do), full, a pipe without a reader, and
    // one that is full and that nobody empties.
    for command in [read, hook] {
        for to in [">&-", "<&- >&- 2>&-", "1<>/dev/null", ">/dev/full"] {
            let command =
                if to.contains("<&-") { command.replace("<../input", "") } else { command.to_owned() };
            let before = fs::read_dir(world.state().join("mail/claude-1/new")).unwrap().count();
            let (_, told) = peer.run(&format!("{command} {to}"));
            assert_eq!(before, 1);
            assert_eq!(world.stage(&id).0, "queued", "{command} {to}: {told}");
        }
        // The reader has gone before anything is written.
        peer.run("rm -f ../gone; mkfifo ../gone");
        let (_, told) = peer.run(&format!("exec 9<>../gone; exec 8>../gone; exec 9<&-; {command} >&8"));
        assert!(matches!(&*world.stage(&id).0, "queued"), "{command}: {told}");
    }
    peer.run("mkfifo ../full");
    let stuck = "(exec 8<>../full; (dd if=/dev/zero bs=1024 count=1000 >&8 2>/dev/null & echo $! >../feeder); sleep 0.5; swarm hook claude UserPromptSubmit <../input >&8; echo rc $?; kill $(cat ../feeder))";
    let (_, told) = peer.run(stuck);
    assert!(told.contains("rc 0"), "{told}");
    assert_eq!(world.stage(&id).0, "queued", "{told}");
    // No file of the store was taken for the output.
    for entry in ["lock", "PROJECT", "FORMAT", "journal.jsonl"] {
        let text = fs::read_to_string(world.state().join(entry)).unwrap();
        assert!(!text.contains("a long text"), "{entry}");
    }
    assert!(peer.ok(hook).contains("a long text"));
    assert_eq!(world.stage(&id).0, "submitted");
}
