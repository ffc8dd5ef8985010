//! The profiles in use: the built-in ones and the user's files, as they are now.
//!
//! Everybody reads them here, so a command that explains a screen and the courier that types into it use the same
//! rules.

use crate::agents::{ProfileSource, Profiles};
use crate::store::profiles::{Shelf, Stamp};
use anyhow::Result;

/// The profiles, and what they were read from.
#[derive(Debug)]
pub struct Rules {
    shelf: Shelf,
    stamp: Option<Stamp>,
    profiles: Profiles,
}

impl Rules {
    /// Rules that are read with the first [`Rules::refresh`].
    pub fn of_user() -> Self {
        Self { shelf: Shelf::of_user(), stamp: None, profiles: Profiles::default() }
    }

    /// Reads the files again if they have changed. Returns whether they have.
    pub fn refresh(&mut self) -> Result<bool> {
        // The state first: what changes while it is read is read again the next time.
        let stamp = self.shelf.stamp();
        if self.stamp.as_ref() == Some(&stamp) {
            return Ok(false);
        }
        self.profiles = read(&self.shelf)?;
        self.stamp = Some(stamp);
        Ok(true)
    }

    /// Whether the files are still as they were read.
    pub fn are_current(&self) -> bool {
        self.stamp.as_ref() == Some(&self.shelf.stamp())
    }

    /// The profiles as they were read last.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }
}

/// The profiles as they are now.
pub fn load() -> Result<Profiles> {
    read(&Shelf::of_user())
}

fn read(shelf: &Shelf) -> Result<Profiles> {
    let sources: Vec<ProfileSource> =
        shelf.read().into_iter().map(|(file, text)| ProfileSource { file, text }).collect();
    Profiles::load(&sources)
}
