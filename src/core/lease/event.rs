//! What happened to leases: for the journal, and for those concerned.
//!
//! Every decision of the table leaves events, and nothing else tells anybody anything: so the journal, the statistics
//! and the messages cannot disagree. Pure.

use super::pattern::PathPattern;
use super::record::{Lease, Mode, Waiter};
use crate::core::escape;
use crate::core::message::MessageType;
use crate::core::name::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its holder gave it back.
    Released,
    /// Its holder's process had ended.
    Died,
    /// Its time was over and nothing else frees it.
    Expired,
    /// Its time was over, and its holder did not renew when asked.
    Lapsed,
    /// A person took it away.
    Forced,
    /// Its holder has it exclusively now, under another number.
    Upgraded,
}

impl End {
    /// The word in the journal.
    pub fn word(&self) -> &'static str {
        match self {
            End::Released => "released",
            End::Died => "died",
            End::Expired => "expired",
            End::Lapsed => "lapsed",
            End::Forced => "forced",
            End::Upgraded => "upgraded",
        }
    }
}

/// Why somebody waits no more without having been granted anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// It took the ticket back.
    Withdrawn,
    /// Its process had ended.
    Died,
    /// It waited as long as it wanted to.
    TimeOver,
    /// It did not take what was kept for it.
    OfferLapsed,
}

impl GaveUp {
    /// The word in the journal.
    pub fn word(self) -> &'static str {
        match self {
            GaveUp::Withdrawn => "withdrawn",
            GaveUp::Died => "died",
            GaveUp::TimeOver => "time-over",
            GaveUp::OfferLapsed => "offer-lapsed",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A new lease.
    Granted(Lease),
    /// A lease got more time.
    Renewed(Lease),
    /// A lease, or a part of it (then with fewer paths), is no more.
    Ended(Lease, End),
    /// Somebody was told to come back later.
    Denied {
        /// Who.
        name: Name,
        /// What it wanted.
        paths: Vec<PathPattern>,
        /// How.
        mode: Mode,
        /// Who was in the way.
        by: Vec<Name>,
    },
    /// Somebody began to wait.
    Queued(Waiter),
    /// A holder was asked to renew or lose an expired lease.
    Challenged(Lease),
    /// What somebody waits for is kept for it.
    Offered(Waiter),
    /// Somebody waits no more.
    Dequeued(Waiter, GaveUp),
}

/// What somebody concerned is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Whom.
    pub to: Name,
    /// As which type of message.
    pub kind: MessageType,
    /// The text: one line.
    pub text: String,
}

/// Paths as people read them, a few of them.
pub fn list(paths: &[PathPattern]) -> String {
    let shown: Vec<String> = paths.iter().take(3).map(|p| escape::short(&p.to_string(), 80)).collect();
    match paths.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl Event {
    /// Its name and fields in the journal. `now_ms` is the wall clock.
    pub fn journal(&self, now_ms: u64) -> (&'static str, Value) {
        let lease = |l: &Lease| json!({"fence": l.fence, "name": l.holder.name, "paths": texts(&l.paths)});
        let waiter =
            |w: &Waiter| json!({"ticket": w.ticket, "name": w.holder.name, "paths": texts(&w.paths)});
        let with = |mut value: Value, fields: Value| {
            if let (Value::Object(map), Value::Object(more)) = (&mut value, fields) {
                map.extend(more);
            }
            value
        };
        let since = |then: u64| now_ms.saturating_sub(then);
        match self {
            Event::Granted(l) => ("lease-granted", with(lease(l), json!({"mode": l.mode, "auto": l.auto}))),
            Event::Renewed(l) => ("lease-renewed", lease(l)),
            Event::Ended(l, end) => {
                ("lease-ended", with(lease(l), json!({"why": end.word(), "held_ms": since(l.since)})))
            }
            Event::Denied { name, paths, mode, by } => {
                ("lease-denied", json!({"name": name, "paths": texts(paths), "mode": mode, "by": by}))
            }
            Event::Queued(w) => ("lease-queued", waiter(w)),
            Event::Challenged(l) => {
                ("lease-challenged", with(lease(l), json!({"by": l.challenge.as_ref().map(|c| &c.by)})))
            }
            Event::Offered(w) => ("lease-offered", with(waiter(w), json!({"waited_ms": since(w.since)}))),
            Event::Dequeued(w, why) => {
                ("lease-dequeued", with(waiter(w), json!({"why": why.word(), "waited_ms": since(w.since)})))
            }
        }
    }

    /// Whom it concerns without having caused it, and what to tell.
    pub fn notice(&self) -> Option<Notice> {
        let tell = |to: &Name, kind, text| Some(Notice { to: to.clone(), kind, text });
        match self {
            Event::Challenged(l) => {
                let by = l.challenge.as_ref().map_or_else(Name::human, |c| c.by.clone());
                let text = format!(
                    "your lease {} on {} has expired and {by} wants it: still editing? swarm-msg renew (within 90 s); done? swarm-msg unlock --all",
                    l.fence,
                    list(&l.paths)
                );
                tell(&l.holder.name, MessageType::Challenge, text)
            }
            Event::Ended(l, End::Lapsed) => {
                let by = l.challenge.as_ref().map_or_else(String::new, |c| format!(" to {}", c.by));
                let text = format!(
                    "your expired lease {} on {} was not renewed and went{by}: do not edit there without a new one",
                    l.fence,
                    list(&l.paths)
                );
                tell(&l.holder.name, MessageType::Info, text)
            }
            Event::Ended(l, End::Forced) => {
                let text = format!(
                    "the human took your lease {} on {} away: do not edit there without a new one",
                    l.fence,
                    list(&l.paths)
                );
                tell(&l.holder.name, MessageType::Info, text)
            }
            Event::Offered(w) if reads_mail(w) => {
                let text = format!(
                    "it is your turn for {}: kept for you for 120 s, take it with the same swarm-msg lock command",
                    list(&w.paths)
                );
                tell(&w.holder.name, MessageType::Info, text)
            }
            Event::Dequeued(w, GaveUp::OfferLapsed) if reads_mail(w) => {
                let text = format!(
                    "you did not take {} within 120 s: your ticket {} is gone",
                    list(&w.paths),
                    w.ticket
                );
                tell(&w.holder.name, MessageType::Info, text)
            }
            Event::Dequeued(w, GaveUp::TimeOver) if reads_mail(w) => {
                let text =
                    format!("you waited in vain for {}: your ticket {} is gone", list(&w.paths), w.ticket);
                tell(&w.holder.name, MessageType::Info, text)
            }
            Event::Granted(_)
            | Event::Renewed(_)
            | Event::Ended(..)
            | Event::Denied { .. }
            | Event::Queued(_)
            | Event::Offered(_)
            | Event::Dequeued(..) => None,
        }
    }
}

/// Whether one that waits is told by mail: a command that waits, and a person's always does, sees for itself.
fn reads_mail(waiter: &Waiter) -> bool {
    !waiter.holder.command && !waiter.holder.name.is_human()
}

fn texts(paths: &[PathPattern]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}
