//! Checks of tmux: its program, its server, the plugin, and the program that the plugin found.

use super::Checkup;
use super::finding::{self, Finding, Fix};
use crate::core::escape;
use crate::tmux::hangs;
use crate::tmux::health::{self, Health};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The end of the version text of a program that fits the plugin.
const PROTOCOL: &str = "(protocol 2)";

/// Prints the checksum of a checkout's sources, as the plugin's build script defines it.
const STAMP: &str =
    r#"eval "$(awk '/^stamp\(\)/ {on = 1} on {print} on && /}[ \t]*$/ {exit}' plugin/install.sh)"; stamp"#;

/// Checks tmux. Returns the server's state, if the server can be reached.
pub(super) fn check(place: &Checkup, found: &mut Vec<Finding>) -> Option<Health> {
    match health::installed() {
        Ok(release) => found.push(finding::tmux_version("tmux", &release)),
        Err(error) => {
            found.push(Finding::bad("tmux", error.to_string(), "install tmux 3.2 or newer"));
            return None;
        }
    }
    match place.server.health() {
        Ok(health) => {
            let judged = finding::tmux_version("server", &health.version);
            let seen = format!("{} at {}", judged.seen, place.server.socket());
            found.push(Finding { seen, ..judged });
            plugin(&health, found);
            Some(health)
        }
        Err(error) if hangs(&error) => {
            found.push(Finding::bad("server", error.to_string(), "continue it, or end it"));
            None
        }
        Err(error) if std::env::var_os("TMUX").is_some() => {
            found.push(Finding::bad(
                "server",
                error.to_string(),
                "unless this is a sandbox, the server has ended: start tmux, and a new shell in it",
            ));
            None
        }
        Err(_) => {
            found.push(Finding::warn(
                "server",
                format!("this is not a tmux pane, and no server listens at {}", place.server.socket()),
                "start tmux, and the agents in it",
            ));
            None
        }
    }
}

fn plugin(health: &Health, found: &mut Vec<Finding>) {
    if health.plugin.is_empty() {
        found.push(Finding::warn(
            "plugin",
            "not loaded in this server: no keys work, and new agents are found only every 15 s",
            "run-shell /path/to/tmux-swarm/swarm.tmux in tmux.conf",
        ));
        return;
    }
    let parts = Path::new(&health.plugin);
    found.push(if parts.join("popup.sh").is_file() {
        Finding::ok("plugin", format!("loaded from {}", health.plugin))
    } else {
        let seen = format!("{} is gone: its keys do nothing", health.plugin);
        Finding::bad("plugin", seen, "install it again, and reload tmux.conf")
    });
    let root = parts.parent().unwrap_or(parts);
    found.push(program(&health.program, root));
    found.extend(hooks(health, parts));
}

/// The plugin's hooks in tmux. Another plugin, or `set-hook -g` without an index, replaces all hooks of an event, and
/// so removes them.
fn hooks(health: &Health, parts: &Path) -> Option<Finding> {
    // The plugin sets no hooks while it has no program. A plugin of an older version has its own list.
    let wanted = std::fs::read_to_string(parts.join("hooks")).ok().filter(|_| !health.program.is_empty())?;
    let wanted: Vec<&str> = wanted.split_whitespace().collect();
    let gone: Vec<&str> =
        wanted.iter().copied().filter(|event| !health.hooks.iter().any(|h| h == event)).collect();
    if gone.is_empty() {
        return Some(Finding::ok("tmux-hooks", format!("all {} are set", wanted.len())));
    }
    let load = parts.with_file_name("swarm.tmux");
    let finding = Finding::warn(
        "tmux-hooks",
        format!(
            "{} of {} are missing, removed by another set-hook: {}; new agents are found later",
            gone.len(),
            wanted.len(),
            gone.join(", ")
        ),
        format!("run {} again, or --fix; set your own hooks with -a", load.display()),
    );
    Some(if is_executable(&load) { finding.fixable(Fix::Load(load)) } else { finding })
}

/// Checks the program that the plugin calls.
#[inline(never)]
fn program(path: &str, root: &Path) -> Finding {
    let build = format!("sh {}/plugin/install.sh, then {0}/swarm.tmux", root.display());
    let file = Path::new(path);
    if path.is_empty() {
        return Finding::bad("program", "the plugin found no program: it is not installed yet", build);
    }
    if !is_executable(file) {
        return Finding::bad("program", format!("{path} is no longer a program"), build);
    }
    let out = Command::new(file).arg("--version").stdin(Stdio::null()).output();
    let version = out.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    let seen = format!("{path} is {}", escape::short(&version, 60));
    if !version.ends_with(PROTOCOL) {
        return Finding::bad("program", format!("{seen}, which does not fit the plugin"), build);
    }
    // A package without its sources has no version.
    if let Some(checkout) = version_of(root)
        && version.split(' ').nth(1) != Some(&*checkout)
    {
        let seen = format!("{seen}; the plugin beside it is version {}", escape::short(&checkout, 20));
        return Finding::warn("program", seen, format!("bring both to one version: {build}"));
    }
    // The sources do not matter for a program from elsewhere, and a program without a stamp was built by hand.
    let Ok(stamp) = std::fs::read_to_string(root.join("bin/.stamp")) else {
        return Finding::ok("program", seen);
    };
    if file != root.join("bin/swarm") {
        return Finding::ok("program", seen);
    }
    let out = Command::new("sh").args(["-c", STAMP]).current_dir(root).stdin(Stdio::null()).output();
    let now = out.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default();
    if now.is_empty() || now == stamp.trim() {
        Finding::ok("program", seen)
    } else {
        Finding::warn("program", format!("{seen}; the sources have changed since it was built"), build)
    }
}

/// The version of a checkout.
fn version_of(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("Cargo.toml")).ok()?;
    let manifest: toml_edit::DocumentMut = text.parse().ok()?;
    Some(manifest.get("package")?.get("version")?.as_str()?.to_owned())
}

pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn this_program_speaks_the_protocol_that_is_asked_for() {
        let version = crate::cli::Swarm::command().get_version().unwrap_or_default().to_owned();
        assert!(version.ends_with(super::PROTOCOL), "{version}");
    }
}
