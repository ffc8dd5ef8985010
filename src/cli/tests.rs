//! Checks that every command has help, and that every example in it works.

use super::*;

/// All commands below `command`, with their words.
fn walk(words: &[String], command: &Command, each: &mut impl FnMut(&[String], &Command)) {
    each(words, command);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        walk(&[words, &[sub.get_name().to_owned()]].concat(), sub, each);
    }
}

/// The words of a command line, without the parts before and after a `|`, `<` or `>`.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![String::new()], 0, None);
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('|' | '<' | '>', None) if words[0].starts_with("swarm") => break,
            ('|', None) => (words, word) = (vec![String::new()], 0),
            (' ', None) if words[word].is_empty() => {}
            (' ', None) => {
                words.push(String::new());
                word += 1;
            }
            (c, _) => words[word].push(c),
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// The error and the advice for these arguments.
fn advice_on(program: &Command, args: &[&str]) -> (String, String) {
    let people = whole::<Swarm>();
    let all: Vec<&str> = [&[program.get_name()], args].concat();
    let mut error = program.clone().try_get_matches_from(all).unwrap_err();
    advice::correct(&people, &mut error);
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    (error.to_string(), advice::on(program, &people, &error, &args))
}

#[test]
fn wrong_arguments_are_answered_with_what_to_do() {
    let quotes = "the text must be one argument: put it into quotes";
    for (args, advice) in [
        (&["send", "claude-1", "hi", "there"][..], format!("{quotes}: swarm-msg send claude-1 'hi there'")),
        (
            &["reply", "k3f9", "it's", "done", "\u{1b}"],
            format!("{quotes}: swarm-msg reply k3f9 'it'\\''s done \\u{{1b}}'"),
        ),
        (&["send", "claude-1", "--ack", "hi", "there"], quotes.to_owned()),
        (&["send", "claude-1", "x", &"y".repeat(60)], quotes.to_owned()),
        (&["send", "claude-1", "hi", "--nope"], String::new()),
        (&["send"], "for example: swarm-msg send reviewer \"is the parser done?\"".to_owned()),
        (&["doctor"], "'doctor' is a command for people: swarm doctor".to_owned()),
        (&["dashboard", "--popup"], "'dashboard' is a command for people: swarm dashboard".to_owned()),
        // A command that is not for people, or an unknown one.
        (&["courier"], String::new()),
        (&["frobnicate"], String::new()),
        (&["inbx"], String::new()),
    ] {
        assert_eq!(advice_on(&whole::<SwarmMsg>(), args).1, advice, "{args:?}");
    }
    assert!(!advice_on(&whole::<SwarmMsg>(), &["doctor"]).0.contains("coord"));
    assert!(advice_on(&whole::<SwarmMsg>(), &["inbx"]).0.contains("'inbox'"));
    assert_eq!(advice_on(&whole::<Swarm>(), &["doctr"]).1, "");
    let coord = advice_on(&whole::<Swarm>(), &["coord", "add"]).1;
    assert!(
        coord.starts_with("for example: swarm-msg coord add ")
            || coord.starts_with("for example: swarm coord add "),
        "{coord}"
    );
}

#[test]
fn every_command_has_help_with_examples_that_parse() {
    let mut examples = 0;
    for program in [whole::<Swarm>(), whole::<SwarmMsg>()] {
        walk(&[program.get_name().to_owned()], &program, &mut |path, command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.len() > 10, "{path:?} does not say what it does");
            for arg in command.get_arguments().filter(|a| !a.is_hide_set() && a.get_id() != "help") {
                assert!(arg.get_help().is_some() || arg.get_id() == "version", "{path:?} {}", arg.get_id());
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let (head, rest) = help.split_once('\n').unwrap_or_default();
            assert!(matches!(head, "Example:" | "Examples:"), "{path:?} has no example: {help}");
            let lines: Vec<&str> = rest.lines().take_while(|line| line.starts_with("  ")).collect();
            assert_eq!(head == "Example:", lines.len() == 1, "{path:?}");
            for line in lines {
                let example = words(line);
                assert!(example[0] == "swarm" || example[0] == "swarm-msg", "{line}");
                // It is about this command, of either program.
                assert_eq!(example[1..].get(..path.len() - 1), Some(&path[1..]), "{line}");
                let program = if example[0] == "swarm" { whole::<Swarm>() } else { whole::<SwarmMsg>() };
                program.try_get_matches_from(&example).unwrap_or_else(|why| panic!("{line}: {why}"));
                examples += 1;
            }
        });
    }
    assert!(examples > 60, "{examples}");
}

#[test]
fn the_commands_are_consistent() {
    whole::<Swarm>().debug_assert();
    whole::<SwarmMsg>().debug_assert();
}

#[test]
fn an_agent_may_be_allowed_every_command_but_one_that_runs_others() {
    let program = whole::<SwarmMsg>();
    let all: Vec<&str> =
        program.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
    for name in all.iter().filter(|name| **name != "lock") {
        assert!(crate::core::hook::allow::VERBS.contains(name), "{name} has no rule in core/hook/allow.rs");
    }
    assert_eq!(all.len(), crate::core::hook::allow::VERBS.len() + 1, "lock, which runs a command, has none");
}
