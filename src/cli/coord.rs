use super::session::Session;
use super::{lease, print, session};
use crate::core::coord::{self, Change, CoordAction, Document, Section, Text};
use crate::core::escape;
use crate::core::lease::words;
use crate::core::refusal::Refusal;
use crate::store::{Store, now_ms};
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Read;

/// Read and change COORDINATION.md, the project's board: goals, current work, blocked work, reviews, decisions
///
/// SECTION is a heading, or the beginning of it or of a word in it: goals, work, blocked, review, decisions. A change
/// affects only that section and leaves every other byte as it is. TEXT is one line; - reads it from standard input.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm coord init\n  swarm-msg coord show blocked\n  swarm-msg coord set work \"rewriting the parser\"\n  swarm-msg coord add review \"src/parser.rs, branch parser\"\n  swarm-msg coord done goals \"parser\""
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: CoordVerb,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum CoordVerb {
    /// Make the document; an existing one stays as it is
    #[command(after_help = "Example:\n  swarm coord init")]
    Init,
    /// Show the document, or a section with its subsections
    #[command(after_help = "Examples:\n  swarm coord show\n  swarm-msg coord show work")]
    Show {
        /// The section
        section: Option<String>,
    },
    /// Print the content of a section, without its heading
    #[command(after_help = "Examples:\n  swarm-msg coord get decisions\n  swarm-msg coord get review --json")]
    Get {
        /// The section
        section: String,
    },
    /// Replace the content of a section; in Current Work, your own row
    #[command(
        after_help = "Examples:\n  swarm-msg coord set work \"rewriting the parser\"\n  swarm coord set goals \"Release 1.2 on Friday\""
    )]
    Set {
        /// The section
        section: String,
        /// The new text: one line, or - for standard input
        text: String,
    },
    /// Add an item with your name and the date, or a row if the section ends with a table
    #[command(
        after_help = "Examples:\n  swarm-msg coord add blocked \"waiting for the schema of codex-1\"\n  echo \"use SQLite\" | swarm-msg coord add decisions -"
    )]
    Add {
        /// The section
        section: String,
        /// The text: one line, or - for standard input
        text: String,
    },
    /// Tick the item whose text contains MATCH; remove it if it is a row or has no box
    #[command(
        after_help = "Examples:\n  swarm-msg coord done review parser.rs\n  swarm-msg coord done work claude-1"
    )]
    Done {
        /// The section
        section: String,
        /// A part of the item's text that no other open item has; case is ignored
        #[arg(value_name = "MATCH")]
        matching: String,
    },
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.verb {
        CoordVerb::Init => init(args.json),
        CoordVerb::Show { section } => show(section.as_deref(), args.json),
        CoordVerb::Get { section } => get(section, args.json),
        CoordVerb::Set { section, text } => {
            let (session, text) = (Session::open()?, line(text)?);
            let (by, files) = (session.caller.name.clone(), leased(&session)?);
            change(
                &session,
                section,
                "set",
                &CoordAction::Set { text, by, files, now_ms: now_ms() },
                args.json,
            )
        }
        CoordVerb::Add { section, text } => {
            let (session, text) = (Session::open()?, line(text)?);
            let by = session.caller.name.clone();
            change(&session, section, "add", &CoordAction::Add { text, by, now_ms: now_ms() }, args.json)
        }
        CoordVerb::Done { section, matching } => change(
            &Session::open()?,
            section,
            "done",
            &CoordAction::Done { matching: matching.clone() },
            args.json,
        ),
    }
}

/// The text from the command line; `-` reads it from standard input.
fn line(given: &str) -> Result<Text> {
    // No character takes more than four bytes; one more byte, and the newline at the end.
    let limit = 4 * coord::text::MAX_TEXT as u64 + 5;
    let mut read = Vec::new();
    let text = if given == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut read)?;
        std::str::from_utf8(&read)
            .map_err(|e| Refusal::Usage(format!("the text is not UTF-8 from byte {} on", e.valid_up_to())))?
    } else {
        given
    };
    Ok(Text::new(text).map_err(Refusal::from)?)
}

/// The caller's leased paths, as one text.
fn leased(session: &Session) -> Result<String> {
    let own = lease::holder(session);
    let leases = session.store.peek_leases()?;
    let own = leases.table.leases().filter(|l| l.holder.is_same(&own));
    Ok(words::list(&own.flat_map(|l| l.paths.clone()).collect::<Vec<_>>()))
}

fn init(as_json: bool) -> Result<()> {
    let session = Session::open()?;
    let created = session.store.create_coordination(&session.caller.name)?;
    let path = session.store.coordination_path();
    if as_json {
        return print::object(json!({"path": path, "created": created}));
    }
    let word = if created { "is ready" } else { "exists already and was not changed" };
    print::out(&format!("{} {word}\n", escape::line(&path.display().to_string())))
}

fn change(session: &Session, section: &str, verb: &str, action: &CoordAction, as_json: bool) -> Result<()> {
    let made = session.store.change_coordination(&session.caller.name, verb, |text| {
        Ok(coord::change(text, section, action).map_err(Refusal::from)?)
    })?;
    let Change { section, line, was, text } = made;
    if as_json {
        let changed = text.is_some();
        return print::object(json!({"section": section, "changed": changed, "line": line, "was": was}));
    }
    let (section, line) = (escape::short(&section, 80), escape::line(&line));
    print::out(&match (verb, text) {
        (_, None) => format!("{section}: is done already: {line}\n"),
        ("done", _) => format!("{section}: done: {line}\n"),
        _ => format!("{section}: {line}\n"),
    })
}

/// The document of the project around the working directory.
fn document() -> Result<(Store, String)> {
    let store = session::project()?;
    let text = store.coordination()?.ok_or_else(|| store.no_coordination())?;
    Ok((store, text))
}

/// Untrusted text, with its lines and tabs.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.trim_start_matches('\u{feff}').lines() {
        out.push_str(&escape::text(line));
        out.push('\n');
    }
    out
}

fn show(asked: Option<&str>, as_json: bool) -> Result<()> {
    let (store, text) = document()?;
    let found = Document::parse(&text);
    let sections: Vec<&Section> = match asked {
        None => found.sections.iter().collect(),
        Some(asked) => {
            let first = found.find(asked).map_err(Refusal::from)?;
            let behind = found.sections.iter().skip_while(|s| s.line <= first.line);
            std::iter::once(first).chain(behind.take_while(|s| s.level > first.level)).collect()
        }
    };
    if as_json {
        let sections: Vec<Value> = sections.iter().map(|s| describe(s, &text)).collect();
        return print::object(json!({"path": store.coordination_path(), "sections": sections}));
    }
    let (Some(_), Some(first), Some(last)) = (asked, sections.first(), sections.last()) else {
        return print::out(&safe(&text));
    };
    let before = text.split_inclusive('\n').take(first.line - 1).map(str::len).sum();
    print::out(&format!("{}\n", safe(&text[before..last.body.end]).trim_end()))
}

fn get(asked: &str, as_json: bool) -> Result<()> {
    let (_, text) = document()?;
    let found = Document::parse(&text);
    let section = found.find(asked).map_err(Refusal::from)?;
    if as_json {
        return print::object(describe(section, &text));
    }
    let body = safe(&text[section.body.clone()]);
    let body = body.trim_matches('\n');
    print::out(&if body.is_empty() { String::new() } else { format!("{body}\n") })
}

fn describe(section: &Section, text: &str) -> Value {
    let items: Vec<Value> = section
        .lists
        .iter()
        .flat_map(|l| &l.items)
        .map(|i| json!({"line": i.line, "text": i.text, "done": i.task.as_ref().map(|(_, ticked)| ticked)}))
        .collect();
    let rows: Vec<&Vec<String>> = section.tables.iter().flat_map(|t| &t.rows).map(|r| &r.cells).collect();
    json!({
        "section": section.title, "slug": coord::document::slug(&section.title), "level": section.level, "line": section.line,
        "body": text[section.body.clone()].trim_matches(['\r', '\n']), "items": items, "rows": rows,
    })
}
