//! A search: `type:question from:codex-1 since:10m words`.
//!
//! Pure. Words without a key are searched for in the row's text; all must be there. A half-typed value is ignored, so
//! the lists do not flicker while a person types.

use crate::core::span;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    kind: Option<String>,
    agent: Option<String>,
    from: Option<String>,
    to: Option<String>,
    /// The longest age (ms).
    since: Option<u64>,
    /// In lower case.
    pub(super) words: Vec<String>,
}

/// The searchable parts of a row.
pub(super) struct Subject<'a> {
    /// The message's type; for other rows the most similar property.
    pub(super) kind: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    /// The groups in its address.
    pub(super) groups: &'a str,
    /// The visible text and the whole body, in lower case.
    pub(super) text: &'a str,
    /// Its time (ms since the epoch).
    pub(super) at: u64,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            let word = word.to_lowercase();
            match word.split_once(':') {
                Some(("type" | "t", value)) => filter.kind = Some(value.to_owned()),
                Some(("agent" | "a", value)) => filter.agent = Some(meant(value)),
                Some(("from", value)) => filter.from = Some(meant(value)),
                Some(("to", value)) => filter.to = Some(meant(value)),
                Some(("since" | "s", value)) => filter.since = span::duration(value).ok(),
                _ => filter.words.push(word),
            }
        }
        filter
    }

    /// Whether it matches everything.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a row matches.
    pub(super) fn takes(&self, row: &Subject<'_>, now_ms: u64) -> bool {
        let is = |part: &str, whole: &str| whole.to_lowercase().contains(part);
        let from = |part: &str| is(part, row.from);
        let to = |part: &str| is(part, row.groups) || row.to.iter().any(|name| is(part, name));
        self.kind.as_ref().is_none_or(|kind| is(kind, row.kind))
            && self.from.as_ref().is_none_or(|name| from(name))
            && self.to.as_ref().is_none_or(|name| to(name))
            && self.agent.as_ref().is_none_or(|name| from(name) || to(name))
            && self.since.is_none_or(|ms| row.at >= now_ms.saturating_sub(ms))
            && self.words.iter().all(|word| row.text.contains(word.as_str()))
    }
}

/// The name to which a search term refers.
fn meant(name: &str) -> String {
    if matches!(name, "me" | "you") { "human".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words_narrow_together_and_a_half_typed_value_does_not() {
        let to = ["codex-1".to_owned(), "gemini-1".to_owned()];
        let row = Subject {
            kind: "QUESTION",
            from: "claude-1",
            to: &to,
            groups: "@api",
            text: "is the parser done?",
            at: 100_000,
        };
        let takes = |text: &str| Filter::parse(text).takes(&row, 200_000);
        assert!(takes("") && takes("Parser") && takes("type:quest agent:codex parser done"));
        assert!(takes("from:claude to:gemini") && !takes("from:codex") && !takes("to:claude"));
        assert!(!takes("to:me") && takes("to:@api") && !takes("from:@api"));
        assert!(takes("since:100s") && !takes("since:99s"));
        assert!(takes("since:") && takes("type:") && takes("from:"));
        assert!(!takes("type:info") && !takes("agent:opencode") && !takes("parser gone"));
    }
}
