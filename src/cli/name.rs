use super::print;
use super::session::Session;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::tmux::Server;
use anyhow::Result;

/// Give an agent another name; its mail and its old name stay its own
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm name claude-1 reviewer\n  swarm name %5 reviewer")]
pub(super) struct Args {
    /// The agent: its name, or its pane such as %5
    agent: String,
    /// Its new name: a-z, 0-9 and -, at most 32 characters
    new: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let to = Name::for_agent(&args.new).map_err(|bad| Refusal::Usage(bad.to_string()))?;
    let wanted = |a: &crate::core::agent::Agent| {
        a.is_live() && (a.name.as_str() == args.agent || a.place.pane == args.agent)
    };
    let agent = session.agents.iter().find(|a| wanted(a)).ok_or_else(|| session.unknown(&args.agent))?;
    let renamed = session.store.transact(|tx| {
        let known = tx.agents()?;
        let Some(current) = known.iter().find(|a| a.process == agent.process && a.is_live()) else {
            return Err(session.unknown(&args.agent).into());
        };
        if let Some(bearer) = known.iter().find(|a| a.answers_to(&to) && a.process != current.process) {
            let how = if bearer.is_live() { "is" } else { "was, and may still have mail as," };
            return Err(Refusal::Usage(format!("another agent {how} {to}")).into());
        }
        let renamed = if current.name == to { current.clone() } else { tx.rename_agent(current, &to)? };
        tx.journal("renamed", serde_json::json!({"from": current.name, "to": to}))?;
        Ok(renamed)
    })?;
    session.store.ensure_mailbox(&renamed.name)?;
    let place = &renamed.place;
    // The label is a convenience: the name stands whether or not tmux can be reached from here.
    let _ = Server::new(&place.socket).label(&[(place.pane.clone(), Some(renamed.name.to_string()))]);
    print::out(&format!("{} is now {}\n", agent.name, renamed.name))
}
