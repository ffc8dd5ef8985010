//! Finds swarm's package in an agent, with its version, and installs it.
//!
//! `swarm hooks install --package` writes the packages into a directory of swarm's own, as a marketplace, and adds
//! that directory to the agent's settings. The agent's own commands (`claude plugin …`, `codex plugin …`, `gemini
//! extensions …`) do the same, from that directory or from `plugin/agents/` of a checkout. Everything here but
//! [`write()`] is read-only; an unreadable file counts as missing.

use super::reach::{Surroundings, decided, json, managed_claude, toml_of, trusted_hash};
use super::{HookPart, Target, reach};
use crate::core::hook::package::{self, Claim};
use crate::core::hook::settings::Entry;
use crate::core::hook::{HookKind, settings};
use crate::store::foreign::{read, refuse, replace};
use crate::store::key;
use anyhow::Result;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The file or the directory that makes the agent load it.
    pub place: PathBuf,
    /// Its version, if the version can be read.
    pub version: Option<String>,
    /// Whether the agent runs its hooks without a person's permission, or has that permission.
    pub trusted: bool,
}

/// The file in an extension that Gemini CLI's own command writes.
const INSTALLED: &str = ".gemini-extension-install.json";

impl Package {
    /// Whether it has the version of this program.
    pub fn fits(&self) -> bool {
        self.version.as_deref() == Some(package::VERSION)
    }

    /// Its version, for people.
    pub fn shown(&self) -> String {
        let version = self.version.as_deref().map(|v| crate::core::escape::short(v, 20));
        version.unwrap_or_else(|| "unknown".to_owned())
    }
}

/// The directory into which swarm writes the packages.
pub fn directory() -> Result<PathBuf> {
    Ok(key::state_home()?.join("agents"))
}

/// Writes the packages for `program` into that directory, whole files only.
pub fn write(program: &str) -> Result<PathBuf> {
    let dir = directory()?;
    for file in package::files(Some(program)) {
        let path = dir.join(file.path);
        if read(&path)?.as_ref() != Some(&file.text) {
            replace(&path, &file.text)?;
        }
    }
    Ok(dir)
}

/// Makes a Claude Code load the plugin in its next session already, and not one later.
pub fn register(around: &Surroundings<'_>, dir: &Path) -> Result<()> {
    let path = markets(around);
    let text = read(&path)?.unwrap_or_default();
    let after = package::with_market(&text, &dir.display().to_string()).map_err(|why| refuse(&path, &why))?;
    if after == text { Ok(()) } else { replace(&path, &after) }
}

/// Removes the directory of the packages from the list of a Claude Code.
pub fn unregister(around: &Surroundings<'_>, dir: &Path) -> Result<()> {
    let path = markets(around);
    let Some(text) = read(&path)?.filter(|text| text.contains(&dir.display().to_string())) else {
        return Ok(());
    };
    replace(&path, &package::without_market(&text).map_err(|why| refuse(&path, &why))?)
}

/// The list of marketplaces of a Claude Code.
fn markets(around: &Surroundings<'_>) -> PathBuf {
    around.own(HookKind::Claude).join("plugins/known_marketplaces.json")
}

/// Whether the directory contains the packages of this version, for `program`.
pub(super) fn is_current(program: &str) -> bool {
    let Ok(dir) = directory() else { return false };
    package::files(Some(program))
        .iter()
        .all(|file| read(&dir.join(&file.path)).ok().flatten().as_ref() == Some(&file.text))
}

impl Target {
    /// The files that are installed in place of this one, so that the agent gets swarm as a package. Empty if files
    /// cannot do that.
    pub fn packaged(&self) -> Vec<Target> {
        match self.kind {
            HookKind::Claude => vec![Target { part: HookPart::Package, ..self.clone() }],
            HookKind::Gemini if self.within.is_none() => {
                let bare = Target { part: HookPart::Bare, ..self.clone() };
                std::iter::once(bare).chain(self.extension()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether Gemini CLI's own command, which keeps a record, installed this person's extension.
    pub fn is_installed_by_its_agent(&self) -> bool {
        let file = self.path.with_file_name("extensions").join(package::NAME).join(INSTALLED);
        self.kind == HookKind::Gemini && self.within.is_none() && file.exists()
    }

    /// The files of an extension beside this person's settings file.
    pub fn extension(&self) -> Vec<Target> {
        if self.kind != HookKind::Gemini || self.within.is_some() || self.part != HookPart::Hooks {
            return Vec::new();
        }
        // An extension from Gemini CLI's own command is removed by that command.
        if self.is_installed_by_its_agent() {
            return Vec::new();
        }
        let dir = self.path.with_file_name("extensions").join(package::NAME);
        let files = package::package(self.kind, None).into_iter();
        files
            .map(|file| Target { path: dir.join(&file.path), part: HookPart::Extension, ..self.clone() })
            .collect()
    }

    /// The text of this file of an extension.
    pub(super) fn extension_text(&self, program: &str) -> String {
        let files = package::package(self.kind, Some(program)).into_iter();
        files
            .filter(|file| self.path.ends_with(&file.path))
            .map(|file| file.text)
            .next_back()
            .unwrap_or_default()
    }
}

impl Surroundings<'_> {
    /// swarm's package in an agent that is started in `cwd`, if it is enabled.
    pub fn package(&self, kind: HookKind, cwd: &Path) -> Option<Package> {
        match kind {
            HookKind::Claude => self.plugin_of_claude(cwd),
            HookKind::Codex => self.plugin_of_codex(),
            HookKind::Gemini => {
                let place = self.own(kind).join("extensions").join(package::NAME);
                let linked = json(&place.join(INSTALLED))
                    .filter(|v| v["type"] == "link")
                    .and_then(|v| v["source"].as_str().map(PathBuf::from));
                let dir = linked.unwrap_or_else(|| place.clone());
                let manifest = dir.join(package::manifest(kind));
                let version = read(&manifest).ok()?.and_then(|text| package::version(&text));
                manifest.exists().then_some(Package { place, version, trusted: true })
            }
            HookKind::OpenCode => None,
        }
    }

    fn plugin_of_claude(&self, cwd: &Path) -> Option<Package> {
        let own = ["settings.local.json", "settings.json"].map(|f| cwd.join(".claude").join(f));
        let files: Vec<PathBuf> =
            managed_claude().into_iter().chain(own).chain([self.user_file(HookKind::Claude)]).collect();
        let claim = |file: &PathBuf| -> Option<Claim> { package::claim(&read(file).ok()??).ok() };
        let (place, on) = decided(files.iter().cloned(), |file| claim(file)?.enabled)?;
        if !on {
            return None;
        }
        let known = || {
            let known = json(&markets(self))?;
            known[package::NAME]["installLocation"].as_str().map(str::to_owned)
        };
        let market = files.iter().find_map(|file| claim(file)?.market).or_else(known);
        let manifest =
            |dir: PathBuf| read(&dir.join("claude").join(package::manifest(HookKind::Claude))).ok().flatten();
        let version = market.map(PathBuf::from).and_then(manifest).and_then(|text| package::version(&text));
        Some(Package { place, version, trusted: true })
    }

    fn plugin_of_codex(&self) -> Option<Package> {
        let own = self.own(HookKind::Codex);
        let place = own.join("config.toml");
        let config = toml_of(&place)?;
        let plugin = config.get("plugins")?.get(package::ID)?;
        if plugin.get("enabled").and_then(toml_edit::Item::as_bool) == Some(false) {
            return None;
        }
        // Codex copies a plugin. The manifest of each copy contains its version, which is also the name of its
        // directory.
        let cache = own.join("plugins/cache").join(package::NAME).join(package::NAME);
        let copies = std::fs::read_dir(cache).into_iter().flatten().flatten();
        let versions: Vec<String> = copies
            .filter_map(|copy| {
                let manifest = copy.path().join(package::manifest(HookKind::Codex));
                package::version(&read(&manifest).ok()??)
            })
            .collect();
        let version = versions.iter().find(|v| *v == package::VERSION).or(versions.first()).cloned();
        let state = config.get("hooks").and_then(|hooks| hooks.get("state")).cloned();
        let is_trusted = |event: &str| {
            let entry = Entry {
                event: event.to_owned(),
                place: (0, 0),
                command: package::command(HookKind::Codex, event),
            };
            let name = format!("{}:hooks/hooks.json:{}:0:0", package::ID, reach::snake(event));
            let said = state.as_ref().and_then(|state| state.get(&name)).cloned();
            let hash = said.as_ref().and_then(|s| s.get("trusted_hash")?.as_str().map(str::to_owned));
            hash == Some(trusted_hash(&entry))
        };
        let trusted = package::events(HookKind::Codex).all(is_trusted);
        Some(Package { place, version, trusted })
    }

    /// The first file with swarm's plain hooks, for any program, that an agent reads if it was started in `cwd`.
    pub fn plain(&self, kind: HookKind, cwd: &Path) -> Option<PathBuf> {
        let has = |file: &PathBuf| {
            let text = read(file).ok().flatten().unwrap_or_default();
            settings::entries(&text, kind).is_ok_and(|found| !found.is_empty())
        };
        self.files(kind, cwd).into_iter().find(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::install::reach::{Reach, project_file};
    use std::fs;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes the packages with that version.
    fn market(dir: &Path, version: &str) {
        for file in package::files(Some("/x/swarm")) {
            put(&dir.join(&file.path), &file.text.replace(package::VERSION, version));
        }
    }

    #[test]
    fn a_package_reaches_an_agent_only_in_its_version_and_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (home, project, place) =
            (dir.path().join("home"), dir.path().join("project"), dir.path().join("market"));
        let none = |_: &str| None;
        let around = Surroundings { home: home.clone(), variable: &none };
        let claude = || around.reach(HookKind::Claude, &project, "/x/swarm");
        let own = home.join(".claude/settings.json");
        put(&own, &package::with_package("{}", &place.display().to_string()).unwrap());
        assert_eq!(claude(), Reach::OtherVersion(own.clone(), "unknown".into()), "the market is not there");
        market(&place, "9.9.9");
        assert_eq!(claude(), Reach::OtherVersion(own.clone(), "9.9.9".into()));
        market(&place, package::VERSION);
        assert_eq!(claude(), Reach::Whole);
        // The file with the highest priority counts.
        let local = project_file(HookKind::Claude, &project);
        put(&local, "{\"enabledPlugins\": {\"swarm@swarm\": false}}");
        assert_eq!(claude(), Reach::Absent);
        put(&local, "{\"disableAllHooks\": true}");
        assert_eq!(claude(), Reach::Off(local.clone(), "disableAllHooks"));
        let plain = settings::with_hooks("{}", HookKind::Claude, "/x/swarm").unwrap();
        put(&local, &plain);
        assert_eq!(claude(), Reach::Twice(local.clone()));
        assert_eq!(around.plain(HookKind::Claude, &project), Some(local.clone()));
        fs::remove_file(&local).unwrap();
        // If the settings do not name its marketplace, it is where Claude knows one.
        put(&own, "{\"enabledPlugins\": {\"swarm@swarm\": true}}");
        assert!(matches!(claude(), Reach::OtherVersion(..)));
        let known = format!("{{\"swarm\": {{\"installLocation\": \"{}\"}}}}", place.display());
        put(&home.join(".claude/plugins/known_marketplaces.json"), &known);
        assert_eq!(claude(), Reach::Whole);
    }

    #[test]
    fn gemini_and_codex_have_packages_of_their_own_forms() {
        let dir = tempfile::tempdir().unwrap();
        let (home, project) = (dir.path().join("home"), dir.path().join("project"));
        let none = |_: &str| None;
        let around = Surroundings { home: home.clone(), variable: &none };
        let is = |kind| around.reach(kind, &project, "/x/swarm");
        let target = Target::user(HookKind::Gemini, &around);
        for file in target.extension() {
            put(&file.path, &file.install("/x/swarm").unwrap().after.unwrap());
        }
        assert_eq!(is(HookKind::Gemini), Reach::Whole);
        put(&target.path, "{\"hooksConfig\": {\"enabled\": false}}");
        assert!(matches!(is(HookKind::Gemini), Reach::Off(..)));
        let extension = home.join(".gemini/extensions/swarm");
        market(&dir.path().join("market"), "9.9.9");
        fs::remove_dir_all(&extension).unwrap();
        let source = dir.path().join("market/gemini");
        let link = serde_json::json!({"type": "link", "source": source}).to_string();
        put(&extension.join(INSTALLED), &link);
        assert!(target.is_installed_by_its_agent() && target.extension().is_empty());
        assert_eq!(is(HookKind::Gemini), Reach::OtherVersion(extension, "9.9.9".into()));

        let config = home.join(".codex/config.toml");
        let plugin = "[plugins.\"swarm@swarm\"]\nenabled = true\n";
        put(&config, plugin);
        let cache = home.join(".codex/plugins/cache/swarm/swarm");
        for version in ["0.0.1", package::VERSION] {
            for file in package::package(HookKind::Codex, None) {
                put(&cache.join(version).join(&file.path), &file.text.replace(package::VERSION, version));
            }
            let wanted = if version == package::VERSION {
                Reach::Untrusted
            } else {
                Reach::OtherVersion(config.clone(), version.into())
            };
            assert_eq!(is(HookKind::Codex), wanted);
        }
        let trust: String = package::events(HookKind::Codex)
            .map(|event| {
                let command = package::command(HookKind::Codex, event);
                let entry = Entry { event: event.to_owned(), place: (0, 0), command };
                let (event, hash) = (reach::snake(event), trusted_hash(&entry));
                format!(
                    "[hooks.state.\"swarm@swarm:hooks/hooks.json:{event}:0:0\"]\ntrusted_hash = \"{hash}\"\n"
                )
            })
            .collect();
        put(&config, &format!("{plugin}{trust}"));
        assert_eq!(is(HookKind::Codex), Reach::Whole);
        put(&config, &format!("{}{trust}", plugin.replace("true", "false")));
        assert_eq!(is(HookKind::Codex), Reach::Absent);
    }
}
