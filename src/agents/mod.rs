//! The rules for each kind of agent, as data: how its process and its screen are recognised.
//!
//! Profiles are TOML files. The user's files add kinds, or replace the built-in profile of a kind. This module judges
//! facts and texts that others collected, and reads no file. Values never change after loading. A broken user's file
//! affects only its own kind: agents of that kind are still found, and nothing is typed into them until the file is
//! repaired. The built-in profile does not take its place, because the user wrote the file where that was wrong.

mod caseless;
mod draft;
mod fields;
mod lineage;
mod lint;
mod profile;
mod reading;
pub mod recording;
mod room;

pub use draft::{Draft, draft};
pub use lineage::{Link, may_be_agents};
pub use lint::lint;
pub use profile::{OverlayKind, Profile, Timing};
pub use reading::{Composer, Content, Open, PaneFacts, Reading, read, read_version};

use crate::core::escape;
use crate::core::few::Few;
use crate::core::heir;
use crate::core::rules::RulesFrom;
use anyhow::Result;
use profile::ProcessRules;

/// The built-in profiles, by file name.
const BUILT_IN: [(&str, &str); 9] = [
    ("claude.toml", include_str!("profiles/claude.toml")),
    ("codex.toml", include_str!("profiles/codex.toml")),
    ("gemini.toml", include_str!("profiles/gemini.toml")),
    ("opencode.toml", include_str!("profiles/opencode.toml")),
    ("aider.toml", include_str!("profiles/aider.toml")),
    ("qwen.toml", include_str!("profiles/qwen.toml")),
    ("copilot.toml", include_str!("profiles/copilot.toml")),
    ("pi.toml", include_str!("profiles/pi.toml")),
    ("cline.toml", include_str!("profiles/cline.toml")),
];

/// Why nothing is typed into agents whose profile has no rules for a screen.
const UNSEEN: &str =
    "there are no rules for its screen, so nothing is typed into it: `swarm explain` says how to make them";

/// Agents without rules for a screen: they are found and named, and nothing is typed into them. The kind, the
/// product, and the names of the program.
const OTHERS: [(&str, &str, &[&str]); 15] = [
    ("agy", "Antigravity", &["agy"]),
    ("amp", "Amp", &["amp"]),
    ("auggie", "Auggie", &["auggie"]),
    ("continue", "Continue", &["cn"]),
    ("crush", "Crush", &["crush"]),
    ("cursor", "Cursor CLI", &["cursor-agent"]),
    ("droid", "Droid", &["droid"]),
    ("goose", "Goose", &["goose"]),
    ("grok", "Grok CLI", &["grok"]),
    ("iflow", "iFlow CLI", &["iflow"]),
    ("kilo", "Kilo Code", &["kilo", "kilocode"]),
    ("kimi", "Kimi CLI", &["kimi", "kimi-cli"]),
    ("kiro", "Kiro CLI", &["kiro-cli", "kiro-cli-chat"]),
    ("openhands", "OpenHands", &["openhands"]),
    ("vibe", "Mistral Vibe", &["vibe"]),
];

/// Arguments with which these agents are not interactive.
const ONE_SHOT: [&str; 16] = [
    "-p",
    "--print",
    "--prompt",
    "--version",
    "-V",
    "--help",
    "-h",
    "exec",
    "run",
    "mcp",
    "serve",
    "acp",
    "update",
    "login",
    "up",
    "down",
];

/// Programs that run agents' scripts. The name of node's main thread is `MainThread`, which Linux shows as the
/// process's.
pub const INTERPRETERS: [&str; 5] = ["node", "MainThread", "bun", "deno", "python"];

/// The known facts about one process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFacts<'a> {
    /// The name that the system shows.
    pub comm: &'a str,
    /// Its arguments, the program first.
    pub argv: &'a [String],
    /// The file of its program, if the system shows it.
    pub exe: Option<&'a str>,
}

#[derive(Debug)]
pub struct Recognised<'a> {
    pub profile: &'a Profile,
    /// The rule that recognised it, for people.
    pub rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSource {
    pub from: RulesFrom,
    pub file: String,
    /// Its text, or the error.
    pub text: Result<String, String>,
}

/// An error in a user's file, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    pub text: String,
    /// Whether the file is not used at all.
    pub fatal: bool,
}

/// All known profiles.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    all: Vec<Profile>,
    problems: Vec<ProfileProblem>,
    /// The kinds whose rules are broken, and the errors.
    withheld: Few<String, String>,
    /// The file of each kind that has one, whether it is used or not.
    files: Few<String, (RulesFrom, String)>,
}

impl Profiles {
    pub fn builtin() -> Result<Self> {
        let all = BUILT_IN.iter().map(|(file, text)| Profile::trusted(text, file)).collect::<Result<_>>()?;
        let mut known = Self { all, ..Self::default() };
        for other in OTHERS {
            known.add(unseen(other));
        }
        Ok(known)
    }

    /// The built-in profiles and others; a later one of the same kind replaces an earlier one. A file that cannot be
    /// used is left out and named among the problems.
    pub fn load(sources: &[ProfileSource]) -> Result<Self> {
        let mut known = Self::builtin()?;
        for ProfileSource { from, file, text } in sources {
            let parsed = text.clone().and_then(|text| {
                Profile::parse(&text, file).map_err(|why| escape::short(&format!("{why:#}"), 300))
            });
            match parsed {
                Ok(profile) => {
                    let shown = escape::line(file);
                    let earlier = known.files.insert(profile.kind.clone(), (*from, file.clone()));
                    let earlier = earlier.filter(|(other, _)| other == from);
                    if let Some((_, earlier)) =
                        earlier.filter(|_| !known.withheld.contains_key(&profile.kind))
                    {
                        let (kind, earlier) = (escape::line(&profile.kind), escape::line(&earlier));
                        known.warn(format!(
                            "the profiles {earlier} and {shown} are both of the kind {kind}: the second one is used"
                        ));
                    }
                    known.add(profile);
                }
                // A shipped profile that is broken leaves the built-in one in use.
                Err(why) if matches!(from, RulesFrom::Update(_)) => known.warn(why),
                Err(why) => {
                    let kind = meant(file, text.as_deref().unwrap_or_default());
                    known.files.insert(kind.clone(), (*from, file.clone()));
                    known.withheld.insert(kind, why.clone());
                    known.problems.push(ProfileProblem { text: why, fatal: true });
                }
            }
        }
        Ok(known)
    }

    /// Adds a problem with files that are used, or not needed.
    pub fn warn(&mut self, text: String) {
        self.problems.push(ProfileProblem { text, fatal: false });
    }

    /// Adds a profile, or replaces the one of the same kind.
    pub fn add(&mut self, profile: Profile) {
        self.withheld.remove(&profile.kind);
        if !profile.has_screen {
            self.withheld.insert(profile.kind.clone(), UNSEEN.to_owned());
        }
        self.all.retain(|p| p.kind != profile.kind);
        self.all.push(profile);
    }

    /// All usable profiles.
    pub fn all(&self) -> impl Iterator<Item = &Profile> {
        self.all.iter().filter(|p| !self.withheld.contains_key(&p.kind))
    }

    /// The file of a kind, if its rules are not the built-in ones.
    pub fn file(&self, kind: &str) -> Option<&str> {
        self.files.get(kind).map(|(_, file)| file.as_str())
    }

    /// The kinds whose rules are broken, and the errors.
    pub fn all_withheld(&self) -> impl Iterator<Item = (&str, &str)> {
        self.withheld.iter().map(|(kind, why)| (kind.as_str(), why.as_str()))
    }

    /// The problems with the user's files.
    pub fn problems(&self) -> &[ProfileProblem] {
        &self.problems
    }

    /// Why nothing may be typed into agents of a kind, if its rules are broken.
    pub fn withheld(&self, kind: &str) -> Option<&str> {
        self.withheld.get(kind).map(String::as_str)
    }

    /// Why nothing may be typed into agents of a kind that has no usable profile.
    pub fn why_not(&self, kind: &str) -> &str {
        self.withheld(kind).unwrap_or("there is no profile of its kind")
    }

    /// The profile by which a screen of that kind is read; `None` if the user's rules for it are broken.
    pub fn get(&self, kind: &str) -> Option<&Profile> {
        self.all.iter().find(|p| p.kind == kind && !self.withheld.contains_key(kind))
    }

    /// How a process of that kind is recognised. If the user's rules are broken, these are the built-in ones.
    pub fn process_rules(&self, kind: &str) -> Option<&ProcessRules> {
        self.all.iter().find(|p| p.kind == kind).map(|p| &p.process)
    }

    /// The kinds for which it is known how an agent is started, each with its program.
    pub fn startable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().filter_map(|p| Some((p.kind.as_str(), p.process.start.as_deref()?)))
    }

    /// Whether an agent of that kind continues an earlier conversation, by its arguments; and the id of that
    /// conversation, if they contain it.
    pub fn resumes<'a>(&self, kind: &str, argv: &'a [String]) -> Option<Option<&'a str>> {
        let words = &self.process_rules(kind)?.resume_args;
        argv.iter().enumerate().skip(1).find_map(|(at, argument)| {
            let (word, given) = argument.split_once('=').map_or((&**argument, None), |(w, id)| (w, Some(id)));
            let follows = || argv.get(at + 1).map(String::as_str);
            // Some agents number their conversations, and some have a word for the latest one.
            let is_id = |id: &&str| {
                id.len() >= 8
                    && heir::is_session(id)
                    && !id.starts_with('-')
                    && id.contains(|c: char| c.is_ascii_digit())
            };
            words.iter().any(|known| known == word).then(|| given.or_else(follows).filter(is_id))
        })
    }

    /// Whether a process is an agent: by its own name, or, where an interpreter runs it, by its script. Other
    /// arguments never count.
    pub fn recognise(&self, process: &ProcessFacts<'_>) -> Option<Recognised<'_>> {
        self.all.iter().find_map(|profile| {
            let rules = &profile.process;
            if process.argv.iter().skip(1).any(|a| rules.exclude_args.contains(a)) {
                return None;
            }
            let rule = by_name(&rules.names, process)
                .or_else(|| by_script(&rules.scripts, process).map(|(rule, _)| rule))?;
            allows(rules, process).then_some(Recognised { profile, rule })
        })
    }
}

/// The kind that a broken file is for: by its text as far as that can be read, else by its name.
fn meant(file: &str, text: &str) -> String {
    let said = text.lines().find_map(|line| {
        let value = line.trim().strip_prefix("kind")?.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value.get(1..)?.split(quote).next().filter(|kind| !kind.is_empty())
    });
    said.unwrap_or_else(|| base(file).trim_end_matches(".toml")).to_owned()
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The profile of an agent without rules for its screen.
fn unseen((kind, title, names): (&str, &str, &[&str])) -> Profile {
    let texts = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let process = ProcessRules {
        names: texts(names),
        scripts: texts(names),
        exclude_args: texts(&ONE_SHOT),
        common: true,
        ..ProcessRules::default()
    };
    Profile::without_screen(kind, title, process)
}

/// Whether a process meets the second condition, which some names need.
fn allows(rules: &ProcessRules, process: &ProcessFacts<'_>) -> bool {
    let exe = process.exe.unwrap_or_default();
    let line = || process.argv.join(" ");
    let fits = rules.path.is_empty() || rules.path.iter().any(|p| p.matches(exe) || p.matches(&line()));
    // A tool of the system, or a script for one of its shells.
    let (dir, name) = exe.rsplit_once('/').unwrap_or_default();
    let of_system =
        ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/games"].contains(&dir) && !is_interpreter(name);
    fits && !(rules.common && of_system)
}

/// Whether a program of this name only runs other programs. Its screen is theirs.
pub fn is_shell(name: &str) -> bool {
    let name = name.trim_start_matches('-');
    ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "nu", "tcsh", "csh", "login", "tmux"].contains(&name)
}

/// Whether a program of this name, which may end in a version, runs agents' scripts.
pub fn is_interpreter(program: &str) -> bool {
    let of = |i: &&str| {
        program.strip_prefix(*i).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    INTERPRETERS.iter().any(of)
}

fn by_name(names: &[String], process: &ProcessFacts<'_>) -> Option<String> {
    let program = process.argv.first().map_or(process.comm, |a| base(a));
    let found = names.iter().find(|n| *n == program || *n == process.comm)?;
    // An editor or a pager may have any name, but not these. A process that renamed itself keeps its comm.
    Some(format!("its name is {found}"))
}

/// The rule, and the index of the script among the arguments.
fn by_script(scripts: &[String], process: &ProcessFacts<'_>) -> Option<(String, usize)> {
    let program = base(process.argv.first()?);
    if !is_interpreter(program) {
        return None;
    }
    let mut arguments = process.argv.iter().enumerate().skip(1);
    let (mut at, mut script) = arguments.next()?;
    if script == "-m" {
        (at, script) = arguments.next()?;
    } else {
        while script.starts_with('-') {
            (at, script) = arguments.next()?;
        }
    }
    let fits = |s: &&String| script == *s || script.ends_with(&format!("/{s}"));
    scripts.iter().find(fits).map(|s| (format!("{program} runs the script {s}"), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_known_with_its_version() {
        for (name, expected) in
            [("node", true), ("python3.11", true), ("bun", true), ("nodemon", false), ("pi", false)]
        {
            assert_eq!(is_interpreter(name), expected, "{name}");
        }
    }

    fn kind(line: &str) -> Option<String> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let comm: String = base(&argv[0]).chars().take(15).collect();
        let profiles = Profiles::builtin().unwrap();
        profiles
            .recognise(&ProcessFacts { comm: &comm, argv: &argv, exe: None })
            .map(|r| r.profile.kind.clone())
    }

    #[test]
    fn a_shell_is_known_also_as_a_login_shell() {
        assert!(is_shell("-zsh") && is_shell("sh") && !is_shell("ssh"));
    }

    #[test]
    fn a_kind_has_either_rules_of_its_own_or_a_row_of_those_without() {
        for (file, _) in BUILT_IN {
            let kind = file.trim_end_matches(".toml");
            assert!(OTHERS.iter().all(|(other, ..)| *other != kind), "{kind} has rules now: remove its row");
            assert!(Profiles::builtin().unwrap().get(kind).is_some(), "{file} is of another kind");
        }
    }

    #[test]
    fn every_built_in_profile_would_be_taken_from_anybody() {
        for (file, text) in BUILT_IN {
            Profile::parse(text, file).unwrap();
        }
    }

    #[test]
    fn agents_are_recognised_however_they_are_started() {
        for (line, expected) in [
            ("claude", "claude"),
            ("/home/u/.local/bin/claude --continue", "claude"),
            ("node /x/node_modules/@anthropic-ai/claude-code/cli.js", "claude"),
            ("node /usr/bin/codex", "codex"),
            ("/x/vendor/codex", "codex"),
            ("node --no-warnings=DEP0040 /x/.bin/gemini", "gemini"),
            ("opencode", "opencode"),
            ("/usr/bin/python3.11 /usr/bin/aider --model x", "aider"),
            ("python -m aider", "aider"),
        ] {
            assert_eq!(kind(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn the_arguments_tell_who_goes_on_with_which_conversation() {
        let profiles = Profiles::builtin().unwrap();
        let id = "70cc0e5c-67bf-44f4-a28d-41ef4df0f558";
        for (line, expected) in [
            ("claude".to_owned(), None),
            ("claude fix it".to_owned(), None),
            ("claude -c".to_owned(), Some(None)),
            ("claude --resume".to_owned(), Some(None)),
            (format!("claude --resume {id} --verbose"), Some(Some(id))),
            (format!("claude --resume={id}"), Some(Some(id))),
            ("claude --resume --model opus-20260101".to_owned(), Some(None)),
            (format!("node /usr/bin/codex resume {id}"), Some(Some(id))),
            ("codex resume --last".to_owned(), Some(None)),
            ("gemini -r 3".to_owned(), Some(None)),
            ("opencode --session ses_4f1d2e3c".to_owned(), Some(Some("ses_4f1d2e3c"))),
            ("opencode -s ../../etc/passwd1".to_owned(), Some(None)),
        ] {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let kind = kind(&line).unwrap();
            assert_eq!(profiles.resumes(&kind, &argv), expected, "{line}");
        }
    }

    #[test]
    fn false_friends_are_no_agents() {
        for line in [
            "tail -f claude-code.md",
            "node",
            "node server.js claude",
            "vim codex.rs",
            "bash -c claude",
            "sh /x/claude-wrapper.sh",
            "swarm discover",
            "swarm-msg send claude hi",
            "git commit -m claude",
            "grep codex",
            "claude -p hello",
            "codex exec ls",
            "codex app-server",
            "nodemon /usr/bin/codex",
        ] {
            assert_eq!(kind(line), None, "{line}");
        }
    }

    #[test]
    fn an_agent_without_rules_is_found_named_and_never_typed_into() {
        let profiles = Profiles::builtin().unwrap();
        let kind = |line: &str, exe: Option<&str>| {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let comm: String = base(&argv[0]).chars().take(15).collect();
            profiles
                .recognise(&ProcessFacts { comm: &comm, argv: &argv, exe })
                .map(|r| r.profile.kind.clone())
        };
        for (line, exe, expected) in [
            ("cursor-agent --resume", Some("/home/u/.local/bin/cursor-agent"), Some("cursor")),
            ("node --x /usr/bin/qwen", Some("/usr/bin/node"), Some("qwen")),
            ("pi", Some("/usr/bin/node"), Some("pi")),
            ("goose session", Some("/home/u/.local/bin/goose"), Some("goose")),
            ("python3.12 /x/bin/kimi", Some("/usr/bin/python3.12"), Some("kimi")),
            ("kilo", None, Some("kilo")),
            ("cline", Some("/opt/cline/cline"), Some("cline")),
            // A program of the system, a script, or not interactive.
            ("kilo x.c", Some("/usr/bin/kilo"), None),
            ("pi 100", Some("/usr/bin/bash"), None),
            ("goose up", Some("/home/u/go/bin/goose"), None),
            ("qwen -p hello", Some("/home/u/qwen"), None),
            ("cline --cline-hub-daemon", Some("/opt/cline/cline"), None),
        ] {
            assert_eq!(kind(line, exe).as_deref(), expected, "{line}");
        }
        for (kind, ..) in OTHERS {
            assert!(profiles.get(kind).is_none() && profiles.withheld(kind).is_some(), "{kind}");
            assert!(profiles.all().all(|p| p.kind != kind));
        }
        // A profile of the user replaces it.
        let own = with(&[("goose.toml", &MINE.replace("'mine'", "'goose'"))]);
        assert!(own.get("goose").is_some() && own.withheld("goose").is_none());
    }

    #[test]
    fn a_profile_may_ask_for_more_than_a_name() {
        let text = MINE.replace("names = ['mine']", "names = ['mine']\npath = ['/node$', ' --agent$']");
        let known = with(&[("mine.toml", &text)]);
        for (line, exe, expected) in [
            ("mine", Some("/usr/bin/node"), true),
            ("mine --agent", None, true),
            ("mine", Some("/usr/bin/mine"), false),
            ("mine", None, false),
        ] {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let facts = ProcessFacts { comm: "mine", argv: &argv, exe };
            assert_eq!(known.recognise(&facts).is_some(), expected, "{line} {exe:?}");
        }
        let bad = with(&[("mine.toml", &text.replace("/node$", "("))]);
        assert!(bad.problems()[0].text.contains("process.path: the pattern '(' is invalid"));
    }

    const MINE: &str = "kind = 'mine'\ntitle = 'Mine'\n[process]\nnames = ['mine']\n[screen]\nprompt = '^> '\ncontinuation = '^  '\nbelow = 2\n";

    fn with(files: &[(&str, &str)]) -> Profiles {
        let source = |(file, text): &(&str, &str)| ProfileSource {
            from: RulesFrom::User,
            file: format!("/p/{file}"),
            text: Ok((*text).to_owned()),
        };
        Profiles::load(&files.iter().map(source).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_users_profile_adds_a_kind_or_replaces_one() {
        assert!(with(&[("mine.toml", MINE)]).get("mine").is_some());
        let template = with(&[("mine.toml", include_str!("../../docs/profile.toml"))]);
        assert_eq!(template.get("my-agent").unwrap().screen.below, 0);
        let claude = with(&[("x.toml", &MINE.replace("'mine'", "'claude'"))]);
        assert_eq!(claude.get("claude").unwrap().title, "Mine");
        assert!(claude.problems().is_empty());
    }

    #[test]
    fn a_broken_profile_is_named_in_one_line_and_harms_its_own_kind_only() {
        for (bad, said) in [
            ("kind = 'claude'\nprompt = '('".to_owned(), "not valid: line 2"),
            ("kind = \"claude\"\n[screen".to_owned(), "not valid: line 2"),
            (MINE.replace("'mine'\nt", "'claude'\nt").replace("'^  '", "'('"), "unclosed group"),
            (
                MINE.replace("'mine'\nt", "'claude'\nt").replace("'^  '", "'((a{99}){99}){99}'"),
                "'((a{99}){99}){99}'",
            ),
        ] {
            let known = with(&[("bad.toml", &bad), ("mine.toml", MINE)]);
            let [problem] = known.problems() else { panic!("{:?}", known.problems()) };
            let text = &problem.text;
            assert!(problem.fatal && text.contains("/p/bad.toml") && text.contains(said), "{text}");
            assert!(!text.contains('\n') && !text.contains("\\u{a}"), "{text}");
            assert_eq!(known.withheld("claude"), Some(text.as_str()));
            assert!(known.get("claude").is_none(), "its screen is not read by rules that the user replaced");
            let argv = ["claude".to_owned()];
            assert!(known.recognise(&ProcessFacts { comm: "claude", argv: &argv, exe: None }).is_some());
            assert!(known.get("mine").is_some() && known.get("codex").is_some());
        }
    }

    #[test]
    fn a_broken_profile_that_says_no_kind_counts_by_its_name() {
        for (file, withheld) in [("codex.toml", true), ("other.toml", false)] {
            assert_eq!(with(&[(file, "nothing of use")]).withheld("codex").is_some(), withheld, "{file}");
        }
        let unread = ProfileSource {
            from: RulesFrom::User,
            file: "/p/gemini.toml".into(),
            text: Err("/p/gemini.toml: not read".into()),
        };
        let known = Profiles::load(&[unread]).unwrap();
        assert_eq!(known.withheld("gemini"), Some("/p/gemini.toml: not read"));
    }

    #[test]
    fn a_profile_of_the_users_counts_more_than_the_projects_and_that_more_than_a_shipped_one() {
        let source = |from, title: &str| ProfileSource {
            from,
            file: format!("/{title}"),
            text: Ok(MINE.replace("'Mine'", &format!("'{title}'"))),
        };
        let all = [
            source(RulesFrom::Update(9), "shipped"),
            source(RulesFrom::Project, "project"),
            source(RulesFrom::User, "own"),
        ];
        for (count, title) in [(1, "shipped"), (2, "project"), (3, "own")] {
            let known = Profiles::load(&all[..count]).unwrap();
            assert_eq!(known.get("mine").unwrap().title, title);
            assert!(known.problems().is_empty(), "{:?}", known.problems());
        }
        // A broken shipped profile leaves the built-in one in use.
        let broken =
            ProfileSource { text: Ok("kind = 'claude'\n[".into()), ..source(RulesFrom::Update(9), "x") };
        let known = Profiles::load(&[broken]).unwrap();
        assert!(known.get("claude").is_some() && !known.problems()[0].fatal, "{:?}", known.problems());
    }

    #[test]
    fn two_files_of_one_kind_are_named_and_the_second_counts() {
        let known = with(&[("a.toml", MINE), ("b.toml", &MINE.replace("'Mine'", "'Other'"))]);
        let [problem] = known.problems() else { panic!("{:?}", known.problems()) };
        assert!(!problem.fatal && problem.text.contains("/p/a.toml and /p/b.toml"), "{}", problem.text);
        assert_eq!(known.get("mine").unwrap().title, "Other");
        // The last file counts, whether it is broken or not.
        assert!(with(&[("a.toml", "kind = 'mine'"), ("b.toml", MINE)]).get("mine").is_some());
        assert!(with(&[("a.toml", MINE), ("b.toml", "kind = 'mine'")]).get("mine").is_none());
    }
}
