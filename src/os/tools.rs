//! Finds the `swarm-msg` that the shell tools of an agent use.
//!
//! The PATH of the tools counts. For most agents it is the PATH of the agent's process. For one whose tools begin
//! with a login shell, it is that shell's. If the system does not show it, the tools are assumed to find the program.

use super::{child, program};
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a login shell may take for its start-up files.
const PATIENCE: Duration = Duration::from_secs(2);

/// The environment of an agent's tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    path: String,
    /// The name of the person's shell.
    shell: String,
    /// Whether the PATH is a login shell's.
    login: bool,
}

impl Tools {
    /// The tools of the agent of this kind that runs as `pid`; `None` if its process does not show them.
    pub fn of(kind: &str, pid: i32) -> Option<Self> {
        let environment = program::Environment::of(pid);
        let path = environment.get("PATH")?;
        let shell = environment.get("SHELL").unwrap_or_else(|| "/bin/sh".into());
        let login = asks_shell(kind);
        let home = || environment.get("HOME");
        let path =
            if login { login_path(&(shell.clone(), path.clone(), home())).unwrap_or(path) } else { path };
        let shell = Path::new(&shell).file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(Self { path, shell, login })
    }

    /// The `swarm-msg` that they find, if it is the one in `dir`; otherwise the reason.
    pub fn find(&self, dir: &Path) -> Result<PathBuf, String> {
        find(&self.path, dir)
            .map_err(|why| if self.login { format!("{why} of its login shell") } else { why })
    }

    /// The command that puts `dir` on their PATH.
    pub fn repair(&self, dir: &Path) -> String {
        let line = format!("export PATH=\"{}:$PATH\"", dir.display());
        match (self.shell.as_str(), self.login) {
            ("fish", _) => format!("fish -c 'fish_add_path {}'", dir.display()),
            ("zsh", true) => format!("echo '{line}' >> ~/.zprofile"),
            ("zsh", false) => format!("echo '{line}' >> ~/.zshrc"),
            ("bash", false) => format!("echo '{line}' >> ~/.bashrc"),
            _ => format!("echo '{line}' >> ~/.profile"),
        }
    }
}

/// Whether the PATH of an agent's tools is a login shell's: Codex takes a snapshot of one, and its server outlives
/// the agents that it serves.
pub fn asks_shell(kind: &str) -> bool {
    kind == "codex"
}

/// The `swarm-msg` on a PATH, if it is the one in `dir`; otherwise the reason.
pub fn find(path: &str, dir: &Path) -> Result<PathBuf, String> {
    let file = on_path(path, "swarm-msg").ok_or_else(|| "swarm-msg is not on PATH".to_owned())?;
    if matches!((file.canonicalize(), dir.join("swarm-msg").canonicalize()), (Ok(a), Ok(b)) if a == b) {
        return Ok(file);
    }
    Err(format!("swarm-msg is {}, of another installation than {}, on PATH", file.display(), dir.display()))
}

/// The program of that name on a PATH.
pub fn on_path(path: &str, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

/// How the agent of this kind that runs as `pid` should call the `swarm-msg` in `dir`: by its name if its tools find
/// it.
pub fn command(kind: &str, pid: i32, dir: &Path) -> String {
    let file = dir.join("swarm-msg");
    let missed = Tools::of(kind, pid).is_some_and(|tools| tools.find(dir).is_err());
    match file.to_str().filter(|_| missed && is_executable(&file)) {
        Some(full) if full.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@".contains(&b)) => {
            full.to_owned()
        }
        Some(full) => format!("'{}'", full.replace('\'', "'\\''")),
        None => "swarm-msg".to_owned(),
    }
}

/// A shell with the PATH and the home at its start.
type Begun = (String, String, Option<String>);

/// The PATH after a login shell's start-up files.
fn login_path((shell, path, home): &Begun) -> Option<String> {
    let mut command = Command::new(shell);
    // Between marks, because start-up files may print something.
    command
        .args(["-lc", "printf '\\001%s\\002' \"$PATH\""])
        .env_clear()
        .env("PATH", path)
        .env("SHELL", shell);
    command.envs(home.iter().map(|home| ("HOME", home)));
    let out = child::output(&mut command, None, PATIENCE).ok()??;
    let text = String::from_utf8(out.stdout).ok()?;
    Some(text.rsplit_once('\u{1}')?.1.split_once('\u{2}')?.0.to_owned())
}

pub fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|m: Metadata| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_login_shell_says_what_its_start_up_files_make_of_path() {
        let home = tempfile::tempdir().unwrap();
        let path = "/usr/bin:/bin:/from/the/process";
        let begun = ("/bin/sh".to_owned(), path.to_owned(), Some(home.path().display().to_string()));
        fs::write(home.path().join(".profile"), "echo noise; PATH=/only/this:/bin\n").unwrap();
        assert_eq!(login_path(&begun).as_deref(), Some("/only/this:/bin"));
    }

    #[test]
    fn the_one_that_is_found_must_be_of_this_installation() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
        for place in [&ours, &theirs] {
            fs::create_dir(place).unwrap();
            fs::write(place.join("swarm-msg"), "").unwrap();
            fs::set_permissions(place.join("swarm-msg"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let at = |path: String| find(&path, &ours);
        assert_eq!(at(format!("/nowhere:{}", ours.display())), Ok(ours.join("swarm-msg")));
        assert!(
            at(format!("{}:{}", theirs.display(), ours.display()))
                .unwrap_err()
                .contains("another installation")
        );
        assert!(at("/nowhere".into()).unwrap_err().contains("not on PATH"));
        let tools =
            |shell: &str, login| Tools { path: String::new(), shell: shell.into(), login }.repair(&ours);
        assert!(
            tools("bash", true).ends_with(">> ~/.profile") && tools("bash", false).ends_with(">> ~/.bashrc")
        );
        assert!(tools("zsh", true).ends_with("~/.zprofile") && tools("fish", true).contains("fish_add_path"));
    }
}
