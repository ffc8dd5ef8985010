//! Child commands of a turn: what a submitted text makes the agent run, started one at a time.
//! A child gets no terminal; its output is read without blocking, so the poll loop stays responsive.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use regex::{Captures, Regex};

use crate::options::React;

static TOOL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)TOOL\(\((.*?)\)\)").ok());
static SLOW: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"SLOW(\d{1,5})").ok());

/// A command to run, with the variables it gets.
pub(crate) struct Job {
    pub(crate) command: String,
    variables: Vec<(String, String)>,
}

impl Job {
    fn new(command: &str, submitted: &str, captures: &Captures<'_>) -> Self {
        // A NUL cannot be in an environment; nothing typed should hold one.
        let mut variables = vec![("SUBMITTED".to_owned(), submitted.replace('\0', ""))];
        for (n, group) in captures.iter().enumerate() {
            variables.push((format!("M{n}"), group.map_or("", |m| m.as_str()).replace('\0', "")));
        }
        Self { command: command.to_owned(), variables }
    }
}

/// The commands that a submitted text calls for: matching reactions first, then its `TOOL((…))` parts.
pub(crate) fn jobs(submitted: &str, reacts: &[React]) -> Vec<Job> {
    let mut jobs = Vec::new();
    for react in reacts {
        if let Some(captures) = react.pattern.captures(submitted) {
            jobs.push(Job::new(&react.command, submitted, &captures));
        }
    }
    for captures in TOOL.iter().flat_map(|tool| tool.captures_iter(submitted)) {
        let command = captures.get(1).map_or("", |m| m.as_str());
        jobs.push(Job::new(command, submitted, &captures));
    }
    jobs
}

/// The length of the turn in milliseconds that `SLOW<n>` asks for.
pub(crate) fn slow(submitted: &str) -> Option<u64> {
    let captures = SLOW.as_ref()?.captures(submitted)?;
    captures.get(1)?.as_str().parse::<u64>().ok().map(|seconds| seconds * 1000)
}

/// A command under way.
pub(crate) struct Running {
    pub(crate) command: String,
    child: Child,
    pipe: PipeReader,
    output: Vec<u8>,
    ended: bool,
}

/// How a command ended.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) output: String,
}

impl Running {
    pub(crate) fn start(job: &Job) -> io::Result<Self> {
        let (pipe, writer) = io::pipe()?;
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let child = Command::new("sh")
            .args(["-c", &job.command])
            .envs(job.variables.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        Ok(Self { command: job.command.clone(), child, pipe, output: Vec::new(), ended: false })
    }

    /// The pipe to wait on, until the command closed it.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.ended).then(|| self.pipe.as_fd())
    }

    /// Reads what is there; the outcome once the command has exited. Processes it left behind may keep the pipe.
    pub(crate) fn advance(&mut self) -> Option<Outcome> {
        let status = self.child.try_wait();
        self.drain();
        let code = match status {
            Ok(None) => return None,
            Ok(Some(status)) => status.code().unwrap_or(-1),
            Err(_) => -1,
        };
        Some(Outcome { code, output: String::from_utf8_lossy(&self.output).into_owned() })
    }

    fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while !self.ended {
            match self.pipe.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => self.output.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.ended = e.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_and_tools_become_jobs_with_their_groups() {
        let reacts = [React { pattern: Regex::new(r"swarm (\w+)").unwrap(), command: "reply".into() }];
        let jobs = jobs("[swarm k3f] TOOL((echo (a))) TOOL((b))", &reacts);
        let commands: Vec<_> = jobs.iter().map(|j| j.command.as_str()).collect();
        assert_eq!(commands, ["reply", "echo (a", "b"]);
        assert!(jobs[0].variables.contains(&("M1".to_owned(), "k3f".to_owned())));
        assert_eq!(slow("please SLOW2 now"), Some(2000));
    }
}
