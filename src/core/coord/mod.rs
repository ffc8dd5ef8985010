//! The coordination document: sections of a Markdown file, edited so that every other byte stays as it is.
//!
//! Pure: text in, text out. `CommonMark` defines what a heading, a list or a table is, so nothing in code, comments,
//! quotes or front matter counts as one. A second parse checks every change: the change is refused unless it is
//! within one section and leaves all headings. The store serialises the changes of several processes.

pub mod change;
pub mod date;
pub mod document;
mod markdown;
pub mod refused;
pub mod rows;
pub mod template;
pub mod text;

pub use change::{Change, CoordAction, change};
pub use document::{Document, Item, List, Section, Table};
pub use refused::CoordRefusal;
pub use rows::{AutoRow, Work, auto_rows, reassign, task};
pub use template::TEMPLATE;
pub use text::Text;

#[cfg(test)]
mod tests;
