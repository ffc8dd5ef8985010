use super::session::Session;
use super::{launch, print, resume, session, write};
use crate::core::agent::{Agent, Status};
use crate::core::order;
use crate::core::refusal::Refusal;
use crate::store::now_ms;
use crate::view::choose::{Choice, choose};
use crate::view::pager;
use crate::view::write::{Writing, write as written};
use anyhow::{Context as _, Result, anyhow};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Choose whether to start, resume or end agents: for the plugin's popups
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  swarm crew --pane %3")]
pub(super) struct Args {
    /// The pane below the popup: its agent comes first
    #[arg(long)]
    pane: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    if !print::is_interactive() {
        let text = "choosing needs a terminal; scripts use `swarm start`, `swarm resume` and `swarm end`";
        return Err(Refusal::Usage(text.into()).into());
    }
    let session = launch::by_person("start and end")?;
    let profiles = session::profiles()?;
    let row = |key, name: String, detail: String| Choice { key, name, detail };
    let mut rows = vec![row(Some('s'), "Start agents".to_owned(), String::new())];
    let mut acts: Vec<Vec<String>> = vec![Vec::new()];
    for agent in resume::ended(&session).into_iter().filter(|a| resume::plan(&session, &profiles, a).is_ok())
    {
        let ago = agent.died.map(|died| print::age(died, now_ms())).unwrap_or_default();
        rows.push(row(None, format!("Resume {}", agent.name), format!("it ended {} ago", ago.trim())));
        acts.push(vec!["resume".to_owned(), agent.name.to_string()]);
    }
    for agent in living(&session, args.pane.as_deref()) {
        rows.push(row(None, format!("End {}", agent.name), agent.status.word().to_owned()));
        acts.push(vec!["end".to_owned(), agent.name.to_string()]);
    }
    let Some(at) = choose("Start, resume or end agents", &rows)? else { return Ok(()) };
    let act = &acts[at];
    if act.is_empty() {
        let kinds = launch::kinds();
        if kinds.is_empty() {
            return pager::page("No program of an agent that swarm can start is on PATH.");
        }
        let root = session.store.root();
        return match written(root, &write::shown(root), Writing::Start(kinds))? {
            Some(text) => pager::page(&text),
            None => Ok(()),
        };
    }
    let question = format!("{}?", rows[at].name);
    let answers =
        [row(Some('y'), "yes".to_owned(), String::new()), row(Some('n'), "no".to_owned(), String::new())];
    if act[0] == "end" && choose(&question, &answers)? != Some(0) {
        return Ok(());
    }
    let own = std::env::current_exe().context("cannot find this program")?;
    Err(anyhow!("cannot run {}: {}", act[0], Command::new(own).args(["here", "--page"]).args(act).exec()))
}

/// The living agents, the one in the pane first.
fn living<'a>(session: &'a Session, pane: Option<&str>) -> Vec<&'a Agent> {
    let mut all: Vec<&Agent> = session.agents.iter().filter(|a| a.is_live()).collect();
    order::sort_by_key(&mut all, |a| {
        (Some(a.place.pane.as_str()) != pane, a.status != Status::Idle, a.name.clone())
    });
    all
}
