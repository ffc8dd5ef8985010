use super::hooks;
use super::print;
use super::session::{self, Session};
use crate::carriers::{self, Started, answered};
use crate::core::agent::Agent;
use crate::core::carrier::Carrier;
use crate::core::config::Settings;
use crate::core::escape;
use crate::core::event::Event;
use crate::core::heir::Conversation;
use crate::core::hook::{HookEvent, HookKind, package};
use crate::core::message::Identity;
use crate::core::refusal::Refusal;
use crate::hooks::{Call, MAX_INPUT};
use crate::os::caller::{self, Chain};
use crate::os::process;
use crate::os::program::Environment;
use crate::roster::{heirs, rules};
use crate::store::config::Files;
use crate::store::lock::Overdue;
use crate::store::{Store, fault, now_ms};
use anyhow::{Context as _, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Answer a hook of an agent: JSON on stdin, JSON on stdout (installed by `swarm hooks install`)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  swarm hook claude UserPromptSubmit < event.json")]
pub(super) struct Args {
    /// claude, codex, gemini or opencode
    kind: HookKind,
    /// The hook's name, such as `UserPromptSubmit`
    event: String,
}

/// How long the agent may take to write its input. It does so before it waits for the answer.
const INPUT: Duration = Duration::from_secs(3);

/// How long a hook waits for the store in all, because the agent waits meanwhile.
const STORE: Duration = Duration::from_millis(1500);

/// How long the agent may take to read the answer.
const OUTPUT: Duration = Duration::from_secs(3);

/// A step took too long. The agent continues, and its person gets a message.
#[derive(Debug)]
struct Late(String);

impl std::fmt::Display for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Late {}

/// Errors are journalled and otherwise silent: a broken guard must not stop the agent. A timeout is also shown to the
/// person, if the agent can show it.
pub(super) fn run(args: &Args) {
    if let Some(version) = package().filter(|version| version != package::VERSION) {
        return tell_other_version(args, &version);
    }
    // An agent's hook applies to the project in which the agent works. SWARM_ROOT may be the person's, for all
    // shells.
    let store = match session::project_around() {
        Ok(store) => store,
        Err(error) => return tell_no_key(args, &error),
    };
    let Err(error) = answer(args, &store) else { return };
    let text = escape::short(&format!("{error:#}"), 300);
    let name = escape::short(&args.event, 40);
    if (error.is::<Late>() || error.is::<Overdue>()) && args.kind != HookKind::OpenCode {
        let told =
            format!("swarm could not handle {name}, so nothing was checked and no mail was given: {text}");
        // If the agent does not read it, the journal has it.
        let _ = print::within(&format!("{}\n", json!({"systemMessage": told})), OUTPUT);
    }
    let failed = Event::HookError { host: args.kind.word(), hook: &name, error: &text };
    // If this fails, there is nowhere left to report it.
    let _ = store.until(Instant::now()).transact(|tx| tx.journal(&failed));
}

/// The version of the package whose hook this is.
fn package() -> Option<String> {
    std::env::var(package::VARIABLE).ok().filter(|version| !version.is_empty())
}

/// Reports with a prompt that the package has another version than this program, so nothing is done.
fn tell_other_version(args: &Args, version: &str) {
    if matches!(HookEvent::parse(args.kind, &args.event, &Value::Null), HookEvent::Prompt(_)) {
        let told = format!(
            "swarm gives no mail and checks nothing here: its package is of version {}, and the program is {}. Run: swarm hooks install {} --package, then restart the agent",
            escape::short(version, 20),
            package::VERSION,
            args.kind.word()
        );
        let _ = print::within(&format!("{}\n", json!({"systemMessage": told})), OUTPUT);
    }
}

/// Reports that the project's key is not here, so nothing can be checked. Without a project there is nothing to
/// report.
fn tell_no_key(args: &Args, error: &anyhow::Error) {
    if let Some(Refusal::NoKey(_)) = error.downcast_ref()
        && args.kind != HookKind::OpenCode
    {
        let told = format!(
            "swarm checks no leases and gives no mail here: {}",
            escape::short(&error.to_string(), 300)
        );
        let _ = print::within(&format!("{}\n", json!({"systemMessage": told})), OUTPUT);
    }
}

/// The agent's input: everything, or one complete object even if the input stays open.
fn input() -> Result<Vec<u8>> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    let until = Instant::now() + INPUT;
    let stdin = std::io::stdin();
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        let ready = |rest: Duration| {
            let rest = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
            poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], rest).map(|count| count > 0)
        };
        let more = match ready(Duration::ZERO) {
            // The agent keeps its end open, but after a complete object nothing follows.
            Ok(false) if is_whole(&bytes) => break,
            Ok(false) => ready(rest),
            more => more,
        };
        match more {
            Err(nix::errno::Errno::EINTR) => continue,
            Ok(true) if !rest.is_zero() => {}
            Ok(_) => {
                let (size, s) = (bytes.len(), INPUT.as_secs());
                let told = format!("its input did not end within {s} s ({size} bytes came)");
                return Err(Late(told).into());
            }
            Err(error) => return Err(error).context("its input cannot be read"),
        }
        match nix::unistd::read(&stdin, &mut piece) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => {}
            Err(error) => return Err(error).context("its input cannot be read"),
        }
        if bytes.len() > MAX_INPUT {
            bail!("its input is larger than {MAX_INPUT} bytes");
        }
    }
    Ok(bytes)
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.trim_ascii_end().ends_with(b"}") && serde_json::from_slice::<Value>(bytes).is_ok()
}

#[inline(never)]
fn answer(args: &Args, store: &Store) -> Result<()> {
    let begun = now_ms();
    let bytes = input()?;
    let store = &store.clone().until(Instant::now() + STORE);
    let input: Value = serde_json::from_slice(&bytes).context("its input is not JSON")?;
    let mut session = Session::look_in(store.clone())?;
    if session.caller.identity == Identity::Pane {
        // The caller is in an agent's pane and not below that agent: another agent has taken its place, and is not
        // discovered yet.
        session.rediscover();
        session.look_again()?;
    }
    if session.caller.identity == Identity::Human {
        bail!("it was not called by an agent on record");
    }
    let Some(agent) = session.agent(&session.caller.name) else { return Ok(()) };
    if agent.kind != args.kind.word() || session.caller.identity == Identity::Pane {
        return Ok(());
    }
    if package().is_some() && has_plain(args.kind, agent) {
        return Ok(());
    }
    let session_id = conversation(agent, input.get("session_id").and_then(Value::as_str).unwrap_or_default());
    // It may turn out to be an ended agent, and have that agent's name from now on.
    if heirs::enter(store, agent, &session_id)?.is_some() {
        session.read_agents()?;
        session.caller = caller::identify(&session.agents, None, &Chain::look()?)?;
    }
    let Some(agent) = session.agent(&session.caller.name) else { return Ok(()) };
    // The doctor and the courier report errors in the settings; a hook cannot report them.
    let settings = Settings::from(&Files::of(Some(store.root())).load());
    let transcript = transcript(&input);
    let command = || session::command(store, agent, args.event == "SessionStart");
    let call = Call {
        store,
        agents: &session.agents,
        agent,
        caller: &session.caller,
        kind: args.kind,
        name: &args.event,
        here: &session::here()?,
        command: &command,
        begun,
        transcript: transcript.as_ref(),
        gives: settings.carriers(agent).contains(&Carrier::Hook),
        enforce: settings.enforce,
        tree: settings.tree,
        team: &settings.team_paths,
        offline: settings.offline,
        answers: settings.answers,
    };
    let reply = call.answer(&input)?;
    fault::point("hook-decided");
    if let Some(json) = &reply.json {
        let whole = print::within(&format!("{}\n", crate::core::escape::json(json)), OUTPUT)?;
        if !whole {
            return Err(Late(format!("its answer was not read within {} s", OUTPUT.as_secs())).into());
        }
    }
    fault::point("hook-answered");
    call.prove(&input)?;
    // An agent that has ended reads no answer: its mail still waits, for its sender or for the agent that is started in
    // its place.
    if process::check_in(agent.place.namespace, &agent.process) == Some(false) {
        return Ok(());
    }
    reply.commit(store)
}

/// The agent's transcript, as its hook names it, and its length.
fn transcript(input: &Value) -> Option<(PathBuf, u64)> {
    let path = PathBuf::from(input.get("transcript_path")?.as_str()?);
    answered::length(&path).map(|length| (path, length))
}

/// Whether the agent's settings contain these hooks as well. Then only those run, and the package's hooks do nothing.
fn has_plain(kind: HookKind, agent: &Agent) -> bool {
    let home = session::home().unwrap_or_default();
    hooks::around_agent(agent, &home, |around| around.plain(kind, Path::new(&agent.cwd))).is_some()
}

/// The conversation of the agent: by its own file if there is one, or else by its hook.
fn conversation(agent: &Agent, told: &str) -> String {
    if agent.past.knows(told) {
        return told.to_owned();
    }
    let carriers =
        rules::load().ok().and_then(|p| p.get(&agent.kind).map(|profile| profile.carriers.clone()));
    let environment = Environment::of(agent.process.pid);
    match carriers::conversation(&carriers.unwrap_or_default(), &Started::of(agent, &environment)) {
        Conversation::Is { id, .. } => id,
        _ => told.to_owned(),
    }
}
