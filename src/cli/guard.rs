use super::lease;
use super::session::{self, Session};
use crate::core::lease::{Lease, PathPattern, Which};
use crate::core::refusal::Refusal;
use crate::os::clock;
use crate::store::Store;
use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

/// Refuse a commit of files that another agent holds (called by git, see `swarm hooks install git`)
///
/// Agents are refused with 3, people are warned. `git commit --no-verify` passes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm guard\n  swarm guard --committed")]
pub(super) struct Args {
    /// After the commit: give back the automatic leases on what was committed
    #[arg(long)]
    committed: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let here = session::here()?;
    if Store::root_of(&here).is_none() {
        return Ok(());
    }
    let session = Session::open()?;
    // Without rename detection both names of a renamed file are told.
    let listed: &[&str] = if args.committed {
        &["diff-tree", "--root", "--no-commit-id", "--name-only", "--no-renames", "-r", "-z", "HEAD"]
    } else {
        &["diff", "--cached", "--name-only", "--no-renames", "-z"]
    };
    let paths = files(&session, listed)?;
    if args.committed { release(&session, &paths) } else { check(&session, &paths) }
}

/// The files git names, as patterns.
fn files(session: &Session, args: &[&str]) -> Result<Vec<PathPattern>> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let top = std::path::PathBuf::from(OsStr::from_bytes(top.strip_suffix(b"\n").unwrap_or(&top)));
    let mut paths = Vec::new();
    for name in git(args)?.split(|b| *b == 0).filter(|n| !n.is_empty()) {
        // What cannot be leased is held by nobody.
        paths.extend(session.store.literal_pattern(&top, OsStr::from_bytes(name)));
    }
    Ok(paths)
}

fn git(args: &[&str]) -> Result<Vec<u8>> {
    let out = Command::new("git").args(args).output().context("cannot run git")?;
    if !out.status.success() {
        let why = crate::core::escape::short(&String::from_utf8_lossy(&out.stderr), 200);
        bail!("git {}: {why}", args.first().unwrap_or(&""));
    }
    Ok(out.stdout)
}

fn check(session: &Session, paths: &[PathPattern]) -> Result<()> {
    let own = lease::holder(session);
    let leases = session.store.leases()?;
    let held: Vec<(&PathPattern, Lease)> = paths
        .iter()
        .flat_map(|p| leases.table.holding(p).into_iter().map(move |l| (p, l)))
        .filter(|(_, l)| !l.holder.is_same(&own))
        .collect();
    if held.is_empty() {
        return Ok(());
    }
    let now = clock::now()?;
    let named = |(path, by): &(&PathPattern, Lease)| {
        format!(
            "{} is held by {}",
            crate::core::escape::short(&path.to_string(), 120),
            lease::held_by(by, &now)
        )
    };
    let all: Vec<String> = held.iter().take(8).map(named).collect();
    let text = all.join("; ");
    if session.caller.name.is_human() {
        super::print::tell(&format!("warning: {text}"));
        return Ok(());
    }
    Err(Refusal::Held(format!(
        "not committed: {text}; leave these files out, or wait: swarm-msg lock --wait 10m PATH"
    ))
    .into())
}

fn release(session: &Session, paths: &[PathPattern]) -> Result<()> {
    let own = lease::holder(session);
    let automatic =
        |l: &&Lease| l.auto && l.holder.is_same(&own) && l.paths.iter().all(|p| paths.contains(p));
    let fences: Vec<u64> =
        session.store.peek_leases()?.table.leases().filter(automatic).map(|l| l.fence).collect();
    if !fences.is_empty() {
        session.store.change_leases(|table| {
            for fence in fences {
                table.release(&own, Which::Fence(fence));
            }
        })?;
    }
    Ok(())
}
