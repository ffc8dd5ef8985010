use super::print;
use super::session::Session;
use crate::core::frame;
use crate::core::message::Verified;
use crate::core::plural::plural;
use crate::store::mail::Folder;
use crate::store::now_ms;
use anyhow::Result;
use serde_json::json;

/// List your unread messages; marks nothing read
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg inbox\n  swarm-msg inbox --all --limit 20")]
pub(super) struct Args {
    /// Also list read messages
    #[arg(long)]
    pub(super) all: bool,
    /// Show only the newest N
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let (owner, aliases) = (&session.caller.name, &session.caller.aliases);
    let unread = session.store.unread(owner, aliases)?;
    let mut refused = unread.refused;
    let mut listed: Vec<_> = unread.messages.into_iter().map(|m| (m, false)).collect();
    if args.all {
        let read = session.store.mail(owner, aliases, Folder::Cur)?;
        refused.extend(read.refused);
        listed.extend(read.messages.into_iter().map(|m| (m, true)));
        listed.sort_by_key(|(m, _)| (m.created, m.sequence));
    }
    let total = listed.len();
    if let Some(limit) = args.limit {
        listed.drain(..total.saturating_sub(limit));
    }
    print::refused(&refused);
    if args.json {
        let one = |(m, read): &(Verified, bool)| {
            // Who read it, or acknowledged it.
            let by = session.store.delivery(owner, &m.id).ok().flatten().and_then(|d| d.by);
            json!({"read": read, "by": by, "message": print::message_json(m)})
        };
        let messages: Vec<_> = listed.iter().map(one).collect();
        return print::object(json!({"name": owner, "messages": messages, "refused": refused.len()}));
    }
    if listed.is_empty() {
        return print::out(&format!("no unread messages for {owner}\n"));
    }
    let now = now_ms();
    let mut text = String::new();
    for (m, read) in &listed {
        let marks = match (read, m.ack_required, m.urgent) {
            (true, ..) => "read",
            (_, true, true) => "urgent, wants ack",
            (_, true, false) => "wants ack",
            (_, false, true) => "urgent",
            _ => "",
        };
        text.push_str(&format!(
            "{} {:>4}  {:<14} {:<14} {}{}{}\n",
            m.id,
            print::age(m.created, now),
            m.from,
            m.kind,
            frame::preview(m.body.as_str()),
            if marks.is_empty() { "" } else { "  " },
            marks
        ));
    }
    if listed.len() < total {
        text.push_str(&format!("not shown: {}\n", plural(total - listed.len(), "older message")));
    }
    text.push_str("read one: swarm-msg read ID; answer: swarm-msg reply ID \"...\"\n");
    print::out(&text)
}
