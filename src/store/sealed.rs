//! Records with a seal, which shows any change of a byte, and any other name.
//!
//! A wrong record must not be used: it decides who holds a lease, or which number comes next. The seal is an HMAC
//! with the project's key over the name and the content. Writing is one rename, as for all records.

use super::record::{self, Durability, Loaded};
use super::{Store, fault};
use anyhow::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The counter of a new store. It is made before the key exists, so it has no seal.
pub(super) const FIRST_NUMBERS: &str = "{\"last\": 0, \"reserved\": 0, \"boot\": \"\"}\n";

#[derive(Serialize)]
struct Sealed<T> {
    #[serde(flatten)]
    record: T,
    seal: String,
}

#[derive(Deserialize)]
struct Seal {
    seal: String,
}

/// Reads a record and its seal one after the other. As one type, each value of the record would be copied on its way.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<Sealed<T>> {
    let seal = seal_of(bytes)?;
    Ok(Sealed { record: serde_json::from_slice(bytes)?, seal })
}

#[inline(never)]
fn seal_of(bytes: &[u8]) -> serde_json::Result<String> {
    Ok(serde_json::from_slice::<Seal>(bytes)?.seal)
}

impl Store {
    /// Writes a sealed record; `name` is its path in the store without `.json`.
    pub(super) fn put_sealed<T: Serialize>(
        &self,
        name: &str,
        record: &T,
        durability: Durability,
    ) -> Result<()> {
        let seal = self.key.seal(name, &serde_json::to_vec(record)?);
        let path = self.dir.join(format!("{name}.json"));
        fault::point("before-sealed-write");
        let result = record::replace(&self.tmp(), &path, &Sealed { record, seal }, durability);
        fault::point("after-sealed-write");
        result
    }

    /// Overwrites a small sealed record that is read under the mutex only, as [`record::overwrite`] does.
    pub(super) fn overwrite_sealed<T: Serialize>(&self, name: &str, record: &T) -> Result<()> {
        let seal = self.key.seal(name, &serde_json::to_vec(record)?);
        let path = self.dir.join(format!("{name}.json"));
        fault::point("before-sealed-write");
        let result = record::overwrite(&self.tmp(), &path, &Sealed { record, seal });
        fault::point("after-sealed-write");
        result
    }

    /// Reads a sealed record.
    pub(super) fn sealed<T: Serialize + DeserializeOwned>(&self, name: &str) -> Result<Loaded<T>> {
        Ok(match record::load_as(&self.dir.join(format!("{name}.json")), parse::<T>)? {
            Loaded::Ok(Sealed { record, seal }) => {
                if self.key.is_sealed(name, &serde_json::to_vec(&record)?, &seal) {
                    Loaded::Ok(record)
                } else {
                    Loaded::Bad("its seal does not fit: it was changed, or has another record's name".into())
                }
            }
            Loaded::Missing => Loaded::Missing,
            Loaded::Bad(why) => Loaded::Bad(why),
        })
    }
}
