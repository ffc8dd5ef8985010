//! The file system of a directory: its kind, its free space, its limits. Read-only looks.

use anyhow::{Context as _, Result};
use nix::sys::statfs::{self, Statfs};
use std::path::Path;

/// The facts about a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Bytes that this user may still write.
    pub free_bytes: u64,
    /// Files that may still be made; `None`: no limit.
    pub free_files: Option<u64>,
    /// The name of its kind, if other machines or programs are behind it.
    pub remote: Option<String>,
    /// The name of the layer by which a virtual machine shares it with its host, if locks on that layer are known not
    /// to exclude.
    pub shared: Option<String>,
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
        // btrfs and others make files as needed, and report 0 of 0.
        free_files: (usage.files() > 0).then(|| u64::from(usage.files_available())),
        remote: remote(&kind),
        shared: shared(path),
    })
}

/// Docker Desktop's ways to bind a directory of the host: two processes may hold one exclusive lock there.
const SHARING: [&str; 3] = ["virtiofs", "fakeowner", "grpcfuse"];

fn shared(path: &Path) -> Option<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    sharing(&table, &path.canonicalize().ok()?)
}

/// The layer of the mount that contains `path`, from a table of mounts: the last of the longest matches.
fn sharing(table: &str, path: &Path) -> Option<String> {
    let mut found: Option<(usize, &str)> = None;
    for line in table.lines() {
        let Some((mount, rest)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (mount.split(' ').nth(4), rest.split(' ').next()) else { continue };
        // Blanks are written as octal numbers.
        let point = point.replace("\\040", " ");
        if path.starts_with(&point) && found.is_none_or(|(length, _)| point.len() >= length) {
            found = Some((point.len(), kind));
        }
    }
    let (_, kind) = found?;
    SHARING.iter().find(|name| kind.contains(*name)).map(|name| (*name).to_owned())
}

#[cfg(target_os = "linux")]
fn remote(kind: &Statfs) -> Option<String> {
    use statfs::{FUSE_SUPER_MAGIC, FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC};
    // From linux/magic.h, for which libc has no name.
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
    fn the_layer_that_shares_a_directory_with_a_host_is_read_from_the_table_of_mounts() {
        let table = "22 1 0:20 / / rw - overlay overlay rw\n\
                     30 22 0:41 /Users/me/p /work/my\\040p rw,relatime - virtiofs virtiofs0 rw\n\
                     31 22 0:42 /x /run rw - fuse.grpcfuse grpcfuse rw\n\
                     32 30 0:43 / /work/my\\040p/tmp rw - tmpfs tmpfs rw\n";
        let of = |path: &str| super::sharing(table, std::path::Path::new(path));
        assert_eq!(of("/work/my p/.swarm").as_deref(), Some("virtiofs"));
        assert_eq!(of("/run/x").as_deref(), Some("grpcfuse"));
        assert_eq!((of("/work/my p/tmp/x"), of("/work/my"), of("/home")), (None, None, None));
    }

    #[test]
    fn a_directory_has_a_file_system_with_some_room() {
        let volume = super::look(&std::env::temp_dir()).unwrap();
        assert!(volume.free_bytes > 0 && volume.free_files != Some(0), "{volume:?}");
        assert!(super::look(std::path::Path::new("/no/such/place")).is_err());
    }
}
