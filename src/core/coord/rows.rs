//! Handles tables: the meaning of columns, one row per agent, and the rows that follow from leases.

use super::change::{Change, DocumentEdit, Splice};
use super::document::{Document, Section, Table, TableRow, slug};
use super::{CoordRefusal, Text, text};
use crate::core::name::Name;
use std::fmt::Write as _;

/// The section with one row per agent.
pub const WORK: &str = "current-work";

/// The mark after the task of an automatic row. It is invisible in the rendered document.
pub const MARK: &str = "<!-- swarm: from leases -->";

/// A row: what an agent works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub agent: Name,
    pub task: Text,
    /// The files, as one text.
    pub files: String,
    pub since: String,
}

/// A row for an agent's leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoRow {
    pub agent: Name,
    /// The reason of its leases.
    pub task: Option<Text>,
    /// The leased files.
    pub files: String,
}

/// The meaning of a table's columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    pub agent: Option<usize>,
    pub files: Option<usize>,
    pub date: Option<usize>,
    /// The column for all other text.
    pub text: usize,
}

impl Columns {
    pub(super) fn of(head: &[String]) -> Self {
        let find = |words: &[&str]| head.iter().position(|cell| words.contains(&slug(cell).as_str()));
        let mut columns = Self {
            agent: find(&["agent", "who", "owner", "by", "name", "author"]),
            files: find(&["files", "file", "paths", "path"]),
            date: find(&["since", "date", "when", "added"]),
            text: 0,
        };
        let taken = |c: &Self, i: &usize| [c.agent, c.files, c.date].contains(&Some(*i));
        if let Some(free) = (0..head.len()).find(|i| !taken(&columns, i)) {
            columns.text = free;
        } else {
            // A text needs a column most of all.
            columns.text = head.len().saturating_sub(1).min(1);
            let keep = |of: Option<usize>| of.filter(|i| *i != columns.text);
            columns = Self {
                agent: keep(columns.agent),
                files: keep(columns.files),
                date: keep(columns.date),
                ..columns
            };
        }
        columns
    }
}

/// A row of these cells.
pub(super) fn render(cells: &[String]) -> String {
    let mut line = String::from("|");
    for cell in cells {
        let _ = write!(line, " {cell} |");
    }
    line
}

/// The table with a row per agent, if the section has one.
pub(super) fn of_agents(section: &Section) -> Option<&Table> {
    section.tables.iter().find(|t| Columns::of(&t.head).agent.is_some())
}

fn row_of<'t>(table: &'t Table, agent: &Name) -> Option<&'t TableRow> {
    let column = Columns::of(&table.head).agent?;
    let is_its = |cell: &String| bare(cell).eq_ignore_ascii_case(agent.as_str());
    table.rows.iter().find(|row| row.cells.get(column).is_some_and(is_its))
}

/// A name without its mark-up.
fn bare(cell: &str) -> &str {
    cell.trim_matches(|c: char| matches!(c, '`' | '*' | '_' | '@'))
}

fn is_automatic(row: &TableRow) -> bool {
    row.cells.iter().any(|cell| cell.ends_with(MARK))
}

/// Writes the agent's own row, or replaces it. Other columns of the row stay.
pub(super) fn upsert(draft: &DocumentEdit<'_>, section: &Section, work: &Work, mark: &str) -> Splice {
    let task = format!("{}{mark}", work.task.cell());
    let fill = |columns: Columns, mut cells: Vec<String>| {
        let filled = [
            (columns.agent, work.agent.to_string()),
            (Some(columns.text), task.clone()),
            (columns.files, text::cell(&work.files)),
            (columns.date, work.since.clone()),
        ];
        for (column, value) in filled {
            if let Some(cell) = column.and_then(|c| cells.get_mut(c)) {
                *cell = value;
            }
        }
        cells
    };
    let Some(table) = of_agents(section) else {
        let head = ["Agent", "Task", "Files", "Since"].map(str::to_owned);
        let cells = fill(Columns::of(&head), vec![String::new(); head.len()]);
        let lines = [render(&head), "|---|---|---|---|".to_owned(), render(&cells)];
        return draft.block(section, &lines, cells);
    };
    let columns = Columns::of(&table.head);
    if let Some(row) = row_of(table, &work.agent) {
        let cells = fill(columns, row.cells.clone());
        return draft.replace(row.range.clone(), &render(&cells), cells);
    }
    let cells = fill(columns, vec![String::new(); table.head.len()]);
    draft.append(table.range.end, &render(&cells), cells)
}

/// The one row of Current Work whose text contains `matching`: its text and its agent. With `owner`, only the owner's
/// row counts.
pub fn task(text: &str, matching: &str, owner: Option<&Name>) -> Result<(String, Name), CoordRefusal> {
    let document = Document::parse(text);
    let section = document.find(WORK)?;
    let wanted = matching.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let none = |open: Vec<String>| CoordRefusal::NoItem {
        asked: matching.to_owned(),
        title: section.title.clone(),
        open,
    };
    let Some(table) = of_agents(section) else { return Err(none(Vec::new())) };
    let columns = Columns::of(&table.head);
    let rows: Vec<(&TableRow, String, Name)> = table
        .rows
        .iter()
        .filter_map(|row| {
            let agent = row.cells.get(columns.agent?)?;
            let name = Name::new(&bare(agent).to_lowercase()).ok()?;
            Some((row, row.cells.get(columns.text)?.clone(), name))
        })
        .filter(|(_, _, name)| owner.is_none_or(|owner| owner == name))
        .collect();
    let has = |of: &&(&TableRow, String, Name)| !wanted.is_empty() && of.1.to_lowercase().contains(&wanted);
    match &rows.iter().filter(has).collect::<Vec<_>>()[..] {
        [(_, text, name)] => Ok((text.clone(), name.clone())),
        [] => Err(none(rows.iter().map(|(_, text, _)| text.clone()).collect())),
        several => Err(CoordRefusal::SeveralItems {
            asked: matching.to_owned(),
            items: several.iter().map(|(row, text, _)| (row.line, text.clone())).collect(),
        }),
    }
}

/// Moves the row of Current Work with that text from one agent to another; other cells stay. A row that is the other
/// agent's already stays as it is.
pub fn reassign(text: &str, task: &str, from: &Name, to: &Name) -> Result<Change, CoordRefusal> {
    let document = Document::parse(text);
    let section = document.find(WORK)?;
    let table = of_agents(section);
    let columns = table.map(|table| Columns::of(&table.head)).unwrap_or_default();
    let cell =
        |row: &TableRow, at: Option<usize>| at.and_then(|at| row.cells.get(at).cloned()).unwrap_or_default();
    let rows =
        || table.iter().flat_map(|table| &table.rows).filter(|row| cell(row, Some(columns.text)) == task);
    let is_of =
        |row: &TableRow, name: &Name| bare(&cell(row, columns.agent)).eq_ignore_ascii_case(name.as_str());
    let unchanged = |line: String| Change { section: section.title.clone(), line, was: None, text: None };
    let Some(row) = rows().find(|row| is_of(row, from)) else {
        let known = || table.iter().flat_map(|t| &t.rows).map(|row| cell(row, Some(columns.text))).collect();
        return match rows().find(|row| is_of(row, to)) {
            Some(row) => Ok(unchanged(render(&row.cells))),
            None => Err(CoordRefusal::NoItem {
                asked: task.to_owned(),
                title: section.title.clone(),
                open: known(),
            }),
        };
    };
    let mut cells = row.cells.clone();
    if let Some(agent) = columns.agent.and_then(|at| cells.get_mut(at)) {
        *agent = to.to_string();
    }
    let draft = DocumentEdit::new(text, &document)?;
    let splice = draft.replace(row.range.clone(), &render(&cells), cells.clone());
    Ok(Change {
        section: section.title.clone(),
        line: render(&cells),
        was: Some(text[row.range.clone()].trim().to_owned()),
        text: Some(draft.apply(section, &splice)?),
    })
}

/// Makes the automatic rows equal to `wanted`. Rows without the mark, which people and agents wrote, stay as they
/// are, and so does a document without that table. `None`: nothing changes.
pub fn auto_rows(text: &str, wanted: &[AutoRow], since: &str) -> Result<Option<String>, CoordRefusal> {
    let mut now = text.to_owned();
    // Each step changes one row, and there are never more steps than rows.
    while let Some(next) = step(&now, wanted, since)? {
        now = next;
    }
    Ok((now != text).then_some(now))
}

fn step(text: &str, wanted: &[AutoRow], since: &str) -> Result<Option<String>, CoordRefusal> {
    let document = Document::parse(text);
    let mut sections = document.sections.iter().filter(|s| slug(&s.title) == WORK);
    let (Some(section), None) = (sections.next(), sections.next()) else { return Ok(None) };
    let Some(table) = of_agents(section) else { return Ok(None) };
    let draft = DocumentEdit::new(text, &document)?;
    let columns = Columns::of(&table.head);
    let named = |row: &TableRow| wanted.iter().find(|w| row_of(table, &w.agent) == Some(row));
    if let Some(row) = table.rows.iter().find(|row| is_automatic(row) && named(row).is_none()) {
        return draft.apply(section, &draft.remove(row.range.clone())).map(Some);
    }
    for one in wanted {
        let task = match &one.task {
            Some(task) => task.clone(),
            None => Text::new("edits these files")?,
        };
        let mut work =
            Work { agent: one.agent.clone(), task, files: one.files.clone(), since: since.to_owned() };
        let mark = format!(" {MARK}");
        if let Some(row) = row_of(table, &one.agent) {
            if !is_automatic(row) {
                continue;
            }
            if let Some(before) = columns.date.and_then(|c| row.cells.get(c)) {
                work.since.clone_from(before);
            }
            let task = format!("{}{mark}", work.task.cell());
            let is = |column: Option<usize>, value: &str| {
                column.and_then(|c| row.cells.get(c)).is_none_or(|cell| cell == value)
            };
            if is(Some(columns.text), &task) && is(columns.files, &text::cell(&work.files)) {
                continue;
            }
        }
        return draft.apply(section, &upsert(&draft, section, &work, &mark)).map(Some);
    }
    Ok(None)
}
