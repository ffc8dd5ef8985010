//! The files that an agent has edited since they were last committed: `edits/NAME.json`.
//!
//! An agent's hook reports each edit. A commit of a path, by anybody, removes it from the record. It is changed in a
//! transaction of the store, so racing hooks and commits lose nothing; it is volatile, like everything about living
//! agents. The record is bounded: the oldest edits are forgotten first.

use super::record::{self, Durability, Loaded};
use super::{Store, Transaction};
use crate::core::lease::PathPattern;
use crate::core::name::Name;
use crate::core::order;
use crate::core::tree::verdict::Edit;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::PathBuf;

/// The most files that are remembered for an agent.
const MAX_EDITS: usize = 512;

/// The record of one agent, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Touched {
    edits: Vec<Touch>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Touch {
    path: PathPattern,
    /// When (ms since the epoch).
    at: u64,
}

impl Store {
    fn edits_path(&self, name: &str) -> PathBuf {
        self.dir.join("edits").join(format!("{name}.json"))
    }

    /// All uncommitted edits. Takes no lock.
    pub fn edits(&self) -> Result<Vec<Edit>> {
        let mut all = Vec::new();
        for file in record::list(&self.dir.join("edits"))? {
            let Some(name) = file.strip_suffix(".json").and_then(|name| Name::new(name).ok()) else {
                continue;
            };
            let edits = self.touched(name.as_str())?.edits;
            all.extend(edits.into_iter().map(|touch| Edit {
                who: name.clone(),
                path: touch.path,
                at: touch.at,
            }));
        }
        Ok(all)
    }

    /// Whether an agent has uncommitted edits.
    pub fn has_edits(&self, name: &Name) -> Result<bool> {
        Ok(!self.touched(name.as_str())?.edits.is_empty())
    }

    /// A damaged record is set aside, and its edits are lost.
    fn touched(&self, name: &str) -> Result<Touched> {
        let path = self.edits_path(name);
        match record::load::<Touched>(&path)? {
            Loaded::Ok(touched) => Ok(touched),
            Loaded::Missing => Ok(Touched::default()),
            Loaded::Bad(why) => self.quarantine(&path, &why).map(|()| Touched::default()),
        }
    }

    /// Records that `name` has edited these files.
    pub fn note_edits(&self, name: &Name, paths: &[PathPattern], at: u64) -> Result<()> {
        self.transact(|tx| {
            record::ensure_dir(&tx.store.dir.join("edits"))?;
            let mut touched = tx.store.touched(name.as_str())?;
            touched.edits.retain(|touch| !paths.contains(&touch.path));
            touched.edits.extend(paths.iter().map(|path| Touch { path: path.clone(), at }));
            let over = touched.edits.len().saturating_sub(MAX_EDITS);
            touched.edits.drain(..over);
            tx.put_touched(name.as_str(), &touched)
        })
    }

    /// Removes the edits of these files from all records, because the files were committed.
    pub fn forget_edits(&self, paths: &[PathPattern]) -> Result<()> {
        let paths: HashSet<&PathPattern> = paths.iter().collect();
        if !self.edits()?.iter().any(|edit| paths.contains(&edit.path)) {
            return Ok(());
        }
        self.transact(|tx| {
            for file in record::list(&tx.store.dir.join("edits"))? {
                let Some(name) = file.strip_suffix(".json") else { continue };
                let mut touched = tx.store.touched(name)?;
                let before = touched.edits.len();
                touched.edits.retain(|touch| !paths.contains(&touch.path));
                if touched.edits.len() < before {
                    tx.put_touched(name, &touched)?;
                }
            }
            Ok(())
        })
    }
}

impl Transaction<'_> {
    fn put_touched(&mut self, name: &str, touched: &Touched) -> Result<()> {
        record::replace(&self.store.tmp(), &self.store.edits_path(name), touched, Durability::Volatile)
    }

    /// Moves an agent's edits of these paths to another agent. Idempotent.
    pub(super) fn hand_edits_over(&mut self, from: &Name, to: &Name, paths: &[PathPattern]) -> Result<()> {
        let mut touched = self.store.touched(from.as_str())?;
        let is_given = |touch: &Touch| paths.iter().any(|path| path.overlaps(&touch.path));
        let (given, kept): (Vec<_>, Vec<_>) = touched.edits.into_iter().partition(is_given);
        if given.is_empty() {
            return Ok(());
        }
        let mut theirs = self.store.touched(to.as_str())?;
        theirs.edits.retain(|touch| !given.iter().any(|g| g.path == touch.path));
        theirs.edits.extend(given);
        order::sort_by_key(&mut theirs.edits, |touch| touch.at);
        let over = theirs.edits.len().saturating_sub(MAX_EDITS);
        theirs.edits.drain(..over);
        // The new owner's record first: in between both have edited the files, which only makes others more careful.
        self.put_touched(to.as_str(), &theirs)?;
        touched.edits = kept;
        self.put_touched(from.as_str(), &touched)
    }

    /// Removes the edits of an agent that is forgotten, or moves those of one that is renamed.
    pub(super) fn move_edits(&mut self, name: &Name, to: Option<&Name>) -> Result<()> {
        let from = self.store.edits_path(name.as_str());
        if let Some(to) = to {
            let earlier = self.store.touched(name.as_str())?.edits;
            if !earlier.is_empty() {
                let mut touched = self.store.touched(to.as_str())?;
                let known: Vec<PathPattern> = touched.edits.iter().map(|touch| touch.path.clone()).collect();
                touched.edits.extend(earlier.into_iter().filter(|touch| !known.contains(&touch.path)));
                order::sort_by_key(&mut touched.edits, |touch| touch.at);
                let over = touched.edits.len().saturating_sub(MAX_EDITS);
                touched.edits.drain(..over);
                self.put_touched(to.as_str(), &touched)?;
            }
        }
        record::remove(&from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lease::PathKind;
    use crate::store::tests::store;

    fn file(path: &str) -> PathPattern {
        PathPattern::new(PathKind::File, None, path).unwrap()
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn an_edit_is_known_until_its_file_is_committed_by_whomever() {
        let (_dir, store) = store();
        let (a, b) = (name("claude-1"), name("codex-1"));
        assert_eq!(store.edits().unwrap(), []);
        store.note_edits(&a, &[file("x"), file("y")], 10).unwrap();
        store.note_edits(&b, &[file("x")], 20).unwrap();
        store.note_edits(&a, &[file("x")], 30).unwrap();
        let edit = |who: &Name, path: &str, at| Edit { who: who.clone(), path: file(path), at };
        let known = store.edits().unwrap();
        assert_eq!(known, [edit(&a, "y", 10), edit(&a, "x", 30), edit(&b, "x", 20)]);
        store.forget_edits(&[file("x"), file("z")]).unwrap();
        assert_eq!(store.edits().unwrap(), [edit(&a, "y", 10)]);
    }

    #[test]
    fn no_more_edits_are_kept_than_fit_and_the_latest_are() {
        let (_dir, store) = store();
        let many: Vec<PathPattern> = (0..MAX_EDITS + 3).map(|n| file(&format!("f{n}"))).collect();
        store.note_edits(&name("claude-1"), &many, 1).unwrap();
        let kept = store.edits().unwrap();
        assert_eq!((kept.len(), &kept[0].path), (MAX_EDITS, &file("f3")));
    }

    #[test]
    fn a_damaged_record_is_set_aside_and_the_others_serve() {
        let (_dir, store) = store();
        store.note_edits(&name("claude-1"), &[file("x")], 1).unwrap();
        store.note_edits(&name("codex-1"), &[file("y")], 1).unwrap();
        std::fs::write(store.edits_path("codex-1"), "{").unwrap();
        assert_eq!(store.edits().unwrap().len(), 1);
        assert_eq!(store.quarantined().unwrap(), 1);
    }
}
