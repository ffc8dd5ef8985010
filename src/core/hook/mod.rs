//! The calls of an agent's hooks, and the answers to them.
//!
//! Pure. Each kind of agent has its own names for the same few events. Here they become one [`HookEvent`], and one
//! [`HookAnswer`] becomes the JSON that this kind expects. Input is untrusted. Missing, wrong or too large parts are
//! ignored and never an error, because a failing hook would disturb its agent.

pub mod allow;
pub mod answer;
pub mod event;
pub mod package;
pub mod settings;

pub use answer::HookAnswer;
pub use event::{HookEvent, Tool};

/// The kinds of agents that have hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookKind {
    /// Claude Code.
    Claude,
    Codex,
    /// Gemini CLI.
    Gemini,
    /// `OpenCode`, through the plugin that swarm installs.
    OpenCode,
}

impl HookKind {
    pub const ALL: [HookKind; 4] = [HookKind::Claude, HookKind::Codex, HookKind::Gemini, HookKind::OpenCode];

    /// The word on the command line, which is also the kind of its profile.
    pub fn word(self) -> &'static str {
        match self {
            HookKind::Claude => "claude",
            HookKind::Codex => "codex",
            HookKind::Gemini => "gemini",
            HookKind::OpenCode => "opencode",
        }
    }
}

impl std::str::FromStr for HookKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || HookKind::ALL.map(HookKind::word).join(", ");
        HookKind::ALL
            .into_iter()
            .find(|h| h.word() == text)
            .ok_or_else(|| format!("the agents with hooks are {}", known()))
    }
}

/// What to do about an edit of a file that another agent holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforce {
    /// Refuse it.
    #[default]
    Deny,
    /// Let it through and warn the agent, if it can show the warning.
    Warn,
    /// Ignore it, and take no leases.
    Off,
}

impl std::str::FromStr for Enforce {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "deny" => Ok(Enforce::Deny),
            "warn" => Ok(Enforce::Warn),
            "off" => Ok(Enforce::Off),
            _ => Err("it must be deny, warn or off".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_with_hooks_is_found_by_its_word_and_no_other() {
        for kind in HookKind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        let told = "aider".parse::<HookKind>().unwrap_err();
        assert_eq!(told, "the agents with hooks are claude, codex, gemini, opencode");
    }

    #[test]
    fn an_unknown_way_to_guard_is_refused() {
        for (text, meant) in [("deny", Enforce::Deny), ("warn", Enforce::Warn), ("off", Enforce::Off)] {
            assert_eq!(text.parse(), Ok(meant));
        }
        assert!("".parse::<Enforce>().is_err());
    }
}
