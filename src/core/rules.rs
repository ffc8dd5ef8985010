//! Profiles that are not built in: their source, their digest, and the file format of a newer set of the shipped ones.
//! Pure.

use crate::core::order;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The signer and the purpose of signatures of rules.
pub const SIGNER: &str = "swarm-rules";

/// The number of the built-in rules: the day of the release, and two digits.
pub const BUILT_IN: u64 = 2_026_112_600;

/// The most profiles in one set.
const MOST: usize = 200;

/// The source of a profile. A later one here replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RulesFrom {
    /// A newer set of the shipped profiles, with its number.
    Update(u64),
    /// The project, whose rules the person has allowed.
    Project,
    /// The person.
    User,
}

/// A set of rules in the shipped form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// A higher number is newer.
    pub number: u64,
    /// The text of each profile, by the name of its file.
    pub profiles: BTreeMap<String, String>,
}

impl RuleSet {
    /// Reads a set. It does not check the profiles.
    pub fn parse(text: &str) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(text.as_bytes())
            .map_err(|why| format!("it is not a set of rules: {why}"))?;
        if json["format"] != 1 {
            return Err("it is not a set of rules that this version of swarm can read".to_owned());
        }
        let number = json["number"].as_u64().ok_or("it has no number")?;
        let listed = json["profiles"].as_object().ok_or("it has no profiles")?;
        let one = |(file, text): (&String, &Value)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            let stem = file.strip_suffix(".toml").filter(|stem| !stem.is_empty() && stem.len() <= 50);
            let named = stem.is_some_and(|stem| stem.chars().all(plain));
            Some((file.clone(), text.as_str().filter(|_| named)?.to_owned()))
        };
        let profiles: Option<Vec<(String, String)>> = listed.iter().map(one).collect();
        let profiles = profiles
            .map(order::collect::<_, BTreeMap<_, _>>)
            .filter(|all| !all.is_empty() && all.len() <= MOST);
        Ok(Self { number, profiles: profiles.ok_or("its profiles are not a list of named texts")? })
    }
}

/// The digest of files with rules: any change of a name or a text changes it.
pub fn digest<'f>(files: impl Iterator<Item = (&'f str, &'f str)>) -> String {
    let mut hash = Sha256::new();
    for part in files.flat_map(|(name, text)| [name, text]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_rules_is_read_whole_or_not_at_all() {
        let good = r#"{"format": 1, "number": 7, "profiles": {"claude.toml": "kind = 'claude'"}}"#;
        let set = RuleSet::parse(good).unwrap();
        assert_eq!((set.number, set.profiles["claude.toml"].as_str()), (7, "kind = 'claude'"));
        for (old, new) in [
            ("1,", "2,"),
            ("7", "-7"),
            ("7", "\"7\""),
            ("claude.toml", "../claude.toml"),
            ("claude.toml", "claude"),
            ("\"kind = 'claude'\"", "7"),
            ("{\"claude.toml\": \"kind = 'claude'\"}", "{}"),
            ("}}", "}"),
        ] {
            let bad = good.replacen(old, new, 1);
            assert_ne!(bad, good);
            assert!(RuleSet::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_change_of_the_files_changes_what_they_are_known_by() {
        let of = |files: &[(&'static str, &'static str)]| digest(files.iter().copied());
        let base = of(&[("a", "bc"), ("d", "e")]);
        assert_eq!((base.len(), base == of(&[("a", "bc"), ("d", "e")])), (64, true));
        for other in [
            &[("ab", "c"), ("d", "e")][..],
            &[("a", "bc")],
            &[("a", "bc"), ("d", "f")],
            &[("d", "e"), ("a", "bc")],
        ] {
            assert_ne!(of(other), base, "{other:?}");
        }
    }
}
