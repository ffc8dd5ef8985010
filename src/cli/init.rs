use super::{print, session};
use crate::core::escape;
use crate::store::Store;
use anyhow::Result;

/// Make this project a swarm: creates .swarm/ and the signing key (idempotent)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  swarm init")]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<()> {
    let (store, created) = Store::init(&session::here()?)?;
    let word = if created { "swarm is ready in" } else { "swarm was already set up in" };
    print::out(&format!("{word} {}\n", escape::line(&store.root().display().to_string())))
}
