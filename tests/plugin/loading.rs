//! Loading, unloading, keys, hooks, versions, which program.

use super::lab::{Lab, STUB, tmux_that_says};
use crate::support::executable;
use std::fs;

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
    assert!(!lab.tmux(&["list-keys", "-T", "prefix"]).contains("@swarm-plugin"));
}

#[test]
fn a_key_that_tmux_does_not_know_is_told_and_leaves_the_rest_set_up() {
    let lab = Lab::built();
    lab.start();
    lab.attach();
    for key in ["Shift-S", "<prefix>S", "prefix S", "None", "s w", "-x", "--", "F99", "C-"] {
        lab.tmux(&["set-option", "-g", "@swarm-key", key]);
        lab.load();
        lab.sees(&format!("@swarm-key {key} is not a key that tmux knows"));
        let table = lab.tmux(&["list-keys", "-T", "swarm"]);
        assert!(table.contains("@swarm-plugin"), "{key}: {table}");
        let hooks = lab.tmux(&["show-hooks", "-g"]) + &lab.tmux(&["show-hooks", "-gw"]);
        assert_eq!(hooks.matches("[8200] run-shell").count(), 9, "{key}: {hooks}");
        assert!(!lab.tmux(&["list-keys", "-T", "prefix"]).contains("@swarm-plugin"), "{key}");
        lab.run("plugin/unload.sh");
        assert!(lab.tmux(&["show-options", "-s"]).find("@swarm").is_none(), "{key}");
    }
    // Odd keys that it does know.
    for key in [";", "\"", "$", "'", "#", "F12", "Any"] {
        let arg = if key == ";" { "\\;" } else { key };
        lab.tmux(&["unbind-key", "-T", "prefix", "--", arg]);
        lab.tmux(&["set-option", "-g", "@swarm-key", arg]);
        lab.load();
        assert_eq!(lab.tmux(&["show-options", "-sv", "@swarm-bound"]).trim_end(), key);
        assert!(lab.tmux(&["list-keys", "-T", "prefix"]).contains("@swarm-plugin"), "{key}");
        lab.run("plugin/unload.sh");
        assert!(!lab.tmux(&["list-keys", "-T", "prefix"]).contains("@swarm-plugin"), "{key}");
    }
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
fn a_newer_set_of_rules_in_the_checkout_is_given_to_the_program() {
    let lab = Lab::built();
    lab.start();
    lab.load();
    lab.until("it was loaded", || lab.log().contains("discover"));
    assert!(!lab.log().contains("profile update"), "there is none");
    fs::write(lab.plugin.join("plugin/profiles.json"), "{}").unwrap();
    lab.load();
    let dir = lab.plugin.join("plugin");
    let call = format!("profile update --quiet {}|", dir.display());
    lab.until("it is given", || lab.log().contains(&call));
}

#[test]
fn a_failing_or_vanished_program_disturbs_nobody() {
    let lab = Lab::built();
    executable(
        lab.plugin.join("bin/swarm"),
        "#!/bin/sh\necho out; echo err >&2\necho x >>\"$0.log\"\nexit 3\n",
    );
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
    let exe = |lab: &Lab| lab.tmux(&["show-options", "-sv", "@swarm-cli"]).trim_end().to_owned();
    lab.on_path("swarm", &STUB.replace("STUB_PROTOCOL:-2", "STUB_PROTOCOL:-1"));
    lab.start();
    lab.load();
    assert_eq!(exe(&lab), "", "another protocol is not taken");
    lab.on_path("swarm", STUB);
    lab.load();
    assert_eq!(exe(&lab), lab.base().join("path/swarm").to_str().unwrap());
    executable(lab.plugin.join("bin/swarm"), STUB);
    lab.load();
    assert_eq!(exe(&lab), lab.plugin.join("bin/swarm").to_str().unwrap());
    executable(lab.base().join("my swarm"), STUB);
    lab.tmux(&["set-option", "-g", "@swarm-bin", "~/my swarm"]);
    lab.load();
    assert_eq!(exe(&lab), lab.base().join("my swarm").to_str().unwrap());
    lab.tmux(&["set-option", "-g", "@swarm-bin", "/no/such/swarm"]);
    lab.load();
    assert_eq!(exe(&lab), "", "a choice that does not work is not replaced");
    lab.attach();
    lab.sees("@swarm-bin is not the full path of a program");
}
