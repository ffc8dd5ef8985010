//! What a screen says an agent is doing.
//!
//! Idle is never a default: the composer must be found at the bottom of the screen, the cursor must stand at its
//! beginning, it must be empty, and neither the title nor a row near it may speak of a turn or a dialog. Everything
//! that does not fit is `Unknown`, and the evidence says which rule decided.

use super::profile::{Profile, ScreenRules};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::screen::{Row, Screen};
use std::ops::Range;

/// Rows above the composer in which a busy line may stand.
const NEAR: usize = 8;

/// Facts about the pane that go with a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneFacts {
    /// The title the application set. Untrusted.
    pub title: String,
    /// The cursor's column, from 0.
    pub cursor_x: u16,
    /// The cursor's row, from 0.
    pub cursor_y: u16,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Whether a mode such as copy mode is on; the screen is the live one all the same.
    pub in_mode: bool,
    /// Whether the alternate screen is on.
    pub alternate: bool,
}

/// What a composer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing, or a placeholder.
    Empty,
    /// Text.
    Text,
    /// A sign that stands for a long paste.
    Collapsed,
}

/// A composer found on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composer {
    /// Its text; rows are joined by line feeds.
    pub text: String,
    /// What that is.
    pub content: Content,
    collapses_above: usize,
}

impl Composer {
    /// Whether it holds exactly `line`, wrapped or not. A collapsed paste counts if `line` is long enough to collapse.
    pub fn holds(&self, line: &str) -> bool {
        match self.content {
            Content::Empty => false,
            Content::Text => squeeze(&self.text) == squeeze(line),
            Content::Collapsed => line.chars().count() > self.collapses_above,
        }
    }

    /// Whether `part` stands somewhere in it.
    pub fn contains(&self, part: &str) -> bool {
        self.content == Content::Text && squeeze(&self.text).contains(&squeeze(part))
    }
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// What a screen says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the agent is doing.
    pub state: Status,
    /// Its composer, if one was found.
    pub composer: Option<Composer>,
    /// What decided, for people.
    pub evidence: Vec<String>,
}

/// Reads a screen by a profile's rules.
pub fn read(profile: &Profile, screen: &Screen, facts: &PaneFacts) -> Reading {
    let rules = &profile.screen;
    let mut evidence = Vec::new();
    let found = locate(rules, screen.rows(), facts);
    let state = judge(rules, screen.rows(), facts, found.as_ref(), &mut evidence);
    Reading { state, composer: found.map(|f| f.composer), evidence }
}

struct Found {
    composer: Composer,
    rows: Range<usize>,
    at_origin: bool,
}

fn judge(
    rules: &ScreenRules,
    rows: &[Row],
    facts: &PaneFacts,
    found: Option<&Found>,
    why: &mut Vec<String>,
) -> Status {
    for pattern in &rules.dialog_title {
        if pattern.matches(&facts.title) {
            why.push(format!(
                "the title '{}' matches the dialog rule {}",
                escape::short(&facts.title, 60),
                pattern.as_str()
            ));
            return Status::Dialog;
        }
    }
    let last = rows.iter().rposition(|r| !r.text.is_empty()).map_or(0, |i| i + 1);
    let Some(found) = found else {
        let tail = last.saturating_sub(NEAR * 2)..last;
        if let Some((row, pattern)) = matching(rows, tail, &rules.dialog) {
            why.push(format!("no composer, and the row '{row}' matches the dialog rule {pattern}"));
            return Status::Dialog;
        }
        why.push("no composer was found at the bottom of the screen with the cursor in it".into());
        return if facts.alternate { Status::Overlay } else { Status::Unknown };
    };
    why.push(format!(
        "the composer is in rows {} to {} with the cursor at {},{}",
        found.rows.start,
        found.rows.end.saturating_sub(1),
        facts.cursor_x,
        facts.cursor_y
    ));
    if let Some(pattern) = rules.busy_title.iter().find(|p| p.matches(&facts.title)) {
        why.push(format!(
            "the title '{}' matches the busy rule {}",
            escape::short(&facts.title, 60),
            pattern.as_str()
        ));
        return Status::Busy;
    }
    let above = found.rows.start.saturating_sub(NEAR)..found.rows.start;
    for range in [above, found.rows.end..last] {
        if let Some((row, pattern)) = matching(rows, range, &rules.busy) {
            why.push(format!("the row '{row}' matches the busy rule {pattern}"));
            return Status::Busy;
        }
    }
    if let Some((row, pattern)) = matching(rows, found.rows.start..last, &rules.dialog_footer) {
        why.push(format!("the row '{row}' matches the dialog rule {pattern}"));
        return Status::Dialog;
    }
    match (found.composer.content, found.at_origin) {
        (Content::Empty, true)
            if !rules.ready.is_empty() && matching(rows, found.rows.end..last, &rules.ready).is_none() =>
        {
            why.push("the composer is empty, but the rows below do not say that the agent is ready".into());
            Status::Unknown
        }
        (Content::Empty, true) => {
            why.push("the composer is empty and nothing speaks of a turn".into());
            Status::Idle
        }
        (Content::Empty, false) => {
            why.push("the composer looks empty, but the cursor is not at its beginning".into());
            Status::Draft
        }
        _ => {
            why.push(format!("the composer holds '{}'", escape::short(&found.composer.text, 60)));
            Status::Draft
        }
    }
}

fn matching(
    rows: &[Row],
    range: Range<usize>,
    patterns: &[super::profile::Pattern],
) -> Option<(String, String)> {
    rows.get(range)?.iter().find_map(|row| {
        let pattern = patterns.iter().find(|p| p.matches(&row.text))?;
        Some((escape::short(row.text.trim(), 60), pattern.as_str().to_owned()))
    })
}

/// Finds the composer around the cursor: between its closing rows, or from its prompt down to a blank row.
fn locate(rules: &ScreenRules, rows: &[Row], facts: &PaneFacts) -> Option<Found> {
    let cursor = usize::from(facts.cursor_y);
    if cursor >= rows.len() {
        return None;
    }
    let start = match &rules.top {
        Some(top) => (0..=cursor).rev().find(|i| top.matches(&rows[*i].text))? + 1,
        None => (0..=cursor).rev().find(|i| is_prompt(rules, &rows[*i]))?,
    };
    let mut end = match &rules.bottom {
        Some(bottom) => (cursor..rows.len()).find(|i| bottom.matches(&rows[*i].text))?,
        // A text that fills its last row leaves the cursor on a blank one below it.
        None => (cursor + 1..rows.len()).find(|i| rows[*i].text.trim().is_empty()).unwrap_or(rows.len()),
    };
    // Much text below it: this is no composer at the bottom, whatever it looks like. Blank rows do not count: an
    // agent may put its composer in the middle of an empty screen of any height.
    if rows[end..].iter().filter(|r| !r.text.trim().is_empty()).count() > rules.below {
        return None;
    }
    let rows_range = start..end;
    end = end.checked_sub(rules.footer_rows)?;
    while end > start && rules.footer_rows > 0 && blank(rules, &rows[end - 1]) && end - 1 > cursor {
        end -= 1;
    }
    let mut first = start;
    while rules.footer_rows > 0 && first < cursor && blank(rules, &rows[first]) {
        first += 1;
    }
    if first >= end || !(first..end).contains(&cursor) {
        return None;
    }
    if rows[first..end].iter().skip(1).any(|r| rules.top.is_none() && is_prompt(rules, r))
        || !is_prompt(rules, &rows[first])
    {
        return None;
    }
    let origin = width(&rows[first], rules.prompt.prefix(&rows[first].padded())?);
    let text: Vec<String> = (first..end)
        .map(|i| {
            let pattern = if i == first { &rules.prompt } else { &rules.continuation };
            let skip = pattern.prefix(&rows[i].padded()).map_or(0, |n| width(&rows[i], n));
            rows[i].from_column(skip)
        })
        .collect();
    let text = text.join("\n").trim_matches('\n').to_owned();
    let at_origin = cursor == first && facts.cursor_x == origin;
    // The cursor cell hides the placeholder's first blank; a placeholder is what stands there with the cursor at home.
    let ghost = at_origin
        && (rows[first].is_dim_from(origin) && first + 1 == end
            || rules.placeholders.iter().any(|p| p.matches(text.trim())));
    let content = if text.trim().is_empty() || ghost {
        Content::Empty
    } else if rules.collapsed.iter().any(|p| p.matches(text.trim())) {
        Content::Collapsed
    } else {
        Content::Text
    };
    let composer = Composer {
        text: if content == Content::Empty { String::new() } else { text },
        content,
        collapses_above: rules.collapses_above,
    };
    Some(Found { composer, rows: rows_range, at_origin })
}

fn is_prompt(rules: &ScreenRules, row: &Row) -> bool {
    rules.prompt.prefix(&row.padded()).is_some()
        && !(rules.dim_prompt_is_transcript
            && row.cells.iter().find(|c| !c.ch.is_whitespace()).is_some_and(|c| c.dim))
}

fn blank(rules: &ScreenRules, row: &Row) -> bool {
    let padded = row.padded();
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
    /// The text with some of the blanks at its end that a capture leaves out.
    fn padded(&self) -> String {
        let mut text: String = self.cells.iter().map(|c| c.ch).collect();
        text.push_str("    ");
        text
    }
}
