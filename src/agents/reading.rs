//! Reads from a screen what an agent is doing.
//!
//! Idle is never a default. The composer must be found at the bottom of the screen, empty, with the cursor at its
//! beginning. No title and no row near it may show a turn or a dialog. It must be in its ordinary mode, because an
//! empty composer may be a shell's. A screen that no rule explains is `Unknown`, and the evidence says which rule decided.

use super::profile::{OverlayKind, Pattern, Profile, ScreenRules, Sign, Where};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::screen::{Cell, Row, Screen};
use std::fmt;
use std::ops::Range;

/// How many rows above the composer a busy line may stand.
const NEAR: usize = 8;

/// The beginnings of a part of an answer, for agents that report their limits.
const ANSWERS: [char; 5] = ['●', '⏺', '•', '✦', '■'];

/// How many rows with text above the composer may hold the report of a usage limit.
const LIMIT_NEAR: usize = 12;

/// The most rows that such a report takes in a narrow pane.
const LIMIT_ROWS: usize = 7;

/// Facts about the pane that go with a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneFacts {
    /// The title that the application set. Untrusted.
    pub title: String,
    /// The cursor's column, from 0.
    pub cursor_x: u16,
    /// The cursor's row, from 0.
    pub cursor_y: u16,
    pub width: u16,
    pub height: u16,
    /// Whether a mode such as copy mode is on. The screen is the live one nevertheless.
    pub in_mode: bool,
    /// Whether the alternate screen is on.
    pub alternate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or a placeholder.
    Empty,
    Text,
    /// A sign that stands for a long paste.
    Collapsed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composer {
    /// Its text. Its rows are joined by line feeds.
    pub text: String,
    pub content: Content,
    collapses_above: usize,
}

impl Composer {
    /// Whether it holds exactly `line`, wrapped or not. The sign for a long paste counts if `line` is long enough for
    /// it.
    pub fn holds(&self, line: &str) -> bool {
        match self.content {
            Content::Empty => false,
            Content::Text => squeeze(&self.text) == squeeze(line),
            Content::Collapsed => line.chars().count() > self.collapses_above,
        }
    }

    /// Whether it holds the whole `line`, and more.
    pub fn holds_beside(&self, line: &str) -> bool {
        self.contains(line) && !self.holds(line)
    }

    pub fn contains(&self, part: &str) -> bool {
        self.count(part) > 0
    }

    pub fn count(&self, part: &str) -> usize {
        if self.content == Content::Text { squeeze(&self.text).matches(&squeeze(part)).count() } else { 0 }
    }
}

/// The text without blanks, and without the zero-width character that an agent puts behind a cursor which it draws.
fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\u{200b}').collect()
}

/// An overlay, a dialog, or a mode of the composer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub kind: OverlayKind,
    /// The name that people use.
    pub name: String,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            OverlayKind::Mode => write!(f, "its composer is in {}", self.name),
            OverlayKind::Overlay => write!(f, "{} is open", self.name),
            OverlayKind::Dialog => write!(f, "it waits for an answer: {}", self.name),
        }
    }
}

/// The state that a profile finds in a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub state: Status,
    pub composer: Option<Composer>,
    /// The overlay or the mode, if it has a name.
    pub open: Option<Open>,
    /// The screen's report of a usage limit, if there is one.
    pub limit: Option<String>,
    /// The smallest pane in which the state can be read, if this one is smaller.
    pub too_small: Option<(u16, u16)>,
    /// The program that the agent runs, if that program gets the keys of the pane.
    pub runs: Option<String>,
    /// The rule that decided, for people.
    pub evidence: Vec<String>,
}

impl Reading {
    /// The reading of an agent that runs `command`. That program gets the keys, and the screen may be its screen.
    #[must_use]
    pub fn while_running(self, command: Option<String>) -> Self {
        let Some(command) = command else { return self };
        let command = escape::short(&command, 20);
        let mut evidence = self.evidence;
        evidence.push(format!("it runs a command ({command}), which gets the keys"));
        Self { state: Status::Busy, runs: Some(command), evidence, ..self }
    }
}

/// Reads a screen by a profile's rules.
pub fn read(profile: &Profile, screen: &Screen, facts: &PaneFacts) -> Reading {
    let rules = &profile.screen;
    let rows = screen.rows();
    let last = rows.iter().rposition(|r| !r.text.is_empty()).map_or(0, |i| i + 1);
    let found = cursor(rules, rows, facts).and_then(|cursor| locate(rules, rows, cursor));
    let last = last.max(found.as_ref().map_or(0, |f| f.rows.end));
    let too_small = too_small(rules, facts);
    let mut scene = ScreenSigns {
        rules,
        rows,
        last,
        facts,
        found: found.as_ref(),
        open: None,
        limit: None,
        why: Vec::new(),
    };
    let mut state = scene.judge();
    if let (Some((columns, rows)), Status::Idle) = (too_small, state) {
        scene.why.push(format!("the pane is smaller than {columns}x{rows}: the screen does not show enough"));
        state = Status::Unknown;
    }
    let ScreenSigns { open, limit, why, .. } = scene;
    Reading { state, composer: found.map(|f| f.composer), open, limit, too_small, runs: None, evidence: why }
}

/// Reads a screen by the rules for a version.
pub fn read_version(profile: &Profile, version: Option<&str>, screen: &Screen, facts: &PaneFacts) -> Reading {
    if !profile.depends_on_version() {
        return read(profile, screen, facts);
    }
    let Some((version, rules)) = version.and_then(|version| Some((version, profile.at(version)?))) else {
        return read_in_doubt(profile, screen, facts);
    };
    let mut reading = read(rules, screen, facts);
    if let Some(when) = profile.when.iter().find(|when| std::ptr::eq(&raw const when.profile, rules)) {
        let (version, range) = (escape::short(version, 40), escape::short(when.versions.as_str(), 60));
        reading.evidence.push(format!("its version is {version}, for which the rules for {range} count"));
    }
    reading
}

/// Reads a screen of an agent whose version is not known: it is idle only if it is idle by the rules for each
/// version.
fn read_in_doubt(profile: &Profile, screen: &Screen, facts: &PaneFacts) -> Reading {
    let others = profile.when.iter().map(|when| (when.versions.as_str(), &when.profile));
    let mut first = None;
    for (versions, profile) in std::iter::once(("all others", profile)).chain(others) {
        let mut reading = read(profile, screen, facts);
        if reading.state != Status::Idle {
            let versions = escape::short(versions, 60);
            reading.evidence.push(format!(
                "its version is not known, and its rules depend on it: so it is by those for {versions}"
            ));
            return reading;
        }
        first.get_or_insert(reading);
    }
    first.unwrap_or_else(|| read(profile, screen, facts))
}

/// The smallest size that would be large enough, if the pane is too small.
fn too_small(rules: &ScreenRules, facts: &PaneFacts) -> Option<(u16, u16)> {
    let lacks = |(columns, rows): &(u16, u16)| {
        u32::from(columns.saturating_sub(facts.width)) + u32::from(rows.saturating_sub(facts.height))
    };
    rules.smallest.iter().min_by_key(|size| lacks(size)).filter(|size| lacks(size) > 0).copied()
}

struct ComposerBox {
    composer: Composer,
    /// Its rows, without those that close it.
    rows: Range<usize>,
    /// The row after the last of its text.
    text_end: usize,
    at_origin: bool,
    cursor: Cursor,
}

/// The cursor: of tmux, or the one that the agent draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    column: u16,
    row: usize,
}

struct ScreenSigns<'a> {
    rules: &'a ScreenRules,
    rows: &'a [Row],
    /// The row after the last with text.
    last: usize,
    facts: &'a PaneFacts,
    found: Option<&'a ComposerBox>,
    open: Option<Open>,
    limit: Option<String>,
    why: Vec<String>,
}

impl ScreenSigns<'_> {
    fn judge(&mut self) -> Status {
        let rules = self.rules;
        if let Some(pattern) = rules.dialog_title.iter().find(|p| p.matches(&self.facts.title)) {
            self.title_says("dialog", pattern);
            // The name of the dialog is reported if it is known.
            self.named(0..self.last, |sign| sign.is == OverlayKind::Dialog);
            return Status::Dialog;
        }
        let Some(found) = self.found else { return self.without_composer() };
        self.why.push(format!(
            "the composer is in rows {} to {} with the cursor at {},{}",
            found.rows.start,
            found.rows.end.saturating_sub(1),
            found.cursor.column,
            found.cursor.row
        ));
        if let Some(pattern) = rules.busy_title.iter().find(|p| p.matches(&self.facts.title)) {
            self.title_says("busy", pattern);
            return Status::Busy;
        }
        let near = found.rows.start.saturating_sub(NEAR)..found.rows.start;
        for (range, patterns) in [
            (near, &rules.busy),
            (found.text_end..self.last, &rules.busy),
            (0..found.rows.start, &rules.busy_above),
        ] {
            if let Some((row, pattern)) = matching(self.rows, range, patterns) {
                self.why.push(format!("the row '{row}' matches the busy rule {pattern}"));
                return Status::Busy;
            }
        }
        if let Some((row, pattern)) = matching(self.rows, found.rows.start..self.last, &rules.dialog_footer) {
            self.why.push(format!("the row '{row}' matches the dialog rule {pattern}"));
            return Status::Dialog;
        }
        if let Some(kind) = self.named(0..self.last, |_| true) {
            return state_of(kind);
        }
        if let Some(word) = self.rows[found.text_end..self.last].iter().find_map(|r| indicated(&r.text)) {
            let name = format!("{} mode", escape::short(word, 30));
            self.why.push(format!("a row below says that the composer is in {name}"));
            self.open = Some(Open { kind: OverlayKind::Mode, name });
            return Status::Overlay;
        }
        self.judge_composer(found)
    }

    fn judge_composer(&mut self, found: &ComposerBox) -> Status {
        let rules = self.rules;
        let behind = found.text_end..self.last;
        let says = |range: Range<usize>, patterns: &[Pattern]| {
            patterns.is_empty() || matching(self.rows, range, patterns).is_some()
        };
        let (state, why) = match (found.composer.content, found.at_origin) {
            (Content::Empty, true) if !says(found.rows.end..self.last, &rules.ready) => (
                Status::Unknown,
                "the composer is empty, but the rows below do not say that the agent is ready".into(),
            ),
            (Content::Empty, true) if !says(behind, &rules.ordinary) => (
                Status::Unknown,
                "the composer is empty, but nothing says that it is in its ordinary mode".into(),
            ),
            (Content::Empty, true) => {
                (Status::Idle, "the composer is empty and there is no sign of a turn".into())
            }
            (Content::Empty, false) => {
                (Status::Draft, "the composer looks empty, but the cursor is not at its beginning".into())
            }
            _ if found.composer.text.trim().is_empty() => {
                (Status::Draft, "the composer holds blanks or an empty line".into())
            }
            _ => {
                let text = escape::short(&found.composer.text, 60);
                (Status::Draft, format!("the composer holds '{text}'"))
            }
        };
        self.why.push(why);
        if state == Status::Idle
            && let Some(said) = self.limit_reached(found)
        {
            self.why.push(format!("its last answer says that its usage limit is reached: '{said}'"));
            self.limit = Some(said);
            return Status::Limit;
        }
        state
    }

    /// The usage limit at the end of the last answer. Above a later prompt, or above later words of the agent, it
    /// would be a limit of the past, or a text that a tool printed.
    fn limit_reached(&self, found: &ComposerBox) -> Option<String> {
        let above = self.rows.get(..found.rows.start)?;
        let is_prompt = |row: &Row| self.rules.prompt.prefix(&row.padded()).is_some();
        let last = above.iter().rposition(is_prompt).map_or(0, |at| at + 1);
        // An agent that fills the screen may have any number of blank rows there.
        let filled = (last..above.len()).filter(|at| !above[*at].text.trim().is_empty()).rev();
        let begin = filled.take(LIMIT_NEAR).last()?;
        let (at, first) = above.iter().enumerate().skip(begin).find_map(|(at, row)| {
            let group = self.rules.limit.iter().find_map(|p| p.group(&row.text))?;
            row.text.get(row.text.find(group)?..).map(|said| (at, said))
        })?;
        let below = || above[at + 1..].iter().map(|row| row.text.trim());
        if below().any(|text| text.starts_with(ANSWERS)) {
            return None;
        }
        let rest = below().take_while(|text| !text.is_empty());
        let words: Vec<&str> = std::iter::once(first.trim()).chain(rest.take(LIMIT_ROWS - 1)).collect();
        Some(escape::short(&words.join(" "), 240))
    }

    /// The state of a screen without a composer.
    fn without_composer(&mut self) -> Status {
        let tail = self.last.saturating_sub(NEAR * 2)..self.last;
        let dialog = matching(self.rows, tail.clone(), &self.rules.dialog);
        // If a question is at the end of the screen, its name must be there as well: the rest is a transcript.
        let whole = if dialog.is_some() { self.last.saturating_sub(NEAR * 3) } else { 0 };
        if let Some(kind) = self.named(whole..self.last, |_| true) {
            return state_of(kind);
        }
        if let Some((row, pattern)) = dialog {
            self.why.push(format!("no composer, and the row '{row}' matches the dialog rule {pattern}"));
            return Status::Dialog;
        }
        if self.rules.busy_title.iter().any(|p| p.matches(&self.facts.title))
            || matching(self.rows, tail, &self.rules.busy).is_some()
        {
            self.why.push("no composer, and the title or a row at the bottom shows a turn".into());
            return Status::Busy;
        }
        self.why.push("no composer was found at the bottom of the screen with the cursor in it".into());
        if self.facts.alternate { Status::Overlay } else { Status::Unknown }
    }

    fn title_says(&mut self, what: &str, pattern: &Pattern) {
        let title = escape::short(&self.facts.title, 60);
        self.why.push(format!("the title '{title}' matches the {what} rule {}", pattern.as_str()));
    }

    /// Finds the first named overlay, dialog or mode on the screen. Without a composer, its signs may stand in the
    /// rows `whole`.
    fn named(&mut self, whole: Range<usize>, wanted: impl Fn(&Sign) -> bool) -> Option<OverlayKind> {
        let (sign, row, group) = self
            .rules
            .open
            .iter()
            .filter(|sign| wanted(sign))
            .find_map(|sign| self.shows(sign, &whole).map(|(row, group)| (sign, row, group)))?;
        let name = escape::short(&sign.name.replace("$1", &escape::short(&group, 30)), 60);
        self.why.push(format!("{name}, because of '{}'", escape::short(row.trim(), 60)));
        self.open = Some(Open { kind: sign.is, name });
        Some(sign.is)
    }

    /// The evidence that a sign matches, and its group.
    fn shows(&self, sign: &Sign, whole: &Range<usize>) -> Option<(String, String)> {
        let mut decided = None;
        for (place, patterns) in sign.lists().filter(|(_, list)| !list.is_empty()) {
            let fits = |text: &str| {
                let group = patterns.iter().find_map(|p| p.group(text))?;
                (!sign.unless.iter().any(|p| p.matches(text))).then(|| (text.to_owned(), group.to_owned()))
            };
            let range = match place {
                Where::Title => {
                    decided = Some(fits(&self.facts.title)?);
                    continue;
                }
                Where::Prompt => self.first_row()?..self.first_row()? + 1,
                Where::Above => self.start().saturating_sub(NEAR)..self.start(),
                Where::Footer => self.found.map_or(self.start(), |f| f.text_end)..self.last,
                // A transcript may hold anything, so beside a composer another sign is needed.
                Where::Rows if self.found.is_some() && sign.footer.is_empty() => return None,
                Where::Rows => whole.clone(),
            };
            let mut rows = self.rows.get(range)?.iter().rev();
            decided = Some(rows.find_map(|row| fits(&row.padded()))?);
        }
        decided
    }

    /// The composer's first row, or the row of the cursor if there is no composer.
    fn start(&self) -> usize {
        self.found.map_or(usize::from(self.facts.cursor_y), |f| f.rows.start).min(self.last)
    }

    /// The row where the prompt should stand: the first below the row that closes the composer at the top, or below a
    /// blank row.
    fn first_row(&self) -> Option<usize> {
        let drawn = || cursor(self.rules, self.rows, self.facts).map(|c| c.row);
        let tmux = || usize::from(self.facts.cursor_y);
        let cursor = self.found.map(|f| f.cursor.row).or_else(drawn).unwrap_or_else(tmux);
        if self.found.is_none()
            && self.rules.filled
            && let Some(block) = self.rows.get(cursor).and_then(|_| filled(self.rows, cursor))
        {
            return Some(block.start);
        }
        let above = (0..=cursor).rev().find(|i| {
            self.rows.get(*i).is_none_or(|row| match &self.rules.top {
                Some(top) => top.prefix(&row.text).is_some(),
                None => row.text.trim().is_empty(),
            })
        });
        let first = above.map_or(0, |i| i + 1);
        (first..=cursor).find(|i| self.rows.get(*i).is_some_and(|r| !r.text.trim().is_empty()))
    }
}

fn state_of(kind: OverlayKind) -> Status {
    match kind {
        OverlayKind::Mode | OverlayKind::Overlay => Status::Overlay,
        OverlayKind::Dialog => Status::Dialog,
    }
}

/// The word of a row that begins with a mode, as editors write it: `-- VISUAL --`. The mode for typing does not
/// count.
fn indicated(row: &str) -> Option<&str> {
    let (word, _) = row.trim_start().strip_prefix("-- ")?.split_once(" --")?;
    let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || " -".contains(c));
    (is_word && word != "INSERT").then_some(word)
}

fn matching(rows: &[Row], range: Range<usize>, patterns: &[Pattern]) -> Option<(String, String)> {
    rows.get(range)?.iter().find_map(|row| {
        let pattern = patterns.iter().find(|p| p.matches(&row.text))?;
        Some((escape::short(row.text.trim(), 60), pattern.as_str().to_owned()))
    })
}

/// The cursor, if it is on the screen. A drawn cursor is the lowest reversed cell that is alone in its row.
fn cursor(rules: &ScreenRules, rows: &[Row], facts: &PaneFacts) -> Option<Cursor> {
    if rules.drawn_cursor {
        let drawn = |(row, cells): (usize, &Row)| {
            Some(Cursor { column: cells.cursor_drawn_as(rules.cursor_glyph)?, row })
        };
        return rows.iter().enumerate().rev().find_map(drawn);
    }
    let row = usize::from(facts.cursor_y);
    (row < rows.len()).then_some(Cursor { column: facts.cursor_x, row })
}

/// The rows of the composer around the cursor: between its closing rows, or from its prompt down to a blank row. The
/// pattern of a closing row must match from the beginning of the row, because a text may hold anything further on.
fn enclosed(rules: &ScreenRules, rows: &[Row], cursor: usize) -> Option<Range<usize>> {
    let closes = |pattern: &Pattern, row: usize| pattern.prefix(&rows[row].text).is_some();
    let start = match &rules.top {
        Some(top) => (0..=cursor).rev().find(|i| closes(top, *i))? + 1,
        None => (0..=cursor).rev().find(|i| is_prompt(rules, &rows[*i]))?,
    };
    let end = match &rules.bottom {
        Some(bottom) => (cursor..rows.len()).find(|i| closes(bottom, *i))?,
        // A text that fills its last row leaves the cursor on a blank one below it.
        None => (cursor + 1..rows.len()).find(|i| rows[*i].text.trim().is_empty()).unwrap_or(rows.len()),
    };
    Some(start..end)
}

/// The rows of a composer that is marked by its background: those around the cursor that have one, without a blank
/// row at each end.
fn filled(rows: &[Row], cursor: usize) -> Option<Range<usize>> {
    let is_blank = |i: usize| rows[i].text.trim().is_empty();
    let top = (0..=cursor).rev().take_while(|i| rows[*i].filled).last()?;
    let bottom = (cursor..rows.len()).take_while(|i| rows[*i].filled).last()?;
    (is_blank(top) && is_blank(bottom) && top + 1 < bottom).then_some(top + 1..bottom)
}

/// Finds the composer around the cursor.
fn locate(rules: &ScreenRules, rows: &[Row], cursor: Cursor) -> Option<ComposerBox> {
    let at = |rows_range| locate_in(rules, rows, cursor, rows_range);
    enclosed(rules, rows, cursor.row)
        .and_then(at)
        .or_else(|| at(filled(rows, cursor.row).filter(|_| rules.filled)?))
}

fn locate_in(rules: &ScreenRules, rows: &[Row], cursor: Cursor, range: Range<usize>) -> Option<ComposerBox> {
    let (first, end) = text_rows(rules, rows, cursor, &range)?;
    let above = range.start.checked_sub(1).map(|i| &rows[i].text);
    let scrolled = above.is_some_and(|row| rules.scrolled.as_ref().is_some_and(|p| p.matches(row)));
    let is_text = |r: &Row| {
        r.text.trim().is_empty()
            || rules.continuation.prefix(&r.padded()).is_some()
            || rules.top.is_some() && is_prompt(rules, r)
    };
    if !(scrolled || is_prompt(rules, &rows[first]))
        || rows[first..end].iter().skip(1).any(|r| !is_text(r) || rules.top.is_none() && is_prompt(rules, r))
    {
        return None;
    }
    let inner: Vec<Row> = rows[first..end].iter().map(|row| row.without(rules.right.as_ref())).collect();
    let origin = rules.prompt.prefix(&inner[0].padded()).map_or(0, |n| width(&inner[0], n));
    let at_origin = cursor.row == first && cursor.column == origin;
    let composer = contents(rules, &inner, at_origin, scrolled);
    Some(ComposerBox { composer, rows: range, text_end: end, at_origin, cursor })
}

/// The first row of a composer's text, and the row after its last, without a footer and the blank rows around it.
/// `None` if this is not a composer.
fn text_rows(
    rules: &ScreenRules,
    rows: &[Row],
    cursor: Cursor,
    range: &Range<usize>,
) -> Option<(usize, usize)> {
    let (mut first, mut end) = (range.start, range.end);
    // Much text below means that this is not a composer at the bottom. Blank rows do not count: an agent may put its
    // composer in the middle of an empty screen of any height.
    if rows[end..].iter().filter(|r| !r.text.trim().is_empty()).count() > rules.below {
        return None;
    }
    end = end.checked_sub(rules.footer_rows)?;
    let most = match rules.padding {
        Some(rows) => rows,
        None if rules.footer_rows > 0 => usize::MAX,
        None => 0,
    };
    let mut padding = most;
    while padding > 0 && end > first && blank(rules, &rows[end - 1]) && end - 1 > cursor.row {
        (end, padding) = (end - 1, padding - 1);
    }
    padding = most;
    while padding > 0 && first < cursor.row && blank(rules, &rows[first]) {
        (first, padding) = (first + 1, padding - 1);
    }
    if rules.lead {
        first = (first..end).find(|i| is_prompt(rules, &rows[*i]))?;
    }
    // Without a closing row, the composer ends with its text. If rows stand below the text, the end of the screen is
    // not its end.
    let cut = rules.bottom.is_none() && !rules.ready.is_empty() && end == rows.len();
    (!cut && (first..end).contains(&cursor.row)).then_some((first, end))
}

/// The content of a composer's rows. `scrolled`: its first rows are out of sight.
fn contents(rules: &ScreenRules, rows: &[Row], at_origin: bool, scrolled: bool) -> Composer {
    let begins: Vec<u16> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let pattern = if i == 0 && !scrolled { &rules.prompt } else { &rules.continuation };
            pattern.prefix(&row.padded()).map_or(0, |n| width(row, n))
        })
        .collect();
    let lines: Vec<String> = rows.iter().zip(&begins).map(|(row, column)| row.from_column(*column)).collect();
    let text = lines.join("\n").trim_matches('\n').to_owned();
    // The cursor cell hides the placeholder's first blank. A placeholder counts only if the cursor is at its
    // beginning.
    let shown = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let placeholder = at_origin
        && !scrolled
        && (is_ghost(rules, rows, &begins) || rules.placeholders.iter().any(|p| p.prefix(&shown).is_some()));
    let content =
        if placeholder || (shown.is_empty() && rows.len() == 1 && !scrolled && !rules.placeholder_always) {
            Content::Empty
        } else if rules.collapsed.iter().any(|p| p.prefix(text.trim()).is_some()) {
            Content::Collapsed
        } else {
            Content::Text
        };
    Composer {
        text: if content == Content::Empty { String::new() } else { text },
        content,
        collapses_above: rules.collapses_above,
    }
}

/// Whether the text in the rows, from a column on in each, is a suggestion: all of it is dim, or has the colour of
/// suggestions. The cursor may be drawn on its first character, which is then reversed or underlined.
fn is_ghost(rules: &ScreenRules, rows: &[Row], begins: &[u16]) -> bool {
    let mut cells = rows
        .iter()
        .zip(begins)
        .flat_map(|(row, column)| row.cells.iter().filter(|c| c.column >= *column && !c.ch.is_whitespace()));
    let Some(first) = cells.next() else { return false };
    let rest: Vec<&Cell> = cells.collect();
    let is = |is: &dyn Fn(&Cell) -> bool, cursor: bool| {
        (is(first) || cursor && !rest.is_empty()) && rest.iter().all(|c| is(c))
    };
    is(&|c| c.dim, first.reverse)
        || is(&|c| rules.ghost.contains(&c.colour), first.reverse || first.underline)
}

fn is_prompt(rules: &ScreenRules, row: &Row) -> bool {
    rules.prompt.prefix(&row.padded()).is_some()
        && !(rules.dim_prompt_is_transcript
            && row.cells.iter().find(|c| !c.ch.is_whitespace()).is_some_and(|c| c.dim))
}

fn blank(rules: &ScreenRules, row: &Row) -> bool {
    let padded = row.without(rules.right.as_ref()).padded();
    let skip = rules.continuation.prefix(&padded).unwrap_or(0);
    padded[skip..].trim().is_empty()
}

/// The display column after the first `bytes` of a row.
fn width(row: &Row, bytes: usize) -> u16 {
    let mut seen = 0;
    for cell in &row.cells {
        if seen >= bytes {
            return cell.column;
        }
        seen += cell.ch.len_utf8();
    }
    // The prompt reaches into the blanks that tmux cut off.
    let last = row.cells.last().map_or(0, |c| c.column + 1);
    last + u16::try_from(bytes.saturating_sub(seen)).unwrap_or(0)
}

impl Row {
    /// The text with some of the trailing blanks that a capture leaves out.
    fn padded(&self) -> String {
        let mut text: String = self.cells.iter().map(|c| c.ch).collect();
        text.push_str("    ");
        text
    }

    /// The row without the characters after the text.
    fn without(&self, right: Option<&Pattern>) -> Row {
        let mut row = self.clone();
        if let Some(begins) = right.and_then(|p| p.suffix(&row.text)) {
            let column = width(&row, begins);
            row.cells.retain(|c| c.column < column);
            row.text.truncate(begins);
        }
        row
    }
}

#[cfg(test)]
mod tests;
