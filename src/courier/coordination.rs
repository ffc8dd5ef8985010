//! The rows of Current Work that follow from leases: one for each agent while it has leases.
//!
//! The document is read only when the leases have changed since the last time, and changed in one transaction. Rows
//! that people and agents wrote are not touched. A row of this kind that somebody removes comes back with the next
//! change.

use crate::core::coord::{AutoRow, Change, Text, auto_rows, date};
use crate::core::few::Few;
use crate::core::lease::{LeaseTable, words};
use crate::core::name::Name;
use crate::core::refusal::Refusal;
use crate::store::{Store, now_ms};
use anyhow::Result;

/// The rows that the document shows for the leases.
#[derive(Debug, Default)]
pub struct Rows {
    shown: Option<Vec<AutoRow>>,
}

impl Rows {
    /// Updates the document's rows to `table`, if there is a document.
    pub fn follow(&mut self, store: &Store, table: &LeaseTable) -> Result<()> {
        let wanted = wanted(table);
        if self.shown.as_ref() == Some(&wanted) || !store.coordination_path().exists() {
            return Ok(());
        }
        // Also if the update fails: an error in the document is reported once, not with every round.
        let wanted = &*self.shown.insert(wanted);
        let since = date::minute(now_ms());
        store.change_coordination(&Name::system(), "leases", |text| {
            let names: Vec<&str> = wanted.iter().map(|row| row.agent.as_str()).collect();
            Ok(Change {
                section: "Current Work".into(),
                line: names.join(", "),
                was: None,
                text: auto_rows(text, wanted, &since).map_err(Refusal::from)?,
            })
        })?;
        Ok(())
    }
}

/// A row for each agent that holds a lease.
#[inline(never)]
fn wanted(table: &LeaseTable) -> Vec<AutoRow> {
    let mut agents: Few<&Name, (Option<Text>, Vec<_>)> = Few::new();
    for lease in table.leases().filter(|l| !l.holder.name.is_human()) {
        let (task, paths) = agents.at(&lease.holder.name);
        if task.is_none() {
            *task = lease.reason.as_ref().and_then(|reason| Text::new(reason.as_str()).ok());
        }
        paths.extend(lease.paths.iter().cloned());
    }
    let row = |(agent, (task, paths)): (&Name, (_, Vec<_>))| AutoRow {
        agent: agent.clone(),
        task,
        files: words::list(&paths),
    };
    agents.into_iter().map(row).collect()
}
