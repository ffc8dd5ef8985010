//! Options of the fake agent, from `FAKE_AGENT_*` variables first and the command line second.
//! It knows names and defaults; it opens nothing. Under an agent's own name unknown arguments are
//! ignored, as a launcher may pass the real agent's flags; under `fake-agent` they are an error.

use std::path::Path;

use regex::Regex;

use crate::inbox::Mode;

/// Whose screen is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Claude,
    Codex,
    Gemini,
    Opencode,
}

impl Style {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "claude" => Some(Self::Claude),
            "codex" => Some(Self::Codex),
            "gemini" => Some(Self::Gemini),
            "opencode" => Some(Self::Opencode),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
        }
    }
}

/// A shell command that runs when a submitted text matches.
#[derive(Clone, Debug)]
pub(crate) struct React {
    pub(crate) pattern: Regex,
    pub(crate) command: String,
}

/// What an Enter inside the guard after a paste does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuardMode {
    Newline,
    Swallow,
}

/// What an Enter during a turn does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BusyEnter {
    Ignore,
    Queue,
}

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) style: Style,
    pub(crate) log: Option<String>,
    pub(crate) control: Option<String>,
    pub(crate) start_delay: u64,
    pub(crate) start_swallow: bool,
    pub(crate) busy: u64,
    pub(crate) bracket: bool,
    pub(crate) burst: u64,
    pub(crate) guard: u64,
    pub(crate) guard_mode: GuardMode,
    pub(crate) swallow_enters: u64,
    pub(crate) slow_enter: u64,
    /// After a paste was drawn nothing is read for this long, as in a long call.
    pub(crate) slow_paste: u64,
    /// How long nothing is read or drawn after a paste was read (ms), before it is drawn.
    pub(crate) late_paste: u64,
    /// For how long it works on a character that was typed (ms), before it is drawn.
    pub(crate) late_key: u64,
    /// So many Enters only empty the composer.
    pub(crate) lose_enters: u64,
    /// A submitted text leaves the composer at once, and its turn begins so much later.
    pub(crate) late_turn: u64,
    /// Escape in a turn ends it and puts its text back into the composer.
    pub(crate) escape_restores: bool,
    /// Characters that are not drawn in the composer.
    pub(crate) drops: String,
    pub(crate) slow_paint: u64,
    pub(crate) busy_enter: BusyEnter,
    pub(crate) wrap_words: bool,
    /// Whether it has an inbox, and what that does.
    pub(crate) inbox: Option<Mode>,
    /// The conversation that it is in.
    pub(crate) session: Option<String>,
    pub(crate) reacts: Vec<React>,
}

/// Every option, with whether it takes a value.
const NAMES: [(&str, bool); 25] = [
    ("style", true),
    ("log", true),
    ("control", true),
    ("start-delay", true),
    ("start-swallow", false),
    ("busy", true),
    ("no-bracket", false),
    ("burst-ms", true),
    ("enter-guard-ms", true),
    ("enter-guard-mode", true),
    ("swallow-enters", true),
    ("slow-enter", true),
    ("slow-paste", true),
    ("late-paste", true),
    ("late-key", true),
    ("lose-enters", true),
    ("late-turn", true),
    ("escape-restores", false),
    ("drops", true),
    ("slow-paint", true),
    ("busy-enter", true),
    ("wrap", true),
    ("inbox", true),
    ("session", true),
    ("react", true),
];

impl Options {
    fn new(style: Style) -> Self {
        Self {
            style,
            log: None,
            control: None,
            start_delay: 0,
            start_swallow: false,
            busy: 0,
            bracket: true,
            burst: 120,
            guard: 40,
            guard_mode: GuardMode::Newline,
            swallow_enters: 0,
            slow_enter: 0,
            slow_paste: 0,
            late_paste: 0,
            late_key: 0,
            lose_enters: 0,
            late_turn: 0,
            escape_restores: false,
            drops: String::new(),
            slow_paint: 0,
            busy_enter: BusyEnter::Ignore,
            wrap_words: true,
            inbox: None,
            session: None,
            reacts: Vec::new(),
        }
    }

    /// Reads the environment through `env`, then the arguments; `args[0]` gives the default style.
    pub(crate) fn parse(args: &[String], env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let called =
            args.first().and_then(|a| Path::new(a).file_name()).and_then(|n| n.to_str()).unwrap_or("");
        let named = Style::from_name(called);
        let mut options = Self::new(named.unwrap_or(Style::Claude));
        for (name, _) in NAMES {
            let variable = format!("FAKE_AGENT_{}", name.to_uppercase().replace('-', "_"));
            if let Some(value) = env(&variable).filter(|v| !v.is_empty()) {
                // One variable may hold several reactions, one a line.
                for part in value.split('\n').filter(|p| !p.trim().is_empty()) {
                    options.set(name, part).map_err(|e| format!("{variable}: {e}"))?;
                }
            }
        }
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            let bare = arg.strip_prefix("--").unwrap_or_default();
            let (name, inline) = bare.split_once('=').map_or((bare, None), |(n, v)| (n, Some(v)));
            let Some((_, takes_value)) = NAMES.iter().find(|(n, _)| *n == name) else {
                if named.is_some() {
                    continue;
                }
                return Err(format!("unknown argument {arg}"));
            };
            let value = match (takes_value, inline) {
                (false, None) => "1".to_owned(),
                (_, Some(v)) => v.to_owned(),
                (true, None) => rest.next().cloned().ok_or_else(|| format!("{arg} needs a value"))?,
            };
            options.set(name, &value).map_err(|e| format!("{arg}: {e}"))?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| format!("{value} is not a number"));
        let flag = || match value {
            "1" | "true" | "yes" => Ok(true),
            "0" | "false" | "no" => Ok(false),
            _ => Err(format!("{value} is not 0 or 1")),
        };
        let choice = |yes: &str, no: &str| match value {
            v if v == yes => Ok(true),
            v if v == no => Ok(false),
            _ => Err(format!("{value} is neither {yes} nor {no}")),
        };
        match name {
            "style" => self.style = Style::from_name(value).ok_or_else(|| format!("no style {value}"))?,
            "log" => self.log = Some(value.to_owned()),
            "control" => self.control = Some(value.to_owned()),
            "start-delay" => self.start_delay = number()?,
            "start-swallow" => self.start_swallow = flag()?,
            "busy" => self.busy = number()?,
            "no-bracket" => self.bracket = !flag()?,
            "burst-ms" => self.burst = number()?,
            "enter-guard-ms" => self.guard = number()?,
            "enter-guard-mode" => {
                self.guard_mode =
                    if choice("newline", "swallow")? { GuardMode::Newline } else { GuardMode::Swallow }
            }
            "swallow-enters" => self.swallow_enters = number()?,
            "slow-enter" => self.slow_enter = number()?,
            "slow-paste" => self.slow_paste = number()?,
            "late-paste" => self.late_paste = number()?,
            "late-key" => self.late_key = number()?,
            "lose-enters" => self.lose_enters = number()?,
            "late-turn" => self.late_turn = number()?,
            "escape-restores" => self.escape_restores = flag()?,
            "drops" => value.clone_into(&mut self.drops),
            "slow-paint" => self.slow_paint = number()?,
            "busy-enter" => {
                self.busy_enter =
                    if choice("queue", "ignore")? { BusyEnter::Queue } else { BusyEnter::Ignore }
            }
            "wrap" => self.wrap_words = choice("word", "char")?,
            "session" => self.session = Some(value.to_owned()),
            "inbox" => self.inbox = Some(Mode::parse(value)?),
            "react" => {
                let (pattern, command) = value.split_once("=>").ok_or("wants REGEX=>COMMAND")?;
                let pattern = Regex::new(pattern).map_err(|e| e.to_string())?;
                self.reacts.push(React { pattern, command: command.to_owned() });
            }
            _ => return Err("unknown option".to_owned()),
        }
        Ok(())
    }

    /// Fills `{pid}`, `{pane}` and `{style}` in a path, so that panes sharing one environment get files of their own.
    pub(crate) fn expand(&self, path: &str) -> String {
        let pane = std::env::var("TMUX_PANE").unwrap_or_default();
        path.replace("{pid}", &std::process::id().to_string())
            .replace("{pane}", pane.trim_start_matches('%'))
            .replace("{style}", self.style.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str], env: &[(&str, &str)]) -> Result<Options, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        Options::parse(&args, |name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn name_sets_the_style_and_the_command_line_wins() {
        let options = parse(&["/x/codex", "--busy", "9", "--yolo"], &[("FAKE_AGENT_BUSY", "3")]).unwrap();
        assert_eq!((options.style, options.busy), (Style::Codex, 9));
        assert!(parse(&["fake-agent", "--yolo"], &[]).is_err());
    }

    #[test]
    fn reactions_come_one_a_line_and_add_up() {
        let options =
            parse(&["fake-agent", "--react=c=>three"], &[("FAKE_AGENT_REACT", "a=>one\nb=>two")]).unwrap();
        let commands: Vec<_> = options.reacts.iter().map(|r| r.command.as_str()).collect();
        assert_eq!(commands, ["one", "two", "three"]);
    }
}
