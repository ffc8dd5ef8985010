use super::{print, session, under};
use crate::agents::recording::{self, Recording};
use crate::agents::{Profile, Profiles, lint};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::plural::plural;
use crate::core::refusal::{Exit, Refusal};
use crate::courier::discovery;
use crate::os::program;
use crate::store::foreign;
use crate::store::profiles::Shelf;
use crate::tmux::Server;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long tmux may take to show which agents run.
const PATIENCE: Duration = Duration::from_secs(1);

/// Make, check and list the rules for kinds of agents
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm profile list\n  swarm profile lint my-agent.toml\n  swarm profile check my-agent.toml screens/"
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the profiles: where each is from, the versions it was tested with, and the versions that run now
    #[command(after_help = "Example:\n  swarm profile list")]
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Look for rules that cannot work; the exit code is 1 if there are some, and 2 if a file cannot be used
    #[command(after_help = "Example:\n  swarm profile lint ~/.config/swarm/profiles/my-agent.toml")]
    Lint {
        /// Profiles
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Read every recorded screen by a profile; the exit code is 1 if one is read as idle that is not
    #[command(
        after_help = "Examples:\n  swarm profile check my-agent.toml screens/\n  swarm profile check --json claude screens/"
    )]
    Check {
        /// The profile: a file, or a kind
        profile: String,
        /// The directory with the recorded screens
        dir: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::List { json } => list(*json),
        Verb::Lint { files } => examine(files),
        Verb::Check { profile, dir, json } => check(&find(profile, &session::profiles()?)?, dir, *json),
    }
}

/// The profile in a file, or the one in use for a kind.
pub(super) fn find(word: &str, known: &Profiles) -> Result<Profile> {
    let path = Path::new(word);
    let shown = escape::short(word, 200);
    match foreign::read(path) {
        Ok(Some(text)) => Profile::parse(&text, &shown).map_err(|why| Refusal::Usage(why.to_string()).into()),
        Ok(None) => match (known.get(word), known.withheld(word)) {
            (Some(profile), _) => Ok(profile.clone()),
            (None, Some(why)) => Err(Refusal::Usage(why.to_owned()).into()),
            (None, None) => {
                let text = format!(
                    "there is no file {shown}, and no profile of that kind; see `swarm profile list`"
                );
                Err(Refusal::Usage(text).into())
            }
        },
        Err(error) => Err(Refusal::Usage(format!("{shown} cannot be read: {:#}", error.root_cause())).into()),
    }
}

/// The versions of the agents that run, by their kinds.
fn running(profiles: &Profiles) -> BTreeMap<String, BTreeSet<String>> {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let Ok(survey) = discovery::survey(&Server::current().patient(PATIENCE), profiles) else { return seen };
    for (sighting, _) in &survey.found {
        let argv = crate::os::process::arguments(sighting.process.pid);
        let version = program::version(sighting.process.pid, &argv).unwrap_or_else(|| "?".to_owned());
        seen.entry(sighting.kind.clone()).or_default().insert(version);
    }
    seen
}

fn list(as_json: bool) -> Result<()> {
    let profiles = session::profiles()?;
    let seen = running(&profiles);
    let words = |all: Option<&BTreeSet<String>>| all.into_iter().flatten().cloned().collect::<Vec<_>>();
    let mut rows = Vec::new();
    for profile in profiles.all() {
        let runs = words(seen.get(&profile.kind));
        rows.push((profile.kind.as_str(), profile.title.as_str(), profile.tested.clone(), runs, None));
    }
    for (kind, why) in profiles.all_withheld() {
        rows.push((kind, "", Vec::new(), words(seen.get(kind)), Some(why)));
    }
    rows.sort_by_key(|row| row.0);
    if as_json {
        let one = |(kind, title, tested, runs, why): &(
            &str,
            &str,
            Vec<String>,
            Vec<String>,
            Option<&str>,
        )| {
            json!({"kind": kind, "title": title, "file": profiles.file(kind), "tested": tested, "seen": runs, "unusable": why})
        };
        return print::object(json!({"profiles": rows.iter().map(one).collect::<Vec<_>>()}));
    }
    let mut text = format!("{:<12} {:<18} {:<16} FROM\n", "KIND", "TESTED WITH", "RUNS NOW");
    for (kind, _, tested, runs, why) in &rows {
        let new = |version: &&String| version.as_str() != "?" && !tested.contains(version);
        let from = profiles.file(kind).unwrap_or("built in");
        let cell =
            |all: &[String]| if all.is_empty() { "-".to_owned() } else { escape::line(&all.join(", ")) };
        text.push_str(&format!(
            "{kind:<12} {:<18} {:<16} {}\n",
            cell(tested),
            cell(runs),
            escape::line(from)
        ));
        if let Some(why) = why {
            text.push_str(&format!("             {}\n", escape::line(why)));
        } else if let Some(version) = runs.iter().find(new) {
            text.push_str(&format!(
                "             nobody has tested these rules with {}: check them with `swarm profile record` and `swarm profile check`\n",
                escape::line(version)
            ));
        }
    }
    print::out(&text)
}

fn examine(files: &[PathBuf]) -> Result<()> {
    let mut text = String::new();
    let (mut bad, mut found) = (false, false);
    let mut kinds: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in files {
        let shown = escape::line(&path.display().to_string());
        let read = foreign::read(path).map_err(|error| format!("{:#}", error.root_cause()));
        let profile = read.and_then(|text| text.ok_or_else(|| "there is no such file".to_owned()));
        let said = match profile.map_err(|why| vec![why]).and_then(|text| Profile::read(&text)) {
            Ok(profile) => {
                let mut said = lint(&profile);
                let own = path.canonicalize().ok();
                let installed =
                    others(&profile.kind).into_iter().find(|other| other.canonicalize().ok() != own);
                let other = kinds.insert(profile.kind.clone(), path.clone()).or(installed);
                said.extend(other.map(|other| {
                    format!(
                        "kind: {} is of the same kind, {}, and only one of them is used",
                        other.display(),
                        profile.kind
                    )
                }));
                found |= !said.is_empty();
                if said.is_empty() {
                    text.push_str(&format!("{shown}: nothing suspicious\n"));
                }
                said
            }
            Err(said) => {
                bad = true;
                said
            }
        };
        text.extend(said.iter().map(|what| format!("{shown}: {}\n", escape::line(what))));
    }
    print::out(&text)?;
    match (bad, found) {
        (true, _) => Err(under::Ended(Exit::Usage.code()).into()),
        (false, true) => Err(under::Ended(Exit::Failure.code()).into()),
        (false, false) => Ok(()),
    }
}

/// The user's files of a kind.
fn others(kind: &str) -> Vec<PathBuf> {
    let of_kind = |(file, text): (String, Result<String, String>)| {
        let profile = Profile::read(&text.ok()?).ok()?;
        (profile.kind == kind).then(|| file.into())
    };
    Shelf::of_user().read().into_iter().filter_map(of_kind).collect()
}

/// The recordings in a directory, by their names.
fn recordings(dir: &Path) -> Result<Vec<Recording>> {
    let shown = escape::short(&dir.display().to_string(), 200);
    let usage = |what: String| Refusal::Usage(format!("{shown}: {what}"));
    let entries = std::fs::read_dir(dir).map_err(|why| usage(format!("it cannot be read: {why}")))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "ansi"));
    files.sort();
    if files.is_empty() {
        return Err(usage("there are no recorded screens; `swarm profile record` makes them".into()).into());
    }
    let one = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = |path: &Path| {
            let found = foreign::read(path).map_err(|why| usage(format!("{:#}", why.root_cause())))?;
            found.ok_or_else(|| usage(format!("{name}.json is missing")))
        };
        let (ansi, facts) = (text(file)?, text(&file.with_extension("json"))?);
        Ok(Recording::parse(&name, &ansi, &facts).map_err(usage)?)
    };
    files.iter().map(one).collect()
}

fn check(profile: &Profile, dir: &Path, as_json: bool) -> Result<()> {
    let all = recordings(dir)?;
    let mut text = String::new();
    let mut screens = Vec::new();
    let (mut wrong, mut missed, mut matrix) = (0, 0, BTreeMap::new());
    for recording in &all {
        let reading = recording.read(profile);
        let is_wrong = recording.is_false_idle(&reading);
        wrong += usize::from(is_wrong);
        missed += usize::from(recording.state == Status::Idle && reading.state != Status::Idle);
        let (was, is) = (recording.state.word(), reading.state.word());
        *matrix.entry(was).or_insert_with(BTreeMap::new).entry(is).or_insert(0) += 1;
        let because = reading.evidence.last().cloned().unwrap_or_default();
        if as_json {
            let open = reading.open.map(|open| open.to_string());
            screens.push(json!({"name": recording.name, "was": was, "read": is, "open": open, "because": because, "false_idle": is_wrong}));
            continue;
        }
        let mark = if is_wrong {
            "FALSE IDLE"
        } else if was == is {
            ""
        } else {
            "differs"
        };
        text.push_str(&format!(
            "{:<10} {:<24} {is:<8} {}\n",
            mark,
            escape::line(&recording.name),
            escape::line(&because)
        ));
    }
    if as_json {
        let matrix: Value = json!(matrix);
        print::object(
            json!({"screens": screens, "matrix": matrix, "false_idle": wrong, "missed_idle": missed}),
        )?;
    } else {
        text.push_str(&table(&matrix));
        text.push_str(&format!("{}, {wrong} false idle, {missed} missed\n", plural(all.len(), "screen")));
        if wrong > 0 {
            text.push_str("swarm would type where it must not: add a rule that tells these screens from an empty composer\n");
        }
        if missed > 0 {
            text.push_str("mail would wait in the missed ones\n");
        }
        print::out(&text)?;
    }
    if wrong == 0 { Ok(()) } else { Err(under::Ended(Exit::Failure.code()).into()) }
}

/// What was recorded as what (a row each), and what it was read as.
fn table(matrix: &BTreeMap<&str, BTreeMap<&str, u32>>) -> String {
    let mut text = format!("\n{:<10}", "read as:");
    for state in recording::STATES {
        text.push_str(&format!(" {:>7}", state.word()));
    }
    for (was, row) in matrix {
        text.push_str(&format!("\n{was:<10}"));
        for state in recording::STATES {
            let count = row.get(state.word()).map_or_else(|| "·".to_owned(), ToString::to_string);
            text.push_str(&format!(" {count:>7}"));
        }
    }
    text + "\n"
}
