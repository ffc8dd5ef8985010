//! Checks whether swarm's hooks reach an agent: they must be where it looks for them, switched on and trusted.
//!
//! An agent reads its settings from the directory in which it was started, and from where its own variables point. So
//! every function here takes a directory and an environment. It only reads; an unreadable file counts as missing.

use super::{HookPart, Target};
use crate::core::hook::HookKind;
use crate::core::hook::settings::{self, Entry, Presence};
use crate::store::foreign::read;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

pub struct Surroundings<'a> {
    /// Its home directory.
    pub home: PathBuf,
    /// A variable of its environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Whether hooks reach an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// They are there, switched on and, if the agent asks for that, trusted.
    Whole,
    /// No file that the agent reads contains them.
    Absent,
    /// This file contains only some of them, or another path of the program.
    Partial(PathBuf),
    /// They are there, but this file switches them off with that key.
    Off(PathBuf, &'static str),
    /// They are there, but Codex was not told to trust them.
    Untrusted,
    /// This file makes the agent load a package of another version than this program's. The package does nothing.
    OtherVersion(PathBuf, String),
    /// They come as a package, and this file contains them as well. The package does nothing.
    Twice(PathBuf),
}

impl Surroundings<'_> {
    fn dir(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).map(PathBuf::from).filter(|dir| dir.is_absolute())
    }

    /// The directory of the person's own settings.
    pub(super) fn own(&self, kind: HookKind) -> PathBuf {
        match kind {
            HookKind::Claude => self.dir("CLAUDE_CONFIG_DIR").unwrap_or_else(|| self.home.join(".claude")),
            HookKind::Codex => self.dir("CODEX_HOME").unwrap_or_else(|| self.home.join(".codex")),
            HookKind::Gemini => {
                self.dir("GEMINI_CLI_HOME").unwrap_or_else(|| self.home.clone()).join(".gemini")
            }
            HookKind::OpenCode => self.dir("OPENCODE_CONFIG_DIR").unwrap_or_else(|| {
                self.dir("XDG_CONFIG_HOME").unwrap_or_else(|| self.home.join(".config")).join("opencode")
            }),
        }
    }

    /// The person's own file for swarm's hooks.
    pub fn user_file(&self, kind: HookKind) -> PathBuf {
        self.own(kind).join(match kind {
            HookKind::Claude | HookKind::Gemini => "settings.json",
            HookKind::Codex => "hooks.json",
            HookKind::OpenCode => "plugins/swarm.js",
        })
    }

    /// The person's own file for the `swarm-msg` rules, if the hooks are in another file.
    pub fn rules_file(&self, kind: HookKind) -> Option<PathBuf> {
        match kind {
            HookKind::Codex => Some(self.own(kind).join("rules/swarm.rules")),
            HookKind::Gemini => Some(self.own(kind).join("policies/swarm.toml")),
            HookKind::Claude | HookKind::OpenCode => None,
        }
    }

    /// The files with hooks that an agent reads if it was started in `cwd`.
    pub fn files(&self, kind: HookKind, cwd: &Path) -> Vec<PathBuf> {
        let mut files = vec![self.user_file(kind)];
        match kind {
            HookKind::Claude => {
                files.extend(["settings.json", "settings.local.json"].map(|f| cwd.join(".claude").join(f)));
            }
            HookKind::Gemini => files.push(project_file(kind, cwd)),
            HookKind::Codex | HookKind::OpenCode => {
                files.extend(above(cwd).iter().map(|dir| project_file(kind, dir)));
            }
        }
        if kind == HookKind::OpenCode {
            let base = self.dir("XDG_CONFIG_HOME").unwrap_or_else(|| self.home.join(".config"));
            files.push(base.join("opencode/plugins/swarm.js"));
        }
        files.dedup();
        files
    }

    /// Whether the hooks of `program` reach an agent that was started in `cwd`.
    pub fn reach(&self, kind: HookKind, cwd: &Path, program: &str) -> Reach {
        let mut partial = None;
        let mut whole = Vec::new();
        for path in self.files(kind, cwd) {
            let target = Target { kind, path: path.clone(), within: None, part: HookPart::Hooks };
            match target.presence(program) {
                Ok(Presence::Full) => whole.push(path),
                Ok(Presence::Partial) => partial = partial.or(Some(path)),
                Ok(Presence::None) | Err(_) => {}
            }
        }
        let package = self.package(kind, cwd);
        match (&package, partial) {
            (None, Some(file)) if whole.is_empty() => return Reach::Partial(file),
            (Some(_), Some(file)) if whole.is_empty() => return Reach::Twice(file),
            (None, _) if whole.is_empty() => return Reach::Absent,
            (Some(package), _) if whole.is_empty() && !package.fits() => {
                return Reach::OtherVersion(package.place.clone(), package.shown());
            }
            _ => {}
        }
        if let Some((file, key)) = self.off(kind, cwd) {
            return Reach::Off(file, key);
        }
        match (package, whole.first()) {
            (Some(_), Some(file)) => return Reach::Twice(file.clone()),
            (Some(package), None) if !package.trusted => return Reach::Untrusted,
            (Some(_), None) => return Reach::Whole,
            (None, _) => {}
        }
        if kind == HookKind::Codex && !whole.iter().any(|file| self.trusts(file)) {
            return Reach::Untrusted;
        }
        Reach::Whole
    }

    /// The file that switches hooks off, and its key. The file with the highest priority that has the key decides.
    #[inline(never)]
    fn off(&self, kind: HookKind, cwd: &Path) -> Option<(PathBuf, &'static str)> {
        match kind {
            HookKind::Claude => {
                let managed = managed_claude();
                let is_true = |key: &'static str, file: &PathBuf| json(file)?.get(key)?.as_bool();
                if let Some(file) = managed.iter().find(|f| is_true("allowManagedHooksOnly", f) == Some(true))
                {
                    return Some((file.clone(), "allowManagedHooksOnly"));
                }
                let own = ["settings.local.json", "settings.json"].map(|f| cwd.join(".claude").join(f));
                let files = managed.into_iter().chain(own).chain([self.user_file(kind)]);
                decided(files, |file| is_true("disableAllHooks", file))
                    .filter(|(_, off)| *off)
                    .map(|(file, _)| (file, "disableAllHooks"))
            }
            HookKind::Gemini => {
                let system = self.dir("GEMINI_CLI_SYSTEM_SETTINGS_PATH");
                let system = system.unwrap_or_else(|| "/etc/gemini-cli/settings.json".into());
                let files = [system, project_file(kind, cwd), self.user_file(kind)];
                let names_ours = |file: &&PathBuf| {
                    let list = json(file).and_then(|v| v["hooksConfig"]["disabled"].as_array().cloned());
                    list.unwrap_or_default()
                        .iter()
                        .any(|v| v.as_str().is_some_and(|t| t.contains(" hook gemini ")))
                };
                if let Some(file) = files.iter().find(names_ours) {
                    return Some((file.clone(), "hooksConfig.disabled"));
                }
                decided(files.into_iter(), |file| json(file)?["hooksConfig"]["enabled"].as_bool())
                    .filter(|(_, on)| !*on)
                    .map(|(file, _)| (file, "hooksConfig.enabled"))
            }
            HookKind::Codex => {
                let required = PathBuf::from("/etc/codex/requirements.toml");
                let only = toml_of(&required).and_then(|t| t.get("allow_managed_hooks_only")?.as_bool());
                if only == Some(true) {
                    return Some((required, "allow_managed_hooks_only"));
                }
                let dirs = above(cwd).into_iter().rev().map(|dir| dir.join(".codex/config.toml"));
                let files = dirs.chain([self.own(kind).join("config.toml")]);
                let says = |file: &PathBuf| {
                    let features = toml_of(file)?.get("features")?.clone();
                    features.get("hooks").or_else(|| features.get("codex_hooks"))?.as_bool()
                };
                decided(files, says).filter(|(_, on)| !*on).map(|(file, _)| (file, "features.hooks"))
            }
            HookKind::OpenCode => None,
        }
    }

    /// Whether Codex was told to trust each of swarm's hooks in a file, in its present form.
    fn trusts(&self, file: &Path) -> bool {
        let Some(text) = read(file).ok().flatten() else { return false };
        let Ok(entries) = settings::entries(&text, HookKind::Codex) else { return false };
        let Some(config) = toml_of(&self.own(HookKind::Codex).join("config.toml")) else { return false };
        let state = config.get("hooks").and_then(|hooks| hooks.get("state"));
        let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        entries.iter().all(|entry| {
            let event = snake(&entry.event);
            let key = |path: &Path| format!("{}:{event}:{}:{}", path.display(), entry.place.0, entry.place.1);
            let of = [key(file), key(&real)].iter().find_map(|key| state?.get(key)).cloned();
            let says = |name: &str| of.as_ref().and_then(|of| of.get(name)).cloned();
            let enabled = says("enabled").and_then(|v| v.as_bool()) != Some(false);
            enabled
                && says("trusted_hash").and_then(|v| v.as_str().map(str::to_owned))
                    == Some(trusted_hash(entry))
        })
    }
}

/// The settings file of the project at `dir`. For Claude it is not settings.json: all clones share that file, but not
/// the path of the program.
pub fn project_file(kind: HookKind, dir: &Path) -> PathBuf {
    dir.join(match kind {
        HookKind::Claude => ".claude/settings.local.json",
        HookKind::Codex => ".codex/hooks.json",
        HookKind::Gemini => ".gemini/settings.json",
        HookKind::OpenCode => ".opencode/plugins/swarm.js",
    })
}

/// The directories from the top of the working tree down to `cwd`; only `cwd` if it is in no working tree.
fn above(cwd: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in cwd.ancestors() {
        dirs.push(dir.to_owned());
        if dir.join(".git").exists() {
            dirs.reverse();
            return dirs;
        }
    }
    vec![cwd.to_owned()]
}

/// The first file in which `says` finds something.
pub(super) fn decided(
    mut files: impl Iterator<Item = PathBuf>,
    says: impl Fn(&PathBuf) -> Option<bool>,
) -> Option<(PathBuf, bool)> {
    files.find_map(|file| says(&file).map(|said| (file, said)))
}

pub(super) fn managed_claude() -> Vec<PathBuf> {
    let dir = Path::new(if cfg!(target_os = "macos") {
        "/Library/Application Support/ClaudeCode"
    } else {
        "/etc/claude-code"
    });
    let dropped = std::fs::read_dir(dir.join("managed-settings.d")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = dropped.map(|entry| entry.path()).collect();
    files.push(dir.join("managed-settings.json"));
    files
}

pub(super) fn json(file: &Path) -> Option<Value> {
    settings::value(&read(file).ok()??).ok()
}

pub(super) fn toml_of(file: &Path) -> Option<toml_edit::Item> {
    Some(read(file).ok()??.parse::<toml_edit::DocumentMut>().ok()?.as_item().clone())
}

/// `SessionStart` as `session_start`.
pub(super) fn snake(event: &str) -> String {
    let mut text = String::new();
    for c in event.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// What Codex 0.169 stores for a trusted hook: the digest of the hook as JSON with sorted names.
pub(super) fn trusted_hash(entry: &Entry) -> String {
    let text = format!(
        "{{\"event_name\":\"{}\",\"hooks\":[{{\"async\":false,\"command\":{},\"timeout\":10,\"type\":\"command\"}}]}}",
        snake(&entry.event),
        Value::from(entry.command.as_str())
    );
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_hook_is_hashed_as_codex_0_169_has_it() {
        let entry = Entry {
            event: "SessionStart".into(),
            place: (0, 0),
            command: "'/opt/lab-githooks/swarmbin/swarm' hook codex SessionStart".into(),
        };
        assert_eq!(
            trusted_hash(&entry),
            "sha256:4f15829ef3aea75c1295250a43a1419c326a57e6d30f06d323559562c807a95b"
        );
    }

    #[test]
    fn hooks_reach_whoever_reads_the_file_unless_they_are_switched_off_or_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let (home, project) = (dir.path().join("home"), dir.path().join("project"));
        fs::create_dir_all(project.join(".git")).unwrap();
        fs::create_dir_all(project.join("sub")).unwrap();
        let put = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let none = |_: &str| None;
        let around = Surroundings { home: home.clone(), variable: &none };
        let is = |kind, cwd: &Path| around.reach(kind, cwd, "/x/swarm");
        for kind in HookKind::ALL {
            assert_eq!(is(kind, &project), Reach::Absent);
            let target =
                Target { kind, path: project_file(kind, &project), within: None, part: HookPart::Hooks };
            put(&target.path, &target.install("/x/swarm").unwrap().after.unwrap());
        }
        assert_eq!(is(HookKind::Claude, &project), Reach::Whole);
        assert_eq!(is(HookKind::Gemini, &project), Reach::Whole);
        assert_eq!(is(HookKind::Codex, &project), Reach::Untrusted);
        assert_eq!(is(HookKind::OpenCode, &project), Reach::Whole);
        let sub = project.join("sub");
        for (kind, reach) in [
            (HookKind::Claude, Reach::Absent),
            (HookKind::Gemini, Reach::Absent),
            (HookKind::Codex, Reach::Untrusted),
            (HookKind::OpenCode, Reach::Whole),
        ] {
            assert_eq!(is(kind, &sub), reach, "{kind:?}");
        }
        // Each hook is trusted in its present form.
        let hooks = project_file(HookKind::Codex, &project);
        let entries = settings::entries(&fs::read_to_string(&hooks).unwrap(), HookKind::Codex).unwrap();
        let state: String = entries
            .iter()
            .map(|e| {
                format!(
                    "[hooks.state.\"{}:{}:0:0\"]\ntrusted_hash = \"{}\"\n",
                    hooks.display(),
                    snake(&e.event),
                    trusted_hash(e)
                )
            })
            .collect();
        let config = home.join(".codex/config.toml");
        put(&config, &state);
        assert_eq!(is(HookKind::Codex, &sub), Reach::Whole);
        put(&config, &state.replacen("sha256:", "sha256:0", 1));
        assert_eq!(is(HookKind::Codex, &sub), Reach::Untrusted);
        put(&config, &format!("{state}[features]\nhooks = false\n"));
        assert_eq!(is(HookKind::Codex, &sub), Reach::Off(config, "features.hooks"));
        // The file with the highest priority that has the key decides.
        let (shared, own) = (project.join(".claude/settings.json"), home.join(".claude/settings.json"));
        put(&own, "{\"disableAllHooks\": true}");
        assert_eq!(is(HookKind::Claude, &project), Reach::Off(own, "disableAllHooks"));
        put(&shared, "{\"disableAllHooks\": false}");
        assert_eq!(is(HookKind::Claude, &project), Reach::Whole);
        let own = home.join(".gemini/settings.json");
        put(&own, "{\"hooksConfig\": {\"enabled\": false}}");
        assert_eq!(is(HookKind::Gemini, &project), Reach::Off(own, "hooksConfig.enabled"));
    }

    #[test]
    fn the_agents_own_variables_say_where_it_looks() {
        for (kind, name, file) in [
            (HookKind::Claude, "CLAUDE_CONFIG_DIR", "/c/settings.json"),
            (HookKind::Codex, "CODEX_HOME", "/c/hooks.json"),
            (HookKind::Gemini, "GEMINI_CLI_HOME", "/c/.gemini/settings.json"),
            (HookKind::OpenCode, "XDG_CONFIG_HOME", "/c/opencode/plugins/swarm.js"),
            (HookKind::OpenCode, "OPENCODE_CONFIG_DIR", "/c/plugins/swarm.js"),
        ] {
            let variable = |asked: &str| (asked == name).then(|| "/c".to_owned());
            let around = Surroundings { home: "/h".into(), variable: &variable };
            assert_eq!(around.user_file(kind), Path::new(file), "{name}");
        }
    }
}
