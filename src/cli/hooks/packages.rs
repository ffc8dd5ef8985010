//! `swarm hooks` for an agent that gets swarm as a package: a plugin of Claude Code or Codex, an extension of Gemini
//! CLI.

use super::agents::{rules_of, shown, take_out};
use super::{HookFiles, around_agent};
use crate::core::escape;
use crate::core::hook::package::VERSION;
use crate::core::hook::settings::{self, Presence};
use crate::core::hook::{HookKind, package};
use crate::core::refusal::Refusal;
use crate::hooks::install::package::{self as place, Package};
use crate::hooks::install::reach::Surroundings;
use crate::hooks::install::{HookPart, Scope, Target};
use anyhow::Result;

/// The files that make an agent load swarm as a package. For an installation, the packages are written first.
#[inline(never)]
pub(super) fn targets(kind: HookKind, places: &HookFiles, puts: bool) -> Result<Vec<Target>> {
    let plain = places.targets(kind);
    if kind == HookKind::OpenCode {
        return Ok(plain);
    }
    if kind == HookKind::Gemini && places.scope == Scope::Project {
        let why =
            "an extension of Gemini CLI serves all projects: swarm hooks install gemini --package --user";
        return Err(Refusal::Usage(why.to_owned()).into());
    }
    if let Some(target) = plain.iter().find(|t| t.is_installed_by_its_agent()) {
        let why = format!(
            "{} was made by `gemini extensions install`: run `gemini extensions uninstall {}` first",
            target.path.with_file_name("extensions").join(package::NAME).display(),
            package::NAME
        );
        return Err(Refusal::Usage(why).into());
    }
    if puts {
        let dir = place::write(&places.program)?;
        if kind == HookKind::Claude {
            around(places, |around| place::register(around, &dir))?;
            for agent in places.live.iter().filter(|a| a.kind == kind.word()) {
                around_agent(agent, &places.home, |around| place::register(around, &dir))?;
            }
        }
    }
    if kind == HookKind::Codex {
        return codex(plain, places, puts);
    }
    Ok(plain.iter().flat_map(Target::packaged).collect())
}

/// Codex copies a plugin when its own command installs it, and asks for trust. swarm can do neither for the person.
/// Once the plugin is there, the plain hooks are removed.
fn codex(plain: Vec<Target>, places: &HookFiles, puts: bool) -> Result<Vec<Target>> {
    if !puts
        || around(places, |around| around.package(HookKind::Codex, &places.root)).is_some_and(|p| p.fits())
    {
        return Ok(plain.into_iter().map(|target| Target { part: HookPart::Bare, ..target }).collect());
    }
    let dir = place::directory()?;
    Err(Refusal::Usage(format!(
        "Codex installs its plugins itself: run `codex plugin marketplace add '{}'` and `codex plugin add {}`, start codex and trust the hooks (/hooks), and then run this again: it removes the plain hooks",
        dir.display(),
        package::ID
    ))
    .into())
}

fn around<T>(places: &HookFiles, with: impl Fn(&Surroundings<'_>) -> T) -> T {
    let own = |name: &str| std::env::var(name).ok();
    with(&Surroundings { home: places.home.clone(), variable: &own })
}

fn of(target: &Target, places: &HookFiles) -> Option<Package> {
    let dir = target.within.as_deref().unwrap_or(&places.root);
    around(places, |around| around.package(target.kind, dir))
}

/// The text of `status` for a settings file, if its agent has a package.
pub(super) fn standing(target: &Target, places: &HookFiles) -> Result<Option<String>> {
    let Some(package) = of(target, places).filter(|_| target.part == HookPart::Hooks) else {
        return Ok(None);
    };
    let word = target.kind.word();
    let state = if target.presence(&places.program)? != Presence::None {
        format!(
            "installed twice: the package does nothing, because {} has the hooks as well (swarm hooks install {word} --package)",
            target.path.display()
        )
    } else if !package.fits() {
        format!(
            "a package of version {}, and this program is {VERSION}: it does nothing (swarm hooks install {word} --package)",
            package.shown()
        )
    } else if package.trusted {
        format!("installed as a package of version {VERSION}")
    } else {
        format!(
            "installed as a package of version {VERSION}, and needs trust: start codex and accept the hooks (/hooks)"
        )
    };
    let rules = rules_of(target, places, "--package --allow")?;
    Ok(Some(format!("{word:<9} {}: {}{rules}\n", escape::line(&state), shown(&package.place))))
}

/// Removes what would run the hooks twice: an extension before plain hooks are added, or this project's plain hooks
/// before a package that serves all projects. Returns a text about it.
pub(super) fn replace(target: &Target, package: bool, places: &HookFiles) -> Result<String> {
    let kind = target.kind;
    let others: Vec<Target> = match (package, target.part) {
        // A directory that was made for several files is removed with the last of them.
        (false, HookPart::Hooks) => target.extension().into_iter().rev().collect(),
        (true, HookPart::Package | HookPart::Bare) if places.scope == Scope::User => {
            let own = Target::project(kind, &places.root);
            (own.presence(&places.program)? != Presence::None).then_some(own).into_iter().collect()
        }
        _ => Vec::new(),
    };
    let mut text = String::new();
    for other in others {
        let plan = other.uninstall(&places.state)?;
        if !plan.is_empty() {
            take_out(&other, &plan, &places.state)?;
            text.push_str(&format!("{}: removed from {}\n", kind.word(), shown(&plan.path)));
        }
    }
    Ok(text)
}

/// The text of `install` for one file of a package; `None` if it is not one.
pub(super) fn told(target: &Target, changed: bool) -> Option<String> {
    let (word, path) = (target.kind.word(), shown(&target.path));
    Some(match target.part {
        HookPart::Package if changed => format!(
            "{word}: loads swarm as a plugin from its next start on, or after /reload-plugins: {} in {path}\n",
            settings::summary(target.kind)
        ),
        HookPart::Package => format!("{word}: already loads swarm as a plugin: {path}\n"),
        HookPart::Bare if changed => format!("{word}: plain hooks removed from {path}\n"),
        HookPart::Bare => String::new(),
        HookPart::Extension if !target.path.ends_with(package::manifest(target.kind)) => String::new(),
        HookPart::Extension if changed => format!(
            "{word}: loads swarm as an extension from its next start on: {} in {path}\n",
            settings::summary(target.kind)
        ),
        HookPart::Extension => format!("{word}: already loads swarm as an extension: {path}\n"),
        HookPart::Hooks | HookPart::Carrier | HookPart::Entry => return None,
    })
}

/// The text of `uninstall` about what is left to the agent's own commands.
pub(super) fn left(kind: HookKind, places: &HookFiles) -> String {
    let Some(package) = around(places, |around| around.package(kind, &places.root)) else {
        return String::new();
    };
    let how = match kind {
        HookKind::Codex => {
            format!(
                "codex plugin remove {} && codex plugin marketplace remove {}",
                package::ID,
                package::NAME
            )
        }
        HookKind::Gemini => format!("gemini extensions uninstall {}", package::NAME),
        HookKind::Claude | HookKind::OpenCode => "swarm hooks uninstall claude --user".to_owned(),
    };
    format!("{}: the package stays ({}): {how}\n", kind.word(), shown(&package.place))
}
