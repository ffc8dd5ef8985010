//! The versions of agents that passed a test here: `self-tested.json` in the person's own state directory.
//!
//! No lock: if two tests run at once, one result may be lost, and that test can be repeated.

use super::{foreign, key};
use anyhow::Result;
use serde_json::{Value, json};

/// The most versions that are kept for a kind.
const MOST: usize = 20;

fn all() -> Value {
    let text = key::state_home().ok().and_then(|dir| foreign::text(&dir.join("self-tested.json")).ok()?);
    let read = text.and_then(|text| serde_json::from_slice(text.as_bytes()).ok()).filter(Value::is_object);
    read.unwrap_or_else(|| json!({}))
}

/// The versions of a kind that passed.
pub fn of(kind: &str) -> Vec<String> {
    let list = all()[kind].as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|version| version.as_str().map(str::to_owned)).collect()
}

/// Records that a version passed.
pub fn note(kind: &str, version: &str) -> Result<()> {
    let mut versions = of(kind);
    versions.retain(|known| known != version);
    versions.insert(0, version.to_owned());
    versions.truncate(MOST);
    let mut all = all();
    all[kind] = json!(versions);
    foreign::replace(&key::state_home()?.join("self-tested.json"), &format!("{all:#}\n"))
}
