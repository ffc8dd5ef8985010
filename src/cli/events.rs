use super::log::{LOOK, filter, since};
use super::{print, session};
use crate::core::escape;
use crate::core::event::{EVENTS, EventRow};
use crate::store::{Cursor, Store, Tail, now_ms};
use anyhow::Result;
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

/// Print what happens as a stream for scripts: one JSON object a line
///
/// Each event has `version`, `event`, `t` (ms since the epoch), `cursor` and the fields that --list shows. Within
/// version 1, events and fields may be added, but none is renamed or removed. With --after, a script continues where
/// it stopped: it misses nothing and gets nothing twice.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm events --follow --event read --event dead-letter\n  swarm events --since 1h --agent codex-1\n  swarm events --list"
)]
pub(super) struct Args {
    /// Also print new events, until interrupted. Without --since or --after, print only new events
    #[arg(short, long)]
    follow: bool,
    /// Only events of this last time, such as 90s, 15m, 24h or 7d
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<u64>,
    /// Only events after the one with this `cursor`
    #[arg(long, value_name = "CURSOR", conflicts_with = "since")]
    after: Option<Cursor>,
    /// Only this event; may be repeated
    #[arg(long = "event", value_name = "EVENT", value_parser = words(), hide_possible_values = true)]
    events: Vec<String>,
    /// Only events that name this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// List the events, with their fields and meaning
    #[arg(long)]
    list: bool,
    /// Accepted for scripts that always pass it: the stream is always JSON
    #[arg(long)]
    json: bool,
}

/// The version of the stream's format.
const VERSION: u64 = 1;

fn words() -> PossibleValuesParser {
    PossibleValuesParser::new(EVENTS.iter().map(|row| row.word))
}

pub(super) fn run(args: &Args) -> Result<()> {
    if args.list {
        let row = |row: &EventRow| {
            format!("{}\n", json!({"event": row.word, "fields": row.fields, "means": row.meaning}))
        };
        return print::out(&EVENTS.iter().map(row).collect::<String>());
    }
    let store = session::project()?;
    let filter = filter(&args.events, args.agent.as_ref(), args.since);
    let mut tail = begin(&store, args)?;
    loop {
        let mut text = String::new();
        tail.read_placed(|entry| match entry {
            Some((entry, cursor)) if filter.takes(&entry) => text.push_str(&line(entry, cursor)),
            Some(_) => {}
            None => text.push_str(&gap()),
        })?;
        if !text.is_empty() {
            print::out(&text)?;
        }
        if !args.follow || print::is_left() {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// The reader, at the first wanted event.
fn begin(store: &Store, args: &Args) -> Result<Tail> {
    if let Some(cursor) = args.after {
        if let Some(tail) = store.journal_behind(cursor)? {
            return Ok(tail);
        }
        print::out(&gap())?;
        print::tell(
            "the event with this cursor is not kept any more; the stream begins with the oldest event that is kept",
        );
        return Ok(store.journal_tail());
    }
    let mut tail = store.journal_tail();
    if args.follow && args.since.is_none() {
        tail.read(|_| ())?;
    }
    Ok(tail)
}

/// The line that marks a possible gap before the next event.
fn gap() -> String {
    format!("{}\n", json!({"version": VERSION, "event": "gap", "t": now_ms()}))
}

/// An entry of the journal as an event of the stream.
fn line(mut entry: Value, cursor: Cursor) -> String {
    if let Some(fields) = entry.as_object_mut() {
        // How long a command waited is not part of the event.
        fields.remove("waited_us");
        fields.insert("version".to_owned(), VERSION.into());
        fields.insert("cursor".to_owned(), cursor.to_string().into());
    }
    format!("{}\n", escape::json(&entry))
}
