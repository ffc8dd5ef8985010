//! HTML in Markdown: the blocks that it begins, and single tags.

/// The tags that begin a block wherever they stand.
const BLOCKS: &str = "address article aside base basefont blockquote body caption center col colgroup dd details dialog dir div dl dt \
    fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html iframe legend li link main menu menuitem \
    nav noframes ol optgroup option p param search section summary table tbody td tfoot th thead title tr track ul";

/// The tags whose content is no Markdown.
const VERBATIM: [(&str, &str); 4] =
    [("pre", "</pre>"), ("script", "</script>"), ("style", "</style>"), ("textarea", "</textarea>")];

/// How a block of HTML ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HtmlEnd {
    /// With the line that holds this.
    Mark(&'static str),
    /// Before a blank line.
    Blank,
}

/// The block of HTML that begins with this line. A tag alone on its line does not begin one within a paragraph.
pub(super) fn block(line: &str, in_paragraph: bool) -> Option<HtmlEnd> {
    let inside = line.strip_prefix('<')?;
    let name = |text: &str| text.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (tag, behind) = inside.split_at(name(inside));
    let is_apart = behind.is_empty() || behind.starts_with([' ', '\t', '>']);
    if let Some((_, end)) = VERBATIM.iter().find(|(known, _)| is_apart && tag.eq_ignore_ascii_case(known)) {
        return Some(HtmlEnd::Mark(end));
    }
    for (begin, end) in [("!--", "-->"), ("?", "?>"), ("![CDATA[", "]]>")] {
        if inside.starts_with(begin) {
            return Some(HtmlEnd::Mark(end));
        }
    }
    if inside.strip_prefix('!').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic())) {
        return Some(HtmlEnd::Mark(">"));
    }
    let closed = inside.strip_prefix('/').unwrap_or(inside);
    let (tag, behind) = closed.split_at(name(closed));
    let ends = behind.is_empty() || behind.starts_with([' ', '\t', '>']) || behind.starts_with("/>");
    if ends && BLOCKS.split(' ').any(|known| tag.eq_ignore_ascii_case(known)) {
        return Some(HtmlEnd::Blank);
    }
    let alone = |length: usize| line[length..].trim_matches([' ', '\t']).is_empty();
    (!in_paragraph && self::tag(line).is_some_and(alone)).then_some(HtmlEnd::Blank)
}

/// The length of the opening or closing tag that the text begins with.
pub(super) fn tag(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let closing = bytes.get(1) == Some(&b'/');
    let mut at = 1 + usize::from(closing);
    if bytes.first() != Some(&b'<') || !bytes.get(at)?.is_ascii_alphabetic() {
        return None;
    }
    at += run_of(&bytes[at..], |b| b.is_ascii_alphanumeric() || b == b'-');
    if !closing {
        at = attributes(bytes, at)?;
    }
    at += spaces(&bytes[at..]);
    at += usize::from(!closing && bytes.get(at) == Some(&b'/'));
    (bytes.get(at) == Some(&b'>')).then_some(at + 1)
}

/// Where the attributes from `at` on end.
fn attributes(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let space = spaces(&bytes[at..]);
        if matches!(bytes.get(at + space)?, b'/' | b'>') || space == 0 {
            return Some(at);
        }
        at = attribute(bytes, at + space)?;
    }
}

/// Where the attribute that begins at `at` ends.
fn attribute(bytes: &[u8], mut at: usize) -> Option<usize> {
    let first = bytes.get(at)?;
    if !(first.is_ascii_alphabetic() || matches!(first, b'_' | b':')) {
        return None;
    }
    at += run_of(&bytes[at..], |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'));
    let equals = at + spaces(&bytes[at..]);
    if bytes.get(equals) != Some(&b'=') {
        return Some(at);
    }
    at = equals + 1;
    at += spaces(&bytes[at..]);
    if let quote @ (b'"' | b'\'') = bytes.get(at)? {
        return Some(at + 2 + bytes[at + 1..].iter().position(|b| b == quote)?);
    }
    let is_plain = |b: u8| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'=' | b'<' | b'>' | b'`');
    let length = run_of(&bytes[at..], is_plain);
    (length > 0).then_some(at + length)
}

fn spaces(bytes: &[u8]) -> usize {
    run_of(bytes, |b| b.is_ascii_whitespace())
}

fn run_of(bytes: &[u8], fits: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|b| fits(**b)).count()
}
