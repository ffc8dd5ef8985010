//! What an agent's hook hands in, and the settings file that its hooks are put into.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm::core::hook::{Answer, Event, Host, settings};

const EVENTS: [&str; 8] = [
    "SessionStart", "UserPromptSubmit", "BeforeAgent", "PreToolUse", "BeforeTool", "PostToolUse", "Stop", "Notification",
];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(input) = serde_json::from_slice(bytes) {
        for host in Host::ALL {
            for name in EVENTS {
                let event = Event::parse(host, name, &input);
                let answer = Answer { context: Some("x".into()), deny: Some("y".into()) };
                let _ = answer.render(host, name, &event);
            }
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for host in [Host::Claude, Host::Codex, Host::Gemini] {
        if let Ok(with) = settings::with_hooks(text, host, "/bin/it's swarm") {
            assert_eq!(settings::presence(&with, host, "/bin/it's swarm"), Ok(settings::Presence::Full));
            let without = settings::without_hooks(&with, host).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(settings::presence(&without, host, "/bin/it's swarm"), Ok(settings::Presence::None));
        }
    }
});
