//! A line that a courier left in a composer, and what became of its message meanwhile.

use super::couriers::{courier, dies, given_once, mail};
use super::files;
use crate::support::mail::parsed;
use crate::support::{World, eventually, executable};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn a_line_left_in_a_composer_of_a_message_that_was_read_since_holds_nothing_back() {
    left_in_a_composer("claude", "seen elsewhere", |id| format!("[swarm {id} "));
    // An agent that shows a sign in place of a long text.
    left_in_a_composer("opencode", &"seen elsewhere ".repeat(12), |_| "[Pasted ~1 lines]".to_owned());
}

fn left_in_a_composer(kind: &str, text: &str, shown: impl Fn(&str) -> String) {
    let name = format!("{kind}-1");
    let world = World::new();
    world.start();
    let script = world.path().join("bin/reader");
    let (asked, done) = (world.path().join("asked"), world.path().join("done"));
    // Below the agent's pane, but not its turn: so the agent reads while its composer is full.
    let errand = format!(
        "#!/bin/sh\nwhile ! [ -s {0} ]; do sleep 0.05; done\nswarm-msg read $(cat {0}); echo $? >{1}\n",
        asked.display(),
        done.display()
    );
    executable(&script, errand);
    let pane = world.agent(&format!("reader </dev/null >/dev/null 2>&1 & {kind}"), &[]);
    world.ok(&["init"]);
    // It is on record that it was pasted, and that Enter never was pressed.
    let mut doomed = courier(&world, "after-paste", 0);
    let record = world.state().join(format!("agents/{name}.json"));
    eventually("the agent is known", || record.exists().then_some(()));
    let id = mail(&world, &[&name, text]);
    dies(&mut doomed, "after-paste");
    eventually("it stands there", || world.screen(&pane).contains(&shown(&id)).then_some(()));
    fs::write(&asked, &id).unwrap();
    // No command of the person before that: it would start a courier, which would finish the delivery.
    let code = eventually("it is read", || fs::read_to_string(&done).ok().filter(|t| t.ends_with('\n')));
    assert_eq!((code.as_str(), world.stage(&id).0.as_str()), ("0\n", "read"));
    assert!(world.screen(&pane).contains(&shown(&id)), "{}", world.screen(&pane));
    let next = mail(&world, &[&name, "and go on"]);
    world.ok(&["discover", "--quiet"]);
    given_once(&world, &pane, &next);
    assert_eq!(world.given(&pane, &id), 1);
}

#[test]
fn a_reading_that_was_cut_short_does_not_end_the_wait_for_an_acknowledgement() {
    let mut world = World::new();
    world.set("SWARM_ACK_WAITS", "0.3");
    world.start();
    let script = world.path().join("bin/reader");
    let (asked, done) = (world.path().join("asked"), world.path().join("done"));
    let text = format!(
        "#!/bin/sh\nwhile ! [ -s {0} ]; do sleep 0.05; done\nSWARM_CRASH_AT=after-move swarm-msg read $(cat {0}); echo $? >{1}\n",
        asked.display(),
        done.display()
    );
    executable(&script, text);
    let pane = world.agent("reader </dev/null >/dev/null 2>&1 & claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.control(&pane, "draft not now");
    eventually("it has a draft", || world.screen(&pane).contains("not now").then_some(()));
    let id = mail(&world, &["--ack", "claude-1", "please confirm"]);
    eventually("it is held", || (world.stage(&id).0 == "held").then_some(()));
    fs::write(&asked, &id).unwrap();
    let code = eventually("the reader dies", || fs::read_to_string(&done).ok().filter(|t| t.ends_with('\n')));
    assert_eq!(code, "137\n");
    assert_eq!(world.stage(&id).0, "read");
    world.control(&pane, "clear");
    let state = || parsed(&world.ok(&["status", "--json", &id]))["recipients"][0].clone();
    eventually("it is reminded, and then escalated", || (state()["escalated"] == true).then_some(()));
    assert_eq!(
        (state()["reminders"].as_u64(), world.given(&pane, &id)),
        (Some(1), 1),
        "{}",
        world.log(&pane)
    );
    assert_eq!(files(&world.state().join("mail/claude-1/unacked")), [""; 0]);
}

#[test]
fn an_enter_that_is_taken_late_is_not_made_up_for_by_a_second_paste() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[("FAKE_AGENT_SLOW_ENTER", "2500")]);
    world.tmux(&["resize-window", "-t", &pane, "-x", "40", "-y", "15"]);
    world.ok(&["init"]);
    let mut doomed = courier(&world, "enter-unseen", 0);
    eventually("the agent is known", || world.state().join("agents/claude-1.json").exists().then_some(()));
    let id = mail(&world, &["claude-1", &"a long line ".repeat(12)]);
    dies(&mut doomed, "enter-unseen");
    eventually("its turn is over", || world.log(&pane).contains("turn-ended").then_some(()));
    // Another program makes it work on, until the line is out of sight.
    eventually("the line is out of sight", || {
        let before = world.events(&pane, "turn-ended").len();
        world.control(&pane, "draft go on");
        eventually("it is there", || world.screen(&pane).contains("go on").then_some(()));
        world.tmux(&["send-keys", "-t", &pane, "Enter"]);
        eventually("it does", || (world.events(&pane, "turn-ended").len() > before).then_some(()));
        (!world.screen(&pane).contains(&id)).then_some(())
    });
    // Not so soon that it should still be seen.
    thread::sleep(Duration::from_secs(5));
    world.ok(&["discover", "--quiet"]);
    // An empty composer proves nothing, and what may have been given is not given again.
    eventually("it is typed, and no more is known", || {
        let way = parsed(&world.ok(&["status", "--json", &id]))["recipients"][0].clone();
        (way["stage"] == "typed" && way["detail"].to_string().contains("no sign of a turn")).then_some(())
    });
    let next = mail(&world, &["claude-1", "and go on"]);
    given_once(&world, &pane, &next);
    assert_eq!(world.given(&pane, &id), 1, "{}", world.log(&pane));
}

#[test]
fn a_dialog_over_a_line_that_waits_for_enter_does_not_pass_for_its_submission() {
    for kind in ["claude", "codex", "gemini", "opencode"] {
        let world = World::new();
        world.start();
        let pane = world.agent(kind, &[]);
        world.ok(&["init"]);
        let name = format!("{kind}-1");
        // It is on record that Enter is being pressed, and it never was.
        let mut doomed = courier(&world, "before-enter", 0);
        let record = world.state().join(format!("agents/{name}.json"));
        eventually("the agent is known", || record.exists().then_some(()));
        let id = mail(&world, &[&name, "still waiting"]);
        dies(&mut doomed, "before-enter");
        world.control(&pane, "dialog rm -rf x");
        eventually("it is there", || world.screen(&pane).contains("rm -rf x").then_some(()));
        world.ok(&["discover", "--quiet"]);
        let told = || parsed(&world.ok(&["status", "--json", &id]))["recipients"][0].to_string();
        eventually("it is held", || told().contains("dialog").then_some(()));
        assert_eq!(world.given(&pane, &id), 0);
        world.control(&pane, "dialog-close");
        given_once(&world, &pane, &id);
        assert!(!world.log(&pane).contains("dialog-answered"), "{}", world.log(&pane));
    }
}

#[test]
fn a_line_that_a_person_wrote_to_and_then_took_away_is_given_again() {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["init"]);
    // It is on record that Enter is being pressed, and it never was.
    let mut doomed = courier(&world, "before-enter", 0);
    eventually("the agent is known", || world.state().join("agents/claude-1.json").exists().then_some(()));
    let id = mail(&world, &["claude-1", "do not lose me"]);
    dies(&mut doomed, "before-enter");
    world.control(&pane, "draft and mine");
    eventually("both are there", || world.screen(&pane).contains("and mine").then_some(()));
    world.ok(&["discover", "--quiet"]);
    let detail = || parsed(&world.ok(&["status", "--json", &id]))["recipients"][0]["detail"].to_string();
    eventually("it is held", || detail().contains("somebody typed beside").then_some(()));
    world.control(&pane, "clear");
    given_once(&world, &pane, &id);
}

#[test]
fn an_agent_that_is_renamed_while_a_line_stands_in_its_composer_gets_it_once() {
    let world = World::new();
    world.start();
    // A paste takes a while to be seen, and Enter waits for that: the renaming comes in between, on a busy machine, too.
    let pane = world.agent("claude", &[("FAKE_AGENT_SLOW_PASTE", "700")]);
    world.tmux(&["resize-window", "-t", &pane, "-x", "40", "-y", "15"]);
    world.ok(&["discover", "--init", "--quiet"]);
    let mut name = "claude-1".to_owned();
    let mut hit = 0;
    let mut sent = 0;
    // A busy machine may be too slow for one or the other; three that come in between are enough.
    while hit < 3 {
        let n = sent;
        sent += 1;
        assert!(n < 40, "{hit} renamings of 40 came between the paste and Enter");
        let id = mail(&world, &[&name, &"a long line ".repeat(12)]);
        let journal = world.state().join("journal.jsonl");
        // Without a pause between two looks: Enter follows the paste in a fraction of a second.
        let begun = Instant::now();
        while !fs::read_to_string(&journal)
            .unwrap()
            .lines()
            .any(|l| l.contains(&id) && l.contains("\"typing\""))
        {
            assert!(begun.elapsed() < crate::support::PATIENCE, "it is never typed");
            std::thread::yield_now();
        }
        let next = format!("name-{n}");
        world.ok(&["name", &name, &next]);
        name = next;
        let text = fs::read_to_string(&journal).unwrap();
        hit += usize::from(!text.lines().any(|l| l.contains(&id) && l.contains("\"entering\"")));
        given_once(&world, &pane, &id);
    }
    // Beside the notices of swarm's own, that it was renamed.
    let mail = world.events(&pane, "submitted").into_iter().filter(|line| !line.contains(" from swarm to "));
    assert_eq!(mail.count(), sent, "{}", world.log(&pane));
}

#[test]
fn a_line_typed_before_a_rename_is_submitted_after_it() {
    for point in ["before-enter", "after-paste"] {
        let world = World::new();
        world.start();
        let pane = world.agent("claude", &[]);
        world.ok(&["init"]);
        let mut doomed = courier(&world, point, 0);
        eventually("the agent is known", || {
            world.state().join("agents/claude-1.json").exists().then_some(())
        });
        let id = mail(&world, &["claude-1", "under the old name"]);
        dies(&mut doomed, point);
        eventually("it is typed", || world.screen(&pane).contains(&format!("[swarm {id} ")).then_some(()));
        world.ok(&["name", "claude-1", "anna"]);
        let next = mail(&world, &["anna", "under the new one"]);
        world.ok(&["discover", "--quiet"]);
        given_once(&world, &pane, &id);
        given_once(&world, &pane, &next);
    }
}
