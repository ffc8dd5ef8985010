//! What a line of Markdown is by its own signs: a heading, a fence, a rule, an item, a part of a table.

/// The level of the heading that the line is, and its words.
pub(super) fn heading(line: &str) -> Option<(u8, &str)> {
    let words = line.trim_start_matches('#');
    let level = u8::try_from(line.len() - words.len()).ok().filter(|level| (1..=6).contains(level))?;
    if !(words.is_empty() || words.starts_with([' ', '\t'])) {
        return None;
    }
    let words = words.trim_matches([' ', '\t']);
    let open = words.trim_end_matches('#');
    let is_closed = open.is_empty() || open.ends_with([' ', '\t']);
    Some((level, if is_closed { open.trim_end() } else { words }))
}

/// The character of the fence that the line begins with, and how many they are.
pub(super) fn fence(line: &str) -> Option<(u8, usize)> {
    let mark = line.bytes().next().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let count = line.bytes().take_while(|b| *b == mark).count();
    (count >= 3 && (mark == b'~' || !line[count..].contains('`'))).then_some((mark, count))
}

pub(super) fn is_fence_end(line: &str, mark: u8, count: usize) -> bool {
    let line = line.trim_end_matches([' ', '\t']);
    line.len() >= count && line.bytes().all(|b| b == mark)
}

/// Whether the line is a thematic break.
pub(super) fn is_rule(line: &str) -> bool {
    let mark = line.bytes().next().unwrap_or_default();
    let signs = line.bytes().filter(|b| *b == mark).count();
    matches!(mark, b'*' | b'-' | b'_')
        && signs >= 3
        && line.bytes().all(|b| b == mark || b == b' ' || b == b'\t')
}

/// What an item begins with.
pub(super) struct Marker {
    /// What all items of its list have: a bullet, or what stands behind the number.
    pub(super) sign: u8,
    pub(super) number: Option<u64>,
    pub(super) length: usize,
    /// Nothing stands behind it.
    pub(super) is_empty: bool,
}

/// The marker of an item, if the line begins with one and is no rule.
pub(super) fn marker(line: &str) -> Option<Marker> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let sign = *line.as_bytes().get(digits)?;
    let fits = match digits {
        0 => matches!(sign, b'-' | b'+' | b'*') && !is_rule(line),
        _ => matches!(sign, b'.' | b')') && digits < 10,
    };
    let length = digits + 1;
    let behind =
        line.get(length..).filter(|behind| fits && (behind.is_empty() || behind.starts_with([' ', '\t'])))?;
    let is_empty = behind.trim_matches([' ', '\t']).is_empty();
    Some(Marker { sign, number: line[..digits].parse().ok(), length, is_empty })
}

/// How many columns the line below a table's head has.
pub(super) fn columns(line: &str) -> Option<usize> {
    if !line.contains('|') {
        return None;
    }
    let cells = cells(line);
    let is_column = |cell: &String| {
        let dashes = cell.strip_prefix(':').unwrap_or(cell);
        let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
        !dashes.is_empty() && dashes.bytes().all(|b| b == b'-')
    };
    (!cells.is_empty() && cells.iter().all(is_column)).then_some(cells.len())
}

/// The source of the cells of a row.
pub(super) fn cells(line: &str) -> Vec<String> {
    let line = line.trim();
    let mut rest = line.strip_prefix('|').unwrap_or(line);
    let mut cells = Vec::new();
    while !rest.trim().is_empty() {
        let ends = |(at, _): &(usize, &str)| !rest[..*at].ends_with('\\');
        let end = rest.match_indices('|').find(ends).map(|(at, _)| at);
        cells.push(rest[..end.unwrap_or(rest.len())].trim().to_owned());
        rest = end.map_or("", |end| &rest[end + 1..]);
    }
    cells
}
