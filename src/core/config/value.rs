//! The types of settings, and parsing them from the command line, a variable or a file.

use super::lists;
use crate::core::lease::{self, PathPattern};
use crate::core::span;
use std::borrow::Cow;

/// The meaning of 0 for a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zero {
    /// Without waiting.
    AtOnce,
    /// Never.
    Never,
    /// For ever, so it is the longest.
    ForEver,
}

impl Zero {
    fn text(self) -> &'static str {
        match self {
            Zero::AtOnce => "at once",
            Zero::Never => "never",
            Zero::ForEver => "for ever",
        }
    }
}

/// The type of a setting, with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingType {
    /// A whole number.
    Count { min: u64, max: u64 },
    /// A duration.
    Time {
        /// The shortest, in milliseconds.
        min: u64,
        /// The longest.
        max: u64,
        /// The meaning of 0, if 0 is allowed as well.
        zero: Option<Zero>,
    },
    /// Some durations.
    Times {
        /// The shortest, in milliseconds.
        min: u64,
        /// The longest.
        max: u64,
        /// How many at most.
        most: usize,
    },
    /// Some globs.
    Globs {
        /// How many at most.
        most: usize,
    },
    /// One line of text.
    Line {
        /// The longest, in bytes.
        most: usize,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// Some of these words, each at most once, in any order.
    Words(&'static [&'static str]),
    /// For each of some names, some of these words, as with [`SettingType::Words`].
    Lists {
        words: &'static [&'static str],
        /// How many names at most.
        most: usize,
    },
    /// `true` or `false`.
    Switch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, or a duration in milliseconds.
    Number(u64),
    /// Durations in milliseconds.
    Times(Cow<'static, [u64]>),
    Globs(Cow<'static, [String]>),
    Line(Cow<'static, str>),
    Word(&'static str),
    Words(Cow<'static, [&'static str]>),
    /// Names, each with its words.
    Lists(Cow<'static, [lists::List]>),
    Switch(bool),
}

impl SettingType {
    /// Reads a value. The error completes "KEY must be".
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let read = match self {
            SettingType::Count { min, max } => {
                text.parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Number)
            }
            SettingType::Time { min, max, zero } => {
                let good = |ms: &u64| (min..=max).contains(ms) || (*ms == 0 && zero.is_some());
                span::parse(text).filter(good).map(Value::Number)
            }
            SettingType::Times { min, max, most } => {
                let times: Option<Vec<u64>> = text.split(',').map(span::parse).collect();
                times
                    .filter(|t| t.len() <= most && t.iter().all(|ms| (min..=max).contains(ms)))
                    .map(|t| Value::Times(t.into()))
            }
            SettingType::Globs { most } => {
                let globs: Vec<String> =
                    text.split(',').map(|g| g.trim().to_owned()).filter(|g| !g.is_empty()).collect();
                let good = |glob: &String| PathPattern::team(lease::PathKind::Glob, glob).is_ok();
                Some(globs).filter(|g| g.len() <= most && g.iter().all(good)).map(|g| Value::Globs(g.into()))
            }
            SettingType::Line { most } => Some(text)
                .filter(|text| text.len() <= most && !text.chars().any(char::is_control))
                .map(|text| Value::Line(text.to_owned().into())),
            SettingType::Word(words) => words.iter().find(|w| **w == text).map(|w| Value::Word(w)),
            SettingType::Words(words) => lists::words(words, text).map(|all| Value::Words(all.into())),
            SettingType::Lists { words, most } => {
                lists::parse(words, text).filter(|all| all.len() <= most).map(|all| Value::Lists(all.into()))
            }
            SettingType::Switch => match text {
                "true" | "on" | "yes" | "1" => Some(Value::Switch(true)),
                "false" | "off" | "no" | "0" => Some(Value::Switch(false)),
                _ => None,
            },
        };
        read.ok_or_else(|| self.describe())
    }

    /// Reads the value of a file, whose TOML type must be correct as well.
    pub fn parse_toml(self, value: &toml_edit::Value) -> Result<Value, String> {
        let text = |value: &toml_edit::Value| match value {
            toml_edit::Value::String(s) => Some(s.value().clone()),
            toml_edit::Value::Integer(n) => Some(n.value().to_string()),
            toml_edit::Value::Float(n) => Some(n.value().to_string()),
            _ => None,
        };
        let text = match (self, value) {
            (SettingType::Switch, toml_edit::Value::Boolean(b)) => return Ok(Value::Switch(*b.value())),
            (SettingType::Count { .. }, toml_edit::Value::Integer(_))
            | (
                SettingType::Word(_) | SettingType::Line { .. } | SettingType::Lists { .. },
                toml_edit::Value::String(_),
            ) => text(value),
            (
                SettingType::Times { .. } | SettingType::Words(_) | SettingType::Globs { .. },
                toml_edit::Value::Array(all),
            ) => all.iter().map(text).collect::<Option<Vec<_>>>().map(|all| all.join(",")),
            (SettingType::Lists { .. }, toml_edit::Value::Array(all)) => {
                all.iter().map(text).collect::<Option<Vec<_>>>().map(|all| all.join(" "))
            }
            (
                SettingType::Switch
                | SettingType::Count { .. }
                | SettingType::Line { .. }
                | SettingType::Word(_)
                | SettingType::Lists { .. }
                | SettingType::Globs { .. },
                _,
            ) => None,
            (SettingType::Time { .. } | SettingType::Times { .. } | SettingType::Words(_), value) => {
                text(value)
            }
        };
        text.ok_or_else(|| self.describe()).and_then(|text| self.parse(&text))
    }

    /// The allowed values, in words.
    pub fn describe(self) -> String {
        let span = |min, max| format!("{} to {}", span::exact(min), span::exact(max));
        match self {
            SettingType::Count { min, max } => format!("a number from {min} to {max}"),
            SettingType::Time { min, max, zero } => {
                let or = zero.map(|meaning| format!(", or 0: {}", meaning.text())).unwrap_or_default();
                format!("a time from {}{or}", span(min, max))
            }
            SettingType::Times { min, max, most } => format!("1 to {most} times from {}", span(min, max)),
            SettingType::Globs { most } => {
                format!("at most {most} globs of * and **, relative to the project's root")
            }
            SettingType::Line { most } => format!("one line of at most {most} bytes"),
            SettingType::Word(words) => match words {
                [words @ .., last] if !words.is_empty() => format!("{} or {last}", words.join(", ")),
                _ => words.join(", "),
            },
            SettingType::Words(words) => {
                format!("one or more of {}, in the order in which they are tried", words.join(", "))
            }
            SettingType::Lists { words, .. } => {
                format!(
                    "NAME=WORDS, separated by spaces; WORDS are some of {}, in their order",
                    words.join(", ")
                )
            }
            SettingType::Switch => "true or false".to_owned(),
        }
    }

    /// A value as people write it.
    pub fn text(self, value: &Value) -> String {
        match (self, value) {
            (SettingType::Time { .. }, Value::Number(ms)) => span::exact(*ms),
            (_, Value::Number(n)) => n.to_string(),
            (_, Value::Times(all)) => all.iter().map(|ms| span::exact(*ms)).collect::<Vec<_>>().join(","),
            (_, Value::Globs(all)) => all.join(","),
            (_, Value::Line(line)) => line.to_string(),
            (_, Value::Word(word)) => (*word).to_owned(),
            (_, Value::Words(words)) => words.join(","),
            (_, Value::Lists(all)) => lists::texts(all).join(" "),
            (_, Value::Switch(on)) => on.to_string(),
        }
    }

    /// A value in the form for a file.
    pub fn toml(self, value: &Value) -> toml_edit::Value {
        match (self, value) {
            (SettingType::Count { .. }, Value::Number(n)) => i64::try_from(*n).unwrap_or(i64::MAX).into(),
            (_, Value::Switch(on)) => (*on).into(),
            (_, Value::Times(all)) => all.iter().map(|ms| span::exact(*ms)).collect(),
            (_, Value::Words(words)) => words.iter().copied().collect(),
            (_, Value::Lists(all)) => lists::texts(all).into_iter().collect(),
            (_, Value::Globs(all)) => all.iter().map(String::as_str).collect(),
            _ => self.text(value).into(),
        }
    }

    /// A value for scripts; times are in seconds.
    pub fn json(self, value: &Value) -> serde_json::Value {
        #[allow(clippy::cast_precision_loss)] // milliseconds of at most some thousand years
        let seconds = |ms: u64| {
            if ms.is_multiple_of(1000) { (ms / 1000).into() } else { (ms as f64 / 1000.0).into() }
        };
        match (self, value) {
            (SettingType::Time { .. }, Value::Number(ms)) => seconds(*ms),
            (_, Value::Number(n)) => (*n).into(),
            (_, Value::Times(all)) => all.iter().map(|ms| seconds(*ms)).collect(),
            (_, Value::Globs(all)) => all.to_vec().into(),
            (_, Value::Line(line)) => (**line).into(),
            (_, Value::Word(word)) => (*word).into(),
            (_, Value::Words(words)) => words.iter().copied().collect(),
            (_, Value::Lists(all)) => lists::json(all),
            (_, Value::Switch(on)) => (*on).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_their_edges() {
        let time = SettingType::Time { min: 1000, max: 60_000, zero: Some(Zero::Never) };
        for (text, good) in
            [("0", true), ("0.999", false), ("1s", true), ("1m", true), ("61s", false), ("", false)]
        {
            assert_eq!(time.parse(text).is_ok(), good, "{text}");
        }
        let times = SettingType::Times { min: 1, max: 10, most: 2 };
        for (text, good) in
            [("1ms", true), ("1ms,2ms", true), ("1ms,2ms,3ms", false), ("1ms,", false), ("", false)]
        {
            assert_eq!(times.parse(text).is_ok(), good, "{text}");
        }
        let count = SettingType::Count { min: 0, max: 5 };
        for (text, good) in [("5", true), ("6", false), ("-1", false), ("1.0", false)] {
            assert_eq!(count.parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn a_switch_is_set_with_the_usual_words_and_a_word_with_its_own() {
        for (text, on) in
            [("true", true), ("on", true), ("yes", true), ("1", true), (" no ", false), ("0", false)]
        {
            assert_eq!(SettingType::Switch.parse(text), Ok(Value::Switch(on)), "{text}");
        }
        assert_eq!(SettingType::Switch.parse("maybe"), Err("true or false".into()));
        let words = SettingType::Word(&["deny", "warn"]);
        assert_eq!(words.parse("warn"), Ok(Value::Word("warn")));
        assert_eq!(words.parse("Warn"), Err("deny or warn".into()));
        assert_eq!(SettingType::Word(&["only"]).describe(), "only");
    }

    #[test]
    fn a_value_of_a_file_has_the_type_of_its_key() {
        let (time, times) = (
            SettingType::Time { min: 0, max: 100_000, zero: None },
            SettingType::Times { min: 0, max: 100_000, most: 3 },
        );
        let (count, words) = (SettingType::Count { min: 0, max: 9 }, SettingType::Word(&["a", "1"]));
        for (kind, text, value) in [
            (time, "\"1m\"", Some(Value::Number(60_000))),
            (time, "30", Some(Value::Number(30_000))),
            (time, "0.5", Some(Value::Number(500))),
            (time, "true", None),
            (times, "[\"1m\", 2]", Some(Value::Times(vec![60_000, 2_000].into()))),
            (times, "\"1m,2s\"", Some(Value::Times(vec![60_000, 2_000].into()))),
            (times, "[true]", None),
            (count, "7", Some(Value::Number(7))),
            (count, "\"7\"", None),
            (words, "\"1\"", Some(Value::Word("1"))),
            (words, "1", None),
            (SettingType::Switch, "true", Some(Value::Switch(true))),
            (SettingType::Switch, "\"true\"", None),
            (SettingType::Words(&["a", "b"]), "[\"b\", \"a\"]", Some(Value::Words(vec!["b", "a"].into()))),
            (SettingType::Words(&["a", "b"]), "\"a,b\"", Some(Value::Words(vec!["a", "b"].into()))),
            (SettingType::Words(&["a", "b"]), "[\"a\", \"a\"]", None),
            (SettingType::Words(&["a", "b"]), "[\"c\"]", None),
            (SettingType::Words(&["a", "b"]), "[]", None),
            (SettingType::Words(&["a", "b"]), "[1]", None),
        ] {
            let read = kind.parse_toml(&text.parse().unwrap());
            assert_eq!(read, value.ok_or_else(|| kind.describe()), "{kind:?} {text}");
        }
    }

    #[test]
    fn a_value_is_written_for_people_files_and_scripts() {
        let (time, times) = (
            SettingType::Time { min: 0, max: 100_000, zero: None },
            SettingType::Times { min: 0, max: 100_000, most: 3 },
        );
        for (kind, value, text, toml, json) in [
            (time, Value::Number(90_000), "90s", "\"90s\"", "90"),
            (time, Value::Number(1_500), "1500ms", "\"1500ms\"", "1.5"),
            (times, Value::Times(vec![500, 60_000].into()), "500ms,1m", "[\"500ms\", \"1m\"]", "[0.5,60]"),
            (SettingType::Count { min: 0, max: 9 }, Value::Number(7), "7", "7", "7"),
            (SettingType::Word(&["a"]), Value::Word("a"), "a", "\"a\"", "\"a\""),
            (
                SettingType::Words(&["a", "b"]),
                Value::Words(vec!["b", "a"].into()),
                "b,a",
                "[\"b\", \"a\"]",
                "[\"b\",\"a\"]",
            ),
            (SettingType::Switch, Value::Switch(true), "true", "true", "true"),
        ] {
            let written = (kind.text(&value), kind.toml(&value).to_string(), kind.json(&value).to_string());
            assert_eq!(written, (text.into(), toml.into(), json.into()));
        }
    }
}
