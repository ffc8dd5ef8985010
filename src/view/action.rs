//! Runs the commands of the keys: this program itself, as a child.
//!
//! So the dashboard has no rules of its own: a command refuses here what it refuses elsewhere, in the same words. A
//! child runs in its own thread, so the screen stays responsive while a message is on its way. Texts go through
//! stdin, never through a shell.

use crate::core::escape;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

/// The most output of a child that is shown, in bytes.
const MAX_OUTPUT: usize = 256 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Action {
    /// Its description for people: `send to codex-1`.
    pub(super) what: String,
    pub(super) args: Vec<String>,
    /// Its standard input.
    pub(super) stdin: String,
    /// Whether its output is a page, and not a line.
    pub(super) page: bool,
}

/// The result of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActionOutcome {
    pub(super) action: Action,
    pub(super) ok: bool,
    /// Its output, safe to show.
    pub(super) text: String,
}

impl Action {
    /// A command whose output is one line.
    pub(super) fn line(what: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|a| (*a).to_owned()).collect();
        Self { what: what.to_owned(), args, ..Self::default() }
    }

    /// A command whose output is a page.
    pub(super) fn page(what: &str, args: &[&str]) -> Self {
        Self { page: true, ..Self::line(what, args) }
    }

    /// Runs it in the project at `root`, and sends the outcome to `done`.
    pub(super) fn start(self, root: &Path, done: Sender<ActionOutcome>) {
        let root = root.to_owned();
        std::thread::spawn(move || {
            // Nobody receives it any more once the dashboard is closed.
            let _ = done.send(self.finish(&root));
        });
    }

    /// Runs it in the project at `root` to its end.
    pub(super) fn finish(self, root: &Path) -> ActionOutcome {
        let (ok, text) = self.run(root).unwrap_or_else(|error| (false, format!("cannot run it: {error}")));
        ActionOutcome { action: self, ok, text }
    }

    fn run(&self, root: &Path) -> std::io::Result<(bool, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(&self.args)
            .current_dir(root)
            .env_remove("SWARM_ROOT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            // It may end before it has read everything. Its exit status then counts.
            let _ = pipe.write_all(self.stdin.as_bytes());
        }
        let out = child.wait_with_output()?;
        let mut bytes = out.stdout;
        bytes.extend(out.stderr);
        bytes.truncate(MAX_OUTPUT);
        let text = String::from_utf8_lossy(&bytes);
        let safe: Vec<String> =
            text.trim_end().split('\n').map(|l| escape::line(&l.replace('\t', "    "))).collect();
        Ok((out.status.success(), safe.join("\n")))
    }
}

/// Runs these one after the other. Sends the outcome of the last one, or of the first that fails, to `done`.
pub(super) fn sequence(actions: Vec<Action>, root: PathBuf, done: Sender<ActionOutcome>) {
    std::thread::spawn(move || {
        let count = actions.len();
        for (number, action) in actions.into_iter().enumerate() {
            let outcome = action.finish(&root);
            if number + 1 == count || !outcome.ok {
                // Nobody receives it any more once the view is closed.
                let _ = done.send(outcome);
                return;
            }
        }
    });
}
