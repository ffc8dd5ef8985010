//! Building the program: by hand, from the popup, in the background.

use super::lab::{Lab, STUB, checkout, stub_cargo};
use crate::support::executable;
use std::fs;
use std::path::Path;

#[test]
fn without_a_program_the_key_tells_how_to_build_it() {
    let lab = Lab::new();
    lab.start();
    lab.load();
    assert!(!lab.tmux(&["show-hooks", "-g"]).contains("8200] run-shell"), "no hook without a program");
    lab.attach();
    lab.sees("its program is not installed yet: prefix S tells how");
    lab.until("the notice is one-shot", || !lab.tmux(&["show-hooks", "-g"]).contains("8200"));
    lab.load();
    assert!(!lab.tmux(&["show-hooks", "-g"]).contains("8200"), "and is not repeated");
    lab.dismiss("its program is not installed yet");
    lab.press("C-b");
    lab.press("S");
    lab.sees("plugin/install.sh && ./swarm.tmux");
    lab.press("x");
    executable(lab.plugin.join("bin/swarm"), STUB);
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
    lab.dismiss("its program is not installed yet");
    lab.press("C-b");
    lab.press("S");
    lab.sees("b: install it now");
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
        let output = lab.command("/bin/sh").arg(lab.plugin.join("plugin/install.sh")).output().unwrap();
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

/// A checkout with a cargo of its own, on a server with a terminal.
fn attached(cargo: &str) -> Lab {
    let lab = Lab::new();
    checkout(&lab);
    lab.on_path("cargo", cargo);
    lab.start();
    lab
}

fn count(lab: &Lab) -> usize {
    fs::read_to_string(lab.base().join("builds")).unwrap_or_default().lines().count()
}

/// A cargo that counts the builds.
fn counting(lab_base: &str, then: &str) -> String {
    stub_cargo("1.999.0", &format!("echo build >>'{lab_base}/builds'\n{then}"))
}

/// The same, which takes until there is a file `go`, or no lab any more: not for ever, if a test fails.
fn waiting(lab: &Lab, go: &Path) -> String {
    let base = lab.base();
    let base = base.to_str().unwrap();
    counting(base, &format!("while [ ! -e '{}' ] && [ -d '{base}' ]; do sleep 0.05; done", go.display()))
}

#[test]
fn loading_builds_in_the_background_what_has_changed() {
    let lab = attached("");
    lab.on_path("cargo", &counting(lab.base().to_str().unwrap(), ""));
    lab.attach();
    lab.load_and_build();
    lab.sees("swarm is installed and ready: prefix S");
    assert!(lab.key("S").contains("display-menu"));
    lab.until("hooks call what was built", || lab.log().contains("discover --quiet"));
    assert_eq!(count(&lab), 1);
    lab.dismiss("swarm is installed and ready");
    // Nothing has changed; then something that is not built, then something that is.
    let settled = || {
        lab.load_and_build();
        lab.until("nothing is being built", || {
            !lab.is_building() && !lab.plugin.join("bin/.building").is_symlink()
        });
        count(&lab)
    };
    assert_eq!(settled(), 1);
    fs::write(lab.plugin.join("README.md"), "changed").unwrap();
    assert_eq!(settled(), 1);
    fs::write(lab.plugin.join("src/main.rs"), "fn main() { /* changed */ }").unwrap();
    lab.load_and_build();
    lab.until("it is built again", || count(&lab) == 2);
}

#[test]
fn a_failed_build_is_told_once_and_not_tried_again_until_the_sources_change() {
    let lab = attached("");
    lab.on_path("cargo", &counting(lab.base().to_str().unwrap(), "echo 'error[E0001]: broken'; exit 101"));
    lab.attach();
    lab.load_and_build();
    lab.sees("swarm could not be installed: the build failed");
    lab.dismiss("swarm could not be installed");
    lab.press("C-b");
    lab.press("S");
    lab.sees("The last attempt failed");
    lab.press("L");
    lab.sees("error[E0001]: broken");
    lab.press("x");
    lab.load_and_build();
    lab.sees("swarm could not be installed: the build failed");
    assert_eq!(count(&lab), 1, "it was not tried again");
    fs::write(lab.plugin.join("src/main.rs"), "fn main() { /* repaired */ }").unwrap();
    lab.on_path("cargo", &counting(lab.base().to_str().unwrap(), ""));
    lab.dismiss("swarm could not be installed");
    lab.load_and_build();
    lab.sees("swarm is installed and ready");
    assert!(!lab.plugin.join("bin/.failed").exists());
}

#[test]
fn the_old_program_serves_while_the_new_one_is_built() {
    let lab = attached("");
    executable(lab.plugin.join("bin/swarm"), STUB);
    executable(lab.plugin.join("bin/swarm-msg"), STUB);
    let go = lab.base().join("go");
    lab.on_path("cargo", &waiting(&lab, &go));
    lab.attach();
    lab.load_and_build();
    lab.until("the build has begun", || count(&lab) == 1);
    assert!(lab.key("S").contains("display-menu"));
    lab.until("the old one is called", || lab.log().contains("discover --quiet"));
    lab.load_and_build();
    fs::write(go, "").unwrap();
    lab.sees("swarm is installed and ready");
    assert_eq!(count(&lab), 1, "one at a time");
}

#[test]
fn what_stands_in_the_way_of_a_build_is_told_in_the_background_too() {
    for (cargo, told) in [
        ("#!/bin/sh\nexit 127\n", "cargo does not start"),
        (&*stub_cargo("1.63.0", ""), "cargo 1.63 is too old, 1.89 is needed"),
    ] {
        let lab = attached(cargo);
        lab.attach();
        lab.load_and_build();
        lab.sees(told);
        assert!(!lab.plugin.join("bin/.failed").exists(), "it is looked at again the next time");
    }
}

#[test]
fn tmux_does_not_wait_for_a_build() {
    let lab = attached("");
    let go = lab.base().join("go");
    lab.on_path("cargo", &waiting(&lab, &go));
    // A run-shell that waited for the build would never return.
    lab.load_and_build();
    lab.attach();
    lab.sees("swarm is being built in the background: prefix S tells how far it is");
    lab.dismiss("swarm is being built");
    lab.press("C-b");
    lab.press("S");
    lab.sees("The program is being installed; it will say when it is ready");
    fs::write(go, "").unwrap();
    lab.press("x");
    lab.sees("swarm is installed and ready");
}
