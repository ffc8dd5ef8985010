//! Removes everything of swarm from settings and from git, for `swarm uninstall`.

use super::{agents, recorded};
use crate::core::hook::HookKind;
use crate::hooks::install::git::{self, Guard, Installed};
use crate::hooks::install::reach::Surroundings;
use crate::hooks::install::{RulesFile, Target, package};
use crate::store::key;
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};

/// A part of swarm in settings or in git.
pub(in crate::cli) enum Removal {
    /// Hooks in an agent's settings, and the directory with the original text.
    Agent(Target, PathBuf),
    /// The packages that agents loaded.
    Packages(PathBuf),
    /// Rules for `swarm-msg` in a file of their own, and the same directory.
    Rules(RulesFile, PathBuf),
    /// The guards of a project's repositories, the directory with their record, and the project's root.
    Git(Vec<Guard>, PathBuf, PathBuf),
}

impl Removal {
    /// Its description for a person.
    pub(in crate::cli) fn tell(&self) -> String {
        match self {
            Removal::Agent(target, _) => {
                format!("remove swarm's hooks from {} ({})", target.path.display(), target.kind.word())
            }
            Removal::Packages(dir) => format!("remove {} (swarm as a package for agents)", dir.display()),
            Removal::Rules(file, _) => {
                format!("remove the rules for swarm-msg from {} ({})", file.path.display(), file.kind.word())
            }
            Removal::Git(guards, _, root) => {
                let dirs: Vec<String> = guards.iter().map(|g| g.dir().display().to_string()).collect();
                let dirs = if dirs.is_empty() { root.display().to_string() } else { dirs.join(", ") };
                format!("remove the guard of commits from {dirs}")
            }
        }
    }

    pub(in crate::cli) fn take(&self) -> Result<()> {
        match self {
            Removal::Agent(target, state) => agents::take_out(target, &target.uninstall(state)?, state),
            Removal::Packages(dir) => {
                let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
                let own = |name: &str| std::env::var(name).ok();
                package::unregister(&Surroundings { home, variable: &own }, dir)?;
                match std::fs::remove_dir_all(dir) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
                    _ => Ok(()),
                }
            }
            Removal::Rules(file, state) => file.uninstall(state)?.uninstall(state),
            Removal::Git(guards, state, root) => {
                let _held = git::changing(state)?;
                Installed::forget(state, root);
                guards.iter().try_for_each(|guard| guard.uninstall().map(|_| ()))
            }
        }
    }
}

/// Everything of swarm in the person's own settings, and in the project at `root`.
pub(in crate::cli) fn removals(root: Option<&Path>) -> Result<Vec<Removal>> {
    let state = key::state_home()?.join("hooks");
    let home =
        std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute()).context("HOME is not set")?;
    let (own, none) = (|name: &str| std::env::var(name).ok(), |_: &str| None);
    let around: [Surroundings<'_>; 2] =
        [Surroundings { home: home.clone(), variable: &own }, Surroundings { home, variable: &none }];
    let mut found = Vec::new();
    for kind in HookKind::ALL {
        let mut targets: Vec<Target> =
            around.iter().flat_map(|around| Target::user(kind, around).all()).collect();
        if let Some(root) = root {
            targets.extend(Target::project(kind, root).all());
            targets.extend(recorded(&state, kind, root));
        }
        targets = targets.iter().flat_map(Target::extension).chain(targets.clone()).collect();
        // A directory that was made for several files is removed with the last of them.
        targets.reverse();
        let mut seen: Vec<PathBuf> = Vec::new();
        for target in targets {
            if seen.contains(&target.path) {
                continue;
            }
            seen.push(target.path.clone());
            // If a target cannot be read, its step fails and stops no other.
            if !target.uninstall(&state).is_ok_and(|plan| plan.is_empty()) {
                found.push(Removal::Agent(target, state.clone()));
            }
        }
    }
    let packages = package::directory()?;
    if packages.symlink_metadata().is_ok_and(|m| m.is_dir()) {
        found.push(Removal::Packages(packages));
    }
    let files = HookKind::ALL.iter().flat_map(|kind| around.iter().filter_map(|a| RulesFile::of(*kind, a)));
    let files = files.chain(RulesFile::recorded(&state, None));
    let mut seen: Vec<PathBuf> = Vec::new();
    for file in files {
        if !seen.contains(&file.path) && !file.uninstall(&state).is_ok_and(|plan| plan.is_empty()) {
            seen.push(file.path.clone());
            found.push(Removal::Rules(file, state.clone()));
        }
    }
    if let Some(root) = root {
        // Without a repository there is no guard. A repository with hooks outside of itself has none of swarm's.
        let mut guards = Guard::all(root, root).unwrap_or_default();
        guards.retain(|g| g.refused().is_none() && g.is_installed());
        if !guards.is_empty() || Installed::load(&state, root).is_some() {
            found.push(Removal::Git(guards, state, root.to_owned()));
        }
    }
    Ok(found)
}
