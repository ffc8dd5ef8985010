use super::print;
use super::session::{self, Session};
use crate::core::config::{Config, Key, Problem, ResolvedSetting, Source, Value as Setting, edit as text};
use crate::core::escape;
use crate::core::message::Identity;
use crate::core::refusal::Refusal;
use crate::store::Store;
use crate::store::config::{Files, change, layer};
use crate::view::dashboard;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

mod edit;

/// Show and change the settings: .swarm.toml in the project, your own file, and the environment
///
/// A change takes effect at once, without a restart. A variable has priority over the project's file, and the
/// project's file over yours. But a project's file comes with a clone, so it may only be more careful than yours
/// (`swarm config keys` shows the rule for each setting).
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm config show\n  swarm config set lease.ttl 30m\n  swarm config set --user human.popup urgent\n  swarm config validate"
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigVerb {
    /// Print every setting, its value and its source
    #[command(after_help = "Example:\n  swarm config show --json")]
    Show(Json),
    /// Print the value in effect
    #[command(after_help = "Example:\n  swarm config get lease.ttl")]
    Get {
        /// The setting
        #[arg(value_parser = Key::find)]
        key: Key,
    },
    /// Set a value in the project's file, or in yours with --user; comments and order stay
    #[command(
        after_help = "Examples:\n  swarm config set rate.count 5\n  swarm config set --user ack.waits 1m,5m"
    )]
    Set {
        /// The setting
        #[arg(value_parser = Key::find)]
        key: Key,
        /// Its value, as `swarm config keys` describes it
        value: String,
        #[command(flatten)]
        which: FileChoice,
    },
    /// Remove a setting from a file
    #[command(after_help = "Example:\n  swarm config unset rate.count")]
    Unset {
        /// The setting to remove; a misspelled name is accepted if the file has it
        key: String,
        #[command(flatten)]
        which: FileChoice,
    },
    /// Edit a file with $VISUAL or $EDITOR; the new text is checked before it replaces the old
    #[command(after_help = "Example:\n  swarm config edit --user")]
    Edit(FileChoice),
    /// Check the settings; the exit code is 2 if there is an error
    #[command(after_help = "Examples:\n  swarm config validate\n  swarm config validate other/.swarm.toml")]
    Validate {
        /// A project's file to check, instead of the settings in effect here
        file: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Print the paths of the files, also if they do not exist
    #[command(after_help = "Example:\n  swarm config path --user")]
    Path(FileChoice),
    /// List all settings: values, default, variable, what a project's file may do, effect
    #[command(after_help = "Example:\n  swarm config keys")]
    Keys(Json),
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Json {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct FileChoice {
    /// Use your own file, for all projects
    #[arg(long)]
    user: bool,
    /// Use the project's file (the default)
    #[arg(long, conflicts_with = "user")]
    project: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let root = Store::root_for_caller(&session::here()?);
    let files = Files::of(root.as_deref());
    match &args.verb {
        ConfigVerb::Show(how) => show(&checked(files.load()), how.json),
        ConfigVerb::Get { key } => {
            let config = files.load();
            warn(&config.problems);
            print::out(&format!("{}\n", key.spec().kind.text(config.value(*key))))
        }
        ConfigVerb::Set { key, value, which } => {
            only_for_the_human(root.as_deref())?;
            let (source, path) = chosen(&files, *which)?;
            set(&files, source, &path, *key, value)
        }
        ConfigVerb::Unset { key, which } => {
            only_for_the_human(root.as_deref())?;
            let (source, path) = chosen(&files, *which)?;
            unset(source, &path, key)
        }
        ConfigVerb::Edit(which) => {
            only_for_the_human(root.as_deref())?;
            let (source, path) = chosen(&files, *which)?;
            edit::run(source, &path)
        }
        ConfigVerb::Validate { file: Some(file), json } => {
            if !file.exists() {
                return Err(Refusal::Usage(format!("there is no file {}", file.display())).into());
            }
            validate(&checked(Config::resolve(vec![layer(Source::Project, file)])), json.json)
        }
        ConfigVerb::Validate { file: None, json } => validate(&checked(files.load()), json.json),
        ConfigVerb::Path(which) if which.user || which.project => print::path(&chosen(&files, *which)?.1),
        ConfigVerb::Path(_) => {
            [&files.user, &files.project].into_iter().flatten().try_for_each(|path| print::path(path))
        }
        ConfigVerb::Keys(how) => keys(how.json),
    }
}

/// Settings with the errors that only their users can find: only the dashboard knows its actions and keys.
pub(super) fn checked(mut config: Config) -> Config {
    let keys = config.entries().iter().find(|entry| entry.key == Key::DashboardKeys);
    let wrong = keys.and_then(|entry| {
        let what = wrong(entry.key, &entry.value)?;
        Some(Problem { source: entry.source, place: entry.place.clone(), what })
    });
    config.problems.extend(wrong);
    config
}

fn wrong(key: Key, value: &Setting) -> Option<String> {
    match (key, value) {
        (Key::DashboardKeys, Setting::Line(own)) => dashboard::wrong_keys(own),
        _ => None,
    }
}

/// The chosen file.
fn chosen(files: &Files, which: FileChoice) -> Result<(Source, PathBuf)> {
    let (source, path, why) = if which.user {
        (Source::User, &files.user, "neither XDG_CONFIG_HOME nor HOME is set to an absolute path")
    } else {
        (
            Source::Project,
            &files.project,
            "this directory belongs to no swarm project; --user is your own file",
        )
    };
    path.clone().map(|path| (source, path)).ok_or_else(|| Refusal::Usage(why.into()).into())
}

/// Refuses agents: they must not change their own limits. They could still edit the file; this only keeps them honest.
fn only_for_the_human(root: Option<&Path>) -> Result<()> {
    if root.is_some() && Session::open()?.caller.identity != Identity::Human {
        return Err(Refusal::only_human("change the settings").into());
    }
    Ok(())
}

fn set(files: &Files, source: Source, path: &Path, key: Key, value: &str) -> Result<()> {
    let spec = key.spec();
    let value =
        spec.kind.parse(value).map_err(|wanted| Refusal::Usage(format!("{} must be {wanted}", spec.name)))?;
    if let Some(why) = wrong(key, &value) {
        return Err(Refusal::Usage(why).into());
    }
    if source == Source::Project && spec.rule == crate::core::config::Rule::Never {
        let text = format!("{} is a setting of your own file; add --user", spec.name);
        return Err(Refusal::Usage(text).into());
    }
    let shown = path.display();
    change(source, path, |before| {
        let after = text::set(before, key, &value);
        Ok(Some(after.map_err(|why| {
            Refusal::Usage(format!("{shown} was not changed: {why}; repair it with `swarm config edit`"))
        })?))
    })?;
    print::out(&format!(
        "{} = {}, in {}\n",
        spec.name,
        spec.kind.text(&value),
        escape::line(&shown.to_string())
    ))?;
    let config = files.load();
    if let Some(serves) = config.entries().iter().find(|e| e.key == key && e.value != value) {
        let at = if serves.place.is_empty() { "the default".to_owned() } else { escape::line(&serves.place) };
        let why = config.ignored.iter().find(|p| p.what.starts_with(spec.name));
        let why = why.map(|p| format!(": {}", p.what)).unwrap_or_default();
        print::tell(&format!("the value in effect is {} ({at}){why}", spec.kind.text(&serves.value)));
    }
    Ok(())
}

fn unset(source: Source, path: &Path, name: &str) -> Result<()> {
    let shown = escape::line(&path.display().to_string());
    let changed = change(source, path, |before| {
        text::unset(before, name).map_err(|why| {
            Refusal::Usage(format!("{shown} was not changed: {why}; repair it with `swarm config edit`"))
                .into()
        })
    })?;
    if changed {
        return print::out(&format!("{} is no longer set in {shown}\n", escape::short(name, 60)));
    }
    if let Err(unknown) = Key::find(name) {
        return Err(Refusal::Usage(unknown).into());
    }
    print::out(&format!("{} was not set in {shown}\n", escape::short(name, 60)))
}

fn show(config: &Config, as_json: bool) -> Result<()> {
    if as_json {
        let one = |e: &ResolvedSetting| {
            json!({
                "key": e.key.spec().name, "value": e.key.spec().kind.json(&e.value),
                "source": e.source.word(), "place": e.place,
            })
        };
        return print::object(json!({
            "settings": config.entries().iter().map(one).collect::<Vec<_>>(),
            "problems": told(&config.problems),
            "ignored": told(&config.ignored),
        }));
    }
    let mut text = String::new();
    for ResolvedSetting { key, value, source, place } in config.entries() {
        let from = if place.is_empty() { source.word().to_owned() } else { escape::line(place) };
        let value = key.spec().kind.text(value);
        text.push_str(&format!("{:<22} {value:<14} {from}\n", key.spec().name));
    }
    print::out(&text)?;
    warn(&config.problems);
    warn(&config.ignored);
    Ok(())
}

fn validate(config: &Config, as_json: bool) -> Result<()> {
    if as_json {
        print::object(json!({"problems": told(&config.problems), "ignored": told(&config.ignored)}))?;
    } else {
        warn(&config.ignored);
    }
    if config.problems.is_empty() {
        return if as_json { Ok(()) } else { print::out("the settings are valid\n") };
    }
    let all: Vec<String> = config.problems.iter().map(ToString::to_string).collect();
    warn(&config.problems[..config.problems.len() - 1]);
    Err(print::told(Refusal::Usage(all.last().cloned().unwrap_or_default())))
}

fn warn(problems: &[Problem]) {
    for problem in problems {
        print::tell(&problem.to_string());
    }
}

fn told(problems: &[Problem]) -> Vec<Value> {
    problems.iter().map(|p| json!({"source": p.source.word(), "place": p.place, "what": p.what})).collect()
}

fn keys(as_json: bool) -> Result<()> {
    if as_json {
        let one = |key: Key| {
            let spec = key.spec();
            json!({
                "key": spec.name, "values": spec.kind.describe(), "default": spec.kind.json(&spec.default),
                "variable": spec.variable, "project": spec.rule.word(), "effect": spec.effect,
            })
        };
        return print::object(json!({"keys": Key::ALL.map(one)}));
    }
    let one = |key: Key| {
        let spec = key.spec();
        let default = spec.kind.text(&spec.default);
        format!(
            "{} = {default}\n    {}\n    {}; {}; project's file: {}\n",
            spec.name,
            spec.effect,
            spec.kind.describe(),
            spec.variable,
            spec.rule.word()
        )
    };
    print::out(&Key::ALL.map(one).concat())
}
