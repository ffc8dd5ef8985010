//! Finds the conversation of a Codex by the marks in its own directory.
//!
//! A Codex that opens a conversation, a new one or an earlier one, touches `tui-thread-reference-capabilities/ID` a
//! second or two after its start. The file does not name the process. So a mark counts only if nobody else can have
//! made it: it is the only one of that time, and no other Codex with that directory started shortly before. The
//! directory is undocumented. Without it, or in any doubt, the conversation is unknown until the agent's hooks report
//! it with the first prompt. Read-only: no lock is needed.

use super::Started;
use super::own::{check_namespace, own_directory};
use crate::core::heir::{Conversation, is_session};
use crate::core::process_id::ProcessId;
use crate::core::span;
use crate::os::clock;
use crate::os::process::Table;
use crate::os::program::Environment;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The kind of agent that makes these marks.
pub(super) const KIND: &str = "codex";

/// The directory of the marks.
const MARKS: &str = "tui-thread-reference-capabilities";

/// How long after its start a Codex may open its conversation (ms): a busy machine takes its time, and so does a
/// person who chooses.
const WITHIN: u64 = 30_000;

/// The greatest difference between the start of a process and the time of a file (ms).
const SLACK: u64 = 50;

/// The most marks that are looked at.
const MOST: usize = 20_000;

/// The conversation of that Codex.
pub(super) fn conversation(codex: &Started<'_>) -> Conversation {
    look(codex).unwrap_or_default()
}

fn look(codex: &Started<'_>) -> Option<Conversation> {
    check_namespace(codex.known_in).ok()?;
    let (home, resumes) = (directory(codex.environment)?, codex.resumes.is_some());
    let started = clock::started_ms(codex.process)?;
    let marks: Vec<(String, u64)> = fs::read_dir(home.join(MARKS))
        .ok()?
        .flatten()
        .take(MOST)
        .filter_map(|mark| {
            let touched = mark.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some((mark.file_name().into_string().ok()?, span::ms(touched)))
        })
        .collect();
    match of_that_time(started, &marks)[..] {
        [(id, at)] if is_session(id) && !others(codex.process, &home, started, at)? => {
            Some(Conversation::Is { id: id.to_owned(), resumed: resumes })
        }
        [] if resumes && clock::shared_ms() < started.saturating_add(WITHIN) => Some(Conversation::Soon),
        _ => None,
    }
}

/// The marks that a process with this start may have made.
fn of_that_time(started: u64, marks: &[(String, u64)]) -> Vec<(&str, u64)> {
    let time = started.saturating_sub(SLACK)..=started.saturating_add(WITHIN);
    marks.iter().filter(|(_, at)| time.contains(at)).map(|(id, at)| (id.as_str(), *at)).collect()
}

/// Whether another Codex with that directory was starting as well. `None`: unknown.
fn others(process: &ProcessId, home: &Path, started: u64, at: u64) -> Option<bool> {
    let table = Table::read().ok()?;
    let own: Vec<i32> = table.tree(process.pid).iter().map(|p| p.pid).collect();
    let is_starting = |pid: i32| {
        let start = table.id(pid).and_then(|id| clock::started_ms(&id));
        start.is_none_or(|start| start <= at.saturating_add(SLACK) && start.saturating_add(WITHIN) >= started)
    };
    let mut others = table.all().filter(|p| !own.contains(&p.pid) && !p.ended && is_starting(p.pid));
    let has_home = |pid: i32| directory(&Environment::of(pid)).as_deref() == Some(home);
    Some(others.any(|p| is_codex(&p.comm, &p.argv()) && has_home(p.pid)))
}

/// Whether a process is a Codex that opens conversations. The background server that all of them share opens none by
/// itself.
fn is_codex(comm: &str, argv: &[String]) -> bool {
    let is_named = |word: &String| Path::new(word).file_name().is_some_and(|name| name == KIND);
    let serves = argv.iter().any(|word| word == "app-server");
    (comm == KIND || argv.iter().take(2).any(is_named)) && !serves
}

/// The directory that a Codex with that environment uses.
pub(super) fn directory(environment: &Environment) -> Option<PathBuf> {
    own_directory(environment, "CODEX_HOME", ".codex")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_opened_just_after_the_start_counts() {
        let mark = |id: &str, at: u64| (id.to_owned(), at);
        let marks = [mark("before", 99_000), mark("own", 101_500), mark("later", 200_000)];
        assert_eq!(of_that_time(100_000, &marks), [("own", 101_500)]);
        assert_eq!(of_that_time(300_000, &marks), []);
        let two = [mark("one", 101_500), mark("other", 129_000)];
        assert_eq!(of_that_time(100_000, &two).len(), 2, "nobody can tell which is whose");
    }

    #[test]
    fn the_server_of_all_is_none_of_them() {
        let argv = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(is_codex("codex", &argv("codex resume --last")));
        assert!(is_codex("node", &argv("node /usr/bin/codex")));
        assert!(!is_codex("codex", &argv("/x/codex app-server --listen y")));
        assert!(!is_codex("vim", &argv("vim notes codex")));
    }
}
