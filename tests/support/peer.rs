//! Agents without tmux: a *peer* is a shell that the registry knows as an agent, so whatever runs below it is proved to be
//! that agent.

use super::World;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use swarm::os::process::Table;

/// A shell that is an agent.
pub(crate) struct Peer {
    name: String,
    shell: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// A living agent of that name.
    pub(crate) fn new(world: &World, name: &str) -> Self {
        Self::of(world, name, "claude")
    }

    /// A living agent of that name and kind: hooks of other kinds are not its own.
    pub(crate) fn of(world: &World, name: &str, kind: &str) -> Self {
        let mut shell = world
            .command("sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let id = Table::read().unwrap().id(i32::try_from(shell.id()).unwrap()).unwrap();
        let record = json!({
            "name": name, "kind": kind, "process": id, "cwd": world.project(), "first_seen": 1,
            "place": {"socket": "/nowhere", "server": 999_999_999, "pane": "%0", "pane_pid": id.pid},
        });
        // Whole or not at all, as swarm itself writes: others may be reading.
        let part = world.path().join(format!("{name}.part"));
        fs::write(&part, record.to_string()).unwrap();
        fs::rename(&part, world.state().join(format!("agents/{name}.json"))).unwrap();
        let (stdin, stdout) = (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
        Self { name: name.to_owned(), shell, stdin, stdout }
    }

    /// Starts a shell command; [`Peer::finish`] gives its outcome.
    pub(crate) fn start(&mut self, command: &str) {
        // On a line of its own, even after a line that a killed process did not end.
        writeln!(self.stdin, "( {command} ) </dev/null 2>&1; printf '\\n= %s\\n' $?").unwrap();
    }

    /// The exit code and the output of the command started.
    pub(crate) fn finish(&mut self) -> (i32, String) {
        let mut output = String::new();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "{} is gone: {output}", self.name);
            match line.strip_prefix("= ") {
                Some(code) => return (code.trim().parse().unwrap(), output),
                None => output.push_str(&line),
            }
        }
    }

    /// Runs a shell command; its exit code and output.
    pub(crate) fn run(&mut self, command: &str) -> (i32, String) {
        self.start(command);
        self.finish()
    }

    /// Runs a shell command that must succeed; its output.
    pub(crate) fn ok(&mut self, command: &str) -> String {
        let (code, output) = self.run(command);
        assert_eq!(code, 0, "{}: {command}: {output}", self.name);
        output
    }

    /// Ends it without a chance to tidy up.
    pub(crate) fn kill(&mut self) {
        self.shell.kill().unwrap();
        self.shell.wait().unwrap();
    }

    /// The texts of its unread mail, with their senders.
    pub(crate) fn mail(&mut self) -> Vec<String> {
        let inbox = serde_json::from_str::<Value>(&self.ok("swarm-msg inbox --json")).unwrap();
        let text = |m: &Value| {
            format!("{}: {}", m["message"]["from"].as_str().unwrap(), m["message"]["body"].as_str().unwrap())
        };
        inbox["messages"].as_array().unwrap().iter().map(text).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// That many agents.
pub(crate) fn peers<const N: usize>(world: &World) -> [Peer; N] {
    std::array::from_fn(|i| Peer::new(world, &format!("peer-{i}")))
}

/// All run the same at once; gives the exit codes.
pub(crate) fn race(peers: &mut [Peer], command: &str) -> Vec<(i32, String)> {
    for peer in peers.iter_mut() {
        peer.start(command);
    }
    peers.iter_mut().map(Peer::finish).collect()
}
