//! Shared by `send`, `reply`, `ack` and `resend`: sends a message, and shows its progress.

use super::session::Session;
use super::{away, print};
use crate::core::address::HostName;
use crate::core::answers;
use crate::core::body::Body;
use crate::core::delivery::{Pause, Progress, Stage};
use crate::core::escape;
use crate::core::few::Few;
use crate::core::id::MessageId;
use crate::core::message::{
    Identity, Intent, MAX_RECIPIENTS, Message, MessageType, Verified, parse_file_name,
};
use crate::core::name::Name;
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::core::span;
use crate::courier::start;
use crate::os::caller::Caller;
use crate::roster::witness::{self, Vouched};
use crate::store::Store;
use crate::store::mail::{Folder, MessageRef};
use crate::store::post::NewMessage;
use crate::tmux::Server;
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Read;
use std::time::{Duration, Instant};

/// How long a sender waits to see its message submitted.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Reporting {
    /// Return as soon as the message is on disk; do not wait up to 2 s to see it submitted
    #[arg(long)]
    no_wait: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Reporting {
    /// For a command that sends something in addition to its task.
    pub(super) fn aside(json: bool) -> Self {
        Self { no_wait: json, json }
    }

    /// Reports that there was nothing to send.
    pub(super) fn nothing(self, why: &str) -> Result<()> {
        if self.json {
            return print::object(json!({"sent": false, "detail": why}));
        }
        print::out(&format!("{why}\n"))
    }

    /// Reports the same for each of several messages.
    pub(super) fn all_settled(self, messages: &[Verified], why: &str) -> Result<()> {
        if self.json {
            let one = |m: &Verified| json!({"id": m.id, "sent": false, "detail": why});
            return print::object(json!({"messages": messages.iter().map(one).collect::<Vec<_>>()}));
        }
        let line = |m: &Verified| format!("{} from {} to {} {why}\n", m.id, m.from, names(&m.to));
        print::out(&messages.iter().map(line).collect::<String>())
    }

    /// Reports that there was nothing to send about a message.
    pub(super) fn settled(self, id: &MessageId, why: &str) -> Result<()> {
        if self.json {
            return print::object(json!({"id": id, "sent": false, "detail": why}));
        }
        print::out(&format!("{id} {why}\n"))
    }
}

/// The intent.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct IntentFlags {
    /// No answer is wanted: the message is for information
    #[arg(long)]
    fyi: bool,
    /// An answer is wanted
    #[arg(long)]
    reply: bool,
    /// The reader should do something, and answer when it is done
    #[arg(long)]
    action: bool,
}

impl IntentFlags {
    /// The intent. An acknowledgement cannot be requested if no answer is wanted.
    pub(super) fn intent(self, ack: bool) -> Result<Option<Intent>> {
        if self.fyi && ack {
            let text = "--fyi says that no answer is wanted, and --ack asks for one: leave one of them out";
            return Err(Refusal::Usage(text.into()).into());
        }
        let given = [(self.fyi, Intent::Fyi), (self.reply, Intent::Reply), (self.action, Intent::Action)];
        Ok(given.into_iter().find_map(|(is_given, intent)| is_given.then_some(intent)))
    }
}

/// The body from the command line; `-` reads it from standard input.
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

/// A new message from the caller.
pub(super) fn draft(session: &Session, to: Vec<Name>, kind: MessageType, body: Body) -> NewMessage {
    let Caller { name, identity, .. } = &session.caller;
    NewMessage::new(name.clone(), *identity, to, kind, body)
}

/// A new message from the caller that answers a message in its mailbox.
pub(super) fn answer(
    session: &Session,
    (found, original): (&MessageRef, &Verified),
    kind: MessageType,
    body: Body,
) -> Result<NewMessage> {
    let delivery = session.store.delivery(&found.mailbox, &original.id)?;
    Ok(NewMessage {
        answers: Some((original.id.clone(), original.thread.clone())),
        round: answers::next(original, delivery.as_ref(), session.is_human()),
        ..draft(session, Vec::new(), kind, body)
    })
}

/// An unknown name, and the error about it.
type Missing = (String, String);

/// Sends `draft` to these recipients and reports.
pub(super) fn send(session: &Session, draft: NewMessage, to: To, report: Reporting) -> Result<()> {
    send_but(session, draft, to, report, &[])
}

/// Sends `draft` to the known recipients, and reports these and the `unknown` ones.
pub(super) fn send_but(
    session: &Session,
    draft: NewMessage,
    to: To,
    report: Reporting,
    unknown: &[Refusal],
) -> Result<()> {
    let draft = NewMessage { to: to.here, groups: to.groups, ..draft };
    if let ([first, ..], [], true) = (unknown, &draft.to[..], to.away.is_empty()) {
        return Err(first.clone().into());
    }
    let sent = if to.away.is_empty() { Vec::new() } else { away::post(session, &draft, &to.away)? };
    let here = (!draft.to.is_empty() || sent.is_empty()).then(|| post(session, draft));
    let far = away::follow(session, &sent, report.no_wait, PATIENCE)?;
    let message = match here {
        Some(Ok(message)) => message,
        Some(Err(why)) if far.is_empty() => return Err(why),
        // Letters that went to other hosts must not be sent again.
        Some(Err(why)) => {
            away::tell(&far, report.json)?;
            return Err(print::told(why));
        }
        None => {
            away::tell(&far, report.json)?;
            let Some(first) = unknown.first() else { return Ok(()) };
            return Err(print::told(Refusal::Partly(format!("not sent to all: {first}. The others got it"))));
        }
    };
    let missing: Vec<Missing> = unknown
        .iter()
        .map(|refusal| match refusal {
            Refusal::UnknownAgent { asked, .. } | Refusal::Ended { asked, .. } => {
                (asked.clone(), refusal.to_string())
            }
            other => (String::new(), other.to_string()),
        })
        .collect();
    let (states, courier) = follow(session, &message, report, Instant::now() + PATIENCE)?;
    if report.json && !far.is_empty() {
        // A script gets one object.
        let mut object = as_object(&message, &states, &missing, courier);
        object["away"] = away::objects(&far).into();
        print::object(object)?;
    } else {
        away::tell(&far, false)?;
        tell(&session.store, &message, (&states, &missing), courier, report)?;
    }
    let Some((_, first)) = missing.first() else { return Ok(()) };
    let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
    let text = format!(
        "not sent to {}: {first}. The others got it as {}: do not send it to them again",
        names.join(", "),
        message.id
    );
    Err(print::told(Refusal::Partly(text)))
}

/// Makes `draft` durable.
pub(super) fn post(session: &Session, mut draft: NewMessage) -> Result<Message> {
    for names in [&mut draft.to, &mut draft.groups] {
        order::sort(names);
        names.dedup();
    }
    if draft.to.is_empty() {
        return Err(Refusal::Usage("there is nobody else to send this to".into()).into());
    }
    if draft.to.len() > MAX_RECIPIENTS {
        return Err(Refusal::Usage(format!("at most {MAX_RECIPIENTS} recipients are allowed")).into());
    }
    if draft.identity == Identity::Env
        && witness::ask(&session.store, &draft.from, witness::FOR_A_MESSAGE)? == Vouched::Own
    {
        draft.identity = Identity::Namespace;
    }
    session.store.post(draft, session.rate()?)
}

/// Wakes the courier and reports the progress of the message.
pub(super) fn watch(session: &Session, message: &Message, report: Reporting) -> Result<()> {
    let (states, courier) = follow(session, message, report, Instant::now() + PATIENCE)?;
    tell(&session.store, message, (&states, &[]), courier, report)
}

/// Wakes the courier and reports the progress of several messages, in 2 s for all of them.
pub(super) fn watch_all(session: &Session, messages: &[Verified], report: Reporting) -> Result<()> {
    let mut all = Vec::new();
    let until = Instant::now() + PATIENCE;
    for message in messages {
        let (states, courier) = follow(session, message, report, until)?;
        if report.json {
            all.push(as_object(message, &states, &[], courier));
        } else {
            tell(&session.store, message, (&states, &[]), courier, report)?;
        }
    }
    if report.json { print::object(json!({"messages": all})) } else { Ok(()) }
}

/// Wakes the courier and follows the message to its end, or until this time. Also returns whether a courier runs.
fn follow(
    session: &Session,
    message: &Message,
    report: Reporting,
    until: Instant,
) -> Result<(Vec<(Name, Progress)>, bool)> {
    let store = &session.store;
    // The agents' own server: the sender may be outside tmux, or in another server.
    let known = session.agents.iter().find(|a| a.is_live() && message.to.contains(&a.name));
    let server = known.map_or_else(Server::current, |a| Server::new(&a.place.socket));
    let courier = start::ensure(store, &server).unwrap_or(false);
    let mut states = look(session, message)?;
    while courier
        && !report.no_wait
        && Instant::now() < until
        && states.iter().any(|(n, way)| !n.is_human() && is_fresh(way))
    {
        std::thread::sleep(Duration::from_millis(10));
        states = look(session, message)?;
    }
    if courier {
        for (name, way) in &mut states {
            name_stopped(store, name, way);
        }
    }
    Ok((states, courier))
}

/// If a message waits without a reason and the courier is stopped, adds that reason.
pub(super) fn name_stopped(store: &Store, name: &Name, way: &mut Progress) {
    if way.stage == Stage::Queued
        && way.detail.is_empty()
        && !name.is_human()
        && let Some(pid) = start::stopped(store)
    {
        way.detail = format!("the courier is {}", stopped(pid));
    }
}

/// The text about a stopped courier.
pub(super) fn stopped(pid: i32) -> String {
    format!("stopped: `kill -CONT {pid}` continues it")
}

/// Whether waiting a little longer may show more.
fn is_fresh(way: &Progress) -> bool {
    way.stage == Stage::Queued || way.stage.is_under_way()
}

fn look(session: &Session, message: &Message) -> Result<Vec<(Name, Progress)>> {
    message.to.iter().map(|name| Ok((name.clone(), standing(session, name, message)?))).collect()
}

/// The progress of a message for one recipient.
pub(super) fn standing(session: &Session, name: &Name, message: &Message) -> Result<Progress> {
    let mut way = progress(&session.store, name, message)?;
    // The reason in the record is from the time when its agent ran.
    if way.stage.is_open() && session.agent(name).is_none() && session.ended(name).is_some() {
        way.detail = match session.awaited(name) {
            Some((_, left_ms)) => format!(
                "the agent has ended; the message waits another {} for it to be started again",
                span::rest(left_ms)
            ),
            None => "the agent has ended, and was not started again".to_owned(),
        };
        if way.stage == Stage::Queued {
            way.stage = Stage::Held;
        }
    }
    Ok(way)
}

/// The progress of a message by the records. A message in a bundle has the progress of the bundle, and one behind a
/// held message is held for the same reason.
fn progress(store: &Store, name: &Name, message: &Message) -> Result<Progress> {
    let known = store.delivery(name, &message.id)?;
    let mut way = known.map_or_else(|| Progress::queued(message.created), |d| d.way);
    if way.stage.is_open() && store.mail_file(name, Folder::Cur, &message.file_name()).exists() {
        // It was read, and a crash came before the mark.
        way.advance(Stage::Read, "", way.since);
        return Ok(way);
    }
    let waits = matches!(way.stage, Stage::Queued | Stage::Held) && !name.is_human();
    if waits && let Some(bundle) = store.bundle_with(name, &message.id)? {
        return Ok(bundle.way_of_member());
    }
    if way.stage == Stage::Queued && waits {
        for file in store.mail_files(name, Folder::New)? {
            let Some((_, first)) = parse_file_name(&file) else { continue };
            if let Some(held) =
                store.delivery(name, &first)?.filter(|d| d.way.stage.is_open() && d.id != message.id)
                && held.pause != Some(Pause::Held)
                && !held.way.detail.is_empty()
            {
                way.stage = Stage::Held;
                // An urgent message goes before the others, but it waits for the same reason.
                way.detail = if message.urgent {
                    held.way.detail
                } else {
                    format!("{first} goes first, and {}", held.way.detail)
                };
                break;
            }
        }
    }
    Ok(way)
}

/// Wakes the courier and returns the progress of the message, as JSON.
pub(super) fn watched(session: &Session, message: &Message, report: Reporting) -> Result<Value> {
    let (states, courier) = follow(session, message, report, Instant::now() + PATIENCE)?;
    Ok(as_object(message, &states, &[], courier))
}

fn tell(
    store: &Store,
    message: &Message,
    (states, missing): (&[(Name, Progress)], &[Missing]),
    courier: bool,
    report: Reporting,
) -> Result<()> {
    if report.json {
        return print::object(as_object(message, states, missing, courier));
    }
    let text: String =
        states.iter().map(|(name, d)| format!("{} {}\n", message.id, sentence(name, d))).collect();
    print::out(&text)?;
    if !courier && message.to.iter().any(|n| !n.is_human()) {
        print::tell(if store.is_retired() {
            "the message is stored, but swarm was uninstalled here, so no courier runs; `swarm discover` starts it again"
        } else {
            "the message is stored, but no courier runs and none can be started from here; it is typed once any swarm command runs inside tmux"
        });
    }
    Ok(())
}

/// The progress of a message, as JSON.
fn as_object(message: &Message, states: &[(Name, Progress)], missing: &[Missing], courier: bool) -> Value {
    let known =
        states.iter().map(|(name, d)| json!({"name": name, "stage": d.stage.word(), "detail": d.detail}));
    let unknown = missing.iter().map(|(name, why)| json!({"name": name, "stage": "not-sent", "detail": why}));
    let recipients: Vec<_> = known.chain(unknown).collect();
    json!({"id": message.id, "courier": courier, "recipients": recipients})
}

fn names(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// One recipient's state in words.
pub(super) fn sentence(name: &Name, delivery: &Progress) -> String {
    let detail = escape::short(&delivery.detail, 200);
    match delivery.stage {
        Stage::Queued if name.is_human() => format!("{name}: in the inbox"),
        Stage::Held => format!("{name}: held: {detail}"),
        stage if detail.is_empty() => format!("{name}: {}", stage.word()),
        stage => format!("{name}: {} ({detail})", stage.word()),
    }
}

/// The recipients of a message.
#[derive(Debug, Default)]
pub(super) struct To {
    /// On this host.
    pub(super) here: Vec<Name>,
    /// The groups in the address; `all` stands for everybody.
    pub(super) groups: Vec<Name>,
    /// On other hosts of the team.
    pub(super) away: Few<HostName, Vec<Name>>,
}

/// The recipients in `list` (comma-separated; `all` or `@all` is everybody else here, `@team` on all hosts, `@` and
/// another name a group). All of them must be known.
pub(super) fn recipients(session: &mut Session, lists: &[String]) -> Result<To> {
    let (to, unknown) = reachable(session, lists)?;
    unknown.into_iter().next().map_or(Ok(to), |refusal| Err(refusal.into()))
}

/// [`recipients`], and the refusals for unknown ones.
pub(super) fn reachable(session: &mut Session, lists: &[String]) -> Result<(To, Vec<Refusal>)> {
    let (mut all, mut unknown) = (To::default(), Vec::new());
    for given in lists.iter().flat_map(|l| l.split(',')).map(str::trim) {
        let asked = given.trim_start_matches('@');
        if asked == "team" || asked.contains('/') {
            away::resolve(session, asked, &mut all.away, &mut unknown)?;
        }
        if asked.contains('/') {
            continue;
        }
        if asked == "all" || asked == "team" {
            if !session.agents.iter().any(|a| a.is_live() && a.name != session.caller.name) {
                session.rediscover();
            }
            let to = &mut all.here;
            to.extend(session.agents.iter().filter(|a| a.is_live()).map(|a| a.name.clone()));
            to.retain(|n| *n != session.caller.name);
            all.groups.extend(Name::new("all"));
            continue;
        }
        if let Some(group) = given.strip_prefix('@')
            && let Some(members) = members(session, group)?
        {
            all.groups.extend(Name::new(group));
            for name in &members {
                reach(session, name, name.as_str(), &mut all.here, &mut unknown);
            }
            continue;
        }
        let Ok(name) = Name::new(asked) else {
            unknown.push(session.unknown(given));
            continue;
        };
        if name.is_system() {
            return Err(Refusal::Usage("that is a notice of swarm: nobody reads an answer".into()).into());
        }
        reach(session, &name, given, &mut all.here, &mut unknown);
    }
    Ok((all, unknown))
}

/// The members of a group, without the caller; `None`: there is no such group. Refuses a group without any other
/// member.
fn members(session: &Session, group: &str) -> Result<Option<Vec<Name>>> {
    let groups = session.store.groups()?;
    let Some(all) = groups.members(group) else { return Ok(None) };
    let own = &session.caller;
    let others: Vec<Name> =
        all.iter().filter(|name| **name != own.name && !own.aliases.contains(name)).cloned().collect();
    if others.is_empty() {
        let why = if all.is_empty() { "has no members" } else { "has no member but you" };
        let text = format!("@{group} {why}: swarm group add {group} AGENT...");
        return Err(Refusal::Usage(text).into());
    }
    Ok(Some(others))
}

/// Adds the recipient `name`, which was given as `given`, or its refusal if it is unknown.
fn reach(session: &mut Session, name: &Name, given: &str, to: &mut Vec<Name>, unknown: &mut Vec<Refusal>) {
    if name.is_human() {
        return to.push(name.clone());
    }
    if session.agent(name).is_none() {
        session.rediscover();
    }
    // An agent that has just ended may be started again, and its mail waits for that.
    match session.agent(name).or_else(|| session.awaited(name).map(|(ended, _)| ended)) {
        Some(agent) => to.push(agent.name.clone()),
        None => unknown.push(session.unknown(given)),
    }
}

/// Refuses a `--from` that is not the caller's own name.
pub(super) fn check_from(session: &Session, from: Option<&str>) -> Result<()> {
    match from {
        Some(claimed) if claimed != session.caller.name.as_str() => Err(Refusal::Usage(format!(
            "you are {} (known by {}), so you cannot send a message as '{}'",
            session.caller.name,
            session.caller.identity.word(),
            crate::core::escape::short(claimed, 40)
        ))
        .into()),
        _ => Ok(()),
    }
}
