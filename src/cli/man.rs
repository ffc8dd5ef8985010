use super::{Swarm, SwarmMsg, print};
use crate::core::escape;
use anyhow::{Context as _, Result};
use clap::CommandFactory;
use clap_mangen::{Man, generate_to};
use std::path::PathBuf;

/// Print the manual page, or write the pages of all commands
///
/// With DIR it writes swarm.1, swarm-msg.1 and a page for each of their commands, such as swarm-msg-send.1. Existing
/// files with these names are replaced.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm man | man -l -\n  swarm man ~/.local/share/man/man1")]
pub(super) struct Args {
    /// The directory for the pages; it is made if it does not exist
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(Swarm::command()).render(&mut page)?;
        return print::out(&String::from_utf8(page).context("the manual page is not UTF-8")?);
    };
    let context = || format!("cannot write manual pages to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(context)?;
    for program in [Swarm::command(), SwarmMsg::command()] {
        generate_to(program, dir).with_context(context)?;
    }
    print::out(&format!("manual pages are in {}\n", escape::line(&dir.display().to_string())))
}
