//! Who is who: the rules by which processes that were seen become named agents.
//!
//! Pure: the store loads the records and commits the result in one transaction, so two discoveries cannot both give
//! out a name. A living process keeps its name. A dead agent's name is not given out again while its record is kept.

use super::agent::{Agent, PaneRef, Status};
use super::name::Name;
use super::process_id::ProcessId;

/// How long the record of a dead agent is kept, and so its name is not given out again: one day.
pub const KEEP_DEAD_MS: u64 = 24 * 60 * 60 * 1000;

/// One agent process seen in a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The profile's kind.
    pub kind: String,
    /// The process.
    pub process: ProcessId,
    /// Where it runs.
    pub place: PaneRef,
    /// Its working directory.
    pub cwd: String,
    /// The mark of a background server it may share.
    pub shared_server: Option<String>,
}

/// What a reconciliation changes. Records not named here stay as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Records to write: new, moved or newly dead agents.
    pub put: Vec<Agent>,
    /// Names whose records are to go: dead for longer than [`KEEP_DEAD_MS`].
    pub forget: Vec<Name>,
    /// Names given out just now.
    pub new: Vec<Name>,
    /// Names of agents found dead just now.
    pub died: Vec<Name>,
    /// Names of agents that live and are not of this project any more, or never were.
    pub left: Vec<Name>,
    /// Former names whose records a crash left behind in the middle of a renaming; the mail under them is the new name's.
    pub renamed: Vec<Name>,
}

/// Decides what a look at the panes means. `seen` are the project's agents and `strangers` the others: one of these with a
/// record has left. `alive` says whether a recorded agent's process still runs (`None`: unknown; the record then stays as
/// it is).
pub fn reconcile(
    known: &[Agent],
    seen: &[Sighting],
    strangers: &[Sighting],
    now_ms: u64,
    alive: impl Fn(&Agent) -> Option<bool>,
) -> Changes {
    let mut changes = Changes::default();
    let mut taken: Vec<Name> =
        known.iter().flat_map(|a| std::iter::once(&a.name).chain(&a.formerly)).cloned().collect();
    let is_former = |a: &&Agent| known.iter().any(|b| b.process == a.process && b.formerly.contains(&a.name));
    let (left, known): (Vec<&Agent>, Vec<&Agent>) = known.iter().partition(is_former);
    changes.renamed = left.into_iter().map(|a| a.name.clone()).collect();
    for sighting in seen {
        match known.iter().copied().find(|a| a.process == sighting.process) {
            Some(agent) => {
                let current = Agent {
                    kind: sighting.kind.clone(),
                    place: sighting.place.clone(),
                    cwd: sighting.cwd.clone(),
                    shared_server: sighting.shared_server.clone(),
                    died: None,
                    ..agent.clone()
                };
                if current != *agent {
                    changes.put.push(current);
                }
            }
            None if changes.put.iter().any(|a| a.process == sighting.process) => {}
            None => {
                let name = smallest_free(&sighting.kind, &taken);
                taken.push(name.clone());
                changes.new.push(name.clone());
                changes.put.push(Agent {
                    name,
                    kind: sighting.kind.clone(),
                    process: sighting.process.clone(),
                    place: sighting.place.clone(),
                    cwd: sighting.cwd.clone(),
                    shared_server: sighting.shared_server.clone(),
                    formerly: Vec::new(),
                    onboarded: false,
                    first_seen: now_ms,
                    status: Status::Unknown,
                    since: now_ms,
                    died: None,
                });
            }
        }
    }
    for agent in known {
        if seen.iter().any(|s| s.process == agent.process) {
            continue;
        }
        match agent.died {
            None if strangers.iter().any(|s| s.process == agent.process) => {
                changes.left.push(agent.name.clone());
                changes.put.push(Agent { died: Some(now_ms), ..agent.clone() });
            }
            None if alive(agent) == Some(false) => {
                changes.died.push(agent.name.clone());
                changes.put.push(Agent { died: Some(now_ms), ..agent.clone() });
            }
            Some(when) if now_ms.saturating_sub(when) > KEEP_DEAD_MS => {
                changes.forget.push(agent.name.clone());
            }
            _ => {}
        }
    }
    changes
}

/// `<kind>-<n>` with the smallest n that nobody has or had.
fn smallest_free(kind: &str, taken: &[Name]) -> Name {
    // One of these is free: there are more numbers than names taken.
    (1..=taken.len() + 1)
        .filter_map(|n| Name::for_agent(&format!("{kind}-{n}")).ok())
        .find(|name| !taken.contains(name))
        .unwrap_or_else(Name::human)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32) -> ProcessId {
        ProcessId { pid, start: 7, boot: "b".into() }
    }

    fn sighting(kind: &str, pid: i32, pane: &str) -> Sighting {
        Sighting {
            kind: kind.into(),
            process: process(pid),
            place: PaneRef {
                socket: "/s".into(),
                server: 1,
                pane: pane.into(),
                pane_pid: pid,
                namespace: None,
            },
            cwd: "/p".into(),
            shared_server: None,
        }
    }

    fn names(agents: &[Agent]) -> Vec<&str> {
        agents.iter().map(|a| a.name.as_str()).collect()
    }

    #[test]
    fn new_processes_get_the_smallest_free_names() {
        let first =
            reconcile(&[], &[sighting("claude", 1, "%0"), sighting("codex", 2, "%1")], &[], 5, |_| {
                Some(true)
            });
        assert_eq!(names(&first.put), ["claude-1", "codex-1"]);
        let more = [sighting("claude", 1, "%0"), sighting("codex", 2, "%1"), sighting("claude", 3, "%2")];
        let second = reconcile(&first.put, &more, &[], 6, |_| Some(true));
        assert_eq!(names(&second.put), ["claude-2"]);
    }

    #[test]
    fn a_living_process_keeps_its_name_when_its_pane_moves() {
        let first =
            reconcile(&[], &[sighting("claude", 1, "%0"), sighting("claude", 2, "%1")], &[], 5, |_| {
                Some(true)
            });
        let moved =
            reconcile(&first.put, &[sighting("claude", 2, "%0")], &[], 6, |a| Some(a.process.pid == 2));
        assert_eq!(names(&moved.put), ["claude-2", "claude-1"]);
        assert_eq!(moved.put[0].place.pane, "%0");
        assert_eq!(moved.died, [Name::new("claude-1").unwrap()]);
    }

    #[test]
    fn a_dead_agents_name_is_not_given_out_while_its_record_is_kept() {
        let first = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true));
        let dead = reconcile(&first.put, &[sighting("claude", 9, "%0")], &[], 6, |_| Some(false));
        assert_eq!(names(&dead.put), ["claude-2", "claude-1"]);
        let later =
            reconcile(&dead.put, &[sighting("claude", 9, "%0")], &[], 7 + KEEP_DEAD_MS, |_| Some(false));
        assert_eq!(later.forget, [Name::new("claude-1").unwrap()]);
    }

    #[test]
    fn a_renaming_that_a_crash_interrupted_is_finished() {
        let old = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true)).put.remove(0);
        let name = Name::new("reviewer").unwrap();
        let new = Agent { name, formerly: vec![old.name.clone()], ..old.clone() };
        let changes = reconcile(&[old.clone(), new], &[sighting("claude", 1, "%0")], &[], 6, |_| Some(true));
        assert_eq!(changes, Changes { renamed: vec![old.name], ..Changes::default() });
    }

    #[test]
    fn a_process_that_cannot_be_judged_is_left_alone() {
        let first = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true));
        assert_eq!(reconcile(&first.put, &[], &[], 6, |_| None), Changes::default());
    }

    #[test]
    fn a_change_of_anything_that_was_seen_is_recorded_and_nothing_else() {
        let seen = sighting("claude", 1, "%0");
        let known = reconcile(&[], std::slice::from_ref(&seen), &[], 5, |_| Some(true)).put;
        assert_eq!(
            reconcile(&known, std::slice::from_ref(&seen), &[], 6, |_| Some(true)),
            Changes::default()
        );
        let changes: [fn(&mut Sighting); 3] = [
            |s| s.place.pane = "%7".into(),
            |s| s.cwd = "/elsewhere".into(),
            |s| s.shared_server = Some("app-server".into()),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut now = seen.clone();
            change(&mut now);
            let put = reconcile(&known, std::slice::from_ref(&now), &[], 6, |_| Some(true)).put;
            let told: Vec<_> = put.iter().map(|a| (&a.place, &a.cwd, &a.shared_server)).collect();
            assert_eq!(told, [(&now.place, &now.cwd, &now.shared_server)], "change {index}");
        }
        // An agent on record as dead that is seen is alive.
        let dead = [Agent { died: Some(6), ..known[0].clone() }];
        assert_eq!(reconcile(&dead, &[seen], &[], 7, |_| Some(true)).put, known);
    }

    #[test]
    fn a_process_that_is_seen_in_two_panes_is_one_agent() {
        let seen = [sighting("claude", 1, "%0"), sighting("claude", 1, "%1"), sighting("claude", 2, "%2")];
        let put = reconcile(&[], &seen, &[], 5, |_| Some(true)).put;
        assert_eq!((names(&put), &*put[0].place.pane), (vec!["claude-1", "claude-2"], "%0"));
    }

    #[test]
    fn a_dead_agent_is_told_once_and_forgotten_after_a_day() {
        let known = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true)).put;
        let death = reconcile(&known, &[], &[], 1_000, |_| Some(false));
        assert_eq!(death.put, [Agent { died: Some(1_000), ..known[0].clone() }]);
        for (after, forgotten) in [(0, 0), (86_400_000, 0), (86_400_001, 1)] {
            let later = reconcile(&death.put, &[], &[], 1_000 + after, |_| Some(false));
            assert_eq!((later.forget.len(), later.put.len(), later.died.len()), (forgotten, 0, 0), "{after}");
        }
        assert_eq!(reconcile(&known, &[], &[], 9, |_| Some(true)), Changes::default(), "it lives, unseen");
    }

    #[test]
    fn an_agent_that_is_of_another_project_leaves_and_may_come_back() {
        let seen = [sighting("claude", 1, "%0"), sighting("claude", 2, "%1")];
        let known = reconcile(&[], &seen, &[], 5, |_| Some(true)).put;
        let left = reconcile(&known, &seen[..1], &seen[1..], 6, |_| Some(true));
        assert_eq!(left.left, [Name::new("claude-2").unwrap()]);
        assert_eq!(left.put, [Agent { died: Some(6), ..known[1].clone() }]);
        assert!(left.died.is_empty(), "its process has not ended");
        let gone = [known[0].clone(), left.put[0].clone()];
        assert_eq!(reconcile(&gone, &seen[..1], &seen[1..], 7, |_| Some(true)), Changes::default());
        assert_eq!(reconcile(&gone, &seen, &[], 8, |_| Some(true)).put, [known[1].clone()]);
        // One that was never on record is nobody's.
        assert_eq!(reconcile(&[], &[], &seen, 9, |_| Some(true)), Changes::default());
    }
}
