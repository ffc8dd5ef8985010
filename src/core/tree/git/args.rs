//! The arguments of a subcommand of git, sorted as git sorts them.

use super::Paths;
use crate::core::tree::word::Word;

/// The arguments of a subcommand, sorted.
#[derive(Default)]
pub(super) struct Args {
    pub(super) options: Vec<String>,
    pub(super) operands: Vec<Word>,
    /// The arguments after `--`.
    pub(super) after: Option<Vec<Word>>,
    /// Whether unknown arguments follow.
    pub(super) more: bool,
}

impl Args {
    /// `short` and `long` are the options that take a value.
    pub(super) fn new(words: &[Word], more: bool, short: &str, long: &[&str]) -> Self {
        let mut args = Self { more, ..Self::default() };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" {
                args.after = Some(rest.cloned().collect());
                break;
            }
            if let Some(name) = text.strip_prefix("--") {
                let (name, attached) = name.split_once('=').map_or((name, false), |(name, _)| (name, true));
                if !attached && long.contains(&name) {
                    rest.next();
                }
                args.options.push(format!("--{name}"));
            } else if let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                for (at, letter) in letters.char_indices() {
                    args.options.push(format!("-{letter}"));
                    if short.contains(letter) {
                        if at + letter.len_utf8() == letters.len() {
                            rest.next();
                        }
                        break;
                    }
                }
            } else {
                args.operands.push(word.clone());
            }
        }
        args
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        // git accepts a shortened long option.
        let is = |given: &str, name: &str| {
            given == name || given.len() > 4 && given.starts_with("--") && name.starts_with(given)
        };
        self.options.iter().any(|given| names.iter().any(|name| is(given, name)))
    }

    /// Operands and the arguments after `--` as pathspecs. An unknown one stands for all.
    pub(super) fn paths(&self, operands: &[Word]) -> Paths {
        let words: Vec<&Word> = operands.iter().chain(self.after.iter().flatten()).collect();
        if self.more
            || words.is_empty()
            || words.iter().any(|w| !w.exact)
            || self.has(&["--pathspec-from-file"])
        {
            return Paths::All;
        }
        Paths::Only(words.into_iter().map(|w| w.text.clone()).collect())
    }

    pub(super) fn names_paths(&self) -> bool {
        self.more || !self.operands.is_empty() || self.after.as_ref().is_some_and(|a| !a.is_empty())
    }
}
