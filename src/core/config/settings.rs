//! The settings as typed fields, for the code that uses them.

use super::file::Source;
use super::key::Key;
use super::resolve::Config;
use super::value::Value;
use crate::core::ack::ReminderTimes;
use crate::core::agent::Agent;
use crate::core::carrier::Carrier;
use crate::core::hook::Enforce;
use crate::core::rate::Limit;
use std::time::Duration;

/// Who gets a notice about a message that stays unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalate {
    /// Its sender and the human.
    Sender,
    /// All agents as well.
    All,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The rate limit of agents.
    pub rate: Limit,
    /// The person's own rate limit. Unless they set one, it only stops runaway commands.
    pub own_rate: Limit,
    /// The times of reminders.
    pub reminders: ReminderTimes,
    /// Who gets the notice after the last reminder.
    pub escalate: Escalate,
    /// How long after a person's key nothing is typed into a pane, in whole seconds.
    pub quiet: Duration,
    /// After how long the sender of a held message gets a notice.
    pub held_notice: Duration,
    /// The carriers of mail, in the order in which they are tried.
    carriers: Vec<Carrier>,
    /// The same for one agent, or for all of a kind.
    carriers_of: Vec<(String, Vec<Carrier>)>,
    /// What to do about edits of files that others hold.
    pub enforce: Enforce,
    /// What to do about git commands that would take others' uncommitted work.
    pub tree: Enforce,
    /// The default duration of a lease.
    pub lease_ttl: Duration,
    /// How long read messages are kept; `None`: for ever.
    pub keep_read: Option<Duration>,
    /// Whether COORDINATION.md is updated automatically.
    pub coord_auto: bool,
    /// Whether the status line has ASCII letters in place of icons.
    pub ascii: bool,
    /// Whether urgent mail for the human opens a popup.
    pub popup: bool,
    /// The paths that no agent edits without a lease of the whole team: globs.
    pub team_paths: Vec<String>,
    /// What to do about edits of these paths while the team cannot be asked.
    pub offline: Enforce,
    /// How long after its end an agent may start again in its pane; zero: never.
    pub restart: Duration,
    /// How long mail waits for an agent that has ended.
    pub grace: Duration,
    /// How many answers in a row agents may give each other without a person; 0: no limit.
    pub answers: u32,
    /// The shell command that is run for new mail to the human.
    pub notify: Option<String>,
    /// The person's own keys in the dashboard.
    pub keys: String,
    /// Whether the terminals ring for new mail to the human.
    pub bell: bool,
}

impl Settings {
    /// The carriers for that agent, in the order in which they are tried.
    pub fn carriers(&self, agent: &Agent) -> &[Carrier] {
        let of = |who: &str| self.carriers_of.iter().find(|(name, _)| name == who).map(|(_, all)| &all[..]);
        of(agent.name.as_str()).or_else(|| of(&agent.kind)).unwrap_or(&self.carriers)
    }

    /// The setting that decides the carriers for an agent.
    pub fn carriers_key(&self, agent: &Agent) -> &'static str {
        let own = self.carriers_of.iter().any(|(who, _)| who == agent.name.as_str() || *who == agent.kind);
        if own { Key::CarriersOf } else { Key::Carriers }.spec().name
    }
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
        let rate = Limit {
            count: usize::try_from(number(Key::RateCount)).unwrap_or(usize::MAX),
            window: time(Key::RateWindow),
        };
        let is_set = |key: Key| config.entries().iter().any(|e| e.key == key && e.source != Source::Default);
        Self {
            rate,
            own_rate: if is_set(Key::RateCount) || is_set(Key::RateWindow) {
                rate
            } else {
                Limit::of_person()
            },
            reminders: waits.unwrap_or_default(),
            escalate: if word(Key::AckEscalate) == "all" { Escalate::All } else { Escalate::Sender },
            quiet: Duration::from_secs(number(Key::Quiet).div_ceil(1000)),
            held_notice: time(Key::HeldNotice),
            carriers: match config.value(Key::Carriers) {
                Value::Words(words) => words.iter().filter_map(|word| Carrier::named(word)).collect(),
                _ => Vec::new(),
            },
            carriers_of: match config.value(Key::CarriersOf) {
                Value::Lists(lists) => lists
                    .iter()
                    .map(|l| (l.of.clone(), l.words.iter().filter_map(|word| Carrier::named(word)).collect()))
                    .collect(),
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
        assert_eq!(defaults.own_rate, Limit::of_person());
        assert_eq!(defaults.keep_read, Some(Duration::from_millis(30 * crate::core::span::DAY)));
        assert!(!defaults.coord_auto && !defaults.ascii && !defaults.popup);
        let text = "[rate]\ncount = 3\nwindow = \"2s\"\n[ack]\nwaits = \"1s\"\nescalate = \"all\"\n\
                    [delivery]\nquiet = 1.5\nheld_notice = \"1m\"\ncarriers = [\"pane\", \"hook\"]\ncarriers_of = \"a=hook\"\n[hooks]\nenforce = \"warn\"\ntree = \"off\"\n[lease]\nttl = 1\n\
                    [mail]\nkeep_read = 0\n[coord]\nauto = true\n[status]\nicons = \"ascii\"\n[human]\npopup = \"urgent\"\nnotify = \"cat\"\nbell = false\n[dashboard]\nkeys = \"write=w\"\n[team]\npaths = [\"db/**\"]\noffline = \"warn\"\n[agents]\nrestart = \"1h\"\ngrace = 0\nanswers = 3\n";
        let layer = Layer::file(Source::User, "f", text);
        assert_eq!((layer.settings.len(), &layer.problems), (Key::ALL.len(), &vec![]));
        let set = Settings::from(&Config::resolve(vec![layer]));
        let expected = Settings {
            own_rate: Limit { count: 3, window: 2 * S },
            rate: Limit { count: 3, window: 2 * S },
            reminders: ReminderTimes::new(vec![1000]).unwrap(),
            escalate: Escalate::All,
            quiet: 2 * S,
            held_notice: 60 * S,
            carriers: vec![Carrier::Pane, Carrier::Hook],
            carriers_of: vec![("a".into(), vec![Carrier::Hook])],
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

    #[test]
    fn an_agents_name_wins_over_its_kind_and_that_over_what_holds_for_all() {
        let text =
            "[delivery]\ncarriers = [\"pane\"]\ncarriers_of = [\"claude=hook\", \"claude-2=hook,pane\"]\n";
        let set = Settings::from(&Config::resolve(vec![Layer::file(Source::User, "f", text)]));
        let agent = |name: &str, kind: &str| -> Agent {
            serde_json::from_value(serde_json::json!({
                "name": name, "kind": kind, "process": {"pid": 1, "start": 1, "boot": "b"},
                "place": {"socket": "/s", "pane": "%1"},
            }))
            .unwrap()
        };
        for (name, kind, carriers, key) in [
            ("claude-2", "claude", &[Carrier::Hook, Carrier::Pane][..], "delivery.carriers_of"),
            ("claude-1", "claude", &[Carrier::Hook], "delivery.carriers_of"),
            ("robot-1", "robot", &[Carrier::Pane], "delivery.carriers"),
        ] {
            let agent = agent(name, kind);
            assert_eq!((set.carriers(&agent), set.carriers_key(&agent)), (carriers, key), "{name}");
        }
    }
}
