//! Message ids.
//!
//! Eight random characters of an alphabet without look-alikes: 40 bits. Among 100,000 messages, a collision has a
//! probability of 1 in 200 over a project's whole life. A prefix of four characters (20 bits) then also fits another
//! message in about 1 of 10 cases: the command refuses it, and a longer prefix is needed. The order of messages is
//! not in the id but in the file name, which starts with the time of creation.

use serde::{Deserialize, Serialize};
use std::fmt;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters in a whole id.
pub const ID_LEN: usize = 8;

/// The shortest prefix that may stand for an id.
pub const MIN_PREFIX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(String);

impl MessageId {
    /// An id from 40 of the given random bits.
    pub fn from_entropy(bits: u64) -> Self {
        Self((0..ID_LEN).map(|i| char::from(ALPHABET[(bits >> (5 * i) & 31) as usize])).collect())
    }

    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == ID_LEN && is_prefix(text)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` could be the beginning of an id.
pub fn is_prefix(text: &str) -> bool {
    text.len() <= ID_LEN && text.bytes().all(|b| ALPHABET.contains(&b))
}

/// Why `text` cannot be the beginning of an id; `None` if it can.
pub fn complaint(text: &str) -> Option<String> {
    let shown = super::escape::short(text, 20);
    let why = if let Some(c) = text.chars().find(|c| !u8::try_from(*c).is_ok_and(|b| ALPHABET.contains(&b))) {
        format!(
            "no id has {} in it (ids have digits and small letters without i, l, o and u)",
            super::escape::word(&c.to_string())
        )
    } else if text.len() > ID_LEN {
        format!("an id has {ID_LEN} characters, this has {}", text.len())
    } else if text.len() < MIN_PREFIX {
        format!("give at least {MIN_PREFIX} of its {ID_LEN} characters")
    } else {
        return None;
    };
    Some(format!("'{shown}' is not a message id: {why}"))
}

impl TryFrom<String> for MessageId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("'{}' is not a message id", super::escape::short(&text, 20)))
    }
}

impl From<MessageId> for String {
    fn from(id: MessageId) -> Self {
        id.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_eight_safe_characters_and_parses_back() {
        let id = MessageId::from_entropy(0x1234_5678_9abc_def0);
        assert_eq!(MessageId::parse(id.as_str()), Some(id));
        assert_eq!(MessageId::parse("../../..".get(..8).unwrap()), None);
        assert_eq!(MessageId::parse("k3f9"), None);
    }

    #[test]
    fn every_five_bits_are_one_character() {
        let bits = (0..8).fold(0, |bits, digit| bits | digit << (5 * digit));
        assert_eq!(MessageId::from_entropy(bits).as_str(), "01234567");
        assert_eq!(MessageId::from_entropy(u64::MAX).as_str(), "zzzzzzzz");
        assert_eq!(MessageId::from_entropy(u64::MAX << 40).as_str(), "00000000");
    }

    #[test]
    fn the_beginning_of_an_id_has_its_characters_and_no_more() {
        for (text, good) in
            [("", true), ("k3f9", true), ("k3f9a2xy", true), ("k3f9a2xyz", false), ("l", false), ("K", false)]
        {
            assert_eq!(is_prefix(text), good, "{text}");
        }
    }

    #[test]
    fn what_is_no_id_is_told_why() {
        let alphabet = "(ids have digits and small letters without i, l, o and u)";
        for (text, why) in [
            ("k3f9", None),
            ("k3f9a2xy", None),
            ("k3f", Some("give at least 4 of its 8 characters".to_owned())),
            ("", Some("give at least 4 of its 8 characters".to_owned())),
            ("nope", Some(format!("no id has 'o' in it {alphabet}"))),
            ("K3F9", Some(format!("no id has 'K' in it {alphabet}"))),
            ("é", Some(format!("no id has 'é' in it {alphabet}"))),
            ("k3f9a2xyz", Some("an id has 8 characters, this has 9".to_owned())),
        ] {
            assert_eq!(complaint(text), why.map(|why| format!("'{text}' is not a message id: {why}")));
            assert_eq!(complaint(text).is_none(), text.len() >= MIN_PREFIX && is_prefix(text));
        }
    }

    #[test]
    fn an_id_in_a_record_is_checked_and_one_in_a_table_is_padded() {
        let id = MessageId::from_entropy(0);
        assert_eq!(serde_json::to_value(&id).unwrap(), "00000000");
        assert!(serde_json::from_str::<MessageId>("\"00000000\"").is_ok());
        assert!(serde_json::from_str::<MessageId>("\"../../..\"").is_err());
        assert_eq!(format!("{id:<10}|"), "00000000  |");
    }
}
