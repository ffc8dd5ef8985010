//! The effect of each subcommand of git on uncommitted work.

use super::args::Args;
use super::judge::Judge;
use super::{Harm, Paths, Staging, Takes};
use crate::core::tree::script;
use crate::core::tree::word::Word;
use std::path::Path;

const TRACKED: Takes = Takes::TRACKED;

/// A call of a subcommand.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) dir: &'a Path,
    pub(super) name: &'a str,
    /// The arguments after the name.
    pub(super) words: &'a [Word],
    /// Whether unknown arguments follow.
    pub(super) more: bool,
    /// The call, for its author.
    pub(super) shown: &'a str,
}

impl Asked<'_> {
    /// `short` and `long` are the options that take a value.
    pub(super) fn args(&self, short: &str, long: &[&str]) -> Args {
        Args::new(self.words, self.more, short, long)
    }
}

impl Judge<'_> {
    /// Records the effect of a subcommand. `false`: the subcommand is unknown here.
    pub(super) fn subcommand(&mut self, asked: &Asked<'_>) -> bool {
        match asked.name {
            "checkout" => self.checkout(asked),
            "switch" => self.switch(asked),
            "restore" => self.restore(asked),
            "reset" => self.reset(asked),
            "stash" => self.stash(asked),
            "clean" => self.clean(asked),
            "add" | "stage" => self.add(asked),
            "commit" => self.commit(asked),
            "rm" => self.remove(asked),
            "merge" | "cherry-pick" | "revert" | "am" | "rebase" => self.merge(asked),
            "pull" => self.pull(asked),
            "bisect" => self.bisect(asked),
            "checkout-index" => self.checkout_index(asked),
            "read-tree" => self.read_tree(asked),
            "worktree" => self.worktree(asked),
            _ => return false,
        }
        true
    }

    fn checkout(&mut self, asked: &Asked<'_>) {
        let args = asked.args("bB", &["orphan", "conflict"]);
        let from_index = Takes { staged: false, ..TRACKED };
        let creates = args.has(&["-b", "-B", "--orphan"]);
        let first = args.operands.first();
        let is_path = |word: &Word| {
            let special = word.text == "." || word.text.starts_with(':') || word.text.contains('*');
            special || word.get().is_some_and(|text| self.world.is_path(asked.dir, text))
        };
        if args.after.as_ref().is_some_and(|after| !after.is_empty() || args.more) {
            let takes = if first.is_some() { TRACKED } else { from_index };
            self.act(asked, Harm::Discard, takes, args.paths(&[]));
        } else if args.has(&["-f", "--force"]) {
            self.act(asked, Harm::Discard, TRACKED, Paths::All);
        } else if creates {
            // Started from HEAD, it changes no file.
            if first.is_some_and(|start| start.text != "HEAD") {
                self.act(asked, Harm::Move, TRACKED, Paths::All);
            }
        } else if let Some(first) = first {
            if args.after.is_none() && is_path(first) {
                self.act(asked, Harm::Discard, from_index, args.paths(&args.operands));
            } else if args.operands.len() > 1 {
                self.act(asked, Harm::Discard, TRACKED, args.paths(&args.operands[1..]));
            } else if first.text != "HEAD" {
                self.act(asked, Harm::Move, TRACKED, Paths::All);
            }
        } else if args.more || args.has(&["-p", "--patch", "--pathspec-from-file"]) {
            self.act(asked, Harm::Discard, from_index, Paths::All);
        }
    }

    fn switch(&mut self, asked: &Asked<'_>) {
        let args = asked.args("cC", &["create", "force-create", "orphan", "conflict"]);
        let creates = args.has(&["-c", "-C", "--create", "--force-create", "--orphan"]);
        if args.has(&["-f", "--force", "--discard-changes"]) {
            self.act(asked, Harm::Discard, TRACKED, Paths::All);
        } else if !args.operands.is_empty() || !creates && !args.options.is_empty() {
            self.act(asked, Harm::Move, TRACKED, Paths::All);
        }
    }

    fn restore(&mut self, asked: &Asked<'_>) {
        let args = asked.args("s", &["source", "conflict", "pathspec-from-file"]);
        let staged = args.has(&["-S", "--staged"]);
        if staged && !args.has(&["-W", "--worktree"]) {
            self.stage(asked.dir, &args, false, false);
        } else {
            let takes = Takes { staged: staged || args.has(&["-s", "--source"]), ..TRACKED };
            self.act(asked, Harm::Discard, takes, args.paths(&args.operands));
        }
    }

    fn reset(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &["pathspec-from-file"]);
        if args.has(&["--hard", "--merge"]) {
            self.act(asked, Harm::Discard, TRACKED, Paths::All);
        } else if args.has(&["--keep"]) {
            self.act(asked, Harm::Move, TRACKED, Paths::All);
        } else if !args.has(&["--soft"]) {
            let commit = args.operands.first().is_some_and(|first| {
                !first.get().is_some_and(|text| text == "." || self.world.is_path(asked.dir, text))
            });
            let operands = args.operands[usize::from(commit)..].to_vec();
            self.stage(asked.dir, &Args { operands, ..args }, false, false);
        }
    }

    fn stash(&mut self, asked: &Asked<'_>) {
        let args = asked.args("m", &["message", "pathspec-from-file"]);
        let first = args.operands.first().map_or("push", |word| word.text.as_str());
        let (paths, harm) = match first {
            "push" => (args.paths(args.operands.get(1..).unwrap_or_default()), Harm::Stash),
            // The rest is its message.
            "save" => (Paths::All, Harm::Stash),
            "branch" => (Paths::All, Harm::Move),
            _ => return,
        };
        let staged_only = args.has(&["-S", "--staged"]);
        let everything = args.has(&["-a", "--all"]);
        let takes = Takes {
            staged: true,
            changed: !staged_only,
            new: everything || args.has(&["-u", "--include-untracked"]),
            ignored: everything,
        };
        self.act(asked, harm, takes, paths);
    }

    fn clean(&mut self, asked: &Asked<'_>) {
        let args = asked.args("e", &["exclude"]);
        if !args.has(&["-f", "--force"]) || args.has(&["-n", "--dry-run"]) {
            return;
        }
        let only_ignored = args.has(&["-X"]);
        let takes =
            Takes { new: !only_ignored, ignored: only_ignored || args.has(&["-x"]), ..Takes::default() };
        self.act(asked, Harm::Discard, takes, args.paths(&args.operands));
        if let Some(act) = self.acts.last_mut() {
            act.beside = !args.has(&["-d"]);
        }
    }

    fn add(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &["chmod", "pathspec-from-file"]);
        if !args.has(&["-n", "--dry-run"])
            && (args.names_paths() || args.has(&["-A", "--all", "-u", "--update"]))
        {
            self.stage(asked.dir, &args, true, !args.has(&["-u", "--update"]));
        }
    }

    fn commit(&mut self, asked: &Asked<'_>) {
        let valued = [
            "message",
            "file",
            "reuse-message",
            "reedit-message",
            "template",
            "author",
            "date",
            "cleanup",
            "fixup",
            "squash",
            "trailer",
            "pathspec-from-file",
        ];
        let args = asked.args("mFCct", &valued);
        if args.has(&["--dry-run"]) {
            return;
        }
        let named: Vec<&Word> = args.operands.iter().chain(args.after.iter().flatten()).collect();
        let include = args.has(&["-i", "--include"]);
        if named.is_empty() || include {
            let changed = args.has(&["-a", "--all"]);
            self.index(asked);
            if let Some(act) = self.acts.last_mut() {
                act.takes.changed = changed;
                if include {
                    let (dir, paths) = (asked.dir.to_owned(), args.paths(&args.operands));
                    act.staging.push(Staging { dir, paths, add: true, new: false });
                }
            }
        } else if named.iter().all(|word| word.exact) {
            // Other staged files are not part of it.
            self.act(asked, Harm::Commit, TRACKED, args.paths(&args.operands));
        }
    }

    fn remove(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &["pathspec-from-file"]);
        if args.has(&["-f", "--force"]) && !args.has(&["--cached", "-n", "--dry-run"]) {
            self.act(asked, Harm::Discard, TRACKED, args.paths(&args.operands));
        }
    }

    /// A merge, or another command that puts commits on top of others.
    fn merge(&mut self, asked: &Asked<'_>) {
        let args =
            asked.args("mXSsxC", &["strategy", "strategy-option", "onto", "exec", "file", "into-name"]);
        if args.has(&["--abort", "--skip"]) {
            self.act(asked, Harm::Discard, TRACKED, Paths::All);
        } else if args.has(&["--continue"]) {
            self.index(asked);
        } else if asked.name == "rebase" && !args.has(&["--quit", "--edit-todo", "--show-current-patch"])
            || args.has(&["--autostash"])
            || asked.name == "merge" && self.is_on(asked.dir, "merge.autoStash", &args)
        {
            self.act(asked, Harm::Move, TRACKED, Paths::All);
        }
    }

    fn pull(&mut self, asked: &Asked<'_>) {
        let args = asked.args("XsS", &["strategy", "strategy-option", "depth"]);
        // Without a stash of its own, git refuses if something is dirty.
        if args.has(&["--rebase", "-r", "--autostash"])
            || self.is_on(asked.dir, "merge.autoStash", &args)
            || self.is_on(asked.dir, "rebase.autoStash", &args)
        {
            self.act(asked, Harm::Move, TRACKED, Paths::All);
        }
    }

    fn bisect(&mut self, asked: &Asked<'_>) {
        let first = asked.words.first().and_then(Word::get).unwrap_or_default();
        if matches!(first, "good" | "bad" | "old" | "new" | "skip" | "reset" | "run" | "replay")
            || first == "start" && asked.words.len() > 2
        {
            self.act(asked, Harm::Move, TRACKED, Paths::All);
        }
    }

    fn checkout_index(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &["prefix", "stage"]);
        if args.has(&["-f", "--force"]) && !args.has(&["--prefix"]) {
            let takes = Takes { staged: false, ..TRACKED };
            self.act(asked, Harm::Discard, takes, args.paths(&args.operands));
        }
    }

    fn read_tree(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &["index-output", "prefix"]);
        if args.has(&["-u"]) {
            let harm = if args.has(&["--reset"]) { Harm::Discard } else { Harm::Move };
            self.act(asked, harm, TRACKED, Paths::All);
        }
    }

    fn worktree(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &[]);
        let [what, path] = &args.operands[..] else { return };
        if what.text == "remove"
            && args.has(&["-f", "--force"])
            && let Some(dir) = script::join(Some(asked.dir), path)
        {
            let takes = Takes { new: true, ..TRACKED };
            self.act(&Asked { dir: &dir, ..*asked }, Harm::Discard, takes, Paths::All);
        }
    }
}
