//! What is fuzzed: one plain function a target, of the same name as its file, which panics where something does not hold.
//!
//! Three callers: `fuzz_targets/` for libFuzzer, `tests/fuzz.rs` for every run of the tests, and whoever wants to know what one
//! input does. Nothing here keeps anything from one input to the next that could make the same input do something else.

pub mod coord;
pub mod frame;
pub mod hook;
pub mod journal;
pub mod profile;
pub mod records;
pub mod settings;
pub mod tmux;

use swarm::core::signing::{KEY_LEN, Key};

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const ALL: [Target; 8] = [
    ("records", records::records),
    ("frame", frame::frame),
    ("hook", hook::hook),
    ("profile", profile::profile),
    ("tmux", tmux::tmux),
    ("coord", coord::coord),
    ("settings", settings::settings),
    ("journal", journal::journal),
];

/// A key that depends on the input: no input can hold a signature made with its own key, not even one that a fuzzer found by
/// looking on while a signature was compared.
fn unseen_key(data: &[u8]) -> Key {
    let digest = Key::new([9; KEY_LEN]).seal("the key for", data);
    let mut key = [0; KEY_LEN];
    key.copy_from_slice(&digest.as_bytes()[..KEY_LEN]);
    Key::new(key)
}

/// A number that the input decides on.
fn number(data: &[u8], below: usize) -> usize {
    let sum = data.iter().fold(7_usize, |n, b| n.wrapping_mul(31).wrapping_add(usize::from(*b)));
    sum % below.max(1)
}

/// One line, and nothing in it that steers a terminal.
fn assert_plain(text: &str) {
    let bad = swarm::core::escape::misleading(text).next();
    assert_eq!(bad, None, "{text:?}");
}
