//! A scripted stand-in for a coding agent: a terminal program that looks and types like Claude Code, Codex,
//! Gemini CLI or `OpenCode`, for tests and demos in tmux panes. It calls no model and shares no code with the crate.
//!
//! This file is the poll loop: one thread waits for keys, control orders, resizes, a child's output and deadlines.

mod agent;
mod control;
mod draft;
mod hub;
mod inbox;
mod input;
mod log;
mod options;
mod react;
mod resize;
mod screen;
mod terminal;
mod text;
mod turn;

use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use agent::{Agent, Exit};
use control::Control;
use inbox::Inbox;
use input::{Key, Parser};
use log::Log;
use options::{Options, Style};
use resize::Resize;
use terminal::Terminal;

/// How long a lone ESC waits for the rest of a sequence.
const ESCAPE_WAIT: u64 = 30;
/// How often a busy agent's spinner moves, and how soon a child's exit is noticed.
const SPIN: u64 = 100;
const CHILD_CHECK: u64 = 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    if let Some(place) = hub::place(&args) {
        return hub::serve(place).map_or_else(
            |e| {
                eprintln!("fake-agent: {e}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let options = match Options::parse(&args, |name| std::env::var(name).ok()) {
        Ok(options) => options,
        Err(e) => {
            eprintln!("fake-agent: {e}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("fake-agent: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    let log_path = options.log.as_ref().map(|p| options.expand(p));
    let log = Log::open(log_path.as_deref(), options.style.name())?;
    let mut control = options.control.as_ref().map(|p| Control::open(&options.expand(p))).transpose()?;
    let alternate = matches!(options.style, Style::Codex | Style::Opencode);
    let mut terminal = Terminal::open(alternate, options.bracket)?;
    let session = options.session.as_deref();
    let inbox = options.inbox.map(|mode| Inbox::open(options.style, mode, session)).transpose()?;
    let mut agent = Agent::new(options, log, inbox);
    let mut parser = Parser::default();
    let pause = Duration::from_millis(agent.options.slow_paint);
    let began = Instant::now();
    let now = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    loop {
        agent.tick(now());
        agent.show_state();
        let frame = screen::render(&agent, terminal.size(), now());
        match agent.exit {
            None => {
                terminal.draw(&frame, pause)?;
                std::thread::sleep(Duration::from_millis(std::mem::take(&mut agent.nap)));
            }
            Some(Exit::Clean(why)) => {
                agent.log_exit(why);
                return terminal.restore(frame.last_used_row());
            }
            Some(Exit::Die) => {
                agent.log_exit("die");
                // Not `abort`, which may leave a core file.
                kill(Pid::this(), Signal::SIGKILL)?;
            }
        }
        let ready = wait(&agent, &terminal, control.as_ref(), timeout(&agent, &parser, now()))?;
        terminal.check_size()?;
        let at = now();
        if ready.keys {
            let mut buffer = [0; 16384];
            let keys = match nix::unistd::read(io::stdin(), &mut buffer) {
                Ok(0) | Err(nix::Error::EIO) => {
                    agent.log_exit("terminal gone");
                    return Ok(());
                }
                Ok(n) => parser.feed(&buffer[..n]),
                Err(nix::Error::EINTR | nix::Error::EAGAIN) => Vec::new(),
                Err(e) => return Err(e.into()),
            };
            press(&mut agent, keys, at);
        } else if !ready.other && parser.undecided() {
            let keys = parser.settle();
            press(&mut agent, keys, at);
        }
        agent.take_mail(at);
        for order in control.as_mut().map(Control::read).unwrap_or_default() {
            agent.order(order, at);
        }
    }
}

fn press(agent: &mut Agent, keys: Vec<Key>, now: u64) {
    for key in keys {
        agent.key(key, now);
        // What follows in the same chunk may meet a turn that is already over, or a dialog that just opened.
        agent.tick(now);
    }
}

/// What woke the loop.
struct Ready {
    keys: bool,
    other: bool,
}

fn wait(agent: &Agent, terminal: &Terminal, control: Option<&Control>, ms: Option<u64>) -> io::Result<Ready> {
    let stdin = io::stdin();
    let mut fds = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let others = [
        terminal.resize_fd(),
        control.map(Control::fd),
        agent.running().and_then(react::Running::fd),
        agent.inbox.as_ref().map(Inbox::fd),
    ];
    fds.extend(others.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
    let timeout = ms.map_or(PollTimeout::NONE, |ms| PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX));
    match poll(&mut fds, timeout) {
        Ok(_) | Err(nix::Error::EINTR) => {}
        Err(e) => return Err(e.into()),
    }
    let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
    let keys = ready.next().unwrap_or(false);
    Ok(Ready { keys, other: ready.any(|r| r) })
}

/// How long the loop may sleep: for ever, if nothing moves and nothing is due.
fn timeout(agent: &Agent, parser: &Parser, now: u64) -> Option<u64> {
    let deadline = agent.deadline().map(|at| at.saturating_sub(now));
    let escape = parser.undecided().then_some(ESCAPE_WAIT);
    let spin = (agent.turn.is_some() && agent.dialog.is_none()).then(|| SPIN - now % SPIN);
    let child = agent.running().map(|_| CHILD_CHECK);
    [deadline, escape, spin, child, Resize::POLL].into_iter().flatten().min()
}
