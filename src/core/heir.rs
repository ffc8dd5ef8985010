//! Decides whether a new agent process is the same agent as one that ended, and so gets its name, mail and leases.
//!
//! Pure. Three kinds of evidence count, the strongest first. The new process is in the conversation of the agent that
//! ended. A person gave it that agent's name. It started in the same pane and directory, soon after that agent ended
//! there. The new process is always of the same kind. It inherits nothing if its conversation is known to be a
//! different one, or if another process has stronger evidence.

use super::agent::{Agent, PaneRef};
use super::name::Name;
use super::process_id::ProcessId;
use super::registry::Sighting;
use super::span;
use crate::core::order;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How many conversations of an agent are remembered: a person may begin new ones, and return to an earlier one.
const MAX_SESSIONS: usize = 8;

/// The longest id of a conversation, in bytes.
const MAX_SESSION: usize = 128;

/// The evidence that a new process is an agent that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// It is in the same conversation.
    Session,
    /// A person gave it the name of that agent.
    Name,
    /// It started in the same pane and directory, soon after.
    Pane,
    /// Evidence that only a later version knows.
    #[serde(other)]
    Other,
}

impl Evidence {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Evidence::Session => "session",
            Evidence::Name => "name",
            Evidence::Pane => "pane",
            Evidence::Other => "other",
        }
    }

    /// The evidence in words, for people.
    pub fn told(self) -> &'static str {
        match self {
            Evidence::Session => "it is in the same conversation",
            Evidence::Name => "a person gave it that name",
            Evidence::Pane => "it started in the same pane and directory, soon after the other one ended",
            Evidence::Other => "by evidence that this version does not know",
        }
    }
}

/// The record that an agent has the name of one that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inherited {
    pub by: Evidence,
    /// Since when (ms since the epoch).
    pub at: u64,
    /// The process that had the name before.
    pub from: ProcessId,
}

/// What is remembered about an agent beyond its process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Past {
    /// Its conversations, by its own files or hooks, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<String>,
    /// The name that its environment or its pane asked for at the last look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Name>,
    /// Whether a person gave it its name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub given: bool,
    /// The agent from which it inherited its name, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherited: Option<Inherited>,
}

impl Past {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the agent was in this conversation.
    pub fn knows(&self, session: &str) -> bool {
        self.sessions.iter().any(|known| known == session)
    }

    /// Records a conversation of this agent. An id that is not plain is ignored. Returns whether the conversation is
    /// new.
    pub fn enter(&mut self, session: &str) -> bool {
        if self.knows(session) || !is_session(session) {
            return false;
        }
        self.sessions.push(session.to_owned());
        let over = self.sessions.len().saturating_sub(MAX_SESSIONS);
        self.sessions.drain(..over);
        true
    }
}

/// Whether a text may be the id of a conversation: it becomes part of paths, and is shown to people.
pub fn is_session(id: &str) -> bool {
    (1..=MAX_SESSION).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The conversation of an agent, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Conversation {
    #[default]
    Unknown,
    /// The agent has just started, and will name it in a moment.
    Soon,
    Is {
        id: String,
        /// Whether the conversation existed before the agent started.
        resumed: bool,
    },
}

impl Conversation {
    pub fn id(&self) -> Option<&str> {
        match self {
            Conversation::Is { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// The agents on record when new processes start.
#[derive(Debug)]
pub struct Kin<'a> {
    /// Those that have certainly ended.
    pub dead: Vec<&'a Agent>,
    /// The others.
    pub living: Vec<&'a Agent>,
    pub now_ms: u64,
    /// How long after its end an agent may start again in its pane.
    pub window: Duration,
}

impl<'a> Kin<'a> {
    /// Assigns to each of `newcomers` the ended agent that it continues, if there is one; the results have the same
    /// order. Each ended agent goes to one newcomer, by the strongest evidence first. If the evidence is equal, it
    /// goes to the newcomer in its pane, or else to the one that started first.
    pub fn assign(&self, newcomers: &[&Sighting]) -> Vec<Option<(&'a Agent, Evidence)>> {
        let mut found: Vec<Option<(&'a Agent, Evidence)>> = vec![None; newcomers.len()];
        // Two agents may have been in one conversation. Then the pane decides.
        for (by, in_its_pane) in [
            (Evidence::Session, true),
            (Evidence::Session, false),
            (Evidence::Name, false),
            (Evidence::Pane, true),
        ] {
            // The one that ended last comes first: of several in one pane, it counts.
            let mut dead = self.dead.clone();
            order::sort_by_key(&mut dead, |agent| std::cmp::Reverse(agent.died.unwrap_or(self.now_ms)));
            for agent in dead {
                if found.iter().flatten().any(|(taken, _)| taken.name == agent.name) {
                    continue;
                }
                let claims = newcomers.iter().enumerate().filter(|(at, newcomer)| {
                    found[*at].is_none()
                        && agent.kind == newcomer.kind
                        && (!in_its_pane || is_at(newcomer, agent))
                        && self.claims(newcomer, agent, by)
                });
                let best = claims.min_by_key(|(_, newcomer)| {
                    let process = &newcomer.process;
                    (!is_at(newcomer, agent), process.start, process.pid)
                });
                if let Some((at, _)) = best {
                    found[at] = Some((agent, by));
                }
            }
        }
        found
    }

    fn claims(&self, newcomer: &Sighting, dead: &Agent, by: Evidence) -> bool {
        match by {
            Evidence::Session => newcomer.conversation.id().is_some_and(|id| dead.past.knows(id)),
            Evidence::Name => newcomer.asks.as_ref() == Some(&dead.name),
            Evidence::Pane => {
                let ended = dead.died.unwrap_or(self.now_ms);
                is_at(newcomer, dead)
                    && newcomer.cwd == dead.cwd
                    && !self.window.is_zero()
                    && self.now_ms.saturating_sub(ended) <= span::ms(self.window)
                    && !self.is_of_another_conversation(newcomer, dead)
                    && !is_named_otherwise(newcomer, dead)
            }
            Evidence::Other => false,
        }
    }

    /// Whether a newcomer continues a conversation that is known not to be one of `dead`: it belongs to another agent
    /// on record, or it existed before, and the conversations of `dead` are known. A newcomer that begins a
    /// conversation may be a restart.
    fn is_of_another_conversation(&self, newcomer: &Sighting, dead: &Agent) -> bool {
        let Conversation::Is { id, resumed } = &newcomer.conversation else { return false };
        let others = self.dead.iter().chain(&self.living).filter(|agent| agent.name != dead.name);
        let elsewhere = others.filter(|agent| agent.kind == dead.kind).any(|agent| agent.past.knows(id));
        !dead.past.knows(id) && (elsewhere || (*resumed && !dead.past.sessions.is_empty()))
    }

    /// Whether the newcomer's conversation, which it has not named yet, matters.
    pub fn waits_for(&self, newcomer: &Sighting) -> bool {
        let matters = |dead: &&Agent| {
            dead.kind == newcomer.kind && (is_at(newcomer, dead) || !dead.past.sessions.is_empty())
        };
        newcomer.conversation == Conversation::Soon && self.dead.iter().any(matters)
    }

    /// The ended agents that were in the conversation of a living agent. If one of them was at its place, only that
    /// one.
    pub fn found_by_session(&self, kind: &str, session: &str, place: &PaneRef) -> Vec<&'a Agent> {
        let of_it = |a: &&'a Agent| a.kind == kind && a.past.knows(session);
        if self.living.iter().any(of_it) {
            return Vec::new();
        }
        let found: Vec<&Agent> = self.dead.iter().copied().filter(of_it).collect();
        let here = |a: &&&'a Agent| {
            let there = &a.place;
            (&there.socket, there.server, &there.pane) == (&place.socket, place.server, &place.pane)
        };
        match &found.iter().filter(here).collect::<Vec<_>>()[..] {
            [one] => vec![**one],
            _ => found,
        }
    }
}

/// Whether a person gave the newcomer another name than a person gave to the agent.
fn is_named_otherwise(newcomer: &Sighting, agent: &Agent) -> bool {
    agent.past.given && newcomer.asks.as_ref().is_some_and(|name| !agent.answers_to(name))
}

/// Whether the newcomer is in the pane of the agent: on the same server process, so the number means the same pane.
fn is_at(newcomer: &Sighting, agent: &Agent) -> bool {
    let (here, there) = (&newcomer.place, &agent.place);
    here.socket == there.socket && here.server == there.server && here.server != 0 && here.pane == there.pane
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 1_000;

    fn process(pid: i32) -> ProcessId {
        ProcessId { pid, start: 100 + u64::try_from(pid).unwrap(), boot: "b".into() }
    }

    fn place(pane: &str) -> PaneRef {
        PaneRef { socket: "/s".into(), server: 1, pane: pane.into(), pane_pid: 3, namespace: None }
    }

    /// A new claude.
    fn newcomer(pid: i32, pane: &str, conversation: Conversation) -> Sighting {
        Sighting {
            kind: "claude".into(),
            process: process(pid),
            place: place(pane),
            cwd: "/p".into(),
            shared_server: None,
            conversation,
            asks: None,
        }
    }

    fn begins(id: &str) -> Conversation {
        Conversation::Is { id: id.into(), resumed: false }
    }

    fn resumes(id: &str) -> Conversation {
        Conversation::Is { id: id.into(), resumed: true }
    }

    /// A claude that ended at 100.
    fn dead(name: &str, pane: &str, sessions: &[&str]) -> Agent {
        let record = serde_json::json!({
            "name": name, "kind": "claude", "process": process(1), "place": place(pane), "cwd": "/p", "died": 100,
            "past": {"sessions": sessions},
        });
        serde_json::from_value(record).unwrap()
    }

    /// The result for each newcomer at `now_ms`.
    fn assign(dead: &[Agent], living: &[Agent], newcomers: &[Sighting], now_ms: u64) -> Vec<String> {
        let kin = Kin {
            dead: dead.iter().collect(),
            living: living.iter().collect(),
            now_ms,
            window: Duration::from_millis(WINDOW),
        };
        let told = |heir: Option<(&Agent, Evidence)>| {
            heir.map_or_else(String::new, |(agent, by)| format!("{} by {}", agent.name, by.word()))
        };
        kin.assign(&newcomers.iter().collect::<Vec<_>>()).into_iter().map(told).collect()
    }

    #[test]
    fn the_same_conversation_is_the_same_agent_wherever_and_whenever_it_starts() {
        let old = [dead("a", "%0", &["s0", "s1"]), dead("b", "%1", &["s2"])];
        for session in ["s0", "s1"] {
            let elsewhere = Sighting { cwd: "/p/sub".into(), ..newcomer(5, "%9", resumes(session)) };
            assert_eq!(assign(&old, &[], &[elsewhere], 9_000_000), ["a by session"]);
        }
        // Also in the pane of another ended agent.
        assert_eq!(assign(&old, &[], &[newcomer(5, "%1", resumes("s1"))], 200), ["a by session"]);
        let codex = Sighting { kind: "codex".into(), ..newcomer(5, "%0", resumes("s1")) };
        assert_eq!(assign(&old, &[], &[codex], 200), [""]);
    }

    #[test]
    fn of_two_that_were_in_one_conversation_the_one_in_its_pane_is_meant() {
        // A second window continued the conversation of the first, which was still alive and ended after it.
        let old = [dead("a", "%0", &["s1"]), Agent { died: Some(150), ..dead("b", "%1", &["s1"]) }];
        for (pane, heir) in [("%0", "a by session"), ("%1", "b by session"), ("%9", "b by session")] {
            assert_eq!(assign(&old, &[], &[newcomer(5, pane, resumes("s1"))], 200), [heir], "{pane}");
        }
        let both = [newcomer(5, "%9", resumes("s1")), newcomer(6, "%1", resumes("s1"))];
        assert_eq!(assign(&old, &[], &both, 200), ["a by session", "b by session"]);
    }

    #[test]
    fn one_that_a_person_names_otherwise_than_the_one_before_is_a_stranger_in_that_pane() {
        let mut old = dead("backend", "%0", &[]);
        let mut start = newcomer(5, "%0", Conversation::Unknown);
        start.asks = Some(Name::new("frontend").unwrap());
        // It had a numbered name, and now gets a name from a person.
        assert_eq!(assign(&[old.clone()], &[], std::slice::from_ref(&start), 200), ["backend by pane"]);
        old.past.given = true;
        assert_eq!(assign(&[old.clone()], &[], std::slice::from_ref(&start), 200), [""]);
        old.formerly = vec![Name::new("frontend").unwrap()];
        assert_eq!(assign(&[old.clone()], &[], std::slice::from_ref(&start), 200), ["backend by pane"]);
        start.asks = None;
        assert_eq!(assign(&[old], &[], &[start], 200), ["backend by pane"]);
    }

    #[test]
    fn the_same_pane_kind_and_directory_within_the_time_are_a_restart() {
        let old = [dead("a", "%0", &["s1"])];
        let start = newcomer(5, "%0", Conversation::Unknown);
        for (now, heir) in [(100, "a by pane"), (100 + WINDOW, "a by pane"), (101 + WINDOW, "")] {
            assert_eq!(assign(&old, &[], std::slice::from_ref(&start), now), [heir], "{now}");
        }
        let changes: [fn(&mut Sighting); 5] = [
            |s| s.kind = "codex".into(),
            |s| s.cwd = "/p/sub".into(),
            |s| s.place.pane = "%1".into(),
            |s| s.place.server = 2,
            |s| s.place.socket = "/other".into(),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut stranger = start.clone();
            change(&mut stranger);
            assert_eq!(assign(&old, &[], &[stranger], 200), [""], "change {index}");
        }
        // If no time is allowed, a pane is no evidence; nor is it on a server whose process is not known.
        let kin = Kin { dead: old.iter().collect(), living: vec![], now_ms: 100, window: Duration::ZERO };
        assert_eq!(kin.assign(&[&start]), [None]);
        let (mut unknown, mut here) = (old[0].clone(), start.clone());
        (unknown.place.server, here.place.server) = (0, 0);
        assert_eq!(assign(&[unknown], &[], &[here], 100), [""]);
        // Of two that ended there, the later one counts.
        let both = [dead("a", "%0", &[]), Agent { died: Some(150), ..dead("b", "%0", &[]) }];
        assert_eq!(assign(&both, &[], &[start], 200), ["b by pane"]);
    }

    #[test]
    fn one_that_goes_on_with_another_conversation_is_a_stranger_in_that_pane() {
        let old = [dead("a", "%0", &["s1"]), dead("b", "%1", &["s2"])];
        for (conversation, heir) in [
            // It begins a conversation: the agent was started again.
            (begins("s9"), "a by pane"),
            // It continues a conversation of nobody here, and this agent's conversation is known.
            (resumes("s9"), ""),
        ] {
            assert_eq!(
                assign(&old, &[], &[newcomer(5, "%0", conversation.clone())], 200),
                [heir],
                "{conversation:?}"
            );
        }
        // The earlier agent's conversation is not known.
        let unknown = [dead("a", "%0", &[])];
        assert_eq!(assign(&unknown, &[], &[newcomer(5, "%0", resumes("s9"))], 200), ["a by pane"]);
        // The conversation is a living agent's.
        let living = [Agent { died: None, ..dead("c", "%2", &["s3"]) }];
        assert_eq!(assign(&unknown, &living, &[newcomer(5, "%0", resumes("s3"))], 200), [""]);
    }

    #[test]
    fn of_several_that_start_each_gets_what_it_has_the_best_claim_to() {
        let old = [dead("a", "%0", &["s1"])];
        // The conversation counts more than the pane.
        let two = [newcomer(5, "%0", Conversation::Unknown), newcomer(6, "%7", resumes("s1"))];
        assert_eq!(assign(&old, &[], &two, 200), ["", "a by session"]);
        // Of two in one conversation, the one in its pane counts; else the one that started first.
        let two = [newcomer(5, "%6", resumes("s1")), newcomer(6, "%0", resumes("s1"))];
        assert_eq!(assign(&old, &[], &two, 200), ["", "a by session"]);
        let two = [newcomer(6, "%6", resumes("s1")), newcomer(5, "%7", resumes("s1"))];
        assert_eq!(assign(&old, &[], &two, 200), ["", "a by session"]);
        // A name from a person counts more than a pane, and less than a conversation.
        let asks = |pid, pane, name: &str| Sighting {
            asks: Some(Name::new(name).unwrap()),
            ..newcomer(pid, pane, Conversation::Unknown)
        };
        let two = [newcomer(5, "%0", Conversation::Unknown), asks(6, "%7", "a")];
        assert_eq!(assign(&old, &[], &two, 9_000_000), ["", "a by name"]);
        let two = [newcomer(5, "%8", resumes("s1")), asks(6, "%7", "a")];
        assert_eq!(assign(&old, &[], &two, 200), ["a by session", ""]);
        let codex = Sighting { kind: "codex".into(), ..asks(6, "%7", "a") };
        assert_eq!(assign(&old, &[], &[codex], 200), [""]);
    }

    #[test]
    fn a_running_agent_that_turns_out_to_be_in_a_dead_ones_conversation_is_that_one() {
        let (old, living) = ([dead("a", "%0", &["s1"])], [Agent { died: None, ..dead("c", "%2", &["s3"]) }]);
        let kin = Kin {
            dead: old.iter().collect(),
            living: living.iter().collect(),
            now_ms: 200,
            window: Duration::ZERO,
        };
        let named = |kin: &Kin<'_>, kind, session, pane| {
            let found = kin.found_by_session(kind, session, &place(pane));
            found.into_iter().map(|a| a.name.to_string()).collect::<Vec<_>>().join(" ")
        };
        let found = |kind, session| named(&kin, kind, session, "%9");
        assert_eq!(
            (found("claude", "s1").as_str(), found("codex", "s1") + &found("claude", "s2")),
            ("a", String::new())
        );
        // If two were in it, none is taken, except the one whose pane it is.
        let two = [dead("a", "%0", &["s1"]), dead("b", "%1", &["s1"])];
        let twice = Kin { dead: two.iter().collect(), ..kin };
        assert_eq!(
            (named(&twice, "claude", "s1", "%9").as_str(), named(&twice, "claude", "s1", "%1").as_str()),
            ("a b", "b")
        );
        let both = [Agent { died: None, ..dead("c", "%2", &["s1"]) }];
        let kin = Kin { dead: old.iter().collect(), living: both.iter().collect(), ..twice };
        assert_eq!(named(&kin, "claude", "s1", "%9"), "", "a living one has it");
    }

    #[test]
    fn the_latest_conversations_are_remembered_and_nothing_that_is_no_id() {
        let mut past = Past::default();
        for bad in ["", "../x", "a b", "é", &"x".repeat(129)] {
            assert!(!past.enter(bad), "{bad:?}");
        }
        for n in 0..12 {
            assert!(past.enter(&format!("s{n}")));
        }
        assert!(!past.enter("s11") && past.knows("s4") && !past.knows("s3"));
        assert_eq!(past.sessions.len(), MAX_SESSIONS);
        // A record of an earlier version lacks these fields, and one of a later version has more.
        let later: Past = serde_json::from_value(serde_json::json!({
            "inherited": {"by": "telepathy", "at": 1, "from": process(1)}, "more": 1,
        }))
        .unwrap();
        assert_eq!(later.inherited.unwrap().by, Evidence::Other);
    }
}
