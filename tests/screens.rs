//! Every captured screen of the real agents is read right, and no mutation of one is read as idle.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use swarm::agents::recording::{Recording, STATES};
use swarm::agents::{Content, PaneFacts, Profile, Profiles, Reading, read, read_version};
use swarm::core::agent::Status;
use swarm::core::screen::Screen;

struct Fixture {
    kind: String,
    /// What the screen was captured as.
    state: String,
    ansi: String,
    facts: PaneFacts,
    /// What a person saw there.
    seen: Status,
    /// What it is to be read as. That differs where the rules do not see enough; then it is never idle.
    expected: Status,
    version: String,
    /// What is open there, in the words that people read.
    open: Option<String>,
}

fn fixtures() -> Vec<Fixture> {
    let all = below("screens");
    assert!(all.len() >= 700, "only {} fixtures", all.len());
    all
}

/// Screens of agents that have no built-in profile, each with one that makes use of rules which the built-in ones do not need.
fn others() -> Vec<Fixture> {
    let all = below("others");
    assert!(all.len() >= 17, "only {} fixtures", all.len());
    all
}

fn below(dir: &str) -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dir);
    let mut all = Vec::new();
    for kind in fs::read_dir(root).unwrap().flatten() {
        let listed = |dir: &Path| -> Vec<PathBuf> {
            fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect()
        };
        // Those of one version, in all sizes and colours, are in a directory of their own.
        let mut files = listed(&kind.path());
        files.extend(files.clone().iter().flat_map(|path| listed(path)));
        files.sort();
        for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "ansi")) {
            let text = |path: &Path| fs::read_to_string(path).unwrap();
            let (state, ansi) = (path.file_stem().unwrap().to_str().unwrap(), text(path));
            let json = text(&path.with_extension("json"));
            let recording = Recording::parse(state, &ansi, &json).unwrap();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let held =
                json["read"].as_str().map(|word| STATES.into_iter().find(|s| s.word() == word).unwrap());
            all.push(Fixture {
                kind: kind.file_name().into_string().unwrap(),
                state: recording.name,
                ansi,
                facts: recording.facts,
                seen: recording.state,
                expected: held.unwrap_or(recording.state),
                version: recording.version,
                open: recording.open,
            });
        }
    }
    all
}

fn reading(fixture: &Fixture, ansi: &str, facts: &PaneFacts) -> Reading {
    static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::builtin().unwrap());
    let version = Some(&*fixture.version).filter(|version| !version.is_empty());
    read_version(PROFILES.get(&fixture.kind).unwrap(), version, &Screen::parse(ansi), facts)
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
    let profiles = Profiles::builtin().unwrap();
    let draws = |f: &Fixture| profiles.get(&f.kind).unwrap().screen.drawn_cursor;
    for f in fixtures().iter().filter(|f| f.expected == Status::Idle) {
        if draws(f) {
            // Its own cursor counts: without it, or with another, nothing is idle.
            let moved = f.ansi.replacen("\x1b[7m", "x\x1b[7m", 1);
            for ansi in [f.ansi.replace("\x1b[7m", ""), moved] {
                assert_ne!(reading(f, &ansi, &f.facts).state, Status::Idle, "{}/{}", f.kind, f.state);
            }
            continue;
        }
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

/// The page that says what was recorded, and how it is read.
const PAGE: &str = "docs/internal/screens.md";

/// What stands between the rows that mark the generated part of the page.
fn generated(all: &[Fixture]) -> String {
    let count = |list: &[&Fixture], what: &dyn Fn(&Fixture) -> bool| list.iter().filter(|f| what(f)).count();
    let everything: Vec<&Fixture> = all.iter().collect();
    let mut text = String::from("| recorded as ↓, read as → |");
    text.extend(STATES.iter().map(|s| format!(" {} |", s.word())));
    text += &format!("\n|---|{}\n", "---|".repeat(STATES.len()));
    for was in STATES {
        text += &format!("| {} |", was.word());
        for is in STATES {
            let n = count(&everything, &|f| f.seen == was && reading(f, &f.ansi, &f.facts).state == is);
            text += &if n == 0 { " · |".to_owned() } else { format!(" {n} |") };
        }
        text.push('\n');
    }
    text += "\n| agent | versions | screens | sizes | false idle | idle, and mail waits | true colour / 256 / NO_COLOR |\n|---|---|---|---|---|---|---|\n";
    let mut kinds: Vec<&str> = all.iter().map(|f| &*f.kind).collect();
    kinds.dedup();
    for kind in kinds {
        let own: Vec<&Fixture> = all.iter().filter(|f| f.kind == kind).collect();
        let set = |of: &dyn Fn(&Fixture) -> String| {
            let words: BTreeSet<String> = own.iter().map(|f| of(f)).filter(|w| !w.is_empty()).collect();
            words.into_iter().collect::<Vec<_>>()
        };
        let is_idle = |f: &Fixture| reading(f, &f.ansi, &f.facts).state == Status::Idle;
        let plain = |f: &Fixture| f.state.contains("nocolor") || f.state.contains("no-color");
        let few = |f: &Fixture| f.state.ends_with("-256");
        text += &format!(
            "| {kind} | {} | {} | {} | {} | {} | {} / {} / {} |\n",
            set(&|f| f.version.clone()).join(", "),
            own.len(),
            set(&|f| format!("{}x{}", f.facts.width, f.facts.height)).len(),
            count(&own, &|f| f.seen != Status::Idle && is_idle(f)),
            count(&own, &|f| f.seen == Status::Idle && !is_idle(f)),
            count(&own, &|f| !plain(f) && !few(f)),
            count(&own, &few),
            count(&own, &plain),
        );
    }
    text
}

#[test]
fn no_screen_is_falsely_idle_and_the_matrix_in_the_documents_is_of_today() {
    let mut all = fixtures();
    all.sort_by(|a, b| (&a.kind, &a.state).cmp(&(&b.kind, &b.state)));
    let table = generated(&all);
    println!("{table}");
    let is_idle = |f: &Fixture| reading(f, &f.ansi, &f.facts).state == Status::Idle;
    let wrong: Vec<String> = all
        .iter()
        .filter(|f| f.seen != Status::Idle && is_idle(f))
        .map(|f| format!("{}/{}", f.kind, f.state))
        .collect();
    assert_eq!(wrong, [""; 0], "falsely idle");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- generated -->\n").unwrap();
    let (_, tail) = rest.split_once("<!-- end -->").unwrap();
    let expected = format!("{head}<!-- generated -->\n\n{table}\n<!-- end -->{tail}");
    if std::env::var_os("SWARM_UPDATE_SNAPSHOTS").is_some() {
        return fs::write(&path, expected).unwrap();
    }
    assert!(page == expected, "{PAGE} is not of today; SWARM_UPDATE_SNAPSHOTS=1 cargo test writes it");
}

/// The captured screens after a turn, with the answer replaced by these rows, wrapped as the pane is wide.
fn answered(kind: &str, answer: &[&str]) -> Vec<(Fixture, String)> {
    let mut all = Vec::new();
    for mut f in fixtures().into_iter().filter(|f| f.kind == kind && f.state.ends_with("idle-after-turn")) {
        let width = usize::from(f.facts.width) - 4;
        let mut rows: Vec<String> = f.ansi.lines().map(str::to_owned).collect();
        let Some(at) = rows.iter().position(|row| row.contains("MOCK-REPLY ok")) else { continue };
        let mut said: Vec<String> = Vec::new();
        for part in answer {
            let mut row = String::new();
            for word in part.split_inclusive(' ') {
                if row.chars().count() + word.chars().count() > width {
                    said.push(std::mem::replace(&mut row, "     ".to_owned()));
                }
                row.push_str(word);
            }
            said.push(row);
        }
        let more = said.len() - 1;
        rows.splice(at..=at, said);
        // As much as it grew, blank rows go, the nearest first, or the beginning scrolls away.
        f.facts.cursor_y += u16::try_from(more).unwrap();
        for _ in 0..more {
            let is_blank = |i: usize| rows.get(i).is_none_or(String::is_empty);
            let blank =
                (at + more..rows.len()).find(|i| is_blank(*i) && is_blank(*i - 1) && is_blank(*i + 1));
            let gone = blank.unwrap_or_default();
            rows.remove(gone);
            f.facts.cursor_y -= u16::from(gone < usize::from(f.facts.cursor_y));
        }
        all.push((f, rows.join("\n")));
    }
    assert!(all.len() >= 3, "{kind}: {}", all.len());
    all
}

#[test]
fn a_usage_limit_is_read_from_the_last_answer_in_every_pane_and_not_from_an_earlier_one() {
    let claude = [
        "  ⎿  You've hit your session limit · resets 10:30pm (Europe/Berlin)",
        "     /upgrade to increase your usage limit.",
    ];
    let old = ["  ⎿  5-hour limit reached ∙ resets 4am"];
    let codex = [
        "■ You’ve hit your usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit https://chatgpt.com/codex/settings/usage to purchase more credits or try again at 2:51 PM.",
    ];
    let gemini = ["✕ [API Error: You have exhausted your daily quota on this model.]"];
    for (kind, answer, said) in [
        ("claude", &claude[..], "You've hit your session limit · resets 10:30pm (Europe/Berlin) /upgrade to"),
        ("claude", &old[..], "5-hour limit reached ∙ resets 4am"),
        ("codex", &codex[..], "usage limit. Upgrade to Pro (https://chatgpt.com/explore/pro), visit"),
        ("gemini", &gemini[..], "You have exhausted your daily quota"),
    ] {
        for (f, ansi) in answered(kind, answer) {
            let got = reading(&f, &ansi, &f.facts);
            assert_eq!(got.state, Status::Limit, "{kind}/{}: {:?}\n{ansi}", f.state, got.evidence);
            assert!(got.limit.as_ref().is_some_and(|text| text.contains(said)), "{:?}", got.limit);
            if kind == "codex" {
                assert!(got.limit.unwrap().ends_with("try again at 2:51 PM."));
            }
        }
        let prompt = match kind {
            "claude" => "❯ go on",
            "codex" => "› go on",
            _ => " > go on",
        };
        let later: Vec<&str> = answer.iter().copied().chain(["", prompt, "", "MOCK-REPLY ok"]).collect();
        for (f, ansi) in answered(kind, &later) {
            let got = reading(&f, &ansi, &f.facts);
            assert_eq!(got.state, Status::Idle, "{kind}/{}: {:?}\n{ansi}", f.state, got.evidence);
        }
    }
    // Who only speaks of one has not reached it, nor has who read of it in a prompt or in what a tool printed.
    let notice = "  ⎿  You've hit your session limit · resets 10:30pm (Europe/Berlin)";
    for (kind, answer) in [
        ("claude", &["● The page says: You've hit your limit. Usage limits and how they reset …"][..]),
        (
            "claude",
            &[
                "❯ [swarm p5kg9tyf INFO from codex-1 to claude-1]",
                "  You've hit your usage limit, resets in 9000 days",
            ],
        ),
        ("claude", &["● Bash(make)", "  ⎿  usage limit reached is shown in the banner"]),
        ("claude", &["● Bash(make)", "  ⎿  FAIL weekly limit reached: expected 3"]),
        ("claude", &["● Bash(grep)", notice, "", "● It is the text of the banner."]),
        (
            "codex",
            &[
                "› [swarm p5kg9tyf INFO from human to codex-1]",
                "  You've hit your usage limit. try again at 8:51 PM.",
                "",
                "• ok",
            ],
        ),
    ] {
        for (f, ansi) in answered(kind, answer) {
            let got = reading(&f, &ansi, &f.facts);
            assert_eq!(got.state, Status::Idle, "{kind}/{}: {:?}\n{ansi}", f.state, got.evidence);
        }
    }
}
