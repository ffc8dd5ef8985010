//! The tmux plugin on real, private tmux servers: loading, keys, hooks, notices, popups, building and unloading.
//! A stub stands in for the `swarm` program; the plugin's directory has a name with every awkward character.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Records its arguments and directory beside itself; `send` keeps what it reads.
const STUB: &str = r#"#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd -P)
printf '%s|%s|%s\n' "$*" "$PWD" "${TMUX:+tmux}" >>"$here/log"
case $1 in
--version) echo "swarm 0.1.0 (protocol ${STUB_PROTOCOL:-1})" ;;
send) cat >"$here/body" && echo 'stub sent' ;;
*) echo "stub $*" ;;
esac
"#;

/// A checkout of the plugin in a directory of its own, and tmux servers that know nothing of the user's.
struct Lab {
    dir: tempfile::TempDir,
    plugin: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let plugin = base.join("pl ug'in \"x\" #{pid} $HOME `id` %H;");
        fs::create_dir_all(plugin.join("bin")).unwrap();
        fs::create_dir_all(base.join("path")).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&source.join("swarm.tmux"), &plugin.join("swarm.tmux"));
        fs::create_dir(plugin.join("plugin")).unwrap();
        for entry in fs::read_dir(source.join("plugin")).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &plugin.join("plugin").join(entry.file_name()));
        }
        Lab { dir, plugin }
    }

    /// With the stub as the checkout's own program.
    fn built() -> Self {
        let lab = Lab::new();
        script(&lab.plugin.join("bin/swarm"), STUB);
        lab
    }

    fn base(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// Puts a program in front of all others on the servers' PATH.
    fn on_path(&self, name: &str, text: &str) {
        script(&self.base().join("path").join(name), text);
    }

    fn command(&self, program: &str) -> Command {
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
    fn tmux(&self, args: &[&str]) -> String {
        self.tmux_on("inner", args)
    }

    fn tmux_on(&self, server: &str, args: &[&str]) -> String {
        let output =
            self.command(&real_tmux()).args(["-L", server, "-f", "/dev/null"]).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
            + String::from_utf8_lossy(&output.stderr).as_ref()
    }

    fn start(&self) {
        let said = self.tmux(&["new-session", "-d", "-s", "main", "-x", "100", "-y", "30", "cat"]);
        assert_eq!(said, "");
    }

    /// Runs a script of the plugin as a configuration does.
    fn run(&self, file: &str) {
        let path = self.plugin.join(file);
        self.tmux(&["set-option", "-s", "@under-test", path.to_str().unwrap()]);
        let said = self.tmux(&["run-shell", "#{q:@under-test}"]);
        self.tmux(&["set-option", "-su", "@under-test"]);
        assert_eq!(said, "", "{file} is silent");
    }

    fn load(&self) {
        self.run("swarm.tmux");
    }

    /// Everything a plugin could change in a server.
    fn state(&self) -> String {
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

    fn key(&self, key: &str) -> String {
        self.tmux(&["list-keys", "-T", "prefix", key])
    }

    /// Attaches a client of `inner` inside a pane of a second server, so that popups and messages can be read.
    fn attach(&self) {
        let said = self.tmux_on("outer", &["new-session", "-d", "-s", "o", "-x", "100", "-y", "30", "sh"]);
        assert_eq!(said, "");
        self.typed("unset TMUX; tmux -L inner attach");
        self.press("Enter");
        self.until("a client attaches", || !self.tmux(&["list-clients"]).is_empty());
    }

    fn typed(&self, text: &str) {
        // A final semicolon of an argument would be eaten.
        let text = text.strip_suffix(';').map_or(text.to_owned(), |rest| format!("{rest}\\;"));
        self.tmux_on("outer", &["send-keys", "-l", "--", &text]);
    }

    fn press(&self, key: &str) {
        self.tmux_on("outer", &["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux_on("outer", &["capture-pane", "-p"])
    }

    fn sees(&self, text: &str) {
        self.until(text, || self.screen().contains(text));
    }

    /// Waits for a message of tmux's and presses the key that ends it: until then tmux takes no other.
    fn dismiss(&self, message: &str) {
        self.sees(message);
        self.press("Enter");
        self.until("the message goes", || !self.screen().contains(message));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.plugin.join("bin/log")).unwrap_or_default()
    }

    fn until(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
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

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The tmux on our own PATH, past any stand-in of a test.
fn real_tmux() -> String {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join("tmux"))
        .find(|path| path.is_file())
        .map(|path| path.to_str().unwrap().to_owned())
        .expect("tmux is needed for these tests: scripts/test.sh installs it")
}

/// Says that it is another version, and is otherwise the real one.
fn tmux_that_says(version: &str) -> String {
    let real = real_tmux();
    format!("#!/bin/sh\ncase \"$*\" in *'#{{version}}'*) echo {version} ;; *) exec {real} \"$@\" ;; esac\n")
}

#[test]
fn loading_twice_is_loading_once() {
    let lab = Lab::built();
    lab.start();
    let before = lab.state();
    lab.load();
    let once = lab.state();
    assert_ne!(before, once);
    lab.load();
    assert_eq!(once, lab.state());
    assert!(lab.key("S").contains("display-menu"), "{}", lab.key("S"));
}

#[test]
fn unloading_leaves_the_server_as_it_was() {
    for lab in [Lab::built(), Lab::new()] {
        lab.start();
        let before = lab.state();
        lab.load();
        lab.run("plugin/unload.sh");
        assert_eq!(before, lab.state());
        lab.run("plugin/unload.sh");
        assert_eq!(before, lab.state());
    }
}

#[test]
fn what_the_user_set_is_kept() {
    let lab = Lab::built();
    lab.start();
    lab.tmux(&["set-hook", "-g", "after-new-window", "set-option -g @mine 1"]);
    lab.tmux(&["set-hook", "-g", "pane-exited[3]", "set-option -g @mine 2"]);
    lab.tmux(&["bind-key", "S", "display-message mine"]);
    lab.tmux(&["set-option", "-g", "@swarm-popup-width", "60%"]);
    lab.load();
    assert!(lab.key("S").contains("mine"));
    let hooks = lab.tmux(&["show-hooks", "-g"]) + &lab.tmux(&["show-hooks", "-gw"]);
    for line in ["after-new-window[0] set-option", "pane-exited[3] set-option", "pane-exited[8200] run-shell"]
    {
        assert!(hooks.contains(line), "{line} in {hooks}");
    }
    assert!(lab.tmux(&["show-options", "-g", "@swarm-popup-width"]).contains("60%"));
    lab.attach();
    lab.sees("prefix S is already bound and was left alone");
    lab.run("plugin/unload.sh");
    assert!(lab.key("S").contains("mine"), "unloading leaves the user's key");
}

#[test]
fn the_key_follows_its_option() {
    let lab = Lab::built();
    lab.start();
    lab.tmux(&["set-option", "-g", "@swarm-key", "A"]);
    lab.load();
    assert!(lab.key("A").contains("display-menu") && !lab.key("S").contains("display-menu"));
    lab.tmux(&["set-option", "-g", "@swarm-key", "S"]);
    lab.load();
    assert!(!lab.key("A").contains("display-menu") && lab.key("S").contains("display-menu"));
    lab.tmux(&["set-option", "-g", "@swarm-key", "none"]);
    lab.load();
    assert!(!lab.tmux(&["list-keys"]).contains("@swarm-plugin"));
}

#[test]
fn panes_that_come_and_go_call_the_program() {
    let lab = Lab::built();
    lab.start();
    lab.load();
    let calls = || lab.log().matches("discover --quiet --from-tmux").count();
    lab.until("the call on loading", || calls() == 1);
    for (n, args) in [
        &["new-window", "-d", "cat"][..],
        &["split-window", "-d", "cat"],
        &["new-session", "-d", "-s", "second", "cat"],
        &["kill-pane", "-t", "main:0.1"],
        &["kill-session", "-t", "second"],
    ]
    .iter()
    .enumerate()
    {
        let seen = calls();
        assert_eq!(lab.tmux(args), "");
        lab.until(&format!("call {n} for {args:?}"), || calls() > seen);
    }
    let seen = calls();
    lab.tmux(&["new-window", "-d", "true"]);
    lab.until("the calls for a pane that exits", || calls() >= seen + 2);
    assert!(lab.log().lines().all(|line| line.ends_with("|tmux")), "the server is named: {}", lab.log());
}

#[test]
fn a_failing_or_vanished_program_disturbs_nobody() {
    let lab = Lab::built();
    script(&lab.plugin.join("bin/swarm"), "#!/bin/sh\necho out; echo err >&2\necho x >>\"$0.log\"\nexit 3\n");
    lab.start();
    lab.load();
    let log = lab.plugin.join("bin/swarm.log");
    let calls = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    lab.until("the call on loading", || calls() == 1);
    lab.tmux(&["new-window", "cat"]);
    lab.until("a failing call", || calls() == 2);
    fs::remove_file(lab.plugin.join("bin/swarm")).unwrap();
    lab.tmux(&["split-window", "cat"]);
    // A job of ours started later has been reaped later, so the hook's has ended.
    lab.tmux(&["run-shell", "sleep 0.3"]);
    let modes = lab.tmux(&["list-panes", "-aF", "#{pane_in_mode}"]);
    assert!(modes.lines().all(|mode| mode == "0"), "no pane shows an error: {modes}");
}

#[test]
fn the_menu_runs_the_program_where_the_pane_is() {
    let lab = Lab::built();
    let place = lab.base().join("my \"pro'ject\" #{pid} $(id); x");
    fs::create_dir(&place).unwrap();
    lab.start();
    lab.tmux(&["new-window", "-c", &place.to_str().unwrap().replace('#', "##"), "cat"]);
    lab.load();
    lab.attach();
    for (key, args) in
        [("d", "discover --init"), ("i", "inbox"), ("a", "agents"), ("l", "locks"), ("g", "log -n 200")]
    {
        lab.press("C-b");
        lab.press("S");
        lab.sees("Discover agents here");
        lab.press(key);
        lab.sees(&format!("stub {args}"));
        let line = format!("{args}|{}|tmux", place.display());
        assert!(lab.log().lines().any(|seen| seen == line), "{line} in {}", lab.log());
        lab.sees("any key closes this");
        lab.press("x");
        lab.until("the popup closes", || !lab.screen().contains("any key closes this"));
    }
}

#[test]
fn a_message_arrives_as_it_was_typed() {
    let lab = Lab::built();
    lab.start();
    lab.load();
    lab.attach();
    lab.press("C-b");
    lab.press("S");
    lab.sees("Send a message");
    lab.press("s");
    lab.sees("To (empty: cancel)");
    lab.typed("claude-1");
    lab.press("Enter");
    lab.sees("Message (Ctrl-D");
    let body = "it's \"#{pid}\" $(id) `id` \\n %H; --x #(id);";
    lab.typed(body);
    lab.press("Enter");
    lab.typed("second line\\");
    lab.press("Enter");
    lab.press("C-d");
    lab.sees("stub sent");
    assert_eq!(fs::read_to_string(lab.plugin.join("bin/body")).unwrap(), format!("{body}\nsecond line\\"));
    assert!(lab.log().contains("send claude-1 -|"), "{}", lab.log());
}

#[test]
fn without_a_program_the_key_tells_how_to_build_it() {
    let lab = Lab::new();
    lab.start();
    lab.load();
    assert!(!lab.tmux(&["show-hooks", "-g"]).contains("8200] run-shell"), "no hook without a program");
    lab.attach();
    lab.sees("its program is not built yet: prefix S tells how");
    lab.until("the notice is one-shot", || !lab.tmux(&["show-hooks", "-g"]).contains("8200"));
    lab.load();
    assert!(!lab.tmux(&["show-hooks", "-g"]).contains("8200"), "and is not repeated");
    lab.dismiss("its program is not built yet");
    lab.press("C-b");
    lab.press("S");
    lab.sees("cargo build --release --locked");
    lab.press("x");
    script(&lab.plugin.join("bin/swarm"), STUB);
    lab.load();
    assert!(lab.key("S").contains("display-menu"));
}

#[test]
fn the_key_can_build_the_program() {
    let lab = Lab::new();
    checkout(&lab);
    lab.on_path("cargo", &stub_cargo("1.999.0", ""));
    lab.start();
    lab.load();
    lab.attach();
    lab.dismiss("its program is not built yet");
    lab.press("C-b");
    lab.press("S");
    lab.sees("b: build it now");
    lab.press("b");
    lab.sees("The key opens the menu now");
    assert!(lab.key("S").contains("display-menu"));
    lab.until("hooks call what was built", || lab.log().contains("discover --quiet"));
}

#[test]
fn building_says_what_is_wrong() {
    let lab = Lab::new();
    checkout(&lab);
    let build = || {
        let output = lab.command("/bin/sh").arg(lab.plugin.join("plugin/build.sh")).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.success(), said.into_owned())
    };
    lab.on_path("cargo", &stub_cargo("1.63.0", ""));
    let (ok, said) = build();
    assert!(!ok && said.contains("cargo 1.63 is too old, 1.89 is needed"), "{said}");

    lab.on_path("cargo", &stub_cargo("1.90.0", "echo 'error[E0001]: broken'; exit 101"));
    let (ok, said) = build();
    assert!(!ok && said.contains("broken") && said.contains("the log is"), "{said}");
    assert!(!lab.plugin.join("bin/.building").exists() && !lab.plugin.join("bin/swarm").exists());

    let offline = "case \"$*\" in *--offline*) ;; *) echo 'error: failed to download x'; exit 101 ;; esac";
    lab.on_path("cargo", &stub_cargo("1.90.0", offline));
    let (ok, said) = build();
    assert!(ok && said.contains("no network") && said.contains("installed in bin/"), "{said}");
    let stamp = fs::read_to_string(lab.plugin.join("bin/.stamp")).unwrap();
    let (ok, said) = build();
    assert!(ok && said.contains("up to date"), "{said}");

    fs::write(lab.plugin.join("src/main.rs"), "fn main() { /* changed */ }").unwrap();
    std::os::unix::fs::symlink(std::process::id().to_string(), lab.plugin.join("bin/.building")).unwrap();
    let (ok, said) = build();
    assert!(!ok && said.contains("another build is running"), "{said}");
    fs::remove_file(lab.plugin.join("bin/.building")).unwrap();
    // No process has this pid, on any system: a build that was killed.
    std::os::unix::fs::symlink("999999999", lab.plugin.join("bin/.building")).unwrap();
    let (ok, said) = build();
    assert!(ok && said.contains("installed in bin/"), "{said}");
    assert_ne!(stamp, fs::read_to_string(lab.plugin.join("bin/.stamp")).unwrap());
    let left: Vec<_> =
        fs::read_dir(lab.plugin.join("bin")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "swarm, swarm-msg and .stamp: {left:?}");
}

/// The files a build looks at.
fn checkout(lab: &Lab) {
    fs::create_dir(lab.plugin.join("src")).unwrap();
    fs::write(lab.plugin.join("src/main.rs"), "fn main() {}").unwrap();
    fs::write(lab.plugin.join("Cargo.toml"), "rust-version = \"1.89\"\n").unwrap();
    fs::write(lab.plugin.join("Cargo.lock"), "").unwrap();
}

/// A cargo of that version, which does `first` and then "builds" the stub.
fn stub_cargo(version: &str, first: &str) -> String {
    format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo 'cargo {version} (stub)'; exit; }}\n{first}\n\
         mkdir -p target/release\ncat >target/release/swarm <<'STUB'\n{STUB}STUB\n\
         chmod +x target/release/swarm\ncp target/release/swarm target/release/swarm-msg\n"
    )
}

#[test]
fn an_old_tmux_is_told_and_nothing_is_bound() {
    let lab = Lab::built();
    lab.on_path("tmux", &tmux_that_says("3.1c"));
    lab.start();
    let keys = lab.tmux(&["list-keys"]);
    lab.load();
    assert_eq!(keys, lab.tmux(&["list-keys"]));
    assert!(!lab.tmux(&["show-hooks", "-g"]).contains("discover"));
    lab.attach();
    lab.sees("swarm needs tmux 3.2 or newer, and this server is 3.1c");
}

#[test]
fn version_names_of_every_kind_are_read() {
    for (version, fits) in
        [("3.2", true), ("3.3a", true), ("next-3.4", true), ("3.10", true), ("openbsd-7.4", true)]
            .into_iter()
            .chain([
                ("master", true),
                ("3.1c", false),
                ("next-3.1", false),
                ("2.9a", false),
                ("3.2-rc3", true),
            ])
    {
        let lab = Lab::built();
        lab.on_path("tmux", &tmux_that_says(version));
        lab.start();
        lab.load();
        assert_eq!(lab.key("S").contains("display-menu"), fits, "{version}");
    }
}

#[test]
fn the_program_is_the_users_choice_then_ours_then_one_that_fits_on_path() {
    let lab = Lab::new();
    let exe = |lab: &Lab| lab.tmux(&["show-options", "-sv", "@swarm-exe"]).trim_end().to_owned();
    lab.on_path("swarm", &STUB.replace("STUB_PROTOCOL:-1", "STUB_PROTOCOL:-2"));
    lab.start();
    lab.load();
    assert_eq!(exe(&lab), "", "another protocol is not taken");
    lab.on_path("swarm", STUB);
    lab.load();
    assert_eq!(exe(&lab), lab.base().join("path/swarm").to_str().unwrap());
    script(&lab.plugin.join("bin/swarm"), STUB);
    lab.load();
    assert_eq!(exe(&lab), lab.plugin.join("bin/swarm").to_str().unwrap());
    script(&lab.base().join("my swarm"), STUB);
    lab.tmux(&["set-option", "-g", "@swarm-bin", "~/my swarm"]);
    lab.load();
    assert_eq!(exe(&lab), lab.base().join("my swarm").to_str().unwrap());
    lab.tmux(&["set-option", "-g", "@swarm-bin", "/no/such/swarm"]);
    lab.load();
    assert_eq!(exe(&lab), "", "a choice that does not work is not replaced");
    lab.attach();
    lab.sees("@swarm-bin is not the full path of a program");
}

#[test]
fn tpm_loads_it_while_tmux_starts() {
    let tpm = Path::new("/usr/share/tmux-plugin-manager/tpm");
    if !tpm.exists() {
        println!("skipped: TPM is not installed (Debian: tmux-plugin-manager)");
        return;
    }
    let lab = Lab::built();
    let plugins = lab.base().join("plugins");
    fs::create_dir(&plugins).unwrap();
    std::os::unix::fs::symlink(&lab.plugin, plugins.join("swarm")).unwrap();
    let conf = lab.base().join(".tmux.conf");
    let text = format!(
        "set-environment -g TMUX_PLUGIN_MANAGER_PATH '{}/'\nset -g @plugin 'someone/swarm'\nrun-shell {}\n",
        plugins.display(),
        tpm.display()
    );
    fs::write(&conf, text).unwrap();
    let started = lab
        .command("tmux")
        .args(["-L", "inner", "-f", conf.to_str().unwrap()])
        .args(["new-session", "-d", "-s", "main", "cat"])
        .status()
        .unwrap();
    assert!(started.success());
    lab.until("the key is bound", || lab.key("S").contains("display-menu"));
    lab.until("the program is called", || lab.log().contains("discover --quiet"));
}
