use super::compose::{self, Reporting};
use super::session::Session;
use crate::core::message::{Intent, MessageType};
use crate::core::refusal::Refusal;
use anyhow::Result;

/// Acknowledge a message; only a recipient can do this
///
/// If the sender wants no answer (`--fyi`, or an acknowledgement), it only marks the message as read, and the sender
/// gets nothing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg ack p5kg9tyf\n  swarm-msg ack p5kg \"will do, after the parser\""
)]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: String,
    /// An optional note for the sender; `-` reads it from standard input
    note: Option<String>,
    #[command(flatten)]
    report: Reporting,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let body = compose::body(args.note.as_deref().unwrap_or("acknowledged"))?;
    let mut session = Session::open()?;
    session.prove()?;
    let (found, original) = session.find(&args.id, true)?;
    if original.wish() == Some(Intent::Fyi) && !original.ack_required {
        let id = &original.id;
        if args.note.is_some() {
            let text = format!(
                "{id} wants no answer, so the note would go nowhere; if it matters: swarm-msg reply {id} \"...\""
            );
            return Err(Refusal::Usage(text).into());
        }
        session.store.receipt(&found, true)?;
        return args.report.settled(id, "it wants no answer: marked as read, and nothing was sent");
    }
    if !session.store.receipt(&found, true)? {
        return args.report.settled(&original.id, "was acknowledged before");
    }
    let to = compose::recipients(&mut session, &[original.from.to_string()])?;
    let draft = compose::answer(&session, (&found, &original), MessageType::Ack, body)?;
    compose::send(&session, draft, to, args.report)
}
