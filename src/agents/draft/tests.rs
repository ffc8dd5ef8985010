use super::*;
use crate::agents::Profile;
use std::fs;
use std::path::Path;

fn recordings(dir: &str) -> Vec<Recording> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(dir);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().flatten().map(|e| e.path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "ansi"));
    files.sort();
    let read = |f: &Path| fs::read_to_string(f).unwrap();
    let one = |f: &std::path::PathBuf| {
        let name = f.file_stem().unwrap().to_str().unwrap();
        Recording::parse(name, &read(f), &read(&f.with_extension("json"))).unwrap()
    };
    files.iter().map(one).collect()
}

#[test]
fn whatever_a_program_is_called_the_draft_can_be_read() {
    let mut all = recordings("screens/gemini");
    all.retain(|r| ["idle-fresh", "draft", "busy"].contains(&&*r.name));
    let odd = "it's \"x\"\n\u{7f}\u{1b}[31m".to_owned();
    for recording in &mut all {
        (recording.program, recording.version) = ((odd.clone(), String::new()), odd.clone());
    }
    let text = draft("x", &all).unwrap().text;
    let profile = Profile::parse(&text, "x").unwrap();
    assert_eq!((&profile.process.names, &profile.tested), (&vec![odd.clone()], &vec![odd]), "{text}");
}

#[test]
fn a_profile_drafted_from_some_screens_reads_none_of_all_the_others_as_idle() {
    // The number is that of the empty composers in wide panes: each must be read as idle.
    for (dir, idle) in [
        ("screens/cline", 2),
        ("screens/copilot", 3),
        ("screens/pi", 3),
        ("others/qwen", 3),
        ("others/continue", 3),
        ("screens/claude", 9),
        ("screens/codex", 5),
        ("screens/gemini", 7),
        ("screens/opencode", 5),
    ] {
        let all = recordings(dir);
        let wide: Vec<Recording> = all.iter().filter(|r| r.facts.width >= 100).cloned().collect();
        let text = draft("x", &wide).unwrap().text;
        let profile = Profile::parse(&text, "x").unwrap();
        assert_eq!(crate::agents::lint(&profile), [""; 0], "{dir}: {text}");
        let wrong = all.iter().filter(|r| r.is_false_idle(&r.read(&profile)));
        let wrong: Vec<&str> = wrong.map(|r| r.name.as_str()).collect();
        let right = |r: &&Recording| r.state == Status::Idle && r.read(&profile).state == Status::Idle;
        let right = wide.iter().filter(right).count();
        assert!(wrong.is_empty() && right == idle, "{dir}: {right} idle, false: {wrong:?}\n{text}");
    }
}

/// The screens of a version, in all sizes, in true colour.
fn systematic(dir: &str) -> Vec<Recording> {
    let mut all = recordings(dir);
    all.retain(|r| !r.name.ends_with("-256") && !r.name.ends_with("-nocolor"));
    all
}

fn idle_of(all: &[Recording], width: u16) -> impl Iterator<Item = &Recording> {
    all.iter().filter(move |r| r.state == Status::Idle && r.facts.width == width)
}

fn drafted(all: &[Recording]) -> Profile {
    Profile::parse(&draft("x", all).unwrap().text, "x").unwrap()
}

#[test]
fn a_recording_in_a_narrow_pane_never_costs_the_wide_ones() {
    // The number is that of the empty composers at 39 columns that the draft of all sizes reads correctly.
    for (dir, narrow) in [
        ("claude/2.1.332", 3),
        ("codex/0.169.0", 3),
        ("gemini/0.61.0", 3),
        ("opencode/1.18.33", 3),
        ("aider/0.86.2", 3),
        ("copilot/1.0.102", 3),
        ("pi/0.73.1", 3),
        ("cline/3.0.65", 2),
        ("qwen/0.24.4", 3),
    ] {
        let all = systematic(&format!("screens/{dir}"));
        let all: Vec<Recording> =
            all.into_iter().filter(|r| r.facts.width == 120 || r.facts.width == 39).collect();
        let wide: Vec<Recording> = all.iter().filter(|r| r.facts.width == 120).cloned().collect();
        let (of_wide, of_all) = (drafted(&wide), drafted(&all));
        let reads = |profile: &Profile, width| {
            idle_of(&all, width).filter(|r| r.read(profile).state == Status::Idle).count()
        };
        let (before, after) = (reads(&of_wide, 120), reads(&of_all, 120));
        assert!(before > 0 && after >= before, "{dir}: {before} of 120 columns, then {after}");
        assert!(reads(&of_all, 39) >= narrow, "{dir}: {} of 39 columns", reads(&of_all, 39));
        let wrong = all.iter().find(|r| r.is_false_idle(&r.read(&of_all)));
        assert!(wrong.is_none(), "{dir}: {:?}", wrong.map(|r| &r.name));
    }
}

#[test]
fn an_empty_composer_without_its_cursor_does_not_spoil_the_others() {
    // In two of these recordings the cursor is at the end of another row.
    let all = systematic("screens/cline/3.0.65");
    let wide: Vec<Recording> = all.into_iter().filter(|r| r.facts.width == 120).collect();
    let draft = draft("x", &wide).unwrap();
    let profile = Profile::parse(&draft.text, "x").unwrap();
    let (right, missed): (Vec<_>, Vec<_>) =
        idle_of(&wide, 120).partition(|r| r.read(&profile).state == Status::Idle);
    assert!(right.len() > missed.len(), "{}\n{}", right.len(), draft.text);
    for one in missed {
        assert!(draft.notes.iter().any(|note| note.contains(&one.name)), "{}: {:?}", one.name, draft.notes);
    }
}

/// A recording of an agent that draws its composer between two lines, with `rows` above it.
fn drawn(name: &str, rows: &[&str], composer: &str, below: &str) -> Recording {
    let mut text: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
    text.extend(["─".repeat(60), composer.to_owned(), "─".repeat(60), below.to_owned()]);
    let facts = serde_json::json!({
        "pane_title": "x", "pane_width": "60", "pane_height": "24", "alternate_on": "0",
        "cursor_x": composer.chars().count().to_string(), "cursor_y": (rows.len() + 1).to_string(),
        "program": "x", "script": "", "version": "1.0",
    });
    Recording::parse(name, &text.join("\n"), &facts.to_string()).unwrap()
}

#[test]
fn what_happens_to_stand_there_is_no_sign_of_a_turn() {
    let turn = |name, said: &str, answer: &str| {
        drawn(name, &[&format!("> {said}"), "", answer, "", "* Pondering deeply"], "> ", "enter queues")
    };
    let all = [
        drawn("idle", &["Welcome to the agent"], "> ", "sonnet"),
        drawn("idle-2", &["> hello there", "", "Nice to meet you"], "> ", "sonnet"),
        drawn("draft", &["Welcome to the agent"], "> some words", "sonnet"),
        turn("busy", "refactor the parser", "Looking at the grammar"),
        turn("busy-2", "write more tests", "Reading the fixtures"),
    ];
    let draft = draft("x", &all).unwrap();
    let profile = Profile::parse(&draft.text, "x").unwrap();
    // A person's words, and words that only one turn shows, also stand on the screen of the next conversation.
    for chance in ["refactor", "Looking", "write more", "Reading", "grammar", "fixtures"] {
        assert!(!draft.text.contains(chance), "{chance}: {}", draft.text);
    }
    let later = drawn("idle-3", &["> refactor the parser", "", "Looking at the grammar"], "> ", "sonnet");
    assert_eq!(later.read(&profile).state, Status::Idle, "{}", draft.text);
    let other = turn("busy-3", "say something", "Nothing yet");
    assert_eq!(other.read(&profile).state, Status::Busy, "{}", draft.text);
    // Far above the composer, the same words belong to an answer.
    let mut rows = vec!["It says: enter queues, and * Pondering deeply"];
    rows.extend(vec!["more words of an answer"; 12]);
    assert_eq!(drawn("idle-4", &rows, "> ", "sonnet").read(&profile).state, Status::Idle, "{}", draft.text);
    assert!(draft.notes.iter().any(|note| note.starts_with("busy: 'enter queues'")), "{:?}", draft.notes);
}

#[test]
fn what_runs_may_be_told_by_a_symbol_alone_and_what_nothing_tells_is_named() {
    let mut all = vec![
        drawn("idle", &["Welcome", "● ran ls"], "> ", "sonnet"),
        drawn("idle-2", &["Welcome", "● slept 7"], "> ", "sonnet"),
        drawn("draft", &["Welcome"], "> some words", "sonnet"),
        drawn("busy", &["Welcome", "esc to interrupt"], "> ", "sonnet"),
        drawn("busy-own", &["Welcome", "○ slept 7"], "> ", "sonnet"),
    ];
    let draft = super::draft("x", &all).unwrap();
    let profile = Profile::parse(&draft.text, "x").unwrap();
    let read: Vec<Status> = all.iter().map(|r| r.read(&profile).state).collect();
    let states = [Status::Idle, Status::Idle, Status::Draft, Status::Busy, Status::Busy];
    assert_eq!(read, states, "{}", draft.text);
    assert!(draft.notes.iter().any(|note| note.contains("○")), "{:?}", draft.notes);
    // A running tool may be a long command, whose first row is far above the composer.
    let mut rows = vec!["○ slept 7"];
    rows.extend(vec!["more of the same command"; 12]);
    assert_eq!(
        drawn("busy-own-2", &rows, "> ", "sonnet").read(&profile).state,
        Status::Busy,
        "{}",
        draft.text
    );
    // A person may begin a line with such a symbol. A frame is not such a symbol.
    assert!(!draft.text.contains("sonnet") && !draft.text.contains("slept"), "{}", draft.text);
    all[4] = drawn("busy-own", &["Welcome", "● slept 7"], "> ", "sonnet");
    let why =
        super::draft("x", &all).err().or_else(|| Some(super::draft("x", &all).unwrap().notes.join("\n")));
    assert!(why.as_ref().unwrap().contains("nothing in 'busy-own' distinguishes it"), "{why:?}");
}

/// A person must check what nobody recorded: it may hold words of a user or of an answer.
#[test]
fn what_shows_that_something_is_open_is_named() {
    let all = [
        drawn("idle", &["Welcome"], "> ", "sonnet"),
        drawn("draft", &["Welcome"], "> words", "sonnet"),
        drawn("busy", &["Welcome", "esc to interrupt"], "> ", "sonnet"),
        drawn("mode-stopped", &["Welcome", "Enter goes on"], "> ", "sonnet"),
    ];
    let draft = draft("x", &all).unwrap();
    let expected = "screen.open: 'Enter goes on' is there because";
    assert!(draft.notes.iter().any(|note| note.starts_with(expected)), "{:?}", draft.notes);
    // No turn showed this text, so an answer may hold it.
    let mut rows = vec!["The build took (12s) to link."];
    rows.extend(vec!["more words of an answer"; 12]);
    let profile = Profile::parse(&draft.text, "x").unwrap();
    assert_eq!(drawn("idle-2", &rows, "> ", "sonnet").read(&profile).state, Status::Idle, "{}", draft.text);
}

#[test]
fn a_directory_is_no_sign_of_an_empty_composer() {
    let all = [
        drawn("idle", &["Welcome"], "> ", "  /home/someone/work/project   ready when you are"),
        drawn("draft", &["Welcome"], "> words", "  /home/someone/work/project"),
        drawn("busy", &["Welcome", "esc to interrupt"], "> ", ""),
    ];
    let draft = draft("x", &all).unwrap();
    assert!(draft.text.contains("ordinary = ['ready when you are']"), "{}", draft.text);
    assert!(draft.notes.iter().any(|note| note.contains("only one recording")), "{:?}", draft.notes);
}

#[test]
fn a_suggestion_is_known_by_its_colour_and_not_by_its_words() {
    let all = systematic("screens/qwen/0.24.4");
    let wide: Vec<Recording> = all.into_iter().filter(|r| r.facts.width == 120).collect();
    let text = draft("x", &wide).unwrap().text;
    assert!(text.contains("ghost = [") && !text.contains("MOCK"), "{text}");
}
