//! The blocks of a Markdown document, as `CommonMark` defines them, and the tables of GitHub's: headings, lists, items, tables.
//!
//! A line continues the blocks that are open, as far as it can; what stands behind begins other blocks, or is text. Only what
//! a [`Document`](super::document::Document) has is told of: headings and tables that stand in no other block, and the lists and items
//! that stand in no quote.

mod html;
mod lines;
mod links;
mod paragraph;
mod signs;
#[cfg(test)]
mod tests;
mod title;

use html::HtmlEnd;
use lines::{Cursor, lines};
use std::collections::BTreeSet;
use std::ops::Range;

/// How many blocks may stand in each other. What stands deeper is text: each line is compared with all that are open.
const DEEPEST: usize = 64;

/// A block, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Its words without mark-up, and its level.
    Heading(String, u8),
    /// The number of its first item, if it is numbered.
    List(Option<u64>),
    ListEnd,
    Item,
    /// The box of the item before it, and whether it is ticked.
    Task(bool),
    /// The cells of its head.
    Table(Vec<String>),
    Row(Vec<String>),
}

/// A block that others stand in. Those of interest have a number among the blocks found.
enum Container {
    Quote,
    /// What its items begin with, or what stands behind their numbers.
    List(u8, Option<usize>),
    /// The columns before its content, and whether it has any so far.
    Item(usize, bool, Option<usize>),
}

/// The block of text that is open in the innermost container.
enum Leaf {
    None,
    /// The text of its lines, without indentation.
    Paragraph(Vec<Range<usize>>),
    /// The character of its fence, and how many they are.
    Fence(u8, usize),
    Html(HtmlEnd),
    Indented,
    /// How many columns it has.
    Table(usize, Option<usize>),
}

struct Reader<'t> {
    text: &'t str,
    found: Vec<(Block, Range<usize>)>,
    open: Vec<Container>,
    leaf: Leaf,
    /// Where the line begins that is read now, and where the next one does.
    line: Range<usize>,
    labels: BTreeSet<String>,
}

/// The blocks from `begin` on, in the order in which they begin, with their places.
pub(super) fn blocks(text: &str, begin: usize) -> Vec<(Block, Range<usize>)> {
    let mut reader = Reader {
        text,
        found: Vec::new(),
        open: Vec::new(),
        leaf: Leaf::None,
        line: begin..begin,
        labels: BTreeSet::new(),
    };
    for (start, end, next) in lines(text, begin) {
        reader.line = start..next;
        reader.line(Cursor::new(text, start, end));
    }
    reader.line = text.len()..text.len();
    reader.close(0);
    let Reader { mut found, labels, .. } = reader;
    for (block, _) in &mut found {
        if let Block::Heading(words, _) = block {
            *words = title::words(words, &labels);
        }
    }
    found
}

impl Reader<'_> {
    fn line(&mut self, mut cursor: Cursor<'_>) {
        let mut matched = self.continued(&mut cursor);
        let all = matched == self.open.len();
        if all && self.continues_leaf(&cursor) {
            return;
        }
        // Whether blocks have begun on this line.
        let mut is_new = false;
        loop {
            let in_paragraph = matches!(self.leaf, Leaf::Paragraph(_)) && !is_new;
            let in_text = in_paragraph || matches!(self.leaf, Leaf::Table(..)) && !is_new && all;
            if cursor.is_blank() {
                return self.blank(matched, is_new);
            }
            let mut ahead = cursor.clone();
            let indent = ahead.skip(4);
            if indent == 4 {
                if in_text {
                    break;
                }
                return self.begin(matched, Leaf::Indented);
            }
            if self.open.len() >= DEEPEST {
                break;
            }
            let rest = ahead.rest();
            if in_paragraph && all && (self.is_heading(rest) || self.is_table(rest)) {
                return;
            }
            if rest.starts_with('>') {
                self.begin(matched, Leaf::None);
                self.open.push(Container::Quote);
                ahead.take(1);
                ahead.skip(1);
            } else if let Some(marker) = signs::marker(rest) {
                // Within a paragraph, a number is mostly none of a list.
                if in_paragraph && all && (marker.is_empty || marker.number.is_some_and(|number| number != 1))
                {
                    break;
                }
                self.item(matched, &marker, indent, &mut ahead);
                if marker.is_empty || self.task(&mut ahead) {
                    return;
                }
            } else if self.leaf_begins(matched, &ahead, in_text) {
                return;
            } else {
                break;
            }
            cursor = ahead;
            is_new = true;
            matched = self.open.len();
        }
        self.words(cursor, matched, all, is_new);
    }

    /// How many of the open containers the line continues; what stands before their content is taken.
    fn continued(&self, cursor: &mut Cursor<'_>) -> usize {
        for (at, container) in self.open.iter().enumerate() {
            match container {
                Container::List(..) => {}
                Container::Quote => {
                    let mut ahead = cursor.clone();
                    ahead.skip(3);
                    if !ahead.rest().starts_with('>') {
                        return at;
                    }
                    ahead.take(1);
                    ahead.skip(1);
                    *cursor = ahead;
                }
                // An item may begin with one blank line.
                Container::Item(_, false, _) if cursor.is_blank() => return at,
                Container::Item(..) if cursor.is_blank() => {}
                Container::Item(columns, ..) if cursor.indent() >= *columns => {
                    cursor.skip(*columns);
                }
                Container::Item(..) => return at,
            }
        }
        self.open.len()
    }

    /// Whether the line belongs to the code or the HTML that is open, whatever it says.
    fn continues_leaf(&mut self, cursor: &Cursor<'_>) -> bool {
        let ends = match &self.leaf {
            Leaf::Fence(mark, count) => {
                let mut ahead = cursor.clone();
                Some(ahead.skip(4) < 4 && signs::is_fence_end(ahead.rest(), *mark, *count))
            }
            Leaf::Html(HtmlEnd::Mark(mark)) => Some(cursor.rest().contains(mark)),
            Leaf::Html(HtmlEnd::Blank) => (!cursor.is_blank()).then_some(false),
            Leaf::Indented => (cursor.indent() >= 4 || cursor.is_blank()).then_some(false),
            _ => None,
        };
        if ends == Some(true) {
            self.leaf = Leaf::None;
        }
        ends.is_some()
    }

    /// A blank line, or nothing behind what began a container.
    fn blank(&mut self, matched: usize, is_new: bool) {
        if !is_new {
            self.close(matched);
        }
        self.end_leaf();
    }

    /// Begins a heading, a fence, HTML or a rule, if the line is one.
    fn leaf_begins(&mut self, matched: usize, cursor: &Cursor<'_>, in_paragraph: bool) -> bool {
        let rest = cursor.rest();
        if let Some((level, words)) = signs::heading(rest) {
            self.begin(matched, Leaf::None);
            self.find_outside(Block::Heading(words.to_owned(), level), cursor.at..self.line.end);
        } else if let Some((mark, count)) = signs::fence(rest) {
            self.begin(matched, Leaf::Fence(mark, count));
        } else if let Some(end) = html::block(rest, in_paragraph) {
            let ends = matches!(end, HtmlEnd::Mark(mark) if rest.contains(mark));
            self.begin(matched, if ends { Leaf::None } else { Leaf::Html(end) });
        } else if signs::is_rule(rest) {
            self.begin(matched, Leaf::None);
        } else {
            return false;
        }
        true
    }

    /// Text: a row of a table, a line more of a paragraph, or a new one.
    fn words(&mut self, mut cursor: Cursor<'_>, matched: usize, all: bool, is_new: bool) {
        cursor.skip(usize::MAX);
        let place = cursor.at..cursor.at + cursor.rest().len();
        match &mut self.leaf {
            // A paragraph goes on even where the line lacks the signs of its containers.
            Leaf::Paragraph(lines) if !is_new => return lines.push(place),
            Leaf::Table(columns, at) if all && !is_new => {
                let (columns, is_found) = (*columns, at.is_some());
                let mut row = signs::cells(cursor.rest());
                if !row.is_empty() {
                    row.resize(columns, String::new());
                    if is_found {
                        self.found.push((Block::Row(row), place));
                    }
                    return;
                }
            }
            _ => {}
        }
        self.begin(matched, Leaf::Paragraph(vec![place]));
    }

    /// Begins an item of the list that is open here, or of a new one.
    fn item(&mut self, matched: usize, marker: &signs::Marker, indent: usize, cursor: &mut Cursor<'_>) {
        let at = cursor.at;
        self.end_leaf();
        self.close(matched);
        if !matches!(self.open.last(), Some(Container::List(sign, _)) if *sign == marker.sign) {
            self.begin(matched, Leaf::None);
            let list = self.find(Block::List(marker.number), at);
            self.open.push(Container::List(marker.sign, list));
        }
        let item = self.find(Block::Item, at);
        cursor.take(marker.length);
        // What is indented further is code behind one space.
        let columns = cursor.indent();
        let space = if marker.is_empty || columns > 4 { 1 } else { columns };
        cursor.skip(space);
        self.open.push(Container::Item(indent + marker.length + space, false, item));
    }

    /// Takes the box of an item that has just begun. What stands behind it is text; `true` if nothing does.
    fn task(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let ticked = match cursor.rest().as_bytes() {
            [b'[', b' ' | b'\t', b']', ..] => false,
            [b'[', b'x' | b'X', b']', ..] => true,
            _ => return false,
        };
        let behind = self.text.as_bytes().get(cursor.at + 3);
        if !behind.is_some_and(u8::is_ascii_whitespace) {
            return false;
        }
        let found = self.find(Block::Task(ticked), cursor.at);
        cursor.take(3);
        if let Some(found) = found {
            self.found[found].1.end = cursor.at;
        }
        if !cursor.is_blank() {
            let matched = self.open.len();
            self.words(cursor.clone(), matched, true, true);
        }
        true
    }

    /// Closes what the line does not continue, and begins a leaf.
    fn begin(&mut self, matched: usize, leaf: Leaf) {
        self.end_leaf();
        let matched = matched.min(self.open.len());
        self.close(matched);
        if matches!(self.open.last(), Some(Container::List(..))) {
            self.close(matched - 1);
        }
        for container in &mut self.open {
            if let Container::Item(_, has_content, _) = container {
                *has_content = true;
            }
        }
        self.leaf = leaf;
    }

    /// Closes all containers but so many.
    fn close(&mut self, kept: usize) {
        if kept < self.open.len() {
            self.end_leaf();
        }
        for container in self.open.split_off(kept).into_iter().rev() {
            let (at, is_list) = match container {
                Container::Quote => continue,
                Container::List(_, at) => (at, true),
                Container::Item(_, _, at) => (at, false),
            };
            if let Some(at) = at {
                self.found[at].1.end = self.line.start;
                if is_list {
                    self.found.push((Block::ListEnd, self.line.start..self.line.start));
                }
            }
        }
        if self.open.is_empty() && kept == 0 {
            self.end_leaf();
        }
    }

    fn end_leaf(&mut self) {
        if matches!(self.leaf, Leaf::Paragraph(_)) {
            self.without_definitions();
        }
        if let Leaf::Table(_, Some(at)) = self.leaf {
            self.found[at].1.end = self.line.start;
        }
        self.leaf = Leaf::None;
    }

    /// Adds a block that begins here, unless it is within a quote.
    fn find(&mut self, block: Block, at: usize) -> Option<usize> {
        let is_quoted = self.open.iter().any(|container| matches!(container, Container::Quote));
        (!is_quoted).then(|| {
            self.found.push((block, at..at));
            self.found.len() - 1
        })
    }

    /// Adds a block that counts in no container.
    fn find_outside(&mut self, block: Block, place: Range<usize>) {
        if self.open.is_empty() {
            self.found.push((block, place));
        }
    }
}
