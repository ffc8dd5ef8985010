//! The groups of the project's agents: one sealed record, `groups.json`.
//!
//! It is replaced as a whole, under the mutex, so two changes at once are both kept. Reading takes no lock.

use super::record::{Durability, Loaded};
use super::{Store, Transaction};
use crate::core::event::Event;
use crate::core::group::{GroupChange, Groups};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use anyhow::Result;

/// Its name in the store, without `.json`.
const RECORD: &str = "groups";

impl Store {
    /// The groups. An invalid record is set aside, and there are none then.
    pub fn groups(&self) -> Result<Groups> {
        match self.sealed(RECORD)? {
            Loaded::Ok(groups) => return Ok(groups),
            Loaded::Missing => {}
            Loaded::Bad(why) => self.quarantine(&self.dir.join(format!("{RECORD}.json")), &why)?,
        }
        Ok(Groups::default())
    }
}

impl Transaction<'_> {
    /// Changes the groups for a person. A refused change changes nothing.
    pub fn change_groups(
        &mut self,
        verb: &str,
        change: impl FnOnce(&mut Groups) -> Result<GroupChange, Refusal>,
    ) -> Result<GroupChange> {
        let before = self.store.groups()?;
        let mut groups = before.clone();
        let changed = change(&mut groups)?;
        if groups != before {
            self.put_groups(&groups)?;
            self.journal(&Event::Group { group: &changed.group, verb, members: &changed.names })?;
        }
        Ok(changed)
    }

    /// Renames an agent in its groups.
    pub(super) fn rename_in_groups(&mut self, from: &Name, to: &Name) -> Result<()> {
        let mut groups = self.store.groups()?;
        if groups.rename(from, to) { self.put_groups(&groups) } else { Ok(()) }
    }

    /// Removes a name from all groups because another agent gets it. The groups were not meant for that agent.
    pub fn leave_groups(&mut self, name: &Name) -> Result<()> {
        let mut groups = self.store.groups()?;
        if groups.forget(name) { self.put_groups(&groups) } else { Ok(()) }
    }

    fn put_groups(&mut self, groups: &Groups) -> Result<()> {
        self.store.put_sealed(RECORD, groups, Durability::Durable)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{agent, store};
    use super::*;
    use crate::core::group;
    use std::fs;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn members(store: &Store) -> String {
        store.groups().unwrap().members("api").map_or_else(|| "none".to_owned(), group::list)
    }

    fn add(store: &Store, names: &[Name]) {
        store.transact(|tx| tx.change_groups("add", |groups| groups.add(&name("api"), names))).unwrap();
    }

    #[test]
    fn what_several_add_at_once_is_all_there() {
        let (_dir, store) = store();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let store = &store;
                scope.spawn(move || add(store, &[name(&format!("a-{number}"))]));
            }
        });
        assert_eq!(store.groups().unwrap().members("api").map(std::collections::BTreeSet::len), Some(8));
    }

    #[test]
    fn what_was_refused_leaves_the_record_as_it_is() {
        let (_dir, store) = store();
        add(&store, &[name("a-1")]);
        let file = store.dir().join("groups.json");
        let before = fs::read(&file).unwrap();
        let refused =
            store.transact(|tx| tx.change_groups("remove", |groups| groups.remove(&name("web"), &[])));
        assert!(refused.is_err());
        assert_eq!(fs::read(&file).unwrap(), before);
    }

    #[test]
    fn a_record_that_swarm_has_not_written_counts_for_nothing() {
        let (_dir, store) = store();
        add(&store, &[name("a-1")]);
        let file = store.dir().join("groups.json");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("a-1", "b-1")).unwrap();
        assert!(store.groups().unwrap().is_empty() && !file.exists());
        assert_eq!(store.quarantined().unwrap(), 1);
    }

    #[test]
    fn a_renamed_agent_is_still_a_member() {
        let (_dir, store) = store();
        add(&store, &[name("a-1"), name("b-1")]);
        let was = agent("a-1");
        store.transact(|tx| tx.put_agent(&was)).unwrap();
        store.transact(|tx| tx.rename_agent(&was, &name("reviewer"))).unwrap();
        assert_eq!(members(&store), "b-1, reviewer");
        store.transact(|tx| tx.leave_groups(&name("b-1"))).unwrap();
        assert_eq!(members(&store), "reviewer");
    }
}
