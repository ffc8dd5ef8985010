//! Checks a tmux server for what breaks swarm: its version, the plugin and its hooks, options of panes. One call.

use super::{PATIENCE, Server, client};
use crate::core::agent::is_pane_id;
use crate::core::refusal::Refusal;
use anyhow::Result;
use std::process::Command;
use tmux_interface::{DisplayMessage, ListPanes, ShowHooks};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The server's version.
    pub version: String,
    /// The directory of the loaded plugin; empty if none is loaded.
    pub plugin: String,
    /// The program that the plugin found; empty if none.
    pub program: String,
    /// The events for which the plugin's hooks are set.
    pub hooks: Vec<String>,
    pub panes: Vec<PaneHealth>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaneHealth {
    /// Its id, such as `%5`.
    pub id: String,
    /// Keys typed in any pane of the window also go to this one.
    pub synchronized: bool,
    /// Its input is switched off.
    pub input_off: bool,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Applications may not set its title (`allow-set-title`, of newer versions only).
    pub title_fixed: bool,
    /// Applications may not use the alternate screen.
    pub no_alternate: bool,
}

const SERVER: &str = "#{version}\t#{@swarm-slot}\t#{@swarm-plugin}\t#{@swarm-cli}";
const PANE: &str = "#{pane_id}\t#{pane_synchronized}\t#{pane_input_off}\t#{pane_width}\t#{pane_height}\t#{allow-set-title}\t#{alternate-screen}";

/// The version of the `tmux` on PATH.
pub fn installed() -> Result<String> {
    let out = client(Command::new("tmux").arg("-V"), None, PATIENCE)?
        .ok_or_else(|| Refusal::Tmux("`tmux -V` does not end: check which program tmux is".into()))?;
    let text = String::from_utf8_lossy(&out.stdout);
    Ok(text.trim().trim_start_matches("tmux ").to_owned())
}

impl Server {
    /// Looks at the server.
    pub fn health(&self) -> Result<Health> {
        let text = self.must(
            vec![
                DisplayMessage::new().print().message(SERVER).build(),
                ListPanes::new().all().format(PANE).build(),
                ShowHooks::new().global().build(),
                ShowHooks::new().global().window().build(),
            ],
            None,
        )?;
        Ok(Health::parse(&text))
    }
}

impl Health {
    /// Reads the server's line, one line for each pane and one for each hook. Any other line is skipped.
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let mut head = lines.next().unwrap_or_default().splitn(4, '\t').map(str::to_owned);
        let mut next = || head.next().unwrap_or_default();
        let (version, slot, plugin, program) = (next(), next(), next(), next());
        let (mut panes, mut hooks) = (Vec::new(), Vec::new());
        let ours = format!("[{slot}] ");
        for line in lines {
            match (parse(line), line.split_once(&ours)) {
                (Some(pane), _) => panes.push(pane),
                (None, Some((event, _))) if !slot.is_empty() => hooks.push(event.to_owned()),
                _ => {}
            }
        }
        Self { version, plugin, program, hooks, panes }
    }
}

fn parse(line: &str) -> Option<PaneHealth> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [id, synchronized, input_off, width, height, title, alternate] = fields[..] else { return None };
    // An option that this version does not know is empty.
    let off = |value: &str| matches!(value, "0" | "off");
    is_pane_id(id).then(|| PaneHealth {
        id: id.to_owned(),
        synchronized: synchronized == "1",
        input_off: input_off == "1",
        size: (width.parse().unwrap_or(0), height.parse().unwrap_or(0)),
        title_fixed: off(title),
        no_alternate: off(alternate),
    })
}

#[cfg(test)]
mod tests {
    use super::{Health, parse};

    #[test]
    fn hooks_of_the_plugin_are_told_from_others() {
        let text = "3.3a\t8200\t/p\t/x\n%3\t1\t0\t80\t24\t\t1\nafter-new-window[0] run-shell x\nafter-new-window[8200] run-shell y\npane-died\n";
        let health = Health::parse(text);
        assert_eq!((health.hooks, health.panes.len()), (vec!["after-new-window".to_owned()], 1));
        assert_eq!((health.plugin.as_str(), health.program.as_str()), ("/p", "/x"));
        assert!(Health::parse("3.3a\t\t\t\nafter-new-window[] x\n").hooks.is_empty());
    }

    #[test]
    fn an_option_that_a_version_does_not_know_is_not_taken_for_off() {
        let pane = parse("%3\t1\t0\t80\t24\t\t1").unwrap();
        assert!(pane.synchronized && !pane.input_off && !pane.title_fixed && !pane.no_alternate);
        assert_eq!(pane.size, (80, 24));
        assert!(parse("%3\t0\t0\t80\t24\t0\toff").unwrap().no_alternate);
        assert!(parse("%3").is_none());
    }
}
