//! Leases at the moment of an edit: taken before the agent writes, refused if another holds them.
//!
//! Each check is one transaction of the store: if two agents are about to write one file, one gets the lease, and the
//! other sees who has it. A file outside the project cannot be leased, and passes.

use super::{Call, report, team};
use crate::core::escape;
use crate::core::hook::{Enforce, HookAnswer};
use crate::core::lease::{
    Blocker, Holder, Lease, LeaseOutcome, LeaseSelector, PathKind, PathPattern, Request, Scope, words,
};
use crate::core::message::{Identity, MessageType};
use crate::core::notice::Notice;
use crate::os::process;
use crate::store::leases::Part;
use crate::store::now_ms;
use anyhow::Result;
use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

/// Before a tool writes these files: leases them for a while, or reports who holds them.
pub(super) fn before(call: &Call<'_>, files: &[String]) -> Result<HookAnswer> {
    let paths = patterns(call, files);
    let Some(first) = paths.first().cloned().filter(|_| call.enforce != Enforce::Off) else {
        return Ok(HookAnswer::default());
    };
    if let Some((enforce, text)) = team::refusal(call, &holder(call), &paths)? {
        let warns = call.enforce == Enforce::Warn;
        return Ok(said(if warns { Enforce::Warn } else { enforce }, text));
    }
    let request = Request { paths, ..Request::edit(holder(call), first) };
    let text = match call.store.acquire(&request, None)? {
        LeaseOutcome::Granted(_) => return Ok(HookAnswer::default()),
        LeaseOutcome::Denied(blockers) | LeaseOutcome::Queued { blockers, .. } => {
            refusal(&blockers, &(call.command)())
        }
        LeaseOutcome::Cycle(_) => "others wait for what you hold".to_owned(),
    };
    Ok(said(call.enforce, text))
}

fn said(enforce: Enforce, text: String) -> HookAnswer {
    match enforce {
        Enforce::Deny => HookAnswer { deny: Some(text), context: None },
        _ => HookAnswer { deny: None, context: Some(text) },
    }
}

/// After a tool has written these files: they are the agent's open work until they are committed.
pub(super) fn after(call: &Call<'_>, files: &[String]) -> Result<()> {
    let paths = patterns(call, files);
    if paths.is_empty() || call.tree == Enforce::Off {
        return Ok(());
    }
    call.store.note_edits(&call.agent.name, &paths, now_ms())
}

fn patterns(call: &Call<'_>, files: &[String]) -> Vec<PathPattern> {
    let mut paths: Vec<PathPattern> = Vec::new();
    for file in files {
        // Outside of the project, or not a path at all.
        if let Ok(path) = call.store.literal_pattern(call.here, OsStr::new(file))
            && !paths.contains(&path)
        {
            paths.push(path);
        }
    }
    paths
}

/// At the end of a session: gives the automatic leases back.
pub(super) fn give_back(call: &Call<'_>) -> Result<()> {
    let holder = holder(call);
    let automatic: Vec<u64> = call
        .store
        .peek_leases()?
        .table
        .leases()
        .filter(|l| l.auto && l.holder.is_same(&holder))
        .map(|l| l.fence)
        .collect();
    if !automatic.is_empty() {
        call.store.change_leases(Part::Numbers(&automatic), |table| {
            for fence in &automatic {
                table.give_back(&holder, LeaseSelector::Fence(*fence));
            }
        })?;
    }
    Ok(())
}

/// After a shell command: warns this agent and the holders of files that were written meanwhile. That proves nothing,
/// because the holder itself may have written at the same time.
pub(super) fn trip(call: &Call<'_>) -> Result<Option<String>> {
    let since = report::read(call.store, &call.agent.name)?.and_then(|r| r.shell_since);
    let Some(since) = since.filter(|_| call.enforce != Enforce::Off) else { return Ok(None) };
    let own = holder(call);
    let leases = call.store.peek_leases()?;
    let mut touched: Vec<(Lease, String)> = Vec::new();
    for lease in leases.table.leases().filter(|l| !l.holder.is_same(&own) && l.since < since) {
        let file = |p: &&PathPattern| p.kind() == PathKind::File && *p.scope() == Scope::Tree(None);
        for path in lease.paths.iter().filter(file) {
            let written = fs::metadata(call.store.root().join(path.path())).and_then(|m| m.modified());
            if written.is_ok_and(|at| at >= UNIX_EPOCH + Duration::from_millis(since)) {
                touched.push((lease.clone(), escape::short(path.path(), 80)));
            }
        }
    }
    if touched.is_empty() {
        return Ok(None);
    }
    call.store.transact(|tx| {
        for (lease, path) in touched.iter().take(8) {
            let text = format!(
                "{path}, which you hold (lease {}), was written while {} ran a shell command: check it before you continue",
                lease.fence, call.agent.name
            );
            tx.put_notice(&Notice { to: lease.holder.name.clone(), kind: MessageType::Challenge, text })?;
        }
        Ok(())
    })?;
    call.store.post_notices()?;
    let named = |(lease, path): &(Lease, String)| format!("{path} (held by {})", lease.holder.name);
    let all: Vec<String> = touched.iter().take(8).map(named).collect();
    Ok(Some(format!(
        "WARNING from swarm: while your shell command ran, files were written that others hold: {}. They were told. If it was \
         you, talk to them before you go on.",
        all.join(", ")
    )))
}

pub(super) fn holder(call: &Call<'_>) -> Holder {
    let sees = matches!(call.caller.identity, Identity::Process | Identity::Pane);
    Holder::agent(call.agent, if sees { process::namespace() } else { None })
}

/// Why an edit is refused, and what to do.
fn refusal(blockers: &[Blocker], msg: &str) -> String {
    let named: Vec<String> = blockers.iter().take(3).map(words::blocker_for_agent).collect();
    let wanted = blockers.first().map(|b| escape::word(&b.wanted.to_string())).unwrap_or_default();
    format!(
        "swarm: {} Do not write it now, in this or any other way. To queue: {msg} lock --wait 10m {wanted}. To ask: \
         {msg} send {} \"...\"",
        named.join(" "),
        blockers.first().map_or("human", |b| b.holder.name.as_str())
    )
}
