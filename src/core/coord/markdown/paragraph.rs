//! What a paragraph turns out to be: a heading, if the next line underlines it; the head of a table; or definitions of links.

use super::{Block, Leaf, Reader, links, signs};
use std::ops::Range;

impl Reader<'_> {
    /// Whether the line underlines the paragraph, which is a heading then.
    pub(super) fn is_heading(&mut self, rest: &str) -> bool {
        let line = rest.trim_end_matches([' ', '\t']);
        let level = match line.bytes().next() {
            Some(b'=') if line.bytes().all(|b| b == b'=') => 1,
            Some(b'-') if line.bytes().all(|b| b == b'-') => 2,
            _ => return false,
        };
        let lines = self.without_definitions();
        let Some(place) = lines.first().map(|first| first.start..self.line.end) else { return false };
        let words =
            lines.iter().map(|line| self.text[line.clone()].trim_end()).collect::<Vec<_>>().join("\n");
        self.leaf = Leaf::None;
        self.find_outside(Block::Heading(words, level), place);
        true
    }

    /// Whether the line is below the head of a table, which the last line of the paragraph is then.
    pub(super) fn is_table(&mut self, rest: &str) -> bool {
        let Some(columns) = signs::columns(rest) else { return false };
        let lines = self.without_definitions();
        let Some(head) = lines.last().cloned() else { return false };
        let text = &self.text[head.clone()];
        let names = signs::cells(text);
        if names.len() != columns || lines.len() > 1 && !text.starts_with('|') {
            return false;
        }
        let at = self.open.is_empty().then_some(self.found.len());
        self.find_outside(Block::Table(names), head.start..self.line.end);
        self.leaf = Leaf::Table(columns, at);
        true
    }

    /// The lines of the paragraph behind the definitions that it begins with.
    pub(super) fn without_definitions(&mut self) -> Vec<Range<usize>> {
        let Leaf::Paragraph(lines) = &mut self.leaf else { return Vec::new() };
        let text = lines.iter().map(|line| &self.text[line.clone()]).collect::<Vec<_>>().join("\n");
        let mut at = 0;
        while let Some((length, label)) = links::definition(&text[at..]) {
            at += length;
            self.labels.insert(label);
        }
        let done = text[..at].matches('\n').count() + usize::from(at == text.len() && at > 0);
        lines.drain(..done.min(lines.len()));
        lines.clone()
    }
}
