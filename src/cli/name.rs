use super::print;
use super::session::Session;
use crate::core::lease::Notice;
use crate::core::message::{Identity, MessageType};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::store::now_ms;
use crate::tmux::Server;
use anyhow::Result;

/// Rename an agent; it keeps its mail, and mail to its old name still arrives
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm name claude-1 reviewer\n  swarm name %5 reviewer")]
pub(super) struct Args {
    /// The agent: its name, or its pane such as %5
    agent: String,
    /// Its new name: a-z, 0-9 and -, at most 32 characters
    new: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    session.prove()?;
    let to = Name::for_agent(&args.new).map_err(|bad| Refusal::Usage(bad.to_string()))?;
    let wanted = |a: &crate::core::agent::Agent| {
        a.is_live() && (a.name.as_str() == args.agent || a.place.pane == args.agent)
    };
    if args.agent == Name::human().as_str() {
        return Err(Refusal::Usage(
            "the human cannot be renamed; `swarm name AGENT NEW` is for agents".into(),
        )
        .into());
    }
    let agent = session.agents.iter().find(|a| wanted(a)).ok_or_else(|| session.unknown(&args.agent))?;
    let own = agent.name == session.caller.name;
    if !session.is_human() && (!own || session.caller.identity == Identity::Env) {
        return Err(Refusal::Usage(format!(
            "only the human, or {0} itself, can rename {0}; you are {1} (known by {2})",
            agent.name,
            session.caller.name,
            session.caller.identity.word()
        ))
        .into());
    }
    let limit = session.rate()?;
    let renamed = session.store.transact(|tx| {
        let known = tx.agents()?;
        let Some(current) = known.iter().find(|a| a.process == agent.process && a.is_live()) else {
            return Err(session.unknown(&args.agent).into());
        };
        if let Some(bearer) = known.iter().find(|a| a.answers_to(&to) && a.process != current.process) {
            let why = if bearer.is_live() {
                format!("another agent is called {to}")
            } else {
                format!("another agent was called {to}, and may still have its mail")
            };
            return Err(Refusal::Usage(why).into());
        }
        if current.name != to && own {
            // Each renaming sends a notice, so an agent's renamings count as its messages.
            let mut window = tx.sender(&current.name, limit)?;
            window.admit(limit, now_ms()).map_err(Refusal::RateLimited)?;
            tx.put_sender(&current.name, &window)?;
        }
        if current.name != to {
            // Who is renamed, and the person, if that is not who did it.
            let actor = if own { to.clone() } else { Name::human() };
            let text = format!(
                "{} is now called {to}: {actor} renamed it. Mail to the old name still arrives",
                current.name
            );
            for reader in [Name::human(), to.clone()].into_iter().filter(|reader| *reader != actor) {
                tx.put_notice(&Notice { to: reader, kind: MessageType::Info, text: text.clone() })?;
            }
        }
        let renamed = if current.name == to { current.clone() } else { tx.rename_agent(current, &to)? };
        tx.journal("renamed", serde_json::json!({"from": current.name, "to": to}))?;
        Ok(renamed)
    })?;
    session.store.ensure_mailbox(&renamed.name)?;
    session.store.post_notices()?;
    let place = &renamed.place;
    // The label is a convenience: the name stands whether or not tmux can be reached from here.
    let _ = Server::new(&place.socket).label(&[(place.pane.clone(), Some(renamed.name.to_string()))]);
    print::out(&format!("{} is now {}\n", agent.name, renamed.name))
}
