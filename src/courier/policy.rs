//! The settings and the profiles of the courier, read again when their files have changed.
//!
//! Takes no lock: a file that changes while it is read is read again in the next round. Problems are journalled in a
//! transaction of their own.

use crate::agents::Profiles;
use crate::core::config::{Config, Problem, Settings};
use crate::core::escape;
use crate::core::event::Event;
use crate::roster::rules::Rules;
use crate::store::Store;
use crate::store::config::{Files, Stamp};
use anyhow::Result;

/// How many problems are journalled at a time.
const PROBLEMS: usize = 10;

pub(super) struct Policy {
    rules: Rules,
    files: Files,
    /// The state of the settings files; `None` before the first look.
    stamp: Option<Stamp>,
    settings: Settings,
}

impl Policy {
    /// The defaults, until the first [`Policy::refresh`].
    pub(super) fn of(store: &Store) -> Self {
        Self {
            rules: Rules::of(store.root()),
            files: Files::of(Some(store.root())),
            stamp: None,
            settings: Settings::from(&Config::resolve(Vec::new())),
        }
    }

    /// Reads changed files again. Problems are journalled, and wrong values ignored. Calls `news` if the profiles
    /// have changed.
    pub(super) fn refresh(&mut self, store: &Store, news: impl FnOnce()) -> Result<()> {
        let changed = self.rules.refresh()?;
        if changed {
            news();
        }
        let problems = self.rules.profiles().problems();
        if changed && !problems.is_empty() {
            let told: Vec<String> = problems.iter().take(PROBLEMS).map(|p| p.text.clone()).collect();
            store.transact(|tx| tx.journal(&Event::BadProfiles { problems: &told }))?;
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
        store.transact(|tx| tx.journal(&Event::BadSettings { problems: &problems }))
    }

    /// Whether all files are unchanged since they were read.
    pub(super) fn is_current(&self) -> bool {
        self.rules.are_current() && self.stamp == Some(self.files.stamp())
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn profiles(&self) -> &Profiles {
        self.rules.profiles()
    }
}
