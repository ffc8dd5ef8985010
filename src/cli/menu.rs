use crate::core::escape;
use crate::view::choose::{Choice, choose};
use anyhow::{Context as _, Result, anyhow};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// Show the plugin's menu as a list, and run the chosen action: for terminals in which tmux opens no menu
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  swarm menu ~/.tmux/plugins/tmux-swarm/plugin %3 /dev/pts/1")]
pub(super) struct Args {
    /// The directory with the plugin's scripts
    plugin: PathBuf,
    /// The pane below the popup
    pane: String,
    /// The client that shows the popup
    client: String,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let table = args.plugin.join("actions");
    let text = std::fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    let (actions, rows) = entries(&text);
    let Some(action) = choose("swarm", &rows)?.and_then(|at| actions.get(at)) else { return Ok(()) };
    let mut command = Command::new("/bin/sh");
    command.arg(args.plugin.join("popup.sh")).args([action, &args.pane, &args.client]);
    Err(anyhow!("cannot run {action}: {}", command.exec()))
}

/// The actions of the table, and their rows. A line is KEY ACTION LABEL; a line with `--` is a rule.
fn entries(text: &str) -> (Vec<String>, Vec<Choice>) {
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (key, action, label) = (words.next()?, words.next()?, words.next()?);
        let key = match key {
            "#" => return None,
            "Space" => ' ',
            letter => letter.chars().next()?,
        };
        // The list that is open already.
        let row = Choice { key: Some(key), name: escape::short(label, 60), detail: String::new() };
        (action != "help").then(|| (action.to_owned(), row))
    };
    text.lines().filter_map(line).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_menu_is_in_the_list_with_its_key() {
        let text = include_str!("../../plugin/actions");
        let (actions, rows) = entries(text);
        let shown: Vec<(Option<char>, &str)> = rows.iter().map(|row| (row.key, row.name.as_str())).collect();
        assert!(shown.contains(&(Some(' '), "Dashboard")), "{shown:?}");
        assert!(shown.contains(&(Some('-'), "Back")), "{shown:?}");
        let entries = text.lines().filter(|l| !l.starts_with('#') && *l != "--").count();
        assert_eq!((actions.len(), rows.len()), (entries - 1, entries - 1), "all but the list itself");
    }
}
