//! The rules that let an agent run `swarm-msg` without asking, for agents that keep such rules in a file of their own:
//! Codex and Gemini CLI.
//!
//! The file belongs to the person and serves all projects. swarm records which projects need the rules, and removes
//! the rules with the last of them. Everything else in the file stays.

use super::backup::Backup;
use super::reach::Surroundings;
use super::{Plan, names};
use crate::core::hook::{HookKind, allow};
use crate::store::foreign::{self, read, refuse};
use anyhow::Result;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct RulesFile {
    /// The agent's kind.
    pub kind: HookKind,
    pub path: PathBuf,
}

impl RulesFile {
    /// The file that an agent reads if it was started with this environment.
    pub fn of(kind: HookKind, around: &Surroundings<'_>) -> Option<Self> {
        around.rules_file(kind).map(|path| Self { kind, path })
    }

    /// The files with rules for `project`, by the records; without a project, all of them.
    pub fn recorded(state: &Path, project: Option<&Path>) -> Vec<Self> {
        let of = |path: PathBuf| {
            let kind = match path.file_name()?.to_str()? {
                "swarm.rules" => HookKind::Codex,
                "swarm.toml" => HookKind::Gemini,
                _ => return None,
            };
            let backup = Backup::load(state, &path).ok()??;
            let wanted = project.is_none_or(|project| backup.wanted_by.iter().any(|p| p == project));
            wanted.then_some(Self { kind, path })
        };
        Backup::all(state).into_iter().filter_map(of).collect()
    }

    /// Whether it has the rules for `program`.
    pub fn allows(&self, program: &str) -> Result<bool> {
        let text = read(&self.path)?.unwrap_or_default();
        Ok(self.block(program).is_some_and(|block| text.contains(&block)))
    }

    /// The change that installing would make.
    pub fn install(&self, program: &str) -> Result<Plan> {
        let path = foreign::real(&self.path)?;
        let before = read(&path)?;
        let block = self.block(program).unwrap_or_default();
        let after = allow::with_block(before.as_deref().unwrap_or_default(), &block);
        let after = Some(after.map_err(|why| refuse(&path, &why))?);
        Ok(Plan { path, before, after, rules: Vec::new() })
    }

    /// Makes that change for `project`.
    pub fn put(&self, program: &str, project: &Path, state: &Path) -> Result<()> {
        let plan = self.install(program)?;
        if !plan.is_empty() {
            plan.install(state)?;
        }
        if let Some(mut backup) = Backup::load(state, &plan.path)?
            && !backup.wanted_by.iter().any(|p| p == project)
        {
            backup.wanted_by.push(project.to_owned());
            backup.save(state)?;
        }
        Ok(())
    }

    /// The change that removing the rules would make.
    pub fn uninstall(&self, state: &Path) -> Result<Plan> {
        let path = foreign::real(&self.path)?;
        let before = read(&path)?;
        let text = before.clone().unwrap_or_default();
        let after = match Backup::load(state, &path)?.filter(|b| b.is_ours(&text)) {
            Some(backup) => backup.before,
            None => match allow::without_block(&text).map_err(|why| refuse(&path, &why))? {
                Some(left) => Some(left).filter(|left| !left.is_empty()),
                None => before.clone(),
            },
        };
        Ok(Plan { path, before, after, rules: Vec::new() })
    }

    /// Makes that change for `project`, unless other projects need the rules. Returns whether it did.
    pub fn take(&self, project: &Path, state: &Path) -> Result<bool> {
        let plan = self.uninstall(state)?;
        if plan.is_empty() {
            return Ok(false);
        }
        if let Some(mut backup) = Backup::load(state, &plan.path)? {
            backup.wanted_by.retain(|p| p != project && p.exists());
            if !backup.wanted_by.is_empty() {
                backup.save(state)?;
                return Ok(false);
            }
        }
        plan.uninstall(state)?;
        Ok(true)
    }

    fn block(&self, program: &str) -> Option<String> {
        let names = names(program);
        allow::block(self.kind, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
