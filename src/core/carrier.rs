//! The names of the ways in which a text reaches an agent, and the record of a text that was given by one of them.
//!
//! Pure. [`crate::carriers`] has the agents' own channels, `hooks` and `courier` the other two.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A way to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// The socket at which a Claude Code takes messages of other sessions.
    ClaudeInbox,
    /// The socket at which swarm's plugin in an `OpenCode` takes texts.
    OpencodePlugin,
    /// What an agent's own hooks hand over.
    Hook,
    /// Its pane: the text is typed into its composer.
    Pane,
}

impl Carrier {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Carrier; 4] =
        [Carrier::ClaudeInbox, Carrier::OpencodePlugin, Carrier::Hook, Carrier::Pane];

    /// Their words, in the same order.
    pub const WORDS: [&'static str; 4] = ["claude-inbox", "opencode-plugin", "hook", "pane"];

    /// The word in settings, profiles and records.
    pub fn word(self) -> &'static str {
        match self {
            Carrier::ClaudeInbox => "claude-inbox",
            Carrier::OpencodePlugin => "opencode-plugin",
            Carrier::Hook => "hook",
            Carrier::Pane => "pane",
        }
    }

    /// The one that is called so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|carrier| carrier.word() == word)
    }
}

/// What is on record of a text that was, or may have been, given by an agent's own channel. It is written before the text is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The carrier's word; that of a later version is kept.
    pub carrier: String,
    /// When (ms since the epoch).
    pub at: u64,
    /// The file in which the text stands once the agent has it.
    pub proof: PathBuf,
    /// How long that was before (bytes): what stands behind is news.
    pub from: u64,
    /// The text's digest.
    pub digest: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_has_one_word_everywhere() {
        for (carrier, word) in Carrier::ALL.into_iter().zip(Carrier::WORDS) {
            assert_eq!((carrier.word(), Carrier::named(word)), (word, Some(carrier)));
            assert_eq!(serde_json::to_value(carrier).unwrap(), word);
        }
        assert_eq!(Carrier::named("pigeon"), None);
    }
}
