//! A filter of a list: `type:question agent:codex-1 since:10m words`.
//!
//! Pure. Words without a key are searched for in the row's text; all must be there. A half-typed value filters
//! nothing, so the list does not flicker while a person types.

use crate::core::span;

/// A filter, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    kind: Option<String>,
    agent: Option<String>,
    /// How far back (ms).
    since: Option<u64>,
    words: Vec<String>,
}

/// What of a row is compared.
pub(super) struct Subject<'a> {
    /// The message's type; empty for other rows.
    pub(super) kind: &'a str,
    /// The names that take part.
    pub(super) names: &'a str,
    /// Everything that is shown, and the whole body.
    pub(super) text: &'a str,
    /// When (ms since the epoch).
    pub(super) at: u64,
}

impl Filter {
    /// Parses what was typed.
    pub(super) fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for word in text.split_whitespace() {
            let word = word.to_lowercase();
            match word.split_once(':') {
                Some(("type" | "t", value)) => filter.kind = Some(value.to_owned()),
                Some(("agent" | "a", value)) => filter.agent = Some(value.to_owned()),
                Some(("since" | "s", value)) => filter.since = span::duration(value).ok(),
                _ => filter.words.push(word),
            }
        }
        filter
    }

    /// Whether a row is wanted.
    pub(super) fn takes(&self, row: &Subject<'_>, now_ms: u64) -> bool {
        let has = |part: &Option<String>, whole: &str| {
            part.as_ref().is_none_or(|p| whole.to_lowercase().contains(p.as_str()))
        };
        let text = row.text.to_lowercase();
        has(&self.kind, row.kind)
            && has(&self.agent, row.names)
            && self.since.is_none_or(|ms| row.at >= now_ms.saturating_sub(ms))
            && self.words.iter().all(|w| text.contains(w))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_words_narrow_together_and_a_half_typed_value_does_not() {
        let row =
            Subject { kind: "QUESTION", names: "claude-1 codex-1", text: "Is the Parser done?", at: 100_000 };
        let takes = |text: &str| Filter::parse(text).takes(&row, 200_000);
        assert!(takes("") && takes("parser") && takes("type:quest agent:codex parser done"));
        assert!(takes("since:100s") && !takes("since:99s"));
        assert!(takes("since:") && takes("type:"));
        assert!(!takes("type:info") && !takes("agent:gemini") && !takes("parser gone"));
    }
}
