//! Commands below a background server that works for several agents.
//!
//! Codex and Cline each have one for all their windows, and it is often a child of the first of them. So its parent
//! processes and its environment do not show which agent it serves. A profile may name the argument that marks it
//! (`shared_server`). Any other process that listens for others, in a process group of its own between a command and
//! an agent, may also be such a server.

use super::caller::{Ancestor, Hints};
use super::process::Process;
use crate::core::agent::Agent;
use crate::core::refusal::Refusal;

/// A command's place below such a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The server.
    pub server: i32,
    /// The process that the server started for the command: the command itself, or one above it.
    pub task: i32,
    /// Whether the command itself names its agent, and not only by the environment of the server's start.
    pub named: bool,
}

impl Served {
    fn below(chain: &[Ancestor], server: usize, named: bool) -> Self {
        let task = chain[server.saturating_sub(1)].id.pid;
        Self { server: chain[server].id.pid, task, named }
    }
}

/// The agent of `kind` that calls through the server at that index in `chain`: the only one, or the one that the
/// command names.
pub(super) fn shared<'a>(
    agents: &'a [Agent],
    kind: &str,
    (chain, server): (&[Ancestor], usize),
    hints: Hints<'_>,
) -> Result<(&'a Agent, Served), Refusal> {
    which(agents, kind, hints, Some(&chain[server]))
        .map(|(agent, named)| (agent, Served::below(chain, server, named)))
}

/// The agent of `kind` that calls: the only one, or the one that the command names; and whether the command names it.
/// `server`: the shared server, if it can be seen.
pub(super) fn which<'a>(
    agents: &'a [Agent],
    kind: &str,
    hints: Hints<'_>,
    server: Option<&Ancestor>,
) -> Result<(&'a Agent, bool), Refusal> {
    let of_kind: Vec<&Agent> = agents.iter().filter(|a| a.is_live() && a.kind == kind).collect();
    let inherited = server.and_then(|server| server.named.as_deref());
    let claim = claim(hints, inherited);
    let claimed = of_kind.iter().find(|a| Some(a.name.as_str()) == claim);
    match (claimed, &of_kind[..]) {
        (Some(agent), _) | (None, [agent]) => Ok((agent, claimed.is_some())),
        _ => Err(ambiguous(&of_kind, kind, inherited)),
    }
}

/// The error if it is unknown which agent of `kind` calls. `inherited` is the name in the environment of the server's
/// start.
fn ambiguous(of_kind: &[&Agent], kind: &str, inherited: Option<&str>) -> Refusal {
    let names: Vec<&str> = of_kind.iter().map(|a| a.name.as_str()).collect();
    let inherited = inherited.map_or_else(String::new, |name| {
        format!(" (that server was started with SWARM_NAME={name}, so this name says nothing below it)")
    });
    Refusal::Usage(format!(
        "swarm cannot know which {kind} you are: {} share one background server. Put SWARM_NAME=NAME before the command{inherited}, or start {kind} without it (codex --no-daemon)",
        names.join(" and ")
    ))
}

/// The nearest process between a command and an agent (in `below`) that may work for others as well.
pub(super) fn unknown(below: &[Ancestor]) -> Option<usize> {
    below.iter().skip(1).position(|p| p.listens).map(|at| at + 1)
}

/// Whether `agent`, above the unknown server at that index in the chain, calls: it is the only one, or the command
/// names it. A name of another agent is not believed, because anybody may start a server.
pub(super) fn behind(
    agents: &[Agent],
    agent: &Agent,
    (chain, server): (&[Ancestor], usize),
    hints: Hints<'_>,
) -> Result<Served, Refusal> {
    let claim = claim(hints, chain[server].named.as_deref());
    let alone = agents.iter().filter(|a| a.is_live()).count() == 1;
    match claim {
        Some(name) if name == agent.name.as_str() => Ok(Served::below(chain, server, true)),
        None if alone => Ok(Served::below(chain, server, false)),
        _ => Err(Refusal::Usage(format!(
            "swarm cannot know who you are: {} (process {}), which {} started, listens for others, so it may run commands of other agents too. If you are {2}, put SWARM_NAME={2} before the command; a profile may name such a server (shared_server)",
            crate::core::escape::short(&chain[server].comm, 32),
            chain[server].id.pid,
            agent.name
        ))),
    }
}

/// The agent that the command names. All processes below a server have the name in the environment of its start: such
/// a name is `inherited`.
fn claim<'a>(hints: Hints<'a>, inherited: Option<&str>) -> Option<&'a str> {
    hints.from.or(hints.named.filter(|name| inherited != Some(*name)))
}

/// The indices of those of these processes, nearest first, that listen for others and are not part of the agent above
/// them: an agent's own processes are in its process group. Not checked if there is no agent above.
pub(super) fn listeners(
    chain: &[Process],
    is_agent: impl Fn(usize) -> bool,
    listens: impl Fn(i32) -> bool,
) -> Vec<bool> {
    let group_above = |at: usize| (at + 1..chain.len()).find(|up| is_agent(*up)).map(|up| chain[up].group);
    let judged = |at: usize| {
        let process = &chain[at];
        at > 0
            && !is_agent(at)
            && group_above(at).is_some_and(|group| group != process.group)
            && listens(process.pid)
    };
    (0..chain.len()).map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_counts_below_an_agent_and_in_a_group_of_its_own() {
        let process = |pid: i32, group: i32| Process {
            pid,
            parent: pid - 1,
            group,
            foreground: -1,
            start: 1,
            stopped: false,
            ended: false,
            comm: "x".into(),
            line: None,
        };
        // The command, its shell, a server, a part of the agent, the agent, the tmux server.
        let chain = [
            process(60, 50),
            process(50, 50),
            process(40, 40),
            process(30, 20),
            process(20, 20),
            process(10, 10),
        ];
        let seen = listeners(&chain, |at| at == 4, |_| true);
        assert_eq!(seen, [false, true, true, false, false, false]);
        assert_eq!(listeners(&chain, |at| at == 4, |pid| pid == 30), [false; 6]);
        assert_eq!(listeners(&chain, |_| false, |_| true), [false; 6]);
    }
}
