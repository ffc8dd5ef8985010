//! A person answers the dialog of an agent from the dashboard: the one that they saw, once; and nobody else can.

use crate::support::mail::parsed;
use crate::support::servers::Stopped;
use crate::support::{World, eventually};
use std::io::Write;
use swarm::tmux::Server;
use swarm::tmux::pane::{Acted, PersonsKey};

/// Opens the dashboard in a tmux server of its own, and the dialog of claude-1 in it.
struct Dashboard<'w> {
    world: &'w World,
    socket: String,
}

impl<'w> Dashboard<'w> {
    fn open(world: &'w World, asked: &str) -> Self {
        let socket = world.path().join("other").display().to_string();
        let dashboard = Self { world, socket };
        dashboard.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "24",
            "sh -c 'echo $$ >pid; exec swarm dashboard'; exec sh",
        ]);
        dashboard.shows("dialog");
        dashboard.press(&["A"]);
        dashboard.shows("the next key goes to this dialog");
        dashboard.shows(asked);
        dashboard
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = self.world.command("tmux");
        let out = tmux.args(["-S", &self.socket]).args(args).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    fn shows(&self, text: &str) {
        eventually(text, || self.screen().contains(text).then_some(()));
    }

    /// Presses a key until it is taken: what has just appeared is not answered.
    fn answer(&self, key: &str) {
        let taken = format!("{key} was pressed in");
        eventually("the key is taken", || {
            // What was said of the last key goes with the next one.
            self.press(&["PageDown"]);
            self.shows("Esc leaves");
            self.press(&[key]);
            eventually("it is taken or refused", || {
                let seen = self.screen();
                (seen.contains("look again") || seen.contains(&taken)).then_some(())
            });
            self.screen().contains(&taken).then_some(())
        });
    }
}

impl Drop for Dashboard<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn asking(command: &str) -> (World, String) {
    let (world, panes) = World::with_agents(&["claude"], &[]);
    world.control(&panes[0], &format!("dialog {command}"));
    eventually("the dialog is seen", || world.ok(&["agents"]).contains("dialog").then_some(()));
    let pane = panes[0].clone();
    (world, pane)
}

#[test]
fn a_key_of_the_person_answers_the_dialog_once_and_is_journalled_as_theirs() {
    let (world, pane) = asking("rm -rf build");
    let dashboard = Dashboard::open(&world, "rm -rf build");
    dashboard.answer("Down");
    eventually("it has the key", || {
        world.events(&pane, "dialog-key").iter().any(|key| key.ends_with('B')).then_some(())
    });
    dashboard.answer("Enter");
    eventually("it is answered", || {
        (world.events(&pane, "dialog-answered") == ["rm -rf build"]).then_some(())
    });
    dashboard.shows("1 Agents");
    let log = world.ok(&["log", "-n", "0", "--json", "--event", "dialog-key", "--event", "dialog-answer"]);
    let entries: Vec<_> = log.lines().map(parsed).collect();
    let told: Vec<String> =
        entries.iter().map(|e| format!("{} {} {}", e["event"], e["key"], e["identity"])).collect();
    assert_eq!(
        told,
        [
            r#""dialog-key" "Down" "human""#,
            r#""dialog-answer" "Down" "human""#,
            r#""dialog-key" "Enter" "human""#,
            r#""dialog-answer" "Enter" "human""#
        ],
        "{log}"
    );
}

#[test]
fn a_dialog_that_has_changed_since_it_was_seen_gets_no_key() {
    let (world, pane) = asking("make test");
    let dashboard = Dashboard::open(&world, "make test");
    // The pane's first process is its shell: what tmux started itself, tmux lets go on.
    let pid = std::fs::read_to_string(world.project().join("pid")).unwrap().trim().parse().unwrap();
    {
        // While the dashboard sleeps the dialog changes, and the person presses what they meant for the earlier one.
        let _asleep = Stopped::new(pid);
        world.control(&pane, "dialog-close");
        world.control(&pane, "dialog rm -rf /srv");
        eventually("it asks something else", || world.screen(&pane).contains("rm -rf /srv").then_some(()));
        dashboard.press(&["Enter"]);
    }
    dashboard.shows("look again");
    assert_eq!(world.events(&pane, "dialog-answered"), [""; 0]);
    // Once it was seen, it can be answered.
    if dashboard.screen().contains("1 Agents") {
        dashboard.press(&["A"]);
    }
    dashboard.shows("rm -rf /srv");
    dashboard.answer("Enter");
    eventually("it is answered", || {
        (world.events(&pane, "dialog-answered") == ["rm -rf /srv"]).then_some(())
    });
}

#[test]
fn tmux_itself_presses_no_key_where_a_letter_of_the_screen_has_changed_since_the_look() {
    let (world, pane) = asking("make test-1; #{pid} (x,y) \"é\" $(id) [a-c]*?");
    let server = Server::new(&world.server_socket());
    let look = server.look(&pane).unwrap().unwrap();
    let enter = PersonsKey::Named("Enter");
    world.control(&pane, "dialog-close");
    world.control(&pane, "dialog make test-2; #{pid} (x,y) \"é\" $(id) [a-c]*?");
    eventually("it has changed", || world.screen(&pane).contains("make test-2").then_some(()));
    assert_eq!(server.press(&pane, &look, enter).unwrap(), Acted::Stale);
    let now = server.look(&pane).unwrap().unwrap();
    assert_ne!(now.screen.fingerprint(), look.screen.fingerprint());
    // Nor in a mode, nor where other panes get the same keys.
    world.tmux(&["copy-mode", "-t", &pane]);
    assert_eq!(server.press(&pane, &now, enter).unwrap(), Acted::Stale);
    world.tmux(&["send-keys", "-t", &pane, "-X", "cancel"]);
    world.tmux(&["set-option", "-w", "-t", &pane, "synchronize-panes", "on"]);
    assert_eq!(server.press(&pane, &now, enter).unwrap(), Acted::Stale);
    world.tmux(&["set-option", "-w", "-t", &pane, "synchronize-panes", "off"]);
    assert_eq!(world.events(&pane, "dialog-answered"), [""; 0]);
    assert_eq!(server.press(&pane, &now, PersonsKey::Letter('2')).unwrap(), Acted::Done);
    eventually("it has the letter", || {
        world.events(&pane, "dialog-key").contains(&"2".to_owned()).then_some(())
    });
    assert_eq!(server.press(&pane, &now, enter).unwrap(), Acted::Done);
    eventually("it is answered", || (world.events(&pane, "dialog-answered").len() == 1).then_some(()));
}

#[test]
fn a_server_that_does_not_answer_presses_nothing_later() {
    let (world, pane) = asking("make test");
    let dashboard = Dashboard::open(&world, "make test");
    {
        let _stopped = world.stop_server();
        // Until the last look of the dashboard has failed, the key is for the screen that stands there.
        dashboard.press(&["Enter"]);
        eventually("it is said", || {
            let seen = dashboard.screen();
            (seen.contains("does not answer") || seen.contains("look again")).then_some(())
        });
    }
    // The server has done all that was asked of it before this.
    world.tmux(&["display-message", "-p", ""]);
    assert_eq!(world.events(&pane, "dialog-answered"), [""; 0]);
    assert!(world.screen(&pane).contains("make test"));
}

#[test]
fn a_dashboard_below_an_agent_answers_nothing() {
    let (world, panes) = World::with_agents(&["claude", "codex"], &[]);
    let (fifo, shown) = (world.path().join("keys"), world.path().join("shown"));
    let script = format!(
        "mkfifo {0}; script -qfc 'stty cols 80 rows 24; exec swarm dashboard' {1} <{0} >/dev/null",
        fifo.display(),
        shown.display()
    );
    std::thread::scope(|scope| {
        scope.spawn(|| world.below("claude-1", &script));
        eventually("it waits for keys", || fifo.exists().then_some(()));
        let mut keys = std::fs::File::options().write(true).open(&fifo).unwrap();
        let mut press = |key: &str| keys.write_all(key.as_bytes()).unwrap();
        let shows = |text: &str| {
            let seen = std::fs::read(&shown).unwrap_or_default();
            String::from_utf8_lossy(&seen).contains(text).then_some(())
        };
        world.control(&panes[1], "dialog make test");
        eventually("the dialog is seen", || world.ok(&["agents"]).contains("dialog").then_some(()));
        eventually("the dashboard shows the agent's state", || shows("dialog"));
        // The one that was there first is selected.
        press("1kA");
        // Only the cells that change are written: a word of it is written whole.
        eventually("the dialog is open there", || shows("digit"));
        assert!(shows("human").is_none());
        eventually("it is refused", || {
            press("y");
            shows("human")
        });
        press("\u{1b}");
        eventually("it is left", || {
            press("q");
            shows("\u{1b}[?1049l")
        });
    });
    assert_eq!(world.events(&panes[1], "dialog-key"), [""; 0]);
    assert!(!world.ok(&["log", "-n", "0"]).contains("dialog-key"));
}
