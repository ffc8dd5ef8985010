use super::here::{self, Place};
use super::{print, session};
use crate::core::agent::Agent;
use crate::core::escape;
use crate::core::group;
use crate::core::refusal::Refusal;
use crate::roster::projects::{self, Project};
use crate::store::Store;
use crate::tmux::Server;
use crate::view::choose::{Choice, choose};
use crate::view::pager;
use crate::view::write::{Writing, write};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Write a message, or an agent's new name, in a terminal: for the plugin's popups
///
/// It writes to the agent in the pane. If the pane has no agent, it asks which one you mean.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm write\n  swarm write --all")]
pub(super) struct Args {
    /// The pane below the popup
    #[arg(long)]
    pane: Option<String>,
    /// Write to all agents of the project
    #[arg(long)]
    all: bool,
    /// Write a new name
    #[arg(long, conflicts_with = "all")]
    rename: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if !print::is_interactive() {
        return Err(Refusal::Usage("writing needs a terminal; scripts use `swarm send`".into()).into());
    }
    let server = Server::current();
    let own = projects::of_pane(&server, args.pane.as_deref().unwrap_or_default(), &session::here()?);
    let told = if args.all {
        let root = match own {
            Some(root) => root,
            None => match here::pick(&server, "Write to all agents of which project?", None)? {
                Place::Root(root) => root,
                Place::Left => return Ok(()),
                Place::Nowhere | Place::New => return Err(here::nowhere(&session::here()?, &server)),
            },
        };
        write(&root, &shown(&root), Writing::To("@all".to_owned()))?
    } else {
        let Some((root, name)) = whom(args, &server, own.as_deref())? else { return Ok(()) };
        let writing = if args.rename { Writing::NameOf(name) } else { Writing::To(name) };
        write(&root, &shown(&root), writing)?
    };
    match told {
        Some(text) => pager::page(&text),
        None => Ok(()),
    }
}

/// The project's name above the form.
pub(super) fn shown(root: &Path) -> String {
    format!(" {} ({})", projects::name(root), escape::line(&root.display().to_string()))
}

/// The recipient, or the agent to rename, and the project: the agent in the pane, or the person's choice.
fn whom(args: &Args, server: &Server, own: Option<&Path>) -> Result<Option<(PathBuf, String)>> {
    let at =
        |a: &&Agent| Some(a.place.pane.as_str()) == args.pane.as_deref() && a.place.socket == server.socket();
    let mut all: Vec<Project> = match own {
        Some(root) => vec![projects::look(&Store::open_root(root)?)?],
        None => Vec::new(),
    };
    if let [project] = &all[..]
        && let Some(agent) = project.agents.iter().find(at)
    {
        return Ok(Some((project.store.root().to_owned(), agent.name.to_string())));
    }
    if all.iter().all(|project| project.agents.is_empty()) {
        all = projects::on(server)?;
    }
    let row = |name: String, detail: &str, project: &Project| {
        let row = Choice { key: None, name, detail: format!("{detail:<8} {}", project.label) };
        (project.store.root().to_owned(), row)
    };
    let mut rows: Vec<(PathBuf, Choice)> = (all.iter())
        .flat_map(|p| p.agents.iter().map(move |agent| row(agent.name.to_string(), agent.status.word(), p)))
        .collect();
    if rows.is_empty() {
        pager::page("No agent runs in a project of this tmux server.")?;
        return Ok(None);
    }
    for project in all.iter().filter(|_| !args.rename) {
        let groups = project.store.groups().unwrap_or_default();
        let with = |members| escape::short(&group::list(members), 60);
        rows.extend(groups.iter().map(|(name, members)| row(format!("@{name}"), &with(members), project)));
    }
    let title = if args.rename { "Rename which agent?" } else { "Write to which agent or group?" };
    let choices: Vec<Choice> = rows.iter().map(|(_, choice)| choice.clone()).collect();
    let chosen = choose(title, &choices)?.and_then(|at| rows.into_iter().nth(at));
    Ok(chosen.map(|(root, choice)| (root, choice.name)))
}
