//! Checks before a shell command whether it would take other agents' uncommitted work.
//!
//! `core::tree` judges the command; this module collects the facts for it. A command without git costs only a look at
//! its text. One with git costs more only if another agent holds or has edited something. Takes no lock; acts of
//! others between the look and the command are not seen.

use crate::core::agent::Agent;
use crate::core::lease::{Holder, Lease};
use crate::core::name::Name;
use crate::core::tree::World;
use crate::core::tree::git::{self as acts, Act, Dirty, DirtyLook, Harm, Paths, Untracked};
use crate::core::tree::verdict::{self, ClaimReason, Edit, PathClaim};
use crate::os::git;
use crate::store::{Store, now_ms};
use anyhow::Result;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The most paths whose last commit is looked up.
const MAX_LOOKUPS: usize = 32;

/// The most submodules that are looked at.
const MAX_SUBMODULES: usize = 32;

/// The stack of the parser, in bytes. Only the part that is used takes memory.
const STACK: usize = 128 << 20;

/// What other agents hold and have edited in the project, as far as it is known.
#[derive(Debug)]
pub struct Others {
    leases: Vec<Lease>,
    edits: Vec<Edit>,
    own: Vec<Edit>,
}

impl Others {
    /// What agents other than `own` hold and have edited. Only the edits of living agents count.
    pub fn of(store: &Store, agents: &[Agent], own: &Name, holder: &Holder) -> Result<Self> {
        let leases =
            store.peek_leases()?.table.leases().filter(|l| !l.holder.is_same(holder)).cloned().collect();
        let (mine, edits) = store.edits()?.into_iter().partition(|edit: &Edit| edit.who == *own);
        let lives = |edit: &Edit| agents.iter().any(|a| a.is_live() && a.name == edit.who);
        Ok(Self { leases, edits: Vec::into_iter(edits).filter(lives).collect(), own: mine })
    }

    /// Without the edits.
    #[must_use]
    pub fn leases_only(self) -> Self {
        Self { edits: Vec::new(), ..self }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.edits.is_empty()
    }

    /// Which of these paths of the work tree at `top` others hold or have edited.
    pub fn claims(&self, store: &Store, top: &Path, paths: &[String], kind: Harm) -> Result<Vec<PathClaim>> {
        let mut found = Vec::new();
        let mut lookups = 0;
        for name in paths {
            // Nobody holds a path that is outside of the project or cannot be leased.
            let Ok(path) = store.literal_pattern(top, OsStr::new(name)) else { continue };
            let holds = self.leases.iter().find(|l| l.paths.iter().any(|p| p.overlaps(&path)));
            if let Some(lease) = holds {
                let who = lease.holder.name.clone();
                found.push(PathClaim { who, path, why: ClaimReason::Holds(lease.fence) });
            } else if let Some(edit) = verdict::edited(&path, kind, &self.edits, &self.own) {
                lookups += 1;
                if lookups > MAX_LOOKUPS || !committed_since(top, name, edit.at)? {
                    found.push(PathClaim { who: edit.who.clone(), path, why: ClaimReason::Edited(edit.at) });
                }
            }
        }
        Ok(found)
    }
}

/// Whether a commit after `at` contains the path, for repositories where no git hook reports commits.
fn committed_since(top: &Path, path: &str, at: u64) -> Result<bool> {
    let told = git::read(top, &["--literal-pathspecs", "log", "-1", "--format=%ct", "--", path])?;
    let seconds = told.and_then(|text| String::from_utf8_lossy(&text).trim().parse::<u64>().ok());
    Ok(seconds.is_some_and(|seconds| seconds * 1000 > at))
}

/// Whether a command may call git at all.
fn concerns(command: &str) -> bool {
    command.contains("git") || command.contains("gh pr")
}

/// Why the command must not run, if it must not. `msg` is how the agent calls `swarm-msg`.
pub(super) fn before(
    store: &Store,
    agents: &[Agent],
    own: &Name,
    holder: &Holder,
    dir: &Path,
    command: &str,
    msg: &dyn Fn() -> String,
) -> Result<Option<String>> {
    if !concerns(command) {
        return Ok(None);
    }
    let others = Others::of(store, agents, own, holder)?;
    if others.is_empty() {
        return Ok(None);
    }
    for act in judged(store, dir, command)? {
        let claims = taken(store, &others, &act)?;
        if !claims.is_empty() {
            return Ok(Some(verdict::refusal(&act.shown, act.kind, &claims, now_ms(), &msg())));
        }
    }
    Ok(None)
}

/// The parser of shell commands is recursive, and a command may be anything. So it has a stack that is large enough
/// for the deepest command that it accepts.
fn judged(store: &Store, dir: &Path, command: &str) -> Result<Vec<Act>> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let work = thread.spawn_scoped(scope, || acts::acts(command, dir, &Here { store }))?;
        work.join().map_err(|_| anyhow::anyhow!("the command could not be checked"))
    })
}

fn taken(store: &Store, others: &Others, act: &Act) -> Result<Vec<PathClaim>> {
    // A repository elsewhere is not even looked at, because its configuration may be anybody's.
    if !is_ours(store, &act.dir) {
        return Ok(Vec::new());
    }
    let Some(top) = git::top(&act.dir)? else { return Ok(Vec::new()) };
    let paths = act.taken(&mut |look| dirty(look).unwrap_or_default());
    others.claims(store, &top, &paths, act.kind)
}

fn is_ours(store: &Store, dir: &Path) -> bool {
    // `x` need not exist. A project may be a part of its repository.
    let around = |top: &Path| top.join(".git").exists() && store.root().starts_with(top);
    let nearest = || dir.ancestors().find(|dir| dir.join(".git").exists());
    dir.is_dir() && (store.literal_pattern(dir, OsStr::new("x")).is_ok() || nearest().is_some_and(around))
}

/// The tracked files of the work tree around `dir` that differ from its last commit.
pub fn uncommitted(dir: &Path) -> Result<Vec<String>> {
    let look = DirtyLook { dir: dir.to_owned(), paths: Paths::All, untracked: Untracked::No, ignored: false };
    Ok(dirty(&look)?.into_iter().map(|dirty| dirty.path).collect())
}

/// The dirty files of a work tree. A path that git does not know is not dirty.
fn dirty(look: &DirtyLook) -> Result<Vec<Dirty>> {
    let mut args = vec!["status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=dirty"];
    args.push(match look.untracked {
        Untracked::No => "--untracked-files=no",
        Untracked::Beside => "--untracked-files=normal",
        Untracked::All => "--untracked-files=all",
    });
    if look.ignored {
        args.push("--ignored=traditional");
    }
    args.push("--");
    if let Paths::Only(paths) = &look.paths {
        args.extend(paths.iter().map(String::as_str));
    }
    let told = git::read(&look.dir, &args)?.unwrap_or_default();
    Ok(told.split(|b| *b == 0).filter_map(entry).collect())
}

/// An entry of `git status`: `XY PATH`.
fn entry(bytes: &[u8]) -> Option<Dirty> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut chars = text.chars();
    let (index, work) = (chars.next()?, chars.next()?);
    Some(Dirty { path: text.get(3..)?.to_owned(), index, work })
}

/// The facts around this process.
struct Here<'s> {
    store: &'s Store,
}

impl World for Here<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn alias(&self, dir: &Path, name: &str) -> Option<String> {
        // A name that git would take for a pattern is not an alias.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return None;
        }
        self.setting(dir, &format!("alias.{name}"))
    }

    fn setting(&self, dir: &Path, key: &str) -> Option<String> {
        if !is_ours(self.store, dir) {
            return None;
        }
        let told = git::read(dir, &["config", "--get", key]).ok()??;
        String::from_utf8(told).ok().map(|text| text.trim_end().to_owned())
    }

    fn submodules(&self, dir: &Path) -> Vec<PathBuf> {
        let asked = ["config", "-z", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$"];
        let Some(top) = Some(dir).filter(|dir| is_ours(self.store, dir)).and_then(|d| git::top(d).ok()?)
        else {
            return Vec::new();
        };
        let told = git::read(&top, &asked).ok().flatten().unwrap_or_default();
        let named =
            told.split(|b| *b == 0).filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('\n'));
        let there = |dir: &PathBuf| dir.join(".git").exists();
        named.map(|(_, path)| top.join(path)).filter(there).take(MAX_SUBMODULES).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn is_path(&self, dir: &Path, text: &str) -> bool {
        self.exists(&dir.join(text))
            || is_ours(self.store, dir)
                && git::read(dir, &["--literal-pathspecs", "ls-files", "-z", "--", text])
                    .ok()
                    .flatten()
                    .is_some_and(|told| !told.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_git_status_is_read_with_its_two_states() {
        let dirty = |text: &str| entry(text.as_bytes()).map(|d| (d.path, d.index, d.work));
        assert_eq!(dirty(" M a b.rs"), Some(("a b.rs".into(), ' ', 'M')));
        assert_eq!(dirty("?? n\u{e9}w/"), Some(("n\u{e9}w/".into(), '?', '?')));
        assert_eq!(dirty(""), None);
        assert_eq!(dirty("M"), None);
    }

    #[test]
    fn a_command_without_git_is_not_looked_at() {
        assert!(concerns("cd x && /usr/bin/git stash") && concerns("gh pr checkout 7"));
        assert!(!concerns("cargo test --all") && !concerns(""));
    }
}
