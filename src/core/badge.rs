//! Shows the project in a few counts, as one tmux format for a status line.
//!
//! Pure. A count of zero is left out, and the counts that call a person come first. Colours and icons are options
//! that the person may set, so the text changes only with a count. Between and after the counts, the colours are
//! those of the surrounding status line.

use super::agent::{Agent, Status};
use super::name::Name;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Agents that wait for a person: a dialog is open, or there is unread mail from them.
    pub needs: usize,
    /// Agents in a turn.
    pub busy: usize,
    /// Agents at an empty composer.
    pub idle: usize,
    /// Living agents in any other state.
    pub other: usize,
    /// Unread messages to the person at the keyboard.
    pub unread: usize,
    /// Messages that are held.
    pub held: usize,
    /// Messages with at least one reminder.
    pub overdue: usize,
}

/// The names of the icon options are `@swarm-icon-` and these; the letter replaces the icon if only ASCII is wanted.
const PARTS: [(&str, char); 7] = [
    ("needs", '!'),
    ("busy", '*'),
    ("idle", '.'),
    ("other", '?'),
    ("unread", 'm'),
    ("held", 'h'),
    ("overdue", 'o'),
];

impl Counts {
    /// Counts the living agents by state. `askers` are the agents that have unread mail to the person.
    #[must_use]
    pub fn agents(mut self, agents: &[Agent], askers: &[Name]) -> Self {
        for agent in agents.iter().filter(|a| a.is_live()) {
            match agent.status {
                _ if askers.iter().any(|name| agent.answers_to(name)) => self.needs += 1,
                Status::Dialog => self.needs += 1,
                Status::Busy => self.busy += 1,
                Status::Idle => self.idle += 1,
                Status::Overlay | Status::Draft | Status::Limit | Status::Unknown => self.other += 1,
            }
        }
        self
    }

    /// The counts that matter to a person in another project.
    #[must_use]
    pub fn calls(self) -> Self {
        Self { needs: self.needs, unread: self.unread, overdue: self.overdue, ..Self::default() }
    }

    fn in_order(self) -> [usize; 7] {
        [self.needs, self.busy, self.idle, self.other, self.unread, self.held, self.overdue]
    }

    /// The text for `@swarm_badge`: a format, to be expanded.
    pub fn badge(self, ascii: bool) -> String {
        let parts: Vec<String> = PARTS
            .iter()
            .zip(self.in_order())
            .filter(|(_, count)| *count > 0)
            .map(|((name, letter), count)| {
                let icon = if ascii { letter.to_string() } else { format!("#{{@swarm-icon-{name}}}") };
                format!("#[#{{@swarm-style-{name}}}]{icon}{count}#[default]")
            })
            .collect();
        if parts.is_empty() {
            String::new()
        } else {
            format!("#[push-default]{}#[pop-default]", parts.join(" "))
        }
    }
}

/// The name of a project on a status line: letters, digits and `-`, `.`, `_` of its directory's name, so that none of
/// it is read as a format. At most 16 characters.
pub fn title(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '_' };
    name.chars().map(plain).take(16).collect()
}

/// The server options that consist of a format from each project: all projects by name; those in which an agent needs
/// the person; and three with one letter per project, to count all, those with such an agent, and the others.
pub const LISTS: [&str; 5] =
    ["@swarm_projects", "@swarm_urgent", "@swarm_calling", "@swarm_needing", "@swarm_resting"];

/// The formats that one project adds to each of [`LISTS`]. They show its server options with the suffix `id`: in a
/// pane of another project only the counts that call the person, in a pane of none all counts.
pub fn elsewhere(id: &str, title: &str) -> [String; 5] {
    let outside = |calls: &str, badge: &str| {
        format!("#{{?#{{==:#{{@swarm_root}},#{{@swarm_root_{id}}}}},,#{{?@swarm_root,{calls},{badge}}}}}")
    };
    let named = |of: &str| format!("#{{?@swarm_{of}_{id},{title} #{{E:@swarm_{of}_{id}}} ,}}");
    let needs = |of: &str, shown: &str, other: &str| {
        format!("#{{?#{{m:*style-needs*,#{{@swarm_{of}_{id}}}}},{shown},{other}}}")
    };
    let counted = |of: &str| format!("#{{?@swarm_{of}_{id},x,}}");
    let both = |each: &dyn Fn(&str) -> String| outside(&each("calls"), &each("badge"));
    [
        both(&named),
        both(&|of| needs(of, &format!("{title} #{{E:@swarm_{of}_{id}}} "), "")),
        both(&counted),
        both(&|of| needs(of, "x", "")),
        both(&|of| needs(of, "", &counted(of))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_named_by_what_no_format_reads() {
        assert_eq!(title("my #[fg=red],}x"), "my___fg_red___x");
        assert_eq!(title("日本語 project with a long name"), "日本語_project_with");
    }

    #[test]
    fn a_badge_shows_what_there_is_and_what_needs_a_person_first() {
        let counts = Counts { needs: 1, idle: 2, unread: 3, ..Counts::default() };
        let badge = counts.badge(true);
        let parts = [
            "#[#{@swarm-style-needs}]!1#[default]",
            "#[#{@swarm-style-idle}].2#[default]",
            "#[#{@swarm-style-unread}]m3#[default]",
        ];
        assert_eq!(badge, format!("#[push-default]{}#[pop-default]", parts.join(" ")));
        assert!(counts.badge(false).contains("#{@swarm-icon-needs}1"));
    }

    #[test]
    fn nothing_to_show_is_an_empty_badge() {
        assert_eq!(Counts::default().badge(false), "");
    }

    #[test]
    fn living_agents_are_counted_by_what_they_do() {
        let agent = |(status, died): (&str, Option<u64>)| -> Agent {
            serde_json::from_value(serde_json::json!({
                "name": "a", "kind": "claude", "process": {"pid": 1, "start": 7, "boot": "b"},
                "place": {"socket": "/s", "server": 1, "pane": "%0", "pane_pid": 1}, "cwd": "/p",
                "first_seen": 0, "status": status, "died": died,
            }))
            .unwrap()
        };
        let agents = [
            ("dialog", None),
            ("busy", None),
            ("busy", None),
            ("busy", Some(1)),
            ("idle", None),
            ("idle", None),
            ("idle", None),
            ("overlay", None),
            ("draft", None),
            ("unknown", None),
            ("dialog", Some(1)),
        ]
        .map(agent);
        let counts = Counts { unread: 5, ..Counts::default() }.agents(&agents, &[]);
        assert_eq!(counts, Counts { needs: 1, busy: 2, idle: 3, other: 3, unread: 5, ..Counts::default() });
        // An agent with unread mail to the person counts as waiting, in any state, and once.
        let named = |name: &str, agent: &Agent| Agent { name: Name::new(name).unwrap(), ..agent.clone() };
        let agents = [
            named("x", &agents[0]),
            named("y", &agents[1]),
            named("z", &agents[4]),
            named("dead", &agents[3]),
        ];
        let askers = ["x", "y", "dead", "gone"].map(|name| Name::new(name).unwrap());
        assert_eq!(
            Counts::default().agents(&agents, &askers),
            Counts { needs: 2, idle: 1, ..Counts::default() }
        );
    }
}
