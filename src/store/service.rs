//! The courier's record of itself, `courier.json`, and the mark that none may run, `retired`.
//!
//! The one courier, which holds its lock, writes it by rename; commands read it without a lock. It is only a hint:
//! nothing is run or ended because of it alone. If a process is killed between a courier's death and the removal, the
//! record names a process that is gone, which readers notice.

use super::Store;
use super::record::{self, Durability, Loaded};
use crate::core::process_id::ProcessId;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A courier, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub version: String,
    /// The file it was started from.
    pub program: String,
    /// Its process, and the pid namespace in which that can be looked at.
    pub process: ProcessId,
    /// See there.
    #[serde(default)]
    pub namespace: Option<u64>,
    /// Why the program that lies in that place by now could not take over.
    #[serde(default)]
    pub trouble: Option<String>,
}

impl Store {
    /// What the last courier said of itself; nothing if that was one of a version that did not.
    pub fn service(&self) -> Result<Option<Service>> {
        Ok(match record::load(&self.dir.join("courier.json"))? {
            Loaded::Ok(service) => Some(service),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// Says what this courier is.
    pub fn put_service(&self, service: &Service) -> Result<()> {
        record::replace(&self.tmp(), &self.dir.join("courier.json"), service, Durability::Volatile)
    }

    /// Whether somebody listens for a ring. Rings nobody.
    pub fn is_served(&self) -> Result<bool> {
        super::wake::is_heard(&self.dir.join("wake"))
    }

    /// Whether the person has ended the courier for good.
    pub fn is_retired(&self) -> bool {
        self.dir.join("retired").exists()
    }

    /// Notes that no courier is to start by itself from now on.
    pub fn retire(&self) -> Result<()> {
        match record::create_file(&self.dir.join("retired"), b"") {
            Err(_) if self.is_retired() => Ok(()),
            other => other,
        }
    }

    /// Takes that back.
    pub fn reinstate(&self) -> Result<()> {
        record::remove(&self.dir.join("retired"))
    }
}
