//! Looks at a git repository with git itself.
//!
//! Read-only. The options restrict git: it takes no lock, runs no monitor of the file system, and uses the directory
//! alone, whatever repository the environment names.

use anyhow::{Context as _, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The output of git in `dir`; `None`: it fails.
pub fn read(dir: &Path, args: &[&str]) -> Result<Option<Vec<u8>>> {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        // A person's settings for all repositories stay.
        let bytes = name.as_bytes();
        if bytes.starts_with(b"GIT_") && !bytes.starts_with(b"GIT_CONFIG_") && bytes != b"GIT_EXEC_PATH"
            || bytes == b"GIT_CONFIG_PARAMETERS"
            || bytes == b"GIT_CONFIG_COUNT"
        {
            command.env_remove(name);
        }
    }
    let out = command
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .args(["-c", "core.fsmonitor=false", "-C"])
        .arg(dir)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("cannot run git")?;
    Ok(out.status.success().then_some(out.stdout))
}

/// The top of the work tree around `dir`.
pub fn top(dir: &Path) -> Result<Option<PathBuf>> {
    let told = read(dir, &["rev-parse", "--show-toplevel"])?;
    Ok(told.map(|text| PathBuf::from(OsStr::from_bytes(text.strip_suffix(b"\n").unwrap_or(&text)))))
}
