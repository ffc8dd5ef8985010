use super::compose::{self, IntentFlags, Reporting};
use super::session::Session;
use crate::core::message::MessageType;
use crate::store::post::NewMessage;
use anyhow::Result;

/// Send a message to agents, to a group, to all of them, or to the human
///
/// The signed text arrives in the recipient's prompt, once: by the agent's own channel at once, or in its pane when
/// the agent is idle and its composer empty. The command prints the progress for up to 2 s and ends with 0, because
/// the message is on disk; --no-wait ends at once. If one of several recipients does not exist, the others still get
/// it, and the command reports the name and ends with 5.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg send reviewer \"is the parser done?\"\n  swarm-msg send claude-1,codex-1 --type REVIEW-REQUEST --ack \"see src/parse.rs\"\n  swarm-msg send @api --reply \"who takes the login?\"\n  swarm-msg send @all --fyi \"the parser is merged\"\n  git diff | swarm-msg send @all -"
)]
pub(super) struct Args {
    /// The recipients: a name, several separated by commas, @all, a group such as @api, or human; in a team also
    /// HOST/NAME and @team
    to: String,
    /// The text, in one argument; - reads it from standard input
    body: String,
    /// QUESTION, REVIEW-REQUEST, BLOCKED, COMPLETED, CHALLENGE, INFO or ACK
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = "INFO")]
    kind: MessageType,
    /// More recipients
    #[arg(long = "also", value_name = "NAME")]
    also: Vec<String>,
    #[command(flatten)]
    intent: IntentFlags,
    /// Ask for an acknowledgement
    #[arg(long)]
    ack: bool,
    /// Deliver before other waiting mail
    #[arg(long)]
    urgent: bool,
    /// Your own name; the command refuses it if you are somebody else
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    #[command(flatten)]
    report: Reporting,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let intent = args.intent.intent(args.ack)?;
    let body = compose::body(&args.body)?;
    let mut session = Session::open_as(args.from.as_deref())?;
    compose::check_from(&session, args.from.as_deref())?;
    let lists: Vec<String> = std::iter::once(args.to.clone()).chain(args.also.iter().cloned()).collect();
    let (to, unknown) = compose::reachable(&mut session, &lists)?;
    let draft = NewMessage {
        ack: args.ack,
        urgent: args.urgent,
        intent,
        ..compose::draft(&session, Vec::new(), args.kind, body)
    };
    compose::send_but(&session, draft, to, args.report, &unknown)
}
