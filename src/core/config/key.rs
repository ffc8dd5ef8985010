//! The one table of settings. The command line and the documentation print it.

use super::value::{SettingType, Value, Zero};
use crate::core::carrier::Carrier;
use crate::core::span::DAY;
use std::borrow::Cow;

/// What a project's file, which comes with a clone, may do with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Set it.
    Free,
    /// Lower it; 0, which means no limit, counts as the highest. In a list of words: leave words out, also for one
    /// agent.
    Fewer,
    /// Increase it; 0, if it means for ever, counts as the longest.
    Longer,
    /// Give at most as many durations, none of them shorter.
    Rarer,
    /// Choose a word that stands earlier in its list.
    Earlier,
    /// Nothing, because the setting is about a person's own terminal.
    Never,
}

/// Which part of a variable has the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariablePart {
    Whole,
    /// The part before the `/`.
    Before,
    /// The part after the `/`.
    After,
}

#[derive(Debug)]
pub struct Spec {
    /// Its name in files and on the command line: `table.leaf`.
    pub name: &'static str,
    /// Its type and range.
    pub kind: SettingType,
    /// The default value.
    pub default: Value,
    /// The environment variable.
    pub variable: &'static str,
    pub part: VariablePart,
    /// What a project's file may do.
    pub rule: Rule,
    /// Its effect, in one line.
    pub effect: &'static str,
}

/// Makes [`Key`] and its table from the rows.
macro_rules! settings {
    ($($key:ident { $($spec:tt)* })*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Key {
            $($key,)*
        }

        const SPECS: &[Spec] = &[$(Spec { $($spec)* }),*];

        impl Key {
            /// All keys, in the order in which they are listed.
            pub const ALL: [Key; SPECS.len()] = [$(Key::$key),*];
        }
    };
}

settings! {
    RateCount {
        name: "rate.count",
        kind: SettingType::Count { min: 0, max: 100_000 },
        default: Value::Number(10),
        variable: "SWARM_RATE_LIMIT",
        part: VariablePart::Before,
        rule: Rule::Fewer,
        effect: "messages that one sender may send within rate.window; 0: no limit",
    }
    RateWindow {
        name: "rate.window",
        kind: SettingType::Time { min: 1000, max: DAY, zero: None },
        default: Value::Number(60_000),
        variable: "SWARM_RATE_LIMIT",
        part: VariablePart::After,
        rule: Rule::Longer,
        effect: "the time in which rate.count messages may be sent",
    }
    AckWaits {
        name: "ack.waits",
        kind: SettingType::Times { min: 100, max: DAY, most: crate::core::ack::ReminderTimes::MAX },
        default: Value::Times(Cow::Borrowed(&[30_000, 60_000, 120_000])),
        variable: "SWARM_ACK_WAITS",
        part: VariablePart::Whole,
        rule: Rule::Rarer,
        effect: "the waits before each reminder of a message sent with --ack",
    }
    AckEscalate {
        name: "ack.escalate",
        kind: SettingType::Word(&["sender", "all"]),
        default: Value::Word("sender"),
        variable: "SWARM_ACK_ESCALATE",
        part: VariablePart::Whole,
        rule: Rule::Free,
        effect: "who gets a notice about a message that stays unacknowledged: its sender and the human, or all agents too",
    }
    Quiet {
        name: "delivery.quiet",
        kind: SettingType::Time { min: 1000, max: 600_000, zero: Some(Zero::AtOnce) },
        default: Value::Number(3000),
        variable: "SWARM_QUIET",
        part: VariablePart::Whole,
        rule: Rule::Longer,
        effect: "how long swarm waits after a person's key before it types into that pane (whole seconds)",
    }
    HeldNotice {
        name: "delivery.held_notice",
        kind: SettingType::Time { min: 100, max: DAY, zero: None },
        default: Value::Number(300_000),
        variable: "SWARM_HELD_NOTICE",
        part: VariablePart::Whole,
        rule: Rule::Free,
        effect: "how long a message is held before its sender gets a notice with the reason",
    }
    Carriers {
        name: "delivery.carriers",
        kind: SettingType::Words(&Carrier::WORDS),
        default: Value::Words(Cow::Borrowed(&Carrier::WORDS)),
        variable: "SWARM_CARRIERS",
        part: VariablePart::Whole,
        rule: Rule::Fewer,
        effect: "the carriers of mail to an agent: its own channels and its pane are tried in this order; its hooks hand over waiting mail; a carrier that is left out is never used",
    }
    CarriersOf {
        name: "delivery.carriers_of",
        kind: SettingType::Lists { words: &Carrier::WORDS, most: 64 },
        default: Value::Lists(Cow::Borrowed(&[])),
        variable: "SWARM_CARRIERS_OF",
        part: VariablePart::Whole,
        rule: Rule::Fewer,
        effect: "the same for one agent or for all of a kind, such as claude-1=pane codex=hook,pane; the list for a name has priority over the list for its kind, and that over delivery.carriers",
    }
    Enforce {
        name: "hooks.enforce",
        kind: SettingType::Word(&["deny", "warn", "off"]),
        default: Value::Word("deny"),
        variable: "SWARM_ENFORCE",
        part: VariablePart::Whole,
        rule: Rule::Earlier,
        effect: "what an agent's hook does about an edit of a path that another agent holds: refuse it, warn about it, or ignore it",
    }
    Tree {
        name: "hooks.tree",
        kind: SettingType::Word(&["deny", "warn", "off"]),
        default: Value::Word("deny"),
        variable: "SWARM_TREE",
        part: VariablePart::Whole,
        rule: Rule::Earlier,
        effect: "what an agent's hook does about a git command that would discard, stash or commit what another agent holds or has edited: refuse it, warn about it, or ignore it",
    }
    LeaseTtl {
        name: "lease.ttl",
        kind: SettingType::Time { min: 1000, max: DAY, zero: None },
        default: Value::Number(900_000),
        variable: "SWARM_LEASE_TTL",
        part: VariablePart::Whole,
        rule: Rule::Free,
        effect: "how long a lease lasts without --ttl",
    }
    KeepRead {
        name: "mail.keep_read",
        kind: SettingType::Time { min: 1000, max: 3650 * DAY, zero: Some(Zero::ForEver) },
        default: Value::Number(30 * DAY),
        variable: "SWARM_KEEP_READ",
        part: VariablePart::Whole,
        rule: Rule::Longer,
        effect: "how long messages are kept that were read, or submitted to an agent as a whole; other messages, and those that wait for an acknowledgement, are never removed",
    }
    CoordAuto {
        name: "coord.auto",
        kind: SettingType::Switch,
        default: Value::Switch(false),
        variable: "SWARM_COORD_AUTO",
        part: VariablePart::Whole,
        rule: Rule::Free,
        effect: "keep the agents' rows of COORDINATION.md up to date automatically",
    }
    Icons {
        name: "status.icons",
        kind: SettingType::Word(&["unicode", "ascii"]),
        default: Value::Word("unicode"),
        variable: "SWARM_ICONS",
        part: VariablePart::Whole,
        rule: Rule::Never,
        effect: "the signs in the status line and the dashboard: icons (in the status line those of @swarm-icon-…), or letters",
    }
    Popup {
        name: "human.popup",
        kind: SettingType::Word(&["off", "urgent"]),
        default: Value::Word("off"),
        variable: "SWARM_POPUP",
        part: VariablePart::Whole,
        rule: Rule::Never,
        effect: "whether urgent mail for you opens your inbox in a popup, once you have stopped typing",
    }
    TeamPaths {
        name: "team.paths",
        kind: SettingType::Globs { most: 64 },
        default: Value::Globs(Cow::Borrowed(&[])),
        variable: "SWARM_TEAM_PATHS",
        part: VariablePart::Whole,
        rule: Rule::Free,
        effect: "paths that no agent may edit without the team's lease, once the project is in a team",
    }
    TeamOffline {
        name: "team.offline",
        kind: SettingType::Word(&["deny", "warn"]),
        default: Value::Word("deny"),
        variable: "SWARM_TEAM_OFFLINE",
        part: VariablePart::Whole,
        rule: Rule::Earlier,
        effect: "what to do about edits of team.paths while the team cannot be reached",
    }
    Restart {
        name: "agents.restart",
        kind: SettingType::Time { min: 1000, max: DAY, zero: Some(Zero::Never) },
        default: Value::Number(30 * 60_000),
        variable: "SWARM_RESTART",
        part: VariablePart::Whole,
        rule: Rule::Never,
        effect: "how long after its end an agent that is started again in its pane and directory is the same one; its conversation and its name are evidence at any time",
    }
    Grace {
        name: "agents.grace",
        kind: SettingType::Time { min: 1000, max: DAY, zero: Some(Zero::AtOnce) },
        default: Value::Number(30_000),
        variable: "SWARM_GRACE",
        part: VariablePart::Whole,
        rule: Rule::Free,
        effect: "how long mail waits for an agent that ended, in case it is started again, before it becomes a dead letter",
    }
    Answers {
        name: "agents.answers",
        kind: SettingType::Count { min: 0, max: 100_000 },
        default: Value::Number(8),
        variable: "SWARM_ANSWERS",
        part: VariablePart::Whole,
        rule: Rule::Fewer,
        effect: "how many answers in a row agents may give each other in a thread before the next one is held until a person releases it; 0: no limit",
    }
    Notify {
        name: "human.notify",
        kind: SettingType::Line { most: 1000 },
        default: Value::Line(Cow::Borrowed("")),
        variable: "SWARM_NOTIFY",
        part: VariablePart::Whole,
        rule: Rule::Never,
        effect: "a shell command for new mail for you, at most once in 5 s: the text is on its standard input and in $SWARM_TEXT, the project in $SWARM_PROJECT",
    }
    DashboardKeys {
        name: "dashboard.keys",
        kind: SettingType::Line { most: 1000 },
        default: Value::Line(Cow::Borrowed("")),
        variable: "SWARM_DASHBOARD_KEYS",
        part: VariablePart::Whole,
        rule: Rule::Never,
        effect: "your own keys in the dashboard, such as write=w answer=Ctrl-R open=F5; the reference lists the actions",
    }
    Bell {
        name: "human.bell",
        kind: SettingType::Switch,
        default: Value::Switch(true),
        variable: "SWARM_BELL",
        part: VariablePart::Whole,
        rule: Rule::Never,
        effect: "whether the terminals ring when there is new mail for you",
    }
}

impl Key {
    pub fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    /// The key called `name`; the error names the nearest one.
    pub fn find(name: &str) -> Result<Key, String> {
        if let Some(key) = Key::ALL.into_iter().find(|k| k.spec().name == name) {
            return Ok(key);
        }
        let shown = crate::core::escape::short(name, 60);
        let leaf = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let distance = |key: &Key| {
            let known = key.spec().name;
            if leaf(known) == leaf(name) { 0 } else { strsim::damerau_levenshtein(known, name) }
        };
        let nearest = Key::ALL.into_iter().min_by_key(distance).filter(|k| distance(k) <= 4);
        Err(match nearest {
            Some(key) => format!("there is no setting '{shown}'; did you mean {}?", key.spec().name),
            None => format!("there is no setting '{shown}'; `swarm config keys` lists them"),
        })
    }
}

impl Rule {
    /// In words, for a table.
    pub fn word(self) -> &'static str {
        match self {
            Rule::Free => "yes",
            Rule::Fewer => "fewer only",
            Rule::Longer => "longer only",
            Rule::Rarer => "rarer only",
            Rule::Earlier => "stricter only",
            Rule::Never => "no",
        }
    }

    /// Whether a project may replace `yours` by `its`.
    pub fn allows(self, kind: SettingType, yours: &Value, its: &Value) -> bool {
        let unbounded = |n: u64| if n == 0 { u64::MAX } else { n };
        let forever = matches!(kind, SettingType::Time { zero: Some(Zero::ForEver), .. });
        match (self, yours, its) {
            (Rule::Free, ..) => true,
            (Rule::Fewer, Value::Words(yours), Value::Words(its)) => {
                its.iter().all(|word| yours.contains(word))
            }
            (Rule::Fewer, Value::Number(yours), Value::Number(its)) => unbounded(*its) <= unbounded(*yours),
            (Rule::Longer, Value::Number(yours), Value::Number(its)) if forever => {
                unbounded(*its) >= unbounded(*yours)
            }
            (Rule::Longer, Value::Number(yours), Value::Number(its)) => its >= yours,
            (Rule::Rarer, Value::Times(yours), Value::Times(its)) => {
                its.len() <= yours.len() && its.iter().zip(yours.iter()).all(|(its, yours)| its >= yours)
            }
            (Rule::Earlier, Value::Word(yours), Value::Word(its)) => match kind {
                SettingType::Word(words) => {
                    let place = |word: &str| words.iter().position(|w| *w == word);
                    place(its) <= place(yours)
                }
                _ => false,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_keys_and_its_defaults_are_allowed() {
        for (place, key) in Key::ALL.into_iter().enumerate() {
            let spec = key.spec();
            assert_eq!(key as usize, place, "{}", spec.name);
            assert_eq!(
                spec.kind.parse(&spec.kind.text(&spec.default)).as_ref(),
                Ok(&spec.default),
                "{}",
                spec.name
            );
            assert_eq!(spec.kind.parse_toml(&spec.kind.toml(&spec.default)).as_ref(), Ok(&spec.default));
            assert_eq!(spec.name.split('.').count(), 2);
        }
        assert_eq!(Key::Enforce.spec().name, "hooks.enforce");
        assert_eq!(Key::Popup.spec().name, "human.popup");
        assert_eq!(Key::KeepRead.spec().name, "mail.keep_read");
    }

    #[test]
    fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
        for (asked, meant) in
            [("rate.cuont", "rate.count"), ("locks.ttl", "lease.ttl"), ("enforce", "hooks.enforce")]
        {
            assert!(Key::find(asked).unwrap_err().ends_with(&format!("did you mean {meant}?")), "{asked}");
        }
        assert!(Key::find("colour.of.the.sky").unwrap_err().contains("config keys"));
    }

    #[test]
    fn a_project_may_only_go_the_careful_way() {
        let check = |key: Key, yours, its| {
            let kind = key.spec().kind;
            key.spec().rule.allows(kind, &kind.parse(yours).unwrap(), &kind.parse(its).unwrap())
        };
        assert!(check(Key::RateCount, "10", "5") && check(Key::RateCount, "0", "5"));
        assert!(!check(Key::RateCount, "10", "11") && !check(Key::RateCount, "10", "0"));
        assert!(check(Key::Quiet, "3", "4") && !check(Key::Quiet, "3", "0"));
        assert!(check(Key::KeepRead, "30d", "0") && !check(Key::KeepRead, "0", "30d"));
        assert!(
            check(Key::Carriers, "claude-inbox,pane", "pane") && !check(Key::Carriers, "pane", "pane,hook")
        );
        assert!(check(Key::Enforce, "warn", "deny") && !check(Key::Enforce, "deny", "off"));
        assert!(!check(Key::Popup, "off", "off"));
        assert!(check(Key::AckWaits, "30s,1m,2m", "1m,1m,2m") && check(Key::AckWaits, "30s,1m,2m", "30s"));
        assert!(!check(Key::AckWaits, "30s,1m,2m", "100ms,100ms"));
        assert!(!check(Key::AckWaits, "30s,1m", "30s,1m,2m") && !check(Key::AckWaits, "30s,1m", "30s,59s"));
    }

    #[test]
    fn the_values_are_those_of_the_documentation() {
        let shown = |key: Key| (key.spec().kind.text(&key.spec().default), key.spec().kind.describe());
        assert_eq!(shown(Key::KeepRead), ("30d".into(), "a time from 1s to 3650d, or 0: for ever".into()));
        assert_eq!(shown(Key::Quiet), ("3s".into(), "a time from 1s to 10m, or 0: at once".into()));
        assert_eq!(shown(Key::AckWaits), ("30s,1m,2m".into(), "1 to 10 times from 100ms to 1d".into()));
        assert_eq!(shown(Key::RateCount), ("10".into(), "a number from 0 to 100000".into()));
        assert_eq!(shown(Key::Enforce), ("deny".into(), "deny, warn or off".into()));
        assert_eq!(shown(Key::CoordAuto), ("false".into(), "true or false".into()));
    }

    #[test]
    fn what_a_project_may_do_is_shown_in_words() {
        let all = [Rule::Free, Rule::Fewer, Rule::Longer, Rule::Rarer, Rule::Earlier, Rule::Never];
        let words = all.map(Rule::word);
        assert_eq!(words, ["yes", "fewer only", "longer only", "rarer only", "stricter only", "no"]);
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_allowed_to_nobody() {
        let (number, word) = (Value::Number(1), Value::Word("deny"));
        let words = Key::Enforce.spec().kind;
        for rule in [Rule::Fewer, Rule::Longer, Rule::Rarer, Rule::Earlier] {
            assert!(!rule.allows(words, &number, &word), "{rule:?}");
        }
        assert!(!Rule::Earlier.allows(SettingType::Switch, &word, &word));
        assert!(Rule::Free.allows(words, &number, &word));
    }
}
