//! The result of a check as data, and the judgements that need only facts. Pure.

use crate::core::process_id::ProcessId;
use crate::os::volume::Volume;
use crate::tmux::health::PaneHealth;
use crate::tmux::version;
use std::path::PathBuf;

/// Less free space than this is little (bytes).
const LITTLE: u64 = 200 << 20;

/// With less than this, writing will fail soon (bytes): a message with its records, and the journal's rotation.
const NEXT_TO_NOTHING: u64 = 16 << 20;

/// The smallest pane in which some kind of agent can be read. If a kind needs more, `status` says so.
const SMALLEST: (u16, u16) = (30, 10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grade {
    /// As it should be.
    Ok,
    /// It works, but somebody should look at it.
    Warn,
    /// Something does not work.
    Bad,
}

impl Grade {
    pub(super) fn word(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Warn => "warn",
            Grade::Bad => "bad",
        }
    }
}

/// The repairs of `--fix`. None of them can lose a message or data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fix {
    /// Remove the permissions of others on these paths; a directory comes before its contents.
    Close(Vec<PathBuf>),
    /// Start a courier.
    Start,
    /// End this courier and start another one.
    Restart(ProcessId),
    /// Remove temporary files of killed processes.
    Remove(Vec<PathBuf>),
    /// Finish posts that a crash interrupted.
    FinishPosts,
    /// Load the plugin into this terminal's tmux server again, from this file.
    Load(PathBuf),
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) verdict: Grade,
    pub(super) seen: String,
    pub(super) repair: Option<String>,
    /// The repair of `--fix` for it.
    pub(super) fix: Option<Fix>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, verdict: Grade::Ok, seen: seen.into(), repair: None, fix: None }
    }

    pub(super) fn warn(name: &'static str, seen: impl Into<String>, repair: impl Into<String>) -> Self {
        Self { verdict: Grade::Warn, repair: Some(repair.into()), ..Self::ok(name, seen) }
    }

    pub(super) fn bad(name: &'static str, seen: impl Into<String>, repair: impl Into<String>) -> Self {
        Self { verdict: Grade::Bad, repair: Some(repair.into()), ..Self::ok(name, seen) }
    }

    /// Adds a repair for `--fix`.
    pub(super) fn fixable(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

/// Whether a version of tmux is new enough.
pub(super) fn tmux_version(name: &'static str, release: &str) -> Finding {
    let (major, minor) = version::OLDEST;
    if version::is_supported(release) {
        return Finding::ok(name, format!("version {release}"));
    }
    let repair = format!("install tmux {major}.{minor} or newer, then end the old server: tmux kill-server");
    Finding::bad(name, format!("version {release} is too old"), repair)
}

/// Whether a file system has room.
pub(super) fn space(volume: &Volume) -> Finding {
    let seen = format!("{} MiB free", volume.free_bytes >> 20);
    let repair = "make room: a full disk loses nothing, but swarm sends nothing more";
    if volume.free_files == Some(0) {
        return Finding::bad("space", "no more files can be made (out of inodes)", repair);
    }
    match volume.free_bytes {
        free if free < NEXT_TO_NOTHING => Finding::bad("space", seen, repair),
        free if free < LITTLE => Finding::warn("space", seen, repair),
        _ => Finding::ok("space", seen),
    }
}

/// Whether the store's locks and renames are reliable.
pub(super) fn volume(volume: &Volume) -> Finding {
    if let Some(layer) = &volume.shared {
        return Finding::warn(
            "volume",
            format!(
                "shared with another system by {layer}, which may give one exclusive lock to two processes"
            ),
            "make a volume for the container (docker volume create), and keep a clone of the project there",
        );
    }
    match &volume.remote {
        None => Finding::ok("volume", "a local file system"),
        // flock(2): over NFS and SMB it is emulated or local to one machine; 9p and FUSE leave it to their server.
        Some(kind) => Finding::warn(
            "volume",
            format!("{kind}: its locks may not hold between machines or containers"),
            "use this project from one machine only, or keep it on a local disk (SWARM_ROOT)",
        ),
    }
}

/// The options of an agent's pane that hold its mail or hide its state, with the remedy. Other options of tmux do not
/// matter: swarm pastes its text, and extended-keys, focus-events, set-clipboard and buffer-limit do not affect that.
pub(super) fn pane(pane: &PaneHealth) -> Option<(String, String)> {
    let id = &pane.id;
    if pane.input_off {
        // A paste into it has no effect (tried on 3.0a to 3.8): the gate holds the mail.
        return Some(("its input is off: mail is held".into(), format!("tmux select-pane -e -t {id}")));
    }
    if pane.size.0 < SMALLEST.0 || pane.size.1 < SMALLEST.1 {
        let seen = format!("it is {}x{}: mail is held", pane.size.0, pane.size.1);
        return Some((seen, format!("make pane {id} at least {}x{}", SMALLEST.0, SMALLEST.1)));
    }
    if pane.synchronized {
        // synchronize-panes copies a person's keys, not a paste: they become a draft in every composer of the window.
        return Some((
            "synchronize-panes is on: your keys reach its composer, and mail waits".into(),
            format!("tmux set-option -w -t {id} synchronize-panes off"),
        ));
    }
    if pane.title_fixed {
        // The titles of Codex, Claude Code and Gemini CLI show that they are busy or ask something (agents/profiles).
        return Some((
            "allow-set-title is off: swarm does not see its title, which shows that it is busy".into(),
            format!("tmux set-option -p -t {id} allow-set-title on"),
        ));
    }
    // The state rules recognise an overlay by the alternate screen (agents/reading.rs).
    pane.no_alternate.then(|| {
        (
            "alternate-screen is off: swarm cannot see what covers its composer".into(),
            format!("tmux set-option -p -t {id} alternate-screen on"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(free_bytes: u64, free_files: Option<u64>, remote: Option<&str>) -> Volume {
        Volume { free_bytes, free_files, remote: remote.map(str::to_owned), shared: None }
    }

    #[test]
    fn little_room_is_a_warning_and_none_is_bad() {
        for (free, files, verdict) in [
            (1 << 40, Some(1), Grade::Ok),
            (1 << 40, None, Grade::Ok),
            (100 << 20, None, Grade::Warn),
            (1 << 20, None, Grade::Bad),
            (1 << 40, Some(0), Grade::Bad),
        ] {
            assert_eq!(space(&with(free, files, None)).verdict, verdict, "{free} {files:?}");
        }
    }

    #[test]
    fn a_file_system_of_others_is_a_warning() {
        assert_eq!(volume(&with(0, None, None)).verdict, Grade::Ok);
        let found = volume(&with(0, None, Some("NFS")));
        assert!(found.verdict == Grade::Warn && found.seen.contains("NFS"));
    }

    #[test]
    fn a_pane_is_reported_for_its_worst_trouble() {
        let good = PaneHealth {
            id: "%1".into(),
            synchronized: false,
            input_off: false,
            size: (80, 24),
            title_fixed: false,
            no_alternate: false,
        };
        assert_eq!(pane(&good), None);
        let told = |p: PaneHealth| pane(&p).unwrap().0;
        assert!(told(PaneHealth { input_off: true, synchronized: true, ..good.clone() }).contains("input"));
        assert!(told(PaneHealth { size: (29, 24), ..good.clone() }).contains("29x24"));
        assert!(told(PaneHealth { synchronized: true, ..good.clone() }).contains("synchronize-panes"));
        assert!(told(PaneHealth { title_fixed: true, ..good.clone() }).contains("allow-set-title"));
        assert!(told(PaneHealth { no_alternate: true, ..good }).contains("alternate-screen"));
    }

    #[test]
    fn an_old_tmux_is_bad() {
        assert_eq!(tmux_version("tmux", "3.1c").verdict, Grade::Bad);
        assert_eq!(tmux_version("tmux", "3.3a").verdict, Grade::Ok);
    }
}
