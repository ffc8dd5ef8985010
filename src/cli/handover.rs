use super::session::Session;
use super::{compose, print};
use crate::core::coord;
use crate::core::delivery::Stage;
use crate::core::id;
use crate::core::lease::{Scope, words};
use crate::core::message::{Intent, Verified};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::store::handover::Handover;
use crate::store::mail::MessageRef;
use crate::tmux::Server;
use anyhow::Result;
use serde_json::json;

/// Hand a question or a task over to another agent, with the leases; only its owner and the human can do this
///
/// The other agent gets a message with the same text from the same sender, and an answer reaches that sender, who
/// gets a notice. A task is a row of Current Work in COORDINATION.md. All leases of the owner move with it, and so do
/// the owner's edits on these paths.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg handover p5kg codex-1 --reason \"it knows the schema\"\n  swarm-msg handover \"the parser\" codex-1\n  swarm handover p5kg codex-1 --no-leases"
)]
pub(super) struct Args {
    /// A message's id (at least 4 characters), or a part of a task's text
    #[arg(value_name = "ID|TASK")]
    what: String,
    /// The new owner
    #[arg(value_name = "NAME")]
    to: String,
    /// The reason: one line, for those concerned
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Leave the leases with their holder
    #[arg(long)]
    no_leases: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    session.prove()?;
    // An interrupted hand-over was already decided. If this fails, the courier reports it.
    let _ = session.store.finish_handovers();
    let reason = args.reason.as_deref().map(coord::Text::new).transpose().map_err(Refusal::from)?;
    let to = recipient(&mut session, &args.to)?;
    let mut what = Handover {
        by: session.caller.name.clone(),
        from: session.caller.name.clone(),
        to: to.clone(),
        reason: reason.map(|text| text.as_str().to_owned()),
        task: None,
        letter: None,
        fences: Vec::new(),
    };
    let is_id = args.what.len() >= id::MIN_PREFIX && id::is_prefix(&args.what);
    if is_id && !session.store.find(&args.what)?.is_empty() {
        let (found, message) = session.find(&args.what, !session.is_human())?;
        check_message(&session, &found, &message, &to)?;
        what.from = session.agent(&found.mailbox).map_or_else(|| found.mailbox.clone(), |a| a.name.clone());
        let sender = present(&session, &message)?;
        what.letter = Some(session.store.readdress(&found, &message, (&sender, &to), session.is_human())?);
    } else {
        let text = session.store.coordination()?.ok_or_else(|| no_such(&session, &args.what))?;
        let owner = (!session.is_human()).then_some(&session.caller.name);
        let found = coord::task(&text, &args.what, owner);
        if let (Err(_), Ok((task, owner))) = (&found, coord::task(&text, &args.what, None)) {
            let task = crate::core::escape::short(&task, 80);
            let text =
                format!("the task \"{task}\" is {owner}'s: only {owner} and the human can hand it over");
            return Err(Refusal::Usage(text).into());
        }
        let (task, owner) = found.map_err(Refusal::from)?;
        let known =
            session.agent(&owner).map(|agent| agent.name.clone()).or(owner.is_human().then(Name::human));
        (what.task, what.from) = (Some(task), known.ok_or_else(|| session.unknown(owner.as_str()))?);
    }
    if what.from == to {
        return Err(Refusal::Usage(format!("{to} has it already")).into());
    }
    if !args.no_leases && session.agent(&what.from).is_some() && session.agent(&to).is_some() {
        what.fences = leases(&session, &what.from)?;
    }
    if !session.is_human() {
        // Those concerned get notices, so an agent's hand-overs count as its messages.
        let (limit, caller) = (session.rate()?, &session.caller.name);
        session.store.transact(|tx| tx.count_as_message(caller, limit))?;
    }
    let moved = session.store.hand_over(&what)?;
    let known = session.agent(&to).map(|a| Server::new(&a.place.socket));
    start::ensure(&session.store, &known.unwrap_or_else(Server::current)).unwrap_or(false);
    let copy = what.letter.as_ref().map(|letter| letter.copy_id().clone());
    if args.json {
        return print::object(json!({
            "from": what.from, "to": to, "task": what.task, "id": what.letter.as_ref().map(|l| &l.original), "as": copy,
            "leases": moved.iter().map(|l| l.fence).collect::<Vec<_>>(),
        }));
    }
    let as_copy = copy.map_or_else(String::new, |copy| format!(" as {copy}"));
    let paths: Vec<_> = moved.into_iter().flat_map(|lease| lease.paths).collect();
    let leases = match &paths[..] {
        [] => String::new(),
        paths => format!(", with the leases on {}", words::list(paths)),
    };
    print::out(&format!("{} handed over {} to {to}{as_copy}{leases}\n", what.from, what.subject()))
}

/// The new owner: an agent of this host, or the human.
fn recipient(session: &mut Session, asked: &str) -> Result<Name> {
    let to = compose::recipients(session, &[asked.to_owned()])?;
    match &to.here[..] {
        [one] if to.away.is_empty() && (one.is_human() || session.agent(one).is_some()) => Ok(one.clone()),
        [one] if to.away.is_empty() => Err(session.unknown(one.as_str()).into()),
        _ => Err(Refusal::Usage("name one agent of this host".into()).into()),
    }
}

/// Refuses a message whose answer nobody awaits.
fn check_message(session: &Session, found: &MessageRef, message: &Verified, to: &Name) -> Result<()> {
    let id = &message.id;
    let refuse = |why: String| Err(Refusal::Usage(why).into());
    if message.from.is_system() || message.wish() == Some(Intent::Fyi) {
        return refuse(format!("{id} wants no answer: there is nothing to hand over"));
    }
    if message.from.local().is_none() {
        return refuse(format!("{id} is from another host: answer it, or send {} a message", message.from));
    }
    if message.to.len() > 1 && session.is_human() && found.mailbox != session.caller.name {
        return refuse(format!("{id} went to several: each of them hands over its own"));
    }
    if message.from.local().is_some_and(|from| from == to) {
        return refuse(format!("{id} is from {to}"));
    }
    match session.store.delivery(&found.mailbox, id)?.map(|d| d.way.stage) {
        Some(Stage::Acked) => refuse(format!("{id} was acknowledged or answered before")),
        Some(Stage::Failed) => refuse(format!("{id} is a dead letter: swarm resend {id} --to {to}")),
        _ => Ok(()),
    }
}

/// The present name of a message's sender.
fn present(session: &Session, message: &Verified) -> Result<Name> {
    let Some(from) = message.from.local() else {
        return Err(Refusal::Usage(format!("{} is from another host", message.id)).into());
    };
    Ok(session.agent(from).map_or_else(|| from.clone(), |a| a.name.clone()))
}

/// The leases of an agent that can move: not those of a running command, nor of the whole team.
fn leases(session: &Session, owner: &Name) -> Result<Vec<u64>> {
    let all = session.store.leases()?;
    let own = all.table.leases().filter(|l| l.holder.is_agent_itself(owner));
    Ok(own.filter(|l| l.paths.iter().all(|p| *p.scope() != Scope::Team)).map(|l| l.fence).collect())
}

fn no_such(session: &Session, asked: &str) -> anyhow::Error {
    let asked = crate::core::escape::short(asked, 40);
    let root = session.store.root().display();
    Refusal::NoMessage(format!(
        "'{asked}' is no message here, and there is no COORDINATION.md in {root} with a task like that"
    ))
    .into()
}
