//! What each kind of agent looks like: its process and its screen. Rules as data.
//!
//! Profiles are TOML files, built in and extended or replaced (by `kind`) by the user's. This module judges facts that
//! others collected; the only files it reads are profiles. Values never change after loading.

mod lineage;
mod profile;
mod reading;

pub use lineage::Link;
pub use profile::{Profile, Timing};
pub use reading::{Composer, Content, PaneFacts, Reading, read};

use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// The built-in profiles, by file name.
const BUILT_IN: [(&str, &str); 5] = [
    ("claude.toml", include_str!("profiles/claude.toml")),
    ("codex.toml", include_str!("profiles/codex.toml")),
    ("gemini.toml", include_str!("profiles/gemini.toml")),
    ("opencode.toml", include_str!("profiles/opencode.toml")),
    ("aider.toml", include_str!("profiles/aider.toml")),
];

/// Programs that run an agent's script.
const INTERPRETERS: [&str; 4] = ["node", "bun", "deno", "python"];

/// What is known of one process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessFacts<'a> {
    /// Its name as the system tells it.
    pub comm: &'a str,
    /// Its arguments, the program first.
    pub argv: &'a [String],
}

/// A process that is an agent.
#[derive(Debug)]
pub struct Recognised<'a> {
    /// Of which kind.
    pub profile: &'a Profile,
    /// By which rule, for people.
    pub rule: String,
}

/// All known profiles.
#[derive(Clone, Debug)]
pub struct Profiles(Vec<Profile>);

impl Profiles {
    /// The built-in profiles.
    pub fn builtin() -> Result<Self> {
        BUILT_IN.iter().map(|(file, text)| Profile::trusted(text, file)).collect::<Result<_>>().map(Self)
    }

    /// The built-in profiles and those in `dirs`; a later one of the same kind replaces an earlier one.
    pub fn load(dirs: &[PathBuf]) -> Result<Self> {
        let mut all = Self::builtin()?;
        for dir in dirs {
            let Ok(entries) = std::fs::read_dir(dir) else { continue };
            let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
            paths.sort();
            for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                let profile = Profile::parse(&text, &path.display().to_string())?;
                all.0.retain(|p| p.kind != profile.kind);
                all.0.push(profile);
            }
        }
        Ok(all)
    }

    /// The profile of a kind.
    pub fn get(&self, kind: &str) -> Option<&Profile> {
        self.0.iter().find(|p| p.kind == kind)
    }

    /// Whether a process is an agent: by its own name, or, where an interpreter runs it, by its script. Other
    /// arguments never count.
    pub fn recognise(&self, process: &ProcessFacts<'_>) -> Option<Recognised<'_>> {
        self.0.iter().find_map(|profile| {
            let rules = &profile.process;
            if process.argv.iter().skip(1).any(|a| rules.exclude_args.contains(a)) {
                return None;
            }
            let rule = by_name(&rules.names, process)
                .or_else(|| by_script(&rules.scripts, process).map(|(rule, _)| rule))?;
            Some(Recognised { profile, rule })
        })
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn by_name(names: &[String], process: &ProcessFacts<'_>) -> Option<String> {
    let program = process.argv.first().map_or(process.comm, |a| base(a));
    let found = names.iter().find(|n| *n == program || *n == process.comm)?;
    // An editor or a pager may be called anything, but not these; a process that renamed itself keeps its comm.
    Some(format!("its name is {found}"))
}

/// The rule, and the place of the script among the arguments.
fn by_script(scripts: &[String], process: &ProcessFacts<'_>) -> Option<(String, usize)> {
    let program = base(process.argv.first()?);
    let is_interpreter = INTERPRETERS.iter().any(|i| {
        program.strip_prefix(i).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    });
    if !is_interpreter {
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

    fn kind(line: &str) -> Option<String> {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let comm: String = base(&argv[0]).chars().take(15).collect();
        let profiles = Profiles::builtin().unwrap();
        profiles.recognise(&ProcessFacts { comm: &comm, argv: &argv }).map(|r| r.profile.kind.clone())
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
    fn a_users_profile_adds_a_kind_or_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let text = "kind = 'mine'\ntitle = 'Mine'\n[process]\nnames = ['mine']\n[screen]\nprompt = '^> '\ncontinuation = '^  '\nbelow = 2\n";
        std::fs::write(dir.path().join("mine.toml"), text).unwrap();
        assert!(Profiles::load(&[dir.path().to_owned()]).unwrap().get("mine").is_some());
        std::fs::write(dir.path().join("mine.toml"), include_str!("../../docs/profile.toml")).unwrap();
        let template = Profiles::load(&[dir.path().to_owned()]).unwrap();
        assert_eq!(template.get("my-agent").unwrap().screen.below, 0);
        for (bad, said) in [
            ("kind = 'x'\nprompt = '('".to_owned(), "not valid"),
            (text.replace("'^  '", "'('"), "unclosed group"),
            (text.replace("'^  '", "'((a{99}){99}){99}'"), "size limit"),
            (text.replace("'^  '", "'((a{99}){99}){99}'"), "'((a{99}){99}){99}'"),
        ] {
            std::fs::write(dir.path().join("bad.toml"), bad).unwrap();
            let error = format!("{:#}", Profiles::load(&[dir.path().to_owned()]).unwrap_err());
            assert!(error.contains("bad.toml") && error.contains(said), "{error}");
        }
    }
}
