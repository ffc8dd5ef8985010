//! Remembers mailboxes that need not be read again.
//!
//! The letters of dead agents stay until somebody sends them again: thousands after a long day, and reading each
//! takes a courier longer than everything else it does. So the result for a mailbox is kept as long as the times of
//! its directories stay the same. Every change of a mailbox adds, removes or replaces a name there, so none is
//! missed. A time that is so recent that the next change could have the same one does not count. Kept by the courier
//! alone, and lost with it.

use crate::core::name::Name;
use crate::store::Store;
use crate::store::mail::Changed;
use anyhow::Result;

/// The result for each mailbox, in the order of their names.
#[derive(Debug)]
pub struct Memo<T>(Vec<Made<T>>);

#[derive(Debug)]
struct Made<T> {
    owner: Name,
    /// When its directories had changed.
    changed: Changed,
    value: T,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Memo<T> {
    /// The result of `read` for a mailbox, from memory if the mailbox is unchanged.
    pub fn recall(&mut self, store: &Store, owner: &Name, read: impl FnOnce() -> Result<T>) -> Result<T> {
        // Before it is read: a change meanwhile is seen the next time.
        let changed = store.mailbox_changed(owner);
        let place = self.0.binary_search_by(|made| made.owner.cmp(owner));
        if let Ok(at) = place {
            if Some(self.0[at].changed) == changed {
                return Ok(self.0[at].value.clone());
            }
            self.0.remove(at);
        }
        let value = read()?;
        if let Some(changed) = changed {
            let (Ok(at) | Err(at)) = place;
            self.0.insert(at, Made { owner: owner.clone(), changed, value: value.clone() });
        }
        Ok(value)
    }

    /// Forgets all mailboxes but these, which are sorted.
    pub fn keep(&mut self, owners: &[Name]) {
        self.0.retain(|made| owners.binary_search(&made.owner).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::mail::Folder;
    use crate::store::tests::store;
    use std::fs::{self, File};
    use std::path::{Path, PathBuf};
    use std::time::{Duration, SystemTime};

    const FILE: &str = "0000000000001-claude-1-00000000.json";

    /// A store with an empty mailbox of the human, and the directory of its new mail.
    fn mailbox() -> (tempfile::TempDir, Store, PathBuf) {
        let (dir, store) = store();
        store.ensure_mailbox(&Name::human()).unwrap();
        let new = store.mail_file(&Name::human(), Folder::New, FILE).parent().unwrap().to_owned();
        (dir, store, new)
    }

    /// Sets the time of each directory of the mailbox that contains `part`.
    fn set(part: &Path, at: SystemTime) {
        for dir in fs::read_dir(part.parent().unwrap()).unwrap() {
            File::open(dir.unwrap().path()).unwrap().set_modified(at).unwrap();
        }
    }

    #[test]
    fn a_mailbox_is_read_again_when_something_has_changed_there() {
        let (_dir, store, new) = mailbox();
        let human = Name::human();
        set(&new, SystemTime::now() - Duration::from_secs(60));
        let (mut memo, mut read) = (Memo::default(), 0);
        let mut look = |memo: &mut Memo<usize>| {
            let count = || {
                read += 1;
                store.count_mail(&human, Folder::New)
            };
            (memo.recall(&store, &human, count).unwrap(), read)
        };
        assert_eq!(look(&mut memo), (0, 1));
        assert_eq!(look(&mut memo), (0, 1), "it is unchanged");
        fs::write(store.mail_file(&human, Folder::New, FILE), "{}").unwrap();
        assert_eq!(look(&mut memo), (1, 2));
        fs::write(store.mail_file(&human, Folder::Unacked, FILE), "{}").unwrap();
        assert_eq!(look(&mut memo), (1, 3));
        memo.keep(&[]);
        assert!(memo.0.is_empty());
    }

    #[test]
    fn what_changed_a_moment_ago_may_change_again_within_the_same_tick() {
        let (_dir, store, new) = mailbox();
        let human = Name::human();
        let mut memo = Memo::default();
        let mut look = || memo.recall(&store, &human, || store.count_mail(&human, Folder::New)).unwrap();
        // An hour ahead, as after somebody has set the clock back: a time in the future proves nothing either.
        for at in [SystemTime::now(), SystemTime::now() + Duration::from_secs(3600)] {
            let _ = fs::remove_file(new.join(FILE));
            set(&new, at);
            assert_eq!(look(), 0);
            fs::write(new.join(FILE), "{}").unwrap();
            set(&new, at);
            assert_eq!(look(), 1);
        }
    }
}
