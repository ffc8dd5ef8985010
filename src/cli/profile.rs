mod allow;
mod selftest;
mod update;

use super::{explain, print, session, under};
use crate::agents::is_shell;
use crate::agents::recording::{self, Recording};
use crate::agents::{self, Profile, Profiles, lint};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::name::Name;
use crate::core::order;
use crate::core::plural::plural;
use crate::core::refusal::{Exit, Refusal};
use crate::os::process::Process;
use crate::os::program;
use crate::roster::{discovery, rules};
use crate::store::profiles::{self, Allowance, OF_PROJECT, Shelf, Text};
use crate::store::{foreign, tested};
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long tmux may take to show the running agents.
const PATIENCE: Duration = Duration::from_secs(1);

/// Make, check and list the rules for kinds of agents
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm profile list\n  swarm profile record %5 screens/\n  swarm profile new my-agent screens/ > my-agent.toml\n  swarm profile lint my-agent.toml\n  swarm profile check my-agent.toml screens/"
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: ProfileVerb,
}

#[derive(Debug, clap::Subcommand)]
enum ProfileVerb {
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
    /// Save an agent's screen with the facts of its pane, under the state that you see; it asks for one state after
    /// another
    #[command(
        after_help = "Examples:\n  swarm profile record %5 screens/\n  swarm profile record %5 screens/ --state idle-80x24"
    )]
    Record {
        /// A pane such as %5, or an agent's name
        pane: String,
        /// The directory for the recorded screens; an existing file is never replaced
        dir: PathBuf,
        /// Save one screen under this name without questions; its first word is the state (idle, busy, dialog, draft,
        /// limit, menu, mode, overlay or unknown)
        #[arg(long, value_name = "NAME")]
        state: Option<String>,
    },
    /// Draft a profile from recorded screens. The profile goes to standard output, remarks about it to standard error
    #[command(after_help = "Example:\n  swarm profile new my-agent screens/ > my-agent.toml")]
    New {
        /// The kind: its agents are called KIND-1, KIND-2, …
        kind: String,
        /// The directory with the recorded screens
        dir: PathBuf,
    },
    /// Read every recorded screen by a profile; the exit code is 1 if the agent was not idle on a screen that is read
    /// as idle
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
    /// Show the rules that this project brings (.swarm-profiles/*.toml), and use them if you agree
    ///
    /// A change of one of these files ends the permission. Only the human may give it.
    #[command(after_help = "Examples:\n  swarm profile allow\n  swarm profile allow --revoke")]
    Allow {
        /// Stop using them
        #[arg(long, conflicts_with = "yes")]
        revoke: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Install a newer set of the shipped rules, if a maintainer has signed it
    ///
    /// The set and its signature are files that you already have, for example in the plugin's checkout; nothing is
    /// downloaded. ssh-keygen (OpenSSH 8.1 or later) checks it. It is installed as a whole, and only if it is newer
    /// than the rules in use.
    #[command(after_help = "Example:\n  swarm profile update ~/.tmux/plugins/tmux-swarm/plugin")]
    Update {
        /// The set, with its signature beside (FILE.sig), or a directory with profiles.json
        path: PathBuf,
        /// Print only errors
        #[arg(long, short)]
        quiet: bool,
    },
    /// Test whether an agent's empty composer, a draft and a cleared draft are read correctly
    ///
    /// It types eleven letters into the composer, if that is read as empty, and deletes them again. Nothing is
    /// submitted. Only the human may do this.
    #[command(after_help = "Example:\n  swarm profile selftest %5")]
    Selftest {
        /// A pane such as %5, or an agent's name
        pane: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(super) fn run(args: &Args) -> Result<()> {
    match &args.verb {
        ProfileVerb::List { json } => list(*json),
        ProfileVerb::Lint { files } => examine(files),
        ProfileVerb::Record { pane, dir, state } => record(pane, dir, state.as_deref()),
        ProfileVerb::New { kind, dir } => new(kind, dir),
        ProfileVerb::Check { profile, dir, json } => {
            check(&find(profile, &session::profiles()?)?, dir, *json)
        }
        ProfileVerb::Allow { revoke, yes } => allow::run(*revoke, *yes),
        ProfileVerb::Update { path, quiet } => update::run(path, *quiet),
        ProfileVerb::Selftest { pane, yes } => selftest::run(pane, *yes),
    }
}

/// The profile in a file, or the one in use for a kind.
pub(super) fn find(word: &str, known: &Profiles) -> Result<Profile> {
    let path = Path::new(word);
    let shown = escape::short(word, 200);
    match profiles::read(path) {
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
        Err(why) => Err(Refusal::Usage(format!("{shown} cannot be read: {why}")).into()),
    }
}

/// A row of the list.
struct Line<'p> {
    kind: &'p str,
    title: &'p str,
    tested: &'p [String],
    /// The running versions.
    seen: Vec<String>,
    /// Why it is not used.
    unusable: Option<&'p str>,
}

/// The kinds and versions of the running agents.
fn running(profiles: &Profiles) -> Vec<(String, String)> {
    let Ok(survey) = discovery::survey(&Server::current().patient(PATIENCE), profiles) else {
        return Vec::new();
    };
    let mut seen = Vec::new();
    for (sighting, _) in &survey.found {
        let argv = crate::os::process::arguments(sighting.process.pid);
        let version = program::version(sighting.process.pid, &argv).unwrap_or_else(|| "?".to_owned());
        let one = (sighting.kind.clone(), version);
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    seen
}

#[inline(never)]
fn list(as_json: bool) -> Result<()> {
    let profiles = session::profiles()?;
    let running = running(&profiles);
    let seen = |kind: &str| -> Vec<String> {
        running.iter().filter(|(of, _)| of == kind).map(|(_, version)| version.clone()).collect()
    };
    let (mut lines, mut unread) = (Vec::new(), Vec::new());
    for Profile { kind, title, tested, .. } in profiles.all() {
        lines.push(Line { kind, title, tested, seen: seen(kind), unusable: None });
    }
    for (kind, why) in profiles.all_withheld() {
        let seen = seen(kind);
        if seen.is_empty() && profiles.file(kind).is_none() {
            unread.push(kind);
        } else {
            lines.push(Line { kind, title: kind, tested: &[], seen, unusable: Some(why) });
        }
    }
    if as_json {
        let one = |l: &Line<'_>| {
            json!({
                "kind": l.kind, "title": l.title, "file": profiles.file(l.kind), "tested": l.tested, "seen": l.seen,
                "unusable": l.unusable,
            })
        };
        let all: Vec<Value> = lines.iter().map(one).collect();
        return print::object(json!({"profiles": all, "without_rules": unread}));
    }
    let mut text = format!("{:<12} {:<18} {:<16} FROM\n", "KIND", "TESTED WITH", "RUNS NOW");
    let cell = |all: &[String]| if all.is_empty() { "-".to_owned() } else { escape::line(&all.join(", ")) };
    for line in &lines {
        let from = escape::line(profiles.file(line.kind).unwrap_or("built in"));
        text.push_str(&format!(
            "{:<12} {:<18} {:<16} {from}\n",
            line.kind,
            cell(line.tested),
            cell(&line.seen)
        ));
        let passed = tested::of(line.kind);
        let new = line
            .seen
            .iter()
            .find(|version| *version != "?" && !line.tested.contains(version) && !passed.contains(version));
        if let Some(why) = line.unusable {
            text.push_str(&format!("             {}\n", escape::line(why)));
        } else if let Some(version) = new {
            text.push_str(&format!(
                "             nobody has tested these rules with {}: `swarm profile selftest` tries them, `swarm profile record` and `check` do more\n",
                escape::line(version)
            ));
        }
    }
    text.push_str(&format!("found and named, and never typed into: {}\n", unread.join(", ")));
    if matches!(rules::shelf().read().project, Allowance::Unknown | Allowance::Changed) {
        text.push_str(&format!(
            "this project brings rules ({OF_PROJECT}/) that are not used: `swarm profile allow` shows them\n"
        ));
    }
    print::out(&text)
}

#[inline(never)]
fn examine(files: &[PathBuf]) -> Result<()> {
    let built_in = Profiles::builtin()?;
    let mut text = String::new();
    let (mut bad, mut found) = (false, false);
    let mut kinds: Vec<(String, &PathBuf)> = Vec::new();
    for path in files {
        let shown = escape::line(&path.display().to_string());
        let read = profiles::read(path).map_err(|why| format!("it cannot be read: {why}"));
        let profile = read.and_then(|text| text.ok_or_else(|| "there is no such file".to_owned()));
        let said = match profile.map_err(|why| vec![why]).and_then(|text| Profile::read(&text)) {
            Ok(profile) => {
                let mut said = lint(&profile);
                let before = kinds.iter().find(|(kind, _)| *kind == profile.kind).map(|(_, file)| *file);
                let other = before.cloned().or_else(|| beside(&profile.kind, path));
                kinds.push((profile.kind.clone(), path));
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
                if let Some(replaced) = built_in.get(&profile.kind) {
                    text.push_str(&format!(
                        "{shown}: in use, it replaces the built-in profile of {}\n",
                        replaced.title
                    ));
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

/// The user's file that would be used for a kind beside `file`, under another name. One of the same name is replaced
/// when `file` is copied there.
fn beside(kind: &str, file: &Path) -> Option<PathBuf> {
    let shelf = Shelf::of(None);
    let of_kind = |one: Text| {
        let profile = Profile::read(&one.text.ok()?).ok()?;
        (profile.kind == kind).then(|| PathBuf::from(one.file))
    };
    let own = file.canonicalize().ok();
    let is_other =
        |other: &PathBuf| other.file_name() != file.file_name() && other.canonicalize().ok() != own;
    shelf.own().into_iter().filter_map(of_kind).find(is_other)
}

/// The states that it asks for, with the instructions for each.
const STATES: [(&str, &str); 12] = [
    ("idle", "Wait until it is ready and its composer is empty."),
    ("draft", "Type a few words into its composer, and do not submit them."),
    ("draft-multiline", "Make it a text of three lines, and do not submit it."),
    ("busy", "Submit something that takes half a minute, and save at once."),
    ("busy-after-10s", "Save once more when it has worked for ten seconds."),
    ("idle-after-turn", "Wait until it has answered and its composer is empty."),
    ("busy-tool", "Ask for a command that takes long, and save while it runs."),
    (
        "idle-interrupted",
        "Interrupt that, and wait until its composer is empty. If Enter alone continues the turn now, save it as mode-interrupted.",
    ),
    (
        "busy-own-command",
        "If it runs commands of yours (!), start one that takes long, and save while it runs.",
    ),
    ("dialog", "Ask for something that needs your permission, and do not answer its question yet."),
    ("menu-slash", "Answer, wait until its composer is empty, and type / there."),
    (
        "mode-shell",
        "Leave the menu, and bring the composer into another mode (shell, vim, multi-line), with nothing in it.",
    ),
];

fn record(word: &str, dir: &Path, state: Option<&str>) -> Result<()> {
    let (server, pane, _) = explain::target(word)?;
    let profiles = session::profiles()?;
    let save = |name: &str| print::out(&save(&server, &pane, dir, name, &profiles)?);
    if let Some(name) = state {
        return save(name);
    }
    if !std::io::stdin().is_terminal() {
        let text = "nobody is here to be asked: say what it shows with --state NAME";
        return Err(Refusal::Usage(text.into()).into());
    }
    print::tell("whatever stands on its screen is saved: show nothing that others must not see");
    let mut missing: Vec<&str> = STATES.map(|(name, _)| name).to_vec();
    'states: for (name, what) in STATES {
        print::tell(&format!("\n{what}"));
        loop {
            print::ask(&format!(
                "Enter saves it as {name}; another name saves what it shows as that and asks again; - skips it, q ends: "
            ))?;
            let Some(answer) = print::answer()?.filter(|answer| answer != "q") else { break 'states };
            if answer == "-" {
                break;
            }
            let chosen = if answer.is_empty() { name } else { &answer };
            match save(chosen) {
                Ok(()) if chosen == name => {
                    missing.retain(|other| *other != name);
                    break;
                }
                Ok(()) => {}
                // The others can still be saved.
                Err(why) => print::tell(&format!("{why:#}")),
            }
        }
    }
    if !missing.is_empty() {
        print::tell(&format!("not saved: {} (--state NAME saves one)", missing.join(", ")));
    }
    let dir = dir.display();
    print::out(&format!(
        "next: swarm profile new KIND {dir} > KIND.toml; swarm profile check KIND.toml {dir}\n"
    ))
}

/// Saves the present screen of a pane, and reports how the rules in use read it.
#[inline(never)]
fn save(server: &Server, pane: &str, dir: &Path, name: &str, profiles: &Profiles) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let named = recording::state_of(name).filter(|_| name.len() <= 60 && name.chars().all(plain));
    let state = named.ok_or_else(|| Refusal::Usage(recording::unnamed(name)))?;
    let survey = discovery::survey(server, profiles)?;
    let look = server.look(pane)?.filter(|look| !look.dead);
    let Some(look) = look else {
        return Err(Refusal::Usage(format!("there is no living pane {pane} on {}", server.socket())).into());
    };
    let found = survey.found.iter().find(|(s, _)| s.place.pane == pane).map(|(s, _)| s);
    let process = match found {
        Some(agent) => survey.forest.tree(agent.process.pid).next(),
        None => survey.forest.tree(look.pane_pid).find(|p| !is_shell(&p.comm)),
    };
    let argv = process.as_ref().map(Process::argv).unwrap_or_default();
    let names = process.as_ref().map(|p| program::names(&p.comm, &argv)).unwrap_or_default();
    let version = process.and_then(|p| program::version(p.pid, &argv)).unwrap_or_default();
    let facts = recording::facts(&look.facts, state, &names, &version);
    let path = dir.join(name);
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let [ansi, json] = ["ansi", "json"].map(|end| path.with_file_name(format!("{name}.{end}")));
    create(&ansi, &look.text)?;
    // One file without the other would make the whole directory invalid.
    create(&json, &format!("{facts:#}\n")).inspect_err(|_| drop(std::fs::remove_file(&ansi)))?;
    let reading =
        found.and_then(|agent| profiles.get(&agent.kind)).map(|p| agents::read(p, &look.screen, &look.facts));
    let read =
        reading.map(|r| format!(" (the rules in use read it as {})", r.state.word())).unwrap_or_default();
    Ok(format!("saved {} as {}{read}\n", escape::line(&path.display().to_string()), state.word()))
}

fn create(path: &Path, text: &str) -> Result<()> {
    let mut file = match File::create_new(path) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            let text = format!("{} is there already; choose another name, such as idle-2", path.display());
            return Err(Refusal::Usage(text).into());
        }
        Err(why) => return Err(why).with_context(|| format!("cannot write {}", path.display())),
    };
    let written = file.write_all(text.as_bytes()).inspect_err(|_| drop(std::fs::remove_file(path)));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn new(kind: &str, dir: &Path) -> Result<()> {
    for name in [kind, &format!("{kind}-1")] {
        Name::for_agent(name).map_err(|bad| Refusal::Usage(bad.to_string()))?;
    }
    if is_shell(kind) {
        return Err(Refusal::Usage(format!("{kind} is a shell, and no shell is an agent")).into());
    }
    let all = recordings(dir)?;
    let draft = agents::draft(kind, &all).map_err(Refusal::Usage)?;
    print::out(&draft.text)?;
    draft.notes.iter().for_each(|note| print::tell(note));
    Ok(())
}

/// The recordings in a directory, in the order of their names.
fn recordings(dir: &Path) -> Result<Vec<Recording>> {
    let shown = escape::short(&dir.display().to_string(), 200);
    let usage = |what: String| Refusal::Usage(format!("{shown}: {what}"));
    let entries = std::fs::read_dir(dir).map_err(|why| usage(format!("it cannot be read: {why}")))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "ansi"));
    order::sort(&mut files);
    if files.is_empty() {
        return Err(usage("there are no recorded screens; `swarm profile record` makes them".into()).into());
    }
    let one = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = |path: &Path| {
            let file = || escape::short(&path.file_name().unwrap_or_default().to_string_lossy(), 80);
            let found =
                foreign::text(path).map_err(|why| usage(format!("{} cannot be read: {why}", file())))?;
            found.ok_or_else(|| usage(format!("{} is missing", file())))
        };
        let (ansi, facts) = (text(file)?, text(&file.with_extension("json"))?);
        Ok(Recording::parse(&name, &ansi, &facts).map_err(usage)?)
    };
    files.iter().map(one).collect()
}

#[inline(never)]
fn check(profile: &Profile, dir: &Path, as_json: bool) -> Result<()> {
    let all = recordings(dir)?;
    let mut text = String::new();
    let mut screens = Vec::new();
    let (mut wrong, mut missed, mut matrix) = (0, 0, Matrix::default());
    let place = |state: Status| recording::STATES.iter().position(|s| *s == state).unwrap_or_default();
    for recording in &all {
        let reading = recording.read(profile);
        let is_wrong = recording.is_false_idle(&reading);
        wrong += usize::from(is_wrong);
        missed += usize::from(recording.state == Status::Idle && reading.state != Status::Idle);
        let (was, is) = (recording.state.word(), reading.state.word());
        matrix[place(recording.state)][place(reading.state)] += 1;
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
        let words = || recording::STATES.iter().map(|s| s.word().to_owned());
        let row = |row: [u32; recording::STATES.len()]| -> Value {
            Value::Object(order::collect(words().zip(row.map(Value::from)).filter(|(_, count)| *count != 0)))
        };
        let rows = words().zip(matrix.map(row)).filter(|(_, row)| *row != json!({}));
        let matrix = Value::Object(order::collect(rows));
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

/// The number of recordings by recorded state (a row each) and by read state.
type Matrix = [[u32; recording::STATES.len()]; recording::STATES.len()];

fn table(matrix: &Matrix) -> String {
    let mut text = format!("\n{:<10}", "read as:");
    for state in recording::STATES {
        text.push_str(&format!(" {:>7}", state.word()));
    }
    for (was, row) in
        recording::STATES.iter().zip(matrix).filter(|(_, row)| row.iter().any(|count| *count > 0))
    {
        text.push_str(&format!("\n{:<10}", was.word()));
        for count in row {
            let count = if *count == 0 { "·".to_owned() } else { count.to_string() };
            text.push_str(&format!(" {count:>7}"));
        }
    }
    text + "\n"
}
