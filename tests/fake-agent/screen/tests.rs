//! Every style in every state at every size a pane may have: no panic, whole frames, cursor inside.

use super::*;
use crate::control::Order;
use crate::input::Key;
use crate::log::Log;
use crate::options::Options;

fn agent(style: &str, args: &[&str]) -> Agent {
    let args: Vec<String> =
        [&["fake-agent", "--style", style], args].concat().iter().map(|a| (*a).to_owned()).collect();
    let options = Options::parse(&args, |_| None).unwrap();
    let log = Log::open(None, options.style.name()).unwrap();
    Agent::new(options, log, None)
}

/// The text of a row without its SGR codes.
fn plain(line: &Line) -> String {
    sanitize(&line.ansi)
}

fn submit(agent: &mut Agent, text: &str, now: u64) {
    agent.key(Key::Paste(text.into()), now);
    agent.key(Key::Enter, now + 500);
    agent.tick(now + 500);
}

#[test]
fn frames_fit_every_pane() {
    let long = "long ".repeat(60);
    for style in ["claude", "codex", "gemini", "opencode"] {
        for size in [(40, 10), (41, 11), (80, 24), (120, 40), (200, 50), (3, 2), (1, 1)] {
            let mut agent = agent(style, &[]);
            let look = |agent: &Agent| {
                let frame = render(agent, size, 600);
                assert_eq!(frame.rows.len(), size.1, "{style} {size:?}");
                assert!(frame.rows.iter().all(|r| r.width <= size.0), "{style} {size:?}");
                assert!(frame.cursor.0 <= size.0 && frame.cursor.1 < size.1);
            };
            look(&agent);
            agent.key(Key::Paste(long.clone()), 0);
            look(&agent);
            agent.key(Key::Enter, 500);
            agent.tick(500);
            look(&agent);
            agent.order(Ok(Order::Dialog("touch x".into())), 500);
            look(&agent);
            agent.key(Key::Escape, 500);
            look(&agent);
            agent.order(Ok(Order::Overlay), 500);
            look(&agent);
        }
    }
}

#[test]
fn the_cursor_is_where_the_real_agents_have_it() {
    for (style, fresh, x, y) in [
        ("claude", (2, 6), 2, 12),
        ("codex", (2, 36), 2, 36),
        ("gemini", (3, 18), 3, 22),
        ("opencode", (26, 20), 5, 34),
    ] {
        let mut agent = agent(style, &[]);
        assert_eq!(render(&agent, (120, 40), 0).cursor, fresh, "{style}");
        submit(&mut agent, "say hello", 0);
        agent.tick(600);
        assert_eq!(render(&agent, (120, 40), 600).cursor, (x, y), "{style}");
        "half typed dra".chars().for_each(|c| agent.key(Key::Char(c), 700));
        assert_eq!(render(&agent, (120, 40), 700).cursor.0, x + 14, "{style}");
    }
}

#[test]
fn dialogs_have_no_composer_and_titles_tell_what_the_real_ones_tell() {
    for (style, idle, busy, asking) in [
        ("claude", "✳ Claude Code", "⠂ Claude Code", "✳ Claude Code"),
        ("gemini", "◇  Ready (", "✦  Working… (", "✋  Action Required ("),
        ("codex", "", "⠋ ", "[ ! ] Action Required | "),
        ("opencode", "OpenCode", "OpenCode", "OpenCode"),
    ] {
        let mut agent = agent(style, &["--busy", "9000"]);
        assert!(render(&agent, (120, 40), 0).title.starts_with(idle));
        submit(&mut agent, "go", 0);
        assert!(render(&agent, (120, 40), 1000).title.starts_with(busy), "{style}");
        agent.order(Ok(Order::Dialog("touch x".into())), 1000);
        let frame = render(&agent, (120, 40), 1000);
        assert!(frame.title.starts_with(asking), "{style}");
        assert!(!frame.rows.iter().any(|r| plain(r).contains("❯\u{a0}") || plain(r).contains("Ask Codex")));
        agent.key(Key::Enter, 1000);
        assert!(agent.dialog.is_none());
    }
}
