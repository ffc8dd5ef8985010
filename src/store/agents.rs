//! The records of agents: `agents/` contains those of living agents, `agents.ended/` those of ended ones.
//!
//! Nearly every command reads the living agents. The ended ones, a hundred after a busy day, are read only to decide
//! whose mail waits, which names are taken, and which agents may be back. A record is first marked as ended, and then
//! moved by one rename. Until then it is in `agents/`, where version 0.1.0 keeps all records. So ended agents may be
//! there after a crash, and in a store of that version. An agent that is back is written to `agents/` first. If a
//! name is in both, `agents/` counts.

use super::record::{self, Durability, Loaded};
use super::{Store, Transaction, fault};
use crate::core::agent::Agent;
use crate::core::name::Name;
use crate::core::order;
use anyhow::{Context as _, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const LIVING: &str = "agents";

/// It is made for the first agent that ends.
pub(super) const ENDED: &str = "agents.ended";

/// How often a reader looks again at records that were moved or renamed meanwhile.
const LOOKS: usize = 3;

impl Store {
    /// All agents on record, living and dead. Takes no lock; each record is whole.
    pub fn agents(&self) -> Result<Vec<Agent>> {
        let mut looks = 0;
        loop {
            let files = record::list(&self.dir.join(LIVING))?;
            let (mut agents, mut moved) = self.agents_in(LIVING, &files)?;
            if self.dir.join(ENDED).exists() {
                let mut ended = record::list(&self.dir.join(ENDED))?;
                ended.retain(|file| files.binary_search(file).is_err());
                let (dead, gone) = self.agents_in(ENDED, &ended)?;
                agents.extend(dead);
                order::sort_by_cached_key(&mut agents, file_of);
                // An agent that came back meanwhile is in neither list.
                moved |= gone || record::list(&self.dir.join(LIVING))? != files;
            }
            looks += 1;
            if !moved || looks == LOOKS {
                return Ok(agents);
            }
        }
    }

    /// The living agents on record. The cost does not depend on how many have ended.
    pub fn living(&self) -> Result<Vec<Agent>> {
        let mut looks = 0;
        loop {
            let files = record::list(&self.dir.join(LIVING))?;
            let (mut agents, moved) = self.agents_in(LIVING, &files)?;
            looks += 1;
            // An agent that was renamed between the list and the look would be missing under both names.
            if !moved || looks == LOOKS {
                agents.retain(Agent::is_live);
                return Ok(agents);
            }
        }
    }

    /// The agent on record for which `is` holds; the living ones are asked first. A person, whose name `name` may be,
    /// has no record.
    pub(super) fn find_agent(&self, name: &Name, is: impl Fn(&Agent) -> bool) -> Result<Option<Agent>> {
        if name.is_human() {
            return Ok(None);
        }
        match self.living()?.into_iter().find(&is) {
            None => Ok(self.agents()?.into_iter().find(is)),
            found => Ok(found),
        }
    }

    /// When a record of an agent was last made, replaced, moved or removed; `None` if only a look can show a change.
    pub fn agents_changed(&self) -> Option<SystemTime> {
        let living = record::changed(&self.dir.join(LIVING))?;
        let ended = self.dir.join(ENDED);
        if ended.exists() { Some(living.max(record::changed(&ended)?)) } else { Some(living) }
    }

    /// The agents in these files, and whether one of them was gone.
    fn agents_in(&self, dir: &str, files: &[String]) -> Result<(Vec<Agent>, bool)> {
        let dir = self.dir.join(dir);
        let (mut agents, mut gone) = (Vec::new(), false);
        for file in files {
            let path = dir.join(file);
            match record::load::<Agent>(&path)? {
                Loaded::Ok(agent) if *file == file_of(&agent) => agents.push(agent),
                Loaded::Ok(_) => self.quarantine(&path, "its name is not that of its file")?,
                Loaded::Bad(why) => self.quarantine(&path, &why)?,
                Loaded::Missing => gone = true,
            }
        }
        Ok((agents, gone))
    }

    fn agent_path(&self, dir: &str, name: &Name) -> PathBuf {
        self.dir.join(dir).join(format!("{name}.json"))
    }
}

fn file_of(agent: &Agent) -> String {
    format!("{}.json", agent.name)
}

impl Transaction<'_> {
    pub fn agents(&self) -> Result<Vec<Agent>> {
        self.store.agents()
    }

    /// Writes an agent's record. Volatile: after a reboot no recorded process lives.
    pub fn put_agent(&mut self, agent: &Agent) -> Result<()> {
        let path = self.store.agent_path(LIVING, &agent.name);
        record::replace(&self.store.tmp(), &path, agent, Durability::Volatile)?;
        fault::point("agent-written");
        let ended = self.store.agent_path(ENDED, &agent.name);
        if agent.is_live() { record::remove(&ended) } else { put_away(&path, &ended) }
    }

    /// Moves the records of those among `known`, all agents on record, that have ended and are still in `agents/`.
    pub fn put_away_ended(&mut self, known: &[Agent]) -> Result<()> {
        let files = record::list(&self.store.dir.join(LIVING))?;
        for agent in known.iter().filter(|a| !a.is_live() && files.binary_search(&file_of(a)).is_ok()) {
            let path = self.store.agent_path(LIVING, &agent.name);
            put_away(&path, &self.store.agent_path(ENDED, &agent.name))?;
        }
        Ok(())
    }

    pub fn forget_agent(&mut self, name: &Name) -> Result<()> {
        record::remove(&self.store.agent_path(LIVING, name))?;
        record::remove(&self.store.agent_path(ENDED, name))?;
        fault::point("agent-forgotten");
        self.forget_left(name)?;
        self.move_edits(name, None)
    }
}

fn put_away(path: &Path, to: &Path) -> Result<()> {
    let moved = match fs::rename(path, to) {
        // The first agent that ends in this store.
        Err(e) if e.kind() == ErrorKind::NotFound => {
            to.parent().map_or(Ok(()), record::ensure_dir)?;
            fs::rename(path, to)
        }
        moved => moved,
    };
    moved.with_context(|| format!("cannot move {} to {}", path.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{agent, store};
    use super::*;

    fn names(agents: &[Agent]) -> Vec<&str> {
        agents.iter().map(|a| a.name.as_str()).collect()
    }

    fn dead(name: &str) -> Agent {
        Agent { died: Some(5), ..agent(name) }
    }

    #[test]
    fn those_that_ended_are_kept_apart_and_found_by_who_asks_for_them() {
        let (_dir, store) = store();
        for one in [agent("a-1"), agent("b-1"), agent("a-10")] {
            store.transact(|tx| tx.put_agent(&one)).unwrap();
        }
        store.transact(|tx| tx.put_agent(&dead("b-1"))).unwrap();
        let (living, ended) = (store.dir.join(LIVING), store.dir.join(ENDED));
        assert_eq!(record::list(&living).unwrap(), ["a-1.json", "a-10.json"]);
        assert_eq!(record::list(&ended).unwrap(), ["b-1.json"]);
        assert_eq!(names(&store.living().unwrap()), ["a-1", "a-10"]);
        assert_eq!(names(&store.agents().unwrap()), ["a-1", "a-10", "b-1"]);
        let name = Name::new("b-1").unwrap();
        let found = store.find_agent(&name, |a| a.name == name).unwrap();
        assert_eq!(found.and_then(|a| a.died), Some(5));
        // The record of an ended agent is changed where it is.
        store.transact(|tx| tx.put_agent(&Agent { died: Some(6), ..agent("b-1") })).unwrap();
        assert_eq!((record::list(&living).unwrap().len(), record::list(&ended).unwrap().len()), (2, 1));
        // The agent is back.
        store.transact(|tx| tx.put_agent(&agent("b-1"))).unwrap();
        assert_eq!(names(&store.living().unwrap()), ["a-1", "a-10", "b-1"]);
        assert!(record::list(&ended).unwrap().is_empty());
        // It is forgotten, from either directory.
        store.transact(|tx| tx.put_agent(&dead("a-1"))).unwrap();
        for name in ["a-1", "b-1"] {
            store.transact(|tx| tx.forget_agent(&Name::new(name).unwrap())).unwrap();
        }
        assert_eq!(names(&store.agents().unwrap()), ["a-10"]);
    }

    #[test]
    fn a_record_of_one_that_ended_counts_also_where_version_0_1_0_keeps_it() {
        let (_dir, store) = store();
        let (path, ended) = (store.dir.join("agents/a-1.json"), store.dir.join(ENDED));
        fs::write(&path, serde_json::to_vec(&dead("a-1")).unwrap()).unwrap();
        store.transact(|tx| tx.put_agent(&agent("b-1"))).unwrap();
        assert_eq!(names(&store.agents().unwrap()), ["a-1", "b-1"]);
        assert_eq!(names(&store.living().unwrap()), ["b-1"]);
        let known = store.agents().unwrap();
        store.transact(|tx| tx.put_away_ended(&known)).unwrap();
        assert!(!path.exists() && ended.join("a-1.json").exists());
        assert_eq!(store.agents().unwrap(), known);
    }

    #[test]
    fn of_two_records_of_a_name_the_one_among_the_living_counts() {
        let (_dir, store) = store();
        store.transact(|tx| tx.put_agent(&dead("a-1"))).unwrap();
        // A crash between the two steps, of an agent that is back, and of one whose record is changed.
        for one in [agent("a-1"), Agent { died: Some(7), ..agent("a-1") }] {
            fs::write(store.dir.join("agents/a-1.json"), serde_json::to_vec(&one).unwrap()).unwrap();
            assert_eq!(store.agents().unwrap(), std::slice::from_ref(&one));
            assert_eq!(store.living().unwrap().len(), usize::from(one.is_live()));
        }
    }

    #[test]
    fn nobody_is_missed_who_ends_and_comes_back_during_a_look() {
        let (_dir, store) = store();
        store.transact(|tx| tx.put_agent(&agent("a-1"))).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..300 {
                    store.transact(|tx| tx.put_agent(&dead("a-1"))).unwrap();
                    store.transact(|tx| tx.put_agent(&agent("a-1"))).unwrap();
                }
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            let mut missed = 0;
            let mut looks = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                looks += 1;
                missed += usize::from(store.agents().unwrap().len() != 1);
            }
            // Three moves during three looks in a row: no real agent ends and comes back so often.
            assert!(missed * 20 <= looks, "{missed} of {looks}");
        });
        assert_eq!(store.agents().unwrap().len(), 1);
    }
}
