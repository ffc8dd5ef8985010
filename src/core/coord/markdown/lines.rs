//! One line of a document, read from its beginning: its indentation in columns, and what stands behind it.

/// A place in a line. A tab reaches to the next column that four divides; what of one has not been taken is kept.
#[derive(Clone)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    /// In bytes of the document.
    pub(super) at: usize,
    /// Where the line ends, without its line ending.
    end: usize,
    column: usize,
    /// Columns of the tab before `at` that have not been taken.
    kept: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, start: usize, end: usize) -> Self {
        Self { text, at: start, end, column: 0, kept: 0 }
    }

    /// What stands from here to the end of the line.
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..self.end]
    }

    pub(super) fn is_blank(&self) -> bool {
        self.rest().bytes().all(|b| matches!(b, b' ' | b'\t' | 0x0b | 0x0c))
    }

    /// The columns of white space here.
    pub(super) fn indent(&self) -> usize {
        let mut ahead = self.clone();
        ahead.skip(usize::MAX)
    }

    /// Takes at most so many columns of white space, and says how many there were.
    pub(super) fn skip(&mut self, most: usize) -> usize {
        let mut taken = self.kept.min(most);
        self.kept -= taken;
        while taken < most {
            let width = match self.rest().bytes().next() {
                Some(b' ') => 1,
                Some(b'\t') => 4 - self.column % 4,
                _ => break,
            };
            self.at += 1;
            self.column += width;
            let now = width.min(most - taken);
            taken += now;
            self.kept = width - now;
        }
        taken
    }

    /// Takes so many bytes that are no white space.
    pub(super) fn take(&mut self, bytes: usize) {
        self.at += bytes;
        self.column += bytes;
    }
}

/// The lines of a text from `begin`: where each begins, where its text ends, and where the next begins.
pub(super) fn lines(text: &str, begin: usize) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
    let mut start = begin;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let ending = match rest.as_bytes().get(end..end + 2) {
            Some(b"\r\n") => 2,
            _ => usize::from(end < rest.len()),
        };
        let line = (start, start + end, start + end + ending);
        start = line.2;
        Some(line)
    })
}
