//! Works out what a shell command would do to the working tree that several agents share.
//!
//! Pure. A command is parsed as a shell does ([`script`]). Each call of git in it becomes its effect on uncommitted
//! work ([`git`]), and that is compared with what others hold or have edited ([`verdict`]). Facts about the world
//! (variables, aliases, dirty files) come in through [`World`] or as arguments.
//!
//! It guards against accidents. What cannot be known (a script in a file, a computed name) passes, unless the command
//! names no paths or all of them: then all paths count.

pub mod git;
pub mod script;
pub mod verdict;
mod word;
mod wrapper;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

/// What is looked up only where a command needs it.
pub trait World {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// What git's alias `name` stands for in `dir`.
    fn alias(&self, dir: &Path, name: &str) -> Option<String>;
    /// What git's setting `key` is in `dir`.
    fn setting(&self, dir: &Path, key: &str) -> Option<String>;
    /// The work trees of the submodules around `dir`.
    fn submodules(&self, dir: &Path) -> Vec<PathBuf>;
    /// Whether a file is there.
    fn exists(&self, path: &Path) -> bool;
    /// Whether `text` names a path in `dir` that is there or that git tracks.
    fn is_path(&self, dir: &Path, text: &str) -> bool;
}
