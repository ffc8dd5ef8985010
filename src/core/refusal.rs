//! Expected outcomes other than success, each with its exit code and its advice.
//!
//! The codes are a contract: scripts may rely on them.

use super::rate::RateLimited;
use std::fmt;

/// An exit code. Its number is its index in [`Exit::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Ok,
    Failure,
    Usage,
    Held,
    RateLimited,
    UnknownAgent,
    NotGenuine,
    NoTmux,
    NoKey,
}

impl Exit {
    /// All exit codes: help, manual pages and documents are made from this.
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Held,
        Self::RateLimited,
        Self::UnknownAgent,
        Self::NotGenuine,
        Self::NoTmux,
        Self::NoKey,
    ];

    /// The process's exit code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Its meaning in a few words, for help.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Held => "held by another",
            Self::RateLimited => "rate-limited",
            Self::UnknownAgent => "unknown agent",
            Self::NotGenuine => "bad signature or no such message",
            Self::NoTmux => "tmux unreachable",
            Self::NoKey => "the project has no key here",
        }
    }

    /// Its whole meaning, for the reference.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failure => "failure; `doctor`: something is bad",
            Self::Usage => "bad usage or input",
            Self::Held => "held by another, or queued",
            Self::RateLimited => "rate-limited",
            Self::UnknownAgent => {
                "unknown agent; `send` to several: the others got it; or the command runs below an agent that is not of this project"
            }
            Self::NotGenuine => "bad signature, or no such message",
            Self::NoTmux => "tmux unreachable, too old, or without an answer for 4 s",
            Self::NoKey => "the project's key is not here",
        }
    }

    /// All codes in one line, for help.
    pub fn line() -> String {
        let one = |exit: Self| format!("{} {}", exit.code(), exit.name());
        Self::ALL.map(one).join(", ")
    }

    /// All codes as a Markdown table, for docs/reference.md.
    pub fn markdown() -> String {
        let row = |exit: Self| format!("| {} | {} |\n", exit.code(), exit.meaning());
        format!("| Code | Meaning |\n|---|---|\n{}", Self::ALL.map(row).concat())
    }
}

/// A refusal with a documented exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The arguments or the input are wrong.
    Usage(String),
    /// Too many messages in the window.
    RateLimited(RateLimited),
    /// Somebody else holds it; who, and what to do.
    Held(String),
    /// There is no such message.
    NoMessage(String),
    /// It was done for some, and not for these; what to do.
    Partly(String),
    /// There is no such agent; the known ones.
    UnknownAgent {
        /// The name in the command, escaped.
        asked: String,
        known: Vec<String>,
    },
    /// There is no such group of agents; the known ones.
    UnknownGroup {
        /// The group in the command, with its `@`.
        asked: String,
        /// The groups that exist, with their `@`.
        known: Vec<String>,
    },
    /// The agent has ended, and mail for it does not wait any more.
    Ended {
        /// The name in the command.
        asked: String,
        /// How long ago.
        ago: String,
        known: Vec<String>,
    },
    /// The caller is an agent, but not of this project.
    Stranger(String),
    /// A record's signature is wrong.
    BadSignature(String),
    /// tmux cannot be reached or is too old.
    Tmux(String),
    /// The tmux server exists but does not answer: it is stopped, or hangs.
    Hung(String),
    /// The project's signing key is not in its place; where, and what to do.
    NoKey(String),
}

impl Refusal {
    /// The refusal of an act that is for the human alone. `act` completes "only the human can …".
    pub fn only_human(act: &str) -> Self {
        Refusal::Usage(format!("only the human can {act}: ask the human"))
    }

    pub fn exit(&self) -> Exit {
        match self {
            Refusal::Usage(_) => Exit::Usage,
            Refusal::Held(_) => Exit::Held,
            Refusal::RateLimited(_) => Exit::RateLimited,
            Refusal::UnknownAgent { .. }
            | Refusal::UnknownGroup { .. }
            | Refusal::Ended { .. }
            | Refusal::Partly(_)
            | Refusal::Stranger(_) => Exit::UnknownAgent,
            Refusal::BadSignature(_) | Refusal::NoMessage(_) => Exit::NotGenuine,
            Refusal::Tmux(_) | Refusal::Hung(_) => Exit::NoTmux,
            Refusal::NoKey(_) => Exit::NoKey,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Usage(text)
            | Refusal::Held(text)
            | Refusal::Stranger(text)
            | Refusal::BadSignature(text)
            | Refusal::NoMessage(text)
            | Refusal::Partly(text)
            | Refusal::Tmux(text)
            | Refusal::Hung(text)
            | Refusal::NoKey(text) => f.write_str(text),
            Refusal::RateLimited(r) => write!(
                f,
                "rate limit: {} messages per {} s are allowed; the next one can be sent in {:.1} s",
                r.limit.count,
                r.limit.window.as_secs(),
                r.retry_in.as_secs_f64()
            ),
            Refusal::Ended { asked, ago, known } => {
                write!(f, "{asked} ended {ago} ago, and was not started again: start it again in its pane")?;
                if known.is_empty() { Ok(()) } else { write!(f, ", or choose another: {}", known.join(", ")) }
            }
            Refusal::UnknownAgent { asked, known } => {
                let what = if asked.starts_with('@') { "group or agent" } else { "agent" };
                let to_all = ["@all".to_owned(), "human".to_owned()];
                let meant = meant(asked, known.iter().chain(&to_all));
                write!(f, "no {what} is called '{asked}'{meant}")?;
                if known.is_empty() {
                    let gap = if meant.is_empty() { ":" } else { ";" };
                    return write!(f, "{gap} none is known here yet (run `swarm discover` inside tmux)");
                }
                write!(f, "; known here: {}", known.join(", "))
            }
            Refusal::UnknownGroup { asked, known } if known.is_empty() => {
                let name = asked.trim_start_matches('@');
                write!(f, "no group is called '{asked}': there is none yet (swarm group add {name} AGENT...)")
            }
            Refusal::UnknownGroup { asked, known } => {
                let meant = meant(asked, known);
                write!(f, "no group is called '{asked}'{meant}; groups here: {}", known.join(", "))
            }
        }
    }
}

/// A suggestion of the name that is most similar to the given one, in words; empty if none is similar.
pub fn meant<'a>(asked: &str, known: impl IntoIterator<Item = &'a (impl AsRef<str> + 'a)>) -> String {
    let bare = asked.trim_start_matches('@');
    let known = known.into_iter().map(AsRef::as_ref);
    let distance = |name: &&str| strsim::damerau_levenshtein(bare, name.trim_start_matches('@'));
    let nearest = known.min_by_key(distance);
    let is_near = |name: &&str| distance(name) <= bare.chars().count().div_ceil(4);
    nearest.filter(is_near).map(|name| format!(", did you mean {name}?")).unwrap_or_default()
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use crate::core::rate::Limit;

    #[test]
    fn an_exit_code_is_its_place_in_the_list() {
        for (place, exit) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place, "{exit:?}");
        }
    }

    #[test]
    fn each_refusal_has_its_exit_code_and_its_words() {
        let limit = Limit { count: 10, window: Duration::from_millis(60_000) };
        let unknown = |known: &[&str]| Refusal::UnknownAgent {
            asked: "bob".into(),
            known: known.iter().map(ToString::to_string).collect(),
        };
        for (refusal, code, told) in [
            (Refusal::Usage("u".into()), 2, "u"),
            (Refusal::Held("h".into()), 3, "h"),
            (
                Refusal::RateLimited(RateLimited { limit, retry_in: Duration::from_millis(2_500) }),
                4,
                "rate limit: 10 messages per 60 s are allowed; the next one can be sent in 2.5 s",
            ),
            (
                unknown(&[]),
                5,
                "no agent is called 'bob': none is known here yet (run `swarm discover` inside tmux)",
            ),
            (unknown(&["a", "b"]), 5, "no agent is called 'bob'; known here: a, b"),
            (
                Refusal::UnknownAgent { asked: "codex2".into(), known: vec!["codex-2".into(), "x".into()] },
                5,
                "no agent is called 'codex2', did you mean codex-2?; known here: codex-2, x",
            ),
            (
                Refusal::UnknownAgent { asked: "@al".into(), known: vec!["x".into()] },
                5,
                "no group or agent is called '@al', did you mean @all?; known here: x",
            ),
            (
                Refusal::UnknownAgent { asked: "@al".into(), known: Vec::new() },
                5,
                "no group or agent is called '@al', did you mean @all?; none is known here yet (run `swarm discover` inside tmux)",
            ),
            (
                Refusal::UnknownAgent { asked: "api".into(), known: vec!["x".into(), "@api".into()] },
                5,
                "no agent is called 'api', did you mean @api?; known here: x, @api",
            ),
            (
                Refusal::UnknownGroup { asked: "@apo".into(), known: vec!["@api".into(), "@web".into()] },
                5,
                "no group is called '@apo', did you mean @api?; groups here: @api, @web",
            ),
            (
                Refusal::UnknownGroup { asked: "@api".into(), known: Vec::new() },
                5,
                "no group is called '@api': there is none yet (swarm group add api AGENT...)",
            ),
            (
                Refusal::Ended { asked: "bob".into(), ago: "2m".into(), known: vec!["a".into(), "b".into()] },
                5,
                "bob ended 2m ago, and was not started again: start it again in its pane, or choose another: a, b",
            ),
            (Refusal::Stranger("s".into()), 5, "s"),
            (Refusal::BadSignature("b".into()), 6, "b"),
            (Refusal::NoMessage("n".into()), 6, "n"),
            (Refusal::Partly("p".into()), 5, "p"),
            (Refusal::Tmux("t".into()), 7, "t"),
            (Refusal::Hung("h".into()), 7, "h"),
            (Refusal::NoKey("k".into()), 8, "k"),
        ] {
            assert_eq!((refusal.exit().code(), &*refusal.to_string()), (code, told));
        }
    }
}
