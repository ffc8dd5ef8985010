use super::{Swarm, SwarmMsg, print};
use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

/// Print the completions of `swarm` and `swarm-msg` for your shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  swarm completions bash > ~/.local/share/bash-completion/completions/swarm\n  swarm completions fish > ~/.config/fish/completions/swarm.fish\n\nFor zsh, put this into ~/.zshrc, after compinit: eval \"$(swarm completions zsh)\"\nbash and fish need the same file as swarm-msg (swarm-msg.fish) beside it."
)]
pub(super) struct Args {
    /// The shell
    shell: Kind,
}

/// The tested shells.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let shell = match args.shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let script = |program: &mut Command, name: &str| {
        let mut script = Vec::new();
        generate(shell, program, name, &mut script);
        String::from_utf8(script).context("the completions are not UTF-8")
    };
    let swarm = script(&mut Swarm::command(), "swarm")?;
    let swarm_msg = match shell {
        // clap_complete's bash script takes the hyphen for the beginning of a command's name, and then completes no
        // option. So the hyphen is added only in the lines at the end that register the program.
        Shell::Bash => script(&mut SwarmMsg::command().name("swarmmsg"), "swarmmsg")?
            .replace(" swarmmsg\n", " swarm-msg\n"),
        _ => script(&mut SwarmMsg::command(), "swarm-msg")?,
    };
    // Written by hand, because only the program itself knows the names.
    let names = match shell {
        Shell::Bash => include_str!("completions/names.bash"),
        Shell::Zsh => include_str!("completions/names.zsh"),
        _ => include_str!("completions/names.fish"),
    };
    print::out(&format!("{swarm}{swarm_msg}{names}"))
}
