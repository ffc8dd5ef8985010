//! Making a message durable and telling how far it came: what `send`, `reply` and `ack` share.
//!
//! Two short transactions with the slow part between them: the first takes a place in the rate window and a sequence
//! number, then the message is signed and fsynced without any lock, and the second puts it into all mailboxes at
//! once. A crash before the second loses a place in the window and nothing else.

use super::print;
use super::session::Session;
use crate::core::body::Body;
use crate::core::delivery::{Delivery, Stage};
use crate::core::id::MessageId;
use crate::core::message::{Identity, MAX_RECIPIENTS, MESSAGE_VERSION, Message, MessageType};
use crate::core::name::Name;
use crate::core::rate::Limit;
use crate::core::refusal::Refusal;
use crate::courier::{start, witness};
use crate::store::mail::{Folder, MAX_UNREAD};
use crate::store::{Store, entropy, fault, now_ms};
use crate::tmux::Server;
use anyhow::{Result, bail};
use serde_json::json;
use std::io::Read;
use std::time::{Duration, Instant};

/// How long a sender waits to see its message submitted.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a message is to be, before it has an id and a sequence.
pub(super) struct Draft {
    /// The recipients' current names.
    pub to: Vec<Name>,
    /// Its type.
    pub kind: MessageType,
    /// The message it answers, and that one's thread.
    pub answers: Option<(MessageId, MessageId)>,
    /// Whether it wants an acknowledgement.
    pub ack: bool,
    /// Whether it goes first.
    pub urgent: bool,
    /// The text.
    pub body: Body,
}

/// How to report.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Report {
    /// Return as soon as the message is durable, without waiting up to 2 s to see it submitted
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The body given on the command line; `-` reads it from standard input.
pub(super) fn body(text: &str) -> Result<Body> {
    let body = if text == "-" {
        let mut bytes = Vec::new();
        let limit = crate::core::body::MAX_BODY as u64 + 1;
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
        Body::from_bytes(&bytes)
    } else {
        Body::new(text)
    };
    body.map_err(|bad| Refusal::Usage(bad.to_string()).into())
}

/// Sends `draft` as the caller and reports.
pub(super) fn send(session: &mut Session, mut draft: Draft, report: Report) -> Result<()> {
    draft.to.sort();
    draft.to.dedup();
    if draft.to.is_empty() {
        return Err(Refusal::Usage("there is nobody else to send this to".into()).into());
    }
    if draft.to.len() > MAX_RECIPIENTS {
        return Err(Refusal::Usage(format!("at most {MAX_RECIPIENTS} recipients are taken")).into());
    }
    let store = session.store.clone();
    if session.caller.identity == Identity::Env && witness::ask(&store, &session.caller.name)? {
        session.caller.identity = Identity::Namespace;
    }
    let message = post(&store, session, draft)?;
    // The agents' own server: the sender may be outside tmux, or in another one.
    let known = session.agents.iter().find(|a| a.is_live() && message.to.contains(&a.name));
    let server = known.map_or_else(Server::current, |a| Server::new(&a.place.socket));
    let courier = start::ensure(&store, &server).unwrap_or(false);
    let begun = Instant::now();
    let mut states = look(&store, &message)?;
    while courier
        && !report.no_wait
        && begun.elapsed() < PATIENCE
        && states.iter().any(|(n, d)| !n.is_human() && is_fresh(d))
    {
        std::thread::sleep(Duration::from_millis(10));
        states = look(&store, &message)?;
    }
    tell(&message, &states, courier, report)
}

/// Whether waiting a little longer may show more.
fn is_fresh(delivery: &Delivery) -> bool {
    matches!(delivery.stage, Stage::Queued | Stage::Typing | Stage::Entering)
}

fn post(store: &Store, session: &Session, draft: Draft) -> Result<Message> {
    let sender = &session.caller.name;
    for name in &draft.to {
        store.ensure_mailbox(name)?;
    }
    let now = now_ms();
    let limit = limit()?;
    let sequence = store.transact(|tx| {
        full(store, &draft.to)?;
        let mut window = tx.sender(sender)?;
        let sequence = window.admit(limit, now).map_err(Refusal::RateLimited)?;
        tx.put_sender(sender, &window)?;
        Ok(sequence)
    })?;
    let id = MessageId::from_entropy(entropy()?);
    let (reply_to, thread) = match draft.answers {
        Some((original, thread)) => (Some(original), thread),
        None => (None, id.clone()),
    };
    let message = Message {
        version: MESSAGE_VERSION,
        id,
        sequence,
        from: sender.clone(),
        identity: session.caller.identity,
        to: draft.to,
        kind: draft.kind,
        thread,
        reply_to,
        ack_required: draft.ack,
        urgent: draft.urgent,
        created: now,
        body: draft.body,
    };
    fault::point("before-stage");
    let staged = store.stage(&store.key().sign(message.clone()))?;
    fault::point("before-post");
    store.transact(|tx| {
        full(store, &message.to)?;
        for name in &message.to {
            tx.post(&staged, name, &message.file_name())?;
        }
        let audit = tx.journal(
            "sent",
            json!({"id": message.id, "from": message.from, "to": message.to, "type": message.kind, "identity": message.identity}),
        );
        // The message is there: to call that a failure would make the sender send it again.
        if let Err(error) = audit {
            eprintln!("swarm: {}", crate::core::escape::line(&format!("not in the journal: {error:#}")));
        }
        Ok(())
    })?;
    for name in &message.to {
        store.sync_mailbox(name)?;
    }
    fault::point("after-post");
    Ok(message)
}

/// Refuses if a mailbox has no room: nothing is ever dropped to make some.
fn full(store: &Store, to: &[Name]) -> Result<()> {
    for name in to {
        let waiting = store.mail_files(name, Folder::New)?.len();
        if waiting >= MAX_UNREAD {
            bail!("the mailbox of {name} is full: {waiting} messages are unread; nothing was sent");
        }
    }
    Ok(())
}

/// `SWARM_RATE_LIMIT=COUNT/SECONDS`; by default 10/60, 0/60 switches it off.
fn limit() -> Result<Limit> {
    let Some(text) = std::env::var("SWARM_RATE_LIMIT").ok().filter(|t| !t.is_empty()) else {
        return Ok(Limit::default());
    };
    let parsed = text.split_once('/').and_then(|(count, seconds)| {
        let window_ms = seconds.parse::<u32>().ok().filter(|s| *s > 0)?;
        Some(Limit { count: count.parse().ok()?, window_ms: u64::from(window_ms) * 1000 })
    });
    parsed.ok_or_else(|| {
        let shown = crate::core::escape::short(&text, 30);
        Refusal::Usage(format!("SWARM_RATE_LIMIT is '{shown}'; it must be COUNT/SECONDS, such as 10/60"))
            .into()
    })
}

fn look(store: &Store, message: &Message) -> Result<Vec<(Name, Delivery)>> {
    let one = |name: &Name| -> Result<(Name, Delivery)> {
        let delivery = store.delivery(name, &message.id)?;
        Ok((name.clone(), delivery.unwrap_or_else(|| Delivery::queued(message.id.clone(), message.created))))
    };
    message.to.iter().map(one).collect()
}

fn tell(message: &Message, states: &[(Name, Delivery)], courier: bool, report: Report) -> Result<()> {
    if report.json {
        let recipients: Vec<_> = states
            .iter()
            .map(|(name, d)| json!({"name": name, "stage": d.stage.word(), "detail": d.detail}))
            .collect();
        return print::object(json!({"id": message.id, "courier": courier, "recipients": recipients}));
    }
    let text: String =
        states.iter().map(|(name, d)| format!("{} {}\n", message.id, sentence(name, d))).collect();
    print::out(&text)?;
    if !courier && message.to.iter().any(|n| !n.is_human()) {
        eprintln!(
            "swarm: the message is stored, but no courier runs and none can be started from here; it is typed once any swarm command runs inside tmux"
        );
    }
    Ok(())
}

/// One recipient's state in words.
pub(super) fn sentence(name: &Name, delivery: &Delivery) -> String {
    match delivery.stage {
        Stage::Queued if name.is_human() => format!("{name}: in the inbox"),
        Stage::Held => format!("{name}: queued: {}", delivery.detail),
        stage if delivery.detail.is_empty() => format!("{name}: {}", stage.word()),
        stage => format!("{name}: {} ({})", stage.word(), delivery.detail),
    }
}

/// The names that `list` (comma-separated; `all` or `@all` is everybody else) stands for.
pub(super) fn recipients(session: &mut Session, lists: &[String]) -> Result<Vec<Name>> {
    let mut to = Vec::new();
    for asked in lists.iter().flat_map(|l| l.split(',')).map(|n| n.trim().trim_start_matches('@')) {
        if asked == "all" {
            if !session.agents.iter().any(|a| a.is_live() && a.name != session.caller.name) {
                session.rediscover();
            }
            to.extend(session.agents.iter().filter(|a| a.is_live()).map(|a| a.name.clone()));
            to.retain(|n| *n != session.caller.name);
            continue;
        }
        let name = Name::new(asked).map_err(|_| session.unknown(asked))?;
        if name.is_human() {
            to.push(name);
            continue;
        }
        if session.agent(&name).is_none() {
            session.rediscover();
        }
        match session.agent(&name) {
            Some(agent) => to.push(agent.name.clone()),
            None => return Err(session.unknown(asked).into()),
        }
    }
    Ok(to)
}

/// Refuses a `--from` that is not the caller's own name.
pub(super) fn check_from(session: &Session, from: Option<&str>) -> Result<()> {
    match from {
        Some(claimed) if claimed != session.caller.name.as_str() => Err(Refusal::Usage(format!(
            "you are {}, by {}; a message cannot be sent as '{}'",
            session.caller.name,
            session.caller.identity.word(),
            crate::core::escape::short(claimed, 40)
        ))
        .into()),
        _ => Ok(()),
    }
}
