//! Addresses of a team over several hosts: `host/agent`, or a bare name for an agent of this host.
//!
//! A host's name is `[a-z0-9][a-z0-9-]{0,15}`, so a shown address can be typed back. A value of either type is always
//! valid. A bare name never means an agent on another host.

use super::name::Name;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest name of a host, in bytes.
pub const MAX_HOST: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// Checks `text`.
    pub fn new(text: &str) -> Result<Self, String> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if text.is_empty() || text.len() > MAX_HOST || text.starts_with('-') || !text.bytes().all(good) {
            return Err(format!(
                "'{}' is not the name of a host (a-z, 0-9 and -, starting with a letter or digit, at most {MAX_HOST} characters)",
                super::escape::short(text, 40)
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// A valid name made of a machine's own name: its first label, in lower case, with invalid characters replaced.
    pub fn folded(text: &str) -> Self {
        let first = text.split('.').next().unwrap_or_default().to_lowercase();
        let mut kept = String::new();
        for c in first.chars() {
            let c = if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
            if !(kept.is_empty() && c == '-') && kept.len() < MAX_HOST {
                kept.push(c);
            }
        }
        let kept = kept.trim_end_matches('-');
        Self(if kept.is_empty() { "host" } else { kept }.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HostName {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> Self {
        host.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A name on a host; without a host: on this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// The host, if it is another one.
    pub host: Option<HostName>,
    /// The name on that host.
    pub name: Name,
}

impl Address {
    /// A name on a host of the team.
    pub fn on(host: HostName, name: Name) -> Self {
        Self { host: Some(host), name }
    }

    /// Reads `name` or `host/name`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            None => Name::new(text).map(Self::from).map_err(|bad| bad.to_string()),
            Some((host, name)) => {
                let name = Name::new(name).map_err(|bad| bad.to_string())?;
                Ok(Self::on(HostName::new(host)?, name))
            }
        }
    }

    /// The name, if it is on this host.
    pub fn local(&self) -> Option<&Name> {
        Some(&self.name).filter(|_| self.host.is_none())
    }

    /// Whether this is swarm itself on this host.
    pub fn is_system(&self) -> bool {
        self.local().is_some_and(Name::is_system)
    }

    /// Whether this is the person at this host's keyboard.
    pub fn is_human(&self) -> bool {
        self.local().is_some_and(Name::is_human)
    }

    /// The address as part of a file's name.
    pub fn file_word(&self) -> String {
        self.to_string().replace('/', "+")
    }
}

impl From<Name> for Address {
    fn from(name: Name) -> Self {
        Self { host: None, name }
    }
}

impl PartialEq<Name> for Address {
    fn eq(&self, name: &Name) -> bool {
        self.local() == Some(name)
    }
}

impl TryFrom<String> for Address {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => f.pad(&format!("{host}/{}", self.name)),
            None => self.name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_typed_back_as_it_is_shown() {
        for text in ["claude-1", "build/codex-1", "nas-2/human"] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(serde_json::to_value(&address).unwrap(), text);
            assert_eq!(serde_json::from_value::<Address>(text.into()).unwrap(), address);
        }
        for bad in ["", "/", "a/", "/a", "A/b", "a/b/c", "../x", "a+b", "-a/b", "aaaaaaaaaaaaaaaaa/b"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Address::parse("build/codex-1").unwrap().file_word(), "build+codex-1");
    }

    #[test]
    fn nobody_of_another_host_is_taken_for_one_of_this() {
        let (here, there) = (Address::parse("human").unwrap(), Address::parse("build/human").unwrap());
        assert!(here.is_human() && here == Name::human());
        assert!(!there.is_human() && there != Name::human() && there.local().is_none());
        assert!(!Address::parse("build/swarm").unwrap().is_system());
    }

    #[test]
    fn a_machines_name_becomes_one_that_is_allowed() {
        for (machine, host) in [
            ("Build.example.org", "build"),
            ("Anna's MacBook", "anna-s-macbook"),
            ("__", "host"),
            ("a-very-long-name-of-a-host", "a-very-long-name"),
        ] {
            assert_eq!(HostName::folded(machine).as_str(), host);
            HostName::new(HostName::folded(machine).as_str()).unwrap();
        }
    }
}
