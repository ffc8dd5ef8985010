//! `swarm config edit`: the editor works on a copy, so a half-written or invalid file never takes effect.

use crate::cli::print;
use crate::core::config::{Config, Layer, Source};
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::store::{config, entropy, foreign, key, record};
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::process::Command;

/// The text that the editor shows if the file does not exist yet.
const EMPTY: &str = "# Settings of swarm: `swarm config keys` lists them.\n";

/// Lets the person edit a copy, checks it, and replaces the file unless somebody changed it meanwhile. A refused copy
/// is kept.
pub(super) fn run(source: Source, path: &Path) -> Result<()> {
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|e| !e.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let before = foreign::read(path)?.unwrap_or_default();
    let state = key::state_home()?;
    record::ensure_dir(&state)?;
    let copy = state.join(format!("config-{:016x}.toml", entropy()?));
    record::create_file(&copy, if before.is_empty() { EMPTY } else { &before }.as_bytes())?;
    // The variable may contain arguments, as usual; the file is an argument of its own.
    let status = Command::new("sh").args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(&copy).status();
    let kept = format!("your text is in {}", copy.display());
    if !status.with_context(|| format!("cannot run the editor; {kept}"))?.success() {
        bail!("the editor failed, so nothing was changed; {kept}");
    }
    let after = foreign::read(&copy)?.unwrap_or_default();
    let shown = path.display().to_string();
    let problems = super::checked(Config::resolve(vec![Layer::file(source, &shown, &after)])).problems;
    if let Some(last) = problems.last() {
        for problem in &problems {
            print::tell(&problem.to_string());
        }
        let text = format!("nothing was changed, because of {}; {kept}", last.place);
        return Err(Refusal::Usage(text).into());
    }
    let changed = config::change(source, path, |now| {
        if now != before {
            bail!("somebody else changed {shown} at the same time, so nothing was changed; {kept}");
        }
        Ok((after != before && after != EMPTY).then_some(after))
    })?;
    let _ = std::fs::remove_file(&copy);
    print::out(&format!(
        "{} {}\n",
        escape::line(&shown),
        if changed { "was changed" } else { "is unchanged" }
    ))
}
