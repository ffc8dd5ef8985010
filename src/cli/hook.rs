use super::session::{self, Session};
use crate::core::agent::Agent;
use crate::core::config::Settings;
use crate::core::hook::Host;
use crate::core::message::Identity;
use crate::courier::rules;
use crate::hooks::{Call, MAX_INPUT};
use crate::os::caller;
use crate::store::config::Files;
use crate::store::{Store, fault};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::io::{Read as _, Write as _};

/// Answer a hook of an agent: JSON on stdin, JSON on stdout (installed by `swarm hooks install`)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  swarm hook claude UserPromptSubmit < event.json")]
pub(super) struct Args {
    /// claude, codex, gemini or opencode
    host: Host,
    /// The hook's name, such as `UserPromptSubmit`
    event: String,
}

/// Whatever goes wrong here is journalled and otherwise kept quiet: a broken guard must not stop the agent.
pub(super) fn run(args: &Args) {
    let Ok(store) = session::here().and_then(|here| Store::open(&here)) else { return };
    if let Err(error) = answer(args, &store) {
        let text = crate::core::escape::short(&format!("{error:#}"), 300);
        let name = crate::core::escape::short(&args.event, 40);
        let fields = serde_json::json!({"host": args.host.word(), "hook": name, "error": text});
        // Nothing is left to tell it to.
        let _ = store.transact(|tx| tx.journal("hook-error", fields));
    }
}

fn answer(args: &Args, store: &Store) -> Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(MAX_INPUT as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_INPUT {
        bail!("its input is larger than {MAX_INPUT} bytes");
    }
    let input: Value = serde_json::from_slice(&bytes).context("its input is not JSON")?;
    let mut session = Session::look()?;
    if session.caller.identity == Identity::Pane {
        // It is in an agent's pane and not below it: another agent took its place, and nobody has noticed yet.
        session.rediscover();
        session.caller = caller::identify(&session.agents, None)?;
    }
    if session.caller.identity == Identity::Human {
        bail!("it was not called by an agent on record");
    }
    let Some(agent) = session.agent(&session.caller.name) else { return Ok(()) };
    if !is_own(args.host, &session, agent)? {
        return Ok(());
    }
    // What is wrong in the settings the doctor and the courier tell: a hook has nobody to tell it to.
    let settings = Settings::from(&Files::of(Some(store.root())).load());
    let call = Call {
        store,
        agents: &session.agents,
        agent,
        caller: &session.caller,
        host: args.host,
        name: &args.event,
        here: &session::here()?,
        enforce: settings.enforce,
        tree: settings.tree,
    };
    let reply = call.answer(&input)?;
    fault::point("hook-decided");
    if let Some(json) = &reply.json {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", crate::core::escape::json(json))?;
        out.flush()?;
    }
    fault::point("hook-answered");
    reply.commit(store)
}

/// Whether it is a hook of the agent itself, and not of one that it started: that one has no name, and its mail, its leases and
/// what it does are not the agent's.
fn is_own(host: Host, session: &Session, agent: &Agent) -> Result<bool> {
    if agent.kind != host.word() || session.caller.identity == Identity::Pane {
        return Ok(false);
    }
    // A profile of the person's that is wrong is told elsewhere.
    let profiles = rules::load()?;
    Ok(profiles.acts_for(agent, &caller::above()?))
}
