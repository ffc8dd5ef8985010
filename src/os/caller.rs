//! Who is calling: identity by process ancestry.
//!
//! The caller is the agent whose process is an ancestor of this one. That cannot be claimed, only inherited. Two things
//! cut it: a sandbox with its own pid namespace, and a background server that runs the tools of several agents (Codex
//! has both). Then `$TMUX_PANE`, or a claim where even that may be another's, is all there is; the result says so
//! (`env`). A caller below no agent is the human.

use super::process;
use crate::agents::Link;
use crate::core::agent::Agent;
use crate::core::message::Identity;
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use crate::core::refusal::Refusal;
use anyhow::Result;

/// The caller of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its name.
    pub name: Name,
    /// Its former names, whose mail it may read.
    pub aliases: Vec<Name>,
    /// How that is known.
    pub identity: Identity,
}

/// One process above the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// Which one.
    pub id: ProcessId,
    /// Its first arguments.
    pub argv: Vec<String>,
}

/// What the environment says of the caller: hints, never proof.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// `$TMUX_PANE`.
    pub pane: Option<&'a str>,
    /// The socket in `$TMUX`.
    pub socket: Option<&'a str>,
    /// `--from`, or `$SWARM_NAME`.
    pub claim: Option<&'a str>,
}

/// Finds out who runs this process. `from` is what the caller says of itself.
pub fn identify(agents: &[Agent], from: Option<&str>) -> Result<Caller> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let (pane, named) = (variable("TMUX_PANE"), variable("SWARM_NAME"));
    let socket = variable("TMUX").and_then(|t| t.split(',').next().map(str::to_owned));
    let hints = Hints { pane: pane.as_deref(), socket: socket.as_deref(), claim: from.or(named.as_deref()) };
    let shares = agents.iter().any(|a| a.is_live() && a.shared_server.is_some());
    let chain: Vec<Ancestor> = process::ancestry()?
        .into_iter()
        .map(|id| Ancestor { argv: if shares { process::first_arguments(id.pid) } else { Vec::new() }, id })
        .collect();
    Ok(decide(agents, &chain, hints)?)
}

/// The processes above this one with what they run, nearest first: what `Profiles::acts_for` judges. This one is left out.
pub fn above() -> Result<Vec<Link>> {
    let link = |id: ProcessId| {
        let seen = process::look(&id)?;
        Some(Link { group: seen.group, comm: seen.comm, argv: process::arguments(id.pid), id })
    };
    Ok(process::ancestry()?.into_iter().skip(1).filter_map(link).collect())
}

/// The rule, on given facts: the nearest ancestor that is an agent; else the pane's first process; else, if the chain
/// was cut, what the environment says; else the human.
pub fn decide(agents: &[Agent], chain: &[Ancestor], hints: Hints<'_>) -> Result<Caller, Refusal> {
    let live = || agents.iter().filter(|a| a.is_live());
    let known = |agent: &Agent, identity| Caller {
        name: agent.name.clone(),
        aliases: agent.formerly.clone(),
        identity,
    };
    for ancestor in chain {
        if let Some(agent) = live().find(|a| a.process == ancestor.id) {
            return Ok(known(agent, Identity::Process));
        }
        let serves = |a: &&Agent| a.shared_server.as_ref().is_some_and(|mark| ancestor.argv.contains(mark));
        if let Some(served) = live().find(serves) {
            return shared(agents, &served.kind, hints).map(|agent| known(agent, Identity::Env));
        }
    }
    let in_chain = |pid: i32| chain.iter().any(|p| p.id.pid == pid);
    // The pane's first process counts only below its own tmux server: its pid alone could be another's by now.
    if let Some(agent) = live().find(|a| in_chain(a.place.pane_pid) && in_chain(a.place.server)) {
        return Ok(known(agent, Identity::Pane));
    }
    let complete = live().any(|a| in_chain(a.place.server));
    let here = |a: &&Agent| {
        Some(a.place.pane.as_str()) == hints.pane && Some(a.place.socket.as_str()) == hints.socket
    };
    match live().find(here) {
        Some(agent) if !complete && agent.shared_server.is_some() => {
            shared(agents, &agent.kind, hints).map(|agent| known(agent, Identity::Env))
        }
        Some(agent) if !complete => Ok(known(agent, Identity::Env)),
        _ => Ok(Caller { name: Name::human(), aliases: Vec::new(), identity: Identity::Human }),
    }
}

/// Which agent of `kind` calls through a server they share: the only one, or the one it says it is.
fn shared<'a>(agents: &'a [Agent], kind: &str, hints: Hints<'_>) -> Result<&'a Agent, Refusal> {
    let of_kind: Vec<&Agent> = agents.iter().filter(|a| a.is_live() && a.kind == kind).collect();
    let claimed = of_kind.iter().find(|a| Some(a.name.as_str()) == hints.claim);
    match (claimed, &of_kind[..]) {
        (Some(agent), _) | (None, [agent]) => Ok(agent),
        _ => {
            let names: Vec<&str> = of_kind.iter().map(|a| a.name.as_str()).collect();
            Err(Refusal::Usage(format!(
                "cannot tell which {kind} you are: {} share one background server. Say it with SWARM_NAME=NAME before the command, or start {kind} so that it does not share (codex --no-daemon)",
                names.join(" and ")
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::agent::Place;

    fn id(pid: i32) -> ProcessId {
        ProcessId { pid, start: 1, boot: "b".into() }
    }

    fn agent(name: &str, pid: i32, pane: &str, pane_pid: i32) -> Agent {
        Agent {
            name: Name::new(name).unwrap(),
            kind: "claude".into(),
            process: id(pid),
            place: Place { socket: "/s".into(), server: 2, pane: pane.into(), pane_pid, namespace: None },
            cwd: "/".into(),
            shared_server: None,
            formerly: vec![],
            onboarded: false,
            first_seen: 0,
            status: crate::core::agent::Status::Unknown,
            since: 0,
            died: None,
        }
    }

    fn who(agents: &[Agent], chain: &[i32], pane: Option<&str>) -> (String, Identity) {
        let caller = decide(agents, &above(chain), Hints { pane, socket: Some("/s"), claim: None }).unwrap();
        (caller.name.to_string(), caller.identity)
    }

    fn above(chain: &[i32]) -> Vec<Ancestor> {
        chain.iter().map(|p| Ancestor { id: id(*p), argv: vec![] }).collect()
    }

    #[test]
    fn below_a_shared_server_ancestry_proves_nothing() {
        let codex = |name, pid, pane| Agent {
            shared_server: Some("app-server".into()),
            ..agent(name, pid, pane, pid - 1)
        };
        let agents = [codex("codex-1", 10, "%0"), codex("codex-2", 20, "%1")];
        let mut chain = above(&[30, 29, 10, 9, 2, 1]);
        chain[1].argv = vec!["codex".into(), "app-server".into()];
        let hints = Hints { pane: Some("%0"), socket: Some("/s"), claim: None };
        assert!(decide(&agents, &chain, hints).is_err());
        let claimed = decide(&agents, &chain, Hints { claim: Some("codex-2"), ..hints }).unwrap();
        assert_eq!((claimed.name.as_str(), claimed.identity), ("codex-2", Identity::Env));
        let single = decide(&agents[..1], &chain, hints).unwrap();
        assert_eq!((single.name.as_str(), single.identity), ("codex-1", Identity::Env));
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
