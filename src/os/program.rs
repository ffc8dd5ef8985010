//! The program, the environment and the open files of a running process.
//!
//! Known on Linux only, for the user's own processes. Elsewhere every answer is `None`, which means "unknown" and
//! never "no".

use super::process::{Table, first_arguments};
use super::system;
use crate::agents::is_interpreter;
use crate::core::escape;
use crate::core::process_id::ProcessId;
use std::cell::OnceCell;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A process that has `file` open and `word` among its first arguments.
pub fn holder(file: &Path, word: &str) -> Option<ProcessId> {
    system::holder(file, word)
}

/// The file from which this process was started, and its metadata at that time, even if another file is there by now.
pub fn this() -> std::io::Result<(PathBuf, Option<Metadata>)> {
    let path = std::env::current_exe()?;
    #[cfg(target_os = "linux")]
    {
        let running = std::fs::metadata("/proc/self/exe").ok();
        let text = path.to_string_lossy();
        let there = text.strip_suffix(" (deleted)").map(PathBuf::from);
        Ok((there.unwrap_or(path), running))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let running = std::fs::metadata(&path).ok();
        Ok((path, running))
    }
}

/// A process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locker {
    pub pid: i32,
    /// Its program and first arguments, made safe for one line.
    pub command: String,
    /// It was stopped (SIGSTOP, ^Z), and keeps its locks until it continues.
    pub stopped: bool,
    /// It runs, or would if it got a processor or its disk: it is slow, and does not hang.
    pub runs: bool,
}

/// The process that holds the flock on `file`.
pub fn locker(file: &File) -> Option<Locker> {
    let pid = system::locker(file)?;
    let table = Table::read().ok()?;
    let command = first_arguments(pid).join(" ");
    let process = table.get(pid)?;
    Some(Locker {
        pid,
        command: escape::short(&command, 80),
        stopped: process.stopped,
        runs: system::runs(pid),
    })
}

/// Whether the program that a process runs has the same content as the file `program`, in any place.
pub fn runs_same(pid: i32, program: &Path) -> Option<bool> {
    system::runs_same(pid, program)
}

/// The version of the program that a process runs, by its files: the `package.json` above its script or program, the
/// directory of its Python package, or a directory named like a version. Nothing is run for that.
pub fn version(pid: i32, argv: &[String]) -> Option<String> {
    let is_script = |a: &&String| !a.starts_with('-') && a.contains('/');
    let place =
        |a: &String| if a.starts_with('/') { Some(a.into()) } else { Some(system::cwd(pid)?.join(a)) };
    let script = argv.iter().skip(1).find(is_script).and_then(place);
    // With a script, the program is an interpreter, whose version does not matter. A process that changed its name
    // has no script any more, but was started by its name.
    let started = || {
        let name = argv.first().filter(|name| !name.contains('/') && !is_interpreter(name))?;
        system::program(pid)?.file_name()?.to_str().filter(|program| is_interpreter(program))?;
        let path = variable(pid, "PATH")?;
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
    };
    let file = script.filter(|file| file.is_file()).or_else(started).or_else(|| system::program(pid))?;
    let file = file.canonicalize().ok()?;
    let name = file.file_name()?.to_str()?;
    if is_interpreter(name) {
        return None;
    }
    let above = || file.ancestors().skip(1);
    let package = || above().take(6).find_map(|dir| package_version(&dir.join("package.json")));
    let wheel = || wheel_version(above().nth(1)?, name);
    let called = || {
        above().filter_map(|dir| dir.file_name()?.to_str()).find(|name| is_version(name)).map(str::to_owned)
    };
    // A Python program may be anywhere, even below a package of another language.
    let python = argv
        .first()
        .is_some_and(|program| program.rsplit('/').next().unwrap_or_default().starts_with("python"));
    wheel().or_else(|| package().filter(|_| !python)).filter(|text| is_version(text)).or_else(called)
}

/// The names by which a profile recognises a process: its program, and the end of its script's path if an interpreter
/// runs it.
pub fn names(comm: &str, argv: &[String]) -> (String, String) {
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let program = argv.first().map_or_else(|| comm.to_owned(), |path| base(path));
    let script = argv.iter().skip(1).find(|a| !a.starts_with('-')).filter(|_| is_interpreter(&program));
    // A file with a common name is recognised by its directories.
    let end = |path: &String| {
        let general =
            |name: &str| name.split('.').next().is_some_and(|stem| ["index", "cli", "main"].contains(&stem));
        let parts: Vec<&str> = path.split('/').collect();
        let kept = if general(&base(path)) { 3 } else { 1 };
        parts[parts.len().saturating_sub(kept)..].join("/")
    };
    (program, script.map(end).unwrap_or_default())
}

fn package_version(file: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(file).ok()?.take(1 << 18).read_to_string(&mut text).ok()?;
    let package: serde_json::Value = serde_json::from_slice(text.as_bytes()).ok()?;
    Some(package["version"].as_str()?.to_owned())
}

/// The version in the name of `lib/python3.12/site-packages/aider_chat-0.86.2.dist-info`, for the script `aider`.
fn wheel_version(prefix: &Path, name: &str) -> Option<String> {
    let pythons = std::fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let packages = pythons.filter_map(|dir| std::fs::read_dir(dir.path().join("site-packages")).ok());
    packages.flatten().flatten().find_map(|entry| {
        let entry = entry.file_name();
        let (package, version) = entry.to_str()?.strip_suffix(".dist-info")?.split_once('-')?;
        package.starts_with(name).then(|| version.to_owned())
    })
}

/// Whether a text is a version: numbers and dots, perhaps with a word at its end.
fn is_version(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.contains('.')
        && text.chars().all(plain)
}

/// The variable by which an agent without a profile names its kind.
pub const SWARM_AGENT: &str = "SWARM_AGENT";

/// The file of the program that a process runs.
pub fn file(pid: i32) -> Option<String> {
    system::program(pid).map(|path| path.to_string_lossy().into_owned())
}

/// The environment of a process at its start, as far as the system shows it.
#[derive(Debug)]
pub struct Environment {
    pid: i32,
    bytes: OnceCell<Vec<u8>>,
}

impl Environment {
    /// The environment of a process. It is read once, when the first variable is asked for.
    pub fn of(pid: i32) -> Self {
        Self { pid, bytes: OnceCell::new() }
    }

    pub fn get(&self, name: &str) -> Option<String> {
        let bytes = self.bytes.get_or_init(|| system::environment(self.pid).unwrap_or_default());
        let value = |pair| <[u8]>::strip_prefix(pair, name.as_bytes())?.strip_prefix(b"=");
        let value = bytes.split(|byte| *byte == 0).find_map(value)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

pub fn variable(pid: i32, name: &str) -> Option<String> {
    Environment::of(pid).get(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::{Command, Stdio};

    #[test]
    fn the_version_of_a_running_program_is_read_from_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let write = |path: &str, text: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        };
        write("node_modules/@x/agent/package.json", r#"{"version": "1.2.3"}"#);
        write("node_modules/@x/agent/dist/cli.js", "");
        write("venv/lib/python3.12/site-packages/aider_chat-0.86.2.dist-info/METADATA", "");
        write("venv/bin/aider", "");
        write("venv/bin/other", "");
        write("venv/package.json", r#"{"version": "1.0.0"}"#);
        write("versions/2.1.332/claude", "");
        write("plain/agent", "");
        write("bad/package.json", r#"{"version": "\u001b[2J1.0"}"#);
        write("bad/cli.js", "");
        fs::create_dir_all(root.join("bin")).unwrap();
        std::os::unix::fs::symlink("../node_modules/@x/agent/dist/cli.js", root.join("bin/agent")).unwrap();
        let mut child =
            Command::new("sleep").arg("60").current_dir(&root).stdout(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        for (script, expected) in [
            ("node_modules/@x/agent/dist/cli.js", Some("1.2.3")),
            ("./bin/agent", Some("1.2.3")),
            ("venv/bin/aider", Some("0.86.2")),
            ("venv/bin/other", None),
            ("versions/2.1.332/claude", Some("2.1.332")),
            ("plain/agent", None),
            ("bad/cli.js", None),
        ] {
            let program = if script.starts_with("venv") { "/usr/bin/python3.12" } else { "node" };
            let argv = [program.to_owned(), "--x".to_owned(), root.join(script).display().to_string()];
            let found = version(pid, &argv);
            assert_eq!(found.as_deref(), expected, "{script}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_is_recognised_by_its_program_or_by_its_script() {
        for (line, expected) in [
            ("/usr/bin/pi", ("pi", "")),
            ("node --x /usr/bin/qwen --y", ("node", "qwen")),
            ("node /x/node_modules/@a/b/dist/index.js", ("node", "b/dist/index.js")),
            ("python3.11 -m aider", ("python3.11", "aider")),
            ("node", ("node", "")),
        ] {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let (program, script) = names("comm", &argv);
            assert_eq!((&*program, &*script), expected, "{line}");
        }
        assert_eq!(names("comm", &[]).0, "comm");
    }
}
