//! `swarm-link`: this host's link to its team, and the commands that make one.

fn main() -> std::process::ExitCode {
    swarm::cli::swarm_link()
}
