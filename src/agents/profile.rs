//! What is known of one kind of agent, read from a TOML file.
//!
//! Rules are data. A profile that does not parse, or has a pattern that does not compile within a bound on its size, is refused as a
//! whole, and the error names the file and the pattern. The patterns of the built-in profiles, which are tested, are compiled at their first use: to
//! compile all of them takes two milliseconds, and most commands look at no screen.

use crate::core::escape;
use anyhow::{Context as _, Result};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::sync::OnceLock;

/// The memory a compiled pattern may take, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// A pattern of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    source: String,
    compiled: OnceLock<Regex>,
}

impl From<String> for Pattern {
    fn from(source: String) -> Self {
        Self { source, compiled: OnceLock::new() }
    }
}

impl Pattern {
    /// Whether it matches somewhere in `text`.
    pub fn matches(&self, text: &str) -> bool {
        self.regex().is_match(text)
    }

    /// The length in bytes of its match, if that begins at the start of `text`.
    pub fn prefix(&self, text: &str) -> Option<usize> {
        self.regex().find(text).filter(|m| m.start() == 0).map(|m| m.end())
    }

    /// Its source.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.source).size_limit(PATTERN_LIMIT).build()
    }

    fn regex(&self) -> &Regex {
        // Every pattern was compiled once, when its profile was parsed or, if that is built in, by a test: this cannot fail.
        self.compiled.get_or_init(|| self.compile().unwrap_or_else(|_| unreachable!()))
    }
}

/// One kind of agent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The word that names are made of, such as `claude`.
    pub kind: String,
    /// The product's name.
    pub title: String,
    /// Versions these rules were tried on.
    #[serde(default)]
    pub tested: Vec<String>,
    /// How to recognise its process.
    #[serde(default)]
    pub process: ProcessRules,
    /// What its screen looks like.
    pub screen: ScreenRules,
    /// How fast it reacts.
    #[serde(default)]
    pub timing: Timing,
}

/// How to recognise a process.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessRules {
    /// Names of its executable.
    pub names: Vec<String>,
    /// Ends of its script's path, where an interpreter runs it.
    pub scripts: Vec<String>,
    /// Arguments with which it is not interactive.
    pub exclude_args: Vec<String>,
    /// An argument that marks a background server which runs the tools of several agents of this kind.
    pub shared_server: Option<String>,
}

/// What the screen looks like.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenRules {
    /// A row that closes the composer at the top, if there is one.
    pub top: Option<Pattern>,
    /// A row that closes it at the bottom, if there is one.
    pub bottom: Option<Pattern>,
    /// What stands before the text in the composer's first row.
    pub prompt: Pattern,
    /// What stands before the text in further rows.
    pub continuation: Pattern,
    /// Whether a prompt in dim characters is one of the transcript.
    #[serde(default)]
    pub dim_prompt_is_transcript: bool,
    /// Rows at the composer's end that are not text.
    #[serde(default)]
    pub footer_rows: usize,
    /// Rows with text from the composer's closing row on, at the most.
    pub below: usize,
    /// Texts of an empty composer, where they are not dim.
    #[serde(default)]
    pub placeholders: Vec<Pattern>,
    /// What a long paste is shown as.
    #[serde(default)]
    pub collapsed: Vec<Pattern>,
    /// The shortest paste, in characters, that is shown so.
    #[serde(default = "never")]
    pub collapses_above: usize,
    /// Rows below the composer of which one must be there, or the agent is still starting.
    #[serde(default)]
    pub ready: Vec<Pattern>,
    /// Rows near the composer that say it is busy.
    #[serde(default)]
    pub busy: Vec<Pattern>,
    /// Titles that say so.
    #[serde(default)]
    pub busy_title: Vec<Pattern>,
    /// Rows of an open dialog.
    #[serde(default)]
    pub dialog: Vec<Pattern>,
    /// Titles that say so.
    #[serde(default)]
    pub dialog_title: Vec<Pattern>,
    /// A row that stands under the choices of a dialog whose cursor looks like a composer's prompt.
    #[serde(default)]
    pub dialog_footer: Vec<Pattern>,
}

fn never() -> usize {
    usize::MAX
}

/// How fast an agent reacts, in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Between a paste and Enter at the least.
    pub settle_ms: u64,
    /// Between Enter and its effect at the most.
    pub evidence_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { settle_ms: 150, evidence_ms: 1500 }
    }
}

impl Profile {
    /// Reads a profile; `file` is for the error.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let profile = Self::trusted(text, file)?;
        for pattern in profile.screen.patterns() {
            let regex = pattern.compile().map_err(|error| {
                let source = escape::short(&pattern.source, 100);
                // It draws the pattern with a mark below; what is wrong stands in its last line.
                let text = error.to_string();
                let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                anyhow::anyhow!("the profile {file} has a pattern that is not understood, '{source}': {why}")
            })?;
            pattern.compiled.get_or_init(|| regex);
        }
        Ok(profile)
    }

    /// Reads a profile whose patterns are known to compile.
    pub(super) fn trusted(text: &str, file: &str) -> Result<Self> {
        let profile: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            anyhow::anyhow!("the profile {file} is not valid: line {line}: {}", error.message())
        })?;
        crate::core::name::Name::for_agent(&format!("{}-1", profile.kind))
            .with_context(|| format!("the profile {file} has a kind that makes no name"))?;
        Ok(profile)
    }
}

impl ScreenRules {
    /// All patterns. Each field is named here, so that a new one is not forgotten.
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let Self {
            top,
            bottom,
            prompt,
            continuation,
            dim_prompt_is_transcript: _,
            footer_rows: _,
            below: _,
            placeholders,
            collapsed,
            collapses_above: _,
            ready,
            busy,
            busy_title,
            dialog,
            dialog_title,
            dialog_footer,
        } = self;
        let lists = [placeholders, collapsed, ready, busy, busy_title, dialog, dialog_title, dialog_footer];
        [prompt, continuation].into_iter().chain(top).chain(bottom).chain(lists.into_iter().flatten())
    }
}
