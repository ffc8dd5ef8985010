//! Advice about wrong arguments that the parser alone cannot give: a text without quotes, a command of the other
//! program, and an example of an incomplete command.

use crate::core::escape;
use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The longest text that is repeated to show how to quote it.
const LONGEST: usize = 60;

/// Removes a wrong guess of the parser: a command of the other program is not a misspelt command of this one.
pub(super) fn correct(people: &Command, error: &mut Error) {
    if of_people(people, error).is_some() {
        error.remove(ContextKind::SuggestedSubcommand);
    }
}

/// The advice, on one line; empty if the parser has said everything. `program` is the whole command line of the
/// program that was called with `args`, `people` that of `swarm`.
pub(super) fn on(program: &Command, people: &Command, error: &Error, args: &[String]) -> String {
    let (path, command) = called(program, args);
    let known = of_people(people, error).filter(|_| program.get_name() != people.get_name());
    match error.kind() {
        ErrorKind::InvalidSubcommand => known
            .map(|name| format!("'{name}' is a command for people: {} {name}", people.get_name()))
            .unwrap_or_default(),
        ErrorKind::UnknownArgument if matches!(command.get_name(), "send" | "reply") && is_text(error) => {
            unquoted(&path, &args[path.len() - 1..])
        }
        ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand => {
            example(command).replacen("swarm-msg ", &format!("{} ", program.get_name()), 1)
        }
        _ => String::new(),
    }
}

/// The command that was not found, if it is a documented command of `swarm`.
fn of_people<'a>(people: &'a Command, error: &Error) -> Option<&'a str> {
    let Some(ContextValue::String(asked)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    Some(people.find_subcommand(asked).filter(|command| !command.is_hide_set())?.get_name())
}

/// The command that these arguments call, and its words.
fn called<'a>(program: &'a Command, args: &'a [String]) -> (Vec<&'a str>, &'a Command) {
    let (mut path, mut command) = (vec![program.get_name()], program);
    for arg in args {
        let Some(next) = command.find_subcommand(arg) else { break };
        path.push(arg);
        command = next;
    }
    (path, command)
}

/// Whether the superfluous argument looks like a word of a text.
fn is_text(error: &Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(arg)) if !arg.starts_with('-'))
}

/// The command with the text as one argument.
fn unquoted(path: &[&str], args: &[String]) -> String {
    let ask = "the text must be one argument: put it into quotes";
    match args {
        [to, text @ ..] if args.iter().all(|arg| !arg.starts_with('-')) => {
            let text = text.join(" ");
            if text.chars().count() > LONGEST {
                return ask.to_owned();
            }
            format!("{ask}: {} {} {}", path.join(" "), escape::line(to), escape::word(&text))
        }
        _ => ask.to_owned(),
    }
}

/// The first example of a command's help.
fn example(command: &Command) -> String {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let line = help.lines().find(|line| line.starts_with("  "));
    line.map(|line| format!("for example: {}", line.trim())).unwrap_or_default()
}
