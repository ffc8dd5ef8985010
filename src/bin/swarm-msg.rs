//! `swarm-msg`: for agents, typed in their own shells.

fn main() -> std::process::ExitCode {
    swarm::cli::swarm_msg()
}
