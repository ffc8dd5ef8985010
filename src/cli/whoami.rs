use super::print;
use super::session::Session;
use anyhow::Result;
use serde_json::json;

/// Show your name here, and the evidence for it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg whoami\n  swarm-msg whoami --json")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let (name, identity) = (&session.caller.name, session.caller.identity);
    if args.json {
        return print::object(json!({"name": name, "identity": identity}));
    }
    print::out(&format!("{name} (by {})\n", identity.word()))
}
