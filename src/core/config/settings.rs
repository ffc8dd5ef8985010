//! The settings as typed fields, for the code that uses them.

use super::key::Key;
use super::resolve::Config;
use super::value::Value;
use crate::core::ack::ReminderTimes;
use crate::core::carrier::Carrier;
use crate::core::hook::Enforce;
use crate::core::rate::Limit;
use std::time::Duration;

/// Who gets a notice about a message that stays unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalate {
    /// Its sender and the human.
    Sender,
    /// Every agent as well.
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many messages a sender may send in which time.
    pub rate: Limit,
    /// When to remind of an acknowledgement.
    pub reminders: ReminderTimes,
    /// Who gets the notice after the last reminder.
    pub escalate: Escalate,
    /// How long after a person's key nothing is typed into a pane: whole seconds.
    pub quiet: Duration,
    /// After how long the sender of a held message gets a notice.
    pub held_notice: Duration,
    /// By which ways mail reaches agents, in the order in which they are tried.
    pub carriers: Vec<Carrier>,
    /// What to do about edits of what others hold.
    pub enforce: Enforce,
    /// What to do about commands that take uncommitted work of others with them.
    pub tree: Enforce,
    /// How long a lease lasts if nothing else is asked for.
    pub lease_ttl: Duration,
    /// How long read messages are kept; `None`: for ever.
    pub keep_read: Option<Duration>,
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
    /// How long after its end an agent may start again in its pane; zero: never.
    pub restart: Duration,
    /// How long mail waits for an agent that ended.
    pub grace: Duration,
    /// How many answers in a row agents may give each other without a person; 0: as many as they like.
    pub answers: u32,
    /// The shell command that is run for new mail to the human.
    pub notify: Option<String>,
    /// The person's own keys in the dashboard.
    pub keys: String,
    /// Whether the terminals ring then.
    pub bell: bool,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        let number = |key| match config.value(key) {
            Value::Number(n) => *n,
            _ => 0,
        };
        let time = |key| Duration::from_millis(number(key));
        let word = |key| match config.value(key) {
            Value::Word(word) => *word,
            _ => "",
        };
        let waits = match config.value(Key::AckWaits) {
            Value::Times(waits) => ReminderTimes::new(waits.to_vec()),
            _ => None,
        };
        Self {
            rate: Limit {
                count: usize::try_from(number(Key::RateCount)).unwrap_or(usize::MAX),
                window: time(Key::RateWindow),
            },
            reminders: waits.unwrap_or_default(),
            escalate: if word(Key::AckEscalate) == "all" { Escalate::All } else { Escalate::Sender },
            quiet: Duration::from_secs(number(Key::Quiet).div_ceil(1000)),
            held_notice: time(Key::HeldNotice),
            carriers: match config.value(Key::Carriers) {
                Value::Words(words) => words.iter().filter_map(|word| Carrier::named(word)).collect(),
                _ => Vec::new(),
            },
            enforce: word(Key::Enforce).parse().unwrap_or_default(),
            tree: word(Key::Tree).parse().unwrap_or_default(),
            lease_ttl: time(Key::LeaseTtl),
            keep_read: Some(time(Key::KeepRead)).filter(|time| !time.is_zero()),
            coord_auto: *config.value(Key::CoordAuto) == Value::Switch(true),
            ascii: word(Key::Icons) == "ascii",
            popup: word(Key::Popup) == "urgent",
            team_paths: match config.value(Key::TeamPaths) {
                Value::Globs(globs) => globs.to_vec(),
                _ => Vec::new(),
            },
            offline: word(Key::TeamOffline).parse().unwrap_or_default(),
            restart: time(Key::Restart),
            grace: time(Key::Grace),
            answers: u32::try_from(number(Key::Answers)).unwrap_or(u32::MAX),
            notify: match config.value(Key::Notify) {
                Value::Line(line) => Some(line.to_string()).filter(|line| !line.is_empty()),
                _ => None,
            },
            keys: match config.value(Key::DashboardKeys) {
                Value::Line(line) => line.to_string(),
                _ => String::new(),
            },
            bell: *config.value(Key::Bell) == Value::Switch(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config::{Layer, Source};

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn every_key_reaches_its_place() {
        let defaults = Settings::from(&Config::resolve(vec![]));
        assert_eq!((defaults.rate, &defaults.reminders), (Limit::default(), &ReminderTimes::default()));
        assert_eq!(defaults.keep_read, Some(Duration::from_millis(30 * crate::core::span::DAY)));
        assert!(!defaults.coord_auto && !defaults.ascii && !defaults.popup);
        let text = "[rate]\ncount = 3\nwindow = \"2s\"\n[ack]\nwaits = \"1s\"\nescalate = \"all\"\n\
                    [delivery]\nquiet = 1.5\nheld_notice = \"1m\"\ncarriers = [\"pane\", \"hook\"]\n[hooks]\nenforce = \"warn\"\ntree = \"off\"\n[lease]\nttl = 1\n\
                    [mail]\nkeep_read = 0\n[coord]\nauto = true\n[status]\nicons = \"ascii\"\n[human]\npopup = \"urgent\"\nnotify = \"cat\"\nbell = false\n[dashboard]\nkeys = \"write=w\"\n[team]\npaths = [\"db/**\"]\noffline = \"warn\"\n[agents]\nrestart = \"1h\"\ngrace = 0\nanswers = 3\n";
        let layer = Layer::file(Source::User, "f", text);
        assert_eq!((layer.settings.len(), &layer.problems), (Key::ALL.len(), &vec![]));
        let set = Settings::from(&Config::resolve(vec![layer]));
        let expected = Settings {
            rate: Limit { count: 3, window: 2 * S },
            reminders: ReminderTimes::new(vec![1000]).unwrap(),
            escalate: Escalate::All,
            quiet: 2 * S,
            held_notice: 60 * S,
            carriers: vec![Carrier::Pane, Carrier::Hook],
            enforce: Enforce::Warn,
            tree: Enforce::Off,
            lease_ttl: S,
            keep_read: None,
            coord_auto: true,
            ascii: true,
            popup: true,
            team_paths: vec!["db/**".into()],
            offline: Enforce::Warn,
            restart: 3600 * S,
            grace: Duration::ZERO,
            answers: 3,
            notify: Some("cat".into()),
            keys: "write=w".into(),
            bell: false,
        };
        assert_eq!(set, expected);
    }
}
