//! The index of leases as values: lines that are sorted by path, and the number and times of each holder's leases.
//!
//! Pure. The index finds the leases that may matter to a decision; the records contain them. Two patterns can have a
//! path in common only if the stem of one begins with all names of the stem of the other ([`PathPattern::stem`]). A
//! line begins with its stem, and [`order`] puts everything below a directory right after it. So the leases that may
//! overlap a pattern are found at its stem, at each stem above it, and in one range below it.
//!
//! A line contains the whole lease if nothing about it is unusual, so a list of all leases does not open thousands of
//! files.

use super::pattern::{PathKind, PathPattern, Scope};
use super::record::{Holder, Lease, Liveness, Mode, Reason};
use crate::core::message::Identity;
use crate::core::moment::{Deadline, Moment};
use crate::core::name::Name;
use crate::core::process_id::ProcessId;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt::Write as _;

/// The text in place of the rest of a lease that has to be read from its record.
const ELSEWHERE: &str = "!";

/// The text in place of a work tree for paths that are in none. No work tree has this name.
const TEAM: &str = "\u{1}team";
const NAMED: &str = "\u{1}name";

/// The scope of a path as text.
fn tree(path: &PathPattern) -> &str {
    match path.scope() {
        Scope::Tree(tree) => tree.as_deref().unwrap_or_default(),
        Scope::Team => TEAM,
        Scope::Name => NAMED,
    }
}

/// The lines of a lease, one per path, each with its line feed.
pub fn lines(lease: &Lease, boot: &str) -> String {
    let rest = rest(lease, boot);
    let mut text = String::new();
    for (place, path) in lease.paths.iter().map(PathPattern::folded).enumerate() {
        let kind = match path.kind() {
            PathKind::File => 'f',
            PathKind::Dir => 'd',
            PathKind::Glob => 'g',
        };
        let tail = path.path().get(path.stem().len()..).unwrap_or_default();
        let (tree, stem, of) = (tree(&path), path.stem(), lease.paths.len());
        let _ = writeln!(text, "{tree}\t{stem}\t{tail}\t{kind}\t{}\t{place}\t{of}\t{rest}", lease.fence);
    }
    text
}

/// The rest of a line, after the path and the number.
fn rest(lease: &Lease, boot: &str) -> String {
    let Lease { holder, expires, .. } = lease;
    let reason = lease.reason.as_ref().map_or("", Reason::as_str);
    let usual = lease.paths.iter().all(|path| matches!(path.scope(), Scope::Tree(_)))
        && lease.challenge.is_none()
        && expires.boot == boot
        && holder.host.is_none()
        && holder.process.as_ref().is_none_or(|p| p.boot == boot)
        && holder.identity.is_none_or(|i| i == Identity::Env)
        && !reason.chars().any(char::is_control);
    if !usual {
        return ELSEWHERE.to_owned();
    }
    let (pid, start) = holder.process.as_ref().map(|p| (p.pid.to_string(), p.start)).unwrap_or_default();
    let namespace = holder.namespace.map(|n| n.to_string()).unwrap_or_default();
    let mode = if lease.mode == Mode::Shared { 's' } else { 'x' };
    let (auto, command, env) = (mark(lease.auto), mark(holder.command), mark(holder.identity.is_some()));
    let (wall, awake) = (expires.wall_ms, expires.awake_ms);
    format!(
        "{mode}\t{auto}\t{}\t{wall}\t{awake}\t{}\t{pid}\t{start}\t{namespace}\t{command}\t{env}\t{reason}",
        lease.since, holder.name
    )
}

fn mark(is_so: bool) -> char {
    if is_so { '+' } else { '-' }
}

/// The order of lines: by the names in their paths, so that nothing is between a directory and the paths below it.
pub fn order(one: &[u8], other: &[u8]) -> Ordering {
    // No name contains characters as small as these; the tab ends a stem.
    let rank = |byte: &u8| if *byte == b'/' { b'\n' } else { *byte };
    one.iter().map(rank).cmp(other.iter().map(rank))
}

/// The beginnings of the lines that may overlap `path`.
pub fn keys(path: &PathPattern) -> Vec<String> {
    let path = path.folded();
    let (tree, stem) = (tree(&path), path.stem());
    if stem.is_empty() {
        return vec![format!("{tree}\t")];
    }
    let above = stem.match_indices('/').map(|(at, _)| &stem[..at]);
    let mut keys = vec![format!("{tree}\t\t")];
    keys.extend(above.chain([stem]).map(|stem| format!("{tree}\t{stem}\t")));
    keys.push(format!("{tree}\t{stem}/"));
    keys
}

#[derive(Debug)]
pub struct Line<'a> {
    pub fence: u64,
    pub path: PathPattern,
    place: usize,
    of: usize,
    rest: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line without its line feed; `None` if it is not one.
    pub fn read(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(8, '\t');
        let mut part = || parts.next();
        let (tree, stem, tail) = (part()?, part()?, part()?);
        let kind = match part()? {
            "f" => PathKind::File,
            "d" => PathKind::Dir,
            "g" => PathKind::Glob,
            _ => return None,
        };
        let path = if tail.is_empty() { stem } else { &format!("{stem}{tail}") };
        let path = match tree {
            TEAM => PathPattern::team(kind, path),
            NAMED => PathPattern::named(path),
            tree => PathPattern::new(kind, Some(tree).filter(|tree| !tree.is_empty()), path),
        };
        let path = path.ok()?;
        let (fence, place, of) = (part()?.parse().ok()?, part()?.parse().ok()?, part()?.parse().ok()?);
        Some(Self { fence, path, place, of, rest: part()? })
    }

    /// The lease with this one path, if the line contains it.
    fn lease(self, boot: &str) -> Option<Lease> {
        let mut parts = self.rest.splitn(12, '\t');
        let mut part = || parts.next();
        let mode = match part()? {
            "s" => Mode::Shared,
            "x" => Mode::Exclusive,
            _ => return None,
        };
        let auto = part()? == "+";
        let since = part()?.parse().ok()?;
        let (wall_ms, awake_ms) = (part()?.parse().ok()?, part()?.parse().ok()?);
        let name = Name::new(part()?).ok()?;
        let process = match (part()?, part()?) {
            ("", _) => None,
            (pid, start) => {
                Some(ProcessId { pid: pid.parse().ok()?, start: start.parse().ok()?, boot: boot.to_owned() })
            }
        };
        let namespace = match part()? {
            "" => None,
            number => Some(number.parse().ok()?),
        };
        let command = part()? == "+";
        let identity = (part()? == "+").then_some(Identity::Env);
        let reason = match part()? {
            "" => None,
            text => Some(Reason::try_from(text.to_owned()).ok()?),
        };
        Some(Lease {
            fence: self.fence,
            holder: Holder { name, process, namespace, command, identity, host: None },
            paths: vec![self.path],
            mode,
            auto,
            reason,
            since,
            expires: Deadline { wall_ms, awake_ms, boot: boot.to_owned() },
            challenge: None,
        })
    }
}

/// Combines leases from their lines, in any order. Those whose records must be read are in the second list. `None` if
/// a line is missing or invalid.
pub fn gather(mut lines: Vec<Line<'_>>, boot: &str) -> Option<(Vec<Lease>, Vec<u64>)> {
    lines.sort_unstable_by_key(|line| (line.fence, line.place));
    let (mut leases, mut elsewhere): (Vec<Lease>, Vec<u64>) = (Vec::new(), Vec::new());
    let mut expected = (0, 0, 0);
    for line in lines {
        let (fence, place, of) = expected;
        let is_next = line.fence == fence && line.place == place && line.of == of;
        // The lease before is complete and this line begins another, or this line continues it.
        let is_first = line.place == 0 && line.of > 0 && line.fence != fence;
        if !(if place == of { is_first } else { is_next }) {
            return None;
        }
        expected = (line.fence, line.place + 1, line.of);
        if line.place > 0 {
            match leases.last_mut().filter(|l| l.fence == line.fence) {
                Some(lease) => lease.paths.push(line.path),
                None if elsewhere.last() == Some(&line.fence) => {}
                None => return None,
            }
            continue;
        }
        if line.rest == ELSEWHERE {
            elsewhere.push(line.fence);
        } else {
            leases.push(line.lease(boot)?);
        }
    }
    (expected.1 == expected.2).then_some((leases, elsewhere))
}

/// A holder of leases: how many, and the earliest times (in awake milliseconds of this boot) at which time may end
/// one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub holder: Holder,
    pub leases: u64,
    /// When the first may expire.
    any: u64,
    /// When the first automatic one may expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto: Option<u64>,
    /// When the first challenge may lapse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lapse: Option<u64>,
}

impl Tenant {
    /// Whether time, a death or a renaming may have changed one of its leases, so that its table must be settled.
    pub fn is_due(&self, liveness: Liveness, name: Option<&Name>, now: &Moment) -> bool {
        let passed = |at: u64| at <= now.awake_ms;
        let ended = match liveness {
            Liveness::Dead => true,
            Liveness::Alive if self.holder.command => false,
            Liveness::Alive => self.auto.is_some_and(passed) || self.lapse.is_some_and(passed),
            Liveness::Unknown => passed(self.any),
        };
        ended || name.is_some_and(|name| *name != self.holder.name)
    }
}

/// Records in `tenants` that a lease changed from `before` to `after`. `None` if `before` was not on record. The
/// times are then too early, which costs only a look.
pub fn note(
    tenants: &mut Vec<Tenant>,
    before: Option<&Lease>,
    after: Option<&Lease>,
    now: &Moment,
) -> Option<()> {
    if let Some(lease) = after {
        let at = |deadline: &Deadline| now.awake_ms.saturating_add(deadline.remaining_ms(now));
        let any = at(&lease.expires);
        let auto = lease.auto.then_some(any);
        let lapse = lease.challenge.as_ref().map(|challenge| at(&challenge.until).max(any));
        match tenants.iter_mut().find(|t| t.holder == lease.holder) {
            Some(tenant) => {
                tenant.leases += 1;
                tenant.any = tenant.any.min(any);
                tenant.auto = tenant.auto.into_iter().chain(auto).min();
                tenant.lapse = tenant.lapse.into_iter().chain(lapse).min();
            }
            None => tenants.push(Tenant { holder: lease.holder.clone(), leases: 1, any, auto, lapse }),
        }
    }
    if let Some(lease) = before {
        let at = tenants.iter().position(|t| t.holder == lease.holder)?;
        tenants[at].leases = tenants[at].leases.checked_sub(1)?;
        if tenants[at].leases == 0 {
            tenants.swap_remove(at);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
