//! The settings as typed fields, for the code that uses them.

use super::key::Key;
use super::resolve::Config;
use super::value::Value;
use crate::core::ack::Schedule;
use crate::core::carrier::Carrier;
use crate::core::hook::Enforce;
use crate::core::rate::Limit;

/// Who gets a notice about a message that stays unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalate {
    /// Its sender and the human.
    Sender,
    /// Every agent as well.
    All,
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many messages a sender may send in which time.
    pub rate: Limit,
    /// When to remind of an acknowledgement.
    pub reminders: Schedule,
    /// Who gets the notice after the last reminder.
    pub escalate: Escalate,
    /// How long after a person's key nothing is typed into a pane (s).
    pub quiet_s: u64,
    /// After how long the sender of a held message gets a notice (ms).
    pub held_notice_ms: u64,
    /// By which ways mail reaches agents, in the order in which they are tried.
    pub carriers: Vec<Carrier>,
    /// What to do about edits of what others hold.
    pub enforce: Enforce,
    /// What to do about commands that take uncommitted work of others with them.
    pub tree: Enforce,
    /// How long a lease lasts if nothing else is asked for (ms).
    pub lease_ttl_ms: u64,
    /// How long read messages are kept (ms); `None`: for ever.
    pub keep_read_ms: Option<u64>,
    /// Whether COORDINATION.md is kept up to date unasked.
    pub coord_auto: bool,
    /// Whether the status line does without icons.
    pub ascii: bool,
    /// Whether urgent mail for the human opens a popup.
    pub popup: bool,
    /// What no agent edits without holding it in the whole team: globs.
    pub team_paths: Vec<String>,
    /// What to do about such edits while the team cannot be asked.
    pub offline: Enforce,
    /// How long after its end an agent may start again in its pane (ms); 0: never.
    pub restart_ms: u64,
    /// How long mail waits for an agent that ended (ms).
    pub grace_ms: u64,
    /// The shell command that is run for new mail to the human.
    pub notify: Option<String>,
    /// Whether the terminals ring then.
    pub bell: bool,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let number = |key| match config.value(key) {
            Value::Number(n) => *n,
            _ => 0,
        };
        let word = |key| match config.value(key) {
            Value::Word(word) => *word,
            _ => "",
        };
        let waits = match config.value(Key::AckWaits) {
            Value::Times(waits) => Schedule::new(waits.to_vec()),
            _ => None,
        };
        Self {
            rate: Limit {
                count: usize::try_from(number(Key::RateCount)).unwrap_or(usize::MAX),
                window_ms: number(Key::RateWindow),
            },
            reminders: waits.unwrap_or_default(),
            escalate: if word(Key::AckEscalate) == "all" { Escalate::All } else { Escalate::Sender },
            quiet_s: number(Key::Quiet).div_ceil(1000),
            held_notice_ms: number(Key::HeldNotice),
            carriers: match config.value(Key::Carriers) {
                Value::Words(words) => words.iter().filter_map(|word| Carrier::named(word)).collect(),
                _ => Vec::new(),
            },
            enforce: word(Key::Enforce).parse().unwrap_or_default(),
            tree: word(Key::Tree).parse().unwrap_or_default(),
            lease_ttl_ms: number(Key::LeaseTtl),
            keep_read_ms: Some(number(Key::KeepRead)).filter(|ms| *ms > 0),
            coord_auto: *config.value(Key::CoordAuto) == Value::Switch(true),
            ascii: word(Key::Icons) == "ascii",
            popup: word(Key::Popup) == "urgent",
            team_paths: match config.value(Key::TeamPaths) {
                Value::Globs(globs) => globs.to_vec(),
                _ => Vec::new(),
            },
            offline: word(Key::TeamOffline).parse().unwrap_or_default(),
            restart_ms: number(Key::Restart),
            grace_ms: number(Key::Grace),
            notify: match config.value(Key::Notify) {
                Value::Line(line) => Some(line.to_string()).filter(|line| !line.is_empty()),
                _ => None,
            },
            bell: *config.value(Key::Bell) == Value::Switch(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config::{Layer, Source};

    #[test]
    fn every_key_reaches_its_place() {
        let defaults = Settings::from(&Config::resolve(vec![]));
        assert_eq!((defaults.rate, &defaults.reminders), (Limit::default(), &Schedule::default()));
        assert_eq!(defaults.keep_read_ms, Some(30 * crate::core::span::DAY));
        assert!(!defaults.coord_auto && !defaults.ascii && !defaults.popup);
        let text = "[rate]\ncount = 3\nwindow = \"2s\"\n[ack]\nwaits = \"1s\"\nescalate = \"all\"\n\
                    [delivery]\nquiet = 1.5\nheld_notice = \"1m\"\ncarriers = [\"pane\", \"hook\"]\n[hooks]\nenforce = \"warn\"\ntree = \"off\"\n[lease]\nttl = 1\n\
                    [mail]\nkeep_read = 0\n[coord]\nauto = true\n[status]\nicons = \"ascii\"\n[human]\npopup = \"urgent\"\nnotify = \"cat\"\nbell = false\n[team]\npaths = [\"db/**\"]\noffline = \"warn\"\n[agents]\nrestart = \"1h\"\ngrace = 0\n";
        let layer = Layer::file(Source::User, "f", text);
        assert_eq!((layer.settings.len(), &layer.problems), (Key::ALL.len(), &vec![]));
        let set = Settings::from(&Config::resolve(vec![layer]));
        let expected = Settings {
            rate: Limit { count: 3, window_ms: 2000 },
            reminders: Schedule::new(vec![1000]).unwrap(),
            escalate: Escalate::All,
            quiet_s: 2,
            held_notice_ms: 60_000,
            carriers: vec![Carrier::Pane, Carrier::Hook],
            enforce: Enforce::Warn,
            tree: Enforce::Off,
            lease_ttl_ms: 1000,
            keep_read_ms: None,
            coord_auto: true,
            ascii: true,
            popup: true,
            team_paths: vec!["db/**".into()],
            offline: Enforce::Warn,
            restart_ms: 3_600_000,
            grace_ms: 0,
            notify: Some("cat".into()),
            bell: false,
        };
        assert_eq!(set, expected);
    }
}
