//! swarm's hooks as packages, which agents install by their own commands: a plugin for Claude Code and Codex, an
//! extension for Gemini CLI.
//!
//! Pure. A package belongs to one version of swarm. It does not name the program: a script in it finds one and passes
//! the version of the package. A program of another version then does nothing. `plugin/agents/` holds the same files,
//! as a marketplace in a checkout.

use super::HookKind;
use super::settings::{self, marked, object, parse, wanted};
use crate::core::order;
use jsonc_parser::cst::{CstInputValue, CstObject};
use serde_json::{Value, json};

/// The version of the packages, equal to the program's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The variable in which a package's script gives the program the version of the package.
pub const VARIABLE: &str = "SWARM_PACKAGE";

/// The plugin's id for agents, with its marketplace.
pub const ID: &str = "swarm@swarm";

/// The name of the plugin, of its marketplace, and of its script.
pub const NAME: &str = "swarm";

const ABOUT: &str = "Hooks of swarm: mail between the agents in your tmux panes, and leases on files";

const SCRIPT: &str = include_str!("package.sh");

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Its path in the directory of all packages.
    pub path: String,
    pub text: String,
}

/// The directory of the package of `kind` in the directory of all packages; `None` if there is no package.
pub fn place(kind: HookKind) -> Option<&'static str> {
    match kind {
        HookKind::Claude | HookKind::Codex | HookKind::Gemini => Some(kind.word()),
        HookKind::OpenCode => None,
    }
}

/// The file of a package that contains its version.
pub fn manifest(kind: HookKind) -> &'static str {
    match kind {
        HookKind::Claude => ".claude-plugin/plugin.json",
        HookKind::Codex => ".codex-plugin/plugin.json",
        HookKind::Gemini | HookKind::OpenCode => "gemini-extension.json",
    }
}

/// All files of the packages, for that program, or for the one that the script finds.
pub fn files(program: Option<&str>) -> Vec<PackageFile> {
    let file = |path: &str, value: &Value| PackageFile { path: path.to_owned(), text: pretty(value) };
    let mut all = vec![
        file(
            ".claude-plugin/marketplace.json",
            &json!({
                "name": NAME, "description": ABOUT, "owner": {"name": NAME},
                "plugins": [{"name": NAME, "source": "./claude", "description": ABOUT}],
            }),
        ),
        file(
            ".agents/plugins/marketplace.json",
            &json!({
                "name": NAME, "interface": {"displayName": NAME},
                "plugins": [{
                    "name": NAME, "source": {"source": "local", "path": "./codex"}, "category": "Productivity",
                    "policy": {"installation": "AVAILABLE", "authentication": "ON_INSTALL"},
                }],
            }),
        ),
    ];
    for kind in HookKind::ALL {
        let Some(place) = place(kind) else { continue };
        all.extend(package(kind, program).into_iter().map(|mut file| {
            file.path = format!("{place}/{}", file.path);
            file
        }));
    }
    all
}

/// The files of one package.
pub fn package(kind: HookKind, program: Option<&str>) -> Vec<PackageFile> {
    let about = match kind {
        HookKind::Claude => {
            json!({"name": NAME, "version": VERSION, "description": ABOUT, "author": {"name": NAME}, "license": "MIT"})
        }
        HookKind::Codex => {
            json!({"name": NAME, "version": VERSION, "description": ABOUT, "hooks": "./hooks/hooks.json"})
        }
        HookKind::Gemini | HookKind::OpenCode => {
            json!({"name": NAME, "version": VERSION, "description": ABOUT})
        }
    };
    let hooks = wanted(kind).iter().map(|(event, matcher)| {
        let mut group = json!({"hooks": [{
            "type": "command", "command": command(kind, event), "timeout": settings::timeout(kind),
        }]});
        if let Some(matcher) = matcher {
            group["matcher"] = (*matcher).into();
        }
        ((*event).to_owned(), json!([group]))
    });
    let hooks = json!({"hooks": order::collect::<_, serde_json::Map<_, _>>(hooks)});
    let program = program.unwrap_or_default().replace('\'', "'\\''");
    let script = SCRIPT.replace("'@PROGRAM@'", &format!("'{program}'")).replace("@VERSION@", VERSION);
    [(manifest(kind), pretty(&about)), ("hooks/hooks.json", pretty(&hooks)), (NAME, script)]
        .map(|(path, text)| PackageFile { path: path.to_owned(), text })
        .into()
}

/// The command of one hook of a package. Each agent has its own variable for the directory of the package.
pub fn command(kind: HookKind, event: &str) -> String {
    let root = match kind {
        HookKind::Claude => "${CLAUDE_PLUGIN_ROOT}",
        HookKind::Codex => "${PLUGIN_ROOT}",
        HookKind::Gemini | HookKind::OpenCode => "${extensionPath}",
    };
    format!("sh \"{root}/{NAME}\" hook {} {event}", kind.word())
}

/// The events of the hooks of `kind`.
pub fn events(kind: HookKind) -> impl Iterator<Item = &'static str> {
    wanted(kind).iter().map(|(event, _)| *event)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The version in the manifest of a package.
pub fn version(manifest: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(manifest.as_bytes()).ok()?;
    Some(value["version"].as_str()?.to_owned())
}

/// The plugin in one of Claude Code's settings files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Whether it is enabled, if the file has that.
    pub enabled: Option<bool>,
    /// The directory of its marketplace, if the file names it.
    pub market: Option<String>,
}

/// Where Claude Code's settings enable plugins, and where they name marketplaces.
const KEYS: [(&str, &str); 2] = [("enabledPlugins", ID), ("extraKnownMarketplaces", NAME)];

/// The plugin in a settings file of Claude Code.
pub fn claim(text: &str) -> Result<Claim, String> {
    let value = settings::value(text)?;
    let market = &value[KEYS[1].0][KEYS[1].1]["source"];
    Ok(Claim {
        enabled: value[KEYS[0].0][KEYS[0].1].as_bool(),
        market: market["path"].as_str().filter(|_| market["source"] == "directory").map(str::to_owned),
    })
}

/// The settings of Claude Code with the plugin from the marketplace in `dir`, and without swarm's plain hooks: each
/// event must run the hooks once.
pub fn with_package(text: &str, dir: &str) -> Result<String, String> {
    let wanted = Claim { enabled: Some(true), market: Some(dir.to_owned()) };
    let text = settings::without_hooks(text, HookKind::Claude)?;
    if claim(&text)? == wanted {
        return Ok(text);
    }
    let root = parse(&without_package(&text)?)?;
    let top = object(&root)?;
    let string = |text: &str| CstInputValue::String(text.to_owned());
    let source = vec![("source".to_owned(), string("directory")), ("path".to_owned(), string(dir))];
    let source = CstInputValue::Object(vec![("source".to_owned(), CstInputValue::Object(source))]);
    for ((place, name), value) in KEYS.into_iter().zip([CstInputValue::Bool(true), source]) {
        let object =
            top.object_value_or_create(place).ok_or_else(|| format!("its \"{place}\" is not an object"))?;
        object.append(name, value);
    }
    Ok(marked(&text, root.to_string()))
}

/// The settings of Claude Code without the plugin, and without objects that this empties.
pub fn without_package(text: &str) -> Result<String, String> {
    // A text that is not understood, and does not mention the plugin, contains nothing of swarm.
    if !KEYS.iter().any(|(place, _)| text.contains(place)) {
        return Ok(text.to_owned());
    }
    let root = parse(text)?;
    let top = object(&root)?;
    let mut changed = false;
    for (place, name) in KEYS {
        let Some(inside) = top.object_value(place) else { continue };
        // If a name is there twice, both are removed.
        while let Some(property) = named(&inside, name) {
            property.remove();
            changed = true;
        }
        if changed
            && inside.properties().is_empty()
            && let Some(property) = top.get(place)
        {
            property.remove();
        }
    }
    Ok(if changed { marked(text, root.to_string()) } else { text.to_owned() })
}

/// Claude Code's list of known marketplaces, with the one in `dir`. Claude reads marketplaces from its settings only
/// while a session starts, and loads their plugins in the next session.
pub fn with_market(text: &str, dir: &str) -> Result<String, String> {
    let there = settings::value(text)?;
    if there[NAME]["installLocation"] == dir {
        return Ok(text.to_owned());
    }
    let root = parse(&without_market(text)?)?;
    let string = |text: &str| CstInputValue::String(text.to_owned());
    let source = vec![("source".to_owned(), string("directory")), ("path".to_owned(), string(dir))];
    let market = vec![
        ("source".to_owned(), CstInputValue::Object(source)),
        ("installLocation".to_owned(), string(dir)),
        // A directory is read in place: there is nothing to update.
        ("lastUpdated".to_owned(), string("2026-01-01T00:00:00.000Z")),
    ];
    object(&root)?.append(NAME, CstInputValue::Object(market));
    Ok(marked(text, root.to_string()))
}

/// The same list without swarm's marketplace.
pub fn without_market(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Ok(text.to_owned());
    }
    let root = parse(text)?;
    let Some(property) = named(&object(&root)?, NAME) else { return Ok(text.to_owned()) };
    property.remove();
    Ok(marked(text, root.to_string()))
}

fn named(object: &CstObject, wanted: &str) -> Option<jsonc_parser::cst::CstObjectProp> {
    object.properties().into_iter().find(|p| settings::name(p).as_deref() == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_checkout_has_the_packages_of_its_version() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin/agents");
        for file in files(None) {
            let path = dir.join(&file.path);
            if std::env::var_os("SWARM_UPDATE_SNAPSHOTS").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &file.text).unwrap();
            }
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(there, file.text, "{}: SWARM_UPDATE_SNAPSHOTS=1 writes it", path.display());
        }
    }

    #[test]
    fn a_package_has_the_hooks_of_its_agent_and_one_version() {
        for (kind, events) in [(HookKind::Claude, 7), (HookKind::Codex, 6), (HookKind::Gemini, 7)] {
            let files = package(kind, Some("/a b/it's/swarm"));
            let of = |path: &str| files.iter().find(|f| f.path == path).unwrap().text.clone();
            assert_eq!(version(&of(manifest(kind))).as_deref(), Some(VERSION));
            let hooks: Value = serde_json::from_str(&of("hooks/hooks.json")).unwrap();
            assert_eq!(hooks["hooks"].as_object().unwrap().len(), events);
            for (event, groups) in hooks["hooks"].as_object().unwrap() {
                assert_eq!(groups[0]["hooks"][0]["command"], command(kind, event));
            }
            let script = of(NAME);
            assert!(script.contains("program='/a b/it'\\''s/swarm'\n"), "{script}");
            assert!(script.contains(&format!("SWARM_PACKAGE={VERSION}\n")), "{script}");
        }
        assert_eq!(place(HookKind::OpenCode), None);
    }

    #[test]
    fn a_marketplace_is_listed_once_and_beside_others() {
        for (text, others) in [("", 0), ("{}", 0), ("{\n  \"mine\": {\"installLocation\": \"/x\"}\n}", 1)] {
            let with = with_market(text, "/m").unwrap();
            let value = settings::value(&with).unwrap();
            assert_eq!(value[NAME]["installLocation"], "/m", "{with}");
            assert_eq!(value.as_object().unwrap().len(), 1 + others);
            assert_eq!(with_market(&with, "/m").unwrap(), with);
            let moved = with_market(&with, "/n").unwrap();
            assert!(moved.contains("/n") && !moved.contains("\"/m\""), "{moved}");
            let without = settings::value(&without_market(&with).unwrap()).unwrap();
            assert_eq!(without.as_object().unwrap().len(), others);
        }
        assert_eq!(without_market("").unwrap(), "");
        assert!(with_market("[]", "/m").is_err());
    }

    #[test]
    fn a_plugin_takes_the_place_of_plain_hooks_and_goes_as_it_came() {
        let mine = "{\n  // mine\n  \"model\": \"x\",\n  \"enabledPlugins\": {\"a@b\": true}\n}\n";
        let plain = settings::with_hooks(mine, HookKind::Claude, "/x/swarm").unwrap();
        let with = with_package(&plain, "/m").unwrap();
        assert_eq!(claim(&with).unwrap(), Claim { enabled: Some(true), market: Some("/m".into()) });
        assert!(!with.contains("hook claude") && with.contains("// mine") && with.contains("a@b"), "{with}");
        assert_eq!(with_package(&with, "/m").unwrap(), with);
        assert_eq!(claim(&with_package(&with, "/n").unwrap()).unwrap().market.as_deref(), Some("/n"));
        let without = without_package(&with).unwrap();
        assert_eq!(settings::value(&without), settings::value(mine), "{without}");
        assert!(without.contains("// mine"));
        // Empty objects of the person's stay.
        let empty = "{\"enabledPlugins\": {}, \"extraKnownMarketplaces\": {}}";
        assert_eq!(without_package(empty).unwrap(), empty);
        for odd in ["[]", "{", "{\"enabledPlugins\": 7}"] {
            assert!(with_package(odd, "/m").is_err(), "{odd}");
        }
        let off = "{\"enabledPlugins\": {\"swarm@swarm\": false}}";
        assert_eq!(claim(off).unwrap(), Claim { enabled: Some(false), market: None });
    }
}
