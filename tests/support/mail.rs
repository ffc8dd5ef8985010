//! A world's mail: what its commands tell of it, and what was given to its agents.

use super::{PATIENCE, Pause, World};
use serde_json::Value;
use std::process::Output;
use std::time::Instant;

/// What a command printed with `--json`.
pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What a command said beside its answer.
pub(crate) fn stderr(out: &Output) -> String {
    String::from_utf8_lossy(&out.stderr).into_owned()
}

impl World {
    /// A world with a store, a server and an agent of each of these kinds on record, with these variables; gives the panes.
    pub(crate) fn with_agents(kinds: &[&str], variables: &[(&str, &str)]) -> (Self, Vec<String>) {
        let world = Self::new();
        world.start();
        let panes = kinds.iter().map(|kind| world.agent(kind, variables)).collect();
        world.ok(&["discover", "--init", "--quiet"]);
        (world, panes)
    }

    /// A world with a store and no tmux server.
    pub(crate) fn with_store() -> Self {
        let world = Self::new();
        world.ok(&["init"]);
        world
    }

    /// Sends with these words after `send` and without waiting, and gives the message's id.
    pub(crate) fn send(&self, words: &[&str]) -> String {
        let args = [&["send", "--json", "--no-wait"], words].concat();
        parsed(&self.ok(&args))["id"].as_str().unwrap().to_owned()
    }

    /// What `status` tells of a message to its first recipient.
    pub(crate) fn recipient(&self, id: &str) -> Value {
        parsed(&self.ok(&["status", "--json", id]))["recipients"][0].clone()
    }

    /// The stage of a message to its first recipient, and why.
    pub(crate) fn stage(&self, id: &str) -> (String, String) {
        let told = self.recipient(id);
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        (text("stage"), text("detail"))
    }

    /// Waits until a message is in this stage for a reason that holds `detail`.
    pub(crate) fn reaches(&self, id: &str, stage: &str, detail: &str) {
        let (begun, mut pause) = (Instant::now(), Pause::default());
        loop {
            let now = self.stage(id);
            if now.0 == stage && now.1.contains(detail) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{id} is {now:?}, not {stage} ({detail})");
            pause.rest();
        }
    }

    /// How many times the line of a message was submitted in a pane.
    pub(crate) fn given(&self, pane: &str, id: &str) -> usize {
        let marker = format!("[swarm {id} ");
        self.events(pane, "submitted").iter().map(|text| text.matches(&marker).count()).sum()
    }
}
