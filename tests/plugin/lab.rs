//! A checkout of the plugin in a directory with every awkward character, and private tmux servers to load it into.

use crate::support::{copy, executable};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Records its arguments and directory beside itself; `send` keeps what it reads. What `here` is asked to run is recorded by itself,
/// and a page waits for a key.
pub(crate) const STUB: &str = r#"#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd -P)
paged=''
if [ "$1" = here ]; then
  shift
  while :; do
    case $1 in --pane) shift 2 ;; --page) paged=yes && shift ;; *) break ;; esac
  done
fi
printf '%s|%s|%s\n' "$*" "$PWD" "${TMUX:+tmux}" >>"$here/log"
case $1 in
--version) echo "swarm 0.1.0 (protocol ${STUB_PROTOCOL:-2})" ;;
send) cat >"$here/body" && echo 'stub sent' ;;
*) echo "stub $*" ;;
esac
[ -z "$paged" ] || {
  printf '(any key closes this)'
  stty -icanon -echo
  dd bs=1 count=1 >/dev/null 2>&1
}
"#;

/// A checkout of the plugin in a directory of its own, and tmux servers that know nothing of the user's.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
    pub(crate) plugin: PathBuf,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let plugin = base.join("pl ug'in \"x\" #{pid} $HOME `id` %H;");
        fs::create_dir_all(plugin.join("bin")).unwrap();
        fs::create_dir_all(base.join("path")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(source.join("swarm.tmux"), plugin.join("swarm.tmux"));
        fs::create_dir(plugin.join("plugin")).unwrap();
        for entry in fs::read_dir(source.join("plugin")).unwrap() {
            let entry = entry.unwrap();
            copy(entry.path(), plugin.join("plugin").join(entry.file_name()));
        }
        Lab { dir, plugin }
    }

    /// With the stub as the checkout's own program.
    pub(crate) fn built() -> Self {
        let lab = Lab::new();
        executable(lab.plugin.join("bin/swarm"), STUB);
        lab
    }

    pub(crate) fn base(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// Puts a program in front of all others on the servers' PATH.
    pub(crate) fn on_path(&self, name: &str, text: &str) {
        executable(self.base().join("path").join(name), text);
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        command
            .env_remove("TMUX")
            .env_remove("TMUX_PANE")
            .env("TMUX_TMPDIR", self.base())
            .env("HOME", self.base())
            .env_remove("XDG_STATE_HOME")
            .env_remove("CARGO_HOME")
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("PATH", format!("{}:{path}", self.base().join("path").display()))
            .current_dir(self.base())
            .stdin(Stdio::null());
        command
    }

    /// A tmux call on the server `inner`, where the plugin lives.
    pub(crate) fn tmux(&self, args: &[&str]) -> String {
        self.tmux_on("inner", args)
    }

    pub(crate) fn tmux_on(&self, server: &str, args: &[&str]) -> String {
        let output =
            self.command(&real_tmux()).args(["-L", server, "-f", "/dev/null"]).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + String::from_utf8_lossy(&output.stderr).as_ref()
    }

    pub(crate) fn start(&self) {
        let said = self.tmux(&["new-session", "-d", "-s", "main", "-x", "100", "-y", "30", "cat"]);
        assert_eq!(said, "");
        // Keys that a busy server reads together are two key presses all the same, and no paste.
        self.tmux(&["set-option", "-g", "assume-paste-time", "0"]);
    }

    /// Runs a script of the plugin as a configuration does.
    pub(crate) fn run(&self, file: &str) {
        let path = self.plugin.join(file);
        self.tmux(&["set-option", "-s", "@under-test", path.to_str().unwrap()]);
        let said = self.tmux(&["run-shell", "#{q:@under-test}"]);
        self.tmux(&["set-option", "-su", "@under-test"]);
        assert_eq!(said, "", "{file} is silent");
    }

    /// Loads the plugin, which installs nothing.
    pub(crate) fn load(&self) {
        self.tmux(&["set-option", "-g", "@swarm-install", "off"]);
        self.run("swarm.tmux");
    }

    /// Loads the plugin as it comes.
    pub(crate) fn load_and_build(&self) {
        self.run("swarm.tmux");
    }

    /// Everything a plugin could change in a server.
    pub(crate) fn state(&self) -> String {
        [
            &["list-keys"][..],
            &["show-hooks", "-g"],
            &["show-hooks", "-gw"],
            &["show-options", "-g"],
            &["show-options", "-s"],
            &["show-options", "-gw"],
        ]
        .iter()
        .map(|args| self.tmux(args))
        .collect::<Vec<_>>()
        .join("\n==\n")
    }

    pub(crate) fn key(&self, key: &str) -> String {
        self.tmux(&["list-keys", "-T", "prefix", key])
    }

    /// Attaches a client of `inner` inside a pane of a second server, so that popups and messages can be read.
    pub(crate) fn attach(&self) {
        let said = self.tmux_on("outer", &["new-session", "-d", "-s", "o", "-x", "100", "-y", "30", "sh"]);
        assert_eq!(said, "");
        self.typed("unset TMUX; tmux -L inner attach");
        self.press("Enter");
        self.until("a client attaches", || !self.tmux(&["list-clients"]).is_empty());
    }

    pub(crate) fn typed(&self, text: &str) {
        // A final semicolon of an argument would be eaten.
        let text = text.strip_suffix(';').map_or(text.to_owned(), |rest| format!("{rest}\\;"));
        self.tmux_on("outer", &["send-keys", "-l", "--", &text]);
    }

    pub(crate) fn press(&self, key: &str) {
        self.tmux_on("outer", &["send-keys", key]);
    }

    pub(crate) fn screen(&self) -> String {
        self.tmux_on("outer", &["capture-pane", "-p"])
    }

    pub(crate) fn sees(&self, text: &str) {
        self.until(text, || self.screen().contains(text));
    }

    /// Waits for a message of tmux's and presses the key that ends it: until then tmux takes no other.
    pub(crate) fn dismiss(&self, message: &str) {
        self.sees(message);
        self.press("Enter");
        self.until("the message goes", || !self.screen().contains(message));
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.plugin.join("bin/log")).unwrap_or_default()
    }

    /// Whether a build goes on in the background, of any plugin of this lab.
    pub(crate) fn is_building(&self) -> bool {
        let script = format!("{}/.*/background.sh", self.base().display());
        !self.command("pgrep").args(["-f", &script]).output().unwrap().stdout.is_empty()
    }

    pub(crate) fn until(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            let late = Instant::now() > deadline;
            assert!(!late, "never happened: {what}\nscreen:\n{}\nlog:\n{}", self.screen(), self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in ["outer", "inner"] {
            self.tmux_on(server, &["kill-server"]);
        }
    }
}

/// The tmux on our own PATH, past any stand-in of a test.
pub(crate) fn real_tmux() -> String {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join("tmux"))
        .find(|path| path.is_file())
        .map(|path| path.to_str().unwrap().to_owned())
        .expect("tmux is needed for these tests: scripts/test.sh installs it")
}

/// Says that it is another version, and is otherwise the real one.
pub(crate) fn tmux_that_says(version: &str) -> String {
    let real = real_tmux();
    format!("#!/bin/sh\ncase \"$*\" in *'#{{version}}'*) echo {version} ;; *) exec {real} \"$@\" ;; esac\n")
}

/// The files a build looks at.
pub(crate) fn checkout(lab: &Lab) {
    fs::create_dir(lab.plugin.join("src")).unwrap();
    fs::write(lab.plugin.join("src/main.rs"), "fn main() {}").unwrap();
    fs::write(lab.plugin.join("Cargo.toml"), "rust-version = \"1.89\"\n").unwrap();
    fs::write(lab.plugin.join("Cargo.lock"), "").unwrap();
}

/// A cargo of that version, which does `first` and then "builds" the stub.
pub(crate) fn stub_cargo(version: &str, first: &str) -> String {
    format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo 'cargo {version} (stub)'; exit; }}\n{first}\n\
         mkdir -p target/release\ncat >target/release/swarm <<'STUB'\n{STUB}STUB\n\
         chmod +x target/release/swarm\ncp target/release/swarm target/release/swarm-msg\n"
    )
}
