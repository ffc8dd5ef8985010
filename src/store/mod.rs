//! The `.swarm/` directory: one mutex, atomic records, a journal.
//!
//! The contract is one transaction: load, decide purely, commit. Every read-modify-write of agents, windows and
//! delivery marks runs in [`Store::transact`], under one flock, so no two processes interleave there. Readers
//! take no lock. Signed messages are immutable: they appear by a link and move by a rename. A record that cannot be
//! read is moved to `quarantine/` and journalled; the rest goes on working and nothing is regenerated silently.

pub mod config;
pub mod coord;
pub mod fault;
pub mod foreign;
mod journal;
pub mod key;
pub mod leases;
pub mod lock;
pub mod mail;
mod notices;
mod outbox;
pub mod post;
mod prune;
mod receipt;
pub mod record;
mod room;
pub mod root;
pub mod scope;
mod sealed;
mod transaction;
pub mod wake;

pub use journal::Tail;
pub use transaction::Transaction;

use crate::core::agent::Agent;
use crate::core::signing::Key;
use anyhow::{Result, bail};
use record::Loaded;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An open project.
#[derive(Clone)]
pub struct Store {
    root: PathBuf,
    dir: PathBuf,
    key: Key,
}

/// Milliseconds since the epoch, by the system's clock.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// 64 fresh random bits.
pub fn entropy() -> Result<u64> {
    getrandom::u64().map_err(|e| anyhow::anyhow!("the system gives no random bytes: {e}"))
}

/// `$SWARM_ROOT`, if set.
fn forced_root() -> Option<PathBuf> {
    std::env::var_os("SWARM_ROOT").filter(|v| !v.is_empty()).and_then(|v| std::path::absolute(v).ok())
}

impl Store {
    /// Opens the store that `from` belongs to.
    pub fn open(from: &Path) -> Result<Self> {
        match root::find(from, forced_root().as_deref()) {
            Some(root) => Self::open_root(&root),
            None => bail!(
                "no swarm here: neither {} nor a directory above it has a .swarm/ directory; run `swarm init` in the project",
                from.display()
            ),
        }
    }

    /// Opens the store of the project at `root`.
    pub fn open_root(root: &Path) -> Result<Self> {
        let dir = root.join(".swarm");
        root::check_owner(&dir)?;
        root::check_format(&dir)?;
        let key = key::load_or_create(&key::state_home()?, &root::project_id(&dir)?)?;
        Ok(Self { root: root.to_owned(), dir, key })
    }

    /// Opens the store for `from`, making it if there is none. Tells whether it was made.
    pub fn init(from: &Path) -> Result<(Self, bool)> {
        let root = root::choose(from, forced_root().as_deref());
        let created = root::create(&root, &format!("{:016x}", entropy()?))?;
        Ok((Self::open_root(&root)?, created))
    }

    /// The root of the swarm that a directory belongs to, if any.
    pub fn root_of(dir: &Path) -> Option<PathBuf> {
        root::find(dir, forced_root().as_deref())
    }

    /// The project's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The state directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The project's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where temporary files are made: in the store's file system, so that a rename is atomic.
    fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Wakes the courier; `false` if none listens.
    pub fn ring(&self) -> Result<bool> {
        wake::ring(&self.dir.join("wake"))
    }

    /// Runs `decide` under the mutex. What it writes is visible to the next transaction; an error leaves what was
    /// written before it, so `decide` orders its writes such that any prefix of them is benign.
    pub fn transact<T>(&self, decide: impl FnOnce(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        decide(&mut Transaction::begin(self)?)
    }

    /// All agents on record, living and dead. Takes no lock; each record is whole.
    pub fn agents(&self) -> Result<Vec<Agent>> {
        let dir = self.dir.join("agents");
        let mut agents = Vec::new();
        for file in record::list(&dir)? {
            match record::load::<Agent>(&dir.join(&file))? {
                Loaded::Ok(agent) if file == format!("{}.json", agent.name) => agents.push(agent),
                Loaded::Ok(_) => self.quarantine(&dir.join(&file), "its name is not that of its file")?,
                Loaded::Bad(why) => self.quarantine(&dir.join(&file), &why)?,
                Loaded::Missing => {}
            }
        }
        Ok(agents)
    }

    /// Moves a record that cannot be trusted out of the way and journals it. Nothing is deleted.
    pub fn quarantine(&self, path: &Path, why: &str) -> Result<()> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let to =
            self.dir.join("quarantine").join(format!("{:013}-{:04x}-{name}", now_ms(), entropy()? & 0xffff));
        match std::fs::rename(path, &to) {
            Ok(()) => {}
            // Another process was faster.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => bail!("{} is damaged ({why}) and cannot be moved away: {e}", path.display()),
        }
        let from = path.strip_prefix(&self.dir).unwrap_or(path).display().to_string();
        journal::append(
            &self.dir,
            &serde_json::json!({"t": now_ms(), "event": "quarantined", "record": from, "why": why}),
        )
    }

    /// Gives every entry of the journal to `each`, oldest first.
    pub fn journal(&self, each: impl FnMut(serde_json::Value)) -> Result<()> {
        journal::Tail::new(&self.dir).read(each)
    }

    /// A reader of the journal that begins with its oldest entry.
    pub fn journal_tail(&self) -> Tail {
        Tail::new(&self.dir)
    }

    /// Temporary files older than an hour: whoever wrote them was killed.
    pub fn abandoned_files(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.tmp())? {
            let entry = entry?;
            let age = entry.metadata().and_then(|m| m.modified()).map(|at| at.elapsed().unwrap_or_default());
            if age.is_ok_and(|age| age.as_secs() > 3600) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// How many records are in quarantine.
    pub fn quarantined(&self) -> Result<usize> {
        Ok(record::list(&self.dir.join("quarantine"))?.len())
    }
}
