//! Installs a newer set of the shipped rules, if a maintainer has signed it. Nothing changes unless all of it is
//! valid.

use crate::agents::Profile;
use crate::cli::print;
use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::core::rules::{BUILT_IN, RuleSet, SIGNER};
use crate::os::signature::{self, Unsigned};
use crate::store::profiles::{self, MAX_SET, Shelf};
use crate::store::{foreign, key, record};
use anyhow::{Context as _, Result};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The file of a set in a directory.
const FILE: &str = "profiles.json";

/// The maintainers' keys.
const MAINTAINERS: &str = include_str!("rules.signers");

/// The largest signature and the largest file of signers, in bytes.
const SMALL: u64 = 64 << 10;

#[inline(never)]
pub(super) fn run(path: &Path, quiet: bool) -> Result<()> {
    let is_dir = path.is_dir() && !path.is_symlink();
    let file = if is_dir { path.join(FILE) } else { path.to_path_buf() };
    let shown = escape::short(&file.display().to_string(), 200);
    let bad =
        |why: String| anyhow::Error::from(Refusal::Usage(format!("{shown}: {why}; nothing was changed")));
    let bytes = profiles::given(&file, MAX_SET).map_err(bad)?;
    let shelf = Shelf::of(None);
    check(&bytes, &file, &shelf, &shown)?;
    let text = String::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".into()))?;
    let set = RuleSet::parse(&text).map_err(bad)?;
    let kinds = set.profiles.iter().map(|(name, text)| kind(name, text)).collect::<Result<Vec<_>, _>>();
    let kinds = kinds.map_err(bad)?;
    let used = shelf.update_number().unwrap_or(BUILT_IN).max(BUILT_IN);
    if set.number == used {
        return if quiet { Ok(()) } else { print::out(&format!("the rules {used} are in use already\n")) };
    }
    if set.number < used {
        return Err(bad(format!("its rules {} are older than those in use, {used}", set.number)));
    }
    shelf.take_in(&text)?;
    if quiet {
        return Ok(());
    }
    print::out(&format!("the rules {} are in use: {}\n", set.number, kinds.join(", ")))
}

/// The kind of a profile in a set.
fn kind(name: &str, text: &str) -> Result<String, String> {
    let profile = Profile::read(text).map_err(|all| format!("{name}: {}", all.join("; ")))?;
    if format!("{}.toml", profile.kind) == name {
        Ok(profile.kind)
    } else {
        Err(format!("{name}: its kind is {}", profile.kind))
    }
}

/// Checks who has signed the set.
#[inline(never)]
fn check(bytes: &[u8], file: &Path, shelf: &Shelf, shown: &str) -> Result<()> {
    let usage = |text: String| anyhow::Error::from(Refusal::Usage(format!("{text}; nothing was changed")));
    let own = shelf.signers_file();
    let theirs = match &own {
        Some(file) => foreign::text(file).map_err(|why| usage(format!("{}: {why}", file.display())))?,
        None => None,
    };
    let signers = format!("{MAINTAINERS}\n{}", theirs.unwrap_or_default());
    if signers.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        let own = own.map_or_else(|| "rules.signers".into(), |file| file.display().to_string());
        let text = format!(
            "no key is known that may sign rules; put the maintainer's line, `{SIGNER} ssh-ed25519 …`, into {own}"
        );
        return Err(usage(text));
    }
    let beside = PathBuf::from(format!("{}.sig", file.display()));
    let signature = profiles::given(&beside, SMALL)
        .map_err(|why| usage(format!("{}: {why}", escape::short(&beside.display().to_string(), 200))))?;
    // The text that was read is checked: in a directory of swarm's own, where nobody else writes.
    let dir = key::state_home()?.join(format!("checking-{:016x}", crate::store::entropy()?));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let (by, of) = (dir.join("signers"), dir.join("signature"));
    let written =
        record::create_file(&by, signers.as_bytes()).and_then(|()| record::create_file(&of, &signature));
    let judged = written.map(|()| signature::check(bytes, &of, &by, SIGNER));
    let _ = std::fs::remove_dir_all(&dir);
    match judged? {
        Ok(()) => Ok(()),
        Err(Unsigned::NoProgram(why)) => Err(usage(format!(
            "{why}, and without ssh-keygen (OpenSSH 8.1 or later) no signature can be checked; rules that you trust may be copied to ~/.config/swarm/profiles/ by hand"
        ))),
        Err(Unsigned::Bad(why)) => Err(Refusal::BadSignature(format!(
            "{shown} is not signed by anybody who may ({}); nothing was changed",
            escape::short(&why, 200)
        ))
        .into()),
    }
}
