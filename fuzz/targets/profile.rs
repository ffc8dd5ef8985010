//! A user's profile, and screens read by it.

use swarm::agents::{Content, PaneFacts, Profile, read};
use swarm::core::agent::Status;
use swarm::core::screen::Screen;

const SCREENS: [&str; 3] = [
    "────\n> text\n────\n  ready",
    "────\n> \n────\n  ready",
    "\u{1b}[2m❯\u{a0}\u{1b}[7mT\u{1b}[0;2mry\u{1b}[0m\n\n",
];

pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(profile) = Profile::parse(text, "fuzz.toml") else { return };
    for (n, screen) in SCREENS.into_iter().enumerate() {
        let facts = PaneFacts {
            title: "title".into(),
            cursor_x: 2,
            cursor_y: u16::from(n < 2),
            width: 80,
            height: 24,
            in_mode: false,
            alternate: n == 2,
        };
        let reading = read(&profile, &Screen::parse(screen), &facts);
        assert!(!reading.evidence.is_empty());
        let empty = reading.composer.as_ref().is_some_and(|c| c.content == Content::Empty);
        assert!(reading.state != Status::Idle || empty, "idle is an empty composer: {reading:?}");
    }
}
