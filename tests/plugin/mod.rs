//! The tmux plugin on real, private tmux servers: loading, keys, hooks, notices, popups, building and unloading.
//! A stub stands in for the `swarm` program; the plugin's directory has a name with every awkward character.
mod building;
mod lab;
mod loading;
mod menu;
mod prebuilt;
mod tpm;
