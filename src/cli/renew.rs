use super::session::Session;
use super::{lease, print};
use crate::core::lease::{LeaseSelector, words};
use crate::core::refusal::Refusal;
use crate::os::clock;
use crate::store::leases::Part;
use anyhow::{Result, anyhow};
use serde_json::json;
use std::ffi::OsString;

/// Extend your leases; this also answers a challenge
///
/// Without a path it renews all your leases. It never shortens a lease. It ends with 3 if somebody else has the lease
/// by now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg renew\n  swarm-msg renew src/parser.rs --ttl 1h")]
pub(super) struct Args {
    /// Files, directories or globs, as you leased them
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// The lease with this number, if it is still yours
    #[arg(long, value_name = "NUMBER", conflicts_with = "paths")]
    fence: Option<u64>,
    /// How long from now [default: the setting lease.ttl, 15m]
    #[arg(long, value_name = "TIME", value_parser = lease::duration)]
    ttl: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    session.prove()?;
    let (paths, holder) = (lease::patterns(&session, &args.paths)?, lease::holder(&session));
    let (which, part) = match args.fence {
        Some(fence) => (LeaseSelector::Fence(fence), Part::Numbers(args.fence.as_slice())),
        None if paths.is_empty() => (LeaseSelector::All, Part::All),
        None => (LeaseSelector::Paths(&paths), Part::Paths(&paths)),
    };
    let ttl = lease::ttl(&session, args.ttl)?;
    let (renewed, lost) = session.store.change_leases(part, |table| {
        let renewed = table.renew(&holder, which, ttl);
        let kept = |path| renewed.iter().any(|l| l.paths.iter().any(|p| p.covers(path)));
        let lost: Vec<_> = paths.iter().filter(|p| !kept(p)).map(|p| (p.clone(), table.holding(p))).collect();
        (renewed, lost)
    })?;
    let now = clock::now()?;
    if args.json {
        let leases: Vec<_> = renewed.iter().map(|l| lease::lease_json(l, &now)).collect();
        print::object(json!({"renewed": leases}))?;
    } else {
        let line = |l: &crate::core::lease::Lease| {
            format!("renewed {} (lease {}, {})\n", words::list(&l.paths), l.fence, words::remaining(l, &now))
        };
        print::out(&renewed.iter().map(line).collect::<String>())?;
    }
    if let Some((path, holders)) = lost.first() {
        match holders.iter().find(|l| !l.holder.is_same(&holder)) {
            Some(other) => {
                let who = words::held_by(other, &now);
                return Err(print::told(Refusal::Held(format!(
                    "you hold no lease on {path}: it is held by {who}"
                ))));
            }
            None => {
                return Err(print::told(anyhow!(
                    "you hold no lease on {path}; take one with: {} lock {}",
                    session.program(),
                    crate::core::escape::word(&path.to_string())
                )));
            }
        }
    }
    if renewed.is_empty() {
        let why = args.fence.map_or_else(
            || "you hold no lease".to_owned(),
            |fence| format!("lease {fence} is not yours, or has ended"),
        );
        return Err(print::told(anyhow!("{why}; {} locks lists all", session.program())));
    }
    Ok(())
}
