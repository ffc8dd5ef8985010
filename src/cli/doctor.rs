use super::{config, print, session, under};
use crate::core::escape;
use crate::core::refusal::Exit;
use crate::courier::start;
use crate::roster::rules;
use crate::store::Store;
use crate::store::config::Files;
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use finding::{Finding, Grade};
use serde_json::json;
use std::path::PathBuf;

mod agents;
mod finding;
mod hosts;
mod project;
mod repair;
mod state;
mod terminal;

/// Look for problems in tmux, the plugin, this project's store, the courier, and the agents' hooks and PATH
///
/// It shows what it found and what to do. The exit code is 1 if something is bad; a warning does not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm doctor\n  swarm doctor --fix\n  swarm doctor --json")]
pub(super) struct Args {
    /// Repair what is safe to repair: modes of swarm's own files, leftovers older than a day, the plugin's hooks in
    /// tmux, messages whose sending a crash interrupted, a missing or outdated courier
    #[arg(long)]
    fix: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Rounds of repair: one repair may uncover the next problem.
const ROUNDS: usize = 3;

/// The objects of the checks.
struct Checkup {
    /// The project, if there is one here.
    root: Option<PathBuf>,
    /// This terminal's tmux server.
    server: Server,
    /// The program that couriers and hooks should run.
    program: PathBuf,
    home: PathBuf,
}

/// The repair of a finding.
struct Repaired {
    name: &'static str,
    seen: String,
    failed: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let place = Checkup {
        root: Store::root_for_caller(&session::here()?),
        server: Server::current(),
        program: std::env::current_exe().context("cannot find this program")?.with_file_name("swarm"),
        home: std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default(),
    };
    let mut findings = check(&place);
    let mut repaired: Vec<Repaired> = Vec::new();
    for _ in 0..if args.fix { ROUNDS } else { 0 } {
        let tried = repaired.len();
        for one in &findings {
            let Some(fix) = &one.fix else { continue };
            if repaired.iter().any(|m| m.name == one.name && m.failed.is_some()) {
                continue;
            }
            let failed = repair::repair(&place, fix).err().map(|error| format!("{error:#}"));
            repaired.push(Repaired { name: one.name, seen: one.seen.clone(), failed });
        }
        if repaired.len() == tried {
            break;
        }
        findings = check(&place);
    }
    let bad = findings.iter().any(|f| f.verdict == Grade::Bad);
    if args.json {
        let one = |f: &Finding| {
            json!({
                "name": f.name, "verdict": f.verdict.word(), "seen": escape::line(&f.seen),
                "mend": f.repair.as_deref().map(escape::line), "fixable": f.fix.is_some(),
            })
        };
        let done = |m: &Repaired| json!({"name": m.name, "seen": escape::line(&m.seen), "failed": m.failed});
        print::object(json!({
            "healthy": !bad,
            "findings": findings.iter().map(one).collect::<Vec<_>>(),
            "mended": repaired.iter().map(done).collect::<Vec<_>>(),
        }))?;
    } else {
        print::out(&text(&findings, &repaired))?;
    }
    if bad { Err(under::Ended(Exit::Failure.code()).into()) } else { Ok(()) }
}

fn check(place: &Checkup) -> Vec<Finding> {
    let mut found = Vec::new();
    let health = terminal::check(place, &mut found);
    profiles(&mut found);
    settings(place, &mut found);
    let Some(root) = &place.root else {
        found.push(Finding::warn(
            "project",
            "this directory belongs to no swarm project",
            "swarm discover --init in the project, with its agents running",
        ));
        return found;
    };
    project::check(root, &mut found);
    let unsafe_to_open =
        |f: &Finding| f.verdict == Grade::Bad && matches!(f.name, "project" | "modes" | "key");
    if found.iter().any(unsafe_to_open) {
        found.push(Finding::warn(
            "store",
            "not looked into",
            "repair the bad findings above, then run swarm doctor again",
        ));
        return found;
    }
    let opened = Store::open_root(root).and_then(|store| Ok((store.agents()?, store)));
    match opened {
        Ok((agents, store)) => {
            state::check(place, &store, &agents, &mut found);
            hosts::check(place, &store, root, &mut found);
            start::revive(&store);
            agents::check(place, root, &agents, health.as_ref(), &mut found);
        }
        Err(error) => {
            found.push(Finding::bad("store", format!("{error:#}"), "see docs/troubleshooting.md"));
        }
    }
    found
}

/// The errors in the user's profiles, one finding each. The other profiles are used.
fn profiles(found: &mut Vec<Finding>) {
    let problems = rules::load().map(|known| known.problems().to_vec());
    match problems.as_deref() {
        Ok([]) => found.push(Finding::ok("profiles", "are understood")),
        Ok(problems) => found.extend(problems.iter().map(|p| {
            if p.fatal {
                let repair =
                    "repair or remove that file; until then nothing is typed into agents of its kind";
                Finding::bad("profiles", p.text.clone(), repair)
            } else {
                Finding::warn("profiles", p.text.clone(), "`swarm profile list` shows what is used")
            }
        })),
        Err(error) => found.push(Finding::bad("profiles", format!("{error:#}"), "install swarm again")),
    }
}

/// The errors in the settings, one finding each; the rest of a file is used.
fn settings(place: &Checkup, found: &mut Vec<Finding>) {
    let config = config::checked(Files::of(place.root.as_deref()).load());
    let repair = "swarm config edit, or swarm config unset KEY; `swarm config keys` lists the settings and their values";
    found.extend(config.problems.iter().map(|p| Finding::bad("settings", format!("ignored: {p}"), repair)));
    found.extend(
        config
            .ignored
            .iter()
            .map(|p| Finding::warn("settings", p.to_string(), "set it in your own file (--user)")),
    );
    if config.problems.is_empty() && config.ignored.is_empty() {
        found.push(Finding::ok("settings", "are understood"));
    }
}

fn text(findings: &[Finding], repaired: &[Repaired]) -> String {
    let width = findings.iter().map(|f| f.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for one in repaired {
        let done =
            one.failed.as_ref().map_or_else(|| "repaired".to_owned(), |why| format!("NOT repaired: {why}"));
        text.push_str(&format!("{}: {}: {}\n", one.name, escape::line(&one.seen), escape::line(&done)));
    }
    // The worst first, for a person who reads no further.
    let by_weight = [Grade::Bad, Grade::Warn, Grade::Ok];
    for one in by_weight.iter().flat_map(|weight| findings.iter().filter(move |f| f.verdict == *weight)) {
        text.push_str(&format!(
            "{:<4}  {:<width$}  {}\n",
            one.verdict.word(),
            one.name,
            escape::line(&one.seen)
        ));
        if let Some(repair) = &one.repair {
            text.push_str(&format!("{:<4}  {:<width$}  → {}\n", "", "", escape::line(repair)));
        }
    }
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let fixable = findings.iter().filter(|f| f.fix.is_some()).count();
    let hint = if fixable > 0 { format!("; --fix repairs {fixable}") } else { String::new() };
    text.push_str(&format!(
        "{} ok, {} to check, {} bad{hint}\n",
        count(Grade::Ok),
        count(Grade::Warn),
        count(Grade::Bad)
    ));
    text
}
