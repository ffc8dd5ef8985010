//! The steps of the setup for an agent's own settings: its hooks, and its rules for `swarm-msg`.

use super::{Act, Now, Step, own};
use crate::cli::hooks::around_process;
use crate::cli::session;
use crate::core::escape;
use crate::core::hook::HookKind;
use crate::hooks::install::reach::Reach;
use crate::os::tools;
use anyhow::Result;
use std::path::Path;

/// The steps for the hooks of an agent, and for the rules that let it run swarm-msg, if it has such rules.
pub(super) fn steps(now: &Now, kind: HookKind) -> Result<Vec<Step>> {
    let word = kind.word();
    let (ok, change) = own(&now.tree, &["hooks", "diff", word])?;
    if !ok {
        return Ok(vec![Step::closed(&format!("the hooks of {word} cannot be installed"), change)]);
    }
    let mut steps = Vec::new();
    if change.trim().is_empty() {
        steps.push(Step::done(&format!("{word} has its hooks"), "swarm hooks status".to_owned()));
    } else {
        let undo = format!("swarm hooks uninstall {word}");
        let text = format!("swarm hooks install {word}\n\n{change}");
        let trees = if now.tree == now.root { "" } else { ", here and in the main work tree" };
        let name = format!("put the hooks into {word}: mail, warnings, leases{trees}");
        steps.push(Step::command(name, text, &["hooks", "install", word], Some(&undo)));
    }
    steps.extend(unreached(now, kind)?);
    let with_rules = own(&now.tree, &["hooks", "diff", word, "--allow"])?.1;
    if with_rules != change {
        // The change of the hooks is shown in their own step.
        let rules: String = with_rules
            .lines()
            .filter(|l| !change.lines().any(|c| c == *l))
            .map(|l| format!("{l}\n"))
            .collect();
        let text = format!("swarm hooks install {word} --allow\n\n{rules}");
        let name = format!("let {word} run swarm-msg without asking you");
        let undo = format!("swarm hooks uninstall {word} (also removes the hooks)");
        let step = Step::command(name, text, &["hooks", "install", word, "--allow"], Some(&undo));
        steps.push(Step { asks: true, ..step });
    }
    Ok(steps)
}

/// The kinds with hooks whose program is on this PATH.
pub(super) fn installed(path: &str) -> Vec<HookKind> {
    let found = |kind: &HookKind| {
        std::env::split_paths(path)
            .any(|dir| dir.is_absolute() && tools::is_executable(&dir.join(kind.word())))
    };
    HookKind::ALL.into_iter().filter(found).collect()
}

/// The steps for an agent that is installed and does not run yet. Only a person who sees them knows whether it will
/// run.
pub(super) fn before(now: &Now, kind: HookKind) -> Result<Vec<Step>> {
    let steps = steps(now, kind)?;
    Ok(steps.into_iter().map(|step| Step { asks: matches!(step.act, Act::Run(_)), ..step }).collect())
}

/// The directories of working agents that read no settings file of the work tree: one step each.
#[inline(never)]
fn unreached(now: &Now, kind: HookKind) -> Result<Vec<Step>> {
    let word = kind.word();
    let (home, program) = (session::home()?, session::program()?);
    let mut steps: Vec<Step> = Vec::new();
    let mut dirs: Vec<&Path> = Vec::new();
    for (dir, _, pid) in now.works.iter().filter(|(_, kind, _)| kind == word) {
        let reads = around_process(*pid, &home, |around| {
            let own = around.user_file(kind);
            let of_tree = around.files(kind, &now.tree);
            let read = around.files(kind, dir).into_iter().any(|file| file != own && of_tree.contains(&file));
            let reach = around.reach(kind, dir, &program.to_string_lossy());
            read || !matches!(reach, Reach::Absent | Reach::Partial(_))
        });
        if reads || dirs.contains(&&**dir) {
            continue;
        }
        dirs.push(dir);
        let place = dir.display();
        let text = format!(
            "cd {} && swarm hooks install {word}\n\nan agent works there, and {word} reads no settings of {} from there",
            escape::word(&place.to_string()),
            now.tree.display()
        );
        let undo = format!("cd {} && swarm hooks uninstall {word}", escape::word(&place.to_string()));
        let args = ["hooks", "install", word].map(str::to_owned).to_vec();
        steps.push(Step {
            act: Act::RunIn(dir.clone(), args),
            undo: Some(undo),
            ..Step::done(&format!("put the hooks of {word} also into {place}"), text)
        });
    }
    Ok(steps)
}
