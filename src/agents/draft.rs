//! A first profile for an agent, from its recorded screens.
//!
//! It is made by trying: each way in which the composer may be closed and the cursor drawn gives a candidate, and the recordings decide.
//! A candidate that reads one of them as idle which is not is never given out. What tells a turn or a question is taken from the
//! recordings and, since these are few, from what other agents show: a rule too many only lets mail wait.

use super::is_shell;
use super::profile::{Pattern, Profile};
use super::reading::PaneFacts;
use super::recording::{Recording, without_size};
use crate::core::agent::Status;
use crate::core::screen::Row;
use regex::escape;

/// What agents show in a turn.
const BUSY: [&str; 5] = [
    r"\besc(ape)? to (interrupt|cancel|stop)\b",
    r"\bctrl.c to (interrupt|cancel|stop)\b",
    r"[\x{2800}-\x{28ff}] ",
    r"^\s*\S (Working|Thinking)\b",
    r"\(\d+s\b",
];

/// What agents show with a question.
const DIALOG: [&str; 5] = [
    r"^[\s│┃|]*[❯›>●→▸] *\d+[.)] ",
    r"\[[Yy](es)?\]?/\[?[Nn]o?\]",
    r"\[y\] ",
    r"\benter to (select|confirm|submit|choose)\b",
    r"\b(allow|approve|proceed)\b.*\?\s*$",
];

/// What titles show in a turn: a braille pattern or a turning circle.
const BUSY_TITLE: &str = r"^[\x{2800}-\x{28ff}◐◓◑◒] ";

/// Rows above the composer in which a sign of what is open may stand.
const NEAR: usize = 8;

/// Characters of which the rows that close a composer are made.
const LINES: &str = "─━═▄▀_╌┄";

/// Characters that some draw as their cursor in an empty composer.
const GLYPHS: [char; 6] = ['▋', '█', '▌', '▍', '▎', '▏'];

/// What the cursor is on a screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CursorForm {
    /// tmux's own.
    #[default]
    Tmux,
    /// A reversed cell.
    Cell,
    /// A reversed cell, or this character.
    Glyph(char),
}

/// A drafted profile.
#[derive(Debug)]
pub struct Draft {
    pub text: String,
    /// What a person should know of it.
    pub notes: Vec<String>,
}

/// Drafts a profile.
pub fn draft(kind: &str, all: &[Recording]) -> Result<Draft, String> {
    let of = |state: Status| all.iter().filter(move |r| r.state == state);
    for (state, what) in [
        (Status::Idle, "an empty composer"),
        (Status::Draft, "a draft in the composer"),
        (Status::Busy, "a turn"),
    ] {
        if of(state).next().is_none() {
            return Err(format!("there is no recording of {what} (`--state {}`)", state.word()));
        }
    }
    let idle: Vec<&Recording> = of(Status::Idle).collect();
    let mut best: Option<(usize, Sketch)> = None;
    let mut why = "no cursor was found behind a prompt in the recordings of an empty composer".to_owned();
    let glyphs = GLYPHS.map(CursorForm::Glyph);
    for drawn in [CursorForm::Tmux, CursorForm::Cell].into_iter().chain(glyphs) {
        let places: Vec<EmptyComposer<'_>> =
            idle.iter().filter_map(|r| EmptyComposer::new(r, drawn)).collect();
        if places.len() < idle.len() {
            continue;
        }
        for (top, _) in closers(&places, true) {
            for (bottom, footer_rows) in closers(&places, false) {
                let mut sketch = Sketch::new(all, &places, drawn, top.clone(), (bottom, footer_rows));
                match sketch.judge(kind, all) {
                    Ok(score) if best.as_ref().is_none_or(|(most, _)| score > *most) => {
                        best = Some((score, sketch));
                    }
                    Ok(_) => {}
                    Err(name) => why = format!("nothing in '{name}' distinguishes it from an empty composer"),
                }
            }
        }
    }
    let Some((_, sketch)) = best else { return Err(why) };
    let mut notes = Vec::new();
    let missed: Vec<&str> =
        idle.iter().filter(|r| !sketch.reads_idle(kind, r)).map(|r| r.name.as_str()).collect();
    if !missed.is_empty() {
        notes.push(format!(
            "these recordings of an empty composer are not read as idle, so mail would wait there: {} (is the composer empty in each?)",
            missed.join(", ")
        ));
    }
    let sizes: Vec<String> = sketch.smallest.iter().map(|(x, y)| format!("{x}x{y}")).collect();
    notes.push(format!("nothing is typed in a pane smaller than {}: record it in a smaller one, idle and busy, if you use it there", sizes.join(" or ")));
    if of(Status::Dialog).next().is_none() {
        notes.push("no question of the agent is recorded (`--state dialog`): the rules for it are those of other agents".into());
    }
    if sketch.ordinary.is_empty() {
        notes.push("nothing is shown only while it is idle: record every mode in which an empty composer means something else (`--state mode-NAME`)".into());
    }
    Ok(Draft { text: sketch.text(kind), notes })
}

/// A recording of an empty composer, with its cursor.
struct EmptyComposer<'a> {
    rows: &'a [Row],
    row: usize,
    column: u16,
}

impl<'a> EmptyComposer<'a> {
    fn new(recording: &'a Recording, drawn: CursorForm) -> Option<Self> {
        let (row, column) = cursor(recording, drawn)?;
        let rows = recording.screen.rows();
        rows.get(row)?;
        Some(Self { rows, row, column })
    }

    /// What stands before the cursor.
    fn prompt(&self) -> String {
        let mut text: String =
            self.rows[self.row].cells.iter().filter(|c| c.column < self.column).map(|c| c.ch).collect();
        // A capture leaves out the blanks at the end.
        let end =
            self.rows[self.row].cells.iter().rfind(|c| c.column < self.column).map_or(0, |c| c.column + 1);
        text.extend((end..self.column).map(|_| ' '));
        text
    }

    /// What stands at the cursor and behind it, and whether all of it is dim or reversed.
    fn shown(&self) -> (String, bool) {
        let row = &self.rows[self.row];
        let text = row
            .from_column(self.column)
            .trim_end_matches(['│', '┃'])
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let mut ink = row
            .cells
            .iter()
            .filter(|c| c.column >= self.column && !c.ch.is_whitespace() && !"│┃".contains(c.ch));
        (text, ink.all(|c| c.dim))
    }
}

fn cursor(recording: &Recording, drawn: CursorForm) -> Option<(usize, u16)> {
    let glyph = match drawn {
        CursorForm::Tmux => return Some((usize::from(recording.facts.cursor_y), recording.facts.cursor_x)),
        CursorForm::Cell => None,
        CursorForm::Glyph(glyph) => Some(glyph),
    };
    let rows = recording.screen.rows().iter().enumerate().rev();
    rows.into_iter().find_map(|(at, row)| Some((at, row.cursor_drawn_as(glyph)?)))
}

/// The rows that may close the composer: the lines that all show there, or else a blank row or none. With each, how many rows at the end of
/// the composer are not text.
fn closers(idle: &[EmptyComposer<'_>], above: bool) -> Vec<(Option<String>, usize)> {
    let line = |row: &Row| {
        let body = row.text.trim_start();
        let corner: String = body.chars().take(1).filter(|c| "╭╰┌└╹╻".contains(*c)).collect();
        let body = &body[corner.len()..];
        let c = body.chars().next().filter(|c| LINES.contains(*c))?;
        let run = body.chars().take_while(|next| *next == c).count();
        (run >= 10).then(|| format!("{corner}{c}{{10,}}"))
    };
    let near = |place: &EmptyComposer<'_>| -> Option<(String, usize)> {
        let rows: Vec<&Row> = if above {
            place.rows[..place.row].iter().rev().take(3).collect()
        } else {
            place.rows[place.row + 1..].iter().take(5).collect()
        };
        let (at, found) = rows.iter().enumerate().find_map(|(at, row)| Some((at, line(row)?)))?;
        // What stands in the row at the end beside the border.
        let last = rows.get(at.checked_sub(1).unwrap_or(usize::MAX)).map_or("", |row| row.text.as_str());
        Some((found, usize::from(last.chars().any(char::is_alphanumeric))))
    };
    let found: Option<Vec<(String, usize)>> = idle.iter().map(near).collect();
    match found {
        Some(found) => {
            let footer =
                if above { 0 } else { found.iter().map(|(_, rows)| *rows).max().unwrap_or_default() };
            let mut lines = Vec::new();
            for (line, _) in found {
                add(&mut lines, line);
            }
            vec![(Some(format!("^\\s*({})", lines.join("|"))), footer)]
        }
        None if above => vec![(None, 0), (Some("^\\s*$".to_owned()), 0)],
        None => vec![(None, 0)],
    }
}

/// The rules of a candidate.
#[derive(Clone, Debug, Default)]
struct Sketch {
    drawn: CursorForm,
    top: Option<String>,
    bottom: Option<String>,
    footer_rows: usize,
    smallest: Vec<(u16, u16)>,
    prompt: String,
    continuation: String,
    right: bool,
    placeholders: Vec<String>,
    placeholder_always: bool,
    below: usize,
    ordinary: Vec<String>,
    busy: Vec<String>,
    busy_title: bool,
    dialog: Vec<String>,
    dialog_footer: Vec<String>,
    /// Names of things that are open, whether each is a mode, whether its row stands above the composer, and the row.
    open: Vec<(String, bool, bool, String)>,
    names: Vec<String>,
    scripts: Vec<String>,
    tested: Vec<String>,
}

impl Sketch {
    fn new(
        all: &[Recording],
        idle: &[EmptyComposer<'_>],
        drawn: CursorForm,
        top: Option<String>,
        (bottom, footer_rows): (Option<String>, usize),
    ) -> Self {
        let (mut prompts, mut placeholders, mut blank) = (Vec::new(), Vec::new(), 0);
        for place in idle {
            add(&mut prompts, place.prompt());
            match place.shown() {
                (text, _) if text.is_empty() => blank += 1,
                (_, true) => {}
                (text, false) => add(&mut placeholders, text),
            }
        }
        let mut sketch = Self {
            drawn,
            prompt: one_of(&prompts),
            continuation: continuation(all, &prompts, drawn),
            right: idle.iter().all(|p| p.rows[p.row].text.trim_end().ends_with(['│', '┃']) && p.column > 0),
            placeholders,
            placeholder_always: idle.len() > 1 && blank == 0,
            top,
            bottom,
            footer_rows,
            smallest: smallest(all),
            busy_title: !all.iter().any(|r| r.state == Status::Idle && matches(BUSY_TITLE, &r.facts.title)),
            ..Self::default()
        };
        for recording in all.iter().filter(|r| is_calm(r)) {
            sketch.below = sketch.below.max(sketch.rows_below(recording).unwrap_or_default());
        }
        sketch.busy = signs(all, Status::Busy, &BUSY);
        sketch.dialog = signs(all, Status::Dialog, &DIALOG);
        sketch.ordinary = sketch.only_idle(all);
        for Recording { program: (program, script), version, .. } in all {
            if !script.is_empty() {
                add(&mut sketch.scripts, script.clone());
            } else if !program.is_empty() && !is_shell(program) {
                add(&mut sketch.names, program.clone());
            }
            if !version.is_empty() {
                add(&mut sketch.tested, version.clone());
            }
        }
        sketch
    }

    /// What stands below the composer whenever it is idle, and with no turn, question or anything open: the longest of it.
    fn only_idle(&self, all: &[Recording]) -> Vec<String> {
        let mut common: Option<Vec<String>> = None;
        for recording in all.iter().filter(|r| r.state == Status::Idle) {
            let below = cursor(recording, self.drawn).map_or(0, |(row, _)| row + 1);
            let parts = all_parts(recording.screen.rows().get(below..).unwrap_or_default());
            common = Some(match common {
                Some(mut common) => {
                    common.retain(|part| parts.contains(part));
                    common
                }
                None => parts,
            });
        }
        let mut common = common.unwrap_or_default();
        for recording in all.iter().filter(|r| !is_calm(r)) {
            let parts = all_parts(recording.screen.rows());
            common.retain(|part| !parts.contains(part));
        }
        common.iter().max_by_key(|part| part.len()).map(|part| escape(part)).into_iter().collect()
    }

    /// The first row below the text of a composer, and whether it closes it.
    fn end(&self, recording: &Recording) -> Option<usize> {
        let (row, _) = cursor(recording, self.drawn)?;
        let rows = recording.screen.rows();
        let bottom = self.bottom.clone().map(Pattern::from);
        (row + 1..rows.len()).find(|at| match &bottom {
            Some(bottom) => bottom.matches(&rows[*at].text),
            None => rows[*at].text.trim().is_empty(),
        })
    }

    fn rows_below(&self, recording: &Recording) -> Option<usize> {
        let rows = &recording.screen.rows()[self.end(recording)?..];
        Some(rows.iter().filter(|row| !row.text.trim().is_empty()).count())
    }

    /// How many recordings it reads right, the empty composers first; the name of one that it takes for idle and cannot tell from it.
    fn judge(&mut self, kind: &str, all: &[Recording]) -> Result<usize, String> {
        let idle: Vec<&Recording> = all.iter().filter(|r| r.state == Status::Idle).collect();
        // Each round names one thing more.
        for _ in 0..=all.len() {
            let text = self.text(kind);
            let profile = Profile::parse(&text, kind).map_err(|why| format!("{why:#}"))?;
            let Some(wrong) = all.iter().find(|r| r.is_false_idle(&r.read(&profile))) else {
                let right = |r: &&Recording| r.read(&profile).state == r.state;
                return Ok(
                    all.iter().filter(right).count() + all.len() * idle.iter().filter(|r| right(r)).count()
                );
            };
            let cursor = cursor(wrong, self.drawn).map_or(0, |(row, _)| row);
            let near = |(at, _): &(usize, String)| *at > cursor || *at + NEAR > cursor;
            let tried = |row: &String| {
                self.busy.contains(row)
                    || self.dialog_footer.contains(row)
                    || self.open.iter().any(|o| o.3 == *row)
            };
            let mut parts = peculiar(wrong, &idle).into_iter().filter(|(_, row)| !tried(row));
            let (at, row) = match wrong.state {
                Status::Busy => parts.next(),
                Status::Dialog => parts.find(|(at, _)| *at >= cursor),
                _ => parts.find(near),
            }
            .ok_or_else(|| wrong.name.clone())?;
            match wrong.state {
                Status::Busy => self.busy.push(row),
                Status::Dialog => self.dialog_footer.push(row),
                _ => self.open.push((
                    without_size(&wrong.name).replace('-', " "),
                    wrong.name.contains("mode"),
                    at < cursor,
                    row,
                )),
            }
        }
        Err(all.first().map(|r| r.name.clone()).unwrap_or_default())
    }

    fn reads_idle(&self, kind: &str, recording: &Recording) -> bool {
        Profile::parse(&self.text(kind), kind).is_ok_and(|p| recording.read(&p).state == Status::Idle)
    }

    fn text(&self, kind: &str) -> String {
        let list = |key: &str, patterns: &mut dyn Iterator<Item = &String>| {
            let all: Vec<String> = patterns.map(|p| quoted(p)).collect();
            if all.is_empty() { String::new() } else { format!("{key} = [{}]\n", all.join(", ")) }
        };
        let one = |key: &str, pattern: Option<&String>| {
            pattern.map(|p| format!("{key} = {}\n", quoted(p))).unwrap_or_default()
        };
        let flag = |key: &str, set: bool| if set { format!("{key} = true\n") } else { String::new() };
        let placeholders: Vec<String> =
            self.placeholders.iter().map(|p| format!("^{}$", escape(p))).collect();
        let names = if self.names.is_empty() && self.scripts.is_empty() {
            vec![kind.to_owned()]
        } else {
            self.names.clone()
        };
        let title = BUSY_TITLE.to_owned();
        let mut text = format!(
            "# Drafted from recorded screens by `swarm profile new`. docs/profile.toml explains every key.\nkind = \"{kind}\"\ntitle = \"{kind}\"\n"
        );
        text += &list("tested", &mut self.tested.iter());
        text += "\n[process]\n";
        text += &list("names", &mut names.iter());
        text += &list("scripts", &mut self.scripts.iter());
        text += "\n[screen]\n";
        text += &one("top", self.top.as_ref());
        text += &one("bottom", self.bottom.as_ref());
        text += &one("prompt", Some(&self.prompt));
        text += &one("continuation", Some(&self.continuation));
        text += &one("right", self.right.then(|| r"\s*[│┃]$".to_owned()).as_ref());
        text += &flag("drawn_cursor", self.drawn != CursorForm::Tmux);
        if let CursorForm::Glyph(glyph) = self.drawn {
            text += &format!("cursor_glyph = '{glyph}'\n");
        }
        let few = |key: &str, n: usize| if n == 0 { String::new() } else { format!("{key} = {n}\n") };
        text += &few("footer_rows", self.footer_rows);
        text += &few("padding", self.footer_rows);
        text += &format!("below = {}\nsmallest = {:?}\n", self.below, self.smallest)
            .replace('(', "[")
            .replace(')', "]");
        text += &list("placeholders", &mut placeholders.iter());
        text += &flag("placeholder_always", self.placeholder_always);
        text += &list("ordinary", &mut self.ordinary.iter());
        text += &list("busy", &mut self.busy.iter());
        text += &list("busy_above", &mut self.busy.iter());
        text += &list("busy_title", &mut self.busy_title.then_some(&title).into_iter());
        text += &list("dialog", &mut self.dialog.iter());
        text += &list("dialog_footer", &mut self.dialog_footer.iter());
        for (name, mode, above, row) in &self.open {
            let is = if *mode { "mode" } else { "overlay" };
            let place = if *above { "above" } else { "footer" };
            let (name, row) = (quoted(name), quoted(row));
            text += &format!("\n[[screen.open]]\nname = {name}\nis = \"{is}\"\n{place} = [{row}]\n");
        }
        text + "\n[timing]\n# Raise this only if an Enter is sometimes lost: one too many answers the next question.\nenters = 1\n"
    }
}

/// Takes a text in that is not there yet.
fn add(all: &mut Vec<String>, text: String) {
    if !all.contains(&text) {
        all.push(text);
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Pattern::from(pattern.to_owned()).matches(text)
}

fn is_calm(recording: &Recording) -> bool {
    matches!(recording.state, Status::Idle | Status::Draft)
}

/// Patterns for a state: what other agents show in it, if this one never shows it when it is calm, and what its own recordings show.
fn signs(all: &[Recording], state: Status, usual: &[&str]) -> Vec<String> {
    let shows = |pattern: &str, recording: &Recording| {
        let pattern = Pattern::from(pattern.to_owned());
        recording.screen.rows().iter().any(|row| pattern.matches(&row.text))
    };
    let mut found = Vec::new();
    for pattern in usual {
        if !all.iter().any(|r| is_calm(r) && shows(pattern, r)) {
            found.push((*pattern).to_owned());
        }
    }
    let others: Vec<&Recording> = all.iter().filter(|r| r.state != state).collect();
    for recording in all.iter().filter(|r| r.state == state) {
        if !found.iter().any(|p| shows(p, recording)) {
            found.extend(peculiar(recording, &others).into_iter().next().map(|(_, row)| row));
        }
    }
    found
}

/// The smallest panes in which an empty composer was recorded.
fn smallest(all: &[Recording]) -> Vec<(u16, u16)> {
    let mut found: Vec<(u16, u16)> = Vec::new();
    for PaneFacts { width: x, height: y, .. } in
        all.iter().filter(|r| r.state == Status::Idle).map(|r| &r.facts)
    {
        if !found.iter().any(|(a, b)| a <= x && b <= y) {
            found.retain(|(a, b)| !(x <= a && y <= b));
            found.push((*x, *y));
        }
    }
    found
}

/// A pattern for the beginning of a row, which is one of these. They may be indented differently.
fn one_of(begins: &[String]) -> String {
    let (mut all, mut inner) = (Vec::new(), Vec::new());
    for begin in begins {
        add(&mut all, escape(begin));
        add(&mut inner, escape(begin.trim_start_matches(' ')));
    }
    match (&all[..], &inner[..]) {
        ([one], _) => format!("^{one}"),
        (_, [one]) if !one.is_empty() => format!("^ *{one}"),
        _ => format!("^({})", all.join("|")),
    }
}

/// What further rows of a text begin with: as the drafts of several rows show it, or blanks in place of the prompt.
fn continuation(all: &[Recording], prompts: &[String], drawn: CursorForm) -> String {
    let width = prompts.iter().map(|p| p.chars().count()).max().unwrap_or_default();
    let begin = |row: &Row| -> String {
        let mut text: String = row.cells.iter().take(width).map(|c| c.ch).collect();
        text.extend((text.chars().count()..width).map(|_| ' '));
        text
    };
    let mut found = Vec::new();
    for recording in all.iter().filter(|r| r.state == Status::Draft) {
        let rows = recording.screen.rows();
        let Some((at, _)) = cursor(recording, drawn).filter(|(at, _)| *at < rows.len()) else { continue };
        let first = (at.saturating_sub(40)..=at).rev().find(|i| prompts.contains(&begin(&rows[*i])));
        for row in &rows[first.unwrap_or(at) + 1..=at] {
            add(&mut found, begin(row));
        }
    }
    if found.is_empty() {
        let blank = |c: char| if "│┃|".contains(c) { c } else { ' ' };
        found = prompts.iter().map(|p| p.chars().map(blank).collect()).collect();
    }
    one_of(&found)
}

/// The parts of rows that stand apart: a footer has several.
fn all_parts(rows: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for row in rows {
        for part in row.text.split("  ").flat_map(|part| part.split(" · ")).map(str::trim) {
            if letters(part) > 2 && !part.contains(|c: char| c.is_ascii_digit() || c == '~') {
                add(&mut found, part.to_owned());
            }
        }
    }
    found
}

fn letters(part: &str) -> usize {
    part.chars().filter(|c| c.is_alphabetic()).count()
}

/// Patterns for the parts of a recording that none of the others shows, with their rows, the lowest first.
fn peculiar(recording: &Recording, others: &[&Recording]) -> Vec<(usize, String)> {
    let known: Vec<Vec<String>> = others.iter().map(|r| all_parts(r.screen.rows())).collect();
    let mut found = Vec::new();
    for (at, row) in recording.screen.rows().iter().enumerate().rev() {
        for part in all_parts(std::slice::from_ref(row)) {
            if letters(&part) > 4 && !known.iter().any(|known| known.contains(&part)) {
                found.push((at, escape(&part)));
            }
        }
    }
    found
}

/// A text as TOML writes it: as it is if that is possible, for a pattern is legible so.
fn quoted(text: &str) -> String {
    if text.contains(|c: char| c == '\'' || c.is_control()) {
        // JSON's escapes are TOML's, and TOML escapes one character more.
        serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
    } else {
        format!("'{text}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn recordings(dir: &str) -> Vec<Recording> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dir);
        let mut files: Vec<_> = fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect();
        files.retain(|f| f.extension().is_some_and(|e| e == "ansi"));
        files.sort();
        let read = |f: &Path| fs::read_to_string(f).unwrap();
        let one = |f: &std::path::PathBuf| {
            let name = f.file_stem().unwrap().to_str().unwrap();
            Recording::parse(name, &read(f), &read(&f.with_extension("json"))).unwrap()
        };
        files.iter().map(one).collect()
    }

    #[test]
    fn whatever_a_program_is_called_the_draft_can_be_read() {
        let mut all = recordings("screens/gemini");
        let odd = "it's \"x\"\n\u{7f}\u{1b}[31m".to_owned();
        for recording in &mut all {
            (recording.program, recording.version) = ((odd.clone(), String::new()), odd.clone());
        }
        let text = draft("x", &all).unwrap().text;
        let profile = Profile::parse(&text, "x").unwrap();
        assert_eq!((&profile.process.names, &profile.tested), (&vec![odd.clone()], &vec![odd]), "{text}");
    }

    #[test]
    fn a_profile_drafted_from_some_screens_reads_none_of_all_the_others_as_idle() {
        // With the number of empty composers in wide panes: each must be read as idle.
        for (dir, idle) in [
            ("screens/cline", 2),
            ("screens/copilot", 3),
            ("screens/pi", 3),
            ("others/qwen", 3),
            ("others/continue", 3),
            ("screens/claude", 9),
            ("screens/codex", 5),
            ("screens/gemini", 7),
            ("screens/opencode", 5),
        ] {
            let all = recordings(dir);
            let wide: Vec<Recording> = all.iter().filter(|r| r.facts.width >= 100).cloned().collect();
            let text = draft("x", &wide).unwrap().text;
            let profile = Profile::parse(&text, "x").unwrap();
            assert_eq!(crate::agents::lint(&profile), [""; 0], "{dir}: {text}");
            let wrong = all.iter().filter(|r| r.is_false_idle(&r.read(&profile)));
            let wrong: Vec<&str> = wrong.map(|r| r.name.as_str()).collect();
            let right = |r: &&Recording| r.state == Status::Idle && r.read(&profile).state == Status::Idle;
            let right = wide.iter().filter(right).count();
            assert!(wrong.is_empty() && right == idle, "{dir}: {right} idle, false: {wrong:?}\n{text}");
        }
    }
}
