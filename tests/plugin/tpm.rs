//! With the plugin manager most people have: Debian's package of it, and a repository on this machine.

use super::lab::{Lab, checkout, stub_cargo};
use std::fs;
use std::path::{Path, PathBuf};

const TPM: &str = "/usr/share/tmux-plugin-manager";

/// A server whose configuration names the plugin, by a repository of its own that TPM can clone.
struct Managed {
    lab: Lab,
    work: PathBuf,
    plugins: PathBuf,
}

impl Managed {
    /// `None` where TPM is not installed.
    fn new() -> Option<Self> {
        if !Path::new(TPM).join("tpm").exists() {
            println!("SKIPPED: TPM is not installed (Debian: tmux-plugin-manager)");
            return None;
        }
        let lab = Lab::new();
        checkout(&lab);
        fs::write(lab.plugin.join("README.md"), "first").unwrap();
        fs::write(lab.plugin.join(".gitignore"), "/bin\n/target\n").unwrap();
        let counted = format!("echo build >>'{}/builds'", lab.base().display());
        lab.on_path("cargo", &stub_cargo("1.999.0", &counted));
        let managed = Self { work: lab.plugin.clone(), plugins: lab.base().join("plugins"), lab };
        managed.git(&["init", "-q", "-b", "main"]);
        managed.commit();
        let bare = managed.bare();
        managed.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        fs::create_dir(&managed.plugins).unwrap();
        let conf = managed.lab.base().join(".tmux.conf");
        let text = format!(
            "set-environment -g TMUX_PLUGIN_MANAGER_PATH '{}/'\nset -g @plugin 'file://{}'\nrun-shell {TPM}/tpm\n",
            managed.plugins.display(),
            bare.display()
        );
        fs::write(&conf, text).unwrap();
        let mut start = managed.lab.command("tmux");
        start.args(["-L", "inner", "-f", conf.to_str().unwrap()]).args([
            "new-session",
            "-d",
            "-s",
            "main",
            "cat",
        ]);
        assert!(start.status().unwrap().success());
        managed.lab.until("TPM has loaded", || managed.lab.key("I").contains("install_plugins"));
        Some(managed)
    }

    fn bare(&self) -> PathBuf {
        self.lab.base().join("tmux-swarm.git")
    }

    fn git(&self, args: &[&str]) {
        let mut git = self.lab.command("git");
        git.args(["-c", "user.name=x", "-c", "user.email=x@x", "-c", "protocol.file.allow=always"]);
        let out = git.args(args).current_dir(&self.work).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "change"]);
    }

    /// Runs a script of TPM's as its keys do.
    fn tpm(&self, script: &str) {
        self.lab.tmux(&["run-shell", &format!("{TPM}/{script} >/dev/null 2>&1 || :")]);
    }

    /// What `prefix U` does: fetches, and loads all plugins again.
    fn update(&self, file: &str, text: &str) {
        fs::write(self.work.join(file), text).unwrap();
        self.commit();
        self.git(&["push", "-q", self.bare().to_str().unwrap(), "main"]);
        self.tpm("bin/update_plugins all");
        self.tpm("tpm");
        let got = self.installed().join(file);
        self.lab.until("the change is there", || fs::read_to_string(&got).is_ok_and(|now| now == text));
        self.lab.until("nothing is being built", || !self.lab.is_building());
    }

    fn installed(&self) -> PathBuf {
        self.plugins.join("tmux-swarm")
    }

    fn builds(&self) -> usize {
        fs::read_to_string(self.lab.base().join("builds")).unwrap_or_default().lines().count()
    }
}

#[test]
fn tpm_installs_updates_and_removes_it() {
    let Some(managed) = Managed::new() else { return };
    let lab = &managed.lab;
    let before = lab.state();
    managed.tpm("bin/install_plugins");
    assert!(managed.installed().join("swarm.tmux").exists());
    managed.tpm("tpm");
    lab.until("it is built and has its menu", || lab.key("S").contains("display-menu"));
    lab.until("its hooks are set", || lab.tmux(&["show-hooks", "-g"]).contains("after-new-window[8200]"));
    assert_eq!(managed.builds(), 1);

    managed.update("README.md", "second");
    assert_eq!(managed.builds(), 1, "a changed README is not built");
    let once = lab.state();
    managed.tpm("tpm");
    assert_eq!(once, lab.state(), "loaded twice is loaded once");

    managed.update("src/main.rs", "fn main() { /* second */ }");
    lab.until("a changed source is built", || managed.builds() == 2);
    lab.until("and it is told", || lab.tmux(&["show-options", "-s"]).contains("installed and ready"));

    let unload = managed.installed().join("plugin/unload.sh");
    lab.tmux(&["run-shell", unload.to_str().unwrap()]);
    assert_eq!(before, lab.state());
    lab.tmux(&["set-option", "-gu", "@plugin"]);
    fs::write(lab.base().join(".tmux.conf"), "").unwrap();
    managed.tpm("bin/clean_plugins");
    assert!(!managed.installed().exists());
}
