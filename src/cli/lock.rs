use super::lease::{self, duration};
use super::session::Session;
use super::team::lease as team;
use super::{print, under};
use crate::core::lease::{
    Grant, Holder, Lease, LeaseOutcome, Mode, PathPattern, Reason, Request, Wait, words,
};
use crate::core::moment::Moment;
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::courier::start;
use crate::os::{clock, process};
use crate::store::Store;
use crate::store::leases::Part;
use crate::tmux::Server;
use anyhow::Result;
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lease files before you edit them; nobody else can lease them until you unlock them, end, or let the lease expire
///
/// A path is a file, a directory (everything below it) or a glob (* within a name, ** across directories). Several
/// paths are granted together or not at all. Your own lease is renewed. If somebody else holds a path, the command
/// says who, and ends with 3.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm-msg lock src/parser.rs --reason \"new syntax\"\n  swarm-msg lock src/ 'tests/**/*.rs' --ttl 1h --wait 10m\n  swarm lock Cargo.lock --wait 5m -- cargo update"
)]
pub(super) struct Args {
    /// Files, directories or globs
    #[arg(required_unless_present = "name", value_name = "PATH")]
    paths: Vec<OsString>,
    /// Lease the path in the whole team: in every clone on every host, on any branch
    #[arg(long)]
    team: bool,
    /// Lease something that is not a file, such as deploy or staging-db; in the whole team if there is one
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Share the lease with others who also use --shared: for undisturbed reading
    #[arg(long)]
    shared: bool,
    /// How long the lease lasts without renewal, 1s to 24h [default: the setting lease.ttl, 15m]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ttl: Option<u64>,
    /// The reason, at most 512 characters; others who want the path see it
    #[arg(long, value_name = "TEXT", value_parser = lease::reason)]
    reason: Option<Reason>,
    /// Wait in the queue for at most this time. An agent gets a message when it is its turn; a person, or a COMMAND,
    /// waits here
    #[arg(long, value_name = "TIME", value_parser = duration)]
    wait: Option<u64>,
    /// Only show what would happen
    #[arg(long, conflicts_with_all = ["wait", "command"])]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "command")]
    json: bool,
    /// Run this command under the lease, which ends with it; the exit code is the command's
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The pause between two looks at the ticket of a waiting command that cannot be woken.
const PAUSE: Duration = Duration::from_millis(8);

/// How often a waiting command checks everything, in case a holder has died and no courier runs.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether a time was written as two words, `--ttl 3 hours`. The second would be leased as a file.
fn time_in_two_words(words: &[OsString], is_there: impl Fn(&str) -> bool) -> Option<String> {
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let own = words.split(|word| *word == "--").next().unwrap_or_default();
    own.windows(3).find_map(|part| {
        let [option @ ("--ttl" | "--wait"), number, unit] = part else { return None };
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let is_word = !unit.is_empty() && unit.bytes().all(|b| b.is_ascii_lowercase());
        (is_number && is_word && !is_there(unit)).then(|| {
            format!("'{option} {number} {unit}': a time is one word, such as 90s, 15m or 2h. If {unit} is a path to lease, write ./{unit}")
        })
    })
}

pub(super) fn run(args: &Args) -> Result<()> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(wrong) = time_in_two_words(&words, |word| Path::new(word).exists()) {
        return Err(Refusal::Usage(wrong).into());
    }
    let mut session = Session::open()?;
    session.prove()?;
    let own = lease::holder(&session);
    let holder = if args.command.is_empty() {
        own.clone()
    } else {
        Holder::command(own.name.clone(), process::this()?, process::namespace())
    };
    let request = Request {
        holder,
        paths: lease::wide_patterns(&session, &args.paths, args.team, &args.name)?,
        mode: if args.shared { Mode::Shared } else { Mode::Exclusive },
        ttl_ms: lease::ttl(&session, args.ttl)?,
        reason: args.reason.clone(),
        auto: false,
    };
    let store = &session.store;
    if args.dry_run {
        return tell(&request, &store.would_acquire(&request)?, args.json, true).map_err(print::told);
    }
    let keeps_waiting = own.name.is_human() || !args.command.is_empty();
    let outcome = match args.wait {
        None => store.acquire(&request, None)?,
        Some(wait_ms) if keeps_waiting => wait(store, &request, wait_ms)?,
        Some(wait_ms) => {
            let until = clock::now()?.after(wait_ms);
            store.acquire(&request, Some(&Wait { until, holder: own, chain: Vec::new() }))?
        }
    };
    // Dead holders must be noticed, and holders and waiters must get their messages, even if no command runs.
    let known = session.agents.iter().find(|a| a.is_live());
    let server = known.map_or_else(Server::current, |a| Server::new(&a.place.socket));
    let _ = start::ensure(store, &server);
    let wide = args.team || (!args.name.is_empty() && store.has_team());
    if let (LeaseOutcome::Granted(grant), true) = (&outcome, wide) {
        team::hold(store, &request.holder, grant, args.wait, keeps_waiting)?;
    }
    let linked = match &outcome {
        LeaseOutcome::Granted(_) => hard_linked(store, &request)?,
        _ => Vec::new(),
    };
    for (path, other, lease) in &linked {
        print::tell(&format!(
            "{path} and {other} are one file (hard links), and {other} is held by {}: a write through one name changes both",
            words::held_by(lease, &clock::now()?)
        ));
    }
    match &outcome {
        LeaseOutcome::Granted(grant) if !args.command.is_empty() => {
            under::run(store, &request, grant, &args.command)
        }
        _ => tell(&request, &outcome, args.json, false).map_err(print::told),
    }
}

/// The leases of others on another name of a requested file. Leases apply to names, so this is no refusal: an editor
/// that replaces the file separates the two names.
fn hard_linked(store: &Store, request: &Request) -> Result<Vec<(PathPattern, PathPattern, Lease)>> {
    let own: Vec<_> = request.paths.iter().filter_map(|p| Some((p, store.many_named(p)?))).collect();
    let mut found = Vec::new();
    if own.is_empty() {
        return Ok(found);
    }
    for lease in store.peek_leases()?.table.leases().filter(|l| !l.holder.is_same(&request.holder)) {
        for other in &lease.paths {
            let Some(file) = store.many_named(other) else { continue };
            let same = own.iter().filter(|(path, own)| *own == file && !path.is_same_path(other));
            found.extend(same.map(|(path, _)| ((*path).clone(), other.clone(), lease.clone())));
        }
    }
    Ok(found)
}

/// Waits until the request is granted, or the time is over.
#[inline(never)]
fn wait(store: &Store, request: &Request, wait_ms: u64) -> Result<LeaseOutcome> {
    let until = clock::now()?.after(wait_ms);
    let holder =
        Holder { process: Some(process::this()?), namespace: process::namespace(), ..request.holder.clone() };
    let mut chain = process::ancestry()?;
    // The processes above it: with itself in the chain, it would wait for itself.
    chain.retain(|id| Some(id) != holder.process.as_ref());
    let wait = Wait { until: until.clone(), holder, chain };
    let (mut told, mut bell) = (false, None);
    loop {
        let outcome = store.acquire(request, Some(&wait))?;
        let LeaseOutcome::Queued { blockers, ticket, .. } = &outcome else { return Ok(outcome) };
        let now = clock::now()?;
        if until.has_passed(&now) {
            store.change_leases(Part::Numbers(&[]), |t| {
                t.give_back(&wait.holder, crate::core::lease::LeaseSelector::Fence(*ticket))
            })?;
            return Ok(LeaseOutcome::Denied(blockers.clone()));
        }
        if !told {
            print::tell(&format!("waiting: {}", words::blockers(blockers, &now)));
            told = true;
        }
        // The holder may have to be challenged, or found dead.
        start::revive(store);
        let rest = Duration::from_millis(until.remaining_ms(&now));
        let until = Instant::now() + LOOK_EVERY.min(rest);
        if bell.as_ref().is_none_or(|(of, _)| of != ticket) {
            bell = store.ticket_bell(*ticket).ok().map(|bell| (*ticket, bell));
        }
        while store.is_queued(*ticket)? {
            let left = until.saturating_duration_since(Instant::now());
            match &mut bell {
                _ if left.is_zero() => break,
                Some((_, bell)) => {
                    bell.wait(left)?;
                }
                None => std::thread::sleep(PAUSE.min(left)),
            }
        }
    }
}

fn tell(request: &Request, outcome: &LeaseOutcome, as_json: bool, dry_run: bool) -> Result<()> {
    let now = clock::now()?;
    if as_json {
        print::object(describe(outcome, &now, dry_run))?;
    }
    match outcome {
        LeaseOutcome::Granted(_) if as_json => Ok(()),
        LeaseOutcome::Granted(_) if dry_run => print::out(&format!("free for you: {}\n", words::list(&request.paths))),
        LeaseOutcome::Granted(grant) => print::out(&granted(grant, &now)),
        LeaseOutcome::Queued { ticket, ahead, blockers } => Err(Refusal::Held(format!(
            "queued: ticket {ticket}, {ahead} before you; {}. You get a message when it is your turn; do not edit before that",
            words::blockers(blockers, &now)
        ))
        .into()),
        LeaseOutcome::Denied(blockers) => {
            let advice = if request.holder.command { "--wait 10m waits for it" } else { "queue for it with --wait 10m" };
            Err(Refusal::Held(format!("{}; {advice}", words::blockers(blockers, &now))).into())
        }
        LeaseOutcome::Cycle(names) => Err(Refusal::Held(format!(
            "waiting would never end: {}; first give back something that the others wait for (swarm-msg locks)",
            ring(names)
        ))
        .into()),
    }
}

fn granted(grant: &Grant, now: &Moment) -> String {
    let line = |l: &crate::core::lease::Lease| {
        let word = if grant.new == Some(l.fence) { "granted" } else { "renewed" };
        format!(
            "{word} {} ({}, lease {}, {})\n",
            words::list(&l.paths),
            l.mode.word(),
            l.fence,
            words::remaining(l, now)
        )
    };
    grant.leases.iter().map(line).collect()
}

/// `a waits for b, b for c, c for a`.
fn ring(names: &[Name]) -> String {
    let next = names.iter().cycle().skip(1);
    let links: Vec<String> = names.iter().zip(next).map(|(a, b)| format!("{a} for {b}")).collect();
    links.join(", ").replacen(" for ", " waits for ", 1)
}

fn describe(outcome: &LeaseOutcome, now: &Moment, dry_run: bool) -> serde_json::Value {
    match outcome {
        LeaseOutcome::Granted(_) if dry_run => json!({"outcome": "free"}),
        LeaseOutcome::Granted(grant) => {
            let leases: Vec<_> = grant.leases.iter().map(|l| lease::lease_json(l, now)).collect();
            json!({"outcome": "granted", "new": grant.new, "leases": leases})
        }
        LeaseOutcome::Queued { ticket, ahead, blockers } => {
            json!({"outcome": "queued", "ticket": ticket, "ahead": ahead, "blockers": lease::blockers_json(blockers, now)})
        }
        LeaseOutcome::Denied(blockers) => {
            json!({"outcome": "denied", "blockers": lease::blockers_json(blockers, now)})
        }
        LeaseOutcome::Cycle(names) => json!({"outcome": "cycle", "cycle": names}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_two_words_is_no_time_and_a_file() {
        let wrong = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            time_in_two_words(&words, |word| word == "notes")
        };
        for line in ["lock x --ttl 3 parsecs", "lock --wait 2 hours x", "lock x --ttl 1.5 h"] {
            assert!(wrong(line).is_some_and(|told| told.contains("a time is one word")), "{line}");
        }
        for line in [
            "lock x --ttl 3",
            "lock --ttl 3 ./parsecs",
            "lock --ttl 3 src/x.rs",
            "lock --ttl 3 notes",
            "lock --ttl 3h parsecs",
            "lock x --ttl 3 --wait 5m",
            "lock x -- run --ttl 3 parsecs",
        ] {
            assert_eq!(wrong(line), None, "{line}");
        }
    }
}
