//! The words of a heading, without their mark-up.

use super::{html, links};
use std::collections::BTreeSet;

/// The characters that are written by their names in HTML; by numbers, all can be.
const NAMED: [(&str, char); 12] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{a0}'),
    ("copy", '©'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("larr", '←'),
    ("rarr", '→'),
];

/// What is read of a title.
enum Piece {
    Text(String),
    /// Asterisks or underscores that may be emphasis.
    Run(Run),
}

#[derive(Clone, Copy)]
struct Run {
    mark: char,
    /// As it was written, and what no emphasis has taken of it.
    length: usize,
    left: usize,
    opens: bool,
    closes: bool,
}

/// A bracket that may open a link.
struct Bracket {
    /// Its piece, and where the text behind it begins.
    piece: usize,
    at: usize,
    is_image: bool,
    /// Not in another link.
    counts: bool,
}

/// The longest heading whose mark-up is read (bytes): each mark is compared with those before it.
const LONGEST: usize = 500;

/// The text of a heading without mark-up. `labels` are those for which the document has a definition.
pub(super) fn words(source: &str, labels: &BTreeSet<String>) -> String {
    if source.len() > LONGEST {
        return source.trim().to_owned();
    }
    let mut reader = Reader { source, at: 0, pieces: Vec::new(), brackets: Vec::new(), labels };
    while reader.at < source.len() {
        reader.step();
    }
    reader.emphasis(0);
    let mut words = String::new();
    for piece in reader.pieces {
        match piece {
            Piece::Text(text) => words.push_str(&text),
            Piece::Run(run) => words.extend(std::iter::repeat_n(run.mark, run.left)),
        }
    }
    words.trim().to_owned()
}

struct Reader<'t> {
    source: &'t str,
    at: usize,
    pieces: Vec<Piece>,
    brackets: Vec<Bracket>,
    labels: &'t BTreeSet<String>,
}

impl Reader<'_> {
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        let first = rest.chars().next().unwrap_or_default();
        let length = rest.len() - rest.trim_start_matches(first).len();
        match first {
            '\\' if links::escapes(rest) => self.say(&rest[1..2], 2),
            '\\' if rest.starts_with("\\\n") => self.say(" ", 2),
            '\n' => self.say(" ", 1),
            '`' => self.code(length),
            '*' | '_' => self.run(first, length),
            '!' if rest.starts_with("![") => self.bracket(2),
            '[' => self.bracket(1),
            ']' => self.close(),
            '<' => match html(rest) {
                Some((length, words)) => self.say(words, length),
                None => self.say("<", 1),
            },
            '&' => match entity(rest) {
                Some((length, c)) => self.say(c.encode_utf8(&mut [0; 4]), length),
                None => self.say("&", 1),
            },
            _ => {
                let plain = rest.find(['\\', '\n', '`', '*', '_', '!', '[', ']', '<', '&']);
                let length =
                    plain.filter(|at| *at > 0).unwrap_or(if plain == Some(0) { 1 } else { rest.len() });
                self.say(&rest[..length], length);
            }
        }
    }

    /// `words` stand for the next so many bytes of the source.
    fn say(&mut self, words: &str, length: usize) {
        self.pieces.push(Piece::Text(words.to_owned()));
        self.at += length;
    }

    /// Code between equal runs of backquotes.
    fn code(&mut self, length: usize) {
        let rest = &self.source[self.at..];
        let mut from = length;
        while let Some(start) = rest[from..].find('`').map(|at| from + at) {
            let run = rest[start..].len() - rest[start..].trim_start_matches('`').len();
            if run == length {
                let code = rest[length..start].replace('\n', " ");
                let inner = code.strip_prefix(' ').and_then(|c| c.strip_suffix(' '));
                let inner = inner.filter(|_| !code.trim_matches(' ').is_empty()).unwrap_or(&code);
                return self.say(inner, start + run);
            }
            from = start + run;
        }
        self.say(&rest[..length], length);
    }

    fn run(&mut self, mark: char, length: usize) {
        let before = self.source[..self.at].chars().next_back().unwrap_or(' ');
        let after = self.source[self.at + length..].chars().next().unwrap_or(' ');
        let beside = |one: char, other: char| {
            !one.is_whitespace() && (!is_sign(one) || other.is_whitespace() || is_sign(other))
        };
        let (left, right) = (beside(after, before), beside(before, after));
        let (opens, closes) = match mark {
            '*' => (left, right),
            _ => (left && (!right || is_sign(before)), right && (!left || is_sign(after))),
        };
        self.pieces.push(Piece::Run(Run { mark, length, left: length, opens, closes }));
        self.at += length;
    }

    fn bracket(&mut self, length: usize) {
        let (piece, at) = (self.pieces.len(), self.at + length);
        self.say(if length == 2 { "![" } else { "[" }, length);
        self.brackets.push(Bracket { piece, at, is_image: length == 2, counts: true });
    }

    /// A bracket closes: the words of a link stay, where it leads to does not.
    fn close(&mut self) {
        let target = self.brackets.pop().filter(|b| b.counts).and_then(|b| Some((self.target(&b)?, b)));
        let Some((end, bracket)) = target else { return self.say("]", 1) };
        self.emphasis(bracket.piece);
        self.pieces[bracket.piece] = Piece::Text(String::new());
        if !bracket.is_image {
            // There are no links in links.
            self.brackets.iter_mut().filter(|b| !b.is_image).for_each(|b| b.counts = false);
        }
        self.at = end;
    }

    /// Where a link ends whose text ends here, if it leads somewhere.
    fn target(&self, bracket: &Bracket) -> Option<usize> {
        let behind = self.at + 1;
        let rest = &self.source[behind..];
        if let Some(length) = rest.starts_with('(').then(|| inline_target(rest)).flatten() {
            return Some(behind + length);
        }
        let own = &self.source[bracket.at..self.at];
        let (label, end) = match links::label(rest) {
            Some(length) => (&rest[1..length - 1], behind + length),
            None if rest.starts_with("[]") => (own, behind + 2),
            None => (own, behind),
        };
        let known = self.labels.contains(&links::normal(label));
        // Brackets are no part of a label.
        (known && links::label(&format!("[{label}]")) == Some(label.len() + 2)).then_some(end)
    }

    /// Pairs the runs from this piece on, and leaves what is between the runs of a pair as it is.
    fn emphasis(&mut self, from: usize) {
        let runs: Vec<usize> =
            (from..self.pieces.len()).filter(|at| matches!(self.pieces[*at], Piece::Run(_))).collect();
        for closer in 0..runs.len() {
            while self.is_paired(&runs, closer) {}
        }
        for at in runs {
            self.change(at, |run| (run.opens, run.closes) = (false, false));
        }
    }

    /// Pairs the run `closer` with the nearest before it that fits.
    fn is_paired(&mut self, runs: &[usize], closer: usize) -> bool {
        let Some(close) = self.of(runs[closer]).filter(|run| run.closes && run.left > 0) else {
            return false;
        };
        let fits = |open: Run| {
            let sum = (open.closes || close.opens) && (open.length + close.length).is_multiple_of(3);
            let both = open.length.is_multiple_of(3) && close.length.is_multiple_of(3);
            open.mark == close.mark && open.opens && open.left > 0 && (!sum || both)
        };
        let Some(opener) = (0..closer).rev().find(|at| self.of(runs[*at]).is_some_and(fits)) else {
            return false;
        };
        let strong = close.left > 1 && self.of(runs[opener]).is_some_and(|open| open.left > 1);
        for at in [opener, closer] {
            self.change(runs[at], |run| run.left -= 1 + usize::from(strong));
        }
        for at in &runs[opener + 1..closer] {
            self.change(*at, |run| (run.opens, run.closes) = (false, false));
        }
        true
    }

    fn of(&self, piece: usize) -> Option<Run> {
        match self.pieces[piece] {
            Piece::Run(run) => Some(run),
            Piece::Text(_) => None,
        }
    }

    fn change(&mut self, piece: usize, what: impl FnOnce(&mut Run)) {
        if let Piece::Run(run) = &mut self.pieces[piece] {
            what(run);
        }
    }
}

/// The length of a destination in parentheses.
fn inline_target(text: &str) -> Option<usize> {
    let mut at = 1 + links::space(&text[1..])?;
    at += links::destination(&text[at..])?;
    let space = links::space(&text[at..])?;
    if let Some(title) = (space > 0).then(|| links::title(&text[at + space..])).flatten() {
        at += space + title;
        at += links::space(&text[at..])?;
    } else {
        at += space;
    }
    text[at..].starts_with(')').then_some(at + 1)
}

/// The length of what begins with `<`, and its words: those of an address, none of HTML.
fn html(text: &str) -> Option<(usize, &str)> {
    let inside = text.get(1..)?.split_once('>').map(|(inside, _)| inside);
    let is_address = |inside: &&str| {
        let scheme = inside.split_once(':').map_or("", |(scheme, _)| scheme);
        let named = (2..=32).contains(&scheme.len())
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-'));
        let plain = !inside.contains(|c: char| c.is_ascii_control() || matches!(c, ' ' | '<'));
        plain && (named || is_mail(inside))
    };
    if let Some(address) = inside.filter(is_address) {
        return Some((address.len() + 2, address));
    }
    for (begin, end) in [("<!-->", ""), ("<!--->", ""), ("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>")] {
        if let Some(behind) = text.strip_prefix(begin) {
            return behind.find(end).map(|at| (begin.len() + at + end.len(), ""));
        }
    }
    if text.strip_prefix("<!").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic())) {
        return text.find('>').map(|at| (at + 1, ""));
    }
    html::tag(text).map(|length| (length, ""))
}

fn is_mail(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b);
    !name.is_empty() && name.bytes().all(allowed) && host.split('.').all(is_label)
}

/// The length of the entity that the text begins with, and its character.
fn entity(text: &str) -> Option<(usize, char)> {
    let name = text[1..].split_once(';')?.0;
    let number = |digits: &str, base, most| {
        let fits = (1..=most).contains(&digits.len()) && digits.chars().all(|c| c.is_digit(base));
        let number = u32::from_str_radix(digits, base).ok().filter(|_| fits)?;
        Some(char::from_u32(number).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER))
    };
    let c = match (name.strip_prefix(['#']), name.strip_prefix("#x").or_else(|| name.strip_prefix("#X"))) {
        (_, Some(digits)) => number(digits, 16, 6)?,
        (Some(digits), _) => number(digits, 10, 7)?,
        _ => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((name.len() + 2, c))
}

/// Punctuation, and signs such as emoji.
fn is_sign(c: char) -> bool {
    c.is_ascii_punctuation() || !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace()
}
