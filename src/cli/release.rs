use super::compose::{self, Reporting};
use super::session::Session;
use crate::core::delivery::{Pause, Stage};
use crate::core::event::Event;
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use anyhow::Result;

/// Deliver an answer that the limit on answers in a row holds (`agents.answers`)
///
/// Only a person can do this. All such answers in its thread are released, and the count of answers in a row starts
/// again. With --drop they become dead letters instead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm release p5kg9tyf\n  swarm release p5kg --drop")]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: String,
    /// Do not deliver it: it becomes a dead letter
    #[arg(long)]
    drop: bool,
    #[command(flatten)]
    report: Reporting,
}

/// The reason of a message that a person dropped.
const DROPPED: &str = "a person dropped it";

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    session.require_human("release a held answer")?;
    let (_, message) = session.find(&args.id, false)?;
    if message.round == 0 {
        return Err(not_held(&message));
    }
    let mut settled: Vec<Verified> = Vec::new();
    // Both agents of a thread may have held mail.
    for owner in session.store.mailboxes()? {
        let aliases = session.aliases(&owner);
        for found in session.store.deliveries(&owner, Folder::New)? {
            let (at, delivery) = found?;
            if delivery.pause != Some(Pause::Held) {
                continue;
            }
            let held = session.store.genuine(&owner, &aliases, at.folder, &at.file)?;
            if let Some(held) = held.filter(|held| held.thread == message.thread)
                && settle(&session.store, &owner, &held, args.drop)?
                && !settled.iter().any(|known| known.id == held.id)
            {
                settled.push(held);
            }
        }
    }
    if settled.is_empty() {
        return Err(not_held(&message));
    }
    if args.drop {
        return args.report.all_settled(&settled, "is a dead letter now (swarm dead)");
    }
    compose::watch_all(&session, &settled, args.report)
}

fn not_held(message: &Verified) -> anyhow::Error {
    let id = &message.id;
    let text = format!(
        "no answer in the thread of {id} is held by the limit on answers in a row; `swarm status {id}` says how far it is"
    );
    Refusal::Usage(text).into()
}

/// Releases or drops one message, if it is still held. Returns whether it was.
fn settle(store: &Store, owner: &Name, message: &Verified, drop: bool) -> Result<bool> {
    let id = &message.id;
    store.transact(|tx| {
        let known = store.delivery(owner, id)?;
        let Some(mut delivery) = known.filter(|d| d.pause == Some(Pause::Held) && d.way.stage.is_open())
        else {
            return Ok(false);
        };
        (delivery.pause, delivery.told_held) = (Some(Pause::Released), false);
        if drop {
            delivery.way.advance(Stage::Failed, DROPPED, now_ms());
        } else {
            delivery.way.restart(now_ms());
        }
        tx.put_delivery(owner, &delivery)?;
        tx.journal(&if drop {
            Event::DeadLetter { id, to: owner.as_str(), why: Some(DROPPED) }
        } else {
            Event::Released { id, to: owner }
        })?;
        Ok(true)
    })
}
