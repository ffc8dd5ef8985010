//! Decides whether a hook or a command belongs to an agent, or to another agent program that this agent started.
//!
//! An agent may run a second one as its tool (`claude -p`, `codex exec`). The second program has hooks of its own and
//! inherits everything else, but it does not speak for the agent on record. The processes between the two decide. A
//! shell is not an agent, so one may stand there.

use super::{
    BUILT_IN, OTHERS, ProcessFacts, Profile, ProfileSource, Profiles, allows, base, by_name, by_script,
    is_interpreter,
};
use crate::core::agent::Agent;
use crate::core::process_id::ProcessId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub id: ProcessId,
    pub group: i32,
    /// The name that the system shows.
    pub comm: String,
    /// Its arguments, the program first.
    pub argv: Vec<String>,
    /// The file of its program, if the system shows it.
    pub exe: Option<String>,
}

/// An agent's program, in whatever way it was started.
struct Form<'a> {
    profile: &'a Profile,
    /// Whether it talks to a person.
    interactive: bool,
    /// Its arguments, without the program, its interpreter and the interpreter's options.
    arguments: &'a [String],
}

impl Form<'_> {
    /// Whether it is the background server that several agents of its kind share.
    fn is_server(&self) -> bool {
        self.profile.process.shared_server.as_ref().is_some_and(|mark| self.arguments.contains(mark))
    }
}

/// Whether one of these processes may be an agent's program, by the built-in rules or the user's. Reading the rules
/// would take longer than the rest of a short command, so this looks for the programs' names between the quotes of
/// the files. It may be true although the rules say no, but it is false only if no rule can name any of the
/// processes.
pub fn may_be_agents(sources: &[ProfileSource], chain: &[Link]) -> bool {
    let (mut names, mut scripts): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for link in chain {
        let program = plain(link.argv.first().map_or("", |program| base(program)));
        names.extend([program, plain(&link.comm)]);
        if is_interpreter(program) {
            scripts.extend(link.argv.iter().skip(1).map(String::as_str));
        }
    }
    let is_script = |name: &str| {
        let ends =
            |script: &&str| script.strip_suffix(name).is_some_and(|dir| dir.is_empty() || dir.ends_with('/'));
        !name.is_empty() && scripts.iter().any(ends)
    };
    let is_there = |name: &str| names.contains(&name) || is_script(name);
    let of_user = sources.iter().filter_map(|source| source.text.as_deref().ok());
    // Arguments do not name a program: `login` is an argument of Codex.
    let named = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("exclude_args"));
        lines.flat_map(|line| line.split(['"', '\''])).any(is_there)
    };
    // The files may write a name with escapes.
    OTHERS.iter().any(|(_, _, programs)| programs.iter().any(|name| is_there(name)))
        || BUILT_IN.iter().any(|(_, text)| named(text))
        || of_user
            .into_iter()
            .any(|text| named(text) || ["\\u", "\\U", "\\x"].iter().any(|e| text.contains(e)))
}

/// Claude Code's package calls its program claude.exe on every system.
fn plain(name: &str) -> &str {
    name.strip_suffix(".exe").unwrap_or(name)
}

impl Profiles {
    /// Whether the caller at the end of `chain` (nearest process first) acts for `agent` itself: no other agent
    /// program, in whatever form, stands between the two. If the agent's own process is not in the chain, the
    /// outermost agent program in it must be one of its kind that talks to a person, or the server that its kind
    /// shares.
    pub fn acts_for(&self, agent: &Agent, chain: &[Link]) -> bool {
        let forms: Vec<Option<Form<'_>>> = chain.iter().map(|link| self.form(link)).collect();
        let top = chain.iter().position(|link| link.id == agent.process);
        let server = forms
            .iter()
            .position(|f| f.as_ref().is_some_and(|f| f.profile.kind == agent.kind && f.is_server()));
        let below = |end: usize| forms[..end].iter().all(Option::is_none);
        let one_shot = |from: usize| forms[from..].iter().flatten().any(|f| !f.interactive && !f.is_server());
        match (top, server) {
            // The process that started a server is not the one that it serves, except for a one-shot agent.
            (top, Some(server)) if top.is_none_or(|top| server < top) => below(server) && !one_shot(server),
            (Some(top), _) => below(own(chain, &forms, top)),
            (None, _) => match forms.iter().rposition(Option::is_some) {
                None => true,
                Some(top) => {
                    let talks =
                        forms[top].as_ref().is_some_and(|f| f.interactive && f.profile.kind == agent.kind);
                    talks && below(own(chain, &forms, top))
                }
            },
        }
    }

    /// The nearest process in `chain` that is an agent's program, in whatever form, and its kind.
    pub fn nearest<'a>(&'a self, chain: &'a [Link]) -> Option<(&'a Link, &'a str)> {
        chain.iter().find_map(|link| Some((link, &*self.form(link)?.profile.kind)))
    }

    fn form<'a>(&'a self, link: &'a Link) -> Option<Form<'a>> {
        let comm = plain(&link.comm);
        let first = link.argv.first().map(|program| plain(base(program)).to_owned());
        let argv: Vec<String> = first.into_iter().chain(link.argv.iter().skip(1).cloned()).collect();
        let facts = ProcessFacts { comm, argv: &argv, exe: link.exe.as_deref() };
        self.all.iter().find_map(|profile| {
            let rules = &profile.process;
            let named = by_name(&rules.names, &facts).map(|_| 1);
            let own = named.or_else(|| by_script(&rules.scripts, &facts).map(|(_, at)| at + 1))?;
            if !allows(rules, &facts) {
                return None;
            }
            let arguments = link.argv.get(own..).unwrap_or_default();
            let excluded = link.argv.iter().skip(1).any(|a| rules.exclude_args.contains(a));
            Some(Form { profile, interactive: !excluded, arguments })
        })
    }
}

/// The lowest process that is still the agent at `top`. Some agents run themselves again below their first process,
/// with the same arguments and in its process group. A tool has a group of its own.
fn own(chain: &[Link], forms: &[Option<Form<'_>>], top: usize) -> usize {
    let is_same = |at: &usize| match (&forms[*at], &forms[top]) {
        (Some(f), Some(t)) => {
            f.profile.kind == t.profile.kind
                && f.interactive
                && f.arguments == t.arguments
                && chain[*at].group == chain[top].group
        }
        _ => false,
    };
    (0..top).rev().take_while(is_same).last().unwrap_or(top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::agent::{PaneRef, Status};
    use crate::core::name::Name;
    use crate::core::rules::RulesFrom;

    fn id(pid: i32) -> ProcessId {
        ProcessId { pid, start: 1, boot: "b".into() }
    }

    fn agent(kind: &str, pid: i32) -> Agent {
        Agent {
            name: Name::new(&format!("{kind}-1")).unwrap(),
            kind: kind.into(),
            process: id(pid),
            place: PaneRef {
                socket: "/s".into(),
                server: 2,
                pane: "%0".into(),
                pane_pid: 9,
                namespace: None,
            },
            cwd: "/".into(),
            shared_server: (kind == "codex").then(|| "app-server".into()),
            formerly: vec![],
            onboarded: false,
            first_seen: 0,
            status: Status::Unknown,
            since: 0,
            died: None,
            limit: None,
            past: crate::core::heir::Past::default(),
        }
    }

    /// Whether a hook acts for the agent with pid 10. Each line is a process above the hook: pid, group, command;
    /// nearest first.
    fn acts(kind: &str, lines: &[(i32, i32, &str)]) -> bool {
        let chain: Vec<Link> = lines
            .iter()
            .map(|(pid, group, line)| {
                let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
                let comm = base(&argv[0]).chars().take(15).collect();
                Link { id: id(*pid), group: *group, comm, argv, exe: None }
            })
            .collect();
        Profiles::builtin().unwrap().acts_for(&agent(kind, 10), &chain)
    }

    #[test]
    fn a_hook_of_the_agent_itself_is_its_own_whatever_shells_are_between() {
        let direct = [(12, 12, "swarm hook claude Stop"), (10, 10, "claude --model x")];
        assert!(acts("claude", &direct));
        let shells =
            [(13, 12, "swarm"), (12, 12, "bash -c x"), (11, 11, "sh x"), (10, 9, "claude"), (9, 9, "sh")];
        assert!(acts("claude", &shells));
    }

    #[test]
    fn an_agent_that_runs_itself_again_is_one_agent() {
        let codex =
            [(12, 10, "sh -c x"), (11, 9, "/x/vendor/codex -m y"), (10, 9, "node /usr/bin/codex -m y")];
        assert!(acts("codex", &codex));
        let gemini = [
            (12, 12, "sh -c x"),
            (11, 9, "/usr/bin/node --max-old-space-size=9 /x/.bin/gemini"),
            (10, 9, "node /x/.bin/gemini"),
        ];
        assert!(acts("gemini", &gemini));
    }

    #[test]
    fn a_nested_agent_in_whatever_form_is_not_the_agent() {
        for nested in [
            "claude -p hello",
            "claude --model x --output-format json --verbose -p hello",
            "claude other arguments",
            "node /x/node_modules/@anthropic-ai/claude-code/cli.js --print",
            "/x/claude-code/bin/claude.exe --session-id 1 --agent claude",
            "claude.exe daemon run",
            "codex exec ls",
            "node /usr/bin/codex exec ls",
            "gemini -p hello",
            "node --x /x/.bin/gemini --prompt hello",
            "opencode run hello",
            "aider --message x",
        ] {
            let chain = [(13, 12, "sh -c x"), (12, 12, nested), (11, 11, "bash -c x"), (10, 9, "claude")];
            assert!(!acts("claude", &chain), "{nested}");
            // The shell replaces itself by its last command.
            let chain = [(13, 12, "sh -c x"), (12, 12, nested), (10, 9, "claude")];
            assert!(!acts("claude", &chain), "{nested}");
        }
        // A tool has a group of its own.
        assert!(!acts("claude", &[(12, 12, "claude"), (10, 9, "claude")]));
        assert!(acts("claude", &[(12, 9, "claude"), (10, 9, "claude")]));
    }

    #[test]
    fn below_a_server_that_agents_share_only_the_way_down_from_it_counts() {
        let server = "/x/codex app-server --listen unix://";
        assert!(acts("codex", &[(20, 20, "sh -c x"), (19, 19, server), (1, 1, "init")]));
        let started = [(20, 20, "sh"), (19, 19, server), (11, 9, "/x/codex"), (10, 9, "node /usr/bin/codex")];
        assert!(acts("codex", &started));
        let by_another = [(20, 20, "sh"), (19, 19, server), (30, 29, "codex"), (29, 29, "sh")];
        assert!(acts("codex", &by_another));
        let of_one_shot = [(20, 20, "sh"), (19, 19, server), (18, 18, "codex exec ls"), (10, 9, "codex")];
        assert!(!acts("codex", &of_one_shot));
        let nested = [(22, 22, "sh"), (21, 21, "codex exec ls"), (20, 20, "sh"), (19, 19, server)];
        assert!(!acts("codex", &nested));
    }

    #[test]
    fn where_the_agent_is_out_of_sight_the_outermost_program_stands_for_it() {
        assert!(acts("claude", &[(5, 5, "sh"), (3, 3, "claude --model x"), (1, 1, "bwrap claude")]));
        assert!(acts("claude", &[(5, 5, "sh"), (1, 1, "bwrap")]));
        assert!(!acts("claude", &[(5, 5, "sh"), (3, 3, "claude -p x"), (1, 1, "bwrap")]));
        assert!(!acts("claude", &[(5, 5, "sh"), (3, 3, "gemini"), (1, 1, "bwrap")]));
        assert!(!acts("claude", &[(6, 6, "sh"), (5, 5, "claude -p x"), (3, 3, "claude"), (1, 1, "bwrap")]));
    }

    #[test]
    fn a_glance_at_the_names_never_misses_a_program_that_the_rules_know() {
        let chain = |line: &str| {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let comm = base(&argv[0]).chars().take(15).collect();
            [Link { id: id(10), group: 10, comm, argv, exe: None }]
        };
        let source = |text: &str| ProfileSource {
            from: RulesFrom::User,
            file: "x.toml".into(),
            text: Ok(text.to_owned()),
        };
        let profiles = Profiles::builtin().unwrap();
        for profile in &profiles.all {
            for name in &profile.process.names {
                assert!(may_be_agents(&[], &chain(name)), "{name}");
                assert!(may_be_agents(&[], &chain(&format!("/x/{name}.exe -p x"))), "{name}");
            }
            for script in &profile.process.scripts {
                assert!(may_be_agents(&[], &chain(&format!("node /x/{script}"))), "{script}");
            }
        }
        // The processes above a person's command.
        for line in [
            "bash",
            "-zsh",
            "fish",
            "tmux new -s x",
            "sshd: u@pts/1",
            "systemd --user",
            "login",
            "sh -c x",
            "python3 /x/run.py",
            "node /x/server.js --port 1",
        ] {
            assert!(!may_be_agents(&[], &chain(line)), "{line}");
            assert!(profiles.nearest(&chain(line)).is_none(), "{line}");
        }
        assert!(!may_be_agents(&[], &[]) && !may_be_agents(&[source("names = [\"other\"]")], &chain("mine")));
        for text in ["names = [\"mine\"]", "names = ['mine']", "names = [\"\\u006dine\"]"] {
            assert!(may_be_agents(&[source(text)], &chain("mine")), "{text}");
        }
    }
}
