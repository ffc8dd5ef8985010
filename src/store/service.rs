//! The courier's record of itself, `courier.json`, and the mark that stops couriers from starting, `retired`.
//!
//! The one courier, which holds its lock, writes it by a rename; commands read it without a lock. It is only a hint:
//! nothing is run or ended because of it alone. If a process is killed between a courier's death and the removal, the
//! record names a process that is gone, which readers notice.

use super::Store;
use super::record::{self, Durability, Loaded};
use crate::core::process_id::ProcessId;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// A courier's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub version: String,
    /// The file it was started from.
    pub program: String,
    /// Its process.
    pub process: ProcessId,
    /// The pid namespace of that process.
    #[serde(default)]
    pub namespace: Option<u64>,
    /// Why the program that is now in that place could not take over.
    #[serde(default)]
    pub trouble: Option<String>,
}

impl Store {
    /// The description of the last courier; `None` if its version did not write one.
    pub fn service(&self) -> Result<Option<Service>> {
        Ok(match record::load(&self.dir.join("courier.json"))? {
            Loaded::Ok(service) => Some(service),
            Loaded::Missing | Loaded::Bad(_) => None,
        })
    }

    /// Records this courier.
    pub fn put_service(&self, service: &Service) -> Result<()> {
        record::replace(&self.tmp(), &self.dir.join("courier.json"), service, Durability::Volatile)
    }

    /// Whether a courier listens for a ring. Does not ring.
    pub fn is_served(&self) -> Result<bool> {
        super::wake::is_heard(&self.dir.join("wake"))
    }

    /// Whether the person has ended the courier for good.
    pub fn is_retired(&self) -> bool {
        self.dir.join("retired").exists()
    }

    /// Stops couriers from starting by themselves.
    pub fn retire(&self) -> Result<()> {
        match record::create_file(&self.dir.join("retired"), b"") {
            Err(_) if self.is_retired() => Ok(()),
            other => other,
        }
    }

    /// Lets couriers start again.
    pub fn reinstate(&self) -> Result<()> {
        record::remove(&self.dir.join("retired"))
    }
}
