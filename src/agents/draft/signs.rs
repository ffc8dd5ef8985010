//! Finds what distinguishes the screens of one state from the others.

use super::text::{add, all_parts, letters};
use crate::agents::profile::Pattern;
use crate::agents::recording::Recording;
use crate::core::agent::Status;
use crate::core::order;
use crate::core::screen::Row;
use regex::escape;

/// Texts that agents show during a turn.
pub(super) const BUSY: [&str; 5] = [
    r"\besc(ape)? to (interrupt|cancel|stop)\b",
    r"\bctrl.c to (interrupt|cancel|stop)\b",
    r"[\x{2800}-\x{28ff}] ",
    r"^\s*\S (Working|Thinking)\b",
    r"\(\d+s\b",
];

/// Texts that agents show with a question.
pub(super) const DIALOG: [&str; 5] = [
    r"^[\s│┃|]*[❯›>●→▸] *\d+[.)] ",
    r"\[[Yy](es)?\]?/\[?[Nn]o?\]",
    r"\[y\] ",
    r"\benter to (select|confirm|submit|choose)\b",
    r"\b(allow|approve|proceed)\b.*\?\s*$",
];

/// The beginnings of titles during a turn: a braille pattern or a turning circle.
pub(super) const BUSY_TITLE: &str = r"^[\x{2800}-\x{28ff}◐◓◑◒] ";

/// How many rows above the composer a sign of something open may stand.
pub(super) const NEAR: usize = 8;

/// A part of a row that only screens of one state show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sign {
    pub(super) pattern: String,
    /// Its row.
    pub(super) at: usize,
    /// Whether it is a symbol that marks a running tool. The agent replaces the symbol when the tool has ended, so an
    /// answer never begins with it.
    pub(super) is_mark: bool,
}

pub(super) fn matches(pattern: &str, text: &str) -> bool {
    Pattern::from(pattern.to_owned()).matches(text)
}

pub(super) fn is_calm(recording: &Recording) -> bool {
    matches!(recording.state, Status::Idle | Status::Draft)
}

pub(super) fn shows(pattern: &str, recording: &Recording) -> bool {
    let pattern = Pattern::from(pattern.to_owned());
    recording.screen.rows().iter().any(|row| pattern.matches(&row.text))
}

/// Patterns for a state: the patterns of other agents, unless a calm screen of this agent shows them, and those of
/// its own recordings. A row that begins with one of `prompts` holds a person's words.
pub(super) fn signs(
    all: &[Recording],
    state: Status,
    usual: &[&str],
    prompts: &[String],
) -> (Vec<String>, Vec<Sign>) {
    let is_usual = |pattern: &&&str| !all.iter().any(|r| is_calm(r) && shows(pattern, r));
    let usual: Vec<String> = usual.iter().filter(is_usual).map(|p| (*p).to_owned()).collect();
    let mut own: Vec<Sign> = Vec::new();
    let others: Vec<&Recording> = all.iter().filter(|r| r.state != state).collect();
    for recording in all.iter().filter(|r| r.state == state) {
        let known = usual.iter().chain(own.iter().map(|sign| &sign.pattern));
        if !known.into_iter().any(|p| shows(p, recording)) {
            own.extend(peculiar(recording, all, &others, prompts).into_iter().next());
        }
    }
    (usual, own)
}

/// The parts of a recording that none of `others` shows, best first: those that most recordings of its state show,
/// then the lowest. A part that only one recording shows may be there by chance.
pub(super) fn peculiar(
    recording: &Recording,
    all: &[Recording],
    others: &[&Recording],
    prompts: &[String],
) -> Vec<Sign> {
    let parts = |r: &Recording| all_parts(&ours(r, prompts));
    let known: Vec<Vec<String>> = others.iter().map(|r| all_parts(r.screen.rows())).collect();
    let alike: Vec<Vec<String>> = all.iter().filter(|r| r.state == recording.state).map(parts).collect();
    let mut found: Vec<(usize, Sign)> = Vec::new();
    for (at, row) in recording.screen.rows().iter().enumerate().rev() {
        if is_said(row, prompts) {
            continue;
        }
        for part in all_parts(std::slice::from_ref(row)) {
            if letters(&part) > 4 && !known.iter().any(|known| known.contains(&part)) {
                let shared = alike.iter().filter(|parts| parts.contains(&part)).count();
                add(&mut found, (shared, Sign { pattern: escape(&part), at, is_mark: false }));
            }
        }
    }
    // The sort is stable: parts that are shared equally keep their order.
    order::sort_by_key(&mut found, |(shared, _)| usize::MAX - shared);
    found.into_iter().map(|(_, sign)| sign).chain(bullets(recording, others, prompts)).collect()
}

/// The symbols that begin rows of a recording, but no row of `others`, the lowest first. Some agents mark a running
/// tool only by such a symbol (`○ Bash(sleep 7)`, then `● Bash(sleep 7)`).
fn bullets(recording: &Recording, others: &[&Recording], prompts: &[String]) -> Vec<Sign> {
    let known: Vec<char> = others.iter().flat_map(|r| r.screen.rows()).filter_map(bullet).collect();
    let rows = recording.screen.rows().iter().enumerate().rev().filter(|(_, row)| !is_said(row, prompts));
    let mut found = Vec::new();
    for (at, c) in rows.filter_map(|(at, row)| Some((at, bullet(row)?))) {
        if !known.contains(&c) {
            let pattern = format!(r"^\s*{} \S", escape(&c.to_string()));
            add(&mut found, Sign { pattern, at, is_mark: true });
        }
    }
    found
}

/// A symbol that begins a row, before a blank and a letter. Characters of frames, and those that a text may begin
/// with, do not count.
fn bullet(row: &Row) -> Option<char> {
    let mut text = row.text.trim_start().chars();
    let (first, blank, next) = (text.next()?, text.next()?, text.next()?);
    let is_symbol =
        !first.is_ascii() && !first.is_alphanumeric() && !('\u{2500}'..='\u{259f}').contains(&first);
    (is_symbol && blank == ' ' && next.is_alphabetic()).then_some(first)
}

fn ours(recording: &Recording, prompts: &[String]) -> Vec<Row> {
    recording.screen.rows().iter().filter(|row| !is_said(row, prompts)).cloned().collect()
}

/// Whether a row begins with a prompt, and so holds a person's words.
fn is_said(row: &Row, prompts: &[String]) -> bool {
    let text = row.text.trim_start();
    prompts
        .iter()
        .map(|p| p.trim())
        .any(|p| !p.is_empty() && text.strip_prefix(p).is_some_and(|rest| rest.starts_with([' ', '\u{a0}'])))
}
