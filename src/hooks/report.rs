//! The state that an agent's hooks report: `hooks/NAME.json`.
//!
//! A report may hold a delivery for a moment when the screen lags behind. It never proves an agent idle, and it
//! counts for [`FRESH_MS`] only, because an interrupted turn ends without a hook. The record is replaced as a whole,
//! and volatile; the last of several racing hooks wins.

use crate::core::agent::Status;
use crate::core::name::Name;
use crate::store::record::{self, Durability, Loaded};
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How long a report is believed, in milliseconds: longer than any agent takes to show what it is doing (the slowest
/// took 3 s).
pub const FRESH_MS: u64 = 3000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub status: Status,
    /// When (ms since the epoch). Without this the report is too old to be believed.
    #[serde(default)]
    pub at: u64,
    /// When the running shell tool began (ms since the epoch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell_since: Option<u64>,
    /// The warning for the agent after that tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A shell tool that has begun.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// The warning for the agent after the command.
    pub warning: Option<String>,
}

/// Records the report of a hook of the agent `name`.
pub fn write(store: &Store, name: &Name, status: Status, shell: Option<Shell>) -> Result<()> {
    let dir = store.dir().join("hooks");
    if !dir.exists() {
        record::ensure_dir(&dir)?;
    }
    let news = read(store, name)?.is_none_or(|before| before.status != status);
    let at = now_ms();
    let shell_since = shell.is_some().then_some(at);
    let report = Report { status, at, shell_since, warning: shell.and_then(|shell| shell.warning) };
    record::replace(
        &store.dir().join("tmp"),
        &dir.join(format!("{name}.json")),
        &report,
        Durability::Volatile,
    )?;
    if news {
        // The courier shows the state to people.
        store.ring()?;
    }
    Ok(())
}

/// The last report, if there is one.
pub fn read(store: &Store, name: &Name) -> Result<Option<Report>> {
    Ok(match record::load::<Report>(&store.dir().join("hooks").join(format!("{name}.json")))? {
        Loaded::Ok(report) => Some(report),
        Loaded::Missing | Loaded::Bad(_) => None,
    })
}

/// The status that a hook of `name` reported, if the report is fresh.
pub fn fresh(store: &Store, name: &Name) -> Option<Status> {
    let report = read(store, name).ok().flatten()?;
    let now = now_ms();
    (report.at <= now && now - report.at < FRESH_MS).then_some(report.status)
}
