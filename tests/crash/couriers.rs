//! Couriers, killed at the points that they pass with one message, a bundle, a text for an agent's own channel, or letters to look after.

use super::{DELIVERY, all_readable, files, mail_is_whole};
use crate::support::mail::parsed;
use crate::support::{World, eventually};
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Waits for a message, then a little longer for a second one that must not come.
pub(super) fn given_once(world: &World, pane: &str, id: &str) {
    eventually(&format!("{id} arrives"), || (world.given(pane, id) > 0).then_some(()));
    eventually("it is on record", || (world.stage(id).0 == "submitted").then_some(()));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(world.given(pane, id), 1, "{}", world.log(pane));
}

/// A courier that is to die at the `passage`th passage of a point.
pub(super) fn courier(world: &World, point: &str, passage: usize) -> Child {
    let socket = world.tmux(&["display-message", "-p", "#{socket_path}"]);
    let count = world.path().join("courier-count");
    fs::write(&count, vec![b'.'; passage]).unwrap();
    let mut command = world.command("swarm");
    command
        .args(["courier", "--socket", &socket])
        .env("SWARM_CRASH_AT", point)
        .env("SWARM_CRASH_COUNT", &count);
    command.spawn().unwrap()
}

pub(super) fn dies(courier: &mut Child, point: &str) {
    let status = eventually(&format!("it dies {point}"), || courier.try_wait().unwrap());
    assert_eq!(status.signal(), Some(9), "{point}");
}

pub(super) fn mail(world: &World, words: &[&str]) -> String {
    let args = [&["send", "--json", "--no-wait"], words].concat();
    parsed(&world.ok(&args))["id"].as_str().unwrap().to_owned()
}

/// A courier dies at `point` with a message under way; another goes on.
fn courier_dies(kind: &str, point: &str, passage: usize) {
    let world = World::new();
    world.start();
    // An Enter is not seen to be taken if the agent takes its time.
    let slow = [("FAKE_AGENT_SLOW_ENTER", "2500")];
    let pane = world.agent(kind, if point == "enter-unseen" { &slow } else { &[] });
    world.ok(&["init"]);
    let name = format!("{kind}-1");
    let mut doomed = courier(&world, point, passage);
    let record = world.state().join(format!("agents/{name}.json"));
    let mut dead = false;
    eventually("the agent is known, or the courier dead before that", || {
        dead = doomed.try_wait().unwrap().is_some();
        (dead || record.exists()).then_some(())
    });
    if dead {
        world.ok(&["discover", "--quiet"]);
    }
    let id = mail(&world, &[&name, "survive this"]);
    dies(&mut doomed, point);
    world.ok(&["discover", "--quiet"]);
    given_once(&world, &pane, &id);
    let next = mail(&world, &[&name, "and go on"]);
    given_once(&world, &pane, &next);
    assert_eq!(world.events(&pane, "submitted").len(), 2, "{point}");
    for line in world.log(&pane).lines() {
        let event = parsed(line)["event"].as_str().unwrap().to_owned();
        assert!(["start", "submitted", "turn-ended"].contains(&event.as_str()), "{line}");
    }
    all_readable(&world.state());
    mail_is_whole(&world);
}

/// Where a courier dies that gives a bundle.
const BUNDLE: [(&str, usize); 30] = [
    ("before-stage", 0),
    ("after-link", 0),
    ("before-paste", 0),
    ("after-paste", 0),
    ("before-enter", 0),
    ("after-enter", 0),
    ("before-submitted-mark", 0),
    ("after-submitted-mark", 0),
    ("before-record", 0),
    ("before-record", 1),
    ("before-record", 2),
    ("before-record", 3),
    ("before-record", 4),
    ("before-record", 5),
    ("before-record", 6),
    ("before-record", 7),
    ("before-record", 8),
    ("after-record", 3),
    ("after-record", 5),
    ("after-record", 7),
    ("after-move", 0),
    ("after-move", 1),
    ("after-move", 2),
    ("after-move", 3),
    ("before-entry", 0),
    ("before-entry", 2),
    ("before-entry", 4),
    ("after-entry", 5),
    ("after-entry", 7),
    ("after-entry", 9),
];

/// A courier dies at `point` with some messages for one agent under way, which are given by their lines or announced; another goes on.
/// Returns whether it came to that point.
fn bundle_courier_dies(kind: &str, count: usize, point: &str, passage: usize) -> bool {
    let world = World::new();
    world.start();
    let pane = world.agent(kind, &[]);
    world.ok(&["init"]);
    // As long as this is held no command starts a courier.
    let alone = swarm::store::lock::try_exclusive(&world.state().join("courier.lock")).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let name = format!("{kind}-1");
    let ids: Vec<String> = (0..count).map(|n| mail(&world, &[&name, &format!("part {n}")])).collect();
    drop(alone);
    let submitted = || ids.iter().all(|id| world.stage(id).0 == "submitted");
    let died = eventually(&format!("it dies {point} {passage}, or is done"), || {
        let mut doomed = courier(&world, point, passage);
        let ended = eventually("it dies or is done", || {
            let status = doomed.try_wait().unwrap();
            status.map(|status| status.signal() == Some(9)).or_else(|| submitted().then_some(false))
        });
        if submitted() && doomed.try_wait().unwrap().is_none() {
            doomed.kill().unwrap();
            doomed.wait().unwrap();
        }
        // One that found the lock taken still ends at once.
        (ended || submitted()).then_some(ended)
    });
    world.ok(&["discover", "--quiet"]);
    eventually(&format!("all is given {point} {passage}"), || submitted().then_some(()));
    thread::sleep(Duration::from_millis(300));
    let journal = fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    let bundles = journal.lines().map(parsed).filter(|entry| entry["event"] == "bundle");
    let bundles: Vec<Value> = bundles.filter(|e| world.given(&pane, e["id"].as_str().unwrap()) > 0).collect();
    for id in &ids {
        let told =
            bundles.iter().filter(|e| e["members"].as_array().unwrap().iter().any(|m| m == id)).count();
        let lines = world.given(&pane, id);
        assert!(told == 1 && lines <= 1, "{point} {passage}: {id} {told} {lines} {}", world.log(&pane));
        assert_eq!(lines, usize::from(count < 5), "{point} {passage}: {}", world.log(&pane));
    }
    assert_eq!(world.events(&pane, "submitted").len(), 1, "{point} {passage}: {}", world.log(&pane));
    assert_eq!(files(&world.state().join(format!("mail/{name}/new"))), [""; 0], "{point} {passage}");
    assert_eq!(files(&world.state().join(format!("mail/{name}/given"))).len(), count, "{point} {passage}");
    for line in world.log(&pane).lines() {
        let event = parsed(line)["event"].as_str().unwrap().to_owned();
        assert!(["start", "submitted", "turn-ended"].contains(&event.as_str()), "{line}");
    }
    all_readable(&world.state());
    mail_is_whole(&world);
    died
}

#[test]
fn a_bundle_is_given_once_whatever_its_courier_dies_at() {
    let died = AtomicUsize::new(0);
    let runs: Vec<_> = BUNDLE
        .into_iter()
        .enumerate()
        .map(|(n, (point, passage))| (["claude", "gemini"][n % 2], [3, 9][n / 2 % 2], point, passage))
        .collect();
    for batch in runs.chunks(8) {
        thread::scope(|scope| {
            for (kind, count, point, passage) in batch {
                let died = &died;
                scope.spawn(move || {
                    let came = bundle_courier_dies(kind, *count, point, *passage);
                    died.fetch_add(usize::from(came), Ordering::Relaxed);
                });
            }
        });
    }
    // How often a courier writes a record differs with what it finds.
    let died = died.into_inner();
    assert!(died >= BUNDLE.len() / 2, "{died}");
}

/// Where a courier dies that gives a text to an agent's own channel.
const OFFER: [(&str, usize); 12] = [
    ("before-offer", 0),
    ("after-offer", 0),
    ("before-submitted-mark", 0),
    ("after-submitted-mark", 0),
    ("before-record", 0),
    ("before-record", 1),
    ("before-record", 2),
    ("after-record", 0),
    ("after-record", 1),
    ("after-record", 2),
    ("after-move", 0),
    ("after-entry", 1),
];

/// A courier dies at `point` with some messages on their way by a channel that does that with them; another goes on.
fn offering_courier_dies(kind: &str, inbox: &str, count: usize, point: &str, passage: usize) {
    let world = World::new();
    world.start();
    let profiles = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&profiles).unwrap();
    let profile = match kind {
        "claude" => include_str!("../../src/agents/profiles/claude.toml"),
        _ => include_str!("../../src/agents/profiles/opencode.toml"),
    };
    let name = format!("{kind}-1");
    fs::write(profiles.join(format!("{kind}.toml")), format!("{profile}\n[timing]\noffer_ms = 2500\n"))
        .unwrap();
    let pane = world.agent(kind, &[("FAKE_AGENT_INBOX", inbox)]);
    world.ok(&["init"]);
    let alone = swarm::store::lock::try_exclusive(&world.state().join("courier.lock")).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let ids: Vec<String> = (0..count).map(|n| mail(&world, &[&name, &format!("part {n}")])).collect();
    drop(alone);
    let submitted = || ids.iter().all(|id| world.stage(id).0 == "submitted");
    eventually(&format!("it dies {point} {passage}, or is done"), || {
        let mut doomed = courier(&world, point, passage);
        let ended = eventually("it dies or is done", || {
            let status = doomed.try_wait().unwrap();
            status.map(|status| status.signal() == Some(9)).or_else(|| submitted().then_some(false))
        });
        if doomed.try_wait().unwrap().is_none() {
            doomed.kill().unwrap();
            doomed.wait().unwrap();
        }
        (ended || submitted()).then_some(())
    });
    world.ok(&["discover", "--quiet"]);
    eventually(&format!("all is given {point} {passage}"), || submitted().then_some(()));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(world.typed(&pane), ids, "{kind} {inbox} {point} {passage}: each once {}", world.log(&pane));
    for n in 0..count {
        let turns = world.events(&pane, "submitted");
        let texts: usize = turns.iter().map(|t| t.matches(&format!("] part {n} (")).count()).sum();
        // What was never written is only announced: nobody can know that it was not.
        let written = matches!(point, "after-offer" | "before-submitted-mark" | "after-submitted-mark");
        assert!(texts == 1 || (texts == 0 && !written), "{kind} {inbox} {point} {passage}: {turns:#?}");
    }
    assert_eq!(files(&world.state().join(format!("mail/{name}/new"))), [""; 0], "{point} {passage}");
    all_readable(&world.state());
    mail_is_whole(&world);
}

#[test]
fn what_an_agents_own_channel_takes_is_given_once_whatever_its_courier_dies_at() {
    // The courier does the same whoever's channel it is.
    let kinds = OFFER.iter().map(|of| ("claude", of)).chain(OFFER[..4].iter().map(|of| ("opencode", of)));
    let runs: Vec<_> = kinds
        .enumerate()
        .map(|(n, (kind, (point, passage)))| {
            (kind, ["take", "late:600"][n % 2], [1, 3][n / 2 % 2], *point, *passage)
        })
        .collect();
    for batch in runs.chunks(8) {
        thread::scope(|scope| {
            for (kind, inbox, count, point, passage) in batch {
                scope.spawn(move || offering_courier_dies(kind, inbox, *count, point, *passage));
            }
        });
    }
}

/// Where a courier dies that has a reminder to give, an acknowledgement to escalate and a dead letter to tell of.
const LETTERS: [(&str, usize); 10] = [
    ("before-sealed-write", 0),
    ("after-sealed-write", 0),
    ("before-sealed-write", 1),
    ("after-sealed-write", 1),
    ("after-settle", 0),
    ("notice-posted", 0),
    ("notice-posted", 1),
    ("before-entry", 3),
    ("before-stage", 0),
    ("before-stage", 1),
];

/// A courier dies at `point` while it looks after letters; another goes on.
fn letters_courier_dies(point: &str, passage: usize) {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.2");
    world.start();
    let (one, two) = (world.agent("claude", &[]), world.agent("codex", &[]));
    world.ok(&["init"]);
    // As long as this is held no command starts a courier.
    let alone = swarm::store::lock::try_exclusive(&world.state().join("courier.lock")).unwrap().unwrap();
    world.ok(&["discover", "--quiet"]);
    let awaited = mail(&world, &["--ack", "claude-1", "please confirm"]);
    let lost = mail(&world, &["codex-1", "too late"]);
    world.control(&two, "exit");
    eventually("it has ended", || world.log(&two).contains("\"exit\"").then_some(()));
    drop(alone);
    // A process that was being started just then may still have held it: one finds it taken, and ends at once.
    let status = eventually("a courier gets it", || {
        let mut doomed = courier(&world, point, passage);
        let status = eventually(&format!("it dies {point} {passage}"), || doomed.try_wait().unwrap());
        (!status.success()).then_some(status)
    });
    assert_eq!(status.signal(), Some(9), "{point} {passage}");
    world.ok(&["discover", "--quiet"]);
    let state = |id: &str| parsed(&world.ok(&["status", "--json", id]))["recipients"][0].clone();
    eventually("it is escalated", || (state(&awaited)["escalated"] == true).then_some(()));
    eventually("the other is a dead letter", || (state(&lost)["stage"] == "failed").then_some(()));
    eventually("nothing is left to tell", || files(&world.state().join("notices")).is_empty().then_some(()));
    assert_eq!(world.given(&one, &awaited), 2, "itself and its reminder: {}", world.log(&one));
    assert_eq!(world.events(&two, "submitted"), [""; 0]);
    let inbox = parsed(&world.ok(&["inbox", "--json"]))["messages"].clone();
    let told = |what: &str| {
        let texts = inbox.as_array().unwrap().iter().map(|m| m["message"]["body"].as_str().unwrap());
        texts.filter(|t| t.contains(what)).count()
    };
    for (what, id) in [("UNACKNOWLEDGED", &awaited), ("did not get", &lost)] {
        assert!((1..=2).contains(&told(what)), "{what} {id}: {inbox:#}");
    }
    assert_eq!(parsed(&world.ok(&["dead", "--json"]))["dead_letters"].as_array().unwrap().len(), 1);
    assert_eq!(files(&world.state().join("mail/claude-1/unacked")), [""; 0]);
    all_readable(&world.state());
    mail_is_whole(&world);
}

#[test]
fn no_crash_of_a_courier_at_any_point_loses_or_repeats_anything() {
    let crashes = AtomicUsize::new(0);
    // Each starts a tmux server: a few at a time.
    let mut runs: Vec<(&str, &str, usize)> = Vec::new();
    for point in DELIVERY {
        runs.extend([("claude", point, 0), ("opencode", point, 0)]);
    }
    for passage in 0..4 {
        runs.extend([("claude", "before-record", passage), ("claude", "after-record", passage)]);
    }
    runs.push(("claude", "after-move", 0));
    for passage in 0..3 {
        runs.extend([("claude", "before-entry", passage), ("claude", "after-entry", passage)]);
    }
    for batch in runs.chunks(7) {
        thread::scope(|scope| {
            for (kind, point, passage) in batch {
                let crashes = &crashes;
                scope.spawn(move || {
                    courier_dies(kind, point, *passage);
                    crashes.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    }
    for batch in LETTERS.chunks(6) {
        thread::scope(|scope| {
            for (point, passage) in batch {
                let crashes = &crashes;
                scope.spawn(move || {
                    letters_courier_dies(point, *passage);
                    crashes.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    }
    println!(
        "crash matrix: {} points, {} crashes of couriers; nothing lost, repeated or unreadable",
        DELIVERY.len(),
        crashes.into_inner()
    );
}
