use super::session::{self, Session};
use super::{compose, dead, print};
use crate::core::ack::AckClock;
use crate::core::delivery::{Progress, Stage};
use crate::core::escape;
use crate::core::message::Identity;
use crate::core::name::Name;
use crate::core::order;
use crate::core::plural::plural;
use crate::courier::start;
use crate::roster::projects;
use crate::store::mail::Folder;
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::json;

/// Show the progress of a message for each recipient, and why it waits; without an id, show the project at a glance
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm status\n  swarm-msg status p5kg9tyf")]
pub(super) struct Args {
    /// The message's id, or at least 4 characters of its beginning
    id: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::look()?;
    match &args.id {
        Some(id) => one(&session, id, args.json),
        None => glance(&session, args.json),
    }
}

#[inline(never)]
fn one(session: &Session, id: &str, json: bool) -> Result<()> {
    let found = session.find(id, false);
    if found.is_err() && session.store.has_team() && id.len() >= crate::core::id::MIN_PREFIX {
        let away = session.store.find_away(id)?;
        if let [sent, ..] = &away[..] {
            if json {
                return print::object(super::away::as_object(sent));
            }
            return print::out(&super::away::lines(sent));
        }
    }
    let (_, message) = found?;
    let mut states: Vec<(Name, Progress, Option<AckClock>, Option<Identity>)> = Vec::new();
    for addressed in &message.to {
        // A renamed recipient's mail has moved with it, and stays there when that agent ends.
        let bearer = session.agent(addressed).or_else(|| session.ended(addressed));
        let name = bearer.map_or(addressed, |a| &a.name);
        let (ack, by) = session.store.delivery(name, &message.id)?.map(|d| (d.ack, d.by)).unwrap_or_default();
        let mut way = compose::standing(session, name, &message)?;
        compose::name_stopped(&session.store, name, &mut way);
        states.push((name.clone(), way, ack, by));
    }
    if json {
        let recipients: Vec<_> = states
            .iter()
            .map(|(name, way, ack, by)| {
                let reminders = ack.as_ref().map_or(0, |a| a.rings);
                let escalated = ack.as_ref().is_some_and(|a| a.escalated);
                json!({
                    "name": name, "stage": way.stage.word(), "detail": way.detail, "since": way.since,
                    "reminders": reminders, "escalated": escalated, "by": by,
                })
            })
            .collect();
        return print::object(json!({"id": message.id, "from": message.from, "recipients": recipients}));
    }
    let now = now_ms();
    let line = |(name, way, ack, by): &(Name, Progress, Option<AckClock>, Option<Identity>)| {
        let waits = match ack {
            Some(clock) if way.stage == Stage::Acked || clock.rings == 0 && !clock.escalated => String::new(),
            Some(clock) if clock.escalated => {
                format!(", unacknowledged after {}", plural(clock.rings as usize, "reminder"))
            }
            Some(clock) => format!(", {} sent", plural(clock.rings as usize, "reminder")),
            None => String::new(),
        };
        let by = if *by == Some(Identity::Env) { ", identity: env, not proved" } else { "" };
        format!("{}, for {}{waits}{by}\n", compose::sentence(name, way), print::age(way.since, now))
    };
    let text: String = states.iter().map(line).collect();
    print::out(&format!("{} {} from {}\n{text}", message.id, message.kind, message.from))
}

/// A text that `$SWARM_ROOT` chose the project, if the working directory is in another one.
fn forced(store: &Store) -> String {
    let around = session::here().ok().and_then(|here| Store::root_around(&here));
    let other = around.filter(|root| Store::is_root_forced() && root != store.root());
    let told = |root: std::path::PathBuf| {
        format!(
            " (the project {}, by SWARM_ROOT; this directory is in the project {})",
            projects::name(store.root()),
            projects::name(&root)
        )
    };
    other.map(told).unwrap_or_default()
}

#[inline(never)]
fn glance(session: &Session, json: bool) -> Result<()> {
    let store = &session.store;
    let live: Vec<_> = session.agents.iter().filter(|a| a.is_live()).collect();
    let mut unread = Vec::new();
    for name in store.mailboxes()? {
        let count = store.count_unread(&name)?;
        if count > 0 {
            unread.push((name, count));
        }
    }
    let awaited: Vec<usize> = store
        .mailboxes()?
        .iter()
        .map(|name| Ok(store.mail_files(name, Folder::Unacked)?.len()))
        .collect::<Result<_>>()?;
    let (awaited, dead) = (awaited.iter().sum::<usize>(), dead::letters(store, session.everyone())?.len());
    let (courier, quarantined) = (store.ring()?, store.quarantined()?);
    let stopped = start::stopped(store).filter(|_| courier);
    if json {
        let unread: serde_json::Map<String, serde_json::Value> =
            order::collect(unread.into_iter().map(|(n, c)| (n.to_string(), c.into())));
        return print::object(json!({
            "root": store.root(), "agents": live.len(), "courier": courier, "unread": unread,
            "unacknowledged": awaited, "dead_letters": dead, "quarantined": quarantined,
            "courier_stopped": stopped.is_some(),
        }));
    }
    let how = match stopped {
        Some(pid) => compose::stopped(pid),
        None if courier => "running".to_owned(),
        None => "not running".to_owned(),
    };
    let mut text = format!(
        "{}{}\n{}, courier {how}\n",
        escape::line(&store.root().display().to_string()),
        forced(store),
        plural(live.len(), "agent")
    );
    for (name, count) in unread {
        text.push_str(&format!("{name}: {count} unread\n"));
    }
    if awaited > 0 {
        text.push_str(&format!("{} awaited\n", plural(awaited, "acknowledgement")));
    }
    if dead > 0 {
        text.push_str(&format!("{} (swarm dead)\n", plural(dead, "dead letter")));
    }
    if quarantined > 0 {
        text.push_str(&format!(
            "{} in {}\n",
            plural(quarantined, "damaged or forged record"),
            escape::line(&store.dir().join("quarantine").display().to_string())
        ));
    }
    print::out(&text)
}
