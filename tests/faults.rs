//! Faults that come while everything runs: a disk that fills up, a store that is taken away, a tmux server that dies and comes
//! back with the same pane ids, a clock that is set forth and back. Nothing may be lost, repeated, or typed into a stranger.
//!
//! What needs a mount or strace is skipped with a note where that cannot be had.

use crate::support::books::names;
use crate::support::mail::parsed;
use crate::support::peer::Peer;
use crate::support::{World, eventually, executable, world_with_claude};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn reached(world: &World, id: &str, stage: &str) {
    eventually(&format!("{id} is {stage}"), || (world.recipient(id)["stage"] == stage).then_some(()));
}

fn all_reached(world: &World, ids: &[String], stage: &str) {
    for id in ids {
        reached(world, id, stage);
    }
}

/// The ids of what was submitted in a pane, in order.
fn given(world: &World, pane: &str) -> Vec<String> {
    world.typed(pane)
}

fn times(world: &World, pane: &str, id: &str) -> usize {
    given(world, pane).iter().filter(|given| *given == id).count()
}

fn drafts(world: &World, pane: &str) {
    world.control(pane, "draft not now");
    eventually("it has a draft", || world.screen(pane).contains("not now").then_some(()));
}

// tmux.

#[test]
fn what_tmux_did_without_saying_so_is_not_done_twice() {
    let world = World::new();
    let real = world.command("sh").args(["-c", "command -v tmux"]).output().unwrap().stdout;
    let real = String::from_utf8(real).unwrap();
    world.start();
    let pane = world.agent("claude", &[]);
    // What the courier types is typed, and its answer lost; some of its looks fail. Everybody else is served as ever.
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in\n\
         *paste-buffer*) {real} \"$@\" >/dev/null 2>&1; exit 1 ;;\n\
         *end-of-clients*) echo >>{looks}; case $(wc -l <{looks}) in 2|3|8|14|23|31|40|51) exit 1 ;; esac ;;\n\
         esac\nexec {real} \"$@\"\n",
        real = real.trim(),
        looks = world.path().join("looks").display()
    );
    let wrapper = world.path().join("bin/tmux");
    executable(&wrapper, text);
    world.ok(&["discover", "--init", "--quiet"]);
    let ids: Vec<String> = (0..6).map(|n| world.send(&["claude-1", &format!("message {n}")])).collect();
    all_reached(&world, &ids, "submitted");
    assert_eq!(given(&world, &pane), ids);
    let unclear = world.ok(&["log", "--json", "--event", "unclear"]);
    let turns = world.events(&pane, "submitted").len();
    assert!(unclear.lines().count() >= 2 * turns, "{unclear}");
}

// Screens.

#[test]
fn a_screen_that_is_being_drawn_is_not_taken_for_what_it_will_show() {
    let world = World::new();
    world.start();
    let kinds = ["claude", "codex", "gemini", "opencode"];
    let panes = kinds.map(|kind| world.agent(kind, &[("FAKE_AGENT_SLOW_PAINT", "9")]));
    world.ok(&["discover", "--init", "--quiet"]);
    for size in [["160", "48"], ["60", "15"], ["90", "20"]] {
        for pane in &panes {
            world.tmux(&["resize-window", "-t", pane, "-x", size[0], "-y", size[1]]);
        }
        let sent = kinds.map(|kind| {
            let text = format!("in {} columns, to {kind}", size[0]);
            (0..3).map(|_| world.send(&[&format!("{kind}-1"), &text])).collect::<Vec<_>>()
        });
        for (pane, ids) in panes.iter().zip(&sent) {
            all_reached(&world, ids, "submitted");
            let log: Vec<Value> = world.log(pane).lines().map(parsed).collect();
            for id in ids {
                assert_eq!(times(&world, pane, id), 1, "{id} in {pane}\n{}", world.log(pane));
                let mark = format!("[swarm {id} ");
                let has =
                    |e: &&Value| e["event"] == "submitted" && e["text"].as_str().unwrap().contains(&mark);
                // Where there is no room it was announced with others.
                let Some(line) = log.iter().find(has) else { continue };
                let submitted = line["t"].as_u64();
                // Nothing after this may say that it is still to be entered: it would be typed again as soon as it has scrolled away.
                let journal = world.ok(&["log", "--json", "-n", "0", "--event", "delivery"]);
                let way: Vec<Value> = journal.lines().map(parsed).filter(|e| e["id"] == **id).collect();
                let typed = way.iter().filter(|entry| entry["stage"] == "typing");
                assert!(
                    typed.map(|entry| entry["t"].as_u64()).max() < Some(submitted),
                    "{submitted:?} {way:#?}"
                );
            }
        }
    }
}

// The journal.

#[test]
fn an_entry_that_was_cut_short_spoils_none_that_comes_after() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["send", "human", "first"]);
    let journal = world.state().join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    // As after a power failure, or on a disk that was full in the middle of a line.
    fs::write(&journal, &text[..text.len() - 7]).unwrap();
    let second = world.send(&["human", "second"]);
    let third = world.send(&["human", "third"]);
    let told = world.ok(&["log"]);
    assert!(told.contains(&second) && told.contains(&third), "{told}");
    let text = fs::read_to_string(&journal).unwrap();
    let broken = text.lines().filter(|l| serde_json::from_str::<Value>(l).is_err()).count();
    assert_eq!(broken, 1, "{text}");
}

// Disks.

/// A small file system of its own; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn small(at: &Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).stderr(Stdio::null());
        let done = mount.status().is_ok_and(|s| s.success());
        if !done {
            println!("skipped: nothing can be mounted here");
        }
        done.then(|| Self(at.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut filler =
            fs::OpenOptions::new().append(true).create(true).open(self.0.join("filler")).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while std::io::Write::write_all(&mut filler, &vec![b'x'; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_under_the_courier_holds_its_mail_until_there_is_room() {
    let world = World::new();
    let Some(disk) = Mount::small(&world.project(), "2m") else { return };
    world.start();
    let panes = [world.agent("claude", &[]), world.agent("codex", &[])];
    world.ok(&["discover", "--init", "--quiet"]);
    for pane in &panes {
        drafts(&world, pane);
    }
    let mut sent = Vec::new();
    for n in 0..3 {
        sent.push(world.send(&["claude-1", &format!("message {n}")]));
        sent.push(world.send(&["--ack", "codex-1", &format!("message {n}")]));
    }
    all_reached(&world, &sent, "held");
    let serving = world.couriers().pop().unwrap();
    disk.fill();
    for pane in &panes {
        world.control(pane, "clear");
    }
    let (code, said) = world.refused(&["send", "claude-1", "one more"]);
    assert!(code == 1 && said.to_lowercase().contains("no space"), "{said}");
    // Rounds enough for the courier to have tried everything it does, again and again.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        world.swarm(&["send", "--no-wait", "codex-1", "one more"]);
        assert_eq!(world.couriers().pop().as_ref(), Some(&serving), "the courier goes on");
        thread::sleep(Duration::from_millis(200));
    }
    // Without a mark on disk nothing may be typed: after a crash nobody would know.
    assert!(panes.iter().all(|pane| given(&world, pane).is_empty()));
    disk.empty();
    all_reached(&world, &sent, "submitted");
    assert_eq!(world.couriers().pop(), Some(serving), "and is the same");
    for (n, pane) in panes.iter().enumerate() {
        let wanted: Vec<String> = sent.iter().skip(n).step_by(2).cloned().collect();
        assert_eq!(given(&world, pane), wanted, "once each, and in order");
    }
    assert_eq!(names(&world.state().join("quarantine")), [""; 0]);
    assert_eq!(names(&world.state().join("tmp")), [""; 0]);
    let told = world.ok(&["log"]);
    assert!(told.contains(&sent[5]), "{told}");
}

// The store.

#[test]
fn a_store_that_is_removed_ends_its_courier_and_does_not_come_back() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    let first = world.send(&["claude-1", "before"]);
    reached(&world, &first, "submitted");
    assert!(!world.couriers().is_empty());
    fs::remove_dir_all(world.state()).unwrap();
    eventually("the courier ends", || world.couriers().is_empty().then_some(()));
    assert!(!world.state().exists());
    world.ok(&["discover", "--init", "--quiet"]);
    let again = world.send(&["claude-1", "after"]);
    reached(&world, &again, "submitted");
    assert_eq!(given(&world, &pane), [first, again]);
}

#[test]
fn a_store_that_is_made_again_under_a_running_courier_is_not_taken_for_its_own() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    reached(&world, &world.send(&["claude-1", "before"]), "submitted");
    for round in 0..5 {
        let before = world.couriers().pop().unwrap();
        // Between two of the old courier's looks: by its key everything in the new store is forged.
        let script = "rm -rf .swarm && swarm discover --init --quiet && swarm send --json --no-wait claude-1 'a new life'";
        let out = world.command("sh").args(["-c", script]).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let id = parsed(&String::from_utf8(out.stdout).unwrap())["id"].as_str().unwrap().to_owned();
        reached(&world, &id, "submitted");
        assert_eq!(times(&world, &pane, &id), 1, "round {round}");
        assert_eq!(names(&world.state().join("quarantine")), [""; 0], "round {round}");
        eventually("the new store's own courier is left", || {
            world.couriers().pop().is_some_and(|now| now != before).then_some(())
        });
    }
}

#[test]
fn what_is_missing_in_a_store_is_made_again_by_the_next_command() {
    let (world, pane) = world_with_claude();
    // As after a copy of files alone, or after somebody has tidied up: without a courier, and with one.
    for serves in [false, true] {
        if !serves {
            world.end_couriers();
        }
        for name in ["wake", "tmp", "rate", "outbox", "claims", "hooks", "edits", "quarantine", "dead"] {
            let path = world.state().join(name);
            fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).unwrap();
        }
        let id = world.send(&["claude-1", "hello"]);
        reached(&world, &id, "submitted");
        assert_eq!(times(&world, &pane, &id), 1);
    }
    // A file that a desktop leaves is passed over.
    fs::write(world.state().join("dead/.DS_Store"), "x").unwrap();
    world.ok(&["name", "claude-1", "reviewer"]);
}

#[test]
fn a_courier_listens_to_a_bell_that_was_put_in_place_of_its_own() {
    let (world, _) = world_with_claude();
    let before = world.couriers().pop().unwrap();
    let wake = world.state().join("wake");
    fs::remove_file(&wake).unwrap();
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&wake).status().unwrap().success());
    eventually("it is heard again", || {
        (parsed(&world.ok(&["status", "--json"]))["courier"] == true).then_some(())
    });
    assert!(world.couriers().contains(&before), "it is the same one");
}

#[test]
fn a_stopped_courier_is_named_to_whoever_waits_for_it() {
    let (world, _) = world_with_claude();
    eventually("it has said what it is", || world.state().join("courier.json").exists().then_some(()));
    let (stopped, courier) = world.stop_courier();
    let told = format!("the courier is stopped: `kill -CONT {courier}` continues it");
    let out = world.ok(&["send", "claude-1", "hello"]);
    assert!(out.contains(&told), "{out}");
    let id = out.split(' ').next().unwrap();
    assert_eq!(world.recipient(id)["detail"], told);
    assert!(world.ok(&["status"]).contains(&format!("courier stopped: `kill -CONT {courier}`")));
    let doctor = parsed(&String::from_utf8(world.swarm(&["doctor", "--json"]).stdout).unwrap());
    let finding = doctor["findings"].as_array().unwrap().iter().find(|f| f["name"] == "courier").unwrap();
    assert_eq!(
        (&finding["verdict"], &finding["mend"]),
        (&json!("bad"), &json!(format!("kill -CONT {courier}")))
    );
    drop(stopped);
    reached(&world, id, "submitted");
}

// The tmux server.

#[test]
fn what_waited_for_a_server_that_died_is_neither_lost_nor_given_to_who_has_its_panes_now() {
    let world = World::new();
    world.start();
    let (claude, codex) = (world.agent("claude", &[]), world.agent("codex", &[]));
    world.ok(&["discover", "--init", "--quiet"]);
    world.below("codex-1", "swarm-msg lock src/ && swarm-msg send --no-wait human hello");
    for pane in [&claude, &codex] {
        drafts(&world, pane);
    }
    let lost = [
        world.send(&["claude-1", "for the first server"]),
        world.send(&["--ack", "claude-1", "with a receipt"]),
        world.send(&["codex-1", "you, too"]),
    ];
    all_reached(&world, &lost, "held");
    assert_eq!(world.swarm(&["lock", "src/"]).status.code(), Some(3));
    world.tmux(&["kill-server"]);
    eventually("the courier ends with its server", || world.couriers().is_empty().then_some(()));
    world.start();
    // The ids of the two, for another agent and for something that is none.
    let gemini = world.agent("gemini", &[]);
    let cat = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", "exec cat"]);
    assert_eq!([&gemini, &cat], [&claude, &codex], "this test needs the ids to be used again");
    // The first command that has something to do starts a courier.
    let new = world.send(&["gemini-1", "for the second server"]);
    reached(&world, &new, "submitted");
    assert!(!world.couriers().is_empty());
    all_reached(&world, &lost, "failed");
    eventually("what the dead held is free", || {
        world.swarm(&["lock", "src/"]).status.success().then_some(())
    });
    let dead = parsed(&world.ok(&["dead", "--json"]))["dead_letters"].as_array().unwrap().len();
    let told = eventually("the sender is told", || {
        let inbox = world.ok(&["inbox", "--json"]);
        (lost.iter().all(|id| inbox.contains(id.as_str()))).then_some(inbox)
    });
    assert_eq!(dead, 3, "{told}");
    eventually("no receipt is awaited of the dead", || {
        names(&world.state().join("mail/claude-1/unacked")).is_empty().then_some(())
    });
    // And can send it to somebody else.
    world.ok(&["resend", "--no-wait", &lost[0], "--to", "gemini-1"]);
    eventually("it is given", || {
        world.events(&gemini, "submitted").iter().any(|t| t.contains("for the first server")).then_some(())
    });
    assert_eq!(world.events(&gemini, "submitted").len(), 2, "{}", world.log(&gemini));
    assert_eq!(world.screen(&cat).trim(), "", "nothing was typed there");
}

// The clock.

const HOUR: i64 = 3600 * 1000;
const YEAR: i64 = 365 * 24 * HOUR;

/// A world whose clock can be set while everything runs.
struct Clock(PathBuf);

impl Clock {
    fn of(world: &mut World) -> Self {
        let path = world.path().join("clock");
        world.set("SWARM_CLOCK", Box::leak(path.display().to_string().into_boxed_str()));
        let clock = Self(path);
        clock.set(0);
        clock
    }

    fn set(&self, by: i64) {
        let part = self.0.with_extension("part");
        fs::write(&part, by.to_string()).unwrap();
        fs::rename(&part, &self.0).unwrap();
    }
}

#[test]
fn a_clock_that_is_set_forth_and_back_holds_nothing_and_frees_nothing() {
    let mut world = World::new();
    let clock = Clock::of(&mut world);
    world.set("SWARM_ACK_WAITS", "0.4,0.4");
    world.start();
    let (claude, codex) = (world.agent("claude", &[]), world.agent("codex", &[]));
    world.ok(&["discover", "--init", "--quiet"]);
    world.ok(&["lock", "mine", "--ttl", "10m"]);
    world.below("codex-1", "swarm-msg lock theirs --ttl 10m");
    let (mut sent, mut awaited) = (Vec::new(), Vec::new());
    for by in [0, HOUR, -HOUR, 0, YEAR, -YEAR, HOUR, 0] {
        clock.set(by);
        let id = world.send(&["claude-1", &format!("at {by}")]);
        // It has the time that is thought to be.
        let created = parsed(&world.ok(&["show", "--json", &id]))["message"]["created"].as_i64();
        let now = i64::try_from(swarm::store::now_ms()).unwrap() + by;
        assert!(created.is_some_and(|at| (at - now).abs() < 60_000), "{created:?} {now}");
        awaited.push(world.send(&["--ack", "codex-1", &format!("please confirm {by}")]));
        reached(&world, &id, "submitted");
        sent.push(id);
        // A lease counts time awake: a year on the wall ends none, and makes none endless.
        assert_eq!(world.swarm(&["lock", "theirs"]).status.code(), Some(3), "at {by}");
        let told = parsed(&world.ok(&["locks", "--json"]));
        let rests = told["leases"].as_array().unwrap().iter().map(|l| l["expires_in_ms"].as_u64().unwrap());
        let rests: Vec<u64> = rests.collect();
        assert!(rests.len() == 2 && rests.iter().all(|ms| (400_000..=600_000).contains(ms)), "{told}");
    }
    for id in &awaited {
        eventually("it is escalated", || (world.recipient(id)["escalated"] == true).then_some(()));
        assert!(world.recipient(id)["reminders"].as_u64().unwrap() <= 2);
        let told = world.ok(&["log", "--event", "escalated"]);
        assert_eq!(told.matches(id.as_str()).count(), 1, "{told}");
    }
    assert_eq!(given(&world, &claude), sent, "once each, and in the order in which they were sent");
    for id in &awaited {
        let lines = world.events(&codex, "submitted");
        let (first, reminders) = (format!("[swarm {id} INFO "), format!("[swarm {id} REMINDER "));
        assert!(lines.iter().filter(|l| l.contains(&first)).count() <= 1, "{lines:#?}");
        assert!(given(&world, &codex).contains(id), "{lines:#?}");
        assert!(lines.iter().filter(|l| l.starts_with(&reminders)).count() <= 2, "{lines:#?}");
    }
    assert_eq!(names(&world.state().join("mail/codex-1/unacked")), [""; 0]);
    assert_eq!(names(&world.state().join("quarantine")), [""; 0]);
    let told = world.ok(&["log"]);
    assert!(!told.contains("courier-error"), "{told}");
}

#[test]
fn what_one_sender_wrote_stays_in_order_when_the_clock_is_set_back_between() {
    let mut world = World::new();
    let clock = Clock::of(&mut world);
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    drafts(&world, &pane);
    let mut ids = Vec::new();
    for by in [YEAR, HOUR, 0, -HOUR, HOUR, -YEAR] {
        clock.set(by);
        ids.push(world.send(&["claude-1,human", &format!("at {by}")]));
    }
    clock.set(0);
    let inbox = parsed(&world.ok(&["inbox", "--json"]));
    // Notices that one is held for long are there, too: by the clock, it is.
    let listed = inbox["messages"].as_array().unwrap().iter().map(|m| m["message"]["id"].as_str().unwrap());
    assert!(listed.filter(|id| ids.iter().any(|known| known == id)).eq(ids.iter()), "{inbox:#}");
    world.control(&pane, "clear");
    all_reached(&world, &ids, "submitted");
    assert_eq!(given(&world, &pane), ids);
}

#[test]
fn a_key_that_was_pressed_before_the_clock_was_set_back_holds_for_the_quiet_time_only() {
    let mut world = World::new();
    let clock = Clock::of(&mut world);
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.tmux(&["select-window", "-t", &pane]);
    let person = world.attach(120, 40);
    for by in [-HOUR, -YEAR] {
        clock.set(0);
        person.press(&["x"]);
        person.press(&["C-u"]);
        clock.set(by);
        let id = world.send(&["claude-1", &format!("an hour or a year later {by}")]);
        eventually("it is held at first", || {
            world.recipient(&id)["detail"].as_str().unwrap().contains("somebody is typing").then_some(())
        });
        reached(&world, &id, "submitted");
        assert_eq!(times(&world, &pane, &id), 1);
    }
}

#[test]
fn somebody_who_types_on_while_the_clock_is_behind_is_not_disturbed() {
    let mut world = World::new();
    let clock = Clock::of(&mut world);
    clock.set(-HOUR);
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.tmux(&["select-window", "-t", &pane]);
    let person = world.attach(120, 40);
    person.press(&["x", "C-u"]);
    let id = world.send(&["claude-1", "take your time"]);
    // Twice the quiet time, with an empty composer nearly all of it.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(7) {
        person.press(&["x", "C-u"]);
        assert_eq!(times(&world, &pane, &id), 0);
        thread::sleep(Duration::from_millis(400));
    }
    reached(&world, &id, "submitted");
    assert_eq!(world.events(&pane, "submitted").len(), 1, "{}", world.log(&pane));
}

#[test]
fn a_dead_agents_mail_is_not_put_away_before_its_senders_were_told() {
    let mut world = World::new();
    let clock = Clock::of(&mut world);
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["init"]);
    // As long as this is held no command starts a courier, who would tell them.
    let lock = world.state().join("courier.lock");
    let alone = swarm::store::lock::try_exclusive(&lock).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let id = world.send(&["--ack", "claude-1", "too late"]);
    world.control(&pane, "exit");
    eventually("it has ended", || world.log(&pane).contains("\"exit\"").then_some(()));
    let record = world.state().join("agents.ended/claude-1.json");
    eventually("that is known", || {
        world.ok(&["discover", "--quiet"]);
        record.exists().then_some(())
    });
    assert!(parsed(&fs::read_to_string(&record).unwrap())["died"].is_u64());
    // Records of the dead are dropped after a week, and their mail is put away.
    clock.set(8 * 24 * HOUR);
    world.ok(&["discover", "--quiet"]);
    assert!(record.exists());
    drop(alone);
    eventually("the sender is told", || {
        world.ok(&["discover", "--quiet"]);
        world.ok(&["inbox"]).contains(&format!("did not get {id}")).then_some(())
    });
    eventually("then it is put away", || {
        world.ok(&["discover", "--quiet"]);
        (!record.exists() && names(&world.state().join("dead")).len() == 1).then_some(())
    });
}

#[test]
fn a_senders_window_survives_every_step_of_the_clock_and_numbers_only_go_up() {
    let mut world = World::new();
    let clock = Clock::of(&mut world);
    world.ok(&["init"]);
    let mut peer = Peer::new(&world, "peer-0");
    let sent = |world: &World| {
        let mut command = world.command("swarm");
        command
            .args(["send", "--no-wait", "peer-0", "x"])
            .env("SWARM_RATE_LIMIT", "3/2")
            .output()
            .unwrap()
            .status
    };
    let number = || {
        let window = parsed(&fs::read_to_string(world.state().join("rate/human.json")).unwrap());
        window["sequence"].as_u64().unwrap()
    };
    let mut last = 0;
    for by in [0, -HOUR, HOUR, -YEAR, YEAR, 0] {
        clock.set(by);
        // Set back, the window is as full as it was, for its own time and not until the hour comes again.
        eventually("the window opens", || sent(&world).success().then_some(()));
        assert!(number() > last, "at {by}");
        last = number();
        let refused = (0..4).filter(|_| sent(&world).code() == Some(4)).count();
        assert!(refused >= 1, "at {by} the limit holds");
        last = number().max(last);
    }
    let inbox = parsed(&peer.ok("swarm-msg inbox --json"));
    let numbers: Vec<u64> = inbox["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["message"]["sequence"].as_u64().unwrap())
        .collect();
    assert!(numbers.len() >= 6 && numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
}

// Signals.

#[test]
fn handled_signals_do_not_shake_a_command_that_waits_for_the_mutex() {
    let world = World::new();
    world.ok(&["init"]);
    // It renews every third of a second, and its own handlers are there: each signal interrupts what it waits in.
    let command = "trap '' HUP TERM USR1 USR2; : >../ready; sleep 4; echo done";
    let mut child = world
        .command("swarm")
        .args(["lock", "a", "--ttl", "1s", "--", "sh", "-c", command])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The shell is ended by a signal until its traps are set.
    eventually("the command runs", || world.path().join("ready").exists().then_some(()));
    let pid = child.id().to_string();
    let mut signals = 0;
    while child.try_wait().unwrap().is_none() {
        let held = swarm::store::lock::exclusive(&world.state().join("lock")).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(900) {
            for name in ["-HUP", "-USR1", "-USR2", "-TERM"] {
                // It may end in between.
                signals += usize::from(
                    Command::new("kill").args([name, &pid]).stderr(Stdio::null()).status().unwrap().success(),
                );
            }
        }
        drop(held);
        // Its lease is there, renewed, as long as the command runs.
        thread::sleep(Duration::from_millis(100));
        if child.try_wait().unwrap().is_none() && !names(&world.state().join("leases")).is_empty() {
            let told = parsed(&world.ok(&["locks", "--json"]));
            assert_eq!(told["damaged"], json!([]));
        }
    }
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && out.stdout == b"done\n", "{out:?}");
    assert!(signals > 100, "{signals}");
    assert_eq!(names(&world.state().join("leases")), [""; 0], "given back");
}

#[test]
fn a_system_call_that_is_interrupted_is_made_again() {
    let tried = Command::new("strace").args(["-e", "inject=flock:error=EINTR:when=1..2", "true"]).output();
    if !tried.is_ok_and(|out| out.status.success()) {
        println!("skipped: no strace that can interrupt calls");
        return;
    }
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["send", "human", "first"]);
    let log = world.path().join("strace");
    let mut interrupted = 0;
    for (call, path) in [
        ("flock", "lock"),
        ("openat", "lock"),
        ("openat", "PROJECT"),
        ("read", "PROJECT"),
        ("openat", "journal.jsonl"),
        ("pread64", "journal.jsonl"),
        ("write", "journal.jsonl"),
        ("write", "rate/human.json"),
        ("openat", "mail/human/new"),
        ("fsync", "mail/human/new"),
        ("openat", "numbers.json"),
        ("read", "numbers.json"),
        ("openat", "wake"),
    ] {
        let path = world.state().join(path);
        let trace = |command: &[&str]| {
            let out = world
                .command("strace")
                .args(["-f", "-P", path.to_str().unwrap(), "-o", log.to_str().unwrap(), "-e"])
                .arg(format!("inject={call}:error=EINTR:when=1..3"))
                .args(command)
                .output()
                .unwrap();
            let told = fs::read_to_string(&log).unwrap();
            assert!(out.status.success(), "{call} {}: {out:?} {told}", path.display());
            told.matches("(INJECTED)").count()
        };
        let times = trace(&["swarm", "send", "--no-wait", "human", &format!("{call} {}", path.display())])
            + trace(&["swarm", "lock", call, "--ttl", "10m"]);
        assert!(times > 0, "{call} on {} was never made", path.display());
        interrupted += times;
    }
    assert_eq!(parsed(&world.ok(&["inbox", "--json"]))["messages"].as_array().unwrap().len(), 14);
    assert_eq!(parsed(&world.ok(&["locks", "--json"]))["damaged"], json!([]));
    println!("{interrupted} interrupted calls");
}
