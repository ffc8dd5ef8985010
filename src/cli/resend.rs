use super::compose::{self, Reporting};
use super::session::Session;
use crate::core::answers;
use crate::core::delivery::Stage;
use crate::core::message::Verified;
use crate::core::refusal::Refusal;
use crate::store::mail::{Folder, MessageRef};
use crate::store::now_ms;
use crate::store::post::NewMessage;
use anyhow::Result;

/// Send a message again, for example a dead letter, to the same or other recipients
///
/// The copy is a new message with the same text, type and thread. Only the sender and the human can send a message
/// again. A dead letter leaves the list when it is sent again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm resend p5kg9tyf\n  swarm resend p5kg9tyf --to codex-1")]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: String,
    /// Other recipients: a name, several separated by commas, @all, a group such as @api, or human
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    #[command(flatten)]
    report: Reporting,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    let (found, original) = session.find(&args.id, false)?;
    let caller = &session.caller;
    let own =
        original.from == caller.name || original.from.local().is_some_and(|n| caller.aliases.contains(n));
    if !own && !caller.name.is_human() {
        let text = format!(
            "{} is from {}: only its sender and the human can send it again",
            original.id, original.from
        );
        return Err(Refusal::Usage(text).into());
    }
    let lists: Vec<String> = match &args.to {
        Some(to) => vec![to.clone()],
        None => original.to.iter().map(ToString::to_string).collect(),
    };
    let mut to = compose::recipients(&mut session, &lists)?;
    if args.to.is_none() {
        to.groups.clone_from(&original.groups);
    }
    let answers =
        Some((original.reply_to.clone().unwrap_or_else(|| original.id.clone()), original.thread.clone()));
    let draft = NewMessage {
        answers,
        ack: original.ack_required,
        urgent: original.urgent,
        intent: original.intent,
        round: round(&session, &found, &original)?,
        groups: to.groups,
        ..compose::draft(&session, to.here, original.kind, original.body.clone())
    };
    let sent = compose::post(&session, draft)?;
    // After the new message exists: after a crash in between, the dead letter was sent again, and is not lost.
    session.store.transact(|tx| {
        for name in &original.to {
            if let Some(mut delivery) = session.store.delivery(name, &original.id)?
                && delivery.way.stage == Stage::Failed
            {
                tx.mark_read(name, &original.file_name())?;
                delivery.way.detail = format!("sent again as {}", sent.id);
                delivery.way.since = now_ms();
                tx.put_delivery(name, &delivery)?;
            }
        }
        Ok(())
    })?;
    compose::watch(&session, &sent, args.report)
}

/// The copy's number of answers in a row: no less than that of an answer to the last message that the caller got in
/// the thread.
fn round(session: &Session, found: &MessageRef, original: &Verified) -> Result<u32> {
    let store = &session.store;
    let record = store.delivery(&found.mailbox, &original.id)?;
    if session.is_human() {
        return Ok(answers::again((original, record.as_ref()), None, true));
    }
    let mut last: Option<Verified> = None;
    for folder in [Folder::New, Folder::Given, Folder::Cur] {
        let got = store.mail(&session.caller.name, &session.caller.aliases, folder)?.messages;
        let later = got.into_iter().filter(|m| m.thread == original.thread && !m.from.is_system());
        last = last.into_iter().chain(later).max_by_key(|m| m.created);
    }
    let delivery = match &last {
        Some(last) => store.delivery(&session.caller.name, &last.id)?,
        None => None,
    };
    let last = last.as_ref().map(|last| (&**last, delivery.as_ref()));
    Ok(answers::again((original, record.as_ref()), last, false))
}
