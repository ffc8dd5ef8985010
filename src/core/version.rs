//! Versions of programs, and ranges of them. Pure.
//!
//! A version is read as its numbers: `2.1.332`, `0.86.2.dev3` and `1.0-beta` are compared as 2.1.332, 0.86.2 and 1.0.

use super::escape;
use crate::core::order;
use std::cmp::Ordering;

/// The numbers of a version. A missing one counts as 0: `1` is `1.0`.
#[derive(Clone, Debug, Eq)]
pub struct Version(Vec<u64>);

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Version {
    /// Reads a version; `None` if it does not begin with a number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = Vec::new();
        for part in text.split('.') {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let Ok(number) = part[..digits].parse() else { break };
            numbers.push(number);
            if digits < part.len() {
                break;
            }
        }
        (!numbers.is_empty()).then_some(Self(numbers))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = |version: &Self, i: usize| version.0.get(i).copied().unwrap_or_default();
        let parts = self.0.len().max(other.0.len());
        (0..parts).map(|i| at(self, i).cmp(&at(other, i))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether `version` is newer than each of `tested`; `false` if one of them cannot be read, or if there are none.
pub fn is_newer_than_all(version: &str, tested: &[String]) -> bool {
    let all: Option<Vec<Version>> = tested.iter().map(|text| Version::parse(text)).collect();
    let newest = all.and_then(|all| all.into_iter().max());
    Version::parse(version).zip(newest).is_some_and(|(version, newest)| version > newest)
}

/// Versions between two bounds, such as `>=0.24, <0.30`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    bounds: Vec<(Bound, Version)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Bound {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Bound::Less => order.is_lt(),
            Bound::AtMost => order.is_le(),
            Bound::Equal => order.is_eq(),
            Bound::AtLeast => order.is_ge(),
            Bound::More => order.is_gt(),
        }
    }
}

impl VersionRange {
    /// Reads a range: bounds separated by commas, all of which must hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shown = || escape::short(text, 60);
        let one = |part: &str| {
            let part = part.trim();
            let (bound, rest) = [
                ("<=", Bound::AtMost),
                (">=", Bound::AtLeast),
                ("<", Bound::Less),
                (">", Bound::More),
                ("=", Bound::Equal),
            ]
            .iter()
            .find_map(|(sign, bound)| Some((*bound, part.strip_prefix(sign)?)))?;
            let rest = rest.trim();
            let whole = rest.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            Some((bound, Version::parse(rest).filter(|_| whole)?))
        };
        let bounds: Option<Vec<_>> = text.split(',').map(one).collect();
        let bounds = bounds.ok_or_else(|| {
            format!("'{}' is not a range of versions; write <2.1, >=0.24 or '>=0.24, <0.30'", shown())
        })?;
        let range = Self { text: text.to_owned(), bounds };
        if range.is_empty() {
            return Err(format!("'{}' holds no version", shown()));
        }
        Ok(range)
    }

    /// Whether a version is in the range.
    pub fn has(&self, version: &Version) -> bool {
        self.bounds.iter().all(|(bound, of)| bound.holds(version.cmp(of)))
    }

    /// The text of the range.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether each version of `other` is in this range, as far as the bounds show.
    pub fn covers(&self, other: &VersionRange) -> bool {
        // All versions strictly between two neighbouring bounds behave alike.
        let mut marks: Vec<&Version> = self.bounds.iter().chain(&other.bounds).map(|(_, v)| v).collect();
        order::sort(&mut marks);
        samples(&marks).iter().all(|version| !other.has(version) || self.has(version))
    }

    fn is_empty(&self) -> bool {
        let mut marks: Vec<&Version> = self.bounds.iter().map(|(_, version)| version).collect();
        order::sort(&mut marks);
        !samples(&marks).iter().any(|version| self.has(version))
    }
}

/// A version below, at, and right above each of these.
fn samples(marks: &[&Version]) -> Vec<Version> {
    let beside = |mark: &&Version| {
        let above = Version([&*mark.0, &[0, 0, 0, 1]].concat());
        [(*mark).clone(), above]
    };
    let lowest = std::iter::once(Version(vec![0]));
    lowest.chain(marks.iter().flat_map(beside)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(version("1") == version("1.0") && version("1") != version("1.0.1"));
        for (less, more) in [
            ("2.1.197", "2.1.332"),
            ("0.9", "0.10"),
            ("1", "1.0.1"),
            ("0.86.2", "0.86.3-dev"),
            ("v0.73.1", "0.74"),
        ] {
            assert!(version(less) < version(more), "{less} {more}");
        }
        assert_eq!(version("1.0").cmp(&version("1")), Ordering::Equal);
        assert_eq!(version("1.0-beta.7").cmp(&version("1.0")), Ordering::Equal);
        for text in ["", "latest", "-1", "99999999999999999999999"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_is_new_if_none_that_was_tested_is_as_new() {
        let tested = ["2.1.197".to_owned(), "2.1.332".to_owned()];
        for (text, new) in [("2.1.333", true), ("2.1.332", false), ("2.1.200", false), ("?", false)] {
            assert_eq!(is_newer_than_all(text, &tested), new, "{text}");
        }
        assert!(!is_newer_than_all("1.0", &[]) && !is_newer_than_all("1.0", &["today".to_owned()]));
    }

    #[test]
    fn a_range_holds_the_versions_for_which_all_its_bounds_hold() {
        for (range, within, outside) in [
            ("<2.1.300", "2.1.197", "2.1.300"),
            ("<=2.1", "2.1.0", "2.1.1"),
            ("=1.0", "1", "1.0.1"),
            (">=0.24, <0.30", "0.29.9", "0.30"),
            ("> 1 ,< 3", "2", "1.0"),
        ] {
            let range = VersionRange::parse(range).unwrap();
            assert!(range.has(&version(within)) && !range.has(&version(outside)), "{range:?}");
        }
    }

    #[test]
    fn a_range_that_cannot_be_read_or_holds_nothing_is_refused() {
        for text in ["", "2.1", "<", "<x", ">=1,", "<1.x", "~1.2", "<1.2-beta"] {
            assert!(VersionRange::parse(text).unwrap_err().contains("not a range of versions"), "{text}");
        }
        for text in [">2, <1", "<0", "=1, =2", ">1, <1"] {
            assert!(VersionRange::parse(text).unwrap_err().contains("holds no version"), "{text}");
        }
    }

    #[test]
    fn a_range_covers_another_that_has_no_version_beside() {
        for (wide, narrow, covers) in [
            ("<3", "<2", true),
            ("<2", "<3", false),
            (">=1", ">1, <2", true),
            (">1", ">=1, <2", false),
            (">=0", "<5", true),
        ] {
            let range = |text| VersionRange::parse(text).unwrap();
            assert_eq!(range(wide).covers(&range(narrow)), covers, "{wide} {narrow}");
        }
    }
}
