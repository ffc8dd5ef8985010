//! What one expects of any command: completions, manual pages, colours only where they are wanted.

use crate::support::snapshot::assert_snapshot;
use crate::support::{World, eventually, world_with_claude};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use swarm::core::refusal::Exit;

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
}

#[test]
fn bash_completes_commands_and_options_of_both_programs() {
    let world = World::new();
    fs::write(world.path().join("swarm.bash"), world.ok(&["completions", "bash"])).unwrap();
    let bash = |script: &str| {
        let out =
            world.command("bash").args(["--norc", "-c", script]).current_dir(world.path()).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    bash("bash -n swarm.bash");
    for (program, words, wanted) in [
        ("swarm", "swarm disc", "discover"),
        ("swarm", "swarm coord sh", "show"),
        ("swarm", "swarm hooks install --us", "--user"),
        ("swarm-msg", "swarm-msg onl", ""),
        ("swarm-msg", "swarm-msg inb", "inbox"),
        ("swarm-msg", "swarm-msg lock --shar", "--shared"),
        ("swarm-msg", "swarm-msg coord sh", "show"),
    ] {
        let (before, word) = words.rsplit_once(' ').unwrap();
        let previous = before.rsplit(' ').next().unwrap();
        let function = format!("_{}", program.replace('-', ""));
        let said = bash(&format!(
            ". ./swarm.bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); {function} {program} {word} {previous}; echo \"${{COMPREPLY[*]}}\""
        ));
        assert_eq!(said.trim(), wanted, "{words}");
    }
    // Both are registered for their programs.
    let registered = bash(". ./swarm.bash; complete -p swarm swarm-msg");
    assert_eq!(registered.matches("-F _swarm_names ").count(), 2, "{registered}");
}

#[test]
fn each_shell_completes_the_names_of_agents_and_groups() {
    let (world, _pane) = world_with_claude();
    world.ok(&["group", "add", "api", "claude-1"]);
    assert_eq!(world.ok(&["who", "--names"]), "claude-1\n@api\n@all\n");
    let run = |shell: &str, script: &str| {
        let out = world.command(shell).args(["-c", script]).current_dir(world.project()).output().unwrap();
        assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for shell in ["bash", "fish"] {
        fs::write(world.project().join(shell), world.ok(&["completions", shell])).unwrap();
    }
    // As bash divides the words: @ is one of its own.
    for (words, wanted) in [
        ("swarm send ''", "claude-1 @api @all"),
        ("swarm send cl", "claude-1"),
        ("swarm-msg send @", "api all"),
        ("swarm-msg send @ a", "api all"),
        ("swarm-msg send @ ap", "api"),
        ("swarm send claude-1,@a", "claude-1,@api claude-1,@all"),
        ("swarm resend abcd --to cl", "claude-1"),
        ("swarm group add web cl", "claude-1"),
        ("swarm end cl", "claude-1"),
        ("swarm send claude-1 ''", "-t"),
        ("swarm send --no", "--no-wait"),
        ("swarm hooks install --us", "--user"),
        ("swarm-msg inb", "inbox"),
    ] {
        let (before, word) = words.rsplit_once(' ').unwrap();
        let (program, previous) = (before.split(' ').next().unwrap(), before.rsplit(' ').next().unwrap());
        let said = run(
            "bash",
            &format!(
                ". ./bash; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _swarm_names {program} {word} {previous}; echo \"${{COMPREPLY[*]}}\""
            ),
        );
        let fits = if wanted == "-t" { !said.contains("claude-1") } else { said == wanted };
        assert!(fits, "{words}: {said}");
    }
    if has("fish") {
        for (line, wanted) in [
            ("swarm send cl", "claude-1"),
            ("swarm-msg send @ap", "@api"),
            ("swarm-msg send claude-1,@ap", "claude-1,@api"),
            ("swarm disc", "discover"),
        ] {
            let said = run(
                "fish",
                &format!("source ./fish; complete -C '{line}' | string replace -r '\\t.*' ''; true"),
            );
            assert_eq!(said, wanted, "{line}");
        }
    }
}

#[test]
fn zsh_and_fish_get_completions_that_they_can_read() {
    let world = World::new();
    for (shell, mark) in [("zsh", "#compdef swarm\n"), ("fish", "complete -c swarm-msg ")] {
        let script = world.ok(&["completions", shell]);
        assert!(script.contains(mark) && script.contains("discover"), "{script}");
        let path = world.path().join(shell);
        fs::write(&path, script).unwrap();
        // Where that shell is installed.
        if has(shell) {
            let out = world.command(shell).arg("-n").arg(&path).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        }
    }
    let (code, said) = world.refused(&["completions", "tcsh"]);
    assert!(code == 2 && said.contains("bash, zsh, fish"), "{said}");
}

#[test]
fn every_command_has_a_manual_page_with_something_in_it() {
    let world = World::new();
    let page = world.ok(&["man"]);
    assert!(page.contains(".TH swarm 1") && page.contains("Exit codes"), "{page}");
    let dir = world.path().join("share/man1");
    world.ok(&["man", dir.to_str().unwrap()]);
    let mut pages: Vec<String> =
        fs::read_dir(&dir).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    pages.sort();
    for wanted in [
        "swarm.1",
        "swarm-msg.1",
        "swarm-discover.1",
        "swarm-msg-send.1",
        "swarm-coord-add.1",
        "swarm-hooks-install.1",
    ] {
        assert!(pages.iter().any(|page| page == wanted), "{wanted}: {pages:?}");
    }
    // Nobody types these.
    assert!(!pages.iter().any(|page| page == "swarm-hook.1" || page == "swarm-courier.1"), "{pages:?}");
    for page in &pages {
        let text = fs::read_to_string(dir.join(page)).unwrap();
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION"] {
            assert!(text.contains(part), "{page} has no {part}: {text}");
        }
        assert!(text.contains("Example"), "{page}: {text}");
    }
}

#[test]
fn colours_are_for_terminals_and_for_those_who_insist() {
    let world = World::new();
    for args in [&["--help"][..], &["send", "--help"], &["send", "--nonsense"]] {
        let colours = |variables: &[(&str, &str)]| {
            let out = world.command("swarm").args(args).envs(variables.iter().copied()).output().unwrap();
            let text = [out.stdout, out.stderr].concat();
            assert!(!text.is_empty());
            text.contains(&0x1b)
        };
        assert!(!colours(&[]), "{args:?} into a pipe");
        assert!(colours(&[("CLICOLOR_FORCE", "1")]), "{args:?}");
        assert!(!colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), "{args:?}");
    }
}

#[test]
fn a_terminal_gets_colours_unless_it_says_no() {
    let world = World::new();
    world.start();
    for (variable, coloured) in [("NO_COLOR=", true), ("NO_COLOR=1", false), ("TERM=dumb", false)] {
        let command = format!("env {variable} swarm whoami --help; echo end; exec sleep 1000");
        let pane = world.tmux(&["new-window", "-d", "-P", "-F", "#{pane_id}", &command]);
        let shown = eventually("the help is shown", || {
            let shown = world.tmux(&["capture-pane", "-p", "-e", "-t", &pane]);
            shown.contains("end").then_some(shown)
        });
        assert!(shown.contains("swarm whoami"), "{shown}");
        assert_eq!(shown.contains('\u{1b}'), coloured, "{variable}: {shown}");
    }
}

#[test]
fn the_reference_names_every_command() {
    let world = World::new();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let reference = fs::read_to_string(path).unwrap();
    let help = world.ok(&["--help"]);
    let listed = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = listed
        .lines()
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert!(commands.len() > 25 && commands.contains(&"doctor"), "{commands:?}");
    for command in commands.into_iter().filter(|c| *c != "help") {
        let named = [format!("`{command}`"), format!("`{command} ")];
        assert!(named.iter().any(|n| reference.contains(n.as_str())), "docs/reference.md lacks {command}");
    }
}

fn repository(file: &str) -> String {
    fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn no_dependency_asks_for_a_newer_rust_than_is_stated() {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let about = String::from_utf8(rustc.stdout).unwrap();
    let host = about.lines().find_map(|l| l.strip_prefix("host: ")).unwrap();
    // For this platform, so that nothing has to be downloaded that the build did not need.
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let version = |text: &str| -> Vec<u32> { text.split('.').map(|n| n.parse().unwrap()).take(2).collect() };
    let packages = metadata["packages"].as_array().unwrap();
    let least = |name: &str| {
        packages.iter().find(|p| p["name"] == name).and_then(|p| p["rust_version"].as_str()).map(version)
    };
    let stated = least("tmux-swarm").unwrap();
    for package in packages {
        let asked = package["rust_version"].as_str().map(version).unwrap_or_default();
        assert!(asked <= stated, "{} {} asks for Rust {asked:?}", package["name"], package["version"]);
    }
    let words = format!("Rust {}.{} or newer", stated[0], stated[1]);
    for file in ["README.md", "CONTRIBUTING.md"] {
        let said = repository(file).replace("Rust toolchain (", "Rust ");
        assert!(said.contains(&words), "{file} does not say '{words}'");
    }
}

#[test]
fn continuous_integration_runs_the_commands_of_the_readme() {
    let readme = repository("README.md");
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let commands: Vec<&str> = block.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert_eq!(commands.len(), 2, "{block}");
    let ci = repository(".ci/run");
    for command in commands {
        assert!(ci.lines().any(|l| l == format!("run {command}")), "{command} is not run by .ci/run");
    }
    assert!(repository(".github/workflows/ci.yml").contains("- run: .ci/run"));
}

#[test]
fn the_reference_lists_every_event_of_the_journal() {
    let table = swarm::core::event::markdown();
    assert!(repository("docs/reference.md").contains(&table), "docs/reference.md lacks:\n{table}");
}

#[test]
fn the_exit_codes_are_the_same_in_help_and_in_every_document() {
    let codes = Exit::line();
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for name in ["README.md", "docs/troubleshooting.md"] {
        let text = plain(&repository(name));
        assert!(text.contains(&codes.replace(", ", " · ")), "{name}");
    }
    let table = Exit::markdown();
    assert!(repository("docs/reference.md").contains(&table), "docs/reference.md lacks:\n{table}");
    for program in [env!("CARGO_BIN_EXE_swarm"), env!("CARGO_BIN_EXE_swarm-msg")] {
        let out = std::process::Command::new(program).arg("--help").output().unwrap();
        assert!(plain(&String::from_utf8_lossy(&out.stdout)).contains(&codes), "{program}");
    }
}

/// The help of `program words`, and of all commands below it.
fn help(world: &World, program: &str, words: &[&str], text: &mut String) {
    let out = world.command(program).args(words).arg("--help").output().unwrap();
    let shown = String::from_utf8(out.stdout).unwrap();
    text.push_str(&format!("==== {program} {}\n{shown}\n", words.join(" ")));
    let listed = shown.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    for line in listed.unwrap_or_default().lines().filter(|l| !l.starts_with("   ")) {
        let command = line.split_whitespace().next().unwrap();
        if command != "help" {
            help(world, program, &[words, &[command]].concat(), text);
        }
    }
}

/// What differs between two runs, by its kind: places, ids, ages, what an agent does.
fn settled(world: &World, text: &str) -> String {
    let place = regex::Regex::new(&regex::escape(world.path().to_str().unwrap())).unwrap();
    let mut text = place.replace_all(text, "/world").into_owned();
    for (pattern, name) in [
        (r"\(?process \d+\)?", "process PID"),
        (r"(?m)^((?:\S+ +){5}\d+[smhd]) +\d+  ", "${1} PID  "),
        (r" +\d+[smhd]\b", " TIME"),
        (r"\b(busy|idle)\b", "STATE"),
        (r"[0-9a-f]{16}", "PROJECT"),
        (r"\b\d+(\.\d+)? [kMGT]i?B\b", "SIZE"),
        (r"tmux-\d+", "tmux-UID"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    text
}

#[test]
fn every_help_text_is_the_one_that_was_read() {
    let world = World::new();
    let mut text = String::new();
    help(&world, "swarm", &[], &mut text);
    assert_snapshot("help-swarm.txt", &text);
    text.clear();
    help(&world, "swarm-msg", &[], &mut text);
    let top = text.split("\n==== ").next().unwrap();
    assert_snapshot("help-swarm-msg.txt", top);
}

#[test]
fn the_report_of_a_broken_project_is_the_one_that_was_read() {
    let world = World::new();
    world.ok(&["init"]);
    let state = world.state();
    fs::set_permissions(state.join("PROJECT"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(world.project().join(".swarm.toml"), "[lease]\nttl = \"never\"\n").unwrap();
    fs::create_dir_all(state.join("leases")).unwrap();
    fs::create_dir_all(state.join("quarantine")).unwrap();
    for damaged in ["leases/1.json", "quarantine/1.json"] {
        fs::write(state.join(damaged), "{}").unwrap();
        fs::set_permissions(state.join(damaged), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let out = world.swarm(&["doctor"]);
    assert_eq!(out.status.code(), Some(1));
    let text = settled(&world, &String::from_utf8(out.stdout).unwrap());
    // These are about the machine.
    let of_machine =
        |line: &&str| ["  tmux  ", "  space  ", "  volume  "].iter().any(|name| line.contains(name));
    let lines: Vec<&str> = text.lines().filter(|line| !of_machine(line)).collect();
    assert_snapshot("doctor-broken.txt", &lines.join("\n"));
}

#[test]
fn the_tables_of_a_team_are_the_ones_that_were_read() {
    let (world, _) = world_with_claude();
    world.agent("codex", &[]);
    world.ok(&["discover", "--quiet"]);
    world.ok(&["lock", "src/parser.rs", "docs/", "--reason", "the new syntax"]);
    world.below("claude-1", "swarm-msg lock 'tests/**' --shared; swarm-msg lock docs/ --wait 10m");
    let mut text = String::new();
    for args in [&["agents"][..], &["who"], &["who", "src/parser.rs"], &["locks"]] {
        text.push_str(&format!("$ swarm {}\n{}\n", args.join(" "), world.ok(args)));
    }
    let (code, told) = world.refused(&["lock", "tests/x.rs"]);
    text.push_str(&format!("$ swarm lock tests/x.rs\n(ends with {code}) {told}"));
    assert_snapshot("tables.txt", &settled(&world, &text));
}

/// What a command is given after its words where it needs something.
const GIVEN: [(&str, &[&str]); 28] = [
    ("ack", &["zzzz"]),
    ("config get", &["no.such.key"]),
    ("coord add", &["no section", "x"]),
    ("coord done", &["no section", "x"]),
    ("coord get", &["no section"]),
    ("coord set", &["no section", "x"]),
    ("end", &["nobody"]),
    ("explain", &["%99"]),
    ("handover", &["zzzz", "nobody"]),
    ("lock", &["../../outside"]),
    ("name", &["nobody", "other"]),
    ("profile check", &["nokind", "/nowhere"]),
    ("profile lint", &["/nowhere"]),
    ("read", &["zzzz"]),
    ("register", &["%99"]),
    ("release", &["zzzz"]),
    ("renew", &["../../outside"]),
    ("reply", &["zzzz", "x"]),
    ("resend", &["zzzz"]),
    ("resume", &["nobody"]),
    ("send", &["nobody", "x"]),
    ("show", &["zzzz"]),
    ("start", &["nokind"]),
    ("status", &["zzzz"]),
    ("unlock", &["../../outside"]),
    ("verify", &["[swarm zzzzzzzz INFO from a to b sig:00000000] x"]),
    ("wait", &["--idle", "nobody", "--timeout", "1"]),
    ("who", &["../../outside"]),
];

#[test]
fn whoever_asks_for_json_gets_one_object_also_for_an_error_with_the_exit_code_of_the_command() {
    let world = World::new();
    let elsewhere = world.path().join("bin");
    let mut text = String::new();
    help(&world, "swarm", &[], &mut text);
    world.ok(&["init"]);
    let mut tried = 0;
    for part in text.split("==== swarm ").skip(1) {
        let (command, help) = part.split_once('\n').unwrap();
        let is_group = help.contains("\nCommands:\n");
        // These two print a line for each of what may be nothing.
        if !help.contains("--json") || is_group || ["events", "log"].contains(&command) {
            continue;
        }
        let given = GIVEN.iter().find(|(of, _)| *of == command).map_or(&[][..], |(_, given)| given);
        let words: Vec<&str> = command.split(' ').collect();
        for (dir, more) in [
            (world.project(), &["--no-such-option"][..]),
            (world.project(), given),
            (elsewhere.clone(), given),
        ] {
            let args = [&words[..], &["--json"], more].concat();
            let out = world.run_in(&dir, &args);
            let code = out.status.code().unwrap();
            let said = String::from_utf8(out.stdout).unwrap();
            let object: serde_json::Value = serde_json::from_str(&said)
                .unwrap_or_else(|why| panic!("{args:?} in {}: {why}: {said:?}", dir.display()));
            assert_eq!(object["version"], 1, "{args:?}: {said}");
            if more.contains(&"--no-such-option") {
                assert_eq!(code, 2, "{args:?}: {said}");
            }
            if let Some(exit) = object.get("exit") {
                assert!(object["error"].is_string() && exit == code && code != 0, "{args:?} {code}: {said}");
            }
            tried += 1;
        }
    }
    assert!(tried >= 90, "{tried}");
}
