//! Decisions without side effects: names, messages, signatures, registry, delivery states, rate windows.
//!
//! Nothing here reads a file, a process, the environment, a clock or a random source: time and random bits are
//! arguments. So everything here is safe to call from any thread, and is tested without sleeping.

pub mod ack;
pub mod address;
pub mod agent;
pub mod answers;
pub mod badge;
pub mod body;
pub mod bundle;
pub mod carrier;
pub mod claim;
pub mod config;
pub mod coord;
pub mod delivery;
pub mod digest;
pub mod escape;
pub mod event;
pub mod few;
pub mod frame;
mod glyph;
pub mod group;
pub mod heir;
pub mod hook;
pub mod id;
pub mod lease;
pub mod log;
pub mod message;
pub mod moment;
pub mod name;
pub mod notice;
pub mod order;
pub mod plain;
pub mod plural;
pub mod process_id;
pub mod rate;
pub mod refusal;
pub mod registry;
pub mod rules;
pub mod screen;
pub mod signing;
pub mod span;
pub mod team;
pub mod tree;
pub mod usage_limit;
pub mod version;
