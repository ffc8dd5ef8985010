//! Letters to other hosts, for the conversations. They are in no mailbox here.

use super::feed;
use super::snapshot::{MailState, MessageRow};
use crate::core::delivery::Stage;
use crate::core::escape;
use crate::core::message::Verified;
use crate::core::order;
use crate::store::Store;
use crate::store::team::{Sent, there};
use anyhow::Result;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::SystemTime;

/// The most letters that are kept: the newest.
const LIMIT: usize = 2_000;

/// The letters that were read so far.
#[derive(Default)]
pub(super) struct LettersAway {
    changed: Option<[SystemTime; 2]>,
    rows: HashMap<String, Letter>,
}

struct Letter {
    row: Rc<MessageRow>,
    /// Whether it will not change any more.
    done: bool,
}

impl LettersAway {
    /// Reads the changes.
    #[inline(never)]
    pub(super) fn update(&mut self, store: &Store) -> Result<()> {
        if !store.has_team() {
            self.rows.clear();
            return Ok(());
        }
        // Before the records are read: a change meanwhile is seen the next time.
        let changed = store.away_changed();
        if changed.is_some() && changed == self.changed {
            return Ok(());
        }
        self.changed = changed;
        let rows = &self.rows;
        let found = store.letters_away(|id| rows.get(id).is_some_and(|letter| letter.done))?;
        for (sent, message) in found {
            let letter = letter(&sent, &message);
            self.rows.insert(sent.id.to_string(), letter);
        }
        if self.rows.len() > LIMIT {
            let mut times: Vec<u64> = self.rows.values().map(|letter| letter.row.at).collect();
            order::sort(&mut times);
            let oldest = times[times.len() - LIMIT];
            self.rows.retain(|_, letter| letter.row.at >= oldest);
        }
        Ok(())
    }

    /// Adds the letters to the messages of the mailboxes, newest first.
    pub(super) fn add_to(&self, rows: &mut Vec<Rc<MessageRow>>) {
        if !self.rows.is_empty() {
            rows.extend(self.rows.values().map(|letter| Rc::clone(&letter.row)));
            order::sort_by_key(rows, |row| std::cmp::Reverse(row.at));
        }
    }
}

fn letter(sent: &Sent, message: &Verified) -> Letter {
    // The recipient with the least progress counts; a failure counts more than any progress.
    let least = sent.to.values().min_by_key(|way| (way.stage != Stage::Failed).then_some(way.stage));
    let (stage, why) = least.map(|way| (way.stage, way.detail.as_str())).unwrap_or_default();
    let done = match stage {
        Stage::Read => !message.ack_required,
        stage => matches!(stage, Stage::Acked | Stage::Failed),
    };
    let to: Vec<String> = sent.to.keys().map(|name| there(&sent.host, name).to_string()).collect();
    let row = feed::row(message);
    let folded = format!("{} {}", row.folded, to.join(" ").to_lowercase());
    let state = if stage == Stage::Read && row.ack { MailState::ReadNoAck } else { MailState::At(stage) };
    Letter { row: Rc::new(MessageRow { to, folded, state, why: escape::short(why, 200), ..row }), done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::address::HostName;
    use crate::core::message::{Identity, MessageType};
    use crate::core::name::Name;
    use crate::core::rate::Limit;
    use crate::store::post::NewMessage;
    use crate::store::team::Receipt;
    use crate::view::dashboard::feed::Feed;

    #[test]
    fn a_letter_to_another_host_is_in_its_conversation_from_the_first_moment_to_the_last() {
        let (_dir, store) = crate::store::tests::store();
        for part in ["out", "sent", "in", "asks"] {
            std::fs::create_dir_all(store.team_dir().join(part)).unwrap();
        }
        std::fs::write(store.team_dir().join("bell"), "").unwrap();
        let (host, name) = (HostName::new("build").unwrap(), Name::new("codex-1").unwrap());
        let body = crate::core::body::Body::new("is it green?").unwrap();
        let draft =
            NewMessage::new(Name::human(), Identity::Human, vec![name.clone()], MessageType::Question, body);
        let message = store.post_away(draft, &host, Limit::none()).unwrap();
        let mut feed = Feed::default();
        let mut look = || {
            feed.update(&store, &[]).unwrap();
            let row = &feed.rows()[0];
            assert_eq!(
                (feed.rows().len(), &row.body[..], &row.to[..]),
                (1, "is it green?", &["build/codex-1".to_owned()][..])
            );
            assert_eq!(row.thread, message.thread.to_string());
            (row.state, row.why.clone())
        };
        assert_eq!(look(), (MailState::At(Stage::Queued), "waits for the link".to_owned()));
        store.left_for_engine(&host, &message, None).unwrap();
        assert_eq!(look(), (MailState::At(Stage::Queued), "at the engine".to_owned()));
        for stage in [Stage::Submitted, Stage::Read] {
            let receipt =
                Receipt { id: message.id.clone(), name: name.clone(), stage, detail: String::new() };
            store.take_receipt(&host, &receipt).unwrap();
            assert_eq!(look(), (MailState::At(stage), String::new()));
        }
    }
}
