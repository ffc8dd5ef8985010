//! Messages to agents of other hosts: finds their recipients, and shows the progress of such a message.
//!
//! A message is durable here before the command ends; the link carries it.

use super::print;
use super::session::Session;
use crate::core::address::{Address, HostName};
use crate::core::delivery::{Progress, Stage};
use crate::core::escape;
use crate::core::few::Few;
use crate::core::message::Message;
use crate::core::name::Name;
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::store::post::NewMessage;
use crate::store::team::{Sent, there};
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Adds the recipients of `asked` on other hosts: `host/name`, or `team` for everybody.
pub(super) fn resolve(
    session: &Session,
    asked: &str,
    to: &mut Few<HostName, Vec<Name>>,
    unknown: &mut Vec<Refusal>,
) -> Result<()> {
    if asked != "team" && !session.store.has_team() {
        unknown.push(session.unknown(asked));
        return Ok(());
    }
    super::team::need(&session.store)?;
    let hosts = session.store.hosts()?.hosts;
    let own = session.store.membership()?.map(|me| me.host);
    let others = || hosts.iter().filter(|h| h.is_other(own.as_ref()));
    if asked == "team" {
        for host in others() {
            to.at(host.name.clone()).extend(host.members.iter().map(|m| m.name.clone()));
        }
        to.retain(|_, names| !names.is_empty());
        return Ok(());
    }
    let known =
        others().flat_map(|h| h.members.iter().map(|m| there(&h.name, &m.name).to_string())).collect();
    let refusal = Refusal::UnknownAgent { asked: escape::short(asked, 60), known };
    let Ok(Address { host: Some(host), name }) = Address::parse(asked) else {
        unknown.push(refusal);
        return Ok(());
    };
    match others().find(|h| h.name == host) {
        Some(card) if name.is_human() || card.members.iter().any(|m| m.name == name) => {
            to.at(host).push(name);
        }
        _ => unknown.push(refusal),
    }
    Ok(())
}

/// Posts a message to each of these hosts.
pub(super) fn post(
    session: &Session,
    draft: &NewMessage,
    to: &Few<HostName, Vec<Name>>,
) -> Result<Vec<(HostName, Message)>> {
    let mut sent = Vec::new();
    for (host, names) in to.iter() {
        let mut names = names.clone();
        order::sort(&mut names);
        names.dedup();
        // A group belongs to this host.
        let draft = NewMessage { to: names, groups: Vec::new(), ..draft.clone() };
        sent.push((host.clone(), session.store.post_away(draft, host, session.rate()?)?));
    }
    start::ensure_link(&session.store);
    Ok(sent)
}

/// The progress of these messages, after waiting a while.
pub(super) fn follow(
    session: &Session,
    sent: &[(HostName, Message)],
    no_wait: bool,
    patience: Duration,
) -> Result<Vec<Sent>> {
    let begun = Instant::now();
    let mut states = look(&session.store, sent)?;
    let waits = |states: &[Sent]| states.iter().any(|s| s.to.values().any(|way| way.stage < Stage::Typed));
    while !no_wait && begun.elapsed() < patience && waits(&states) {
        std::thread::sleep(Duration::from_millis(20));
        states = look(&session.store, sent)?;
    }
    Ok(states)
}

/// Reports the progress of these messages.
pub(super) fn tell(states: &[Sent], as_json: bool) -> Result<()> {
    if as_json {
        return print::object(json!({"away": objects(states)}));
    }
    print::out(&states.iter().map(lines).collect::<String>())
}

/// The progress of these messages, as JSON.
pub(super) fn objects(states: &[Sent]) -> Vec<Value> {
    states.iter().map(as_object).collect()
}

fn look(store: &Store, sent: &[(HostName, Message)]) -> Result<Vec<Sent>> {
    let mut all = Vec::new();
    for (_, message) in sent {
        all.extend(store.find_away(message.id.as_str())?);
    }
    Ok(all)
}

fn state(way: &Progress) -> String {
    let detail = escape::short(&way.detail, 200);
    match way.stage {
        Stage::Queued if !detail.is_empty() => detail,
        stage if detail.is_empty() => stage.word().to_owned(),
        stage => format!("{} ({detail})", stage.word()),
    }
}

/// The progress of such a message, one line per recipient.
pub(super) fn lines(sent: &Sent) -> String {
    let line = |(name, way): (&Name, &Progress)| {
        format!(
            "{} {}: {}, for {}\n",
            sent.id,
            there(&sent.host, name),
            state(way),
            print::age(way.since, now_ms())
        )
    };
    sent.to.iter().map(line).collect()
}

/// The progress of a message to another host, as JSON.
pub(super) fn as_object(sent: &Sent) -> Value {
    let recipients: Vec<Value> = (sent.to.iter())
        .map(|(name, way)| json!({"name": there(&sent.host, name), "stage": way.stage.word(), "detail": way.detail, "since": way.since}))
        .collect();
    json!({"id": sent.id, "from": sent.from, "recipients": recipients})
}
