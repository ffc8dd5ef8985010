//! Links to this program's commands in one of the person's own directories on the PATH.

use anyhow::{Context as _, Result, bail};
use nix::unistd::{AccessFlags, access};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The two commands.
pub const NAMES: [&str; 2] = ["swarm", "swarm-msg"];

/// The first usual directory of the person's own on this PATH, if the commands are nowhere on the PATH.
pub fn place(path: &str, home: &Path) -> Option<PathBuf> {
    let usual = [".local/bin", "bin", ".bin"].map(|dir| home.join(dir));
    let is_free = |dir: &PathBuf| NAMES.iter().all(|name| dir.join(name).symlink_metadata().is_err());
    if !std::env::split_paths(path).all(|dir| is_free(&dir)) {
        return None;
    }
    std::env::split_paths(path)
        .find(|dir| usual.contains(dir) && dir.is_dir() && access(dir, AccessFlags::W_OK).is_ok())
}

/// Makes the links in `dir` to the commands in `tools`. An existing file is not replaced.
pub fn make(dir: &Path, tools: &Path) -> Result<Vec<PathBuf>> {
    let mut made = Vec::new();
    for name in NAMES {
        let (target, link) = (tools.join(name), dir.join(name));
        match symlink(&target, &link) {
            Ok(()) => made.push(link),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => bail!("{} is there already", link.display()),
            Err(e) => return Err(e).with_context(|| format!("cannot make {}", link.display())),
        }
    }
    Ok(made)
}

/// The links on this PATH, in directories of the person's own, that lead to the commands in `tools`.
pub fn made(path: &str, home: &Path, tools: &Path) -> Vec<PathBuf> {
    let leads_here = |link: &PathBuf| {
        let name = link.file_name().unwrap_or_default();
        std::fs::read_link(link).is_ok_and(|target| target == tools.join(name))
    };
    std::env::split_paths(path)
        .filter(|dir| dir.starts_with(home))
        .flat_map(|dir| NAMES.map(|name| dir.join(name)))
        .filter(leads_here)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_there_is_replaced_and_what_was_made_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let (bin, tools) = (dir.path().join("bin"), dir.path().join("tools"));
        std::fs::create_dir(&bin).unwrap();
        let links = make(&bin, &tools).unwrap();
        assert_eq!(links, NAMES.map(|name| bin.join(name)));
        assert!(make(&bin, &tools).unwrap_err().to_string().contains("is there already"));
        assert_eq!(std::fs::read_link(bin.join("swarm-msg")).unwrap(), tools.join("swarm-msg"));
        let path = format!("/usr/bin:{}", bin.display());
        assert_eq!(made(&path, dir.path(), &tools), links);
        assert_eq!(made(&path, dir.path(), Path::new("/other")), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_place_is_a_directory_of_the_persons_own_and_no_other_installation_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let (bin, system) = (home.join(".local/bin"), home.join("system"));
        let path = format!("{}:{}", system.display(), bin.display());
        assert_eq!(place(&path, home), None, "it does not exist");
        std::fs::create_dir_all(&bin).unwrap();
        assert_eq!(place(&path, home), Some(bin));
        std::fs::create_dir_all(&system).unwrap();
        std::fs::write(system.join("swarm"), "").unwrap();
        assert_eq!(place(&path, home), None, "another program has the name");
    }
}
