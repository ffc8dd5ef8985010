//! The parts of a link: its label, its destination and its title; and the definitions that paragraphs begin with.

/// The length of the label in brackets that the text begins with.
pub(super) fn label(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('[')?;
    let length = until(inside, "[]", 999)?;
    let is_closed = inside[length..].starts_with(']');
    (is_closed && !inside[..length].trim().is_empty()).then_some(length + 2)
}

/// A label as it is compared with others.
pub(super) fn normal(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The length of the destination that the text begins with.
pub(super) fn destination(text: &str) -> Option<usize> {
    if let Some(inside) = text.strip_prefix('<') {
        let length = until(inside, "<>\n", usize::MAX)?;
        return inside[length..].starts_with('>').then_some(length + 2);
    }
    let (mut open, mut at) = (0_usize, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            0..=0x20 => break,
            b'(' => open += 1,
            b')' if open == 0 => break,
            b')' => open -= 1,
            b'\\' if escapes(&text[at..]) => at += 1,
            _ => {}
        }
        at += 1;
    }
    (open == 0).then_some(at)
}

/// The length of the quoted title that the text begins with.
pub(super) fn title(text: &str) -> Option<usize> {
    let (end, none) = match text.as_bytes().first()? {
        b'"' => ('"', "\""),
        b'\'' => ('\'', "'"),
        b'(' => (')', "()"),
        _ => return None,
    };
    let length = until(&text[1..], none, usize::MAX)?;
    text[1 + length..].starts_with(end).then_some(length + 2)
}

/// The white space at the beginning, if no more than one line ends in it.
pub(super) fn space(text: &str) -> Option<usize> {
    let length = text.len() - text.trim_start().len();
    (text[..length].matches('\n').count() < 2).then_some(length)
}

/// The definition that the text of a paragraph begins with: its length in whole lines, and its label.
pub(super) fn definition(text: &str) -> Option<(usize, String)> {
    let named = label(text)?;
    let behind = text[named..].strip_prefix(':')?;
    let start = named + 1 + space(behind)?;
    let length = destination(&text[start..]).filter(|length| *length > 0)?;
    let end = start + length;
    let line = |at: usize| {
        let rest = text[at..].trim_start_matches([' ', '\t']);
        let at = text.len() - rest.len();
        (rest.is_empty() || rest.starts_with('\n')).then_some((at + 1).min(text.len()))
    };
    // A title that is none leaves the definition as it was, if that ends with its line.
    let titled = || {
        let at = end + space(&text[end..]).filter(|space| *space > 0)?;
        line(at + title(&text[at..])?)
    };
    let whole = titled().or_else(|| line(end))?;
    Some((whole, normal(&text[1..named - 1])))
}

/// How far it is to one of these characters that no backslash escapes; at most `most` characters.
fn until(text: &str, ends: &str, most: usize) -> Option<usize> {
    let (mut chars, mut escaped) = (text.char_indices(), false);
    let (at, _) = chars.by_ref().take(most.saturating_add(1)).find(|(at, c)| {
        let is_end = !escaped && ends.contains(*c);
        escaped = !escaped && *c == '\\' && escapes(&text[*at..]);
        is_end
    })?;
    Some(at)
}

/// Whether the backslash at the beginning takes the next character's meaning away.
pub(super) fn escapes(text: &str) -> bool {
    text.as_bytes().get(1).is_some_and(u8::is_ascii_punctuation)
}
