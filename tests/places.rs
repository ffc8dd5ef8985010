//! Where a project is, and where its key is: another HOME, a lost key, a copy, a move, a backup.
//!
//! Without its key nothing of a project is touched; whatever is done to its directory, nothing is given twice and nothing is lost.

use crate::support::mail::parsed;
use crate::support::{World, eventually};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn shell(world: &World, line: &str) {
    let done = Command::new("sh").args(["-c", line]).current_dir(world.path()).status().unwrap();
    assert!(done.success(), "{line}");
}

/// How many times an agent was given a text.
fn given(world: &World, pane: &str, text: &str) -> usize {
    world.events(pane, "submitted").iter().filter(|t| t.contains(text)).count()
}

/// Everything below a directory with what is in it, but for what a look changes.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap()) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                all.push((entry.path(), fs::read(entry.path()).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// A project with a lease and mail that waits for an agent with a draft in its composer; gives the agent's pane.
fn with_mail(world: &World) -> String {
    world.start();
    let pane = world.agent("claude", &[]);
    world.ok(&["discover", "--init", "--quiet"]);
    world.control(&pane, "draft not yet");
    eventually("the draft stands there", || world.screen(&pane).contains("not yet").then_some(()));
    for text in ["first of three", "second of three", "third of three"] {
        world.ok(&["send", "--no-wait", "claude-1", text]);
    }
    world.ok(&["send", "human", "for the person"]);
    world.ok(&["lock", "x.rs"]);
    pane
}

#[test]
fn without_its_key_nothing_of_a_project_is_touched() {
    let world = World::new();
    with_mail(&world);
    world.end_couriers();
    let before = contents(&world.state());
    let other = world.path().join("home2");
    fs::create_dir(&other).unwrap();
    let commands: [&[&str]; 12] = [
        &["send", "--no-wait", "claude-1", "from elsewhere"],
        &["inbox"],
        &["read"],
        &["lock", "y.rs"],
        &["unlock", "x.rs"],
        &["locks"],
        &["gc", "--yes"],
        &["discover"],
        &["agents"],
        &["status"],
        &["courier"],
        &["init"],
    ];
    for args in commands {
        for json_too in [false, true] {
            let mut command = world.command("swarm");
            command.env("HOME", &other).args(args);
            if json_too {
                command.arg("--json");
            }
            let out = command.output().unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            if json_too && out.status.code() == Some(2) {
                continue; // It has no such option.
            }
            assert_eq!(out.status.code(), Some(8), "{args:?}: {said}");
            let place = other.join(".local/state/swarm");
            for word in ["the key of the project", place.to_str().unwrap(), "HOME", "swarm init --new-key"] {
                assert!(said.contains(word), "{args:?}: {said}");
            }
            if json_too {
                let told = parsed(&String::from_utf8_lossy(&out.stdout));
                assert!(told["error"].as_str().unwrap().contains("is not there"), "{told}");
                assert_eq!(told["exit"], 8);
            }
        }
    }
    let hook =
        world.command("swarm").env("HOME", &other).args(["hook", "claude", "UserPromptSubmit"]).output();
    let told = parsed(&String::from_utf8_lossy(&hook.unwrap().stdout));
    assert!(told["systemMessage"].as_str().unwrap().contains("checks no leases"), "{told}");
    let doctor =
        world.command("swarm").env("HOME", &other).args(["doctor", "--json", "--fix"]).output().unwrap();
    let told = parsed(&String::from_utf8_lossy(&doctor.stdout));
    let key = told["findings"].as_array().unwrap().iter().find(|f| f["name"] == "key").unwrap();
    assert_eq!((doctor.status.code(), key["verdict"].as_str()), (Some(1), Some("bad")), "{told:#}");
    // What can be done without the key says that it is not here.
    for (args, code) in [
        (&["hooks", "status"][..], 8),
        (&["hooks", "install", "claude"], 8),
        (&["hooks", "install"], 8),
        (&["hooks", "diff", "claude"], 0),
        (&["hooks", "uninstall", "claude"], 0),
        (&["explain", "claude-1"], 8),
    ] {
        let third = world.path().join("home3");
        let out = world.command("swarm").env("HOME", &third).args(args).output().unwrap();
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.code() == Some(code) && told.contains("the key of the project"),
            "{args:?}: {told}"
        );
    }
    // No HOME at all.
    let out = world.command("swarm").env_remove("HOME").args(["inbox"]).output().unwrap();
    assert_eq!(out.status.code(), Some(8));
    // Another project's key in its place.
    let key_of =
        |home: &Path| fs::read_dir(home.join(".local/state/swarm")).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_dir(&other).unwrap().next().is_none(), "no key was made");
    shell(&world, "mkdir -p home2/.local/state && cp -a home/.local/state/swarm home2/.local/state/");
    fs::write(key_of(&other).join("key"), [7; 32]).unwrap();
    let out = world.command("swarm").env("HOME", &other).args(["gc", "--yes"]).output().unwrap();
    assert_eq!(out.status.code(), Some(8));
    assert!(String::from_utf8_lossy(&out.stderr).contains("another key"));
    assert_eq!(contents(&world.state()), before);
    // The right key does, wherever it is.
    fs::copy(key_of(&world.path().join("home")).join("key"), key_of(&other).join("key")).unwrap();
    let out = world.command("swarm").env("HOME", &other).args(["inbox"]).output().unwrap();
    assert!(String::from_utf8_lossy(&out.stdout).contains("for the person"));
}

#[test]
fn a_store_of_before_fingerprints_takes_the_key_it_was_signed_with_and_no_other() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["send", "human", "signed"]);
    let mark = fs::read_to_string(world.state().join("PROJECT")).unwrap();
    let old = format!("{}\n", mark.lines().next().unwrap());
    fs::write(world.state().join("PROJECT"), &old).unwrap();
    let other = world.path().join("home2");
    fs::create_dir(&other).unwrap();
    let out = world.command("swarm").env("HOME", &other).args(["inbox"]).output().unwrap();
    assert_eq!(out.status.code(), Some(8), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(fs::read_dir(&other).unwrap().next().is_none());
    // A key that was made there by an earlier version.
    let id = old.trim();
    shell(
        &world,
        &format!(
            "mkdir -p home2/.local/state/swarm/{id} && chmod -R go-rwx home2/.local && head -c 32 /dev/zero >home2/.local/state/swarm/{id}/key && chmod 600 home2/.local/state/swarm/{id}/key"
        ),
    );
    let out = world.command("swarm").env("HOME", &other).args(["inbox"]).output().unwrap();
    assert_eq!(out.status.code(), Some(8), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(fs::read_to_string(world.state().join("PROJECT")).unwrap(), old);
    assert!(world.ok(&["inbox"]).contains("signed"));
    assert_eq!(
        fs::read_to_string(world.state().join("PROJECT")).unwrap().lines().nth(1),
        mark.lines().nth(1)
    );
    // One in which nothing was signed yet gets a key where there is none.
    shell(&world, "mkdir fresh");
    let fresh = world.path().join("fresh");
    world.ok_in(&fresh, &["init"]);
    let id = fs::read_to_string(fresh.join(".swarm/PROJECT")).unwrap().lines().next().unwrap().to_owned();
    fs::write(fresh.join(".swarm/PROJECT"), format!("{id}\n")).unwrap();
    fs::remove_dir_all(world.path().join("home/.local/state/swarm").join(&id)).unwrap();
    world.ok_in(&fresh, &["send", "human", "the first"]);
    assert!(world.ok_in(&fresh, &["inbox"]).contains("the first"));
}

#[test]
fn a_lost_key_is_replaced_by_the_human_alone_and_nothing_is_deleted() {
    let world = World::new();
    let pane = with_mail(&world);
    let (code, said) = world.refused(&["init", "--new-key"]);
    assert!(code == 2 && said.contains("is here"), "{said}");
    let courier = world.couriers();
    let before = contents(&world.state().join("mail"));
    fs::remove_dir_all(world.path().join("home/.local/state/swarm")).unwrap();
    assert_eq!(world.refused(&["send", "claude-1", "x"]).0, 8);
    world.ok(&["init", "--new-key"]);
    let aside = fs::read_dir(world.state().join("aside")).unwrap().next().unwrap().unwrap().path();
    let after = contents(&aside.join("mail"));
    assert_eq!(before.len(), after.len());
    world.ok(&["discover", "--quiet"]);
    world.control(&pane, "clear");
    world.ok(&["send", "claude-1", "with the new key"]);
    assert_eq!(given(&world, &pane, "of three"), 0);
    eventually("the courier with the old key is gone", || {
        (!world.couriers().iter().any(|pid| courier.contains(pid))).then_some(())
    });
    let told = parsed(&world.ok(&["doctor", "--json"]));
    let found = told["findings"].as_array().unwrap().iter().find(|f| f["name"] == "aside").unwrap();
    assert!(
        found["verdict"] == "warn" && found["seen"].as_str().unwrap().contains("key was lost"),
        "{found}"
    );
}

#[test]
fn a_copy_is_a_project_of_its_own_and_gives_nothing_of_the_originals() {
    let world = World::new();
    let pane = with_mail(&world);
    shell(&world, "cp -a project copy");
    let copy = world.path().join("copy");
    // Many notice at once.
    let racing: Vec<_> = (0..6)
        .map(|_| {
            world
                .command("swarm")
                .current_dir(&copy)
                .arg("locks")
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in racing {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("no leases"));
    }
    assert_eq!(fs::read_dir(copy.join(".swarm/aside")).unwrap().count(), 1, "it was done once");
    let id = |dir: &Path| {
        fs::read_to_string(dir.join(".swarm/PROJECT")).unwrap().lines().next().unwrap().to_owned()
    };
    assert_ne!(id(&copy), id(&world.project()));
    let there = world.agent_in(&copy, "codex", &[]);
    world.ok_in(&copy, &["discover", "--quiet"]);
    world.ok_in(&copy, &["send", "codex-1", "in the copy"]);
    let told = parsed(&world.ok_in(&copy, &["agents", "--json"]));
    assert_eq!(told["agents"].as_array().unwrap().len(), 1, "{told}");
    let doctor = String::from_utf8(world.run_in(&copy, &["doctor"]).stdout).unwrap();
    assert!(doctor.contains("it is a copy of the project at"), "{doctor}");
    let kept: usize = contents(&copy.join(".swarm/aside"))
        .iter()
        .filter(|(p, _)| p.parent().unwrap().ends_with("claude-1/new"))
        .count();
    assert_eq!(kept, 3, "nothing was deleted");
    world.control(&pane, "clear");
    eventually("the original gives its mail", || (given(&world, &pane, "third of three") > 0).then_some(()));
    for text in ["first of three", "second of three", "third of three"] {
        assert_eq!((given(&world, &pane, text), given(&world, &there, text)), (1, 0), "{text}");
    }
    assert!(world.ok(&["locks"]).contains("x.rs"), "the original is what it was");
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(copy.join(".swarm/quarantine")).unwrap().count(), 0);
}

#[test]
fn a_copy_made_of_links_lets_the_original_be() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["send", "human", "of the original"]);
    shell(&world, "cp -al project copy");
    let copy = world.path().join("copy");
    assert!(world.ok_in(&copy, &["inbox"]).contains("no unread"));
    world.ok_in(&copy, &["send", "human", "of the copy"]);
    let both = [world.ok(&["inbox"]), world.ok_in(&copy, &["inbox"])];
    assert!(both[0].contains("of the original") && !both[0].contains("of the copy"), "{both:?}");
    assert!(both[1].contains("of the copy") && !both[1].contains("of the original"), "{both:?}");
    world.ok(&["send", "human", "it goes on"]);
    assert!(!world.ok_in(&copy, &["log"]).contains("it goes on"));
}

#[test]
fn of_two_that_were_one_the_first_to_be_opened_is_the_project() {
    let world = World::new();
    world.ok(&["init"]);
    world.ok(&["send", "human", "to be read once"]);
    shell(&world, "cp -a project copy && mv project moved");
    let (copy, moved) = (world.path().join("copy"), world.path().join("moved"));
    assert!(world.ok_in(&moved, &["inbox"]).contains("to be read once"));
    assert!(world.ok_in(&copy, &["inbox"]).contains("no unread"));
    shell(&world, "rm -rf copy && cp -a moved copy && mv moved away");
    assert!(world.ok_in(&copy, &["inbox"]).contains("to be read once"));
    assert!(world.ok_in(&world.path().join("away"), &["inbox"]).contains("no unread"));
}

#[test]
fn a_moved_project_carries_on() {
    let world = World::new();
    let pane = with_mail(&world);
    let former = world.couriers();
    shell(&world, "mv project there && mkdir project");
    let there = world.path().join("there");
    assert!(world.ok_in(&there, &["inbox"]).contains("for the person"));
    assert!(world.ok_in(&there, &["locks"]).contains("x.rs"));
    world.ok_in(&there, &["discover", "--quiet"]);
    let told = parsed(&world.ok_in(&there, &["agents", "--json"]));
    assert_eq!(told["agents"][0]["name"], "claude-1", "{told}");
    world.control(&pane, "clear");
    eventually("its mail is given", || (given(&world, &pane, "third of three") > 0).then_some(()));
    for text in ["first of three", "second of three", "third of three"] {
        assert_eq!(given(&world, &pane, text), 1, "{text}");
    }
    assert_eq!(world.tmux(&["display-message", "-p", "-t", &pane, "#{@swarm_agent}"]), "claude-1");
    assert!(!world.couriers().iter().any(|pid| former.contains(pid)));
    // One that finds another at work ends at once.
    eventually("one courier is left", || (world.couriers().len() == 1).then_some(()));
    assert!(!there.join(".swarm/aside").exists());
    // A move over file systems: another directory, and nothing is left behind.
    world.end_couriers();
    shell(&world, "cp -a there over && rm -rf there");
    assert!(world.ok_in(&world.path().join("over"), &["inbox"]).contains("for the person"));
}

#[test]
fn what_waited_in_a_backup_is_not_given_again() {
    let world = World::new();
    let pane = with_mail(&world);
    world.ok(&["send", "--no-wait", "--ack", "claude-1", "fourth, to be acknowledged"]);
    shell(&world, "cp -a project/.swarm backup");
    world.control(&pane, "clear");
    eventually("all is given", || (world.typed(&pane).len() == 4).then_some(()));
    let turns = world.events(&pane, "submitted").len();
    let former = world.couriers();
    shell(&world, "mv project/.swarm former && cp -a backup project/.swarm && rm -rf former");
    let said = world.run_in(&world.project(), &["who"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("restored from a backup"));
    assert!(world.ok(&["locks"]).contains("no leases"));
    world.ok(&["discover", "--quiet"]);
    let dead = parsed(&world.ok(&["dead", "--json"]));
    assert_eq!(dead["dead_letters"].as_array().unwrap().len(), 4, "{dead}");
    eventually("the person is told", || {
        world.ok(&["inbox"]).contains("restored from a backup").then_some(())
    });
    // The courier goes on with new mail, and gives none of the old.
    eventually("the former courier is gone", || {
        (!world.couriers().iter().any(|pid| former.contains(pid))).then_some(())
    });
    world.ok(&["send", "claude-1", "something new"]);
    assert_eq!(world.events(&pane, "submitted").len(), turns + 1, "the new one alone: {}", world.log(&pane));
    assert_eq!(fs::read_dir(world.state().join("quarantine")).unwrap().count(), 0);
}

#[test]
fn racing_inits_and_a_crash_at_any_step_leave_a_project_with_its_key() {
    let world = World::new();
    let init = || world.command("swarm").arg("init").stdout(std::process::Stdio::null()).spawn().unwrap();
    let racing: Vec<_> = (0..8).map(|_| init()).collect();
    for mut child in racing {
        assert!(child.wait().unwrap().success());
    }
    world.ok(&["send", "human", "hello"]);
    let keys = || fs::read_dir(world.path().join("home/.local/state/swarm")).unwrap().count();
    assert_eq!(keys(), 1, "those that were too late took theirs back");
    for point in ["before-key", "after-key", "before-store", "after-store"] {
        let dir = world.path().join(point);
        fs::create_dir(&dir).unwrap();
        let died = world
            .command("swarm")
            .current_dir(&dir)
            .env("SWARM_CRASH_AT", point)
            .arg("init")
            .status()
            .unwrap();
        assert!(!died.success(), "{point}");
        world.ok_in(&dir, &["init"]);
        world.ok_in(&dir, &["send", "human", "hello"]);
        assert!(world.ok_in(&dir, &["inbox"]).contains("hello"), "{point}");
    }
}

#[test]
fn init_in_a_repository_within_a_project_says_whose_it_is_and_what_makes_it_one_of_its_own() {
    let world = World::new();
    world.ok(&["init"]);
    let inner = world.project().join("vendor/it's");
    fs::create_dir_all(inner.join("deep/.hidden")).unwrap();
    assert!(Command::new("git").arg("init").arg("-q").arg(&inner).status().unwrap().success());
    let init = |dir: &Path| {
        let out = world.command("swarm").current_dir(dir).arg("init").output().unwrap();
        assert!(out.status.success());
        (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (told, why) = init(&inner.join("deep"));
    assert!(told.contains("already set up") && !inner.join(".swarm").exists(), "{told}");
    assert!(why.contains("a repository of its own") && why.contains("swarm init"), "{why}");
    // What it says works.
    let line = why.rsplit_once("one of its own: ").unwrap().1.trim_end();
    let done = world.command("sh").arg("-c").arg(line).output().unwrap();
    assert!(done.status.success() && inner.join(".swarm/FORMAT").exists(), "{line}");
    let (told, why) = init(&inner);
    assert!(told.contains("it's") && why.is_empty(), "{told}{why}");
    let (_, why) = init(&world.project().join("vendor"));
    assert!(why.is_empty(), "{why}");
}
