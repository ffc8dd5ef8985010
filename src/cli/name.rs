use super::print;
use super::session::Session;
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::event::Event;
use crate::core::heir::Evidence;
use crate::core::message::{Identity, MessageType};
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::refusal::Refusal;
use crate::os::process;
use crate::roster::heirs;
use crate::store::Transaction;
use crate::tmux::Server;
use anyhow::Result;

/// Rename an agent; it keeps its mail, and mail to its old name still arrives
///
/// Only the human may give an agent the name of one that has ended. The agent then also has that agent's mail.
/// Several agents get names by a pattern: # in it is the smallest free number.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm name claude-1 reviewer\n  swarm name %5 reviewer\n  swarm name claude-1,codex-2 \"api-#\""
)]
pub(super) struct Args {
    /// The agent: its name, or its pane such as %5; several separated by commas
    agent: String,
    /// Its new name: a-z, 0-9 and -, at most 32 characters; of several, with # for the number
    new: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    session.prove()?;
    let asked: Vec<&str> = args.agent.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if asked.len() < 2 && !args.new.contains('#') {
        return rename(&mut session, &args.agent, &args.new);
    }
    if let Some(unknown) = asked.iter().find(|asked| !session.agents.iter().any(|a| is_meant(a, asked))) {
        return Err(session.unknown(unknown).into());
    }
    let names = numbered(&session, &asked, &args.new)?;
    for (agent, name) in asked.iter().zip(names) {
        rename(&mut session, agent, &name)?;
        session.read_agents()?;
    }
    Ok(())
}

/// Whether a living agent has the given name or pane.
fn is_meant(agent: &Agent, asked: &str) -> bool {
    agent.is_live() && (agent.name.as_str() == asked || agent.place.pane == asked)
}

/// Names of this pattern for these agents, in their order. Names that others have or had are left out, so nobody's
/// mail is given away.
fn numbered(session: &Session, asked: &[&str], pattern: &str) -> Result<Vec<String>> {
    let names = free(session, pattern, asked.len(), |a| asked.iter().any(|asked| is_meant(a, asked)))?;
    // An agent that has one of them keeps it: to swap two names, one of them would belong to nobody for a moment.
    let has = |asked: &&str| session.agents.iter().find(|a| is_meant(a, asked)).map(|a| a.name.to_string());
    let own: Vec<Option<String>> =
        asked.iter().map(|asked| has(asked).filter(|own| names.contains(own))).collect();
    let mut free: Vec<String> =
        names.into_iter().filter(|name| !own.contains(&Some(name.clone()))).rev().collect();
    Ok(own.into_iter().filter_map(|own| own.or_else(|| free.pop())).collect())
}

/// This number of names of the pattern that nobody has or had, except those who will be named.
pub(super) fn free(
    session: &Session,
    pattern: &str,
    count: usize,
    is_meant: impl Fn(&Agent) -> bool,
) -> Result<Vec<String>> {
    if pattern.matches('#').count() != 1 {
        let text = "several agents cannot have one name: put one # where the number goes, as in api-#";
        return Err(Refusal::Usage(text.into()).into());
    }
    let groups = session.store.groups()?;
    let is_taken = |name: &Name| {
        let bears = |a: &Agent| a.answers_to(name) && !is_meant(a);
        session.everyone().any(bears) || groups.members(name.as_str()).is_some()
    };
    let mut names = Vec::new();
    for number in 1.. {
        let text = pattern.replace('#', &number.to_string());
        let name = Name::for_agent(&text).map_err(|bad| Refusal::Usage(bad.to_string()))?;
        if names.len() == count {
            break;
        }
        if !is_taken(&name) {
            names.push(text);
        }
    }
    Ok(names)
}

fn rename(session: &mut Session, asked: &str, new: &str) -> Result<()> {
    let to = Name::for_agent(new).map_err(|bad| Refusal::Usage(bad.to_string()))?;
    let wanted = |a: &Agent| is_meant(a, asked);
    if asked == Name::human().as_str() {
        return Err(Refusal::Usage(
            "the human cannot be renamed; `swarm name AGENT NEW` is for agents".into(),
        )
        .into());
    }
    if session.agent(&to).is_none() && session.ended(&to).is_some() {
        // It may have been started again a moment ago, and is not discovered yet.
        session.rediscover();
    }
    if session.store.groups()?.members(to.as_str()).is_some() {
        return Err(Refusal::Usage(format!("a group is called @{to}: choose another name")).into());
    }
    let agent = session.agents.iter().find(|a| wanted(a)).ok_or_else(|| session.unknown(asked))?;
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
    let is_human = session.is_human();
    let renamed = session.store.transact(|tx| {
        let known = tx.agents()?;
        let Some(current) = known.iter().find(|a| a.process == agent.process && a.is_live()) else {
            return Err(session.unknown(asked).into());
        };
        let bearer = known.iter().find(|a| a.answers_to(&to) && a.process != current.process);
        if let Some(bearer) = bearer {
            let ended = process::check_in(bearer.place.namespace, &bearer.process) == Some(false);
            if !(is_human && ended && bearer.name == to) {
                return Err(taken(&to, asked, bearer, ended).into());
            }
            let renamed = heirs::take_over(tx, &session.store, current, bearer, &to, Evidence::Name)?;
            tell(tx, &renamed.name, format!("you are now called {to}, and no longer {}: the human gave you the name of one that has ended. Its mail is yours", current.name))?;
            tx.journal(&Event::Renamed { from: &current.name, to: &to, by: None })?;
            return Ok(renamed);
        }
        if current.name != to && own {
            // Each renaming sends a notice, so an agent's renamings count as its messages.
            tx.count_as_message(&current.name, limit)?;
        }
        if current.name != to {
            // The notice goes to the renamed agent, and to the person unless the person did it.
            let actor = if own { to.clone() } else { Name::human() };
            let text = format!(
                "{} is now called {to}: {actor} renamed it. Mail to the old name still arrives",
                current.name
            );
            for reader in [Name::human(), to.clone()].into_iter().filter(|reader| *reader != actor) {
                tell(tx, &reader, text.clone())?;
            }
        }
        let mut current = current.clone();
        current.past.given = true;
        let renamed = if current.name == to { current.clone() } else { tx.rename_agent(&current, &to)? };
        tx.journal(&Event::Renamed { from: &current.name, to: &to, by: None })?;
        Ok(renamed)
    })?;
    session.store.ensure_mailbox(&renamed.name)?;
    session.store.post_notices()?;
    session.store.return_leases(&renamed)?;
    let place = &renamed.place;
    // The label is a convenience: the name counts even if tmux cannot be reached from here.
    let _ = Server::new(&place.socket).label(&[(place.pane.clone(), Some(renamed.name.to_string()))]);
    print::out(&format!("{} is now {}\n", agent.name, renamed.name))
}

fn tell(tx: &mut Transaction<'_>, to: &Name, text: String) -> Result<()> {
    tx.put_notice(&Notice { to: to.clone(), kind: MessageType::Info, text })
}

/// Why a name cannot be given.
pub(super) fn taken(to: &Name, agent: &str, bearer: &Agent, ended: bool) -> Refusal {
    let agent = escape::short(agent, 40);
    Refusal::Usage(if bearer.is_live() && !ended && bearer.name == *to {
        format!("another agent is called {to}: choose another name, or rename that one first")
    } else if bearer.is_live() && !ended {
        let now = &bearer.name;
        format!("{now} was called {to} before, and mail to {to} still reaches it: choose another name")
    } else if !ended {
        format!("another agent was called {to}, and whether it has ended cannot be seen from here")
    } else if bearer.name == *to {
        format!(
            "another agent was called {to}, and has ended: only the human can give its name and its mail to {agent}"
        )
    } else {
        format!(
            "{to} is a former name of {0}, which has ended: `swarm name {agent} {0}` gives its name and its mail",
            bearer.name
        )
    })
}
