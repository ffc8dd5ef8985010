//! Names of agents and mailboxes.
//!
//! A name is `[a-z0-9][a-z0-9-]{0,31}`. It is a file name, part of a tmux option and part of a typed line, so it
//! contains no character that these could misread. A value of the type is always valid.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 32;

/// Names that no agent can have: they stand for groups, the person, or swarm.
pub const RESERVED: [&str; 6] = ["all", "team", "human", "swarm", "none", "self"];

/// A valid name of an agent or of the human.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    /// The text that was refused, escaped and shortened.
    pub given: String,
    pub why: &'static str,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a name: {} (a name is a-z, 0-9 and -, starting with a letter or digit, at most {MAX_NAME} characters)",
            self.given, self.why
        )
    }
}

impl std::error::Error for BadName {}

impl Name {
    /// Checks `text` as a name. `human` is a valid address; [`Name::for_agent`] refuses it.
    pub fn new(text: &str) -> Result<Self, BadName> {
        let bad = |why| Err(BadName { given: super::escape::short(text, 40), why });
        match text.as_bytes() {
            [] => bad("it is empty"),
            bytes if bytes.len() > MAX_NAME => bad("it is too long"),
            [b'-', ..] => bad("it starts with -"),
            bytes if !bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-') => {
                bad("it has a character that is not allowed")
            }
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// Checks `text` as a name that an agent may have: valid and not reserved.
    pub fn for_agent(text: &str) -> Result<Self, BadName> {
        if RESERVED.contains(&text) {
            return Err(BadName { given: text.to_owned(), why: "it is reserved" });
        }
        Self::new(text)
    }

    /// Whether `text` is valid as a kind, from which agents' names are made: an agent cannot be called `human-1`.
    pub fn is_kind(text: &str) -> bool {
        Self::for_agent(text).is_ok() && Self::for_agent(&format!("{text}-1")).is_ok()
    }

    /// The address of the person at the keyboard.
    pub fn human() -> Self {
        Self("human".to_owned())
    }

    /// Whether this is the person at the keyboard.
    pub fn is_human(&self) -> bool {
        self.0 == "human"
    }

    /// The name of a sender without a name here. It is reserved, and no agent has it.
    pub fn nobody() -> Self {
        Self("none".to_owned())
    }

    /// swarm itself, as the sender of notices.
    pub fn system() -> Self {
        Self("swarm".to_owned())
    }

    /// Whether this is swarm itself.
    pub fn is_system(&self) -> bool {
        self.0 == "swarm"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;
    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_safe_everywhere_are_taken() {
        for good in ["claude-1", "a", "0", "reviewer", "human"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in ["", "-a", "A", "a b", "a/b", "../x", "a.b", "é", "a\n", "#{x}", long.as_str()] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        assert!(Name::for_agent("all").is_err());
        assert!(Name::for_agent("human").is_err());
    }

    #[test]
    fn a_bad_name_in_a_record_is_refused_when_it_is_read() {
        assert!(serde_json::from_str::<Name>("\"../../etc\"").is_err());
    }

    #[test]
    fn an_agent_bears_any_good_name_that_is_nobody_elses() {
        assert_eq!(Name::for_agent("claude-1").unwrap().as_str(), "claude-1");
        for name in RESERVED {
            assert!(Name::for_agent(name).is_err(), "{name}");
        }
        assert!(Name::for_agent("A").is_err());
    }

    #[test]
    fn the_person_and_the_system_are_told_from_everybody() {
        for (name, human, system) in [
            (Name::human(), true, false),
            (Name::system(), false, true),
            (Name::new("humane").unwrap(), false, false),
        ] {
            assert_eq!((name.is_human(), name.is_system()), (human, system), "{name}");
        }
    }

    #[test]
    fn a_refusal_quotes_the_name_safely_and_tells_the_rule() {
        let told = Name::new("a\x1bb").unwrap_err().to_string();
        assert!(told.contains("'a\\u{1b}b' is not a name") && told.contains("at most 32"), "{told}");
    }

    #[test]
    fn a_name_is_written_as_it_is() {
        let name = Name::new("claude-1").unwrap();
        assert_eq!(serde_json::to_value(&name).unwrap(), "claude-1");
        assert_eq!(format!("{name:<10}|"), "claude-1  |");
    }
}
