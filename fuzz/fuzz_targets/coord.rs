//! A coordination document of anybody's making, and every change of every section of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm::core::coord::{Action, Document, Text, change};
use swarm::core::name::Name;

/// A moment, in ms since the epoch.
const NOW: u64 = 1_700_000_000_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (by, what) = (Name::new("claude-1").unwrap(), Text::new("a *text* | with [marks]").unwrap());
    for section in &Document::parse(text).sections {
        for action in [
            Action::Add { text: what.clone(), by: by.clone(), now_ms: NOW },
            Action::Set { text: what.clone(), by: by.clone(), files: "src/a.rs".into(), now_ms: NOW },
            Action::Done { matching: "a".into() },
        ] {
            let Ok(change) = change(text, &section.title, &action) else { continue };
            let Some(after) = change.text else { continue };
            // Only the section that was asked for is touched.
            assert!(after.starts_with(&text[..section.body.start]));
            assert!(after.ends_with(&text[section.body.end..]));
            let titles = |text: &str| Document::parse(text).sections.iter().map(|s| s.title.clone()).collect::<Vec<_>>();
            assert_eq!(titles(text), titles(&after));
        }
    }
});
