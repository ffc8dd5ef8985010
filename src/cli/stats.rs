use super::{print, session};
use crate::core::escape;
use crate::core::lease::stats::{Spread, Stats, Tally};
use anyhow::Result;
use serde_json::json;

/// Show figures about leases from the journal: grants, denials, waits, hold times, contended paths, waits for the
/// mutex
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm stats\n  swarm stats --json")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut tally = Tally::default();
    session::project()?.journal(|entry| tally.count(&entry))?;
    let stats = tally.stats();
    if args.json {
        return print::object(json!({"leases": stats}));
    }
    print::out(&text(&stats))
}

fn text(stats: &Stats) -> String {
    let spread = |name: &str, s: &Spread, unit: &str| {
        format!(
            "{name:<18} {:>7}   half ≤ {} {unit}, 95% ≤ {} {unit}, longest {} {unit}\n",
            s.count, s.p50, s.p95, s.max
        )
    };
    let count = |name: &str, n: usize| format!("{name:<18} {n:>7}\n");
    let mut text = String::new();
    text.push_str(&count("granted", stats.grants));
    text.push_str(&count("denied", stats.denials));
    text.push_str(&count("queued", stats.waits));
    text.push_str(&count("challenged", stats.challenges));
    for (why, n) in &stats.ended {
        text.push_str(&count(&format!("ended: {}", escape::short(why, 10)), *n));
    }
    text.push_str(&spread("held", &stats.held_ms, "ms"));
    text.push_str(&spread("waited for a turn", &stats.waited_ms, "ms"));
    text.push_str(&spread("waited for mutex", &stats.mutex_us, "µs"));
    for (path, n) in &stats.contended {
        text.push_str(&format!("contended: {} ({n} times)\n", escape::short(path, 80)));
    }
    text
}
