//! The menu, the key table and the popups, as somebody at a terminal sees them.

use super::lab::Lab;
use std::fs;
use swarm::core::badge::Counts;

#[test]
fn the_menu_runs_the_program_where_the_pane_is() {
    let lab = Lab::built();
    let place = lab.base().join("my \"pro'ject\" #{pid} $(id); x");
    fs::create_dir(&place).unwrap();
    lab.start();
    lab.tmux(&["new-window", "-c", &place.to_str().unwrap().replace('#', "##"), "cat"]);
    lab.load();
    lab.attach();
    for (key, args) in TOLD {
        lab.press("C-b");
        lab.press("S");
        lab.sees("Discover agents here");
        lab.press(key);
        lab.sees(&format!("stub {args}"));
        let line = format!("{args}|{}|tmux", place.display());
        assert!(lab.log().lines().any(|seen| seen == line), "{line} in {}", lab.log());
        lab.sees("any key closes this");
        lab.press("x");
        lab.until("the popup closes", || !lab.screen().contains("any key closes this"));
    }
    // Going somewhere closes the popup at once.
    for (key, args) in
        [("Space", "dashboard --popup --client "), ("n", "jump next --client "), ("-", "jump back --client ")]
    {
        lab.press("C-b");
        lab.press("S");
        lab.sees("Discover agents here");
        lab.press(key);
        let client = lab.tmux(&["list-clients", "-F", "#{client_name}"]);
        let line = format!("{args}{}|", client.trim());
        lab.until(&line, || lab.log().contains(&line));
        lab.until("the popup closes", || !lab.screen().contains('┌'));
    }
}

/// Entries that show what the program prints.
const TOLD: [(&str, &str); 7] = [
    ("w", "digest"),
    ("d", "discover --init"),
    ("l", "locks"),
    ("g", "log -n 200"),
    ("o", "onboard"),
    ("t", "team"),
    ("D", "doctor"),
];

#[test]
fn the_key_table_does_what_the_menu_does() {
    let lab = Lab::built();
    lab.start();
    lab.tmux(&["set-option", "-g", "@swarm-menu", "off"]);
    lab.load();
    lab.attach();
    for (key, args) in TOLD {
        lab.press("C-b");
        lab.press("S");
        lab.until("the table is entered", || {
            lab.tmux(&["list-clients", "-F", "#{client_key_table}"]).contains("swarm")
        });
        lab.press(key);
        lab.sees(&format!("stub {args}"));
        lab.sees("any key closes this");
        lab.press("x");
        lab.until("the popup closes", || !lab.screen().contains("any key closes this"));
    }
    assert!(!lab.screen().contains("Dashboard"), "no menu");
    let notes = lab.tmux(&["list-keys", "-N", "-T", "swarm"]);
    for line in actions().lines().filter(|l| *l != "--") {
        let label = line.splitn(3, ' ').nth(2).unwrap();
        assert!(notes.contains(&format!("swarm: {label}")), "{label} in {notes}");
    }
}

/// The table of actions without its comments.
fn actions() -> String {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin/actions")).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect()
}

#[test]
fn a_key_of_the_users_in_the_table_is_left_alone() {
    let lab = Lab::built();
    lab.start();
    lab.tmux(&["bind-key", "-T", "swarm", "l", "display-message", "mine"]);
    lab.tmux(&["bind-key", "-T", "swarm", "?", "display-message", "mine, too"]);
    let mine = |key: &str| lab.tmux(&["list-keys", "-T", "swarm", key]);
    lab.load();
    lab.load();
    assert!(
        mine("l").contains("mine") && mine("?").contains("mine, too"),
        "{}",
        lab.tmux(&["list-keys", "-T", "swarm"])
    );
    lab.attach();
    lab.sees("l in the key table swarm is yours and was left alone");
    lab.run("plugin/unload.sh");
    let left = lab.tmux(&["list-keys", "-T", "swarm"]);
    assert_eq!(left.lines().count(), 2, "{left}");
}

#[test]
fn what_is_about_an_agent_is_about_the_one_in_this_pane() {
    let lab = Lab::built();
    lab.start();
    let pane = lab.tmux(&["display-message", "-p", "#{pane_id}"]).trim().to_owned();
    lab.tmux(&["set-option", "-p", "-t", &pane, "@swarm_agent", "claude-1"]);
    lab.load();
    lab.attach();
    let menu = |key: &str| {
        lab.press("C-b");
        lab.press("S");
        lab.sees("Discover agents here");
        lab.press(key);
    };
    let close = || {
        lab.sees("any key closes this");
        lab.press("x");
        lab.until("the popup closes", || !lab.screen().contains("any key closes this"));
    };
    // Where something is written, and the list, the program takes over.
    for (key, args) in [
        ("i", format!("inbox --open --pane {pane}|")),
        ("m", format!("write --pane {pane}|")),
        ("M", format!("write --pane {pane} --all|")),
        ("r", format!("write --pane {pane} --rename|")),
        ("s", format!("crew --pane {pane}|")),
        ("?", "menu ".to_owned()),
    ] {
        menu(key);
        lab.until(&args, || lab.log().contains(&args));
        lab.until("the popup closes", || !lab.screen().contains('┌'));
    }
    menu("e");
    close();
    assert!(lab.log().contains(&format!("explain {pane}|")), "{}", lab.log());
}

#[test]
fn the_tree_holds_only_the_panes_of_agents() {
    let lab = Lab::built();
    lab.start();
    lab.tmux(&["rename-window", "-t", "main", "just-a-shell"]);
    lab.tmux(&["new-window", "-d", "-n", "w2", "cat"]);
    lab.tmux(&[
        "set-option",
        "-p",
        "-t",
        "main:1",
        "@swarm_agent",
        "claude-1",
        ";",
        "set-option",
        "-p",
        "-t",
        "main:1",
        "@swarm_state",
        "dialog",
    ]);
    lab.load();
    lab.attach();
    lab.press("C-b");
    lab.press("S");
    lab.sees("Go to an agent");
    lab.press("a");
    lab.sees("claude-1 dialog");
    assert!(!lab.screen().contains("0: just-a-shell"), "{}", lab.screen());
    lab.press("End");
    lab.press("Enter");
    lab.until("the pane is shown", || lab.tmux(&["list-clients", "-F", "#{window_index}"]).trim() == "1");
}

#[test]
fn the_status_segment_shows_what_the_pane_bears() {
    let lab = Lab::built();
    lab.start();
    lab.tmux(&["set-option", "-g", "status-right", "#{E:@swarm-status}|"]);
    lab.load();
    lab.attach();
    assert!(!lab.screen().contains('▲'));
    let badge = "#{@swarm-icon-needs}1 #{@swarm-icon-busy}2 #{@swarm-icon-unread}3";
    lab.tmux(&["set-option", "-p", "@swarm_badge", badge]);
    lab.sees("▲1 ▶2 ✉3 |");
    lab.tmux(&[
        "set-option",
        "-g",
        "@swarm-icon-needs",
        "!",
        ";",
        "set-option",
        "-p",
        "@swarm_badge",
        &badge.replace('1', "4"),
    ]);
    lab.sees("!4 ▶2 ✉3 |");
}

/// The cells of a row as `capture-pane -e` prints it: character, colour, and colour behind it, as they were set; `None` is the
/// terminal's own.
fn cells(row: &str) -> Vec<(char, Option<u8>, Option<u8>)> {
    let (mut cells, mut fore, mut back) = (Vec::new(), None, None);
    let mut rest = row.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            cells.push((c, fore, back));
            continue;
        }
        let codes: String = rest.by_ref().skip(1).take_while(|c| *c != 'm').collect();
        let mut codes = codes.split(';').map(|code| code.parse::<u8>().unwrap_or_default());
        while let Some(code) = codes.next() {
            match code {
                0 => (fore, back) = (None, None),
                30..=37 => fore = Some(code - 30),
                40..=47 => back = Some(code - 40),
                38 => fore = codes.nth(1),
                48 => back = codes.nth(1),
                39 => fore = None,
                49 => back = None,
                _ => {}
            }
        }
    }
    cells
}

#[test]
fn the_counts_are_legible_on_the_default_status_line_and_leave_a_themes_colours() {
    let lab = Lab::built();
    lab.start();
    lab.load();
    lab.attach();
    let counts = Counts { needs: 1, busy: 2, idle: 3, other: 4, unread: 5, held: 6, overdue: 7 };
    lab.tmux(&["set-option", "-p", "@swarm_badge", &counts.badge(false)]);
    // tmux's own colours are black on green; a theme has its own, here only in its segment.
    for (before, own) in [("", (Some(0), Some(2))), ("#[fg=colour230,bg=colour53]", (Some(230), Some(53)))] {
        lab.tmux(&["set-option", "-g", "status-right", &format!("{before}<#{{E:@swarm-status}}>")]);
        lab.sees("<▲1 ▶2 ●3 ○4 ✉5 ◷6 ✗7 >");
        let screen = lab.tmux_on("outer", &["capture-pane", "-p", "-e"]);
        let row = cells(screen.lines().find(|line| line.contains('✗')).unwrap());
        let first = row.iter().position(|cell| cell.0 == '<').unwrap();
        let segment = &row[first..=row.iter().position(|cell| cell.0 == '>').unwrap()];
        for (c, fore, back) in segment {
            match c {
                '<' | '>' | ' ' | '▶' | '●' | '○' => {
                    assert_eq!((*fore, *back), own, "{c} in {before:?}: {segment:?}");
                }
                '▲' | '✗' => assert_eq!((*fore, *back), (Some(231), Some(160)), "{c} in {before:?}"),
                '✉' => assert_eq!((*fore, *back), (Some(0), Some(3)), "{c} in {before:?}"),
                _ => assert_ne!(fore, back, "{c} in {before:?}"),
            }
        }
    }
}

#[test]
fn own_bindings_find_the_program_by_an_option() {
    let lab = Lab::built();
    lab.start();
    lab.load();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plugin.md")).unwrap();
    let conf = lab.base().join("own.conf");
    let own: String = text.lines().filter(|l| l.starts_with("bind ")).map(|l| format!("{l}\n")).collect();
    assert_eq!(own.lines().count(), 3, "{own}");
    fs::write(&conf, own).unwrap();
    assert_eq!(lab.tmux(&["source-file", conf.to_str().unwrap()]), "");
    lab.attach();
    lab.press("C-b");
    lab.press("C-d");
    lab.until("the dashboard is opened", || lab.log().contains("dashboard --popup|"));
    // The popup has run its command and may still be there: it takes what is typed.
    lab.until("the next agent is gone to", || {
        lab.press("C-b");
        lab.press("C-n");
        std::thread::sleep(std::time::Duration::from_millis(100));
        lab.log().contains("jump next|")
    });
}

#[test]
fn the_documentation_lists_the_keys_and_options_as_they_are() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plugin.md")).unwrap();
    for line in actions().lines().filter(|l| *l != "--") {
        let mut words = line.splitn(3, ' ');
        let (key, label) = (words.next().unwrap(), words.nth(1).unwrap());
        assert!(text.contains(&format!("| `{key}` | {label} |")), "{line}");
    }
    let defaults = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin/defaults.conf")).unwrap();
    for line in defaults.lines().filter(|l| l.starts_with("set-option")) {
        let mut words = line.splitn(4, ' ').skip(2);
        let (name, value) = (words.next().unwrap(), words.next().unwrap().trim_matches('\''));
        assert!(
            text.contains(&format!("| `{name}` | `{value}` |"))
                || value.is_empty() && text.contains(&format!("| `{name}` | |")),
            "{line}"
        );
    }
}

#[test]
fn a_wrong_choice_of_the_program_is_named_with_what_to_do() {
    let lab = Lab::built();
    let (dir, plain) = (lab.base().join("a dir"), lab.base().join("plain"));
    fs::create_dir(&dir).unwrap();
    fs::write(&plain, "text").unwrap();
    crate::support::executable(lab.base().join("other"), "#!/bin/sh\necho hello\n");
    lab.start();
    lab.load();
    lab.attach();
    let full = |name: &str| lab.base().join(name).to_str().unwrap().to_owned();
    for (choice, why) in [
        (full("a dir"), "It is a directory."),
        (full("plain"), "not a program that you may run"),
        (full("nowhere"), "There is no such file."),
        ("bin/swarm".to_owned(), "It is not a full path."),
        (full("other"), "It runs, but it is not swarm."),
    ] {
        lab.tmux(&["set-option", "-g", "@swarm-bin", &choice]);
        lab.load();
        if why != "It runs, but it is not swarm." {
            lab.dismiss("@swarm-bin is not the full path of a program");
        }
        lab.press("C-b");
        lab.press("S");
        if why == "It runs, but it is not swarm." {
            lab.sees("Discover agents here");
            lab.press("l");
        }
        lab.sees("The option @swarm-bin names a wrong program");
        lab.sees(why);
        lab.sees("set -gu @swarm-bin");
        assert!(!lab.screen().contains("install it now"), "an installation would not help: {}", lab.screen());
        lab.press("x");
        lab.until("the popup closes", || !lab.screen().contains("any key closes this"));
    }
}
