//! swarm as a package of the agent's own kind: put in and taken out, of one version, and never beside plain hooks.

use crate::support::World;
use crate::support::mail::parsed;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn packages(world: &World) -> PathBuf {
    world.path().join("home/.local/state/swarm/agents")
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_plugin_of_claude_takes_the_place_of_plain_hooks_and_the_other_way_round() {
    let world = World::new();
    world.ok(&["init"]);
    let file = world.project().join(".claude/settings.local.json");
    let mine = "{\n  // mine\n  \"enabledPlugins\": {\"a@b\": true}\n}\n";
    put(&file, mine);
    let before = world.ok(&["hooks", "diff", "claude", "--package"]);
    assert!(before.contains("+    \"swarm@swarm\": true") && !packages(&world).exists(), "{before}");
    world.ok(&["hooks", "install", "claude", "--allow"]);
    let told = world.ok(&["hooks", "install", "claude", "--package"]);
    assert!(told.contains("as a plugin from its next start on"), "{told}");
    let text = fs::read_to_string(&file).unwrap();
    let is_plugin = |text: &str| text.contains("swarm@swarm") && !text.contains("hook claude");
    assert!(
        is_plugin(&text) && text.contains("// mine") && text.contains("Bash(swarm-msg send:*)"),
        "{text}"
    );
    let told = world.ok(&["hooks", "install", "claude", "--package"]);
    assert!(told.contains("already loads swarm as a plugin"), "{told}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let told = world.ok(&["hooks", "status", "claude"]);
    assert!(
        told.contains("installed as a package of version") && told.contains("runs without asking"),
        "{told}"
    );
    let known = world.path().join("home/.claude/plugins/known_marketplaces.json");
    let known = parsed(&fs::read_to_string(known).unwrap());
    assert_eq!(known["swarm"]["installLocation"], packages(&world).to_str().unwrap());
    // Plain hooks again: the plugin goes.
    world.ok(&["hooks", "install", "claude"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("swarm@swarm") && text.contains("hook claude Stop") && text.contains("a@b"),
        "{text}"
    );
    world.ok(&["hooks", "install", "claude", "--package"]);
    // Somebody put plain hooks beside it: that is said, and the next installation removes them.
    let both = fs::read_to_string(&file).unwrap().replacen(
        "// mine",
        "// mine\n  \"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"'/x/swarm' hook claude Stop\"}]}]},",
        1,
    );
    put(&file, &both);
    let told = world.ok(&["hooks", "status", "claude"]);
    assert!(told.contains("installed twice"), "{told}");
    world.ok(&["hooks", "install", "claude", "--package"]);
    assert!(is_plugin(&fs::read_to_string(&file).unwrap()));
    world.ok(&["hooks", "uninstall", "claude"]);
    let left = fs::read_to_string(&file).unwrap();
    assert!(left.contains("a@b") && left.contains("// mine") && !left.contains("swarm"), "{left}");
}

#[test]
fn a_package_that_nobody_touched_goes_byte_for_byte_and_with_its_directory() {
    let world = World::new();
    world.ok(&["init"]);
    let file = world.project().join(".claude/settings.local.json");
    let mine = "{\n\t\"a\": [1],\t\"enabledPlugins\" : { }\n}";
    put(&file, mine);
    world.ok(&["hooks", "install", "claude", "--package"]);
    world.ok(&["hooks", "uninstall", "claude"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), mine);
    // An extension is made of whole files.
    let (code, why) = world.refused(&["hooks", "install", "gemini", "--package"]);
    assert!(code == 2 && why.contains("--package --user"), "{why}");
    let own = world.path().join("home/.gemini/settings.json");
    put(&own, "{}");
    world.ok(&["hooks", "install", "gemini", "--user"]);
    world.ok(&["hooks", "install", "gemini", "--package", "--user"]);
    let extension = world.path().join("home/.gemini/extensions/swarm");
    assert!(extension.join("hooks/hooks.json").exists());
    assert!(!fs::read_to_string(&own).unwrap().contains("hook gemini"));
    let told = world.ok(&["hooks", "status", "gemini", "--user"]);
    assert!(told.contains("installed as a package of version"), "{told}");
    world.ok(&["hooks", "install", "gemini", "--user"]);
    assert!(!extension.exists() && fs::read_to_string(&own).unwrap().contains("hook gemini"));
    world.ok(&["hooks", "install", "gemini", "--package", "--user"]);
    world.ok(&["hooks", "uninstall", "gemini", "--user"]);
    assert!(!extension.exists(), "what was made for it goes with it");
    assert_eq!(fs::read_to_string(&own).unwrap(), "{}");
    // What Gemini CLI's own command installed is left to that.
    put(&extension.join(".gemini-extension-install.json"), "{\"type\": \"local\"}");
    put(&extension.join("gemini-extension.json"), "{\"name\": \"swarm\", \"version\": \"9.9.9\"}");
    let (code, why) = world.refused(&["hooks", "install", "gemini", "--package", "--user"]);
    assert!(code == 2 && why.contains("gemini extensions uninstall swarm"), "{why}");
    let told = world.ok(&["hooks", "uninstall", "gemini", "--user"]);
    assert!(told.contains("gemini extensions uninstall swarm") && extension.exists(), "{told}");
    let (code, why) = world.refused(&["hooks", "install", "codex", "--package"]);
    assert!(code == 2 && why.contains("codex plugin add swarm@swarm"), "{why}");
    let told = world.ok(&["uninstall", "--yes"]);
    assert!(told.contains("swarm as a package") && !packages(&world).exists(), "{told}");
}

/// Calls a hook of a package's script below an agent.
fn call(world: &World, dir: &Path, event: &str, input: &Value) -> String {
    fs::write(world.path().join("input"), input.to_string()).unwrap();
    let (script, input) = (dir.join("claude/swarm"), world.path().join("input"));
    world.below(
        "claude-1",
        &format!("sh '{}' hook claude {event} <{}; echo \"rc $?\"", script.display(), input.display()),
    )
}

#[test]
fn a_package_works_in_its_version_and_alone() {
    let (world, _) = World::with_agents(&["claude"], &[]);
    world.ok(&["hooks", "install", "claude", "--package"]);
    let dir = packages(&world);
    let prompt = json!({"prompt": "hello"});
    // In its version it does what plain hooks do.
    let told = call(&world, &dir, "SessionStart", &json!({}));
    assert!(told.contains("You are claude-1") && told.ends_with("rc 0\n"), "{told}");
    let doctor = String::from_utf8(world.swarm(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("installed as a package of version"), "{doctor}");
    // Beside plain hooks, of whatever program, it leaves the event to those.
    let file = world.project().join(".claude/settings.local.json");
    let alone = fs::read_to_string(&file).unwrap();
    let plain = "\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"'/x/swarm' hook claude Stop\"}]}]},";
    put(&file, &alone.replacen('{', &format!("{{{plain}"), 1));
    assert_eq!(call(&world, &dir, "SessionStart", &json!({})), "rc 0\n");
    let doctor = String::from_utf8(world.swarm(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("hooks install claude --package"), "{doctor}");
    put(&file, &alone);
    // Of another version it does nothing, and says so with the next prompt.
    for name in ["claude/swarm", "claude/.claude-plugin/plugin.json"] {
        let text = fs::read_to_string(dir.join(name)).unwrap();
        put(&dir.join(name), &text.replace(env!("CARGO_PKG_VERSION"), "9.9.9"));
    }
    assert_eq!(call(&world, &dir, "SessionStart", &json!({})), "rc 0\n");
    let told = call(&world, &dir, "UserPromptSubmit", &prompt);
    assert!(told.contains("systemMessage") && told.contains("9.9.9") && told.ends_with("rc 0\n"), "{told}");
    assert!(!told.contains("additionalContext"), "{told}");
    for told in [
        String::from_utf8(world.swarm(&["doctor"]).stdout).unwrap(),
        world.ok(&["hooks", "status", "claude"]),
    ] {
        assert!(told.contains("of version 9.9.9"), "{told}");
    }
    // Installed again it fits.
    world.ok(&["hooks", "install", "claude", "--package"]);
    assert!(call(&world, &dir, "SessionStart", &json!({})).contains("You are claude-1"));
    // Without the program that installed it, another on PATH serves; without any, the agent goes on.
    let script = fs::read_to_string(dir.join("claude/swarm")).unwrap();
    let lost = script.replacen("program='", "program='/gone", 1);
    put(&dir.join("claude/swarm"), &lost);
    assert!(call(&world, &dir, "SessionStart", &json!({})).contains("You are claude-1"));
    let mut alone = std::process::Command::new("/bin/sh");
    alone.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", world.path().join("nowhere"));
    let out = alone.arg(dir.join("claude/swarm")).args(["hook", "claude", "Stop"]).output().unwrap();
    assert!(out.status.success() && out.stdout.is_empty() && out.stderr.is_empty(), "{out:?}");
}
