//! Advisory locks between processes: flock, through fs2, and nowhere else.
//!
//! The mutex guards a change and is held well under a millisecond, never during a tmux call or any subprocess. The
//! kernel frees a lock when its holder dies. Lock files are never unlinked, because then two processes could hold
//! "the same" lock. Order: pane lock, or the coordination document's, before mutex, never the reverse. A pane's lock
//! is shared by several projects: it is beside the tmux server's socket and not in a store.
//!
//! At any time at most one process holds a lock, whatever else fails here. A process that does not get it at once
//! queues up. The queue is served in its order, and no newcomer overtakes a process that has waited for 0.5 s. Nobody
//! polls: each sleeps in the kernel until the one before it is done (`lock/queue.rs`). A waiter or holder that is
//! killed is skipped at once, a waiter that is stopped after a second. A process that has seen no progress for its
//! whole patience gets an error that names the holder. It waits longer for a holder that runs and only gets too
//! little of a busy machine.

mod queue;

use crate::os::program::{self, Locker};
use anyhow::{Context as _, Result, bail};
use queue::{Behind, Order, Turn};
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process waits for the mutex without any progress before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits in all for holders that run, but get no processor on an overloaded machine.
const BUSY: Duration = Duration::from_secs(30);

/// How long, and how often, a process tries before it queues up: a change takes a fraction of a millisecond, less than
/// queueing.
const GLANCES: (Duration, Duration) = (Duration::from_millis(3), Duration::from_micros(100));

/// The pause between two tries for a lock without a queue.
const SHORTLY: Duration = Duration::from_millis(2);

/// How often a queued process checks that those before it make progress. If they do not, and the lock is free, the
/// one before is stopped.
const CHECK: Duration = Duration::from_secs(1);

/// How long a lock that seems to have no holder may take to wake the process that waited for it.
const PASSING: Duration = Duration::from_millis(100);

/// A held lock. Dropping it frees it, and wakes the next process in the queue.
#[derive(Debug)]
pub struct Held {
    file: File,
    /// Dropped after the file: the next one finds the lock free.
    turn: Option<Turn>,
}

impl Held {
    fn at_once(file: File) -> Self {
        Self { file, turn: None }
    }

    /// The lock as a child's standard input: the child holds it from its first moment on, and after this process has
    /// ended.
    pub fn stdio(&self) -> std::io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Gives the file the present time.
    pub fn touch(&self) {
        let now = std::time::UNIX_EPOCH + Duration::from_millis(crate::os::clock::wall_ms());
        // It is only a hint: without it, another process tries again a moment too early.
        let _ = self.file.set_modified(now);
    }

    /// Whether the lock is still the file at `path`, which may have been removed or replaced.
    pub fn is_at(&self, path: &Path) -> bool {
        match (self.file.metadata(), path.symlink_metadata()) {
            (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The thread that waited in the queue may have the file open for a moment longer. A lock that was taken at once
        // is freed with the last process that has it open, which may be a child.
        if self.turn.is_some() {
            let _ = fs2::FileExt::unlock(&self.file);
        }
    }
}

/// A lock that was not free in time. Nothing was changed.
#[derive(Debug)]
pub struct Overdue(String);

impl std::fmt::Display for Overdue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Overdue {}

/// Takes the exclusive lock at `path`, with the usual patience.
pub fn exclusive(path: &Path) -> Result<(Held, Duration)> {
    exclusive_within(path, PATIENCE, None)
}

/// Takes the exclusive lock at `path`. Gives up after `patience` without progress of those before it, and at `until` in
/// any case. Returns the time waited for the journal's contention figures.
pub fn exclusive_within(path: &Path, patience: Duration, until: Option<Instant>) -> Result<(Held, Duration)> {
    let begun = Instant::now();
    let file = open(path)?;
    let order = Order::of(path);
    while begun.elapsed() < GLANCES.0 && order.admits() {
        if try_lock(&file, path)? {
            return Ok((Held::at_once(file), begun.elapsed()));
        }
        thread::sleep(GLANCES.1);
    }
    // A process that cannot queue waits nevertheless, but without a place in the order.
    let place = order.enter().ok();
    let (turn, behind) = place.as_ref().map(|place| (place.turn(), place.behind())).unzip();
    // The kernel passes a lock on the moment it is free, but knows no deadline, so a thread waits for it. If the
    // deadline comes first, nobody takes the thread's lock, and dropping it frees it.
    let (sender, receiver) = mpsc::sync_channel(1);
    let waiting = file.try_clone().context("cannot wait for a lock")?;
    let queue = move || {
        if let Some(place) = place {
            place.await_turn();
        }
        let _ = sender.send(wait(&waiting));
    };
    thread::Builder::new().name("lock".into()).spawn(queue).context("cannot wait for a lock")?;
    let passed = || behind.as_ref().map_or(0, Behind::passed);
    let give_up = |since: Instant| until.map_or(since + patience, |until| until.min(since + patience));
    let (mut seen, mut since) = (passed(), Instant::now());
    loop {
        let rest = give_up(since).saturating_duration_since(Instant::now());
        match receiver.recv_timeout(rest.min(CHECK)) {
            Ok(taken) => {
                taken.with_context(|| format!("cannot lock {}", path.display()))?;
                return Ok((Held { file, turn }, begun.elapsed()));
            }
            Err(RecvTimeoutError::Disconnected) => bail!("cannot wait for {}", path.display()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = passed();
        if now > seen {
            (seen, since) = (now, Instant::now());
        } else {
            // There was no progress for a while: if the lock is free, the process whose turn it is does not run.
            let own = open(path)?;
            if try_lock(&own, path)? {
                return Ok((Held { file: own, turn }, begun.elapsed()));
            }
        }
        if Instant::now() >= give_up(since) {
            let late =
                until.is_some_and(|until| Instant::now() >= until) || begun.elapsed() >= patience + BUSY;
            let holder = program::locker(&file);
            // If it seems to have no holder, it is about to arrive.
            let rest = if holder.is_none() { PASSING } else { Duration::ZERO };
            if matches!(receiver.recv_timeout(rest), Ok(Ok(()))) {
                return Ok((Held { file, turn }, begun.elapsed()));
            }
            if late || !holder.as_ref().is_some_and(|holder| holder.runs) {
                return Err(Overdue(overdue(path, holder, begun.elapsed())).into());
            }
            since = Instant::now();
        }
    }
}

/// The error: who holds it, as far as that is known, and what to do.
fn overdue(path: &Path, holder: Option<Locker>, waited: Duration) -> String {
    let waited = waited.as_secs_f32();
    let place = path.display();
    match holder {
        Some(who) if who.stopped => format!(
            "{place} is held by process {} ({}), which is stopped: waited {waited:.1} s; continue it (kill -CONT {0}) or end it",
            who.pid, who.command
        ),
        Some(who) => format!(
            "{place} is held by process {} ({}): waited {waited:.1} s; try again, and end it if it hangs",
            who.pid, who.command
        ),
        None => format!("{place} is held by another process: waited {waited:.1} s; try again"),
    }
}

/// Takes the exclusive lock at `path` if it is free.
pub fn try_exclusive(path: &Path) -> Result<Option<Held>> {
    let file = open(path)?;
    Ok(try_lock(&file, path)?.then(|| Held::at_once(file)))
}

/// Takes the exclusive lock at `path` as soon as it is free, for locks that are held shortly and have no queue.
/// `None`: it was held for the whole `patience`, or `is_vain` returned true.
pub fn try_within(path: &Path, patience: Duration, is_vain: impl Fn() -> bool) -> Result<Option<Held>> {
    let begun = Instant::now();
    loop {
        let held = try_exclusive(path)?;
        if held.is_some() || begun.elapsed() >= patience || is_vain() {
            return Ok(held);
        }
        thread::sleep(SHORTLY);
    }
}

/// The lock at `path`, if a parent has passed it as standard input. Standard input is empty from then on.
pub fn inherited(path: &Path) -> Result<Option<Held>> {
    let Ok(given) = std::io::stdin().as_fd().try_clone_to_owned() else { return Ok(None) };
    let held = Held::at_once(File::from(given));
    // If it is the parent's own lock, this is granted at once; if the file was only opened there, the lock is taken
    // now.
    if !held.is_at(path) || !try_lock(&held.file, path)? {
        return Ok(None);
    }
    let nothing = File::open("/dev/null").context("cannot open /dev/null")?;
    nix::unistd::dup2_stdin(&nothing).context("cannot give up standard input")?;
    Ok(Some(held))
}

/// Takes the lock of a pane, if it is free. Every process that types into the pane holds it.
///
/// All processes that talk to that tmux server use the same file, for any project, HOME or working directory: it is
/// in a directory beside the server's socket, `SOCKET.swarm/`. If that directory cannot be made, it is in
/// `/tmp/swarm-UID/`.
pub fn pane(socket: &str, pane: &str) -> Result<Option<Held>> {
    let number = pane.trim_start_matches('%');
    let (beside, instead) = pane_dirs(Path::new(socket), Path::new("/tmp"));
    let dir = match own_dir(&beside) {
        Ok(()) => beside,
        Err(first) => {
            let parent = instead.parent().unwrap_or(&instead);
            own_dir(parent).and_then(|()| own_dir(&instead)).with_context(|| {
                format!("the pane's lock has no directory: {} cannot be used ({first})", beside.display())
            })?;
            instead
        }
    };
    try_exclusive(&dir.join(format!("{number}.lock")))
}

/// The directory for the locks of a server's panes, and the one if that cannot be made. A socket has one name here,
/// even if several links lead to it.
pub fn pane_dirs(socket: &Path, tmp: &Path) -> (PathBuf, PathBuf) {
    let real = socket.canonicalize().unwrap_or_else(|_| match (socket.parent(), socket.file_name()) {
        (Some(dir), Some(name)) => dir.canonicalize().unwrap_or_else(|_| dir.to_owned()).join(name),
        _ => socket.to_owned(),
    });
    let mut beside = OsString::from(&real);
    beside.push(".swarm");
    let digest = Sha256::digest(real.as_os_str().as_bytes());
    let name = digest.iter().take(8).fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    });
    (beside.into(), tmp.join(format!("swarm-{}", nix::unistd::geteuid())).join(name))
}

/// Makes a directory in which nobody else can write, unless it exists. A directory that is another user's, or
/// writable by others, and a symbolic link, are refused: others could use them to redirect the lock.
fn own_dir(path: &Path) -> Result<()> {
    if let Err(e) = DirBuilder::new().mode(0o700).create(path)
        && e.kind() != ErrorKind::AlreadyExists
    {
        return Err(e).with_context(|| format!("cannot create {}", path.display()));
    }
    let meta = path.symlink_metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if !meta.is_dir() || meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
        bail!("{} is not a directory that only you can use", path.display());
    }
    if meta.mode() & 0o700 != 0o700 {
        bail!("you cannot write in {}", path.display());
    }
    Ok(())
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(path)
        .with_context(|| format!("cannot open the lock {}", path.display()))
}

fn wait(file: &File) -> std::io::Result<()> {
    loop {
        match fs2::FileExt::lock_exclusive(file) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    loop {
        match fs2::FileExt::try_lock_exclusive(file) {
            Ok(()) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.raw_os_error() == fs2::lock_contended_error().raw_os_error() => return Ok(false),
            Err(e) => return Err(e).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_pane_has_one_lock_however_its_server_is_named_and_none_with_another_servers_pane() {
        let dir = tempfile::tempdir().unwrap();
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        fs_file(&one);
        fs_file(&other);
        let link = dir.path().join("link");
        symlink(&one, &link).unwrap();
        let held = pane(&name(&one), "%0").unwrap().unwrap();
        assert!(pane(&name(&link), "%0").unwrap().is_none(), "it is the same pane");
        assert!(pane(&name(&one), "%1").unwrap().is_some());
        assert!(pane(&name(&other), "%0").unwrap().is_some(), "it is another server's");
        drop(held);
        assert!(pane(&name(&link), "%0").unwrap().is_some());
        let mode = dir.path().join("one.swarm").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_directory_that_is_not_ones_own_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        own_dir(&elsewhere).unwrap();
        own_dir(&elsewhere).unwrap();
        let link = dir.path().join("link");
        symlink(&elsewhere, &link).unwrap();
        own_dir(&link).unwrap_err();
        let file = dir.path().join("file");
        fs_file(&file);
        own_dir(&file).unwrap_err();
        std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o770)).unwrap();
        own_dir(&elsewhere).unwrap_err();
        // The lock is then elsewhere, and it is the same one for all.
        let socket = dir.path().join("socket");
        fs_file(&socket);
        symlink(&elsewhere, dir.path().join("socket.swarm")).unwrap();
        let socket = socket.to_str().unwrap();
        let held = pane(socket, "%0").unwrap().unwrap();
        assert!(pane(socket, "%0").unwrap().is_none());
        assert!(std::fs::read_dir(&elsewhere).unwrap().next().is_none(), "no link was followed");
        let (_, instead) = pane_dirs(Path::new(socket), Path::new("/tmp"));
        assert!(held.is_at(&instead.join("0.lock")));
        drop(held);
        std::fs::remove_dir_all(instead).unwrap();
    }

    #[test]
    #[cfg(all(target_os = "linux", not(feature = "portable-process")))]
    fn a_holder_that_runs_is_waited_for_and_one_that_sleeps_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (path, stop) = (dir.path().join("lock"), dir.path().join("stop"));
        let patience = Duration::from_millis(200);
        let holding = |what: &str| {
            let script = format!("exec 9<>\"$1\" && flock 9 && echo up && {what}");
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", &script, "sh"]).args([&path, &stop]).stdout(Stdio::piped());
            let mut shell = shell.spawn().unwrap();
            let mut line = String::new();
            let mut said = std::io::BufReader::new(shell.stdout.take().unwrap());
            std::io::BufRead::read_line(&mut said, &mut line).unwrap();
            (line == "up\n").then_some(shell)
        };
        let Some(mut runs) = holding("until [ -e \"$2\" ]; do :; done") else {
            eprintln!("SKIPPED: flock(1) is not installed");
            return;
        };
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(patience * 4);
                fs_file(&stop);
            });
            exclusive_within(&path, patience, None).unwrap();
        });
        assert!(begun.elapsed() > patience * 2, "{:?}", begun.elapsed());
        runs.wait().unwrap();
        let mut sleeps = holding("exec sleep 60").unwrap();
        let why = exclusive_within(&path, patience, None).unwrap_err();
        assert!(why.is::<Overdue>() && why.to_string().contains("held by process"), "{why:#}");
        sleeps.kill().unwrap();
        sleeps.wait().unwrap();
    }

    fn fs_file(path: &Path) {
        std::fs::write(path, "").unwrap();
    }
}
