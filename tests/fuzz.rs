//! What is fuzzed, without a fuzzer: every target on every file of its corpus, and on mutations of them.
//!
//! The mutations are seeded, so each run tries the same ones. `SWARM_FUZZ_RUNS=n` tries that many for each target. An input that
//! does not hold is printed, and written where the message says, to be put into `fuzz/corpus/`. What ends the whole process (a
//! stack that is used up) prints nothing; `SWARM_FUZZ_KEEP=1` writes each input down before it is tried.

#![allow(unreachable_pub, clippy::unwrap_used)] // the targets are another crate's, too; a test fails by panicking

#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use targets::Target;

/// The longest input that is tried, in bytes; most are much shorter.
const LONGEST: usize = 16 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The inputs kept for a target, by name.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(fuzz().join("corpus").join(name)).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    files.into_iter().map(read).collect()
}

/// The words that libFuzzer is given, too: one a line, quoted, with `\\`, `\"` and `\xHH`.
fn tokens() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(fuzz().join("tokens.dict")).unwrap();
    let quoted = |line: &str| {
        let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
        let mut token = Vec::new();
        while let Some((first, more)) = rest.split_first() {
            rest = match (first, more) {
                (b'\\', [b'x', high, low, more @ ..]) => {
                    let digits = [*high, *low];
                    token.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                    more
                }
                (b'\\', [quoted @ (b'\\' | b'"'), more @ ..]) => {
                    token.push(*quoted);
                    more
                }
                (plain, more) => {
                    token.push(*plain);
                    more
                }
            };
        }
        Some(token)
    };
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    lines.map(|line| quoted(line).unwrap_or_else(|| panic!("no token: {line}"))).collect()
}

/// A fixed sequence of numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n.max(1)
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Where something begins and ends; the end is not far.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        from..(from + self.below(40)).min(length)
    }

    /// Changes `input` once.
    fn mutate(&mut self, input: &mut Vec<u8>, seeds: &[(String, Vec<u8>)], tokens: &[Vec<u8>]) {
        let length = input.len();
        match self.below(12) {
            0 if length > 0 => input[self.below(length)] ^= 1 << self.below(8),
            1 if length > 0 => input[self.below(length)] = u8::try_from(self.below(256)).unwrap(),
            2 => input.truncate(self.below(length + 1)),
            3 => drop(input.drain(self.range(length))),
            4 => {
                let twice = input[self.range(length)].to_vec();
                let at = self.below(length + 1);
                input.splice(at..at, twice);
            }
            // The beginning of one and the end of another.
            5 => {
                let other = &self.pick(seeds).1;
                input.truncate(self.below(length + 1));
                input.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            6 => {
                let token = self.pick(tokens).clone();
                let range = self.range(length);
                input.splice(range, token);
            }
            // A long run, or deep nesting, of something.
            7 => {
                let powers = if self.below(24) == 0 { 13 } else { 6 };
                let times = 1 << self.below(powers);
                let run = self.pick(tokens).repeat(times);
                let at = self.below(length + 1);
                input.splice(at..at, run);
            }
            // A number becomes another.
            8 => {
                let digits: Vec<usize> = (0..length).filter(|i| input[*i].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    input[*self.pick(&digits)] = b"0123456789.-e"[self.below(13)];
                }
            }
            _ => {
                let token = self.pick(tokens).clone();
                let at = self.below(length + 1);
                input.splice(at..at, token);
            }
        }
        input.truncate(LONGEST);
    }
}

/// Runs a target on one input. One that does not hold is shown and kept.
fn attempt((name, run): Target, input: &[u8], from: &str) {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
    if std::env::var_os("SWARM_FUZZ_KEEP").is_some() {
        fs::write(&kept, input).unwrap();
    }
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        fs::write(&kept, input).unwrap();
        panic!(
            "{name} does not hold for this input, made from {from}; it is in {}, for fuzz/corpus/{name}/:\n{}",
            kept.display(),
            input.escape_ascii()
        );
    }
}

/// Runs a target on its corpus, and on `runs` mutations of it.
fn hold(name: &str, runs: usize) {
    let target = *targets::ALL.iter().find(|(n, _)| *n == name).unwrap();
    let runs = std::env::var("SWARM_FUZZ_RUNS").map_or(runs, |n| n.parse().unwrap());
    let (seeds, tokens) = (corpus(name), tokens());
    assert!(!seeds.is_empty());
    let begun = Instant::now();
    attempt(target, b"", "nothing");
    for (file, seed) in &seeds {
        attempt(target, seed, file);
    }
    let mut random = Random(name.bytes().fold(1, |n, b| n * 31 + u64::from(b)));
    let mut slowest = Duration::ZERO;
    for _ in 0..runs {
        let (file, seed) = random.pick(&seeds);
        let mut input = seed.clone();
        for _ in 0..=random.below(5) {
            random.mutate(&mut input, &seeds, &tokens);
        }
        let started = Instant::now();
        attempt(target, &input, file);
        slowest = slowest.max(started.elapsed());
    }
    let took = begun.elapsed().as_millis();
    println!(
        "{name}: {} inputs in {took} ms, the slowest {} ms",
        1 + seeds.len() + runs,
        slowest.as_millis()
    );
}

#[test]
fn records_of_anybodys_making_prove_nothing_and_do_no_harm() {
    hold("records", 6_000);
}

#[test]
fn a_line_is_read_back_as_what_was_sent_and_none_can_be_made_up() {
    hold("frame", 3_000);
}

#[test]
fn an_agents_hook_may_say_anything() {
    hold("hook", 700);
}

#[test]
fn a_profile_may_say_anything() {
    hold("profile", 1_000);
}

#[test]
fn whatever_tmux_prints_idle_means_an_empty_composer() {
    hold("tmux", 2_000);
}

#[test]
fn a_change_of_any_document_leaves_the_rest_of_it_alone() {
    hold("coord", 600);
}

#[test]
fn settings_of_any_form_are_changed_and_read_back() {
    hold("settings", 500);
}

#[test]
fn nothing_in_a_journal_or_on_a_status_line_steers_a_terminal() {
    hold("journal", 2_000);
}

#[test]
fn every_target_is_known_wherever_targets_are_listed() {
    let listed = |path: &str| fs::read_to_string(fuzz().join(path)).unwrap();
    let (manifest, script) = (listed("Cargo.toml"), listed("../scripts/fuzz.sh"));
    let documented = listed("../docs/internal/fuzzing.md");
    let all: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(fs::read_dir(fuzz().join("fuzz_targets")).unwrap().count(), all.len());
    assert!(script.contains(&format!("targets='{}'", all.join(" "))), "scripts/fuzz.sh");
    for name in all {
        assert!(
            listed(&format!("fuzz_targets/{name}.rs")).contains(&format!("targets::{name}::{name}(data)"))
        );
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")),
            "{name}"
        );
        assert!(documented.contains(&format!("| `{name}` |")), "docs/internal/fuzzing.md lacks {name}");
    }
    assert!(tokens().len() > 100);
}
