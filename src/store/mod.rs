//! The `.swarm/` directory: one mutex, atomic records, a journal.
//!
//! The contract is one transaction: load, decide purely, commit. Every read-modify-write of agents, windows and
//! delivery marks runs in [`Store::transact`], under one flock, so no two processes interleave there. Readers take no
//! lock. Signed messages are immutable: they appear by a link and move by a rename. A record that cannot be read is
//! moved to `quarantine/` and journalled. Everything else continues, and nothing is regenerated silently.

mod agents;
mod allowance;
mod bundle;
pub mod config;
pub mod coord;
pub mod fault;
pub mod foreign;
mod groups;
pub mod handover;
mod journal;
pub mod key;
pub mod leases;
pub mod lock;
pub mod mail;
pub mod mark;
mod notices;
mod outbox;
pub mod post;
pub mod profiles;
mod prune;
pub mod question;
mod receipt;
pub mod record;
mod room;
pub mod root;
pub mod scope;
mod sealed;
pub mod service;
mod settle;
pub mod team;
pub mod tested;
mod touched;
mod transaction;
pub mod wake;
mod window;

pub use journal::{Cursor, Tail};
pub use transaction::Transaction;

use crate::core::event::Event;
use crate::core::message::Identity;
use crate::core::signing::Key;
use crate::os::clock;
use anyhow::{Result, bail};
use mark::ProjectMark;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// An open project.
#[derive(Clone)]
pub struct Store {
    root: PathBuf,
    dir: PathBuf,
    /// Its project, its key and its directory.
    mark: ProjectMark,
    key: Key,
    /// The evidence for the actor's identity; `None`: swarm itself.
    actor: Option<Identity>,
    /// When a transaction gives up waiting for the mutex, even if others make progress.
    until: Option<Instant>,
    /// The changes that were made when the store was opened, for people.
    news: Option<String>,
}

/// Milliseconds since the epoch, by the system's clock.
pub fn now_ms() -> u64 {
    clock::wall_ms()
}

/// 64 fresh random bits.
pub fn entropy() -> Result<u64> {
    getrandom::u64().map_err(|e| anyhow::anyhow!("the system gives no random bytes: {e}"))
}

fn new_id() -> Result<String> {
    Ok(format!("{:016x}", entropy()?))
}

/// `$SWARM_ROOT`, if set: it applies to the caller's own command, and never to another process's working directory.
fn forced_root() -> Option<PathBuf> {
    std::env::var_os("SWARM_ROOT").filter(|v| !v.is_empty()).and_then(|v| std::path::absolute(v).ok())
}

impl Store {
    /// Opens the store for the caller's command, run in `from`.
    pub fn open(from: &Path) -> Result<Self> {
        match root::find(from, forced_root().as_deref()) {
            Some(root) => Self::open_root(&root),
            None => bail!(
                "no swarm here: neither {} nor a directory above it has a .swarm/ directory; run `swarm init` in the project",
                from.display()
            ),
        }
    }

    /// Opens the store around `dir`, even if `$SWARM_ROOT` is set.
    pub fn open_around(dir: &Path) -> Result<Self> {
        match root::around(dir) {
            Some(root) => Self::open_root(&root),
            None => bail!("no swarm here: {} is in no project", dir.display()),
        }
    }

    /// Opens the store of the project at `root`. Refuses it without its key. A store that was moved, copied or restored
    /// is settled first.
    pub fn open_root(root: &Path) -> Result<Self> {
        let root = &root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let dir = root.join(".swarm");
        let whole = root::check_owner(&dir)?;
        root::check_format(&dir)?;
        let store = settle::open(root, &key::state_home()?)?;
        if !whole {
            // If nothing can be written, as in a sandbox, reading continues without it.
            let _ = root::complete(&dir);
        }
        Ok(store)
    }

    /// Opens the store for `from`, and makes it if there is none. Returns whether it was made.
    pub fn init(from: &Path) -> Result<(Self, bool)> {
        let root = Self::root_to_be(from);
        if root::is_store(&root.join(".swarm")) {
            return Ok((Self::open_root(&root)?, false));
        }
        // The key first: a store without a key would seem to have its key elsewhere.
        let (home, id) = (key::state_home()?, new_id()?);
        let key = key::load_or_create(&home, &id)?;
        let created = root::create(&root, &id, &key.fingerprint(&id));
        if !matches!(created, Ok(true)) {
            key::discard(&home, &id);
        }
        Ok((Self::open_root(&root)?, created?))
    }

    /// Starts again with a new key in the project around `from`, whose key is lost. Signed records are set aside.
    pub fn init_with_new_key(from: &Path) -> Result<Self> {
        let root = Self::root_to_be(from);
        let dir = root.join(".swarm");
        root::check_owner(&dir)?;
        root::check_format(&dir)?;
        settle::renew(&root, &key::state_home()?)?;
        Self::open_root(&root)
    }

    /// The top of another repository around `dir` within this project, if there is one.
    pub fn repository_within(&self, dir: &Path) -> Option<PathBuf> {
        root::work_tree(dir).filter(|top| top != self.root() && top.starts_with(self.root()))
    }

    /// The courier's end of the FIFO.
    pub fn listen(&self) -> Result<wake::Listener> {
        wake::Listener::open(&self.dir.join("wake"))
    }

    /// The changes that were made when the store was opened, for people.
    pub fn news(&self) -> Option<&str> {
        self.news.as_deref()
    }

    /// The root of the project for the caller's command, run in `from`, if there is one: `$SWARM_ROOT` comes first.
    pub fn root_for_caller(from: &Path) -> Option<PathBuf> {
        root::find(from, forced_root().as_deref())
    }

    /// The root that [`Store::init`] in `from` would use.
    pub fn root_to_be(from: &Path) -> PathBuf {
        root::choose(from, forced_root().as_deref())
    }

    /// The root of the project to which a directory would belong, even if `$SWARM_ROOT` is set.
    pub fn root_to_be_of(dir: &Path) -> PathBuf {
        root::choose(dir, None)
    }

    /// Whether `$SWARM_ROOT` decides the project of the caller's command.
    pub fn is_root_forced() -> bool {
        forced_root().is_some()
    }

    /// The root of a directory's project, if there is one. It decides for agents and panes, even if `$SWARM_ROOT` is
    /// set.
    pub fn root_around(dir: &Path) -> Option<PathBuf> {
        root::around(dir)
    }

    /// Whether a directory is in a git work tree.
    pub fn is_work_tree(dir: &Path) -> bool {
        root::work_tree(dir).is_some()
    }

    /// Records the evidence for the actor's identity, for the journal and the records.
    pub fn act_as(&mut self, identity: Identity) {
        self.actor = Some(identity);
    }

    /// Limits the time that all transactions of this store together wait, for a caller in a hurry.
    #[must_use]
    pub fn until(self, until: Instant) -> Self {
        Self { until: Some(until), ..self }
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

    /// The directory for temporary files: in the store's file system, so that a rename is atomic.
    fn tmp(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Wakes the courier; `false` if none listens.
    pub fn ring(&self) -> Result<bool> {
        wake::ring(&self.dir.join("wake"))
    }

    /// Runs `decide` under the mutex. The next transaction sees its writes. An error keeps the writes before it, so
    /// `decide` orders them so that each prefix is harmless.
    pub fn transact<T>(&self, decide: impl FnOnce(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        decide(&mut Transaction::begin(self)?)
    }

    /// Whether the root still has the name by which it was opened: it may have been moved, and a link left in its
    /// place.
    pub fn is_in_place(&self) -> bool {
        self.root.canonicalize().is_ok_and(|root| root == self.root)
    }

    /// Whether the files of a store exist without the courier's lock: a process is removing it, or making one.
    pub fn is_half_gone(&self) -> bool {
        root::is_store(&self.dir) && !self.dir.join("courier.lock").exists()
    }

    /// Refuses to continue in a store other than the one that was opened: with another project's key all records
    /// would seem forged, and its mail may belong to another courier.
    fn check_mark(&self) -> Result<()> {
        if self.mark.is_still_at(&self.dir) { Ok(()) } else { Err(self.is_another()) }
    }

    /// [`Store::check_mark`] without a look into the directory: nothing may be made in a directory that is just being
    /// put there.
    fn check_dir(&self) -> Result<()> {
        if self.mark.is_same_dir(&self.dir) { Ok(()) } else { Err(self.is_another()) }
    }

    fn is_another(&self) -> anyhow::Error {
        let dir = self.dir.display();
        anyhow::anyhow!("{dir} was removed, replaced or made again meanwhile; run the command again")
    }

    /// Moves an untrusted record to quarantine and journals it. Nothing is deleted. If the store was made again since
    /// this one was opened, nothing is touched.
    pub fn quarantine(&self, path: &Path, why: &str) -> Result<()> {
        self.check_mark()?;
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
        journal::append(&self.dir, &journal::entry(&Event::Quarantined { record: &from, why })?)
    }

    /// Gives every entry of the journal to `each`, oldest first.
    pub fn journal(&self, each: impl FnMut(serde_json::Value)) -> Result<()> {
        journal::Tail::new(&self.dir).read(each)
    }

    /// A reader of the journal that begins with its oldest entry.
    pub fn journal_tail(&self) -> Tail {
        Tail::new(&self.dir)
    }

    /// A reader of the journal that continues after an entry; `None` if that entry is not kept any more.
    pub fn journal_behind(&self, cursor: Cursor) -> Result<Option<Tail>> {
        Tail::behind(&self.dir, cursor)
    }

    /// Temporary files older than an hour: their writers were killed.
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

    /// Removes the temporary files of processes that have certainly ended, and those that are a day old. Returns how
    /// many.
    pub fn sweep(&self) -> Result<usize> {
        let mut count = 0;
        for entry in std::fs::read_dir(self.tmp())? {
            let entry = entry?;
            let Ok(meta) = entry.metadata().map(|m| (m.is_file(), m.modified())) else { continue };
            let old = meta.1.is_ok_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() > 24 * 3600));
            if meta.0 && (old || record::is_abandoned(&entry.file_name().to_string_lossy())) {
                // Another process may be cleaning up at the same time.
                count += usize::from(std::fs::remove_file(entry.path()).is_ok());
            }
        }
        Ok(count)
    }

    /// How many records are in quarantine.
    pub fn quarantined(&self) -> Result<usize> {
        Ok(record::list(&self.dir.join("quarantine"))?.len())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::core::agent::Agent;
    use crate::core::body::Body;
    use crate::core::delivery::Stage;
    use crate::core::message::{Identity, MessageType};
    use crate::core::name::Name;
    use crate::core::rate::Limit;
    use crate::core::signing::KEY_LEN;
    use mail::Folder;
    use std::fs;

    /// A store with a key of its own. The first value removes its directory.
    pub(crate) fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::new([7; KEY_LEN]);
        root::create(dir.path(), "0123456789abcdef", &key.fingerprint("0123456789abcdef")).unwrap();
        let state = dir.path().join(".swarm");
        let mark = ProjectMark::read(&state).unwrap();
        let store = Store {
            root: dir.path().to_owned(),
            dir: state,
            mark,
            key,
            actor: None,
            until: None,
            news: None,
        };
        (dir, store)
    }

    /// A living agent with that name.
    pub(crate) fn agent(name: &str) -> Agent {
        serde_json::from_value(serde_json::json!({
            "name": name, "kind": "claude", "process": {"pid": 1, "start": 1, "boot": "b"}, "cwd": "/", "first_seen": 1,
            "place": {"socket": "/s", "server": 1, "pane": "%0", "pane_pid": 1},
        }))
        .unwrap()
    }

    #[test]
    fn mail_of_one_who_was_renamed_a_moment_ago_is_not_taken_for_forged() {
        let (_dir, store) = store();
        let (old, new) = (Name::new("claude-1").unwrap(), Name::new("anna").unwrap());
        let body = Body::new("for whoever has that name").unwrap();
        let draft = post::NewMessage {
            ack: true,
            ..post::NewMessage::new(
                Name::human(),
                Identity::Human,
                vec![old.clone()],
                MessageType::Info,
                body,
            )
        };
        let message = store.post(draft, Limit::default()).unwrap();
        let agent = agent("claude-1");
        let found = mail::MessageRef {
            mailbox: old.clone(),
            folder: Folder::New,
            file: message.file_name(),
            id: message.id.clone(),
        };
        store.transact(|tx| tx.rename_agent(&agent, &new)).unwrap();
        // A reader of the records from before the renaming knows no former names.
        for folder in [Folder::New, Folder::Unacked] {
            let seen = store.mail(&new, &[], folder).unwrap();
            assert_eq!((seen.messages.len(), seen.refused.len()), (1, 0), "{folder:?}");
        }
        assert_eq!(store.quarantined().unwrap(), 0);
        // A caller that found the message earlier acknowledges it in its present place.
        assert!(store.receipt(&found, true).unwrap());
        assert_eq!(store.delivery(&new, &message.id).unwrap().unwrap().way.stage, Stage::Acked);
        assert_eq!(store.delivery(&old, &message.id).unwrap(), None);
        assert_eq!(store.count_mail(&new, Folder::Unacked).unwrap(), 0);
    }

    #[test]
    fn nothing_is_set_aside_in_a_store_that_was_made_again() {
        let (dir, store) = store();
        let name = "0000000000001-human-00000000.json";
        let put = || {
            store.ensure_mailbox(&Name::human()).unwrap();
            fs::write(store.mail_file(&Name::human(), Folder::New, name), "{}").unwrap();
        };
        put();
        assert_eq!(store.mail(&Name::human(), &[], Folder::New).unwrap().refused.len(), 1);
        assert_eq!(store.quarantined().unwrap(), 1);
        fs::remove_dir_all(&store.dir).unwrap();
        root::create(dir.path(), "fedcba9876543210", "").unwrap();
        put();
        store.mail(&Name::human(), &[], Folder::New).unwrap_err();
        assert!(store.mail_file(&Name::human(), Folder::New, name).exists());
        assert_eq!(store.quarantined().unwrap(), 0);
    }
}
