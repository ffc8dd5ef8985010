//! Every command explains itself, and every example in its help is one that works.

use super::*;

/// All commands below `command`, with their words.
fn walk(words: &[String], command: &Command, each: &mut impl FnMut(&[String], &Command)) {
    each(words, command);
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        walk(&[words, &[sub.get_name().to_owned()]].concat(), sub, each);
    }
}

/// The words of a command line; what is before and behind a `|`, `<` or `>` is another's.
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
                // It is about this command, under whichever of the two programs.
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
