use super::session::Session;
use super::{lease, print};
use crate::core::lease::{GivenBack, Lease, LeaseSelector, PathPattern, words};
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::os::clock;
use crate::store::leases::Part;
use anyhow::Result;
use serde_json::json;
use std::ffi::OsString;
use std::io::IsTerminal;

/// Give back your leases and your place in the queue; the next in the queue gets a message
///
/// A path that you do not hold is no error. A path that somebody else holds is refused with 3.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["paths", "name", "all", "fence"]).multiple(true)))]
#[command(
    after_help = "Examples:\n  swarm-msg unlock src/parser.rs\n  swarm-msg unlock --all\n  swarm unlock src/ --force"
)]
pub(super) struct Args {
    /// Files, directories or globs, as you leased them
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,
    /// A lease in the whole team
    #[arg(long, requires = "paths")]
    team: bool,
    /// A lease of something that is not a file
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// All your leases and tickets
    #[arg(long, conflicts_with_all = ["paths", "name", "fence"])]
    all: bool,
    /// The lease or ticket with this number, if it is still yours
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["paths", "name"])]
    fence: Option<u64>,
    /// End every lease that overlaps PATH, or the one with this number, whoever holds it. For a person only; each
    /// holder gets a message
    #[arg(long, conflicts_with = "all")]
    force: bool,
    /// Do not ask
    #[arg(long, requires = "force")]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut session = Session::open()?;
    session.prove()?;
    let paths = lease::wide_patterns(&session, &args.paths, args.team, &args.name)?;
    if args.force {
        return force(&session, &paths, args);
    }
    let holder = lease::holder(&session);
    let (which, part) = match args.fence {
        Some(fence) => (LeaseSelector::Fence(fence), Part::Numbers(args.fence.as_slice())),
        None if args.all => (LeaseSelector::All, Part::All),
        None => (LeaseSelector::Paths(&paths), Part::Paths(&paths)),
    };
    let (given_back, others) = session.store.change_leases(part, |table| {
        let given_back = table.give_back(&holder, which);
        let still = |path: &PathPattern| {
            table.holding(path).into_iter().map(|l| (path.clone(), l)).collect::<Vec<_>>()
        };
        let gone = |path: &PathPattern| {
            given_back.leases.iter().any(|l| l.paths.iter().any(|p| p.is_same_path(path)))
        };
        let others: Vec<(PathPattern, Lease)> = paths.iter().filter(|p| !gone(p)).flat_map(still).collect();
        (given_back, others)
    })?;
    let _ = session.store.ring();
    if session.store.has_team() {
        session.store.ring_link();
    }
    let now = clock::now()?;
    if args.json {
        let leases: Vec<_> = given_back.leases.iter().map(|l| lease::lease_json(l, &now)).collect();
        let left: Vec<_> = others.iter().map(|(_, l)| lease::lease_json(l, &now)).collect();
        print::object(json!({"released": leases, "withdrawn": given_back.tickets, "left": left}))?;
    } else {
        print::out(&told(&given_back))?;
    }
    let (mine, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|(_, l)| l.holder.shares_with(&holder));
    for (path, lease) in mine {
        print::tell(&format!(
            "{path} is part of your lease {} on {}, which stays",
            lease.fence,
            words::list(&lease.paths)
        ));
    }
    match &others[..] {
        [] => Ok(()),
        [(path, lease), ..] => Err(print::told(Refusal::Held(format!(
            "{path} is not yours: it is held by {}",
            words::held_by(lease, &now)
        )))),
    }
}

fn told(given_back: &GivenBack) -> String {
    if given_back.leases.is_empty() && given_back.tickets.is_empty() {
        return "nothing to give back\n".to_owned();
    }
    let mut text: String = given_back
        .leases
        .iter()
        .map(|l| format!("gave back {} (lease {})\n", words::list(&l.paths), l.fence))
        .collect();
    text.extend(given_back.tickets.iter().map(|t| format!("left the queue (ticket {t})\n")));
    text
}

#[inline(never)]
fn force(session: &Session, paths: &[PathPattern], args: &Args) -> Result<()> {
    if !session.is_human() {
        return Err(Refusal::Usage(format!(
            "only the human can take a lease away; you are {}. Queue for it (swarm-msg lock PATH --wait 10m) or ask the holder",
            session.caller.name
        ))
        .into());
    }
    let part = if args.fence.is_some() { Part::Numbers(args.fence.as_slice()) } else { Part::Paths(paths) };
    let leases = session.store.leases_about(part)?;
    let mut found: Vec<Lease> = match args.fence {
        Some(fence) => leases.table.leases().filter(|l| l.fence == fence).cloned().collect(),
        None => paths.iter().flat_map(|p| leases.table.holding(p)).collect(),
    };
    order::sort_by_key(&mut found, |l| l.fence);
    found.dedup_by_key(|l| l.fence);
    let now = clock::now()?;
    if found.is_empty() {
        return print::out("nobody holds that\n");
    }
    let line = |l: &Lease| format!("{}: {}\n", words::list(&l.paths), words::held_by(l, &now));
    if !args.yes {
        if !std::io::stdin().is_terminal() {
            return Err(Refusal::Usage("to take leases away, confirm with --yes".into()).into());
        }
        let question = format!("{}take away? [y/N] ", found.iter().map(line).collect::<String>());
        if !print::agrees(&question)? {
            return print::out("nothing was changed\n");
        }
    }
    // The leases that were shown, and none that was granted meanwhile.
    let fences: Vec<u64> = found.iter().map(|l| l.fence).collect();
    let taken = session.store.change_leases(Part::Numbers(&fences), |table| table.force(&fences))?;
    let _ = session.store.ring();
    if args.json {
        return print::object(
            json!({"taken": taken.iter().map(|l| lease::lease_json(l, &now)).collect::<Vec<_>>()}),
        );
    }
    print::out(
        &taken
            .iter()
            .map(|l| format!("took {} from {}\n", words::list(&l.paths), l.holder.name))
            .collect::<String>(),
    )
}
