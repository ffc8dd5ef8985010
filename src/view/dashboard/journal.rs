//! What the journal says beyond the records: how long deliveries took, and what happened to leases.
//!
//! Follows the journal, so each look reads only what is new. The first look reads all of it, which takes longer than a person waits
//! for a first screen: it is done in a thread of its own.

use super::snapshot::{Latency, LeaseNote};
use crate::core::escape;
use crate::core::event::EventWord;
use crate::core::span;
use crate::store::{Store, Tail};
use anyhow::Result;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};

/// Of how many deliveries the figures are.
const WINDOW: usize = 200;

/// The most messages whose way is followed at a time.
const OPEN: usize = 10_000;

/// The most events of leases that are kept.
const NOTES: usize = 2000;

/// The journal as far as it was read.
pub(super) struct Journal {
    /// The reader, until the first look begins.
    unread: Option<Tail>,
    first: Option<Receiver<Learnt>>,
    learnt: Option<Learnt>,
    history: Rc<Vec<LeaseNote>>,
}

/// What was learnt from the journal.
struct Learnt {
    tail: Tail,
    sent: HashMap<String, u64>,
    took: VecDeque<u64>,
    leases: VecDeque<LeaseNote>,
    new: bool,
}

impl Journal {
    /// One of which nothing is read until somebody asks for what is new.
    pub(super) fn new(store: &Store) -> Self {
        Self { unread: Some(store.journal_tail()), first: None, learnt: None, history: Rc::default() }
    }

    /// Reads what is new. Whether there is anything now that was not there before.
    pub(super) fn update(&mut self) -> Result<bool> {
        if let Some(tail) = self.unread.take() {
            let (done, first) = channel();
            std::thread::spawn(move || {
                let (sent, took, leases) = (HashMap::new(), VecDeque::new(), VecDeque::new());
                let mut learnt = Learnt { tail, sent, took, leases, new: true };
                // A journal that cannot be read is no reason to show nothing; the next look reports it.
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

    /// The figures; `None` before the first delivery.
    pub(super) fn figures(&self) -> Option<Latency> {
        let mut sorted: Vec<u64> = self.learnt.as_ref()?.took.iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| {
            sorted.get((sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?)).copied()
        };
        Some(Latency { p50: at(50)?, p95: at(95)? })
    }

    /// What happened to leases, oldest first.
    pub(super) fn history(&self) -> Rc<Vec<LeaseNote>> {
        Rc::clone(&self.history)
    }
}

impl Learnt {
    fn read(&mut self) -> Result<()> {
        let Self { tail, sent, took, leases, new } = self;
        tail.read(|entry| {
            note(&entry, sent, took);
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

fn note(entry: &Value, sent: &mut HashMap<String, u64>, took: &mut VecDeque<u64>) {
    let (Some(at), Some(id)) = (entry["t"].as_u64(), entry["id"].as_str()) else { return };
    match EventWord::of(entry) {
        Some(EventWord::Sent) => {
            if sent.len() >= OPEN {
                sent.clear();
            }
            sent.insert(id.to_owned(), at);
        }
        Some(EventWord::Delivery) if entry["stage"] == "submitted" && entry["reminder"].is_null() => {
            if let Some(begun) = sent.get(id) {
                if took.len() == WINDOW {
                    took.pop_front();
                }
                took.push_back(at.saturating_sub(*begun));
            }
        }
        _ => {}
    }
}

/// What an entry says about a lease.
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
