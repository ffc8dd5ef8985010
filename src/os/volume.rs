//! The file system that a directory is on: of which kind, how full, how it may be used. Read-only looks.

use anyhow::{Context as _, Result};
use nix::sys::statfs::{self, Statfs};
use std::path::Path;

/// What is known of a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Files that may still be made; `None`: it has no such limit.
    pub free_files: Option<u64>,
    /// The name of its kind, if it is one that other machines or programs stand behind.
    pub remote: Option<String>,
}

/// Looks at the file system under `path`.
// The fields have other widths on other systems.
#[allow(clippy::useless_conversion)]
pub fn look(path: &Path) -> Result<Volume> {
    let shown = || format!("cannot look at the file system of {}", path.display());
    let usage = nix::sys::statvfs::statvfs(path).with_context(shown)?;
    let kind = statfs::statfs(path).with_context(shown)?;
    let size = u64::from(usage.fragment_size());
    Ok(Volume {
        free_bytes: u64::from(usage.blocks_available()).saturating_mul(size),
        // btrfs and others make files as needed and say 0 of 0.
        free_files: (usage.files() > 0).then(|| u64::from(usage.files_available())),
        remote: remote(&kind),
    })
}

#[cfg(target_os = "linux")]
fn remote(kind: &Statfs) -> Option<String> {
    use statfs::{FUSE_SUPER_MAGIC, FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC};
    // From linux/magic.h, where libc has no name for it.
    let kinds = [
        (NFS_SUPER_MAGIC, "NFS"),
        (SMB_SUPER_MAGIC, "SMB"),
        (FsType(0xff53_4d42), "CIFS"),
        (FsType(0xfe53_4d42), "SMB2"),
        (FsType(0x0102_1997), "9p"),
        (FUSE_SUPER_MAGIC, "FUSE"),
    ];
    let found = kinds.iter().find(|(magic, _)| *magic == kind.filesystem_type());
    found.map(|(_, name)| (*name).to_owned())
}

#[cfg(not(target_os = "linux"))]
fn remote(kind: &Statfs) -> Option<String> {
    let name = kind.filesystem_type_name();
    let known = ["nfs", "smbfs", "afpfs", "webdav", "fuse", "macfuse", "osxfuse", "9p"];
    known.contains(&name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_directory_has_a_file_system_with_some_room() {
        let volume = super::look(&std::env::temp_dir()).unwrap();
        assert!(volume.free_bytes > 0 && volume.free_files != Some(0), "{volume:?}");
        assert!(super::look(std::path::Path::new("/no/such/place")).is_err());
    }
}
