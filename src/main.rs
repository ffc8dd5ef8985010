//! `swarm`: for people and for the tmux plugin.

fn main() -> std::process::ExitCode {
    swarm::cli::swarm()
}
