//! The rate limit that the person's settings set for agents, for processes that cannot see these settings themselves.
//!
//! One small sealed record. A process that knows the person's settings writes it (`roster/rate.rs`). If it is missing
//! or forged, the default limit counts. Reading takes no lock: the record is replaced as a whole, and the last of
//! several processes that publish at once wins.

use super::Store;
use super::record::{Durability, Loaded};
use crate::core::rate::Limit;
use anyhow::Result;

/// Its name in the store, without `.json`.
const RECORD: &str = "allowance";

impl Store {
    /// The published limit, if it is valid.
    pub fn allowance(&self) -> Option<Limit> {
        match self.sealed(RECORD) {
            Ok(Loaded::Ok(limit)) => Some(limit),
            _ => None,
        }
    }

    /// Publishes a limit, unless it is the published one.
    pub fn publish_allowance(&self, limit: Limit) -> Result<()> {
        if self.allowance() == Some(limit) {
            return Ok(());
        }
        self.put_sealed(RECORD, &limit, Durability::Volatile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn what_nobody_published_allows_nothing() {
        let (_dir, store) = store();
        let (limit, file) =
            (Limit { count: 0, window: Duration::from_millis(1000) }, store.dir().join("allowance.json"));
        assert_eq!(store.allowance(), None);
        store.publish_allowance(limit).unwrap();
        assert_eq!(store.allowance(), Some(limit));
        let genuine = fs::read_to_string(&file).unwrap();
        // A changed record, an invented one, one that was sealed under another name, and none.
        store.put_sealed("leases/1", &limit, Durability::Volatile).unwrap();
        let others = fs::read_to_string(store.dir().join("leases/1.json")).unwrap();
        let forged =
            [genuine.replace("1000", "1001"), others, r#"{"count":0,"window_ms":1000}"#.into(), "{".into()];
        for text in forged {
            fs::write(&file, &text).unwrap();
            assert_eq!(store.allowance(), None, "{text}");
        }
        store.publish_allowance(limit).unwrap();
        assert_eq!(store.allowance(), Some(limit));
    }
}
