//! Why a change of the document was refused, and what to do about it.

use crate::core::escape;
use crate::core::refusal::Refusal;
use std::fmt;

/// The most names or lines that are listed.
const LISTED: usize = 20;

/// Why nothing was changed. Its texts are raw text of the document: [`fmt::Display`] escapes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoordRefusal {
    /// No section has that name.
    Missing {
        asked: String,
        /// The existing titles.
        known: Vec<String>,
    },
    /// Several sections have exactly that name.
    Duplicate {
        title: String,
        /// The lines of their headings, from 1.
        lines: Vec<usize>,
    },
    /// The name could mean several sections.
    Unclear {
        asked: String,
        /// The titles that match.
        titles: Vec<String>,
    },
    /// No open item or row of the section has that text.
    NoItem {
        asked: String,
        title: String,
        /// The existing open items and rows.
        open: Vec<String>,
    },
    /// Several items or rows have that text.
    SeveralItems {
        asked: String,
        /// Those that match: the line, from 1, and the text.
        items: Vec<(usize, String)>,
    },
    /// The text is invalid, for this reason.
    Text(String),
    /// A line ends in a carriage return alone.
    LineEnd {
        /// The line, from 1, counted by line feeds.
        line: usize,
    },
    /// The change would affect more than its section.
    Structure { title: String },
}

impl fmt::Display for CoordRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |texts: &[String]| {
            let shown: Vec<String> = texts.iter().take(LISTED).map(|t| escape::short(t, 80)).collect();
            let more = if texts.len() > LISTED { ", …" } else { "" };
            format!("{}{more}", shown.join(", "))
        };
        let short = |text: &str| escape::short(text, 60);
        match self {
            CoordRefusal::Missing { asked, known } if known.is_empty() => {
                write!(f, "there is no section '{}': the document has no headings", short(asked))
            }
            CoordRefusal::Missing { asked, known } => {
                write!(f, "there is no section '{}'; there are: {}", short(asked), list(known))
            }
            CoordRefusal::Duplicate { title, lines } => {
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the heading '{}' exists more than once, on lines {}; rename all but one",
                    short(title),
                    lines.join(" and ")
                )
            }
            CoordRefusal::Unclear { asked, titles } => {
                write!(f, "'{}' could be any of these sections: {}", short(asked), list(titles))
            }
            CoordRefusal::NoItem { asked, title, open } if open.is_empty() => {
                write!(f, "'{}' is not in {}: it has no open items", short(asked), short(title))
            }
            CoordRefusal::NoItem { asked, title, open } => {
                write!(
                    f,
                    "no open item in {} contains '{}'; there are: {}",
                    short(title),
                    short(asked),
                    list(open)
                )
            }
            CoordRefusal::SeveralItems { asked, items } => {
                let items: Vec<String> =
                    items.iter().map(|(line, text)| format!("line {line}: {text}")).collect();
                write!(f, "'{}' fits several, give more of the text: {}", short(asked), list(&items))
            }
            CoordRefusal::Text(why) => write!(f, "the text is refused: {why}"),
            CoordRefusal::LineEnd { line } => write!(
                f,
                "line {line} has a carriage return without a line feed behind it; save the document with LF or CRLF line endings"
            ),
            CoordRefusal::Structure { title } => write!(
                f,
                "this would change more than {}: the text begins a heading, a list, a code block or a comment, or the section ends in one that is not closed; change the text, or repair the document",
                short(title)
            ),
        }
    }
}

impl std::error::Error for CoordRefusal {}

impl From<CoordRefusal> for Refusal {
    fn from(refused: CoordRefusal) -> Self {
        Self::Usage(refused.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_what_there_is_and_not_too_much_of_it() {
        let texts = |n: usize| (0..n).map(|i| format!("t{i}")).collect::<Vec<_>>();
        let (asked, title) = ("x\u{1b}".to_owned(), "Goals".to_owned());
        for (refused, told) in [
            (
                CoordRefusal::Missing { asked: asked.clone(), known: vec![] },
                "there is no section 'x\\u{1b}': the document has no headings",
            ),
            (
                CoordRefusal::Missing { asked: asked.clone(), known: texts(2) },
                "there is no section 'x\\u{1b}'; there are: t0, t1",
            ),
            (
                CoordRefusal::Unclear { asked: asked.clone(), titles: texts(2) },
                "could be any of these sections: t0, t1",
            ),
            (
                CoordRefusal::Duplicate { title: title.clone(), lines: vec![3, 9] },
                "the heading 'Goals' exists more than once, on lines 3 and 9",
            ),
            (
                CoordRefusal::NoItem { asked: asked.clone(), title: title.clone(), open: vec![] },
                "'x\\u{1b}' is not in Goals: it has no open items",
            ),
            (
                CoordRefusal::NoItem { asked: asked.clone(), title: title.clone(), open: texts(2) },
                "no open item in Goals contains 'x\\u{1b}'; there are: t0, t1",
            ),
            (
                CoordRefusal::SeveralItems { asked, items: vec![(3, "a".into()), (4, "b".into())] },
                "line 3: a, line 4: b",
            ),
            (CoordRefusal::LineEnd { line: 7 }, "line 7 has a carriage return"),
            (CoordRefusal::Structure { title }, "would change more than Goals"),
        ] {
            let shown = refused.to_string();
            assert!(shown.contains(told), "{shown}");
            assert_eq!(Refusal::from(refused), Refusal::Usage(shown));
        }
        for (count, end) in [(20, ", t19"), (21, ", t19, …")] {
            let told = CoordRefusal::Unclear { asked: "t".into(), titles: texts(count) }.to_string();
            assert!(told.ends_with(end), "{told}");
        }
    }
}
