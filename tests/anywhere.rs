//! The plugin's keys in any pane, over all projects of a server, in terminals of any size, as somebody at one sees them.

use crate::support::{Terminal, World, eventually};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The default world of a person: two projects with an agent each, a stray agent, and a shell in a directory of none, which the
/// terminal shows. tmux was started with one project's root in its environment.
struct Desk {
    world: World,
    /// The panes of the agents: of the first project, of the second, of none.
    panes: [String; 3],
}

impl Desk {
    fn new() -> Self {
        let mut world = World::new();
        let root: &'static str = String::leak(world.project().to_str().unwrap().to_owned());
        world.set("SWARM_ROOT", root);
        for name in ["web", "stray"] {
            fs::create_dir(world.path().join(name)).unwrap();
        }
        world.start();
        let (web, stray) = (world.path().join("web"), world.path().join("stray"));
        let panes = [
            world.agent("claude", &[]),
            world.agent_in(&web, "codex", &[]),
            world.agent_in(&stray, "claude", &[]),
        ];
        let desk = Self { world, panes };
        for root in [desk.world.project(), web] {
            let out = desk.swarm(&root, &["discover", "--init", "--quiet"]);
            assert!(out.status.success(), "{out:?}");
        }
        desk.load();
        desk
    }

    fn web(&self) -> PathBuf {
        self.world.path().join("web")
    }

    /// Loads the plugin, with the program that is tested.
    fn load(&self) {
        let (world, plugin) = (&self.world, concat!(env!("CARGO_MANIFEST_DIR"), "/swarm.tmux"));
        let home = world.path().join("home");
        world.tmux(&["set-option", "-g", "@swarm-install", "off"]);
        world.tmux(&["set-option", "-g", "@swarm-bin", world.path().join("bin/swarm").to_str().unwrap()]);
        world.tmux(&["set-option", "-g", "assume-paste-time", "0"]);
        world.tmux(&["set-option", "-g", "@under-test", plugin]);
        world.tmux(&["run-shell", "#{q:@under-test}"]);
        world.tmux(&["new-window", "-n", "elsewhere", "-c", home.to_str().unwrap(), "exec cat"]);
    }

    /// The program in a directory, as a shell without a project in its environment runs it.
    fn swarm(&self, dir: &std::path::Path, args: &[&str]) -> std::process::Output {
        self.world.command("swarm").env_remove("SWARM_ROOT").current_dir(dir).args(args).output().unwrap()
    }

    /// What a pane of an agent got.
    fn typed(&self) -> String {
        self.panes.iter().map(|pane| self.world.screen(pane)).collect()
    }
}

/// Waits until the terminal shows what is `wanted`; gives its screen.
fn until(terminal: &Terminal<'_>, what: &str, mut wanted: impl FnMut(&str) -> bool) -> String {
    let mut seen = String::new();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually(what, || {
            seen = terminal.screen();
            wanted(&seen).then_some(())
        });
    }));
    assert!(found.is_ok(), "{what}: not on\n{seen}");
    seen
}

fn sees(terminal: &Terminal<'_>, text: &str) -> String {
    until(terminal, text, |seen| seen.contains(text))
}

/// Opens the menu and presses one of its keys.
fn menu(terminal: &Terminal<'_>, key: &str) {
    open_menu(terminal);
    terminal.press(&[key]);
}

/// Opens the menu. Where nothing opens, it presses the keys again, as a person does: once, on a busy machine, they were lost, and why is
/// not known.
fn open_menu(terminal: &Terminal<'_>) {
    let mut pressed: Option<Instant> = None;
    until(terminal, "the menu opens", |seen| {
        let is_open = seen.contains("Next agent that needs you");
        if !is_open && pressed.is_none_or(|at| at.elapsed() > Duration::from_secs(5)) {
            terminal.press(&["C-b"]);
            terminal.press(&["S"]);
            pressed = Some(Instant::now());
        }
        is_open
    });
}

/// Closes a popup and waits until it is gone.
fn close(terminal: &Terminal<'_>, key: &str) {
    terminal.press(&[key]);
    until(terminal, "the popup closes", |seen| !seen.contains('┌'));
}

#[test]
fn in_a_pane_of_no_project_the_keys_are_about_those_on_the_server_by_name() {
    let desk = Desk::new();
    let (world, web) = (&desk.world, desk.web());
    let sent = desk.swarm(&web, &["send", "--no-wait", "human", "only in web"]);
    assert!(sent.status.success());
    let terminal = world.attach(80, 24);
    menu(&terminal, "l");
    // Who has mail for the person comes first.
    let list = sees(&terminal, "of which project?");
    assert!(list.contains("1 web") && list.contains("2 project") && list.contains("1 unread"), "{list}");
    assert!(!list.contains("stray"), "{list}");
    terminal.press(&["1"]);
    let leases = sees(&terminal, "no leases");
    assert!(!leases.contains("swarm init"), "{leases}");
    close(&terminal, "x");
    menu(&terminal, "g");
    sees(&terminal, "of which project?");
    close(&terminal, "Escape");
    // The next agent that needs the person is found wherever it is.
    world.control(&desk.panes[1], "dialog");
    let status = || String::from_utf8(desk.swarm(&web, &["agents"]).stdout).unwrap();
    eventually("its dialog is seen", || status().contains("dialog").then_some(()));
    menu(&terminal, "n");
    let at = || world.tmux(&["display-message", "-p", "#{pane_id}"]);
    eventually("the pane is shown", || (at() == desk.panes[1]).then_some(()));
    sees(&terminal, "codex-1 in web");
    // In a pane of a project it is that one, whatever tmux has in its environment.
    open_menu(&terminal);
    terminal.press(&["Space"]);
    let shown = sees(&terminal, "codex-1");
    assert!(shown.contains("1 Agents") && !shown.contains("claude-1"), "{shown}");
    close(&terminal, "q");
}

#[test]
fn a_message_from_a_pane_of_no_project_goes_to_the_agent_that_is_chosen() {
    let desk = Desk::new();
    let (world, terminal) = (&desk.world, desk.world.attach(80, 24));
    menu(&terminal, "m");
    let list = sees(&terminal, "Write to which agent or group?");
    assert_eq!(list.matches("claude-1").count(), 1, "the stray one is of no project: {list}");
    let number = list.lines().find(|line| line.contains("codex-1")).unwrap();
    assert!(number.contains("web"), "{list}");
    let number = number.split("│").nth(1).unwrap().trim_start().chars().next().unwrap();
    terminal.press(&[&number.to_string()]);
    sees(&terminal, "Message to codex-1");
    // Alt-Enter is a new line, as the two bytes that a terminal sends for it; Enter sends.
    terminal.press(&["-l", "first"]);
    terminal.press(&["M-Enter"]);
    terminal.press(&["-l", "second"]);
    eventually("both lines stand there", || terminal.screen().contains("│ second").then_some(()));
    terminal.press(&["Enter"]);
    eventually("it is given to the agent", || {
        world.events(&desk.panes[1], "submitted").iter().any(|text| text.contains("first")).then_some(())
    });
    sees(&terminal, "any key closes this");
    close(&terminal, "x");
    // Escape leaves without a trace.
    menu(&terminal, "m");
    sees(&terminal, "Write to which agent or group?");
    terminal.press(&["1"]);
    sees(&terminal, "Enter sends");
    terminal.press(&["-l", "never"]);
    sees(&terminal, "never");
    close(&terminal, "Escape");
    // What is pasted without marks is one text, and not sent before Enter is pressed by itself.
    menu(&terminal, "M");
    sees(&terminal, "of which project?");
    terminal.press(&["1"]);
    sees(&terminal, "Message to @all");
    terminal.press(&["-l", "one\rtwo\rthree\r"]);
    sees(&terminal, "three");
    let journal = || fs::read_to_string(world.state().join("journal.jsonl")).unwrap();
    assert!(!journal().contains("\"sent\""), "{}", journal());
    close(&terminal, "Escape");
    assert!(!desk.typed().contains("never") && !desk.typed().contains("two"), "{}", desk.typed());
    assert!(!journal().contains("\"sent\""), "{}", journal());
}

#[test]
fn the_inbox_is_read_and_answered_on_the_spot_in_any_pane() {
    let desk = Desk::new();
    let world = &desk.world;
    let asked = "which port does the server take, and where is it written down? Tell me before you go on";
    world.below("claude-1", &format!("swarm-msg send --ack human '{asked}'"));
    assert!(desk.swarm(&desk.web(), &["send", "--no-wait", "human", "only in web"]).status.success());
    let terminal = world.attach(60, 15);
    menu(&terminal, "i");
    let list = sees(&terminal, "claude-1 in project");
    assert!(list.contains("human in web  only in web"), "{list}");
    // The newest is first; the older one is the agent's question.
    terminal.press(&["Down"]);
    terminal.press(&["Enter"]);
    let whole = sees(&terminal, "Tell me before you go on");
    assert!(whole.contains("wants ack") && whole.contains("r answer"), "{whole}");
    terminal.press(&["r"]);
    sees(&terminal, "Answer to");
    terminal.press(&["-l", "8080; see $(docs)"]);
    terminal.press(&["Enter"]);
    eventually("the answer is given", || {
        let given = world.events(&desk.panes[0], "submitted");
        given.iter().any(|text| text.contains("8080; see $(docs)")).then_some(())
    });
    until(&terminal, "the list is back", |seen| {
        seen.contains("only in web") && !seen.contains("claude-1 in")
    });
    close(&terminal, "q");
    let status = world.ok(&["inbox"]);
    assert!(status.contains("no unread messages"), "it was read, and by that alone: {status}");
}

#[test]
fn the_badge_shows_other_projects_by_name() {
    let desk = Desk::new();
    let world = &desk.world;
    world.tmux(&["set-option", "-g", "status-right", "<#{E:@swarm-status}>"]);
    world.tmux(&["set-option", "-g", "status-right-length", "80"]);
    let shown = |pane: &str| world.tmux(&["display-message", "-p", "-t", pane, "<#{T:@swarm-status}>"]);
    let plain = |pane: &str| {
        let text = shown(pane);
        let parts: Vec<&str> = text.split("#[").collect();
        let rest = parts.iter().skip(1).map(|part| part.split_once(']').map_or("", |(_, rest)| rest));
        format!("{}{}", parts[0], rest.collect::<String>())
    };
    // A pane of none shows all by name, one of a project that one.
    let none = &world.tmux(&["display-message", "-p", "-t", ":elsewhere", "#{pane_id}"]);
    eventually("both are named in a pane of none", || {
        let text = plain(none);
        (text.contains("project ●1") && text.contains("web ●1")).then_some(())
    });
    assert_eq!(plain(&desk.panes[0]), "<●1 >");
    // What calls the person is shown in the panes of other projects.
    assert!(desk.swarm(&desk.web(), &["send", "--no-wait", "human", "hello"]).status.success());
    eventually("the other project calls", || (plain(&desk.panes[0]) == "<●1 web ✉1 >").then_some(()));
    eventually("its own panes show it", || plain(&desk.panes[1]).starts_with("<●1 ✉1").then_some(()));
    assert!(!plain(&desk.panes[1]).contains("project"), "nothing calls there");
    // Of more than two others only those that need the person are named, and the rest is counted: the status line has no room for all.
    let counts = |needs: usize, unread: usize| {
        let style =
            |name: &str, n: usize| format!("#[#{{@swarm-style-{name}}}]#{{@swarm-icon-{name}}}{n}#[default]");
        let all = [("needs", needs), ("unread", unread)];
        all.iter().filter(|(_, n)| *n > 0).map(|(name, n)| style(name, *n)).collect::<Vec<_>>().join(" ")
    };
    let socket = world.tmux(&["display-message", "-p", "#{socket_path}"]);
    let server = swarm::tmux::Server::new(&socket);
    let call = |name: &str, needs: usize| {
        let (text, root) = (counts(needs, 3), format!("/{name}"));
        server.name_project(name, [&root, &text, &text], &swarm::core::badge::elsewhere(name, name)).unwrap();
    };
    for name in ["aa1", "bb2", "cc3"] {
        call(name, 0);
    }
    assert_eq!(plain(&desk.panes[0]), "<●1 +4 >");
    call("bb2", 1);
    assert_eq!(plain(&desk.panes[0]), "<●1 bb2 ▲1 ✉3 +3 >");
    for name in ["aa1", "cc3"] {
        call(name, 1);
    }
    assert_eq!(plain(&desk.panes[0]), "<●1 ▲3 projects +1 >");
    // All of it goes with swarm.
    assert!(desk.swarm(&desk.web(), &["uninstall", "--yes"]).status.success());
    world.ok(&["uninstall", "--yes"]);
    let left = world.tmux(&["show-options", "-s"]);
    assert!(!left.contains("@swarm_"), "{left}");
}

#[test]
fn outside_all_projects_a_command_names_those_on_the_server_and_advises_no_new_one() {
    let desk = Desk::new();
    let home = desk.world.path().join("home");
    for args in [&["inbox"][..], &["agents"], &["dashboard"], &["discover"], &["log"], &["locks"]] {
        let out = desk.swarm(&home, args);
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success() && !said.contains("swarm init"), "{args:?}: {said}");
    }
    let said = String::from_utf8(desk.swarm(&home, &["inbox"]).stderr).unwrap();
    assert!(said.contains(desk.world.project().to_str().unwrap()), "{said}");
    assert!(said.contains(desk.web().to_str().unwrap()) && !said.contains("stray"), "{said}");
    // A server that does not answer may have some.
    let stopped = desk.world.stop_server();
    let said = String::from_utf8(desk.swarm(&home, &["inbox"]).stderr).unwrap();
    assert!(said.contains("does not answer") && !said.contains("swarm init"), "{said}");
    drop(stopped);
    // Who says by the environment which project is meant, is taken at the word.
    assert!(desk.world.ok(&["agents"]).contains("claude-1"));
    // Where no project is on the server, to make one is the advice.
    let world = World::new();
    world.start();
    let (_, said) = world.refused(&["inbox"]);
    assert!(said.contains("run `swarm init` in the project"), "{said}");
}

#[test]
fn in_a_small_terminal_the_menu_is_a_list_and_no_key_reaches_an_agent() {
    let desk = Desk::new();
    let world = &desk.world;
    world.tmux(&["select-window", "-t", ":1"]);
    for (width, height) in [(80, 20), (60, 15), (38, 24), (38, 10)] {
        let terminal = world.attach(width, height);
        terminal.press(&["C-b"]);
        terminal.press(&["S"]);
        sees(&terminal, "Next agent that needs you");
        sees(&terminal, "Esc leaves");
        // A key that is none of the list's does nothing, neither there nor below.
        terminal.press(&["x"]);
        terminal.press(&["End"]);
        sees(&terminal, "Install the program");
        terminal.press(&["l"]);
        sees(&terminal, "any key closes this");
        close(&terminal, "x");
        let below = world.screen(&desk.panes[0]);
        assert!(below.lines().any(|row| row.trim() == "❯"), "its composer is empty: {below}");
    }
}
