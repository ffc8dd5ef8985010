mod push;

use super::lease;
use super::session::{self, Session};
use crate::core::hook::Enforce;
use crate::core::lease::{Lease, LeaseSelector, PathPattern, words};
use crate::core::message::MessageType;
use crate::core::notice::Notice;
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::core::tree::git::Harm;
use crate::core::tree::verdict::{self, ClaimReason, PathClaim};
use crate::hooks::tree::Others;
use crate::os::clock;
use crate::store::leases::Part;
use crate::store::{Store, now_ms};
use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::Command;

/// Refuse a commit of files that another agent holds or has edited (git calls this; see `swarm hooks install git`)
///
/// In a team over several hosts it also refuses a push of `team.paths` that another agent holds. An agent is refused
/// with 3; a person is only warned. `--no-verify` of git skips the check.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm guard\n  swarm guard --committed\n  swarm guard --hook pre-merge-commit"
)]
pub(super) struct Args {
    /// After the commit: give back the automatic leases on the committed files
    #[arg(long)]
    committed: bool,
    /// The git hook that calls, if it is not pre-commit: pre-merge-commit, post-checkout, reference-transaction or
    /// pre-push
    #[arg(long, value_name = "NAME", conflicts_with = "committed")]
    hook: Option<String>,
    /// The arguments that git gives to that hook
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, requires = "hook")]
    given: Vec<String>,
}

/// Only a path of another agent refuses a commit. If the guard cannot decide, it reports that and lets git continue.
pub(super) fn run(args: &Args) -> Result<()> {
    let Err(error) = judge(args) else { return Ok(()) };
    if error.downcast_ref::<Refusal>().is_some_and(|r| matches!(r, Refusal::Held(_))) {
        return Err(error);
    }
    let what = if args.hook.as_deref() == Some("pre-push") { "push" } else { "commit" };
    super::print::tell(&format!("swarm could not check this {what}, so git continues: {error:#}"));
    Ok(())
}

#[inline(never)]
fn judge(args: &Args) -> Result<()> {
    let here = session::here()?;
    // git calls it for the repository in which it runs, even if SWARM_ROOT is set.
    if Store::root_around(&here).is_none() {
        return Ok(());
    }
    let session = Session::of(session::project_around()?)?;
    if args.committed {
        // Without rename detection git lists both names of a renamed file.
        let paths = names(&[
            "diff-tree",
            "--root",
            "--no-commit-id",
            "--name-only",
            "--no-renames",
            "-r",
            "-z",
            "HEAD",
        ])?;
        return give_back(&session, &patterns(&session, &paths)?);
    }
    if args.hook.as_deref() == Some("pre-push") {
        return push::check(&session, args.given.first().map(String::as_str));
    }
    let others = Others::of(&session.store, &session.agents, &session.caller.name, &lease::holder(&session))?;
    let others = match (session.settings()?.tree, args.hook.as_deref()) {
        // git itself stops a merge into files that are not committed.
        (Enforce::Off, _) | (_, Some("pre-merge-commit")) => others.leases_only(),
        _ => others,
    };
    if others.is_empty() {
        return Ok(());
    }
    match args.hook.as_deref() {
        None | Some("pre-commit" | "pre-merge-commit") => {
            let staged = names(&["diff", "--cached", "--name-only", "--no-renames", "-z"])?;
            let claims = others.claims(&session.store, &top()?, &staged, Harm::Commit)?;
            let what = if args.hook.is_none() { GitStep::Commit } else { GitStep::Merge };
            refuse(&session, what, &claims)
        }
        Some("post-checkout") => {
            // The third argument is 1 for another commit and 0 for files.
            if args.given.get(2).is_some_and(|flag| flag == "1") && args.given.first() != args.given.get(1) {
                told(&session, &open(&session, &others)?)?;
            }
            Ok(())
        }
        Some("reference-transaction") => {
            let Some(stash) = args.given.first().filter(|id| is_new_stash(id)) else { return Ok(()) };
            let claims = others.claims(&session.store, &top()?, &stashed(stash)?, Harm::Stash)?;
            refuse(&session, GitStep::Stash, &claims)
        }
        // An older program may be called by a newer installation.
        Some(_) => Ok(()),
    }
}

/// Whether this commit is not in the stash yet. When git drops an entry, it records another one again.
fn is_new_stash(id: &str) -> bool {
    let is_id = id.len() >= 40 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id
        && !git(&["log", "-g", "--format=%H", "refs/stash", "--"])
            .is_ok_and(|all| all.split(|b| *b == b'\n').any(|line| line == id.as_bytes()))
}

/// The files in a stash: changed, staged and, if git included them, new.
fn stashed(id: &str) -> Result<Vec<String>> {
    let differs = |to: &str| names(&["diff", "--name-only", "--no-renames", "-z", &format!("{id}^1"), to]);
    let mut found = differs(id)?;
    found.extend(differs(&format!("{id}^2"))?);
    found.extend(
        names(&["ls-tree", "-r", "--name-only", "--full-tree", "-z", &format!("{id}^3")]).unwrap_or_default(),
    );
    order::sort(&mut found);
    found.dedup();
    Ok(found)
}

fn top() -> Result<PathBuf> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    Ok(PathBuf::from(OsStr::from_bytes(top.strip_suffix(b"\n").unwrap_or(&top))))
}

/// The files that git lists, relative to the top.
fn names(args: &[&str]) -> Result<Vec<String>> {
    let listed = git(args)?;
    let names = listed.split(|b| *b == 0).filter(|name| !name.is_empty());
    // A path that is not UTF-8 cannot be leased, so nobody holds it.
    Ok(names.filter_map(|name| std::str::from_utf8(name).ok().map(str::to_owned)).collect())
}

fn patterns(session: &Session, names: &[String]) -> Result<Vec<PathPattern>> {
    let top = top()?;
    Ok(names.iter().filter_map(|name| session.store.literal_pattern(&top, OsStr::new(name)).ok()).collect())
}

fn git(args: &[&str]) -> Result<Vec<u8>> {
    let out = Command::new("git").args(args).output().context("cannot run git")?;
    if !out.status.success() {
        let why = crate::core::escape::short(&String::from_utf8_lossy(&out.stderr), 200);
        bail!("git {}: {why}", args.first().unwrap_or(&""));
    }
    Ok(out.stdout)
}

/// The uncommitted work of others in this work tree.
fn open(session: &Session, others: &Others) -> Result<Vec<PathClaim>> {
    let top = top()?;
    others.claims(&session.store, &top, &crate::hooks::tree::uncommitted(&top)?, Harm::Move)
}

/// The step that git is about to take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum GitStep {
    Commit,
    Merge,
    Stash,
}

/// Refuses an agent, warns a person.
fn refuse(session: &Session, what: GitStep, claims: &[PathClaim]) -> Result<()> {
    if claims.is_empty() {
        return Ok(());
    }
    let now = clock::now()?;
    let paths: Vec<PathPattern> = claims.iter().map(|claim| claim.path.clone()).collect();
    let leases = session.store.leases_about(Part::Paths(&paths))?;
    let held = |fence: u64| leases.table.leases().find(|l| l.fence == fence).cloned();
    let named: Vec<String> = claims
        .iter()
        .take(8)
        .map(|claim| {
            let path = crate::core::escape::short(&claim.path.to_string(), 120);
            match claim.why {
                ClaimReason::Holds(fence) => match held(fence) {
                    Some(by) => format!("{path} is held by {}", words::held_by(&by, &now)),
                    None => format!("{path} is held by {}", claim.who),
                },
                ClaimReason::Edited(at) => verdict::edited_by(&path, claim, at, now_ms()),
            }
        })
        .collect();
    let text = named.join("; ");
    let held = claims.iter().any(|claim| matches!(claim.why, ClaimReason::Holds(_)));
    if session.caller.name.is_human() || !held && session.settings()?.tree == Enforce::Warn {
        super::print::tell(&format!("warning: {text}"));
        return Ok(());
    }
    let way = if what == GitStep::Stash {
        "name your own paths (git stash push -- PATH), and know that all worktrees of a repository share one stash"
    } else {
        "leave these files out (git restore --staged PATH), or wait: swarm-msg lock --wait 10m PATH"
    };
    let not = match what {
        GitStep::Commit => "not committed",
        GitStep::Merge => "git merge is refused",
        GitStep::Stash => "git stash is refused",
    };
    Err(Refusal::Held(format!("{not}: {text}; {way}")).into())
}

/// Another commit was checked out: warns the caller, and those with work in the tree.
fn told(session: &Session, claims: &[PathClaim]) -> Result<()> {
    let Some(first) = claims.first() else { return Ok(()) };
    let path = |claim: &PathClaim| crate::core::escape::short(&claim.path.to_string(), 120);
    super::print::tell(&format!(
        "warning: you checked out another commit under work that {} has not committed ({}{}): tell them",
        first.who,
        path(first),
        if claims.len() > 1 { format!(" and {} more", claims.len() - 1) } else { String::new() }
    ));
    let mut done = Vec::new();
    session.store.transact(|tx| {
        for claim in claims {
            if done.contains(&&claim.who) {
                continue;
            }
            done.push(&claim.who);
            let text = format!(
                "{} checked out another commit in the work tree where your {} is not committed: check the branch before you continue",
                session.caller.name,
                path(claim)
            );
            tx.put_notice(&Notice { to: claim.who.clone(), kind: MessageType::Challenge, text })?;
        }
        Ok(())
    })?;
    session.store.post_notices()?;
    Ok(())
}

fn give_back(session: &Session, paths: &[PathPattern]) -> Result<()> {
    session.store.forget_edits(paths)?;
    let own = lease::holder(session);
    let automatic =
        |l: &&Lease| l.auto && l.holder.is_same(&own) && l.paths.iter().all(|p| paths.contains(p));
    let fences: Vec<u64> = session
        .store
        .leases_about(Part::Paths(paths))?
        .table
        .leases()
        .filter(automatic)
        .map(|l| l.fence)
        .collect();
    if !fences.is_empty() {
        session.store.change_leases(Part::Numbers(&fences), |table| {
            for fence in &fences {
                table.give_back(&own, LeaseSelector::Fence(*fence));
            }
        })?;
    }
    Ok(())
}
