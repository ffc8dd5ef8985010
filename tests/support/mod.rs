//! A private world for one test: a project, a home, a tmux server of its own, and agents that are scripted.
//!
//! Everything lives in one temporary directory and ends with the value: the server is killed, the courier ends with it.

pub(crate) mod books;
pub(crate) mod mail;
pub(crate) mod peer;
pub(crate) mod servers;
pub(crate) mod snapshot;
pub(crate) mod switch;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a program or a script. Another process writes it: while this one has a file open for writing, a child that a test beside
/// this one is just starting has it open, too, and then it cannot be run ("text file busy").
pub(crate) fn executable(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
    let mut shell = Command::new("sh")
        .args(["-c", r#"cat >"$1" && chmod 755 "$1""#, "sh"])
        .arg(path.as_ref())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(contents.as_ref()).unwrap();
    assert!(shell.wait().unwrap().success(), "{}", path.as_ref().display());
}

/// Copies a file that may be run, or a directory, for the same reason by another process.
pub(crate) fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let copied = Command::new("cp").args(["-R", "--"]).args([from.as_ref(), to.as_ref()]).status().unwrap();
    assert!(copied.success(), "{}", to.as_ref().display());
}

/// A project with one Claude that was discovered, and its pane.
pub(crate) fn world_with_claude() -> (World, String) {
    let world = World::new();
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    (world, pane)
}

/// Starts all commands before it waits for any.
pub(crate) fn race(commands: impl IntoIterator<Item = Command>) -> Vec<Output> {
    let started: Vec<_> = commands
        .into_iter()
        .map(|mut c| c.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    started.into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

/// Waits until `check` gives something.
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    let mut pause = Pause::default();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        pause.rest();
    }
}

/// The pause between two looks. A look is mostly a process or two: what takes long is looked at less often, so that the looks do not delay
/// what they wait for.
pub(crate) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(5))
    }
}

impl Pause {
    pub(crate) fn rest(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 3 / 2).min(Duration::from_millis(100));
    }
}

/// All processes: the pid, the parent's and the arguments of each.
fn processes() -> std::io::Result<Vec<(String, String, String)>> {
    let out = Command::new("ps").args(["-A", "-o", "pid=,ppid=,args="]).output()?;
    let process = |line: &str| {
        let (pid, rest) = line.trim_start().split_once(' ')?;
        let (parent, args) = rest.trim_start().split_once(' ')?;
        Some((pid.to_owned(), parent.to_owned(), args.to_owned()))
    };
    Ok(String::from_utf8_lossy(&out.stdout).lines().filter_map(process).collect())
}

/// One private world.
pub(crate) struct World {
    dir: tempfile::TempDir,
    socket: String,
    variables: Vec<(&'static str, &'static str)>,
}

impl World {
    /// A world with an empty project, its own HOME, and no tmux server yet.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Short: a socket's path must fit in about 100 bytes.
        let dir = tempfile::Builder::new().prefix("sw").tempdir_in("/tmp").unwrap();
        for name in ["home", "tmux", "bin", "project"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        // Those of a release, where what they cost is measured.
        let programs = std::env::var_os("SWARM_TEST_PROGRAMS").map(PathBuf::from);
        for (name, binary) in [
            ("swarm", env!("CARGO_BIN_EXE_swarm")),
            ("swarm-msg", env!("CARGO_BIN_EXE_swarm-msg")),
            ("claude", env!("CARGO_BIN_EXE_fake-agent")),
            ("codex", env!("CARGO_BIN_EXE_fake-agent")),
            ("gemini", env!("CARGO_BIN_EXE_fake-agent")),
            ("opencode", env!("CARGO_BIN_EXE_fake-agent")),
        ] {
            let released = programs.as_ref().filter(|_| name.starts_with("swarm")).map(|dir| dir.join(name));
            let binary = released.unwrap_or_else(|| binary.into());
            std::os::unix::fs::symlink(binary, dir.path().join("bin").join(name)).unwrap();
        }
        // What a login shell finds, too: the system's own start-up files may put another PATH in place.
        let profile = format!("PATH='{}':$PATH\n", dir.path().join("bin").display());
        fs::write(dir.path().join("home/.profile"), profile).unwrap();
        let socket = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { dir, socket, variables: Vec::new() }
    }

    /// Sets a variable for every command; before the server starts, for what runs in it, too.
    pub(crate) fn set(&mut self, name: &'static str, value: &'static str) {
        self.variables.push((name, value));
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.project().join(".swarm")
    }

    /// A command in this world's environment, in the project.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.path().join("bin").display(), std::env::var("PATH").unwrap());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path().join("home"))
            .env("TMUX_TMPDIR", self.path().join("tmux"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .env("FAKE_AGENT_LOG", self.path().join("{pane}.log"))
            .env("FAKE_AGENT_CONTROL", self.path().join("{pane}.control"))
            .env("SWARM_RATE_LIMIT", "0/60")
            // Nobody comes back, but where a test is about that.
            .env("SWARM_GRACE", "0")
            .current_dir(self.project())
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null());
        if let Some(tmux) = self.tmux_variable() {
            command.env("TMUX", tmux);
        }
        command
    }

    fn tmux_variable(&self) -> Option<String> {
        fs::read_to_string(self.path().join("TMUX")).ok()
    }

    /// Runs `swarm` to its end.
    pub(crate) fn swarm(&self, args: &[&str]) -> Output {
        self.command("swarm").args(args).output().unwrap()
    }

    /// Runs `swarm`, which must succeed; gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let out = self.swarm(args);
        assert!(out.status.success(), "swarm {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Runs `swarm` in a directory.
    pub(crate) fn run_in(&self, dir: &Path, args: &[&str]) -> Output {
        self.command("swarm").current_dir(dir).args(args).output().unwrap()
    }

    /// Runs `swarm` in a directory, where it must succeed; gives what it printed.
    pub(crate) fn ok_in(&self, dir: &Path, args: &[&str]) -> String {
        let out = self.run_in(dir, args);
        assert!(out.status.success(), "swarm {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Runs `swarm`, which must refuse; gives the exit code and the complaint.
    pub(crate) fn refused(&self, args: &[&str]) -> (i32, String) {
        let out = self.swarm(args);
        assert!(!out.status.success(), "swarm {args:?} was to refuse");
        (out.status.code().unwrap(), String::from_utf8(out.stderr).unwrap())
    }

    /// Runs tmux on the private server; gives what it printed.
    pub(crate) fn tmux(&self, args: &[&str]) -> String {
        self.try_tmux(args).unwrap_or_else(|why| panic!("tmux {args:?}: {why}"))
    }

    /// Runs tmux on the private server; gives what it printed, or its complaint.
    pub(crate) fn try_tmux(&self, args: &[&str]) -> Result<String, String> {
        let mut command = self.command("tmux");
        let out = command.env_remove("TMUX").args(["-u", "-L", &self.socket]).args(args).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
    }

    /// Starts the server with one plain shell.
    pub(crate) fn start(&self) {
        // An earlier server may have had panes with the same ids. A log of theirs would pass for that of an agent that has not started.
        for entry in fs::read_dir(self.path()).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.strip_suffix(".log").is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit())) {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let session = ["-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "48", "exec sh"];
        // An earlier server that is just ending still takes the call, and drops it.
        eventually("the server starts", || self.try_tmux(&session).ok());
        let variable = self.tmux(&["display-message", "-p", "#{socket_path},#{pid},0"]);
        fs::write(self.path().join("TMUX"), variable).unwrap();
    }

    /// Starts an agent in a window of its own, with these variables (`FAKE_AGENT_…`); gives its pane once it runs. A
    /// shell is left in the pane when the agent ends.
    pub(crate) fn agent(&self, kind: &str, variables: &[(&str, &str)]) -> String {
        self.agent_in(&self.project(), kind, variables)
    }

    /// The same in another directory.
    pub(crate) fn agent_in(&self, dir: &Path, kind: &str, variables: &[(&str, &str)]) -> String {
        let mut args: Vec<String> =
            ["new-window", "-d", "-P", "-F", "#{pane_id}"].map(str::to_owned).to_vec();
        args.extend(["-c".to_owned(), dir.to_str().unwrap().to_owned()]);
        for (name, value) in variables {
            args.extend(["-e".to_owned(), format!("{name}={value}")]);
        }
        args.push(format!("sh -c '{kind}; exec sh'"));
        let pane = self.tmux(&args.iter().map(String::as_str).collect::<Vec<_>>());
        eventually("the agent starts", || self.log(&pane).contains("\"start\"").then_some(()));
        pane
    }

    /// The pids of the couriers that serve this world, whoever started them.
    pub(crate) fn couriers(&self) -> Vec<String> {
        let mark = self.path().join("tmux").display().to_string();
        let mut found = processes().unwrap();
        found.retain(|(.., args)| args.contains("courier --socket") && args.contains(&mark));
        // A child of a courier goes by its parent's arguments until it becomes the program that it was started for.
        let own = |parent: &str| found.iter().any(|(pid, ..)| pid == parent);
        found.iter().filter(|(_, parent, _)| !own(parent)).map(|(pid, ..)| pid.clone()).collect()
    }

    /// Ends them as a crash would, and waits until they are gone.
    pub(crate) fn end_couriers(&self) {
        for pid in self.couriers() {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-KILL", &pid]).output();
        }
        eventually("the couriers are gone", || self.couriers().is_empty().then_some(()));
    }

    /// Runs a shell script as a tool of that agent, which must be idle; gives what the script printed.
    pub(crate) fn below(&self, name: &str, script: &str) -> String {
        let (errand, out) = (self.path().join("bin/errand"), self.path().join("out"));
        let _ = fs::remove_file(&out);
        let text = format!("#!/bin/sh\n({script}) >{0}.tmp 2>&1; mv {0}.tmp {0}\n", out.display());
        executable(&errand, text);
        self.ok(&["send", "--no-wait", name, "TOOL((errand))"]);
        eventually("the errand is done", || fs::read_to_string(&out).ok())
    }

    /// The agent's log so far.
    pub(crate) fn log(&self, pane: &str) -> String {
        fs::read_to_string(self.path().join(format!("{}.log", pane.trim_start_matches('%'))))
            .unwrap_or_default()
    }

    /// The texts of one kind of event in an agent's log.
    pub(crate) fn events(&self, pane: &str, event: &str) -> Vec<String> {
        self.log(pane)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|v| v["event"] == event)
            .map(|v| v["text"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The ids of the messages that an agent was given, in order: by their own lines, or by that of a bundle which announces them.
    pub(crate) fn typed(&self, pane: &str) -> Vec<String> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let journal = fs::read_to_string(self.state().join("journal.jsonl")).unwrap_or_default();
        let entries = journal.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let bundles: BTreeMap<String, Vec<String>> = entries
            .filter(|entry| entry["event"] == "bundle")
            .map(|e| (text(&e["id"]), e["members"].as_array().into_iter().flatten().map(text).collect()))
            .collect();
        let mut ids = Vec::new();
        for turn in self.events(pane, "submitted") {
            let heads = turn.split("[swarm ").skip(1).filter_map(|line| line.split(' ').next());
            let heads: Vec<String> = heads.map(str::to_owned).collect();
            match (&heads[..], heads.first().and_then(|id| bundles.get(id))) {
                ([_], Some(members)) => ids.extend(members.iter().cloned()),
                ([_, lines @ ..], Some(_)) => ids.extend(lines.iter().cloned()),
                _ => ids.extend(heads),
            }
        }
        ids
    }

    /// Steers an agent, by its control FIFO.
    pub(crate) fn control(&self, pane: &str, line: &str) {
        let path = self.path().join(format!("{}.control", pane.trim_start_matches('%')));
        let mut fifo = fs::OpenOptions::new().write(true).open(path).unwrap();
        writeln!(fifo, "{line}").unwrap();
    }

    /// Attaches a terminal of that size, as a person would: a client inside a second private server.
    pub(crate) fn attach(&self, width: u16, height: u16) -> Terminal<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let outer = format!("{}o{}", self.socket, COUNT.fetch_add(1, Ordering::Relaxed));
        let terminal = Terminal { world: self, outer };
        let inner = format!("env -u TMUX tmux -u -L {} attach", self.socket);
        let size = [width.to_string(), height.to_string()];
        let rings = format!("run-shell 'echo >>{}'", terminal.bells_file().display());
        terminal.run(&[
            "-f",
            "/dev/null",
            "start-server",
            ";",
            "set-option",
            "-g",
            "status",
            "off",
            ";",
            "set-hook",
            "-g",
            "alert-bell",
            &rings,
            ";",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            &inner,
        ]);
        eventually("the client is attached", || {
            let seen = self.tmux(&["list-clients", "-F", "#{client_width}x#{client_height}"]);
            seen.lines().any(|l| l == format!("{width}x{height}")).then_some(())
        });
        terminal
    }

    /// What the pane shows.
    pub(crate) fn screen(&self, pane: &str) -> String {
        self.tmux(&["capture-pane", "-p", "-t", pane])
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The courier ends with its server, but it would write for a moment more into a directory that is being removed.
        let courier = format!("courier --socket {}/", self.dir.path().display());
        let _ = Command::new("pkill").args(["-KILL", "-f", &courier]).output();
        let below = self.below_server();
        let _ = self.command("tmux").env_remove("TMUX").args(["-L", &self.socket, "kill-server"]).output();
        // Some outlive their terminal: `script` is deaf to its end, and a server has none.
        if !below.is_empty() {
            let _ = Command::new("kill").arg("-TERM").args(below).output();
        }
    }
}

impl World {
    /// The processes below the tmux server.
    fn below_server(&self) -> Vec<String> {
        let all = processes().unwrap_or_default();
        let mark = format!(" -L {} ", self.socket);
        let is_server = |args: &str| args.starts_with("tmux") && args.contains(&mark);
        let mut found: Vec<&String> =
            all.iter().filter(|(.., args)| is_server(args)).map(|(pid, ..)| pid).collect();
        let mut next = 0;
        let servers = found.len();
        while let Some(pid) = found.get(next).copied() {
            found.extend(all.iter().filter(|(_, parent, _)| parent == pid).map(|(pid, ..)| pid));
            next += 1;
        }
        found[servers..].iter().map(|pid| (*pid).clone()).collect()
    }
}

/// A terminal that is attached to a world's server.
pub(crate) struct Terminal<'w> {
    world: &'w World,
    outer: String,
}

impl Terminal<'_> {
    fn run(&self, args: &[&str]) -> String {
        let mut command = self.world.command("tmux");
        let out = command.env_remove("TMUX").args(["-u", "-L", &self.outer]).args(args).output().unwrap();
        assert!(out.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Presses keys, named as `send-keys` does.
    pub(crate) fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    fn bells_file(&self) -> PathBuf {
        self.world.path().join(format!("{}.bells", self.outer))
    }

    /// How often it has rung.
    pub(crate) fn bells(&self) -> usize {
        fs::read_to_string(self.bells_file()).map_or(0, |text| text.lines().count())
    }

    /// What the person sees.
    pub(crate) fn screen(&self) -> String {
        self.run(&["capture-pane", "-p"])
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let _ =
            self.world.command("tmux").env_remove("TMUX").args(["-L", &self.outer, "kill-server"]).output();
    }
}
