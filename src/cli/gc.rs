use super::print;
use super::session::Session;
use crate::core::escape;
use crate::core::lease::{LeaseEvent, words};
use crate::core::message::Identity;
use crate::core::refusal::Refusal;
use crate::core::span;
use crate::store::leases::Part;
use crate::store::now_ms;
use anyhow::Result;
use serde_json::json;

/// Clean up leases of dead agents, expired leases, unused tickets and old read mail; set damaged lease records aside
///
/// Without --yes it only shows what it would do.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm gc\n  swarm gc --yes")]
pub(super) struct Args {
    /// Clean up, and do not only show it
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let session = Session::open()?;
    let store = &session.store;
    let peek = store.inspect_leases()?;
    let ended: Vec<_> = peek.table.changes().events.iter().filter_map(line).collect();
    let abandoned = store.abandoned_files()?;
    let keep = session.settings()?.keep_read;
    let before_ms = keep.map_or(0, |keep| now_ms().saturating_sub(span::ms(keep)));
    let old = store.prunable(before_ms)?;
    if args.yes {
        if !peek.damaged.is_empty() && session.caller.identity != Identity::Human {
            return Err(Refusal::only_human("set a damaged lease record aside, after looking at it").into());
        }
        store.set_damaged_leases_aside()?;
        store.change_leases(Part::All, |_| ())?;
        store.prune(before_ms)?;
        for path in &abandoned {
            // Another process may be cleaning up at the same time.
            let _ = std::fs::remove_file(path);
        }
        let _ = store.ring();
    }
    let damaged: Vec<_> = peek.damaged.iter().map(|d| d.record.clone()).collect();
    let files: Vec<_> = abandoned.iter().map(|p| p.display().to_string()).collect();
    if args.json {
        return print::object(
            json!({"done": args.yes, "ended": ended, "damaged": damaged, "files": files, "old_messages": old}),
        );
    }
    let mut text: String = ended.iter().map(|line| format!("{line}\n")).collect();
    text.extend(damaged.iter().map(|d| format!("to quarantine: {}\n", escape::line(d))));
    text.extend(files.iter().map(|f| format!("left by a process that was killed: {}\n", escape::line(f))));
    if old > 0 {
        text.push_str(&format!("messages older than mail.keep_read: {old}\n"));
    }
    text.push_str(match (text.is_empty(), args.yes) {
        (true, _) => "nothing to clean up\n",
        (false, true) => "done\n",
        (false, false) => "nothing was changed; `swarm gc --yes` does it\n",
    });
    print::out(&text)
}

fn line(event: &LeaseEvent) -> Option<String> {
    match event {
        LeaseEvent::Ended(lease, end) => Some(format!(
            "{}: lease {} of {} on {}",
            end.word(),
            lease.fence,
            lease.holder.name,
            words::list(&lease.paths)
        )),
        LeaseEvent::Dequeued(waiter, why) => Some(format!(
            "{}: ticket {} of {} for {}",
            why.word(),
            waiter.ticket,
            waiter.holder.name,
            words::list(&waiter.paths)
        )),
        _ => None,
    }
}
