//! The records of leases, and of the waiters for them.
//!
//! Plain values, one file each. They contain only what was decided under the mutex; the rules are in
//! [`super::table`].

use super::pattern::PathPattern;
use crate::core::address::{Address, HostName};
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::message::Identity;
use crate::core::moment::Deadline;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest reason, in characters.
pub const MAX_REASON: usize = 512;

/// Whether others may hold the same path at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Others may, if they share it too: for undisturbed reading.
    Shared,
    /// Nobody else may.
    #[default]
    Exclusive,
}

impl Mode {
    /// The word shown to people.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Shared => "shared",
            Mode::Exclusive => "exclusive",
        }
    }

    /// Whether a lease with `self` excludes one with `other` on the same path.
    pub fn conflicts(self, other: Self) -> bool {
        self == Mode::Exclusive || other == Mode::Exclusive
    }
}

/// The holder of a lease, or somebody who wants one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The agent, or the human.
    pub name: Name,
    /// The process whose end ends the lease; `None`: only time ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    /// The pid namespace in which that process can be seen, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<u64>,
    /// Whether the process is a command that runs under the lease. Two commands exclude each other, even if one agent
    /// runs both.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub command: bool,
    /// The evidence for the holder's identity, if it is not proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The host of the team, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
}

impl Holder {
    /// The address that people read and type.
    pub fn address(&self) -> Address {
        Address { host: self.host.clone(), name: self.name.clone() }
    }

    /// Adds the evidence for the identity. It is kept if the identity is not proved.
    #[must_use]
    pub fn known_by(self, identity: Identity) -> Self {
        Self { identity: Some(identity).filter(|i| *i == Identity::Env), ..self }
    }

    /// `, identity: env` if the identity is not proved.
    pub fn doubt(&self) -> &'static str {
        if self.identity.is_some() { ", identity: env" } else { "" }
    }

    /// An agent. `namespace` is the caller's own pid namespace if it sees the agent's process there, else `None`.
    pub fn agent(agent: &Agent, namespace: Option<u64>) -> Self {
        Self {
            name: agent.name.clone(),
            process: Some(agent.process.clone()),
            namespace,
            command: false,
            identity: None,
            host: None,
        }
    }

    /// The person at the keyboard, in any terminal. Nothing shows whether they still need a lease.
    pub fn human() -> Self {
        Self {
            name: Name::human(),
            process: None,
            namespace: None,
            command: false,
            identity: None,
            host: None,
        }
    }

    /// A command that runs for `name`, for the life of `process`.
    pub fn command(name: Name, process: ProcessId, namespace: Option<u64>) -> Self {
        Self { name, process: Some(process), namespace, command: true, identity: None, host: None }
    }

    /// Whether it is the local agent of that name itself, and not a command of that agent.
    pub fn is_agent_itself(&self, name: &Name) -> bool {
        self.name == *name && self.host.is_none() && !self.command
    }

    /// Whether leases of the two never conflict.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.command && other.command {
            return self.process == other.process;
        }
        (self.name == other.name && self.host == other.host)
            || (self.process.is_some() && self.process == other.process)
    }

    /// Whether the two own the same leases: a command's lease is not its agent's.
    pub fn shares_with(&self, other: &Self) -> bool {
        self.command == other.command && self.is_same(other)
    }
}

/// Whether a holder lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Its process runs.
    Alive,
    /// Its process has ended.
    Dead,
    /// Unknown; only time frees its leases.
    Unknown,
}

/// The reason for a lease: one safe line, bounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    pub fn new(text: &str) -> Result<Self, String> {
        Self::checked(text, escape::misleading(text).next())
    }

    fn checked(text: &str, bad: Option<(usize, char)>) -> Result<Self, String> {
        let length = text.chars().count();
        if length > MAX_REASON {
            return Err(format!("the reason has {length} characters, at most {MAX_REASON} are allowed"));
        }
        match bad {
            Some((at, c)) => Err(format!(
                "the reason has the character U+{:04X} at position {}: it must be one plain line, without invisible characters",
                u32::from(c),
                text.get(..at).unwrap_or_default().chars().count() + 1
            )),
            None => Ok(Self(text.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = String;
    /// A reason that the first version accepted must not make a record invalid.
    fn try_from(text: String) -> Result<Self, String> {
        let steers = |c: char| escape::steers(c) && !matches!(c, '\u{200c}' | '\u{200d}');
        let bad = text.char_indices().find(|(_, c)| steers(*c));
        Self::checked(&text, bad)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a challenged holder has to renew.
pub const CHALLENGE_MS: u64 = 90_000;

/// How long an offered path is reserved.
pub const OFFER_MS: u64 = 120_000;

/// The challenge of a holder whose expired lease somebody else wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The name of that waiter.
    pub by: Name,
    /// When the lease is lost.
    pub until: Deadline,
}

/// One lease, as stored in `leases/FENCE.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Its number, larger than the numbers of all earlier leases.
    pub fence: u64,
    pub holder: Holder,
    /// Its paths; they were granted together.
    pub paths: Vec<PathPattern>,
    pub mode: Mode,
    /// An agent's hook took it for an edit: it ends with its time, without a challenge.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it was granted (ms since the epoch).
    pub since: u64,
    /// When others may claim it.
    pub expires: Deadline,
    /// The challenge, if somebody has asked for the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<Challenge>,
}

/// A waiter, as stored in `waiters/TICKET.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// Its ticket: a smaller number goes first.
    pub ticket: u64,
    pub holder: Holder,
    /// The paths that it waits for, all together.
    pub paths: Vec<PathPattern>,
    pub mode: Mode,
    /// Since when (ms since the epoch).
    pub since: u64,
    /// When it stops waiting.
    pub until: Deadline,
    /// Set once it is its turn: until when it has its offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<Deadline>,
    /// The processes above it, if one of them is a command with a lease. That command does not end while this one
    /// waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<ProcessId>,
}

/// The last number of leases and tickets. Numbers strictly increase, also across crashes and reboots.
///
/// Numbers are reserved in blocks with one durable write and then used with cheap writes, which a power failure may
/// lose. After a reboot, counting continues at the end of the block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The last number used.
    pub last: u64,
    /// The last reserved number.
    pub reserved: u64,
    /// The boot in which the last number was used.
    pub boot: String,
}

/// Numbers reserved with one durable write.
const BLOCK: u64 = 100;

impl Counter {
    /// A counter for a store whose counter was lost: above every number in the records, and above every other
    /// possible one.
    pub fn recovered(known: u64, now_ms: u64) -> Self {
        let last = known.max(now_ms);
        Self { last, reserved: last, boot: String::new() }
    }

    /// The next number. The counter must be written before the number is used; durably if the second value is true.
    pub fn next(&mut self, boot: &str) -> (u64, bool) {
        if self.boot != boot {
            self.last = self.last.max(self.reserved);
            boot.clone_into(&mut self.boot);
        }
        self.last += 1;
        let reserve = self.last > self.reserved;
        if reserve {
            self.reserved = self.last + BLOCK - 1;
        }
        (self.last, reserve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_through_a_reboot_that_lost_the_last_writes() {
        let mut counter = Counter::default();
        let mut durable = counter.clone();
        let mut highest = 0;
        for boot in ["a", "b", "c"] {
            counter = durable.clone();
            for _ in 0..150 {
                let (number, must_sync) = counter.next(boot);
                assert!(number > highest);
                highest = number;
                if must_sync {
                    durable = counter.clone();
                }
            }
        }
        assert!(highest < 1000);
        assert!(Counter::recovered(5, 1_700_000_000_000).next("d").0 > highest);
    }

    #[test]
    fn a_reason_is_one_plain_line() {
        assert!(Reason::new(&"é".repeat(MAX_REASON)).is_ok());
        assert!(Reason::new(&"é".repeat(MAX_REASON + 1)).is_err());
        assert!(Reason::new("a\nb").is_err());
        assert!(serde_json::from_str::<Reason>("\"\\u001b[2J\"").is_err());
    }

    #[test]
    fn two_commands_of_one_agent_exclude_each_other_and_not_their_agent() {
        let process = |pid| ProcessId { pid, start: 1, boot: "b".into() };
        let holder = |pid, command| Holder {
            name: Name::new("claude-1").unwrap(),
            process: Some(process(pid)),
            namespace: None,
            command,
            identity: None,
            host: None,
        };
        assert!(!holder(1, true).is_same(&holder(2, true)));
        assert!(holder(1, true).is_same(&holder(2, false)));
        assert!(!holder(1, true).shares_with(&holder(1, false)));
    }

    #[test]
    fn whoever_is_not_alone_with_it_conflicts() {
        use Mode::{Exclusive, Shared};
        for (one, other, conflict) in [
            (Shared, Shared, false),
            (Shared, Exclusive, true),
            (Exclusive, Shared, true),
            (Exclusive, Exclusive, true),
        ] {
            assert_eq!(one.conflicts(other), conflict, "{one:?} {other:?}");
            assert_eq!(serde_json::to_value(one).unwrap(), one.word());
        }
    }

    #[test]
    fn a_holder_is_known_by_its_name_or_its_process() {
        let process = |pid| ProcessId { pid, start: 1, boot: "b".into() };
        let agent = |name: &str, pid: Option<i32>| Holder {
            name: Name::new(name).unwrap(),
            process: pid.map(process),
            namespace: None,
            command: false,
            identity: None,
            host: None,
        };
        let command = |name: &str, pid| Holder::command(Name::new(name).unwrap(), process(pid), None);
        for (one, other, same, shares) in [
            (agent("a", Some(1)), agent("a", Some(2)), true, true),
            (agent("a", Some(1)), agent("b", Some(1)), true, true),
            (agent("a", Some(1)), agent("b", Some(2)), false, false),
            // Two holders without a process are not the same.
            (agent("a", None), agent("b", None), false, false),
            (Holder::human(), Holder::human(), true, true),
            (command("a", 1), command("a", 2), false, false),
            (command("a", 1), command("b", 1), true, true),
            (command("a", 1), agent("a", Some(3)), true, false),
            (command("a", 1), agent("b", Some(2)), false, false),
        ] {
            for (x, y) in [(&one, &other), (&other, &one)] {
                assert_eq!((x.is_same(y), x.shares_with(y)), (same, shares), "{x:?} {y:?}");
            }
        }
    }

    #[test]
    fn numbers_are_reserved_a_hundred_at_a_time() {
        let mut counter = Counter::default();
        let durable: Vec<u64> =
            (0..250).map(|_| counter.next("a")).filter(|(_, sync)| *sync).map(|(n, _)| n).collect();
        assert_eq!(durable, [1, 101, 201]);
        assert_eq!(counter, Counter { last: 250, reserved: 300, boot: "a".into() });
        assert_eq!(counter.next("b"), (301, true), "the rest of the block may have been used");
        for (known, now, next) in [(5, 9, 10), (9, 5, 10)] {
            assert_eq!(Counter::recovered(known, now).next("a"), (next, true));
        }
    }

    #[test]
    fn a_reason_is_kept_as_it_was_given() {
        let reason = Reason::new("the parser").unwrap();
        assert_eq!((reason.as_str(), &*reason.to_string()), ("the parser", "the parser"));
        assert_eq!(serde_json::to_value(&reason).unwrap(), "the parser");
        assert_eq!(serde_json::from_str::<Reason>("\"the parser\"").unwrap(), reason);
    }
}
