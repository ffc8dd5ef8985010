//! Determines what a shell command would do to the working tree that several agents share.
//!
//! Pure. A command is parsed like a shell does ([`script`]). Each git call in it becomes its effect on uncommitted
//! work ([`git`]), and that is compared with what others hold or have edited ([`verdict`]). Facts about the world
//! (variables, aliases, dirty files) come in through [`World`] or as arguments.
//!
//! It guards against accidents. If a call cannot be known (a script in a file, a computed name), it is allowed,
//! unless it names no paths or all of them: then all paths count.

pub mod git;
pub mod script;
pub mod verdict;
mod word;
mod wrapper;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

/// Facts that are looked up only if a command needs them.
pub trait World {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of git's alias `name` in `dir`.
    fn alias(&self, dir: &Path, name: &str) -> Option<String>;
    /// The value of git's setting `key` in `dir`.
    fn setting(&self, dir: &Path, key: &str) -> Option<String>;
    /// The work trees of the submodules around `dir`.
    fn submodules(&self, dir: &Path) -> Vec<PathBuf>;
    fn exists(&self, path: &Path) -> bool;
    /// Whether `text` is a path in `dir` that exists or that git tracks.
    fn is_path(&self, dir: &Path, text: &str) -> bool;
}
