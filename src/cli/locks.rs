use super::session;
use super::{lease, print};
use crate::core::escape;
use crate::core::lease::{LeaseTable, words};
use crate::store::leases::Damaged;
use anyhow::Result;
use serde_json::json;

/// List all leases and who waits for them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm-msg locks\n  swarm locks --json")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let store = session::project()?;
    let leases = store.leases()?;
    let (table, damaged) = (&leases.table, &leases.damaged);
    if args.json {
        let now = table.now();
        let team = if store.has_team() { store.board()? } else { None };
        let ticks = super::team::ticks()?;
        return print::object(json!({
            "team": team.as_ref().map(|b| super::team::lease::board_json(b, &ticks)),
            "leases": table.leases().map(|l| lease::lease_json(l, now)).collect::<Vec<_>>(),
            "waiters": table.waiters().map(|w| lease::waiter_json(w, now)).collect::<Vec<_>>(),
            "damaged": damaged.iter().map(|d| &d.record).collect::<Vec<_>>(),
        }));
    }
    let mut text = list(table, damaged);
    if store.has_team()
        && let Some(board) = store.board()?
    {
        text.push_str(&super::team::lease::list(&board, &super::team::ticks()?));
    }
    print::out(&text)
}

fn list(table: &LeaseTable, damaged: &[Damaged]) -> String {
    let now = table.now();
    let mut text = String::new();
    if table.leases().next().is_none() {
        text.push_str("no leases\n");
    } else {
        text.push_str(&format!(
            "{:>5}  {:<16} {:<9} {:>4}  {:<14} {}\n",
            "LEASE", "HOLDER", "MODE", "AGE", "STATE", "PATHS"
        ));
    }
    for l in table.leases() {
        text.push_str(&format!(
            "{:>5}  {:<16} {:<9} {:>4}  {:<14} {}{}{}\n",
            l.fence,
            l.holder.name,
            l.mode.word(),
            print::age(l.since, now.wall_ms),
            words::state(l, now),
            words::list(&l.paths),
            words::reason(l),
            l.holder.doubt()
        ));
    }
    for w in table.waiters() {
        let state = match &w.offered {
            Some(offer) => format!("it is offered for {}", lease::time(offer.remaining_ms(now))),
            None => format!("for {}", print::age(w.since, now.wall_ms)),
        };
        text.push_str(&format!(
            "{} waits for {} (ticket {}, {state})\n",
            w.holder.name,
            words::list(&w.paths),
            w.ticket
        ));
    }
    for one in damaged {
        text.push_str(&format!(
            "{} is damaged: nothing is granted until `swarm gc --yes`\n",
            escape::line(&one.record)
        ));
    }
    text
}
