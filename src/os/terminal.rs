//! Checks whether a program has read the keys in its terminal and drawn their effect, and rings the bell of a terminal.
//!
//! Keys that a program does not read wait in the terminal, and go to the next reader: an Enter for a composer may
//! then answer a question. So this module is asked before a key is repeated. Only a positive answer counts; if the
//! system does not show it, as on macOS, nothing is known. Read-only and of one moment: it takes no lock, and the act
//! that follows has its own guard.
//!
//! A key that was read and is not drawn yet cannot be seen on the screen either: on a busy machine some agents take a
//! second for it. During that time they run, or wait for the processor. So a program without a running thread has
//! drawn everything that it has read, unless it waits on purpose.

use super::system::children;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The kernel functions in which the main thread of a program sleeps while it waits for input: `poll`, `select` and
/// `epoll` by their several names, a `read` of the terminal, and the lock of an asynchronous program.
const WAITS: [&str; 5] = ["poll", "select", "wait_woken", "tty_read", "futex"];

/// Whether the process reads from the terminal at `tty`, has read everything that was typed there, and waits for
/// more. A program that is stopped, still loading, or in a long call does not.
pub fn has_read_all(pid: i32, tty: &str) -> bool {
    let stdin = fs::read_link(format!("/proc/{pid}/fd/0"));
    let reads_it = stdin.is_ok_and(|path| path == Path::new(tty));
    reads_it && unread(tty) == Some(0) && waits(pid) && is_at_rest(pid) == Some(true)
}

/// Whether everything that was typed for the process is read, and none of its threads runs or waits for the processor
/// or a disk. The same must hold for the programs below it with the same terminal, because an agent may be the
/// launcher of the one that reads. `None`: unknown here.
pub fn is_at_rest(pid: i32) -> Option<bool> {
    let stdin = format!("/proc/{pid}/fd/0");
    let terminal = device(&stdin)?;
    // By this path, because a name like /dev/pts/3 may be another terminal in the process's own view of the files.
    if unread(&stdin)? > 0 {
        return Some(false);
    }
    let mut readers = vec![pid];
    let mut looked = 0;
    while let Some(reader) = readers.get(looked).copied() {
        if !sleeps(reader) {
            return Some(false);
        }
        looked += 1;
        let below = children(reader).into_iter();
        readers.extend(below.filter(|child| device(&format!("/proc/{child}/fd/0")) == Some(terminal)));
    }
    Some(true)
}

/// The terminal or other character device at a path: its own number, and that of its file system.
fn device(path: &str) -> Option<(u64, u64)> {
    let meta = fs::metadata(path).ok()?;
    meta.file_type().is_char_device().then(|| (meta.dev(), meta.rdev()))
}

/// Whether no thread of a process runs or is ready to run. A thread that has ended meanwhile counts as asleep.
fn sleeps(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| fs::read(thread.path().join("stat")).ok())
        .all(|stat| !matches!(state_in(&stat), Some(b'R' | b'D')))
}

/// The state in a line of `stat`: `pid (name) state …`. The name may contain anything; the last `)` ends it.
fn state_in(stat: &[u8]) -> Option<u8> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(end + 2).copied()
}

/// How many bytes in a terminal wait to be read; in canonical mode, only those of whole lines.
pub fn unread(tty: &str) -> Option<u64> {
    // Without these flags it might become this process's own terminal, or wait for a modem.
    let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(tty).ok()?;
    rustix::io::ioctl_fionread(&file).ok()
}

/// Rings the bell of the terminal at `tty`, if it is this user's and takes a byte at once.
pub fn ring(tty: &str) -> std::io::Result<()> {
    let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK | nix::libc::O_NOFOLLOW;
    let mut file = OpenOptions::new().write(true).custom_flags(flags).open(tty)?;
    let meta = file.metadata()?;
    if meta.file_type().is_char_device() && meta.uid() == nix::unistd::geteuid().as_raw() {
        file.write_all(b"\x07")?;
    }
    Ok(())
}

/// Whether nothing has been written to the terminal of a process since the second `then` (since the epoch) began.
/// `None`: no terminal is known. The system updates the time of a write only in steps of eight seconds (counted from
/// the epoch), so text written shortly before `then` counts as written since.
pub fn was_still_at(pid: i32, then: u64) -> Option<bool> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let terminal = |fd: &i32| {
        let path = format!("/proc/{pid}/fd/{fd}");
        let there = fs::read_link(&path).ok()?;
        there.starts_with("/dev/pts").then_some(())?;
        fs::metadata(path).ok()
    };
    let written = [1, 2, 0].iter().find_map(terminal)?.modified().ok()?;
    let second = written.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Some((second | 7) < then)
}

/// Whether the main thread of a process sleeps until something arrives.
fn waits(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/wchan"))
        .is_ok_and(|place| WAITS.iter().any(|wait| place.contains(wait)))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::os::fd::AsFd;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// A terminal that closes when this process closes it: no child keeps its other side open.
    fn terminal(raw: bool) -> nix::pty::OpenptyResult {
        let pty = nix::pty::openpty(None, None).unwrap();
        fcntl(&pty.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        let mut mode = nix::sys::termios::tcgetattr(&pty.slave).unwrap();
        if raw {
            nix::sys::termios::cfmakeraw(&mut mode);
        }
        nix::sys::termios::tcsetattr(&pty.slave, nix::sys::termios::SetArg::TCSANOW, &mode).unwrap();
        pty
    }

    /// Whether a program with a terminal of its own is known to have read everything: before, during and after
    /// another task.
    fn seen(script: &str, raw: bool) -> (bool, bool, bool) {
        let pty = terminal(raw);
        let tty = nix::unistd::ttyname(pty.slave.as_fd()).unwrap().display().to_string();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut child = Command::new("python3")
            .args(["-c", script])
            .stdin(slave())
            .stdout(slave())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let soon = |wanted: bool| {
            let begun = Instant::now();
            let mut read = has_read_all(pid, &tty);
            while read != wanted && begun.elapsed() < Duration::from_secs(60) {
                std::thread::sleep(Duration::from_millis(5));
                read = has_read_all(pid, &tty);
            }
            read
        };
        let mut keys = std::fs::File::from(pty.master.try_clone().unwrap());
        let before = soon(true);
        keys.write_all(b"go\r").unwrap();
        let meanwhile = soon(false);
        // The text that it reads when it is back.
        let after = soon(true);
        child.kill().unwrap();
        child.wait().unwrap();
        (before, meanwhile, after)
    }

    #[test]
    fn a_program_that_is_at_something_else_has_not_read_what_was_typed() {
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no python3, in which the programs are written");
            return;
        }
        // A line editor, and a program that takes key by key; each then sleeps in a call for a while.
        let line = "import sys, time\nwhile 1:\n    sys.stdin.readline()\n    time.sleep(1)\n";
        assert_eq!(seen(line, false), (true, false, true));
        let key = "import os, select, time\nwhile 1:\n    select.select([0], [], [])\n    time.sleep(.5)\n    os.read(0, 99)\n    time.sleep(.5)\n";
        assert_eq!(seen(key, true), (true, false, true));
    }

    // Without /proc, the children of a launcher are unknown.
    #[cfg(not(feature = "portable-process"))]
    #[test]
    fn a_program_that_a_launcher_started_is_not_at_rest_while_it_works_on_a_key() {
        use std::io::Read as _;
        if Command::new("python3").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no python3, in which the program is written");
            return;
        }
        // It reports that it has read a key, because the system hands over a key a moment after it was written. It
        // works on the key until the next one comes, or nobody listens any more.
        let script = "import os, select\nwhile 1:\n    os.read(0, 99)\n    os.write(1, b'r')\n    while not select.select([0], [], [], 0)[0]: pass\n    os.read(0, 99)\n";
        let pty = terminal(true);
        // It waits for its child all the time.
        let launcher = "import subprocess, sys\nsubprocess.run(['python3', '-c', sys.argv[1]])\n";
        let mut child = Command::new("python3")
            .args(["-c", launcher, script])
            .stdin(Stdio::from(pty.slave.try_clone().unwrap()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = child.stdout.take().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let reader = || children(pid).first().copied();
        let soon = |what: &str, is: &dyn Fn() -> bool| {
            let begun = Instant::now();
            while !is() {
                assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        soon("it reads", &|| reader().is_some_and(waits) && is_at_rest(pid) == Some(true));
        let mut keys = std::fs::File::from(pty.master.try_clone().unwrap());
        keys.write_all(b"/").unwrap();
        said.read_exact(&mut [0]).unwrap();
        assert_eq!(is_at_rest(pid), Some(false));
        keys.write_all(b"x").unwrap();
        soon("it reads again", &|| is_at_rest(pid) == Some(true));
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(reader().unwrap()),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        child.wait().unwrap();
        assert_eq!(is_at_rest(pid), None, "nothing is known of what has ended");
    }

    #[test]
    fn a_terminal_is_still_until_something_is_written_to_it() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "read go; echo; read end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::from(pty.slave))
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        // As if the look was later: nothing was written in the eight seconds before.
        let later = now() + 16;
        assert_eq!(was_still_at(pid, later), Some(true));
        let then = now();
        child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        let begun = Instant::now();
        while was_still_at(pid, then) != Some(false) {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(was_still_at(pid, then), None);
    }

    #[test]
    fn of_a_terminal_that_is_not_the_programs_nothing_is_known() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(!has_read_all(own, "/dev/null/none") && unread("/nowhere").is_none());
    }
}
