//! The record of one agent.
//!
//! An agent is a living process in a tmux pane that a profile recognised. Its name stays with the process, even if
//! the pane's number changes. A new process is a new agent, unless there is evidence that it continues an agent that
//! ended ([`super::heir`]).

use super::heir::Past;
use super::name::Name;
use super::process_id::ProcessId;
use super::span;
use super::usage_limit::UsageLimit;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;

/// What an agent is doing, as far as is known. Only `Idle` ever lets text be typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// At an empty composer, nothing running.
    Idle,
    /// In a turn.
    Busy,
    /// A permission or choice dialog is open: an Enter there answers it.
    Dialog,
    /// Something covers the composer, or it is in a mode in which it does something else with a text.
    Overlay,
    /// The composer holds text, a person's or a line of swarm's.
    Draft,
    /// At an empty composer, with its usage limit reached: it does not act on mail now.
    Limit,
    /// The evidence is not sufficient. Never treated as idle. A status that only a later version knows is read as
    /// this.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Busy => "busy",
            Status::Dialog => "dialog",
            Status::Overlay => "overlay",
            Status::Draft => "draft",
            Status::Limit => "limit",
            Status::Unknown => "unknown",
        }
    }
}

/// Where an agent is: a pane of one tmux server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaneRef {
    /// Path of the server's socket.
    pub socket: String,
    /// The server's pid; 0 if unknown, which is no server's pid. Nothing is then typed until the agent is seen again.
    #[serde(default)]
    pub server: i32,
    /// The pane's id, such as `%5`: unique in its server for the server's life. It becomes part of tmux commands and
    /// of a file's name, so a record with any other text is invalid.
    #[serde(deserialize_with = "pane_id")]
    pub pane: String,
    /// The pid of the pane's first process; 0 if unknown.
    #[serde(default)]
    pub pane_pid: i32,
    /// The pid namespace of these pids and of the agent's own; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u64>,
}

/// Whether `text` is the id of a pane: `%` and a number.
pub fn is_pane_id(text: &str) -> bool {
    let number = text.strip_prefix('%').unwrap_or_default();
    (1..=10).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
}

fn pane_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_pane_id(&text) { Ok(text) } else { Err(serde::de::Error::custom("it names no pane")) }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    pub name: Name,
    /// The profile that recognised it, such as `claude`; if unknown, empty until the agent is seen again.
    #[serde(default)]
    pub kind: String,
    pub process: ProcessId,
    pub place: PaneRef,
    /// Its working directory.
    #[serde(default)]
    pub cwd: String,
    /// Its earlier names. Mail to these is still its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formerly: Vec<Name>,
    /// The argument that marks a background server which may run the tools of several agents of this kind. For
    /// processes below it, ancestry does not show the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_server: Option<String>,
    /// Whether it got the onboarding message.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub onboarded: bool,
    /// When it was first seen (ms since the epoch).
    #[serde(default)]
    pub first_seen: u64,
    /// Its state at the last look.
    #[serde(default)]
    pub status: Status,
    /// Since when it is in that state (ms since the epoch).
    #[serde(default)]
    pub since: u64,
    /// When it was found dead (ms since the epoch); `None` while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub died: Option<u64>,
    /// The usage limit that its screen shows, or showed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<UsageLimit>,
    /// What is remembered about it beyond its process.
    #[serde(default, skip_serializing_if = "Past::is_empty")]
    pub past: Past,
}

/// The most agents that one command starts.
pub const MOST_STARTED: u8 = 16;

impl Agent {
    /// Whether mail to `name` is this agent's.
    pub fn answers_to(&self, name: &Name) -> bool {
        self.name == *name || self.formerly.contains(name)
    }

    /// Whether the agent was alive when last looked at.
    pub fn is_live(&self) -> bool {
        self.died.is_none()
    }

    /// When an agent that has ended is not waited for any more (ms since the epoch): it may be started again within
    /// `grace`. If the clock was set back, this is not later.
    pub fn gone_at(&self, now_ms: u64, grace: Duration) -> u64 {
        self.died.filter(|died| *died <= now_ms).map_or(now_ms, |died| died.saturating_add(span::ms(grace)))
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Busy, Dialog, Draft, Idle, Limit, Overlay, Unknown};
    use super::*;

    #[test]
    fn a_pane_is_a_number_and_nothing_that_a_command_or_a_file_name_could_misread() {
        let place = |pane: &str| {
            let record = serde_json::json!({"socket": "/s", "server": 1, "pane": pane, "pane_pid": 1});
            serde_json::from_value::<PaneRef>(record)
        };
        for good in ["%0", "%5", "%4294967295"] {
            assert_eq!(place(good).unwrap().pane, good);
        }
        for bad in
            ["", "%", "5", "%5 ; run-shell id", "%/../../x", "../x", "%5\n", "%٥", "%99999999999", "{last}"]
        {
            assert!(place(bad).is_err(), "{bad:?}");
        }
    }

    fn agent(name: &str, formerly: &[&str]) -> Agent {
        Agent {
            name: Name::new(name).unwrap(),
            kind: "claude".into(),
            process: ProcessId { pid: 1, start: 7, boot: "b".into() },
            place: PaneRef {
                socket: "/s".into(),
                server: 1,
                pane: "%0".into(),
                pane_pid: 1,
                namespace: None,
            },
            cwd: "/p".into(),
            formerly: formerly.iter().map(|name| Name::new(name).unwrap()).collect(),
            shared_server: None,
            onboarded: false,
            first_seen: 0,
            status: Status::default(),
            since: 0,
            died: None,
            limit: None,
            past: Past::default(),
        }
    }

    #[test]
    fn an_agent_answers_to_its_name_and_to_those_it_had_before() {
        let agent = agent("reviewer", &["claude-1", "claude-2"]);
        for (name, answers) in [
            ("reviewer", true),
            ("claude-1", true),
            ("claude-2", true),
            ("claude-3", false),
            ("human", false),
        ] {
            assert_eq!(agent.answers_to(&Name::new(name).unwrap()), answers, "{name}");
        }
    }

    #[test]
    fn an_agent_lives_until_it_was_found_dead() {
        let living = agent("claude-1", &[]);
        assert!(living.is_live());
        assert!(!Agent { died: Some(1), ..living }.is_live());
    }

    #[test]
    fn people_see_the_word_that_stands_in_the_record() {
        for status in [Idle, Busy, Dialog, Overlay, Draft, Limit, Unknown] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
            assert_eq!(serde_json::from_value::<Status>(status.word().into()).unwrap(), status);
        }
    }

    #[test]
    fn a_state_that_only_a_later_version_knows_is_unknown_and_the_record_loads() {
        let mut record = serde_json::to_value(agent("claude-1", &[])).unwrap();
        record["status"] = "asleep".into();
        assert_eq!(serde_json::from_value::<Agent>(record).unwrap().status, Unknown);
    }
}
