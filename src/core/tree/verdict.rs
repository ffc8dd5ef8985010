//! Decides whether a command is allowed: compares its effects with what others hold or have edited.

use super::git::Harm;
use crate::core::escape;
use crate::core::lease::PathPattern;
use crate::core::name::Name;
use crate::core::span;

/// The most paths that are named.
const MAX_NAMED: usize = 5;

/// Why a path belongs to another agent's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimReason {
    /// The agent holds this lease.
    Holds(u64),
    /// Its hook reported an edit at that time (ms since the epoch), and no commit contains it yet.
    Edited(u64),
}

/// A path of another agent's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathClaim {
    /// The agent.
    pub who: Name,
    pub path: PathPattern,
    pub why: ClaimReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The agent.
    pub who: Name,
    /// The file.
    pub path: PathPattern,
    /// The time (ms since the epoch).
    pub at: u64,
}

/// The edits by others that forbid a command on `path`. If several agents have edited a file, the last of them may
/// commit it, because it knows the content. Nobody may lose or move it.
pub fn edited<'e>(path: &PathPattern, kind: Harm, others: &'e [Edit], own: &[Edit]) -> Option<&'e Edit> {
    let last = |edits: &'e [Edit]| edits.iter().filter(|e| e.path.overlaps(path)).max_by_key(|e| e.at);
    let found = last(others)?;
    let mine = own.iter().filter(|e| e.path.overlaps(path)).map(|e| e.at).max();
    (kind != Harm::Commit || mine.is_none_or(|at| at < found.at)).then_some(found)
}

/// In words: an agent has edited the path and not committed it.
pub fn edited_by(path: &str, claim: &PathClaim, at: u64, now: u64) -> String {
    format!("{path} was edited by {} {} ago and is not committed", claim.who, span::age(at, now))
}

/// Why a call is refused, and what to do instead. `msg` is how the agent calls `swarm-msg`.
pub fn refusal(shown: &str, kind: Harm, claims: &[PathClaim], now: u64, msg: &str) -> String {
    let does = match kind {
        Harm::Discard => "would discard uncommitted work of others",
        Harm::Stash => "would stash uncommitted work of others away",
        Harm::Commit => "would commit unfinished work of others",
        Harm::Move => "would put another commit below uncommitted work of others",
    };
    let named: Vec<String> = claims
        .iter()
        .take(MAX_NAMED)
        .map(|claim| {
            let path = escape::short(&claim.path.to_string(), 120);
            match claim.why {
                ClaimReason::Holds(fence) => format!("{path} is held by {} (lease {fence})", claim.who),
                ClaimReason::Edited(at) => edited_by(&path, claim, at, now),
            }
        })
        .collect();
    let more = claims.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let safe = match kind {
        Harm::Discard => "name your own paths (git restore -- PATH)",
        Harm::Stash => {
            "name your own paths (git stash push -- PATH), and know that all worktrees of a repository share one stash"
        }
        Harm::Commit => {
            "name your own paths (git commit -m TEXT -- PATH); git restore --staged PATH removes the others' from the index"
        }
        Harm::Move => "work in a worktree of your own",
    };
    let whom = claims.first().map_or("human", |claim| claim.who.as_str());
    format!(
        "swarm: not run: `{shown}` {does}: {}{more}. This work tree is shared, so leave their files as they are. Instead: {safe}; or take a \
         tree of your own (git worktree add ../NAME BRANCH); or ask first: {msg} send {whom} \"...\"",
        named.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lease::PathKind as Form;

    fn file(path: &str) -> PathPattern {
        PathPattern::new(Form::File, None, path).unwrap()
    }

    fn edit(who: &str, path: &str, at: u64) -> Edit {
        Edit { who: Name::new(who).unwrap(), path: file(path), at }
    }

    #[test]
    fn who_edited_last_may_commit_and_nobody_may_discard() {
        let others = [edit("b", "f", 10), edit("c", "f", 20), edit("b", "g", 5)];
        for (path, kind, own, stands) in [
            ("f", Harm::Commit, &[][..], Some(20)),
            ("f", Harm::Commit, &[edit("a", "f", 15)], Some(20)),
            ("f", Harm::Commit, &[edit("a", "f", 25)], None),
            ("f", Harm::Commit, &[edit("a", "g", 25)], Some(20)),
            ("f", Harm::Discard, &[edit("a", "f", 25)], Some(20)),
            ("f", Harm::Stash, &[edit("a", "f", 25)], Some(20)),
            ("f", Harm::Move, &[edit("a", "f", 25)], Some(20)),
            ("h", Harm::Discard, &[], None),
        ] {
            assert_eq!(
                edited(&file(path), kind, &others, own).map(|e| e.at),
                stands,
                "{path} {kind:?} {own:?}"
            );
        }
    }

    #[test]
    fn a_refusal_names_who_what_and_the_safe_way_within_bounds() {
        let claim = |n: u64| PathClaim {
            who: Name::new("codex-1").unwrap(),
            path: file(&format!("src/{n}.rs")),
            why: if n == 0 { ClaimReason::Holds(7) } else { ClaimReason::Edited(60_000 * n) },
        };
        let claims: Vec<PathClaim> = (0..900).map(claim).collect();
        let told = refusal("git stash", Harm::Stash, &claims, 720_000, "swarm-msg");
        for part in [
            "`git stash` would stash",
            "src/0.rs is held by codex-1 (lease 7)",
            "src/1.rs was edited by codex-1 11m ago",
            "and 895 more",
            "git stash push -- PATH",
            "all worktrees of a repository share one stash",
            "git worktree add",
            "swarm-msg send codex-1",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(told.len() < 1200, "{}", told.len());
        for (kind, part) in [
            (Harm::Discard, "git restore -- PATH"),
            (Harm::Commit, "git commit -m TEXT -- PATH"),
            (Harm::Move, "a tree of your own"),
        ] {
            let told = refusal("git x", kind, &claims[..1], 0, "/x/swarm-msg");
            assert!(told.contains(part) && told.contains("/x/swarm-msg send codex-1"), "{kind:?}: {told}");
        }
    }
}
