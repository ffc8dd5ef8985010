//! The way to an engine on another machine: `ssh -L` from a socket here to its socket there.
//!
//! One child process, which ends with the link. Its program on the other machine starts the engine, and runs as long as
//! it hears from this end, so all of it ends with a link that is killed or cut off. A tunnel that ends is started again
//! after growing pauses. A refused tunnel waits longer.

use crate::core::escape;
use crate::store::{Store, record};
use anyhow::{Context as _, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{Read, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The pause after the first end, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The pause after a refusal: a person has to do something first.
const REFUSED: Duration = Duration::from_secs(120);

/// How often this end gives a sign of life.
const SIGN: Duration = Duration::from_secs(15);

/// How long the other end waits for a sign.
pub(super) const SILENCE: Duration = Duration::from_secs(120);

pub(super) struct Tunnel {
    to: String,
    remote: PathBuf,
    id: String,
    dir: PathBuf,
    child: Option<Child>,
    pause: Duration,
    next: Instant,
    begun: Instant,
    signed: Instant,
}

/// Directories that may contain swarm, and that a shell other than a login shell may not search.
const PLACES: &str = "PATH=\"$PATH:$HOME/.local/bin:$HOME/.cargo/bin:$HOME/.tmux/plugins/tmux-swarm/bin:$HOME/.config/tmux/plugins/tmux-swarm/bin\"";

/// The command line of ssh; `SWARM_SSH` may name another program, with options.
pub(super) fn ssh() -> Command {
    let asked = std::env::var("SWARM_SSH").unwrap_or_default();
    let mut words = asked.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("ssh"));
    command.args(words);
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=2",
        "ControlMaster=no",
        "ControlPath=none",
        "ForwardAgent=no",
        "ForwardX11=no",
    ] {
        command.args(["-o", option]);
    }
    command
}

/// The command on the machine of the engine.
pub(super) fn remote(words: &str) -> String {
    format!("{PLACES} exec swarm-link {words}")
}

impl Tunnel {
    pub(super) fn new(to: &str, remote: &Path, id: &str, state: &Path, store: &Store) -> Result<Self> {
        // Short, because the name of a socket may have only about a hundred bytes.
        let digest = super::keys::digest(store.root().as_os_str().as_encoded_bytes());
        let mut dir = state.join(format!("link-{}", &digest[..12]));
        if dir.as_os_str().len() > 80 {
            dir = std::env::temp_dir().join(format!("swarm-{}-{}", nix::unistd::geteuid(), &digest[..12]));
        }
        record::ensure_dir(&dir)?;
        Ok(Self {
            to: to.to_owned(),
            remote: remote.to_owned(),
            id: id.to_owned(),
            dir,
            child: None,
            pause: PAUSE.0,
            next: Instant::now(),
            begun: Instant::now(),
            signed: Instant::now(),
        })
    }

    /// The directory of the socket here.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.clone()
    }

    /// Starts ssh unless it runs, or must pause.
    pub(super) fn look(&mut self) -> Result<()> {
        if let Some(child) = &mut self.child {
            let Some(status) = child.try_wait().context("cannot look at ssh")? else {
                if self.signed.elapsed() > SIGN {
                    self.signed = Instant::now();
                    // An error is not reported here: ssh has ended then, and the next look sees that.
                    let _ = child.stdin.as_ref().map(|mut input| input.write_all(b"."));
                }
                return Ok(());
            };
            let mut said = String::new();
            if let Some(pipe) = child.stderr.take() {
                pipe.take(4000).read_to_string(&mut said).unwrap_or_default();
            }
            self.child = None;
            let refused = ["Permission denied", "Host key verification failed", "not found", "no team"];
            if self.begun.elapsed() > PAUSE.1 {
                self.pause = PAUSE.0;
            }
            let pause = if refused.iter().any(|word| said.contains(word)) { REFUSED } else { self.pause };
            self.pause = (self.pause * 2).min(PAUSE.1);
            self.next = Instant::now() + pause;
            let last = said.trim().lines().last().unwrap_or_default();
            bail!(
                "ssh {} ended ({status}): {}; tried again in {} s",
                escape::short(&self.to, 60),
                escape::short(last, 120),
                pause.as_secs()
            );
        }
        if Instant::now() < self.next {
            return Ok(());
        }
        let forward = format!(
            "{}:{}",
            self.dir.join(".s.PGSQL.5432").display(),
            self.remote.join(".s.PGSQL.5432").display()
        );
        let mut command = ssh();
        command.args([
            "-T",
            "-o",
            "ExitOnForwardFailure=yes",
            "-o",
            "StreamLocalBindUnlink=yes",
            "-L",
            &forward,
        ]);
        command.arg("--").arg(&self.to).arg(remote(&format!("serve {}", self.id)));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        self.begun = Instant::now();
        self.next = self.begun + self.pause;
        self.child = Some(child.context("cannot run ssh")?);
        Ok(())
    }
}

/// Reads the signs of the other end until it closes, or is silent for that long. A connection that is cut does not
/// report its end.
pub(super) fn hear(mut signs: impl Read + AsFd, silence: Duration) -> Result<()> {
    let silence = PollTimeout::try_from(silence).unwrap_or(PollTimeout::MAX);
    let mut page = [0; 256];
    loop {
        match poll(&mut [PollFd::new(signs.as_fd(), PollFlags::POLLIN)], silence) {
            Ok(0) => return Ok(()),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error).context("cannot wait for the other end"),
            Ok(_) => {}
        }
        if signs.read(&mut page)? == 0 {
            return Ok(());
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::PipeReader;
    use std::os::fd::BorrowedFd;
    use std::sync::mpsc;

    /// Says of each read that it was made.
    struct Reported(PipeReader, mpsc::Sender<usize>);

    impl Read for Reported {
        fn read(&mut self, page: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.read(page)?;
            self.1.send(count).unwrap();
            Ok(count)
        }
    }

    impl AsFd for Reported {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    #[test]
    fn a_tunnel_ends_with_its_other_end_and_when_that_is_silent() {
        let (signs, mut other) = std::io::pipe().unwrap();
        let (heard, reads) = mpsc::channel();
        let serving = std::thread::spawn(move || hear(Reported(signs, heard), Duration::from_secs(600)));
        for _ in 0..2 {
            other.write_all(b".").unwrap();
            assert_eq!(reads.recv(), Ok(1));
        }
        drop(other);
        assert_eq!(reads.recv(), Ok(0));
        serving.join().unwrap().unwrap();

        let (signs, _other) = std::io::pipe().unwrap();
        let begun = Instant::now();
        hear(&signs, Duration::from_millis(50)).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(50));
    }
}
