//! The tests of the whole: real tmux on private servers, real processes, scripted agents. Each module is about one matter, which its
//! preamble states.
//!
//! They are one program, so the crate is linked once: `cargo test --test suite leases::` runs one module.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod answers;
mod anywhere;
mod apart;
mod bounds;
mod carriers;
mod conditions;
mod config;
mod coord;
mod courier;
mod crash;
mod dashboard;
mod delivery;
mod dialog;
mod doctor;
mod events;
mod faults;
mod groups;
mod handover;
mod hooks;
mod hostile;
mod identity;
mod install;
mod keys;
mod leases;
mod letters;
mod managers;
mod manners;
mod messages;
mod names;
mod native;
mod packages;
mod places;
mod plugin;
mod profiles;
mod proof;
mod quoting;
mod races;
mod rate;
mod rules;
mod screens;
mod served;
mod setup;
mod soak;
mod starting;
mod stores;
mod support;
mod team;
mod traps;
mod tree;
mod uninstall;
mod versions;
