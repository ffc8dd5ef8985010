//! The event log: JSON lines, each appended by one write so that several agents may share a file.
//! It decides nothing about what is an event. A failed write is dropped: the log must not end the agent.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

pub(crate) struct Log {
    file: Option<File>,
    style: &'static str,
    pane: String,
}

impl Log {
    pub(crate) fn open(path: Option<&str>, style: &'static str) -> io::Result<Self> {
        let file = path.map(|p| OpenOptions::new().create(true).append(true).open(p)).transpose()?;
        Ok(Self { file, style, pane: std::env::var("TMUX_PANE").unwrap_or_default() })
    }

    pub(crate) fn event(&mut self, event: &str, text: &str) {
        self.event_with(event, text, &[]);
    }

    pub(crate) fn event_with(&mut self, event: &str, text: &str, more: &[(&str, Value)]) {
        let Some(file) = &mut self.file else { return };
        let t = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let mut record = json!({
            "t": u64::try_from(t).unwrap_or(u64::MAX),
            "event": event,
            "text": text,
            "pid": std::process::id(),
            "style": self.style,
            "pane": self.pane,
        });
        for (key, value) in more {
            record[*key] = value.clone();
        }
        let line = format!("{record}\n");
        // Nothing useful can be done about a full disk here.
        let _ = file.write_all(line.as_bytes());
    }
}
