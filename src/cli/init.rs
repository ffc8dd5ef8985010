use super::{print, session, stranger};
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::os::caller::Chain;
use crate::store::Store;
use anyhow::Result;

/// Make this project a swarm: creates .swarm/ and the signing key (idempotent)
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  swarm init\n  swarm init --new-key")]
pub(super) struct Args {
    /// Start again with a new key if the project's key is lost for good; old records are set aside (for the human
    /// only)
    #[arg(long)]
    new_key: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let here = session::here()?;
    if args.new_key {
        if stranger::above(&Chain::look()?)?.is_some() {
            return Err(Refusal::only_human("start again with a new key").into());
        }
        let store = Store::init_with_new_key(&here)?;
        return print::out(&format!(
            "{} has a new key; the old records are in .swarm/aside/\n",
            escape::line(&store.root().display().to_string())
        ));
    }
    let (store, created) = Store::init(&here)?;
    session::tell_news(&store);
    session::publish_limit(&store, &store.agents().unwrap_or_default());
    let root = escape::line(&store.root().display().to_string());
    if created {
        return print::out(&format!("swarm is ready in {root}\n"));
    }
    print::out(&format!("swarm was already set up in {root}\n"))?;
    if let Some(inner) = store.repository_within(&here) {
        let inner = inner.display().to_string();
        print::tell(&format!(
            "{} is a repository of its own within that project: agents in it belong to the project; to make it one of its own: \
             SWARM_ROOT={} swarm init",
            escape::line(&inner),
            escape::line(&escape::word(&inner))
        ));
    }
    Ok(())
}
