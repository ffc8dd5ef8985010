//! The rules by which processes in panes become named agents.
//!
//! Pure: the store loads the records and commits the result in one transaction, so two discoveries cannot both assign
//! a name. A living process keeps its name. A new process gets the name of an ended agent if there is evidence that
//! it continues that agent ([`super::heir`]). Otherwise it gets a new name: the one that a person asked for, or the
//! smallest free number. A dead agent's name is free when nothing is left under it.

use super::agent::{Agent, PaneRef, Status};
use super::heir::{Conversation, Evidence, Inherited, Kin, Past};
use super::name::Name;
use super::process_id::ProcessId;
use std::time::Duration;

/// How long the record of a dead agent is kept, with its conversations: one week.
pub const KEEP_DEAD_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// An agent process that was seen in a pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its profile's kind.
    pub kind: String,
    pub process: ProcessId,
    /// Where it runs.
    pub place: PaneRef,
    /// Its working directory.
    pub cwd: String,
    /// The argument of a background server that it may share.
    pub shared_server: Option<String>,
    pub conversation: Conversation,
    /// The name that its environment or its pane asks for.
    pub asks: Option<Name>,
}

/// The changes of a reconciliation. Other records stay as they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RosterChanges {
    /// Records to remove first, with their mail: their agents ended, nothing is left under their names, and a new
    /// agent gets one of these names.
    pub freed: Vec<Name>,
    /// Records to write: new, moved or newly dead agents.
    pub put: Vec<Agent>,
    /// The names of ended agents that are back, with the evidence.
    pub heirs: Vec<(Name, Evidence)>,
    /// Living agents to rename afterwards, because their pane or environment asks for it.
    pub asked: Vec<(Name, Name)>,
    /// The names of records to remove: dead for longer than [`KEEP_DEAD_MS`].
    pub forget: Vec<Name>,
    /// The names that were newly assigned.
    pub new: Vec<Name>,
    /// The names of agents that were found dead.
    pub died: Vec<Name>,
    /// The names of agents that live, and are not, or not any more, in this project.
    pub left: Vec<Name>,
    /// Former names whose records a crash left behind during a renaming. The mail under them belongs to the new name.
    pub renamed: Vec<Name>,
    /// A new agent is not on record yet, because it will soon name its conversation.
    pub pending: bool,
}

/// The agents that were seen in the panes, and the time.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// The project's agents.
    pub seen: &'a [Sighting],
    /// The agents of other projects. If one of these has a record here, it has left.
    pub strangers: &'a [Sighting],
    /// The present (ms since the epoch).
    pub now_ms: u64,
    /// How long after its end an agent may start again in its pane.
    pub window: Duration,
    /// How long mail waits for an ended agent, and its number stays reserved.
    pub grace: Duration,
    /// Whether to wait for an agent that will soon name its conversation.
    pub patient: bool,
    /// Whether a process runs as another user. Such a process is a new agent. Asked about new agents only.
    pub is_foreign: fn(i32) -> bool,
}

/// Decides the changes after a look at the panes. `alive` returns whether a recorded agent's process still runs
/// (`None`: unknown; the record then stays as it is), and `leaves` whether anything is left under a dead agent's
/// name.
#[inline(never)]
pub fn reconcile(
    known: &[Agent],
    look: &Scan<'_>,
    alive: impl Fn(&Agent) -> Option<bool>,
    leaves: impl Fn(&Agent) -> bool,
) -> RosterChanges {
    let Scan { seen, strangers, now_ms, .. } = *look;
    let mut changes = RosterChanges::default();
    let is_former = |a: &&Agent| known.iter().any(|b| b.process == a.process && b.formerly.contains(&a.name));
    let (former, records): (Vec<&Agent>, Vec<&Agent>) = known.iter().partition(is_former);
    changes.renamed = former.into_iter().map(|a| a.name.clone()).collect();
    let is_seen = |agent: &Agent| seen.iter().chain(strangers).any(|s| s.process == agent.process);
    let (dead, living): (Vec<&Agent>, Vec<&Agent>) =
        records.iter().copied().partition(|a| !is_seen(a) && alive(a) == Some(false));
    let kin = Kin { dead: dead.clone(), living, now_ms, window: look.window };
    let newcomers = newcomers(&records, look, &kin, &mut changes.pending);
    let is_heirless = |agent: &&Agent| {
        !newcomers.iter().any(|(_, heir)| heir.is_some_and(|(former, _)| former.name == agent.name))
    };
    let free = dead.iter().copied().filter(is_heirless).collect();
    let mut names = Names { known, taken: Vec::new(), free, leaves, now_ms, grace: look.grace };
    for (sighting, heir) in newcomers.iter().copied() {
        let agent = if let Some((former, by)) = heir {
            changes.heirs.push((former.name.clone(), by));
            succeed(former, sighting, by, now_ms)
        } else {
            let asked = sighting.asks.clone().filter(|name| names.take(name));
            let given = asked.is_some();
            let name = asked.unwrap_or_else(|| names.smallest(&sighting.kind));
            changes.new.push(name.clone());
            newborn(name, given, sighting, now_ms)
        };
        changes.put.push(agent);
    }
    for agent in &records {
        if let Some(sighting) = seen.iter().find(|s| s.process == agent.process) {
            let current = seen_again(agent, sighting);
            if current != **agent || sighting.asks != agent.past.asked {
                changes.put.push(current);
            }
        }
    }
    asked_names(&mut changes, seen, &mut names);
    changes.freed = known
        .iter()
        .filter(|a| names.taken.iter().any(|n| a.answers_to(n)))
        .map(|a| a.name.clone())
        .collect();
    for agent in records {
        let inherited = changes.heirs.iter().any(|(name, _)| *name == agent.name);
        if !inherited
            && !changes.freed.contains(&agent.name)
            && !seen.iter().any(|s| s.process == agent.process)
        {
            unseen(&mut changes, agent, look, &dead);
        }
    }
    changes
}

/// The names that persons ask for. Each counts once: a later `swarm name` is not undone.
fn asked_names<F: Fn(&Agent) -> bool>(
    changes: &mut RosterChanges,
    seen: &[Sighting],
    names: &mut Names<'_, F>,
) {
    for agent in &mut changes.put {
        let sighting = seen.iter().find(|s| s.process == agent.process);
        let Some(asks) = sighting.map(|s| s.asks.clone()).filter(|asks| *asks != agent.past.asked) else {
            continue;
        };
        agent.past.asked.clone_from(&asks);
        if let Some(name) = asks.filter(|name| !agent.answers_to(name) && names.take(name)) {
            agent.past.given = true;
            changes.asked.push((agent.name.clone(), name));
        }
    }
}

/// Decides about the record of an agent that is not in the panes of this project: it has left, it has died, or it
/// died long ago.
fn unseen(changes: &mut RosterChanges, agent: &Agent, look: &Scan<'_>, dead: &[&Agent]) {
    let now_ms = look.now_ms;
    let name = || agent.name.clone();
    match agent.died {
        None if look.strangers.iter().any(|s| s.process == agent.process) => changes.left.push(name()),
        None if dead.iter().any(|a| a.name == agent.name) => changes.died.push(name()),
        None => return,
        Some(when) => {
            if now_ms.saturating_sub(when) > KEEP_DEAD_MS {
                changes.forget.push(name());
            }
            return;
        }
    }
    changes.put.push(Agent { died: Some(now_ms), ..agent.clone() });
}

/// The new processes, each once, with the ended agent that each continues. A process that may still name its
/// conversation is left out. So are the others of its kind, unless their own conversation decides: it may have the
/// stronger evidence.
fn newcomers<'l, 'a>(
    records: &[&'a Agent],
    look: &Scan<'l>,
    kin: &Kin<'a>,
    pending: &mut bool,
) -> Vec<(&'l Sighting, Option<(&'a Agent, Evidence)>)> {
    let mut new: Vec<&Sighting> = Vec::new();
    for sighting in look.seen {
        let on_record = records.iter().any(|a| a.process == sighting.process);
        if !on_record && !new.iter().any(|s| s.process == sighting.process) {
            new.push(sighting);
        }
    }
    let own: Vec<&Sighting> = new.iter().copied().filter(|s| !(look.is_foreign)(s.process.pid)).collect();
    let waits = |kind: &str| look.patient && own.iter().any(|s| s.kind == kind && kin.waits_for(s));
    let assigned = kin.assign(&own);
    let heir = |s: &Sighting| own.iter().position(|o| o.process == s.process).and_then(|at| assigned[at]);
    let mut found = Vec::new();
    for sighting in new {
        let heir = heir(sighting);
        if waits(&sighting.kind) && heir.is_none_or(|(_, by)| by != Evidence::Session) {
            *pending = true;
        } else {
            found.push((sighting, heir));
        }
    }
    found
}

/// The record of an ended agent that is back.
fn succeed(former: &Agent, sighting: &Sighting, by: Evidence, now_ms: u64) -> Agent {
    let inherited = Inherited { by, at: now_ms, from: former.process.clone() };
    let seen = seen_again(former, sighting);
    let given = former.past.given || by == Evidence::Name;
    Agent {
        process: sighting.process.clone(),
        // An agent that begins a conversation knows nothing of the last one.
        onboarded: former.onboarded && by == Evidence::Session,
        status: Status::Unknown,
        since: now_ms,
        past: Past { inherited: Some(inherited), given, ..seen.past },
        ..seen
    }
}

/// The record of a living agent that was seen again.
fn seen_again(agent: &Agent, sighting: &Sighting) -> Agent {
    let mut past = agent.past.clone();
    if let Some(id) = sighting.conversation.id() {
        past.enter(id);
    }
    Agent {
        kind: sighting.kind.clone(),
        place: sighting.place.clone(),
        cwd: sighting.cwd.clone(),
        shared_server: sighting.shared_server.clone(),
        died: None,
        past,
        ..agent.clone()
    }
}

/// The record of a new agent.
fn newborn(name: Name, given: bool, sighting: &Sighting, now_ms: u64) -> Agent {
    let mut past = Past { asked: sighting.asks.clone(), given, ..Past::default() };
    if let Some(id) = sighting.conversation.id() {
        past.enter(id);
    }
    Agent {
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
        limit: None,
        past,
    }
}

/// The names that can be assigned.
struct Names<'a, F> {
    known: &'a [Agent],
    /// The names that were newly assigned.
    taken: Vec<Name>,
    /// The dead agents that nobody continues.
    free: Vec<&'a Agent>,
    /// Whether anything is left under a dead agent's name.
    leaves: F,
    now_ms: u64,
    grace: Duration,
}

impl<F: Fn(&Agent) -> bool> Names<'_, F> {
    /// Takes a name if it is free: only ended agents that left nothing have it or had it.
    fn take(&mut self, name: &Name) -> bool {
        let mut bearers = self.known.iter().filter(|a| a.answers_to(name));
        let is_free = |a: &Agent| self.free.iter().any(|dead| dead.name == a.name) && !(self.leaves)(a);
        let free = !self.taken.contains(name) && bearers.all(is_free);
        if free {
            self.taken.push(name.clone());
        }
        free
    }

    /// Whether the agent of that name has just ended and may be started again. A message to the name now is for that
    /// agent.
    fn is_waited_for(&self, name: &Name) -> bool {
        let waits = |a: &Agent| match a.died {
            None => !self.grace.is_zero(),
            Some(_) => a.gone_at(self.now_ms, self.grace) > self.now_ms,
        };
        self.free.iter().any(|a| a.answers_to(name) && waits(a))
    }

    /// `<kind>-<n>` with the smallest free n. Only a person may assign a name whose agent may still be started again.
    fn smallest(&mut self, kind: &str) -> Name {
        // One of these is free, because there are more numbers than names.
        let names = self.taken.len() + self.known.iter().map(|a| 1 + a.formerly.len()).sum::<usize>();
        (1..=names + 1)
            .filter_map(|n| Name::for_agent(&format!("{kind}-{n}")).ok())
            .find(|name| !self.is_waited_for(name) && self.take(name))
            .unwrap_or_else(Name::human)
    }
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
            conversation: Conversation::Unknown,
            asks: None,
        }
    }

    /// Reconciles with something left under each name.
    fn reconcile(
        known: &[Agent],
        seen: &[Sighting],
        strangers: &[Sighting],
        now_ms: u64,
        alive: impl Fn(&Agent) -> Option<bool>,
    ) -> RosterChanges {
        let look = Scan { strangers, window: Duration::ZERO, ..scan(seen, now_ms) };
        super::reconcile(known, &look, alive, |_| true)
    }

    const WINDOW: u64 = 1_000;

    fn scan(seen: &[Sighting], now_ms: u64) -> Scan<'_> {
        Scan {
            seen,
            strangers: &[],
            now_ms,
            window: Duration::from_millis(WINDOW),
            grace: Duration::ZERO,
            patient: true,
            is_foreign: |_| false,
        }
    }

    /// Reconciles with the agents in `living` alive, and nothing left under the names in `empty`.
    fn look(
        known: &[Agent],
        seen: &[Sighting],
        now_ms: u64,
        living: &[i32],
        empty: &[&str],
    ) -> RosterChanges {
        super::reconcile(
            known,
            &scan(seen, now_ms),
            |a| Some(living.contains(&a.process.pid)),
            |a| !empty.contains(&a.name.as_str()),
        )
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
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
    fn a_dead_agents_name_is_not_given_out_while_something_is_left_under_it() {
        let first = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true));
        let dead = reconcile(&first.put, &[sighting("claude", 9, "%7")], &[], 6, |_| Some(false));
        assert_eq!(names(&dead.put), ["claude-2", "claude-1"]);
        let later =
            reconcile(&dead.put, &[sighting("claude", 9, "%7")], &[], 7 + KEEP_DEAD_MS, |_| Some(false));
        assert_eq!(later.forget, [Name::new("claude-1").unwrap()]);
    }

    #[test]
    fn a_renaming_that_a_crash_interrupted_is_finished() {
        let old = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true)).put.remove(0);
        let name = Name::new("reviewer").unwrap();
        let new = Agent { name, formerly: vec![old.name.clone()], ..old.clone() };
        let changes = reconcile(&[old.clone(), new], &[sighting("claude", 1, "%0")], &[], 6, |_| Some(true));
        assert_eq!(changes, RosterChanges { renamed: vec![old.name], ..RosterChanges::default() });
    }

    #[test]
    fn a_process_that_cannot_be_judged_is_left_alone() {
        let first = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true));
        assert_eq!(reconcile(&first.put, &[], &[], 6, |_| None), RosterChanges::default());
    }

    #[test]
    fn a_change_of_anything_that_was_seen_is_recorded_and_nothing_else() {
        let seen = sighting("claude", 1, "%0");
        let known = reconcile(&[], std::slice::from_ref(&seen), &[], 5, |_| Some(true)).put;
        assert_eq!(
            reconcile(&known, std::slice::from_ref(&seen), &[], 6, |_| Some(true)),
            RosterChanges::default()
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
        // An agent that is on record as dead but is seen is alive.
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
    fn a_dead_agent_is_told_once_and_forgotten_after_a_week() {
        let known = reconcile(&[], &[sighting("claude", 1, "%0")], &[], 5, |_| Some(true)).put;
        let death = reconcile(&known, &[], &[], 1_000, |_| Some(false));
        assert_eq!(death.put, [Agent { died: Some(1_000), ..known[0].clone() }]);
        for (after, forgotten) in [(0, 0), (7 * 86_400_000, 0), (7 * 86_400_000 + 1, 1)] {
            let later = reconcile(&death.put, &[], &[], 1_000 + after, |_| Some(false));
            assert_eq!((later.forget.len(), later.put.len(), later.died.len()), (forgotten, 0, 0), "{after}");
        }
        assert_eq!(
            reconcile(&known, &[], &[], 9, |_| Some(true)),
            RosterChanges::default(),
            "it lives, unseen"
        );
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
        assert_eq!(reconcile(&gone, &seen[..1], &seen[1..], 7, |_| Some(true)), RosterChanges::default());
        assert_eq!(reconcile(&gone, &seen, &[], 8, |_| Some(true)).put, [known[1].clone()]);
        // An agent that was never on record changes nothing.
        assert_eq!(reconcile(&[], &[], &seen, 9, |_| Some(true)), RosterChanges::default());
    }

    #[test]
    fn a_number_is_given_out_again_once_nothing_is_left_under_it() {
        let known = look(&[], &[sighting("claude", 1, "%0"), sighting("claude", 2, "%1")], 5, &[], &[]).put;
        let third = [sighting("claude", 3, "%2")];
        let kept = look(&known, &third, 6, &[2], &[]);
        assert_eq!((names(&kept.put), kept.freed), (vec!["claude-3", "claude-1"], vec![]));
        let freed = look(&known, &third, 6, &[2], &["claude-1"]);
        assert_eq!((names(&freed.put), &*freed.freed), (vec!["claude-1"], &[name("claude-1")][..]));
        assert_eq!(freed.put[0].process.pid, 3, "and nothing of the earlier one is in its record");
        assert_eq!((&freed.put[0].past, freed.died), (&Past::default(), vec![]));
        // All names of an agent with earlier names are free, and its record is removed.
        let renamed = Agent { name: name("reviewer"), formerly: vec![name("claude-1")], ..known[0].clone() };
        let freed = look(&[renamed.clone(), known[1].clone()], &third, 6, &[2], &["reviewer"]);
        assert_eq!((names(&freed.put), &*freed.freed), (vec!["claude-1"], &[name("reviewer")][..]));
        // An agent that may be alive keeps its name.
        let alive = look(&known, &third, 6, &[1, 2], &["claude-1", "claude-2"]);
        assert_eq!(names(&alive.put), ["claude-3"]);
        // Two agents that start at once get different names.
        let two = [third[0].clone(), sighting("claude", 4, "%3")];
        assert_eq!(names(&look(&known, &two, 6, &[2], &["claude-1"]).put), ["claude-1", "claude-3"]);
    }

    #[test]
    fn an_agent_that_is_started_again_keeps_its_record() {
        let old = look(&[], &[sighting("claude", 1, "%0")], 5, &[], &[]).put;
        let old =
            [Agent { onboarded: true, formerly: vec![name("claude-9")], died: Some(50), ..old[0].clone() }];
        let back = look(&old, &[sighting("claude", 2, "%0")], 60, &[], &[]);
        let [agent] = &back.put[..] else { panic!("{back:?}") };
        assert_eq!((agent.name.as_str(), &agent.formerly, agent.died), ("claude-1", &old[0].formerly, None));
        assert_eq!((agent.process.pid, agent.first_seen, agent.onboarded), (2, 5, false));
        let how = Inherited { by: Evidence::Pane, at: 60, from: process(1) };
        assert_eq!(agent.past.inherited, Some(how));
        assert_eq!(back.heirs, [(name("claude-1"), Evidence::Pane)]);
        assert_eq!((back.new, back.died, back.freed), (vec![], vec![], vec![]));
        // The same if the end and the start are seen in one look.
        let unseen = [Agent { died: None, ..old[0].clone() }];
        let at_once = look(&unseen, &[sighting("claude", 2, "%0")], 60, &[], &[]);
        assert_eq!((names(&at_once.put), at_once.died), (vec!["claude-1"], vec![]));
        // A second look finds nothing new.
        assert_eq!(look(&back.put, &[sighting("claude", 2, "%0")], 61, &[2], &[]), RosterChanges::default());
    }

    #[test]
    fn a_name_that_is_asked_for_is_given_if_it_is_free_and_once() {
        let asking = |pid, pane: &str, wanted: &str| Sighting {
            asks: Some(name(wanted)),
            ..sighting("claude", pid, pane)
        };
        let first = [asking(1, "%0", "backend"), asking(2, "%1", "backend")];
        let known = look(&[], &first, 5, &[], &[]).put;
        assert_eq!(names(&known), ["backend", "claude-1"], "two cannot have it");
        assert!(known[0].past.given && !known[1].past.given);
        assert_eq!(look(&known, &first, 6, &[1, 2], &[]), RosterChanges::default());
        // A running agent is renamed when its pane asks for another name, but not after a person renamed it.
        let again = [asking(1, "%0", "api"), first[1].clone()];
        let changes = look(&known, &again, 6, &[1, 2], &[]);
        assert_eq!(changes.asked, [(name("backend"), name("api"))]);
        let by_hand = Agent { name: name("mine"), ..changes.put[0].clone() };
        assert_eq!(look(&[by_hand, known[1].clone()], &again, 7, &[1, 2], &[]), RosterChanges::default());
        // An agent that starts in the pane of an ended one gets its mail, and the name that it asks for.
        let changes = look(&known[1..], &[asking(3, "%1", "web")], 6, &[], &[]);
        assert_eq!(
            (names(&changes.put), &*changes.asked),
            (vec!["claude-1"], &[(name("claude-1"), name("web"))][..])
        );
        // The name of an ended agent is free for another kind only when nothing is left under it.
        let codex = [Sighting { asks: Some(name("backend")), ..sighting("codex", 3, "%5") }];
        assert_eq!(names(&look(&known, &codex, 6, &[2], &[]).put), ["codex-1", "backend"]);
        let free = look(&known, &codex, 6, &[2], &["backend"]);
        assert_eq!(
            (names(&free.put), free.freed, free.heirs),
            (vec!["backend"], vec![name("backend")], vec![])
        );
    }

    #[test]
    fn one_that_will_soon_say_its_conversation_is_waited_for_where_that_matters() {
        let soon = Sighting { conversation: Conversation::Soon, ..sighting("claude", 2, "%0") };
        let old = look(&[], &[sighting("claude", 1, "%0")], 5, &[], &[]).put;
        let waits = look(&old, std::slice::from_ref(&soon), 6, &[], &[]);
        assert_eq!((waits.pending, names(&waits.put)), (true, vec!["claude-1"]));
        assert_eq!(waits.died, [name("claude-1")]);
        let in_a_hurry = Scan { patient: false, ..scan(std::slice::from_ref(&soon), 6) };
        let changes = super::reconcile(&old, &in_a_hurry, |_| Some(false), |_| true);
        assert_eq!(changes.heirs, [(name("claude-1"), Evidence::Pane)]);
        // Elsewhere, where no conversation is known, it makes no difference.
        let elsewhere = Sighting { place: PaneRef { pane: "%5".into(), ..soon.place.clone() }, ..soon };
        assert!(!look(&old, &[elsewhere], 6, &[], &[]).pending);
    }

    #[test]
    fn a_process_of_another_user_inherits_nothing() {
        let old = look(&[], &[sighting("claude", 1, "%0")], 5, &[], &[]).put;
        let other = [sighting("claude", 2, "%0")];
        let own = scan(&other, 6);
        let foreign = Scan { is_foreign: |pid| pid == 2, ..own };
        for (look, expected) in [(own, &["claude-1"][..]), (foreign, &["claude-2", "claude-1"])] {
            assert_eq!(names(&super::reconcile(&old, &look, |_| Some(false), |_| true).put), expected);
        }
    }
}
