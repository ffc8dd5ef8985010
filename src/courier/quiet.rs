//! Judges by processes and terminals whether tmux can have anything new to report. If not, no client is started.
//!
//! A pane's first process is a child of its server, and an agent is a process below that one. So a new pane, a closed
//! one, and an agent that started or ended are seen here. So is a pane's working directory, which decides its
//! project. A program writes its screen to its terminal, whose time shows when. All of this only decides whether to
//! look, and is kept in memory only, so a killed courier leaves nothing. If the system does not show it (macOS), tmux
//! is asked as often as without it.

use crate::agents::Profiles;
use crate::core::agent::Agent;
use crate::core::few::Few;
use crate::core::order;
use crate::core::process_id::ProcessId;
use crate::hooks::report::{self, FRESH_MS};
use crate::os::forest::Forest;
use crate::os::{process, terminal};
use crate::roster::discovery;
use crate::store::{Store, now_ms};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long this is believed. Only tmux shows whether somebody removed one of swarm's options from a pane.
const BELIEVED: Duration = Duration::from_secs(600);

/// The facts when tmux was last asked.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// The processes of the servers, by their sockets.
    servers: Few<String, i32>,
    panes: Option<(Vec<PaneTrace>, Instant)>,
    /// When the screens were looked at (ms since the epoch).
    looked: u64,
}

/// One pane, or a server, as seen without tmux.
#[derive(Debug, PartialEq, Eq)]
struct PaneTrace {
    process: ProcessId,
    agent: Option<(ProcessId, String)>,
    dir: Option<PathBuf>,
}

impl Quiet {
    /// Before tmux is asked for its panes: notes the facts, so that a change meanwhile is seen as one.
    pub(super) fn note(&mut self, profiles: &Profiles) {
        self.panes = self.look(profiles).map(|seen| (seen, Instant::now()));
    }

    /// Learns the process of a server from tmux. Nothing was noted about an unknown one.
    pub(super) fn learn(&mut self, socket: &str, pid: i32) {
        if self.servers.insert(socket.to_owned(), pid) != Some(pid) {
            self.panes = None;
        }
    }

    /// Forgets everything that was seen.
    pub(super) fn forget(&mut self) {
        (self.panes, self.looked) = (None, 0);
    }

    /// Keeps only these servers.
    pub(super) fn keep(&mut self, knows: impl Fn(&str) -> bool) {
        self.servers.retain(|socket, _| knows(socket));
    }

    /// Whether a look at the panes of all servers would show the same as the last one.
    #[inline(never)]
    pub(super) fn is_as_before(&self, agents: &[Agent], profiles: &Profiles) -> bool {
        let Some((before, at)) = &self.panes else { return false };
        let known = |a: &Agent| self.servers.contains_key(&a.place.socket);
        // An agent on record that is not seen there any more has ended, unless a person has named it.
        let there: BTreeSet<&ProcessId> =
            order::collect(before.iter().filter_map(|s| Some(&s.agent.as_ref()?.0)));
        let lives = |a: &Agent| a.place.namespace.is_none() || process::is_alive(&a.process);
        let in_place = |a: &Agent| known(a) && (there.contains(&a.process) || lives(a));
        at.elapsed() < BELIEVED
            && agents.iter().filter(|a| a.is_live()).all(in_place)
            && self.look(profiles).is_some_and(|now| now == *before)
    }

    fn look(&self, profiles: &Profiles) -> Option<Vec<PaneTrace>> {
        let forest = Forest::look().ok().filter(Forest::is_lazy)?;
        let mut seen = Vec::new();
        for pid in self.servers.values() {
            let server = forest.tree(*pid).next()?;
            seen.push(PaneTrace { process: forest.id(&server), agent: None, dir: None });
            for first in forest.below(&server).into_iter().filter(|p| !p.ended) {
                let agent = discovery::recognise(&forest, first.pid, profiles).map(|r| (r.process, r.kind));
                let at = agent.as_ref().map_or(first.foreground, |(id, _)| id.pid);
                let dir = process::cwd(at).or_else(|| process::cwd(first.pid));
                seen.push(PaneTrace { process: forest.id(&first), agent, dir });
            }
        }
        Some(seen)
    }

    /// Before the screens are looked at: notes the time.
    pub(super) fn looks(&mut self) {
        self.looked = now_ms();
    }

    /// Whether no screen of these agents can have changed since.
    pub(super) fn is_still(&self, store: &Store, agents: &[Agent]) -> bool {
        // Reports of hooks count for a while, and then the screen counts again.
        let said = |a: &Agent| {
            let report = report::read(store, &a.name).ok().flatten();
            report.is_some_and(|r| r.at + FRESH_MS + 1000 >= self.looked)
        };
        let still =
            |a: &Agent| terminal::was_still_at(a.process.pid, self.looked / 1000) == Some(true) && !said(a);
        self.looked > 0 && agents.iter().filter(|a| a.is_live()).all(still)
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(feature = "portable-process")))]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_comes_goes_or_moves_below_a_server_is_noticed_and_nothing_else() {
        // It stands for the tmux server: its children are the panes.
        let mut server = Command::new("bash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut input, mut output) =
            (server.stdin.take().unwrap(), BufReader::new(server.stdout.take().unwrap()));
        let mut tell = |line: &str| {
            let mut answer = String::new();
            writeln!(input, "{line}\necho done").unwrap();
            output.read_line(&mut answer).unwrap();
        };
        let profiles = Profiles::builtin().unwrap();
        let mut quiet = Quiet::default();
        let differs = |quiet: &Quiet| !quiet.is_as_before(&[], &profiles);
        let comes = |quiet: &Quiet| {
            let begun = Instant::now();
            while !differs(quiet) {
                assert!(begun.elapsed() < Duration::from_secs(20));
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        assert!(differs(&quiet), "nothing is known yet");
        quiet.note(&profiles);
        quiet.learn("/s", i32::try_from(server.id()).unwrap());
        assert!(differs(&quiet), "nothing was seen of this server");
        quiet.note(&profiles);
        assert!(!differs(&quiet));
        tell("sleep 60 & first=$!");
        comes(&quiet);
        quiet.note(&profiles);
        // An agent below a pane that was there before.
        tell("coproc PANE { while read -r line; do eval \"$line\"; done; }");
        comes(&quiet);
        quiet.note(&profiles);
        tell("echo \"bash -c 'exec -a claude sleep 60' & agent=\\$!\" >&${PANE[1]}");
        comes(&quiet);
        let seen = || quiet.look(&profiles).unwrap().into_iter().find_map(|s| s.agent);
        let begun = Instant::now();
        let agent = loop {
            if let Some(agent) = seen() {
                break agent;
            }
            assert!(begun.elapsed() < Duration::from_secs(20));
        };
        assert_eq!(agent.1, "claude");
        quiet.note(&profiles);
        assert!(!differs(&quiet));
        tell("echo 'cd /' >&${PANE[1]}");
        // The agent itself is where it was, and that decides.
        tell("echo 'kill $agent; wait $agent' >&${PANE[1]}");
        comes(&quiet);
        tell("kill $first");
        quiet.forget();
        assert!(differs(&quiet));
        server.kill().unwrap();
        server.wait().unwrap();
    }

    #[test]
    fn an_agent_on_record_that_is_not_seen_is_looked_for() {
        let profiles = Profiles::builtin().unwrap();
        let mut server = Command::new("sleep").arg("60").spawn().unwrap();
        let mut quiet = Quiet::default();
        quiet.learn("/s", i32::try_from(server.id()).unwrap());
        quiet.note(&profiles);
        let agent = |socket: &str, namespace: Option<u64>| -> Agent {
            serde_json::from_value(serde_json::json!({
                "name": "claude-1", "kind": "claude", "process": {"pid": 1, "start": 1, "boot": "b"}, "cwd": "/", "first_seen": 1,
                "place": {"socket": socket, "server": 1, "pane": "%0", "pane_pid": 1, "namespace": namespace},
            }))
            .unwrap()
        };
        assert!(quiet.is_as_before(&[], &profiles));
        assert!(!quiet.is_as_before(&[agent("/s", Some(1))], &profiles));
        assert!(!quiet.is_as_before(&[agent("/other", None)], &profiles));
        server.kill().unwrap();
        server.wait().unwrap();
        assert!(!quiet.is_as_before(&[], &profiles), "the server is gone");
    }
}
