use super::print;
use super::session::Session;
use crate::core::frame;
use crate::core::refusal::Refusal;
use anyhow::Result;

/// Check a "[swarm ...]" line you were shown: is it genuine, and for you?
///
/// Ends with 6 if no such message exists or its signature is another one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  swarm-msg verify \"[swarm p5kg9tyf QUESTION from claude-1 to codex-1 sig:4bc99d3d] is it done?\""
)]
pub(super) struct Args {
    /// The line as you saw it, or just the message's id
    line: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let claim = frame::parse(&args.line);
    let id = claim.as_ref().map_or(args.line.trim(), |c| c.id.as_str());
    let (_, message) = session.find(id, true).map_err(|error| match error.downcast::<Refusal>() {
        Ok(Refusal::Usage(text)) => Refusal::BadSignature(format!("not genuine: {text}")).into(),
        Ok(refusal) => refusal.into(),
        Err(error) => error,
    })?;
    if claim.is_some_and(|c| c.sig != message.short_sig()) {
        return Err(Refusal::BadSignature(format!(
            "not genuine: message {} bears another signature than this line shows",
            message.id
        ))
        .into());
    }
    print::out(&format!(
        "genuine: {} {} from {} (identity: {})\n",
        message.id,
        message.kind,
        message.from,
        message.identity.word()
    ))
}
