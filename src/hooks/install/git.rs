//! The guard of commits: `pre-commit` and `post-commit` hooks of a repository, chained before what was there.
//!
//! A hook that exists is moved aside, keeps its mode, and is run after ours with the same arguments and input; uninstalling
//! moves it back, so it is byte for byte what it was. A hooks directory that is set for the whole machine or person
//! (`core.hooksPath` outside the repository) is refused: others live there. Each file comes into its place by a rename; after a
//! crash between the two, installing again goes on from there.

use crate::core::refusal::Refusal;
use crate::store::{entropy, fault, record};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each hook with what it runs.
const HOOKS: [(&str, &str); 2] = [("pre-commit", "guard"), ("post-commit", "guard --committed")];

/// The ending of a hook that was moved aside.
const ASIDE: &str = "before-swarm";

/// The second line of our hooks, by which they are known.
const MARK: &str = "# Written by swarm hooks install git; removed by swarm hooks uninstall git.";

/// The guard of one repository.
#[derive(Clone, Debug)]
pub struct Guard {
    dir: PathBuf,
}

impl Guard {
    /// The hooks of the repository at `root`. Spawns git twice.
    pub fn new(root: &Path) -> Result<Self> {
        let git = |args: &[&str]| -> Result<Option<String>> {
            let out =
                Command::new("git").arg("-C").arg(root).args(args).output().context("cannot run git")?;
            let text =
                String::from_utf8(out.stdout).context("git answered in another encoding than UTF-8")?;
            Ok(out.status.success().then(|| text.trim_end_matches('\n').to_owned()))
        };
        if let Some(set) = git(&["config", "--show-scope", "--get", "core.hooksPath"])? {
            let (scope, path) = set.split_once('\t').unwrap_or_default();
            if !matches!(scope, "local" | "worktree") {
                return Err(Refusal::Usage(format!(
                    "core.hooksPath is set to {path} in git's {scope} configuration: hooks there are for all repositories; set it in this repository, or call `swarm guard` from your own pre-commit hook"
                ))
                .into());
            }
        }
        let Some(dir) = git(&["rev-parse", "--git-path", "hooks"])? else {
            return Err(Refusal::Usage(format!("{} is no git repository", root.display())).into());
        };
        Ok(Self { dir: root.join(dir) })
    }

    /// Where the hooks are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// How many of our hooks are there, with this program.
    pub fn count(&self, program: &str) -> usize {
        HOOKS
            .iter()
            .filter(|(hook, what)| self.text(hook).is_some_and(|t| t == script(program, hook, what)))
            .count()
    }

    /// Whether all are.
    pub fn is_complete(&self, program: &str) -> bool {
        self.count(program) == HOOKS.len()
    }

    /// Whether any of ours is, of whatever program.
    pub fn is_installed(&self) -> bool {
        HOOKS.iter().any(|(hook, _)| self.text(hook).is_some_and(|t| t.contains(MARK)))
    }

    /// Installs both. Idempotent.
    pub fn install(&self, program: &str) -> Result<()> {
        fs::create_dir_all(&self.dir).with_context(|| format!("cannot create {}", self.dir.display()))?;
        for (hook, what) in HOOKS {
            let (path, aside) = self.places(hook);
            let ours = self.text(hook).is_some_and(|t| t.contains(MARK));
            if !ours && path.symlink_metadata().is_ok() {
                if aside.symlink_metadata().is_ok() {
                    bail!(
                        "{} and {} are both there: remove one of them first",
                        path.display(),
                        aside.display()
                    );
                }
                fs::rename(&path, &aside).with_context(|| format!("cannot move {}", path.display()))?;
                fault::point("hook-aside");
            }
            let temp = self.dir.join(format!("{hook}.swarm-{:016x}.tmp", entropy()?));
            record::create_file(&temp, script(program, hook, what).as_bytes())?;
            fs::set_permissions(&temp, fs::Permissions::from_mode(0o755))?;
            fs::rename(&temp, &path).with_context(|| format!("cannot write {}", path.display()))?;
            fault::point("hook-placed");
        }
        Ok(())
    }

    /// Removes ours and puts back what was there. Idempotent.
    pub fn uninstall(&self) -> Result<bool> {
        let mut changed = false;
        for (hook, _) in HOOKS {
            let (path, aside) = self.places(hook);
            // An installation that was killed left it moved aside, and nothing in its place.
            let interrupted = path.symlink_metadata().is_err() && aside.symlink_metadata().is_ok();
            if !interrupted && !self.text(hook).is_some_and(|t| t.contains(MARK)) {
                continue;
            }
            changed = true;
            if aside.symlink_metadata().is_ok() { fs::rename(&aside, &path) } else { fs::remove_file(&path) }
                .with_context(|| format!("cannot restore {}", path.display()))?;
        }
        Ok(changed)
    }

    fn places(&self, hook: &str) -> (PathBuf, PathBuf) {
        (self.dir.join(hook), self.dir.join(format!("{hook}.{ASIDE}")))
    }

    fn text(&self, hook: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(hook)).ok()
    }
}

fn script(program: &str, hook: &str, what: &str) -> String {
    let program = program.replace('\'', "'\\''");
    format!(
        "#!/bin/sh\n{MARK}\n# It refuses a commit of what another agent holds; git commit --no-verify passes it.\n\
         if [ -x '{program}' ]; then '{program}' {what} || exit 1; fi\n\
         before=$(dirname -- \"$0\")/{hook}.{ASIDE}\n\
         if [ -x \"$before\" ]; then exec \"$before\" \"$@\"; fi\n"
    )
}
