//! Makes one change in one section, and proves that nothing else changed.

use super::document::{Document, Item, List, Section, Table, TableRow, slug};
use super::rows::{self, Columns, WORK, Work};
use super::{CoordRefusal, Text, date};
use crate::core::name::Name;
use std::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoordAction {
    /// Add an item to its last list, or a row to its last table; without either, begin a list.
    Add { text: Text, by: Name, now_ms: u64 },
    /// Replace its content; in a section with a row per agent, the caller's row.
    Set {
        text: Text,
        by: Name,
        /// The caller's leases.
        files: String,
        now_ms: u64,
    },
    /// Tick the one open item that contains this text; an item without a box, or a row, is removed.
    Done {
        /// A part of the text; case does not count.
        matching: String,
    },
}

/// The result of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The section's title.
    pub section: String,
    /// The line that was written, or removed.
    pub line: String,
    /// The former text, if something was replaced or removed.
    pub was: Option<String>,
    /// The new document; `None` if it needs no change.
    pub text: Option<String>,
}

/// Decides the result of `action` in the section `asked` of `text`.
pub fn change(text: &str, asked: &str, action: &CoordAction) -> Result<Change, CoordRefusal> {
    let document = Document::parse(text);
    let section = document.find(asked)?;
    let draft = DocumentEdit::new(text, &document)?;
    let splice = match action {
        CoordAction::Add { text, by, now_ms } => draft.add(section, text, by, &date::day(*now_ms)),
        CoordAction::Set { text, by, files, now_ms } => {
            if slug(&section.title) == WORK || rows::of_agents(section).is_some() {
                let since = date::minute(*now_ms);
                let work = Work { agent: by.clone(), task: text.clone(), files: files.clone(), since };
                rows::upsert(&draft, section, &work, "")
            } else {
                draft.set(section, text)
            }
        }
        CoordAction::Done { matching } => match draft.done(section, matching)? {
            Some(splice) => splice,
            None => {
                return Ok(Change {
                    section: section.title.clone(),
                    line: matching.clone(),
                    was: None,
                    text: None,
                });
            }
        },
    };
    let was = text[splice.at.clone()].trim();
    Ok(Change {
        section: section.title.clone(),
        line: splice.line.clone(),
        was: (!was.is_empty()).then(|| was.to_owned()),
        text: Some(draft.apply(section, &splice)?),
    })
}

/// One replacement within a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    at: Range<usize>,
    with: String,
    /// The line for people.
    line: String,
    /// What must be found there afterwards.
    proof: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// An item with this text, one more than before.
    Item(String),
    /// A row of these cells.
    TableRow(Vec<String>),
    /// A section that is closed: later text does not belong to its content.
    Closed,
    /// Only check that no heading has moved.
    Outline,
}

/// A document that is being changed.
pub(super) struct DocumentEdit<'t> {
    text: &'t str,
    document: &'t Document,
    /// The line ending that most lines have.
    eol: &'static str,
}

impl<'t> DocumentEdit<'t> {
    /// Refuses a document with lines that end in a carriage return alone. Markdown accepts them, but almost nothing
    /// else does, so an edit by lines would join separate lines.
    pub(super) fn new(text: &'t str, document: &'t Document) -> Result<Self, CoordRefusal> {
        if let Some((at, _)) = text.match_indices('\r').find(|(at, _)| !text[at + 1..].starts_with('\n')) {
            return Err(CoordRefusal::LineEnd { line: text[..at].matches('\n').count() + 1 });
        }
        let (lines, crlf) = (text.matches('\n').count(), text.matches("\r\n").count());
        Ok(Self { text, document, eol: if crlf * 2 > lines { "\r\n" } else { "\n" } })
    }

    /// The line ending that is missing before `at`, or an empty text.
    fn missing_eol(&self, at: usize) -> &'static str {
        if at == 0 || self.text[..at].ends_with('\n') { "" } else { self.eol }
    }

    /// A row of `cells` after the line that ends at `at`.
    pub(super) fn append(&self, at: usize, line: &str, cells: Vec<String>) -> Splice {
        let with = format!("{}{line}{}", self.missing_eol(at), self.eol);
        Splice { at: at..at, with, line: line.to_owned(), proof: Expected::TableRow(cells) }
    }

    /// Replaces a row by one of `cells`.
    pub(super) fn replace(&self, at: Range<usize>, line: &str, cells: Vec<String>) -> Splice {
        let old = &self.text[at.clone()];
        let indent = &old[..old.len() - old.trim_start_matches(' ').len()];
        let end = &old[old.trim_end_matches(['\r', '\n']).len()..];
        Splice {
            with: format!("{indent}{line}{end}"),
            at,
            line: line.to_owned(),
            proof: Expected::TableRow(cells),
        }
    }

    /// Removes these lines.
    pub(super) fn remove(&self, at: Range<usize>) -> Splice {
        let line = self.text[at.clone()].trim().to_owned();
        Splice { at, with: String::new(), line, proof: Expected::Outline }
    }

    /// Adds a table of these lines, the last of which has `cells`, at the end of a section.
    pub(super) fn block(&self, section: &Section, lines: &[String], cells: Vec<String>) -> Splice {
        let line = lines.last().cloned().unwrap_or_default();
        let (at, with) = self.at_end(section, &lines.join(self.eol));
        Splice { at: at..at, with, line, proof: Expected::TableRow(cells) }
    }

    /// Where and how `block` is put at the end of a section's content: blank lines at its end stay after it.
    fn at_end(&self, section: &Section, block: &str) -> (usize, String) {
        let body = &self.text[section.body.clone()];
        let content = body.trim_end().len();
        let (at, after) = if content == 0 {
            let closes = body.is_empty() && section.body.end < self.text.len();
            (section.body.start, if closes { self.eol } else { "" })
        } else {
            let rest = &body[content..];
            (section.body.start + content + rest.find('\n').map_or(rest.len(), |i| i + 1), "")
        };
        let eol = self.eol;
        (at, format!("{}{eol}{block}{eol}{after}", self.missing_eol(at)))
    }

    fn add(&self, section: &Section, text: &Text, by: &Name, day: &str) -> Splice {
        let (list, table) = (section.lists.last(), section.tables.last());
        match (list, table) {
            (list, Some(table)) if list.is_none_or(|l| l.range.start < table.range.start) => {
                self.add_row(table, text, by, day)
            }
            (Some(list), _) => self.add_item(list, text, by, day),
            _ => {
                // Decisions are not for ticking.
                let bullet = if slug(&section.title).contains("decision") { "-" } else { "- [ ]" };
                let said = format!("{} ({by}, {day})", text.as_str());
                let line = format!("{bullet} {said}");
                let (at, with) = self.at_end(section, &line);
                Splice { at: at..at, with, line, proof: proof_of(&said) }
            }
        }
    }

    fn add_row(&self, table: &Table, text: &Text, by: &Name, day: &str) -> Splice {
        let columns = Columns::of(&table.head);
        let mut cells = vec![String::new(); table.head.len()];
        let mut said = text.cell();
        match (columns.agent, columns.date) {
            (Some(_), Some(_)) => {}
            (Some(_), None) => said.push_str(&format!(" ({day})")),
            (None, Some(_)) => said.push_str(&format!(" ({by})")),
            (None, None) => said.push_str(&format!(" ({by}, {day})")),
        }
        for (column, value) in
            [(columns.agent, by.to_string()), (columns.date, day.to_owned()), (Some(columns.text), said)]
        {
            if let Some(cell) = column.and_then(|c| cells.get_mut(c)) {
                *cell = value;
            }
        }
        self.append(table.range.end, &rows::render(&cells), cells)
    }

    /// An item like the others: the same bullet or the next number, with a box if they have one.
    fn add_item(&self, list: &List, text: &Text, by: &Name, day: &str) -> Splice {
        let mut own = list.items.iter().filter(|i| i.depth == 1);
        let boxed = own.clone().any(|i| i.task.is_some());
        let count = own.clone().count() as u64;
        let last = own.next_back().map_or("", |i| &self.text[i.range.clone()]);
        let indent = &last[..last.len() - last.trim_start_matches(' ').len()];
        let bullet = match list.first {
            Some(first) => {
                let delimiter = last.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{}{}", first.saturating_add(count), delimiter.chars().next().unwrap_or('.'))
            }
            None => last.trim_start().chars().next().unwrap_or('-').to_string(),
        };
        let said = format!("{} ({by}, {day})", text.as_str());
        let line = format!("{indent}{bullet} {}{said}", if boxed { "[ ] " } else { "" });
        let at = list.range.end;
        let with = format!("{}{line}{}", self.missing_eol(at), self.eol);
        Splice { at: at..at, with, line: line.trim().to_owned(), proof: proof_of(&said) }
    }

    fn set(&self, section: &Section, text: &Text) -> Splice {
        let eol = self.eol;
        let after = if section.body.end < self.text.len() { eol } else { "" };
        let with = format!("{}{eol}{}{eol}{after}", self.missing_eol(section.body.start), text.as_str());
        Splice { at: section.body.clone(), with, line: text.as_str().to_owned(), proof: Expected::Closed }
    }

    /// `None` if it is ticked already.
    fn done(&self, section: &Section, matching: &str) -> Result<Option<Splice>, CoordRefusal> {
        let wanted = matching.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        if wanted.is_empty() {
            return Err(CoordRefusal::Text("it is empty".into()));
        }
        let items = section.lists.iter().flat_map(|l| &l.items).map(OpenEntry::Item);
        let rows = section.tables.iter().flat_map(|t| &t.rows).map(OpenEntry::TableRow);
        let (open, ticked): (Vec<_>, Vec<_>) = items.chain(rows).partition(OpenEntry::is_open);
        let exact: Vec<&OpenEntry<'_>> = open.iter().filter(|e| e.is(&wanted)).collect();
        let fits = if exact.len() == 1 { exact } else { open.iter().filter(|e| e.has(&wanted)).collect() };
        match fits[..] {
            [OpenEntry::Item(Item { task: Some((at, _)), range, .. })] => {
                let (before, after) = (&self.text[range.start..at.start], &self.text[at.end..range.end]);
                let line = format!("{before}[x]{after}");
                let line = line.trim().lines().next().unwrap_or_default().to_owned();
                Ok(Some(Splice { at: at.clone(), with: "[x]".into(), line, proof: Expected::Outline }))
            }
            [OpenEntry::Item(Item { range, .. }) | OpenEntry::TableRow(TableRow { range, .. })] => {
                Ok(Some(self.remove(range.clone())))
            }
            [] if ticked.iter().any(|e| e.has(&wanted)) => Ok(None),
            [] => Err(CoordRefusal::NoItem {
                asked: matching.to_owned(),
                title: section.title.clone(),
                open: open.iter().map(OpenEntry::text).collect(),
            }),
            _ => Err(CoordRefusal::SeveralItems {
                asked: matching.to_owned(),
                items: fits.iter().map(|e| (e.line(), e.text())).collect(),
            }),
        }
    }

    /// The document with `splice`, if the splice changes only `section` and has the required effect.
    pub(super) fn apply(&self, section: &Section, splice: &Splice) -> Result<String, CoordRefusal> {
        let refused = || CoordRefusal::Structure { title: section.title.clone() };
        let (before, after) = (&self.text[..splice.at.start], &self.text[splice.at.end..]);
        let text = format!("{before}{}{after}", splice.with);
        let old = &self.document.sections;
        let new = Document::parse(&text).sections;
        let at = old.iter().position(|s| s.body.start == section.body.start).ok_or_else(refused)?;
        // The bytes after the change are the same, so comparing their distance from the end is enough.
        let from_end = |text: &str, s: &Section| text.len() - s.body.end;
        let same = |i: usize, (a, b): (&Section, &Section)| {
            (a.level, &a.title) == (b.level, &b.title)
                // A last heading without a line ending gets one.
                && (i > at || a.body.start == b.body.start || a.body.start == self.text.len())
                && (i < at || from_end(self.text, a) == from_end(&text, b))
        };
        if new.len() != old.len() || !old.iter().zip(&new).enumerate().all(|(i, pair)| same(i, pair)) {
            return Err(refused());
        }
        let now = &new[at];
        let items = |s: &Section| s.lists.iter().map(|l| l.items.len()).sum::<usize>();
        let proved = match &splice.proof {
            Expected::Outline => true,
            Expected::Item(said) => {
                items(now) == items(section) + 1
                    && now.lists.iter().flat_map(|l| &l.items).any(|i| i.text == *said)
            }
            Expected::TableRow(cells) => now.tables.iter().flat_map(|t| &t.rows).any(|r| r.cells == *cells),
            Expected::Closed => {
                let probe = format!("{}{}{}# end", &text[..now.body.end], self.eol, self.eol);
                Document::parse(&probe).sections.len() == at + 2
            }
        };
        if proved { Ok(text) } else { Err(refused()) }
    }
}

/// The proof that an item with this text exists.
fn proof_of(said: &str) -> Expected {
    Expected::Item(said.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// An open item or row.
enum OpenEntry<'d> {
    Item(&'d Item),
    TableRow(&'d TableRow),
}

impl OpenEntry<'_> {
    fn is_open(&self) -> bool {
        match self {
            OpenEntry::Item(item) => item.task.as_ref().is_none_or(|(_, ticked)| !ticked),
            OpenEntry::TableRow(_) => true,
        }
    }

    fn line(&self) -> usize {
        match self {
            OpenEntry::Item(item) => item.line,
            OpenEntry::TableRow(row) => row.line,
        }
    }

    fn text(&self) -> String {
        match self {
            OpenEntry::Item(item) => item.text.clone(),
            OpenEntry::TableRow(row) => row.cells.join(" | "),
        }
    }

    /// Whether this is its whole text, or the whole text of one of its cells.
    fn is(&self, wanted: &str) -> bool {
        match self {
            OpenEntry::Item(item) => {
                let text = item.text.to_lowercase();
                // Without the name and the date of who added it.
                text == wanted
                    || text
                        .strip_prefix(wanted)
                        .is_some_and(|rest| rest.starts_with(" (") && !rest[2..].contains('('))
            }
            OpenEntry::TableRow(row) => row.cells.iter().any(|cell| cell.to_lowercase() == wanted),
        }
    }

    fn has(&self, wanted: &str) -> bool {
        self.text().to_lowercase().contains(wanted)
    }
}
