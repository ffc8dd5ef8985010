//! Prevents a coding agent without a record here from passing for the human.
//!
//! A command that no agent of the project started counts as the person's. So an agent of another project, or of none,
//! would count as that person as soon as `SWARM_ROOT` or its directory leads here. Therefore, before a caller counts
//! as the human, the processes above it are checked once more for an agent's program in any form. Read-only; takes no
//! lock.

use crate::core::escape;
use crate::core::refusal::Refusal;
use crate::os::caller::Chain;
use crate::os::process;
use crate::roster::rules;
use crate::store::Store;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// The nearest process above this one that is an agent's program.
pub(super) struct Stranger {
    kind: String,
    pid: i32,
    cwd: Option<PathBuf>,
}

/// Looks for an agent's program.
pub(super) fn above(chain: &Chain) -> Result<Option<Stranger>> {
    let found = rules::nearest(&chain.above())?;
    Ok(found.map(|(id, kind)| Stranger { kind, pid: id.pid, cwd: process::cwd(id.pid) }))
}

impl Stranger {
    /// Why it is refused in the project at `root`, and what to do.
    pub(super) fn refusal(&self, root: &Path) -> Refusal {
        let shown = |path: &Path| escape::short(&path.display().to_string(), 200);
        let home = self.cwd.as_deref().and_then(Store::root_around);
        let (place, remedy) = match (&self.cwd, &home) {
            (_, Some(home)) if home == root => (
                "works here, but not in a tmux pane that can be seen from here".to_owned(),
                "start it in a tmux pane, or run `swarm discover` in the pane's tmux",
            ),
            (_, Some(home)) => (
                format!("works in the project {}", shown(home)),
                "to write in its own project, unset SWARM_ROOT and run the command there",
            ),
            (Some(cwd), None) => (
                format!("works in {}, which belongs to no project", shown(cwd)),
                "start it in a tmux pane, in a directory of this project",
            ),
            (None, None) => {
                ("works elsewhere".to_owned(), "start it in a tmux pane, in a directory of this project")
            }
        };
        Refusal::Stranger(format!(
            "this command runs below {} (process {}), which is not an agent of this project ({}) and does not count as the human: it {place}; {remedy}",
            escape::short(&self.kind, 32),
            self.pid,
            shown(root)
        ))
    }
}
