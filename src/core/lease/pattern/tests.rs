//! Tests the matcher against an independent oracle: all paths of a small world, matched one by one.

use super::*;
use std::collections::BTreeSet;

/// Whether `name` matches `wild`, by trying everything.
fn fits(wild: &[u8], name: &[u8]) -> bool {
    match wild {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|n| fits(rest, &name[n..])),
        [c, rest @ ..] => name.first() == Some(c) && fits(rest, &name[1..]),
    }
}

fn fits_all(glob: &[&str], path: &[&str]) -> bool {
    match glob {
        [] => path.is_empty(),
        ["**", rest @ ..] => (0..=path.len()).any(|n| fits_all(rest, &path[n..])),
        [wild, rest @ ..] => {
            path.first().is_some_and(|name| fits(wild.as_bytes(), name.as_bytes()))
                && fits_all(rest, &path[1..])
        }
    }
}

/// Whether the pattern with this text matches `path`.
fn is_about(kind: PathKind, text: &str, path: &str) -> bool {
    match kind {
        PathKind::File => text == path,
        PathKind::Dir => text.is_empty() || path == text || path.starts_with(&format!("{text}/")),
        PathKind::Glob => {
            fits_all(&text.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>())
        }
    }
}

/// All paths with at most `depth` of these names.
fn world(names: &[String], depth: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut last = vec![String::new()];
    for _ in 0..depth {
        last = last
            .iter()
            .flat_map(|head| {
                let slash = if head.is_empty() { "" } else { "/" };
                names.iter().map(move |name| format!("{head}{slash}{name}"))
            })
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// All texts over `alphabet` of at most `length` characters.
fn texts(alphabet: &str, length: usize) -> Vec<String> {
    let letters: Vec<String> = alphabet.chars().map(String::from).collect();
    world(&letters, length).into_iter().map(|t| t.replace('/', "")).collect()
}

struct Case {
    kind: PathKind,
    text: String,
    pattern: PathPattern,
    members: Vec<u64>,
    /// The first segments of all members.
    shared: Option<String>,
}

fn case(kind: PathKind, text: &str, world: &[String]) -> Case {
    let mut members = vec![0u64; world.len().div_ceil(64)];
    let mut shared: Option<Vec<&str>> = None;
    for (i, path) in world.iter().enumerate().filter(|(_, p)| is_about(kind, text, p)) {
        members[i / 64] |= 1 << (i % 64);
        let parts: Vec<&str> = path.split('/').collect();
        shared = Some(match shared {
            None => parts,
            Some(before) => before.iter().zip(&parts).take_while(|(a, b)| a == b).map(|(a, _)| *a).collect(),
        });
    }
    let pattern = PathPattern::new(kind, None, text).unwrap();
    Case { kind, text: text.to_owned(), pattern, members, shared: shared.map(|s| s.join("/")) }
}

impl Case {
    /// A file, and everything of `other` lies below it.
    fn is_file_above(&self, other: &Case) -> bool {
        let below = |shared: &String| shared.starts_with(&format!("{}/", self.text));
        self.kind == PathKind::File && other.shared.as_ref().is_some_and(|s| *s == self.text || below(s))
    }
}

/// Compares all pairs; returns how many there were, and how many overlap.
fn compare(cases: &[Case]) -> (usize, usize) {
    let (mut pairs, mut overlapping) = (0, 0);
    for (i, a) in cases.iter().enumerate() {
        for b in &cases[i..] {
            let meet = a.members.iter().zip(&b.members).any(|(x, y)| x & y != 0);
            let expected = meet || a.is_file_above(b) || b.is_file_above(a);
            assert_eq!(a.pattern.overlaps(&b.pattern), expected, "{} and {}", a.pattern, b.pattern);
            assert_eq!(b.pattern.overlaps(&a.pattern), expected, "{} and {}", b.pattern, a.pattern);
            if expected {
                // The stems find everything that overlaps.
                let begins = |x: &str, y: &str| x.is_empty() || x == y || y.starts_with(&format!("{x}/"));
                let (x, y) = (a.pattern.stem(), b.pattern.stem());
                assert!(begins(x, y) || begins(y, x), "{} and {}", a.pattern, b.pattern);
            }
            if a.pattern.covers(&b.pattern) {
                let within = a.members.iter().zip(&b.members).all(|(x, y)| y & !x == 0);
                assert!(within, "{} does not cover {}", a.pattern, b.pattern);
            }
            pairs += 1;
            overlapping += usize::from(expected);
        }
    }
    (pairs, overlapping)
}

#[test]
fn overlap_within_names_is_exactly_what_an_oracle_finds() {
    // The longest of the shortest common matches of two texts of three characters has four.
    let world = world(&texts("ab", 4), 2);
    let segments = texts("ab*", 3);
    // Fixed seed: the same patterns every time.
    let mut seed = 0x5eed_u64;
    let mut next = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % n
    };
    let mut chosen = BTreeSet::new();
    while chosen.len() < 480 {
        let text =
            (0..=next(2)).map(|_| segments[next(segments.len())].clone()).collect::<Vec<_>>().join("/");
        let kind = match next(4) {
            0 => PathKind::File,
            1 => PathKind::Dir,
            _ => PathKind::Glob,
        };
        // A star in a file's name is an ordinary character, which does not occur in this world; a directory needs a
        // level below it.
        let fits = match kind {
            PathKind::File => !text.contains('*'),
            PathKind::Dir => !text.contains(['*', '/']),
            PathKind::Glob => true,
        };
        if fits {
            chosen.insert((kind, text));
        }
    }
    let cases: Vec<Case> = chosen.iter().map(|(kind, text)| case(*kind, text, &world)).collect();
    let (pairs, overlapping) = compare(&cases);
    assert!(pairs >= 100_000 && overlapping > 5_000 && pairs - overlapping > 5_000, "{pairs} {overlapping}");
}

#[test]
fn overlap_across_segments_is_exactly_what_an_oracle_finds() {
    // Four segments against four: a shortest common match has at most eight.
    let names: Vec<String> = ["a", "b"].map(String::from).to_vec();
    let plain = world(&names, 4);
    let universe = world(&names, 8);
    let globs = world(&["a", "b", "*", "**"].map(String::from), 4);
    let mut cases = vec![case(PathKind::Dir, "", &universe)];
    for path in &plain {
        cases.push(case(PathKind::File, path, &universe));
        cases.push(case(PathKind::Dir, path, &universe));
    }
    cases.extend(globs.iter().map(|glob| case(PathKind::Glob, glob, &universe)));
    let (pairs, overlapping) = compare(&cases);
    assert!(pairs >= 75_000 && overlapping > 5_000, "{pairs} {overlapping}");
}

fn pattern(kind: PathKind, text: &str) -> PathPattern {
    PathPattern::new(kind, None, text).unwrap()
}

#[test]
fn the_cases_people_meet() {
    let overlap = |a: (PathKind, &str), b: (PathKind, &str)| pattern(a.0, a.1).overlaps(&pattern(b.0, b.1));
    assert!(overlap((PathKind::Glob, "src/*.py"), (PathKind::Glob, "src/a*")));
    assert!(overlap((PathKind::Glob, "**/*.rs"), (PathKind::File, "src/core/lease.rs")));
    assert!(overlap((PathKind::Dir, "src"), (PathKind::Glob, "**/mod.rs")));
    assert!(overlap((PathKind::File, "new"), (PathKind::File, "new/a.rs")), "it may become a directory");
    assert!(!overlap((PathKind::Glob, "src/*.py"), (PathKind::File, "src/sub/a.py")));
    assert!(!overlap((PathKind::File, "README.md"), (PathKind::Glob, "**/*.rs")));
    assert!(!overlap((PathKind::Dir, "src"), (PathKind::Dir, "src2")));
    assert!(!overlap((PathKind::File, "a*b"), (PathKind::File, "axb")), "a file's name is no glob");
    assert!(overlap((PathKind::File, "a*b"), (PathKind::Glob, "a*b")));
}

#[test]
fn work_trees_are_separate() {
    let linked = PathPattern::new(PathKind::File, Some("feature"), "src/a.rs").unwrap();
    assert!(!linked.overlaps(&pattern(PathKind::File, "src/a.rs")));
    assert!(!pattern(PathKind::Dir, "").covers(&linked));
    assert!(linked.overlaps(&linked.clone()));
}

#[test]
fn a_pattern_that_is_no_path_is_refused_also_when_it_is_read() {
    for text in ["a//b", "/a", "a/", "a/../b", "./a", ".."] {
        assert_eq!(PathPattern::new(PathKind::File, None, text), Err(BadPattern::NotCanonical), "{text}");
    }
    assert_eq!(PathPattern::new(PathKind::File, None, "a\nb"), Err(BadPattern::Control));
    assert_eq!(PathPattern::new(PathKind::Glob, None, "*.{rs,md}"), Err(BadPattern::NotSupported('{')));
    assert!(PathPattern::new(PathKind::File, None, "app/[id]/page.tsx").is_ok());
    assert_eq!(PathPattern::new(PathKind::File, None, &"x".repeat(MAX_PATH + 1)), Err(BadPattern::TooLong));
    assert!(serde_json::from_str::<PathPattern>(r#"{"path":"../etc","kind":"dir"}"#).is_err());
    let kept = PathPattern::new(PathKind::Glob, Some("feature"), "src/**/a b*.rs").unwrap();
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<PathPattern>(&text).unwrap(), kept);
}

#[test]
fn hostile_globs_take_no_long_time() {
    let stars = |c: &str| format!("{}*x", format!("*{c}").repeat(1000));
    let (a, b) = (pattern(PathKind::Glob, &stars("a")), pattern(PathKind::Glob, &stars("b")));
    assert!(a.overlaps(&b));
    let deep = |c: &str| format!("{}**/x", format!("**/{c}/").repeat(700));
    let (a, b) = (pattern(PathKind::Glob, &deep("a")), pattern(PathKind::Glob, &deep("b")));
    assert!(a.overlaps(&b));
}

#[test]
fn a_pattern_is_shown_as_it_is_asked_for_and_safely() {
    for (kind, tree, text, shown) in [
        (PathKind::File, None, "src/a.rs", "src/a.rs"),
        (PathKind::Dir, None, "src", "src/"),
        (PathKind::Dir, None, "", "./"),
        (PathKind::Dir, Some("feature"), "", "feature:./"),
        (PathKind::Glob, Some("feature"), "**/*.rs", "feature:**/*.rs"),
        (PathKind::File, None, "a\u{202e}b", "a\\u{202e}b"),
    ] {
        let pattern = PathPattern::new(kind, tree, text).unwrap();
        assert_eq!(pattern.to_string(), shown);
        assert_eq!((pattern.kind(), pattern.path(), pattern.worktree()), (kind, text, tree));
    }
}

#[test]
fn the_same_path_may_be_a_file_or_a_directory_and_lies_in_one_work_tree() {
    let new = |kind, tree, text| PathPattern::new(kind, tree, text).unwrap();
    let file = new(PathKind::File, None, "src");
    assert!(file.is_same_path(&new(PathKind::Dir, None, "src")));
    assert!(!file.is_same_path(&new(PathKind::File, None, "src2")));
    assert!(!file.is_same_path(&new(PathKind::File, Some("feature"), "src")));
    assert!(!file.is_same_path(&new(PathKind::File, Some("feature"), "src2")));
}

#[test]
fn what_surely_belongs_to_a_lease_is_covered_and_nothing_else_is() {
    use PathKind::{Dir, File, Glob};
    for (one, other, covered) in [
        ((Dir, "src"), (File, "src/core/a.rs"), true),
        ((Dir, "src"), (File, "src"), true),
        ((Dir, "src"), (Dir, "src/core"), true),
        ((Dir, "src"), (Glob, "src/**/*.rs"), true),
        ((Dir, ""), (Glob, "**"), true),
        ((Glob, "src/**"), (Dir, "src"), true),
        ((Glob, "*.rs"), (File, "a.rs"), true),
        ((Glob, "*.rs"), (Glob, "*.rs"), true),
        ((Dir, "src/core"), (Dir, "src"), false),
        ((File, "src"), (Dir, "src"), false),
        ((File, "src"), (File, "src/a.rs"), false),
        ((Glob, "*.rs"), (Glob, "a*.rs"), false),
        ((Glob, "*/**"), (Glob, "a*/b"), false),
        ((Glob, "src/*"), (Glob, "src/a*"), false),
        ((Dir, "src"), (Dir, "src2"), false),
    ] {
        let (a, b) = (pattern(one.0, one.1), pattern(other.0, other.1));
        assert_eq!(a.covers(&b), covered, "{a} {b}");
    }
}

#[test]
fn a_refusal_says_what_is_wrong() {
    for (bad, told) in [
        (BadPattern::TooLong, "longer than 4096 bytes"),
        (BadPattern::Control, "another control character"),
        (BadPattern::NotCanonical, "'.' or '..'"),
        (BadPattern::NotSupported('['), "only * and **, not '['"),
    ] {
        assert!(bad.to_string().contains(told), "{bad}");
    }
}

#[test]
fn a_stem_ends_before_the_first_wildcard() {
    for (kind, path, stem) in [
        (PathKind::File, "src/a.rs", "src/a.rs"),
        (PathKind::File, "src/*.rs", "src/*.rs"),
        (PathKind::Dir, "src", "src"),
        (PathKind::Dir, "", ""),
        (PathKind::Glob, "src/core/*.rs", "src/core"),
        (PathKind::Glob, "src/**/a.rs", "src"),
        (PathKind::Glob, "*.rs", ""),
        (PathKind::Glob, "**", ""),
    ] {
        assert_eq!(PathPattern::new(kind, None, path).unwrap().stem(), stem, "{path}");
    }
}
