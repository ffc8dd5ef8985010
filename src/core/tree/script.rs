//! Finds the git calls in the text of a shell command, each with its directory.
//!
//! A bash parser parses the text. Programs that only run another program (`env`, `sudo`, `xargs`, `sh -c`, `eval`, …)
//! are followed. `cd` is followed as well, including its end with a subshell. All text is untrusted: depth, number
//! and size are bounded.

mod programs;

use super::World;
use super::word::{Text, Word, texts};
use programs::Given;
use rable::{ListOperator, Node, NodeKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The longest text that is parsed, in bytes.
const MAX_TEXT: usize = 64 << 10;

/// The most brackets that are open at once in a text that is parsed: the parser recurses for each.
const MAX_OPEN: usize = 50;

/// The greatest depth of scripts within scripts.
const MAX_DEPTH: usize = 8;

/// The greatest depth of scripts within scripts, counting the programs that only run another program.
const MAX_WRAPPED: usize = 16;

/// The most git calls that are considered.
const MAX_CALLS: usize = 64;

/// The most parts of a text that does not parse as a whole.
const MAX_ATTEMPTS: usize = 256;

/// The most values that are tried for a loop's variable.
const MAX_ROUNDS: usize = 16;

/// A call of git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its directory; `None` if unknown.
    pub dir: Option<PathBuf>,
    /// Its arguments, without its own name.
    pub words: Vec<Word>,
    /// Whether unknown arguments follow (`xargs`).
    pub more: bool,
}

/// The git calls in `text`, run in `dir`, in their order.
pub fn calls(text: &str, dir: &Path, world: &dyn World) -> Vec<Call> {
    let mut walk = Walk { world, found: Vec::new(), depth: 0 };
    walk.script(text, &mut ShellScope::at(dir));
    walk.found
}

/// The words of a text that is one simple command.
pub fn words(text: &str, dir: &Path, world: &dyn World) -> Option<Vec<Word>> {
    if !is_bounded(text) {
        return None;
    }
    let scope = ShellScope::at(dir);
    let walk = Walk { world, found: Vec::new(), depth: 0 };
    match &rable::parse(text, true).ok()?[..] {
        [Node { kind: NodeKind::Command { words, .. }, .. }] => {
            Some(words.iter().flat_map(|word| walk.expand(word, &scope)).collect())
        }
        _ => None,
    }
}

/// The state of a shell at one point of a script.
#[derive(Clone)]
struct ShellScope {
    dir: Option<PathBuf>,
    /// The directory before.
    formerly: Option<PathBuf>,
    /// The directories for `popd`.
    stack: Vec<Option<PathBuf>>,
    /// The variables that the script set; `None`: to an unknown value.
    variables: BTreeMap<String, Option<String>>,
    functions: BTreeMap<String, Node>,
    /// The arguments: `$1` and so on.
    args: Vec<Word>,
}

impl ShellScope {
    fn at(dir: &Path) -> Self {
        Self {
            dir: Some(dir.to_owned()),
            formerly: None,
            stack: Vec::new(),
            variables: BTreeMap::new(),
            functions: BTreeMap::new(),
            args: Vec::new(),
        }
    }

    fn go(&mut self, dir: Option<PathBuf>) {
        self.formerly = std::mem::replace(&mut self.dir, dir);
    }
}

/// Whether the text is small enough for the parser.
fn is_bounded(text: &str) -> bool {
    let mut open = 0usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'(' => open += 1,
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    text.len() <= MAX_TEXT && most <= MAX_OPEN
}

struct Walk<'w> {
    world: &'w dyn World,
    found: Vec<Call>,
    depth: usize,
}

impl Walk<'_> {
    /// A whole text. A shell does not run a part that it cannot parse, but it does run the lines before.
    fn script(&mut self, text: &str, scope: &mut ShellScope) {
        if !is_bounded(text) || self.depth >= MAX_DEPTH {
            return;
        }
        self.depth += 1;
        if let Ok(nodes) = rable::parse(text, true) {
            self.nodes(&nodes, scope);
        } else {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (mut from, mut attempts) = (0, 0);
            while from < lines.len() && attempts < MAX_ATTEMPTS {
                let parsed = (from + 1..=lines.len()).rev().find_map(|to| {
                    attempts += 1;
                    (attempts < MAX_ATTEMPTS)
                        .then(|| rable::parse(&lines[from..to].concat(), true).ok())
                        .flatten()
                        .map(|nodes| (to, nodes))
                });
                let Some((to, nodes)) = parsed else {
                    from += 1;
                    continue;
                };
                self.nodes(&nodes, scope);
                from = to;
            }
        }
        self.depth -= 1;
    }

    fn nodes(&mut self, nodes: &[Node], scope: &mut ShellScope) {
        for node in nodes {
            self.node(node, scope, None);
        }
    }

    /// A node of the script. `stdin` is the input of the command, if it is known.
    fn node(&mut self, node: &Node, scope: &mut ShellScope, stdin: Option<String>) {
        match &node.kind {
            NodeKind::Command { assignments, words, redirects } => {
                self.command(assignments, words, redirects, scope, stdin);
            }
            NodeKind::Pipeline { commands, .. } => self.pipeline(commands, scope, stdin),
            NodeKind::List { items } => {
                for item in items {
                    if item.operator == Some(ListOperator::Background) {
                        self.node(&item.command, &mut scope.clone(), None);
                    } else {
                        self.node(&item.command, scope, None);
                    }
                }
            }
            NodeKind::If { condition, then_body, else_body, .. } => {
                self.node(condition, scope, None);
                self.node(then_body, scope, None);
                if let Some(body) = else_body {
                    self.node(body, scope, None);
                }
            }
            NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => {
                self.node(condition, scope, None);
                self.node(body, scope, None);
            }
            NodeKind::For { var, words, body, .. } | NodeKind::Select { var, words, body, .. } => {
                self.rounds(var, words.as_deref().unwrap_or_default(), body, scope);
            }
            NodeKind::ForArith { body, .. } | NodeKind::BraceGroup { body, .. } => {
                self.node(body, scope, stdin);
            }
            NodeKind::Case { word, patterns, .. } => {
                self.substitutions(word, scope);
                for body in patterns.iter().filter_map(|pattern| pattern.body.as_ref()) {
                    self.node(body, scope, None);
                }
            }
            NodeKind::Function { name, body } => {
                scope.functions.insert(name.clone(), Node::clone(body));
            }
            NodeKind::Subshell { body, .. } => self.node(body, &mut scope.clone(), stdin),
            NodeKind::Coproc { command, .. } => self.node(command, &mut scope.clone(), None),
            NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => {
                self.node(pipeline, scope, stdin);
            }
            NodeKind::ConditionalExpr { .. } | NodeKind::ArithmeticCommand { .. } => self.within(node, scope),
            _ => {}
        }
    }

    /// Each part of a pipeline is a shell of its own, and reads the output of the part before.
    fn pipeline(&mut self, commands: &[Node], scope: &ShellScope, stdin: Option<String>) {
        let mut output = stdin;
        for command in commands {
            let written = written(command, |word| self.expand(word, scope));
            self.node(command, &mut scope.clone(), output.take());
            output = written;
        }
    }

    /// The body of a `for`: once for each value, or once with an unknown value.
    fn rounds(&mut self, var: &str, words: &[Node], body: &Node, scope: &mut ShellScope) {
        for word in words {
            self.substitutions(word, scope);
        }
        let values: Vec<Word> = words.iter().flat_map(|word| self.expand(word, scope)).collect();
        let known = !values.is_empty() && values.iter().all(|v| v.exact && !v.text.contains('*'));
        let rounds: Vec<Option<String>> = if known && values.len() <= MAX_ROUNDS {
            values.into_iter().map(|value| Some(value.text)).collect()
        } else {
            vec![None]
        };
        for value in rounds {
            scope.variables.insert(var.to_owned(), value);
            self.node(body, scope, None);
        }
    }

    /// The calls within a test (`[[ … ]]`) or within arithmetic.
    fn within(&mut self, node: &Node, scope: &ShellScope) {
        match &node.kind {
            NodeKind::CondTerm { value, .. } => self.embedded(value, scope),
            NodeKind::ArithmeticCommand { raw_content, .. } => self.embedded(raw_content, scope),
            NodeKind::ConditionalExpr { body: inner, .. }
            | NodeKind::UnaryTest { operand: inner, .. }
            | NodeKind::CondNot { operand: inner }
            | NodeKind::CondParen { inner } => self.within(inner, scope),
            NodeKind::BinaryTest { left, right, .. }
            | NodeKind::CondAnd { left, right }
            | NodeKind::CondOr { left, right } => {
                self.within(left, scope);
                self.within(right, scope);
            }
            _ => self.substitutions(node, scope),
        }
    }

    /// A text of which a shell runs only the parts in `$(…)` and backticks.
    fn embedded(&mut self, text: &str, scope: &ShellScope) {
        let mut rest = text;
        let mut attempts = 0;
        while let Some(at) = rest.find(['$', '`']) {
            rest = &rest[at..];
            let ends = |end| rest.match_indices(end).map(|(at, _)| at).filter(|at| *at > 0);
            let begins = if rest.starts_with("$(") { 2 } else { 1 };
            let end = if begins == 2 {
                ends(')').take(MAX_OPEN).find(|end| {
                    attempts += 1;
                    let whole = &rest[begins..*end];
                    attempts < MAX_ATTEMPTS && is_bounded(whole) && rable::parse(whole, true).is_ok()
                })
            } else {
                ends('`').next().filter(|_| rest.starts_with('`'))
            };
            let Some(end) = end else {
                rest = &rest[1..];
                continue;
            };
            self.script(&rest[begins..end], &mut scope.clone());
            rest = &rest[end + 1..];
        }
    }

    /// The parts in `$(…)`, backticks and `<(…)` within a word.
    fn substitutions(&mut self, word: &Node, scope: &ShellScope) {
        let NodeKind::Word { parts, value, .. } = &word.kind else { return };
        for part in parts {
            if let NodeKind::CommandSubstitution { command, .. }
            | NodeKind::ProcessSubstitution { command, .. } = &part.kind
                && self.depth < MAX_DEPTH
            {
                self.depth += 1;
                self.node(command, &mut scope.clone(), None);
                self.depth -= 1;
            }
            match &part.kind {
                NodeKind::ParamExpansion { arg: Some(arg), .. }
                | NodeKind::ParamIndirect { arg: Some(arg), .. } => self.embedded(arg, scope),
                NodeKind::ArithmeticExpansion { .. } => self.embedded(value, scope),
                NodeKind::Array { elements } => elements.iter().for_each(|e| self.substitutions(e, scope)),
                _ => {}
            }
        }
    }

    fn command(
        &mut self,
        assignments: &[Node],
        words: &[Node],
        redirects: &[Node],
        scope: &mut ShellScope,
        stdin: Option<String>,
    ) {
        for word in assignments.iter().chain(words) {
            self.substitutions(word, scope);
        }
        let mut input = stdin;
        for redirect in redirects {
            match &redirect.kind {
                NodeKind::HereDoc { content, quoted, .. } => {
                    if !quoted {
                        self.embedded(content, scope);
                    }
                    input = Some(content.clone());
                }
                NodeKind::Redirect { op, target, .. } => {
                    self.substitutions(target, scope);
                    if op == "<<<" {
                        input = self.expand(target, scope).first().and_then(|w| w.get().map(str::to_owned));
                    }
                }
                _ => {}
            }
        }
        let set: Vec<Word> = assignments.iter().flat_map(|word| self.expand(word, scope)).collect();
        let words: Vec<Word> = words.iter().flat_map(|word| self.expand(word, scope)).collect();
        if words.is_empty() {
            for word in &set {
                assign(scope, word);
            }
        } else {
            self.run(&words, scope, Given { set: &set, stdin: input, more: false });
        }
    }

    fn variable(&self, name: &str, scope: &ShellScope) -> Option<String> {
        if let Ok(number) = name.parse::<usize>() {
            let at = number.checked_sub(1)?;
            return scope.args.get(at).map_or(Some(String::new()), |word| word.get().map(str::to_owned));
        }
        match scope.variables.get(name) {
            Some(set) => set.clone(),
            None if name == "PWD" => scope.dir.as_ref().map(|dir| dir.display().to_string()),
            None if name == "OLDPWD" && scope.formerly.is_some() => {
                scope.formerly.as_ref().map(|dir| dir.display().to_string())
            }
            None => self.world.variable(name),
        }
    }

    /// The words into which a word of the script expands.
    fn expand(&self, word: &Node, scope: &ShellScope) -> Vec<Word> {
        let NodeKind::Word { value, parts, .. } = &word.kind else { return Vec::new() };
        if matches!(value.trim_matches('"'), "$@" | "$*" | "${@}" | "${*}") {
            return scope.args.clone();
        }
        let mut text = Text::default();
        for part in parts {
            match &part.kind {
                NodeKind::WordLiteral { value } => text.literal(value, || self.variable("HOME", scope)),
                NodeKind::ParamExpansion { param, op: None, .. } => match self.variable(param, scope) {
                    // Without quotes it is split at its blanks.
                    Some(known) if parts.len() == 1 && !value.contains('"') => {
                        return known.split_whitespace().map(Word::known).collect();
                    }
                    Some(known) => text.word.text.push_str(&known),
                    None => text.word.exact = false,
                },
                NodeKind::CommandSubstitution { command, .. } if asked_for(command).is_some() => {
                    text.word.text.push_str(&asked_for(command).unwrap_or_default());
                }
                NodeKind::CommandSubstitution { command, .. } if asks_for_top(command) => {
                    match top(scope.dir.as_deref(), self.world) {
                        Some(top) => text.word.text.push_str(&top.display().to_string()),
                        None => text.word.exact = false,
                    }
                }
                NodeKind::AnsiCQuote { decoded, .. } => text.word.text.push_str(decoded),
                NodeKind::LocaleString { inner, .. } => text.word.text.push_str(inner),
                NodeKind::BraceExpansion { content } => {
                    text.word.text.push_str(content);
                    text.word.exact = false;
                }
                _ => text.word.exact = false,
            }
        }
        vec![text.word]
    }
}

/// A directory that is written in `from`; `None` if unknown.
pub(super) fn join(from: Option<&Path>, word: &Word) -> Option<PathBuf> {
    let path = Path::new(word.get()?);
    if path.is_absolute() { Some(path.to_owned()) } else { from.map(|dir| dir.join(path)) }
}

/// The top of the work tree around `dir`.
pub(super) fn top(dir: Option<&Path>, world: &dyn World) -> Option<PathBuf> {
    dir?.ancestors().find(|dir| world.exists(&dir.join(".git"))).map(Path::to_owned)
}

fn asks_for_top(command: &Node) -> bool {
    raw(command).is_some_and(|words| words == ["git", "rev-parse", "--show-toplevel"])
}

/// The program whose path a command asks for.
fn asked_for(command: &Node) -> Option<String> {
    match &raw(command)?[..] {
        ["which", name] | ["command", "-v", name] | ["type", "-P" | "-p", name] => Some((*name).to_owned()),
        _ => None,
    }
}

/// The words of a simple command as they are written.
fn raw(command: &Node) -> Option<Vec<&str>> {
    let NodeKind::Command { words, .. } = &command.kind else { return None };
    words
        .iter()
        .map(|node| match &node.kind {
            NodeKind::Word { value, .. } => Some(value.as_str()),
            _ => None,
        })
        .collect()
}

fn is_assignment(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(word)
    })
}

fn assign(scope: &mut ShellScope, word: &Word) {
    if let Some((name, value)) = word.text.split_once('=').filter(|_| is_assignment(&word.text)) {
        scope.variables.insert(name.to_owned(), word.exact.then(|| value.to_owned()));
    }
}

/// The output of a command in a pipeline, if it is simple: `echo` and `cat` of a text in the script.
fn written(command: &Node, expand: impl Fn(&Node) -> Vec<Word>) -> Option<String> {
    let NodeKind::Command { words, redirects, .. } = &command.kind else { return None };
    let words: Vec<Word> = words.iter().flat_map(expand).collect();
    let (first, rest) = words.split_first()?;
    match first.get()? {
        "echo" => Some(texts(rest).join(" ")),
        "printf" => rest.last().map(|word| word.text.clone()),
        "cat" if rest.is_empty() => redirects.iter().find_map(|redirect| match &redirect.kind {
            NodeKind::HereDoc { content, .. } => Some(content.clone()),
            _ => None,
        }),
        _ => None,
    }
}
