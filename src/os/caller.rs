//! Identifies the caller of a command by process ancestry.
//!
//! The caller is the agent whose process is an ancestor of this one. Ancestry cannot be claimed, only inherited. Two
//! things cut the chain: a sandbox with its own pid namespace, and a background server that runs the tools of several
//! agents (Codex has both). Then only `$TMUX_PANE` is left, or a claim if even that may belong to another agent, and
//! the result says so (`env`). A caller below no agent is the human.
//!
//! A process whose parents have ended is not in a sandbox: its whole ancestry is visible. If its environment is that
//! of an agent, it is neither that agent, because anybody could claim that, nor the human: it is nobody.

use super::process::Process;
use super::served::{self, Served};
use super::{process, program};
use crate::agents::{INTERPRETERS, Link};
use crate::core::agent::Agent;
use crate::core::message::Identity;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use crate::core::refusal::Refusal;
use anyhow::Result;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub name: Name,
    /// Its former names. It may also read their mail.
    pub aliases: Vec<Name>,
    /// The evidence for it.
    pub identity: Identity,
    /// The server of several agents above it, if there is one.
    pub served: Option<Served>,
    /// Whether its whole ancestry was seen. If not, an unknown caller may be an agent.
    pub whole: bool,
}

impl Caller {
    /// A caller whose identity is unknown.
    pub fn nobody() -> Self {
        let (name, identity) = (Name::nobody(), Identity::Env);
        Self { name, aliases: Vec::new(), identity, served: None, whole: false }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    pub id: ProcessId,
    /// The name that the system shows.
    pub comm: String,
    /// Its first arguments.
    pub argv: Vec<String>,
    /// Whether it is below an agent of which it is no part, and listens for other processes.
    pub listens: bool,
    /// The `$SWARM_NAME` of its start, if it may be a server of several agents.
    pub named: Option<String>,
}

impl Ancestor {
    /// Whether it is the server, marked by the argument `mark`, that runs the tools of agents of `kind`. A shell with
    /// that argument is not such a server.
    pub fn serves(&self, kind: &str, mark: &str) -> bool {
        let runs = |program: &str| self.comm.starts_with(program);
        self.argv.iter().any(|a| a == mark) && (runs(kind) || INTERPRETERS.into_iter().any(runs))
    }
}

/// Variables that agents set for the programs that they run.
const AGENTS_OWN: [&str; 11] = [
    "CLAUDECODE",
    "CODEX_THREAD_ID",
    "GEMINI_CLI",
    "OPENCODE",
    "CURSOR_AGENT",
    "KIMI_CODE_CLI",
    "QWEN_CODE",
    "COPILOT_CLI",
    "PI_CODING_AGENT",
    "CLINE_CONNECTOR_CLI_LAUNCH",
    program::SWARM_AGENT,
];

/// Hints in the environment of the caller. They are never proof.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// `$TMUX_PANE`.
    pub pane: Option<&'a str>,
    /// The socket in `$TMUX`.
    pub socket: Option<&'a str>,
    /// `--from`.
    pub from: Option<&'a str>,
    /// `$SWARM_NAME`.
    pub named: Option<&'a str>,
    /// A variable that shows that an agent runs it.
    pub mark: Option<&'static str>,
}

/// How much of the ancestry was seen, and from where.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The pid namespace of the observer.
    pub namespace: Option<u64>,
    /// Whether the chain ends with a process that has no parent.
    pub to_the_end: bool,
}

/// This process and those above it, nearest first, at one moment. A command looks once.
#[derive(Debug)]
pub struct Chain {
    ids: Vec<ProcessId>,
    processes: Vec<Process>,
}

impl Chain {
    pub fn look() -> Result<Self> {
        let (ids, processes) = process::ancestors()?.into_iter().unzip();
        Ok(Self { ids, processes })
    }

    /// The processes above this one, for `Profiles::acts_for`.
    pub fn above(&self) -> Vec<Link> {
        let link = |(id, seen): (&ProcessId, &Process)| Link {
            group: seen.group,
            argv: seen.argv(),
            exe: program::file(id.pid),
            comm: seen.comm.clone(),
            id: id.clone(),
        };
        self.ids.iter().zip(&self.processes).skip(1).map(link).collect()
    }
}

/// Identifies the caller: who runs this process, the first of `chain`. `from` is the caller's own claim.
pub fn identify(agents: &[Agent], from: Option<&str>, chain: &Chain) -> Result<Caller> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let (pane, named) = (variable("TMUX_PANE"), variable("SWARM_NAME"));
    let socket = variable("TMUX").and_then(|t| t.split(',').next().map(str::to_owned));
    let hints = Hints {
        pane: pane.as_deref(),
        socket: socket.as_deref(),
        from,
        named: named.as_deref(),
        mark: AGENTS_OWN.into_iter().find(|name| variable(name).is_some()),
    };
    let to_the_end = chain.processes.last().is_some_and(Process::is_topmost);
    let chain = ancestors(agents, chain);
    Ok(decide(agents, &chain, &View { namespace: process::namespace(), to_the_end }, hints)?)
}

/// The processes above the caller, with the facts for [`decide`].
fn ancestors(agents: &[Agent], chain: &Chain) -> Vec<Ancestor> {
    let Chain { ids, processes } = chain;
    let marks: Vec<&String> =
        agents.iter().filter(|a| a.is_live()).filter_map(|a| a.shared_server.as_ref()).collect();
    let is_agent = |at: usize| {
        let pid = ids[at].pid;
        agents.iter().any(|a| a.is_live() && (a.process == ids[at] || a.place.pane_pid == pid))
    };
    let listens = served::listeners(processes, is_agent, process::listens);
    let told = |((id, process), listens): ((&ProcessId, &Process), bool)| {
        let argv = if marks.is_empty() { Vec::new() } else { process::first_arguments(id.pid) };
        let may_serve = listens || argv.iter().any(|a| marks.contains(&a));
        let named = may_serve.then(|| program::variable(id.pid, "SWARM_NAME")).flatten();
        Ancestor { comm: process.comm.clone(), argv, listens, named, id: id.clone() }
    };
    ids.iter().zip(processes).zip(listens).map(told).collect()
}

/// The rule, on given facts: the nearest ancestor that is an agent; or else the pane's first process; or, if the
/// chain was cut, the environment; or else the human, unless something shows that an agent started it.
pub fn decide(
    agents: &[Agent],
    chain: &[Ancestor],
    view: &View,
    hints: Hints<'_>,
) -> Result<Caller, Refusal> {
    let live = || agents.iter().filter(|a| a.is_live());
    let shared_view = |a: &Agent| a.place.namespace == view.namespace;
    let whole = view.to_the_end
        && (live().next().is_none() || live().any(|a| shared_view(a) || a.place.namespace.is_none()));
    let known = |agent: &Agent, identity, served| Caller {
        name: agent.name.clone(),
        aliases: agent.formerly.clone(),
        identity,
        served,
        whole,
    };
    // The agent whose process is at that index in the chain, unless a process below it may work for other agents.
    let above = |agent: &Agent, place: usize, identity| match served::unknown(&chain[..place]) {
        None => Ok(known(agent, identity, None)),
        Some(server) => served::behind(agents, agent, (chain, server), hints)
            .map(|served| known(agent, Identity::Env, Some(served))),
    };
    for (place, ancestor) in chain.iter().enumerate() {
        if let Some(agent) = live().find(|a| a.process == ancestor.id) {
            return above(agent, place, Identity::Process);
        }
        let serves = |a: &&Agent| a.shared_server.as_ref().is_some_and(|mark| ancestor.serves(&a.kind, mark));
        if let Some(served) = live().find(serves) {
            // A process of another agent belongs to that agent, whatever it seems to be.
            let beyond = chain.iter().skip(place + 1).find_map(|p| live().find(|a| a.process == p.id));
            if let Some(other) = beyond.filter(|a| a.kind != served.kind) {
                return Ok(known(other, Identity::Process, None));
            }
            return served::shared(agents, &served.kind, (chain, place), hints)
                .map(|(agent, served)| known(agent, Identity::Env, Some(served)));
        }
    }
    let in_chain = |pid: i32| chain.iter().any(|p| p.id.pid == pid);
    // The pane's first process counts only below its own tmux server: its pid alone could be another process's by
    // now.
    if let Some(agent) = live().find(|a| in_chain(a.place.pane_pid) && in_chain(a.place.server)) {
        let pane = chain.iter().position(|p| p.id.pid == agent.place.pane_pid).unwrap_or_default();
        return above(agent, pane, Identity::Pane);
    }
    let complete = live().any(|a| in_chain(a.place.server));
    let here = |a: &&Agent| {
        Some(a.place.pane.as_str()) == hints.pane && Some(a.place.socket.as_str()) == hints.socket
    };
    match live().find(here) {
        Some(agent) if !complete && view.to_the_end && shared_view(agent) => {
            Err(nobody(&format!("its environment is that of {}'s pane", agent.name)))
        }
        Some(agent) if !complete && agent.shared_server.is_some() => {
            served::which(agents, &agent.kind, hints, None)
                .map(|(agent, _)| known(agent, Identity::Env, None))
        }
        Some(agent) if !complete => Ok(known(agent, Identity::Env, None)),
        _ => match hints.mark.filter(|_| !complete && live().next().is_some()) {
            Some(mark) => {
                Err(nobody(&format!("{mark} is set, which agents do for the commands that they run")))
            }
            None => Ok(Caller {
                name: Name::human(),
                aliases: Vec::new(),
                identity: Identity::Human,
                served: None,
                whole,
            }),
        },
    }
}

/// The refusal for a process that is detached from the one that started it.
fn nobody(why: &str) -> Refusal {
    Refusal::Usage(format!(
        "swarm cannot know who you are: no agent of this project and no pane is above this process, but {why}. If you are an agent, run the command in the foreground. If you are the person, run it without that variable (env -u TMUX_PANE -u CLAUDECODE …)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::agent::PaneRef;

    fn id(pid: i32) -> ProcessId {
        ProcessId { pid, start: 1, boot: "b".into() }
    }

    fn agent(name: &str, pid: i32, pane: &str, pane_pid: i32) -> Agent {
        Agent {
            name: Name::new(name).unwrap(),
            kind: "claude".into(),
            process: id(pid),
            place: PaneRef { socket: "/s".into(), server: 2, pane: pane.into(), pane_pid, namespace: None },
            cwd: "/".into(),
            shared_server: None,
            formerly: vec![],
            onboarded: false,
            first_seen: 0,
            status: crate::core::agent::Status::Unknown,
            since: 0,
            died: None,
            limit: None,
            past: crate::core::heir::Past::default(),
        }
    }

    fn who(agents: &[Agent], chain: &[i32], pane: Option<&str>) -> (String, Identity) {
        let hints = Hints { pane, socket: Some("/s"), ..Hints::default() };
        let caller = decide(agents, &above(chain), &view(chain, Some(7)), hints).unwrap();
        (caller.name.to_string(), caller.identity)
    }

    const WHOLE: View = View { namespace: None, to_the_end: true };

    fn view(chain: &[i32], namespace: Option<u64>) -> View {
        View { namespace, to_the_end: chain.last() == Some(&1) }
    }

    fn above(chain: &[i32]) -> Vec<Ancestor> {
        let link =
            |p: &i32| Ancestor { id: id(*p), comm: "sh".into(), argv: vec![], listens: false, named: None };
        chain.iter().map(link).collect()
    }

    #[test]
    fn below_a_shared_server_ancestry_proves_nothing() {
        let codex = |name, pid, pane| Agent {
            shared_server: Some("app-server".into()),
            kind: "codex".into(),
            ..agent(name, pid, pane, pid - 1)
        };
        let agents = [codex("codex-1", 10, "%0"), codex("codex-2", 20, "%1")];
        let mut chain = above(&[30, 29, 10, 9, 2, 1]);
        chain[1].argv = vec!["codex".into(), "app-server".into()];
        let hints = Hints { pane: Some("%0"), socket: Some("/s"), ..Hints::default() };
        // A shell with that argument is not such a server.
        let shell = decide(&agents, &chain, &WHOLE, hints).unwrap();
        assert_eq!((shell.name.as_str(), shell.identity), ("codex-1", Identity::Process));
        chain[1].comm = "codex".into();
        assert!(decide(&agents, &chain, &WHOLE, hints).is_err());
        let claimed = decide(&agents, &chain, &WHOLE, Hints { named: Some("codex-2"), ..hints }).unwrap();
        assert_eq!(
            (claimed.name.as_str(), claimed.identity, claimed.served),
            ("codex-2", Identity::Env, Some(Served { server: 29, task: 30, named: true }))
        );
        let single = decide(&agents[..1], &chain, &WHOLE, hints).unwrap();
        assert_eq!((single.name.as_str(), single.identity), ("codex-1", Identity::Env));
        // The variables of the server's start do not show whose command it is; those of the command itself do.
        chain[1].named = Some("codex-2".into());
        let inherited = Hints { named: Some("codex-2"), ..hints };
        assert!(decide(&agents, &chain, &WHOLE, inherited).unwrap_err().to_string().contains("started with"));
        let said = decide(&agents, &chain, &WHOLE, Hints { from: Some("codex-2"), ..hints }).unwrap();
        assert_eq!(said.name.as_str(), "codex-2");
        // The command is another agent's, if that agent runs it.
        let mut other = agents.to_vec();
        other.push(agent("claude-1", 9, "%2", 8));
        let below = decide(
            &other,
            &chain[..2].iter().chain(&above(&[9, 2, 1])).cloned().collect::<Vec<_>>(),
            &WHOLE,
            hints,
        )
        .unwrap();
        assert_eq!((below.name.as_str(), below.identity), ("claude-1", Identity::Process));
    }

    #[test]
    fn below_a_process_that_listens_for_others_an_agent_counts_only_if_it_is_alone_or_says_so() {
        let agents = [agent("claude-1", 10, "%0", 9), agent("claude-2", 20, "%1", 19)];
        let mut chain = above(&[31, 30, 29, 10, 9, 2, 1]);
        chain[2].listens = true;
        let hints = Hints { pane: Some("%0"), socket: Some("/s"), ..Hints::default() };
        let ask = |agents: &[Agent], chain: &[Ancestor], named| {
            decide(agents, chain, &WHOLE, Hints { named, ..hints })
                .map(|c| (c.name.to_string(), c.identity, c.served))
        };
        let served = |named| Some(Served { server: 29, task: 30, named });
        let first = |named| ("claude-1".to_owned(), Identity::Env, served(named));
        assert!(ask(&agents, &chain, None).unwrap_err().to_string().contains("listens for others"));
        assert!(ask(&agents, &chain, Some("claude-2")).is_err());
        assert_eq!(ask(&agents, &chain, Some("claude-1")).unwrap(), first(true));
        assert_eq!(ask(&agents[..1], &chain, None).unwrap(), first(false));
        // The pane now has another process.
        chain[3].id.pid = 11;
        assert!(ask(&agents, &chain, None).is_err());
        chain[2].named = Some("claude-1".into());
        assert!(ask(&agents, &chain, Some("claude-1")).is_err());
        // An agent that listens itself is the agent, and the processes above an agent do not matter.
        let mut chain = above(&[30, 10, 9, 2, 1]);
        (chain[1].listens, chain[3].listens) = (true, true);
        assert_eq!(ask(&agents, &chain, None).unwrap(), ("claude-1".into(), Identity::Process, None));
    }

    #[test]
    fn an_orphan_with_an_agents_environment_is_neither_that_agent_nor_the_human() {
        let mut agents = [agent("claude-1", 10, "%0", 9)];
        agents[0].place.namespace = Some(7);
        let hints = Hints { pane: Some("%0"), socket: Some("/s"), ..Hints::default() };
        let ask =
            |chain: &[i32], namespace, hints| decide(&agents, &above(chain), &view(chain, namespace), hints);
        // Detached in the agents' own namespace.
        assert!(ask(&[30, 1], Some(7), hints).is_err());
        assert!(ask(&[30, 1], Some(7), Hints { mark: Some("CLAUDECODE"), ..Hints::default() }).is_err());
        // A namespace of its own, or an ancestry whose end was not seen, is a sandbox.
        for (chain, namespace) in [(&[3, 1][..], Some(8)), (&[30, 29], Some(7))] {
            let caller = ask(chain, namespace, hints).unwrap();
            assert_eq!(
                (caller.name.as_str(), caller.identity, caller.whole),
                ("claude-1", Identity::Env, false)
            );
        }
        // A person elsewhere.
        let caller = ask(&[30, 29, 1], Some(7), Hints::default()).unwrap();
        assert_eq!((caller.identity, caller.whole), (Identity::Human, true));
        // A person in a pane of that server, whatever environment the server has.
        let caller = ask(&[30, 29, 2, 1], Some(7), Hints { mark: Some("CLAUDECODE"), ..hints }).unwrap();
        assert_eq!(caller.identity, Identity::Human);
    }

    #[test]
    fn the_nearest_agent_above_is_the_caller_whatever_the_environment_says() {
        let agents = [agent("claude-1", 10, "%0", 9), agent("codex-1", 20, "%1", 19)];
        assert_eq!(who(&agents, &[30, 10, 9, 2, 1], Some("%1")), ("claude-1".into(), Identity::Process));
        assert_eq!(who(&agents, &[30, 9, 2, 1], None), ("claude-1".into(), Identity::Pane));
    }

    #[test]
    fn a_full_ancestry_without_an_agent_is_the_human() {
        let agents = [agent("claude-1", 10, "%0", 9)];
        assert_eq!(who(&agents, &[30, 29, 2, 1], Some("%0")), ("human".into(), Identity::Human));
    }

    #[test]
    fn a_cut_ancestry_leaves_the_environment_and_says_so() {
        let agents = [agent("claude-1", 10, "%0", 9)];
        assert_eq!(who(&agents, &[3, 1], Some("%0")), ("claude-1".into(), Identity::Env));
        assert_eq!(who(&agents, &[3, 1], Some("%7")), ("human".into(), Identity::Human));
    }

    #[test]
    fn a_dead_agent_lends_its_name_to_nobody() {
        let mut dead = agent("claude-1", 10, "%0", 9);
        dead.died = Some(1);
        assert_eq!(who(&[dead], &[30, 10, 9, 2], Some("%0")), ("human".into(), Identity::Human));
    }
}
