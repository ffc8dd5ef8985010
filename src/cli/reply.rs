use super::compose::{self, IntentFlags, Reporting};
use super::session::Session;
use crate::core::message::MessageType;
use crate::store::post::NewMessage;
use anyhow::Result;

/// Answer a message in its thread; also marks it as read, and acknowledges it if the sender asked for that
///
/// After 8 answers in a row between agents (`agents.answers`) the next one is held until a person releases it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg reply p5kg9tyf \"yes: 42 tests pass\"\n  cargo test 2>&1 | swarm-msg reply p5kg -"
)]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: String,
    /// The text, in one argument; - reads it from standard input
    body: String,
    /// QUESTION, REVIEW-REQUEST, BLOCKED, COMPLETED, CHALLENGE, INFO or ACK
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "INFO")]
    kind: MessageType,
    #[command(flatten)]
    intent: IntentFlags,
    /// Ask for an acknowledgement
    #[arg(long)]
    ack: bool,
    #[command(flatten)]
    report: Reporting,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let intent = args.intent.intent(args.ack)?;
    let body = compose::body(&args.body)?;
    let mut session = Session::open()?;
    session.prove()?;
    let (found, original) = session.find(&args.id, true)?;
    let to = compose::recipients(&mut session, &[original.from.to_string()])?;
    let draft = NewMessage {
        ack: args.ack,
        intent,
        ..compose::answer(&session, (&found, &original), args.kind, body)?
    };
    compose::send(&session, draft, to, args.report)?;
    // An answer proves that it was seen: no acknowledgement is awaited any more.
    session.store.receipt(&found, original.ack_required)?;
    Ok(())
}
