//! A user's profile, and a screen read by it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm::agents::{PaneFacts, Profile, read};
use swarm::core::screen::Screen;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(profile) = Profile::parse(text, "fuzz.toml") else { return };
    let facts = PaneFacts {
        title: "title".into(),
        cursor_x: 2,
        cursor_y: 1,
        width: 80,
        height: 24,
        in_mode: false,
        alternate: false,
    };
    let _ = read(&profile, &Screen::parse("────\n> text\n────\n  ready"), &facts);
});
