//! Recorded screens, against which rules are checked.
//!
//! A recording is two files: `NAME.ansi`, the screen as tmux captures it, and `NAME.json`, the facts of the pane and
//! the state that a person saw. Pure: others read and write the files.

use super::profile::Profile;
use super::reading::{PaneFacts, Reading, read_version};
use crate::core::agent::Status;
use crate::core::escape;
use crate::core::screen::Screen;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Recording {
    /// The name of its files, without their endings.
    pub name: String,
    /// The screen with its escapes.
    pub screen: Screen,
    pub facts: PaneFacts,
    /// What the agent was doing, as a person saw it.
    pub state: Status,
    /// The name of the overlay, dialog or mode that was open.
    pub open: Option<String>,
    /// The program that ran, and its script if an interpreter ran it.
    pub program: (String, String),
    /// The program's version.
    pub version: String,
}

impl Recording {
    /// Makes a recording of its two files.
    pub fn parse(name: &str, ansi: &str, facts: &str) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(facts.as_bytes())
            .map_err(|why| format!("{name}.json is not valid: {why}"))?;
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| {
            let found = json[key].as_str().and_then(|n| n.parse().ok());
            found.ok_or_else(|| format!("{name}.json has no number '{key}'"))
        };
        let state = match json["state"].as_str() {
            Some(word) => STATES.into_iter().find(|state| state.word() == word),
            None => state_of(name),
        };
        Ok(Self {
            name: name.to_owned(),
            screen: Screen::parse(ansi),
            facts: PaneFacts {
                title: text("pane_title"),
                cursor_x: number("cursor_x")?,
                cursor_y: number("cursor_y")?,
                width: number("pane_width")?,
                height: number("pane_height")?,
                in_mode: false,
                alternate: json["alternate_on"] == "1",
            },
            state: state.ok_or_else(|| unnamed(name))?,
            open: json["open"].as_str().map(str::to_owned),
            program: (text("program"), text("script")),
            version: text("version"),
        })
    }

    /// The reading by a profile, by its rules for the version that was recorded.
    pub fn read(&self, profile: &Profile) -> Reading {
        let version = Some(&*self.version).filter(|version| !version.is_empty());
        read_version(profile, version, &self.screen, &self.facts)
    }

    /// Whether this reading would let swarm type where nothing may be typed.
    pub fn is_false_idle(&self, reading: &Reading) -> bool {
        reading.state == Status::Idle && self.state != Status::Idle
    }
}

pub const STATES: [Status; 7] = [
    Status::Idle,
    Status::Busy,
    Status::Dialog,
    Status::Overlay,
    Status::Draft,
    Status::Limit,
    Status::Unknown,
];

/// The state at the beginning of a recording's name, after the size of the pane, if it has one: `80x24-busy-2`.
pub fn state_of(name: &str) -> Option<Status> {
    match without_size(name).split('-').next().unwrap_or_default() {
        "menu" | "mode" => Some(Status::Overlay),
        word => STATES.into_iter().find(|state| state.word() == word),
    }
}

/// A recording's name without the size of the pane.
pub(super) fn without_size(name: &str) -> &str {
    let (first, rest) = name.split_once('-').unwrap_or((name, ""));
    let is_size = first.split_once('x').is_some_and(|(x, y)| x.parse::<u16>().and(y.parse::<u16>()).is_ok());
    if is_size { rest } else { name }
}

/// The error for a name without a state.
pub fn unnamed(name: &str) -> String {
    let name = escape::short(name, 60);
    format!(
        "'{name}' names no state: let it begin with idle, busy, dialog, draft, limit, menu, mode, overlay or unknown (idle-2, mode-shell)"
    )
}

/// The JSON in which the facts of a pane are saved.
pub fn facts(facts: &PaneFacts, state: Status, program: &(String, String), version: &str) -> Value {
    json!({
        "pane_title": facts.title,
        "cursor_x": facts.cursor_x.to_string(),
        "cursor_y": facts.cursor_y.to_string(),
        "alternate_on": if facts.alternate { "1" } else { "0" },
        "pane_width": facts.width.to_string(),
        "pane_height": facts.height.to_string(),
        "state": state.word(),
        "program": program.0,
        "script": program.1,
        "version": version,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_state_with_its_first_word() {
        for (name, state) in [
            ("idle", Some(Status::Idle)),
            ("80x24-idle-2", Some(Status::Idle)),
            ("mode-shell", Some(Status::Overlay)),
            ("39x24-menu-slash", Some(Status::Overlay)),
            ("draft-multiline", Some(Status::Draft)),
            ("x-idle", None),
            ("idler", None),
            ("", None),
        ] {
            assert_eq!(state_of(name), state, "{name}");
        }
    }

    #[test]
    fn what_is_saved_is_read_again_and_what_is_missing_is_named() {
        let saved = PaneFacts {
            title: "a\tb".into(),
            cursor_x: 2,
            cursor_y: 3,
            width: 80,
            height: 24,
            in_mode: false,
            alternate: true,
        };
        let program = ("node".to_owned(), "x/cli.js".to_owned());
        let text = facts(&saved, Status::Busy, &program, "1.2").to_string();
        let read = Recording::parse("idle", "> ", &text).unwrap();
        assert_eq!(
            (&read.facts, read.state, &read.program, &*read.version),
            (&saved, Status::Busy, &program, "1.2")
        );
        for (name, text, said) in [
            ("idle", "{", "idle.json is not valid"),
            ("idle", "{}", "idle.json has no number 'cursor_x'"),
            ("x", &text.replace("\"busy\"", "null"), "'x' names no state"),
            ("idle", &text.replace("busy", "asleep"), "'idle' names no state"),
        ] {
            let why = Recording::parse(name, "", text).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
