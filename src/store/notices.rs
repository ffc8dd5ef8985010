//! Messages of swarm itself: `notices/`, and from there into mailboxes.
//!
//! A notice is written in the transaction of its change, before the change, so none is lost. It is signed and fsynced
//! outside the mutex, and moved into the mailbox in a second transaction, so it is posted once, even if several
//! processes try. After a crash in between, the next lease command or the courier posts it.

use super::post::NewMessage;
use super::record::{self, Durability, Loaded};
use super::{Store, Transaction, entropy, fault, now_ms};
use crate::core::body::Body;
use crate::core::escape;
use crate::core::name::Name;
use crate::core::notice::Notice;
use crate::core::rate::Limit;
use anyhow::{Context as _, Result};

impl Store {
    /// Posts all waiting notices. Returns how many were posted.
    pub fn post_notices(&self) -> Result<usize> {
        let dir = self.dir.join("notices");
        let mut posted = 0;
        for file in record::list(&dir)? {
            let path = dir.join(&file);
            let notice =
                match self.sealed::<Notice>(&format!("notices/{}", file.trim_end_matches(".json")))? {
                    Loaded::Ok(notice) => notice,
                    Loaded::Missing => continue,
                    Loaded::Bad(why) => {
                        self.quarantine(&path, &why)?;
                        continue;
                    }
                };
            // It may quote a text from a time when more characters were valid.
            let body = match Body::new(&escape::text(&notice.text)) {
                Ok(body) => body,
                // It must not block the notices after it.
                Err(bad) => {
                    self.quarantine(&path, &bad.to_string())?;
                    continue;
                }
            };
            let Some(to) = self.reader(&notice.to)? else {
                let _ = std::fs::remove_file(&path);
                continue;
            };
            // The rate limit does not apply to notices, and they find room in a full mailbox.
            let (message, staged) =
                self.prepare(NewMessage::of_system(to, notice.kind, body), Limit::none(), |_| Ok(()))?;
            posted += self.transact(|tx| {
                if !path.exists() {
                    return Ok(0);
                }
                tx.publish(&message, &staged, |_| Ok(()))?;
                fault::point("notice-posted");
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                Ok(1)
            })?;
            self.sync_mailboxes(&message)?;
        }
        if posted > 0 {
            self.ring()?;
        }
        Ok(posted)
    }

    /// The present name of the recipient; `None` if the recipient is dead. Must not be called under the mutex.
    pub(super) fn reader(&self, name: &Name) -> Result<Option<Name>> {
        if name.is_human() {
            return Ok(Some(name.clone()));
        }
        let find = || Ok(self.living()?.into_iter().find(|a| a.answers_to(name)).map(|a| a.name));
        // An agent that is being renamed may have neither name for a moment. Under the mutex it has one.
        match find()? {
            None => self.transact(|_| find()),
            found => Ok(found),
        }
    }
}

impl Transaction<'_> {
    /// Keeps a notice until it is posted.
    pub fn put_notice(&mut self, notice: &Notice) -> Result<()> {
        let name = format!("notices/{:013}-{:08x}", now_ms(), entropy()? & 0xffff_ffff);
        self.store.put_sealed(&name, notice, Durability::Volatile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::MessageType;
    use crate::store::mail::Folder;
    use crate::store::tests::{agent, store};
    use std::sync::mpsc::channel;

    #[test]
    fn a_notice_to_one_who_is_just_being_renamed_waits_for_the_renaming() {
        let (_dir, store) = store();
        let (old, new) = (Name::new("claude-1").unwrap(), Name::new("anna").unwrap());
        let agent = agent("claude-1");
        store.transact(|tx| tx.put_agent(&agent)).unwrap();
        store.ensure_mailbox(&old).unwrap();
        let (written, is_written) = channel::<()>();
        let (looked, has_looked) = channel::<()>();
        let (store, before) = (&store, &old);
        std::thread::scope(|scope| {
            // The courier, which finds the notice before the name.
            scope.spawn(move || {
                is_written.recv().unwrap();
                assert_eq!(store.agents().unwrap()[0].name, *before);
                looked.send(()).unwrap();
                store.post_notices().unwrap();
            });
            store
                .transact(|tx| {
                    let text = "you are anna now".to_owned();
                    tx.put_notice(&Notice { to: new.clone(), kind: MessageType::Info, text })?;
                    written.send(())?;
                    has_looked.recv()?;
                    // It has looked for `anna` and found nobody, or it looks only now.
                    std::thread::sleep(std::time::Duration::from_millis(50));
                    tx.rename_agent(&agent, &new)
                })
                .unwrap();
        });
        store.post_notices().unwrap();
        assert_eq!(store.count_mail(&new, Folder::New).unwrap(), 1);
    }
}
