use super::print;
use super::session::Session;
use crate::store::now_ms;
use anyhow::Result;

/// Show any message of the project, verified; changes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg show p5kg9tyf\n  swarm-msg show p5kg --json")]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::look()?;
    let (_, message) = session.find(&args.id, false)?;
    if args.json {
        return print::object(serde_json::json!({"message": print::message_json(&message)}));
    }
    print::out(&print::message(&message, now_ms()))
}
