//! The profile of one kind of agent, read from a TOML file.
//!
//! Rules are data. A profile is refused as a whole if it does not parse, or if a pattern does not compile within a
//! bound on its size. The errors name the line or the pattern. The patterns of the built-in profiles are tested, and
//! compiled at their first use: compiling all of them takes two milliseconds, and most commands look at no screen.

use super::caseless;
use super::fields::{Fields, Wrong};
use super::is_shell;
use crate::core::carrier::Carrier;
use crate::core::escape;
use crate::core::name::Name;
use crate::core::screen::Colour;
use crate::core::version::{Version, VersionRange};
use anyhow::Result;
use regex::{Regex, RegexBuilder};
use std::sync::OnceLock;
use std::time::Duration;
use toml_edit::Document;

/// The memory a compiled pattern may take, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// A pattern of a profile.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    compiled: OnceLock<Regex>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
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
        RegexBuilder::new(&caseless::spelled_out(&self.source)).size_limit(PATTERN_LIMIT).build()
    }

    fn regex(&self) -> &Regex {
        // Every pattern was compiled once, when its profile was parsed or, if that is built in, by a test: this cannot fail.
        self.compiled.get_or_init(|| self.compile().unwrap_or_else(|_| unreachable!()))
    }
}

/// One kind of agent.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The word that names are made of, such as `claude`.
    pub kind: String,
    /// The product's name.
    pub title: String,
    /// Versions these rules were tried on.
    pub tested: Vec<String>,
    /// How to recognise its process.
    pub process: ProcessRules,
    /// Whether it says anything of the screen. If not, agents of the kind are found and named, and nothing is typed into them.
    pub has_screen: bool,
    /// What its screen looks like.
    pub screen: ScreenRules,
    /// How fast it reacts.
    pub timing: Timing,
    /// Its own channels, by which it is given a text without a key being typed.
    pub carriers: Vec<Carrier>,
    /// What is otherwise in some of its versions; the first range that has a version counts.
    pub when: Vec<When>,
}

/// The rules for a range of versions.
#[derive(Clone, Debug)]
pub struct When {
    pub versions: VersionRange,
    /// The whole profile, as it is for them.
    pub profile: Profile,
}

/// How to recognise a process.
#[derive(Clone, Debug, Default)]
pub struct ProcessRules {
    /// Names of its executable.
    pub names: Vec<String>,
    /// Ends of its script's path, where an interpreter runs it.
    pub scripts: Vec<String>,
    /// Arguments with which it is not interactive.
    pub exclude_args: Vec<String>,
    /// Arguments with which it goes on with an earlier conversation; what follows one may be the conversation's id.
    pub resume_args: Vec<String>,
    /// The name of the program by which one is started.
    pub start: Option<String>,
    /// The arguments with which it is started again in a conversation, whose id takes the place of `ID`.
    pub resume: Vec<String>,
    /// Whether it ends by Ctrl-D at its empty composer, and leaves the terminal in disorder if a signal ends it.
    pub ctrl_d: bool,
    /// An argument that marks a background server which runs the tools of several agents of this kind.
    pub shared_server: Option<String>,
    /// Of which one must match its program's file or its command line, where its name alone could be anything's.
    pub path: Vec<Pattern>,
    /// Whether its name is a common word, so that a program of the system that is called so is not meant.
    pub common: bool,
    /// Whether a program that it runs gets the keys of its pane, as with a line editor: then it is typed into only while it runs none.
    pub alone: bool,
}

/// What the screen looks like.
#[derive(Clone, Debug)]
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
    pub lead: bool,
    /// Whether a prompt in dim characters is one of the transcript.
    pub dim_prompt_is_transcript: bool,
    /// What stands after the text in each row, such as a border.
    pub right: Option<Pattern>,
    /// Whether its background alone may mark the composer, where its closing rows are not drawn.
    pub filled: bool,
    /// Whether it draws its cursor as a reversed cell, and tmux's is somewhere else.
    pub drawn_cursor: bool,
    /// A character that it draws as its cursor instead, in an empty composer.
    pub cursor_glyph: Option<char>,
    /// Rows at the composer's end that are not text.
    pub footer_rows: usize,
    /// Blank rows above and below the text, at the most; `None`: all that there are.
    pub padding: Option<usize>,
    /// Rows of text that it shows of a longer one, at the most.
    pub rows_max: Option<usize>,
    /// Columns beside the text, on both sides together.
    pub margin: u16,
    /// Rows on the screen beside those of the text, when it is as high as it can be.
    pub around: u16,
    /// The rest of the rows is divided by this: one part of them may be text.
    pub share: u16,
    /// The smallest panes, in columns and rows, in which the composer and all that is said beside it can be seen: as large as one of
    /// them is large enough.
    pub smallest: Vec<(u16, u16)>,
    /// Rows with text from the composer's closing row on, at the most.
    pub below: usize,
    /// Texts of an empty composer, where they are not dim.
    pub placeholders: Vec<Pattern>,
    /// Whether an empty composer always shows one, dim or of these texts: blank without one, it holds blanks.
    pub placeholder_always: bool,
    /// Colours of suggestions, where these are not dim.
    pub ghost: Vec<Colour>,
    /// What a long paste is shown as.
    pub collapsed: Vec<Pattern>,
    /// The shortest paste, in characters, that is shown so.
    pub collapses_above: usize,
    /// Rows below the composer of which one must be there, or the agent is still starting.
    pub ready: Vec<Pattern>,
    /// Rows at the composer's end or below it of which one must be there, or the composer is in a mode that nobody has named.
    pub ordinary: Vec<Pattern>,
    /// Rows near the composer that say it is busy.
    pub busy: Vec<Pattern>,
    /// Rows anywhere above the composer that say so.
    pub busy_above: Vec<Pattern>,
    /// Titles that say so.
    pub busy_title: Vec<Pattern>,
    /// Rows of an open dialog.
    pub dialog: Vec<Pattern>,
    /// Titles that say so.
    pub dialog_title: Vec<Pattern>,
    /// A row that stands under the choices of a dialog whose cursor looks like a composer's prompt.
    pub dialog_footer: Vec<Pattern>,
    /// Rows of its last answer that say that its usage limit is reached; what follows the beginning of the first group is what they say.
    pub limit: Vec<Pattern>,
    /// What may be open, and the modes a composer may be in, by name.
    pub open: Vec<Sign>,
}

/// What something that is open, or a mode of the composer, is known by. Of each list one pattern must match, and of a sign every
/// list that is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Sign {
    /// What people call it; `$1` in it stands for the first group of the pattern that matched.
    pub name: String,
    pub is: OverlayKind,
    /// What the composer's first row begins with instead of its prompt.
    pub prompt: Vec<Pattern>,
    /// Rows close above the composer.
    pub above: Vec<Pattern>,
    /// Rows from the end of the composer's text on.
    pub footer: Vec<Pattern>,
    /// Rows anywhere, where no composer is to be seen.
    pub rows: Vec<Pattern>,
    pub title: Vec<Pattern>,
    /// A row or a title that matches one of these does not count.
    pub unless: Vec<Pattern>,
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayKind {
    /// The composer does something else with what is typed: it runs it, searches for it, takes it for commands.
    Mode,
    /// Something stands over the composer.
    Overlay,
    /// A question to the person.
    Dialog,
}

/// How fast an agent reacts.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Between a paste and Enter at the least.
    pub settle: Duration,
    /// Between Enter and its effect at the most.
    pub evidence: Duration,
    /// Enters for one message at the most. More than one only where an Enter that came at the wrong moment is lost: a line editor keeps
    /// it, and answers its next question with it.
    pub enters: u32,
    /// After how long a text that its own channel took is announced by another way, if it is not in the agent's records by
    /// then. Time in which the agent is suspended, or asks its person, does not count.
    pub offer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(150),
            evidence: Duration::from_millis(1500),
            enters: 4,
            offer: Duration::from_secs(20),
        }
    }
}

impl Profile {
    /// Reads a profile; `file` is for the error, which is the first of all.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        Self::read(text).map_err(|all| first(file, &all))
    }

    /// Reads a profile; the errors are all that there are.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let profile = Self::fields(text)?;
        let invalid = |(key, pattern): (&str, &Pattern)| {
            let error = match pattern.compile() {
                Ok(regex) => {
                    pattern.compiled.get_or_init(|| regex);
                    return None;
                }
                Err(error) => error,
            };
            let source = escape::short(&pattern.source, 100);
            // It draws the pattern with a mark below; what is wrong stands in its last line.
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Some(format!("{key}: the pattern '{source}' is invalid: {why}"))
        };
        let paths = profile.process.path.iter().map(|pattern| ("process.path", pattern));
        let all = || std::iter::once(&profile.screen).chain(profile.when.iter().map(|w| &w.profile.screen));
        let mut wrong: Vec<String> = Vec::new();
        for what in all().flat_map(ScreenRules::named).chain(paths).filter_map(invalid) {
            // Rules that versions share are looked at once for each.
            if !wrong.contains(&what) {
                wrong.push(what);
            }
        }
        for sign in all().flat_map(|screen| &screen.open) {
            if sign.lists().all(|(_, list)| list.is_empty()) {
                let name = escape::short(&sign.name, 60);
                wrong.push(format!("screen.open: nothing says how to recognise '{name}'"));
            }
        }
        // Every shell would be an agent: what a person types there would count as the agent's, and mail would be run as commands.
        let shell = profile.process.names.iter().find(|name| is_shell(name));
        if let Some(shell) = shell.filter(|_| profile.process.path.is_empty()) {
            let name = escape::short(shell, 60);
            wrong.push(format!(
                "process.names: {name} is a shell, and no shell is an agent; tell the agent from other shells by process.path"
            ));
        }
        // A file of rules names a program that the person has, and brings none.
        let is_plain = |name: &String| !name.is_empty() && !name.starts_with('-') && !name.contains('/');
        if profile.process.start.as_ref().is_some_and(|name| !is_plain(name)) {
            wrong.push("process.start: it is the name of a program on PATH, without a directory".to_owned());
        }
        if wrong.is_empty() { Ok(profile) } else { Err(wrong) }
    }

    /// Reads a profile whose patterns are known to compile.
    pub(super) fn trusted(text: &str, file: &str) -> Result<Self> {
        Self::fields(text).map_err(|all| first(file, &all))
    }

    /// One by which processes are found, and no screen is read.
    pub(super) fn without_screen(kind: &str, title: &str, process: ProcessRules) -> Self {
        Self {
            kind: kind.to_owned(),
            title: title.to_owned(),
            tested: Vec::new(),
            process,
            has_screen: false,
            screen: ScreenRules::nothing(),
            timing: Timing::default(),
            carriers: Vec::new(),
            when: Vec::new(),
        }
    }

    /// Whether its rules depend on the agent's version.
    pub fn depends_on_version(&self) -> bool {
        !self.when.is_empty()
    }

    /// The profile as it is for a version.
    pub fn at(&self, version: &str) -> Option<&Profile> {
        let version = Version::parse(version)?;
        let found = self.when.iter().find(|when| when.versions.has(&version));
        Some(found.map_or(self, |when| &when.profile))
    }

    fn fields(text: &str) -> Result<Self, Vec<String>> {
        let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let document = Document::parse(text).map_err(|error| {
            vec![format!("line {}: {}", line(error.span().unwrap_or_default().start), error.message())]
        })?;
        let wrong = Wrong::default();
        let top = Fields::of(document.as_table(), 0, &wrong);
        let kind = top.needs("kind");
        let process = top.table("process");
        let carriers = top.texts("carriers");
        let screen = top.table("screen");
        let timing = top.table("timing");
        let mut profile = Self {
            title: top.text("title").unwrap_or_else(|| kind.clone()),
            tested: top.texts("tested"),
            process: process.map(|fields| ProcessRules::of(&fields)).unwrap_or_default(),
            has_screen: screen.is_some(),
            screen: screen.as_ref().map_or_else(ScreenRules::nothing, ScreenRules::of),
            timing: timing.as_ref().map(Timing::of).unwrap_or_default(),
            carriers: carriers.iter().filter_map(|word| Carrier::named(word)).collect(),
            when: Vec::new(),
            kind,
        };
        let ranges = top.table("when").and_then(|when| when.table("version"));
        let mut when = Vec::new();
        for (range, fields) in ranges.iter().flat_map(Fields::named_tables) {
            let other = profile.otherwise(&fields, screen.as_ref(), timing.as_ref());
            match VersionRange::parse(range) {
                Ok(versions) => when.push(When { versions, profile: other }),
                Err(why) => fields.object(why),
            }
        }
        profile.when = when;
        drop((ranges, screen, timing, top));
        let mut all: Vec<String> = wrong
            .into_inner()
            .into_iter()
            .map(|(at, what)| format!("line {}: {}", line(at), escape::short(&what, 200)))
            .collect();
        if profile.carriers.len() != carriers.len() {
            all.push(format!("carriers: each must be one of {}", Carrier::WORDS.join(", ")));
        }
        if !profile.kind.is_empty() && !Name::is_kind(&profile.kind) {
            all.push(format!("the kind '{}' cannot be part of a name", escape::short(&profile.kind, 40)));
        }
        if all.is_empty() { Ok(profile) } else { Err(all) }
    }
}

impl Profile {
    /// This profile with other rules, where `fields` say so; `screen` and `timing` are the tables of its own.
    fn otherwise<'t>(
        &self,
        fields: &Fields<'t>,
        screen: Option<&Fields<'t>>,
        timing: Option<&Fields<'t>>,
    ) -> Self {
        let mut other = self.clone();
        let over = |table: Fields<'t>, usual: Option<&Fields<'t>>| match usual {
            Some(usual) => table.over(usual),
            None => table,
        };
        if let Some(table) = fields.table("screen") {
            if screen.is_none() {
                table.object("there is no table [screen] that this could change".to_owned());
            }
            other.screen = ScreenRules::of(&over(table, screen));
            // What may be open there may be open here, too: one too many only lets mail wait.
            other.screen.add_signs(&self.screen);
        }
        if let Some(table) = fields.table("timing") {
            other.timing = Timing::of(&over(table, timing));
        }
        other
    }
}

/// The error about a file.
fn first(file: &str, all: &[String]) -> anyhow::Error {
    let [first, rest @ ..] = all else { return anyhow::anyhow!("the profile {file} is not valid") };
    let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
    anyhow::anyhow!("the profile {file} is not valid: {first}{more}")
}

impl ProcessRules {
    fn of(fields: &Fields<'_>) -> Self {
        Self {
            names: fields.texts("names"),
            scripts: fields.texts("scripts"),
            exclude_args: fields.texts("exclude_args"),
            resume_args: fields.texts("resume_args"),
            start: fields.text("start"),
            resume: fields.texts("resume"),
            ctrl_d: fields.flag("ctrl_d"),
            shared_server: fields.text("shared_server"),
            path: patterns(fields, "path"),
            common: fields.flag("common"),
            alone: fields.flag("alone"),
        }
    }
}

impl Timing {
    fn of(fields: &Fields<'_>) -> Self {
        let usual = Self::default();
        let ms = |key, usual| fields.number(key).map_or(usual, |ms| Duration::from_millis(ms.into()));
        Self {
            settle: ms("settle_ms", usual.settle),
            evidence: ms("evidence_ms", usual.evidence),
            enters: fields.number("enters").unwrap_or(usual.enters),
            offer: ms("offer_ms", usual.offer),
        }
    }
}

impl Sign {
    fn of(fields: &Fields<'_>) -> Self {
        let list = |key| patterns(fields, key);
        let kind = |word: &str| match word {
            "mode" => Some(OverlayKind::Mode),
            "overlay" => Some(OverlayKind::Overlay),
            "dialog" => Some(OverlayKind::Dialog),
            _ => None,
        };
        // One that says nothing does no harm as an overlay: nothing is typed.
        let is = fields.word("is", "'mode', 'overlay' or 'dialog'", kind).unwrap_or(OverlayKind::Overlay);
        Self {
            name: fields.needs("name"),
            is,
            prompt: list("prompt"),
            above: list("above"),
            footer: list("footer"),
            rows: list("rows"),
            title: list("title"),
            unless: list("unless"),
        }
    }

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
    Title,
}

impl Where {
    /// The key of its patterns in a profile.
    fn key(self) -> &'static str {
        match self {
            Where::Prompt => "screen.open.prompt",
            Where::Above => "screen.open.above",
            Where::Footer => "screen.open.footer",
            Where::Rows => "screen.open.rows",
            Where::Title => "screen.open.title",
        }
    }
}

fn patterns(fields: &Fields<'_>, key: &'static str) -> Vec<Pattern> {
    fields.texts(key).into_iter().map(Pattern::from).collect()
}

impl ScreenRules {
    /// Rules that find a composer on no screen.
    pub(super) fn nothing() -> Self {
        let no_row = || Pattern::from(r"^[^\s\S]".to_owned());
        Self { prompt: no_row(), continuation: no_row(), ..Self::usual() }
    }

    /// What holds where a profile says nothing else.
    fn usual() -> Self {
        Self {
            top: None,
            bottom: None,
            prompt: Pattern::from(String::new()),
            continuation: Pattern::from(String::new()),
            scrolled: None,
            lead: false,
            dim_prompt_is_transcript: false,
            right: None,
            filled: false,
            drawn_cursor: false,
            cursor_glyph: None,
            footer_rows: 0,
            padding: None,
            rows_max: None,
            margin: 6,
            around: 6,
            share: 1,
            smallest: vec![(30, 10)],
            below: 0,
            placeholders: Vec::new(),
            placeholder_always: false,
            ghost: Vec::new(),
            collapsed: Vec::new(),
            collapses_above: usize::MAX,
            ready: Vec::new(),
            ordinary: Vec::new(),
            busy: Vec::new(),
            busy_above: Vec::new(),
            busy_title: Vec::new(),
            dialog: Vec::new(),
            dialog_title: Vec::new(),
            dialog_footer: Vec::new(),
            limit: Vec::new(),
            open: Vec::new(),
        }
    }

    fn of(fields: &Fields<'_>) -> Self {
        let usual = Self::usual();
        let list = |key| patterns(fields, key);
        let maybe = |key| fields.text(key).map(Pattern::from);
        let count = |key| fields.number(key).map(|n| n as usize);
        let few = |key, usual| fields.number(key).map_or(usual, |n| u16::try_from(n).unwrap_or(u16::MAX));
        Self {
            top: maybe("top"),
            bottom: maybe("bottom"),
            prompt: Pattern::from(fields.needs("prompt")),
            continuation: Pattern::from(fields.needs("continuation")),
            scrolled: maybe("scrolled"),
            lead: fields.flag("lead"),
            dim_prompt_is_transcript: fields.flag("dim_prompt_is_transcript"),
            right: maybe("right"),
            filled: fields.flag("filled"),
            drawn_cursor: fields.flag("drawn_cursor"),
            cursor_glyph: fields.one("cursor_glyph", "one character", |text| {
                let mut all = text.chars();
                all.next().filter(|_| all.next().is_none())
            }),
            footer_rows: count("footer_rows").unwrap_or_default(),
            padding: count("padding"),
            rows_max: count("rows_max"),
            margin: few("margin", usual.margin),
            around: few("around", usual.around),
            share: few("share", usual.share),
            smallest: fields.sizes("smallest").unwrap_or(usual.smallest),
            below: fields.needed("below") as usize,
            placeholders: list("placeholders"),
            placeholder_always: fields.flag("placeholder_always"),
            ghost: fields.words(
                "ghost",
                "a list of colours, such as ['#6c7086', 'colour244']",
                Colour::parse,
            ),
            collapsed: list("collapsed"),
            collapses_above: count("collapses_above").unwrap_or(usual.collapses_above),
            ready: list("ready"),
            ordinary: list("ordinary"),
            busy: list("busy"),
            busy_above: list("busy_above"),
            busy_title: list("busy_title"),
            dialog: list("dialog"),
            dialog_title: list("dialog_title"),
            dialog_footer: list("dialog_footer"),
            limit: list("limit"),
            open: fields.tables("open").iter().map(Sign::of).collect(),
        }
    }

    /// Adds what may be open by other rules, after its own.
    fn add_signs(&mut self, other: &ScreenRules) {
        let new: Vec<Sign> = other.open.iter().filter(|sign| !self.open.contains(sign)).cloned().collect();
        self.open.extend(new);
    }

    /// All patterns with their keys. Each field is named here, so that a new one is not forgotten.
    pub(super) fn named<'s>(&'s self) -> impl Iterator<Item = (&'static str, &'s Pattern)> {
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
            cursor_glyph: _,
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
            ghost: _,
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
            limit,
            open,
        } = self;
        let lists: [(&'static str, &[Pattern]); 17] = [
            ("screen.top", top.as_slice()),
            ("screen.bottom", bottom.as_slice()),
            ("screen.prompt", std::slice::from_ref(prompt)),
            ("screen.continuation", std::slice::from_ref(continuation)),
            ("screen.scrolled", scrolled.as_slice()),
            ("screen.right", right.as_slice()),
            ("screen.placeholders", placeholders),
            ("screen.collapsed", collapsed),
            ("screen.ready", ready),
            ("screen.ordinary", ordinary),
            ("screen.busy", busy),
            ("screen.busy_above", busy_above),
            ("screen.busy_title", busy_title),
            ("screen.dialog", dialog),
            ("screen.dialog_title", dialog_title),
            ("screen.dialog_footer", dialog_footer),
            ("screen.limit", limit),
        ];
        let of_sign = |sign: &'s Sign| {
            sign.lists()
                .map(|(place, list)| (place.key(), list))
                .chain([("screen.open.unless", &*sign.unless)])
        };
        let signs = open.iter().flat_map(of_sign);
        lists.into_iter().chain(signs).flat_map(|(key, list)| list.iter().map(move |pattern| (key, pattern)))
    }
}
