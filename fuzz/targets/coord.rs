//! A coordination document of anybody's making, and every change of every section of it.

use swarm::core::coord::{AutoRow, CoordAction, Document, Text, auto_rows, change};
use swarm::core::name::Name;

/// A moment, in ms since the epoch.
const NOW: u64 = 1_700_000_000_000;

fn titles(text: &str) -> Vec<String> {
    Document::parse(text).sections.iter().map(|s| s.title.clone()).collect()
}

pub fn coord(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let name = |text: &str| Name::new(text).unwrap_or_else(|why| panic!("{why}"));
    let what = Text::new("a *text* | with [marks]").unwrap_or_else(|why| panic!("{why:?}"));
    let (by, own) = (name("claude-1"), Text::new(text).ok());
    for section in &Document::parse(text).sections {
        assert!(text.get(section.body.clone()).is_some(), "{:?}", section.body);
        let first = text.chars().next().map(String::from).unwrap_or_default();
        for action in [
            CoordAction::Add {
                text: own.clone().unwrap_or_else(|| what.clone()),
                by: by.clone(),
                now_ms: NOW,
            },
            CoordAction::Set { text: what.clone(), by: by.clone(), files: "src/a.rs".into(), now_ms: NOW },
            CoordAction::Done { matching: "a".into() },
            CoordAction::Done { matching: first },
        ] {
            let Ok(change) = change(text, &section.title, &action) else { continue };
            let Some(after) = change.text else { continue };
            // Only the section that was asked for is touched.
            assert!(after.starts_with(&text[..section.body.start]), "{after:?}");
            assert!(after.ends_with(&text[section.body.end..]), "{after:?}");
            assert_eq!(titles(text), titles(&after));
        }
    }
    let row = AutoRow { agent: by, task: Some(what), files: "src/a|b.rs".into() };
    if let Ok(Some(with)) = auto_rows(text, std::slice::from_ref(&row), "2026-01-01 10:00") {
        assert_eq!(titles(text), titles(&with));
        // Once it is there it stays as it is.
        assert_eq!(auto_rows(&with, &[row], "2026-01-01 10:01"), Ok(None), "{with:?}");
    }
}
