use super::print;
use super::session::Session;
use crate::core::message::Verified;
use crate::store::mail::{Folder, MessageRef};
use crate::store::now_ms;
use anyhow::Result;
use serde_json::json;

/// Print messages as a whole, and mark them as read
///
/// Without an id it reads your oldest unread message. A message that cannot be printed stays unread.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg read\n  swarm-msg read p5kg9tyf\n  swarm-msg read --all")]
pub(super) struct Args {
    /// The messages' ids, or at least 4 characters of their beginnings
    ids: Vec<String>,
    /// Read all unread messages
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Print only the text of one message, byte for byte
    #[arg(long, conflicts_with_all = ["all", "json"])]
    body: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    session.prove()?;
    let messages = if args.ids.is_empty() {
        unread(&session, args.all)?
    } else {
        args.ids.iter().map(|id| session.find(id, true)).collect::<Result<Vec<_>>>()?
    };
    if messages.is_empty() && !args.json {
        return print::out(&format!("no unread messages for {}\n", session.caller.name));
    }
    print::taken()?;
    // Printed first and marked afterwards: after an interruption a message is unread, never unseen.
    let now = now_ms();
    if args.json {
        let all: Vec<_> = messages.iter().map(|(_, m)| print::message_json(m)).collect();
        print::object(json!({"messages": all}))?;
    } else {
        for (index, (_, message)) in messages.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            let text =
                if args.body { message.body.as_str().to_owned() } else { print::message(message, now) };
            print::out(&format!("{gap}{text}"))?;
        }
    }
    for (found, _) in &messages {
        session.store.receipt(found, false)?;
    }
    Ok(())
}

fn unread(session: &Session, all: bool) -> Result<Vec<(MessageRef, Verified)>> {
    let owner = &session.caller.name;
    let mail = session.store.unread(owner, &session.caller.aliases)?;
    print::refused(&mail.refused);
    let count = if all { usize::MAX } else { 1 };
    let found = |m: Verified| {
        let file = m.file_name();
        (MessageRef { mailbox: owner.clone(), folder: Folder::New, file, id: m.id.clone() }, m)
    };
    Ok(mail.messages.into_iter().take(count).map(found).collect())
}
