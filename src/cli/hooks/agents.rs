//! `swarm hooks` for the settings of one agent, and for its rules for `swarm-msg`.

use super::{HookAction, HookFiles, Put, Reached, is_terminal, packages, reached};
use crate::carriers::opencode_plugin;
use crate::cli::print;
use crate::core::escape;
use crate::core::hook::HookKind;
use crate::core::hook::settings::{self, Presence};
use crate::hooks::install::reach::{Reach, Surroundings};
use crate::hooks::install::{self, HookPart, RulesFile, Target};
use anyhow::Result;
use std::path::Path;

pub(super) fn run(
    action: &HookAction,
    kind: HookKind,
    places: &HookFiles,
    failed: &mut Vec<anyhow::Error>,
) -> Result<()> {
    let word = kind.word();
    let mut changed = 0;
    let mut targets = match action {
        HookAction::Install(put) | HookAction::Diff(put) if put.package => {
            packages::targets(kind, places, matches!(action, HookAction::Install(_)))?
        }
        HookAction::Install(_) | HookAction::Diff(_) => places.targets(kind),
        HookAction::Uninstall(_) | HookAction::Status(_) => places.installed(kind),
    };
    if matches!(action, HookAction::Uninstall(_)) {
        // In the reverse order of the installation: a directory that was made for several files is removed with the
        // last of them.
        targets = targets.iter().flat_map(Target::extension).chain(targets.clone()).collect();
        targets.reverse();
    }
    for target in &targets {
        match told(action, target, places) {
            Ok(text) => {
                changed += usize::from(matches!(action, HookAction::Uninstall(_)) && !text.is_empty());
                print::out(&text)?;
            }
            Err(error) => failed.push(error),
        }
    }
    for file in places.rules_files(kind) {
        match rules(action, &file, places) {
            Ok(text) => {
                changed += usize::from(matches!(action, HookAction::Uninstall(_)) && !text.is_empty());
                print::out(&text)?;
            }
            Err(error) => failed.push(error),
        }
    }
    if matches!(action, HookAction::Uninstall(_)) {
        let left = packages::left(kind, places);
        changed += usize::from(!left.is_empty());
        print::out(&left)?;
    }
    if let (HookAction::Uninstall(_), 0, Some(first)) = (action, changed, targets.last()) {
        print::out(&format!("{word}: nothing of swarm in {}\n", shown(&first.path)))?;
    }
    if matches!(action, HookAction::Status(_)) {
        for one in places.live.iter().filter(|a| a.kind == word) {
            let called = places.called.contains(&one.name);
            let Reached { text, repair, .. } = reached(kind, one, &places.home, &places.program, called);
            let repair = repair.map(|m| format!(" → {m}")).unwrap_or_default();
            print::out(&format!(
                "  {:<12} {}{}\n",
                one.name.as_str(),
                escape::line(&text),
                escape::line(&repair)
            ))?;
        }
    }
    Ok(())
}

/// Performs the action on one settings file, and returns the result as text; `None` if there was nothing to do.
fn told(action: &HookAction, target: &Target, places: &HookFiles) -> Result<String> {
    let word = target.kind.word();
    Ok(match action {
        HookAction::Status(_) => standing(target, places)?,
        HookAction::Diff(put) if put.allow => target.install_allowing(&places.program)?.diff(),
        HookAction::Diff(_) => target.install(&places.program)?.diff(),
        HookAction::Install(put) => put_in(target, put, places)?,
        HookAction::Uninstall(_) => {
            let plan = target.uninstall(&places.state)?;
            if plan.is_empty() {
                return Ok(String::new());
            }
            take_out(target, &plan, &places.state)?;
            format!("{word}: removed from {}\n", shown(&plan.path))
        }
    })
}

/// The state of one settings file.
fn standing(target: &Target, places: &HookFiles) -> Result<String> {
    let word = target.kind.word();
    if let Some(text) = packages::standing(target, places)? {
        return Ok(text);
    }
    let presence = target.presence(&places.program)?;
    if target.part != HookPart::Hooks {
        let state = match presence {
            Presence::None => "no channel of its own (swarm hooks install opencode)",
            Presence::Partial => "a channel of another version (swarm hooks install opencode)",
            Presence::Full => "takes mail by a channel of its own",
        };
        return Ok(format!("{word:<9} {state}: {}\n", shown(&target.path)));
    }
    let state = match presence {
        Presence::None => "not installed (swarm hooks install)".to_owned(),
        Presence::Partial => "incomplete, or for another swarm program (swarm hooks install)".to_owned(),
        Presence::Full => next_step(target.kind, target, places),
    };
    let rules = rules_of(target, places, "--allow")?;
    Ok(format!("{word:<9} {state}: {}{rules}\n", shown(&target.path)))
}

/// The text about a settings file's rules for `swarm-msg`; the installation `options` add them. Empty if the agent
/// has no such rules.
pub(super) fn rules_of(target: &Target, places: &HookFiles, options: &str) -> Result<String> {
    Ok(match target.allows(&places.program)? {
        Some(true) => "; swarm-msg runs without asking".to_owned(),
        Some(false) => format!("; no rules for swarm-msg (swarm hooks install {options})"),
        None => String::new(),
    })
}

/// A path for people.
pub(super) fn shown(path: &Path) -> String {
    escape::line(&path.display().to_string())
}

/// Removes swarm from one file, and the files of its plugin that was killed.
pub(super) fn take_out(target: &Target, plan: &install::Plan, state: &Path) -> Result<()> {
    plan.uninstall(state)?;
    if target.part == HookPart::Carrier
        && let Some(home) = state.parent()
    {
        opencode_plugin::sweep(home);
    }
    Ok(())
}

/// Installs into one file, and returns its new state as text.
fn put_in(target: &Target, put: &Put, places: &HookFiles) -> Result<String> {
    let word = target.kind.word();
    let allow = put.allow;
    let replaced = packages::replace(target, put.package, places)?;
    let had_hooks = target.install(&places.program)?.is_empty();
    let plan = if allow || wants_rules(target, places)? {
        target.install_allowing(&places.program)?
    } else {
        target.install(&places.program)?
    };
    if !plan.is_empty() {
        plan.install(&places.state)?;
    }
    let path = escape::line(&plan.path.display().to_string());
    let hooks = if let Some(told) = packages::told(target, !had_hooks) {
        told
    } else if had_hooks {
        format!("{word}: already installed in {path}\n")
    } else if target.part != HookPart::Hooks {
        let what = if target.part == HookPart::Entry { "an entry" } else { "a plugin" };
        format!("{word}: gets mail without typed keys after a restart: {what} in {path}\n")
    } else {
        format!(
            "{word}: {}: {} in {path}\n",
            next_step(target.kind, target, places),
            settings::summary(target.kind)
        )
    };
    let rules = match target.allows(&places.program)? {
        Some(true) if plan.rules.is_empty() => String::new(),
        Some(true) => {
            format!("{word}: runs swarm-msg without asking (all but lock): rules in {path}\n")
        }
        Some(false) => {
            format!("{word}: asks before it runs swarm-msg; swarm hooks install {word} --allow adds rules\n")
        }
        None if allow && target.kind == HookKind::OpenCode => {
            format!("{word}: swarm has no rules for it; allow swarm-msg when the agent asks\n")
        }
        None => String::new(),
    };
    Ok(replaced + &hooks + &rules)
}

/// The rules of an agent with a file of their own for them.
fn rules(action: &HookAction, file: &RulesFile, places: &HookFiles) -> Result<String> {
    let word = file.kind.word();
    let path = escape::line(&file.path.display().to_string());
    Ok(match action {
        HookAction::Status(_) if file.allows(&places.program)? => {
            format!("{word:<9} swarm-msg runs without asking: {path}\n")
        }
        HookAction::Status(_) => {
            format!("{word:<9} no rules for swarm-msg (swarm hooks install {word} --allow): {path}\n")
        }
        HookAction::Diff(put) if put.allow => file.install(&places.program)?.diff(),
        HookAction::Diff(_) => String::new(),
        HookAction::Install(put) => {
            let had = file.allows(&places.program)?;
            let question = format!(
                "Let {word} run swarm-msg without asking you, in all projects? It adds rules to {path}. [y/N] "
            );
            let wanted = put.allow || !had && is_terminal() && print::agrees(&question)?;
            if wanted {
                file.put(&places.program, places.asking(), &places.state)?;
            }
            match (had, wanted) {
                (true, _) => String::new(),
                (false, true) => format!(
                    "{word}: runs swarm-msg without asking (all but lock), in all projects, from its next start on: rules in {path}\n"
                ),
                (false, false) => format!(
                    "{word}: asks before it runs swarm-msg; swarm hooks install {word} --allow adds rules\n"
                ),
            }
        }
        HookAction::Uninstall(_) => {
            let there = !file.uninstall(&places.state)?.is_empty();
            if file.take(places.asking(), &places.state)? {
                format!("{word}: rules for swarm-msg removed from {path}\n")
            } else if there {
                format!("{word}: rules for swarm-msg stay in {path}: other projects use them\n")
            } else {
                String::new()
            }
        }
    })
}

/// Whether the person agrees, at a terminal, to add missing rules.
fn wants_rules(target: &Target, places: &HookFiles) -> Result<bool> {
    if target.allows(&places.program)? != Some(false) || !is_terminal() {
        return Ok(false);
    }
    let file = escape::line(&target.path.display().to_string());
    print::agrees(&format!(
        "Let {} run swarm-msg without asking you? It adds rules to {file}. [y/N] ",
        target.kind.word()
    ))
}

/// The state of the hooks in a file, for an agent that is started where that file is read.
fn next_step(kind: HookKind, target: &Target, places: &HookFiles) -> String {
    let own = |name: &str| std::env::var(name).ok();
    let around = Surroundings { home: places.home.clone(), variable: &own };
    let dir = target.within.as_deref().unwrap_or(&places.root);
    match around.reach(kind, dir, &places.program) {
        Reach::Off(file, key) => format!("installed, but switched off in {} ({key})", file.display()),
        Reach::Untrusted => {
            "needs trust: start codex and accept the hooks (/hooks); until then it skips them".into()
        }
        _ => "enforced for agents started from now on".into(),
    }
}
