//! Checks of the agents: their panes, their hooks, the guard of commits, and whether they can answer.

use super::Checkup;
use super::finding::{self, Finding};
use crate::carriers;
use crate::cli::{hooks, session};
use crate::core::agent::Agent;
use crate::core::config::Settings;
use crate::core::escape;
use crate::core::hook::HookKind;
use crate::core::hook::package::VERSION;
use crate::core::hook::settings::Presence;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::version;
use crate::hooks::install::git::{Guard, Installed, Standing};
use crate::hooks::install::package::Package;
use crate::hooks::install::reach::Surroundings;
use crate::hooks::install::{RulesFile, Target};
use crate::hooks::report;
use crate::os::{process, program, tools};
use crate::store::Store;
use crate::store::config::Files;
use crate::store::{key, tested};
use crate::tmux::health::Health;
use crate::tmux::{Server, hangs};
use std::path::{Path, PathBuf};

/// Checks the living agents. `health` is the state of this terminal's server.
pub(super) fn check(
    place: &Checkup,
    root: &Path,
    agents: &[Agent],
    health: Option<&Health>,
    found: &mut Vec<Finding>,
) {
    let live: Vec<&Agent> = agents.iter().filter(|a| a.is_live()).collect();
    if let Some(health) = health {
        found.push(panes(place, &live, health));
    }
    found.extend(servers(place, &live));
    judge_hooks(place, root, Store::open_root(root).ok().as_ref(), &live, found);
    found.extend(ways(root, &live));
    found.extend(versions(&live));
    found.push(guard(place, root));
    found.push(reachable(place, &live));
}

/// The other tmux servers with agents, if there are any.
#[inline(never)]
fn servers(place: &Checkup, live: &[&Agent]) -> Option<Finding> {
    let mut sockets: Vec<&str> = live.iter().map(|a| a.place.socket.as_str()).collect();
    order::sort(&mut sockets);
    sockets.dedup();
    sockets.retain(|socket| *socket != place.server.socket());
    // At the same time, so that several servers that do not answer take no longer than one.
    let hung: Vec<&str> = std::thread::scope(|scope| {
        let ask = |socket: &str| Server::new(socket).answers().is_err_and(|error| hangs(&error));
        let asked: Vec<_> = sockets.iter().map(|s| (*s, scope.spawn(move || ask(s)))).collect();
        asked.into_iter().filter_map(|(s, asked)| asked.join().unwrap_or_default().then_some(s)).collect()
    });
    let names = |socket: &str| -> String {
        let there = live.iter().filter(|a| a.place.socket == socket).map(|a| a.name.as_str());
        there.collect::<Vec<_>>().join(", ")
    };
    match hung.first() {
        None if sockets.is_empty() => None,
        None => Some(Finding::ok("servers", format!("{} more with agents of this project", sockets.len()))),
        Some(first) => {
            let all: Vec<String> = hung
                .iter()
                .map(|s| format!("tmux at {s} does not answer: {} get no mail", names(s)))
                .collect();
            Some(Finding::bad(
                "servers",
                all.join("; "),
                format!("if it is stopped, continue it (kill -CONT its pid); if it hangs, end it: {first}"),
            ))
        }
    }
}

fn panes(place: &Checkup, live: &[&Agent], health: &Health) -> Finding {
    let here = live.iter().filter(|a| a.place.socket == place.server.socket());
    let troubles: Vec<(String, String)> = here
        .filter_map(|agent| {
            let pane = health.panes.iter().find(|p| p.id == agent.place.pane)?;
            let (seen, repair) = finding::pane(pane)?;
            Some((format!("{}: {seen}", agent.name), repair))
        })
        .collect();
    if troubles.is_empty() {
        return Finding::ok("panes", format!("{}, nothing holds their mail", plural(live.len(), "agent")));
    }
    let (seen, repair): (Vec<String>, Vec<String>) = troubles.into_iter().unzip();
    Finding::warn("panes", seen.join("; "), repair.join("; "))
}

fn judge_hooks(
    place: &Checkup,
    root: &Path,
    store: Option<&Store>,
    live: &[&Agent],
    found: &mut Vec<Finding>,
) {
    let before = found.len();
    found.extend(HookKind::ALL.into_iter().filter_map(|kind| hooks_of(kind, place, root, store, live)));
    if found.len() == before {
        found.push(Finding::ok("hooks", "none installed; if you want them: swarm hooks install"));
    }
}

/// The state of the hooks of one kind of agent; `None` if nobody needs them.
#[inline(never)]
fn hooks_of(
    kind: HookKind,
    place: &Checkup,
    root: &Path,
    store: Option<&Store>,
    live: &[&Agent],
) -> Option<Finding> {
    let name = match kind {
        HookKind::Claude => "claude-hooks",
        HookKind::Codex => "codex-hooks",
        HookKind::Gemini => "gemini-hooks",
        HookKind::OpenCode => "opencode-hooks",
    };
    let program = session::program().unwrap_or_else(|_| place.program.clone());
    let program = program.to_string_lossy();
    let own = |name: &str| std::env::var(name).ok();
    let around = Surroundings { home: place.home.clone(), variable: &own };
    let targets = [Target::project(kind, root), Target::user(kind, &around)];
    let looked = (targets[0].presence(&program), targets[1].presence(&program));
    let (project, user) = match looked {
        (Ok(project), Ok(user)) => (project, user),
        (Err(error), _) | (_, Err(error)) => {
            return Some(Finding::warn(name, format!("{error:#}"), "repair the file"));
        }
    };
    // Living agents are checked one by one: they may work elsewhere and have settings of their own.
    let of_kind: Vec<&&Agent> = live.iter().filter(|a| a.kind == kind.word()).collect();
    let judged: Vec<hooks::Reached> = of_kind
        .iter()
        .map(|agent| {
            let said = store.and_then(|s| report::read(s, &agent.name).ok().flatten());
            let called = said.is_some_and(|r| r.at >= agent.first_seen);
            let reached = hooks::reached(kind, agent, &place.home, &program, called);
            hooks::Reached { text: format!("{}: {}", agent.name, reached.text), ..reached }
        })
        .collect();
    let package = around.package(kind, root);
    let plain = project != Presence::None || user != Presence::None;
    let wanted = plain || package.is_some() || judged.iter().any(|one| !one.absent);
    let both = project == Presence::Full && user == Presence::Full;
    let is_partial = project == Presence::Partial || user == Presence::Partial;
    let troubled: Vec<&hooks::Reached> = judged.iter().filter(|one| one.repair.is_some()).collect();
    if wanted && !both && !is_partial && !troubled.is_empty() {
        let seen: Vec<&str> = troubled.iter().map(|one| one.text.as_str()).collect();
        let mut repair: Vec<String> = troubled.iter().filter_map(|one| one.repair.clone()).collect();
        repair.dedup();
        return Some(Finding::warn(name, seen.join("; "), repair.join("; ")));
    }
    if !plain && package.is_none() && of_kind.is_empty() {
        return None;
    }
    let mut allowed: Vec<bool> = targets.iter().filter_map(|t| t.allows(&program).ok().flatten()).collect();
    allowed.extend(RulesFile::of(kind, &around).and_then(|file| file.allows(&program).ok()));
    if let Some(package) = package {
        return Some(packaged(name, kind, &package, plain));
    }
    Some(installed(name, kind, (project, user), &allowed))
}

/// The finding about a package; `plain`: the settings contain hooks as well.
fn packaged(name: &'static str, kind: HookKind, package: &Package, plain: bool) -> Finding {
    let repair = format!("swarm hooks install {} --package", kind.word());
    let place = package.place.display();
    if plain {
        let seen =
            format!("installed twice, in the settings and as a package ({place}): the package does nothing");
        return Finding::warn(name, seen, repair);
    }
    if package.fits() {
        return Finding::ok(name, format!("installed as a package of version {VERSION} ({place})"));
    }
    let seen = format!(
        "a package of version {} ({place}), and this program is {VERSION}: it does nothing",
        package.shown()
    );
    Finding::warn(name, seen, repair)
}

/// The finding about hooks in the project's settings and in the person's; `allowed`: whether each file lets swarm-msg
/// run without asking.
fn installed(
    name: &'static str,
    kind: HookKind,
    presence: (Presence, Presence),
    allowed: &[bool],
) -> Finding {
    let word = kind.word();
    let rules = match allowed {
        [] => String::new(),
        all if all.contains(&true) => "; swarm-msg runs without asking".to_owned(),
        _ => format!("; it asks before it runs swarm-msg: swarm hooks install {word} --allow adds rules"),
    };
    match presence {
        (Presence::None, Presence::None) => {
            Finding::ok(name, format!("not installed; if you want them: swarm hooks install {word}"))
        }
        (Presence::Partial, _) => Finding::warn(
            name,
            "incomplete, or for another swarm program",
            format!("swarm hooks install {word}"),
        ),
        (_, Presence::Partial) => Finding::warn(
            name,
            "in your own settings: incomplete, or for another swarm program",
            format!("swarm hooks install {word} --user"),
        ),
        (Presence::Full, Presence::Full) => Finding::warn(
            name,
            "installed twice, so every event runs them twice",
            format!("swarm hooks uninstall {word}"),
        ),
        (Presence::Full, Presence::None) => Finding::ok(name, format!("installed for this project{rules}")),
        (Presence::None, Presence::Full) => {
            Finding::ok(name, format!("installed for all your projects{rules}"))
        }
    }
}

/// The carriers of each agent's mail.
fn ways(root: &Path, live: &[&Agent]) -> Option<Finding> {
    let profiles = session::profiles().ok()?;
    let settings = Settings::from(&Files::of(Some(root)).load());
    let mut lost = Vec::new();
    let told: Vec<String> = live
        .iter()
        .filter_map(|agent| {
            let own = &profiles.get(&agent.kind)?.carriers;
            let key = settings.carriers_key(agent);
            let ways = carriers::ways(agent, own, settings.carriers(agent), key);
            let Some((used, _)) = ways.iter().find(|(_, judged)| judged.is_ok()) else {
                lost.push((agent.name.as_str(), key));
                return None;
            };
            let first = ways.iter().find_map(|(c, judged)| Some((c, judged.as_ref().err()?)));
            let why = first.map(|(c, why)| format!(" (not {}: {})", c.word(), escape::line(why)));
            Some(format!("{}: {}{}", agent.name, used.word(), why.unwrap_or_default()))
        })
        .collect();
    if let Some((_, first)) = lost.first() {
        let told: Vec<String> =
            lost.iter().map(|(name, key)| format!("nothing that {key} allows reaches {name}")).collect();
        return Some(Finding::warn("carriers", told.join("; "), format!("swarm config edit ({first})")));
    }
    (!told.is_empty()).then(|| Finding::ok("carriers", told.join("; ")))
}

/// The agents that are newer than all versions with which the rules were tested; `None` if no version is known.
fn versions(live: &[&Agent]) -> Option<Finding> {
    let profiles = session::profiles().ok()?;
    let (mut new, mut known) = (Vec::new(), 0);
    let mut pane = "";
    for agent in live {
        let Some(profile) = profiles.get(&agent.kind) else { continue };
        let Some(version) = program::version(agent.process.pid, &process::arguments(agent.process.pid))
        else {
            continue;
        };
        known += 1;
        let passed = tested::of(&agent.kind).contains(&version);
        if version::is_newer_than_all(&version, &profile.tested) && !passed {
            let newest = profile.tested.join(", ");
            new.push(format!("{} runs {version} (tested: {newest})", agent.name));
            pane = &agent.place.pane;
        }
    }
    if new.is_empty() {
        return (known > 0).then(|| Finding::ok("versions", "the rules were tested with all that run"));
    }
    let seen = format!("newer than the rules for its screen: {}", escape::line(&new.join("; ")));
    let repair = format!(
        "swarm profile selftest {pane}, with an empty composer there; swarm profile record and check do more"
    );
    Some(Finding::warn("versions", seen, repair))
}

fn guard(place: &Checkup, root: &Path) -> Finding {
    let Ok(guards) = Guard::all(root, root) else {
        return Finding::ok("guard", "no repository");
    };
    let program = place.program.to_string_lossy();
    let repair = "swarm hooks install git";
    let installed = key::state_home().ok().and_then(|home| Installed::load(&home.join("hooks"), root));
    let displaced: Vec<PathBuf> =
        installed.iter().flat_map(Installed::displaced).map(Path::to_path_buf).collect();
    if !displaced.is_empty() {
        let named: Vec<String> = displaced.iter().map(|d| d.display().to_string()).collect();
        return Finding::warn(
            "guard",
            format!("displaced: another tool overwrote it in {}", named.join(", ")),
            repair,
        );
    }
    let of = |wanted: Standing| -> Vec<&Guard> {
        guards.iter().filter(|g| g.standing(&program) == wanted).collect()
    };
    let named = |all: Vec<&Guard>| -> String {
        let trees: Vec<String> =
            all.iter().flat_map(|g| g.trees()).map(|t| t.display().to_string()).collect();
        trees.join(", ")
    };
    let (whole, partial) = (of(Standing::Whole).len(), of(Standing::Partial));
    if !partial.is_empty() {
        return Finding::warn(
            "guard",
            format!("incomplete, or for another swarm program: {}", named(partial)),
            repair,
        );
    }
    if whole == guards.len() {
        return Finding::ok("guard", "commits are guarded");
    }
    let without = named(of(Standing::Absent));
    if whole > 0 {
        return Finding::warn("guard", format!("commits are guarded, but not in {without}"), repair);
    }
    match guards.iter().find_map(Guard::refused) {
        Some(why) => Finding::ok("guard", format!("not installed: {why}")),
        None => Finding::ok("guard", format!("not installed; if you want it: {repair}")),
    }
}

/// Whether agents' tools find this program's `swarm-msg`.
fn reachable(place: &Checkup, live: &[&Agent]) -> Finding {
    let dir = session::tools_dir().unwrap_or_else(|_| place.program.with_file_name(""));
    if live.is_empty() {
        let repair = format!("put {} on PATH in your shell's start-up file", dir.display());
        return match tools::find(&std::env::var("PATH").unwrap_or_default(), &dir) {
            Ok(file) => Finding::ok("path", format!("{} (no agents to check)", file.display())),
            Err(why) => Finding::warn("path", format!("{why}, in this shell"), repair),
        };
    }
    let agents: Vec<Agent> = live.iter().map(|a| (*a).clone()).collect();
    let troubles = session::speechless(&agents);
    if troubles.is_empty() {
        let known = live.iter().filter(|a| program::variable(a.process.pid, "PATH").is_some()).count();
        return Finding::ok("path", format!("swarm-msg is on the PATH of {known} of {} agents", live.len()));
    }
    let (seen, mut repair): (Vec<String>, Vec<String>) = troubles.into_iter().unzip();
    order::sort(&mut repair);
    repair.dedup();
    Finding::warn("path", seen.join("; "), format!("{}, and start these agents again", repair.join("; ")))
}
