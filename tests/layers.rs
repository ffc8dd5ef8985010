//! The layers keep to their rules: what the core may not know, and where the one way to each outside thing is.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(dir)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = without_tests(&text).to_owned();
                found.push((path, code));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in src/{dir}");
    found
}

/// Tests, which stand at the end of a file, may do what their module may not.
fn without_tests(text: &str) -> &str {
    let begins = |at: usize| {
        let module = text[at..].lines().find(|line| !line.starts_with("#[")).unwrap_or_default();
        module.trim_start_matches("pub(crate) ") == "mod tests {"
    };
    text.match_indices("#[cfg(test)]").map(|(at, _)| at).find(|at| begins(*at)).map_or(text, |at| &text[..at])
}

fn assert_absent(dir: &str, words: &[&str], except: &[&str]) {
    for (path, code) in sources(dir) {
        if except.iter().any(|e| path.ends_with(e)) {
            continue;
        }
        for word in words {
            assert!(!code.contains(word), "{} must not contain {word}", path.display());
        }
    }
}

#[test]
fn the_core_has_no_side_effects() {
    let outside = [
        "std::fs",
        "std::process",
        "std::env",
        "std::net",
        "SystemTime",
        "Instant",
        "getrandom",
        "nix::",
        "std::thread",
    ];
    assert_absent("core", &outside, &[]);
}

/// Each layer, and those that it may use.
const LAYERS: [(&str, &[&str]); 12] = [
    ("core", &[]),
    ("agents", &["core"]),
    ("os", &["core", "agents"]),
    ("tmux", &["core", "agents", "os"]),
    ("store", &["core", "os"]),
    ("carriers", &["core", "os"]),
    ("hooks", &["core", "os", "store"]),
    ("roster", &["core", "agents", "os", "tmux", "store", "carriers", "hooks"]),
    ("courier", &["core", "agents", "os", "tmux", "store", "carriers", "hooks", "roster"]),
    ("link", &["core", "os", "store"]),
    ("view", &["core", "tmux", "store"]),
    (
        "cli",
        &["core", "agents", "os", "tmux", "store", "carriers", "hooks", "roster", "courier", "link", "view"],
    ),
];

#[test]
fn a_layer_uses_only_those_that_the_table_allows() {
    for (layer, allowed) in LAYERS {
        for (other, _) in LAYERS.into_iter().filter(|(other, _)| *other != layer && !allowed.contains(other))
        {
            assert_absent(layer, &[&format!("crate::{other}::"), &format!("crate::{other};")], &[]);
        }
    }
    assert_absent("", &["tokio_postgres"], &["link/engine.rs"]);
}

#[test]
fn the_design_shows_the_same_table() {
    let design = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/design.md")).unwrap();
    for (layer, allowed) in LAYERS {
        let used = if allowed.is_empty() { "–".to_owned() } else { allowed.join(", ") };
        let row = design.lines().find(|line| line.starts_with(&format!("| `{layer}` |"))).unwrap_or_default();
        assert!(
            row.ends_with(&format!("| {used} |")),
            "docs/design.md says of {layer}: {row}, and not: {used}"
        );
    }
}

#[test]
fn only_one_place_locks_files_and_only_one_layer_speaks_to_tmux() {
    assert_absent("", &["fs2::"], &["store/lock.rs", "store/lock/queue.rs"]);
    for (path, code) in sources("") {
        if !path.components().any(|c| c.as_os_str() == "tmux") {
            assert!(!code.contains("tmux_interface"), "{}", path.display());
        }
    }
}

#[test]
fn there_is_one_way_to_the_terminal_and_what_goes_it_is_made_safe() {
    // A line of the store's own passes the same function; the dashboard has its cells, a hook its one line of JSON.
    assert_absent("", &["println!", "print!("], &["cli/print.rs", "store/post.rs"]);
    assert_absent("", &["std::io::stdout()"], &["cli/print.rs", "cli/dashboard.rs"]);
}

#[test]
fn only_one_place_reads_the_clock() {
    assert_absent("", &["SystemTime::now", "clock_gettime", "Utc::now"], &["os/clock.rs"]);
}

/// Each sort of a type, and each kind of reader, is compiled again: kilobytes at a time.
#[test]
fn what_would_be_compiled_many_times_is_compiled_once() {
    // Long lists of names and leases are sorted by the standard library.
    let hot = ["core/order.rs", "store/record.rs", "store/leases/index.rs", "core/lease/index.rs"];
    assert_absent("", &[".sort()", ".sort_by", ".sort_unstable", ".sort_by_cached_key"], &hot);
    assert_absent("", &["serde_json::from_str", "serde_json::from_reader"], &[]);
    assert_absent("view", &["Layout::", "Constraint::"], &[]);
}

#[test]
fn there_is_no_mutable_global_state() {
    let shared =
        ["static mut", "OnceLock", "OnceCell", "LazyLock", "thread_local!", "lazy_static", "Mutex", "RwLock"];
    // A pattern keeps what it was compiled to, a command the records that it had to ask for, and an environment what was read of it: fields written once,
    // of a value that somebody owns.
    assert_absent("", &shared, &["agents/profile.rs", "cli/session.rs", "os/program.rs", "store/leases.rs"]);
    for (path, code) in sources("") {
        let item = |line: &&str| {
            let line = line.trim_start();
            let line =
                line.strip_prefix("pub").map_or(line, |l| l.split_once(' ').map_or(l, |(_, rest)| rest));
            line.starts_with("static ")
        };
        assert_eq!(code.lines().find(item), None, "{}", path.display());
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, code) in sources("") {
        let is_command = path.parent().unwrap().ends_with("cli") && code.contains("struct Args");
        assert!(code.starts_with("//!") || is_command, "{} has no preamble", path.display());
    }
}

#[test]
fn every_module_that_shares_state_says_what_holds_when_several_use_it() {
    let touches = ["transact(", "record::", "OpenOptions", "fs::rename"];
    let says = [
        "lock",
        "transaction",
        "mutex",
        "rename",
        "atomic",
        "racing",
        "race",
        "crash",
        "idempotent",
        "at once",
        "killed",
    ];
    for layer in ["store", "roster", "courier", "hooks", "link", "os"] {
        for (path, code) in sources(layer) {
            let preamble =
                code.lines().take_while(|l| l.starts_with("//!")).collect::<String>().to_lowercase();
            let shares = touches.iter().any(|word| code.contains(word));
            assert!(!shares || says.iter().any(|word| preamble.contains(word)), "{}", path.display());
        }
    }
}

/// The names of tests in a document: `FILE::NAME` in backticks.
fn named_tests(text: &str) -> Vec<(String, String)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let names = |part: &str| {
        let (file, name) = part.split_once("::")?;
        let plain = |w: &str| {
            !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        (plain(file) && plain(name)).then(|| (file.to_owned(), name.to_owned()))
    };
    quoted.filter_map(names).collect()
}

/// The source of a module of tests: one file, or all in its directory.
fn read_test(tests: &Path, module: &str) -> String {
    let dir = tests.join(module);
    if !dir.is_dir() {
        let file = tests.join(format!("{module}.rs"));
        return fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{} is named and not there", file.display()));
    }
    fs::read_dir(dir).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_test_that_the_audit_or_the_proof_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| named_tests(&fs::read_to_string(root.join(name)).unwrap());
    let (audit, proof) = (read("docs/audit.md"), read("docs/internal/proof.md"));
    assert!(audit.len() > 20 && proof.len() > 20, "{audit:?} {proof:?}");
    let named = [audit, proof].concat();
    for (file, name) in named {
        let code = read_test(&root.join("tests"), &file);
        assert!(code.contains(&format!("#[test]\nfn {name}()")), "tests/{file} has no test {name}");
    }
}

/// The functions that a document names: `src/FILE.rs: NAME` or `src/FILE.rs: TYPE::NAME` in backticks.
fn named_functions(text: &str) -> Vec<(String, String)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|part| part.split_once(": ").filter(|(file, _)| file.starts_with("src/")));
    named.map(|(file, name)| (file.to_owned(), name.to_owned())).collect()
}

#[test]
fn every_function_that_the_tour_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = named_functions(&fs::read_to_string(root.join("docs/internal/tour.md")).unwrap());
    assert!(named.len() > 40, "{named:?}");
    for (file, name) in named {
        let code = fs::read_to_string(root.join(&file)).unwrap_or_else(|why| panic!("{file}: {why}"));
        let (owner, function) = name.split_once("::").unwrap_or(("", &name));
        let defines = |word: &str| code.contains(&format!("fn {function}{word}"));
        assert!(defines("(") || defines("<"), "{file} has no function {function}");
        let is_owner = |line: &str| {
            line.starts_with("impl") && line.split(|c: char| !c.is_alphanumeric()).any(|word| word == owner)
        };
        assert!(owner.is_empty() || code.lines().any(is_owner), "{file} has no impl of {owner}");
    }
}

/// The links in a Markdown text that are not to another site: each with its file and its anchor.
fn links(text: &str) -> Vec<(String, String)> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    let own = targets.filter(|target| !target.contains("://"));
    own.map(|target| target.split_once('#').unwrap_or((target, "")))
        .map(|(f, a)| (f.into(), a.into()))
        .collect()
}

/// The anchors of the headings of a Markdown text, as the forge makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let anchor =
        |line: &str| line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect();
    headings.map(|line| -> String { anchor(line) }).map(|anchor| anchor.replace(' ', "-")).collect()
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = ["", "docs", "docs/internal", "packaging", ".github"].into_iter().flat_map(|dir| {
        fs::read_dir(root.join(dir)).unwrap().flatten().map(|e| e.path()).collect::<Vec<_>>()
    });
    let (mut seen, mut broken) = (0, Vec::new());
    for path in pages.filter(|p| p.extension().is_some_and(|e| e == "md")) {
        for (file, anchor) in links(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(&file) };
            let has_anchor = || anchors(&fs::read_to_string(&target).unwrap()).contains(&anchor);
            if !target.exists() || !(anchor.is_empty() || has_anchor()) {
                broken.push(format!("{}: {file}#{anchor}", path.display()));
            }
        }
    }
    assert!(seen > 20, "{seen}");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The words of a text that name a file of the sources: `roster/limit.rs`, `settle.rs`.
fn named_sources(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '*');
    let words = text.split(move |c: char| !is_part(c)).map(|word| word.trim_end_matches('.'));
    words.filter(|word| Path::new(word).extension().is_some_and(|e| e == "rs") && !word.contains('*'))
}

#[test]
fn every_source_that_a_comment_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut seen, mut wrong) = (0, Vec::new());
    for (path, code) in sources("") {
        let beside = path.parent().unwrap();
        for line in code.lines().map(str::trim_start).filter(|line| line.starts_with("//")) {
            for named in named_sources(line) {
                seen += 1;
                if ![root, &root.join("src"), beside].iter().any(|dir| dir.join(named).is_file()) {
                    wrong.push(format!("{}: {named}", path.display()));
                }
            }
        }
    }
    assert!(seen > 5, "{seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The plain words in quotes that stand first in a call: `fields.texts("names")`, `list("prompt")`.
fn first_words(code: &str) -> impl Iterator<Item = &str> {
    let begins = code.split('(').skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    let words = begins.filter_map(|rest| rest.split_once('"').map(|(word, _)| word));
    words.filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && !word.is_empty())
}

#[test]
fn the_template_of_a_profile_explains_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = fs::read_to_string(root.join("src/agents/profile.rs")).unwrap();
    // The functions that read a profile, each up to its end.
    let readers = ["    fn of(fields: &Fields<'_>) -> Self {", "    fn fields(text: &str)"];
    let bodies = readers.iter().flat_map(|head| code.split(head).skip(1));
    let bodies = bodies.map(|rest| rest.split_once("\n    }\n").map_or(rest, |(body, _)| body));
    let keys: Vec<&str> = bodies.flat_map(first_words).collect();
    assert!(keys.len() > 50 && keys.contains(&"offer_ms") && keys.contains(&"kind"), "{keys:?}");
    let template = fs::read_to_string(root.join("docs/profile.toml")).unwrap();
    let words: Vec<&str> = template.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<_> = keys.into_iter().filter(|key| !words.contains(key)).collect();
    assert!(missing.is_empty(), "docs/profile.toml says nothing about {missing:?}");
}

#[test]
fn troubleshooting_has_every_reason_to_hold_a_message() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let (mut seen, mut missing) = (0, Vec::new());
    for (file, head) in [
        ("src/courier/gate.rs", "impl fmt::Display for Hold {"),
        ("src/courier/delivery/offer.rs", "impl Waits {"),
        ("src/cli/compose.rs", "pub(super) fn name_stopped("),
    ] {
        let code = fs::read_to_string(root.join(file)).unwrap();
        let body = code.split_once(head).unwrap_or_else(|| panic!("{file} has no {head}")).1;
        let body = body.split_once("\n}\n").unwrap().0;
        // The fixed beginning of each text; one that has no such beginning is worded elsewhere.
        let texts = body.split('"').skip(1).step_by(2).map(|text| text.split('{').next().unwrap_or_default());
        for text in texts.map(str::trim_end).filter(|text| text.contains(' ')) {
            seen += 1;
            if !page.contains(&format!("| `{text}")) {
                missing.push(text.to_owned());
            }
        }
    }
    assert!(seen > 25, "{seen}");
    assert!(missing.is_empty(), "docs/troubleshooting.md does not say what to do about {missing:#?}");
}

#[test]
fn contributing_says_what_each_module_of_the_tests_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let first = |line: &str| {
        line.strip_prefix("| `").and_then(|line| line.split_once(" | ")).map(|(names, _)| names.to_owned())
    };
    let rows: String = page.lines().filter_map(first).map(|names| format!("`{names} ")).collect();
    let suite = fs::read_to_string(root.join("tests/main.rs")).unwrap();
    let modules = suite.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let modules: Vec<&str> =
        modules.filter(|module| *module != "support").chain(["layers", "fuzz"]).collect();
    assert!(modules.len() > 40, "{modules:?}");
    let missing: Vec<_> = modules.iter().filter(|name| !rows.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md says nothing about {missing:?}");
}
