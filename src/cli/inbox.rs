use super::session::{self, Session};
use super::{here, print};
use crate::core::frame;
use crate::core::message::Verified;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::roster::projects;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use crate::view;
use crate::view::inbox::Mailbox;
use anyhow::Result;
use serde_json::json;

/// List your unread messages; marks nothing read
///
/// With --open you read them as a whole, and answer and acknowledge them with keys, including those of other projects
/// on the tmux server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg inbox\n  swarm-msg inbox --all --limit 20\n  swarm inbox --open"
)]
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
    /// Read and answer in this terminal
    #[arg(long, conflicts_with_all = ["all", "limit", "json"])]
    pub(super) open: bool,
    /// The pane below the popup
    #[arg(long, hide = true, requires = "open")]
    pub(super) pane: Option<String>,
}

/// Opens the inbox of the project, or of all projects on the tmux server if there is none here.
fn open(args: &Args) -> Result<()> {
    if !print::is_interactive() {
        return Err(
            Refusal::Usage("--open needs a terminal; scripts read `swarm inbox --json`".into()).into()
        );
    }
    let (server, dir) = (Server::current(), session::here()?);
    let own = match &args.pane {
        Some(pane) => projects::of_pane(&server, pane, &dir),
        None => Store::root_for_caller(&dir),
    };
    let mut mailboxes = Vec::new();
    if let Some(root) = &own {
        mailboxes.push(Mailbox { store: Store::open_root(root)?, label: projects::name(root) });
    }
    if args.pane.is_some() || !Store::is_root_forced() {
        let others = here::others(&server, own.as_deref());
        mailboxes.extend(others.map(|p| Mailbox { label: p.label, store: p.store }));
    }
    let Some(first) = mailboxes.first() else { return Err(here::nowhere(&dir, &server)) };
    if !Session::look_in(first.store.clone())?.is_human() {
        let text = "--open is for the person at the keyboard; an agent reads its mail with swarm-msg read";
        return Err(Refusal::Usage(text.into()).into());
    }
    for mailbox in &mailboxes {
        start::revive(&mailbox.store);
    }
    view::inbox::run(&mailboxes, own.is_some())
}

pub(super) fn run(args: &Args) -> Result<()> {
    if args.open {
        return open(args);
    }
    let session = Session::open()?;
    let (owner, aliases) = (&session.caller.name, &session.caller.aliases);
    let unread = session.store.unread(owner, aliases)?;
    let mut refused = unread.refused;
    let mut listed: Vec<_> = unread.messages.into_iter().map(|m| (m, false)).collect();
    if args.all {
        let read = session.store.mail(owner, aliases, Folder::Cur)?;
        refused.extend(read.refused);
        listed.extend(read.messages.into_iter().map(|m| (m, true)));
        order::sort_by_key(&mut listed, |(m, _)| (m.created, m.sequence));
    }
    let total = listed.len();
    if let Some(limit) = args.limit {
        listed.drain(..total.saturating_sub(limit));
    }
    print::refused(&refused);
    if args.json {
        let one = |(m, read): &(Verified, bool)| {
            // The evidence for who read or acknowledged it.
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
        let marks = if *read { "read".to_owned() } else { m.marks_in_a_list() };
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
    let hint = if session.is_human() {
        "read and answer by keys: swarm inbox --open; read one: swarm read ID; answer: swarm reply ID \"...\"\n"
    } else {
        "read one: swarm-msg read ID; answer: swarm-msg reply ID \"...\"\n"
    };
    text.push_str(hint);
    print::out(&text)
}
