//! The names of the carriers, and the record of a text that was given by an agent's own channel.
//!
//! Pure. [`crate::carriers`] has the agents' own channels, `hooks` and `courier` the other two.

use super::process_id::ProcessId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A way by which a text reaches an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// The socket at which a Claude Code takes messages of other sessions.
    ClaudeInbox,
    /// The socket at which swarm's plugin in an `OpenCode` takes texts.
    OpencodePlugin,
    /// The agent's own hooks.
    Hook,
    /// Its pane: the text is typed into its composer.
    Pane,
}

impl Carrier {
    /// All carriers, in the order in which they are tried.
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

    /// The carrier with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|carrier| carrier.word() == word)
    }
}

/// The record of a text that an agent's own channel was given, or may have been. It is written before the text is
/// given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The carrier's word. The word of a later version is kept.
    pub carrier: String,
    /// When (ms since the epoch).
    pub at: u64,
    /// The file that contains the text once the agent has it.
    pub proof: PathBuf,
    /// The length of that file before (bytes).
    pub from: u64,
    /// The text's digest.
    pub digest: String,
}

/// The moment in an agent's turn at which one of its hooks hands mail over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// Before the model is asked with a prompt.
    Prompt,
    /// After a tool. Others of the same answer may still run.
    Tool,
    /// At the end of a turn, which it prolongs.
    Stop,
}

/// The record of a message that an agent's own hook handed over. Agents do not confirm a hook's answer, so the message counts as
/// submitted. It counts as read when something shows that the model was asked with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookOffer {
    /// The agent's process. If it ends before it has asked its model, the message is lost with it.
    pub to: ProcessId,
    /// When the hook decided to hand it over (ms since the epoch). A hook that starts later than this starts after the hand-over.
    pub at: u64,
    /// The moment of the hand-over in the agent's turn.
    pub moment: Moment,
    /// The agent's transcript, if its hook names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<PathBuf>,
    /// The length of the transcript before (bytes).
    #[serde(default)]
    pub from: u64,
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
