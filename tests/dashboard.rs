//! The dashboard and the log in a real terminal: a person finds out, answers, takes away, and leaves a clean terminal.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

/// Opens the dashboard in a window of that size and waits until it shows `text`.
fn open(world: &World, width: u16, height: u16, text: &str) -> String {
    let pane = world.tmux(&[
        "new-window",
        "-P",
        "-F",
        "#{pane_id}",
        "sh -c 'swarm dashboard; echo ended $?; exec sh'",
    ]);
    world.tmux(&["resize-window", "-t", &pane, "-x", &width.to_string(), "-y", &height.to_string()]);
    shows(world, &pane, text);
    pane
}

fn shows(world: &World, pane: &str, text: &str) -> String {
    let mut seen = String::new();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(&format!("{text:?} is shown"), || {
            seen = world.screen(pane);
            seen.contains(text).then_some(())
        });
    }));
    assert!(found.is_ok(), "{text:?} is not on\n{seen}");
    seen
}

fn press(world: &World, pane: &str, keys: &[&str]) {
    world.tmux(&[&["send-keys", "-t", pane], keys].concat());
}

#[test]
fn a_terminal_rings_when_there_is_mail_for_its_person_unless_that_is_switched_off() {
    for bell in ["on", "off"] {
        let mut world = World::new();
        world.set("SWARM_BELL", bell);
        world.start();
        world.agent("claude", &[]);
        let terminal = world.attach(120, 30);
        world.ok(&["discover", "--init", "--quiet"]);
        world.below("claude-1", "swarm-msg send --no-wait human 'I have a question'");
        eventually("it is announced", || terminal.screen().contains("claude-1 INFO: I have").then_some(()));
        if bell == "on" {
            eventually("it rings", || (terminal.bells() > 0).then_some(()));
        }
        world.ok(&["send", "--no-wait", "human", "and one more"]);
        eventually("it is announced", || terminal.screen().contains("human INFO: and one").then_some(()));
        assert!(bell == "on" || terminal.bells() == 0, "it was switched off");
    }
}

#[test]
fn a_person_sees_why_mail_waits_and_answers_a_message() {
    let (world, panes) = World::with_agents(&["claude", "codex"], &[]);
    world.control(&panes[1], "dialog");
    world.ok(&["send", "--no-wait", "codex-1", "please go on"]);
    world.ok(&["send", "--no-wait", "human", "which port?"]);
    let pane = open(&world, 80, 24, "codex-1");
    shows(&world, &pane, "dialog");
    shows(&world, &pane, "a dialog is open, and waits for you");
    shows(&world, &pane, "◷1 held");
    // The search finds the message among the others; Enter opens its thread, which is read then.
    press(&world, &pane, &["/", "p", "o", "r", "t", "Enter"]);
    shows(&world, &pane, "2 Threads 1 of 2");
    press(&world, &pane, &["Enter"]);
    shows(&world, &pane, "you → you · INFO");
    eventually("it is marked read", || world.ok(&["inbox"]).contains("no unread messages").then_some(()));
    press(&world, &pane, &["r"]);
    press(&world, &pane, &["-l", "8080; #{pane_id} $(id) \"x\""]);
    press(&world, &pane, &["Enter"]);
    eventually("the answer is there", || {
        let inbox = parsed(&world.ok(&["inbox", "--json"]));
        let body = inbox["messages"][0]["message"]["body"].as_str().unwrap_or_default().to_owned();
        (body == "8080; #{pane_id} $(id) \"x\"").then_some(())
    });
}

#[test]
fn a_lease_is_taken_away_after_a_yes_and_its_holder_is_told() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.below("claude-1", "swarm-msg lock src/lib.rs --reason deep-work");
    let pane = open(&world, 80, 24, "claude-1");
    press(&world, &pane, &["3"]);
    shows(&world, &pane, "deep-work");
    press(&world, &pane, &["u"]);
    shows(&world, &pane, "away from claude-1");
    press(&world, &pane, &["n"]);
    shows(&world, &pane, "nothing was changed");
    assert!(world.ok(&["locks"]).contains("claude-1"));
    press(&world, &pane, &["u"]);
    shows(&world, &pane, "away from claude-1");
    press(&world, &pane, &["y"]);
    eventually("the lease is gone", || world.ok(&["locks"]).contains("no leases").then_some(()));
    eventually("the holder is told", || {
        world.events(&panes[0], "submitted").iter().any(|t| t.contains("src/lib.rs")).then_some(())
    });
}

#[test]
fn agents_are_started_ended_and_resumed_by_keys() {
    let world = World::new();
    world.start();
    world.ok(&["init"]);
    let pane = open(&world, 80, 24, "1 Agents");
    press(&world, &pane, &["S"]);
    shows(&world, &pane, "Start 1 claude: its first message");
    press(&world, &pane, &["C-t"]);
    shows(&world, &pane, "Start 1 codex");
    press(&world, &pane, &["-l", "say hello; #{pid}"]);
    press(&world, &pane, &["Enter"]);
    shows(&world, &pane, "codex-1 runs in");
    let agent = parsed(&world.ok(&["agents", "--json"]))["agents"][0]["pane"].as_str().unwrap().to_owned();
    eventually("it gets its prompt", || {
        world.events(&agent, "submitted").iter().any(|text| text.contains("say hello; #{pid}")).then_some(())
    });
    // It is asked before, and says what is lost.
    world.control(&agent, "busy 600000");
    eventually("it is busy", || {
        (parsed(&world.ok(&["agents", "--json"]))["agents"][0]["state"] == "busy").then_some(())
    });
    shows(&world, &pane, "▶1");
    press(&world, &pane, &["E"]);
    shows(&world, &pane, "End codex-1? codex-1 is not idle (busy): the turn and the draft are lost.");
    press(&world, &pane, &["n"]);
    shows(&world, &pane, "nothing was changed");
    press(&world, &pane, &["E"]);
    shows(&world, &pane, "End codex-1?");
    press(&world, &pane, &["y"]);
    shows(&world, &pane, "codex-1 has ended");
    press(&world, &pane, &["C"]);
    shows(&world, &pane, "Resume which agents");
    press(&world, &pane, &["Enter"]);
    shows(&world, &pane, "not known in which conversation codex-1 was");
}

#[test]
fn who_looks_at_an_agent_is_told_that_it_has_no_hooks_or_that_they_do_not_reach_it_and_what_repairs_that() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let pane = open(&world, 120, 30, "claude-1");
    let seen = shows(&world, &pane, "hooks: not installed");
    assert!(seen.contains("swarm hooks install claude"), "{seen}");
    // Esc closes what is open, and leaves nothing that nobody wants to leave.
    press(&world, &pane, &["p"]);
    shows(&world, &pane, " Esc back ");
    // A terminal may take two Escapes that come together for one.
    press(&world, &pane, &["Escape"]);
    shows(&world, &pane, " Enter go ");
    press(&world, &pane, &["Escape"]);
    shows(&world, &pane, "q leaves the dashboard");
    press(&world, &pane, &["q"]);
    shows(&world, &pane, "ended 0");
    world.ok(&["hooks", "install", "claude"]);
    world.below("claude-1", "echo '{}' | swarm hook claude Stop");
    let pane = open(&world, 120, 30, "mail goes by");
    // What is said of the hooks comes with the agent's screen, of which the lower part is shown.
    let of_agent = world.screen(&panes[0]);
    let row = of_agent.lines().map(str::trim).rfind(|row| row.chars().any(char::is_alphanumeric)).unwrap();
    let seen = shows(&world, &pane, row);
    assert!(!seen.contains("hooks:"), "{seen}");
}

#[test]
fn it_follows_changes_and_resizes_without_a_key() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let pane = open(&world, 80, 24, "no messages yet");
    world.ok(&["send", "claude-1", "hello there"]);
    shows(&world, &pane, "hello there");
    world.tmux(&["resize-window", "-t", &pane, "-x", "60", "-y", "15"]);
    eventually("the small window holds it all", || {
        let seen = world.screen(&pane);
        (seen.contains("claude-1") && seen.contains("4 Tasks") && seen.contains("? keys")).then_some(())
    });
    press(&world, &pane, &["2"]);
    shows(&world, &pane, "hello there");
    // The pane of the agent is seen from here.
    press(&world, &pane, &["1", "p"]);
    shows(&world, &pane, "claude-1 · claude");
    assert!(world.screen(&panes[0]).contains('❯'));
    shows(&world, &pane, "❯");
}

#[test]
fn going_to_an_agent_moves_the_persons_client_and_back() {
    let (world, panes) = World::with_agents(&["claude", "codex", "gemini"], &[]);
    world.control(&panes[1], "dialog");
    let pane = open(&world, 80, 24, "codex-1");
    let person = world.attach(100, 30);
    let looks_at = |wanted: &str| {
        eventually(&format!("the person looks at {wanted}"), || {
            (world.tmux(&["list-clients", "-F", "#{pane_id}"]) == wanted).then_some(())
        });
    };
    looks_at(&pane);
    shows(&world, &pane, "dialog");
    // The one that needs a person comes first.
    person.press(&["Home", "Enter"]);
    looks_at(&panes[1]);
    world.ok(&["jump", "back"]);
    looks_at(&pane);
    world.ok(&["jump", "next"]);
    looks_at(&panes[1]);
    world.ok(&["jump", "gemini-1"]);
    looks_at(&panes[2]);
    let (code, why) = world.refused(&["jump", "nobody"]);
    assert!(code == 5 && why.contains("gemini-1"), "{code} {why}");
    world.control(&panes[1], "dialog-close");
    eventually("nobody needs a person", || {
        world.ok(&["agents"]);
        let out = world.swarm(&["jump", "next"]);
        String::from_utf8_lossy(&out.stderr).contains("no agent needs you").then_some(())
    });
}

#[test]
fn a_click_selects_and_what_is_copied_is_pasted_by_tmux() {
    let (world, _) = World::with_agents(&["claude", "codex"], &[]);
    world.tmux(&["set-option", "-g", "mouse", "on"]);
    let pane = open(&world, 80, 24, "codex-1");
    let person = world.attach(80, 25);
    eventually("the person sees it", || person.screen().contains("codex-1").then_some(()));
    let row = world.screen(&pane).lines().position(|line| line.contains("codex-1")).unwrap() + 1;
    // As a terminal reports it: the left button goes down and up in column 5.
    let report = |end: char| format!("\u{1b}[<0;5;{row}{end}");
    for bytes in [report('M'), report('m')] {
        let hex: Vec<String> = bytes.bytes().map(|byte| format!("{byte:02x}")).collect();
        person.press(&[&["-H"], &hex.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    }
    person.press(&["y"]);
    shows(&world, &pane, "copied: codex-1");
    assert_eq!(world.tmux(&["show-buffer"]), "codex-1");
}

#[test]
fn in_a_popup_going_to_an_agent_closes_it() {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    let directory = world.project().display().to_string();
    world.tmux(&[
        "bind-key",
        "-n",
        "F5",
        "display-popup",
        "-E",
        "-w",
        "90%",
        "-h",
        "90%",
        "-d",
        &directory,
        "swarm dashboard --popup",
    ]);
    let person = world.attach(100, 30);
    person.press(&["F5"]);
    eventually("the popup shows the dashboard", || person.screen().contains("no messages yet").then_some(()));
    person.press(&["Enter"]);
    eventually("the person looks at the agent", || {
        (world.tmux(&["list-clients", "-F", "#{pane_id}"]) == panes[0]).then_some(())
    });
    eventually("the popup is closed", || (!person.screen().contains("no messages yet")).then_some(()));
}

#[test]
fn the_terminal_is_clean_after_quit_and_after_a_signal() {
    let (world, _) = World::with_agents(&["claude"], &[]);
    let pane = open(&world, 80, 24, "claude-1");
    press(&world, &pane, &["q"]);
    let seen = shows(&world, &pane, "ended 0");
    assert!(!seen.contains("claude-1"), "{seen}");
    let alternate = |pane: &str| {
        world.tmux(&["display-message", "-p", "-t", pane, "#{alternate_on}#{cursor_flag}#{mouse_any_flag}"])
    };
    assert_eq!(alternate(&pane), "010");
    let pane = open(&world, 80, 24, "claude-1");
    // The cursor goes at the end of a frame.
    eventually("it has the whole terminal", || (alternate(&pane) == "101").then_some(()));
    let dir = world.path().display().to_string();
    let tty = world.tmux(&["display-message", "-p", "-t", &pane, "#{pane_tty}"]);
    let tty = tty.trim_start_matches("/dev/");
    let out = world.command("pkill").args(["-TERM", "-t", tty, "-f", "swarm dashboard$"]).output().unwrap();
    assert!(out.status.success(), "no dashboard on {tty} in {dir}");
    shows(&world, &pane, "ended 0");
    assert_eq!(alternate(&pane), "010");
    // The terminal echoes and reads lines again.
    press(&world, &pane, &["-l", "echo back-$((40+2))"]);
    press(&world, &pane, &["Enter"]);
    shows(&world, &pane, "back-42");
}

#[test]
fn it_ends_with_its_terminal() {
    let (world, _) = World::with_agents(&["claude"], &[]);
    let pane = open(&world, 80, 24, "claude-1");
    let tty = world.tmux(&["display-message", "-p", "-t", &pane, "#{pane_tty}"]);
    let tty = tty.trim_start_matches("/dev/");
    let out = world.command("pgrep").args(["-t", tty, "-f", "^swarm dashboard$"]).output().unwrap();
    let dashboard = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    assert!(!dashboard.is_empty());
    world.tmux(&["kill-pane", "-t", &pane]);
    eventually("the dashboard has ended", || {
        (!std::path::Path::new(&format!("/proc/{dashboard}")).exists()).then_some(())
    });
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let (world, _) = World::with_agents(&[], &[]);
    let (code, why) = world.refused(&["dashboard"]);
    assert_eq!(code, 2);
    assert!(why.contains("swarm status --json"), "{why}");
}

struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_log_is_filtered_and_followed_across_a_rotation() {
    let (world, _) = World::with_agents(&["claude"], &[]);
    world.ok(&["send", "--no-wait", "human", "one"]);
    let log = world.ok(&["log", "--event", "sent", "--json"]);
    assert_eq!(log.lines().count(), 1);
    assert_eq!(parsed(&log)["event"], "sent");
    assert_eq!(world.ok(&["log", "--event", "sent", "--agent", "nobody"]), "");
    assert!(world.ok(&["log", "-n", "0"]).contains("agent-new"));
    let mut command = world.command("swarm");
    let child =
        command.args(["log", "-f", "-n", "1", "--type", "sent"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut follower = Follower(child);
    let mut lines = BufReader::new(follower.0.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("sent"));
    let sent = |body: &str| {
        let told = parsed(&world.ok(&["send", "--json", "--no-wait", "human", body]));
        told["id"].as_str().unwrap().to_owned()
    };
    let before = sent("two");
    assert!(lines.next().unwrap().unwrap().contains(&before));
    // As the store does it at 10 MiB.
    let journal = world.state().join("journal.jsonl");
    std::fs::rename(&journal, world.state().join("journal.1.jsonl")).unwrap();
    let after = sent("three");
    assert!(lines.next().unwrap().unwrap().contains(&after));
}
