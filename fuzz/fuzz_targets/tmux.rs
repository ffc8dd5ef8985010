//! What tmux captures from a pane, read by every built-in profile.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use swarm::agents::{PaneFacts, Profiles, read};
use swarm::core::screen::Screen;
use swarm::tmux::version;

// Their patterns take longer to build than to try.
static PROFILES: OnceLock<Profiles> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (x, y) = (bytes.first().copied().unwrap_or(0), bytes.get(1).copied().unwrap_or(0));
    let screen = Screen::parse(&text);
    let facts = PaneFacts {
        title: text.chars().take(60).collect(),
        cursor_x: x.into(),
        cursor_y: u16::from(y) % 50,
        width: 120,
        height: 40,
        in_mode: false,
        alternate: x % 2 == 0,
    };
    let profiles = PROFILES.get_or_init(|| Profiles::builtin().unwrap_or_else(|why| panic!("{why}")));
    for kind in ["claude", "codex", "gemini", "opencode", "aider"] {
        if let Some(profile) = profiles.get(kind) {
            let reading = read(profile, &screen, &facts);
            assert!(!reading.evidence.is_empty());
        }
    }
    let _ = version::is_supported(&text);
});
