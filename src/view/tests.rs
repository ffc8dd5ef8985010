//! The dashboard's state and look, without a terminal.

use super::app::{App, Mode, Tab, Wish};
use super::draw::{Palette, draw};
use super::keys::{self, Focus};
use super::snapshot::{AgentRow, LeaseRow, MailState, MessageRow, Snapshot, WaitingRow};
use crate::core::agent::Status;
use crate::core::delivery::Stage;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

#[allow(unreachable_pub)] // shared with the tests of the programs
#[path = "../../tests/support/snapshot.rs"]
mod snapshot;

const NOW: u64 = 1_000_000;

fn agent(name: &str, status: Status, why: &str) -> AgentRow {
    AgentRow {
        name: name.into(),
        kind: "claude".into(),
        socket: "/s".into(),
        pane: "%1".into(),
        status,
        since: NOW - 61_000,
        unread: 1,
        leases: 0,
        why: why.into(),
    }
}

fn message(id: &str, from: &str, to: &str, body: &str) -> MessageRow {
    MessageRow {
        id: id.into(),
        at: NOW - 5_000,
        from: from.into(),
        to: to.into(),
        kind: "QUESTION",
        preview: body.into(),
        body: body.into(),
        stage: MailState::Unread,
        unread: to == "human",
        mine: to == "human",
        urgent: false,
    }
}

fn lease(number: u64, holder: &str) -> LeaseRow {
    LeaseRow {
        number,
        waits: false,
        holder: holder.into(),
        mode: "exclusive",
        since: NOW,
        state: "14m left".into(),
        paths: "src/a.rs".into(),
        reason: "refactoring".into(),
        mine: holder == "human",
    }
}

fn project() -> Snapshot {
    Snapshot {
        project: "/p".into(),
        courier: true,
        agents: vec![
            agent("claude-1", Status::Dialog, "it is answering a dialog"),
            agent("codex-1", Status::Idle, ""),
        ],
        messages: vec![
            message("aaaa1111", "codex-1", "human", "which port?"),
            message("bbbb2222", "codex-1", "claude-1", "done"),
        ],
        leases: vec![lease(7, "codex-1")],
        waiting: vec![WaitingRow {
            id: "cccc3333".into(),
            what: MailState::At(Stage::Held),
            from: "human".into(),
            to: "claude-1".into(),
            since: NOW,
            why: "a dialog is open".into(),
            preview: "go on".into(),
        }],
        ..Snapshot::default()
    }
}

fn app() -> App {
    let mut app = App::new();
    app.update(project(), NOW);
    app
}

fn key(app: &mut App, code: KeyCode) -> Wish {
    app.press(KeyEvent::new(code, KeyModifiers::NONE), NOW)
}

fn press(app: &mut App, keys: &str) -> Wish {
    keys.chars().fold(Wish::Nothing, |_, c| key(app, KeyCode::Char(c)))
}

fn screen(app: &App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app, Palette { colour: false }, NOW)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn who_needs_a_person_and_why_is_seen_at_once_at_any_size() {
    for (width, height) in [(80, 24), (60, 15), (200, 60)] {
        let seen = screen(&app(), width, height);
        for part in ["claude-1", "dialog", "it is answering", "codex-1", "which port?"] {
            assert!(seen.contains(part), "{part} at {width}x{height}:\n{seen}");
        }
    }
    // Too small for anything useful, but no crash.
    for (width, height) in [(1, 1), (10, 3), (20, 5)] {
        screen(&app(), width, height);
    }
}

#[test]
fn the_screens_are_the_ones_that_were_read() {
    for (name, keys) in [
        ("agents", ""),
        ("messages", "1"),
        ("leases", "2"),
        ("waiting", "3"),
        ("keys", "?"),
        ("writing", "m"),
        ("release", "2u"),
        ("no-message", "2ar"),
    ] {
        let mut app = app();
        press(&mut app, keys);
        snapshot::assert_snapshot(&format!("dashboard-{name}.txt"), &screen(&app, 80, 24));
    }
    snapshot::assert_snapshot("dashboard-empty.txt", &screen(&App::new(), 80, 24));
}

#[test]
fn every_mode_is_drawn_at_the_smallest_size() {
    for keys in ["?", "/port", "m", "M", "2u", "p", "R"] {
        let mut app = app();
        press(&mut app, keys);
        screen(&app, 60, 15);
        screen(&app, 5, 2);
    }
}

#[test]
fn each_key_has_one_meaning_and_every_footer_fits_on_eighty_columns() {
    for tab in Tab::ALL {
        assert!(keys::footer(Focus::Below(tab)).len() <= 80, "{tab:?}");
    }
    assert!(keys::footer(Focus::Agents).len() <= 80, "{}", keys::footer(Focus::Agents));
    assert!(keys::is_unambiguous());
}

#[test]
fn the_reference_lists_the_keys_of_the_dashboard() {
    let reference = include_str!("../../docs/reference.md");
    assert!(reference.contains(&keys::markdown()), "docs/reference.md lacks:\n{}", keys::markdown());
}

#[test]
fn an_answer_to_a_message_goes_out_with_its_text() {
    let mut app = app();
    press(&mut app, "1r");
    app.paste("8080; #{x}", NOW);
    let Wish::Run(action) = key(&mut app, KeyCode::Enter) else { panic!("nothing was sent") };
    assert_eq!(&action.args[..3], ["reply", "aaaa1111", "-"]);
    assert_eq!(action.stdin, "8080; #{x}");
}

#[test]
fn others_mail_is_shown_and_not_marked_read() {
    let mut app = app();
    press(&mut app, "1");
    let Wish::Run(own) = key(&mut app, KeyCode::Enter) else { panic!("nothing was read") };
    assert_eq!(own.args, ["read", "aaaa1111"]);
    press(&mut app, "j");
    let Wish::Run(other) = key(&mut app, KeyCode::Enter) else { panic!("nothing was shown") };
    assert_eq!(other.args, ["show", "bbbb2222"]);
    press(&mut app, "r");
    assert!(matches!(app.mode, Mode::Lists), "a message between others cannot be answered");
}

#[test]
fn a_lease_is_taken_away_only_after_a_yes() {
    let mut app = app();
    press(&mut app, "2u");
    assert!(screen(&app, 80, 24).contains("from codex-1"));
    assert_eq!(press(&mut app, "n"), Wish::Nothing);
    press(&mut app, "u");
    let Wish::Run(action) = press(&mut app, "y") else { panic!("nothing was done") };
    assert_eq!(action.args, ["unlock", "--force", "--yes", "--fence", "7"]);
}

#[test]
fn the_filter_narrows_while_it_is_typed_and_escape_clears_it() {
    let mut app = app();
    press(&mut app, "/port");
    assert_eq!(app.messages(NOW).len(), 1);
    key(&mut app, KeyCode::Enter);
    assert!(screen(&app, 80, 24).contains("/port"));
    assert_eq!(key(&mut app, KeyCode::Esc), Wish::Nothing);
    assert_eq!(app.messages(NOW).len(), 2);
}

#[test]
fn a_selection_stays_on_its_row_while_others_come_and_go() {
    let mut app = app();
    press(&mut app, "1j");
    assert_eq!(app.rows[0], "bbbb2222");
    let mut next = project();
    next.messages.insert(0, message("dddd4444", "codex-1", "human", "new"));
    app.update(next, NOW);
    assert_eq!(app.rows[0], "bbbb2222");
    app.update(Snapshot::default(), NOW);
    assert_eq!(app.rows[0], "");
    assert_eq!(press(&mut app, "g"), Wish::Nothing);
}

#[test]
fn a_text_that_was_refused_is_offered_again() {
    let mut app = app();
    press(&mut app, "m");
    app.paste("long text", NOW);
    let Wish::Run(action) = key(&mut app, KeyCode::Enter) else { panic!("nothing was sent") };
    app.finish(super::action::ActionOutcome { action, ok: false, text: "swarm: rate limit: wait 5s".into() });
    let Mode::Form(form) = &app.mode else { panic!("the text is gone") };
    assert_eq!(form.input.text(), "long text");
    assert!(app.told.as_ref().is_some_and(|(text, failed)| *failed && text.contains("rate limit")));
}

#[test]
fn enter_on_an_agent_goes_to_its_pane() {
    let mut app = app();
    assert_eq!(key(&mut app, KeyCode::Enter), Wish::Jump("claude-1".into()));
    key(&mut app, KeyCode::Down);
    assert_eq!(press(&mut app, "g"), Wish::Jump("codex-1".into()));
}
