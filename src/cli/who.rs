use super::print;
use super::session::Session;
use anyhow::Result;

/// List the team: everybody you can write to
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<()> {
    let session = Session::open()?;
    let mut text = String::new();
    for agent in session.agents.iter().filter(|a| a.is_live()) {
        let you = if agent.name == session.caller.name { "  (you)" } else { "" };
        text.push_str(&format!("{:<16} {}{you}\n", agent.name, agent.kind));
    }
    text.push_str(&format!("{:<16} the person at the keyboard\n", "human"));
    print::out(&text)
}
