//! Determines what a git command does to uncommitted work.
//!
//! It knows only commands that lose, hide or commit such work: git itself refuses a merge or a pull that would
//! overwrite it, and unstaging loses nothing. Options are parsed like git's, as far as they matter; a long option may
//! be shortened.

mod args;
mod judge;
mod subcommands;

use super::World;
use super::script;
use crate::core::order;
use judge::Judge;
use std::path::{Path, PathBuf};

/// The effect on the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is lost.
    Discard,
    /// It is put into the stash.
    Stash,
    /// It becomes part of a commit.
    Commit,
    /// Another commit is checked out below it.
    Move,
}

/// The affected paths of a work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    All,
    /// The matches of these pathspecs, from the directory of the call.
    Only(Vec<String>),
}

/// Which files that git does not track count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untracked {
    /// None.
    No,
    /// Those beside tracked ones; a new directory is one entry that ends in a slash.
    Beside,
    All,
}

/// A query for the dirty files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyLook {
    /// The directory.
    pub dir: PathBuf,
    pub paths: Paths,
    pub untracked: Untracked,
    /// Whether ignored files count as well.
    pub ignored: bool,
}

/// One entry of `git status --porcelain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirty {
    /// The path, from the top of the work tree.
    pub path: String,
    /// The state in the index.
    pub index: char,
    /// The state in the work tree.
    pub work: char,
}

impl Dirty {
    fn is_staged(&self) -> bool {
        !matches!(self.index, ' ' | '?' | '!')
    }

    fn is_changed(&self) -> bool {
        !matches!(self.work, ' ' | '?' | '!')
    }
}

/// Which of the dirty paths are affected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Takes {
    staged: bool,
    changed: bool,
    new: bool,
    ignored: bool,
}

impl Takes {
    const TRACKED: Takes = Takes { staged: true, changed: true, new: false, ignored: false };

    fn of(self, dirty: &Dirty) -> bool {
        match dirty.index {
            // A new directory as a whole is not touched by commands that see it as one entry.
            '?' => self.new && !dirty.path.ends_with('/'),
            '!' => self.ignored,
            _ => self.staged && dirty.is_staged() || self.changed && dirty.is_changed(),
        }
    }
}

/// A change of the index by an earlier call of the same script.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Staging {
    dir: PathBuf,
    paths: Paths,
    /// Whether it was added; otherwise it was removed.
    add: bool,
    new: bool,
}

/// The effect of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub dir: PathBuf,
    /// The call, for its author.
    pub shown: String,
    pub kind: Harm,
    paths: Paths,
    takes: Takes,
    /// New directories as a whole are not touched.
    beside: bool,
    staging: Vec<Staging>,
}

impl Act {
    /// The dirty paths that it affects. `look` returns the dirty files.
    pub fn taken(&self, look: &mut dyn FnMut(&DirtyLook) -> Vec<Dirty>) -> Vec<String> {
        let whole = if self.beside { Untracked::Beside } else { Untracked::All };
        let wanted = DirtyLook {
            dir: self.dir.clone(),
            paths: self.paths.clone(),
            untracked: if self.takes.new { whole } else { Untracked::No },
            ignored: self.takes.ignored,
        };
        let mut found: Vec<String> =
            look(&wanted).into_iter().filter(|dirty| self.takes.of(dirty)).map(|dirty| dirty.path).collect();
        for step in &self.staging {
            let untracked = if step.add && step.new { Untracked::All } else { Untracked::No };
            let dirty = look(&DirtyLook {
                dir: step.dir.clone(),
                paths: step.paths.clone(),
                untracked,
                ignored: false,
            });
            if step.add {
                let takes = Takes { staged: true, changed: true, new: step.new, ignored: false };
                found.extend(dirty.into_iter().filter(|d| takes.of(d)).map(|d| d.path));
            } else {
                found.retain(|path| !dirty.iter().any(|d| d.path == *path));
            }
        }
        order::sort(&mut found);
        found.dedup();
        found
    }
}

/// The effects of the git calls in `text`, run in `dir`.
pub fn acts(text: &str, dir: &Path, world: &dyn World) -> Vec<Act> {
    let mut judge = Judge::new(world);
    for call in script::calls(text, dir, world) {
        judge.call(&call, 0);
    }
    judge.acts
}
