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
    pub fn matches(&self, text: &str) -> bool {
        self.regex().is_match(text)
    }

    /// The length of its match in bytes, if the match begins at the start of `text`.
    pub fn prefix(&self, text: &str) -> Option<usize> {
        self.regex().find(text).filter(|m| m.start() == 0).map(|m| m.end())
    }

    /// The beginning of its match in bytes, if the match reaches to the end of `text`.
    pub fn suffix(&self, text: &str) -> Option<usize> {
        self.regex().find_iter(text).last().filter(|m| m.end() == text.len()).map(|m| m.start())
    }

    /// The text of its first group, if it matches somewhere in `text`; empty without a group.
    pub fn group<'t>(&self, text: &'t str) -> Option<&'t str> {
        let found = self.regex().captures(text)?;
        Some(found.get(1).map_or("", |group| group.as_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.source
    }

    fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&caseless::spelled_out(&self.source)).size_limit(PATTERN_LIMIT).build()
    }

    fn regex(&self) -> &Regex {
        // This cannot fail: every pattern was compiled once before, when its profile was parsed or, for a built-in
        // one, by a test.
        self.compiled.get_or_init(|| self.compile().unwrap_or_else(|_| unreachable!()))
    }
}

#[derive(Clone, Debug)]
pub struct Profile {
    /// The word from which names are made, such as `claude`.
    pub kind: String,
    /// The product's name.
    pub title: String,
    /// Versions with which these rules were tried.
    pub tested: Vec<String>,
    pub process: ProcessRules,
    /// Whether it has rules for a screen. If not, agents of the kind are found and named, and nothing is typed into
    /// them.
    pub has_screen: bool,
    pub screen: ScreenRules,
    pub timing: Timing,
    /// The agents' own channels, by which a text is given without a key.
    pub carriers: Vec<Carrier>,
    /// The rules that differ in some versions; the first range that contains a version counts.
    pub when: Vec<When>,
}

#[derive(Clone, Debug)]
pub struct When {
    pub versions: VersionRange,
    /// The whole profile for these versions.
    pub profile: Profile,
}

#[derive(Clone, Debug, Default)]
pub struct ProcessRules {
    /// Names of its executable.
    pub names: Vec<String>,
    /// The ends of its script's path, if an interpreter runs it.
    pub scripts: Vec<String>,
    /// Arguments with which it is not interactive.
    pub exclude_args: Vec<String>,
    /// Arguments with which it continues an earlier conversation. The argument after one may be the conversation's
    /// id.
    pub resume_args: Vec<String>,
    /// The name of the program by which it is started.
    pub start: Option<String>,
    /// The arguments that continue a conversation. Its id replaces `ID`.
    pub resume: Vec<String>,
    /// Whether Ctrl-D in an empty composer ends it, and a signal would leave its terminal in disorder.
    pub ctrl_d: bool,
    /// An argument that marks a background server which runs the tools of several agents of this kind.
    pub shared_server: Option<String>,
    /// If its name alone could be any program's: patterns of which one must match its program's file or its command
    /// line.
    pub path: Vec<Pattern>,
    /// Whether its name is a common word. Then a program of the system with that name is not the agent.
    pub common: bool,
    /// Whether a program that it runs gets the keys of its pane, as with a line editor. Then it is typed into only
    /// while it runs none.
    pub alone: bool,
}

#[derive(Clone, Debug)]
pub struct ScreenRules {
    /// A row that closes the composer at the top, if there is one.
    pub top: Option<Pattern>,
    /// A row that closes it at the bottom, if there is one.
    pub bottom: Option<Pattern>,
    /// The text before the text in the composer's first row.
    pub prompt: Pattern,
    /// The text before the text in further rows.
    pub continuation: Pattern,
    /// The closing row at the top while the beginning of the text is out of sight.
    pub scrolled: Option<Pattern>,
    /// Whether other rows may stand between the closing row at the top and the prompt.
    pub lead: bool,
    /// Whether a prompt in dim characters belongs to the transcript.
    pub dim_prompt_is_transcript: bool,
    /// The characters after the text in each row, such as a border.
    pub right: Option<Pattern>,
    /// Whether a background alone may mark the composer, without closing rows.
    pub filled: bool,
    /// Whether it draws its cursor as a reversed cell, and tmux's cursor is somewhere else.
    pub drawn_cursor: bool,
    /// The character that it draws as its cursor in an empty composer.
    pub cursor_glyph: Option<char>,
    /// Rows at the composer's end that are not text.
    pub footer_rows: usize,
    /// The greatest number of blank rows above and below the text; `None`: no limit.
    pub padding: Option<usize>,
    /// The greatest number of rows that it shows of a longer text.
    pub rows_max: Option<usize>,
    /// Columns beside the text, on both sides together.
    pub margin: u16,
    /// Rows on the screen beside those of the text, when the composer is as high as possible.
    pub around: u16,
    /// The divisor for the other rows: one part of them may be text.
    pub share: u16,
    /// The smallest panes, in columns and rows, that show the whole composer and the texts beside it. A pane is large
    /// enough if it is as large as one of them.
    pub smallest: Vec<(u16, u16)>,
    /// The greatest number of rows with text from the composer's closing row on.
    pub below: usize,
    /// Texts of an empty composer that are not dim.
    pub placeholders: Vec<Pattern>,
    /// Whether an empty composer always shows a placeholder. A blank composer without one holds blanks.
    pub placeholder_always: bool,
    /// Colours of suggestions that are not dim.
    pub ghost: Vec<Colour>,
    /// Signs in place of a long paste.
    pub collapsed: Vec<Pattern>,
    /// The shortest paste, in characters, that is replaced by such a sign.
    pub collapses_above: usize,
    /// Rows below the composer, one of which must be there; otherwise the agent is still starting.
    pub ready: Vec<Pattern>,
    /// Rows at the composer's end or below it, one of which must be there; otherwise the composer is in an unnamed
    /// mode.
    pub ordinary: Vec<Pattern>,
    /// Rows near the composer that show a turn.
    pub busy: Vec<Pattern>,
    /// Rows anywhere above the composer that show a turn.
    pub busy_above: Vec<Pattern>,
    /// Titles that show a turn.
    pub busy_title: Vec<Pattern>,
    /// Rows of an open dialog.
    pub dialog: Vec<Pattern>,
    /// Titles that show an open dialog.
    pub dialog_title: Vec<Pattern>,
    /// A row under the choices of a dialog, for dialogs whose cursor looks like a composer's prompt.
    pub dialog_footer: Vec<Pattern>,
    /// Rows of its last answer that report a usage limit. The report begins where the first group begins.
    pub limit: Vec<Pattern>,
    /// Overlays and modes of the composer, by name.
    pub open: Vec<Sign>,
}

/// The signs of an overlay, a dialog or a mode of the composer. One pattern of each list must match, and every list
/// that is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Sign {
    /// The name that people use; `$1` in it stands for the first group of the pattern that matched.
    pub name: String,
    pub is: OverlayKind,
    /// The beginning of the composer's first row instead of its prompt.
    pub prompt: Vec<Pattern>,
    /// Rows close above the composer.
    pub above: Vec<Pattern>,
    /// Rows from the end of the composer's text on.
    pub footer: Vec<Pattern>,
    /// Rows anywhere on a screen without a composer.
    pub rows: Vec<Pattern>,
    pub title: Vec<Pattern>,
    /// A row or a title that matches one of these does not count.
    pub unless: Vec<Pattern>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlayKind {
    /// The composer does something else with a text: it runs it, searches for it, or takes it for commands.
    Mode,
    /// Something covers the composer.
    Overlay,
    /// A question to the person.
    Dialog,
}

#[derive(Clone, Debug)]
pub struct Timing {
    /// The least time between a paste and Enter.
    pub settle: Duration,
    /// The greatest time between Enter and its effect.
    pub evidence: Duration,
    /// The most Enters for one message. More than one is safe only if the agent drops an Enter that comes at the
    /// wrong moment. A line editor keeps it, and answers its next question with it.
    pub enters: u32,
    /// How long a text that its own channel took may be missing in the agent's records before it is announced in
    /// another way. Time in which the agent is suspended, or asks its person, does not count.
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
    /// Reads a profile. The error names `file`, and is the first one.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        Self::read(text).map_err(|all| first(file, &all))
    }

    /// Reads a profile. The error is the list of all errors.
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
            // The TOML error has a picture with a mark; the reason is in its last line.
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Some(format!("{key}: the pattern '{source}' is invalid: {why}"))
        };
        let paths = profile.process.path.iter().map(|pattern| ("process.path", pattern));
        let all = || std::iter::once(&profile.screen).chain(profile.when.iter().map(|w| &w.profile.screen));
        let mut wrong: Vec<String> = Vec::new();
        for what in all().flat_map(ScreenRules::named).chain(paths).filter_map(invalid) {
            // Rules that several versions share are checked once for each, and reported once.
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
        // Every shell would count as an agent: a person's commands would count as the agent's, and mail would be run
        // as commands.
        let shell = profile.process.names.iter().find(|name| is_shell(name));
        if let Some(shell) = shell.filter(|_| profile.process.path.is_empty()) {
            let name = escape::short(shell, 60);
            wrong.push(format!(
                "process.names: {name} is a shell, and no shell is an agent; tell the agent from other shells by process.path"
            ));
        }
        // A file of rules names a program that the person has. It does not bring one.
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

    /// A profile that recognises processes and reads no screen.
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

    /// The profile for a version.
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
    /// This profile with the rules that `fields` change. `screen` and `timing` are its own tables.
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
            // An overlay of the other versions may be open here as well. A superfluous rule only lets mail wait.
            other.screen.add_signs(&self.screen);
        }
        if let Some(table) = fields.table("timing") {
            other.timing = Timing::of(&over(table, timing));
        }
        other
    }
}

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
        // Without the word it counts as an overlay, which is safe: nothing is typed.
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    Prompt,
    Above,
    Footer,
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
    /// Rules that find no composer on any screen.
    pub(super) fn nothing() -> Self {
        let no_row = || Pattern::from(r"^[^\s\S]".to_owned());
        Self { prompt: no_row(), continuation: no_row(), ..Self::usual() }
    }

    /// The defaults.
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

    /// Adds the overlays and modes of other rules, after its own.
    fn add_signs(&mut self, other: &ScreenRules) {
        let new: Vec<Sign> = other.open.iter().filter(|sign| !self.open.contains(sign)).cloned().collect();
        self.open.extend(new);
    }

    /// All patterns with their keys. This names each field, so that a new one is not forgotten.
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
