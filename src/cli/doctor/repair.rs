//! The repairs of `--fix`: only those that cannot lose anything. Each checks again right before it acts.

use super::Checkup;
use super::finding::Fix;
use crate::core::agent::Agent;
use crate::courier::start;
use crate::os::child;
use crate::store::Store;
use crate::tmux::Server;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a courier may take to start, or the plugin to load.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn repair(place: &Checkup, fix: &Fix) -> Result<()> {
    match fix {
        Fix::Close(paths) => paths.iter().try_for_each(|path| close(path)),
        Fix::Remove(paths) => {
            for path in paths {
                // Another process may be cleaning up at the same time.
                let _ = fs::remove_file(path);
            }
            Ok(())
        }
        Fix::FinishPosts => store(place)?.finish_posts(),
        Fix::Load(file) => load(place, file),
        Fix::Start => begin(place, &store(place)?),
        Fix::Restart(id) => {
            let store = store(place)?;
            // Ending a courier at any moment loses and repeats nothing; but it must be this very courier.
            if start::courier(store.dir()).as_ref() == Some(id) {
                start::stop(id, || drop(store.ring()))?;
            }
            begin(place, &store)
        }
    }
}

fn store(place: &Checkup) -> Result<Store> {
    Store::open_root(place.root.as_deref().context("there is no project")?)
}

fn close(path: &Path) -> Result<()> {
    // It has moved since then, like mail does.
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    if meta.is_symlink() {
        bail!("{} is a symbolic link now: it is not followed", path.display());
    }
    let mode = meta.permissions().mode() & 0o700;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot change the mode of {}", path.display()))
}

/// Like a person who sources the configuration again. It may run any number of times.
fn load(place: &Checkup, file: &Path) -> Result<()> {
    let socket = place.server.socket();
    let mut command = Command::new(file);
    // A client uses only the socket from this variable.
    command.env("TMUX", format!("{socket},0,0")).env_remove("TMUX_PANE");
    match child::output(&mut command, None, PATIENCE)
        .with_context(|| format!("cannot run {}", file.display()))?
    {
        Some(_) => Ok(()),
        None => bail!("{} does not end", file.display()),
    }
}

fn begin(place: &Checkup, store: &Store) -> Result<()> {
    let agents = store.agents()?;
    let theirs = agents.iter().find(|a| Agent::is_live(a)).map(|a| Server::new(&a.place.socket));
    let server = theirs.unwrap_or_else(|| place.server.clone());
    store.reinstate()?;
    if !start::ensure(store, &server)? {
        bail!("tmux at {} cannot be reached from here: no courier was started", server.socket());
    }
    until("the courier does not start", || store.ring().unwrap_or(false))
}

fn until(failure: &str, mut done: impl FnMut() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > PATIENCE {
            bail!("{failure}: {} s have passed", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
