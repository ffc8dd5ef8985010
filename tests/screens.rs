//! Every captured screen of the real agents is read right, and no mutation of one is read as idle.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use swarm::agents::recording::Recording;
use swarm::agents::{Content, PaneFacts, Profile, Profiles, Reading, read};
use swarm::core::agent::Status;
use swarm::core::screen::Screen;

struct Fixture {
    kind: String,
    /// What the screen was captured as.
    state: String,
    ansi: String,
    facts: PaneFacts,
    expected: Status,
    /// What is open there, in the words that people read.
    open: Option<String>,
}

fn fixtures() -> Vec<Fixture> {
    let all = below("screens");
    assert!(all.len() >= 280, "only {} fixtures", all.len());
    all
}

/// Screens of agents that have no built-in profile, each with one that makes use of rules which the built-in ones do not need.
fn others() -> Vec<Fixture> {
    let all = below("others");
    assert!(all.len() >= 27, "only {} fixtures", all.len());
    all
}

fn below(dir: &str) -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dir);
    let mut all = Vec::new();
    for kind in fs::read_dir(root).unwrap().flatten() {
        let mut files: Vec<PathBuf> =
            fs::read_dir(kind.path()).unwrap().flatten().map(|e| e.path()).collect();
        files.sort();
        for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "ansi")) {
            let text = |path: &Path| fs::read_to_string(path).unwrap();
            let (state, ansi) = (path.file_stem().unwrap().to_str().unwrap(), text(path));
            let recording = Recording::parse(state, &ansi, &text(&path.with_extension("json"))).unwrap();
            all.push(Fixture {
                kind: kind.file_name().into_string().unwrap(),
                state: recording.name,
                ansi,
                facts: recording.facts,
                expected: recording.state,
                open: recording.open,
            });
        }
    }
    all
}

fn reading(fixture: &Fixture, ansi: &str, facts: &PaneFacts) -> Reading {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::builtin().unwrap());
    read(PROFILES.get(&fixture.kind).unwrap(), &Screen::parse(ansi), facts)
}

#[test]
fn every_captured_screen_is_read_right() {
    let mut wrong = Vec::new();
    for f in fixtures() {
        let got = reading(&f, &f.ansi, &f.facts);
        let open = got.open.map(|open| open.to_string());
        if got.state != f.expected || open != f.open {
            wrong.push(format!("{}/{}: {:?} {open:?}: {:?}", f.kind, f.state, got.state, got.evidence));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_captured_screen_of_an_agent_with_a_profile_of_its_own_is_read_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/others");
    for f in others() {
        let path = root.join(&f.kind).join("profile.toml");
        let profile = Profile::parse(&fs::read_to_string(path).unwrap(), &f.kind).unwrap();
        let got = read(&profile, &Screen::parse(&f.ansi), &f.facts);
        assert_eq!(got.state, f.expected, "{}/{}: {:?}", f.kind, f.state, got.evidence);
        match f.state.as_str() {
            "draft" => assert!(got.composer.unwrap().holds("half typed dra"), "{}", f.kind),
            "draft-multiline" => {
                assert!(got.composer.unwrap().holds("line one\nline two\nline three"), "{}", f.kind);
            }
            _ => {}
        }
    }
}

#[test]
fn the_text_of_a_draft_is_read_whole() {
    for f in fixtures() {
        let composer = reading(&f, &f.ansi, &f.facts).composer;
        match f.state.as_str() {
            "draft" => assert!(composer.unwrap().holds("half typed dra"), "{}", f.kind),
            "draft-long-paste" => {
                let composer = composer.unwrap();
                assert_eq!(composer.content, Content::Collapsed, "{}", f.kind);
                assert!(
                    composer.holds(&"long ".repeat(500)) && !composer.holds("half typed dra"),
                    "{}",
                    f.kind
                );
            }
            // OpenCode collapses three lines.
            "draft-multiline" if f.kind != "opencode" => {
                assert!(composer.unwrap().holds("line one\nline two\nline three"), "{}", f.kind);
            }
            _ => {}
        }
    }
}

#[test]
fn a_text_that_fills_its_last_row_is_still_in_the_composer() {
    let all = fixtures();
    let full = all.iter().find(|f| f.state == "draft-full-row").unwrap();
    let line = "[swarm vktqh73g INFO from human to codex-1 sig:0a5ce4fb] held-by-draft-codex (answer: swarm-msg reply vktqh73g \"...\")";
    assert!(reading(full, &full.ansi, &full.facts).composer.unwrap().holds(line));
}

#[test]
fn a_composer_in_the_middle_of_a_tall_empty_screen_is_found() {
    let all = fixtures();
    let idle: Vec<_> = all.iter().filter(|f| f.kind == "opencode" && f.expected == Status::Idle).collect();
    assert!(!idle.is_empty());
    for f in idle {
        let lines: Vec<&str> = f.ansi.lines().collect();
        let rail = lines.iter().rposition(|l| l.contains('╹')).unwrap() + 2;
        let tall = [lines[..rail].join("\n"), lines[rail..].join("\n")].join(&"\n".repeat(40));
        let facts = PaneFacts { height: f.facts.height + 39, ..f.facts.clone() };
        assert_eq!(reading(f, &tall, &facts).state, Status::Idle, "{}", f.state);
    }
}

#[test]
fn a_cursor_elsewhere_is_never_idle() {
    for f in fixtures().iter().filter(|f| f.expected == Status::Idle) {
        for (x, y) in [(0, 0), (f.facts.cursor_x + 1, f.facts.cursor_y), (f.facts.width, f.facts.height - 1)]
        {
            let facts = PaneFacts { cursor_x: x, cursor_y: y, ..f.facts.clone() };
            assert_ne!(reading(f, &f.ansi, &facts).state, Status::Idle, "{}/{} at {x},{y}", f.kind, f.state);
        }
    }
}

#[test]
fn a_screen_cut_off_anywhere_is_never_idle_unless_it_is() {
    for f in fixtures().iter().filter(|f| f.expected != Status::Idle) {
        let lines: Vec<&str> = f.ansi.lines().collect();
        for cut in 0..lines.len() {
            let shift = u16::try_from(cut).unwrap();
            let Some(y) = f.facts.cursor_y.checked_sub(shift) else { break };
            let facts = PaneFacts { cursor_y: y, title: String::new(), ..f.facts.clone() };
            let got = reading(f, &lines[cut..].join("\n"), &facts).state;
            // A busy line that is cut off leaves nothing but the title to tell, which is checked by itself; a list above the
            // composer takes no keys from it.
            if f.expected != Status::Busy && !f.open.as_ref().is_some_and(|o| o.contains("shortcuts")) {
                assert_ne!(got, Status::Idle, "{}/{} cut at {cut}", f.kind, f.state);
            }
        }
    }
}

#[test]
fn a_screen_without_styles_is_idle_only_where_the_placeholder_is_known() {
    let strip = regex::Regex::new("\x1b\\[[0-9;:]*m").unwrap();
    for f in fixtures().iter().filter(|f| f.expected != Status::Idle) {
        let plain = strip.replace_all(&f.ansi, "");
        assert_ne!(reading(f, &plain, &f.facts).state, Status::Idle, "{}/{}", f.kind, f.state);
    }
}
