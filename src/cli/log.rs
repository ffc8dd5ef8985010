use super::{print, session};
use crate::core::escape;
use crate::core::log::{self, LogFilter};
use crate::core::span;
use crate::store::now_ms;
use anyhow::Result;
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Show what happened: the journal, oldest first; times are UTC
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm log -n 50\n  swarm log -f --agent codex-1\n  swarm log --event sent --since 1h --json"
)]
pub(super) struct Args {
    /// Also print new entries, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// Print the newest N entries; 0 prints all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    lines: usize,
    /// Only entries of this event, such as sent, delivery, read or lease-granted; may be repeated
    #[arg(long = "event", visible_alias = "type", value_name = "EVENT")]
    events: Vec<String>,
    /// Only entries that name this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Only entries of this last time, such as 90s, 15m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<u64>,
    /// Print the entries as they are stored, one JSON object per line
    #[arg(long)]
    json: bool,
}

/// How often a followed journal is read.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// Parses how far back to look; there is no upper limit.
pub(super) fn since(text: &str) -> Result<u64, String> {
    span::parse(text).ok_or_else(|| "it must be a time such as 90s, 15m, 24h or 7d".to_owned())
}

/// The wanted entries: those of the last `since` ms, if it is given.
pub(super) fn filter(events: &[String], agent: Option<&String>, since: Option<u64>) -> LogFilter {
    let since = since.map_or(0, |ms| now_ms().saturating_sub(ms));
    LogFilter { events: events.to_vec(), agent: agent.cloned(), since }
}

pub(super) fn run(args: &Args) -> Result<()> {
    let store = session::project()?;
    let filter = filter(&args.events, args.agent.as_ref(), args.since);
    let mut last: VecDeque<Value> = VecDeque::new();
    let mut tail = store.journal_tail();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    tail.read(|entry| {
        if let Some(event) = entry["event"].as_str().filter(|event| !seen.contains(*event)) {
            seen.insert(event.to_owned());
        }
        if filter.takes(&entry) {
            if args.lines > 0 && last.len() == args.lines {
                last.pop_front();
            }
            last.push_back(entry);
        }
    })?;
    let show = |entry: &Value| {
        if args.json { format!("{}\n", escape::json(entry)) } else { format!("{}\n", log::line(entry)) }
    };
    print::out(&last.iter().map(show).collect::<String>())?;
    if let Some(none) = args.events.iter().find(|event| !seen.contains(*event)) {
        let all: Vec<&str> = seen.iter().map(String::as_str).collect();
        let (none, all) =
            (escape::short(none, 40), if all.is_empty() { "none yet".into() } else { all.join(", ") });
        print::tell(&format!(
            "this journal has no event '{none}'; it has: {all} (swarm events --list lists all)"
        ));
    }
    if !args.follow {
        return Ok(());
    }
    while !print::is_left() {
        std::thread::sleep(LOOK);
        let mut text = String::new();
        tail.read(|entry| {
            if filter.takes(&entry) {
                text.push_str(&show(&entry));
            }
        })?;
        if !text.is_empty() {
            print::out(&text)?;
        }
    }
    Ok(())
}
