//! How long messages took from being sent to being submitted, by the journal.
//!
//! Follows the journal, so each look reads only what is new.

use super::snapshot::Latency;
use crate::core::event::EventWord;
use crate::store::{Store, Tail};
use anyhow::Result;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

/// Of how many deliveries the figures are.
const WINDOW: usize = 200;

/// The most messages whose way is followed at a time.
const OPEN: usize = 10_000;

/// What was learnt from the journal.
pub(super) struct Latencies {
    tail: Tail,
    sent: HashMap<String, u64>,
    took: VecDeque<u64>,
}

impl Latencies {
    pub(super) fn new(store: &Store) -> Self {
        Self { tail: store.journal_tail(), sent: HashMap::new(), took: VecDeque::new() }
    }

    /// Reads what is new.
    pub(super) fn update(&mut self) -> Result<()> {
        let (sent, took) = (&mut self.sent, &mut self.took);
        self.tail.read(|entry| note(&entry, sent, took))
    }

    /// The figures; `None` before the first delivery.
    pub(super) fn figures(&self) -> Option<Latency> {
        let mut sorted: Vec<u64> = self.took.iter().copied().collect();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len() - 1)).copied();
        if sorted.is_empty() {
            return None;
        }
        Some(Latency { p50: at(50)?, p95: at(95)?, of: sorted.len() })
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
