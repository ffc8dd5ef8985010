//! The events of leases: the journal records them, and messages report them to the agents concerned.
//!
//! Every decision of the table leaves events. The journal, the statistics and the messages come only from events, so
//! they cannot disagree. Pure.

use super::pattern::PathPattern;
use super::record::{CHALLENGE_MS, Lease, Mode, OFFER_MS, Waiter};
use super::words::list;
use crate::core::event::Event;
use crate::core::message::MessageType;
use crate::core::name::Name;
use crate::core::notice::Notice;

/// Why a lease ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its holder gave it back.
    GivenBack,
    /// Its holder's process has ended.
    Died,
    /// Its time was over, and nothing but time could free it.
    Expired,
    /// Its time was over, and its holder did not answer a challenge.
    Lapsed,
    /// A person took it away.
    Forced,
    /// Its holder now has it exclusively, under another number.
    Upgraded,
    /// It was handed over: another agent now holds it, under the same number.
    HandedOver,
}

impl End {
    /// The word in the journal.
    pub fn word(&self) -> &'static str {
        match self {
            End::GivenBack => "released",
            End::Died => "died",
            End::Expired => "expired",
            End::Lapsed => "lapsed",
            End::Forced => "forced",
            End::Upgraded => "upgraded",
            End::HandedOver => "handed-over",
        }
    }
}

/// Why somebody stopped waiting without a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// It took the ticket back.
    Withdrawn,
    /// Its process has ended.
    Died,
    /// Its waiting time was over.
    TimeOver,
    /// It did not take its offer.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseEvent {
    Granted(Lease),
    /// A lease got more time.
    Renewed(Lease),
    /// A lease, or a part of it (then with fewer paths), has ended.
    Ended(Lease, End),
    /// A request was denied.
    Denied {
        name: Name,
        paths: Vec<PathPattern>,
        mode: Mode,
        by: Vec<Name>,
    },
    /// Somebody began to wait.
    Queued(Waiter),
    /// The holder of an expired lease got a challenge.
    Challenged(Lease),
    /// A waiter got an offer.
    Offered(Waiter),
    /// Somebody stopped waiting.
    Dequeued(Waiter, GaveUp),
}

impl LeaseEvent {
    /// The event of the journal. `now_ms` is the wall clock.
    pub fn entry(&self, now_ms: u64) -> Event<'_> {
        let since = |then: u64| now_ms.saturating_sub(then);
        match self {
            LeaseEvent::Granted(Lease { fence, holder, paths, mode, auto, .. }) => Event::LeaseGranted {
                fence: *fence,
                name: &holder.name,
                paths: texts(paths),
                mode: *mode,
                auto: *auto,
            },
            LeaseEvent::Renewed(Lease { fence, holder, paths, .. }) => {
                Event::LeaseRenewed { fence: *fence, name: &holder.name, paths: texts(paths) }
            }
            LeaseEvent::Ended(Lease { fence, holder, paths, since: then, .. }, end) => Event::LeaseEnded {
                fence: *fence,
                name: &holder.name,
                paths: texts(paths),
                why: end.word(),
                held_ms: since(*then),
            },
            LeaseEvent::Denied { name, paths, mode, by } => {
                Event::LeaseDenied { name, paths: texts(paths), mode: *mode, by }
            }
            LeaseEvent::Queued(Waiter { ticket, holder, paths, .. }) => {
                Event::LeaseQueued { ticket: *ticket, name: &holder.name, paths: texts(paths) }
            }
            LeaseEvent::Challenged(Lease { fence, holder, paths, challenge, .. }) => Event::LeaseChallenged {
                fence: *fence,
                name: &holder.name,
                paths: texts(paths),
                by: challenge.as_ref().map(|c| &c.by),
            },
            LeaseEvent::Offered(Waiter { ticket, holder, paths, since: then, .. }) => Event::LeaseOffered {
                ticket: *ticket,
                name: &holder.name,
                paths: texts(paths),
                waited_ms: since(*then),
            },
            LeaseEvent::Dequeued(Waiter { ticket, holder, paths, since: then, .. }, why) => {
                Event::LeaseDequeued {
                    ticket: *ticket,
                    name: &holder.name,
                    paths: texts(paths),
                    why: why.word(),
                    waited_ms: since(*then),
                }
            }
        }
    }

    /// The notice to those whom the event concerns, unless they caused it.
    pub fn notice(&self) -> Option<Notice> {
        let tell = |to: &Name, kind, text| Some(Notice { to: to.clone(), kind, text });
        match self {
            LeaseEvent::Challenged(l) => {
                let by = l.challenge.as_ref().map_or_else(Name::human, |c| c.by.clone());
                let text = format!(
                    "your lease {} on {} has expired and {by} wants it. Still editing? swarm-msg renew (within {} s). Done? swarm-msg unlock --all",
                    l.fence,
                    list(&l.paths),
                    CHALLENGE_MS / 1000
                );
                tell(&l.holder.name, MessageType::Challenge, text)
            }
            LeaseEvent::Ended(l, End::Lapsed) => {
                let by = l.challenge.as_ref().map_or_else(String::new, |c| format!(" to {}", c.by));
                let text = format!(
                    "your expired lease {} on {} was not renewed and went{by}: do not edit there without a new one",
                    l.fence,
                    list(&l.paths)
                );
                tell(&l.holder.name, MessageType::Info, text)
            }
            LeaseEvent::Ended(l, End::Forced) => {
                let text = format!(
                    "the human took your lease {} on {} away: do not edit there without a new one",
                    l.fence,
                    list(&l.paths)
                );
                tell(&l.holder.name, MessageType::Info, text)
            }
            LeaseEvent::Offered(w) if reads_mail(w) => {
                let text = format!(
                    "it is your turn for {}: reserved for you for {} s, take it with the same swarm-msg lock command",
                    list(&w.paths),
                    OFFER_MS / 1000
                );
                tell(&w.holder.name, MessageType::Info, text)
            }
            LeaseEvent::Dequeued(w, GaveUp::OfferLapsed) if reads_mail(w) => {
                let text = format!(
                    "you did not take {} within {} s: your ticket {} is gone",
                    list(&w.paths),
                    OFFER_MS / 1000,
                    w.ticket
                );
                tell(&w.holder.name, MessageType::Info, text)
            }
            LeaseEvent::Dequeued(w, GaveUp::TimeOver) if reads_mail(w) => {
                let text = format!(
                    "you waited for {} and did not get it: your ticket {} is gone",
                    list(&w.paths),
                    w.ticket
                );
                tell(&w.holder.name, MessageType::Info, text)
            }
            LeaseEvent::Granted(_)
            | LeaseEvent::Renewed(_)
            | LeaseEvent::Ended(..)
            | LeaseEvent::Denied { .. }
            | LeaseEvent::Queued(_)
            | LeaseEvent::Offered(_)
            | LeaseEvent::Dequeued(..) => None,
        }
    }
}

/// Whether a waiter gets a message. A command that waits, as a person's always does, sees the result itself.
fn reads_mail(waiter: &Waiter) -> bool {
    !waiter.holder.command && !waiter.holder.name.is_human()
}

fn texts(paths: &[PathPattern]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    use super::super::pattern::PathKind;
    use super::super::record::{Challenge, Holder};
    use crate::core::moment::Moment;

    fn paths(texts: &[&str]) -> Vec<PathPattern> {
        texts.iter().map(|text| PathPattern::new(PathKind::File, None, text).unwrap()).collect()
    }

    fn holder(name: &str, command: bool) -> Holder {
        Holder {
            name: Name::new(name).unwrap(),
            process: None,
            namespace: None,
            command,
            identity: None,
            host: None,
        }
    }

    fn now() -> Moment {
        Moment { wall_ms: 5_000, awake_ms: 1, boot: "b".into() }
    }

    fn lease(by: Option<&str>) -> Lease {
        let challenge = by.map(|by| Challenge { by: Name::new(by).unwrap(), until: now().after(1) });
        Lease {
            fence: 7,
            holder: holder("alice", false),
            paths: paths(&["a", "b"]),
            mode: Mode::Shared,
            auto: true,
            reason: None,
            since: 2_000,
            expires: now().after(0),
            challenge,
        }
    }

    fn waiter(name: &str, command: bool) -> Waiter {
        Waiter {
            ticket: 8,
            holder: holder(name, command),
            paths: paths(&["a"]),
            mode: Mode::Exclusive,
            since: 4_000,
            until: now().after(1),
            offered: None,
            within: Vec::new(),
        }
    }

    #[test]
    fn the_journal_tells_what_happened_to_whom_and_for_how_long() {
        let bob = || vec![Name::new("bob").unwrap()];
        let denied = LeaseEvent::Denied {
            name: Name::new("eve").unwrap(),
            paths: paths(&["a"]),
            mode: Mode::Exclusive,
            by: bob(),
        };
        let its = |more: Value| {
            let mut all = json!({"fence": 7, "name": "alice", "paths": ["a", "b"]});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let waits = |more: Value| {
            let mut all = json!({"ticket": 8, "name": "bob", "paths": ["a"]});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let queued = waiter("bob", false);
        for (event, name, fields) in [
            (LeaseEvent::Granted(lease(None)), "lease-granted", its(json!({"mode": "shared", "auto": true}))),
            (LeaseEvent::Renewed(lease(None)), "lease-renewed", its(json!({}))),
            (
                LeaseEvent::Ended(lease(None), End::Forced),
                "lease-ended",
                its(json!({"why": "forced", "held_ms": 3_000})),
            ),
            (
                denied,
                "lease-denied",
                json!({"name": "eve", "paths": ["a"], "mode": "exclusive", "by": ["bob"]}),
            ),
            (LeaseEvent::Queued(queued.clone()), "lease-queued", waits(json!({}))),
            (LeaseEvent::Challenged(lease(Some("bob"))), "lease-challenged", its(json!({"by": "bob"}))),
            (LeaseEvent::Offered(queued.clone()), "lease-offered", waits(json!({"waited_ms": 1_000}))),
            (
                LeaseEvent::Dequeued(queued, GaveUp::TimeOver),
                "lease-dequeued",
                waits(json!({"why": "time-over", "waited_ms": 1_000})),
            ),
        ] {
            let mut entry = serde_json::to_value(event.entry(5_000)).unwrap();
            assert_eq!(entry.as_object_mut().unwrap().remove("event"), Some(json!(name)));
            assert_eq!(entry, fields);
        }
    }

    #[test]
    fn every_end_has_its_word() {
        use End::{Died, Expired, Forced, GivenBack, Lapsed, Upgraded};
        let ends = [GivenBack, Died, Expired, Lapsed, Forced, Upgraded].map(|end| end.word());
        assert_eq!(ends, ["released", "died", "expired", "lapsed", "forced", "upgraded"]);
        let gave_up =
            [GaveUp::Withdrawn, GaveUp::Died, GaveUp::TimeOver, GaveUp::OfferLapsed].map(GaveUp::word);
        assert_eq!(gave_up, ["withdrawn", "died", "time-over", "offer-lapsed"]);
    }

    #[test]
    fn whoever_did_not_do_it_is_told_what_to_do_now() {
        for (event, to, kind, part) in [
            (
                LeaseEvent::Challenged(lease(Some("bob"))),
                "alice",
                MessageType::Challenge,
                "lease 7 on a, b has expired and bob wants it",
            ),
            (LeaseEvent::Challenged(lease(None)), "alice", MessageType::Challenge, "and human wants it"),
            (
                LeaseEvent::Ended(lease(Some("bob")), End::Lapsed),
                "alice",
                MessageType::Info,
                "was not renewed and went to bob: do",
            ),
            (
                LeaseEvent::Ended(lease(None), End::Lapsed),
                "alice",
                MessageType::Info,
                "was not renewed and went: do",
            ),
            (
                LeaseEvent::Ended(lease(None), End::Forced),
                "alice",
                MessageType::Info,
                "the human took your lease 7 on a, b away",
            ),
            (
                LeaseEvent::Offered(waiter("bob", false)),
                "bob",
                MessageType::Info,
                "your turn for a: reserved for you for 120 s",
            ),
            (
                LeaseEvent::Dequeued(waiter("bob", false), GaveUp::OfferLapsed),
                "bob",
                MessageType::Info,
                "did not take a within 120 s: your ticket 8",
            ),
            (
                LeaseEvent::Dequeued(waiter("bob", false), GaveUp::TimeOver),
                "bob",
                MessageType::Info,
                "waited for a and did not get it: your ticket 8",
            ),
        ] {
            let notice = event.notice().unwrap();
            assert_eq!((notice.to.as_str(), notice.kind), (to, kind), "{event:?}");
            assert!(notice.text.contains(part), "{}", notice.text);
        }
    }

    #[test]
    fn nobody_is_told_what_it_did_or_sees_for_itself() {
        let mut silent = vec![
            LeaseEvent::Granted(lease(None)),
            LeaseEvent::Renewed(lease(None)),
            LeaseEvent::Queued(waiter("bob", false)),
            LeaseEvent::Dequeued(waiter("bob", false), GaveUp::Withdrawn),
            LeaseEvent::Dequeued(waiter("bob", false), GaveUp::Died),
        ];
        silent.extend(
            [End::GivenBack, End::Died, End::Expired, End::Upgraded]
                .map(|end| LeaseEvent::Ended(lease(None), end)),
        );
        // A command that waits, and a person in a terminal, get no message.
        for watcher in [waiter("bob", true), waiter("human", false), waiter("human", true)] {
            silent.push(LeaseEvent::Offered(watcher.clone()));
            silent.extend(
                [GaveUp::OfferLapsed, GaveUp::TimeOver].map(|why| LeaseEvent::Dequeued(watcher.clone(), why)),
            );
        }
        for event in silent {
            assert_eq!(event.notice(), None, "{event:?}");
        }
    }

    #[test]
    fn three_paths_are_named_and_the_rest_is_counted() {
        for (all, shown) in [
            (&["a"][..], "a"),
            (&["a", "b", "c"], "a, b, c"),
            (&["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
        ] {
            assert_eq!(list(&paths(all)), shown);
        }
    }
}
