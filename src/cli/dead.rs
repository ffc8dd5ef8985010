use super::print;
use super::session::Session;
use crate::core::agent::Agent;
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::frame;
use crate::core::message::Verified;
use crate::core::name::Name;
use crate::core::order;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::json;

/// List dead letters: messages that did not arrive because the recipient ended, the line was stuck, or the project
/// was restored
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm dead\n  swarm dead --json")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A message that could not be delivered.
pub(super) struct DeadLetter {
    to: Name,
    why: String,
    message: Verified,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let letters = letters(&session.store, session.everyone())?;
    if args.json {
        let list =
            |l: &DeadLetter| json!({"to": l.to, "why": l.why, "message": print::message_json(&l.message)});
        return print::object(json!({"dead_letters": letters.iter().map(list).collect::<Vec<_>>()}));
    }
    if letters.is_empty() {
        return print::out("no dead letters\n");
    }
    let now = now_ms();
    let mut text = String::new();
    for DeadLetter { to, why, message } in &letters {
        text.push_str(&format!(
            "{} {:>4}  from {:<14} to {:<14} {}  ({why})\n",
            message.id,
            print::age(message.created, now),
            message.from,
            to,
            frame::preview(message.body.as_str())
        ));
    }
    print::out(&format!("{text}send one again: {} resend ID --to NAME\n", session.program()))
}

/// All dead letters, by recipient, oldest first.
pub(super) fn letters<'a>(
    store: &Store,
    agents: impl IntoIterator<Item = &'a Agent>,
) -> Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    for agent in agents {
        for found in store.deliveries(&agent.name, Folder::New)? {
            let (at, delivery) = found?;
            if delivery.way.stage == Stage::Failed
                && let Some(message) = store.genuine(&agent.name, &agent.formerly, at.folder, &at.file)?
            {
                let why = escape::short(&delivery.way.detail, 200);
                letters.push(DeadLetter { to: agent.name.clone(), why, message });
            }
        }
    }
    order::sort_by(&mut letters, |one, other| one.to.cmp(&other.to));
    Ok(letters)
}
