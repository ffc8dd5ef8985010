//! Lets the person change a text in their own editor: `$VISUAL`, `$EDITOR`, or vi.

use super::input::MAX;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The text after editing. A text that is too long stays in its file, and the error names the file.
pub(super) fn edit(text: &str) -> Result<String> {
    let path = store(text)?;
    // A person's setting may have arguments, so the shell reads it. It never reads the path.
    let editor = r#"${VISUAL:-${EDITOR:-vi}} "$1""#;
    let ended = Command::new("/bin/sh").args(["-c", editor, "sh"]).arg(&path).status();
    let made = ended.context("cannot start a shell for the editor").and_then(|status| {
        if !status.success() {
            bail!("the editor ended with {status}: the text is as it was");
        }
        let mut made = fs::read_to_string(&path).context("cannot read what the editor wrote")?;
        // Editors add a line end to the last line.
        if made.ends_with('\n') {
            made.pop();
        }
        Ok(made)
    });
    if let Ok(made) = &made
        && made.chars().count() > MAX
    {
        bail!("the text has more than {MAX} characters: it is in {}", path.display());
    }
    let _ = fs::remove_file(&path);
    made
}

/// Writes `text` to a new file that only this user can read.
fn store(text: &str) -> Result<PathBuf> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("the system gives no random bytes: {e}"))?;
    let name = format!("swarm-{:016x}.md", u64::from_ne_bytes(bytes));
    let path = std::env::temp_dir().join(name);
    let write = |path: &Path| {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    };
    write(&path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
