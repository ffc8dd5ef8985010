//! The facts that only the journal has: how long deliveries took, and what happened to leases.
//!
//! Follows the journal, so each look reads only new entries. The first look reads all of it, which takes longer than
//! a person waits for a first screen, so it has a thread of its own.

use super::snapshot::{Latency, LeaseNote};
use crate::core::escape;
use crate::core::event::EventWord;
use crate::core::order;
use crate::core::span;
use crate::store::{Store, Tail};
use anyhow::Result;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};

/// The number of deliveries in the figures.
const WINDOW: usize = 200;

/// The most messages that are followed at a time.
const OPEN: usize = 10_000;

/// The most events of leases that are kept.
const NOTES: usize = 2000;

/// The journal, as far as it was read.
pub(super) struct Journal {
    /// The reader, until the first look begins.
    unread: Option<Tail>,
    first: Option<Receiver<Learnt>>,
    learnt: Option<Learnt>,
    history: Rc<Vec<LeaseNote>>,
}

/// The facts from the journal.
struct Learnt {
    tail: Tail,
    mail: Mail,
    leases: VecDeque<LeaseNote>,
    new: bool,
}

/// How long messages took.
#[derive(Debug, Default)]
struct Mail {
    /// The sending times of the messages under way.
    sent: HashMap<String, u64>,
    /// When mail was last held, by recipient: a draft, a turn or a dialog also blocked the mail behind it.
    held: HashMap<String, u64>,
    /// How long the last messages took; `None`: the message had to wait.
    took: VecDeque<Option<u64>>,
}

impl Journal {
    /// A journal that is not read before the first [`Journal::update`].
    pub(super) fn new(store: &Store) -> Self {
        Self { unread: Some(store.journal_tail()), first: None, learnt: None, history: Rc::default() }
    }

    /// Reads new entries. Returns whether there is any new fact.
    #[inline(never)]
    pub(super) fn update(&mut self) -> Result<bool> {
        if let Some(tail) = self.unread.take() {
            let (done, first) = channel();
            std::thread::spawn(move || {
                let mut learnt = Learnt { tail, mail: Mail::default(), leases: VecDeque::new(), new: true };
                // If the journal cannot be read, the rest is shown nevertheless. The next look reports the error.
                let _ = learnt.read();
                let _ = done.send(learnt);
            });
            self.first = Some(first);
        }
        let first = self.first.as_ref().and_then(|first| first.try_recv().ok());
        let came = first.is_some();
        if came {
            (self.first, self.learnt) = (None, first);
        }
        let Some(learnt) = &mut self.learnt else { return Ok(false) };
        learnt.read()?;
        if std::mem::take(&mut learnt.new) {
            self.history = Rc::new(learnt.leases.iter().cloned().collect());
        }
        Ok(came)
    }

    /// The figures; `None` before the first delivery to a free agent.
    pub(super) fn figures(&self) -> Option<Latency> {
        self.learnt.as_ref()?.mail.figures()
    }

    /// The events of leases, oldest first.
    pub(super) fn history(&self) -> Rc<Vec<LeaseNote>> {
        Rc::clone(&self.history)
    }
}

impl Learnt {
    fn read(&mut self) -> Result<()> {
        let Self { tail, mail, leases, new } = self;
        tail.read(|entry| {
            mail.note(&entry);
            if let Some(note) = lease(&entry) {
                if leases.len() == NOTES {
                    leases.pop_front();
                }
                leases.push_back(note);
                *new = true;
            }
        })
    }
}

impl Mail {
    fn note(&mut self, entry: &Value) {
        let (Some(at), Some(id)) = (entry["t"].as_u64(), entry["id"].as_str()) else { return };
        let to = entry["to"].as_str().unwrap_or_default();
        match EventWord::of(entry) {
            Some(EventWord::Sent) => {
                if self.sent.len() >= OPEN {
                    self.sent.clear();
                }
                self.sent.insert(id.to_owned(), at);
            }
            Some(EventWord::Delivery) if entry["stage"] == "held" => {
                if self.held.len() >= OPEN {
                    self.held.clear();
                }
                self.held.insert(to.to_owned(), at);
            }
            Some(EventWord::Delivery) if entry["stage"] == "submitted" && entry["reminder"].is_null() => {
                if let Some(begun) = self.sent.get(id) {
                    if self.took.len() == WINDOW {
                        self.took.pop_front();
                    }
                    let waited = self.held.get(to).is_some_and(|held| held >= begun);
                    self.took.push_back((!waited).then(|| at.saturating_sub(*begun)));
                }
            }
            _ => {}
        }
    }

    fn figures(&self) -> Option<Latency> {
        let mut sorted: Vec<u64> = self.took.iter().flatten().copied().collect();
        order::sort(&mut sorted);
        let at = |percent: usize| {
            sorted.get((sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?)).copied()
        };
        let (of, waited) = (self.took.len(), self.took.len() - sorted.len());
        Some(Latency { p50: at(50)?, p95: at(95)?, of, waited })
    }
}

/// The event of a lease in an entry.
fn lease(entry: &Value) -> Option<LeaseNote> {
    let what = match EventWord::of(entry)? {
        EventWord::LeaseGranted => "got it".to_owned(),
        EventWord::LeaseEnded => {
            let held = span::age(0, entry["held_ms"].as_u64().unwrap_or_default());
            let why = entry["why"].as_str().unwrap_or("ended");
            format!("{} after {held}", escape::short(why, 20))
        }
        EventWord::LeaseDenied => "was refused it".to_owned(),
        EventWord::LeaseQueued => "began to wait".to_owned(),
        EventWord::LeaseDequeued => "waits no more".to_owned(),
        EventWord::LeaseChallenged => "was asked to renew it".to_owned(),
        _ => return None,
    };
    let paths = entry["paths"].as_array()?.iter().filter_map(Value::as_str).take(64);
    Some(LeaseNote {
        at: entry["t"].as_u64()?,
        name: escape::short(entry["name"].as_str()?, 32),
        what,
        paths: paths.map(|path| escape::short(path, 200)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_had_to_wait_is_counted_and_not_taken_for_a_slow_delivery() {
        let mut mail = Mail::default();
        assert_eq!(mail.figures(), None);
        let sent = |t: u64, id: &str, to: &str| json!({"t": t, "event": "sent", "id": id, "to": [to]});
        let stage = |t: u64, id: &str, to: &str, stage: &str| json!({"t": t, "event": "delivery", "id": id, "to": to, "stage": stage});
        for entry in [
            sent(1000, "a", "codex-1"),
            stage(1200, "a", "codex-1", "submitted"),
            // A draft blocks this message and the one behind it, and not those of other agents.
            sent(2000, "b", "codex-1"),
            stage(2100, "b", "codex-1", "held"),
            sent(2050, "c", "codex-1"),
            sent(2050, "d", "claude-1"),
            stage(2350, "d", "claude-1", "submitted"),
            stage(90_000, "b", "codex-1", "submitted"),
            stage(90_000, "c", "codex-1", "submitted"),
            // A message that is sent afterwards finds the agent free.
            sent(91_000, "e", "codex-1"),
            stage(91_100, "e", "codex-1", "submitted"),
        ] {
            mail.note(&entry);
        }
        assert_eq!(mail.figures(), Some(Latency { p50: 200, p95: 300, of: 5, waited: 2 }));
    }
}
