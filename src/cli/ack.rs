use super::compose::{self, Reporting};
use super::print;
use super::session::Session;
use crate::core::message::MessageType;
use crate::store::post::NewMessage;
use anyhow::Result;

/// Acknowledge a message; only a recipient can do this
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg ack p5kg9tyf\n  swarm-msg ack p5kg \"will do, after the parser\""
)]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: String,
    /// An optional note for the sender; `-` reads it from standard input
    #[arg(default_value = "acknowledged")]
    note: String,
    #[command(flatten)]
    report: Reporting,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let body = compose::body(&args.note)?;
    let mut session = Session::open()?;
    session.prove()?;
    let (found, original) = session.find(&args.id, true)?;
    if !session.store.receipt(&found, true)? {
        return print::out(&format!("{} was acknowledged before\n", original.id));
    }
    let to = compose::recipients(&mut session, &[original.from.to_string()])?;
    let answers = Some((original.id.clone(), original.thread.clone()));
    let draft = NewMessage { answers, ..compose::draft(&session, Vec::new(), MessageType::Ack, body) };
    compose::send(&session, draft, to, args.report)
}
