//! A child process with a time limit.
//!
//! A child that is not done in time is killed by its pid and reaped, so nothing of it is left. No thread is needed,
//! and several children at once do not disturb each other.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long to wait for a killed child: the kernel ends it at once, unless it is stuck in the kernel itself.
const REAPING: Duration = Duration::from_secs(2);

/// The pause before the next check whether a child that has closed its output has ended: it grows from the first to
/// the second value.
const PAUSE: (Duration, Duration) = (Duration::from_micros(20), Duration::from_millis(5));

/// Runs `command` with `input`, and returns its output. `None`: it did not end within `bound`, and was killed.
pub fn output(command: &mut Command, input: Option<&[u8]>, bound: Duration) -> io::Result<Option<Output>> {
    let until = Instant::now() + bound;
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let ended = converse(&mut child, input.unwrap_or_default(), until);
    if !matches!(ended, Ok(Some(_))) {
        // It may have ended at this moment; then there is nothing to kill.
        let _ = child.kill();
        let _ = wait(&mut child, Instant::now() + REAPING);
    }
    ended
}

fn converse(child: &mut Child, mut input: &[u8], until: Instant) -> io::Result<Option<Output>> {
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    stdin.as_ref().map_or(Ok(()), unblock)?;
    stdout.as_ref().map_or(Ok(()), unblock)?;
    stderr.as_ref().map_or(Ok(()), unblock)?;
    let (mut printed, mut told) = (Vec::new(), Vec::new());
    loop {
        if let Some(pipe) = &mut stdin
            && feed(pipe, &mut input)?
        {
            stdin = None;
        }
        if let Some(pipe) = &mut stdout
            && drain(pipe, &mut printed)?
        {
            stdout = None;
        }
        if let Some(pipe) = &mut stderr
            && drain(pipe, &mut told)?
        {
            stderr = None;
        }
        // The child does not want the input that it has not read by then.
        if stdout.is_none() && stderr.is_none() {
            break;
        }
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Ok(None);
        }
        let mut pipes: Vec<PollFd<'_>> = Vec::with_capacity(3);
        pipes.extend(stdin.as_ref().map(|p| PollFd::new(p.as_fd(), PollFlags::POLLOUT)));
        pipes.extend(stdout.as_ref().map(|p| PollFd::new(p.as_fd(), PollFlags::POLLIN)));
        pipes.extend(stderr.as_ref().map(|p| PollFd::new(p.as_fd(), PollFlags::POLLIN)));
        let rest = PollTimeout::try_from(rest + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut pipes, rest) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Some(status) = wait(child, until)? else { return Ok(None) };
    Ok(Some(Output { status, stdout: printed, stderr: told }))
}

fn unblock(pipe: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(pipe, FcntlArg::F_GETFL)?);
    fcntl(pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Writes as much as the pipe takes. `true`: that was all, or its reader has gone.
fn feed(pipe: &mut impl Write, input: &mut &[u8]) -> io::Result<bool> {
    while !input.is_empty() {
        match pipe.write(input) {
            Ok(count) => *input = &input[count..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(true),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// Reads the available data. `true`: nothing will follow.
fn drain(pipe: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 << 10];
    match pipe.read(&mut piece) {
        Ok(0) => return Ok(true),
        Ok(count) => into.extend_from_slice(&piece[..count]),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(e) => return Err(e),
    }
    Ok(false)
}

/// Waits for the end of a child that has closed its output. It nearly always ends at once.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<std::process::ExitStatus>> {
    let mut pause = PAUSE.0;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far more than any of these takes.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(200);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_prints_comes_back_whole_however_much_it_is_given() {
        let input = vec![b'x'; 1 << 20];
        let out = output(&mut shell("cat; echo no >&2; exit 3"), Some(&input), LONG).unwrap().unwrap();
        assert_eq!((out.stdout.len(), &*out.stderr, out.status.code()), (1 << 20, &b"no\n"[..], Some(3)));
        // A child that reads none of its input, and one that gets none.
        let out = output(&mut shell("exec 0<&-; echo done"), Some(&input), LONG).unwrap().unwrap();
        assert_eq!(out.stdout, b"done\n");
        assert_eq!(output(&mut shell("cat"), None, LONG).unwrap().unwrap().stdout, b"");
    }

    #[test]
    fn one_that_does_not_end_is_killed_and_reaped_whatever_it_does() {
        let input = vec![b'x'; 1 << 20];
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        for script in [
            "exec sleep 1000",
            // A child that ignores the polite signals, prints without end, closes its output, or leaves a child that
            // holds it.
            "trap '' TERM HUP INT; while :; do sleep 1; done",
            "while :; do echo y; done",
            "exec >&- 2>&-; exec sleep 1000",
            "kill -STOP $$",
        ] {
            let begun = Instant::now();
            let script = format!("echo $$ > {}; {script}", file.display());
            assert!(output(&mut shell(&script), Some(&input), SHORT).unwrap().is_none(), "{script}");
            assert!(begun.elapsed() >= SHORT && begun.elapsed() < LONG / 2, "{script}");
            let pid = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
            let gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None);
            assert_eq!(gone, Err(nix::errno::Errno::ESRCH), "{script}");
        }
    }
}
