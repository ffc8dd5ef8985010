//! The dashboard's state and look, without a terminal.

use super::draw::draw;
use super::gather::threads;
use super::keymap::Keymap;
use super::keys;
use super::model::{App, Mode, Wish};
use super::panel::Panel;
use super::snapshot::{
    AgentRow, GroupRow, LeaseNote, LeaseRow, MailState, MessageRow, Need, ProjectRow, Snapshot, TaskRow,
    WaitingRow,
};
use super::tasks;
use super::theme::Theme;
use super::watch::{Seen, Whom};
use crate::core::agent::Status;
use crate::core::badge::Counts;
use crate::core::delivery::Stage;
use crate::view::action::{Action, ActionOutcome};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::style::{Color, Modifier};
use ratatui::text::Line;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

#[allow(unreachable_pub)] // shared with the tests of the programs
#[path = "../../../tests/support/snapshot.rs"]
mod snapshot;

const ROOT: &str = "/home/ann/parser";

const NOW: u64 = 1_000_000_000;

fn agent(name: &str, status: Status, need: Need) -> AgentRow {
    AgentRow {
        name: name.into(),
        kind: "claude".into(),
        socket: "/s".into(),
        pane: "%1".into(),
        status,
        since: NOW - 61_000,
        formerly: Vec::new(),
        unread: 0,
        waits: 0,
        leases: 0,
        need,
        why: String::new(),
        asks: Vec::new(),
        away: false,
    }
}

fn message(id: &str, thread: &str, from: &str, to: &str, body: &str) -> MessageRow {
    let mine = to == "human";
    MessageRow {
        id: id.into(),
        thread: thread.into(),
        at: NOW - 5_000,
        from: from.into(),
        to: vec![to.into()],
        groups: String::new(),
        kind: "QUESTION",
        body: body.into(),
        first: body.replace('\n', " "),
        folded: format!("{id} {from} {to} {body}").to_lowercase(),
        state: if mine { MailState::Unread } else { MailState::At(Stage::Read) },
        why: String::new(),
        unread: mine,
        mine,
        notice: from == "swarm",
        urgent: false,
        fyi: false,
        paused: false,
        marks: String::new(),
        ack: false,
        answers: String::new(),
    }
}

fn lease(number: u64, holder: &str, waits: bool) -> LeaseRow {
    LeaseRow {
        id: format!("{}{number}", if waits { "t" } else { "" }),
        number,
        waits,
        holder: holder.into(),
        mode: "exclusive",
        since: NOW - 60_000,
        state: if waits { "waits" } else { "14m left" }.into(),
        paths: vec!["src/parser.rs".into()],
        reason: if waits { "" } else { "new syntax" }.into(),
        mine: holder == "human",
        away: false,
    }
}

fn project() -> Snapshot {
    let asked =
        Rc::new(message("aaaa1111", "aaaa1111", "reviewer", "human", "Which port shall the server use?"));
    let mut answer =
        message("bbbb2223", "bbbb2222", "claude-1", "codex-1", "yes: version 3\n\nin docs/grammar.md");
    (answer.answers, answer.at) = ("bbbb2222".into(), NOW - 4_000);
    let mut held = message("cccc3333", "cccc3333", "human", "codex-1", "go on");
    (held.state, held.why) = (MailState::At(Stage::Held), "a dialog is open, and waits for you".into());
    let messages = [
        Rc::new(held),
        Rc::clone(&asked),
        Rc::new(answer),
        Rc::new(message("bbbb2222", "bbbb2222", "codex-1", "claude-1", "is the grammar settled?")),
        Rc::new(message("dddd4444", "dddd4444", "swarm", "human", "codex-1 has ended")),
    ];
    let mut agents = vec![
        agent("codex-1", Status::Dialog, Need::Dialog),
        agent("reviewer", Status::Idle, Need::Asks),
        agent("claude-1", Status::Busy, Need::Busy),
        agent("gemini-1", Status::Idle, Need::Idle),
    ];
    (agents[0].waits, agents[0].why) = (1, "a dialog is open, and waits for you".into());
    (agents[1].unread, agents[1].asks) = (1, vec![asked]);
    agents[2].leases = 1;
    Snapshot {
        root: ROOT.into(),
        project: "parser".into(),
        courier: true,
        counts: Counts { needs: 2, busy: 1, idle: 1, unread: 2, held: 1, ..Counts::default() },
        agents,
        threads: threads(&messages),
        leases: vec![lease(7, "claude-1", false), lease(3, "reviewer", true), lease(9, "human", false)],
        tasks: Rc::new(tasks::read(DOCUMENT)),
        waiting: vec![WaitingRow {
            id: "cccc3333".into(),
            what: MailState::At(Stage::Held),
            from: "human".into(),
            to: "codex-1".into(),
            since: NOW - 5000,
            why: "a dialog is open, and waits for you".into(),
            first: "go on".into(),
        }],
        history: Rc::new(vec![LeaseNote {
            at: NOW - 90_000,
            name: "gemini-1".into(),
            what: "released after 3m".into(),
            paths: vec!["src/parser.rs".into()],
        }]),
        ..Snapshot::default()
    }
}

const DOCUMENT: &str = "# Coordination\n\n## Current Work\n\n| Agent | Task | Files |\n|---|---|---|\n| claude-1 | the parser <!-- swarm: from leases --> | src/parser.rs |\n\n## Review\n\n- [ ] reviewer reads the lexer\n- [x] write the grammar\n";

fn app() -> App {
    let mut app = App::new("");
    app.update(project(), NOW);
    app.seen = Seen {
        whom: Whom::of(Path::new(ROOT), &app.shown.agents[0]),
        place: "main:0.1".into(),
        evidence: "dialog because it shows: Would you like to run".into(),
        channel: "mail goes by pane".into(),
        hooks: String::new(),
        screen: Some(7),
        lines: ["• Running cargo publish", "", "› 1. Yes, proceed (y)"].map(Line::raw).to_vec(),
    };
    // A first frame sets the places.
    screen(&mut app, 80, 24);
    app
}

fn key(app: &mut App, code: KeyCode) -> Wish {
    app.press(KeyEvent::new(code, KeyModifiers::NONE), NOW)
}

/// Presses these keys; `⏎` is Enter, `⎋` Esc, `→` Right.
fn press(app: &mut App, keys: &str) -> Wish {
    let code = |c| match c {
        '⏎' => KeyCode::Enter,
        '⎋' => KeyCode::Esc,
        '→' => KeyCode::Right,
        c => KeyCode::Char(c),
    };
    keys.chars().fold(Wish::Nothing, |_, c| key(app, code(c)))
}

fn screen(app: &mut App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app, Theme::default(), NOW)).unwrap();
    terminal.backend().to_string()
}

/// The arguments of the commands of a wish.
fn args(wish: Wish) -> Vec<Vec<String>> {
    match wish {
        Wish::Run(actions) => actions.into_iter().map(|action| action.args).collect(),
        other => panic!("nothing is run: {other:?}"),
    }
}

#[test]
fn who_needs_a_person_and_why_is_seen_at_once_at_any_size() {
    for (width, height) in [(80, 24), (60, 15), (120, 40), (200, 60), (300, 80)] {
        let mut app = app();
        let seen = screen(&mut app, width, height);
        for part in ["▲ codex-1", "dialog", "a dialog is open", "▲ reviewer", "asks you", "▶ claude-1"]
        {
            assert!(seen.contains(part), "{part} at {width}x{height}:\n{seen}");
        }
        assert_eq!(app.agent().unwrap().name, "codex-1", "who needs the person most is selected");
    }
    // Too small for anything useful, but no crash.
    for (width, height) in [(1, 1), (10, 3), (20, 5), (100, 3)] {
        screen(&mut app(), width, height);
    }
    let seen = screen(&mut app(), 39, 30);
    assert!(seen.contains("▲ codex-1") && seen.contains("? keys  q quit"), "{seen}");
}

#[test]
fn the_screens_are_the_ones_that_were_read() {
    for (name, keys, width, height) in [
        ("80x24", "", 80, 24),
        ("60x15", "", 60, 15),
        ("120x40", "", 120, 40),
        ("200x60", "2j", 200, 60),
        ("thread", "2⏎", 80, 24),
        ("threads", "2jj", 120, 30),
        ("leases", "3⏎", 80, 24),
        ("tasks", "4", 120, 30),
        ("keys", "?", 80, 60),
        ("commands", ":ack", 80, 24),
        ("writing", "m", 120, 30),
        ("names", "jmsee @c", 80, 24),
        ("unlock", "3u", 80, 24),
        ("search", "/grammar⏎", 120, 30),
        ("selected", " j ", 80, 24),
        ("no-message", "3ar", 80, 24),
    ] {
        let mut app = app();
        screen(&mut app, width, height);
        press(&mut app, keys);
        snapshot::assert_snapshot(&format!("dashboard-{name}.txt"), &screen(&mut app, width, height));
    }
    let mut empty = App::new("");
    empty.update(Snapshot { project: "parser".into(), ..Snapshot::default() }, NOW);
    snapshot::assert_snapshot("dashboard-empty.txt", &screen(&mut empty, 80, 24));
}

#[test]
fn every_mode_is_drawn_at_the_smallest_size() {
    for keys in ["?", "/port", "m", "M", "3u", "→", "R", ":", "2⏎", "3⏎", "4⏎"] {
        let mut app = app();
        press(&mut app, keys);
        screen(&mut app, 60, 15);
        screen(&mut app, 5, 2);
        screen(&mut app, 150, 3);
    }
}

#[test]
fn the_reference_lists_the_keys_of_the_dashboard() {
    let reference = include_str!("../../../docs/reference.md");
    assert!(reference.contains(&keys::markdown()), "docs/reference.md lacks:\n{}", keys::markdown());
}

#[test]
fn an_answer_to_a_message_goes_out_with_its_text() {
    for keys in ["2r", "jr", "2⏎⏎"] {
        let mut app = app();
        press(&mut app, keys);
        app.paste("8080; #{x}", NOW);
        let Wish::Run(actions) = key(&mut app, KeyCode::Enter) else { panic!("nothing was sent") };
        assert_eq!(&actions[0].args[..3], ["reply", "aaaa1111", "-"], "{keys}");
        assert_eq!(actions[0].stdin, "8080; #{x}");
    }
}

#[test]
fn a_thread_is_read_when_it_is_opened_and_others_mail_is_never_marked_read() {
    let mut app = app();
    assert_eq!(args(press(&mut app, "2⏎")), [["read", "aaaa1111"]]);
    assert!(app.side.focus);
    // Looking at others' mail does not mark it as read.
    let at = app.shown.threads.iter().position(|t| t.id == "bbbb2222").unwrap();
    press(&mut app, "⎋");
    app.go(Panel::Threads, isize::MIN);
    app.go(Panel::Threads, isize::try_from(at).unwrap());
    assert_eq!(key(&mut app, KeyCode::Enter), Wish::Nothing);
    assert!(app.side.focus);
    press(&mut app, "r");
    assert!(matches!(app.mode, Mode::Panels), "a message between others cannot be answered");
    assert!(app.told.as_ref().is_some_and(|(text, _)| text.contains("only messages to you")));
}

#[test]
fn the_message_for_which_a_thread_was_opened_stays_selected_once_it_is_read() {
    let mut app = app();
    let later =
        MessageRow { at: NOW, ..message("aaaa1112", "aaaa1111", "reviewer", "human", "or any other?") };
    let with = |unread: bool| {
        let mut messages =
            vec![later.clone(), message("aaaa1111", "aaaa1111", "reviewer", "human", "which port?")];
        for message in &mut messages {
            message.unread = unread;
        }
        let messages: Vec<Rc<MessageRow>> = messages.into_iter().map(Rc::new).collect();
        Snapshot { threads: threads(&messages), ..project() }
    };
    app.update(with(true), NOW);
    app.go(Panel::Threads, isize::MIN);
    assert_eq!(args(press(&mut app, "2⏎")), [["read", "aaaa1111", "aaaa1112"]]);
    app.update(with(false), NOW);
    assert_eq!(app.message().unwrap().id, "aaaa1111");
    press(&mut app, "⏎");
    assert!(matches!(&app.mode, Mode::Form(form) if form.title() == "Answer to aaaa1111"));
}

#[test]
fn notices_of_swarm_are_one_row_and_are_read_at_once() {
    let mut app = app();
    let notices = app.shown.threads.iter().position(|t| t.id == "notices").unwrap();
    assert_eq!(app.shown.threads[notices].unread, 1);
    assert!(notices > 0, "what somebody asks comes first");
    press(&mut app, "2");
    app.go(Panel::Threads, isize::try_from(notices).unwrap());
    assert_eq!(args(press(&mut app, "x")), [["read", "dddd4444"]]);
    press(&mut app, "r");
    assert!(app.told.as_ref().is_some_and(|(text, _)| text.contains("nobody reads an answer")));
}

#[test]
fn a_lease_is_taken_away_only_after_a_yes_and_several_are_unlocked_together() {
    let mut app = app();
    press(&mut app, "3u");
    assert!(screen(&mut app, 80, 24).contains("Take src/parser.rs away from claude-1?"));
    assert_eq!(press(&mut app, "n"), Wish::Nothing);
    press(&mut app, "u");
    assert_eq!(args(press(&mut app, "y")), [["unlock", "--force", "--yes", "--fence", "7"]]);
    press(&mut app, "jju");
    assert_eq!(args(press(&mut app, "y")), [["unlock", "--fence", "9"]]);
    // The selected ones; the ticket among them cannot be taken away.
    app.go(Panel::Leases, isize::MIN);
    press(&mut app, "   u");
    assert!(screen(&mut app, 80, 24).contains("Take 1 lease away, and give back 1 of your own"));
    assert_eq!(
        args(press(&mut app, "y")),
        [vec!["unlock", "--force", "--yes", "--fence", "7"], vec!["unlock", "--fence", "9"]]
    );
    app.marked[2].clear();
    app.go(Panel::Leases, isize::MIN);
    press(&mut app, "ju");
    assert!(app.told.as_ref().is_some_and(|(text, _)| text.contains("not a ticket")));
}

#[test]
fn an_answer_that_is_held_as_one_too_many_is_delivered_or_dropped_after_a_yes() {
    let mut late = message("eeee5555", "eeee5555", "claude-1", "codex-1", "thanks again");
    (late.paused, late.state) = (true, MailState::At(Stage::Held));
    let mut next = project();
    next.threads.push(threads(&[Rc::new(late)]).remove(0));
    for keys in ["2", "1jj"] {
        let mut app = app();
        app.update(next.clone(), NOW);
        press(&mut app, keys);
        if keys == "2" {
            app.selected[1] = "eeee5555".into();
        }
        assert_eq!(args(press(&mut app, "v")), [["release", "eeee5555"]], "{keys}");
        press(&mut app, "d");
        let seen = screen(&mut app, 80, 24);
        assert!(seen.contains("Drop eeee5555 of claude-1 to codex-1: thanks again? It becomes"), "{seen}");
        assert_eq!(args(press(&mut app, "y")), [["release", "--drop", "eeee5555"]]);
    }
    // Any other key has no question.
    let mut app = app();
    for keys in ["1d", "jv", "2d", "v", "3d", "4v"] {
        assert_eq!(press(&mut app, keys), Wish::Nothing, "{keys}");
        assert!(matches!(app.mode, Mode::Panels), "{keys}");
        assert!(app.told.as_ref().is_some_and(|(text, _)| text.contains("agents.answers")), "{keys}");
    }
}

#[test]
fn the_status_of_an_agents_mail_is_shown_also_if_nothing_waits() {
    let mut app = app();
    assert_eq!(args(press(&mut app, "1w")), [["status", "cccc3333"]], "what waits comes first");
    assert_eq!(args(press(&mut app, "jjw")), [["status", "bbbb2222"]], "the last that was sent to it");
    press(&mut app, "jw");
    assert!(app.told.as_ref().is_some_and(|(text, _)| text.contains("nothing was sent to gemini-1")));
}

#[test]
fn agents_are_grouped_renamed_and_onboarded_together() {
    let mut app = app();
    press(&mut app, "  G");
    app.paste("api", NOW);
    assert_eq!(args(key(&mut app, KeyCode::Enter)), [["group", "add", "--", "api", "codex-1", "reviewer"]]);
    press(&mut app, "R");
    app.paste("api-#", NOW);
    assert_eq!(args(key(&mut app, KeyCode::Enter)), [["name", "--", "codex-1,reviewer", "api-#"]]);
    press(&mut app, "o");
    assert!(screen(&mut app, 80, 24).contains("Tell codex-1, reviewer how to talk here?"));
    assert_eq!(args(press(&mut app, "y")), [["onboard", "--", "codex-1", "reviewer"]]);
    // A group is offered as a recipient, shows for whom a message would wait, and can be searched for.
    let mut next = project();
    next.groups = vec![GroupRow { name: "@api".into(), members: vec!["codex-1".into(), "claude-1".into()] }];
    app.update(next, NOW);
    press(&mut app, "⎋mhi @ap");
    let seen = screen(&mut app, 120, 30);
    assert!(seen.contains("@api  codex-1, claude-1: it would wait for codex-1"), "{seen}");
    key(&mut app, KeyCode::Enter);
    assert_eq!(args(key(&mut app, KeyCode::Enter))[0][..3], ["send", "claude-1,@api", "-"]);
    assert!(screen(&mut app, 120, 30).contains("─ claude-1 · claude · busy 1m · 1 lease · @api ─"));
    press(&mut app, "/@api⏎");
    assert_eq!(app.rows[0].len(), 2);
}

#[test]
fn a_limit_that_is_reached_is_said_before_a_message_is_sent_and_only_as_long_as_it_lasts() {
    let mut app = app();
    let next = Snapshot { limited: Some((10, NOW + 12_300)), ..project() };
    app.update(next, NOW);
    press(&mut app, "m");
    assert!(screen(&mut app, 120, 30).contains("you can send again in 13 s"));
    let mut terminal = Terminal::new(TestBackend::new(120, 30)).unwrap();
    terminal.draw(|frame| draw(frame, &mut app, Theme::default(), NOW + 13_000)).unwrap();
    assert!(!terminal.backend().to_string().contains("can send again"));
}

#[test]
fn mail_that_wants_no_answer_is_unread_mail_and_no_question() {
    let mut app = app();
    let mut next = project();
    let idle = next.agents.iter_mut().find(|a| a.name == "gemini-1").unwrap();
    (idle.unread, idle.waits) = (2, 3);
    app.update(next, NOW);
    let seen = screen(&mut app, 80, 24);
    assert!(seen.contains("● gemini-1 idle      1m  ✉2 →3"), "{seen}");
}

#[test]
fn what_a_form_says_of_its_keys_is_whole_at_any_width() {
    for width in [60, 80, 100, 120, 200] {
        let mut app = app();
        screen(&mut app, width, 30);
        press(&mut app, "m");
        key(&mut app, KeyCode::Char('x'));
        let seen = screen(&mut app, width, 30);
        for part in [
            "Enter sends",
            "Esc leaves",
            "INFO ^T",
            "ack: no ^A",
            "wants: - ^N",
            "editor ^E",
            "new line Alt-Enter",
        ] {
            assert!(seen.contains(part), "{part} at {width}:\n{seen}");
        }
    }
}

#[test]
fn several_agents_are_selected_and_written_to() {
    let mut app = app();
    press(&mut app, "  m");
    app.paste("stop", NOW);
    assert_eq!(args(key(&mut app, KeyCode::Enter))[0][..3], ["send", "codex-1,reviewer", "-"]);
    // One Esc cancels the selection, and none leaves.
    assert_eq!(press(&mut app, "⎋"), Wish::Nothing);
    assert!(app.marked[0].is_empty());
}

#[test]
fn escape_closes_one_thing_at_a_time_and_never_leaves() {
    let mut app = app();
    press(&mut app, "/codex⏎ →");
    assert!(app.side.focus && !app.search.is_blank() && app.marked[0].len() == 1);
    for _ in 0..3 {
        assert_eq!(press(&mut app, "⎋"), Wish::Nothing);
    }
    assert!(!app.side.focus && app.search.is_blank() && app.marked[0].is_empty());
    for opened in ["?", ":", "/x", "m", "R", "3u"] {
        press(&mut app, opened);
        assert!(!matches!(app.mode, Mode::Panels), "{opened}");
        assert_eq!(press(&mut app, "⎋"), Wish::Nothing, "{opened}");
        assert!(matches!(app.mode, Mode::Panels), "{opened}");
    }
    for _ in 0..10 {
        assert_eq!(press(&mut app, "⎋"), Wish::Nothing);
    }
    assert!(app.told.as_ref().is_some_and(|(text, _)| text == "q leaves the dashboard"));
    assert_eq!(press(&mut app, "q"), Wish::Quit);
}

#[test]
fn a_draft_is_kept_until_the_same_is_to_be_written_again() {
    let mut app = app();
    press(&mut app, "mhalf a thought⎋");
    assert!(app.told.as_ref().is_some_and(|(text, _)| text == "the draft is kept"));
    press(&mut app, "jm");
    assert!(matches!(&app.mode, Mode::Form(form) if form.input.is_blank()), "that is for somebody else");
    press(&mut app, "⎋km");
    assert!(matches!(&app.mode, Mode::Form(form) if form.input.text() == "half a thought"));
    let sent = args(key(&mut app, KeyCode::Enter));
    assert_eq!(sent[0][1], "codex-1");
    press(&mut app, "m");
    assert!(matches!(&app.mode, Mode::Form(form) if form.input.is_blank()), "it was sent");
}

#[test]
fn a_search_narrows_all_panels_and_its_hits_are_gone_through() {
    let mut app = app();
    press(&mut app, "/GRAMMAR");
    let rows = |app: &App| [0, 1, 2, 3].map(|panel: usize| app.rows[panel].len());
    assert_eq!(rows(&app), [0, 1, 0, 1], "while it is typed");
    press(&mut app, "⏎");
    assert_eq!(app.panel, Panel::Threads, "the keys go where something was found");
    press(&mut app, "→");
    assert_eq!(app.message().unwrap().body, "yes: version 3\n\nin docs/grammar.md");
    press(&mut app, "N");
    assert_eq!(app.message().unwrap().body, "is the grammar settled?");
    press(&mut app, "nn");
    assert_eq!(app.panel, Panel::Tasks);
    press(&mut app, "n");
    assert_eq!(app.panel, Panel::Threads);
    press(&mut app, "⎋⎋");
    assert_eq!(rows(&app), [4, 4, 3, 3]);
    for (search, found) in
        [("from:codex", 1), ("to:human", 2), ("type:question since:10m", 4), ("type:info", 0)]
    {
        press(&mut app, "/");
        app.paste(search, NOW);
        assert_eq!(app.rows[1].len(), found, "{search}");
        press(&mut app, "⎋");
    }
}

#[test]
fn every_action_is_found_by_a_few_letters_and_does_what_its_key_does() {
    let mut app = app();
    press(&mut app, ":jump⎋3:unlo⏎");
    assert!(matches!(&app.mode, Mode::Confirm { question, .. } if question.contains("src/parser.rs")));
    press(&mut app, "n1");
    assert_eq!(press(&mut app, ":go⏎"), Wish::Jump("codex-1".into()));
    assert_eq!(press(&mut app, ":quit⏎"), Wish::Quit);
}

#[test]
fn a_selection_stays_on_its_row_while_others_come_and_go() {
    let mut app = app();
    press(&mut app, "1jj");
    assert_eq!(app.selected[0], "claude-1");
    let mut next = project();
    next.agents.insert(0, agent("opencode-1", Status::Dialog, Need::Dialog));
    app.update(next.clone(), NOW);
    assert_eq!(app.selected[0], "claude-1");
    // A renamed agent stays the same.
    next.agents.iter_mut().filter(|a| a.name == "claude-1").for_each(|a| {
        (a.name, a.formerly) = ("parser".into(), vec!["claude-1".into()]);
    });
    app.update(next.clone(), NOW);
    assert_eq!(app.selected[0], "parser");
    // No other agent replaces one that has ended, because the next key was meant for that one.
    next.agents.retain(|a| a.name != "parser");
    app.update(next.clone(), NOW);
    assert!(app.agent().is_none());
    let seen = screen(&mut app, 120, 30);
    assert!(seen.contains("parser has ended: no agent is selected"), "{seen}");
    for keys in ["g", "m", "R", "G", "o", "e", "⏎", "→", " "] {
        assert_eq!(press(&mut app, keys), Wish::Nothing, "{keys}");
        assert!(matches!(app.mode, Mode::Panels) && app.marked[0].is_empty() && !app.side.focus, "{keys}");
    }
    // Down goes to the agent in its place, Up to the one before.
    press(&mut app, "j");
    assert_eq!(app.selected[0], "gemini-1");
    let mut again = next.clone();
    again.agents.retain(|a| a.name != "gemini-1");
    app.update(again, NOW);
    press(&mut app, "k");
    assert_eq!(app.selected[0], "reviewer");
    // It is selected again when it is back, and marks go with their agents.
    next.agents.push(agent("parser", Status::Idle, Need::Idle));
    app.update(next.clone(), NOW);
    press(&mut app, " ");
    next.agents.retain(|a| a.name != "reviewer");
    app.update(next, NOW);
    assert!(app.marked[0].is_empty());
    assert!(
        app.told.as_ref().is_some_and(|(text, _)| text == "reviewer has ended and is not selected any more")
    );
    app.update(Snapshot::default(), NOW);
    assert!(app.agent().is_none());
    for keys in ["g", "m", "R", "e", "⏎", "→", "2⏎", "r", "3⏎", "u", "4⏎", "m", " ", "n"] {
        assert_eq!(press(&mut app, keys), Wish::Nothing);
        press(&mut app, "⎋");
    }
}

#[test]
fn a_text_that_was_refused_is_offered_again() {
    let mut app = app();
    press(&mut app, "m");
    app.paste("long text", NOW);
    let Wish::Run(actions) = key(&mut app, KeyCode::Enter) else { panic!("nothing was sent") };
    let action = actions[0].clone();
    app.finish(ActionOutcome { action, ok: false, text: "swarm: rate limit: wait 5s".into() });
    let Mode::Form(form) = &app.mode else { panic!("the text is gone") };
    assert_eq!(form.input.text(), "long text");
    assert!(app.told.as_ref().is_some_and(|(text, failed)| *failed && text.contains("rate limit")));
}

#[test]
fn a_text_that_is_refused_while_another_is_written_is_offered_after_that() {
    let mut app = app();
    press(&mut app, "mfirst");
    let Wish::Run(actions) = key(&mut app, KeyCode::Enter) else { panic!("nothing was sent") };
    press(&mut app, "jmsecond");
    app.finish(ActionOutcome { action: actions[0].clone(), ok: false, text: "swarm: held".into() });
    assert!(matches!(&app.mode, Mode::Form(form) if form.input.text() == "second"));
    press(&mut app, "⎋");
    assert!(matches!(&app.mode, Mode::Form(form) if form.input.text() == "first"));
    let Wish::Run(again) = key(&mut app, KeyCode::Enter) else { panic!("nothing was sent") };
    assert_eq!((again[0].args[1].as_str(), again[0].stdin.as_str()), ("codex-1", "first"));
}

#[test]
fn enter_on_an_agent_goes_to_its_pane() {
    let mut app = app();
    assert_eq!(key(&mut app, KeyCode::Enter), Wish::Jump("codex-1".into()));
    key(&mut app, KeyCode::Down);
    assert_eq!(press(&mut app, "g"), Wish::Jump("reviewer".into()));
    assert_eq!(press(&mut app, "4g"), Wish::Jump("claude-1".into()), "who works on the task");
}

#[test]
fn agents_on_other_hosts_are_shown_and_written_to_and_nothing_else() {
    let mut app = app();
    let mut shown = project();
    let mut away = agent("build/codex-1", Status::Unknown, Need::Other);
    (away.away, away.why, away.since) = (true, "build is unreachable".into(), NOW - 240_000);
    shown.agents.push(away);
    let mut held = lease(12, "build/codex-1", false);
    (held.away, held.state, held.id) = (true, "in the team".into(), "team12".into());
    shown.leases.push(held);
    shown.cut = Some(NOW - 180_000);
    app.update(shown, NOW);
    app.selected[0] = "build/codex-1".into();
    let seen = screen(&mut app, 120, 40);
    for part in [
        "CUT OFF from the team 3m",
        "build/codex-1",
        "4m  build is unreach",
        "last heard 4m ago",
        "in the team",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    for refused in ["g", "e", "R", "G", "o"] {
        assert_eq!(press(&mut app, refused), Wish::Nothing, "{refused}");
        let told = app.told.take().map(|(text, _)| text).unwrap_or_default();
        assert!(told.contains("build/codex-1 is on another host"), "{refused}: {told}");
        assert!(matches!(app.mode, Mode::Panels), "{refused}");
    }
    assert_eq!(key(&mut app, KeyCode::Enter), Wish::Nothing);
    assert!(app.watched().is_none(), "it has no pane here");
    press(&mut app, "m");
    assert!(matches!(&app.mode, Mode::Form(form) if form.to == ["build/codex-1"]));
    let warned = screen(&mut app, 120, 40);
    assert!(warned.contains("it would wait: build is unreachable"), "{warned}");
    key(&mut app, KeyCode::Esc);
    app.turn(Panel::Leases);
    app.selected[Panel::Leases as usize] = "team12".into();
    assert_eq!(press(&mut app, "u"), Wish::Nothing);
    assert!(app.told.take().unwrap().0.contains("build/codex-1 holds it on another host"));
}

#[test]
fn the_selected_row_is_one_bar_and_states_have_a_colour_and_a_sign() {
    let mut app = app();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let theme = Theme { colour: true, ascii: false };
    terminal.draw(|frame| draw(frame, &mut app, theme, NOW)).unwrap();
    let buffer = terminal.backend().buffer();
    for x in 0..80 {
        let cell = &buffer[(x, 2)];
        assert!(cell.modifier == Modifier::REVERSED && cell.fg == Color::Reset, "column {x}: {cell:?}");
    }
    assert_eq!((buffer[(0, 3)].symbol(), buffer[(0, 3)].fg), ("▲", Color::Red));
    assert_eq!((buffer[(0, 4)].symbol(), buffer[(0, 4)].fg), ("▶", Color::Yellow));
    // Without colours the signs and words are the same; in ASCII, letters replace the signs.
    let ascii = Theme { colour: false, ascii: true };
    terminal.draw(|frame| draw(frame, &mut app, ascii, NOW)).unwrap();
    let seen = terminal.backend().to_string();
    assert!(seen.contains("! reviewer") && seen.contains("* claude-1") && !seen.contains('▲'), "{seen}");
}

#[test]
fn hostile_and_wide_texts_stay_in_their_cells() {
    let mut app = app();
    let mut shown = project();
    let body =
        crate::view::text::tidy("👩\u{200d}💻 日本語\u{1b}[2J\u{202e} e\u{301}\t| ".repeat(30).as_str());
    shown.threads = threads(&[Rc::new(message("eeee5555", "eeee5555", "reviewer", "human", &body))]);
    app.update(shown, NOW);
    for (width, height) in [(60, 15), (81, 24), (101, 30)] {
        press(&mut app, "2");
        let seen = screen(&mut app, width, height);
        for row in seen.lines() {
            assert!(!row.contains(['\u{1b}', '\u{202e}', '\u{200d}']), "{row:?}");
            let row = row.split_once("\" Hidden").map_or(row, |(row, _)| row).trim_matches('"');
            assert!(Line::raw(row).width() <= usize::from(width) + 1, "{row}");
        }
        assert!(seen.contains('…'), "what is cut says so:\n{seen}");
        press(&mut app, "→");
        screen(&mut app, width, height);
        press(&mut app, "⎋");
    }
}

fn point(app: &mut App, kind: MouseEventKind, column: u16, row: u16, at: u64) -> Wish {
    let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
    let wish = app.point(event, at);
    screen(app, 120, 40);
    wish
}

#[test]
fn the_mouse_selects_opens_scrolls_and_draws_the_divider() {
    const LEFT: MouseEventKind = MouseEventKind::Down(MouseButton::Left);
    let mut app = app();
    screen(&mut app, 120, 40);
    let (agents, threads, right) =
        (app.places.panels[0].1, app.places.panels[1].1, app.places.right.unwrap());
    point(&mut app, LEFT, 5, agents.y + 3, NOW);
    assert_eq!((app.panel, app.selected[0].as_str()), (Panel::Agents, "claude-1"));
    // The same place again, but too late to be a double click; then soon enough.
    assert_eq!(point(&mut app, LEFT, 5, agents.y + 3, NOW + 900), Wish::Nothing);
    assert_eq!(point(&mut app, LEFT, 5, agents.y + 3, NOW + 1000), Wish::Jump("claude-1".into()));
    assert_eq!(point(&mut app, LEFT, 5, agents.y + 3, NOW + 1100), Wish::Nothing);
    // A thread has two lines here.
    point(&mut app, LEFT, 5, threads.y + 8, NOW + 2000);
    assert_eq!((app.panel, app.selected[1].as_str()), (Panel::Threads, "bbbb2222"));
    point(&mut app, LEFT, right.x + 5, right.y + 1, NOW + 3000);
    assert!(app.side.focus && app.message().unwrap().id == "bbbb2222");
    // A click below the last row selects nothing.
    point(&mut app, LEFT, 5, threads.bottom() - 1, NOW + 4000);
    assert_eq!((app.side.focus, app.selected[1].as_str()), (false, "bbbb2222"));
    // The wheel moves the list under it, and not the one with the keys.
    point(&mut app, MouseEventKind::ScrollUp, 5, agents.y + 1, NOW);
    assert_eq!((app.panel, app.selected[0].as_str()), (Panel::Threads, "codex-1"));
    point(&mut app, LEFT, agents.right(), 10, NOW + 5000);
    point(&mut app, MouseEventKind::Drag(MouseButton::Left), 70, 12, NOW + 5100);
    point(&mut app, MouseEventKind::Up(MouseButton::Left), 70, 12, NOW + 5200);
    point(&mut app, MouseEventKind::Drag(MouseButton::Left), 30, 12, NOW + 5300);
    assert_eq!(app.places.divider, Some(70));
    // A question is answered by a key alone.
    press(&mut app, "3u");
    assert_eq!(point(&mut app, LEFT, 5, agents.y + 3, NOW + 6000), Wish::Nothing);
    assert!(matches!(app.mode, Mode::Confirm { .. }));
}

#[test]
fn what_is_selected_is_copied() {
    let mut app = app();
    for (keys, copied) in [
        ("y", "codex-1"),
        ("Y", "• Running cargo publish\n\n› 1. Yes, proceed (y)"),
        ("2y", "aaaa1111"),
        ("Y", "Which port shall the server use?"),
        ("3y", "src/parser.rs"),
        ("4Y", "claude-1 · the parser · src/parser.rs"),
    ] {
        assert_eq!(press(&mut app, keys), Wish::Copy(copied.into()), "{keys}");
    }
}

#[test]
fn another_project_is_named_while_it_needs_the_person_and_is_gone_to() {
    let mut app = app();
    press(&mut app, "P");
    assert!(matches!(app.mode, Mode::Panels), "there is no other");
    let row = |label: &str, needs| {
        let root = Path::new("/home/ann").join(label);
        ProjectRow { root, label: label.into(), needs, ..ProjectRow::default() }
    };
    app.projects = vec![row("parser", 2), row("web", 1), row("docs", 0)];
    let head = screen(&mut app, 120, 30).lines().next().unwrap().to_owned();
    assert!(head.contains("web ▲1") && !head.contains("docs"), "{head}");
    press(&mut app, "mhalf⎋P");
    assert!(screen(&mut app, 80, 24).contains("2 web"));
    assert_eq!(press(&mut app, "j⏎"), Wish::Project("/home/ann/web".into()));
    press(&mut app, "P");
    assert_eq!(press(&mut app, "3"), Wish::Project("/home/ann/docs".into()));
    app.leave_project();
    app.update(Snapshot { root: "/home/ann/web".into(), project: "web".into(), ..project() }, NOW);
    press(&mut app, "m");
    assert!(
        matches!(&app.mode, Mode::Form(form) if form.input.is_blank()),
        "the draft is for another codex-1"
    );
}

#[test]
fn what_another_agent_shows_is_never_copied_or_shown_as_this_ones() {
    let mut app = app();
    screen(&mut app, 120, 30);
    press(&mut app, "j");
    assert_eq!(press(&mut app, "Y"), Wish::Nothing, "the pane that was seen last is of codex-1");
    assert!(app.told.as_ref().is_some_and(|(text, _)| text == "there is nothing to copy"));
    press(&mut app, "k");
    assert!(screen(&mut app, 120, 30).contains("Running cargo publish"));
    // The same name in another project, whose look was under way; and an agent that was started again in another
    // pane.
    let mut elsewhere = Snapshot { root: "/home/ann/web".into(), ..project() };
    app.update(elsewhere.clone(), NOW);
    assert!(!screen(&mut app, 120, 30).contains("Running cargo publish"));
    assert_eq!(press(&mut app, "Y"), Wish::Nothing);
    (elsewhere.root, elsewhere.agents[0].pane) = (ROOT.into(), "%9".into());
    app.update(elsewhere, NOW);
    assert!(!screen(&mut app, 120, 30).contains("Running cargo publish"));
    assert_eq!(press(&mut app, "Y"), Wish::Nothing);
}

#[test]
fn projects_of_one_name_are_told_apart_and_a_number_keeps_its_meaning_while_the_list_is_open() {
    let row = |root: &str, label: &str| ProjectRow {
        root: root.into(),
        label: label.into(),
        needs: 1,
        ..ProjectRow::default()
    };
    let mut app = app();
    app.update(Snapshot { root: "/home/ann/a/app".into(), project: "app".into(), ..project() }, NOW);
    app.projects = vec![row("/home/ann/b/app", "b/app"), row("/home/ann/a/app", "a/app")];
    let head = screen(&mut app, 120, 30).lines().next().unwrap().to_owned();
    assert!(head.contains("swarm ─ a/app ") && head.contains("b/app ▲1"), "{head}");
    assert!(!head.contains("a/app ▲1"), "its own project is not another one: {head}");
    press(&mut app, "mhalf⎋P");
    assert!(matches!(&app.mode, Mode::Projects { at: 1, .. }), "the one that is shown is selected");
    // Another list arrives, in another order.
    app.projects = vec![row("/home/ann/web", "web"), row("/home/ann/b/app", "b/app")];
    assert!(screen(&mut app, 120, 30).contains("1 b/app"));
    assert_eq!(press(&mut app, "1"), Wish::Project("/home/ann/b/app".into()));
    app.leave_project();
    app.update(Snapshot { root: "/home/ann/b/app".into(), project: "app".into(), ..project() }, NOW);
    press(&mut app, "m");
    assert!(
        matches!(&app.mode, Mode::Form(form) if form.input.is_blank()),
        "the draft is for another codex-1"
    );
    press(&mut app, "⎋");
    app.update(Snapshot { root: "/home/ann/a/app".into(), project: "app".into(), ..project() }, NOW);
    press(&mut app, "m");
    assert!(matches!(&app.mode, Mode::Form(form) if form.input.text() == "half"));
}

#[test]
fn a_line_is_edited_in_the_search_and_in_the_list_of_commands_alike() {
    let with = |app: &mut App, code, modifiers| app.press(KeyEvent::new(code, modifiers), NOW);
    for opened in ["/", ":"] {
        let mut app = app();
        press(&mut app, opened);
        let text = |app: &App| match &app.mode {
            Mode::Commands { input, .. } => input.text(),
            _ => app.search.text(),
        };
        press(&mut app, "kt");
        for code in [KeyCode::Left, KeyCode::Char('i'), KeyCode::Home, KeyCode::Char('s')] {
            key(&mut app, code);
        }
        with(&mut app, KeyCode::Char('x'), KeyModifiers::ALT);
        assert_eq!(text(&app), "skit", "{opened}");
        key(&mut app, KeyCode::Delete);
        key(&mut app, KeyCode::End);
        key(&mut app, KeyCode::Backspace);
        assert_eq!(text(&app), "si", "{opened}");
        with(&mut app, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(text(&app), "", "{opened}");
    }
}

#[test]
fn ten_thousand_messages_cost_what_is_seen_of_them() {
    let messages: Vec<Rc<MessageRow>> = (0..10_000)
        .map(|n| {
            let (id, thread) = (format!("m{n:07}"), format!("t{:07}", n % 2500));
            Rc::new(message(
                &id,
                &thread,
                "codex-1",
                "claude-1",
                &format!("number {n} of many, with some text"),
            ))
        })
        .collect();
    let mut app = app();
    app.update(Snapshot { threads: threads(&messages), ..project() }, NOW);
    press(&mut app, "2");
    let begun = Instant::now();
    for _ in 0..20 {
        key(&mut app, KeyCode::PageDown);
        screen(&mut app, 120, 40);
    }
    // Not optimised, and beside other tests: it only detects a frame whose cost grows with everything there is, a
    // hundredfold.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    press(&mut app, "/9999⏎");
    assert_eq!(app.rows[1].len(), 1);
}

#[test]
fn the_keys_that_a_person_has_chosen_are_shown_everywhere() {
    let mut app = App::new("answer=A quit=Q");
    app.update(project(), NOW);
    press(&mut app, "2");
    let seen = screen(&mut app, 120, 30);
    assert!(seen.contains(" A answer ") && seen.contains(" Q quit "), "{seen}");
    assert!(Keymap::new("answer=A").0.page().contains("A          answer it"));
    let mut wrong = App::new("anwser=A");
    wrong.update(project(), NOW);
    assert!(screen(&mut wrong, 120, 30).contains("did you mean answer?"));
}

#[test]
fn what_a_command_prints_is_a_page_unless_a_person_does_something_else() {
    let mut app = app();
    let outcome = || ActionOutcome {
        action: Action::page("explain codex-1", &["explain", "codex-1"]),
        ok: true,
        text: "because of this".into(),
    };
    app.finish(outcome());
    assert!(screen(&mut app, 80, 24).contains("because of this"));
    press(&mut app, "⎋m");
    app.finish(outcome());
    assert!(app.is_writing());
}

#[test]
fn what_stands_behind_or_between_comments_is_part_of_a_task() {
    let document = "## Work <!-- a -->\n\n| Agent | Task |\n|---|---|\n| claude-1 | <!-- x --> write <!-- y -->parser |\n\n- [ ] <!-- z --> read it\n";
    let rows = tasks::read(document);
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(texts, ["claude-1 · write parser", "read it"]);
    assert_eq!(rows[0].section, "Work");
}

#[test]
fn tasks_are_the_rows_and_items_of_the_document_with_who_works_on_them() {
    let rows = tasks::read(DOCUMENT);
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    assert_eq!(
        texts,
        ["claude-1 · the parser · src/parser.rs", "reviewer reads the lexer", "write the grammar"]
    );
    assert_eq!(rows.iter().map(|row| row.done).collect::<Vec<_>>(), [None, Some(false), Some(true)]);
    assert_eq!((rows[0].line, rows[0].section.as_str()), (7, "Current Work"));
    let shown = project();
    let workers =
        |row: &TaskRow| tasks::workers(row, &shown).iter().map(|a| a.name.clone()).collect::<Vec<_>>();
    assert_eq!(rows.iter().map(workers).collect::<Vec<_>>(), [vec!["claude-1"], vec!["reviewer"], vec![]]);
}

#[test]
fn a_key_goes_to_a_dialog_that_was_seen_long_enough_and_only_once() {
    let at = |app: &mut App, code, later| app.press(KeyEvent::new(code, KeyModifiers::NONE), NOW + later);
    let told = |app: &App| app.told.clone().unwrap_or_default().0;
    let mut app = app();
    // The first agent has the dialog. A key that came with the first frame was meant for something else.
    assert_eq!(press(&mut app, "1A⏎"), Wish::Nothing);
    assert!(told(&app).contains("look again"), "{app:?}", app = told(&app));
    let seen = screen(&mut app, 60, 10);
    assert!(seen.contains("the next key goes to this dialog") && seen.contains("Yes, proceed (y)"), "{seen}");
    assert_eq!(at(&mut app, KeyCode::Enter, 399), Wish::Nothing, "nobody reads that fast");
    // Another screen starts the time again.
    app.seen.screen = Some(8);
    screen(&mut app, 60, 10);
    let Wish::Answer(_, down) = at(&mut app, KeyCode::Down, 400) else { panic!("{}", told(&app)) };
    assert_eq!(
        (down.agent.as_str(), down.pane.as_str(), down.screen, down.key.to_string()),
        ("codex-1", "%1", 8, "Down".into())
    );
    assert_eq!(at(&mut app, KeyCode::Enter, 500), Wish::Nothing, "the first key is under way");
    let action = Action { what: app.running[0].clone(), ..Action::default() };
    app.finish(ActionOutcome { action, ok: true, text: "Down was pressed in codex-1".into() });
    assert_eq!(at(&mut app, KeyCode::F(5), 500), Wish::Nothing, "no key for an agent");
    let Wish::Answer(_, yes) = at(&mut app, KeyCode::Char('y'), 500) else { panic!("{}", told(&app)) };
    assert_eq!((yes.key.to_string(), matches!(app.mode, Mode::Panels)), ("y".into(), true), "once");
    // The screen of another pane is unknown.
    press(&mut app, "A");
    app.seen.whom = Whom::of(Path::new("/elsewhere"), &app.shown.agents[0]);
    screen(&mut app, 60, 10);
    assert_eq!(at(&mut app, KeyCode::Enter, 9_000), Wish::Nothing);
    assert_eq!((press(&mut app, "⎋"), matches!(app.mode, Mode::Panels)), (Wish::Nothing, true));
    app.shown.agents[0].status = Status::Busy;
    press(&mut app, "A");
    assert!(matches!(app.mode, Mode::Panels) && told(&app).contains("no dialog is open"), "{}", told(&app));
}

#[test]
fn a_dialog_is_shown_whole_however_narrow_the_screen_is() {
    let mut app = app();
    app.seen.lines = vec![Line::raw(format!("rm -rf {}END", "x".repeat(100))), Line::raw("1. Yes")];
    press(&mut app, "1A");
    let seen = screen(&mut app, 40, 6);
    assert!(seen.contains("END") && seen.contains("1. Yes") && !seen.contains("(PgUp"), "{seen}");
    let seen = screen(&mut app, 40, 4);
    assert!(!seen.contains("rm -rf") && seen.contains("(PgUp: more)"), "{seen}");
    key(&mut app, KeyCode::PageUp);
    assert!(screen(&mut app, 40, 4).contains("rm -rf"));
}

#[test]
fn what_happened_while_the_person_was_away_is_said_once_and_hides_nothing_else() {
    let outcome = |text: &str| ActionOutcome {
        action: Action::line("look back", &["digest", "--back"]),
        ok: true,
        text: text.into(),
    };
    let mut app = app();
    app.finish(outcome(""));
    assert_eq!(app.told, None);
    app.finish(outcome("while you were away (3h): 1 agent ended"));
    assert!(screen(&mut app, 80, 24).contains("while you were away (3h): 1 agent ended (W shows it)"));
    app.tell("something failed");
    app.finish(outcome("while you were away (3h): 1 agent ended"));
    assert_eq!(app.told, Some(("something failed".into(), true)));
    assert_eq!(args(press(&mut app, "W")), [["digest"]]);
}
