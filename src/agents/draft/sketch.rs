//! A candidate for a profile: rules that come from some recordings and are judged by all.

use super::composer::{CursorForm, EmptyComposer, continuation, written};
use super::signs::{self, BUSY, BUSY_TITLE, DIALOG, NEAR, is_calm, matches, peculiar};
use super::text::{add, all_parts, named, one_of, quoted};
use crate::agents::is_shell;
use crate::agents::profile::{Pattern, Profile};
use crate::agents::recording::{Recording, without_size};
use crate::core::agent::Status;
use crate::core::order;
use crate::core::screen::Row;
use regex::escape;

/// How good a candidate is. The empty composers that it reads correctly count first, those in the widest panes before
/// others, so that a recording in a narrow pane never outweighs one in a wide pane. Then everything else that it
/// reads correctly counts.
pub(super) type Score = (Vec<usize>, usize);

/// The rules of a candidate.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    drawn: CursorForm,
    top: Option<String>,
    bottom: Option<String>,
    footer_rows: usize,
    pub(super) smallest: Vec<(u16, u16)>,
    prompts: Vec<String>,
    continuation: String,
    right: bool,
    placeholders: Vec<String>,
    placeholder_always: bool,
    ghost: Vec<String>,
    below: usize,
    pub(super) ordinary: Vec<String>,
    busy: Vec<String>,
    /// Patterns that also count far above the composer.
    busy_above: Vec<String>,
    busy_title: bool,
    dialog: Vec<String>,
    dialog_footer: Vec<String>,
    /// Names of things that are open, whether each is a mode, whether its row stands above the composer, and the row.
    open: Vec<(String, bool, bool, String)>,
    names: Vec<String>,
    scripts: Vec<String>,
    tested: Vec<String>,
    /// Rules that rest on one recording: the key, and the pattern.
    pub(super) guessed: Vec<(&'static str, String)>,
}

impl Sketch {
    pub(super) fn new(
        all: &[Recording],
        idle: &[EmptyComposer<'_>],
        drawn: CursorForm,
        top: Option<String>,
        (bottom, footer_rows): (Option<String>, usize),
    ) -> Self {
        let mut prompts = Vec::new();
        for place in idle {
            add(&mut prompts, place.prompt());
        }
        let borders = ['│', '┃'];
        let mut sketch = Self {
            drawn,
            continuation: continuation(all, &prompts, drawn),
            prompts,
            right: idle.iter().all(|p| p.rows[p.row].text.trim_end().ends_with(borders) && p.column > 0),
            top,
            bottom,
            footer_rows,
            smallest: smallest(idle),
            busy_title: !all.iter().any(|r| r.state == Status::Idle && matches(BUSY_TITLE, &r.facts.title)),
            ..Self::default()
        };
        sketch.look_at_placeholders(all, idle);
        for recording in all.iter().filter(|r| is_calm(r)) {
            sketch.below = sketch.below.max(sketch.rows_below(recording).unwrap_or_default());
        }
        sketch.look_for_signs(all);
        let of_them =
            |r: &&Recording| sketch.smallest.iter().any(|(x, y)| *x <= r.facts.width && *y <= r.facts.height);
        sketch.ordinary = sketch.only_idle(all, &all.iter().filter(of_them).collect::<Vec<_>>());
        sketch.look_at_programs(all);
        sketch
    }

    fn look_at_placeholders(&mut self, all: &[Recording], idle: &[EmptyComposer<'_>]) {
        let written = written(all, self.drawn);
        let mut blank = 0;
        for place in idle {
            let end = self.end(place.rows, place.row).unwrap_or(place.row + 1);
            let shown = place.shown(end.saturating_sub(self.footer_rows));
            // A colour in which nobody writes marks a suggestion, whatever its words: a suggestion differs each time.
            let ghost = shown.colour.filter(|colour| !written.contains(colour)).and_then(named);
            match (shown.text.is_empty(), shown.dim, ghost) {
                (true, ..) => blank += 1,
                (_, true, _) => {}
                (_, _, Some(colour)) => add(&mut self.ghost, colour),
                (..) => add(&mut self.placeholders, shown.text),
            }
        }
        self.placeholder_always = idle.len() > 1 && blank == 0;
    }

    fn look_for_signs(&mut self, all: &[Recording]) {
        let (usual, own) = signs::signs(all, Status::Busy, &BUSY, &self.prompts);
        // Far above the composer, an answer may hold the texts of other agents.
        let turns = || all.iter().filter(|r| r.state == Status::Busy);
        let seen = |pattern: &&String| turns().any(|r| signs::shows(pattern, r));
        self.busy_above = usual.iter().filter(seen).cloned().collect();
        self.busy = usual;
        for sign in own {
            self.take_busy(all, sign);
        }
        let (usual, own) = signs::signs(all, Status::Dialog, &DIALOG, &self.prompts);
        self.dialog = usual;
        for sign in own {
            self.guessed.push(("dialog", sign.pattern.clone()));
            self.dialog.push(sign.pattern);
        }
    }

    /// Adds a sign of a turn. Words count far above the composer only if they were seen there, because an answer may
    /// hold the same words.
    fn take_busy(&mut self, all: &[Recording], sign: signs::Sign) {
        let is_far = |r: &Recording| {
            let cursor = self.drawn.find(r).map_or(0, |(row, _)| row);
            let mut rows = r.screen.rows().iter().take(cursor.saturating_sub(NEAR));
            r.state == Status::Busy && rows.any(|row| matches(&sign.pattern, &row.text))
        };
        if sign.is_mark || all.iter().any(is_far) {
            self.busy_above.push(sign.pattern.clone());
        }
        self.guessed.push(("busy", sign.pattern.clone()));
        self.busy.push(sign.pattern);
    }

    fn look_at_programs(&mut self, all: &[Recording]) {
        for Recording { program: (program, script), version, .. } in all {
            if !script.is_empty() {
                add(&mut self.scripts, script.clone());
            } else if !program.is_empty() && !is_shell(program) {
                add(&mut self.names, program.clone());
            }
            if !version.is_empty() {
                add(&mut self.tested, version.clone());
            }
        }
    }

    /// The longest text that stands below the composer whenever it is idle in a large enough pane, and never during a
    /// turn, a question or anything open.
    fn only_idle(&self, all: &[Recording], large: &[&Recording]) -> Vec<String> {
        let mut common: Option<Vec<String>> = None;
        for recording in large.iter().filter(|r| r.state == Status::Idle) {
            let below = self.drawn.find(recording).map_or(0, |(row, _)| row + 1);
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

    /// The first row below the text of a composer, and whether this row closes it.
    fn end(&self, rows: &[Row], cursor: usize) -> Option<usize> {
        let bottom = self.bottom.clone().map(Pattern::from);
        (cursor + 1..rows.len()).find(|at| match &bottom {
            Some(bottom) => bottom.matches(&rows[*at].text),
            None => rows[*at].text.trim().is_empty(),
        })
    }

    fn rows_below(&self, recording: &Recording) -> Option<usize> {
        let rows = recording.screen.rows();
        let below = &rows[self.end(rows, self.drawn.find(recording)?.0)?..];
        Some(below.iter().filter(|row| !row.text.trim().is_empty()).count())
    }

    /// Judges the candidate by all recordings. The error is the name of a recording that it takes for idle and cannot
    /// distinguish from an empty composer.
    pub(super) fn judge(&mut self, kind: &str, all: &[Recording]) -> Result<Score, String> {
        let idle: Vec<&Recording> = all.iter().filter(|r| r.state == Status::Idle).collect();
        // Each round names one more thing.
        for _ in 0..=all.len() {
            let text = self.text(kind);
            let profile = Profile::parse(&text, kind).map_err(|why| format!("{why:#}"))?;
            match all.iter().find(|r| r.is_false_idle(&r.read(&profile))) {
                Some(wrong) => self.learn(wrong, all, &idle)?,
                None => return Ok(score(&profile, all, &idle)),
            }
        }
        Err(all.first().map(|r| r.name.clone()).unwrap_or_default())
    }

    /// Names something that distinguishes a recording from the empty composers.
    fn learn(&mut self, wrong: &Recording, all: &[Recording], idle: &[&Recording]) -> Result<(), String> {
        let cursor = self.drawn.find(wrong).map_or(0, |(row, _)| row);
        let tried = |row: &String| {
            self.busy.contains(row)
                || self.dialog_footer.contains(row)
                || self.open.iter().any(|o| o.3 == *row)
        };
        let mut parts =
            peculiar(wrong, all, idle, &self.prompts).into_iter().filter(|sign| !tried(&sign.pattern));
        let sign = match wrong.state {
            Status::Busy => parts.next(),
            Status::Dialog => parts.find(|sign| sign.at >= cursor),
            _ => parts.find(|sign| sign.at > cursor || sign.at + NEAR > cursor),
        }
        .ok_or_else(|| wrong.name.clone())?;
        match wrong.state {
            Status::Busy => self.take_busy(all, sign),
            Status::Dialog => {
                self.guessed.push(("dialog_footer", sign.pattern.clone()));
                self.dialog_footer.push(sign.pattern);
            }
            _ => {
                let name = without_size(&wrong.name).replace('-', " ");
                self.guessed.push(("screen.open", sign.pattern.clone()));
                self.open.push((name, wrong.name.contains("mode"), sign.at < cursor, sign.pattern));
            }
        }
        Ok(())
    }

    pub(super) fn reads_idle(&self, kind: &str, recording: &Recording) -> bool {
        Profile::parse(&self.text(kind), kind).is_ok_and(|p| recording.read(&p).state == Status::Idle)
    }

    /// The profile as TOML.
    pub(super) fn text(&self, kind: &str) -> String {
        let list = |key: &str, patterns: &mut dyn Iterator<Item = &String>| {
            let all: Vec<String> = patterns.map(|p| quoted(p)).collect();
            if all.is_empty() { String::new() } else { format!("{key} = [{}]\n", all.join(", ")) }
        };
        let one = |key: &str, pattern: Option<&String>| {
            pattern.map(|p| format!("{key} = {}\n", quoted(p))).unwrap_or_default()
        };
        let flag = |key: &str, set: bool| if set { format!("{key} = true\n") } else { String::new() };
        let few = |key: &str, n: usize| if n == 0 { String::new() } else { format!("{key} = {n}\n") };
        let placeholders: Vec<String> =
            self.placeholders.iter().map(|p| format!("^{}$", escape(p))).collect();
        let kind_alone = [kind.to_owned()];
        let names =
            if self.names.is_empty() && self.scripts.is_empty() { &kind_alone[..] } else { &self.names };
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
        text += &one("prompt", Some(&one_of(&self.prompts)));
        text += &one("continuation", Some(&self.continuation));
        text += &one("right", self.right.then(|| r"\s*[│┃]$".to_owned()).as_ref());
        text += &flag("drawn_cursor", self.drawn != CursorForm::Tmux);
        if let CursorForm::Glyph(glyph) = self.drawn {
            text += &format!("cursor_glyph = '{glyph}'\n");
        }
        text += &few("footer_rows", self.footer_rows);
        text += &few("padding", self.footer_rows);
        text += &format!("below = {}\nsmallest = {:?}\n", self.below, self.smallest)
            .replace('(', "[")
            .replace(')', "]");
        text += &list("placeholders", &mut placeholders.iter());
        text += &flag("placeholder_always", self.placeholder_always);
        text += &list("ghost", &mut self.ghost.iter());
        text += &list("ordinary", &mut self.ordinary.iter());
        text += &list("busy", &mut self.busy.iter());
        text += &list("busy_above", &mut self.busy_above.iter());
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

fn score(profile: &Profile, all: &[Recording], idle: &[&Recording]) -> Score {
    let right = |r: &&Recording| r.read(profile).state == r.state;
    let mut widths: Vec<u16> = idle.iter().map(|r| r.facts.width).collect();
    order::sort_by(&mut widths, |a, b| b.cmp(a));
    widths.dedup();
    let of = |width: &u16| idle.iter().filter(|r| r.facts.width == *width && right(r)).count();
    (widths.iter().map(of).collect(), all.iter().filter(right).count())
}

/// The smallest panes of these composers.
fn smallest(idle: &[EmptyComposer<'_>]) -> Vec<(u16, u16)> {
    let mut found: Vec<(u16, u16)> = Vec::new();
    for (x, y) in idle.iter().map(|place| place.size) {
        if !found.iter().any(|(a, b)| *a <= x && *b <= y) {
            found.retain(|(a, b)| !(x <= *a && y <= *b));
            found.push((x, y));
        }
    }
    found
}
