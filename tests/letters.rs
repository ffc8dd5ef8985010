//! What becomes of messages that are not answered, are held for long, or wait for an agent that ends: real tmux, real
//! processes, with the times made short.

use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use serde_json::Value;
use std::fs;
use std::thread;
use std::time::Duration;

/// A world whose courier goes by these times, with these agents; gives their panes.
fn team(kinds: &[&str], times: &[(&'static str, &'static str)]) -> (World, Vec<String>) {
    let mut world = World::new();
    for (name, value) in times {
        world.set(name, value);
    }
    world.start();
    let panes = kinds.iter().map(|kind| world.agent(kind, &[])).collect();
    world.ok(&["discover", "--init", "--quiet"]);
    (world, panes)
}

fn glance(world: &World) -> Value {
    parsed(&world.ok(&["status", "--json"]))
}

/// The same as soon as there is something: a notice follows the change it tells of.
fn mail(world: &World) -> Vec<String> {
    eventually("there is mail", || Some(inbox(world)).filter(|m| !m.is_empty()))
}

/// The bodies in the human's inbox.
fn inbox(world: &World) -> Vec<String> {
    let all = parsed(&world.ok(&["inbox", "--json"]));
    let messages = all["messages"].as_array().unwrap();
    messages.iter().map(|m| m["message"]["body"].as_str().unwrap().to_owned()).collect()
}

fn given(world: &World, pane: &str, part: &str) -> usize {
    world.events(pane, "submitted").iter().filter(|t| t.contains(part)).count()
}

/// Has the agent run a shell script of this text.
fn run_in_agent(world: &World, name: &str, script: &str) {
    let path = world.path().join("bin/errand");
    executable(&path, format!("#!/bin/sh\n{script}\n"));
    world.send(&[name, "TOOL((errand))"]);
}

fn files(world: &World, dir: &str) -> usize {
    fs::read_dir(world.state().join(dir)).unwrap().count()
}

#[test]
fn an_agent_that_does_not_acknowledge_is_reminded_three_times_and_then_reported_once() {
    let (world, panes) = team(&["claude"], &[("SWARM_ACK_WAITS", "0.3,0.3,0.3")]);
    let id = world.send(&["claude-1", "--ack", "answer me"]);
    assert_eq!(glance(&world)["unacknowledged"], 1);
    eventually("it is escalated", || (world.recipient(&id)["escalated"] == true).then_some(()));
    let told = world.recipient(&id);
    assert_eq!((&told["stage"], &told["reminders"]), (&Value::from("submitted"), &Value::from(3)));
    let submitted = world.events(&panes[0], "submitted");
    assert_eq!(submitted.len(), 4, "{submitted:#?}");
    for (ring, line) in submitted.iter().enumerate().skip(1) {
        assert!(
            line.starts_with(&format!("[swarm {id} REMINDER {ring} from human to claude-1 sig:")),
            "{line}"
        );
        assert!(line.contains("answer me") && line.contains(&format!("swarm-msg ack {id}")), "{line}");
    }
    let mail = mail(&world);
    assert_eq!(mail.len(), 1, "{mail:#?}");
    assert!(
        mail[0].starts_with(&format!("UNACKNOWLEDGED: claude-1 has not acknowledged after 3 reminders {id}")),
        "{mail:#?}"
    );
    assert_eq!(glance(&world)["unacknowledged"], 0);
    assert_eq!(files(&world, "mail/claude-1/unacked"), 0);
}

#[test]
fn an_earlier_reminder_that_comes_into_view_again_is_not_taken_for_this_one() {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.3,2");
    world.start();
    // What is pasted is drawn late, together with what the pane has room for by then.
    let pane = world.agent("claude", &[("FAKE_AGENT_LATE_PASTE", "1000")]);
    world.tmux(&["resize-window", "-t", &pane, "-x", "100", "-y", "40"]);
    world.ok(&["discover", "--init", "--quiet"]);
    let id = world.send(&["claude-1", "--ack", "answer me"]);
    let reminder = |ring: u32| format!("[swarm {id} REMINDER {ring} ");
    eventually("the first reminder", || (given(&world, &pane, &reminder(1)) == 1).then_some(()));
    world.send(&["claude-1", &"so that the reminder is out of sight ".repeat(16)]);
    eventually("it is submitted", || (given(&world, &pane, "out of sight") == 1).then_some(()));
    world.tmux(&["resize-window", "-t", &pane, "-x", "100", "-y", "13"]);
    eventually("it is out of sight", || {
        (!world.screen(&pane).contains(&format!("swarm-msg show {id})"))).then_some(())
    });
    eventually("the second one is pasted", || (world.events(&pane, "pasted").len() == 4).then_some(()));
    world.tmux(&["resize-window", "-t", &pane, "-x", "100", "-y", "40"]);
    eventually("the second reminder", || (given(&world, &pane, &reminder(2)) == 1).then_some(()));
}

#[test]
fn a_courier_killed_again_and_again_neither_skips_nor_repeats_a_reminder() {
    let (world, panes) = team(&["claude"], &[("SWARM_ACK_WAITS", "0.3,0.3,0.3")]);
    let id = world.send(&["claude-1", "--ack", "answer me"]);
    for after in [200, 350, 150, 420, 260, 90] {
        thread::sleep(Duration::from_millis(after));
        world.end_couriers();
        world.ok(&["discover", "--quiet"]);
    }
    let begun = std::time::Instant::now();
    while world.recipient(&id)["escalated"] != true {
        let told = || {
            format!(
                "{}\n{}\n{}",
                world.recipient(&id),
                world.ok(&["log", "-n", "40"]),
                world.screen(&panes[0])
            )
        };
        assert!(begun.elapsed() < crate::support::PATIENCE, "it is never escalated: {}", told());
        thread::sleep(Duration::from_millis(20));
    }
    for ring in 1..=3 {
        assert_eq!(
            given(&world, &panes[0], &format!("[swarm {id} REMINDER {ring} ")),
            1,
            "{}",
            world.log(&panes[0])
        );
    }
    assert_eq!(given(&world, &panes[0], &format!("[swarm {id} INFO ")), 1);
    let mail = mail(&world);
    assert_eq!(mail.iter().filter(|b| b.contains("UNACKNOWLEDGED")).count(), 1);
}

#[test]
fn racing_acknowledgements_of_one_message_are_one_and_end_the_reminders() {
    let (world, panes) = team(&["claude"], &[("SWARM_ACK_WAITS", "1.5")]);
    let id = world.send(&["claude-1", "--ack", "answer me"]);
    eventually("it arrives", || (given(&world, &panes[0], &id) > 0).then_some(()));
    run_in_agent(
        &world,
        "claude-1",
        &format!(
            "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do swarm-msg ack --no-wait {id} & done; wait; touch done"
        ),
    );
    eventually("all are through", || world.project().join("done").exists().then_some(()));
    assert_eq!(world.recipient(&id)["stage"], "acked");
    assert_eq!(inbox(&world), ["acknowledged"]);
    assert_eq!(files(&world, "mail/claude-1/unacked"), 0);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(given(&world, &panes[0], "REMINDER"), 0);
    assert_eq!(inbox(&world), ["acknowledged"]);
}

#[test]
fn an_answer_acknowledges_too() {
    let (world, panes) = team(&["claude"], &[]);
    let id = world.send(&["claude-1", "--ack", "are you done?"]);
    eventually("it arrives", || (given(&world, &panes[0], &id) > 0).then_some(()));
    run_in_agent(&world, "claude-1", &format!("swarm-msg reply {id} yes"));
    eventually("it is acknowledged", || (world.recipient(&id)["stage"] == "acked").then_some(()));
    // The end of one transaction, of which a reader without the lock may see the beginning.
    eventually("it is awaited no more", || (files(&world, "mail/claude-1/unacked") == 0).then_some(()));
}

#[test]
fn nobody_but_a_recipient_can_acknowledge() {
    let (world, _) = team(&["claude"], &[]);
    let id = world.send(&["claude-1", "--ack", "for claude"]);
    let (code, why) = world.refused(&["ack", &id]);
    assert_eq!(code, 2);
    assert!(why.contains("is to claude-1, not to you (human)"), "{why}");
    assert_eq!(files(&world, "mail/claude-1/unacked"), 1);
}

#[test]
fn time_in_which_a_message_is_held_is_not_counted_against_its_recipient() {
    let (world, panes) = team(&["claude"], &[("SWARM_ACK_WAITS", "0.2")]);
    world.control(&panes[0], "draft half a thought");
    let id = world.send(&["claude-1", "--ack", "later"]);
    eventually("held", || (world.recipient(&id)["stage"] == "held").then_some(()));
    thread::sleep(Duration::from_secs(1));
    let told = world.recipient(&id);
    assert_eq!((&told["reminders"], &told["escalated"]), (&Value::from(0), &Value::from(false)));
    world.control(&panes[0], "clear");
    eventually("it is escalated at last", || (world.recipient(&id)["escalated"] == true).then_some(()));
    assert_eq!(given(&world, &panes[0], &format!("[swarm {id} INFO ")), 1);
}

#[test]
fn mail_for_an_agent_that_ends_becomes_dead_letters_that_can_be_sent_again() {
    let (world, panes) = team(&["claude", "codex"], &[]);
    world.control(&panes[0], "busy 60000");
    let ids = [world.send(&["claude-1", "first"]), world.send(&["claude-1", "second"])];
    eventually("held", || (world.recipient(&ids[0])["stage"] == "held").then_some(()));
    let behind = world.recipient(&ids[1]);
    assert_eq!(behind["stage"], "held");
    assert!(behind["detail"].as_str().unwrap().contains(&ids[0]), "{behind}");
    world.control(&panes[0], "exit");
    eventually("they are dead letters", || (glance(&world)["dead_letters"] == 2).then_some(()));
    let told = world.recipient(&ids[0]);
    assert_eq!(
        (&told["stage"], &told["detail"]),
        (&Value::from("failed"), &Value::from("its process has ended"))
    );
    let mail = mail(&world);
    assert_eq!(mail.len(), 1, "{mail:#?}");
    assert!(
        ids.iter().all(|id| mail[0].contains(id.as_str())) && mail[0].contains("swarm-msg resend"),
        "{mail:#?}"
    );
    let listed = world.ok(&["dead"]);
    assert!(listed.contains("first") && listed.contains("second") && listed.contains("claude-1"), "{listed}");
    // Its name is not known any more: without --to there is nobody to send it to.
    assert_eq!(world.refused(&["resend", &ids[0]]).0, 5);
    world.ok(&["resend", "--no-wait", &ids[0], "--to", "codex-1"]);
    eventually("it arrives", || (given(&world, &panes[1], "] first (") == 1).then_some(()));
    assert_eq!(glance(&world)["dead_letters"], 1);
    assert!(!world.screen(&panes[0]).contains("[swarm"));
}

#[test]
fn only_its_sender_and_the_human_send_a_message_again() {
    let (world, panes) = team(&["claude", "codex"], &[]);
    let id = world.send(&["claude-1", "mine"]);
    eventually("it arrives", || (given(&world, &panes[0], &id) > 0).then_some(()));
    run_in_agent(&world, "codex-1", &format!("swarm-msg resend {id} --to codex-1 2>refused; touch done"));
    eventually("it is refused", || world.project().join("done").exists().then_some(()));
    let why = fs::read_to_string(world.project().join("refused")).unwrap();
    assert!(why.contains("only its sender and the human"), "{why}");
}

#[test]
fn a_sender_is_told_once_of_a_message_that_is_held_for_long() {
    let (world, panes) = team(&["claude"], &[("SWARM_HELD_NOTICE", "0.5")]);
    world.control(&panes[0], "draft half a thought");
    let id = world.send(&["claude-1", "when you can"]);
    eventually("the notice comes", || (!inbox(&world).is_empty()).then_some(()));
    world.end_couriers();
    world.ok(&["discover", "--quiet"]);
    thread::sleep(Duration::from_secs(1));
    let mail = mail(&world);
    assert_eq!(mail.len(), 1, "{mail:#?}");
    assert!(
        mail[0].starts_with(&format!("{id} to claude-1 is held")) && mail[0].contains("draft"),
        "{mail:#?}"
    );
    assert!(world.screen(&panes[0]).contains("half a thought"));
}

#[test]
fn an_agent_is_told_of_an_unacknowledged_message_by_a_notice_it_need_not_answer() {
    let (world, panes) = team(&["claude", "codex"], &[("SWARM_ACK_WAITS", "0.3")]);
    run_in_agent(&world, "claude-1", "swarm-msg send --no-wait --ack codex-1 hello");
    let notice = || world.events(&panes[0], "submitted").into_iter().find(|t| t.contains("UNACKNOWLEDGED"));
    let line = eventually("the notice is typed", notice);
    assert!(
        line.contains(" from swarm to claude-1 ") && line.ends_with("(a notice: no answer is expected)"),
        "{line}"
    );
    assert_eq!(mail(&world).len(), 1);
}

#[test]
fn a_message_on_its_way_is_found_at_any_moment() {
    let (world, _) = team(&["claude", "codex"], &[]);
    for n in 0..15 {
        let id = world.send(&[if n % 2 == 0 { "claude-1" } else { "codex-1" }, "where is it?"]);
        while world.recipient(&id)["stage"] != "submitted" {}
        world.ok(&["show", &id]);
    }
    assert_eq!(glance(&world)["quarantined"], 0);
}

#[test]
fn one_sender_cannot_fill_a_mailbox() {
    let world = World::new();
    world.ok(&["init"]);
    let mut refused = None;
    for n in 0..=200 {
        let out = world.swarm(&["send", "--no-wait", "human", &n.to_string()]);
        if !out.status.success() {
            refused = Some((n, String::from_utf8(out.stderr).unwrap()));
            break;
        }
    }
    let (count, why) = refused.unwrap();
    assert_eq!(count, 200);
    assert!(why.contains("200 of your messages wait for human; nothing was sent"), "{why}");
    assert_eq!(inbox(&world).len(), 200);
}

#[test]
fn a_text_that_was_submitted_long_ago_is_removed_and_an_announcement_stays() {
    let (world, _) = team(&["codex"], &[("SWARM_KEEP_READ", "1s")]);
    let submitted = |arguments: &[&str]| {
        let id = world.send(arguments);
        eventually("it is submitted", || (world.stage(&id).0 == "submitted").then_some(()));
        id
    };
    let short = submitted(&["codex-1", "a short one"]);
    let long = submitted(&["codex-1", &"long ".repeat(200)]);
    let asked = submitted(&["codex-1", "--ack", "another"]);
    let last = submitted(&["codex-1", "the last one"]);
    let names = |folder: &str| -> String {
        let dir = world.state().join("mail/codex-1").join(folder);
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    };
    eventually("the last one is old", || {
        world.ok(&["gc", "--yes"]);
        names("gone").contains(&last).then_some(())
    });
    let (given, gone) = (names("given"), names("gone"));
    assert!(gone.contains(&short) && !given.contains(&short), "{given} {gone}");
    assert!([&long, &asked].iter().all(|id| given.contains(*id) && !gone.contains(*id)), "{given} {gone}");
}
