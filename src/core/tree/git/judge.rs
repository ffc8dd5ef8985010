//! Determines the effect of git calls: it follows aliases and submodules, and remembers what was staged before a
//! commit.

use super::args::Args;
use super::subcommands::Asked;
use super::{Act, Harm, Paths, Staging, Takes};
use crate::core::tree::World;
use crate::core::tree::script::{self, Call};
use crate::core::tree::word::Word;
use std::path::{Path, PathBuf};

/// The longest chain of aliases.
const MAX_ALIASES: usize = 8;

pub(super) struct Judge<'w> {
    pub(super) world: &'w dyn World,
    pub(super) acts: Vec<Act>,
    pub(super) staging: Vec<Staging>,
}

/// Frequent subcommands without such an effect: no alias is looked up for them.
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
impl<'w> Judge<'w> {
    pub(super) fn new(world: &'w dyn World) -> Self {
        Self { world, acts: Vec::new(), staging: Vec::new() }
    }

    pub(super) fn call(&mut self, call: &Call, depth: usize) {
        let Some((dir, at)) = globals(call) else { return };
        let Some(name) = call.words.get(at).and_then(Word::get) else { return };
        let rest = &call.words[at + 1..];
        let asks = |word: &Word| word.text == "--help" || word.text == "-h" && rest.len() == 1;
        if rest.iter().take_while(|word| word.text != "--").any(asks) {
            return;
        }
        let asked = Asked { dir: &dir, name, words: rest, more: call.more, shown: &shown(&call.words) };
        if depth < MAX_ALIASES {
            self.in_submodules(&asked);
        }
        if self.subcommand(&asked) || HARMLESS.contains(&name) || depth >= MAX_ALIASES {
            return;
        }
        // An alias in the call itself has priority.
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

    /// Whether a setting makes git stash the dirty files by itself.
    pub(super) fn is_on(&self, dir: &Path, key: &str, args: &Args) -> bool {
        let said = || self.world.setting(dir, key).unwrap_or_default().to_ascii_lowercase();
        !args.has(&["--no-autostash"]) && matches!(said().as_str(), "true" | "yes" | "on" | "1")
    }

    /// The effect of a call in the submodules of its work tree.
    fn in_submodules(&mut self, asked: &Asked<'_>) {
        let args = asked.args("", &["recurse-submodules"]);
        let harm = match asked.name {
            "submodule" => match args.operands.first().map(|word| word.text.as_str()) {
                Some("foreach") => return self.foreach(asked),
                Some("deinit" | "update") if args.has(&["-f", "--force"]) => Harm::Discard,
                Some("update") => Harm::Move,
                _ => return,
            },
            "checkout" | "switch" | "reset" | "restore" | "read-tree"
                if args.has(&["--recurse-submodules"]) =>
            {
                Harm::Discard
            }
            _ => return,
        };
        for sub in self.world.submodules(asked.dir) {
            self.act(&Asked { dir: &sub, ..*asked }, harm, Takes::TRACKED, Paths::All);
        }
    }

    /// `git submodule foreach` runs a script, or a program with its arguments, in each.
    fn foreach(&mut self, asked: &Asked<'_>) {
        let words = asked.words;
        let at = words.iter().position(|w| w.text == "foreach").map_or(words.len(), |at| at + 1);
        let command: Vec<&Word> = words[at..].iter().skip_while(|w| w.text.starts_with('-')).collect();
        let text = match &command[..] {
            [script] => script.text.clone(),
            words => {
                let quoted = |w: &&Word| format!("'{}'", w.text.replace('\'', "'\\''"));
                words.iter().map(quoted).collect::<Vec<_>>().join(" ")
            }
        };
        for sub in self.world.submodules(asked.dir) {
            for call in script::calls(&text, &sub, self.world) {
                self.call(&call, MAX_ALIASES);
            }
        }
    }

    pub(super) fn act(&mut self, asked: &Asked<'_>, kind: Harm, takes: Takes, paths: Paths) {
        self.acts.push(Act {
            dir: asked.dir.to_owned(),
            shown: asked.shown.to_owned(),
            kind,
            paths,
            takes,
            beside: false,
            staging: Vec::new(),
        });
    }

    /// A commit of the index at that point.
    pub(super) fn index(&mut self, asked: &Asked<'_>) {
        let dir = asked.dir;
        let takes = Takes { staged: true, ..Takes::default() };
        let top = |dir: &Path| script::top(Some(dir), self.world);
        let mut staging = std::mem::take(&mut self.staging);
        // Another work tree has another index.
        staging.retain(|step| step.dir == dir || top(&step.dir) == top(dir));
        self.act(asked, Harm::Commit, takes, Paths::All);
        if let Some(act) = self.acts.last_mut() {
            act.staging.clone_from(&staging);
        }
    }

    /// A change of the index. A file that was added by an unknown name is seen when it is committed.
    pub(super) fn stage(&mut self, dir: &Path, args: &Args, add: bool, new: bool) {
        let known = args.operands.iter().chain(args.after.iter().flatten()).all(|word| word.exact);
        if add && (args.more || !known || args.has(&["--pathspec-from-file"])) {
            return;
        }
        self.staging.push(Staging { dir: dir.to_owned(), paths: args.paths(&args.operands), add, new });
    }
}

/// The directory of a call, and the index of its subcommand. `None` if there is none, or it is unknown.
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
