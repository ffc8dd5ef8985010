//! The command line: `swarm` for people and the plugin, `swarm-msg` for agents.
//!
//! One file per command, with its arguments and its handler; the doc comment is the help. Expected outcomes end with
//! their documented exit code, everything else with 1. Only the answer goes to stdout.

mod ack;
mod advice;
mod agents;
mod away;
mod began;
mod completions;
mod compose;
mod config;
mod coord;
mod courier;
mod crew;
mod dashboard;
mod dead;
mod dialog;
mod digest;
mod discover;
mod doctor;
mod end;
mod events;
mod explain;
mod gc;
mod group;
mod guard;
mod handover;
mod here;
mod hook;
mod hooks;
mod inbox;
mod init;
mod jump;
mod launch;
mod lease;
mod lock;
mod locks;
mod log;
mod man;
mod menu;
mod name;
mod onboard;
mod page;
mod print;
mod profile;
mod read;
mod register;
mod release;
mod renew;
mod reply;
mod resend;
mod resume;
mod send;
mod session;
mod setup;
mod show;
mod start;
mod stats;
mod status;
mod stranger;
mod team;
mod under;
mod uninstall;
mod unlock;
mod verify;
mod wait;
mod who;
mod whoami;
mod write;

use crate::core::escape;
use crate::core::refusal::{Exit, Refusal};
use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use nix::sys::stat::{Mode, umask};
use std::process::ExitCode;

/// The end of both programs' help.
fn after_help(examples: &str) -> String {
    format!("Examples:\n{examples}\n\nExit codes: {}", Exit::line())
}

/// Let the coding agents in your tmux panes work together.
#[derive(Debug, Parser)]
#[command(name = "swarm", version = concat!(env!("CARGO_PKG_VERSION"), " (protocol 2)"), after_help = after_help("  swarm discover --init\n  swarm agents\n  swarm send claude-1 \"how is the parser?\""))]
struct Swarm {
    #[command(subcommand)]
    command: SwarmCommand,
}

/// Talk to the other agents (and the human) of this project.
#[derive(Debug, Parser)]
#[command(name = "swarm-msg", version = concat!(env!("CARGO_PKG_VERSION"), " (protocol 2)"), after_help = after_help("  swarm-msg who\n  swarm-msg send reviewer \"is the parser done?\"\n  swarm-msg lock src/parser.rs"))]
struct SwarmMsg {
    #[command(subcommand)]
    command: MessageCommand,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum SwarmCommand {
    Init(init::Args),
    Setup(setup::Args),
    Discover(discover::Args),
    Agents(agents::Args),
    Name(name::Args),
    Register(register::Args),
    Start(start::Args),
    Resume(resume::Args),
    End(end::Args),
    Group(group::Args),
    Explain(explain::Args),
    Gc(gc::Args),
    Doctor(doctor::Args),
    Stats(stats::Args),
    Digest(digest::Args),
    Log(log::Args),
    Events(events::Args),
    Dashboard(dashboard::Args),
    Jump(jump::Args),
    #[command(flatten)]
    Message(MessageCommand),
    Release(release::Args),
    Onboard(onboard::Args),
    Hooks(hooks::Args),
    Guard(guard::Args),
    Config(config::Args),
    Profile(profile::Args),
    Team(team::Args),
    Uninstall(uninstall::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    Hook(hook::Args),
    #[command(hide = true)]
    Courier(courier::Args),
    #[command(hide = true)]
    Crew(crew::Args),
    #[command(hide = true)]
    Here(here::Args),
    #[command(hide = true)]
    Menu(menu::Args),
    #[command(hide = true)]
    Page(page::Args),
    #[command(hide = true)]
    Write(write::Args),
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum MessageCommand {
    Send(send::Args),
    Reply(reply::Args),
    Ack(ack::Args),
    Resend(resend::Args),
    Handover(handover::Args),
    Inbox(inbox::Args),
    Read(read::Args),
    Show(show::Args),
    Status(status::Args),
    Dead(dead::Args),
    Wait(wait::Args),
    Who(who::Args),
    Whoami(whoami::Args),
    Verify(verify::Args),
    Lock(lock::Args),
    Unlock(unlock::Args),
    Renew(renew::Args),
    Locks(locks::Args),
    Coord(coord::Args),
}

/// Runs `swarm` with this process's arguments.
pub fn swarm() -> ExitCode {
    run::<Swarm>(|cli| match &cli.command {
        SwarmCommand::Init(args) => apart(init::run, args),
        SwarmCommand::Setup(args) => apart(setup::run, args),
        SwarmCommand::Discover(args) => apart(discover::run, args),
        SwarmCommand::Agents(args) => apart(agents::run, args),
        SwarmCommand::Name(args) => apart(name::run, args),
        SwarmCommand::Register(args) => apart(register::run, args),
        SwarmCommand::Start(args) => apart(start::run, args),
        SwarmCommand::Resume(args) => apart(resume::run, args),
        SwarmCommand::End(args) => apart(end::run, args),
        SwarmCommand::Group(args) => apart(group::run, args),
        SwarmCommand::Explain(args) => apart(explain::run, args),
        SwarmCommand::Gc(args) => apart(gc::run, args),
        SwarmCommand::Doctor(args) => apart(doctor::run, args),
        SwarmCommand::Stats(args) => apart(stats::run, args),
        SwarmCommand::Digest(args) => apart(digest::run, args),
        SwarmCommand::Log(args) => apart(log::run, args),
        SwarmCommand::Events(args) => apart(events::run, args),
        SwarmCommand::Dashboard(args) => apart(dashboard::run, args),
        SwarmCommand::Jump(args) => apart(jump::run, args),
        SwarmCommand::Message(command) => message(command),
        SwarmCommand::Release(args) => apart(release::run, args),
        SwarmCommand::Onboard(args) => apart(onboard::run, args),
        SwarmCommand::Hooks(args) => apart(hooks::run, args),
        SwarmCommand::Guard(args) => apart(guard::run, args),
        SwarmCommand::Config(args) => apart(config::run, args),
        SwarmCommand::Profile(args) => apart(profile::run, args),
        SwarmCommand::Team(args) => apart(team::run, args),
        SwarmCommand::Uninstall(args) => apart(uninstall::run, args),
        SwarmCommand::Completions(args) => apart(completions::run, args),
        SwarmCommand::Man(args) => apart(man::run, args),
        SwarmCommand::Hook(args) => {
            hook::run(args);
            Ok(())
        }
        SwarmCommand::Courier(args) => apart(courier::run, args),
        SwarmCommand::Crew(args) => apart(crew::run, args),
        SwarmCommand::Here(args) => apart(here::run, args),
        SwarmCommand::Menu(args) => apart(menu::run, args),
        SwarmCommand::Page(args) => apart(page::run, args),
        SwarmCommand::Write(args) => apart(write::run, args),
    })
}

#[cfg(feature = "team")]
pub use team::swarm_link;

/// Runs `swarm-msg` with this process's arguments.
pub fn swarm_msg() -> ExitCode {
    run::<SwarmMsg>(|cli| message(&cli.command))
}

fn message(command: &MessageCommand) -> Result<()> {
    match command {
        MessageCommand::Send(args) => apart(send::run, args),
        MessageCommand::Reply(args) => apart(reply::run, args),
        MessageCommand::Ack(args) => apart(ack::run, args),
        MessageCommand::Resend(args) => apart(resend::run, args),
        MessageCommand::Handover(args) => apart(handover::run, args),
        MessageCommand::Inbox(args) => apart(inbox::run, args),
        MessageCommand::Read(args) => apart(read::run, args),
        MessageCommand::Show(args) => apart(show::run, args),
        MessageCommand::Status(args) => apart(status::run, args),
        MessageCommand::Dead(args) => apart(dead::run, args),
        MessageCommand::Wait(args) => apart(wait::run, args),
        MessageCommand::Who(args) => apart(who::run, args),
        MessageCommand::Whoami(args) => apart(whoami::run, args),
        MessageCommand::Verify(args) => apart(verify::run, args),
        MessageCommand::Lock(args) => apart(lock::run, args),
        MessageCommand::Unlock(args) => apart(unlock::run, args),
        MessageCommand::Renew(args) => apart(renew::run, args),
        MessageCommand::Locks(args) => apart(locks::run, args),
        MessageCommand::Coord(args) => apart(coord::run, args),
    }
}

/// Runs a command as a function of its own. As parts of one function they would share its frame, and a place that is far up in a frame takes
/// longer instructions.
#[inline(never)]
fn apart<A>(command: fn(&A) -> Result<()>, args: &A) -> Result<()> {
    command(args)
}

fn run<C: CommandFactory + FromArgMatches>(handle: impl FnOnce(C) -> Result<()>) -> ExitCode {
    own_what_is_made();
    let parsed = match C::command().try_get_matches() {
        // The error about a wrong argument, and the help, may need every command.
        Err(error) if error.kind() != ErrorKind::DisplayVersion => whole::<C>().try_get_matches(),
        parsed => parsed,
    };
    let cli = match parsed.and_then(|matches| C::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return misused::<C>(error),
    };
    finish(handle(cli))
}

/// Reports how a command ended, in words and by its exit code.
fn finish(ended: Result<()>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if print::is_closed_pipe(&error) {
                return ExitCode::SUCCESS;
            }
            if let Some(ended) = error.downcast_ref::<under::Ended>() {
                return ExitCode::from(ended.0);
            }
            // Errors quote paths and untrusted text: one safe line.
            let words = print::words(&error);
            print::tell(&words);
            let code = error.downcast_ref::<Refusal>().map_or(Exit::Failure, Refusal::exit).code();
            if error.downcast_ref::<print::Told>().is_none() {
                tell_as_json(&words, code);
            }
            ExitCode::from(code)
        }
    }
}

/// Reports what is wrong with the arguments, and what to do; or prints the help.
fn misused<C: CommandFactory>(mut error: clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        complain::<C>(&error);
        return ExitCode::SUCCESS;
    }
    let people = whole::<Swarm>();
    advice::correct(&people, &mut error);
    complain::<C>(&error);
    let hint = advice::on(&whole::<C>(), &people, &error, &arguments());
    if !hint.is_empty() {
        // The exit code says that nothing was done, even if this cannot be printed.
        let _ = print::ask(&format!("\n{hint}\n"));
    }
    let words = [usage(&error), hint];
    let words: Vec<_> = words.into_iter().filter(|part| !part.is_empty()).collect();
    tell_as_json(&words.join("; "), Exit::Usage.code());
    ExitCode::from(Exit::Usage.code())
}

/// The arguments, without the program.
fn arguments() -> Vec<String> {
    std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect()
}

/// A program's command line with the arguments of every command. [`CommandFactory::command`] makes those of a command
/// only when it is parsed: making all of them takes a fifth of a command's start time.
fn whole<C: CommandFactory>() -> Command {
    let mut command = C::command();
    command.build();
    command
}

/// Gives an error as the answer to a reader of JSON.
fn tell_as_json(words: &str, code: u8) {
    if wants_json() {
        // If it cannot be printed, nobody is there to read an error.
        let _ = print::object(serde_json::json!({"error": words, "exit": code}));
    }
}

/// The error in the arguments, on one line; without the advice, which is for people.
fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    escape::line(&first.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether the answer should be JSON. A command that runs under a lease has options of its own.
fn wants_json() -> bool {
    std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// Ignores a umask that removes this user's own access: swarm's files would be useless. The access that it removes
/// from others stays removed.
fn own_what_is_made() {
    let asked = umask(Mode::empty());
    umask(asked & !Mode::S_IRWXU);
}

/// Prints what is wrong with the arguments. clap quotes the argument, which may be the name of a file that the shell
/// has inserted: if one has control characters, an escaped copy of the arguments is parsed, so that the error is safe
/// to print.
fn complain<C: CommandFactory>(error: &clap::Error) {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if !args.iter().any(|arg| arg.chars().any(escape::is_unsafe)) {
        let _ = error.print();
        return;
    }
    let shown = whole::<C>().try_get_matches_from(args.iter().map(|arg| escape::line(arg)));
    let _ = match shown {
        Err(error) if error.use_stderr() => print::ask(&error.to_string()),
        Err(error) => print::out(&error.to_string()),
        // Only the characters that cannot be shown are wrong.
        Ok(_) => {
            print::tell(&error.to_string().replace('\n', " "));
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests;
