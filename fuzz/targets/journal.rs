//! A journal of anybody's making as people and status lines see it, and any text on its way to a terminal, a shell or a script.

use super::assert_plain;
use serde_json::Value;
use swarm::core::badge::Counts;
use swarm::core::escape;
use swarm::core::lease::stats::Tally;
use swarm::core::log::{self, LogFilter};
use swarm::core::span;

fn entries(text: &str) {
    let mut tally = Tally::default();
    for line in text.lines().take(64) {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let shown = log::line(&entry);
        assert_plain(&shown);
        assert!(shown.chars().count() <= 200, "{shown}");
        let json = escape::json(&entry);
        assert_plain(&json);
        // Numbers that no machine number fits are rounded each time.
        let again = |text: &str| serde_json::from_str::<Value>(text).ok();
        assert!(again(&json).is_some() && again(&json) == again(&entry.to_string()), "{json}");
        let agent = entry["from"].as_str().map(str::to_owned);
        let events = entry["event"].as_str().map(str::to_owned).into_iter().collect();
        assert!(LogFilter { events, agent: agent.clone(), since: 0 }.takes(&entry));
        assert!(
            agent.is_none()
                || !LogFilter { agent: Some("nobody at all".into()), ..LogFilter::default() }.takes(&entry)
        );
        tally.count(&entry);
    }
    let _ = tally.stats();
}

/// What a status line is given expands options of the plugin's own and nothing else.
fn badge(data: &[u8]) {
    let mut bytes = data.iter().map(|b| usize::from(*b));
    let mut next = || bytes.next().unwrap_or(0);
    let counts = Counts {
        needs: next(),
        busy: next(),
        idle: next(),
        other: next(),
        unread: next(),
        held: next(),
        overdue: next(),
    };
    for ascii in [true, false] {
        let mut rest = counts.badge(ascii);
        for word in ["#[push-default]", "#[pop-default]", "#[default]"] {
            rest = rest.replace(word, "");
        }
        for name in ["needs", "busy", "idle", "other", "unread", "held", "overdue"] {
            rest = rest.replace(&format!("#[#{{@swarm-style-{name}}}]"), "");
            rest = rest.replace(&format!("#{{@swarm-icon-{name}}}"), "");
        }
        assert!(!rest.contains(['#', '%', '{', '(', '[']), "{rest}");
        assert_plain(&rest);
    }
}

/// Any text, quoted for each of the places that foreign text goes to.
fn quoted(text: &str) {
    let line = escape::line(text);
    assert_plain(&line);
    assert_eq!(escape::line(&line), line);
    assert!(escape::short(text, 20).chars().count() <= 20);
    assert_plain(&escape::short(text, 20));
    let several = escape::text(text);
    assert_plain(&several.replace(['\n', '\t'], ""));
    assert_eq!(several.matches('\n').count(), text.matches('\n').count());
    let word = escape::word(text);
    assert_plain(&word);
    // A shell ends the quotes at each quote, and begins them again.
    let inner =
        word.strip_prefix('\'').and_then(|w| w.strip_suffix('\'')).unwrap_or_else(|| panic!("{word}"));
    assert!(inner.split("'\\''").all(|part| !part.contains('\'')), "{word}");
    if let Some(ms) = span::parse(text) {
        assert_eq!(span::parse(&span::exact(ms)), Some(ms));
    }
    assert!(span::duration(text).map_or_else(|why| !why.is_empty(), |ms| ms > 0));
}

pub fn journal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    entries(&text);
    badge(data);
    quoted(&text);
}
