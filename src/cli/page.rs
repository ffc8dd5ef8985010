use crate::core::escape;
use crate::view::pager;
use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// How much of a file is shown: its end.
const MAX: u64 = 64 * 1024;

/// Show the end of a file, page by page: for the plugin's popups
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  swarm page ~/.local/state/swarm/build.log")]
pub(super) struct Args {
    /// The file
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let unread = || format!("cannot read {}", args.file.display());
    let mut file = File::open(&args.file).with_context(unread)?;
    let from = file.metadata().with_context(unread)?.len().saturating_sub(MAX);
    file.seek(SeekFrom::Start(from)).with_context(unread)?;
    let mut bytes = Vec::new();
    file.take(MAX).read_to_end(&mut bytes).with_context(unread)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line is incomplete, unless it is the file's first.
    let whole = if from == 0 { &*text } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
    pager::page(&escape::text(whole))
}
