//! Spells out which letters of a pattern match in either case: `(?i)on` becomes `[oO][nN]`.
//!
//! The regex crate's tables, which do this for all of Unicode, are a fiftieth of the program, and few patterns need
//! them. The cases of a letter are those that the standard library knows. These do not include signs that only look
//! like a letter, such as the Kelvin sign for `k`.

use regex_syntax::ast::{
    Ast, ClassAsciiKind, ClassBracketed, ClassSet, ClassSetItem, Flag, Flags, GroupKind, Literal, Span, parse,
};
use std::borrow::Cow;
use std::fmt::Write as _;

/// The pattern without the flag `i`. A pattern that does not parse is unchanged: its compilation reports the error.
pub(super) fn spelled_out(pattern: &str) -> Cow<'_, str> {
    // A flag can be in no other place.
    if !pattern.contains("(?") {
        return pattern.into();
    }
    let Ok(ast) = parse::Parser::new().parse(pattern) else { return pattern.into() };
    let mut writer = Writer { pattern, written: String::new(), done: 0, caseless: false };
    writer.walk(&ast);
    let Writer { mut written, done, .. } = writer;
    written.push_str(&pattern[done..]);
    written.into()
}

struct Writer<'p> {
    pattern: &'p str,
    /// The new pattern, as far as `done`.
    written: String,
    done: usize,
    /// Whether the flag is on here.
    caseless: bool,
}

impl Writer<'_> {
    fn walk(&mut self, ast: &Ast) {
        match ast {
            Ast::Flags(set) => {
                let kept = self.without_the_flag(&set.flags);
                self.replace(&set.span, &if kept.is_empty() { kept } else { format!("(?{kept})") });
            }
            Ast::Group(group) => {
                let outside = self.caseless;
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    let kept = self.without_the_flag(flags);
                    self.replace(&flags.span, &kept);
                }
                self.walk(&group.ast);
                self.caseless = outside;
            }
            Ast::Literal(literal) if self.caseless => {
                let others = other_cases(literal.c..=literal.c);
                if !others.is_empty() {
                    self.replace(&literal.span, &format!("[{}{others}]", literal.c));
                }
            }
            Ast::ClassBracketed(class) if self.caseless => self.class(class),
            Ast::Repetition(repetition) => self.walk(&repetition.ast),
            Ast::Alternation(all) => all.asts.iter().for_each(|ast| self.walk(ast)),
            Ast::Concat(all) => all.asts.iter().for_each(|ast| self.walk(ast)),
            _ => {}
        }
    }

    fn class(&mut self, class: &ClassBracketed) {
        self.set(&class.kind);
    }

    fn set(&mut self, set: &ClassSet) {
        match set {
            ClassSet::Item(item) => self.item(item),
            ClassSet::BinaryOp(operation) => {
                self.set(&operation.lhs);
                self.set(&operation.rhs);
            }
        }
    }

    fn item(&mut self, item: &ClassSetItem) {
        match item {
            ClassSetItem::Literal(literal) => self.add_cases(literal, literal),
            ClassSetItem::Range(range) => self.add_cases(&range.start, &range.end),
            ClassSetItem::Ascii(class)
                if !class.negated && matches!(class.kind, ClassAsciiKind::Lower | ClassAsciiKind::Upper) =>
            {
                self.replace(&class.span, "[:alpha:]");
            }
            ClassSetItem::Bracketed(class) => self.class(class),
            ClassSetItem::Union(union) => union.items.iter().for_each(|item| self.item(item)),
            _ => {}
        }
    }

    /// The characters of a class, and behind them their other cases.
    fn add_cases(&mut self, first: &Literal, last: &Literal) {
        self.copy(last.span.end.offset);
        self.written.push_str(&other_cases(first.c..=last.c));
    }

    /// The text of the flags without `i`, which is remembered.
    fn without_the_flag(&mut self, flags: &Flags) -> String {
        self.caseless = flags.flag_state(Flag::CaseInsensitive).unwrap_or(self.caseless);
        let source = &self.pattern[flags.span.start.offset..flags.span.end.offset];
        let kept = source.replace('i', "");
        kept.strip_suffix('-').map(str::to_owned).unwrap_or(kept)
    }

    /// Copies the text before the span, and writes `text` in place of the span.
    fn replace(&mut self, span: &Span, text: &str) {
        self.copy(span.start.offset);
        self.written.push_str(text);
        self.done = span.end.offset;
    }

    fn copy(&mut self, end: usize) {
        self.written.push_str(&self.pattern[self.done..end]);
        self.done = end;
    }
}

/// The other cases of these characters, without those already among them, as ranges of a class.
fn other_cases(of: std::ops::RangeInclusive<char>) -> String {
    let mut written = String::new();
    let mut last: Option<(char, char)> = None;
    for c in of.clone() {
        let (lower, upper) = (only(c.to_lowercase()), only(c.to_uppercase()));
        // A capital may have two small letters, as sigma has.
        for other in [lower, upper, upper.and_then(|c| only(c.to_lowercase()))].into_iter().flatten() {
            if of.contains(&other) {
                continue;
            }
            match &mut last {
                Some((_, end)) if *end as u32 + 1 == other as u32 => *end = other,
                Some((_, end)) if *end == other => {}
                _ => {
                    write_range(&mut written, last);
                    last = Some((other, other));
                }
            }
        }
    }
    write_range(&mut written, last);
    written
}

fn only(mut cases: impl ExactSizeIterator<Item = char>) -> Option<char> {
    if cases.len() == 1 { cases.next() } else { None }
}

fn write_range(written: &mut String, range: Option<(char, char)>) {
    // Cases are letters, so none has another meaning in a class.
    match range {
        Some((first, last)) if first == last => written.push(first),
        Some((first, last)) => drop(write!(written, "{first}-{last}")),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn letters_stand_in_both_cases_where_the_flag_is_on() {
        for (pattern, plain) in [
            ("on", "on"),
            ("(on)", "(on)"),
            ("(?i)on", "[oO][nN]"),
            ("(?i)o.1-\\n*", "[oO].1-\\n*"),
            ("a(?i)b|c", "a[bB]|[cC]"),
            ("(?i:a)b(?:c)", "(?:[aA])b(?:c)"),
            ("(?i)a(?-i)b(?i-s:c+)", "[aA]b(?-s:[cC]+)"),
            ("((?i)a)b", "([aA])b"),
            ("(?im)^a$", "(?m)^[aA]$"),
            ("(?m-i)^a$", "(?m)^a$"),
            ("(?i)(?<n>x)", "(?<n>[xX])"),
            ("(?i)[a-z_]", "[a-zA-Z_]"),
            ("(?i)[^k9]", "[^kK9]"),
            ("(?i)[a-c&&[B]--[:lower:]]", "[a-cA-C&&[Bb]--[:alpha:]]"),
            ("(?i)\\x41ä\\u{3C2}", "[Aa][äÄ][\u{3c2}\u{3a3}\u{3c3}]"),
            ("(?i)[A-Za-z]", "[A-Za-za-zA-Z]"),
            ("(?i)a(", "(?i)a("),
        ] {
            assert_eq!(spelled_out(pattern), plain, "{pattern}");
        }
    }

    #[test]
    fn it_matches_what_the_flag_would() {
        let text = "On ON oN on ÄÖ äö ΣΑΣ σας 1-2 [x] [X]";
        for (pattern, times) in
            [("(?i)on", 4), ("(?i)[äö]{2}", 2), ("(?i)\\bσας\\b", 2), ("(?i)\\[x\\]", 2), ("[^(?i)]x", 1)]
        {
            let pattern = Regex::new(&spelled_out(pattern)).unwrap();
            assert_eq!(pattern.find_iter(text).count(), times, "{pattern}");
        }
    }
}
