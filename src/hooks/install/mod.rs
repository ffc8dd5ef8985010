//! Putting swarm's hooks into the agents' own settings, and taking them out again.
//!
//! What a file was before the first installation is kept beside the signing keys, so uninstalling restores it byte for byte, or
//! removes it if there was none; if somebody changed it since, only swarm's entries are taken out. A file is replaced by rename,
//! in the place a symbolic link leads to, with its mode. A file that cannot be understood, or may not be written, is left
//! alone and named. One person installs at a time: two installations that race leave one of the two results, both whole.

mod backup;
pub mod git;
mod script;

use crate::core::escape;
use crate::core::hook::Host;
use crate::core::hook::settings::{self, Presence};
use crate::store::foreign::{follow, read, refuse, replace};
use anyhow::{Context as _, Result};
use backup::Backup;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const PLUGIN: &str = include_str!("opencode.js");

/// Where hooks are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For this project, this person.
    Project,
    /// For this person, in all projects.
    User,
}

/// One agent's settings file.
#[derive(Clone, Debug)]
pub struct Target {
    /// The agent's kind.
    pub host: Host,
    /// The file.
    pub path: PathBuf,
}

/// A change that was worked out and not made yet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file, with symbolic links followed.
    pub path: PathBuf,
    /// What it is; `None`: it is not there.
    pub before: Option<String>,
    /// What it is to be; `None`: it is to go.
    pub after: Option<String>,
}

impl Target {
    /// The settings file of `host` for the project at `root`, or for the person whose home is `home`.
    pub fn new(host: Host, scope: Scope, root: &Path, home: &Path) -> Self {
        let path = match (host, scope) {
            // Not settings.json: that is shared with the team, and the path of the program is not.
            (Host::Claude, Scope::Project) => root.join(".claude/settings.local.json"),
            (Host::Claude, Scope::User) => home.join(".claude/settings.json"),
            (Host::Codex, Scope::Project) => root.join(".codex/hooks.json"),
            (Host::Codex, Scope::User) => home.join(".codex/hooks.json"),
            (Host::Gemini, Scope::Project) => root.join(".gemini/settings.json"),
            (Host::Gemini, Scope::User) => home.join(".gemini/settings.json"),
            (Host::OpenCode, Scope::Project) => root.join(".opencode/plugins/swarm.js"),
            (Host::OpenCode, Scope::User) => home.join(".config/opencode/plugins/swarm.js"),
        };
        Self { host, path }
    }

    /// How much of swarm's hooks is there.
    pub fn presence(&self, program: &str) -> Result<Presence> {
        let Some(text) = read(&follow(&self.path)?)? else { return Ok(Presence::None) };
        match self.host {
            Host::OpenCode if text == plugin(program) => Ok(Presence::Full),
            Host::OpenCode => Ok(Presence::Partial),
            host => settings::presence(&text, host, program).map_err(|why| refuse(&self.path, &why)),
        }
    }

    /// What installing would change.
    pub fn install(&self, program: &str) -> Result<Plan> {
        let path = follow(&self.path)?;
        let before = read(&path)?;
        let after = match self.host {
            Host::OpenCode => plugin(program),
            host => settings::with_hooks(before.as_deref().unwrap_or_default(), host, program)
                .map(|text| if before.is_none() && !text.ends_with('\n') { text + "\n" } else { text })
                .map_err(|why| refuse(&path, &why))?,
        };
        Ok(Plan { path, before, after: Some(after) })
    }

    /// What uninstalling would change.
    pub fn uninstall(&self, state: &Path) -> Result<Plan> {
        let path = follow(&self.path)?;
        let before = read(&path)?;
        let Some(text) = before.clone() else { return Ok(Plan { path, before: None, after: None }) };
        let after = match (Backup::load(state, &path)?, self.host) {
            (Some(backup), _) if backup.is_ours(&text) => backup.before,
            (_, Host::OpenCode) => None,
            (_, host) => Some(settings::without_hooks(&text, host).map_err(|why| refuse(&path, &why))?),
        };
        Ok(Plan { path, before, after })
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// The change, for a person to read.
    pub fn diff(&self) -> String {
        let text = |side: &Option<String>| side.clone().unwrap_or_default();
        let (before, after) = (text(&self.before), text(&self.after));
        let name = escape::line(&self.path.display().to_string());
        let diff = similar::TextDiff::from_lines(&before, &after);
        diff.unified_diff().context_radius(2).header(&name, &name).to_string()
    }

    /// Makes the change of an installation. What the file was before the first one is kept in `state`.
    pub fn install(&self, state: &Path) -> Result<()> {
        let Some(after) = &self.after else { return Ok(()) };
        let kept = Backup::load(state, &self.path)?
            .filter(|b| self.before.as_ref().is_some_and(|text| b.is_ours(text)));
        let formerly = kept.as_ref().and(self.before.clone());
        let before = kept.map_or_else(|| self.before.clone(), |b| b.before);
        Backup { path: self.path.clone(), before, after: after.clone(), formerly }.save(state)?;
        replace(&self.path, after)
    }

    /// Makes the change of an uninstallation.
    pub fn uninstall(&self, state: &Path) -> Result<()> {
        match &self.after {
            Some(after) => replace(&self.path, after)?,
            None => match fs::remove_file(&self.path) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("cannot remove {}", self.path.display()));
                }
                // A directory that is empty now was made for this file.
                _ => drop(self.path.parent().map(fs::remove_dir)),
            },
        }
        Backup::forget(state, &self.path)
    }
}

fn plugin(program: &str) -> String {
    // A JSON string is a JavaScript one.
    PLUGIN.replace("\"@SWARM@\"", &serde_json::Value::from(program).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_installation_that_did_not_come_through_keeps_what_was_there_before_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::new(Host::Claude, Scope::Project, dir.path(), dir.path());
        let state = dir.path().join("state");
        let mine = "{\n  // mine\n  \"model\": \"x\"\n}\n";
        fs::create_dir(dir.path().join(".claude")).unwrap();
        fs::write(&target.path, mine).unwrap();
        let mode = |bits| fs::set_permissions(&target.path, fs::Permissions::from_mode(bits)).unwrap();
        for again in [false, true] {
            target.install("/old/swarm").unwrap().install(&state).unwrap();
            let plan = target.install("/new/swarm").unwrap();
            // What the file was is written down before the file is found to be read-only, as before a crash.
            mode(0o444);
            plan.install(&state).unwrap_err();
            mode(0o644);
            if again {
                target.install("/new/swarm").unwrap().install(&state).unwrap();
            }
            target.uninstall(&state).unwrap().uninstall(&state).unwrap();
            assert_eq!(fs::read_to_string(&target.path).unwrap(), mine, "again: {again}");
        }
    }
}
