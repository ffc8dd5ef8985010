//! Rules that come from elsewhere: a project's, if its person allows them, and a newer set of the shipped ones, if it is signed; and whether rules
//! still fit the agent that runs.

use crate::support::{World, eventually, executable, world_with_claude};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TEMPLATE: &str = include_str!("../docs/profile.toml");
const CLAUDE: &str = include_str!("../src/agents/profiles/claude.toml");

type Act<'a> = &'a dyn Fn();

/// The exit code and what was printed.
fn run(world: &World, args: &[&str]) -> (i32, String) {
    let out = world.swarm(args);
    (out.status.code().unwrap(), String::from_utf8([out.stdout, out.stderr].concat()).unwrap())
}

/// Where the rules for a kind are from.
fn from(world: &World, kind: &str) -> Option<String> {
    let list: Value = serde_json::from_str(&world.ok(&["profile", "list", "--json"])).unwrap();
    let all = list["profiles"].as_array().unwrap().clone();
    let found = all.into_iter().find(|p| p["kind"] == kind)?;
    Some(found["file"].as_str().unwrap_or("built in").to_owned())
}

#[test]
fn a_project_brings_rules_only_if_its_person_allows_just_these() {
    let (world, pane) = world_with_claude();
    eventually("it is idle", || world.ok(&["explain", &pane]).contains("state: idle").then_some(()));
    let dir = world.project().join(".swarm-profiles");
    fs::create_dir(&dir).unwrap();
    assert_eq!(run(&world, &["profile", "allow"]).0, 2, "there is none");
    let file = dir.join("claude.toml");
    fs::write(&file, CLAUDE.replace("busy = [", "busy = ['.', ")).unwrap();
    fs::write(dir.join("mine.toml"), TEMPLATE).unwrap();
    // As it came: not used, and said where one looks.
    assert_eq!((from(&world, "claude").unwrap().as_str(), from(&world, "my-agent")), ("built in", None));
    assert!(world.ok(&["profile", "list"]).contains("`swarm profile allow` shows them"));
    assert!(world.ok(&["explain", &pane]).contains("state: idle"));
    // Nobody is asked, and an agent may not.
    let (code, said) = run(&world, &["profile", "allow"]);
    assert!(code == 2 && said.contains("--yes") && said.contains("kind my-agent, typed into"), "{said}");
    let said = world.below("claude-1", "swarm profile allow --yes; echo code $?");
    assert!(said.contains("only the human") && said.contains("code 2"), "{said}");
    assert_eq!(from(&world, "my-agent"), None);
    let said = world.ok(&["profile", "allow", "--yes"]);
    assert!(said.contains("claude.toml: kind claude") && said.contains("allowed, until"), "{said}");
    assert!(said.contains("it replaces the built-in profile of Claude Code"), "{said}");
    assert_eq!(said.matches("replaces").count(), 1, "the other one is a kind of its own: {said}");
    assert!(from(&world, "claude").unwrap().ends_with(".swarm-profiles/claude.toml"));
    assert!(from(&world, "my-agent").unwrap().ends_with("mine.toml"));
    assert!(world.ok(&["explain", &pane]).contains("state: busy"), "its rules count");
    assert!(world.ok(&["profile", "allow"]).contains("are allowed as they are"));
    // The person's own count more.
    let own = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("claude.toml"), CLAUDE).unwrap();
    assert!(from(&world, "claude").unwrap().ends_with("profiles/claude.toml"));
    assert!(world.ok(&["explain", &pane]).contains("state: idle"));
    fs::remove_file(own.join("claude.toml")).unwrap();
    // Each change takes it back: another text, one more file, one less.
    let text = fs::read_to_string(&file).unwrap();
    let changes: [(Act<'_>, Act<'_>); 3] = [
        (&|| fs::write(&file, format!("{text}\n# x\n")).unwrap(), &|| fs::write(&file, &text).unwrap()),
        (&|| fs::write(dir.join("z.toml"), "").unwrap(), &|| fs::remove_file(dir.join("z.toml")).unwrap()),
        (&|| fs::remove_file(&file).unwrap(), &|| fs::write(&file, &text).unwrap()),
    ];
    for (change, undo) in changes {
        change();
        let (_, said) = run(&world, &["agents"]);
        assert!(said.contains("have changed since you allowed them"), "{said}");
        assert_eq!((from(&world, "claude").unwrap().as_str(), from(&world, "my-agent")), ("built in", None));
        undo();
        assert!(from(&world, "my-agent").is_some());
    }
    // What cannot be used is not allowed.
    fs::write(dir.join("bad.toml"), "kind = 'codex'\n[").unwrap();
    let (code, said) = run(&world, &["profile", "allow", "--yes"]);
    assert!(code == 2 && said.contains("bad.toml is not valid"), "{said}");
    fs::remove_file(dir.join("bad.toml")).unwrap();
    assert!(world.ok(&["profile", "allow", "--revoke"]).contains("not used any more"));
    assert_eq!(from(&world, "my-agent"), None);
    // A copy of the project was not allowed.
    fs::write(dir.join("zz.toml"), TEMPLATE).unwrap();
    fs::write(own.join("claude.toml"), CLAUDE).unwrap();
    let said = world.ok(&["profile", "allow", "--yes"]);
    let not_used = |by: &str| said.lines().any(|line| line.contains("it is not used") && line.contains(by));
    assert!(not_used("profiles/claude.toml") && not_used("zz.toml") && !said.contains("replaces"), "{said}");
    fs::remove_file(dir.join("zz.toml")).unwrap();
    fs::remove_file(own.join("claude.toml")).unwrap();
    world.ok(&["profile", "allow", "--yes"]);
    let copy = world.path().join("copy");
    fs::create_dir_all(copy.join(".swarm-profiles")).unwrap();
    fs::copy(dir.join("mine.toml"), copy.join(".swarm-profiles/mine.toml")).unwrap();
    world.ok_in(&copy, &["init"]);
    assert!(!world.ok_in(&copy, &["profile", "list"]).contains("my-agent "));
}

#[test]
fn the_courier_goes_by_a_projects_rules_as_soon_as_they_are_allowed() {
    let (world, pane) = world_with_claude();
    let dir = world.project().join(".swarm-profiles");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("claude.toml"), CLAUDE.replace("busy = [", "busy = ['.', ")).unwrap();
    let id = world.ok(&["send", "--no-wait", "claude-1", "one"]).split(' ').next().unwrap().to_owned();
    eventually("it is typed by the built-in rules", || world.typed(&pane).contains(&id).then_some(()));
    world.ok(&["profile", "allow", "--yes"]);
    world.ok(&["send", "--no-wait", "claude-1", "two"]);
    eventually("it waits", || world.ok(&["agents"]).contains("busy").then_some(()));
    assert_eq!(world.typed(&pane).len(), 1);
    world.ok(&["profile", "allow", "--revoke"]);
    eventually("it is typed", || (world.typed(&pane).len() == 2).then_some(()));
}

/// Keys and sets of rules; `None` where there is no ssh-keygen.
struct Maintainer<'w> {
    world: &'w World,
    dir: PathBuf,
}

impl<'w> Maintainer<'w> {
    fn new(world: &'w World) -> Option<Self> {
        let dir = world.path().join("maintainer");
        fs::create_dir(&dir).unwrap();
        let made = ["key", "other"].map(|name| {
            Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.join(name))
                .status()
                .is_ok()
        });
        if made != [true; 2] {
            eprintln!("skipped: there is no ssh-keygen");
            return None;
        }
        let key = fs::read_to_string(dir.join("key.pub")).unwrap();
        let config = world.path().join("home/.config/swarm");
        fs::create_dir_all(&config).unwrap();
        fs::write(config.join("rules.signers"), format!("swarm-rules {key}")).unwrap();
        Some(Self { world, dir })
    }

    /// A set with a Claude that is always busy.
    fn set(number: u64) -> String {
        let text = CLAUDE.replace("busy = [", "busy = ['.', ");
        json!({"format": 1, "number": number, "profiles": {"claude.toml": text}}).to_string()
    }

    /// Writes a set and its signature by a key for a purpose.
    fn write(&self, text: &str, key: &str, purpose: &str) -> PathBuf {
        let file = self.dir.join("profiles.json");
        let _ = fs::remove_file(&file);
        let _ = fs::remove_file(self.dir.join("profiles.json.sig"));
        fs::write(&file, text).unwrap();
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", purpose, "-f"]).arg(self.dir.join(key)).arg(&file);
        assert!(sign.stderr(std::process::Stdio::null()).status().unwrap().success());
        file
    }

    fn update(&self, path: &Path) -> (i32, String) {
        run(self.world, &["profile", "update", path.to_str().unwrap()])
    }

    fn taken(&self) -> Option<Vec<u8>> {
        fs::read(self.world.path().join("home/.local/state/swarm/profiles.json")).ok()
    }
}

#[test]
fn a_newer_set_of_rules_is_taken_in_whole_if_it_is_signed_and_else_nothing_changes() {
    let (world, pane) = world_with_claude();
    let Some(maintainer) = Maintainer::new(&world) else { return };
    let newer = 9_000_000_002;
    let good = Maintainer::set(newer);
    let refused = |path: &Path, code: i32, why: &str| {
        let before = maintainer.taken();
        let (ended, said) = maintainer.update(path);
        assert!(
            ended == code && said.contains(why) && said.contains("nothing was changed"),
            "{why}: {ended} {said}"
        );
        assert_eq!(maintainer.taken(), before, "{why}");
    };
    // Signed by another, for something else, or not at all; cut, changed, or with the signature of another set.
    refused(&maintainer.write(&good, "other", "swarm-rules"), 6, "is not signed by anybody who may");
    refused(&maintainer.write(&good, "key", "git"), 6, "is not signed by anybody who may");
    let file = maintainer.write(&good, "key", "swarm-rules");
    let signature = maintainer.dir.join("profiles.json.sig");
    let kept = fs::read(&signature).unwrap();
    for text in [&good[..good.len() - 1], &good.replace("claude", "codex!"), ""] {
        fs::write(&file, text).unwrap();
        refused(&file, 6, "is not signed by anybody who may");
    }
    fs::write(&file, &good).unwrap();
    for bytes in [&kept[..kept.len() / 2], b""] {
        fs::write(&signature, bytes).unwrap();
        refused(&file, 6, "is not signed by anybody who may");
    }
    fs::remove_file(&signature).unwrap();
    refused(&file, 2, "profiles.json.sig: it cannot be read");
    // Links and what is too large are not even read.
    fs::write(&signature, &kept).unwrap();
    let link = maintainer.dir.join("link.json");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    refused(&link, 2, "it is a symbolic link");
    fs::rename(&signature, maintainer.dir.join("kept")).unwrap();
    std::os::unix::fs::symlink(maintainer.dir.join("kept"), &signature).unwrap();
    refused(&file, 2, "it is a symbolic link");
    fs::remove_file(&signature).unwrap();
    let large = format!("{good}{}", " ".repeat(1 << 20));
    refused(
        &maintainer.write(&large, "key", "swarm-rules"),
        2,
        "it is not a regular file of at most 1024 KiB",
    );
    refused(&maintainer.dir.join("nothing"), 2, "it cannot be read");
    // Signed, and still not right: not newer, not readable, or with a profile that is not.
    for (text, why) in [
        (Maintainer::set(7), "are older than those in use"),
        (good.replace("\"format\":1", "\"format\":2"), "that this version of swarm can read"),
        (good.replace("claude.toml", "codex.toml"), "its kind is claude"),
        (good.replace("'^─{2,}$'", "'('"), "unclosed group"),
        ("{}".to_owned(), "that this version of swarm can read"),
    ] {
        refused(&maintainer.write(&text, "key", "swarm-rules"), 2, why);
    }
    assert_eq!(maintainer.taken(), None);
    // Without the program that checks it.
    let file = maintainer.write(&good, "key", "swarm-rules");
    let mut blind = world.command("swarm");
    let swarm = world.path().join("bin/swarm").canonicalize().unwrap();
    blind.env("PATH", swarm.parent().unwrap()).args(["profile", "update"]).arg(&file);
    let out = blind.output().unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(2) && said.contains("there is no ssh-keygen on PATH"), "{said}");
    // The right one, from its directory.
    let (code, said) = maintainer.update(&maintainer.dir);
    assert!(code == 0 && said.contains("the rules 9000000002 are in use: claude"), "{said}");
    assert_eq!(from(&world, "claude").unwrap(), "update 9000000002: claude.toml");
    assert!(world.ok(&["explain", &pane]).contains("state: busy"), "they count");
    let left: Vec<_> =
        fs::read_dir(world.path().join("home/.local/state/swarm")).unwrap().flatten().collect();
    assert!(left.iter().all(|e| !e.file_name().to_string_lossy().starts_with("checking-")), "{left:?}");
    assert!(maintainer.update(&file).1.contains("are in use already"));
    // An older one that was signed once does not come back.
    refused(
        &maintainer.write(&Maintainer::set(newer - 1), "key", "swarm-rules"),
        2,
        "are older than those in use",
    );
    // Nobody may sign any more.
    fs::remove_file(world.path().join("home/.config/swarm/rules.signers")).unwrap();
    refused(
        &maintainer.write(&Maintainer::set(newer + 1), "key", "swarm-rules"),
        2,
        "no key is known that may sign",
    );
    // What was taken in and does not fit any more leaves the built-in rules.
    fs::write(world.path().join("home/.local/state/swarm/profiles.json"), "{").unwrap();
    assert_eq!(from(&world, "claude").unwrap(), "built in");
    assert!(run(&world, &["agents"]).1.contains("are not used: it is not a set of rules"));
}

#[test]
fn the_scripts_of_a_maintainer_make_a_set_that_is_taken_in() {
    let (world, _) = world_with_claude();
    let Some(maintainer) = Maintainer::new(&world) else { return };
    if Command::new("python3").arg("-V").output().is_err() {
        eprintln!("skipped: there is no python3");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = maintainer.dir.join("rules");
    let mut make = Command::new("bash");
    make.arg(root.join("scripts/rules.sh"))
        .args(["sign", "9000000001"])
        .arg(maintainer.dir.join("key"))
        .arg(&out);
    let made = make.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let (code, said) = maintainer.update(&out);
    assert!(code == 0 && said.contains("are in use: aider, claude, cline, codex, copilot"), "{said}");
}

#[test]
fn a_self_test_types_into_an_empty_composer_only_and_leaves_it_empty() {
    let (world, pane) = world_with_claude();
    eventually("it is idle", || world.ok(&["explain", &pane]).contains("state: idle").then_some(()));
    let (code, said) = run(&world, &["profile", "selftest", &pane]);
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let said = world.ok(&["profile", "selftest", "claude-1", "--yes"]);
    for what in ["ok     an empty composer", "ok     a draft ", "ok     a cleared draft", "passed"] {
        assert!(said.contains(what), "{said}");
    }
    assert_eq!(world.events(&pane, "submitted"), [""; 0]);
    eventually("it is idle again", || world.ok(&["explain", &pane]).contains("state: idle").then_some(()));
    // Nothing is typed beside a draft, in a turn, or into a dialog.
    for (order, state, end) in [
        ("draft half a thought", "draft", "clear"),
        ("busy 60000", "busy", "interrupt"),
        ("dialog", "dialog", "interrupt"),
    ] {
        world.control(&pane, order);
        eventually(order, || {
            world.ok(&["explain", &pane]).contains(&format!("state: {state}")).then_some(())
        });
        let (code, said) = run(&world, &["profile", "selftest", &pane, "--yes"]);
        assert!(code == 1 && said.contains("nothing was typed"), "{said}");
        assert!(!world.screen(&pane).contains("swarm-check"), "{}", world.screen(&pane));
        world.control(&pane, end);
    }
}

#[test]
fn the_version_of_the_running_agent_chooses_between_the_rules_of_its_profile() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (world, pane) = codex_of_version("9.9.9");
    let codex = include_str!("../src/agents/profiles/codex.toml");
    let dir = world.path().join("home/.config/swarm/profiles");
    fs::create_dir_all(&dir).unwrap();
    let shows = |range: &str, state: &str, said: &str| {
        let text = format!("{codex}\n[when.version.'{range}'.screen]\nbusy = ['.']\n");
        fs::write(dir.join("codex.toml"), text).unwrap();
        eventually(range, || {
            world.ok(&["explain", &pane]).contains(&format!("state: {state}")).then_some(())
        });
        assert!(world.ok(&["explain", &pane]).contains(said), "{range}");
    };
    shows("<9", "idle", "no sign of a turn");
    shows(">=9.9, <10", "busy", "its version is 9.9.9, for which the rules for >=9.9, <10 count");
    let id = world.ok(&["send", "--no-wait", "codex-1", "one"]).split(' ').next().unwrap().to_owned();
    eventually("it waits", || world.ok(&["status", &id]).contains("in a turn").then_some(()));
    shows(">9.9.9", "idle", "no sign of a turn");
    eventually("it is typed", || world.typed(&pane).contains(&id).then_some(()));
}

/// A Codex whose files say that it is of a version, and its pane.
fn codex_of_version(version: &str) -> (World, String) {
    let world = World::new();
    world.start();
    let package = world.path().join("lib/versions").join(version);
    fs::create_dir_all(&package).unwrap();
    executable(package.join("codex"), fs::read(env!("CARGO_BIN_EXE_fake-agent")).unwrap());
    let link = world.path().join("bin/codex");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(package.join("codex"), link).unwrap();
    let pane = world.agent("codex", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    (world, pane)
}

#[test]
fn the_doctor_names_an_agent_that_is_newer_than_its_rules_until_it_was_tested() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (world, pane) = codex_of_version("9.9.9");
    let doctor = || run(&world, &["doctor"]).1;
    let said = doctor();
    assert!(said.contains("codex-1 runs 9.9.9 (tested: 0.169.0)"), "{said}");
    assert!(said.contains(&format!("swarm profile selftest {pane}")), "{said}");
    eventually("it is idle", || world.ok(&["explain", &pane]).contains("state: idle").then_some(()));
    assert!(world.ok(&["profile", "selftest", &pane, "--yes"]).contains("noted for codex 9.9.9"));
    assert!(doctor().contains("the rules were tested with all that run"));
    assert!(!world.ok(&["profile", "list"]).contains("nobody has tested these rules with 9.9.9"));
}
