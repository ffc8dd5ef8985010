//! The profile of one kind of agent, read from a TOML file.
//!
//! Rules are data. A profile is refused as a whole if it does not parse, or if a pattern does not compile within a
//! bound on its size. The error names the file and the pattern. The patterns of the built-in profiles are tested, and
//! compiled at their first use: compiling all of them takes two milliseconds, and most commands look at no screen.

use crate::core::carrier::Carrier;
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

    /// Where its match begins, in bytes, if that reaches to the end of `text`.
    pub fn suffix(&self, text: &str) -> Option<usize> {
        self.regex().find_iter(text).last().filter(|m| m.end() == text.len()).map(|m| m.start())
    }

    /// What its first group holds, if it matches somewhere in `text`; empty without a group.
    pub fn group<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.regex().captures(text)?;
        Some(found.get(1).map_or("", |group| group.as_str()))
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
    /// Its own channels, by which it is given a text without a key being typed.
    #[serde(default)]
    pub carriers: Vec<Carrier>,
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
    /// Arguments with which it goes on with an earlier conversation; what follows one may be that one's id.
    pub resume_args: Vec<String>,
    /// An argument that marks a background server which runs the tools of several agents of this kind.
    pub shared_server: Option<String>,
    /// Whether a program that it runs gets the keys of its pane, as with a line editor: then it is typed into only while it runs none.
    pub alone: bool,
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
    /// The closing row at the top when the beginning of the text is not shown.
    pub scrolled: Option<Pattern>,
    /// Whether other rows may stand between the closing row at the top and the prompt.
    #[serde(default)]
    pub lead: bool,
    /// Whether a prompt in dim characters is one of the transcript.
    #[serde(default)]
    pub dim_prompt_is_transcript: bool,
    /// What stands after the text in each row, such as a border.
    pub right: Option<Pattern>,
    /// Whether its background alone may mark the composer, where its closing rows are not drawn.
    #[serde(default)]
    pub filled: bool,
    /// Whether it draws its cursor as a reversed cell, and tmux's is somewhere else.
    #[serde(default)]
    pub drawn_cursor: bool,
    /// Rows at the composer's end that are not text.
    #[serde(default)]
    pub footer_rows: usize,
    /// Blank rows above and below the text, at the most; `None`: all that there are.
    pub padding: Option<usize>,
    /// Rows of text that it shows of a longer one, at the most.
    pub rows_max: Option<usize>,
    /// Columns beside the text, on both sides together.
    #[serde(default = "margin")]
    pub margin: u16,
    /// Rows on the screen beside those of the text, when it is as high as it can be.
    #[serde(default = "around")]
    pub around: u16,
    /// The rest of the rows is divided by this: one part of them may be text.
    #[serde(default = "one")]
    pub share: u16,
    /// The smallest panes, in columns and rows, in which the composer and all that is said beside it can be seen: as large as one of
    /// them is large enough.
    #[serde(default = "smallest")]
    pub smallest: Vec<(u16, u16)>,
    /// Rows with text from the composer's closing row on, at the most.
    pub below: usize,
    /// Texts of an empty composer, where they are not dim.
    #[serde(default)]
    pub placeholders: Vec<Pattern>,
    /// Whether an empty composer always shows one, dim or of these texts: blank without one, it holds blanks.
    #[serde(default)]
    pub placeholder_always: bool,
    /// What a long paste is shown as.
    #[serde(default)]
    pub collapsed: Vec<Pattern>,
    /// The shortest paste, in characters, that is shown so.
    #[serde(default = "never")]
    pub collapses_above: usize,
    /// Rows below the composer of which one must be there, or the agent is still starting.
    #[serde(default)]
    pub ready: Vec<Pattern>,
    /// Rows at the composer's end or below it of which one must be there, or the composer is in a mode that nobody has named.
    #[serde(default)]
    pub ordinary: Vec<Pattern>,
    /// Rows near the composer that say it is busy.
    #[serde(default)]
    pub busy: Vec<Pattern>,
    /// Rows anywhere above the composer that say so.
    #[serde(default)]
    pub busy_above: Vec<Pattern>,
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
    /// What may be open, and the modes a composer may be in, by name.
    #[serde(default)]
    pub open: Vec<Sign>,
}

/// What something that is open, or a mode of the composer, is known by. Of each list one pattern must match, and of a sign every
/// list that is given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// What people call it; `$1` in it stands for the first group of the pattern that matched.
    pub name: String,
    /// What it is.
    pub is: OverlayKind,
    /// What the composer's first row begins with instead of its prompt.
    #[serde(default)]
    pub prompt: Vec<Pattern>,
    /// Rows close above the composer.
    #[serde(default)]
    pub above: Vec<Pattern>,
    /// Rows from the end of the composer's text on.
    #[serde(default)]
    pub footer: Vec<Pattern>,
    /// Rows anywhere, where no composer is to be seen.
    #[serde(default)]
    pub rows: Vec<Pattern>,
    /// Titles.
    #[serde(default)]
    pub title: Vec<Pattern>,
    /// A row or a title that matches one of these does not count.
    #[serde(default)]
    pub unless: Vec<Pattern>,
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlayKind {
    /// The composer does something else with what is typed: it runs it, searches for it, takes it for commands.
    Mode,
    /// Something stands over the composer.
    Overlay,
    /// A question to the person.
    Dialog,
}

fn never() -> usize {
    usize::MAX
}

fn margin() -> u16 {
    6
}

fn around() -> u16 {
    6
}

fn one() -> u16 {
    1
}

fn smallest() -> Vec<(u16, u16)> {
    vec![(30, 10)]
}

/// How fast an agent reacts, in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Between a paste and Enter at the least.
    pub settle_ms: u64,
    /// Between Enter and its effect at the most.
    pub evidence_ms: u64,
    /// Enters for one message at the most. More than one only where an Enter that came at the wrong moment is lost: a line editor keeps
    /// it, and answers its next question with it.
    pub enters: u32,
    /// After how long a text that its own channel took is announced by another way, if it is not in the agent's records by
    /// then. Time in which the agent is suspended, or asks its person, does not count.
    pub offer_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self { settle_ms: 150, evidence_ms: 1500, enters: 4, offer_ms: 20_000 }
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
                anyhow::anyhow!("the profile {file} has an invalid pattern, '{source}': {why}")
            })?;
            pattern.compiled.get_or_init(|| regex);
        }
        for sign in &profile.screen.open {
            if sign.lists().all(|(_, list)| list.is_empty()) {
                let name = escape::short(&sign.name, 60);
                anyhow::bail!("the profile {file} does not say how to recognise '{name}' (screen.open)");
            }
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
            .with_context(|| format!("the profile {file} has a kind that cannot be part of a name"))?;
        Ok(profile)
    }
}

impl Sign {
    /// Its lists, each with its key.
    pub fn lists(&self) -> impl Iterator<Item = (Where, &[Pattern])> {
        let Self { name: _, is: _, prompt, above, footer, rows, title, unless: _ } = self;
        [
            (Where::Prompt, &**prompt),
            (Where::Above, above),
            (Where::Footer, footer),
            (Where::Rows, rows),
            (Where::Title, title),
        ]
        .into_iter()
    }
}

/// Where a pattern of a sign is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// At the beginning of the composer.
    Prompt,
    /// Close above it.
    Above,
    /// Behind its text.
    Footer,
    /// On the whole screen.
    Rows,
    /// In the title.
    Title,
}

impl ScreenRules {
    /// All patterns. Each field is named here, so that a new one is not forgotten.
    fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let Self {
            top,
            bottom,
            prompt,
            continuation,
            scrolled,
            lead: _,
            dim_prompt_is_transcript: _,
            right,
            filled: _,
            drawn_cursor: _,
            footer_rows: _,
            padding: _,
            rows_max: _,
            margin: _,
            around: _,
            share: _,
            smallest: _,
            below: _,
            placeholders,
            placeholder_always: _,
            collapsed,
            collapses_above: _,
            ready,
            ordinary,
            busy,
            busy_above,
            busy_title,
            dialog,
            dialog_title,
            dialog_footer,
            open,
        } = self;
        let lists = [
            placeholders,
            collapsed,
            ready,
            ordinary,
            busy,
            busy_above,
            busy_title,
            dialog,
            dialog_title,
            dialog_footer,
        ];
        let signs = open.iter().flat_map(|s| s.lists().flat_map(|(_, list)| list).chain(&s.unless));
        [prompt, continuation]
            .into_iter()
            .chain([top, bottom, scrolled, right].into_iter().flatten())
            .chain(lists.into_iter().flatten())
            .chain(signs)
    }
}
