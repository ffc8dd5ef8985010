//! swarm: lets the coding agents in your tmux panes work together.
//!
//! One sentence: *a command loads state under a lock, asks a pure core for a decision, commits it, and one
//! courier tells tmux.* The layers (`docs/design.md` has the table of what each may use):
//!
//! - [`cli`]: one file per command: its arguments, its handler, its output
//! - [`view`]: the views for a person, the dashboard and the popups: their contents, their keys, and how they are drawn
//! - [`courier`]: one process per project, which delivers messages and types them into panes
//! - [`roster`]: finds and recognises agents, and observes their states
//! - [`hooks`]: answers an agent's own hook
//! - [`carriers`]: agents' own channels, which give a text to a running agent without a key
//! - `link`: the way to a team over several hosts; a program of its own, with the feature `team`
//! - [`tmux`]: the only code that talks to tmux
//! - [`store`]: the `.swarm/` directory: the mutex, atomic records, the signing key
//! - [`os`]: processes, their ancestry and their liveness
//! - [`agents`]: the rules for each kind of agent, as data
//! - [`core`]: decisions; no files, processes, environment, clock or randomness
//!
//! There is no mutable global state anywhere: everything shared lives in the store.

pub mod agents;
pub mod carriers;
pub mod cli;
pub mod core;
pub mod courier;
pub mod hooks;
#[cfg(feature = "team")]
pub mod link;
pub mod os;
pub mod roster;
pub mod store;
pub mod tmux;
pub mod view;
