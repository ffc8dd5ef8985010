//! One round of the courier: who is there, whose mail waits, and delivering what can be delivered.
//!
//! Agents are served side by side. Half-typed text goes first. Then all that waits for an agent goes in one bundle,
//! urgent mail first, then in the order it was sent. Reminders go one at a time. A hold on one agent delays no other,
//! and a server that does not answer delays only its own agents. There is one courier, but commands may change its
//! records at any time, so every mark is made in a transaction that looks again.
//!
//! A module each: what it looks at (`lookout`), the texts that wait (`jobs`), how they are delivered (`serve`), and what is
//! shown of it (`show`).

mod jobs;
mod lookout;
mod serve;
mod show;

use super::board::Board;
use super::coordination::Rows;
use super::delivery::offer::Offered;
use super::keys::Keys;
use super::letters::{Due, Letters};
use super::memo::Memo;
use super::quiet::Quiet;
use super::servers::Servers;
use super::summons::Summons;
use crate::core::agent::Agent;
use crate::core::badge::Counts;
use crate::core::config::{Config, Problem, Settings};
use crate::core::escape;
use crate::roster::rules::Rules;
use crate::roster::witness;
use crate::store::config::{Files, Stamp};
use crate::store::leases::Part;
use crate::store::{Store, now_ms};
use crate::tmux::Server;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How often mail that was read long ago is removed.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How often every lease record is looked at, whatever the index of leases says.
const INSPECT_EVERY: Duration = Duration::from_secs(60);

/// How many different errors are remembered as reported.
const NOTED: usize = 16;

/// Problems of the settings that are journalled at a time.
const PROBLEMS: usize = 10;

/// What the courier keeps between two looks. All of it can be rebuilt from the store.
pub struct Round<'a> {
    store: &'a Store,
    rules: Rules,
    servers: Servers,
    files: Files,
    /// The state of the files that the settings are from; `None` before the first look.
    stamp: Option<Stamp>,
    settings: Settings,
    /// When mail that was read long ago was last removed.
    tidied: Option<Instant>,
    /// When every lease record was looked at last.
    inspected: Option<Instant>,
    /// The living agents.
    agents: Vec<Agent>,
    /// The state of things that is known without asking tmux.
    quiet: Quiet,
    /// Since when somebody who has just started is waited for, to say which conversation it is in.
    pending: Option<Instant>,
    /// What the panes show of us.
    board: Board,
    /// What the coordination document shows of the leases.
    rows: Rows,
    /// The unread mail of the person at the keyboard that was announced; `None` before the first look.
    announced: Option<BTreeSet<String>>,
    /// How that person is called, and when again.
    summons: Summons,
    /// Whether urgent mail for that person waits to be shown in a popup.
    popup_due: bool,
    /// What is known of the agents' panes and channels.
    memory: BTreeMap<(String, String), (Keys, Offered)>,
    /// What each mailbox has to tell of.
    counted: Memo<Counts>,
    /// The mailboxes of the dead in which nothing is left to do.
    buried: Memo<()>,
    /// The errors that were journalled last: a lasting one is reported once.
    noted: BTreeSet<String>,
}

impl<'a> Round<'a> {
    /// A courier that knows of one server so far.
    pub fn new(store: &'a Store, first: &Server) -> Self {
        Self {
            store,
            rules: Rules::of_user(),
            servers: Servers::new(store, first),
            files: Files::of(Some(store.root())),
            stamp: None,
            settings: Settings::from(&Config::resolve(Vec::new())),
            tidied: None,
            inspected: None,
            agents: Vec::new(),
            quiet: Quiet::default(),
            pending: None,
            board: Board::default(),
            rows: Rows::default(),
            announced: None,
            summons: Summons::default(),
            popup_due: false,
            memory: BTreeMap::new(),
            counted: Memo::default(),
            buried: Memo::default(),
            noted: BTreeSet::new(),
        }
    }

    /// The socket of a server that it serves.
    pub fn socket(&self) -> String {
        self.servers.any().unwrap_or_default().to_owned()
    }

    /// Reads the settings and the profiles again if their files have changed. Errors in them are journalled, and the wrong
    /// values ignored.
    pub fn configure(&mut self) -> Result<()> {
        let changed = self.rules.refresh()?;
        if changed {
            self.quiet.forget();
        }
        if changed && !self.rules.profiles().problems().is_empty() {
            let problems = self.rules.profiles().problems().iter().take(PROBLEMS);
            let told: Vec<&str> = problems.map(|p| p.text.as_str()).collect();
            self.store.transact(|tx| tx.journal("bad-profiles", serde_json::json!({"problems": told})))?;
        }
        let stamp = self.files.stamp();
        if self.stamp.replace(stamp) == Some(stamp) {
            return Ok(());
        }
        let config = self.files.load();
        self.settings = Settings::from(&config);
        if config.problems.is_empty() {
            return Ok(());
        }
        let told = |p: &Problem| escape::short(&p.to_string(), 300);
        let problems: Vec<String> = config.problems.iter().take(PROBLEMS).map(told).collect();
        self.store.transact(|tx| tx.journal("bad-settings", serde_json::json!({"problems": problems})))
    }

    /// Removes what killed processes have left, and now and then mail that was read long ago.
    pub fn tidy(&mut self) -> Result<()> {
        self.store.sweep()?;
        let Some(keep_ms) = self.settings.keep_read_ms else { return Ok(()) };
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY_EVERY) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        self.store.prune(now_ms().saturating_sub(keep_ms)).map(drop)
    }

    /// Answers sandboxed senders.
    pub fn witness(&mut self) -> Result<()> {
        witness::answer(self.store, &self.agents)
    }

    /// Handles awaited acknowledgements and dead letters. Returns when to do so again (ms since the epoch), if that is
    /// before the next pulse.
    pub fn letters(&mut self) -> Result<Option<u64>> {
        let mut look = || -> Result<Due> {
            self.store.finish_posts()?;
            let agents = self.store.agents()?;
            let letters = Letters { store: self.store, agents: &agents, settings: &self.settings };
            let mut due = letters.acknowledgements()?;
            letters.dead_letters(&mut self.buried, &mut due)?;
            self.store.post_notices()?;
            Ok(due)
        };
        let due = look()?;
        for alert in &due.alerts {
            // A message on the status line is a courtesy: the notice is in the inbox.
            self.servers.each(|server| server.alert(alert, false).map(drop));
        }
        Ok(due.next)
    }

    /// Ends leases whose time or holder has ended, and posts the notices about it. Returns whether there is anything to
    /// watch. Takes the mutex only if something changes. Once a minute it reads each record, whatever the index says, and
    /// so finds one that was overwritten in place.
    pub fn leases(&mut self) -> Result<bool> {
        if self.inspected.is_none_or(|at| at.elapsed() >= INSPECT_EVERY) {
            self.inspected = Some(Instant::now());
            self.store.inspect_leases()?;
        }
        let part = if self.settings.coord_auto { Part::All } else { Part::Numbers(&[]) };
        let leases = self.store.leases_about(part)?;
        // Left by a process that was killed before it could.
        self.store.post_notices()?;
        if self.settings.coord_auto {
            self.rows.follow(self.store, &leases.table)?;
        }
        Ok(leases.count > 0 || leases.table.waiters().next().is_some())
    }

    /// Journals an error that must not stop the other tasks, once for as long as it lasts. If that fails too, as on a full
    /// disk, nothing more is done.
    pub fn note(&mut self, error: &anyhow::Error) {
        let text = escape::short(&format!("{error:#}"), 300);
        if self.noted.contains(&text) {
            return;
        }
        let fields = serde_json::json!({"error": text});
        if self.store.transact(|tx| tx.journal("courier-error", fields)).is_ok() {
            if self.noted.len() >= NOTED {
                self.noted.clear();
            }
            self.noted.insert(text);
        }
    }

    /// A whole round went well: what fails after this is news.
    pub fn went_well(&mut self) {
        self.noted.clear();
    }
}
