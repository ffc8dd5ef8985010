use super::{print, session};
use crate::core::escape;
use crate::core::plural::plural;
use crate::core::refusal::Refusal;
use crate::roster::projects::{self, Project};
use crate::store::Store;
use crate::tmux::{Server, hangs};
use crate::view::choose::{Choice, choose};
use crate::view::pager;
use anyhow::{Context as _, Result, anyhow};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Run a command in the project of a pane: what the plugin's keys call
///
/// In a pane of no project it runs in the only project on the tmux server, or in the one that you choose.
/// `SWARM_ROOT`, which tmux may have inherited from its start, does not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm here --pane %3 inbox\n  swarm here --page log -n 200")]
pub(super) struct Args {
    /// The pane below the popup
    #[arg(long)]
    pane: Option<String>,
    /// Show what the command prints as a page
    #[arg(long)]
    page: bool,
    /// The command, without the word `swarm`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The place in which a command runs.
pub(super) enum Place {
    /// In this project.
    Root(PathBuf),
    /// There is no project here, and none to choose from.
    Nowhere,
    /// In a project that will be made of the directory.
    New,
    /// Nowhere: the person left.
    Left,
}

/// Commands that use all projects by themselves, or none.
const WIDE: [&str; 3] = ["jump", "write", "explain"];

pub(super) fn run(args: &Args) -> Result<()> {
    let (server, dir) = (Server::current(), session::here()?);
    let mut words = args.command.clone();
    let named = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let makes = named == "discover" && words.iter().any(|word| word == "--init");
    let own = projects::of_pane(&server, args.pane.as_deref().unwrap_or_default(), &dir);
    let place = match own {
        Some(root) => Place::Root(root),
        None if WIDE.contains(&named.as_str()) => Place::Nowhere,
        // A repository of its own should become a project of its own.
        None if makes && Store::is_work_tree(&dir) => Place::New,
        None => pick(&server, &format!("{named}: of which project?"), makes.then_some(&*dir))?,
    };
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    match place {
        Place::Left => return Ok(()),
        Place::Root(root) => {
            words.retain(|word| !(makes && word == "--init"));
            if Store::root_around(&dir).as_ref() != Some(&root) {
                command.current_dir(root);
            }
        }
        Place::Nowhere | Place::New => {}
    }
    command.args(words).env_remove("SWARM_ROOT");
    if !args.page {
        return Err(anyhow!("cannot start {named}: {}", command.exec()));
    }
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {named}"))?;
    let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&out.stderr));
    if !out.status.success() {
        text.push_str(&format!(
            "({})\n",
            out.status.code().map_or_else(|| "ended".into(), |c| format!("exit code {c}"))
        ));
    }
    pager::page(&escape::text(if text.trim().is_empty() { "nothing" } else { text.trim_end() }))
}

/// The project for a person in a pane of none: the only one on the server, or the one that is chosen under `title`.
/// `new` is a directory that may become a project instead.
pub(super) fn pick(server: &Server, title: &str, new: Option<&Path>) -> Result<Place> {
    let all = projects::on(server).unwrap_or_default();
    match &all[..] {
        [] => return Ok(if new.is_some() { Place::New } else { Place::Nowhere }),
        [only] if new.is_none() => return Ok(Place::Root(only.store.root().to_owned())),
        _ => {}
    }
    if !print::is_interactive() {
        return Err(several(&all));
    }
    let row = |project: &Project| Choice { key: None, name: project.label.clone(), detail: detail(project) };
    let mut rows: Vec<Choice> = all.iter().map(row).collect();
    rows.extend(new.map(|dir| Choice {
        key: None,
        name: "(a new project)".to_owned(),
        detail: escape::line(&dir.display().to_string()),
    }));
    Ok(match choose(title, &rows)? {
        None => Place::Left,
        Some(at) => all.get(at).map_or(Place::New, |project| Place::Root(project.store.root().to_owned())),
    })
}

/// The projects on a server except `own`.
pub(super) fn others<'a>(server: &Server, own: Option<&'a Path>) -> impl Iterator<Item = Project> + use<'a> {
    projects::on(server).unwrap_or_default().into_iter().filter(move |p| Some(p.store.root()) != own)
}

/// The important facts about a project in a list.
fn detail(project: &Project) -> String {
    let mut parts = vec![plural(project.agents.len(), "agent")];
    match project.needs {
        0 => {}
        1 => parts.push("1 needs you".to_owned()),
        more => parts.push(format!("{more} need you")),
    }
    if project.unread > 0 {
        parts.push(format!("{} unread", project.unread));
    }
    format!("{}  {}", parts.join(", "), escape::line(&project.store.root().display().to_string()))
}

fn several(all: &[Project]) -> anyhow::Error {
    let names: Vec<String> =
        all.iter().map(|p| escape::line(&p.store.root().display().to_string())).collect();
    Refusal::Usage(format!(
        "several projects are on this tmux server, and this directory is in none: run the command in one of them ({})",
        names.join(", ")
    ))
    .into()
}

/// Why a command has no project in `dir`, and what to do. Making one is advised only if there is none on the tmux
/// server.
pub(super) fn nowhere(dir: &Path, server: &Server) -> anyhow::Error {
    let known = projects::roots(&server.clone().patient(Duration::from_secs(1)));
    let dir = escape::line(&dir.display().to_string());
    if let Err(error) = &known
        && hangs(error)
    {
        return anyhow!(
            "no swarm here: {dir} is in no project; which ones are on the tmux server is unknown: {error:#}"
        );
    }
    let known = known.unwrap_or_default();
    if known.is_empty() {
        return anyhow!(
            "no swarm here: neither {dir} nor a directory above it has a .swarm/ directory; run `swarm init` in the project"
        );
    }
    let names: Vec<String> = known.iter().map(|root| escape::line(&root.display().to_string())).collect();
    anyhow!(
        "no swarm here: {dir} is in no project. On this tmux server: {}; run the command there",
        names.join(", ")
    )
}
