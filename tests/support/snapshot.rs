//! Texts for people, compared with the files in tests/fixtures/snapshots: there a reviewer reads the prose, and sees
//! in a diff what a change does to it. `SWARM_UPDATE_SNAPSHOTS=1` writes the files.

use std::fs;
use std::path::Path;

/// Compares `text` with the snapshot `name`.
pub(crate) fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/snapshots").join(name);
    // No trailing blanks: editors and git take them away.
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if std::env::var_os("SWARM_UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        return fs::write(&path, text).unwrap();
    }
    let pinned = fs::read_to_string(&path).unwrap_or_default();
    let changed = pinned.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(
        pinned == text,
        "{} differs from line {} on; if that is right: SWARM_UPDATE_SNAPSHOTS=1 cargo test, then read the diff\n{text}",
        path.display(),
        changed.unwrap_or_else(|| pinned.lines().count().min(text.lines().count())) + 1
    );
}
