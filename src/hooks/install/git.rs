//! The guard of commits, merges, checkouts and pushes: git hooks that work beside those of others.
//!
//! If a hook is a shell script, swarm adds its lines after the first line and keeps the rest. Any other hook is
//! renamed, and a script of swarm's runs it. Uninstalling restores every byte, and keeps what a hook manager
//! (pre-commit, husky, lefthook, simple-git-hooks) wrote meanwhile. Such a manager may replace a hook of swarm's. The
//! guard is then displaced; swarm notices it at its next look and installs the guard again.
//!
//! swarm never writes a file that git tracks or would show as new: it belongs to the repository. Nor does it write into
//! a hooks directory outside the repository or one that is set for the whole machine. Files are put in place by
//! renaming. A lock lets one process at a time change hooks. After a crash between two renames, the next installation
//! or uninstallation continues from there.

use super::script;
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::store::lock::{self, Held};
use crate::store::record::{self, Durability, Loaded};
use crate::store::{entropy, fault};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Each hook and the guard that it runs. The first is the one that a repository is asked to call from a hook of its
/// own.
const HOOKS: [(&str, &str); 6] = [
    ("pre-commit", "guard"),
    ("post-commit", "guard --committed"),
    ("pre-merge-commit", "guard --hook pre-merge-commit"),
    ("post-checkout", "guard --hook post-checkout \"$@\""),
    ("reference-transaction", script::STASH),
    ("pre-push", script::PUSH),
];

/// The names of the hooks, for a person.
pub const NAMES: &str =
    "pre-commit, post-commit, pre-merge-commit, post-checkout, reference-transaction and pre-push";

/// The suffix of a renamed hook, and the directory that links to it under its own name.
const ASIDE: &str = "before-swarm";

/// The suffixes by which hook managers rename a hook that they find: pre-commit runs it, lefthook does not.
const DISPLACED: [&str; 2] = ["legacy", "old"];

/// How old another hook must be before swarm adds its own again by itself: its writer may not be finished.
const SETTLED: Duration = Duration::from_secs(2);

/// The most submodules that are read.
const MAX_TREES: usize = 200;

/// The hooks of one or more working trees.
#[derive(Clone, Debug)]
pub struct Guard {
    dir: PathBuf,
    trees: Vec<PathBuf>,
    /// Why swarm writes nothing there.
    refused: Option<String>,
}

/// Whether the guard works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All hooks call this program.
    Whole,
    /// No hook does.
    Absent,
    /// Some do, or they call a program at another path.
    Partial,
}

/// What git says about one working tree.
struct Tree {
    top: PathBuf,
    common: PathBuf,
    hooks: PathBuf,
}

impl Guard {
    /// The hooks of the project at `root`, of its linked worktrees and submodules, and of the repository at `here`.
    /// Spawns git a few times for each.
    pub fn all(root: &Path, here: &Path) -> Result<Vec<Self>> {
        let mut found: Vec<Self> = Vec::new();
        let mut seen: Vec<PathBuf> = Vec::new();
        for start in [root, here] {
            let Some(tree) = Tree::at(start)? else { continue };
            let mut open = tree.linked()?;
            while let Some(tree) = open.pop() {
                if seen.contains(&tree.top) || seen.len() >= MAX_TREES {
                    continue;
                }
                seen.push(tree.top.clone());
                open.extend(tree.submodules()?);
                let refused = tree.refusal()?;
                match found.iter_mut().find(|g| g.dir == tree.hooks && g.refused == refused) {
                    Some(guard) => guard.trees.push(tree.top),
                    None => found.push(Self { dir: tree.hooks, trees: vec![tree.top], refused }),
                }
            }
        }
        for guard in &mut found {
            order::sort(&mut guard.trees);
        }
        order::sort_by(&mut found, |a, b| a.trees.cmp(&b.trees));
        if found.is_empty() {
            return Err(Refusal::Usage(format!("{} is no git repository", root.display())).into());
        }
        Ok(found)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The working trees whose commits they guard.
    pub fn trees(&self) -> &[PathBuf] {
        &self.trees
    }

    /// Why swarm writes nothing there, if it does not.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Whether the guard works, with this program.
    pub fn standing(&self, program: &str) -> Standing {
        // The repository decides what else its own hooks do.
        let wanted = if self.refused.is_some() { &HOOKS[..1] } else { &HOOKS[..] };
        let calls = wanted.iter().filter(|(hook, what)| {
            let has = |name: &str| self.text(name).is_some_and(|t| calls_this(&t, program, what));
            has(hook)
                || self.text(hook).is_some_and(|text| {
                    script::runs_legacy(&text) && has(&format!("{hook}.legacy"))
                        || self.refused.is_some() && script::calls(&text, what)
                })
        });
        match calls.count() {
            n if n == wanted.len() => Standing::Whole,
            0 if !self.is_installed() => Standing::Absent,
            _ => Standing::Partial,
        }
    }

    /// Whether swarm's lines are there, for any program.
    pub fn is_installed(&self) -> bool {
        HOOKS.iter().any(|(hook, _)| {
            names(hook).iter().any(|name| self.text(name).is_some_and(|t| script::strip(&t).is_some()))
                || self.moved(hook).is_some()
        })
    }

    /// Installs all hooks. Idempotent.
    pub fn install(&self, program: &str) -> Result<()> {
        if let Some(why) = &self.refused {
            return Err(Refusal::Usage(why.clone()).into());
        }
        fs::create_dir_all(&self.dir).with_context(|| format!("cannot create {}", self.dir.display()))?;
        for (hook, what) in HOOKS {
            self.install_one(hook, &script::call(program, what))?;
        }
        Ok(())
    }

    fn install_one(&self, hook: &str, line: &str) -> Result<()> {
        let path = self.dir.join(hook);
        if self.text(hook).is_some_and(|t| t.lines().any(|l| l == line)) {
            return Ok(());
        }
        self.restore(hook)?;
        let Ok(meta) = path.symlink_metadata() else { return self.put(hook, &script::own(line), 0o755) };
        let text = self.text(hook);
        // A regular file with one name.
        let plain = meta.is_file() && meta.nlink() == 1 && meta.mode() & 0o111 != 0;
        if let Some(with) = text.as_deref().filter(|_| plain).and_then(|t| script::insert(t, line)) {
            return self.put(hook, &with, meta.mode() & 0o777);
        }
        let moved = format!("{hook}.{ASIDE}");
        relocate(&path, &self.dir.join(&moved))?;
        fault::point("hook-aside");
        let interpreter = text.as_deref().and_then(script::interpreter);
        if interpreter.is_some() {
            return self.put(hook, &script::before(line, hook, &moved, interpreter), 0o755);
        }
        // A link with its own name: a hook may depend on its name and on the files beside it.
        let (named, link) = (format!("{ASIDE}/{hook}"), Path::new("..").join(&moved));
        fs::create_dir_all(self.dir.join(ASIDE))?;
        drop(fs::remove_file(self.dir.join(&named)));
        symlink(&link, self.dir.join(&named)).with_context(|| format!("cannot link {named}"))?;
        self.put(hook, &script::before(line, hook, &named, None), 0o755)
    }

    /// Removes swarm's lines and restores the hooks that were there. Idempotent.
    pub fn uninstall(&self) -> Result<bool> {
        let mut changed = false;
        for (hook, _) in HOOKS {
            changed |= self.restore(hook)?;
        }
        Ok(changed)
    }

    /// Restores the state that one hook would have without swarm.
    fn restore(&self, hook: &str) -> Result<bool> {
        let mut changed = false;
        for name in names(hook) {
            let path = self.dir.join(&name);
            // If an installation was killed between its two steps, there is no hook.
            let gone = name == hook && path.symlink_metadata().is_err();
            let text = if gone { None } else { self.text(&name) };
            let left = text.as_deref().and_then(script::strip);
            match (left, self.moved(hook)) {
                (None, Some(moved)) if gone => relocate(&moved, &path)?,
                // Its manager wrote it again. The renamed one is older, and is removed.
                (None, Some(moved)) if name == hook && is_alike(&moved, &path) => {
                    fs::remove_file(&moved).with_context(|| format!("cannot remove {}", moved.display()))?;
                }
                (None, _) => continue,
                (Some(left), Some(moved))
                    if left.is_empty() && text.as_deref().is_some_and(script::is_own) =>
                {
                    relocate(&moved, &path)?;
                }
                (Some(_), None) if text.as_deref().is_some_and(script::is_own) => {
                    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                }
                (Some(left), _) => {
                    let mode = path.metadata().map_or(0o755, |m| m.mode() & 0o777);
                    self.put(&name, &left, mode)?;
                }
            }
            changed = true;
        }
        let link = self.dir.join(ASIDE).join(hook);
        if link.is_symlink() && self.moved(hook).is_none() {
            drop(fs::remove_file(link));
        }
        drop(fs::remove_dir(self.dir.join(ASIDE)));
        Ok(changed)
    }

    /// A hook that was renamed.
    fn moved(&self, hook: &str) -> Option<PathBuf> {
        Some(self.dir.join(format!("{hook}.{ASIDE}"))).filter(|path| path.symlink_metadata().is_ok())
    }

    /// Renamed hooks that nothing runs, because another hook has replaced swarm's.
    pub fn orphans(&self) -> Vec<PathBuf> {
        let ours = |hook: &str| names(hook).iter().any(|n| self.text(n).is_some_and(|t| script::is_own(&t)));
        HOOKS.iter().filter(|(hook, _)| !ours(hook)).filter_map(|(hook, _)| self.moved(hook)).collect()
    }

    fn put(&self, name: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.dir.join(name);
        let temp = self.dir.join(format!("{name}.swarm-{:016x}.tmp", entropy()?));
        let done = record::create_file(&temp, text.as_bytes())
            .and_then(|()| Ok(fs::set_permissions(&temp, fs::Permissions::from_mode(mode))?))
            .and_then(|()| Ok(fs::rename(&temp, &path)?));
        done.inspect_err(|_| drop(fs::remove_file(&temp)))
            .with_context(|| format!("cannot write {}", path.display()))?;
        fault::point("hook-placed");
        Ok(())
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.dir.join(name)).ok()
    }
}

/// Whether a hook calls this program, by any of its paths.
fn calls_this(text: &str, program: &str, what: &str) -> bool {
    let same = |named: &String| super::is_same_file(Path::new(named), Path::new(program));
    let lines: Vec<String> =
        script::programs(text).iter().filter(|p| same(p)).map(|p| script::call(p, what)).collect();
    text.lines().any(|line| lines.iter().any(|l| l == line))
}

/// The names of a hook before and after it was replaced.
fn names(hook: &str) -> [String; 3] {
    let [legacy, old] = DISPLACED.map(|ending| format!("{hook}.{ending}"));
    [hook.to_owned(), legacy, old]
}

fn relocate(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

fn is_alike(a: &Path, b: &Path) -> bool {
    let bytes = |path: &Path| fs::read(path).ok();
    matches!((bytes(a), bytes(b)), (Some(a), Some(b)) if script::are_alike(&a, &b))
}

/// Git in a directory. The repository that the environment may name is ignored.
fn git(dir: &Path, args: &[&str]) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new("git");
    // These do not name a repository, or a person has set them for all repositories.
    let kept = [
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_EXEC_PATH",
        "GIT_CEILING_DIRECTORIES",
    ];
    for (name, _) in std::env::vars_os() {
        if name.as_bytes().starts_with(b"GIT_") && !kept.iter().any(|k| name == *k) {
            command.env_remove(name);
        }
    }
    let out = command
        .arg("-C")
        .arg(dir)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("cannot run git")?;
    Ok(out.status.success().then_some(out.stdout))
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

impl Tree {
    fn at(dir: &Path) -> Result<Option<Self>> {
        if !dir.is_dir() {
            return Ok(None);
        }
        let asked = ["rev-parse", "--git-common-dir", "--git-path", "hooks", "--show-toplevel"];
        // A bare repository has no working tree; its worktrees do.
        let (told, bare) = match git(dir, &asked)? {
            Some(told) => (told, false),
            None => match git(dir, &asked[..4])? {
                Some(told) => (told, true),
                None => return Ok(None),
            },
        };
        let mut lines = told.split(|b| *b == b'\n').map(|line| real(&dir.join(path(line))));
        let (Some(common), Some(hooks)) = (lines.next(), lines.next()) else { return Ok(None) };
        let top = lines.next().filter(|_| !bare).unwrap_or_else(|| common.clone());
        Ok(Some(Self { top, common, hooks }))
    }

    /// This working tree, and all that share its repository.
    fn linked(self) -> Result<Vec<Self>> {
        let told = git(&self.top, &["worktree", "list", "--porcelain"])?.unwrap_or_default();
        let named = told.split(|b| *b == b'\n').filter_map(|line| line.strip_prefix(b"worktree "));
        let mut all = Vec::new();
        for dir in named.map(path).filter(|dir| real(dir) != self.top) {
            all.extend(Self::at(&dir)?);
        }
        all.push(self);
        Ok(all)
    }

    /// The submodules that were checked out and really are in this tree.
    fn submodules(&self) -> Result<Vec<Self>> {
        if !self.top.join(".gitmodules").is_file() {
            return Ok(Vec::new());
        }
        let asked = ["config", "-z", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$"];
        let told = git(&self.top, &asked)?.unwrap_or_default();
        let mut all = Vec::new();
        for entry in told.split(|b| *b == 0) {
            let Some(at) = entry.iter().position(|b| *b == b'\n') else { continue };
            let dir = self.top.join(path(&entry[at + 1..]));
            if !dir.join(".git").exists() || !real(&dir).starts_with(&self.top) {
                continue;
            }
            all.extend(Self::at(&dir)?.filter(|sub| sub.top.starts_with(&self.top) && sub.top != self.top));
        }
        Ok(all)
    }

    /// Why nothing may be written into its hooks directory.
    fn refusal(&self) -> Result<Option<String>> {
        let hooks = self.hooks.display();
        let add = format!("add this line to its pre-commit yourself: {}", script::portable("guard"));
        if let Some(set) = git(&self.top, &["config", "--show-scope", "--get", "core.hooksPath"])? {
            let set = String::from_utf8_lossy(&set);
            let (scope, path) = set.trim_end_matches('\n').split_once('\t').unwrap_or_default();
            if path.is_empty() || self.hooks.exists() && !self.hooks.is_dir() {
                let path = if path.is_empty() { "nothing" } else { path };
                return Ok(Some(format!(
                    "core.hooksPath is set to {path} in git's {scope} configuration, so git runs no hooks here: git config --{scope} --unset core.hooksPath"
                )));
            }
            if !matches!(scope, "local" | "worktree") {
                return Ok(Some(format!(
                    "core.hooksPath is set to {path} in git's {scope} configuration: hooks there are for all repositories; set it in this repository, or {add}"
                )));
            }
        }
        if let Some((hook, _)) = HOOKS.iter().find(|(hook, _)| self.hooks.join(hook).is_dir()) {
            let odd = self.hooks.join(hook);
            return Ok(Some(format!("{} is a directory, which git cannot run: remove it", odd.display())));
        }
        if self.hooks.starts_with(&self.common) {
            return Ok(None);
        }
        if !self.hooks.starts_with(&self.top) {
            return Ok(Some(format!(
                "the hooks of {} are in {hooks}, outside of the repository: {add}",
                self.top.display()
            )));
        }
        let probe = self.hooks.join("pre-commit");
        let ignored = git(&self.top, &["check-ignore", "-q", "--", &probe.to_string_lossy()])?.is_some();
        Ok((!ignored).then(|| format!("{hooks} is part of the working tree, which all clones share: {add}")))
    }
}

/// The path without symbolic links, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut base = path;
    loop {
        match (base.canonicalize(), base.parent(), base.file_name()) {
            (Ok(real), ..) => return rest.iter().rev().fold(real, |dir, part| dir.join(part)),
            (Err(_), Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                base = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

/// The record that the guard of a project was installed, so that swarm notices if it disappears. It is beside the
/// signing keys.
#[derive(Debug, Serialize, Deserialize)]
pub struct Installed {
    root: PathBuf,
    program: String,
    dirs: Vec<PathBuf>,
}

impl Installed {
    fn place(state: &Path, root: &Path) -> PathBuf {
        state.join(format!("guard-{}.json", super::backup::name(root)))
    }

    pub fn load(state: &Path, root: &Path) -> Option<Self> {
        match record::load::<Self>(&Self::place(state, root)).ok()? {
            Loaded::Ok(found) if found.root == root => Some(found),
            _ => None,
        }
    }

    pub fn save(state: &Path, root: &Path, program: &str, guards: &[Guard]) -> Result<()> {
        let dirs = guards.iter().filter(|g| g.refused.is_none()).map(|g| g.dir.clone()).collect();
        let all = Self { root: root.to_owned(), program: program.to_owned(), dirs };
        record::ensure_dir(state)?;
        record::replace(state, &Self::place(state, root), &all, Durability::Durable)
    }

    pub fn forget(state: &Path, root: &Path) {
        drop(fs::remove_file(Self::place(state, root)));
    }

    /// The directories in which another hook has replaced one of swarm's. Reads two small files for each.
    pub fn displaced(&self) -> Vec<&Path> {
        let is = |dir: &&PathBuf| {
            let guard = Guard { dir: (*dir).clone(), trees: Vec::new(), refused: None };
            // If there is no hook at all, somebody removed it, perhaps on purpose.
            let there = HOOKS.iter().any(|(hook, _)| guard.dir.join(hook).symlink_metadata().is_ok());
            there && guard.standing(&self.program) != Standing::Whole
        };
        self.dirs.iter().filter(is).map(PathBuf::as_path).collect()
    }

    /// Installs the guard again where it was displaced, and returns these directories. Does nothing while another
    /// process changes hooks, or if a hook is so new that it may be incomplete.
    pub fn take_up(&self, state: &Path, here: &Path) -> Result<Vec<PathBuf>> {
        let displaced = self.displaced();
        if displaced.is_empty() || !Path::new(&self.program).is_file() {
            return Ok(Vec::new());
        }
        let Some(_held) = lock::try_exclusive(&state.join("lock"))? else { return Ok(Vec::new()) };
        let mut done = Vec::new();
        for guard in Guard::all(&self.root, here)? {
            let is_new = |(hook, _): &(&str, &str)| {
                let changed = guard.dir.join(hook).symlink_metadata().and_then(|m| m.modified());
                changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < SETTLED))
            };
            if guard.refused.is_none() && displaced.contains(&guard.dir()) && !HOOKS.iter().any(is_new) {
                guard.install(&self.program)?;
                done.push(guard.dir);
            }
        }
        Ok(done)
    }
}

/// The lock of a process that changes hooks.
pub fn changing(state: &Path) -> Result<Held> {
    record::ensure_dir(state)?;
    Ok(lock::exclusive(&state.join("lock"))?.0)
}
