//! The programs that change the state of a shell, or that only run another program.

use super::{Call, MAX_CALLS, MAX_DEPTH, MAX_WRAPPED, ShellScope, Walk, assign, is_assignment, join, words};
use crate::core::tree::word::{Word, texts};
use crate::core::tree::wrapper::{
    SHELLS, blank, executed, reads_stdin, shell_script, skip_options, split_string, with_script, wrapped,
};
use rable::Node;
use std::path::{Path, PathBuf};

/// The input of a program beside its arguments.
#[derive(Default)]
pub(super) struct Given<'a> {
    /// The variables for this program alone.
    pub(super) set: &'a [Word],
    /// Its standard input, if it is known.
    pub(super) stdin: Option<String>,
    /// Whether unknown arguments follow (`xargs`).
    pub(super) more: bool,
}

impl Walk<'_> {
    /// A program with its arguments.
    pub(super) fn run(&mut self, words: &[Word], scope: &mut ShellScope, given: Given<'_>) {
        let Some(name) = words.first().and_then(Word::get) else { return };
        let args = &words[1..];
        if let Some(body) = scope.functions.get(name).cloned() {
            return self.function(&body, args, scope, given.stdin);
        }
        match name.rsplit('/').next().unwrap_or(name) {
            "git" => self.git(args, scope, &given),
            // It checks out a branch.
            "gh" if texts(args).starts_with(&["pr", "checkout"]) => {
                let switch = [Word::known("switch"), Word::unknown()];
                self.git(&switch, scope, &Given { more: false, ..given });
            }
            "cd" => {
                let dir = self.changed(args, scope);
                scope.go(dir);
            }
            "pushd" => {
                let dir = self.changed(args, scope);
                scope.stack.push(scope.dir.clone());
                scope.go(dir);
            }
            "popd" => {
                let dir = scope.stack.pop().flatten();
                scope.go(dir);
            }
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                for word in args {
                    assign(scope, word);
                }
            }
            "eval" if args.iter().all(|w| w.exact) => self.script(&texts(args).join(" "), scope),
            "trap" => {
                if let Some(text) = args.first().and_then(Word::get) {
                    self.script(text, &mut scope.clone());
                }
            }
            name if SHELLS.contains(&name) => self.shell(args, scope, given),
            "find" => {
                for part in executed(args) {
                    self.run(&part, &mut scope.clone(), Given { set: given.set, ..Given::default() });
                }
            }
            "xargs" => self.xargs(args, scope, given.set),
            "env" if split_string(args).is_some() => self.split_env(args, scope, given),
            "su" | "script" | "flock" if with_script(args).is_some() => {
                if let Some(text) = with_script(args).and_then(Word::get) {
                    self.script(text, &mut scope.clone());
                }
            }
            // It joins its arguments, and runs a shell.
            "watch" => {
                let args = &args[skip_options(args, "nq", &["--interval", "--equexit"])..];
                if args.iter().all(|w| w.exact) {
                    self.script(&texts(args).join(" "), &mut scope.clone());
                }
            }
            "parallel" => self.parallel(args, scope, given.set),
            wrapper => self.wrapper(wrapper, args, scope, given),
        }
    }

    /// A function of the script.
    fn function(&mut self, body: &Node, args: &[Word], scope: &mut ShellScope, stdin: Option<String>) {
        if self.depth < MAX_DEPTH {
            self.depth += 1;
            let outer = std::mem::replace(&mut scope.args, args.to_vec());
            self.node(body, scope, stdin);
            scope.args = outer;
            self.depth -= 1;
        }
    }

    fn shell(&mut self, args: &[Word], scope: &ShellScope, given: Given<'_>) {
        let mut inner = scope.clone();
        if let Some((text, args)) = shell_script(args) {
            inner.args = args.to_vec();
            if given.more {
                inner.args.push(Word::unknown());
            }
            self.script(text, &mut inner);
        } else if let Some(text) = given.stdin.filter(|_| reads_stdin(args)) {
            self.script(&text, &mut inner);
        }
    }

    fn xargs(&mut self, args: &[Word], scope: &ShellScope, set: &[Word]) {
        let long = ["--max-args", "--max-procs", "--delimiter", "--arg-file"];
        let skipped = skip_options(args, "InPLdasEJR", &long);
        let place = ["-I", "-J"].iter().find_map(|option| {
            let at = args[..skipped].iter().position(|word| word.text.starts_with(option))?;
            let attached = args[at].text[2..].to_owned();
            Some(if attached.is_empty() { args.get(at + 1)?.text.clone() } else { attached })
        });
        let mut rest = args[skipped..].to_vec();
        if let Some(place) = &place {
            blank(&mut rest, place);
        }
        self.run(&rest, &mut scope.clone(), Given { set, stdin: None, more: place.is_none() });
    }

    /// `env -S` splits a text into arguments.
    fn split_env(&mut self, args: &[Word], scope: &ShellScope, given: Given<'_>) {
        let Some((text, rest)) = split_string(args) else { return };
        let Some(mut inner) = words(text, Path::new("/"), self.world) else { return };
        inner.insert(0, Word::known("env"));
        inner.extend_from_slice(rest);
        self.run_wrapped(&inner, &mut scope.clone(), given);
    }

    fn parallel(&mut self, args: &[Word], scope: &ShellScope, set: &[Word]) {
        let mut rest = args[skip_options(args, "jaPSN", &["--jobs", "--arg-file"])..].to_vec();
        let end = rest.iter().position(|w| w.text.starts_with(":::")).unwrap_or(rest.len());
        rest.truncate(end);
        let more = !rest.iter().any(|w| w.text.contains("{}"));
        match &mut rest[..] {
            // One word is a script.
            [word] if word.text.contains(' ') => {
                self.script(&word.text.replace("{}", "$SWARM_UNKNOWN"), &mut scope.clone());
            }
            words => {
                blank(words, "{}");
                self.run(words, &mut scope.clone(), Given { set, stdin: None, more });
            }
        }
    }

    /// A program that may only run another one.
    fn wrapper(&mut self, name: &str, args: &[Word], scope: &ShellScope, given: Given<'_>) {
        let Some((skipped, dir)) = wrapped(name, args) else { return };
        let mut set = given.set.to_vec();
        let mut rest = &args[skipped..];
        while let Some(word) = rest.first().filter(|w| name != "exec" && is_assignment(&w.text)) {
            set.push(word.clone());
            rest = &rest[1..];
        }
        let mut inner = scope.clone();
        if let Some(dir) = dir {
            inner.dir = join(scope.dir.as_deref(), &dir);
        }
        self.run_wrapped(rest, &mut inner, Given { set: &set, ..given });
    }

    fn run_wrapped(&mut self, words: &[Word], scope: &mut ShellScope, given: Given<'_>) {
        if self.depth < MAX_WRAPPED {
            self.depth += 1;
            self.run(words, scope, given);
            self.depth -= 1;
        }
    }

    fn git(&mut self, args: &[Word], scope: &ShellScope, given: &Given<'_>) {
        if self.found.len() >= MAX_CALLS {
            return;
        }
        let mut dir = scope.dir.clone();
        let tree = given.set.iter().find_map(|w| w.text.strip_prefix("GIT_WORK_TREE=").map(|t| (t, w.exact)));
        let exported = || scope.variables.get("GIT_WORK_TREE").cloned().flatten();
        if let Some((text, exact)) = tree {
            dir = join(dir.as_deref(), &Word { text: text.to_owned(), exact });
        } else if let Some(text) = exported() {
            dir = join(dir.as_deref(), &Word::known(&text));
        }
        self.found.push(Call { dir, words: args.to_vec(), more: given.more });
    }

    /// The directory after `cd`.
    fn changed(&self, args: &[Word], scope: &ShellScope) -> Option<PathBuf> {
        let options = args.iter().take_while(|w| w.text.starts_with('-') && w.text.len() > 1).count();
        match args.get(options) {
            None => self.variable("HOME", scope).map(PathBuf::from),
            Some(word) if word.text == "-" => scope.formerly.clone(),
            Some(word) => join(scope.dir.as_deref(), word),
        }
    }
}
