//! The profiles in use, read from the current files: the built-in ones, a newer set, the project's if they are
//! allowed, and the user's.
//!
//! All commands read the profiles here, so a command that explains a screen and the courier that types into it use
//! the same rules.

use crate::agents::{Link, ProfileSource, Profiles, may_be_agents};
use crate::core::agent::Agent;
use crate::core::process_id::ProcessId;
use crate::store::Store;
use crate::store::profiles::{Allowance, Shelf, Stamp, Text};
use anyhow::Result;
use std::path::Path;

/// The profiles, and the state of their files.
#[derive(Debug)]
pub struct Rules {
    shelf: Shelf,
    stamp: Option<Stamp>,
    profiles: Profiles,
}

impl Rules {
    /// Rules for the project at `root`; the first [`Rules::refresh`] reads them.
    pub fn of(root: &Path) -> Self {
        Self { shelf: Shelf::of(Some(root)), stamp: None, profiles: Profiles::default() }
    }

    /// Reads the files again if they have changed. Returns whether they have.
    pub fn refresh(&mut self) -> Result<bool> {
        // The state first: a file that changes while it is read is read again the next time.
        let stamp = self.shelf.stamp();
        if self.stamp.as_ref() == Some(&stamp) {
            return Ok(false);
        }
        self.profiles = read(&self.shelf)?;
        self.stamp = Some(stamp);
        Ok(true)
    }

    /// Whether the files are unchanged since they were read.
    pub fn are_current(&self) -> bool {
        self.stamp.as_ref() == Some(&self.shelf.stamp())
    }

    /// The profiles that were read last.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }
}

/// Reads the profiles now.
pub fn load() -> Result<Profiles> {
    read(&shelf())
}

/// The directories of the profiles, for the current directory.
pub fn shelf() -> Shelf {
    let root = std::env::current_dir().ok().and_then(|dir| Store::root_for_caller(&dir));
    Shelf::of(root.as_deref())
}

/// The nearest process in `chain` that is an agent's program, in whatever form, and its kind.
pub fn nearest(chain: &[Link]) -> Result<Option<(ProcessId, String)>> {
    let sources = sources(shelf().read().texts);
    if !may_be_agents(&sources, chain) {
        return Ok(None);
    }
    let rules = Profiles::load(&sources)?;
    Ok(rules.nearest(chain).map(|(link, kind)| (link.id.clone(), kind.to_owned())))
}

/// Whether the caller at the end of `chain` acts for `agent` itself ([`Profiles::acts_for`]).
pub fn acts_for(agent: &Agent, chain: &[Link]) -> Result<bool> {
    let sources = sources(shelf().read().texts);
    let top = chain.iter().position(|link| link.id == agent.process);
    if top.is_some_and(|top| !may_be_agents(&sources, &chain[..top])) {
        return Ok(true);
    }
    Ok(Profiles::load(&sources)?.acts_for(agent, chain))
}

fn read(shelf: &Shelf) -> Result<Profiles> {
    let shelved = shelf.read();
    let mut profiles = Profiles::load(&sources(shelved.texts))?;
    shelved.bad_update.into_iter().for_each(|why| profiles.warn(why));
    if shelved.project == Allowance::Changed {
        let text = "the rules for agents in .swarm-profiles/ have changed since you allowed them, so they are not used: `swarm profile allow` shows them";
        profiles.warn(text.to_owned());
    }
    Ok(profiles)
}

fn sources(texts: Vec<Text>) -> Vec<ProfileSource> {
    texts.into_iter().map(|one| ProfileSource { from: one.from, file: one.file, text: one.text }).collect()
}
