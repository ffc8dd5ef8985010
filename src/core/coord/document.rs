//! The parts of a Markdown document and their places.
//!
//! A section reaches from its heading to the next heading of any level. Headings, lists and tables within quotes and
//! list items belong to these, and not to the document's structure.

use super::CoordRefusal;
use super::markdown::{Block, blocks};
use std::ops::Range;

/// A parsed document. All positions are in bytes of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub sections: Vec<Section>,
}

/// A heading and the text below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The heading's text, without its mark-up.
    pub title: String,
    pub level: u8,
    /// The heading's line, from 1.
    pub line: usize,
    /// The text below the heading: whole lines, up to the next heading.
    pub body: Range<usize>,
    pub lists: Vec<List>,
    pub tables: Vec<Table>,
}

/// A list with its items, including those of lists within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Whole lines.
    pub range: Range<usize>,
    /// The number of its first item, if it is numbered.
    pub first: Option<u64>,
    /// In the order in which they begin.
    pub items: Vec<Item>,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Whole lines, with everything that belongs to it.
    pub range: Range<usize>,
    /// Its line, from 1.
    pub line: usize,
    /// 1 for an item of the list itself; more for an item of an inner list.
    pub depth: usize,
    /// Its text on one line, without bullet and box, and without inner items.
    pub text: String,
    /// Its box, and whether the box is ticked.
    pub task: Option<(Range<usize>, bool)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Whole lines.
    pub range: Range<usize>,
    /// The heads of its columns.
    pub head: Vec<String>,
    pub rows: Vec<TableRow>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// Its whole line.
    pub range: Range<usize>,
    /// Its line, from 1.
    pub line: usize,
    /// The source of its cells.
    pub cells: Vec<String>,
}

impl Document {
    pub fn parse(text: &str) -> Self {
        let begin = front_matter(text);
        let mut reader = Reader { text, sections: Vec::new(), lists: Vec::new(), tables: Vec::new() };
        reader.read(begin);
        Self { sections: reader.finish() }
    }

    /// The section that `asked` means: by its whole name, else by the beginning of the name or of a word in it. Case
    /// and punctuation do not count.
    pub fn find(&self, asked: &str) -> Result<&Section, CoordRefusal> {
        let wanted = slug(asked);
        let fits: [fn(&str, &str) -> bool; 3] = [
            |slug, wanted| slug == wanted,
            |slug, wanted| slug.starts_with(wanted),
            |slug, wanted| format!("-{slug}").contains(&format!("-{wanted}")),
        ];
        for fit in fits {
            let found: Vec<&Section> = self
                .sections
                .iter()
                .filter(|s| !wanted.is_empty() && fit(&slug(&s.title), &wanted))
                .collect();
            match found[..] {
                [] => {}
                [section] => return Ok(section),
                [first, ..] if found.iter().all(|s| slug(&s.title) == slug(&first.title)) => {
                    return Err(CoordRefusal::Duplicate {
                        title: first.title.clone(),
                        lines: found.iter().map(|s| s.line).collect(),
                    });
                }
                _ => {
                    return Err(CoordRefusal::Unclear {
                        asked: asked.to_owned(),
                        titles: found.iter().map(|s| s.title.clone()).collect(),
                    });
                }
            }
        }
        Err(CoordRefusal::Missing {
            asked: asked.to_owned(),
            known: self.sections.iter().map(|s| s.title.clone()).collect(),
        })
    }
}

/// Letters and digits in lower case, with a hyphen for anything between them.
pub fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// How many bytes at the beginning are not Markdown: a byte order mark, and YAML between two `---`.
fn front_matter(text: &str) -> usize {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut lines = text[bom..].split_inclusive('\n');
    let mut at = bom;
    match lines.next() {
        Some(first) if first.trim_end() == "---" => at += first.len(),
        _ => return bom,
    }
    for line in lines {
        at += line.len();
        if matches!(line.trim_end(), "---" | "...") {
            return at;
        }
    }
    bom
}

struct Reader<'t> {
    text: &'t str,
    sections: Vec<Section>,
    lists: Vec<List>,
    tables: Vec<Table>,
}

impl Reader<'_> {
    fn read(&mut self, begin: usize) {
        let text = self.text;
        // The depth in lists.
        let mut depth = 0;
        let mut counted = (0, 1);
        for (block, at) in blocks(text, begin) {
            match block {
                Block::Heading(title, level) => {
                    let lines = self.lines(&at);
                    self.sections.push(Section {
                        title,
                        level,
                        line: line_of(text, lines.start, &mut counted),
                        // The place of the heading, for now.
                        body: lines,
                        lists: Vec::new(),
                        tables: Vec::new(),
                    });
                }
                Block::List(first) => {
                    self.begin_list(&at, first, depth);
                    depth += 1;
                }
                Block::ListEnd => depth -= 1,
                Block::Item => {
                    let line = line_of(text, at.start, &mut counted);
                    let item = Item { range: at.clone(), line, depth, text: text[at].to_owned(), task: None };
                    if let Some(list) = self.lists.last_mut() {
                        list.items.push(item);
                    }
                }
                Block::Task(ticked) => {
                    if let Some(item) = self.last_item() {
                        item.task = Some((at, ticked));
                    }
                }
                Block::Table(head) => {
                    self.tables.push(Table { range: self.lines(&at), head, rows: Vec::new() });
                }
                Block::Row(cells) => {
                    let (range, line) = (self.lines(&at), line_of(text, at.start, &mut counted));
                    if let Some(table) = self.tables.last_mut() {
                        table.rows.push(TableRow { range, line, cells });
                    }
                }
            }
        }
    }

    /// Begins a list, which may be within an item.
    fn begin_list(&mut self, at: &Range<usize>, first: Option<u64>, depth: usize) {
        if depth == 0 {
            self.lists.push(List { range: self.lines(at), first, items: Vec::new() });
        } else if let Some(item) = self.last_item() {
            // An item's text ends where its first inner list begins. The text of an item that has ended is shorter
            // than that.
            item.text.truncate(at.start.saturating_sub(item.range.start).min(item.text.len()));
        }
    }

    /// The last item that has begun.
    fn last_item(&mut self) -> Option<&mut Item> {
        self.lists.last_mut()?.items.last_mut()
    }

    /// The whole lines of a range, without blank lines at its end.
    fn lines(&self, at: &Range<usize>) -> Range<usize> {
        let begin = self.text[..at.start].rfind('\n').map_or(0, |i| i + 1);
        let last = at.start + self.text[at.clone()].trim_end().len();
        let end = self.text[last..].find('\n').map_or(self.text.len(), |i| last + i + 1);
        begin..end
    }

    /// Gives each section its body, lists and tables.
    fn finish(mut self) -> Vec<Section> {
        for list in &mut self.lists {
            for item in &mut list.items {
                let source = item.range.start;
                item.text = said(&item.text, item.task.as_ref().map(|(at, _)| at.end - source));
            }
        }
        let starts: Vec<usize> = self.sections.iter().map(|s| s.body.start).collect();
        let mut sections = std::mem::take(&mut self.sections);
        for (at, section) in sections.iter_mut().enumerate() {
            // A byte order mark is before the first line, and belongs to it.
            let next = starts.get(at + 1).copied().unwrap_or(self.text.len());
            // Two headings may stand on one line, between lone carriage returns.
            section.body = section.body.end..next.max(section.body.end);
            section.title = section.title.trim().to_owned();
            let within = |range: &Range<usize>| section.body.contains(&range.start);
            section.lists = self.lists.iter().filter(|l| within(&l.range)).cloned().collect();
            section.tables = self.tables.iter().filter(|t| within(&t.range)).cloned().collect();
            for item in section.lists.iter_mut().flat_map(|l| &mut l.items) {
                item.range = self.lines(&item.range);
            }
        }
        sections
    }
}

/// The text of an item: its source after the box, or else after the bullet, on one line.
fn said(source: &str, behind_box: Option<usize>) -> String {
    let from = behind_box.unwrap_or_else(|| {
        let bullet = source.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        source.len() - bullet.len() + 1
    });
    let rest = source.get(from..).unwrap_or_default();
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line of the byte `at`, from 1. `counted` is how far the lines have been counted, and only grows.
fn line_of(text: &str, at: usize, counted: &mut (usize, usize)) -> usize {
    if at >= counted.0 {
        counted.1 += text[counted.0..at].matches('\n').count();
        counted.0 = at;
    }
    counted.1
}
