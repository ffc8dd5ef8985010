//! Checks the team's paths before a push.
//!
//! All clones get the pushed commits, so this is the last point at which a lease of the team counts. git lists the
//! commits that it is about to send. The engine is asked, and not only this host's board: a host that was paused may
//! believe too long. A declared path that nobody holds may be pushed. A path that another agent holds may not, nor
//! may any while the engine does not answer, unless `team.offline` only warns.

use super::{Session, git, names, patterns};
use crate::cli::print;
use crate::cli::team::lease::cut;
use crate::core::hook::Enforce;
use crate::core::lease::{PathPattern, words};
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::core::team::{self, PathGuard};
use crate::courier::start;
use crate::os::clock;
use crate::store::team::{Answer, Ask};
use anyhow::{Context as _, Result};
use std::io::Read as _;
use std::time::Duration;

/// How long the engine may take: a push waits for a network anyway.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most text that git lists: a line for each reference.
const MAX_REFS: u64 = 4 << 20;

/// The most paths or holders that are named.
const NAMED: usize = 4;

/// The objection to a push.
enum Objection {
    /// Others hold pushed paths.
    Held(Vec<String>),
    /// The engine has not answered since then (ms since the epoch), for this reason.
    Cut(u64, String),
}

/// Checks the commits that git, on standard input, is about to push to `remote`.
pub(super) fn check(session: &Session, remote: Option<&str>) -> Result<()> {
    let settings = session.settings()?;
    if settings.team_paths.is_empty() || !session.store.has_team() {
        return Ok(());
    }
    let mut refs = String::new();
    std::io::stdin().take(MAX_REFS).read_to_string(&mut refs).context("cannot read what git pushes")?;
    let paths = team::declared(&settings.team_paths, &patterns(session, &pushed(&refs, remote)?)?);
    let (enforce, text) = match objection(session, &paths)? {
        None => return Ok(()),
        Some(Objection::Held(held)) => {
            let way =
                "push when it is free (swarm-msg lock --team --wait 10m PATH), or without these commits";
            (Enforce::Deny, format!("{}; {way}", held.join("; ")))
        }
        Some(Objection::Cut(since, why)) => {
            let some = words::list(&paths[..paths.len().min(NAMED)]);
            (settings.offline, cut(since, &why, &some, "Your commits stay here; push them later"))
        }
    };
    if session.caller.name.is_human() || enforce != Enforce::Deny {
        print::tell(&format!("warning: {text}"));
        return Ok(());
    }
    Err(Refusal::Held(format!("not pushed: {text}")).into())
}

/// The objection to a push of these paths, by the engine.
fn objection(session: &Session, paths: &[PathPattern]) -> Result<Option<Objection>> {
    if paths.is_empty() {
        return Ok(None);
    }
    start::ensure_link(&session.store);
    let seen = session.store.ask_team(&Ask::Look, PATIENCE)?;
    let heard = session.store.hosts()?.link.heard;
    match seen {
        Some(Answer::Seen(_)) => {}
        Some(Answer::Cut(since, why)) => return Ok(Some(Objection::Cut(since, why))),
        _ => return Ok(Some(Objection::Cut(heard, "the link did not answer".to_owned()))),
    }
    let (now, board) = (clock::ticks()?, session.store.board()?);
    let guard = |path| {
        board.as_ref().map_or(PathGuard::Unknown(heard), |b| b.guard(&now, &session.caller.name, path))
    };
    let mut held = Vec::new();
    for path in paths {
        match guard(path) {
            PathGuard::Mine | PathGuard::Free => {}
            PathGuard::Held(lease) => held.push(words::held_in_team(&lease)),
            PathGuard::Unknown(since) => {
                return Ok(Some(Objection::Cut(since, "this host's session has ended".to_owned())));
            }
        }
    }
    held.dedup();
    held.truncate(NAMED);
    Ok((!held.is_empty()).then_some(Objection::Held(held)))
}

/// The files in the commits that git is about to send, by its lines `LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID`.
fn pushed(refs: &str, remote: Option<&str>) -> Result<Vec<String>> {
    let is_id = |id: &&str| {
        id.len() >= 40 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0')
    };
    let is_known = |id: &&str| git(&["cat-file", "-e", &format!("{id}^{{commit}}")]).is_ok();
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for line in refs.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        // Removing a reference sends no commits: its id is all zeros.
        let Some(local) = words.get(1).copied().filter(is_id) else { continue };
        new.push(local);
        old.extend(words.get(3).copied().filter(is_id).filter(is_known));
    }
    if new.is_empty() {
        return Ok(Vec::new());
    }
    // For a remote without a name nothing is recorded, so the references of all remotes count as known.
    let all = git(&["remote"])?;
    let named = remote.filter(|name| all.split(|b| *b == b'\n').any(|known| known == name.as_bytes()));
    let there = named.map_or_else(|| "--remotes".to_owned(), |name| format!("--remotes={name}"));
    // For a merge, only its own changes.
    let mut args = vec!["log", "--no-renames", "-c", "--name-only", "--format=", "-z"];
    args.extend(&new);
    args.push("--not");
    args.extend(&old);
    args.extend([there.as_str(), "--"]);
    let mut paths = names(&args)?;
    order::sort(&mut paths);
    paths.dedup();
    Ok(paths)
}
