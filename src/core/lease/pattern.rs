//! The paths of a lease: a file, a directory with everything below it, or a glob.
//!
//! Pure and immutable. Paths are already canonical (relative to the root of their work tree, `/` between segments, no
//! `.` or `..`). In a glob, `*` stands for any characters of one segment, and `**`, alone in a segment, for any
//! number of segments, including none. There are no other wildcards. Names are compared byte for byte. Names in a
//! team's paths are compared without regard to case, because some hosts' file systems ignore it.
//!
//! [`PathPattern::overlaps`] is the only matcher. It is exact, not an estimate.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// The longest path, in bytes.
pub const MAX_PATH: usize = 4096;

/// The longest name of a thing that is not a path, in bytes.
pub const MAX_NAME: usize = 64;

/// The meaning of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// Exactly this path.
    File,
    /// This path and everything below it.
    Dir,
    /// The paths that the glob matches.
    Glob,
}

/// One part of a path, between two slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    /// Exactly this name.
    Name(String),
    /// A name that matches this text with `*`.
    Wild(String),
    /// Any number of names.
    Any,
}

/// The place of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// In one work tree of this host: a linked git worktree, or the main one.
    Tree(Option<String>),
    /// In every clone on every host of the team, on any branch.
    Team,
    /// Not a path: the name of a thing that only one may use at a time.
    Name,
}

/// The path or glob of a lease, with its scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct PathPattern {
    scope: Scope,
    path: String,
    kind: PathKind,
    segments: Vec<Segment>,
}

/// Why a pattern was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPattern {
    /// Longer than [`MAX_PATH`].
    TooLong,
    /// A control character, such as a newline.
    Control,
    /// An empty segment, `.` or `..`.
    NotCanonical,
    /// `?`, `[` or `{` together with a `*`.
    NotSupported(char),
    /// Not a valid name of a thing that is not a path.
    NotAName,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadPattern::TooLong => write!(f, "it is longer than {MAX_PATH} bytes"),
            BadPattern::Control => write!(f, "it contains a newline or another control character"),
            BadPattern::NotCanonical => write!(f, "it contains an empty segment, '.' or '..'"),
            BadPattern::NotAName => {
                write!(f, "a name has letters, digits, '-', '_' and '.', at most {MAX_NAME} of them")
            }
            BadPattern::NotSupported(c) => write!(
                f,
                "a glob may contain only * and **, not '{c}'; name the files or the directory instead"
            ),
        }
    }
}

/// The form of a pattern in a record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    path: String,
    kind: PathKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worktree: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Wide>,
}

/// The form in a record of a scope other than one work tree.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wide {
    Team,
    Name,
}

impl PathPattern {
    /// A pattern for `path`, relative to the root of `worktree` (`None`: the main one). The empty path is the root.
    pub fn new(kind: PathKind, worktree: Option<&str>, path: &str) -> Result<Self, BadPattern> {
        Self::within(Scope::Tree(worktree.map(str::to_owned)), kind, path)
    }

    /// A pattern for `path` in every clone of the team, relative to the root of the work tree.
    pub fn team(kind: PathKind, path: &str) -> Result<Self, BadPattern> {
        Self::within(Scope::Team, kind, path)
    }

    /// A pattern for a thing that is not a path: a build slot, a staging database.
    pub fn named(name: &str) -> Result<Self, BadPattern> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(good) {
            return Err(BadPattern::NotAName);
        }
        Self::within(Scope::Name, PathKind::File, name)
    }

    fn within(scope: Scope, kind: PathKind, path: &str) -> Result<Self, BadPattern> {
        let tree = match &scope {
            Scope::Tree(tree) => tree.as_deref().unwrap_or_default(),
            Scope::Team | Scope::Name => "",
        };
        if path.len() > MAX_PATH {
            return Err(BadPattern::TooLong);
        }
        if path.chars().chain(tree.chars()).any(char::is_control) {
            return Err(BadPattern::Control);
        }
        let mut segments = Vec::new();
        let folded = if matches!(scope, Scope::Tree(_)) { path.to_owned() } else { path.to_lowercase() };
        for part in folded.split('/').filter(|_| !path.is_empty()) {
            segments.push(match part {
                "" | "." | ".." => return Err(BadPattern::NotCanonical),
                "**" if kind == PathKind::Glob => Segment::Any,
                _ if kind == PathKind::Glob && part.contains('*') => Segment::Wild(part.to_owned()),
                _ => Segment::Name(part.to_owned()),
            });
        }
        match kind {
            PathKind::Glob => {
                if let Some(c) = path.chars().find(|c| matches!(c, '?' | '[' | '{')) {
                    return Err(BadPattern::NotSupported(c));
                }
            }
            PathKind::Dir => segments.push(Segment::Any),
            // The root is not a file.
            PathKind::File if segments.is_empty() => return Err(BadPattern::NotCanonical),
            PathKind::File => {}
        }
        Ok(Self { scope, path: path.to_owned(), kind, segments })
    }

    pub fn kind(&self) -> PathKind {
        self.kind
    }

    /// The path or glob, relative to the root of its work tree.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The linked git worktree that contains it; `None` for the main one.
    pub fn worktree(&self) -> Option<&str> {
        match &self.scope {
            Scope::Tree(tree) => tree.as_deref(),
            Scope::Team | Scope::Name => None,
        }
    }

    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// This path in every clone of the team.
    #[must_use]
    pub fn for_team(&self) -> Self {
        // A valid path here is valid there.
        Self::within(Scope::Team, self.kind, &self.path).unwrap_or_else(|_| self.clone())
    }

    /// The form for comparisons: a path of the team in lower case.
    pub fn folded(&self) -> Cow<'_, Self> {
        let lower = self.path.to_lowercase();
        if self.scope != Scope::Team || lower == self.path {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self { path: lower, ..self.clone() })
    }

    /// The names before the first wildcard. If two patterns overlap, either stem begins with all names of the other.
    pub fn stem(&self) -> &str {
        let names = self.segments.iter().take_while(|s| matches!(s, Segment::Name(_))).count();
        let end =
            self.path.match_indices('/').nth(names.saturating_sub(1)).map_or(self.path.len(), |(at, _)| at);
        if names == 0 { "" } else { self.path.get(..end).unwrap_or_default() }
    }

    /// Whether both are the same path, as a file or as a directory.
    pub fn is_same_path(&self, other: &Self) -> bool {
        self.scope == other.scope
            && (self.path == other.path
                || (self.scope == Scope::Team && self.path.to_lowercase() == other.path.to_lowercase()))
    }

    /// Whether one path can match both. A file also overlaps everything below it: a path that does not exist yet may
    /// become a directory.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.scope == other.scope
            && (intersect(&self.segments, &other.segments) || self.is_above(other) || other.is_above(self))
    }

    /// Whether this is a file at or above every path of `other`.
    fn is_above(&self, other: &Self) -> bool {
        self.kind == PathKind::File && other.segments.starts_with(&self.segments)
    }

    /// Whether every path of `other` certainly matches this one as well.
    pub fn covers(&self, other: &Self) -> bool {
        if self.scope != other.scope {
            return false;
        }
        let below = || {
            let (last, base) = self.segments.split_last()?;
            let plain = *last == Segment::Any && base.iter().all(|s| matches!(s, Segment::Name(_)));
            Some(plain && other.segments.starts_with(base))
        };
        self.segments == other.segments
            || below() == Some(true)
            || (other.kind == PathKind::File && intersect(&self.segments, &other.segments))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = match &self.scope {
            Scope::Tree(tree) => tree.as_ref().map(|tree| format!("{tree}:")).unwrap_or_default(),
            Scope::Team => "team:".to_owned(),
            Scope::Name => "name:".to_owned(),
        };
        let (path, slash) = match self.kind {
            PathKind::Dir if self.path.is_empty() => (".", "/"),
            PathKind::Dir => (self.path.as_str(), "/"),
            _ => (self.path.as_str(), ""),
        };
        // Names come from people and file systems.
        f.write_str(&crate::core::escape::line(&format!("{tree}{path}{slash}")))
    }
}

impl TryFrom<Written> for PathPattern {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        let scope = match written.scope {
            None => Scope::Tree(written.worktree),
            Some(Wide::Team) => Scope::Team,
            Some(Wide::Name) => Scope::Name,
        };
        Self::within(scope, written.kind, &written.path).map_err(|bad| bad.to_string())
    }
}

impl From<PathPattern> for Written {
    fn from(pattern: PathPattern) -> Self {
        let (worktree, scope) = match pattern.scope {
            Scope::Tree(tree) => (tree, None),
            Scope::Team => (None, Some(Wide::Team)),
            Scope::Name => (None, Some(Wide::Name)),
        };
        Written { path: pattern.path, kind: pattern.kind, worktree, scope }
    }
}

/// Whether one sequence of names matches both.
fn intersect(a: &[Segment], b: &[Segment]) -> bool {
    // Nearly all pairs differ in one of the first names: they need no table.
    let same = a.iter().zip(b).take_while(|(x, y)| x == y && matches!(x, Segment::Name(_))).count();
    let (a, b) = (&a[same..], &b[same..]);
    if let (Some(Segment::Name(_)), Some(Segment::Name(_))) = (a.first(), b.first()) {
        return false;
    }
    common(a, b, |s| *s == Segment::Any, names_meet)
}

/// Whether one name matches both segments, neither of which is [`Segment::Any`].
fn names_meet(a: &Segment, b: &Segment) -> bool {
    match (a, b) {
        (Segment::Name(x), Segment::Name(y)) => x == y,
        (Segment::Name(x) | Segment::Wild(x), Segment::Name(y) | Segment::Wild(y)) => {
            // In a name, a star is an ordinary character; in a segment with wildcards, it is the wildcard.
            let letters = |s: &Segment, text: &str| -> Vec<Option<u8>> {
                let wild = matches!(s, Segment::Wild(_));
                text.bytes().map(|c| (!wild || c != b'*').then_some(c)).collect()
            };
            common(&letters(a, x), &letters(b, y), Option::is_none, |x, y| x == y)
        }
        _ => true,
    }
}

/// Whether two sequences have a common instance. An item for which `star` holds stands for any number of items; two
/// other items match if `meet` holds. Time and space grow with the product of the lengths.
fn common<T>(a: &[T], b: &[T], star: impl Fn(&T) -> bool, meet: impl Fn(&T, &T) -> bool) -> bool {
    // below[j]: whether a[i + 1..] and b[j..] have a common instance.
    let mut below: Vec<bool> = (0..=b.len()).map(|j| b[j..].iter().all(&star)).collect();
    for x in a.iter().rev() {
        let mut row = vec![false; b.len() + 1];
        row[b.len()] = star(x) && below[b.len()];
        for (j, y) in b.iter().enumerate().rev() {
            // A star ends here, or matches the next item of the other side.
            row[j] = if star(x) || star(y) { below[j] || row[j + 1] } else { meet(x, y) && below[j + 1] };
        }
        below = row;
    }
    below[0]
}

#[cfg(test)]
mod tests;
