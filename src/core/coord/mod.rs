//! The coordination document: sections of a Markdown file, edited so that every other byte stays as it is.
//!
//! Pure: text in, text out. What is a heading, a list or a table is what `CommonMark` says it is, so nothing in code, comments,
//! quotes or front matter is taken for one. Every change is checked against a second parse: it touches one section and
//! leaves all headings as they were, or it is refused. What makes it hold between processes is the store.

pub mod change;
pub mod date;
pub mod document;
pub mod refused;
pub mod rows;
pub mod template;
pub mod text;

pub use change::{Action, Change, change};
pub use document::{Document, Item, List, Section, Table};
pub use refused::Refused;
pub use rows::{AutoRow, Work, auto_rows};
pub use template::TEMPLATE;
pub use text::Text;

#[cfg(test)]
mod tests;
