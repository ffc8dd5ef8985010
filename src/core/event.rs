//! The events of the journal: one table has each event's word, fields and meaning.
//!
//! Pure. An entry is an event with the time and the transaction's additions. The journal of a newer version may
//! contain unknown events: [`EventWord::of`] returns `None` for them, and readers of the journal skip them.

use super::address::{Address, HostName};
use super::delivery::{Progress, Stage};
use super::heir::Evidence;
use super::id::MessageId;
use super::lease::Mode;
use super::message::{Identity, Intent, Message, MessageType};
use super::name::Name;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Debug)]
pub struct EventRow {
    /// The word in the journal.
    pub word: &'static str,
    /// Its fields, some of which an entry may lack.
    pub fields: &'static [&'static str],
    pub meaning: &'static str,
}

macro_rules! events {
    ($($meaning:literal $word:literal $variant:ident { $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)? })+) => {
        /// One event in the journal.
        #[derive(Clone, Debug, Serialize)]
        #[serde(tag = "event")]
        pub enum Event<'a> {
            $(#[doc = $meaning] #[serde(rename = $word)] $variant { $($(#[$attr])* $field: $type),* },)+
        }

        /// The word of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum EventWord { $(#[doc = $meaning] $variant,)+ }

        /// The table of events.
        pub const EVENTS: &[EventRow] =
            &[$(EventRow { word: $word, fields: &[$(stringify!($field)),*], meaning: $meaning },)+];

        impl EventWord {
            /// The word of an entry. `None`: this version does not know it.
            pub fn of(entry: &Value) -> Option<Self> {
                match entry["event"].as_str()? {
                    $($word => Some(EventWord::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

events! {
    "a message is in the mailboxes of its recipients; `intent`: what is expected of the reader (`fyi`, `reply`, `action`); `groups`: those it was sent to (`all`: everybody); `finished`: a later process completed what a crash had cut short"
    "sent" Sent {
        id: &'a MessageId, from: &'a Address, to: &'a [Name], r#type: MessageType, identity: Identity,
        #[serde(skip_serializing_if = "Option::is_none")] intent: Option<Intent>,
        #[serde(skip_serializing_if = "<[Name]>::is_empty")] groups: &'a [Name],
        #[serde(skip_serializing_if = "Option::is_none")] finished: Option<bool>,
    }
    "a message to another host waits for the team's engine"
    "sent-away" SentAway { id: &'a MessageId, from: &'a Address, host: &'a HostName, to: &'a [Name], r#type: MessageType }
    "these messages go in one turn, by the bundle `id`"
    "bundle" Bundle { id: &'a MessageId, to: &'a Name, members: &'a [MessageId] }
    "a message, or reminder number `reminder` of it, has reached a stage; `detail` is the reason or the evidence"
    "delivery" Delivery { id: &'a MessageId, to: &'a Name, stage: Stage, detail: &'a str, reminder: Option<u32> }
    "`what` (`paste` or `enter`) is about to be pressed in a pane; written with the mark of the delivery, so no crash hides it"
    "keys" Keys { id: &'a MessageId, to: &'a Name, pane: &'a str, what: &'a str, reminder: Option<u32> }
    "what tmux answered; after a crash it may be missing"
    "keys-answer" KeysAnswer {
        id: &'a MessageId, to: &'a Name, pane: &'a str, what: &'a str, reminder: Option<u32>, tmux: &'a str,
    }
    "tmux did not say whether it pressed the key"
    "unclear" Unclear {
        id: &'a MessageId, to: &'a Name, pane: &'a str, what: &'a str, reminder: Option<u32>, tmux: &'a str,
    }
    "a person is about to press `key` in the dialog of an agent, from the dashboard; `what` shows that a dialog is open"
    "dialog-key" DialogKey { name: &'a Name, pane: &'a str, key: &'a str, what: &'a str }
    "what tmux answered to that; after a crash it may be missing"
    "dialog-answer" DialogAnswer { name: &'a Name, pane: &'a str, key: &'a str, tmux: &'a str }
    "a person has opened the dashboard"
    "looked" Looked { by: &'a Name }
    "a recipient has read a message"
    "read" Read { id: &'a MessageId, to: &'a Name }
    "a recipient has acknowledged a message"
    "acked" Acked { id: &'a MessageId, to: &'a Name }
    "a message was not acknowledged in time, and its sender got a notice"
    "escalated" Escalated { id: &'a MessageId, to: &'a Name, why: &'a str }
    "a message stands in a composer and cannot be submitted"
    "stuck" Stuck { id: &'a MessageId, to: &'a Name, pane: &'a str }
    "an answer beyond the limit between agents, the `round`th in a row, is held, and those concerned got a notice"
    "answers-held" AnswersHeld { id: &'a MessageId, from: &'a Address, to: &'a Name, round: u32 }
    "a person has released such an answer"
    "released" Released { id: &'a MessageId, to: &'a Name }
    "a message (`id`, now `copy`) or a task was handed over, with the leases `fences`"
    "handed-over" HandedOver {
        by: &'a Name, from: &'a Name, to: &'a Name,
        #[serde(skip_serializing_if = "Option::is_none")] id: Option<&'a MessageId>,
        #[serde(skip_serializing_if = "Option::is_none")] copy: Option<&'a MessageId>,
        #[serde(skip_serializing_if = "Option::is_none")] task: Option<&'a str>,
        fences: &'a [u64],
    }
    "a message will not be delivered"
    "dead-letter" DeadLetter {
        id: &'a MessageId, to: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")] why: Option<&'a str>,
    }
    "old messages that were read are removed"
    "pruned" Pruned { of: &'a Name, ids: &'a [MessageId] }
    "a record did not parse or verify, and was moved to `quarantine/`"
    "quarantined" Quarantined { record: &'a str, why: &'a str }
    "a letter of another host was refused"
    "letter-refused" LetterRefused { host: &'a HostName, id: &'a str, why: &'a str }
    "an agent was found"
    "agent-new" AgentNew { name: &'a Name }
    "an agent has ended"
    "agent-died" AgentDied { name: &'a Name }
    "a person asks an agent to end, `by` a `signal` to its process `pid`, or a `key` in its empty composer; `forced`: even if it was busy"
    "agent-end" AgentEnd { name: &'a Name, pid: i32, by: &'a str, forced: bool }
    "an agent lives, but is not in this project any more"
    "agent-left" AgentLeft { name: &'a Name }
    "an agent that had ended is back; `by` is the evidence, `was` its former pid"
    "agent-back" AgentBack { name: &'a Name, by: Evidence, pid: i32, was: Option<i32> }
    "an agent has reached its usage limit, with the words `text` on its screen; its mail waits until `until` (ms since the epoch)"
    "usage-limit" UsageLimit { name: &'a Name, text: &'a str, until: u64 }
    "an agent has another name; `by` is `asked` if it was started with that"
    "renamed" Renamed {
        from: &'a Name, to: &'a Name,
        #[serde(skip_serializing_if = "Option::is_none")] by: Option<&'a str>,
    }
    "a person has changed a group; `verb` is `add` or `remove`, `members` are those who came or left"
    "group" Group { group: &'a Name, verb: &'a str, members: &'a [Name] }
    "a lease was granted"
    "lease-granted" LeaseGranted { fence: u64, name: &'a Name, paths: Vec<String>, mode: Mode, auto: bool }
    "a lease got more time"
    "lease-renewed" LeaseRenewed { fence: u64, name: &'a Name, paths: Vec<String> }
    "a lease, or a part of it, has ended"
    "lease-ended" LeaseEnded { fence: u64, name: &'a Name, paths: Vec<String>, why: &'a str, held_ms: u64 }
    "a request was denied because of these holders"
    "lease-denied" LeaseDenied { name: &'a Name, paths: Vec<String>, mode: Mode, by: &'a [Name] }
    "somebody began to wait"
    "lease-queued" LeaseQueued { ticket: u64, name: &'a Name, paths: Vec<String> }
    "a holder was asked to renew or lose an expired lease"
    "lease-challenged" LeaseChallenged { fence: u64, name: &'a Name, paths: Vec<String>, by: Option<&'a Name> }
    "a waiter got an offer: the path is reserved for it"
    "lease-offered" LeaseOffered { ticket: u64, name: &'a Name, paths: Vec<String>, waited_ms: u64 }
    "somebody stopped waiting without a grant"
    "lease-dequeued" LeaseDequeued { ticket: u64, name: &'a Name, paths: Vec<String>, why: &'a str, waited_ms: u64 }
    "the coordination document was made or changed; `was` is the text that was replaced or removed"
    "coord" Coord {
        by: &'a Name, verb: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")] section: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")] line: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")] was: Option<Value>,
    }
    "the project's directory was moved from there"
    "project-moved" ProjectMoved { from: &'a str }
    "the store was copied, or has another key; its old records were set aside"
    "project-started-again" ProjectStartedAgain { why: &'a str, was: &'a str, aside: &'a str }
    "the store was restored from a backup; `not_given` is the number of messages that are not delivered again"
    "project-restored" ProjectRestored { not_given: usize, aside: &'a str }
    "the guard of commits was installed again where another tool had overwritten it"
    "guard-restored" GuardRestored { dirs: &'a [PathBuf] }
    "a server did not answer, and is left alone until it does"
    "tmux-hangs" TmuxHangs { server: &'a str }
    "a server answers again"
    "tmux-answers" TmuxAnswers { server: &'a str }
    "the way to the team's engine does not work"
    "link-trouble" LinkTrouble { why: &'a str }
    "a task of the courier failed, and is tried again"
    "courier-error" CourierError { error: &'a str }
    "a hook could not be handled"
    "hook-error" HookError { host: &'a str, hook: &'a str, error: &'a str }
    "profiles have problems"
    "bad-profiles" BadProfiles { problems: &'a [String] }
    "settings have problems, and their defaults hold"
    "bad-settings" BadSettings { problems: &'a [String] }
}

impl<'a> Event<'a> {
    /// A message is in its mailboxes. `finished`: after a crash had interrupted that.
    pub fn sent(message: &'a Message, finished: Option<bool>) -> Self {
        let Message { id, from, to, kind, identity, intent, groups, .. } = message;
        Event::Sent { id, from, to, r#type: *kind, identity: *identity, intent: *intent, groups, finished }
    }

    /// A message, or this reminder of it, has this progress.
    pub fn reached(way: &'a Progress, id: &'a MessageId, to: &'a Name, reminder: Option<u32>) -> Self {
        Event::Delivery { id, to, stage: way.stage, detail: &way.detail, reminder }
    }
}

/// The table of events in the form for the reference.
pub fn markdown() -> String {
    let mut table = "| Event | Fields | Means |\n|---|---|---|\n".to_owned();
    for EventRow { word, fields, meaning } in EVENTS {
        let fields: Vec<_> = fields.iter().map(|f| format!("`{}`", f.trim_start_matches("r#"))).collect();
        table.push_str(&format!("| `{word}` | {} | {meaning} |\n", fields.join(", ")));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_is_written_with_its_word_and_known_again_by_it() {
        let name = Name::human();
        let entry = serde_json::to_value(Event::AgentNew { name: &name }).unwrap();
        assert_eq!(entry, json!({"event": "agent-new", "name": "human"}));
        assert_eq!(EventWord::of(&entry), Some(EventWord::AgentNew));
        for row in EVENTS {
            assert!(EventWord::of(&json!({"event": row.word})).is_some(), "{}", row.word);
        }
    }

    #[test]
    fn a_field_that_an_entry_may_lack_is_left_out_and_one_that_is_empty_is_null() {
        let by = Name::human();
        let init = Event::Coord { by: &by, verb: "init", section: None, line: None, was: None };
        let entry = serde_json::to_value(init).unwrap();
        assert_eq!(entry, json!({"event": "coord", "by": "human", "verb": "init"}));
        let was = Some(Value::Null);
        let add = Event::Coord { by: &by, verb: "add", section: Some("Who"), line: Some("x"), was };
        assert_eq!(serde_json::to_value(add).unwrap()["was"], Value::Null);
        let id = MessageId::from_entropy(1);
        let dead = Event::DeadLetter { id: &id, to: "human", why: None };
        assert!(serde_json::to_value(dead).unwrap().get("why").is_none());
    }

    #[test]
    fn an_event_of_a_newer_version_is_no_word_and_no_error() {
        for entry in [json!({"event": "agent-dreams", "t": 1}), json!({"event": 7}), json!("no entry")] {
            assert_eq!(EventWord::of(&entry), None);
        }
    }
}
