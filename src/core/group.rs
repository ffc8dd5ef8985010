//! Named groups of a project's agents, such as `@api`: who gets a message to one, and which changes are allowed.
//!
//! Pure. A member is a name, so an agent that is started again stays a member. If a new agent gets the name of a member
//! that ended, it does not become a member: [`Groups::forget`].

use super::message::MAX_RECIPIENTS;
use super::name::Name;
use super::refusal::Refusal;
use crate::core::order;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most groups in a project.
const MAX_GROUPS: usize = 64;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    groups: BTreeMap<Name, BTreeSet<Name>>,
}

/// A change of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupChange {
    pub group: Name,
    /// The names that were added or removed.
    pub names: Vec<Name>,
}

impl Groups {
    /// The name of a group as people type it: with or without its `@`.
    pub fn name(asked: &str) -> Result<Name, Refusal> {
        Name::for_agent(asked.strip_prefix('@').unwrap_or(asked))
            .map_err(|bad| Refusal::Usage(bad.to_string()))
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Name, &BTreeSet<Name>)> {
        self.groups.iter()
    }

    /// The members of a group; `None`: there is no such group.
    pub fn members(&self, group: &str) -> Option<&BTreeSet<Name>> {
        self.groups.iter().find(|(name, _)| name.as_str() == group).map(|(_, members)| members)
    }

    /// The addresses of all groups.
    pub fn addresses(&self) -> Vec<String> {
        self.groups.keys().map(|name| format!("@{name}")).collect()
    }

    /// The addresses of the groups with a member for which `is` holds.
    pub fn of(&self, is: impl Fn(&Name) -> bool) -> Vec<String> {
        let has = |members: &BTreeSet<Name>| members.iter().any(&is);
        self.groups.iter().filter(|(_, members)| has(members)).map(|(name, _)| format!("@{name}")).collect()
    }

    /// The refusal for an unknown group; it suggests a similar one.
    pub fn unknown(&self, asked: &Name) -> Refusal {
        let asked = format!("@{asked}");
        Refusal::UnknownGroup { asked, known: self.addresses() }
    }

    /// Makes a group, or adds to one. Returns the new members.
    pub fn add(&mut self, group: &Name, names: &[Name]) -> Result<GroupChange, Refusal> {
        if !self.groups.contains_key(group) && self.groups.len() >= MAX_GROUPS {
            let text = format!("there are {MAX_GROUPS} groups, and no more are allowed: remove one first");
            return Err(Refusal::Usage(text));
        }
        let members = self.groups.get(group).cloned().unwrap_or_default();
        let new: BTreeSet<Name> =
            order::collect(names.iter().filter(|name| !members.contains(name)).cloned());
        if members.len() + new.len() > MAX_RECIPIENTS {
            return Err(Refusal::Usage(format!("a group has at most {MAX_RECIPIENTS} members")));
        }
        self.groups.entry(group.clone()).or_default().extend(new.iter().cloned());
        Ok(GroupChange { group: group.clone(), names: new.into_iter().collect() })
    }

    /// Removes these members from a group; each must be a member. Without names, removes the group. A group without
    /// members stays: a person made it, and only a person removes it.
    pub fn remove(&mut self, group: &Name, names: &[Name]) -> Result<GroupChange, Refusal> {
        let Some(members) = self.groups.get_mut(group) else { return Err(self.unknown(group)) };
        let mut names = names.to_vec();
        order::sort(&mut names);
        names.dedup();
        if names.is_empty() {
            let left = self.groups.remove(group).unwrap_or_default();
            return Ok(GroupChange { group: group.clone(), names: left.into_iter().collect() });
        }
        if let Some(other) = names.iter().find(|name| !members.contains(name)) {
            let has = list(members);
            return Err(Refusal::Usage(format!("{other} is not in @{group}, which has {has}")));
        }
        members.retain(|name| !names.contains(name));
        Ok(GroupChange { group: group.clone(), names })
    }

    /// Renames a member. Returns whether that changes anything.
    pub fn rename(&mut self, from: &Name, to: &Name) -> bool {
        let mut changed = false;
        for members in self.groups.values_mut() {
            if members.remove(from) {
                members.insert(to.clone());
                changed = true;
            }
        }
        changed
    }

    /// Removes a member whose name another agent has from now on. Returns whether that changes anything.
    pub fn forget(&mut self, name: &Name) -> bool {
        let mut changed = false;
        for members in self.groups.values_mut() {
            changed |= members.remove(name);
        }
        changed
    }
}

/// Members for people.
pub fn list(members: &BTreeSet<Name>) -> String {
    if members.is_empty() {
        return "no members".to_owned();
    }
    members.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn members(groups: &Groups, group: &str) -> String {
        groups.members(group).map_or_else(|| "none".to_owned(), list)
    }

    #[test]
    fn a_group_is_made_by_its_first_member_and_ends_only_when_it_is_removed() {
        let mut groups = Groups::default();
        let api = Groups::name("@api").unwrap();
        assert_eq!(api, Groups::name("api").unwrap());
        let added = groups.add(&api, &[name("b"), name("a"), name("b")]).unwrap();
        assert_eq!(added.names, [name("a"), name("b")]);
        assert_eq!(groups.add(&api, &[name("a"), name("c")]).unwrap().names, [name("c")]);
        assert_eq!(
            (members(&groups, "api").as_str(), groups.addresses()),
            ("a, b, c", vec!["@api".to_owned()])
        );
        groups.remove(&api, &[name("a"), name("b"), name("c")]).unwrap();
        assert_eq!(members(&groups, "api"), "no members");
        groups.remove(&api, &[]).unwrap();
        assert_eq!(members(&groups, "api"), "none");
    }

    #[test]
    fn a_change_that_does_not_fit_changes_nothing() {
        let mut groups = Groups::default();
        groups.add(&name("api"), &[name("a")]).unwrap();
        let before = groups.clone();
        let told = groups.remove(&name("api"), &[name("a"), name("x")]).unwrap_err().to_string();
        assert_eq!(told, "x is not in @api, which has a");
        let told = groups.remove(&name("apo"), &[]).unwrap_err().to_string();
        assert_eq!(told, "no group is called '@apo', did you mean @api?; groups here: @api");
        let many: Vec<Name> = (0..=MAX_RECIPIENTS).map(|n| name(&format!("n{n}"))).collect();
        assert!(groups.add(&name("api"), &many).is_err() && groups.add(&name("new"), &many).is_err());
        assert_eq!(groups, before);
        for reserved in ["all", "@team", "human", "A b", "@", "@@x"] {
            assert!(Groups::name(reserved).is_err(), "{reserved}");
        }
    }

    #[test]
    fn a_project_has_so_many_groups_and_no_more() {
        let mut groups = Groups::default();
        for number in 0..MAX_GROUPS {
            groups.add(&name(&format!("g{number}")), &[]).unwrap();
        }
        assert!(groups.add(&name("more"), &[]).is_err());
        groups.add(&name("g0"), &[name("a")]).unwrap();
    }

    #[test]
    fn a_member_keeps_its_place_under_another_name_and_a_stranger_gets_none() {
        let mut groups = Groups::default();
        for group in ["api", "web"] {
            groups.add(&name(group), &[name("a"), name("b")]).unwrap();
        }
        assert!(groups.rename(&name("a"), &name("z")) && !groups.rename(&name("a"), &name("y")));
        assert_eq!(groups.of(|n| n.as_str() == "z"), ["@api", "@web"]);
        assert!(groups.forget(&name("b")) && !groups.forget(&name("b")));
        assert_eq!((members(&groups, "api").as_str(), members(&groups, "web").as_str()), ("z", "z"));
    }
}
