//! Adds swarm's hooks to the agents' own settings, and removes them.
//!
//! The text of a file before the first installation is stored beside the signing keys. Uninstalling restores every byte
//! of it, or removes the file if there was none. If somebody has changed the file since, only swarm's entries are
//! removed. A file is replaced by renaming, at the end of its symbolic links, and keeps its mode. A file that cannot be
//! parsed or written stays as it is and is named. There is no lock: of two installations at the same time, one result
//! stays, and it is complete.

mod backup;
pub mod git;
pub mod package;
pub mod reach;
mod rules;
mod script;

pub use rules::RulesFile;

use crate::core::escape;
use crate::core::hook::HookKind;
use crate::core::hook::allow;
use crate::core::hook::package::{with_package, without_package};
use crate::core::hook::settings::{self, Presence};
use crate::store::foreign::{self, read, refuse, replace};
use crate::store::record;
use anyhow::Result;
use backup::Backup;
use reach::Surroundings;
use std::fs;
use std::path::{Path, PathBuf};

const PLUGIN: &str = include_str!("opencode.js");

/// The plugin that takes texts in `OpenCode`. It names no program.
const CARRIER: &str = include_str!("carrier.js");

/// The files in `OpenCode`'s directory: the plugin with the hooks, the plugin that takes texts, and the settings that
/// name the latter.
const OPENCODE: [(HookPart, &str); 3] = [
    (HookPart::Hooks, "plugins/swarm.js"),
    (HookPart::Carrier, "swarm/carrier.js"),
    (HookPart::Entry, "tui.json"),
];

/// The path of the plugin that takes texts, relative to the settings that name it.
const ENTRY: &str = "./swarm/carrier.js";

/// Where hooks are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Project,
    User,
}

/// What swarm adds to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPart {
    /// The agent's hooks.
    Hooks,
    /// The plugin that takes texts, so that nothing is typed.
    Carrier,
    /// The line of the settings that loads that plugin.
    Entry,
    /// The entries that make the agent load swarm as a package, in place of its hooks.
    Package,
    /// Nothing: a package, which lies elsewhere, has the hooks.
    Bare,
    /// A file of an extension.
    Extension,
}

#[derive(Clone, Debug)]
pub struct Target {
    /// The agent's kind.
    pub kind: HookKind,
    pub path: PathBuf,
    /// The directory that must contain it: a project must not lead to files outside of itself.
    pub within: Option<PathBuf>,
    pub part: HookPart,
}

/// A planned change.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file, after symbolic links.
    pub path: PathBuf,
    /// Its text; `None` if there is no file.
    pub before: Option<String>,
    /// Its new text; `None` if it is removed.
    pub after: Option<String>,
    /// The rules that are added.
    pub rules: Vec<String>,
}

impl Target {
    /// The settings file of `kind` for an agent that is started in `dir`.
    pub fn project(kind: HookKind, dir: &Path) -> Self {
        Self {
            kind,
            path: reach::project_file(kind, dir),
            within: Some(dir.to_owned()),
            part: HookPart::Hooks,
        }
    }

    /// The person's settings file of `kind`.
    pub fn user(kind: HookKind, around: &Surroundings<'_>) -> Self {
        Self { kind, path: around.user_file(kind), within: None, part: HookPart::Hooks }
    }

    /// This file and the others that are installed with it, in that order.
    pub fn all(self) -> Vec<Self> {
        let dir = match self.kind {
            HookKind::OpenCode => self.path.ancestors().nth(2).map(Path::to_owned),
            _ => None,
        };
        let Some(dir) = dir else { return vec![self] };
        let of = |(part, file): (HookPart, &str)| Self { path: dir.join(file), part, ..self.clone() };
        OPENCODE.map(of).into()
    }

    /// The target of a project to which the file `path` belongs.
    pub fn of_file(kind: HookKind, path: &Path) -> Option<Self> {
        let files: Vec<PathBuf> =
            Self::project(kind, Path::new("")).all().into_iter().map(|t| t.path).collect();
        let file = files.into_iter().find(|file| path.ends_with(file))?;
        Some(Self::project(kind, path.ancestors().nth(file.components().count())?))
    }

    /// The file at the end of its symbolic links.
    fn real(&self) -> Result<PathBuf> {
        match &self.within {
            Some(dir) => foreign::within(&self.path, dir),
            None => foreign::real(&self.path),
        }
    }

    /// How many of swarm's hooks are there, for `program` by any of its paths.
    pub fn presence(&self, program: &str) -> Result<Presence> {
        let Some(text) = read(&self.path)? else { return Ok(Presence::None) };
        match self.part {
            HookPart::Hooks => {}
            HookPart::Carrier if text == CARRIER => return Ok(Presence::Full),
            HookPart::Carrier => return Ok(Presence::Partial),
            HookPart::Package => {
                let whole = self.install(program)?.is_empty() && package::is_current(program);
                return Ok(if whole { Presence::Full } else { Presence::Partial });
            }
            HookPart::Bare => return Ok(Presence::Full),
            HookPart::Extension => {
                let whole = text == self.extension_text(program);
                return Ok(if whole { Presence::Full } else { Presence::Partial });
            }
            HookPart::Entry => {
                let has = settings::has_plugin(&text, ENTRY).map_err(|why| refuse(&self.path, &why))?;
                return Ok(if has { Presence::Full } else { Presence::None });
            }
        }
        let named = match self.kind {
            HookKind::OpenCode => plugin_program(&text),
            kind => settings::program(&text, kind),
        };
        let same = |named: &String| is_same_file(Path::new(named), Path::new(program));
        let program = named.filter(same).unwrap_or_else(|| program.to_owned());
        match self.kind {
            HookKind::OpenCode if text == plugin(&program) => Ok(Presence::Full),
            HookKind::OpenCode => Ok(Presence::Partial),
            kind => settings::presence(&text, kind, &program).map_err(|why| refuse(&self.path, &why)),
        }
    }

    /// The change that installing would make.
    pub fn install(&self, program: &str) -> Result<Plan> {
        let path = self.real()?;
        let before = read(&path)?;
        let text = before.as_deref().unwrap_or_default();
        let after = match (self.kind, self.part) {
            (_, HookPart::Carrier) => Ok(CARRIER.to_owned()),
            (_, HookPart::Entry) => settings::with_plugin(text, ENTRY),
            (_, HookPart::Extension) => Ok(self.extension_text(program)),
            (_, HookPart::Package) => with_package(text, &package::directory()?.display().to_string()),
            (kind, HookPart::Bare) => settings::without_hooks(text, kind),
            (HookKind::OpenCode, HookPart::Hooks) => Ok(plugin(program)),
            // Each event must run the hooks once.
            (HookKind::Claude, HookPart::Hooks) => {
                without_package(text).and_then(|text| settings::with_hooks(&text, HookKind::Claude, program))
            }
            (kind, HookPart::Hooks) => settings::with_hooks(text, kind, program),
        };
        if self.part == HookPart::Bare && before.is_none() {
            return Ok(Plan { path, before: None, after: None, rules: Vec::new() });
        }
        let after = after
            .map(|text| if before.is_none() && !text.ends_with('\n') { text + "\n" } else { text })
            .map_err(|why| refuse(&path, &why))?;
        Ok(Plan { path, before, after: Some(after), rules: Vec::new() })
    }

    /// The change that installing would make, with the rules that let the agent run `swarm-msg` without asking.
    pub fn install_allowing(&self, program: &str) -> Result<Plan> {
        let mut plan = self.install(program)?;
        let rules = self.rules(program);
        let text = plan.after.take().unwrap_or_default();
        let odd = |why: String| refuse(&plan.path, &why);
        if rules.is_empty() {
            return Ok(Plan { after: Some(text), ..plan });
        }
        let added = allow::missing(&text, &rules).map_err(odd)?;
        let after = allow::with_rules(&text, &rules).map_err(odd)?;
        Ok(Plan { after: Some(after), rules: added, ..plan })
    }

    /// Whether the rules are there; `None` if this agent's settings file has no such rules.
    pub fn allows(&self, program: &str) -> Result<Option<bool>> {
        let rules = self.rules(program);
        if rules.is_empty() {
            return Ok(None);
        }
        let text = read(&self.path)?.unwrap_or_default();
        let missing = allow::missing(&text, &rules).map_err(|why| refuse(&self.path, &why))?;
        Ok(Some(missing.is_empty()))
    }

    fn rules(&self, program: &str) -> Vec<String> {
        let names = names(program);
        allow::rules(self.kind, &names.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The change that uninstalling would make.
    pub fn uninstall(&self, state: &Path) -> Result<Plan> {
        let path = self.real()?;
        let before = read(&path)?;
        let Some(text) = before.clone() else {
            return Ok(Plan { path, before: None, after: None, rules: Vec::new() });
        };
        let backup = Backup::load(state, &path)?;
        let rules = backup.as_ref().map(|b| b.rules.clone()).unwrap_or_default();
        // The stored text may contain entries of an earlier installation, if somebody changed the file in between.
        let left = match backup.filter(|b| b.is_ours(&text)) {
            Some(backup) => backup.before,
            // Changes that somebody made in a plugin of swarm's are removed with it.
            None if self.kind == HookKind::OpenCode && self.part != HookPart::Entry => None,
            None if self.part == HookPart::Extension => None,
            None => Some(text),
        };
        let bare = |text: String| match self.kind {
            HookKind::OpenCode if self.part == HookPart::Entry => {
                settings::without_plugin(&text, ENTRY).map_err(|why| refuse(&path, &why))
            }
            HookKind::OpenCode => Ok(text),
            _ if self.part == HookPart::Extension => Ok(text),
            kind => settings::without_hooks(&text, kind)
                .and_then(|text| match kind {
                    HookKind::Claude => without_package(&text),
                    _ => Ok(text),
                })
                .and_then(
                    |text| {
                        if rules.is_empty() { Ok(text) } else { allow::without_rules(&text, &rules) }
                    },
                )
                .map_err(|why| refuse(&path, &why)),
        };
        let after = left.map(bare).transpose()?;
        Ok(Plan { path, before, after, rules: Vec::new() })
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }

    /// The change as a diff for a person.
    pub fn diff(&self) -> String {
        let text = |side: &Option<String>| side.clone().unwrap_or_default();
        let (before, after) = (text(&self.before), text(&self.after));
        let name = escape::line(&self.path.display().to_string());
        let diff = similar::TextDiff::from_lines(&before, &after);
        diff.unified_diff().context_radius(2).header(&name, &name).to_string()
    }

    /// Makes the change of an installation. `state` stores the text from before the first one.
    pub fn install(&self, state: &Path) -> Result<()> {
        let Some(after) = &self.after else { return Ok(()) };
        let last = Backup::load(state, &self.path)?;
        let mut rules = last.as_ref().map(|b| b.rules.clone()).unwrap_or_default();
        let wanted_by = last.as_ref().map(|b| b.wanted_by.clone()).unwrap_or_default();
        rules.extend(self.rules.iter().filter(|rule| !rules.contains(rule)).cloned().collect::<Vec<_>>());
        let kept = last.filter(|b| self.before.as_ref().is_some_and(|text| b.is_ours(text)));
        let formerly = kept.as_ref().and(self.before.clone());
        let kept_dirs = kept.as_ref().map(|b| b.made.clone());
        let before = kept.map_or_else(|| self.before.clone(), |b| b.before);
        let made = kept_dirs.unwrap_or_else(|| Some(missing(&self.path)));
        Backup { path: self.path.clone(), before, after: after.clone(), formerly, made, rules, wanted_by }
            .save(state)?;
        replace(&self.path, after)
    }

    /// Makes the change of an uninstallation.
    pub fn uninstall(&self, state: &Path) -> Result<()> {
        match &self.after {
            Some(after) => replace(&self.path, after)?,
            None => record::remove(&self.path)?,
        }
        // The directories that were made for this file, the innermost first, unless they contain something else.
        let made = Backup::load(state, &self.path)?.and_then(|b| b.made);
        let parent = || self.path.parent().map(Path::to_owned).into_iter().collect();
        let made = made.unwrap_or_else(parent);
        if self.after.is_none() {
            made.iter().take_while(|dir| fs::remove_dir(dir).is_ok()).for_each(drop);
        }
        Backup::forget(state, &self.path)
    }
}

/// How rules name `swarm-msg`: by name, and by path for tools that do not have it on their PATH.
fn names(program: &str) -> Vec<String> {
    let beside = Path::new(program).with_file_name("swarm-msg");
    std::iter::once("swarm-msg".to_owned()).chain(beside.to_str().map(str::to_owned)).collect()
}

/// The missing directories above a file, the innermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    path.ancestors().skip(1).take_while(|dir| !dir.exists()).map(Path::to_owned).collect()
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The files with entries of swarm, by the records.
pub fn installed(state: &Path) -> Vec<PathBuf> {
    Backup::all(state)
}

/// The path of the program that a plugin file names.
fn plugin_program(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix("const SWARM = "))?;
    serde_json::from_slice(line.as_bytes()).ok()
}

fn plugin(program: &str) -> String {
    // A JSON string is also a JavaScript string.
    PLUGIN.replace("\"@SWARM@\"", &serde_json::Value::from(program).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_installation_that_did_not_come_through_keeps_what_was_there_before_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::project(HookKind::Claude, dir.path());
        let state = dir.path().join("state");
        let mine = "{\n  // mine\n  \"model\": \"x\"\n}\n";
        fs::create_dir(dir.path().join(".claude")).unwrap();
        fs::write(&target.path, mine).unwrap();
        let mode = |bits| fs::set_permissions(&target.path, fs::Permissions::from_mode(bits)).unwrap();
        for again in [false, true] {
            target.install("/old/swarm").unwrap().install(&state).unwrap();
            let plan = target.install("/new/swarm").unwrap();
            // The former text is stored before the write fails, as before a crash.
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
