//! What a git command does to uncommitted work.
//!
//! Only commands that lose, hide or commit such work are known here: git itself refuses a merge or a pull that would
//! overwrite it, and unstaging loses nothing. Options are parsed as git parses them, as far as they matter; a long
//! option may be shortened.

use super::World;
use super::script::{self, Call};
use super::word::Word;
use std::path::{Path, PathBuf};

/// The most aliases that lead to one another.
const MAX_ALIASES: usize = 8;

/// What becomes of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It is lost.
    Discard,
    /// It is put into the stash.
    Stash,
    /// It becomes part of a commit.
    Commit,
    /// Another commit is checked out below it.
    Move,
}

/// Which paths of a work tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    All,
    /// What these pathspecs match, from the directory of the call.
    Only(Vec<String>),
}

/// Which files that git does not track are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untracked {
    /// None.
    No,
    /// Those beside tracked ones; a new directory is one entry that ends in a slash.
    Beside,
    All,
}

/// A look at what is dirty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirtyLook {
    /// From which directory.
    pub dir: PathBuf,
    pub paths: Paths,
    /// Which new files.
    pub untracked: Untracked,
    /// Whether also ignored files.
    pub ignored: bool,
}

/// One entry of `git status --porcelain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dirty {
    /// The path, from the top of the work tree.
    pub path: String,
    /// The state in the index.
    pub index: char,
    /// The state in the work tree.
    pub work: char,
}

impl Dirty {
    fn is_staged(&self) -> bool {
        !matches!(self.index, ' ' | '?' | '!')
    }

    fn is_changed(&self) -> bool {
        !matches!(self.work, ' ' | '?' | '!')
    }
}

/// Which of the dirty paths are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Takes {
    staged: bool,
    changed: bool,
    new: bool,
    ignored: bool,
}

impl Takes {
    const TRACKED: Takes = Takes { staged: true, changed: true, new: false, ignored: false };

    fn of(self, dirty: &Dirty) -> bool {
        match dirty.index {
            // A new directory as a whole is left alone by those who look at it as one.
            '?' => self.new && !dirty.path.ends_with('/'),
            '!' => self.ignored,
            _ => self.staged && dirty.is_staged() || self.changed && dirty.is_changed(),
        }
    }
}

/// A change of the index by an earlier call of the same script.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Staging {
    dir: PathBuf,
    paths: Paths,
    /// Added; otherwise taken out.
    add: bool,
    new: bool,
}

/// What one call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub dir: PathBuf,
    /// The call, for the one who made it.
    pub shown: String,
    /// What becomes of the work.
    pub kind: Harm,
    paths: Paths,
    takes: Takes,
    /// New directories as a whole are not touched.
    beside: bool,
    staging: Vec<Staging>,
}

impl Act {
    /// The dirty paths that it is about. `look` tells what is dirty.
    pub fn taken(&self, look: &mut dyn FnMut(&DirtyLook) -> Vec<Dirty>) -> Vec<String> {
        let whole = if self.beside { Untracked::Beside } else { Untracked::All };
        let wanted = DirtyLook {
            dir: self.dir.clone(),
            paths: self.paths.clone(),
            untracked: if self.takes.new { whole } else { Untracked::No },
            ignored: self.takes.ignored,
        };
        let mut found: Vec<String> =
            look(&wanted).into_iter().filter(|dirty| self.takes.of(dirty)).map(|dirty| dirty.path).collect();
        for step in &self.staging {
            let untracked = if step.add && step.new { Untracked::All } else { Untracked::No };
            let dirty = look(&DirtyLook {
                dir: step.dir.clone(),
                paths: step.paths.clone(),
                untracked,
                ignored: false,
            });
            if step.add {
                let takes = Takes { staged: true, changed: true, new: step.new, ignored: false };
                found.extend(dirty.into_iter().filter(|d| takes.of(d)).map(|d| d.path));
            } else {
                found.retain(|path| !dirty.iter().any(|d| d.path == *path));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// What the calls of git in `text`, run in `dir`, do.
pub fn acts(text: &str, dir: &Path, world: &dyn World) -> Vec<Act> {
    let mut judge = Judge { world, acts: Vec::new(), staging: Vec::new() };
    for call in script::calls(text, dir, world) {
        judge.call(&call, 0);
    }
    judge.acts
}

struct Judge<'w> {
    world: &'w dyn World,
    acts: Vec<Act>,
    staging: Vec<Staging>,
}

/// The arguments of a subcommand, sorted.
#[derive(Default)]
struct Args {
    options: Vec<String>,
    operands: Vec<Word>,
    /// What follows `--`.
    after: Option<Vec<Word>>,
    /// Whether more follows that is not known.
    more: bool,
}

impl Args {
    /// `short` and `long` are the options that take a value.
    fn new(words: &[Word], more: bool, short: &str, long: &[&str]) -> Self {
        let mut args = Self { more, ..Self::default() };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" {
                args.after = Some(rest.cloned().collect());
                break;
            }
            if let Some(name) = text.strip_prefix("--") {
                let (name, attached) = name.split_once('=').map_or((name, false), |(name, _)| (name, true));
                if !attached && long.contains(&name) {
                    rest.next();
                }
                args.options.push(format!("--{name}"));
            } else if let Some(letters) = text.strip_prefix('-').filter(|letters| !letters.is_empty()) {
                for (at, letter) in letters.char_indices() {
                    args.options.push(format!("-{letter}"));
                    if short.contains(letter) {
                        if at + letter.len_utf8() == letters.len() {
                            rest.next();
                        }
                        break;
                    }
                }
            } else {
                args.operands.push(word.clone());
            }
        }
        args
    }

    fn has(&self, names: &[&str]) -> bool {
        // git takes a long option that is shortened.
        let is = |given: &str, name: &str| {
            given == name || given.len() > 4 && given.starts_with("--") && name.starts_with(given)
        };
        self.options.iter().any(|given| names.iter().any(|name| is(given, name)))
    }

    /// Operands and what follows `--` as pathspecs; one that is not known stands for all.
    fn paths(&self, operands: &[Word]) -> Paths {
        let words: Vec<&Word> = operands.iter().chain(self.after.iter().flatten()).collect();
        if self.more
            || words.is_empty()
            || words.iter().any(|w| !w.exact)
            || self.has(&["--pathspec-from-file"])
        {
            return Paths::All;
        }
        Paths::Only(words.into_iter().map(|w| w.text.clone()).collect())
    }

    fn names_paths(&self) -> bool {
        self.more || !self.operands.is_empty() || self.after.as_ref().is_some_and(|a| !a.is_empty())
    }
}

/// Subcommands that are often used and do nothing of the kind: no alias is looked up for them.
const HARMLESS: [&str; 27] = [
    "submodule",
    "status",
    "diff",
    "log",
    "show",
    "fetch",
    "push",
    "branch",
    "clone",
    "init",
    "config",
    "remote",
    "rev-parse",
    "blame",
    "grep",
    "ls-files",
    "tag",
    "describe",
    "mv",
    "notes",
    "reflog",
    "shortlog",
    "cat-file",
    "rev-list",
    "ls-tree",
    "symbolic-ref",
    "for-each-ref",
];

impl Judge<'_> {
    fn call(&mut self, call: &Call, depth: usize) {
        let Some((dir, at)) = globals(call) else { return };
        let Some(name) = call.words.get(at).and_then(Word::get) else { return };
        let rest = &call.words[at + 1..];
        let asks = |word: &Word| word.text == "--help" || word.text == "-h" && rest.len() == 1;
        if rest.iter().take_while(|word| word.text != "--").any(asks) {
            return;
        }
        let shown = shown(&call.words);
        if depth < MAX_ALIASES {
            self.in_submodules(&dir, name, rest, &shown);
        }
        if self.known(&dir, name, rest, call.more, &shown) || HARMLESS.contains(&name) || depth >= MAX_ALIASES
        {
            return;
        }
        // An alias given with the call itself wins.
        let given = call.words[..at].windows(2).rev().find_map(|pair| {
            (pair[0].text == "-c").then(|| pair[1].text.strip_prefix(&format!("alias.{name}="))).flatten()
        });
        let Some(alias) = given.map(str::to_owned).or_else(|| self.world.alias(&dir, name)) else { return };
        if let Some(text) = alias.strip_prefix('!') {
            let top = script::top(Some(&dir), self.world).unwrap_or(dir);
            let quoted: String =
                rest.iter().map(|w| format!(" '{}'", w.text.replace('\'', "'\\''"))).collect();
            for call in script::calls(&format!("{text}{quoted}"), &top, self.world) {
                self.call(&call, depth + 1);
            }
        } else if let Some(mut words) = script::words(&alias, &dir, self.world) {
            words.extend_from_slice(rest);
            self.call(&Call { dir: Some(dir), words, more: call.more }, depth + 1);
        }
    }

    /// Whether a setting makes git stash what is dirty by itself.
    fn is_on(&self, dir: &Path, key: &str, args: &Args) -> bool {
        let said = || self.world.setting(dir, key).unwrap_or_default().to_ascii_lowercase();
        !args.has(&["--no-autostash"]) && matches!(said().as_str(), "true" | "yes" | "on" | "1")
    }

    /// What a call does in the submodules of the work tree around `dir`.
    fn in_submodules(&mut self, dir: &Path, name: &str, words: &[Word], shown: &str) {
        let args = Args::new(words, false, "", &["recurse-submodules"]);
        let kind = match name {
            "submodule" => {
                let rest: Vec<&str> = args.operands.iter().map(|w| w.text.as_str()).collect();
                match rest.first() {
                    Some(&"foreach") => return self.foreach(dir, words),
                    Some(&"deinit" | &"update") if args.has(&["-f", "--force"]) => Harm::Discard,
                    Some(&"update") => Harm::Move,
                    _ => return,
                }
            }
            "checkout" | "switch" | "reset" | "restore" | "read-tree"
                if args.has(&["--recurse-submodules"]) =>
            {
                Harm::Discard
            }
            _ => return,
        };
        for sub in self.world.submodules(dir) {
            self.act(&sub, shown, kind, Takes::TRACKED, Paths::All);
        }
    }

    /// `git submodule foreach` runs a script, or a program with its arguments, in each.
    fn foreach(&mut self, dir: &Path, words: &[Word]) {
        let at = words.iter().position(|w| w.text == "foreach").map_or(words.len(), |at| at + 1);
        let command: Vec<&Word> = words[at..].iter().skip_while(|w| w.text.starts_with('-')).collect();
        let text = match &command[..] {
            [script] => script.text.clone(),
            words => {
                let quoted = |w: &&Word| format!("'{}'", w.text.replace('\'', "'\\''"));
                words.iter().map(quoted).collect::<Vec<_>>().join(" ")
            }
        };
        for sub in self.world.submodules(dir) {
            for call in script::calls(&text, &sub, self.world) {
                self.call(&call, MAX_ALIASES);
            }
        }
    }

    fn act(&mut self, dir: &Path, shown: &str, kind: Harm, takes: Takes, paths: Paths) {
        self.acts.push(Act {
            dir: dir.to_owned(),
            shown: shown.to_owned(),
            kind,
            paths,
            takes,
            beside: false,
            staging: Vec::new(),
        });
    }

    /// Whether the subcommand is one that is known here.
    #[allow(clippy::too_many_lines)] // one table of git's subcommands
    fn known(&mut self, dir: &Path, name: &str, words: &[Word], more: bool, shown: &str) -> bool {
        let all = Takes::TRACKED;
        let args = |short: &str, long: &[&str]| Args::new(words, more, short, long);
        match name {
            "checkout" => self.checkout(dir, &args("bB", &["orphan", "conflict"]), shown),
            "switch" => {
                let args = args("cC", &["create", "force-create", "orphan", "conflict"]);
                let creates = args.has(&["-c", "-C", "--create", "--force-create", "--orphan"]);
                if args.has(&["-f", "--force", "--discard-changes"]) {
                    self.act(dir, shown, Harm::Discard, all, Paths::All);
                } else if !args.operands.is_empty() || !creates && !args.options.is_empty() {
                    self.act(dir, shown, Harm::Move, all, Paths::All);
                }
            }
            "restore" => {
                let args = args("s", &["source", "conflict", "pathspec-from-file"]);
                let staged = args.has(&["-S", "--staged"]);
                if staged && !args.has(&["-W", "--worktree"]) {
                    self.stage(dir, &args, false, false);
                } else {
                    let takes = Takes { staged: staged || args.has(&["-s", "--source"]), ..all };
                    self.act(dir, shown, Harm::Discard, takes, args.paths(&args.operands));
                }
            }
            "reset" => self.reset(dir, &args("", &["pathspec-from-file"]), shown),
            "stash" => self.stash(dir, &args("m", &["message", "pathspec-from-file"]), shown),
            "clean" => {
                let args = args("e", &["exclude"]);
                if args.has(&["-f", "--force"]) && !args.has(&["-n", "--dry-run"]) {
                    let only_ignored = args.has(&["-X"]);
                    let takes = Takes {
                        new: !only_ignored,
                        ignored: only_ignored || args.has(&["-x"]),
                        ..Takes::default()
                    };
                    self.act(dir, shown, Harm::Discard, takes, args.paths(&args.operands));
                    if let Some(act) = self.acts.last_mut() {
                        act.beside = !args.has(&["-d"]);
                    }
                }
            }
            "add" | "stage" => {
                let args = args("", &["chmod", "pathspec-from-file"]);
                if !args.has(&["-n", "--dry-run"])
                    && (args.names_paths() || args.has(&["-A", "--all", "-u", "--update"]))
                {
                    self.stage(dir, &args, true, !args.has(&["-u", "--update"]));
                }
            }
            "commit" => self.commit(
                dir,
                &args(
                    "mFCct",
                    &[
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
                    ],
                ),
                shown,
            ),
            "rm" => {
                let args = args("", &["pathspec-from-file"]);
                if args.has(&["-f", "--force"]) && !args.has(&["--cached", "-n", "--dry-run"]) {
                    self.act(dir, shown, Harm::Discard, all, args.paths(&args.operands));
                }
            }
            "merge" | "cherry-pick" | "revert" | "am" | "rebase" => {
                let args =
                    args("mXsSxC", &["strategy", "strategy-option", "onto", "exec", "file", "into-name"]);
                if args.has(&["--abort", "--skip"]) {
                    self.act(dir, shown, Harm::Discard, all, Paths::All);
                } else if args.has(&["--continue"]) {
                    self.index(dir, shown);
                } else if name == "rebase" && !args.has(&["--quit", "--edit-todo", "--show-current-patch"])
                    || args.has(&["--autostash"])
                    || name == "merge" && self.is_on(dir, "merge.autoStash", &args)
                {
                    self.act(dir, shown, Harm::Move, all, Paths::All);
                }
            }
            "pull" => {
                let args = args("XsS", &["strategy", "strategy-option", "depth"]);
                // Without a stash of its own git refuses where something is dirty.
                if args.has(&["--rebase", "-r", "--autostash"])
                    || self.is_on(dir, "merge.autoStash", &args)
                    || self.is_on(dir, "rebase.autoStash", &args)
                {
                    self.act(dir, shown, Harm::Move, all, Paths::All);
                }
            }
            "bisect" => {
                let first = words.first().and_then(Word::get).unwrap_or_default();
                if matches!(first, "good" | "bad" | "old" | "new" | "skip" | "reset" | "run" | "replay")
                    || first == "start" && words.len() > 2
                {
                    self.act(dir, shown, Harm::Move, all, Paths::All);
                }
            }
            "checkout-index" => {
                let args = args("", &["prefix", "stage"]);
                if args.has(&["-f", "--force"]) && !args.has(&["--prefix"]) {
                    let takes = Takes { staged: false, ..all };
                    self.act(dir, shown, Harm::Discard, takes, args.paths(&args.operands));
                }
            }
            "read-tree" => {
                let args = args("", &["index-output", "prefix"]);
                if args.has(&["-u"]) {
                    let kind = if args.has(&["--reset"]) { Harm::Discard } else { Harm::Move };
                    self.act(dir, shown, kind, all, Paths::All);
                }
            }
            "worktree" => {
                let args = args("", &[]);
                let [what, path] = &args.operands[..] else { return true };
                if what.text == "remove"
                    && args.has(&["-f", "--force"])
                    && let Some(dir) = script::join(Some(dir), path)
                {
                    let takes = Takes { new: true, ..all };
                    self.act(&dir, shown, Harm::Discard, takes, Paths::All);
                }
            }
            _ => return false,
        }
        true
    }

    fn checkout(&mut self, dir: &Path, args: &Args, shown: &str) {
        let (all, force) = (Takes::TRACKED, args.has(&["-f", "--force"]));
        let from_index = Takes { staged: false, ..all };
        let creates = args.has(&["-b", "-B", "--orphan"]);
        let first = args.operands.first();
        let is_path = |word: &Word| {
            let special = word.text == "." || word.text.starts_with(':') || word.text.contains('*');
            special || word.get().is_some_and(|text| self.world.is_path(dir, text))
        };
        if args.after.as_ref().is_some_and(|after| !after.is_empty() || args.more) {
            let takes = if first.is_some() { all } else { from_index };
            self.act(dir, shown, Harm::Discard, takes, args.paths(&[]));
        } else if force {
            self.act(dir, shown, Harm::Discard, all, Paths::All);
        } else if creates {
            // From where one is, it changes no file.
            if first.is_some_and(|start| start.text != "HEAD") {
                self.act(dir, shown, Harm::Move, all, Paths::All);
            }
        } else if let Some(first) = first {
            if args.after.is_none() && is_path(first) {
                self.act(dir, shown, Harm::Discard, from_index, args.paths(&args.operands));
            } else if args.operands.len() > 1 {
                self.act(dir, shown, Harm::Discard, all, args.paths(&args.operands[1..]));
            } else if first.text != "HEAD" {
                self.act(dir, shown, Harm::Move, all, Paths::All);
            }
        } else if args.more || args.has(&["-p", "--patch", "--pathspec-from-file"]) {
            self.act(dir, shown, Harm::Discard, from_index, Paths::All);
        }
    }

    fn reset(&mut self, dir: &Path, args: &Args, shown: &str) {
        if args.has(&["--hard", "--merge"]) {
            self.act(dir, shown, Harm::Discard, Takes::TRACKED, Paths::All);
        } else if args.has(&["--keep"]) {
            self.act(dir, shown, Harm::Move, Takes::TRACKED, Paths::All);
        } else if !args.has(&["--soft"]) {
            let commit = args.operands.first().is_some_and(|first| {
                !first.get().is_some_and(|text| text == "." || self.world.is_path(dir, text))
            });
            let named = Args {
                options: args.options.clone(),
                operands: args.operands[usize::from(commit)..].to_vec(),
                after: args.after.clone(),
                more: args.more,
            };
            self.stage(dir, &named, false, false);
        }
    }

    fn stash(&mut self, dir: &Path, args: &Args, shown: &str) {
        let first = args.operands.first().map_or("push", |word| word.text.as_str());
        let (paths, act) = match first {
            "push" => (args.paths(args.operands.get(1..).unwrap_or_default()), Harm::Stash),
            // What follows is its message.
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
        self.act(dir, shown, act, takes, paths);
    }

    fn commit(&mut self, dir: &Path, args: &Args, shown: &str) {
        if args.has(&["--dry-run"]) {
            return;
        }
        let named: Vec<Word> = args.operands.iter().chain(args.after.iter().flatten()).cloned().collect();
        let include = args.has(&["-i", "--include"]);
        if named.is_empty() || include {
            let changed = args.has(&["-a", "--all"]);
            self.index(dir, shown);
            if let Some(act) = self.acts.last_mut() {
                act.takes.changed = changed;
                if include {
                    act.staging.push(Staging {
                        dir: dir.to_owned(),
                        paths: args.paths(&args.operands),
                        add: true,
                        new: false,
                    });
                }
            }
        } else if named.iter().all(|word| word.exact) {
            // Other staged files stay out of it.
            self.act(dir, shown, Harm::Commit, Takes::TRACKED, args.paths(&args.operands));
        }
    }

    /// A commit of the index as it is by then.
    fn index(&mut self, dir: &Path, shown: &str) {
        let takes = Takes { staged: true, ..Takes::default() };
        let top = |dir: &Path| script::top(Some(dir), self.world);
        let mut staging = std::mem::take(&mut self.staging);
        // Of another work tree that is another index.
        staging.retain(|step| step.dir == dir || top(&step.dir) == top(dir));
        self.act(dir, shown, Harm::Commit, takes, Paths::All);
        if let Some(act) = self.acts.last_mut() {
            act.staging.clone_from(&staging);
        }
    }

    /// A change of the index. What is added by a name that is not known is seen when it is committed.
    fn stage(&mut self, dir: &Path, args: &Args, add: bool, new: bool) {
        let known = args.operands.iter().chain(args.after.iter().flatten()).all(|word| word.exact);
        if add && (args.more || !known || args.has(&["--pathspec-from-file"])) {
            return;
        }
        self.staging.push(Staging { dir: dir.to_owned(), paths: args.paths(&args.operands), add, new });
    }
}

/// The directory of a call, and the position of its subcommand. `None`: it is not known, or there is none.
fn globals(call: &Call) -> Option<(PathBuf, usize)> {
    let mut dir = call.dir.clone();
    let mut at = 0;
    while let Some(word) = call.words.get(at) {
        let text = word.text.as_str();
        match text {
            "-C" | "--work-tree" => {
                dir = script::join(dir.as_deref(), call.words.get(at + 1)?);
                at += 2;
            }
            "-c" | "--git-dir" | "--namespace" | "--super-prefix" | "--config-env" | "--attr-source"
            | "--exec-path" => at += 2,
            "--help" | "--version" | "-h" | "-v" => return None,
            _ if !text.starts_with('-') => return Some((dir?, at)),
            _ => {
                if let Some(tree) = text.strip_prefix("--work-tree=") {
                    dir = script::join(dir.as_deref(), &Word { text: tree.to_owned(), exact: word.exact });
                }
                at += 1;
            }
        }
    }
    None
}

fn shown(words: &[Word]) -> String {
    let words: Vec<&str> = std::iter::once("git").chain(words.iter().map(|w| w.text.as_str())).collect();
    crate::core::escape::short(&words.join(" "), 80)
}
