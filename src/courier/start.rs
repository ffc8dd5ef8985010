//! Starting the courier from any command that finds none.

use crate::store::{Store, lock};
use crate::tmux::Server;
use anyhow::{Context as _, Result};
use std::process::{Command, Stdio};

/// Rings the courier; starts one if none listens and that is possible here. `false`: none runs.
pub fn ensure(store: &Store, server: &Server) -> Result<bool> {
    if store.ring()? {
        return Ok(true);
    }
    spawn(store, server)
}

/// Starts a courier unless one runs. It detaches itself: it must outlive the caller and its terminal.
fn spawn(store: &Store, server: &Server) -> Result<bool> {
    if lock::try_exclusive(&store.dir().join("courier.lock"))?.is_none() {
        // It is just starting and will look at the mail itself.
        return Ok(true);
    }
    // In a sandbox the server cannot be reached, and a process started there would end with the sandbox.
    if !server.listens() {
        return Ok(false);
    }
    let swarm = std::env::current_exe().context("cannot find this program")?.with_file_name("swarm");
    Command::new(&swarm)
        .arg("courier")
        .args(["--socket", server.socket()])
        .env("SWARM_ROOT", store.root())
        // For glibc: its threads, one for each agent in every round, mostly wait, and each would keep memory of its own.
        .env("MALLOC_ARENA_MAX", "1")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", swarm.display()))?;
    Ok(true)
}
