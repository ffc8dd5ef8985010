//! Opens a program in a pane of its own, and reads the last output of a program that ends at once.
//!
//! The pane starts with a program that only waits, and an option keeps the pane open. Then the program takes its
//! place. So its last output can be read, however soon it ends. Once the program runs, the option is removed, and the
//! pane closes with the program as usual.

use super::{Server, argument, format};
use anyhow::Result;
use std::path::Path;
use tmux_interface::TmuxCommand;

/// Where a program gets its pane.
#[derive(Clone, Debug)]
pub enum Spot {
    /// In a window of its own.
    Window,
    /// In a part of the current window.
    Split,
    /// In a window of the session with that name, which is made if there is none.
    Session(String),
}

/// How long the first program waits (s): longer than the next step may take.
const WAITS: &str = "30";

/// The most rows of a program's last output that are reported.
const WORDS: usize = 4;

impl Server {
    /// Runs a program and its arguments in a new pane, with these variables, and returns the pane's id. No client's
    /// focus changes.
    pub fn open(
        &self,
        spot: &Spot,
        dir: &Path,
        variables: &[(&str, String)],
        program: &[String],
    ) -> Result<String> {
        let mut make = TmuxCommand::new();
        match spot {
            Spot::Window => make.name("new-window"),
            Spot::Split => make.name("split-window"),
            Spot::Session(name) if self.has_session(name)? => {
                make.name("new-window").push_option("-t", format!("={name}:"))
            }
            Spot::Session(name) => make.name("new-session").push_option("-s", name.as_str()),
        };
        let dir = format::escaped(&dir.to_string_lossy());
        make.push_flag("-d")
            .push_flag("-P")
            .push_option("-F", "#{pane_id}")
            .push_option("-c", argument(&dir));
        // Two words, because one would go through a shell. If the server stops and the next step is given up, the
        // pane closes by itself.
        make.push_param("sleep").push_param(WAITS);
        let pane = self.must(vec![make], None)?.trim().to_owned();
        let mut keep = TmuxCommand::new();
        keep.name("set-option").push_flag("-p").push_option("-t", pane.as_str());
        keep.push_param("remain-on-exit").push_param("on");
        let mut run = TmuxCommand::new();
        run.name("respawn-pane").push_flag("-k").push_option("-t", pane.as_str());
        for (name, value) in variables {
            run.push_option("-e", format!("{name}={value}"));
        }
        if program.len() < 2 {
            run.push_param("env");
        }
        for word in program {
            run.push_param(argument(word));
        }
        self.must(vec![keep, run], None)?;
        Ok(pane)
    }

    fn has_session(&self, name: &str) -> Result<bool> {
        let mut ask = TmuxCommand::new();
        ask.name("has-session").push_option("-t", format!("={name}"));
        Ok(self.run(vec![ask], None)?.ok)
    }

    /// The last output of the program in such a pane, if the program has ended; the pane is then closed. `None`: the
    /// program runs.
    pub fn last_words(&self, pane: &str) -> Result<Option<String>> {
        let mut ask = TmuxCommand::new();
        ask.name("display-message").push_flag("-p").push_option("-t", pane).push_param("#{pane_dead}");
        let mut capture = TmuxCommand::new();
        // tmux moves the rows up by one to show that the pane is dead.
        capture.name("capture-pane").push_flag("-p").push_option("-S", "-").push_option("-t", pane);
        let out = self.run(vec![ask, capture], None)?;
        let (dead, screen) = out.stdout.split_once('\n').unwrap_or_default();
        if out.ok && dead == "0" {
            return Ok(None);
        }
        let is_its = |row: &&str| !row.is_empty() && !row.starts_with("Pane is dead");
        let mut rows: Vec<&str> = screen.lines().map(str::trim).filter(is_its).collect();
        let words = rows.split_off(rows.len().saturating_sub(WORDS)).join(" ");
        // A program that took its place meanwhile stays.
        let mut close = TmuxCommand::new();
        close.name("if-shell").push_flag("-F").push_option("-t", pane);
        close.push_param("#{pane_dead}").push_param(format!("kill-pane -t {pane}"));
        self.run(vec![close], None)?;
        Ok(Some(words))
    }

    /// Lets the panes close with their programs, unless the person's own settings say otherwise.
    pub fn let_close(&self, panes: &[&str]) -> Result<()> {
        let unset = |pane: &&str| {
            let mut unset = TmuxCommand::new();
            unset.name("set-option").push_flag("-p").push_flag("-u").push_flag("-q");
            unset.push_option("-t", (*pane).to_owned()).push_param("remain-on-exit");
            unset
        };
        if panes.is_empty() { Ok(()) } else { self.run(panes.iter().map(unset).collect(), None).map(drop) }
    }
}
