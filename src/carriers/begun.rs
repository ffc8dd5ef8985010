//! Finds the directory in which a conversation of Codex was begun, by Codex's record of it:
//! `sessions/Y/M/D/rollout-…-ID.jsonl`.
//!
//! The tools of all Codexes run in one server, and only the conversation shows which Codex a tool serves. The
//! conversation's id contains the time of its beginning, and its record begins with the directory. The format is
//! undocumented: anything unexpected counts as unknown. Read-only: no lock is needed.

use super::codex;
use crate::core::coord::date;
use crate::core::heir::is_session;
use crate::os::program::Environment;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

/// The variable that names the conversation for Codex's tools.
pub const CONVERSATION: &str = "CODEX_THREAD_ID";

/// The most bytes that are read of a record's first row, which also holds the agent's instructions.
const MOST: u64 = 1 << 20;

/// A day (ms). The directories are named by the local day, which may be the day before or after.
const DAY: u64 = 86_400_000;

/// The directory in which the conversation with that id was begun, for a Codex with that environment.
pub fn begun_in(id: &str, environment: &Environment) -> Option<PathBuf> {
    let sessions = codex::directory(environment)?.join("sessions");
    let at = time_in(id).filter(|_| is_session(id))?;
    let end = format!("-{id}.jsonl");
    let record = [at, at.saturating_sub(DAY), at.saturating_add(DAY)].into_iter().find_map(|at| {
        let files = fs::read_dir(sessions.join(date::day(at).replace('-', "/"))).ok()?;
        files.flatten().map(|file| file.path()).find(|path| path.to_string_lossy().ends_with(&end))
    })?;
    let mut row = String::new();
    BufReader::new(File::open(record).ok()?).take(MOST).read_line(&mut row).ok()?;
    let first: serde_json::Value = serde_json::from_slice(row.as_bytes()).ok()?;
    let is_its = first["type"] == "session_meta" && first["payload"]["id"] == id;
    first["payload"]["cwd"].as_str().filter(|_| is_its).map(PathBuf::from).filter(|dir| dir.is_absolute())
}

/// The time in an id (ms since the epoch): a UUID of version 7 begins with it.
fn time_in(id: &str) -> Option<u64> {
    let parts: Vec<&str> = id.split('-').collect();
    let [high, low, third, ..] = parts[..] else { return None };
    let plain = high.len() == 8 && low.len() == 4 && third.starts_with('7');
    u64::from_str_radix(&format!("{high}{low}"), 16).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_in_an_id_is_that_of_its_conversation() {
        let at = time_in("01a21c1a-c2c0-7140-b355-f287fa4cd2d7").unwrap();
        assert_eq!(date::minute(at), "2026-11-27 08:24");
        for other in
            ["", "01a21c1a", "01a21c1a-c2c0-4140-b355-f287fa4cd2d7", "xxxxxxxx-c2c0-7140-b355-f287fa4cd2d7"]
        {
            assert_eq!(time_in(other), None, "{other}");
        }
    }
}
