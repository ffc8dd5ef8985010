//! Summarises what happened while a person was away: a fold over the journal.
//!
//! Pure. The person was here at each of their acts in the journal: a message they wrote, read or acknowledged, a
//! lease they took, a task they changed, the dashboard they opened. An absence is a time of at least [`AWAY_MS`]
//! without an act. Invalid entries are skipped.

use super::event::EventWord;
use super::few::Few;
use super::plural::plural;
use crate::core::order;
use serde::Serialize;
use serde_json::Value;

/// How long a person does nothing before they are away.
pub const AWAY_MS: u64 = 15 * 60 * 1000;

/// When the person was here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presence {
    last: Option<u64>,
    /// When the last absence that has ended began.
    left: Option<u64>,
    was_away: bool,
}

impl Presence {
    #[inline(never)]
    pub fn note(&mut self, entry: &Value) {
        let Some(at) = entry["t"].as_u64().filter(|_| is_act(entry)) else { return };
        let last = self.last.unwrap_or(at);
        let was_away = at.saturating_sub(last) >= AWAY_MS;
        if self.last.is_none() || was_away {
            self.left = Some(last);
        }
        self.was_away |= was_away;
        self.last = Some(at.max(last));
    }

    /// Whether the person is away until now.
    pub fn is_away(&self, now_ms: u64) -> bool {
        self.last.is_some_and(|last| now_ms.saturating_sub(last) >= AWAY_MS)
    }

    /// Whether an absence has ended.
    pub fn was_away(&self) -> bool {
        self.was_away
    }

    /// When the last absence began; or the first act, if there was no absence since. `None`: the person has done
    /// nothing yet.
    pub fn since(&self, now_ms: u64) -> Option<u64> {
        if self.is_away(now_ms) { self.last } else { self.left }
    }
}

/// Whether an entry is an act of the person. A side effect of their commands is not an act.
fn is_act(entry: &Value) -> bool {
    let human = |field: &str| entry[field] == "human";
    entry["identity"] == "human"
        && match EventWord::of(entry) {
            Some(EventWord::Sent | EventWord::SentAway) => human("from"),
            Some(EventWord::Read | EventWord::Acked) => human("to"),
            Some(EventWord::LeaseGranted | EventWord::LeaseRenewed) => human("name"),
            Some(EventWord::Coord | EventWord::HandedOver | EventWord::Looked) => human("by"),
            Some(EventWord::Released | EventWord::Group | EventWord::DialogKey) => true,
            _ => false,
        }
}

/// What happened to one agent, and what it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AgentDigest {
    /// When it last started, and when it ended (ms since the epoch).
    pub started: Option<u64>,
    pub ended: Option<u64>,
    /// It was started again, and kept its name.
    pub back: Option<u64>,
    /// Its messages to the person, how many of them are unread, and how many of those are questions.
    pub messages: usize,
    pub unread: usize,
    pub questions: usize,
    /// Messages that it did not acknowledge in time.
    pub overdue: usize,
    /// Messages to it that will not be delivered.
    pub dead_letters: usize,
    /// The paths of its leases that expired.
    pub ran_out: Vec<String>,
    /// Tasks of the coordination document that it finished.
    pub done: Vec<String>,
    /// Its screen's report of a usage limit.
    pub limit: Option<String>,
}

/// Everything that happened since a time.
#[derive(Debug, Default)]
pub struct Digest {
    since: u64,
    agents: Few<String, AgentDigest>,
    /// The unread messages to the person: the sender of each, and whether it is a question.
    unread: Few<String, (String, bool)>,
}

impl Digest {
    pub fn since(since: u64) -> Self {
        Self { since, ..Self::default() }
    }

    pub fn note(&mut self, entry: &Value) {
        let Some(at) = entry["t"].as_u64().filter(|at| *at >= self.since) else { return };
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        match EventWord::of(entry) {
            Some(EventWord::AgentNew) => self.of(entry, "name").started = Some(at),
            Some(EventWord::AgentBack) => {
                let agent = self.of(entry, "name");
                (agent.back, agent.ended) = (Some(at), None);
            }
            Some(EventWord::AgentDied | EventWord::AgentLeft) => self.of(entry, "name").ended = Some(at),
            Some(EventWord::Renamed) => {
                let known = self.agents.remove(&text("from")).unwrap_or_default();
                self.agents.insert(text("to"), known);
            }
            Some(EventWord::Sent) => self.sent(entry, text("id"), text("from")),
            Some(EventWord::Read | EventWord::Acked) if entry["to"] == "human" => {
                self.unread.remove(&text("id"));
            }
            Some(EventWord::Escalated) => self.of(entry, "to").overdue += 1,
            Some(EventWord::DeadLetter) => self.of(entry, "to").dead_letters += 1,
            Some(EventWord::UsageLimit) => self.of(entry, "name").limit = Some(text("text")),
            Some(EventWord::LeaseEnded) if matches!(&*text("why"), "expired" | "lapsed") => {
                let paths = entry["paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let paths: Vec<String> = paths.map(str::to_owned).collect();
                self.of(entry, "name").ran_out.extend(paths);
            }
            Some(EventWord::Coord) if entry["verb"] == "done" => self.of(entry, "by").done.push(text("line")),
            _ => {}
        }
    }

    /// The agent that a field of an entry names.
    fn of(&mut self, entry: &Value, field: &str) -> &mut AgentDigest {
        self.agents.at(entry[field].as_str().unwrap_or_default().to_owned())
    }

    fn sent(&mut self, entry: &Value, id: String, from: String) {
        let to_person = entry["to"].as_array().is_some_and(|to| to.iter().any(|name| name == "human"));
        if to_person && from != "human" && from != "swarm" {
            self.agents.at(from.clone()).messages += 1;
            self.unread.insert(id, (from, entry["type"] == "QUESTION"));
        }
    }

    /// The digest of each agent, by its name. The person is not among them.
    pub fn agents(mut self) -> Few<String, AgentDigest> {
        for (from, question) in self.unread.values() {
            // The agent may have been renamed since.
            if let Some(agent) = self.agents.get_mut(from) {
                agent.unread += 1;
                agent.questions += usize::from(*question);
            }
        }
        self.agents.retain(|name, agent| name != "human" && *agent != AgentDigest::default());
        self.agents
    }
}

impl AgentDigest {
    /// The events in words; `age` words how long ago a time is.
    pub fn words(&self, age: impl Fn(u64) -> String) -> String {
        let mut parts = Vec::new();
        let mut times = [(self.started, "started"), (self.back, "started again"), (self.ended, "ended")];
        order::sort_by_key(&mut times, |(at, _)| *at);
        parts.extend(times.iter().filter_map(|(at, what)| Some(format!("{what} {} ago", age((*at)?)))));
        if self.messages > 0 {
            let unread = match (self.unread, self.questions) {
                (0, _) => String::new(),
                (unread, 0) => format!(" ({unread} unread)"),
                (unread, asked) => format!(" ({unread} unread, {} among them)", plural(asked, "question")),
            };
            parts.push(format!("{} to you{unread}", plural(self.messages, "message")));
        }
        if self.overdue > 0 {
            parts.push(format!("{} not acknowledged in time", plural(self.overdue, "message")));
        }
        if self.dead_letters > 0 {
            parts.push(plural(self.dead_letters, "dead letter"));
        }
        if !self.ran_out.is_empty() {
            parts.push(format!("its lease ran out: {}", self.ran_out.join(", ")));
        }
        parts.extend(self.done.iter().map(|line| format!("done: {line}")));
        parts.extend(self.limit.iter().map(|text| format!("usage limit: {text}")));
        parts.join("; ")
    }
}

/// The digest on one line: how many agents and messages.
pub fn brief(agents: &Few<String, AgentDigest>) -> String {
    let sum = |count: fn(&AgentDigest) -> usize| agents.values().map(count).sum::<usize>();
    let parts = [
        (sum(|a| usize::from(a.ended.is_some())), "agent ended", "agents ended"),
        (sum(|a| usize::from(a.started.is_some())), "agent started", "agents started"),
        (sum(|a| a.unread), "unread message to you", "unread messages to you"),
        (sum(|a| a.overdue), "message not acknowledged", "messages not acknowledged"),
        (sum(|a| a.dead_letters), "dead letter", "dead letters"),
        (sum(|a| a.ran_out.len()), "lease ran out", "leases ran out"),
        (sum(|a| a.done.len()), "task done", "tasks done"),
        (sum(|a| usize::from(a.limit.is_some())), "usage limit reached", "usage limits reached"),
    ];
    let parts = parts.iter().filter(|(count, ..)| *count > 0);
    parts
        .map(|(n, one, many)| format!("{n} {}", if *n == 1 { one } else { many }))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MINUTE: u64 = 60_000;

    fn act(minute: u64) -> Value {
        json!({"t": minute * MINUTE, "event": "read", "id": "a", "to": "human", "identity": "human"})
    }

    #[test]
    fn an_absence_begins_with_the_last_act_before_a_long_time_without_one() {
        let since = |acts: &[u64], now: u64| {
            let mut presence = Presence::default();
            for minute in acts {
                presence.note(&act(*minute));
            }
            (presence.since(now * MINUTE).map(|at| at / MINUTE), presence.is_away(now * MINUTE))
        };
        assert_eq!(since(&[], 100), (None, false));
        assert_eq!(since(&[10], 12), (Some(10), false));
        assert_eq!(since(&[10, 14, 20], 25), (Some(10), false), "nobody was away");
        assert_eq!(since(&[10, 20], 35), (Some(20), true));
        // After an absence, the person can still ask what happened in it.
        assert_eq!(since(&[10, 20, 100, 101, 110], 111), (Some(20), false));
        assert_eq!(since(&[10, 20, 100, 130], 131), (Some(100), false));
        // A clock that was set back does not begin or end an absence.
        assert_eq!(since(&[100, 50, 101], 102), (Some(100), false));
    }

    #[test]
    fn only_what_a_person_does_is_an_act() {
        for (event, is) in [
            (json!({"event": "sent", "from": "human", "identity": "human"}), true),
            (json!({"event": "sent", "from": "swarm", "identity": "human"}), false),
            (json!({"event": "sent", "from": "claude-1", "identity": "process"}), false),
            (json!({"event": "read", "to": "human", "identity": "env"}), false),
            (json!({"event": "agent-new", "name": "x", "identity": "human"}), false),
            (json!({"event": "coord", "by": "human", "verb": "add", "identity": "human"}), true),
            (json!({"event": "looked", "by": "human", "identity": "human"}), true),
            (json!({"event": "looked", "by": "nobody", "identity": "env"}), false),
            (json!({"event": "of-a-newer-version", "by": "human", "identity": "human"}), false),
        ] {
            assert_eq!(is_act(&event), is, "{event}");
        }
    }

    fn digest(entries: &[Value]) -> Few<String, AgentDigest> {
        let mut digest = Digest::since(10);
        for entry in entries {
            digest.note(entry);
        }
        digest.agents()
    }

    #[test]
    fn each_agent_has_what_happened_to_it_since_then() {
        let sent = |id: &str, from: &str, kind: &str| json!({"t": 20, "event": "sent", "id": id, "from": from, "to": ["human"], "type": kind});
        let agents = digest(&[
            json!({"t": 9, "event": "agent-new", "name": "old-1"}),
            json!({"t": 10, "event": "agent-new", "name": "claude-1"}),
            sent("a", "claude-1", "INFO"),
            sent("b", "claude-1", "QUESTION"),
            sent("c", "claude-1", "QUESTION"),
            sent("d", "swarm", "WARN"),
            sent("e", "human", "INFO"),
            json!({"t": 21, "event": "read", "id": "b", "to": "human"}),
            json!({"t": 21, "event": "read", "id": "c", "to": "codex-1"}),
            json!({"t": 22, "event": "agent-died", "name": "codex-1"}),
            json!({"t": 23, "event": "dead-letter", "id": "x", "to": "codex-1"}),
            json!({"t": 24, "event": "lease-ended", "name": "codex-1", "paths": ["src/a.rs"], "why": "lapsed"}),
            json!({"t": 24, "event": "lease-ended", "name": "codex-1", "paths": ["src/b.rs"], "why": "released"}),
            json!({"t": 25, "event": "escalated", "id": "y", "to": "gemini-1", "why": "no answer"}),
            json!({"t": 26, "event": "coord", "by": "gemini-1", "verb": "done", "line": "parser"}),
            json!({"t": 27, "event": "agent-died", "name": "back-1"}),
            json!({"t": 28, "event": "agent-back", "name": "back-1", "by": "session", "pid": 7}),
            json!({"t": 29, "event": "renamed", "from": "gemini-1", "to": "tester"}),
            json!({"event": "agent-died", "name": "claude-1"}),
            json!("no entry"),
        ]);
        let words: Vec<String> =
            agents.iter().map(|(name, a)| format!("{name}: {}", a.words(|at| format!("{at}ms")))).collect();
        assert_eq!(
            words,
            [
                "back-1: started again 28ms ago",
                "claude-1: started 10ms ago; 3 messages to you (2 unread, 1 question among them)",
                "codex-1: ended 22ms ago; 1 dead letter; its lease ran out: src/a.rs",
                "tester: 1 message not acknowledged in time; done: parser",
            ]
        );
        assert_eq!(
            brief(&agents),
            "1 agent ended, 1 agent started, 2 unread messages to you, 1 message not acknowledged, 1 dead letter, 1 lease ran out, 1 task done"
        );
    }

    #[test]
    fn nothing_happened_is_nothing() {
        let agents = digest(&[json!({"t": 12, "event": "agent-back", "name": "a"})]);
        assert_eq!((agents.len(), brief(&agents)), (1, String::new()));
        assert!(digest(&[act(1)]).is_empty());
    }
}
