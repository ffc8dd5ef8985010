//! `swarm hooks` for the guard of commits, in every repository of the project.

use super::{HookAction, HookFiles};
use crate::cli::print;
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::hooks::install::git::{self, Guard, Installed, Standing};
use anyhow::Result;

/// The guard of commits, in every repository of the project. Refused repositories are named, and the others done.
#[inline(never)]
pub(super) fn run(action: &HookAction, places: &HookFiles) -> Result<()> {
    let guards = Guard::all(&places.root, &places.here)?;
    let _held = match action {
        HookAction::Install(_) | HookAction::Uninstall(_) => Some(git::changing(&places.state)?),
        HookAction::Diff(_) | HookAction::Status(_) => None,
    };
    let mut refused = None;
    let (mut changed, mut put) = (false, 0);
    for guard in &guards {
        let dir = escape::line(&guard.dir().display().to_string());
        let whose = trees(guard);
        let standing = guard.standing(&places.program);
        let text = match (action, guard.refused()) {
            (HookAction::Status(_), Some(_)) if standing == Standing::Whole => {
                format!("git       enforced by your own hooks in {dir}{whose}\n")
            }
            (HookAction::Status(_), Some(why)) => format!("git       not installed{whose}: {why}\n"),
            (HookAction::Status(_), None) => {
                format!("git       {}: {dir}{whose}\n", told(standing, guard, places))
            }
            (HookAction::Diff(_), None) if standing == Standing::Whole => String::new(),
            (HookAction::Diff(_), None) => {
                format!("git: would add {} to {dir}{whose}, beside the hooks there\n", git::NAMES)
            }
            (HookAction::Install(_), Some(_)) if standing == Standing::Whole => {
                format!("git: enforced by your own hooks in {dir}{whose}\n")
            }
            (HookAction::Install(_) | HookAction::Diff(_), Some(why)) => {
                refused = refused.or(Some(Refusal::Usage(why.to_owned())));
                format!("git: not changed{whose}: {why}\n")
            }
            (HookAction::Install(_), None) => {
                guard.install(&places.program)?;
                put += 1;
                format!("git: enforced: {} in {dir}{whose}\n", git::NAMES)
            }
            (HookAction::Uninstall(_), _) => {
                let taken = guard.refused().is_none() && guard.uninstall()?;
                changed |= taken;
                if taken { format!("git: removed from {dir}{whose}\n") } else { String::new() }
            }
        };
        print::out(&text)?;
        for left in if matches!(action, HookAction::Diff(_)) { Vec::new() } else { guard.orphans() } {
            let left = escape::line(&left.display().to_string());
            print::tell(&format!(
                "{left} was your hook before another tool replaced it: nothing runs it now; move it where you want it"
            ));
        }
    }
    match action {
        HookAction::Install(_) if put > 0 => {
            Installed::save(&places.state, &places.root, &places.program, &guards)?;
        }
        HookAction::Uninstall(_) => {
            Installed::forget(&places.state, &places.root);
            if !changed {
                let dir =
                    guards.first().map(|g| escape::line(&g.dir().display().to_string())).unwrap_or_default();
                print::out(&format!("git: nothing of swarm in {dir}\n"))?;
            }
        }
        _ => {}
    }
    refused.map_or(Ok(()), |why| Err(why.into()))
}

fn told(standing: Standing, guard: &Guard, places: &HookFiles) -> &'static str {
    let missed =
        || Installed::load(&places.state, &places.root).is_some_and(|i| i.displaced().contains(&guard.dir()));
    match standing {
        Standing::Whole => "enforced",
        _ if missed() => "displaced: another tool overwrote it (swarm hooks install git)",
        Standing::Partial => "incomplete, or for another swarm program (swarm hooks install git)",
        Standing::Absent => "not installed (swarm hooks install git)",
    }
}

/// The working trees that it covers, if that is not obvious.
fn trees(guard: &Guard) -> String {
    let all: Vec<String> = guard.trees().iter().map(|t| escape::line(&t.display().to_string())).collect();
    if all.is_empty() { String::new() } else { format!(", for {}", all.join(", ")) }
}
