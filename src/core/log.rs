//! The journal for people: filters, and one line per entry.
//!
//! Pure. Every text of an entry passes [`super::escape`], because any process of the user can write the journal.

use super::escape;
use serde_json::Value;

/// The longest line, in characters.
const WIDTH: usize = 200;

/// Which entries are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only events with these names; empty: all.
    pub events: Vec<String>,
    /// Only entries that name this agent.
    pub agent: Option<String>,
    /// Only entries from this time on (ms since the epoch).
    pub since: u64,
}

/// The fields of an entry that may name an agent.
const NAMING: [&str; 6] = ["from", "to", "name", "by", "with", "agent"];

impl LogFilter {
    /// Whether `entry` is shown.
    pub fn takes(&self, entry: &Value) -> bool {
        let event = entry["event"].as_str().unwrap_or_default();
        entry["t"].as_u64().unwrap_or_default() >= self.since
            && (self.events.is_empty() || self.events.iter().any(|e| e == event))
            && self.agent.as_ref().is_none_or(|agent| NAMING.iter().any(|key| names(&entry[*key], agent)))
    }
}

fn names(value: &Value, agent: &str) -> bool {
    match value {
        Value::String(name) => name == agent,
        Value::Array(all) => all.iter().any(|v| names(v, agent)),
        _ => false,
    }
}

/// `HH:MM:SS event key=value …` in UTC, one safe line.
pub fn line(entry: &Value) -> String {
    let seconds = entry["t"].as_u64().unwrap_or_default() / 1000;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = format!(
        "{hour:02}:{minute:02}:{second:02}  {:<12}",
        escape::short(entry["event"].as_str().unwrap_or("?"), 20)
    );
    let fields = entry.as_object().into_iter().flatten();
    for (key, value) in fields.filter(|(k, _)| !matches!(k.as_str(), "t" | "event" | "waited_us")) {
        let shown = match value {
            Value::Null => continue,
            Value::String(text) if text.is_empty() => continue,
            Value::String(text) => text.clone(),
            Value::Array(all) => {
                let words = all.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
                words.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        text.push_str(&format!("  {}={}", escape::short(key, 20), escape::short(&shown, 100)));
    }
    escape::short(&text, WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_filtered_by_event_agent_and_time() {
        let entry = json!({"t": 5000, "event": "sent", "from": "claude-1", "to": ["codex-1"], "id": "abcd"});
        let takes = |filter: LogFilter| filter.takes(&entry);
        assert!(takes(LogFilter::default()));
        assert!(takes(LogFilter { agent: Some("codex-1".into()), ..LogFilter::default() }));
        assert!(!takes(LogFilter { agent: Some("codex".into()), ..LogFilter::default() }));
        assert!(takes(LogFilter {
            events: vec!["read".into(), "sent".into()],
            since: 5000,
            ..LogFilter::default()
        }));
        assert!(!takes(LogFilter { since: 5001, ..LogFilter::default() }));
    }

    #[test]
    fn an_entry_is_one_safe_line() {
        let entry = json!({"t": 3_661_000, "event": "x\u{1b}[2J", "why": "a\nb", "to": ["a", "b"], "n": 3, "no": null});
        let line = line(&entry);
        assert!(line.starts_with("01:01:01  "), "{line}");
        assert!(line.contains("to=a,b") && line.contains("n=3") && !line.contains("no="), "{line}");
        assert!(!line.chars().any(escape::is_unsafe), "{line}");
    }

    #[test]
    fn the_time_of_day_is_told_and_what_is_empty_is_left_out() {
        let entry = json!({"t": 98_745_999, "event": "sent", "waited_us": 3, "why": "", "id": "abcd"});
        assert_eq!(line(&entry), "03:25:45  sent          id=abcd");
        assert_eq!(line(&json!("no entry")), "00:00:00  ?           ");
    }

    #[test]
    fn an_agent_is_found_wherever_it_is_named_and_every_condition_must_hold() {
        let filter = LogFilter { events: vec!["sent".into()], agent: Some("bob".into()), since: 10 };
        for (t, event, key, value, taken) in [
            (10, "sent", "from", json!("bob"), true),
            (10, "sent", "to", json!(["alice", "bob"]), true),
            (10, "sent", "by", json!("bob"), true),
            (10, "sent", "body", json!("bob"), false),
            (10, "sent", "from", json!(["alice"]), false),
            (10, "sent", "from", json!(7), false),
            (10, "read", "from", json!("bob"), false),
            (9, "sent", "from", json!("bob"), false),
        ] {
            let mut entry = json!({"t": t, "event": event});
            entry[key] = value;
            assert_eq!(filter.takes(&entry), taken, "{entry}");
        }
    }
}
